/* A column chunk: the values of one column of a row group, as pages.
 *
 * A dictionary is tried first (parquet_dictionary.c), not for every row group where it failed before. Bounds of texts are then those of the dictionary's values, of
 * which there are few.
 *
 * A data page (version 1) is the definition levels (when the column may have nulls: length, then runs of one bit), then the values, compressed together.
 * When the first page shows that compression gains next to nothing, the chunk goes without: each chunk has a codec of its own.
 */
#include "parquet_parts.h"
#include "parquet_text.h"

enum {
    PAGE_BYTES = 1 << 20,
    PAGE_ROWS = 1 << 15,
    JUDGED_BYTES = 1 << 14, /* a page that says how well a chunk packs */
    GAIN_MIN_ZSTD =
        32, /* one part in so many, or it is not worth it: zstd is asked for small files, */
    GAIN_MIN_SNAPPY = 12, /* snappy for quick ones */
    SKIPPED_MAX = 31,     /* row groups, between trials of what has failed */
    PAGE_DATA = 0,
    PAGE_DICTIONARY = 2,
};

typedef struct encoder {
    const firn_parquet_options *options;
    const firn_parquet_column *column;
    firn_parquet_desk *desk;
    firn_parquet_habit *habit;
    firn_parquet_chunk *out;
    firn_parquet_item item;
    size_t width; /* in the file */
    bool coded;
} encoder;

firn_parquet_item firn_parquet_item_of(const firn_parquet_column *column)
{
    switch (column->kind) {
    case FIRN_PARQUET_BOOLEAN: return FIRN_ITEM_BOOL;
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE:
    case FIRN_PARQUET_FLOAT: return FIRN_ITEM_4;
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY: return FIRN_ITEM_TEXT;
    case FIRN_PARQUET_UUID: return FIRN_ITEM_UUID;
    case FIRN_PARQUET_DECIMAL:
        return column->precision <= 9    ? FIRN_ITEM_4
               : column->precision <= 18 ? FIRN_ITEM_8
                                         : FIRN_ITEM_16;
    default: return FIRN_ITEM_8;
    }
}

/* ---- trials ---- */

/* What failed is tried again after one row group, after two, four, ... */
static bool is_tried(unsigned *skip)
{
    if (*skip > 0) {
        (*skip)--;
        return false;
    }
    return true;
}

static void learn(unsigned *skip, unsigned *failures, bool good)
{
    *failures = good ? 0 : *failures + 1;
    *skip = good ? 0 : *failures < 5 ? (1u << *failures) - 1 : SKIPPED_MAX;
}

static bool make_dictionary(encoder *e)
{
    const firn_parquet_stats *s = &e->out->stats;
    firn_parquet_kind kind = e->column->kind;
    firn_parquet_numbering how = {
        .item = e->item, .max = e->options->dictionary_max, .span = UINT64_MAX};
    if (e->item == FIRN_ITEM_BOOL || e->item == FIRN_ITEM_UUID || e->item == FIRN_ITEM_16 ||
        e->desk->values.n == 0 || !is_tried(&e->habit->dictionary_skip)) {
        return false;
    }
    if (kind == FIRN_PARQUET_DECIMAL) {
        how.low = (int64_t)s->min.decimal;
        how.span = (uint64_t)(s->max.decimal - s->min.decimal);
    } else if (e->item != FIRN_ITEM_TEXT && kind != FIRN_PARQUET_FLOAT &&
               kind != FIRN_PARQUET_DOUBLE) {
        how.low = s->min.i64;
        how.span = (uint64_t)s->max.i64 - (uint64_t)s->min.i64;
    }
    bool good = firn_parquet_number(&how, &e->desk->values, &e->desk->dictionary);
    learn(&e->habit->dictionary_skip, &e->habit->dictionary_failures, good);
    return good;
}

/* Texts of a dictionary are bounded by it, numbers before it, for it wants to know how far they reach. */
static void number_and_bound(encoder *e)
{
    firn_parquet_stats *s = &e->out->stats;
    if (e->item != FIRN_ITEM_TEXT) {
        firn_parquet_bound(e->column, &e->desk->values, s);
        e->coded = make_dictionary(e);
        return;
    }
    e->coded = make_dictionary(e);
    if (e->coded) {
        firn_parquet_bound_entries(&e->desk->values, &e->desk->dictionary, s);
    } else {
        firn_parquet_bound(e->column, &e->desk->values, s);
    }
}

/* ---- pages ---- */

static void put_codes(const encoder *e, firn_buf *out, int64_t from, int64_t n)
{
    unsigned bits = firn_parquet_bits_of(e->desk->dictionary.n);
    firn_buf_putc(out, (uint8_t)bits);
    firn_put_runs(out, e->desk->dictionary.codes + from, n, bits);
}

void firn_parquet_decimal_bytes(__int128 value, uint8_t *out, size_t width)
{
    for (size_t i = width; i-- > 0; value >>= 8) {
        out[i] = (uint8_t)value;
    }
}

