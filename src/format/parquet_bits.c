/* Parquet's hybrid of runs and packed bits (format/Encodings.md, RLE): a varint whose lowest bit says which, then one value, or groups of eight. */
#include "parquet_parts.h"

enum { GROUP = 8, RUN_GROUPS_MIN = 4 }; /* of equal numbers before a run of its own is worth it */

/* Eight bytes of 0 and 1 as the bits of one. */
static uint8_t bits_of(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return (uint8_t)(word * UINT64_C(0x0102040810204080) >> 56);
}

void firn_put_bools(firn_buf *out, const uint8_t *values, int64_t n)
{
    uint8_t *to = firn_buf_reserve(out, ((size_t)n + 7) / 8);
    if (to == NULL) {
        return;
    }
    int64_t i = 0;
    for (; i + GROUP <= n; i += GROUP) {
        *to++ = bits_of(values + i);
    }
    if (i < n) {
        uint8_t last[GROUP] = {0};
        memcpy(last, values + i, (size_t)(n - i));
        *to = bits_of(last);
    }
    out->len += ((size_t)n + 7) / 8;
}

void firn_put_levels(firn_buf *out, const uint8_t *present, int64_t rows)
{
    uint32_t len = 0;
    size_t at = out->len;
    firn_buf_append(out, &len, sizeof(len));
    if (present == NULL) {
        firn_put_varint(out, (uint64_t)rows << 1);
        firn_buf_putc(out, 1);
    } else {
        firn_put_varint(out, (uint64_t)(rows + 7) / 8 << 1 | 1);
        firn_put_bools(out, present, rows);
    }
    if (!out->overflow) {
        len = (uint32_t)(out->len - at - sizeof(len));
        memcpy(out->data + at, &len, sizeof(len));
    }
}

/* Eight codes; `to` has room for eight bytes more than they take. */
static inline void pack_group(uint8_t *to, const uint32_t *codes, unsigned bits)
{
    if (bits <= 8) {
        uint64_t word = 0;
        for (unsigned i = 0; i < GROUP; i++) {
            word |= (uint64_t)codes[i] << i * bits;
        }
        memcpy(to, &word, sizeof(word));
    } else if (bits <= 16) {
        uint64_t low = 0, high = 0;
        for (unsigned i = 0; i < GROUP / 2; i++) {
            low |= (uint64_t)codes[i] << i * bits;
            high |= (uint64_t)codes[i + GROUP / 2] << i * bits;
        }
        unsigned __int128 both = low | (unsigned __int128)high << 4 * bits;
        memcpy(to, &both, sizeof(both));
    } else {
        uint64_t word = 0;
        unsigned used = 0;
        for (unsigned i = 0; i < GROUP; i++) {
            word |= (uint64_t)codes[i] << used;
            for (used += bits; used >= 8; used -= 8) {
                *to++ = (uint8_t)word;
                word >>= 8;
            }
        }
    }
}

static void put_packed(firn_buf *out, const uint32_t *codes, int64_t n, unsigned bits)
{
    size_t groups = ((size_t)n + GROUP - 1) / GROUP;
    firn_put_varint(out, (uint64_t)groups << 1 | 1);
    uint8_t *to = firn_buf_reserve(out, groups * bits + 2 * sizeof(uint64_t));
    if (to == NULL) {
        return;
    }
    int64_t i = 0;
    for (; i + GROUP <= n; i += GROUP, to += bits) {
        pack_group(to, codes + i, bits);
    }
    if (i < n) {
        uint32_t last[GROUP] = {0};
        memcpy(last, codes + i, (size_t)(n - i) * sizeof(*codes));
        pack_group(to, last, bits);
    }
    out->len += groups * bits;
}

static void put_run(firn_buf *out, uint32_t code, int64_t n, unsigned bits)
{
    firn_put_varint(out, (uint64_t)n << 1);
    firn_buf_append(out, &code, (bits + 7) / 8);
}

/* How many codes from here on are equal, in whole groups but for the end. */
static int64_t equal_codes(const uint32_t *codes, int64_t n)
{
    int64_t same = 1;
    while (same < n && codes[same] == codes[0]) {
        same++;
    }
    return same < n ? same - same % GROUP : same;
}

void firn_put_runs(firn_buf *out, const uint32_t *codes, int64_t n, unsigned bits)
{
    int64_t packed = 0; /* from here on nothing is written yet */
    for (int64_t i = 0; i < n;) {
        bool maybe = codes[i] == codes[n - i > GROUP ? i + GROUP : n - 1];
        int64_t same = maybe ? equal_codes(codes + i, n - i) : 0;
        if (same < GROUP * RUN_GROUPS_MIN && same < n) {
            i += GROUP;
            continue;
        }
        if (i > packed) {
            put_packed(out, codes + packed, i - packed, bits);
        }
        put_run(out, codes[i], same, bits);
        i += same;
        packed = i;
    }
    if (packed < n) {
        put_packed(out, codes + packed, n - packed, bits);
    }
}
