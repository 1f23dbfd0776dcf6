/* Queries over lake tables: names, views, time travel, branches, what is answered without reading, errors. */
#include "lake_fixture.h"

#include <inttypes.h>

static int setup(void **state)
{
    lake_setup(state);
    lake_exec(
        *state,
        "CREATE SCHEMA bronze; "
        "CREATE TABLE bronze.orders (id BIGINT, day DATE, category VARCHAR, amount DECIMAL(9,2), st STRUCT(x INTEGER, y VARCHAR)) "
        "PARTITIONED BY (days(day)); "
        "INSERT INTO bronze.orders SELECT i, DATE '2024-01-01' + (i % 10)::INT, 'c' || (i % 3), (i * 1.5)::DECIMAL(9,2), "
        "{'x': i, 'y': 'v' || i} FROM range(100) t(i); "
        "INSERT INTO bronze.orders VALUES (500, DATE '2025-01-01', 'new', 1.5, NULL), (501, NULL, NULL, NULL, {'x': NULL, 'y': NULL})");
    return 0;
}

static const char *explained(lake_fixture *f, const char *sql)
{
    return lake_text(f, firn_arena_printf(f->arena, "EXPLAIN %s", sql));
}

static void tables_are_found_wherever_they_stand(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "SELECT count(*) FROM bronze.orders", "102");
    lake_expect(f, "FROM bronze.orders SELECT id WHERE id = 7", "7");
    lake_expect(
        f,
        "SELECT (SELECT max(id) FROM bronze.orders), EXISTS (SELECT 1 FROM bronze.orders WHERE id = 5)",
        "501|true");
    lake_expect(
        f,
        "SELECT a.id, b.st.y FROM bronze.orders a JOIN bronze.orders AS b USING (id) WHERE a.id = 3",
        "3|v3");
    lake_expect(
        f,
        "WITH orders AS (SELECT * FROM bronze.orders WHERE id < 10), o2 AS (FROM orders) SELECT count(*) FROM o2",
        "10");
    lake_expect(
        f,
        "SELECT id FROM bronze.orders WHERE id IN (SELECT id FROM bronze.orders WHERE st.x = 9) UNION ALL SELECT 1",
        "9\n1");
    lake_expect(
        f,
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT count(*) FROM r, bronze.orders "
        "WHERE id = n",
        "3");
    lake_expect(
        f,
        "SELECT count(*) FROM (PIVOT (SELECT category, id % 2 AS p FROM bronze.orders) ON p IN (0, 1) USING count(*))",
        "5");
    lake_expect(f, "PIVOT (SELECT id % 2 AS p FROM bronze.orders WHERE id < 9) ON p USING count(*)",
                "5|4");
    lake_expect(
        f, "SELECT count(*) FROM bronze.orders o, LATERAL (SELECT o.id + 1 AS n) WHERE n = 5", "1");
    lake_expect(f, "SELECT column_name FROM (DESCRIBE SELECT id, day FROM bronze.orders)",
                "id\nday");
}

static void names_are_qualified_quoted_and_short(void **state)
{
    lake_fixture *f = *state;
    lake_expect(
        f,
        "SELECT bronze.orders.id, orders.st.x FROM bronze.orders WHERE bronze.orders.st.y = 'v3'",
        "3|3");
    lake_expect(
        f, "SELECT \"ID\" FROM \"bronze\".\"orders\" AS \"My Orders\" WHERE \"My Orders\".id = 4",
        "4");
    lake_exec(f, "USE bronze");
    lake_expect(f, "SELECT id FROM orders WHERE id = 4", "4");
    lake_exec(f, "CREATE TEMP TABLE mine AS SELECT id FROM orders WHERE id < 3");
    lake_expect(f, "SELECT count(*) FROM mine JOIN orders USING (id)", "3");
    lake_expect(f, "SELECT count(*) > 0 FROM information_schema.tables", "true");
}

