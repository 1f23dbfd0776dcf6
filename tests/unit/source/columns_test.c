/* Declared columns: what becomes what, and what is said of mistakes. */
#include "columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const firn_avro_schema *parse(firn_arena *arena, const char *text)
{
    firn_err err = {0};
    const firn_avro_schema *schema;
    if (firn_columns_parse(arena, text, &schema, &err) != FIRN_OK)
        fail_msg("%s", err.message);
    return schema;
}

/* The JSON of the only column's type. */
static void check(const char *type, const char *json)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *text = firn_arena_printf(arena, "c %s not null", type);
    const firn_avro_schema *schema = parse(arena, text);
    assert_int_equal(schema->field_count, 1);
    assert_string_equal(firn_json_text(arena, json_object_get(schema->fields[0].json, "type")),
                        json);
}

static void test_types(void **state)
{
    (void)state;
    check("BIGINT", "\"long\"");
    check("integer", "\"int\"");
    check("double precision", "\"double\"");
    check("varchar(20)", "\"string\"");
    check("timestamptz", "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}");
    check("timestamp", "{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}");
    check("timestamp with time zone", "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}");
    check("timestamp without time zone",
          "{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}");
    check("uuid", "{\"type\":\"string\",\"logicalType\":\"uuid\"}");
    check("decimal(10, 2)", "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":10,"
                            "\"scale\":2}");
    check("numeric",
          "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":0}");
    check("int[]", "{\"type\":\"array\",\"items\":[\"null\",\"int\"]}");
    check("array<array<date>>",
          "{\"type\":\"array\",\"items\":[\"null\",{\"type\":\"array\",\"items\":[\"null\","
          "{\"type\":\"int\",\"logicalType\":\"date\"}]}]}");
    check("map<string, double>", "{\"type\":\"map\",\"values\":[\"null\",\"double\"]}");
    check("struct<a int, b: string not null>",
          "{\"type\":\"record\",\"name\":\"r1\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\","
          "\"int\"]},{\"name\":\"b\",\"type\":\"string\"}]}");
}

static void test_columns(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_avro_schema *schema = parse(
        arena, " id bigint NOT NULL,\n\"odd \"\"name\" int , `x` row(a row(b int)) null,größe "
               "text");
    assert_int_equal(schema->field_count, 4);
    assert_int_equal(schema->fields[0].type->kind, FIRN_AVRO_LONG);
    assert_string_equal(schema->fields[1].name, "odd \"name");
    assert_int_equal(schema->fields[1].type->kind, FIRN_AVRO_UNION);
    assert_string_equal(schema->fields[2].name, "x");
    assert_string_equal(schema->fields[3].name, "größe");
}

static void test_mistakes_are_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "a column's name expected at position 1"},
        {"id", "a type expected at position 3"},
        {"id bigint,", "a column's name expected at position 11"},
        {"id bigin", "a type expected at position 4"},
        {"id bigint x", "\",\" or the end expected at position 11"},
        {"id bigint not", "\"null\" expected"},
        {"\"id bigint", "the end of a quoted name"},
        {"a struct<b int", "\",\" or the end expected"},
        {"a array<int", "the end of the array's type"},
        {"a map<int, int>", "a map from string"},
        {"a decimal(39)", "a decimal of 1 to 38 digits"},
        {"a decimal(2, 3)", "a decimal of 1 to 38 digits"},
        {"a timestamp with zone", "\"time zone\" expected"},
        {"a int, a int", "two fields \"a\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_err err = {0};
        const firn_avro_schema *schema;
        firn_rc rc = firn_columns_parse(arena, cases[i].text, &schema, &err);
        assert_int_not_equal(rc, FIRN_OK);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" gives: %s", cases[i].text, err.message);
    }
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_buf text = {0};
    firn_buf_puts(&text, "a ");
    for (int i = 0; i < 10000; i++)
        firn_buf_puts(&text, "array<");
    firn_err err;
    const firn_avro_schema *schema;
    assert_int_equal(firn_columns_parse(arena, firn_buf_cstr(&text), &schema, &err), FIRN_E_LIMIT);
    firn_buf_clear(&text);
    firn_buf_puts(&text, "a int");
    for (int i = 0; i < 100; i++)
        firn_buf_puts(&text, "[]");
    assert_int_not_equal(firn_columns_parse(arena, firn_buf_cstr(&text), &schema, &err), FIRN_OK);
    firn_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_mistakes_are_shown),
        cmocka_unit_test(test_depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
