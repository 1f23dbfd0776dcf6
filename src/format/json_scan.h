/* JSON text (RFC 8259) token by token, strictly. Private to json_*.c.
 *
 * A scanner function takes where it stands and gives back where it stopped, or NULL with the fault filled. Nothing is read at or past
 * `end`, nothing is allocated. "Raw" is a string's text as it stands between its quotes, escapes and all.
 */
#ifndef FIRN_FORMAT_JSON_SCAN_H
#define FIRN_FORMAT_JSON_SCAN_H

#include "base/err.h"
#include "base/str.h"

#include "json_wide.h"

enum { FIRN_JSON_TENS = 20 };
extern const uint64_t firn_json_tens[FIRN_JSON_TENS]; /* powers of ten */

typedef struct firn_json_scan {
    const uint8_t *start, *end;
    firn_rc rc; /* the first failure: CORRUPT, or LIMIT for depth */
    const uint8_t *where;
    const char *why;
} firn_json_scan;

/* Notes the failure; NULL, so that it can be returned. */
const uint8_t *firn_json_fail(firn_json_scan *scan, const uint8_t *where, firn_rc rc,
                              const char *why);
/* The same, for the character at `p` that should not be there, or the end. */
const uint8_t *firn_json_unexpected(firn_json_scan *scan, const uint8_t *p, const char *why);

static inline const uint8_t *firn_json_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* ---- blocks of a string's bytes ---- */

/* Of the first FIRN_JSON_BLOCK bytes: which ones end plain text (quote, backslash, control characters) and which are not ASCII. Both
 * are masks in which byte i has the bit i * FIRN_JSON_BLOCK_BITS and perhaps the ones behind it. */
#ifdef __SSE2__
enum { FIRN_JSON_BLOCK = 16, FIRN_JSON_BLOCK_BITS = 1 };

static inline uint64_t firn_json_block(const uint8_t *p, uint8_t *copy, uint64_t *high)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    if (copy)
        _mm_storeu_si128((__m128i *)(void *)copy, bytes);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    *high = (uint32_t)_mm_movemask_epi8(bytes);
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control));
}
#else
enum { FIRN_JSON_BLOCK = 8, FIRN_JSON_BLOCK_BITS = 8 };

/* The high bit of each byte of `word` that is zero, exactly. */
static inline uint64_t firn_json_zero_bytes(uint64_t word)
{
    const uint64_t low7 = 0x7F7F7F7F7F7F7F7F;
    return ~(((word & low7) + low7) | word | low7);
}

static inline uint64_t firn_json_block(const uint8_t *p, uint8_t *copy, uint64_t *high)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    if (copy)
        memcpy(copy, &bytes, sizeof bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    uint64_t quote = firn_json_zero_bytes(bytes ^ ones * '"');
    uint64_t backslash = firn_json_zero_bytes(bytes ^ ones * '\\');
    uint64_t control = firn_json_zero_bytes(bytes & ones * 0xE0);
    *high = (bytes & ones * 0x80) >> 7;
    return (quote | backslash | control) >> 7;
}
#endif

/* The same in larger steps: most texts are one, so that the processor need not guess how many. Gives how many of the FIRN_JSON_STEP bytes
 * stand before the first that ends plain text. *high becomes other than 0 when a byte was not ASCII, those behind that one included. `wide`: the
 * caller was compiled for AVX2 (FIRN_JSON_WIDE) and runs where there is such a thing. */
#ifdef __SSE2__
enum { FIRN_JSON_STEP = 32, FIRN_JSON_STEP_BITS = 1 };
static inline uint32_t firn_json_block_ascii(const uint8_t *p, bool copies, uint8_t *copy)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    if (copies)
        _mm_storeu_si128((__m128i *)(void *)copy, bytes);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i less = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), less));
}

