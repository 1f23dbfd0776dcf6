/* An HTTP server that plays a script: each request it gets must be the next one of the script, and is answered from there.
 *
 * Connections are kept open and served by a thread each, as a real server's; the script's order is that of the requests,
 * whatever connection they come over. What differs from the script is told by scripted_end.
 */
#ifndef SCRIPTED_SERVER_H
#define SCRIPTED_SERVER_H

#include "base/buf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SCRIPT_HEADERS_MAX = 4, SCRIPT_CONNECTIONS_MAX = 64 };

typedef struct exchange {
    const char *request;                     /* "GET /v1/config?warehouse=x" */
    const char *headers[SCRIPT_HEADERS_MAX]; /* lines that must be there; "!Name" must not */
    const char *body;                        /* exact; NULL: any */
    const char *body_has;                    /* a part of it; NULL: any */
    int status; /* 0: 200; LOST: the connection is closed after the request was read */
    const char *reply_headers; /* lines with \r\n; nullable */
    const char *reply;
    int delay_ms;
    bool cut; /* half of the reply's body is sent, then the connection closed */
} exchange;
enum { LOST = -1 };

typedef struct scripted_server {
    int listener;
    char url[64];
    const exchange *script;
    size_t n, next;
    char failure[4096];
    size_t n_connections;
    bool ending;
    pthread_t acceptor, threads[SCRIPT_CONNECTIONS_MAX];
    int sockets[SCRIPT_CONNECTIONS_MAX];
    pthread_mutex_t lock;
} scripted_server;

typedef struct scripted_connection {
    scripted_server *server;
    int fd;
} scripted_connection;

static void scripted_fail(scripted_server *s, const char *what, const char *wanted, const char *got)
{
    if (!s->failure[0]) {
        snprintf(s->failure, sizeof(s->failure),
                 "request %zu: %s\n--- wanted\n%s\n--- got\n%.3000s", s->next + 1, what, wanted,
                 got);
    }
}

/* Reads head and body of one request; false at the end of the connection. */
static bool scripted_read(int fd, firn_buf *in, size_t *head_len)
{
    size_t want = 0;
    for (;;) {
        const char *text = firn_buf_cstr(in);
        const char *end = strstr(text, "\r\n\r\n");
        if (end && want == 0) {
            const char *length = strcasestr(text, "\r\nContent-Length:");
            *head_len = (size_t)(end - text) + 4;
            want = *head_len + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (want > 0 && in->len >= want) {
            return true;
        }
        char piece[8192];
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0) {
            return false;
        }
        firn_buf_append(in, piece, (size_t)n);
    }
}

static bool has_header_line(const char *head, const char *line)
{
    bool absent = line[0] == '!';
    char *wanted = NULL;
    if (asprintf(&wanted, "\r\n%s%s", line + absent, absent ? ":" : "\r\n") < 0) {
        abort();
    }
    bool found = strcasestr(head, wanted) != NULL;
    free(wanted);
    return found != absent;
}

static const exchange *scripted_match(scripted_server *s, const char *text, size_t head_len)
{
    if (s->next >= s->n) {
        scripted_fail(s, "more requests than the script has", "(nothing)", text);
        return NULL;
    }
    const exchange *e = &s->script[s->next];
    size_t line = strcspn(text, "\r");
    size_t url = line > 9 ? line - 9 : 0; /* " HTTP/1.1" */
    if (strlen(e->request) != url || strncmp(text, e->request, url) != 0) {
        scripted_fail(s, "another request", e->request, text);
    }
    char *head = strndup(text, head_len);
    for (size_t i = 0; i < SCRIPT_HEADERS_MAX && e->headers[i]; i++) {
        if (!has_header_line(head, e->headers[i])) {
            scripted_fail(s, "a header", e->headers[i], text);
        }
    }
    free(head);
    if (e->body && strcmp(text + head_len, e->body) != 0) {
        scripted_fail(s, "another body", e->body, text + head_len);
    }
    if (e->body_has && !strstr(text + head_len, e->body_has)) {
        scripted_fail(s, "a body without", e->body_has, text + head_len);
    }
    s->next++;
    return e;
}

