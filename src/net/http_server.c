/* Connections and exchanges on libmicrohttpd's threads.
 *
 * Per exchange libmicrohttpd calls: begin_exchange (request line), on_access (headers), on_access per piece of the body, on_access
 * once more (end of body: the connection is suspended, the exchange queued), and after http_answered on_access again, which
 * queues the response; on_completed in the end, whatever happened.
 *
 * Time limits are kept here and not by libmicrohttpd, whose timeout starts anew with every byte: a connection has a phase with a
 * deadline, and the reaper shuts the socket of those past it. libmicrohttpd then sees the end of the stream and cleans up. A
 * socket is closed only after on_connection(CLOSED) has taken its connection off the list, so the reaper never shuts a number
 * that belongs to somebody else.
 */
#include "http_private.h"

#include "base/log.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    REAP_MS_MAX = 500,
    DRAINED_BODY_EXTRA =
        16 << 20, /* a body a bit too large is read to its end, so that the client reads the 413 */
    SEND_BYTES_PER_S = 64 << 10,
    LINGER_MS = 1000,
    RETRY_AFTER_S = 1,
    MHD_CONNECTIONS_EXTRA = 64,
};

/* ---- requests and responses ----------------------------------------------------------------------------- */

const char *firn_http_request_header(const firn_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        if (firn_strcaseeq(request->headers[i].name, name)) {
            return request->headers[i].value;
        }
    }
    return NULL;
}

void firn_http_response_header(firn_arena *arena, firn_http_response *response, const char *name,
                               const char *value)
{
    firn_http_header header = {firn_arena_strdup(arena, name), firn_arena_strdup(arena, value)};
    firn_vec_push(arena, &response->headers, header);
}

void http_refuse(http_exchange *exchange, int status, const char *message)
{
    const firn_http_server_options *options = &exchange->server->options;
    firn_http_response *response = &exchange->response;
    *response = (firn_http_response){.status = status};
    response->body = options->error_body
                         ? options->error_body(exchange->arena, status, message)
                         : firn_bytes_str(firn_arena_printf(exchange->arena, "%s\n", message));
    firn_http_response_header(exchange->arena, response, "Content-Type",
                              options->error_body ? options->error_content_type : "text/plain");
    if (status == 503) {
        firn_http_response_header(exchange->arena, response, "Retry-After",
                                  firn_arena_printf(exchange->arena, "%d", RETRY_AFTER_S));
    }
}

/* ---- connections ------------------------------------------------------------------------------------------ */

static void set_phase(firn_http_server *server, http_connection *connection, http_phase phase,
                      int64_t limit_ms)
{
    pthread_mutex_lock(&server->lock);
    connection->phase = phase;
    connection->deadline_us = limit_ms < 0 ? INT64_MAX : firn_monotonic_us() + limit_ms * 1000;
    pthread_mutex_unlock(&server->lock);
}

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    firn_http_server *server = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        http_connection *connection = firn_calloc(1, sizeof(*connection));
        *socket_context = connection;
        pthread_mutex_lock(&server->lock);
        connection->fd = info->connect_fd;
        connection->deadline_us =
            firn_monotonic_us() + (int64_t)server->options.idle_timeout_ms * 1000;
        connection->next = server->connections;
        if (connection->next) {
            connection->next->prev = connection;
        }
        server->connections = connection;
        server->n_connections++;
        pthread_mutex_unlock(&server->lock);
        return;
    }
    http_connection *connection = *socket_context;
    pthread_mutex_lock(&server->lock);
    *(connection->prev ? &connection->prev->next : &server->connections) = connection->next;
    if (connection->next) {
        connection->next->prev = connection->prev;
    }
    server->n_connections--;
    pthread_mutex_unlock(&server->lock);
    free(connection);
    *socket_context = NULL;
}

static enum MHD_Result on_accept(void *ctx, const struct sockaddr *address, socklen_t len)
{
    (void)address;
    (void)len;
    firn_http_server *server = ctx;
    pthread_mutex_lock(&server->lock);
    bool ok = server->n_connections < server->options.connections;
    pthread_mutex_unlock(&server->lock);
    return ok ? MHD_YES : MHD_NO;
}

