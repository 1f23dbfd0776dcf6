/* Partition specs and sort orders: JSON, tuple types, paths, building and evolving them. */
#include "metadata_testing.h"

static firn_partition_spec *spec_of(const char *text)
{
    firn_partition_spec *spec = NULL;
    MUST(firn_partition_spec_from_json(arena, json_of(text), "test", &spec, &err));
    return spec;
}

static firn_rc read_spec(const char *text, firn_err *err)
{
    firn_partition_spec *spec;
    return firn_partition_spec_from_json(arena, json_of(text), "test", &spec, err);
}

static firn_rc read_order(const char *text, firn_err *err)
{
    firn_sort_order *order;
    return firn_sort_order_from_json(arena, json_of(text), "test", &order, err);
}

static void specs_round_trip(void **state)
{
    (void)state;
    static const char text[] =
        "{'spec-id': 2, 'fields': ["
        " {'name': 'ts_day', 'transform': 'day', 'source-id': 2, 'field-id': 1000},"
        " {'name': 'b', 'transform': 'bucket[16]', 'source-id': 1, 'field-id': 1003},"
        " {'name': 'z', 'transform': 'zorder[8]', 'source-ids': [1, 2], 'field-id': 1004}]}";
    firn_partition_spec *spec = spec_of(text);
    assert_int_equal(spec->spec_id, 2);
    assert_int_equal(spec->fields[1].transform.param, 16);
    assert_int_equal(spec->fields[2].transform.kind, FIRN_TRANSFORM_UNKNOWN);
    assert_int_equal(spec->fields[2].n_source_ids, 2);
    assert_int_equal(spec->fields[2].source_id, 1);
    json_t *again = firn_json_own(arena, firn_partition_spec_to_json(spec));
    assert_true(json_equal(json_of(text), again));
}

static void old_specs_number_their_fields(void **state)
{
    (void)state;
    firn_partition_spec *spec = spec_of("{'spec-id': 0, 'fields': ["
                                        "{'name': 'a', 'transform': 'identity', 'source-id': 1},"
                                        "{'name': 'b', 'transform': 'identity', 'source-id': 2}]}");
    assert_int_equal(spec->fields[0].field_id, 1000);
    assert_int_equal(spec->fields[1].field_id, 1001);
    MUST_FAIL(read_spec("{'fields': [{'name': 'a', 'transform': 'identity', 'source-id': 1},"
                        "{'name': 'b', 'transform': 'identity', 'source-id': 2, 'field-id': 1}]}",
                        &err),
              FIRN_E_CORRUPT, "missing field IDs: 1 missing of 2");
    MUST_FAIL(read_spec("{'fields': [{'name': 'a', 'transform': 'identity'}]}", &err),
              FIRN_E_CORRUPT, "source-id");
    MUST_FAIL(read_spec("{'fields': [3]}", &err), FIRN_E_CORRUPT, "not a JSON object");
    MUST_FAIL(read_spec("{'spec-id': 1}", &err), FIRN_E_CORRUPT, "fields");
}

static void tuples_have_a_type(void **state)
{
    (void)state;
    const firn_metadata *table = new_table(2);
    firn_partition_spec *spec =
        spec_of("{'spec-id': 0, 'fields': ["
                "{'name': 'd', 'transform': 'day', 'source-id': 2, 'field-id': 1000},"
                "{'name': 'b', 'transform': 'bucket[4]', 'source-id': 99, 'field-id': 1001},"
                "{'name': 'i', 'transform': 'identity', 'source-id': 99, 'field-id': 1002},"
                "{'name': 't', 'transform': 'truncate[3]', 'source-id': 6, 'field-id': 1003},"
                "{'name': 'v', 'transform': 'void', 'source-id': 3, 'field-id': 1004}]}");
    assert_string_equal(
        firn_type_text(arena, firn_partition_type(arena, spec, table->schema)),
        "struct<1000: d: optional date, 1001: b: optional int, 1002: i: optional unknown, "
        "1003: t: optional decimal(9, 2), 1004: v: optional string>");
}

static void paths_are_encoded_as_in_java(void **state)
{
    (void)state;
    const firn_metadata *table = new_table(2);
    firn_partition_spec *spec =
        spec_of("{'spec-id': 0, 'fields': ["
                "{'name': 'ts day', 'transform': 'day', 'source-id': 2, 'field-id': 1000},"
                "{'name': 'data', 'transform': 'identity', 'source-id': 3, 'field-id': 1001},"
                "{'name': 'n', 'transform': 'identity', 'source-id': 4, 'field-id': 1002}]}");
    firn_value values[] = {
        value_of("date", "2024-02-15"),
        value_of("string", "a b/c=d%é.-*_~"),
        firn_value_null(FIRN_TYPE_INT),
    };
    assert_string_equal(firn_partition_path(arena, spec, table->schema, values),
                        "ts+day=2024-02-15/data=a+b%2Fc%3Dd%25%C3%A9.-*_%7E/n=null");
    const firn_partition_spec none = {0};
    assert_string_equal(firn_partition_path(arena, &none, table->schema, NULL), "");
}

