/* Hive paths: keys, values, nulls, what is hidden, which types come out. */
#include "lake/hive_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static int setup(void **state)
{
    *state = firn_arena_new();
    return 0;
}

static int teardown(void **state)
{
    firn_arena_free(*state);
    return 0;
}

/* "year=2024 city=null": what a path gives, or the error. */
static const char *parsed(firn_arena *arena, const char *path)
{
    firn_hive_key *keys = NULL;
    size_t n = 0;
    firn_err err = {0};
    if (firn_hive_path_parse(arena, path, &keys, &n, &err) != FIRN_OK) {
        return firn_arena_strdup(arena, err.message);
    }
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < n; i++) {
        firn_buf_printf(&out, "%s%s=%s", i > 0 ? "|" : "", keys[i].name,
                        keys[i].value != NULL ? keys[i].value : "<null>");
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

static void folders_give_keys_and_values(void **state)
{
    static const char *const CASES[][2] = {
        {"year=2024/month=01/part-0.parquet", "year=2024|month=01"},
        {"part-0.parquet", ""},
        {"2024/01/part-0.parquet", ""},
        {"raw/year=2024/x/part=a.parquet", "year=2024"}, /* the file's own name is no key */
        {"city=M%C3%BCnchen/f", "city=M\xc3\xbcnchen"},
        {"city=a%2Fb%3Dc/f", "city=a/b=c"},
        {"city=a=b/f", "city=a=b"},
        {"discount=10%/f", "discount=10%"},
        {"city=100%zz/f", "city=100%zz"},
        {"a%20b=1/f", "a b=1"},
        {"city=__HIVE_DEFAULT_PARTITION__/f", "city=<null>"},
        {"city=/f", "city="},
        {"_k=1/f", "_k=1"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_string_equal(parsed(*state, CASES[i][0]), CASES[i][1]);
    }
}

static void broken_paths_are_named(void **state)
{
    assert_non_null(strstr(parsed(*state, "=1/f"), "=1/f"));
    assert_non_null(strstr(parsed(*state, "city=%ff/f"), "UTF-8"));
    assert_non_null(strstr(parsed(*state, "city=a%00b/f"), "UTF-8"));
    assert_non_null(strstr(parsed(*state, "a=1/A=2/f"), "two folders for A"));
    FIRN_AUTO_BUF firn_buf deep = {0};
    for (int i = 0; i <= FIRN_HIVE_KEYS_MAX; i++) {
        firn_buf_printf(&deep, "k%d=1/", i);
    }
    assert_non_null(strstr(parsed(*state, firn_buf_cstr(&deep)), "more than"));
}

static void what_is_hidden(void **state)
{
    (void)state;
    static const char *const HIDDEN[] = {"_SUCCESS",
                                         "year=1/_temporary/0/part-0.parquet",
                                         "year=1/.part-0.parquet.crc",
                                         ".hidden/f",
                                         "_metadata",
                                         "_k=1"};
    static const char *const SHOWN[] = {"part-0.parquet", "_k=1/f", "a/b/c", "000000_0"};
    for (size_t i = 0; i < sizeof(HIDDEN) / sizeof(HIDDEN[0]); i++) {
        assert_true(firn_hive_is_hidden(HIDDEN[i]));
    }
    for (size_t i = 0; i < sizeof(SHOWN) / sizeof(SHOWN[0]); i++) {
        assert_false(firn_hive_is_hidden(SHOWN[i]));
    }
}

static firn_type_id type_of(const char *const *values, size_t n)
{
    firn_type_id type = FIRN_TYPE_UNKNOWN;
    for (size_t i = 0; i < n; i++) {
        type = firn_hive_type_widen(type, values[i]);
    }
    return type;
}
#define TYPE_OF(...)                            \
    type_of((const char *const[]){__VA_ARGS__}, \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void types_are_inferred(void **state)
{
    (void)state;
    assert_int_equal(TYPE_OF("1", "02", "-3"), FIRN_TYPE_INT);
    assert_int_equal(TYPE_OF("1", "4294967296"), FIRN_TYPE_LONG);
    assert_int_equal(TYPE_OF("1", NULL), FIRN_TYPE_INT);
    assert_int_equal(TYPE_OF(NULL, NULL), FIRN_TYPE_UNKNOWN);
    assert_int_equal(TYPE_OF("2024-02-15", "2024-12-31"), FIRN_TYPE_DATE);
    assert_int_equal(TYPE_OF("2024-02-15", "2024"), FIRN_TYPE_STRING);
    assert_int_equal(TYPE_OF("2024-02-31"), FIRN_TYPE_STRING);
    assert_int_equal(TYPE_OF("99999999999999999999"), FIRN_TYPE_STRING);
    assert_int_equal(TYPE_OF("1.5"), FIRN_TYPE_STRING);
    assert_int_equal(TYPE_OF("+1"), FIRN_TYPE_STRING);
    assert_int_equal(TYPE_OF(""), FIRN_TYPE_STRING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_give_keys_and_values, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_paths_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(types_are_inferred, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
