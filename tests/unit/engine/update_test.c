/* UPDATE: expressions, members of structs, sources, and what cannot be meant. */
#include "lake_fixture.h"

static void expressions_see_the_old_row(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (a int, b int, s varchar); INSERT INTO t VALUES (1, 10, 'x'), (2, 20, NULL), (NULL, 30, 'z')");
    lake_expect(f, "UPDATE t SET a = b, b = a WHERE a = 1", "1 row updated (1 file rewritten)");
    lake_expect(f, "UPDATE t x SET s = coalesce(x.s, 'none') || '!' WHERE b > 5",
                "2 rows updated (1 file rewritten)");
    lake_expect(f, "UPDATE t SET b = (SELECT max(b) FROM t) + 1 WHERE s LIKE 'z%'",
                "1 row updated (1 file rewritten)");
    lake_expect(
        f,
        "UPDATE t SET s = CASE WHEN a IS DISTINCT FROM 2 THEN 'no' WHEN b = 20 THEN 'yes' END, a = 5 WHERE true",
        "3 rows updated (1 file rewritten)");
    lake_expect(f, "SELECT * FROM t ORDER BY b", "5|1|no\n5|20|yes\n5|31|no");
    lake_expect(f, "UPDATE t SET s = DEFAULT", "3 rows updated (1 file rewritten)");
    lake_expect(f, "SELECT count(s) FROM t", "0");
}

static void values_are_cast_to_the_column(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (d date, n decimal(9,2), b bigint); INSERT INTO t VALUES (NULL, NULL, NULL)");
    lake_exec(f, "UPDATE t SET d = '2024-02-29', n = 1.239, b = '42'");
    lake_expect(f, "SELECT * FROM t", "2024-02-29|1.24|42");
    lake_contains(lake_fails(f, "UPDATE t SET b = 'many'", FIRN_E_TYPE), "'many'");
    lake_expect(f, "SELECT * FROM t", "2024-02-29|1.24|42");
}

static void members_of_structs_are_set_alone(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id int, s struct(a int, n struct(x int, \"y z\" varchar))); INSERT INTO t VALUES (1, {'a': "
        "1, 'n': {'x': 2, 'y z': 'q'}}), (2, NULL)");
    lake_exec(f, "UPDATE t SET s.n.x = s.n.x + 1, s.a = 9 WHERE id = 1");
    lake_expect(f, "SELECT s.a, s.n.x, s.n.\"y z\" FROM t WHERE id = 1", "9|3|q");
    lake_exec(f, "UPDATE t SET t.s.n.\"y z\" = 'w' WHERE t.id = 2");
    lake_expect(f, "SELECT s.a, s.n.x, s.n.\"y z\" FROM t WHERE id = 2", "NULL|NULL|w");
}

/* A cast would drop what the column has no member for. */
static void unknown_members_are_refused(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id int, s struct(a int, bb int)); INSERT INTO t VALUES (1, {'a': 1, 'bb': 2})");
    static const char *const statements[] = {
        "UPDATE t SET s = {'a': 5, 'b': 6}",
        "UPDATE t SET s = v.s FROM (SELECT 1 AS id, {'a': 5, 'b': 6} AS s) v WHERE v.id = t.id",
        "MERGE INTO t USING (SELECT 1 AS id, {'a': 5, 'b': 6} AS s) v ON v.id = t.id WHEN MATCHED THEN UPDATE SET *",
        "MERGE INTO t USING (SELECT 2 AS id, {'a': 5, 'b': 6} AS s) v ON v.id = t.id WHEN NOT MATCHED THEN INSERT *",
    };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        lake_contains(lake_fails(f, statements[i], FIRN_E_TYPE), "did you mean bb?");
    }
    lake_expect(f, "SELECT s.a, s.bb FROM t", "1|2");
}