static void send_all(int fd, const void *data, size_t len)
{
    for (const char *at = data; len > 0;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        at += n;
        len -= (size_t)n;
    }
}

static bool scripted_answer(int fd, const exchange *e, bool head_only)
{
    if (!e || e->status == LOST) {
        return false;
    }
    if (e->delay_ms > 0) {
        usleep((useconds_t)e->delay_ms * 1000);
    }
    firn_buf out = {0};
    const char *body = e->reply ? e->reply : "";
    size_t len = strlen(body);
    firn_buf_printf(&out, "HTTP/1.1 %d Scripted\r\nContent-Type: application/json\r\n%s",
                    e->status ? e->status : 200, e->reply_headers ? e->reply_headers : "");
    if (e->status != 204 && e->status != 304) {
        firn_buf_printf(&out, "Content-Length: %zu\r\n", len);
    }
    firn_buf_puts(&out, "\r\n");
    if (!head_only) {
        firn_buf_append(&out, body, e->cut ? len / 2 : len);
    }
    send_all(fd, out.data, out.len);
    firn_buf_deinit(&out);
    return !e->cut;
}

static void *scripted_serve(void *ctx)
{
    scripted_connection *c = ctx;
    for (bool open = true; open;) {
        firn_buf in = {0};
        size_t head_len = 0;
        open = scripted_read(c->fd, &in, &head_len);
        if (open) {
            pthread_mutex_lock(&c->server->lock);
            const exchange *e = scripted_match(c->server, firn_buf_cstr(&in), head_len);
            pthread_mutex_unlock(&c->server->lock);
            open = scripted_answer(c->fd, e, strncmp(firn_buf_cstr(&in), "HEAD", 4) == 0);
        }
        firn_buf_deinit(&in);
    }
    shutdown(c->fd, SHUT_RDWR);
    free(c);
    return NULL;
}

static void *scripted_accept(void *ctx)
{
    scripted_server *s = ctx;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        pthread_mutex_lock(&s->lock);
        bool stop = fd < 0 || s->ending || s->n_connections == SCRIPT_CONNECTIONS_MAX;
        if (!stop) {
            int yes = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
            scripted_connection *c = malloc(sizeof(*c));
            *c = (scripted_connection){s, fd};
            s->sockets[s->n_connections] = fd;
            pthread_create(&s->threads[s->n_connections++], NULL, scripted_serve, c);
        }
        pthread_mutex_unlock(&s->lock);
        if (stop) {
            if (fd >= 0) {
                close(fd);
            }
            return NULL;
        }
    }
}

/* A listening socket on a free port of this machine. */
static int scripted_listen(char url[64])
{
    /* A proxy of the environment has no business between a test and its server. */
    setenv("no_proxy", "127.0.0.1", 1);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return listener;
}

static __attribute__((unused)) void scripted_begin(scripted_server *s, const exchange *script,
                                                   size_t n)
{
    *s = (scripted_server){.script = script, .n = n};
    s->listener = scripted_listen(s->url);
    pthread_mutex_init(&s->lock, NULL);
    assert_int_equal(pthread_create(&s->acceptor, NULL, scripted_accept, s), 0);
}

/* The script was followed to its end. */
static __attribute__((unused)) void scripted_end(scripted_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_mutex_unlock(&s->lock);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    for (size_t i = 0; i < s->n_connections; i++) {
        shutdown(s->sockets[i], SHUT_RDWR);
        pthread_join(s->threads[i], NULL);
        close(s->sockets[i]);
    }
    close(s->listener);
    pthread_mutex_destroy(&s->lock);
    if (s->failure[0]) {
        fail_msg("%s", s->failure);
    }
    if (s->next != s->n) {
        fail_msg("only %zu of %zu requests came; the next would have been %s", s->next, s->n,
                 s->script[s->next].request);
    }
}

#define SCRIPT(server, ...)                   \
    const exchange script_[] = {__VA_ARGS__}; \
    scripted_begin((server), script_, sizeof(script_) / sizeof(script_[0]))

#endif
