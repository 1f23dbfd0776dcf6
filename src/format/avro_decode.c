/* Records into columns: interprets a resolution plan (avro_plan.h) against a tree of columns of the same shape.
 *
 * This is a hot path: per value it does one switch, one bounds check of the input and no allocation. Room for rows is
 * made in bulk beforehand (per call for the record, per block for arrays and maps), so a value only ever stores. A
 * failure sets `rc` and `why` once and unwinds; the message is made at the top, where the record's number is known.
 * Most fields do not come here at all: avro_quick.h takes them, and leaves everything else and all errors to this.
 */
#include "avro_batch.h"
#include "avro_quick.h"
#include "format/avro_codec.h"

#include <assert.h>
#include <stdio.h>

typedef struct decoding {
    firn_avro_cursor cursor;
    firn_avro_batch *batch;
    bool unchecked_utf8;
    int64_t empty_items_left;
    firn_rc rc;
    const char *why;
    const firn_plan *where;
    const char *field; /* innermost field that failed */
} decoding;

static bool decode(decoding *d, const firn_plan *plan, firn_avro_column *column);

static __attribute__((cold, noinline)) bool fail(decoding *d, const firn_plan *plan, firn_rc rc,
                                                 const char *why)
{
    d->rc = rc;
    d->why = why;
    d->where = plan;
    return false;
}

static __attribute__((cold, noinline)) bool malformed(decoding *d, const firn_plan *plan)
{
    return fail(d, plan, FIRN_E_CORRUPT, "malformed or cut off");
}

static __attribute__((cold, noinline)) bool no_room(decoding *d, const firn_plan *plan)
{
    return fail(d, plan, FIRN_E_LIMIT,
                "the batch would exceed its memory bound, or a column 2^31 - 1 rows or bytes");
}

/* ---- texts, bytes, decimals ---- */

static bool is_ascii(firn_bytes text)
{
    uint64_t seen = 0;
    size_t i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof word);
        seen |= word;
    }
    for (; i < text.len; i++)
        seen |= text.data[i];
    return !(seen & 0x8080808080808080u);
}

static inline bool append_bytes(decoding *d, const firn_plan *plan, firn_avro_column *column,
                                firn_bytes bytes)
{
    return firn_avro_store_bytes(d->batch, column, bytes) ? true : no_room(d, plan);
}

static inline bool append_text(decoding *d, const firn_plan *plan, firn_avro_column *column,
                               firn_bytes text)
{
    if (!d->unchecked_utf8 && !is_ascii(text) && !firn_utf8_valid(text))
        return fail(d, plan, FIRN_E_CORRUPT, "the text is not valid UTF-8");
    return append_bytes(d, plan, column, text);
}

/* Two's complement, big-endian, of any length, into exactly `size` bytes; false if the number does not fit. */
static bool resize_number(firn_bytes number, uint8_t *out, size_t size)
{
    if (number.len == 0)
        return false;
    uint8_t sign = number.data[0] & 0x80 ? 0xFF : 0;
    while (number.len > size) {
        if (number.data[0] != sign || ((number.data[1] ^ sign) & 0x80))
            return false;
        number.data++;
        number.len--;
    }
    memset(out, sign, size - number.len);
    memcpy(out + size - number.len, number.data, number.len);
    return true;
}

static bool append_decimal(decoding *d, const firn_plan *plan, firn_avro_column *column,
                           firn_bytes number)
{
    uint8_t big[16];
    if (!resize_number(number, big, sizeof big))
        return fail(d, plan, FIRN_E_CORRUPT, "a decimal that does not fit its 16 bytes");
    int64_t row = column->length++;
    uint8_t *out = column->data + row * 16;
    for (int i = 0; i < 16; i++) /* to little-endian */
        out[i] = big[15 - i];
    firn_avro_column_mark_valid(column, row);
    return true;
}

static bool append_fixed(decoding *d, const firn_plan *plan, firn_avro_column *column,
                         firn_bytes bytes)
{
    int64_t row = column->length;
    uint8_t *out = column->data + row * column->item_size;
    if (bytes.len == (size_t)column->item_size) {
        if (bytes.len > 0)
            memcpy(out, bytes.data, bytes.len);
    } else if (!resize_number(bytes, out, (size_t)column->item_size)) {
        return fail(d, plan, FIRN_E_CORRUPT, "a decimal that does not fit its fixed type");
    }
    firn_avro_column_mark_valid(column, row);
    column->length = row + 1;
    return true;
}

