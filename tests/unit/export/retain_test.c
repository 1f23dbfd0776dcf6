/* Retention: what is too old is gone from the table, its past, the folders and the disk. */
#include "tree_fixture.h"

#include "base/buf.h"
#include "export/retain.h"

#include <utime.h>

#define MARKER "Malewitsch" /* bounds have 16 characters */

static const int64_t NOW_US = INT64_C(1767225600000000); /* 2026-01-01 */

static firn_retain_result retain(lake_fixture *f, const firn_export_feed *feed, bool dry_run)
{
    firn_err err = {0};
    firn_retain_result result;
    lake_check(firn_export_retain(f->session, f->arena, feed, NOW_US, dry_run, &result, &err), &err,
               "retain");
    return result;
}

static firn_export_feed year_stream(void)
{
    firn_export_feed feed = tree_stream("s");
    feed.retention_days = 365;
    return feed;
}

static void fill(lake_fixture *f)
{
    tree_make_stream(f);
    lake_exec(f,
              "INSERT INTO streams.s VALUES (1, '" MARKER "', 2024, 12, 31), (2, 'b', 2025, 1, 1)");
    lake_exec(f,
              "INSERT INTO streams.s VALUES (3, '" MARKER "', 2024, 2, 1), (4, 'd', 2025, 6, 1), "
              "(5, 'e', 2025, 1, 1)");
}

/* ---- nothing is left ------------------------------------------------------------------------------------------- */

static bool has_marker(firn_bytes bytes)
{
    return bytes.len > 0 && memmem(bytes.data, bytes.len, MARKER, strlen(MARKER)) != NULL;
}

/* Parquet by its rows and statistics, everything else by its bytes. */
static void assert_erased_below(lake_fixture *f, const char *dir)
{
    size_t n = 0, parquet = 0;
    const char *const *paths = tree_files(f, dir, &n);
    for (size_t i = 0; i < n; i++) {
        firn_err err = {0};
        firn_bytes bytes;
        const char *path = firn_path_join(f->arena, dir, paths[i]);
        lake_check(firn_file_read(f->arena, path, 64 << 20, &bytes, &err), &err, path);
        if (has_marker(bytes)) {
            fail_msg("%s still has the erased rows", path);
        }
        if (firn_ends_with(path, ".parquet")) {
            parquet++;
            const char *quoted = firn_tree_quote(f->arena, path);
            lake_expect(f,
                        firn_arena_printf(f->arena,
                                          "SELECT count(*) FROM read_parquet(%s) WHERE note = "
                                          "'" MARKER "'",
                                          quoted),
                        "0");
        }
    }
    assert_true(parquet > 0);
}

/* Manifests are compressed: look at every bound that they have. */
static void assert_erased_in_manifests(lake_fixture *f)
{
    firn_err err = {0};
    firn_table table;
    const firn_ident ident = {.ns = "streams", .name = "s"};
    lake_check(
        firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, NULL, ident, &table, &err),
        &err, "load");
    size_t bounds = 0;
    for (size_t s = 0; s < table.metadata->n_snapshots; s++) {
        firn_manifest_file *files = NULL;
        size_t n = 0;
        lake_check(firn_manifest_list_read(firn_lake_storage(f->lake), f->arena, table.metadata,
                                           &table.metadata->snapshots[s], &files, &n, &err),
                   &err, "list");
        for (size_t i = 0; i < n; i++) {
            firn_manifest *manifest = NULL;
            lake_check(firn_manifest_open(firn_lake_storage(f->lake), NULL, table.metadata,
                                          &files[i], &manifest, &err),
                       &err, "manifest");
            for (size_t e = 0; e < firn_manifest_len(manifest); e++) {
                firn_manifest_entry entry;
                firn_manifest_entry_at(manifest, f->arena, e, &entry);
                for (size_t m = 0; m < entry.file.n_metrics; m++) {
                    assert_false(has_marker(entry.file.metrics[m].lower));
                    assert_false(has_marker(entry.file.metrics[m].upper));
                    bounds++;
                }
            }
            firn_manifest_unref(manifest);
        }
    }
    assert_true(bounds > 0);
}

