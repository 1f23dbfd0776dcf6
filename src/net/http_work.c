/* The server's workers: a bounded queue of complete requests, threads that come when there is work and go when there is none,
 * and what is done to bodies on those threads (inflating requests, deflating responses).
 *
 * Invariants, under `lock`: idle <= threads <= threads_max; queued is the length of the list; a queued exchange is touched by
 * nobody else.
 */
#include "http_private.h"

#include "base/log.h"
#include "base/time.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

enum {
    WORKER_IDLE_S = 20,
    WORKER_STACK_BYTES = 2 << 20, /* address space; what is not touched costs nothing */
    GZIP_FROM_BYTES = 1000,
    GZIP_LEVEL = 1,
};

/* ---- bodies ------------------------------------------------------------------------------------------ */

/* Inflates all gzip members; 0, or the status of the refusal. */
static int inflate_all(firn_bytes in, firn_buf *out)
{
    z_stream z = {.next_in = (Bytef *)in.data, .avail_in = (uInt)in.len};
    if (in.len == 0 || in.len > UINT_MAX || inflateInit2(&z, 15 + 16) != Z_OK) {
        return 400;
    }
    int status = 0;
    for (;;) {
        size_t room = out->max - out->len < 65536 ? out->max - out->len : 65536;
        uint8_t last;
        uint8_t *to = room > 0 ? firn_buf_reserve(out, room) : &last;
        z.next_out = to;
        z.avail_out = room > 0 ? (uInt)room : 1;
        uInt before = z.avail_out;
        int rc = inflate(&z, Z_NO_FLUSH);
        size_t got = before - z.avail_out;
        if (room == 0 && got > 0) {
            status = 413;
            break;
        }
        out->len += got;
        if (rc == Z_STREAM_END) {
            if (z.avail_in == 0) {
                break;
            }
            rc = inflateReset(&z);
        }
        if (rc != Z_OK || (got == 0 && z.avail_in == 0)) {
            status = 400;
            break;
        }
    }
    inflateEnd(&z);
    return status;
}

/* False when the exchange has been refused. */
static bool read_body(http_exchange *exchange)
{
    const char *encoding = firn_http_request_header(&exchange->request, "Content-Encoding");
    if (exchange->body.len > 0 && encoding && !firn_strcaseeq(encoding, "identity")) {
        if (!firn_strcaseeq(encoding, "gzip") && !firn_strcaseeq(encoding, "x-gzip")) {
            http_refuse(exchange, 415,
                        "the body's Content-Encoding is not known here: send gzip or none");
            return false;
        }
        firn_buf plain;
        firn_buf_init(&plain, exchange->server->options.max_body_bytes);
        int status = inflate_all(firn_buf_bytes(&exchange->body), &plain);
        firn_buf_deinit(&exchange->body);
        exchange->body = plain;
        if (status != 0) {
            http_refuse(exchange, status,
                        status == 413 ? "the body is larger than this server takes, once "
                                        "decompressed"
                                      : "the body is not what gzip writes");
            return false;
        }
    }
    firn_buf_cstr(&exchange->body);
    exchange->request.body = firn_buf_bytes(&exchange->body);
    return true;
}

/* Whether the header's list has gzip (or *) without q=0. */
static bool accepts_gzip(const char *header)
{
    while (header && *header) {
        header += strspn(header, " \t,");
        size_t len = strcspn(header, ",");
        size_t name = strcspn(header, ",; \t");
        if ((name == 4 && strncasecmp(header, "gzip", 4) == 0) || (name == 1 && header[0] == '*')) {
            const char *q = memmem(header, len, "q=", 2);
            return !q || strtod(q + 2, NULL) > 0;
        }
        header += len;
    }
    return false;
}

static const char *response_header(const firn_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->headers.len; i++) {
        if (firn_strcaseeq(response->headers.items[i].name, name)) {
            return response->headers.items[i].value;
        }
    }
    return NULL;
}

static void write_body(http_exchange *exchange)
{
    firn_http_response *response = &exchange->response;
    if (response->status == 204 || response->status == 304) {
        response->body.len = 0;
    }
    if (response->body.len < GZIP_FROM_BYTES || response->body.len > UINT_MAX / 2 ||
        response_header(response, "Content-Encoding")) {
        return;
    }
    firn_http_response_header(exchange->arena, response, "Vary", "Accept-Encoding");
    if (!accepts_gzip(firn_http_request_header(&exchange->request, "Accept-Encoding"))) {
        return;
    }
    z_stream z = {.next_in = (Bytef *)response->body.data, .avail_in = (uInt)response->body.len};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return;
    }
    uLong bound = deflateBound(&z, (uLong)response->body.len);
    uint8_t *out = firn_arena_alloc(exchange->arena, bound);
    z.next_out = out;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < response->body.len) {
        response->body = firn_bytes_of(out, z.total_out);
        firn_http_response_header(exchange->arena, response, "Content-Encoding", "gzip");
    }
    deflateEnd(&z);
}

