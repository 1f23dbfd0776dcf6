/* Scan planning over REST: plans, plan tasks, what a token is worth on another table or after its snapshot has gone. */
#include "serving.h"

#include "plan_token.h"

#include "base/uuid.h"
#include "iceberg/snapshot.h"

#define TABLE "/v1/main/namespaces/ns/tables/t"

typedef struct made {
    serving s;
    int64_t snapshots[8]; /* of its appends */
    size_t n_snapshots;
} made;

typedef struct appended {
    serving *s;
    int first,
        n; /* files are numbered; file i has ids i*10 .. i*10+9 and partition i % 3 (0: null) */
} appended;

static firn_bytes long_bytes(serving *s, int64_t value)
{
    firn_value v = {.type = FIRN_TYPE_LONG, .i64 = value};
    return firn_value_encode(s->arena, &v);
}

static firn_data_file file_of(serving *s, const firn_metadata *table, int i)
{
    firn_value *tuple = FIRN_NEW(s->arena, firn_value);
    firn_column_metrics *metrics = FIRN_NEW(s->arena, firn_column_metrics);
    *tuple = (firn_value){.type = FIRN_TYPE_INT, .is_null = i % 3 == 0, .i32 = i % 3};
    *metrics = (firn_column_metrics){.field_id = 1,
                                     .size_bytes = 80,
                                     .value_count = 10,
                                     .nan_count = -1,
                                     .lower = long_bytes(s, i * 10),
                                     .upper = long_bytes(s, i * 10 + 9)};
    return (firn_data_file){
        .path = firn_arena_printf(s->arena, "%s/data/%d.parquet", table->location, i),
        .format = "PARQUET",
        .spec_id = table->spec->spec_id,
        .partition = tuple,
        .n_partition = 1,
        .record_count = 10,
        .file_size_bytes = 1000,
        .metrics = metrics,
        .n_metrics = 1,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
}

static firn_rc build(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    const appended *a = ctx;
    firn_data_file *files = FIRN_NEW_N(arena, firn_data_file, (size_t)a->n);
    for (int i = 0; i < a->n; i++) {
        files[i] = file_of(a->s, base->metadata, a->first + i);
    }
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = files,
        .n_added = (size_t)a->n,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
    firn_snapshot_result result;
    return firn_snapshot_produce(firn_catalog_storage(a->s->server->catalog), NULL, arena,
                                 base->metadata, &change, updates, requirements, &result, err);
}

static void append_to(made *m, const char *table, int first, int n)
{
    appended a = {.s = &m->s, .first = first, .n = n};
    firn_table_builder builder = {.ident = {.ns = "ns", .name = table}, .build = build, .ctx = &a};
    firn_err err = {0};
    firn_commit_result result;
    firn_rc rc = firn_catalog_commit_tables(m->s.server->catalog, m->s.arena, NULL, &builder, 1,
                                            NULL, &result, &err);
    if (rc != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    firn_table loaded;
    assert_int_equal(firn_catalog_table_load(m->s.server->catalog, m->s.arena, NULL, builder.ident,
                                             &loaded, &err),
                     FIRN_OK);
    if (m->n_snapshots < 8) {
        m->snapshots[m->n_snapshots++] = loaded.metadata->current_snapshot->snapshot_id;
    }
}

static void create_table(serving *s, const char *name)
{
    expect(s, 200, "POST", "/v1/main/namespaces/ns/tables",
           firn_arena_printf(
               s->arena,
               "{\"name\":\"%s\",\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":"
               "\"id\",\"required\":false,\"type\":\"long\"},{\"id\":2,\"name\":\"p\","
               "\"required\":false,\"type\":\"int\"}]},\"partition-spec\":{\"fields\":[{"
               "\"source-id\":2,\"field-id\":1000,\"name\":\"p\",\"transform\":\"identity\"}]},"
               "\"properties\":{\"commit.manifest-merge.enabled\":\"false\"}}",
               name));
}

static int setup(void **state)
{
    made *m = calloc(1, sizeof(*m));
    serving_start(&m->s, NULL);
    expect(&m->s, 200, "POST", "/v1/main/namespaces", "{\"namespace\": [\"ns\"]}");
    create_table(&m->s, "t");
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    made *m = *state;
    serving_end(&m->s);
    free(m);
    return 0;
}

static const char *json_text(serving *s, const char *text)
{
    return firn_str_replace(s->arena, text, "'", "\"");
}

static size_t size(const serving *s, const char *member)
{
    return json_array_size(json_object_get(s->json, member));
}

static const char *text(const serving *s, const char *member)
{
    return json_string_value(json_object_get(s->json, member));
}

static size_t plan(serving *s, const char *body)
{
    expect(s, 200, "POST", TABLE "/plan", json_text(s, body));
    assert_string_equal(text(s, "status"), "completed");
    return size(s, "file-scan-tasks");
}

static int fetch(serving *s, const char *table, const char *token)
{
    return request(s, "POST",
                   firn_arena_printf(s->arena, "/v1/main/namespaces/ns/tables/%s/tasks", table),
                   json_text(s, firn_arena_printf(s->arena, "{'plan-task':'%s'}", token)));
}

/* ---- tests ---------------------------------------------------------------------------------------------- */

static void test_an_empty_table(void **state)
{
    serving *s = &((made *)*state)->s;
    assert_int_equal(plan(s, "{}"), 0);
    assert_int_equal(size(s, "plan-tasks"), 0);
    assert_null(json_object_get(s->json, "delete-files"));
    expect(s, 404, "POST", "/v1/main/namespaces/ns/tables/nope/plan", "{}");
    expect_error(s, "NoSuchTableException");
}

static void test_a_small_scan_is_answered_at_once(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    append_to(m, "t", 0, 9);
    assert_int_equal(plan(s, "{}"), 9);
    assert_int_equal(size(s, "plan-tasks"), 0);
    assert_int_equal(plan(s, "{'filter':{'type':'eq','term':'p','value':2}}"), 3);
    const json_t *task = json_array_get(json_object_get(s->json, "file-scan-tasks"), 0);
    assert_true(json_is_true(json_object_get(task, "residual-filter")));
    const json_t *file = json_object_get(task, "data-file");
    assert_null(json_object_get(file, "lower-bounds"));
    assert_int_equal(plan(s, "{'filter':{'type':'eq','term':'id','value':25},"
                             "'stats-fields':['id','_pos'],'select':['id','_file']}"),
                     1);
    task = json_array_get(json_object_get(s->json, "file-scan-tasks"), 0);
    file = json_object_get(task, "data-file");
    assert_true(json_is_object(json_object_get(file, "lower-bounds")));
    assert_true(json_is_object(json_object_get(task, "residual-filter")));
    assert_int_equal(plan(s, "{'case-sensitive':false,'filter':{'type':'eq','term':'ID',"
                             "'value':25}}"),
                     1);
    assert_int_equal(plan(s, "{'min-rows-requested':15}"), 2);
    assert_int_equal(plan(s, "{'min-rows-requested':15,'filter':{'type':'gt','term':'id',"
                             "'value':5}}"),
                     3);
}

static const char *between(serving *s, int64_t start, int64_t end)
{
    return firn_arena_printf(s->arena, "{'start-snapshot-id':%lld,'end-snapshot-id':%lld}",
                             (long long)start, (long long)end);
}

static void test_snapshots(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    for (int i = 0; i < 4; i++) {
        append_to(m, "t", i * 3, 3);
    }
    const char *by_id = firn_arena_printf(
        s->arena, "{'snapshot-id':%lld,'use-snapshot-schema':true}", (long long)m->snapshots[1]);
    assert_int_equal(plan(s, by_id), 6);
    assert_int_equal(plan(s, between(s, m->snapshots[0], m->snapshots[2])), 6);
    expect(s, 400, "POST", TABLE "/plan", "{\"snapshot-id\":5}");
    expect(s, 400, "POST", TABLE "/plan", "{\"start-snapshot-id\":5}");
    expect(s, 400, "POST", TABLE "/plan",
           json_text(s, between(s, m->snapshots[2], m->snapshots[0])));
    expect(s, 400, "POST", TABLE "/plan",
           "{\"snapshot-id\":5,\"start-snapshot-id\":5,\"end-snapshot-id\":6}");
}

static void test_bad_requests(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    append_to(m, "t", 0, 1);
    static const char *const bodies[] = {"{'filter':null}",
                                         "{'filter':{'type':'eq','term':'nope','value':1}}",
                                         "{'select':[1]}",
                                         "{'select':'id'}",
                                         "{'stats-fields':[true]}",
                                         "{'case-sensitive':'yes'}",
                                         "{'min-rows-requested':[]}",
                                         "{'snapshot-id':'1'}",
                                         "[]"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        expect(s, 400, "POST", TABLE "/plan", json_text(s, bodies[i]));
    }
}

/* Every file of a large table comes once, over all plan tasks; and the same after a restart, which tokens do not notice. */
static void test_plan_tasks_give_the_rest(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    enum { FILES = 9000 };
    append_to(m, "t", 0, 5500); /* a manifest larger than a plan task */
    for (int i = 0; i < 5; i++) {
        append_to(m, "t", 5500 + i * 700, 700);
    }
    bool *seen = calloc(FILES, sizeof(*seen));
    size_t n = plan(s, "{}");
    assert_int_equal(n, 2000);
    json_t *todo = json_object_get(s->json, "plan-tasks");
    assert_true(json_array_size(todo) >= 4);
    append_to(m, "t", FILES, 10); /* a plan is of its snapshot */
    size_t total = 0, requests = 0;
    for (size_t i = 0;; i++) {
        const json_t *tasks = json_object_get(s->json, "file-scan-tasks");
        size_t k;
        const json_t *task;
        json_array_foreach(tasks, k, task)
        {
            const char *path =
                json_string_value(json_object_get(json_object_get(task, "data-file"), "file-path"));
            int number = atoi(strrchr(path, '/') + 1);
            assert_true(number < FILES && !seen[number]);
            seen[number] = true;
            total++;
        }
        assert_int_equal(size(s, "plan-tasks"), i == 0 ? json_array_size(todo) : 0);
        if (i == json_array_size(todo)) {
            break;
        }
        assert_int_equal(fetch(s, "t", json_string_value(json_array_get(todo, i))), 200);
        requests++;
    }
    assert_int_equal(total, FILES);
    assert_true(requests <= 8);
    free(seen);
}

/* {"filter": id >= 0 or id in (n random numbers)} */
static const char *long_filter(serving *s, int n)
{
    FIRN_AUTO_BUF firn_buf body = {0};
    firn_rng rng;
    firn_rng_init(&rng, 1);
    firn_buf_puts(&body, "{\"filter\":{\"type\":\"or\",\"left\":{\"type\":\"gt-eq\",\"term\":"
                         "\"id\",\"value\":0},\"right\":{\"type\":\"in\",\"term\":\"id\","
                         "\"values\":[-1");
    for (int i = 0; i < n; i++) {
        firn_buf_printf(&body, ",%lld", -(long long)firn_rng_below(&rng, 1000000000000) - 1);
    }
    firn_buf_puts(&body, "]}}}");
    return firn_arena_strdup(s->arena, firn_buf_cstr(&body));
}

/* A filter that comes back with every file: fewer of them in an answer, and one plan task leads to the next. */
static void test_a_long_filter_makes_a_chain(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    append_to(m, "t", 0, 200);
    expect(s, 200, "POST", TABLE "/plan", long_filter(s, 60000));
    assert_null(json_object_get(s->json, "plan-id")); /* too long for a path */
    size_t total = size(s, "file-scan-tasks"), links = 0;
    assert_true(total > 0 && total < 100 && s->response.body.len < 40 << 20);
    json_t *todo = firn_json_own(s->arena, json_array());
    json_array_extend(todo, json_object_get(s->json, "plan-tasks"));
    assert_int_equal(json_array_size(todo), 1);
    for (size_t i = 0; i < json_array_size(todo); i++, links++) {
        assert_int_equal(fetch(s, "t", json_string_value(json_array_get(todo, i))), 200);
        total += size(s, "file-scan-tasks");
        json_array_extend(todo, json_object_get(s->json, "plan-tasks"));
    }
    assert_int_equal(total, 200);
    assert_true(links > 1 && links < 20);
}

static void test_a_filter_that_is_too_long(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    append_to(m, "t", 0, 1);
    expect(s, 400, "POST", TABLE "/plan", long_filter(s, 100000));
    expect_error(s, "BadRequestException");
    assert_non_null(
        strstr(json_string_value(json_object_get(json_object_get(s->json, "error"), "message")),
               "let the client plan this scan"));
}

static void test_plan_ids(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    append_to(m, "t", 0, 9);
    plan(s, "{'filter':{'type':'eq','term':'p','value':2}}");
    json_t *first = s->json;
    const char *target = firn_arena_printf(s->arena, TABLE "/plan/%s", text(s, "plan-id"));
    append_to(m, "t", 9, 9);
    expect(s, 200, "GET", target, NULL);
    assert_true(json_equal(first, s->json));
    expect(s, 204, "DELETE", target, NULL);
    expect(s, 404, "GET", TABLE "/plan/no-plan", NULL);
    expect_error(s, "NoSuchPlanIdException");
    expect(s, 404, "DELETE", TABLE "/plan/no-plan", NULL);
    expect_error(s, "NoSuchPlanIdException");
}

static void test_tokens_that_are_none(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    append_to(m, "t", 0, 3);
    plan(s, "{}");
    const char *token = text(s, "plan-id");
    assert_int_equal(fetch(s, "t", token), 200);
    assert_int_equal(size(s, "file-scan-tasks"), 3);
    assert_int_equal(fetch(s, "t", "AAAA"), 404);
    expect_error(s, "NoSuchPlanTaskException");
    for (size_t cut = 0; cut < strlen(token); cut += 7) {
        assert_int_equal(fetch(s, "t", firn_arena_strndup(s->arena, token, cut)), 404);
    }
    create_table(s, "other");
    assert_int_equal(fetch(s, "other", token), 404);
    expect_error(s, "NoSuchPlanTaskException");
    assert_int_equal(fetch(s, "nope", token), 404);
    expect_error(s, "NoSuchTableException");
    firn_plan stale;
    firn_err err = {0};
    assert_int_equal(firn_plan_decode(s->arena, token, &stale, &err), FIRN_OK);
    stale.snapshot_id++; /* as if it had expired */
    assert_int_equal(fetch(s, "t", firn_plan_encode(s->arena, &stale)), 404);
    expect_error(s, "NoSuchPlanTaskException");
    expect(s, 400, "POST", TABLE "/tasks", "{}");
}

static void test_pyiceberg_gets_no_null_partitions(void **state)
{
    made *m = *state;
    serving *s = &m->s;
    append_to(m, "t", 0, 1);
    plan(s, "{}");
    const json_t *task = json_array_get(json_object_get(s->json, "file-scan-tasks"), 0);
    const json_t *tuple = json_object_get(json_object_get(task, "data-file"), "partition");
    assert_true(json_is_null(json_array_get(tuple, 0)));
    send_header(s, "User-Agent", "PyIceberg/0.12.0");
    plan(s, "{}");
    task = json_array_get(json_object_get(s->json, "file-scan-tasks"), 0);
    tuple = json_object_get(json_object_get(task, "data-file"), "partition");
    assert_int_equal(json_array_size(tuple), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_empty_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_small_scan_is_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plan_tasks_give_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_long_filter_makes_a_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_filter_that_is_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plan_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pyiceberg_gets_no_null_partitions, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
