/* Merging: what one side changed is taken over, what both changed is a conflict, and the second merge starts from the first. */
#include "fixture.h"

static int setup_branches(void **state)
{
    fixture *f = fixture_new();
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    *state = f;
    return 0;
}

#define BRANCHES(name) cmocka_unit_test_setup_teardown(name, setup_branches, teardown)

static firn_rc merge(fixture *f, const char *from, const char *into, firn_merge_result *out)
{
    return firn_catalog_merge(f->catalog, f->arena, from, into, NULL, out, &f->err);
}

static void an_unmoved_target_is_fast_forwarded_in_one_commit(void **state)
{
    fixture *f = *state;
    const char *before = head(f, "main");
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, create_table(f, "dev", "s", "c"));
    assert_ok(f, commit_one(f, "dev", drop_change(f, "s", "b")));
    firn_merge_result result;
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_true(result.fast_forward);
    assert_int_equal(result.n_merged, 3);
    assert_int_equal(result.merged[0].what, FIRN_DIFF_CHANGED);
    assert_int_equal(result.merged[1].what, FIRN_DIFF_REMOVED);
    assert_int_equal(result.merged[2].what, FIRN_DIFF_ADDED);
    assert_string_equal(head(f, "main"), result.commit_id);
    assert_string_equal(load(f, "main", "s", "a").entry.location,
                        load(f, "dev", "s", "a").entry.location);
    assert_string_equal(load(f, "main", "s", "c").entry.location,
                        load(f, "dev", "s", "c").entry.location);
    assert_fails(f, try_load(f, "main", "s", "b"), FIRN_E_NO_TABLE, "s.b");

    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, "main", 1, &log, &n, &f->err));
    assert_string_equal(log[0].parent_id, before);
    assert_string_equal(log[0].merge_parent_id, head(f, "dev"));
    assert_string_equal(log[0].message, "merge dev into main");
    assert_int_equal(log[0].n_changes, 3);
}

static void a_moved_target_keeps_its_own_changes(void **state)
{
    fixture *f = *state;
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, append(f, "main", "s", "b"));
    assert_ok(f, create_table(f, "main", "s", "c"));
    firn_merge_result result;
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_false(result.fast_forward);
    assert_int_equal(result.n_merged, 1);
    assert_int_equal(snapshots(f, "main", "s", "a"), 1);
    assert_int_equal(snapshots(f, "main", "s", "b"), 1);
    load(f, "main", "s", "c");
}

static void what_both_changed_is_a_conflict_and_nothing_moves(void **state)
{
    fixture *f = *state;
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, commit_one(f, "dev", drop_change(f, "s", "b")));
    assert_ok(f, create_table(f, "dev", "s", "c"));
    assert_ok(f, create_table(f, "dev", "s", "mine"));
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "a")));
    assert_ok(f, append(f, "main", "s", "b"));
    assert_ok(f, create_table(f, "main", "s", "c"));
    const char *before = head(f, "main");
    firn_merge_result result;
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "cannot merge dev into main: s.a: dropped on main");
    assert_false(f->err.retriable);
    assert_null(result.commit_id);
    assert_int_equal(result.n_conflicts, 3);
    assert_string_equal(result.conflicts[0].cause, "dropped on main, changed on dev");
    assert_string_equal(result.conflicts[1].cause, "changed on main, dropped on dev");
    assert_string_equal(result.conflicts[2].cause, "created on both main and dev");
    assert_string_equal(head(f, "main"), before);
    assert_fails(f, try_load(f, "main", "s", "mine"), FIRN_E_NO_TABLE, "s.mine");
}

static void the_same_change_on_both_sides_is_none(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, "dev", "gold"));
    assert_ok(f, create_table(f, "dev", "gold", "t"));
    assert_ok(f, create_ns(f, "main", "gold"));
    assert_ok(f, commit_one(f, "dev", drop_change(f, "s", "b")));
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "b")));
    firn_merge_result result;
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_int_equal(result.n_merged, 1);
    assert_string_equal(result.merged[0].ident.name, "t");
}

static void a_dry_run_only_tells(void **state)
{
    fixture *f = *state;
    assert_ok(f, append(f, "dev", "s", "a"));
    const char *before = head(f, "main");
    firn_merge_result result;
    firn_merge_options options = {.dry_run = true};
    assert_ok(f,
              firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err));
    assert_null(result.commit_id);
    assert_int_equal(result.n_merged, 1);
    assert_string_equal(head(f, "main"), before);
    assert_int_equal(snapshots(f, "main", "s", "a"), 0);
}

