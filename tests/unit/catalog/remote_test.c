/* A remote catalog against scripted exchanges: what is asked of a server, and what its answers come to. */
#include "catalog/catalog.h"

#include "../net/scripted_server.h"
#include "base/io.h"
#include "catalog/runs.h"
#include "remote/remote.h"

#include <ftw.h>

typedef struct remote_setup {
    firn_arena *arena;
    firn_storage *storage;
    firn_catalog *catalog;
    scripted_server server;
    firn_err err;
    char folder[64];
} remote_setup;

/* ---- documents -------------------------------------------------------------------------------- */

#define UUID    "9c12d441-03fe-4693-9a96-a0705ddf69c1"
#define DEFAULT "{\"defaults\": {}, \"overrides\": {}}"
#define ALL                                                                            \
    "{\"defaults\": {}, \"overrides\": {\"prefix\": \"wh\"}, \"endpoints\": ["         \
    "\"GET /v1/{prefix}/namespaces\", \"POST /v1/{prefix}/namespaces\", "              \
    "\"GET /v1/{prefix}/namespaces/{namespace}\", "                                    \
    "\"GET /v1/{prefix}/namespaces/{namespace}/tables\", "                             \
    "\"GET /v1/{prefix}/namespaces/{namespace}/tables/{table}\", "                     \
    "\"HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}\", "                    \
    "\"POST /v1/{prefix}/namespaces/{namespace}/tables\", "                            \
    "\"POST /v1/{prefix}/namespaces/{namespace}/tables/{table}\", "                    \
    "\"DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}\", "                  \
    "\"POST /v1/{prefix}/tables/rename\", \"POST /v1/{prefix}/transactions/commit\", " \
    "\"GET /v1/{prefix}/namespaces/{namespace}/views\", "                              \
    "\"GET /v1/{prefix}/namespaces/{namespace}/views/{view}\", "                       \
    "\"POST /v1/{prefix}/namespaces/{namespace}/views\", "                             \
    "\"POST /v1/{prefix}/namespaces/{namespace}/views/{view}\"]}"
#define KEYED "{\"defaults\": {}, \"overrides\": {}, \"idempotency-key-lifetime\": \"PT30M\"}"

#define METADATA(snapshots, refs, current, extra)                                                \
    "{\"format-version\": 2, \"table-uuid\": \"" UUID "\", \"location\": \"file:///wh/a/t\", "   \
    "\"last-sequence-number\": 1, \"last-updated-ms\": 1700000000000, \"last-column-id\": 1, "   \
    "\"schemas\": [{\"type\": \"struct\", \"schema-id\": 0, \"fields\": [{\"id\": 1, \"name\": " \
    "\"x\", \"required\": false, \"type\": \"int\"}]}], \"current-schema-id\": 0, "              \
    "\"partition-specs\": [{\"spec-id\": 0, \"fields\": []}], \"default-spec-id\": 0, "          \
    "\"last-partition-id\": 999, \"sort-orders\": [{\"order-id\": 0, \"fields\": []}], "         \
    "\"default-sort-order-id\": 0, \"properties\": {" extra "}, \"snapshots\": [" snapshots      \
    "], \"refs\": {" refs "}, \"current-snapshot-id\": " current "}"
#define SNAPSHOT(id, parent)                                    \
    "{\"snapshot-id\": " id ", " parent                         \
    "\"sequence-number\": 1, \"timestamp-ms\": 1700000000000, " \
    "\"manifest-list\": \"file:///wh/a/t/l.avro\", \"summary\": {\"operation\": \"append\"}}"
#define MAIN_AT(id) "\"main\": {\"type\": \"branch\", \"snapshot-id\": " id "}"
#define LOADED(metadata, location) \
    "{\"metadata-location\": \"" location "\", \"metadata\": " metadata ", \"config\": {}}"
#define EMPTY_TABLE METADATA("", "", "-1", "")
#define TABLE_AT_5  METADATA(SNAPSHOT("5", ""), MAIN_AT("5"), "5", "")
#define ERROR(code, type, message) \
    "{\"error\": {\"code\": " #code ", \"type\": \"" type "\", \"message\": \"" message "\"}}"

#define CONFIG                                        \
    {                                                 \
        .request = "GET /v1/config", .reply = DEFAULT \
    }
#define CONFIG_ALL                                \
    {                                             \
        .request = "GET /v1/config", .reply = ALL \
    }
#define TABLE_PATH "/v1/namespaces/a/tables/t"
#define LOAD       "GET /v1/namespaces/a/tables/t?snapshots=all"

/* ---- setup ------------------------------------------------------------------------------------ */

