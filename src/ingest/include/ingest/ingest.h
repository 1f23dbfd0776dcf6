/* Running feeds: from Kafka to committed snapshots, each record once.
 *
 * A feed's truth is its table's property firn.offsets.<feed>: per topic partition the next offset, changed in the same commit as the
 * rows (docs/internals/ingest.md states the invariants). Two threads per feed: one polls and decodes, one writes files and commits.
 *
 * Errors that stop a feed (loud; state "stopped" with a sentence and the command that resumes it): VALIDATION (an unsafe schema
 * change), NO_TABLE (its table was dropped), OFFSET_GONE (offset outside the topic), CHECK_FAILED (too many dead letters), UNAUTHORIZED,
 * CONFIG. Everything retriable (broker, registry, catalog, storage out of reach) is waited for, and said.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "ingest/feed.h"

typedef struct firn_ingest firn_ingest;

typedef struct firn_ingest_options {
    bool drain;     /* stop when all that was there at the start is committed */
    int64_t max_ms; /* stop after so long; 0: never */
} firn_ingest_options;

typedef enum firn_feed_state {
    FIRN_FEED_STARTING,
    FIRN_FEED_RUNNING,
    FIRN_FEED_WAITING, /* for something that is out of reach: `message` */
    FIRN_FEED_STOPPED, /* by an error: `message` and `advice` */
    FIRN_FEED_DONE,    /* drained, or told to stop */
} firn_feed_state;

const char *firn_feed_state_name(firn_feed_state state); /* "running" */

/* A live feed's figures. Texts live in the arena of the call. */
typedef struct firn_feed_status {
    const char *feed, *topic, *table;
    firn_feed_state state;
    const char *message, *advice; /* nullable */
    int pid;
    int64_t records, bytes;                         /* since the start */
    double records_per_s, bytes_per_s;              /* over the last seconds */
    int64_t rows, commits, dead_letters, conflicts; /* since the start */
    int64_t lag;                                    /* records behind; -1: not known */
    int64_t last_commit_us;                         /* 0: none yet */
    int64_t freshness_ms; /* age of the newest committed record at its commit; -1: none */
    int64_t latency_p50_ms, latency_p99_ms; /* record timestamp to commit, recent */
    int64_t buffered_bytes;
    int64_t updated_us;
} firn_feed_status;

firn_rc firn_ingest_new(firn_engine *engine, const firn_ingest_options *options, firn_ingest **out,
                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_ingest_add(firn_ingest *ingest, const firn_feed *feed, firn_err *err) FIRN_MUST_USE;
/* A feed that is no file of its own: what it points to must outlive `ingest`. */
firn_rc firn_ingest_add_given(firn_ingest *ingest, const firn_feed *feed,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_ingest_start(firn_ingest *ingest, firn_err *err) FIRN_MUST_USE;
/* Commit what is there, leave the groups, come back. Any thread; from signal handlers use the flag. */
void firn_ingest_stop(firn_ingest *ingest);
/* Wait until every feed is done or stopped, at most timeout_ms (-1: for ever); true when so. */
bool firn_ingest_wait(firn_ingest *ingest, int timeout_ms);
void firn_ingest_status(firn_ingest *ingest, firn_arena *arena, firn_feed_status **out, size_t *n);
void firn_ingest_free(firn_ingest *ingest);

/* What the processes of this machine said last (.firn/ingest/<feed>-<pid>.json), sorted by feed. Of those that have ended only what
 * was stopped by an error, with pid 0, until the feed runs again or is told where to resume. */
firn_rc firn_ingest_status_read(firn_lake *lake, firn_arena *arena, firn_feed_status **out,
                                size_t *n, firn_err *err) FIRN_MUST_USE;
/* Prometheus text of these figures. */
void firn_ingest_metrics(const firn_feed_status *status, size_t n, firn_buf *out);

/* ---- offsets: the property of the table -------------------------------------------------------------------- */
typedef struct firn_offset {
    const char *topic;
    int32_t partition;
    int64_t next;
} firn_offset;
/* What `metadata` holds for the feed; sorted; n 0 when it has never committed. */
firn_rc firn_offsets_read(firn_arena *arena, const firn_metadata *metadata, const char *feed,
                          firn_offset **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* ---- the hands that repair --------------------------------------------------------------------------------- */
typedef struct firn_resume_options {
    const char *feed;
    const char
        *from; /* "earliest", "latest", "committed", a time, or "topic:partition=offset,..." */
} firn_resume_options;
firn_rc firn_ingest_resume(firn_engine *engine, const firn_resume_options *options,
                           firn_err *err) FIRN_MUST_USE;

typedef struct firn_replay_options {
    const char *feed;
    const char *where; /* SQL over the dead letters; NULL: all */
    const char *
        value; /* SQL that gives the repaired value (over the dead letters' columns); NULL: as it was */
    bool dry_run;
} firn_replay_options;
typedef struct firn_replay_result {
    int64_t tried, replayed, failed;
} firn_replay_result;
/* Dead letters through the feed again: those that succeed become rows and leave the dead letters in one commit. */
firn_rc firn_ingest_replay(firn_engine *engine, const firn_replay_options *options,
                           firn_replay_result *out, firn_err *err) FIRN_MUST_USE;

#endif
