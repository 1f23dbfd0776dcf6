/* Branches, tags, the log and what it can still show of the past. */
#include "fixture.h"

static int setup_tables(void **state)
{
    fixture *f = fixture_new();
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    *state = f;
    return 0;
}

#define TABLES(name) cmocka_unit_test_setup_teardown(name, setup_tables, teardown)

static void a_branch_has_a_life_of_its_own(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_string_equal(head(f, "dev"), head(f, "main"));
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, create_table(f, "dev", "s", "b"));
    assert_int_equal(snapshots(f, "dev", "s", "a"), 1);
    assert_int_equal(snapshots(f, "main", "s", "a"), 0);
    assert_fails(f, try_load(f, "main", "s", "b"), FIRN_E_NO_TABLE,
                 "there is no table s.b on main");
    assert_fails(f, try_load(f, "dev", "s", "c"), FIRN_E_NO_TABLE, "there is no table s.c on dev");
}

static void a_tag_stays(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "v1", true, "main", &f->err));
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_int_equal(snapshots(f, "v1", "s", "a"), 0);
    firn_ref *refs;
    size_t n;
    assert_ok(f, firn_catalog_ref_list(f->catalog, f->arena, &refs, &n, &f->err));
    assert_int_equal(n, 2);
    assert_string_equal(refs[0].name, "main");
    assert_false(refs[0].is_tag);
    assert_string_equal(refs[1].name, "v1");
    assert_true(refs[1].is_tag);
}

static void the_same_name_in_two_branches_has_two_folders(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_ok(f, create_table(f, "dev", "s", "b"));
    assert_ok(f, create_table(f, "main", "s", "b"));
    assert_string_not_equal(load(f, "dev", "s", "b").metadata->location,
                            load(f, "main", "s", "b").metadata->location);
}

static void names_of_refs_have_rules(void **state)
{
    fixture *f = *state;
    assert_fails(f, firn_catalog_ref_create(f->catalog, "main", false, NULL, &f->err),
                 FIRN_E_EXISTS, "branch main exists already");
    assert_fails(f, firn_catalog_ref_create(f->catalog, "", false, NULL, &f->err), FIRN_E_INVALID,
                 "empty");
    assert_fails(f, firn_catalog_ref_create(f->catalog, "a b", false, NULL, &f->err),
                 FIRN_E_INVALID, "\"a b\"");
    assert_fails(f, firn_catalog_ref_create(f->catalog, head(f, NULL), false, NULL, &f->err),
                 FIRN_E_INVALID, "looks like a commit id");
    assert_ok(f, firn_catalog_ref_create(f->catalog, "run/r-20261120_1.x", false, NULL, &f->err));
    assert_fails(f, firn_catalog_ref_create(f->catalog, "x", false, "run/r-20261120_2.x", &f->err),
                 FIRN_E_NO_REF, "Did you mean run/r-20261120_1.x?");
}

static void deleting_a_branch_leaves_its_commits(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_ok(f, append(f, "dev", "s", "a"));
    const char *last = head(f, "dev");
    assert_ok(f, firn_catalog_ref_delete(f->catalog, "dev", &f->err));
    assert_fails(f, try_load(f, "dev", "s", "a"), FIRN_E_NO_REF, "\"dev\"");
    assert_int_equal(snapshots(f, last, "s", "a"), 1);
    assert_ok(f, firn_catalog_ref_create(f->catalog, "rescued", false, last, &f->err));
    assert_int_equal(snapshots(f, "rescued", "s", "a"), 1);
    assert_fails(f, firn_catalog_ref_delete(f->catalog, "main", &f->err), FIRN_E_INVALID,
                 "main cannot be deleted");
    assert_fails(f, firn_catalog_ref_delete(f->catalog, "dev", &f->err), FIRN_E_NO_REF, "dev");
    assert_fails(f, firn_catalog_ref_delete(f->catalog, last, &f->err), FIRN_E_NO_REF,
                 "is a commit");
}

/* ---- the past --------------------------------------------------------------------------------- */

