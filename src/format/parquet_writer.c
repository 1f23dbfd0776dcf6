/* Row groups and the footer.
 *
 * Rows are encoded as they come, each column by itself, on several threads when there are enough of them. What a row group holds until it is full is thus
 * small: pages that are done, and of each column the page that is being filled. Then its columns go to the sink in order.
 */
#include "base/thread.h"
#include "format/decimal.h"
#include "parquet_parts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    STEP_ROWS = 1 << 15,     /* that all columns take before the next ones */
    THREAD_VALUES = 1 << 17, /* of a step that is worth the threads */
    GROUP_BYTES = 256 << 20, /* that end a row group, if nothing else is said */
    BOUND_BYTES = 256,       /* of texts in the file's statistics */
    CONVERTED_UTF8 = 0,
    CONVERTED_DECIMAL = 5,
    CONVERTED_DATE = 6,
    CONVERTED_TIMESTAMP_MICROS = 10,
    LOGICAL_STRING = 1,
    LOGICAL_DECIMAL = 5,
    LOGICAL_DATE = 6,
    LOGICAL_TIME = 7,
    LOGICAL_TIMESTAMP = 8,
    LOGICAL_UUID = 14,
    UNIT_MICROS = 2,
};

static const char MAGIC[] = "PAR1";

typedef struct written_chunk {
    firn_parquet_codec codec;
    int64_t offset, dictionary_bytes, values, plain_bytes, size_bytes;
    bool has_deltas;
    firn_parquet_stats stats;
} written_chunk;

typedef struct row_group {
    int64_t rows, offset, bytes, plain_bytes;
    written_chunk *chunks;
} row_group;

struct firn_parquet_writer {
    firn_arena *arena;
    firn_parquet_options options;
    int64_t group_rows; /* of the row group that is being filled */
    FIRN_VEC(row_group) groups;
    firn_parquet_stats *stats;
    firn_parquet_chunk *chunks; /* of each column */
    int64_t bytes, rows;
    pthread_mutex_t lock;
    firn_parquet_desk *desks; /* that no thread has taken; under the lock */
};

firn_parquet_physical firn_parquet_physical_of(const firn_parquet_column *column)
{
    switch (column->kind) {
    case FIRN_PARQUET_BOOLEAN: return FIRN_PHYSICAL_BOOLEAN;
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE: return FIRN_PHYSICAL_INT32;
    case FIRN_PARQUET_FLOAT: return FIRN_PHYSICAL_FLOAT;
    case FIRN_PARQUET_DOUBLE: return FIRN_PHYSICAL_DOUBLE;
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY: return FIRN_PHYSICAL_BYTE_ARRAY;
    case FIRN_PARQUET_UUID: return FIRN_PHYSICAL_FIXED;
    case FIRN_PARQUET_DECIMAL:
        return column->precision <= 9    ? FIRN_PHYSICAL_INT32
               : column->precision <= 18 ? FIRN_PHYSICAL_INT64
                                         : FIRN_PHYSICAL_FIXED;
    default: return FIRN_PHYSICAL_INT64;
    }
}

size_t firn_parquet_width_of(const firn_parquet_column *column)
{
    switch (firn_parquet_physical_of(column)) {
    case FIRN_PHYSICAL_INT32:
    case FIRN_PHYSICAL_FLOAT: return sizeof(int32_t);
    case FIRN_PHYSICAL_INT64:
    case FIRN_PHYSICAL_DOUBLE: return sizeof(int64_t);
    case FIRN_PHYSICAL_FIXED:
        return column->kind == FIRN_PARQUET_UUID
                   ? 16
                   : (size_t)firn_decimal_width_bytes(column->precision);
    default: return 0;
    }
}

/* ---- bytes ---- */

static firn_rc put(firn_parquet_writer *w, firn_bytes bytes, firn_err *err)
{
    FIRN_TRY(w->options.sink(w->options.ctx, bytes, err));
    w->bytes += (int64_t)bytes.len;
    return FIRN_OK;
}

