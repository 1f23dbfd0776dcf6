/* Appends that were built on an older head, made again on the newer one. */
#include "files_testing.h"

#include "base/map.h"
#include "base/uuid.h"

/* A commit request as another engine sends it: built on the state it knew. */
typedef struct request {
    json_t *updates, *requirements;
    int64_t snapshot_id;
} request;

static request request_of(const firn_metadata *base, const firn_snapshot_change *change)
{
    request r = {.updates = firn_json_own(arena, json_array()),
                 .requirements = firn_json_own(arena, json_array())};
    firn_snapshot_result result;
    MUST(firn_snapshot_produce(storage, NULL, arena, base, change, r.updates, r.requirements,
                               &result, &err));
    r.snapshot_id = result.snapshot_id;
    return r;
}

static firn_snapshot_change append_of(const firn_data_file *file)
{
    return (firn_snapshot_change){
        .op = FIRN_SNAPSHOT_APPEND,
        .added = file,
        .n_added = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
}

static request append_request(const firn_metadata *base, const firn_data_file *file)
{
    firn_snapshot_change change = append_of(file);
    return request_of(base, &change);
}

static request append_with(const firn_metadata *base, const firn_data_file *file, const char *extra)
{
    firn_snapshot_change change = append_of(file);
    change.summary_extra = json_of(extra);
    return request_of(base, &change);
}

static json_t *snapshot_in(const request *r)
{
    return json_object_get(json_array_get(r->updates, 0), "snapshot");
}

static firn_snapshot_rebased rebased;

static void run_rebase(const firn_metadata *base, const request *r)
{
    MUST(firn_snapshot_rebase(storage, NULL, arena, base, r->updates, r->requirements, &rebased,
                              &err));
}

static const firn_metadata *land(const firn_metadata *base, const request *r)
{
    run_rebase(base, r);
    if (!rebased.done)
        fail_msg("not rebased: %s", rebased.obstacle ? rebased.obstacle : "nothing to do");
    return apply(base, (json_t *)rebased.updates, (json_t *)rebased.requirements);
}

/* Refused for this reason, and by its own requirements. */
static void refused(const firn_metadata *base, const request *r, const char *why)
{
    run_rebase(base, r);
    assert_false(rebased.done);
    assert_int_equal(rebased.n_written, 0);
    assert_ptr_equal(rebased.updates, r->updates);
    assert_ptr_equal(rebased.requirements, r->requirements);
    if (!rebased.obstacle || !strstr(rebased.obstacle, why))
        fail_msg("obstacle is: %s", rebased.obstacle ? rebased.obstacle : "(none)");
    MUST_FAIL(firn_requirements_check(rebased.requirements, base, &err), FIRN_E_CONFLICT,
              "Requirement failed");
}

static void test_append_on_moved_head(void **state)
{
    (void)state;
    for (int version = 1; version <= 3; version++) {
        const firn_metadata *t = new_table(version, by_day, NULL);
        firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
        firn_data_file c = data_file(t, "c", 12, 150, 30);
        const firn_metadata *old = append(t, &a, 1);
        request r = append_request(old, &b);
        const firn_metadata *head = append(old, &c, 1);
        const firn_metadata *now = land(head, &r);

        assert_string_equal(planned(now, NULL), "b,c,a");
        const firn_snapshot *s = now->current_snapshot;
        assert_int_equal(s->snapshot_id, r.snapshot_id);
        assert_int_equal(s->parent_id, head->current_snapshot->snapshot_id);
        assert_true(s->timestamp_ms >= head->current_snapshot->timestamp_ms);
        assert_int_equal(s->schema_id, 0);
        assert_string_equal(summary_of(now, "total-records"), "180");
        assert_string_equal(summary_of(now, "total-data-files"), "3");
        assert_string_equal(summary_of(now, "total-files-size"), "3000");
        assert_string_equal(summary_of(now, "added-records"), "50");
        assert_string_equal(summary_of(now, "manifests-created"), "1");
        assert_string_equal(summary_of(now, "manifests-kept"), "2");
        assert_string_not_equal(
            s->manifest_list, json_string_value(json_object_get(snapshot_in(&r), "manifest-list")));
        assert_int_equal(s->sequence_number, version == 1 ? 0 : 3);
        assert_int_equal(rebased.n_written, 1); /* its manifest serves as it is */
        size_t n;
        firn_scan_task *tasks = plan(now, NULL, &n, NULL);
        assert_int_equal(tasks[0].file->first_row_id, version == 3 ? 130 : -1);
        assert_int_equal(now->next_row_id, version == 3 ? 180 : 0);
        if (version == 3) {
            assert_int_equal(s->first_row_id, 130);
            assert_int_equal(s->added_rows, 50);
        }
    }
}

/* The client merged manifests of the head it knew with its own: only its own files come along. */
static void test_merged_manifests(void **state)
{
    (void)state;
    for (int version = 1; version <= 3; version++) {
        const firn_metadata *t =
            new_table(version, by_day, "{'commit.manifest.min-count-to-merge': '2'}");
        firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
        firn_data_file c = data_file(t, "c", 12, 150, 30);
        const firn_metadata *old = append(t, &a, 1);
        request r = append_request(old, &b); /* one manifest: b ADDED, a EXISTING */
        firn_snapshot_change remove = {
            .op = FIRN_SNAPSHOT_DELETE,
            .removed = &a,
            .n_removed = 1,
            .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
        const firn_metadata *head = append(commit(old, &remove), &c, 1);
        const firn_metadata *now = land(head, &r);
        assert_string_equal(planned(now, NULL), "b,c"); /* a does not come back */
        assert_string_equal(summary_of(now, "total-records"), "80");
        size_t n;
        firn_scan_task *tasks = plan(now, NULL, &n, NULL);
        assert_int_equal(tasks[0].file->first_row_id, version == 3 ? 130 : -1);
        assert_true(now->next_row_id >= (version == 3 ? 180 : 0));
    }
}

/* Many rebases do not leave many manifests. */
static void test_merges_on_the_head(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, NULL, "{'commit.manifest.min-count-to-merge': '4'}");
    firn_data_file a = data_file(t, "a", 10, 0, 10);
    const firn_metadata *old = append(t, &a, 1), *now = old;
    enum { N = 20 };
    request requests[N];
    for (int i = 0; i < N; i++) {
        firn_data_file f = data_file(t, firn_arena_printf(arena, "f%d", i), 10, 0, 10);
        requests[i] = append_request(old, &f);
    }
    now = apply(now, requests[0].updates, requests[0].requirements);
    firn_imap *rows = firn_imap_new(arena);
    for (int i = 1; i < N; i++)
        now = land(now, &requests[i]);
    firn_manifest_file *manifests;
    size_t n, n_tasks;
    MUST(firn_manifest_list_read(storage, arena, now, now->current_snapshot, &manifests, &n, &err));
    assert_true(n < 4);
    firn_scan_task *tasks = plan(now, NULL, &n_tasks, NULL);
    assert_int_equal(n_tasks, N + 1);
    for (size_t i = 0; i < n_tasks; i++) {
        assert_null(firn_imap_put(rows, tasks[i].file->first_row_id, rows));
    }
    /* A merged manifest takes ids for all its rows, also those that have theirs: that is the specification's count. */
    assert_true(now->next_row_id >= 10 * (N + 1));
    assert_string_equal(summary_of(now, "total-records"), "210");
    for (size_t i = 1; i < now->n_snapshots; i++)
        assert_true(now->snapshots[i].sequence_number > now->snapshots[i - 1].sequence_number);
}

static void test_two_appends_in_one_request(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 12, 150, 30), d = data_file(t, "d", 12, 180, 7);
    const firn_metadata *old = append(t, &a, 1);
    request first = append_request(old, &b);
    const firn_metadata *between = apply(old, first.updates, first.requirements);
    request second = append_request(between, &c);
    json_array_extend(first.updates, second.updates);
    json_t *statistics = json_of("{'action': 'set-properties', 'updates': {'write.a': 'b'}}");
    json_array_append(first.updates, statistics);

    const firn_metadata *head = append(old, &d, 1);
    const firn_metadata *now = land(head, &first);
    assert_string_equal(planned(now, NULL), "c,b,d,a");
    assert_int_equal(now->n_snapshots, 4);
    assert_int_equal(now->current_snapshot->snapshot_id, second.snapshot_id);
    assert_int_equal(now->current_snapshot->parent_id, first.snapshot_id);
    assert_int_equal(now->current_snapshot->sequence_number, 4);
    assert_int_equal(now->current_snapshot->first_row_id, 157);
    assert_int_equal(now->next_row_id, 187);
    assert_string_equal(summary_of(now, "total-records"), "187");
    assert_string_equal(firn_metadata_property(now, "write.a", ""), "b");

    /* A property of unknown meaning may be a position that only the head it was built on may take. */
    json_array_append(first.updates,
                      json_of("{'action': 'set-properties', 'updates': {'firn.offsets.x': '7'}}"));
    refused(head, &first, "firn.offsets.x");
}

