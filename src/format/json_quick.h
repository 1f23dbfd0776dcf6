/* The values that most rows are made of, read without a call: short ways for plain texts, numbers, flags and instants in the form that
 * most writers use. Private to json_*.c.
 *
 * firn_json_quick takes a value of a column whose node has a quick way. What is not as expected in any respect (a null, an escape, a
 * number of many digits, an error, too few bytes left in the text to be read a word at a time) is left to firn_json_value, which knows
 * all of JSON: so a quick way may give up at any point, but before it appends. That both give the same is checked by
 * fuzz/json_columns_fuzz.c.
 *
 * Digits are read eight at a time, without a branch on how many there are: a number's length is what a processor guesses worst.
 */
#ifndef FIRN_FORMAT_JSON_QUICK_H
#define FIRN_FORMAT_JSON_QUICK_H

#include "json_decoding.h"
#include "json_text.h"

/* ---- digits ---- */

static const uint64_t firn_json_tens[] = {
    1u,       10u,       100u,       1000u,       10000u,       100000u,
    1000000u, 10000000u, 100000000u, 1000000000u, 10000000000u,
};

static inline uint64_t firn_json_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline bool firn_json_is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') <= 9;
}

/* How many of the eight bytes at `p` are digits, from the first on, and the number that they are. */
static inline __attribute__((always_inline)) unsigned firn_json_digits(const uint8_t *p,
                                                                       uint64_t *value)
{
    const uint64_t pairs = 0x000000FF000000FF;
    uint64_t word = firn_json_word(p) ^ 0x3030303030303030;
    uint64_t others = ((word + 0x7676767676767676) | word) & 0x8080808080808080;
    unsigned count = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
    word = word << 4 * (8 - count) << 4 * (8 - count); /* zeros come in front of them */
    word = word * 10 + (word >> 8);
    *value =
        ((word & pairs) * 0x000F424000000064 + (word >> 16 & pairs) * 0x0000271000000001) >> 32;
    return count;
}

/* Whether so many digits are no number's beginning: none, or several of which the first is a zero. */
static inline bool firn_json_is_no_start(unsigned count, uint64_t value)
{
    static const uint32_t least[] = {1, 0, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    return value < least[count];
}

/* Whether the number goes on in a way that the quick ways leave to others. */
static inline bool firn_json_goes_on(uint8_t c)
{
    return c != ',' && (firn_json_is_digit(c) || c == '.' || (c | 0x20) == 'e');
}

static inline int64_t firn_json_signed(uint64_t value, bool negative)
{
    uint64_t mask = -(uint64_t)negative;
    return (int64_t)((value ^ mask) - mask);
}

/* ---- numbers ---- */

/* How many bytes the quick ways look at, each of them; they do not ask how many there are. */
enum {
    FIRN_JSON_BOOL_BYTES = 5,
    FIRN_JSON_WHOLE_BYTES = 18, /* a sign, twice eight digits, and what follows */
    FIRN_JSON_DECIMAL_BYTES = 19,
    FIRN_JSON_INSTANT_BYTES = 27,
    FIRN_JSON_DOUBLE_BYTES = 27,
    FIRN_JSON_TEXT_BYTES = FIRN_JSON_STEP + 1,
    FIRN_JSON_QUICK_BYTES = 33, /* the most of them */
};
_Static_assert(FIRN_JSON_TEXT_BYTES <= FIRN_JSON_QUICK_BYTES, "a text's first step is the longest");

/* The sign, and the first up to eight digits; NULL: no number begins so. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_start(const uint8_t *p,
                                                                            bool *negative,
                                                                            unsigned *count,
                                                                            uint64_t *value)
{
    *negative = *p == '-';
    p += *negative;
    *count = firn_json_digits(p, value);
    return firn_json_is_no_start(*count, *value) ? NULL : p + *count;
}

/* Up to 16 digits. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_whole(const uint8_t *p,
                                                                                  int64_t *out)
{
    uint64_t value, low;
    bool negative;
    unsigned count;
    if (!(p = firn_json_start(p, &negative, &count, &value)))
        return NULL;
    if (count == 8) {
        count = firn_json_digits(p, &low);
        value = value * firn_json_tens[count] + low;
        p += count;
    }
    if (firn_json_goes_on(*p))
        return NULL;
    *out = firn_json_signed(value, negative);
    return p;
}

/* Up to 8 digits in front of the point and 8 behind it; of a column whose scale lets the number fit 63 bits. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_decimal(
    const uint8_t *p, const firn_json_node *node, int64_t *out)
{
    uint64_t value, low;
    unsigned scale = node->quick_scale;
    bool negative;
    unsigned count;
    if (!(p = firn_json_start(p, &negative, &count, &value)))
        return NULL;
    if (*p == '.') {
        unsigned fraction = firn_json_digits(p + 1, &low);
        if (fraction - 1 >= scale) /* none, or more than the column has */
            return NULL;
        value = value * firn_json_tens[fraction] + low;
        p += 1 + fraction;
        scale -= fraction;
    }
    value *= firn_json_tens[scale];
    if (firn_json_goes_on(*p) || value >= node->quick_limit)
        return NULL;
    *out = firn_json_signed(value, negative);
    return p;
}

