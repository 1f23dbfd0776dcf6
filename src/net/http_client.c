/* HTTP client over libcurl: one easy handle per call in flight, kept afterwards with its connections.
 *
 * Invariants:
 *   1. A request that is not idempotent goes over a new connection. libcurl sends a request again by itself when a reused
 *      connection turns out dead before any answer, and "dead" may mean that the server did what it was asked and fell.
 *   2. A request is sent again only if it was certainly not sent, is idempotent, or was answered with 429 or with a
 *      refused token.
 *   3. Nothing of a reply is kept beyond the bound, whatever its headers promise.
 */
#include "client.h"

#include "base/buf.h"
#include "base/time.h"
#include "base/uuid.h"
#include "base/vec.h"

#include <curl/curl.h>
#include <stdlib.h>

enum {
    CONNECT_TIMEOUT_MS = 10 * 1000,
    TOTAL_TIMEOUT_MS = 60 * 1000,
    RETRIES_MAX = 4,
    RETRY_WAIT_MS_MIN = 100,
    RETRY_WAIT_MS_MAX = 20 * 1000,
    RESPONSE_BYTES_MAX = 256 << 20,
    HEADER_BYTES_MAX = 256 << 10,
    CONNECTIONS_PER_HANDLE = 2,
    TOO_MANY_REQUESTS = 429,
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
    firn_arena *arena;
    firn_buf body;
    FIRN_VEC(firn_http_header) headers;
    size_t header_bytes;
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
    size_t len = size * n;
    r->header_bytes += len;
    if (r->header_bytes > HEADER_BYTES_MAX) {
        r->too_large = true;
        return 0;
    }
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        r->headers.len = 0; /* what came before was 100-continue or a proxy's */
        return len;
    }
    const char *colon = memchr(data, ':', len);
    if (colon) {
        firn_http_header header = {
            .name = firn_arena_strndup(r->arena, data, (size_t)(colon - data)),
            .value = firn_str_trim(r->arena, firn_arena_strndup(r->arena, colon + 1,
                                                                (size_t)(data + len - colon - 1))),
        };
        firn_vec_push(r->arena, &r->headers, header);
    }
    return len;
}

static bool has_control(const char *text, char lowest)
{
    for (; *text; text++) {
        if ((*text >= 0 && *text < lowest) || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static firn_rc check_call(firn_arena *arena, const firn_http_call *call, firn_err *err)
{
    if (has_control(call->url, '!')) {
        FIRN_FAIL(err, FIRN_E_INVALID, "\"%s\" is no URL: it holds a blank or a control character",
                  firn_url_for_message(arena, call->url));
    }
    for (size_t i = 0; i < call->n_headers; i++) {
        if (has_control(call->headers[i].name, '!') || has_control(call->headers[i].value, ' ')) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "HTTP header %zu holds a line break or another control "
                      "character",
                      i + 1);
        }
    }
    return FIRN_OK;
}

static struct curl_slist *header_list(firn_arena *arena, const firn_http_call *call)
{
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < call->n_headers; i++) {
        const firn_http_header *h = &call->headers[i];
        /* "Name;" is curl's way to send a header without a value. */
        list = curl_slist_append(list, h->value[0]
                                           ? firn_arena_printf(arena, "%s: %s", h->name, h->value)
                                           : firn_arena_printf(arena, "%s;", h->name));
    }
    return curl_slist_append(list, "Expect:");
}

static void set_method(CURL *handle, const firn_http_call *call)
{
    if (firn_streq(call->method, "HEAD")) {
        curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (firn_streq(call->method, "GET")) {
        curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
    } else {
        if (call->body.len > 0 || firn_streq(call->method, "POST")) {
            curl_easy_setopt(handle, CURLOPT_POSTFIELDS,
                             call->body.len > 0 ? (const char *)call->body.data : "");
            curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        }
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, call->method);
    }
}

static bool is_idempotent(const firn_http_call *call)
{
    return call->idempotent || firn_streq(call->method, "GET") || firn_streq(call->method, "HEAD");
}

static void set_up(CURL *handle, const firn_http_client *client, const firn_http_call *call,
                   receipt *r, struct curl_slist *headers, char *error)
{
    const firn_http_options *o = &client->options;
    curl_easy_setopt(handle, CURLOPT_URL, call->url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)o->total_timeout_ms);
    curl_easy_setopt(handle, CURLOPT_MAXCONNECTS, (long)CONNECTIONS_PER_HANDLE);
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, is_idempotent(call) ? 0L : 1L);
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(handle, CURLOPT_USERAGENT, o->user_agent);
    if (o->ca_file) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, o->ca_file);
    }
    if (o->cert_file) {
        curl_easy_setopt(handle, CURLOPT_SSLCERT, o->cert_file);
    }
    if (o->key_file) {
        curl_easy_setopt(handle, CURLOPT_SSLKEY, o->key_file);
    }
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
    set_method(handle, call);
}

