/* SHOW and the dispatch of DESCRIBE; what one table looks like is in describe.c.
 *
 *   SHOW SCHEMAS [IN s] | [ALL] TABLES [IN s] | VIEWS [IN s]            each with [LIKE 'pattern']
 *   SHOW COLUMNS IN t | CREATE TABLE t | CREATE VIEW v | TBLPROPERTIES t [('key')] | PARTITIONS t
 *   SHOW BRANCHES [IN t] | TAGS [IN t] | REFS [IN t] | LOG [ref] [LIMIT n] | DIFF a [b]
 *   SHOW CURRENT SCHEMA | FUNCTIONS | name
 *
 * Patterns are SQL's: % and _. Spark's * and | are taken, too. SHOW TABLES without IN lists all schemas.
 */
#include "describe.h"

#include "duck.h"
#include "read.h"
#include "refs.h"

#include <string.h>

typedef struct show {
    firn_session *session;
    firn_arena *arena;
    firn_parser *parser;
    firn_catalog *catalog;
    const char *ns;      /* IN; NULL: everywhere */
    const char *pattern; /* LIKE; NULL: all */
} show;

/* ---- pieces ------------------------------------------------------------------------------------------------ */

/* SQL LIKE without letter case; '*' is '%'. Alternatives are split off by the caller. */
static bool like(const char *text, const char *pattern, size_t len)
{
    const char *end = pattern + len;
    const char *retry_text = NULL;
    const char *retry_pattern = NULL;
    for (; *text != '\0' || pattern < end;) {
        if (pattern < end && (*pattern == '%' || *pattern == '*')) {
            retry_pattern = ++pattern;
            retry_text = text;
            continue;
        }
        char a = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;
        char b = pattern < end && *pattern >= 'A' && *pattern <= 'Z' ? (char)(*pattern + 32)
                 : pattern < end                                     ? *pattern
                                                                     : '\0';
        if (*text != '\0' && pattern < end && (a == b || b == '_')) {
            text++;
            pattern++;
        } else if (retry_pattern != NULL && *retry_text != '\0') {
            text = ++retry_text;
            pattern = retry_pattern;
        } else {
            return false;
        }
    }
    return true;
}

static bool matches(const show *what, const char *name)
{
    for (const char *at = what->pattern; at != NULL;) {
        size_t len = strcspn(at, "|");
        if (like(name, at, len)) {
            return true;
        }
        if (at[len] == '\0') {
            return false;
        }
        at += len + 1;
    }
    return true;
}

/* [IN | FROM s] [LIKE 'p'], and nothing behind. */
static firn_rc parse_filter(show *what, firn_err *err)
{
    firn_parser *parser = what->parser;
    json_t *properties = NULL;
    if (firn_accept(parser, "in") || firn_accept(parser, "from")) {
        FIRN_TRY(firn_parse_namespace(parser, &what->ns, err));
        FIRN_TRY(firn_catalog_namespace_properties(what->catalog, what->arena, what->session->ref,
                                                   what->ns, &properties, err));
    }
    if (firn_accept(parser, "like") ||
        (parser->at < parser->end && firn_peek(parser)->kind == FIRN_TOKEN_STRING)) {
        FIRN_TRY(firn_parse_string(parser, &what->pattern, err));
    }
    return firn_parse_end(parser, err);
}

static bool accept_in(firn_parser *parser)
{
    return firn_accept(parser, "in") || firn_accept(parser, "from") || firn_accept(parser, "on");
}

/* ---- lists --------------------------------------------------------------------------------------------------- */

static firn_rc show_schemas(show *what, firn_result **out, firn_err *err)
{
    char **list = NULL;
    size_t n = 0;
    FIRN_TRY(parse_filter(what, err));
    FIRN_TRY(firn_catalog_namespace_list(what->catalog, what->arena, what->session->ref, what->ns,
                                         what->ns == NULL, &list, &n, err));
    *out = firn_text_table(what->arena, "SHOW", (const char *const[]){"schema"}, 1);
    for (size_t i = 0; i < n; i++) {
        const char *text = firn_ns_text(what->arena, list[i]);
        if (matches(what, text)) {
            firn_result_add_row(*out, (const char *const[]){text});
        }
    }
    return FIRN_OK;
}

static firn_rc show_entries(show *what, firn_entry_kind kind, firn_result **out, firn_err *err)
{
    firn_catalog_entry *list = NULL;
    size_t n = 0;
    FIRN_TRY(parse_filter(what, err));
    FIRN_TRY(firn_catalog_list(what->catalog, what->arena, what->session->ref, kind, what->ns,
                               &list, &n, err));
    *out = firn_text_table(what->arena, "SHOW", (const char *const[]){"schema", "name"}, 2);
    for (size_t i = 0; i < n; i++) {
        if (matches(what, list[i].ident.name)) {
            firn_result_add_row(*out,
                                (const char *const[]){firn_ns_text(what->arena, list[i].ident.ns),
                                                      list[i].ident.name});
        }
    }
    return FIRN_OK;
}

