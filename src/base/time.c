/* Clocks, calendar arithmetic, and ISO 8601 text.
 *
 * Calendar conversions count days in 400-year eras that begin on 1 March, so that the leap day is the last
 * of its year (Howard Hinnant's days_from_civil). Everything computes in int64_t; every value that the
 * types allow is converted without overflow.
 */
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const int64_t us_per_second = 1000000;
static const int64_t us_per_day = 86400 * (int64_t)1000000;
static const int64_t ns_per_day = 86400 * (int64_t)1000000000;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * us_per_second + now.tv_nsec / 1000;
}

int64_t firn_now_us(void)
{
    const char *fake = getenv("FIRN_FAKE_NOW");
    if (fake == NULL) {
        return clock_us(CLOCK_REALTIME);
    }
    int64_t us;
    if (!firn_parse_timestamp(fake, &us, NULL)) {
        fprintf(stderr, "firn: FIRN_FAKE_NOW is no ISO 8601 timestamp: %s\n", fake);
        abort();
    }
    return us;
}

int64_t firn_now_ms(void)
{
    return floor_div(firn_now_us(), 1000);
}

int64_t firn_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void firn_sleep_ms(int64_t ms)
{
    if (ms <= 0) {
        return;
    }
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static int64_t days_of(int64_t year, int month, int64_t day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int32_t firn_days_from_civil(int32_t year, int month, int day)
{
    assert(month >= 1 && month <= 12);
    int64_t days = days_of(year, month, day);
    if (days < INT32_MIN) {
        return INT32_MIN;
    }
    return days > INT32_MAX ? INT32_MAX : (int32_t)days;
}

void firn_civil_from_days(int32_t days, firn_civil *out)
{
    int64_t from_march = (int64_t)days + 719468;
    int64_t era = floor_div(from_march, 146097);
    int64_t day_of_era = from_march - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *out = (firn_civil){
        .year = (int32_t)(year_of_era + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

static void set_time_of_day(firn_civil *out, int64_t us_of_day)
{
    int64_t seconds = us_of_day / us_per_second;
    out->hour = (int)(seconds / 3600);
    out->minute = (int)(seconds / 60 % 60);
    out->second = (int)(seconds % 60);
    out->nanosecond = (int)(us_of_day % us_per_second) * 1000;
}

void firn_civil_from_us(int64_t us, firn_civil *out)
{
    firn_civil_from_days((int32_t)floor_div(us, us_per_day), out);
    set_time_of_day(out, floor_mod(us, us_per_day));
}

enum { FORMAT_BYTES = 96 };

static void put_date(char out[FORMAT_BYTES], const firn_civil *t)
{
    const char *sign = t->year < 0 ? "-" : t->year > 9999 ? "+" : "";
    long long year = t->year < 0 ? -(long long)t->year : t->year;
    snprintf(out, FORMAT_BYTES, "%s%04lld-%02d-%02d", sign, year, t->month, t->day);
}

static void put_time(char out[FORMAT_BYTES], const firn_civil *t)
{
    int us = t->nanosecond / 1000;
    int len = snprintf(out, FORMAT_BYTES, "%02d:%02d:%02d", t->hour, t->minute, t->second);
    if (us % 1000 != 0) {
        snprintf(out + len, (size_t)(FORMAT_BYTES - len), ".%06d", us);
    } else if (us != 0) {
        snprintf(out + len, (size_t)(FORMAT_BYTES - len), ".%03d", us / 1000);
    }
}

char *firn_format_timestamp(firn_arena *arena, int64_t us, bool with_zone)
{
    firn_civil t;
    char date[FORMAT_BYTES];
    char time[FORMAT_BYTES];
    firn_civil_from_us(us, &t);
    put_date(date, &t);
    put_time(time, &t);
    return firn_arena_printf(arena, "%sT%s%s", date, time, with_zone ? "+00:00" : "");
}

char *firn_format_date(firn_arena *arena, int32_t days)
{
    firn_civil t;
    char date[FORMAT_BYTES];
    firn_civil_from_days(days, &t);
    put_date(date, &t);
    return firn_arena_strdup(arena, date);
}

char *firn_format_time(firn_arena *arena, int64_t us_of_day)
{
    firn_civil t = {0};
    char time[FORMAT_BYTES];
    set_time_of_day(&t, floor_mod(us_of_day, us_per_day));
    put_time(time, &t);
    return firn_arena_strdup(arena, time);
}

/* The scanners below advance *p past what they took and leave it alone when they fail. */

static bool take_char(const char **p, char c)
{
    if (**p != c) {
        return false;
    }
    (*p)++;
    return true;
}

/* Between `least` and `most` digits; most <= 9. Gives how many there were, 0 if too few. */
static int take_digits(const char **p, int least, int most, int64_t *out)
{
    int n = 0;
    int64_t value = 0;
    while (n < most && (*p)[n] >= '0' && (*p)[n] <= '9') {
        value = value * 10 + ((*p)[n] - '0');
        n++;
    }
    if (n < least) {
        return 0;
    }
    *p += n;
    *out = value;
    return n;
}

/* Exactly two digits, at most `max`. */
static bool take_pair(const char **p, int64_t max, int64_t *out)
{
    return take_digits(p, 2, 2, out) != 0 && *out <= max;
}

static int days_in_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **p, int64_t *days)
{
    bool negative = take_char(p, '-');
    bool has_sign = negative || take_char(p, '+');
    int64_t year;
    int64_t month;
    int64_t day;
    if (take_digits(p, 4, has_sign ? 9 : 4, &year) == 0 || !take_char(p, '-') ||
        !take_pair(p, 12, &month) || month == 0 || !take_char(p, '-') || !take_pair(p, 31, &day)) {
        return false;
    }
    year = negative ? -year : year;
    if (day == 0 || day > days_in_month(year, month)) {
        return false;
    }
    *days = days_of(year, (int)month, day);
    return true;
}

/* hh:mm[:ss[.fraction]] */
static bool take_time(const char **p, int64_t *ns_of_day)
{
    int64_t hour;
    int64_t minute;
    int64_t second = 0;
    int64_t fraction = 0;
    if (!take_pair(p, 23, &hour) || !take_char(p, ':') || !take_pair(p, 59, &minute)) {
        return false;
    }
    if (take_char(p, ':')) {
        if (!take_pair(p, 59, &second)) {
            return false;
        }
        if (take_char(p, '.')) {
            int digits = take_digits(p, 1, 9, &fraction);
            if (digits == 0) {
                return false;
            }
            for (; digits < 9; digits++) {
                fraction *= 10;
            }
        }
    }
    *ns_of_day = ((hour * 60 + minute) * 60 + second) * 1000000000 + fraction;
    return true;
}

/* Nothing, "Z", or "+hh[:mm]" up to 18 hours, the widest that SQL engines take. */
static bool take_zone(const char **p, bool *has_zone, int64_t *offset_minutes)
{
    *offset_minutes = 0;
    *has_zone = take_char(p, 'Z') || take_char(p, 'z');
    if (*has_zone || (**p != '+' && **p != '-')) {
        return true;
    }
    int64_t sign = *(*p)++ == '-' ? -1 : 1;
    int64_t hours;
    int64_t minutes = 0;
    if (!take_pair(p, 18, &hours) || (take_char(p, ':') && !take_pair(p, 59, &minutes))) {
        return false;
    }
    *offset_minutes = sign * (hours * 60 + minutes);
    *has_zone = true;
    return *offset_minutes >= -18 * 60 && *offset_minutes <= 18 * 60;
}

/* Days and nanoseconds of the day in UTC. */
static bool parse_instant(const char *text, int64_t *days, int64_t *ns_of_day, bool *has_zone)
{
    bool zoned = false;
    *ns_of_day = 0;
    if (!take_date(&text, days)) {
        return false;
    }
    if (*text == 'T' || *text == 't' || *text == ' ') {
        int64_t offset_minutes;
        text++;
        if (!take_time(&text, ns_of_day) || !take_zone(&text, &zoned, &offset_minutes)) {
            return false;
        }
        int64_t utc = *ns_of_day - offset_minutes * 60 * 1000000000;
        *days += floor_div(utc, ns_per_day);
        *ns_of_day = floor_mod(utc, ns_per_day);
    }
    if (has_zone != NULL) {
        *has_zone = zoned;
    }
    return *text == '\0';
}

/* days * per_day + rest, both of which may lie outside int64_t on the way to a sum inside. */
static bool combine(int64_t days, int64_t per_day, int64_t rest, int64_t *out)
{
    __int128 sum = (__int128)days * per_day + rest;
    if (sum < INT64_MIN || sum > INT64_MAX) {
        return false;
    }
    *out = (int64_t)sum;
    return true;
}

bool firn_parse_timestamp(const char *text, int64_t *out_us, bool *has_zone)
{
    int64_t days;
    int64_t ns_of_day;
    return parse_instant(text, &days, &ns_of_day, has_zone) &&
           combine(days, us_per_day, ns_of_day / 1000, out_us);
}

bool firn_parse_timestamp_ns(const char *text, int64_t *out_ns, bool *has_zone)
{
    int64_t days;
    int64_t ns_of_day;
    return parse_instant(text, &days, &ns_of_day, has_zone) &&
           combine(days, ns_per_day, ns_of_day, out_ns);
}

bool firn_parse_date(const char *text, int32_t *out_days)
{
    int64_t days;
    if (!take_date(&text, &days) || *text != '\0' || days < INT32_MIN || days > INT32_MAX) {
        return false;
    }
    *out_days = (int32_t)days;
    return true;
}

bool firn_parse_time(const char *text, int64_t *out_us_of_day)
{
    int64_t ns_of_day;
    if (!take_time(&text, &ns_of_day) || *text != '\0') {
        return false;
    }
    *out_us_of_day = ns_of_day / 1000;
    return true;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* Each step rounds first and then compares, so that 59.96 s reads "1 min 0 s" and never "60.0 s". */
char *firn_format_duration(firn_arena *arena, int64_t us)
{
    typedef unsigned long long ull;
    const char *sign = us < 0 ? "-" : "";
    ull span = magnitude(us);
    ull hundredths = (span + 5000) / 10000;
    ull tenths = (span + 50000) / 100000;
    ull seconds = (span + 500000) / 1000000;
    if (span < 1000) {
        return firn_arena_printf(arena, "%s%llu µs", sign, span);
    }
    if ((span + 500) / 1000 < 100) {
        return firn_arena_printf(arena, "%s%llu ms", sign, (span + 500) / 1000);
    }
    if (hundredths < 1000) {
        return firn_arena_printf(arena, "%s%llu.%02llu s", sign, hundredths / 100,
                                 hundredths % 100);
    }
    if (tenths < 600) {
        return firn_arena_printf(arena, "%s%llu.%llu s", sign, tenths / 10, tenths % 10);
    }
    if (seconds < 3600) {
        return firn_arena_printf(arena, "%s%llu min %llu s", sign, seconds / 60, seconds % 60);
    }
    ull minutes = (seconds + 30) / 60;
    if (minutes < 24 * 60) {
        return firn_arena_printf(arena, "%s%llu h %llu min", sign, minutes / 60, minutes % 60);
    }
    ull hours = (minutes + 30) / 60;
    return firn_arena_printf(arena, "%s%llu d %llu h", sign, hours / 24, hours % 24);
}

char *firn_format_bytes(firn_arena *arena, int64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    const char *sign = bytes < 0 ? "-" : "";
    uint64_t size = magnitude(bytes);
    if (size < 1000) {
        return firn_arena_printf(arena, "%s%llu B", sign, (unsigned long long)size);
    }
    uint64_t tenth = 100; /* of the unit, in bytes */
    size_t unit = 0;
    /* Past 999.9 of a unit comes 1.0 of the next. */
    while (unit + 1 < sizeof(units) / sizeof(*units) && (size + tenth / 2) / tenth >= 10000) {
        tenth *= 1000;
        unit++;
    }
    uint64_t tenths = (size + tenth / 2) / tenth;
    return firn_arena_printf(arena, "%s%llu.%llu %s", sign, (unsigned long long)(tenths / 10),
                             (unsigned long long)(tenths % 10), units[unit]);
}

char *firn_format_count(firn_arena *arena, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)magnitude(n));
    char *text = firn_arena_alloc(arena, 40);
    char *out = text;
    if (n < 0) {
        *out++ = '-';
    }
    for (int i = 0; i < len; i++) {
        if (i != 0 && (len - i) % 3 == 0) {
            *out++ = ',';
        }
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}
