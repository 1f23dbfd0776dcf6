/* Text and byte helpers: comparison, splitting, number parsing, hex, SQL quoting, nearest names. None of
 * them depends on the locale.
 */
#include "base/str.h"

#include "base/vec.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

int firn_bytes_cmp(firn_bytes a, firn_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common != 0 ? memcmp(a.data, b.data, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

firn_bytes firn_bytes_dup(firn_arena *arena, firn_bytes bytes)
{
    return firn_bytes_of(firn_arena_memdup(arena, bytes.data, bytes.len), bytes.len);
}

bool firn_strcaseeq(const char *a, const char *b)
{
    while (*a != '\0' && ascii_lower(*a) == ascii_lower(*b)) {
        a++;
        b++;
    }
    return ascii_lower(*a) == ascii_lower(*b);
}

bool firn_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool firn_ends_with(const char *text, const char *suffix)
{
    size_t text_len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return text_len >= suffix_len && memcmp(text + text_len - suffix_len, suffix, suffix_len) == 0;
}

char *firn_str_lower(firn_arena *arena, const char *text)
{
    char *lower = firn_arena_strdup(arena, text);
    for (char *p = lower; *p != '\0'; p++) {
        *p = ascii_lower(*p);
    }
    return lower;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    size_t part_len = strlen(part);
    for (const char *p = strstr(text, part); p != NULL; p = strstr(p + part_len, part)) {
        count++;
    }
    return count;
}

char *firn_str_replace(firn_arena *arena, const char *text, const char *from, const char *to)
{
    size_t from_len = strlen(from);
    size_t to_len = strlen(to);
    size_t count = from_len != 0 ? count_of(text, from) : 0;
    size_t kept = strlen(text) - count * from_len;
    char *replaced = firn_arena_alloc(arena, kept + firn_mul_size(count, to_len) + 1);
    char *out = replaced;
    for (; count > 0; count--) {
        const char *hit = strstr(text, from);
        out = mempcpy(out, text, (size_t)(hit - text));
        out = mempcpy(out, to, to_len);
        text = hit + from_len;
    }
    strcpy(out, text);
    return replaced;
}

char *firn_str_join(firn_arena *arena, const char *const *parts, size_t n, const char *sep)
{
    size_t sep_len = strlen(sep);
    size_t size = 1;
    for (size_t i = 0; i < n; i++) {
        size += strlen(parts[i]) + (i != 0 ? sep_len : 0);
    }
    char *joined = firn_arena_alloc(arena, size);
    char *out = joined;
    for (size_t i = 0; i < n; i++) {
        if (i != 0) {
            out = mempcpy(out, sep, sep_len);
        }
        out = stpcpy(out, parts[i]);
    }
    *out = '\0';
    return joined;
}

char **firn_str_split(firn_arena *arena, const char *text, char sep, size_t *n)
{
    FIRN_VEC(char *) parts = {0};
    for (;;) {
        const char *end = strchrnul(text, sep);
        firn_vec_push(arena, &parts, firn_arena_strndup(arena, text, (size_t)(end - text)));
        if (*end == '\0') {
            break;
        }
        text = end + 1;
    }
    *n = parts.len;
    return parts.items;
}

char *firn_str_trim(firn_arena *arena, const char *text)
{
    while (ascii_space(*text)) {
        text++;
    }
    size_t len = strlen(text);
    while (len > 0 && ascii_space(text[len - 1])) {
        len--;
    }
    return firn_arena_strndup(arena, text, len);
}

bool firn_parse_i64(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    if (*text == '-' || *text == '+') {
        text++;
    }
    if (*text == '\0') {
        return false;
    }
    int64_t value = 0; /* built up with its sign: INT64_MIN has no positive twin */
    for (; *text != '\0'; text++) {
        if (!ascii_digit(*text) || __builtin_mul_overflow(value, 10, &value)) {
            return false;
        }
        int digit = *text - '0';
        if (__builtin_add_overflow(value, negative ? -digit : digit, &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

static size_t digits_at(const char *text)
{
    size_t n = 0;
    while (ascii_digit(text[n])) {
        n++;
    }
    return n;
}

/* [sign] digits [. digits] [e [sign] digits], with at least one digit before the exponent: strtod would
 * also take hex, "nan", "infinity" and leading blanks. */
static bool looks_decimal(const char *p)
{
    p += *p == '-' || *p == '+';
    size_t whole = digits_at(p);
    p += whole;
    size_t fraction = 0;
    if (*p == '.') {
        fraction = digits_at(p + 1);
        p += 1 + fraction;
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        size_t exponent = digits_at(p);
        if (exponent == 0) {
            return false;
        }
        p += exponent;
    }
    return *p == '\0';
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool firn_parse_f64(const char *text, double *out)
{
    if (!looks_decimal(text)) {
        return false;
    }
    /* A line editor or a plug-in may have set a locale whose decimal point is a comma. */
    pthread_once(&c_locale_once, make_c_locale);
    double value = strtod_l(text, NULL, c_locale);
    if (!isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

char *firn_hex(firn_arena *arena, firn_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = firn_arena_alloc(arena, firn_mul_size(bytes.len, 2) + 1);
    for (size_t i = 0; i < bytes.len; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    text[2 * bytes.len] = '\0';
    return text;
}

static int hex_value(char c)
{
    if (ascii_digit(c)) {
        return c - '0';
    }
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool firn_unhex(firn_arena *arena, const char *text, firn_bytes *out)
{
    size_t len = strlen(text);
    if (len % 2 != 0) {
        return false;
    }
    uint8_t *data = firn_arena_alloc(arena, len / 2);
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_value(text[i]);
        int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        data[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out = firn_bytes_of(data, len / 2);
    return true;
}

static char *quote_with(firn_arena *arena, const char *text, char quote)
{
    size_t size = 3;
    for (const char *p = text; *p != '\0'; p++) {
        size += *p == quote ? 2 : 1;
    }
    char *quoted = firn_arena_alloc(arena, size);
    char *out = quoted;
    *out++ = quote;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == quote) {
            *out++ = quote;
        }
        *out++ = *p;
    }
    *out++ = quote;
    *out = '\0';
    return quoted;
}

char *firn_sql_quote(firn_arena *arena, const char *text)
{
    return quote_with(arena, text, '\'');
}

char *firn_sql_ident(firn_arena *arena, const char *name)
{
    return quote_with(arena, name, '"');
}

enum { NEAREST_NAME_BYTES_MAX = 64 };

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance without regard to case; swapping two neighbours counts once (optimal string alignment).
 * Both names are at most NEAREST_NAME_BYTES_MAX long. Three rows of the matrix are alive at a time. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAREST_NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            char ca = ascii_lower(a[i - 1]);
            char cb = ascii_lower(b[j - 1]);
            row[j] = min_size(min_size(above[j], row[j - 1]) + 1, above[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == ascii_lower(b[j - 2]) && cb == ascii_lower(a[i - 2])) {
                row[j] = min_size(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

const char *firn_nearest(const char *name, const char *const *candidates, size_t n)
{
    size_t len = strlen(name);
    if (len == 0 || len > NEAREST_NAME_BYTES_MAX) {
        return NULL;
    }
    /* One slip in a short name, up to a third of a long one, and never more than three. */
    size_t limit = min_size(len <= 4 ? 1 : len / 3, 3);
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t candidate_len = strlen(candidates[i]);
        if (candidate_len > NEAREST_NAME_BYTES_MAX || candidate_len <= limit) {
            continue;
        }
        size_t distance = edit_distance(name, len, candidates[i], candidate_len);
        if (distance < limit || (distance == limit && nearest == NULL)) {
            limit = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
