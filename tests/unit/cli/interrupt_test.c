/* Ctrl-C while a pipeline runs: the first cancels the run and leaves main as it was, the second ends the process. */
#include "cli_testing.h"

#include "base/time.h"

#include <signal.h>

enum { POLL_MS = 20, PATIENCE_MS = 60000 };

/* s.a is made, then the command says that it has begun and outlasts every patience. */
static const char sleeping[] =
    "schemas: [s]\n"
    "tasks:\n"
    "  - {name: a, type: sql, models: [{table: s.a, sql: select 1 as x}]}\n"
    "  - {name: wait, type: shell, after: [a], command: 'touch begun; exec sleep 600'}\n";

static void make_pipeline(testing *t)
{
    run_ok(t, "init", "-q");
    assert_int_equal(firn_mkdir_p("pipelines/p", 0755, NULL), FIRN_OK);
    assert_int_equal(
        firn_file_write_atomic("pipelines/p/pipeline.yaml", firn_bytes_str(sleeping), 0644, NULL),
        FIRN_OK);
}

static bool says(testing *t, const char *path, const char *text)
{
    return firn_path_exists(path) && strstr(caught(t, path), text) != NULL;
}

/* Until the file is there and has the text. */
static void wait_for(testing *t, const char *path, const char *text)
{
    for (int waited = 0; !says(t, path, text); waited += POLL_MS) {
        assert_true(waited < PATIENCE_MS);
        firn_sleep_ms(POLL_MS);
    }
}

static void expect_cancelled(testing *t, pid_t child)
{
    int status = 0;
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(caught(t, "err"), "error: the run was cancelled\n");
    assert_has(caught(t, "out"), "was not published; main is unchanged");
}

static void one_interrupt_cancels_the_run(void **state)
{
    testing *t = *state;
    const char *argv[] = {"firn", "pipeline", "run", "p", NULL};
    make_pipeline(t);
    pid_t child = start(t, "out", "err", 4, argv);
    wait_for(t, "begun", "");
    int64_t started_us = firn_monotonic_us();
    expect_cancelled(t, child);
    assert_true(firn_monotonic_us() - started_us < PATIENCE_MS * INT64_C(1000));
    run_fails(t, 1, "there is no table s.a on main", "sql", "-c", "select * from s.a");
    run_ok(t, "pipeline", "runs", "--format", "csv");
    assert_has(t->out, ",p,failed,");
    assert_has(t->out, "the run was cancelled");
}

static void one_interrupt_cancels_the_demo(void **state)
{
    testing *t = *state;
    const char *argv[] = {"firn", "demo", "--scale", "20", NULL};
    pid_t child = start(t, "out", "err", 4, argv);
    wait_for(t, "out", "100,000 orders");
    expect_cancelled(t, child);
    assert_null(strstr(caught(t, "out"), "Next:"));
    run_ok(t, "--lake", "demo-lake", "table", "list", "--format", "csv");
    assert_null(strstr(t->out, "bronze"));
}

/* Nobody reads the events: the run cannot end by itself, however cancelled it is. */
static void the_second_ends_the_process(void **state)
{
    testing *t = *state;
    const char *argv[] = {"firn", "pipeline", "run", "p", "--json", NULL};
    char fill[4096] = {0};
    int status = 0;
    make_pipeline(t);
    assert_int_equal(mkfifo("events", 0600), 0);
    int fd = open("events", O_RDWR | O_NONBLOCK);
    assert_true(fd >= 0);
    pid_t child = start(t, "events", "err", 5, argv);
    wait_for(t, "begun", "");
    for (size_t len = sizeof(fill); len > 0;) {
        len = write(fd, fill, len) < 0 ? len / 2 : len;
    }
    assert_int_equal(kill(child, SIGINT), 0);
    firn_sleep_ms(500);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(fd);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    run_fails(t, 1, "there is no table s.a on main", "sql", "-c", "select * from s.a");
}

/* What was started to ignore Ctrl-C, in the background of a script say, goes on. */
static void who_ignores_interrupts_is_not_interrupted(void **state)
{
    testing *t = *state;
    const char *argv[] = {"firn", "pipeline", "run", "p", NULL};
    int status = 0;
    make_pipeline(t);
    signal(SIGINT, SIG_IGN);
    pid_t child = start(t, "out", "err", 4, argv);
    signal(SIGINT, SIG_DFL);
    wait_for(t, "begun", "");
    assert_int_equal(kill(child, SIGINT), 0);
    firn_sleep_ms(500);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_interrupt_cancels_the_run, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(one_interrupt_cancels_the_demo, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(the_second_ends_the_process, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(who_ignores_interrupts_is_not_interrupted, testing_setup,
                                        testing_teardown),
    };
    signal(SIGINT, SIG_DFL); /* test runners may start in the background */
    return cmocka_run_group_tests_name("cli/interrupt", tests, NULL, NULL);
}
