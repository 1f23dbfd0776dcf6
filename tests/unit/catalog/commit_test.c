/* Commits: many tables at once or none, requirements, lost races, retries, and many processes on one table. */
#include "fixture.h"

static int setup_tables(void **state)
{
    fixture *f = fixture_new();
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    *state = f;
    return 0;
}

#define TABLES(name) cmocka_unit_test_setup_teardown(name, setup_tables, teardown)

static void many_tables_change_in_one_commit(void **state)
{
    fixture *f = *state;
    firn_table a = load(f, NULL, "s", "a"), b = load(f, NULL, "s", "b");
    firn_change changes[] = {append_change(f, &a), append_change(f, &b),
                             create_change(f, "s", "c")};
    firn_commit_result result;
    assert_ok(f,
              firn_catalog_commit(f->catalog, f->arena, NULL, changes, 3, NULL, &result, &f->err));
    assert_string_equal(load(f, NULL, "s", "a").entry.commit_id, result.commit_id);
    assert_string_equal(load(f, NULL, "s", "b").entry.commit_id, result.commit_id);
    assert_string_equal(load(f, NULL, "s", "c").entry.location, result.locations[2]);
    assert_string_equal(head(f, NULL), result.commit_id);
}

static void one_stale_table_stops_them_all(void **state)
{
    fixture *f = *state;
    firn_table a = load(f, NULL, "s", "a"), b = load(f, NULL, "s", "b");
    assert_ok(f, append(f, NULL, "s", "b"));
    int files = warehouse_files(f);
    const char *before = head(f, NULL);
    firn_change changes[] = {append_change(f, &a), append_change(f, &b)};
    assert_fails(f,
                 firn_catalog_commit(f->catalog, f->arena, NULL, changes, 2, NULL, NULL, &f->err),
                 FIRN_E_CONFLICT, "Requirement failed");
    assert_true(f->err.retriable);
    assert_string_equal(head(f, NULL), before);
    assert_int_equal(snapshots(f, NULL, "s", "a"), 0);
    assert_int_equal(warehouse_files(f), files); /* nothing is left of the attempt */
}

static void changes_of_one_commit_build_on_each_other(void **state)
{
    fixture *f = *state;
    firn_table a = load(f, NULL, "s", "a");
    json_t *property = firn_json_own(
        f->arena, json_pack("[{sss{ss}}]", "action", "set-properties", "updates", "k", "v"));
    firn_change changes[] = {
        append_change(f, &a),
        {.kind = FIRN_CHANGE_UPDATE_TABLE, .ident = id(f, "s", "a"), .updates = property},
        {.kind = FIRN_CHANGE_RENAME_TABLE, .ident = id(f, "s", "a"), .to = id(f, "s", "z")},
        create_change(f, "s", "a"),
        drop_change(f, "s", "b"),
    };
    firn_commit_result result;
    assert_ok(f,
              firn_catalog_commit(f->catalog, f->arena, NULL, changes, 5, NULL, &result, &f->err));
    firn_table z = load(f, NULL, "s", "z");
    assert_string_equal(z.entry.content_id, a.entry.content_id);
    assert_int_equal(z.metadata->n_snapshots, 1);
    assert_int_equal(z.metadata->n_metadata_log, 2);
    assert_string_equal(firn_metadata_property(z.metadata, "k", ""), "v");
    assert_string_not_equal(load(f, NULL, "s", "a").entry.content_id, a.entry.content_id);
    assert_fails(f, try_load(f, NULL, "s", "b"), FIRN_E_NO_TABLE, "s.b");
    assert_string_equal(result.locations[2], z.entry.location);
    assert_null(result.locations[4]);
}

