/* One attempt at a snapshot, as the files that make it share it.
 *
 *   snapshot.c           the order of steps, the snapshot's JSON, updates and requirements
 *   snapshot_conflict.c  what must not have happened meanwhile
 *   snapshot_remove.c    which entries go, and the manifests rewritten without them
 *   snapshot_write.c     manifests of what comes; merging of small ones
 *   snapshot_summary.c   counts
 *   snapshot_rebase.c    appends that others made, again on a newer head
 */
#ifndef ICEBERG_SNAPSHOT_PRIVATE_H
#define ICEBERG_SNAPSHOT_PRIVATE_H

#include "bytes_map.h"
#include "iceberg/snapshot.h"
#include "manifest_data.h"

#include <pthread.h>

typedef struct firn_file_counts {
    int64_t data_files, records;
    int64_t delete_files, position_files, equality_files, vectors;
    int64_t position_deletes, equality_deletes;
    int64_t bytes;
} firn_file_counts;

typedef struct firn_summary {
    firn_file_counts added, removed;
    firn_bytes_map partitions;
    int64_t manifests_created, manifests_kept, manifests_replaced;
} firn_summary;

typedef FIRN_VEC(firn_manifest_file) firn_manifest_files;

typedef struct firn_commit {
    firn_storage *storage;
    firn_manifest_cache *cache;
    firn_arena *arena;
    const firn_metadata *base;
    const firn_snapshot_change *change;
    const char *branch;
    const firn_snapshot *parent; /* NULL: none */
    int64_t snapshot_id, sequence_number;
    int threads;
    const char *folder; /* of metadata files */
    const char *uuid;
    firn_summary summary;
    firn_manifest_files data, deletes; /* of the new snapshot, newest first */
    pthread_mutex_t lock;              /* of what follows */
    int n_manifests;
    FIRN_VEC(const char *) written;
} firn_commit;

/* The branch's head, the next sequence number, and where files go. The snapshot gets the id, or a new one if that is
 * -1 or taken. */
firn_rc firn_commit_set_up(firn_commit *commit, int64_t snapshot_id, firn_err *err) FIRN_MUST_USE;
/* A name for the next manifest; noted as written, so that a failure cleans it up. */
const char *firn_commit_manifest_location(firn_commit *commit, firn_arena *arena);
firn_rc firn_commit_open(firn_commit *commit, const firn_manifest_file *file, firn_manifest **out,
                         firn_err *err) FIRN_MUST_USE;

firn_rc firn_commit_check_conflicts(firn_commit *commit, firn_err *err) FIRN_MUST_USE;
/* Fills commit->data and ->deletes from the parent's manifests, without what goes. */
firn_rc firn_commit_remove(firn_commit *commit, firn_err *err) FIRN_MUST_USE;
/* Puts manifests of the added files in front. */
firn_rc firn_commit_add(firn_commit *commit, firn_err *err) FIRN_MUST_USE;
firn_rc firn_commit_merge(firn_commit *commit, firn_err *err) FIRN_MUST_USE;
/* Of commit->data and ->deletes; gives row ids (v3). */
firn_rc firn_commit_write_list(firn_commit *commit, const char **location, int64_t *next_row_id,
                               firn_err *err) FIRN_MUST_USE;
/* The members of a snapshot that say where in the table's history it stands. */
void firn_commit_place_snapshot(const firn_commit *commit, const char *manifest_list,
                                int64_t next_row_id, json_t *snapshot);

void firn_summary_add(firn_commit *commit, const firn_data_file *file, bool added);
/* Object of strings, owned by the arena. */
json_t *firn_summary_json(firn_commit *commit);
/* "total-..." and "manifests-...", by the counts and the parent's summary. */
void firn_summary_put_totals(const firn_commit *commit, json_t *summary);

/* What one snapshot itself put into the table. */
typedef struct firn_own_files {
    firn_manifest_files manifests; /* that hold nothing else */
    FIRN_VEC(firn_data_file)
    files;                   /* of manifests that hold others, too; alive as long as the arena */
    int64_t n_files, n_rows; /* in both */
    const char *obstacle;    /* why this is no plain append; NULL: it is */
} firn_own_files;
/* Of an append; `whole_manifests`: manifests with nothing but its files are not opened. */
firn_rc firn_snapshot_own_files(firn_storage *storage, firn_manifest_cache *cache,
                                firn_arena *arena, const firn_metadata *metadata,
                                const firn_snapshot *snapshot, bool whole_manifests,
                                firn_own_files *out, firn_err *err) FIRN_MUST_USE;

/* set-snapshot-ref of a branch, which keeps the retention it has. */
void firn_snapshot_point_ref(json_t *updates, const firn_metadata *base, const char *name,
                             int64_t snapshot_id);

#endif
