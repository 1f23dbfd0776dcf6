/* The folder tree: a function of the table, whatever happened to either. */
#include "tree_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- streams ------------------------------------------------------------------------------------------------ */

static void folders_are_the_tables_partitions(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15), (2, 'b', 2025, 1, 15), (3, "
                 "'c', 2025, 11, 5)");
    firn_tree_result result = tree_sync(f, &feed);
    assert_string_equal(tree_shape(f, &feed), "_metadata.json\n"
                                              "year=2025/month=01/day=15/data_*.parquet\n"
                                              "year=2025/month=11/day=05/data_*.parquet");
    assert_int_equal(result.added, 2);
    assert_int_equal(result.copied + result.rewritten + result.removed, 0);
    assert_int_equal(result.rows, 3);
    assert_int_equal(result.partitions, 2);
    tree_is_table(f, &feed);
}

static void files_are_links(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15)");
    tree_sync(f, &feed);
    struct stat in_tree, in_table;
    size_t n = 0;
    const char *root = tree_root(f, &feed);
    const char *const *paths = tree_files(f, root, &n);
    assert_int_equal(stat(firn_path_join(f->arena, root, paths[1]), &in_tree), 0);
    const char *file = lake_text(f, "SELECT _file FROM (SELECT DISTINCT _file FROM streams.s)");
    assert_int_equal(
        stat(firn_storage_resolve(firn_lake_storage(f->lake), f->arena, file), &in_table), 0);
    assert_int_equal(in_tree.st_ino, in_table.st_ino);
}

static void syncing_again_changes_nothing(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    for (int i = 0; i < 5; i++) { /* within a second, so the names must part */
        lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15), (2, 'b', 2025, 1, 16)");
    }
    tree_sync(f, &feed);
    const char *before = tree_listing(f, &feed);
    struct stat was, is;
    const char *metadata = firn_path_join(f->arena, tree_root(f, &feed), "_metadata.json");
    assert_int_equal(stat(metadata, &was), 0);
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.kept, 10);
    assert_int_equal(result.added + result.removed, 0);
    assert_string_equal(tree_listing(f, &feed), before);
    assert_int_equal(stat(metadata, &is), 0);
    assert_int_equal(was.st_ino, is.st_ino);
    lake_exec(f, "INSERT INTO streams.s VALUES (3, 'c', 2025, 1, 15)");
    result = tree_sync(f, &feed);
    assert_int_equal(result.kept, 10);
    assert_int_equal(result.added, 1);
    tree_is_table(f, &feed);
}

static void files_are_named_by_their_snapshots_time(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    setenv("FIRN_FAKE_NOW", "2025-01-15T12:00:00Z", 1);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15)");
    lake_exec(f, "INSERT INTO streams.s VALUES (2, 'b', 2025, 1, 15)");
    setenv("FIRN_FAKE_NOW", "2025-01-15T14:30:00Z", 1);
    lake_exec(f, "INSERT INTO streams.s VALUES (3, 'c', 2025, 1, 15)");
    unsetenv("FIRN_FAKE_NOW");
    tree_sync(f, &feed);
    assert_string_equal(tree_listing(f, &feed),
                        "_metadata.json\n"
                        "year=2025/month=01/day=15/data_20250115_120000.parquet\n"
                        "year=2025/month=01/day=15/data_20250115_120000_2.parquet\n"
                        "year=2025/month=01/day=15/data_20250115_143000.parquet");
}

static void replaced_files_are_exchanged(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15), (2, 'b', 2025, 1, 16)");
    lake_exec(f, "INSERT INTO streams.s VALUES (3, 'c', 2025, 1, 15)");
    tree_sync(f, &feed);
    tree_put(f, &feed, "year=2025/month=01/day=15/notes.txt", "mine");
    setenv("FIRN_FAKE_NOW", "2099-01-15T12:00:00Z", 1);
    lake_exec(f, "INSERT OVERWRITE streams.s SELECT * FROM streams.s WHERE day = 15");
    unsetenv("FIRN_FAKE_NOW");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.removed, 2);
    assert_int_equal(result.added, 1);
    assert_string_equal(tree_shape(f, &feed), "_metadata.json\n"
                                              "year=2025/month=01/day=15/data_*.parquet\n"
                                              "year=2025/month=01/day=15/notes.txt\n"
                                              "year=2025/month=01/day=16/data_*.parquet");
    tree_is_table(f, &feed);
    assert_int_equal(tree_mode(f, &feed, "year=2025/month=01/day=15"), 0750);
}

