/* Merging a table that both sides changed: rows, columns, layout, properties, the table's own refs; and what does not go
 * together is named. */
#include "branches.h"

static firn_merge_result merged(fixture *f)
{
    firn_merge_result result;
    assert_ok(f, merge(f, "dev", "main", &result));
    return result;
}

/* Merging again must change nothing. */
static void assert_settled(fixture *f)
{
    const char *before = head(f, "main");
    assert_null(merged(f).commit_id);
    assert_string_equal(head(f, "main"), before);
}

static void assert_conflict(fixture *f, const char *part)
{
    firn_merge_result result;
    const char *before = head(f, "main");
    int files = warehouse_files(f);
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION, part);
    assert_string_equal(head(f, "main"), before);
    assert_int_equal(warehouse_files(f), files);
}

/* ---- columns ---------------------------------------------------------------------------------- */

static void columns_added_on_one_side_join_the_rows_of_the_other(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    add_column(f, "dev", "a", "x", "int");
    append_file(f, "dev", "a");
    append_rows(f, "main", "a", 7);
    firn_merge_result result = merged(f);
    assert_int_equal(result.n_replayed, 1);
    assert_int_equal(result.how[0], FIRN_MERGED_REPLAYED);
    const firn_metadata *m = load(f, "main", "s", "a").metadata;
    assert_int_equal(count_rows(f, "main", "a"), 27);
    assert_string_equal(columns(f, "main", "a"), "id, x");
    assert_int_equal(m->last_column_id, 2);
    assert_int_equal(m->schema->schema_id, 1);
    assert_int_equal(m->current_snapshot->schema_id, 1);
    /* The rows of several schemas are in this snapshot, so it must not say that they are all of one. */
    assert_null(json_object_get(m->current_snapshot->summary, "firn.schema-id"));
    assert_settled(f);
}

static void rows_of_the_source_join_columns_of_the_target(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    add_column(f, "main", "a", "x", "int");
    append_rows(f, "main", "a", 7);
    merged(f);
    assert_int_equal(count_rows(f, "main", "a"), 17);
    assert_string_equal(columns(f, "main", "a"), "id, x");
    assert_settled(f);
}

static void the_same_column_on_both_sides_is_one(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    append_file(f, "main", "a");
    add_column(f, "dev", "a", "x", "int");
    add_column(f, "dev", "a", "y", "string");
    add_column(f, "main", "a", "x", "int");
    append_file(f, "dev", "a");
    merged(f);
    assert_int_equal(count_rows(f, "main", "a"), 30);
    assert_string_equal(columns(f, "main", "a"), "id, x, y");
    const firn_metadata *m = load(f, "main", "s", "a").metadata;
    assert_int_equal(firn_schema_find_name(m->schema, "y", true)->id, 3);
    assert_int_equal(m->last_column_id, 3);
    assert_settled(f);
}

static void colliding_field_ids_are_a_conflict_with_both_columns_named(void **state)
{
    fixture *f = *state;
    add_column(f, "dev", "a", "x", "int");
    add_column(f, "main", "a", "y", "string");
    assert_conflict(f, "both sides added a column with field id 2: x int on dev, y string on main");
}

static void colliding_types_are_a_conflict(void **state)
{
    fixture *f = *state;
    add_column(f, "dev", "a", "x", "int");
    add_column(f, "main", "a", "x", "long");
    assert_conflict(f, "field id 2: x int on dev, x long on main");
}

static void colliding_names_are_a_conflict(void **state)
{
    fixture *f = *state;
    add_column(f, "dev", "a", "both", "int");
    add_column(f, "dev", "a", "x", "int"); /* id 3 on dev */
    add_column(f, "main", "a", "both", "int");
    rename_column(f, "main", "a", "id", "X");
    assert_conflict(f, "both sides have a column named x: with field id 3 on dev, with 1 on main");
}

