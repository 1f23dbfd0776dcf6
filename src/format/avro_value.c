/* One Avro datum as a tree: interprets a resolution plan (avro_plan.h). */
#include "format/avro_value.h"

#include "avro_plan.h"
#include "base/vec.h"

#include <math.h>

typedef struct value_decoder {
    firn_arena *arena;
    firn_avro_cursor *cursor;
    const uint8_t *start;
    size_t value_count;
    size_t empty_count;
    int depth;
    firn_err *err;
} value_decoder;

static firn_rc decode(value_decoder *d, const firn_plan *plan, firn_avro_value *out);

static firn_rc malformed(value_decoder *d, const firn_plan *plan)
{
    FIRN_FAIL(d->err, FIRN_E_CORRUPT, "malformed Avro %s near byte %zu of the datum",
              plan->writer->name, (size_t)(d->cursor->pos - d->start));
}

/* ---- scalars ---- */

static bool decode_integer(firn_avro_cursor *cursor, const firn_plan *plan, int64_t *out)
{
    int32_t small;
    if (plan->writer->kind == FIRN_AVRO_LONG)
        return firn_avro_get_long(cursor, out);
    if (!firn_avro_get_int(cursor, &small))
        return false;
    *out = small;
    return true;
}

static bool decode_number(firn_avro_cursor *cursor, const firn_plan *plan, firn_avro_value *out)
{
    int64_t integer;
    float single;
    switch (plan->op) {
    case FIRN_PLAN_FLOAT:
    case FIRN_PLAN_FLOAT_TO_DOUBLE:
        if (!firn_avro_get_float(cursor, &single))
            return false;
        out->real = single;
        return true;
    case FIRN_PLAN_DOUBLE: return firn_avro_get_double(cursor, &out->real);
    case FIRN_PLAN_INT_TO_FLOAT:
    case FIRN_PLAN_LONG_TO_FLOAT:
        if (!decode_integer(cursor, plan, &integer))
            return false;
        out->real = (float)integer;
        return true;
    case FIRN_PLAN_INT_TO_DOUBLE:
    case FIRN_PLAN_LONG_TO_DOUBLE:
        if (!decode_integer(cursor, plan, &integer))
            return false;
        out->real = (double)integer;
        return true;
    default: return decode_integer(cursor, plan, &out->integer);
    }
}

static firn_rc decode_enum(value_decoder *d, const firn_plan *plan, firn_avro_value *out)
{
    int32_t symbol;
    if (!firn_avro_get_int(d->cursor, &symbol) || symbol < 0 ||
        (size_t)symbol >= plan->writer->symbol_count)
        return malformed(d, plan);
    if (plan->symbols[symbol] < 0) {
        FIRN_FAIL(d->err, FIRN_E_TYPE,
                  "enum %s: the reader's schema has neither symbol \"%s\" nor a default",
                  plan->reader->name, plan->writer->symbols[symbol]);
    }
    out->integer = plan->symbols[symbol];
    return FIRN_OK;
}

/* ---- containers ---- */

static firn_rc decode_record(value_decoder *d, const firn_plan *plan, firn_avro_value *out)
{
    out->count = plan->reader->field_count;
    out->items = FIRN_NEW_N(d->arena, firn_avro_value, out->count);
    for (size_t i = 0; i < plan->step_count; i++) {
        const firn_plan_step *step = &plan->steps[i];
        if (step->node)
            FIRN_TRY(decode(d, step->node, &out->items[step->index]));
        else if (!firn_avro_skip(d->cursor, step->writer))
            return malformed(d, plan);
    }

    firn_avro_cursor *outer = d->cursor;
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < plan->default_count && rc == FIRN_OK; i++) {
        const firn_plan_default *item = &plan->defaults[i];
        firn_avro_cursor cursor = firn_avro_cursor_of(item->bytes);
        d->cursor = &cursor;
        rc = decode(d, item->node, &out->items[item->index]);
    }
    d->cursor = outer;
    return rc;
}