static void test_first_append_race(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    request r = append_request(t, &a);
    const firn_metadata *now = land(append(t, &b, 1), &r);
    assert_string_equal(planned(now, NULL), "a,b");
    assert_int_equal(now->current_snapshot->sequence_number, 2);

    /* Two that make the same new branch are another matter. */
    firn_snapshot_change change = append_of(&a);
    change.branch = "dev";
    request one = request_of(t, &change);
    change.added = &b;
    const firn_metadata *made = commit(t, &change);
    refused(made, &one, "made that branch");
}

/* Nobody has touched the branch, but the table's sequence number has moved on. */
static void test_other_branch_moved(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 12, 150, 30);
    const firn_metadata *old = append(t, &a, 1);
    request r =
        append_with(old, &b, "{'flink.job-id': 'x', 'flink.max-committed-checkpoint-id': '3'}");
    firn_snapshot_change change = append_of(&c);
    change.branch = "dev";
    const firn_metadata *now = land(commit(old, &change), &r); /* the compare-and-swap holds */
    assert_string_equal(planned(now, NULL), "b,a");
    assert_int_equal(now->current_snapshot->sequence_number, 3);
    assert_int_equal(now->current_snapshot->first_row_id, 130);
    assert_string_equal(summary_of(now, "flink.job-id"), "x");
    assert_string_equal(summary_of(now, "total-records"), "150");
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    const firn_metadata *old = append(t, &a, 1);
    request r = append_request(old, &b);
    run_rebase(old, &r);
    assert_false(rebased.done);
    assert_null(rebased.obstacle);
    assert_ptr_equal(rebased.updates, r.updates);
}

