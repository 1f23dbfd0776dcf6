/* What a query's columns are called in the table, and what is put beside them: looks at Arrow's structures, nothing is copied.
 *
 *   names           in lower case, at every depth (ksqlDB writes in upper case what nobody quoted)
 *   leading columns of the query that are no columns of the table (partition, offset, time of a stream's row) go on under names that
 *                   begin with FIRN_ROWS_OWN_PREFIX, or not at all
 *   a column of the partitioning is no column of the source: CONFIG says so
 *
 * Threads: immutable once made; views of arrays may be made by one thread while another reads older ones.
 */
#ifndef EXPORT_COLUMNS_H
#define EXPORT_COLUMNS_H

#include "export/feed.h"

#include "engine/rows.h"

#define FIRN_EXPORT_TIME      FIRN_ROWS_OWN_PREFIX "rowtime"
#define FIRN_EXPORT_TOMBSTONE FIRN_ROWS_OWN_PREFIX "tombstone"
#define FIRN_EXPORT_NUMBER    FIRN_ROWS_OWN_PREFIX "number" /* in the order of arrival */

/* Of a stream's SELECT list, in this order, before the columns. */
enum { FIRN_EXPORT_AT_PARTITION, FIRN_EXPORT_AT_OFFSET, FIRN_EXPORT_AT_TIME, FIRN_EXPORT_LEADING };

typedef struct firn_export_columns {
    struct ArrowSchema view; /* what the engine sees; a copy, so that the query may end */
    size_t *child;           /* of the array, for each child of the view; SIZE_MAX: the number */
    struct ArrowSchema all;  /* the table's: the source's columns, then the partitioning's */
    const char *const *keys; /* columns of the table that identify rows */
    size_t n_keys;
} firn_export_columns;

typedef struct firn_export_columns_options {
    const struct ArrowSchema *schema; /* of the query's batches */
    size_t leading;  /* columns before the source's: FIRN_EXPORT_LEADING for streams, else 0 */
    bool tombstones; /* they go on, and the rows' numbers beside them */
    bool by_time;    /* the row's time goes on */
    const firn_export_feed *feed;
    const char *const *keys; /* as the server names them; rows of the table are unique by them */
    size_t n_keys;
} firn_export_columns_options;

firn_rc firn_export_columns_plan(firn_arena *arena, const firn_export_columns_options *options,
                                 firn_export_columns *out, firn_err *err) FIRN_MUST_USE;
/* The array as the view's; `number` is an int64 array of as many rows, for a view with numbers. */
struct ArrowArray *firn_export_columns_view(firn_arena *arena, const firn_export_columns *columns,
                                            const struct ArrowArray *array,
                                            const struct ArrowArray *number);
/* The source's column of that name, in any case; NULL: there is none. */
const struct ArrowSchema *firn_export_columns_find(const firn_export_columns *columns,
                                                   const char *name);
/* Bytes of the rows in memory. */
size_t firn_export_array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array);

/* The SELECT over `batch` that adds the partitioning's columns (filing.c). `inner` is its FROM item. */
typedef struct firn_export_filing {
    const firn_export_feed *feed;
    const firn_export_columns *columns;
    int32_t day;      /* of the export, since 1970 */
    int hour;         /* likewise */
    int64_t version;  /* by version */
    const char *from; /* SQL; NULL: batch */
    bool one_span;    /* by event: all rows are of `day` and `hour` */
} firn_export_filing;
firn_rc firn_export_filing_sql(firn_arena *arena, const firn_export_filing *filing,
                               const char **out, firn_err *err) FIRN_MUST_USE;
/* The columns of it that hold one value in all rows; none when rows are filed by their own times. */
const firn_rows_constant *firn_export_filing_constants(firn_arena *arena,
                                                       const firn_export_filing *filing, size_t *n);
/* Years 1 to 9999: what a folder can be called, and a timestamp be computed with. */
#define FIRN_EVENT_MS_MIN INT64_C(-62135596800000)
#define FIRN_EVENT_MS_MAX INT64_C(253402300799999)
/* Where the i-th of the rows is in their array. */
static inline uint32_t firn_export_row(const firn_rows *rows, int64_t i)
{
    return rows->pick != NULL ? rows->pick[rows->from + i] : (uint32_t)(rows->from + i);
}

/* Rows of one day or hour. */
typedef struct firn_export_span {
    int32_t day; /* since 1970 */
    int hour;
    firn_rows *rows;
    size_t n_rows;
} firn_export_span;
/* Rows filed by event, sorted into spans. False: they cannot be told apart cheaply, or are of very many. */
bool firn_export_spans(firn_arena *arena, const firn_export_columns *columns,
                       const firn_export_feed *feed, const firn_rows *rows, size_t n,
                       firn_export_span **out, size_t *n_out);
/* latest.c: of each key the last of these rows stays, unless that is a tombstone. False: a key column is of a type whose values are not
 * equal by their bytes; the rows are as they were. Rows are changed in place, their picks are in the arena. */
bool firn_export_latest(firn_arena *arena, const firn_export_columns *columns, firn_rows *rows,
                        size_t n);
/* The child of the view that is called so, in any case; SIZE_MAX: there is none. */
size_t firn_export_columns_child(const firn_export_columns *columns, const char *name);
/* Whether rows are filed by a time of their own, not by the day of the export. */
bool firn_export_by_event(const firn_export_feed *feed);

#endif
