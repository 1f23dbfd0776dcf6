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
static inline unsigned firn_json_digits(const uint8_t *p, uint64_t *value)
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

/* Whether these are no digits that a number begins with. One branch for both: zeros come as they like. */
static inline bool firn_json_is_no_start(const uint8_t *p, unsigned count)
{
    return ((unsigned)(count == 0) | ((unsigned)(*p == '0') & (unsigned)(count > 1))) != 0;
}

/* Whether the number goes on in a way that the quick ways leave to others. */
static inline bool firn_json_goes_on(uint8_t c)
{
    return ((unsigned)firn_json_is_digit(c) | (unsigned)(c == '.') |
            (unsigned)((c | 0x20) == 'e')) != 0;
}

/* ---- numbers ---- */

/* Up to 16 digits. */
static inline const uint8_t *firn_json_quick_whole(const uint8_t *p, const uint8_t *end,
                                                   int64_t *out)
{
    enum { BYTES = 18 }; /* sign, digits, and what follows */
    uint64_t value, low;
    unsigned count;
    if (end - p < BYTES)
        return NULL;
    bool negative = *p == '-';
    p += negative;
    count = firn_json_digits(p, &value);
    if (firn_json_is_no_start(p, count))
        return NULL;
    p += count;
    if (count == 8) {
        count = firn_json_digits(p, &low);
        value = value * firn_json_tens[count] + low;
        p += count;
    }
    if (firn_json_goes_on(*p))
        return NULL;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return p;
}

/* Up to 8 digits in front of the point and 8 behind it; of a column whose scale lets the number fit 63 bits. */
static inline const uint8_t *firn_json_quick_decimal(const uint8_t *p, const uint8_t *end,
                                                     const firn_json_node *node, int64_t *out)
{
    enum { BYTES = 19 };
    uint64_t value, low;
    unsigned count, fraction = 0;
    if (end - p < BYTES)
        return NULL;
    bool negative = *p == '-';
    p += negative;
    count = firn_json_digits(p, &value);
    if (firn_json_is_no_start(p, count))
        return NULL;
    p += count;
    if (*p == '.') {
        fraction = firn_json_digits(p + 1, &low);
        value = value * firn_json_tens[fraction] + low;
        p += 1 + fraction;
        if (fraction == 0 || fraction > node->quick_scale)
            return NULL;
    }
    value *= firn_json_tens[node->quick_scale - fraction];
    if (firn_json_goes_on(*p) || value >= node->quick_limit)
        return NULL;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return p;
}

