/* Numbers and instants as text, to the letter as the Java implementation prints them: partition paths and
 * metadata tables must agree between engines. */
#include "value_private.h"

#include "base/time.h"

#include <inttypes.h>
#include <math.h>

/* ---- decimals ---- */

static const char zeros[] = "0000000000000000000000000000000000000000";

/* Digits without sign or point; gives their count. `out` has room for 40. */
static size_t decimal_digits(__int128 unscaled, char *out)
{
    unsigned __int128 rest =
        unscaled < 0 ? -(unsigned __int128)unscaled : (unsigned __int128)unscaled;
    char reversed[40];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    out[n] = '\0';
    return n;
}

char *firn_decimal_plain(firn_arena *arena, __int128 unscaled, int scale)
{
    char digits[41];
    size_t n = decimal_digits(unscaled, digits);
    const char *sign = unscaled < 0 ? "-" : "";
    if (scale <= 0)
        return firn_arena_printf(arena, "%s%s%.*s", sign, digits, unscaled ? -scale : 0, zeros);
    if (n <= (size_t)scale)
        return firn_arena_printf(arena, "%s0.%.*s%s", sign, scale - (int)n, zeros, digits);
    return firn_arena_printf(arena, "%s%.*s.%s", sign, (int)(n - (size_t)scale), digits,
                             digits + n - (size_t)scale);
}

char *firn_decimal_java(firn_arena *arena, __int128 unscaled, int scale)
{
    char digits[41];
    size_t n = decimal_digits(unscaled, digits);
    int exponent = (int)n - 1 - scale;
    if (scale >= 0 && exponent >= -6)
        return firn_decimal_plain(arena, unscaled, scale);
    return firn_arena_printf(arena, "%s%c%s%sE%+d", unscaled < 0 ? "-" : "", digits[0],
                             n > 1 ? "." : "", digits + 1, exponent);
}

/* One digit more, false on overflow. */
static bool push_digit(__int128 *number, int digit)
{
    return !__builtin_mul_overflow(*number, (__int128)10, number) &&
           !__builtin_add_overflow(*number, (__int128)digit, number);
}

bool firn_decimal_parse(const char *text, int scale, __int128 *out)
{
    bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    __int128 number = 0;
    int64_t point_digits = 0, exponent = 0;
    bool seen_digit = false, seen_point = false;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !seen_point); text++) {
        if (*text == '.') {
            seen_point = true;
            continue;
        }
        seen_digit = true;
        point_digits += seen_point;
        if (!push_digit(&number, *text - '0'))
            return false;
    }
    if (*text == 'e' || *text == 'E') {
        if (!firn_parse_i64(text[1] == '+' ? text + 2 : text + 1, &exponent) || exponent < -1000 ||
            exponent > 1000)
            return false;
        text = "";
    }
    if (!seen_digit || *text != '\0')
        return false;
    int64_t shift = (int64_t)scale - point_digits + exponent;
    for (; shift > 0 && number != 0; shift--) {
        if (!push_digit(&number, 0))
            return false;
    }
    for (; shift < 0 && number != 0; shift++) {
        if (number % 10 != 0)
            return false;
        number /= 10;
    }
    *out = negative ? -number : number;
    return true;
}

/* ---- floating point ---- */

/* The fewest digits, but at least two, that read back as the same number, "d.ddde[+-]xx". Two, because Java
 * picks the nearest two-digit number where one digit would do: 4.9E-324, not 5.0E-324. */
static void shortest_scientific(double value, bool single, char *out, size_t size)
{
    for (int digits = 1; digits <= 16; digits++) {
        snprintf(out, size, "%.*e", digits, value);
        if (single ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value)
            return;
    }
}

