/* Do the rows fit their columns? It is found out before a single value is taken, so that a writer takes all of the rows it is given or none of them.
 *
 * Only what could not fit is looked at: a loop without branches over all values, and another one, which says where, when that found something, be it
 * under a null.
 */
#include "parquet_parts.h"

#include <inttypes.h>

typedef struct fitting {
    const firn_parquet_column *column;
    const firn_parquet_source *source;
    const firn_parquet_rows *rows;
    __int128 ten_to_p; /* DECIMAL: no value is that large */
} fitting;

static inline int64_t place(const fitting *f, int64_t i)
{
    int64_t at = f->rows->pick != NULL ? f->rows->pick[f->rows->from + i] : f->rows->from + i;
    return f->source->array->offset + at;
}

static inline int64_t long_at(const fitting *f, int64_t at)
{
    return ((const int64_t *)f->source->array->buffers[1])[at];
}

static inline __int128 decimal_at(const fitting *f, int64_t at)
{
    __int128 value;
    memcpy(&value, (const uint8_t *)f->source->array->buffers[1] + (size_t)at * sizeof(value),
           sizeof(value));
    return value;
}

static inline bool is_late(const fitting *f, int64_t at)
{
    int64_t most = INT64_MAX / f->source->factor;
    return long_at(f, at) > most || long_at(f, at) < -most;
}

static inline bool is_no_int(const fitting *f, int64_t at)
{
    return long_at(f, at) != (int32_t)long_at(f, at);
}

static inline bool is_long_decimal(const fitting *f, int64_t at)
{
    return decimal_at(f, at) >= f->ten_to_p || decimal_at(f, at) <= -f->ten_to_p;
}

/* The first row with a value that IS_BAD; -1: none. */
#define FIND_BAD(NAME, IS_BAD)                                                 \
    static int64_t NAME(const fitting *f)                                      \
    {                                                                          \
        bool any = false;                                                      \
        for (int64_t i = 0; i < f->rows->count; i++) {                         \
            any |= IS_BAD(f, place(f, i));                                     \
        }                                                                      \
        for (int64_t i = 0; i < f->rows->count && any; i++) {                  \
            int64_t at = place(f, i);                                          \
            if (IS_BAD(f, at) && firn_arrow_has_value(f->source->array, at)) { \
                return at;                                                     \
            }                                                                  \
        }                                                                      \
        return -1;                                                             \
    }

FIND_BAD(find_late, is_late)
FIND_BAD(find_no_int, is_no_int)
FIND_BAD(find_long_decimal, is_long_decimal)

static int64_t count_nulls(const fitting *f)
{
    const struct ArrowArray *array = f->source->array;
    int64_t nulls = 0;
    if (array == NULL) {
        return f->rows->count;
    }
    for (int64_t i = 0; i < f->rows->count && array->null_count != 0; i++) {
        nulls += !firn_arrow_has_value(array, place(f, i));
    }
    return nulls;
}

static bool is_timed(const fitting *f)
{
    return f->source->cast == FIRN_PARQUET_AS_IS && f->source->factor != 1 &&
           (f->column->kind == FIRN_PARQUET_TIMESTAMP ||
            f->column->kind == FIRN_PARQUET_TIMESTAMPTZ);
}

static firn_rc fit_values(const fitting *f, firn_err *err)
{
    int64_t at;
    if (is_timed(f) && (at = find_late(f)) >= 0) {
        FIRN_FAIL(err, FIRN_E_TYPE,
                  "column %s: the timestamp %" PRId64 " is beyond what microseconds can say",
                  f->column->name, long_at(f, at));
    }
    if (f->source->cast == FIRN_PARQUET_LONG_TO_INT && (at = find_no_int(f)) >= 0) {
        FIRN_FAIL(err, FIRN_E_TYPE, "column %s: %" PRId64 " is beyond an int", f->column->name,
                  long_at(f, at));
    }
    if (f->column->kind == FIRN_PARQUET_DECIMAL && find_long_decimal(f) >= 0) {
        FIRN_FAIL(err, FIRN_E_TYPE, "column %s: a value has more digits than decimal(%d, %d)",
                  f->column->name, f->column->precision, f->column->scale);
    }
    return FIRN_OK;
}

firn_rc firn_parquet_fit(const firn_parquet_column *column, const firn_parquet_source *source,
                         const firn_parquet_rows *rows, firn_err *err)
{
    fitting f = {.column = column, .source = source, .rows = rows, .ten_to_p = 1};
    for (int i = 0; i < column->precision; i++) {
        f.ten_to_p *= 10;
    }
    int64_t nulls = column->required ? count_nulls(&f) : 0;
    if (nulls > 0) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "column %s is NOT NULL, and %" PRId64 " rows have no value in it", column->name,
                  nulls);
    }
    return source->array != NULL ? fit_values(&f, err) : FIRN_OK;
}
