/* The grammar of CREATE TABLE; what it means is in ddl_create.c.
 *
 *   CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name
 *     [ LIKE other | ( column | PRIMARY KEY (c, ...) , ... ) | ( name, ... ) ]
 *     clause* [ AS query clause* ]
 *   clause := USING iceberg | PARTITIONED BY (...) | [WRITE] ORDERED BY ... | SORTED BY ... | LOCATION 'uri' | COMMENT 'text'
 *           | TBLPROPERTIES (...) | WITH (...) | WITH [NO] DATA
 */
#include "ddl.h"

#include <string.h>

/* PRIMARY KEY (a, b.c) [NOT ENFORCED | RELY ...] */
static firn_rc parse_primary_key(firn_parser *parser, firn_create_sql *out, firn_err *err)
{
    FIRN_TRY(firn_expect(parser, "(", err));
    do {
        const char *path = NULL;
        FIRN_TRY(firn_parse_column_path(parser, &path, err));
        firn_vec_push(parser->arena, &out->keys, path);
    } while (firn_accept(parser, ","));
    FIRN_TRY(firn_expect(parser, ")", err));
    (void)firn_accept(parser, "not enforced");
    return FIRN_OK;
}

static bool at_constraint(const firn_parser *parser)
{
    return firn_at_word(parser, "constraint") || firn_at_words(parser, "foreign key") ||
           firn_at_words(parser, "unique (") || firn_at_words(parser, "check (");
}

static firn_rc parse_column_item(firn_parser *parser, firn_create_sql *out, firn_err *err)
{
    firn_column_sql column;
    if (firn_accept(parser, "primary key")) {
        return parse_primary_key(parser, out, err);
    }
    if (at_constraint(parser)) {
        const firn_token *token = firn_peek(parser);
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "line %u, column %u: Iceberg tables have no UNIQUE, CHECK and FOREIGN KEY "
                  "constraints; check the rows with a pipeline's checks (unique, relationships, "
                  "...)",
                  token->line, token->column);
    }
    const firn_token *at = firn_peek(parser);
    FIRN_TRY(firn_parse_column(parser, &column, err));
    if (column.n_path > 1) {
        FIRN_FAIL(err, FIRN_E_SYNTAX,
                  "line %u, column %u: a column of a new table has one name; write nested ones as "
                  "%s STRUCT(%s ...)",
                  at->line, at->column, column.path[0], column.path[1]);
    }
    for (size_t i = 0; i < out->columns.len; i++) {
        if (firn_strcaseeq(out->columns.items[i].field.name, column.field.name)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "line %u, column %u: the table has two columns named %s",
                      at->line, at->column, column.field.name);
        }
    }
    firn_vec_push(parser->arena, &out->columns, column);
    return FIRN_OK;
}

/* The list is names only if one stands alone in it. */
static bool at_names_only(const firn_parser *parser)
{
    const firn_token *next = firn_peek_at(parser, 2);
    char c = parser->tokens->text[next->start];
    return parser->at + 2 < parser->end && next->kind == FIRN_TOKEN_PUNCT && (c == ',' || c == ')');
}

static firn_rc parse_columns(firn_parser *parser, firn_create_sql *out, firn_err *err)
{
    if (!firn_at_words(parser, "(")) {
        return FIRN_OK;
    }
    bool names_only = at_names_only(parser);
    parser->at++;
    do {
        const char *name = NULL;
        if (names_only) {
            FIRN_TRY(firn_parse_name(parser, &name, err));
            firn_vec_push(parser->arena, &out->names, name);
        } else {
            FIRN_TRY(parse_column_item(parser, out, err));
        }
    } while (firn_accept(parser, ","));
    return firn_expect(parser, ")", err);
}

static firn_rc set_property(firn_create_sql *out, const char *key, const char *value, firn_err *err)
{
    json_t *text = json_string(value);
    if (text == NULL || json_object_set_new(out->properties, key, text) != 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the table's %s is not valid UTF-8 text", key);
    }
    return FIRN_OK;
}

static firn_rc parse_using(firn_parser *parser, firn_err *err)
{
    if (firn_accept(parser, "iceberg")) {
        return FIRN_OK;
    }
    const firn_token *token = firn_peek(parser);
    if (parser->at < parser->end && token->kind == FIRN_TOKEN_WORD) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "line %u, column %u: every table is an Iceberg table; USING %.*s does not exist",
                  token->line, token->column, (int)token->len, parser->tokens->text + token->start);
    }
    return firn_syntax_error(parser, err, "ICEBERG");
}

