/* Who the client is: bearer tokens, OAuth2 client credentials (RFC 6749, 4.4), AWS signatures.
 *
 * A token is fetched at the first call, again when four fifths of its life are over (or a minute before its end, if that is
 * later), and after a 401. The fetch holds no lock: one thread fetches, the others go on with the old token while it is
 * good, and wait when it is not.
 */
#include "client.h"

#include "base/json.h"
#include "base/time.h"
#include "net/http.h"
#include "sigv4.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { EXPIRES_IN_DEFAULT_S = 3600, EXPIRES_IN_MAX_S = 365 * 24 * 3600, MARGIN_S = 60 };

#define US_PER_S INT64_C(1000000)

firn_rc firn_http_auth_check(const firn_http_auth *auth, firn_err *err)
{
    const char *missing = NULL;
    switch (auth->kind) {
    case FIRN_HTTP_AUTH_NONE: break;
    case FIRN_HTTP_AUTH_BEARER: missing = auth->token ? NULL : "a token"; break;
    case FIRN_HTTP_AUTH_BASIC:
        missing = !auth->username ? "a user name" : !auth->password ? "a password" : NULL;
        break;
    case FIRN_HTTP_AUTH_OAUTH2:
        missing = !auth->token_url       ? "the token endpoint's URL"
                  : !auth->client_secret ? "the client's secret"
                                         : NULL;
        break;
    case FIRN_HTTP_AUTH_SIGV4:
        missing = !auth->region       ? "a region"
                  : !auth->service    ? "a service name"
                  : !auth->access_key ? "an access key"
                  : !auth->secret_key ? "a secret key"
                                      : NULL;
        break;
    }
    if (missing) {
        FIRN_FAIL(err, FIRN_E_INVALID, "authentication needs %s", missing);
    }
    return FIRN_OK;
}

/* ---- the token endpoint ----------------------------------------------------------------------- */

static const char *token_form(firn_arena *arena, const firn_http_auth *auth)
{
    FIRN_AUTO_BUF firn_buf form = {0};
    firn_buf_puts(&form, "grant_type=client_credentials");
    const char *pairs[][2] = {{"client_id", auth->client_id},
                              {"client_secret", auth->client_secret},
                              {"scope", auth->scope}};
    for (size_t i = 0; i < 3; i++) {
        if (pairs[i][1] && pairs[i][1][0]) {
            firn_buf_printf(&form, "&%s=%s", pairs[i][0], firn_url_encode(arena, pairs[i][1]));
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&form));
}

/* "invalid_client: no such client", from a reply that may be anything. */
static const char *refusal_text(firn_arena *arena, const firn_http_reply *reply)
{
    json_t *json = NULL;
    if (firn_json_parse(arena, reply->body, "answer", &json, NULL) != FIRN_OK) {
        return firn_arena_printf(arena, "HTTP %d", reply->status);
    }
    const json_t *error = json_object_get(json, "error");
    const char *code = json_string_value(error);
    const char *text = json_string_value(json_object_get(json, "error_description"));
    text = text ? text : json_string_value(json_object_get(error, "message"));
    return firn_arena_printf(arena, "HTTP %d%s%s%s%s", reply->status, code ? ", " : "",
                             code ? code : "", text ? ": " : "", text ? text : "");
}

typedef struct fetched {
    const char *token;
    int64_t expires_in_s;
} fetched;

static firn_rc parse_token(firn_arena *arena, const firn_http_reply *reply, const char *url,
                           fetched *out, firn_err *err)
{
    json_t *json;
    const char *what = firn_arena_printf(arena, "answer of the token endpoint %s", url);
    /* Without the parser's words, which quote what they stumble over. */
    if (firn_json_parse(arena, reply->body, what, &json, NULL) != FIRN_OK) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the %s is not JSON", what);
    }
    FIRN_TRY(firn_json_str(json, "access_token", what, &out->token, err));
    const json_t *expires = json_object_get(json, "expires_in");
    double seconds = json_is_number(expires) ? json_number_value(expires) : EXPIRES_IN_DEFAULT_S;
    out->expires_in_s = seconds < 0                  ? 0
                        : seconds > EXPIRES_IN_MAX_S ? EXPIRES_IN_MAX_S
                                                     : (int64_t)seconds;
    return FIRN_OK;
}

static firn_rc fetch_token(firn_http_client *client, firn_arena *arena, fetched *out, firn_err *err)
{
    const firn_http_auth *auth = &client->options.auth;
    const char *url = firn_url_for_message(arena, auth->token_url);
    const firn_http_header headers[] = {{"Content-Type", "application/x-www-form-urlencoded"},
                                        {"Accept", "application/json"}};
    const firn_http_call call = {
        .method = "POST",
        .url = auth->token_url,
        .headers = headers,
        .n_headers = 2,
        .body = firn_bytes_str(token_form(arena, auth)),
        .idempotent = true, /* a token that got lost on the way harms nobody */
    };
    firn_http_reply reply = {0};
    FIRN_TRY(firn_http_do_plain(client, arena, &call, &reply, err));
    if (reply.status >= 200 && reply.status < 300) {
        return parse_token(arena, &reply, url, out, err);
    }
    const char *text = firn_http_redact(client, arena, refusal_text(arena, &reply));
    if (reply.status >= 400 && reply.status < 500 && reply.status != 429) {
        FIRN_FAIL(err, FIRN_E_PERMISSION,
                  "the token endpoint %s refused the client credentials (%s): check the client id, "
                  "its secret and the scope",
                  url, text);
    }
    FIRN_FAIL(err, FIRN_E_IO, "the token endpoint %s gave no token (%s)", url, text);
}

