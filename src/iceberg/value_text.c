/* Values as JSON (Appendix D) and as text, and literals turned into a column's type. */
#include "value_private.h"

#include "base/time.h"
#include "base/uuid.h"

#include <inttypes.h>
#include <math.h>

/* ---- from JSON ---- */

static firn_rc bad_json(firn_arena *arena, const firn_type *type, const json_t *json,
                        const char *why, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_INVALID, "Cannot parse default as a %s value: %s%s%s",
              firn_type_text(arena, type), firn_json_text(arena, json), *why ? ": " : "", why);
}

static bool is_utc(const char *text)
{
    return firn_ends_with(text, "Z") || firn_ends_with(text, "z") ||
           firn_ends_with(text, "+00:00") || firn_ends_with(text, "-00:00") ||
           firn_ends_with(text, "+00");
}

static bool parse_instant(firn_type_id type, const char *text, int64_t *out, bool *has_zone)
{
    return firn_type_is_nano(type) ? firn_parse_timestamp_ns(text, out, has_zone)
                                   : firn_parse_timestamp(text, out, has_zone);
}

static bool wants_zone(firn_type_id type)
{
    return type == FIRN_TYPE_TIMESTAMPTZ || type == FIRN_TYPE_TIMESTAMPTZ_NS;
}

static firn_rc read_instant(firn_arena *arena, const firn_type *type, const json_t *json,
                            firn_value *out, firn_err *err)
{
    bool has_zone = false;
    const char *text = json_string_value(json);
    if (!parse_instant(type->id, text, &out->i64, &has_zone))
        return bad_json(arena, type, json, "not an ISO 8601 timestamp", err);
    if (wants_zone(type->id) && (!has_zone || !is_utc(text)))
        return bad_json(arena, type, json, "offset must be +00:00", err);
    if (!wants_zone(type->id) && has_zone)
        return bad_json(arena, type, json, "it must not carry an offset", err);
    return FIRN_OK;
}

static firn_rc read_bytes(firn_arena *arena, const firn_type *type, const json_t *json,
                          firn_value *out, firn_err *err)
{
    const char *text = json_string_value(json);
    if (type->id == FIRN_TYPE_UUID) {
        uint8_t *uuid = firn_arena_alloc(arena, 16);
        if (!firn_uuid_parse(text, uuid))
            return bad_json(arena, type, json, "not a UUID", err);
        out->bytes = firn_bytes_of(uuid, 16);
        return FIRN_OK;
    }
    if (!firn_unhex(arena, text, &out->bytes))
        return bad_json(arena, type, json, "not a hexadecimal string", err);
    if (type->id == FIRN_TYPE_FIXED && out->bytes.len != (size_t)type->length)
        return bad_json(arena, type, json, "incorrect length", err);
    return FIRN_OK;
}

/* Digits after the point, or -1 if there is an exponent. */
static int written_scale(const char *text)
{
    if (strpbrk(text, "eE"))
        return -1;
    const char *point = strchr(text, '.');
    return point ? (int)strlen(point + 1) : 0;
}

static firn_rc read_string(firn_arena *arena, const firn_type *type, const json_t *json,
                           firn_value *out, firn_err *err)
{
    if (!json_is_string(json))
        return bad_json(arena, type, json, "a string is needed", err);
    const char *text = json_string_value(json);
    switch (type->id) {
    case FIRN_TYPE_DECIMAL:
        out->scale = type->scale;
        if (!firn_decimal_parse(text, type->scale, &out->decimal))
            return bad_json(arena, type, json, "not a decimal of that scale", err);
        if (written_scale(text) >= 0 && written_scale(text) != type->scale)
            return bad_json(arena, type, json, "the scale doesn't match", err);
        return FIRN_OK;
    case FIRN_TYPE_DATE:
        if (!firn_parse_date(text, &out->i32))
            return bad_json(arena, type, json, "not an ISO 8601 date", err);
        return FIRN_OK;
    case FIRN_TYPE_TIME:
        if (!firn_parse_time(text, &out->i64))
            return bad_json(arena, type, json, "not an ISO 8601 time", err);
        return FIRN_OK;
    case FIRN_TYPE_STRING:
        out->bytes = firn_bytes_dup(arena, firn_bytes_of(text, json_string_length(json)));
        return FIRN_OK;
    case FIRN_TYPE_UUID:
    case FIRN_TYPE_FIXED:
    case FIRN_TYPE_BINARY: return read_bytes(arena, type, json, out, err);
    default: return read_instant(arena, type, json, out, err);
    }
}

