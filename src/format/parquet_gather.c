/* Arrow's values of a row group side by side, without the nulls.
 *
 * Each array has an offset of its own, and a validity bitmap when it may have nulls. What lies under a null is never looked at.
 */
#include "parquet_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct gather {
    const firn_parquet_column *column;
    firn_parquet_values *out;
    int64_t row;       /* of the row group, where the segment begins */
    __int128 ten_to_p; /* DECIMAL: no value is that large */
} gather;

static size_t item_bytes(firn_parquet_kind kind)
{
    switch (kind) {
    case FIRN_PARQUET_BOOLEAN: return sizeof(bool);
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE:
    case FIRN_PARQUET_FLOAT: return sizeof(int32_t);
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY:
    case FIRN_PARQUET_UUID: return sizeof(firn_bytes);
    case FIRN_PARQUET_DECIMAL: return sizeof(__int128);
    default: return sizeof(int64_t);
    }
}

static bool bit_at(const uint8_t *bits, int64_t i)
{
    return (bits[i >> 3] >> (i & 7) & 1) != 0;
}

/* ---- one value ---- */

static firn_rc take_time(const gather *g, const firn_parquet_source *source, int64_t at,
                         int64_t *out, firn_err *err)
{
    int64_t value = ((const int64_t *)source->array->buffers[1])[at];
    if (__builtin_mul_overflow(value, source->factor, out)) {
        FIRN_FAIL(err, FIRN_E_TYPE,
                  "column %s: the timestamp %" PRId64 " is beyond what microseconds can say",
                  g->column->name, value);
    }
    return FIRN_OK;
}

static firn_rc take_decimal(const gather *g, const firn_parquet_source *source, int64_t at,
                            __int128 *out, firn_err *err)
{
    memcpy(out, (const uint8_t *)source->array->buffers[1] + (size_t)at * sizeof(*out),
           sizeof(*out));
    if (*out >= g->ten_to_p || *out <= -g->ten_to_p) {
        FIRN_FAIL(err, FIRN_E_TYPE, "column %s: a value has more digits than decimal(%d, %d)",
                  g->column->name, g->column->precision, g->column->scale);
    }
    return FIRN_OK;
}

static firn_bytes take_text(const struct ArrowArray *array, int64_t at)
{
    const int32_t *offsets = array->buffers[1];
    const uint8_t *data = array->buffers[2];
    int32_t from = offsets[at];
    return firn_bytes_of(data != NULL ? data + from : (const uint8_t *)"", /* all are empty */
                         (size_t)(offsets[at + 1] - from));
}

static firn_rc take(const gather *g, const firn_parquet_source *source, int64_t at, int64_t to,
                    firn_err *err)
{
    const void *data = source->array->buffers[1];
    void *out = g->out->data;
    switch (g->column->kind) {
    case FIRN_PARQUET_BOOLEAN: ((bool *)out)[to] = bit_at(data, at); return FIRN_OK;
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE:
    case FIRN_PARQUET_FLOAT: ((int32_t *)out)[to] = ((const int32_t *)data)[at]; return FIRN_OK;
    case FIRN_PARQUET_LONG:
    case FIRN_PARQUET_DOUBLE:
    case FIRN_PARQUET_TIME: ((int64_t *)out)[to] = ((const int64_t *)data)[at]; return FIRN_OK;
    case FIRN_PARQUET_TIMESTAMP:
    case FIRN_PARQUET_TIMESTAMPTZ: return take_time(g, source, at, &((int64_t *)out)[to], err);
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY:
        ((firn_bytes *)out)[to] = take_text(source->array, at);
        return FIRN_OK;
    case FIRN_PARQUET_UUID:
        ((firn_bytes *)out)[to] = firn_bytes_of((const uint8_t *)data + 16 * at, 16);
        return FIRN_OK;
    default: return take_decimal(g, source, at, &((__int128 *)out)[to], err);
    }
}

/* ---- a segment ---- */

/* Values that lie in the array as they will in the file. */
static bool is_copied(const gather *g, const firn_parquet_source *source)
{
    switch (g->column->kind) {
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE:
    case FIRN_PARQUET_FLOAT:
    case FIRN_PARQUET_LONG:
    case FIRN_PARQUET_DOUBLE:
    case FIRN_PARQUET_TIME: return true;
    case FIRN_PARQUET_TIMESTAMP:
    case FIRN_PARQUET_TIMESTAMPTZ: return source->factor == 1;
    default: return false;
    }
}

static firn_rc take_all(gather *g, const firn_parquet_source *source, int64_t at, int64_t count,
                        firn_err *err)
{
    if (is_copied(g, source)) {
        size_t width = item_bytes(g->column->kind);
        memcpy((uint8_t *)g->out->data + (size_t)g->out->n * width,
               (const uint8_t *)source->array->buffers[1] + (size_t)at * width,
               (size_t)count * width);
    } else {
        for (int64_t i = 0; i < count; i++) {
            FIRN_TRY(take(g, source, at + i, g->out->n + i, err));
        }
    }
    g->out->n += count;
    return FIRN_OK;
}

static void need_present(gather *g)
{
    if (g->out->present == NULL) {
        g->out->present = firn_malloc((size_t)g->out->rows + 1);
        memset(g->out->present, 1, (size_t)g->out->rows);
    }
}

static firn_rc take_present(gather *g, const firn_parquet_source *source, int64_t at, int64_t count,
                            firn_err *err)
{
    const uint8_t *bits = source->array->buffers[0];
    for (int64_t i = 0; i < count; i++) {
        if (bit_at(bits, at + i)) {
            FIRN_TRY(take(g, source, at + i, g->out->n, err));
            g->out->n++;
        } else {
            need_present(g);
            g->out->present[g->row + i] = 0;
        }
    }
    return FIRN_OK;
}

static firn_rc take_segment(gather *g, const firn_parquet_source *source, int64_t from,
                            int64_t count, firn_err *err)
{
    const struct ArrowArray *array = source->array;
    if (array == NULL) {
        need_present(g);
        memset(g->out->present + g->row, 0, (size_t)count);
        return FIRN_OK;
    }
    int64_t at = array->offset + from;
    bool nulls = array->null_count != 0 && array->buffers[0] != NULL;
    return nulls ? take_present(g, source, at, count, err) : take_all(g, source, at, count, err);
}

firn_rc firn_parquet_gather(const firn_parquet_column *column,
                            const firn_parquet_segments *segments, size_t index, int64_t rows,
                            firn_parquet_values *out, firn_err *err)
{
    gather g = {.column = column, .out = out, .ten_to_p = 1};
    *out = (firn_parquet_values){.rows = rows};
    out->data = firn_malloc(firn_mul_size(item_bytes(column->kind), (size_t)rows + 1));
    for (int i = 0; i < column->precision; i++) {
        g.ten_to_p *= 10;
    }
    for (size_t i = 0; i < segments->len; i++) {
        const firn_parquet_segment *segment = &segments->items[i];
        FIRN_TRY(take_segment(&g, &segment->sources[index], segment->from, segment->count, err));
        g.row += segment->count;
    }
    if (column->required && out->n < rows) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "column %s is NOT NULL, and %" PRId64 " rows have no value in it", column->name,
                  rows - out->n);
    }
    return FIRN_OK;
}

void firn_parquet_values_free(firn_parquet_values *values)
{
    free(values->present);
    free(values->data);
    *values = (firn_parquet_values){0};
}
