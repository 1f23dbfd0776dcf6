/* Schedules: runs by a clock of the test's own, of a script in the place of firn. */
#include "serve/schedule.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, POLL_MS = 10 };

/* $1 is --lake, $2 the lake, $3 what to do. */
static const char SCRIPT[] =
    "#!/bin/sh\n"
    "case \"$3\" in\n"
    "  ok) echo \"$1 $4 in $(pwd)\"; echo more >&2 ;;\n"
    "  fail) exit 3 ;;\n"
    "  die) kill -9 $$ ;;\n"
    "  wait) echo waits; read line < fifo ;;\n"
    "  stubborn) trap '' TERM; sleep 600 & echo $! > grandchild; echo waits; wait; sleep 600 ;;\n"
    "  sleep) echo waits; exec sleep 600 ;;\n"
    "  fds) ls /proc/self/fd | tr '\\n' ' '; cat; trap ;;\n"
    "esac\n";

typedef struct fixture {
    firn_arena *arena;
    char *root;
    const char *script;
    firn_lake *lake;
    firn_schedules *schedules;
} fixture;

static _Atomic int64_t clock_us;

static int64_t test_clock(void)
{
    return atomic_load(&clock_us);
}

static int64_t at(const char *text)
{
    int64_t us = 0;
    assert_true(firn_parse_timestamp(text, &us, NULL));
    return us;
}

static void check(firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_OK) {
        fail_msg("%s", err->message);
    }
}

static void put(const char *path, const char *text, mode_t mode)
{
    firn_err err = {0};
    check(firn_file_write_atomic(path, firn_bytes_str(text), mode, &err), &err);
}

