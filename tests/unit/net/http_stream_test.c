/* Answers read while they come, against servers that send them piece by piece, slowly, too much of them, or only a part. */
#include "net/http_stream.h"

#include "base/time.h"
#include "stream_server.h"

typedef struct setup {
    firn_arena *arena;
    firn_http_client *client;
    firn_http_stream *stream;
    stream_server server;
    firn_err err;
    firn_buf body;
    firn_http_stream_state state;
} setup;

static void begin(setup *s, const stream_connection *connections, size_t n,
                  firn_http_options options)
{
    *s = (setup){.arena = firn_arena_new()};
    stream_server_begin(&s->server, connections, n);
    options.retry_wait_ms_min = 1;
    options.retry_wait_ms_max = 1500;
    assert_int_equal(firn_http_client_new(&options, &s->client, NULL), FIRN_OK);
}

static firn_rc open_with(setup *s, const firn_http_stream_options *options, bool idempotent)
{
    firn_http_call call = {
        .method = "POST",
        .url = firn_arena_printf(s->arena, "%s/query", s->server.url),
        .body = firn_bytes_str("{}"),
        .idempotent = idempotent,
    };
    return firn_http_stream_open(s->client, &call, options, &s->stream, &s->err);
}

/* Appends what comes until the end, a failure, or (in quiet) a pause. */
static firn_rc read_on(setup *s, int wait_ms)
{
    for (;;) {
        firn_bytes chunk;
        FIRN_TRY(firn_http_stream_next(s->stream, wait_ms, &chunk, &s->state, &s->err));
        if (s->state != FIRN_HTTP_STREAM_DATA)
            return FIRN_OK;
        assert_true(chunk.len > 0);
        firn_buf_append(&s->body, chunk.data, chunk.len);
    }
}

static void finish(setup *s)
{
    firn_http_stream_close(s->stream);
    stream_server_end(&s->server);
    firn_http_client_free(s->client);
    firn_buf_deinit(&s->body);
    firn_arena_free(s->arena);
}

#define OPTIONS(...) ((firn_http_options){__VA_ARGS__})
#define BEGIN(s, options, ...)                              \
    const stream_connection connections_[] = {__VA_ARGS__}; \
    setup s;                                                \
    begin(&s, connections_, sizeof connections_ / sizeof *connections_, options)

#define CHUNKED "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n"

/* ---- pieces ---------------------------------------------------------------------------------- */

static void pieces_are_handed_out_as_they_come(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.steps = {{.bytes = CHUNKED "3\r\none\r\n"},
                     {.bytes = "3\r\ntwo\r\n0\r\n\r\n", .wait = true}}});
    assert_int_equal(open_with(&s, NULL, false), FIRN_OK);
    assert_int_equal(firn_http_stream_status(s.stream), 200);
    assert_string_equal(firn_http_stream_header(s.stream, "content-type"), "text/x");
    assert_null(firn_http_stream_header(s.stream, "nothing"));
    while (s.body.len == 0)
        assert_int_equal(read_on(&s, 50), FIRN_OK);
    assert_int_equal(s.state, FIRN_HTTP_STREAM_QUIET);
    assert_string_equal(firn_buf_cstr(&s.body), "one");
    stream_server_go(&s.server);
    assert_int_equal(read_on(&s, 10000), FIRN_OK);
    assert_int_equal(s.state, FIRN_HTTP_STREAM_END);
    assert_string_equal(firn_buf_cstr(&s.body), "onetwo");
    assert_int_equal(read_on(&s, 0), FIRN_OK); /* the end stays the end */
    assert_int_equal(s.state, FIRN_HTTP_STREAM_END);
    finish(&s);
}

