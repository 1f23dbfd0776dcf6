/* Scan planning of every golden table against what Iceberg Java plans: the same live files with the same partitions,
 * row ids and deletes. */
#include "files_testing.h"

#include <dirent.h>

static json_t *load_expected(const char *name)
{
    firn_bytes text;
    json_t *json = NULL;
    const char *path = firn_arena_printf(arena, "%s/%s/expected.json", golden_folder(), name);
    MUST(firn_file_read(arena, path, 64 << 20, &text, &err));
    MUST(firn_json_parse(arena, text, path, &json, &err));
    return json;
}

static firn_metadata *load_table(const char *name, const json_t *expected)
{
    firn_metadata *metadata = NULL;
    const char *file = json_string_value(json_object_get(expected, "metadata"));
    MUST(firn_metadata_load(storage, arena,
                            firn_arena_printf(arena, "/firn-golden/%s/%s", name, file), &metadata,
                            &err));
    return metadata;
}

static const json_t *find_file(const json_t *scan, const char *path)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)scan, i, one)
    {
        if (firn_streq(json_string_value(json_object_get(one, "file")), path))
            return one;
    }
    return NULL;
}

static int64_t number(const json_t *object, const char *key, int64_t absent)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

static const char *content_name(firn_content content)
{
    return content == FIRN_CONTENT_EQUALITY_DELETES ? "equality_deletes" : "position_deletes";
}

static void check_deletes(const char *table, const firn_scan_task *task, const json_t *expected)
{
    const json_t *deletes = json_object_get(expected, "deletes");
    if (json_array_size(deletes) != task->n_deletes)
        fail_msg("%s: %s has %zu deletes, not %zu", table, task->file->path, task->n_deletes,
                 json_array_size(deletes));
    for (size_t i = 0; i < task->n_deletes; i++) {
        const firn_data_file *file = task->deletes[i].file;
        bool found = false;
        size_t k;
        json_t *one;
        json_array_foreach((json_t *)deletes, k, one)
        {
            const json_t *ids = json_object_get(one, "equality_ids");
            found |= firn_streq(json_string_value(json_object_get(one, "file")), file->path) &&
                     firn_streq(json_string_value(json_object_get(one, "content")),
                                content_name(file->content)) &&
                     number(one, "record_count", -1) == file->record_count &&
                     json_array_size(ids) == file->n_equality_ids;
        }
        if (!found)
            fail_msg("%s: %s should not have the deletes of %s", table, task->file->path,
                     file->path);
    }
}

static void check_task(const char *table, const firn_metadata *metadata, const firn_scan_task *task,
                       const json_t *scan)
{
    const json_t *expected = find_file(scan, task->file->path);
    if (!expected)
        fail_msg("%s: file %s should not be in the scan", table, task->file->path);
    assert_int_equal(task->file->record_count, number(expected, "record_count", -1));
    assert_int_equal(task->file->spec_id, number(expected, "spec_id", -1));
    assert_int_equal(task->file->first_row_id, number(expected, "first_row_id", -1));
    const firn_partition_spec *spec = firn_metadata_spec(metadata, task->file->spec_id);
    const char *path = firn_partition_path(arena, spec, metadata->schema, task->file->partition);
    bool has_source = true;
    for (size_t i = 0; i < spec->n_fields; i++)
        has_source &= firn_schema_find_id(metadata->schema, spec->fields[i].source_id) != NULL;
    const char *wanted = json_string_value(json_object_get(expected, "partition"));
    if (has_source && !firn_streq(path, wanted))
        fail_msg("%s: partition %s, expected %s", table, path, wanted);
    check_deletes(table, task, expected);
}