static int setup(void **state)
{
    fixture *f = firn_calloc(1, sizeof(*f));
    firn_err err = {0};
    f->arena = firn_arena_new();
    f->root = firn_arena_strdup(f->arena, "/tmp/firn-schedule-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    check(firn_lake_init(f->root, "test", &err), &err);
    f->script = firn_path_join(f->arena, f->root, "script.sh");
    put(f->script, SCRIPT, 0755);
    firn_log_set_level(FIRN_LOG_OFF);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    fixture *f = *state;
    firn_schedules_stop(f->schedules);
    firn_lake_close(f->lake);
    nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    firn_arena_free(f->arena);
    free(f);
    return 0;
}

/* The lake with this list of schedules. */
static void configure(fixture *f, const char *schedules)
{
    firn_err err = {0};
    put(firn_path_join(f->arena, f->root, "firn.yaml"),
        firn_arena_printf(f->arena, "lake: {name: test}\nschedules:\n%s", schedules), 0644);
    firn_lake_close(f->lake);
    check(firn_lake_open(f->root, &f->lake, &err), &err);
}

static void serve_from(fixture *f, const char *now)
{
    firn_err err = {0};
    const firn_schedules_options options = {
        .lake = f->lake, .program = f->script, .now_us = test_clock};
    atomic_store(&clock_us, at(now));
    check(firn_schedules_start(&options, &f->schedules, &err), &err);
}

static void clock_shows(fixture *f, const char *now)
{
    atomic_store(&clock_us, at(now));
    firn_schedules_wake(f->schedules);
}

static firn_schedule_state state_of(fixture *f, const char *name)
{
    firn_schedule_state state;
    firn_schedule_state_read(f->lake, name, &state);
    return state;
}

/* Until so many runs have begun and the last one is in that state. */
static firn_schedule_state await(fixture *f, const char *name, int64_t runs,
                                 firn_schedule_outcome outcome)
{
    firn_schedule_state state = {0};
    for (int waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
        state = state_of(f, name);
        if (state.runs == runs && state.outcome == outcome) {
            return state;
        }
        firn_sleep_ms(POLL_MS);
    }
    fail_msg("%s: run %lld is %s", name, (long long)state.runs,
             firn_schedule_outcome_name(state.outcome));
    return state;
}

static const char *log_of(fixture *f, const char *name)
{
    firn_bytes text;
    if (firn_file_read(f->arena, firn_schedule_log_path(f->lake, f->arena, name), 1 << 20, &text,
                       NULL) != FIRN_OK) {
        return "";
    }
    return (const char *)text.data;
}

static void await_log(fixture *f, const char *name, const char *text)
{
    for (int waited = 0; strstr(log_of(f, name), text) == NULL; waited += POLL_MS) {
        if (waited >= PATIENCE_MS) {
            fail_msg("\"%s\" is not in %s", text, log_of(f, name));
        }
        firn_sleep_ms(POLL_MS);
    }
}

static bool is_alive(int pid)
{
    return kill((pid_t)pid, 0) == 0;
}

/* Or only waits for its parent to notice. */
static bool is_gone(fixture *f, int pid)
{
    firn_bytes stat;
    const char *path = firn_arena_printf(f->arena, "/proc/%d/status", pid);
    return firn_file_read(f->arena, path, 1 << 16, &stat, NULL) != FIRN_OK ||
           strstr((const char *)stat.data, "\nState:\tZ") != NULL;
}

static void await_death(fixture *f, int pid)
{
    for (int waited = 0; !is_gone(f, pid); waited += POLL_MS) {
        assert_true(waited < PATIENCE_MS);
        firn_sleep_ms(POLL_MS);
    }
}

/* ---- runs ---------------------------------------------------------------------------------------------- */

static void what_is_due_runs(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: nightly, cron: \"0 2 * * *\", run: \"firn ok 'two words'\"}\n"
                 "  - {name: bad, cron: \"0 3 * * *\", run: fail}\n"
                 "  - {name: dies, cron: \"0 3 * * *\", run: die}\n"
                 "  - {name: off, cron: \"* * * * *\", run: ok, enabled: false}\n");
    serve_from(f, "2025-01-15 01:59:59");
    clock_shows(f, "2025-01-15 02:00:00.5");
    firn_schedule_state ok = await(f, "nightly", 1, FIRN_SCHEDULE_OK);
    assert_int_equal(ok.due_us, at("2025-01-15 02:00"));
    assert_int_equal(ok.started_us, at("2025-01-15 02:00:00.5"));
    assert_int_equal(ok.last_success_us, ok.ended_us);
    assert_int_equal(ok.exit_code, 0);
    assert_false(ok.by_hand);
    char *real = realpath(f->root, NULL);
    const char *log = firn_arena_printf(
        f->arena,
        "2025-01-15 02:00:00,500 - firn.schedule - INFO - nightly: firn ok 'two words'\n"
        "--lake two words in %s\nmore\n"
        "2025-01-15 02:00:00,500 - firn.schedule - INFO - nightly: ok after ",
        real);
    assert_true(firn_starts_with(log_of(f, "nightly"), log));
    free(real);
    assert_int_equal(state_of(f, "bad").outcome, FIRN_SCHEDULE_NEVER);
    clock_shows(f, "2025-01-15 03:00:10");
    firn_schedule_state bad = await(f, "bad", 1, FIRN_SCHEDULE_FAILED);
    assert_int_equal(bad.exit_code, 3);
    assert_int_equal(bad.failures, 1);
    assert_string_equal(firn_schedule_state_text(f->arena, &bad), "failed (code 3)");
    await_log(f, "bad", "firn.schedule - ERROR - bad: failed (code 3) after ");
    firn_schedule_state dies = await(f, "dies", 1, FIRN_SCHEDULE_FAILED);
    assert_string_equal(firn_schedule_state_text(f->arena, &dies), "killed by signal 9");
    clock_shows(f, "2025-01-16 02:00:00");
    await(f, "nightly", 2, FIRN_SCHEDULE_OK);
    assert_int_equal(state_of(f, "off").runs, 0);
}