static firn_rc failed(const firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                      CURLcode code, const char *detail, const receipt *r, firn_err *err)
{
    const char *url = firn_url_for_message(arena, call->url);
    if (r->too_large) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "%s %s: the answer is larger than %zu bytes (or its headers than %d)",
                  call->method, url, client->options.response_bytes_max, HEADER_BYTES_MAX);
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "\"%s\" is no http:// or https:// URL", url);
    }
    firn_err_set(err, __FILE__, __LINE__, FIRN_E_IO, "%s %s: %s", call->method, url,
                 detail[0] ? firn_http_redact(client, arena, detail) : curl_easy_strerror(code));
    if (err) {
        err->retriable = true;
    }
    return FIRN_E_IO;
}

firn_rc firn_http_attempt_once(firn_http_client *client, firn_arena *arena,
                               const firn_http_call *call, firn_http_reply *out,
                               firn_http_attempt *attempt, firn_err *err)
{
    *attempt = (firn_http_attempt){0};
    FIRN_TRY(check_call(arena, call, err));
    receipt r = {.arena = arena};
    firn_buf_init(&r.body, client->options.response_bytes_max);
    char error[CURL_ERROR_SIZE] = "";
    CURL *handle = take_handle(client);
    struct curl_slist *headers = header_list(arena, call);
    set_up(handle, client, call, &r, headers, error);

    CURLcode code = curl_easy_perform(handle);
    long status = 0, request_bytes = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after_s);
    give_back(client, handle);
    curl_slist_free_all(headers);

    attempt->sent = request_bytes > 0;
    attempt->retry_after_ms = retry_after_s < INT32_MAX ? retry_after_s * 1000 : INT64_MAX;
    firn_rc rc = FIRN_OK;
    if (code == CURLE_OK) {
        *out = (firn_http_reply){
            .status = (int)status,
            .headers = r.headers.items,
            .n_headers = r.headers.len,
            .body = firn_bytes_of(firn_arena_memdup(arena, firn_buf_cstr(&r.body), r.body.len + 1),
                                  r.body.len),
        };
    } else {
        rc = failed(client, arena, call, code, error, &r, err);
    }
    firn_buf_deinit(&r.body);
    return rc;
}

/* ---- retries ---------------------------------------------------------------------------------- */

/* Exponential with full jitter. */
static int64_t wait_ms(const firn_http_options *o, int attempt)
{
    int64_t limit = o->retry_wait_ms_min;
    for (int i = 0; i < attempt && limit < o->retry_wait_ms_max; i++) {
        limit *= 2;
    }
    limit = limit < o->retry_wait_ms_max ? limit : o->retry_wait_ms_max;
    return limit > 0 ? 1 + (int64_t)(firn_random_u64() % (uint64_t)limit) : 0;
}

static bool is_worth_retrying(const firn_http_call *call, firn_rc rc, int status, bool sent)
{
    if (rc == FIRN_OK) {
        return status == TOO_MANY_REQUESTS ||
               (is_idempotent(call) && status >= 502 && status <= 504);
    }
    return rc == FIRN_E_IO && (!sent || is_idempotent(call));
}

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
        bool again = is_worth_retrying(call, rc, out->status, attempt.sent) &&
                     tries < o->retries_max && attempt.retry_after_ms <= o->retry_wait_ms_max;
        if (again) {
            int64_t pause = wait_ms(o, tries);
            firn_sleep_ms(pause > attempt.retry_after_ms ? pause : attempt.retry_after_ms);
            continue;
        }
        if (rc != FIRN_OK && rc != FIRN_E_INVALID && attempt.sent && !is_idempotent(call)) {
            FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME, "%s (the request was sent, its answer is lost)",
                      detail.message);
        }
        if (rc != FIRN_OK && err) {
            *err = detail;
        }
        return rc;
    }
}

firn_rc firn_http_do(firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                     firn_http_reply *out, firn_err *err)
{
    enum { AUTH_HEADERS_MAX = 4, UNAUTHORIZED = 401, AUTHENTICATION_TIMEOUT = 419 };
    *out = (firn_http_reply){0};
    firn_http_header *headers =
        FIRN_NEW_N(arena, firn_http_header, call->n_headers + AUTH_HEADERS_MAX);
    for (bool again = true;; again = false) {
        uint64_t version;
        size_t n_auth;
        firn_http_call signed_call = *call;
        FIRN_TRY(firn_http_auth_headers(client, arena, call, headers, &n_auth, &version, err));
        for (size_t i = 0; i < call->n_headers; i++) {
            headers[n_auth + i] = call->headers[i];
        }
        signed_call.headers = headers;
        signed_call.n_headers = n_auth + call->n_headers;
        FIRN_TRY(firn_http_do_plain(client, arena, &signed_call, out, err));
        bool refused = out->status == UNAUTHORIZED || out->status == AUTHENTICATION_TIMEOUT;
        if (!refused || !again || !firn_http_auth_refused(client, version)) {
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
