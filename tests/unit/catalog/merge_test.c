/* Merging: what one side changed is taken over, what both changed is a conflict, and the second merge starts from the first. */
#include "branches.h"

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

/* ---- behaviours, expectations, all conflicts --------------------------------------------------- */

static void keys_can_be_forced_or_left_out(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    change_rows(f, "dev", "a", 3, FIRN_SNAPSHOT_OVERWRITE);
    append_rows(f, "main", "a", 7);
    append_file(f, "dev", "b");
    change_rows(f, "dev", "b", 0, FIRN_SNAPSHOT_DELETE);
    append_rows(f, "main", "b", 7);
    assert_ok(f, create_table(f, "dev", "s", "c"));
    firn_merge_result result;
    firn_merge_key keys[] = {{.ident = id(f, "s", "a"), .behaviour = FIRN_MERGE_FORCE},
                             {.ident = id(f, "s", "b"), .behaviour = FIRN_MERGE_DROP}};
    firn_merge_options options = {.keys = keys, .n_keys = 1};
    assert_fails(
        f, firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err),
        FIRN_E_VALIDATION, "s.b: changed on both");
    options.n_keys = 2;
    assert_ok(f,
              firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err));
    assert_int_equal(result.n_merged, 2);
    assert_int_equal(result.how[0], FIRN_MERGED_FORCED);
    assert_int_equal(result.how[1], FIRN_MERGED_TAKEN);
    assert_int_equal(result.n_skipped, 1);
    assert_string_equal(result.skipped[0].ident.name, "b");
    assert_int_equal(count_rows(f, "main", "a"), count_rows(f, "dev", "a"));
    assert_int_equal(count_rows(f, "main", "b"), 7);

    /* What was left out is settled: it does not come again. */
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_null(result.commit_id);
    assert_int_equal(count_rows(f, "main", "b"), 7);
}

static void everything_can_be_forced_but_for_structure(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    change_rows(f, "dev", "a", 0, FIRN_SNAPSHOT_DELETE);
    append_rows(f, "main", "a", 7);
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "b")));
    append_file(f, "dev", "b");
    firn_merge_result result;
    firn_merge_options options = {.default_behaviour = FIRN_MERGE_FORCE};
    assert_ok(f,
              firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err));
    assert_int_equal(count_rows(f, "main", "a"), 0);
    assert_int_equal(count_rows(f, "main", "b"), 10);
}

static void a_key_that_nobody_knows_is_an_error(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    firn_merge_result result;
    firn_merge_key key = {.ident = id(f, "s", "aa"), .behaviour = FIRN_MERGE_DROP};
    firn_merge_options options = {.keys = &key, .n_keys = 1};
    assert_fails(
        f, firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err),
        FIRN_E_NO_TABLE, "s.aa");
    key.ident = id(f, "s", "b"); /* known, although not changed */
    assert_ok(f,
              firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err));
    assert_int_equal(result.n_merged, 1);
}

static void a_side_that_moved_is_a_lost_race(void **state)
{
    fixture *f = *state;
    const char *main_before = head(f, "main");
    const char *dev_before = head(f, "dev");
    append_file(f, "dev", "a");
    firn_merge_result result;
    firn_merge_options options = {.expected_from = dev_before};
    assert_fails(
        f, firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err),
        FIRN_E_CONFLICT, "dev is at commit");
    append_file(f, "main", "b");
    options = (firn_merge_options){.expected_from = head(f, "dev"), .expected_into = main_before};
    assert_fails(
        f, firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err),
        FIRN_E_CONFLICT, "main is at commit");
    options.expected_into = head(f, "main");
    assert_ok(f,
              firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err));
    assert_string_equal(result.from_commit, head(f, "dev"));
    assert_string_equal(result.into_commit, options.expected_into);
    assert_string_equal(result.base_commit, main_before);
}

