/* A column chunk: values of one column of a row group, as pages.
 *
 * Pieces come one after another and are encoded at once; of a page that is not full yet its values are kept, or their numbers.
 *
 * A dictionary is tried first (parquet_dictionary.c), not for every row group where it failed before. When the first page is full, it is told whether that
 * pays; when later the different values become too many, the pages so far stay as they are, and those to come are plain. Bounds of texts are then those of
 * the dictionary's values, of which there are few.
 *
 * A data page (version 1) is the definition levels (when the column may have nulls: length, then runs of one bit), then the values, compressed together
 * (parquet_pack.c).
 */
#include "parquet_parts.h"
#include "parquet_text.h"

enum {
    PAGE_BYTES = 1 << 20,
    PAGE_ROWS = 1 << 13,
    LEVELS_MAX = 16 + PAGE_ROWS / 8, /* bytes: room before a page's values, which are aligned */
    SKIPPED_MAX = 31,                /* row groups, between trials of a dictionary */
    PAGE_DATA = 0,
    PAGE_DICTIONARY = 2,
};

typedef firn_parquet_encoder encoder;

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

/* ---- bounds ---- */

static void keep_text(firn_buf *room, firn_bytes *text)
{
    if (text->data == room->data) {
        return;
    }
    firn_buf_clear(room);
    (void)firn_buf_reserve(room, text->len + 1); /* an empty one has an address, too */
    firn_buf_append(room, text->data, text->len);
    *text = firn_buf_bytes(room);
}

static void widen(const encoder *e, const firn_parquet_stats *by)
{
    firn_parquet_chunk *c = e->chunk;
    firn_parquet_stats_join(e->column->kind, &c->stats, by);
    if (c->stats.bounded && (e->item == FIRN_ITEM_TEXT || e->item == FIRN_ITEM_UUID)) {
        keep_text(&c->low, &c->stats.min.bytes);
        keep_text(&c->high, &c->stats.max.bytes);
    }
}

static firn_parquet_range range_of(const encoder *e, const firn_parquet_stats *stats)
{
    firn_parquet_range range = {.low = stats->min.i64, .high = stats->max.i64};
    range.known = stats->bounded && e->item != FIRN_ITEM_TEXT &&
                  e->column->kind != FIRN_PARQUET_FLOAT && e->column->kind != FIRN_PARQUET_DOUBLE;
    if (e->column->kind == FIRN_PARQUET_DECIMAL) {
        range.low = (int64_t)stats->min.decimal;
        range.high = (int64_t)stats->max.decimal;
    }
    return range;
}

/* ---- values ---- */

void firn_parquet_decimal_bytes(__int128 value, uint8_t *out, size_t width)
{
    for (size_t i = width; i-- > 0; value >>= 8) {
        out[i] = (uint8_t)value;
    }
}

static void put_decimals(firn_buf *out, const __int128 *values, int64_t n, size_t width)
{
    uint8_t *to = firn_buf_reserve(out, (size_t)n * width);
    for (int64_t i = 0; i < n && to != NULL; i++) {
        firn_parquet_decimal_bytes(values[i], to + (size_t)i * width, width);
    }
    out->len += to != NULL ? (size_t)n * width : 0;
}

static void put_uuids(firn_buf *out, const firn_bytes *values, int64_t n)
{
    uint8_t *to = firn_buf_reserve(out, (size_t)n * 16);
    for (int64_t i = 0; i < n && to != NULL; i++) {
        memcpy(to + 16 * i, values[i].data, 16);
    }
    out->len += to != NULL ? (size_t)n * 16 : 0;
}

enum { AT_ONCE = 32 }; /* bytes of a text that are copied without a look at its length */

/* `room`: there are AT_ONCE bytes to read, and to write. */
static inline uint8_t *put_text(uint8_t *to, firn_bytes text, bool room)
{
    uint32_t len = (uint32_t)text.len;
    memcpy(to, &len, sizeof(len));
    to += sizeof(len);
    if (room && len <= AT_ONCE) {
        memcpy(to, text.data, AT_ONCE);
    } else {
        firn_text_copy(to, text);
    }
    return to + len;
}