static void any_commit_can_be_read(void **state)
{
    fixture *f = *state;
    const char *empty_table = head(f, NULL);
    assert_ok(f, append(f, NULL, "s", "a"));
    const char *one = head(f, NULL);
    assert_ok(f, create_table(f, NULL, "s", "b"));
    assert_ok(f, commit_one(f, NULL, drop_change(f, "s", "a")));
    const char *dropped = head(f, NULL);
    assert_ok(f, create_table(f, NULL, "s", "c"));

    assert_int_equal(snapshots(f, empty_table, "s", "a"), 0);
    assert_int_equal(snapshots(f, one, "s", "a"), 1);
    assert_fails(f, try_load(f, dropped, "s", "a"), FIRN_E_NO_TABLE, "there is no table s.a on");
    firn_catalog_entry *entries;
    size_t n;
    assert_ok(f, firn_catalog_list(f->catalog, f->arena, dropped, FIRN_KIND_TABLE, NULL, &entries,
                                   &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(entries[0].ident.name, "b");
    assert_ok(f, firn_catalog_list(f->catalog, f->arena, one, FIRN_KIND_TABLE, "s", &entries, &n,
                                   &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(entries[0].commit_id, one);

    char *prefix = firn_arena_strndup(f->arena, one, 8);
    assert_int_equal(snapshots(f, prefix, "s", "a"), 1);
    assert_fails(f, try_load(f, "0123456789", "s", "a"), FIRN_E_NO_REF,
                 "there is no branch, tag or commit");
    assert_fails(f, try_load(f, firn_arena_strndup(f->arena, one, 4), "s", "a"), FIRN_E_NO_REF,
                 "there is no branch");
}

static void the_log_tells_who_did_what(void **state)
{
    fixture *f = *state;
    firn_commit *log;
    size_t n;
    firn_change changes[] = {
        {.kind = FIRN_CHANGE_RENAME_TABLE, .ident = id(f, "s", "a"), .to = id(f, "s", "b")},
        {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = id(f, "t", NULL)},
    };
    firn_commit_info info = {.author = "ann", .message = "tidy up"};
    assert_ok(f, firn_catalog_commit(f->catalog, f->arena, NULL, changes, 2, &info, NULL, &f->err));
    assert_ok(f, append(f, NULL, "s", "b"));
    assert_ok(f, commit_one(f, NULL, drop_change(f, "s", "b")));
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 0, &log, &n, &f->err));
    assert_int_equal(n, 6);
    assert_string_equal(log[0].id, head(f, NULL));
    assert_string_equal(log[0].message, "drop table s.b");
    assert_string_equal(log[0].changes[0], "drop table s.b");
    assert_string_equal(log[1].message, "append s.b");
    assert_string_equal(log[1].changes[0], "update table s.b");
    assert_string_equal(log[2].author, "ann");
    assert_string_equal(log[2].message, "tidy up");
    assert_int_equal(log[2].n_changes, 2);
    assert_string_equal(log[2].changes[0], "rename table s.a to s.b");
    assert_string_equal(log[2].changes[1], "create namespace t");
    assert_string_equal(log[3].message, "create table s.a");
    assert_string_equal(log[4].message, "create namespace s");
    assert_string_equal(log[5].message, "create the catalog");
    assert_null(log[5].parent_id);
    assert_string_equal(log[0].parent_id, log[1].id);
    assert_true(log[0].author[0] != '\0' && log[0].time_us >= log[1].time_us);

    assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 2, &log, &n, &f->err));
    assert_int_equal(n, 2);
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, log[1].id, 0, &log, &n, &f->err));
    assert_int_equal(n, 5);
}

static void long_commits_are_told_in_short(void **state)
{
    fixture *f = *state;
    firn_change changes[5];
    for (int i = 0; i < 5; i++) {
        changes[i] = create_change(f, "s", firn_arena_printf(f->arena, "t%d", i));
    }
    assert_ok(f, firn_catalog_commit(f->catalog, f->arena, NULL, changes, 5, NULL, NULL, &f->err));
    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 1, &log, &n, &f->err));
    assert_string_equal(log[0].message,
                        "create table s.t0, create table s.t1, create table s.t2 and 2 more");
    assert_int_equal(log[0].n_changes, 5);
}

static void a_diff_is_net(void **state)
{
    fixture *f = *state;
    const char *before = head(f, NULL);
    firn_diff *diff;
    size_t n;
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    assert_ok(f, create_table(f, NULL, "s", "gone"));
    assert_ok(f, commit_one(f, NULL, drop_change(f, "s", "gone")));
    assert_ok(f, firn_catalog_diff(f->catalog, f->arena, before, "main", &diff, &n, &f->err));
    assert_int_equal(n, 2);
    assert_string_equal(diff[0].ident.name, "a");
    assert_int_equal(diff[0].what, FIRN_DIFF_CHANGED);
    assert_string_equal(diff[0].from_location, load(f, before, "s", "a").entry.location);
    assert_string_equal(diff[0].to_location, load(f, "main", "s", "a").entry.location);
    assert_string_equal(diff[1].ident.name, "b");
    assert_int_equal(diff[1].what, FIRN_DIFF_ADDED);

    /* Backwards there is no line of parents to walk: whole states are compared, with the same outcome. */
    assert_ok(f, firn_catalog_diff(f->catalog, f->arena, "main", before, &diff, &n, &f->err));
    assert_int_equal(n, 2);
    assert_int_equal(diff[0].what, FIRN_DIFF_CHANGED);
    assert_int_equal(diff[1].what, FIRN_DIFF_REMOVED);
    assert_ok(f, firn_catalog_diff(f->catalog, f->arena, "main", NULL, &diff, &n, &f->err));
    assert_int_equal(n, 0);
}

