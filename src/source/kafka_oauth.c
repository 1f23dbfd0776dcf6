/* Tokens for OAUTHBEARER by OpenID Connect's client credentials (RFC 6749, 4.4). librdkafka can do it by itself only where it was
 * built with libcurl, which Debian's is not; so it asks us, and we have an HTTP client.
 *
 * librdkafka asks for the first token when a client is made, and again when four fifths of a token's life are over; after a failure
 * it asks every ten seconds. The asking happens on its background thread: a slow provider delays logins, not polls.
 */
#include "kafka_private.h"

#include "base/log.h"
#include "base/time.h"
#include "net/http.h"
#include "net/http_client.h"

#include <stdlib.h>

struct firn_kafka_oauth {
    const firn_kafka_options *options;
    firn_http_client *http;
};

enum { LIFE_S_DEFAULT = 300, LIFE_S_MAX = 30 * 24 * 3600, REPLY_BYTES_MAX = 1 << 20 };

firn_rc firn_kafka_oauth_new(const firn_kafka_options *options, firn_kafka_oauth **out,
                             firn_err *err)
{
    if (options->oauth_url == NULL) {
        return FIRN_OK;
    }
    firn_kafka_oauth *oauth = firn_calloc(1, sizeof(*oauth));
    oauth->options = options;
    const firn_http_options http = {.total_timeout_ms = 15000,
                                    .retries_max = 2,
                                    .retry_wait_ms_max = 2000,
                                    .response_bytes_max = REPLY_BYTES_MAX};
    firn_rc rc = firn_http_client_new(&http, &oauth->http, err);
    if (rc != FIRN_OK) {
        free(oauth);
        return rc;
    }
    *out = oauth;
    return FIRN_OK;
}

void firn_kafka_oauth_free(firn_kafka_oauth *oauth)
{
    if (oauth != NULL) {
        firn_http_client_free(oauth->http);
        free(oauth);
    }
}

static const char *form_of(firn_arena *arena, const firn_kafka_options *o)
{
    return o->oauth_scope == NULL
               ? "grant_type=client_credentials"
               : firn_arena_printf(arena, "grant_type=client_credentials&scope=%s",
                                   firn_url_encode(arena, o->oauth_scope));
}

/* RFC 4648, 4. */
static char *base64(firn_arena *arena, const char *text)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text);
    char *out = firn_arena_alloc(arena, len / 3 * 4 + 5), *to = out;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)(uint8_t)text[i] << 16;
        bits |= i + 1 < len ? (uint32_t)(uint8_t)text[i + 1] << 8 : 0;
        bits |= i + 2 < len ? (uint32_t)(uint8_t)text[i + 2] : 0;
        *to++ = DIGITS[bits >> 18];
        *to++ = DIGITS[bits >> 12 & 63];
        *to++ = i + 1 < len ? DIGITS[bits >> 6 & 63] : '=';
        *to++ = i + 2 < len ? DIGITS[bits & 63] : '=';
    }
    *to = '\0';
    return out;
}

/* Basic authentication is what every provider must take (2.3.1); id and secret are form-encoded within. */
static const char *login_of(firn_arena *arena, const firn_kafka_options *o)
{
    const char *pair = firn_arena_printf(arena, "%s:%s", firn_url_encode(arena, o->oauth_client),
                                         firn_url_encode(arena, o->oauth_secret));
    return firn_arena_printf(arena, "Basic %s", base64(arena, pair));
}

typedef struct token {
    const char *text;
    int64_t life_s;
} token;

/* Of a refusal only the status is told: providers repeat what they were sent. */
static firn_rc fetch(const firn_kafka_oauth *oauth, firn_arena *arena, token *out, firn_err *err)
{
    const char *url = firn_url_for_message(arena, oauth->options->oauth_url);
    const firn_http_header headers[] = {{"Content-Type", "application/x-www-form-urlencoded"},
                                        {"Accept", "application/json"},
                                        {"Authorization", login_of(arena, oauth->options)}};
    firn_http_reply reply = {0};
    FIRN_TRY(firn_http_do(
        oauth->http, arena,
        &(firn_http_call){.method = "POST",
                          .url = oauth->options->oauth_url,
                          .headers = headers,
                          .n_headers = 3,
                          .body = firn_bytes_str(form_of(arena, oauth->options)),
                          .idempotent = true}, /* a token that got lost on the way harms nobody */
        &reply, err));
    if (reply.status != 200) {
        FIRN_FAIL(err, FIRN_E_PERMISSION,
                  "the token endpoint %s gave no token (HTTP %d): check oauth_client, oauth_secret "
                  "and oauth_scope",
                  url, reply.status);
    }
    json_t *json;
    if (firn_json_parse(arena, reply.body, "answer of the token endpoint", &json, NULL) !=
        FIRN_OK) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the answer of the token endpoint %s is not JSON", url);
    }
    out->text = json_string_value(json_object_get(json, "access_token"));
    if (out->text == NULL) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the answer of the token endpoint %s has no access_token",
                  url);
    }
    const json_t *life = json_object_get(json, "expires_in");
    double seconds = json_is_number(life) ? json_number_value(life) : LIFE_S_DEFAULT;
    out->life_s = seconds < 1 ? 1 : seconds > LIFE_S_MAX ? LIFE_S_MAX : (int64_t)seconds;
    return FIRN_OK;
}

void firn_kafka_oauth_refresh(firn_kafka_oauth *oauth, rd_kafka_t *rk)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    token got = {0};
    firn_err err = {0};
    char why[FIRN_ERR_MESSAGE_BYTES] = "";
    if (fetch(oauth, arena, &got, &err) != FIRN_OK) {
        snprintf(why, sizeof(why), "%s", err.message);
    } else if (rd_kafka_oauthbearer_set_token(rk, got.text, firn_now_ms() + got.life_s * 1000,
                                              oauth->options->oauth_client, NULL, 0, why,
                                              sizeof(why)) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    firn_log(FIRN_LOG_WARN, "kafka", "%s", why);
    rd_kafka_oauthbearer_set_token_failure(rk, why[0] != '\0' ? why : "no token");
}
