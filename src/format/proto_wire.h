/* Protobuf's wire format: a sequence of (tag, value), the tag a varint of field number << 3 | wire type.
 *
 *   0 VARINT   7 bits a byte, least significant first, high bit: more; at most 10 bytes
 *   1 I64      8 bytes, little-endian                 5 I32   4 bytes, little-endian
 *   2 LEN      a varint, then so many bytes           3, 4    start and end of a group, of the same number
 *
 * Readers take a position and an end, and give the next position, or NULL when the bytes are malformed or cut off.
 */
#ifndef FIRN_FORMAT_PROTO_WIRE_H
#define FIRN_FORMAT_PROTO_WIRE_H

#include "base/str.h"

enum {
    FIRN_WIRE_VARINT = 0,
    FIRN_WIRE_I64 = 1,
    FIRN_WIRE_LEN = 2,
    FIRN_WIRE_GROUP = 3,
    FIRN_WIRE_END_GROUP = 4,
    FIRN_WIRE_I32 = 5,
    FIRN_WIRE_DEPTH_MAX =
        100, /* of groups and of messages that have no columns; what Protobuf's own parsers allow */
};

const uint8_t *firn_wire_long_varint(const uint8_t *pos, const uint8_t *end, uint64_t *out);
/* Past the value of an unknown field whose tag has been read. */
const uint8_t *firn_wire_skip(const uint8_t *pos, const uint8_t *end, uint32_t tag);

static inline const uint8_t *firn_wire_varint(const uint8_t *pos, const uint8_t *end, uint64_t *out)
{
    if (__builtin_expect(pos < end && *pos < 0x80, 1)) {
        *out = *pos;
        return pos + 1;
    }
    return firn_wire_long_varint(pos, end, out);
}

static inline const uint8_t *firn_wire_tag(const uint8_t *pos, const uint8_t *end, uint32_t *tag)
{
    uint64_t number;
    pos = firn_wire_varint(pos, end, &number);
    if (__builtin_expect(!pos || number > UINT32_MAX || number < 8, 0))
        return NULL;
    *tag = (uint32_t)number;
    return pos;
}

/* The value of a field that is no group. LEN: *out is the length, and the bytes end where the value ends. */
static inline const uint8_t *firn_wire_value(const uint8_t *pos, const uint8_t *end, uint32_t tag,
                                             uint64_t *out)
{
    uint32_t small;
    switch (tag & 7) {
    case FIRN_WIRE_VARINT: return firn_wire_varint(pos, end, out);
    case FIRN_WIRE_LEN:
        pos = firn_wire_varint(pos, end, out);
        return pos && *out <= (uint64_t)(end - pos) ? pos + *out : NULL;
    case FIRN_WIRE_I64:
        if (end - pos < 8)
            return NULL;
        memcpy(out, pos, 8);
        return pos + 8;
    case FIRN_WIRE_I32:
        if (end - pos < 4)
            return NULL;
        memcpy(&small, pos, 4);
        *out = small;
        return pos + 4;
    default: return NULL;
    }
}

static inline int32_t firn_wire_zigzag32(uint64_t value)
{
    uint32_t bits = (uint32_t)value;
    return (int32_t)((bits >> 1) ^ (0 - (bits & 1)));
}

static inline int64_t firn_wire_zigzag64(uint64_t value)
{
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

#endif