/* Nothing of the server but the lock, nothing to read, every signal as it is by itself. */
static void a_run_inherits_nothing(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: look, cron: \"0 2 * * *\", run: fds}\n");
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0); /* not close-on-exec */
    signal(SIGPIPE, SIG_IGN);
    serve_from(f, "2025-01-15 01:59:59");
    clock_shows(f, "2025-01-15 02:00:00");
    await(f, "look", 1, FIRN_SCHEDULE_OK);
    signal(SIGPIPE, SIG_DFL);
    close(sockets[0]);
    close(sockets[1]);
    await_log(f, "look",
              "\n0 1 2 3 4 2025-"); /* 3: the lock; 4: the folder that ls reads; no trap */
}

static void a_run_does_not_overlap_itself(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: long, cron: \"* * * * *\", run: wait}\n");
    const char *fifo = firn_path_join(f->arena, f->root, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    serve_from(f, "2025-01-15 01:59:59");
    clock_shows(f, "2025-01-15 02:00:00");
    await(f, "long", 1, FIRN_SCHEDULE_RUNNING);
    clock_shows(f, "2025-01-15 02:01:00");
    await_log(f, "long",
              "due at 2025-01-15T02:01:00Z, but the run before it is still at work: passed over");
    /* Not by hand, either. */
    firn_schedule_run *other = NULL;
    firn_err err = {0};
    const firn_schedule_begin begin = {.lake = f->lake,
                                       .config = &firn_lake_config(f->lake)->schedules[0],
                                       .program = f->script,
                                       .now_us = at("2025-01-15 02:01:10")};
    assert_int_equal(firn_schedule_run_begin(&begin, &other, &err), FIRN_E_BUSY);
    assert_non_null(strstr(err.message, "schedule long runs already (process "));
    FILE *out = fopen(fifo, "w");
    assert_non_null(out);
    fputs("go\n", out);
    fclose(out);
    firn_schedule_state ended = await(f, "long", 1, FIRN_SCHEDULE_OK);
    assert_int_equal(ended.overlaps, 1);
    clock_shows(f, "2025-01-15 02:02:00");
    await(f, "long", 2, FIRN_SCHEDULE_RUNNING);
}

static void a_run_has_its_time(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: slow, cron: \"0 2 * * *\", run: sleep, timeout: 1s}\n");
    serve_from(f, "2025-01-15 01:59:59");
    clock_shows(f, "2025-01-15 02:00:00");
    firn_schedule_state ended = await(f, "slow", 1, FIRN_SCHEDULE_TIMED_OUT);
    assert_int_equal(ended.signal, SIGTERM);
    assert_int_equal(ended.failures, 1);
    assert_false(is_alive(ended.pid));
}

/* The end of the server is the end of its runs, also of one that does not listen, and of what that has started. */
static void a_server_that_stops_ends_its_runs(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: mild, cron: \"0 2 * * *\", run: sleep}\n"
                 "  - {name: stubborn, cron: \"0 2 * * *\", run: stubborn}\n");
    serve_from(f, "2025-01-15 01:59:59");
    clock_shows(f, "2025-01-15 02:00:00");
    await_log(f, "mild", "waits");
    await_log(f, "stubborn", "waits");
    firn_schedules_stop(f->schedules);
    f->schedules = NULL;
    firn_schedule_state mild = state_of(f, "mild");
    firn_schedule_state stubborn = state_of(f, "stubborn");
    assert_int_equal(mild.outcome, FIRN_SCHEDULE_STOPPED);
    assert_int_equal(mild.signal, SIGTERM);
    assert_int_equal(mild.failures, 0);
    assert_int_equal(stubborn.outcome, FIRN_SCHEDULE_STOPPED);
    assert_int_equal(stubborn.signal, SIGKILL);
    assert_false(is_alive(mild.pid) || is_alive(stubborn.pid));
    firn_bytes number;
    int64_t grandchild = 0;
    check(firn_file_read(f->arena, firn_path_join(f->arena, f->root, "grandchild"), 100, &number,
                         NULL),
          NULL);
    assert_true(firn_parse_i64(firn_str_trim(f->arena, (const char *)number.data), &grandchild));
    assert_true(is_gone(f, (int)grandchild));
}

