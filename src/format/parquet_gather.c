/* Arrow's values of a row group side by side, without the nulls.
 *
 * Each array has an offset of its own, and a validity bitmap when it may have nulls. Values of a segment are taken all, in a loop for each kind, and then
 * moved together over the nulls: what lies under a null is copied at most, never judged.
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

static size_t item_bytes(const firn_parquet_column *column)
{
    static const size_t BYTES[] = {
        [FIRN_ITEM_BOOL] = sizeof(bool),       [FIRN_ITEM_4] = sizeof(int32_t),
        [FIRN_ITEM_8] = sizeof(int64_t),       [FIRN_ITEM_16] = sizeof(__int128),
        [FIRN_ITEM_TEXT] = sizeof(firn_bytes), [FIRN_ITEM_UUID] = sizeof(firn_bytes)};
    return BYTES[firn_parquet_item_of(column)];
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

static __int128 decimal_at(const struct ArrowArray *array, int64_t at)
{
    __int128 value;
    memcpy(&value, (const uint8_t *)array->buffers[1] + (size_t)at * sizeof(value), sizeof(value));
    return value;
}

static firn_rc take_decimal(const gather *g, const firn_parquet_source *source, int64_t at,
                            int64_t to, firn_err *err)
{
    __int128 value = decimal_at(source->array, at);
    if (value >= g->ten_to_p || value <= -g->ten_to_p) {
        FIRN_FAIL(err, FIRN_E_TYPE, "column %s: a value has more digits than decimal(%d, %d)",
                  g->column->name, g->column->precision, g->column->scale);
    }
    switch (firn_parquet_item_of(g->column)) {
    case FIRN_ITEM_4: ((int32_t *)g->out->data)[to] = (int32_t)value; return FIRN_OK;
    case FIRN_ITEM_8: ((int64_t *)g->out->data)[to] = (int64_t)value; return FIRN_OK;
    default: ((__int128 *)g->out->data)[to] = value; return FIRN_OK;
    }
}

static firn_rc take_cast(const gather *g, const firn_parquet_source *source, int64_t at, int64_t to,
                         firn_err *err)
{
    const void *data = source->array->buffers[1];
    void *out = g->out->data;
    if (source->cast == FIRN_PARQUET_INT_TO_LONG) {
        ((int64_t *)out)[to] = ((const int32_t *)data)[at] * source->factor;
    } else if (source->cast == FIRN_PARQUET_FLOAT_TO_DOUBLE) {
        ((double *)out)[to] = (double)((const float *)data)[at];
    } else {
        int64_t value = ((const int64_t *)data)[at];
        if (value != (int32_t)value) {
            FIRN_FAIL(err, FIRN_E_TYPE, "column %s: %" PRId64 " is beyond an int", g->column->name,
                      value);
        }
        ((int32_t *)out)[to] = (int32_t)value;
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
    if (source->cast != FIRN_PARQUET_AS_IS) {
        return take_cast(g, source, at, to, err);
    }
    switch (g->column->kind) {
    case FIRN_PARQUET_BOOLEAN: ((bool *)out)[to] = firn_arrow_bit(data, at); return FIRN_OK;
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
    default: return take_decimal(g, source, at, to, err);
    }
}

/* ---- a segment ---- */

