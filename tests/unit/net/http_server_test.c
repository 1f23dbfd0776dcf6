/* The HTTP server on real sockets: what it serves, what it refuses, and how little a slow or broken client can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_server.h"

#include "base/time.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

enum { BIG_BYTES = 100000, SLOW_MS = 300 };

typedef struct site {
    firn_arena *arena;
    firn_http_server *server;
    firn_http_server_options options;
    firn_err err;
} site;

/* /echo gives the body back, /where the raw path, /big many bytes, /slow takes its time. */
static void handle(void *ctx, const firn_http_request *request, firn_http_response *response)
{
    (void)ctx;
    firn_arena *arena = request->arena;
    firn_http_response_header(arena, response, "Content-Type", "text/plain");
    if (firn_streq(request->path, "/echo")) {
        assert_int_equal(request->body.data[request->body.len], 0);
        response->body = request->body;
    } else if (firn_streq(request->path, "/big")) {
        char *big = firn_arena_alloc(arena, BIG_BYTES);
        memset(big, 'x', BIG_BYTES);
        response->body = firn_bytes_of(big, BIG_BYTES);
    } else if (firn_streq(request->path, "/slow")) {
        firn_sleep_ms(SLOW_MS);
        response->body = firn_bytes_str("done");
    } else if (firn_streq(request->path, "/nothing")) {
        response->status = 204;
    } else {
        response->body =
            firn_bytes_str(firn_arena_printf(arena, "%s %s?%s", request->method, request->path,
                                             request->query ? request->query : "-"));
    }
}

static void start(site *s)
{
    s->options.listen = "127.0.0.1:0";
    s->options.handle = handle;
    firn_rc rc = firn_http_server_start(&s->options, &s->server, &s->err);
    if (rc != FIRN_OK) {
        print_error("%s\n", s->err.message);
    }
    assert_int_equal(rc, FIRN_OK);
}

static int setup(void **state)
{
    site *s = calloc(1, sizeof(*s));
    s->arena = firn_arena_new();
    *state = s;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int teardown(void **state)
{
    site *s = *state;
    firn_http_server_stop(s->server, 1000);
    firn_arena_free(s->arena);
    free(s);
    return 0;
}

/* ---- a client that sends what it is told ----------------------------------------------------------------- */

static int dial(const site *s)
{
    const char *port = strrchr(firn_http_server_address(s->server), ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? fd : (close(fd), -1);
}

static void say_bytes(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0) {
            return; /* cut off: what was answered is what counts */
        }
        at += n;
        len -= (size_t)n;
    }
}

static void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* What comes until the server closes or is silent for `ms`. *closed tells which. */
static char *hear(site *s, int fd, int ms, bool *closed)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    *closed = false;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (poll(&poll_fd, 1, ms) > 0) {
        uint8_t *to = firn_buf_reserve(&buf, 65536);
        ssize_t n = recv(fd, to, 65536, 0);
        if (n <= 0) {
            *closed = true;
            break;
        }
        buf.len += (size_t)n;
    }
    return firn_arena_strdup(s->arena, firn_buf_cstr(&buf));
}

/* One exchange on a connection that the client asks to be closed. */
static char *ask(site *s, const char *text)
{
    bool closed;
    int fd = dial(s);
    say(fd, text);
    char *answer = hear(s, fd, 3000, &closed);
    close(fd);
    return answer;
}

static int status(const char *answer)
{
    return firn_starts_with(answer, "HTTP/1.") ? atoi(answer + 9) : 0;
}

