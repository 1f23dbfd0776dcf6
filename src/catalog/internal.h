/* What the catalog's files share: the catalog object, sessions on its database, and the store's vocabulary.
 *
 * Layers, top down: catalog.c, commit.c, retry.c, refs.c, merge.c, runs.c (semantics) -> stage.c (changes in the
 * making) -> store.c, history.c (SQL of refs, entries, commits) -> db/ (a database: SQLite, PostgreSQL).
 */
#ifndef CATALOG_INTERNAL_H
#define CATALOG_INTERNAL_H

#include "catalog/catalog.h"

#include "base/map.h"
#include "db/db.h"

#include <pthread.h>

enum { FIRN_CATALOG_IDLE_MAX = 64, FIRN_CATALOG_POOL_DEFAULT = 16, FIRN_NAME_BYTES_MAX = 255 };

/* ---- the catalog object ----------------------------------------------------------------------- */

typedef struct firn_metadata_cache firn_metadata_cache;
typedef struct firn_catalog_ops firn_catalog_ops;
typedef struct firn_remote firn_remote;
typedef struct firn_lines firn_lines;

/* Lets a number of sessions in at a time; the others stand in line. @locks catalog->lock */
typedef struct firn_gate_waiter firn_gate_waiter;
typedef struct firn_gate {
    size_t free;
    firn_gate_waiter *first, *last;
} firn_gate;

/* Either a database of firn's own, or somebody else's catalog behind `ops`. */
struct firn_catalog {
    const firn_catalog_ops *ops; /* NULL: the database */
    firn_remote *remote;         /* of the ops in remote.c */
    firn_catalog *local;         /* beside a remote catalog: the run log and advisory locks */
    char *path;                  /* of the SQLite file, or what to call the database in messages */
    char *uri;                   /* of PostgreSQL; NULL: SQLite */
    char *schema;                /* nullable */
    firn_storage *storage;
    char *warehouse;
    int busy_timeout_ms;
    firn_manifest_cache *manifests;
    firn_metadata_cache *metadata;
    firn_lines *lines; /* of writers that wait for each other */
    pthread_mutex_t lock;
    firn_db *idle[FIRN_CATALOG_IDLE_MAX]; /* @locks lock: connections that nobody uses right now */
    size_t n_idle;                        /* @locks lock */
    firn_gate connections;                /* @locks lock: not yet open, or idle */
    firn_gate writers;                    /* @locks lock */
    bool connections_bounded;
    size_t idle_max; /* connections to keep open */
};

/* What a catalog that is no database of firn's own does in place of the public functions of the same names, whose contracts
 * hold. What is not here needs a database, which firn_db_session_begin refuses for such a catalog (UNSUPPORTED). */