static void void_fields_do_not_partition(void **state)
{
    (void)state;
    assert_true(firn_partition_spec_is_unpartitioned(spec_of("{'fields': []}")));
    assert_true(firn_partition_spec_is_unpartitioned(
        spec_of("{'fields': [{'name': 'a', 'transform': 'void', 'source-id': 1}]}")));
    assert_false(firn_partition_spec_is_unpartitioned(
        spec_of("{'fields': [{'name': 'a', 'transform': 'day', 'source-id': 1}]}")));
}

static void sort_orders_round_trip(void **state)
{
    (void)state;
    static const char text[] =
        "{'order-id': 4, 'fields': ["
        "{'transform': 'identity', 'source-id': 2, 'direction': 'asc', 'null-order': 'nulls-first'},"
        "{'transform': 'bucket[4]', 'source-id': 3, 'direction': 'desc', 'null-order': 'nulls-last'}]}";
    firn_sort_order *order = NULL;
    MUST(firn_sort_order_from_json(arena, json_of(text), "test", &order, &err));
    assert_true(order->fields[1].descending);
    assert_true(order->fields[1].nulls_last);
    json_t *again = firn_json_own(arena, firn_sort_order_to_json(order));
    assert_true(json_equal(json_of(text), again));
    MUST_FAIL(read_order("{'order-id': 1, 'fields': [{'transform': 'identity', 'source-id': 2,"
                         "'direction': 'up', 'null-order': 'nulls-first'}]}",
                         &err),
              FIRN_E_CORRUPT, "neither asc nor desc");
    MUST_FAIL(read_order("{'order-id': 1, 'fields': [{'transform': 'identity', 'source-id': 2,"
                         "'direction': 'asc', 'null-order': 'first'}]}",
                         &err),
              FIRN_E_CORRUPT, "neither nulls-first nor nulls-last");
    MUST_FAIL(read_order("{'order-id': 0, 'fields': [{'transform': 'identity', 'source-id': 2,"
                         "'direction': 'asc', 'null-order': 'nulls-first'}]}",
                         &err),
              FIRN_E_CORRUPT, "reserved for unsorted");
}

/* ---- building ---- */

static firn_partition_term term(const char *column, const char *transform, const char *name)
{
    return (firn_partition_term){
        .column = column, .transform = firn_transform_parse(arena, transform), .name = name};
}

static firn_rc build(const firn_partition_term *terms, size_t n, firn_partition_spec **spec,
                     firn_err *err)
{
    return firn_partition_spec_build(arena, new_table(2)->schema, terms, n, spec, err);
}

static void fields_get_default_names(void **state)
{
    (void)state;
    const firn_partition_term terms[] = {
        term("ts", "hour", NULL),          term("ID", "bucket[16]", NULL),
        term("data", "truncate[4]", NULL), term("n", "identity", NULL),
        term("point.x", "identity", NULL), term("price", "void", NULL),
        term("d", "month", "monthly"),
    };
    static const char *const names[] = {"ts_hour", "id_bucket_16", "data_trunc_4", "n",
                                        "point.x", "price_null",   "monthly"};
    firn_partition_spec *spec = NULL;
    MUST(build(terms, 7, &spec, &err));
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(spec->fields[i].name, names[i]);
        assert_int_equal(spec->fields[i].field_id, 1000 + (int)i);
    }
}

