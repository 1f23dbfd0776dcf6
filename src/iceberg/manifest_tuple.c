/*
 * manifest_tuple.c - a file's partition tuple from Avro, in the types of the table's partition spec.
 */
#include "manifest_pick.h"

static bool big_endian_decimal(firn_bytes bytes, __int128 *out)
{
    if (bytes.len == 0)
        return false;
    __int128 sign = bytes.data[0] & 0x80 ? -1 : 0;
    unsigned __int128 value = (unsigned __int128)sign;
    for (size_t i = 0; i < bytes.len; i++) {
        if (i + 16 < bytes.len && bytes.data[i] != (uint8_t)sign)
            return false;
        value = value << 8 | bytes.data[i];
    }
    *out = (__int128)value;
    return bytes.len <= 16 || (*out < 0) == (sign < 0);
}

/* The Avro datum as the value its own schema says it is. Iceberg Java (1.10 and before) declares a partition value
 * of type fixed as Avro fixed but writes, and reads, a length before the bytes: such a file is decoded again with
 * fixed_as_bytes when it makes no sense as Avro. */
static bool natural_value(firn_avro_cursor *cursor, const firn_avro_schema *type,
                          bool fixed_as_bytes, firn_value *out)
{
    int64_t number;
    switch (type->kind) {
    case FIRN_AVRO_BOOLEAN:
        out->type = FIRN_TYPE_BOOLEAN;
        return firn_avro_get_boolean(cursor, &out->boolean);
    case FIRN_AVRO_INT:
        out->type = type->logical == FIRN_AVRO_DATE ? FIRN_TYPE_DATE : FIRN_TYPE_INT;
        return firn_avro_get_int(cursor, &out->i32);
    case FIRN_AVRO_LONG:
        if (!firn_avro_get_long(cursor, &number))
            return false;
        out->i64 = number;
        out->type = FIRN_TYPE_LONG;
        if (type->logical == FIRN_AVRO_TIMESTAMP_MILLIS &&
            __builtin_mul_overflow(number, INT64_C(1000), &out->i64))
            return false; /* Iceberg's own unit is microseconds */
        return true;
    case FIRN_AVRO_FLOAT:
        out->type = FIRN_TYPE_FLOAT;
        return firn_avro_get_float(cursor, &out->f32);
    case FIRN_AVRO_DOUBLE:
        out->type = FIRN_TYPE_DOUBLE;
        return firn_avro_get_double(cursor, &out->f64);
    case FIRN_AVRO_STRING:
        out->type = FIRN_TYPE_STRING;
        return firn_avro_get_bytes(cursor, &out->bytes);
    case FIRN_AVRO_BYTES:
    case FIRN_AVRO_FIXED:
        out->type = type->kind == FIRN_AVRO_BYTES ? FIRN_TYPE_BINARY : FIRN_TYPE_FIXED;
        firn_bytes bytes;
        bool prefixed = fixed_as_bytes && type->kind == FIRN_AVRO_FIXED &&
                        type->logical == FIRN_AVRO_LOGICAL_NONE;
        if (prefixed ? !firn_avro_get_bytes(cursor, &bytes) || bytes.len != type->fixed_size
                     : !firn_pick_bytes(cursor, type, &bytes))
            return false;
        if (type->logical != FIRN_AVRO_DECIMAL) {
            out->bytes = bytes;
            return true;
        }
        out->type = FIRN_TYPE_DECIMAL;
        out->scale = type->scale;
        return big_endian_decimal(bytes, &out->decimal);
    default: return false;
    }
}

static bool is_wide_time(firn_type_id id)
{
    return id >= FIRN_TYPE_TIME && id <= FIRN_TYPE_TIMESTAMPTZ_NS;
}

/* Avro's kinds are coarser than Iceberg's, and old files hold the types from before a promotion. */
static bool coerce(firn_arena *arena, const firn_type *to, firn_value *value)
{
    firn_type_id from = value->type;
    if (from == to->id || to->id == FIRN_TYPE_UNKNOWN)
        return true;
    bool same_layout =
        (from == FIRN_TYPE_LONG && is_wide_time(to->id)) ||
        ((from == FIRN_TYPE_INT || from == FIRN_TYPE_DATE) &&
         (to->id == FIRN_TYPE_DATE || to->id == FIRN_TYPE_INT)) ||
        (from == FIRN_TYPE_FIXED &&
         (to->id == FIRN_TYPE_BINARY || (to->id == FIRN_TYPE_UUID && value->bytes.len == 16))) ||
        (from == FIRN_TYPE_BINARY &&
         ((to->id == FIRN_TYPE_FIXED && value->bytes.len == (size_t)to->length) ||
          to->id == FIRN_TYPE_STRING)) ||
        (from == FIRN_TYPE_STRING && to->id == FIRN_TYPE_BINARY);
    if (same_layout) {
        value->type = to->id;
        return true;
    }
    firn_value converted;
    if (!firn_value_convert(arena, value, to, &converted))
        return false;
    *value = converted;
    return true;
}

static bool has_bytes(const firn_value *value)
{
    return !value->is_null && value->type >= FIRN_TYPE_STRING && value->type <= FIRN_TYPE_BINARY;
}

bool firn_tuple_read(firn_avro_cursor *cursor, firn_arena *arena, const firn_tuple_plan *plan,
                     const firn_value *above, firn_value *tuple)
{
    for (size_t f = 0; f < plan->n_picks; f++) {
        const firn_pick *pick = &plan->picks[f];
        if (pick->slot < 0) {
            if (!firn_avro_skip(cursor, pick->whole))
                return false;
            continue;
        }
        bool present;
        if (!firn_pick_present(cursor, pick, &present))
            return false;
        if (!present)
            continue;
        firn_value value = {0};
        if (!natural_value(cursor, pick->type, plan->fixed_as_bytes, &value) ||
            !coerce(arena, plan->type->fields[pick->slot].type, &value))
            return false;
        if (has_bytes(&value)) {
            /* Neighbours mostly share their partition, and then its bytes, too. */
            const firn_value *near = above ? &above[pick->slot] : NULL;
            bool shared = near && has_bytes(near) && near->bytes.len == value.bytes.len &&
                          memcmp(near->bytes.data, value.bytes.data, value.bytes.len) == 0;
            value.bytes = shared ? near->bytes : firn_bytes_dup(arena, value.bytes);
        }
        tuple[pick->slot] = value;
    }
    return true;
}

bool firn_tuple_plan_has_fixed(const firn_tuple_plan *plan)
{
    for (size_t f = 0; f < plan->n_picks; f++) {
        const firn_avro_schema *type = plan->picks[f].type;
        if (type->kind == FIRN_AVRO_FIXED && type->logical == FIRN_AVRO_LOGICAL_NONE)
            return true;
    }
    return false;
}
