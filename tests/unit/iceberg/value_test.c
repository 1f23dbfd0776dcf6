/* Single values: bytes, JSON and text as the Java implementation writes them, order, bounds, literals. */
#include "metadata_testing.h"

#include <math.h>

static firn_value golden_value(const firn_type *type, const json_t *json)
{
    firn_value value;
    if (json_is_string(json) && type->id != FIRN_TYPE_STRING)
        MUST(firn_value_from_text(arena, type, json_string_value(json), &value, &err));
    else
        MUST(firn_value_from_json(arena, type, json, &value, &err));
    return value;
}

static bool is_finite(const firn_value *value)
{
    return !(value->type == FIRN_TYPE_FLOAT && !isfinite(value->f32)) &&
           !(value->type == FIRN_TYPE_DOUBLE && !isfinite(value->f64));
}

static void golden_single_values(void **state)
{
    (void)state;
    json_t *list = json_object_get(golden_json("values.json"), "single_values");
    size_t n_checked = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const firn_type *type =
            firn_type_parse_primitive(arena, json_string_value(json_object_get(item, "type")));
        if (!type)
            continue; /* defaults of nested types */
        firn_value expected = golden_value(type, json_object_get(item, "value"));
        firn_value value, again;
        firn_bytes bytes;
        assert_true(firn_unhex(arena, json_string_value(json_object_get(item, "binary")), &bytes));
        MUST(firn_value_decode(type, bytes, &value, &err));
        assert_int_equal(firn_value_cmp(&value, &expected), 0);
        firn_bytes encoded = firn_value_encode(arena, &expected);
        assert_int_equal(firn_bytes_cmp(encoded, bytes), 0);
        if (is_finite(&value)) {
            json_t *json = firn_json_own(arena, firn_value_to_json(arena, type, &value));
            json_t *golden = json_object_get(item, "json");
            if (type->id == FIRN_TYPE_FIXED || type->id == FIRN_TYPE_BINARY)
                assert_true(firn_strcaseeq(json_string_value(json), json_string_value(golden)));
            else if (!json_equal(json, golden))
                fail_msg("%s is not %s", firn_json_text(arena, json),
                         firn_json_text(arena, golden));
            MUST(firn_value_from_json(arena, type, json, &again, &err));
            assert_int_equal(firn_value_cmp(&value, &again), 0);
        }
        n_checked++;
    }
    assert_true(n_checked > 100);
}

static void golden_promoted_values(void **state)
{
    (void)state;
    json_t *list = json_object_get(golden_json("values.json"), "promoted");
    assert_true(json_array_size(list) > 5);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const firn_type *type = type_of(json_string_value(json_object_get(item, "read_as")));
        firn_value expected = golden_value(type, json_object_get(item, "value")), value;
        firn_bytes bytes;
        assert_true(firn_unhex(arena, json_string_value(json_object_get(item, "binary")), &bytes));
        MUST(firn_value_decode(type, bytes, &value, &err));
        assert_int_equal(firn_value_cmp(&value, &expected), 0);
    }
}

static void golden_truncated_bounds(void **state)
{
    (void)state;
    json_t *list = json_object_get(golden_json("values.json"), "truncated");
    assert_true(json_array_size(list) > 20);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *type = json_string_value(json_object_get(item, "type"));
        size_t width = (size_t)json_integer_value(json_object_get(item, "length"));
        firn_value value = {.type = type_of(type)->id}, upper;
        assert_true(
            firn_unhex(arena, json_string_value(json_object_get(item, "value_hex")), &value.bytes));
        firn_value lower = firn_value_truncate_lower(arena, &value, width);
        assert_string_equal(firn_hex(arena, lower.bytes),
                            json_string_value(json_object_get(item, "lower_hex")));
        const char *upper_hex = json_string_value(json_object_get(item, "upper_hex"));
        assert_int_equal(firn_value_truncate_upper(arena, &value, width, &upper),
                         upper_hex != NULL);
        if (upper_hex)
            assert_string_equal(firn_hex(arena, upper.bytes), upper_hex);
    }
}

