/* A column chunk: the values of one column of a row group, as pages.
 *
 * A dictionary is tried first. It is given up once it has too many values, and early when nearly every one of the first is new: a column of ids
 * costs a few thousand look-ups and no more. Bounds are then those of the dictionary's values, of which there are few.
 *
 * A data page (version 1) is the definition levels (when the column may have nulls: length, then runs of one bit), then the values, compressed together.
 */
#include "compress.h"
#include "parquet_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 1 << 20,
    PAGE_ROWS = 1 << 15,
    TRIED_VALUES = 4096, /* of which a dictionary may hold */
    TRIED_MAX = 3500,
    PAGE_DATA = 0,
    PAGE_DICTIONARY = 2,
};

typedef enum item_kind { ITEM_BOOL, ITEM_4, ITEM_8, ITEM_DECIMAL, ITEM_TEXT, ITEM_UUID } item_kind;

typedef struct dictionary {
    uint32_t *slots; /* number of a value, from 1; 0: free */
    size_t mask;
    uint32_t *codes; /* one for each value of the chunk */
    int64_t *firsts; /* where a value of the dictionary was met first */
    size_t n;
} dictionary;

typedef struct encoder {
    const firn_parquet_options *options;
    const firn_parquet_column *column;
    const firn_parquet_values *values;
    firn_parquet_chunk *out;
    item_kind item;
    size_t width; /* in the file */
    dictionary dictionary;
    firn_buf page, packed;
} encoder;

static item_kind item_of(firn_parquet_kind kind)
{
    switch (kind) {
    case FIRN_PARQUET_BOOLEAN: return ITEM_BOOL;
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE:
    case FIRN_PARQUET_FLOAT: return ITEM_4;
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY: return ITEM_TEXT;
    case FIRN_PARQUET_UUID: return ITEM_UUID;
    case FIRN_PARQUET_DECIMAL: return ITEM_DECIMAL;
    default: return ITEM_8;
    }
}

/* ---- the dictionary ---- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0x9E3779B97F4A7C15);
    return x ^ x >> 29;
}

static uint64_t hash_text(firn_bytes text)
{
    uint64_t h = text.len;
    uint64_t word;
    size_t i = 0;
    for (; i + sizeof(word) <= text.len; i += sizeof(word)) {
        memcpy(&word, text.data + i, sizeof(word));
        h = mix(h ^ word) * UINT64_C(0xD6E8FEB86659FD93);
    }
    word = 0;
    if (i < text.len) {
        memcpy(&word, text.data + i, text.len - i);
    }
    return mix(h ^ word);
}

static uint64_t hash_at(const encoder *e, int64_t i)
{
    const void *data = e->values->data;
    switch (e->item) {
    case ITEM_4: return mix(((const uint32_t *)data)[i]);
    case ITEM_8: return mix(((const uint64_t *)data)[i]);
    default: return hash_text(((const firn_bytes *)data)[i]);
    }
}

static bool equal_at(const encoder *e, int64_t a, int64_t b)
{
    const void *data = e->values->data;
    switch (e->item) {
    case ITEM_4: return ((const uint32_t *)data)[a] == ((const uint32_t *)data)[b];
    case ITEM_8: return ((const uint64_t *)data)[a] == ((const uint64_t *)data)[b];
    default: {
        const firn_bytes *left = &((const firn_bytes *)data)[a];
        const firn_bytes *right = &((const firn_bytes *)data)[b];
        return left->len == right->len &&
               (left->len == 0 || memcmp(left->data, right->data, left->len) == 0);
    }
    }
}

static uint32_t code_of(encoder *e, int64_t i)
{
    dictionary *d = &e->dictionary;
    for (size_t slot = hash_at(e, i) & d->mask;; slot = (slot + 1) & d->mask) {
        uint32_t number = d->slots[slot];
        if (number == 0) {
            d->firsts[d->n] = i;
            d->slots[slot] = (uint32_t)++d->n;
            return (uint32_t)d->n - 1;
        }
        if (equal_at(e, d->firsts[number - 1], i)) {
            return number - 1;
        }
    }
}

static void forget_dictionary(dictionary *d)
{
    free(d->slots);
    free(d->codes);
    free(d->firsts);
    *d = (dictionary){0};
}

static bool make_dictionary(encoder *e)
{
    dictionary *d = &e->dictionary;
    int64_t n = e->values->n;
    size_t max = e->options->dictionary_max;
    if (e->item == ITEM_BOOL || e->item == ITEM_UUID || e->item == ITEM_DECIMAL || n == 0) {
        return false;
    }
    max = max < (size_t)n ? max : (size_t)n;
    size_t slots = 1024;
    while (slots < 2 * (max + 1)) {
        slots *= 2;
    }
    d->mask = slots - 1;
    d->slots = firn_calloc(slots, sizeof(*d->slots));
    d->codes = firn_malloc(firn_mul_size((size_t)n, sizeof(*d->codes)));
    d->firsts = firn_malloc(firn_mul_size(max + 1, sizeof(*d->firsts)));
    for (int64_t i = 0; i < n; i++) {
        d->codes[i] = code_of(e, i);
        if (d->n > max || (i == TRIED_VALUES && d->n > TRIED_MAX)) {
            forget_dictionary(d);
            return false;
        }
    }
    if (n <= TRIED_VALUES && d->n * 2 > (size_t)n) { /* few rows: a dictionary that saves nothing */
        forget_dictionary(d);
        return false;
    }
    return true;
}

