/* The values that most rows are made of: short ways for plain texts, numbers, flags and instants in the form that most writers use. Private to
 * json_*.c.
 *
 * firn_json_quick takes a value of a column whose node has a quick way. What is not as expected in any respect (an escape, a number of many
 * digits, an error) is left to firn_json_value, which knows all of JSON: so a quick way may give up at any point, but before it appends. That both give the same is checked by
 * fuzz/json_columns_fuzz.c.
 *
 * Digits are read eight at a time, without a branch on how many there are: a number's length is what a processor guesses worst.
 */
#ifndef FIRN_FORMAT_JSON_QUICK_H
#define FIRN_FORMAT_JSON_QUICK_H

#include "json_decoding.h"
#include "json_text.h"

/* ---- digits ---- */

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

/* The same of sixteen bytes. */
static inline __attribute__((always_inline)) unsigned firn_json_digits16(const uint8_t *p,
                                                                         bool wide, uint64_t *value)
{
#ifdef FIRN_JSON_HAS_WIDE
    if (wide)
        return firn_json_wide_digits(p, value);
#endif
    (void)wide;
    uint64_t low;
    unsigned count = firn_json_digits(p, value);
    if (count == 8) {
        unsigned more = firn_json_digits(p + 8, &low);
        *value = *value * firn_json_tens[more] + low;
        count += more;
    }
    return count;
}

/* Whether so many digits are no number's beginning: none, or several of which the first is a zero. */
static inline bool firn_json_is_no_start(const uint8_t *p, unsigned count)
{
    return count == 0 || (*p == '0' && count > 1);
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

/* Up to 16 digits. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_whole(const uint8_t *p,
                                                                                  bool wide,
                                                                                  int64_t *out)
{
    uint64_t value;
    bool negative = *p == '-';
    p += negative;
    unsigned count = firn_json_digits16(p, wide, &value);
    if (firn_json_is_no_start(p, count) || firn_json_goes_on(p[count]))
        return NULL;
    *out = firn_json_signed(value, negative);
    return p + count;
}

/* Digits with a point, perhaps, and no more than 15 of them or, without AVX2, 8 in front of the point and 8 behind it: how many there are in
 * front and behind, and the number that all are. Digits may follow. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_number_parts(
    const uint8_t *p, bool wide, uint64_t *value, unsigned *whole, unsigned *fraction)
{
    unsigned len;
#ifdef FIRN_JSON_HAS_WIDE
    if (wide) {
        len = firn_json_wide_number(p, value, whole, fraction);
        return len == 0 || (*p == '0' && *whole > 1) ? NULL : p + len;
    }
#endif
    (void)wide;
    uint64_t low;
    len = *whole = firn_json_digits(p, value);
    *fraction = 0;
    if (firn_json_is_no_start(p, len))
        return NULL;
    if (p[len] == '.') {
        *fraction = firn_json_digits(p + len + 1, &low);
        *value = *value * firn_json_tens[*fraction] + low;
        len += 1 + *fraction;
        if (*fraction == 0)
            return NULL;
    }
    return p + len;
}

/* Up to 8 digits in front of the point, of a column whose scale lets the number fit 63 bits. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_decimal(
    const uint8_t *p, bool wide, const firn_json_node *node, int64_t *out)
{
    enum { WHOLE_MAX = 8 };
    uint64_t value;
    unsigned whole, fraction;
    bool negative = *p == '-';
    p = firn_json_number_parts(p + negative, wide, &value, &whole, &fraction);
    if (!p || whole > WHOLE_MAX || fraction > node->quick_scale || firn_json_goes_on(*p))
        return NULL;
    value *= firn_json_tens[node->quick_scale - fraction];
    if (value >= node->quick_limit)
        return NULL;
    *out = firn_json_signed(value, negative);
    return p;
}

/* digits / 10^scale (0 < digits, 1 <= scale <= 19), rounded once; false where the 64 bits of
 * 2^x / 10^scale that are multiplied here do not tell which way to round. */
static inline __attribute__((always_inline)) bool firn_json_quick_scale(uint64_t digits,
                                                                        unsigned scale, double *out)
{
    /* The first 64 bits of 2^(63 + shift) / 10^scale, what follows cut off. */
    static const struct {
        uint64_t factor;
        int shift;
    } parts[] = {
        {0x8000000000000000, 0},  {0xCCCCCCCCCCCCCCCC, 4},  {0xA3D70A3D70A3D70A, 7},
        {0x83126E978D4FDF3B, 10}, {0xD1B71758E219652B, 14}, {0xA7C5AC471B478423, 17},
        {0x8637BD05AF6C69B5, 20}, {0xD6BF94D5E57A42BC, 24}, {0xABCC77118461CEFC, 27},
        {0x89705F4136B4A597, 30}, {0xDBE6FECEBDEDD5BE, 34}, {0xAFEBFF0BCB24AAFE, 37},
        {0x8CBCCC096F5088CB, 40}, {0xE12E13424BB40E13, 44}, {0xB424DC35095CD80F, 47},
        {0x901D7CF73AB0ACD9, 50}, {0xE69594BEC44DE15B, 54}, {0xB877AA3236A4B449, 57},
        {0x9392EE8E921D5D07, 60}, {0xEC1E4A7DB69561A5, 64},
    };
    enum { MANTISSA_BITS = 53, BIAS = 1023 };
    int zeros = __builtin_clzll(digits);
    unsigned __int128 product = (unsigned __int128)(digits << zeros) * parts[scale].factor;
    uint64_t high = (uint64_t)(product >> 64); /* less than 2 below what it stands for */
    int dropped = 64 - MANTISSA_BITS - !(high >> 63);
    uint64_t half = (uint64_t)1 << (dropped - 1), rest = high & (2 * half - 1);
    if (rest - (half - 1) <= 1)
        return false;
    double mantissa = (double)(int64_t)((high >> dropped) + (rest > half)), power;
    uint64_t power_bits = (uint64_t)(BIAS + dropped + 1 - parts[scale].shift - zeros)
                          << (MANTISSA_BITS - 1);
    memcpy(&power, &power_bits, sizeof power);
    *out = mantissa * power;
    return true;
}

/* Up to 19 digits, of which up to 15 stand in front of the point. Digits that are exact as a double, and so is the power of ten to divide them by:
 * it is rounded once. Longer ones by multiplying. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_double(const uint8_t *p,
                                                                                   bool wide,
                                                                                   double *out)
{
    enum { DIGITS_MAX = 19 }; /* any that many fit 64 bits */
    static const double tens[DIGITS_MAX + 1] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    uint64_t value, low;
    unsigned whole, fraction;
    double number;
    bool negative = *p == '-', small = p[negative] == '0';
    p = firn_json_number_parts(p + negative, wide, &value, &whole, &fraction);
    if (!p)
        return NULL;
    if (firn_json_goes_on(*p)) {
        unsigned more = firn_json_digits(p, &low), last = 0;
        value = value * firn_json_tens[more] + low;
        if (!wide && more == 8) {
            last = firn_json_digits(p + 8, &low);
            value = value * firn_json_tens[last] + low;
        }
        p += more + last;
        fraction += more + last;
        if (fraction == more + last || (small ? 0 : whole) + fraction > DIGITS_MAX ||
            firn_json_goes_on(*p))
            return NULL;
    }
    if (value <= (uint64_t)1 << 53)
        number = (double)(int64_t)value / tens[fraction];
    else if (!firn_json_quick_scale(value, fraction, &number))
        return NULL;
    *out = negative ? -number : number;
    return p;
}

