/* The HTTP client against scripted exchanges: what is sent, what is sent again, and what each failure means. */
#include "net/http_client.h"

#include "base/thread.h"
#include "base/time.h"
#include "scripted_server.h"

typedef struct setup {
    firn_arena *arena;
    firn_http_client *client;
    scripted_server server;
    firn_err err;
    firn_http_reply reply;
} setup;

static firn_http_client *client_with(firn_http_options options)
{
    firn_http_client *client;
    options.retry_wait_ms_min = 1;
    options.retry_wait_ms_max = options.retry_wait_ms_max ? options.retry_wait_ms_max : 3000;
    assert_int_equal(firn_http_client_new(&options, &client, NULL), FIRN_OK);
    return client;
}

static firn_rc send_call(setup *s, const char *method, const char *path, const char *body,
                         bool idempotent)
{
    firn_http_call call = {
        .method = method,
        .url = firn_arena_printf(s->arena, "%s%s", s->server.url, path),
        .body = body ? firn_bytes_str(body) : firn_bytes_of(NULL, 0),
        .idempotent = idempotent,
    };
    firn_err_clear(&s->err);
    return firn_http_do(s->client, s->arena, &call, &s->reply, &s->err);
}

static void finish(setup *s)
{
    scripted_end(&s->server);
    firn_http_client_free(s->client);
    firn_arena_free(s->arena);
}

#define OPTIONS(...) ((firn_http_options){__VA_ARGS__})
#define BEGIN(s, options, ...)             \
    setup s = {.arena = firn_arena_new()}; \
    SCRIPT(&s.server, __VA_ARGS__);        \
    s.client = client_with(options)

/* ---- plain calls ------------------------------------------------------------------------------ */

