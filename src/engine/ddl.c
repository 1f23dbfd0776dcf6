/* What firn's own statements share: names, properties, catalog access and commits. */
#include "ddl.h"

#include "duck.h"
#include "metadata_tables.h"
#include "read.h"

#include <stdarg.h>
#include <string.h>

/* ---- the lake ------------------------------------------------------------------------------------------ */

firn_rc firn_session_catalog(firn_session *session, firn_catalog **out, firn_err *err)
{
    if (session->engine->lake == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "there is no lake here, so there are no tables: run it inside a folder with "
                  "firn.yaml, name one with --lake DIR, or make one with firn init DIR");
    }
    *out = firn_lake_catalog(session->engine->lake);
    return FIRN_OK;
}

firn_rc firn_session_commit_changes(firn_session *session, firn_arena *arena,
                                    const firn_change *changes, size_t n, const char *message,
                                    firn_commit_result *result, firn_err *err)
{
    firn_catalog *catalog = NULL;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    firn_commit_info info = firn_session_commit_info(session, message);
    firn_commit_result ignored = {0};
    return firn_catalog_commit(catalog, arena, session->ref, changes, n, &info,
                               result != NULL ? result : &ignored, err);
}

firn_rc firn_session_purge_table(firn_session *session, firn_arena *arena, firn_ident ident,
                                 const char *message, firn_purge_result *result, firn_err *err)
{
    firn_catalog *catalog = NULL;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    firn_commit_info info = firn_session_commit_info(session, message);
    return firn_catalog_table_purge(catalog, arena, session->ref, ident, &info, result, err);
}

firn_rc firn_session_commit_table(firn_session *session, firn_arena *arena,
                                  const firn_table_commit *commit, firn_err *err)
{
    firn_catalog *catalog = NULL;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    firn_commit_info info = firn_session_commit_info(session, commit->message);
    firn_table_builder builder = {.ident = commit->ident,
                                  .build = commit->build,
                                  .discard = commit->discard,
                                  .ctx = commit->ctx};
    firn_commit_result result = {0};
    return firn_catalog_commit_tables(catalog, arena, session->ref, &builder, 1, &info, &result,
                                      err);
}

/* ---- names --------------------------------------------------------------------------------------------- */

firn_rc firn_check_new_name(const char *name, firn_err *err)
{
    const char *dollar = strrchr(name, '$');
    if (strchr(name, '@') != NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "a name cannot contain @, which stands before a branch: %s",
                  name);
    }
    if (dollar != NULL && firn_metadata_table_known(dollar + 1)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s would be the metadata table %s of %.*s", name,
                  dollar + 1, (int)(dollar - name), name);
    }
    return FIRN_OK;
}

firn_rc firn_parse_target(firn_session *session, firn_parser *parser, firn_ident *out,
                          firn_err *err)
{
    const char **parts = NULL;
    size_t n = 0;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    const char *at = strchr(parts[n - 1], '@');
    if (firn_accept(parser, "@") || at != NULL) {
        int len = (int)(at != NULL ? (size_t)(at - parts[n - 1]) : strlen(parts[n - 1]));
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%.*s@...: statements change tables on the session's branch (%s). Switch with "
                  "USE BRANCH name first",
                  len, parts[n - 1], session->ref);
    }
    return firn_session_resolve(session, parser->arena, parts, n, out, err);
}

firn_rc firn_parse_source(firn_session *session, firn_parser *parser, firn_ident *out,
                          firn_err *err)
{
    const char **parts = NULL;
    size_t n = 0;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    if (firn_accept(parser, "@")) {
        const char *ref = NULL;
        FIRN_TRY(firn_parse_name(parser, &ref, err));
        parts[n - 1] = firn_arena_printf(parser->arena, "%s@%s", parts[n - 1], ref);
    }
    return firn_session_resolve(session, parser->arena, parts, n, out, err);
}

