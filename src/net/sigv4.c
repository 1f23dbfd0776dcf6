/* AWS Signature Version 4.
 *
 *   canonical request = method \n path \n query \n header lines \n \n signed header names \n hex(sha256(body))
 *   string to sign    = "AWS4-HMAC-SHA256" \n time \n date/region/service/aws4_request \n hex(sha256(canonical request))
 *   key               = HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request")
 *
 * Each segment of the path is percent-encoded once more than it is on the wire, except for S3. Query parameters are
 * sorted by name, then value.
 */
#include "sigv4.h"

#include "base/time.h"
#include "base/vec.h"
#include "net/http.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { SHA256_BYTES = 32 };

static char *sha256_hex(firn_arena *arena, firn_bytes data)
{
    uint8_t digest[SHA256_BYTES];
    unsigned len = sizeof(digest);
    if (EVP_Digest(data.data ? data.data : (const uint8_t *)"", data.len, digest, &len,
                   EVP_sha256(), NULL) != 1) {
        abort(); /* only without memory */
    }
    return firn_hex(arena, firn_bytes_of(digest, sizeof(digest)));
}

static void hmac(const void *key, size_t key_len, const char *text, uint8_t out[SHA256_BYTES])
{
    unsigned len = SHA256_BYTES;
    if (!HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text, strlen(text), out, &len)) {
        abort();
    }
}

char *firn_sigv4_signature(firn_arena *arena, const char *secret_key, const char *date,
                           const char *region, const char *service, const char *string_to_sign)
{
    char *first = firn_arena_printf(arena, "AWS4%s", secret_key);
    uint8_t a[SHA256_BYTES], b[SHA256_BYTES];
    hmac(first, strlen(first), date, a);
    hmac(a, sizeof(a), region, b);
    hmac(b, sizeof(b), service, a);
    hmac(a, sizeof(a), "aws4_request", b);
    hmac(b, sizeof(b), string_to_sign, a);
    return firn_hex(arena, firn_bytes_of(a, sizeof(a)));
}

char *firn_sigv4_canonical_path(firn_arena *arena, const char *path, bool encode_again)
{
    if (path[0] == '\0') {
        return firn_arena_strdup(arena, "/");
    }
    if (!encode_again) {
        return firn_arena_strdup(arena, path);
    }
    size_t n;
    char **parts = firn_str_split(arena, path, '/', &n);
    for (size_t i = 0; i < n; i++) {
        parts[i] = firn_url_encode(arena, parts[i]);
    }
    return firn_str_join(arena, (const char *const *)parts, n, "/");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Encoded anew, so that "+" and "%2b" come out alike; sorted. */
char *firn_sigv4_canonical_query(firn_arena *arena, const char *query)
{
    FIRN_VEC(char *) pairs = {0};
    while (query && *query) {
        size_t len = strcspn(query, "&");
        size_t key_len = strcspn(query, "=&");
        size_t value_at = key_len < len ? key_len + 1 : len;
        char *key = firn_url_decode(arena, query, key_len, true);
        char *value = firn_url_decode(arena, query + value_at, len - value_at, true);
        if (len > 0 && key && value) {
            /* 0x01 sorts before all that an encoded name holds, as the end of a name must. */
            firn_vec_push(arena, &pairs,
                          firn_arena_printf(arena, "%s\x01%s", firn_url_encode(arena, key),
                                            firn_url_encode(arena, value)));
        }
        query += query[len] ? len + 1 : len;
    }
    if (pairs.len > 1) {
        qsort(pairs.items, pairs.len, sizeof(*pairs.items), by_text);
    }
    for (size_t i = 0; i < pairs.len; i++) {
        *strchr(pairs.items[i], '\x01') = '=';
    }
    return firn_str_join(arena, (const char *const *)pairs.items, pairs.len, "&");
}

/* "https://host:port/path?query" in its parts. */
static bool split_url(firn_arena *arena, const char *url, char **host, char **path, char **query)
{
    const char *start = strstr(url, "://");
    if (!start) {
        return false;
    }
    start += 3;
    size_t host_len = strcspn(start, "/?#");
    const char *at = memchr(start, '@', host_len);
    const char *host_start = at ? at + 1 : start;
    *host = firn_str_lower(
        arena, firn_arena_strndup(arena, host_start, (size_t)(start + host_len - host_start)));
    /* The port that goes without saying is not sent in the Host header. */
    const char *usual = firn_starts_with(url, "https:") ? ":443" : ":80";
    if (firn_ends_with(*host, usual)) {
        (*host)[strlen(*host) - strlen(usual)] = '\0';
    }
    start += host_len;
    size_t path_len = strcspn(start, "?#");
    *path = firn_arena_strndup(arena, start, path_len);
    start += path_len;
    *query = *start == '?' ? firn_arena_strndup(arena, start + 1, strcspn(start + 1, "#"))
                           : firn_arena_strdup(arena, "");
    return (*host)[0] != '\0';
}

firn_rc firn_sigv4_sign(firn_arena *arena, const firn_http_auth *auth,
                        const firn_sigv4_request *request, firn_http_header headers[4], size_t *n,
                        firn_err *err)
{
    char *host, *path, *query;
    firn_civil t;
    if (!split_url(arena, request->url, &host, &path, &query)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "\"%s\" is no URL",
                  firn_url_for_message(arena, request->url));
    }
    firn_civil_from_us(request->time_us, &t);
    char *time = firn_arena_printf(arena, "%04d%02d%02dT%02d%02d%02dZ", t.year, t.month, t.day,
                                   t.hour, t.minute, t.second);
    char *date = firn_arena_strndup(arena, time, 8);
    char *body_hash = sha256_hex(arena, request->body);
    const char *token = auth->session_token;
    char *lines = firn_arena_printf(
        arena, "host:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n%s%s%s", host, body_hash, time,
        token ? "x-amz-security-token:" : "", token ? token : "", token ? "\n" : "");
    const char *names = token ? "host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
                              : "host;x-amz-content-sha256;x-amz-date";
    char *canonical =
        firn_arena_printf(arena, "%s\n%s\n%s\n%s\n%s\n%s", request->method,
                          firn_sigv4_canonical_path(arena, path, !firn_streq(auth->service, "s3")),
                          firn_sigv4_canonical_query(arena, query), lines, names, body_hash);
    char *scope =
        firn_arena_printf(arena, "%s/%s/%s/aws4_request", date, auth->region, auth->service);
    char *to_sign = firn_arena_printf(arena, "AWS4-HMAC-SHA256\n%s\n%s\n%s", time, scope,
                                      sha256_hex(arena, firn_bytes_str(canonical)));
    char *signature =
        firn_sigv4_signature(arena, auth->secret_key, date, auth->region, auth->service, to_sign);
    *n = 0;
    headers[(*n)++] = (firn_http_header){"X-Amz-Date", time};
    headers[(*n)++] = (firn_http_header){"X-Amz-Content-Sha256", body_hash};
    if (token) {
        headers[(*n)++] = (firn_http_header){"X-Amz-Security-Token", token};
    }
    headers[(*n)++] = (firn_http_header){
        "Authorization",
        firn_arena_printf(arena,
                          "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                          auth->access_key, scope, names, signature)};
    return FIRN_OK;
}
