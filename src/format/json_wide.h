/* What is read in larger steps where the processor has AVX2 and BMI2: bytes of texts, digits, clocks. Private to json_*.c.
 *
 * The caller is compiled for them, too (FIRN_JSON_WIDE), and runs where firn_json_is_wide() says so. Vectors that arithmetic takes are loaded from
 * firn_json_wide_vectors, which no compiler sees the values of: it would make some of them anew in several instructions each time.
 */
#ifndef FIRN_FORMAT_JSON_WIDE_H
#define FIRN_FORMAT_JSON_WIDE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <immintrin.h>

#define FIRN_JSON_HAS_WIDE 1
#define FIRN_JSON_WIDE     __attribute__((target("avx2,bmi,bmi2")))

typedef struct firn_json_vectors {
    uint8_t quotes
        [32]; /* quote and backslash by their lower halves, and nothing else that is found so */
    uint8_t blanks[32]; /* 32 blanks */
    uint8_t utf8_c0[32], utf8_c1[32], utf8_df[32], utf8_e0[32], utf8_ed[32], utf8_ef[32];
    uint8_t zeros[16];      /* 16 characters 0 */
    uint8_t above_nine[16]; /* carries what is above 9 into the highest bit */
    uint8_t ones[16];       /* 10, 1, ... */
    int16_t hundreds[8];    /* 100, 1, ... */
    int16_t myriads[8];     /* 10000, 1, ... */
    uint8_t shift[32];      /* 16 of no index, then 0 to 15 */
    uint8_t clock_form[16]; /* 00:00:00.000 */
    uint8_t clock_above[16];
    uint8_t clock_digits[16]; /* where they stand */
    int16_t clock_limits[8];  /* 23, 59, 59, 99, 9 */
    int16_t clock_weights
        [8]; /* of hours and minutes in seconds, of seconds and hundredths in hundredths, of milliseconds */
} firn_json_vectors;

extern const firn_json_vectors firn_json_wide_vectors __attribute__((visibility("hidden")));

static inline bool firn_json_is_wide(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

/* ---- texts ---- */

FIRN_JSON_WIDE static inline uint32_t firn_json_wide_step(const uint8_t *p, uint8_t *copy,
                                                          uint64_t *high)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)p);
    _mm256_storeu_si256((__m256i *)(void *)copy, bytes);
    __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1F)), bytes);
    *high |= (uint32_t)_mm256_movemask_epi8(bytes);
    return (uint32_t)_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_or_si256(quote, backslash), control));
}

/* A bit for each of 32 bytes, which are copied if asked for: 0 for plain ASCII up to the first other one. Signed, control characters and what is not ASCII
 * are less than a blank, and a quote or backslash is what its lower half finds in a table. */
FIRN_JSON_WIDE static inline uint32_t firn_json_wide_ascii(const uint8_t *p, bool copies,
                                                           uint8_t *copy)
{
    const firn_json_vectors *v = &firn_json_wide_vectors;
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)p);
    if (copies)
        _mm256_storeu_si256((__m256i *)(void *)copy, bytes);
    __m256i found = _mm256_shuffle_epi8(_mm256_load_si256((const void *)v->quotes), bytes);
    __m256i less = _mm256_cmpgt_epi8(_mm256_load_si256((const void *)v->blanks), bytes);
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(_mm256_cmpeq_epi8(found, bytes), less));
}

/* Whether a text is UTF-8 for certain: sequences of two or three bytes, but those that E0 and ED begin, which say more of the byte behind them than
 * is looked at here. 32 bytes are read where one is left. */
FIRN_JSON_WIDE static inline bool firn_json_wide_is_utf8(const uint8_t *p, int64_t len)
{
    const firn_json_vectors *v = &firn_json_wide_vectors;
    uint64_t wanted = 0, wrong = 0; /* a bit a byte: where a sequence goes on */
    for (; len > 0; len -= 32, p += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i special =
            _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_load_si256((const void *)v->utf8_e0)),
                            _mm256_cmpeq_epi8(bytes, _mm256_load_si256((const void *)v->utf8_ed)));
        uint64_t mask = len < 32 ? ((uint64_t)1 << len) - 1 : UINT32_MAX;
        uint64_t high = (uint32_t)_mm256_movemask_epi8(bytes) & mask;
        uint64_t tails = high & (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(
                                    _mm256_load_si256((const void *)v->utf8_c0), bytes));
        uint64_t heads = high & (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(
                                    bytes, _mm256_load_si256((const void *)v->utf8_c1)));
        uint64_t threes = high & (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(
                                     bytes, _mm256_load_si256((const void *)v->utf8_df)));
        uint64_t fours = high & (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(
                                    bytes, _mm256_load_si256((const void *)v->utf8_ef)));
        wanted |= heads << 1 | threes << 2;
        wrong |= ((wanted & UINT32_MAX) ^ tails) | (high ^ (tails | heads)) | fours |
                 (mask & (uint32_t)_mm256_movemask_epi8(special));
        wanted >>= 32;
    }
    return (wrong | wanted) == 0;
}

