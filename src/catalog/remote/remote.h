/* A catalog that somebody else serves over the Iceberg REST protocol (open-api/rest-catalog-open-api.yaml).
 *
 * remote.c  the server: configuration, calls, errors
 * read.c    namespaces, lists, tables, views
 * commit.c  changes as requests
 * settle.c  what became of a request whose answer says nothing
 * refs.c    branches, where the server has them
 * firn.c    the management API of another firn
 *
 * Threads: any, as the catalog.
 */
#ifndef CATALOG_REMOTE_H
#define CATALOG_REMOTE_H

#include "internal.h"

#include "net/http_client.h"

/* name, as the configuration lists it, whether clients may use it of servers that list nothing */
#define FIRN_REMOTE_ENDPOINTS(X)                                                         \
    X(NAMESPACES, "GET /v1/{prefix}/namespaces", true)                                   \
    X(NAMESPACE_CREATE, "POST /v1/{prefix}/namespaces", true)                            \
    X(NAMESPACE, "GET /v1/{prefix}/namespaces/{namespace}", true)                        \
    X(NAMESPACE_DROP, "DELETE /v1/{prefix}/namespaces/{namespace}", true)                \
    X(NAMESPACE_PROPERTIES, "POST /v1/{prefix}/namespaces/{namespace}/properties", true) \
    X(TABLES, "GET /v1/{prefix}/namespaces/{namespace}/tables", true)                    \
    X(TABLE_CREATE, "POST /v1/{prefix}/namespaces/{namespace}/tables", true)             \
    X(TABLE, "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}", true)             \
    X(TABLE_EXISTS, "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}", false)    \
    X(TABLE_COMMIT, "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}", true)     \
    X(TABLE_DROP, "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}", true)     \
    X(TABLE_RENAME, "POST /v1/{prefix}/tables/rename", true)                             \
    X(TABLE_REGISTER, "POST /v1/{prefix}/namespaces/{namespace}/register", true)         \
    X(TRANSACTION, "POST /v1/{prefix}/transactions/commit", true)                        \
    X(VIEWS, "GET /v1/{prefix}/namespaces/{namespace}/views", false)                     \
    X(VIEW_CREATE, "POST /v1/{prefix}/namespaces/{namespace}/views", false)              \
    X(VIEW, "GET /v1/{prefix}/namespaces/{namespace}/views/{view}", false)               \
    X(VIEW_REPLACE, "POST /v1/{prefix}/namespaces/{namespace}/views/{view}", false)      \
    X(VIEW_DROP, "DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}", false)       \
    X(VIEW_RENAME, "POST /v1/{prefix}/views/rename", false)                              \
    X(VIEW_REGISTER, "POST /v1/{prefix}/namespaces/{namespace}/register-view", false)

typedef enum firn_remote_endpoint {
#define X(name, text, usual) FIRN_REMOTE_##name,
    FIRN_REMOTE_ENDPOINTS(X)
#undef X
} firn_remote_endpoint;

/* What the server said of itself for one of its refs. */
typedef struct firn_remote_config {
    const char *ref;       /* "" for the one that the URI itself gives */
    const char *uri;       /* without a slash at the end */
    const char *prefix;    /* "" for none; as it goes into paths */
    const char *separator; /* between the levels of a namespace, as it goes into paths */
    uint32_t endpoints;    /* bits by firn_remote_endpoint */
    bool idempotency_keys;
    bool is_nessie;
    struct firn_remote_config *next;
} firn_remote_config;

enum { FIRN_REMOTE_ETAGS_MAX = 256 };

/* The state of a table that is known by tag; its metadata is in the catalog's cache, by location. */
typedef struct firn_remote_etag {
    char *key, *etag, *location; /* heap */
    uint64_t used;
} firn_remote_etag;

struct firn_remote {
    firn_arena *arena; /* @locks lock, once the catalog is open */
    firn_http_client *http;
    const char *uri; /* without a slash at the end */
    const char *warehouse, *prefix;
    const firn_http_header *headers; /* of every call */
    size_t n_headers;
    pthread_mutex_t lock;
    firn_remote_config *configs;                   /* @locks lock; entries never change */
    firn_remote_etag etags[FIRN_REMOTE_ETAGS_MAX]; /* @locks lock */
    uint64_t uses;                                 /* @locks lock */
    bool api_known;  /* @locks lock: whether `api` has been looked for */
    const char *api; /* @locks lock: firn's management API; NULL: not a firn */
};

/* ---- calls (remote.c) ------------------------------------------------------------------------- */

/* The configuration of a ref; asked for once. NULL and "main" are the URI's own. */
firn_rc firn_remote_config_of(firn_remote *remote, firn_arena *arena, const char *ref,
                              const firn_remote_config **out, firn_err *err) FIRN_MUST_USE;