static void upper_bounds_skip_surrogates_and_overflow(void **state)
{
    (void)state;
    firn_value value = {.type = FIRN_TYPE_STRING}, upper;
    value.bytes = firn_bytes_str("\xed\x9f\xbf!"); /* U+D7FF */
    assert_true(firn_value_truncate_upper(arena, &value, 1, &upper));
    assert_string_equal(firn_hex(arena, upper.bytes), "ee8080"); /* U+E000 */
    value.bytes = firn_bytes_str("\x7f!");
    assert_true(firn_value_truncate_upper(arena, &value, 1, &upper));
    assert_string_equal(firn_hex(arena, upper.bytes), "c280");
    value.bytes = firn_bytes_str("a\xf4\x8f\xbf\xbf!"); /* a, U+10FFFF */
    assert_true(firn_value_truncate_upper(arena, &value, 2, &upper));
    assert_string_equal(firn_hex(arena, upper.bytes), "62");
    value.bytes = firn_bytes_str("\xf4\x8f\xbf\xbf!");
    assert_false(firn_value_truncate_upper(arena, &value, 1, &upper));
    value.bytes = firn_bytes_str("\xff\xfe!"); /* not UTF-8 */
    assert_false(firn_value_truncate_upper(arena, &value, 1, &upper));
    value.type = FIRN_TYPE_BINARY;
    value.bytes = firn_bytes_str("a\xff\xff!");
    assert_true(firn_value_truncate_upper(arena, &value, 3, &upper));
    assert_string_equal(firn_hex(arena, upper.bytes), "62");
}

static firn_rc decode(const char *type, const char *hex, firn_value *out, firn_err *err)
{
    firn_bytes bytes;
    assert_true(firn_unhex(arena, hex, &bytes));
    return firn_value_decode(type_of(type), bytes, out, err);
}

static void decode_refuses_other_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *type, *hex;
    } wrong[] = {
        {"boolean", ""},
        {"boolean", "0101"},
        {"int", "0102"},
        {"int", "0000000000000000"},
        {"long", "01"},
        {"float", "0000"},
        {"double", "000000"},
        {"date", ""},
        {"time", "00000000"},
        {"timestamptz", "00000000"},
        {"uuid", "00"},
        {"fixed[4]", "000000"},
        {"decimal(9, 2)", ""},
        {"decimal(9, 2)", "0100000000000000000000000000000000"},
        {"timestamp_ns", "0000000000"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        firn_value value;
        MUST_FAIL(decode(wrong[i].type, wrong[i].hex, &value, &err), FIRN_E_CORRUPT, "bytes long");
    }
    firn_value value;
    MUST(decode("decimal(9, 2)", "ffffffffffffffffffffffffffffffffffff9c", &value, &err));
    assert_string_equal(firn_value_text(arena, NULL, &value), "-1.00");
}

static void dates_become_timestamps(void **state)
{
    (void)state;
    firn_value value;
    MUST(decode("timestamp", "01000000", &value, &err));
    assert_int_equal(value.i64, INT64_C(86400000000));
    MUST(decode("timestamp_ns", "ffffffff", &value, &err));
    assert_int_equal(value.i64, INT64_C(-86400000000000));
    MUST(decode("timestamp_ns", "41c62d00", &value,
                &err)); /* 9999-12-31 and beyond stop at the end */
    assert_int_equal(value.i64, INT64_MAX);
}

static int cmp(const char *type_a, const char *a, const char *type_b, const char *b)
{
    firn_value x = value_of(type_a, a), y = value_of(type_b, b);
    int order = firn_value_cmp(&x, &y);
    assert_int_equal(firn_value_cmp(&y, &x), -order);
    return order;
}

static void order_of_values(void **state)
{
    (void)state;
    assert_true(cmp("double", "-0.0", "double", "0.0") < 0);
    assert_true(cmp("float", "NaN", "float", "Infinity") > 0);
    assert_true(cmp("double", "NaN", "float", "NaN") == 0);
    assert_true(cmp("int", "-5", "long", "3") < 0);
    assert_true(cmp("float", "1.5", "double", "1.5") == 0);
    assert_true(cmp("decimal(9, 2)", "1.50", "decimal(9, 1)", "1.5") == 0);
    assert_true(cmp("decimal(9, 2)", "-1.51", "decimal(9, 1)", "-1.5") < 0);
    assert_true(cmp("decimal(38, 0)", "99999999999999999999999999999999999999", "decimal(38, 38)",
                    "0.99999999999999999999999999999999999999") > 0);
    assert_true(cmp("decimal(9, 2)", "2.00", "int", "2") == 0);
    assert_true(cmp("string", "\xef\xbf\xbd", "string", "\xf0\x90\x80\x80") <
                0); /* bytes, not UTF-16 */
    assert_true(cmp("string", "a", "string", "ab") < 0);
    assert_true(cmp("date", "2024-01-01", "date", "2024-01-02") < 0);
    assert_true(cmp("timestamp", "2024-01-01T00:00:00", "timestamp_ns",
                    "2024-01-01T00:00:00.000000001") < 0);
    firn_value null = firn_value_null(FIRN_TYPE_INT), one = value_of("int", "-7");
    assert_true(firn_value_cmp(&null, &one) < 0);
    assert_int_equal(firn_value_cmp(&null, &null), 0);
}

