/* The n-th operation fails, for every n until a run gets through without meeting it; also as a full disk, a read-only disk, and with
 * everything after it failing, too.
 */
#include "harness.h"

/* Only the answer was lost: the error must not claim that nothing happened. */
static bool came_after_the_commit(const outcome *result)
{
    static const char *const words[] = {"it is not known whether", "commit.pointer_swapped",
                                        "is published to main"};
    bool found = false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        found = found || strstr(result->err, words[i]) != NULL;
    }
    return found && strstr(result->err, "nothing was") == NULL;
}

static void fail_once(lake_fixture *f, const scenario *s, const char *fault, const char *before,
                      const char *after, int files_before, bool *clean)
{
    rewind_lake(f);
    outcome result =
        run_scenario(f, f->arena, s, firn_arena_printf(f->arena, "FIRN_FAULT_FAIL=%s", fault));
    lake_open(f);
    const char *now = lake_state(f);
    const char *expected = result.code == 0 ? after : before;
    if (result.code != 0 && result.code != 1) {
        fail_msg("%s with %s ended with %d: %s", s->name, fault, result.code, result.err);
    }
    if (result.code == 1) {
        assert_one_clear_error(f->arena, &result);
    }
    bool done = firn_streq(now, after);
    if (!firn_streq(now, expected) && !(done && came_after_the_commit(&result))) {
        fail_msg("%s with %s ended with %d (%s) and left\n%s\nnot\n%s", s->name, fault, result.code,
                 result.err, now, expected);
    }
    /* What is known to have failed cleans up behind itself, if it still can. */
    bool tidy = done || s->pipeline != NULL || strchr(fault, '+') != NULL ||
                warehouse_files(f) == files_before;
    if (!tidy) {
        fail_msg("%s with %s left %d files in the warehouse, %d were there", s->name, fault,
                 warehouse_files(f), files_before);
    }
    assert_writable(f);
    *clean = result.code == 0;
}

/* How many operations a clean run passes. */
static int learn_operations(lake_fixture *f, const scenario *s)
{
    const char *file = firn_arena_printf(f->arena, "%s.count", f->root);
    int n = 0;
    unlink(file);
    rewind_lake(f);
    outcome clean =
        run_scenario(f, f->arena, s, firn_arena_printf(f->arena, "FIRN_FAULT_COUNT=%s", file));
    assert_int_equal(clean.code, 0);
    assert_int_equal(sscanf(slurp(f->arena, file), "operations %d", &n), 1);
    unlink(file);
    return n;
}

static void fail_everywhere(lake_fixture *f, const scenario *s, const char *suffix, int stride)
{
    const char *before, *after;
    int n_failed = 0;
    int n_rounds = 0;
    learn_states(f, s, &before, &after);
    assert_string_not_equal(before, after);
    int operations = learn_operations(f, s);
    rewind_lake(f);
    int files_before = warehouse_files(f);
    for (int n = 1; n <= operations; n += stride) {
        bool clean = false;
        fail_once(f, s, firn_arena_printf(f->arena, "%d%s", n, suffix), before, after, files_before,
                  &clean);
        n_failed += !clean;
        n_rounds++;
    }
    assert_true(n_failed * 2 >= n_rounds); /* few operations may fail without harm */
}

/* A pipeline is many commits; of each kind the other scenarios look at every operation. */
enum { PIPELINE_STRIDE = 11 };

static void operations_fail(lake_fixture *f, const char *suffix, int stride)
{
    set_up_scenarios(f);
    for (size_t i = 0; i < N_SCENARIOS; i++) {
        print_message("# %s\n", scenarios[i].name);
        fail_everywhere(f, &scenarios[i], suffix,
                        scenarios[i].pipeline != NULL ? stride * PIPELINE_STRIDE : stride);
    }
}

static void io_errors(void **state)
{
    operations_fail(*state, ":io", 1);
}

/* The other kinds take the same ways out of the same functions: every third operation is enough to see that each is told. */
static void a_full_disk(void **state)
{
    operations_fail(*state, ":nospace", 3);
}

static void a_disk_that_becomes_read_only(void **state)
{
    operations_fail(*state, "+:readonly", 3);
}

static void a_disk_that_stays_broken(void **state)
{
    operations_fail(*state, "+:io", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(io_errors),
        FAULT_TEST(a_full_disk),
        FAULT_TEST(a_disk_that_becomes_read_only),
        FAULT_TEST(a_disk_that_stays_broken),
    };
    use_fast_scratch();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
