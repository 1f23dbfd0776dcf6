/* Expiry on lakes: what goes off the disk, what stays, and who keeps it. */
#include "../engine/lake_fixture.h"

#include "maintain/maintain.h"

#include "base/time.h"

#include <pthread.h>

static const firn_ident table = {.ns = "s", .name = "t"};

static firn_expire_result expire(lake_fixture *f, firn_expire_options options)
{
    firn_expire_result result = {0};
    firn_err err = {0};
    options.ident = options.ident.ns != NULL ? options.ident : table;
    lake_check(firn_maintain_expire(f->session, f->arena, &options, &result, &err), &err, "expire");
    return result;
}

/* Everything but the newest. */
static firn_expire_options all_before_now(void)
{
    return (firn_expire_options){
        .ident = table, .older_than_us = firn_now_us() + 10 * 1000 * 1000, .keep_last = 1};
}

static int files_counted;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)ftw;
    files_counted += type == FTW_F && strstr(path, ".metadata.json") == NULL;
    return 0;
}

/* Files of the warehouse that are no metadata.json. */
static int files_of(lake_fixture *f)
{
    files_counted = 0;
    nftw(firn_path_join(f->arena, f->root, "warehouse"), count_file, 16, FTW_PHYS);
    return files_counted;
}

static const char *kept_text(lake_fixture *f, const firn_expire_result *result)
{
    return firn_str_join(f->arena, result->kept_by, result->n_kept_by, "; ");
}

static void set_up(lake_fixture *f)
{
    lake_exec(
        f, "create schema s; create table s.t as select i as id, i % 2 as g from range(100) r(i);"
           "insert into s.t select i, 0 from range(100, 150) r(i);"
           "delete from s.t where id < 50;"
           "insert into s.t values (1000, 7)");
}

static void deletes_what_only_old_snapshots_have(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    const char *rows = lake_text(f, "select * from s.t order by all");
    int before = files_of(f);
    firn_expire_options dry = all_before_now();
    dry.dry_run = true;
    firn_expire_result plan = expire(f, dry);
    assert_int_equal(files_of(f), before);
    lake_expect(f, "select count(*) from s.t$snapshots", "4");

    firn_expire_result result = expire(f, all_before_now());
    assert_int_equal(result.snapshots, 3);
    assert_int_equal(result.snapshots, plan.snapshots);
    assert_int_equal(result.files, plan.files);
    assert_int_equal(result.bytes, plan.bytes);
    assert_true(result.files >= 5); /* a data file that was rewritten, three lists, manifests */
    assert_true(result.bytes > 0);
    assert_int_equal(result.n_kept_by, 0);
    assert_int_equal(before - files_of(f), result.files);
    lake_reopen(f);
    lake_expect(f, "select * from s.t order by all", rows);
    lake_expect(f, "select count(*) from s.t$snapshots", "1");
    /* Data files, their manifests and one list: what is left is what the table has. */
    lake_expect(f,
                firn_arena_printf(f->arena,
                                  "select (select count(*) from s.t$files)"
                                  " + (select count(*) from s.t$manifests) + 1 - %d",
                                  files_of(f)),
                "0");
    result = expire(f, all_before_now());
    assert_int_equal(result.snapshots, 0);
    assert_int_equal(result.files, 0);
    lake_exec(f, "insert into s.t values (1, 1)");
}

static void by_default_nothing_young_goes(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    assert_int_equal(expire(f, (firn_expire_options){0}).snapshots, 0);
    firn_expire_options options = all_before_now();
    options.keep_last = 3;
    assert_int_equal(expire(f, options).snapshots, 1);
    lake_exec(f, "alter table s.t set properties ('history.expire.max-snapshot-age-ms' = '0',"
                 " 'history.expire.min-snapshots-to-keep' = '2')");
    assert_int_equal(expire(f, (firn_expire_options){0}).snapshots, 1);
    lake_expect(f, "select count(*) from s.t$snapshots", "2");
}

static void an_empty_table_has_nothing(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (id bigint)");
    firn_expire_result result = expire(f, all_before_now());
    assert_int_equal(result.snapshots + result.files, 0);
}