/* ---- moving ----------------------------------------------------------------------------------- */

static void a_branch_goes_back_and_forth(void **state)
{
    fixture *f = *state;
    firn_ref ref;
    const char *first = head(f, NULL);
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    const char *last = head(f, NULL);
    assert_ok(f, firn_catalog_ref_reset(f->catalog, f->arena, "main", first, last, &ref, &f->err));
    assert_string_equal(ref.commit_id, first);
    assert_string_equal(head(f, NULL), first);
    assert_int_equal(snapshots(f, "main", "s", "a"), 0);
    assert_fails(f, try_load(f, "main", "s", "b"), FIRN_E_NO_TABLE, "s.b");
    assert_fails(f, firn_catalog_ref_reset(f->catalog, f->arena, "main", last, last, NULL, &f->err),
                 FIRN_E_CONFLICT, "main is at commit");
    /* Its commits stay, and a branch can be put on any of them, by the beginning of its id. */
    char *prefix = firn_arena_strndup(f->arena, last, 8);
    assert_ok(f, firn_catalog_ref_reset(f->catalog, f->arena, NULL, prefix, NULL, &ref, &f->err));
    assert_string_equal(head(f, NULL), last);
    load(f, "main", "s", "b");
    assert_ok(f, append(f, NULL, "s", "b"));
    assert_int_equal(snapshots(f, "main", "s", "b"), 1);

    assert_ok(f, firn_catalog_ref_create(f->catalog, "v1", true, first, &f->err));
    assert_fails(f, firn_catalog_ref_reset(f->catalog, f->arena, "v1", last, NULL, NULL, &f->err),
                 FIRN_E_READ_ONLY, "v1 is a tag");
    assert_ok(f, firn_catalog_ref_reset(f->catalog, f->arena, "main", "v1", NULL, &ref, &f->err));
    assert_string_equal(head(f, NULL), first);
    assert_fails(f, firn_catalog_ref_reset(f->catalog, f->arena, "main", "x", NULL, NULL, &f->err),
                 FIRN_E_NO_REF, "\"x\"");
}

/* Another table has moved into the folder of one that was dropped: the two must not live at once. */
static void what_lost_its_folder_does_not_come_back(void **state)
{
    fixture *f = *state;
    const char *location = load(f, NULL, "s", "a").metadata->location;
    const char *with_a = head(f, NULL);
    assert_ok(f, commit_one(f, NULL, drop_change(f, "s", "a")));
    firn_change other = create_change(f, "s", "other");
    other.updates = table_updates(f, location);
    assert_ok(f, commit_one(f, NULL, other));
    const char *with_other = head(f, NULL);

    assert_fails(f, firn_catalog_ref_create(f->catalog, "old", false, with_a, &f->err),
                 FIRN_E_EXISTS, "s.a cannot come back to life: location");
    assert_fails(f,
                 firn_catalog_ref_reset(f->catalog, f->arena, "main", with_a, NULL, NULL, &f->err),
                 FIRN_E_EXISTS, "the folder of s.other on main");
    firn_ref *refs;
    size_t n;
    assert_ok(f, firn_catalog_ref_list(f->catalog, f->arena, &refs, &n, &f->err));
    assert_int_equal(n, 1);

    /* When the other one is gone, it may; and then it keeps its folder. */
    assert_ok(f, commit_one(f, NULL, drop_change(f, "s", "other")));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "old", false, with_a, &f->err));
    load(f, "old", "s", "a");
    assert_fails(f, firn_catalog_ref_create(f->catalog, "newer", false, with_other, &f->err),
                 FIRN_E_EXISTS, "s.other cannot come back to life");
    other = create_change(f, "s", "third");
    other.updates = table_updates(f, location);
    assert_fails(f, commit_one(f, NULL, other), FIRN_E_EXISTS, "overlaps");
}

/* A table whose metadata is gone has nothing to lose. */
static void a_purged_table_does_not_stand_in_the_way(void **state)
{
    fixture *f = *state;
    const char *with_a = head(f, NULL);
    const char *file = load(f, NULL, "s", "a").entry.location;
    assert_ok(f, create_table(f, NULL, "s", "b"));
    assert_ok(f, commit_one(f, NULL, drop_change(f, "s", "a")));
    assert_ok(f, firn_storage_delete(f->storage, file, &f->err));
    fixture_reopen(f);
    assert_ok(f, firn_catalog_ref_create(f->catalog, "old", false, with_a, &f->err));
    assert_fails(f, try_load(f, "old", "s", "a"), FIRN_E_NOT_FOUND, "cannot load table s.a");
}

