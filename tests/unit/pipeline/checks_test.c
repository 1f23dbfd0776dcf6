/* Each kind of check: what it lets pass, what it counts, the example it shows; severity and quarantine. */
#include "fixture.h"

/* Runs one check against main as it is: "passed", or "failed 2: 2 rows, for example a 7". */
static const char *verdict(lake_fixture *f, const char *check)
{
    firn_err err = {0};
    firn_run_check *checks = NULL;
    size_t n = 0;
    const firn_pipeline *pipeline = pipeline_of(
        f, "p",
        firn_arena_printf(f->arena, "tasks: [{name: c, type: check, checks: [%s]}]\n", check));
    lake_check(firn_pipeline_check(f->engine, f->arena, pipeline, NULL, &checks, &n, &err), &err,
               check);
    assert_int_equal(n, 1);
    assert_string_equal(checks[0].task, "c");
    if (firn_streq(checks[0].status, "passed")) {
        assert_int_equal(checks[0].failing_rows, 0);
        assert_null(checks[0].detail);
        return "passed";
    }
    return firn_arena_printf(f->arena, "%s %lld: %s", checks[0].status,
                             (long long)checks[0].failing_rows, checks[0].detail);
}

static void fill(lake_fixture *f)
{
    lake_exec(f, "create schema s");
    lake_exec(f,
              "create table s.t as select * from (values (1, 'x', 10), (2, 'y', 20), (2, 'y', 25),"
              " (3, null, 7), (null, 'it''s', null)) v(id, name, n)");
    lake_exec(f, "create table s.ids as select * from (values (1), (2), (null)) v(id)");
}

static void not_null(void **state)
{
    fill(*state);
    assert_string_equal(verdict(*state, "{table: s.ids, not_null: id, where: id > 0}"), "passed");
    assert_string_equal(verdict(*state, "{table: s.t, not_null: [id, name]}"), "failed 2: 2 rows");
    assert_string_equal(verdict(*state, "{table: s.ids, not_null: id}"), "failed 1: 1 row");
}

static void unique(void **state)
{
    fill(*state);
    assert_string_equal(verdict(*state, "{table: s.ids, unique: [id]}"), "passed");
    assert_string_equal(verdict(*state, "{table: s.t, unique: [id]}"),
                        "failed 2: 2 rows, for example id 2");
    assert_string_equal(verdict(*state, "{table: s.t, unique: [id, name]}"),
                        "failed 2: 2 rows, for example id 2");
    assert_string_equal(verdict(*state, "{table: s.t, unique: [id, n]}"), "passed");
    /* An OR in where: must not swallow the rest of the condition. */
    assert_string_equal(verdict(*state, "{table: s.t, unique: [id], where: n = 20 or n = 10}"),
                        "passed");
}

static void accepted_values(void **state)
{
    fill(*state);
    assert_string_equal(
        verdict(*state, "{table: s.t, accepted_values: {column: name, values: [x, y, \"it's\"]}}"),
        "passed");
    assert_string_equal(
        verdict(*state, "{table: s.t, accepted_values: {column: name, values: [x]}}"),
        "failed 3: 3 rows, for example name it's");
    assert_string_equal(
        verdict(*state, "{table: s.t, accepted_values: {column: id, values: [1, 2]}}"),
        "failed 1: 1 row, for example id 3");
}

static void range(void **state)
{
    fill(*state);
    assert_string_equal(verdict(*state, "{table: s.t, range: {column: n, min: 7, max: 25}}"),
                        "passed");
    assert_string_equal(verdict(*state, "{table: s.t, range: {column: n, min: 8}}"),
                        "failed 1: 1 row, for example n 7");
    assert_string_equal(verdict(*state, "{table: s.t, range: {column: n, max: 9.5}}"),
                        "failed 3: 3 rows, for example n 10");
    assert_string_equal(
        verdict(*state, "{table: s.t, range: {column: n, min: 8, max: 9}, where: id = 2}"),
        "failed 2: 2 rows, for example n 20");
}

static void relationships(void **state)
{
    fill(*state);
    assert_string_equal(
        verdict(*state, "{table: s.ids, relationships: {column: id, to: s.t, field: id}}"),
        "passed");
    assert_string_equal(verdict(*state, "{table: s.t, relationships: {column: id, to: s.ids}}"),
                        "failed 1: 1 row, for example id 3");
}

static void row_count(void **state)
{
    fill(*state);
    assert_string_equal(verdict(*state, "{table: s.t, row_count: {min: 5, max: 5}}"), "passed");
    assert_string_equal(verdict(*state, "{table: s.t, row_count: {min: 6}}"),
                        "failed 1: the table has 5 rows");
    assert_string_equal(verdict(*state, "{table: s.t, row_count: {min: 1}, where: id > 100}"),
                        "failed 1: the table has 0 rows");
}

static void freshness(void **state)
{
    lake_exec(*state, "create schema s");
    lake_exec(*state, "create table s.new as select current_timestamp - interval 1 hour as at");
    lake_exec(*state, "create table s.old as select timestamp '2001-02-03 04:05:06' as at");
    lake_exec(*state,
              "create table s.none as select timestamp '2001-02-03 04:05:06' as at limit 0");
    assert_string_equal(verdict(*state, "{table: s.new, freshness: {column: at, max_age: 2h}}"),
                        "passed");
    lake_contains(verdict(*state, "{table: s.new, freshness: {column: at, max_age: 30min}}"),
                  "failed 1: the newest at is ");
    assert_string_equal(verdict(*state, "{table: s.old, freshness: {column: at, max_age: 1d}}"),
                        "failed 1: the newest at is 2001-02-03 04:05:06");
    assert_string_equal(verdict(*state, "{table: s.none, freshness: {column: at, max_age: 1d}}"),
                        "failed 1: the newest at is missing");
}

