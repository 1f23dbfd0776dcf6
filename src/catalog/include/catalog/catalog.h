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
    /* Where the catalog is, by scheme: NULL is the SQLite file at `path`; postgresql:// is a schema in a PostgreSQL database
     * (what libpq knows from elsewhere holds, too); http:// and https:// are an Iceberg REST catalog (and `path` is the
     * SQLite file of the run log then, made if absent). */
    const char *uri;
    const firn_remote_options *remote; /* nullable; of an Iceberg REST catalog */
    const char *schema;                /* PostgreSQL: that holds the catalog; NULL: "firn" */
    int pool;                          /* PostgreSQL: connections of this process at most; 0: 16 */
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
/* What to call it: the file, or "postgresql://user@host:port/database (schema firn)", never with a password. */
const char *firn_catalog_name(const firn_catalog *catalog);
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

/* One atomic commit of n changes on a branch. An UPDATE_TABLE that changes nothing writes nothing, and one that removes a
 * snapshot which the table has on another branch or tag is VALIDATION: tags pin data. */
firn_rc firn_catalog_commit(firn_catalog *catalog, firn_arena *arena, const char *branch,
                            const firn_change *changes, size_t n, const firn_commit_info *info,
                            firn_commit_result *out, firn_err *err) FIRN_MUST_USE;

/* Whether a branch or tag other than `ref` has another state of the table (content_id: of its entry, its uuid), so that deleting
 * files which this state does not name would take them from that one. `location`: of this state; NULL: any other state counts. */
firn_rc firn_catalog_table_shared(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                  const char *content_id, const char *location, bool *shared,
                                  firn_err *err) FIRN_MUST_USE;

typedef struct firn_purge_result {
    const char *commit_id;
    const char *kept; /* why no file was deleted; NULL: they were */
    size_t deleted;
    size_t
        left; /* files that lie outside of the table's folders, and those that could not be deleted */
} firn_purge_result;
/* Drop the table's name, then delete every file that its metadata reaches and that lies in its own folders: all snapshots,
 * the metadata log, statistics. If another branch or tag has the table, only the name goes. Fails only when the name
 * stays; killed later it leaves orphans. */
firn_rc firn_catalog_table_purge(firn_catalog *catalog, firn_arena *arena, const char *branch,
                                 firn_ident ident, const firn_commit_info *info,
                                 firn_purge_result *out, firn_err *err) FIRN_MUST_USE;

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
/* from: branch, tag, commit id or unique prefix of one. Names: letters, digits, "_-./", not looking like a commit id, at most
 * 255 bytes. Tables that no ref has any more come back to life with their folders, or EXISTS when a folder is another's now. */
firn_rc firn_catalog_ref_create(firn_catalog *catalog, const char *name, bool is_tag,
                                const char *from, firn_err *err) FIRN_MUST_USE;