/* ---- digits ---- */

static inline __m128i firn_json_wide_load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* The number that 16 digits are. */
FIRN_JSON_WIDE static inline uint64_t firn_json_wide_value(__m128i digits)
{
    const firn_json_vectors *v = &firn_json_wide_vectors;
    __m128i pairs = _mm_maddubs_epi16(digits, firn_json_wide_load(v->ones));
    __m128i fours = _mm_madd_epi16(pairs, firn_json_wide_load(v->hundreds));
    __m128i eights =
        _mm_madd_epi16(_mm_packus_epi32(fours, fours), firn_json_wide_load(v->myriads));
    uint64_t halves = (uint64_t)_mm_cvtsi128_si64(eights);
    return (uint32_t)halves * UINT64_C(100000000) + (halves >> 32);
}

/* The 16 bytes at `p` less '0', and which of them are no digits. */
FIRN_JSON_WIDE static inline __m128i firn_json_wide_bytes(const uint8_t *p, uint32_t *others)
{
    const firn_json_vectors *v = &firn_json_wide_vectors;
    __m128i bytes = _mm_sub_epi8(firn_json_wide_load(p), firn_json_wide_load(v->zeros));
    *others = (uint32_t)_mm_movemask_epi8(_mm_adds_epu8(bytes, firn_json_wide_load(v->above_nine)));
    return bytes;
}

/* How many of the 16 bytes at `p` are digits, from the first on, and the number that they are. */
FIRN_JSON_WIDE static inline unsigned firn_json_wide_digits(const uint8_t *p, uint64_t *value)
{
    uint32_t others;
    __m128i bytes = firn_json_wide_bytes(p, &others);
    unsigned count = (unsigned)__builtin_ctz(others | 1u << 16);
    __m128i places = firn_json_wide_load(firn_json_wide_vectors.shift + count);
    *value = firn_json_wide_value(_mm_shuffle_epi8(bytes, places));
    return count;
}

/* Up to 15 digits, or as many with a point among them: how many characters, how many stand in front of the point and behind it, and the number
 * that all are. 0: nothing stands in front of the point or behind it, or they are more than 15 without one. With a point digits may follow
 * the last of 16 characters. */
FIRN_JSON_WIDE static inline unsigned firn_json_wide_number(const uint8_t *p, uint64_t *value,
                                                            unsigned *whole, unsigned *fraction)
{
    uint32_t others;
    __m128i bytes = firn_json_wide_bytes(p, &others);
    others |= 3u << 16;
    unsigned first = (unsigned)__builtin_ctz(others), end = first;
    __m128i places;
    if (p[first] == '.') { /* those in front of it go one further */
        end = (unsigned)__builtin_ctz(others & (others - 1));
        __m128i point = _mm_set1_epi8((char)(first + 1));
        if (end == first + 1 || end > 16)
            return 0;
        *fraction = end - first - 1;
        places = firn_json_wide_load(firn_json_wide_vectors.shift + end);
        places = _mm_add_epi8(places, _mm_cmpgt_epi8(point, places));
    } else {
        if (end > 15)
            return 0;
        *fraction = 0;
        places = firn_json_wide_load(firn_json_wide_vectors.shift + end);
    }
    *value = firn_json_wide_value(_mm_shuffle_epi8(bytes, places));
    *whole = first;
    return first == 0 ? 0 : end;
}

/* "12:34:56.789" of a day, in milliseconds; -1: something else. 16 bytes are read. */
FIRN_JSON_WIDE static inline int64_t firn_json_wide_clock(const uint8_t *p)
{
    enum { CLOCK_BITS = 0xFFF };
    const firn_json_vectors *v = &firn_json_wide_vectors;
    __m128i bytes = _mm_xor_si128(firn_json_wide_load(p), firn_json_wide_load(v->clock_form));
    int others =
        _mm_movemask_epi8(_mm_adds_epu8(bytes, firn_json_wide_load(v->clock_above))) & CLOCK_BITS;
    __m128i digits = _mm_shuffle_epi8(bytes, firn_json_wide_load(v->clock_digits));
    __m128i parts = _mm_maddubs_epi16(digits, firn_json_wide_load(v->ones));
    others |= _mm_movemask_epi8(_mm_cmpgt_epi16(parts, firn_json_wide_load(v->clock_limits)));
    if (others)
        return -1;
    __m128i sums = _mm_madd_epi16(parts, firn_json_wide_load(v->clock_weights));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(sums);
    return (int64_t)((uint32_t)both * UINT64_C(1000) + (both >> 32) * 10) +
           _mm_extract_epi32(sums, 2);
}

#else

static inline bool firn_json_is_wide(void)
{
    return false;
}

#endif
#endif
