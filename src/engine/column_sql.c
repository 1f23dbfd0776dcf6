/* Column definitions of CREATE TABLE and ALTER TABLE ADD COLUMN, and the constants behind DEFAULT.
 *
 *   column := path type option*
 *   option := NOT NULL | NULL | DEFAULT expression | COMMENT 'text' | PRIMARY KEY
 *
 * An Iceberg default is a constant in the metadata, so a DEFAULT expression is evaluated once, now; what changes from call to call
 * (now(), random()) is refused rather than frozen in silence.
 */
#include "ddl.h"

#include "duck.h"
#include "read.h"

#include <string.h>

/* Does a token end a DEFAULT expression? */
static bool ends_default(const firn_parser *parser)
{
    static const char *const words[] = {"not null", "null",  "comment", "primary key",
                                        "first",    "after", "before",  "default"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (firn_at_words(parser, words[i])) {
            return true;
        }
    }
    return firn_at_words(parser, ",") || firn_at_words(parser, ")");
}

/* Constants are literals, casts and operators; a word may be a type, TRUE, FALSE or part of CAST(x AS T). */
static bool is_constant_call(const firn_parser *parser)
{
    static const char *const calls[] = {"cast", "try_cast", "decimal",   "numeric", "varchar",
                                        "char", "time",     "timestamp", "in",      "fixed"};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (firn_at_word(parser, calls[i])) {
            return true;
        }
    }
    return false;
}

static bool is_moving_word(const firn_parser *parser)
{
    static const char *const words[] = {
        "current_date",   "current_timestamp", "current_time", "localtime",
        "localtimestamp", "current_user",      "select",       "today",
        "user",           "session_user"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (firn_at_word(parser, words[i])) {
            return true;
        }
    }
    return false;
}

firn_rc firn_parse_default(firn_parser *parser, const char **out, firn_err *err)
{
    size_t start = parser->at;
    int depth = firn_peek(parser)->depth;
    if (parser->at < parser->end && !ends_default(parser)) {
        parser->at++;
    } else if (!firn_accept(parser, "null")) { /* DEFAULT NULL is a value, not an option */
        return firn_syntax_error(parser, err, "a constant behind DEFAULT");
    }
    parser->at = start;
    for (bool first = true; parser->at < parser->end; parser->at++, first = false) {
        const firn_token *token = firn_peek(parser);
        if (token->depth < depth || (token->depth == depth && !first && ends_default(parser))) {
            break;
        }
        bool call = token->kind == FIRN_TOKEN_WORD &&
                    firn_peek_at(parser, 1)->kind == FIRN_TOKEN_PUNCT &&
                    parser->tokens->text[firn_peek_at(parser, 1)->start] == '(' &&
                    parser->at + 1 < parser->end;
        if ((call && !is_constant_call(parser)) || is_moving_word(parser)) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "line %u, column %u: DEFAULT takes a constant; \"%.*s\" would have to be "
                      "computed for every row. Give the value in the INSERT",
                      token->line, token->column, (int)token->len,
                      parser->tokens->text + token->start);
        }
    }
    *out = firn_token_text(parser->arena, parser->tokens, start, parser->at);
    return FIRN_OK;
}

static firn_rc parse_option(firn_parser *parser, firn_column_sql *column, bool *more, firn_err *err)
{
    *more = true;
    if (firn_accept(parser, "not null")) {
        column->field.required = true;
    } else if (firn_accept(parser, "null")) {
        column->field.required = false;
    } else if (firn_accept(parser, "primary key")) {
        column->primary_key = true;
    } else if (firn_accept(parser, "default")) {
        FIRN_TRY(firn_parse_default(parser, &column->default_sql, err));
    } else if (firn_accept(parser, "comment")) {
        FIRN_TRY(firn_parse_string(parser, &column->field.doc, err));
    } else if (firn_at_word(parser, "unique") || firn_at_word(parser, "check") ||
               firn_at_word(parser, "references") || firn_at_words(parser, "generated")) {
        const firn_token *token = firn_peek(parser);
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "line %u, column %u: Iceberg tables have no UNIQUE, CHECK, REFERENCES and "
                  "GENERATED columns; check the rows with a pipeline's checks (unique, range, "
                  "relationships, ...)",
                  token->line, token->column);
    } else {
        *more = false;
    }
    return FIRN_OK;
}

firn_rc firn_parse_column(firn_parser *parser, firn_column_sql *out, firn_err *err)
{
    firn_type *type = NULL;
    memset(out, 0, sizeof(*out));
    FIRN_TRY(firn_parse_dotted(parser, &out->path, &out->n_path, err));
    out->field.name = out->path[out->n_path - 1];
    FIRN_TRY(firn_parse_type(parser, &type, err));
    out->field.type = type;
    for (bool more = true; more;) {
        FIRN_TRY(parse_option(parser, out, &more, err));
    }
    if (out->primary_key) {
        out->field.required = true;
    }
    return FIRN_OK;
}

firn_rc firn_default_value(firn_session *session, firn_arena *arena, const firn_column_sql *column,
                           json_t **out, firn_err *err)
{
    const char *duck_type = NULL;
    firn_duck_cells rows = {0};
    firn_value value;
    firn_err inner = {0};
    const firn_type *type = column->field.type;
    *out = NULL;
    if (firn_strcaseeq(column->default_sql, "null")) {
        return FIRN_OK;
    }
    if (firn_type_is_nested(type)) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "column %s: Iceberg allows no DEFAULT but NULL for structs, lists and maps",
                  column->field.name);
    }
    FIRN_TRY(firn_type_to_duck(arena, type, column->field.name, &duck_type, err));
    bool binary = type->id == FIRN_TYPE_BINARY || type->id == FIRN_TYPE_FIXED;
    const char *sql = firn_arena_printf(
        arena, binary ? "SELECT hex(CAST((%s) AS %s))" : "SELECT CAST((%s) AS %s)",
        column->default_sql, duck_type);
    firn_rc rc = firn_duck_rows(session, arena, sql, &rows, &inner);
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "DEFAULT of column %s: %s", column->field.name, inner.message);
    }
    const char *text = rows.n_rows == 1 ? rows.cells[0][0] : NULL;
    if (text == NULL) {
        return FIRN_OK;
    }
    rc = firn_value_from_text(arena, type, text, &value, &inner);
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "DEFAULT of column %s: %s", column->field.name, inner.message);
    }
    *out = firn_json_own(arena, firn_value_to_json(arena, type, &value));
    return FIRN_OK;
}

firn_rc firn_check_default_version(int format_version, const char *column, firn_err *err)
{
    if (format_version >= 3) {
        return FIRN_OK;
    }
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "column %s: defaults need Iceberg format version 3, this table has %d: TBLPROPERTIES "
              "('format-version' = '3')",
              column, format_version);
}
