/* Columns as the decoder fills them: room for rows, null rows, taking rows back. Private to avro_*.c.
 *
 * Invariants between calls, for every column of a batch:
 *   1. length <= row_cap, and each buffer has room for row_cap rows (offsets: row_cap + 1);
 *   2. the children of a STRUCT have its length, and at least its row_cap: checking the struct is checking them;
 *   3. offsets[0] is 0, offsets[length] is the child's length (LIST, MAP) or at most data_cap (STRING, BYTES);
 *   4. bits of `validity` and of a BOOL's data at and past `length` are 0;
 *   5. lengths, and the bytes of a STRING or BYTES, are at most INT32_MAX.
 */
#ifndef FIRN_FORMAT_AVRO_BATCH_H
#define FIRN_FORMAT_AVRO_BATCH_H

#include "avro_plan.h"
#include "avro_shelf.h"
#include "format/avro_columns.h"

struct firn_avro_decoder {
    const firn_plan *plan;
    firn_avro_column shape; /* the columns, without buffers */
    bool unchecked_utf8;
    bool even_batches, keeps_buffers;
    size_t batch_bytes_max;
};

/* A date's text "2026-11-28" as two words (its first 8 bytes, its last 8) and the instant at which that day begins. */
typedef struct firn_avro_date {
    uint64_t words[2];
    int64_t ms;
} firn_avro_date;

static inline firn_avro_date firn_avro_date_of(const void *text, int64_t ms)
{
    firn_avro_date date = {.ms = ms};
    memcpy(&date.words[0], text, sizeof date.words[0]);
    memcpy(&date.words[1], (const char *)text + 2, sizeof date.words[1]);
    return date;
}

struct firn_avro_batch {
    const firn_avro_decoder *decoder;
    firn_avro_column root;
    size_t bytes;           /* in all buffers */
    void *scratch;          /* heap; of a decoder of another format, for its own use between rows */
    firn_avro_date date;    /* the one that a decoder of texts met last */
    firn_avro_shelf *shelf; /* of even batches: where buffers come from, and go back to */
};

/* Build the columns of a reader's record in the arena. */
firn_rc firn_avro_shape_make(firn_arena *arena, const firn_avro_schema *reader,
                             firn_avro_column *out, firn_err *err) FIRN_MUST_USE;

/* The cold parts of the two below. */
bool firn_avro_column_grow(firn_avro_batch *batch, firn_avro_column *column,
                           int64_t rows) FIRN_MUST_USE;
bool firn_avro_column_grow_data(firn_avro_batch *batch, firn_avro_column *column,
                                int64_t bytes) FIRN_MUST_USE;

/* Room for `more` rows; false past a bound. */
static inline FIRN_MUST_USE bool firn_avro_column_reserve(firn_avro_batch *batch,
                                                          firn_avro_column *column, int64_t more)
{
    if (more <= column->row_cap - column->length)
        return true;
    return firn_avro_column_grow(batch, column, more);
}

static inline void firn_avro_column_mark_valid(firn_avro_column *column, int64_t row)
{
    if (column->validity)
        column->validity[row >> 3] |= (uint8_t)(1u << (row & 7));
}

/* Append one value. Room for the row must be there. */
static inline void firn_avro_store_i32(firn_avro_column *column, int32_t value)
{
    int64_t row = column->length++;
    ((int32_t *)(void *)column->data)[row] = value;
    firn_avro_column_mark_valid(column, row);
}

static inline void firn_avro_store_i64(firn_avro_column *column, int64_t value)
{
    int64_t row = column->length++;
    ((int64_t *)(void *)column->data)[row] = value;
    firn_avro_column_mark_valid(column, row);
}

static inline void firn_avro_store_f32(firn_avro_column *column, float value)
{
    int64_t row = column->length++;
    ((float *)(void *)column->data)[row] = value;
    firn_avro_column_mark_valid(column, row);
}

static inline void firn_avro_store_f64(firn_avro_column *column, double value)
{
    int64_t row = column->length++;
    ((double *)(void *)column->data)[row] = value;
    firn_avro_column_mark_valid(column, row);
}

static inline void firn_avro_store_bool(firn_avro_column *column, bool value)
{
    int64_t row = column->length++;
    column->data[row >> 3] |= (uint8_t)((unsigned)value << (row & 7));
    firn_avro_column_mark_valid(column, row);
}

/* Bytes of texts need room of their own; false past a bound. */
static inline FIRN_MUST_USE bool firn_avro_store_bytes(firn_avro_batch *batch,
                                                       firn_avro_column *column, firn_bytes bytes)
{
    int64_t row = column->length;
    int32_t at = column->offsets[row];
    if (__builtin_expect((int64_t)bytes.len > column->data_cap - at, 0) &&
        (bytes.len > INT32_MAX || !firn_avro_column_grow_data(batch, column, (int64_t)bytes.len)))
        return false;
    if (bytes.len > 0)
        memcpy(column->data + at, bytes.data, bytes.len);
    column->offsets[row + 1] = at + (int32_t)bytes.len;
    firn_avro_column_mark_valid(column, row);
    column->length = row + 1;
    return true;
}

/* Append a row of filler, null where the column has nulls. Room must be there. */
void firn_avro_column_append_null(firn_avro_column *column);

/* Take in rows up to `length` that are in the buffers already, all of them valid: only length and validity lag behind. */
void firn_avro_column_settle(firn_avro_column *column, int64_t length);

/* Take back rows until `length` are left. */
void firn_avro_column_truncate(firn_avro_column *column, int64_t length);

#endif