struct firn_catalog_ops {
    firn_rc (*namespace_list)(firn_catalog *catalog, firn_arena *arena, const char *ref,
                              const char *parent, bool recursive, char ***out, size_t *n,
                              firn_err *err);
    firn_rc (*namespace_properties)(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                    const char *ns, json_t **out, firn_err *err);
    firn_rc (*list)(firn_catalog *catalog, firn_arena *arena, const char *ref, firn_entry_kind kind,
                    const char *ns, firn_catalog_entry **out, size_t *n, firn_err *err);
    firn_rc (*entry_get)(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         firn_ident ident, firn_catalog_entry *out, firn_err *err);
    firn_rc (*table_load)(firn_catalog *catalog, firn_arena *arena, const char *ref,
                          firn_ident ident, firn_table *out, firn_err *err);
    firn_rc (*view_load)(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         firn_ident ident, firn_catalog_entry *entry, json_t **view, firn_err *err);
    firn_rc (*default_location)(firn_catalog *catalog, firn_arena *arena, firn_ident ident,
                                char **out, firn_err *err);
    firn_rc (*commit)(firn_catalog *catalog, firn_arena *arena, const char *branch,
                      const firn_change *changes, size_t n, const firn_commit_info *info,
                      firn_commit_result *out, firn_err *err);
    firn_rc (*ref_list)(firn_catalog *catalog, firn_arena *arena, firn_ref **out, size_t *n,
                        firn_err *err);
    firn_rc (*ref_get)(firn_catalog *catalog, firn_arena *arena, const char *name, firn_ref *out,
                       firn_err *err);
    /* These may be NULL: UNSUPPORTED. */
    firn_rc (*ref_make)(firn_catalog *catalog, firn_arena *arena, const firn_ref_make *make,
                        firn_ref *out, firn_err *err);
    firn_rc (*ref_drop)(firn_catalog *catalog, firn_arena *arena, const char *name,
                        const char *expected, firn_ref *out, firn_err *err);
    firn_rc (*ref_reset)(firn_catalog *catalog, firn_arena *arena, const char *name, const char *to,
                         const char *expected, firn_ref *out, firn_err *err);
    firn_rc (*ref_rename)(firn_catalog *catalog, const char *name, const char *to, firn_err *err);
    firn_rc (*log)(firn_catalog *catalog, firn_arena *arena, const firn_log_query *query,
                   firn_commit **out, size_t *n, const char **next, firn_err *err);
    firn_rc (*diff)(firn_catalog *catalog, firn_arena *arena, const char *from, const char *to,
                    firn_diff **out, size_t *n, firn_err *err);
    firn_rc (*diff_detail)(firn_catalog *catalog, firn_arena *arena, const char *from,
                           const char *to, firn_table_diff **out, size_t *n, firn_err *err);
    firn_rc (*merge)(firn_catalog *catalog, firn_arena *arena, const char *from, const char *into,
                     const firn_merge_options *options, firn_merge_result *out, firn_err *err);
    firn_rc (*cherry_pick)(firn_catalog *catalog, firn_arena *arena, const char *const *commits,
                           size_t n, const char *into, const firn_merge_options *options,
                           firn_pick_result *out, firn_err *err);
    void (*close)(firn_catalog *catalog);
};
/* The catalog whose database holds the run log and the advisory locks. */
firn_catalog *firn_catalog_database(firn_catalog *catalog);

/* A connection for the time of one operation, with at most one transaction open. Ends with its scope: what was not
 * committed is rolled back. */
typedef struct firn_db_session {
    firn_catalog *catalog;
    firn_db *db;
    bool writing; /* in its gates */
    bool counted;
    bool borrowed; /* another session's connection */
} firn_db_session;

firn_rc firn_db_pool_open(firn_catalog *catalog, bool create, firn_err *err) FIRN_MUST_USE;
void firn_db_pool_close(firn_catalog *catalog);

firn_rc firn_db_session_begin(firn_catalog *catalog, bool write, firn_db_session *session,
                              firn_err *err) FIRN_MUST_USE;
/* Passes the fault points "catalog.commit.before" and "catalog.commit.after". */
firn_rc firn_db_session_commit(firn_db_session *session, firn_err *err) FIRN_MUST_USE;
void firn_db_session_end(firn_db_session *session);
/* The session has served its purpose as a transaction, but its connection is kept, for the locks on it: until it ends, other
 * sessions of this thread use the same one. */
void firn_db_session_lend(firn_db_session *session);
#define FIRN_AUTO_SESSION __attribute__((cleanup(firn_db_session_end)))

/* ---- lines of writers -------------------------------------------------------------------------- */

firn_lines *firn_lines_new(void);
void firn_lines_free(firn_lines *lines);
/* How many stand in the line now, its head included. */
size_t firn_line_len(firn_lines *lines, uint64_t key);

typedef struct firn_place firn_place;
/* One's turn at some tables: the head of their lines in this process, and the locks between processes. */
typedef struct firn_turn {
    firn_catalog *catalog;
    firn_place **places;
    size_t n_places;
    firn_db_session session; /* what the locks are held through */
    int *handles;
    size_t n_handles;
} firn_turn;

/* The same in every process. */
uint64_t firn_lock_key(const char *branch, firn_ident ident);
/* Wait for one's turn at all keys (which are sorted here), at most ten seconds: then go on without, since turns decide
 * nothing. Whatever is returned, end it. A thread that has a turn must not take another. */
firn_rc firn_turn_take(firn_catalog *catalog, firn_arena *arena, uint64_t *keys, size_t n,
                       firn_turn *turn, firn_err *err) FIRN_MUST_USE;
void firn_turn_end(firn_turn *turn);

/* ---- names ------------------------------------------------------------------------------------ */