/* ---- refs ------------------------------------------------------------------------------------------------------ */

enum { REF_BRANCHES = 1, REF_TAGS = 2 };

static const char *optional_i64(firn_arena *arena, int64_t value)
{
    return value < 0 ? NULL : firn_i64_text(arena, value);
}

static firn_rc show_table_refs(show *what, int kinds, firn_result **out, firn_err *err)
{
    firn_ident ident = {0};
    firn_table table;
    FIRN_TRY(firn_parse_source(what->session, what->parser, &ident, err));
    FIRN_TRY(firn_parse_end(what->parser, err));
    FIRN_TRY(firn_session_load_table(what->session, what->arena, ident, &table, err));
    static const char *const columns[] = {"name",
                                          "type",
                                          "snapshot_id BIGINT",
                                          "max_reference_age_ms BIGINT",
                                          "min_snapshots_to_keep BIGINT",
                                          "max_snapshot_age_ms BIGINT"};
    *out = firn_text_table(what->arena, "SHOW", columns, 6);
    for (size_t i = 0; i < table.metadata->n_refs; i++) {
        const firn_snapshot_ref *ref = &table.metadata->refs[i];
        if ((kinds & (ref->is_tag ? REF_TAGS : REF_BRANCHES)) != 0) {
            firn_result_add_row(
                *out, (const char *const[]){ref->name, ref->is_tag ? "TAG" : "BRANCH",
                                            firn_i64_text(what->arena, ref->snapshot_id),
                                            optional_i64(what->arena, ref->max_ref_age_ms),
                                            optional_i64(what->arena, ref->min_snapshots_to_keep),
                                            optional_i64(what->arena, ref->max_snapshot_age_ms)});
        }
    }
    return FIRN_OK;
}

static firn_rc show_refs(show *what, int kinds, firn_result **out, firn_err *err)
{
    firn_ref *refs = NULL;
    size_t n = 0;
    if (accept_in(what->parser)) {
        return show_table_refs(what, kinds, out, err);
    }
    FIRN_TRY(firn_parse_end(what->parser, err));
    FIRN_TRY(firn_catalog_ref_list(what->catalog, what->arena, &refs, &n, err));
    static const char *const columns[] = {"name", "type", "commit",
                                          "updated TIMESTAMP WITH TIME ZONE", "current BOOLEAN"};
    *out = firn_text_table(what->arena, "SHOW", columns, 5);
    for (size_t i = 0; i < n; i++) {
        if ((kinds & (refs[i].is_tag ? REF_TAGS : REF_BRANCHES)) != 0) {
            bool current = firn_streq(refs[i].name, what->session->ref);
            firn_result_add_row(
                *out, (const char *const[]){refs[i].name, refs[i].is_tag ? "TAG" : "BRANCH",
                                            refs[i].commit_id,
                                            firn_ms_text(what->arena, refs[i].updated_us / 1000),
                                            current ? "true" : "false"});
        }
    }
    return FIRN_OK;
}

static firn_rc show_log(show *what, firn_result **out, firn_err *err)
{
    enum { LOG_ENTRIES_DEFAULT = 100 };
    firn_parser *parser = what->parser;
    firn_commit *log = NULL;
    size_t n = 0;
    int64_t limit = LOG_ENTRIES_DEFAULT;
    const char *ref = what->session->ref;
    (void)accept_in(parser);
    if (parser->at < parser->end && !firn_at_word(parser, "limit")) {
        FIRN_TRY(firn_parse_ref(parser, &ref, err));
    }
    if (firn_accept(parser, "limit")) {
        FIRN_TRY(firn_parse_integer(parser, &limit, err));
    }
    FIRN_TRY(firn_parse_end(parser, err));
    if (limit < 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "LIMIT %lld makes no sense", (long long)limit);
    }
    FIRN_TRY(firn_catalog_log(what->catalog, what->arena, ref, (size_t)limit, &log, &n, err));
    static const char *const columns[] = {"commit",
                                          "time TIMESTAMP WITH TIME ZONE",
                                          "author",
                                          "message",
                                          "changes VARCHAR[]",
                                          "parent",
                                          "merged"};
    *out = firn_text_table(what->arena, "SHOW", columns, 7);
    for (size_t i = 0; i < n; i++) {
        const char *changes =
            firn_arena_printf(what->arena, "[%s]",
                              firn_str_join(what->arena, log[i].changes, log[i].n_changes, ", "));
        firn_result_add_row(
            *out, (const char *const[]){log[i].id, firn_ms_text(what->arena, log[i].time_us / 1000),
                                        log[i].author, log[i].message, changes, log[i].parent_id,
                                        log[i].merge_parent_id});
    }
    return FIRN_OK;
}

