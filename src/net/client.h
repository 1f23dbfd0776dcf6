/* What the client's files share: the client, one attempt, and tokens. */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "net/http_client.h"

#include <pthread.h>

enum { FIRN_HTTP_IDLE_MAX = 16 };

struct firn_http_client {
    firn_arena *arena; /* of the options; not used after the client was made */
    firn_http_options options;
    pthread_mutex_t lock;
    void *idle
        [FIRN_HTTP_IDLE_MAX]; /* @locks lock: curl handles that nobody uses, each with its connections */
    size_t n_idle;            /* @locks lock */

    /* OAuth2. One thread fetches, the others wait or go on with a token that is still good. */
    pthread_cond_t token_changed;
    bool fetching;         /* @locks lock */
    char *token;           /* @locks lock: heap; NULL: none yet */
    uint64_t version;      /* @locks lock: of the token; 0: none yet */
    int64_t refresh_at_us; /* @locks lock: monotonic */
    int64_t expires_at_us; /* @locks lock */
};

typedef struct firn_http_attempt {
    bool sent;              /* at least a part of the request went out */
    int64_t retry_after_ms; /* 0: the server named none */
} firn_http_attempt;

/* The call as it is, once. IO, LIMIT and INVALID; `attempt` tells what a failure means. */
firn_rc firn_http_attempt_once(firn_http_client *client, firn_arena *arena,
                               const firn_http_call *call, firn_http_reply *out,
                               firn_http_attempt *attempt, firn_err *err) FIRN_MUST_USE;
/* The call with its retries, but without authentication of its own. */
firn_rc firn_http_do_plain(firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                           firn_http_reply *out, firn_err *err) FIRN_MUST_USE;

/* The call with the headers that authenticate it; a token is fetched if that is due. *version is the token's (0: no token). */
firn_rc firn_http_sign(firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                       firn_http_call *out, uint64_t *version, firn_err *err) FIRN_MUST_USE;
/* The status says that the token of this version is not good, and a new one may help. */
bool firn_http_is_refused_token(firn_http_client *client, int status, uint64_t version);

firn_rc firn_http_auth_check(const firn_http_auth *auth, firn_err *err) FIRN_MUST_USE;
/* The headers that authenticate the call, fetching a token if that is due. *version is the token's (0: no token). */
firn_rc firn_http_auth_headers(firn_http_client *client, firn_arena *arena,
                               const firn_http_call *call, firn_http_header headers[4], size_t *n,
                               uint64_t *version, firn_err *err) FIRN_MUST_USE;
/* The server refused the token of this version: true if a new one may help. */
bool firn_http_auth_refused(firn_http_client *client, uint64_t version);

#endif
