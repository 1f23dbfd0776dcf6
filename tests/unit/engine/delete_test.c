/* DELETE and TRUNCATE: what is rewritten, what goes by metadata alone, and delete files of both kinds. */
#include "lake_fixture.h"

#include "iceberg/scan.h"

static firn_scan_task *tasks_of(lake_fixture *f, const char *name, size_t *n)
{
    firn_err err = {0};
    firn_table t;
    firn_scan *scan = NULL;
    firn_scan_task *tasks = NULL;
    firn_catalog *catalog = firn_lake_catalog(f->lake);
    firn_ident ident = {.ns = "default", .name = name};
    lake_check(firn_catalog_table_load(catalog, f->arena, NULL, ident, &t, &err), &err, name);
    firn_scan_options options = {.storage = firn_lake_storage(f->lake),
                                 .cache = firn_catalog_manifests(catalog),
                                 .metadata = t.metadata,
                                 .snapshot = t.metadata->current_snapshot,
                                 .schema = t.metadata->schema};
    lake_check(firn_scan_open(f->arena, &options, &scan, &err), &err, name);
    lake_check(firn_scan_all(scan, &tasks, n, &err), &err, name);
    return tasks;
}

static void conditions_pick_rows(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t AS SELECT range AS id, CASE WHEN range % 2 = 0 THEN 'even' END AS kind FROM range(10)");
    lake_expect(f, "DELETE FROM t WHERE id = 3", "1 row deleted (1 file rewritten)");
    lake_expect(f, "DELETE FROM t x WHERE x.id < 2", "2 rows deleted (1 file rewritten)");
    lake_expect(f, "DELETE FROM t WHERE kind <> 'even'", "0 rows deleted"); /* NULL is not true */
    lake_expect(f, "DELETE FROM t WHERE id IN (SELECT id + 1 FROM t WHERE id = 7)",
                "1 row deleted (1 file rewritten)");
    lake_expect(f, "DELETE FROM t AS a USING (VALUES (4), (4), (99)) AS v(n) WHERE a.id = v.n",
                "1 row deleted (1 file rewritten)");
    lake_expect(f, "SELECT string_agg(id, ' ' ORDER BY id) FROM t", "2 5 6 7 9");
    lake_expect(f, "DELETE FROM t", "5 rows deleted (1 file removed)");
    lake_expect(f, "SELECT count(*) FROM t", "0");
}

/* Evaluated once per row: what is told is what has happened. */
static void volatile_conditions_are_evaluated_once(void **state)
{
    lake_fixture *f = *state;
    int64_t deleted = 0, updated = 0;
    firn_err err = {0};
    lake_exec(f, "CREATE TABLE t AS SELECT range AS id, 0 AS v FROM range(1000)");
    lake_check(firn_session_exec(f->session, "DELETE FROM t WHERE random() < 0.5", &deleted, &err),
               &err, "DELETE");
    lake_check(
        firn_session_exec(f->session, "UPDATE t SET v = 1 WHERE random() < 0.5", &updated, &err),
        &err, "UPDATE");
    lake_expect(f, "SELECT count(*), sum(v) FROM t",
                firn_arena_printf(f->arena, "%d|%d", (int)(1000 - deleted), (int)updated));
    assert_in_range(deleted, 300, 700);
}

static void whole_files_go_without_being_read(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, d date) PARTITIONED BY (d); INSERT INTO t SELECT range, DATE '2024-01-01' + "
        "(range % 4)::int FROM range(40)");
    size_t n = 0;
    firn_scan_task *tasks = tasks_of(f, "t", &n);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) { /* nothing could be read any more */
        assert_int_equal(
            truncate(
                firn_storage_resolve(firn_lake_storage(f->lake), f->arena, tasks[i].file->path), 0),
            0);
    }
    lake_expect(f, "DELETE FROM t WHERE d = DATE '2024-01-02'", "10 rows deleted (1 file removed)");
    lake_expect(f, "DELETE FROM t WHERE d < DATE '2024-01-04' AND d > DATE '2024-01-02'",
                "10 rows deleted (1 file removed)");
    lake_expect(f, "SELECT count(*) FROM t", "20");
    lake_expect(f, "TRUNCATE TABLE t", "20 rows deleted (2 files removed)");
}

