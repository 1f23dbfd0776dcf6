/* kill -9 at every passage of every named point of every kind of commit. */
#include "harness.h"

typedef struct point {
    char name[64];
    long times;
} point;

/* What FIRN_FAULT_COUNT reports of a clean run. */
static size_t learn_points(lake_fixture *f, const scenario *s, point *points, size_t max)
{
    const char *file = firn_arena_printf(f->arena, "%s.count", f->root);
    unlink(file);
    rewind_lake(f);
    outcome clean =
        run_scenario(f, f->arena, s, firn_arena_printf(f->arena, "FIRN_FAULT_COUNT=%s", file));
    assert_int_equal(clean.code, 0);
    size_t n = 0;
    size_t n_lines;
    char **lines = firn_str_split(f->arena, slurp(f->arena, file), '\n', &n_lines);
    for (size_t i = 0; i < n_lines && n < max; i++) {
        n += sscanf(lines[i], "point %63s %ld", points[n].name, &points[n].times) == 2;
    }
    unlink(file);
    return n;
}

static void kill_once(lake_fixture *f, const scenario *s, const char *where, const char *before,
                      const char *after, bool *died)
{
    rewind_lake(f);
    outcome result =
        run_scenario(f, f->arena, s, firn_arena_printf(f->arena, "FIRN_FAULT_KILL=%s", where));
    *died = result.code == -SIGKILL;
    if (!*died && result.code != 0) {
        fail_msg("%s killed at %s: %d %s", s->name, where, result.code, result.err);
    }
    lake_open(f);
    const char *now = lake_state(f);
    if (!firn_streq(now, *died ? before : after) && !firn_streq(now, after)) {
        fail_msg("%s killed at %s left\n%s\nnot\n%s\nnor\n%s", s->name, where, now, before, after);
    }
    assert_writable(f);
}

static void kill_everywhere(lake_fixture *f, const scenario *s)
{
    static const char *const every_commit[] = {"catalog.begin", "catalog.commit.before",
                                               "catalog.commit.after"};
    const char *before, *after;
    point points[64];
    learn_states(f, s, &before, &after);
    assert_string_not_equal(before, after);
    size_t n = learn_points(f, s, points, 64);
    int n_died = 0;
    int n_rounds = 0;
    for (size_t i = 0; i < n; i++) {
        for (long k = 1; k <= points[i].times; k++) {
            bool died = false;
            kill_once(f, s, firn_arena_printf(f->arena, "%s:%ld", points[i].name, k), before, after,
                      &died);
            n_died += died;
            n_rounds++;
        }
    }
    /* Tasks that run side by side may pass a point more or less often from run to run. */
    assert_true(s->pipeline != NULL ? n_died > n_rounds / 2 : n_died == n_rounds);
    for (size_t e = 0; e < sizeof(every_commit) / sizeof(every_commit[0]); e++) {
        size_t i = 0;
        while (i < n && !firn_streq(points[i].name, every_commit[e])) {
            i++;
        }
        assert_true(i < n);
    }
}

static void killed_at_every_point(void **state)
{
    lake_fixture *f = *state;
    set_up_scenarios(f);
    for (size_t i = 0; i < N_SCENARIOS; i++) {
        print_message("# %s\n", scenarios[i].name);
        kill_everywhere(f, &scenarios[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {FAULT_TEST(killed_at_every_point)};
    use_fast_scratch();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