static void nothing_to_do_is_no_commit(void **state)
{
    fixture *f = *state;
    const char *before = head(f, NULL);
    int files = warehouse_files(f);
    firn_change change = {.kind = FIRN_CHANGE_UPDATE_TABLE,
                          .ident = id(f, "s", "a"),
                          .updates = firn_json_own(f->arena, json_array())};
    firn_commit_result result;
    assert_ok(f,
              firn_catalog_commit(f->catalog, f->arena, NULL, &change, 1, NULL, &result, &f->err));
    assert_null(result.commit_id);
    assert_string_equal(result.locations[0], load(f, NULL, "s", "a").entry.location);
    assert_string_equal(head(f, NULL), before);
    assert_int_equal(warehouse_files(f), files);
}

static void an_expected_location_is_a_strict_guard(void **state)
{
    fixture *f = *state;
    firn_table a = load(f, NULL, "s", "a");
    assert_ok(f, append(f, NULL, "s", "a"));
    firn_change drop = drop_change(f, "s", "a");
    drop.expected_location = a.entry.location;
    assert_fails(f, commit_one(f, NULL, drop), FIRN_E_CONFLICT, "s.a changed on main meanwhile");
    drop.expected_location = load(f, NULL, "s", "a").entry.location;
    assert_ok(f, commit_one(f, NULL, drop));
}

static void tags_and_commits_cannot_be_written(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "v1", true, NULL, &f->err));
    assert_fails(f, create_ns(f, "v1", "x"), FIRN_E_READ_ONLY, "v1 is a tag and cannot change");
    assert_fails(f, create_ns(f, head(f, NULL), "x"), FIRN_E_READ_ONLY,
                 "is a commit and cannot change");
    assert_fails(f, create_ns(f, "nowhere", "x"), FIRN_E_NO_REF, "nowhere");
}

/* ---- with retry ------------------------------------------------------------------------------- */

typedef struct appender {
    fixture *f;
    int built, discarded;
    int races; /* so many times another writer comes between load and commit */
    bool fail;
} appender;

static firn_rc build_append(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                            json_t *requirements, firn_err *err)
{
    appender *self = ctx;
    (void)arena;
    self->built++;
    append_updates(base->metadata, updates, requirements);
    if (self->races > 0) {
        self->races--;
        assert_ok(self->f, append(self->f, NULL, "s", base->entry.ident.name));
    }
    if (self->fail) {
        FIRN_FAIL(err, FIRN_E_VALIDATION, "a rule broke");
    }
    return FIRN_OK;
}

static void count_discard(void *ctx)
{
    ((appender *)ctx)->discarded++;
}

static firn_rc commit_appends(fixture *f, appender *appenders, const char *const *names, size_t n)
{
    firn_table_builder builders[4];
    for (size_t i = 0; i < n; i++) {
        builders[i] = (firn_table_builder){.ident = id(f, "s", names[i]),
                                           .build = build_append,
                                           .discard = count_discard,
                                           .ctx = &appenders[i]};
    }
    return firn_catalog_commit_tables(f->catalog, f->arena, NULL, builders, n, NULL, NULL, &f->err);
}

static void set_retries(fixture *f, const char *name)
{
    json_t *updates = firn_json_own(f->arena, json_pack("[{sss{ssss}}]", "action", "set-properties",
                                                        "updates", "commit.retry.num-retries", "2",
                                                        "commit.retry.min-wait-ms", "1"));
    assert_ok(f, commit_one(f, NULL,
                            (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                          .ident = id(f, "s", name),
                                          .updates = updates}));
}

static void a_lost_race_is_built_again_on_the_new_head(void **state)
{
    fixture *f = *state;
    set_retries(f, "a");
    static const char *const names[] = {"a", "b"};
    appender two[] = {{.f = f, .races = 2}, {.f = f}};
    assert_ok(f, commit_appends(f, two, names, 2));
    assert_int_equal(two[0].built, 3);
    assert_int_equal(two[0].discarded, 2);
    assert_int_equal(two[1].discarded, 2);
    assert_int_equal(snapshots(f, NULL, "s", "a"), 3);
    assert_int_equal(snapshots(f, NULL, "s", "b"), 1);
}