/* Digits that are exact as a double, and so is the power of ten to divide them by: it is rounded once. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_double(const uint8_t *p,
                                                                                   double *out)
{
    enum { FRACTION_MAX = 10 };
    static const double tens[FRACTION_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4, 1e5,
                                                  1e6, 1e7, 1e8, 1e9, 1e10};
    uint64_t value, low;
    unsigned fraction = 0;
    bool negative;
    unsigned count;
    if (!(p = firn_json_start(p, &negative, &count, &value)))
        return NULL;
    if (*p == '.') {
        fraction = firn_json_digits(p + 1, &low);
        value = value * firn_json_tens[fraction] + low;
        p += 1 + fraction;
        if (fraction == 0)
            return NULL;
        if (fraction == 8) {
            unsigned more = firn_json_digits(p, &low);
            fraction += more;
            p += more;
            if (fraction > FRACTION_MAX)
                return NULL;
            value = value * firn_json_tens[more] + low;
        }
    }
    if (firn_json_goes_on(*p) || value > (uint64_t)1 << 53)
        return NULL;
    double number = (double)(int64_t)value / tens[fraction];
    *out = negative ? -number : number;
    return p;
}

/* ---- flags and instants ---- */

static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_bool(const uint8_t *p,
                                                                                 bool *out)
{
    *out = memcmp(p, "true", 4) == 0;
    if (!*out && memcmp(p, "false", 5) != 0)
        return NULL;
    return p + 5 - *out;
}

/* "12:34:56.789" of a day, in milliseconds; -1: something else. Digits stay in their places as bytes of a word, and go in pairs. */
static inline int64_t firn_json_clock(const uint8_t *p)
{
    const uint64_t form = 0x30303A30303A3030; /* 00:00:00, its first byte the lowest */
    uint64_t clock = firn_json_word(p) ^ form;
    uint32_t rest;
    memcpy(&rest, p + 8, sizeof rest);
    rest ^= 0x3030302E; /* .000 */
    uint64_t others = ((clock + 0x76767F76767F7676) | clock) & 0x8080808080808080;
    uint32_t rest_others = ((rest + 0x7676767F) | rest) & 0x80808080;
    clock = (clock * 10 + (clock >> 8)) & 0x00FF0000FF0000FF;    /* hour, minute, second */
    others |= (clock + 0x0044000044000068) & 0x0080000080000080; /* over 23, 59, 59 */
    if (others | rest_others)
        return -1;
    uint64_t minutes = (clock & 0xFF) * 60 + (clock >> 24 & 0xFF);
    uint32_t pair = rest * 10 + (rest >> 8); /* its second byte: the first two digits */
    return (int64_t)((minutes * 60 + (clock >> 48)) * 1000 + (pair >> 8 & 0xFF) * 10 +
                     (rest >> 24));
}

/* "2026-11-28T12:34:56.789", perhaps with a Z behind it, and its quotes. Days are looked up once as long as they stay the same. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_timestamp(
    firn_avro_batch *batch, const uint8_t *p, const firn_json_node *node, int64_t *out)
{
    enum { BYTES = 25, DATE_BYTES = 10 };
    const uint8_t *behind = p + BYTES;
    if (p[24] != '"') {
        if (p[24] != 'Z' || node->local || p[25] != '"')
            return NULL;
        behind++;
    }
    int64_t clock_ms = firn_json_clock(p + 12);
    if (*p != '"' || p[11] != 'T' || clock_ms < 0)
        return NULL;
    firn_avro_date date = firn_avro_date_of(p + 1, batch->date.ms);
    if (date.words[0] != batch->date.words[0] || date.words[1] != batch->date.words[1]) {
        int32_t day;
        if (!firn_text_date(firn_bytes_of(p + 1, DATE_BYTES), &day))
            return NULL;
        date.ms = day * INT64_C(86400000);
        batch->date = date;
    }
    return __builtin_mul_overflow(date.ms + clock_ms, node->quick_per_ms, out) ? NULL : behind;
}

/* ---- texts ---- */