/* ---- one table --------------------------------------------------------------------------------------------------- */

static firn_rc show_properties(show *what, firn_result **out, firn_err *err)
{
    firn_ident ident = {0};
    firn_table table;
    const char *only = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    FIRN_TRY(firn_parse_source(what->session, what->parser, &ident, err));
    if (firn_accept(what->parser, "(")) {
        FIRN_TRY(firn_parse_string(what->parser, &only, err));
        FIRN_TRY(firn_expect(what->parser, ")", err));
    }
    FIRN_TRY(firn_parse_end(what->parser, err));
    FIRN_TRY(firn_session_load_table(what->session, what->arena, ident, &table, err));
    *out = firn_text_table(what->arena, "SHOW", (const char *const[]){"key", "value"}, 2);
    if (only == NULL || firn_streq(only, "format-version")) {
        firn_result_add_row(*out, (const char *const[]){
                                      "format-version",
                                      firn_i64_text(what->arena, table.metadata->format_version)});
    }
    json_object_foreach(table.metadata->properties, key, value)
    {
        if (only == NULL || firn_streq(only, key)) {
            firn_result_add_row(*out, (const char *const[]){key, json_string_value(value)});
        }
    }
    return FIRN_OK;
}

/* The metadata table without the columns that are of no interest to people. */
static firn_rc show_partitions(show *what, firn_result **out, firn_err *err)
{
    firn_ident ident = {0};
    FIRN_TRY(firn_parse_source(what->session, what->parser, &ident, err));
    FIRN_TRY(firn_parse_end(what->parser, err));
    const char *sql = firn_arena_printf(what->arena, "SELECT * FROM %s.partitions",
                                        firn_ident_sql(what->arena, ident));
    return firn_exec_select(what->session, sql, out, err);
}

static firn_rc show_columns(show *what, firn_result **out, firn_err *err)
{
    firn_ident ident = {0};
    if (!accept_in(what->parser)) {
        return firn_syntax_error(what->parser, err, "IN table");
    }
    const char **parts = NULL;
    size_t n = 0;
    FIRN_TRY(firn_parse_dotted(what->parser, &parts, &n, err));
    if (accept_in(what->parser)) { /* SHOW COLUMNS IN t IN s */
        FIRN_TRY(firn_parse_namespace(what->parser, &ident.ns, err));
        ident.name = parts[n - 1];
    } else {
        FIRN_TRY(firn_session_resolve(what->session, what->arena, parts, n, &ident, err));
    }
    FIRN_TRY(firn_parse_end(what->parser, err));
    return firn_describe_entry(what->session, what->arena, ident, false, out, err);
}

/* SHOW TABELS: neither a table nor a setting, but near to a word of the grammar. */
static firn_rc misspelt(show *what, const char *name, firn_err *err)
{
    static const char *const words[] = {"schemas",    "namespaces", "databases", "tables",
                                        "views",      "columns",    "create",    "tblproperties",
                                        "partitions", "branches",   "tags",      "refs",
                                        "log",        "diff",       "functions", "current"};
    const char *near =
        firn_nearest(firn_str_lower(what->arena, name), words, sizeof(words) / sizeof(words[0]));
    if (near == NULL) {
        return FIRN_OK;
    }
    const firn_token *token = firn_peek(what->parser);
    FIRN_FAIL(err, FIRN_E_SYNTAX, "line %u, column %u: there is no SHOW %s. Did you mean SHOW %s?",
              token->line, token->column, name, near);
}

/* SHOW x: a table to describe, or one of DuckDB's settings. */
static firn_rc show_name(show *what, const char *sql, firn_result **out, firn_err *err)
{
    firn_duck_cells rows = {0};
    const char *name = NULL;
    firn_parser here = *what->parser;
    FIRN_TRY(firn_parse_name(&here, &name, err));
    if (here.at == here.end) {
        const char *query = firn_arena_printf(
            what->arena, "SELECT value FROM duckdb_settings() WHERE name = lower(%s)",
            firn_sql_quote(what->arena, name));
        FIRN_TRY(firn_duck_rows(what->session, what->arena, query, &rows, err));
        if (rows.n_rows == 1) {
            *out = firn_result_table("SHOW", (const char *const[]){name}, NULL, 1);
            firn_result_add_row(*out, rows.cells[0]);
            return FIRN_OK;
        }
    }
    firn_parser start = *what->parser;
    firn_err missing = {0};
    firn_rc rc = firn_exec_describe(what->session, what->parser, sql, out, &missing);
    if (rc == FIRN_OK) {
        return FIRN_OK;
    }
    *what->parser = start;
    FIRN_TRY(misspelt(what, name, err));
    FIRN_FAIL(err, rc, "%s", missing.message);
}