static void test_a_reply_of_any_status_is_a_reply(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.user_agent = "tester/1"),
          {.request = "GET /a?b=c",
           .headers = {"User-Agent: tester/1", "!Authorization"},
           .reply_headers = "ETag: \"x\"\r\n",
           .reply = "{\"a\": 1}"},
          {.request = "POST /a", .body = "hello", .status = 409, .reply = "taken"},
          {.request = "HEAD /a", .status = 404}, {.request = "DELETE /a", .status = 204},
          {.request = "POST /a", .body = "", .status = 500});
    assert_int_equal(send_call(&s, "GET", "/a?b=c", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 200);
    assert_string_equal((const char *)s.reply.body.data, "{\"a\": 1}");
    assert_string_equal(firn_http_reply_header(&s.reply, "etag"), "\"x\"");
    assert_null(firn_http_reply_header(&s.reply, "nothing"));
    assert_int_equal(send_call(&s, "POST", "/a", "hello", false), FIRN_OK);
    assert_int_equal(s.reply.status, 409);
    assert_int_equal(send_call(&s, "HEAD", "/a", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 404);
    assert_int_equal(send_call(&s, "DELETE", "/a", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 204);
    assert_int_equal(s.reply.body.len, 0);
    assert_int_equal(send_call(&s, "POST", "/a", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 500);
    finish(&s);
}

static void test_connections_are_reused_by_what_may_be_sent_twice_only(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "GET /1"}, {.request = "GET /2"}, {.request = "POST /3"},
          {.request = "POST /4"}, {.request = "GET /5"});
    assert_int_equal(send_call(&s, "GET", "/1", NULL, false), FIRN_OK);
    assert_int_equal(send_call(&s, "GET", "/2", NULL, false), FIRN_OK);
    assert_int_equal(s.server.n_connections, 1);
    assert_int_equal(send_call(&s, "POST", "/3", NULL, false), FIRN_OK);
    assert_int_equal(s.server.n_connections, 2);
    assert_int_equal(send_call(&s, "POST", "/4", NULL, true), FIRN_OK);
    assert_int_equal(send_call(&s, "GET", "/5", NULL, false), FIRN_OK);
    assert_int_equal(s.server.n_connections, 2);
    finish(&s);
}

static void get_in_thread(void *ctx, size_t i)
{
    setup *s = ctx;
    (void)i;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_http_call call = {.method = "GET", .url = firn_arena_printf(arena, "%s/x", s->server.url)};
    firn_http_reply reply;
    if (firn_http_do(s->client, arena, &call, &reply, NULL) != FIRN_OK || reply.status != 200 ||
        reply.body.len != 2) {
        abort();
    }
}

static void test_many_threads_share_one_client_and_one_token(void **state)
{
    (void)state;
    enum { CALLS = 24 };
    exchange script[CALLS + 1] = {
        {.request = "POST /token", .reply = "{\"access_token\": \"tok-1\"}", .delay_ms = 50}};
    for (int i = 1; i <= CALLS; i++) {
        script[i] = (exchange){.request = "GET /x",
                               .headers = {"Authorization: Bearer tok-1"},
                               .reply = "ok",
                               .delay_ms = 2};
    }
    setup s = {.arena = firn_arena_new()};
    scripted_begin(&s.server, script, CALLS + 1);
    s.client = client_with(
        OPTIONS(.auth = {.kind = FIRN_HTTP_AUTH_OAUTH2,
                         .token_url = firn_arena_printf(s.arena, "%s/token", s.server.url),
                         .client_secret = "sesame"}));
    firn_parallel_for(8, CALLS, get_in_thread, &s);
    assert_true(s.server.n_connections <= 10);
    finish(&s);
}

/* ---- retries ---------------------------------------------------------------------------------- */

static void test_what_may_be_sent_twice_is_sent_again(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "GET /a", .status = LOST},
          {.request = "GET /a", .status = 503},
          {.request = "GET /a", .reply = "half of this only", .cut = true},
          {.request = "GET /a", .reply = "whole"},
          {.request = "POST /b", .body = "x", .status = LOST},
          {.request = "POST /b", .body = "x", .status = 502},
          {.request = "POST /b", .body = "x", .status = 201});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    assert_string_equal((const char *)s.reply.body.data, "whole");
    assert_int_equal(send_call(&s, "POST", "/b", "x", true), FIRN_OK);
    assert_int_equal(s.reply.status, 201);
    finish(&s);
}

static void test_a_lost_answer_leaves_the_outcome_unknown(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "GET /warm"},
          {.request = "POST /a", .body = "x", .status = LOST},
          {.request = "POST /b", .body = "x", .reply = "half of this only", .cut = true},
          {.request = "DELETE /c", .status = LOST}, {.request = "POST /d", .status = 503},
          {.request = "POST /e", .status = 502});
    assert_int_equal(send_call(&s, "GET", "/warm", NULL, false), FIRN_OK);
    assert_int_equal(send_call(&s, "POST", "/a", "x", false), FIRN_E_UNKNOWN_OUTCOME);
    assert_true(s.err.outcome_unknown);
    assert_non_null(strstr(s.err.message, "/a"));
    assert_int_equal(send_call(&s, "POST", "/b", "x", false), FIRN_E_UNKNOWN_OUTCOME);
    assert_int_equal(send_call(&s, "DELETE", "/c", NULL, false), FIRN_E_UNKNOWN_OUTCOME);
    /* A gateway that lost its backend knows as little as we do: the caller decides. */
    assert_int_equal(send_call(&s, "POST", "/d", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 503);
    assert_int_equal(send_call(&s, "POST", "/e", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 502);
    finish(&s);
}

static void test_a_server_that_is_away_is_io_and_retriable(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.retries_max = 1), {.request = "GET /last"});
    assert_int_equal(send_call(&s, "GET", "/last", NULL, false), FIRN_OK);
    char url[64];
    memcpy(url, s.server.url, sizeof(url));
    scripted_end(&s.server);
    firn_http_call call = {.method = "POST",
                           .url = firn_arena_printf(s.arena, "%s/v1?secret=1", url),
                           .body = firn_bytes_str("x")};
    assert_int_equal(firn_http_do(s.client, s.arena, &call, &s.reply, &s.err), FIRN_E_IO);
    assert_true(s.err.retriable);
    assert_false(s.err.outcome_unknown);
    assert_null(strstr(s.err.message, "secret"));
    call.url = "http://no-such-host.invalid/";
    assert_int_equal(firn_http_do(s.client, s.arena, &call, &s.reply, &s.err), FIRN_E_IO);
    firn_http_client_free(s.client);
    firn_arena_free(s.arena);
}

