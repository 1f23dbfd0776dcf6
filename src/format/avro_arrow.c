/* Columns as Arrow: schemas with Arrow's own types, arrays that take the buffers over.
 *
 * Everything an exported structure points at hangs on its private_data and is freed by its release. A structure that
 * has been moved away has release NULL, as the interface says, so children are released one by one, if still there.
 */
#include "avro_batch.h"
#include "base/buf.h"
#include "format/avro_columns.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- schemas ---- */

typedef struct schema_private {
    char format[32];
    char *name;
    char *metadata;
} schema_private;

static void release_schema(struct ArrowSchema *schema)
{
    schema_private *private = schema->private_data;
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release)
            schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    free(schema->children);
    free(private->name);
    free(private->metadata);
    free(private);
    schema->release = NULL;
}

static const char *int_format(const firn_avro_schema *schema)
{
    firn_avro_logical logical = schema ? schema->logical : FIRN_AVRO_LOGICAL_NONE;
    switch (logical) {
    case FIRN_AVRO_DATE: return "tdD";
    case FIRN_AVRO_TIME_MILLIS: return "ttm";
    default: return "i";
    }
}

static const char *long_format(const firn_avro_schema *schema)
{
    bool utc = schema->adjust_to_utc != 0;
    switch (schema->logical) {
    case FIRN_AVRO_TIME_MICROS: return "ttu";
    case FIRN_AVRO_TIMESTAMP_MILLIS: return utc ? "tsm:UTC" : "tsm:";
    case FIRN_AVRO_TIMESTAMP_MICROS: return utc ? "tsu:UTC" : "tsu:";
    case FIRN_AVRO_TIMESTAMP_NANOS: return utc ? "tsn:UTC" : "tsn:";
    case FIRN_AVRO_LOCAL_TIMESTAMP_MILLIS: return "tsm:";
    case FIRN_AVRO_LOCAL_TIMESTAMP_MICROS: return "tsu:";
    case FIRN_AVRO_LOCAL_TIMESTAMP_NANOS: return "tsn:";
    default: return "l";
    }
}

static void write_format(const firn_avro_column *column, char *out, size_t size)
{
    const char *plain = NULL;
    switch (column->type) {
    case FIRN_AVRO_COL_NULL: plain = "n"; break;
    case FIRN_AVRO_COL_BOOL: plain = "b"; break;
    case FIRN_AVRO_COL_INT32: plain = int_format(column->schema); break;
    case FIRN_AVRO_COL_INT64: plain = long_format(column->schema); break;
    case FIRN_AVRO_COL_FLOAT: plain = "f"; break;
    case FIRN_AVRO_COL_DOUBLE: plain = "g"; break;
    case FIRN_AVRO_COL_STRING: plain = "u"; break;
    case FIRN_AVRO_COL_BYTES: plain = "z"; break;
    case FIRN_AVRO_COL_STRUCT: plain = "+s"; break;
    case FIRN_AVRO_COL_LIST: plain = "+l"; break;
    case FIRN_AVRO_COL_MAP: plain = "+m"; break;
    case FIRN_AVRO_COL_FIXED: snprintf(out, size, "w:%lld", (long long)column->item_size); return;
    case FIRN_AVRO_COL_DECIMAL128:
        snprintf(out, size, "d:%d,%d", column->schema->precision, column->schema->scale);
        return;
    }
    snprintf(out, size, "%s", plain);
}

static void put_i32(firn_buf *buf, int32_t value)
{
    firn_buf_append(buf, &value, sizeof value); /* the interface wants native byte order */
}

static void put_pair(firn_buf *buf, const char *key, const char *value)
{
    put_i32(buf, (int32_t)strlen(key));
    firn_buf_puts(buf, key);
    put_i32(buf, (int32_t)strlen(value));
    firn_buf_puts(buf, value);
}

/* Whether a member of the type's declaration travels as it is: what Kafka Connect calls the type ("io.debezium.time.MicroTimestamp"), and
 * firn's own words about the column ("firn.ksqldb.key"). */
static bool is_word(const char *key, const json_t *value)
{
    return json_is_string(value) &&
           (firn_streq(key, "connect.name") || firn_starts_with(key, "firn."));
}

