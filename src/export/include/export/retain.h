/* Retention: what is older than the feed allows goes, from the table, its history, the folders and the disk.
 *
 *   retention_days      rows filed under a day before (today - days): one delete commit of whole files, then the snapshots that
 *                       still name them expire, then the bytes are deleted (GDPR: nothing of them is left)
 *   retention_versions  tags vN beyond the newest so many go, and their snapshots and files with them
 *
 * What a branch or tag of the catalog, or a tag that somebody made, still has is kept, and `kept_by` says by whom. The caller holds the
 * feed's lock. Fault points: "retain.committed", "retain.expired". Killed in between, the next one does what is left.
 *
 * Compaction for feeds: the table's small files become larger ones, then the folders are made anew.
 */
#ifndef EXPORT_RETAIN_H
#define EXPORT_RETAIN_H

#include "engine/engine.h"
#include "export/feed.h"

typedef struct firn_retain_result {
    int64_t rows, files, bytes; /* gone from the table; bytes off the disk */
    int64_t partitions;         /* days or versions */
    const char *oldest_kept;    /* "2024-11-30", "v4"; NULL: nothing is there */
    const char *const *kept_by;
    size_t n_kept_by;
} firn_retain_result;
/* What is due, without doing it: dry_run. */
firn_rc firn_export_retain(firn_session *session, firn_arena *arena, const firn_export_feed *feed,
                           int64_t now_us, bool dry_run, firn_retain_result *out,
                           firn_err *err) FIRN_MUST_USE;

#endif
