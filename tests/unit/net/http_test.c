/* Percent-encoding and query strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http.h"

static void test_what_is_not_unreserved_is_escaped_and_comes_back(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_url_encode(arena, "run/r-1|a b+c%é\x1f"),
                        "run%2Fr-1%7Ca%20b%2Bc%25%C3%A9%1F");
    const char *encoded = "run%2Fr-1%7ca%20b%2Bc%25%C3%A9%1F";
    assert_string_equal(firn_url_decode(arena, encoded, strlen(encoded), false),
                        "run/r-1|a b+c%é\x1f");
}

static void test_plus_is_a_space_in_queries_only(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_url_decode(arena, "a+b", 3, false), "a+b");
    assert_string_equal(firn_url_decode(arena, "a+b", 3, true), "a b");
}

static void test_half_an_escape_and_a_nul_are_refused(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const char *const bad[] = {"%", "%4", "a%zz", "%00", "%%41"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(firn_url_decode(arena, bad[i], strlen(bad[i]), false));
    }
}

static void test_query_values_are_found_by_whole_names(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *query = "pageSize=2&pageToken=&parent=a%1Fb&flag&x+y=1";
    assert_string_equal(firn_query_value(arena, query, "pageSize"), "2");
    assert_string_equal(firn_query_value(arena, query, "pageToken"), "");
    assert_string_equal(firn_query_value(arena, query, "parent"), "a\x1f"
                                                                  "b");
    assert_string_equal(firn_query_value(arena, query, "flag"), "");
    assert_string_equal(firn_query_value(arena, query, "x y"), "1");
    assert_null(firn_query_value(arena, query, "page"));
    assert_null(firn_query_value(arena, NULL, "page"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_unreserved_is_escaped_and_comes_back),
        cmocka_unit_test(test_plus_is_a_space_in_queries_only),
        cmocka_unit_test(test_half_an_escape_and_a_nul_are_refused),
        cmocka_unit_test(test_query_values_are_found_by_whole_names),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
