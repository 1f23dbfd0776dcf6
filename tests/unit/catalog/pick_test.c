/* Cherry-picking: what a commit did to its parent is done again elsewhere, all of the commits or none. */
#include "branches.h"

static firn_rc pick(fixture *f, const char *const *commits, size_t n, firn_pick_result *out)
{
    return firn_catalog_cherry_pick(f->catalog, f->arena, commits, n, "main", NULL, out, &f->err);
}

static const char *message(fixture *f, const char *ref, size_t i)
{
    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, ref, i + 1, &log, &n, &f->err));
    return log[i].message;
}

static void one_commit_is_picked_without_those_before_it(void **state)
{
    fixture *f = *state;
    append_file(f, "dev", "a");
    firn_change change = create_change(f, "s", "c");
    firn_commit_info info = {.author = "ann", .message = "the table c"};
    assert_ok(f,
              firn_catalog_commit(f->catalog, f->arena, "dev", &change, 1, &info, NULL, &f->err));
    const char *source = head(f, "dev");
    append_rows(f, "main", "b", 7);
    const char *before = head(f, "main");
    firn_pick_result result;
    assert_ok(f, pick(f, &source, 1, &result));
    assert_string_equal(result.into_commit, before);
    assert_string_equal(result.commit_id, head(f, "main"));
    assert_int_equal(result.n_picked, 1);
    assert_string_equal(result.picked[0].source_id, source);
    assert_string_equal(result.picked[0].commit_id, result.commit_id);
    assert_int_equal(result.picked[0].n_changed, 1);
    assert_string_equal(load(f, "main", "s", "c").entry.location,
                        load(f, "dev", "s", "c").entry.location);
    assert_int_equal(count_rows(f, "main", "a"), 0);
    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, "main", 1, &log, &n, &f->err));
    assert_string_equal(log[0].author, "ann");
    assert_string_equal(log[0].message, "the table c");
    assert_string_equal(log[0].parent_id, before);
    assert_null(log[0].merge_parent_id);

    /* Again: nothing is left to be done. */
    assert_ok(f, pick(f, &source, 1, &result));
    assert_null(result.commit_id);
    assert_null(result.picked[0].commit_id);
    assert_string_equal(head(f, "main"), log[0].id);
}

static void appends_are_picked_on_top_of_others(void **state)
{
    fixture *f = *state;
    append_rows(f, "dev", "a", 1);
    append_rows(f, "dev", "a", 2);
    const char *commits[3] = {head(f, "dev")};
    append_rows(f, "dev", "a", 4);
    append_rows(f, "dev", "a", 8);
    commits[1] = head(f, "dev");
    add_column(f, "dev", "a", "x", "int");
    commits[2] = head(f, "dev");
    append_rows(f, "main", "a", 100);
    firn_pick_result result;
    int files = warehouse_files(f);
    firn_merge_options options = {.dry_run = true};
    assert_ok(f, firn_catalog_cherry_pick(f->catalog, f->arena, commits, 3, "main", &options,
                                          &result, &f->err));
    assert_int_equal(result.n_picked, 3);
    assert_int_equal(result.picked[2].n_changed, 1);
    assert_null(result.commit_id);
    assert_int_equal(warehouse_files(f), files);
    assert_ok(f, pick(f, commits, 3, &result));
    assert_int_equal(count_rows(f, "main", "a"), 110);
    assert_string_equal(columns(f, "main", "a"), "id, x");
    assert_int_equal(result.n_picked, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(result.picked[i].how[0], FIRN_MERGED_REPLAYED);
    }
    assert_string_equal(message(f, "main", 1), "append s.a");
}

