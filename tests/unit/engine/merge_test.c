/* MERGE INTO: clauses in order, sources of every kind, duplicates, and only affected files rewritten. */
#include "lake_fixture.h"

static void make_tables(lake_fixture *f)
{
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, name varchar, n int); INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), "
        "(4, 'four', 4); CREATE TABLE s (id bigint, name varchar, n int); INSERT INTO s VALUES (2, 'TWO', 20), (3, 'THREE', -1), "
        "(5, 'FIVE', 50), (6, 'SIX', -1)");
}

static const char *rows_of(lake_fixture *f)
{
    return lake_text(f, "SELECT string_agg(id || name || n, ' ' ORDER BY id) FROM t");
}

static void the_first_clause_that_holds_applies(void **state)
{
    lake_fixture *f = *state;
    make_tables(f);
    lake_expect(
        f,
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.n < 0 THEN DELETE WHEN MATCHED THEN UPDATE SET name = s.name, n "
        "= t.n + s.n WHEN NOT MATCHED AND s.n > 0 THEN INSERT (id, name) VALUES (s.id, lower(s.name)) WHEN NOT MATCHED THEN DO "
        "NOTHING WHEN NOT MATCHED BY SOURCE AND t.id = 4 THEN UPDATE SET n = -4 WHEN NOT MATCHED BY SOURCE THEN DELETE",
        "2 rows updated, 2 deleted, 1 inserted (1 file rewritten)");
    lake_expect(f, "SELECT * FROM t ORDER BY id", "2|TWO|22\n4|four|-4\n5|five|NULL");
}

static void star_goes_by_name(void **state)
{
    lake_fixture *f = *state;
    make_tables(f);
    lake_expect(
        f,
        "MERGE INTO t AS a USING (SELECT n, id, name FROM s) AS b ON a.id = b.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED "
        "THEN INSERT *",
        "2 rows updated, 0 deleted, 2 inserted (1 file rewritten)");
    assert_string_equal(rows_of(f), "1one1 2TWO20 3THREE-1 4four4 5FIVE50 6SIX-1");
    lake_contains(
        lake_fails(
            f,
            "MERGE INTO t USING (SELECT 1 AS id, 2 AS nn) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET *",
            FIRN_E_NO_COLUMN),
        "nn");
}

static void sources_come_in_many_forms(void **state)
{
    lake_fixture *f = *state;
    make_tables(f);
    lake_exec(
        f,
        "MERGE INTO t USING (VALUES (1, 'v')) AS v(id, w) ON t.id = v.id WHEN MATCHED THEN UPDATE SET name = v.w");
    lake_exec(
        f,
        "MERGE INTO t USING (WITH x AS (SELECT 2 AS k) FROM x) x ON id = k WHEN MATCHED THEN UPDATE SET name = 'cte'");
    lake_exec(
        f,
        "CREATE TEMP TABLE tmp AS SELECT 3 AS id; MERGE INTO t USING tmp USING (id) WHEN MATCHED THEN UPDATE SET name = 'tmp'");
    lake_exec(
        f,
        "MERGE INTO t USING t AS other ON t.id = other.id AND other.n = 4 WHEN MATCHED THEN UPDATE SET name = other.name || '2'");
    lake_exec(
        f,
        "MERGE INTO t USING s ON false WHEN NOT MATCHED AND id = 5 THEN INSERT VALUES (s.id, DEFAULT, (SELECT count(*) FROM t))");
    lake_expect(f, "SELECT * FROM t ORDER BY id", "1|v|1\n2|cte|2\n3|tmp|3\n4|four2|4\n5|NULL|4");
}

static void two_matches_are_an_error(void **state)
{
    lake_fixture *f = *state;
    make_tables(f);
    static const char two[] = "(VALUES (1, 'a'), (1, 'b'), (9, 'c'), (9, 'd')) s(id, name)";
    const char *sql = firn_arena_printf(
        f->arena, "MERGE INTO t USING %s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name",
        two);
    lake_contains(lake_fails(f, sql, FIRN_E_CHECK_FAILED),
                  "1 row of default.t matches more than one row of the source");
    assert_string_equal(rows_of(f), "1one1 2two2 3three3 4four4");
    /* Of two matches one may do nothing, and rows without a match may be alike. */
    lake_expect(
        f,
        firn_arena_printf(
            f->arena,
            "MERGE INTO t USING %s ON t.id = s.id WHEN MATCHED AND s.name = 'b' THEN UPDATE SET name = s.name WHEN NOT "
            "MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)",
            two),
        "1 row updated, 0 deleted, 2 inserted (1 file rewritten)");
}

static void an_empty_table_is_filled(void **state)
{
    lake_fixture *f = *state;
    make_tables(f);
    lake_exec(f, "CREATE TABLE e (id bigint, name varchar, n int) PARTITIONED BY (bucket(2, id))");
    lake_expect(
        f,
        "MERGE INTO e USING s ON e.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *",
        "0 rows updated, 0 deleted, 4 inserted");
    lake_expect(
        f,
        "MERGE INTO e USING s ON e.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *",
        "0 rows updated, 4 deleted, 0 inserted (2 files rewritten)");
    lake_expect(f, "SELECT count(*) FROM e", "0");
}

