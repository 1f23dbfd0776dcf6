/* firn sql without the shell: where statements come from, how rows leave, errors, interruption. */
#include "cli_testing.h"

#include "base/time.h"

static void statements_come_from_options_files_and_stdin(void **state)
{
    testing *t = *state;
    assert_int_equal(firn_file_write_atomic(
                         "q.sql", firn_bytes_str("select 2 as b;\nselect 3 as c"), 0644, NULL),
                     FIRN_OK);
    run_ok(t, "sql", "--format", "csv", "-c", "select 1 as a", "-f", "q.sql", "-c",
           "select 4 as d");
    assert_string_equal(t->out, "a\n1\nb\n2\nc\n3\nd\n4\n"); /* in the order given */
    t->stdin_text = "select 5 as e;";
    run_ok(t, "sql", "--format", "csv");
    assert_string_equal(t->out, "e\n5\n");
    run_ok(t, "sql", "--format", "csv", "-f", "-");
    assert_string_equal(t->out, "e\n5\n");
}

static void formats(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-q", "-c", "select * from s.t order by id");
    assert_string_equal(t->out, " id │ name\n────┼──────\n  1 │ one\n  2 │ null\n");
    run_ok(t, "sql", "--format", "json", "-c",
           "select *, [id, 2] as l, 1.50 as d from s.t order by id");
    assert_string_equal(t->out, "[\n{\"id\": 1, \"name\": \"one\", \"l\": [1, 2], \"d\": 1.50},\n"
                                "{\"id\": 2, \"name\": null, \"l\": [2, 2], \"d\": 1.50}\n]\n");
    run_ok(t, "sql", "--format", "csv", "-c", "select * from s.t order by id");
    assert_string_equal(t->out, "id,name\n1,one\n2,\n");
    run_ok(t, "sql", "-q", "-x", "-c", "select * from s.t where id = 1");
    assert_string_equal(t->out, "── row 1 ──\n id   │ 1\n name │ one\n");
    run_ok(t, "sql", "-c", "select 1 as a");
    assert_has(t->out, "\n1 row, ");
    assert_has(t->out, " ms\n");
}

static void commands_say_what_they_did(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-c", "insert into s.t values (3, 'three')");
    assert_string_equal(t->out, "1 row inserted\n");
    run_ok(t, "sql", "-q", "-c", "insert into s.t values (4, 'four')");
    assert_string_equal(t->out, "");
    run(t, "sql", "--format", "json", "-c", "delete from s.t where id = 4", "-c",
        "select count(*) as n from s.t");
    expect_code(t, 0, __FILE__, __LINE__);
    assert_string_equal(t->out, "[\n{\"n\": 3}\n]\n"); /* rows alone on stdout: programs read it */
    assert_has(t->err, "1 row deleted");
}

static void texts_are_printed_as_they_are(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-c", "explain select * from s.t where id = 1");
    assert_has(t->out, "s.t @ ");
    assert_null(strstr(t->out, "explain\n"));
    run_ok(t, "sql", "-c", "show create table s.t");
    assert_has(t->out, "CREATE TABLE s.t (\n  id BIGINT,\n");
}

static void the_first_error_ends_it(void **state)
{
    testing *t = *state;
    run_fails(
        t, 1, "there is no table s.x on main. Did you mean s.t?", "sql", "-q", "-c",
        "insert into s.t values (7, 'seven'); select * from s.x; insert into s.t values (8, 'eight')");
    run_ok(t, "sql", "--format", "csv", "-c", "select max(id) as m from s.t");
    assert_string_equal(t->out, "m\n7\n");
    run_fails(t, 1, "Did you mean select?", "sql", "-c", "selct 1");
    run_fails(t, 1, "nosuch.sql", "sql", "-f", "nosuch.sql");
}

