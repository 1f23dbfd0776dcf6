/* Many writers of few tables: they wait in line, late appends are made again, and everybody gets through. */
#include "fixture.h"

#include "internal.h"

#include "base/time.h"

enum { WRITERS = 8, APPENDS = 12 };

typedef struct writer {
    fixture *f;
    int number, appends;
    firn_rc rc;
    firn_err err;
    pthread_t thread;
} writer;

/* ---- in line ---------------------------------------------------------------------------------- */

typedef struct waiter {
    fixture *f;
    int number;
    int *order; /* filled in the order of turns; the turn protects it */
    int *n;
    pthread_t thread;
} waiter;

static void *wait_and_note(void *ctx)
{
    waiter *w = ctx;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    uint64_t keys[] = {firn_lock_key(NULL, (firn_ident){"s", "a"})};
    firn_turn turn;
    if (firn_turn_take(w->f->catalog, arena, keys, 1, &turn, NULL) == FIRN_OK) {
        w->order[(*w->n)++] = w->number;
    }
    firn_turn_end(&turn);
    return NULL;
}

static void first_come_first_served(void **state)
{
    fixture *f = *state;
    uint64_t keys[] = {firn_lock_key(NULL, (firn_ident){"s", "a"})};
    firn_turn turn;
    waiter waiters[WRITERS];
    int order[WRITERS], n = 0;
    assert_ok(f, firn_turn_take(f->catalog, f->arena, keys, 1, &turn, &f->err));
    for (int i = 0; i < WRITERS; i++) {
        waiters[i] = (waiter){.f = f, .number = i, .order = order, .n = &n};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_and_note, &waiters[i]), 0);
        while (firn_line_len(f->catalog->lines, keys[0]) < (size_t)i + 2) {
            firn_sleep_ms(1); /* until it stands in line */
        }
    }
    assert_int_equal(n, 0);
    firn_turn_end(&turn);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(waiters[i].thread, NULL);
    }
    assert_int_equal(n, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(order[i], i);
    }
}

/* Keys are taken in one order, whatever order they are named in, and the same key once. */
static void turns_at_several_tables(void **state)
{
    fixture *f = *state;
    uint64_t keys[] = {7 << 20, 3 << 20, 7 << 20, 5 << 20, 3 << 20};
    firn_turn turn;
    assert_ok(f, firn_turn_take(f->catalog, f->arena, keys, 5, &turn, &f->err));
    assert_int_equal(turn.n_places, 3);
    firn_turn_end(&turn);
    assert_ok(f, firn_turn_take(f->catalog, f->arena, keys, 0, &turn, &f->err));
    firn_turn_end(&turn);
}

/* ---- appends ----------------------------------------------------------------------------------- */

static firn_rc append_once(writer *w, fixture *own, const firn_table *known, int i)
{
    firn_change change =
        engine_append(own, known, firn_arena_printf(own->arena, "w%d-%d", w->number, i), 1 + i % 3);
    firn_commit_info info = {.author = "w", .queue = true};
    firn_commit_result result;
    return firn_catalog_commit(own->catalog, own->arena, NULL, &change, 1, &info, &result,
                               &own->err);
}

/* As a client that loads the table now and then: half of what it builds on is stale. */
static void *write_appends(void *ctx)
{
    writer *w = ctx;
    fixture own = *w->f; /* storage and catalog are shared, arena and error are not */
    own.arena = firn_arena_new();
    firn_table known = {0};
    for (int i = 0; w->rc == FIRN_OK && i < w->appends; i++) {
        if (i % 3 == 0) {
            w->rc = firn_catalog_table_load(own.catalog, own.arena, NULL, id(&own, "s", "a"),
                                            &known, &own.err);
        }
        if (w->rc == FIRN_OK) {
            w->rc = append_once(w, &own, &known, i);
        }
    }
    w->err = own.err;
    firn_arena_free(own.arena);
    return NULL;
}

static void run_writers(fixture *f, int n, int appends, int first_number)
{
    writer writers[WRITERS];
    for (int i = 0; i < n; i++) {
        writers[i] = (writer){.f = f, .number = first_number + i, .appends = appends};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_appends, &writers[i]), 0);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(writers[i].thread, NULL);
        if (writers[i].rc != FIRN_OK) {
            print_error("writer %d: %s\n", i, writers[i].err.message);
        }
        assert_int_equal(writers[i].rc, FIRN_OK);
    }
}

static void make_table(fixture *f, int version)
{
    assert_ok(f, create_ns(f, NULL, "s"));
    firn_change change = create_change(f, "s", "a");
    json_t *updates = json_deep_copy(change.updates), *update;
    size_t i;
    json_array_foreach(updates, i, update)
    {
        if (json_object_get(update, "format-version")) {
            json_object_set_new(update, "format-version", json_integer(version));
        }
    }
    json_array_append_new(updates, json_pack("{sss{ss}}", "action", "set-properties", "updates",
                                             "commit.manifest.min-count-to-merge", "10"));
    change.updates = firn_json_own(f->arena, updates);
    assert_ok(f, commit_one(f, NULL, change));
}