/* One clause; *more false if the cursor is at none. */
static firn_rc parse_clause(firn_parser *parser, firn_create_sql *out, bool *more, firn_err *err)
{
    const char *text = NULL;
    json_t *properties = NULL;
    *more = true;
    if (firn_accept(parser, "using")) {
        return parse_using(parser, err);
    }
    if (firn_accept(parser, "partitioned by")) {
        return firn_parse_partition_terms(parser, &out->partition, err);
    }
    if (firn_accept(parser, "write ordered by") ||
        firn_accept(parser, "write locally ordered by") || firn_accept(parser, "ordered by") ||
        firn_accept(parser, "sorted by")) {
        return firn_parse_sort_terms(parser, &out->sort, err);
    }
    if (firn_accept(parser, "location")) {
        return firn_parse_location(parser, &out->location, err);
    }
    if (firn_accept(parser, "comment")) {
        FIRN_TRY(firn_parse_string(parser, &text, err));
        return set_property(out, "comment", text, err);
    }
    if (firn_accept(parser, "with no data")) {
        out->no_data = true;
        return FIRN_OK;
    }
    if (firn_accept(parser, "with data")) {
        return FIRN_OK;
    }
    if (firn_accept(parser, "tblproperties") || firn_accept(parser, "with")) {
        FIRN_TRY(firn_parse_properties(parser, "CREATE TABLE", &properties, err));
        json_object_update(out->properties, properties);
        return FIRN_OK;
    }
    *more = false;
    return FIRN_OK;
}

/* Where the query ends and the table's clauses go on: these words cannot follow each other inside a query. */
static size_t query_end(const firn_parser *parser)
{
    static const char *const clauses[] = {
        "partitioned by", "write ordered by", "write locally ordered by",
        "sorted by (",    "tblproperties (",  "with no data",
        "with data",      "using iceberg"};
    firn_parser here = *parser;
    for (; here.at < here.end; here.at++) {
        if (firn_peek(&here)->depth > 0) {
            continue;
        }
        for (size_t i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++) {
            if (firn_at_words(&here, clauses[i])) {
                return here.at;
            }
        }
    }
    return here.at;
}

static firn_rc parse_clauses(firn_parser *parser, firn_create_sql *out, firn_err *err)
{
    for (bool more = true; more;) {
        FIRN_TRY(parse_clause(parser, out, &more, err));
    }
    return FIRN_OK;
}

firn_rc firn_parse_create_table(firn_session *session, firn_parser *parser, firn_create_sql *out,
                                firn_err *err)
{
    memset(out, 0, sizeof(*out));
    out->properties = firn_json_own(parser->arena, json_object());
    FIRN_TRY(firn_expect(parser, "create", err));
    out->or_replace = firn_accept(parser, "or replace");
    FIRN_TRY(firn_expect(parser, "table", err));
    out->if_not_exists = firn_accept(parser, "if not exists");
    FIRN_TRY(firn_parse_target(session, parser, &out->ident, err));
    FIRN_TRY(firn_check_new_name(out->ident.name, err));
    if (out->or_replace && out->if_not_exists) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "OR REPLACE and IF NOT EXISTS exclude each other");
    }
    out->has_like = firn_accept(parser, "like");
    if (out->has_like) {
        FIRN_TRY(firn_parse_source(session, parser, &out->like, err));
    } else {
        FIRN_TRY(parse_columns(parser, out, err));
    }
    FIRN_TRY(parse_clauses(parser, out, err));
    if (!out->has_like && firn_accept(parser, "as")) {
        FIRN_TRY(firn_expect_query(parser, err));
        size_t end = query_end(parser);
        out->query = firn_token_text(parser->arena, parser->tokens, parser->at, end);
        parser->at = end;
        FIRN_TRY(parse_clauses(parser, out, err));
    }
    FIRN_TRY(firn_parse_end(parser, err));
    if (out->query != NULL && out->columns.len + out->keys.len > 0) {
        FIRN_FAIL(err, FIRN_E_SYNTAX,
                  "CREATE TABLE ... AS takes its types from the query: give names only (a, b), or "
                  "CAST in the query");
    }
    if (out->query == NULL && !out->has_like && out->columns.len == 0) {
        return firn_syntax_error(parser, err, "columns (name TYPE, ...) or AS query");
    }
    return FIRN_OK;
}
