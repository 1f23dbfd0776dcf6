/* Avro's binary encoding, value by value. Byte sequences are the specification's own where it gives any. */
#include "avro_util.h"

#include <math.h>

static void assert_bytes(firn_bytes have, const char *hex)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_hex(arena, have), hex);
}

static void longs_are_zigzag_varints(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *hex;
    } cases[] = {
        {0, "00"},
        {-1, "01"},
        {1, "02"},
        {-2, "03"},
        {-64, "7f"},
        {64, "8001"},
        {8191, "fe7f"},
        {-8193, "818001"},
        {INT32_MAX, "feffffff0f"},
        {INT64_MAX, "feffffffffffffffff01"},
        {INT64_MIN, "ffffffffffffffffff01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FIRN_AUTO_BUF firn_buf buf = {0};
        firn_avro_put_long(&buf, cases[i].value);
        assert_bytes(firn_buf_bytes(&buf), cases[i].hex);
        int64_t back;
        firn_avro_cursor cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
        assert_true(firn_avro_get_long(&cursor, &back));
        assert_true(back == cases[i].value);
        assert_int_equal(firn_avro_remaining(&cursor), 0);

        /* Cut short by a byte it is malformed, wherever the cut is. */
        cursor = firn_avro_cursor_of(firn_bytes_of(buf.data, buf.len - 1));
        assert_false(firn_avro_get_long(&cursor, &back));
    }
}

static void varints_of_more_than_64_bits_are_malformed(void **state)
{
    (void)state;
    int64_t value;
    uint8_t eleven[11] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    firn_avro_cursor cursor = firn_avro_cursor_of(firn_bytes_of(eleven, sizeof eleven));
    assert_false(firn_avro_get_long(&cursor, &value));
    eleven[9] = 2; /* a 65th bit */
    cursor = firn_avro_cursor_of(firn_bytes_of(eleven, sizeof eleven));
    assert_false(firn_avro_get_long(&cursor, &value));
    eleven[9] = 0; /* longer than need be, yet only 63 bits */
    cursor = firn_avro_cursor_of(firn_bytes_of(eleven, sizeof eleven));
    assert_true(firn_avro_get_long(&cursor, &value));
    assert_int_equal(value, 0);
}

static void ints_must_fit_32_bits(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_avro_put_long(&buf, INT32_MIN);
    firn_avro_put_long(&buf, (int64_t)INT32_MAX + 1);
    firn_avro_cursor cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    int32_t value;
    assert_true(firn_avro_get_int(&cursor, &value));
    assert_int_equal(value, INT32_MIN);
    assert_false(firn_avro_get_int(&cursor, &value));
}

static void other_primitives(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_avro_put_boolean(&buf, true);
    firn_avro_put_float(&buf, 1.5f);
    firn_avro_put_double(&buf, -0.0);
    firn_avro_put_string(&buf, "foo");
    firn_avro_put_bytes(&buf, (firn_bytes){0});
    assert_bytes(firn_buf_bytes(&buf), "01"
                                       "0000c03f"
                                       "0000000000000080"
                                       "06666f6f"
                                       "00");

    firn_avro_cursor cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    bool flag;
    float single;
    double real;
    firn_bytes text, empty;
    assert_true(firn_avro_get_boolean(&cursor, &flag) && flag);
    assert_true(firn_avro_get_float(&cursor, &single) && single == 1.5f);
    assert_true(firn_avro_get_double(&cursor, &real) && real == 0 && signbit(real));
    assert_true(firn_avro_get_bytes(&cursor, &text) && text.len == 3);
    assert_true(firn_avro_get_bytes(&cursor, &empty) && empty.len == 0);
    assert_false(firn_avro_get_boolean(&cursor, &flag));
    assert_false(firn_avro_get_float(&cursor, &single));
    assert_false(firn_avro_get_double(&cursor, &real));
    assert_false(firn_avro_get_bytes(&cursor, &text));

    cursor = firn_avro_cursor_of(firn_bytes_of("\2", 1));
    assert_false(firn_avro_get_boolean(&cursor, &flag)); /* neither 0 nor 1 */
    cursor = firn_avro_cursor_of(firn_bytes_of("\1", 1));
    assert_false(firn_avro_get_bytes(&cursor, &text)); /* length -1 */
}