static void only_files_with_matching_rows_are_rewritten(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, v int); INSERT INTO t SELECT range, 0 FROM range(10); INSERT INTO t SELECT range "
        "+ 10, 0 FROM range(10); INSERT INTO t SELECT range + 20, 1 FROM range(10)");
    lake_expect(f, "DELETE FROM t WHERE id % 10 = 5 AND v = 0",
                "2 rows deleted (2 files rewritten)");
    lake_expect(f, "DELETE FROM t WHERE id >= 20 AND id % 2 >= 0",
                "10 rows deleted (1 file removed)");
    lake_expect(f, "SELECT count(*), sum(id) FROM t", "18|170");
}

static void position_deletes_mark_rows(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, p int) PARTITIONED BY (p) TBLPROPERTIES ('format-version' = '2', "
        "'write.delete.mode' = 'merge-on-read'); INSERT INTO t SELECT range, range % 2 FROM range(20)");
    lake_expect(f, "DELETE FROM t WHERE id BETWEEN 3 AND 6",
                "4 rows deleted (2 delete files added)");
    lake_expect(f, "DELETE FROM t WHERE id = 8", "1 row deleted (1 delete file added)");
    lake_expect(f, "DELETE FROM t WHERE id BETWEEN 3 AND 8", "1 row deleted (1 delete file added)");
    lake_expect(f, "SELECT count(*), sum(id) FROM t", "14|157");
    size_t n = 0;
    firn_scan_task *tasks = tasks_of(f, "t", &n);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_true(tasks[i].n_deletes > 0);
        for (size_t k = 0; k < tasks[i].n_deletes; k++) {
            const firn_data_file *d = tasks[i].deletes[k].file;
            assert_string_equal(d->format, "PARQUET");
            assert_string_equal(d->referenced_data_file, tasks[i].file->path);
            lake_expect(
                f,
                firn_arena_printf(
                    f->arena,
                    "SELECT string_agg(name || ' ' || field_id, ', ' ORDER BY name) FROM parquet_schema(%s) "
                    "WHERE field_id IS NOT NULL",
                    firn_sql_quote(f->arena, firn_storage_resolve(firn_lake_storage(f->lake),
                                                                  f->arena, d->path))),
                "file_path 2147483546, pos 2147483545");
        }
    }
    lake_expect(f, "DELETE FROM t", "14 rows deleted (2 files removed)");
}

static void a_file_has_one_deletion_vector(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint) TBLPROPERTIES ('format-version' = '3', 'write.delete.mode' = 'merge-on-read'); "
        "INSERT INTO t SELECT range FROM range(100); INSERT INTO t SELECT range + 100 FROM range(100)");
    lake_expect(f, "DELETE FROM t WHERE id % 50 = 7", "4 rows deleted (2 delete files added)");
    lake_expect(f, "DELETE FROM t WHERE id = 8", "1 row deleted (1 delete file added)");
    lake_expect(f, "DELETE FROM t WHERE id < 10 AND id >= 0 AND id % 1 = 0",
                "8 rows deleted (1 delete file added)");
    size_t n = 0;
    firn_scan_task *tasks = tasks_of(f, "t", &n);
    int64_t deleted = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(tasks[i].n_deletes, 1);
        assert_string_equal(tasks[i].deletes[0].file->format, "PUFFIN");
        deleted += tasks[i].deletes[0].file->record_count;
    }
    assert_int_equal(deleted, 13);
    lake_expect(f, "SELECT count(*), count(*) FILTER (id < 10) FROM t", "187|0");
}

