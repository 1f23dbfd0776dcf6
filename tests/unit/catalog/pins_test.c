/* Branches and tags pin what their states of a table need; purging deletes what nobody does. */
#include "fixture.h"

#include "internal.h"

#include <signal.h>

static const char *snapshot_text(fixture *f, const firn_table *table, size_t i)
{
    return firn_arena_printf(f->arena, "snapshot %lld",
                             (long long)table->metadata->snapshots[i].snapshot_id);
}

/* A table s.a on main with this many appends. */
static void make(fixture *f, int appends)
{
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    for (int i = 0; i < appends; i++) {
        firn_table base = load(f, NULL, "s", "a");
        assert_ok(f, commit_one(f, NULL,
                                engine_append(f, &base, firn_arena_printf(f->arena, "f%d", i), 1)));
    }
}

static void append_to(fixture *f, const char *branch, const char *file)
{
    firn_table base = load(f, branch, "s", "a");
    assert_ok(f, commit_one(f, branch, engine_append(f, &base, file, 1)));
}

/* What ExpireSnapshots sends, for the n oldest. */
static firn_rc expire(fixture *f, const char *branch, size_t n, const char *action)
{
    firn_table table = load(f, branch, "s", "a");
    json_t *updates = firn_json_own(f->arena, json_array());
    int64_t *ids = FIRN_NEW_N(f->arena, int64_t, n);
    for (size_t i = 0; i < n; i++) {
        ids[i] = table.metadata->snapshots[i].snapshot_id;
    }
    firn_update_remove_snapshots(updates, ids, n);
    json_object_set_new(json_array_get(updates, 0), "action", json_string(action));
    return commit_one(f, branch,
                      (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                    .ident = table.entry.ident,
                                    .updates = updates});
}

static void snapshots_that_a_tag_needs_stay(void **state)
{
    fixture *f = *state;
    make(f, 3);
    assert_ok(f, firn_catalog_ref_create(f->catalog, "v1", true, NULL, &f->err));
    append_to(f, NULL, "later");
    firn_table table = load(f, NULL, "s", "a");
    assert_fails(f, expire(f, NULL, 2, "remove-snapshots"), FIRN_E_VALIDATION, "v1 still has it");
    assert_non_null(strstr(f->err.message, snapshot_text(f, &table, 0)));
    assert_non_null(strstr(f->err.message, "delete v1 first"));
    assert_false(f->err.retriable);
    assert_fails(f, expire(f, NULL, 1, "Remove-Snapshots"), FIRN_E_VALIDATION, "v1 still has it");
    assert_int_equal(snapshots(f, NULL, "s", "a"), 4);
    assert_ok(f, firn_catalog_ref_delete(f->catalog, "v1", &f->err));
    assert_ok(f, expire(f, NULL, 2, "remove-snapshots"));
    assert_int_equal(snapshots(f, NULL, "s", "a"), 2);
}

static void what_others_do_not_have_may_go(void **state)
{
    fixture *f = *state;
    make(f, 2);
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    append_to(f, "dev", "d1");
    append_to(f, "dev", "d2");
    assert_fails(f, expire(f, "dev", 1, "remove-snapshots"), FIRN_E_VALIDATION,
                 "main still has it");
    /* The one that only dev has may leave dev. */
    firn_table dev = load(f, "dev", "s", "a");
    json_t *updates = firn_json_own(f->arena, json_array());
    int64_t id2 = dev.metadata->snapshots[2].snapshot_id;
    firn_update_remove_snapshots(updates, &id2, 1);
    assert_ok(f, commit_one(f, "dev",
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = dev.entry.ident,
                                          .updates = updates}));
    assert_int_equal(snapshots(f, "dev", "s", "a"), 3);
}

/* A branch that is made between the check and the transaction is seen. */
static void pins_are_looked_at_again(void **state)
{
    fixture *f = *state;
    make(f, 2);
    const char *before = head(f, NULL);
    append_to(f, NULL, "later");
    firn_table table = load(f, NULL, "s", "a");
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point point;
    firn_stage stage;
    json_t *updates = firn_json_own(f->arena, json_array());
    int64_t oldest = table.metadata->snapshots[0].snapshot_id;
    firn_update_remove_snapshots(updates, &oldest, 1);
    firn_change change = {
        .kind = FIRN_CHANGE_UPDATE_TABLE, .ident = table.entry.ident, .updates = updates};
    assert_ok(f, firn_db_session_begin(f->catalog, false, &session, &f->err));
    assert_ok(f, firn_store_branch(session.db, f->arena, NULL, &point, &f->err));
    firn_stage_init(&stage, f->catalog, f->arena, session.db, point);
    assert_ok(f, firn_stage_change(&stage, &change, &f->err));
    assert_int_equal(stage.pinned.len, 1);
    assert_ok(f, firn_pins_unchanged(session.db, f->arena, &stage, &f->err));
    firn_db_session_end(&session);
    assert_ok(f, firn_catalog_ref_create(f->catalog, "late", false, before, &f->err));
    assert_ok(f, firn_db_session_begin(f->catalog, false, &session, &f->err));
    assert_fails(f, firn_pins_unchanged(session.db, f->arena, &stage, &f->err), FIRN_E_CONFLICT,
                 "came or moved");
}

