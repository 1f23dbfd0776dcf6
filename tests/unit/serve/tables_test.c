/* Tables and commits over REST. */
#include "serving.h"

#define NSS    "/v1/main/namespaces"
#define TABLES NSS "/db/tables"
#define SCHEMA                                                               \
    "{\"type\": \"struct\", \"fields\": ["                                   \
    "{\"id\": 1, \"name\": \"id\", \"type\": \"long\", \"required\": true}," \
    "{\"id\": 2, \"name\": \"at\", \"type\": \"timestamptz\", \"required\": false}]}"

static int setup(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, NULL);
    expect(s, 200, "POST", NSS, "{\"namespace\": [\"db\"]}");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    free(*state);
    return 0;
}

static void create(serving *s, const char *name)
{
    expect(s, 200, "POST", TABLES,
           firn_arena_printf(s->arena, "{\"name\": \"%s\", \"schema\": " SCHEMA "}", name));
}

static const json_t *metadata(const serving *s)
{
    return json_object_get(s->json, "metadata");
}

static const char *location(const serving *s)
{
    return json_string_value(json_object_get(s->json, "metadata-location"));
}

static const char *property(const serving *s, const char *key)
{
    return json_string_value(json_object_get(json_object_get(metadata(s), "properties"), key));
}

static const char *uuid(const serving *s)
{
    return json_string_value(json_object_get(metadata(s), "table-uuid"));
}

/* A commit that sets one property. */
static const char *set_property(serving *s, const char *key, const char *value)
{
    return firn_arena_printf(s->arena,
                             "{\"requirements\": [], \"updates\": [{\"action\": "
                             "\"set-properties\", \"updates\": {\"%s\": \"%s\"}}]}",
                             key, value);
}

static void test_create_load_list_and_drop(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", TABLES,
           "{\"name\": \"t\", \"schema\": " SCHEMA ", \"properties\": {\"a\": \"b\"},"
           "\"partition-spec\": {\"spec-id\": 0, \"fields\": [{\"name\": \"day\", "
           "\"transform\": \"day\", \"source-id\": 2, \"field-id\": 1000}]},"
           "\"write-order\": {\"order-id\": 1, \"fields\": [{\"transform\": \"identity\", "
           "\"source-id\": 1, \"direction\": \"asc\", \"null-order\": \"nulls-first\"}]}}");
    assert_true(json_is_object(json_object_get(s->json, "config")));
    assert_string_equal(property(s, "a"), "b");
    assert_int_equal(json_integer_value(json_object_get(metadata(s), "format-version")), 2);
    const char *made = firn_arena_strdup(s->arena, location(s));
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_string_equal(location(s), made);
    expect(s, 204, "HEAD", TABLES "/t", NULL);
    expect(s, 200, "GET", TABLES, NULL);
    expect_json(s, "{\"identifiers\": [{\"namespace\": [\"db\"], \"name\": \"t\"}], "
                   "\"next-page-token\": null}");
    expect(s, 409, "POST", TABLES, "{\"name\": \"t\", \"schema\": " SCHEMA "}");
    expect_error(s, "AlreadyExistsException");
    expect(s, 204, "DELETE", TABLES "/t?purgeRequested=true", NULL);
    expect(s, 404, "GET", TABLES "/t", NULL);
    expect_error(s, "NoSuchTableException");
    expect(s, 404, "HEAD", TABLES "/t", NULL);
    expect(s, 404, "DELETE", TABLES "/t", NULL);
    expect(s, 400, "DELETE", TABLES "/t?purgeRequested=maybe", NULL);
    expect(s, 404, "GET", NSS "/nope/tables", NULL);
    expect_error(s, "NoSuchNamespaceException");
    expect(s, 404, "POST", NSS "/nope/tables", "{\"name\": \"t\", \"schema\": " SCHEMA "}");
    expect_error(s, "NoSuchNamespaceException");
}