static void begin(remote_setup *s, const firn_remote_options *remote)
{
    s->arena = firn_arena_new();
    s->storage = firn_storage_new(&(firn_storage_options){0});
    strcpy(s->folder, "/tmp/firn-remote-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    firn_catalog_options options = {
        .uri = s->server.url,
        .remote = remote,
        .path = firn_path_join(s->arena, s->folder, "catalog.db"),
        .storage = s->storage,
        .warehouse = "file:///wh",
    };
    firn_rc rc = firn_catalog_open(&options, &s->catalog, &s->err);
    if (rc != FIRN_OK) {
        s->catalog = NULL;
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void finish(remote_setup *s)
{
    scripted_end(&s->server);
    firn_catalog_close(s->catalog);
    firn_storage_free(s->storage);
    firn_arena_free(s->arena);
    nftw(s->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define BEGIN_WITH(s, remote, ...)  \
    remote_setup s = {0};           \
    SCRIPT(&s.server, __VA_ARGS__); \
    begin(&s, remote)
#define BEGIN(s, ...)                  \
    BEGIN_WITH(s, NULL, __VA_ARGS__);  \
    if (!s.catalog) {                  \
        fail_msg("%s", s.err.message); \
    }

#define assert_ok(s, expr)                    \
    do {                                      \
        firn_err_clear(&(s)->err);            \
        if ((expr) != FIRN_OK) {              \
            fail_msg("%s", (s)->err.message); \
        }                                     \
    } while (0)
#define assert_rc(s, expr, code)                                                    \
    do {                                                                            \
        firn_err_clear(&(s)->err);                                                  \
        firn_rc rc_ = (expr);                                                       \
        if (rc_ != (code)) {                                                        \
            fail_msg("%s instead of %s: %s", firn_rc_name(rc_), firn_rc_name(code), \
                     (s)->err.message);                                             \
        }                                                                           \
    } while (0)
#define assert_says(s, text)                                           \
    do {                                                               \
        if (!strstr((s)->err.message, (text))) {                       \
            fail_msg("\"%s\" lacks \"%s\"", (s)->err.message, (text)); \
        }                                                              \
    } while (0)

static const firn_ident A_T = {"a", "t"};

static firn_rc load(remote_setup *s, firn_table *out)
{
    return firn_catalog_table_load(s->catalog, s->arena, NULL, A_T, out, &s->err);
}

static json_t *json(remote_setup *s, const char *text)
{
    json_t *out = json_loads(text, 0, NULL);
    assert_non_null(out);
    return firn_json_own(s->arena, out);
}

static firn_rc commit(remote_setup *s, firn_change change, firn_commit_result *out)
{
    return firn_catalog_commit(s->catalog, s->arena, NULL, &change, 1, NULL, out, &s->err);
}

#define APPEND_6                                                                                     \
    "[{\"action\": \"add-snapshot\", \"snapshot\": {\"snapshot-id\": 6, \"parent-snapshot-id\": 5, " \
    "\"sequence-number\": 1, \"timestamp-ms\": 1700000000001, \"manifest-list\": \"file:///l\", "    \
    "\"summary\": {\"operation\": \"append\"}}}, {\"action\": \"set-snapshot-ref\", \"ref-name\": "  \
    "\"main\", \"type\": \"branch\", \"snapshot-id\": 6}]"

static firn_change append_to_5(remote_setup *s)
{
    return (firn_change){
        .kind = FIRN_CHANGE_UPDATE_TABLE,
        .ident = A_T,
        .updates = json(s, APPEND_6),
        .requirements = json(s, "[{\"type\": \"assert-ref-snapshot-id\", \"ref\": \"main\", "
                                "\"snapshot-id\": 5}]"),
    };
}

/* ---- configuration ---------------------------------------------------------------------------- */

static void test_the_configuration_is_asked_for_first(void **state)
{
    (void)state;
    const firn_remote_options options = {.warehouse = "my house", .token = "tok"};
    BEGIN_WITH(s, &options,
               {.request = "GET /v1/config?warehouse=my%20house",
                .headers = {"Authorization: Bearer tok"},
                .reply =
                    "{\"defaults\": {\"prefix\": \"no\"}, \"overrides\": {\"prefix\": \"a%7Cb\", "
                    "\"namespace-separator\": \"%2E\"}}"},
               {.request = "GET /v1/a%7Cb/namespaces/x%2Ey%20z", .reply = "{\"namespace\": []}"});
    json_t *properties;
    assert_ok(&s, firn_catalog_namespace_properties(s.catalog, s.arena, NULL, "x" FIRN_NS_SEP "y z",
                                                    &properties, &s.err));
    assert_int_equal(json_object_size(properties), 0);
    finish(&s);
}

static void test_an_override_moves_the_calls(void **state)
{
    (void)state;
    remote_setup s = {0};
    char config[256];
    exchange script[] = {{.request = "GET /v1/config", .reply = config},
                         {.request = "GET /moved/v1/namespaces/a", .reply = "{}"}};
    scripted_begin(&s.server, script, 2);
    snprintf(config, sizeof(config), "{\"overrides\": {\"uri\": \"%s/moved/\"}}", s.server.url);
    begin(&s, NULL);
    json_t *properties;
    assert_ok(
        &s, firn_catalog_namespace_properties(s.catalog, s.arena, NULL, "a", &properties, &s.err));
    finish(&s);
}

static void test_a_server_that_refuses_is_told_with_advice_and_without_secrets(void **state)
{
    (void)state;
    const firn_remote_options options = {.token = "a-secret-token"};
    BEGIN_WITH(s, &options,
               {.request = "GET /v1/config",
                .status = 403,
                .reply = ERROR(403, "ForbiddenException", "a-secret-token is not ours")});
    assert_null(s.catalog);
    assert_int_equal(s.err.code, FIRN_E_PERMISSION);
    assert_says(&s, "catalog.credential");
    assert_null(strstr(s.err.message, "a-secret-token"));
    finish(&s);
}

static void test_credentials_go_to_the_token_endpoint_of_the_catalog(void **state)
{
    (void)state;
    const firn_remote_options options = {.credential = "me:sesame",
                                         .headers = (const char *const[]){"X-Tenant", "seven"},
                                         .n_headers = 1,
                                         .access_delegation = "vended-credentials"};
    BEGIN_WITH(
        s, &options,
        {.request = "POST /v1/oauth/tokens",
         .body = "grant_type=client_credentials&client_id=me&client_secret=sesame&scope=catalog",
         .reply = "{\"access_token\": \"t\"}"},
        {.request = "GET /v1/config",
         .headers = {"Authorization: Bearer t", "X-Tenant: seven",
                     "X-Iceberg-Access-Delegation: vended-credentials"},
         .reply = DEFAULT});
    assert_non_null(s.catalog);
    finish(&s);
}

static void test_no_configuration_is_an_error(void **state)
{
    (void)state;
    BEGIN_WITH(s, NULL, {.request = "GET /v1/config", .reply = "<html>"});
    assert_null(s.catalog);
    assert_int_equal(s.err.code, FIRN_E_CORRUPT);
    finish(&s);
}

static void test_a_configuration_has_rules(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_remote_config config = {.ref = ""};
    firn_err err = {0};
    static const char *const BAD[] = {"{\"overrides\": []}", "{\"defaults\": 1}", "[]",
                                      "{\"endpoints\": {}}",
                                      "{\"overrides\": {\"namespace-separator\": \"%0\"}}"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_int_equal(firn_remote_parse_config(arena, firn_bytes_str(BAD[i]), "http://h", NULL,
                                                  &config, &err),
                         FIRN_E_CORRUPT);
    }
    /* overrides win over what the user says, and that over defaults */
    assert_int_equal(firn_remote_parse_config(arena,
                                              firn_bytes_str("{\"defaults\": {\"prefix\": \"d\"}}"),
                                              "http://h/", "mine", &config, &err),
                     FIRN_OK);
    assert_string_equal(config.prefix, "mine");
    assert_string_equal(config.uri, "http://h");
    assert_string_equal(config.separator, "%1F");
    assert_true(firn_remote_has(&config, FIRN_REMOTE_TRANSACTION));
    assert_false(firn_remote_has(&config, FIRN_REMOTE_VIEWS));
    assert_int_equal(firn_remote_parse_config(arena,
                                              firn_bytes_str("{\"overrides\": {\"prefix\": \"o\"}, "
                                                             "\"endpoints\": []}"),
                                              "http://h", "mine", &config, &err),
                     FIRN_OK);
    assert_string_equal(config.prefix, "o");
    assert_int_equal(config.endpoints, 0);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void test_lists_are_read_to_the_last_page(void **state)
{
    (void)state;
    BEGIN(
        s, CONFIG,
        {.request = "GET /v1/namespaces?pageToken=",
         .reply = "{\"namespaces\": [[\"a\"]], \"next-page-token\": \"p 2\"}"},
        {.request = "GET /v1/namespaces?pageToken=p%202", .reply = "{\"namespaces\": [[\"b\"]]}"},
        {.request = "GET /v1/namespaces?parent=a&pageToken=",
         .reply = "{\"namespaces\": [[\"a\", \"c\"]], \"next-page-token\": null}"},
        {.request = "GET /v1/namespaces?parent=b&pageToken=", .reply = "{\"namespaces\": []}"},
        {.request = "GET /v1/namespaces?parent=a%1Fc&pageToken=", .reply = "{\"namespaces\": []}"});
    char **list;
    size_t n;
    assert_ok(&s,
              firn_catalog_namespace_list(s.catalog, s.arena, NULL, NULL, true, &list, &n, &s.err));
    assert_int_equal(n, 3);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "a" FIRN_NS_SEP "c");
    assert_string_equal(list[2], "b");
    finish(&s);
}

static void test_pages_that_never_end_are_an_error(void **state)
{
    (void)state;
    BEGIN(s, CONFIG,
          {.request = "GET /v1/namespaces/a/tables?pageToken=",
           .reply = "{\"identifiers\": [{\"namespace\": [\"a\"], \"name\": \"t\"}], "
                    "\"next-page-token\": \"x\"}"},
          {.request = "GET /v1/namespaces/a/tables?pageToken=x",
           .reply = "{\"identifiers\": [], \"next-page-token\": \"x\"}"});
    firn_catalog_entry *entries;
    size_t n;
    assert_rc(
        &s, firn_catalog_list(s.catalog, s.arena, NULL, FIRN_KIND_TABLE, "a", &entries, &n, &s.err),
        FIRN_E_CORRUPT);
    finish(&s);
}

static void test_a_table_that_has_not_changed_is_not_sent_again(void **state)
{
    (void)state;
    BEGIN(s, CONFIG,
          {.request = LOAD,
           .headers = {"!If-None-Match"},
           .reply_headers = "ETag: \"one\"\r\n",
           .reply = LOADED(TABLE_AT_5, "file:///m1")},
          {.request = LOAD, .headers = {"If-None-Match: \"one\""}, .status = 304},
          {.request = LOAD,
           .headers = {"If-None-Match: \"one\""},
           .reply_headers = "ETag: \"two\"\r\n",
           .reply = LOADED(EMPTY_TABLE, "file:///m2")});
    firn_table first, second, third;
    assert_ok(&s, load(&s, &first));
    assert_ok(&s, load(&s, &second));
    assert_ok(&s, load(&s, &third));
    assert_string_equal(first.entry.location, "file:///m1");
    assert_string_equal(second.entry.location, "file:///m1");
    assert_ptr_equal(first.metadata, second.metadata);
    assert_string_equal(third.entry.location, "file:///m2");
    assert_string_equal(first.entry.content_id, UUID);
    assert_int_equal(first.metadata->current_snapshot->snapshot_id, 5);
    finish(&s);
}

static void test_metadata_without_a_location_gets_one_by_its_content(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = LOAD, .reply = "{\"metadata\": " TABLE_AT_5 "}"},
          {.request = LOAD, .reply = "{\"metadata\": " TABLE_AT_5 "}"},
          {.request = LOAD, .reply = "{\"metadata\": " EMPTY_TABLE "}"});
    firn_table one, two, three;
    assert_ok(&s, load(&s, &one));
    assert_ok(&s, load(&s, &two));
    assert_ok(&s, load(&s, &three));
    assert_string_equal(one.entry.location, two.entry.location);
    assert_string_not_equal(one.entry.location, three.entry.location);
    finish(&s);
}

static void test_a_missing_table_names_the_nearest(void **state)
{
    (void)state;
    BEGIN(
        s, CONFIG_ALL,
        {.request = "GET /v1/wh/namespaces/a/tables/ordes?snapshots=all",
         .status = 404,
         .reply = ERROR(404, "NoSuchTableException", "Table does not exist")},
        {.request = "GET /v1/wh/namespaces/a/tables?pageToken=",
         .reply = "{\"identifiers\": [{\"namespace\": [\"a\"], \"name\": \"orders\"}]}"},
        {.request = "GET /v1/wh/namespaces/a/views?pageToken=", .reply = "{\"identifiers\": []}"});
    firn_table table;
    assert_rc(&s,
              firn_catalog_table_load(s.catalog, s.arena, NULL, (firn_ident){"a", "ordes"}, &table,
                                      &s.err),
              FIRN_E_NO_TABLE);
    assert_says(&s, "Did you mean a.orders?");
    finish(&s);
}

static void test_errors_go_by_type_then_by_status(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const struct {
        int status;
        const char *body;
        firn_rc missing, code;
    } CASES[] = {
        {404, ERROR(404, "NoSuchTableException", "x"), FIRN_E_NO_TABLE, FIRN_E_NO_TABLE},
        {404, ERROR(404, "NoSuchNamespaceException", "x"), FIRN_E_NO_TABLE, FIRN_E_NO_TABLE},
        {404, ERROR(404, "NoSuchNamespaceException", "x"), FIRN_E_NO_NAMESPACE,
         FIRN_E_NO_NAMESPACE},
        {404, "not json", FIRN_E_NO_VIEW, FIRN_E_NO_VIEW},
        {409, ERROR(409, "CommitFailedException", "x"), FIRN_E_NO_TABLE, FIRN_E_CONFLICT},
        {409, ERROR(409, "AlreadyExistsException", "x"), FIRN_E_NO_TABLE, FIRN_E_EXISTS},
        {409, ERROR(409, "NamespaceNotEmptyException", "x"), FIRN_E_NO_TABLE, FIRN_E_NOT_EMPTY},
        {400, ERROR(400, "BadRequestException", "x"), FIRN_E_NO_TABLE, FIRN_E_INVALID},
        {401, "", FIRN_E_NO_TABLE, FIRN_E_PERMISSION},
        {406, "", FIRN_E_NO_TABLE, FIRN_E_UNSUPPORTED},
        {503, "", FIRN_E_NO_TABLE, FIRN_E_BUSY},
        {500, "", FIRN_E_NO_TABLE, FIRN_E_IO},
        {500, ERROR(500, "CommitStateUnknownException", "x"), FIRN_E_NO_TABLE,
         FIRN_E_UNKNOWN_OUTCOME},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        firn_remote_error error;
        firn_remote_parse_error(arena, CASES[i].status, firn_bytes_str(CASES[i].body),
                                CASES[i].missing, &error);
        assert_int_equal(error.code, CASES[i].code);
    }
    firn_remote_error error;
    firn_remote_parse_error(arena, 400, firn_bytes_str(ERROR(400, "X", "a\\u001b[31m\\nb")),
                            FIRN_E_NO_TABLE, &error);
    assert_string_equal(error.message, "a [31m b");
}

static void test_the_place_of_a_new_table_is_the_servers_word(void **state)
{
    (void)state;
    BEGIN(s, CONFIG,
          {.request = "POST /v1/namespaces/a/tables",
           .body_has = "\"stage-create\":true",
           .reply = "{\"metadata\": {\"location\": \"s3://there/a/t/\"}}"},
          {.request = "POST /v1/namespaces/a/tables", .status = 406},
          {.request = "GET /v1/namespaces/a",
           .reply = "{\"properties\": {\"location\": \"file:///ns\"}}"},
          {.request = "POST /v1/namespaces/a/tables", .status = 400},
          {.request = "GET /v1/namespaces/a", .reply = "{}"});
    char *location;
    assert_ok(&s, firn_catalog_default_location(s.catalog, s.arena, A_T, &location, &s.err));
    assert_string_equal(location, "s3://there/a/t");
    assert_ok(&s, firn_catalog_default_location(s.catalog, s.arena, A_T, &location, &s.err));
    assert_string_equal(location, "file:///ns/t");
    assert_ok(&s, firn_catalog_default_location(s.catalog, s.arena, A_T, &location, &s.err));
    assert_string_equal(location, "file:///wh/a/t");
    finish(&s);
}

/* ---- commits ---------------------------------------------------------------------------------- */

static void test_a_new_table_is_committed_with_assert_create(void **state)
{
    (void)state;
    BEGIN(
        s, CONFIG,
        {.request = "POST " TABLE_PATH,
         .headers = {"Content-Type: application/json", "!Idempotency-Key"},
         .body = "{\"identifier\":{\"namespace\":[\"a\"],\"name\":\"t\"},\"requirements\":"
                 "[{\"type\":\"assert-create\"}],\"updates\":[{\"action\":\"assign-uuid\","
                 "\"uuid\":\"" UUID "\"}]}",
         .reply = LOADED(EMPTY_TABLE, "file:///m1")},
        {.request = "POST " TABLE_PATH,
         .status = 409,
         .reply = ERROR(409, "CommitFailedException", "Requirement failed: table already exists")});
    firn_change change = {.kind = FIRN_CHANGE_CREATE_TABLE,
                          .ident = A_T,
                          .updates =
                              json(&s, "[{\"action\": \"assign-uuid\", \"uuid\": \"" UUID "\"}]")};
    firn_commit_result result;
    assert_ok(&s, commit(&s, change, &result));
    assert_string_equal(result.locations[0], "file:///m1");
    assert_non_null(result.commit_id);
    assert_rc(&s, commit(&s, change, &result), FIRN_E_EXISTS);
    assert_false(s.err.retriable);
    finish(&s);
}

static void test_a_commit_asserts_what_it_was_built_on(void **state)
{
    (void)state;
    BEGIN(
        s, CONFIG, {.request = LOAD, .reply = LOADED(TABLE_AT_5, "file:///m1")},
        {.request = "POST " TABLE_PATH,
         .body =
             "{\"identifier\":{\"namespace\":[\"a\"],\"name\":\"t\"},\"requirements\":["
             "{\"type\":\"assert-table-uuid\",\"uuid\":\"" UUID "\"},"
             "{\"type\":\"assert-ref-snapshot-id\",\"ref\":\"main\",\"snapshot-id\":5},"
             "{\"type\":\"assert-last-assigned-field-id\",\"last-assigned-field-id\":1},"
             "{\"type\":\"assert-current-schema-id\",\"current-schema-id\":0},"
             "{\"type\":\"assert-last-assigned-partition-id\",\"last-assigned-partition-id\":999},"
             "{\"type\":\"assert-default-spec-id\",\"default-spec-id\":0},"
             "{\"type\":\"assert-default-sort-order-id\",\"default-sort-order-id\":0}],"
             "\"updates\":[{\"action\":\"set-properties\",\"updates\":{\"k\":\"v\"}}]}",
         .status = 409,
         .reply = ERROR(409, "CommitFailedException", "Requirement failed")});
    firn_table table;
    assert_ok(&s, load(&s, &table));
    firn_change change = {
        .kind = FIRN_CHANGE_UPDATE_TABLE,
        .ident = A_T,
        .updates = json(&s, "[{\"action\": \"set-properties\", \"updates\": {\"k\": \"v\"}}]"),
        .expected = table.metadata};
    firn_commit_result result;
    assert_rc(&s, commit(&s, change, &result), FIRN_E_CONFLICT);
    assert_true(s.err.retriable);
    finish(&s);
}

static firn_rc set_k(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    int *built = ctx;
    (void)arena;
    (void)base;
    (void)requirements;
    (void)err;
    ++*built;
    json_array_append_new(
        updates, json_pack("{s:s, s:{s:s}}", "action", "set-properties", "updates", "k", "v"));
    return FIRN_OK;
}

static void test_a_lost_race_is_built_again(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = LOAD, .reply = LOADED(EMPTY_TABLE, "file:///m1")},
          {.request = "POST " TABLE_PATH,
           .body_has = "\"ref\":\"main\",\"snapshot-id\":null",
           .status = 409,
           .reply = ERROR(409, "CommitFailedException", "Requirement failed")},
          {.request = LOAD, .reply = LOADED(TABLE_AT_5, "file:///m2")},
          {.request = "POST " TABLE_PATH,
           .body_has = "\"ref\":\"main\",\"snapshot-id\":5",
           .reply = LOADED(METADATA(SNAPSHOT("5", ""), MAIN_AT("5"), "5", "\"k\": \"v\""),
                           "file:///m3")});
    int built = 0;
    firn_table_builder builder = {.ident = A_T, .build = set_k, .ctx = &built};
    firn_commit_result result;
    assert_ok(&s, firn_catalog_commit_tables(s.catalog, s.arena, NULL, &builder, 1, NULL, &result,
                                             &s.err));
    assert_int_equal(built, 2);
    assert_string_equal(result.locations[0], "file:///m3");
    finish(&s);
}