static void test_too_many_requests_waits_as_long_as_the_server_says(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.retry_wait_ms_max = 2000),
          {.request = "POST /a", .status = 429, .reply_headers = "Retry-After: 1\r\n"},
          {.request = "POST /a", .status = 201},
          {.request = "GET /b", .status = 503, .reply_headers = "Retry-After: 3600\r\n"});
    int64_t started_us = firn_monotonic_us();
    assert_int_equal(send_call(&s, "POST", "/a", "x", false), FIRN_OK);
    assert_int_equal(s.reply.status, 201);
    assert_true(firn_monotonic_us() - started_us >= 1000000);
    /* Longer than we care to wait: the reply is the caller's. */
    assert_int_equal(send_call(&s, "GET", "/b", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 503);
    finish(&s);
}

static void test_retries_end(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.retries_max = 2), {.request = "GET /b", .status = LOST},
          {.request = "GET /b", .status = LOST}, {.request = "GET /b", .status = LOST},
          {.request = "GET /a", .status = 503}, {.request = "GET /a", .status = 503},
          {.request = "GET /a", .status = 503});
    assert_int_equal(send_call(&s, "GET", "/b", NULL, false), FIRN_E_IO);
    assert_true(s.err.retriable);
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 503);
    finish(&s);
}

static void test_slow_answers_run_out_of_time(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.total_timeout_ms = 100, .retries_max = -1),
          {.request = "GET /a", .delay_ms = 400}, {.request = "POST /a", .delay_ms = 400});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_E_IO);
    assert_int_equal(send_call(&s, "POST", "/a", "x", false), FIRN_E_UNKNOWN_OUTCOME);
    finish(&s);
}

/* ---- bounds ----------------------------------------------------------------------------------- */

static void test_answers_have_a_bound(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.response_bytes_max = 16), {.request = "GET /a", .reply = "0123456789abcdef"},
          {.request = "GET /a", .reply = "0123456789abcdefg"},
          {.request = "POST /a", .body = "x", .reply = "0123456789abcdefg"});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_E_LIMIT);
    assert_int_equal(send_call(&s, "POST", "/a", "x", false), FIRN_E_UNKNOWN_OUTCOME);
    finish(&s);
}

static void test_what_is_no_call_is_refused(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "GET /ok"});
    assert_int_equal(send_call(&s, "GET", "/a b", NULL, false), FIRN_E_INVALID);
    assert_int_equal(send_call(&s, "GET", "/a\r\nX: y", NULL, false), FIRN_E_INVALID);
    firn_http_header bad = {"X-Test", "a\r\nY: b"};
    firn_http_call call = {.method = "GET",
                           .url = firn_arena_printf(s.arena, "%s/ok", s.server.url),
                           .headers = &bad,
                           .n_headers = 1};
    assert_int_equal(firn_http_do(s.client, s.arena, &call, &s.reply, &s.err), FIRN_E_INVALID);
    call = (firn_http_call){.method = "GET", .url = "file:///etc/passwd"};
    assert_int_equal(firn_http_do(s.client, s.arena, &call, &s.reply, &s.err), FIRN_E_INVALID);
    assert_int_equal(send_call(&s, "GET", "/ok", NULL, false), FIRN_OK);
    finish(&s);
}

/* ---- authentication --------------------------------------------------------------------------- */

