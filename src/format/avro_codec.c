/* Avro's binary encoding: what avro_codec.h does not do in line. */
#include "format/avro_codec.h"

#include <math.h>

enum {
    JSON_NODES_MAX = 1 << 16
}; /* values that one default expands to; recursive defaults could go on for ever */

bool firn_avro_get_long_slow(firn_avro_cursor *cursor, int64_t *out)
{
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (cursor->pos == cursor->end)
            return false;
        uint64_t byte = *cursor->pos++;
        if (shift == 63 && byte > 1)
            return false; /* more than 64 bits */
        bits |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
    }
    return false;
}

bool firn_avro_get_block(firn_avro_cursor *cursor, int64_t *count, int64_t *byte_size)
{
    int64_t size = -1;
    if (!firn_avro_get_long(cursor, count))
        return false;
    if (*count < 0) {
        if (*count == INT64_MIN || !firn_avro_get_long(cursor, &size))
            return false;
        *count = -*count;
        if (size < 0 || (uint64_t)size > firn_avro_remaining(cursor))
            return false;
    }
    if (byte_size)
        *byte_size = size;
    return true;
}

/* ---- skipping ---- */

static bool skip(firn_avro_cursor *cursor, const firn_avro_schema *schema, int depth);

static bool skip_bytes(firn_avro_cursor *cursor, uint64_t len)
{
    if (len > firn_avro_remaining(cursor))
        return false;
    if (len > 0)
        cursor->pos += len;
    return true;
}

static bool skip_container(firn_avro_cursor *cursor, const firn_avro_schema *schema, int depth)
{
    bool keyed = schema->kind == FIRN_AVRO_MAP;
    size_t item_size_min = schema->items->encoded_size_min + keyed;
    for (;;) {
        int64_t count, byte_size;
        if (!firn_avro_get_block(cursor, &count, &byte_size))
            return false;
        if (count == 0)
            return true;
        if (byte_size >= 0) {
            if (!skip_bytes(cursor, (uint64_t)byte_size))
                return false;
            continue;
        }
        if (item_size_min == 0)
            continue; /* items without bytes: nothing to pass over, however many are claimed */
        if ((uint64_t)count > firn_avro_remaining(cursor) / item_size_min)
            return false;
        for (int64_t i = 0; i < count; i++) {
            firn_bytes key;
            if (keyed && !firn_avro_get_bytes(cursor, &key))
                return false;
            if (!skip(cursor, schema->items, depth))
                return false;
        }
    }
}

/* Records can share types so that a small schema stands for 2^depth empty fields; nothing is there to skip. */
static bool skip_record(firn_avro_cursor *cursor, const firn_avro_schema *schema, int depth)
{
    if (schema->encoded_size_min > firn_avro_remaining(cursor))
        return false;
    for (size_t i = 0; i < schema->field_count; i++) {
        if (!skip(cursor, schema->fields[i].type, depth))
            return false;
    }
    return true;
}

static bool skip(firn_avro_cursor *cursor, const firn_avro_schema *schema, int depth)
{
    int64_t number;
    firn_bytes bytes;
    bool flag;
    if (depth == FIRN_AVRO_DEPTH_MAX)
        return false;
    if (schema->encoded_size_min == 0)
        return true;
    switch (schema->kind) {
    case FIRN_AVRO_NULL: return true;
    case FIRN_AVRO_BOOLEAN: return firn_avro_get_boolean(cursor, &flag);
    case FIRN_AVRO_INT:
    case FIRN_AVRO_LONG: return firn_avro_get_long(cursor, &number);
    case FIRN_AVRO_ENUM:
        return firn_avro_get_long(cursor, &number) && number >= 0 &&
               (uint64_t)number < schema->symbol_count;
    case FIRN_AVRO_FLOAT: return skip_bytes(cursor, 4);
    case FIRN_AVRO_DOUBLE: return skip_bytes(cursor, 8);
    case FIRN_AVRO_BYTES:
    case FIRN_AVRO_STRING: return firn_avro_get_bytes(cursor, &bytes);
    case FIRN_AVRO_FIXED: return skip_bytes(cursor, schema->fixed_size);
    case FIRN_AVRO_RECORD: return skip_record(cursor, schema, depth + 1);
    case FIRN_AVRO_ARRAY:
    case FIRN_AVRO_MAP: return skip_container(cursor, schema, depth + 1);
    case FIRN_AVRO_UNION:
        return firn_avro_get_long(cursor, &number) && number >= 0 &&
               (uint64_t)number < schema->branch_count &&
               skip(cursor, schema->branches[number], depth + 1);
    }
    return false;
}