static void text_round_trips(void **state)
{
    (void)state;
    static const struct {
        const char *type, *text, *printed;
    } cases[] = {
        {"boolean", "true", "true"},
        {"int", "-2147483648", "-2147483648"},
        {"long", "9223372036854775807", "9223372036854775807"},
        {"float", "0.1", "0.1"},
        {"double", "1e300", "1.0E300"},
        {"double", "123456789.5", "1.234567895E8"},
        {"double", "-inf", "-Infinity"},
        {"decimal(38, 10)", "-12345678901234567890.0123456789", "-12345678901234567890.0123456789"},
        {"decimal(9, 2)", "1e2", "100.00"},
        {"decimal(9, 2)", "-0.05", "-0.05"},
        {"date", "2024-02-15", "2024-02-15"},
        {"time", "10:20:30.5", "10:20:30.5"},
        {"timestamp", "2024-02-15 10:20:30.123456", "2024-02-15 10:20:30.123456"},
        {"timestamp_ns", "1969-12-31 23:59:59.999999999", "1969-12-31 23:59:59.999999999"},
        {"timestamptz", "2024-02-15 10:20:30+02:00", "2024-02-15 08:20:30+00:00"},
        {"uuid", "F79C3E09-677c-4bbd-a479-3f349cb785e7", "f79c3e09-677c-4bbd-a479-3f349cb785e7"},
        {"fixed[2]", "0aFF", "0aff"},
        {"binary", "", ""},
        {"string", "it's", "it's"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        firn_value value = value_of(cases[i].type, cases[i].text);
        assert_string_equal(firn_value_text(arena, type_of(cases[i].type), &value),
                            cases[i].printed);
    }
    firn_value null = firn_value_null(FIRN_TYPE_STRING);
    assert_string_equal(firn_value_text(arena, type_of("string"), &null), "null");
}

static void text_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *text;
    } wrong[] = {
        {"boolean", "yes"},
        {"int", "2147483648"},
        {"int", "1.0"},
        {"int", ""},
        {"long", "1x"},
        {"double", "abc"},
        {"date", "2024-13-01"},
        {"date", "x"},
        {"time", "25:00:00"},
        {"timestamp", "tomorrow"},
        {"decimal(9, 2)", "1.234"},
        {"decimal(9, 2)", "."},
        {"decimal(9, 2)", "1e"},
        {"decimal(9, 2)", "1e999999"},
        {"decimal(38, 0)", "999999999999999999999999999999999999999999"},
        {"uuid", "1234"},
        {"fixed[2]", "0a"},
        {"binary", "0"},
        {"geometry", "POINT (1 2)"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        firn_value value;
        MUST_FAIL(firn_value_from_text(arena, type_of(wrong[i].type), wrong[i].text, &value, &err),
                  FIRN_E_TYPE, "is no value of type");
    }
}

static void json_of_the_wrong_shape_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *json;
    } wrong[] = {
        {"boolean", "[1]"},
        {"int", "[1.5]"},
        {"int", "[4294967296]"},
        {"long", "['1']"},
        {"float", "['1']"},
        {"decimal(9, 2)", "[1.25]"},
        {"decimal(9, 2)", "['1.2']"},
        {"date", "['2024']"},
        {"timestamp", "['2024-01-01T00:00:00+00:00']"},
        {"timestamptz", "['2024-01-01T00:00:00']"},
        {"timestamptz", "['2024-01-01T00:00:00+02:00']"},
        {"uuid", "['x']"},
        {"fixed[2]", "['000000']"},
        {"binary", "['0g']"},
        {"string", "[1]"},
        {"variant", "[1]"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        firn_value value;
        const json_t *json = json_array_get(json_of(wrong[i].json), 0);
        firn_err err = {0};
        assert_int_equal(firn_value_from_json(arena, type_of(wrong[i].type), json, &value, &err),
                         FIRN_E_INVALID);
    }
}

