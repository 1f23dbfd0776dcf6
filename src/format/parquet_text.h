/* Short texts as words: whole loads that stay within the text, so that hashing, comparing and copying need no loop over bytes. */
#ifndef FIRN_FORMAT_PARQUET_TEXT_H
#define FIRN_FORMAT_PARQUET_TEXT_H

#include "base/str.h"

static inline uint64_t firn_load8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint64_t firn_load4(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* The first eight bytes, zeros behind a shorter text. */
static inline uint64_t firn_text_head(firn_bytes text)
{
    const uint8_t *at = text.data;
    size_t len = text.len;
    if (len >= 8) {
        return firn_load8(at);
    }
    if (len >= 4) { /* two loads that overlap */
        return firn_load4(at) | firn_load4(at + len - 4) << 8 * (len - 4);
    }
    if (len == 0) {
        return 0;
    }
    return (uint64_t)at[0] | (uint64_t)at[len / 2] << 8 * (len / 2) |
           (uint64_t)at[len - 1] << 8 * (len - 1);
}

/* In the order of texts: less means less, equal says nothing yet. */
static inline uint64_t firn_text_rank(firn_bytes text)
{
    return __builtin_bswap64(firn_text_head(text));
}

static inline void firn_text_copy(uint8_t *to, firn_bytes text)
{
    const uint8_t *from = text.data;
    size_t len = text.len;
    if (len > 32) {
        memcpy(to, from, len);
    } else if (len >= 16) {
        memcpy(to, from, 16);
        memcpy(to + len - 16, from + len - 16, 16);
    } else if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    } else if (len > 0) {
        to[0] = from[0];
        to[len / 2] = from[len / 2];
        to[len - 1] = from[len - 1];
    }
}

#endif