static bool shared(fixture *f, const char *ref)
{
    firn_table table = load(f, ref, "s", "a");
    bool is = false;
    assert_ok(f, firn_catalog_table_shared(f->catalog, f->arena, ref, table.entry.content_id,
                                           table.entry.location, &is, &f->err));
    return is;
}

static void shared_is_what_another_ref_has_otherwise(void **state)
{
    fixture *f = *state;
    make(f, 1);
    assert_false(shared(f, NULL));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_false(shared(f, NULL)); /* the very same state */
    append_to(f, "dev", "d1");
    assert_true(shared(f, NULL));
    assert_true(shared(f, "dev"));
    assert_ok(f, firn_catalog_ref_delete(f->catalog, "dev", &f->err));
    assert_false(shared(f, NULL));
}

/* ---- purge -------------------------------------------------------------------------------------- */

/* The data files that the appends speak of. */
static void put_data(fixture *f, const char *ref, int n, const char *prefix)
{
    firn_table table = load(f, ref, "s", "a");
    for (int i = 0; i < n; i++) {
        const char *path = firn_arena_printf(f->arena, "%s/data/%s%d.parquet",
                                             table.metadata->location, prefix, i);
        assert_ok(f, firn_storage_put(f->storage, path, firn_bytes_str("rows"), &f->err));
    }
}

static firn_rc purge(fixture *f, const char *branch, firn_purge_result *out)
{
    return firn_catalog_table_purge(f->catalog, f->arena, branch, id(f, "s", "a"), NULL, out,
                                    &f->err);
}

static void a_purge_takes_all_files_and_no_others(void **state)
{
    fixture *f = *state;
    firn_purge_result result;
    make(f, 3);
    assert_ok(f, create_table(f, NULL, "s", "b"));
    put_data(f, NULL, 3, "f");
    put_data(f, NULL, 1, "stranger"); /* no metadata names it */
    firn_table table = load(f, NULL, "s", "a");
    json_t *statistics = json_pack(
        "{sss{sIsosisis[]}}", "action", "set-statistics", "statistics", "snapshot-id",
        (json_int_t)table.metadata->current_snapshot->snapshot_id, "statistics-path",
        json_string(firn_arena_printf(f->arena, "%s/metadata/x.stats", table.metadata->location)),
        "file-size-in-bytes", 4, "file-footer-size-in-bytes", 1, "blob-metadata");
    json_t *updates = firn_json_own(f->arena, json_pack("[o]", statistics));
    put_data(f, NULL, 0, "");
    assert_ok(f, firn_storage_put(
                     f->storage,
                     firn_arena_printf(f->arena, "%s/metadata/x.stats", table.metadata->location),
                     firn_bytes_str("stat"), &f->err));
    assert_ok(f, commit_one(f, NULL,
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = table.entry.ident,
                                          .updates = updates}));
    assert_ok(f, purge(f, NULL, &result));
    assert_null(result.kept);
    assert_non_null(result.commit_id);
    /* 3 data files, 3 manifests, 3 lists, 1 statistics, 5 metadata files */
    assert_int_equal(result.deleted, 15);
    assert_int_equal(result.left, 0);
    assert_int_equal(warehouse_files(f), 2); /* the stranger, and b's metadata */
    assert_int_equal(try_load(f, NULL, "s", "a"), FIRN_E_NO_TABLE);
    assert_int_equal(purge(f, NULL, &result), FIRN_E_NO_TABLE);
    assert_ok(f, try_load(f, NULL, "s", "b"));
}

static void a_purge_keeps_what_others_have(void **state)
{
    fixture *f = *state;
    firn_purge_result result;
    make(f, 1);
    assert_ok(f, firn_catalog_ref_create(f->catalog, "v1", true, NULL, &f->err));
    append_to(f, NULL, "later");
    int files = warehouse_files(f);
    assert_ok(f, purge(f, NULL, &result));
    assert_string_equal(result.kept, "v1 has the table, too");
    assert_int_equal(warehouse_files(f), files);
    assert_ok(f, try_load(f, "v1", "s", "a"));
    assert_fails(f, purge(f, "v1", &result), FIRN_E_READ_ONLY, "tag");
}