/* The answer to the first one was lost. */
static void test_sent_twice(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 11, 100, 50);
    const firn_metadata *old = append(t, &a, 1);
    request r = append_with(old, &b, "{'kafka.connect.offsets.x': '{}'}");
    const firn_metadata *now = apply(old, r.updates, r.requirements);
    now = append(now, &c, 1);
    assert_ptr_equal(land(now, &r), now);
    /* The same id for another append is a clash, not a repetition. */
    json_object_set_new(json_object_get(snapshot_in(&r), "summary"), "added-records",
                        json_string("51"));
    json_object_del(json_object_get(snapshot_in(&r), "summary"), "kafka.connect.offsets.x");
    refused(now, &r, "snapshot of that id");
}

static void test_state_is_left_alone(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 11, 100, 50);
    const firn_metadata *old = append(t, &a, 1), *head = append(old, &c, 1);
    static const char *const keys[] = {"kafka.connect.offsets.control-topic.group",
                                       "flink.job-id",
                                       "flink.max-committed-checkpoint-id",
                                       "spark.sql.streaming.epochId",
                                       "wap.id",
                                       "source-snapshot-id",
                                       "my-own-offset"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        request r = append_with(old, &b, firn_arena_printf(arena, "{'%s': '1'}", keys[i]));
        refused(head, &r, keys[i]);
    }
    request plain = append_with(old, &b,
                                "{'engine-name': 'spark', 'engine-version': '3.5',"
                                " 'spark.app.id': 'local-1', 'iceberg-version': 'x',"
                                " 'partitions.day=10': 'added-records=5',"
                                " 'partition-summaries-included': 'true'}");
    assert_string_equal(summary_of(land(head, &plain), "spark.app.id"), "local-1");
}