static void *reaper_main(void *ctx)
{
    firn_http_server *server = ctx;
    int limit = server->options.idle_timeout_ms < server->options.request_timeout_ms
                    ? server->options.idle_timeout_ms
                    : server->options.request_timeout_ms;
    int every_ms = limit / 4 > REAP_MS_MAX ? REAP_MS_MAX : limit / 4 + 1;
    pthread_mutex_lock(&server->lock);
    while (!server->reaper_stop) {
        int64_t now = firn_monotonic_us();
        for (http_connection *c = server->connections; c; c = c->next) {
            if (c->deadline_us < now) {
                shutdown(c->fd, SHUT_RDWR);
                c->deadline_us = INT64_MAX;
            }
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)(every_ms % 1000) * 1000000;
        until.tv_sec += every_ms / 1000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&server->reaper_wake, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- exchanges -------------------------------------------------------------------------------------------- */

static size_t keep_escapes(void *ctx, struct MHD_Connection *mhd, char *text)
{
    (void)ctx;
    (void)mhd;
    return strlen(text);
}

static void *begin_exchange(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
    firn_http_server *server = ctx;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    http_exchange *exchange = firn_calloc(1, sizeof(*exchange));
    exchange->server = server;
    exchange->mhd = mhd;
    exchange->connection = info->socket_context;
    exchange->arena = firn_arena_new();
    exchange->started_us = firn_monotonic_us();
    firn_buf_init(&exchange->body, server->options.max_body_bytes);
    /* "http://host/path" is how proxies are spoken to, and must be understood (RFC 9112, 3.2.2). */
    const char *scheme = strstr(uri, "://");
    if (uri[0] != '/' && scheme) {
        const char *path = strchr(scheme + 3, '/');
        uri = path ? path : "/";
    }
    size_t len = strcspn(uri, "?");
    exchange->request.arena = exchange->arena;
    exchange->request.path = firn_arena_strndup(exchange->arena, uri, len);
    exchange->request.query = uri[len] ? firn_arena_strdup(exchange->arena, uri + len + 1) : NULL;
    set_phase(server, exchange->connection, HTTP_RECEIVING, server->options.request_timeout_ms);
    return exchange;
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode code)
{
    (void)mhd;
    (void)code;
    firn_http_server *server = ctx;
    http_exchange *exchange = *request_context;
    if (!exchange) {
        return;
    }
    *request_context = NULL;
    set_phase(server, exchange->connection, HTTP_WAITING, server->options.idle_timeout_ms);
    if (exchange->counted) {
        __atomic_sub_fetch(&server->active, 1, __ATOMIC_SEQ_CST);
    }
    firn_buf_deinit(&exchange->body);
    firn_arena_free(exchange->arena);
    free(exchange);
}

static enum MHD_Result send_response(http_exchange *exchange)
{
    firn_http_server *server = exchange->server;
    const firn_http_response *r = &exchange->response;
    /* The bytes stay ours and live until on_completed. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        r->body.len, (void *)(uintptr_t)r->body.data, MHD_RESPMEM_PERSISTENT);
    if (!response) {
        return MHD_NO;
    }
    for (size_t i = 0; i < r->headers.len; i++) {
        const firn_http_header *header = &r->headers.items[i];
        if (MHD_add_response_header(response, header->name, header->value) != MHD_YES) {
            firn_log(FIRN_LOG_WARN, "http", "response header %s was left out: its value is not one",
                     header->name);
        }
    }
    if (exchange->close || __atomic_load_n(&server->stopping, __ATOMIC_SEQ_CST)) {
        MHD_add_response_header(response, "Connection", "close");
    }
    set_phase(server, exchange->connection, HTTP_SENDING,
              server->options.request_timeout_ms +
                  (int64_t)(r->body.len / SEND_BYTES_PER_S) * 1000);
    enum MHD_Result rc = MHD_queue_response(exchange->mhd, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result refuse_now(http_exchange *exchange, int status, const char *message)
{
    exchange->close = true;
    http_refuse(exchange, status, message);
    return send_response(exchange);
}

typedef struct headers_in {
    http_exchange *exchange;
    FIRN_VEC(firn_http_header) list;
} headers_in;

static enum MHD_Result copy_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    headers_in *in = ctx;
    firn_arena *arena = in->exchange->arena;
    firn_http_header header = {firn_arena_strdup(arena, name),
                               firn_arena_strdup(arena, value ? value : "")};
    firn_vec_push(arena, &in->list, header);
    return MHD_YES;
}

static int count_headers(const firn_http_request *request, const char *name)
{
    int n = 0;
    for (size_t i = 0; i < request->n_headers; i++) {
        n += firn_strcaseeq(request->headers[i].name, name);
    }
    return n;
}

static void copy_peer(http_exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char host[64] = "?", port[16] = "?";
    const struct sockaddr *address = info ? info->client_addr : NULL;
    if (address) {
        socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                       : sizeof(struct sockaddr_in);
        getnameinfo(address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV);
    }
    exchange->request.peer = firn_arena_printf(
        exchange->arena, address && address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
        port);
}

/* The headers are there. Two lengths, or a length and chunks, are how requests are smuggled past proxies. */
static enum MHD_Result begin_request(http_exchange *exchange, const char *method)
{
    firn_http_server *server = exchange->server;
    headers_in in = {.exchange = exchange};
    exchange->begun = true;
    MHD_get_connection_values(exchange->mhd, MHD_HEADER_KIND, copy_header, &in);
    firn_http_request *request = &exchange->request;
    request->method = firn_arena_strdup(exchange->arena, method);
    request->headers = in.list.items;
    request->n_headers = in.list.len;
    request->tls = server->options.tls_cert != NULL;
    copy_peer(exchange);
    const char *length = firn_http_request_header(request, "Content-Length");
    const char *transfer = firn_http_request_header(request, "Transfer-Encoding");
    if (count_headers(request, "Content-Length") > 1 ||
        count_headers(request, "Transfer-Encoding") > 1 || (length && transfer)) {
        return refuse_now(exchange, 400, "the request says twice how long it is");
    }
    if (transfer && !firn_strcaseeq(transfer, "chunked")) {
        return refuse_now(exchange, 501, "the only Transfer-Encoding here is chunked");
    }
    if (count_headers(request, "Host") > 1) {
        return refuse_now(exchange, 400, "the request has two Host headers");
    }
    if (length) {
        char *end;
        errno = 0;
        unsigned long long n = strtoull(length, &end, 10);
        if (!(length[0] >= '0' && length[0] <= '9') || *end || errno) {
            return refuse_now(exchange, 400, "the Content-Length is not a number");
        }
        const char *expect = firn_http_request_header(request, "Expect");
        if (n > server->options.max_body_bytes + (expect ? 0 : DRAINED_BODY_EXTRA)) {
            return refuse_now(exchange, 413, "the body is larger than this server takes");
        }
    }
    return MHD_YES;
}

static enum MHD_Result take_piece(http_exchange *exchange, const char *data, size_t *len)
{
    if (!exchange->refusal) {
        firn_buf_append(&exchange->body, data, *len);
        if (exchange->body.overflow) {
            exchange->refusal = 413;
            exchange->refusal_message = "the body is larger than this server takes";
            firn_buf_deinit(&exchange->body);
            exchange->body.len = 0;
        }
    }
    *len = 0;
    return MHD_YES;
}

void http_answered(http_exchange *exchange)
{
    struct MHD_Connection *mhd = exchange->mhd;
    __atomic_store_n(&exchange->answered, true, __ATOMIC_RELEASE);
    MHD_resume_connection(mhd);
}

static enum MHD_Result hand_over(http_exchange *exchange)
{
    firn_http_server *server = exchange->server;
    exchange->counted = true;
    __atomic_add_fetch(&server->active, 1, __ATOMIC_SEQ_CST);
    if (exchange->refusal) {
        return refuse_now(exchange, exchange->refusal, exchange->refusal_message);
    }
    if (__atomic_load_n(&server->stopping, __ATOMIC_SEQ_CST)) {
        return refuse_now(exchange, 503, "the server is stopping");
    }
    set_phase(server, exchange->connection, HTTP_WORKING, -1);
    MHD_suspend_connection(exchange->mhd);
    if (!http_work_push(&server->work, exchange)) {
        http_refuse(exchange, 503, "the server has more requests than it can take; try again");
        http_answered(exchange);
    }
    return MHD_YES;
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *len, void **request_context)
{
    (void)ctx;
    (void)mhd;
    (void)url;
    (void)version;
    http_exchange *exchange = *request_context;
    if (!exchange) {
        return MHD_NO;
    }
    if (!exchange->begun) {
        return begin_request(exchange, method);
    }
    if (*len > 0) {
        return take_piece(exchange, data, len);
    }
    if (__atomic_load_n(&exchange->answered, __ATOMIC_ACQUIRE)) {
        return send_response(exchange);
    }
    return hand_over(exchange);
}

/* ---- listening -------------------------------------------------------------------------------------------- */

/* "host:port" and "[v6]:port" into their parts; false if it is neither. */
static bool split_address(const char *listen, char *host, size_t host_bytes, const char **port)
{
    const char *colon = strrchr(listen, ':');
    int64_t number;
    if (!colon || !firn_parse_i64(colon + 1, &number) || number < 0 || number > 65535) {
        return false;
    }
    size_t len = (size_t)(colon - listen);
    if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    } else if (memchr(listen, ':', len)) {
        return false;
    }
    if (len >= host_bytes) {
        return false;
    }
    memcpy(host, listen, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

bool firn_http_is_loopback(const char *listen)
{
    char host[256];
    const char *port;
    struct in_addr v4;
    return split_address(listen, host, sizeof(host), &port) &&
           (firn_strcaseeq(host, "localhost") || firn_streq(host, "::1") ||
            (inet_pton(AF_INET, host, &v4) == 1 && firn_starts_with(host, "127.")));
}

static firn_rc listen_on(firn_http_server *server, const char *listen_text, firn_err *err)
{
    char host[256];
    const char *port;
    if (!split_address(listen_text, host, sizeof(host), &port)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "\"%s\" is no address to listen on: write host:port, as in 127.0.0.1:8181",
                  listen_text);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (rc != 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "cannot listen on %s: %s", listen_text, gai_strerror(rc));
    }
    int error = 0;
    for (const struct addrinfo *at = found; at && server->listen_fd < 0; at = at->ai_next) {
        int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int on = 1;
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
            bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) {
            server->listen_fd = fd;
        } else {
            error = errno;
            if (fd >= 0) {
                close(fd);
            }
        }
    }
    freeaddrinfo(found);
    if (server->listen_fd < 0) {
        if (error == EADDRINUSE) {
            FIRN_FAIL(err, FIRN_E_EXISTS,
                      "cannot listen on %s: another program does already; choose another port",
                      listen_text);
        }
        return firn_err_errno(err, __FILE__, __LINE__, error, "cannot listen on %s", listen_text);
    }
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    char name[64], number[16];
    getsockname(server->listen_fd, (struct sockaddr *)&bound, &len);
    getnameinfo((struct sockaddr *)&bound, len, name, sizeof(name), number, sizeof(number),
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(server->address, sizeof(server->address), strchr(name, ':') ? "[%s]:%s" : "%s:%s",
             name, number);
    return FIRN_OK;
}

static void FIRN_PRINTF(2, 0) quiet_log(void *ctx, const char *fmt, va_list args)
{
    (void)ctx;
    if (firn_log_enabled(FIRN_LOG_DEBUG)) {
        char text[512];
        vsnprintf(text, sizeof(text), fmt, args);
        text[strcspn(text, "\n")] = '\0';
        firn_log(FIRN_LOG_DEBUG, "http", "%s", text);
    }
}

static firn_rc start_daemon(firn_http_server *server, firn_err *err)
{
    const firn_http_server_options *o = &server->options;
    struct MHD_OptionItem extra[4];
    int n = 0;
    if (o->tls_cert) {
        extra[n++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->tls_cert};
        extra[n++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->tls_key};
    }
    if (o->io_threads > 1) {
        extra[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, o->io_threads, NULL};
    }
    extra[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    int longest_ms =
        o->idle_timeout_ms > o->request_timeout_ms ? o->idle_timeout_ms : o->request_timeout_ms;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | (o->tls_cert ? MHD_USE_TLS : 0);
    server->daemon = MHD_start_daemon(
        flags, 0, on_accept, server, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, quiet_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, server->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, begin_exchange,
        server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(o->connections + MHD_CONNECTIONS_EXTRA),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->max_header_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(longest_ms / 1000 + 2), MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, extra,
        MHD_OPTION_END);
    if (!server->daemon) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the HTTP server on %s does not start%s", server->address,
                  o->tls_cert ? ": are certificate and key PEM files that belong together?" : "");
    }
    return FIRN_OK;
}

/* ---- start and stop ----------------------------------------------------------------------------------------- */

static void fill_defaults(firn_http_server_options *o)
{
    o->io_threads = o->io_threads > 0 ? o->io_threads : 1;
    o->workers = o->workers > 0 ? o->workers : 64;
    o->connections = o->connections > 0 ? o->connections : 1000;
    o->queue_length = o->queue_length > 0 ? o->queue_length : 1024;
    o->max_header_bytes = o->max_header_bytes > 0 ? o->max_header_bytes : 32 << 10;
    o->max_body_bytes = o->max_body_bytes > 0 ? o->max_body_bytes : 64 << 20;
    o->request_timeout_ms = o->request_timeout_ms > 0 ? o->request_timeout_ms : 60000;
    o->idle_timeout_ms = o->idle_timeout_ms > 0 ? o->idle_timeout_ms : 60000;
}

static void free_server(firn_http_server *server)
{
    if (server->listen_fd >= 0) {
        close(server->listen_fd);
    }
    pthread_cond_destroy(&server->reaper_wake);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

firn_rc firn_http_server_start(const firn_http_server_options *options, firn_http_server **out,
                               firn_err *err)
{
    assert(options->handle && !options->tls_cert == !options->tls_key);
    firn_http_server *server = firn_calloc(1, sizeof(*server));
    server->options = *options;
    server->listen_fd = -1;
    fill_defaults(&server->options);
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&server->reaper_wake, &attr);
    pthread_condattr_destroy(&attr);
    firn_rc rc = listen_on(server, options->listen, err);
    if (rc != FIRN_OK) {
        free_server(server);
        return rc;
    }
    http_work_init(&server->work, server->options.workers, server->options.queue_length);
    rc = start_daemon(server, err);
    if (rc != FIRN_OK) {
        http_work_stop(&server->work);
        free_server(server);
        return rc;
    }
    if (pthread_create(&server->reaper, NULL, reaper_main, server) != 0) {
        MHD_stop_daemon(server->daemon);
        server->listen_fd = -1;
        http_work_stop(&server->work);
        free_server(server);
        FIRN_FAIL(err, FIRN_E_IO, "no thread could be started for the HTTP server");
    }
    *out = server;
    return FIRN_OK;
}

const char *firn_http_server_address(const firn_http_server *server)
{
    return server->address;
}

static void wait_until_quiet(firn_http_server *server, int64_t ms)
{
    int64_t until = firn_monotonic_us() + ms * 1000;
    while (__atomic_load_n(&server->active, __ATOMIC_SEQ_CST) > 0 && firn_monotonic_us() < until) {
        firn_sleep_ms(2);
    }
}

void firn_http_server_stop(firn_http_server *server, int drain_ms)
{
    if (!server) {
        return;
    }
    MHD_quiesce_daemon(server->daemon); /* the socket is ours again */
    close(server->listen_fd);
    server->listen_fd = -1;
    __atomic_store_n(&server->stopping, true, __ATOMIC_SEQ_CST);
    wait_until_quiet(server, drain_ms);
    http_work_stop(&server->work);
    wait_until_quiet(server, LINGER_MS);
    MHD_stop_daemon(server->daemon);
    pthread_mutex_lock(&server->lock);
    server->reaper_stop = true;
    pthread_cond_signal(&server->reaper_wake);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->reaper, NULL);
    free_server(server);
}
