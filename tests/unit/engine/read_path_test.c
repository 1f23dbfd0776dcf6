/* Tables read by their files alone, and columns that show only to those who name them. */
#include "lake_fixture.h"

/* A table of three commits: 1, then 2, then 2 gone. */
static void make_table(lake_fixture *f)
{
    lake_exec(f, "CREATE SCHEMA b");
    lake_exec(f, "CREATE TABLE b.t (id BIGINT, s VARCHAR) TBLPROPERTIES ('format-version'='3')");
    lake_exec(f, "INSERT INTO b.t VALUES (1, 'one')");
    lake_exec(f, "INSERT INTO b.t VALUES (2, '__firn_1__')");
}

static void a_folder_or_a_metadata_file_is_enough(void **state)
{
    lake_fixture *f = *state;
    make_table(f);
    const char *folder = firn_arena_printf(f->arena, "%s/warehouse/b/t", f->root);
    lake_expect(f, firn_arena_printf(f->arena, "SELECT sum(id) FROM iceberg_scan('%s')", folder),
                "3");
    lake_expect(
        f,
        firn_arena_printf(
            f->arena, "SELECT count(*) FROM iceberg_scan('file://%s/') x WHERE x.id = 2", folder),
        "1");
    const char *file = lake_text(
        f, "SELECT file FROM b.t.metadata_log_entries ORDER BY timestamp LIMIT 1 OFFSET 1");
    lake_expect(f, firn_arena_printf(f->arena, "SELECT count(*) FROM iceberg_scan('%s')", file),
                "1");
    const char *first =
        lake_text(f, "SELECT snapshot_id FROM b.t.snapshots ORDER BY committed_at LIMIT 1");
    lake_expect(f,
                firn_arena_printf(f->arena,
                                  "SELECT count(*) FROM iceberg_scan('%s', snapshot_from_id => %s)",
                                  folder, first),
                "1");
}

static void what_is_no_table_is_refused(void **state)
{
    lake_fixture *f = *state;
    make_table(f);
    const char *message = lake_fails(
        f, firn_arena_printf(f->arena, "FROM iceberg_scan('%s')", f->root), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(message, "is no Iceberg table"));
    message = lake_fails(f, "FROM iceberg_scan(1 + 1)", FIRN_E_INVALID);
    assert_non_null(strstr(message, "needs the path"));
    const char *folder = firn_arena_printf(f->arena, "%s/warehouse/b/t", f->root);
    message =
        lake_fails(f, firn_arena_printf(f->arena, "FROM iceberg_scan('%s', moved => true)", folder),
                   FIRN_E_INVALID);
    assert_non_null(strstr(message, "not moved"));
}

static void hidden_columns_show_to_those_who_name_them(void **state)
{
    lake_fixture *f = *state;
    make_table(f);
    lake_expect(f, "SELECT string_agg(id || ':' || _row_id, ' ' ORDER BY id) FROM b.t", "1:0 2:1");
    lake_expect(f, "SELECT count(DISTINCT _file) || ' ' || max(_pos) FROM b.t", "2 0");
    lake_expect(f, "SELECT count(*) FROM (DESCRIBE SELECT * FROM b.t)", "2");
    lake_exec(f, "CREATE TABLE b.old (id BIGINT)");
    lake_fails(f, "SELECT _row_id FROM b.old", FIRN_E_NO_COLUMN);
}

/* The place of a table in the rewritten text must not be mistaken for a value that looks like it. */
static void literals_may_look_like_marks(void **state)
{
    lake_fixture *f = *state;
    make_table(f);
    for (int i = 0; i < 20; i++) {
        const char *sql = firn_arena_printf(
            f->arena, "SELECT '__firn_%d__' FROM b.t WHERE id = 1 OR s = '__firn_%d__x'", i, i);
        lake_expect(f, sql, firn_arena_printf(f->arena, "__firn_%d__", i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_or_a_metadata_file_is_enough, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_table_is_refused, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(hidden_columns_show_to_those_who_name_them, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(literals_may_look_like_marks, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
