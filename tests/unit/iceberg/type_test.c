/* Types and schemas: text, JSON, look-ups by id and path, fresh ids. */
#include "metadata_testing.h"

static const char nested_schema[] =
    "{'type': 'struct', 'schema-id': 3, 'identifier-field-ids': [1], 'fields': ["
    " {'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"
    " {'id': 2, 'name': 'point', 'required': true, 'type': {'type': 'struct', 'fields': ["
    "    {'id': 3, 'name': 'x', 'required': true, 'type': 'double', 'doc': 'left to right'},"
    "    {'id': 4, 'name': 'Y', 'required': false, 'type': 'double'}]}},"
    " {'id': 5, 'name': 'tags', 'required': false, 'type': {'type': 'list', 'element-id': 6,"
    "    'element': 'string', 'element-required': true}},"
    " {'id': 7, 'name': 'places', 'required': false, 'type': {'type': 'map', 'key-id': 8,"
    "    'key': 'string', 'value-id': 9, 'value': {'type': 'struct', 'fields': ["
    "       {'id': 10, 'name': 'lat', 'required': false, 'type': 'float', 'initial-default': 1.5,"
    "        'write-default': 2.5}]}, 'value-required': false}},"
    " {'id': 11, 'name': 'point.x', 'required': false, 'type': 'int'},"
    " {'id': 12, 'name': 'Amount', 'required': false, 'type': 'decimal(9, 2)'},"
    " {'id': 13, 'name': 'amount', 'required': false, 'type': 'fixed[16]'}]}";

static void primitive_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
        int min_version;
    } names[] = {
        {"boolean", "boolean", 1},
        {"INT", "int", 1},
        {"decimal(9,2)", "decimal(9, 2)", 1},
        {"decimal( 38 , 0 )", "decimal(38, 0)", 1},
        {"fixed[ 16 ]", "fixed[16]", 1},
        {"timestamptz", "timestamptz", 1},
        {"timestamp_ns", "timestamp_ns", 3},
        {"timestamptz_ns", "timestamptz_ns", 3},
        {"unknown", "unknown", 3},
        {"variant", "variant", 3},
        {"geometry", "geometry", 3},
        {"geometry(srid:4326)", "geometry(srid:4326)", 3},
        {"geography(OGC:CRS84,  karney)", "geography(OGC:CRS84, karney)", 3},
        {"geography", "geography", 3},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const firn_type *type = type_of(names[i].text);
        assert_string_equal(firn_type_text(arena, type), names[i].canonical);
        assert_int_equal(firn_type_min_version(type), names[i].min_version);
    }
    static const char *const wrong[] = {
        "",
        "integer",
        "struct",
        "list",
        "decimal",
        "decimal(9)",
        "decimal(0, 0)",
        "decimal(39, 0)",
        "decimal(9, 2",
        "decimal(9, 2)x",
        "fixed",
        "fixed[]",
        "fixed[-1]",
        "fixed[9999999999]",
        "int ",
        "geometry(",
        "geometry)",
        "geography(a(b), c)",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_null(firn_type_parse_primitive(arena, wrong[i]));
}

static void schemas_round_trip(void **state)
{
    (void)state;
    json_t *json = json_of(nested_schema);
    firn_schema *schema = schema_of(nested_schema);
    assert_int_equal(schema->schema_id, 3);
    assert_int_equal(schema->n_identifier_field_ids, 1);
    json_t *again = firn_json_own(arena, firn_schema_to_json(schema));
    assert_true(json_equal(json, again));
    assert_string_equal(firn_type_text(arena, schema->root.fields[1].type),
                        "struct<3: x: required double (left to right), 4: Y: optional double>");
    assert_string_equal(firn_type_text(arena, schema->root.fields[3].type),
                        "map<string, struct<10: lat: optional float>>");
}