static void test_names_with_slashes_dots_spaces_and_umlauts(void **state)
{
    serving *s = *state;
    static const char *const names[] = {"a/b",   "a.b", "a b", "a+b", "a%b", "ä\xf0\x9f\xa7\x8a",
                                        "tables"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        create(s, names[i]);
        const char *at =
            firn_arena_printf(s->arena, TABLES "/%s", firn_url_encode(s->arena, names[i]));
        expect(s, 200, "GET", at, NULL);
        expect(s, 200, "POST", at, set_property(s, "x", "1"));
        expect(s, 204, "DELETE", at, NULL);
    }
    expect(s, 400, "POST", TABLES, "{\"name\": \"a\\u001fb\", \"schema\": " SCHEMA "}");
    expect(s, 400, "POST", TABLES, "{\"name\": \"\", \"schema\": " SCHEMA "}");
}

static const char *file_of(const serving *s)
{
    const char *path = location(s);
    return firn_starts_with(path, "file://") ? path + strlen("file://") : path;
}

/* Purging takes the files along, unless another branch or a tag has the table. */
static void test_purge(void **state)
{
    serving *s = *state;
    create(s, "t");
    const char *file = firn_arena_strdup(s->arena, file_of(s));
    assert_int_equal(access(file, F_OK), 0);
    expect(s, 204, "DELETE", TABLES "/t?purgeRequested=true", NULL);
    assert_int_not_equal(access(file, F_OK), 0);
    create(s, "t");
    file = firn_arena_strdup(s->arena, file_of(s));
    expect(s, 201, "POST", "/api/v1/refs", "{\"name\": \"v1\", \"type\": \"tag\"}");
    expect(s, 204, "DELETE", TABLES "/t?purgeRequested=true", NULL);
    assert_int_equal(access(file, F_OK), 0);
    expect(s, 200, "GET", "/v1/v1/namespaces/db/tables/t", NULL);
}

/* While a branch has another state of the table, engines are kept from deleting what only that one names. */
static void test_shared_tables_are_not_collected(void **state)
{
    serving *s = *state;
    create(s, "t");
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_null(property(s, "gc.enabled"));
    const char *alone = firn_arena_strdup(s->arena, answer_header(s, "ETag"));
    expect(s, 201, "POST", "/api/v1/refs", "{\"name\": \"dev\"}");
    expect(s, 200, "POST", "/v1/dev/namespaces/db/tables/t", set_property(s, "x", "1"));
    assert_string_equal(property(s, "gc.enabled"), "false");
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_string_equal(property(s, "gc.enabled"), "false");
    assert_string_not_equal(answer_header(s, "ETag"), alone);
    expect(s, 204, "DELETE", "/v1/dev/namespaces/db/tables/t", NULL);
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_null(property(s, "gc.enabled"));
    assert_string_equal(answer_header(s, "ETag"), alone);
}

static const char *add_snapshot(serving *s, int id, const char *parent)
{
    long long now = json_integer_value(json_object_get(metadata(s), "last-updated-ms"));
    return firn_arena_printf(
        s->arena,
        "{\"requirements\": [], \"updates\": [{\"action\": \"add-snapshot\", \"snapshot\": "
        "{\"snapshot-id\": %d, \"sequence-number\": %d, %s\"timestamp-ms\": %lld, "
        "\"manifest-list\": \"/nowhere\", \"summary\": {\"operation\": \"append\"}, "
        "\"schema-id\": 0}}, {\"action\": \"set-snapshot-ref\", \"ref-name\": \"main\", "
        "\"type\": \"branch\", \"snapshot-id\": %d}]}",
        id, id, parent, now + id, id);
}

