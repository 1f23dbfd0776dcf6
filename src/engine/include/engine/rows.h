/* Rows from outside: Arrow batches (C Data Interface) into data files of lake tables, for ingestion.
 *
 * Nothing here commits. What is written is a firn_rows_written, which the caller puts into a snapshot of its own making, beside
 * whatever else must change in the same commit, or discards. Batches are borrowed: they are neither changed nor released, and may be
 * read several times.
 *
 * Strings must be UTF-8. The arena of a call must end before the engine is closed.
 *
 * Inside `sql` the rows are the relation `batch` (all given batches, united by name); lake tables may be joined, as of the session's
 * ref. A session belongs to one thread; several sessions of one engine may write at once.
 *
 * Errors: TYPE and CHECK_FAILED are the rows' fault (halve the batch to find the row); NO_COLUMN, SYNTAX the statement's or the
 * table's; NO_SPACE, IO and MEMORY are nobody's.
 */
#ifndef ENGINE_ROWS_H
#define ENGINE_ROWS_H

#include "engine/engine.h"
#include "format/arrow.h"
#include "iceberg/snapshot.h"

/* Columns of a statement's result whose names start so are the caller's own: neither described nor written. */
#define FIRN_ROWS_OWN_PREFIX "__firn_"

/* Rows [from, from + count) of an array of this schema (both "+s"); with `pick` the rows pick[from], pick[from + 1], ... of it. */
typedef struct firn_rows {
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
    int64_t from, count;
    const uint32_t *pick; /* NULL: consecutive */
} firn_rows;

/* Arrow's types as Iceberg's, with ids from 1 in Iceberg's order of assignment. format_version 3 gives timestamp_ns; in version 2
 * nanoseconds become microseconds, and with a zone in both, since the engine cannot write timestamptz_ns. Unsigned 64-bit is decimal(20, 0).
 * A fixed of n bytes is binary. A string or 16 bytes whose field says so is uuid ("arrow.uuid", or metadata firn.logical=uuid).
 * Columns that have only nulls (Arrow's null type) are unknown in version 3 and left out in version 2 until they get a type; a
 * struct without members is left out, too. Optional columns are those that Arrow calls nullable. UNSUPPORTED names the column. */
firn_rc firn_rows_schema(firn_arena *arena, const struct ArrowSchema *arrow, int format_version,
                         firn_schema **out, firn_err *err) FIRN_MUST_USE;
/* The columns that `sql` gives from these rows (NULL: the rows themselves), as those of a new table. */
firn_rc firn_rows_describe(firn_session *session, firn_arena *arena, const firn_rows *rows,
                           size_t n_rows, const char *sql, int format_version, firn_schema **out,
                           firn_err *err) FIRN_MUST_USE;

/* The SELECT `outer`, in which `batch` means what the SELECT `inner` gives; in `inner` it means the rows. SYNTAX. */
firn_rc firn_rows_compose(firn_session *session, firn_arena *arena, const char *inner,
                          const char *outer, const char **out, firn_err *err) FIRN_MUST_USE;

typedef struct firn_rows_written {
    FIRN_VEC(firn_data_file) files; /* data and delete files; texts live in the call's arena */
    int64_t rows;                   /* in the data files */
} firn_rows_written;
/* Delete the files: they are not wanted. */
void firn_rows_discard(firn_session *session, const firn_rows_written *written);

/* A column of the table that holds one value in all rows, said by whoever made the rows: where it says the partition of all of them,
 * nothing has to be parted, and rows go straight to files. Rows without a statement need not have the column; a statement gives it. */
typedef struct firn_rows_constant {
    const char *column, *text; /* the value as SQL casts it to text */
} firn_rows_constant;

typedef struct firn_rows_write {
    const firn_rows *rows;
    size_t n_rows;
    const char
        *sql; /* a SELECT over `batch`; NULL: all columns. Its columns meet the table's by name. */
    const firn_metadata *metadata; /* of the table: schema, default spec, sort order, properties */
    const char *table_text;
    bool
        ignore_unknown; /* columns that the table does not have are left out instead of NO_COLUMN */
    const firn_rows_constant *constants;
    size_t n_constants;
    bool
        lasting; /* the files stay as they are, so size counts more than time: dictionaries of many values */
} firn_rows_write;
/* Durable data files. Columns that the rows do not have get their write default or NULL. */
firn_rc firn_rows_to_files(firn_session *session, firn_arena *arena, const firn_rows_write *write,
                           firn_rows_written *out, firn_err *err) FIRN_MUST_USE;

/* Data files that stay open while rows come, for rows without a statement: batches are encoded as they come, and need not be kept. `write` says the table and
 * the constants; what it points to is borrowed until the end, which is finish or discard, and so is the arena that it all lives in. *out NULL: the table
 * is not for it, and firn_rows_to_files is. */
typedef struct firn_rows_file firn_rows_file;
firn_rc firn_rows_file_open(firn_session *session, firn_arena *arena, const firn_rows_write *write,
                            firn_rows_file **out, firn_err *err) FIRN_MUST_USE;
/* All of the rows, or none of them (*taken): firn_rows_to_files takes those, or says what is wrong with them. After an error the file can only be
 * discarded. */