/* ---- bounds ---- */

static void bound_double(firn_parquet_stats *s, double x, bool first)
{
    if (isnan(x)) {
        s->nans++;
        return;
    }
    s->min.f64 = first || x < s->min.f64 ? x : s->min.f64;
    s->max.f64 = first || x > s->max.f64 ? x : s->max.f64;
}

static void bound_value(const encoder *e, firn_parquet_stats *s, int64_t i, bool first)
{
    const void *data = e->values->data;
    int64_t whole;
    switch (e->item) {
    case ITEM_TEXT:
    case ITEM_UUID: {
        firn_bytes x = ((const firn_bytes *)data)[i];
        s->min.bytes = first || firn_bytes_cmp(x, s->min.bytes) < 0 ? x : s->min.bytes;
        s->max.bytes = first || firn_bytes_cmp(x, s->max.bytes) > 0 ? x : s->max.bytes;
        return;
    }
    case ITEM_DECIMAL: {
        __int128 x = ((const __int128 *)data)[i];
        s->min.decimal = first || x < s->min.decimal ? x : s->min.decimal;
        s->max.decimal = first || x > s->max.decimal ? x : s->max.decimal;
        return;
    }
    case ITEM_BOOL: whole = ((const bool *)data)[i]; break;
    case ITEM_4: whole = ((const int32_t *)data)[i]; break;
    default: whole = ((const int64_t *)data)[i]; break;
    }
    s->min.i64 = first || whole < s->min.i64 ? whole : s->min.i64;
    s->max.i64 = first || whole > s->max.i64 ? whole : s->max.i64;
}

static void bound_floats(const encoder *e, firn_parquet_stats *s)
{
    for (int64_t i = 0; i < e->values->n; i++) {
        double x = e->item == ITEM_4 ? (double)((const float *)e->values->data)[i]
                                     : ((const double *)e->values->data)[i];
        bound_double(s, x, i == s->nans);
    }
    s->bounded = e->values->n > 0 && s->nans == 0;
    if (s->bounded && s->min.f64 == 0) { /* holds whichever sign the zeros have */
        s->min.f64 = -0.0;
    }
    if (s->bounded && s->max.f64 == 0) {
        s->max.f64 = 0.0;
    }
}