static void test_nothing_to_do_is_not_sent(void **state)
{
    (void)state;
    BEGIN(s, CONFIG);
    firn_change change = {
        .kind = FIRN_CHANGE_UPDATE_TABLE, .ident = A_T, .updates = json(&s, "[]")};
    firn_commit_result result;
    assert_ok(&s, commit(&s, change, &result));
    assert_null(result.commit_id);
    finish(&s);
}

/* ---- outcomes --------------------------------------------------------------------------------- */

#define LANDED                                                                                  \
    METADATA(SNAPSHOT("5", "") ", " SNAPSHOT("6", "\"parent-snapshot-id\": 5, "), MAIN_AT("6"), \
             "6", "")
#define OVERTAKEN                                                                               \
    METADATA(SNAPSHOT("5", "") ", " SNAPSHOT("7", "\"parent-snapshot-id\": 5, "), MAIN_AT("7"), \
             "7", "")
#define ROLLED_BACK METADATA(SNAPSHOT("3", ""), MAIN_AT("3"), "3", "")

static void test_a_commit_that_landed_in_spite_of_a_5xx_is_done(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = "POST " TABLE_PATH, .status = 502, .reply = "<html>Bad gateway"},
          {.request = LOAD, .reply = LOADED(LANDED, "file:///m2")},
          {.request = LOAD, .reply = LOADED(LANDED, "file:///m2")});
    firn_commit_result result;
    assert_ok(&s, commit(&s, append_to_5(&s), &result));
    assert_string_equal(result.locations[0], "file:///m2");
    finish(&s);
}