bool firn_avro_skip(firn_avro_cursor *cursor, const firn_avro_schema *schema)
{
    return skip(cursor, schema, 0);
}

/* ---- from JSON ---- */

typedef struct json_encoder {
    firn_buf *buf;
    firn_err *err;
    int depth;
    int nodes;
} json_encoder;

static firn_rc put_json(json_encoder *e, const firn_avro_schema *schema, const json_t *json);

static firn_rc misfit(const json_encoder *e, const firn_avro_schema *schema, const char *why)
{
    return firn_err_set(e->err, __FILE__, __LINE__, FIRN_E_INVALID,
                        "not a value of Avro type %s: %s", schema->name, why);
}

static firn_rc put_json_integer(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    if (!json_is_integer(json))
        return misfit(e, schema, "it needs an integer");
    json_int_t value = json_integer_value(json);
    if (schema->kind == FIRN_AVRO_INT && value != (int32_t)value)
        return misfit(e, schema, "the number does not fit 32 bits");
    firn_avro_put_long(e->buf, value);
    return FIRN_OK;
}

static firn_rc put_json_real(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    double value;
    const char *text = json_string_value(json);
    if (json_is_number(json))
        value = json_number_value(json);
    else if (text && firn_streq(text, "NaN"))
        value = NAN;
    else if (text && firn_streq(text, "Infinity"))
        value = INFINITY;
    else if (text && firn_streq(text, "-Infinity"))
        value = -INFINITY;
    else
        return misfit(e, schema, "it needs a number");

    if (schema->kind == FIRN_AVRO_FLOAT)
        firn_avro_put_float(e->buf, (float)value);
    else
        firn_avro_put_double(e->buf, value);
    return FIRN_OK;
}

/* A JSON string of code points 0 to 255 as bytes. Appended after a length only known at the end, so it is
 * counted first: every byte above 0x7F takes two in UTF-8, led by C2 or C3. */
static firn_rc put_json_bytes(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    if (!json_is_string(json))
        return misfit(e, schema, "it needs a string");
    const uint8_t *text = (const uint8_t *)json_string_value(json);
    size_t text_len = json_string_length(json);
    size_t len = 0;
    for (size_t i = 0; i < text_len; i++) {
        if (text[i] > 0xC3)
            return misfit(e, schema, "bytes are written as code points up to U+00FF");
        len += text[i] < 0x80 || text[i] >= 0xC0;
    }
    if (schema->kind == FIRN_AVRO_FIXED) {
        if (len != schema->fixed_size)
            return misfit(e, schema, "it has another length");
    } else {
        firn_avro_put_long(e->buf, (int64_t)len);
    }
    for (size_t i = 0; i < text_len; i++) {
        uint8_t byte = text[i];
        if (byte >= 0xC0)
            byte = (uint8_t)(byte << 6 | (text[++i] & 0x3F));
        firn_buf_putc(e->buf, byte);
    }
    return FIRN_OK;
}

static firn_rc put_json_enum(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    const char *symbol = json_string_value(json);
    for (size_t i = 0; symbol && i < schema->symbol_count; i++) {
        if (firn_streq(symbol, schema->symbols[i])) {
            firn_avro_put_long(e->buf, (int64_t)i);
            return FIRN_OK;
        }
    }
    return misfit(e, schema, "it needs one of the symbols");
}