static const char *body(const char *answer)
{
    const char *at = strstr(answer, "\r\n\r\n");
    return at ? at + 4 : "";
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* ---- what it serves ----------------------------------------------------------------------------------------- */

static void test_paths_and_queries_arrive_as_they_were_sent(void **state)
{
    site *s = *state;
    start(s);
    assert_string_equal(body(ask(s, GET("/a%2Fb/c+d%1F?x=%20&y=+"))),
                        "GET /a%2Fb/c+d%1F?x=%20&y=+");
    assert_string_equal(body(ask(s, GET("/a"))), "GET /a?-");
    assert_string_equal(body(ask(s, GET("/a?"))), "GET /a?");
    assert_string_equal(body(ask(s, GET("http://x/a?b"))), "GET /a?b");
}

static void test_every_method_with_and_without_a_body(void **state)
{
    site *s = *state;
    start(s);
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "PATCH"};
    for (size_t i = 0; i < 5; i++) {
        char *answer = ask(s, firn_arena_printf(s->arena,
                                                "%s /echo HTTP/1.1\r\nHost: x\r\nConnection: "
                                                "close\r\nContent-Length: 3\r\n\r\nabc",
                                                methods[i]));
        assert_int_equal(status(answer), 200);
        assert_string_equal(body(answer), "abc");
        answer = ask(s, firn_arena_printf(
                            s->arena, "%s /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                            methods[i]));
        assert_int_equal(status(answer), 200);
        assert_string_equal(body(answer), "");
    }
    char *chunks = ask(s, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
    assert_string_equal(body(chunks), "abcde");
}

static void test_head_and_204_have_no_body(void **state)
{
    site *s = *state;
    start(s);
    char *head = ask(s, "HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_int_equal(status(head), 200);
    assert_non_null(strstr(head, "Content-Length: 9"));
    assert_string_equal(body(head), "");
    char *nothing = ask(s, GET("/nothing"));
    assert_int_equal(status(nothing), 204);
    assert_string_equal(body(nothing), "");
}

static void test_connections_are_kept_and_pipelined(void **state)
{
    site *s = *state;
    bool closed;
    start(s);
    int fd = dial(s);
    say(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(hear(s, fd, 300, &closed), "GET /1"));
    assert_false(closed);
    say(fd, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
            "3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    char *answers = hear(s, fd, 2000, &closed);
    char *second = strstr(answers, "GET /2"), *echo = strstr(answers, "abc"),
         *third = strstr(answers, "GET /3");
    assert_true(second && echo && third && second < echo && echo < third);
    assert_true(closed);
    close(fd);
}

static void test_http_1_0_is_answered_and_closed(void **state)
{
    site *s = *state;
    bool closed;
    start(s);
    int fd = dial(s);
    say(fd, "GET /old HTTP/1.0\r\n\r\n");
    assert_string_equal(body(hear(s, fd, 2000, &closed)), "GET /old?-");
    assert_true(closed);
    close(fd);
}

static void test_100_continue_comes_before_the_body(void **state)
{
    site *s = *state;
    bool closed;
    start(s);
    int fd = dial(s);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(status(hear(s, fd, 300, &closed)), 100);
    say(fd, "abc");
    assert_string_equal(body(hear(s, fd, 300, &closed)), "abc");
    close(fd);
}

/* ---- compression ---------------------------------------------------------------------------------------------- */

static void test_large_answers_are_deflated_for_who_takes_gzip(void **state)
{
    site *s = *state;
    start(s);
    char *plain = ask(s, GET("/big"));
    assert_int_equal(strlen(body(plain)), BIG_BYTES);
    assert_non_null(strstr(plain, "Vary: Accept-Encoding"));
    static const char *const takes[] = {"gzip", "br, GZIP;q=0.5", "*", "deflate, gzip, br"};
    static const char *const refuses[] = {"br", "gzip;q=0", "identity", "xgzip"};
    for (size_t i = 0; i < 4; i++) {
        char *answer = ask(s, firn_arena_printf(s->arena,
                                                "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close"
                                                "\r\nAccept-Encoding: %s\r\n\r\n",
                                                takes[i]));
        assert_non_null(strstr(answer, "Content-Encoding: gzip"));
        answer = ask(s, firn_arena_printf(s->arena,
                                          "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close"
                                          "\r\nAccept-Encoding: %s\r\n\r\n",
                                          refuses[i]));
        assert_null(strstr(answer, "Content-Encoding"));
    }
    char *small = ask(s, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: "
                         "gzip\r\n\r\n");
    assert_null(strstr(small, "Content-Encoding"));
}

static firn_bytes gzip(site *s, const void *data, size_t len)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uLong bound = deflateBound(&z, (uLong)len);
    uint8_t *out = firn_arena_alloc(s->arena, bound);
    z.next_out = out;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return firn_bytes_of(out, z.total_out);
}

static char *post_encoded(site *s, const char *encoding, firn_bytes content)
{
    bool closed;
    int fd = dial(s);
    say(fd, firn_arena_printf(s->arena,
                              "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                              "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                              encoding, content.len));
    say_bytes(fd, content.data, content.len);
    char *answer = hear(s, fd, 3000, &closed);
    close(fd);
    return answer;
}

static void test_gzip_bodies_are_inflated_up_to_the_limit(void **state)
{
    site *s = *state;
    s->options.max_body_bytes = 1 << 20;
    start(s);
    char *answer = post_encoded(s, "gzip", gzip(s, "hello", 5));
    assert_string_equal(body(answer), "hello");
    char *bomb = firn_arena_zalloc(s->arena, 4 << 20);
    assert_int_equal(status(post_encoded(s, "gzip", gzip(s, bomb, 4 << 20))), 413);
    memset(bomb, 'x', 1 << 20);
    assert_int_equal(status(post_encoded(s, "gzip", gzip(s, bomb, 1 << 20))), 200);
    assert_int_equal(status(post_encoded(s, "gzip", firn_bytes_str("no gzip"))), 400);
    firn_bytes cut = gzip(s, "hello", 5);
    cut.len -= 4;
    assert_int_equal(status(post_encoded(s, "gzip", cut)), 400);
    assert_int_equal(status(post_encoded(s, "br", firn_bytes_str("x"))), 415);
    assert_int_equal(status(post_encoded(s, "identity", firn_bytes_str("x"))), 200);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static void test_bodies_and_headers_have_a_limit(void **state)
{
    site *s = *state;
    s->options.max_body_bytes = 1000;
    s->options.max_header_bytes = 4096;
    start(s);
    char *big = firn_arena_zalloc(s->arena, 20001);
    memset(big, 'x', 20000);
    const char *head = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    assert_int_equal(
        status(ask(
            s, firn_arena_printf(s->arena, "%sContent-Length: 1000\r\n\r\n%.1000s", head, big))),
        200);
    assert_int_equal(
        status(ask(
            s, firn_arena_printf(s->arena, "%sContent-Length: 1001\r\n\r\n%.1001s", head, big))),
        413);
    assert_int_equal(
        status(ask(
            s, firn_arena_printf(s->arena,
                                 "%sTransfer-Encoding: chunked\r\n\r\n3e9\r\n%.1001s\r\n0\r\n\r\n",
                                 head, big))),
        413);
    /* Who asks first is told before the body. */
    assert_int_equal(status(ask(s, firn_arena_printf(s->arena,
                                                     "%sExpect: 100-continue\r\nContent-Length: "
                                                     "100000000000\r\n\r\n",
                                                     head))),
                     413);
    assert_int_equal(
        status(ask(
            s, firn_arena_printf(s->arena, "GET /a HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", big))),
        431);
    int uri =
        status(ask(s, firn_arena_printf(s->arena, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", big)));
    assert_true(uri == 414 || uri == 431);
    assert_int_equal(status(ask(s, GET("/a"))), 200);
}

static void test_a_request_that_says_its_length_twice_is_refused(void **state)
{
    site *s = *state;
    start(s);
    static const char *const bad[] = {
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 3x\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Host: y\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int got = status(ask(
            s, firn_arena_printf(s->arena, "POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\nabc", bad[i])));
        if (!(got == 0 || (got >= 400 && got < 500) || got == 501)) {
            print_error("%s -> %d\n", bad[i], got);
        }
        assert_true(got == 0 || (got >= 400 && got < 500) || got == 501);
    }
}

static void test_what_is_no_http_harms_nobody(void **state)
{
    site *s = *state;
    s->options.request_timeout_ms = s->options.idle_timeout_ms = 200;
    start(s);
    static const char *const junk[] = {
        "",
        "\r\n\r\n\r\n",
        "\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        "GET /\x01\x02 HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET ://? HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET %s%n%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        int got = status(ask(s, junk[i]));
        assert_true(got == 0 || got == 200 || (got >= 400 && got < 600));
    }
    uint64_t seed = 1;
    for (int i = 0; i < 200; i++) {
        char noise[64];
        for (size_t k = 0; k < sizeof(noise); k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            noise[k] = (char)(seed >> 56);
        }
        int fd = dial(s);
        say(fd, i % 2 ? "GET /" : "");
        say_bytes(fd, noise, sizeof(noise));
        close(fd);
    }
    assert_int_equal(status(ask(s, GET("/a"))), 200);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

static void expect_cut_off(site *s, int fd, const char *drip, int64_t at_most_ms)
{
    bool closed = false;
    int64_t start_us = firn_monotonic_us();
    while (!closed && firn_monotonic_us() - start_us < at_most_ms * 1000) {
        say(fd, drip);
        hear(s, fd, 20, &closed);
    }
    assert_true(closed);
    close(fd);
}

/* A timeout that starts anew with every byte would wait for these for ever. */
static void test_who_trickles_is_cut_off(void **state)
{
    site *s = *state;
    s->options.request_timeout_ms = 300;
    s->options.idle_timeout_ms = 300;
    start(s);
    expect_cut_off(s, dial(s), "G", 2000);
    int headers = dial(s);
    say(headers, "GET /a HTTP/1.1\r\nX: ");
    expect_cut_off(s, headers, "y", 2000);
    int content = dial(s);
    say(content, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    expect_cut_off(s, content, "z", 2000);
    assert_int_equal(status(ask(s, GET("/a"))), 200);
}

static void test_idle_connections_end_but_a_working_handler_does_not(void **state)
{
    site *s = *state;
    bool closed;
    s->options.request_timeout_ms = SLOW_MS / 3;
    s->options.idle_timeout_ms = SLOW_MS / 3;
    start(s);
    int fd = dial(s);
    say(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(body(hear(s, fd, 3000, &closed)), "done");
    assert_true(closed); /* being idle afterwards */
    close(fd);
}

static void test_slow_clients_hold_no_worker(void **state)
{
    site *s = *state;
    enum { CLIENTS = 50 };
    int fds[CLIENTS];
    s->options.workers = 1;
    start(s);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(s);
        say(fds[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx");
    }
    int64_t before = firn_monotonic_us();
    assert_int_equal(status(ask(s, GET("/a"))), 200);
    assert_true(firn_monotonic_us() - before < 2000000);
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
}

static void test_more_than_the_queue_takes_is_503(void **state)
{
    site *s = *state;
    enum { CLIENTS = 6 };
    int fds[CLIENTS], n_ok = 0, n_busy = 0;
    bool closed;
    s->options.workers = 1;
    s->options.queue_length = 2;
    start(s);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(s);
        say(fds[i], GET("/slow"));
    }
    for (int i = 0; i < CLIENTS; i++) {
        char *answer = hear(s, fds[i], 5000, &closed);
        n_ok += status(answer) == 200;
        n_busy += status(answer) == 503 && strstr(answer, "Retry-After: 1") != NULL;
        close(fds[i]);
    }
    assert_int_equal(n_ok + n_busy, CLIENTS);
    assert_true(n_ok >= 2 && n_busy >= 2);
}

static void test_more_connections_than_allowed_are_turned_away(void **state)
{
    site *s = *state;
    bool closed;
    s->options.connections = 2;
    start(s);
    int a = dial(s), b = dial(s);
    say(a, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    say(b, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(status(hear(s, a, 300, &closed)), 200);
    assert_int_equal(status(hear(s, b, 300, &closed)), 200);
    int c = dial(s);
    say(c, GET("/a"));
    assert_string_equal(hear(s, c, 2000, &closed), "");
    assert_true(closed);
    close(c);
    close(a);
    int ok = 0;
    for (int i = 0; i < 100 && ok != 200; i++) {
        firn_sleep_ms(10);
        ok = status(ask(s, GET("/a")));
    }
    assert_int_equal(ok, 200);
    close(b);
}

/* ---- stopping ----------------------------------------------------------------------------------------------------- */

static void test_stopping_answers_what_has_arrived(void **state)
{
    site *s = *state;
    bool closed;
    start(s);
    int working = dial(s), idle = dial(s), half = dial(s);
    say(idle, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(status(hear(s, idle, 300, &closed)), 200);
    say(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx");
    say(working, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    firn_sleep_ms(SLOW_MS / 3);
    int64_t before = firn_monotonic_us();
    firn_http_server_stop(s->server, 5000);
    assert_true(firn_monotonic_us() - before < 3000000);
    s->server = NULL;
    char *answer = hear(s, working, 1000, &closed);
    assert_string_equal(body(answer), "done");
    assert_non_null(strstr(answer, "Connection: close"));
    hear(s, idle, 1000, &closed);
    assert_true(closed);
    hear(s, half, 1000, &closed);
    assert_true(closed);
    close(working);
    close(idle);
    close(half);
}

static void test_stopping_without_patience_refuses_what_waits(void **state)
{
    site *s = *state;
    bool closed;
    s->options.workers = 1;
    start(s);
    int running = dial(s), waiting = dial(s);
    say(running, GET("/slow"));
    firn_sleep_ms(SLOW_MS / 6);
    say(waiting, GET("/slow"));
    firn_sleep_ms(SLOW_MS / 6);
    firn_http_server_stop(s->server, 0);
    s->server = NULL;
    assert_int_equal(status(hear(s, running, 1000, &closed)), 200);
    assert_int_equal(status(hear(s, waiting, 1000, &closed)), 503);
    close(running);
    close(waiting);
}

/* ---- addresses and TLS ----------------------------------------------------------------------------------------------- */

static void test_addresses(void **state)
{
    site *s = *state;
    static const char *const bad[] = {
        "", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "::1:80", "no.such.host.invalid:0"};
    firn_http_server *server = NULL;
    s->options.handle = handle;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s->options.listen = bad[i];
        assert_int_equal(firn_http_server_start(&s->options, &server, &s->err), FIRN_E_INVALID);
    }
    start(s);
    assert_true(firn_starts_with(firn_http_server_address(s->server), "127.0.0.1:"));
    s->options.listen = firn_http_server_address(s->server);
    assert_int_equal(firn_http_server_start(&s->options, &server, &s->err), FIRN_E_EXISTS);
    assert_true(firn_http_is_loopback("127.0.0.1:1") && firn_http_is_loopback("[::1]:1") &&
                firn_http_is_loopback("localhost:1") && firn_http_is_loopback("127.1.2.3:1"));
    assert_false(firn_http_is_loopback("0.0.0.0:1") || firn_http_is_loopback(":1") ||
                 firn_http_is_loopback("[::]:1") || firn_http_is_loopback("127.0.0.1.x:1"));
}

static char *pem_of(site *s, BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = firn_arena_strndup(s->arena, data, (size_t)len);
    BIO_free(bio);
    return text;
}

/* A certificate for 127.0.0.1 that signed itself. */
static void make_certificate(site *s, char **cert, char **key)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"firn", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(x, pair, EVP_sha256()) > 0);
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(cert_bio, x);
    PEM_write_bio_PrivateKey(key_bio, pair, NULL, NULL, 0, NULL, NULL);
    *cert = pem_of(s, cert_bio);
    *key = pem_of(s, key_bio);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    firn_buf_append(ctx, data, size * n);
    return size * n;
}

static void test_tls(void **state)
{
    site *s = *state;
    char *cert, *key, *other_cert, *other_key;
    make_certificate(s, &cert, &key);
    make_certificate(s, &other_cert, &other_key);
    s->options.tls_cert = cert;
    s->options.tls_key = key;
    start(s);
    CURL *curl = curl_easy_init();
    FIRN_AUTO_BUF firn_buf answer = {0};
    struct curl_blob ca = {.data = cert, .len = strlen(cert), .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(
        curl, CURLOPT_URL,
        firn_arena_printf(s->arena, "https://%s/echo", firn_http_server_address(s->server)));
    curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "over tls");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    CURLcode rc = curl_easy_perform(curl);
    if (rc != CURLE_OK) {
        print_error("%s\n", curl_easy_strerror(rc));
    }
    assert_int_equal(rc, CURLE_OK);
    assert_string_equal(firn_buf_cstr(&answer), "over tls");
    curl_easy_cleanup(curl);
    /* Plain HTTP on that port gets nothing, and breaks nothing. */
    assert_int_not_equal(status(ask(s, GET("/a"))), 200);
    firn_http_server *server;
    s->options.listen = "127.0.0.1:0";
    s->options.tls_cert = "no pem";
    assert_int_equal(firn_http_server_start(&s->options, &server, &s->err), FIRN_E_INVALID);
    s->options.tls_cert = other_cert;
    assert_int_equal(firn_http_server_start(&s->options, &server, &s->err), FIRN_E_INVALID);
}

/* ---- many at once ------------------------------------------------------------------------------------------------------- */

typedef struct crowd {
    site *site;
    int ok; /* atomic */
} crowd;

static void *one_of_many(void *ctx)
{
    crowd *c = ctx;
    for (int i = 0; i < 20; i++) {
        site own = {.arena = firn_arena_new(), .server = c->site->server};
        char *answer = ask(&own, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                 "Content-Length: 5\r\n\r\nhello");
        if (status(answer) == 200 && firn_streq(body(answer), "hello")) {
            __atomic_add_fetch(&c->ok, 1, __ATOMIC_SEQ_CST);
        }
        firn_arena_free(own.arena);
    }
    return NULL;
}

static void test_many_clients_at_once(void **state)
{
    site *s = *state;
    pthread_t threads[16];
    crowd c = {.site = s};
    s->options.io_threads = 2;
    s->options.workers = 8;
    start(s);
    for (int i = 0; i < 16; i++) {
        pthread_create(&threads[i], NULL, one_of_many, &c);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(c.ok, 16 * 20);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_paths_and_queries_arrive_as_they_were_sent),
        TEST(test_every_method_with_and_without_a_body),
        TEST(test_head_and_204_have_no_body),
        TEST(test_connections_are_kept_and_pipelined),
        TEST(test_http_1_0_is_answered_and_closed),
        TEST(test_100_continue_comes_before_the_body),
        TEST(test_large_answers_are_deflated_for_who_takes_gzip),
        TEST(test_gzip_bodies_are_inflated_up_to_the_limit),
        TEST(test_bodies_and_headers_have_a_limit),
        TEST(test_a_request_that_says_its_length_twice_is_refused),
        TEST(test_what_is_no_http_harms_nobody),
        TEST(test_who_trickles_is_cut_off),
        TEST(test_idle_connections_end_but_a_working_handler_does_not),
        TEST(test_slow_clients_hold_no_worker),
        TEST(test_more_than_the_queue_takes_is_503),
        TEST(test_more_connections_than_allowed_are_turned_away),
        TEST(test_stopping_answers_what_has_arrived),
        TEST(test_stopping_without_patience_refuses_what_waits),
        TEST(test_addresses),
        TEST(test_tls),
        TEST(test_many_clients_at_once),
    };
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
