/* POST /v1/oauth/tokens: an OAuth2 client's id and secret for a token (client_credentials), or a token for a fresh one
 * (token-exchange, RFC 8693). Errors are in OAuth's form (RFC 6749, 5.2), which clients parse here and nowhere else.
 *
 * A token that has expired is exchanged only for who shows the client's credential with it (Basic), as the Java library does.
 */
#include "auth.h"
#include "handlers.h"
#include "jwt.h"

#include <strings.h>

#define ACCESS_TOKEN "urn:ietf:params:oauth:token-type:access_token"
#define EXCHANGE     "urn:ietf:params:oauth:grant-type:token-exchange"

static firn_rc oauth_error(firn_call *call, int status, const char *code, const char *description)
{
    firn_reply_json(call, status,
                    json_pack("{s:s, s:s}", "error", code, "error_description", description));
    firn_reply_header(call, "Cache-Control", "no-store");
    if (status == 401) {
        firn_reply_header(call, "WWW-Authenticate", "Basic realm=\"firn\"");
    }
    return FIRN_OK;
}

static firn_rc give_token(firn_call *call, const firn_principal *to, const char *form)
{
    int64_t lifetime_s;
    const char *token = firn_auth_issue(call->server->auth, call->arena, to, &lifetime_s);
    const char *scope = firn_query_value(call->arena, form, "scope");
    json_t *body =
        json_pack("{s:s, s:s, s:I, s:s}", "access_token", token, "token_type", "bearer",
                  "expires_in", (json_int_t)lifetime_s, "issued_token_type", ACCESS_TOKEN);
    json_t *granted = scope && scope[0] ? json_string(scope) : NULL;
    if (granted) {
        json_object_set_new(body, "scope", granted);
    }
    firn_reply_json(call, 200, body);
    firn_reply_header(call, "Cache-Control", "no-store");
    return FIRN_OK;
}

/* id and secret of "Authorization: Basic", both percent-decoded as RFC 6749, 2.3.1 says. */
static bool basic_credential(firn_call *call, const char **id, const char **secret)
{
    const char *header = firn_auth_header(call->request, "Basic");
    firn_bytes bytes;
    if (!header || !firn_base64_decode(call->arena, header, strlen(header), &bytes)) {
        return false;
    }
    char *text = firn_arena_strndup(call->arena, (const char *)bytes.data, bytes.len);
    char *colon = strchr(text, ':');
    if (!colon) {
        return false;
    }
    *colon = '\0';
    *id = text;
    *secret = colon + 1;
    return true;
}

static const firn_principal *client_of(firn_call *call, const char *form)
{
    const char *id = firn_query_value(call->arena, form, "client_id");
    const char *secret = firn_query_value(call->arena, form, "client_secret");
    if (!secret && !basic_credential(call, &id, &secret)) {
        return NULL;
    }
    return firn_auth_client(call->server->auth, id, secret);
}

static firn_rc exchange(firn_call *call, const char *form)
{
    const firn_auth *auth = call->server->auth;
    const char *subject = firn_query_value(call->arena, form, "subject_token");
    if (!subject) {
        return oauth_error(call, 400, "invalid_request", "the form has no subject_token");
    }
    const firn_principal *client = client_of(call, form);
    const firn_principal *p = firn_auth_token(auth, call->arena, subject, client != NULL);
    const firn_principal *fresh = firn_auth_token(auth, call->arena, subject, false);
    if (!p || (p != fresh && p != client)) {
        return oauth_error(call, 400, "invalid_grant",
                           "the subject_token was not given here, or has expired");
    }
    return give_token(call, p, form);
}

firn_rc firn_rest_oauth_token(firn_call *call, firn_err *err)
{
    (void)err;
    const char *type = firn_http_request_header(call->request, "Content-Type");
    const char *form = (const char *)call->request->body.data;
    if (!firn_auth_is_on(call->server->auth)) {
        return oauth_error(call, 400, "invalid_request",
                           "this server has no authentication: leave out `credential` and `token`");
    }
    if (call->request->body.len == 0 || call->request->body.len > 16384 ||
        (type && strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)) {
        return oauth_error(call, 400, "invalid_request",
                           "the body must be a form (application/x-www-form-urlencoded)");
    }
    const char *grant = firn_query_value(call->arena, form, "grant_type");
    if (grant && firn_streq(grant, EXCHANGE)) {
        return exchange(call, form);
    }
    if (!grant || !firn_streq(grant, "client_credentials")) {
        return oauth_error(call, 400, "unsupported_grant_type",
                           "grant_type must be client_credentials or " EXCHANGE);
    }
    const firn_principal *client = client_of(call, form);
    if (!client) {
        return oauth_error(call, 401, "invalid_client", "client_id and client_secret do not match");
    }
    return give_token(call, client, form);
}