static void another_branch_keeps_its_snapshots(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    lake_exec(f,
              "create branch dev; insert into s.t values (1001, 8); delete from s.t where id = 60;"
              "use branch dev; insert into s.t values (5, 5); use branch main");
    const char *dev = lake_text(f, "select * from s.t@dev order by all");
    firn_expire_result result = expire(f, all_before_now());
    assert_int_equal(result.snapshots, 1); /* the one between the branch and the last */
    lake_contains(kept_text(f, &result), "branch dev has snapshot ");
    lake_contains(kept_text(f, &result), " and 3 more");
    lake_reopen(f);
    lake_expect(f, "select * from s.t@dev order by all", dev);
    lake_exec(f, "drop branch dev");
    result = expire(f, all_before_now());
    assert_int_equal(result.snapshots, 4);
    assert_int_equal(result.n_kept_by, 0);
    lake_expect(f, "select count(*) from s.t", "101");
}

static void a_merge_works_afterwards(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    lake_exec(f,
              "create branch dev; use branch dev; insert into s.t values (5, 5); use branch main;"
              "insert into s.t values (6, 6); insert into s.t values (7, 7)");
    expire(f, all_before_now());
    lake_exec(f, "merge branch dev into main");
    lake_expect(f, "select count(*) from s.t where id in (5, 6, 7)", "3");
    lake_exec(f, "drop branch dev");
    const char *rows = lake_text(f, "select * from s.t order by all");
    expire(f, all_before_now());
    lake_reopen(f);
    lake_expect(f, "select * from s.t order by all", rows);
}

static void tags_keep_by_name(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    lake_exec(f, "create tag q1");
    lake_exec(f, "delete from s.t where id < 1000");
    const char *tagged = lake_text(f, "select * from s.t@q1 order by all");
    firn_expire_result result = expire(f, all_before_now());
    assert_int_equal(result.snapshots, 0);
    lake_contains(kept_text(f, &result), "tag q1 has snapshot ");
    lake_reopen(f);
    lake_expect(f, "select * from s.t@q1 order by all", tagged);
}

static void a_tag_of_the_table_keeps_its_snapshot(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    lake_exec(f, "alter table s.t create tag v1");
    const char *rows = lake_text(f, "select * from s.t order by all");
    lake_exec(f, "delete from s.t where id > 60; insert into s.t values (3, 3)");
    firn_expire_result result = expire(f, all_before_now());
    assert_int_equal(result.snapshots, 4);
    assert_string_equal(kept_text(f, &result), "the table's tag v1 keeps a snapshot");
    lake_reopen(f);
    lake_expect(f, "select * from s.t version as of 'v1' order by all", rows);
    lake_exec(f, "alter table s.t drop tag v1");
    assert_int_equal(expire(f, all_before_now()).snapshots, 1);
}

static void merge_on_read_deletes_go_with_their_snapshots(void **state)
{
    lake_fixture *f = *state;
    for (int version = 2; version <= 3; version++) {
        lake_exec(
            f, firn_arena_printf(
                   f->arena,
                   "create schema if not exists s; create or replace table s.t partitioned by (g)"
                   " tblproperties ('format-version' = '%d', 'write.delete.mode' = "
                   "'merge-on-read') as select i as id, i %% 3 as g from range(90) r(i);"
                   "delete from s.t where id %% 10 = 1; delete from s.t where id %% 10 = 2;"
                   "delete from s.t where g = 1; delete from s.t where id = 3",
                   version));
        const char *rows = lake_text(f, "select * from s.t order by all");
        int before = files_of(f);
        firn_expire_result result = expire(f, all_before_now());
        assert_true(result.snapshots >= 4);
        assert_int_equal(before - files_of(f), result.files);
        lake_reopen(f);
        lake_expect(f, "select * from s.t order by all", rows);
    }
}

/* The same file in two snapshots that were made apart: what one of them loses, the other has. */
static void a_file_that_came_twice_stays(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    lake_exec(f,
              "create branch dev; use branch dev; insert into s.t values (5, 5); use branch main;"
              "insert into s.t values (6, 6); merge branch dev into main; drop branch dev;"
              "insert into s.t values (8, 8)");
    const char *rows = lake_text(f, "select * from s.t order by all");
    expire(f, all_before_now());
    lake_reopen(f);
    lake_expect(f, "select * from s.t order by all", rows);
}

