/* Compaction on lakes: fewer files, the same rows. */
#include "../engine/json_rows.h"

#include "maintain/maintain.h"

#include "base/time.h"

#include <pthread.h>

static const firn_ident table = {.ns = "s", .name = "t"};

static firn_compact_result compact(lake_fixture *f, firn_compact_options options)
{
    firn_compact_result result = {0};
    firn_err err = {0};
    options.ident = table;
    lake_check(firn_maintain_compact(f->session, f->arena, &options, &result, &err), &err,
               "compact");
    return result;
}

static const char *rows_of(lake_fixture *f)
{
    return lake_text(f, "select * from s.t order by all");
}

/* Compacts, and looks at whether rows are what they were, here and after opening the lake again. */
static firn_compact_result compact_keeps_rows(lake_fixture *f, firn_compact_options options)
{
    const char *rows = rows_of(f);
    firn_compact_result result = compact(f, options);
    assert_string_equal(rows_of(f), rows);
    lake_reopen(f);
    assert_string_equal(rows_of(f), rows);
    return result;
}

static void small_files_become_one(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (id bigint, name varchar)");
    for (int i = 0; i < 5; i++) {
        lake_exec(f, firn_arena_printf(f->arena,
                                       "insert into s.t select i, 'n' || i from range(%d, %d) r(i)",
                                       i * 10, i * 10 + 10));
    }
    firn_compact_result plan = compact(f, (firn_compact_options){.dry_run = true});
    assert_int_equal(plan.files_before, 5);
    assert_int_equal(plan.files_after, 1);
    lake_expect(f, "select count(*) from s.t$files", "5");
    firn_compact_result result = compact_keeps_rows(f, (firn_compact_options){0});
    assert_int_equal(result.files_before, 5);
    assert_int_equal(result.files_after, 1);
    assert_int_equal(result.rows, 50);
    assert_int_equal(result.deletes_applied, 0);
    assert_int_equal(result.partitions, 1);
    assert_int_equal(result.commits, 1);
    assert_true(result.bytes_after < result.bytes_before);
    lake_expect(f, "select count(*) from s.t$files", "1");
    lake_expect(f, "select max_by(operation, committed_at) from s.t$snapshots", "replace");
    /* nothing is left to do */
    result = compact(f, (firn_compact_options){0});
    assert_int_equal(result.files_before + result.commits, 0);
}

static void an_empty_table_has_nothing(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (id bigint)");
    assert_int_equal(compact(f, (firn_compact_options){0}).files_before, 0);
    lake_exec(f, "insert into s.t values (1)");
    assert_int_equal(compact(f, (firn_compact_options){0}).files_before, 0);
}

static void partitions_are_kept_apart(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "create schema s; create table s.t (id bigint, g varchar, d date) partitioned by (g, month(d))");
    for (int i = 0; i < 3; i++) {
        lake_exec(f,
                  "insert into s.t select i, case when i % 4 = 0 then null else 'g' || i % 3 end,"
                  " date '2024-01-01' + (i % 60)::int from range(200) r(i)");
    }
    const char *pruned =
        lake_text(f, "select count(*) from s.t where g = 'g1' and d < '2024-01-20'");
    firn_compact_result result = compact_keeps_rows(f, (firn_compact_options){0});
    assert_int_equal(result.partitions, result.files_after);
    assert_int_equal(result.files_before, 3 * result.files_after);
    lake_expect(f, "select count(*) = count(distinct partition) from s.t$files", "true");
    lake_expect(f, "select count(*) from s.t where g = 'g1' and d < '2024-01-20'", pruned);
}

static void only_where_it_was_asked_for(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "create schema s; create table s.t (id bigint, g varchar) partitioned by (g);"
           "insert into s.t values (1, 'a'), (2, 'b'); insert into s.t values (3, 'a'), (4, 'b')");
    firn_compact_result result = compact_keeps_rows(f, (firn_compact_options){.where = "g = 'a'"});
    assert_int_equal(result.files_before, 2);
    assert_int_equal(result.partitions, 1);
    lake_expect(f, "select count(*) from s.t$files", "3");
    firn_compact_options options = {.ident = table, .where = "random() < id"};
    firn_err err = {0};
    assert_int_equal(firn_maintain_compact(f->session, f->arena, &options, &result, &err),
                     FIRN_E_INVALID);
}

