/* Partition transforms (spec: "Partition Transforms", Appendix B), to the bit as in Java.
 *
 * Arithmetic that overflows in Java wraps around there, so it wraps here: two engines that disagree on one
 * partition value put one row into two partitions.
 */
#include "iceberg/partition.h"

#include "value_private.h"

#include "base/time.h"

#include "format/murmur3.h"

#include <inttypes.h>

static const struct {
    const char *name;
    firn_transform_kind kind;
} plain_transforms[] = {
    {"identity", FIRN_TRANSFORM_IDENTITY}, {"year", FIRN_TRANSFORM_YEAR},
    {"month", FIRN_TRANSFORM_MONTH},       {"day", FIRN_TRANSFORM_DAY},
    {"hour", FIRN_TRANSFORM_HOUR},         {"void", FIRN_TRANSFORM_VOID},
};

/* "bucket[16]": the number if `text` is `name` with one. */
static bool scan_width(const char *text, const char *name, int32_t *width)
{
    size_t len = strlen(name);
    if (strncasecmp(text, name, len) != 0 || text[len] != '[')
        return false;
    int64_t number = 0;
    const char *at = text + len + 1;
    if (*at == ']')
        return false;
    for (; *at >= '0' && *at <= '9' && number <= INT32_MAX; at++)
        number = number * 10 + (*at - '0');
    *width = (int32_t)number;
    return number > 0 && number <= INT32_MAX && at[0] == ']' && at[1] == '\0';
}

firn_transform firn_transform_parse(firn_arena *arena, const char *text)
{
    firn_transform transform = {.kind = FIRN_TRANSFORM_UNKNOWN};
    for (size_t i = 0; i < sizeof(plain_transforms) / sizeof(plain_transforms[0]); i++) {
        if (firn_strcaseeq(text, plain_transforms[i].name)) {
            transform.kind = plain_transforms[i].kind;
            transform.name = plain_transforms[i].name;
            return transform;
        }
    }
    if (scan_width(text, "bucket", &transform.param)) {
        transform.kind = FIRN_TRANSFORM_BUCKET;
        transform.name = firn_arena_printf(arena, "bucket[%d]", transform.param);
    } else if (scan_width(text, "truncate", &transform.param)) {
        transform.kind = FIRN_TRANSFORM_TRUNCATE;
        transform.name = firn_arena_printf(arena, "truncate[%d]", transform.param);
    } else {
        transform.param = 0;
        transform.name = firn_arena_strdup(arena, text);
    }
    return transform;
}

/* ---- which types ---- */

static bool can_bucket(firn_type_id type)
{
    switch (type) {
    case FIRN_TYPE_INT:
    case FIRN_TYPE_LONG:
    case FIRN_TYPE_DECIMAL:
    case FIRN_TYPE_DATE:
    case FIRN_TYPE_TIME:
    case FIRN_TYPE_STRING:
    case FIRN_TYPE_UUID:
    case FIRN_TYPE_FIXED:
    case FIRN_TYPE_BINARY: return true;
    default: return firn_type_is_timestamp(type);
    }
}

static bool can_truncate(firn_type_id type)
{
    return type == FIRN_TYPE_INT || type == FIRN_TYPE_LONG || type == FIRN_TYPE_DECIMAL ||
           type == FIRN_TYPE_STRING || type == FIRN_TYPE_BINARY;
}

static bool can_transform(firn_transform_kind kind, firn_type_id type)
{
    switch (kind) {
    case FIRN_TRANSFORM_IDENTITY:
        return type < FIRN_TYPE_STRUCT && type != FIRN_TYPE_VARIANT && type != FIRN_TYPE_GEOMETRY &&
               type != FIRN_TYPE_GEOGRAPHY;
    case FIRN_TRANSFORM_BUCKET: return can_bucket(type);
    case FIRN_TRANSFORM_TRUNCATE: return can_truncate(type);
    case FIRN_TRANSFORM_YEAR:
    case FIRN_TRANSFORM_MONTH:
    case FIRN_TRANSFORM_DAY: return type == FIRN_TYPE_DATE || firn_type_is_timestamp(type);
    case FIRN_TRANSFORM_HOUR: return firn_type_is_timestamp(type);
    case FIRN_TRANSFORM_VOID: return true;
    default: return false;
    }
}

