/* Versions of a table: listed, gone back to, compared. */
#include "tree_fixture.h"

#include "export/versions.h"

static const firn_ident TABLE = {.ns = "tables", .name = "t"};

static void write_feed(lake_fixture *f)
{
    firn_err err = {0};
    const char *path = firn_lake_path(f->lake, f->arena, "feeds/active/t.json");
    const char *text =
        "{\"feed_name\": \"t\", \"feed_type\": \"table\", \"ksqldb_source\": \"T\", \"partitioning\": "
        "{\"type\": \"version\", \"columns\": [\"version\"]}, \"storage_mode\": \"overwrite\", "
        "\"format\": \"parquet\", \"retention_versions\": 7, \"enabled\": true, \"table\": "
        "\"tables.t\"}";
    lake_check(firn_mkdir_p(firn_path_dirname(f->arena, path), 0755, &err), &err, "feeds");
    lake_check(firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err), &err, path);
}

static firn_version *versions(lake_fixture *f, size_t *n)
{
    firn_err err = {0};
    firn_table table;
    firn_version *out = NULL;
    lake_check(
        firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, NULL, TABLE, &table, &err),
        &err, "load");
    lake_check(firn_versions(table.metadata, f->arena, &out, n, &err), &err, "versions");
    return out;
}

static void make_three(lake_fixture *f)
{
    tree_make_table(f);
    tree_version(f, 1, "SELECT 1, 10");
    tree_version(f, 2, "SELECT * FROM (VALUES (1, 11), (2, 20))");
    tree_version(f, 3, "SELECT * FROM (VALUES (2, 20), (3, 30))");
}

static void they_are_listed(void **state)
{
    lake_fixture *f = *state;
    size_t n = 0;
    tree_make_table(f);
    assert_int_equal((versions(f, &n), n), 0);
    for (int i = 1; i <= 12; i++) { /* numbers, not texts: v10 is newer than v9 */
        tree_version(f, i, "SELECT 1, 10");
    }
    lake_exec(f, "ALTER TABLE tables.t CREATE TAG v0; ALTER TABLE tables.t CREATE TAG v1b");
    firn_version *all = versions(f, &n);
    assert_int_equal(n, 12);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(all[i].number, i + 1);
        assert_int_equal(all[i].rows, 1);
        assert_int_equal(all[i].current, i + 1 == n);
    }
}

static void time_travel_by_tag(void **state)
{
    lake_fixture *f = *state;
    make_three(f);
    lake_expect(f, "SELECT id, total, version FROM tables.t AT (VERSION => 'v1')", "1|10|v1");
    lake_expect(f, "SELECT sum(total) FROM tables.t AT (VERSION => 'v2')", "31");
    lake_expect(f, "SELECT sum(total) FROM tables.t VERSION AS OF 'v3'", "50");
}

static void going_back_is_a_new_version(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed = tree_table("t");
    firn_err err = {0};
    int64_t made = 0;
    make_three(f);
    write_feed(f);
    lake_check(firn_version_rollback(f->session, f->arena, TABLE, 1, &made, &err), &err, "back");
    assert_int_equal(made, 4);
    lake_expect(f, "SELECT id, total, version FROM tables.t", "1|10|v4");
    lake_expect(f, "SELECT id, total, version FROM tables.t AT (VERSION => 'v4')", "1|10|v4");
    lake_expect(f, "SELECT sum(total) FROM tables.t AT (VERSION => 'v3')", "50");
    size_t n = 0;
    firn_version *all = versions(f, &n);
    assert_int_equal(n, 4);
    assert_int_equal(all[3].rolled_back_to, 1);
    assert_int_equal(all[2].rolled_back_to, 0);
    assert_true(all[3].current);
    lake_expect(f, tree_rows_of(f, &feed, "id, total, version"),
                "1|10|v1\n1|10|v4\n1|11|v2\n2|20|v2\n2|20|v3\n3|30|v3");
    lake_check(firn_version_rollback(f->session, f->arena, TABLE, 2, &made, &err), &err, "back");
    assert_int_equal(made, 5);
    lake_expect(f, "SELECT id, total FROM tables.t ORDER BY 1", "1|11\n2|20");
    firn_table table;
    lake_check(
        firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, NULL, TABLE, &table, &err),
        &err, "load");
    assert_int_equal(firn_metadata_property_i64(table.metadata, "firn.version", 0), 5);
}