static void put_decimals(const encoder *e, firn_buf *out, const __int128 *values, int64_t n)
{
    uint8_t *to = firn_buf_reserve(out, (size_t)n * e->width);
    for (int64_t i = 0; i < n && to != NULL; i++) {
        firn_parquet_decimal_bytes(values[i], to + (size_t)i * e->width, e->width);
    }
    out->len += to != NULL ? (size_t)n * e->width : 0;
}

static void put_uuids(firn_buf *out, const firn_bytes *values, int64_t n)
{
    uint8_t *to = firn_buf_reserve(out, (size_t)n * 16);
    for (int64_t i = 0; i < n && to != NULL; i++) {
        memcpy(to + 16 * i, values[i].data, 16);
    }
    out->len += to != NULL ? (size_t)n * 16 : 0;
}

static uint8_t *put_text(uint8_t *to, firn_bytes text)
{
    uint32_t len = (uint32_t)text.len;
    memcpy(to, &len, sizeof(len));
    firn_text_copy(to + sizeof(len), text);
    return to + sizeof(len) + len;
}

static void put_texts(firn_buf *out, const firn_bytes *texts, int64_t n)
{
    size_t need = 0;
    for (int64_t i = 0; i < n; i++) {
        need += sizeof(uint32_t) + texts[i].len;
    }
    uint8_t *to = firn_buf_reserve(out, need);
    for (int64_t i = 0; i < n && to != NULL; i++) {
        to = put_text(to, texts[i]);
    }
    out->len += to != NULL ? need : 0;
}

static void put_plain(const encoder *e, firn_buf *out, int64_t from, int64_t n)
{
    const void *data = e->desk->values.data;
    switch (e->item) {
    case FIRN_ITEM_BOOL: firn_put_bools(out, (const uint8_t *)data + from, n); return;
    case FIRN_ITEM_TEXT: put_texts(out, (const firn_bytes *)data + from, n); return;
    case FIRN_ITEM_UUID: put_uuids(out, (const firn_bytes *)data + from, n); return;
    case FIRN_ITEM_16: put_decimals(e, out, (const __int128 *)data + from, n); return;
    default:
        firn_buf_append(out, (const uint8_t *)data + (size_t)from * e->width, (size_t)n * e->width);
        return;
    }
}

static void put_keys(const encoder *e, firn_buf *out)
{
    const firn_parquet_dictionary *d = &e->desk->dictionary;
    const firn_parquet_entry *entries = d->keys;
    if (e->item != FIRN_ITEM_TEXT) {
        firn_buf_append(out, d->keys, d->n * e->width);
        return;
    }
    for (size_t i = 0; i < d->n; i++) {
        put_texts(out, &entries[i].text, 1);
    }
}

static firn_rc compress_page(encoder *e, firn_bytes *out, firn_err *err)
{
    firn_parquet_desk *desk = e->desk;
    firn_bytes plain = firn_buf_bytes(&desk->page);
    firn_buf_clear(&desk->packed);
    switch (e->out->codec) {
    case FIRN_PARQUET_SNAPPY: FIRN_TRY(firn_snappy_compress(plain, &desk->packed, err)); break;
    case FIRN_PARQUET_ZSTD:
        desk->zstd = desk->zstd != NULL ? desk->zstd : firn_zstd_new(e->options->level);
        FIRN_TRY(firn_zstd_pack(desk->zstd, plain, &desk->packed, err));
        break;
    default: *out = plain; return FIRN_OK;
    }
    *out = firn_buf_bytes(&desk->packed);
    return FIRN_OK;
}

/* desk->page under its header. */
static firn_rc finish_page(encoder *e, int type, int64_t values, int encoding, firn_err *err)
{
    firn_bytes body;
    firn_buf *out = &e->out->out, *page = &e->desk->page;
    size_t before = out->len;
    if (page->overflow || page->len > INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "column %s: a page of Parquet would be larger than 1 GB",
                  e->column->name);
    }
    FIRN_TRY(compress_page(e, &body, err));
    firn_thrift t = {.out = out};
    firn_thrift_i32(&t, 1, type);
    firn_thrift_i32(&t, 2, (int32_t)page->len);
    firn_thrift_i32(&t, 3, (int32_t)body.len);
    firn_thrift_open(&t, type == PAGE_DATA ? 5 : 7);
    firn_thrift_i32(&t, 1, (int32_t)values);
    firn_thrift_i32(&t, 2, encoding);
    if (type == PAGE_DATA) {
        firn_thrift_i32(&t, 3, FIRN_ENCODING_RLE);
        firn_thrift_i32(&t, 4, FIRN_ENCODING_RLE);
    }
    firn_thrift_close(&t);
    firn_thrift_close(&t);
    e->out->plain_bytes += (int64_t)(out->len - before + page->len);
    firn_buf_append(out, body.data, body.len);
    firn_buf_clear(page);
    return FIRN_OK;
}

