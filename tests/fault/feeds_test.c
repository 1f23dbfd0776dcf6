/* Commands that change feeds, killed at every point, with every operation failing once, and on a full disk: the feed is then as it was
 * or as it should be, every file is whole, and the same command again does what is left.
 */
#include "harness.h"

#include <dirent.h>

/* Larger than the room on the full disk, which a catalog still opens in. */
enum { BIG_BYTES = 100000, ROOM_BYTES = 64 << 10 };
static char big[BIG_BYTES + 1], big_option[BIG_BYTES + 32];

static const char KEPT[] =
    "{\"feed_name\": \"kept\", \"feed_type\": \"stream\", \"ksqldb_source\": \"k\", "
    "\"created_at\": \"2025-01-15T10:00:00Z\", \"enabled\": true, "
    "\"properties\": {\"big\": \"%s\"}}";
static const char OLD[] =
    "{\"feed_name\": \"old\", \"feed_type\": \"table\", \"ksqldb_source\": \"o\", "
    "\"enabled\": false, \"properties\": {\"big\": \"%s\"}}";

typedef struct change {
    const char *args[9];
} change;

static const change CHANGES[] = {
    {{"feed", "add", "new", "--type", "stream", "--set", big_option, NULL}},
    {{"feed", "update", "kept", "retention_days=7", NULL}},
    {{"feed", "disable", "kept", NULL}},
    {{"feed", "archive", "kept", NULL}},
    {{"feed", "restore", "old", NULL}},
};
enum { N_CHANGES = sizeof(CHANGES) / sizeof(CHANGES[0]) };

static int feeds_setup(void **state)
{
    use_fast_scratch();
    lake_setup(state);
    lake_fixture *f = *state;
    memset(big, 'x', BIG_BYTES);
    snprintf(big_option, sizeof(big_option), "properties.big=%s", big);
    put_into_lake(f, "feeds/active", "kept.json", firn_arena_printf(f->arena, KEPT, big));
    put_into_lake(f, "feeds/archived", "old.json", firn_arena_printf(f->arena, OLD, big));
    save_lake(f);
    lake_close(f);
    return 0;
}

static int feeds_teardown(void **state)
{
    lake_open(*state);
    return fault_teardown(state);
}

/* Without what the clock puts in. */
static const char *feeds_state(lake_fixture *f, firn_arena *arena)
{
    const char *const args[] = {"feed", "list", "--archived", "--format", "json", NULL};
    outcome result = call_firn(arena, &(firn_call){.root = f->root, .args = args});
    assert_int_equal(result.code, 0);
    assert_string_equal(result.err, "");
    assert_null(strstr(result.out, "broken"));
    return result.out;
}

static outcome run_change(lake_fixture *f, firn_arena *arena, const change *c, const char *env)
{
    return call_firn(arena, &(firn_call){.root = f->root, .args = c->args, .env = {env}});
}

/* Files of the two folders that are no feeds. */
static size_t litter(lake_fixture *f, firn_arena *arena)
{
    static const char *const FOLDERS[] = {"feeds/active", "feeds/archived"};
    size_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        DIR *dir = opendir(firn_path_join(arena, f->root, FOLDERS[i]));
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
            n += firn_starts_with(entry->d_name, ".firn-tmp");
        }
        if (dir != NULL) {
            closedir(dir);
        }
    }
    return n;
}

/* What the feeds are before and after the change, when nothing is in its way. */
static void learn(lake_fixture *f, const change *c, const char **before, const char **after)
{
    rewind_lake(f);
    *before = feeds_state(f, f->arena);
    outcome clean = run_change(f, f->arena, c, NULL);
    if (clean.code != 0) {
        fail_msg("%s: %s", c->args[1], clean.err);
    }
    *after = feeds_state(f, f->arena);
}