/* A block's claimed count is believed only as far as the bytes that remain could hold it. */
static firn_rc check_count(value_decoder *d, const firn_plan *plan, int64_t count)
{
    size_t item_size_min = plan->writer->items->encoded_size_min + (plan->op == FIRN_PLAN_MAP);
    if (item_size_min > 0) {
        if ((uint64_t)count > firn_avro_remaining(d->cursor) / item_size_min)
            return malformed(d, plan);
        return FIRN_OK;
    }
    if ((uint64_t)count > FIRN_AVRO_EMPTY_ITEMS_MAX - d->empty_count) {
        FIRN_FAIL(d->err, FIRN_E_LIMIT, "an Avro array of more than %d items without content",
                  FIRN_AVRO_EMPTY_ITEMS_MAX);
    }
    d->empty_count += (size_t)count;
    return FIRN_OK;
}

static firn_rc decode_container(value_decoder *d, const firn_plan *plan, firn_avro_value *out)
{
    FIRN_VEC(firn_avro_value) items = {0};
    FIRN_VEC(firn_bytes) keys = {0};
    for (;;) {
        int64_t count, byte_size;
        if (!firn_avro_get_block(d->cursor, &count, &byte_size))
            return malformed(d, plan);
        if (count == 0)
            break;
        FIRN_TRY(check_count(d, plan, count));
        const uint8_t *block = d->cursor->pos;
        for (int64_t i = 0; i < count; i++) {
            firn_bytes key;
            if (plan->op == FIRN_PLAN_MAP) {
                if (!firn_avro_get_bytes(d->cursor, &key))
                    return malformed(d, plan);
                firn_vec_push(d->arena, &keys, key);
            }
            firn_avro_value item;
            FIRN_TRY(decode(d, plan->item, &item));
            firn_vec_push(d->arena, &items, item);
        }
        if (byte_size >= 0 && d->cursor->pos != block + byte_size)
            return malformed(d, plan); /* who skips goes by the size: it must not lie */
    }
    out->items = items.items;
    out->keys = keys.items;
    out->count = items.len;
    return FIRN_OK;
}

static firn_rc decode_union(value_decoder *d, const firn_plan *plan, firn_avro_value *out)
{
    int64_t branch;
    if (!firn_avro_get_long(d->cursor, &branch) || branch < 0 ||
        (uint64_t)branch >= plan->writer->branch_count)
        return malformed(d, plan);
    if (plan->op == FIRN_PLAN_UNION)
        return decode(d, plan->branches[branch], out);
    if ((uint32_t)branch != plan->null_branch)
        return decode(d, plan->item, out);
    *out = (firn_avro_value){.schema = plan->writer->branches[branch]};
    return FIRN_OK;
}

static firn_rc decode_node(value_decoder *d, const firn_plan *plan, firn_avro_value *out)
{
    *out = (firn_avro_value){.schema = plan->reader};
    bool fine = true;
    switch (plan->op) {
    case FIRN_PLAN_NULL: out->schema = plan->writer; break;
    case FIRN_PLAN_BOOLEAN: fine = firn_avro_get_boolean(d->cursor, &out->boolean); break;
    case FIRN_PLAN_BYTES: fine = firn_avro_get_bytes(d->cursor, &out->bytes); break;
    case FIRN_PLAN_FIXED:
        fine = firn_avro_get_fixed(d->cursor, plan->writer->fixed_size, &out->bytes);
        break;
    case FIRN_PLAN_ENUM: return decode_enum(d, plan, out);
    case FIRN_PLAN_RECORD: return decode_record(d, plan, out);
    case FIRN_PLAN_ARRAY:
    case FIRN_PLAN_MAP: return decode_container(d, plan, out);
    case FIRN_PLAN_UNION:
    case FIRN_PLAN_OPTIONAL: return decode_union(d, plan, out);
    case FIRN_PLAN_INTO: return decode(d, plan->item, out);
    case FIRN_PLAN_ERROR: FIRN_FAIL(d->err, FIRN_E_TYPE, "%s", plan->message);
    default: fine = decode_number(d->cursor, plan, out); break;
    }
    return fine ? FIRN_OK : malformed(d, plan);
}

