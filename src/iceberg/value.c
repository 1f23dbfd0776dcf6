/* Values in memory and in binary: order, Appendix D's single-value bytes, truncated bounds. */
#include "value_private.h"

#include <math.h>

/* ---- decimals ---- */

__int128 firn_pow10(int n)
{
    __int128 power = 1;
    for (int i = 0; i < n; i++)
        power *= 10;
    return power;
}

size_t firn_decimal_bytes(__int128 unscaled, uint8_t out[FIRN_DECIMAL_BYTES_MAX])
{
    unsigned __int128 bits = (unsigned __int128)unscaled;
    for (int i = FIRN_DECIMAL_BYTES_MAX - 1; i >= 0; i--, bits >>= 8)
        out[i] = (uint8_t)bits;
    uint8_t sign = unscaled < 0 ? 0xff : 0x00;
    size_t skip = 0;
    while (skip < FIRN_DECIMAL_BYTES_MAX - 1 && out[skip] == sign &&
           (out[skip + 1] & 0x80) == (sign & 0x80))
        skip++;
    return FIRN_DECIMAL_BYTES_MAX - skip;
}

static int cmp_i128(__int128 a, __int128 b)
{
    return a < b ? -1 : a > b;
}

/* Dividing the finer one cannot overflow; multiplying the coarser one could. */
static int cmp_decimal(__int128 a, int32_t scale_a, __int128 b, int32_t scale_b)
{
    if (scale_a < scale_b)
        return -cmp_decimal(b, scale_b, a, scale_a);
    int shift = scale_a - scale_b;
    if (shift == 0)
        return cmp_i128(a, b);
    if (shift > 38)
        return a == 0 ? cmp_i128(0, b) : (b == 0 ? cmp_i128(a, 0) : (b < 0 ? 1 : -1));
    __int128 power = firn_pow10(shift);
    __int128 whole = a / power, rest = a % power;
    if (rest < 0) {
        whole--;
        rest += power;
    }
    int order = cmp_i128(whole, b);
    return order != 0 ? order : (rest > 0);
}

/* ---- order ---- */

bool firn_value_is_nan(const firn_value *value)
{
    if (value->is_null)
        return false;
    return (value->type == FIRN_TYPE_FLOAT && isnan(value->f32)) ||
           (value->type == FIRN_TYPE_DOUBLE && isnan(value->f64));
}

static bool is_float(firn_type_id type)
{
    return type == FIRN_TYPE_FLOAT || type == FIRN_TYPE_DOUBLE;
}

static double as_double(const firn_value *value)
{
    return value->type == FIRN_TYPE_FLOAT ? (double)value->f32 : value->f64;
}

/* Integers and instants as one number; instants in nanoseconds so that both precisions compare. */
static __int128 as_integer(const firn_value *value)
{
    switch (value->type) {
    case FIRN_TYPE_BOOLEAN: return value->boolean;
    case FIRN_TYPE_INT:
    case FIRN_TYPE_DATE: return value->i32;
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ: return (__int128)value->i64 * 1000;
    default: return value->i64;
    }
}

/* Total order: -0.0 < +0.0, every NaN greatest and equal. */
static int cmp_double(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (isnan(a) != 0) - (isnan(b) != 0);
    if (a == 0 && b == 0)
        return (signbit(b) != 0) - (signbit(a) != 0);
    return a < b ? -1 : a > b;
}

static int cmp_numbers(const firn_value *a, const firn_value *b)
{
    if (is_float(a->type) && is_float(b->type))
        return cmp_double(as_double(a), as_double(b));
    if (is_float(a->type))
        return cmp_double(as_double(a), b->type == FIRN_TYPE_DECIMAL
                                            ? (double)b->decimal / (double)firn_pow10(b->scale)
                                            : (double)as_integer(b));
    if (is_float(b->type))
        return -cmp_numbers(b, a);
    bool decimal_a = a->type == FIRN_TYPE_DECIMAL, decimal_b = b->type == FIRN_TYPE_DECIMAL;
    if (!decimal_a && !decimal_b)
        return cmp_i128(as_integer(a), as_integer(b));
    return cmp_decimal(decimal_a ? a->decimal : as_integer(a), decimal_a ? a->scale : 0,
                       decimal_b ? b->decimal : as_integer(b), decimal_b ? b->scale : 0);
}

int firn_value_cmp(const firn_value *a, const firn_value *b)
{
    if (a->is_null || b->is_null)
        return (int)b->is_null - (int)a->is_null;
    bool bytes_a = firn_type_is_bytes(a->type), bytes_b = firn_type_is_bytes(b->type);
    if (bytes_a && bytes_b)
        return firn_bytes_cmp(a->bytes, b->bytes);
    if (bytes_a != bytes_b) /* no order is defined; any stable one will do */
        return bytes_a ? 1 : -1;
    return cmp_numbers(a, b);
}

