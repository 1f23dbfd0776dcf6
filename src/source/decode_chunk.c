/* Chunks: rows of one pair of schemas, filled message by message, handed out as Arrow.
 *
 * A row is in all batches of its chunk or in none. Null values and keys are filler rows whose numbers are kept; the bitmaps are made
 * when the chunk is taken, so that rows without nulls pay nothing for columns that their schema calls required.
 */
#include "decode_private.h"

#include <stdlib.h>

static void push_row(row_list *list, int64_t row)
{
    enum { CAP_MIN = 16 };
    if (list->n == list->cap) {
        list->cap = list->cap > 0 ? 2 * list->cap : CAP_MIN;
        list->rows = firn_realloc(list->rows, firn_mul_size(list->cap, sizeof *list->rows));
    }
    list->rows[list->n++] = row;
}

/* ---- finding and filling ---------------------------------------------------------------------- */

static size_t batch_bytes(const firn_avro_batch *batch)
{
    return batch ? firn_avro_batch_bytes(batch) : 0;
}

static size_t chunk_bytes(const chunk *c)
{
    return batch_bytes(c->value_rows) + batch_bytes(c->key_rows) + batch_bytes(c->kafka_rows);
}

static size_t used_bytes(const firn_avro_batch *batch)
{
    return batch ? firn_avro_batch_used_bytes(batch) : 0;
}

size_t firn_chunk_used_bytes(const chunk *c)
{
    return used_bytes(c->value_rows) + used_bytes(c->key_rows) + used_bytes(c->kafka_rows);
}

static void new_batches(const firn_decoder *decoder, chunk *c)
{
    c->value_rows = c->value ? firn_avro_batch_new(c->value->shape) : NULL;
    c->key_rows = c->key ? firn_avro_batch_new(c->key->shape) : NULL;
    c->kafka_rows = decoder->kafka ? firn_avro_batch_new(decoder->kafka) : NULL;
}

static void free_batches(chunk *c)
{
    firn_avro_batch_free(c->value_rows);
    firn_avro_batch_free(c->key_rows);
    firn_avro_batch_free(c->kafka_rows);
}

static chunk *chunk_of(firn_decoder *decoder, codec *value, codec *key)
{
    chunk **list = value ? &value->chunks : &decoder->without_value;
    for (chunk *c = *list; c; c = c->next) {
        if (c->key == key)
            return c;
    }
    chunk *c = firn_calloc(1, sizeof *c);
    c->value = value;
    c->key = key;
    new_batches(decoder, c);
    c->next = *list;
    *list = c;
    firn_vec_push(decoder->arena, &decoder->chunks, c);
    return c;
}

static firn_rc add_payload(firn_decoder *decoder, codec *c, firn_bytes data, firn_avro_batch *batch,
                           firn_err *err)
{
    if (!data.data)
        return firn_avro_batch_add_filler(batch, err);
    int64_t unknown;
    FIRN_TRY(firn_codec_decode(c, data, batch, &unknown, err));
    decoder->grow |= unknown > 0 && c->learns;
    return FIRN_OK;
}

static firn_rc add_row(firn_decoder *decoder, chunk *c, const chunk_row *row, firn_err *err)
{
    if (c->kafka_rows) {
        FIRN_TRY(firn_kafka_column_add(decoder->kafka, row->message, row->headers, row->n_headers,
                                       &decoder->kafka_row, c->kafka_rows, err));
    }
    if (c->key) {
        firn_rc rc = add_payload(decoder, c->key, row->key_data, c->key_rows, err);
        if (rc != FIRN_OK)
            return firn_err_wrap(err, rc, "key");
    }
    return c->value ? add_payload(decoder, c->value, row->value_data, c->value_rows, err) : FIRN_OK;
}

static void take_back(chunk *c)
{
    if (c->value_rows)
        firn_avro_batch_truncate(c->value_rows, c->rows);
    if (c->kafka_rows)
        firn_avro_batch_truncate(c->kafka_rows, c->rows);
    if (c->key_rows)
        firn_avro_batch_truncate(c->key_rows, c->rows);
}

firn_rc firn_chunk_add(firn_decoder *decoder, const chunk_row *row, bool as_it_is, firn_err *err)
{
    /* A broken codec has no shape to make a chunk of. */
    int64_t unknown;
    if (row->key && row->key->kind == CODEC_BROKEN)
        return firn_codec_decode(row->key, row->key_data, NULL, &unknown, err);
    if (row->value && row->value->kind == CODEC_BROKEN)
        return firn_codec_decode(row->value, row->value_data, NULL, &unknown, err);

    chunk *c = chunk_of(decoder, row->value, row->key);
    size_t before = chunk_bytes(c);
    decoder->grow = false;
    firn_rc rc = add_row(decoder, c, row, err);
    decoder->bytes += chunk_bytes(c) - before; /* batches only grow */
    if (rc != FIRN_OK) {
        take_back(c);
        decoder->full = rc == FIRN_E_LIMIT && c->rows > 0;
        return rc;
    }
    decoder->grow &= !as_it_is;
    if (decoder->grow) {
        take_back(c);
        return FIRN_OK;
    }
    if (!row->message->value.data)
        push_row(&c->tombstones, c->rows);
    if (c->key && !row->key_data.data)
        push_row(&c->null_keys, c->rows);
    c->rows++;
    decoder->rows++;
    return FIRN_OK;
}

void firn_chunk_shrink(firn_decoder *decoder, chunk *c)
{
    size_t bytes = chunk_bytes(c);
    if (bytes == 0)
        return;
    decoder->bytes -= bytes;
    free_batches(c);
    new_batches(decoder, c);
}