static inline bool firn_remote_has(const firn_remote_config *config, firn_remote_endpoint endpoint)
{
    return config->endpoints >> endpoint & 1;
}
/* UNSUPPORTED unless the server has it. */
firn_rc firn_remote_require(const firn_remote *remote, const firn_remote_config *config,
                            firn_remote_endpoint endpoint, const char *what,
                            firn_err *err) FIRN_MUST_USE;

typedef struct firn_remote_call {
    const char *method;
    const char *path;   /* below the prefix, encoded: "namespaces/a/tables/t" */
    const json_t *body; /* nullable */
    const char *etag;   /* nullable: If-None-Match */
    const char *key;    /* nullable: the idempotency key, if the server takes one */
} firn_remote_call;

/* To a URL of its own. Any status is a reply; the errors are the HTTP client's. */
firn_rc firn_remote_send(const firn_remote *remote, firn_arena *arena, const char *url,
                         const firn_remote_call *call, firn_http_reply *reply,
                         firn_err *err) FIRN_MUST_USE;
/* Likewise, below the prefix. */
firn_rc firn_remote_do(const firn_remote *remote, const firn_remote_config *config,
                       firn_arena *arena, const firn_remote_call *call, firn_http_reply *reply,
                       firn_err *err) FIRN_MUST_USE;
/* As do, and fails unless the status is 2xx (or 304); the JSON of the reply, NULL if it has none. */
firn_rc firn_remote_json(const firn_remote *remote, const firn_remote_config *config,
                         firn_arena *arena, const firn_remote_call *call, firn_rc missing,
                         const char *what, json_t **out, firn_err *err) FIRN_MUST_USE;
static inline bool firn_remote_is_success(const firn_http_reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}
/* The error that a reply is. `missing` is what a 404 without a type means; `what` is "cannot load table a.b". */
firn_rc firn_remote_fail(const firn_remote *remote, firn_arena *arena, const firn_http_reply *reply,
                         firn_rc missing, const char *what, firn_err *err);

/* ---- what comes over the wire (remote.c); also for the fuzzer --------------------------------- */

/* {"defaults": {...}, "overrides": {...}, "endpoints": [...]} into the rest of *out, in the arena. */
firn_rc firn_remote_parse_config(firn_arena *arena, firn_bytes text, const char *uri,
                                 const char *prefix, firn_remote_config *out,
                                 firn_err *err) FIRN_MUST_USE;
typedef struct firn_remote_error {
    firn_rc code;
    const char *type;    /* "" if the server gave none */
    const char *message; /* likewise */
} firn_remote_error;
void firn_remote_parse_error(firn_arena *arena, int status, firn_bytes body, firn_rc missing,
                             firn_remote_error *out);
/* The metadata and its location of a LoadTableResult, CommitTableResponse or LoadViewResult. Without a location in the
 * answer, one is made up of the content, so that different metadata has different locations. */
firn_rc firn_remote_parse_load(firn_arena *arena, firn_bytes body, const char *what,
                               json_t **metadata, const char **location,
                               firn_err *err) FIRN_MUST_USE;

/* ---- paths (remote.c) ------------------------------------------------------------------------- */

char *firn_remote_ns_path(const firn_remote_config *config, firn_arena *arena, const char *ns);
/* "namespaces/<ns>/<what>/<name>" */
char *firn_remote_path(const firn_remote_config *config, firn_arena *arena, firn_ident ident,
                       const char *what);
json_t *firn_remote_ns_json(firn_arena *arena, const char *ns);      /* new reference */
json_t *firn_remote_ident_json(firn_arena *arena, firn_ident ident); /* new reference */

/* ---- reading (read.c) ------------------------------------------------------------------ */