/* Values that lie in the array as they will in the file. */
static bool is_copied(const gather *g, const firn_parquet_source *source)
{
    if (source->cast != FIRN_PARQUET_AS_IS) {
        return false;
    }
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

/* Loops over all of a segment, to `to`. False: a value does not fit, if it is not a null. */

static void all_bools(const struct ArrowArray *array, int64_t at, int64_t count, bool *to)
{
    for (int64_t i = 0; i < count; i++) {
        to[i] = firn_arrow_bit(array->buffers[1], at + i);
    }
}

static bool all_times(const firn_parquet_source *source, int64_t at, int64_t count, int64_t *to)
{
    bool beyond = false;
    const int64_t *values = (const int64_t *)source->array->buffers[1] + at;
    for (int64_t i = 0; i < count; i++) {
        beyond |= __builtin_mul_overflow(values[i], source->factor, &to[i]);
    }
    return !beyond;
}

static void all_longs(const firn_parquet_source *source, int64_t at, int64_t count, int64_t *to)
{
    const int32_t *values = (const int32_t *)source->array->buffers[1] + at;
    for (int64_t i = 0; i < count; i++) {
        to[i] = values[i] * source->factor;
    }
}

static void all_doubles(const struct ArrowArray *array, int64_t at, int64_t count, double *to)
{
    const float *values = (const float *)array->buffers[1] + at;
    for (int64_t i = 0; i < count; i++) {
        to[i] = (double)values[i];
    }
}

static bool all_ints(const struct ArrowArray *array, int64_t at, int64_t count, int32_t *to)
{
    bool beyond = false;
    const int64_t *values = (const int64_t *)array->buffers[1] + at;
    for (int64_t i = 0; i < count; i++) {
        to[i] = (int32_t)values[i];
        beyond |= values[i] != to[i];
    }
    return !beyond;
}

static void all_texts(const struct ArrowArray *array, int64_t at, int64_t count, firn_bytes *to)
{
    for (int64_t i = 0; i < count; i++) {
        to[i] = take_text(array, at + i);
    }
}

static void all_uuids(const struct ArrowArray *array, int64_t at, int64_t count, firn_bytes *to)
{
    const uint8_t *values = array->buffers[1];
    for (int64_t i = 0; i < count; i++) {
        to[i] = firn_bytes_of(values + 16 * (at + i), 16);
    }
}

/* Decimals of at most 18 digits, of which the low words say all when the high ones are their sign. */
static bool all_narrow(const gather *g, const struct ArrowArray *array, int64_t at, int64_t count)
{
    bool narrow = firn_parquet_item_of(g->column) == FIRN_ITEM_4, beyond = false;
    int64_t limit = (int64_t)g->ten_to_p;
    const uint8_t *words = (const uint8_t *)array->buffers[1] + (size_t)at * sizeof(__int128);
    for (int64_t i = 0; i < count; i++) {
        int64_t low, high;
        memcpy(&low, words + 16 * i, sizeof(low));
        memcpy(&high, words + 16 * i + 8, sizeof(high));
        beyond |= high != low >> 63 || low >= limit || low <= -limit;
        if (narrow) {
            ((int32_t *)g->out->data)[g->out->n + i] = (int32_t)low;
        } else {
            ((int64_t *)g->out->data)[g->out->n + i] = low;
        }
    }
    return !beyond;
}

static bool all_wide(const gather *g, const struct ArrowArray *array, int64_t at, int64_t count)
{
    bool beyond = false;
    __int128 *to = (__int128 *)g->out->data + g->out->n;
    for (int64_t i = 0; i < count; i++) {
        to[i] = decimal_at(array, at + i);
        beyond |= to[i] >= g->ten_to_p || to[i] <= -g->ten_to_p;
    }
    return !beyond;
}

/* The values of a segment with what lies under nulls, behind those that are there. */
static bool copy_all(const gather *g, const firn_parquet_source *source, int64_t at, int64_t count)
{
    const struct ArrowArray *array = source->array;
    size_t width = item_bytes(g->column);
    void *to = (uint8_t *)g->out->data + (size_t)g->out->n * width;
    if (is_copied(g, source)) {
        memcpy(to, (const uint8_t *)array->buffers[1] + (size_t)at * width, (size_t)count * width);
        return true;
    }
    switch (source->cast) {
    case FIRN_PARQUET_INT_TO_LONG: all_longs(source, at, count, to); return true;
    case FIRN_PARQUET_FLOAT_TO_DOUBLE: all_doubles(array, at, count, to); return true;
    case FIRN_PARQUET_LONG_TO_INT: return all_ints(array, at, count, to);
    default: break;
    }
    switch (g->column->kind) {
    case FIRN_PARQUET_BOOLEAN: all_bools(array, at, count, to); return true;
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY: all_texts(array, at, count, to); return true;
    case FIRN_PARQUET_UUID: all_uuids(array, at, count, to); return true;
    case FIRN_PARQUET_DECIMAL:
        return firn_parquet_item_of(g->column) == FIRN_ITEM_16 ? all_wide(g, array, at, count)
                                                               : all_narrow(g, array, at, count);
    default: return all_times(source, at, count, to);
    }
}

static firn_rc take_all(gather *g, const firn_parquet_source *source, int64_t at, int64_t count,
                        firn_err *err)
{
    if (!copy_all(g, source, at, count)) { /* say which */
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
        size_t rows = (size_t)g->out->rows;
        memset(firn_room((void **)&g->out->present_room, &g->out->present_bytes, rows + 1), 1,
               rows);
        g->out->present = g->out->present_room;
    }
}

/* Values of one width that are present, moved together; how many they are. */
#define MOVE_PRESENT(NAME, TYPE)                                                              \
    static int64_t NAME(TYPE *values, const uint8_t *present, int64_t count)                  \
    {                                                                                         \
        int64_t n = 0;                                                                        \
        for (int64_t i = 0; i < count; i++) { /* without a branch that may be mispredicted */ \
            values[n] = values[i];                                                            \
            n += present[i];                                                                  \
        }                                                                                     \
        return n;                                                                             \
    }

MOVE_PRESENT(move_bools, bool)
MOVE_PRESENT(move_4, int32_t)
MOVE_PRESENT(move_8, int64_t)
MOVE_PRESENT(move_16, __int128)
MOVE_PRESENT(move_texts, firn_bytes)

static void move_present(gather *g, const uint8_t *present, int64_t count)
{
    firn_parquet_values *out = g->out;
    switch (firn_parquet_item_of(g->column)) {
    case FIRN_ITEM_BOOL: out->n += move_bools((bool *)out->data + out->n, present, count); return;
    case FIRN_ITEM_4: out->n += move_4((int32_t *)out->data + out->n, present, count); return;
    case FIRN_ITEM_8: out->n += move_8((int64_t *)out->data + out->n, present, count); return;
    case FIRN_ITEM_16: out->n += move_16((__int128 *)out->data + out->n, present, count); return;
    default: out->n += move_texts((firn_bytes *)out->data + out->n, present, count); return;
    }
}

static firn_rc take_present(gather *g, const firn_parquet_source *source, int64_t at, int64_t count,
                            firn_err *err)
{
    need_present(g);
    uint8_t *present = g->out->present_room + g->row;
    for (int64_t i = 0; i < count; i++) {
        present[i] = firn_arrow_bit(source->array->buffers[0], at + i);
    }
    if (!copy_all(g, source, at, count)) { /* is it a null that does not fit? */
        for (int64_t i = 0; i < count; i++) {
            if (present[i]) {
                FIRN_TRY(take(g, source, at + i, g->out->n + i, err));
            }
        }
    }
    move_present(g, present, count);
    return FIRN_OK;
}

static void pick_4(const int32_t *from, const uint32_t *pick, int64_t count, int32_t *to)
{
    for (int64_t i = 0; i < count; i++) {
        to[i] = from[pick[i]];
    }
}

static void pick_8(const int64_t *from, const uint32_t *pick, int64_t count, int64_t *to)
{
    for (int64_t i = 0; i < count; i++) {
        to[i] = from[pick[i]];
    }
}

/* As copy_all, for kinds of which every value fits. */
static bool copy_picked(const gather *g, const firn_parquet_source *source, const uint32_t *pick,
                        int64_t count)
{
    const struct ArrowArray *array = source->array;
    size_t width = item_bytes(g->column);
    void *to = (uint8_t *)g->out->data + (size_t)g->out->n * width;
    if (is_copied(g, source) && width == sizeof(int32_t)) {
        pick_4((const int32_t *)array->buffers[1] + array->offset, pick, count, to);
    } else if (is_copied(g, source)) {
        pick_8((const int64_t *)array->buffers[1] + array->offset, pick, count, to);
    } else if (g->column->kind == FIRN_PARQUET_STRING || g->column->kind == FIRN_PARQUET_BINARY) {
        for (int64_t i = 0; i < count; i++) {
            ((firn_bytes *)to)[i] = take_text(array, array->offset + pick[i]);
        }
    } else {
        return false;
    }
    return true;
}

static firn_rc take_picked(gather *g, const firn_parquet_source *source, const uint32_t *pick,
                           int64_t count, firn_err *err)
{
    const struct ArrowArray *array = source->array;
    const uint8_t *bits = array->null_count != 0 ? array->buffers[0] : NULL;
    if (copy_picked(g, source, pick, count)) {
        if (bits == NULL) {
            g->out->n += count;
            return FIRN_OK;
        }
        need_present(g);
        for (int64_t i = 0; i < count; i++) {
            g->out->present_room[g->row + i] = firn_arrow_bit(bits, array->offset + pick[i]);
        }
        move_present(g, g->out->present_room + g->row, count);
        return FIRN_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t at = array->offset + pick[i];
        if (bits == NULL || firn_arrow_bit(bits, at)) {
            FIRN_TRY(take(g, source, at, g->out->n, err));
            g->out->n++;
        } else {
            need_present(g);
            g->out->present_room[g->row + i] = 0;
        }
    }
    return FIRN_OK;
}

static firn_rc take_segment(gather *g, const firn_parquet_source *source,
                            const firn_parquet_segment *segment, firn_err *err)
{
    const struct ArrowArray *array = source->array;
    int64_t count = segment->count;
    if (array == NULL) {
        need_present(g);
        memset(g->out->present_room + g->row, 0, (size_t)count);
        return FIRN_OK;
    }
    if (segment->pick != NULL) {
        return take_picked(g, source, segment->pick + segment->from, count, err);
    }
    int64_t at = array->offset + segment->from;
    bool nulls = array->null_count != 0 && array->buffers[0] != NULL;
    return nulls ? take_present(g, source, at, count, err) : take_all(g, source, at, count, err);
}

firn_rc firn_parquet_gather(const firn_parquet_column *column,
                            const firn_parquet_segments *segments, size_t index, int64_t rows,
                            firn_parquet_values *out, firn_err *err)
{
    gather g = {.column = column, .out = out, .ten_to_p = 1};
    firn_room(&out->data, &out->data_bytes, firn_mul_size(item_bytes(column), (size_t)rows + 1));
    out->rows = rows;
    out->n = 0;
    out->present = NULL;
    for (int i = 0; i < column->precision; i++) {
        g.ten_to_p *= 10;
    }
    for (size_t i = 0; i < segments->len; i++) {
        const firn_parquet_segment *segment = &segments->items[i];
        FIRN_TRY(take_segment(&g, &segment->sources[index], segment, err));
        g.row += segment->count;
    }
    if (column->required && out->n < rows) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "column %s is NOT NULL, and %" PRId64 " rows have no value in it", column->name,
                  rows - out->n);
    }
    if (out->n == rows) { /* there might have been nulls, and are none */
        out->present = NULL;
    }
    return FIRN_OK;
}

void firn_parquet_values_free(firn_parquet_values *values)
{
    free(values->present_room);
    free(values->data);
    *values = (firn_parquet_values){0};
}