static void making_a_ref_may_expect_and_replace(void **state)
{
    fixture *f = *state;
    firn_ref ref;
    const char *first = head(f, NULL);
    assert_ok(f, append(f, NULL, "s", "a"));
    firn_ref_make make = {.name = "dev", .expected = first};
    assert_fails(f, firn_catalog_ref_make(f->catalog, f->arena, &make, &ref, &f->err),
                 FIRN_E_CONFLICT, "main is at commit");
    make.expected = head(f, NULL);
    assert_ok(f, firn_catalog_ref_make(f->catalog, f->arena, &make, &ref, &f->err));
    assert_string_equal(ref.commit_id, make.expected);
    make = (firn_ref_make){.name = "dev", .from = first, .replace = true};
    assert_ok(f, firn_catalog_ref_make(f->catalog, f->arena, &make, &ref, &f->err));
    assert_string_equal(head(f, "dev"), first);
    assert_int_equal(snapshots(f, "dev", "s", "a"), 0);
    make.is_tag = true;
    assert_fails(f, firn_catalog_ref_make(f->catalog, f->arena, &make, &ref, &f->err),
                 FIRN_E_EXISTS, "branch dev exists already");
    make = (firn_ref_make){.name = "main", .from = first, .replace = true};
    assert_fails(f, firn_catalog_ref_make(f->catalog, f->arena, &make, &ref, &f->err),
                 FIRN_E_INVALID, "main is not replaced but reset");
    assert_fails(f, firn_catalog_ref_drop(f->catalog, f->arena, "dev", "x", NULL, &f->err),
                 FIRN_E_CONFLICT, "dev is at commit");
    assert_ok(f, firn_catalog_ref_drop(f->catalog, f->arena, "dev", first, &ref, &f->err));
    assert_string_equal(ref.commit_id, first);
}

static void refs_are_renamed(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_ok(f, append(f, "dev", "s", "a"));
    const char *at = head(f, "dev");
    assert_fails(f, firn_catalog_ref_rename(f->catalog, "dev", "main", &f->err), FIRN_E_EXISTS,
                 "branch main exists already");
    assert_fails(f, firn_catalog_ref_rename(f->catalog, "main", "x", &f->err), FIRN_E_INVALID,
                 "main cannot be renamed");
    assert_ok(f, firn_catalog_ref_rename(f->catalog, "dev", "fix/1", &f->err));
    assert_string_equal(head(f, "fix/1"), at);
    assert_int_equal(snapshots(f, "fix/1", "s", "a"), 1);
    assert_ok(f, append(f, "fix/1", "s", "a"));
    assert_fails(f, try_load(f, "dev", "s", "a"), FIRN_E_NO_REF, "dev");
}

static void the_log_can_be_asked(void **state)
{
    fixture *f = *state;
    firn_commit *log;
    size_t n;
    const char *next;
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    assert_ok(f, append(f, NULL, "s", "a"));
    firn_ident key = id(f, "s", "a");
    firn_log_query query = {.key = &key, .limit = 2};
    assert_ok(f, firn_catalog_log_page(f->catalog, f->arena, &query, &log, &n, &next, &f->err));
    assert_int_equal(n, 2);
    assert_string_equal(log[1].message, "append s.a");
    query.from = next;
    assert_ok(f, firn_catalog_log_page(f->catalog, f->arena, &query, &log, &n, &next, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(log[0].message, "create table s.a");
    assert_null(next);
    int64_t time_us = log[0].time_us;
    query = (firn_log_query){.since_us = time_us + 1};
    assert_ok(f, firn_catalog_log_page(f->catalog, f->arena, &query, &log, &n, &next, &f->err));
    assert_int_equal(n, 3);
    query = (firn_log_query){.until_us = time_us};
    assert_ok(f, firn_catalog_log_page(f->catalog, f->arena, &query, &log, &n, &next, &f->err));
    assert_int_equal(n, 2);
    query = (firn_log_query){.author = "nobody"};
    assert_ok(f, firn_catalog_log_page(f->catalog, f->arena, &query, &log, &n, &next, &f->err));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLES(a_branch_has_a_life_of_its_own),
        TABLES(a_tag_stays),
        TABLES(the_same_name_in_two_branches_has_two_folders),
        TABLES(names_of_refs_have_rules),
        TABLES(deleting_a_branch_leaves_its_commits),
        TABLES(any_commit_can_be_read),
        TABLES(the_log_tells_who_did_what),
        TABLES(long_commits_are_told_in_short),
        TABLES(a_diff_is_net),
        TABLES(a_branch_goes_back_and_forth),
        TABLES(what_lost_its_folder_does_not_come_back),
        TABLES(a_purged_table_does_not_stand_in_the_way),
        TABLES(making_a_ref_may_expect_and_replace),
        TABLES(refs_are_renamed),
        TABLES(the_log_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