firn_rc firn_value_from_json(firn_arena *arena, const firn_type *type, const json_t *json,
                             firn_value *out, firn_err *err)
{
    *out = (firn_value){.type = type->id};
    if (!json || json_is_null(json)) {
        out->is_null = true;
        return FIRN_OK;
    }
    switch (type->id) {
    case FIRN_TYPE_BOOLEAN:
        if (!json_is_boolean(json))
            return bad_json(arena, type, json, "true or false is needed", err);
        out->boolean = json_is_true(json);
        return FIRN_OK;
    case FIRN_TYPE_INT:
        if (!json_is_integer(json) || json_integer_value(json) < INT32_MIN ||
            json_integer_value(json) > INT32_MAX)
            return bad_json(arena, type, json, "a 32-bit integer is needed", err);
        out->i32 = (int32_t)json_integer_value(json);
        return FIRN_OK;
    case FIRN_TYPE_LONG:
        if (!json_is_integer(json))
            return bad_json(arena, type, json, "an integer is needed", err);
        out->i64 = json_integer_value(json);
        return FIRN_OK;
    case FIRN_TYPE_FLOAT:
    case FIRN_TYPE_DOUBLE:
        if (!json_is_number(json))
            return bad_json(arena, type, json, "a number is needed", err);
        if (type->id == FIRN_TYPE_FLOAT)
            out->f32 = (float)json_number_value(json);
        else
            out->f64 = json_number_value(json);
        return FIRN_OK;
    case FIRN_TYPE_UNKNOWN:
    case FIRN_TYPE_VARIANT:
    case FIRN_TYPE_GEOMETRY:
    case FIRN_TYPE_GEOGRAPHY:
    case FIRN_TYPE_STRUCT:
    case FIRN_TYPE_LIST:
    case FIRN_TYPE_MAP:
        FIRN_FAIL(err, FIRN_E_INVALID, "a value of type %s has no single-value JSON form",
                  firn_type_text(arena, type));
    default: return read_string(arena, type, json, out, err);
    }
}

/* ---- to JSON ---- */

static char *uuid_text(firn_arena *arena, firn_bytes bytes)
{
    char text[FIRN_UUID_TEXT_BYTES];
    firn_uuid_format(bytes.data, text);
    return firn_arena_strdup(arena, text);
}

json_t *firn_value_to_json(firn_arena *arena, const firn_type *type, const firn_value *value)
{
    if (value->is_null)
        return json_null();
    switch (value->type) {
    case FIRN_TYPE_BOOLEAN: return json_boolean(value->boolean);
    case FIRN_TYPE_INT: return json_integer(value->i32);
    case FIRN_TYPE_LONG: return json_integer(value->i64);
    case FIRN_TYPE_FLOAT:
        /* The shortest text of the float, not of the double nearest to it: 0.1, not 0.10000000149. */
        return isfinite(value->f32)
                   ? json_real(strtod(firn_double_java(arena, value->f32, true), NULL))
                   : json_null();
    case FIRN_TYPE_DOUBLE: return isfinite(value->f64) ? json_real(value->f64) : json_null();
    case FIRN_TYPE_DECIMAL:
        return json_string(firn_decimal_plain(arena, value->decimal, value->scale));
    case FIRN_TYPE_DATE: return json_string(firn_iso_date(arena, value->i32));
    case FIRN_TYPE_TIME: return json_string(firn_iso_time(arena, value->i64));
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS:
        return json_string(firn_iso_timestamp(arena, value->type, value->i64));
    case FIRN_TYPE_STRING: {
        json_t *text = json_stringn((const char *)value->bytes.data, value->bytes.len);
        return text ? text : json_string(firn_hex(arena, value->bytes)); /* not UTF-8 */
    }
    case FIRN_TYPE_UUID: return json_string(uuid_text(arena, value->bytes));
    default:
        (void)type;
        return firn_type_is_bytes(value->type) ? json_string(firn_hex(arena, value->bytes))
                                               : json_null();
    }
}

