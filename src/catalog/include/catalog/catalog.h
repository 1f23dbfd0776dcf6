/* The catalog: namespaces, tables and views on refs, and the commits that change them.
 *
 * A ref is a catalog-wide branch or tag. Every branch holds its own map from key (namespace, table or view) to
 * content; a commit changes many keys of one branch atomically and is logged with parent, second parent (of a
 * merge), author, message, time and changed keys. Loading a table is one indexed read, however long the history.
 *
 * Names: a namespace is its levels joined by FIRN_NS_SEP (0x1F); most have one level and are then plain text.
 * `ref` arguments take a branch, a tag or a commit id (reads); NULL is "main".
 *
 * Commit protocol: read current entries; check requirements; apply updates; write new metadata files; then in
 * one database transaction compare every touched entry with what was read and swap. A lost race is CONFLICT
 * (retriable) and what was written is deleted; after UNKNOWN_OUTCOME nothing is deleted and the commit id is
 * looked up. Fault points: "commit.metadata_written", "catalog.begin", "catalog.commit.before", "catalog.commit.after",
 * "commit.pointer_swapped".
 *
 * Threads: a firn_catalog may be used by many threads; many processes may have the same catalog open.
 * Errors: NO_TABLE, NO_VIEW, NO_NAMESPACE, NO_REF (each naming the nearest existing name), EXISTS, NOT_EMPTY,
 * CONFLICT, BUSY, READ_ONLY (tags, commit ids, read-only file), CORRUPT, and storage's.
 */
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include "iceberg/snapshot.h"

#define FIRN_NS_SEP "\x1f"
#define FIRN_MAIN   "main"

typedef struct firn_catalog firn_catalog;

/* How to reach somebody else's Iceberg REST catalog. All nullable; secrets appear in no message. */
typedef struct firn_remote_options {
    const char *warehouse;         /* which of the server's; asked for with the configuration */
    const char *prefix;            /* of the paths, if the server's own word is not to be taken */
    const char *credential;        /* OAuth2 client credentials: "id:secret" or "secret" */
    const char *token;             /* a bearer token */
    const char *oauth2_server_uri; /* of the token endpoint; NULL: <uri>/v1/oauth/tokens */
    const char *scope;             /* NULL: "catalog" */
    const char *sigv4_region, *sigv4_name; /* AWS signatures; name NULL: "glue" */
    const char *access_key_id, *secret_access_key, *session_token;
    const char *access_delegation; /* "vended-credentials", "remote-signing" */
    const char *ca_file;
    const char *const *headers; /* n_headers pairs: name, value */
    size_t n_headers;
} firn_remote_options;

typedef struct firn_catalog_options {
    /* Where the catalog is, by scheme: NULL is the SQLite file at `path`; http:// and https:// are an Iceberg REST catalog
     * (and `path` is the SQLite file of the run log then, made if absent). */
    const char *uri;
    const firn_remote_options *remote; /* nullable; of an Iceberg REST catalog */
    const char *path;                  /* SQLite file; made if absent and `create` */
    bool create;
    firn_storage *storage; /* borrowed; must outlive the catalog */
    const char
        *warehouse; /* location under which new tables get theirs: firn_catalog_default_location */
    int busy_timeout_ms;         /* 0: 30 s; below 0: not at all */
    size_t manifest_cache_bytes; /* 0: the catalog's own choice */
} firn_catalog_options;

firn_rc firn_catalog_open(const firn_catalog_options *options, firn_catalog **out,
                          firn_err *err) FIRN_MUST_USE;
void firn_catalog_close(firn_catalog *catalog);
firn_storage *firn_catalog_storage(firn_catalog *catalog);
firn_manifest_cache *firn_catalog_manifests(
    firn_catalog *catalog); /* shared by all readers of this process */

typedef struct firn_ident {
    const char *ns; /* levels joined by FIRN_NS_SEP */
    const char *name;
} firn_ident;
/* "bronze.orders" for messages; levels or names with dots are quoted. */
char *firn_ident_text(firn_arena *arena, firn_ident ident);
char *firn_ns_text(firn_arena *arena, const char *ns);
/* "a.b" or "\"a.b\".c" -> levels joined by FIRN_NS_SEP. */
char *firn_ns_parse(firn_arena *arena, const char *dotted);

/* ---- namespaces ------------------------------------------------------------------------------------ */
/* Parents must exist; a namespace with children, tables or views cannot be dropped (NOT_EMPTY). */
firn_rc firn_catalog_namespace_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                    const char *parent /* NULL: top */, bool recursive, char ***out,
                                    size_t *n, firn_err *err) FIRN_MUST_USE;
firn_rc firn_catalog_namespace_properties(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                          const char *ns, json_t **out,
                                          firn_err *err) FIRN_MUST_USE; /* NO_NAMESPACE */

