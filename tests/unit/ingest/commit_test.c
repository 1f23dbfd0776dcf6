/* One commit of a feed: the offsets decide, all tables or none, and what a loser may and must not do. */
#include "ingest/commit.h"

#include "../engine/lake_fixture.h"

#include <pthread.h>

static const firn_ident orders = {.ns = "bronze", .name = "orders"};
static const firn_ident dead = {.ns = "bronze", .name = "orders__dead_letters"};

static int setup(void **state)
{
    lake_setup(state);
    lake_fixture *f = *state;
    lake_exec(f, "CREATE SCHEMA bronze; CREATE TABLE bronze.orders (id BIGINT);"
                 "CREATE TABLE bronze.orders__dead_letters (error VARCHAR)");
    return 0;
}

/* Nothing here reads a data file, so none is written. */
static firn_data_file file_of(firn_arena *arena, const char *name, int64_t rows)
{
    return (firn_data_file){
        .path = firn_arena_printf(arena, "file:///nowhere/%s.parquet", name),
        .format = "PARQUET",
        .record_count = rows,
        .file_size_bytes = 1000,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
}

typedef struct attempt {
    firn_feed_range range;
    int64_t rows;
    bool with_dead;
    const char *cluster, *uuid;
    firn_feed_outcome outcome;
    const char *why;
    firn_err err;
} attempt;

static firn_rc commit(lake_fixture *f, firn_arena *arena, attempt *a)
{
    const char *name =
        firn_arena_printf(arena, "%d-%lld", (int)a->range.partition, (long long)a->range.from);
    firn_data_file rows = file_of(arena, name, a->rows);
    firn_data_file bad = file_of(arena, firn_arena_printf(arena, "dead-%s", name), 1);
    const firn_feed_part parts[] = {
        {.ident = orders,
         .files = &rows,
         .n_files = a->rows > 0,
         .schema_id = 0,
         .table_uuid = a->uuid},
        {.ident = dead, .files = &bad, .n_files = 1, .schema_id = 0},
    };
    const firn_feed_commit c = {
        .feed = "orders",
        .ref = "main",
        .cluster = a->cluster,
        .ranges = &a->range,
        .n_ranges = 1,
        .parts = parts,
        .n_parts = a->with_dead ? 2 : 1,
    };
    return firn_feed_commit_run(f->lake, arena, &c, &a->outcome, &a->why, &a->err);
}

static const char *property(lake_fixture *f, firn_ident ident, const char *name)
{
    firn_table table;
    firn_err err = {0};
    lake_check(
        firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, "main", ident, &table, &err),
        &err, "load");
    return firn_metadata_property(table.metadata, name, "");
}

static const char *snapshots(lake_fixture *f)
{
    return lake_text(f,
                     "SELECT count(*), coalesce(sum((summary['added-records'])::BIGINT), 0) FROM "
                     "bronze.orders.snapshots");
}

static void rows_and_offsets_come_together(void **state)
{
    lake_fixture *f = *state;
    attempt first = {.range = {"orders", 0, 0, 10, true}, .rows = 10};
    lake_check(commit(f, f->arena, &first), &first.err, "commit");
    assert_int_equal(first.outcome, FIRN_FEED_COMMITTED);
    assert_string_equal(property(f, orders, "firn.offsets.orders"), "{\"orders\":{\"0\":10}}");
    attempt other = {.range = {"orders", 10, 5, 7, true}, .rows = 2};
    lake_check(commit(f, f->arena, &other), &other.err, "commit");
    attempt next = {.range = {"orders", 0, 10, 11, false}, .rows = 1};
    lake_check(commit(f, f->arena, &next), &next.err, "commit");
    assert_string_equal(property(f, orders, "firn.offsets.orders"),
                        "{\"orders\":{\"0\":11,\"10\":7}}");
    assert_string_equal(snapshots(f), "3|13");
}

static void other_offsets_are_refused(void **state)
{
    lake_fixture *f = *state;
    attempt first = {.range = {"orders", 0, 0, 10, true}, .rows = 10};
    lake_check(commit(f, f->arena, &first), &first.err, "commit");
    attempt cases[] = {
        {.range = {"orders", 0, 0, 10, true}, .rows = 10},  /* the same again */
        {.range = {"orders", 0, 5, 20, false}, .rows = 15}, /* behind */
        {.range = {"orders", 0, 11, 20, false}, .rows = 9}, /* a hole */
        {.range = {"orders", 1, 7, 20, false}, .rows = 13}, /* it held 7 once, it says */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lake_check(commit(f, f->arena, &cases[i]), &cases[i].err, "commit");
        assert_int_equal(cases[i].outcome, FIRN_FEED_REFUSED);
        assert_non_null(cases[i].why);
    }
    lake_contains(cases[1].why, "the records from 5 of partition 0 of orders: the table holds 10");
    assert_string_equal(snapshots(f), "1|10");
}

static void dead_letters_come_in_the_same_commit(void **state)
{
    lake_fixture *f = *state;
    attempt first = {.range = {"orders", 0, 0, 10, true}, .rows = 9, .with_dead = true};
    lake_check(commit(f, f->arena, &first), &first.err, "commit");
    assert_string_equal(property(f, dead, "firn.offsets.orders"), "{\"orders\":{\"0\":10}}");
    lake_expect(f, "SELECT count(*) FROM bronze.orders__dead_letters.snapshots", "1");
    attempt again = {.range = {"orders", 0, 0, 10, true}, .rows = 9, .with_dead = true};
    lake_check(commit(f, f->arena, &again), &again.err, "commit");
    assert_int_equal(again.outcome, FIRN_FEED_REFUSED);
    lake_expect(f, "SELECT count(*) FROM bronze.orders__dead_letters.snapshots", "1");
}

