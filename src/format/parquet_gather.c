/* Arrow's values of a piece of a column chunk side by side, without the nulls.
 *
 * Each array has an offset of its own, and a validity bitmap when it may have nulls. Values are taken all, in a loop for each kind, and then moved
 * together over the nulls: what lies under a null is copied at most, never judged. Values that already lie so are not copied.
 *
 * That they fit is known before (parquet_fit.c).
 */
#include "parquet_parts.h"
#include "parquet_text.h"

/* ---- values ---- */

/* A loop over the values of `source` from `at` on, or at the picked places behind it; AT is where one is. */
#define TAKE(NAME, TYPE, VALUE)                                                              \
    static void NAME(const firn_parquet_source *source, const uint32_t *pick, int64_t first, \
                     int64_t count, TYPE *restrict to)                                       \
    {                                                                                        \
        const void *data = source->array->buffers[1];                                        \
        for (int64_t i = 0; i < count && pick != NULL; i++) {                                \
            int64_t at = first + pick[i];                                                    \
            to[i] = VALUE;                                                                   \
        }                                                                                    \
        for (int64_t i = 0; i < count && pick == NULL; i++) {                                \
            int64_t at = first + i;                                                          \
            to[i] = VALUE;                                                                   \
        }                                                                                    \
    }

static const uint8_t NO_TEXT[1]; /* where texts are of which all are empty */

static const uint8_t *texts_of(const struct ArrowArray *array)
{
    return array->buffers[2] != NULL ? array->buffers[2] : NO_TEXT;
}

static const uint8_t *texts_end(const struct ArrowArray *array)
{
    const int32_t *offsets = array->buffers[1];
    return texts_of(array) + offsets[array->offset + array->length];
}

static inline __int128 decimal_at(const uint8_t *data, int64_t at)
{
    __int128 value;
    memcpy(&value, data + (size_t)at * sizeof(value), sizeof(value));
    return value;
}

TAKE(take_bools, bool, firn_arrow_bit(data, at))
TAKE(take_4, int32_t, ((const int32_t *)data)[at])
TAKE(take_8, int64_t, ((const int64_t *)data)[at])
TAKE(take_times, int64_t,
     (int64_t)((uint64_t)((const int64_t *)data)[at] * (uint64_t)source->factor))
TAKE(take_longs, int64_t, ((const int32_t *)data)[at] * source->factor)
TAKE(take_ints, int32_t, (int32_t)((const int64_t *)data)[at])
TAKE(take_doubles, double, (double)((const float *)data)[at])
TAKE(take_texts, firn_bytes, firn_text_at(texts_of(source->array), data, at))
TAKE(take_uuids, firn_bytes, firn_bytes_of((const uint8_t *)data + 16 * at, 16))
TAKE(take_decimals_4, int32_t, (int32_t)decimal_at(data, at))
TAKE(take_decimals_8, int64_t, (int64_t)decimal_at(data, at))
TAKE(take_decimals_16, __int128, decimal_at(data, at))

static size_t item_bytes(firn_parquet_item item)
{
    static const size_t BYTES[] = {
        [FIRN_ITEM_BOOL] = sizeof(bool),       [FIRN_ITEM_4] = sizeof(int32_t),
        [FIRN_ITEM_8] = sizeof(int64_t),       [FIRN_ITEM_16] = sizeof(__int128),
        [FIRN_ITEM_TEXT] = sizeof(firn_bytes), [FIRN_ITEM_UUID] = sizeof(firn_bytes)};
    return BYTES[item];
}

