/* Who gets in: tokens, OAuth2 clients, roles, and browsers where nobody has to log in. */
#include "serving.h"

#include "auth.h"
#include "jwt.h"

#include <sys/stat.h>

static const char CONFIG[] = "\nserve:\n"
                             "  auth: token\n"
                             "  tokens:\n"
                             "    - {name: ann, token: ann-s-token, role: reader}\n"
                             "    - {name: bob, token: bob-s-token, role: writer}\n"
                             "    - {name: root, token: root-s-token, role: admin}\n"
                             "  clients:\n"
                             "    - {id: spark, secret: \"s+e/c ret\", role: writer}\n";

static int setup(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, CONFIG);
    *state = s;
    return 0;
}

static int setup_open(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, NULL);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    free(*state);
    return 0;
}

static void as(serving *s, const char *token)
{
    s->n_headers = 0;
    send_header(s, "Authorization", firn_arena_printf(s->arena, "Bearer %s", token));
}

static const char *text_of(const serving *s, const char *member)
{
    return json_string_value(json_object_get(s->json, member));
}

#define NSS   "/v1/main/namespaces"
#define BODY  "{\"namespace\": [\"a\"]}"
#define OAUTH "/v1/oauth/tokens"

static void test_without_a_token_nobody_gets_in(void **state)
{
    serving *s = *state;
    expect(s, 401, "GET", "/v1/config", NULL);
    expect_error(s, "NotAuthorizedException");
    assert_non_null(strstr(answer_header(s, "WWW-Authenticate"), "Bearer"));
    as(s, "wrong");
    expect(s, 401, "GET", NSS, NULL);
    as(s, "");
    expect(s, 401, "GET", NSS, NULL);
    expect(s, 200, "GET", "/health", NULL);
}

static void test_roles_decide_and_names_stand_in_the_log(void **state)
{
    serving *s = *state;
    as(s, "ann-s-token");
    expect(s, 200, "GET", NSS, NULL);
    expect(s, 403, "POST", NSS, BODY);
    expect_error(s, "ForbiddenException");
    as(s, "bob-s-token");
    expect(s, 200, "POST", NSS, BODY);
    firn_commit *log;
    size_t n;
    firn_err err = {0};
    assert_int_equal(firn_catalog_log(s->server->catalog, s->arena, "main", 1, &log, &n, &err),
                     FIRN_OK);
    assert_string_equal(log[0].author, "bob");
}

static void test_a_client_trades_its_credential_for_a_token(void **state)
{
    serving *s = *state;
    const char *form = "grant_type=client_credentials&client_id=spark&"
                       "client_secret=s%2Be%2Fc+ret&scope=catalog";
    send_header(s, "Content-Type", "application/x-www-form-urlencoded");
    expect(s, 200, "POST", OAUTH, form);
    assert_string_equal(text_of(s, "token_type"), "bearer");
    assert_string_equal(text_of(s, "scope"), "catalog");
    assert_int_equal(json_integer_value(json_object_get(s->json, "expires_in")), 3600);
    const char *token = text_of(s, "access_token");
    as(s, token);
    expect(s, 200, "POST", NSS, BODY);
    /* Also below /iceberg, without a client id, and with the credential in the header. */
    s->n_headers = 0;
    expect(s, 200, "POST", "/iceberg/v1/oauth/tokens",
           "grant_type=client_credentials&client_secret=s%2Be%2Fc+ret");
    send_header(s, "Authorization", "Basic c3Bhcms6cytlL2MgcmV0");
    expect(s, 200, "POST", OAUTH, "grant_type=client_credentials");
}