/* bytes, string and fixed: what they become is the column's matter, because decimals cross over. */
static bool append_raw(decoding *d, const firn_plan *plan, firn_avro_column *column,
                       firn_bytes bytes)
{
    switch (column->type) {
    case FIRN_AVRO_COL_STRING: return append_text(d, plan, column, bytes);
    case FIRN_AVRO_COL_DECIMAL128: return append_decimal(d, plan, column, bytes);
    case FIRN_AVRO_COL_FIXED: return append_fixed(d, plan, column, bytes);
    default: return append_bytes(d, plan, column, bytes);
    }
}

static bool decode_enum(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    int32_t symbol;
    if (!firn_avro_get_int(&d->cursor, &symbol) || symbol < 0 ||
        (size_t)symbol >= plan->writer->symbol_count)
        return malformed(d, plan);
    if (plan->symbols[symbol] < 0)
        return fail(d, plan, FIRN_E_TYPE, "the reader's enum has neither the symbol nor a default");
    return append_bytes(d, plan, column, plan->texts[plan->symbols[symbol]]);
}

/* ---- numbers ---- */

/* Everything but plain int and long. */
static bool decode_number(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    int32_t small;
    int64_t large;
    float single;
    double real;
    bool fine = false;
    switch (plan->op) {
    case FIRN_PLAN_INT_TO_LONG:
        if ((fine = firn_avro_get_int(&d->cursor, &small)))
            firn_avro_store_i64(column, small);
        break;
    case FIRN_PLAN_INT_TO_FLOAT:
        if ((fine = firn_avro_get_int(&d->cursor, &small)))
            firn_avro_store_f32(column, (float)small);
        break;
    case FIRN_PLAN_INT_TO_DOUBLE:
        if ((fine = firn_avro_get_int(&d->cursor, &small)))
            firn_avro_store_f64(column, small);
        break;
    case FIRN_PLAN_LONG_TO_FLOAT:
        if ((fine = firn_avro_get_long(&d->cursor, &large)))
            firn_avro_store_f32(column, (float)large);
        break;
    case FIRN_PLAN_LONG_TO_DOUBLE:
        if ((fine = firn_avro_get_long(&d->cursor, &large)))
            firn_avro_store_f64(column, (double)large);
        break;
    case FIRN_PLAN_FLOAT:
        if ((fine = firn_avro_get_float(&d->cursor, &single)))
            firn_avro_store_f32(column, single);
        break;
    case FIRN_PLAN_FLOAT_TO_DOUBLE:
        if ((fine = firn_avro_get_float(&d->cursor, &single)))
            firn_avro_store_f64(column, single);
        break;
    case FIRN_PLAN_DOUBLE:
        if ((fine = firn_avro_get_double(&d->cursor, &real)))
            firn_avro_store_f64(column, real);
        break;
    default: break;
    }
    return fine ? true : malformed(d, plan);
}

/* ---- records, arrays, maps, unions ---- */

static bool decode_defaults(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    firn_avro_cursor outer = d->cursor;
    bool fine = true;
    for (size_t i = 0; fine && i < plan->default_count; i++) {
        const firn_plan_default *item = &plan->defaults[i];
        d->cursor = firn_avro_cursor_of(item->bytes);
        fine = decode(d, item->node, &column->children[item->index]);
    }
    d->cursor = outer;
    return fine;
}

static bool decode_record(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    const firn_avro_quick *quick = column->quick;
    bool is_quick = quick && quick->plan == plan;
    for (size_t i = 0;; i++) {
        if (is_quick && quick->steps[i].way != FIRN_AVRO_WAY_OTHER)
            i = firn_avro_quick_steps(quick, i, &d->cursor, column, d->unchecked_utf8);
        if (i == plan->step_count)
            break;
        const firn_plan_step *step = &plan->steps[i];
        if (!step->node) {
            if (!firn_avro_skip(&d->cursor, step->writer))
                return malformed(d, plan);
        } else if (!decode(d, step->node, &column->children[step->index])) {
            if (!d->field)
                d->field = column->children[step->index].name;
            return false;
        }
    }
    if (plan->default_count > 0 && !decode_defaults(d, plan, column))
        return false;
    firn_avro_column_mark_valid(column, column->length);
    column->length++;
    return true;
}

