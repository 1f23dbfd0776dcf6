/* Dates, times, base64 and uuids from text of known length: the hot relatives of base/time.h, which want a NUL behind the text. */
#include "json_text.h"

#include "base/time.h"

static inline bool digits2(const uint8_t *p, int *out)
{
    unsigned tens = p[0] - (unsigned)'0', ones = p[1] - (unsigned)'0';
    *out = (int)(tens * 10 + ones);
    return tens <= 9 && ones <= 9;
}

static bool valid_day(int year, int month, int day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    return day <= days[month - 1] + leap;
}

/* YYYY-MM-DD from the first ten bytes. */
static bool plain_date(const uint8_t *p, int32_t *out)
{
    int century, year, month, day;
    if (!digits2(p, &century) || !digits2(p + 2, &year) || p[4] != '-' || !digits2(p + 5, &month) ||
        p[7] != '-' || !digits2(p + 8, &day))
        return false;
    year += century * 100;
    if (!valid_day(year, month, day))
        return false;
    *out = firn_days_from_civil(year, month, day);
    return true;
}

enum { SIGNED_DATE_BYTES_MAX = 17 }; /* "+999999999-12-31" and a NUL */

/* A date in front of `text`, which is moved on. */
static bool take_date(firn_bytes *text, int32_t *out)
{
    size_t len = 10;
    if (text->len > 0 && (text->data[0] == '+' || text->data[0] == '-')) {
        char copy[SIGNED_DATE_BYTES_MAX];
        for (len = 1; len < text->len && text->data[len] >= '0' && text->data[len] <= '9'; len++)
            ;
        len += 6;
        if (len > text->len || len >= sizeof copy)
            return false;
        memcpy(copy, text->data, len);
        copy[len] = '\0';
        if (strlen(copy) != len || !firn_parse_date(copy, out))
            return false;
    } else if (text->len < len || !plain_date(text->data, out)) {
        return false;
    }
    *text = firn_bytes_of(text->data + len, text->len - len);
    return true;
}

bool firn_text_date(firn_bytes text, int32_t *out_days)
{
    return take_date(&text, out_days) && text.len == 0;
}

/* The digits behind a point in units of 1/per_second. */
static const uint8_t *take_fraction(const uint8_t *p, const uint8_t *end, int64_t per_second,
                                    int64_t *out)
{
    const uint8_t *start = p;
    int64_t unit = per_second;
    for (*out = 0; p < end && *p >= '0' && *p <= '9'; p++) {
        unit /= 10;
        *out += (*p - '0') * unit;
    }
    return p - start >= 1 && p - start <= 9 ? p : NULL;
}

/* A time in front of `text`, which is moved on. */
static bool take_time(firn_bytes *text, int64_t per_second, int64_t *out)
{
    const uint8_t *p = text->data, *end = p + text->len;
    int hour, minute, second = 0;
    int64_t fraction = 0;
    if (text->len < 5 || !digits2(p, &hour) || p[2] != ':' || !digits2(p + 3, &minute) ||
        hour > 23 || minute > 59)
        return false;
    p += 5;
    if (p < end && *p == ':') {
        if (end - p < 3 || !digits2(p + 1, &second) || second > 59)
            return false;
        p += 3;
        if (p < end && (*p == '.' || *p == ',')) {
            p = take_fraction(p + 1, end, per_second, &fraction);
            if (!p)
                return false;
        }
    }
    *out = ((hour * 60 + minute) * 60 + second) * per_second + fraction;
    *text = firn_bytes_of(p, (size_t)(end - p));
    return true;
}

/* "Z" or "+hh[[:]mm]", up to 18 hours; all of `text`. */
static bool whole_zone(firn_bytes text, int *offset_minutes)
{
    const uint8_t *p = text.data;
    int hours, minutes = 0;
    *offset_minutes = 0;
    if (text.len == 1)
        return (*p | 0x20) == 'z';
    if (text.len < 3 || (*p != '+' && *p != '-') || !digits2(p + 1, &hours))
        return false;
    if (text.len != 3) {
        size_t at = p[3] == ':' ? 4 : 3;
        if (text.len != at + 2 || !digits2(p + at, &minutes) || minutes > 59)
            return false;
    }
    *offset_minutes = (*p == '-' ? -1 : 1) * (hours * 60 + minutes);
    return hours * 60 + minutes <= 18 * 60;
}

bool firn_text_time(firn_bytes text, int64_t per_second, int64_t *out)
{
    int offset_minutes = 0;
    if (!take_time(&text, per_second, out))
        return false;
    return text.len == 0 || (whole_zone(text, &offset_minutes) && offset_minutes == 0);
}

bool firn_text_timestamp(firn_bytes text, int64_t per_second, int64_t *out, bool *has_zone)
{
    int32_t days;
    int64_t of_day = 0;
    int offset_minutes = 0;
    *has_zone = false;
    if (!take_date(&text, &days))
        return false;
    if (text.len > 0) {
        if ((text.data[0] | 0x20) != 't' && text.data[0] != ' ')
            return false;
        text = firn_bytes_of(text.data + 1, text.len - 1);
        if (!take_time(&text, per_second, &of_day))
            return false;
        *has_zone = text.len > 0;
        if (*has_zone && !whole_zone(text, &offset_minutes))
            return false;
    }
    of_day -= offset_minutes * 60 * per_second;
    __int128 sum = (__int128)days * 86400 * per_second + of_day;
    *out = (int64_t)sum;
    return sum >= INT64_MIN && sum <= INT64_MAX;
}

/* ---- bytes ---- */

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool firn_text_base64(firn_bytes text, uint8_t *out, size_t *out_len)
{
    size_t len = text.len, n = 0;
    if (len % 4 == 0) { /* padding completes a group of four */
        len -= len > 0 && text.data[len - 1] == '=';
        len -= len < text.len && text.data[len - 1] == '=';
    }
    if (len % 4 == 1)
        return false;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[n++] = (uint8_t)(bits >> count);
        }
    }
    *out_len = n;
    return true;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool firn_text_uuid(firn_bytes text, uint8_t *out)
{
    if (text.len != 36)
        return false;
    for (size_t at = 0, n = 0; at < text.len; at += 2) {
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            if (text.data[at++] != '-')
                return false;
        }
        int high = hex_digit(text.data[at]), low = hex_digit(text.data[at + 1]);
        if (high < 0 || low < 0)
            return false;
        out[n++] = (uint8_t)(high << 4 | low);
    }
    return true;
}