static void merging_twice_merges_only_what_is_new(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_null(result.commit_id);
    assert_int_equal(result.n_merged, 0);

    /* The second parent makes the first merge the base: the append that came with it is no change of either side. */
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, append(f, "main", "s", "b"));
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_int_equal(result.n_merged, 1);
    assert_int_equal(snapshots(f, "main", "s", "a"), 2);

    /* And main into dev: what dev gave comes back as nothing. */
    assert_ok(f, merge(f, "main", "dev", &result));
    assert_int_equal(result.n_merged, 1);
    assert_string_equal(result.merged[0].ident.name, "b");
    assert_ok(f, append(f, "dev", "s", "b"));
    assert_ok(f, append(f, "main", "s", "a"));
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_int_equal(result.n_merged, 1);
    assert_int_equal(snapshots(f, "main", "s", "b"), 2);
    assert_int_equal(snapshots(f, "main", "s", "a"), 3);
}

static firn_change rename_change(fixture *f, const char *from, const char *to)
{
    return (firn_change){
        .kind = FIRN_CHANGE_RENAME_TABLE, .ident = id(f, "s", from), .to = id(f, "s", to)};
}

static void a_table_renamed_differently_on_both_sides_is_a_conflict(void **state)
{
    fixture *f = *state;
    assert_ok(f, commit_one(f, "main", rename_change(f, "a", "ours")));
    assert_ok(f, commit_one(f, "dev", rename_change(f, "a", "theirs")));
    assert_ok(f, append(f, "dev", "s", "b"));
    const char *before = head(f, "main");
    firn_merge_result result;
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "s.theirs would be a second name of table s.ours on main");
    assert_int_equal(result.n_conflicts, 1);
    assert_string_equal(result.conflicts[0].ident.name, "theirs");
    assert_string_equal(head(f, "main"), before);

    /* Until they agree. */
    assert_ok(f, commit_one(f, "dev", rename_change(f, "theirs", "ours")));
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_int_equal(result.n_merged, 1);
    load(f, "main", "s", "ours");
    assert_fails(f, try_load(f, "main", "s", "theirs"), FIRN_E_NO_TABLE, "s.theirs");

    /* A rename on one side is none of this, nor are two that end in exchanged names. */
    firn_change swap[] = {rename_change(f, "ours", "x"), rename_change(f, "b", "ours"),
                          rename_change(f, "x", "b")};
    assert_ok(f, firn_catalog_commit(f->catalog, f->arena, "dev", swap, 3, NULL, NULL, &f->err));
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_int_equal(result.n_merged, 2);
}

static void tags_and_commits_can_be_merged_but_not_into(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "v1", true, "dev", &f->err));
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_fails(f, merge(f, "main", "v1", &result), FIRN_E_READ_ONLY, "v1 is a tag");
    assert_ok(f, merge(f, "v1", NULL, &result));
    assert_int_equal(snapshots(f, "main", "s", "a"), 1);
    assert_ok(f, merge(f, head(f, "dev"), "main", &result));
    assert_int_equal(snapshots(f, "main", "s", "a"), 2);
    assert_fails(f, merge(f, "nowhere", "main", &result), FIRN_E_NO_REF, "nowhere");
}

static void a_table_needs_its_namespace_on_the_merged_side(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    assert_ok(f, create_table(f, "dev", "s", "c"));
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "a")));
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "b")));
    assert_ok(f, drop_ns(f, "main", "s"));
    const char *before = head(f, "main");
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "there is no namespace s on main");
    assert_int_equal(result.n_conflicts, 1);
    assert_string_equal(result.conflicts[0].ident.name, "c");
    assert_string_equal(head(f, "main"), before);
}

static void a_namespace_with_new_tables_does_not_go(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    assert_ok(f, create_ns(f, "main", "old"));
    assert_ok(f, merge(f, "main", "dev", &result));
    assert_ok(f, drop_ns(f, "dev", "old"));
    assert_ok(f, create_table(f, "main", "old", "new"));
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "namespace old is not empty on main");
    load(f, "main", "old", "new");
}

/* ---- tables that both sides changed ----------------------------------------------------------- */