static void no_exchange_still_ends_right(void **state)
{
    firn_tree_without_exchange = true;
    replaced_files_are_exchanged(state);
    firn_tree_without_exchange = false;
}

static void copies_where_links_cannot_be(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    firn_tree_without_links = true;
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15), (2, 'b', 2025, 1, 16)");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.copied, 2);
    const char *before = tree_listing(f, &feed);
    result = tree_sync(f, &feed);
    assert_int_equal(result.added + result.removed, 0);
    assert_string_equal(tree_listing(f, &feed), before);
    firn_tree_without_links = false;
    result = tree_sync(f, &feed); /* a copy is as good as a link */
    assert_int_equal(result.added + result.removed, 0);
    tree_is_table(f, &feed);
}

/* Spark, and firn's own tables without the property. pandas refuses what a folder and a file both have. */
static void files_with_the_folders_columns_are_written_anew(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15)");
    lake_exec(f, "ALTER TABLE streams.s SET TBLPROPERTIES ('firn.write.partition-columns'='true')");
    lake_exec(f, "INSERT INTO streams.s VALUES (2, 'b', 2025, 1, 15), (3, NULL, 2025, 1, 16)");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.added, 3);
    assert_int_equal(result.rewritten, 2);
    lake_expect(f,
                firn_arena_printf(f->arena,
                                  "SELECT DISTINCT path_in_schema FROM parquet_metadata('%s/**/"
                                  "*.parquet') ORDER BY 1",
                                  tree_root(f, &feed)),
                "id\nnote");
    tree_is_table(f, &feed);
    result = tree_sync(f, &feed);
    assert_int_equal(result.added + result.removed + result.rewritten, 0);
}

static void deleted_rows_are_left_out(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "ALTER TABLE streams.s SET TBLPROPERTIES ('write.delete.mode'='merge-on-read')");
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15), (2, 'b', 2025, 1, 15), (3, "
                 "'c', 2025, 1, 16)");
    tree_sync(f, &feed);
    lake_exec(f, "DELETE FROM streams.s WHERE id = 1");
    lake_expect(f, "SELECT count(*) FROM streams.s.delete_files", "1");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.rewritten, 1);
    assert_int_equal(result.rows, 2);
    tree_is_table(f, &feed);
    result = tree_sync(f, &feed);
    assert_int_equal(result.added + result.removed + result.rewritten, 0);
    assert_int_equal(result.rows, 2);
    lake_exec(f, "INSERT INTO streams.s VALUES (4, 'd', 2025, 1, 15), (5, 'e', 2025, 1, 15)");
    lake_exec(f, "DELETE FROM streams.s WHERE id = 4");
    tree_sync(f, &feed);
    tree_is_table(f, &feed);
}

/* Another engine dropped the partitioning and wrote files of many days. */
static void files_of_several_days_are_taken_apart(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15)");
    lake_exec(f, "ALTER TABLE streams.s DROP PARTITION FIELD year; ALTER TABLE streams.s DROP "
                 "PARTITION FIELD month; ALTER TABLE streams.s DROP PARTITION FIELD day");
    lake_exec(f, "INSERT INTO streams.s VALUES (2, 'b', 2025, 1, 15), (3, 'c', 2025, 1, 16), (4, "
                 "'d', NULL, 1, 1)");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.rewritten, 3);
    lake_expect(f, tree_rows_of(f, &feed, "id, note"), "1|a\n2|b\n3|c\n4|d");
    lake_contains(tree_shape(f, &feed),
                  "year=__HIVE_DEFAULT_PARTITION__/month=01/day=01/data_*.parquet");
    result = tree_sync(f, &feed);
    assert_int_equal(result.added + result.removed + result.rewritten, 0);
}