firn_rc firn_ns_check(const char *ns, firn_err *err) FIRN_MUST_USE;
firn_rc firn_ident_check(firn_ident ident, firn_err *err) FIRN_MUST_USE;
firn_rc firn_ref_name_check(const char *name, firn_err *err) FIRN_MUST_USE;
/* The namespace above, "" for a top-level one. */
char *firn_ns_parent(firn_arena *arena, const char *ns);
bool firn_looks_like_commit_id(const char *text);
const char *firn_kind_text(firn_entry_kind kind); /* "table" */

/* ---- metadata cache --------------------------------------------------------------------------- */

firn_metadata_cache *firn_metadata_cache_new(void);
void firn_metadata_cache_free(firn_metadata_cache *cache);
/* The table metadata at `location`, from the cache or from storage; stays alive as long as the arena. */
firn_rc firn_metadata_cache_load(firn_metadata_cache *cache, firn_storage *storage,
                                 firn_arena *arena, const char *location, firn_metadata **out,
                                 firn_err *err) FIRN_MUST_USE;
/* NULL: not there. Stays alive as long as the arena. */
firn_metadata *firn_metadata_cache_find(firn_metadata_cache *cache, firn_arena *arena,
                                        const char *location);
/* The metadata of a document that came with its location, without a file being read; remembered. */
firn_rc firn_metadata_cache_add(firn_metadata_cache *cache, firn_arena *arena, const char *location,
                                json_t *json, firn_metadata **out, firn_err *err) FIRN_MUST_USE;
/* Take over an arena and the metadata in it that was just written to `location`; `user` becomes one of its users. Gives what is
 * cached for the location from then on: where a reader of the file was faster that is the reader's, and `own` is gone. */
firn_metadata *firn_metadata_cache_adopt(firn_metadata_cache *cache, const char *location,
                                         firn_arena *own, firn_metadata *metadata,
                                         firn_arena *user);

/* ---- store: rows of refs, entries and commits ------------------------------------------------- */

/* A key's content. Namespaces have name "". */
typedef struct firn_stored {
    firn_entry_kind kind;
    const char *ns;
    const char *name;
    const char *content_id;
    const char *value;     /* metadata location, or JSON properties of a namespace */
    const char *commit_id; /* that last changed it here */
    int64_t updated_us;
} firn_stored;

/* Same content: what merges and lost-race checks compare. Both nullable (absent). A namespace is its properties. */
bool firn_stored_same(const firn_stored *a, const firn_stored *b);

/* Where a ref argument points: a branch or tag with entries of its own, or a bare commit. */
typedef struct firn_point {
    const char *text; /* what was asked for, for messages */
    const char *ref;  /* NULL: a commit */
    bool is_tag;
    const char *
        entries; /* ref whose entries are this point's; NULL: they must be put together from the log */
    const char *commit_id;
    int64_t generation; /* of the commit; as firn_store_resolve and _branch give a ref, else 0 */
} firn_point;

/* Branch, tag, commit id or unique prefix of one (at least 7 characters). NO_REF names the nearest. NULL is main. */
firn_rc firn_store_resolve(firn_db *db, firn_arena *arena, const char *name, firn_point *out,
                           firn_err *err) FIRN_MUST_USE;
/* As resolve, for writing: READ_ONLY for tags and commits. */
firn_rc firn_store_branch(firn_db *db, firn_arena *arena, const char *name, firn_point *out,
                          firn_err *err) FIRN_MUST_USE;
firn_rc firn_store_ref_names(firn_db *db, firn_arena *arena, const char ***names, size_t *n,
                             firn_err *err) FIRN_MUST_USE;

/* *out = NULL when absent. */
firn_rc firn_store_get(firn_db *db, firn_arena *arena, const firn_point *at, const char *ns,
                       const char *name, firn_stored **out, firn_err *err) FIRN_MUST_USE;
/* Resolve and get in one step, for what is asked most: a key of a ref. */
firn_rc firn_store_find(firn_db *db, firn_arena *arena, const char *ref, const char *ns,
                        const char *name, firn_point *at, firn_stored **out,
                        firn_err *err) FIRN_MUST_USE;