static void assert_erased(lake_fixture *f)
{
    assert_erased_below(f, f->root);
    assert_erased_in_manifests(f);
}

static void old_days_are_gone_everywhere(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    fill(f);
    tree_sync(f, &feed);
    firn_retain_result due = retain(f, &feed, true);
    assert_int_equal(due.rows, 2);
    assert_int_equal(due.files, 2);
    assert_int_equal(due.partitions, 2);
    assert_true(due.bytes > 0);
    assert_string_equal(due.oldest_kept, "2025-01-01");
    lake_expect(f, "SELECT count(*) FROM streams.s", "5");
    firn_retain_result gone = retain(f, &feed, false);
    assert_int_equal(gone.rows, 2);
    assert_int_equal(gone.files, 2);
    assert_true(gone.bytes >= due.bytes);
    assert_int_equal(gone.n_kept_by, 0);
    lake_expect(f, "SELECT id FROM streams.s ORDER BY 1", "2\n4\n5");
    lake_expect(f, "SELECT count(*) FROM streams.s.snapshots", "1");
    lake_expect(f, "SELECT operation FROM streams.s.snapshots", "delete");
    tree_is_table(f, &feed);
    assert_erased(f);
    gone = retain(f, &feed, false);
    assert_int_equal(gone.rows + gone.files + gone.partitions, 0);
    assert_string_equal(gone.oldest_kept, "2025-01-01");
    lake_expect(f, "SELECT count(*) FROM streams.s.snapshots", "1");
}

/* What was compacted once left the old files' bounds in manifests. */
static void rows_that_were_rewritten_are_gone_too(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    fill(f);
    lake_exec(f, "UPDATE streams.s SET note = note || '!' WHERE id = 1");
    lake_exec(f, "INSERT INTO streams.s VALUES (6, '" MARKER "', 2024, 2, 1)");
    tree_sync(f, &feed);
    retain(f, &feed, false);
    lake_expect(f, "SELECT id FROM streams.s ORDER BY 1", "2\n4\n5");
    assert_erased(f);
}

/* Marking rows as deleted would leave them in the files. */
static void merge_on_read_erases_too(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    fill(f);
    lake_exec(f, "ALTER TABLE streams.s SET TBLPROPERTIES ('write.delete.mode'='merge-on-read'); "
                 "ALTER TABLE streams.s DROP PARTITION FIELD day");
    lake_exec(f,
              "INSERT INTO streams.s VALUES (6, '" MARKER "', 2024, 12, 30), (7, 'g', 2025, 1, 2)");
    lake_exec(f, "ALTER TABLE streams.s DROP PARTITION FIELD year; ALTER TABLE streams.s DROP "
                 "PARTITION FIELD month");
    lake_exec(f,
              "INSERT INTO streams.s VALUES (8, '" MARKER "', 2024, 12, 30), (9, 'h', 2025, 1, 2)");
    tree_sync(f, &feed);
    firn_retain_result due = retain(f, &feed, true);
    assert_int_equal(due.rows, 4);
    assert_int_equal(due.partitions, 3);
    retain(f, &feed, false);
    lake_expect(f, "SELECT id FROM streams.s ORDER BY 1", "2\n4\n5\n7\n9");
    tree_is_table(f, &feed);
    assert_erased(f);
}

static void coarser_folders_keep_whole_months(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    feed.n_columns = 2;
    lake_exec(f,
              "CREATE SCHEMA streams; CREATE TABLE streams.s (id BIGINT, year INT, month VARCHAR) "
              "PARTITIONED BY (year, month)");
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 2024, '09'), (2, 2024, '12'), (3, 2025, '01')");
    feed.retention_days = 400; /* since 2024-11-27 */
    firn_retain_result gone = retain(f, &feed, false);
    assert_int_equal(gone.rows, 1);
    assert_string_equal(gone.oldest_kept, "2024-12");
    lake_expect(f, "SELECT id FROM streams.s ORDER BY 1", "2\n3");
}