static void test_bearer_tokens_are_sent_and_never_told(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.auth = {.kind = FIRN_HTTP_AUTH_BEARER, .token = "very-secret"}),
          {.request = "GET /a", .headers = {"Authorization: Bearer very-secret"}, .status = 401});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 401);
    assert_string_equal(firn_http_redact(s.client, s.arena, "no very-secret here"), "no *** here");
    finish(&s);
}

static firn_http_options oauth(firn_arena *arena, const scripted_server *server)
{
    return OPTIONS(.auth = {.kind = FIRN_HTTP_AUTH_OAUTH2,
                            .token_url = firn_arena_printf(arena, "%s/token", server->url),
                            .client_id = "me",
                            .client_secret = "s&same",
                            .scope = "all of it"});
}

#define TOKEN_FORM \
    "grant_type=client_credentials&client_id=me&client_secret=s%26same&scope=all%20of%20it"
#define OAUTH_BEGIN(s, ...)                \
    setup s = {.arena = firn_arena_new()}; \
    SCRIPT(&s.server, __VA_ARGS__);        \
    s.client = client_with(oauth(s.arena, &s.server))

static void test_client_credentials_are_traded_for_a_token(void **state)
{
    (void)state;
    OAUTH_BEGIN(
        s,
        {.request = "POST /token",
         .headers = {"Content-Type: application/x-www-form-urlencoded", "!Authorization"},
         .body = TOKEN_FORM,
         .reply = "{\"access_token\": \"t1\", \"token_type\": \"bearer\", \"expires_in\": 600}"},
        {.request = "GET /a", .headers = {"Authorization: Bearer t1"}},
        {.request = "GET /b", .headers = {"Authorization: Bearer t1"}});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    assert_int_equal(send_call(&s, "GET", "/b", NULL, false), FIRN_OK);
    finish(&s);
}

static void test_a_token_is_renewed_before_it_ends(void **state)
{
    (void)state;
    OAUTH_BEGIN(
        s, {.request = "POST /token", .reply = "{\"access_token\": \"t1\", \"expires_in\": 1}"},
        {.request = "GET /a", .headers = {"Authorization: Bearer t1"}},
        {.request = "POST /token", .reply = "{\"access_token\": \"t2\", \"expires_in\": 600}"},
        {.request = "GET /a", .headers = {"Authorization: Bearer t2"}});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    firn_sleep_ms(1050);
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    finish(&s);
}

static void test_a_refused_token_is_renewed_once(void **state)
{
    (void)state;
    OAUTH_BEGIN(s, {.request = "POST /token", .reply = "{\"access_token\": \"t1\"}"},
                {.request = "POST /a", .headers = {"Authorization: Bearer t1"}, .status = 401},
                {.request = "POST /token", .reply = "{\"access_token\": \"t2\"}"},
                {.request = "POST /a", .headers = {"Authorization: Bearer t2"}, .body = "x"},
                {.request = "GET /b", .headers = {"Authorization: Bearer t2"}, .status = 401},
                {.request = "POST /token", .reply = "{\"access_token\": \"t3\"}"},
                {.request = "GET /b", .headers = {"Authorization: Bearer t3"}, .status = 401});
    assert_int_equal(send_call(&s, "POST", "/a", "x", false), FIRN_OK);
    assert_int_equal(s.reply.status, 200);
    assert_int_equal(send_call(&s, "GET", "/b", NULL, false), FIRN_OK);
    assert_int_equal(s.reply.status, 401);
    finish(&s);
}

static void test_refused_credentials_are_told_without_the_secret(void **state)
{
    (void)state;
    OAUTH_BEGIN(
        s,
        {.request = "POST /token",
         .status = 401,
         .reply = "{\"error\": \"invalid_client\", \"error_description\": \"s&same is wrong\"}"},
        {.request = "POST /token", .reply = "{\"access_token\": \"leaked\" oops"});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_E_PERMISSION);
    assert_non_null(strstr(s.err.message, "invalid_client"));
    assert_null(strstr(s.err.message, "s&same"));
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_E_CORRUPT);
    assert_null(strstr(s.err.message, "leaked"));
    finish(&s);
}

