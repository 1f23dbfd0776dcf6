/* Short texts as words, so that hashing, comparing and copying need no loop over bytes and no branch for each length.
 *
 * Texts of a column lie one behind the other: all but the last few have readable bytes behind them, up to `end`, which are loaded with the text's own and
 * masked. */
#ifndef FIRN_FORMAT_PARQUET_TEXT_H
#define FIRN_FORMAT_PARQUET_TEXT_H

#include "base/str.h"

#include <stddef.h>

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

enum { FIRN_TEXT_WORDS = 16 }; /* bytes that are loaded at once */

static inline bool firn_text_has_room(firn_bytes text, const uint8_t *end, ptrdiff_t bytes)
{
    return end - text.data >= bytes;
}

/* One of texts that lie one behind the other. */
static inline firn_bytes firn_text_at(const uint8_t *texts, const int32_t *offsets, int64_t at)
{
    return firn_bytes_of(texts + offsets[at], (size_t)(offsets[at + 1] - offsets[at]));
}

/* The first 16 bytes, zeros behind a shorter text, of one where as many can be read. */
static inline void firn_text_words_inside(firn_bytes text, uint64_t out[2])
{
    static const uint8_t MASK[2 * FIRN_TEXT_WORDS] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                      255, 255, 255, 255, 255, 255, 255, 255};
    size_t len = text.len < FIRN_TEXT_WORDS ? text.len : FIRN_TEXT_WORDS;
    const uint8_t *mask = MASK + FIRN_TEXT_WORDS - len;
    out[0] = firn_load8(text.data) & firn_load8(mask);
    out[1] = firn_load8(text.data + 8) & firn_load8(mask + 8);
}

/* The same of any text; `end`: behind what can be read. */
static inline void firn_text_words(firn_bytes text, const uint8_t *end, uint64_t out[2])
{
    if (firn_text_has_room(text, end, FIRN_TEXT_WORDS)) {
        firn_text_words_inside(text, out);
        return;
    }
    out[0] = out[1] = 0;
    memcpy(out, text.data, text.len < FIRN_TEXT_WORDS ? text.len : FIRN_TEXT_WORDS);
}

/* As firn_text_rank. */
static inline uint64_t firn_text_rank_in(firn_bytes text, const uint8_t *end)
{
    uint64_t words[2];
    firn_text_words(text, end, words);
    return __builtin_bswap64(words[0]);
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
