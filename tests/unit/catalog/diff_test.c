/* What a difference consists of: rows, snapshots, columns, layout, properties. */
#include "branches.h"

static const firn_table_diff *detail(fixture *f, const char *from, const char *to, size_t wanted)
{
    firn_table_diff *diffs;
    size_t n;
    assert_ok(f, firn_catalog_diff_detail(f->catalog, f->arena, from, to, &diffs, &n, &f->err));
    assert_int_equal(n, wanted);
    return diffs;
}

static void rows_are_counted_by_the_snapshots_between(void **state)
{
    fixture *f = *state;
    append_rows(f, "main", "a", 5);
    firn_merge_result result;
    assert_ok(f, merge(f, "main", "dev", &result));
    append_rows(f, "dev", "a", 10);
    change_rows(f, "dev", "a", 0, FIRN_SNAPSHOT_DELETE);
    append_rows(f, "dev", "a", 3);
    const firn_table_diff *diff = detail(f, "main", "dev", 1);
    assert_int_equal(diff->rows_from, 5);
    assert_int_equal(diff->rows_to, 3);
    assert_int_equal(diff->rows_added, 13);
    assert_int_equal(diff->rows_removed, 15);
    assert_false(diff->diverged);
    assert_int_equal(diff->n_snapshots, 3);
    assert_string_equal(diff->snapshots[0].operation, "append");
    assert_string_equal(diff->snapshots[1].operation, "delete");
    assert_int_equal(diff->snapshots[1].deleted_rows, 15);
    assert_int_equal(diff->n_columns, 0);
    assert_null(diff->partitioning_to);

    append_rows(f, "main", "a", 1);
    diff = detail(f, "main", "dev", 1);
    assert_true(diff->diverged);
    assert_int_equal(diff->n_snapshots, 3);
    assert_int_equal(diff->rows_from, 6);
}

static const firn_column_diff *column(const firn_table_diff *diff, const char *name)
{
    for (size_t i = 0; i < diff->n_columns; i++) {
        if (firn_streq(diff->columns[i].name, name)) {
            return &diff->columns[i];
        }
    }
    fail();
    return NULL;
}

static void columns_are_compared_by_field_id(void **state)
{
    fixture *f = *state;
    add_column(f, "main", "a", "x", "int");
    add_column(f, "main", "a", "y", "int");
    add_column(f, "main", "a", "z", "int");
    firn_merge_result result;
    assert_ok(f, merge(f, "main", "dev", &result));
    rename_column(f, "dev", "a", "x", "w");
    drop_column(f, "dev", "a", "y");
    add_column(f, "dev", "a", "v", "string");
    firn_schema_change *change = change_schema(f, "dev", "a");
    assert_ok(f, firn_schema_change_type(change, "z", firn_type_parse_primitive(f->arena, "long"),
                                         &f->err));
    assert_ok(f, firn_schema_change_doc(change, "id", "the key", &f->err));
    finish_schema(f, "dev", "a", change);
    set_key(f, "dev", "a", "k", "1");
    const firn_table_diff *diff = detail(f, "main", "dev", 1);
    assert_int_equal(diff->n_columns, 5);
    assert_int_equal(column(diff, "w")->what, FIRN_COLUMN_RENAMED);
    assert_string_equal(column(diff, "w")->from, "x");
    assert_int_equal(column(diff, "y")->what, FIRN_COLUMN_DROPPED);
    assert_int_equal(column(diff, "v")->what, FIRN_COLUMN_ADDED);
    assert_string_equal(column(diff, "v")->to, "string");
    assert_int_equal(column(diff, "z")->what, FIRN_COLUMN_RETYPED);
    assert_string_equal(column(diff, "z")->from, "int");
    assert_string_equal(column(diff, "z")->to, "long");
    assert_string_equal(column(diff, "id")->to, "the key");
    assert_int_equal(diff->n_properties, 1);
    assert_string_equal(diff->properties[0].to, "1");
    assert_null(diff->properties[0].from);
}

static void layout_is_told_in_words(void **state)
{
    fixture *f = *state;
    firn_partition_term term = {.column = "id",
                                .transform = firn_transform_parse(f->arena, "bucket[4]")};
    firn_sort_field field = {.transform = firn_transform_parse(f->arena, "identity"),
                             .source_id = 1,
                             .descending = true};
    json_t *updates = json_array();
    json_t *requirements = firn_json_own(f->arena, json_array());
    const firn_metadata *m = load(f, "dev", "s", "a").metadata;
    assert_ok(f, firn_partition_add(f->arena, m, &term, updates, requirements, &f->err));
    assert_ok(f, firn_sort_order_set(f->arena, m, &field, 1, updates, requirements, &f->err));
    assert_ok(f, update(f, "dev", "a", updates));
    const firn_table_diff *diff = detail(f, "main", "dev", 1);
    assert_string_equal(diff->partitioning_from, "");
    assert_string_equal(diff->partitioning_to, "bucket(4, id)");
    assert_string_equal(diff->order_to, "id desc nulls first");
}

static void tables_that_come_go_or_are_broken(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, "dev", "s", "c"));
    append_rows(f, "dev", "c", 4);
    append_rows(f, "main", "b", 9);
    firn_merge_result result;
    assert_ok(f, merge(f, "main", "dev", &result));
    assert_ok(f, commit_one(f, "dev", drop_change(f, "s", "b")));
    assert_ok(f, commit_one(f, "dev",
                            (firn_change){.kind = FIRN_CHANGE_SET_NAMESPACE_PROPERTIES,
                                          .ident = {.ns = "s"},
                                          .document = firn_json_own(
                                              f->arena, json_pack("{ss}", "owner", "ann"))}));
    const firn_table_diff *diff = detail(f, "main", "dev", 3);
    assert_int_equal(diff[0].diff.kind, FIRN_KIND_NAMESPACE);
    assert_string_equal(diff[0].properties[0].key, "owner");
    assert_string_equal(diff[1].diff.ident.name, "b");
    assert_int_equal(diff[1].rows_removed, 9);
    assert_int_equal(diff[1].rows_to, 0);
    assert_string_equal(diff[2].diff.ident.name, "c");
    assert_int_equal(diff[2].rows_added, 4);
    assert_int_equal(diff[2].version_to, 2);

    const char *location = load(f, "dev", "s", "c").entry.location;
    assert_ok(f, firn_storage_delete(f->storage, location, &f->err));
    fixture_reopen(f);
    diff = detail(f, "main", "dev", 3);
    assert_non_null(diff[2].problem);
    assert_int_equal(diff[2].rows_added, -1);
    assert_null(diff[1].problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRANCHES(rows_are_counted_by_the_snapshots_between),
        BRANCHES(columns_are_compared_by_field_id),
        BRANCHES(layout_is_told_in_words),
        BRANCHES(tables_that_come_go_or_are_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
