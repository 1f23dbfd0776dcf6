/* JSON tokens: strings with their escapes, numbers exactly, values passed over. */
#include "json_scan.h"

#include <math.h>
#include <stdlib.h>

const uint8_t *firn_json_fail(firn_json_scan *scan, const uint8_t *where, firn_rc rc,
                              const char *why)
{
    if (scan->rc == FIRN_OK) {
        scan->rc = rc;
        scan->where = where;
        scan->why = why;
    }
    return NULL;
}

const uint8_t *firn_json_unexpected(firn_json_scan *scan, const uint8_t *p, const char *why)
{
    return firn_json_fail(scan, p, FIRN_E_CORRUPT, p < scan->end ? why : "the text is cut off");
}

/* ---- strings ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* A code point as \uXXXX or a pair of them; `p` is behind the u, the result behind the last digit. NULL: malformed, or half a pair. */
static const uint8_t *unicode_escape(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    int32_t first = hex4(p, end);
    if (first < 0 || (first & 0xFC00) == 0xDC00)
        return NULL;
    *out = (uint32_t)first;
    if ((first & 0xFC00) != 0xD800)
        return p + 4;
    if (end - p < 10 || p[4] != '\\' || p[5] != 'u')
        return NULL;
    int32_t second = hex4(p + 6, end);
    if (second < 0 || (second & 0xFC00) != 0xDC00)
        return NULL;
    *out = 0x10000 + ((uint32_t)(first & 0x3FF) << 10 | (uint32_t)(second & 0x3FF));
    return p + 10;
}

/* What a backslash and this letter stand for; 0: not an escape of one character. */
static uint8_t simple_escape(uint8_t letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/': return letter;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

/* `p` is at the backslash. */
static const uint8_t *check_escape(firn_json_scan *scan, const uint8_t *p)
{
    uint32_t code_point;
    if (scan->end - p < 2)
        return firn_json_unexpected(scan, scan->end, "");
    if (simple_escape(p[1]))
        return p + 2;
    if (p[1] != 'u')
        return firn_json_fail(scan, p, FIRN_E_CORRUPT, "an escape that JSON does not have");
    const uint8_t *behind = unicode_escape(p + 2, scan->end, &code_point);
    if (!behind) {
        return firn_json_fail(scan, p, FIRN_E_CORRUPT,
                              "a \\u escape without four digits, or half a surrogate pair");
    }
    return behind;
}

const uint8_t *firn_json_string(firn_json_scan *scan, const uint8_t *p, firn_json_raw *out)
{
    const uint8_t *start = p;
    uint64_t not_ascii = 0;
    out->escaped = false;
    for (;;) {
        while (scan->end - p >= FIRN_JSON_BLOCK) {
            uint64_t high;
            uint64_t stop = firn_json_block(p, NULL, &high);
            if (stop) {
                int plain = __builtin_ctzll(stop);
                not_ascii |= high & (((uint64_t)1 << plain) - 1);
                p += plain / FIRN_JSON_BLOCK_BITS;
                break;
            }
            not_ascii |= high;
            p += FIRN_JSON_BLOCK;
        }
        for (; p < scan->end && firn_json_is_plain(*p); p++)
            not_ascii |= *p >> 7;
        if (p == scan->end || *p < 0x20)
            return firn_json_unexpected(scan, p, "a control character in a string");
        if (*p == '"')
            break;
        out->escaped = true;
        p = check_escape(scan, p);
        if (!p)
            return NULL;
    }
    out->ascii = !not_ascii;
    out->text = firn_bytes_of(start, (size_t)(p - start));
    if (!out->ascii && !firn_utf8_valid(out->text))
        return firn_json_fail(scan, start, FIRN_E_CORRUPT, "a string that is not valid UTF-8");
    return p + 1;
}

static size_t put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* No escape is shorter than what it stands for, so writing never overtakes reading. */
size_t firn_json_unescape(firn_bytes raw, uint8_t *out)
{
    const uint8_t *p = raw.data, *end = raw.data + raw.len;
    size_t len = 0;
    while (p < end) {
        if (*p != '\\') {
            out[len++] = *p++;
        } else if (p[1] != 'u') {
            out[len++] = simple_escape(p[1]);
            p += 2;
        } else {
            uint32_t code_point = 0;
            p = unicode_escape(p + 2, end, &code_point);
            len += put_utf8(out + len, code_point);
        }
    }
    return len;
}

/* ---- numbers ---- */

enum { MANTISSA_DIGITS = 19 }; /* any that many fit 64 bits */

static const uint8_t *take_digits(const uint8_t *p, const uint8_t *end, uint64_t *mantissa)
{
    uint64_t value = *mantissa;
    while (p < end && (uint8_t)(*p - '0') <= 9)
        value = value * 10 + (uint8_t)(*p++ - '0');
    *mantissa = value;
    return p;
}

/* `p` is behind the e. */
static const uint8_t *take_exponent(firn_json_scan *scan, const uint8_t *p, firn_json_number *out)
{
    bool negative = p < scan->end && *p == '-';
    if (p < scan->end && (*p == '-' || *p == '+'))
        p++;
    const uint8_t *digits = p;
    int64_t exponent = 0;
    for (; p < scan->end && *p >= '0' && *p <= '9'; p++) {
        if (exponent < INT32_MAX)
            exponent = exponent * 10 + (*p - '0');
    }
    if (p == digits)
        return firn_json_unexpected(scan, p, "a number whose exponent has no digits");
    exponent = out->exponent + (negative ? -exponent : exponent);
    if (exponent > INT32_MAX || exponent < INT32_MIN)
        out->cut = true;
    else
        out->exponent = (int32_t)exponent;
    return p;
}

/* Digits without the point and without zeros in front. */
static size_t significant_digits(const uint8_t *p, const uint8_t *end)
{
    size_t n = 0;
    for (; p < end; p++) {
        if (*p != '.' && (n > 0 || *p != '0'))
            n++;
    }
    return n;
}

const uint8_t *firn_json_number_scan(firn_json_scan *scan, const uint8_t *p, firn_json_number *out)
{
    const uint8_t *end = scan->end, *start = p;
    *out = (firn_json_number){.whole = true};
    if (p < end && *p == '-') {
        out->negative = true;
        p++;
    }
    const uint8_t *digits = p;
    p = take_digits(p, end, &out->mantissa);
    if (p == digits)
        return firn_json_unexpected(scan, p, "no JSON value starts like this");
    if (*digits == '0' && p - digits > 1)
        return firn_json_fail(scan, digits, FIRN_E_CORRUPT, "a number with zeros in front");
    if (p < end && *p == '.') {
        const uint8_t *fraction = ++p;
        p = take_digits(p, end, &out->mantissa);
        if (p == fraction)
            return firn_json_unexpected(scan, p, "a number without digits behind its point");
        if (p - fraction > INT32_MAX)
            return firn_json_fail(scan, digits, FIRN_E_LIMIT, "a number of 2^31 digits");
        out->exponent = -(int32_t)(p - fraction);
        out->whole = false;
    }
    if (p - digits > MANTISSA_DIGITS && significant_digits(digits, p) > MANTISSA_DIGITS)
        out->cut = true;
    if (p < end && (*p | 0x20) == 'e') {
        out->whole = false;
        p = take_exponent(scan, p + 1, out);
        if (!p)
            return NULL;
    }
    out->text = firn_bytes_of(start, (size_t)(p - start));
    return p;
}

const uint64_t firn_json_tens[FIRN_JSON_TENS] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};
enum { POWER_MAX = FIRN_JSON_TENS - 1 };