firn_rc firn_parquet_begin(const firn_parquet_options *options, firn_parquet_writer **out,
                           firn_err *err)
{
    firn_arena *arena = firn_arena_new();
    firn_parquet_writer *w = FIRN_NEW(arena, firn_parquet_writer);
    *w = (firn_parquet_writer){.arena = arena, .options = *options};
    if (w->options.row_group_bytes <= 0) {
        w->options.row_group_bytes = GROUP_BYTES;
    }
    w->stats = FIRN_NEW_N(arena, firn_parquet_stats, options->n_columns);
    w->chunks = FIRN_NEW_N(arena, firn_parquet_chunk, options->n_columns);
    pthread_mutex_init(&w->lock, NULL);
    firn_rc rc = put(w, firn_bytes_str(MAGIC), err);
    if (rc != FIRN_OK) {
        firn_parquet_free(w);
        return rc;
    }
    *out = w;
    return FIRN_OK;
}

void firn_parquet_free(firn_parquet_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    for (size_t i = 0; i < writer->options.n_columns; i++) {
        firn_parquet_chunk_deinit(&writer->chunks[i]);
    }
    for (firn_parquet_desk *desk = writer->desks, *next; desk != NULL; desk = next) {
        next = desk->next;
        firn_parquet_desk_deinit(desk);
        free(desk);
    }
    pthread_mutex_destroy(&writer->lock);
    firn_arena_free(writer->arena);
}

/* ---- a row group ---- */

typedef struct encoding {
    firn_parquet_writer *writer;
    const firn_parquet_rows *rows; /* NULL: the row group ends */
    firn_err *errs;                /* of each column */
} encoding;

static firn_parquet_desk *take_desk(firn_parquet_writer *w)
{
    pthread_mutex_lock(&w->lock);
    firn_parquet_desk *desk = w->desks;
    w->desks = desk != NULL ? desk->next : NULL;
    pthread_mutex_unlock(&w->lock);
    return desk != NULL ? desk : firn_calloc(1, sizeof(*desk));
}

static void give_desk(firn_parquet_writer *w, firn_parquet_desk *desk)
{
    pthread_mutex_lock(&w->lock);
    desk->next = w->desks;
    w->desks = desk;
    pthread_mutex_unlock(&w->lock);
}

static void encode_column(void *ctx, size_t i)
{
    encoding *job = ctx;
    firn_parquet_writer *w = job->writer;
    const firn_parquet_column *column = &w->options.columns[i];
    const firn_parquet_encoder e = {.options = &w->options,
                                    .column = column,
                                    .chunk = &w->chunks[i],
                                    .desk = take_desk(w),
                                    .item = firn_parquet_item_of(column),
                                    .width = firn_parquet_width_of(column)};
    if (w->group_rows == 0) {
        firn_parquet_chunk_begin(&e);
    }
    firn_err own = {0};
    firn_rc rc = job->rows != NULL
                     ? firn_parquet_chunk_add(&e, &job->rows->sources[i], job->rows, &own)
                     : firn_parquet_chunk_end(&e, &own);
    give_desk(w, e.desk);
    if (rc != FIRN_OK) {
        job->errs[i] = own;
    }
}

/* `rows` NULL: the row group ends. */
static firn_rc encode(firn_parquet_writer *w, const firn_parquet_rows *rows, firn_err *err)
{
    size_t n = w->options.n_columns;
    int64_t values = (rows != NULL ? rows->count : w->group_rows) * (int64_t)n;
    encoding job = {.writer = w, .rows = rows, .errs = firn_calloc(n, sizeof(firn_err))};
    firn_rc rc = FIRN_OK;
    firn_parallel_for(values >= THREAD_VALUES ? w->options.threads : 1, n, encode_column, &job);
    for (size_t i = 0; i < n && rc == FIRN_OK; i++) {
        rc = job.errs[i].code;
        if (rc != FIRN_OK && err != NULL) {
            *err = job.errs[i];
        }
    }
    free(job.errs);
    return rc;
}