/* 409 would make Java try again. */
static void test_a_snapshot_that_a_tag_needs_is_a_bad_request(void **state)
{
    serving *s = *state;
    create(s, "t");
    expect(s, 200, "POST", TABLES "/t", add_snapshot(s, 1, ""));
    const char *second = add_snapshot(s, 2, "\"parent-snapshot-id\": 1, ");
    expect(s, 201, "POST", "/api/v1/refs", "{\"name\": \"v1\", \"type\": \"tag\"}");
    expect(s, 200, "POST", TABLES "/t", second);
    const char *expire = "{\"requirements\": [], \"updates\": [{\"action\": \"remove-snapshots\", "
                         "\"snapshot-ids\": [1]}]}";
    expect(s, 400, "POST", TABLES "/t", expire);
    expect_error(s, "ValidationException");
    expect(s, 204, "DELETE", "/api/v1/refs/v1", NULL);
    expect(s, 200, "POST", TABLES "/t", expire);
}

/* Java loads db.t.snapshots as a table t of namespace db.t first, and tries the metadata table only after a clean 404. */
static void test_a_table_is_no_namespace(void **state)
{
    serving *s = *state;
    create(s, "t");
    expect(s, 404, "GET", NSS "/db%1Ft/tables/snapshots", NULL);
    expect_error(s, "NoSuchTableException");
}

static void test_a_bad_layout_is_a_bad_request(void **state)
{
    serving *s = *state;
    static const char *const bad[] = {
        "{\"name\": \"t\"}",
        "{\"name\": \"t\", \"schema\": {}}",
        "{\"name\": \"t\", \"schema\": {\"type\": \"struct\", \"fields\": []}}",
        "{\"name\": \"t\", \"schema\": {\"type\": \"struct\", \"fields\": [{\"id\": 1}]}}",
        "{\"name\": \"t\", \"schema\": " SCHEMA ", \"partition-spec\": {\"fields\": [{\"name\": "
        "\"x\", \"transform\": \"day\", \"source-id\": 9}]}}",
        "{\"name\": \"t\", \"schema\": " SCHEMA ", \"write-order\": {}}",
        "{\"name\": \"t\", \"schema\": " SCHEMA ", \"properties\": {\"format-version\": \"9\"}}",
        "{\"name\": \"t\", \"schema\": " SCHEMA ", \"properties\": {\"a\": 1}}",
        "{\"name\": \"t\", \"schema\": " SCHEMA ", \"location\": 7}",
        "{\"name\": 1, \"schema\": " SCHEMA "}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(s, 400, "POST", TABLES, bad[i]);
    }
    expect(s, 200, "GET", TABLES, NULL);
    assert_int_equal(json_array_size(json_object_get(s->json, "identifiers")), 0);
}

static void test_a_staged_table_exists_only_after_its_commit(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", TABLES,
           "{\"name\": \"t\", \"schema\": " SCHEMA ", \"stage-create\": true}");
    assert_null(json_object_get(s->json, "metadata-location"));
    const char *where =
        firn_arena_strdup(s->arena, json_string_value(json_object_get(metadata(s), "location")));
    const char *id = firn_arena_strdup(s->arena, uuid(s));
    expect(s, 404, "HEAD", TABLES "/t", NULL);
    const char *commit = firn_arena_printf(
        s->arena,
        "{\"requirements\": [{\"type\": \"assert-create\"}], \"updates\": ["
        "{\"action\": \"assign-uuid\", \"uuid\": \"%s\"},"
        "{\"action\": \"upgrade-format-version\", \"format-version\": 2},"
        "{\"action\": \"add-schema\", \"schema\": " SCHEMA ", \"last-column-id\": 2},"
        "{\"action\": \"set-current-schema\", \"schema-id\": -1},"
        "{\"action\": \"add-spec\", \"spec\": {\"spec-id\": 0, \"fields\": []}},"
        "{\"action\": \"set-default-spec\", \"spec-id\": -1},"
        "{\"action\": \"add-sort-order\", \"sort-order\": {\"order-id\": 0, \"fields\": []}},"
        "{\"action\": \"set-default-sort-order\", \"sort-order-id\": -1},"
        "{\"action\": \"set-location\", \"location\": \"%s\"}]}",
        id, where);
    expect(s, 200, "POST", TABLES "/t", commit);
    assert_string_equal(uuid(s), id);
    expect(s, 204, "HEAD", TABLES "/t", NULL);
    expect(s, 409, "POST", TABLES "/t", commit);
    expect(s, 409, "POST", TABLES,
           "{\"name\": \"t\", \"schema\": " SCHEMA ", \"stage-create\": true}");
    expect_error(s, "AlreadyExistsException");
}

