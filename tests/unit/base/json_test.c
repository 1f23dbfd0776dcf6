/* JSON: parsing, text, typed getters and their messages. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_arena *arena;

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

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    firn_err err = {0};
    if (firn_json_parse(arena, firn_bytes_str(text), "test", &json, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return json;
}

static void parse_and_text_keep_everything(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"z\":1,\"a\":[true,false,null],\"m\":{\"unknown\":\"é\"}}",
        "9223372036854775807",
        "-9223372036854775808",
        "\"long\"",
        "0.5",
        "[]",
        "null",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_string_equal(firn_json_text(arena, parse(texts[i])), texts[i]);
    }
    assert_string_equal(firn_json_pretty(arena, parse("{\"a\":[1]}")),
                        "{\n  \"a\": [\n    1\n  ]\n}");
}

static void doubles_survive_the_round_trip(void **state)
{
    (void)state;
    const double value = 0.1 + 0.2;
    json_t *json = firn_json_own(arena, json_real(value));
    assert_true(json_real_value(parse(firn_json_text(arena, json))) == value);
}

static void bad_text_is_corrupt_with_a_position(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "{\"a\":1,}",
        "[1] x",
        "{\"a\":1,\"a\":2}",
        "nul",
        "{'a':1}",
        "99999999999999999999",
        "1e999",
        "\"\xFF\"",
        "\"\\ud800\"",
        "\"a\\u0000b\"",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        json_t *json;
        firn_err err = {0};
        assert_int_equal(firn_json_parse(arena, firn_bytes_str(bad[i]), "t", &json, &err),
                         FIRN_E_CORRUPT);
        assert_non_null(strstr(err.message, "t is not valid JSON: line 1, column "));
    }
    json_t *json;
    assert_int_equal(firn_json_parse(arena, (firn_bytes){0}, "t", &json, NULL), FIRN_E_CORRUPT);
    firn_err err = {0};
    assert_int_equal(firn_json_parse(arena, firn_bytes_str("{\n\n  x"), "t", &json, &err),
                     FIRN_E_CORRUPT);
    assert_non_null(strstr(err.message, "line 3"));
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (int i = 0; i < 100000; i++) {
        firn_buf_putc(&buf, '[');
    }
    json_t *json;
    assert_int_equal(firn_json_parse(arena, firn_buf_bytes(&buf), "t", &json, NULL),
                     FIRN_E_CORRUPT);
}

static void required_members(void **state)
{
    (void)state;
    json_t *obj = parse("{\"s\":\"x\",\"i\":7,\"b\":true,\"a\":[1],\"o\":{}}");
    const char *s;
    int64_t i64;
    int32_t i32;
    bool b;
    json_t *child;
    assert_int_equal(firn_json_str(obj, "s", "t", &s, NULL), FIRN_OK);
    assert_string_equal(s, "x");
    assert_int_equal(firn_json_i64(obj, "i", "t", &i64, NULL), FIRN_OK);
    assert_int_equal(i64, 7);
    assert_int_equal(firn_json_i32(obj, "i", "t", &i32, NULL), FIRN_OK);
    assert_int_equal(i32, 7);
    assert_int_equal(firn_json_bool(obj, "b", "t", &b, NULL), FIRN_OK);
    assert_true(b);
    assert_int_equal(firn_json_array(obj, "a", "t", &child, NULL), FIRN_OK);
    assert_int_equal(json_array_size(child), 1);
    assert_int_equal(firn_json_object(obj, "o", "t", &child, NULL), FIRN_OK);
    assert_true(json_is_object(child));
}

static void required_members_of_the_wrong_shape(void **state)
{
    (void)state;
    json_t *obj = parse("{\"s\":1,\"i\":1.0,\"b\":0,\"a\":{},\"o\":[],\"n\":null}");
    const char *s;
    int64_t i64;
    bool b;
    json_t *child;
    firn_err err = {0};
    assert_int_equal(firn_json_str(obj, "s", "metadata f", &s, &err), FIRN_E_CORRUPT);
    assert_string_equal(err.message, "metadata f: \"s\" must be a string, but it is an integer");
    assert_int_equal(firn_json_i64(obj, "i", "t", &i64, &err), FIRN_E_CORRUPT);
    assert_string_equal(err.message,
                        "t: \"i\" must be an integer, but it is a number with a fraction");
    assert_int_equal(firn_json_bool(obj, "b", "t", &b, &err), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_array(obj, "a", "t", &child, &err), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_object(obj, "o", "t", &child, &err), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_str(obj, "n", "t", &s, &err), FIRN_E_CORRUPT);
    assert_string_equal(err.message, "t: \"n\" must be a string, but it is null");
    assert_int_equal(firn_json_str(obj, "absent", "t", &s, &err), FIRN_E_CORRUPT);
    assert_string_equal(err.message, "t: \"absent\" is missing");
    assert_int_equal(firn_json_str(parse("[1]"), "s", "t", &s, &err), FIRN_E_CORRUPT);
    assert_string_equal(err.message, "t: expected an object with \"s\", but found an array");
    assert_int_equal(firn_json_str(NULL, "s", "t", &s, &err), FIRN_E_CORRUPT);
}

static void i32_is_range_checked(void **state)
{
    (void)state;
    json_t *obj = parse("{\"min\":-2147483648,\"max\":2147483647,\"under\":-2147483649,"
                        "\"over\":2147483648}");
    int32_t value;
    assert_int_equal(firn_json_i32(obj, "min", "t", &value, NULL), FIRN_OK);
    assert_true(value == INT32_MIN);
    assert_int_equal(firn_json_i32(obj, "max", "t", &value, NULL), FIRN_OK);
    assert_true(value == INT32_MAX);
    assert_int_equal(firn_json_i32(obj, "under", "t", &value, NULL), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_i32(obj, "over", "t", &value, NULL), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_opt_i32(obj, "over", "t", 1, &value, NULL), FIRN_E_CORRUPT);
}

static void check_defaults(const json_t *obj)
{
    const char *s;
    int64_t i64;
    int32_t i32;
    bool b;
    json_t *child;
    assert_int_equal(firn_json_opt_str(obj, "k", "t", "def", &s, NULL), FIRN_OK);
    assert_string_equal(s, "def");
    assert_int_equal(firn_json_opt_i64(obj, "k", "t", -1, &i64, NULL), FIRN_OK);
    assert_int_equal(i64, -1);
    assert_int_equal(firn_json_opt_i32(obj, "k", "t", -2, &i32, NULL), FIRN_OK);
    assert_int_equal(i32, -2);
    assert_int_equal(firn_json_opt_bool(obj, "k", "t", true, &b, NULL), FIRN_OK);
    assert_true(b);
    child = json_null();
    assert_int_equal(firn_json_opt_array(obj, "k", "t", &child, NULL), FIRN_OK);
    assert_null(child);
    child = json_null();
    assert_int_equal(firn_json_opt_object(obj, "k", "t", &child, NULL), FIRN_OK);
    assert_null(child);
}

static void optional_members_default_when_absent_or_null(void **state)
{
    (void)state;
    check_defaults(parse("{}"));
    check_defaults(parse("{\"k\":null}"));
    check_defaults(NULL); /* members of an optional object that is not there itself */
}

