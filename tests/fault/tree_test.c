/* The folders of a feed: killed at every named point, and with every operation failing, of `firn feed tree`, `compact` and `retain`.
 *
 * Whatever happens, who reads the folders finds no row twice, no file in part and, while files are compacted, every row; and the
 * same command once more makes the folders what the table is.
 */
#include "harness.h"

#include "base/time.h"

#define MARKER "Malewitsch"

typedef struct point {
    char name[64];
    long times;
} point;

static const char feed_file[] =
    "{\"feed_name\": \"s\", \"feed_type\": \"stream\", \"ksqldb_source\": \"S\", \"partitioning\": "
    "{\"type\": \"date\", \"columns\": [\"year\", \"month\", \"day\"]}, \"storage_mode\": \"append\", "
    "\"format\": \"parquet\", \"retention_days\": 365, \"enabled\": true, \"table\": \"streams.s\"}";

static const char *const tree_args[] = {"feed", "tree", "s", NULL};
static const char *const compact_args[] = {"feed", "compact", "s", NULL};
static const char *const retain_args[] = {"feed", "retain", "s", NULL};

static outcome run(lake_fixture *f, const char *const *args, const char *env)
{
    return call_firn(f->arena, &(firn_call){.root = f->root, .args = args, .env = {env}});
}

static void run_well(lake_fixture *f, const char *const *args)
{
    outcome done = run(f, args, NULL);
    if (done.code != 0) {
        fail_msg("firn feed %s: %d %s", args[1], done.code, done.err);
    }
}

/* Two recent days of several files, and one that is due. */
static int tree_setup(void **state)
{
    use_fast_scratch();
    lake_setup(state);
    lake_fixture *f = *state;
    firn_civil today;
    firn_civil_from_us(firn_now_us(), &today);
    put_into_lake(f, "feeds/active", "s.json", feed_file);
    lake_exec(f,
              "CREATE SCHEMA streams; CREATE TABLE streams.s (id BIGINT, note VARCHAR, year INT, "
              "month INT, day INT) PARTITIONED BY (year, month, day) "
              "WITH ('firn.write.partition-columns'='false', "
              "'write.parquet.compression-codec'='uncompressed')");
    for (int i = 0; i < 3; i++) {
        lake_exec(f,
                  firn_arena_printf(f->arena,
                                    "INSERT INTO streams.s VALUES (%d, 'a', %d, 1, 1), (%d, 'b', "
                                    "%d, 1, 2), (%d, '" MARKER "', %d, 1, 1)",
                                    i * 10 + 1, today.year, i * 10 + 2, today.year, i * 10 + 3,
                                    today.year - 3));
    }
    return 0;
}

static const char *folder_query(lake_fixture *f, const char *columns)
{
    return firn_arena_printf(f->arena,
                             "SELECT %s FROM read_parquet('%s/streams/s/**/*.parquet', "
                             "hive_partitioning = true)",
                             columns, f->root);
}

static bool has_folders(lake_fixture *f)
{
    return !firn_streq(lake_text(f, firn_arena_printf(f->arena,
                                                      "SELECT count(*) FROM glob('%s/streams/s/**/"
                                                      "*.parquet')",
                                                      f->root)),
                       "0");
}

static const char *folder_ids(lake_fixture *f)
{
    return has_folders(f)
               ? lake_text(f, firn_arena_printf(f->arena, "%s ORDER BY ALL", folder_query(f, "id")))
               : "";
}

static const char *table_ids(lake_fixture *f)
{
    return lake_text(f, "SELECT id FROM streams.s ORDER BY 1");
}

static void check_no_row_twice(lake_fixture *f, const char *where)
{
    const char *twice =
        has_folders(f) ? lake_text(f, folder_query(f, "count(*) - count(DISTINCT id)")) : "0";
    if (!firn_streq(twice, "0")) {
        fail_msg("%s: %s rows are there twice:\n%s", where, twice, folder_ids(f));
    }
}

static size_t learn_points(lake_fixture *f, const char *const *args, point *points, size_t max,
                           long *operations)
{
    const char *file = firn_arena_printf(f->arena, "%s.count", f->root);
    unlink(file);
    rewind_lake(f);
    outcome clean = run(f, args, firn_arena_printf(f->arena, "FIRN_FAULT_COUNT=%s", file));
    assert_int_equal(clean.code, 0);
    size_t n = 0, n_lines;
    char **lines = firn_str_split(f->arena, slurp(f->arena, file), '\n', &n_lines);
    for (size_t i = 0; i < n_lines && n < max; i++) {
        n += sscanf(lines[i], "point %63s %ld", points[n].name, &points[n].times) == 2;
        if (sscanf(lines[i], "operations %ld", operations) == 1) {
            continue;
        }
    }
    unlink(file);
    return n;
}