static bool is_text(firn_parquet_kind kind)
{
    return kind == FIRN_PARQUET_STRING || kind == FIRN_PARQUET_BINARY || kind == FIRN_PARQUET_UUID;
}

/* The next row group's chunk takes the room of this one: what is still wanted is copied. Bounds that the footer has no place for are not. */
static firn_parquet_stats kept_stats(firn_parquet_writer *w, size_t i)
{
    firn_parquet_stats stats = w->chunks[i].stats;
    if (stats.bounded && is_text(w->options.columns[i].kind)) {
        stats.bounded = stats.min.bytes.len <= BOUND_BYTES && stats.max.bytes.len <= BOUND_BYTES;
        stats.min.bytes =
            firn_bytes_dup(w->arena, stats.bounded ? stats.min.bytes : (firn_bytes){0});
        stats.max.bytes =
            firn_bytes_dup(w->arena, stats.bounded ? stats.max.bytes : (firn_bytes){0});
    }
    return stats;
}

static void join_stats(firn_parquet_writer *w, size_t i)
{
    firn_parquet_stats *to = &w->stats[i];
    const firn_parquet_stats *from = &w->chunks[i].stats;
    firn_parquet_stats_join(w->options.columns[i].kind, to, from);
    if (!to->bounded || !is_text(w->options.columns[i].kind)) {
        return;
    }
    if (to->min.bytes.data == from->min.bytes.data) {
        to->min.bytes = firn_bytes_dup(w->arena, to->min.bytes);
    }
    if (to->max.bytes.data == from->max.bytes.data) {
        to->max.bytes = firn_bytes_dup(w->arena, to->max.bytes);
    }
}

static firn_rc put_chunk(firn_parquet_writer *w, size_t i, row_group *group, firn_err *err)
{
    const firn_parquet_chunk *chunk = &w->chunks[i];
    int64_t bytes = (int64_t)(chunk->head.len + chunk->out.len);
    group->chunks[i] = (written_chunk){.codec = chunk->packing.codec,
                                       .offset = w->bytes,
                                       .dictionary_bytes = (int64_t)chunk->head.len,
                                       .values = chunk->values,
                                       .plain_bytes = chunk->plain_bytes,
                                       .size_bytes = bytes,
                                       .has_deltas = chunk->delta_pages > 0,
                                       .stats = kept_stats(w, i)};
    if (chunk->head.len > 0) {
        FIRN_TRY(put(w, firn_buf_bytes(&chunk->head), err));
    }
    for (size_t b = 0; b < chunk->out.used; b++) {
        const firn_parquet_block *block = &chunk->out.blocks[b];
        FIRN_TRY(put(w, firn_bytes_of(block->data, block->len), err));
    }
    join_stats(w, i);
    group->bytes += bytes;
    group->plain_bytes += chunk->plain_bytes;
    return FIRN_OK;
}

