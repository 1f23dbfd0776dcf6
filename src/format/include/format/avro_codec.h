/* Avro's binary encoding (specification 1.12, "Binary Encoding"), value by value.
 *
 *   int, long      zigzag, then 7 bits a byte, least significant first, high bit set on all but the last
 *   float, double  4 or 8 bytes, little-endian IEEE 754          boolean  one byte, 0 or 1
 *   bytes, string  long length, then the bytes                   fixed    the bytes
 *   record         its fields in order                           enum     int, position of the symbol
 *   union          long, position of the branch, then the value  null     nothing
 *   array, map     blocks: long count n > 0 then n items; or n < 0, long byte size, then |n| items; ended by 0.
 *                  A map's items are a string key and the value
 *
 * Writers append to a firn_buf (check `overflow` once at the end). Readers advance a cursor and give false, cursor
 * in an unspecified place, when the bytes end early or are malformed; the caller knows what to blame.
 */
#ifndef FORMAT_AVRO_CODEC_H
#define FORMAT_AVRO_CODEC_H

#include "base/buf.h"
#include "format/avro_schema.h"

#include <endian.h>

enum { FIRN_AVRO_VARINT_BYTES_MAX = 10 };

/* Write a varint at `out` (room for FIRN_AVRO_VARINT_BYTES_MAX) and give its length. */
static inline size_t firn_avro_encode_long(uint8_t *out, int64_t value)
{
    uint64_t bits = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t len = 0;
    while (bits > 0x7F) {
        out[len++] = (uint8_t)(bits | 0x80);
        bits >>= 7;
    }
    out[len++] = (uint8_t)bits;
    return len;
}

/* int, long, enum position, union branch, block count. */
static inline void firn_avro_put_long(firn_buf *buf, int64_t value)
{
    uint8_t bytes[FIRN_AVRO_VARINT_BYTES_MAX];
    firn_buf_append(buf, bytes, firn_avro_encode_long(bytes, value));
}

static inline void firn_avro_put_boolean(firn_buf *buf, bool value)
{
    firn_buf_putc(buf, value ? 1 : 0);
}

static inline void firn_avro_put_float(firn_buf *buf, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = htole32(bits);
    firn_buf_append(buf, &bits, sizeof bits);
}

static inline void firn_avro_put_double(firn_buf *buf, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = htole64(bits);
    firn_buf_append(buf, &bits, sizeof bits);
}

/* bytes and string */
static inline void firn_avro_put_bytes(firn_buf *buf, firn_bytes value)
{
    firn_avro_put_long(buf, (int64_t)value.len);
    if (value.len > 0)
        firn_buf_append(buf, value.data, value.len);
}

static inline void firn_avro_put_string(firn_buf *buf, const char *text)
{
    firn_avro_put_bytes(buf, firn_bytes_str(text));
}

typedef struct firn_avro_cursor {
    const uint8_t *pos;
    const uint8_t *end;
} firn_avro_cursor;

static inline firn_avro_cursor firn_avro_cursor_of(firn_bytes bytes)
{
    const uint8_t *start =
        bytes.data ? bytes.data : (const uint8_t *)""; /* no arithmetic on NULL */
    return (firn_avro_cursor){.pos = start, .end = start + bytes.len};
}

static inline size_t firn_avro_remaining(const firn_avro_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->pos);
}

/* The general case of firn_avro_get_long. */
bool firn_avro_get_long_slow(firn_avro_cursor *cursor, int64_t *out) FIRN_MUST_USE;

/* One and two byte varints are most of what files hold: those are decoded in line. */
static inline FIRN_MUST_USE bool firn_avro_get_long(firn_avro_cursor *cursor, int64_t *out)
{
    if (__builtin_expect(cursor->end - cursor->pos >= 2, 1)) {
        uint64_t bits = cursor->pos[0];
        if (bits < 0x80) {
            cursor->pos += 1;
            *out = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
        uint64_t high = cursor->pos[1];
        if (high < 0x80) {
            cursor->pos += 2;
            bits = (bits & 0x7F) | high << 7;
            *out = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
    }
    return firn_avro_get_long_slow(cursor, out);
}

/* False also when the value does not fit 32 bits. */
static inline FIRN_MUST_USE bool firn_avro_get_int(firn_avro_cursor *cursor, int32_t *out)
{
    int64_t value;
    if (!firn_avro_get_long(cursor, &value) || value != (int32_t)value)
        return false;
    *out = (int32_t)value;
    return true;
}

static inline FIRN_MUST_USE bool firn_avro_get_boolean(firn_avro_cursor *cursor, bool *out)
{
    if (cursor->pos == cursor->end || *cursor->pos > 1)
        return false;
    *out = *cursor->pos++ != 0;
    return true;
}

static inline FIRN_MUST_USE bool firn_avro_get_float(firn_avro_cursor *cursor, float *out)
{
    uint32_t bits;
    if (firn_avro_remaining(cursor) < sizeof bits)
        return false;
    memcpy(&bits, cursor->pos, sizeof bits);
    bits = le32toh(bits);
    memcpy(out, &bits, sizeof bits);
    cursor->pos += sizeof bits;
    return true;
}

static inline FIRN_MUST_USE bool firn_avro_get_double(firn_avro_cursor *cursor, double *out)
{
    uint64_t bits;
    if (firn_avro_remaining(cursor) < sizeof bits)
        return false;
    memcpy(&bits, cursor->pos, sizeof bits);
    bits = le64toh(bits);
    memcpy(out, &bits, sizeof bits);
    cursor->pos += sizeof bits;
    return true;
}

/* `len` bytes as they are (fixed); borrowed from the input. */
static inline FIRN_MUST_USE bool firn_avro_get_fixed(firn_avro_cursor *cursor, size_t len,
                                                     firn_bytes *out)
{
    if (firn_avro_remaining(cursor) < len)
        return false;
    *out = firn_bytes_of(cursor->pos, len);
    cursor->pos += len;
    return true;
}

/* bytes and string; borrowed from the input. */
static inline FIRN_MUST_USE bool firn_avro_get_bytes(firn_avro_cursor *cursor, firn_bytes *out)
{
    int64_t len;
    if (!firn_avro_get_long(cursor, &len) || len < 0)
        return false;
    if ((uint64_t)len > firn_avro_remaining(cursor))
        return false;
    return firn_avro_get_fixed(cursor, (size_t)len, out);
}

/* Head of the next block of an array or map: `count` items follow (0: the end). `byte_size` (nullable) is their
 * length where the writer gave it, else -1; it has been checked against what remains. */
bool firn_avro_get_block(firn_avro_cursor *cursor, int64_t *count,
                         int64_t *byte_size) FIRN_MUST_USE;

/* Pass over one datum. False when malformed or nested deeper than FIRN_AVRO_DEPTH_MAX. */
bool firn_avro_skip(firn_avro_cursor *cursor, const firn_avro_schema *schema) FIRN_MUST_USE;

/* Append the datum that `json` stands for, read as the specification reads field defaults: bytes and fixed
 * are strings of code points 0 to 255, and a union takes its first branch that the JSON fits (the specification
 * says the first branch; writers disagree). INVALID if `json` does not fit `schema`. */
firn_rc firn_avro_put_json(firn_buf *buf, const firn_avro_schema *schema, const json_t *json,
                           firn_err *err) FIRN_MUST_USE;

#endif
