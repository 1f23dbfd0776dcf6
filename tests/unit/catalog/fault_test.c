/* Faults: whichever operation fails, and wherever the process is killed, the catalog opens with the old state or the new
 * one, every entry loads, and the log agrees with the branches. */
#include "fixture.h"

#include "internal.h"

#include <signal.h>

static void inject(const char *variable, const char *value)
{
    if (value) {
        setenv(variable, value, 1);
    } else {
        unsetenv(variable);
    }
    firn_fault_reload();
}

/* ---- the work --------------------------------------------------------------------------------- */

static firn_rc step_namespace(fixture *f)
{
    return create_ns(f, NULL, "gold");
}

static firn_rc step_two_tables(fixture *f)
{
    firn_change changes[] = {create_change(f, "s", "x"), create_change(f, "s", "y")};
    return firn_catalog_commit(f->catalog, f->arena, NULL, changes, 2, NULL, NULL, &f->err);
}

static firn_rc step_append(fixture *f)
{
    firn_table a, b;
    FIRN_TRY(firn_catalog_table_load(f->catalog, f->arena, NULL, id(f, "s", "a"), &a, &f->err));
    FIRN_TRY(firn_catalog_table_load(f->catalog, f->arena, NULL, id(f, "s", "b"), &b, &f->err));
    firn_change changes[] = {append_change(f, &a), append_change(f, &b)};
    return firn_catalog_commit(f->catalog, f->arena, NULL, changes, 2, NULL, NULL, &f->err);
}

static const char *first_commit; /* of dev */

/* Built before the append that the table has now, so that it must be made again on top of that. */
static firn_change late_append;

static firn_rc step_rebase(fixture *f)
{
    return commit_one(f, NULL, late_append);
}

static firn_rc step_rename_and_drop(fixture *f)
{
    firn_change changes[] = {
        {.kind = FIRN_CHANGE_RENAME_TABLE, .ident = id(f, "s", "a"), .to = id(f, "s", "z")},
        drop_change(f, "s", "b"),
    };
    return firn_catalog_commit(f->catalog, f->arena, NULL, changes, 2, NULL, NULL, &f->err);
}

static firn_rc step_view(fixture *f)
{
    return commit_one(
        f, NULL,
        (firn_change){.kind = FIRN_CHANGE_PUT_VIEW,
                      .ident = id(f, "s", "v"),
                      .document = firn_json_own(f->arena, json_pack("{ss}", "sql", "select 1"))});
}

/* A view made of updates and replaced in the same commit: two files. */
static firn_rc step_view_updates(fixture *f)
{
    static const char text[] =
        "[{\"action\":\"add-schema\",\"schema\":{\"type\":\"struct\",\"fields\":[]}},"
        "{\"action\":\"add-view-version\",\"view-version\":{\"version-id\":1,\"schema-id\":-1,"
        "\"timestamp-ms\":1,\"summary\":{},\"default-namespace\":[],\"representations\":"
        "[{\"type\":\"sql\",\"dialect\":\"duckdb\",\"sql\":\"select 1\"}]}},"
        "{\"action\":\"set-current-view-version\",\"view-version-id\":-1}]";
    json_t *updates = NULL;
    FIRN_TRY(firn_json_parse(f->arena, firn_bytes_str(text), "updates", &updates, &f->err));
    json_t *more = firn_json_own(
        f->arena, json_pack("[{s:s, s:{s:s}}]", "action", "set-properties", "updates", "a", "b"));
    firn_change changes[] = {
        {.kind = FIRN_CHANGE_CREATE_VIEW, .ident = id(f, "s", "w"), .updates = updates},
        {.kind = FIRN_CHANGE_UPDATE_VIEW, .ident = id(f, "s", "w"), .updates = more},
    };
    return firn_catalog_commit(f->catalog, f->arena, NULL, changes, 2, NULL, NULL, &f->err);
}

static firn_rc step_merge(fixture *f)
{
    firn_merge_result result;
    return firn_catalog_merge(f->catalog, f->arena, "dev", NULL, NULL, &result, &f->err);
}

static firn_rc step_branch(fixture *f)
{
    return firn_catalog_ref_create(f->catalog, "feature", false, NULL, &f->err);
}