static void only_affected_files_are_rewritten(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, v int) PARTITIONED BY (truncate(10, id)); INSERT INTO t SELECT range, 0 FROM range(50)");
    lake_expect(
        f,
        "MERGE INTO t USING (SELECT range AS id FROM range(18, 22)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 1",
        "4 rows updated, 0 deleted, 0 inserted (2 files rewritten)");
    lake_expect(
        f,
        "MERGE INTO t USING (SELECT 100 AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 1",
        "0 rows updated, 0 deleted, 0 inserted");
    lake_expect(f, "SELECT count(*), sum(v) FROM t", "50|4");
}

/* Whatever files cannot hold a match are not even opened: here they could not be. */
static void files_that_cannot_match_are_not_read(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "CREATE TABLE t (id bigint, v int, p varchar) PARTITIONED BY (p); INSERT INTO t SELECT "
           "range, 0, 'a' FROM range(10); INSERT INTO t SELECT range + 10, 0, 'b' FROM range(10)");
    const char *path = lake_text(
        f, firn_arena_printf(f->arena, "SELECT file FROM glob('%s/warehouse/default/t/data/p=b/*')",
                             f->root));
    assert_int_equal(truncate(path, 0), 0);
    lake_expect(
        f,
        "MERGE INTO t USING (SELECT 3 AS id, 30 AS v) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v",
        "1 row updated, 0 deleted, 0 inserted (1 file rewritten)");
    lake_expect(
        f,
        "MERGE INTO t USING (SELECT range % 5 AS id, range AS r FROM range(300) WHERE range < 5) s ON s.id = t.id AND t.p = 'a' WHEN "
        "MATCHED THEN UPDATE SET v = s.r WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
        "5 rows updated, 0 deleted, 0 inserted (1 file rewritten)");
    lake_expect(
        f,
        "MERGE INTO t USING (SELECT range - 500 AS id FROM range(505)) s ON s.id = t.id WHEN MATCHED THEN DELETE",
        "0 rows updated, 5 deleted, 0 inserted (1 file rewritten)");
    lake_expect(
        f, "MERGE INTO t USING (SELECT NULL::int AS id) s ON s.id = t.id WHEN MATCHED THEN DELETE",
        "0 rows updated, 0 deleted, 0 inserted");
    lake_expect(f, "SELECT string_agg(id, ' ' ORDER BY id) FROM t WHERE p = 'a'", "5 6 7 8 9");
}

static void a_volatile_source_is_run_once(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t AS SELECT range AS id, 0.0::double AS r FROM range(1000)");
    lake_exec(
        f,
        "MERGE INTO t USING (SELECT range AS id, random() AS r FROM range(2000)) s ON t.id = s.id WHEN MATCHED AND s.r < 0.5 THEN "
        "UPDATE SET r = s.r WHEN MATCHED THEN UPDATE SET r = 10 + s.r WHEN NOT MATCHED AND s.r < 0.5 THEN INSERT *");
    lake_expect(f, "SELECT count(*) FROM t WHERE r >= 0.5 AND r < 10.5", "0");
    lake_expect(f, "SELECT count(*) FROM t WHERE id < 1000", "1000");
}

static void mistakes_are_told(void **state)
{
    lake_fixture *f = *state;
    make_tables(f);
    static const struct {
        const char *sql;
        firn_rc code;
        const char *part;
    } cases[] = {
        {"MERGE INTO t USING s ON t.id = s.id", FIRN_E_SYNTAX, "when"},
        {"MERGE INTO t USING s WHEN MATCHED THEN DELETE", FIRN_E_SYNTAX, "ON condition"},
        {"MERGE INTO t USING (SELECT 1) ON true WHEN MATCHED THEN DELETE", FIRN_E_SYNTAX, "a name"},
        {"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN INSERT *", FIRN_E_SYNTAX,
         "UPDATE, DELETE or DO NOTHING"},
        {"MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN DELETE", FIRN_E_SYNTAX,
         "INSERT or DO NOTHING"},
        {"MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, name) VALUES (1)",
         FIRN_E_SYNTAX, "1 values for 2 columns"},
        {"MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (idd) VALUES (1)",
         FIRN_E_NO_COLUMN, "Did you mean id?"},
        {"MERGE INTO t USING s ON t.id = s.nope WHEN MATCHED THEN DELETE", FIRN_E_INVALID, "nope"},
        {"MERGE INTO t USING nowhere n ON t.id = n.id WHEN MATCHED THEN DELETE", FIRN_E_NO_TABLE,
         "nowhere"},
        {"MERGE INTO nowhere USING s ON true WHEN MATCHED THEN DELETE", FIRN_E_NO_TABLE, "nowhere"},
        {"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 'many'", FIRN_E_TYPE,
         "'many'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lake_contains(lake_fails(f, cases[i].sql, cases[i].code), cases[i].part);
    }
    assert_string_equal(rows_of(f), "1one1 2two2 3three3 4four4");
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_first_clause_that_holds_applies),
        T(star_goes_by_name),
        T(sources_come_in_many_forms),
        T(two_matches_are_an_error),
        T(an_empty_table_is_filled),
        T(only_affected_files_are_rewritten),
        T(files_that_cannot_match_are_not_read),
        T(a_volatile_source_is_run_once),
        T(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
