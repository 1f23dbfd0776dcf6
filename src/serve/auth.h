/* Who may do what: static bearer tokens and OAuth2 clients, from firn.yaml (serve.auth, serve.tokens, serve.clients).
 *
 * A static token is a password that is sent with every request. An OAuth2 client trades id and secret for a token that expires: a
 * JWT signed (HMAC-SHA256) with the lake's own key, .firn/serve.secret, so that it outlives a restart. It names its principal and
 * a digest of the credential that it was given for; the role is looked up anew at every request. So taking somebody out of
 * firn.yaml, or changing their secret or role, holds from the next start on, whatever tokens are about.
 *
 * With serve.auth: none everybody is admin. Then only this machine is listened to, and because browsers are on this machine, too,
 * a Host that is not this machine's (DNS rebinding) and writes that come from other sites' pages are refused.
 *
 * Threads: any; nothing changes after firn_auth_new.
 */
#ifndef SERVE_AUTH_H
#define SERVE_AUTH_H

#include "call.h"

/* `mode` NULL: serve.auth. CONFIG when roles are none, or token is asked for and nobody could log in. Owned by the arena. */
firn_rc firn_auth_new(firn_arena *arena, firn_lake *lake, const char *mode, firn_auth **out,
                      firn_err *err) FIRN_MUST_USE;
bool firn_auth_is_on(const firn_auth *auth);
/* Whether the address may be listened on, with or without TLS: CONFIG says what to do when it may not. */
firn_rc firn_auth_check_address(const firn_auth *auth, const firn_config *config,
                                const char *listen, firn_err *err) FIRN_MUST_USE;

/* Sets the call's role and author from its headers; 401 NotAuthorizedException or 403 ForbiddenException when they do not allow
 * the route. */
firn_rc firn_auth_check(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* ---- for the token endpoint (oauth.c) ------------------------------------------------------------------- */

typedef struct firn_principal {
    const char *name;
    const char *secret; /* token or client secret */
    firn_role role;
    bool is_client;
    uint8_t digest[32]; /* of the secret, under the lake's key */
} firn_principal;

/* The client with this id (NULL: any) and secret; NULL if there is none. */
const firn_principal *firn_auth_client(const firn_auth *auth, const char *id, const char *secret);
/* Whose token it is, static or issued here. NULL: nobody's, or expired and not `even_expired`. */
const firn_principal *firn_auth_token(const firn_auth *auth, firn_arena *arena, const char *token,
                                      bool even_expired);
char *firn_auth_issue(const firn_auth *auth, firn_arena *arena, const firn_principal *to,
                      int64_t *lifetime_s);
/* What follows "Bearer " or "Basic " in the Authorization header; NULL. */
const char *firn_auth_header(const firn_http_request *request, const char *scheme);

#endif