/* ---- binary form ---- */

static uint64_t load_le(firn_bytes bytes)
{
    uint64_t bits = 0;
    for (size_t i = bytes.len; i > 0; i--)
        bits = bits << 8 | bytes.data[i - 1];
    return bits;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* A date that became a timestamp. Days outside the timestamp's range (9999-12-31 in nanoseconds, say)
 * stop at its ends, which keeps them valid as bounds. */
static int64_t days_to_instant(int32_t days, bool nano)
{
    int64_t instant;
    int64_t per_day = nano ? INT64_C(86400000000000) : INT64_C(86400000000);
    if (__builtin_mul_overflow((int64_t)days, per_day, &instant))
        return days < 0 ? INT64_MIN : INT64_MAX;
    return instant;
}

static firn_rc wrong_length(const firn_type *type, firn_bytes bytes, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    FIRN_FAIL(err, FIRN_E_CORRUPT, "a binary value of type %s cannot be %zu bytes long",
              firn_type_text(scratch, type), bytes.len);
}

static firn_rc decode_decimal(const firn_type *type, firn_bytes bytes, firn_value *out,
                              firn_err *err)
{
    if (bytes.len == 0)
        return wrong_length(type, bytes, err);
    uint8_t sign = bytes.data[0] & 0x80 ? 0xff : 0x00;
    while (bytes.len > FIRN_DECIMAL_BYTES_MAX && bytes.data[0] == sign) {
        bytes.data++;
        bytes.len--;
    }
    if (bytes.len > FIRN_DECIMAL_BYTES_MAX || (bytes.data[0] & 0x80) != (sign & 0x80))
        return wrong_length(type, bytes, err);
    unsigned __int128 bits = sign ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < bytes.len; i++)
        bits = bits << 8 | bytes.data[i];
    out->decimal = (__int128)bits;
    out->scale = type->scale;
    return FIRN_OK;
}

static firn_rc decode_wide(const firn_type *type, firn_bytes bytes, firn_value *out, firn_err *err)
{
    bool narrow =
        bytes.len == 4 && (type->id == FIRN_TYPE_LONG || type->id == FIRN_TYPE_DOUBLE ||
                           type->id == FIRN_TYPE_TIMESTAMP || type->id == FIRN_TYPE_TIMESTAMP_NS);
    if (bytes.len != 8 && !narrow)
        return wrong_length(type, bytes, err);
    uint64_t bits = load_le(bytes);
    if (type->id == FIRN_TYPE_DOUBLE)
        out->f64 = narrow ? (double)float_of_bits((uint32_t)bits) : double_of_bits(bits);
    else if (!narrow)
        out->i64 = (int64_t)bits;
    else if (type->id == FIRN_TYPE_LONG)
        out->i64 = (int32_t)bits;
    else
        out->i64 = days_to_instant((int32_t)bits, firn_type_is_nano(type->id));
    return FIRN_OK;
}

firn_rc firn_value_decode(const firn_type *type, firn_bytes bytes, firn_value *out, firn_err *err)
{
    *out = (firn_value){.type = type->id};
    switch (type->id) {
    case FIRN_TYPE_UNKNOWN: out->is_null = true; return FIRN_OK;
    case FIRN_TYPE_BOOLEAN:
        if (bytes.len != 1)
            return wrong_length(type, bytes, err);
        out->boolean = bytes.data[0] != 0;
        return FIRN_OK;
    case FIRN_TYPE_INT:
    case FIRN_TYPE_DATE:
        if (bytes.len != 4)
            return wrong_length(type, bytes, err);
        out->i32 = (int32_t)load_le(bytes);
        return FIRN_OK;
    case FIRN_TYPE_FLOAT:
        if (bytes.len != 4)
            return wrong_length(type, bytes, err);
        out->f32 = float_of_bits((uint32_t)load_le(bytes));
        return FIRN_OK;
    case FIRN_TYPE_LONG:
    case FIRN_TYPE_TIME:
    case FIRN_TYPE_DOUBLE:
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: return decode_wide(type, bytes, out, err);
    case FIRN_TYPE_DECIMAL: return decode_decimal(type, bytes, out, err);
    case FIRN_TYPE_UUID:
    case FIRN_TYPE_FIXED:
        if (bytes.len != (type->id == FIRN_TYPE_UUID ? 16u : (size_t)type->length))
            return wrong_length(type, bytes, err);
        out->bytes = bytes;
        return FIRN_OK;
    case FIRN_TYPE_STRING:
    case FIRN_TYPE_BINARY:
    case FIRN_TYPE_VARIANT:
    case FIRN_TYPE_GEOMETRY:
    case FIRN_TYPE_GEOGRAPHY: out->bytes = bytes; return FIRN_OK;
    default: FIRN_FAIL(err, FIRN_E_INVALID, "nested types have no single-value form");
    }
}

