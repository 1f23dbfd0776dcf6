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
#include "format/avro_columns.h"

struct firn_avro_decoder {
    const firn_plan *plan;
    firn_avro_column shape; /* the columns, without buffers */
    bool unchecked_utf8;
    size_t batch_bytes_max;
};

struct firn_avro_batch {
    const firn_avro_decoder *decoder;
    firn_avro_column root;
    size_t bytes;  /* in all buffers */
    void *scratch; /* heap; of a decoder of another format, for its own use between rows */
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

/* Append a row of filler, null where the column has nulls. Room must be there. */
void firn_avro_column_append_null(firn_avro_column *column);

/* Take back rows until `length` are left. */
void firn_avro_column_truncate(firn_avro_column *column, int64_t length);

#endif