/* Everything, or one namespace's tables, views and itself (ns not NULL), by (ns, name). */
firn_rc firn_store_list(firn_db *db, firn_arena *arena, const firn_point *at, const char *ns,
                        firn_stored **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* Whether anything lives in or below the namespace. */
firn_rc firn_store_has_children(firn_db *db, firn_arena *arena, const char *branch, const char *ns,
                                bool *out, firn_err *err) FIRN_MUST_USE;

/* One key of a commit, before and after; NULL is absent. */
typedef struct firn_delta {
    const char *ns;
    const char *name;
    const firn_stored *was;
    const firn_stored *now;
} firn_delta;

typedef struct firn_commit_row {
    const char *id, *parent_id, *merge_parent_id;
    int64_t generation;
    const char *author, *message;
    int64_t time_us;
} firn_commit_row;

firn_rc firn_store_commit_get(firn_db *db, firn_arena *arena, const char *id,
                              firn_commit_row **out /* NULL: unknown */,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_store_commit_insert(firn_db *db, const firn_commit_row *row, const firn_delta *deltas,
                                 size_t n, firn_err *err) FIRN_MUST_USE;
firn_rc firn_store_deltas(firn_db *db, firn_arena *arena, const char *commit_id, firn_delta **out,
                          size_t *n, firn_err *err) FIRN_MUST_USE;
/* Bring the branch's entries to a commit that was just inserted, and the branch with them. */
firn_rc firn_store_advance(firn_db *db, const char *branch, const firn_commit_row *row,
                           const firn_delta *deltas, size_t n, firn_err *err) FIRN_MUST_USE;

/* Another key of the branch with the content that the delta brings; *out = NULL: none. */
firn_rc firn_store_other_name(firn_db *db, firn_arena *arena, const char *branch,
                              const firn_delta *delta, firn_stored **out,
                              firn_err *err) FIRN_MUST_USE;

/* What changed from commit `from` to commit `to`, net, by key. Quick when `from` is behind `to` in a line of first
 * parents, else by comparing whole states. */
firn_rc firn_store_diff(firn_db *db, firn_arena *arena, const char *from, const char *to,
                        firn_delta **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* The best common ancestor along first and second parents; *out = NULL when there is none. */
firn_rc firn_store_merge_base(firn_db *db, firn_arena *arena, const char *a, const char *b,
                              const char **out, firn_err *err) FIRN_MUST_USE;

/* ---- folders ---------------------------------------------------------------------------------- */

/* In a write transaction: note that the table with this content id owns the folder. EXISTS when a living table of
 * another id owns it, or one above or below it. */
firn_rc firn_folder_claim(firn_db *db, const char *location, const char *content_id,
                          firn_err *err) FIRN_MUST_USE;
/* The folder that a table's or view's metadata file names; "" when that file is gone. Reads it: not inside a transaction. */
firn_rc firn_folder_of(firn_catalog *catalog, firn_arena *arena, const firn_stored *stored,
                       const char **out, firn_err *err) FIRN_MUST_USE;

/* ---- changes in the making -------------------------------------------------------------------- */

typedef struct firn_staged {
    const char *ns;
    const char *name;
    const firn_stored *was; /* what the branch held when it was read */
    firn_stored *now;
    firn_metadata *metadata; /* of `now` if it is a table and has been loaded or made; else NULL */
    const firn_metadata *base; /* what `metadata` was made from; NULL: nothing */
    /* Where `metadata` was made: an arena of its own, so that the cache can take it over. NULL: it is the cache's. */
    firn_arena **own;
    const char *
        previous_location; /* `metadata` is not written yet, and follows this file ("" for none); NULL: written */
} firn_staged;

/* Whether a request's key has been used, and which commit it made (NULL: none). */
typedef struct firn_key_use {
    bool used;
    const char *commit_id;
} firn_key_use;
/* Not used when info names no key. INVALID when the key was used for a request of another fingerprint. */
firn_rc firn_idempotency_find(firn_db *db, firn_arena *arena, const firn_commit_info *info,
                              firn_key_use *use, firn_err *err) FIRN_MUST_USE;
/* In the transaction that makes the commit: the key, if there is one, is used up by it. CONFLICT if it was used meanwhile. */
firn_rc firn_idempotency_claim(firn_db *db, const firn_commit_info *info, const char *commit_id,
                               firn_err *err) FIRN_MUST_USE;

typedef struct firn_claim {
    const char *location;
    const char *content_id;
} firn_claim;

/* A table that loses snapshots: where other refs had it when it was seen that none of them needs those. */
typedef struct firn_pinned {
    const char *content_id;
    const char *states;
} firn_pinned;

typedef struct firn_stage {
    firn_catalog *catalog;
    firn_arena *arena;
    firn_db *db;
    firn_point branch;
    firn_map *keys;                 /* -> firn_staged, in order of first touch */
    FIRN_VEC(const char *) written; /* metadata files of this attempt */
    FIRN_VEC(firn_claim) claims;
    FIRN_VEC(firn_pinned) pinned;
} firn_stage;

void firn_stage_init(firn_stage *stage, firn_catalog *catalog, firn_arena *arena, firn_db *db,
                     firn_point branch);
/* The key as the changes so far leave it; read from the branch at first touch. */
firn_rc firn_stage_key(firn_stage *stage, const char *ns, const char *name, firn_staged **out,
                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_stage_change(firn_stage *stage, const firn_change *change,
                          firn_err *err) FIRN_MUST_USE;
/* Write the metadata files that are still in memory only. */
firn_rc firn_stage_flush(firn_stage *stage, firn_err *err) FIRN_MUST_USE;
/* The keys whose content changed. */
void firn_stage_deltas(firn_stage *stage, firn_delta **out, size_t *n);
/* Known failure: delete what was written. */
void firn_stage_discard(firn_stage *stage);

/* VALIDATION if `now` lacks a snapshot that the staged metadata has and another ref's state of the table, too. */
firn_rc firn_pins_check(firn_stage *stage, const firn_staged *staged, const firn_metadata *now,
                        firn_err *err) FIRN_MUST_USE;
/* In a write transaction: what those checks saw still is so, else CONFLICT. */
firn_rc firn_pins_unchanged(firn_db *db, firn_arena *arena, const firn_stage *stage,
                            firn_err *err) FIRN_MUST_USE;
/* A ref other than `ref` that has the table; *holder = NULL: none. */
firn_rc firn_pins_holder(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         const char *content_id, const char **holder, firn_err *err) FIRN_MUST_USE;
/* After a commit from `base` to `now`: delete metadata files that have left the log, if the table wants that
 * (write.metadata.delete-after-commit.enabled) and no other ref has it. Errors are logged. */
void firn_pins_delete_old_metadata(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                   const char *content_id, const firn_metadata *base,
                                   const firn_metadata *now);

/* In a write transaction: every key still is what `was` says, else CONFLICT. */
firn_rc firn_deltas_check(firn_db *db, firn_arena *arena, const firn_point *branch,
                          const firn_delta *deltas, size_t n, firn_err *err) FIRN_MUST_USE;
/* In a write transaction: log the commit as `row`, whose parent, generation and time are filled in here, and move the
 * branch there. */
firn_rc firn_deltas_apply(firn_db *db, firn_arena *arena, const firn_point *branch,
                          const firn_delta *deltas, size_t n, firn_commit_row *row,
                          firn_err *err) FIRN_MUST_USE;
/* After apply: the namespace that a key needs is there (NO_NAMESPACE), one that went was empty (NOT_EMPTY), and a table or
 * view has no second name on the branch (EXISTS). */
firn_rc firn_delta_check_structure(firn_db *db, firn_arena *arena, const firn_point *branch,
                                   const firn_delta *delta, firn_err *err) FIRN_MUST_USE;
char *firn_commit_id_new(firn_arena *arena);
const char *firn_commit_author(firn_arena *arena, const firn_commit_info *info);
/* The end of a transaction that made `commit_id`, given what it returned: an unknown outcome is looked into, so that it
 * stays unknown only when the database takes no transaction any more. */
firn_rc firn_commit_outcome(firn_catalog *catalog, const char *branch, const char *commit_id,
                            firn_rc rc, const firn_err *detail, firn_err *err) FIRN_MUST_USE;

/* "there is no table bronze.order on main. Did you mean bronze.orders?" */
firn_rc firn_fail_missing(firn_db *db, firn_arena *arena, const firn_point *at,
                          firn_entry_kind kind, const char *ns, const char *name,
                          firn_err *err) FIRN_MUST_USE;
void firn_entry_of_stored(const firn_stored *stored, firn_catalog_entry *out);
firn_diff firn_diff_of_delta(const firn_delta *delta);

#endif