firn_rc firn_transform_check(const firn_transform *transform, const firn_type *source,
                             firn_err *err)
{
    if (can_transform(transform->kind, source->id))
        return FIRN_OK;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    if (transform->kind == FIRN_TRANSFORM_UNKNOWN)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "'%s' is not a transform firn knows: use identity, bucket[N], truncate[W], year, "
                  "month, day, hour or void",
                  transform->name);
    FIRN_FAIL(err, FIRN_E_INVALID, "Invalid source type %s for transform: %s",
              firn_type_text(scratch, source), transform->name);
}

static const firn_type *plain_type(firn_arena *arena, firn_type_id id)
{
    firn_type *type = FIRN_NEW(arena, firn_type);
    type->id = id;
    return type;
}

const firn_type *firn_transform_result(firn_arena *arena, const firn_transform *transform,
                                       const firn_type *source)
{
    switch (transform->kind) {
    case FIRN_TRANSFORM_BUCKET:
    case FIRN_TRANSFORM_YEAR:
    case FIRN_TRANSFORM_MONTH:
    case FIRN_TRANSFORM_HOUR: return plain_type(arena, FIRN_TYPE_INT);
    case FIRN_TRANSFORM_DAY: return plain_type(arena, FIRN_TYPE_DATE);
    case FIRN_TRANSFORM_UNKNOWN: return plain_type(arena, FIRN_TYPE_STRING);
    default: return source;
    }
}

/* ---- bucket ---- */

static int32_t hash_long(int64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
    return (int32_t)firn_murmur3_x86_32(bytes, sizeof(bytes), 0);
}

static int32_t hash_value(const firn_value *value)
{
    switch (value->type) {
    case FIRN_TYPE_INT:
    case FIRN_TYPE_DATE: return hash_long(value->i32);
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: return hash_long(firn_floor_div(value->i64, 1000));
    case FIRN_TYPE_DECIMAL: {
        uint8_t bytes[FIRN_DECIMAL_BYTES_MAX];
        size_t len = firn_decimal_bytes(value->decimal, bytes);
        return (int32_t)firn_murmur3_x86_32(bytes + sizeof(bytes) - len, len, 0);
    }
    default:
        if (firn_type_is_bytes(value->type))
            return (int32_t)firn_murmur3_x86_32(value->bytes.data, value->bytes.len, 0);
        return hash_long(value->i64);
    }
}

/* ---- truncate ---- */

/* value - (((value % width) + width) % width) in 32 bits, wrapping. */
static int32_t truncate_i32(int32_t value, int32_t width)
{
    int32_t rest = (int32_t)((uint32_t)(value % width) + (uint32_t)width) % width;
    return (int32_t)((uint32_t)value - (uint32_t)rest);
}

static int64_t truncate_i64(int64_t value, int64_t width)
{
    int64_t rest = (value % width + width) % width;
    return (int64_t)((uint64_t)value - (uint64_t)rest);
}

static __int128 truncate_decimal(__int128 value, int32_t width)
{
    __int128 rest = (value % width + width) % width;
    return (__int128)((unsigned __int128)value - (unsigned __int128)rest);
}

static void truncate_value(firn_arena *arena, const firn_value *value, int32_t width,
                           firn_value *out)
{
    *out = *value;
    switch (value->type) {
    case FIRN_TYPE_INT: out->i32 = truncate_i32(value->i32, width); return;
    case FIRN_TYPE_LONG: out->i64 = truncate_i64(value->i64, width); return;
    case FIRN_TYPE_DECIMAL: out->decimal = truncate_decimal(value->decimal, width); return;
    default: *out = firn_value_truncate_lower(arena, value, (size_t)width);
    }
}

/* ---- dates ---- */

static int32_t day_of(const firn_value *value)
{
    if (value->type == FIRN_TYPE_DATE)
        return value->i32;
    int64_t per_day =
        firn_type_is_nano(value->type) ? INT64_C(86400000000000) : INT64_C(86400000000);
    return (int32_t)firn_floor_div(value->i64, per_day);
}

