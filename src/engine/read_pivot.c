/* PIVOT whose columns come from the data, which DuckDB's parser gives no syntax tree for: lake tables are replaced on tokens, behind
 * the words that a table's name follows. Their scans are not pruned. Names that the lake does not have stay for DuckDB (WITH queries,
 * files, temporary tables).
 */
#include "lexer.h"
#include "read.h"
#include "statement.h"

static bool before_table(const firn_parser *parser)
{
    static const char *const WORDS[] = {"from",    "join",        "pivot",
                                        "unpivot", "pivot_wider", "pivot_longer"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (firn_at_word(parser, WORDS[i])) {
            return true;
        }
    }
    return false;
}

static bool has_alias(const firn_parser *parser)
{
    static const char *const CLAUSES[] = {"on",     "using",     "group",   "where",  "order",
                                          "limit",  "join",      "left",    "right",  "inner",
                                          "full",   "cross",     "natural", "having", "union",
                                          "except", "intersect", "asof",    "semi",   "anti"};
    const firn_token *token = firn_peek(parser);
    if (token->kind != FIRN_TOKEN_WORD && token->kind != FIRN_TOKEN_QUOTED) {
        return false;
    }
    for (size_t i = 0; i < sizeof(CLAUSES) / sizeof(CLAUSES[0]); i++) {
        if (firn_at_word(parser, CLAUSES[i])) {
            return false;
        }
    }
    return true;
}

/* The name at the cursor as a subquery, or as it is; the cursor moves behind it. */
static firn_rc put_name(firn_session *session, firn_parser *parser, firn_buf *out,
                        firn_read_plan *plan, firn_err *err)
{
    size_t from = parser->at;
    const char **parts;
    size_t n;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    const char *text = firn_token_text(parser->arena, parser->tokens, from, parser->at);
    firn_read_plan inner;
    firn_err ignored = {0};
    const char *query = firn_arena_printf(parser->arena, "SELECT * FROM %s", text);
    bool call = firn_peek(parser)->kind == FIRN_TOKEN_PUNCT &&
                parser->tokens->text[firn_peek(parser)->start] == '(';
    firn_rc rc =
        call ? FIRN_E_NO_TABLE : firn_read_rewrite(session, parser->arena, query, &inner, &ignored);
    if (rc != FIRN_OK && rc != FIRN_E_NO_TABLE) {
        FIRN_FAIL(err, rc, "%s", ignored.message);
    }
    if (rc != FIRN_OK || inner.tables.len == 0) {
        if (rc != FIRN_OK && n > 1 && !call) {
            FIRN_FAIL(err, rc, "%s", ignored.message);
        }
        firn_buf_puts(out, text);
        return FIRN_OK;
    }
    for (size_t i = 0; i < inner.tables.len; i++) {
        firn_vec_push(parser->arena, &plan->tables, inner.tables.items[i]);
    }
    firn_buf_printf(out, "(%s)", inner.sql);
    if (!has_alias(parser)) {
        firn_buf_printf(out, " AS %s", firn_sql_ident(parser->arena, parts[n - 1]));
    }
    return FIRN_OK;
}

firn_rc firn_read_pivot(firn_session *session, firn_arena *arena, const char *sql,
                        firn_read_plan *plan, firn_err *err)
{
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_AUTO_BUF firn_buf out = {0};
    size_t copied = 0; /* bytes of sql */
    while (parser.at < parser.end) {
        bool table_next = before_table(&parser);
        parser.at++;
        const firn_token *token = firn_peek(&parser);
        bool name = token->kind == FIRN_TOKEN_WORD || token->kind == FIRN_TOKEN_QUOTED;
        if (table_next && name && parser.at < parser.end && !firn_at_word(&parser, "select")) {
            firn_buf_append(&out, sql + copied, token->start - copied);
            FIRN_TRY(put_name(session, &parser, &out, plan, err));
            const firn_token *last = &parser.tokens->list.items[parser.at - 1];
            copied = last->start + last->len;
        }
    }
    firn_buf_puts(&out, sql + copied);
    plan->sql = firn_arena_strdup(arena, firn_buf_cstr(&out));
    return FIRN_OK;
}