static firn_rc show_current(show *what, firn_result **out, firn_err *err)
{
    FIRN_TRY(firn_parse_end(what->parser, err));
    *out = firn_text_table(what->arena, "SHOW", (const char *const[]){"ref", "schema"}, 2);
    firn_result_add_row(*out,
                        (const char *const[]){what->session->ref,
                                              firn_ns_text(what->arena, what->session->schema)});
    return FIRN_OK;
}

static firn_rc show_functions(show *what, firn_result **out, firn_err *err)
{
    FIRN_TRY(parse_filter(what, err));
    const char *where = what->pattern == NULL
                            ? ""
                            : firn_arena_printf(what->arena, " WHERE function_name ILIKE %s",
                                                firn_sql_quote(what->arena, what->pattern));
    const char *sql = firn_arena_printf(
        what->arena, "SELECT DISTINCT function_name FROM duckdb_functions()%s ORDER BY 1", where);
    return firn_session_rows(what->session, sql, NULL, "SHOW", out, err);
}

/* ---- dispatch ------------------------------------------------------------------------------------------------------ */

static firn_rc show_create(show *what, firn_result **out, firn_err *err)
{
    firn_ident ident = {0};
    if (!firn_accept(what->parser, "table")) {
        FIRN_TRY(firn_expect(what->parser, "view", err));
    }
    FIRN_TRY(firn_parse_source(what->session, what->parser, &ident, err));
    FIRN_TRY(firn_parse_end(what->parser, err));
    return firn_show_create(what->session, what->arena, ident, out, err);
}

static firn_rc dispatch(show *what, const char *sql, firn_result **out, firn_err *err)
{
    firn_parser *parser = what->parser;
    if (firn_accept(parser, "schemas") || firn_accept(parser, "namespaces") ||
        firn_accept(parser, "databases")) {
        return show_schemas(what, out, err);
    }
    if (firn_accept(parser, "tables") || firn_accept(parser, "all tables")) {
        return show_entries(what, FIRN_KIND_TABLE, out, err);
    }
    if (firn_accept(parser, "views")) {
        return show_entries(what, FIRN_KIND_VIEW, out, err);
    }
    if (firn_accept(parser, "columns")) {
        return show_columns(what, out, err);
    }
    if (firn_accept(parser, "create")) {
        return show_create(what, out, err);
    }
    if (firn_accept(parser, "tblproperties")) {
        return show_properties(what, out, err);
    }
    if (firn_accept(parser, "partitions")) {
        (void)accept_in(parser);
        return show_partitions(what, out, err);
    }
    if (firn_accept(parser, "branches")) {
        return show_refs(what, REF_BRANCHES, out, err);
    }
    if (firn_accept(parser, "tags")) {
        return show_refs(what, REF_TAGS, out, err);
    }
    if (firn_accept(parser, "refs") || firn_accept(parser, "references")) {
        return show_refs(what, REF_BRANCHES | REF_TAGS, out, err);
    }
    if (firn_accept(parser, "log")) {
        return show_log(what, out, err);
    }
    if (parser->at + 1 < parser->end &&
        firn_accept(parser, "diff")) { /* else a table of that name */
        return firn_show_diff(what->session, parser, out, err);
    }
    if (firn_accept(parser, "functions")) {
        return show_functions(what, out, err);
    }
    if (firn_accept(parser, "current schema") || firn_accept(parser, "current namespace") ||
        firn_accept(parser, "current branch") || firn_accept(parser, "current ref") ||
        firn_accept(parser, "current database")) {
        return show_current(what, out, err);
    }
    return show_name(what, sql, out, err);
}

firn_rc firn_exec_show(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    if (!firn_accept(&parser, "show")) {
        parser.at++; /* DESCRIBE, DESC */
        return firn_exec_describe(session, &parser, sql, out, err);
    }
    show what = {.session = session, .arena = arena, .parser = &parser};
    if (parser.at == parser.end) {
        return firn_syntax_error(&parser, err,
                                 "SCHEMAS, TABLES, VIEWS, COLUMNS, CREATE TABLE, TBLPROPERTIES, "
                                 "PARTITIONS, BRANCHES, TAGS, REFS, LOG or DIFF");
    }
    FIRN_TRY(firn_session_catalog(session, &what.catalog, err));
    return dispatch(&what, sql, out, err);
}