static firn_rc flush(firn_parquet_writer *w, firn_err *err)
{
    if (w->group_rows == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(encode(w, NULL, err));
    row_group group = {.rows = w->group_rows,
                       .offset = w->bytes,
                       .chunks = FIRN_NEW_N(w->arena, written_chunk, w->options.n_columns)};
    for (size_t i = 0; i < w->options.n_columns; i++) {
        FIRN_TRY(put_chunk(w, i, &group, err));
    }
    firn_vec_push(w->arena, &w->groups, group);
    w->rows += group.rows;
    w->group_rows = 0;
    return FIRN_OK;
}

int64_t firn_parquet_held_bytes(const firn_parquet_writer *w)
{
    size_t bytes = 0;
    for (size_t i = 0; i < w->options.n_columns && w->group_rows > 0; i++) {
        const firn_parquet_chunk *c = &w->chunks[i];
        bytes += c->out.len + c->page.len + (size_t)c->page_values * sizeof(*c->codes) +
                 firn_parquet_dictionary_bytes(&c->dictionary);
    }
    return (int64_t)bytes;
}

firn_rc firn_parquet_check(const firn_parquet_options *options, const firn_parquet_rows *rows,
                           firn_err *err)
{
    for (size_t i = 0; i < options->n_columns; i++) {
        FIRN_TRY(firn_parquet_fit(&options->columns[i], &rows->sources[i], rows, err));
    }
    return FIRN_OK;
}

firn_rc firn_parquet_add(firn_parquet_writer *w, const firn_parquet_rows *rows, firn_err *err)
{
    if (!rows->checked) {
        FIRN_TRY(firn_parquet_check(&w->options, rows, err));
    }
    firn_parquet_rows step = *rows;
    for (int64_t left = rows->count; left > 0; left -= step.count, step.from += step.count) {
        int64_t room = w->options.row_group_rows - w->group_rows;
        step.count = left < room ? left : room;
        step.count = step.count < STEP_ROWS ? step.count : STEP_ROWS;
        FIRN_TRY(encode(w, &step, err));
        w->group_rows += step.count;
        if (w->group_rows == w->options.row_group_rows ||
            firn_parquet_held_bytes(w) >= w->options.row_group_bytes) {
            FIRN_TRY(flush(w, err));
        }
    }
    return FIRN_OK;
}

/* ---- the schema ---- */

static void put_empty(firn_thrift *t, int id)
{
    firn_thrift_open(t, id);
    firn_thrift_close(t);
}

static void put_clock(firn_thrift *t, int id, bool utc)
{
    firn_thrift_open(t, id);
    firn_thrift_bool(t, 1, utc);
    firn_thrift_open(t, 2);
    put_empty(t, UNIT_MICROS);
    firn_thrift_close(t);
    firn_thrift_close(t);
}

static void put_logical(firn_thrift *t, const firn_parquet_column *column)
{
    firn_thrift_open(t, 10);
    switch (column->kind) {
    case FIRN_PARQUET_STRING: put_empty(t, LOGICAL_STRING); break;
    case FIRN_PARQUET_DATE: put_empty(t, LOGICAL_DATE); break;
    case FIRN_PARQUET_UUID: put_empty(t, LOGICAL_UUID); break;
    case FIRN_PARQUET_TIME: put_clock(t, LOGICAL_TIME, false); break;
    case FIRN_PARQUET_DECIMAL:
        firn_thrift_open(t, LOGICAL_DECIMAL);
        firn_thrift_i32(t, 1, column->scale);
        firn_thrift_i32(t, 2, column->precision);
        firn_thrift_close(t);
        break;
    default: put_clock(t, LOGICAL_TIMESTAMP, column->kind == FIRN_PARQUET_TIMESTAMPTZ); break;
    }
    firn_thrift_close(t);
}

/* What readers knew before there were logical types; -1: nothing. Theirs of times are UTC, so plain timestamps have none. */
static int32_t converted_of(firn_parquet_kind kind)
{
    switch (kind) {
    case FIRN_PARQUET_STRING: return CONVERTED_UTF8;
    case FIRN_PARQUET_DATE: return CONVERTED_DATE;
    case FIRN_PARQUET_DECIMAL: return CONVERTED_DECIMAL;
    case FIRN_PARQUET_TIMESTAMPTZ: return CONVERTED_TIMESTAMP_MICROS;
    default: return -1;
    }
}

static bool has_logical(firn_parquet_kind kind)
{
    return kind == FIRN_PARQUET_TIME || kind == FIRN_PARQUET_TIMESTAMP ||
           kind == FIRN_PARQUET_UUID || converted_of(kind) >= 0;
}

static void put_column(firn_thrift *t, const firn_parquet_column *column)
{
    firn_parquet_physical physical = firn_parquet_physical_of(column);
    int32_t converted = converted_of(column->kind);
    firn_thrift_item(t);
    firn_thrift_i32(t, 1, (int32_t)physical);
    if (physical == FIRN_PHYSICAL_FIXED) {
        firn_thrift_i32(t, 2, (int32_t)firn_parquet_width_of(column));
    }
    firn_thrift_i32(t, 3, column->required ? 0 : 1);
    firn_thrift_bytes(t, 4, firn_bytes_str(column->name));
    if (converted >= 0) {
        firn_thrift_i32(t, 6, converted);
    }
    if (column->kind == FIRN_PARQUET_DECIMAL) {
        firn_thrift_i32(t, 7, column->scale);
        firn_thrift_i32(t, 8, column->precision);
    }
    firn_thrift_i32(t, 9, column->field_id);
    if (has_logical(column->kind)) {
        put_logical(t, column);
    }
    firn_thrift_close(t);
}

static void put_schema(const firn_parquet_writer *w, firn_thrift *t)
{
    firn_thrift_list(t, 2, FIRN_THRIFT_STRUCT, w->options.n_columns + 1);
    firn_thrift_item(t);
    firn_thrift_bytes(t, 4, firn_bytes_str("table"));
    firn_thrift_i32(t, 5, (int32_t)w->options.n_columns);
    firn_thrift_close(t);
    for (size_t i = 0; i < w->options.n_columns; i++) {
        put_column(t, &w->options.columns[i]);
    }
}

/* ---- statistics ---- */

/* A bound as the file has values; false: it is told of none. */
static bool bound_bytes(const firn_parquet_column *column, const firn_parquet_stats *stats,
                        bool upper, uint8_t room[16], firn_bytes *out)
{
    int64_t whole = upper ? stats->max.i64 : stats->min.i64;
    double number = upper ? stats->max.f64 : stats->min.f64;
    float half = (float)number;
    __int128 decimal = upper ? stats->max.decimal : stats->min.decimal;
    size_t width = firn_parquet_width_of(column);
    switch (column->kind) {
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY:
    case FIRN_PARQUET_UUID:
        *out = upper ? stats->max.bytes : stats->min.bytes;
        return out->len <= BOUND_BYTES;
    case FIRN_PARQUET_FLOAT: memcpy(room, &half, sizeof(half)); break;
    case FIRN_PARQUET_DOUBLE: memcpy(room, &number, sizeof(number)); break;
    case FIRN_PARQUET_DECIMAL:
        if (firn_parquet_physical_of(column) == FIRN_PHYSICAL_FIXED) {
            firn_parquet_decimal_bytes(decimal, room, width);
        } else {
            memcpy(room, &decimal, width);
        }
        break;
    default: memcpy(room, &whole, sizeof(whole)); break;
    }
    *out = firn_bytes_of(room, column->kind == FIRN_PARQUET_BOOLEAN ? 1 : width);
    return true;
}

static void put_stats(firn_thrift *t, const firn_parquet_column *column,
                      const firn_parquet_stats *stats)
{
    uint8_t low[16], high[16];
    firn_bytes min, max;
    firn_thrift_open(t, 12);
    firn_thrift_i64(t, 3, stats->nulls);
    if (stats->bounded && bound_bytes(column, stats, true, high, &max) &&
        bound_bytes(column, stats, false, low, &min)) {
        firn_thrift_bytes(t, 5, max);
        firn_thrift_bytes(t, 6, min);
    }
    firn_thrift_close(t);
}

/* ---- the footer ---- */

static void put_chunk_meta(const firn_parquet_writer *w, firn_thrift *t, size_t i,
                           const written_chunk *chunk)
{
    static const int32_t CODECS[] = {
        [FIRN_PARQUET_PLAIN] = 0, [FIRN_PARQUET_SNAPPY] = 1, [FIRN_PARQUET_ZSTD] = 6};
    const firn_parquet_column *column = &w->options.columns[i];
    bool coded = chunk->dictionary_bytes > 0;
    firn_thrift_item(t);
    firn_thrift_i64(t, 2, 0); /* where this is once more: nowhere */
    firn_thrift_open(t, 3);
    firn_thrift_i32(t, 1, (int32_t)firn_parquet_physical_of(column));
    firn_thrift_list(t, 2, FIRN_THRIFT_I32, 2u + coded + chunk->has_deltas);
    firn_thrift_item_i32(t, FIRN_ENCODING_PLAIN);
    firn_thrift_item_i32(t, FIRN_ENCODING_RLE);
    if (coded) {
        firn_thrift_item_i32(t, FIRN_ENCODING_DICTIONARY);
    }
    if (chunk->has_deltas) {
        firn_thrift_item_i32(t, FIRN_ENCODING_DELTA);
    }
    firn_thrift_list(t, 3, FIRN_THRIFT_BINARY, 1);
    firn_thrift_item_bytes(t, firn_bytes_str(column->name));
    firn_thrift_i32(t, 4, CODECS[chunk->codec]);
    firn_thrift_i64(t, 5, chunk->values);
    firn_thrift_i64(t, 6, chunk->plain_bytes);
    firn_thrift_i64(t, 7, chunk->size_bytes);
    firn_thrift_i64(t, 9, chunk->offset + chunk->dictionary_bytes);
    if (coded) {
        firn_thrift_i64(t, 11, chunk->offset);
    }
    put_stats(t, column, &chunk->stats);
    firn_thrift_close(t);
    firn_thrift_close(t);
}

static void put_groups(const firn_parquet_writer *w, firn_thrift *t)
{
    firn_thrift_list(t, 4, FIRN_THRIFT_STRUCT, w->groups.len);
    for (size_t g = 0; g < w->groups.len; g++) {
        const row_group *group = &w->groups.items[g];
        firn_thrift_item(t);
        firn_thrift_list(t, 1, FIRN_THRIFT_STRUCT, w->options.n_columns);
        for (size_t i = 0; i < w->options.n_columns; i++) {
            put_chunk_meta(w, t, i, &group->chunks[i]);
        }
        firn_thrift_i64(t, 2, group->plain_bytes);
        firn_thrift_i64(t, 3, group->rows);
        firn_thrift_i64(t, 5, group->offset);
        firn_thrift_i64(t, 6, group->bytes);
        firn_thrift_close(t);
    }
}

/* Bounds count as those of each type's own order only when the footer says so. */
static void put_orders(const firn_parquet_writer *w, firn_thrift *t)
{
    firn_thrift_list(t, 7, FIRN_THRIFT_STRUCT, w->options.n_columns);
    for (size_t i = 0; i < w->options.n_columns; i++) {
        firn_thrift_item(t);
        put_empty(t, 1);
        firn_thrift_close(t);
    }
}

firn_rc firn_parquet_finish(firn_parquet_writer *w, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf footer = {0};
    FIRN_TRY(flush(w, err));
    firn_thrift t = {.out = &footer};
    firn_thrift_i32(&t, 1, VERSION);
    put_schema(w, &t);
    firn_thrift_i64(&t, 3, w->rows);
    put_groups(w, &t);
    firn_thrift_bytes(&t, 6, firn_bytes_str("firn version " FIRN_VERSION));
    put_orders(w, &t);
    firn_thrift_close(&t);
    if (footer.overflow || footer.len > INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the footer of a Parquet file would be larger than 1 GB");
    }
    uint32_t len = (uint32_t)footer.len;
    firn_buf_append(&footer, &len, sizeof(len));
    firn_buf_puts(&footer, MAGIC);
    return put(w, firn_buf_bytes(&footer), err);
}

int64_t firn_parquet_bytes(const firn_parquet_writer *writer)
{
    return writer->bytes;
}

int64_t firn_parquet_row_count(const firn_parquet_writer *writer)
{
    return writer->rows;
}

const firn_parquet_stats *firn_parquet_column_stats(const firn_parquet_writer *writer,
                                                    size_t column)
{
    return &writer->stats[column];
}