static void few_files_are_not_worth_it(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t as select 1 as id; insert into s.t values (2);"
                 "insert into s.t values (3)");
    assert_int_equal(compact(f, (firn_compact_options){.min_files = 4}).files_before, 0);
    assert_int_equal(compact(f, (firn_compact_options){.small_bytes = 10}).files_before, 0);
    assert_int_equal(compact(f, (firn_compact_options){.min_files = 3}).files_before, 3);
}

static void files_come_out_at_the_target(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (id bigint, noise varchar)");
    for (int i = 0; i < 12; i++) { /* about half a megabyte each */
        lake_exec(f,
                  "insert into s.t select i, md5(i::varchar || random()) from range(22000) r(i)");
    }
    int64_t target = 2 << 20;
    firn_compact_result result =
        compact_keeps_rows(f, (firn_compact_options){.target_bytes = target});
    assert_int_equal(result.files_before, 12);
    assert_true(result.files_after >= 3 && result.files_after <= 6);
    lake_expect(f, "select max(file_size_in_bytes) <= 3145728 from s.t$files", "true");
    result = compact(f, (firn_compact_options){.target_bytes = target});
    assert_true(result.files_before <= 2);
}

static void sort_order_is_kept(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (id bigint, g varchar);"
                 "alter table s.t write ordered by id desc");
    for (int i = 0; i < 3; i++) {
        lake_exec(f,
                  firn_arena_printf(
                      f->arena, "insert into s.t select i * 3 + %d, 'x' from range(1000) r(i)", i));
    }
    compact_keeps_rows(f, (firn_compact_options){0});
    lake_expect(f, "select count(*) from s.t$files", "1");
    lake_expect(
        f, "select count(*) from (select id - lead(id) over () as step from s.t) where step <> 1",
        "0");
}

static void files_of_old_specs_move_into_the_current_one(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (id bigint, g varchar);"
                 "insert into s.t values (1, 'a'), (2, 'b'), (3, null);"
                 "alter table s.t add partition field g;"
                 "insert into s.t values (4, 'a'), (5, 'b')");
    firn_compact_result result = compact_keeps_rows(f, (firn_compact_options){0});
    assert_int_equal(result.files_before, 1); /* one small file of a partition is left alone */
    assert_int_equal(result.files_after, 3);
    lake_expect(f, "select distinct spec_id from s.t$files", "1");
    result = compact_keeps_rows(f, (firn_compact_options){0});
    assert_int_equal(result.files_before, 4);
    lake_expect(f, "select count(*) from s.t$files", "3");
}

static void schema_changes_are_taken_along(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "create schema s; create table s.t (id int, old varchar);"
              "insert into s.t values (1, 'a'); alter table s.t alter column id type bigint;"
              "alter table s.t drop column old; alter table s.t add column more varchar;"
              "insert into s.t values (5000000000, 'b'); alter table s.t rename column id to key");
    compact_keeps_rows(f, (firn_compact_options){0});
    lake_expect(f, "select count(*) from s.t$files", "1");
}

static void deletes_are_applied_and_go(void **state)
{
    lake_fixture *f = *state;
    for (int version = 2; version <= 3; version++) {
        lake_exec(
            f, firn_arena_printf(
                   f->arena,
                   "create schema if not exists s; create or replace table s.t partitioned by (g)"
                   " tblproperties ('format-version' = '%d', 'write.delete.mode' = 'merge-on-read')"
                   " as select i as id, i %% 3 as g from range(90) r(i);"
                   "delete from s.t where id %% 10 = 1; delete from s.t where id %% 10 = 2;"
                   "insert into s.t values (1000, 0)",
                   version));
        lake_expect(f, "select count(*) > 0 from s.t$delete_files", "true");
        firn_compact_result result = compact_keeps_rows(f, (firn_compact_options){0});
        assert_int_equal(result.deletes_applied, 18);
        assert_int_equal(result.files_before, 4);
        assert_int_equal(result.files_after, 3);
        lake_expect(f, "select count(*) from s.t$delete_files", "0");
        lake_expect(f, "select sum(record_count) from s.t$files", "73");
        assert_int_equal(compact(f, (firn_compact_options){0}).files_before, 0);
    }
}

