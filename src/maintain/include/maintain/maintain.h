/* Keeping tables small and fast: small files into larger ones, old snapshots away, bytes off the disk.
 *
 * Each is one commit per table and can be killed at any point: what is left over is a file that no table names (an orphan), never a
 * missing one. What other branches and tags of the catalog still have is kept, and said.
 */
#ifndef MAINTAIN_MAINTAIN_H
#define MAINTAIN_MAINTAIN_H

#include "engine/engine.h"

typedef struct firn_expire_options {
    firn_ident ident;
    int64_t
        older_than_us; /* snapshots made before that; 0: by the table's properties (history.expire.*) */
    int64_t
        keep_last; /* of every branch of the table, at least; 0: by the properties, at least 1 */
    bool dry_run;
} firn_expire_options;
typedef struct firn_expire_result {
    int64_t snapshots; /* gone */
    int64_t files,
        bytes; /* deleted: data, deletes, manifests, lists, old metadata files beyond the table's limit */
    const char *const *kept_by; /* sentences: "branch dev has snapshot 12 and 3 more", "the table's
                                 * tag v1 keeps a snapshot", "2 files could not be deleted: ..." */
    size_t n_kept_by;
} firn_expire_result;
/* On the session's branch. Snapshots that a branch or tag keeps stay: one of the catalog, or one of the table by its own rules.
 * Files outside of the table's folders stay. INVALID when its gc.enabled is false; NOT_FOUND, CORRUPT and IO when a manifest of what
 * stays cannot be read: then nothing was done, unless the message says that the snapshots are gone. */
firn_rc firn_maintain_expire(firn_session *session, firn_arena *arena,
                             const firn_expire_options *options, firn_expire_result *out,
                             firn_err *err) FIRN_MUST_USE;

/* Written so far; the totals grow when something has to be done again. */
typedef struct firn_compact_progress {
    int64_t files_done, files_total, bytes_done, bytes_total;
} firn_compact_progress;
typedef struct firn_compact_options {
    firn_ident ident;
    int64_t target_bytes; /* 0: write.target-file-size-bytes */
    int64_t small_bytes;  /* files below that are worth it; 0: three quarters of the target */
    int64_t
        min_files; /* of a partition, at least so many; 0: 2. A file with deletes is always worth it */
    const char *where; /* SQL over partition columns; nullable */
    bool dry_run;
    /* From the calling thread, after each query that wrote files; they may not be committed yet. */
    void (*on_progress)(void *ctx, const firn_compact_progress *progress);
    void *ctx;
} firn_compact_options;
typedef struct firn_compact_result {
    /* Rewritten and written; files_after of a dry run is an estimate. */
    int64_t files_before, files_after, bytes_before, bytes_after, rows, deletes_applied, partitions;
    int64_t commits;
    int64_t given_up; /* partitions that others kept changing */
    const char *given_up_why;
} firn_compact_result;
/* Rows and sort order stay; one snapshot "replace" (several, when there is much to do). A row that somebody deletes meanwhile stays
 * deleted: its partition is done again, or given up after some rounds, which is no error here. INVALID for a `where` that metadata
 * cannot decide; on other errors what has been committed before stays, and is counted in `out`. */
firn_rc firn_maintain_compact(firn_session *session, firn_arena *arena,
                              const firn_compact_options *options, firn_compact_result *out,
                              firn_err *err) FIRN_MUST_USE;

/* CALL system.expire_snapshots(...) and system.rewrite_data_files(...) in the engine's sessions, with Spark's arguments. Before the
 * first of them. */
void firn_maintain_install(firn_engine *engine);

#endif