static void rows_without_a_day_stay(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', NULL, NULL, NULL), (2, 'b', 2020, 1, 1)");
    assert_int_equal(retain(f, &feed, false).rows, 1);
    lake_expect(f, "SELECT id FROM streams.s", "1");
}

static const char *put_data(lake_fixture *f, const char *relative, int64_t age_s)
{
    firn_err err = {0};
    const char *path = firn_lake_path(
        f->lake, f->arena, firn_arena_printf(f->arena, "warehouse/streams/s/data/%s", relative));
    lake_check(firn_mkdir_p(firn_path_dirname(f->arena, path), 0755, &err), &err, path);
    lake_check(firn_file_write_atomic(path, firn_bytes_str(MARKER), 0644, &err), &err, path);
    const struct utimbuf time = {.modtime = (time_t)(NOW_US / 1000000 - age_s),
                                 .actime = (time_t)(NOW_US / 1000000)};
    assert_int_equal(utime(path, &time), 0);
    return path;
}

/* No table names them, so no snapshot that expires does. */
static void what_killed_writers_left_goes(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 6, 1)");
    const char *due = put_data(f, "year=2024/month=12/day=31/left.parquet", 7 * 86400);
    const char *older = put_data(f, "year=2019/month=2/day=1/left.parquet", 7 * 86400);
    const char *young = put_data(f, "year=2024/month=12/day=30/new.parquet", 60);
    const char *kept = put_data(f, "year=2025/month=1/day=1/left.parquet", 7 * 86400);
    const char *other = put_data(f, "left.parquet", 7 * 86400);
    retain(f, &feed, true);
    assert_true(firn_path_exists(due));
    retain(f, &feed, false);
    assert_false(firn_path_exists(due));
    assert_false(firn_path_exists(older));
    assert_true(firn_path_exists(young));
    assert_true(firn_path_exists(kept));
    assert_true(firn_path_exists(other));
    lake_expect(f, "SELECT id FROM streams.s", "1");
}

static void for_ever_is_for_ever(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    fill(f);
    firn_retain_result gone = retain(f, &feed, false);
    assert_int_equal(gone.rows + gone.files, 0);
    lake_expect(f, "SELECT count(*) FROM streams.s", "5");
}

/* ---- who keeps it ------------------------------------------------------------------------------------------------ */

static void a_branch_keeps_rows_and_is_named(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    firn_err err = {0};
    fill(f);
    lake_check(firn_catalog_ref_create(firn_lake_catalog(f->lake), "audit", false, "main", &err),
               &err, "branch");
    assert_int_equal(retain(f, &feed, true).n_kept_by, 1);
    firn_retain_result gone = retain(f, &feed, false);
    assert_int_equal(gone.rows, 2);
    assert_true(gone.n_kept_by > 0);
    lake_contains(gone.kept_by[0], "branch audit");
    lake_expect(f, "SELECT count(*) FROM streams.s", "3");
    lake_exec(f, "USE REF audit");
    lake_expect(f, "SELECT count(*) FROM streams.s", "5");
    lake_exec(f, "USE REF main");
    /* The duty is not forgotten: with the branch the rest goes. */
    gone = retain(f, &feed, false);
    assert_true(gone.n_kept_by > 0);
    lake_check(firn_catalog_ref_delete(firn_lake_catalog(f->lake), "audit", &err), &err, "drop");
    gone = retain(f, &feed, false);
    assert_int_equal(gone.n_kept_by, 0);
    assert_erased(f);
    assert_false(firn_path_exists(firn_lake_path(f->lake, f->arena, ".firn/export/s.retain")));
}

