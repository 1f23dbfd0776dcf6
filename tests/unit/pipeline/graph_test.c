/* The order of tasks: what is inferred from their SQL, what is declared, and what cannot be. */
#include "fixture.h"

/* "a: ; b: a; c: a b": every task in running order with what it comes after. */
static const char *plan(lake_fixture *f, const char *yaml)
{
    firn_err err = {0};
    firn_pipeline_task *tasks = NULL;
    size_t n = 0;
    const firn_pipeline *pipeline = pipeline_of(f, "p", yaml);
    lake_check(firn_pipeline_plan(f->engine, f->arena, pipeline, &tasks, &n, &err), &err, "plan");
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < n; i++) {
        firn_buf_printf(&text, "%s%s:", i > 0 ? "; " : "", tasks[i].name);
        for (size_t k = 0; k < tasks[i].n_after; k++) {
            firn_buf_printf(&text, " %s", tasks[i].after[k]);
        }
    }
    return firn_arena_strdup(f->arena, firn_buf_cstr(&text));
}

static void readers_come_after_writers(void **state)
{
    assert_string_equal(
        plan(
            *state,
            "tasks:\n"
            "  - {name: gold, type: sql, models: [{table: g.t, sql: 'select * from s.a join s.b using (k)'}]}\n"
            "  - {name: a, type: sql, models: [{table: s.a, sql: select 1 as k}]}\n"
            "  - {name: b, type: sql, models: [{table: s.b, sql: 'with a as (select 2 as k) select * from a'}]}\n"
            "  - {name: report, type: report, file: x.json, sql: 'select (select max(k) from g.t)'}\n"),
        "a:; b:; gold: a b; report: gold");
}

static void a_check_is_a_gate_for_whoever_reads_its_tables(void **state)
{
    assert_string_equal(
        plan(
            *state,
            "tasks:\n"
            "  - {name: silver, type: sql, models: [{table: s.t, sql: 'select * from b.t'}]}\n"
            "  - {name: gate, type: check, checks: [{table: b.t, not_null: [k]}, {table: b.t, relationships: {column: k, to: b.u, field: k}}]}\n"
            "  - {name: twin, type: check, checks: [{table: b.t, unique: [k]}]}\n"
            "  - {name: bronze, type: sql, models: [{table: b.t, sql: select 1 as k}]}\n"
            "  - {name: other, type: sql, models: [{table: b.u, sql: select 1 as k}]}\n"
            "  - {name: aside, type: sql, models: [{table: s.u, sql: 'select * from b.u'}]}\n"),
        "bronze:; twin: bronze; other:; gate: bronze other; silver: gate twin bronze; "
        "aside: gate other");
}

static void all_that_a_check_reads_counts(void **state)
{
    assert_string_equal(
        plan(
            *state,
            "tasks:\n"
            "  - {name: c1, type: check, checks: [{table: b.t, expression: k in (select k from b.u)}]}\n"
            "  - {name: c2, type: check, checks: [{table: b.t, unique: [k], where: k > (select min(k) from b.u)}]}\n"
            "  - {name: c3, type: check, checks: [{sql: select * from b.u where k < 0}]}\n"
            "  - {name: q, type: sql, models: [{table: s.q, sql: 'select * from b.bad'}]}\n"
            "  - {name: c4, type: check, checks: [{table: b.t, not_null: [k], quarantine: b.bad}]}\n"
            "  - {name: t, type: sql, models: [{table: b.t, sql: select 1 as k}]}\n"
            "  - {name: u, type: sql, models: [{table: b.u, sql: select 1 as k}]}\n"),
        "t:; c4: t; q: c4; u:; c1: t u; c2: t u; c3: u");
}

static void after_adds_and_after_only_replaces(void **state)
{
    assert_string_equal(
        plan(
            *state,
            "tasks:\n"
            "  - {name: b, type: sql, after: [z], models: [{table: s.b, sql: 'select * from s.a'}]}\n"
            "  - {name: c, type: sql, after: [z], after_only: true, models: [{table: s.c, sql: 'select * from s.a'}]}\n"
            "  - {name: a, type: sql, models: [{table: s.a, sql: select 1}]}\n"
            "  - {name: z, type: shell, command: 'true'}\n"),
        "a:; z:; b: a z; c: z");
}

static void two_writers_of_a_table_keep_their_order(void **state)
{
    assert_string_equal(
        plan(
            *state,
            "tasks:\n"
            "  - {name: one, type: sql, models: [{table: s.a, sql: select 1, mode: append}]}\n"
            "  - {name: two, type: sql, models: [{table: s.a, sql: 'select max(x) from s.a', mode: append}]}\n"),
        "one:; two: one");
}

