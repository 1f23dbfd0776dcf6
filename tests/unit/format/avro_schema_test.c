/* Avro schemas: names and namespaces, recursion, attributes kept, logical types, what is refused. */
#include "avro_util.h"

static void primitives_by_name_or_object(void **state)
{
    assert_int_equal(schema_of(*state, "'long'")->kind, FIRN_AVRO_LONG);
    assert_int_equal(schema_of(*state, "{'type': 'string'}")->kind, FIRN_AVRO_STRING);
    assert_int_equal(schema_of(*state, "bytes")->kind, FIRN_AVRO_BYTES); /* without quotes */
}

static void names_are_resolved_in_their_namespace(void **state)
{
    const firn_avro_schema *outer = schema_of(
        *state, "{'type': 'record', 'name': 'Outer', 'namespace': 'a.b', 'fields': ["
                "{'name': 'x', 'type': {'type': 'fixed', 'name': 'F', 'size': 4}},"
                "{'name': 'y', 'type': 'F'},"
                "{'name': 'z', 'type': 'a.b.F'},"
                "{'name': 'w', 'type': {'type': 'enum', 'name': 'c.E', 'symbols': ['A']}},"
                "{'name': 'v', 'type': 'c.E'}]}");
    assert_string_equal(outer->name, "a.b.Outer");
    assert_string_equal(outer->fields[0].type->name, "a.b.F");
    assert_ptr_equal(outer->fields[1].type, outer->fields[0].type);
    assert_ptr_equal(outer->fields[2].type, outer->fields[0].type);
    assert_string_equal(outer->fields[3].type->name, "c.E");
    assert_ptr_equal(outer->fields[4].type, outer->fields[3].type);
}

static void recursive_types_are_cyclic_graphs(void **state)
{
    const firn_avro_schema *node = schema_of(
        *state, "{'type': 'record', 'name': 'Node', 'fields': ["
                "{'name': 'v', 'type': 'int'}, {'name': 'next', 'type': ['null', 'Node']}]}");
    assert_ptr_equal(node->fields[1].type->branches[1], node);
    assert_int_equal(node->encoded_size_min, 2);
}

static void iceberg_attributes_are_lifted_and_the_rest_kept(void **state)
{
    const firn_avro_schema *r = schema_of(
        *state,
        "{'type': 'record', 'name': 'r', 'fields': ["
        "{'name': 'a', 'field-id': 7, 'iceberg-field-name': 'a b', 'type':"
        " {'type': 'array', 'element-id': 8, 'items': 'int'}},"
        "{'name': 'm', 'type': {'type': 'map', 'key-id': 9, 'value-id': 10, 'values': 'int'}},"
        "{'name': 't', 'type': {'type': 'long', 'logicalType': 'timestamp-micros',"
        " 'adjust-to-utc': false}}]}");
    assert_int_equal(r->fields[0].field_id, 7);
    assert_int_equal(r->fields[0].type->element_id, 8);
    assert_int_equal(r->fields[1].field_id, -1);
    assert_int_equal(r->fields[1].type->key_id, 9);
    assert_int_equal(r->fields[1].type->value_id, 10);
    assert_int_equal(r->fields[2].type->logical, FIRN_AVRO_TIMESTAMP_MICROS);
    assert_int_equal(r->fields[2].type->adjust_to_utc, 0);
    assert_string_equal(json_string_value(json_object_get(r->fields[0].json, "iceberg-field-name")),
                        "a b");
    assert_ptr_equal(firn_avro_schema_field(r, "m"), &r->fields[1]);
    assert_ptr_equal(firn_avro_schema_field_by_id(r, 7), &r->fields[0]);
    assert_null(firn_avro_schema_field_by_id(r, 8));
}

