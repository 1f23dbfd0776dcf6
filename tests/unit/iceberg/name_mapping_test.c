/* Name mapping: its JSON, and the one that a schema gives. */
#include "metadata_testing.h"

static firn_rc parse(const char *text, firn_name_mapping_field **fields, size_t *n, firn_err *err)
{
    return firn_name_mapping_parse(arena, firn_str_replace(arena, text, "'", "\""), fields, n, err);
}

static void the_specifications_example(void **state)
{
    (void)state;
    firn_name_mapping_field *fields;
    size_t n;
    MUST(parse("[ { 'field-id': 1, 'names': ['id', 'record_id'] },"
               "  { 'names': ['data'] },"
               "  { 'field-id': 3, 'names': ['location'], 'fields': ["
               "      { 'field-id': 4, 'names': ['latitude', 'lat'] },"
               "      { 'field-id': 5 } ] } ]",
               &fields, &n, &err));
    assert_int_equal(n, 3);
    assert_int_equal(fields[0].n_names, 2);
    assert_string_equal(fields[0].names[1], "record_id");
    assert_int_equal(fields[1].field_id, -1);
    assert_int_equal(fields[2].n_fields, 2);
    assert_string_equal(fields[2].fields[0].names[0], "latitude");
    assert_int_equal(fields[2].fields[1].n_names, 0);
}

static void broken_mappings_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "{}",
        "[1]",
        "[{'field-id': 'x'}]",
        "[{'names': 'x'}]",
        "[{'names': [1]}]",
        "[{'fields': {}}]",
    };
    firn_name_mapping_field *fields;
    size_t n;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        MUST_FAIL(parse(broken[i], &fields, &n, &err), FIRN_E_CORRUPT, "name mapping");
    FIRN_AUTO_BUF firn_buf deep = {0};
    for (int i = 0; i < 100; i++)
        firn_buf_puts(&deep, "[{\"fields\":");
    firn_buf_puts(&deep, "[]");
    for (int i = 0; i < 100; i++)
        firn_buf_puts(&deep, "}]");
    MUST_FAIL(parse(firn_buf_cstr(&deep), &fields, &n, &err), FIRN_E_LIMIT, "64 deep");
}

static void a_schema_gives_a_mapping(void **state)
{
    (void)state;
    const firn_schema *schema = schema_of(
        "{'type': 'struct', 'fields': ["
        " {'id': 1, 'name': 'a.b', 'required': true, 'type': 'int'},"
        " {'id': 2, 'name': 'm', 'required': false, 'type': {'type': 'map', 'key-id': 3,"
        "   'key': 'string', 'value-id': 4, 'value-required': true, 'value': {'type': 'list',"
        "   'element-id': 5, 'element-required': true, 'element': 'int'}}}]}");
    assert_string_equal(
        firn_name_mapping_of_schema(arena, schema),
        "[{\"field-id\":1,\"names\":[\"a.b\"]},{\"field-id\":2,\"names\":[\"m\"],\"fields\":["
        "{\"field-id\":3,\"names\":[\"key\"]},{\"field-id\":4,\"names\":[\"value\"],\"fields\":["
        "{\"field-id\":5,\"names\":[\"element\"]}]}]}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_specifications_example, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_mappings_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_schema_gives_a_mapping, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