static void test_a_commit_answers_its_own_state(void **state)
{
    serving *s = *state;
    create(s, "t");
    const char *first = firn_arena_strdup(s->arena, location(s));
    expect(s, 200, "POST", TABLES "/t", set_property(s, "x", "1"));
    assert_string_equal(property(s, "x"), "1");
    assert_string_not_equal(location(s), first);
    const char *second = firn_arena_strdup(s->arena, location(s));
    /* Nothing to change is no new metadata. */
    expect(s, 200, "POST", TABLES "/t", "{\"requirements\": [], \"updates\": []}");
    assert_string_equal(location(s), second);
    expect(s, 404, "POST", TABLES "/nope", set_property(s, "x", "1"));
    expect_error(s, "NoSuchTableException");
}

static void test_requirements_conflict_and_nonsense_is_refused(void **state)
{
    serving *s = *state;
    create(s, "t");
    expect(s, 409, "POST", TABLES "/t",
           "{\"requirements\": [{\"type\": \"assert-last-assigned-field-id\", "
           "\"last-assigned-field-id\": 7}], \"updates\": []}");
    expect_error(s, "CommitFailedException");
    assert_non_null(
        strstr(json_string_value(json_object_get(json_object_get(s->json, "error"), "message")),
               "Requirement failed: last assigned field id changed"));
    static const char *const bad[] = {
        "{\"requirements\": [{\"type\": \"assert-weather\"}], \"updates\": []}",
        "{\"requirements\": [], \"updates\": [{\"action\": \"make-coffee\"}]}",
        "{\"requirements\": [], \"updates\": [{}]}",
        "{\"requirements\": [], \"updates\": [7]}",
        "{\"requirements\": {}, \"updates\": []}",
        "{\"requirements\": [], \"updates\": [{\"action\": \"add-schema\", \"schema\": []}]}",
        "{\"requirements\": [], \"updates\": [{\"action\": \"add-snapshot\", \"snapshot\": {}}]}",
        ("{\"requirements\": [], \"updates\": [{\"action\": \"set-snapshot-ref\", \"ref-name\": "
         "\"main\", \"type\": \"branch\", \"snapshot-id\": 7}]}"),
        "",
        "[]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(s, 400, "POST", TABLES "/t", bad[i]);
    }
}

static void test_etags_tell_states_and_snapshot_modes_apart(void **state)
{
    serving *s = *state;
    create(s, "t");
    const char *made = answer_header(s, "ETag");
    expect(s, 200, "GET", TABLES "/t", NULL);
    const char *all = answer_header(s, "ETag");
    assert_string_equal(all, made);
    expect(s, 200, "GET", TABLES "/t?snapshots=all", NULL);
    assert_string_equal(answer_header(s, "ETag"), all);
    expect(s, 200, "GET", TABLES "/t?snapshots=refs", NULL);
    assert_string_not_equal(answer_header(s, "ETag"), all);
    expect(s, 400, "GET", TABLES "/t?snapshots=some", NULL);
    send_header(s, "If-None-Match", firn_arena_printf(s->arena, "\"x\", W/%s", all));
    expect(s, 304, "GET", TABLES "/t", NULL);
    assert_null(s->json);
    expect(s, 200, "GET", TABLES "/t?snapshots=refs", NULL);
    expect(s, 200, "POST", TABLES "/t", set_property(s, "x", "1"));
    expect(s, 200, "GET", TABLES "/t", NULL);
}