/* What main took over from a branch by a merge and has rewritten since is a file of the branch all the same. */
static void a_merged_branch_keeps_its_files(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    lake_exec(f,
              "create branch dev; use branch dev; insert into s.t values (5, 5); use branch main;"
              "insert into s.t values (6, 6); merge branch dev into main");
    const char *dev = lake_text(f, "select * from s.t@dev order by all");
    lake_exec(f, "update s.t set g = 100 where id in (5, 6)");
    firn_expire_result result = expire(f, all_before_now());
    assert_true(result.snapshots > 0 && result.files > 0);
    lake_reopen(f);
    lake_expect(f, "select * from s.t@dev order by all", dev);
    lake_expect(f, "select count(*) from s.t where g = 100", "2");
}

static void foreign_files_stay(void **state)
{
    lake_fixture *f = *state;
    const char *raw = firn_path_join(f->arena, f->root, "raw");
    firn_err mkdir_err = {0};
    lake_check(firn_mkdir_p(raw, 0755, &mkdir_err), &mkdir_err, raw);
    lake_exec(f, firn_arena_printf(f->arena,
                                   "create schema s; copy (select 1 as id) to '%s/a.parquet';"
                                   "create table s.t (id int);"
                                   "call add_files('s.t', '`parquet`.`%s`')",
                                   raw, raw));
    lake_exec(f, "delete from s.t where id = 1; insert into s.t values (2)");
    firn_expire_options options = all_before_now();
    firn_expire_result result;
    firn_err err = {0};
    assert_int_equal(firn_maintain_expire(f->session, f->arena, &options, &result, &err),
                     FIRN_E_INVALID);
    lake_contains(err.message, "gc.enabled");
    lake_exec(f, "alter table s.t set properties ('gc.enabled' = 'true')");
    result = expire(f, options);
    assert_true(result.snapshots >= 2);
    lake_contains(kept_text(f, &result), "1 file outside of the table's own folder stays");
    assert_int_equal(access(firn_path_join(f->arena, raw, "a.parquet"), F_OK), 0);
    lake_expect(f, "select * from s.t", "2");
}

static void old_metadata_files_go_if_the_table_wants_it(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    lake_exec(f, "alter table s.t set properties ('write.metadata.delete-after-commit.enabled' = "
                 "'true', 'write.metadata.previous-versions-max' = '2')");
    int before = files_of(f);
    firn_expire_result result = expire(f, all_before_now());
    assert_int_equal(result.files, before - files_of(f) + 1); /* one left the log */
    lake_expect(f, "select count(*) from s.t$metadata_log_entries", "3");
}

/* Statistics of the first snapshot and of the last. */
static firn_rc build_statistics(void *ctx, firn_arena *arena, const firn_table *base,
                                json_t *updates, json_t *requirements, firn_err *err)
{
    lake_fixture *f = ctx;
    const firn_snapshot *snapshots = base->metadata->snapshots;
    (void)requirements;
    for (int i = 0; i < 2; i++) {
        int64_t id = snapshots[i == 0 ? 0 : base->metadata->n_snapshots - 1].snapshot_id;
        const char *path =
            firn_arena_printf(arena, "%s/metadata/stats-%d.puffin", base->metadata->location, i);
        FIRN_TRY(firn_storage_put(firn_lake_storage(f->lake), path, firn_bytes_str("PFA1"), err));
        json_array_append_new(updates, json_pack("{s:s, s:{s:I, s:s, s:i, s:i, s:[]}}", "action",
                                                 "set-statistics", "statistics", "snapshot-id",
                                                 (json_int_t)id, "statistics-path", path,
                                                 "file-size-in-bytes", 4,
                                                 "file-footer-size-in-bytes", 0, "blob-metadata"));
    }
    return FIRN_OK;
}