static void json_becomes_binary(void **state)
{
    static const struct {
        const char *schema, *json, *hex;
    } cases[] = {
        {"'null'", "null", ""},
        {"'boolean'", "true", "01"},
        {"'float'", "'NaN'", "0000c07f"},
        {"'double'", "'-Infinity'", "000000000000f0ff"},
        {"'bytes'", "'\\u00ffa'", "04ff61"},
        {"{'type': 'fixed', 'name': 'f', 'size': 2}", "'\\u0080z'", "807a"},
        {"{'type': 'enum', 'name': 'e', 'symbols': ['A', 'B', 'C', 'D']}", "'D'", "06"},
        {"{'type': 'array', 'items': 'long'}", "[3, 27]", "04063600"},
        {"{'type': 'array', 'items': 'long'}", "[]", "00"},
        {"{'type': 'map', 'values': 'long'}", "{'a': 1}", "0202610200"},
        {"['null', 'string']", "null", "00"},
        {"['null', 'string']", "'a'", "020261"},
        {"{'type': 'record', 'name': 'test', 'fields': [{'name': 'a', 'type': 'long'},"
         "{'name': 'b', 'type': 'string'}]}",
         "{'a': 27, 'b': 'foo'}", "3606666f6f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const firn_avro_schema *schema = schema_of(*state, cases[i].schema);
        firn_bytes bytes = datum_of(*state, schema, cases[i].json);
        assert_bytes(bytes, cases[i].hex);
        firn_avro_cursor cursor = firn_avro_cursor_of(bytes);
        assert_true(firn_avro_skip(&cursor, schema));
        assert_int_equal(firn_avro_remaining(&cursor), 0);
    }
}

static void json_that_does_not_fit_is_invalid(void **state)
{
    static const char *const cases[][2] = {
        {"'null'", "0"},
        {"'int'", "2147483648"},
        {"'int'", "1.5"},
        {"'string'", "1"},
        {"'bytes'", "'\\u0100'"},
        {"{'type': 'fixed', 'name': 'f', 'size': 2}", "'abc'"},
        {"{'type': 'enum', 'name': 'e', 'symbols': ['A']}", "'B'"},
        {"['null', 'int']", "'x'"},
        {"{'type': 'record', 'name': 'r', 'fields': [{'name': 'a', 'type': 'int'}]}", "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FIRN_AUTO_BUF firn_buf buf = {0};
        firn_err err = {0};
        json_t *json;
        firn_bytes text = firn_bytes_str(json_of(*state, cases[i][1]));
        assert_ok(firn_json_parse(*state, text, "test", &json, &err), &err);
        const firn_avro_schema *schema = schema_of(*state, cases[i][0]);
        assert_int_equal(firn_avro_put_json(&buf, schema, json, &err), FIRN_E_INVALID);
    }
}

/* A default that holds itself would expand for ever. */
static void recursive_defaults_are_bounded(void **state)
{
    const firn_avro_schema *schema =
        schema_of(*state, "{'type': 'record', 'name': 'r', 'fields': ["
                          "{'name': 'a', 'type': ['r', 'null'], 'default': {}},"
                          "{'name': 'b', 'type': ['r', 'null'], 'default': {}}]}");
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_err err = {0};
    json_t *json = firn_json_own(*state, json_object());
    assert_int_equal(firn_avro_put_json(&buf, schema, json, &err), FIRN_E_LIMIT);
}

static void skipping_uses_block_sizes_and_checks_them(void **state)
{
    const firn_avro_schema *schema = schema_of(*state, "{'type': 'array', 'items': 'string'}");
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_avro_put_long(&buf, -3); /* three items in 2 bytes: not looked into */
    firn_avro_put_long(&buf, 2);
    firn_buf_puts(&buf, "??");
    firn_avro_put_long(&buf, 0);
    firn_avro_cursor cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    assert_true(firn_avro_skip(&cursor, schema));
    assert_int_equal(firn_avro_remaining(&cursor), 0);

    firn_buf_clear(&buf);
    firn_avro_put_long(&buf, -3);
    firn_avro_put_long(&buf, 200);
    cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    assert_false(firn_avro_skip(&cursor, schema));
}

static void skipping_never_works_through_a_mere_claim(void **state)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_avro_put_long(&buf, INT64_MAX);
    firn_avro_put_long(&buf, 0);
    firn_avro_cursor cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    assert_true(firn_avro_skip(&cursor, schema_of(*state, "{'type': 'array', 'items': 'null'}")));
    cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    assert_false(firn_avro_skip(&cursor, schema_of(*state, "{'type': 'array', 'items': 'int'}")));
}

static void skipping_is_bounded_in_depth(void **state)
{
    const firn_avro_schema *node = schema_of(
        *state,
        "{'type': 'record', 'name': 'n', 'fields': [{'name': 'next', 'type': ['null', 'n']}]}");
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (int i = 0; i < 100000; i++)
        firn_avro_put_long(&buf, 1);
    firn_avro_put_long(&buf, 0);
    firn_avro_cursor cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    assert_false(firn_avro_skip(&cursor, node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(longs_are_zigzag_varints),
        arena_test(varints_of_more_than_64_bits_are_malformed),
        arena_test(ints_must_fit_32_bits),
        arena_test(other_primitives),
        arena_test(json_becomes_binary),
        arena_test(json_that_does_not_fit_is_invalid),
        arena_test(recursive_defaults_are_bounded),
        arena_test(skipping_uses_block_sizes_and_checks_them),
        arena_test(skipping_never_works_through_a_mere_claim),
        arena_test(skipping_is_bounded_in_depth),
    };
    return cmocka_run_group_tests_name("format/avro_codec", tests, NULL, NULL);
}
