/* An export that is killed at every named point, and whose every operation fails once, or that finds the disk full: one more export, and
 * the table has every row once, the folders are the table's, and no file of either has no owner.
 *
 * The server is in this process; the export is the binary.
 */
#include "harness.h"

#include "../unit/export/export_fixture.h"

enum { BEFORE = 6, AFTER = 14, POINTS_MAX = 96 };

typedef struct feeds_fixture {
    export_fixture *f;
    ksql_source *stream, *table, *old;
} feeds_fixture;

static outcome run_export(export_fixture *f, const char *env)
{
    const char *const args[] = {"export", "--all", "--wait", "40ms", "--jobs", "1", NULL};
    return call_firn(f->lake->arena,
                     &(firn_call){.root = f->lake->root, .args = args, .env = {env}});
}

static void add_rows(feeds_fixture *x, int from, int to)
{
    for (int i = from; i < to; i++) {
        char values[64];
        /* two days, so that a commit has several files and folders */
        snprintf(values, sizeof(values), "%d, \"2025-01-%02dT10:00:00Z\"", i, 15 + i % 2);
        ksql_add(x->f->server, x->stream, i % 2, NOON_MS + i, values);
        snprintf(values, sizeof(values), "\"k%d\", %d", i, i);
        ksql_add(x->f->server, x->table, 0, NOON_MS + i, values);
        /* every other one is too old to stay */
        snprintf(values, sizeof(values), "%d, \"%d-01-15\"", i, i % 2 == 0 ? 2020 : 2900);
        ksql_add(x->f->server, x->old, 0, NOON_MS + i, values);
    }
}

/* A stream and a table, exported once; then more has come. */
static int export_fault_setup(void **state)
{
    feeds_fixture *x = calloc(1, sizeof(*x));
    export_setup((void **)&x->f);
    export_feed(
        x->f, "pay", "stream", "pay",
        ", \"retention_days\": 0, \"partitioning\": {\"type\": \"date\", \"time\": \"at\"}");
    export_feed(
        x->f, "old", "stream", "old",
        ", \"retention_days\": 30, \"partitioning\": {\"type\": \"date\", \"time\": \"at\"}");
    export_feed(x->f, "totals", "table", "totals", ", \"retention_versions\": 2");
    x->stream = ksql_stream(x->f->server, "PAY", "`ID` BIGINT, `AT` STRING", 2);
    x->old = ksql_stream(x->f->server, "OLD", "`ID` BIGINT, `AT` STRING", 1);
    x->table = ksql_table(x->f->server, "TOTALS", "`K` STRING, `N` BIGINT", 1);
    add_rows(x, 0, BEFORE);
    lake_close(x->f->lake);
    for (int i = 0; i < 2; i++) { /* so that retention has a version to take */
        outcome first = run_export(x->f, NULL);
        if (first.code != 0) {
            fail_msg("%s%s", first.out, first.err);
        }
    }
    lake_open(x->f->lake);
    save_lake(x->f->lake);
    add_rows(x, BEFORE, AFTER);
    *state = x;
    return 0;
}

static int export_fault_teardown(void **state)
{
    feeds_fixture *x = *state;
    shell(x->f->lake->arena,
          firn_arena_printf(x->f->lake->arena, "rm -rf %s.saved", x->f->lake->root));
    export_teardown((void **)&x->f);
    free(x);
    return 0;
}

/* ---- what must hold afterwards ------------------------------------------------------------------------------------------ */

/* Rows by the table and by its folders. */
static void expect_rows(lake_fixture *lake, const char *what, const char *table, const char *folder,
                        const char *columns, const char *expected)
{
    const char *by_table =
        lake_text(lake, firn_arena_printf(lake->arena, "SELECT %s FROM %s", columns, table));
    const char *by_folder = lake_text(
        lake, firn_arena_printf(lake->arena, "SELECT %s FROM read_parquet('%s/%s/**/*.parquet')",
                                columns, lake->root, folder));
    if (!firn_streq(by_table, expected) || !firn_streq(by_folder, expected)) {
        fail_msg("%s: %s has %s and its folders %s, not %s", what, table, by_table, by_folder,
                 expected);
    }
}

/* Nothing but Parquet files under their folders, and _metadata.json. */
static void expect_clean_tree(lake_fixture *lake, const char *what)
{
    const char *left = lake_text(
        lake,
        firn_arena_printf(
            lake->arena,
            "SELECT string_agg(file, ' ') FROM (SELECT file FROM glob('%s/streams/**') "
            "UNION ALL SELECT file FROM glob('%s/tables/**')) WHERE NOT "
            "regexp_matches(file, '/(data|snapshot)_[0-9]{8}_[0-9]{6}[-_0-9]*[.]parquet$|/_metadata.json$')",
            lake->root, lake->root));
    if (!firn_streq(left, "NULL")) {
        fail_msg("%s: left in the folders: %s", what, left);
    }
}

