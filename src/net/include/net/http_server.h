/* An HTTP/1.1 server around libmicrohttpd: limits, TLS, compression, graceful stop. Knows nothing of what it serves.
 *
 * One or two threads do all reading and writing. A request whose body is complete leaves its connection and goes over a bounded
 * queue to worker threads, where the handler may block (on fsync, on a queue of commits); its response goes back to the I/O
 * threads. So a slow client costs memory, never a thread.
 *
 * Ownership: request and response live in the request's arena, which ends when the response has been sent. Handlers borrow them.
 * Threads: start and stop from one thread; the handler is called on many at once.
 *
 * What never reaches the handler: 400 (malformed), 408 by closing the connection (too slow), 413 (body over max_body_bytes, also
 * decompressed), 415 (unknown Content-Encoding), 431 (headers), 503 with Retry-After (queue full, or stopping).
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/buf.h"
#include "base/vec.h"

typedef struct firn_http_server firn_http_server;

typedef struct firn_http_header {
    const char *name;
    const char *value;
} firn_http_header;

typedef struct firn_http_request {
    firn_arena *arena;
    const char *method; /* "GET" */
    const char *path;   /* as sent: still percent-encoded, without the query */
    const char *query;  /* as sent, without '?'; NULL: none */
    const firn_http_header *headers;
    size_t n_headers;
    firn_bytes body;  /* decompressed; followed by a NUL that is not counted */
    const char *peer; /* "127.0.0.1:4711" */
    bool tls;
} firn_http_request;

/* The first header of that name (case-insensitive), NULL if there is none. */
const char *firn_http_request_header(const firn_http_request *request, const char *name);

typedef struct firn_http_response {
    int status; /* 200 before the handler is called */
    FIRN_VEC(firn_http_header) headers;
    firn_bytes body; /* in the request's arena, or static */
} firn_http_response;

/* Copies both texts. Values with control characters are refused by an assert: never put a peer's bytes there unescaped. */
void firn_http_response_header(firn_arena *arena, firn_http_response *response, const char *name,
                               const char *value);

typedef struct firn_http_server_options {
    const char *listen; /* "127.0.0.1:8181", "[::1]:0", "localhost:0", ":8181" (every address) */
    void (*handle)(void *ctx, const firn_http_request *request, firn_http_response *response);
    /* Nullable: the body of an error that this server gives itself, and its Content-Type. */
    firn_bytes (*error_body)(firn_arena *arena, int status, const char *message);
    const char *error_content_type;
    void *ctx;
    const char *tls_cert, *tls_key; /* PEM text, both or neither */
    /* 0: the default in brackets */
    int io_threads;          /* [1] */
    int workers;             /* [64] at most; started when needed, ended when idle */
    int connections;         /* [1000] more are turned away at once */
    int queue_length;        /* [1024] requests that wait for a worker */
    size_t max_header_bytes; /* [32 KiB] request line and headers */
    size_t max_body_bytes;   /* [64 MiB] */
    int request_timeout_ms; /* [60 s] from a request's first line to its last byte; the same again to take the response */
    int idle_timeout_ms; /* [60 s] a connection on which nothing happens */
} firn_http_server_options;

/* INVALID: an address that is none, certificates that are none. EXISTS: the port is taken. PERMISSION. */
firn_rc firn_http_server_start(const firn_http_server_options *options, firn_http_server **out,
                               firn_err *err) FIRN_MUST_USE;
/* "127.0.0.1:8181", "[::1]:8181": with the port that was taken. */
const char *firn_http_server_address(const firn_http_server *server);
/* No new connections; requests that have arrived get their answer, for at most drain_ms (handlers that run are waited for in any
 * case, those that still wait for a worker are then answered 503). Frees the server. NULL is fine. */
void firn_http_server_stop(firn_http_server *server, int drain_ms);

/* Whether "host:port" names this machine's loopback only: "127.x.x.x", "[::1]", "localhost". */
bool firn_http_is_loopback(const char *listen);

#endif