/* A data file is in a table once: what was picked is no second time in a pick or in the merge that follows. */
static void what_was_picked_does_not_come_again(void **state)
{
    fixture *f = *state;
    firn_pick_result result;
    firn_merge_result merged;
    append_rows(f, "dev", "a", 1);
    append_rows(f, "dev", "a", 2);
    const char *second = head(f, "dev");
    append_rows(f, "dev", "a", 4);
    append_rows(f, "main", "a", 100);
    assert_ok(f, pick(f, &second, 1, &result));
    assert_int_equal(count_rows(f, "main", "a"), 102);
    assert_ok(f, pick(f, &second, 1, &result));
    assert_null(result.commit_id);
    assert_int_equal(count_rows(f, "main", "a"), 102);
    assert_ok(f, merge(f, "dev", "main", &merged));
    assert_int_equal(count_rows(f, "main", "a"), 107);
    assert_ok(f, merge(f, "main", "dev", &merged));
    assert_int_equal(count_rows(f, "dev", "a"), 107);

    /* Not even when main has deleted the rows since: the deletion is newer. */
    append_rows(f, "dev", "b", 1);
    const char *picked = head(f, "dev");
    append_rows(f, "main", "b", 10);
    assert_ok(f, pick(f, &picked, 1, &result));
    change_rows(f, "main", "b", 0, FIRN_SNAPSHOT_DELETE);
    append_rows(f, "dev", "b", 5);
    assert_ok(f, merge(f, "dev", "main", &merged));
    assert_int_equal(count_rows(f, "main", "b"), 5);

    /* An overwrite that was taken over as it is stands in no later merge's way. */
    assert_ok(f, merge(f, "main", "dev", &merged));
    change_rows(f, "dev", "b", 3, FIRN_SNAPSHOT_OVERWRITE);
    picked = head(f, "dev");
    append_rows(f, "dev", "b", 1);
    assert_ok(f, pick(f, &picked, 1, &result));
    assert_int_equal(result.picked[0].how[0], FIRN_MERGED_TAKEN);
    append_rows(f, "main", "b", 20);
    assert_ok(f, merge(f, "dev", "main", &merged));
    assert_int_equal(count_rows(f, "main", "b"), count_rows(f, "dev", "b") + 20);
}

static void all_or_none(void **state)
{
    fixture *f = *state;
    append_rows(f, "dev", "a", 1);
    const char *commits[3] = {head(f, "dev")};
    assert_ok(f, create_table(f, "dev", "s", "c"));
    commits[1] = head(f, "dev");
    change_rows(f, "dev", "b", 3, FIRN_SNAPSHOT_OVERWRITE);
    append_file(f, "main", "b");
    commits[2] = head(f, "dev");
    append_rows(f, "main", "a", 100);
    const char *before = head(f, "main");
    int files = warehouse_files(f);
    firn_pick_result result;
    assert_fails(f, pick(f, commits, 3, &result), FIRN_E_VALIDATION, "s.b: changed on both main");
    assert_int_equal(result.n_conflicts, 1);
    assert_string_equal(result.conflicts[0].commit_id, commits[2]);
    assert_string_equal(head(f, "main"), before);
    assert_int_equal(warehouse_files(f), files);

    firn_merge_key key = {.ident = id(f, "s", "b"), .behaviour = FIRN_MERGE_FORCE};
    firn_merge_options options = {.keys = &key, .n_keys = 1, .expected_into = before};
    assert_ok(f, firn_catalog_cherry_pick(f->catalog, f->arena, commits, 3, "main", &options,
                                          &result, &f->err));
    assert_int_equal(count_rows(f, "main", "b"), 3);
    assert_int_equal(count_rows(f, "main", "a"), 101);
    assert_fails(f,
                 firn_catalog_cherry_pick(f->catalog, f->arena, commits, 1, "main", &options,
                                          &result, &f->err),
                 FIRN_E_CONFLICT, "main is at commit");
}