static void put_texts(firn_buf *out, const firn_bytes *texts, int64_t n, const uint8_t *end)
{
    size_t need = 0;
    for (int64_t i = 0; i < n; i++) {
        need += sizeof(uint32_t) + texts[i].len;
    }
    uint8_t *to = firn_buf_reserve(out, need + AT_ONCE);
    for (int64_t i = 0; i < n && to != NULL; i++) {
        to = put_text(to, texts[i], end != NULL && firn_text_has_room(texts[i], end, AT_ONCE));
    }
    out->len += to != NULL ? need : 0;
}

/* Values of the page lie behind room for its levels, which are known when it is full. */
static firn_buf *page_of(firn_parquet_chunk *c)
{
    if (c->page.len == 0 && firn_buf_reserve(&c->page, LEVELS_MAX) != NULL) {
        c->page.len = LEVELS_MAX;
    }
    return &c->page;
}

static void put_values(const encoder *e, const firn_parquet_values *v)
{
    firn_buf *out = page_of(e->chunk);
    switch (e->item) {
    case FIRN_ITEM_BOOL: /* as bits once the page is full */ break;
    case FIRN_ITEM_TEXT: put_texts(out, v->data, v->n, v->texts_end); return;
    case FIRN_ITEM_UUID: put_uuids(out, v->data, v->n); return;
    case FIRN_ITEM_16: put_decimals(out, v->data, v->n, e->width); return;
    default: break;
    }
    firn_buf_append(out, v->data, (size_t)v->n * (e->item == FIRN_ITEM_BOOL ? 1 : e->width));
}

static void put_keys(const encoder *e, firn_buf *out)
{
    const firn_parquet_dictionary *d = &e->chunk->dictionary;
    const firn_parquet_entry *entries = d->keys;
    if (e->item != FIRN_ITEM_TEXT) {
        firn_buf_append(out, d->keys, d->n * e->width);
        return;
    }
    (void)firn_buf_reserve(out, d->text_bytes + d->n * sizeof(uint32_t) + AT_ONCE);
    for (size_t i = 0; i < d->n; i++) {
        put_texts(out, &entries[i].text, 1, NULL);
    }
}

/* The page's numbers as the values that they stand for. */
static void put_numbered(const encoder *e)
{
    firn_parquet_chunk *c = e->chunk;
    firn_buf *page = page_of(c);
    const firn_parquet_entry *entries = c->dictionary.keys;
    for (int64_t i = 0; i < c->page_values; i++) {
        uint32_t code = c->codes[i];
        if (e->item == FIRN_ITEM_TEXT) {
            put_texts(page, &entries[code].text, 1, NULL);
        } else {
            firn_buf_append(page, (const uint8_t *)c->dictionary.keys + e->width * code, e->width);
        }
    }
}

/* ---- pages ---- */

static void put_header(firn_buf *out, int type, size_t plain, size_t packed, int64_t values,
                       int encoding)
{
    firn_thrift t = {.out = out};
    firn_thrift_i32(&t, 1, type);
    firn_thrift_i32(&t, 2, (int32_t)plain);
    firn_thrift_i32(&t, 3, (int32_t)packed);
    firn_thrift_open(&t, type == PAGE_DATA ? 5 : 7);
    firn_thrift_i32(&t, 1, (int32_t)values);
    firn_thrift_i32(&t, 2, encoding);
    if (type == PAGE_DATA) {
        firn_thrift_i32(&t, 3, FIRN_ENCODING_RLE);
        firn_thrift_i32(&t, 4, FIRN_ENCODING_RLE);
    }
    firn_thrift_close(&t);
    firn_thrift_close(&t);
}

static firn_rc check_page(const encoder *e, const firn_buf *page, firn_err *err)
{
    if (page->overflow || page->len > INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "column %s: a page of Parquet would be larger than 1 GB",
                  e->column->name);
    }
    return FIRN_OK;
}

static firn_rc judge(const encoder *e, firn_bytes page, bool *ready, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf keys = {0};
    *ready = false;
    if (firn_parquet_packs_alike(e)) {
        return FIRN_OK;
    }
    if (e->chunk->manner == FIRN_PARQUET_CODED) {
        put_keys(e, &keys);
    }
    return firn_parquet_judge(e, page, firn_buf_bytes(&keys), ready, err);
}

