/* Faults: the N-th operation fails, for every N, and a process killed at a named point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/storage.h"

#include "scratch.h"

#include <signal.h>
#include <sys/wait.h>

static void inject(const char *fail)
{
    if (fail) {
        setenv("FIRN_FAULT_FAIL", fail, 1);
    } else {
        unsetenv("FIRN_FAULT_FAIL");
    }
    firn_fault_reload();
}

/* The storage work of a commit: a data file by the engine, a manifest, a metadata file. */
static firn_rc write_commit(firn_storage *storage, const char *dir, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *root = firn_arena_printf(arena, "file://%s/t", dir);
    const char *data = firn_location_join(arena, root, "data/p=1/a");
    FIRN_TRY(firn_storage_prepare_dir(storage, firn_location_join(arena, root, "data/p=1"), err));
    FIRN_TRY(firn_storage_put_if_absent(storage, data, firn_bytes_str("rows"), err));
    FIRN_TRY(firn_storage_sync(storage, root, &data, 1, err));
    FIRN_TRY(firn_storage_put_if_absent(storage, firn_location_join(arena, root, "metadata/m"),
                                        firn_bytes_str("m"), err));
    return firn_storage_delete(storage, data, err);
}

static void whichever_operation_fails_nothing_half_done_is_left(void **state)
{
    (void)state;
    int failures = 0;
    for (int n = 1;; n++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        char *dir = scratch_new();
        firn_storage *storage = firn_storage_new(NULL);
        firn_err err = {0};
        inject(firn_arena_printf(arena, "%d:nospace", n));
        firn_rc rc = write_commit(storage, dir, &err);
        inject(NULL);
        firn_storage_object *objects;
        size_t n_objects;
        assert_int_equal(firn_storage_list(storage, arena, firn_arena_printf(arena, "%s/", dir),
                                           &objects, &n_objects, NULL),
                         FIRN_OK);
        assert_int_equal(scratch_count(dir), n_objects); /* no temporary file stayed */
        for (size_t i = 0; i < n_objects; i++) {         /* what has a name is whole */
            assert_int_equal(objects[i].size_bytes,
                             firn_ends_with(objects[i].location, "/a") ? 4 : 1);
        }
        assert_int_equal(write_commit(storage, dir, NULL) == FIRN_OK,
                         n_objects == 0); /* else: EXISTS */
        firn_storage_free(storage);
        scratch_free(dir);
        if (rc == FIRN_OK) {
            assert_int_equal(n_objects, 1);
            break;
        }
        assert_int_equal(rc, FIRN_E_NO_SPACE);
        assert_non_null(strstr(err.message, "injected"));
        failures++;
    }
    assert_true(failures >= 20); /* writes, fsyncs, renames, folders: each had its turn */
}

static void an_overwrite_that_is_not_durable_has_an_unknown_outcome(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *dir = scratch_new();
    const char *name = firn_arena_printf(arena, "%s/x", dir);
    firn_storage *storage = firn_storage_new(NULL);
    assert_int_equal(firn_storage_put(storage, name, firn_bytes_str("old"), NULL), FIRN_OK);
    int unknown = 0;
    for (int n = 1; n <= 6; n++) {
        firn_err err = {0};
        firn_bytes out;
        inject(firn_arena_printf(arena, "%d", n));
        firn_rc rc = firn_storage_put(storage, name, firn_bytes_str("new"), &err);
        assert_int_not_equal(rc, FIRN_OK);
        assert_int_equal(firn_storage_get(storage, arena, name, 10, &out, NULL), FIRN_OK);
        assert_string_equal((const char *)out.data, rc == FIRN_E_UNKNOWN_OUTCOME ? "new" : "old");
        assert_int_equal(err.outcome_unknown, rc == FIRN_E_UNKNOWN_OUTCOME);
        unknown += rc == FIRN_E_UNKNOWN_OUTCOME;
    }
    assert_int_equal(unknown, 1);
    inject(NULL);
    firn_storage_free(storage);
    scratch_free(dir);
}

static void plus_keeps_failing(void **state)
{
    (void)state;
    inject("2+:readonly");
    assert_int_equal(firn_fault_point("a", "x", NULL), FIRN_OK);
    assert_int_equal(firn_fault_point("a", "x", NULL), FIRN_E_READ_ONLY);
    assert_int_equal(firn_fault_point("b", "x", NULL), FIRN_E_READ_ONLY);
    inject("2:unknown");
    assert_int_equal(firn_fault_point("a", "x", NULL), FIRN_OK);
    assert_int_equal(firn_fault_point("a", "x", NULL), FIRN_E_UNKNOWN_OUTCOME);
    assert_int_equal(firn_fault_point("b", "x", NULL), FIRN_OK);
    inject(NULL);
}

static void a_fault_that_does_not_parse_fails_everything(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "0", "-1", "3:", "3:never", "3 ", "3++"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        inject(bad[i]);
        firn_err err = {0};
        assert_int_equal(firn_fault_point("a", "x", &err), FIRN_E_INVALID);
        assert_non_null(strstr(err.message, "FIRN_FAULT_FAIL"));
    }
    inject(NULL);
    assert_int_equal(firn_fault_point("a", "x", NULL), FIRN_OK);
}

static void a_process_killed_before_the_rename_leaves_no_object(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *dir = scratch_new();
    firn_storage *storage = firn_storage_new(NULL);
    pid_t child = fork();
    if (child == 0) {
        setenv("FIRN_FAULT_KILL", "storage.rename:2", 1);
        firn_fault_reload();
        firn_rc rc = firn_storage_put(storage, firn_arena_printf(arena, "%s/first", dir),
                                      firn_bytes_str("1"), NULL);
        if (rc == FIRN_OK) {
            rc = firn_storage_put(storage, firn_arena_printf(arena, "%s/second", dir),
                                  firn_bytes_str("2"), NULL);
        }
        _exit(rc == FIRN_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    firn_storage_object *objects;
    size_t n;
    assert_int_equal(
        firn_storage_list(storage, arena, firn_arena_printf(arena, "%s/", dir), &objects, &n, NULL),
        FIRN_OK);
    assert_int_equal(n, 1);
    assert_true(firn_ends_with(objects[0].location, "/first"));
    assert_int_equal(scratch_count(dir),
                     2); /* the second one's temporary file, which no listing shows */
    firn_storage_free(storage);
    scratch_free(dir);
}

static void counts_are_reported_at_exit(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *dir = scratch_new();
    const char *report = firn_arena_printf(arena, "%s/report", dir);
    pid_t child = fork();
    if (child == 0) {
        setenv("FIRN_FAULT_COUNT", report, 1);
        firn_fault_reload();
        for (int i = 0; i < 3; i++) {
            if (firn_fault_point(i < 2 ? "one" : "two", "x", NULL) != FIRN_OK) {
                _exit(1);
            }
        }
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    firn_storage *storage = firn_storage_new(NULL);
    firn_bytes text;
    assert_int_equal(firn_storage_get(storage, arena, report, 1000, &text, NULL), FIRN_OK);
    assert_string_equal((const char *)text.data, "operations 3\npoint one 2\npoint two 1\n");
    firn_storage_free(storage);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_operation_fails_nothing_half_done_is_left),
        cmocka_unit_test(an_overwrite_that_is_not_durable_has_an_unknown_outcome),
        cmocka_unit_test(plus_keeps_failing),
        cmocka_unit_test(a_fault_that_does_not_parse_fails_everything),
        cmocka_unit_test(a_process_killed_before_the_rename_leaves_no_object),
        cmocka_unit_test(counts_are_reported_at_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