static firn_rc step_delete_branch(fixture *f)
{
    return firn_catalog_ref_delete(f->catalog, "dev", &f->err);
}

/* dev's newest commit changed b, which main changed, too. */
static firn_rc step_pick(fixture *f)
{
    const char *commits[] = {"dev"};
    firn_pick_result result;
    return firn_catalog_cherry_pick(f->catalog, f->arena, commits, 1, NULL, NULL, &result, &f->err);
}

static firn_rc step_reset(fixture *f)
{
    return firn_catalog_ref_reset(f->catalog, f->arena, "main", "dev", NULL, NULL, &f->err);
}

/* Nothing stands at this commit any more, and a table of then comes back to life. */
static firn_rc step_reset_to_commit(fixture *f)
{
    return firn_catalog_ref_reset(f->catalog, f->arena, "dev", first_commit, NULL, NULL, &f->err);
}

static firn_rc step_rename_branch(fixture *f)
{
    return firn_catalog_ref_rename(f->catalog, "dev", "fix", &f->err);
}

static const struct step {
    const char *name;
    firn_rc (*run)(fixture *f);
} steps[] = {
    {"create namespace", step_namespace},
    {"create two tables", step_two_tables},
    {"append to two tables", step_append},
    {"append on a head that moved", step_rebase},
    {"rename and drop", step_rename_and_drop},
    {"put view", step_view},
    {"create and change a view", step_view_updates},
    {"merge", step_merge},
    {"cherry-pick", step_pick},
    {"reset", step_reset},
    {"reset to a commit", step_reset_to_commit},
    {"rename branch", step_rename_branch},
    {"create branch", step_branch},
    {"delete branch", step_delete_branch},
};
enum { N_STEPS = sizeof(steps) / sizeof(steps[0]) };

static void set_property(fixture *f, const char *branch, const char *key)
{
    json_t *updates = firn_json_own(
        f->arena, json_pack("[{sss{ss}}]", "action", "set-properties", "updates", key, branch));
    assert_ok(f, commit_one(f, branch,
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = id(f, "s", "b"),
                                          .updates = updates}));
}

/* Three tables, one of which both branches changed, and a branch with an append of its own; files are fsynced, so that those operations can fail, too. */
static fixture *prepared(void)
{
    fixture *f = fixture_new();
    fixture_close(f);
    firn_storage_free(f->storage);
    f->storage = firn_storage_new(NULL);
    assert_ok(f, fixture_open(f, false));
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_ok(f, create_table(f, "dev", "s", "gone"));
    first_commit = head(f, "dev");
    assert_ok(f, commit_one(f, "dev", drop_change(f, "s", "gone")));
    assert_ok(f, append(f, "dev", "s", "a"));
    set_property(f, "dev", "of-dev");
    set_property(f, "main", "of-main");
    assert_ok(f, create_table(f, NULL, "s", "c"));
    firn_table known = load(f, NULL, "s", "c");
    late_append = engine_append(f, &known, "late", 10);
    assert_ok(f, commit_one(f, NULL, engine_append(f, &known, "early", 5)));
    return f;
}

/* ---- what must hold --------------------------------------------------------------------------- */

/* The whole state as text: every ref with its commit and everything in it. */
static const char *state_text(fixture *f)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_ref *refs;
    size_t n_refs;
    assert_ok(f, firn_catalog_ref_list(f->catalog, f->arena, &refs, &n_refs, &f->err));
    for (size_t r = 0; r < n_refs; r++) {
        firn_buf_printf(&buf, "%s:", refs[r].name);
        for (int kind = FIRN_KIND_TABLE; kind <= FIRN_KIND_NAMESPACE; kind++) {
            firn_catalog_entry *entries;
            size_t n;
            assert_ok(f, firn_catalog_list(f->catalog, f->arena, refs[r].name,
                                           (firn_entry_kind)kind, NULL, &entries, &n, &f->err));
            for (size_t i = 0; i < n; i++) {
                const char *location = entries[i].location ? entries[i].location : "";
                firn_buf_printf(&buf, " %s", firn_ident_text(f->arena, entries[i].ident));
                /* of the file's name only the number: the rest is new in each attempt */
                firn_buf_printf(&buf, "@%.5s", location[0] ? strrchr(location, '/') + 1 : "-");
            }
        }
        firn_buf_puts(&buf, "\n");
    }
    return firn_arena_strdup(f->arena, firn_buf_cstr(&buf));
}