/* Digits that are exact as a double, and so is the power of ten to divide them by: it is rounded once. */
static inline const uint8_t *firn_json_quick_double(const uint8_t *p, const uint8_t *end,
                                                    double *out)
{
    enum { BYTES = 27, FRACTION_MAX = 10 };
    static const double tens[FRACTION_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4, 1e5,
                                                  1e6, 1e7, 1e8, 1e9, 1e10};
    uint64_t value, low;
    unsigned count, fraction = 0;
    if (end - p < BYTES)
        return NULL;
    bool negative = *p == '-';
    p += negative;
    count = firn_json_digits(p, &value);
    if (firn_json_is_no_start(p, count))
        return NULL;
    p += count;
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

static inline const uint8_t *firn_json_quick_bool(const uint8_t *p, const uint8_t *end, bool *out)
{
    if (end - p < 5)
        return NULL;
    *out = memcmp(p, "true", 4) == 0;
    if (!*out && memcmp(p, "false", 5) != 0)
        return NULL;
    return p + 5 - *out;
}

/* "2026-11-28T12:34:56.789", perhaps with a Z behind it, and its quotes. Days are looked up once as long as they stay the same. */
static inline const uint8_t *firn_json_quick_timestamp(firn_avro_batch *batch, const uint8_t *p,
                                                       const uint8_t *end,
                                                       const firn_json_node *node, int64_t *out)
{
    enum { BYTES = 25, DATE_BYTES = 10 };
    const uint64_t form = 0x30303A30303A3030; /* 00:00:00 */
    if (end - p < BYTES || *p != '"')
        return NULL;
    const uint8_t *behind = p + BYTES;
    if (p[24] != '"') {
        if (p[24] != 'Z' || node->local || behind == end || *behind != '"')
            return NULL;
        behind++;
    }
    uint64_t clock = firn_json_word(p + 12) ^ form;
    if (((clock + 0x76767F76767F7676) | clock) & 0x8080808080808080)
        return NULL;
    clock = clock * 10 + (clock >> 8);
    int64_t hour = clock & 0xFF, minute = clock >> 24 & 0xFF, second = clock >> 48 & 0xFF;
    unsigned tenths = p[21] - (unsigned)'0', hundredths = p[22] - (unsigned)'0',
             last = p[23] - (unsigned)'0';
    if (hour > 23 || minute > 59 || second > 59 || tenths > 9 || hundredths > 9 || last > 9 ||
        p[20] != '.' || p[11] != 'T')
        return NULL;
    firn_avro_date date = firn_avro_date_of(p + 1, batch->date.ms);
    if (date.words[0] != batch->date.words[0] || date.words[1] != batch->date.words[1]) {
        int32_t day;
        if (!firn_text_date(firn_bytes_of(p + 1, DATE_BYTES), &day))
            return NULL;
        date.ms = day * INT64_C(86400000);
        batch->date = date;
    }
    int64_t ms = date.ms + ((hour * 60 + minute) * 60 + second) * 1000;
    ms += tenths * 100 + hundredths * 10 + last;
    return __builtin_mul_overflow(ms, node->per_second / 1000, out) ? NULL : behind;
}

/* ---- texts ---- */

static __attribute__((noinline)) bool firn_json_is_utf8(const firn_json_decoding *d,
                                                        const uint8_t *p, size_t len)
{
    return d->unchecked_utf8 || firn_utf8_valid(firn_bytes_of(p, len));
}

/* The text's bytes at the end of `column`, of which it is row `row`; gives what is behind the closing quote. Steps are copied as they come,
 * what stands behind that quote included: it is within the room, and is overwritten later. The room and the text's end are one bound. */
static inline const uint8_t *firn_json_quick_text(const firn_json_decoding *d, const uint8_t *p,
                                                  const uint8_t *end, firn_avro_column *column,
                                                  int64_t row)
{
    int32_t at = column->offsets[row];
    uint8_t *out = column->data + at;
    int64_t room = column->data_cap - at;
    if (p == end || *p != '"')
        return NULL;
    p++;
    room = end - p < room ? end - p : room;
    firn_json_seen seen = {0};
    for (int64_t len = 0; room - len >= FIRN_JSON_STEP; len += FIRN_JSON_STEP) {
        int plain = firn_json_step(p + len, out + len, &seen);
        if (plain == FIRN_JSON_STEP)
            continue;
        len += plain;
        if (p[len] != '"' || (__builtin_expect(firn_json_saw_high(seen), 0) &&
                              !firn_json_is_utf8(d, p, (size_t)len)))
            return NULL;
        column->offsets[row + 1] = at + (int32_t)len;
        return p + len + 1;
    }
    return NULL;
}

/* ---- any ---- */

/* Row `row` of the column, which is `row` long, from any value; the plain ones at once. Room for it must be there. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick(
    firn_json_decoding *d, const uint8_t *p, const uint8_t *end, const firn_json_node *node,
    firn_avro_column *column, int64_t row)
{
    const uint8_t *behind = NULL;
    int64_t whole;
    switch (node->quick) {
    case FIRN_JSON_TEXT: behind = firn_json_quick_text(d, p, end, column, row); break;
    case FIRN_JSON_INT64:
        behind = firn_json_quick_whole(p, end, &whole);
        if (behind)
            ((int64_t *)(void *)column->data)[row] = whole;
        break;
    case FIRN_JSON_INT32:
        behind = firn_json_quick_whole(p, end, &whole);
        behind = behind && whole == (int32_t)whole ? behind : NULL;
        if (behind)
            ((int32_t *)(void *)column->data)[row] = (int32_t)whole;
        break;
    case FIRN_JSON_DOUBLE: {
        double real;
        behind = firn_json_quick_double(p, end, &real);
        if (behind)
            ((double *)(void *)column->data)[row] = real;
        break;
    }
    case FIRN_JSON_DECIMAL:
        behind = firn_json_quick_decimal(p, end, node, &whole);
        if (behind) {
            const int64_t words[2] = {whole, whole >> 63};
            memcpy(column->data + row * 16, words, sizeof words);
        }
        break;
    case FIRN_JSON_TIMESTAMP:
        behind = firn_json_quick_timestamp(d->batch, p, end, node, &whole);
        if (behind)
            ((int64_t *)(void *)column->data)[row] = whole;
        break;
    case FIRN_JSON_BOOL: {
        bool flag;
        behind = firn_json_quick_bool(p, end, &flag);
        if (behind)
            column->data[row >> 3] |= (uint8_t)((unsigned)flag << (row & 7));
        break;
    }
    default: break;
    }
    if (__builtin_expect(!behind, 0))
        return firn_json_value(d, p, node, column);
    firn_avro_column_mark_valid(column, row);
    column->length = row + 1;
    return behind;
}

#endif
