/* Flat Arrow rows as a Parquet file (https://parquet.apache.org/docs/file-format): version 1 data pages, plain and dictionary encodings, statistics, field
 * ids. What every reader can read.
 *
 *     FIRN_TRY(firn_parquet_begin(&options, &writer, err));
 *     FIRN_TRY(firn_parquet_add(writer, &rows, err));           any number of times
 *     FIRN_TRY(firn_parquet_finish(writer, err));
 *     ... firn_parquet_column_stats(writer, i) ...
 *     firn_parquet_free(writer);
 *
 * Rows are encoded when they are added; nothing of theirs is borrowed after that. Bytes go to the sink in order, a row group at a time. A writer belongs to
 * one thread; it may use others for its columns.
 *
 * Errors: of firn_parquet_add TYPE (a decimal of too many digits, a timestamp beyond microseconds) and CHECK_FAILED (no value in a required column), after
 * which none of these rows was taken and others may follow. LIMIT and what the sink says; after those the writer can only be freed.
 */
#ifndef FORMAT_PARQUET_H
#define FORMAT_PARQUET_H

#include "base/buf.h"
#include "format/arrow.h"

typedef enum firn_parquet_kind {
    FIRN_PARQUET_BOOLEAN,     /* Arrow b */
    FIRN_PARQUET_INT,         /* i */
    FIRN_PARQUET_LONG,        /* l */
    FIRN_PARQUET_FLOAT,       /* f */
    FIRN_PARQUET_DOUBLE,      /* g */
    FIRN_PARQUET_DATE,        /* tdD */
    FIRN_PARQUET_TIME,        /* ttu */
    FIRN_PARQUET_TIMESTAMP,   /* tsu or tsm; microseconds in the file */
    FIRN_PARQUET_TIMESTAMPTZ, /* the same with a zone */
    FIRN_PARQUET_STRING,      /* u */
    FIRN_PARQUET_BINARY,      /* z */
    FIRN_PARQUET_UUID,        /* w:16 */
    FIRN_PARQUET_DECIMAL,     /* d of 128 bits */
} firn_parquet_kind;

typedef enum firn_parquet_codec {
    FIRN_PARQUET_PLAIN,
    FIRN_PARQUET_SNAPPY,
    FIRN_PARQUET_ZSTD,
} firn_parquet_codec;

typedef struct firn_parquet_column {
    const char *name;
    int32_t field_id;
    firn_parquet_kind kind;
    bool required;
    int precision, scale; /* DECIMAL */
} firn_parquet_column;

typedef struct firn_parquet_options {
    const firn_parquet_column *columns;
    size_t n_columns;
    firn_parquet_codec codec;
    int level; /* of zstd; 0: for each column the quickest way that is nearly as small as level 1 */
    bool deltas;            /* whole numbers as differences: small, but not every reader has that */
    int64_t row_group_rows; /* from 1; a row group ends when it has so many */
    int64_t row_group_bytes; /* or holds so many of memory; 0: 256 MB */
    size_t dictionary_max;   /* a column chunk of more different values is written plain */
    int threads;
    firn_rc (*sink)(void *ctx, firn_bytes bytes, firn_err *err);
    void *ctx;
} firn_parquet_options;

/* Arrow's type where it is not the one that the kind says. */
typedef enum firn_parquet_cast {
    FIRN_PARQUET_AS_IS,
    FIRN_PARQUET_INT_TO_LONG,     /* i, and ttm for a TIME, whose factor is 1000 */
    FIRN_PARQUET_LONG_TO_INT,     /* l; TYPE for what does not fit */
    FIRN_PARQUET_FLOAT_TO_DOUBLE, /* f */
} firn_parquet_cast;

/* Where a column's values are. `array` NULL: nulls. */
typedef struct firn_parquet_source {
    const struct ArrowArray *array;
    int64_t factor; /* what a time is multiplied by: 1, 1000 */
    firn_parquet_cast cast;
} firn_parquet_source;

/* Rows [from, from + count) of the arrays, whose own offsets come on top; with `pick` the rows pick[from], pick[from + 1], ... */
typedef struct firn_parquet_rows {
    const firn_parquet_source *sources; /* one for each column */
    const uint32_t *pick;               /* NULL: consecutive */
    int64_t from, count;
    bool checked; /* firn_parquet_check has seen them */
} firn_parquet_rows;

/* Of a column of the whole file. There are no bounds when all is null or a NaN is among the values. */
typedef struct firn_parquet_stats {
    int64_t size_bytes, nulls, nans;
    bool bounded;
    union {
        int64_t i64;      /* BOOLEAN, INT, LONG, DATE, TIME, TIMESTAMP, TIMESTAMPTZ */
        double f64;       /* FLOAT, DOUBLE: zero is -0.0 as lower bound, +0.0 as upper */
        __int128 decimal; /* unscaled */
        firn_bytes bytes; /* STRING, BINARY, UUID */
    } min, max;
} firn_parquet_stats;

typedef struct firn_parquet_writer firn_parquet_writer;

firn_rc firn_parquet_begin(const firn_parquet_options *options, firn_parquet_writer **out,
                           firn_err *err) FIRN_MUST_USE;
firn_rc firn_parquet_add(firn_parquet_writer *writer, const firn_parquet_rows *rows,
                         firn_err *err) FIRN_MUST_USE;
/* Do the columns hold these rows? For who wants all of several or none. TYPE, CHECK_FAILED. */
firn_rc firn_parquet_check(const firn_parquet_options *options, const firn_parquet_rows *rows,
                           firn_err *err) FIRN_MUST_USE;
firn_rc firn_parquet_finish(firn_parquet_writer *writer, firn_err *err) FIRN_MUST_USE;
int64_t firn_parquet_bytes(const firn_parquet_writer *writer); /* that the sink has got */
int64_t firn_parquet_row_count(
    const firn_parquet_writer *writer); /* of row groups that it has got */
/* Of memory for the row group that is being filled, about. */
int64_t firn_parquet_held_bytes(const firn_parquet_writer *writer);
const firn_parquet_stats *firn_parquet_column_stats(const firn_parquet_writer *writer,
                                                    size_t column);
void firn_parquet_free(firn_parquet_writer *writer);

#endif
