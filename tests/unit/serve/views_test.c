/* Views over REST: the answers that the Iceberg project's ViewCatalogTests ask for, and what a request may get wrong. */
#include "serving.h"

#define VIEWS  "/v1/main/namespaces/ns/views"
#define TABLES "/v1/main/namespaces/ns/tables"
#define RENAME "/v1/main/views/rename"

static int setup(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, NULL);
    expect(s, 200, "POST", "/v1/main/namespaces", "{\"namespace\": [\"ns\"]}");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    free(*state);
    return 0;
}

/* ---- requests ------------------------------------------------------------------------------------------- */

/* JSON with single quotes for double ones. */
static const char *json_text(serving *s, const char *text)
{
    char *copy = firn_arena_strdup(s->arena, text);
    for (char *at = copy; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    return copy;
}

#define SCHEMA                                                          \
    "{'type':'struct','schema-id':5,'fields':["                         \
    "{'id':3,'name':'id','required':true,'type':'int','doc':'unique'}," \
    "{'id':4,'name':'data','required':true,'type':'string'}]}"

static const char *version(serving *s, int id, const char *queries)
{
    return firn_arena_printf(s->arena,
                             "{'version-id':%d,'schema-id':5,'timestamp-ms':1700000000000,"
                             "'summary':{'engine-name':'spark'},'default-catalog':'c',"
                             "'default-namespace':['ns'],'representations':[%s]}",
                             id, queries);
}

#define SPARK "{'type':'sql','dialect':'spark','sql':'select * from ns.tbl'}"
#define TRINO "{'type':'sql','dialect':'trino','sql':'select * from ns.tbl using X'}"

static const char *create_body(serving *s, const char *name, const char *queries, const char *more)
{
    return json_text(s, firn_arena_printf(s->arena,
                                          "{'name':'%s','schema':" SCHEMA ",'view-version':%s%s}",
                                          name, version(s, 1, queries), more));
}

static int create(serving *s, const char *name)
{
    return request(s, "POST", VIEWS, create_body(s, name, SPARK, ",'properties':{'p':'1'}"));
}

static int replace(serving *s, const char *name, const char *uuid, const char *updates)
{
    const char *body = firn_arena_printf(
        s->arena, "{'requirements':[{'type':'assert-view-uuid','uuid':'%s'}],'updates':%s}", uuid,
        updates);
    return request(s, "POST", firn_arena_printf(s->arena, VIEWS "/%s", name), json_text(s, body));
}

static void create_table(serving *s, const char *name)
{
    static const char updates[] =
        "[{\"action\":\"add-schema\",\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,"
        "\"name\":\"a\",\"required\":false,\"type\":\"int\"}]}},"
        "{\"action\":\"set-current-schema\",\"schema-id\":-1}]";
    firn_err err = {0};
    json_t *json = NULL;
    assert_int_equal(firn_json_parse(s->arena, firn_bytes_str(updates), "updates", &json, &err),
                     FIRN_OK);
    firn_change change = {
        .kind = FIRN_CHANGE_CREATE_TABLE, .ident = {.ns = "ns", .name = name}, .updates = json};
    firn_commit_result result;
    assert_int_equal(
        firn_catalog_commit(s->server->catalog, s->arena, NULL, &change, 1, NULL, &result, &err),
        FIRN_OK);
}

/* ---- answers -------------------------------------------------------------------------------------------- */

static const json_t *metadata(serving *s)
{
    return json_object_get(s->json, "metadata");
}

static const char *member(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void expect_text(serving *s, const char *type, const char *starts_with)
{
    expect_error(s, type);
    const char *message = member(json_object_get(s->json, "error"), "message");
    if (!firn_starts_with(message, starts_with)) {
        print_error("message: %s\n", message);
    }
    assert_true(firn_starts_with(message, starts_with));
}

/* ---- tests ---------------------------------------------------------------------------------------------- */

static void test_create_load_check_and_drop(void **state)
{
    serving *s = *state;
    expect(s, 404, "HEAD", VIEWS "/view", NULL);
    assert_int_equal(create(s, "view"), 200);
    assert_non_null(strstr(member(s->json, "metadata-location"), "/ns/view/metadata/00000-"));
    assert_true(json_is_object(json_object_get(s->json, "config")));
    assert_int_equal(json_integer_value(json_object_get(metadata(s), "current-version-id")), 1);
    json_t *created = s->json;
    expect(s, 200, "GET", VIEWS "/view", NULL);
    assert_true(json_equal(created, s->json));
    expect(s, 204, "HEAD", VIEWS "/view", NULL);
    expect(s, 204, "DELETE", VIEWS "/view", NULL);
    expect(s, 404, "DELETE", VIEWS "/view", NULL);
    expect_text(s, "NoSuchViewException", "View does not exist: ns.view");
    expect(s, 404, "GET", VIEWS "/view", NULL);
    expect_text(s, "NoSuchViewException", "View does not exist: ns.view");
    expect(s, 404, "GET", "/v1/main/namespaces/non-existing/views/view", NULL);
    expect_text(s, "NoSuchViewException", "View does not exist: non-existing.view");
}

static void test_location_and_metadata_path_are_the_clients(void **state)
{
    serving *s = *state;
    const char *more = firn_arena_printf(
        s->arena,
        ",'location':'file://%s/here','properties':{'write.metadata.path':'file://%s/md'}", s->dir,
        s->dir);
    expect(s, 200, "POST", VIEWS, create_body(s, "view", SPARK "," TRINO, more));
    assert_true(firn_ends_with(member(metadata(s), "location"), "/here"));
    assert_non_null(strstr(member(s->json, "metadata-location"), "/md/00000-"));
    const char *uuid = member(metadata(s), "view-uuid");
    const char *moved = firn_arena_printf(
        s->arena, "[{'action':'set-location','location':'file://%s/there'}]", s->dir);
    assert_int_equal(replace(s, "view", uuid, moved), 200);
    assert_true(firn_ends_with(member(metadata(s), "location"), "/there"));
    assert_int_equal(json_array_size(json_object_get(metadata(s), "versions")), 1);
}

static void test_names_are_taken(void **state)
{
    serving *s = *state;
    create_table(s, "table");
    assert_int_equal(create(s, "view"), 200);
    assert_int_equal(create(s, "view"), 409);
    expect_text(s, "AlreadyExistsException", "View already exists: ns.view");
    assert_int_equal(create(s, "table"), 409);
    expect_text(s, "AlreadyExistsException", "Table with same name already exists: ns.table");
    expect(s, 404, "GET", VIEWS "/table", NULL);
    expect_text(s, "NoSuchViewException", "View does not exist: ns.table");
    expect(s, 404, "HEAD", VIEWS "/table", NULL);
    expect(s, 404, "POST", "/v1/main/namespaces/nowhere/views", create_body(s, "v", SPARK, ""));
    expect_text(s, "NoSuchNamespaceException", "Namespace does not exist: nowhere");
}

static void test_replace(void **state)
{
    serving *s = *state;
    assert_int_equal(create(s, "view"), 200);
    const char *uuid = member(metadata(s), "view-uuid");
    const char *updates = firn_arena_printf(
        s->arena,
        "[{'action':'set-properties','updates':{'replace.drop-dialect.allowed':'true'}},"
        "{'action':'add-schema','schema':{'type':'struct','fields':[{'id':1,'name':'some_id',"
        "'required':true,'type':'int'}]}},{'action':'add-view-version','view-version':%s},"
        "{'action':'set-current-view-version','view-version-id':-1}]",
        firn_str_replace(s->arena, version(s, 2, TRINO), "'schema-id':5", "'schema-id':-1"));
    assert_int_equal(replace(s, "view", uuid, updates), 200);
    assert_int_equal(json_integer_value(json_object_get(metadata(s), "current-version-id")), 2);
    assert_int_equal(json_array_size(json_object_get(metadata(s), "schemas")), 2);
    assert_string_equal(member(json_object_get(metadata(s), "properties"), "p"), "1");
    assert_int_equal(replace(s, "view", "0190163d-8694-739b-aea5-966c26f8ad90", updates), 409);
    expect_text(s, "CommitFailedException", "Requirement failed: view UUID does not match");
    assert_int_equal(replace(s, "other", uuid, updates), 404);
    expect_text(s, "NoSuchViewException", "View does not exist: ns.other");
}

static void test_a_replacement_that_races_gets_the_next_number(void **state)
{
    serving *s = *state;
    assert_int_equal(create(s, "view"), 200);
    const char *uuid = member(metadata(s), "view-uuid");
    for (int i = 0; i < 2; i++) {
        const char *query = i ? "{'type':'sql','dialect':'spark','sql':'select 1'}"
                              : "{'type':'sql','dialect':'spark','sql':'select 2'}";
        const char *updates = firn_arena_printf(
            s->arena,
            "[{'action':'add-view-version','view-version':%s},"
            "{'action':'set-current-view-version','view-version-id':-1}]",
            firn_str_replace(s->arena, version(s, 2, query), "'schema-id':5", "'schema-id':0"));
        assert_int_equal(replace(s, "view", uuid, updates), 200);
    }
    assert_int_equal(json_integer_value(json_object_get(metadata(s), "current-version-id")), 3);
    assert_int_equal(json_array_size(json_object_get(metadata(s), "versions")), 3);
}

static void test_bad_views_are_bad_arguments(void **state)
{
    serving *s = *state;
    expect(s, 400, "POST", VIEWS, create_body(s, "view", TRINO "," TRINO, ""));
    expect_text(s, "IllegalArgumentException",
                "Invalid view version: Cannot add multiple queries for dialect trino");
    expect(s, 400, "POST", VIEWS, create_body(s, "view", "{'type':'plan'}", ""));
    expect_text(s, "IllegalArgumentException", "Found unsupported view representations");
    expect(s, 400, "POST", VIEWS, "{\"name\": \"view\"}");
    expect_text(s, "BadRequestException", "");
    expect(s, 400, "POST", VIEWS, "[]");
    assert_int_equal(create(s, "view"), 200);
    const char *uuid = member(metadata(s), "view-uuid");
    assert_int_equal(replace(s, "view", uuid, "[{'action':'add-snapshot'}]"), 400);
    assert_int_equal(replace(s, "view", uuid, "{}"), 400);
    expect(s, 400, "POST", VIEWS "/view",
           "{\"identifier\": {\"namespace\": [\"ns\"], \"name\": \"w\"}, \"updates\": []}");
}

static const char *rename_body(serving *s, const char *from, const char *ns, const char *to)
{
    return json_text(s, firn_arena_printf(s->arena,
                                          "{'source':{'namespace':['ns'],'name':'%s'},"
                                          "'destination':{'namespace':['%s'],'name':'%s'}}",
                                          from, ns, to));
}

static void test_rename(void **state)
{
    serving *s = *state;
    create_table(s, "table");
    assert_int_equal(create(s, "one"), 200);
    const json_t *before = metadata(s);
    assert_int_equal(create(s, "two"), 200);
    expect(s, 409, "POST", RENAME, rename_body(s, "one", "ns", "two"));
    expect_text(s, "AlreadyExistsException", "Cannot rename ns.one to ns.two. View already exists");
    expect(s, 409, "POST", RENAME, rename_body(s, "one", "ns", "table"));
    expect_text(s, "AlreadyExistsException",
                "Cannot rename ns.one to ns.table. Table already exists");
    expect(s, 404, "POST", RENAME, rename_body(s, "one", "non_existing", "x"));
    expect_text(s, "NoSuchNamespaceException", "Namespace does not exist: non_existing");
    expect(s, 404, "POST", RENAME, rename_body(s, "three", "ns", "x"));
    expect_text(s, "NoSuchViewException", "View does not exist: ns.three");
    expect(s, 400, "POST", RENAME, "{\"source\": 1}");
    expect(s, 204, "POST", RENAME, rename_body(s, "one", "ns", "renamed"));
    expect(s, 200, "GET", VIEWS "/renamed", NULL);
    assert_true(json_equal(before, metadata(s)));
    expect(s, 404, "HEAD", VIEWS "/one", NULL);
}

static void test_list_in_pages(void **state)
{
    serving *s = *state;
    expect(s, 200, "GET", VIEWS, NULL);
    expect_json(s, "{\"identifiers\": [], \"next-page-token\": null}");
    create_table(s, "table");
    assert_int_equal(create(s, "b"), 200);
    assert_int_equal(create(s, "a"), 200);
    expect(s, 200, "GET", VIEWS "?pageToken=&pageSize=1", NULL);
    const char *next = member(s->json, "next-page-token");
    expect(s, 200, "GET", firn_arena_printf(s->arena, VIEWS "?pageToken=%s&pageSize=1", next),
           NULL);
    expect_json(s, "{\"identifiers\": [{\"namespace\": [\"ns\"], \"name\": \"b\"}], "
                   "\"next-page-token\": null}");
    expect(s, 404, "GET", "/v1/main/namespaces/nope/views", NULL);
    expect_text(s, "NoSuchNamespaceException", "Namespace does not exist: nope");
}

static const char *register_body(serving *s, const char *name, const char *location)
{
    return json_text(
        s, firn_arena_printf(s->arena, "{'name':'%s','metadata-location':'%s'}", name, location));
}

static void test_register(void **state)
{
    serving *s = *state;
    const char *target = "/v1/main/namespaces/ns/register-view";
    create_table(s, "table");
    assert_int_equal(create(s, "view"), 200);
    const char *location = member(s->json, "metadata-location");
    json_t *created = s->json;
    expect(s, 409, "POST", target, register_body(s, "view", location));
    expect_text(s, "AlreadyExistsException", "View already exists: ns.view");
    expect(s, 204, "DELETE", VIEWS "/view", NULL);
    expect(s, 409, "POST", target, register_body(s, "table", location));
    expect_text(s, "AlreadyExistsException", "Table with same name already exists: ns.table");
    expect(s, 200, "POST", target, register_body(s, "view", location));
    assert_true(json_equal(created, s->json));
    expect(s, 204, "HEAD", VIEWS "/view", NULL);
    expect(s, 400, "POST", target, register_body(s, "x", "file:///nowhere/v.metadata.json"));
    expect_text(s, "BadRequestException", "");
    expect(s, 400, "POST", target, "{\"name\": \"x\"}");
}

static void test_views_of_a_branch(void **state)
{
    serving *s = *state;
    firn_err err = {0};
    assert_int_equal(firn_catalog_ref_create(s->server->catalog, "dev", false, NULL, &err),
                     FIRN_OK);
    expect(s, 200, "POST", "/v1/dev/namespaces/ns/views", create_body(s, "view", SPARK, ""));
    expect(s, 404, "HEAD", VIEWS "/view", NULL);
    expect(s, 204, "HEAD", VIEWS "/view@dev", NULL);
    expect(s, 200, "GET", VIEWS "/view@dev", NULL);
}

/* An answer that was lost is given again, from the commit that made the view, whatever has become of it since. */
static void test_the_same_request_again(void **state)
{
    serving *s = *state;
    send_header(s, "Idempotency-Key", "01a2236e-27ae-7ebd-b1d8-1d7121fe57d7");
    assert_int_equal(create(s, "view"), 200);
    json_t *first = s->json;
    s->n_headers = 0;
    const char *uuid = member(metadata(s), "view-uuid");
    assert_int_equal(
        replace(s, "view", uuid, "[{'action':'set-properties','updates':{'later':'1'}}]"), 200);
    send_header(s, "Idempotency-Key", "01a2236e-27ae-7ebd-b1d8-1d7121fe57d7");
    assert_int_equal(create(s, "view"), 200);
    assert_true(json_equal(first, s->json));
    s->n_headers = 0;
    assert_int_equal(create(s, "view"), 409);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create_load_check_and_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_location_and_metadata_path_are_the_clients, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_names_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replacement_that_races_gets_the_next_number, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bad_views_are_bad_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list_in_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_register, setup, teardown),
        cmocka_unit_test_setup_teardown(test_views_of_a_branch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_same_request_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