static void a_purge_leaves_files_of_others_and_listens_to_gc_enabled(void **state)
{
    fixture *f = *state;
    firn_purge_result result;
    make(f, 0);
    firn_table table = load(f, NULL, "s", "a");
    const char *elsewhere = firn_arena_printf(f->arena, "file://%s/elsewhere.parquet", f->dir);
    assert_ok(f, firn_storage_put(f->storage, elsewhere, firn_bytes_str("rows"), &f->err));
    firn_data_file file = {.path = elsewhere,
                           .format = "PARQUET",
                           .record_count = 1,
                           .file_size_bytes = 4,
                           .sort_order_id = -1,
                           .first_row_id = -1,
                           .content_offset = -1,
                           .content_size_bytes = -1};
    firn_snapshot_change adopt = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = &file,
        .n_added = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
    json_t *updates = firn_json_own(f->arena, json_array());
    json_t *requirements = firn_json_own(f->arena, json_array());
    firn_snapshot_result made;
    assert_ok(f, firn_snapshot_produce(f->storage, NULL, f->arena, table.metadata, &adopt, updates,
                                       requirements, &made, &f->err));
    assert_ok(f, commit_one(f, NULL,
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = table.entry.ident,
                                          .updates = updates}));
    assert_ok(f, purge(f, NULL, &result));
    assert_int_equal(result.left, 1);
    int64_t size;
    assert_ok(f, firn_storage_size(f->storage, elsewhere, &size, &f->err));
    assert_int_equal(warehouse_files(f), 0);

    assert_ok(f, create_table(f, NULL, "s", "a"));
    table = load(f, NULL, "s", "a");
    json_t *off = firn_json_own(f->arena, json_array());
    json_t *properties = firn_json_own(f->arena, json_pack("{ss}", "gc.enabled", "false"));
    firn_update_set_properties(off, properties);
    assert_ok(f, commit_one(f, NULL,
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = table.entry.ident,
                                          .updates = off}));
    assert_ok(f, purge(f, NULL, &result));
    assert_non_null(strstr(result.kept, "gc.enabled"));
    assert_int_equal(warehouse_files(f), 2);
}

/* Killed anywhere, the table is there with everything, or its name is gone and its files are on their way out. */
static void a_killed_purge_breaks_nothing(void **state)
{
    (void)state;
    static const char *const points[] = {"catalog.begin", "catalog.commit.before",
                                         "catalog.commit.after", "commit.pointer_swapped",
                                         "storage.delete"};
    for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) {
        bool killed = true;
        for (int nth = 1; killed; nth += 3) {
            fixture *f = fixture_new();
            make(f, 2);
            int files = warehouse_files(f);
            assert_ok(f, create_table(f, NULL, "s", "b"));
            fixture_close(f);
            pid_t child = fork();
            if (child == 0) {
                firn_purge_result result;
                assert_ok(f, fixture_open(f, false));
                setenv("FIRN_FAULT_KILL", firn_arena_printf(f->arena, "%s:%d", points[p], nth), 1);
                firn_fault_reload();
                _exit(purge(f, NULL, &result) == FIRN_OK ? 0 : 1);
            }
            int status;
            assert_int_equal(waitpid(child, &status, 0), child);
            killed = WIFSIGNALED(status);
            assert_true(killed || WEXITSTATUS(status) == 0);
            assert_ok(f, fixture_open(f, false));
            assert_ok(f, try_load(f, NULL, "s", "b"));
            if (try_load(f, NULL, "s", "a") == FIRN_OK) {
                assert_true(killed);
                assert_int_equal(warehouse_files(f), files + 1);
            }
            fixture_free(f);
        }
    }
}

/* ---- old metadata files -------------------------------------------------------------------------- */

static void old_metadata_goes_when_nobody_has_it(void **state)
{
    fixture *f = *state;
    make(f, 0);
    firn_table table = load(f, NULL, "s", "a");
    json_t *updates = firn_json_own(f->arena, json_array());
    json_t *properties =
        firn_json_own(f->arena, json_pack("{ssss}", "write.metadata.delete-after-commit.enabled",
                                          "true", "write.metadata.previous-versions-max", "2"));
    firn_update_set_properties(updates, properties);
    assert_ok(f, commit_one(f, NULL,
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = table.entry.ident,
                                          .updates = updates}));
    for (int i = 0; i < 5; i++) {
        assert_ok(f, append(f, NULL, "s", "a"));
    }
    assert_int_equal(warehouse_files(f), 3); /* the present one and two in its log */
    assert_ok(f, firn_catalog_ref_create(f->catalog, "v1", true, NULL, &f->err));
    for (int i = 0; i < 5; i++) {
        assert_ok(f, append(f, NULL, "s", "a"));
    }
    assert_int_equal(warehouse_files(f), 8);
    fixture_reopen(f); /* no cache */
    assert_ok(f, try_load(f, "v1", "s", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(snapshots_that_a_tag_needs_stay),
        TEST(what_others_do_not_have_may_go),
        TEST(pins_are_looked_at_again),
        TEST(shared_is_what_another_ref_has_otherwise),
        TEST(a_purge_takes_all_files_and_no_others),
        TEST(a_purge_keeps_what_others_have),
        TEST(a_purge_leaves_files_of_others_and_listens_to_gc_enabled),
        cmocka_unit_test(a_killed_purge_breaks_nothing),
        TEST(old_metadata_goes_when_nobody_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