static void views_bring_their_own_names(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "USE bronze; CREATE VIEW few AS SELECT id, st.x AS sx, day FROM orders WHERE id < 20; "
           "CREATE VIEW fewer AS SELECT * FROM few WHERE sx > 10; USE \"default\"");
    lake_expect(f, "SELECT count(*), min(f.sx) FROM bronze.fewer f", "9|11");
    lake_contains(explained(f, "SELECT * FROM bronze.fewer WHERE day = DATE '2024-01-05'"),
                  "12 files, 1 read");
    lake_contains(lake_fails(f, "SELECT * FROM bronze.few AT (VERSION => 1)", FIRN_E_UNSUPPORTED),
                  "is a view");
}

static void time_travel_finds_snapshots(void **state)
{
    lake_fixture *f = *state;
    const char *first = lake_text(
        f, "SELECT snapshot_id FROM bronze.orders.snapshots ORDER BY committed_at LIMIT 1");
    lake_expect(
        f,
        firn_arena_printf(f->arena, "SELECT count(*) FROM bronze.orders VERSION AS OF %s", first),
        "100");
    lake_expect(
        f,
        firn_arena_printf(f->arena,
                          "SELECT count(*) FROM bronze.orders AT (VERSION => %s) o WHERE o.id < 7",
                          first),
        "7");
    lake_expect(f, "SELECT count(*) FROM bronze.orders FOR SYSTEM_TIME AS OF now()", "102");
    lake_expect(f, "SELECT count(*) FROM bronze.orders VERSION AS OF 'main'", "102");
    lake_exec(f, "ALTER TABLE bronze.orders ADD COLUMN later INTEGER");
    lake_expect(f,
                firn_arena_printf(
                    f->arena,
                    "SELECT count(*) FROM (DESCRIBE SELECT * FROM bronze.orders VERSION AS OF %s)",
                    first),
                "5");
    lake_expect(f, "SELECT count(*) FROM (DESCRIBE SELECT * FROM bronze.orders)", "6");
    lake_contains(lake_fails(f, "SELECT * FROM bronze.orders VERSION AS OF 12", FIRN_E_NO_SNAPSHOT),
                  "no snapshot 12");
    lake_contains(lake_fails(f, "SELECT * FROM bronze.orders VERSION AS OF 'mian'", FIRN_E_NO_REF),
                  "Did you mean main?");
    lake_contains(lake_fails(f, "SELECT * FROM bronze.orders TIMESTAMP AS OF '2020-01-01'",
                             FIRN_E_NO_SNAPSHOT),
                  "had no snapshot at 2020-01-01");
    lake_fails(f, "SELECT * FROM bronze.orders TIMESTAMP AS OF 'yesterday-ish'", FIRN_E_TYPE);
    lake_contains(
        lake_fails(f, "WITH q AS (SELECT 1) SELECT * FROM q VERSION AS OF 1", FIRN_E_INVALID),
        "WITH query");
}

static void catalog_refs_are_read_by_name(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE BRANCH dev; USE BRANCH dev; DELETE FROM bronze.orders WHERE id >= 50; USE BRANCH main");
    lake_expect(
        f, "SELECT (SELECT count(*) FROM bronze.orders), (SELECT count(*) FROM bronze.orders@dev)",
        "102|50");
    lake_expect(f,
                "SELECT count(*) FROM bronze.orders o ANTI JOIN bronze.orders@dev d ON o.id = d.id",
                "52");
    lake_contains(lake_fails(f, "SELECT * FROM bronze.orders@dve", FIRN_E_NO_REF), "dve");
}