/* ---- tables and views ------------------------------------------------------------------------------- */
typedef enum firn_entry_kind {
    FIRN_KIND_TABLE,
    FIRN_KIND_VIEW,
    FIRN_KIND_NAMESPACE
} firn_entry_kind;

typedef struct firn_catalog_entry {
    firn_entry_kind kind;
    firn_ident ident;       /* for a namespace: ns is its own path, name "" */
    const char *content_id; /* survives rename */
    const char *location;   /* metadata file; NULL for namespaces */
    const char *commit_id;  /* that last changed it on this ref */
    int64_t updated_us;
} firn_catalog_entry;

firn_rc firn_catalog_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                          firn_entry_kind kind, const char *ns /* NULL: all */,
                          firn_catalog_entry **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* Finds a table or a view; NO_TABLE with the nearest name. */
firn_rc firn_catalog_entry_get(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_catalog_entry *out,
                               firn_err *err) FIRN_MUST_USE;

typedef struct firn_table {
    firn_catalog_entry entry;
    firn_metadata *metadata;
} firn_table;
/* NO_TABLE also when the name is a view's (says so). Recently loaded metadata files are cached by location. */
firn_rc firn_catalog_table_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                firn_ident ident, firn_table *out, firn_err *err) FIRN_MUST_USE;
/* The table metadata in a file that some entry points or pointed to, from the cache or from storage: for who holds a location
 * from a commit's result and wants that state, not a later one. */
firn_rc firn_catalog_metadata_at(firn_catalog *catalog, firn_arena *arena, const char *location,
                                 firn_metadata **out, firn_err *err) FIRN_MUST_USE;
/* The view's metadata document (Iceberg view spec). */
firn_rc firn_catalog_view_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_catalog_entry *entry, json_t **view,
                               firn_err *err) FIRN_MUST_USE;
/* <warehouse>/<ns levels as folders>/<table>, or with "-<8 hex>" behind it when that folder is already used by another table
 * (dropped without purge, other branch): two tables never share a folder. */
firn_rc firn_catalog_default_location(firn_catalog *catalog, firn_arena *arena, firn_ident ident,
                                      char **out, firn_err *err) FIRN_MUST_USE;

/* ---- commits ---------------------------------------------------------------------------------------- */
typedef enum firn_change_kind {
    FIRN_CHANGE_CREATE_TABLE,   /* updates (+ location inside them) */
    FIRN_CHANGE_UPDATE_TABLE,   /* requirements, updates */
    FIRN_CHANGE_REGISTER_TABLE, /* location of a metadata file; EXISTS if the branch has that table */
    FIRN_CHANGE_DROP_TABLE,
    FIRN_CHANGE_RENAME_TABLE, /* to */
    FIRN_CHANGE_PUT_VIEW,     /* document; replaces if `replace`, else EXISTS */
    FIRN_CHANGE_DROP_VIEW,
    FIRN_CHANGE_RENAME_VIEW,      /* to */
    FIRN_CHANGE_CREATE_VIEW,      /* updates (assign-uuid, set-location, add-view-version...) */
    FIRN_CHANGE_UPDATE_VIEW,      /* requirements, updates of the REST protocol */
    FIRN_CHANGE_REGISTER_VIEW,    /* location of a view metadata file */
    FIRN_CHANGE_CREATE_NAMESPACE, /* properties */
    FIRN_CHANGE_DROP_NAMESPACE,
    FIRN_CHANGE_SET_NAMESPACE_PROPERTIES, /* properties: null value removes */
} firn_change_kind;

typedef struct firn_change {
    firn_change_kind kind;
    firn_ident ident; /* namespaces: ident.ns, name NULL */
    firn_ident to;
    const json_t *requirements; /* arrays; nullable */
    const json_t *updates;
    const char *location;
    json_t *document;              /* view metadata, or namespace properties */
    bool replace;                  /* PUT_VIEW; REGISTER_TABLE over an existing table */
    const char *expected_location; /* nullable: the entry must still point here */
    const firn_metadata *
        expected; /* nullable: what expected_location holds. A remote catalog, which compares no files,
                                    * asserts it by requirements. */
    /* UPDATE_TABLE: an append whose branch moved since it was built is redone on the new head, under its own snapshot id,
     * instead of failing with CONFLICT; what else the requirements say still holds. */
    bool rebase_appends;
} firn_change;

typedef struct firn_commit_info {
    const char *author;  /* NULL: the user's login name */
    const char *message; /* NULL: made from the changes ("append bronze.orders") */
    bool queue; /* wait for other writers of the same tables first, instead of racing them */
    /* Nullable. Recorded in the commit's own transaction; a second commit under the same key makes nothing and gives
     * the first one's commit_id (`repeated`). */
    const char *idempotency_key;
    const char *idempotency_fingerprint; /* nullable; a key used with another one is INVALID */
} firn_commit_info;