/* m / 10^k, rounded once: the quotient has at least 64 bits, and a remainder counts as one more bit behind them. */
static double divide_exactly(uint64_t m, int k)
{
    if (m == 0)
        return 0;
    int shift = 64 + __builtin_clzll(m);
    unsigned __int128 wide = (unsigned __int128)m << shift;
    unsigned __int128 quotient = wide / firn_json_tens[k];
    if (quotient * firn_json_tens[k] != wide)
        quotient |= 1;
    return ldexp((double)quotient, -shift);
}

static bool slow_double(firn_bytes text, double *out)
{
    char small[64];
    char *copy = text.len < sizeof small ? small : firn_malloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, NULL);
    if (copy != small)
        free(copy);
    return isfinite(*out);
}

bool firn_json_number_double(const firn_json_number *number, double *out)
{
    const uint64_t exact_max = (uint64_t)1 << 53;
    uint64_t m = number->mantissa;
    int exponent = number->exponent;
    if (number->cut || exponent < -POWER_MAX || exponent > POWER_MAX)
        return slow_double(number->text, out);
    double value;
    if (exponent == 0)
        value = (double)m;
    else if (exponent > 0)
        value = (double)((unsigned __int128)m * firn_json_tens[exponent]);
    else if (m <= exact_max) /* 10^19 is a double, too: two exact operands, one rounding */
        value = (double)m / (double)firn_json_tens[-exponent];
    else
        value = divide_exactly(m, -exponent);
    *out = number->negative ? -value : value;
    return true;
}

bool firn_json_number_i64(const firn_json_number *number, int64_t *out)
{
    __int128 value;
    if (number->whole && !number->cut) {
        value = number->mantissa;
        value = number->negative ? -value : value;
    } else if (!firn_json_decimal(number->text, MANTISSA_DIGITS, 0, &value)) {
        return false;
    }
    *out = (int64_t)value;
    return value >= INT64_MIN && value <= INT64_MAX;
}

/* The parts of a number's text: its digits d as if there were no point, and value = d * 10^exponent. */
typedef struct decimal_parts {
    bool negative;
    const uint8_t *digits, *end; /* a point may be among them; no zeros in front */
    int64_t count;               /* digits */
    int64_t exponent;
} decimal_parts;