static firn_rc put_json_record(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    if (!json_is_object(json))
        return misfit(e, schema, "it needs an object");
    for (size_t i = 0; i < schema->field_count; i++) {
        const firn_avro_field *field = &schema->fields[i];
        const json_t *value = json_object_get(json, field->name);
        if (!value)
            value = field->default_value;
        if (!value)
            return misfit(e, schema, "a field without default is missing");
        firn_rc rc = put_json(e, field->type, value);
        if (rc != FIRN_OK)
            return firn_err_wrap(e->err, rc, "field \"%s\"", field->name);
    }
    return FIRN_OK;
}

static firn_rc put_json_array(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    if (!json_is_array(json))
        return misfit(e, schema, "it needs an array");
    size_t count = json_array_size(json);
    if (count > 0)
        firn_avro_put_long(e->buf, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        FIRN_TRY(put_json(e, schema->items, json_array_get(json, i)));
    firn_avro_put_long(e->buf, 0);
    return FIRN_OK;
}

static firn_rc put_json_map(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    if (!json_is_object(json))
        return misfit(e, schema, "it needs an object");
    size_t count = json_object_size(json);
    if (count > 0)
        firn_avro_put_long(e->buf, (int64_t)count);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        firn_avro_put_string(e->buf, key);
        FIRN_TRY(put_json(e, schema->items, value));
    }
    firn_avro_put_long(e->buf, 0);
    return FIRN_OK;
}

static firn_rc put_json_union(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    size_t start = e->buf->len;
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < schema->branch_count; i++) {
        firn_avro_put_long(e->buf, (int64_t)i);
        rc = put_json(e, schema->branches[i], json);
        if (rc != FIRN_E_INVALID)
            return rc;
        e->buf->len = start;
    }
    return rc;
}

static firn_rc put_json_any(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    switch (schema->kind) {
    case FIRN_AVRO_NULL: return json_is_null(json) ? FIRN_OK : misfit(e, schema, "it needs null");
    case FIRN_AVRO_BOOLEAN:
        if (!json_is_boolean(json))
            return misfit(e, schema, "it needs true or false");
        firn_avro_put_boolean(e->buf, json_is_true(json));
        return FIRN_OK;
    case FIRN_AVRO_INT:
    case FIRN_AVRO_LONG: return put_json_integer(e, schema, json);
    case FIRN_AVRO_FLOAT:
    case FIRN_AVRO_DOUBLE: return put_json_real(e, schema, json);
    case FIRN_AVRO_STRING:
        if (!json_is_string(json))
            return misfit(e, schema, "it needs a string");
        firn_avro_put_bytes(e->buf,
                            firn_bytes_of(json_string_value(json), json_string_length(json)));
        return FIRN_OK;
    case FIRN_AVRO_BYTES:
    case FIRN_AVRO_FIXED: return put_json_bytes(e, schema, json);
    case FIRN_AVRO_ENUM: return put_json_enum(e, schema, json);
    case FIRN_AVRO_RECORD: return put_json_record(e, schema, json);
    case FIRN_AVRO_ARRAY: return put_json_array(e, schema, json);
    case FIRN_AVRO_MAP: return put_json_map(e, schema, json);
    case FIRN_AVRO_UNION: return put_json_union(e, schema, json);
    }
    return misfit(e, schema, "unknown type");
}

static firn_rc put_json(json_encoder *e, const firn_avro_schema *schema, const json_t *json)
{
    if (e->depth == FIRN_AVRO_DEPTH_MAX || ++e->nodes > JSON_NODES_MAX) {
        FIRN_FAIL(e->err, FIRN_E_LIMIT,
                  "a value of Avro type %s is nested more than %d deep or has more than %d parts",
                  schema->name, FIRN_AVRO_DEPTH_MAX, JSON_NODES_MAX);
    }
    e->depth++;
    firn_rc rc = put_json_any(e, schema, json);
    e->depth--;
    return rc;
}

firn_rc firn_avro_put_json(firn_buf *buf, const firn_avro_schema *schema, const json_t *json,
                           firn_err *err)
{
    json_encoder encoder = {.buf = buf, .err = err};
    return put_json(&encoder, schema, json);
}
