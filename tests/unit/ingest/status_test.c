/* What is told of feeds by those who run them, and by those who do not any more. */
#include "run.h"

#include "../engine/lake_fixture.h"
#include "base/io.h"

#include <sys/wait.h>
#include <unistd.h>

/* A process that has been, and is not. */
static int dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return (int)pid;
}

static const char *tell(lake_fixture *f, const char *feed, int pid, const char *state)
{
    const char *folder = firn_lake_path(f->lake, f->arena, ".firn/ingest");
    const char *path = firn_arena_printf(f->arena, "%s/%s-%d.json", folder, feed, pid);
    const char *text = firn_arena_printf(
        f->arena,
        "{\"feed\":\"%s\",\"topic\":\"t\",\"table\":\"bronze.t\",\"state\":\"%s\",\"message\":\"why\","
        "\"pid\":%d,\"lag\":7,\"records_per_s\":3.5}",
        feed, state, pid);
    assert_int_equal(firn_mkdir_p(folder, 0755, NULL), FIRN_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static size_t read_all(lake_fixture *f, firn_feed_status **out)
{
    size_t n = 0;
    firn_err err = {0};
    lake_check(firn_ingest_status_read(f->lake, f->arena, out, &n, &err), &err, "status");
    return n;
}

static void nobody_has_said_anything(void **state)
{
    firn_feed_status *all = NULL;
    assert_int_equal(read_all(*state, &all), 0);
}

static void the_living_are_told(void **state)
{
    lake_fixture *f = *state;
    firn_feed_status *all = NULL;
    tell(f, "orders", getpid(), "running");
    assert_int_equal(read_all(f, &all), 1);
    assert_int_equal(all[0].pid, getpid());
    assert_int_equal(all[0].state, FIRN_FEED_RUNNING);
    assert_int_equal(all[0].lag, 7);
    assert_true(all[0].records_per_s > 3);
}

static void why_a_feed_stopped_outlives_its_process(void **state)
{
    lake_fixture *f = *state;
    firn_feed_status *all = NULL;
    const char *path = tell(f, "orders", dead_pid(), "stopped");
    assert_int_equal(read_all(f, &all), 1);
    assert_int_equal(all[0].pid, 0);
    assert_int_equal(all[0].state, FIRN_FEED_STOPPED);
    assert_string_equal(all[0].message, "why");
    assert_true(all[0].records_per_s == 0);

    /* Until the feed runs again... */
    tell(f, "orders", getpid(), "running");
    assert_int_equal(read_all(f, &all), 1);
    assert_int_equal(all[0].state, FIRN_FEED_RUNNING);

    /* ...and for good when it is told to go on. Another feed's word stays. */
    const char *other = tell(f, "users", dead_pid(), "stopped");
    firn_status_forget(f->lake, "orders");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(other, F_OK), 0);
    assert_int_equal(read_all(f, &all), 2);
}

static void what_the_killed_said_is_cleared_away(void **state)
{
    lake_fixture *f = *state;
    firn_feed_status *all = NULL;
    const char *path = tell(f, "orders", dead_pid(), "running");
    assert_int_equal(read_all(f, &all), 0);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_has_said_anything, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(the_living_are_told, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(why_a_feed_stopped_outlives_its_process, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(what_the_killed_said_is_cleared_away, lake_setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
