/* Which lake tables and views a statement reads: for dependencies between a pipeline's models.
 *
 * DuckDB parses SELECTs only, so of other statements the queries inside are taken out by their tokens: what follows AS in CREATE,
 * the query of an INSERT, the brackets of a COPY, subqueries anywhere. The table that DELETE, UPDATE and MERGE change is one that
 * they read; the target of an INSERT, a COPY ... FROM or a CREATE is not.
 */
#include "ddl.h"

#include "read.h"
#include "read_tree.h"

typedef struct references {
    firn_session *session;
    firn_arena *arena;
    FIRN_VEC(firn_ident) list;
} references;

static void add(references *refs, firn_ident ident)
{
    for (size_t i = 0; i < refs->list.len; i++) {
        if (firn_streq(refs->list.items[i].ns, ident.ns) &&
            firn_streq(refs->list.items[i].name, ident.name)) {
            return;
        }
    }
    firn_vec_push(refs->arena, &refs->list, ident);
}

static firn_rc add_query(references *refs, const char *sql, firn_err *err)
{
    char *plain = NULL;
    firn_tree tree = {0};
    FIRN_TRY(firn_read_time_travel(refs->arena, sql, &plain, err));
    FIRN_TRY(firn_tree_references(refs->session, refs->arena, plain, &tree, err));
    for (size_t i = 0; i < tree.references.len; i++) {
        add(refs, tree.references.items[i]);
    }
    return FIRN_OK;
}

static bool at_query(const firn_parser *parser)
{
    static const char *const words[] = {"select", "with",  "from",   "values",
                                        "table",  "pivot", "unpivot"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (firn_at_word(parser, words[i])) {
            return true;
        }
    }
    return false;
}

/* Index behind the bracket that closes the one at the cursor. */
static size_t behind_bracket(const firn_parser *parser)
{
    int depth = firn_peek(parser)->depth;
    size_t i = parser->at + 1;
    while (i < parser->end && parser->tokens->list.items[i].depth > depth) {
        i++;
    }
    return i < parser->end ? i + 1 : i;
}

/* Every bracket in the rest of the statement that holds a query. */
static firn_rc add_subqueries(references *refs, firn_parser *parser, firn_err *err)
{
    while (parser->at < parser->end) {
        firn_parser in = *parser;
        if (firn_accept(&in, "(") && at_query(&in)) {
            size_t end = behind_bracket(parser);
            FIRN_TRY(
                add_query(refs, firn_token_text(refs->arena, parser->tokens, in.at, end - 1), err));
            parser->at = end;
        } else {
            parser->at++;
        }
    }
    return FIRN_OK;
}

/* A name at the cursor that is no function call. */
static firn_rc add_name(references *refs, firn_parser *parser, firn_err *err)
{
    const char **parts = NULL;
    size_t n = 0;
    firn_token_kind kind = firn_peek(parser)->kind;
    if (parser->at == parser->end || (kind != FIRN_TOKEN_WORD && kind != FIRN_TOKEN_QUOTED)) {
        return FIRN_OK;
    }
    firn_parser start = *parser;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    if (firn_at_words(parser, "(")) {
        return FIRN_OK;
    }
    const char *name = firn_token_text(refs->arena, parser->tokens, start.at, parser->at);
    return add_query(refs, firn_arena_printf(refs->arena, "SELECT * FROM %s", name), err);
}

/* Behind FROM, USING or JOIN: names with commas between them, aliases skipped. */
static firn_rc add_from_list(references *refs, firn_parser *parser, firn_err *err)
{
    static const char *const ends[] = {"on", "where", "set", "when", "using", "returning"};
    do {
        FIRN_TRY(add_name(refs, parser, err));
        for (bool more = true; more && parser->at < parser->end && !firn_at_words(parser, ",");) {
            for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                more = more && !firn_at_word(parser, ends[i]);
            }
            if (more && firn_accept(parser, "join")) {
                FIRN_TRY(add_name(refs, parser, err));
            } else if (more) {
                parser->at = firn_at_words(parser, "(") ? behind_bracket(parser) : parser->at + 1;
            }
        }
    } while (firn_accept(parser, ","));
    return FIRN_OK;
}