firn_rc firn_rows_file_add(firn_rows_file *file, const firn_rows *rows, size_t n_rows, bool *taken,
                           firn_err *err) FIRN_MUST_USE;
int64_t firn_rows_file_held_bytes(const firn_rows_file *file); /* of memory */
/* Durable data files; after an error they are gone. */
firn_rc firn_rows_file_finish(firn_rows_file *file, firn_rows_written *out,
                              firn_err *err) FIRN_MUST_USE;
void firn_rows_file_discard(firn_rows_file *file); /* NULL is fine */

/* Any query over `batch`: a small result as text; cells[row][column], NULL for SQL null. */
firn_rc firn_rows_query(firn_session *session, firn_arena *arena, const firn_rows *rows,
                        size_t n_rows, const char *sql, const char *const *const **cells,
                        size_t *n_cells, size_t *n_columns, firn_err *err) FIRN_MUST_USE;

/* Fan-out: what `sql` gives (NULL: the rows themselves), evaluated once, parted by the text that the expression `by` over its columns
 * has. Each part can be written on its own without looking at the others again. */
typedef struct firn_route {
    const char *value; /* NULL: `by` is null; always there, as the first, be it without rows */
    const firn_rows *rows;
    size_t n_rows;
    int64_t count;
} firn_route;
typedef struct firn_rows_parting {
    const firn_rows *rows;
    size_t n_rows;
    const char *sql, *by;
    size_t routes_max; /* more values than that are LIMIT */
} firn_rows_parting;
/* Routes in the order of their values. They live in the arena; without `sql` they borrow the given arrays. */
firn_rc firn_rows_route(firn_session *session, firn_arena *arena, const firn_rows_parting *parting,
                        firn_route **routes, size_t *n, firn_err *err) FIRN_MUST_USE;

/* ---- upserts ------------------------------------------------------------------------------------------ */

/* The rows are changes by key: of each key the last one counts (order_by); it deletes the key's rows, and unless delete_if is true
 * becomes its new one. Position delete files on format version 2, deletion vectors on 3; version 1 is UNSUPPORTED. A file without a row
 * left is removed instead.
 *
 * A change without a value in a key column is CHECK_FAILED: no key, no row to change. Rows of the table with NULL there are never
 * met. Keys are compared as the table's types compare in SQL: -0.0 is 0.0, NaN is NaN.
 *
 * The texts are SQL over the columns of `batch` and those of the statement's result; where both have a name, it is that of `batch`
 * (unless the statement aggregates: then only the result's are there). */
typedef struct firn_rows_upsert {
    firn_rows_write write;
    const char *const *key; /* columns of the table and of the statement's result */
    size_t n_key;
    const char *order_by;    /* one expression or several with commas: later is greater; of equal
                              * ones, and when NULL, the row that comes later */
    const char *delete_if;   /* boolean; NULL: nothing is deleted */
    const char *truncate_if; /* Debezium: a change at which all earlier rows go; NULL: none */
} firn_rows_upsert;

typedef struct firn_upserted {
    firn_rows_written written; /* data and delete files */
    /* What the commit must carry: operation, files that newer ones replace, and the validation that what was looked up still holds.
     * `added` is written.files. */
    firn_snapshot_change change;
    bool truncated; /* every earlier row goes; they are not counted */
    int64_t inserted, updated, deleted;
} firn_upserted;

/* In two steps, of which only the second depends on what others commit meanwhile:
 *
 *     FIRN_TRY(firn_upsert_open(session, arena, &options, &upsert, err));      changes deduplicated, data files written
 *     in the commit's builder, which may be called again for a newer head:
 *         FIRN_TRY(firn_upsert_plan(upsert, base->metadata, &upserted, err));  the keys' rows of that head, delete files
 *         FIRN_TRY(firn_snapshot_produce(..., base->metadata, &upserted.change, ...));
 *     after a known failure:
 *         firn_upsert_discard(upsert);
 *
 * Planning again looks only into data files that were not there before, so it is short enough to be done while other writers wait:
 * writers of other keys never make one another fail. The upsert lives in `arena`, which must end before the session does; options are
 * borrowed for the call of firn_upsert_open alone. */
typedef struct firn_upsert firn_upsert;
firn_rc firn_upsert_open(firn_session *session, firn_arena *arena, const firn_rows_upsert *options,
                         firn_upsert **out, firn_err *err) FIRN_MUST_USE;
/* `head` must live until the change is used. VALIDATION when the table is another one now, or has lost a key column. */
firn_rc firn_upsert_plan(firn_upsert *upsert, const firn_metadata *head, firn_upserted *out,
                         firn_err *err) FIRN_MUST_USE;
int64_t firn_upsert_keys(const firn_upsert *upsert); /* that have a change */
/* Delete what was written: not after an unknown outcome. */
void firn_upsert_discard(firn_upsert *upsert);

/* Both steps against write.metadata. On VALIDATION or CONFLICT of the commit discard and call again against the table as it is then. */
firn_rc firn_rows_upsert_files(firn_session *session, firn_arena *arena,
                               const firn_rows_upsert *upsert, firn_upserted *out,
                               firn_err *err) FIRN_MUST_USE;

#endif