/* The files of a column that is gone again still hold its values under its id. */
static void ids_of_columns_that_are_gone_again_collide_too(void **state)
{
    fixture *f = *state;
    add_column(f, "main", "a", "gone", "string");
    drop_column(f, "main", "a", "gone");
    add_column(f, "dev", "a", "x", "int");
    assert_conflict(f, "field id 2: x int on dev, gone string on main");
}

static void ids_that_the_source_gave_out_are_not_given_again(void **state)
{
    fixture *f = *state;
    add_column(f, "dev", "a", "gone", "string");
    append_file(f, "dev", "a");
    drop_column(f, "dev", "a", "gone");
    append_file(f, "main", "a");
    merged(f);
    const firn_metadata *m = load(f, "main", "s", "a").metadata;
    assert_string_equal(columns(f, "main", "a"), "id");
    assert_int_equal(m->last_column_id, 2);
    add_column(f, "main", "a", "next", "int");
    m = load(f, "main", "s", "a").metadata;
    assert_int_equal(firn_schema_find_name(m->schema, "next", true)->id, 3);
}

static void other_changes_of_columns_are_conflicts_and_all_are_named(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    add_column(f, "main", "a", "x", "int");
    assert_ok(f, merge(f, "main", "dev", &result));
    rename_column(f, "dev", "a", "x", "z");
    firn_schema_change *change = change_schema(f, "dev", "a");
    assert_ok(f, firn_schema_change_type(change, "z", firn_type_parse_primitive(f->arena, "long"),
                                         &f->err));
    finish_schema(f, "dev", "a", change);
    append_file(f, "dev", "a");
    change_rows(f, "dev", "a", 0, FIRN_SNAPSHOT_DELETE);
    append_file(f, "main", "a");
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION, "s.a: changed on both");
    assert_int_equal(result.conflicts[0].n_details, 3);
    static const char *const parts[] = {"dev deleted rows (snapshot", "dev renamed column x to z",
                                        "dev changed the type of column x from int to long"};
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(result.conflicts[0].cause, parts[i]));
        assert_non_null(strstr(result.conflicts[0].details[i], parts[i]));
    }
}

static void rows_without_a_value_do_not_join_a_required_column(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    add_column(f, "main", "a", "x", "int");
    assert_ok(f, merge(f, "main", "dev", &result));
    append_file(f, "dev", "a");
    firn_schema_change *change = change_schema(f, "main", "a");
    assert_ok(f, firn_schema_change_required(change, "x", true, &f->err));
    finish_schema(f, "main", "a", change);
    assert_conflict(f, "main requires column x, for which rows appended on dev may have no value");
}

static void comments_merge_by_column(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    add_column(f, "main", "a", "x", "int");
    assert_ok(f, merge(f, "main", "dev", &result));
    firn_schema_change *change = change_schema(f, "dev", "a");
    assert_ok(f, firn_schema_change_doc(change, "x", "of dev", &f->err));
    finish_schema(f, "dev", "a", change);
    change = change_schema(f, "main", "a");
    assert_ok(f, firn_schema_change_doc(change, "id", "of main", &f->err));
    finish_schema(f, "main", "a", change);
    merged(f);
    const firn_schema *schema = load(f, "main", "s", "a").metadata->schema;
    assert_string_equal(firn_schema_find_name(schema, "x", true)->doc, "of dev");
    assert_string_equal(firn_schema_find_name(schema, "id", true)->doc, "of main");
    assert_settled(f);
}

static void nested_columns_join_their_struct(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    firn_field inner = {.name = "k", .type = firn_type_parse_primitive(f->arena, "int")};
    firn_type type = {.id = FIRN_TYPE_STRUCT, .fields = &inner, .n_fields = 1};
    firn_field outer = {.name = "p", .type = &type};
    firn_schema_change *change = change_schema(f, "main", "a");
    assert_ok(f, firn_schema_change_add(change, NULL, &outer, &f->err));
    finish_schema(f, "main", "a", change);
    assert_ok(f, merge(f, "main", "dev", &result));

    firn_field l = {.name = "l", .type = inner.type};
    change = change_schema(f, "dev", "a");
    assert_ok(f, firn_schema_change_add(change, "p", &l, &f->err));
    finish_schema(f, "dev", "a", change);
    rename_column(f, "main", "a", "id", "key");
    merged(f);
    const firn_schema *schema = load(f, "main", "s", "a").metadata->schema;
    assert_non_null(firn_schema_find_name(schema, "p.l", true));
    assert_non_null(firn_schema_find_name(schema, "key", true));
    assert_settled(f);

    /* Into a struct that the target dropped there is no way. */
    change = change_schema(f, "dev", "a");
    firn_field m = {.name = "m", .type = inner.type};
    assert_ok(f, firn_schema_change_add(change, "p", &m, &f->err));
    finish_schema(f, "dev", "a", change);
    drop_column(f, "main", "a", "p");
    assert_conflict(f, "dev added column p.m, and main dropped p");
}

