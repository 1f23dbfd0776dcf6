/* Procedures: rollbacks, cherry-picks, publishing, fast-forward, registration. */
#include "lake_fixture.h"

#include "base/time.h"

static const firn_table *table_of(lake_fixture *f, const char *name)
{
    firn_table *table = FIRN_NEW(f->arena, firn_table);
    firn_err err = {0};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena,
                                       firn_session_ref(f->session),
                                       (firn_ident){.ns = "default", .name = name}, table, &err),
               &err, name);
    return table;
}

/* Id of the table's n-th snapshot, by time. */
static long long snapshot(lake_fixture *f, const char *name, size_t n)
{
    const firn_metadata *metadata = table_of(f, name)->metadata;
    assert_true(n < metadata->n_snapshots);
    return (long long)metadata->snapshots[n].snapshot_id;
}

#define lake_format(f, ...) firn_arena_printf((f)->arena, __VA_ARGS__)

static void three_snapshots(lake_fixture *f)
{
    lake_exec(f, "create table t (a int); insert into t values (1); insert into t values (2);"
                 "insert into t values (3)");
}

static void a_table_rolls_back(void **state)
{
    lake_fixture *f = *state;
    three_snapshots(f);
    long long first = snapshot(f, "t", 0);
    long long last = snapshot(f, "t", 2);
    lake_expect(f, lake_format(f, "call rollback_to_snapshot('t', %lld)", first),
                lake_format(f, "%lld|%lld", last, first));
    lake_expect(f, "select count(*) from t", "1");
    lake_fails(f, lake_format(f, "call rollback_to_snapshot('t', %lld)", last),
               FIRN_E_VALIDATION); /* no ancestor any more */
    lake_exec(f, lake_format(f,
                             "call system.set_current_snapshot(snapshot_id => %lld, table => "
                             "'default.t')",
                             last));
    lake_expect(f, "select count(*) from t", "3");
    lake_expect(
        f, lake_format(f, "call ancestors_of('t', %lld)", first),
        lake_format(
            f, "%lld|%s", first,
            strchr(lake_text(f, lake_format(f, "call ancestors_of('t', %lld)", first)), '|') + 1));
    lake_contains(lake_text(f, "call ancestors_of('t')"), lake_format(f, "\n%lld|", first));
}

static void a_table_rolls_back_in_time(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int); insert into t values (1)");
    usleep(5000);
    long long between = table_of(f, "t")->metadata->snapshots[0].timestamp_ms + 2;
    lake_exec(f, "insert into t values (2)");
    lake_exec(f, lake_format(f, "call rollback_to_timestamp('t', timestamp '%s')",
                             firn_format_timestamp(f->arena, between * 1000, false)));
    lake_expect(f, "select a from t", "1");
    lake_contains(
        lake_fails(f, "call rollback_to_timestamp('t', '2001-01-01')", FIRN_E_NO_SNAPSHOT), "2001");
    lake_fails(f, "call rollback_to_timestamp('t', 'yesterday')", FIRN_E_TYPE);
}

static void appends_are_picked_onto_another_head(void **state)
{
    lake_fixture *f = *state;
    three_snapshots(f);
    long long first = snapshot(f, "t", 0);
    long long last = snapshot(f, "t", 2);
    lake_exec(f, lake_format(f, "call rollback_to_snapshot('t', %lld)", first));
    lake_exec(f, "insert into t values (10)");
    lake_contains(lake_text(f, lake_format(f, "call cherrypick_snapshot('t', %lld)", last)),
                  lake_format(f, "%lld|", last));
    lake_expect(f, "select a from t order by a", "1\n3\n10");
    lake_fails(f, lake_format(f, "call cherrypick_snapshot('t', %lld)", first), FIRN_E_VALIDATION);
    lake_fails(f, "call publish_changes('t', 'w1')", FIRN_E_NO_SNAPSHOT);
}

/* What an engine does that writes under a WAP id: the snapshot is added, no branch moves. */
static firn_rc build_staged(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                            json_t *requirements, firn_err *err)
{
    lake_fixture *f = ctx;
    firn_catalog *catalog = firn_lake_catalog(f->lake);
    const firn_metadata *other = table_of(f, "u")->metadata;
    firn_scan *scan = NULL;
    firn_scan_task *tasks = NULL;
    size_t n = 0;
    firn_snapshot_result result;
    firn_scan_options options = {.storage = firn_catalog_storage(catalog),
                                 .metadata = other,
                                 .snapshot = other->current_snapshot,
                                 .schema = other->schema,
                                 .with_metrics = true};
    FIRN_TRY(firn_scan_open(arena, &options, &scan, err));
    FIRN_TRY(firn_scan_all(scan, &tasks, &n, err));
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = tasks[0].file,
        .n_added = 1,
        .stage_only = true,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = firn_json_own(arena, json_pack("{s:s}", "wap.id", "w1"))};
    return firn_snapshot_produce(firn_catalog_storage(catalog), firn_catalog_manifests(catalog),
                                 arena, base->metadata, &change, updates, requirements, &result,
                                 err);
}