static void strange_files(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15)");
    tree_sync(f, &feed);
    tree_put(f, &feed, "notes.txt", "mine");
    tree_put(f, &feed, "year=2025/README", "mine");
    tree_put(f, &feed, "year=2025/month=01/day=15/old.parquet", "not mine");
    tree_put(f, &feed, "year=2024/month=01/day=15/data_20240115_000000.parquet", "not mine");
    tree_put(f, &feed, ".hidden/x.parquet", "not mine");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.removed, 3);
    assert_string_equal(tree_shape(f, &feed), "_metadata.json\nnotes.txt\nyear=2025/README\n"
                                              "year=2025/month=01/day=15/data_*.parquet");
    assert_false(firn_path_exists(firn_path_join(f->arena, tree_root(f, &feed), "year=2024")));
}

static void a_tree_that_was_thrown_away_is_made_again(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15), (2, 'b', 2025, 1, 16)");
    tree_sync(f, &feed);
    const char *before = tree_listing(f, &feed);
    nftw(tree_root(f, &feed), lake_unlink, 16, FTW_DEPTH | FTW_PHYS);
    tree_sync(f, &feed);
    assert_string_equal(tree_listing(f, &feed), before);
}

static void permissions_are_the_feeds(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    mode_t umask_before = umask(0077);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 1, 15)");
    feed.permissions = 0755;
    tree_sync(f, &feed);
    const char *file = tree_listing(f, &feed);
    file = strstr(file, "year=");
    assert_int_equal(tree_mode(f, &feed, ""), 0755);
    assert_int_equal(tree_mode(f, &feed, "year=2025/month=01"), 0755);
    assert_int_equal(tree_mode(f, &feed, "year=2025/month=01/day=15"), 0755);
    assert_int_equal(tree_mode(f, &feed, file), 0644);
    assert_int_equal(tree_mode(f, &feed, "_metadata.json"), 0644);
    assert_int_equal(tree_mode(f, &feed, ".."), 0755);
    feed.permissions = 0750; /* edited */
    tree_sync(f, &feed);
    assert_int_equal(tree_mode(f, &feed, ""), 0750);
    assert_int_equal(tree_mode(f, &feed, "year=2025"), 0750);
    assert_int_equal(tree_mode(f, &feed, "year=2025/month=01/day=15"), 0750);
    assert_int_equal(tree_mode(f, &feed, file), 0640);
    assert_int_equal(tree_mode(f, &feed, "_metadata.json"), 0640);
    umask(umask_before);
}

static void without_partitioning_files_are_in_the_feeds_folder(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    feed.partitioning = FIRN_EXPORT_UNPARTED;
    feed.n_columns = 0;
    lake_exec(f, "CREATE SCHEMA streams; CREATE TABLE streams.s (id BIGINT)");
    lake_exec(f, "INSERT INTO streams.s VALUES (1); INSERT INTO streams.s VALUES (2)");
    tree_sync(f, &feed);
    tree_put(f, &feed, "notes.txt", "mine");
    setenv("FIRN_FAKE_NOW", "2099-01-15T12:00:00Z", 1);
    lake_exec(f, "INSERT OVERWRITE streams.s VALUES (3)");
    unsetenv("FIRN_FAKE_NOW");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.removed, 2);
    assert_string_equal(tree_shape(f, &feed), "_metadata.json\ndata_*.parquet\nnotes.txt");
    lake_expect(f,
                firn_arena_printf(f->arena, "SELECT * FROM read_parquet('%s/*.parquet')",
                                  tree_root(f, &feed)),
                "3");
}

static void a_feed_without_such_a_column_is_told(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    firn_err err = {0};
    firn_tree_result result;
    lake_exec(f, "CREATE SCHEMA streams; CREATE TABLE streams.s (id BIGINT, year INT)");
    assert_int_equal(firn_tree_sync(f->session, &feed, 0, NULL, &result, &err), FIRN_E_CONFIG);
    lake_contains(err.message,
                  "feed s has folders by month, which is no column of table streams.s");
    feed.table = "streams.gone";
    assert_int_equal(firn_tree_sync(f->session, &feed, 0, NULL, &result, &err), FIRN_E_NO_TABLE);
}

/* ---- _metadata.json ------------------------------------------------------------------------------------------ */

