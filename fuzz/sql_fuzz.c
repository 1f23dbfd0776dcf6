/* The SQL front without running anything: tokens, splitting, dispatch, types, and the grammar of CREATE TABLE. Any bytes either
 * parse or are refused with a message; positions stay inside the text; what is printed is read back as the same.
 */
#include "ddl.h"
#include "read.h"
#include "refs.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In text order, inside the text, never overlapping, closed by END. */
static void check_tokens(const firn_tokens *tokens, size_t len)
{
    size_t end = 0;
    assert(tokens->list.len > 0);
    for (size_t i = 0; i < tokens->list.len; i++) {
        const firn_token *token = &tokens->list.items[i];
        bool last = i + 1 == tokens->list.len;
        assert(token->start >= end && token->depth >= 0 && token->line > 0 && token->column > 0);
        assert(last == (token->kind == FIRN_TOKEN_END));
        assert(last || token->len > 0);
        end = token->start + token->len;
        assert(end <= len);
    }
}

static void check_split(firn_arena *arena, const char *sql)
{
    char **list = NULL;
    size_t n = 0;
    firn_rc rc = firn_statement_split(arena, sql, &list, &n, NULL);
    assert(rc == FIRN_OK);
    for (size_t i = 0; i < n; i++) {
        char **again = NULL;
        size_t m = 0;
        rc = firn_statement_split(arena, list[i], &again, &m, NULL);
        assert(rc == FIRN_OK && m == 1 && firn_streq(again[0], list[i]));
        firn_parser parser;
        rc = firn_parser_open(arena, list[i], &parser, NULL);
        assert(rc == FIRN_OK && parser.end > 0);
        (void)firn_statement_handler(&parser);
    }
}

static void check_type(firn_arena *arena, const char *sql)
{
    firn_type *type = NULL;
    firn_type *again = NULL;
    firn_err err = {0};
    if (firn_type_of_query(arena, sql, 2, &type, &err) != FIRN_OK) {
        assert(err.message[0] != '\0');
    }
    if (firn_type_from_sql(arena, sql, &type, &err) != FIRN_OK) {
        assert(err.message[0] != '\0');
        return;
    }
    firn_rc rc = firn_type_from_sql(arena, firn_type_sql(arena, type), &again, &err);
    assert(rc == FIRN_OK && firn_type_equal(type, again));
}

static void check_create(firn_arena *arena, const char *sql)
{
    firn_session session = {.ref = (char *)"main", .schema = (char *)"default"};
    firn_parser parser;
    firn_create_sql create;
    firn_err err = {0};
    firn_rc rc = firn_parser_open(arena, sql, &parser, &err);
    assert(rc == FIRN_OK);
    rc = firn_parse_create_table(&session, &parser, &create, &err);
    assert(rc != FIRN_OK || create.ident.name[0] != '\0');
    assert(rc == FIRN_OK || err.message[0] != '\0');
}

static void check_terms(firn_arena *arena, const char *sql)
{
    firn_parser parser;
    firn_partition_terms terms = {0};
    firn_sort_terms order = {0};
    firn_column_sql column;
    firn_err err = {0};
    firn_rc rc = firn_parser_open(arena, sql, &parser, &err);
    assert(rc == FIRN_OK);
    firn_parser start = parser;
    if (firn_parse_partition_terms(&parser, &terms, &err) == FIRN_OK) {
        assert(terms.len > 0);
    }
    parser = start;
    if (firn_parse_sort_terms(&parser, &order, &err) == FIRN_OK) {
        assert(order.len > 0);
    }
    parser = start;
    if (firn_parse_column(&parser, &column, &err) == FIRN_OK) {
        assert(column.field.type != NULL && column.field.name[0] != '\0');
    }
}

/* Statements on refs read all of their text before they look for the lake, which is not there. */
static void check_refs(firn_arena *arena, const char *sql)
{
    firn_engine engine = {.lake = NULL};
    firn_session session = {.engine = &engine, .ref = (char *)"main", .schema = (char *)"default"};
    firn_parser parser;
    firn_result *result = NULL;
    firn_err err = {0};
    firn_rc rc = firn_parser_open(arena, sql, &parser, &err);
    assert(rc == FIRN_OK);
    firn_parser show = parser;
    rc = firn_exec_refs(&session, sql, &result, &err);
    assert(rc != FIRN_OK && err.message[0] != '\0' && result == NULL);
    rc = firn_show_diff(&session, &show, &result, &err);
    assert(rc != FIRN_OK && result == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *sql = firn_arena_strndup(arena, (const char *)data, size);
    firn_tokens tokens;
    firn_err err = {0};
    char *plain = NULL;
    bool complete = firn_sql_is_complete(sql);
    firn_rc rc = firn_lex(arena, sql, &tokens, &err);
    if (rc != FIRN_OK) {
        assert(!complete && err.message[0] != '\0');
        return 0;
    }
    check_tokens(&tokens, strlen(sql));
    check_split(arena, sql);
    check_type(arena, sql);
    check_create(arena, sql);
    check_terms(arena, sql);
    check_refs(arena, sql);
    rc = firn_read_time_travel(arena, sql, &plain, &err);
    assert(rc != FIRN_OK || plain != NULL);
    return 0;
}
