/* Text helpers: comparison, splitting, numbers, UTF-8, hex, SQL quoting, nearest names. */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_arena *arena; /* one for the group */

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    firn_arena_free(arena);
    return 0;
}

static int cmp(const char *a, const char *b)
{
    return firn_bytes_cmp(firn_bytes_str(a), firn_bytes_str(b));
}

static void bytes_compare_unsigned_then_by_length(void **state)
{
    (void)state;
    assert_int_equal(cmp("a", "a"), 0);
    assert_true(cmp("a", "b") < 0);
    assert_true(cmp("\xFF", "a") > 0);
    assert_true(cmp("a", "ab") < 0);
    assert_true(cmp("b", "ab") > 0);
    assert_int_equal(firn_bytes_cmp((firn_bytes){0}, (firn_bytes){0}), 0);
    assert_true(firn_bytes_cmp((firn_bytes){0}, firn_bytes_str("a")) < 0);
    firn_bytes copy = firn_bytes_dup(arena, firn_bytes_of("a\0b", 3));
    assert_int_equal(firn_bytes_cmp(copy, firn_bytes_of("a\0b", 3)), 0);
}

static void case_and_affixes(void **state)
{
    (void)state;
    assert_true(firn_strcaseeq("SeLeCt", "select"));
    assert_true(firn_strcaseeq("", ""));
    assert_false(firn_strcaseeq("select", "selec"));
    assert_false(firn_strcaseeq("selec", "select"));
    assert_false(firn_strcaseeq("[", "{")); /* 32 apart, but no letters */
    assert_true(firn_starts_with("s3://b", "s3://"));
    assert_false(firn_starts_with("s3:", "s3://"));
    assert_true(firn_ends_with("a.avro", ".avro"));
    assert_true(firn_ends_with("a", ""));
    assert_false(firn_ends_with("avro", ".avro"));
    assert_string_equal(firn_str_lower(arena, "ÄbC-Z@["), "Äbc-z@[");
}

static void replace_takes_every_hit(void **state)
{
    (void)state;
    assert_string_equal(firn_str_replace(arena, "a.b.c", ".", "::"), "a::b::c");
    assert_string_equal(firn_str_replace(arena, "aaaa", "aa", "b"), "bb");
    assert_string_equal(firn_str_replace(arena, "abc", "x", "y"), "abc");
    assert_string_equal(firn_str_replace(arena, "abc", "", "y"), "abc");
    assert_string_equal(firn_str_replace(arena, "abc", "abc", ""), "");
}

static void split_and_join_are_inverse(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a", "a,b", ",a,,b,", ","};
    static const size_t counts[] = {1, 1, 2, 5, 2};
    for (size_t i = 0; i < 5; i++) {
        size_t n;
        char **parts = firn_str_split(arena, texts[i], ',', &n);
        assert_int_equal(n, counts[i]);
        assert_string_equal(firn_str_join(arena, (const char *const *)parts, n, ","), texts[i]);
    }
    assert_string_equal(firn_str_join(arena, NULL, 0, ","), "");
    assert_string_equal(firn_str_join(arena, (const char *const[]){"a", "b"}, 2, " - "), "a - b");
}

static void trim_takes_blanks_off_the_ends(void **state)
{
    (void)state;
    assert_string_equal(firn_str_trim(arena, " \t\r\n a b \v\f"), "a b");
    assert_string_equal(firn_str_trim(arena, "   "), "");
    assert_string_equal(firn_str_trim(arena, ""), "");
}

static void integers_are_whole_and_in_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"+5", 5},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        int64_t value = 99;
        assert_true(firn_parse_i64(good[i].text, &value));
        assert_int_equal(value, good[i].value);
    }
    static const char *const bad[] = {
        "",
        "-",
        "+",
        "--1",
        "1 ",
        " 1",
        "1x",
        "0x1",
        "1.0",
        "1e3",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int64_t value = 99;
        assert_false(firn_parse_i64(bad[i], &value));
        assert_int_equal(value, 99);
    }
}

static void floats_are_decimal_and_finite(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0},       {"1.5", 1.5},   {"-1.", -1},  {".5", 0.5},
        {"+1e3", 1000}, {"1E-2", 0.01}, {"0.1", 0.1}, {"1e-400", 0},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        double value = 99;
        assert_true(firn_parse_f64(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    static const char *const bad[] = {
        "", ".", "-", "e5", "1e", "1e+", "1,5", " 1", "1 ", "nan", "inf", "0x1p3", "1e999", "1.5.2",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        double value;
        assert_false(firn_parse_f64(bad[i], &value));
    }
}

static void utf8_validity(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "abc", "é", "漢", "🍎", "\x7F", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(firn_utf8_valid(firn_bytes_str(good[i])));
    }
    static const char *const bad[] = {
        "\x80",             /* a continuation without a start */
        "\xC3",             /* cut short */
        "\xE6\xBC",         /* cut short */
        "\xC3\x28",         /* no continuation */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* surrogate */
        "\xED\xBF\xBF",     /* surrogate */
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xFF",
        "abc\xFF",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(firn_utf8_valid(firn_bytes_str(bad[i])));
    }
    /* At every place of a longer text, which is read a word at a time. */
    for (size_t i = 0; i < sizeof(good) / sizeof(*good) + sizeof(bad) / sizeof(*bad); i++) {
        size_t n_good = sizeof(good) / sizeof(*good);
        const char *piece = i < n_good ? good[i] : bad[i - n_good];
        for (size_t at = 0; at < 20; at++) {
            char text[32];
            memset(text, 'x', sizeof text);
            memcpy(text + at, piece, strlen(piece));
            assert_int_equal(firn_utf8_valid(firn_bytes_of(text, 28)), i < n_good);
            assert_int_equal(firn_utf8_valid(firn_bytes_of(text, at + strlen(piece))), i < n_good);
        }
    }
    assert_true(firn_utf8_valid(firn_bytes_of("a\0b", 3)));
    assert_true(firn_utf8_valid((firn_bytes){0}));
}

