/* The reader of an export: a thread that takes batches from the server while its owner writes those before to files.
 *
 *   owner                                    reader's thread
 *   firn_export_reader_next  <- queue <-     firn_ksqldb_query_next, marks
 *
 * The queue is bounded by bytes. The end: what the server says, or, of a push query, quiet: no row within quiet_ms while every marker
 * has been seen (marks.h). Before the first row the server gets first_ms, since it has to set up the query.
 *
 * The marks belong to the reader until firn_export_reader_next has given the end.
 */
#ifndef EXPORT_READER_H
#define EXPORT_READER_H

#include "columns.h"
#include "marks.h"

#include "source/ksqldb.h"

typedef struct firn_export_batch {
    struct firn_export_batch *next;
    struct ArrowArray array; /* as the server's query has it */
    uint32_t *pick;          /* rows that count; NULL: the first `count` */
    int64_t count;
    size_t bytes;
} firn_export_batch;
void firn_export_batch_free(firn_export_batch *batch);

typedef struct firn_export_reader_options {
    firn_ksqldb_query *query;
    firn_export_marks *marks; /* NULL: all rows count */
    bool ends_by_quiet;       /* a push query */
    int64_t first_ms, quiet_ms;
    int64_t timeout_ms; /* for the markers; and of silence in a pull query */
    size_t queue_bytes_max;
    firn_session *session; /* interrupted when told to stop */
    const volatile bool *stop;
    void (*on_batch)(void *ctx, int64_t rows); /* in the reader's thread; nullable */
    void *ctx;
} firn_export_reader_options;

typedef struct firn_export_reader firn_export_reader;
firn_rc firn_export_reader_start(const firn_export_reader_options *options,
                                 firn_export_reader **out, firn_err *err) FIRN_MUST_USE;
/* Waits. *batch NULL: that was all. The caller frees it. */
firn_rc firn_export_reader_next(firn_export_reader *reader, firn_export_batch **batch,
                                firn_err *err) FIRN_MUST_USE;
/* What it has failed with by now, if it has: then a write that was interrupted is not what went wrong. */
firn_rc firn_export_reader_failure(firn_export_reader *reader, firn_err *err) FIRN_MUST_USE;
/* Stops it, if it still reads. NULL is fine. */
void firn_export_reader_free(firn_export_reader *reader);

#endif