firn_rc firn_parse_target_text(firn_session *session, firn_arena *arena, const char *text,
                               firn_ident *out, firn_err *err)
{
    firn_parser parser;
    firn_err inner = {0};
    firn_rc rc = firn_parser_open(arena, text, &parser, &inner);
    if (rc == FIRN_OK) {
        rc = firn_parse_target(session, &parser, out, &inner);
    }
    if (rc == FIRN_OK) {
        rc = firn_parse_end(&parser, &inner);
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "table name '%s': %s", text, inner.message);
    }
    return FIRN_OK;
}

firn_rc firn_parse_namespace(firn_parser *parser, const char **out, firn_err *err)
{
    const char **parts = NULL;
    size_t n = 0;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (strchr(parts[i], FIRN_NS_SEP[0]) != NULL) {
            return firn_syntax_error(parser, err, "a namespace without control characters");
        }
    }
    *out = firn_str_join(parser->arena, parts, n, FIRN_NS_SEP);
    return FIRN_OK;
}

firn_rc firn_parse_column_path(firn_parser *parser, const char **out, firn_err *err)
{
    const char **parts = NULL;
    size_t n = 0;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    *out = firn_str_join(parser->arena, parts, n, ".");
    return FIRN_OK;
}

firn_rc firn_is_temporary(firn_session *session, firn_arena *arena, const char *name, bool *out,
                          firn_err *err)
{
    const char *quoted = firn_sql_quote(arena, name);
    firn_duck_cells rows = {0};
    const char *sql = firn_arena_printf(
        arena,
        "SELECT 1 FROM duckdb_tables() WHERE temporary AND lower(table_name) = lower(%s) UNION ALL "
        "SELECT 1 FROM duckdb_views() WHERE temporary AND NOT internal AND lower(view_name) = "
        "lower(%s)",
        quoted, quoted);
    *out = false;
    FIRN_TRY(firn_duck_rows(session, arena, sql, &rows, err));
    *out = rows.n_rows > 0;
    return FIRN_OK;
}

firn_rc firn_target_is_temporary(firn_session *session, const firn_parser *parser, bool *out,
                                 firn_err *err)
{
    firn_parser here = *parser;
    const char **parts = NULL;
    size_t n = 0;
    firn_ident ident = {0};
    firn_catalog_entry entry = {0};
    firn_err ignored = {0};
    *out = false;
    FIRN_TRY(firn_parse_dotted(&here, &parts, &n, err));
    if (n == 2 && firn_strcaseeq(parts[0], "temp")) {
        return firn_is_temporary(session, parser->arena, parts[1], out, err);
    }
    if (n != 1 || session->conn == NULL) {
        return FIRN_OK; /* DuckDB is not even open: it has no temporary tables */
    }
    if (session->engine->lake != NULL) {
        FIRN_TRY(firn_session_resolve(session, parser->arena, parts, n, &ident, err));
        if (firn_catalog_entry_get(firn_lake_catalog(session->engine->lake), parser->arena,
                                   session->ref, ident, &entry, &ignored) == FIRN_OK) {
            return FIRN_OK;
        }
    }
    return firn_is_temporary(session, parser->arena, parts[0], out, err);
}

/* Words that cannot be a column's name without quotes in firn's grammar or DuckDB's. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "all",       "analyse",    "analyze",      "and",         "any",        "array",
        "as",        "asc",        "asymmetric",   "both",        "case",       "cast",
        "check",     "collate",    "column",       "comment",     "constraint", "create",
        "default",   "deferrable", "desc",         "describe",    "distinct",   "do",
        "else",      "end",        "except",       "false",       "fetch",      "for",
        "foreign",   "from",       "group",        "having",      "in",         "initially",
        "intersect", "into",       "lambda",       "lateral",     "leading",    "limit",
        "not",       "null",       "offset",       "on",          "only",       "or",
        "order",     "pivot",      "pivot_longer", "pivot_wider", "placing",    "primary",
        "qualify",   "references", "returning",    "select",      "show",       "some",
        "summarize", "symmetric",  "table",        "then",        "to",         "trailing",
        "true",      "union",      "unique",       "unpivot",     "using",      "variadic",
        "when",      "where",      "window",       "with"};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (firn_strcaseeq(name, reserved[i])) {
            return true;
        }
    }
    return false;
}

const char *firn_name_sql(firn_arena *arena, const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    bool digit_first = name[0] >= '0' && name[0] <= '9';
    if (name[0] == '\0' || digit_first || name[strspn(name, plain)] != '\0' || is_reserved(name)) {
        return firn_sql_ident(arena, name);
    }
    return name;
}

char *firn_ident_sql(firn_arena *arena, firn_ident ident)
{
    size_t n = 0;
    char **levels = firn_str_split(arena, ident.ns, FIRN_NS_SEP[0], &n);
    const char **parts = FIRN_NEW_N(arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        parts[i] = firn_name_sql(arena, levels[i]);
    }
    parts[n] = firn_name_sql(arena, ident.name);
    return firn_str_join(arena, parts, n + 1, ".");
}

/* ---- pieces of grammar --------------------------------------------------------------------------------- */

