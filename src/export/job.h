/* One feed's export at work: what its steps share.
 *
 *   job.c        the order of the steps; what becomes of a failure
 *   stream.c     streams: rows behind the offsets that the table holds
 *   kafka.c      streams, from the topic behind them
 *   snapshot.c   tables: a complete new version
 *   source.c     the query; columns.c, filing.c what becomes of its columns
 *   span.c       rows by the day or hour of their time; latest.c the last row of each key
 *   reader.c, marks.c   rows from the server
 *   writer.c     rows into data files
 *   target.c     the table: made, evolved, its properties
 *   commit.c     the commits that ingest/commit.h does not make
 *
 * A job belongs to one thread, apart from its reader. Everything lives in its arena.
 */
#ifndef EXPORT_JOB_H
#define EXPORT_JOB_H

#include "reader.h"

#include "export/run.h"

#include <pthread.h>

/* Table properties of ours, beside those of ingest/commit.h. */
#define FIRN_EXPORT_VERSION_PROPERTY "firn.version"

typedef struct firn_export_run_state {
    firn_engine *engine;
    firn_lake *lake;
    const firn_export_options *options;
    int64_t now_us;
    size_t flush_bytes; /* of decoded rows in memory until they become files */
    pthread_mutex_t lock;
} firn_export_run_state;

typedef struct firn_export_job {
    firn_export_run_state *run;
    firn_arena *arena;
    const firn_export_feed *feed;
    firn_session *session;
    firn_ksqldb *ksqldb;
    const char *cluster; /* of Kafka; nullable */
    int64_t timeout_ms;  /* of the source */
    firn_ident ident;
    const char *table_text;
    const firn_metadata *metadata; /* NULL: there is no such table */
    firn_ksqldb_description source;
    firn_ksqldb_query *query;
    firn_export_columns columns;
    const char *filing; /* SELECT over batch */
    int64_t version;    /* by version: that is being made */
    int32_t day;        /* of the export */
    int hour;
    struct firn_export_writer *writer;
    FIRN_VEC(const char *) warnings;
    firn_export_outcome outcome;
    const char *message; /* of SKIPPED, and of FAILED after the commit */
    const char *where;
    int64_t rows, files, bytes, json_bytes, snapshot_id, expected;
    bool committed;                /* the table has the rows, whatever comes after */
    int64_t seen_rows, seen_bytes; /* so far, for the bar. @locks run->lock */
    const firn_data_file *added;
    size_t n_added;
} firn_export_job;

void firn_export_warn(firn_export_job *job, const char *format, ...) FIRN_PRINTF(2, 3);
void firn_export_tell(firn_export_job *job, const char *phase);
int64_t firn_export_now_us(const firn_export_job *job); /* of records and the log: as it goes on */
void firn_export_seen(firn_export_job *job, int64_t rows, int64_t bytes); /* for the bar */
bool firn_export_stopped(const firn_export_job *job);
int64_t firn_export_quiet_ms(const firn_export_job *job);

/* ---- source.c ---- */
/* Describes the stream or table. */
firn_rc firn_export_describe(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* SELECT list of a stream: FIRN_EXPORT_LEADING columns, then the source's. */
const char *firn_export_stream_select(firn_export_job *job, const char *where);
firn_rc firn_export_open_query(firn_export_job *job, const char *sql, bool push,
                               firn_err *err) FIRN_MUST_USE;
/* Key columns as the server names them; of windowed sources the window's bounds, too, as far as the query gives them. */
const char *const *firn_export_keys(firn_export_job *job, size_t *n);

/* ---- target.c ---- */
/* job->metadata as it is now. */
firn_rc firn_export_target_load(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* Is the table one that this feed can fill? CONFIG. */
firn_rc firn_export_target_check(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* Makes it, or brings its schema and properties up to the feed's and the source's: each a commit of its own, without rows. */
firn_rc firn_export_target_ready(firn_export_job *job, firn_err *err) FIRN_MUST_USE;

/* What the feed's file wants of them: object of strings. */
json_t *firn_export_properties(const firn_export_job *job, firn_arena *arena);
/* Its partition columns as CREATE TABLE takes them. */
const char *const *firn_export_partition_terms(const firn_export_job *job, size_t *n);

/* ---- writer.c ---- */
typedef struct firn_export_writer firn_export_writer;
/* keyed: the last row of each key counts, and none if that is a tombstone. */
firn_export_writer *firn_export_writer_new(firn_export_job *job, bool keyed);
/* Takes the batch. */
firn_rc firn_export_writer_add(firn_export_writer *writer, firn_export_batch *batch,
                               firn_err *err) FIRN_MUST_USE;
/* What is left becomes files; then job->added, rows and bytes are known. */
firn_rc firn_export_writer_finish(firn_export_writer *writer, firn_err *err) FIRN_MUST_USE;
/* Files are not wanted. */
void firn_export_writer_discard(firn_export_writer *writer);
void firn_export_writer_free(firn_export_writer *writer); /* NULL is fine */

/* ---- stream.c, snapshot.c ---- */
firn_rc firn_export_stream(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
firn_rc firn_export_snapshot(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* --from beginning: the table's offsets go, and it is said. */
firn_rc firn_export_forget(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* kafka.c: a stream from the topic behind it. */
firn_rc firn_export_topic(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* Everything that the query gives into the writer. */
firn_rc firn_export_read(firn_export_job *job, firn_export_marks *marks, bool push,
                         firn_err *err) FIRN_MUST_USE;

/* ---- commit.c ---- */
/* The rows as version job->version in place of all others. */
firn_rc firn_export_commit_version(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* The table forgets the feed's offsets. */
firn_rc firn_export_forget_offsets(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
char *firn_export_times_property(firn_arena *arena, const char *feed); /* "firn.rowtimes.<feed>" */
json_t *firn_export_summary(const firn_export_job *job, firn_arena *arena);

/* ---- job.c ---- */
typedef struct firn_export_server {
    const char *name; /* NULL: the only one */
    firn_ksqldb *ksqldb;
    const char *cluster;
    int64_t timeout_ms;
    firn_rc rc; /* of the first question; not FIRN_OK: nobody can be exported from it */
    firn_err err;
} firn_export_server;
/* From the lock to the log. Never fails: the result tells. Texts go into `arena`, which run->lock guards. */
void firn_export_job_run(firn_export_run_state *run, firn_arena *arena,
                         const firn_export_feed *feed, const firn_export_server *server,
                         firn_export_result *result);

/* ---- after.c ---- */
/* Folders, retention; the table has the rows already. */
firn_rc firn_export_settle(firn_export_job *job, firn_err *err) FIRN_MUST_USE;
/* History, quality, log. rc: what the export ended with. */
void firn_export_record_outcome(firn_export_job *job, firn_rc rc, const char *error,
                                double seconds);

/* ---- where.c ---- */
/* "year=2025/month=01/day=15", "4 days", "version=v4". */
const char *firn_export_where(const firn_export_job *job);

#endif
