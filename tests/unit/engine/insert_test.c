/* INSERT INTO and INSERT OVERWRITE: what people write, what they are told, and what a failure leaves behind. */
#include "lake_fixture.h"

#include "storage/storage.h"

#include <pthread.h>

static const char *snapshots(lake_fixture *f, const char *table)
{
    firn_err err = {0};
    firn_table t;
    firn_ident ident = {.ns = "default", .name = table};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, NULL, ident, &t, &err),
               &err, table);
    return firn_arena_printf(f->arena, "%zu", t.metadata->n_snapshots);
}

static const json_t *summary(lake_fixture *f, const char *table)
{
    firn_err err = {0};
    firn_table t;
    firn_ident ident = {.ns = "default", .name = table};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, NULL, ident, &t, &err),
               &err, table);
    return t.metadata->current_snapshot->summary;
}

static void rows_come_by_position_name_or_list(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint, name varchar, d date)");
    lake_expect(f, "INSERT INTO t VALUES (1, 'a', '2024-01-01'), (2, NULL, NULL)",
                "2 rows inserted");
    lake_expect(f, "INSERT INTO t (name, ID) SELECT 'b', 3", "1 row inserted");
    lake_expect(f, "insert into t by name select date '2024-02-02' as d, 4 as id",
                "1 row inserted");
    lake_expect(f, "INSERT INTO TABLE t FROM (SELECT 5, 'c', NULL)", "1 row inserted");
    lake_expect(f, "INSERT INTO t (id) WITH x AS (SELECT 6 AS n) SELECT n FROM x",
                "1 row inserted");
    lake_expect(f, "INSERT INTO t (SELECT id + 10, name, d FROM t WHERE id < 3)",
                "2 rows inserted");
    lake_expect(f, "INSERT INTO t DEFAULT VALUES", "1 row inserted");
    lake_expect(f, "SELECT * FROM t ORDER BY id",
                "1|a|2024-01-01\n2|NULL|NULL\n3|b|NULL\n4|NULL|2024-02-02\n5|c|NULL\n6|NULL|NULL\n"
                "11|a|2024-01-01\n12|NULL|NULL\nNULL|NULL|NULL");
}

static void no_rows_make_no_snapshot(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint)");
    lake_expect(f, "INSERT INTO t SELECT 1 WHERE false", "0 rows inserted");
    lake_expect(f, "DELETE FROM t WHERE id = 1", "0 rows deleted");
    lake_expect(f, "UPDATE t SET id = 1", "0 rows updated");
    lake_expect(f, "TRUNCATE t", "0 rows deleted");
    lake_expect(f, "INSERT OVERWRITE t SELECT 1 WHERE false", "0 rows inserted");
    assert_string_equal(snapshots(f, "t"), "0");
    lake_exec(f, "INSERT INTO t VALUES (1)");
    lake_expect(f, "DELETE FROM t WHERE id = 2", "0 rows deleted");
    lake_expect(f, "UPDATE t SET id = 1 WHERE id = 2", "0 rows updated");
    assert_string_equal(snapshots(f, "t"), "1");
}

static void the_snapshot_says_who_made_it(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint); INSERT INTO t SELECT range FROM range(7)");
    const json_t *s = summary(f, "t");
    assert_string_equal(json_string_value(json_object_get(s, "operation")) != NULL
                            ? json_string_value(json_object_get(s, "operation"))
                            : "append",
                        "append");
    assert_string_equal(json_string_value(json_object_get(s, "engine-name")), "firn");
    assert_string_equal(json_string_value(json_object_get(s, "firn.statement")), "INSERT");
    assert_string_equal(json_string_value(json_object_get(s, "added-records")), "7");
}

