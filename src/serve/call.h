/* One request at work, and what handlers share.
 *
 * A handler gets a firn_call whose route, ref and path parameters are decided, reads what it needs, and fills the response by one
 * firn_reply_*; or returns an error, which the router turns into the error body of the protocol (reply.c). To add an endpoint:
 * declare the handler in handlers.h and add one row to the table in routes.c. `/v1/config` lists its endpoints from that table.
 *
 * Lifetime: everything in call->arena, which ends when the response has been sent. Threads: one call is one worker's.
 */
#ifndef SERVE_CALL_H
#define SERVE_CALL_H

#include "net/http.h"
#include "net/http_server.h"
#include "serve/serve.h"

#include <stdatomic.h>

typedef struct firn_call firn_call;
typedef struct firn_auth firn_auth;

typedef enum firn_role {
    FIRN_ROLE_NONE, /* nobody has to say who they are */
    FIRN_ROLE_READER,
    FIRN_ROLE_WRITER,
    FIRN_ROLE_ADMIN,
} firn_role;

typedef firn_rc (*firn_handler)(firn_call *call, firn_err *err);

typedef enum firn_route_flags {
    FIRN_ROUTE_ADVERTISED = 1, /* in /v1/config's list of endpoints */
    FIRN_ROUTE_IDEMPOTENT =
        2, /* takes an Idempotency-Key: its final answer is kept and given again */
} firn_route_flags;

typedef struct firn_route {
    const char *method;
    /* As the OpenAPI document writes it, so that "<method> <pattern>" is what is advertised. "/v1/..." is reached below every
     * base path (/, /iceberg, /iceberg/<ref>); anything else as it stands. */
    const char *pattern;
    firn_handler handle;
    firn_role role;
    unsigned flags;
} firn_route;

extern const firn_route firn_routes[];
extern const size_t firn_routes_len;

enum { FIRN_STATUS_CLASSES = 5 };

struct firn_server {
    firn_lake *lake;
    firn_catalog *catalog;
    const char *lake_name;
    const char *warehouse;      /* location URI */
    const char *warehouse_path; /* as a path, where it is one */
    firn_auth *auth;
    firn_http_server *http;
    const char *
        catalog_file; /* of an SQLite catalog, and which file that was at start; NULL: another catalog */
    uint64_t catalog_device, catalog_inode;
    int64_t started_us;
    atomic_uint_fast64_t requests[FIRN_STATUS_CLASSES]; /* answered, by 1xx to 5xx */
    atomic_uint_fast64_t commits;                       /* made by calls */
    int64_t expired_us; /* atomic: when old idempotency keys were last deleted */
    firn_arena *arena;  /* of the server's own life */
    const char *url;
};

/* One call has its answer: for /metrics. */
void firn_serve_count(firn_server *server, const firn_call *call);

enum { FIRN_CALL_PARAMS_MAX = 6 };

struct firn_call {
    firn_server *server;
    firn_catalog *catalog;
    firn_arena *arena;
    const firn_http_request *request;
    firn_http_response *response;
    const firn_route *route;
    /* The branch, tag or commit that the URI selects: prefix, else /iceberg/<ref>, else main. */
    const char *ref;
    struct {
        const char *name;  /* "table" */
        const char *value; /* decoded */
    } params[FIRN_CALL_PARAMS_MAX];
    size_t n_params;
    firn_role role;
    const char *author; /* who calls, for the commit log; NULL: nobody in particular */
    const char *idempotency_key;
    const char *fingerprint; /* of the request, beside the key */
    bool committed;          /* set by firn_call_commit: the commit's own record keeps the key */
    bool keep_answer;        /* set by handlers whose answer cannot be made again from the commit */
    bool plus_is_space;      /* in path segments: the Java library's way of writing spaces */
    /* An error's own status or type where they are not what its code implies; 0, NULL: they are. */
    int error_status;
    const char *error_type;
    const char *challenge; /* WWW-Authenticate of a 401 */
    const char *allow;     /* of a 405 */
};

/* ---- what was asked (call.c) ------------------------------------------------------------------------- */

/* A path parameter by its name in the pattern. */
const char *firn_call_param(const firn_call *call, const char *name);
/* A query parameter, decoded; NULL if it is not there. */
const char *firn_call_query(const firn_call *call, const char *name);
/* "true" or "false"; false if it is not there. */
firn_rc firn_call_query_bool(const firn_call *call, const char *name, bool *out,
                             firn_err *err) FIRN_MUST_USE;
/* The levels of {namespace}, joined by FIRN_NS_SEP; NO_NAMESPACE is left to the catalog. */
firn_rc firn_call_ns(const firn_call *call, const char **ns, firn_err *err) FIRN_MUST_USE;
/* {namespace} and the parameter `name` ("table", "view"). */
firn_rc firn_call_ident(const firn_call *call, const char *name, firn_ident *out,
                        firn_err *err) FIRN_MUST_USE;
/* As firn_call_ident for an existing table or view: where there is none of that very name but it reads "t@ref", the name is "t"
 * and *ref is that ref; else *ref is call->ref. */
firn_rc firn_call_ident_at(const firn_call *call, const char *name, const char **ref,
                           firn_ident *out, firn_err *err) FIRN_MUST_USE;