/* A bit for each of FIRN_JSON_STEP bytes, which are copied if asked for: 0 for plain ASCII up to the first other one. */
static inline uint64_t firn_json_ascii(const uint8_t *p, bool copies, uint8_t *copy, bool wide)
{
    if (wide)
        return firn_json_wide_ascii(p, copies, copy);
    uint64_t low = firn_json_block_ascii(p, copies, copy);
    uint8_t *behind = copies ? copy + FIRN_JSON_BLOCK : NULL;
    return low | (uint64_t)firn_json_block_ascii(p + FIRN_JSON_BLOCK, copies, behind)
                     << FIRN_JSON_BLOCK;
}

static inline int firn_json_step(const uint8_t *p, uint8_t *copy, uint64_t *high, bool wide)
{
    uint64_t stop, high_a, high_b;
    if (wide) {
        stop = firn_json_wide_step(p, copy, high);
    } else {
        stop = firn_json_block(p, copy, &high_a);
        stop |= firn_json_block(p + FIRN_JSON_BLOCK, copy + FIRN_JSON_BLOCK, &high_b)
                << FIRN_JSON_BLOCK;
        *high |= high_a | high_b;
    }
    return __builtin_ctzll(stop | (uint64_t)1 << FIRN_JSON_STEP);
}
#else
enum { FIRN_JSON_STEP = FIRN_JSON_BLOCK, FIRN_JSON_STEP_BITS = FIRN_JSON_BLOCK_BITS };

static inline uint64_t firn_json_ascii(const uint8_t *p, bool copies, uint8_t *copy, bool wide)
{
    uint64_t high;
    uint64_t stop = firn_json_block(p, copies ? copy : NULL, &high);
    (void)wide;
    return stop | high;
}

static inline int firn_json_step(const uint8_t *p, uint8_t *copy, uint64_t *high, bool wide)
{
    uint64_t block_high;
    uint64_t stop = firn_json_block(p, copy, &block_high);
    (void)wide;
    *high |= block_high;
    return stop ? __builtin_ctzll(stop) / FIRN_JSON_BLOCK_BITS : FIRN_JSON_STEP;
}
#endif

static inline bool firn_json_is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

/* ---- strings ---- */

typedef struct firn_json_raw {
    firn_bytes text;
    bool escaped; /* holds a backslash */
    bool ascii;
} firn_json_raw;

/* `p` is behind the opening quote, the result behind the closing one. Escapes and UTF-8 are checked. */
const uint8_t *firn_json_string(firn_json_scan *scan, const uint8_t *p,
                                firn_json_raw *out) FIRN_MUST_USE;
/* The text that a checked raw one stands for, into `out`, which has room for as many bytes; gives their number. `out` may be where
 * the raw text is. */
size_t firn_json_unescape(firn_bytes raw, uint8_t *out);

/* ---- numbers ---- */

typedef struct firn_json_number {
    firn_bytes text;
    bool negative;
    bool whole;        /* neither fraction nor exponent */
    bool cut;          /* more digits than `mantissa` holds, or an exponent beyond int32_t */
    uint64_t mantissa; /* value = mantissa * 10^exponent, without sign, unless cut */
    int32_t exponent;
} firn_json_number;

const uint8_t *firn_json_number_scan(firn_json_scan *scan, const uint8_t *p,
                                     firn_json_number *out) FIRN_MUST_USE;
/* The nearest double; false when beyond the largest. */
bool firn_json_number_double(const firn_json_number *number, double *out);
/* The value if it is a whole number of 64 bits. */
bool firn_json_number_i64(const firn_json_number *number, int64_t *out);
/* number * 10^scale, if that is whole and has at most `precision` (38) digits. `text` is a JSON number. */
bool firn_json_decimal(firn_bytes text, int precision, int scale, __int128 *out);

/* ---- anything ---- */

/* Past one value of any kind, checked; `depth` levels of nesting are allowed. */
const uint8_t *firn_json_skip(firn_json_scan *scan, const uint8_t *p, int depth) FIRN_MUST_USE;
/* `p` is at the first letter of true, false or null. */
const uint8_t *firn_json_literal(firn_json_scan *scan, const uint8_t *p,
                                 const char *word) FIRN_MUST_USE;

#endif
