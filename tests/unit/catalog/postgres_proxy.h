/* A proxy between the catalog and PostgreSQL that cuts the line when a COMMIT comes by.
 *
 * It reads the client's messages (type, length, body; the first one has no type) as far as it must: it remembers under which
 * name "COMMIT" was prepared, and acts when that name is bound. One thread per connection, loopback only.
 */
#ifndef TESTS_CATALOG_POSTGRES_PROXY_H
#define TESTS_CATALOG_POSTGRES_PROXY_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum proxy_cut {
    PROXY_PASS,
    PROXY_BEFORE, /* the server never gets the COMMIT */
    PROXY_AFTER,  /* the server gets it, its answer is lost */
    PROXY_LATE,   /* the client is cut off at once, the server gets the COMMIT a second later */
    PROXY_DOWN,   /* every connection is cut, new ones are refused */
} proxy_cut;

typedef struct proxy {
    int listener, port, server_port;
    _Atomic proxy_cut cut; /* once: then it passes again, but for PROXY_DOWN */
    atomic_int cuts;
    atomic_int lines; /* that are up */
    atomic_bool stop;
    pthread_t thread;
} proxy;

typedef struct proxy_line {
    proxy *p;
    int client, server;
    uint8_t pending[1 << 20]; /* of the client, not forwarded yet */
    size_t n;
    bool started;
    char commit_name[64];
} proxy_line;

static void proxy_write(int fd, const uint8_t *data, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        data += sent;
        n -= (size_t)sent;
    }
}

/* Whether the message binds the COMMIT. */
static bool proxy_is_commit(proxy_line *line, const uint8_t *message)
{
    const char *first = (const char *)message + 5;
    const char *second = first + strlen(first) + 1;
    if (message[0] == 'P' && strcmp(second, "COMMIT") == 0) {
        snprintf(line->commit_name, sizeof(line->commit_name), "%.60s", first);
    }
    return message[0] == 'B' && line->commit_name[0] && strcmp(second, line->commit_name) == 0;
}

/* Does to the COMMIT what was asked for; false: the connection is over. */
static bool proxy_act(proxy_line *line)
{
    uint8_t answer[4096];
    proxy_cut cut = atomic_exchange(&line->p->cut, PROXY_PASS);
    if (cut == PROXY_PASS) {
        return true;
    }
    atomic_fetch_add(&line->p->cuts, 1);
    if (cut == PROXY_LATE) {
        shutdown(line->client, SHUT_RDWR);
        usleep(1000 * 1000);
    }
    if (cut != PROXY_BEFORE) {
        proxy_write(line->server, line->pending, line->n); /* up to the sync */
        (void)!recv(line->server, answer, sizeof(answer), 0);
    }
    return false;
}

static bool proxy_from_client(proxy_line *line)
{
    ssize_t got = recv(line->client, line->pending + line->n, sizeof(line->pending) - line->n, 0);
    if (got <= 0) {
        return false;
    }
    line->n += (size_t)got;
    size_t at = 0;
    bool commit = false;
    for (;;) {
        size_t head = line->started ? 5 : 4;
        uint32_t len;
        if (line->n - at < head) {
            break;
        }
        memcpy(&len, line->pending + at + head - 4, 4);
        len = ntohl(len) + (uint32_t)(head - 4);
        if (line->n - at < len) {
            break;
        }
        commit = commit || (line->started && proxy_is_commit(line, line->pending + at));
        line->started = true;
        at += len;
    }
    if (commit && !proxy_act(line)) {
        return false;
    }
    proxy_write(line->server, line->pending, at);
    memmove(line->pending, line->pending + at, line->n - at);
    line->n -= at;
    return true;
}

static bool proxy_from_server(proxy_line *line)
{
    uint8_t data[65536];
    ssize_t got = recv(line->server, data, sizeof(data), 0);
    if (got <= 0) {
        return false;
    }
    proxy_write(line->client, data, (size_t)got);
    return true;
}

static void *proxy_serve(void *arg)
{
    proxy_line *line = arg;
    bool up = true;
    while (up && !line->p->stop && line->p->cut != PROXY_DOWN) {
        struct pollfd fds[] = {{.fd = line->client, .events = POLLIN},
                               {.fd = line->server, .events = POLLIN}};
        if (poll(fds, 2, 20) <= 0) {
            continue;
        }
        up = (!fds[0].revents || proxy_from_client(line)) &&
             (!fds[1].revents || proxy_from_server(line));
    }
    close(line->client);
    close(line->server);
    atomic_fetch_sub(&line->p->lines, 1);
    free(line);
    return NULL;
}

static void proxy_accept(proxy *p)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)p->server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pthread_t thread;
    int client = accept(p->listener, NULL, NULL);
    if (p->cut == PROXY_DOWN) {
        close(client);
        return;
    }
    proxy_line *line = calloc(1, sizeof(*line));
    line->p = p;
    line->client = client;
    line->server = socket(AF_INET, SOCK_STREAM, 0);
    atomic_fetch_add(&p->lines, 1);
    if (connect(line->server, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        pthread_create(&thread, NULL, proxy_serve, line) != 0) {
        abort();
    }
    pthread_detach(thread);
}

static void *proxy_listen(void *arg)
{
    proxy *p = arg;
    while (!p->stop) {
        struct pollfd at = {.fd = p->listener, .events = POLLIN};
        if (poll(&at, 1, 20) > 0) {
            proxy_accept(p);
        }
    }
    return NULL;
}

static inline void proxy_start(proxy *p, int server_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    memset(p, 0, sizeof(*p));
    p->server_port = server_port;
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(p->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(p->listener, 64) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&p->thread, NULL, proxy_listen, p) != 0) {
        abort();
    }
    p->port = ntohs(at.sin_port);
}

static inline void proxy_stop(proxy *p)
{
    p->stop = true;
    pthread_join(p->thread, NULL);
    close(p->listener);
    while (p->lines > 0) { /* they look for the stop, too */
        usleep(1000);
    }
}

#endif