static __attribute__((noinline)) bool firn_json_is_utf8(const firn_json_decoding *d,
                                                        const uint8_t *p, size_t len)
{
    return d->unchecked_utf8 || firn_utf8_valid(firn_bytes_of(p, len));
}

/* The text's bytes at the end of `column`, of which it is row `row`; gives what is behind the closing quote. Steps are copied as they come,
 * what stands behind that quote included: it is within the room, and is overwritten later. The room and the text's end are one bound. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_text(
    const firn_json_decoding *d, const uint8_t *p, const uint8_t *end, bool wide,
    firn_avro_column *column, int64_t row)
{
    int32_t at = column->offsets[row];
    uint8_t *out = column->data + at;
    int64_t room = column->data_cap - at;
    if (*p != '"' || room < FIRN_JSON_STEP)
        return NULL;
    p++;
    uint64_t high = 0;
    int64_t len = firn_json_step(p, out, &high, wide);
    if (len == FIRN_JSON_STEP) {
        room = end - p < room ? end - p : room;
        for (;;) {
            if (room - len < FIRN_JSON_STEP)
                return NULL;
            int plain = firn_json_step(p + len, out + len, &high, wide);
            len += plain;
            if (plain < FIRN_JSON_STEP)
                break;
        }
    }
    if (p[len] != '"' || (__builtin_expect(high != 0, 0) && !firn_json_is_utf8(d, p, (size_t)len)))
        return NULL;
    column->offsets[row + 1] = at + (int32_t)len;
    return p + len + 1;
}

/* ---- any ---- */

/* Row `row` of the column, from any value but one that is for firn_json_value: NULL. The row's room must be there; its validity and the
 * column's length are left to the caller. `roomy`: FIRN_JSON_QUICK_BYTES are there; `wide`: as in firn_json_step. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick(
    const firn_json_decoding *d, const uint8_t *p, const uint8_t *end, bool roomy, bool wide,
    const firn_json_node *node, firn_avro_column *column, int64_t row)
{
    const uint8_t *behind;
    int64_t left = roomy ? FIRN_JSON_QUICK_BYTES : end - p, whole;
    switch (node->quick) {
    case FIRN_JSON_TEXT:
        if (left < FIRN_JSON_TEXT_BYTES)
            return NULL;
        return firn_json_quick_text(d, p, end, wide, column, row);
    case FIRN_JSON_INT64:
        if (left < FIRN_JSON_WHOLE_BYTES || !(behind = firn_json_quick_whole(p, &whole)))
            return NULL;
        ((int64_t *)(void *)column->data)[row] = whole;
        return behind;
    case FIRN_JSON_INT32:
        if (left < FIRN_JSON_WHOLE_BYTES || !(behind = firn_json_quick_whole(p, &whole)) ||
            whole != (int32_t)whole)
            return NULL;
        ((int32_t *)(void *)column->data)[row] = (int32_t)whole;
        return behind;
    case FIRN_JSON_DOUBLE: {
        double real;
        if (left < FIRN_JSON_DOUBLE_BYTES || !(behind = firn_json_quick_double(p, &real)))
            return NULL;
        ((double *)(void *)column->data)[row] = real;
        return behind;
    }
    case FIRN_JSON_DECIMAL:
        if (left < FIRN_JSON_DECIMAL_BYTES || !(behind = firn_json_quick_decimal(p, node, &whole)))
            return NULL;
        ((int64_t *)(void *)column->data)[2 * row] = whole;
        ((int64_t *)(void *)column->data)[2 * row + 1] = whole >> 63;
        return behind;
    case FIRN_JSON_TIMESTAMP:
        if (left < FIRN_JSON_INSTANT_BYTES ||
            !(behind = firn_json_quick_timestamp(d->batch, p, node, &whole)))
            return NULL;
        ((int64_t *)(void *)column->data)[row] = whole;
        return behind;
    case FIRN_JSON_BOOL: {
        bool flag;
        if (left < FIRN_JSON_BOOL_BYTES || !(behind = firn_json_quick_bool(p, &flag)))
            return NULL;
        column->data[row >> 3] |= (uint8_t)((unsigned)flag << (row & 7));
        return behind;
    }
    default: return NULL;
    }
}

#endif