firn_rc firn_parse_integer(firn_parser *parser, int64_t *out, firn_err *err)
{
    size_t start = parser->at;
    bool negative = firn_accept(parser, "-");
    const firn_token *token = firn_peek(parser);
    const char *text = firn_token_text(parser->arena, parser->tokens, parser->at, parser->at + 1);
    if (negative) {
        text = firn_arena_printf(parser->arena, "-%s", text);
    }
    if (parser->at == parser->end || token->kind != FIRN_TOKEN_NUMBER ||
        !firn_parse_i64(text, out)) {
        parser->at = start;
        return firn_syntax_error(parser, err, "a whole number");
    }
    parser->at++;
    return FIRN_OK;
}

/* 'any.text' or dotted words with dashes: write.format.default, format-version */
static firn_rc parse_property_key(firn_parser *parser, const char **out, firn_err *err)
{
    const firn_token *token = firn_peek(parser);
    if (parser->at < parser->end && token->kind == FIRN_TOKEN_STRING) {
        return firn_parse_string(parser, out, err);
    }
    if (parser->at < parser->end && token->kind == FIRN_TOKEN_QUOTED) {
        return firn_parse_name(parser, out, err);
    }
    size_t start = parser->at;
    do {
        if (parser->at == parser->end || firn_peek(parser)->kind != FIRN_TOKEN_WORD) {
            return firn_syntax_error(parser, err, "a property's name, like 'format-version'");
        }
        parser->at++;
    } while (firn_accept(parser, ".") || firn_accept(parser, "-"));
    *out = firn_token_text(parser->arena, parser->tokens, start, parser->at);
    return FIRN_OK;
}

/* 'text', a number or a word (true): all end up as text, as Iceberg keeps them. */
static firn_rc parse_property_value(firn_parser *parser, const char **out, firn_err *err)
{
    const firn_token *token = firn_peek(parser);
    if (parser->at < parser->end && token->kind == FIRN_TOKEN_STRING) {
        return firn_parse_string(parser, out, err);
    }
    size_t start = parser->at;
    bool negative = firn_accept(parser, "-");
    token = firn_peek(parser);
    if (parser->at == parser->end ||
        (token->kind != FIRN_TOKEN_NUMBER && (negative || token->kind != FIRN_TOKEN_WORD))) {
        return firn_syntax_error(parser, err, "the property's value in 'quotes'");
    }
    parser->at++;
    *out = firn_token_text(parser->arena, parser->tokens, start, parser->at);
    return FIRN_OK;
}

firn_rc firn_parse_properties(firn_parser *parser, const char *what, json_t **out, firn_err *err)
{
    json_t *object = firn_json_own(parser->arena, json_object());
    FIRN_TRY(firn_expect(parser, "(", err));
    while (!firn_accept(parser, ")")) {
        const char *key = NULL;
        const char *value = NULL;
        if (json_object_size(object) > 0) {
            FIRN_TRY(firn_expect(parser, ",", err));
        }
        FIRN_TRY(parse_property_key(parser, &key, err));
        if (!firn_accept(parser, "=>") && !firn_accept(parser, ":")) {
            (void)firn_accept(parser, "="); /* Spark lets it out: ('k' 'v') */
        }
        FIRN_TRY(parse_property_value(parser, &value, err));
        if (json_object_get(object, key) != NULL) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s gives '%s' twice", what, key);
        }
        json_t *text = json_string(value);
        if (key[0] == '\0' || text == NULL || json_object_set_new(object, key, text) != 0) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: '%s' = '%s' is not valid UTF-8 text", what, key,
                      value);
        }
    }
    *out = object;
    return FIRN_OK;
}

