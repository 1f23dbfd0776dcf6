/* HTTP client: calls with authentication, retries and bounds. Knows nothing of what it carries.
 *
 * A reply of any status is a reply; only what kept one from arriving is an error:
 *   IO (retriable)    the request was certainly not sent (no such host, refused, TLS failed), or it is idempotent and its
 *                     answer was lost every time
 *   UNKNOWN_OUTCOME   a call that is not idempotent was sent, and its answer did not arrive
 *   LIMIT             the answer is larger than the bound (UNKNOWN_OUTCOME for a call that is not idempotent)
 *   PERMISSION        the token endpoint refused the credentials
 *   INVALID           the URL is none, or a header holds a line break
 *
 * Retries, with growing, jittered waits or the server's Retry-After (bounded by retry_wait_ms_max):
 *   429               any call: the server says that it did not take it
 *   502, 503, 504     idempotent calls
 *   lost connections  idempotent calls, and any that were certainly not sent
 *   401, 419          once, with a new token (OAuth2)
 * What is left of them after that is the reply. Redirects are not followed: they would carry credentials elsewhere.
 *
 * Secrets (tokens, client secret, secret key) never appear in messages, not even when a server repeats them.
 *
 * Threads: a client may be used by any number of threads. Connections are kept and reused.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/str.h"

typedef struct firn_http_client firn_http_client;

typedef enum firn_http_auth_kind {
    FIRN_HTTP_AUTH_NONE,
    FIRN_HTTP_AUTH_BEARER, /* token */
    FIRN_HTTP_AUTH_BASIC,  /* username, password */
    FIRN_HTTP_AUTH_OAUTH2, /* client credentials: token_url, client_id (nullable), client_secret, scope (nullable) */
    FIRN_HTTP_AUTH_SIGV4, /* region, service, access_key, secret_key, session_token (nullable) */
} firn_http_auth_kind;

typedef struct firn_http_auth {
    firn_http_auth_kind kind;
    const char *token;
    const char *username, *password;
    const char *token_url, *client_id, *client_secret, *scope;
    const char *region, *service, *access_key, *secret_key, *session_token;
} firn_http_auth;

typedef struct firn_http_header {
    const char *name, *value;
} firn_http_header;

typedef struct firn_http_options {
    int connect_timeout_ms;           /* 0: 10 s */
    int total_timeout_ms;             /* of one attempt; 0: 60 s */
    size_t response_bytes_max;        /* after decompression; 0: 256 MiB */
    const char *ca_file;              /* nullable: the system's */
    const char *cert_file, *key_file; /* of the client, PEM; nullable */
    const char *user_agent;           /* nullable: "firn/<version>" */
    int retries_max;                  /* 0: 4; below 0: none */
    int retry_wait_ms_min;            /* 0: 100 ms, doubled each time */
    int retry_wait_ms_max;            /* 0: 20 s */
    firn_http_auth auth;
} firn_http_options;

/* Copies everything. */
firn_rc firn_http_client_new(const firn_http_options *options, firn_http_client **out,
                             firn_err *err) FIRN_MUST_USE;
void firn_http_client_free(firn_http_client *client); /* no call may be under way; NULL is fine */

typedef struct firn_http_call {
    const char *method; /* "GET" */
    const char *url;    /* absolute */
    const firn_http_header *headers;
    size_t n_headers;
    firn_bytes body; /* borrowed until the call returns */
    /* Doing it twice is as good as once: GET and HEAD are so by themselves, a POST with an idempotency key is. */
    bool idempotent;
} firn_http_call;

typedef struct firn_http_reply {
    int status;
    const firn_http_header *headers; /* in the order of arrival; of the final answer */
    size_t n_headers;
    firn_bytes body; /* a NUL follows */
    bool maybe_sent; /* at least a part of the request went out once; told on failure, too */
} firn_http_reply;

/* The reply lives in the arena. */
firn_rc firn_http_do(firn_http_client *client, firn_arena *arena, const firn_http_call *call,
                     firn_http_reply *out, firn_err *err) FIRN_MUST_USE;

/* By name in any case; NULL: not there. */
const char *firn_http_reply_header(const firn_http_reply *reply, const char *name);

/* The text with every secret of the client replaced by "***": for words of a server that go into a message. */
char *firn_http_redact(const firn_http_client *client, firn_arena *arena, const char *text);
/* The URL without user, password, query and fragment: for messages. */
char *firn_url_for_message(firn_arena *arena, const char *url);

#endif