static void defaults_fill_what_is_left_out(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, state varchar DEFAULT 'new', n int DEFAULT 7, d decimal(9,2) DEFAULT "
        "1.50) TBLPROPERTIES ('format-version' = '3')");
    lake_exec(f, "INSERT INTO t (id) VALUES (1)");
    lake_exec(f, "INSERT INTO t VALUES (2, DEFAULT, 1, 2), (3, 'x', default, (4 + 1) * 2)");
    lake_exec(f, "INSERT INTO t (n, id) VALUES (DEFAULT, 4), (5, 5)");
    lake_exec(f, "INSERT INTO t DEFAULT VALUES");
    lake_exec(f, "INSERT INTO t VALUES (6, 'default', NULL, NULL)");
    lake_expect(
        f, "SELECT * FROM t ORDER BY id",
        "1|new|7|1.50\n2|new|1|2.00\n3|x|7|10.00\n4|new|7|1.50\n5|new|5|1.50\n6|default|NULL|NULL\nNULL|new|7|1.50");
}

static void mistakes_are_told(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint, name varchar, s struct(x int, yy int))");
    static const struct {
        const char *sql;
        firn_rc code;
        const char *part;
    } cases[] = {
        {"INSERT INTO nope VALUES (1)", FIRN_E_NO_TABLE, "nope"},
        {"INSERT INTO t VALUES (1)", FIRN_E_INVALID, "1 column for 3 of default.t (id, name, s)"},
        {"INSERT INTO t (id, nam) VALUES (1, 'a')", FIRN_E_NO_COLUMN, "Did you mean name?"},
        {"INSERT INTO t (id, id) VALUES (1, 2)", FIRN_E_INVALID, "twice"},
        {"INSERT INTO t BY NAME SELECT 1 AS idd", FIRN_E_NO_COLUMN, "Did you mean id?"},
        {"INSERT INTO t (id) VALUES ('x1')", FIRN_E_TYPE, "'x1'"},
        {"INSERT INTO t (id) SELECT nosuch FROM t", FIRN_E_NO_COLUMN, "nosuch"},
        {"INSERT INTO t (s) VALUES ({'x': 1, 'y': 2})", FIRN_E_TYPE, "did you mean yy?"},
        {"INSERT t VALUES (1)", FIRN_E_SYNTAX, "INTO or OVERWRITE"},
        {"INSERT INTO t (id)", FIRN_E_SYNTAX, "VALUES or a query"},
        {"INSERT INTO t (id) VALUES (1) RETURNING id", FIRN_E_UNSUPPORTED, "RETURNING"},
        {"INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING", FIRN_E_UNSUPPORTED, "MERGE INTO"},
        {"INSERT OR REPLACE INTO t VALUES (1)", FIRN_E_UNSUPPORTED, "MERGE INTO"},
        {"INSERT OVERWRITE t PARTITION (id = 1) SELECT 'a', NULL", FIRN_E_INVALID,
         "not partitioned by"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lake_contains(lake_fails(f, cases[i].sql, cases[i].code), cases[i].part);
    }
    assert_string_equal(snapshots(f, "t"), "0");
}

static void overwrite_replaces_the_touched_partitions(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, p varchar) PARTITIONED BY (p); INSERT INTO t VALUES (1, 'a'), (2, 'b'), "
        "(3, 'c')");
    lake_expect(f, "INSERT OVERWRITE t VALUES (10, 'a'), (11, 'd')",
                "2 rows inserted, 1 row replaced");
    lake_expect(f, "SELECT * FROM t ORDER BY id", "2|b\n3|c\n10|a\n11|d");
    lake_expect(f, "INSERT OVERWRITE TABLE t PARTITION (p = 'b') SELECT 20",
                "1 row inserted, 1 row replaced");
    lake_expect(f, "INSERT INTO t PARTITION (p = 'z') (id) VALUES (30)", "1 row inserted");
    lake_expect(f, "SELECT * FROM t ORDER BY id", "3|c\n10|a\n11|d\n20|b\n30|z");
    lake_expect(f, "INSERT OVERWRITE t SELECT id + 1, p FROM t WHERE p = 'a'",
                "1 row inserted, 1 row replaced");
    lake_expect(f, "INSERT OVERWRITE t PARTITION (p = 'a') SELECT 1 WHERE false",
                "0 rows inserted, 1 row replaced");
    lake_expect(f, "SELECT count(*) FROM t WHERE p = 'a'", "0");
    lake_exec(f, "CREATE TABLE u AS SELECT range AS id FROM range(10)");
    lake_expect(f, "INSERT OVERWRITE u SELECT id FROM u WHERE id > 7",
                "2 rows inserted, 10 rows replaced");
    lake_expect(f, "INSERT OVERWRITE u SELECT 1 WHERE false", "0 rows inserted, 2 rows replaced");
    lake_expect(f, "SELECT count(*) FROM u", "0");
}