static firn_rc add_page(const encoder *e, firn_bytes plain, int encoding, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    bool ready = false;
    if (c->out.len == 0) {
        FIRN_TRY(judge(e, plain, &ready, err));
    }
    firn_bytes body = firn_buf_bytes(&e->desk->packed);
    if (!ready) {
        FIRN_TRY(firn_parquet_pack(e, plain, c->packing.way, &body, err));
    }
    firn_buf *header = &e->desk->header;
    firn_buf_clear(header);
    put_header(header, PAGE_DATA, plain.len, body.len, c->page_rows, encoding);
    firn_parquet_pages_add(&c->out, firn_buf_bytes(header));
    firn_parquet_pages_add(&c->out, body);
    c->plain_bytes += (int64_t)(header->len + plain.len);
    return FIRN_OK;
}

/* Pages of values are of differences, where those take less. */
static bool has_deltas(const encoder *e)
{
    firn_parquet_physical physical = firn_parquet_physical_of(e->column);
    return e->options->deltas &&
           (physical == FIRN_PHYSICAL_INT32 || physical == FIRN_PHYSICAL_INT64);
}

/* Of a difference, at most: one bit more than the range of the values so far. */
static double delta_bytes(const encoder *e)
{
    firn_parquet_range range = range_of(e, &e->chunk->stats);
    uint64_t span = (uint64_t)range.high - (uint64_t)range.low;
    if (!has_deltas(e) || !range.known) {
        return 0;
    }
    double bytes = span > 0 ? (65 - __builtin_clzll(span)) / 8.0 : 0.125;
    return bytes < (double)e->width ? bytes : (double)e->width;
}

/* What is told of a page that is full, the last one of its chunk (no values are left then), or the last with numbers. */
static void choose_manner(const encoder *e, int64_t left)
{
    firn_parquet_chunk *c = e->chunk;
    if (c->manner != FIRN_PARQUET_TRIED || c->dictionary.seen == 0) {
        return;
    }
    bool good = firn_parquet_dictionary_pays(&c->dictionary, left, delta_bytes(e));
    learn(&c->habit.dictionary_skip, &c->habit.dictionary_failures, good);
    c->manner = good ? FIRN_PARQUET_CODED : FIRN_PARQUET_AS_VALUES;
    if (good) {
        return;
    }
    put_numbered(e);
    if (e->item == FIRN_ITEM_TEXT) {
        firn_parquet_stats own;
        firn_parquet_bound_entries(&c->dictionary, &own);
        widen(e, &own);
    }
}

/* Levels and what comes behind them, side by side. */
static firn_bytes page_bytes(const encoder *e, int *encoding)
{
    firn_parquet_chunk *c = e->chunk;
    firn_buf *small = &e->desk->page;
    bool coded = c->manner == FIRN_PARQUET_CODED;
    *encoding = coded ? FIRN_ENCODING_DICTIONARY : FIRN_ENCODING_PLAIN;
    if (!e->column->required) {
        firn_put_levels(small, c->has_nulls ? c->present : NULL, c->page_rows);
    }
    if (coded) {
        unsigned bits = firn_parquet_bits_of(c->dictionary.n);
        firn_buf_putc(small, (uint8_t)bits);
        firn_put_runs(small, c->codes, c->page_values, bits);
        return firn_buf_bytes(small);
    }
    firn_buf *page = page_of(c);
    if (e->item == FIRN_ITEM_BOOL) {
        firn_put_bools(small, page->data + LEVELS_MAX, c->page_values);
        return firn_buf_bytes(small);
    }
    if (page->overflow) {
        return (firn_bytes){0};
    }
    if (has_deltas(e)) {
        size_t levels = small->len;
        firn_put_deltas(small, page->data + LEVELS_MAX, c->page_values, e->width);
        if (small->len - levels < page->len - LEVELS_MAX) {
            *encoding = FIRN_ENCODING_DELTA;
            return firn_buf_bytes(small);
        }
        small->len = levels;
    }
    uint8_t *from = page->data + LEVELS_MAX - small->len;
    memcpy(from, small->len > 0 ? small->data : from, small->len);
    return firn_bytes_of(from, page->len - LEVELS_MAX + small->len);
}