static const char *convert(const char *from, const char *text, const char *to)
{
    firn_value value = value_of(from, text), out;
    if (!firn_value_convert(arena, &value, type_of(to), &out))
        return "no";
    assert_int_equal(out.type, type_of(to)->id);
    return firn_value_text(arena, type_of(to), &out);
}

static void literals_convert_only_exactly(void **state)
{
    (void)state;
    assert_string_equal(convert("int", "5", "decimal(9, 2)"), "5.00");
    assert_string_equal(convert("long", "5000000000", "int"), "no");
    assert_string_equal(convert("long", "9007199254740993", "double"), "no");
    assert_string_equal(convert("long", "9007199254740992", "double"), "9.007199254740992E15");
    assert_string_equal(convert("int", "16777217", "float"), "no");
    assert_string_equal(convert("double", "3.0", "int"), "3");
    assert_string_equal(convert("double", "3.5", "int"), "no");
    assert_string_equal(convert("double", "0.1", "float"), "no");
    assert_string_equal(convert("double", "0.5", "float"), "0.5");
    assert_string_equal(convert("float", "0.1", "double"), "0.10000000149011612");
    assert_string_equal(convert("decimal(9, 2)", "12.50", "double"), "12.5");
    assert_string_equal(convert("decimal(9, 2)", "12.10", "double"), "no");
    assert_string_equal(convert("decimal(9, 2)", "12.50", "decimal(9, 1)"), "12.5");
    assert_string_equal(convert("decimal(9, 2)", "12.55", "decimal(9, 1)"), "no");
    assert_string_equal(convert("decimal(9, 2)", "12.00", "int"), "12");
    assert_string_equal(
        convert("decimal(38, 0)", "99999999999999999999999999999999999999", "decimal(38, 2)"),
        "no");
    assert_string_equal(convert("string", "2024-02-15", "date"), "2024-02-15");
    assert_string_equal(convert("string", "x", "date"), "no");
    assert_string_equal(convert("string", "12", "int"), "12");
    assert_string_equal(convert("string", "2024-02-15 10:00:00", "timestamp"),
                        "2024-02-15 10:00:00");
    assert_string_equal(convert("string", "2024-02-15 10:00:00+01:00", "timestamp"), "no");
    assert_string_equal(convert("string", "2024-02-15 10:00:00", "timestamptz"), "no");
    assert_string_equal(convert("string", "2024-02-15 10:00:00+01:00", "timestamptz"),
                        "2024-02-15 09:00:00+00:00");
    assert_string_equal(convert("string", "ff", "binary"), "no");
    assert_string_equal(convert("date", "2024-02-15", "timestamp"), "2024-02-15 00:00:00");
    assert_string_equal(convert("date", "9999-12-31", "timestamp_ns"), "no");
    assert_string_equal(convert("date", "2024-02-15", "timestamptz"), "no");
    assert_string_equal(convert("timestamp", "2024-02-15 00:00:00", "date"), "2024-02-15");
    assert_string_equal(convert("timestamp", "2024-02-15 00:00:01", "date"), "no");
    assert_string_equal(convert("timestamp", "2024-02-15 00:00:01", "timestamp_ns"),
                        "2024-02-15 00:00:01");
    assert_string_equal(convert("timestamp_ns", "2024-02-15 00:00:00.000000001", "timestamp"),
                        "no");
    assert_string_equal(convert("timestamp", "2024-02-15 00:00:01", "timestamptz"), "no");
    assert_string_equal(convert("binary", "0102", "fixed[2]"), "0102");
    assert_string_equal(convert("binary", "0102", "fixed[3]"), "no");
    assert_string_equal(convert("boolean", "true", "int"), "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(golden_single_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(golden_promoted_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(golden_truncated_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(upper_bounds_skip_surrogates_and_overflow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(decode_refuses_other_lengths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dates_become_timestamps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_of_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_round_trips, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_that_does_not_fit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_of_the_wrong_shape_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(literals_convert_only_exactly, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
