/* Whole numbers by what each is more than the one before (format/Encodings.md, DELTA_BINARY_PACKED). Differences wrap around at the type's width. A block of 128 has its
 * least difference once, then four times 32 of what is more than that, each in as many bits as the largest of its 32 needs.
 */
#include "parquet_parts.h"

enum { MINI = 32, MINIS = 4, BLOCK = MINI * MINIS, BLOCK_BYTES_MAX = 10 + MINIS + BLOCK * 8 };

/* 32 numbers; gives where they end. */
static uint8_t *pack(uint8_t *to, const uint64_t *numbers, unsigned bits)
{
    uint64_t word = 0;
    unsigned used = 0;
    for (unsigned i = 0; i < MINI; i++) {
        word |= numbers[i] << used;
        used += bits;
        if (used >= 64) {
            memcpy(to, &word, sizeof(word));
            to += sizeof(word);
            used -= 64;
            word = used > 0 ? numbers[i] >> (bits - used) : 0;
        }
    }
    memcpy(to, &word, used / 8); /* nothing, or four bytes */
    return to + used / 8;
}

/* `more`: n numbers, from 1 to 128, zeros behind them. There is room in `out`. */
static void put_block(firn_buf *out, int64_t least, const uint64_t *more, unsigned n)
{
    firn_put_zigzag(out, least);
    uint8_t *widths = out->data + out->len, *to = widths + MINIS;
    memset(widths, 0, MINIS);
    for (unsigned from = 0; from < n; from += MINI) {
        uint64_t all = 0;
        for (unsigned i = 0; i < MINI; i++) {
            all |= more[from + i];
        }
        unsigned bits = all > 0 ? 64 - (unsigned)__builtin_clzll(all) : 0;
        widths[from / MINI] = (uint8_t)bits;
        to = pack(to, more + from, bits);
    }
    out->len = (size_t)(to - out->data);
}

#define PUT_DELTAS(NAME, TYPE, UNSIGNED)                                                        \
    static void NAME(firn_buf *out, const TYPE *values, int64_t n)                              \
    {                                                                                           \
        firn_put_zigzag(out, n > 0 ? values[0] : 0);                                            \
        for (int64_t from = 1; from < n; from += BLOCK) {                                       \
            unsigned count = (unsigned)(n - from < BLOCK ? n - from : BLOCK);                   \
            TYPE steps[BLOCK], least = 0;                                                       \
            uint64_t more[BLOCK] = {0};                                                         \
            for (unsigned i = 0; i < count; i++) {                                              \
                steps[i] = (TYPE)((UNSIGNED)values[from + i] - (UNSIGNED)values[from + i - 1]); \
                least = i == 0 || steps[i] < least ? steps[i] : least;                          \
            }                                                                                   \
            for (unsigned i = 0; i < count; i++) {                                              \
                more[i] = (UNSIGNED)((UNSIGNED)steps[i] - (UNSIGNED)least);                     \
            }                                                                                   \
            put_block(out, least, more, count);                                                 \
        }                                                                                       \
    }

PUT_DELTAS(put_ints, int32_t, uint32_t)
PUT_DELTAS(put_longs, int64_t, uint64_t)

void firn_put_deltas(firn_buf *out, const void *values, int64_t n, size_t width)
{
    size_t blocks = ((size_t)n + BLOCK - 1) / BLOCK;
    if (firn_buf_reserve(out, 32 + blocks * BLOCK_BYTES_MAX) == NULL) {
        return;
    }
    firn_put_varint(out, BLOCK);
    firn_put_varint(out, MINIS);
    firn_put_varint(out, (uint64_t)n);
    if (width == sizeof(int32_t)) {
        put_ints(out, values, n);
    } else {
        put_longs(out, values, n);
    }
}