static void test_rename_moves_between_namespaces(void **state)
{
    serving *s = *state;
    create(s, "t");
    create(s, "u");
    expect(s, 200, "POST", NSS, "{\"namespace\": [\"other\"]}");
    const char *rename = "{\"source\": {\"namespace\": [\"db\"], \"name\": \"t\"}, "
                         "\"destination\": {\"namespace\": [\"%s\"], \"name\": \"%s\"}}";
#define RENAME(ns, name)                                                                       \
    firn_str_replace(s->arena, firn_str_replace(s->arena, rename, "[\"%s\"]", "[\"" ns "\"]"), \
                     "%s", name)
    expect(s, 409, "POST", "/v1/main/tables/rename", RENAME("db", "u"));
    expect_error(s, "AlreadyExistsException");
    expect(s, 404, "POST", "/v1/main/tables/rename", RENAME("nope", "t"));
    expect_error(s, "NoSuchNamespaceException");
    expect(s, 204, "POST", "/v1/main/tables/rename", RENAME("other", "v"));
    expect(s, 404, "POST", "/v1/main/tables/rename", RENAME("other", "w"));
    expect_error(s, "NoSuchTableException");
    expect(s, 204, "HEAD", NSS "/other/tables/v", NULL);
    expect(s, 400, "POST", "/v1/main/tables/rename", "{\"source\": {}}");
}

static void test_unregister_gives_the_table_away_and_register_takes_it(void **state)
{
    serving *s = *state;
    create(s, "t");
    const char *file = firn_arena_strdup(s->arena, location(s));
    expect(s, 200, "POST", TABLES "/t/unregister", NULL);
    assert_string_equal(location(s), file);
    expect(s, 404, "HEAD", TABLES "/t", NULL);
    const char *body =
        firn_arena_printf(s->arena, "{\"name\": \"u\", \"metadata-location\": \"%s\"}", file);
    expect(s, 200, "POST", NSS "/db/register", body);
    assert_string_equal(location(s), file);
    expect(s, 409, "POST", NSS "/db/register", body);
    expect_error(s, "AlreadyExistsException");
    expect(s, 200, "POST", TABLES "/u", set_property(s, "x", "1"));
    expect(s, 200, "POST", NSS "/db/register",
           firn_arena_printf(
               s->arena, "{\"name\": \"u\", \"metadata-location\": \"%s\", \"overwrite\": true}",
               file));
    assert_null(property(s, "x"));
    expect(s, 404, "POST", NSS "/db/register",
           "{\"name\": \"w\", \"metadata-location\": \"file:///nowhere/x.metadata.json\"}");
    const char *junk = firn_path_join(s->arena, s->dir, "junk.metadata.json");
    FILE *out = fopen(junk, "w");
    fputs("{\"format-version\": 2}", out);
    fclose(out);
    expect(s, 400, "POST", NSS "/db/register",
           firn_arena_printf(s->arena, "{\"name\": \"w\", \"metadata-location\": \"file://%s\"}",
                             junk));
}

static const char *change_of(serving *s, const char *name, const char *requirements)
{
    return firn_arena_printf(s->arena,
                             "{\"identifier\": {\"namespace\": [\"db\"], \"name\": \"%s\"}, "
                             "\"requirements\": %s, \"updates\": [{\"action\": \"set-properties\", "
                             "\"updates\": {\"x\": \"1\"}}]}",
                             name, requirements);
}