static void impossible_specs_are_refused(void **state)
{
    (void)state;
    const struct {
        firn_partition_term terms[2];
        size_t n;
        firn_rc code;
        const char *message;
    } wrong[] = {
        {{term("nope", "identity", NULL)}, 1, FIRN_E_NO_COLUMN, "Cannot find source column: nope"},
        {{term("data", "day", NULL)},
         1,
         FIRN_E_INVALID,
         "Invalid source type string for transform: day"},
        {{term("point", "identity", NULL)}, 1, FIRN_E_INVALID, "Cannot partition by non-primitive"},
        {{term("list.element.a", "identity", NULL)},
         1,
         FIRN_E_INVALID,
         "Invalid partition field parent"},
        {{term("ts", "day", NULL), term("ts", "hour", NULL)},
         2,
         FIRN_E_INVALID,
         "Cannot add redundant partition"},
        {{term("n", "bucket[2]", NULL), term("n", "bucket[2]", "x")},
         2,
         FIRN_E_INVALID,
         "Cannot add redundant partition"},
        {{term("n", "bucket[2]", "x"), term("n", "bucket[3]", "x")},
         2,
         FIRN_E_INVALID,
         "more than once: x"},
        {{term("ts", "day", "data")}, 1, FIRN_E_INVALID, "the table has a column of that name"},
        {{term("ts", "day", "")}, 1, FIRN_E_INVALID, "empty partition name"},
        {{term("data", "zorder", NULL)}, 1, FIRN_E_INVALID, "not a transform firn knows"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        firn_partition_spec *spec;
        MUST_FAIL(build(wrong[i].terms, wrong[i].n, &spec, &err), wrong[i].code, wrong[i].message);
    }
}

/* ---- evolution ---- */

typedef firn_rc evolve_fn(firn_arena *, const firn_metadata *, const firn_partition_term *,
                          json_t *, json_t *, firn_err *);

static firn_metadata *evolve(evolve_fn *change, const firn_metadata *base,
                             firn_partition_term changed)
{
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    MUST(change(arena, base, &changed, updates, requirements, &err));
    MUST(firn_requirements_check(requirements, base, &err));
    return apply_at(base, updates, base->last_updated_ms + 1000);
}

static firn_rc try_evolve(evolve_fn *change, const firn_metadata *base, firn_partition_term changed,
                          firn_err *err)
{
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    return change(arena, base, &changed, updates, requirements, err);
}

static firn_metadata *replace(const firn_metadata *base, firn_partition_term old_term,
                              firn_partition_term new_term)
{
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    MUST(firn_partition_replace(arena, base, &old_term, &new_term, updates, requirements, &err));
    return apply_at(base, updates, base->last_updated_ms + 1000);
}

static const char *spec_text(const firn_metadata *table)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_printf(&buf, "%d:", table->spec->spec_id);
    for (size_t i = 0; i < table->spec->n_fields; i++) {
        const firn_partition_field *field = &table->spec->fields[i];
        firn_buf_printf(&buf, " %d %s=%s(%d)", field->field_id, field->name, field->transform.name,
                        field->source_id);
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

static void fields_are_added_and_dropped(void **state)
{
    (void)state;
    const firn_metadata *table = new_table(2);
    assert_string_equal(spec_text(table), "0: 1000 ts_day=day(2)");
    table = evolve(firn_partition_add, table, term("id", "bucket[16]", NULL));
    assert_string_equal(spec_text(table), "1: 1000 ts_day=day(2) 1001 id_bucket_16=bucket[16](1)");
    assert_int_equal(table->last_partition_id, 1001);
    table = evolve(firn_partition_drop, table, term("ts", "day", NULL));
    assert_string_equal(spec_text(table), "2: 1001 id_bucket_16=bucket[16](1)");
    /* what was there before takes up its id, and an equal spec is the old spec */
    table = evolve(firn_partition_add, table, term("ts", "day", NULL));
    assert_string_equal(spec_text(table), "3: 1001 id_bucket_16=bucket[16](1) 1000 ts_day=day(2)");
    table = evolve(firn_partition_drop, table, (firn_partition_term){.name = "id_bucket_16"});
    assert_string_equal(spec_text(table), "0: 1000 ts_day=day(2)");
    assert_int_equal(table->n_specs, 4);
    assert_int_equal(table->last_partition_id, 1001);
    /* another name: another field */
    table = evolve(firn_partition_add, table, term("id", "bucket[16]", "shard"));
    assert_string_equal(spec_text(table), "4: 1000 ts_day=day(2) 1002 shard=bucket[16](1)");
}

static void fields_are_replaced(void **state)
{
    (void)state;
    const firn_metadata *table = new_table(2);
    table = replace(table, term("ts", "day", NULL), term("ts", "hour", NULL));
    assert_string_equal(spec_text(table), "1: 1001 ts_hour=hour(2)");
    table = replace(table, term("ts", "hour", NULL), term("ts", "hour", "hourly"));
    assert_string_equal(spec_text(table), "2: 1001 hourly=hour(2)");
    table = replace(table, (firn_partition_term){.name = "hourly"}, term("ts", "day", NULL));
    assert_string_equal(spec_text(table), "0: 1000 ts_day=day(2)");
}

static void v1_keeps_dropped_fields_as_void(void **state)
{
    (void)state;
    const firn_metadata *table = new_table(1);
    table = evolve(firn_partition_add, table, term("n", "identity", NULL));
    table = evolve(firn_partition_drop, table, term("ts", "day", NULL));
    assert_string_equal(spec_text(table), "2: 1000 ts_day=void(2) 1001 n=identity(4)");
    table = evolve(firn_partition_add, table, term("ts", "day", NULL));
    assert_string_equal(spec_text(table),
                        "3: 1000 ts_day_1000=void(2) 1001 n=identity(4) 1002 ts_day=day(2)");
    table = replace(table, term("ts", "day", NULL), term("ts", "month", NULL));
    assert_string_equal(spec_text(table), "4: 1000 ts_day_1000=void(2) 1001 n=identity(4) 1002 "
                                          "ts_day=void(2) 1003 ts_month=month(2)");
    assert_true(json_equal(
        json_object_get(table->json, "partition-spec"),
        json_object_get(json_array_get(json_object_get(table->json, "partition-specs"), 4),
                        "fields")));
}

static void contradictory_changes_are_refused(void **state)
{
    (void)state;
    const firn_metadata *table = new_table(2);
    MUST_FAIL(try_evolve(firn_partition_add, table, term("ts", "day", NULL), &err), FIRN_E_INVALID,
              "Cannot add duplicate partition field ts_day=day(ts), conflicts with 1000: ts_day");
    MUST_FAIL(try_evolve(firn_partition_add, table, term("n", "bucket[4]", "ts_day"), &err),
              FIRN_E_INVALID, "Cannot add duplicate partition field name: ts_day");
    MUST_FAIL(try_evolve(firn_partition_drop, table, term("ts", "hour", NULL), &err),
              FIRN_E_INVALID, "Cannot find partition field to remove: hour(ts)");
    MUST_FAIL(try_evolve(firn_partition_drop, table, (firn_partition_term){.name = "x"}, &err),
              FIRN_E_INVALID, "Cannot find partition field to remove: x");
    MUST_FAIL(try_evolve(firn_partition_add, table, term("nope", "day", NULL), &err),
              FIRN_E_NO_COLUMN, "nope");
    json_t *doc = firn_json_own(arena, json_deep_copy(table->json));
    json_t *spec = json_array_get(json_object_get(doc, "partition-specs"), 0);
    json_object_set_new(json_array_get(json_object_get(spec, "fields"), 0), "transform",
                        json_string("zorder"));
    MUST_FAIL(try_evolve(firn_partition_drop, metadata_of(doc), term("ts", "day", NULL), &err),
              FIRN_E_INVALID, "Cannot update partition spec with unknown transform: 1000: ts_day");
}

/* A day and an hour of one column may stand side by side when one is there already: Java allows it. */
static void time_fields_of_different_changes_may_meet(void **state)
{
    (void)state;
    const firn_metadata *table = evolve(firn_partition_add, new_table(2), term("ts", "hour", NULL));
    assert_string_equal(spec_text(table), "1: 1000 ts_day=day(2) 1001 ts_hour=hour(2)");
}

static void sort_orders_are_set(void **state)
{
    (void)state;
    const firn_metadata *table = new_table(2);
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    firn_sort_field field = {.transform = firn_transform_parse(arena, "identity"), .source_id = 1};
    MUST(firn_sort_order_set(arena, table, &field, 1, updates, requirements, &err));
    MUST(firn_requirements_check(requirements, table, &err));
    const firn_metadata *sorted = apply_at(table, updates, table->last_updated_ms + 1);
    assert_int_equal(sorted->sort_order->order_id, 1);
    MUST_FAIL(firn_requirements_check(requirements, sorted, &err), FIRN_E_CONFLICT,
              "Requirement failed: default sort order changed: expected id 0 != 1");
    json_array_clear(updates);
    MUST(firn_sort_order_set(arena, sorted, &field, 1, updates, requirements, &err));
    assert_int_equal(json_array_size(updates), 0);
    MUST(firn_sort_order_set(arena, sorted, NULL, 0, updates, requirements, &err));
    assert_int_equal(apply_at(sorted, updates, sorted->last_updated_ms + 1)->sort_order->order_id,
                     0);
    field.source_id = 7;
    MUST_FAIL(firn_sort_order_set(arena, table, &field, 1, updates, requirements, &err),
              FIRN_E_INVALID, "Cannot sort by non-primitive source field: point");
    field.source_id = 99;
    MUST_FAIL(firn_sort_order_set(arena, table, &field, 1, updates, requirements, &err),
              FIRN_E_INVALID, "Cannot find source column for sort field");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(specs_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_specs_number_their_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tuples_have_a_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_are_encoded_as_in_java, set_up, tear_down),
        cmocka_unit_test_setup_teardown(void_fields_do_not_partition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sort_orders_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_get_default_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_specs_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_are_added_and_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_are_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(v1_keeps_dropped_fields_as_void, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contradictory_changes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_fields_of_different_changes_may_meet, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sort_orders_are_set, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
