/* Exports: what a feed's source has and the table has not, in one commit; then the folders (tree.h), retention, history and the log.
 *
 *   stream, append    rows behind the offsets that the table holds (property firn.offsets.<feed>, checked in the commit as ingestion does)
 *   table, overwrite  a complete new version N: rows with version=vN in place of the last one's, the tag vN on the snapshot, the
 *                     property firn.version=N, in the same commit
 *   ignore            nothing, if the table has been written once
 *
 * Feeds run beside each other (`jobs`), each batch by batch in bounded memory. One that fails does not stop the others. Killed at any
 * point, the next export does what is left: the table's offsets say what it holds, and the folders are made from the table.
 * Fault points: "export.open", "export.batch", "export.before_commit", "export.after_commit", and those of tree.h and retain.h.
 */
#ifndef EXPORT_RUN_H
#define EXPORT_RUN_H

#include "engine/engine.h"
#include "export/feed.h"

typedef enum firn_export_outcome {
    FIRN_EXPORT_DONE,
    FIRN_EXPORT_NOTHING_NEW,
    FIRN_EXPORT_SKIPPED, /* disabled, or written once already: `message` */
    FIRN_EXPORT_FAILED,  /* `message` */
} firn_export_outcome;

typedef struct firn_export_result {
    const char *feed;
    firn_export_kind kind;
    firn_export_outcome outcome;
    const char *message; /* of FAILED and SKIPPED: one sentence */
    const char *const *warnings;
    size_t n_warnings;
    int64_t rows, files, bytes; /* added */
    int64_t json_bytes;         /* read from the server */
    int64_t version;            /* 0: no version */
    const char *where; /* "year=2025/month=01/day=15", "4 days", "version=v4 (v1..v4 kept)" */
    double seconds;
} firn_export_result;

typedef struct firn_export_progress {
    const char *feed;
    const char *phase;   /* "reading", "committing", "folders", "retention", "done", "failed" */
    int64_t rows, bytes; /* of the table; of JSON */
    int64_t
        expected; /* rows of the last export of this feed: what a bar may be drawn against; 0: not known */
} firn_export_progress;

typedef struct firn_export_options {
    const char *const *names; /* NULL: every active, enabled feed */
    size_t n_names;
    const firn_export_kind *kind; /* the names must be of that kind; nullable */
    const char *date; /* "2025-01-15": the day that the rows are filed under; NULL: today (UTC) */
    const char *
        from; /* "beginning": read the stream anew, whatever the table holds: after a re-created stream; nullable */
    int jobs; /* feeds at once; 0: 4 */
    int64_t now_us; /* 0: the clock */
    int64_t
        quiet_ms; /* a push query has given all when no row came for so long; 0: as the feed says, else 2 s */
    int64_t first_ms; /* the same before its first row; 0: five times quiet_ms */
    int64_t
        flush_bytes; /* of decoded rows that become files at once; 0: 128 MiB, less with many jobs */
    int64_t batch_rows_max; /* 0: as source/ksqldb.h says */
    bool dry_run;           /* reads and says what would come; writes nothing */
    /* From several threads, one at a time. */
    void (*on_progress)(void *ctx, const firn_export_progress *progress);
    void *ctx;
    const volatile bool *stop; /* set by a signal: end soon, commit nothing half; nullable */
} firn_export_options;

/* Results in the order of the feeds. Fails only when it cannot begin (no such feed, no source). */
firn_rc firn_export_run(firn_engine *engine, firn_arena *arena, const firn_export_options *options,
                        firn_export_result **out, size_t *n, firn_err *err) FIRN_MUST_USE;

#endif