static firn_bytes store_le(firn_arena *arena, uint64_t bits, size_t len)
{
    uint8_t *data = firn_arena_alloc(arena, len);
    for (size_t i = 0; i < len; i++, bits >>= 8)
        data[i] = (uint8_t)bits;
    return firn_bytes_of(data, len);
}

firn_bytes firn_value_encode(firn_arena *arena, const firn_value *value)
{
    if (value->is_null)
        return (firn_bytes){0};
    switch (value->type) {
    case FIRN_TYPE_BOOLEAN: return store_le(arena, value->boolean, 1);
    case FIRN_TYPE_INT:
    case FIRN_TYPE_DATE: return store_le(arena, (uint32_t)value->i32, 4);
    case FIRN_TYPE_FLOAT: {
        uint32_t bits;
        memcpy(&bits, &value->f32, sizeof(bits));
        return store_le(arena, bits, 4);
    }
    case FIRN_TYPE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &value->f64, sizeof(bits));
        return store_le(arena, bits, 8);
    }
    case FIRN_TYPE_DECIMAL: {
        uint8_t bytes[FIRN_DECIMAL_BYTES_MAX];
        size_t len = firn_decimal_bytes(value->decimal, bytes);
        return firn_bytes_dup(arena, firn_bytes_of(bytes + sizeof(bytes) - len, len));
    }
    default:
        if (firn_type_is_bytes(value->type))
            return firn_bytes_dup(arena, value->bytes);
        return store_le(arena, (uint64_t)value->i64, 8);
    }
}

/* ---- truncated bounds ---- */

/* Bytes of the first `width` code points; all of it if there are no more. */
static size_t prefix_bytes(firn_bytes text, size_t width, bool code_points)
{
    if (!code_points)
        return text.len < width ? text.len : width;
    size_t at = 0;
    for (size_t n = 0; at < text.len && n < width; n++) {
        at++;
        while (at < text.len && (text.data[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

firn_value firn_value_truncate_lower(firn_arena *arena, const firn_value *value, size_t width)
{
    firn_value lower = *value;
    if (!value->is_null && (value->type == FIRN_TYPE_STRING || value->type == FIRN_TYPE_BINARY)) {
        size_t len = prefix_bytes(value->bytes, width, value->type == FIRN_TYPE_STRING);
        lower.bytes = firn_bytes_dup(arena, firn_bytes_of(value->bytes.data, len));
    }
    return lower;
}

static uint32_t decode_code_point(const uint8_t *at, size_t len)
{
    static const uint8_t lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = at[0] & lead_mask[len];
    for (size_t i = 1; i < len; i++)
        point = point << 6 | (at[i] & 0x3f);
    return point;
}

static size_t encode_code_point(uint32_t point, uint8_t *out)
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        out[i] = 0x80 | (point & 0x3f);
    out[0] = (uint8_t)(0xf0 << (4 - len)) | (uint8_t)point;
    return len;
}

/* Cut back from the end until a code point can be incremented. `data` has room for one more byte. */
static bool increment_string(uint8_t *data, size_t *len)
{
    size_t end = *len;
    while (end > 0) {
        size_t start = end - 1;
        while (start > 0 && (data[start] & 0xc0) == 0x80)
            start--;
        if (end - start > 4)
            return false;
        uint32_t point = decode_code_point(data + start, end - start);
        point = point == 0xd7ff ? 0xe000 : point + 1;
        if (point <= 0x10ffff) {
            *len = start + encode_code_point(point, data + start);
            return true;
        }
        end = start;
    }
    return false;
}

static bool increment_binary(uint8_t *data, size_t *len)
{
    for (size_t end = *len; end > 0; end--) {
        if (data[end - 1] != 0xff) {
            data[end - 1]++;
            *len = end;
            return true;
        }
    }
    return false;
}

bool firn_value_truncate_upper(firn_arena *arena, const firn_value *value, size_t width,
                               firn_value *out)
{
    *out = *value;
    bool is_string = value->type == FIRN_TYPE_STRING;
    if (value->is_null || (!is_string && value->type != FIRN_TYPE_BINARY))
        return true;
    if (is_string && !firn_utf8_valid(value->bytes))
        return false; /* nothing sound can be said of it */
    size_t len = prefix_bytes(value->bytes, width, is_string);
    uint8_t *data = firn_arena_alloc(arena, len + 1);
    if (len > 0)
        memcpy(data, value->bytes.data, len);
    if (len < value->bytes.len &&
        !(is_string ? increment_string(data, &len) : increment_binary(data, &len)))
        return false;
    out->bytes = firn_bytes_of(data, len);
    return true;
}