/* ---- one request -------------------------------------------------------------------------------------- */

static void log_access(const http_exchange *exchange)
{
    if (!firn_log_enabled(FIRN_LOG_INFO)) {
        return;
    }
    char path[256];
    size_t n = 0;
    for (const char *at = exchange->request.path; *at && n + 1 < sizeof(path); at++) {
        path[n++] = *at > ' ' && *at < 127 ? *at : '?';
    }
    path[n] = '\0';
    firn_log(FIRN_LOG_INFO, "http", "%s %s %s: %d, %zu bytes, %.1f ms", exchange->request.peer,
             exchange->request.method, path, exchange->response.status, exchange->response.body.len,
             (double)(firn_monotonic_us() - exchange->started_us) / 1000);
}

static void serve_one(http_exchange *exchange)
{
    const firn_http_server_options *options = &exchange->server->options;
    if (read_body(exchange)) {
        exchange->response.status = 200;
        options->handle(options->ctx, &exchange->request, &exchange->response);
        write_body(exchange);
    }
    log_access(exchange);
    http_answered(exchange);
}

/* ---- threads ------------------------------------------------------------------------------------------ */

static http_exchange *take(http_work *work)
{
    http_exchange *exchange = work->head;
    if (exchange) {
        work->head = exchange->next;
        work->tail = work->head ? work->tail : &work->head;
        work->queued--;
    }
    return exchange;
}

static void *worker_main(void *ctx)
{
    http_work *work = ctx;
    pthread_mutex_lock(&work->lock);
    for (;;) {
        http_exchange *exchange = take(work);
        if (exchange) {
            pthread_mutex_unlock(&work->lock);
            serve_one(exchange);
            pthread_mutex_lock(&work->lock);
            continue;
        }
        if (work->stopping) {
            break;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += WORKER_IDLE_S;
        work->idle++;
        int rc = pthread_cond_timedwait(&work->more, &work->lock, &until);
        work->idle--;
        if (rc != 0 && !work->head) {
            break;
        }
    }
    work->threads--;
    pthread_cond_signal(&work->ended);
    pthread_mutex_unlock(&work->lock);
    return NULL;
}

/* Under the lock. */
static bool start_worker(http_work *work)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    bool ok = pthread_create(&thread, &attr, worker_main, work) == 0;
    pthread_attr_destroy(&attr);
    work->threads += ok;
    return ok;
}

void http_work_init(http_work *work, int threads_max, int queue_max)
{
    *work = (http_work){.threads_max = threads_max, .queue_max = queue_max};
    work->tail = &work->head;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&work->lock, NULL);
    pthread_cond_init(&work->more, &attr);
    pthread_cond_init(&work->ended, &attr);
    pthread_condattr_destroy(&attr);
}

bool http_work_push(http_work *work, http_exchange *exchange)
{
    pthread_mutex_lock(&work->lock);
    bool ok = !work->stopping && work->queued < work->queue_max;
    if (ok && work->queued >= work->idle && work->threads < work->threads_max) {
        ok = start_worker(work) || work->threads > 0;
    }
    if (ok) {
        exchange->next = NULL;
        *work->tail = exchange;
        work->tail = &exchange->next;
        work->queued++;
        pthread_cond_signal(&work->more);
    }
    pthread_mutex_unlock(&work->lock);
    return ok;
}

void http_work_stop(http_work *work)
{
    pthread_mutex_lock(&work->lock);
    work->stopping = true;
    pthread_cond_broadcast(&work->more);
    for (http_exchange *exchange = take(work); exchange; exchange = take(work)) {
        pthread_mutex_unlock(&work->lock);
        http_refuse(exchange, 503, "the server is stopping");
        http_answered(exchange);
        pthread_mutex_lock(&work->lock);
    }
    while (work->threads > 0) {
        pthread_cond_wait(&work->ended, &work->lock);
    }
    pthread_mutex_unlock(&work->lock);
    pthread_mutex_destroy(&work->lock);
    pthread_cond_destroy(&work->more);
    pthread_cond_destroy(&work->ended);
}