/* The schema must not depend on the caller's JSON after it was read. */
static void schemas_outlive_their_json(void **state)
{
    (void)state;
    json_t *json = json_loads("{\"type\": \"struct\", \"fields\": [{\"id\": 1, \"name\": \"a\","
                              " \"required\": false, \"type\": \"int\", \"doc\": \"d\"}]}",
                              0, NULL);
    firn_schema *schema = NULL;
    MUST(firn_schema_from_json(arena, json, "test", &schema, &err));
    json_decref(json);
    assert_string_equal(schema->root.fields[0].name, "a");
    assert_string_equal(schema->root.fields[0].doc, "d");
    assert_int_equal(schema->schema_id, 0);
}

static int32_t id_of(const firn_schema *schema, const char *path, bool case_sensitive)
{
    const firn_field *field = firn_schema_find_name(schema, path, case_sensitive);
    return field ? field->id : -1;
}

static void fields_are_found_by_path(void **state)
{
    (void)state;
    const firn_schema *schema = schema_of(nested_schema);
    assert_int_equal(id_of(schema, "id", true), 1);
    assert_int_equal(id_of(schema, "ID", true), -1);
    assert_int_equal(id_of(schema, "ID", false), 1);
    assert_int_equal(id_of(schema, "point.Y", true), 4);
    assert_int_equal(id_of(schema, "POINT.y", false), 4);
    assert_int_equal(id_of(schema, "tags.element", true), 6);
    assert_int_equal(id_of(schema, "places.key", true), 8);
    assert_int_equal(id_of(schema, "places.value.lat", true), 10);
    assert_int_equal(id_of(schema, "places.lat", true), 10); /* short form */
    assert_int_equal(id_of(schema, "amount", false), 13);    /* exact before inexact */
    assert_int_equal(id_of(schema, "AMOUNT", false), -1);    /* two columns it could be */
    assert_int_equal(id_of(schema, "point.", true), -1);
    assert_int_equal(id_of(schema, "", true), -1);
    assert_int_equal(id_of(schema, "point.z", false), -1);
}

static void fields_are_found_by_id(void **state)
{
    (void)state;
    const firn_schema *schema = schema_of(nested_schema);
    assert_string_equal(firn_schema_find_id(schema, 10)->name, "lat");
    assert_null(firn_schema_find_id(schema, 99));
    assert_string_equal(firn_schema_path(arena, schema, 10), "places.value.lat");
    assert_string_equal(firn_schema_path(arena, schema, 6), "tags.element");
    assert_string_equal(firn_schema_path(arena, schema, 1), "id");
    assert_null(firn_schema_path(arena, schema, 99));
    assert_int_equal(firn_schema_highest_id(schema), 13);
}

static void collect(void *ctx, const firn_field *field, const firn_field *parent, const char *path)
{
    firn_buf *buf = ctx;
    firn_buf_printf(buf, "%d<%d:%s ", field->id, parent ? parent->id : 0, path);
}

static void visits_go_parents_first(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_schema_visit(arena, schema_of(nested_schema), collect, &buf);
    assert_string_equal(firn_buf_cstr(&buf),
                        "1<0:id 2<0:point 3<2:point.x 4<2:point.Y 5<0:tags 6<5:tags.element "
                        "7<0:places 8<7:places.key 9<7:places.value 10<9:places.value.lat "
                        "11<0:point.x 12<0:Amount 13<0:amount ");
}

static void fresh_ids_go_level_by_level(void **state)
{
    (void)state;
    int32_t last_id = 0;
    const firn_schema *schema = schema_of(nested_schema);
    const firn_schema *fresh = firn_schema_assign_fresh_ids(arena, schema, &last_id);
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_schema_visit(arena, fresh, collect, &buf);
    assert_string_equal(firn_buf_cstr(&buf),
                        "1<0:id 2<0:point 8<2:point.x 9<2:point.Y 3<0:tags 10<3:tags.element "
                        "4<0:places 11<4:places.key 12<4:places.value 13<12:places.value.lat "
                        "5<0:point.x 6<0:Amount 7<0:amount ");
    assert_int_equal(last_id, 13);
    assert_int_equal(fresh->n_identifier_field_ids, 1);
    assert_int_equal(fresh->identifier_field_ids[0], 1);
    assert_int_equal(firn_schema_find_name(schema, "places.value.lat", true)->id, 10);
}