static void metadata_is_as_it_always_was(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    firn_err err = {0};
    firn_tree_metadata metadata;
    tree_make_stream(f);
    assert_int_equal(firn_tree_metadata_read(f->lake, f->arena, &feed, &metadata, &err),
                     FIRN_E_NOT_FOUND);
    setenv("FIRN_FAKE_NOW", "2025-01-15T14:30:00.250Z", 1);
    lake_exec(f, "INSERT INTO streams.s SELECT i, 'x', 2025, 1, 15 + i % 2 FROM range(10) r(i)");
    unsetenv("FIRN_FAKE_NOW");
    tree_sync(f, &feed);
    lake_check(firn_tree_metadata_read(f->lake, f->arena, &feed, &metadata, &err), &err, "read");
    assert_string_equal(metadata.last_export, "2025-01-15T14:30:00Z");
    assert_int_equal(metadata.total_records, 10);
    assert_int_equal(metadata.n_partitions, 2);
    assert_string_equal(metadata.partitions[1].path, "year=2025/month=01/day=16");
    assert_int_equal(metadata.partitions[1].records, 5);
    assert_int_equal(metadata.partitions[1].files, 1);
    assert_string_equal(metadata.partitions[1].exported_at, "2025-01-15T14:30:00Z");
    static const char *const KEYS[] = {
        "source",      "type",          "storage_mode",  "format",          "partitioning",
        "last_export", "total_records", "total_size_mb", "partitions",      "schema_version",
        "created_at",  "table",         "snapshot_id",   "current_version", "versions",
        "files",       "bytes"};
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata.json, key, value)
    {
        assert_string_equal(key, KEYS[i++]);
    }
    assert_int_equal(i, sizeof(KEYS) / sizeof(KEYS[0]));
    assert_string_equal(json_string_value(json_object_get(metadata.json, "created_at")),
                        "2025-01-01T00:00:00Z");
    tree_put(f, &feed, "_metadata.json", "{ broken");
    tree_sync(f, &feed);
    lake_check(firn_tree_metadata_read(f->lake, f->arena, &feed, &metadata, &err), &err, "read");
    assert_int_equal(metadata.total_records, 10);
}

/* ---- versions ------------------------------------------------------------------------------------------------ */

static void each_tag_is_a_folder(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_table("t");
    tree_make_table(f);
    tree_version(f, 1, "SELECT 1, 10");
    tree_version(f, 2, "SELECT 1, 20");
    tree_sync(f, &feed);
    tree_version(f, 3, "SELECT * FROM (VALUES (1, 30), (2, 5))");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.added, 1);
    assert_string_equal(tree_shape(f, &feed), "_metadata.json\nversion=v1/snapshot_*.parquet\n"
                                              "version=v2/snapshot_*.parquet\n"
                                              "version=v3/snapshot_*.parquet");
    lake_expect(f, tree_rows_of(f, &feed, "id, total, version"),
                "1|10|v1\n1|20|v2\n1|30|v3\n2|5|v3");
    lake_exec(f, "ALTER TABLE tables.t DROP TAG v1");
    result = tree_sync(f, &feed);
    assert_int_equal(result.removed, 1);
    assert_string_equal(tree_shape(f, &feed), "_metadata.json\nversion=v2/snapshot_*.parquet\n"
                                              "version=v3/snapshot_*.parquet");
    firn_tree_metadata metadata;
    firn_err err = {0};
    lake_check(firn_tree_metadata_read(f->lake, f->arena, &feed, &metadata, &err), &err, "read");
    assert_string_equal(json_string_value(json_object_get(metadata.json, "current_version")), "v3");
    assert_int_equal(metadata.total_records, 3);
}

/* ---- readers at work ----------------------------------------------------------------------------------------- */

typedef struct reader {
    lake_fixture *f;
    const char *sql;
    atomic_bool stop;
    atomic_int looked;
    int vanished; /* a file went between listing and reading: an error, never wrong rows */
    char problem[2048];
} reader;

/* A row of the query must be "true|true": no row twice, and all of the days that are only rewritten. */
static firn_rc judge(void *ctx, firn_result *result, firn_err *err)
{
    reader *r = ctx;
    const char *const *cells = NULL;
    FIRN_TRY(firn_result_next(result, &cells, err));
    if (cells == NULL || cells[0] == NULL || !firn_streq(cells[0], "true") || cells[1] == NULL ||
        !firn_streq(cells[1], "true")) {
        snprintf(r->problem, sizeof(r->problem), "read %d: no row twice %s, whole days %s",
                 atomic_load(&r->looked), cells != NULL && cells[0] ? cells[0] : "?",
                 cells != NULL && cells[1] ? cells[1] : "?");
    }
    return FIRN_OK;
}