static void the_name_mapping_learns_the_columns_that_come(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    set_key(f, "main", "a", "schema.name-mapping.default",
            "[{\"field-id\":1,\"names\":[\"id\",\"key\"]}]");
    assert_ok(f, merge(f, "main", "dev", &result));
    add_column(f, "dev", "a", "x", "int");
    append_file(f, "main", "a");
    merged(f);
    assert_string_equal(
        property(f, "main", "a", "schema.name-mapping.default"),
        "[{\"field-id\":1,\"names\":[\"id\",\"key\"]},{\"field-id\":2,\"names\":[\"x\"]}]");
    assert_settled(f);

    /* Both sides' additions of names, too. */
    add_column(f, "dev", "a", "y", "int");
    set_key(
        f, "main", "a", "schema.name-mapping.default",
        "[{\"field-id\":1,\"names\":[\"id\",\"key\",\"k\"]},{\"field-id\":2,\"names\":[\"x\"]}]");
    merged(f);
    assert_string_equal(property(f, "main", "a", "schema.name-mapping.default"),
                        "[{\"field-id\":1,\"names\":[\"id\",\"key\",\"k\"]},{\"field-id\":2,"
                        "\"names\":[\"x\"]},{\"field-id\":3,\"names\":[\"y\"]}]");
}

/* ---- lines that were merged into each other ------------------------------------------------------ */

/* dev catches up with main, goes on, and is merged while main goes on, too: everything is there once. */
static void a_branch_that_caught_up_merges_again(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    append_rows(f, "dev", "a", 1);
    append_rows(f, "main", "a", 2);
    assert_ok(f, merge(f, "main", "dev", &result));
    assert_int_equal(result.n_replayed, 1);
    assert_int_equal(count_rows(f, "dev", "a"), 3);
    append_rows(f, "dev", "a", 4);
    add_column(f, "dev", "a", "x", "int");
    append_rows(f, "main", "a", 8);
    merged(f);
    assert_int_equal(count_rows(f, "main", "a"), 15);
    assert_string_equal(columns(f, "main", "a"), "id, x");
    assert_settled(f);

    /* What came from main and went again on dev is a rollback, as any. */
    assert_ok(f, merge(f, "main", "dev", &result));
    append_rows(f, "main", "a", 16);
    append_rows(f, "dev", "a", 32);
    assert_ok(f, merge(f, "main", "dev", &result));
    const firn_metadata *m = load(f, "dev", "s", "a").metadata;
    json_t *updates = json_array();
    json_t *requirements = firn_json_own(f->arena, json_array());
    assert_ok(f, firn_snapshot_rollback(f->arena, m, m->current_snapshot->parent_id, updates,
                                        requirements, &f->err));
    assert_ok(f, update(f, "dev", "a", updates));
    append_rows(f, "main", "a", 64);
    assert_conflict(f, "dev rolled the table back behind snapshot");
}

static void append_as(fixture *f, const char *branch, const char *key, const char *value)
{
    row_change what = {.f = f,
                       .rows = 10,
                       .op = FIRN_SNAPSHOT_APPEND,
                       .summary = firn_json_own(f->arena, json_pack("{ss}", key, value))};
    firn_table_builder builder = {.ident = id(f, "s", "a"), .build = build_rows, .ctx = &what};
    assert_ok(f, firn_catalog_commit_tables(f->catalog, f->arena, branch, &builder, 1, NULL, NULL,
                                            &f->err));
}