static void metadata_answers_without_reading(void **state)
{
    lake_fixture *f = *state;
    static const char *const ANSWERED[][2] = {
        {"SELECT count(*) FROM bronze.orders", "102"},
        {"SELECT count(*) AS n, min(day), max(id) + 1 FROM bronze.orders", "102|2024-01-01|502"},
        {"SELECT max(amount), min(orders.id) FROM bronze.orders", "148.50|0"},
        {"SELECT count(*) FROM bronze.orders WHERE day = DATE '2024-01-03'", "10"},
        {"SELECT count(*), max(id) FROM bronze.orders WHERE day IS NULL", "1|501"},
        {"SELECT count(*) FROM bronze.orders WHERE id < 0", "0"},
    };
    for (size_t i = 0; i < sizeof(ANSWERED) / sizeof(ANSWERED[0]); i++) {
        lake_expect(f, ANSWERED[i][0], ANSWERED[i][1]);
        lake_contains(explained(f, ANSWERED[i][0]), "answered from metadata");
    }
    static const char *const READ[][2] = {
        {"SELECT count(*) FROM bronze.orders WHERE id < 5", "5"},
        {"SELECT count(*), max(category) FROM bronze.orders", "102|new"},
        {"SELECT count(DISTINCT id) FROM bronze.orders", "102"},
        {"SELECT count(*) FILTER (id < 7) FROM bronze.orders", "7"},
        {"SELECT count(day) FROM bronze.orders", "101"},
        {"SELECT count(*) FROM bronze.orders GROUP BY category ORDER BY 1 LIMIT 1", "1"},
        {"SELECT max(st.x) FROM bronze.orders", "99"},
    };
    for (size_t i = 0; i < sizeof(READ) / sizeof(READ[0]); i++) {
        lake_expect(f, READ[i][0], READ[i][1]);
        assert_null(strstr(explained(f, READ[i][0]), "answered from metadata"));
    }
    /* Rows deleted by position are not in the manifests' counts. */
    lake_exec(
        f,
        "ALTER TABLE bronze.orders SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read'); DELETE FROM bronze.orders WHERE id = 3");
    lake_expect(f, "SELECT count(*) FROM bronze.orders", "101");
    lake_expect(f, "SELECT min(id), max(id) FROM bronze.orders WHERE id BETWEEN 3 AND 10", "4|10");
    lake_exec(f, "CREATE TABLE empty (a INTEGER)");
    lake_expect(f, "SELECT count(*), min(a), max(a) FROM empty", "0|NULL|NULL");
}

static void column_names_of_answers_are_duckdbs(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_result *result = NULL;
    lake_check(firn_session_query(
                   f->session,
                   "SELECT count(*), min(day), max(id) + 1, count(*) AS n FROM bronze.orders",
                   &result, &err),
               &err, "names");
    static const char *const NAMES[] = {"count_star()", "min(\"day\")", "(max(id) + 1)", "n"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(firn_result_column_name(result, i), NAMES[i]);
    }
    firn_result_free(result);
}

static void pruning_is_explained(void **state)
{
    lake_fixture *f = *state;
    const char *text =
        explained(f, "SELECT * FROM bronze.orders WHERE day = DATE '2024-01-05' AND id > 3");
    lake_contains(text, " bronze.orders @ ");
    lake_contains(text,
                  "12 files, 1 read  (11 skipped: 11 by partition day_day)  manifests 1 of 2");
    lake_contains(text, "pruned by  ");
    lake_contains(text, "day = '2024-01-05'");
    lake_contains(explained(f, "SELECT * FROM bronze.orders WHERE id = 500"),
                  "(11 skipped: 11 by bounds)");
    lake_contains(explained(f, "SELECT * FROM bronze.orders WHERE st.x = 0"), "1 read");
    lake_contains(explained(f, "SELECT * FROM bronze.orders LIMIT 1"), "by LIMIT");
    lake_contains(
        explained(f, "SELECT * FROM bronze.orders WHERE day > current_date - INTERVAL '100 years'"),
        "pruned by  day > ");
    lake_contains(explained(f, "SELECT * FROM bronze.orders WHERE id = 1 OR day IS NULL"),
                  "3 read");
    lake_contains(
        explained(f,
                  "SELECT * FROM bronze.orders WHERE date_trunc('month', day) = DATE '2025-01-01'"),
        "1 read");
    lake_contains(
        explained(f, "SELECT * FROM bronze.orders a JOIN (SELECT 500 AS id) b USING (id)"),
        "bronze.orders");
    lake_contains(
        lake_text(f, "EXPLAIN ANALYZE SELECT sum(amount) FROM bronze.orders WHERE id < 5"),
        "pruned by  id < 5");
    lake_fails(f, "EXPLAIN DELETE FROM bronze.orders", FIRN_E_UNSUPPORTED);
}

