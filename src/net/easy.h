/* One curl handle set up for a call of the client: what whole answers (http_client.c) and streams (http_stream.c) share. */
#ifndef NET_EASY_H
#define NET_EASY_H

#include "client.h"

#include "base/vec.h"

#include <curl/curl.h>

enum { FIRN_HTTP_HEADER_BYTES_MAX = 256 << 10, FIRN_HTTP_TOO_MANY_REQUESTS = 429 };

/* Of the final answer: what came before it (100-continue, a proxy's) is dropped. */
typedef struct firn_http_head {
    firn_arena *arena;
    FIRN_VEC(firn_http_header) headers;
    size_t bytes;
} firn_http_head;

/* INVALID: the URL or a header holds what would break a request apart. */
firn_rc firn_http_call_check(firn_arena *arena, const firn_http_call *call,
                             firn_err *err) FIRN_MUST_USE;
bool firn_http_is_idempotent(const firn_http_call *call);
/* The caller frees it, after the handle is done. */
struct curl_slist *firn_http_header_list(firn_arena *arena, const firn_http_call *call);
/* Everything but the callbacks, the version of HTTP, encodings and the total timeout. */
void firn_http_set_up(CURL *handle, const firn_http_client *client, const firn_http_call *call,
                      struct curl_slist *headers, char *error);
/* A line as curl gives it; false when the headers are larger than the bound. */
bool firn_http_head_add(firn_http_head *head, const char *data, size_t len);
/* Why curl failed: INVALID for URLs, else IO. `detail` is curl's error buffer. */
firn_rc firn_http_failed(const firn_http_client *client, firn_arena *arena,
                         const firn_http_call *call, CURLcode code, const char *detail,
                         firn_err *err);

/* rc and status of an attempt, of which at least a part was `sent` or not. */
bool firn_http_is_worth_retrying(const firn_http_call *call, firn_rc rc, int status, bool sent);
/* Waits before try number `tries` + 1, for what the server asked or longer. */
void firn_http_wait_to_retry(const firn_http_client *client, int tries, int64_t retry_after_ms);
/* What curl read of Retry-After. */
int64_t firn_http_retry_after_ms(CURL *handle);

#endif