void firn_chunk_free(chunk *c)
{
    free_batches(c);
    free(c->tombstones.rows);
    free(c->null_keys.rows);
    free(c);
}

/* ---- what learned codecs leave behind ---------------------------------------------------------- */

static bool is_over(const chunk *c)
{
    bool retired = (c->value && c->value->retired) || (c->key && c->key->retired);
    return retired && c->rows == 0;
}

static void unlink_chunk(firn_decoder *decoder, chunk *c)
{
    chunk **at = c->value ? &c->value->chunks : &decoder->without_value;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
}

static bool is_used(const firn_decoder *decoder, const codec *c)
{
    for (size_t i = 0; i < decoder->chunks.len; i++) {
        if (decoder->chunks.items[i]->value == c || decoder->chunks.items[i]->key == c)
            return true;
    }
    return false;
}

void firn_chunks_sweep(firn_decoder *decoder)
{
    if (decoder->retired.len == 0)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < decoder->chunks.len; i++) {
        chunk *c = decoder->chunks.items[i];
        if (!is_over(c)) {
            decoder->chunks.items[kept++] = c;
            continue;
        }
        unlink_chunk(decoder, c);
        firn_chunk_free(c);
    }
    decoder->chunks.len = kept;
    kept = 0;
    for (size_t i = 0; i < decoder->retired.len; i++) {
        codec *c = decoder->retired.items[i];
        if (is_used(decoder, c)) {
            decoder->retired.items[kept++] = c;
            continue;
        }
        firn_arena_free(c->arena);
        free(c);
    }
    decoder->retired.len = kept;
}

/* ---- Arrow ------------------------------------------------------------------------------------ */

/* A struct of our own, into which columns of several batches are moved. */
typedef struct root_private {
    const void *buffers[1]; /* no validity: all rows are there */
} root_private;

static void release_root_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release)
            schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    free(schema->children);
    schema->release = NULL;
}

static void release_root_array(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release)
            array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    free(array->children);
    free(array->private_data);
    array->release = NULL;
}

static void init_root(firn_chunk *out, int64_t rows, size_t columns_max)
{
    root_private *private = firn_calloc(1, sizeof *private);
    out->schema = (struct ArrowSchema){
        .format = "+s",
        .name = "",
        .children = firn_calloc(columns_max + 1, sizeof(struct ArrowSchema *)),
        .release = release_root_schema,
    };
    out->array = (struct ArrowArray){
        .length = rows,
        .n_buffers = 1,
        .buffers = private->buffers,
        .children = firn_calloc(columns_max + 1, sizeof(struct ArrowArray *)),
        .release = release_root_array,
        .private_data = private,
    };
}

/* Moves a column in. `name` NULL: its own. */
static void add_column(firn_chunk *out, struct ArrowSchema *schema, struct ArrowArray *array,
                       const char *name, bool nullable)
{
    struct ArrowSchema *its_schema = firn_malloc(sizeof *its_schema);
    struct ArrowArray *its_array = firn_malloc(sizeof *its_array);
    *its_schema = *schema;
    *its_array = *array;
    schema->release = NULL;
    array->release = NULL;
    if (name)
        its_schema->name = name;
    if (nullable)
        its_schema->flags |= ARROW_FLAG_NULLABLE;
    out->schema.children[out->schema.n_children++] = its_schema;
    out->array.children[out->array.n_children++] = its_array;
}

static size_t column_count(const firn_avro_batch *batch)
{
    return batch ? firn_avro_batch_root(batch)->child_count : 0;
}

/* The batch as Arrow: either the struct as one column, or its fields as columns. */
static void add_batch(firn_chunk *out, const firn_avro_decoder *shape, firn_avro_batch *batch,
                      const char *name, bool fields, bool nullable)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    firn_avro_decoder_arrow_schema(shape, &schema);
    firn_avro_batch_arrow_array(batch, &array);
    if (!fields) {
        add_column(out, &schema, &array, name, nullable);
        return;
    }
    for (int64_t i = 0; i < schema.n_children; i++)
        add_column(out, schema.children[i], array.children[i], name, nullable);
    schema.release(&schema);
    array.release(&array);
}

static void add_key(firn_chunk *out, chunk *c)
{
    if (c->key->is_value)
        firn_avro_batch_set_null_fields(c->key_rows, c->null_keys.rows, c->null_keys.n);
    else
        firn_avro_batch_set_null_rows(c->key_rows, c->null_keys.rows, c->null_keys.n);
    add_batch(out, c->key->shape, c->key_rows, "_key", c->key->is_value, true);
}

void firn_chunk_export(firn_decoder *decoder, chunk *c, firn_chunk *out)
{
    size_t room = chunk_bytes(c);
    *out = (firn_chunk){
        .rows = c->rows,
        .bytes = firn_chunk_used_bytes(c),
        .subject = c->value && c->value->subject ? firn_strdup(c->value->subject) : NULL,
        .schema_is_new = !c->was_taken,
    };
    init_root(out, c->rows, column_count(c->value_rows) + 2);
    if (c->value) {
        firn_avro_batch_set_null_fields(c->value_rows, c->tombstones.rows, c->tombstones.n);
        add_batch(out, c->value->shape, c->value_rows, NULL, true,
                  decoder->options.with_tombstones);
    }
    if (c->key)
        add_key(out, c);
    if (c->kafka_rows)
        add_batch(out, decoder->kafka, c->kafka_rows, "_kafka", false, true);

    decoder->bytes -= room;
    decoder->rows -= c->rows;
    c->rows = 0;
    c->tombstones.n = c->null_keys.n = 0;
    c->was_taken = true;
}