firn_rc firn_parse_property_keys(firn_parser *parser, const char ***keys, size_t *n, firn_err *err)
{
    FIRN_VEC(const char *) list = {0};
    FIRN_TRY(firn_expect(parser, "(", err));
    do {
        const char *key = NULL;
        FIRN_TRY(parse_property_key(parser, &key, err));
        firn_vec_push(parser->arena, &list, key);
    } while (firn_accept(parser, ","));
    FIRN_TRY(firn_expect(parser, ")", err));
    *keys = list.items;
    *n = list.len;
    return FIRN_OK;
}

firn_rc firn_parse_location(firn_parser *parser, const char **out, firn_err *err)
{
    const firn_token *token = firn_peek(parser);
    const char *text = NULL;
    FIRN_TRY(firn_parse_string(parser, &text, err));
    if (text[0] != '/' && strstr(text, ":/") == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "line %u, column %u: a location is an absolute path or a URI, not '%s'",
                  token->line, token->column, text);
    }
    char *location = firn_location_of_path(parser->arena, text);
    size_t len = strlen(location);
    while (len > 1 && location[len - 1] == '/') {
        location[--len] = '\0';
    }
    *out = location;
    return FIRN_OK;
}

/* ---- columns ------------------------------------------------------------------------------------------- */

typedef struct path_list {
    firn_arena *arena;
    FIRN_VEC(const char *) paths;
} path_list;

static void collect_path(void *ctx, const firn_field *field, const firn_field *parent,
                         const char *path)
{
    path_list *list = ctx;
    (void)field, (void)parent;
    firn_vec_push(list->arena, &list->paths, firn_arena_strdup(list->arena, path));
}

firn_rc firn_no_column(firn_arena *arena, const firn_schema *schema, const char *path,
                       const char *table_text, firn_err *err)
{
    path_list list = {.arena = arena};
    firn_schema_visit(arena, schema, collect_path, &list);
    const char *near = firn_nearest(path, list.paths.items, list.paths.len);
    if (near != NULL) {
        FIRN_FAIL(err, FIRN_E_NO_COLUMN, "there is no column %s in %s. Did you mean %s?", path,
                  table_text, near);
    }
    FIRN_FAIL(err, FIRN_E_NO_COLUMN, "there is no column %s in %s; DESCRIBE %s lists its columns",
              path, table_text, table_text);
}

firn_rc firn_find_column(firn_arena *arena, const firn_schema *schema, const char *path,
                         const char *table_text, const firn_field **out, firn_err *err)
{
    *out = firn_schema_find_name(schema, path, false);
    return *out != NULL ? FIRN_OK : firn_no_column(arena, schema, path, table_text, err);
}

/* ---- small results ------------------------------------------------------------------------------------- */

char *firn_i64_text(firn_arena *arena, int64_t value)
{
    return firn_arena_printf(arena, "%lld", (long long)value);
}

char *firn_ms_text(firn_arena *arena, int64_t timestamp_ms)
{
    char *text = firn_format_timestamp(arena, timestamp_ms * 1000, false);
    char *t = strchr(text, 'T');
    if (t != NULL) {
        *t = ' ';
    }
    return firn_arena_printf(arena, "%s+00", text);
}

firn_result *firn_text_table(firn_arena *arena, const char *tag, const char *const *columns,
                             size_t n_columns)
{
    const char **names = FIRN_NEW_N(arena, const char *, n_columns);
    const char **types = FIRN_NEW_N(arena, const char *, n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        size_t len = strcspn(columns[i], " ");
        names[i] = firn_arena_strndup(arena, columns[i], len);
        types[i] = columns[i][len] != '\0' ? columns[i] + len + 1 : "VARCHAR";
    }
    return firn_result_table(tag, names, types, n_columns);
}