static firn_rc put_dictionary(encoder *e, firn_err *err)
{
    put_keys(e, &e->desk->page);
    FIRN_TRY(
        finish_page(e, PAGE_DICTIONARY, (int64_t)e->desk->dictionary.n, FIRN_ENCODING_PLAIN, err));
    e->out->dictionary_bytes = (int64_t)e->out->out.len;
    return FIRN_OK;
}

/* How many of the rows from `row` on fill a page, and how many values they have (the first is number `value`). */
static int64_t page_rows(const encoder *e, int64_t row, int64_t value, int64_t *n)
{
    const firn_parquet_values *v = &e->desk->values;
    const firn_bytes *texts = v->data;
    bool long_values = e->item == FIRN_ITEM_TEXT && !e->coded;
    int64_t rows = v->rows - row < PAGE_ROWS ? v->rows - row : PAGE_ROWS;
    size_t bytes = 0;
    *n = 0;
    for (int64_t i = 0; i < rows && v->present != NULL; i++) {
        *n += v->present[row + i];
    }
    *n = v->present != NULL ? *n : rows;
    for (int64_t i = 0; i < *n && long_values; i++) {
        bytes += sizeof(uint32_t) + texts[value + i].len;
    }
    if (bytes <= PAGE_BYTES) {
        return rows;
    }
    *n = 0;
    for (rows = 0, bytes = 0; bytes < PAGE_BYTES; rows++) {
        if (v->present == NULL || v->present[row + rows]) {
            bytes += sizeof(uint32_t) + texts[value + *n].len;
            (*n)++;
        }
    }
    return rows;
}

static firn_rc put_page(encoder *e, int64_t row, int64_t rows, int64_t value, int64_t n,
                        firn_err *err)
{
    const firn_parquet_values *v = &e->desk->values;
    if (!e->column->required) {
        firn_put_levels(&e->desk->page, v->present != NULL ? v->present + row : NULL, rows);
    }
    if (e->coded) {
        put_codes(e, &e->desk->page, value, n);
    } else {
        put_plain(e, &e->desk->page, value, n);
    }
    return finish_page(e, PAGE_DATA, rows,
                       e->coded ? FIRN_ENCODING_DICTIONARY : FIRN_ENCODING_PLAIN, err);
}

static bool packs(const firn_parquet_chunk *chunk)
{
    int64_t part = chunk->codec == FIRN_PARQUET_ZSTD ? GAIN_MIN_ZSTD : GAIN_MIN_SNAPPY;
    return (int64_t)chunk->out.len + chunk->plain_bytes / part <= chunk->plain_bytes;
}

/* `*again`: nothing is gained by the codec. */
static firn_rc put_pages(encoder *e, bool *again, firn_err *err)
{
    int64_t value = 0, n = 0, rows;
    firn_buf_clear(&e->out->out);
    e->out->plain_bytes = 0;
    e->out->dictionary_bytes = 0;
    if (e->coded) {
        FIRN_TRY(put_dictionary(e, err));
    }
    for (int64_t row = 0; row < e->desk->values.rows; row += rows, value += n) {
        rows = page_rows(e, row, value, &n);
        FIRN_TRY(put_page(e, row, rows, value, n, err));
        if (row == 0 && e->out->codec != FIRN_PARQUET_PLAIN &&
            e->out->plain_bytes >= JUDGED_BYTES) {
            *again = !packs(e->out);
            learn(&e->habit->packing_skip, &e->habit->packing_failures, !*again);
            if (*again) {
                return FIRN_OK;
            }
        }
    }
    return FIRN_OK;
}

static firn_rc encode(encoder *e, firn_err *err)
{
    bool again = false;
    number_and_bound(e);
    e->out->codec = is_tried(&e->habit->packing_skip) ? e->options->codec : FIRN_PARQUET_PLAIN;
    FIRN_TRY(put_pages(e, &again, err));
    if (again) {
        e->out->codec = FIRN_PARQUET_PLAIN;
        FIRN_TRY(put_pages(e, &again, err));
    }
    if (e->out->out.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "column %s: its part of a row group would be larger than 1 GB; set "
                  "write.parquet.row-group-rows lower",
                  e->column->name);
    }
    e->out->values = e->desk->values.rows;
    e->out->stats.size_bytes = (int64_t)e->out->out.len;
    return FIRN_OK;
}

firn_rc firn_parquet_encode(const firn_parquet_options *options, const firn_parquet_column *column,
                            firn_parquet_desk *desk, firn_parquet_habit *habit,
                            firn_parquet_chunk *out, firn_err *err)
{
    encoder e = {.options = options,
                 .column = column,
                 .desk = desk,
                 .habit = habit,
                 .out = out,
                 .item = firn_parquet_item_of(column),
                 .width = firn_parquet_width_of(column)};
    return encode(&e, err);
}

void firn_parquet_desk_deinit(firn_parquet_desk *desk)
{
    firn_parquet_values_free(&desk->values);
    firn_parquet_dictionary_free(&desk->dictionary);
    firn_buf_deinit(&desk->page);
    firn_buf_deinit(&desk->packed);
    firn_zstd_free(desk->zstd);
}