static void expressions_and_queries(void **state)
{
    fill(*state);
    assert_string_equal(verdict(*state, "{table: s.t, expression: n >= id}"), "passed");
    assert_string_equal(verdict(*state, "{table: s.t, expression: n > 10 or id = 1}"),
                        "failed 1: 1 row");
    assert_string_equal(verdict(*state, "{sql: select * from s.t where n < 0}"), "passed");
    assert_string_equal(verdict(*state, "{sql: 'select * from s.t where n > 9; '}"),
                        "failed 3: 3 rows");
    assert_string_equal(verdict(*state, "{sql: select * from s.t where id = 3 -- the third}"),
                        "failed 1: 1 row");
}

static void a_warning_is_none_but_counted(void **state)
{
    fill(*state);
    assert_string_equal(verdict(*state, "{table: s.t, range: {column: n, min: 8}, severity: warn}"),
                        "warned 1: 1 row, for example n 7");
}

static void a_check_that_cannot_run_is_an_error_even_when_it_only_warns(void **state)
{
    fill(*state);
    lake_contains(verdict(*state, "{table: s.t, not_null: [nme], severity: warn}"), "error 0: ");
    lake_contains(verdict(*state, "{table: s.t, not_null: [nme]}"), "nme");
    lake_contains(verdict(*state, "{table: s.nowhere, not_null: [a]}"), "nowhere");
}

/* ---- in a run ------------------------------------------------------------------------------------------ */

static const char *gate(lake_fixture *f, const char *checks)
{
    return firn_arena_printf(
        f->arena,
        "schemas: [s]\n"
        "tasks:\n"
        "  - {name: t, type: sql, models: [{table: s.t, sql: 'select * from (values (1, 5), (2, -1), (3, null)) v(id, n)'}]}\n"
        "  - {name: gate, type: check, checks: [%s]}\n"
        "  - {name: u, type: sql, models: [{table: s.u, sql: 'select * from s.t'}]}\n",
        checks);
}

static void failing_rows_go_into_quarantine(void **state)
{
    lake_fixture *f = *state;
    const char *yaml = gate(
        f,
        "{name: positive, table: s.t, range: {column: n, min: 0}, severity: warn, quarantine: s.bad},"
        "{name: there, table: s.t, not_null: [n], severity: warn, quarantine: s.bad},"
        "{table: s.t, unique: [id], quarantine: s.never}");
    run_ok(f, pipeline_of(f, "p", yaml));
    lake_expect(f, "select id, n, check_name, run_id like 'r-%-1' from s.bad order by id",
                "2|-1|positive|true\n3|NULL|there|true");
    lake_expect(
        f, "select count(*) from s.bad where abs(epoch(quarantined_at) - epoch(now())) < 600", "2");
    lake_contains(lake_fails(f, "select * from s.never", FIRN_E_NO_TABLE), "s.never");
    run_ok(f, pipeline_of(f, "p", yaml));
    lake_expect(f, "select count(*), count(distinct run_id) from s.bad", "4|2");
}

static void quarantine_follows_new_columns(void **state)
{
    lake_fixture *f = *state;
    static const char yaml[] =
        "schemas: [s]\n"
        "tasks:\n"
        "  - {name: t, type: sql, models: [{table: s.t, sql: 'select %s'}]}\n"
        "  - {name: c, type: check, checks: [{table: s.t, expression: a > 0, severity: warn, quarantine: s.bad}]}\n";
    run_ok(f, pipeline_of(f, "p", firn_str_replace(f->arena, yaml, "%s", "-1 as a")));
    run_ok(f, pipeline_of(f, "p", firn_str_replace(f->arena, yaml, "%s", "-2 as a, 7 as b")));
    lake_expect(f, "select a, b from s.bad order by a", "-2|7\n-1|NULL");
}

static void every_result_is_in_the_run_log(void **state)
{
    lake_fixture *f = *state;
    const char *run_id = run_fails(
        f,
        pipeline_of(f, "p",
                    gate(f, "{table: s.t, not_null: [id]},"
                            "{table: s.t, not_null: [n], severity: warn},"
                            "{name: low, table: s.t, range: {column: n, min: 0}},"
                            "{table: s.t, expression: nonsense > 1}")),
        FIRN_E_CHECK_FAILED,
        "task gate: 2 of 4 checks failed: \"low\" (1 row, for example n -1); \"s.t expression\" (");
    firn_err err = {0};
    firn_run_check *checks = NULL;
    size_t n = 0;
    lake_check(firn_run_checks(firn_lake_catalog(f->lake), f->arena, run_id, &checks, &n, &err),
               &err, "checks");
    assert_int_equal(n, 4);
    assert_string_equal(checks[0].status, "passed");
    assert_string_equal(checks[1].status, "warned");
    assert_string_equal(checks[1].severity, "warn");
    assert_string_equal(checks[2].status, "failed");
    assert_int_equal(checks[2].failing_rows, 1);
    assert_string_equal(checks[3].status, "error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPELINE_TEST(not_null),
        PIPELINE_TEST(unique),
        PIPELINE_TEST(accepted_values),
        PIPELINE_TEST(range),
        PIPELINE_TEST(relationships),
        PIPELINE_TEST(row_count),
        PIPELINE_TEST(freshness),
        PIPELINE_TEST(expressions_and_queries),
        PIPELINE_TEST(a_warning_is_none_but_counted),
        PIPELINE_TEST(a_check_that_cannot_run_is_an_error_even_when_it_only_warns),
        PIPELINE_TEST(failing_rows_go_into_quarantine),
        PIPELINE_TEST(quarantine_follows_new_columns),
        PIPELINE_TEST(every_result_is_in_the_run_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