/* ---- text ---- */

static bool parse_boolean(const char *text, bool *out)
{
    *out = firn_strcaseeq(text, "true") || firn_strcaseeq(text, "t") || firn_streq(text, "1");
    return *out || firn_strcaseeq(text, "false") || firn_strcaseeq(text, "f") ||
           firn_streq(text, "0");
}

static bool parse_integer(firn_type_id type, const char *text, firn_value *out)
{
    int64_t number;
    if (!firn_parse_i64(text, &number))
        return false;
    if (type == FIRN_TYPE_LONG) {
        out->i64 = number;
        return true;
    }
    out->i32 = (int32_t)number;
    return number >= INT32_MIN && number <= INT32_MAX;
}

static bool parse_floating(firn_type_id type, const char *text, firn_value *out)
{
    double number;
    if (!firn_parse_f64(text, &number)) {
        const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
        if (firn_strcaseeq(digits, "nan"))
            number = NAN;
        else if (firn_strcaseeq(digits, "inf") || firn_strcaseeq(digits, "infinity"))
            number = *text == '-' ? -INFINITY : INFINITY;
        else
            return false;
    }
    if (type == FIRN_TYPE_FLOAT)
        out->f32 = isfinite(number) ? strtof(text, NULL) : (float)number;
    else
        out->f64 = number;
    return true;
}

static bool parse_bytes(firn_arena *arena, const firn_type *type, const char *text, firn_value *out)
{
    if (type->id == FIRN_TYPE_STRING) {
        out->bytes = firn_bytes_dup(arena, firn_bytes_str(text));
        return true;
    }
    if (type->id == FIRN_TYPE_UUID) {
        uint8_t *uuid = firn_arena_alloc(arena, 16);
        out->bytes = firn_bytes_of(uuid, 16);
        return firn_uuid_parse(text, uuid);
    }
    if (type->id != FIRN_TYPE_BINARY && type->id != FIRN_TYPE_FIXED)
        return false;
    return firn_unhex(arena, text, &out->bytes) &&
           (type->id == FIRN_TYPE_BINARY || out->bytes.len == (size_t)type->length);
}

static bool parse_text(firn_arena *arena, const firn_type *type, const char *text, firn_value *out)
{
    switch (type->id) {
    case FIRN_TYPE_BOOLEAN: return parse_boolean(text, &out->boolean);
    case FIRN_TYPE_INT:
    case FIRN_TYPE_LONG: return parse_integer(type->id, text, out);
    case FIRN_TYPE_FLOAT:
    case FIRN_TYPE_DOUBLE: return parse_floating(type->id, text, out);
    case FIRN_TYPE_DECIMAL:
        out->scale = type->scale;
        return firn_decimal_parse(text, type->scale, &out->decimal);
    case FIRN_TYPE_DATE: return firn_parse_date(text, &out->i32);
    case FIRN_TYPE_TIME: return firn_parse_time(text, &out->i64);
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: return parse_instant(type->id, text, &out->i64, NULL);
    default: return parse_bytes(arena, type, text, out);
    }
}

firn_rc firn_value_from_text(firn_arena *arena, const firn_type *type, const char *text,
                             firn_value *out, firn_err *err)
{
    *out = (firn_value){.type = type->id};
    if (!parse_text(arena, type, text, out))
        FIRN_FAIL(err, FIRN_E_TYPE, "'%.100s' is no value of type %s", text,
                  firn_type_text(arena, type));
    return FIRN_OK;
}