static void *read_on(void *ctx)
{
    reader *r = ctx;
    firn_session *session = NULL;
    firn_err err = {0};
    if (firn_session_new(r->f->engine, NULL, &session, &err) != FIRN_OK) {
        snprintf(r->problem, sizeof(r->problem), "%s", err.message);
        return NULL;
    }
    while (!atomic_load(&r->stop) && r->problem[0] == '\0') {
        err = (firn_err){0};
        firn_rc rc = firn_session_run(session, r->sql, judge, r, &err);
        r->vanished += rc != FIRN_OK;
        if (rc == FIRN_OK) {
            atomic_fetch_add(&r->looked, 1);
        } else if (strstr(err.message, "No such file") == NULL &&
                   strstr(err.message, "no such file") == NULL &&
                   strstr(err.message, "cannot open") == NULL &&
                   strstr(err.message, "Cannot open") == NULL) {
            snprintf(r->problem, sizeof(r->problem), "%s", err.message);
        }
    }
    firn_session_free(session);
    return NULL;
}

/* A day is rewritten again and again, others come and go. */
static void readers_find_each_row_once(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s SELECT i, 'x', 2025, 1, 15 FROM range(200) r(i)");
    lake_exec(f, "INSERT INTO streams.s SELECT 200 + i, 'x', 2025, 1, 15 FROM range(200) r(i)");
    tree_sync(f, &feed);
    reader r = {.f = f};
    r.sql =
        firn_arena_printf(f->arena,
                          "SELECT count(*) = count(DISTINCT id), count(*) FILTER (day = '15') = "
                          "400 FROM read_parquet('%s/**/*.parquet', hive_partitioning = true, "
                          "hive_types_autocast = false)",
                          tree_root(f, &feed));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
    for (int i = 0; r.problem[0] == '\0' && (i < 12 || atomic_load(&r.looked) < 20) && i < 200;
         i++) {
        lake_exec(f,
                  firn_arena_printf(f->arena, "INSERT INTO streams.s VALUES (%d, 'y', 2025, 2, %d)",
                                    1000 + i, 1 + i % 9));
        tree_sync(f, &feed);
        lake_exec(
            f, "INSERT OVERWRITE streams.s SELECT * FROM streams.s WHERE day = 15 AND month = 1");
        tree_sync(f, &feed);
        if (i % 5 == 4) {
            lake_exec(f, firn_arena_printf(f->arena,
                                           "DELETE FROM streams.s WHERE month = 2 AND day = %d",
                                           1 + i % 9));
            tree_sync(f, &feed);
        }
    }
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    assert_string_equal(r.problem, "");
    assert_true(atomic_load(&r.looked) >= 20);
    tree_is_table(f, &feed);
}

/* ---- many ---------------------------------------------------------------------------------------------------- */

static void many_folders_and_files(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_stream("s");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s SELECT i, 'x', 2020 + i % 5, 1 + i % 12, 1 + i % 28 FROM "
                 "range(2000) r(i)");
    firn_tree_result result = tree_sync(f, &feed);
    assert_int_equal(result.rows, 2000);
    assert_int_equal(result.added, result.partitions);
    tree_is_table(f, &feed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(folders_are_the_tables_partitions),
        T(files_are_links),
        T(syncing_again_changes_nothing),
        T(files_are_named_by_their_snapshots_time),
        T(replaced_files_are_exchanged),
        T(no_exchange_still_ends_right),
        T(copies_where_links_cannot_be),
        T(files_with_the_folders_columns_are_written_anew),
        T(deleted_rows_are_left_out),
        T(files_of_several_days_are_taken_apart),
        T(strange_files),
        T(a_tree_that_was_thrown_away_is_made_again),
        T(permissions_are_the_feeds),
        T(without_partitioning_files_are_in_the_feeds_folder),
        T(a_feed_without_such_a_column_is_told),
        T(metadata_is_as_it_always_was),
        T(each_tag_is_a_folder),
        T(readers_find_each_row_once),
        T(many_folders_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