static firn_rc finish_page(const encoder *e, int64_t left, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    choose_manner(e, left);
    int encoding;
    firn_buf_clear(&e->desk->page);
    firn_bytes page = page_bytes(e, &encoding);
    FIRN_TRY(check_page(e, &e->desk->page, err));
    FIRN_TRY(check_page(e, &c->page, err));
    FIRN_TRY(add_page(e, page, encoding, err));
    c->coded_pages += encoding == FIRN_ENCODING_DICTIONARY;
    c->delta_pages += encoding == FIRN_ENCODING_DELTA;
    firn_buf_clear(&c->page);
    c->page_rows = c->page_values = 0;
    c->has_nulls = false;
    return FIRN_OK;
}

static firn_rc put_dictionary(const encoder *e, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    firn_buf *page = &e->desk->page;
    firn_buf_clear(page);
    put_keys(e, page);
    FIRN_TRY(check_page(e, page, err));
    firn_bytes plain = firn_buf_bytes(page), body;
    FIRN_TRY(firn_parquet_pack(e, plain, FIRN_ZSTD_WHOLE, &body, err));
    put_header(&c->head, PAGE_DICTIONARY, plain.len, body.len, (int64_t)c->dictionary.n,
               FIRN_ENCODING_PLAIN);
    c->plain_bytes += (int64_t)(c->head.len + plain.len);
    firn_buf_append(&c->head, body.data, body.len);
    return FIRN_OK;
}

/* ---- pieces ---- */

/* There are too many different values, not counting those of the piece that comes now. The dictionary stays for the pages that have numbers. */
static firn_rc give_up(const encoder *e, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    if (c->manner == FIRN_PARQUET_TRIED && c->page_values == 0) {
        learn(&c->habit.dictionary_skip, &c->habit.dictionary_failures, false);
    } else {
        choose_manner(e, 0);
    }
    if (c->manner == FIRN_PARQUET_CODED) {
        if (c->page_rows > 0) {
            FIRN_TRY(finish_page(e, 0, err));
        }
        if (e->item == FIRN_ITEM_TEXT) {
            firn_parquet_stats own;
            firn_parquet_bound_entries(&c->dictionary, &own);
            widen(e, &own);
        }
    }
    c->manner = FIRN_PARQUET_AS_VALUES;
    return FIRN_OK;
}

static void note_present(firn_parquet_chunk *c, const firn_parquet_values *v)
{
    if (v->present != NULL || c->has_nulls) {
        firn_more_room((void **)&c->present, &c->present_bytes, (size_t)(c->page_rows + v->rows));
    }
    if (v->present != NULL && !c->has_nulls) {
        memset(c->present, 1, (size_t)c->page_rows);
        c->has_nulls = true;
    }
    if (v->present != NULL) {
        memcpy(c->present + c->page_rows, v->present, (size_t)v->rows);
    } else if (c->has_nulls) {
        memset(c->present + c->page_rows, 1, (size_t)v->rows);
    }
}

static firn_rc add_values(const encoder *e, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    firn_parquet_values *v = &e->desk->values;
    firn_parquet_stats own = {.nulls = v->rows - v->n};
    bool numbered = c->manner != FIRN_PARQUET_AS_VALUES;
    if (!numbered) {
        firn_parquet_gather_texts(v);
    }
    if (!numbered || e->item != FIRN_ITEM_TEXT) {
        firn_parquet_bound(e->column, v, &own);
    }
    if (numbered && v->n > 0) {
        int64_t left = e->options->row_group_rows - c->values;
        firn_parquet_range range = range_of(e, &own);
        firn_more_room((void **)&c->codes, &c->codes_bytes,
                       (size_t)(c->page_values + v->n) * sizeof(*c->codes));
        numbered = firn_parquet_number(&c->dictionary, v, &range, left, c->codes + c->page_values);
        if (!numbered) {
            FIRN_TRY(give_up(e, err));
            firn_parquet_gather_texts(v);
            firn_parquet_bound(e->column, v, &own);
        }
    }
    widen(e, &own);
    if (!numbered) {
        put_values(e, v);
    }
    note_present(c, v);
    c->page_rows += v->rows;
    c->page_values += v->n;
    c->values += v->rows;
    return FIRN_OK;
}