/* DELETE FROM t [USING ...] WHERE, UPDATE t SET ... [FROM ...], MERGE INTO t USING s ON: the cursor is at the target. */
static firn_rc add_changing(references *refs, firn_parser *parser, firn_err *err)
{
    firn_parser names = *parser;
    FIRN_TRY(add_name(refs, &names, err));
    for (; names.at < names.end; names.at++) {
        bool from = firn_peek(&names)->depth == 0 &&
                    (firn_at_word(&names, "using") || firn_at_word(&names, "from"));
        if (from) {
            names.at++;
            FIRN_TRY(add_from_list(refs, &names, err));
            break;
        }
    }
    return add_subqueries(refs, parser, err);
}

/* The query that ends the statement, from `at` on. */
static firn_rc add_rest(references *refs, const firn_parser *parser, size_t at, firn_err *err)
{
    if (at >= parser->end) {
        return FIRN_OK;
    }
    return add_query(refs, firn_token_text(refs->arena, parser->tokens, at, parser->end), err);
}

/* INSERT INTO t (a, b) query: the query starts at the first word that can start one, or at a bracket around one. */
static firn_rc add_insert(references *refs, firn_parser *parser, firn_err *err)
{
    (void)firn_accept(parser, "table"); /* INSERT OVERWRITE TABLE t */
    for (; parser->at < parser->end; parser->at++) {
        firn_parser in = *parser;
        if (firn_peek(parser)->depth > 0) {
            continue;
        }
        if (at_query(parser) || (firn_accept(&in, "(") && at_query(&in))) {
            return add_rest(refs, parser, parser->at, err);
        }
    }
    return FIRN_OK;
}

static firn_rc add_copy(references *refs, firn_parser *parser, firn_err *err)
{
    if (firn_at_words(parser, "(")) {
        return add_subqueries(refs, parser, err);
    }
    firn_parser here = *parser;
    size_t to = firn_find_word(parser, parser->at, "to");
    return to < parser->end ? add_name(refs, &here, err) : FIRN_OK;
}

static firn_rc add_statement(references *refs, firn_parser *parser, const char *sql, firn_err *err)
{
    if (firn_accept(parser, "explain")) {
        (void)firn_accept(parser, "analyze");
        while (firn_at_words(parser, "(") && parser->at < parser->end) {
            firn_parser in = *parser;
            in.at++;
            if (at_query(&in)) {
                break;
            }
            parser->at = behind_bracket(parser);
        }
        sql = firn_token_text(refs->arena, parser->tokens, parser->at, parser->end);
    }
    if (firn_accept(parser, "create")) {
        /* AS at depth 0; CREATE TABLE t LIKE other reads no rows */
        size_t as = firn_find_word(parser, parser->at, "as");
        return add_rest(refs, parser, as + 1, err);
    }
    if (firn_accept(parser, "insert into") || firn_accept(parser, "insert overwrite")) {
        return add_insert(refs, parser, err);
    }
    if (firn_accept(parser, "delete from") || firn_accept(parser, "update") ||
        firn_accept(parser, "merge into")) {
        return add_changing(refs, parser, err);
    }
    if (firn_accept(parser, "copy")) {
        return add_copy(refs, parser, err);
    }
    if (firn_at_word(parser, "describe") || firn_at_word(parser, "summarize") ||
        firn_statement_handler(parser) == firn_exec_select) {
        return add_query(refs, sql, err);
    }
    return FIRN_OK;
}

firn_rc firn_session_references(firn_session *session, firn_arena *arena, const char *sql,
                                firn_ident **out, size_t *n, firn_err *err)
{
    references refs = {.session = session, .arena = arena};
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    const char *text = firn_token_text(arena, parser.tokens, 0, parser.end);
    FIRN_TRY(add_statement(&refs, &parser, text, err));
    *out = refs.list.items;
    *n = refs.list.len;
    return FIRN_OK;
}