static void a_merge_is_picked_as_what_it_did_to_its_branch(void **state)
{
    fixture *f = *state;
    firn_merge_result merged;
    firn_pick_result result;
    append_rows(f, "dev", "a", 1);
    append_rows(f, "dev", "b", 2);
    assert_ok(f, firn_catalog_ref_create(f->catalog, "stage", false, "main", &f->err));
    append_rows(f, "stage", "a", 4);
    assert_ok(f, merge(f, "dev", "stage", &merged));
    const char *source = head(f, "stage");
    assert_ok(f, pick(f, &source, 1, &result));
    assert_int_equal(count_rows(f, "main", "a"), 1);
    assert_int_equal(count_rows(f, "main", "b"), 2);
}

static void what_cannot_be_picked_is_told(void **state)
{
    fixture *f = *state;
    firn_pick_result result;
    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, "main", 0, &log, &n, &f->err));
    assert_fails(f, pick(f, &log[n - 1].id, 1, &result), FIRN_E_INVALID, "made the catalog");
    assert_fails(f, pick(f, NULL, 0, &result), FIRN_E_INVALID, "no commit to be picked");
    const char *nowhere = "nowhere";
    assert_fails(f, pick(f, &nowhere, 1, &result), FIRN_E_NO_REF, "nowhere");
    const char *dropped = NULL;
    assert_ok(f, commit_one(f, "dev", drop_change(f, "s", "a")));
    dropped = head(f, "dev");
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "a")));
    assert_ok(f, pick(f, &dropped, 1, &result));
    assert_null(result.commit_id);
}

/* A table that no branch has any more comes back with its folder, if that is still its own. */
static void tables_come_back_to_life_with_their_folders(void **state)
{
    fixture *f = *state;
    firn_pick_result result;
    assert_ok(f, create_table(f, "dev", "s", "c"));
    const char *made = head(f, "dev");
    const char *location = load(f, "dev", "s", "c").metadata->location;
    assert_ok(f, firn_catalog_ref_delete(f->catalog, "dev", &f->err));
    firn_change other = create_change(f, "s", "other");
    other.updates = table_updates(f, location);
    assert_ok(f, commit_one(f, "main", other));
    assert_fails(f, pick(f, &made, 1, &result), FIRN_E_VALIDATION, "it cannot come back: location");
    assert_int_equal(result.conflicts[0].type, FIRN_CONFLICT_KEY_CONFLICT);
    assert_ok(f, commit_one(f, "main", drop_change(f, "s", "other")));
    assert_ok(f, pick(f, &made, 1, &result));
    other = create_change(f, "s", "other");
    other.updates = table_updates(f, location);
    assert_fails(f, commit_one(f, "main", other), FIRN_E_EXISTS, "overlaps");
}

static void whichever_operation_fails_nothing_is_left(void **state)
{
    fixture *f = *state;
    append_rows(f, "dev", "a", 1);
    const char *commits[2] = {head(f, "dev")};
    append_rows(f, "dev", "a", 2);
    commits[1] = head(f, "dev");
    append_rows(f, "main", "a", 100);
    int files = warehouse_files(f), n = 0;
    firn_rc rc;
    do {
        firn_pick_result result;
        setenv("FIRN_FAULT_FAIL", firn_arena_printf(f->arena, "%d", ++n), 1);
        firn_fault_reload();
        rc = pick(f, commits, 2, &result);
        unsetenv("FIRN_FAULT_FAIL");
        firn_fault_reload();
        assert_int_equal(count_rows(f, "main", "a"), rc == FIRN_OK ? 103 : 100);
        assert_true(rc == FIRN_OK || warehouse_files(f) == files);
    } while (rc != FIRN_OK);
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRANCHES(one_commit_is_picked_without_those_before_it),
        BRANCHES(appends_are_picked_on_top_of_others),
        BRANCHES(what_was_picked_does_not_come_again),
        BRANCHES(all_or_none),
        BRANCHES(a_merge_is_picked_as_what_it_did_to_its_branch),
        BRANCHES(what_cannot_be_picked_is_told),
        BRANCHES(tables_come_back_to_life_with_their_folders),
        BRANCHES(whichever_operation_fails_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