static void temporary_tables_take_lake_rows(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "CREATE TABLE t AS SELECT range AS id FROM range(5); CREATE TEMP TABLE x (id bigint)");
    lake_expect(f, "INSERT INTO x SELECT id FROM t WHERE id > 1", "3 rows inserted");
    lake_expect(f, "INSERT INTO t SELECT id + 100 FROM x", "3 rows inserted");
    lake_expect(f, "DELETE FROM x WHERE id = 2", "1 row deleted");
    lake_expect(f, "UPDATE x SET id = 0", "2 rows updated");
    lake_expect(f, "SELECT count(*), sum(id) FROM t", "8|319");
}

static void writing_goes_to_the_sessions_branch(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t AS SELECT 1 AS id; CREATE BRANCH dev; USE BRANCH dev; INSERT INTO t VALUES (2)");
    lake_expect(f, "SELECT count(*) FROM t", "2");
    lake_exec(f, "USE BRANCH main");
    lake_expect(f, "SELECT count(*) FROM t", "1");
    lake_contains(lake_fails(f, "INSERT INTO t@dev VALUES (3)", FIRN_E_UNSUPPORTED), "USE BRANCH");
}

/* ---- failures ---------------------------------------------------------------------------------------- */

static size_t count_objects(lake_fixture *f)
{
    firn_err err = {0};
    firn_storage_object *objects = NULL;
    size_t n = 0;
    const char *prefix = firn_arena_printf(f->arena, "%s/warehouse/", f->root);
    lake_check(firn_storage_list(firn_lake_storage(f->lake), f->arena, prefix, &objects, &n, &err),
               &err, "list");
    return n;
}

/* The N-th storage or catalog operation fails, for every N: the table has the old rows or the new ones, and a statement that
 * failed has left no file behind. */
static void any_operation_may_fail(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, p bigint) PARTITIONED BY (p); INSERT INTO t SELECT range, range % 2 FROM range(9)");
    static const char *const statements[] = {
        "INSERT INTO t SELECT range, range % 2 FROM range(9)",
        "DELETE FROM t WHERE id = 4",
        "UPDATE t SET id = id + 100 WHERE p = 1",
        "INSERT OVERWRITE t SELECT 1, 1",
    };
    for (size_t s = 0; s < sizeof(statements) / sizeof(statements[0]); s++) {
        bool done = false;
        for (int n = 1; !done; n++) {
            assert_true(n < 500);
            const char *before = lake_text(f, "SELECT count(*), sum(id) FROM t");
            size_t objects = count_objects(f);
            const char *fail = firn_arena_printf(f->arena, "%d", n);
            firn_err err = {0};
            setenv("FIRN_FAULT_FAIL", fail, 1);
            firn_fault_reload();
            firn_rc rc = firn_session_exec(f->session, statements[s], NULL, &err);
            unsetenv("FIRN_FAULT_FAIL");
            firn_fault_reload();
            lake_reopen(f);
            const char *after = lake_text(f, "SELECT count(*), sum(id) FROM t");
            if (rc == FIRN_OK) {
                done = true;
                continue;
            }
            if (!err.outcome_unknown) {
                assert_string_equal(after, before);
                if (count_objects(f) != objects) {
                    fail_msg("%s left %zu files behind when operation %d failed: %s", statements[s],
                             count_objects(f) - objects, n, err.message);
                }
            }
        }
    }
}

