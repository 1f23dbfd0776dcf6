/* HTTP client over libcurl: one easy handle per call in flight, kept afterwards with its connections.
 *
 * Invariants:
 *   1. A request that is not idempotent goes over a new connection. libcurl sends a request again by itself when a reused
 *      connection turns out dead before any answer, and "dead" may mean that the server did what it was asked and fell.
 *   2. A request is sent again only if it was certainly not sent, is idempotent, or was answered with 429 or with a
 *      refused token.
 *   3. Nothing of a reply is kept beyond the bound, whatever its headers promise.
 */
#include "easy.h"

#include "base/buf.h"

#include <stdlib.h>

enum {
    CONNECT_TIMEOUT_MS = 10 * 1000,
    TOTAL_TIMEOUT_MS = 60 * 1000,
    RETRIES_MAX = 4,
    RETRY_WAIT_MS_MIN = 100,
    RETRY_WAIT_MS_MAX = 20 * 1000,
    RESPONSE_BYTES_MAX = 256 << 20,
};

/* ---- the client ------------------------------------------------------------------------------- */

static void init_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        abort();
    }
}

static firn_http_auth copy_auth(firn_arena *arena, const firn_http_auth *auth)
{
    return (firn_http_auth){
        .kind = auth->kind,
        .token = firn_arena_strdup(arena, auth->token),
        .username = firn_arena_strdup(arena, auth->username),
        .password = firn_arena_strdup(arena, auth->password),
        .token_url = firn_arena_strdup(arena, auth->token_url),
        .client_id = firn_arena_strdup(arena, auth->client_id),
        .client_secret = firn_arena_strdup(arena, auth->client_secret),
        .scope = firn_arena_strdup(arena, auth->scope),
        .region = firn_arena_strdup(arena, auth->region),
        .service = firn_arena_strdup(arena, auth->service),
        .access_key = firn_arena_strdup(arena, auth->access_key),
        .secret_key = firn_arena_strdup(arena, auth->secret_key),
        .session_token = firn_arena_strdup(arena, auth->session_token),
    };
}

static int or_default(int value, int def)
{
    return value != 0 ? value : def;
}

firn_rc firn_http_client_new(const firn_http_options *options, firn_http_client **out,
                             firn_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    FIRN_TRY(firn_http_auth_check(&options->auth, err));
    firn_http_client *client = firn_calloc(1, sizeof(*client));
    client->arena = firn_arena_new();
    client->options = (firn_http_options){
        .connect_timeout_ms = or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS),
        .total_timeout_ms = or_default(options->total_timeout_ms, TOTAL_TIMEOUT_MS),
        .response_bytes_max =
            options->response_bytes_max > 0 ? options->response_bytes_max : RESPONSE_BYTES_MAX,
        .ca_file = firn_arena_strdup(client->arena, options->ca_file),
        .cert_file = firn_arena_strdup(client->arena, options->cert_file),
        .key_file = firn_arena_strdup(client->arena, options->key_file),
        .user_agent = firn_arena_strdup(client->arena, options->user_agent ? options->user_agent
                                                                           : "firn/" FIRN_VERSION),
        .retries_max = or_default(options->retries_max, RETRIES_MAX),
        .retry_wait_ms_min = or_default(options->retry_wait_ms_min, RETRY_WAIT_MS_MIN),
        .retry_wait_ms_max = or_default(options->retry_wait_ms_max, RETRY_WAIT_MS_MAX),
        .auth = copy_auth(client->arena, &options->auth),
    };
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->token_changed, NULL);
    *out = client;
    return FIRN_OK;
}

void firn_http_client_free(firn_http_client *client)
{
    if (!client) {
        return;
    }
    for (size_t i = 0; i < client->n_idle; i++) {
        curl_easy_cleanup(client->idle[i]);
    }
    pthread_cond_destroy(&client->token_changed);
    pthread_mutex_destroy(&client->lock);
    free(client->token);
    firn_arena_free(client->arena);
    free(client);
}

static CURL *take_handle(firn_http_client *client)
{
    pthread_mutex_lock(&client->lock);
    CURL *handle = client->n_idle > 0 ? client->idle[--client->n_idle] : NULL;
    pthread_mutex_unlock(&client->lock);
    if (!handle) {
        handle = curl_easy_init();
    }
    if (!handle) {
        abort(); /* only without memory */
    }
    return handle;
}

static void give_back(firn_http_client *client, CURL *handle)
{
    curl_easy_reset(handle); /* keeps connections and TLS sessions */
    pthread_mutex_lock(&client->lock);
    bool kept = client->n_idle < FIRN_HTTP_IDLE_MAX;
    if (kept) {
        client->idle[client->n_idle++] = handle;
    }
    pthread_mutex_unlock(&client->lock);
    if (!kept) {
        curl_easy_cleanup(handle);
    }
}

/* ---- one attempt ------------------------------------------------------------------------------ */

typedef struct receipt {
    firn_http_head head;
    firn_buf body;
    bool too_large;
} receipt;

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    receipt *r = ctx;
    firn_buf_append(&r->body, data, size * n);
    r->too_large = r->body.overflow;
    return r->too_large ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    receipt *r = ctx;
    r->too_large = !firn_http_head_add(&r->head, data, size * n);
    return r->too_large ? 0 : size * n;
}

static void set_up_receipt(CURL *handle, const firn_http_client *client, receipt *r)
{
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)client->options.total_timeout_ms);
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, r);
}