typedef struct firn_commit_result {
    const char *commit_id;  /* NULL when nothing changed */
    const char **locations; /* new metadata file per change; NULL where there is none */
    /* The idempotency key had been used: nothing was done. commit_id and locations are the first commit's; commit_id is
     * NULL when the key got an answer without making a commit (catalog/idempotency.h). */
    bool repeated;
} firn_commit_result;

/* One atomic commit of n changes on a branch. An UPDATE_TABLE that changes nothing writes nothing. */
firn_rc firn_catalog_commit(firn_catalog *catalog, firn_arena *arena, const char *branch,
                            const firn_change *changes, size_t n, const firn_commit_info *info,
                            firn_commit_result *out, firn_err *err) FIRN_MUST_USE;

/* ---- commits with retry ------------------------------------------------------------------------------ */
/* Builds the updates and requirements of one table against `base`; called again after a lost race. `discard` deletes what
 * build wrote when its attempt is known to have failed. */
typedef struct firn_table_builder {
    firn_ident ident;
    firn_rc (*build)(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err);
    void (*discard)(void *ctx); /* nullable */
    void *ctx;
} firn_table_builder;
/* Load, build, commit; on CONFLICT discard, wait (commit.retry.* properties; jittered) and start over from the new head.
 * Writers of one table queue on an advisory lock, so that N of them all get through; `build` runs under it, so data files
 * are best written before. The commit requires that each table is still the very metadata file that `base` was. */
firn_rc firn_catalog_commit_tables(firn_catalog *catalog, firn_arena *arena, const char *branch,
                                   const firn_table_builder *builders, size_t n,
                                   const firn_commit_info *info, firn_commit_result *out,
                                   firn_err *err) FIRN_MUST_USE;

/* ---- refs -------------------------------------------------------------------------------------------- */
typedef struct firn_ref {
    const char *name;
    bool is_tag;
    const char *commit_id;
    int64_t updated_us;
} firn_ref;
typedef struct firn_commit {
    const char *id, *parent_id /* NULL: root */, *merge_parent_id /* NULL: no merge */;
    const char *author, *message;
    int64_t time_us;
    const char **changes; /* "put table bronze.orders", ... */
    size_t n_changes;
} firn_commit;

firn_rc firn_catalog_ref_list(firn_catalog *catalog, firn_arena *arena, firn_ref **out, size_t *n,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_catalog_ref_get(firn_catalog *catalog, firn_arena *arena, const char *name,
                             firn_ref *out, firn_err *err) FIRN_MUST_USE;
/* from: branch, tag or commit id. Names: letters, digits, "_-./", not looking like a commit id, at most 255 bytes. */
firn_rc firn_catalog_ref_create(firn_catalog *catalog, const char *name, bool is_tag,
                                const char *from, firn_err *err) FIRN_MUST_USE;
firn_rc firn_catalog_ref_delete(firn_catalog *catalog, const char *name,
                                firn_err *err) FIRN_MUST_USE; /* never main */
firn_rc firn_catalog_log(firn_catalog *catalog, firn_arena *arena, const char *ref, size_t limit,
                         firn_commit **out, size_t *n, firn_err *err) FIRN_MUST_USE;

typedef struct firn_diff {
    firn_ident ident;
    firn_entry_kind kind;
    enum { FIRN_DIFF_ADDED, FIRN_DIFF_REMOVED, FIRN_DIFF_CHANGED } what;
    const char *from_location, *to_location;
} firn_diff;
firn_rc firn_catalog_diff(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *to, firn_diff **out, size_t *n, firn_err *err) FIRN_MUST_USE;

typedef struct firn_merge_result {
    bool repeated;         /* the idempotency key had been used: commit_id and merged are of then */
    const char *commit_id; /* NULL: nothing to merge, dry run or conflicts */
    bool fast_forward;     /* the target had not moved since the branch was made */
    firn_diff *merged;     /* keys taken over */
    size_t n_merged;
    size_t
        n_replayed; /* of them: tables that both sides changed, where the source's appends were replayed */
    struct firn_merge_conflict {
        firn_ident ident;
        const char *cause;
    } *conflicts;
    size_t n_conflicts;
} firn_merge_result;
typedef struct firn_merge_options {
    bool dry_run;
    firn_commit_info info;
} firn_merge_options;
/* One commit with two parents. Keys changed on one side only are taken over. A table that both sides changed gets the
 * source's appends on top of the target's state, if the source did nothing but append; any other key changed on both sides
 * (to different content) is a conflict, and then nothing is merged and the call fails with VALIDATION after filling `out`. */
firn_rc firn_catalog_merge(firn_catalog *catalog, firn_arena *arena, const char *from,
                           const char *into, const firn_merge_options *options,
                           firn_merge_result *out, firn_err *err) FIRN_MUST_USE;

#endif