/* ---- many writers ------------------------------------------------------------------------------------ */

typedef struct writer {
    lake_fixture *f;
    int number;
    firn_rc rc;
    firn_err err;
} writer;

enum { WRITERS = 4, ROUNDS = 6 };

static void *write_rounds(void *ctx)
{
    writer *w = ctx;
    firn_session *session = NULL;
    w->rc = firn_session_new(w->f->engine, NULL, &session, &w->err);
    for (int i = 0; i < ROUNDS && w->rc == FIRN_OK; i++) {
        char sql[256];
        if (w->number % 2 == 0) {
            snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d, %d)", w->number * 100 + i,
                     w->number);
        } else {
            snprintf(sql, sizeof(sql), "UPDATE t SET n = n + 1 WHERE id = -1");
        }
        w->rc = firn_session_exec(session, sql, NULL, &w->err);
    }
    firn_session_free(session);
    return NULL;
}

static void run_writers(lake_fixture *f, const char *properties)
{
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    lake_exec(f, firn_arena_printf(f->arena,
                                   "CREATE TABLE t (id bigint, n bigint) TBLPROPERTIES (%s); "
                                   "INSERT INTO t VALUES (-1, 0)",
                                   properties));
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.f = f, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_rounds, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        lake_check(writers[i].rc, &writers[i].err, "writer");
    }
    lake_expect(f, "SELECT count(*), count(DISTINCT id) FROM t WHERE id >= 0", "12|12");
    lake_expect(f, "SELECT n FROM t WHERE id = -1", "12"); /* no lost update */
    lake_exec(f, "DROP TABLE t");
}

static void writers_lose_nothing(void **state)
{
    run_writers(*state, "'format-version' = '2'");
    run_writers(*state, "'format-version' = '2', 'write.update.mode' = 'merge-on-read'");
    run_writers(*state, "'format-version' = '3', 'write.update.mode' = 'merge-on-read'");
}

static void *overwrite_rounds(void *ctx)
{
    writer *w = ctx;
    firn_session *session = NULL;
    w->rc = firn_session_new(w->f->engine, NULL, &session, &w->err);
    for (int i = 0; i < ROUNDS && w->rc == FIRN_OK; i++) {
        char sql[128];
        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", i);
        w->rc = firn_session_exec(
            session, w->number == 0 ? sql : "INSERT OVERWRITE t SELECT * FROM t", NULL, &w->err);
    }
    firn_session_free(session);
    return NULL;
}

/* Rows that come while INSERT OVERWRITE copies a table onto itself are in the copy, too. */
static void overwriting_itself_loses_nothing(void **state)
{
    lake_fixture *f = *state;
    pthread_t threads[2];
    writer writers[2];
    lake_exec(f, "CREATE TABLE t (id bigint)");
    for (int i = 0; i < 2; i++) {
        writers[i] = (writer){.f = f, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, overwrite_rounds, &writers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        lake_check(writers[i].rc, &writers[i].err, "writer");
    }
    lake_expect(f, "SELECT count(*), count(DISTINCT id) FROM t", "6|6");
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rows_come_by_position_name_or_list),
        T(no_rows_make_no_snapshot),
        T(the_snapshot_says_who_made_it),
        T(defaults_fill_what_is_left_out),
        T(mistakes_are_told),
        T(overwrite_replaces_the_touched_partitions),
        T(temporary_tables_take_lake_rows),
        T(writing_goes_to_the_sessions_branch),
        T(any_operation_may_fail),
        T(writers_lose_nothing),
        T(overwriting_itself_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