char *firn_value_text(firn_arena *arena, const firn_type *type, const firn_value *value)
{
    (void)type;
    if (value->is_null)
        return firn_arena_strdup(arena, "null");
    switch (value->type) {
    case FIRN_TYPE_BOOLEAN: return firn_arena_strdup(arena, value->boolean ? "true" : "false");
    case FIRN_TYPE_INT: return firn_arena_printf(arena, "%" PRId32, value->i32);
    case FIRN_TYPE_LONG: return firn_arena_printf(arena, "%" PRId64, value->i64);
    case FIRN_TYPE_FLOAT: return firn_double_java(arena, value->f32, true);
    case FIRN_TYPE_DOUBLE: return firn_double_java(arena, value->f64, false);
    case FIRN_TYPE_DECIMAL: return firn_decimal_plain(arena, value->decimal, value->scale);
    case FIRN_TYPE_DATE: return firn_iso_date(arena, value->i32);
    case FIRN_TYPE_TIME: return firn_iso_time(arena, value->i64);
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: {
        char *text = firn_iso_timestamp(arena, value->type, value->i64);
        *strchr(text, 'T') = ' ';
        return text;
    }
    case FIRN_TYPE_STRING:
        return firn_arena_strndup(arena, (const char *)value->bytes.data, value->bytes.len);
    case FIRN_TYPE_UUID: return uuid_text(arena, value->bytes);
    default: return firn_hex(arena, value->bytes);
    }
}

/* ---- literals ---- */

static bool to_decimal(__int128 number, int scale, const firn_type *to, firn_value *out)
{
    out->scale = to->scale;
    for (; scale < to->scale; scale++) {
        if (__builtin_mul_overflow(number, (__int128)10, &number))
            return false;
    }
    for (; scale > to->scale; scale--) {
        if (number % 10 != 0)
            return false;
        number /= 10;
    }
    out->decimal = number;
    return true;
}

/* An integer as any number type that holds it exactly. */
static bool convert_integer(__int128 number, const firn_type *to, firn_value *out)
{
    switch (to->id) {
    case FIRN_TYPE_INT:
        out->i32 = (int32_t)number;
        return number >= INT32_MIN && number <= INT32_MAX;
    case FIRN_TYPE_LONG:
        out->i64 = (int64_t)number;
        return number >= INT64_MIN && number <= INT64_MAX;
    case FIRN_TYPE_FLOAT:
        out->f32 = (float)number;
        return number >= -(1 << 24) && number <= 1 << 24;
    case FIRN_TYPE_DOUBLE:
        out->f64 = (double)number;
        return number >= -(INT64_C(1) << 53) && number <= INT64_C(1) << 53;
    case FIRN_TYPE_DECIMAL: return to_decimal(number, 0, to, out);
    default: return false;
    }
}

static bool convert_floating(double number, const firn_type *to, firn_value *out)
{
    if (to->id == FIRN_TYPE_DOUBLE) {
        out->f64 = number;
        return true;
    }
    if (to->id == FIRN_TYPE_FLOAT) {
        out->f32 = (float)number;
        return (double)out->f32 == number || isnan(number);
    }
    bool integral = isfinite(number) && number == floor(number) && fabs(number) < 9e15;
    return integral && convert_integer((__int128)number, to, out);
}

static bool convert_decimal(__int128 number, int scale, const firn_type *to, firn_value *out)
{
    if (to->id == FIRN_TYPE_DECIMAL)
        return to_decimal(number, scale, to, out);
    if (to->id != FIRN_TYPE_DOUBLE && to->id != FIRN_TYPE_FLOAT) {
        const firn_type whole = {.id = FIRN_TYPE_DECIMAL, .scale = 0};
        firn_value integer;
        return to_decimal(number, scale, &whole, &integer) &&
               convert_integer(integer.decimal, to, out);
    }
    /* n / 10^s is a binary fraction exactly if 5^s divides n. */
    for (int i = 0; i < scale; i++) {
        if (number % 5 != 0)
            return false;
        number /= 5;
    }
    if (number < -(INT64_C(1) << 53) || number > INT64_C(1) << 53)
        return false;
    return convert_floating(ldexp((double)number, -scale), to, out);
}