static void other_statuses_have_bodies_too(void **state)
{
    (void)state;
    BEGIN(
        s, OPTIONS(.auth = {.kind = FIRN_HTTP_AUTH_BASIC, .username = "u", .password = "secret"}),
        {.steps =
             {{.bytes =
                   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\noops"}},
         .keep = true});
    assert_int_equal(open_with(&s, NULL, false), FIRN_OK);
    assert_int_equal(firn_http_stream_status(s.stream), 400);
    assert_int_equal(read_on(&s, 10000), FIRN_OK);
    assert_int_equal(s.state, FIRN_HTTP_STREAM_END);
    assert_string_equal(firn_buf_cstr(&s.body), "oops");
    assert_non_null(
        strstr(firn_buf_cstr(&s.server.requests[0]), "Authorization: Basic dTpzZWNyZXQ="));
    finish(&s);
}

static void what_nobody_reads_is_not_taken(void **state)
{
    (void)state;
    enum { PIECE = 1 << 16, PIECES = 1024, BOUND = 256 << 10 };
    char *piece = calloc(PIECE + 1, 1);
    memset(piece, 'x', PIECE);
    BEGIN(s, OPTIONS(0),
          {.steps = {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"},
                     {.bytes = piece, .repeat = PIECES}}});
    firn_http_stream_options options = {.buffer_bytes_max = BOUND};
    assert_int_equal(open_with(&s, &options, false), FIRN_OK);
    /* The server is stuck once what fits the sockets is on its way: less than the whole. */
    int64_t before = -1;
    for (int same = 0; same < 20; before = s.server.sent) {
        same = before == s.server.sent ? same + 1 : 0;
        firn_sleep_ms(5);
    }
    assert_true(before < (int64_t)PIECE * PIECES / 2);
    size_t total = 0;
    do {
        firn_bytes chunk;
        assert_int_equal(firn_http_stream_next(s.stream, 10000, &chunk, &s.state, &s.err), FIRN_OK);
        total += chunk.len;
        assert_true(chunk.len <= 2 * BOUND);
    } while (s.state == FIRN_HTTP_STREAM_DATA);
    assert_int_equal(s.state, FIRN_HTTP_STREAM_END);
    assert_int_equal(total, (size_t)PIECE * PIECES);
    finish(&s);
    free(piece);
}

/* ---- cut ------------------------------------------------------------------------------------- */

static void a_body_without_its_end_is_an_error(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.steps = {{.bytes = CHUNKED "3\r\none\r\n"}}},
          {.steps = {{.bytes = CHUNKED "9\r\none"}}},
          {.steps = {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none"}}},
          {.steps = {{.bytes = CHUNKED "3\r\none\r\n"}, {.reset = true, .wait = true}}});
    for (int i = 0; i < 4; i++) {
        firn_buf_clear(&s.body);
        firn_err_clear(&s.err);
        assert_int_equal(open_with(&s, NULL, true), FIRN_OK);
        firn_rc rc = read_on(&s, i == 3 ? 0 : 10000);
        while (i == 3 && rc == FIRN_OK && s.body.len < 3)
            rc = read_on(&s, 10);
        if (i == 3) {
            stream_server_go(&s.server);
            rc = read_on(&s, 10000);
        }
        assert_int_equal(rc, FIRN_E_IO);
        assert_true(s.err.retriable);
        assert_string_equal(firn_buf_cstr(&s.body), "one"); /* what came is handed out before */
        firn_http_stream_close(s.stream);
        s.stream = NULL;
    }
    finish(&s);
}

/* ---- trying again ---------------------------------------------------------------------------- */

static void a_server_that_starts_is_asked_again(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.steps =
               {{.bytes =
                     "HTTP/1.1 503 Starting\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nwait"}}},
          {.steps = {{.reset = true}}}, {.steps = {{.bytes = CHUNKED "3\r\none\r\n0\r\n\r\n"}}});
    int64_t start = firn_monotonic_us();
    assert_int_equal(open_with(&s, NULL, true), FIRN_OK);
    assert_true(firn_monotonic_us() - start >= 1000000);
    assert_int_equal(read_on(&s, 10000), FIRN_OK);
    assert_string_equal(firn_buf_cstr(&s.body), "one");
    finish(&s);
}

static void a_wait_beyond_the_bound_is_not_waited(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.steps = {
               {.bytes =
                    "HTTP/1.1 503 Starting\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nwait"}}});
    assert_int_equal(open_with(&s, NULL, true), FIRN_OK);
    assert_int_equal(firn_http_stream_status(s.stream), 503);
    assert_int_equal(read_on(&s, 10000), FIRN_OK);
    assert_string_equal(firn_buf_cstr(&s.body), "wait");
    finish(&s);
}

static void what_may_not_be_sent_twice_is_not(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.steps = {{.reset = true}}});
    assert_int_equal(open_with(&s, NULL, false), FIRN_E_UNKNOWN_OUTCOME);
    finish(&s);
}