static void a_tag_keeps_rows_and_is_named(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    fill(f);
    lake_exec(f, "ALTER TABLE streams.s CREATE TAG audit");
    firn_retain_result gone = retain(f, &feed, false);
    assert_int_equal(gone.n_kept_by, 1);
    lake_contains(gone.kept_by[0], "tag audit");
    lake_exec(f, "ALTER TABLE streams.s DROP TAG audit");
    assert_int_equal(retain(f, &feed, false).n_kept_by, 0);
    assert_erased(f);
}

/* ---- versions ------------------------------------------------------------------------------------------------------ */

static void old_versions_go(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_table("t");
    feed.retention_versions = 2;
    tree_make_table(f);
    tree_version(f, 1, "SELECT 1, 10");
    tree_version(f, 2, "SELECT 1, 20");
    tree_version(f, 3, "SELECT 1, 30");
    tree_version(f, 4, "SELECT 1, 40");
    tree_sync(f, &feed);
    firn_retain_result due = retain(f, &feed, true);
    assert_int_equal(due.partitions, 2);
    assert_int_equal(due.rows, 2);
    assert_string_equal(due.oldest_kept, "v3");
    firn_retain_result gone = retain(f, &feed, false);
    assert_int_equal(gone.partitions, 2);
    assert_true(gone.bytes > 0);
    assert_string_equal(tree_shape(f, &feed), "_metadata.json\nversion=v3/snapshot_*.parquet\n"
                                              "version=v4/snapshot_*.parquet");
    lake_expect(f, "SELECT total FROM tables.t AT (VERSION => 'v3')", "30");
    lake_expect(f, "SELECT total FROM tables.t", "40");
    lake_fails(f, "SELECT total FROM tables.t AT (VERSION => 'v1')", FIRN_E_NO_REF);
    size_t n = 0, parquet = 0;
    const char *const *paths = tree_files(f, firn_lake_path(f->lake, f->arena, "warehouse"), &n);
    for (size_t i = 0; i < n; i++) {
        parquet += firn_ends_with(paths[i], ".parquet");
    }
    assert_int_equal(parquet, 2);
    gone = retain(f, &feed, false);
    assert_int_equal(gone.partitions, 0);
}

/* ---- faults ---------------------------------------------------------------------------------------------------------- */

static void fault(const char *name, const char *value)
{
    if (value != NULL) {
        setenv(name, value, 1);
    } else {
        unsetenv(name);
    }
    firn_fault_reload();
}

/* Whatever operation fails, the next retention does what is left. */
static void failing_anywhere_ends_right(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = year_stream();
    fill(f);
    tree_sync(f, &feed);
    firn_rc rc = FIRN_E_IO;
    int n = 0;
    while (rc != FIRN_OK && n < 500) {
        firn_err err = {0};
        firn_retain_result result;
        fault("FIRN_FAULT_FAIL", firn_arena_printf(f->arena, "%d", ++n));
        rc = firn_export_retain(f->session, f->arena, &feed, NOW_US, false, &result, &err);
        fault("FIRN_FAULT_FAIL", NULL);
        assert_true(rc == FIRN_OK || err.message[0] != '\0');
        const char *rows = lake_text(f, "SELECT count(*) FROM streams.s");
        assert_true(firn_streq(rows, "5") || firn_streq(rows, "3"));
        lake_expect(f,
                    firn_arena_printf(f->arena, "SELECT count(*) = count(DISTINCT id) FROM (%s)",
                                      tree_rows_of(f, &feed, "id")),
                    "true");
    }
    assert_true(n > 5);
    retain(f, &feed, false);
    tree_is_table(f, &feed);
    assert_erased(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(old_days_are_gone_everywhere),  T(rows_that_were_rewritten_are_gone_too),
        T(merge_on_read_erases_too),      T(coarser_folders_keep_whole_months),
        T(rows_without_a_day_stay),       T(what_killed_writers_left_goes),
        T(for_ever_is_for_ever),          T(a_branch_keeps_rows_and_is_named),
        T(a_tag_keeps_rows_and_is_named), T(old_versions_go),
        T(failing_anywhere_ends_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