/* Conflicts of content, of structure and of names, all at once, in a dry run, too. */
static void all_conflicts_are_told_with_their_cause(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, "main", "old"));
    assert_ok(f, create_ns(f, "main", "ours"));
    firn_merge_result result;
    assert_ok(f, merge(f, "main", "dev", &result));

    append_file(f, "dev", "a"); /* a: dropped here */
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "a")));
    assert_ok(f, commit_one(f, "dev", rename_change(f, "b", "theirs"))); /* b: renamed twice */
    assert_ok(f, commit_one(f, "main", rename_change(f, "b", "ours")));
    assert_ok(f, create_table(f, "dev", "s", "c")); /* c: made twice */
    assert_ok(f, create_table(f, "main", "s", "c"));
    assert_ok(f, drop_ns(f, "dev", "old")); /* old: has something here */
    assert_ok(f, create_table(f, "main", "old", "t"));
    assert_ok(f, create_table(f, "dev", "ours", "t")); /* ours: gone here */
    assert_ok(f, drop_ns(f, "main", "ours"));
    assert_ok(f, create_table(f, "dev", "s", "fine"));

    const char *before = head(f, "main");
    int files = warehouse_files(f);
    for (int dry = 0; dry < 2; dry++) {
        firn_merge_options options = {.dry_run = dry};
        assert_fails(
            f, firn_catalog_merge(f->catalog, f->arena, "dev", "main", &options, &result, &f->err),
            FIRN_E_VALIDATION, "(and 4 more)");
        static const struct {
            const char *name;
            firn_conflict_type type;
        } expected[] = {
            {"a", FIRN_CONFLICT_KEY_DOES_NOT_EXIST}, {"c", FIRN_CONFLICT_KEY_EXISTS},
            {"", FIRN_CONFLICT_NAMESPACE_NOT_EMPTY}, {"t", FIRN_CONFLICT_NAMESPACE_ABSENT},
            {"theirs", FIRN_CONFLICT_KEY_EXISTS},
        };
        assert_int_equal(result.n_conflicts, 5);
        for (size_t i = 0; i < 5; i++) {
            bool found = false;
            for (size_t k = 0; k < 5; k++) {
                const firn_merge_conflict *conflict = &result.conflicts[k];
                found |= firn_streq(conflict->ident.name, expected[i].name) &&
                         conflict->type == expected[i].type && conflict->advice[0] != '\0';
            }
            assert_true(found);
        }
        bool fine = false;
        for (size_t i = 0; i < result.n_merged; i++) {
            fine |= firn_streq(result.merged[i].ident.name, "fine");
        }
        assert_true(fine);
        assert_string_equal(head(f, "main"), before);
        assert_int_equal(warehouse_files(f), files);
    }
}

static firn_rc set_ns(fixture *f, const char *branch, const char *key, const char *value)
{
    json_t *document = firn_json_own(f->arena, json_pack("{ss}", key, value));
    return commit_one(f, branch,
                      (firn_change){.kind = FIRN_CHANGE_SET_NAMESPACE_PROPERTIES,
                                    .ident = {.ns = "s"},
                                    .document = document});
}

static void properties_of_namespaces_merge_by_key(void **state)
{
    fixture *f = *state;
    firn_merge_result result;
    json_t *properties;
    assert_ok(f, set_ns(f, "dev", "owner", "ann"));
    assert_ok(f, set_ns(f, "main", "comment", "sales"));
    assert_ok(f, merge(f, "dev", "main", &result));
    assert_ok(f, firn_catalog_namespace_properties(f->catalog, f->arena, "main", "s", &properties,
                                                   &f->err));
    assert_string_equal(json_string_value(json_object_get(properties, "owner")), "ann");
    assert_string_equal(json_string_value(json_object_get(properties, "comment")), "sales");
    assert_ok(f, set_ns(f, "dev", "owner", "bob"));
    assert_ok(f, set_ns(f, "main", "owner", "eve"));
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "both sides changed property \"owner\"");
    assert_int_equal(result.conflicts[0].type, FIRN_CONFLICT_VALUE_DIFFERS);
    assert_int_equal(result.conflicts[0].kind, FIRN_KIND_NAMESPACE);
}

/* ---- tables that both sides changed ----------------------------------------------------------- */

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
    change_rows(f, "dev", "b", 0, FIRN_SNAPSHOT_DELETE);
    append_file(f, "main", "b");
    int files = warehouse_files(f);
    assert_fails(f, merge(f, "dev", "main", &result), FIRN_E_VALIDATION,
                 "s.b: changed on both main and dev (dev deleted rows (snapshot ");
    assert_int_equal(result.n_conflicts, 1);
    assert_int_equal(result.conflicts[0].type, FIRN_CONFLICT_VALUE_DIFFERS);
    assert_int_equal(result.conflicts[0].n_details, 1);
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
        BRANCHES(keys_can_be_forced_or_left_out),
        BRANCHES(everything_can_be_forced_but_for_structure),
        BRANCHES(a_key_that_nobody_knows_is_an_error),
        BRANCHES(a_side_that_moved_is_a_lost_race),
        BRANCHES(all_conflicts_are_told_with_their_cause),
        BRANCHES(properties_of_namespaces_merge_by_key),
        BRANCHES(appends_on_both_sides_are_both_kept),
        BRANCHES(appends_replay_on_whatever_the_target_did),
        BRANCHES(more_than_appends_is_a_conflict_and_leaves_no_files),
        BRANCHES(a_dry_run_of_a_replay_writes_nothing),
        BRANCHES(whichever_operation_of_a_replay_fails_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