static void test_a_commit_whose_answer_is_lost_and_that_was_overtaken_is_a_conflict(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = "POST " TABLE_PATH, .status = LOST},
          {.request = LOAD, .reply = LOADED(TABLE_AT_5, "file:///m1")},
          {.request = LOAD, .reply = LOADED(OVERTAKEN, "file:///m2")});
    firn_commit_result result;
    assert_rc(&s, commit(&s, append_to_5(&s), &result), FIRN_E_CONFLICT);
    assert_true(s.err.retriable);
    finish(&s);
}

static void test_a_commit_that_cannot_be_seen_stays_unknown(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = "POST " TABLE_PATH, .status = LOST},
          {.request = LOAD, .reply = LOADED(TABLE_AT_5, "file:///m1")},
          {.request = LOAD, .reply = LOADED(TABLE_AT_5, "file:///m1")},
          {.request = LOAD, .reply = LOADED(ROLLED_BACK, "file:///m2")},
          {.request = LOAD, .reply = LOADED(TABLE_AT_5, "file:///m1")});
    firn_commit_result result;
    assert_rc(&s, commit(&s, append_to_5(&s), &result), FIRN_E_UNKNOWN_OUTCOME);
    assert_true(s.err.outcome_unknown);
    assert_says(&s, "no file was deleted");
    finish(&s);
}

