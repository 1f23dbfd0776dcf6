/* Producing snapshots: from "these files come, those go" to manifests, a manifest list and the updates and
 * requirements that a catalog commits (spec: "Snapshots", "Commit Conflict Resolution and Retry").
 *
 * firn_snapshot_produce writes new files only; the table changes when the catalog swaps its pointer. After a
 * known failure call firn_snapshot_discard; after an unknown outcome do not.
 */
#ifndef ICEBERG_SNAPSHOT_H
#define ICEBERG_SNAPSHOT_H

#include "iceberg/scan.h"
#include "iceberg/update.h"

typedef enum firn_snapshot_op {
    FIRN_SNAPSHOT_APPEND,
    FIRN_SNAPSHOT_OVERWRITE, /* files come and go, rows change */
    FIRN_SNAPSHOT_DELETE,    /* only rows go */
    FIRN_SNAPSHOT_REPLACE,   /* compaction: files change, rows do not */
} firn_snapshot_op;

/* What must not have happened since `starting_snapshot_id`; checked against the base at every (re)try.
 * Breaking one is VALIDATION (not retriable) with the name of the file that broke it. */
typedef struct firn_snapshot_validation {
    int64_t
        starting_snapshot_id; /* -1: the table was empty; FIRN_NO_STARTING_SNAPSHOT: check nothing */
    const firn_expr *conflict_filter; /* rows the operation read; NULL: all */
    bool no_new_data;     /* no data file that may match conflict_filter was added (serializable) */
    bool no_new_deletes;  /* no delete file that may match conflict_filter was added */
    bool no_deleted_data; /* no data file that may match was removed */
    bool no_new_deletes_for_removed; /* nobody deleted rows in the files this operation rewrites */
    bool removed_must_exist;         /* every removed file is still there (always on for REPLACE) */
    /* Data files that added position deletes point into and do not name as referenced_data_file (those are always
     * checked): nobody removed them. */
    const char *const *required_data_files;
    size_t n_required_data_files;
} firn_snapshot_validation;
#define FIRN_NO_STARTING_SNAPSHOT INT64_MIN

typedef struct firn_snapshot_change {
    firn_snapshot_op op;
    const firn_data_file *added; /* data and delete files */
    size_t n_added;
    const firn_data_file *
        removed; /* matched by path (and content_offset for DVs); spec_id and partition help pruning */
    size_t n_removed;
    /* Dynamic overwrite: also remove every file of the partitions that `added` touches. */
    bool replace_partitions;
    /* Also remove every file all of whose rows match (metadata-only delete); VALIDATION if a file matches in part. */
    const firn_expr *remove_matching;
    /* For erasing: what manifests say of the values in removed files (bounds, in the entries of files that went now or earlier) is
     * not kept either. Manifests that have such entries are written anew. */
    bool forget_removed;
    bool remove_all; /* TRUNCATE, INSERT OVERWRITE of an unpartitioned table */
    /* REPLACE: added data files keep this data sequence number (that of the snapshot whose rows they hold), so that
     * equality deletes committed meanwhile still apply to them. Else they get the commit's. */
    bool keeps_sequence_number;
    int64_t data_sequence_number;
    firn_snapshot_validation validation;
    const char *branch;          /* Iceberg ref of the table; NULL: "main" */
    bool stage_only;             /* add the snapshot but move no ref (write-audit-publish) */
    const json_t *summary_extra; /* object of strings, nullable */
    int threads;
} firn_snapshot_change;

typedef struct firn_snapshot_result {
    int64_t snapshot_id;
    bool empty; /* the change changed nothing: no snapshot was made, updates are untouched */
    const char **written; /* locations written by this attempt */
    size_t n_written;
    int64_t added_files, removed_files, added_rows, removed_rows;
    const json_t *summary;
} firn_snapshot_result;

/* Appends to `updates` and `requirements`. v3: assigns row ids. Merges small manifests by commit.manifest.* properties. */
firn_rc firn_snapshot_produce(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                              const firn_metadata *base, const firn_snapshot_change *change,
                              json_t *updates, json_t *requirements, firn_snapshot_result *out,
                              firn_err *err) FIRN_MUST_USE;
/* Delete what an attempt wrote; errors are logged, not returned: leftovers are orphans, never wrong data. */
void firn_snapshot_discard(firn_storage *storage, const firn_snapshot_result *result);

/* Procedures on existing snapshots. */
firn_rc firn_snapshot_rollback(firn_arena *arena, const firn_metadata *base,
                               int64_t snapshot_id /* must be an ancestor */, json_t *updates,
                               json_t *requirements, firn_err *err) FIRN_MUST_USE;
firn_rc firn_snapshot_set_current(firn_arena *arena, const firn_metadata *base, int64_t snapshot_id,
                                  json_t *updates, json_t *requirements,
                                  firn_err *err) FIRN_MUST_USE;
/* Only append, dynamic overwrite and fast-forward can be picked. */
firn_rc firn_snapshot_cherry_pick(firn_storage *storage, firn_manifest_cache *cache,
                                  firn_arena *arena, const firn_metadata *base, int64_t snapshot_id,
                                  json_t *updates, json_t *requirements, firn_snapshot_result *out,
                                  firn_err *err) FIRN_MUST_USE;
bool firn_snapshot_is_ancestor(const firn_metadata *metadata, int64_t ancestor_id,
                               int64_t snapshot_id);

/* Replay on `base` the append snapshots that `other` has beyond their common snapshot: what makes merges content-aware. */
firn_rc firn_snapshot_replay_appends(firn_storage *storage, firn_manifest_cache *cache,
                                     firn_arena *arena, const firn_metadata *base,
                                     const firn_metadata *other, int64_t common_snapshot_id,
                                     json_t *updates, json_t *requirements,
                                     firn_snapshot_result *out, firn_err *err) FIRN_MUST_USE;

/* A commit that another engine built on an older head of its branch, to be made on `base` instead. */
typedef struct firn_snapshot_rebased {
    bool done;             /* `updates` and `requirements` are new ones, for base */
    const json_t *updates; /* what to apply: as given when not done */
    const json_t *requirements;
    const char *obstacle; /* why it was not, where that may interest somebody; nullable */
    const char **written; /* manifests and manifest lists: delete them after a known failure */
    size_t n_written;
} firn_snapshot_rebased;
/* If the request is one or several appends to one branch (add-snapshot, set-snapshot-ref, and besides at most settings and
 * statistics) and that branch, or the table's sequence number, has moved on since they were built: make them again on
 * `base`, under their own snapshot ids. Snapshots that are in the branch's history already, under the same id, are taken out:
 * the request was sent twice.
 * Not if anything stands against it (docs/decisions, "appends are rebased"): then the request comes back as it was and fails
 * by its own requirements. Fails only when something cannot be written, and has then deleted what was. */
firn_rc firn_snapshot_rebase(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                             const firn_metadata *base, const json_t *updates,
                             const json_t *requirements, firn_snapshot_rebased *out,
                             firn_err *err) FIRN_MUST_USE;

#endif