static void limit_counts_rows_that_are_there(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "SELECT count(*) FROM (SELECT * FROM bronze.orders LIMIT 45)", "45");
    lake_exec(f, "CREATE TABLE parts AS SELECT i AS id FROM range(10) t(i)");
    for (int i = 0; i < 5; i++) {
        lake_exec(f, "INSERT INTO parts SELECT i FROM range(10) t(i)");
    }
    const char *rows = lake_text(f, "SELECT id FROM parts LIMIT 25 OFFSET 10");
    size_t lines = 1;
    for (const char *at = rows; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, 25);
    lake_expect(f, "SELECT sum(id) FROM parts LIMIT 1", "270");
    lake_expect(f, "SELECT count(*) OVER () FROM parts LIMIT 1", "60");
    lake_expect(f, "SELECT DISTINCT id < 100 FROM parts LIMIT 5", "true");
    lake_expect(f, "SELECT unnest([id, 7]) FROM parts ORDER BY 1 DESC LIMIT 1", "9");
}

static void errors_name_what_was_written(void **state)
{
    lake_fixture *f = *state;
    assert_string_equal(lake_fails(f, "SELECT * FROM bronze.order", FIRN_E_NO_TABLE),
                        "there is no table bronze.order on main. Did you mean bronze.orders?");
    assert_string_equal(lake_fails(f, "SELECT idd FROM bronze.orders", FIRN_E_NO_COLUMN),
                        "there is no column idd. Did you mean id?");
    lake_contains(lake_fails(f, "SELECT *\nFROM bronze.orders\nWHERE id = = 5", FIRN_E_SYNTAX),
                  "line 3, column 12");
    lake_fails(f, "SELECT id + 'x' FROM bronze.orders", FIRN_E_TYPE);
    lake_fails(f, "SELECT nosuch(id) FROM bronze.orders", FIRN_E_INVALID);
    lake_fails(f, "SELECT * FROM 'nosuch.parquet'", FIRN_E_IO);
    lake_fails(f, "SELECT * FROM silver.orders", FIRN_E_NO_TABLE);
}

static void settings_and_macros_do_not_mislead_pruning(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE words AS SELECT 'ABC' AS w; INSERT INTO words VALUES ('zzz')");
    lake_exec(f, "SET default_collation = 'NOCASE'");
    lake_expect(f, "SELECT count(*) FROM words WHERE w = 'abc'", "1");
    lake_exec(f, "RESET default_collation; SET VARIABLE wanted = 500");
    lake_expect(f, "SELECT count(*) FROM bronze.orders WHERE id = getvariable('wanted')", "1");
    lake_exec(f, "CREATE TEMP MACRO abs(x) AS x + 500");
    lake_expect(f, "SELECT count(*) FROM bronze.orders WHERE id = abs(1)", "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_are_found_wherever_they_stand, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(names_are_qualified_quoted_and_short, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(views_bring_their_own_names, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(time_travel_finds_snapshots, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(catalog_refs_are_read_by_name, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(metadata_answers_without_reading, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(column_names_of_answers_are_duckdbs, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(pruning_is_explained, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(limit_counts_rows_that_are_there, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(errors_name_what_was_written, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(settings_and_macros_do_not_mislead_pruning, setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests_name("engine/read", tests, NULL, NULL);
}
