/* Single data as trees: recursion, resolution of recursive types, bounds, JSON. */
#include "avro_util.h"

static const char *const node =
    "{'type': 'record', 'name': 'Node', 'fields': [{'name': 'v', 'type': 'int'},"
    "{'name': 'next', 'type': ['null', 'Node'], 'default': null}]}";

static char *decode_text(firn_arena *arena, const char *writer, const char *reader,
                         const char *datum)
{
    firn_err err = {0};
    const firn_avro_schema *from = schema_of(arena, writer);
    const firn_avro_schema *to = reader ? schema_of(arena, reader) : NULL;
    firn_avro_cursor cursor = firn_avro_cursor_of(datum_of(arena, from, datum));
    firn_avro_value value;
    assert_ok(firn_avro_value_decode(arena, from, to, NULL, &cursor, &value, &err), &err);
    assert_int_equal(firn_avro_remaining(&cursor), 0);
    return firn_str_replace(arena, firn_json_text(arena, firn_avro_value_json(arena, &value)), "\"",
                            "'");
}

static void trees_come_back_as_json(void **state)
{
    static const char *const cases[][2] = {
        {"'null'", "null"},
        {"['null', 'string']", "'x'"},
        {"{'type': 'array', 'items': {'type': 'map', 'values': 'boolean'}}", "[{'k':true},{}]"},
        {"{'type': 'enum', 'name': 'e', 'symbols': ['A', 'B']}", "'B'"},
        {"'double'", "'NaN'"},
        {"'bytes'", "'\xc3\xbf'"}, /* the byte FF as U+00FF */
        {node, "{'v':1,'next':{'v':2,'next':null}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(decode_text(*state, cases[i][0], NULL, cases[i][1]), cases[i][1]);
}

static void recursive_types_resolve(void **state)
{
    const char *reader = "{'type': 'record', 'name': 'Node', 'fields': ["
                         "{'name': 'next', 'type': ['null', 'Node'], 'default': null},"
                         "{'name': 'label', 'type': 'string', 'default': 'none'},"
                         "{'name': 'v', 'type': 'double'}]}";
    assert_string_equal(
        decode_text(*state, node, reader, "{'v': 1, 'next': {'v': 2, 'next': null}}"),
        "{'next':{'next':null,'label':'none','v':2.0},'label':'none','v':1.0}");
}

/* The record that fails to resolve is recursive, and only one branch of a union leads to it. */
static void recursive_types_that_do_not_resolve_fail_when_met(void **state)
{
    const char *writer =
        "['int', {'type': 'record', 'name': 'N', 'fields': ["
        "{'name': 'next', 'type': ['null', 'N']}, {'name': 'v', 'type': 'string'}]}]";
    const char *reader = "['int', {'type': 'record', 'name': 'N', 'fields': ["
                         "{'name': 'next', 'type': ['null', 'N']}, {'name': 'v', 'type': 'int'}]}]";
    assert_string_equal(decode_text(*state, writer, reader, "3"), "3");
    firn_err err = {0};
    const firn_avro_schema *from = schema_of(*state, writer);
    firn_avro_cursor cursor =
        firn_avro_cursor_of(datum_of(*state, from, "{'next': null, 'v': 'x'}"));
    firn_avro_value value;
    assert_fails(firn_avro_value_decode(*state, from, schema_of(*state, reader), NULL, &cursor,
                                        &value, &err),
                 FIRN_E_TYPE, &err,
                 "field \"v\": Avro data written as string cannot be read as int");
}

static void depth_is_bounded(void **state)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (int i = 0; i < 100000; i++) {
        firn_avro_put_long(&buf, i);
        firn_avro_put_long(&buf, 1);
    }
    firn_err err = {0};
    firn_avro_cursor cursor = firn_avro_cursor_of(firn_buf_bytes(&buf));
    firn_avro_value value;
    assert_fails(
        firn_avro_value_decode(*state, schema_of(*state, node), NULL, NULL, &cursor, &value, &err),
        FIRN_E_LIMIT, &err, "nested more than");
}

static void fields_are_found_by_name(void **state)
{
    firn_err err = {0};
    const firn_avro_schema *schema = schema_of(*state, node);
    firn_avro_cursor cursor = firn_avro_cursor_of(datum_of(*state, schema, "{'v': 42}"));
    firn_avro_value value;
    assert_ok(firn_avro_value_decode(*state, schema, NULL, NULL, &cursor, &value, &err), &err);
    assert_int_equal(firn_avro_value_field(&value, "v")->integer, 42);
    assert_int_equal(firn_avro_value_field(&value, "next")->schema->kind, FIRN_AVRO_NULL);
    assert_null(firn_avro_value_field(&value, "nope"));
}

static void unions_prefer_the_same_type_over_a_promotion(void **state)
{
    const char *reader = "['double', 'long', 'int']";
    firn_err err = {0};
    const firn_avro_schema *writer = schema_of(*state, "'int'");
    firn_avro_cursor cursor = firn_avro_cursor_of(datum_of(*state, writer, "5"));
    firn_avro_value value;
    assert_ok(firn_avro_value_decode(*state, writer, schema_of(*state, reader), NULL, &cursor,
                                     &value, &err),
              &err);
    assert_int_equal(value.schema->kind, FIRN_AVRO_INT);
}

static void cut_data_is_corrupt_everywhere(void **state)
{
    const firn_avro_schema *schema =
        schema_of(*state, "{'type': 'record', 'name': 'r', 'fields': ["
                          "{'name': 'm', 'type': {'type': 'map', 'values': ['null', 'double']}},"
                          "{'name': 'f', 'type': {'type': 'fixed', 'name': 'f', 'size': 3}},"
                          "{'name': 's', 'type': 'string'}]}");
    firn_bytes datum =
        datum_of(*state, schema, "{'m': {'a': 1.5, 'b': null}, 'f': 'xyz', 's': 'text'}");
    for (size_t len = 0; len < datum.len; len++) {
        firn_err err = {0};
        uint8_t *copy = firn_arena_memdup(*state, datum.data, len);
        firn_avro_cursor cursor = firn_avro_cursor_of(firn_bytes_of(copy, len));
        firn_avro_value value;
        assert_int_equal(firn_avro_value_decode(*state, schema, NULL, NULL, &cursor, &value, &err),
                         FIRN_E_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(trees_come_back_as_json),
        arena_test(recursive_types_resolve),
        arena_test(recursive_types_that_do_not_resolve_fail_when_met),
        arena_test(depth_is_bounded),
        arena_test(fields_are_found_by_name),
        arena_test(unions_prefer_the_same_type_over_a_promotion),
        arena_test(cut_data_is_corrupt_everywhere),
    };
    return cmocka_run_group_tests_name("format/avro_value", tests, NULL, NULL);
}