/* Every ref's entries are what its line of commits adds up to. */
static void check_log_agrees(fixture *f, const firn_ref *ref)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_stored *from_entries, *from_log;
    size_t n_entries, n_log;
    firn_point at;
    assert_ok(f, firn_db_session_begin(f->catalog, false, &session, &f->err));
    assert_ok(f, firn_store_resolve(session.db, f->arena, ref->name, &at, &f->err));
    assert_ok(f,
              firn_store_list(session.db, f->arena, &at, NULL, &from_entries, &n_entries, &f->err));
    at.entries = NULL;
    assert_ok(f, firn_store_list(session.db, f->arena, &at, NULL, &from_log, &n_log, &f->err));
    assert_int_equal(n_entries, n_log);
    for (size_t i = 0; i < n_log; i++) {
        assert_string_equal(from_entries[i].ns, from_log[i].ns);
        assert_string_equal(from_entries[i].name, from_log[i].name);
        assert_true(firn_stored_same(&from_entries[i], &from_log[i]));
        assert_string_equal(from_entries[i].commit_id, from_log[i].commit_id);
        assert_int_equal(from_entries[i].updated_us, from_log[i].updated_us);
    }
}

/* What a snapshot refers to is there, whoever wrote it. */
static void check_manifests(fixture *f, const firn_table *table)
{
    const firn_snapshot *s = table->metadata->current_snapshot;
    firn_manifest_file *files;
    size_t n;
    if (!s || firn_streq(s->manifest_list, "file:///nowhere.avro")) {
        return;
    }
    assert_ok(
        f, firn_manifest_list_read(f->storage, f->arena, table->metadata, s, &files, &n, &f->err));
    assert_int_equal(n, table->metadata->n_snapshots);
    for (size_t i = 0; i < n; i++) {
        firn_manifest *manifest;
        assert_ok(f, firn_manifest_open(f->storage, NULL, table->metadata, &files[i], &manifest,
                                        &f->err));
        firn_manifest_unref(manifest);
    }
}

static void check_whole(fixture *f)
{
    firn_ref *refs;
    size_t n_refs;
    assert_ok(f, firn_catalog_ref_list(f->catalog, f->arena, &refs, &n_refs, &f->err));
    for (size_t r = 0; r < n_refs; r++) {
        firn_catalog_entry *entries;
        size_t n;
        check_log_agrees(f, &refs[r]);
        assert_ok(f, firn_catalog_list(f->catalog, f->arena, refs[r].name, FIRN_KIND_TABLE, NULL,
                                       &entries, &n, &f->err));
        for (size_t i = 0; i < n; i++) {
            firn_table table;
            assert_ok(f, firn_catalog_table_load(f->catalog, f->arena, refs[r].name,
                                                 entries[i].ident, &table, &f->err));
            check_manifests(f, &table);
        }
        assert_ok(f, firn_catalog_list(f->catalog, f->arena, refs[r].name, FIRN_KIND_VIEW, NULL,
                                       &entries, &n, &f->err));
        for (size_t i = 0; i < n; i++) {
            json_t *view;
            assert_ok(f, firn_catalog_view_load(f->catalog, f->arena, refs[r].name,
                                                entries[i].ident, &entries[i], &view, &f->err));
        }
    }
}

/* State and number of files before and after the step when nothing goes wrong. */
typedef struct expectation {
    char *before, *after;
    int files_before, files_after;
} expectation;

static expectation expect(const struct step *step)
{
    fixture *f = prepared();
    expectation e = {.before = firn_strdup(state_text(f)), .files_before = warehouse_files(f)};
    assert_ok(f, step->run(f));
    e.after = firn_strdup(state_text(f));
    e.files_after = warehouse_files(f);
    assert_string_not_equal(e.before, e.after);
    fixture_free(f);
    return e;
}

static void forget(expectation *e)
{
    free(e->before);
    free(e->after);
}

/* ---- the N-th operation fails ----------------------------------------------------------------- */