/* A block's claimed count is believed only as far as the bytes that remain could hold it. */
static inline bool check_count(decoding *d, const firn_plan *plan, int64_t count)
{
    size_t item_size_min = plan->writer->items->encoded_size_min + (plan->op == FIRN_PLAN_MAP);
    if (__builtin_expect(item_size_min > 0, 1)) {
        if ((uint64_t)count > firn_avro_remaining(&d->cursor) / item_size_min)
            return malformed(d, plan);
        return true;
    }
    if (count > d->empty_items_left)
        return fail(d, plan, FIRN_E_LIMIT, "too many items without content");
    d->empty_items_left -= count;
    return true;
}

/* The head of a block of items: checks it and makes room. `end` is where the writer says that the block ends, if so. */
static bool begin_block(decoding *d, const firn_plan *plan, firn_avro_column *items, int64_t *count,
                        const uint8_t **end)
{
    int64_t byte_size;
    if (!firn_avro_get_block(&d->cursor, count, &byte_size) || !check_count(d, plan, *count))
        return d->rc != FIRN_OK ? false : malformed(d, plan);
    if (!firn_avro_column_reserve(d->batch, items, *count))
        return no_room(d, plan);
    *end = byte_size < 0 ? NULL : d->cursor.pos + byte_size;
    return true;
}

/* A reader that skips the block goes by its byte size, so one that lies would be two different files. */
static inline bool end_block(decoding *d, const firn_plan *plan, const uint8_t *end)
{
    if (end && d->cursor.pos != end)
        return fail(d, plan, FIRN_E_CORRUPT, "a block of items with another size than it says");
    return true;
}

static bool decode_items(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    for (;;) {
        int64_t count;
        const uint8_t *end;
        if (!begin_block(d, plan, column, &count, &end))
            return false;
        if (count == 0)
            return true;
        for (int64_t i = 0; i < count; i++) {
            if (!decode(d, plan->item, column))
                return false;
        }
        if (!end_block(d, plan, end))
            return false;
    }
}

static bool decode_map_items(decoding *d, const firn_plan *plan, firn_avro_column *entries)
{
    for (;;) {
        int64_t count;
        const uint8_t *end;
        if (!begin_block(d, plan, entries, &count, &end))
            return false;
        if (count == 0)
            return true;
        for (int64_t i = 0; i < count; i++) {
            firn_bytes key;
            if (!firn_avro_get_bytes(&d->cursor, &key))
                return malformed(d, plan);
            if (!append_text(d, plan, &entries->children[0], key))
                return false;
            if (!decode(d, plan->item, &entries->children[1]))
                return false;
            entries->length++;
        }
        if (!end_block(d, plan, end))
            return false;
    }
}

static bool decode_container(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    firn_avro_column *child = &column->children[0];
    bool fine =
        plan->op == FIRN_PLAN_MAP ? decode_map_items(d, plan, child) : decode_items(d, plan, child);
    if (!fine)
        return false;
    int64_t row = column->length++;
    column->offsets[row + 1] = (int32_t)child->length;
    firn_avro_column_mark_valid(column, row);
    return true;
}

static bool decode_into(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    firn_avro_store_i32(&column->children[0], (int32_t)plan->into);
    for (size_t i = 1; i < column->child_count; i++) {
        firn_avro_column *child = &column->children[i];
        if (i - 1 != plan->into)
            firn_avro_column_append_null(child);
        else if (!decode(d, plan->item, child))
            return false;
    }
    firn_avro_column_mark_valid(column, column->length);
    column->length++;
    return true;
}