static void equality_sees_ids_names_and_types(void **state)
{
    (void)state;
    const firn_schema *a = schema_of(nested_schema), *b = schema_of(nested_schema);
    assert_true(firn_type_equal(&a->root, &b->root));
    b->root.fields[0].required = false;
    assert_false(firn_type_equal(&a->root, &b->root));
    assert_false(firn_type_equal(type_of("decimal(9, 2)"), type_of("decimal(9, 3)")));
    assert_false(firn_type_equal(type_of("geometry"), type_of("geometry(srid:1)")));
    assert_true(firn_type_equal(type_of("fixed[3]"), type_of("fixed[3]")));
}

static firn_rc read_schema(const char *text, firn_err *err)
{
    firn_schema *schema;
    return firn_schema_from_json(arena, json_of(text), "table metadata x", &schema, err);
}

static void broken_schemas_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } broken[] = {
        {"[]", "not a JSON object"},
        {"{'type': 'list', 'element-id': 1, 'element': 'int', 'element-required': true}",
         "not a struct type"},
        {"{'type': 'struct'}", "fields"},
        {"{'type': 'tuple', 'fields': []}", "unknown nested type 'tuple'"},
        {"{'type': 'struct', 'fields': [1]}", "struct field is not a JSON object"},
        {"{'type': 'struct', 'fields': [{'id': 1, 'name': 'a', 'required': true}]}", "has no type"},
        {"{'type': 'struct', 'fields': [{'id': 1, 'name': 'a', 'required': true, 'type': 'text'}]}",
         "Cannot parse type string to primitive: text"},
        {"{'type': 'struct', 'fields': [{'id': 1, 'name': 'a', 'required': true, 'type': 7}]}",
         "neither a name nor a JSON object"},
        {"{'type': 'struct', 'fields': [{'id': 1, 'name': 'a', 'required': true, 'type': 'int'},"
         "{'id': 1, 'name': 'b', 'required': true, 'type': 'int'}]}",
         "field id 1 is used twice"},
        {"{'type': 'struct', 'fields': [{'id': 1, 'name': 'a', 'required': true, 'type': 'int'},"
         "{'id': 2, 'name': 'a', 'required': true, 'type': 'int'}]}",
         "multiple fields for name a: 1 and 2"},
        {"{'type': 'struct', 'fields': [{'id': 1, 'name': 'a', 'required': true, 'type':"
         "{'type': 'map', 'key-id': 2, 'key': 'int', 'value-id': 3, 'value-required': true}}]}",
         "no \"value\""},
        {"{'type': 'struct', 'fields': [], 'identifier-field-ids': ['a']}", "identifier-field-ids"},
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        MUST_FAIL(read_schema(broken[i].json, &err), FIRN_E_CORRUPT, broken[i].message);
}

static void depth_and_size_have_bounds(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf deep = {0};
    firn_buf_puts(
        &deep, "{'type': 'struct', 'fields': [{'id': 0, 'name': 'a', 'required': true, 'type': ");
    for (int i = 1; i <= 100; i++)
        firn_buf_printf(
            &deep, "{'type': 'list', 'element-id': %d, 'element-required': true, 'element': ", i);
    firn_buf_puts(&deep, "'int'");
    for (int i = 1; i <= 100; i++)
        firn_buf_putc(&deep, '}');
    firn_buf_puts(&deep, "}]}");
    MUST_FAIL(read_schema(firn_buf_cstr(&deep), &err), FIRN_E_LIMIT, "nested more than 64 deep");

    FIRN_AUTO_BUF firn_buf wide = {0};
    firn_buf_puts(&wide, "{'type': 'struct', 'fields': [0");
    for (int i = 0; i < 10001; i++)
        firn_buf_puts(&wide, ",0");
    firn_buf_puts(&wide, "]}");
    MUST_FAIL(read_schema(firn_buf_cstr(&wide), &err), FIRN_E_LIMIT, "more than 10000 fields");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(primitive_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(schemas_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(schemas_outlive_their_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_are_found_by_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_are_found_by_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(visits_go_parents_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fresh_ids_go_level_by_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equality_sees_ids_names_and_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_schemas_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_and_size_have_bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
