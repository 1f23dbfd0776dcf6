/* HTTP answers that are read while they come: one curl handle in a multi handle of its own, driven by whoever pulls.
 *
 * Invariants:
 *   1. `buf` holds what curl has handed over and the caller has not got; once it holds buffer_bytes_max, on_body refuses more, and curl
 *      leaves the socket alone until `next` has taken the bytes out and said so;
 *   2. `given` is the caller's until the next call; the two change places, nothing is copied;
 *   3. `over` is set once curl has said how the call ended, in `code`. Bytes that came before it are handed out first.
 */
#include "net/http_stream.h"

#include "easy.h"

#include "base/buf.h"
#include "base/time.h"

#include <stdlib.h>

enum {
    BUFFER_BYTES_MAX = 4 << 20,
    RECEIVE_BYTES = 64 << 10, /* what one read of the socket takes */
    KEEPALIVE_S = 30,
};

struct firn_http_stream {
    firn_http_client *client;
    firn_arena *arena;
    firn_http_call call; /* as sent; its body is the caller's, and only good while opening */
    size_t buffer_bytes_max;
    CURLM *multi;
    CURL *handle; /* NULL: between attempts */
    struct curl_slist *header_list;
    firn_http_head head;
    bool has_head;
    bool too_large;
    bool paused;
    bool over;
    CURLcode code;
    char error[CURL_ERROR_SIZE];
    int status;
    firn_buf buf, given;
};

/* ---- what curl calls ---------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    firn_http_stream *s = ctx;
    if (s->buf.len > 0 && s->buf.len + size * n > s->buffer_bytes_max) {
        s->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    firn_buf_append(&s->buf, data, size * n);
    return s->buf.overflow ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    firn_http_stream *s = ctx;
    size_t len = size * n;
    if (s->has_head) {
        return len; /* trailers */
    }
    if (len <= 2 && (data[0] == '\r' || data[0] == '\n')) {
        long status = 0;
        curl_easy_getinfo(s->handle, CURLINFO_RESPONSE_CODE, &status);
        s->status = (int)status;
        s->has_head = status >= 200;
        return len;
    }
    s->too_large = !firn_http_head_add(&s->head, data, len);
    return s->too_large ? 0 : len;
}

/* ---- one attempt -------------------------------------------------------------------------------- */

static long curl_version_of(const firn_http_stream_options *options, const char *url)
{
    switch (options->version) {
    case FIRN_HTTP_1_1: return CURL_HTTP_VERSION_1_1;
    case FIRN_HTTP_2:
        return firn_starts_with(url, "https:") ? CURL_HTTP_VERSION_2TLS
                                               : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    default: return CURL_HTTP_VERSION_2TLS; /* HTTP/1.1 without TLS */
    }
}

static void end_attempt(firn_http_stream *s)
{
    if (s->handle) {
        curl_multi_remove_handle(s->multi, s->handle);
        curl_easy_cleanup(s->handle);
        s->handle = NULL;
    }
    curl_slist_free_all(s->header_list);
    s->header_list = NULL;
}