/* The state between, then the same command again. */
static void check_after(lake_fixture *f, const char *const *args, const char *where,
                        bool keeps_rows, const char *before)
{
    lake_open(f);
    check_no_row_twice(f, where);
    if (keeps_rows) {
        assert_string_equal(folder_ids(f), before);
    }
    lake_close(f);
    run_well(f, args);
    lake_open(f);
    assert_string_equal(folder_ids(f), table_ids(f));
    check_no_row_twice(f, where);
}

static void check_erased(lake_fixture *f)
{
    const char *grep = firn_arena_printf(f->arena, "grep -rl '" MARKER "' %s >&2", f->root);
    assert_int_equal(WEXITSTATUS(system(grep)), 1);
}

static void kill_everywhere(lake_fixture *f, const char *const *args, const char *must_pass,
                            bool keeps_rows, bool erases)
{
    point points[64];
    long operations = 0;
    save_lake(f);
    const char *before = folder_ids(f);
    size_t n = learn_points(f, args, points, 64, &operations);
    bool passed = false;
    int n_died = 0;
    for (size_t i = 0; i < n; i++) {
        passed = passed || firn_streq(points[i].name, must_pass);
        for (long k = 1; k <= points[i].times; k++) {
            const char *where = firn_arena_printf(f->arena, "%s:%ld", points[i].name, k);
            lake_open(f); /* rewind closes it */
            rewind_lake(f);
            outcome died = run(f, args, firn_arena_printf(f->arena, "FIRN_FAULT_KILL=%s", where));
            n_died += died.code == -SIGKILL;
            check_after(f, args, where, keeps_rows, before);
            if (erases) {
                check_erased(f);
            }
            lake_close(f);
        }
    }
    lake_open(f);
    assert_true(passed);
    assert_true(n_died > 3);
}

static void fail_everywhere(lake_fixture *f, const char *const *args, bool keeps_rows, bool erases)
{
    point points[64];
    long operations = 0;
    save_lake(f);
    const char *before = folder_ids(f);
    learn_points(f, args, points, 64, &operations);
    int n_failed = 0;
    for (long k = 1; k <= operations; k++) {
        const char *where = firn_arena_printf(f->arena, "operation %ld of %ld", k, operations);
        lake_open(f);
        rewind_lake(f);
        outcome failed =
            run(f, args, firn_arena_printf(f->arena, "FIRN_FAULT_FAIL=%ld:nospace", k));
        n_failed += failed.code != 0;
        if (failed.code != 0) {
            assert_int_equal(failed.code, 1);
            assert_true(strstr(failed.err, "error: ") != NULL);
        }
        check_after(f, args, where, keeps_rows, before);
        if (erases) {
            check_erased(f);
        }
        lake_close(f);
    }
    lake_open(f);
    assert_true(n_failed > 3);
}

/* ---- tests ----------------------------------------------------------------------------------------------- */

static void folders_made(void **state)
{
    kill_everywhere(*state, tree_args, "tree.metadata", false, false);
}

static void folders_made_with_failures(void **state)
{
    fail_everywhere(*state, tree_args, false, false);
}

/* Days that gain files, in place. */
static void folders_grow(void **state)
{
    lake_fixture *f = *state;
    lake_close(f);
    run_well(f, tree_args);
    lake_open(f);
    lake_exec(f, "INSERT INTO streams.s SELECT id + 100, note, year, month, day FROM streams.s");
    kill_everywhere(f, tree_args, "tree.link", false, false);
}

static void compaction(void **state)
{
    lake_fixture *f = *state;
    lake_close(f);
    run_well(f, tree_args);
    lake_open(f);
    kill_everywhere(f, compact_args, "tree.exchange", true, false);
}

static void compaction_with_failures(void **state)
{
    lake_fixture *f = *state;
    lake_close(f);
    run_well(f, tree_args);
    lake_open(f);
    fail_everywhere(f, compact_args, true, false);
}

static void retention(void **state)
{
    lake_fixture *f = *state;
    lake_close(f);
    run_well(f, tree_args);
    lake_open(f);
    kill_everywhere(f, retain_args, "retain.committed", false, true);
}

static void retention_with_failures(void **state)
{
    lake_fixture *f = *state;
    lake_close(f);
    run_well(f, tree_args);
    lake_open(f);
    fail_everywhere(f, retain_args, false, true);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tree_setup, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(folders_made),
        T(folders_made_with_failures),
        T(folders_grow),
        T(compaction),
        T(compaction_with_failures),
        T(retention),
        T(retention_with_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