static void a_file_without_a_row_left_goes(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "create schema s; create table s.t tblproperties ('write.delete.mode' = "
           "'merge-on-read') as select i as id from range(10) r(i);"
           "delete from s.t where id % 2 = 0; delete from s.t where id % 2 = 1 and random() < 2");
    lake_expect(f, "select count(*) from s.t", "0");
    firn_compact_result result = compact_keeps_rows(f, (firn_compact_options){0});
    assert_int_equal(result.files_after, 0);
    lake_expect(f, "select count(*) from s.t$files", "0");
}

static void rows_keep_their_lineage(void **state)
{
    lake_fixture *f = *state;
    const char *lineage = "select id, _row_id, _last_updated_sequence_number from s.t order by id";
    lake_exec(f, "create schema s; create table s.t tblproperties ('format-version' = '3', "
                 "'write.delete.mode' = 'merge-on-read') as select i as id from range(10) r(i);"
                 "insert into s.t select i from range(10, 15) r(i); delete from s.t where id = 3;"
                 "update s.t set id = id + 100 where id = 12");
    const char *before = lake_text(f, lineage);
    compact_keeps_rows(f, (firn_compact_options){0});
    assert_string_equal(lake_text(f, lineage), before);
    lake_exec(f, "insert into s.t values (500)");
    compact_keeps_rows(f, (firn_compact_options){0});
    lake_contains(lake_text(f, lineage), before);
}

/* ---- beside writers ------------------------------------------------------------------------------- */

typedef struct writer {
    lake_fixture *f;
    const char *const *statements;
    size_t n;
    int rounds;
    firn_rc rc;
    firn_err err;
} writer;

static void *write_beside(void *ctx)
{
    writer *w = ctx;
    firn_session *session = NULL;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    w->rc = firn_session_new(w->f->engine, NULL, &session, &w->err);
    for (int i = 0; w->rc == FIRN_OK && i < w->rounds; i++) {
        const char *sql = firn_str_replace(arena, w->statements[(size_t)i % w->n], "@",
                                           firn_arena_printf(arena, "%d", i));
        w->rc = firn_session_exec(session, sql, NULL, &w->err);
    }
    firn_session_free(session);
    return NULL;
}

static void beside_writers(lake_fixture *f, int version, const char *mode)
{
    enum { ROUNDS = 24 };
    static const char *const statements[] = {
        "insert into s.t select 1000 + @ * 10 + i, i % 3 from range(10) r(i)",
        "delete from s.t where id = @ * 2",
        "insert into s.t values (100000 + @, @ % 3)",
        "delete from s.t where id = 1000 + (@ - 3) * 10 + 4",
    };
    lake_exec(f, firn_arena_printf(
                     f->arena,
                     "create schema if not exists s; create or replace table s.t partitioned by (g)"
                     " tblproperties ('format-version' = '%d', 'write.delete.mode' = '%s',"
                     " 'commit.retry.num-retries' = '20')"
                     " as select i as id, i %% 3 as g from range(300) r(i)",
                     version, mode));
    writer w = {.f = f, .statements = statements, .n = 4, .rounds = ROUNDS};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_beside, &w), 0);
    for (int i = 0; i < 6; i++) {
        compact(f, (firn_compact_options){0});
        firn_expire_options options = {
            .ident = table, .older_than_us = firn_now_us() - 200 * 1000, .keep_last = 3};
        firn_expire_result expired;
        firn_err err = {0};
        lake_check(firn_maintain_expire(f->session, f->arena, &options, &expired, &err), &err,
                   "expire beside a writer");
    }
    pthread_join(thread, NULL);
    lake_check(w.rc, &w.err, "write beside compaction");
    const char *left = rows_of(f);
    compact_keeps_rows(f, (firn_compact_options){0});
    /* The same statements, one after the other, on a table that nobody looks after. */
    lake_exec(
        f,
        "create or replace table s.t partitioned by (g) as select i as id, i % 3 as g from range(300) r(i)");
    writer again = {.f = f, .statements = statements, .n = 4, .rounds = ROUNDS};
    write_beside(&again);
    lake_check(again.rc, &again.err, "write alone");
    assert_string_equal(left, rows_of(f));
}