static void utf8_width_counts_columns(void **state)
{
    (void)state;
    assert_int_equal(firn_utf8_width(""), 0);
    assert_int_equal(firn_utf8_width("abc"), 3);
    assert_int_equal(firn_utf8_width("é"), 1);
    assert_int_equal(firn_utf8_width("e\xCC\x81"), 1); /* e + combining acute */
    assert_int_equal(firn_utf8_width("漢字"), 4);
    assert_int_equal(firn_utf8_width("한국"), 4);
    assert_int_equal(firn_utf8_width("ｱ"), 1);  /* half-width kana */
    assert_int_equal(firn_utf8_width("Ａ"), 2); /* full-width A */
    assert_int_equal(firn_utf8_width("🍎"), 2);
    assert_int_equal(firn_utf8_width("µ–│"), 3);
    assert_int_equal(firn_utf8_width("a\xE2\x80\x8B"
                                     "b"),
                     2); /* zero width space */
    assert_int_equal(firn_utf8_width("a\xFF"
                                     "b"),
                     3); /* a bad byte shows as one sign */
    assert_int_equal(firn_utf8_width("a\x1B"
                                     "b"),
                     2);
}

static void hex_round_trip(void **state)
{
    (void)state;
    firn_bytes out;
    assert_string_equal(firn_hex(arena, firn_bytes_of("\x00\x0F\xFF", 3)), "000fff");
    assert_string_equal(firn_hex(arena, (firn_bytes){0}), "");
    assert_true(firn_unhex(arena, "000FfF", &out));
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.data, "\x00\x0F\xFF", 3);
    assert_true(firn_unhex(arena, "", &out));
    assert_int_equal(out.len, 0);
    assert_false(firn_unhex(arena, "0", &out));
    assert_false(firn_unhex(arena, "0g", &out));
    assert_false(firn_unhex(arena, "g0", &out));
}

static void sql_quoting_doubles_quotes(void **state)
{
    (void)state;
    assert_string_equal(firn_sql_quote(arena, "it's"), "'it''s'");
    assert_string_equal(firn_sql_quote(arena, ""), "''");
    assert_string_equal(firn_sql_quote(arena, "'"), "''''");
    assert_string_equal(firn_sql_ident(arena, "odd\"name"), "\"odd\"\"name\"");
    assert_string_equal(firn_sql_ident(arena, "it's"), "\"it's\"");
}

static const char *nearest(const char *name)
{
    static const char *const names[] = {
        "warehouse", "catalog", "order_date", "order_data", "customers", "id", "x",
    };
    return firn_nearest(name, names, sizeof(names) / sizeof(*names));
}

static void nearest_finds_likely_typos_only(void **state)
{
    (void)state;
    assert_string_equal(nearest("warehose"), "warehouse");
    assert_string_equal(nearest("wraehouse"), "warehouse");
    assert_string_equal(nearest("WAREHOUSE"), "warehouse");
    assert_string_equal(nearest("catalogue"), "catalog");
    assert_string_equal(nearest("customer"), "customers");
    assert_string_equal(nearest("order_date"), "order_date");
    assert_string_equal(nearest("order_datum"), "order_date"); /* first of equals */
    assert_string_equal(nearest("di"), "id");
    assert_null(nearest("products"));
    assert_null(nearest("y")); /* a single letter is near to everything: no suggestion */
    assert_null(nearest(""));
    assert_null(firn_nearest("a", NULL, 0));
    char longer[200];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_null(nearest(longer));
    assert_null(firn_nearest("aaaaaaaa", (const char *const[]){longer}, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_compare_unsigned_then_by_length),
        cmocka_unit_test(case_and_affixes),
        cmocka_unit_test(replace_takes_every_hit),
        cmocka_unit_test(split_and_join_are_inverse),
        cmocka_unit_test(trim_takes_blanks_off_the_ends),
        cmocka_unit_test(integers_are_whole_and_in_range),
        cmocka_unit_test(floats_are_decimal_and_finite),
        cmocka_unit_test(utf8_validity),
        cmocka_unit_test(utf8_width_counts_columns),
        cmocka_unit_test(hex_round_trip),
        cmocka_unit_test(sql_quoting_doubles_quotes),
        cmocka_unit_test(nearest_finds_likely_typos_only),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