char *firn_double_java(firn_arena *arena, double value, bool single)
{
    if (isnan(value))
        return firn_arena_strdup(arena, "NaN");
    if (isinf(value))
        return firn_arena_strdup(arena, value < 0 ? "-Infinity" : "Infinity");
    const char *sign = signbit(value) ? "-" : "";
    if (value == 0)
        return firn_arena_printf(arena, "%s0.0", sign);

    char text[40];
    shortest_scientific(fabs(value), single, text, sizeof(text));
    char *mark = strchr(text, 'e');
    int exponent = (int)strtol(mark + 1, NULL, 10);
    *mark = '\0';
    char digits[24] = {text[0]};
    if (text[1] == '.')
        snprintf(digits + 1, sizeof(digits) - 1, "%.17s", text + 2);
    int n = (int)strlen(digits);
    while (n > 1 && digits[n - 1] == '0')
        digits[--n] = '\0';

    if (exponent < -3 || exponent >= 7)
        return firn_arena_printf(arena, "%s%c.%sE%d", sign, digits[0], n > 1 ? digits + 1 : "0",
                                 exponent);
    if (exponent < 0)
        return firn_arena_printf(arena, "%s0.%.*s%s", sign, -exponent - 1, "00", digits);
    if (n <= exponent + 1)
        return firn_arena_printf(arena, "%s%s%.*s.0", sign, digits, exponent + 1 - n, "0000000");
    return firn_arena_printf(arena, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
}

/* ---- instants ---- */

char *firn_iso_date(firn_arena *arena, int32_t days)
{
    firn_civil civil;
    firn_civil_from_days(days, &civil);
    const char *sign = civil.year < 0 ? "-" : civil.year > 9999 ? "+" : "";
    return firn_arena_printf(arena, "%s%04" PRId64 "-%02d-%02d", sign,
                             civil.year < 0 ? -(int64_t)civil.year : (int64_t)civil.year,
                             civil.month, civil.day);
}

/* "hh:mm:ss" and as many digits of the fraction as it has. */
static char *format_clock(firn_arena *arena, int64_t second_of_day, int32_t nanos)
{
    char fraction[12] = "";
    if (nanos > 0) {
        int n = snprintf(fraction, sizeof(fraction), ".%09d", nanos);
        while (n > 1 && fraction[n - 1] == '0')
            fraction[--n] = '\0';
    }
    return firn_arena_printf(arena, "%02d:%02d:%02d%s", (int)(second_of_day / 3600),
                             (int)(second_of_day / 60 % 60), (int)(second_of_day % 60), fraction);
}

char *firn_iso_time(firn_arena *arena, int64_t us_of_day)
{
    return format_clock(arena, us_of_day / 1000000, (int32_t)(us_of_day % 1000000) * 1000);
}

char *firn_iso_timestamp(firn_arena *arena, firn_type_id type, int64_t value)
{
    int64_t per_second = firn_type_is_nano(type) ? 1000000000 : 1000000;
    bool zone = type == FIRN_TYPE_TIMESTAMPTZ || type == FIRN_TYPE_TIMESTAMPTZ_NS;
    int64_t seconds = firn_floor_div(value, per_second);
    int32_t nanos = (int32_t)((value - seconds * per_second) * (1000000000 / per_second));
    int64_t days = firn_floor_div(seconds, 86400);
    return firn_arena_printf(arena, "%sT%s%s", firn_iso_date(arena, (int32_t)days),
                             format_clock(arena, seconds - days * 86400, nanos),
                             zone ? "+00:00" : "");
}

char *firn_local_time_java(firn_arena *arena, int64_t us_of_day)
{
    int32_t us = (int32_t)(us_of_day % 1000000);
    int64_t second_of_day = us_of_day / 1000000;
    char *text = format_clock(arena, second_of_day, 0);
    if (us == 0) {
        if (second_of_day % 60 == 0)
            text[5] = '\0';
        return text;
    }
    return us % 1000 == 0 ? firn_arena_printf(arena, "%s.%03d", text, us / 1000)
                          : firn_arena_printf(arena, "%s.%06d", text, us);
}