static void test_history_that_is_cut_off_proves_nothing(void **state)
{
    (void)state;
    BEGIN(s, CONFIG);
    static const struct {
        const char *now, *base;
        firn_outcome outcome;
    } CASES[] = {
        /* ours is gone, but the next was built on it */
        {METADATA(SNAPSHOT("7", "\"parent-snapshot-id\": 6, "), MAIN_AT("7"), "7", ""), "5",
         FIRN_OUTCOME_DONE},
        {METADATA(SNAPSHOT("7", "\"parent-snapshot-id\": 5, "), MAIN_AT("7"), "7", ""), "5",
         FIRN_OUTCOME_NEVER},
        {METADATA(SNAPSHOT("8", "\"parent-snapshot-id\": 7, "), MAIN_AT("8"), "8", ""), "5",
         FIRN_OUTCOME_UNKNOWN},
        {METADATA(SNAPSHOT("7", ""), MAIN_AT("7"), "7", ""), "null", FIRN_OUTCOME_UNKNOWN},
        {EMPTY_TABLE, "null", FIRN_OUTCOME_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        firn_metadata *now;
        assert_ok(&s,
                  firn_metadata_from_json(s.arena, json(&s, CASES[i].now), "test", &now, &s.err));
        json_t *requirements =
            json(&s, firn_arena_printf(s.arena,
                                       "[{\"type\": \"assert-ref-snapshot-id\", \"ref\": \"main\", "
                                       "\"snapshot-id\": %s}]",
                                       CASES[i].base));
        assert_int_equal(firn_remote_judge(now, requirements, json(&s, APPEND_6)),
                         CASES[i].outcome);
    }
    finish(&s);
}

static void test_a_lost_create_is_told_by_the_uuid(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = "POST " TABLE_PATH, .status = 504},
          {.request = LOAD, .reply = LOADED(EMPTY_TABLE, "file:///m1")},
          {.request = LOAD, .reply = LOADED(EMPTY_TABLE, "file:///m1")},
          {.request = "POST " TABLE_PATH, .status = 504},
          {.request = LOAD, .reply = LOADED(EMPTY_TABLE, "file:///m1")});
    firn_change ours = {.kind = FIRN_CHANGE_CREATE_TABLE,
                        .ident = A_T,
                        .updates =
                            json(&s, "[{\"action\": \"assign-uuid\", \"uuid\": \"" UUID "\"}]")};
    firn_change other = ours;
    other.updates = json(&s, "[{\"action\": \"assign-uuid\", \"uuid\": "
                             "\"11111111-03fe-4693-9a96-a0705ddf69c1\"}]");
    firn_commit_result result;
    assert_ok(&s, commit(&s, ours, &result));
    assert_rc(&s, commit(&s, other, &result), FIRN_E_EXISTS);
    finish(&s);
}