/* Whether the step got as far as the injected fault: if not, further operations still run into it. */
static bool fault_was_met(bool for_good)
{
    enum { MORE_THAN_ANY_STEP = 1000 };
    if (for_good) {
        return firn_fault_point("probe", "x", NULL) != FIRN_OK;
    }
    for (int i = 0; i < MORE_THAN_ANY_STEP; i++) {
        if (firn_fault_point("probe", "x", NULL) != FIRN_OK) {
            return false;
        }
    }
    return true;
}

static void check_outcome(fixture *f, const expectation *e, firn_rc rc, bool may_leave_orphans)
{
    const char *now = state_text(f);
    check_whole(f);
    if (rc == FIRN_E_UNKNOWN_OUTCOME) {
        assert_true(firn_streq(now, e->before) || firn_streq(now, e->after));
        assert_true(f->err.outcome_unknown);
        return;
    }
    assert_string_equal(now, rc == FIRN_OK ? e->after : e->before);
    if (!may_leave_orphans) {
        assert_int_equal(warehouse_files(f), rc == FIRN_OK ? e->files_after : e->files_before);
    }
}

static void fail_every_operation_of(const struct step *step, bool for_good)
{
    expectation e = expect(step);
    bool met = true;
    int n = 0;
    while (met) {
        fixture *f = prepared();
        inject("FIRN_FAULT_FAIL",
               firn_arena_printf(f->arena, "%d%s", ++n, for_good ? "+:nospace" : ""));
        firn_rc rc = step->run(f);
        met = fault_was_met(for_good);
        inject("FIRN_FAULT_FAIL", NULL);
        assert_true(met || rc == FIRN_OK);
        fixture_reopen(f);
        check_outcome(f, &e, rc,
                      for_good); /* a disk that stays full takes no deletes here, either */

        /* Whatever happened, the same step goes through now, or finds that it has been done. */
        const char *now = state_text(f);
        rc = step->run(f);
        assert_true(rc == FIRN_OK || firn_streq(now, e.after));
        check_whole(f);
        fixture_free(f);
    }
    assert_true(n > 2);
    forget(&e);
}

static void every_operation_may_fail_once(void **state)
{
    (void)state;
    for (int i = 0; i < N_STEPS; i++) {
        fail_every_operation_of(&steps[i], false);
    }
}

/* A disk that is full stays full: cleaning up and asking again fail, too. */
static void every_operation_may_fail_for_good(void **state)
{
    (void)state;
    for (int i = 0; i < N_STEPS; i++) {
        fail_every_operation_of(&steps[i], true);
    }
}

/* ---- killed ----------------------------------------------------------------------------------- */

static bool run_killed(fixture *f, const struct step *step, const char *point, int nth)
{
    fixture_close(f);
    pid_t child = fork();
    if (child == 0) {
        inject("FIRN_FAULT_KILL", firn_arena_printf(f->arena, "%s:%d", point, nth));
        firn_rc rc = fixture_open(f, false);
        if (rc == FIRN_OK) {
            rc = step->run(f);
        }
        _exit(rc == FIRN_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void killed_anywhere_it_holds_the_old_or_the_new(void **state)
{
    (void)state;
    static const char *const points[] = {
        "storage.put",
        "storage.mkdir",
        "storage.create",
        "storage.write",
        "storage.fsync",
        "storage.rename",
        "storage.fsync_dir",
        "commit.metadata_written",
        "catalog.begin",
        "catalog.commit.before",
        "catalog.commit.after",
        "commit.pointer_swapped",
        "commit.manifest_list_written",
    };
    for (int i = 0; i < N_STEPS; i++) {
        expectation e = expect(&steps[i]);
        int kills = 0;
        for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) {
            bool killed = true;
            for (int nth = 1; killed; nth++) {
                fixture *f = prepared();
                killed = run_killed(f, &steps[i], points[p], nth);
                kills += killed;
                assert_ok(f, fixture_open(f, false));
                check_whole(f);
                const char *now = state_text(f);
                bool after = strstr(points[p], "after") || strstr(points[p], "swapped") || !killed;
                assert_string_equal(now, after ? e.after : e.before);
                fixture_free(f);
            }
        }
        assert_true(kills >= 3);
        forget(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_may_fail_once),
        cmocka_unit_test(every_operation_may_fail_for_good),
        cmocka_unit_test(killed_anywhere_it_holds_the_old_or_the_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