/* Somebody is faster: between the writing and the commit. */
typedef struct rival {
    lake_fixture *f;
    firn_session *session;
    const char *const *statements; /* one each time, up to NULL */
    int calls;
} rival;

static void rival_acts(void *ctx, const firn_compact_progress *progress)
{
    rival *r = ctx;
    firn_err err = {0};
    assert_true(progress->files_done <= progress->files_total);
    r->calls++;
    if (*r->statements != NULL) {
        lake_check(firn_session_exec(r->session, *r->statements, NULL, &err), &err, *r->statements);
        r->statements++;
    }
}

static firn_compact_result compact_beside(lake_fixture *f, const char *const *statements,
                                          int *calls)
{
    firn_err err = {0};
    rival r = {.f = f, .statements = statements};
    lake_check(firn_session_new(f->engine, NULL, &r.session, &err), &err, "a rival's session");
    firn_compact_result result =
        compact(f, (firn_compact_options){.on_progress = rival_acts, .ctx = &r});
    firn_session_free(r.session);
    *calls = r.calls;
    return result;
}

static void set_up_rivalry(lake_fixture *f, const char *mode)
{
    lake_exec(f, firn_arena_printf(f->arena,
                                   "create schema if not exists s; create or replace table s.t"
                                   " partitioned by (g) tblproperties ('write.delete.mode' = '%s')"
                                   " as select i as id, i %% 3 as g from range(30) r(i);"
                                   "insert into s.t select i + 30, i %% 3 from range(30) r(i)",
                                   mode));
}

static void what_was_deleted_meanwhile_stays_deleted(void **state)
{
    lake_fixture *f = *state;
    static const char *const modes[] = {"copy-on-write", "merge-on-read"};
    static const char *const one[] = {"delete from s.t where id in (4, 31)", NULL};
    for (size_t m = 0; m < 2; m++) {
        int calls;
        set_up_rivalry(f, modes[m]);
        firn_compact_result result = compact_beside(f, one, &calls);
        lake_expect(f, "select count(*), count(*) filter (id in (4, 31)) from s.t", "58|0");
        assert_int_equal(result.given_up, 0);
        /* All failed together, then each for itself; what the delete rewrote is one file already. */
        assert_int_equal(result.partitions, m == 0 ? 2 : 3);
        assert_int_equal(result.commits, result.partitions);
        assert_int_equal(calls, 1 + result.partitions);
        lake_expect(f, "select count(*) from s.t$files", "3");
        lake_expect(f, "select count(*) from s.t$delete_files", "0");
    }
}

static void other_partitions_do_not_wait(void **state)
{
    lake_fixture *f = *state;
    int calls;
    static const char *const many[] = {
        "delete from s.t where id = 1",  "delete from s.t where id = 4",
        "delete from s.t where id = 7",  "delete from s.t where id = 10",
        "delete from s.t where id = 13", "delete from s.t where id = 16",
        "delete from s.t where id = 19", NULL};
    set_up_rivalry(f, "merge-on-read");
    lake_expect(f, "select distinct g from s.t where id in (1, 4, 7, 10, 13, 16, 19)", "1");
    firn_compact_result result = compact_beside(f, many, &calls);
    lake_expect(f, "select count(*) from s.t",
                firn_arena_printf(f->arena, "%d", 60 - (calls > 7 ? 7 : calls)));
    assert_int_equal(result.given_up, 1);
    lake_contains(result.given_up_why, "deleted meanwhile");
    assert_int_equal(result.partitions, 2);
    lake_expect(f, "select count(*) from s.t$data_files", "4");
}

