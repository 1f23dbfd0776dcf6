/* The run log of pipelines. */
#include "fixture.h"

#include "catalog/runs.h"

static firn_run start(fixture *f, const char *pipeline)
{
    firn_run run;
    assert_ok(f, firn_run_start(f->catalog, f->arena, pipeline, "main", &run, &f->err));
    return run;
}

static void runs_are_numbered_by_day(void **state)
{
    fixture *f = *state;
    setenv("FIRN_FAKE_NOW", "2026-11-20T10:00:00Z", 1);
    firn_run first = start(f, "ecommerce"), second = start(f, "other");
    unsetenv("FIRN_FAKE_NOW");
    assert_string_equal(first.run_id, "r-20261120-1");
    assert_string_equal(first.branch, "run/r-20261120-1");
    assert_string_equal(first.status, "running");
    assert_string_equal(second.run_id, "r-20261120-2");
}

static void a_run_ends_once_it_is_finished(void **state)
{
    fixture *f = *state;
    firn_run run = start(f, "ecommerce"), read;
    assert_ok(f, firn_run_get(f->catalog, f->arena, run.run_id, &read, &f->err));
    assert_int_equal(read.ended_us, 0);
    assert_null(read.error);
    assert_ok(f,
              firn_run_finish(f->catalog, run.run_id, "failed", NULL, "a check failed", &f->err));
    assert_ok(f, firn_run_get(f->catalog, f->arena, run.run_id, &read, &f->err));
    assert_string_equal(read.status, "failed");
    assert_string_equal(read.error, "a check failed");
    assert_null(read.commit_id);
    assert_true(read.ended_us >= read.started_us);
    assert_fails(f, firn_run_get(f->catalog, f->arena, "r-1", &read, &f->err), FIRN_E_NOT_FOUND,
                 "there is no run r-1");
    assert_fails(f, firn_run_finish(f->catalog, "r-1", "failed", NULL, NULL, &f->err),
                 FIRN_E_NOT_FOUND, "there is no run r-1");
}

static void runs_list_newest_first(void **state)
{
    fixture *f = *state;
    start(f, "a");
    start(f, "b");
    firn_run last = start(f, "a"), *runs;
    size_t n;
    assert_ok(f, firn_run_list(f->catalog, f->arena, NULL, 0, &runs, &n, &f->err));
    assert_int_equal(n, 3);
    assert_string_equal(runs[0].run_id, last.run_id);
    assert_ok(f, firn_run_list(f->catalog, f->arena, "a", 1, &runs, &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(runs[0].run_id, last.run_id);
    assert_ok(f, firn_run_list(f->catalog, f->arena, "none", 0, &runs, &n, &f->err));
    assert_int_equal(n, 0);
}

static void tasks_are_replaced_by_attempt(void **state)
{
    fixture *f = *state;
    firn_run run = start(f, "a");
    firn_run_task task = {.run_id = run.run_id,
                          .task = "load",
                          .kind = "model",
                          .status = "failed",
                          .attempt = 1,
                          .rows = -1,
                          .started_us = 10,
                          .ended_us = 20,
                          .error = "no disk"};
    assert_ok(f, firn_run_task_record(f->catalog, &task, &f->err));
    task.detail = "tried on another";
    assert_ok(f, firn_run_task_record(f->catalog, &task, &f->err));
    task = (firn_run_task){.run_id = run.run_id,
                           .task = "load",
                           .kind = "model",
                           .status = "ok",
                           .attempt = 2,
                           .rows = 42,
                           .started_us = 30,
                           .ended_us = 40};
    assert_ok(f, firn_run_task_record(f->catalog, &task, &f->err));
    firn_run_task *tasks;
    size_t n;
    assert_ok(f, firn_run_tasks(f->catalog, f->arena, run.run_id, &tasks, &n, &f->err));
    assert_int_equal(n, 2);
    assert_string_equal(tasks[0].error, "no disk");
    assert_string_equal(tasks[0].detail, "tried on another");
    assert_int_equal(tasks[1].rows, 42);
    assert_null(tasks[1].error);
}

static void checks_keep_their_order(void **state)
{
    fixture *f = *state;
    firn_run run = start(f, "a");
    static const char *const names[] = {"not_null(id)", "unique(id)", "not_null(id)"};
    for (size_t i = 0; i < 3; i++) {
        firn_run_check check = {.run_id = run.run_id,
                                .task = "gate",
                                .name = names[i],
                                .table = "bronze.orders",
                                .severity = "error",
                                .status = i == 1 ? "failed" : "passed",
                                .failing_rows = (int64_t)i};
        assert_ok(f, firn_run_check_record(f->catalog, &check, &f->err));
    }
    firn_run_check *checks;
    size_t n;
    assert_ok(f, firn_run_checks(f->catalog, f->arena, run.run_id, &checks, &n, &f->err));
    assert_int_equal(n, 3);
    assert_string_equal(checks[1].name, "unique(id)");
    assert_string_equal(checks[1].status, "failed");
    assert_int_equal(checks[2].failing_rows, 2);
    assert_null(checks[2].detail);
}

static void a_task_of_no_run_is_refused(void **state)
{
    fixture *f = *state;
    firn_run_task task = {.run_id = "r-1", .task = "load", .kind = "model", .status = "ok"};
    assert_fails(f, firn_run_task_record(f->catalog, &task, &f->err), FIRN_E_INTERNAL,
                 "constraint");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_are_numbered_by_day), TEST(a_run_ends_once_it_is_finished),
        TEST(runs_list_newest_first),   TEST(tasks_are_replaced_by_attempt),
        TEST(checks_keep_their_order),  TEST(a_task_of_no_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