/* ---- the token -------------------------------------------------------------------------------- */

/* @locks client->lock */
static bool is_good(const firn_http_client *client, int64_t now_us)
{
    return client->token && now_us < client->expires_at_us;
}

/* @locks client->lock */
static void keep_token(firn_http_client *client, const fetched *f, int64_t now_us)
{
    int64_t margin = f->expires_in_s / 5 < MARGIN_S ? f->expires_in_s / 5 : MARGIN_S;
    free(client->token);
    client->token = firn_strdup(f->token);
    client->version++;
    client->expires_at_us = now_us + f->expires_in_s * US_PER_S;
    client->refresh_at_us = client->expires_at_us - margin * US_PER_S;
}

static firn_rc token_of(firn_http_client *client, firn_arena *arena, char **out, uint64_t *version,
                        firn_err *err)
{
    pthread_mutex_lock(&client->lock);
    while (client->fetching && !is_good(client, firn_monotonic_us())) {
        pthread_cond_wait(&client->token_changed, &client->lock);
    }
    bool due = !client->token || firn_monotonic_us() >= client->refresh_at_us;
    bool mine = due && !client->fetching;
    client->fetching = client->fetching || mine;
    pthread_mutex_unlock(&client->lock);

    firn_rc rc = FIRN_OK;
    fetched f = {0};
    if (mine) {
        rc = fetch_token(client, arena, &f, err);
    }
    pthread_mutex_lock(&client->lock);
    if (mine) {
        client->fetching = false;
        pthread_cond_broadcast(&client->token_changed);
    }
    int64_t now_us = firn_monotonic_us();
    if (mine && rc == FIRN_OK) {
        keep_token(client, &f, now_us);
    }
    /* A token that lives on outlasts a token endpoint that is away. */
    if (rc != FIRN_OK && rc != FIRN_E_PERMISSION && is_good(client, now_us)) {
        firn_err_clear(err);
        rc = FIRN_OK;
    }
    if (rc == FIRN_OK) {
        *out = firn_arena_strdup(arena, client->token);
        *version = client->version;
    }
    pthread_mutex_unlock(&client->lock);
    return rc;
}

bool firn_http_auth_refused(firn_http_client *client, uint64_t version)
{
    if (client->options.auth.kind != FIRN_HTTP_AUTH_OAUTH2) {
        return false;
    }
    pthread_mutex_lock(&client->lock);
    if (client->version == version) {
        client->expires_at_us = client->refresh_at_us = 0;
    }
    pthread_mutex_unlock(&client->lock);
    return true;
}

/* ---- headers ---------------------------------------------------------------------------------- */

static firn_http_header bearer(firn_arena *arena, const char *token)
{
    return (firn_http_header){"Authorization", firn_arena_printf(arena, "Bearer %s", token)};
}

/* RFC 7617 */
static firn_http_header basic(firn_arena *arena, const firn_http_auth *auth)
{
    const char *pair = firn_arena_printf(arena, "%s:%s", auth->username, auth->password);
    size_t len = strlen(pair);
    char *text = firn_arena_alloc(arena, (len + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)pair, (int)len);
    return (firn_http_header){"Authorization", firn_arena_printf(arena, "Basic %s", text)};
}

firn_rc firn_http_auth_headers(firn_http_client *client, firn_arena *arena,
                               const firn_http_call *call, firn_http_header headers[4], size_t *n,
                               uint64_t *version, firn_err *err)
{
    const firn_http_auth *auth = &client->options.auth;
    char *token = NULL;
    *n = 0;
    *version = 0;
    switch (auth->kind) {
    case FIRN_HTTP_AUTH_NONE: break;
    case FIRN_HTTP_AUTH_BEARER: headers[(*n)++] = bearer(arena, auth->token); break;
    case FIRN_HTTP_AUTH_BASIC: headers[(*n)++] = basic(arena, auth); break;
    case FIRN_HTTP_AUTH_OAUTH2:
        FIRN_TRY(token_of(client, arena, &token, version, err));
        headers[(*n)++] = bearer(arena, token);
        break;
    case FIRN_HTTP_AUTH_SIGV4: {
        const firn_sigv4_request request = {
            .method = call->method, .url = call->url, .body = call->body, .time_us = firn_now_us()};
        return firn_sigv4_sign(arena, auth, &request, headers, n, err);
    }
    }
    return FIRN_OK;
}

/* ---- keeping secrets -------------------------------------------------------------------------- */

char *firn_http_redact(const firn_http_client *client, firn_arena *arena, const char *text)
{
    enum { WORTH_HIDING_BYTES = 4 };
    const firn_http_auth *auth = &client->options.auth;
    pthread_mutex_t *lock = (pthread_mutex_t *)&client->lock;
    pthread_mutex_lock(lock);
    const char *fetched_token = firn_arena_strdup(arena, client->token);
    pthread_mutex_unlock(lock);
    const char *secrets[] = {auth->token,      auth->password,      auth->client_secret,
                             auth->secret_key, auth->session_token, fetched_token};
    char *out = firn_arena_strdup(arena, text);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (secrets[i] && strlen(secrets[i]) >= WORTH_HIDING_BYTES) {
            out = firn_str_replace(arena, out, secrets[i], "***");
        }
    }
    return out;
}