/* The same for a name from a body. */
firn_rc firn_call_resolve_at(const firn_call *call, const char **ref, firn_ident *ident,
                             firn_err *err) FIRN_MUST_USE;
/* The body as a JSON object. INVALID when it is none. */
firn_rc firn_call_body(const firn_call *call, json_t **out, firn_err *err) FIRN_MUST_USE;
/* For firn_json_* on a body: what they call CORRUPT is a bad request here. */
firn_rc firn_call_bad(firn_rc rc, firn_err *err) FIRN_MUST_USE;
/* ["a", "b"] and {"namespace": [...], "name": ...} of a body. */
firn_rc firn_call_ns_of_json(const firn_call *call, const json_t *levels, const char **ns,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_ident_of_json(const firn_call *call, const json_t *identifier, firn_ident *out,
                                firn_err *err) FIRN_MUST_USE;
json_t *firn_call_ns_json(const char *ns);      /* new reference */
json_t *firn_call_ident_json(firn_ident ident); /* new reference */

/* Commits on call->ref as call->author under call->idempotency_key, queued behind other writers of the same tables. */
firn_rc firn_call_commit(firn_call *call, const char *branch, const firn_change *changes, size_t n,
                         firn_commit_result *out, firn_err *err) FIRN_MUST_USE;

/* What is missing or taken, in the words that clients know (explain.c). Give `rc` back, with another message where it is
 * NO_TABLE, NO_VIEW or NO_NAMESPACE of `ident`... */
firn_rc firn_call_explain(const firn_call *call, firn_rc rc, firn_ident ident,
                          firn_err *err) FIRN_MUST_USE;
/* ... where something stands in the place of a new `wanted` (gives EXISTS) ... */
firn_rc firn_call_explain_exists(const firn_call *call, const char *branch, firn_entry_kind wanted,
                                 firn_ident ident, firn_err *err) FIRN_MUST_USE;
/* ... or where a commit failed for one of these; firn_call_commit does it. */
firn_rc firn_call_explain_commit(const firn_call *call, firn_rc rc, const char *branch,
                                 const firn_change *changes, size_t n, firn_err *err) FIRN_MUST_USE;

/* What firn_call_commit asks first: PERMISSION when a change names a location that the caller may not (location_guard.c). */
firn_rc firn_call_check_locations(firn_call *call, const char *branch, const firn_change *changes,
                                  size_t n, firn_err *err) FIRN_MUST_USE;

/* Which part of a sorted list of names to give, by pageToken and pageSize. */
typedef struct firn_page {
    size_t from, to;
    const char *next_token; /* NULL: this is the last page */
} firn_page;
firn_rc firn_call_page(const firn_call *call, const char *const *names, size_t n, firn_page *out,
                       firn_err *err) FIRN_MUST_USE;

/* ---- what is answered (reply.c) ----------------------------------------------------------------------- */

/* Takes the reference. */
void firn_reply_json(firn_call *call, int status, json_t *json);
void firn_reply_empty(firn_call *call, int status);
void firn_reply_header(firn_call *call, const char *name, const char *value);
/* The error body of the protocol, in place of what the handler may have filled in. */
void firn_reply_error(firn_call *call, firn_rc rc, const firn_err *err);
firn_bytes firn_error_body(firn_arena *arena, int status, const char *type, const char *message);
/* Fails with a status and type of its own. */
#define FIRN_CALL_FAIL(call, err, code, status, type, ...) \
    do {                                                   \
        (call)->error_status = (status);                   \
        (call)->error_type = (type);                       \
        FIRN_FAIL((err), (code), __VA_ARGS__);             \
    } while (0)

/* ---- Idempotency-Key (idempotency.c) ---------------------------------------------------------------------- */

/* Reads the key; *answered when the request was answered before, as it is again now. 400 for what is no UUID, 422 for a key that
 * another request used. */
firn_rc firn_call_once_begin(firn_call *call, bool *answered, firn_err *err) FIRN_MUST_USE;
/* Keeps a final answer, where it could not be made again from the commit. */
void firn_call_once_end(firn_call *call, firn_rc rc);

/* ---- tables (table_reply.c) ------------------------------------------------------------------------------ */

/* A LoadTableResult or CommitTableResponse with its ETag. `location` NULL: a staged table, which has no file. */
firn_rc firn_reply_table(firn_call *call, const char *ref, const char *location,
                         const firn_metadata *metadata, firn_err *err) FIRN_MUST_USE;
/* The state that a commit left behind: of this commit, not of a later one. */
firn_rc firn_reply_table_at(firn_call *call, const char *ref, const char *location,
                            firn_err *err) FIRN_MUST_USE;
/* Answers 304 and gives true when If-None-Match holds what the answer's ETag would be. */
bool firn_reply_not_modified(firn_call *call, const char *ref, const firn_catalog_entry *entry);

/* ---- routing (router.c) -------------------------------------------------------------------------------- */

/* The whole way of a request: route, authentication, handler, error body. What the HTTP server calls, and what tests and
 * fuzzers call without one. */
void firn_serve_request(firn_server *server, const firn_http_request *request,
                        firn_http_response *response);
/* The server without its sockets, for tests and fuzzers; freed by firn_serve_stop. */
firn_rc firn_serve_new(const firn_serve_options *options, firn_server **out,
                       firn_err *err) FIRN_MUST_USE;

#endif
