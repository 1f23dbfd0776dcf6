/* A feed that is killed at every named point, and whose every operation fails once: afterwards each record is in the table once.
 *
 * And one whose rows are more than a block: the file that they go into stays open, and what was in it when it fails must be read again.
 *
 * The brokers are librdkafka's mock in this process; the feed is the binary. Each run has a consumer group of its own, so that nobody
 * waits for the group to notice that the last one is dead: a feed's place is in its table.
 */
#include "harness.h"

#include "../unit/ingest/feed_fixture.h"

enum { PARTITIONS = 2, BEFORE = 60, AFTER = 120, POINTS_MAX = 64 };

/* How often a point is passed depends on how the records come. The fewest of so many runs count, and a run that was not killed is made again. */
enum { CLEAN_COUNTS = 3, KILL_TRIES = 10 };

/* Records that are long, of nothing that packs: blocks are 4 MB. The mock keeps 5 MB of a partition. */
enum { LONG_PARTITIONS = 6, LONG_RECORDS = 2400, LONG_BYTES = 8000 };

static int n_groups;
static const char *feed_options = "commit: {every: 200ms}\n";

static void write_feed(feed_fixture *f)
{
    feed_file(f, "orders",
              firn_arena_printf(f->lake->arena,
                                "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
                                "%sgroup: g%d\n",
                                feed_options, n_groups++));
}

static outcome run_feed(feed_fixture *f, const char *env)
{
    const char *const args[] = {"ingest", "run", "orders", "--drain",
                                NULL}; /* says when it waits */
    write_feed(f);
    const firn_call call = {.root = f->lake->root, .args = args, .env = {env}};
    return call_firn(f->lake->arena, &call);
}

/* A table with some records and a bad one, and a topic with more of both. */
static int ingest_setup(void **state)
{
    feed_setup(state);
    feed_fixture *f = *state;
    topic(f, "orders", PARTITIONS);
    produce_ids(f, "orders", PARTITIONS, 0, BEFORE);
    lake_close(f->lake);
    assert_int_equal(run_feed(f, NULL).code, 0);
    lake_open(f->lake);
    save_lake(f->lake);
    produce(f, "orders", 0, "no json");
    produce_ids(f, "orders", PARTITIONS, BEFORE, AFTER);
    return 0;
}

static int ingest_teardown(void **state)
{
    feed_fixture *f = *state;
    shell(f->lake->arena, firn_arena_printf(f->lake->arena, "rm -rf %s.saved", f->lake->root));
    return feed_teardown(state);
}

static void assert_each_record_once(feed_fixture *f, const char *what)
{
    lake_fixture *lake = f->lake;
    lake_open(lake);
    const char *rows =
        lake_text(lake, "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM bronze.orders");
    const char *letters =
        lake_text(lake, "SELECT count(*), max(decode(value)) FROM bronze.orders__dead_letters");
    const char *expected = firn_arena_printf(lake->arena, "%d|%d|0|%d", AFTER, AFTER, AFTER - 1);
    if (!firn_streq(rows, expected) || !firn_streq(letters, "1|no json")) {
        fail_msg("%s: the table has %s, not %s; dead letters %s", what, rows, expected, letters);
    }
}

/* ---- killed ------------------------------------------------------------------------------------------------- */

typedef struct point {
    char name[64];
    long times;
} point;

static size_t count_points(feed_fixture *f, point *points)
{
    firn_arena *arena = f->lake->arena;
    const char *file = firn_arena_printf(arena, "%s.count", f->lake->root);
    unlink(file);
    rewind_lake(f->lake);
    outcome clean = run_feed(f, firn_arena_printf(arena, "FIRN_FAULT_COUNT=%s", file));
    assert_int_equal(clean.code, 0);
    size_t n = 0;
    size_t n_lines;
    char **lines = firn_str_split(arena, slurp(arena, file), '\n', &n_lines);
    for (size_t i = 0; i < n_lines && n < POINTS_MAX; i++) {
        n += sscanf(lines[i], "point %63s %ld", points[n].name, &points[n].times) == 2;
    }
    unlink(file);
    return n;
}

/* `check` looks at what a clean run left. */
static size_t learn_points(feed_fixture *f, point *points,
                           void (*check)(feed_fixture *f, const char *what))
{
    size_t n = count_points(f, points);
    check(f, "a clean run");
    for (int run = 1; run < CLEAN_COUNTS; run++) {
        point others[POINTS_MAX];
        size_t n_others = count_points(f, others);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n_others; k++) {
                bool fewer =
                    firn_streq(points[i].name, others[k].name) && others[k].times < points[i].times;
                points[i].times = fewer ? others[k].times : points[i].times;
            }
        }
    }
    return n;
}

/* Runs the feed until it was killed there. */
static void run_killed(feed_fixture *f, const char *where)
{
    const char *kill = firn_arena_printf(f->lake->arena, "FIRN_FAULT_KILL=%s", where);
    outcome killed = {0};
    for (int i = 0; i < KILL_TRIES && killed.code != -SIGKILL; i++) {
        rewind_lake(f->lake);
        killed = run_feed(f, kill);
    }
    if (killed.code != -SIGKILL) {
        fail_msg("%s: the feed was not killed: %d %s", where, killed.code, killed.err);
    }
}

static void kill_at(feed_fixture *f, const char *where)
{
    run_killed(f, where);
    outcome again = run_feed(f, NULL);
    if (again.code != 0) {
        fail_msg("after a kill at %s: %s", where, again.err);
    }
    assert_each_record_once(f, where);
}