static void make_bounds(encoder *e)
{
    firn_parquet_stats *s = &e->out->stats;
    const dictionary *d = &e->dictionary;
    s->nulls = e->values->rows - e->values->n;
    if (e->column->kind == FIRN_PARQUET_FLOAT || e->column->kind == FIRN_PARQUET_DOUBLE) {
        bound_floats(e, s);
        return;
    }
    int64_t n = d->codes != NULL ? (int64_t)d->n : e->values->n;
    for (int64_t i = 0; i < n; i++) {
        bound_value(e, s, d->codes != NULL ? d->firsts[i] : i, i == 0);
    }
    s->bounded = n > 0;
}

static void join_integers(firn_parquet_stats *to, const firn_parquet_stats *from)
{
    to->min.i64 = from->min.i64 < to->min.i64 ? from->min.i64 : to->min.i64;
    to->max.i64 = from->max.i64 > to->max.i64 ? from->max.i64 : to->max.i64;
}

static void join_bounds(firn_parquet_kind kind, firn_parquet_stats *to,
                        const firn_parquet_stats *from)
{
    switch (kind) {
    case FIRN_PARQUET_FLOAT:
    case FIRN_PARQUET_DOUBLE:
        to->min.f64 = from->min.f64 < to->min.f64 ? from->min.f64 : to->min.f64;
        to->max.f64 = from->max.f64 > to->max.f64 ? from->max.f64 : to->max.f64;
        return;
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY:
    case FIRN_PARQUET_UUID:
        to->min.bytes =
            firn_bytes_cmp(from->min.bytes, to->min.bytes) < 0 ? from->min.bytes : to->min.bytes;
        to->max.bytes =
            firn_bytes_cmp(from->max.bytes, to->max.bytes) > 0 ? from->max.bytes : to->max.bytes;
        return;
    case FIRN_PARQUET_DECIMAL:
        to->min.decimal = from->min.decimal < to->min.decimal ? from->min.decimal : to->min.decimal;
        to->max.decimal = from->max.decimal > to->max.decimal ? from->max.decimal : to->max.decimal;
        return;
    default: join_integers(to, from); return;
    }
}

void firn_parquet_stats_join(firn_parquet_kind kind, firn_parquet_stats *to,
                             const firn_parquet_stats *from)
{
    if (!to->bounded && to->nans == 0) {
        to->min = from->min;
        to->max = from->max;
        to->bounded = from->bounded;
    } else if (from->bounded && to->bounded) {
        join_bounds(kind, to, from);
    }
    to->size_bytes += from->size_bytes;
    to->nulls += from->nulls;
    to->nans += from->nans;
    to->bounded = to->bounded && to->nans == 0;
}

/* ---- pages ---- */

static void put_u32(firn_buf *out, uint32_t value)
{
    firn_buf_append(out, &value, sizeof(value));
}

/* Length, then one run: of ones, or of bits. */
static void put_levels(firn_buf *out, const uint8_t *present, int64_t rows)
{
    size_t at = out->len;
    put_u32(out, 0);
    if (present == NULL) {
        firn_put_varint(out, (uint64_t)rows << 1);
        firn_buf_putc(out, 1);
    } else {
        int64_t groups = (rows + 7) / 8;
        firn_put_varint(out, (uint64_t)groups << 1 | 1);
        for (int64_t g = 0; g < groups; g++) {
            uint8_t bits = 0;
            for (int64_t i = 8 * g; i < rows && i < 8 * g + 8; i++) {
                bits |= (uint8_t)(present[i] << (i - 8 * g));
            }
            firn_buf_putc(out, bits);
        }
    }
    uint32_t len = (uint32_t)(out->len - at - sizeof(uint32_t));
    memcpy(out->data + at, &len, sizeof(len));
}