/* Flink finds out from summaries what it has committed: the rows go with the newest position. */
static void positions_of_writers_come_with_their_rows(void **state)
{
    fixture *f = *state;
    append_as(f, "dev", "flink.max-committed-checkpoint-id", "7");
    append_as(f, "dev", "flink.max-committed-checkpoint-id", "8");
    append_file(f, "main", "a");
    merged(f);
    const json_t *summary = load(f, "main", "s", "a").metadata->current_snapshot->summary;
    assert_string_equal(
        json_string_value(json_object_get(summary, "flink.max-committed-checkpoint-id")), "8");
    append_as(f, "dev", "flink.max-committed-checkpoint-id", "9");
    append_as(f, "main", "flink.max-committed-checkpoint-id", "9");
    assert_conflict(f,
                    "one writer (by its position \"flink.max-committed-checkpoint-id\") wrote on "
                    "both main and dev");
}

/* A document whose ids run away costs no time. */
static void absurd_column_ids_are_a_conflict(void **state)
{
    fixture *f = *state;
    const char *const sides[] = {"dev", "main"};
    for (int i = 0; i < 2; i++) {
        json_t *schema =
            json_pack("{ss s[{si ss ss sb} {si ss ss sb}]}", "type", "struct", "fields", "id", 1,
                      "name", "id", "type", "long", "required", 0, "id", 2000000000, "name",
                      sides[i], "type", "int", "required", 0);
        assert_ok(f, update(f, sides[i], "a",
                            json_pack("[{ssso}{sssi}]", "action", "add-schema", "schema", schema,
                                      "action", "set-current-schema", "schema-id", -1)));
    }
    assert_conflict(f, "both sides gave out more than 10000 field ids");
}

/* ---- properties ------------------------------------------------------------------------------- */

static void properties_merge_by_key(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    set_key(f, "main", "a", "old", "1");
    assert_ok(f, merge(f, "main", "dev", &result));
    set_key(f, "dev", "a", "x", "dev");
    set_key(f, "dev", "a", "same", "1");
    assert_ok(f, update(f, "dev", "a",
                        json_pack("[{sss[s]}]", "action", "remove-properties", "removals", "old")));
    append_file(f, "dev", "a");
    set_key(f, "main", "a", "y", "main");
    set_key(f, "main", "a", "same", "1");
    merged(f);
    assert_string_equal(property(f, "main", "a", "x"), "dev");
    assert_string_equal(property(f, "main", "a", "y"), "main");
    assert_string_equal(property(f, "main", "a", "old"), "");
    assert_int_equal(count_rows(f, "main", "a"), 10);
    assert_settled(f);
    set_key(f, "dev", "a", "z", "1");
    set_key(f, "main", "a", "z", "2");
    assert_conflict(f, "both sides changed property \"z\": 1 on dev, 2 on main");
}

/* ---- layout ----------------------------------------------------------------------------------- */

static void partition_by(fixture *f, const char *branch, const char *transform)
{
    firn_partition_term term = {.column = "id",
                                .transform = firn_transform_parse(f->arena, transform)};
    json_t *updates = json_array();
    json_t *requirements = firn_json_own(f->arena, json_array());
    assert_ok(f, firn_partition_add(f->arena, load(f, branch, "s", "a").metadata, &term, updates,
                                    requirements, &f->err));
    assert_ok(f, update(f, branch, "a", updates));
}

static void sort_by(fixture *f, const char *branch, bool descending)
{
    firn_sort_field field = {.transform = firn_transform_parse(f->arena, "identity"),
                             .source_id = 1,
                             .descending = descending};
    json_t *updates = json_array();
    json_t *requirements = firn_json_own(f->arena, json_array());
    assert_ok(f, firn_sort_order_set(f->arena, load(f, branch, "s", "a").metadata, &field, 1,
                                     updates, requirements, &f->err));
    assert_ok(f, update(f, branch, "a", updates));
}