static int64_t check_table(const char *name)
{
    json_t *expected = load_expected(name);
    firn_metadata *metadata = load_table(name, expected);
    size_t n;
    firn_scan_stats stats;
    firn_scan_task *tasks = plan(metadata, NULL, &n, &stats);
    const json_t *scan = json_object_get(expected, "scan");
    if (n != json_array_size(scan))
        fail_msg("%s: %zu files are planned, not %zu", name, n, json_array_size(scan));
    for (size_t i = 0; i < n; i++)
        check_task(name, metadata, &tasks[i], scan);
    assert_int_equal(stats.files, n);
    assert_int_equal(stats.files_read, n);

    firn_scan_options options = {
        .storage = storage, .metadata = metadata, .snapshot = metadata->current_snapshot};
    int64_t rows;
    MUST(firn_scan_count_rows(&options, &rows, &err));
    if (rows >= 0 && rows != number(expected, "count", -1))
        fail_msg("%s: metadata counts %" PRId64 " rows", name, rows);
    return (int64_t)n;
}

static void test_current_snapshots(void **state)
{
    (void)state;
    DIR *dir = opendir(golden_folder());
    assert_non_null(dir);
    int64_t tables = 0, files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        files += check_table(entry->d_name);
        tables++;
    }
    closedir(dir);
    print_message("# %" PRId64 " tables, %" PRId64 " files\n", tables, files);
    assert_true(tables > 80 && files > 300);
}

/* Every older snapshot can be planned, and where nothing is deleted its files hold its rows. */
static void test_older_snapshots(void **state)
{
    (void)state;
    DIR *dir = opendir(golden_folder());
    assert_non_null(dir);
    int checked = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        json_t *expected = load_expected(entry->d_name);
        firn_metadata *metadata = load_table(entry->d_name, expected);
        const char *key;
        json_t *of_snapshot;
        json_object_foreach(json_object_get(expected, "snapshots"), key, of_snapshot)
        {
            int64_t id, rows;
            assert_true(firn_parse_i64(key, &id));
            firn_scan_options options = {.storage = storage,
                                         .metadata = metadata,
                                         .snapshot = firn_metadata_snapshot(metadata, id)};
            MUST(firn_scan_count_rows(&options, &rows, &err));
            int64_t count = number(of_snapshot, "count", -1);
            if (rows >= 0 && count >= 0 && rows != count)
                fail_msg("%s: snapshot %s has %" PRId64 " rows, not %" PRId64, entry->d_name, key,
                         rows, count);
            checked += rows >= 0;
        }
    }
    closedir(dir);
    assert_true(checked > 100);
}

/* ---- pruning: what PyIceberg keeps of many_files ---- */

static void check_pruning(const firn_metadata *table, const char *filter, size_t files)
{
    size_t n;
    firn_scan_stats stats;
    plan(table, where(table, filter), &n, &stats);
    if (n != files)
        fail_msg("%s keeps %zu files, not %zu", filter, n, files);
    assert_int_equal(stats.files, stats.files_read + stats.files_skipped_manifest +
                                      stats.files_skipped_partition + stats.files_skipped_bounds +
                                      stats.files_skipped_nulls);
}

static void test_pruning(void **state)
{
    (void)state;
    firn_metadata *t = load_table("many_files", load_expected("many_files"));
    check_pruning(t, "{'type':'eq','term':'ts','value':'2024-03-03T00:00:00.000000+00:00'}", 5);
    check_pruning(t, "{'type':'gt-eq','term':'ts','value':'2024-03-07T00:00:00.000000+00:00'}", 10);
    check_pruning(t, "{'type':'eq','term':'id','value':5}", 6);
    check_pruning(t, "{'type':'lt','term':'id','value':0}", 0);
    check_pruning(t, "{'type':'gt-eq','term':'id','value':320}", 8);
    check_pruning(t, "{'type':'eq','term':'k','value':'k00100'}", 8);
    check_pruning(t, "{'type':'starts-with','term':'k','value':'k003'}", 16);
    check_pruning(t, "{'type':'is-null','term':'v'}", 20);
    check_pruning(t, "{'type':'in','term':'id','values':[1,399]}", 3);
    check_pruning(t,
                  "{'type':'and','left':{'type':'gt-eq','term':'id','value':80},"
                  "'right':{'type':'lt-eq','term':'id','value':87}}",
                  8);
    check_pruning(t, "{'type':'not','child':{'type':'lt','term':'id','value':320}}", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_current_snapshots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_older_snapshots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pruning, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("golden_scan", tests, NULL, NULL);
}