static void silence_before_the_headers_ends_at_the_timeout(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.total_timeout_ms = 60, .retries_max = -1),
          {.steps = {{.bytes = "HTTP/1.1 200 OK\r\n"}}, .keep = true});
    assert_int_equal(open_with(&s, NULL, true), FIRN_E_IO);
    assert_non_null(strstr(s.err.message, "/query"));
    finish(&s);
}

static void nobody_there(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.retries_max = -1), {.steps = {{.bytes = ""}}});
    firn_http_call call = {.method = "GET", .url = "http://127.0.0.1:1/x"};
    assert_int_equal(firn_http_stream_open(s.client, &call, NULL, &s.stream, &s.err), FIRN_E_IO);
    call.url = "no url\n";
    assert_int_equal(firn_http_stream_open(s.client, &call, NULL, &s.stream, &s.err),
                     FIRN_E_INVALID);
    call.url = "ftp://127.0.0.1/";
    assert_int_equal(firn_http_stream_open(s.client, &call, NULL, &s.stream, &s.err),
                     FIRN_E_INVALID);
    finish(&s);
}

/* ---- HTTP/2 ---------------------------------------------------------------------------------- */

#define H2(text)                                 \
    {                                            \
        .bytes = (text), .len = sizeof(text) - 1 \
    }
#define H2_DATA(len, flags) "\0\0" len "\0" flags "\0\0\0\1"

static void http2_without_tls_is_spoken_at_once(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.steps = {H2(H2_SETTINGS H2_SETTINGS_OK H2_STATUS_200 H2_DATA("\3", "\0") "one"),
                     H2(H2_DATA("\3", "\1") "two")},
           .keep = true});
    firn_http_stream_options options = {.version = FIRN_HTTP_2};
    assert_int_equal(open_with(&s, &options, true), FIRN_OK);
    assert_int_equal(firn_http_stream_status(s.stream), 200);
    assert_int_equal(read_on(&s, 10000), FIRN_OK);
    assert_int_equal(s.state, FIRN_HTTP_STREAM_END);
    assert_string_equal(firn_buf_cstr(&s.body), "onetwo");
    assert_memory_equal(s.server.requests[0].data, "PRI * HTTP/2.0", 14);
    finish(&s);
}

static void a_reset_of_an_http2_stream_is_an_error(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.steps = {H2(H2_SETTINGS H2_SETTINGS_OK H2_STATUS_200 H2_DATA("\3", "\0") "one"),
                     /* RST_STREAM, INTERNAL_ERROR */
                     {.bytes = "\0\0\4\3\0\0\0\0\1\0\0\0\2", .len = 13, .wait = true}},
           .keep = true},
          {.steps = {H2(H2_SETTINGS H2_SETTINGS_OK H2_STATUS_200 H2_DATA("\3", "\0") "one")},
           .keep = true});
    for (int i = 0; i < 2; i++) {
        firn_buf_clear(&s.body);
        firn_http_stream_options options = {.version = FIRN_HTTP_2};
        assert_int_equal(open_with(&s, &options, true), FIRN_OK);
        while (s.body.len == 0)
            assert_int_equal(read_on(&s, 10), FIRN_OK);
        stream_server_go(&s.server); /* i == 1: the connection ends */
        assert_int_equal(read_on(&s, 10000), FIRN_E_IO);
        assert_string_equal(firn_buf_cstr(&s.body), "one");
        firn_http_stream_close(s.stream);
        s.stream = NULL;
        if (i == 0)
            stream_server_go(&s.server);
    }
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_handed_out_as_they_come),
        cmocka_unit_test(other_statuses_have_bodies_too),
        cmocka_unit_test(what_nobody_reads_is_not_taken),
        cmocka_unit_test(a_body_without_its_end_is_an_error),
        cmocka_unit_test(a_server_that_starts_is_asked_again),
        cmocka_unit_test(a_wait_beyond_the_bound_is_not_waited),
        cmocka_unit_test(what_may_not_be_sent_twice_is_not),
        cmocka_unit_test(silence_before_the_headers_ends_at_the_timeout),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(http2_without_tls_is_spoken_at_once),
        cmocka_unit_test(a_reset_of_an_http2_stream_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