static void test_what_is_refused(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 11, 100, 50);
    const firn_metadata *old = append(t, &a, 1), *head = append(old, &c, 1);
    request r = append_request(old, &b);

    json_t *off = json_of("[{'action': 'set-properties', 'updates': "
                          "{'firn.commit.rebase-appends': 'false'}}]");
    refused(apply(head, off, json_of("[]")), &r, "firn.commit.rebase-appends");

    /* History was turned back to before what the append was built on. */
    const firn_metadata *other = new_table(2, by_day, NULL);
    other = append(append(other, &a, 1), &c, 1);
    json_t *back = firn_json_own(arena, json_array()), *reqs = firn_json_own(arena, json_array());
    request late = append_request(other, &b);
    MUST(firn_snapshot_rollback(arena, other, other->snapshots[0].snapshot_id, back, reqs, &err));
    refused(apply(other, back, reqs), &late, "not in the branch's history");

    firn_snapshot_change overwrite = {
        .op = FIRN_SNAPSHOT_OVERWRITE,
        .added = &b,
        .n_added = 1,
        .removed = &a,
        .n_removed = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
    request not_append = request_of(old, &overwrite);
    run_rebase(head, &not_append);
    assert_false(rebased.done);
    assert_null(rebased.obstacle);
    /* Nor when it calls itself an append: the manifests tell. */
    json_object_set_new(json_object_get(snapshot_in(&not_append), "summary"), "operation",
                        json_string("append"));
    refused(head, &not_append, "removes files");

    request with_schema = append_request(old, &b);
    json_array_append(with_schema.updates, json_of("{'action': 'set-current-schema', "
                                                   "'schema-id': 0}"));
    refused(head, &with_schema, "set-current-schema");

    request gone = append_request(old, &b);
    json_object_set_new(snapshot_in(&gone), "manifest-list",
                        json_string(firn_arena_printf(arena, "%s/nowhere.avro", folder)));
    refused(head, &gone, "cannot be read");

    request tagged = append_request(old, &b);
    json_object_set_new(json_array_get(tagged.updates, 1), "type", json_string("tag"));
    run_rebase(head, &tagged);
    assert_false(rebased.done);

    request unknown_schema = append_request(old, &b);
    json_object_set_new(snapshot_in(&unknown_schema), "schema-id", json_integer(9));
    refused(head, &unknown_schema, "schema that is gone");

    json_object_set_new(snapshot_in(&r), "parent-snapshot-id", json_integer(5));
    refused(head, &r, "not built one on the other");
}

static void test_delete_files_are_no_append(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), c = data_file(t, "c", 11, 100, 50);
    const firn_metadata *old = append(t, &a, 1), *head = append(old, &c, 1);
    firn_data_file deletes = data_file(t, "eq", 10, 0, 5);
    int32_t ids[] = {1};
    deletes.content = FIRN_CONTENT_EQUALITY_DELETES;
    deletes.equality_ids = ids;
    deletes.n_equality_ids = 1;
    firn_snapshot_change change = append_of(&deletes);
    change.op = FIRN_SNAPSHOT_OVERWRITE;
    request r = request_of(old, &change);
    json_object_set_new(json_object_get(snapshot_in(&r), "summary"), "operation",
                        json_string("append"));
    refused(head, &r, "adds delete files");
}