/* Heap block, or NULL when there is nothing to say. */
static char *make_metadata(const firn_avro_column *column)
{
    bool has_id = column->field_id >= 0;
    bool is_uuid = column->schema && column->schema->logical == FIRN_AVRO_UUID;
    json_t *declaration = column->schema ? (json_t *)(uintptr_t)column->schema->json : NULL;
    int32_t n_words = 0;
    const char *key;
    json_t *value;
    json_object_foreach(declaration, key, value) n_words += is_word(key, value);
    if (!has_id && !is_uuid && n_words == 0)
        return NULL;

    firn_buf buf = {0};
    put_i32(&buf, has_id + is_uuid + n_words);
    json_object_foreach(declaration, key, value)
    {
        if (is_word(key, value))
            put_pair(&buf, key, json_string_value(value));
    }
    if (has_id) {
        char id[16];
        snprintf(id, sizeof id, "%d", column->field_id);
        put_pair(&buf, "PARQUET:field_id", id);
    }
    if (is_uuid && column->type == FIRN_AVRO_COL_FIXED)
        put_pair(&buf, "ARROW:extension:name", "arrow.uuid");
    else if (is_uuid)
        put_pair(&buf, "firn.logical", "uuid"); /* Arrow's own type wants 16 bytes */
    return (char *)buf.data;                    /* malloc's, as release_schema frees it */
}

static void export_schema(const firn_avro_column *column, struct ArrowSchema *out)
{
    schema_private *private = firn_calloc(1, sizeof *private);
    write_format(column, private->format, sizeof private->format);
    private->name = firn_strdup(column->name);
    private->metadata = make_metadata(column);
    *out = (struct ArrowSchema){
        .format = private->format,
        .name = private->name,
        .metadata = private->metadata,
        .flags = column->nullable ? ARROW_FLAG_NULLABLE : 0,
        .n_children = (int64_t)column->child_count,
        .release = release_schema,
        .private_data = private,
    };
    if (column->child_count == 0)
        return;
    out->children = firn_calloc(column->child_count, sizeof *out->children);
    for (size_t i = 0; i < column->child_count; i++) {
        out->children[i] = firn_calloc(1, sizeof **out->children);
        export_schema(&column->children[i], out->children[i]);
    }
}

void firn_avro_decoder_arrow_schema(const firn_avro_decoder *decoder, struct ArrowSchema *out)
{
    export_schema(&decoder->shape, out);
}

/* ---- arrays ---- */

enum { BUFFERS_MAX = 3 };

typedef struct array_private {
    const void *buffers[BUFFERS_MAX];
    firn_avro_shelf *shelf; /* where they go back to; NULL: nowhere */
} array_private;

static void release_array(struct ArrowArray *array)
{
    array_private *private = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release)
            array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    free(array->children);
    for (int i = 0; i < BUFFERS_MAX; i++)
        firn_avro_shelf_put(private->shelf, (void *)private->buffers[i]);
    firn_avro_shelf_unref(private->shelf);
    free(private);
    array->release = NULL;
}

/* Arrow wants one offset even where there are no rows. */
static void ensure_offsets(firn_avro_column *column)
{
    bool wants = column->type == FIRN_AVRO_COL_STRING || column->type == FIRN_AVRO_COL_BYTES ||
                 column->type == FIRN_AVRO_COL_LIST || column->type == FIRN_AVRO_COL_MAP;
    if (wants && !column->offsets)
        column->offsets = firn_calloc(1, sizeof *column->offsets);
}

static void export_array(const firn_avro_batch *batch, firn_avro_column *column,
                         struct ArrowArray *out)
{
    array_private *private = firn_calloc(1, sizeof *private);
    private->shelf = firn_avro_shelf_ref(batch->shelf);
    int64_t buffer_count = 0;
    ensure_offsets(column);
    if (batch->decoder->even_batches) {
        column->row_hint = column->length;
        column->data_hint = column->offsets ? column->offsets[column->length] : 0;
    }
    if (column->type != FIRN_AVRO_COL_NULL)
    private->buffers[buffer_count++] = column->validity;
    if (column->offsets)
    private->buffers[buffer_count++] = column->offsets;
    bool is_nested = column->type == FIRN_AVRO_COL_STRUCT || column->type == FIRN_AVRO_COL_LIST ||
                     column->type == FIRN_AVRO_COL_MAP || column->type == FIRN_AVRO_COL_NULL;
    if (!is_nested)
    private->buffers[buffer_count++] = column->data;

    *out = (struct ArrowArray){
        .length = column->length,
        .null_count = column->null_count,
        .n_buffers = buffer_count,
        .n_children = (int64_t)column->child_count,
        .buffers = private->buffers,
        .release = release_array,
        .private_data = private,
    };
    if (column->child_count > 0)
        out->children = firn_calloc(column->child_count, sizeof *out->children);
    for (size_t i = 0; i < column->child_count; i++) {
        out->children[i] = firn_calloc(1, sizeof **out->children);
        export_array(batch, &column->children[i], out->children[i]);
    }

    column->length = column->null_count = column->row_cap = column->data_cap = 0;
    column->validity = column->data = NULL;
    column->offsets = NULL;
}

void firn_avro_batch_arrow_array(firn_avro_batch *batch, struct ArrowArray *out)
{
    firn_avro_shelf_allow(batch->shelf, batch->bytes);
    export_array(batch, &batch->root, out);
    batch->bytes = 0;
}
