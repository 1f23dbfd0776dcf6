/* firn schedule, firn serve with schedules, and the crontab line of the guide, by the real binary: a run is the program itself again. */
#include "cli_testing.h"

#include "base/time.h"

#include <signal.h>

enum { PATIENCE_MS = 60000, POLL_MS = 20 };

/* Runs a line of sh in the lake; "$FIRN" is the binary. */
static void shell(testing *t, const char *line)
{
    const char *script = firn_arena_printf(t->arena, "{ %s\n} > .stdout 2> .stderr", line);
    int status = system(script);
    t->code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
    t->out = caught(t, ".stdout");
    t->err = caught(t, ".stderr");
}

static void configure(testing *t, const char *schedules)
{
    run_ok(t, "init", "-q");
    FILE *file = fopen("firn.yaml", "a");
    assert_non_null(file);
    fprintf(file, "\nschedules:\n%s", schedules);
    fclose(file);
}

static void schedules_are_listed(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q");
    run_ok(t, "schedule", "list");
    assert_has(t->out, "the lake has no schedules: add some to its firn.yaml");
    remove("firn.yaml");
    configure(t, "  - {name: nightly, cron: \"0 2 * * *\", run: table list}\n"
                 "  - {name: off, cron: \"@daily\", run: status, enabled: false}\n");
    setenv("FIRN_FAKE_NOW", "2025-01-15T12:00:00Z", 1);
    run_ok(t, "schedule", "list");
    assert_has(t->out, "nightly  │ 0 2 * * * │ table list │ 2025-01-16 02:00");
    assert_has(t->out, "off      │ @daily    │ status     │ off");
    assert_has(t->out, "No server runs them now");
    run_ok(t, "schedule", "list", "--format", "json");
    assert_has(t->out, "\"next\": \"2025-01-16 02:00:00\"");
    assert_has(t->out, "\"state\": \"never\"");
    run_ok(t, "status");
    assert_has(t->out, "schedules    nightly: next 2025-01-16 02:00 UTC\n              off: off\n");
    unsetenv("FIRN_FAKE_NOW");
}

static void a_wrong_command_is_refused_before_it_is_due(void **state)
{
    testing *t = *state;
    configure(t, "  - {name: a, cron: \"0 2 * * *\", run: table lst}\n");
    run(t, "schedule", "list");
    assert_int_equal(t->code, 0);
    assert_has(t->err,
               "schedule a: there is no command \"firn table lst\"; did you mean firn table list?");
    assert_has(t->out, "broken");
    run_fails(t, 1, "did you mean firn table list?", "serve", "--http", "127.0.0.1:0");
    run_fails(t, 1, "did you mean firn table list?", "schedule", "run", "a");
    run_fails(t, 1, "there is no schedule b in firn.yaml", "schedule", "run", "b");
}

static void a_run_by_hand_shows_what_it_prints(void **state)
{
    testing *t = *state;
    configure(
        t,
        "  - {name: good, cron: \"0 2 * * *\", run: \"sql --format csv -c 'select 42 as answer'\"}\n"
        "  - {name: bad, cron: \"0 2 * * *\", run: \"sql -c 'select nothing'\"}\n");
    shell(t, "\"$FIRN\" schedule run good");
    expect_code(t, 0, __FILE__, __LINE__);
    assert_has(t->out, "good: firn sql --format csv -c 'select 42 as answer'\nanswer\n42\n");
    assert_has(t->out, "good: ok after ");
    assert_string_equal(t->out, caught(t, "logs/schedule_good.log"));
    shell(t, "\"$FIRN\" schedule run bad");
    expect_code(t, 1, __FILE__, __LINE__);
    assert_has(t->err, "schedule bad: failed (code 1); its output is in logs/schedule_bad.log");
    run_ok(t, "schedule", "list", "--format", "csv");
    assert_has(t->out, ",failed (code 1),1,");
    assert_has(t->out, ",ok,0,");
}