/* ---- what was missed --------------------------------------------------------------------------------------- */

static void missed_runs_are_made_up_for_on_demand(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: keen, cron: \"0 2 * * *\", run: ok, catch_up: true}\n"
                 "  - {name: calm, cron: \"0 2 * * *\", run: ok}\n");
    serve_from(f, "2025-01-15 01:59:59"); /* never ran: nothing is missed */
    clock_shows(f, "2025-01-15 02:00:00");
    await(f, "keen", 1, FIRN_SCHEDULE_OK);
    await(f, "calm", 1, FIRN_SCHEDULE_OK);
    firn_schedules_stop(f->schedules);
    serve_from(f, "2025-01-18 12:00:00"); /* three times */
    firn_schedule_state keen = await(f, "keen", 2, FIRN_SCHEDULE_OK);
    assert_int_equal(keen.due_us, at("2025-01-18 02:00"));
    firn_schedules_stop(f->schedules);
    serve_from(f, "2025-01-18 12:00:01");
    clock_shows(f, "2025-01-19 02:00:00");
    await(f, "calm", 2, FIRN_SCHEDULE_OK);
    await(f, "keen", 3, FIRN_SCHEDULE_OK);
}

static void a_time_is_served_by_one_server(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: once, cron: \"0 2 * * *\", run: ok}\n");
    firn_err err = {0};
    firn_schedules *second = NULL;
    const firn_schedules_options options = {
        .lake = f->lake, .program = f->script, .now_us = test_clock};
    serve_from(f, "2025-01-15 01:59:59");
    check(firn_schedules_start(&options, &second, &err), &err);
    clock_shows(f, "2025-01-15 02:00:00");
    await(f, "once", 1, FIRN_SCHEDULE_OK);
    firn_schedules_wake(second);
    firn_schedules_stop(second);
    assert_int_equal(state_of(f, "once").runs, 1);
}

/* A clock that ran ahead and was set right: schedules go by the right one. */
static void clocks_may_be_set_back(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: nightly, cron: \"0 2 * * *\", run: ok}\n"
                 "  - {name: often, cron: \"* * * * *\", run: ok}\n");
    serve_from(f, "2036-01-15 01:59:59");
    clock_shows(f, "2036-01-15 02:00:00");
    await(f, "nightly", 1, FIRN_SCHEDULE_OK);
    await(f, "often", 1, FIRN_SCHEDULE_OK);
    /* Once something has run by the earlier clock the thread has seen it. */
    for (int minute = 0; state_of(f, "often").runs < 2 && minute < 60; minute++) {
        clock_shows(f, firn_arena_printf(f->arena, "2025-01-15 01:%02d:00", minute));
        firn_sleep_ms(POLL_MS);
    }
    clock_shows(f, "2025-01-15 02:00:00");
    await(f, "nightly", 2, FIRN_SCHEDULE_OK);
}

/* ---- a server that dies ---------------------------------------------------------------------------------- */

static void a_run_ends_with_a_killed_server(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: slow, cron: \"0 2 * * *\", run: sleep}\n");
    pid_t server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
        serve_from(f, "2025-01-15 01:59:59");
        clock_shows(f, "2025-01-15 02:00:00");
        pause();
        _exit(0);
    }
    await_log(f, "slow", "waits");
    firn_schedule_state running = await(f, "slow", 1, FIRN_SCHEDULE_RUNNING);
    for (int waited = 0; running.pid == 0;
         waited += POLL_MS) { /* written once before there is one */
        assert_true(waited < PATIENCE_MS);
        firn_sleep_ms(POLL_MS);
        running = state_of(f, "slow");
    }
    kill(server, SIGKILL);
    assert_int_equal(waitpid(server, NULL, 0), server);
    await_death(f, running.pid);
    await(f, "slow", 1, FIRN_SCHEDULE_INTERRUPTED);
}