static void staged_snapshots_are_published(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_commit_result result;
    lake_exec(f, "create table t (a int); insert into t values (1);"
                 "create table u (a int); insert into u values (7)");
    firn_table_builder builder = {
        .ident = {.ns = "default", .name = "t"}, .build = build_staged, .ctx = f};
    lake_check(firn_catalog_commit_tables(firn_lake_catalog(f->lake), f->arena, NULL, &builder, 1,
                                          NULL, &result, &err),
               &err, "stage");
    lake_expect(f, "select a from t", "1");
    lake_exec(f, "insert into t values (2)"); /* so that publishing is no fast-forward */
    lake_fails(f, "call publish_changes('t', 'w2')", FIRN_E_NO_SNAPSHOT);
    lake_contains(lake_text(f, "call publish_changes(table => 't', wap_id => 'w1')"), "|");
    lake_expect(f, "select a from t order by a", "1\n2\n7");
    lake_contains(lake_fails(f, "call publish_changes('t', 'w1')", FIRN_E_VALIDATION), "before");
}

static void branches_of_a_table_fast_forward(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int); insert into t values (1);"
                 "alter table t create branch audit retain 7 days; insert into t values (2)");
    long long first = snapshot(f, "t", 0);
    long long last = snapshot(f, "t", 1);
    lake_fails(f, "call fast_forward('t', 'main', 'audit')", FIRN_E_VALIDATION);
    lake_expect(f, "call fast_forward('t', 'audit', 'main')",
                lake_format(f, "audit|%lld|%lld", first, last));
    assert_int_equal(firn_metadata_ref(table_of(f, "t")->metadata, "audit")->max_ref_age_ms,
                     7LL * 86400000);
    lake_expect(f, "call fast_forward('t', 'fresh', 'main')",
                lake_format(f, "fresh|NULL|%lld", last));
    lake_contains(lake_fails(f, "call fast_forward('t', 'x', 'mian')", FIRN_E_NO_REF),
                  "Did you mean main?");
    lake_exec(f, "call set_current_snapshot(table => 't', ref => 'audit')");
    lake_expect(f, "select count(*) from t", "2");
}

static void metadata_files_are_registered(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int); insert into t values (1), (2)");
    const char *location = table_of(f, "t")->entry.location;
    long long id = snapshot(f, "t", 0);
    lake_exec(f, "drop table t; create schema s");
    lake_expect(f, lake_format(f, "call register_table('s.again', '%s')", location),
                lake_format(f, "%lld|2|1", id));
    lake_expect(f, "select count(*) from s.again", "2");
    lake_fails(f, lake_format(f, "call register_table('s.again', '%s')", location), FIRN_E_EXISTS);
    lake_fails(f, "call register_table('s.x', '/nowhere/v1.metadata.json')", FIRN_E_NOT_FOUND);
}

static void arguments_are_checked(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int); insert into t values (1)");
    static const struct {
        const char *sql;
        firn_rc code;
        const char *part;
    } rows[] = {
        {"call rollback_to_snapsot('t', 1)", FIRN_E_NOT_FOUND,
         "Did you mean rollback_to_snapshot?"},
        {"call nothing()", FIRN_E_NOT_FOUND, "firn has rollback_to_snapshot"},
        {"call expire_snapshots('t')", FIRN_E_UNSUPPORTED, "firn maintain expire"},
        {"call rewrite_manifests('t')", FIRN_E_UNSUPPORTED, "it has rollback_to_snapshot"},
        {"call other.rollback_to_snapshot('t', 1)", FIRN_E_NOT_FOUND, "system"},
        {"call rollback_to_snapshot('t')", FIRN_E_INVALID, "needs the argument snapshot_id"},
        {"call rollback_to_snapshot('t', 1, 2)", FIRN_E_INVALID, "takes 2 arguments"},
        {"call rollback_to_snapshot('t', 'x')", FIRN_E_TYPE, "whole number"},
        {"call rollback_to_snapshot('t', 1)", FIRN_E_NO_SNAPSHOT, "1"},
        {"call rollback_to_snapshot('nothing', 1)", FIRN_E_NO_TABLE, "nothing"},
        {"call rollback_to_snapshot(tabel => 't', snapshot_id => 1)", FIRN_E_INVALID,
         "Did you mean table?"},
        {"call rollback_to_snapshot(table => 't', table => 't')", FIRN_E_INVALID, "twice"},
        {"call rollback_to_snapshot(table => 't', 1)", FIRN_E_SYNTAX, "name => value"},
        {"call rollback_to_snapshot('t' 1)", FIRN_E_SYNTAX, "line 1, column 31"},
        {"call rollback_to_snapshot('t', a + b)", FIRN_E_SYNTAX, "a value"},
        {"call rollback_to_snapshot('t; drop', 1)", FIRN_E_SYNTAX, "table name"},
        {"call set_current_snapshot('t')", FIRN_E_INVALID, "either"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lake_contains(lake_fails(f, rows[i].sql, rows[i].code), rows[i].part);
    }
    lake_expect(f, "select count(*) from t", "1");
}

#define LAKE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAKE_TEST(a_table_rolls_back),
        LAKE_TEST(a_table_rolls_back_in_time),
        LAKE_TEST(appends_are_picked_onto_another_head),
        LAKE_TEST(staged_snapshots_are_published),
        LAKE_TEST(branches_of_a_table_fast_forward),
        LAKE_TEST(metadata_files_are_registered),
        LAKE_TEST(arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