/* Between the state and the process: that run is lost, none is doubled, and the next one is not kept out. */
static void killed_before_its_process_a_run_is_lost(void **state)
{
    testing *t = *state;
    configure(t, "  - {name: a, cron: \"0 2 * * *\", run: \"sql -c 'select 42'\"}\n");
    shell(t, "FIRN_FAULT_KILL=schedule.state \"$FIRN\" schedule run a; echo $?");
    assert_has(t->out, "137");
    run_ok(t, "schedule", "list");
    assert_has(t->out, "never"); /* the point is before the state is written */
    shell(t, "FIRN_FAULT_KILL=schedule.state:2 \"$FIRN\" schedule run a; echo $?");
    assert_has(t->out, "137");
    for (int waited = 0; waited < PATIENCE_MS;
         waited += POLL_MS) { /* its process gets SIGTERM, and has the lock until then */
        run(t, "schedule", "list");
        if (strstr(t->out, "interrupted") != NULL) {
            break;
        }
        firn_sleep_ms(POLL_MS);
    }
    assert_has(t->out, "interrupted");
    shell(t, "\"$FIRN\" schedule run a");
    expect_code(t, 0, __FILE__, __LINE__);
    run_ok(t, "schedule", "list", "--format", "csv");
    assert_has(t->out, ",ok,0,");
    assert_has(t->out, ",2,0,0,true,");
}

/* The run is worth more than its record. */
static void a_full_disk_does_not_keep_a_run_from_running(void **state)
{
    testing *t = *state;
    configure(t, "  - {name: a, cron: \"0 2 * * *\", run: \"sql -c 'select 42 as answer'\"}\n");
    /* The server's writes fail; the run's are its own: it gets the variable, too, and only reads. */
    shell(t, "FIRN_FAULT_FAIL=1+:nospace \"$FIRN\" schedule run a");
    expect_code(t, 0, __FILE__, __LINE__);
    assert_has(t->out, "answer");
    assert_has(t->err, "what a did is not recorded");
    run_ok(t, "schedule", "list");
    assert_has(t->out, "never");
}

/* By the clock of this machine: a minute at most. */
static void the_server_runs_what_is_due(void **state)
{
    testing *t = *state;
    configure(
        t, "  - {name: often, cron: \"* * * * *\", run: \"sql -c 'select 42'\", catch_up: true}\n");
    /* It ran yesterday: with catch_up the server has something to do at once. */
    assert_int_equal(firn_mkdir_p(".firn/schedules", 0755, NULL), FIRN_OK);
    const char *past = "{\"outcome\": \"ok\", \"due\": \"2025-01-15T12:00:00Z\", \"runs\": 1}";
    assert_int_equal(
        firn_file_write_atomic(".firn/schedules/often.json", firn_bytes_str(past), 0644, NULL),
        FIRN_OK);
    shell(t, "\"$FIRN\" serve --http 127.0.0.1:0 > server.out & echo $!");
    int64_t pid = 0;
    assert_true(firn_parse_i64(firn_str_trim(t->arena, t->out), &pid));
    for (int waited = 0; !firn_path_exists("logs/schedule_often.log") ||
                         strstr(caught(t, "logs/schedule_often.log"), "often: ok after") == NULL;
         waited += POLL_MS) {
        assert_true(waited < PATIENCE_MS);
        firn_sleep_ms(POLL_MS);
    }
    run_ok(t, "schedule", "list");
    assert_null(strstr(t->out, "No server runs them now"));
    assert_int_equal(kill((pid_t)pid, SIGTERM), 0);
    for (int waited = 0; strstr(caught(t, "server.out"), "stopping") == NULL; waited += POLL_MS) {
        assert_true(waited < PATIENCE_MS);
        firn_sleep_ms(POLL_MS);
    }
    assert_has(caught(t, "server.out"), "schedules  often: ok ");
}

/* cron gives a job next to nothing: HOME, SHELL, a short PATH, no terminal, the home folder to work in. */
static void the_crontab_line_works(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q", "lake");
    shell(
        t,
        "mkdir bin; ln -s \"$FIRN\" bin/firn; mkdir home; cd home\n"
        "env -i HOME=\"$PWD\" SHELL=/bin/sh LOGNAME=nobody PATH=\"$PWD/../bin:/usr/bin:/bin\" /bin/sh -c '"
        "firn --lake ../lake export --all >> ../lake/logs/cron.log 2>&1' < /dev/null");
    expect_code(t, 0, __FILE__, __LINE__);
    assert_string_equal(t->out, "");
    assert_string_equal(t->err, "");
    assert_true(firn_path_exists("lake/logs/cron.log"));
    const char *log = caught(t, "lake/logs/cron.log");
    assert_has(log, "feed"); /* there are none */
    assert_null(strstr(log, "\x1b"));
    assert_null(strchr(log, '\r'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(schedules_are_listed, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(a_wrong_command_is_refused_before_it_is_due, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(a_run_by_hand_shows_what_it_prints, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(killed_before_its_process_a_run_is_lost, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_does_not_keep_a_run_from_running, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(the_server_runs_what_is_due, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(the_crontab_line_works, testing_setup, testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/schedule", tests, NULL, NULL);
}