static bool decode(decoding *d, const firn_plan *plan, firn_avro_column *column)
{
    if (plan->op == FIRN_PLAN_OPTIONAL) {
        int64_t branch;
        if (!firn_avro_get_long(&d->cursor, &branch) || (uint64_t)branch > 1)
            return malformed(d, plan);
        if ((uint32_t)branch == plan->null_branch) {
            firn_avro_column_append_null(column);
            return true;
        }
        plan = plan->item;
    }

    int32_t small;
    int64_t large;
    bool flag;
    firn_bytes bytes;
    switch (plan->op) {
    case FIRN_PLAN_LONG:
        if (!firn_avro_get_long(&d->cursor, &large))
            return malformed(d, plan);
        firn_avro_store_i64(column, large);
        return true;
    case FIRN_PLAN_INT:
        if (!firn_avro_get_int(&d->cursor, &small))
            return malformed(d, plan);
        firn_avro_store_i32(column, small);
        return true;
    case FIRN_PLAN_BYTES:
        if (!firn_avro_get_bytes(&d->cursor, &bytes))
            return malformed(d, plan);
        return append_raw(d, plan, column, bytes);
    case FIRN_PLAN_FIXED:
        if (!firn_avro_get_fixed(&d->cursor, plan->writer->fixed_size, &bytes))
            return malformed(d, plan);
        return append_raw(d, plan, column, bytes);
    case FIRN_PLAN_BOOLEAN:
        if (!firn_avro_get_boolean(&d->cursor, &flag))
            return malformed(d, plan);
        firn_avro_store_bool(column, flag);
        return true;
    case FIRN_PLAN_RECORD: return decode_record(d, plan, column);
    case FIRN_PLAN_ARRAY:
    case FIRN_PLAN_MAP: return decode_container(d, plan, column);
    case FIRN_PLAN_NULL: firn_avro_column_append_null(column); return true;
    case FIRN_PLAN_ENUM: return decode_enum(d, plan, column);
    case FIRN_PLAN_UNION:
        if (!firn_avro_get_long(&d->cursor, &large) ||
            (uint64_t)large >= plan->writer->branch_count)
            return malformed(d, plan);
        return decode(d, plan->branches[large], column);
    case FIRN_PLAN_INTO: return decode_into(d, plan, column);
    case FIRN_PLAN_ERROR: return fail(d, plan, FIRN_E_TYPE, plan->message);
    default: return decode_number(d, plan, column);
    }
}

/* ---- public ---- */

static const size_t BATCH_BYTES_DEFAULT = (size_t)2 << 30;

firn_rc firn_avro_decoder_new(firn_arena *arena, const firn_avro_schema *writer,
                              const firn_avro_schema *reader, const firn_avro_decoder_opts *opts,
                              firn_avro_decoder **out, firn_err *err)
{
    firn_avro_decoder_opts given = opts ? *opts : (firn_avro_decoder_opts){0};
    if (!reader)
        reader = writer;
    if (writer->kind != FIRN_AVRO_RECORD || reader->kind != FIRN_AVRO_RECORD) {
        FIRN_FAIL(err, FIRN_E_TYPE, "columns need Avro records; the schema is %s",
                  writer->kind != FIRN_AVRO_RECORD ? writer->name : reader->name);
    }
    firn_avro_decoder *decoder = FIRN_NEW(arena, firn_avro_decoder);
    decoder->unchecked_utf8 = given.unchecked_utf8;
    decoder->even_batches = given.even_batches;
    decoder->keeps_buffers = given.keeps_buffers;
    decoder->batch_bytes_max = given.batch_bytes_max ? given.batch_bytes_max : BATCH_BYTES_DEFAULT;
    FIRN_TRY(firn_avro_shape_make(arena, reader, &decoder->shape, err));
    FIRN_TRY(firn_plan_make(arena, writer, reader, given.by_field_id, &decoder->plan, err));
    firn_avro_quick_make(arena, decoder->plan, &decoder->shape);
    *out = decoder;
    return FIRN_OK;
}

firn_rc firn_avro_decoder_new_shape(firn_arena *arena, const firn_avro_schema *schema,
                                    const firn_avro_decoder_opts *opts, firn_avro_decoder **out,
                                    firn_err *err)
{
    firn_avro_decoder_opts given = opts ? *opts : (firn_avro_decoder_opts){0};
    if (schema->kind != FIRN_AVRO_RECORD)
        FIRN_FAIL(err, FIRN_E_TYPE, "columns need a record; the schema is %s", schema->name);
    firn_avro_decoder *decoder = FIRN_NEW(arena, firn_avro_decoder);
    decoder->unchecked_utf8 = given.unchecked_utf8;
    decoder->even_batches = given.even_batches;
    decoder->keeps_buffers = given.keeps_buffers;
    decoder->batch_bytes_max = given.batch_bytes_max ? given.batch_bytes_max : BATCH_BYTES_DEFAULT;
    FIRN_TRY(firn_avro_shape_make(arena, schema, &decoder->shape, err));
    *out = decoder;
    return FIRN_OK;
}