static void test_a_transaction_changes_all_tables_or_none(void **state)
{
    serving *s = *state;
    create(s, "t");
    create(s, "u");
    const char *wrong = "[{\"type\": \"assert-table-uuid\", \"uuid\": "
                        "\"00000000-0000-0000-0000-000000000000\"}]";
    expect(s, 409, "POST", "/v1/main/transactions/commit",
           firn_arena_printf(s->arena, "{\"table-changes\": [%s, %s]}", change_of(s, "t", "[]"),
                             change_of(s, "u", wrong)));
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_null(property(s, "x"));
    expect(s, 204, "POST", "/v1/main/transactions/commit",
           firn_arena_printf(s->arena, "{\"table-changes\": [%s, %s]}", change_of(s, "t", "[]"),
                             change_of(s, "u", "[]")));
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_string_equal(property(s, "x"), "1");
    expect(s, 200, "GET", TABLES "/u", NULL);
    assert_string_equal(property(s, "x"), "1");
    expect(s, 404, "POST", "/v1/main/transactions/commit",
           firn_arena_printf(s->arena, "{\"table-changes\": [%s]}", change_of(s, "nope", "[]")));
    expect(s, 204, "POST", "/v1/main/transactions/commit", "{\"table-changes\": []}");
    expect(s, 400, "POST", "/v1/main/transactions/commit", "{}");
}

static void test_t_at_branch_is_the_table_on_that_branch(void **state)
{
    serving *s = *state;
    firn_err err = {0};
    create(s, "t");
    assert_int_equal(firn_catalog_ref_create(s->server->catalog, "run/r-1", false, "main", &err),
                     FIRN_OK);
    expect(s, 200, "POST", TABLES "/t%40run%2Fr-1", set_property(s, "x", "1"));
    expect(s, 200, "GET", TABLES "/t%40run%2Fr-1", NULL);
    assert_string_equal(property(s, "x"), "1");
    expect(s, 200, "GET", TABLES "/t@run%2Fr-1", NULL);
    expect(s, 200, "GET", "/v1/run%2Fr-1/namespaces/db/tables/t", NULL);
    assert_string_equal(property(s, "x"), "1");
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_null(property(s, "x"));
    expect(s, 404, "GET", TABLES "/t%40nope", NULL);
    expect_error(s, "NoSuchTableException");
    /* A table of that very name comes first. */
    create(s, "t@main");
    expect(s, 200, "POST", TABLES "/t%40main", set_property(s, "own", "1"));
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_null(property(s, "own"));
    expect(s, 400, "POST", "/v1/main/transactions/commit",
           firn_arena_printf(s->arena, "{\"table-changes\": [%s, %s]}", change_of(s, "t", "[]"),
                             change_of(s, "t@run/r-1", "[]")));
}

static void test_what_clients_report_and_ask_beside(void **state)
{
    serving *s = *state;
    create(s, "t");
    expect(s, 204, "POST", TABLES "/t/metrics",
           "{\"report-type\": \"scan-report\", \"table-name\": \"t\", \"snapshot-id\": 7}");
    expect(s, 400, "POST", TABLES "/t/metrics", "{}");
    expect(s, 404, "POST", TABLES "/nope/metrics", "{\"report-type\": \"scan-report\"}");
    expect(s, 200, "GET", TABLES "/t/credentials", NULL);
    expect_json(s, "{\"storage-credentials\": []}");
    expect(s, 404, "GET", TABLES "/nope/credentials", NULL);
    expect(s, 200, "GET", NSS "/db/functions", NULL);
    expect_json(s, "{\"identifiers\": [], \"next-page-token\": null}");
    expect(s, 404, "GET", NSS "/nope/functions", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create_load_list_and_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_with_slashes_dots_spaces_and_umlauts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_purge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared_tables_are_not_collected, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_snapshot_that_a_tag_needs_is_a_bad_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_table_is_no_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bad_layout_is_a_bad_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_staged_table_exists_only_after_its_commit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_commit_answers_its_own_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requirements_conflict_and_nonsense_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_etags_tell_states_and_snapshot_modes_apart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rename_moves_between_namespaces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unregister_gives_the_table_away_and_register_takes_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_transaction_changes_all_tables_or_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_t_at_branch_is_the_table_on_that_branch, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_clients_report_and_ask_beside, setup, teardown),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