/* Only between types that agree on having a zone: the other casts depend on a session's time zone. */
static bool convert_instant(const firn_value *value, const firn_type *to, firn_value *out)
{
    if (to->id == FIRN_TYPE_DATE) {
        int64_t per_day =
            firn_type_is_nano(value->type) ? INT64_C(86400000000000) : INT64_C(86400000000);
        out->i32 = (int32_t)firn_floor_div(value->i64, per_day);
        return !wants_zone(value->type) && value->i64 % per_day == 0;
    }
    if (!firn_type_is_timestamp(to->id) || wants_zone(to->id) != wants_zone(value->type))
        return false;
    bool from_nano = firn_type_is_nano(value->type), to_nano = firn_type_is_nano(to->id);
    if (from_nano == to_nano)
        out->i64 = value->i64;
    else if (from_nano)
        out->i64 = value->i64 / 1000;
    else
        return !__builtin_mul_overflow(value->i64, (int64_t)1000, &out->i64);
    return from_nano == to_nano || value->i64 % 1000 == 0;
}

static bool convert_date(int32_t days, const firn_type *to, firn_value *out)
{
    if (to->id == FIRN_TYPE_TIMESTAMP)
        return !__builtin_mul_overflow((int64_t)days, INT64_C(86400000000), &out->i64);
    if (to->id == FIRN_TYPE_TIMESTAMP_NS)
        return !__builtin_mul_overflow((int64_t)days, INT64_C(86400000000000), &out->i64);
    return false;
}

static bool convert_string(firn_arena *arena, firn_bytes bytes, const firn_type *to,
                           firn_value *out)
{
    if (to->id == FIRN_TYPE_BINARY || to->id == FIRN_TYPE_FIXED || memchr(bytes.data, 0, bytes.len))
        return false;
    char *text = firn_arena_strndup(arena, (const char *)bytes.data, bytes.len);
    if (firn_type_is_timestamp(to->id)) {
        bool has_zone = false;
        return parse_instant(to->id, text, &out->i64, &has_zone) && has_zone == wants_zone(to->id);
    }
    return parse_text(arena, to, text, out);
}

static bool convert_bytes(firn_bytes bytes, const firn_type *to, firn_value *out)
{
    out->bytes = bytes;
    return to->id == FIRN_TYPE_BINARY ||
           (to->id == FIRN_TYPE_FIXED && bytes.len == (size_t)to->length);
}

bool firn_value_convert(firn_arena *arena, const firn_value *value, const firn_type *to,
                        firn_value *out)
{
    firn_value source = *value; /* `out` may be `value` */
    *out = (firn_value){.type = to->id, .is_null = source.is_null};
    if (source.is_null)
        return !firn_type_is_nested(to);
    switch (source.type) {
    case FIRN_TYPE_INT: return convert_integer(source.i32, to, out);
    case FIRN_TYPE_LONG: return convert_integer(source.i64, to, out);
    case FIRN_TYPE_FLOAT: return convert_floating((double)source.f32, to, out);
    case FIRN_TYPE_DOUBLE: return convert_floating(source.f64, to, out);
    case FIRN_TYPE_DECIMAL: return convert_decimal(source.decimal, source.scale, to, out);
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: return convert_instant(&source, to, out);
    case FIRN_TYPE_DATE:
        if (to->id != FIRN_TYPE_DATE)
            return convert_date(source.i32, to, out);
        *out = source;
        return true;
    case FIRN_TYPE_STRING:
        if (to->id != FIRN_TYPE_STRING)
            return convert_string(arena, source.bytes, to, out);
        *out = source;
        return true;
    case FIRN_TYPE_FIXED:
    case FIRN_TYPE_BINARY: return convert_bytes(source.bytes, to, out);
    default: *out = source; return source.type == to->id;
    }
}