/* One run of bits, or of one value when there is no other. */
static void put_codes(const encoder *e, firn_buf *out, int64_t from, int64_t n)
{
    const uint32_t *codes = e->dictionary.codes + from;
    unsigned bits = 1;
    while (e->dictionary.n > (size_t)1 << bits) {
        bits++;
    }
    firn_buf_putc(out, (uint8_t)bits);
    if (n == 0) {
        return;
    }
    if (e->dictionary.n == 1) {
        firn_put_varint(out, (uint64_t)n << 1);
        firn_buf_putc(out, 0);
        return;
    }
    size_t groups = ((size_t)n + 7) / 8;
    firn_put_varint(out, (uint64_t)groups << 1 | 1);
    uint8_t *to = firn_buf_reserve(out, groups * bits + sizeof(uint64_t));
    if (to == NULL) {
        return;
    }
    uint64_t word = 0;
    unsigned used = 0;
    for (size_t i = 0; i < groups * 8; i++) {
        word |= (uint64_t)(i < (size_t)n ? codes[i] : 0) << used;
        for (used += bits; used >= 8; used -= 8) {
            *to++ = (uint8_t)word;
            word >>= 8;
        }
    }
    out->len += groups * bits;
}

static void put_bools(firn_buf *out, const bool *values, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8) {
        uint8_t bits = 0;
        for (int64_t k = i; k < n && k < i + 8; k++) {
            bits |= (uint8_t)(values[k] << (k - i));
        }
        firn_buf_putc(out, bits);
    }
}

void firn_parquet_decimal_bytes(__int128 value, uint8_t *out, size_t width)
{
    for (size_t i = width; i-- > 0; value >>= 8) {
        out[i] = (uint8_t)value;
    }
}

static void put_decimal(const encoder *e, firn_buf *out, __int128 value)
{
    uint8_t bytes[16];
    int64_t word = (int64_t)value;
    if (firn_parquet_physical_of(e->column) != FIRN_PHYSICAL_FIXED) {
        firn_buf_append(out, &word, e->width); /* little-endian, 4 or 8 bytes */
        return;
    }
    firn_parquet_decimal_bytes(value, bytes, e->width);
    firn_buf_append(out, bytes, e->width);
}

static void put_texts(firn_buf *out, const firn_bytes *texts, int64_t n)
{
    size_t need = 0;
    for (int64_t i = 0; i < n; i++) {
        need += sizeof(uint32_t) + texts[i].len;
    }
    uint8_t *to = firn_buf_reserve(out, need);
    if (to == NULL) {
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t len = (uint32_t)texts[i].len;
        memcpy(to, &len, sizeof(len));
        to += sizeof(len);
        if (len > 0) {
            memcpy(to, texts[i].data, len);
        }
        to += len;
    }
    out->len += need;
}

static void put_plain(const encoder *e, firn_buf *out, int64_t from, int64_t n)
{
    const void *data = e->values->data;
    switch (e->item) {
    case ITEM_BOOL: put_bools(out, (const bool *)data + from, n); return;
    case ITEM_TEXT: put_texts(out, (const firn_bytes *)data + from, n); return;
    case ITEM_UUID:
        for (int64_t i = from; i < from + n; i++) {
            firn_buf_append(out, ((const firn_bytes *)data)[i].data, e->width);
        }
        return;
    case ITEM_DECIMAL:
        for (int64_t i = from; i < from + n; i++) {
            put_decimal(e, out, ((const __int128 *)data)[i]);
        }
        return;
    default:
        firn_buf_append(out, (const uint8_t *)data + (size_t)from * e->width, (size_t)n * e->width);
        return;
    }
}

static firn_rc compress_page(encoder *e, firn_bytes *out, firn_err *err)
{
    firn_bytes plain = firn_buf_bytes(&e->page);
    firn_buf_clear(&e->packed);
    switch (e->options->codec) {
    case FIRN_PARQUET_SNAPPY: FIRN_TRY(firn_snappy_compress(plain, &e->packed, err)); break;
    case FIRN_PARQUET_ZSTD:
        FIRN_TRY(firn_zstd_compress(plain, e->options->level, &e->packed, err));
        break;
    default: *out = plain; return FIRN_OK;
    }
    *out = firn_buf_bytes(&e->packed);
    return FIRN_OK;
}