firn_rc firn_remote_namespace_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                   const char *parent, bool recursive, char ***out, size_t *n,
                                   firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_namespace_properties(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                         const char *ns, json_t **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         firn_entry_kind kind, const char *ns, firn_catalog_entry **out, size_t *n,
                         firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_entry_get(firn_catalog *catalog, firn_arena *arena, const char *ref,
                              firn_ident ident, firn_catalog_entry *out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_table_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_table *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_view_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                              firn_ident ident, firn_catalog_entry *entry, json_t **view,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_default_location(firn_catalog *catalog, firn_arena *arena, firn_ident ident,
                                     char **out, firn_err *err) FIRN_MUST_USE;
/* What a load or commit answered, into the cache and out. `etag` nullable: none that a load would know. */
firn_rc firn_remote_take_table(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_bytes body, const char *etag, firn_table *out,
                               firn_err *err) FIRN_MUST_USE;
void firn_remote_forget(firn_remote *remote, const char *ref, firn_ident ident);

/* ---- writing ---------------------------------------------------------------------------------- */

firn_rc firn_remote_commit(firn_catalog *catalog, firn_arena *arena, const char *branch,
                           const firn_change *changes, size_t n, const firn_commit_info *info,
                           firn_commit_result *out, firn_err *err) FIRN_MUST_USE;
/* `requirements` (array, changed) with those that hold a table to `base`, as far as the protocol can say it. */
void firn_remote_expect(json_t *requirements, const firn_metadata *base);

typedef enum firn_outcome {
    FIRN_OUTCOME_UNKNOWN,
    FIRN_OUTCOME_DONE,  /* what was asked for is there */
    FIRN_OUTCOME_NEVER, /* it is not, and cannot come any more */
} firn_outcome;
/* Looks, a few times, for what a request may have done. `requirements` are those that were sent with UPDATE_TABLE. */
firn_outcome firn_remote_settle(firn_catalog *catalog, const char *ref, const firn_change *change,
                                const json_t *requirements);
/* What a table says of an update that may have been made to it. Pure. */
firn_outcome firn_remote_judge(const firn_metadata *now, const json_t *requirements,
                               const json_t *updates);

/* ---- refs (refs.c) --------------------------------------------------------------------- */

firn_rc firn_remote_ref_list(firn_catalog *catalog, firn_arena *arena, firn_ref **out, size_t *n,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_ref_get(firn_catalog *catalog, firn_arena *arena, const char *name,
                            firn_ref *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_ref_make(firn_catalog *catalog, firn_arena *arena, const firn_ref_make *make,
                             firn_ref *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_ref_drop(firn_catalog *catalog, firn_arena *arena, const char *name,
                             const char *expected, firn_ref *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_ref_reset(firn_catalog *catalog, firn_arena *arena, const char *name,
                              const char *to, const char *expected, firn_ref *out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_ref_rename(firn_catalog *catalog, const char *name, const char *to,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_log(firn_catalog *catalog, firn_arena *arena, const firn_log_query *query,
                        firn_commit **out, size_t *n, const char **next,
                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_diff(firn_catalog *catalog, firn_arena *arena, const char *from, const char *to,
                         firn_diff **out, size_t *n, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_diff_detail(firn_catalog *catalog, firn_arena *arena, const char *from,
                                const char *to, firn_table_diff **out, size_t *n,
                                firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_merge(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *into, const firn_merge_options *options,
                          firn_merge_result *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_cherry_pick(firn_catalog *catalog, firn_arena *arena,
                                const char *const *commits, size_t n, const char *into,
                                const firn_merge_options *options, firn_pick_result *out,
                                firn_err *err) FIRN_MUST_USE;

/* The management API of another firn (firn.c). *root is NULL for any other server; asked for once. */
firn_rc firn_remote_api_root(firn_catalog *catalog, firn_arena *arena, const char **root,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_refs(firn_catalog *catalog, firn_arena *arena, const char *root,
                             firn_ref **out, size_t *n, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_ref(firn_catalog *catalog, firn_arena *arena, const char *root,
                            const char *name, firn_ref *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_ref_make(firn_catalog *catalog, firn_arena *arena, const char *root,
                                 const firn_ref_make *make, firn_ref *out,
                                 firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_ref_drop(firn_catalog *catalog, firn_arena *arena, const char *root,
                                 const char *name, const char *expected, firn_ref *out,
                                 firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_ref_reset(firn_catalog *catalog, firn_arena *arena, const char *root,
                                  const char *name, const char *to, const char *expected,
                                  firn_ref *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_ref_rename(firn_catalog *catalog, firn_arena *arena, const char *root,
                                   const char *name, const char *to, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_log(firn_catalog *catalog, firn_arena *arena, const char *root,
                            const firn_log_query *query, firn_commit **out, size_t *n,
                            const char **next, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_diff(firn_catalog *catalog, firn_arena *arena, const char *root,
                             const char *from, const char *to, firn_table_diff **out, size_t *n,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_merge(firn_catalog *catalog, firn_arena *arena, const char *root,
                              const char *from, const char *into, const firn_merge_options *options,
                              firn_merge_result *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_remote_api_cherry_pick(firn_catalog *catalog, firn_arena *arena, const char *root,
                                    const char *const *commits, size_t n, const char *into,
                                    const firn_merge_options *options, firn_pick_result *out,
                                    firn_err *err) FIRN_MUST_USE;

/* Fills catalog->remote and catalog->ops, having spoken with the server. */
firn_rc firn_remote_open(firn_catalog *catalog, const firn_catalog_options *options,
                         firn_err *err) FIRN_MUST_USE;

#endif
