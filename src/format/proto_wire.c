/* The cold half of proto_wire.h. */
#include "proto_wire.h"

const uint8_t *firn_wire_long_varint(const uint8_t *pos, const uint8_t *end, uint64_t *out)
{
    enum { VARINT_BYTES_MAX = 10 };
    uint64_t value = 0;
    for (int i = 0; i < VARINT_BYTES_MAX && pos < end; i++) {
        uint8_t byte = *pos++;
        value |= (uint64_t)(byte & 0x7F) << (7 * i); /* of the tenth byte one bit counts */
        if (byte < 0x80) {
            *out = value;
            return pos;
        }
    }
    return NULL;
}

/* Groups nest; each end must name the number of its start. */
static const uint8_t *skip_group(const uint8_t *pos, const uint8_t *end, uint32_t start)
{
    uint32_t open[FIRN_WIRE_DEPTH_MAX];
    int depth = 0;
    open[depth++] = start >> 3;
    while (depth > 0) {
        uint32_t tag;
        uint64_t value;
        pos = firn_wire_tag(pos, end, &tag);
        if (!pos)
            return NULL;
        switch (tag & 7) {
        case FIRN_WIRE_GROUP:
            if (depth == FIRN_WIRE_DEPTH_MAX)
                return NULL;
            open[depth++] = tag >> 3;
            break;
        case FIRN_WIRE_END_GROUP:
            if (open[--depth] != tag >> 3)
                return NULL;
            break;
        default:
            pos = firn_wire_value(pos, end, tag, &value);
            if (!pos)
                return NULL;
            break;
        }
    }
    return pos;
}

const uint8_t *firn_wire_skip(const uint8_t *pos, const uint8_t *end, uint32_t tag)
{
    uint64_t value;
    if ((tag & 7) == FIRN_WIRE_GROUP)
        return skip_group(pos, end, tag);
    return firn_wire_value(pos, end, tag, &value);
}