static void test_a_token_endpoint_that_is_away_is_outlasted(void **state)
{
    (void)state;
    OAUTH_BEGIN(
        s, {.request = "POST /token", .reply = "{\"access_token\": \"t1\", \"expires_in\": 5}"},
        {.request = "GET /a", .headers = {"Authorization: Bearer t1"}},
        {.request = "POST /token", .status = 500},
        {.request = "GET /a", .headers = {"Authorization: Bearer t1"}});
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    firn_sleep_ms(4100);
    assert_int_equal(send_call(&s, "GET", "/a", NULL, false), FIRN_OK);
    finish(&s);
}

static void test_signed_calls_carry_their_signature(void **state)
{
    (void)state;
    BEGIN(s,
          OPTIONS(.auth = {.kind = FIRN_HTTP_AUTH_SIGV4,
                           .region = "r",
                           .service = "glue",
                           .access_key = "AK",
                           .secret_key = "SK-secret"}),
          {.request = "POST /a",
           .body = "x",
           .headers = {"X-Amz-Content-Sha256: "
                       "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}});
    assert_int_equal(send_call(&s, "POST", "/a", "x", false), FIRN_OK);
    finish(&s);
}

static void test_authentication_must_be_whole(void **state)
{
    (void)state;
    firn_http_client *client;
    firn_err err = {0};
    firn_http_options options = {.auth = {.kind = FIRN_HTTP_AUTH_OAUTH2, .token_url = "http://x"}};
    assert_int_equal(firn_http_client_new(&options, &client, &err), FIRN_E_INVALID);
    options.auth = (firn_http_auth){.kind = FIRN_HTTP_AUTH_SIGV4, .region = "x"};
    assert_int_equal(firn_http_client_new(&options, &client, &err), FIRN_E_INVALID);
    assert_non_null(strstr(err.message, "service"));
}

static void test_urls_in_messages_hold_no_secrets(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_url_for_message(arena, "https://me:pw@host/p/q?token=x#y"),
                        "https://host/p/q");
    assert_string_equal(firn_url_for_message(arena, "http://host/p@q"), "http://host/p@q");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_of_any_status_is_a_reply),
        cmocka_unit_test(test_connections_are_reused_by_what_may_be_sent_twice_only),
        cmocka_unit_test(test_many_threads_share_one_client_and_one_token),
        cmocka_unit_test(test_what_may_be_sent_twice_is_sent_again),
        cmocka_unit_test(test_a_lost_answer_leaves_the_outcome_unknown),
        cmocka_unit_test(test_a_server_that_is_away_is_io_and_retriable),
        cmocka_unit_test(test_too_many_requests_waits_as_long_as_the_server_says),
        cmocka_unit_test(test_retries_end),
        cmocka_unit_test(test_slow_answers_run_out_of_time),
        cmocka_unit_test(test_answers_have_a_bound),
        cmocka_unit_test(test_what_is_no_call_is_refused),
        cmocka_unit_test(test_bearer_tokens_are_sent_and_never_told),
        cmocka_unit_test(test_client_credentials_are_traded_for_a_token),
        cmocka_unit_test(test_a_token_is_renewed_before_it_ends),
        cmocka_unit_test(test_a_refused_token_is_renewed_once),
        cmocka_unit_test(test_refused_credentials_are_told_without_the_secret),
        cmocka_unit_test(test_a_token_endpoint_that_is_away_is_outlasted),
        cmocka_unit_test(test_signed_calls_carry_their_signature),
        cmocka_unit_test(test_authentication_must_be_whole),
        cmocka_unit_test(test_urls_in_messages_hold_no_secrets),
    };
    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
