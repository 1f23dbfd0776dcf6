/* Columns of a batch: their shape from the reader's schema, their memory, access. Decoding into them is
 * avro_decode.c, handing them out avro_arrow.c.
 */
#include "format/avro_columns.h"

#include "avro_batch.h"

#include <assert.h>
#include <stdlib.h>

enum {
    DECIMAL128_PRECISION_MAX = 38,
    ROW_CAP_MIN = 64,
    SMALL_ITEM_BYTES = 4096, /* larger items get no room in advance */
};

/* ---- shape ---- */

typedef struct shaper {
    firn_arena *arena;
    size_t column_count;
    const firn_avro_schema *open[FIRN_AVRO_DEPTH_MAX];
    int depth;
    firn_err *err;
} shaper;

static firn_rc shape_type(shaper *s, const firn_avro_schema *schema, firn_avro_column *out);

static firn_rc shape_field(shaper *s, const char *name, int32_t field_id,
                           const firn_avro_schema *schema, firn_avro_column *out)
{
    *out = (firn_avro_column){.name = name, .field_id = field_id};
    return shape_type(s, schema, out);
}

static firn_rc add_children(shaper *s, firn_avro_column *column, size_t count)
{
    s->column_count += count;
    if (s->column_count > FIRN_AVRO_NODES_MAX) {
        FIRN_FAIL(s->err, FIRN_E_LIMIT, "an Avro schema of more than %d columns",
                  FIRN_AVRO_NODES_MAX);
    }
    column->children = FIRN_NEW_N(s->arena, firn_avro_column, count);
    column->child_count = count;
    return FIRN_OK;
}