/* One of the two states; and the command again, unless it has happened, makes it the second. */
static void check_and_go_on(lake_fixture *f, firn_arena *arena, const change *c, const char *before,
                            const char *after, const char *what)
{
    const char *now = feeds_state(f, arena);
    if (!firn_streq(now, before) && !firn_streq(now, after)) {
        fail_msg("%s, %s: the feeds are\n%s\nneither\n%s\nnor\n%s", c->args[1], what, now, before,
                 after);
    }
    outcome again = run_change(f, arena, c, NULL);
    if (firn_streq(now, before) && again.code != 0) {
        fail_msg("%s, %s: again: %s", c->args[1], what, again.err);
    }
    assert_string_equal(feeds_state(f, arena), after);
    assert_int_equal(litter(f, arena), 0);
}

static void a_killed_change_leaves_the_feed_and_can_be_repeated(void **state)
{
    static const char *const POINTS[] = {"feed.write", "feed.copied"};
    lake_fixture *f = *state;
    int killed = 0;
    for (size_t i = 0; i < N_CHANGES; i++) {
        const char *before = NULL, *after = NULL;
        learn(f, &CHANGES[i], &before, &after);
        for (size_t p = 0; p < 2; p++) {
            FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
            rewind_lake(f);
            const char *env = firn_arena_printf(arena, "FIRN_FAULT_KILL=%s", POINTS[p]);
            outcome result = run_change(f, f->arena, &CHANGES[i], env);
            killed += result.code == -SIGKILL;
            assert_true(result.code == -SIGKILL || result.code == 0);
            check_and_go_on(f, arena, &CHANGES[i], before, after, POINTS[p]);
        }
    }
    assert_int_equal(killed, N_CHANGES + 2); /* two of them move a file */
}

static void a_failed_operation_is_told_and_can_be_repeated(void **state)
{
    enum { OPERATIONS_MAX = 50 };
    lake_fixture *f = *state;
    for (size_t i = 0; i < N_CHANGES; i++) {
        const char *before = NULL, *after = NULL;
        learn(f, &CHANGES[i], &before, &after);
        int n = 1;
        for (;; n++) {
            FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
            rewind_lake(f);
            const char *env = firn_arena_printf(arena, "FIRN_FAULT_FAIL=%d:nospace", n);
            outcome result = run_change(f, arena, &CHANGES[i], env);
            if (result.code == 0) {
                break;
            }
            assert_one_clear_error(arena, &result);
            check_and_go_on(f, arena, &CHANGES[i], before, after, env);
            assert_true(n < OPERATIONS_MAX);
        }
        assert_true(n > 1); /* something could fail */
    }
}

static void a_full_disk_changes_nothing(void **state)
{
    lake_fixture *f = *state;
    for (size_t i = 0; i < N_CHANGES; i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const char *before = NULL, *after = NULL;
        learn(f, &CHANGES[i], &before, &after);
        rewind_lake(f);
        outcome result = call_firn(
            arena,
            &(firn_call){.root = f->root, .args = CHANGES[i].args, .file_bytes_max = ROOM_BYTES});
        assert_int_equal(result.code, 1);
        assert_one_clear_error(arena, &result);
        assert_int_equal(litter(f, arena), 0);
        assert_string_equal(feeds_state(f, arena), before);
        check_and_go_on(f, arena, &CHANGES[i], before, after, "a full disk");
    }
}

/* What a writer that was killed in the middle left. */
static void what_killed_writers_left_is_swept(void **state)
{
    lake_fixture *f = *state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    rewind_lake(f);
    put_into_lake(f, "feeds/active", ".firn-tmp-0123456789abcdef", "{\"feed_na");
    const char *before = feeds_state(f, arena);
    assert_int_equal(litter(f, arena), 1);
    assert_int_equal(run_change(f, arena, &CHANGES[2], NULL).code, 0);
    assert_int_equal(litter(f, arena), 0);
    assert_string_not_equal(feeds_state(f, arena), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_killed_change_leaves_the_feed_and_can_be_repeated,
                                        feeds_setup, feeds_teardown),
        cmocka_unit_test_setup_teardown(a_failed_operation_is_told_and_can_be_repeated, feeds_setup,
                                        feeds_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, feeds_setup, feeds_teardown),
        cmocka_unit_test_setup_teardown(what_killed_writers_left_is_swept, feeds_setup,
                                        feeds_teardown),
    };
    return cmocka_run_group_tests_name("fault/feeds", tests, NULL, NULL);
}