/* Equality deletes, which firn's own statements do not make: a file that says "rows with this id". */
static firn_rc build_equality_delete(void *ctx, firn_arena *arena, const firn_table *base,
                                     json_t *updates, json_t *requirements, firn_err *err)
{
    lake_fixture *f = ctx;
    static int32_t ids[] = {1};
    const firn_data_file file = {
        .content = FIRN_CONTENT_EQUALITY_DELETES,
        .path = firn_arena_printf(f->arena, "%s/eq.parquet", f->root),
        .format = "PARQUET",
        .spec_id = base->metadata->spec->spec_id,
        .record_count = 1,
        .file_size_bytes = 1000,
        .equality_ids = ids,
        .n_equality_ids = 1,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
    const firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_DELETE,
        .added = &file,
        .n_added = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
    firn_snapshot_result result;
    return firn_snapshot_produce(firn_lake_storage(f->lake), NULL, arena, base->metadata, &change,
                                 updates, requirements, &result, err);
}

static void delete_by_equality(lake_fixture *f, firn_session *session)
{
    firn_err err = {0};
    const char *sql = firn_arena_printf(f->arena,
                                        "copy (select 4::bigint as id) to '%s/eq.parquet' (format "
                                        "parquet, field_ids {id: 1})",
                                        f->root);
    firn_table_builder builder = {.ident = table, .build = build_equality_delete, .ctx = f};
    lake_check(firn_session_exec(session, sql, NULL, &err), &err, sql);
    lake_check(firn_catalog_commit_tables(firn_lake_catalog(f->lake), f->arena, NULL, &builder, 1,
                                          NULL, NULL, &err),
               &err, "an equality delete");
}

static void equality_rival_acts(void *ctx, const firn_compact_progress *progress)
{
    rival *r = ctx;
    (void)progress;
    r->calls++;
    delete_by_equality(r->f, r->session);
}

static void equality_deletes_meet_rewritten_rows(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    rival r = {.f = f};
    lake_exec(f, "create schema s; create table s.t (id bigint); insert into s.t values (4), (5);"
                 "insert into s.t values (6)");
    lake_check(firn_session_new(f->engine, NULL, &r.session, &err), &err, "a rival's session");
    firn_compact_result result =
        compact(f, (firn_compact_options){.on_progress = equality_rival_acts, .ctx = &r});
    firn_session_free(r.session);
    assert_int_equal(r.calls, 1); /* it did not have to be done again */
    assert_int_equal(result.commits, 1);
    lake_expect(f, "select * from s.t order by id", "5\n6");
    lake_exec(f, "insert into s.t values (4)"); /* is newer than the delete */
    lake_expect(f, "select * from s.t order by id", "4\n5\n6");
    result = compact_keeps_rows(f, (firn_compact_options){0});
    assert_int_equal(result.deletes_applied, 1);
    lake_expect(f, "select count(*) from s.t$delete_files", "0");
    lake_expect(f, "select count(*) from s.t$data_files", "1");
    assert_int_equal(compact(f, (firn_compact_options){0}).files_before, 0);
}

/* A feed looks its keys up in one head and commits on another, in which they lie in other files. */
typedef struct feed_commit {
    lake_fixture *f;
    firn_upsert *upsert;
    firn_upserted upserted;
} feed_commit;

static firn_rc build_upsert(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                            json_t *requirements, firn_err *err)
{
    feed_commit *c = ctx;
    firn_snapshot_result result;
    FIRN_TRY(firn_upsert_plan(c->upsert, base->metadata, &c->upserted, err));
    return firn_snapshot_produce(firn_lake_storage(c->f->lake), NULL, arena, base->metadata,
                                 &c->upserted.change, updates, requirements, &result, err);
}

static void feeds_find_their_keys_again(void **state)
{
    lake_fixture *f = *state;
    static const char *const key[] = {"id"};
    for (int version = 2; version <= 3; version++) {
        firn_table head;
        firn_err err = {0};
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        lake_exec(f,
                  firn_arena_printf(
                      f->arena,
                      "create schema if not exists s; create or replace table s.t tblproperties "
                      "('format-version' = '%d') as select i as id, 'old' as v from range(10) r(i);"
                      "insert into s.t select i, 'old' from range(10, 20) r(i)",
                      version));
        lake_check(
            firn_catalog_table_load(firn_lake_catalog(f->lake), arena, NULL, table, &head, &err),
            &err, "load");
        const firn_rows_upsert options = {
            .write = {.rows = json_rows(
                          f, "{'name': 'id', 'type': 'long'}, {'name': 'v', 'type': 'string'}",
                          "{'id': 3, 'v': 'new'}\n{'id': 15, 'v': 'new'}\n"
                          "{'id': 77, 'v': 'new'}"),
                      .n_rows = 1,
                      .metadata = head.metadata,
                      .table_text = "s.t"},
            .key = key,
            .n_key = 1};
        feed_commit c = {.f = f};
        firn_session *feed = NULL;
        lake_check(firn_session_new(f->engine, NULL, &feed, &err), &err, "a feed's session");
        lake_check(firn_upsert_open(feed, arena, &options, &c.upsert, &err), &err, "upsert");
        lake_check(firn_upsert_plan(c.upsert, head.metadata, &c.upserted, &err), &err, "plan");
        assert_int_equal(compact(f, (firn_compact_options){0}).files_before, 2);
        firn_table_builder builder = {.ident = table, .build = build_upsert, .ctx = &c};
        lake_check(firn_catalog_commit_tables(firn_lake_catalog(f->lake), arena, NULL, &builder, 1,
                                              NULL, NULL, &err),
                   &err, "commit an upsert");
        lake_expect(f, "select count(*), count(distinct id), count(*) filter (v = 'new') from s.t",
                    "21|21|3");
        firn_arena_reset(arena); /* before the lake is closed */
        firn_session_free(feed);
        compact_keeps_rows(f, (firn_compact_options){0});
    }
}

static void appends_do_not_disturb(void **state)
{
    lake_fixture *f = *state;
    int calls;
    static const char *const one[] = {"insert into s.t values (100, 1)", NULL};
    set_up_rivalry(f, "merge-on-read");
    firn_compact_result result = compact_beside(f, one, &calls);
    assert_int_equal(result.commits, 1);
    assert_int_equal(calls, 1);
    lake_expect(f, "select count(*) from s.t", "61");
    lake_expect(f, "select count(*) from s.t$files", "4");
}

static void a_table_made_anew_is_left_alone(void **state)
{
    lake_fixture *f = *state;
    int calls;
    static const char *const one[] = {"create or replace table s.t as select 1 as id", NULL};
    set_up_rivalry(f, "copy-on-write");
    compact_beside(f, one, &calls);
    lake_expect(f, "select * from s.t", "1");
}

static void writers_lose_nothing(void **state)
{
    lake_fixture *f = *state;
    beside_writers(f, 2, "copy-on-write");
    beside_writers(f, 2, "merge-on-read");
    beside_writers(f, 3, "merge-on-read");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)
    const struct CMUnitTest tests[] = {
        TEST(small_files_become_one),
        TEST(an_empty_table_has_nothing),
        TEST(partitions_are_kept_apart),
        TEST(only_where_it_was_asked_for),
        TEST(few_files_are_not_worth_it),
        TEST(files_come_out_at_the_target),
        TEST(sort_order_is_kept),
        TEST(files_of_old_specs_move_into_the_current_one),
        TEST(schema_changes_are_taken_along),
        TEST(deletes_are_applied_and_go),
        TEST(a_file_without_a_row_left_goes),
        TEST(rows_keep_their_lineage),
        TEST(what_was_deleted_meanwhile_stays_deleted),
        TEST(other_partitions_do_not_wait),
        TEST(equality_deletes_meet_rewritten_rows),
        TEST(feeds_find_their_keys_again),
        TEST(appends_do_not_disturb),
        TEST(a_table_made_anew_is_left_alone),
        TEST(writers_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