static void test_oauth_errors_are_in_oauths_form(void **state)
{
    serving *s = *state;
    static const struct {
        const char *form, *error;
        int status;
    } cases[] = {
        {"grant_type=client_credentials&client_id=spark&client_secret=no", "invalid_client", 401},
        {"grant_type=client_credentials&client_id=bob&client_secret=bob-s-token", "invalid_client",
         401},
        {"grant_type=client_credentials", "invalid_client", 401},
        {"grant_type=password", "unsupported_grant_type", 400},
        {"x", "unsupported_grant_type", 400},
        {"", "invalid_request", 400},
        {"grant_type=urn:ietf:params:oauth:grant-type:token-exchange", "invalid_request", 400},
        {"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x",
         "invalid_grant", 400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(s, cases[i].status, "POST", OAUTH, cases[i].form);
        assert_string_equal(text_of(s, "error"), cases[i].error);
    }
}

#define EXCHANGE \
    "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Atoken-exchange&subject_token=%s"

static const char *a_token(serving *s)
{
    const char *form = "grant_type=client_credentials&client_id=spark&client_secret=s%2Be%2Fc+ret";
    s->n_headers = 0;
    expect(s, 200, "POST", OAUTH, form);
    return text_of(s, "access_token");
}

static void test_a_token_is_exchanged_for_a_fresh_one(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", OAUTH, firn_arena_printf(s->arena, EXCHANGE, a_token(s)));
    assert_string_equal(text_of(s, "issued_token_type"),
                        "urn:ietf:params:oauth:token-type:access_token");
    as(s, text_of(s, "access_token"));
    expect(s, 200, "POST", NSS, BODY);
    s->n_headers = 0;
    expect(s, 200, "POST", OAUTH, firn_arena_printf(s->arena, EXCHANGE, "ann-s-token"));
    as(s, text_of(s, "access_token"));
    expect(s, 200, "GET", NSS, NULL);
    expect(s, 403, "DELETE", NSS "/a", NULL);
}

/* A token made by hand with the lake's own key: what only the server could do, for claims that it would not make. */
static const char *forge(serving *s, const char *sub, const char *mark, int64_t exp)
{
    uint8_t key[FIRN_JWT_KEY_BYTES];
    firn_bytes text, bytes;
    firn_err err = {0};
    assert_int_equal(firn_file_read(s->arena,
                                    firn_path_join(s->arena, s->dir, ".firn/serve.secret"), 1024,
                                    &text, &err),
                     FIRN_OK);
    assert_true(firn_unhex(s->arena, (const char *)text.data, &bytes));
    memcpy(key, bytes.data, sizeof(key));
    json_t *claims = json_pack("{s:s, s:b, s:s, s:I}", "sub", sub, "client", 1, "mark", mark, "exp",
                               (json_int_t)exp);
    return firn_jwt_sign(s->arena, key, firn_json_own(s->arena, claims));
}

static const char *mark_of(serving *s, const char *token)
{
    const char *payload = strchr(token, '.') + 1;
    firn_bytes text;
    json_t *claims;
    assert_true(
        firn_base64_decode(s->arena, payload, (size_t)(strrchr(token, '.') - payload), &text));
    assert_int_equal(firn_json_parse(s->arena, text, "claims", &claims, NULL), FIRN_OK);
    return json_string_value(json_object_get(claims, "mark"));
}

static void test_tokens_expire_and_end_with_their_credential(void **state)
{
    serving *s = *state;
    const char *mark = mark_of(s, a_token(s));
    as(s, forge(s, "spark", mark, INT64_C(4000000000)));
    expect(s, 200, "GET", NSS, NULL);
    const char *expired = forge(s, "spark", mark, 1);
    as(s, expired);
    expect(s, 401, "GET", NSS, NULL);
    as(s, forge(s, "spark", "0000000000000000", INT64_C(4000000000)));
    expect(s, 401, "GET", NSS, NULL);
    as(s, forge(s, "gone", mark, INT64_C(4000000000)));
    expect(s, 401, "GET", NSS, NULL);
    /* An expired one is exchanged only together with the credential. */
    s->n_headers = 0;
    expect(s, 400, "POST", OAUTH, firn_arena_printf(s->arena, EXCHANGE, expired));
    send_header(s, "Authorization", "Basic c3Bhcms6cytlL2MgcmV0");
    expect(s, 200, "POST", OAUTH, firn_arena_printf(s->arena, EXCHANGE, expired));
}

static void test_a_changed_token_is_nobodys(void **state)
{
    serving *s = *state;
    const char *token = a_token(s);
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i += 7) {
        char *changed = firn_arena_strdup(s->arena, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        as(s, changed);
        expect(s, 401, "GET", NSS, NULL);
    }
    /* "alg": "none" */
    as(s, firn_arena_printf(s->arena, "eyJhbGciOiJub25lIn0.%s.", strchr(token, '.') + 1));
    expect(s, 401, "GET", NSS, NULL);
}

static void test_tokens_outlive_a_restart_and_the_key_is_private(void **state)
{
    serving *s = *state;
    firn_err err = {0};
    const char *token = a_token(s);
    struct stat info;
    assert_int_equal(stat(firn_path_join(s->arena, s->dir, ".firn/serve.secret"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    firn_serve_stop(s->server, 0);
    firn_serve_options options = {.lake = s->lake};
    assert_int_equal(firn_serve_new(&options, &s->server, &err), FIRN_OK);
    as(s, token);
    expect(s, 200, "GET", NSS, NULL);
    chmod(firn_path_join(s->arena, s->dir, ".firn/serve.secret"), 0644);
    firn_server *other;
    assert_int_equal(firn_serve_new(&options, &other, &err), FIRN_E_PERMISSION);
}

/* The server writes where a table's location says, as its own user. */
static void test_only_admins_point_the_server_outside_of_the_warehouse(void **state)
{
    serving *s = *state;
    as(s, "bob-s-token");
    expect(s, 200, "POST", NSS, BODY);
#define AT(location)                                                                  \
    firn_arena_printf(                                                                \
        s->arena,                                                                     \
        "{\"name\": \"t\", \"location\": \"%s\", \"schema\": {\"type\": \"struct\", " \
        "\"fields\": [{\"id\": 1, \"name\": \"a\", \"type\": \"int\", \"required\": " \
        "false}]}}",                                                                  \
        location)
    const char *outside = firn_path_join(s->arena, s->dir, "elsewhere");
    const char *wh = s->server->warehouse_path;
    const char *const bad[] = {
        outside,
        firn_arena_printf(s->arena, "file://%s", outside),
        firn_arena_printf(s->arena, "file:%s", outside),
        firn_arena_printf(s->arena, "file://%s/../elsewhere", wh),
        firn_arena_printf(s->arena, "%s-beside/t", wh),
        wh,
        "s3://bucket/t",
        "relative/t",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(s, 403, "POST", NSS "/a/tables", AT(bad[i]));
    }
    assert_false(firn_path_exists(outside));
    expect(s, 200, "POST", NSS "/a/tables", AT(firn_arena_printf(s->arena, "file://%s/x/t", wh)));
    const char *move = firn_arena_printf(
        s->arena, "{\"updates\": [{\"action\": \"set-location\", \"location\": \"%s\"}]}", outside);
    expect(s, 403, "POST", NSS "/a/tables/t", move);
    expect(s, 403, "POST", NSS "/a/tables/t",
           firn_arena_printf(s->arena,
                             "{\"updates\": [{\"action\": \"set-properties\", \"updates\": "
                             "{\"write.metadata.path\": \"%s\"}}]}",
                             outside));
    expect(s, 403, "POST", NSS "/a/register",
           "{\"name\": \"u\", \"metadata-location\": \"/etc/passwd\"}");
    as(s, "root-s-token");
    expect(s, 200, "POST", NSS "/a/tables/t", move);
    as(s, "bob-s-token");
    expect(s, 200, "POST", NSS "/a/tables/t", move); /* where it is already */
}

/* ---- without authentication ------------------------------------------------------------------------------ */

static void test_a_server_without_auth_listens_to_this_machine_only(void **state)
{
    serving *s = *state;
    firn_err err = {0};
    firn_server *server;
    static const char *const beyond[] = {"0.0.0.0:0", ":0", "[::]:0"};
    for (size_t i = 0; i < 3; i++) {
        firn_serve_options options = {.lake = s->lake, .listen = beyond[i]};
        assert_int_equal(firn_serve_start(&options, &server, &err), FIRN_E_CONFIG);
        assert_non_null(strstr(err.message, "serve.auth"));
    }
    firn_serve_options token = {.lake = s->lake, .listen = "127.0.0.1:0", .auth = "token"};
    assert_int_equal(firn_serve_start(&token, &server, &err), FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "serve.tokens"));
    firn_serve_options loopback = {.lake = s->lake, .listen = "127.0.0.1:0"};
    assert_int_equal(firn_serve_start(&loopback, &server, &err), FIRN_OK);
    assert_true(firn_starts_with(firn_serve_url(server), "http://127.0.0.1:"));
    firn_serve_stop(server, 100);
}

static void test_tokens_do_not_travel_in_the_clear(void **state)
{
    serving *s = *state;
    firn_err err = {0};
    firn_server *server;
    firn_serve_options options = {.lake = s->lake, .listen = "0.0.0.0:0"};
    assert_int_equal(firn_serve_start(&options, &server, &err), FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "serve.tls_cert"));
}

static int with_host(serving *s, const char *host)
{
    s->n_headers = 0;
    send_header(s, "Host", host);
    return request(s, "GET", NSS, NULL);
}

static void test_other_hosts_names_are_refused(void **state)
{
    serving *s = *state;
    assert_int_equal(with_host(s, "localhost:8181"), 200);
    assert_int_equal(with_host(s, "127.0.0.1"), 200);
    assert_int_equal(with_host(s, "[::1]:1"), 200);
    assert_int_equal(with_host(s, "evil.example:8181"), 403);
    assert_int_equal(with_host(s, "127.0.0.1.evil.example"), 403);
    assert_int_equal(with_host(s, ""), 403);
}

static void test_pages_of_other_sites_cannot_write(void **state)
{
    serving *s = *state;
    send_header(s, "Host", "localhost:8181");
    send_header(s, "Origin", "https://evil.example");
    expect(s, 403, "POST", NSS, BODY);
    s->n_headers = 1;
    send_header(s, "Origin", "null");
    expect(s, 403, "POST", NSS, BODY);
    s->n_headers = 1;
    send_header(s, "Sec-Fetch-Site", "cross-site");
    expect(s, 403, "POST", NSS, BODY);
    s->n_headers = 1;
    send_header(s, "Origin", "http://localhost:8181");
    send_header(s, "Sec-Fetch-Site", "same-origin");
    expect(s, 200, "POST", NSS, BODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_token_nobody_gets_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_roles_decide_and_names_stand_in_the_log, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_client_trades_its_credential_for_a_token, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_oauth_errors_are_in_oauths_form, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_token_is_exchanged_for_a_fresh_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens_expire_and_end_with_their_credential, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_token_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens_outlive_a_restart_and_the_key_is_private, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_only_admins_point_the_server_outside_of_the_warehouse,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_server_without_auth_listens_to_this_machine_only,
                                        setup_open, teardown),
        cmocka_unit_test_setup_teardown(test_tokens_do_not_travel_in_the_clear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_hosts_names_are_refused, setup_open, teardown),
        cmocka_unit_test_setup_teardown(test_pages_of_other_sites_cannot_write, setup_open,
                                        teardown),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