static void statistics_go_with_their_snapshot(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    set_up(f);
    firn_table_builder builder = {.ident = table, .build = build_statistics, .ctx = f};
    lake_check(firn_catalog_commit_tables(firn_lake_catalog(f->lake), f->arena, NULL, &builder, 1,
                                          NULL, NULL, &err),
               &err, "set statistics");
    expire(f, all_before_now());
    const char *folder = firn_path_join(f->arena, f->root, "warehouse/s/t/metadata");
    assert_int_not_equal(access(firn_path_join(f->arena, folder, "stats-0.puffin"), F_OK), 0);
    assert_int_equal(access(firn_path_join(f->arena, folder, "stats-1.puffin"), F_OK), 0);
}

static void a_snapshot_that_is_lost_already_is_passed_over(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    const char *list =
        lake_text(f, "select min_by(manifest_list, committed_at) from s.t$snapshots");
    firn_err err = {0};
    lake_check(firn_storage_delete(firn_lake_storage(f->lake), list, &err), &err, list);
    const char *rows = lake_text(f, "select * from s.t order by all");
    assert_int_equal(expire(f, all_before_now()).snapshots, 3);
    lake_reopen(f);
    lake_expect(f, "select * from s.t order by all", rows);
}

static void a_table_that_cannot_be_read_is_left_as_it_is(void **state)
{
    lake_fixture *f = *state;
    set_up(f);
    const char *list =
        lake_text(f, "select max_by(manifest_list, committed_at) from s.t$snapshots");
    firn_err err = {0};
    lake_check(firn_storage_delete(firn_lake_storage(f->lake), list, &err), &err, list);
    int before = files_of(f);
    firn_expire_options options = all_before_now();
    firn_expire_result result;
    assert_int_equal(firn_maintain_expire(f->session, f->arena, &options, &result, &err),
                     FIRN_E_NOT_FOUND);
    assert_int_equal(files_of(f), before);
    lake_expect(f, "select count(*) from s.t$snapshots", "4");
}

/* The snapshot that a rollback brings back while it is being expired is there, or the rollback has failed. */
typedef struct race {
    lake_fixture *f;
    bool end;
    firn_expire_options options;
    firn_rc rc;
    firn_err err;
} race;

static void *expire_beside(void *ctx)
{
    race *r = ctx;
    firn_session *session = NULL;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_expire_result result;
    r->rc = firn_session_new(r->f->engine, NULL, &session, &r->err);
    if (r->rc == FIRN_OK) {
        r->rc = firn_maintain_expire(session, arena, &r->options, &result, &r->err);
    }
    firn_session_free(session);
    return NULL;
}

static void a_rollback_wins_or_fails(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s");
    for (int round = 0; round < 8; round++) {
        lake_exec(f, "drop table if exists s.t; create table s.t as select 1 as id;"
                     "delete from s.t where id = 1; insert into s.t values (2)");
        const char *first =
            lake_text(f, "select min_by(snapshot_id, committed_at) from s.t$snapshots");
        race r = {.f = f, .options = all_before_now()};
        pthread_t thread;
        firn_result *result = NULL;
        firn_err err = {0};
        assert_int_equal(pthread_create(&thread, NULL, expire_beside, &r), 0);
        firn_rc rc = firn_session_query(
            f->session, firn_arena_printf(f->arena, "call rollback_to_snapshot('s.t', %s)", first),
            &result, &err);
        firn_result_free(result);
        pthread_join(thread, NULL);
        lake_check(r.rc, &r.err, "expire beside a rollback");
        lake_expect(f, "select id from s.t", rc == FIRN_OK ? "1" : "2");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(deletes_what_only_old_snapshots_have, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(by_default_nothing_young_goes, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(an_empty_table_has_nothing, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(another_branch_keeps_its_snapshots, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_merge_works_afterwards, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(tags_keep_by_name, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(a_tag_of_the_table_keeps_its_snapshot, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(merge_on_read_deletes_go_with_their_snapshots, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_came_twice_stays, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(a_merged_branch_keeps_its_files, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(foreign_files_stay, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(old_metadata_files_go_if_the_table_wants_it, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(statistics_go_with_their_snapshot, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_that_is_lost_already_is_passed_over, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_table_that_cannot_be_read_is_left_as_it_is, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_rollback_wins_or_fails, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
