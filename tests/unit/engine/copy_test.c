/* COPY between tables and files. */
#include "lake_fixture.h"

static const char *path_of(lake_fixture *f, const char *name)
{
    return firn_path_join(f->arena, f->root, name);
}

static void put_file(lake_fixture *f, const char *name, const char *text)
{
    firn_err err = {0};
    lake_check(firn_file_write_atomic(path_of(f, name), firn_bytes_str(text), 0644, &err), &err,
               name);
}

static const char *sql_of(lake_fixture *f, const char *fmt, const char *name)
{
    return firn_str_replace(f->arena, fmt, "FILE", firn_sql_quote(f->arena, path_of(f, name)));
}

static void tables_go_to_files_and_back(void **state)
{
    lake_fixture *f = *state;
    static const char *const names[] = {"x.parquet", "x.csv", "x.json"};
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, name varchar, d date); INSERT INTO t VALUES (1, 'a,\"b', DATE '2024-01-01'), (2, NULL, NULL)");
    for (size_t i = 0; i < 3; i++) {
        const char *u = firn_arena_printf(f->arena, "u%zu", i);
        lake_expect(f, sql_of(f, "COPY t TO FILE", names[i]), "2 rows copied");
        lake_exec(f, firn_arena_printf(f->arena, "CREATE TABLE %s LIKE t", u));
        lake_expect(f, sql_of(f, firn_arena_printf(f->arena, "COPY %s FROM FILE", u), names[i]),
                    firn_arena_printf(f->arena, "2 rows copied into default.%s", u));
        assert_string_equal(
            lake_text(f, firn_arena_printf(f->arena, "SELECT * FROM %s ORDER BY id", u)),
            lake_text(f, "SELECT * FROM t ORDER BY id"));
    }
}

static void queries_and_columns_go_to_files(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t AS SELECT range AS id, 'n' || range AS name FROM range(10)");
    lake_expect(
        f,
        sql_of(
            f,
            "COPY (SELECT name FROM t WHERE id IN (SELECT id + 1 FROM t)) TO FILE (FORMAT csv, HEADER false)",
            "q.csv"),
        "9 rows copied");
    lake_expect(f, sql_of(f, "COPY t (name) TO FILE (HEADER, DELIMITER '|')", "c.csv"),
                "10 rows copied");
    lake_expect(f, sql_of(f, "COPY t@main TO FILE", "r.parquet"), "10 rows copied");
    lake_expect(f, sql_of(f, "SELECT count(*), min(name) FROM FILE", "c.csv"), "10|n0");
}

static void options_and_types_are_kept(void **state)
{
    lake_fixture *f = *state;
    put_file(f, "a.csv", "code;n;at\n007;1,5;31/12/2024\n008;;\n");
    lake_exec(f, "CREATE TABLE t (code varchar, n decimal(9,2), at date)");
    lake_expect(
        f,
        sql_of(
            f,
            "COPY t FROM FILE (HEADER, DELIMITER ';', DATEFORMAT '%d/%m/%Y', DECIMAL_SEPARATOR ',')",
            "a.csv"),
        "2 rows copied into default.t");
    lake_expect(f, "SELECT * FROM t ORDER BY code", "007|1.50|2024-12-31\n008|NULL|NULL");
    put_file(f, "b.csv", "x,5\n");
    lake_exec(f, sql_of(f, "COPY t (code, n) FROM FILE (HEADER false)", "b.csv"));
    lake_expect(f, "SELECT * FROM t WHERE code = 'x'", "x|5.00|NULL");
}

static void mistakes_are_told(void **state)
{
    lake_fixture *f = *state;
    put_file(f, "a.csv", "id\n1\nx\n");
    lake_exec(f, "CREATE TABLE t (id bigint NOT NULL)");
    lake_fails(f, sql_of(f, "COPY t FROM FILE", "none.csv"), FIRN_E_IO);
    lake_fails(f, sql_of(f, "COPY t FROM FILE (HEADER, AUTO_DETECT false)", "a.csv"), FIRN_E_TYPE);
    lake_contains(lake_fails(f, sql_of(f, "COPY t (idd) FROM FILE", "a.csv"), FIRN_E_NO_COLUMN),
                  "Did you mean id?");
    lake_contains(lake_fails(f, "COPY t FROM STDIN", FIRN_E_UNSUPPORTED), "files");
    lake_fails(f, "COPY t", FIRN_E_SYNTAX);
    lake_fails(f, "COPY (SELECT 1) FROM 'x'", FIRN_E_SYNTAX);
    lake_fails(f, sql_of(f, "COPY nowhere TO FILE", "x.csv"), FIRN_E_NO_TABLE);
    put_file(f, "n.csv", "id\n1\n\"\"\n");
    lake_fails(f, sql_of(f, "COPY t FROM FILE (HEADER, NULLSTR '')", "n.csv"), FIRN_E_CHECK_FAILED);
    lake_expect(f, "SELECT count(*) FROM t", "0");
    lake_expect(
        f, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '\\_\\_firn%' ESCAPE '\\'",
        "0");
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tables_go_to_files_and_back),
        T(queries_and_columns_go_to_files),
        T(options_and_types_are_kept),
        T(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