static firn_rc too_large(const firn_http_client *client, firn_arena *arena,
                         const firn_http_call *call, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_LIMIT,
              "%s %s: the answer is larger than %zu bytes (or its headers than %d)", call->method,
              firn_url_for_message(arena, call->url), client->options.response_bytes_max,
              FIRN_HTTP_HEADER_BYTES_MAX);
}

firn_rc firn_http_attempt_once(firn_http_client *client, firn_arena *arena,
                               const firn_http_call *call, firn_http_reply *out,
                               firn_http_attempt *attempt, firn_err *err)
{
    *attempt = (firn_http_attempt){0};
    FIRN_TRY(firn_http_call_check(arena, call, err));
    receipt r = {.head.arena = arena};
    firn_buf_init(&r.body, client->options.response_bytes_max);
    char error[CURL_ERROR_SIZE] = "";
    CURL *handle = take_handle(client);
    struct curl_slist *headers = firn_http_header_list(arena, call);
    firn_http_set_up(handle, client, call, headers, error);
    set_up_receipt(handle, client, &r);

    CURLcode code = curl_easy_perform(handle);
    long status = 0, request_bytes = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &request_bytes);
    attempt->sent = request_bytes > 0;
    attempt->retry_after_ms = firn_http_retry_after_ms(handle);
    give_back(client, handle);
    curl_slist_free_all(headers);

    firn_rc rc = FIRN_OK;
    if (code == CURLE_OK) {
        *out = (firn_http_reply){
            .status = (int)status,
            .headers = r.head.headers.items,
            .n_headers = r.head.headers.len,
            .body = firn_bytes_of(firn_arena_memdup(arena, firn_buf_cstr(&r.body), r.body.len + 1),
                                  r.body.len),
        };
    } else if (r.too_large) {
        rc = too_large(client, arena, call, err);
    } else {
        rc = firn_http_failed(client, arena, call, code, error, err);
    }
    firn_buf_deinit(&r.body);
    return rc;
}

/* ---- retries ---------------------------------------------------------------------------------- */

firn_rc firn_http_do_plain(firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                           firn_http_reply *out, firn_err *err)
{
    const firn_http_options *o = &client->options;
    bool sent = false;
    for (int tries = 0;; tries++) {
        firn_http_attempt attempt;
        firn_err detail = {0};
        firn_rc rc = firn_http_attempt_once(client, arena, call, out, &attempt, &detail);
        sent = sent || attempt.sent;
        out->maybe_sent = sent;
        bool again = firn_http_is_worth_retrying(call, rc, out->status, attempt.sent) &&
                     tries < o->retries_max && attempt.retry_after_ms <= o->retry_wait_ms_max;
        if (again) {
            firn_http_wait_to_retry(client, tries, attempt.retry_after_ms);
            continue;
        }
        if (rc != FIRN_OK && rc != FIRN_E_INVALID && attempt.sent &&
            !firn_http_is_idempotent(call)) {
            FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME, "%s (the request was sent, its answer is lost)",
                      detail.message);
        }
        if (rc != FIRN_OK && err) {
            *err = detail;
        }
        return rc;
    }
}

firn_rc firn_http_sign(firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                       firn_http_call *out, uint64_t *version, firn_err *err)
{
    enum { AUTH_HEADERS_MAX = 4 };
    size_t n_auth;
    firn_http_header *headers =
        FIRN_NEW_N(arena, firn_http_header, call->n_headers + AUTH_HEADERS_MAX);
    FIRN_TRY(firn_http_auth_headers(client, arena, call, headers, &n_auth, version, err));
    for (size_t i = 0; i < call->n_headers; i++) {
        headers[n_auth + i] = call->headers[i];
    }
    *out = *call;
    out->headers = headers;
    out->n_headers = n_auth + call->n_headers;
    return FIRN_OK;
}

bool firn_http_is_refused_token(firn_http_client *client, int status, uint64_t version)
{
    enum { UNAUTHORIZED = 401, AUTHENTICATION_TIMEOUT = 419 };
    return (status == UNAUTHORIZED || status == AUTHENTICATION_TIMEOUT) &&
           firn_http_auth_refused(client, version);
}

firn_rc firn_http_do(firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                     firn_http_reply *out, firn_err *err)
{
    *out = (firn_http_reply){0};
    for (bool again = true;; again = false) {
        uint64_t version;
        firn_http_call signed_call;
        FIRN_TRY(firn_http_sign(client, arena, call, &signed_call, &version, err));
        FIRN_TRY(firn_http_do_plain(client, arena, &signed_call, out, err));
        if (!again || !firn_http_is_refused_token(client, out->status, version)) {
            return FIRN_OK;
        }
    }
}

/* ---- words ------------------------------------------------------------------------------------ */

const char *firn_http_reply_header(const firn_http_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++) {
        if (firn_strcaseeq(reply->headers[i].name, name)) {
            return reply->headers[i].value;
        }
    }
    return NULL;
}

char *firn_url_for_message(firn_arena *arena, const char *url)
{
    char *text = firn_arena_strndup(arena, url, strcspn(url, "?#"));
    char *host = strstr(text, "://");
    if (host) {
        host += 3;
        char *at = memchr(host, '@', strcspn(host, "/"));
        if (at) {
            memmove(host, at + 1, strlen(at + 1) + 1);
        }
    }
    for (char *c = text; *c; c++) {
        if ((*c >= 0 && *c < ' ') || *c == 0x7f) {
            *c = '?';
        }
    }
    return text;
}