static void a_version_that_is_not_there(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    int64_t made = 0;
    make_three(f);
    lake_exec(f, "ALTER TABLE tables.t DROP TAG v1");
    assert_int_equal(firn_version_rollback(f->session, f->arena, TABLE, 1, &made, &err),
                     FIRN_E_NOT_FOUND);
    assert_string_equal(err.message, "table tables.t has no version v1: it has v2, v3");
    lake_expect(f, "SELECT sum(total) FROM tables.t", "50");
}

static firn_version_diff compare(lake_fixture *f, const char *from, const char *to)
{
    firn_err err = {0};
    firn_version_diff diff;
    lake_check(firn_version_compare(f->session, f->arena, TABLE, from, to, &diff, &err), &err,
               "compare");
    return diff;
}

static void compared_by_key(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE SCHEMA tables; CREATE TABLE tables.t (id BIGINT NOT NULL, total BIGINT, "
                 "version VARCHAR, PRIMARY KEY (id)) PARTITIONED BY (version)");
    tree_version(f, 1, "SELECT 1, 10");
    tree_version(f, 2, "SELECT * FROM (VALUES (1, 11), (2, 20))");
    tree_version(f, 3, "SELECT * FROM (VALUES (2, 20), (3, 30))");
    firn_version_diff diff = compare(f, "v1", "v2");
    assert_int_equal(diff.added, 1);
    assert_int_equal(diff.removed, 0);
    assert_int_equal(diff.changed, 1);
    assert_int_equal(diff.same, 0);
    lake_expect(f, diff.rows_sql, "~-|1|10\n~+|1|11\n+|2|20");
    diff = compare(f, "v2", "v3");
    assert_int_equal(diff.added, 1);
    assert_int_equal(diff.removed, 1);
    assert_int_equal(diff.changed, 0);
    assert_int_equal(diff.same, 1);
    lake_expect(f, diff.rows_sql, "-|1|11\n+|3|30");
    diff = compare(f, "v2", "v2");
    assert_int_equal(diff.added + diff.removed + diff.changed, 0);
    assert_int_equal(diff.same, 2);
}

static void compared_by_whole_rows(void **state)
{
    lake_fixture *f = *state;
    make_three(f);
    firn_version_diff diff = compare(f, "v1", "v2");
    assert_int_equal(diff.added, 2);
    assert_int_equal(diff.removed, 1);
    assert_int_equal(diff.changed, 0);
    assert_int_equal(diff.same, 0);
    lake_expect(f, firn_arena_printf(f->arena, "FROM (%s) ORDER BY ALL", diff.rows_sql),
                "+|1|11\n+|2|20\n-|1|10");
    size_t n = 0;
    firn_version *all = versions(f, &n);
    diff = compare(f, firn_arena_printf(f->arena, "%lld", (long long)all[1].snapshot_id), "v3");
    assert_int_equal(diff.same, 1);
    firn_err err = {0};
    assert_int_equal(firn_version_compare(f->session, f->arena, TABLE, "v1", "v9", &diff, &err),
                     FIRN_E_NOT_FOUND);
    lake_contains(err.message, "has no version, tag or snapshot v9: it has v1, v2, v3");
}

static void only_columns_of_both_are_compared(void **state)
{
    lake_fixture *f = *state;
    make_three(f);
    lake_exec(f,
              "ALTER TABLE tables.t ADD COLUMN extra INT; TRUNCATE tables.t; INSERT INTO tables.t "
              "VALUES (2, 20, 'v4', 1), (3, 30, 'v4', 2); ALTER TABLE tables.t CREATE TAG v4");
    firn_version_diff diff = compare(f, "v3", "v4");
    assert_int_equal(diff.added + diff.removed, 0);
    assert_int_equal(diff.same, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(they_are_listed),
        T(time_travel_by_tag),
        T(going_back_is_a_new_version),
        T(a_version_that_is_not_there),
        T(compared_by_key),
        T(compared_by_whole_rows),
        T(only_columns_of_both_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