/* A table that was upgraded: the vector takes in what older position delete files say, since readers ignore them beside it. */
static void vectors_take_in_older_position_deletes(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint) TBLPROPERTIES ('format-version' = '2', 'write.delete.mode' = 'merge-on-read'); "
        "INSERT INTO t SELECT range FROM range(10); DELETE FROM t WHERE id = 1; ALTER TABLE t SET TBLPROPERTIES "
        "('format-version' = '3'); DELETE FROM t WHERE id = 2");
    lake_expect(f, "SELECT string_agg(id, ' ' ORDER BY id) FROM t", "0 3 4 5 6 7 8 9");
    size_t n = 0;
    firn_scan_task *tasks = tasks_of(f, "t", &n);
    for (size_t i = 0; i < tasks[0].n_deletes; i++) {
        if (strcmp(tasks[0].deletes[i].file->format, "PUFFIN") == 0) {
            assert_int_equal(tasks[0].deletes[i].file->record_count, 2);
        }
    }
}

static void mistakes_are_told(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, name varchar); CREATE TABLE u AS SELECT 1 AS id, 'a' AS name");
    static const char *const tables[] = {"t", "u"}; /* without and with rows */
    for (size_t i = 0; i < 2; i++) {
        const char *t = tables[i];
        lake_contains(lake_fails(f,
                                 firn_arena_printf(f->arena, "DELETE FROM %s WHERE nam = 'a'", t),
                                 FIRN_E_NO_COLUMN),
                      "Did you mean name?");
        lake_fails(f, firn_arena_printf(f->arena, "DELETE FROM %s WHERE", t), FIRN_E_SYNTAX);
        lake_fails(f, firn_arena_printf(f->arena, "DELETE FROM %s WHERE id = (", t), FIRN_E_SYNTAX);
        lake_fails(f, firn_arena_printf(f->arena, "DELETE FROM %s WHERE id = 1 RETURNING *", t),
                   FIRN_E_UNSUPPORTED);
        lake_fails(f, firn_arena_printf(f->arena, "DELETE FROM %s LIMIT 1 ROWS", t), FIRN_E_SYNTAX);
    }
    lake_contains(lake_fails(f, "DELETE FROM nope", FIRN_E_NO_TABLE), "nope");
    lake_exec(f, "ALTER TABLE u SET TBLPROPERTIES ('write.delete.mode' = 'sometimes')");
    lake_contains(lake_fails(f, "DELETE FROM u WHERE id = 1", FIRN_E_INVALID),
                  "copy-on-write or merge-on-read");
    lake_expect(f, "SELECT * FROM u", "1|a");
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

/* The file of deletion vectors is a new one: what cannot be made durable is a known failure, and goes. */
static void a_failing_write_of_vectors_is_known(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "CREATE TABLE t (a int) TBLPROPERTIES ('format-version' = '3',"
              " 'write.delete.mode' = 'merge-on-read'); INSERT INTO t SELECT range FROM range(9)");
    firn_rc rc = FIRN_E_IO;
    int of_vectors = 0;
    for (int n = 1; rc != FIRN_OK; n++) {
        firn_err err = {0};
        assert_true(n < 100);
        setenv("FIRN_FAULT_FAIL", firn_arena_printf(f->arena, "%d", n), 1);
        firn_fault_reload();
        rc = firn_session_exec(f->session, "DELETE FROM t WHERE a = 4", NULL, &err);
        unsetenv("FIRN_FAULT_FAIL");
        firn_fault_reload();
        if (rc != FIRN_OK) {
            of_vectors += strstr(err.message, "puffin") != NULL;
            if (strstr(err.message, "was replaced") != NULL) {
                fail_msg("nothing was replaced: %s", err.message);
            }
        }
        lake_reopen(f);
    }
    assert_true(of_vectors > 0);
    lake_expect(f, "SELECT count(*) FROM t", "8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(conditions_pick_rows),
        T(volatile_conditions_are_evaluated_once),
        T(whole_files_go_without_being_read),
        T(only_files_with_matching_rows_are_rewritten),
        T(position_deletes_mark_rows),
        T(a_file_has_one_deletion_vector),
        T(vectors_take_in_older_position_deletes),
        T(a_failing_write_of_vectors_is_known),
        T(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