/* e->page under its header. */
static firn_rc finish_page(encoder *e, int type, int64_t values, int encoding, firn_err *err)
{
    firn_bytes body;
    firn_buf *out = &e->out->out;
    size_t before = out->len;
    if (e->page.overflow || e->page.len > INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "column %s: a page of Parquet would be larger than 1 GB",
                  e->column->name);
    }
    FIRN_TRY(compress_page(e, &body, err));
    firn_thrift t = {.out = out};
    firn_thrift_i32(&t, 1, type);
    firn_thrift_i32(&t, 2, (int32_t)e->page.len);
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
    e->out->plain_bytes += (int64_t)(out->len - before + e->page.len);
    firn_buf_append(out, body.data, body.len);
    firn_buf_clear(&e->page);
    return FIRN_OK;
}

static firn_rc put_dictionary(encoder *e, firn_err *err)
{
    const dictionary *d = &e->dictionary;
    for (size_t i = 0; i < d->n; i++) {
        put_plain(e, &e->page, d->firsts[i], 1);
    }
    FIRN_TRY(finish_page(e, PAGE_DICTIONARY, (int64_t)d->n, FIRN_ENCODING_PLAIN, err));
    e->out->dictionary_bytes = (int64_t)e->out->out.len;
    return FIRN_OK;
}

/* How many of the rows from `row` on fill a page, and how many values they have (the first is number `value`). */
static int64_t page_rows(const encoder *e, int64_t row, int64_t value, int64_t *n)
{
    const firn_parquet_values *v = e->values;
    bool texts = e->item == ITEM_TEXT && e->dictionary.codes == NULL;
    size_t bytes = 0;
    int64_t rows = 0;
    *n = 0;
    while (row + rows < v->rows && rows < PAGE_ROWS && bytes < PAGE_BYTES) {
        if (v->present == NULL || v->present[row + rows]) {
            bytes +=
                texts ? sizeof(uint32_t) + ((const firn_bytes *)v->data)[value + *n].len : e->width;
            (*n)++;
        }
        rows++;
    }
    return rows;
}

static firn_rc put_pages(encoder *e, firn_err *err)
{
    const firn_parquet_values *v = e->values;
    bool coded = e->dictionary.codes != NULL;
    int64_t value = 0, n = 0;
    for (int64_t row = 0, rows; row < v->rows; row += rows, value += n) {
        rows = page_rows(e, row, value, &n);
        if (!e->column->required) {
            put_levels(&e->page, v->present != NULL ? v->present + row : NULL, rows);
        }
        if (coded) {
            put_codes(e, &e->page, value, n);
        } else {
            put_plain(e, &e->page, value, n);
        }
        FIRN_TRY(finish_page(e, PAGE_DATA, rows,
                             coded ? FIRN_ENCODING_DICTIONARY : FIRN_ENCODING_PLAIN, err));
    }
    return FIRN_OK;
}

static firn_rc encode(encoder *e, firn_err *err)
{
    bool coded = make_dictionary(e);
    make_bounds(e);
    if (coded) {
        FIRN_TRY(put_dictionary(e, err));
    }
    FIRN_TRY(put_pages(e, err));
    if (e->out->out.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "column %s: its part of a row group would be larger than 1 GB; set "
                  "write.parquet.row-group-rows lower",
                  e->column->name);
    }
    e->out->values = e->values->rows;
    e->out->stats.size_bytes = (int64_t)e->out->out.len;
    return FIRN_OK;
}

firn_rc firn_parquet_encode(const firn_parquet_options *options, const firn_parquet_column *column,
                            const firn_parquet_values *values, firn_parquet_chunk *out,
                            firn_err *err)
{
    encoder e = {.options = options,
                 .column = column,
                 .values = values,
                 .out = out,
                 .item = item_of(column->kind),
                 .width = firn_parquet_width_of(column)};
    firn_rc rc = encode(&e, err);
    forget_dictionary(&e.dictionary);
    firn_buf_deinit(&e.page);
    firn_buf_deinit(&e.packed);
    return rc;
}