static void killed_at_every_point(void **state)
{
    static const char *const ours[] = {"ingest.files_written", "ingest.before_commit",
                                       "ingest.after_commit"};
    feed_fixture *f = *state;
    point points[POINTS_MAX];
    size_t n = learn_points(f, points, assert_each_record_once);
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++) {
            found += firn_streq(points[i].name, ours[k]);
        }
        print_message("# %s\n", points[i].name);
        kill_at(f, firn_arena_printf(f->lake->arena, "%s:1", points[i].name));
        if (points[i].times > 1) {
            kill_at(f, firn_arena_printf(f->lake->arena, "%s:%ld", points[i].name,
                                         1 + points[i].times / 2));
        }
    }
    assert_int_equal(found, sizeof(ours) / sizeof(ours[0]));
}

/* ---- failing -------------------------------------------------------------------------------------------------- */

/* What fails once is waited for and tried again: the feed itself gets through. Only an outcome that is unknown may end it. */
static void every_operation_fails_once(void **state)
{
    enum {
        STEP = 2,
        CLEAN_RUNS = 3,
        OPERATIONS_MAX = 400
    }; /* odd numbers: io and unknown in turn */
    feed_fixture *f = *state;
    int clean = 0;
    int failed = 0;
    int runs = 0;
    for (int n = 1; clean < CLEAN_RUNS && n < OPERATIONS_MAX; n += STEP) {
        const char *code = n % 4 == 1 ? "io" : "unknown";
        const char *fault = firn_arena_printf(f->lake->arena, "FIRN_FAULT_FAIL=%d:%s", n, code);
        rewind_lake(f->lake);
        outcome run = run_feed(f, fault);
        runs++;
        if (run.code != 0) {
            failed++;
            assert_one_clear_error(f->lake->arena, &run);
            assert_int_equal(run_feed(f, NULL).code, 0);
        }
        clean = strstr(run.err, " waits: ") == NULL && run.code == 0 ? clean + 1 : 0;
        assert_each_record_once(f, fault);
    }
    assert_true(clean == CLEAN_RUNS);
    print_message("# %d runs, of which %d ended with an error\n", runs, failed);
    assert_true(runs > 20);
}

/* ---- a file that stays open ------------------------------------------------------------------------------------- */

static void produce_long(feed_fixture *f)
{
    char pad[LONG_BYTES + 1] = {0};
    uint64_t x = 1;
    for (int i = 0; i < LONG_RECORDS; i++) {
        for (int k = 0; k < LONG_BYTES; k++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
            pad[k] = (char)('0' + (x >> 33) % 75);
            pad[k] = pad[k] == '\\' ? 'z' : pad[k];
        }
        produce(f, "orders", i % LONG_PARTITIONS,
                firn_arena_printf(f->lake->arena, "{\"id\":%d,\"pad\":\"%s\"}", i, pad));
    }
    assert_int_equal(rd_kafka_flush(f->producer, 30000), 0);
}

static int long_setup(void **state)
{
    feed_setup(state);
    feed_fixture *f = *state;
    feed_options =
        "commit: {every: 60s}\nproperties: {write.parquet.row-group-size-bytes: '1000000'}\n";
    topic(f, "orders", LONG_PARTITIONS);
    produce_long(f);
    save_lake(f->lake);
    return 0;
}

static void assert_each_long_once(feed_fixture *f, const char *what)
{
    lake_open(f->lake);
    const char *rows = lake_text(
        f->lake, "SELECT count(*), count(DISTINCT id), min(length(pad)) FROM bronze.orders");
    const char *expected =
        firn_arena_printf(f->lake->arena, "%d|%d|%d", LONG_RECORDS, LONG_RECORDS, LONG_BYTES);
    if (!firn_streq(rows, expected)) {
        fail_msg("%s: the table has %s, not %s", what, rows, expected);
    }
}

static void an_open_file_fails_or_dies(void **state)
{
    feed_fixture *f = *state;
    firn_arena *arena = f->lake->arena;
    point points[POINTS_MAX];
    size_t n = learn_points(f, points, assert_each_long_once);
    long writes = 0;
    for (size_t i = 0; i < n; i++) {
        writes = firn_streq(points[i].name, "storage.write") ? points[i].times : writes;
    }
    assert_true(writes >= 8); /* row groups before the end */
    for (int eighth = 1; eighth <= 8; eighth++) {
        const char *where = firn_arena_printf(arena, "storage.write:%ld", writes * eighth / 8);
        run_killed(f, where);
        assert_int_equal(run_feed(f, NULL).code, 0);
        assert_each_long_once(f, where);
    }
}

/* The operations of all kinds, of which most are writes to the open file. */
static void an_open_file_is_read_again(void **state)
{
    feed_fixture *f = *state;
    int waited = 0;
    for (int n = 5; n < 80; n += 7) {
        const char *fault = firn_arena_printf(f->lake->arena, "FIRN_FAULT_FAIL=%d:%s", n,
                                              n % 2 == 1 ? "io" : "nospace");
        rewind_lake(f->lake);
        outcome run = run_feed(f, fault);
        if (run.code != 0) {
            assert_one_clear_error(f->lake->arena, &run);
            assert_int_equal(run_feed(f, NULL).code, 0);
        }
        waited += strstr(run.err, " waits: ") != NULL && run.code == 0;
        assert_each_long_once(f, fault);
    }
    assert_true(waited > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_every_point, ingest_setup, ingest_teardown),
        cmocka_unit_test_setup_teardown(every_operation_fails_once, ingest_setup, ingest_teardown),
        cmocka_unit_test_setup_teardown(an_open_file_fails_or_dies, long_setup, ingest_teardown),
        cmocka_unit_test_setup_teardown(an_open_file_is_read_again, long_setup, ingest_teardown),
    };
    use_fast_scratch();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