static void retries_end(void **state)
{
    fixture *f = *state;
    set_retries(f, "a");
    static const char *const names[] = {"a"};
    appender one = {.f = f, .races = 100};
    assert_fails(f, commit_appends(f, &one, names, 1), FIRN_E_CONFLICT, "s.a");
    assert_int_equal(one.built, 3);
    assert_int_equal(one.discarded, 3);
}

static void a_broken_rule_is_not_retried(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"a", "b"};
    appender two[] = {{.f = f, .fail = true}, {.f = f}};
    assert_fails(f, commit_appends(f, two, names, 2), FIRN_E_VALIDATION, "a rule broke");
    assert_int_equal(two[0].built, 1);
    assert_int_equal(two[0].discarded, 1);
    assert_int_equal(two[1].built, 0);
    assert_int_equal(two[1].discarded, 0); /* it has built nothing */
}

static void one_table_twice_is_refused(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"a", "a"};
    appender two[] = {{.f = f}, {.f = f}};
    assert_fails(f, commit_appends(f, two, names, 2), FIRN_E_INVALID, "s.a is named twice");
}

/* Whatever fails for good while the commit is made: files are deleted after a known failure, and only then. */
static void after_an_unknown_outcome_nothing_is_discarded(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"a"};
    int unknown = 0, n = 0;
    firn_rc rc;
    do {
        appender one = {.f = f};
        size_t before = snapshots(f, NULL, "s", "a");
        setenv("FIRN_FAULT_FAIL", firn_arena_printf(f->arena, "%d+:unknown", ++n), 1);
        firn_fault_reload();
        rc = commit_appends(f, &one, names, 1);
        unsetenv("FIRN_FAULT_FAIL");
        firn_fault_reload();
        bool landed = snapshots(f, NULL, "s", "a") > before;
        if (rc == FIRN_E_UNKNOWN_OUTCOME) {
            unknown++;
            assert_true(f->err.outcome_unknown);
            assert_int_equal(one.discarded, 0);
        } else {
            assert_int_equal(landed, rc == FIRN_OK);
            assert_int_equal(one.discarded, rc == FIRN_OK ? 0 : 1);
        }
    } while (rc != FIRN_OK);
    assert_true(unknown >= 2 && n - 1 > unknown);
}

/* ---- many processes --------------------------------------------------------------------------- */

enum { PROCESSES = 8, COMMITS = 50 };

/* Fork before any connection is open; each child opens the catalog for itself. */
static int run_processes(fixture *f, firn_rc (*work)(fixture *f, int process, int commit))
{
    pid_t children[PROCESSES];
    fixture_close(f);
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            bool ok = fixture_open(f, false) == FIRN_OK;
            for (int i = 0; ok && i < COMMITS; i++) {
                firn_rc rc = work(f, p, i);
                ok = rc == FIRN_OK;
                if (!ok) {
                    fprintf(stderr, "process %d commit %d: %s: %s\n", p, i, firn_rc_name(rc),
                            f->err.message);
                }
            }
            fixture_close(f);
            _exit(ok ? 0 : 1);
        }
    }
    int failed = 0;
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(children[p], &status, 0), children[p]);
        failed += status != 0;
    }
    assert_ok(f, fixture_open(f, false));
    return failed;
}

static firn_rc append_to_shared(fixture *f, int process, int commit)
{
    (void)process, (void)commit;
    static const char *const names[] = {"a"};
    appender one = {.f = f};
    return commit_appends(f, &one, names, 1);
}

static void eight_processes_append_to_one_table(void **state)
{
    fixture *f = *state;
    assert_int_equal(run_processes(f, append_to_shared), 0);
    firn_table a = load(f, NULL, "s", "a");
    assert_int_equal(a.metadata->n_snapshots, PROCESSES * COMMITS);
    assert_int_equal(a.metadata->last_sequence_number, PROCESSES * COMMITS);
    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 0, &log, &n, &f->err));
    assert_int_equal(n, PROCESSES * COMMITS + 4); /* the catalog, the namespace and two tables */
}