static firn_rc check_record_count(const firn_plan *plan, firn_bytes data, int64_t count,
                                  firn_err *err)
{
    size_t size_min = plan->writer->encoded_size_min;
    if (size_min == 0 && count > FIRN_AVRO_EMPTY_ITEMS_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%lld Avro records without content; the most is %d",
                  (long long)count, FIRN_AVRO_EMPTY_ITEMS_MAX);
    }
    bool fits = count == 1 ? data.len >= size_min /* without a division */
                           : size_min == 0 || (uint64_t)count <= data.len / size_min;
    if (count < 0 || !fits) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%zu bytes cannot hold %lld Avro records of type %s",
                  data.len, (long long)count, plan->writer->name);
    }
    return FIRN_OK;
}

firn_rc firn_avro_decoder_decode(const firn_avro_decoder *decoder, firn_bytes data,
                                 int64_t record_count, firn_avro_batch *batch, firn_err *err)
{
    const firn_plan *plan = decoder->plan;
    firn_avro_column *root = &batch->root;
    int64_t rows_before = root->length;
    FIRN_TRY(check_record_count(plan, data, record_count, err));

    decoding d = {
        .cursor = firn_avro_cursor_of(data),
        .batch = batch,
        .unchecked_utf8 = decoder->unchecked_utf8,
        .empty_items_left = FIRN_AVRO_EMPTY_ITEMS_MAX,
    };
    bool fine = true;
    if (!firn_avro_column_reserve(batch, root, record_count))
        fine = no_room(&d, plan);
    for (int64_t i = 0; fine && i < record_count; i++)
        fine = decode(&d, plan, root);
    if (fine && firn_avro_remaining(&d.cursor) > 0)
        fine = fail(&d, plan, FIRN_E_CORRUPT, "bytes are left after the last record");
    if (fine)
        return FIRN_OK;

    long long record = (long long)(root->length - rows_before);
    firn_avro_column_truncate(root, rows_before);
    char which[64] = "";
    if (record_count > 1)
        snprintf(which, sizeof which, " %lld of %lld", record, (long long)record_count);
    FIRN_FAIL(err, d.rc, "Avro record%s: %s%s%s%s: %s", which, d.field ? "field \"" : "",
              d.field ? d.field : "", d.field ? "\" of type " : "", d.where->writer->name, d.why);
}

firn_rc firn_avro_batch_add_value(firn_avro_batch *batch, firn_bytes value, firn_err *err)
{
    firn_avro_column *root = &batch->root;
    assert(root->child_count == 1 && (root->children[0].type == FIRN_AVRO_COL_STRING ||
                                      root->children[0].type == FIRN_AVRO_COL_BYTES));
    decoding d = {.batch = batch, .unchecked_utf8 = batch->decoder->unchecked_utf8};
    bool fine = firn_avro_column_reserve(batch, root, 1) || no_room(&d, NULL);
    fine = fine && append_raw(&d, NULL, &root->children[0], value);
    if (!fine)
        FIRN_FAIL(err, d.rc, "%s", d.why);
    root->length++;
    return FIRN_OK;
}

static bool add_cell(decoding *d, firn_avro_column *column, const firn_avro_cell *cell)
{
    if (cell->null) {
        assert(column->nullable);
        firn_avro_column_append_null(column);
        return true;
    }
    switch (column->type) {
    case FIRN_AVRO_COL_INT32: firn_avro_store_i32(column, (int32_t)cell->number); return true;
    case FIRN_AVRO_COL_INT64: firn_avro_store_i64(column, cell->number); return true;
    default:
        assert(column->type == FIRN_AVRO_COL_STRING || column->type == FIRN_AVRO_COL_BYTES);
        return append_raw(d, NULL, column, cell->bytes);
    }
}

firn_rc firn_avro_batch_add_cells(firn_avro_batch *batch, const firn_avro_cell *cells,
                                  firn_err *err)
{
    firn_avro_column *root = &batch->root;
    decoding d = {.batch = batch, .unchecked_utf8 = batch->decoder->unchecked_utf8};
    bool fine = firn_avro_column_reserve(batch, root, 1) || no_room(&d, NULL);
    for (size_t i = 0; fine && i < root->child_count; i++)
        fine = add_cell(&d, &root->children[i], &cells[i]);
    if (!fine) {
        firn_avro_column_truncate(root, root->length);
        FIRN_FAIL(err, d.rc, "%s", d.why);
    }
    root->length++;
    return FIRN_OK;
}