static void begin_attempt(firn_http_stream *s, const firn_http_call *call,
                          const firn_http_stream_options *options)
{
    end_attempt(s);
    s->call = *call;
    s->head = (firn_http_head){.arena = s->arena};
    s->has_head = s->too_large = s->paused = s->over = false;
    s->status = 0;
    s->error[0] = '\0';
    firn_buf_clear(&s->buf);
    s->handle = curl_easy_init();
    if (!s->handle) {
        abort(); /* only without memory */
    }
    s->header_list = firn_http_header_list(s->arena, call);
    firn_http_set_up(s->handle, s->client, call, s->header_list, s->error);
    curl_easy_setopt(s->handle, CURLOPT_HTTP_VERSION, curl_version_of(options, call->url));
    curl_easy_setopt(s->handle, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    /* An answer that says nothing for hours must not be waited for when its server's machine is gone. */
    curl_easy_setopt(s->handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(s->handle, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(s->handle, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
    curl_easy_setopt(s->handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(s->handle, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(s->handle, CURLOPT_HEADERDATA, s);
    curl_multi_add_handle(s->multi, s->handle);
}

/* Lets curl do what it can at once. */
static void perform(firn_http_stream *s)
{
    int running = 0, left = 0;
    CURLMcode rc = curl_multi_perform(s->multi, &running);
    const CURLMsg *message = rc == CURLM_OK ? curl_multi_info_read(s->multi, &left) : NULL;
    if (message && message->msg == CURLMSG_DONE) {
        s->over = true;
        s->code = message->data.result;
    } else if (rc != CURLM_OK) {
        s->over = true;
        s->code = CURLE_RECV_ERROR;
    }
}

static firn_rc failed(firn_http_stream *s, firn_err *err)
{
    if (s->too_large || s->buf.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s %s: the answer's headers are larger than %d bytes",
                  s->call.method, firn_url_for_message(s->arena, s->call.url),
                  FIRN_HTTP_HEADER_BYTES_MAX);
    }
    return firn_http_failed(s->client, s->arena, &s->call, s->code, s->error, err);
}

/* Until status and headers are there. */
static firn_rc wait_for_head(firn_http_stream *s, const firn_http_stream_options *options,
                             firn_err *err)
{
    int timeout_ms = options->head_timeout_ms > 0 ? options->head_timeout_ms
                                                  : s->client->options.total_timeout_ms;
    int64_t until_us = firn_monotonic_us() + (int64_t)timeout_ms * INT64_C(1000);
    for (;;) {
        perform(s);
        if (s->has_head) {
            return FIRN_OK;
        }
        if (s->over) {
            return failed(s, err);
        }
        int64_t left_us = until_us - firn_monotonic_us();
        if (left_us <= 0) {
            s->code = CURLE_OPERATION_TIMEDOUT;
            return failed(s, err);
        }
        curl_multi_poll(s->multi, NULL, 0, (int)(left_us / 1000 + 1), NULL);
    }
}

/* The call with the client's retries, as firn_http_do_plain has them. */
static firn_rc open_plain(firn_http_stream *s, const firn_http_call *call,
                          const firn_http_stream_options *options, firn_err *err)
{
    const firn_http_options *o = &s->client->options;
    for (int tries = 0;; tries++) {
        firn_err detail = {0};
        begin_attempt(s, call, options);
        firn_rc rc = wait_for_head(s, options, &detail);
        long request_bytes = 0;
        curl_easy_getinfo(s->handle, CURLINFO_REQUEST_SIZE, &request_bytes);
        int64_t retry_after_ms = firn_http_retry_after_ms(s->handle);
        bool sent = request_bytes > 0;
        if (firn_http_is_worth_retrying(call, rc, s->status, sent) && tries < o->retries_max &&
            retry_after_ms <= o->retry_wait_ms_max) {
            end_attempt(s);
            firn_http_wait_to_retry(s->client, tries, retry_after_ms);
            continue;
        }
        if (rc != FIRN_OK && rc != FIRN_E_INVALID && sent && !firn_http_is_idempotent(call)) {
            FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME, "%s (the request was sent, its answer is lost)",
                      detail.message);
        }
        if (rc != FIRN_OK && err) {
            *err = detail;
        }
        return rc;
    }
}

static firn_rc open_signed(firn_http_stream *s, const firn_http_call *call,
                           const firn_http_stream_options *options, firn_err *err)
{
    FIRN_TRY(firn_http_call_check(s->arena, call, err));
    for (bool again = true;; again = false) {
        uint64_t version;
        firn_http_call signed_call;
        FIRN_TRY(firn_http_sign(s->client, s->arena, call, &signed_call, &version, err));
        FIRN_TRY(open_plain(s, &signed_call, options, err));
        if (!again || !firn_http_is_refused_token(s->client, s->status, version)) {
            return FIRN_OK;
        }
    }
}

firn_rc firn_http_stream_open(firn_http_client *client, const firn_http_call *call,
                              const firn_http_stream_options *options, firn_http_stream **out,
                              firn_err *err)
{
    static const firn_http_stream_options defaults = {0};
    options = options ? options : &defaults;
    firn_http_stream *s = firn_calloc(1, sizeof(*s));
    s->client = client;
    s->arena = firn_arena_new();
    s->buffer_bytes_max =
        options->buffer_bytes_max > 0 ? options->buffer_bytes_max : BUFFER_BYTES_MAX;
    s->multi = curl_multi_init();
    if (!s->multi) {
        abort(); /* only without memory */
    }
    /* What is kept for messages must outlive the caller's texts. */
    firn_http_call kept = *call;
    kept.method = firn_arena_strdup(s->arena, call->method);
    kept.url = firn_arena_strdup(s->arena, call->url);
    firn_rc rc = open_signed(s, &kept, options, err);
    if (rc != FIRN_OK) {
        firn_http_stream_close(s);
        return rc;
    }
    *out = s;
    return FIRN_OK;
}

void firn_http_stream_close(firn_http_stream *s)
{
    if (!s) {
        return;
    }
    end_attempt(s);
    curl_multi_cleanup(s->multi);
    firn_buf_deinit(&s->buf);
    firn_buf_deinit(&s->given);
    firn_arena_free(s->arena);
    free(s);
}

/* ---- reading ------------------------------------------------------------------------------------ */

int firn_http_stream_status(const firn_http_stream *s)
{
    return s->status;
}

const char *firn_http_stream_header(const firn_http_stream *s, const char *name)
{
    for (size_t i = 0; i < s->head.headers.len; i++) {
        if (firn_strcaseeq(s->head.headers.items[i].name, name)) {
            return s->head.headers.items[i].value;
        }
    }
    return NULL;
}

static void give(firn_http_stream *s, firn_bytes *chunk)
{
    firn_buf full = s->buf;
    s->buf = s->given;
    firn_buf_clear(&s->buf);
    s->given = full;
    *chunk = firn_buf_bytes(&s->given);
}

firn_rc firn_http_stream_next(firn_http_stream *s, int wait_ms, firn_bytes *chunk,
                              firn_http_stream_state *state, firn_err *err)
{
    int64_t until_us = firn_monotonic_us() + (int64_t)wait_ms * INT64_C(1000);
    *chunk = (firn_bytes){0};
    for (;;) {
        if (s->buf.len > 0) {
            give(s, chunk);
            *state = FIRN_HTTP_STREAM_DATA;
            return FIRN_OK;
        }
        if (s->over) {
            *state = FIRN_HTTP_STREAM_END;
            return s->code == CURLE_OK ? FIRN_OK : failed(s, err);
        }
        if (s->paused) {
            s->paused = false;
            curl_easy_pause(s->handle, CURLPAUSE_CONT); /* may call on_body at once */
        } else {
            perform(s);
        }
        if (s->buf.len > 0 || s->over || s->paused) {
            continue;
        }
        int64_t left_us = until_us - firn_monotonic_us();
        if (left_us <= 0) {
            *state = FIRN_HTTP_STREAM_QUIET;
            return FIRN_OK;
        }
        curl_multi_poll(s->multi, NULL, 0, (int)(left_us / 1000 + 1), NULL);
    }
}