static void a_source_gives_values(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t AS SELECT range AS id, 0 AS v FROM range(6); CREATE TABLE u AS SELECT range * 2 AS id, range "
        "+ 100 AS v FROM range(3)");
    lake_expect(f, "UPDATE t SET v = u.v FROM u WHERE t.id = u.id",
                "3 rows updated (1 file rewritten)");
    lake_expect(
        f,
        "UPDATE t AS x SET v = -s.w FROM (SELECT id + 1 AS i, v AS w FROM u) AS s WHERE x.id = s.i AND s.w > 100",
        "2 rows updated (1 file rewritten)");
    lake_expect(
        f,
        "UPDATE t SET v = v + a.n * b.n FROM (VALUES (2)) a(n), (VALUES (500)) b(n) WHERE id = 1",
        "1 row updated (1 file rewritten)");
    lake_expect(f, "SELECT string_agg(v, ' ' ORDER BY id) FROM t", "100 1000 101 -101 102 -102");
    lake_contains(
        lake_fails(f,
                   "UPDATE t SET v = s.v FROM (VALUES (1, 1), (1, 2)) s(id, v) WHERE t.id = s.id",
                   FIRN_E_CHECK_FAILED),
        "more than one row of the source");
    lake_expect(f, "SELECT string_agg(v, ' ' ORDER BY id) FROM t", "100 1000 101 -101 102 -102");
}

static void rows_change_their_partition(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id int, p varchar) PARTITIONED BY (p); INSERT INTO t SELECT range, 'a' FROM range(4)");
    lake_expect(f, "UPDATE t SET p = 'b' WHERE id < 2", "2 rows updated (1 file rewritten)");
    lake_expect(f, "SELECT p, count(*) FROM t GROUP BY p ORDER BY p", "a|2\nb|2");
    lake_expect(f, "SELECT count(*) FROM t WHERE p = 'b'", "2");
}

static void merge_on_read_marks_and_adds(void **state)
{
    lake_fixture *f = *state;
    static const char *const versions[] = {"2", "3"};
    for (size_t i = 0; i < 2; i++) {
        const char *t = firn_arena_printf(f->arena, "t%s", versions[i]);
        lake_exec(
            f,
            firn_arena_printf(
                f->arena,
                "CREATE TABLE %s (id int, v int) TBLPROPERTIES ('format-version' = '%s', "
                "'write.update.mode' = 'merge-on-read'); INSERT INTO %s SELECT range, 0 FROM range(10)",
                t, versions[i], t));
        lake_expect(f, firn_arena_printf(f->arena, "UPDATE %s SET v = id WHERE id > 7", t),
                    "2 rows updated (1 delete file added)");
        lake_expect(f, firn_arena_printf(f->arena, "UPDATE %s SET v = v + 1 WHERE id > 6", t),
                    "3 rows updated (2 delete files added)");
        lake_expect(f, firn_arena_printf(f->arena, "SELECT count(*), sum(v) FROM %s", t), "10|20");
    }
}

static void mistakes_are_told(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id int, name varchar, s struct(x int)); CREATE TABLE u AS SELECT 1 AS id, 'a' AS name, "
        "{'x': 1} AS s");
    static const struct {
        const char *sql;
        firn_rc code;
        const char *part;
    } cases[] = {
        {"UPDATE %s SET nam = 'x'", FIRN_E_NO_COLUMN, "Did you mean name?"},
        {"UPDATE %s SET s.y = 1", FIRN_E_NO_COLUMN, "s.y"},
        {"UPDATE %s SET id.x = 1", FIRN_E_TYPE, "no struct"},
        {"UPDATE %s SET id = 1, id = 2", FIRN_E_INVALID, "two values"},
        {"UPDATE %s SET s = NULL, s.x = 2", FIRN_E_INVALID, "two values"},
        {"UPDATE %s SET id = nosuch", FIRN_E_NO_COLUMN, "nosuch"},
        {"UPDATE %s SET id = 1 WHERE nosuch", FIRN_E_NO_COLUMN, "nosuch"},
        {"UPDATE %s SET", FIRN_E_SYNTAX, "a name"},
        {"UPDATE %s SET id = ", FIRN_E_SYNTAX, "an expression"},
        {"UPDATE %s WHERE id = 1", FIRN_E_SYNTAX, "set"},
        {"UPDATE %s SET id = 1 WHERE", FIRN_E_SYNTAX, "a condition"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lake_contains(
            lake_fails(f, firn_str_replace(f->arena, cases[i].sql, "%s", "t"), cases[i].code),
            cases[i].part);
        lake_contains(
            lake_fails(f, firn_str_replace(f->arena, cases[i].sql, "%s", "u"), cases[i].code),
            cases[i].part);
    }
    lake_expect(f, "SELECT id, name FROM u", "1|a");
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(expressions_see_the_old_row),
        T(values_are_cast_to_the_column),
        T(members_of_structs_are_set_alone),
        T(unknown_members_are_refused),
        T(a_source_gives_values),
        T(rows_change_their_partition),
        T(merge_on_read_marks_and_adds),
        T(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