static void test_with_a_key_a_commit_is_sent_until_it_is_answered(void **state)
{
    (void)state;
    BEGIN(s, {.request = "GET /v1/config", .reply = KEYED},
          {.request = "POST " TABLE_PATH, .headers = {"Idempotency-Key: the-key"}, .status = LOST},
          {.request = "POST " TABLE_PATH, .headers = {"Idempotency-Key: the-key"}, .status = 503},
          {.request = "POST " TABLE_PATH,
           .headers = {"Idempotency-Key: the-key"},
           .reply = LOADED(LANDED, "file:///m2")});
    firn_commit_result result;
    firn_change change = append_to_5(&s);
    firn_commit_info info = {.idempotency_key = "the-key"};
    assert_ok(&s,
              firn_catalog_commit(s.catalog, s.arena, NULL, &change, 1, &info, &result, &s.err));
    assert_string_equal(result.locations[0], "file:///m2");
    finish(&s);
}

static void test_a_garbled_answer_to_a_commit_does_not_undo_it(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = "POST " TABLE_PATH, .reply = "{\"metadata\": 1}"},
          {.request = LOAD, .reply = LOADED(LANDED, "file:///m2")});
    firn_commit_result result;
    assert_ok(&s, commit(&s, append_to_5(&s), &result));
    assert_string_equal(result.locations[0], "file:///m2");
    finish(&s);
}

/* ---- several tables, other changes ------------------------------------------------------------ */

static void test_several_tables_are_one_transaction(void **state)
{
    (void)state;
    BEGIN(s, CONFIG,
          {.request = "POST /v1/transactions/commit",
           .body_has = "{\"table-changes\":[{\"identifier\":{\"namespace\":[\"a\"],\"name\":\"t\"}",
           .status = 204},
          {.request = LOAD, .reply = LOADED(LANDED, "file:///m2")},
          {.request = "GET /v1/namespaces/a/tables/u?snapshots=all",
           .reply = LOADED(LANDED, "file:///m3")});
    firn_change changes[2] = {append_to_5(&s), append_to_5(&s)};
    changes[1].ident.name = "u";
    firn_commit_result result;
    assert_ok(&s, firn_catalog_commit(s.catalog, s.arena, NULL, changes, 2, NULL, &result, &s.err));
    assert_string_equal(result.locations[0], "file:///m2");
    assert_string_equal(result.locations[1], "file:///m3");
    finish(&s);
}

static void test_what_a_server_does_not_offer_is_unsupported(void **state)
{
    (void)state;
    BEGIN(
        s,
        {.request = "GET /v1/config",
         .reply = "{\"endpoints\": [\"POST /v1/{prefix}/namespaces/{namespace}/tables/{table}\"]}"},
        {.request = "GET /api/v1/refs/main", .status = 404});
    firn_change changes[2] = {append_to_5(&s), append_to_5(&s)};
    changes[1].ident.name = "u";
    firn_commit_result result;
    assert_rc(&s, firn_catalog_commit(s.catalog, s.arena, NULL, changes, 2, NULL, &result, &s.err),
              FIRN_E_UNSUPPORTED);
    assert_says(&s, "transactions/commit");
    changes[1] = (firn_change){.kind = FIRN_CHANGE_DROP_TABLE, .ident = A_T};
    assert_rc(&s, firn_catalog_commit(s.catalog, s.arena, NULL, changes, 2, NULL, &result, &s.err),
              FIRN_E_UNSUPPORTED);
    firn_ref ref;
    assert_rc(&s, firn_catalog_ref_create(s.catalog, "dev", false, NULL, &s.err),
              FIRN_E_UNSUPPORTED);
    assert_says(&s, "no branches");
    firn_commit *log;
    size_t n;
    assert_rc(&s, firn_catalog_log(s.catalog, s.arena, NULL, 1, &log, &n, &s.err),
              FIRN_E_UNSUPPORTED);
    assert_ok(&s, firn_catalog_ref_get(s.catalog, s.arena, NULL, &ref, &s.err));
    assert_string_equal(ref.name, "main");
    finish(&s);
}

static void test_namespaces_are_made_changed_and_dropped(void **state)
{
    (void)state;
    BEGIN(s, CONFIG,
          {.request = "POST /v1/namespaces",
           .body = "{\"namespace\":[\"a\",\"b\"],\"properties\":{\"k\":\"v\"}}",
           .reply = "{}"},
          {.request = "POST /v1/namespaces/a/properties",
           .body = "{\"removals\":[\"gone\"],\"updates\":{\"k\":\"v\"}}",
           .reply = "{}"},
          {.request = "DELETE /v1/namespaces/a",
           .status = 409,
           .reply = ERROR(409, "NamespaceNotEmptyException", "a is not empty")},
          {.request = "DELETE /v1/namespaces/a", .status = 409},
          {.request = "DELETE /v1/namespaces/a", .status = 204},
          {.request = "POST /v1/namespaces", .status = 409});
    firn_commit_result result;
    firn_change create = {.kind = FIRN_CHANGE_CREATE_NAMESPACE,
                          .ident = {.ns = "a" FIRN_NS_SEP "b"},
                          .document = json(&s, "{\"k\": \"v\"}")};
    firn_change set = {.kind = FIRN_CHANGE_SET_NAMESPACE_PROPERTIES,
                       .ident = {.ns = "a"},
                       .document = json(&s, "{\"k\": \"v\", \"gone\": null}")};
    firn_change drop = {.kind = FIRN_CHANGE_DROP_NAMESPACE, .ident = {.ns = "a"}};
    assert_ok(&s, commit(&s, create, &result));
    assert_ok(&s, commit(&s, set, &result));
    assert_rc(&s, commit(&s, drop, &result), FIRN_E_NOT_EMPTY);
    assert_rc(&s, commit(&s, drop, &result), FIRN_E_NOT_EMPTY);
    assert_ok(&s, commit(&s, drop, &result));
    assert_rc(&s, commit(&s, create, &result), FIRN_E_EXISTS);
    finish(&s);
}