static firn_rc shape_record(shaper *s, const firn_avro_schema *schema, firn_avro_column *out)
{
    out->type = FIRN_AVRO_COL_STRUCT;
    FIRN_TRY(add_children(s, out, schema->field_count));
    for (size_t i = 0; i < schema->field_count; i++) {
        const firn_avro_field *field = &schema->fields[i];
        FIRN_TRY(shape_field(s, field->name, field->field_id, field->type, &out->children[i]));
    }
    return FIRN_OK;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* The branch's own name, unless it is the tag's or, as the last part of a full name, another branch's too: in any case of the letters,
 * which SQL does not tell apart. */
static const char *branch_name(shaper *s, const firn_avro_schema *schema, size_t branch,
                               size_t position)
{
    const char *name = last_part(schema->branches[branch]->name);
    bool taken = firn_strcaseeq(name, "tag");
    for (size_t i = 0; !taken && i < schema->branch_count; i++)
        taken = i != branch && firn_strcaseeq(name, last_part(schema->branches[i]->name));
    return taken ? firn_arena_printf(s->arena, "field%zu", position) : name;
}

static firn_rc shape_union(shaper *s, const firn_avro_schema *schema, firn_avro_column *out)
{
    out->type = FIRN_AVRO_COL_STRUCT;
    out->is_union = true;
    size_t null_count = 0;
    for (size_t i = 0; i < schema->branch_count; i++)
        null_count += schema->branches[i]->kind == FIRN_AVRO_NULL;
    out->nullable = null_count > 0;

    FIRN_TRY(add_children(s, out, schema->branch_count - null_count + 1));
    out->children[0] = (firn_avro_column){
        .type = FIRN_AVRO_COL_INT32,
        .name = "tag",
        .field_id = -1,
        .item_size = sizeof(int32_t),
    };
    size_t at = 1;
    for (size_t i = 0; i < schema->branch_count; i++) {
        if (schema->branches[i]->kind == FIRN_AVRO_NULL)
            continue;
        firn_avro_column *child = &out->children[at];
        const char *name = branch_name(s, schema, i, at - 1);
        FIRN_TRY(shape_field(s, name, -1, schema->branches[i], child));
        child->nullable = true;
        at++;
    }
    return FIRN_OK;
}

static firn_rc shape_array(shaper *s, const firn_avro_schema *schema, firn_avro_column *out)
{
    bool null_keys = false;
    if (schema->logical == FIRN_AVRO_LOGICAL_MAP) {
        const firn_avro_schema *key = schema->items->fields[0].type;
        null_keys = key->kind == FIRN_AVRO_UNION || key->kind == FIRN_AVRO_NULL;
    }
    bool is_map = schema->logical == FIRN_AVRO_LOGICAL_MAP && !null_keys;
    out->type = is_map ? FIRN_AVRO_COL_MAP : FIRN_AVRO_COL_LIST;
    FIRN_TRY(add_children(s, out, 1));
    return shape_field(s, is_map ? "entries" : "element", schema->element_id, schema->items,
                       &out->children[0]);
}

static firn_rc shape_map(shaper *s, const firn_avro_schema *schema, firn_avro_column *out)
{
    out->type = FIRN_AVRO_COL_MAP;
    FIRN_TRY(add_children(s, out, 1));
    firn_avro_column *entries = &out->children[0];
    *entries = (firn_avro_column){
        .type = FIRN_AVRO_COL_STRUCT,
        .name = "entries",
        .field_id = -1,
    };
    FIRN_TRY(add_children(s, entries, 2));
    entries->children[0] = (firn_avro_column){
        .type = FIRN_AVRO_COL_STRING,
        .name = "key",
        .field_id = schema->key_id,
    };
    return shape_field(s, "value", schema->value_id, schema->items, &entries->children[1]);
}

static void set_scalar(firn_avro_column *column, firn_avro_column_type type, size_t item_size)
{
    column->type = type;
    column->item_size = (int64_t)item_size;
}

static void shape_scalar(const firn_avro_schema *schema, firn_avro_column *out)
{
    if (schema->logical == FIRN_AVRO_DECIMAL && schema->precision <= DECIMAL128_PRECISION_MAX) {
        set_scalar(out, FIRN_AVRO_COL_DECIMAL128, 16);
        return;
    }
    switch (schema->kind) {
    case FIRN_AVRO_BOOLEAN: set_scalar(out, FIRN_AVRO_COL_BOOL, 0); break;
    case FIRN_AVRO_INT: set_scalar(out, FIRN_AVRO_COL_INT32, sizeof(int32_t)); break;
    case FIRN_AVRO_LONG: set_scalar(out, FIRN_AVRO_COL_INT64, sizeof(int64_t)); break;
    case FIRN_AVRO_FLOAT: set_scalar(out, FIRN_AVRO_COL_FLOAT, sizeof(float)); break;
    case FIRN_AVRO_DOUBLE: set_scalar(out, FIRN_AVRO_COL_DOUBLE, sizeof(double)); break;
    case FIRN_AVRO_BYTES: set_scalar(out, FIRN_AVRO_COL_BYTES, 0); break;
    case FIRN_AVRO_STRING:
    case FIRN_AVRO_ENUM: set_scalar(out, FIRN_AVRO_COL_STRING, 0); break;
    case FIRN_AVRO_FIXED: set_scalar(out, FIRN_AVRO_COL_FIXED, schema->fixed_size); break;
    default:
        out->nullable = true;
        set_scalar(out, FIRN_AVRO_COL_NULL, 0);
        break;
    }
}

static firn_rc enter(shaper *s, const firn_avro_schema *schema)
{
    for (int i = 0; i < s->depth; i++) {
        if (s->open[i] == schema) {
            FIRN_FAIL(s->err, FIRN_E_UNSUPPORTED,
                      "Avro type %s contains itself and so has no columns", schema->name);
        }
    }
    if (s->depth == FIRN_AVRO_DEPTH_MAX)
        FIRN_FAIL(s->err, FIRN_E_LIMIT, "Avro types nested more than %d deep", FIRN_AVRO_DEPTH_MAX);
    s->open[s->depth++] = schema;
    return FIRN_OK;
}

static firn_rc shape_type(shaper *s, const firn_avro_schema *schema, firn_avro_column *out)
{
    bool nullable;
    schema = firn_avro_schema_unwrap(schema, &nullable);
    out->nullable = nullable;
    out->schema = schema;
    FIRN_TRY(enter(s, schema));
    firn_rc rc = FIRN_OK;
    switch (schema->kind) {
    case FIRN_AVRO_RECORD: rc = shape_record(s, schema, out); break;
    case FIRN_AVRO_UNION: rc = shape_union(s, schema, out); break;
    case FIRN_AVRO_ARRAY: rc = shape_array(s, schema, out); break;
    case FIRN_AVRO_MAP: rc = shape_map(s, schema, out); break;
    default: shape_scalar(schema, out); break;
    }
    s->depth--;
    return rc;
}

firn_rc firn_avro_shape_make(firn_arena *arena, const firn_avro_schema *reader,
                             firn_avro_column *out, firn_err *err)
{
    shaper s = {.arena = arena, .err = err};
    return shape_field(&s, "", -1, reader, out);
}

/* ---- memory ---- */

static bool has_bitmap_data(const firn_avro_column *column)
{
    return column->type == FIRN_AVRO_COL_BOOL;
}

static bool has_offsets(const firn_avro_column *column)
{
    return column->type == FIRN_AVRO_COL_STRING || column->type == FIRN_AVRO_COL_BYTES ||
           column->type == FIRN_AVRO_COL_LIST || column->type == FIRN_AVRO_COL_MAP;
}

static bool may_be_empty(const firn_avro_column *column)
{
    return column->type == FIRN_AVRO_COL_STRING || column->type == FIRN_AVRO_COL_BYTES ||
           column->type == FIRN_AVRO_COL_FIXED;
}

static bool has_validity(const firn_avro_column *column)
{
    return column->nullable && column->type != FIRN_AVRO_COL_NULL;
}

static int64_t bitmap_bytes(int64_t rows)
{
    return (rows + 63) / 64 * 8;
}

/* Bytes that `rows` rows take, without children and without the bytes of texts. */
static int64_t row_bytes(const firn_avro_column *column, int64_t rows)
{
    if (rows == 0)
        return 0;
    int64_t bytes = column->item_size * rows;
    if (has_bitmap_data(column))
        bytes += bitmap_bytes(rows);
    if (has_validity(column))
        bytes += bitmap_bytes(rows);
    if (has_offsets(column))
        bytes += (rows + 1) * (int64_t)sizeof(int32_t);
    return bytes;
}

static bool account(firn_avro_batch *batch, int64_t more)
{
    if ((uint64_t)more > batch->decoder->batch_bytes_max - batch->bytes)
        return false;
    batch->bytes += (size_t)more;
    return true;
}

static void *grow_buffer(firn_avro_batch *batch, void *data, int64_t bytes)
{
    return data ? firn_realloc(data, (size_t)bytes)
                : firn_avro_shelf_take(batch->shelf, (size_t)bytes);
}

static uint8_t *grow_bitmap(firn_avro_batch *batch, uint8_t *bits, int64_t old_rows, int64_t rows)
{
    int64_t old_bytes = bitmap_bytes(old_rows);
    int64_t bytes = bitmap_bytes(rows);
    bits = grow_buffer(batch, bits, bytes);
    memset(bits + old_bytes, 0, (size_t)(bytes - old_bytes));
    return bits;
}

static bool set_row_cap(firn_avro_batch *batch, firn_avro_column *column, int64_t cap)
{
    if (cap <= column->row_cap)
        return true;
    if (column->type == FIRN_AVRO_COL_STRUCT) {
        for (size_t i = 0; i < column->child_count; i++) {
            if (!set_row_cap(batch, &column->children[i], cap))
                return false;
        }
    }
    if (!account(batch, row_bytes(column, cap) - row_bytes(column, column->row_cap)))
        return false;
    if (has_validity(column))
        column->validity = grow_bitmap(batch, column->validity, column->row_cap, cap);
    if (has_bitmap_data(column))
        column->data = grow_bitmap(batch, column->data, column->row_cap, cap);
    if (column->item_size > 0)
        column->data = grow_buffer(batch, column->data, column->item_size * cap);
    if (has_offsets(column)) {
        column->offsets = grow_buffer(batch, column->offsets, (cap + 1) * (int64_t)sizeof(int32_t));
        if (column->length == 0)
            column->offsets[0] = 0;
    }
    if (!column->data && may_be_empty(column))
        column->data = firn_malloc(1); /* so that empty values have an address */
    column->row_cap = cap;
    return true;
}

bool firn_avro_column_grow(firn_avro_batch *batch, firn_avro_column *column, int64_t more)
{
    if (more > INT32_MAX - column->length)
        return false;
    int64_t need = column->length + more;
    int64_t hint = column->row_hint + column->row_hint / 16;
    int64_t cap = column->row_cap > 0 ? column->row_cap * 2 : hint;
    if (cap < need)
        cap = need;
    if (cap < ROW_CAP_MIN && column->item_size <= SMALL_ITEM_BYTES)
        cap = ROW_CAP_MIN;
    if (cap > INT32_MAX)
        cap = INT32_MAX;
    /* Near the batch's bound there may be room for what is needed, but not for twice that. */
    return set_row_cap(batch, column, cap) || set_row_cap(batch, column, need);
}

bool firn_avro_column_grow_data(firn_avro_batch *batch, firn_avro_column *column, int64_t more)
{
    enum { DATA_CAP_MIN = 256 };
    int64_t used = column->offsets[column->length];
    if (more > INT32_MAX - used)
        return false;
    int64_t hint = column->data_hint + column->data_hint / 16;
    int64_t cap = column->data_cap > 0 ? column->data_cap * 2 : hint;
    if (cap < used + more)
        cap = used + more;
    if (cap < DATA_CAP_MIN)
        cap = DATA_CAP_MIN;
    if (cap > INT32_MAX)
        cap = INT32_MAX;
    if (!account(batch, cap - column->data_cap)) {
        cap = used + more;
        if (!account(batch, cap - column->data_cap))
            return false;
    }
    column->data = grow_buffer(batch, column->data, cap);
    column->data_cap = cap;
    return true;
}

void firn_avro_column_append_null(firn_avro_column *column)
{
    int64_t row = column->length++;
    assert(row < column->row_cap || column->type == FIRN_AVRO_COL_NULL);
    column->null_count += column->nullable;
    if (column->type == FIRN_AVRO_COL_STRUCT) {
        for (size_t i = 0; i < column->child_count; i++)
            firn_avro_column_append_null(&column->children[i]);
    } else if (column->offsets) {
        column->offsets[row + 1] = column->offsets[row];
    } else if (column->item_size > 0) {
        memset(column->data + row * column->item_size, 0, (size_t)column->item_size);
    }
}

/* Zero the bits from `from` up to `to`. */
static void clear_bits(uint8_t *bits, int64_t from, int64_t to)
{
    for (; from < to && (from & 7) != 0; from++)
        bits[from >> 3] &= (uint8_t) ~(1u << (from & 7));
    if (from < to)
        memset(bits + (from >> 3), 0, (size_t)((to - from + 7) / 8));
}

static void set_bits(uint8_t *bits, int64_t from, int64_t to)
{
    int64_t first = from >> 3, last = (to - 1) >> 3;
    uint8_t head = (uint8_t)(0xFFu << (from & 7)), tail = (uint8_t)(0xFFu >> (7 - ((to - 1) & 7)));
    if (first == last) {
        bits[first] |= head & tail;
        return;
    }
    bits[first] |= head;
    memset(bits + first + 1, 0xFF, (size_t)(last - first - 1));
    bits[last] |= tail;
}

void firn_avro_column_settle(firn_avro_column *column, int64_t length)
{
    if (column->length >= length)
        return;
    assert(length <= column->row_cap || column->type == FIRN_AVRO_COL_NULL);
    if (column->validity)
        set_bits(column->validity, column->length, length);
    column->length = length;
}

/* How many of the bits `from` up to `to` are 0. */
static int64_t count_zero_bits(const uint8_t *bits, int64_t from, int64_t to)
{
    int64_t zeros = 0;
    for (; from < to && (from & 7) != 0; from++)
        zeros += !(bits[from >> 3] >> (from & 7) & 1);
    for (; to - from >= 8; from += 8)
        zeros += 8 - __builtin_popcount(bits[from >> 3]);
    for (; from < to; from++)
        zeros += !(bits[from >> 3] >> (from & 7) & 1);
    return zeros;
}

void firn_avro_column_truncate(firn_avro_column *column, int64_t length)
{
    if (column->length > length) {
        if (column->validity) {
            column->null_count -= count_zero_bits(column->validity, length, column->length);
            clear_bits(column->validity, length, column->length);
        }
        if (has_bitmap_data(column))
            clear_bits(column->data, length, column->length);
        column->length = length;
        if (column->type == FIRN_AVRO_COL_NULL)
            column->null_count = length;
    }
    /* A row that failed half-way may have put rows into children without being one itself. */
    bool is_struct = column->type == FIRN_AVRO_COL_STRUCT;
    int64_t child_length = is_struct ? length : column->offsets ? column->offsets[length] : 0;
    for (size_t i = 0; i < column->child_count; i++)
        firn_avro_column_truncate(&column->children[i], child_length);
}

static int64_t used_bytes(const firn_avro_column *column)
{
    bool texts = column->type == FIRN_AVRO_COL_STRING || column->type == FIRN_AVRO_COL_BYTES;
    int64_t bytes = row_bytes(column, column->length);
    if (texts && column->length > 0)
        bytes += column->offsets[column->length];
    for (size_t i = 0; i < column->child_count; i++)
        bytes += used_bytes(&column->children[i]);
    return bytes;
}

/* ---- batches ---- */

static void copy_shape(const firn_avro_column *shape, firn_avro_column *out)
{
    *out = *shape;
    out->children = NULL;
    if (shape->child_count == 0)
        return;
    out->children = firn_calloc(shape->child_count, sizeof *out->children);
    for (size_t i = 0; i < shape->child_count; i++)
        copy_shape(&shape->children[i], &out->children[i]);
}

static void free_column(firn_avro_column *column)
{
    for (size_t i = 0; i < column->child_count; i++)
        free_column(&column->children[i]);
    free(column->children);
    free(column->validity);
    free(column->offsets);
    free(column->data);
}

size_t firn_avro_batch_used_bytes(const firn_avro_batch *batch)
{
    return (size_t)used_bytes(&batch->root);
}

firn_avro_batch *firn_avro_batch_new(const firn_avro_decoder *decoder)
{
    firn_avro_batch *batch = firn_calloc(1, sizeof *batch);
    batch->decoder = decoder;
    batch->shelf = decoder->keeps_buffers ? firn_avro_shelf_new() : NULL;
    batch->date = firn_avro_date_of("1970-01-01", 0);
    copy_shape(&decoder->shape, &batch->root);
    return batch;
}

void firn_avro_batch_free(firn_avro_batch *batch)
{
    if (!batch)
        return;
    free_column(&batch->root);
    firn_avro_shelf_unref(batch->shelf);
    free(batch->scratch);
    free(batch);
}

void firn_avro_batch_clear(firn_avro_batch *batch)
{
    firn_avro_column_truncate(&batch->root, 0);
}

size_t firn_avro_batch_bytes(const firn_avro_batch *batch)
{
    return batch->bytes;
}

void firn_avro_batch_truncate(firn_avro_batch *batch, int64_t rows)
{
    assert(rows <= batch->root.length);
    firn_avro_column_truncate(&batch->root, rows);
}

firn_rc firn_avro_batch_add_filler(firn_avro_batch *batch, firn_err *err)
{
    if (!firn_avro_column_reserve(batch, &batch->root, 1))
        FIRN_FAIL(err, FIRN_E_LIMIT, "the batch would exceed its memory bound or 2^31 - 1 rows");
    firn_avro_column_append_null(&batch->root);
    return FIRN_OK;
}

/* `column` was not nullable: all rows but these are valid. Its buffers go to Arrow next, so this bitmap is not accounted for. */
static void set_nulls(firn_avro_column *column, const int64_t *rows, size_t n)
{
    if (column->validity || column->type == FIRN_AVRO_COL_NULL || n == 0)
        return;
    assert(rows[n - 1] < column->length);
    size_t bytes = (size_t)bitmap_bytes(column->length);
    column->validity = firn_malloc(bytes);
    memset(column->validity, 0xFF, bytes);
    clear_bits(column->validity, column->length, (int64_t)bytes * 8);
    for (size_t i = 0; i < n; i++)
        column->validity[rows[i] >> 3] &= (uint8_t) ~(1u << (rows[i] & 7));
    column->null_count = (int64_t)n;
}

void firn_avro_batch_set_null_fields(firn_avro_batch *batch, const int64_t *rows, size_t n)
{
    for (size_t i = 0; i < batch->root.child_count; i++)
        set_nulls(&batch->root.children[i], rows, n);
}

void firn_avro_batch_set_null_rows(firn_avro_batch *batch, const int64_t *rows, size_t n)
{
    set_nulls(&batch->root, rows, n);
}

const firn_avro_column *firn_avro_batch_root(const firn_avro_batch *batch)
{
    return &batch->root;
}

/* ---- finding columns ---- */

static bool is_named(const firn_avro_column *column, const char *name, int32_t field_id)
{
    return name ? firn_streq(column->name, name) : column->field_id == field_id;
}

static const firn_avro_column *find(const firn_avro_column *parent, const char *name,
                                    int32_t field_id)
{
    while (parent->type == FIRN_AVRO_COL_LIST || parent->type == FIRN_AVRO_COL_MAP) {
        parent = &parent->children[0];
        if (is_named(parent, name, field_id))
            return parent;
    }
    for (size_t i = 0; i < parent->child_count; i++) {
        if (is_named(&parent->children[i], name, field_id))
            return &parent->children[i];
    }
    return NULL;
}

const firn_avro_column *firn_avro_column_by_name(const firn_avro_column *parent, const char *name)
{
    return find(parent, name, -1);
}

const firn_avro_column *firn_avro_column_by_id(const firn_avro_column *parent, int32_t field_id)
{
    return field_id < 0 ? NULL : find(parent, NULL, field_id);
}
