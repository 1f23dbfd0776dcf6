/* Partition transforms: results and human text as the Java implementation gives them. */
#include "metadata_testing.h"

static firn_value golden_value(const firn_type *type, const json_t *json)
{
    firn_value value;
    if (json_is_string(json) && type->id != FIRN_TYPE_STRING)
        MUST(firn_value_from_text(arena, type, json_string_value(json), &value, &err));
    else
        MUST(firn_value_from_json(arena, type, json, &value, &err));
    return value;
}

static void check_case(const firn_transform *transform, const firn_type *type,
                       const firn_type *result_type, const json_t *item)
{
    firn_value value = golden_value(type, json_object_get(item, "value"));
    firn_value expected = golden_value(result_type, json_object_get(item, "result"));
    firn_value result;
    MUST(firn_transform_apply(arena, transform, type, &value, &result, &err));
    const char *human = firn_transform_human(arena, transform, type, &result);
    if (firn_value_cmp(&result, &expected) != 0 || result.is_null != expected.is_null)
        fail_msg("%s of %s is %s, not %s", transform->name,
                 firn_json_text(arena, json_object_get(item, "value")), human,
                 firn_json_text(arena, json_object_get(item, "result")));
    assert_string_equal(human, json_string_value(json_object_get(item, "human")));
}

static void golden_transforms(void **state)
{
    (void)state;
    json_t *list = json_object_get(golden_json("transforms.json"), "transforms");
    size_t n_cases = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *group = json_array_get(list, i);
        const char *type_text = json_string_value(json_object_get(group, "type"));
        const firn_type *type = firn_type_parse_primitive(arena, type_text);
        if (!type)
            continue;
        firn_transform transform =
            firn_transform_parse(arena, json_string_value(json_object_get(group, "transform")));
        bool accepted = json_is_true(json_object_get(group, "accepted"));
        if ((firn_transform_check(&transform, type, NULL) == FIRN_OK) != accepted)
            fail_msg("%s of %s", transform.name, type_text);
        if (!accepted)
            continue;
        const firn_type *result_type = firn_transform_result(arena, &transform, type);
        assert_string_equal(firn_type_text(arena, result_type),
                            json_string_value(json_object_get(group, "result_type")));
        const json_t *cases = json_object_get(group, "cases");
        for (size_t k = 0; k < json_array_size(cases); k++, n_cases++)
            check_case(&transform, type, result_type, json_array_get(cases, k));
    }
    assert_true(n_cases > 500);
}

static void names_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        firn_transform_kind kind;
        int32_t param;
        const char *name;
    } cases[] = {
        {"identity", FIRN_TRANSFORM_IDENTITY, 0, "identity"},
        {"Bucket[16]", FIRN_TRANSFORM_BUCKET, 16, "bucket[16]"},
        {"truncate[2147483647]", FIRN_TRANSFORM_TRUNCATE, INT32_MAX, "truncate[2147483647]"},
        {"DAY", FIRN_TRANSFORM_DAY, 0, "day"},
        {"void", FIRN_TRANSFORM_VOID, 0, "void"},
        {"bucket[0]", FIRN_TRANSFORM_UNKNOWN, 0, "bucket[0]"},
        {"bucket[]", FIRN_TRANSFORM_UNKNOWN, 0, "bucket[]"},
        {"bucket[-1]", FIRN_TRANSFORM_UNKNOWN, 0, "bucket[-1]"},
        {"bucket[99999999999999]", FIRN_TRANSFORM_UNKNOWN, 0, "bucket[99999999999999]"},
        {"truncate[3]x", FIRN_TRANSFORM_UNKNOWN, 0, "truncate[3]x"},
        {"zorder", FIRN_TRANSFORM_UNKNOWN, 0, "zorder"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        firn_transform transform = firn_transform_parse(arena, cases[i].text);
        assert_int_equal(transform.kind, cases[i].kind);
        assert_int_equal(transform.param, cases[i].param);
        assert_string_equal(transform.name, cases[i].name);
    }
}

static firn_value apply_transform(const char *name, const char *type, const firn_value *value)
{
    firn_transform transform = firn_transform_parse(arena, name);
    firn_value result;
    MUST(firn_transform_apply(arena, &transform, type_of(type), value, &result, &err));
    return result;
}

/* Java's int arithmetic wraps at the lowest numbers; the row must land in the same partition. */
static void truncation_wraps_as_in_java(void **state)
{
    (void)state;
    firn_value lowest = value_of("int", "-2147483648");
    firn_value result = apply_transform("truncate[10]", "int", &lowest);
    assert_int_equal(result.i32, 2147483646);
    lowest = value_of("long", "-9223372036854775808");
    result = apply_transform("truncate[10]", "long", &lowest);
    assert_int_equal(result.i64, INT64_C(9223372036854775806));
}

static void promoted_columns_hash_as_before(void **state)
{
    (void)state;
    firn_value narrow = value_of("int", "34"), wide = value_of("long", "34");
    assert_int_equal(apply_transform("bucket[100]", "int", &narrow).i32, 79);
    assert_int_equal(apply_transform("bucket[100]", "long", &narrow).i32, 79);
    assert_int_equal(apply_transform("bucket[100]", "long", &wide).i32, 79);
    firn_value text = value_of("string", "34");
    firn_transform bucket = firn_transform_parse(arena, "bucket[100]");
    firn_value result;
    MUST_FAIL(firn_transform_apply(arena, &bucket, type_of("boolean"), &text, &result, &err),
              FIRN_E_INVALID, "Invalid source type boolean for transform: bucket[100]");
    firn_transform unknown = firn_transform_parse(arena, "zorder");
    MUST_FAIL(firn_transform_apply(arena, &unknown, type_of("string"), &text, &result, &err),
              FIRN_E_INVALID, "'zorder' is not a transform firn knows");
}

static void nulls_stay_null(void **state)
{
    (void)state;
    static const char *const names[] = {"identity", "bucket[4]", "truncate[4]", "void"};
    firn_value null = firn_value_null(FIRN_TYPE_STRING);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(apply_transform(names[i], "string", &null).is_null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(golden_transforms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_understood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncation_wraps_as_in_java, set_up, tear_down),
        cmocka_unit_test_setup_teardown(promoted_columns_hash_as_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nulls_stay_null, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
