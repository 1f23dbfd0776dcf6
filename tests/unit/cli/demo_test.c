/* firn demo: from nothing to a filled lake; again on it; refusals. */
#include "cli_testing.h"

#include <pty.h>

static void the_demo_runs_and_runs_again(void **state)
{
    testing *t = *state;
    run_ok(t, "demo");
    assert_has(t->out, "  demo \"ecommerce\"  lake ./demo-lake\n");
    static const char *const TASKS[] = {"generate_sample_data",  "ingest_to_bronze",
                                        "validate_data_quality", "transform_to_silver",
                                        "aggregate_to_gold",     "generate_report"};
    const char *at = t->out;
    for (size_t i = 0; i < sizeof(TASKS) / sizeof(TASKS[0]); i++) {
        assert_has(at, TASKS[i]);
        at = strstr(at, TASKS[i]);
    }
    assert_has(t->out, "1,000 customers  200 products  5,000 orders");
    assert_has(t->out, "14 checks: ");
    assert_has(t->out, " to main: 9 tables in one commit");
    assert_has(t->out, "  total revenue ");
    assert_has(t->out, "firn --lake demo-lake sql ");
    assert_true(firn_path_exists("demo-lake/gold/kpi_report.json"));
    run_ok(t, "--lake", "demo-lake", "sql", "--format", "csv", "-c",
           "select count(*) as n from bronze.orders");
    assert_string_equal(t->out, "n\n5000\n");
    run_ok(t, "--lake", "demo-lake", "ref", "log", "-n", "1");
    assert_has(t->out, "pipeline ecommerce");

    run_ok(t, "demo", "ecommerce", "-q", "--seed", "7", "--export-parquet");
    assert_string_equal(t->out, "");
    assert_true(firn_path_exists("demo-lake/gold/daily_sales.parquet"));
    run_ok(t, "--lake", "demo-lake", "pipeline", "runs", "--format", "csv");
    assert_has(t->out, "-2,ecommerce,published,");
}

/* A lake made in the middle of nowhere is not the demo's, nor is a folder with somebody's files. */
static void it_fills_nobody_elses_folder(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "mine", "-q");
    run_fails(t, 1, "without the demo's pipeline", "demo", "--lake", "mine");
    assert_int_equal(firn_mkdir_p("papers", 0755, NULL), FIRN_OK);
    assert_int_equal(firn_file_write_atomic("papers/a.txt", firn_bytes_str("a"), 0644, NULL),
                     FIRN_OK);
    run_fails(t, 1, "is not empty and is no lake", "demo", "--lake", "papers");
    assert_false(firn_path_exists("papers/firn.yaml"));
    run_fails(t, 2, "--scale is a whole number of at least 1", "demo", "--scale", "0");
    assert_false(firn_path_exists("demo-lake"));
}

/* On a terminal running tasks show below the finished ones, and are gone in the end. */
static void a_terminal_shows_what_runs(void **state)
{
    testing *t = *state;
    int fd = -1;
    int status = 0;
    const struct winsize size = {.ws_row = 24, .ws_col = 70};
    FIRN_AUTO_BUF firn_buf screen = {0};
    fflush(NULL);
    pid_t child = forkpty(&fd, NULL, NULL, &size);
    if (child == 0) {
        const char *argv[] = {"firn", "demo", NULL};
        setenv("TERM", "xterm", 1);
        exit(firn_cli_main(2, (char **)argv));
    }
    char some[4096];
    for (ssize_t n = 0; (n = read(fd, some, sizeof(some))) > 0;) {
        firn_buf_append(&screen, some, (size_t)n);
    }
    close(fd);
    assert_int_equal(waitpid(child, &status, 0), child);
    const char *text = firn_arena_strdup(t->arena, firn_buf_cstr(&screen));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the demo ended with %d: %s", status, text);
    }
    assert_has(text, "  ingest_to_bronze        running  0.");
    assert_has(text, "\x1b[A\x1b[2K");
    const char *end = strstr(text, "published run r-");
    assert_non_null(end);
    assert_null(strstr(end, "running"));
    /* the lines that stay fit the terminal */
    size_t n = 0;
    char **lines = firn_str_split(t->arena, strstr(text, "  ingest_to_bronze "), '\r', &n);
    assert_true(firn_utf8_width(lines[0]) <= 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_demo_runs_and_runs_again, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(it_fills_nobody_elses_folder, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(a_terminal_shows_what_runs, testing_setup,
                                        testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/demo", tests, NULL, NULL);
}