typedef struct firn_ref_make {
    const char *name;
    bool is_tag;
    const char *from;     /* NULL: main */
    const char *expected; /* nullable: the commit that `from` must be at, else CONFLICT */
    bool replace;         /* a ref of that name and kind is moved instead of EXISTS; never main */
} firn_ref_make;
/* *out nullable: the ref as it is then. */
firn_rc firn_catalog_ref_make(firn_catalog *catalog, firn_arena *arena, const firn_ref_make *make,
                              firn_ref *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_catalog_ref_delete(firn_catalog *catalog, const char *name,
                                firn_err *err) FIRN_MUST_USE; /* never main */
/* CONFLICT when the ref is not at `expected` any more (nullable). *out nullable: the ref as it was. */
firn_rc firn_catalog_ref_drop(firn_catalog *catalog, firn_arena *arena, const char *name,
                              const char *expected, firn_ref *out, firn_err *err) FIRN_MUST_USE;
/* Move a branch to where `to` (ref, commit id or prefix) stands: back, or anywhere. Its own commits stay readable by their
 * ids. READ_ONLY for tags; CONFLICT when the branch is not at `expected` (nullable) any more; EXISTS as for create. */
firn_rc firn_catalog_ref_reset(firn_catalog *catalog, firn_arena *arena, const char *name,
                               const char *to, const char *expected, firn_ref *out,
                               firn_err *err) FIRN_MUST_USE;
/* Never main; EXISTS if the new name is taken. */
firn_rc firn_catalog_ref_rename(firn_catalog *catalog, const char *name, const char *to,
                                firn_err *err) FIRN_MUST_USE;
firn_rc firn_catalog_log(firn_catalog *catalog, firn_arena *arena, const char *ref, size_t limit,
                         firn_commit **out, size_t *n, firn_err *err) FIRN_MUST_USE;
typedef struct firn_log_query {
    const char *ref; /* NULL: main */
    size_t limit;    /* 0: all */
    const char
        *from; /* nullable: begin at this commit of the log (what *next of the last page was) */
    int64_t since_us, until_us; /* 0: open; since inclusive, until exclusive */
    const firn_ident *
        key; /* nullable: commits that touched this table, view or namespace (name NULL or "": any in it) */
    const char *author; /* nullable */
} firn_log_query;
/* Newest first, along first parents. *next is the commit id to go on from; NULL: that was all. */
firn_rc firn_catalog_log_page(firn_catalog *catalog, firn_arena *arena, const firn_log_query *query,
                              firn_commit **out, size_t *n, const char **next,
                              firn_err *err) FIRN_MUST_USE;

typedef struct firn_diff {
    firn_ident ident;
    firn_entry_kind kind;
    enum { FIRN_DIFF_ADDED, FIRN_DIFF_REMOVED, FIRN_DIFF_CHANGED } what;
    const char *from_location, *to_location; /* NULL also in a dry run, for what would be written */
} firn_diff;
firn_rc firn_catalog_diff(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *to, firn_diff **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* ---- merge and cherry-pick ----------------------------------------------------------------------------- */
/* Why a key cannot be merged, by the names that Nessie gives (firn_conflict_name). */
typedef enum firn_conflict_type {
    FIRN_CONFLICT_VALUE_DIFFERS, /* both sides changed it, and not in ways that go together */
    FIRN_CONFLICT_KEY_EXISTS,    /* both sides created it; or it would be a table's second name */
    FIRN_CONFLICT_KEY_DOES_NOT_EXIST, /* the target dropped it, the source changed it */
    FIRN_CONFLICT_CONTENT_ID_DIFFERS, /* another table under the same name: dropped and made anew */
    FIRN_CONFLICT_PAYLOAD_DIFFERS,    /* a table on one side, a view on the other */
    FIRN_CONFLICT_NAMESPACE_ABSENT,   /* the target has no such namespace */
    FIRN_CONFLICT_NAMESPACE_NOT_EMPTY, /* the source dropped a namespace in which the target has something */
    FIRN_CONFLICT_KEY_CONFLICT, /* its folder belongs to another table by now */
} firn_conflict_type;
const char *firn_conflict_name(firn_conflict_type type); /* "VALUE_DIFFERS" */

typedef struct firn_merge_conflict {
    firn_ident ident; /* a namespace: name "" */
    firn_entry_kind kind;
    firn_conflict_type type;
    const char
        *cause; /* one sentence: "changed on both main and dev (dev deleted rows (snapshot 12))" */
    const char **details; /* VALUE_DIFFERS of tables: each thing that does not go together */
    size_t n_details;
    const char *advice;    /* what to do about it */
    const char *commit_id; /* cherry-pick: the commit that was being carried over; else NULL */
} firn_merge_conflict;

typedef enum firn_merge_behaviour {
    FIRN_MERGE_NORMAL, /* merge what can be merged */
    FIRN_MERGE_FORCE,  /* the source's content replaces the target's */
    FIRN_MERGE_DROP,   /* leave the key as the target has it */
} firn_merge_behaviour;
typedef struct firn_merge_key {
    firn_ident ident; /* a namespace: name NULL or "" */
    firn_merge_behaviour behaviour;
} firn_merge_key;

typedef struct firn_merge_options {
    bool dry_run; /* tell everything, write nothing */
    firn_commit_info info;
    firn_merge_behaviour default_behaviour;
    const firn_merge_key
        *keys; /* exceptions from the default; NO_TABLE when neither side knows the key */
    size_t n_keys;
    const char *expected_from,
        *expected_into; /* nullable commit ids: CONFLICT when a side has moved */
} firn_merge_options;

typedef enum firn_merge_how {
    FIRN_MERGED_TAKEN, /* as the source has it: the target had not changed it */
    FIRN_MERGED_REPLAYED, /* a table that both sides changed: the source's change done again on the target's state */
    FIRN_MERGED_FORCED, /* FORCE, over a change of the target's */
} firn_merge_how;

typedef struct firn_merge_result {
    bool repeated;         /* the idempotency key had been used: commit_id and merged are of then */
    const char *commit_id; /* NULL: nothing to merge, dry run or conflicts */
    const char *from_commit, *into_commit,
        *base_commit;  /* where both stood, and where they parted */
    bool fast_forward; /* the target had not moved since the branch was made */
    firn_diff *merged; /* keys taken over; also beside conflicts, which keep them from being */
    const firn_merge_how *how; /* of each */
    size_t n_merged;
    size_t n_replayed;  /* of them FIRN_MERGED_REPLAYED */
    firn_diff *skipped; /* keys left out (FIRN_MERGE_DROP) */
    size_t n_skipped;
    firn_merge_conflict *conflicts;
    size_t n_conflicts;
} firn_merge_result;

/* One commit with two parents. Keys changed on one side only are taken over. What the source did to a table that both sides
 * changed is done again on the target's state, if the two go together (iceberg/table_merge.h); any other key changed on both
 * sides (to different content) is a conflict. With any conflict nothing is merged and the call fails with VALIDATION after
 * filling `out` with all of them. Keys left out count as merged: the next merge starts from here. */
firn_rc firn_catalog_merge(firn_catalog *catalog, firn_arena *arena, const char *from,
                           const char *into, const firn_merge_options *options,
                           firn_merge_result *out, firn_err *err) FIRN_MUST_USE;

typedef struct firn_picked {
    const char *source_id;
    const char *commit_id; /* NULL: the target had all of it already, dry run, or conflicts */
    firn_diff *changed;
    const firn_merge_how *how;
    size_t n_changed;
} firn_picked;
typedef struct firn_pick_result {
    const char *into_commit; /* where the target stood */
    const char *commit_id;   /* where it stands now; NULL: nothing was done */
    firn_picked *picked;     /* one per commit, in order */
    size_t n_picked;
    firn_merge_conflict *conflicts; /* of the first commit that has any */
    size_t n_conflicts;
} firn_pick_result;
/* Do again on a branch what each commit did to its (first) parent, in the order given: one commit each, with its message and
 * author unless options->info says otherwise. All of them or none. Commits by id, unique prefix or ref; options as for merge,
 * expected_from aside. */
firn_rc firn_catalog_cherry_pick(firn_catalog *catalog, firn_arena *arena,
                                 const char *const *commits, size_t n, const char *into,
                                 const firn_merge_options *options, firn_pick_result *out,
                                 firn_err *err) FIRN_MUST_USE;

/* ---- what a difference consists of ---------------------------------------------------------------------- */
typedef struct firn_column_diff {
    enum {
        FIRN_COLUMN_ADDED,
        FIRN_COLUMN_DROPPED,
        FIRN_COLUMN_RENAMED,
        FIRN_COLUMN_RETYPED,
        FIRN_COLUMN_REQUIRED, /* required or optional */
        FIRN_COLUMN_COMMENT,
        FIRN_COLUMN_DEFAULT,
    } what;
    int32_t field_id;
    const char *name;      /* path, on the `to` side if it is there */
    const char *from, *to; /* name, type, "required"/"optional", comment or default; NULL: none */
} firn_column_diff;
typedef struct firn_property_diff {
    const char *key, *from, *to; /* NULL: not set */
} firn_property_diff;
typedef struct firn_snapshot_diff {
    int64_t snapshot_id, timestamp_ms;
    const char *operation;
    int64_t added_rows, deleted_rows, added_files, deleted_files; /* -1: its summary does not say */
} firn_snapshot_diff;
typedef struct firn_table_diff {
    firn_diff diff;
    const char *problem; /* why there are no details (a metadata file that is gone); else NULL */
    int64_t rows_from, rows_to, files_from, files_to; /* -1: not recorded */
    int64_t rows_added, rows_removed; /* by the snapshots between; -1: not recorded */
    bool
        diverged; /* `from` is no ancestor of `to`: snapshots are those of `to` since they parted */
    firn_snapshot_diff *snapshots; /* between, newest first */
    size_t n_snapshots;
    firn_column_diff *columns;
    size_t n_columns;
    firn_property_diff *properties;
    size_t n_properties;
    const char *partitioning_from, *partitioning_to; /* both NULL: the same; "" unpartitioned */
    const char *order_from, *order_to;               /* likewise */
    int version_from, version_to;                    /* format version; 0 where there is no table */
} firn_table_diff;
/* As firn_catalog_diff, with what changed in each table and in namespaces' properties; views have no details. */
firn_rc firn_catalog_diff_detail(firn_catalog *catalog, firn_arena *arena, const char *from,
                                 const char *to, firn_table_diff **out, size_t *n,
                                 firn_err *err) FIRN_MUST_USE;

#endif