/* Values that lie in the array as the page wants them. */
static bool lies_right(const firn_parquet_column *column, const firn_parquet_source *source)
{
    if (source->cast != FIRN_PARQUET_AS_IS) {
        return false;
    }
    switch (column->kind) {
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

static void take_all(const firn_parquet_column *column, const firn_parquet_piece *piece,
                     int64_t first, void *to)
{
    const firn_parquet_source *source = piece->source;
    const uint32_t *pick = piece->pick;
    int64_t n = piece->count;
    switch (source->cast) {
    case FIRN_PARQUET_INT_TO_LONG: take_longs(source, pick, first, n, to); return;
    case FIRN_PARQUET_LONG_TO_INT: take_ints(source, pick, first, n, to); return;
    case FIRN_PARQUET_FLOAT_TO_DOUBLE: take_doubles(source, pick, first, n, to); return;
    default: break;
    }
    bool decimal = column->kind == FIRN_PARQUET_DECIMAL;
    switch (firn_parquet_item_of(column)) {
    case FIRN_ITEM_BOOL: take_bools(source, pick, first, n, to); return;
    case FIRN_ITEM_TEXT: take_texts(source, pick, first, n, to); return;
    case FIRN_ITEM_UUID: take_uuids(source, pick, first, n, to); return;
    case FIRN_ITEM_16: take_decimals_16(source, pick, first, n, to); return;
    case FIRN_ITEM_4: (decimal ? take_decimals_4 : take_4)(source, pick, first, n, to); return;
    default:
        (decimal               ? take_decimals_8
         : source->factor == 1 ? take_8
                               : take_times)(source, pick, first, n, to);
        return;
    }
}

/* ---- nulls ---- */

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

static int64_t move_present(firn_parquet_item item, void *data, const uint8_t *present,
                            int64_t count)
{
    switch (item) {
    case FIRN_ITEM_BOOL: return move_bools(data, present, count);
    case FIRN_ITEM_4: return move_4(data, present, count);
    case FIRN_ITEM_8: return move_8(data, present, count);
    case FIRN_ITEM_16: return move_16(data, present, count);
    default: return move_texts(data, present, count);
    }
}

static bool all_present(const firn_parquet_piece *piece, const uint8_t *bits, int64_t first,
                        uint8_t *to)
{
    uint8_t all = 1;
    for (int64_t i = 0; i < piece->count; i++) {
        to[i] = firn_arrow_bit(bits, piece->pick != NULL ? first + piece->pick[i] : first + i);
        all &= to[i];
    }
    return all;
}

void firn_parquet_gather(const firn_parquet_column *column, const firn_parquet_piece *piece,
                         firn_parquet_values *out)
{
    const struct ArrowArray *array = piece->source->array;
    firn_parquet_item item = firn_parquet_item_of(column);
    size_t width = item_bytes(item), rows = (size_t)piece->count;
    out->rows = out->n = piece->count;
    out->present = NULL;
    out->texts_end = array != NULL && item == FIRN_ITEM_TEXT ? texts_end(array) : NULL;
    out->offsets = NULL;
    if (array == NULL) {
        memset(firn_room((void **)&out->present_room, &out->present_bytes, rows + 1), 0, rows);
        out->present = out->present_room;
        out->n = 0;
        return;
    }
    const uint8_t *bits = array->null_count != 0 ? array->buffers[0] : NULL;
    int64_t first = array->offset + piece->from;
    if (bits != NULL) {
        firn_room((void **)&out->present_room, &out->present_bytes, rows + 1);
        bits = all_present(piece, bits, first, out->present_room) ? NULL : bits;
        out->present = bits != NULL ? out->present_room : NULL;
    }
    if (bits == NULL && piece->pick == NULL && lies_right(column, piece->source)) {
        out->data = (const uint8_t *)array->buffers[1] + (size_t)first * width;
        return;
    }
    if (bits == NULL && piece->pick == NULL && item == FIRN_ITEM_TEXT) {
        out->offsets = (const int32_t *)array->buffers[1] + first;
        out->texts = texts_of(array);
        return;
    }
    void *data = firn_room(&out->room, &out->room_bytes, firn_mul_size(width, rows + 1));
    out->data = data;
    take_all(column, piece, first, data);
    if (out->present != NULL) {
        out->n = move_present(item, data, out->present, piece->count);
    }
}

void firn_parquet_gather_texts(firn_parquet_values *values)
{
    const int32_t *offsets = values->offsets;
    if (offsets == NULL) {
        return;
    }
    size_t n = (size_t)values->n;
    firn_bytes *texts =
        firn_room(&values->room, &values->room_bytes, firn_mul_size(sizeof(*texts), n + 1));
    for (size_t i = 0; i < n; i++) {
        texts[i] = firn_text_at(values->texts, offsets, (int64_t)i);
    }
    values->data = texts;
    values->offsets = NULL;
}

void firn_parquet_values_free(firn_parquet_values *values)
{
    free(values->present_room);
    free(values->room);
    *values = (firn_parquet_values){0};
}
