/* Private to writing rows: write_rows.c, careful.c, create.c. */
#ifndef INGEST_WRITE_ROWS_H
#define INGEST_WRITE_ROWS_H

#include "changes.h"
#include "ingest/evolve.h"
#include "run.h"

#include "base/map.h"
#include "engine/rows.h"

typedef FIRN_VEC(firn_change) firn_changes;

/* Some rows on their way into one table. */
typedef struct write_job {
    firn_feed_run *run;
    firn_feed_target *target;
    firn_arena *arena; /* of this write */
    const firn_rows *rows;
    const firn_chunk *const *chunks; /* that the rows are of */
    size_t n_rows;
    bool is_anchor, is_letters, is_log;
    bool may_stream; /* rows that need nothing go into a file that stays open */
    firn_ident ident;
    const char *text;
    const char *sql;                 /* NULL: the rows as they are */
    const firn_change_plan *changes; /* the rows are changes by key; NULL: they are appended */
    firn_table table;
    const firn_metadata *metadata; /* NULL: there is no such table */
} write_job;

firn_rows firn_chunk_view(firn_arena *arena, const firn_feed *feed, const firn_chunk *chunk);
/* All tables of the rows. Fails half done. */
firn_rc firn_write_rows(firn_feed_target *target, firn_arena *arena, const firn_rows *rows,
                        const firn_chunk *const *chunks, size_t n, firn_err *err) FIRN_MUST_USE;
/* The same; when it fails, or not to `keep`, no file of it is left. */
firn_rc firn_write_rows_or_none(firn_feed_target *target, firn_arena *arena, const firn_rows *rows,
                                const firn_chunk *const *chunks, size_t n, bool keep,
                                firn_err *err) FIRN_MUST_USE;
/* The job's rows, as they are, into the one table that it names. */
firn_rc firn_write_one_table(write_job *job, firn_err *err) FIRN_MUST_USE;
/* The updates that make the job's table. */
firn_rc firn_feed_table_updates(write_job *job, json_t **updates, firn_err *err) FIRN_MUST_USE;

#endif
