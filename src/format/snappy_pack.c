/* Raw snappy blocks (https://github.com/google/snappy/blob/main/format_description.txt): a varint of the plain length, then literals and copies.
 *
 * Written for columns of numbers and short texts. Candidates are found by five bytes, not four: in texts of hex digits short matches are everywhere, cost a
 * mispredicted branch each and save nothing. Matches reach back 64 KB, across what would be block borders elsewhere, and are drawn backwards over what the
 * steps jumped over.
 */
#include "compress.h"

#include <string.h>

enum {
    TABLE_BITS_MAX = 13,
    TABLE_BITS_MIN = 8,
    OFFSET_MAX = 65535,
    NEAR_OFFSET_MAX = 2047, /* of a copy in two bytes */
    NEAR_LEN_MAX = 11,
    NEAR_LEN_MIN = 4,
    COPY_LEN_MAX = 64,
    MARGIN = 16,  /* at the end nothing is looked for, so that words can be loaded */
    PATIENCE = 4, /* after 2^PATIENCE bytes without a match steps grow */
    LITERAL = 0,
    COPY_NEAR = 1,
    COPY_FAR = 2,
};

static uint64_t load8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint32_t hash5(uint64_t word, unsigned shift)
{
    return (uint32_t)((word << 24) * UINT64_C(0x9E3779B185EBCA87) >> shift);
}

static uint8_t *put_literal(uint8_t *to, const uint8_t *from, size_t len)
{
    size_t rest = len - 1;
    if (rest < 60) {
        *to++ = (uint8_t)(rest << 2 | LITERAL);
    } else {
        unsigned bytes = 0;
        uint8_t *tag = to++;
        for (; rest > 0; rest >>= 8, bytes++) {
            *to++ = (uint8_t)rest;
        }
        *tag = (uint8_t)((59 + bytes) << 2 | LITERAL);
    }
    memcpy(to, from, len);
    return to + len;
}

static uint8_t *put_copy(uint8_t *to, size_t offset, size_t len)
{
    while (len > COPY_LEN_MAX) { /* what is left is long enough for a near copy */
        size_t part = len >= COPY_LEN_MAX + NEAR_LEN_MIN ? COPY_LEN_MAX : len - NEAR_LEN_MIN;
        *to++ = (uint8_t)((part - 1) << 2 | COPY_FAR);
        *to++ = (uint8_t)offset;
        *to++ = (uint8_t)(offset >> 8);
        len -= part;
    }
    if (len >= NEAR_LEN_MIN && len <= NEAR_LEN_MAX && offset <= NEAR_OFFSET_MAX) {
        *to++ = (uint8_t)(offset >> 8 << 5 | (len - NEAR_LEN_MIN) << 2 | COPY_NEAR);
        *to++ = (uint8_t)offset;
        return to;
    }
    *to++ = (uint8_t)((len - 1) << 2 | COPY_FAR);
    *to++ = (uint8_t)offset;
    *to++ = (uint8_t)(offset >> 8);
    return to;
}

static size_t match_len(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *start = b;
    while (end - b >= 8) {
        uint64_t differ = load8(a) ^ load8(b);
        if (differ != 0) {
            return (size_t)(b - start) + ((size_t)__builtin_ctzll(differ) >> 3);
        }
        a += 8;
        b += 8;
    }
    while (b < end && *a == *b) {
        a++;
        b++;
    }
    return (size_t)(b - start);
}

typedef struct packer {
    const uint8_t *base, *end;
    uint32_t *table;
    unsigned shift;
} packer;

static uint8_t *pack(const packer *p, uint8_t *to)
{
    const uint8_t *base = p->base, *at = base, *anchor = base;
    const uint8_t *last = p->end - MARGIN;
    size_t tried = 1 << PATIENCE;
    while (at <= last) {
        uint64_t word = load8(at);
        uint32_t *slot = &p->table[hash5(word, p->shift)];
        const uint8_t *from = base + *slot;
        *slot = (uint32_t)(at - base);
        if (((load8(from) ^ word) << 24) != 0 || (size_t)(at - from) - 1 >= OFFSET_MAX) {
            at += tried++ >> PATIENCE;
            continue;
        }
        size_t len = 5 + match_len(from + 5, at + 5, p->end);
        while (at > anchor && from > base && at[-1] == from[-1]) {
            at--;
            from--;
            len++;
        }
        if (at > anchor) {
            to = put_literal(to, anchor, (size_t)(at - anchor));
        }
        to = put_copy(to, (size_t)(at - from), len);
        at += len;
        anchor = at;
        tried = 1 << PATIENCE;
        if (at <= last) { /* one more place to be found later */
            p->table[hash5(load8(at - 2), p->shift)] = (uint32_t)(at - 2 - base);
        }
    }
    return anchor < p->end ? put_literal(to, anchor, (size_t)(p->end - anchor)) : to;
}

firn_rc firn_snappy_pack(firn_bytes plain, firn_buf *out, firn_err *err)
{
    uint32_t table[1 << TABLE_BITS_MAX];
    unsigned bits = TABLE_BITS_MIN;
    uint8_t *start = firn_buf_reserve(out, 32 + plain.len + plain.len / 6);
    if (start == NULL || plain.len > UINT32_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "snappy output does not fit a buffer of at most %zu bytes",
                  out->max ? out->max : FIRN_BUF_MAX_DEFAULT);
    }
    uint8_t *to = start;
    size_t rest = plain.len;
    for (; rest >= 0x80; rest >>= 7) {
        *to++ = (uint8_t)(rest | 0x80);
    }
    *to++ = (uint8_t)rest;
    if (plain.len > MARGIN) {
        while (bits < TABLE_BITS_MAX && (size_t)1 << bits < plain.len) {
            bits++;
        }
        memset(table, 0, sizeof(*table) << bits);
        const packer p = {
            .base = plain.data, .end = plain.data + plain.len, .table = table, .shift = 64 - bits};
        to = pack(&p, to);
    } else if (plain.len > 0) {
        to = put_literal(to, plain.data, plain.len);
    }
    out->len += (size_t)(to - start);
    return FIRN_OK;
}