/* Tombstones, or nothing but bad records: the offsets move, no snapshot is made. */
static void offsets_move_without_rows(void **state)
{
    lake_fixture *f = *state;
    attempt first = {.range = {"orders", 0, 0, 10, true}};
    lake_check(commit(f, f->arena, &first), &first.err, "commit");
    assert_string_equal(property(f, orders, "firn.offsets.orders"), "{\"orders\":{\"0\":10}}");
    assert_string_equal(snapshots(f), "0|0");
}

static void another_cluster_is_an_error(void **state)
{
    lake_fixture *f = *state;
    attempt first = {.range = {"orders", 0, 0, 10, true}, .rows = 10, .cluster = "A"};
    lake_check(commit(f, f->arena, &first), &first.err, "commit");
    attempt other = {.range = {"orders", 0, 10, 12, false}, .rows = 2, .cluster = "B"};
    assert_int_equal(commit(f, f->arena, &other), FIRN_E_CONFIG);
    lake_contains(other.err.message, "from Kafka cluster A, and this is cluster B");
    lake_contains(other.err.message, "firn ingest resume orders");
    assert_string_equal(snapshots(f), "1|10");
}

static void a_table_made_anew_is_an_error(void **state)
{
    lake_fixture *f = *state;
    attempt a = {.range = {"orders", 0, 0, 10, true},
                 .rows = 10,
                 .uuid = "00000000-0000-4000-8000-000000000000"};
    assert_int_equal(commit(f, f->arena, &a), FIRN_E_NO_TABLE);
    lake_contains(a.err.message, "dropped and made anew");
    lake_exec(f, "DROP TABLE bronze.orders");
    attempt gone = {.range = {"orders", 0, 0, 10, true}, .rows = 10};
    assert_int_equal(commit(f, f->arena, &gone), FIRN_E_NO_TABLE);
}

/* ---- races --------------------------------------------------------------------------------------------- */

typedef struct racer {
    lake_fixture *f;
    int32_t partition;
    int committed, refused, failed;
} racer;

enum { RACE_COMMITS = 10 };

/* Writes [0, 10), [10, 20), ... of its partition, as a feed would that nobody tells of the others. */
static void *race(void *ctx)
{
    racer *r = ctx;
    for (int i = 0; i < RACE_COMMITS; i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        attempt a = {.range = {"orders", r->partition, 10 * i, 10 * i + 10, i == 0}, .rows = 10};
        firn_rc rc = commit(r->f, arena, &a);
        if (rc == FIRN_E_CONFLICT) {
            i--;
            continue;
        }
        r->failed += rc != FIRN_OK;
        r->committed += rc == FIRN_OK && a.outcome == FIRN_FEED_COMMITTED;
        r->refused += rc == FIRN_OK && a.outcome == FIRN_FEED_REFUSED;
    }
    return NULL;
}

static void run_race(racer *a, racer *b)
{
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, race, a), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, race, b), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void two_of_different_partitions_both_succeed(void **state)
{
    lake_fixture *f = *state;
    racer a = {.f = f, .partition = 0};
    racer b = {.f = f, .partition = 1};
    run_race(&a, &b);
    assert_int_equal(a.committed, RACE_COMMITS);
    assert_int_equal(b.committed, RACE_COMMITS);
    assert_string_equal(snapshots(f), "20|200");
    assert_string_equal(property(f, orders, "firn.offsets.orders"),
                        "{\"orders\":{\"0\":100,\"1\":100}}");
}

static void of_two_of_the_same_partition_one_is_refused(void **state)
{
    lake_fixture *f = *state;
    racer a = {.f = f};
    racer b = {.f = f};
    run_race(&a, &b);
    assert_int_equal(a.failed + b.failed, 0);
    assert_int_equal(a.committed + b.committed, RACE_COMMITS);
    assert_int_equal(a.refused + b.refused, RACE_COMMITS);
    assert_string_equal(snapshots(f), "10|100");
}

/* ---- the outcome cannot be told ---------------------------------------------------------------------------- */

static void every_failing_operation_leaves_all_or_nothing(void **state)
{
    lake_fixture *f = *state;
    int64_t next = 0;
    int failed = 0;
    for (int n = 1; n < 60; n++) {
        attempt a = {
            .range = {"orders", 0, next, next + 1, next == 0}, .rows = 1, .with_dead = true};
        setenv("FIRN_FAULT_FAIL", firn_arena_printf(f->arena, "%d:%s", n, n % 2 ? "io" : "unknown"),
               1);
        firn_fault_reload();
        firn_rc rc = commit(f, f->arena, &a);
        unsetenv("FIRN_FAULT_FAIL");
        firn_fault_reload();
        bool landed = rc == FIRN_OK && a.outcome == FIRN_FEED_COMMITTED;
        failed += !landed;
        next += landed;
        const char *expected =
            next > 0 ? firn_arena_printf(f->arena, "{\"orders\":{\"0\":%d}}", (int)next) : "";
        assert_string_equal(property(f, orders, "firn.offsets.orders"), expected);
        assert_string_equal(property(f, dead, "firn.offsets.orders"), expected);
        assert_string_equal(snapshots(f),
                            firn_arena_printf(f->arena, "%d|%d", (int)next, (int)next));
    }
    assert_in_range(failed, 5, 55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_and_offsets_come_together, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(other_offsets_are_refused, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(dead_letters_come_in_the_same_commit, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(offsets_move_without_rows, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(another_cluster_is_an_error, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(a_table_made_anew_is_an_error, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(two_of_different_partitions_both_succeed, setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(of_two_of_the_same_partition_one_is_refused, setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(every_failing_operation_leaves_all_or_nothing, setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
