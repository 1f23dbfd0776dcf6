/* Curl handles for the client's calls: checked, set up, explained; and when a call is sent again. */
#include "easy.h"

#include "base/time.h"
#include "base/uuid.h"

enum { CONNECTIONS_PER_HANDLE = 2 };

static bool has_control(const char *text, char lowest)
{
    for (; *text; text++) {
        if ((*text >= 0 && *text < lowest) || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

firn_rc firn_http_call_check(firn_arena *arena, const firn_http_call *call, firn_err *err)
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

bool firn_http_is_idempotent(const firn_http_call *call)
{
    return call->idempotent || firn_streq(call->method, "GET") || firn_streq(call->method, "HEAD");
}

struct curl_slist *firn_http_header_list(firn_arena *arena, const firn_http_call *call)
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

void firn_http_set_up(CURL *handle, const firn_http_client *client, const firn_http_call *call,
                      struct curl_slist *headers, char *error)
{
    const firn_http_options *o = &client->options;
    curl_easy_setopt(handle, CURLOPT_URL, call->url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    curl_easy_setopt(handle, CURLOPT_MAXCONNECTS, (long)CONNECTIONS_PER_HANDLE);
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, firn_http_is_idempotent(call) ? 0L : 1L);
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
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
    set_method(handle, call);
}

bool firn_http_head_add(firn_http_head *head, const char *data, size_t len)
{
    head->bytes += len;
    if (head->bytes > FIRN_HTTP_HEADER_BYTES_MAX) {
        return false;
    }
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        head->headers.len = 0; /* what came before was 100-continue or a proxy's */
        return true;
    }
    const char *colon = memchr(data, ':', len);
    if (colon) {
        const char *value =
            firn_arena_strndup(head->arena, colon + 1, (size_t)(data + len - colon - 1));
        firn_http_header header = {
            .name = firn_arena_strndup(head->arena, data, (size_t)(colon - data)),
            .value = firn_str_trim(head->arena, value),
        };
        firn_vec_push(head->arena, &head->headers, header);
    }
    return true;
}

firn_rc firn_http_failed(const firn_http_client *client, firn_arena *arena,
                         const firn_http_call *call, CURLcode code, const char *detail,
                         firn_err *err)
{
    const char *url = firn_url_for_message(arena, call->url);
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

bool firn_http_is_worth_retrying(const firn_http_call *call, firn_rc rc, int status, bool sent)
{
    if (rc == FIRN_OK) {
        return status == FIRN_HTTP_TOO_MANY_REQUESTS ||
               (firn_http_is_idempotent(call) && status >= 502 && status <= 504);
    }
    return rc == FIRN_E_IO && (!sent || firn_http_is_idempotent(call));
}

void firn_http_wait_to_retry(const firn_http_client *client, int tries, int64_t retry_after_ms)
{
    int64_t pause = wait_ms(&client->options, tries);
    firn_sleep_ms(pause > retry_after_ms ? pause : retry_after_ms);
}

int64_t firn_http_retry_after_ms(CURL *handle)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
    return seconds < INT32_MAX ? seconds * 1000 : INT64_MAX;
}