static firn_rc build_real_append(void *ctx, firn_arena *arena, const firn_table *base,
                                 json_t *updates, json_t *requirements, firn_err *err)
{
    fixture *f = ctx;
    firn_data_file file = {
        .path = firn_arena_printf(arena, "%s/data/%s.parquet", base->metadata->location,
                                  firn_uuid_new(arena)),
        .format = "PARQUET",
        .record_count = 10,
        .file_size_bytes = 1000,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = &file,
        .n_added = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
    firn_snapshot_result result;
    return firn_snapshot_produce(f->storage, firn_catalog_manifests(f->catalog), arena,
                                 base->metadata, &change, updates, requirements, &result, err);
}

/* One data file of ten rows, with its manifests. */
static void append_file(fixture *f, const char *branch, const char *name)
{
    firn_table_builder builder = {.ident = id(f, "s", name), .build = build_real_append, .ctx = f};
    assert_ok(f, firn_catalog_commit_tables(f->catalog, f->arena, branch, &builder, 1, NULL, NULL,
                                            &f->err));
}

static const char *total_rows(fixture *f, const char *ref, const char *name)
{
    const firn_snapshot *current = load(f, ref, "s", name).metadata->current_snapshot;
    return json_string_value(json_object_get(current->summary, "total-records"));
}

static void set_property(fixture *f, const char *branch, const char *name)
{
    json_t *updates = firn_json_own(
        f->arena, json_pack("[{sss{ss}}]", "action", "set-properties", "updates", "k", branch));
    assert_ok(f, commit_one(f, branch,
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = id(f, "s", name),
                                          .updates = updates}));
}

static void appends_on_both_sides_are_both_kept(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    append_file(f, "dev", "a");
    append_file(f, "dev", "a");
    append_file(f, "main", "a");
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_int_equal(result.n_merged, 1);
    assert_int_equal(result.n_replayed, 1);
    assert_string_equal(total_rows(f, "main", "a"), "30");
    assert_string_equal(total_rows(f, "dev", "a"), "20");

    /* Again, from the first merge on: nothing comes twice. */
    append_file(f, "dev", "a");
    append_file(f, "main", "a");
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_int_equal(result.n_replayed, 1);
    assert_string_equal(total_rows(f, "main", "a"), "50");
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_null(result.commit_id);
    assert_string_equal(total_rows(f, "main", "a"), "50");
}

static void appends_replay_on_whatever_the_target_did(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    append_file(f, "dev", "a");
    set_property(f, "main", "a");
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_string_equal(total_rows(f, "main", "a"), "10");
    assert_string_equal(firn_metadata_property(load(f, "main", "s", "a").metadata, "k", ""),
                        "main");
}

static void more_than_appends_is_a_conflict_and_leaves_no_files(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    append_file(f, "dev", "a");
    append_file(f, "main", "a");
    append_file(f, "dev", "b");
    set_property(f, "dev", "b");
    append_file(f, "main", "b");
    int files = warehouse_files(f);
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "s.b: changed on both main and dev (the source changed more than rows)");
    assert_int_equal(result.n_conflicts, 1);
    assert_int_equal(warehouse_files(f), files);
    assert_string_equal(total_rows(f, "main", "a"), "10");
}

static void a_dry_run_of_a_replay_writes_nothing(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    firn_merge_options options = {.dry_run = true};
    append_file(f, "dev", "a");
    append_file(f, "main", "a");
    int files = warehouse_files(f);
    assert_ok(f,
              firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err));
    assert_int_equal(result.n_replayed, 1);
    assert_null(result.commit_id);
    assert_int_equal(warehouse_files(f), files);
    assert_string_equal(total_rows(f, "main", "a"), "10");
}

static void whichever_operation_of_a_replay_fails_nothing_is_left(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    append_file(f, "main", "a");
    int files = warehouse_files(f), n = 0;
    firn_rc rc;
    do {
        firn_merge_result result;
        setenv("FIRN_FAULT_FAIL", firn_arena_printf(f->arena, "%d", ++n), 1);
        firn_fault_reload();
        rc = merge(f, "dev", "main", &result);
        unsetenv("FIRN_FAULT_FAIL");
        firn_fault_reload();
        assert_string_equal(total_rows(f, "main", "a"), rc == FIRN_OK ? "20" : "10");
        assert_true(rc == FIRN_OK || warehouse_files(f) == files);
    } while (rc != FIRN_OK);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRANCHES(an_unmoved_target_is_fast_forwarded_in_one_commit),
        BRANCHES(a_moved_target_keeps_its_own_changes),
        BRANCHES(what_both_changed_is_a_conflict_and_nothing_moves),
        BRANCHES(the_same_change_on_both_sides_is_none),
        BRANCHES(a_dry_run_only_tells),
        BRANCHES(merging_twice_merges_only_what_is_new),
        BRANCHES(a_table_renamed_differently_on_both_sides_is_a_conflict),
        BRANCHES(tags_and_commits_can_be_merged_but_not_into),
        BRANCHES(a_table_needs_its_namespace_on_the_merged_side),
        BRANCHES(a_namespace_with_new_tables_does_not_go),
        BRANCHES(appends_on_both_sides_are_both_kept),
        BRANCHES(appends_replay_on_whatever_the_target_did),
        BRANCHES(more_than_appends_is_a_conflict_and_leaves_no_files),
        BRANCHES(a_dry_run_of_a_replay_writes_nothing),
        BRANCHES(whichever_operation_of_a_replay_fails_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