/* Every file once, every row id once, numbers that only grow, a line of parents, totals that add up. */
static void check_table(fixture *f, int expected_files)
{
    firn_table table = load(f, NULL, "s", "a");
    const firn_metadata *m = table.metadata;
    firn_scan_options options = {
        .storage = f->storage, .metadata = m, .snapshot = m->current_snapshot, .schema = m->schema};
    firn_scan *scan;
    firn_scan_task *tasks;
    size_t n;
    assert_ok(f, firn_scan_open(f->arena, &options, &scan, &f->err));
    assert_ok(f, firn_scan_all(scan, &tasks, &n, &f->err));
    assert_int_equal(n, expected_files);
    firn_map *paths = firn_map_new(f->arena);
    firn_imap *row_ids = firn_imap_new(f->arena);
    int64_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        const firn_data_file *file = tasks[i].file;
        assert_null(firn_map_put(paths, file->path, paths));
        rows += file->record_count;
        for (int64_t r = 0; m->format_version == 3 && r < file->record_count; r++) {
            assert_true(file->first_row_id >= 0 && file->first_row_id + r < m->next_row_id);
            assert_null(firn_imap_put(row_ids, file->first_row_id + r, row_ids));
        }
    }
    const char *total =
        json_string_value(json_object_get(m->current_snapshot->summary, "total-records"));
    assert_string_equal(total, firn_arena_printf(f->arena, "%lld", (long long)rows));
    assert_int_equal(m->n_snapshots, expected_files);
    for (size_t i = 1; i < m->n_snapshots; i++) {
        assert_int_equal(m->snapshots[i].parent_id, m->snapshots[i - 1].snapshot_id);
        assert_true(m->snapshots[i].sequence_number > m->snapshots[i - 1].sequence_number);
    }
}

/* Of manifest lists there are those that snapshots name, and the clients' own that were replaced. */
static void check_manifest_lists(fixture *f, size_t requests)
{
    firn_table table = load(f, NULL, "s", "a");
    firn_storage_object *objects;
    size_t n, lists = 0;
    const char *folder = firn_arena_printf(f->arena, "%s/metadata/", table.metadata->location);
    assert_ok(f, firn_storage_list(f->storage, f->arena, folder, &objects, &n, &f->err));
    for (size_t i = 0; i < n; i++) {
        lists += strstr(objects[i].location, "/snap-") != NULL;
    }
    assert_true(lists >= table.metadata->n_snapshots);
    assert_true(lists <= table.metadata->n_snapshots + requests);
}

static void all_appends_get_through(void **state)
{
    (void)state;
    for (int version = 2; version <= 3; version++) {
        fixture *f = fixture_new();
        make_table(f, version);
        run_writers(f, WRITERS, APPENDS, 0);
        check_table(f, WRITERS * APPENDS);
        check_manifest_lists(f, WRITERS * APPENDS);
        size_t n;
        firn_commit *log;
        assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 1000, &log, &n, &f->err));
        assert_int_equal(n, WRITERS * APPENDS + 3); /* each append a commit of its own */
        fixture_free(f);
    }
}

static void processes_with_threads_take_turns(void **state)
{
    enum { PROCESSES = 4, THREADS = 3, EACH = 6 };
    fixture *f = *state;
    make_table(f, 2);
    fixture_close(f);
    pid_t children[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            assert_ok(f, fixture_open(f, false));
            run_writers(f, THREADS, EACH, p * THREADS);
            _exit(0);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(children[p], &status, 0), children[p]);
        assert_int_equal(status, 0);
    }
    assert_ok(f, fixture_open(f, false));
    check_table(f, PROCESSES * THREADS * EACH);
}

/* ---- several tables in one commit ---------------------------------------------------------------- */

static void *write_pairs(void *ctx)
{
    writer *w = ctx;
    fixture own = *w->f;
    own.arena = firn_arena_new();
    const char *first = w->number % 2 ? "a" : "b", *second = w->number % 2 ? "b" : "a";
    for (int i = 0; w->rc == FIRN_OK && i < w->appends; i++) {
        firn_table x, y;
        w->rc = firn_catalog_table_load(own.catalog, own.arena, NULL, id(&own, "s", first), &x,
                                        &own.err);
        if (w->rc == FIRN_OK) {
            w->rc = firn_catalog_table_load(own.catalog, own.arena, NULL, id(&own, "s", second), &y,
                                            &own.err);
        }
        if (w->rc != FIRN_OK) {
            break;
        }
        const char *name = firn_arena_printf(own.arena, "w%d-%d", w->number, i);
        firn_change changes[] = {engine_append(&own, &x, name, 1),
                                 engine_append(&own, &y, name, 1)};
        firn_commit_info info = {.queue = true};
        w->rc =
            firn_catalog_commit(own.catalog, own.arena, NULL, changes, 2, &info, NULL, &own.err);
    }
    w->err = own.err;
    firn_arena_free(own.arena);
    return NULL;
}

static void commits_to_the_same_tables_in_any_order(void **state)
{
    fixture *f = *state;
    make_table(f, 2);
    assert_ok(f, create_table(f, NULL, "s", "b"));
    writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.f = f, .number = i, .appends = 4};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_pairs, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].rc, FIRN_OK);
    }
    check_table(f, WRITERS * 4);
    assert_int_equal(snapshots(f, NULL, "s", "b"), WRITERS * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_come_first_served),
        TEST(turns_at_several_tables),
        cmocka_unit_test(all_appends_get_through),
        TEST(processes_with_threads_take_turns),
        TEST(commits_to_the_same_tables_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