/* Whichever write fails: nothing of the attempt stays, and the next one goes through. */
static void test_every_write_may_fail(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, "{'commit.manifest.min-count-to-merge': '2'}");
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 12, 150, 30);
    const firn_metadata *old = append(t, &a, 1);
    request r = append_request(old, &b);
    const firn_metadata *head = append(old, &c, 1);
    firn_storage_object *objects;
    size_t before, after;
    MUST(firn_storage_list(storage, arena, folder, &objects, &before, &err));
    firn_rc rc = FIRN_E_IO;
    int n = 0;
    while (rc != FIRN_OK) {
        setenv("FIRN_FAULT_FAIL", firn_arena_printf(arena, "%d", ++n), 1);
        firn_fault_reload();
        rc = firn_snapshot_rebase(storage, NULL, arena, head, r.updates, r.requirements, &rebased,
                                  NULL);
        unsetenv("FIRN_FAULT_FAIL");
        firn_fault_reload();
        if (rc == FIRN_OK)
            break;
        MUST(firn_storage_list(storage, arena, folder, &objects, &after, &err));
        assert_int_equal(before, after);
    }
    assert_true(n > 4);
    const firn_metadata *now =
        apply(head, (json_t *)rebased.updates, (json_t *)rebased.requirements);
    assert_string_equal(planned(now, NULL), "b,c,a");
}

/* Clients that each know some older state, their requests arriving in any order. */
static void test_random_interleavings(void **state)
{
    (void)state;
    enum { ROUNDS = 12, STEPS = 40, STATES_MAX = STEPS + 1 };
    for (int round = 0; round < ROUNDS; round++) {
        int version = 1 + round % 3;
        const firn_metadata *states[STATES_MAX];
        const char *properties =
            round % 2 ? "{'commit.manifest.min-count-to-merge': '3'}" : "{'a': 'b'}";
        const firn_metadata *now = new_table(version, by_day, properties);
        size_t n_states = 0;
        int64_t rows = 0;
        states[n_states++] = now;
        for (int i = 0; i < STEPS; i++) {
            const firn_metadata *known = states[firn_random_u64() % n_states];
            int64_t count = 1 + (int64_t)(firn_random_u64() % 9);
            firn_data_file f = data_file(now, firn_arena_printf(arena, "r%d_%d", round, i),
                                         (int32_t)(firn_random_u64() % 3), 0, count);
            request r = append_request(known, &f);
            run_rebase(now, &r);
            assert_null(rebased.obstacle);
            now = apply(now, (json_t *)rebased.updates, (json_t *)rebased.requirements);
            states[n_states++] = now;
            rows += count;
        }
        size_t n;
        int64_t planned_rows = 0;
        firn_scan_task *tasks = plan(now, NULL, &n, NULL);
        firn_map *names = firn_map_new(arena);
        firn_imap *taken = firn_imap_new(arena);
        for (size_t i = 0; i < n; i++) {
            assert_null(firn_map_put(names, tasks[i].file->path, names));
            planned_rows += tasks[i].file->record_count;
            for (int64_t row = 0; version == 3 && row < tasks[i].file->record_count; row++)
                assert_null(firn_imap_put(taken, tasks[i].file->first_row_id + row, taken));
        }
        assert_int_equal(n, STEPS);
        assert_int_equal(planned_rows, rows);
        assert_string_equal(summary_of(now, "total-records"),
                            firn_arena_printf(arena, "%" PRId64, rows));
        assert_true(version < 3 || now->next_row_id >= rows);
        assert_int_equal(now->n_snapshots, STEPS);
        for (size_t i = 1; i < now->n_snapshots; i++) {
            const firn_snapshot *s = &now->snapshots[i];
            assert_int_equal(s->parent_id, s[-1].snapshot_id);
            assert_true(version == 1 || s->sequence_number > s[-1].sequence_number);
            assert_true(s->timestamp_ms >= s[-1].timestamp_ms);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_append_on_moved_head),
        TEST(test_merged_manifests),
        TEST(test_merges_on_the_head),
        TEST(test_two_appends_in_one_request),
        TEST(test_first_append_race),
        TEST(test_other_branch_moved),
        TEST(test_nothing_to_do),
        TEST(test_sent_twice),
        TEST(test_state_is_left_alone),
        TEST(test_what_is_refused),
        TEST(test_delete_files_are_no_append),
        TEST(test_every_write_may_fail),
        TEST(test_random_interleavings),
    };
    return cmocka_run_group_tests_name("snapshot_rebase", tests, NULL, NULL);
}
