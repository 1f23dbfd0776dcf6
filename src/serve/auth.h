/* Who may do what: static bearer tokens and OAuth2 client credentials, from firn.yaml (serve.auth, serve.tokens, serve.clients).
 */
#ifndef SERVE_AUTH_H
#define SERVE_AUTH_H

#include "call.h"

/* Sets the call's role and author from its headers; 401 NotAuthorizedException or 403 ForbiddenException when they do not allow
 * the route. */
firn_rc firn_auth_check(firn_call *call, firn_err *err) FIRN_MUST_USE;

#endif