static void expect_all_once(feeds_fixture *x, const char *what)
{
    lake_fixture *lake = x->f->lake;
    lake_open(lake);
    const char *expected = firn_arena_printf(lake->arena, "%d|%d|%d", AFTER, AFTER, AFTER - 1);
    expect_rows(lake, what, "streams.pay", "streams/pay", "count(*), count(DISTINCT id), max(id)",
                expected);
    const char *version = lake_text(lake, "SELECT max(version) FROM tables.totals");
    expect_rows(lake, what, "tables.totals",
                firn_arena_printf(lake->arena, "tables/totals/version=%s", version),
                "count(*), count(DISTINCT k), max(n)", expected);
    expect_rows(lake, what, "streams.old", "streams/old", "count(*), min(id)",
                firn_arena_printf(lake->arena, "%d|1", AFTER / 2));
    expect_clean_tree(lake, what);
    lake_close(lake);
}

/* ---- killed -------------------------------------------------------------------------------------------------------------- */

typedef struct point {
    char name[64];
    long times;
} point;

static size_t learn_points(feeds_fixture *x, point *points)
{
    firn_arena *arena = x->f->lake->arena;
    const char *file = firn_arena_printf(arena, "%s.count", x->f->lake->root);
    unlink(file);
    rewind_lake(x->f->lake);
    outcome clean = run_export(x->f, firn_arena_printf(arena, "FIRN_FAULT_COUNT=%s", file));
    if (clean.code != 0) {
        fail_msg("%s%s", clean.out, clean.err);
    }
    expect_all_once(x, "a clean export");
    size_t n = 0;
    size_t n_lines;
    char **lines = firn_str_split(arena, slurp(arena, file), '\n', &n_lines);
    for (size_t i = 0; i < n_lines && n < POINTS_MAX; i++) {
        n += sscanf(lines[i], "point %63s %ld", points[n].name, &points[n].times) == 2;
    }
    unlink(file);
    return n;
}

static void kill_at(feeds_fixture *x, const char *where)
{
    rewind_lake(x->f->lake);
    outcome killed =
        run_export(x->f, firn_arena_printf(x->f->lake->arena, "FIRN_FAULT_KILL=%s", where));
    if (killed.code != -SIGKILL) {
        fail_msg("%s: the export was not killed: %d %s", where, killed.code, killed.err);
    }
    outcome again = run_export(x->f, NULL);
    if (again.code != 0) {
        fail_msg("after a kill at %s: %s%s", where, again.out, again.err);
    }
    expect_all_once(x, where);
}

static void killed_at_every_point(void **state)
{
    static const char *const ours[] = {
        "export.open",         "export.batch", "export.before_commit",
        "export.after_commit", "tree.link",    "tree.metadata"};
    feeds_fixture *x = *state;
    point points[POINTS_MAX];
    size_t n = learn_points(x, points);
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++) {
            found += firn_streq(points[i].name, ours[k]);
        }
        print_message("# %s %ld\n", points[i].name, points[i].times);
        kill_at(x, firn_arena_printf(x->f->lake->arena, "%s:1", points[i].name));
        if (points[i].times > 1) {
            kill_at(x, firn_arena_printf(x->f->lake->arena, "%s:%ld", points[i].name,
                                         1 + points[i].times / 2));
            kill_at(
                x, firn_arena_printf(x->f->lake->arena, "%s:%ld", points[i].name, points[i].times));
        }
    }
    assert_int_equal(found, sizeof(ours) / sizeof(ours[0]));
}

/* ---- failing ---------------------------------------------------------------------------------------------------------------- */

static void fail_each(feeds_fixture *x, const char *code, const char *more, int step)
{
    enum { CLEAN_RUNS = 3, OPERATIONS_MAX = 600 };
    int clean = 0;
    int failed = 0;
    for (int n = 1; clean < CLEAN_RUNS && n < OPERATIONS_MAX; n += step) {
        const char *fault =
            firn_arena_printf(x->f->lake->arena, "FIRN_FAULT_FAIL=%d%s:%s", n, more, code);
        rewind_lake(x->f->lake);
        outcome run = run_export(x->f, fault);
        clean = run.code == 0 && run.err[0] == '\0' ? clean + 1 : 0;
        if (run.code != 0) {
            failed++;
            assert_int_equal(run.code, 1);
            outcome again = run_export(x->f, NULL);
            if (again.code != 0) {
                fail_msg("after %s: %s%s", fault, again.out, again.err);
            }
        }
        expect_all_once(x, fault);
    }
    assert_true(clean == CLEAN_RUNS);
    assert_true(failed > 0);
    print_message("# %s: %d exports failed\n", code, failed);
}

static void every_operation_fails_once(void **state)
{
    fail_each(*state, "io", "", 2);
}

static void every_outcome_is_unknown_once(void **state)
{
    fail_each(*state, "unknown", "", 7);
}

/* From the n-th operation on there is no space. */
static void the_disk_is_full(void **state)
{
    fail_each(*state, "nospace", "+", 5);
}

#define F(name) cmocka_unit_test_setup_teardown(name, export_fault_setup, export_fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        F(killed_at_every_point),
        F(every_operation_fails_once),
        F(every_outcome_is_unknown_once),
        F(the_disk_is_full),
    };
    use_fast_scratch();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