static void logical_types_that_do_not_fit_are_ignored(void **state)
{
    static const struct {
        const char *text;
        firn_avro_logical want;
    } cases[] = {
        {"{'type': 'int', 'logicalType': 'date'}", FIRN_AVRO_DATE},
        {"{'type': 'long', 'logicalType': 'date'}", FIRN_AVRO_LOGICAL_NONE},
        {"{'type': 'int', 'logicalType': 'whatever'}", FIRN_AVRO_LOGICAL_NONE},
        {"{'type': 'bytes', 'logicalType': 'decimal', 'precision': 4, 'scale': 2}",
         FIRN_AVRO_DECIMAL},
        {"{'type': 'bytes', 'logicalType': 'decimal', 'precision': 2, 'scale': 4}",
         FIRN_AVRO_LOGICAL_NONE},
        {"{'type': 'fixed', 'name': 'd', 'size': 4, 'logicalType': 'decimal', 'precision': 9}",
         FIRN_AVRO_DECIMAL},
        {"{'type': 'fixed', 'name': 'd', 'size': 4, 'logicalType': 'decimal', 'precision': 10}",
         FIRN_AVRO_LOGICAL_NONE},
        {"{'type': 'fixed', 'name': 'd', 'size': 16, 'logicalType': 'decimal', 'precision': 38}",
         FIRN_AVRO_DECIMAL},
        {"{'type': 'fixed', 'name': 'u', 'size': 16, 'logicalType': 'uuid'}", FIRN_AVRO_UUID},
        {"{'type': 'fixed', 'name': 'u', 'size': 15, 'logicalType': 'uuid'}",
         FIRN_AVRO_LOGICAL_NONE},
        {"{'type': 'fixed', 'name': 'u', 'size': 12, 'logicalType': 'duration'}",
         FIRN_AVRO_DURATION},
        {"{'type': 'array', 'logicalType': 'map', 'items': 'int'}", FIRN_AVRO_LOGICAL_NONE},
        {"{'type': 'array', 'logicalType': 'map', 'items': {'type': 'record', 'name': 'kv', 'fields':"
         " [{'name': 'key', 'type': 'int'}, {'name': 'value', 'type': 'int'}]}}",
         FIRN_AVRO_LOGICAL_MAP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(schema_of(*state, cases[i].text)->logical, cases[i].want);
}

static void optional_types_unwrap(void **state)
{
    bool nullable;
    const firn_avro_schema *u = schema_of(*state, "['null', 'int']");
    assert_int_equal(firn_avro_schema_unwrap(u, &nullable)->kind, FIRN_AVRO_INT);
    assert_true(nullable);
    u = schema_of(*state, "['int', 'null']");
    assert_int_equal(firn_avro_schema_unwrap(u, &nullable)->kind, FIRN_AVRO_INT);
    assert_true(nullable);
    u = schema_of(*state, "['int']");
    assert_int_equal(firn_avro_schema_unwrap(u, &nullable)->kind, FIRN_AVRO_INT);
    assert_false(nullable);
    u = schema_of(*state, "['int', 'string']");
    assert_ptr_equal(firn_avro_schema_unwrap(u, &nullable), u);
    assert_false(nullable);
}

static void least_sizes_bound_what_counts_may_claim(void **state)
{
    assert_int_equal(schema_of(*state, "'null'")->encoded_size_min, 0);
    assert_int_equal(schema_of(*state, "{'type': 'array', 'items': 'null'}")->encoded_size_min, 1);
    assert_int_equal(
        schema_of(*state, "{'type': 'fixed', 'name': 'f', 'size': 0}")->encoded_size_min, 0);
    const char *r = "{'type': 'record', 'name': 'r', 'fields': [{'name': 'a', 'type': 'double'},"
                    "{'name': 'b', 'type': 'null'}, {'name': 'c', 'type': ['null', 'double']}]}";
    assert_int_equal(schema_of(*state, r)->encoded_size_min, 9);
}

static void the_same_definition_twice_is_the_same_type(void **state)
{
    const firn_avro_schema *r =
        schema_of(*state, "{'type': 'record', 'name': 'r', 'fields': ["
                          "{'name': 'a', 'type': {'type': 'fixed', 'name': 'f', 'size': 2}},"
                          "{'name': 'b', 'type': {'type': 'fixed', 'name': 'f', 'size': 2}}]}");
    assert_ptr_equal(r->fields[0].type, r->fields[1].type);
}

static void bad_schemas_are_refused_with_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"'nope'", "unknown type \"nope\""},
        {"{", "not valid JSON"},
        {"7", "a type must be"},
        {"{'name': 'x'}", "without \"type\""},
        {"[]", "without branches"},
        {"['null', ['int']]", "a union directly inside a union"},
        {"['int', 'int']", "two branches \"int\""},
        {"{'type': 'array'}", "no \"items\""},
        {"{'type': 'map'}", "no \"values\""},
        {"{'type': 'enum', 'name': 'e', 'symbols': []}", "no symbols"},
        {"{'type': 'enum', 'name': 'e', 'symbols': ['A', 'A']}", "symbol \"A\" twice"},
        {"{'type': 'enum', 'name': 'e', 'symbols': ['A'], 'default': 'B'}", "default \"B\""},
        {"{'type': 'fixed', 'name': 'f', 'size': -1}", "no size"},
        {"{'type': 'record', 'fields': []}", "no name"},
        {"{'type': 'record', 'name': 'r'}", "no array of fields"},
        {"{'type': 'record', 'name': 'r', 'fields': [{'name': 'a', 'type': 'int'},"
         "{'name': 'a', 'type': 'int'}]}",
         "two fields \"a\""},
        {"{'type': 'record', 'name': 'r', 'fields': [{'name': 'a', 'type': 'what'}]}",
         "record \"r\": field \"a\": unknown type \"what\""},
        {"{'type': 'record', 'name': 'r', 'fields': [{'name': 'a', 'type': 'r'}]}",
         "contains itself"},
        {"{'type': 'record', 'name': 'r', 'fields': ["
         "{'name': 'a', 'type': {'type': 'fixed', 'name': 'f', 'size': 2}},"
         "{'name': 'b', 'type': {'type': 'fixed', 'name': 'f', 'size': 3}}]}",
         "type \"f\" is defined twice"},
    };
    firn_err err = {0};
    const firn_avro_schema *schema;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        firn_bytes text = firn_bytes_str(json_of(*state, cases[i].text));
        assert_fails(firn_avro_schema_parse(*state, text, "m0.avro", &schema, &err), FIRN_E_CORRUPT,
                     &err, cases[i].message);
        assert_non_null(strstr(err.message, "m0.avro"));
    }
}

static void nesting_is_bounded(void **state)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    for (int i = 0; i < 100; i++)
        firn_buf_puts(&text, "{\"type\":\"array\",\"items\":");
    firn_buf_puts(&text, "\"int\"");
    for (int i = 0; i < 100; i++)
        firn_buf_puts(&text, "}");
    firn_err err = {0};
    const firn_avro_schema *schema;
    assert_fails(firn_avro_schema_parse(*state, firn_buf_bytes(&text), "test", &schema, &err),
                 FIRN_E_LIMIT, &err, "nested more than 64 deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(primitives_by_name_or_object),
        arena_test(names_are_resolved_in_their_namespace),
        arena_test(recursive_types_are_cyclic_graphs),
        arena_test(iceberg_attributes_are_lifted_and_the_rest_kept),
        arena_test(logical_types_that_do_not_fit_are_ignored),
        arena_test(optional_types_unwrap),
        arena_test(least_sizes_bound_what_counts_may_claim),
        arena_test(the_same_definition_twice_is_the_same_type),
        arena_test(bad_schemas_are_refused_with_the_place),
        arena_test(nesting_is_bounded),
    };
    return cmocka_run_group_tests_name("format/avro_schema", tests, NULL, NULL);
}
