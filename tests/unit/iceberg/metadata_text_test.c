/* The text of successive versions, made from what they share, is the text of each document. */
#include "files_testing.h"

#include "base/uuid.h"

#include <pthread.h>

static const char *text_of(const firn_metadata *metadata)
{
    firn_buf buf = {0};
    firn_metadata_write(metadata, &buf);
    const char *text = firn_arena_strdup(arena, firn_buf_cstr(&buf));
    firn_buf_deinit(&buf);
    return text;
}

static void check(const firn_metadata *metadata)
{
    assert_string_equal(text_of(metadata), firn_json_text(arena, metadata->json));
}

static const firn_metadata *with_snapshot(const firn_metadata *base, int64_t id)
{
    json_t *updates = firn_json_own(arena, json_array());
    json_t *snapshot = json_pack("{sI sI sI ss s{ssss}}", "snapshot-id", (json_int_t)id,
                                 "sequence-number", (json_int_t)(base->last_sequence_number + 1),
                                 "timestamp-ms", (json_int_t)base->last_updated_ms, "manifest-list",
                                 "/a \"b\".avro", "summary", "operation", "append", "engine-name",
                                 firn_arena_printf(arena, "n%lld", (long long)id));
    if (base->current_snapshot)
        json_object_set_new(snapshot, "parent-snapshot-id",
                            json_integer(base->current_snapshot->snapshot_id));
    firn_update_add_snapshot(updates, snapshot);
    json_decref(snapshot);
    firn_update_set_ref(updates, "main", id, false);
    return apply(base, updates, json_of("[]"));
}

static void test_versions_and_branches_of_a_line(void **state)
{
    (void)state;
    const firn_metadata *versions[40];
    versions[0] = new_table(2, by_day, NULL);
    check(versions[0]);
    for (int i = 1; i < 40; i++) { /* each from some earlier one, written at once or later */
        versions[i] = with_snapshot(versions[firn_random_u64() % (uint64_t)i], 100 + i);
        if (i % 3)
            check(versions[i]);
    }
    for (int i = 0; i < 40; i++)
        check(versions[i]);
}

static void test_expired_elements_leave(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, NULL, "{'write.metadata.previous-versions-max': '3'}");
    for (int round = 0; round < 3; round++) {
        int64_t ids[200];
        for (int i = 0; i < 200; i++) {
            ids[i] = round * 1000 + i + 1;
            t = with_snapshot(t, ids[i]);
            if (i % 50 == 0)
                check(t);
        }
        json_t *updates = firn_json_own(arena, json_array());
        firn_update_remove_snapshots(updates, ids, 199);
        t = apply(t, updates, json_of("[]"));
        check(t);
        check(with_snapshot(t, 999 + round));
    }
}

static void *write_often(void *ctx)
{
    const firn_metadata *metadata = ctx;
    for (int i = 0; i < 50; i++) {
        firn_buf buf = {0};
        firn_metadata_write(metadata, &buf);
        firn_buf_deinit(&buf);
    }
    return NULL;
}

static void test_threads_share_a_line(void **state)
{
    (void)state;
    const firn_metadata *versions[4];
    pthread_t threads[4];
    versions[0] = with_snapshot(new_table(2, by_day, NULL), 1);
    for (int i = 1; i < 4; i++)
        versions[i] = with_snapshot(versions[i - 1], i + 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, (void *)versions[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        check(versions[i]);
}

/* A version outlives those before it. */
static void test_the_last_holder_frees(void **state)
{
    (void)state;
    firn_arena *first = firn_arena_new(), *second = firn_arena_new();
    firn_metadata *a, *b;
    const firn_metadata *base = with_snapshot(new_table(2, by_day, NULL), 7);
    MUST(firn_metadata_from_json(first, base->json, "test", &a, &err));
    (void)text_of(a);
    json_t *updates = json_of("[{'action': 'set-properties', 'updates': {'x': 'y'}}]");
    MUST(firn_updates_apply(second, a, updates, &(firn_update_options){0}, &b, &err));
    firn_arena_free(first);
    check(b);
    firn_arena_free(second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_versions_and_branches_of_a_line),
        TEST(test_expired_elements_leave),
        TEST(test_threads_share_a_line),
        TEST(test_the_last_holder_frees),
    };
    return cmocka_run_group_tests_name("metadata_text", tests, NULL, NULL);
}