static void partitioning_of_one_side_comes_with_its_files(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    partition_by(f, "dev", "bucket[4]");
    append_file(f, "dev", "a");
    append_rows(f, "main", "a", 7);
    merged(f);
    const firn_metadata *m = load(f, "main", "s", "a").metadata;
    assert_int_equal(m->n_specs, 2);
    assert_int_equal(m->spec->n_fields, 1);
    assert_int_equal(m->last_partition_id, 1000);
    assert_int_equal(count_rows(f, "main", "a"), 27);
    assert_settled(f);
}

static void partitioning_changed_on_both_sides_is_a_conflict(void **state)
{
    fixture *f = *state;
    partition_by(f, "dev", "bucket[4]");
    partition_by(f, "main", "truncate[10]");
    assert_conflict(f, "both sides added a partition field with id 1000: id_bucket_4 on dev, "
                       "id_trunc_10 on main");
}

static void the_same_partitioning_on_both_sides_is_one(void **state)
{
    fixture *f = *state;
    partition_by(f, "dev", "bucket[4]");
    append_file(f, "dev", "a");
    partition_by(f, "main", "bucket[4]");
    append_file(f, "main", "a");
    merged(f);
    assert_int_equal(load(f, "main", "s", "a").metadata->n_specs, 2);
    assert_int_equal(count_rows(f, "main", "a"), 20);
    assert_settled(f);
}

static void sort_orders_get_new_ids_and_files_follow(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    sort_by(f, "dev", true);
    append_file(f, "dev", "a");
    /* main has another order under the same id, and is back to none: so only dev changed the default. */
    sort_by(f, "main", false);
    assert_ok(
        f, update(f, "main", "a",
                  json_pack("[{sssi}]", "action", "set-default-sort-order", "sort-order-id", 0)));
    assert_ok(f, merge(f, "dev", "main", &result));
    const firn_metadata *m = load(f, "main", "s", "a").metadata;
    assert_int_equal(m->n_sort_orders, 3);
    assert_int_equal(m->sort_order->order_id, 2);
    assert_true(m->sort_order->fields[0].descending);
    firn_manifest_file *files;
    firn_manifest *manifest;
    firn_manifest_entry entry;
    size_t n;
    assert_ok(f, firn_manifest_list_read(f->storage, f->arena, m, m->current_snapshot, &files, &n,
                                         &f->err));
    assert_ok(f, firn_manifest_open(f->storage, NULL, m, &files[0], &manifest, &f->err));
    firn_manifest_entry_at(manifest, f->arena, 0, &entry);
    assert_int_equal(entry.file.sort_order_id, 2);
    firn_manifest_unref(manifest);
    assert_settled(f);
    sort_by(f, "main", false);
    assert_ok(
        f, update(f, "dev", "a",
                  json_pack("[{sssi}]", "action", "set-default-sort-order", "sort-order-id", 0)));
    assert_conflict(f, "both main and dev changed the sort order");
}

/* ---- the table's own branches and tags, format versions ---------------------------------------- */

static void own_tags_merge_where_the_target_has_the_snapshot(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    append_file(f, "main", "a");
    assert_ok(f, merge(f, "main", "dev", &result));
    json_t *updates = json_array();
    int64_t shared = load(f, "dev", "s", "a").metadata->current_snapshot->snapshot_id;
    firn_update_set_ref(updates, "t", shared, true);
    assert_ok(f, update(f, "dev", "a", updates));
    append_file(f, "dev", "a");
    append_file(f, "main", "a");
    merged(f);
    const firn_metadata *m = load(f, "main", "s", "a").metadata;
    assert_int_equal(firn_metadata_ref(m, "t")->snapshot_id, shared);
    assert_true(firn_metadata_ref(m, "t")->is_tag);
    assert_settled(f);

    append_file(f, "dev", "a");
    updates = json_array();
    firn_update_set_ref(updates, "u",
                        load(f, "dev", "s", "a").metadata->current_snapshot->snapshot_id, true);
    assert_ok(f, update(f, "dev", "a", updates));
    append_file(f, "main", "a");
    assert_conflict(f, "the table's own tag \"u\" is at snapshot");
}

