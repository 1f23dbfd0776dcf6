/* What can be wrong around a command: each gets one clear sentence and exit code 1, and the tables are exactly as before. */
#include "cli_testing.h"

#include <sqlite3.h>

static const char *tables(testing *t)
{
    run_ok(t, "table", "list", "--format", "json");
    return t->out;
}

static void no_lake(void **state)
{
    testing *t = *state;
    run_fails(t, 1, "`firn init`", "table", "list");
    run_fails(t, 1, "`firn init`", "status");
    run_fails(t, 1, "there is no lake in ", "--lake", "nowhere", "ref", "log");
}

static void unknown_names(void **state)
{
    testing *t = *state;
    const char *before = tables(t);
    run_fails(t, 1, "there is no table s.tt on main. Did you mean s.t?", "sql", "-c",
              "select * from s.tt");
    run_fails(t, 1, "there is no table s.tt on main", "table", "show", "s.tt");
    run_fails(t, 1, "there is no column nme", "sql", "-c", "select nme from s.t");
    run_fails(t, 1, "s.tt", "sql", "-c", "insert into s.tt values (1)");
    run_fails(t, 2, "is no table name", "table", "show", "s.");
    run_fails(t, 1, "no branch, tag or commit \"mian\"", "--ref", "mian", "table", "list");
    assert_string_equal(tables(t), before);
}

static void wrong_types(void **state)
{
    testing *t = *state;
    const char *before = tables(t);
    run_fails(t, 1, "abc", "sql", "-c", "insert into s.t values ('abc', 'x')");
    run_fails(t, 1, "line 1", "sql", "-c", "select from where");
    assert_string_equal(tables(t), before);
}

static void unknown_configuration_key(void **state)
{
    testing *t = *state;
    firn_bytes text;
    assert_int_equal(firn_file_read(t->arena, "firn.yaml", 1 << 20, &text, NULL), FIRN_OK);
    const char *wrong =
        firn_arena_printf(t->arena, "%s\nwarehose: elsewhere\n", (const char *)text.data);
    assert_int_equal(firn_file_write_atomic("firn.yaml", firn_bytes_str(wrong), 0644, NULL),
                     FIRN_OK);
    run_fails(t, 1, "Did you mean \"warehouse\"?", "table", "list");
    assert_has(t->err, "firn.yaml:");
    run_fails(t, 1, "warehose", "sql", "-c", "insert into s.t values (3, 'x')");
    assert_int_equal(firn_file_write_atomic("firn.yaml", text, 0644, NULL), FIRN_OK);
    run_ok(t, "sql", "--format", "csv", "-c", "select count(*) as n from s.t");
    assert_string_equal(t->out, "n\n2\n");
}

static void read_only_folder(void **state)
{
    testing *t = *state;
    const char *before = tables(t);
    if (geteuid() != 0) {
        assert_int_equal(chmod("warehouse/s/t/data", 0555), 0);
    }
    t->as_nobody = true;
    run_fails(t, 1, "Permission denied", "sql", "-c", "insert into s.t values (3, 'x')");
    run_fails(t, 1, "cannot create folder", "init", "sub");
    t->as_nobody = false;
    if (geteuid() != 0) {
        assert_int_equal(chmod("warehouse/s/t/data", 0755), 0);
    }
    assert_string_equal(tables(t), before);
}

static void corrupt_metadata(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-q", "-c", "create table s.whole (a int); insert into s.whole values (1)");
    json_t *rows = NULL;
    assert_int_equal(firn_json_parse(t->arena, firn_bytes_str(tables(t)), "tables", &rows, NULL),
                     FIRN_OK);
    const char *file =
        json_string_value(json_object_get(json_array_get(rows, 0), "metadata_location"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "name")), "t");
    const char *path = file + strlen("file://");
    assert_int_equal(
        firn_file_write_atomic(path, firn_bytes_str("{\"format-version\": 2, "), 0644, NULL),
        FIRN_OK);
    run_fails(t, 1, path, "table", "show", "s.t");
    run_fails(t, 1, path, "sql", "-c", "select * from s.t");
    run_fails(t, 1, path, "sql", "-c", "insert into s.t values (3, 'x')");
    run_fails(t, 1, path, "table", "list");
    assert_has(t->out, " s         │ whole │    1 │");
    run_fails(t, 1, "1 of 2 tables cannot be read", "status");
    assert_has(t->out, "damaged");
    run_ok(t, "sql", "--format", "csv", "-c",
           "select a from s.whole"); /* the others are as they were */
    assert_string_equal(t->out, "a\n1\n");
    assert_int_equal(unlink(path), 0);
    run_fails(t, 1, path, "sql", "-c", "select * from s.t");
}

static void corrupt_data_file(void **state)
{
    testing *t = *state;
    run_ok(t, "table", "files", "s.t", "--format", "json");
    json_t *rows = NULL;
    assert_int_equal(firn_json_parse(t->arena, firn_bytes_str(t->out), "files", &rows, NULL),
                     FIRN_OK);
    const char *path =
        json_string_value(json_object_get(json_array_get(rows, 0), "path")) + strlen("file://");
    assert_int_equal(firn_file_write_atomic(path, firn_bytes_str("junk, not Parquet"), 0644, NULL),
                     FIRN_OK);
    run_fails(t, 1, firn_path_basename(path), "sql", "-c", "select * from s.t");
    assert_int_equal(unlink(path), 0);
    run_fails(t, 1, firn_path_basename(path), "sql", "-c", "select * from s.t");
}

static void locked_catalog(void **state)
{
    testing *t = *state;
    const char *before = tables(t);
    firn_bytes text;
    assert_int_equal(firn_file_read(t->arena, "firn.yaml", 1 << 20, &text, NULL), FIRN_OK);
    const char *brief = firn_str_replace(t->arena, (const char *)text.data, "catalog:\n",
                                         "catalog:\n  busy_timeout: 200ms\n");
    assert_true(strstr(brief, "\n  busy_timeout: 200ms") != NULL);
    assert_int_equal(firn_file_write_atomic("firn.yaml", firn_bytes_str(brief), 0644, NULL),
                     FIRN_OK);
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(".firn/catalog.db", &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    run_fails(t, 1, "catalog", "sql", "-c", "insert into s.t values (3, 'x')");
    run_fails(t, 1, "catalog", "table", "drop", "s.t");
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_string_equal(tables(t), before);
    run_ok(t, "sql", "-q", "-c", "insert into s.t values (3, 'x')"); /* and it goes on */
}

static void damaged_catalog(void **state)
{
    testing *t = *state;
    assert_int_equal(firn_file_write_atomic(".firn/catalog.db",
                                            firn_bytes_str("this was a database once, long ago"),
                                            0644, NULL),
                     FIRN_OK);
    (void)unlink(".firn/catalog.db-wal");
    run_fails(t, 1, "catalog.db", "table", "list");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_lake, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(unknown_names, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(wrong_types, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(unknown_configuration_key, testing_setup_lake,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(read_only_folder, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(corrupt_metadata, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(corrupt_data_file, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(locked_catalog, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(damaged_catalog, testing_setup_lake, testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/bad_input", tests, NULL, NULL);
}