static void test_drops_and_renames(void **state)
{
    (void)state;
    BEGIN(s, CONFIG, {.request = "DELETE " TABLE_PATH "?purgeRequested=false", .status = 204},
          {.request = "POST /v1/tables/rename",
           .body = "{\"source\":{\"namespace\":[\"a\"],\"name\":\"t\"},\"destination\":"
                   "{\"namespace\":[\"b\"],\"name\":\"u\"}}",
           .status = 204},
          {.request = "GET /v1/namespaces/b/tables/u?snapshots=all",
           .reply = LOADED(EMPTY_TABLE, "file:///m1")},
          {.request = LOAD, .reply = LOADED(EMPTY_TABLE, "file:///m9")},
          {.request = "DELETE " TABLE_PATH "?purgeRequested=false", .status = LOST},
          {.request = LOAD, .status = 404},
          {.request = "GET /v1/namespaces/a/tables?pageToken=", .reply = "{\"identifiers\": []}"});
    firn_commit_result result;
    firn_change drop = {.kind = FIRN_CHANGE_DROP_TABLE, .ident = A_T};
    assert_ok(&s, commit(&s, drop, &result));
    firn_change rename = {.kind = FIRN_CHANGE_RENAME_TABLE, .ident = A_T, .to = {"b", "u"}};
    assert_ok(&s, commit(&s, rename, &result));
    assert_string_equal(result.locations[0], "file:///m1");
    drop.expected_location = "file:///m1";
    assert_rc(&s, commit(&s, drop, &result), FIRN_E_CONFLICT);
    drop.expected_location = NULL;
    assert_ok(&s, commit(&s, drop, &result)); /* its answer was lost, but the table is gone */
    finish(&s);
}

#define VIEW_DOCUMENT(id)                                                                          \
    "{\"view-uuid\": \"" UUID "\", \"format-version\": 1, \"location\": \"file:///v\", "           \
    "\"current-version-id\": " #id ", \"versions\": [{\"version-id\": " #id                        \
    ", \"timestamp-ms\": 1, "                                                                      \
    "\"schema-id\": 0, \"summary\": {}, \"default-namespace\": [\"a\"], \"representations\": "     \
    "[{\"type\": \"sql\", \"sql\": \"select " #id "\", \"dialect\": \"duckdb\"}]}], \"schemas\": " \
    "[{\"type\": \"struct\", \"schema-id\": 0, \"fields\": []}], \"version-log\": [], "            \
    "\"properties\": {\"p\": \"" #id "\"}}"

static void test_views_are_made_and_replaced(void **state)
{
    (void)state;
    BEGIN(s, CONFIG_ALL,
          {.request = "POST /v1/wh/namespaces/a/views",
           .body_has = "\"view-version\":{\"version-id\":1",
           .reply = LOADED(VIEW_DOCUMENT(1), "file:///v1")},
          {.request = "GET /v1/wh/namespaces/a/tables/t?snapshots=all", .status = 404},
          {.request = "GET /v1/wh/namespaces/a/views/t",
           .reply = LOADED(VIEW_DOCUMENT(1), "file:///v1")},
          {.request = "GET /v1/wh/namespaces/a/views/t",
           .reply = LOADED(VIEW_DOCUMENT(1), "file:///v1")},
          {.request = "POST /v1/wh/namespaces/a/views/t",
           .body_has =
               "\"requirements\":[{\"type\":\"assert-view-uuid\",\"uuid\":\"" UUID
               "\"}],\"updates\":[{\"action\":\"set-properties\",\"updates\":{\"p\":\"2\"}},",
           .reply = LOADED(VIEW_DOCUMENT(2), "file:///v2")},
          {.request = "GET /v1/wh/namespaces/a/tables/t?snapshots=all", .status = 404},
          {.request = "GET /v1/wh/namespaces/a/views/t",
           .reply = LOADED(VIEW_DOCUMENT(2), "file:///v2")});
    firn_commit_result result;
    firn_change put = {
        .kind = FIRN_CHANGE_PUT_VIEW, .ident = A_T, .document = json(&s, VIEW_DOCUMENT(1))};
    assert_ok(&s, commit(&s, put, &result));
    assert_string_equal(result.locations[0], "file:///v1");
    put.document = json(&s, VIEW_DOCUMENT(2));
    put.replace = true;
    assert_ok(&s, commit(&s, put, &result));
    assert_string_equal(result.locations[0], "file:///v2");
    finish(&s);
}

/* ---- beside the catalog ----------------------------------------------------------------------- */

static void test_the_run_log_is_kept_locally(void **state)
{
    (void)state;
    BEGIN(s, CONFIG);
    firn_run run, found;
    assert_ok(&s, firn_run_start(s.catalog, s.arena, "p", NULL, &run, &s.err));
    assert_ok(&s, firn_run_get(s.catalog, s.arena, run.run_id, &found, &s.err));
    assert_string_equal(found.pipeline, "p");
    finish(&s);
}