static void a_state_that_cannot_be_read_is_none(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: a, cron: \"0 2 * * *\", run: ok}\n");
    const char *path = firn_path_join(f->arena, f->root, ".firn/schedules");
    firn_err err = {0};
    check(firn_mkdir_p(path, 0755, &err), &err);
    static const char *const TEXTS[] = {"", "{", "[]",
                                        "{\"outcome\": 5, \"due\": [], \"runs\": -3}"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        put(firn_path_join(f->arena, path, "a.json"), TEXTS[i], 0644);
        firn_schedule_state s = state_of(f, "a");
        assert_int_equal(s.outcome, FIRN_SCHEDULE_NEVER);
        assert_int_equal(s.runs, 0);
    }
    serve_from(f, "2025-01-15 01:59:59");
    clock_shows(f, "2025-01-15 02:00:00");
    await(f, "a", 1, FIRN_SCHEDULE_OK);
}

static void a_program_that_is_not_there_is_said(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: a, cron: \"0 2 * * *\", run: ok}\n");
    f->script = "/nonexistent";
    serve_from(f, "2025-01-15 01:59:59");
    clock_shows(f, "2025-01-15 02:00:00");
    assert_int_equal(await(f, "a", 1, FIRN_SCHEDULE_FAILED).exit_code, 127);
}

static void wrong_zones_stop_the_start(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    const firn_schedules_options options = {.now_us = test_clock};
    configure(f, "  - {name: a, cron: \"0 2 * * *\", run: ok, timezone: Europe/Paname}\n");
    firn_schedules_options with = options;
    with.lake = f->lake;
    assert_int_equal(firn_schedules_start(&with, &f->schedules, &err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "schedule a (line 3 of firn.yaml): there is no time zone"));
    assert_null(f->schedules);
}

static void without_schedules_there_is_no_thread(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: a, cron: \"0 2 * * *\", run: ok, enabled: false}\n");
    serve_from(f, "2025-01-15 01:59:59");
    assert_null(f->schedules);
}

/* ---- by hand ------------------------------------------------------------------------------------------- */

static void a_run_by_hand_leaves_the_due_times_alone(void **state)
{
    fixture *f = *state;
    configure(f, "  - {name: a, cron: \"0 2 * * *\", run: fail, enabled: false}\n");
    firn_schedule_run *run = NULL;
    firn_err err = {0};
    const firn_schedule_begin begin = {.lake = f->lake,
                                       .config = &firn_lake_config(f->lake)->schedules[0],
                                       .program = f->script,
                                       .now_us = at("2025-01-15 12:00")};
    check(firn_schedule_run_begin(&begin, &run, &err), &err);
    while (!firn_schedule_run_poll(run, at("2025-01-15 12:01"))) {
        firn_sleep_ms(POLL_MS);
    }
    firn_schedule_state ended = *firn_schedule_run_state(run);
    firn_schedule_run_free(run);
    assert_int_equal(ended.outcome, FIRN_SCHEDULE_FAILED);
    assert_int_equal(ended.exit_code, 3);
    firn_schedule_state kept = state_of(f, "a");
    assert_true(kept.by_hand);
    assert_int_equal(kept.due_us, 0);
    assert_int_equal(kept.ended_us, at("2025-01-15 12:01"));
    int64_t next_us = 0;
    check(firn_schedule_next(f->arena, begin.config, begin.now_us, &next_us, &err), &err);
    assert_int_equal(next_us, at("2025-01-16 02:00"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_due_runs),
        TEST(a_run_inherits_nothing),
        TEST(a_run_does_not_overlap_itself),
        TEST(a_run_has_its_time),
        TEST(a_server_that_stops_ends_its_runs),
        TEST(missed_runs_are_made_up_for_on_demand),
        TEST(a_time_is_served_by_one_server),
        TEST(clocks_may_be_set_back),
        TEST(a_run_ends_with_a_killed_server),
        TEST(a_state_that_cannot_be_read_is_none),
        TEST(a_program_that_is_not_there_is_said),
        TEST(wrong_zones_stop_the_start),
        TEST(without_schedules_there_is_no_thread),
        TEST(a_run_by_hand_leaves_the_due_times_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