static void a_format_upgrade_comes_along(void **state)
{
    fixture *f = *state;
    append_file(f, "main", "a");
    json_t *updates = json_array();
    firn_update_upgrade_format(updates, 3);
    assert_ok(f, update(f, "dev", "a", updates));
    append_file(f, "dev", "a");
    append_file(f, "dev", "a");
    merged(f);
    const firn_metadata *m = load(f, "main", "s", "a").metadata;
    assert_int_equal(m->format_version, 3);
    assert_int_equal(count_rows(f, "main", "a"), 30);
    assert_true(m->next_row_id >= 20);
    assert_settled(f);
}

static void a_rolled_back_table_is_a_conflict(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    append_file(f, "main", "a");
    append_file(f, "main", "a");
    assert_ok(f, merge(f, "main", "dev", &result));
    json_t *updates = json_array();
    json_t *requirements = firn_json_own(f->arena, json_array());
    const firn_metadata *m = load(f, "dev", "s", "a").metadata;
    assert_ok(f, firn_snapshot_rollback(f->arena, m, m->current_snapshot->parent_id, updates,
                                        requirements, &f->err));
    assert_ok(f, update(f, "dev", "a", updates));
    append_file(f, "main", "a");
    assert_conflict(f, "dev rolled the table back");
}

/* Whatever an engine puts into the document that firn does not know. */
static void unknown_members_are_conflicts(void **state)
{
    fixture *f = *state;
    json_t *key = json_pack("{ssss}", "key-id", "k1", "encrypted-key-metadata", "YWJj");
    assert_ok(f,
              update(f, "dev", "a",
                     json_pack("[{ssso}]", "action", "add-encryption-key", "encryption-key", key)));
    append_file(f, "main", "a");
    assert_conflict(f, "dev changed \"encryption-keys\" in the table's metadata");
}

static void a_table_made_anew_is_another_table(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "a")));
    assert_ok(f, create_table(f, "main", "s", "a"));
    append_file(f, "dev", "a");
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "they are not versions of one table");
    assert_int_equal(result.conflicts[0].type, FIRN_CONFLICT_CONTENT_ID_DIFFERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRANCHES(columns_added_on_one_side_join_the_rows_of_the_other),
        BRANCHES(rows_of_the_source_join_columns_of_the_target),
        BRANCHES(the_same_column_on_both_sides_is_one),
        BRANCHES(colliding_field_ids_are_a_conflict_with_both_columns_named),
        BRANCHES(colliding_types_are_a_conflict),
        BRANCHES(colliding_names_are_a_conflict),
        BRANCHES(ids_of_columns_that_are_gone_again_collide_too),
        BRANCHES(ids_that_the_source_gave_out_are_not_given_again),
        BRANCHES(other_changes_of_columns_are_conflicts_and_all_are_named),
        BRANCHES(rows_without_a_value_do_not_join_a_required_column),
        BRANCHES(comments_merge_by_column),
        BRANCHES(nested_columns_join_their_struct),
        BRANCHES(the_name_mapping_learns_the_columns_that_come),
        BRANCHES(a_branch_that_caught_up_merges_again),
        BRANCHES(positions_of_writers_come_with_their_rows),
        BRANCHES(absurd_column_ids_are_a_conflict),
        BRANCHES(properties_merge_by_key),
        BRANCHES(partitioning_of_one_side_comes_with_its_files),
        BRANCHES(partitioning_changed_on_both_sides_is_a_conflict),
        BRANCHES(the_same_partitioning_on_both_sides_is_one),
        BRANCHES(sort_orders_get_new_ids_and_files_follow),
        BRANCHES(own_tags_merge_where_the_target_has_the_snapshot),
        BRANCHES(a_format_upgrade_comes_along),
        BRANCHES(a_rolled_back_table_is_a_conflict),
        BRANCHES(unknown_members_are_conflicts),
        BRANCHES(a_table_made_anew_is_another_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