static int32_t time_part(firn_transform_kind kind, const firn_value *value)
{
    if (kind == FIRN_TRANSFORM_HOUR) {
        int64_t per_hour =
            firn_type_is_nano(value->type) ? INT64_C(3600000000000) : INT64_C(3600000000);
        return (int32_t)firn_floor_div(value->i64, per_hour);
    }
    if (kind == FIRN_TRANSFORM_DAY)
        return day_of(value);
    firn_civil civil;
    firn_civil_from_days(day_of(value), &civil);
    int32_t years = civil.year - 1970;
    return kind == FIRN_TRANSFORM_YEAR ? years : years * 12 + civil.month - 1;
}

/* ---- applying ---- */

firn_rc firn_transform_apply(firn_arena *arena, const firn_transform *transform,
                             const firn_type *source, const firn_value *value, firn_value *out,
                             firn_err *err)
{
    FIRN_TRY(firn_transform_check(transform, source, err));
    firn_value input = *value; /* narrower when the column was promoted since */
    if (!input.is_null && input.type != source->id &&
        !firn_value_convert(arena, value, source, &input))
        FIRN_FAIL(err, FIRN_E_TYPE, "cannot apply transform %s: the value is not of type %s",
                  transform->name, firn_type_text(arena, source));
    firn_type_id result = firn_transform_result(arena, transform, source)->id;
    if (input.is_null || transform->kind == FIRN_TRANSFORM_VOID) {
        *out = firn_value_null(result);
        return FIRN_OK;
    }
    *out = (firn_value){.type = result};
    switch (transform->kind) {
    case FIRN_TRANSFORM_IDENTITY: *out = input; break;
    case FIRN_TRANSFORM_BUCKET:
        out->i32 = (hash_value(&input) & INT32_MAX) % transform->param;
        break;
    case FIRN_TRANSFORM_TRUNCATE: truncate_value(arena, &input, transform->param, out); break;
    default: out->i32 = time_part(transform->kind, &input);
    }
    return FIRN_OK;
}

/* ---- text ---- */

static char *base64(firn_arena *arena, firn_bytes bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = firn_arena_alloc(arena, (bytes.len + 2) / 3 * 4 + 1);
    char *at = text;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= n > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= n > 2 ? bytes.data[i + 2] : 0;
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = n > 1 ? alphabet[group >> 6 & 63] : '=';
        *at++ = n > 2 ? alphabet[group & 63] : '=';
    }
    *at = '\0';
    return text;
}

static char *human_value(firn_arena *arena, const firn_value *value)
{
    switch (value->type) {
    case FIRN_TYPE_DECIMAL: return firn_decimal_java(arena, value->decimal, value->scale);
    case FIRN_TYPE_TIME: return firn_local_time_java(arena, value->i64);
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: return firn_iso_timestamp(arena, value->type, value->i64);
    case FIRN_TYPE_FIXED:
    case FIRN_TYPE_BINARY: return base64(arena, value->bytes);
    default: return firn_value_text(arena, NULL, value);
    }
}

static char *human_day(firn_arena *arena, int32_t days)
{
    firn_civil civil;
    firn_civil_from_days(days, &civil);
    return firn_arena_printf(arena, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
}

char *firn_transform_human(firn_arena *arena, const firn_transform *transform,
                           const firn_type *source, const firn_value *result)
{
    (void)source;
    if (result->is_null || transform->kind == FIRN_TRANSFORM_VOID)
        return firn_arena_strdup(arena, "null");
    int32_t ordinal = result->i32;
    switch (transform->kind) {
    case FIRN_TRANSFORM_YEAR:
        return firn_arena_printf(arena, "%04" PRId64, INT64_C(1970) + ordinal);
    case FIRN_TRANSFORM_MONTH: {
        int64_t years = firn_floor_div(ordinal, 12);
        return firn_arena_printf(arena, "%04" PRId64 "-%02d", 1970 + years,
                                 (int)(ordinal - years * 12) + 1);
    }
    case FIRN_TRANSFORM_DAY: return human_day(arena, ordinal);
    case FIRN_TRANSFORM_HOUR: {
        int32_t days = (int32_t)firn_floor_div(ordinal, 24);
        return firn_arena_printf(arena, "%s-%02d", human_day(arena, days), ordinal - days * 24);
    }
    default:
        if (result->type == FIRN_TYPE_DATE)
            return human_day(arena, ordinal);
        return human_value(arena, result);
    }
}
