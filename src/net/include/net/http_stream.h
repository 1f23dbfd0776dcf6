/* HTTP answers that are read while they come: as long, and as slow, as they are.
 *
 * The caller pulls. What has been read and not been asked for is bounded: beyond the bound the connection is left alone until the
 * caller has caught up, so TCP slows the server down.
 *
 *     FIRN_TRY(firn_http_stream_open(client, &call, NULL, &stream, err));      status and headers are here
 *     while (firn_http_stream_next(stream, 1000, &chunk, &state, err) == FIRN_OK && state != FIRN_HTTP_STREAM_END)
 *         ...
 *     firn_http_stream_close(stream);                                          at any time; ends the call
 *
 * Errors as in http_client.h; a connection that breaks in the middle of the body, or a chunked body without its end, is IO. Nothing is
 * tried again behind the first byte of the body.
 * Threads: a stream belongs to one thread at a time; streams of one client are independent.
 */
#ifndef NET_HTTP_STREAM_H
#define NET_HTTP_STREAM_H

#include "net/http_client.h"

typedef struct firn_http_stream firn_http_stream;

typedef enum firn_http_version {
    FIRN_HTTP_AUTO, /* HTTP/2 where TLS agrees on it, else HTTP/1.1 */
    FIRN_HTTP_1_1,
    FIRN_HTTP_2, /* over TLS by ALPN; without TLS at once (prior knowledge) */
} firn_http_version;

typedef struct firn_http_stream_options {
    firn_http_version version;
    size_t buffer_bytes_max; /* 0: 4 MiB */
    int head_timeout_ms;     /* of one attempt, until the headers; 0: the client's total timeout */
} firn_http_stream_options;

typedef enum firn_http_stream_state {
    FIRN_HTTP_STREAM_DATA,  /* chunk holds at least one byte */
    FIRN_HTTP_STREAM_QUIET, /* nothing came within the wait */
    FIRN_HTTP_STREAM_END,   /* the body is complete */
} firn_http_stream_state;

/* Sends the call and waits for status and headers, with the client's retries, authentication and timeouts (its total timeout counts up to
 * the headers only). options NULL: defaults. */
firn_rc firn_http_stream_open(firn_http_client *client, const firn_http_call *call,
                              const firn_http_stream_options *options, firn_http_stream **out,
                              firn_err *err) FIRN_MUST_USE;
int firn_http_stream_status(const firn_http_stream *stream);
/* By name in any case; NULL: not there. */
const char *firn_http_stream_header(const firn_http_stream *stream, const char *name);
/* chunk is valid until the next call. */
firn_rc firn_http_stream_next(firn_http_stream *stream, int wait_ms, firn_bytes *chunk,
                              firn_http_stream_state *state, firn_err *err) FIRN_MUST_USE;
void firn_http_stream_close(firn_http_stream *stream); /* NULL is fine */

#endif