static void branches(void **state)
{
    testing *t = *state;
    run_ok(t, "ref", "branch", "fix", "-q");
    run_ok(t, "--ref", "fix", "sql", "-q", "-c", "delete from s.t");
    run_ok(t, "sql", "--format", "csv", "-c", "select count(*) as n from s.t");
    assert_string_equal(t->out, "n\n2\n");
    run_ok(t, "sql", "--ref", "fix", "--format", "csv", "-c", "select count(*) as n from s.t");
    assert_string_equal(t->out, "n\n0\n");
    run_fails(t, 1, "there is no branch, tag or commit \"fxi\"", "--ref", "fxi", "sql", "-c",
              "select 1");
}

/* Without a lake there is SQL, over files and functions. */
static void no_lake_is_needed_without_tables(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "--format", "csv", "-c", "select 1 as a");
    assert_string_equal(t->out, "a\n1\n");
    assert_int_equal(firn_file_write_atomic("d.csv", firn_bytes_str("x,y\n1,2\n"), 0644, NULL),
                     FIRN_OK);
    run_ok(t, "sql", "--format", "csv", "-c", "select y from 'd.csv'");
    assert_string_equal(t->out, "y\n2\n");
    assert_false(firn_path_exists("firn.yaml"));
    run_fails(t, 1, "there is no lake here: run firn init or give --lake", "sql", "-c",
              "select * from s.t");
    run_fails(t, 1, "there is no lake here", "sql", "-c", "create table s.t (a int)");
    run_fails(t, 1, "there is no lake in ", "--lake", "nowhere", "sql", "-c", "select 1");
    setenv("FIRN_LAKE", "nowhere", 1);
    run_fails(t, 1, "(from FIRN_LAKE)", "sql", "-c", "select 1");
    unsetenv("FIRN_LAKE");
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static void big_results_stream(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "--format", "csv", "-c",
           "select range as i, 'some text' as s from range(300000)");
    assert_int_equal(count_lines(t->out), 300001);
    run_ok(t, "sql", "-q", "-c", "select range as i from range(5000)");
    assert_int_equal(count_lines(t->out), 5002);
}

/* A reader that leaves, as `| head` does, ends the command at once and quietly. */
static void a_closed_pipe_is_quiet(void **state)
{
    testing *t = *state;
    int ends[2];
    int status = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        const char *argv[] = {
            "firn", "sql", "--format", "csv", "-c", "select * from range(100000000)", NULL};
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        catch_file(STDERR_FILENO, "err", O_WRONLY | O_CREAT | O_TRUNC);
        exit(firn_cli_main(6, (char **)argv));
    }
    close(ends[1]);
    char some[100];
    assert_int_equal(read(ends[0], some, sizeof(some)), sizeof(some));
    close(ends[0]);
    int64_t started = firn_monotonic_us();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(firn_monotonic_us() - started < 20000000);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(caught(t, "err"), "");
}

/* Ctrl-C cancels the statement; the tables are as they were. */
static void an_interrupt_cancels(void **state)
{
    testing *t = *state;
    const char *argv[] = {
        "firn", "sql", "-c",
        "insert into s.t select a.range, 'x' from range(10000000) a, range(1000000) b where a.range + b.range = -1",
        NULL};
    int status = 0;
    pid_t child = start(t, "out", "err", 4, argv);
    firn_sleep_ms(700);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_has(caught(t, "err"), "error: ");
    assert_has(caught(t, "err"), "cancelled");
    run_ok(t, "sql", "--format", "csv", "-c", "select count(*) as n from s.t");
    assert_string_equal(t->out, "n\n2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(statements_come_from_options_files_and_stdin, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(formats, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(commands_say_what_they_did, testing_setup_lake,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(texts_are_printed_as_they_are, testing_setup_lake,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(the_first_error_ends_it, testing_setup_lake,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(branches, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(no_lake_is_needed_without_tables, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(big_results_stream, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(a_closed_pipe_is_quiet, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(an_interrupt_cancels, testing_setup_lake, testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/sql", tests, NULL, NULL);
}