static void parameters_are_filled_in_before_the_sql_is_read(void **state)
{
    assert_string_equal(
        plan(*state,
             "params: {from: s.a}\n"
             "tasks:\n"
             "  - {name: b, type: sql, models: [{table: s.b, sql: 'select * from ${from}'}]}\n"
             "  - {name: a, type: sql, models: [{table: s.a, sql: select 1}]}\n"),
        "a:; b: a");
}

static void a_plan_tells_what_each_task_writes(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_pipeline_task *tasks = NULL;
    size_t n = 0;
    const firn_pipeline *pipeline = pipeline_of(
        f, "p",
        "tasks:\n"
        "  - name: t\n"
        "    type: sql\n"
        "    models: [{table: s.a, sql: select 1 as k}, {table: s.b, sql: select 2 as k}]\n"
        "  - name: c\n"
        "    type: check\n"
        "    checks:\n"
        "      - {table: s.a, not_null: [k], quarantine: s.bad}\n"
        "      - {table: s.b, not_null: [k], quarantine: s.bad}\n");
    lake_check(firn_pipeline_plan(f->engine, f->arena, pipeline, &tasks, &n, &err), &err, "plan");
    assert_int_equal(tasks[0].n_writes, 2);
    assert_string_equal(tasks[0].writes[1], "s.b");
    assert_int_equal(tasks[1].n_writes, 1);
    assert_string_equal(tasks[1].writes[0], "s.bad");
    assert_string_equal(tasks[1].type, "check");
}

static firn_rc plan_rc(lake_fixture *f, const char *yaml)
{
    firn_pipeline_task *tasks = NULL;
    size_t n = 0;
    firn_err_clear(&f->err);
    return firn_pipeline_plan(f->engine, f->arena, pipeline_of(f, "p", yaml), &tasks, &n, &f->err);
}

static void a_cycle_is_named(void **state)
{
    lake_fixture *f = *state;
    assert_int_equal(
        plan_rc(f, "tasks:\n"
                   "  - {name: end, type: sql, models: [{table: s.e, sql: 'select * from s.c'}]}\n"
                   "  - {name: a, type: sql, models: [{table: s.a, sql: 'select * from s.c'}]}\n"
                   "  - {name: b, type: sql, models: [{table: s.b, sql: 'select * from s.a'}]}\n"
                   "  - {name: c, type: sql, models: [{table: s.c, sql: 'select * from s.b'}]}\n"
                   "  - {name: start, type: shell, command: 'true'}\n"),
        FIRN_E_CONFIG);
    /* Neither "end", which only hangs on the cycle, nor "start". */
    lake_contains(f->err.message, "after ");
    lake_contains(f->err.message, "b after a");
    lake_contains(f->err.message, "c after b");
    lake_contains(f->err.message, "a after c");
    assert_null(strstr(f->err.message, "end"));
    assert_null(strstr(f->err.message, "start"));
}

static void a_task_that_waits_for_itself_is_a_cycle(void **state)
{
    lake_fixture *f = *state;
    assert_int_equal(plan_rc(f, "tasks: [{name: a, type: shell, command: x, after: a}]\n"),
                     FIRN_E_CONFIG);
    lake_contains(f->err.message, "tasks wait for each other: a after a");
}

static void sql_that_does_not_parse_is_told_with_its_file(void **state)
{
    lake_fixture *f = *state;
    put_file(f, "pipelines/p/bad.sql", "select from where\n");
    assert_int_equal(
        plan_rc(f, "tasks: [{name: a, type: sql, models: [{table: s.a, file: bad.sql}]}]\n"),
        FIRN_E_SYNTAX);
    lake_contains(f->err.message, "bad.sql");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPELINE_TEST(readers_come_after_writers),
        PIPELINE_TEST(a_check_is_a_gate_for_whoever_reads_its_tables),
        PIPELINE_TEST(all_that_a_check_reads_counts),
        PIPELINE_TEST(after_adds_and_after_only_replaces),
        PIPELINE_TEST(two_writers_of_a_table_keep_their_order),
        PIPELINE_TEST(parameters_are_filled_in_before_the_sql_is_read),
        PIPELINE_TEST(a_plan_tells_what_each_task_writes),
        PIPELINE_TEST(a_cycle_is_named),
        PIPELINE_TEST(a_task_that_waits_for_itself_is_a_cycle),
        PIPELINE_TEST(sql_that_does_not_parse_is_told_with_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