static int64_t text_bytes(const firn_parquet_piece *piece)
{
    const struct ArrowArray *array = piece->source->array;
    const int32_t *offsets = array->buffers[1];
    int64_t bytes = 0;
    if (piece->pick == NULL) {
        int64_t at = array->offset + piece->from;
        return offsets[at + piece->count] - offsets[at];
    }
    for (int64_t i = 0; i < piece->count; i++) {
        int64_t at = array->offset + piece->pick[i];
        bytes += offsets[at + 1] - offsets[at];
    }
    return bytes;
}

firn_rc firn_parquet_chunk_add(const firn_parquet_encoder *e, const firn_parquet_source *source,
                               const firn_parquet_rows *rows, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    for (int64_t done = 0; done < rows->count;) {
        int64_t room = PAGE_ROWS - c->page_rows, left = rows->count - done;
        int64_t from = rows->from + done;
        firn_parquet_piece piece = {.source = source,
                                    .pick = rows->pick != NULL ? rows->pick + from : NULL,
                                    .from = rows->pick != NULL ? 0 : from,
                                    .count = left < room ? left : room};
        while (e->item == FIRN_ITEM_TEXT && source->array != NULL && piece.count > 1 &&
               text_bytes(&piece) > PAGE_BYTES) {
            piece.count /= 2;
        }
        firn_parquet_gather(e->column, &piece, &e->desk->values);
        FIRN_TRY(add_values(e, err));
        done += piece.count;
        if (c->page_rows == PAGE_ROWS || c->page.len >= PAGE_BYTES) {
            FIRN_TRY(finish_page(e, e->options->row_group_rows - c->values, err));
        }
    }
    return FIRN_OK;
}

void firn_parquet_chunk_begin(const firn_parquet_encoder *e)
{
    firn_parquet_chunk *c = e->chunk;
    bool can = e->item == FIRN_ITEM_4 || e->item == FIRN_ITEM_8 || e->item == FIRN_ITEM_TEXT;
    firn_parquet_pages_clear(&c->out);
    firn_buf_clear(&c->head);
    c->values = c->plain_bytes = 0;
    c->stats = (firn_parquet_stats){0};
    c->manner =
        can && is_tried(&c->habit.dictionary_skip) ? FIRN_PARQUET_TRIED : FIRN_PARQUET_AS_VALUES;
    if (c->manner == FIRN_PARQUET_TRIED) {
        firn_parquet_dictionary_begin(&c->dictionary, e->item, e->options->dictionary_max);
    }
    c->coded_pages = c->delta_pages = 0;
}

firn_rc firn_parquet_chunk_end(const firn_parquet_encoder *e, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    if (c->page_rows > 0) {
        FIRN_TRY(finish_page(e, 0, err));
    }
    if (c->coded_pages > 0) {
        FIRN_TRY(put_dictionary(e, err));
    }
    if (c->manner == FIRN_PARQUET_CODED && e->item == FIRN_ITEM_TEXT) {
        firn_parquet_stats own;
        firn_parquet_bound_entries(&c->dictionary, &own);
        widen(e, &own);
    }
    if (c->out.len > FIRN_BUF_MAX_DEFAULT || c->head.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "column %s: its part of a row group would be larger than 1 GB; set "
                  "write.parquet.row-group-rows lower",
                  e->column->name);
    }
    c->stats.size_bytes = (int64_t)(c->head.len + c->out.len);
    return FIRN_OK;
}

void firn_parquet_chunk_deinit(firn_parquet_chunk *chunk)
{
    firn_parquet_pages_deinit(&chunk->out);
    firn_buf_deinit(&chunk->head);
    firn_buf_deinit(&chunk->low);
    firn_buf_deinit(&chunk->high);
    firn_buf_deinit(&chunk->page);
    firn_parquet_dictionary_free(&chunk->dictionary);
    free(chunk->codes);
    free(chunk->present);
}

void firn_parquet_desk_deinit(firn_parquet_desk *desk)
{
    firn_parquet_values_free(&desk->values);
    firn_buf_deinit(&desk->page);
    firn_buf_deinit(&desk->packed);
    firn_buf_deinit(&desk->header);
    firn_zstd_free(desk->zstd);
}
