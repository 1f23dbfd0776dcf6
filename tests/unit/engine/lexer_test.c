/* Tokens of SQL text, and the cursor that firn's grammar reads them with. */
#include "lexer.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static const char kinds[] =
    "EWQSNPU"; /* firn_token_kind: End, Word, Quoted, String, Number, Param, pUnct */

/* "W:select N:1 U:+" */
static const char *dump(firn_arena *arena, const char *sql)
{
    firn_tokens tokens;
    firn_err err = {0};
    if (firn_lex(arena, sql, &tokens, &err) != FIRN_OK) {
        return firn_arena_printf(arena, "! %s", err.message);
    }
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i + 1 < tokens.list.len; i++) {
        const firn_token *token = &tokens.list.items[i];
        firn_buf_printf(&out, "%s%c:%.*s", i > 0 ? " " : "", kinds[token->kind], (int)token->len,
                        sql + token->start);
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

#define expect_tokens(sql, expected)                          \
    do {                                                      \
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new(); \
        assert_string_equal(dump(arena, (sql)), (expected));  \
    } while (0)

static void words_numbers_and_operators(void **state)
{
    (void)state;
    expect_tokens("", "");
    expect_tokens("SELECT a1,_b FROM t;", "W:SELECT W:a1 U:, W:_b W:FROM W:t U:;");
    expect_tokens("1 1.5 .5 1e10 1.e-3 0xFF 1_000", "N:1 N:1.5 N:.5 N:1e10 N:1.e-3 N:0xFF N:1_000");
    expect_tokens("a=>1 b:=2 c>=3 d<>4 e::f", "W:a U:=> N:1 W:b U::= N:2 W:c U:>= N:3 W:d U:<> N:4 "
                                              "W:e U::: W:f");
    expect_tokens("map<int,list<int>>", "W:map U:< W:int U:, W:list U:< W:int U:> U:>");
    expect_tokens("t@dev x.1", "W:t U:@ W:dev W:x N:.1");
    expect_tokens("größe", "W:größe");
}

static void strings_names_and_parameters(void **state)
{
    (void)state;
    expect_tokens("'it''s' \"a\"\"b\"", "S:'it''s' Q:\"a\"\"b\"");
    expect_tokens("E'a\\'b' x'00' $$a'b$$ $q$x$$y$q$", "S:E'a\\'b' S:x'00' S:$$a'b$$ S:$q$x$$y$q$");
    expect_tokens("? $1 $name", "P:? P:$1 P:$name");
    expect_tokens("'a;b' ; 'c'", "S:'a;b' U:; S:'c'");
}

static void comments_are_blanks(void **state)
{
    (void)state;
    expect_tokens("a -- b\nc /* d /* nested */ e */ f", "W:a W:c W:f");
    expect_tokens("-- only", "");
    expect_tokens("a--", "W:a");
}

static void what_is_open_is_an_error_with_its_place(void **state)
{
    (void)state;
    expect_tokens("a\n  'b", "! a string ' is not closed, opened at line 2, column 3");
    expect_tokens("\"b", "! a quoted name \" is not closed, opened at line 1, column 1");
    expect_tokens("/* a /* b */", "! a comment /* is not closed, opened at line 1, column 1");
    expect_tokens("x $$a", "! a dollar-quoted string is not closed, opened at line 1, column 3");
}

static void tokens_know_line_column_and_depth(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_tokens tokens;
    assert_int_equal(firn_lex(arena, "a (b\n [c]) d", &tokens, NULL), FIRN_OK);
    static const struct {
        uint32_t line, column;
        int depth;
    } expected[] = {{1, 1, 0}, {1, 3, 0}, {1, 4, 1}, {2, 2, 1}, {2, 3, 2},
                    {2, 4, 1}, {2, 5, 0}, {2, 7, 0}, {2, 8, 0}};
    assert_int_equal(tokens.list.len, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < tokens.list.len; i++) {
        assert_int_equal(tokens.list.items[i].line, expected[i].line);
        assert_int_equal(tokens.list.items[i].column, expected[i].column);
        assert_int_equal(tokens.list.items[i].depth, expected[i].depth);
    }
    assert_int_equal(firn_lex(arena, ")) x", &tokens, NULL), FIRN_OK);
    assert_int_equal(tokens.list.items[2].depth, 0); /* never below zero */
}

static firn_parser parser_of(firn_arena *arena, firn_tokens *tokens, const char *sql)
{
    assert_int_equal(firn_lex(arena, sql, tokens, NULL), FIRN_OK);
    return (firn_parser){.arena = arena, .tokens = tokens, .end = tokens->list.len - 1};
}

static void the_cursor_accepts_words_in_any_case(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_tokens tokens;
    firn_err err = {0};
    firn_parser parser = parser_of(arena, &tokens, "Create Table IF not EXISTS \"if\" (");
    assert_true(firn_at_words(&parser, "create table"));
    assert_false(firn_accept(&parser, "create view"));
    assert_int_equal(parser.at, 0); /* all of the words or none */
    assert_true(firn_accept(&parser, "create table"));
    assert_true(firn_accept(&parser, "if not exists"));
    assert_false(firn_at_word(&parser, "if")); /* quoted: a name */
    const char *name = NULL;
    assert_int_equal(firn_parse_name(&parser, &name, &err), FIRN_OK);
    assert_string_equal(name, "if");
    assert_int_equal(firn_expect(&parser, "[", &err), FIRN_E_SYNTAX);
    assert_string_equal(err.message, "line 1, column 33: expected [, found \"(\"");
    assert_int_equal(firn_expect(&parser, "(", &err), FIRN_OK);
    assert_int_equal(firn_parse_end(&parser, &err), FIRN_OK);
    assert_int_equal(firn_expect(&parser, ")", &err), FIRN_E_SYNTAX);
    assert_string_equal(err.message, "line 1, column 34: expected ), but the statement ends here");
}

static void names_and_strings_are_unquoted(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_tokens tokens;
    firn_err err = {0};
    const char **parts = NULL;
    size_t n = 0;
    firn_parser parser =
        parser_of(arena, &tokens, "a.\"B \"\"c\".d 'it''s' E'x\\ny' $t$raw'$t$ \"\"");
    assert_int_equal(firn_parse_dotted(&parser, &parts, &n, &err), FIRN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(parts[1], "B \"c");
    static const char *const strings[] = {"it's", "x\ny", "raw'"};
    for (size_t i = 0; i < 3; i++) {
        const char *text = NULL;
        assert_int_equal(firn_parse_string(&parser, &text, &err), FIRN_OK);
        assert_string_equal(text, strings[i]);
    }
    assert_int_equal(firn_parse_name(&parser, &parts[0], &err), FIRN_E_SYNTAX); /* empty name */
}

static void words_are_found_at_their_depth(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_tokens tokens;
    firn_parser parser = parser_of(arena, &tokens, "a (x AS y) \"as\" AS b");
    assert_int_equal(firn_find_word(&parser, 0, "as"), 7);
    assert_int_equal(firn_find_word(&parser, 2, "as"), 3);
    assert_int_equal(firn_find_word(&parser, 0, "nothing"), parser.end);
    assert_string_equal(firn_token_text(arena, &tokens, 1, 6), "(x AS y)");
    assert_string_equal(firn_token_text(arena, &tokens, 3, 3), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_numbers_and_operators),
        cmocka_unit_test(strings_names_and_parameters),
        cmocka_unit_test(comments_are_blanks),
        cmocka_unit_test(what_is_open_is_an_error_with_its_place),
        cmocka_unit_test(tokens_know_line_column_and_depth),
        cmocka_unit_test(the_cursor_accepts_words_in_any_case),
        cmocka_unit_test(names_and_strings_are_unquoted),
        cmocka_unit_test(words_are_found_at_their_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