static void optional_members_are_still_typed(void **state)
{
    (void)state;
    json_t *obj = parse("{\"s\":\"x\",\"i\":7,\"b\":false,\"a\":[],\"o\":{}}");
    const char *s;
    int64_t i64;
    int32_t i32;
    bool b;
    json_t *child;
    assert_int_equal(firn_json_opt_str(obj, "s", "t", NULL, &s, NULL), FIRN_OK);
    assert_string_equal(s, "x");
    assert_int_equal(firn_json_opt_i64(obj, "i", "t", 0, &i64, NULL), FIRN_OK);
    assert_int_equal(i64, 7);
    assert_int_equal(firn_json_opt_i32(obj, "i", "t", 0, &i32, NULL), FIRN_OK);
    assert_int_equal(i32, 7);
    assert_int_equal(firn_json_opt_bool(obj, "b", "t", true, &b, NULL), FIRN_OK);
    assert_false(b);
    assert_int_equal(firn_json_opt_array(obj, "a", "t", &child, NULL), FIRN_OK);
    assert_true(json_is_array(child));
    assert_int_equal(firn_json_opt_object(obj, "o", "t", &child, NULL), FIRN_OK);
    assert_true(json_is_object(child));
    assert_int_equal(firn_json_opt_str(obj, "i", "t", NULL, &s, NULL), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_opt_i64(obj, "s", "t", 0, &i64, NULL), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_opt_bool(obj, "s", "t", 0, &b, NULL), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_opt_array(obj, "o", "t", &child, NULL), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_opt_object(obj, "a", "t", &child, NULL), FIRN_E_CORRUPT);
    assert_int_equal(firn_json_opt_str(parse("1"), "s", "t", NULL, &s, NULL), FIRN_E_CORRUPT);
}

static void owned_trees_live_as_long_as_the_arena(void **state)
{
    (void)state;
    firn_arena *own = firn_arena_new();
    json_t *shared = json_object();
    assert_ptr_equal(firn_json_own(own, json_incref(shared)), shared);
    assert_null(firn_json_own(own, NULL));
    assert_int_equal(shared->refcount, 2);
    firn_arena_free(own);
    assert_int_equal(shared->refcount, 1);
    json_decref(shared);
}

static void escape_writes_what_parses_back(void **state)
{
    (void)state;
    static const char text[] = "q\" b\\ \b\f\n\r\t \x01\x1F é 🍎 /";
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_json_escape(&buf, text);
    assert_string_equal(json_string_value(parse(firn_buf_cstr(&buf))), text);
    firn_buf_clear(&buf);
    firn_json_escape(&buf, "a\xFF\xC3");
    assert_string_equal(firn_buf_cstr(&buf), "\"a\\ufffd\\ufffd\"");
    firn_buf_clear(&buf);
    firn_json_escape(&buf, "\n\x01");
    assert_string_equal(firn_buf_cstr(&buf), "\"\\n\\u0001\"");
}

/* firn's own writer and jansson's give the same text. */
static void text_is_janssons(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "\"\\u0001\\u001f \\\" \\\\ / \\b\\f\\n\\r\\t \xc3\xa9 \xf0\x9f\x8d\x8e \x7f\"",
        "[0,-1,9223372036854775807,-9223372036854775808,10,1000000]",
        "[1.5,-0.0,1e300,0.1,1e-7,123456789.125]",
        "{\"a\":{\"b\":[{\"c\":true,\"d\":false,\"e\":null},[],{}]},\"z\":\"\",\"a b\\n\":1}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *json = parse(texts[i]);
        char *expected = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        assert_string_equal(firn_json_text(arena, json), expected);
        free(expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_janssons),
        cmocka_unit_test(parse_and_text_keep_everything),
        cmocka_unit_test(doubles_survive_the_round_trip),
        cmocka_unit_test(bad_text_is_corrupt_with_a_position),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(required_members),
        cmocka_unit_test(required_members_of_the_wrong_shape),
        cmocka_unit_test(i32_is_range_checked),
        cmocka_unit_test(optional_members_default_when_absent_or_null),
        cmocka_unit_test(optional_members_are_still_typed),
        cmocka_unit_test(owned_trees_live_as_long_as_the_arena),
        cmocka_unit_test(escape_writes_what_parses_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