static firn_rc decode(value_decoder *d, const firn_plan *plan, firn_avro_value *out)
{
    /* A union takes a level of its own in a plan, hence twice the nesting of data. */
    if (d->depth == 2 * FIRN_AVRO_DEPTH_MAX) {
        FIRN_FAIL(d->err, FIRN_E_LIMIT, "Avro data nested more than %d deep",
                  2 * FIRN_AVRO_DEPTH_MAX);
    }
    if (++d->value_count > FIRN_AVRO_VALUE_ITEMS_MAX) {
        FIRN_FAIL(d->err, FIRN_E_LIMIT, "an Avro datum of more than %d values",
                  FIRN_AVRO_VALUE_ITEMS_MAX);
    }
    d->depth++;
    firn_rc rc = decode_node(d, plan, out);
    d->depth--;
    return rc;
}

firn_rc firn_avro_value_decode(firn_arena *arena, const firn_avro_schema *writer,
                               const firn_avro_schema *reader, const firn_avro_match *match,
                               firn_avro_cursor *cursor, firn_avro_value *out, firn_err *err)
{
    const firn_plan *plan;
    FIRN_TRY(firn_plan_make(arena, writer, reader, match && match->by_field_id, &plan, err));
    value_decoder decoder = {
        .arena = arena,
        .cursor = cursor,
        .start = cursor->pos,
        .err = err,
    };
    return decode(&decoder, plan, out);
}

const firn_avro_value *firn_avro_value_field(const firn_avro_value *record, const char *name)
{
    if (record->schema->kind != FIRN_AVRO_RECORD)
        return NULL;
    const firn_avro_field *field = firn_avro_schema_field(record->schema, name);
    return field ? &record->items[field - record->schema->fields] : NULL;
}

/* ---- to JSON; every json_t made here is new and handed to its parent ---- */

static json_t *to_json(const firn_avro_value *value);

static json_t *bytes_to_json(firn_bytes bytes)
{
    FIRN_AUTO_BUF firn_buf text = {.max = SIZE_MAX / 4};
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.data[i];
        if (byte >= 0x80) {
            firn_buf_putc(&text, (uint8_t)(0xC0 | byte >> 6));
            byte = (uint8_t)(0x80 | (byte & 0x3F));
        }
        firn_buf_putc(&text, byte);
    }
    const char *data = text.len > 0 ? (const char *)text.data : "";
    return json_stringn_nocheck(data, text.len);
}

static json_t *text_to_json(firn_bytes bytes)
{
    if (!firn_utf8_valid(bytes))
        return bytes_to_json(bytes);
    return json_stringn_nocheck(bytes.len > 0 ? (const char *)bytes.data : "", bytes.len);
}

static json_t *real_to_json(double value)
{
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}

static json_t *record_to_json(const firn_avro_value *value)
{
    json_t *object = json_object();
    for (size_t i = 0; i < value->count; i++)
        json_object_set_new_nocheck(object, value->schema->fields[i].name,
                                    to_json(&value->items[i]));
    return object;
}

static json_t *map_to_json(const firn_avro_value *value)
{
    json_t *object = json_object();
    for (size_t i = 0; i < value->count; i++) {
        json_t *key = text_to_json(value->keys[i]);
        json_object_setn_new_nocheck(object, json_string_value(key), json_string_length(key),
                                     to_json(&value->items[i]));
        json_decref(key);
    }
    return object;
}

static json_t *to_json(const firn_avro_value *value)
{
    switch (value->schema->kind) {
    case FIRN_AVRO_NULL:
    case FIRN_AVRO_UNION: return json_null();
    case FIRN_AVRO_BOOLEAN: return json_boolean(value->boolean);
    case FIRN_AVRO_INT:
    case FIRN_AVRO_LONG: return json_integer(value->integer);
    case FIRN_AVRO_FLOAT:
    case FIRN_AVRO_DOUBLE: return real_to_json(value->real);
    case FIRN_AVRO_ENUM: return json_string(value->schema->symbols[value->integer]);
    case FIRN_AVRO_STRING: return text_to_json(value->bytes);
    case FIRN_AVRO_BYTES:
    case FIRN_AVRO_FIXED: return bytes_to_json(value->bytes);
    case FIRN_AVRO_RECORD: return record_to_json(value);
    case FIRN_AVRO_MAP: return map_to_json(value);
    case FIRN_AVRO_ARRAY: break;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < value->count; i++)
        json_array_append_new(array, to_json(&value->items[i]));
    return array;
}

json_t *firn_avro_value_json(firn_arena *arena, const firn_avro_value *value)
{
    return firn_json_own(arena, to_json(value));
}