static firn_rc create_own_table(fixture *f, int process, int commit)
{
    return create_table(f, NULL, "s", firn_arena_printf(f->arena, "t_%d_%d", process, commit));
}

static void eight_processes_create_tables(void **state)
{
    fixture *f = *state;
    assert_int_equal(run_processes(f, create_own_table), 0);
    firn_catalog_entry *entries;
    size_t n;
    assert_ok(f, firn_catalog_list(f->catalog, f->arena, NULL, FIRN_KIND_TABLE, "s", &entries, &n,
                                   &f->err));
    assert_int_equal(n, PROCESSES * COMMITS + 2);
}

/* Of all that ask for one name, one gets it. */
static firn_rc create_same_namespace(fixture *f, int process, int commit)
{
    (void)process;
    firn_rc rc = create_ns(f, NULL, firn_arena_printf(f->arena, "n%d", commit));
    return rc == FIRN_E_EXISTS ? FIRN_OK : rc;
}

static void one_name_is_given_once(void **state)
{
    fixture *f = *state;
    assert_int_equal(run_processes(f, create_same_namespace), 0);
    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 0, &log, &n, &f->err));
    assert_int_equal(n, COMMITS + 4);
}

static void two_connections_see_each_others_commits(void **state)
{
    fixture *f = *state;
    fixture other = *f;
    assert_ok(f, fixture_open(&other, false));
    firn_table stale = load(&other, NULL, "s", "a");
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_int_equal(snapshots(&other, NULL, "s", "a"), 1);
    assert_fails(&other, commit_one(&other, NULL, append_change(&other, &stale)), FIRN_E_CONFLICT,
                 "Requirement failed");
    assert_ok(&other, append(&other, NULL, "s", "a"));
    assert_int_equal(snapshots(f, NULL, "s", "a"), 2);
    fixture_close(&other);
}

typedef struct threaded {
    fixture *f;
    firn_rc rc;
} threaded;

static void *append_in_thread(void *ctx)
{
    threaded *self = ctx;
    fixture own = {.arena = firn_arena_new(), .catalog = self->f->catalog};
    for (int i = 0; i < 20 && self->rc == FIRN_OK; i++) {
        static const char *const names[] = {"a"};
        appender one = {.f = &own};
        self->rc = commit_appends(&own, &one, names, 1);
    }
    firn_arena_free(own.arena);
    return NULL;
}

static void threads_share_a_catalog(void **state)
{
    fixture *f = *state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    threaded work[THREADS];
    for (int i = 0; i < THREADS; i++) {
        work[i] = (threaded){.f = f};
        assert_int_equal(pthread_create(&threads[i], NULL, append_in_thread, &work[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(work[i].rc, FIRN_OK);
    }
    assert_int_equal(snapshots(f, NULL, "s", "a"), THREADS * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLES(many_tables_change_in_one_commit),
        TABLES(one_stale_table_stops_them_all),
        TABLES(changes_of_one_commit_build_on_each_other),
        TABLES(nothing_to_do_is_no_commit),
        TABLES(an_expected_location_is_a_strict_guard),
        TABLES(tags_and_commits_cannot_be_written),
        TABLES(a_lost_race_is_built_again_on_the_new_head),
        TABLES(retries_end),
        TABLES(a_broken_rule_is_not_retried),
        TABLES(one_table_twice_is_refused),
        TABLES(after_an_unknown_outcome_nothing_is_discarded),
        TABLES(eight_processes_append_to_one_table),
        TABLES(eight_processes_create_tables),
        TABLES(one_name_is_given_once),
        TABLES(two_connections_see_each_others_commits),
        TABLES(threads_share_a_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