static void test_refs_of_nessie_are_chosen_by_the_uri(void **state)
{
    (void)state;
    BEGIN(
        s,
        {.request = "GET /v1/config",
         .reply =
             "{\"overrides\": {\"prefix\": \"main%7Cwh\", \"nessie.is-nessie-catalog\": \"true\"}}"},
        {.request = "GET /dev%2F1/v1/config",
         .reply = "{\"overrides\": {\"prefix\": \"dev%7Cwh\"}}"},
        {.request = "GET /dev%2F1/v1/dev%7Cwh/namespaces/a", .reply = "{}"},
        {.request = "GET /nope/v1/config", .status = 404},
        {.request = "GET /api/v1/refs/main", .status = 404});
    json_t *properties;
    assert_ok(&s, firn_catalog_namespace_properties(s.catalog, s.arena, "dev/1", "a", &properties,
                                                    &s.err));
    assert_rc(
        &s, firn_catalog_namespace_properties(s.catalog, s.arena, "nope", "a", &properties, &s.err),
        FIRN_E_NO_REF);
    assert_rc(&s, firn_catalog_ref_create(s.catalog, "x", false, NULL, &s.err), FIRN_E_UNSUPPORTED);
    assert_says(&s, "Nessie");
    finish(&s);
}

static void test_refs_of_another_firn_go_to_its_api(void **state)
{
    (void)state;
    BEGIN(s, CONFIG,
          {.request = "GET /api/v1/refs/main",
           .reply = "{\"name\": \"main\", \"type\": \"branch\", \"commit\": \"c1\", "
                    "\"updated\": \"2026-01-02T03:04:05.000006Z\"}"},
          {.request = "POST /api/v1/refs",
           .body = "{\"name\":\"dev\",\"type\":\"branch\",\"from\":null,\"expected\":null,"
                   "\"replace\":false}",
           .status = 201,
           .reply = "{\"name\": \"dev\"}"},
          {.request = "GET /api/v1/refs/main/log?limit=2",
           .reply = "{\"commits\": [{\"id\": \"c1\", \"parent\": null, \"author\": \"ann\", "
                    "\"message\": \"m\", \"time\": \"2026-01-02T03:04:05Z\", \"changes\": "
                    "[\"create table a.t\"]}], \"next-page-token\": null}"},
          {.request = "POST /api/v1/merge",
           .body_has = "\"from\":\"dev\",\"into\":\"main\"",
           .status = 409,
           .reply = "{\"conflicts\": [{\"type\": \"KEY_EXISTS\", \"kind\": \"view\", "
                    "\"namespace\": [\"a\", \"b\"], \"name\": \"v\", \"cause\": \"both\", "
                    "\"details\": [\"d\"]}], \"error\": {\"message\": \"1 conflict\"}}"},
          {.request = "POST /api/v1/merge",
           .status = 404,
           .reply = ERROR(404, "NoSuchReferenceException", "there is no dev")});
    firn_commit *log;
    size_t n;
    firn_merge_result merged;
    assert_ok(&s, firn_catalog_ref_create(s.catalog, "dev", false, NULL, &s.err));
    assert_ok(&s, firn_catalog_log(s.catalog, s.arena, NULL, 2, &log, &n, &s.err));
    assert_int_equal(n, 1);
    assert_string_equal(log[0].changes[0], "create table a.t");
    assert_null(log[0].parent_id);
    assert_rc(&s, firn_catalog_merge(s.catalog, s.arena, "dev", NULL, NULL, &merged, &s.err),
              FIRN_E_VALIDATION);
    assert_int_equal(merged.n_conflicts, 1);
    assert_int_equal(merged.conflicts[0].type, FIRN_CONFLICT_KEY_EXISTS);
    assert_int_equal(merged.conflicts[0].kind, FIRN_KIND_VIEW);
    assert_string_equal(merged.conflicts[0].ident.ns, "a" FIRN_NS_SEP "b");
    assert_rc(&s, firn_catalog_merge(s.catalog, s.arena, "dev", NULL, NULL, &merged, &s.err),
              FIRN_E_NO_REF);
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_configuration_is_asked_for_first),
        cmocka_unit_test(test_an_override_moves_the_calls),
        cmocka_unit_test(test_a_server_that_refuses_is_told_with_advice_and_without_secrets),
        cmocka_unit_test(test_credentials_go_to_the_token_endpoint_of_the_catalog),
        cmocka_unit_test(test_no_configuration_is_an_error),
        cmocka_unit_test(test_a_configuration_has_rules),
        cmocka_unit_test(test_lists_are_read_to_the_last_page),
        cmocka_unit_test(test_pages_that_never_end_are_an_error),
        cmocka_unit_test(test_a_table_that_has_not_changed_is_not_sent_again),
        cmocka_unit_test(test_metadata_without_a_location_gets_one_by_its_content),
        cmocka_unit_test(test_a_missing_table_names_the_nearest),
        cmocka_unit_test(test_errors_go_by_type_then_by_status),
        cmocka_unit_test(test_the_place_of_a_new_table_is_the_servers_word),
        cmocka_unit_test(test_a_new_table_is_committed_with_assert_create),
        cmocka_unit_test(test_a_commit_asserts_what_it_was_built_on),
        cmocka_unit_test(test_a_lost_race_is_built_again),
        cmocka_unit_test(test_nothing_to_do_is_not_sent),
        cmocka_unit_test(test_a_commit_that_landed_in_spite_of_a_5xx_is_done),
        cmocka_unit_test(test_a_commit_whose_answer_is_lost_and_that_was_overtaken_is_a_conflict),
        cmocka_unit_test(test_a_commit_that_cannot_be_seen_stays_unknown),
        cmocka_unit_test(test_history_that_is_cut_off_proves_nothing),
        cmocka_unit_test(test_a_lost_create_is_told_by_the_uuid),
        cmocka_unit_test(test_with_a_key_a_commit_is_sent_until_it_is_answered),
        cmocka_unit_test(test_a_garbled_answer_to_a_commit_does_not_undo_it),
        cmocka_unit_test(test_several_tables_are_one_transaction),
        cmocka_unit_test(test_what_a_server_does_not_offer_is_unsupported),
        cmocka_unit_test(test_namespaces_are_made_changed_and_dropped),
        cmocka_unit_test(test_drops_and_renames),
        cmocka_unit_test(test_views_are_made_and_replaced),
        cmocka_unit_test(test_the_run_log_is_kept_locally),
        cmocka_unit_test(test_refs_of_nessie_are_chosen_by_the_uri),
        cmocka_unit_test(test_refs_of_another_firn_go_to_its_api),
    };
    return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