/* ---- flags and instants ---- */

/* Without a branch on which it is. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_bool(const uint8_t *p,
                                                                                 bool *out)
{
    const uint32_t yes = 0x65757274, no = 0x736C6166; /* "true", "fals" */
    uint32_t word;
    memcpy(&word, p, sizeof word);
    *out = word == yes;
    uint32_t mask = (uint32_t)*out - 1; /* of what counts when it is not true */
    uint32_t other = (word ^ yes ^ ((yes ^ no) & mask)) | ((p[4] ^ (uint32_t)'e') & mask);
    return other ? NULL : p + 5 - *out;
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
    firn_avro_batch *batch, const uint8_t *p, bool wide, const firn_json_node *node, int64_t *out)
{
    enum { BYTES = 25, DATE_BYTES = 10 };
    const uint8_t *behind = p + BYTES;
    if (p[24] != '"') {
        if (p[24] != 'Z' || node->local || p[25] != '"')
            return NULL;
        behind++;
    }
#ifdef FIRN_JSON_HAS_WIDE
    int64_t clock_ms = wide ? firn_json_wide_clock(p + 12) : firn_json_clock(p + 12);
#else
    (void)wide;
    int64_t clock_ms = firn_json_clock(p + 12);
#endif
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

/* A text of any length that may not be ASCII, and one in ASCII of which the first step is copied. */
const uint8_t *firn_json_any_text(const firn_json_decoding *d, const uint8_t *p, const uint8_t *end,
                                  firn_avro_column *column, int64_t row);
const uint8_t *firn_json_long_text(const uint8_t *p, const uint8_t *end, firn_avro_column *column,
                                   int64_t row);
#ifdef FIRN_JSON_HAS_WIDE
const uint8_t *firn_json_any_text_wide(const firn_json_decoding *d, const uint8_t *p,
                                       const uint8_t *end, firn_avro_column *column, int64_t row);
const uint8_t *firn_json_long_text_wide(const uint8_t *p, const uint8_t *end,
                                        firn_avro_column *column, int64_t row);
#else
#define firn_json_any_text_wide  firn_json_any_text
#define firn_json_long_text_wide firn_json_long_text
#endif

/* A text in ASCII of one step, as most are. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_text(
    const firn_json_decoding *d, const uint8_t *p, const uint8_t *end, bool wide,
    firn_avro_column *column, int64_t row)
{
    int32_t *offset = column->offsets + row, at = *offset;
    if (*p != '"' || column->data_cap - at < FIRN_JSON_STEP)
        return NULL;
    uint64_t stop = firn_json_ascii(p + 1, true, column->data + at, wide);
    if (__builtin_expect(stop != 0, 1)) {
        int len = __builtin_ctzll(stop) / FIRN_JSON_STEP_BITS;
        if (__builtin_expect(p[1 + len] == '"', 1)) {
            offset[1] = at + len;
            return p + len + 2;
        }
    } else {
        const uint8_t *behind = wide ? firn_json_long_text_wide(p, end, column, row)
                                     : firn_json_long_text(p, end, column, row);
        if (behind)
            return behind;
    }
    return wide ? firn_json_any_text_wide(d, p, end, column, row)
                : firn_json_any_text(d, p, end, column, row);
}

/* ---- any ---- */

/* Row `row` of the column, from any value but one that is for firn_json_value: NULL. FIRN_JSON_QUICK_BYTES must be there to be read, whatever
 * they are, and texts are read up to `end`. The row's room must be there; its validity and the column's length are left to the caller. `wide`:
 * the caller was compiled for AVX2 (FIRN_JSON_WIDE). */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick(
    const firn_json_decoding *d, const uint8_t *p, const uint8_t *end, bool wide,
    const firn_json_node *node, firn_avro_column *column, int64_t row)
{
    const uint8_t *behind = NULL;
    int64_t whole = 0;
    double real = 0;
    bool flag = false;
    switch (node->quick) {
    case FIRN_JSON_TEXT: return firn_json_quick_text(d, p, end, wide, column, row);
    case FIRN_JSON_INT64:
        behind = firn_json_quick_whole(p, wide, &whole);
        if (behind)
            ((int64_t *)(void *)column->data)[row] = whole;
        return behind;
    case FIRN_JSON_INT32:
        behind = firn_json_quick_whole(p, wide, &whole);
        if (!behind || whole != (int32_t)whole)
            return NULL;
        ((int32_t *)(void *)column->data)[row] = (int32_t)whole;
        return behind;
    case FIRN_JSON_DOUBLE:
        behind = firn_json_quick_double(p, wide, &real);
        if (behind)
            ((double *)(void *)column->data)[row] = real;
        return behind;
    case FIRN_JSON_DECIMAL:
        behind = firn_json_quick_decimal(p, wide, node, &whole);
        if (!behind)
            return NULL;
        ((int64_t *)(void *)column->data)[2 * row] = whole;
        ((int64_t *)(void *)column->data)[2 * row + 1] = whole >> 63;
        return behind;
    case FIRN_JSON_TIMESTAMP:
        behind = firn_json_quick_timestamp(d->batch, p, wide, node, &whole);
        if (behind)
            ((int64_t *)(void *)column->data)[row] = whole;
        return behind;
    case FIRN_JSON_BOOL:
        behind = firn_json_quick_bool(p, &flag);
        if (behind)
            column->data[row >> 3] |= (uint8_t)((unsigned)flag << (row & 7));
        return behind;
    case FIRN_JSON_NOTHING: return NULL;
    default: __builtin_unreachable(); /* json_plan.c says so */
    }
}

/* Past a value that nobody wants, of the plain ones; else NULL. */
static inline __attribute__((always_inline)) const uint8_t *firn_json_quick_skip(const uint8_t *p,
                                                                                 const uint8_t *end,
                                                                                 bool wide)
{
    const uint32_t null = 0x6C6C756E;
    uint64_t value, stop = 0;
    uint32_t word;
    unsigned whole, fraction;
    bool flag;
    switch (*p) {
    case '"':
        for (p++; (stop = firn_json_ascii(p, false, NULL, wide)) == 0; p += FIRN_JSON_STEP) {
            if (end - p < 2 * FIRN_JSON_STEP)
                return NULL;
        }
        p += __builtin_ctzll(stop) / FIRN_JSON_STEP_BITS;
        return *p == '"' ? p + 1 : NULL;
    case 't':
    case 'f': return firn_json_quick_bool(p, &flag);
    case 'n': memcpy(&word, p, sizeof word); return word == null ? p + 4 : NULL;
    default:
        p = firn_json_number_parts(p + (*p == '-'), wide, &value, &whole, &fraction);
        while (p && fraction > 0 && p < end && firn_json_is_digit(*p))
            p++;
        return p && p < end && !firn_json_goes_on(*p) ? p : NULL;
    }
}

/* A null into a column that has a quick way. */
static inline void firn_json_put_null(firn_avro_column *column)
{
    int64_t row = column->length;
    if (column->offsets)
        column->offsets[row + 1] = column->offsets[row];
    else if (column->item_size == sizeof(int64_t))
        memset(column->data + row * (int64_t)sizeof(int64_t), 0, sizeof(int64_t));
    else if (column->item_size > 0)
        memset(column->data + row * column->item_size, 0, (size_t)column->item_size);
    column->null_count++;
    column->length = row + 1;
}

/* A null of a column that has a quick way, appended to it; else NULL. FIRN_JSON_QUICK_BYTES must be there, whatever they are. */
const uint8_t *firn_json_quick_null(const uint8_t *p, const firn_json_node *node,
                                    firn_avro_column *column);

#endif