static decimal_parts split_decimal(firn_bytes text)
{
    const uint8_t *p = text.data, *end = text.data + text.len;
    decimal_parts parts = {.negative = *p == '-'};
    p += parts.negative;
    bool point = false;
    const uint8_t *q = p;
    for (; q < end && (*q | 0x20) != 'e'; q++) {
        if (*q == '.')
            point = true;
        else
            parts.exponent -= point;
    }
    parts.end = q;
    while (p < parts.end && (*p == '0' || *p == '.'))
        p++;
    parts.digits = p;
    for (; p < parts.end; p++)
        parts.count += *p != '.';
    if (q < end) {
        bool minus = *++q == '-';
        q += minus || *q == '+';
        int64_t exponent = 0;
        for (; q < end; q++) {
            if (exponent < INT32_MAX)
                exponent = exponent * 10 + (*q - '0');
        }
        parts.exponent += minus ? -exponent : exponent;
    }
    return parts;
}

bool firn_json_decimal(firn_bytes text, int precision, int scale, __int128 *out)
{
    decimal_parts parts = split_decimal(text);
    int64_t shift = parts.exponent + scale; /* zeros to put behind the digits, or digits to drop */
    *out = 0;
    if (parts.count == 0)
        return true;
    int64_t kept = parts.count + (shift < 0 ? shift : 0);
    if (kept < 0 || parts.count + shift > precision)
        return false;
    __int128 value = 0;
    for (const uint8_t *p = parts.digits; p < parts.end; p++) {
        if (*p == '.')
            continue;
        if (kept-- > 0)
            value = value * 10 + (*p - '0');
        else if (*p != '0')
            return false;
    }
    for (; shift > 0; shift--)
        value *= 10;
    *out = parts.negative ? -value : value;
    return true;
}

/* ---- anything ---- */

const uint8_t *firn_json_literal(firn_json_scan *scan, const uint8_t *p, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(scan->end - p) < len || memcmp(p, word, len) != 0)
        return firn_json_fail(scan, p, FIRN_E_CORRUPT, "no JSON value starts like this");
    return p + len;
}

static const uint8_t *skip_scalar(firn_json_scan *scan, const uint8_t *p)
{
    firn_json_raw raw;
    firn_json_number number;
    switch (p < scan->end ? *p : 0) {
    case '"': return firn_json_string(scan, p + 1, &raw);
    case 't': return firn_json_literal(scan, p, "true");
    case 'f': return firn_json_literal(scan, p, "false");
    case 'n': return firn_json_literal(scan, p, "null");
    default: return firn_json_number_scan(scan, p, &number);
    }
}

/* A member's name and its colon. */
static const uint8_t *skip_name(firn_json_scan *scan, const uint8_t *p)
{
    firn_json_raw raw;
    p = firn_json_space(p, scan->end);
    if (p == scan->end || *p != '"')
        return firn_json_unexpected(scan, p, "a member's name in quotes must stand here");
    p = firn_json_string(scan, p + 1, &raw);
    if (!p)
        return NULL;
    p = firn_json_space(p, scan->end);
    if (p == scan->end || *p != ':')
        return firn_json_unexpected(scan, p, "a colon must stand here");
    return firn_json_space(p + 1, scan->end);
}

/* Behind a value: closes what ends here, and goes to where the next value starts. `kinds` holds a bit for each open level, the lowest
 * for the innermost: 1 an object, 0 an array. */
static const uint8_t *skip_behind(firn_json_scan *scan, const uint8_t *p, uint64_t *kinds,
                                  int *open)
{
    while (*open > 0) {
        bool object = *kinds & 1;
        p = firn_json_space(p, scan->end);
        if (p < scan->end && *p == ',')
            return object ? skip_name(scan, p + 1) : firn_json_space(p + 1, scan->end);
        if (p == scan->end || *p != (object ? '}' : ']'))
            return firn_json_unexpected(scan, p, "a comma or a closing bracket must stand here");
        p++;
        *kinds >>= 1;
        --*open;
    }
    return p;
}

const uint8_t *firn_json_skip(firn_json_scan *scan, const uint8_t *p, int depth)
{
    uint64_t kinds = 0;
    int open = 0;
    if (depth > 64)
        depth = 64;
    do {
        if (p < scan->end && (*p == '{' || *p == '[')) {
            bool object = *p == '{';
            if (open == depth)
                return firn_json_fail(scan, p, FIRN_E_LIMIT, "values nested too deeply");
            kinds = kinds << 1 | object;
            open++;
            p = firn_json_space(p + 1, scan->end);
            bool empty = p < scan->end && *p == (object ? '}' : ']');
            if (!empty) {
                p = object ? skip_name(scan, p) : p;
                if (!p)
                    return NULL;
                continue;
            }
            p++;
            kinds >>= 1;
            open--;
        } else {
            p = skip_scalar(scan, p);
            if (!p)
                return NULL;
        }
        p = skip_behind(scan, p, &kinds, &open);
        if (!p)
            return NULL;
    } while (open > 0);
    return p;
}
