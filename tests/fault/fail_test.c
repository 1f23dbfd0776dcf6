/* The n-th operation fails, for every n until a run gets through without meeting it; as an I/O error, a full disk, a read-only disk, and
 * with everything after it failing, too.
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

/* Nothing that is injected in the last few operations may fail the statement: what follows the commit is housekeeping. So several clean
 * runs in a row are the end. */
enum { CLEAN_RUNS = 6, OPERATIONS_MAX = 2000 };

static void fail_everywhere(lake_fixture *f, const scenario *s, const char *suffix, int stride)
{
    const char *before, *after;
    int n_clean = 0;
    int n_failed = 0;
    learn_states(f, s, &before, &after);
    assert_string_not_equal(before, after);
    rewind_lake(f);
    int files_before = warehouse_files(f);
    for (int n = 1; n_clean < CLEAN_RUNS; n += stride) {
        bool clean = false;
        assert_true(n < OPERATIONS_MAX);
        fail_once(f, s, firn_arena_printf(f->arena, "%d%s", n, suffix), before, after, files_before,
                  &clean);
        n_clean = clean ? n_clean + 1 : 0;
        n_failed += !clean;
    }
    assert_true(n_failed > 0);
}

static void every_operation_fails(lake_fixture *f, const char *suffix)
{
    set_up_scenarios(f);
    for (size_t i = 0; i < N_SCENARIOS; i++) {
        print_message("%s\n", scenarios[i].name);
        /* A pipeline is many commits; of each kind the others look at every operation. */
        fail_everywhere(f, &scenarios[i], suffix, scenarios[i].pipeline != NULL ? 7 : 1);
    }
}

static void io_errors(void **state)
{
    every_operation_fails(*state, ":io");
}

static void a_full_disk(void **state)
{
    every_operation_fails(*state, ":nospace");
}

static void a_disk_that_becomes_read_only(void **state)
{
    every_operation_fails(*state, "+:readonly");
}

static void a_disk_that_stays_broken(void **state)
{
    every_operation_fails(*state, "+:io");
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
