/* A server for answers that come piece by piece: it takes one connection after the other, reads a request and plays that connection's
 * steps, bytes as they stand. A step may wait until the test says so, so nothing depends on time.
 */
#ifndef STREAM_SERVER_H
#define STREAM_SERVER_H

#include "scripted_server.h"

#include <semaphore.h>
#include <stdatomic.h>

enum { STREAM_STEPS_MAX = 12, STREAM_CONNECTIONS_MAX = 8 };

typedef struct stream_step {
    const char *bytes;
    size_t len;     /* 0: to the NUL */
    bool wait;      /* for stream_server_go, before the bytes */
    bool reset;     /* the connection, instead of closing it in order */
    int64_t repeat; /* the bytes so many times */
} stream_step;

typedef struct stream_connection {
    stream_step steps[STREAM_STEPS_MAX];
    bool keep; /* open until the test ends; else closed after the last step */
} stream_connection;

typedef struct stream_server {
    int listener;
    char url[64];
    const stream_connection *connections;
    size_t n;
    pthread_t thread;
    sem_t go;
    firn_buf requests[STREAM_CONNECTIONS_MAX];
    _Atomic int64_t sent; /* bytes, over all connections */
    atomic_bool ending;
} stream_server;

static bool stream_send(stream_server *s, int fd, const stream_step *step)
{
    size_t len = step->len > 0 ? step->len : strlen(step->bytes);
    for (int64_t i = 0; i < (step->repeat > 0 ? step->repeat : 1); i++) {
        for (size_t at = 0; at < len;) {
            ssize_t n = send(fd, step->bytes + at, len - at, MSG_NOSIGNAL);
            if (n <= 0)
                return false;
            at += (size_t)n;
            s->sent += n;
        }
    }
    return true;
}

/* Does what came since the preface hold the frame that ends the request? */
static bool stream_h2_is_whole(const firn_buf *in)
{
    enum { PREFACE = 24, HEAD = 9, DATA = 0, HEADERS = 1, END_STREAM = 1 };
    for (size_t at = PREFACE; at + HEAD <= in->len;) {
        const uint8_t *frame = in->data + at;
        at += HEAD + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
        if (at <= in->len && (frame[3] == DATA || frame[3] == HEADERS) &&
            (frame[4] & END_STREAM) != 0)
            return true;
    }
    return false;
}

/* Head and body. No server answers a query that it has not read: libcurl 7.88 can lose sight of an answer that comes while it still
 * sends. */
static void stream_read_request(int fd, firn_buf *in)
{
    char first[4096];
    ssize_t n = recv(fd, first, sizeof first, MSG_PEEK);
    size_t head_len;
    if (n >= 3 && memcmp(first, "PRI", 3) == 0) {
        while (!stream_h2_is_whole(in) && (n = recv(fd, first, sizeof first, 0)) > 0)
            firn_buf_append(in, first, (size_t)n);
    } else if (n > 0) {
        (void)scripted_read(fd, in, &head_len);
    }
}

static void stream_play(stream_server *s, size_t i, int fd)
{
    const stream_connection *c = &s->connections[i];
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    stream_read_request(fd, &s->requests[i]);
    for (int at = 0; at < STREAM_STEPS_MAX && (c->steps[at].bytes || c->steps[at].reset); at++) {
        const stream_step *step = &c->steps[at];
        if (step->wait)
            sem_wait(&s->go);
        if (step->reset) {
            struct linger now = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            break;
        }
        if (!stream_send(s, fd, step))
            break;
    }
    if (c->keep)
        sem_wait(&s->go);
    close(fd);
}

static void *stream_serve(void *ctx)
{
    stream_server *s = ctx;
    for (size_t i = 0; i < s->n && !s->ending; i++) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            break;
        stream_play(s, i, fd);
    }
    return NULL;
}

static void stream_server_begin(stream_server *s, const stream_connection *connections, size_t n)
{
    *s = (stream_server){.connections = connections, .n = n};
    assert_true(n <= STREAM_CONNECTIONS_MAX);
    s->listener = scripted_listen(s->url);
    sem_init(&s->go, 0, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, stream_serve, s), 0);
}

static __attribute__((unused)) void stream_server_go(stream_server *s)
{
    sem_post(&s->go);
}

static void stream_server_end(stream_server *s)
{
    s->ending = true;
    for (int i = 0; i < STREAM_STEPS_MAX * STREAM_CONNECTIONS_MAX; i++)
        sem_post(&s->go);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    sem_destroy(&s->go);
    for (size_t i = 0; i < STREAM_CONNECTIONS_MAX; i++)
        firn_buf_deinit(&s->requests[i]);
}

/* ---- HTTP/2, as far as it takes to answer one request -------------------------------------------- */

#define H2_SETTINGS    "\0\0\0\4\0\0\0\0\0"
#define H2_SETTINGS_OK "\0\0\0\4\1\0\0\0\0"
/* :status 200, the static table's entry 8 */
#define H2_STATUS_200 "\0\0\1\1\4\0\0\0\1\x88"

#endif
