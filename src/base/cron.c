/* Cron lines: see base/cron.h. */
#include "base/cron.h"

#include "base/time.h"

#include <ctype.h>
#include <stdio.h>

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60, DAYS_MAX = 50 * 366 };

typedef struct field {
    const char *name;
    int min, max;
    const char *const *names; /* of min, min + 1, ... */
    int n_names;
} field;

static const char *const MONTHS[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                     "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const WEEKDAYS[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };
static const field FIELDS[N_FIELDS] = {
    {"minute", 0, 59, NULL, 0},         {"hour", 0, 23, NULL, 0},
    {"day of month", 1, 31, NULL, 0},   {"month", 1, 12, MONTHS, 12},
    {"day of week", 0, 7, WEEKDAYS, 7},
};

static const char *const SHORT[][2] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};
enum { N_SHORT = sizeof(SHORT) / sizeof(SHORT[0]) };

/* ---- parsing ------------------------------------------------------------------------------------------- */

static firn_rc wrong(const field *f, const char *text, const char *why, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_INVALID, "the %s \"%.60s\" of a cron line %s", f->name, text, why);
}

/* A number or a name; false if neither, or out of bounds. */
static bool take_value(const field *f, const char **at, int *out)
{
    for (int i = 0; i < f->n_names; i++) {
        char word[4] = "";
        memcpy(word, *at, strnlen(*at, 3));
        if (firn_strcaseeq(word, f->names[i]) && !isalnum((unsigned char)(*at)[3])) {
            *at += 3;
            *out = f->min + i;
            return true;
        }
    }
    const char *start = *at;
    int value = 0;
    while (isdigit((unsigned char)**at) && *at - start < 4) {
        value = value * 10 + (*(*at)++ - '0');
    }
    *out = value;
    return *at > start && value >= f->min && value <= f->max;
}

/* "/15": more than the field has would be once, which nobody means. */
static bool take_step(const field *f, const char **at, int *step)
{
    *step = 1;
    if (**at != '/') {
        return true;
    }
    (*at)++;
    const char *start = *at;
    int value = 0;
    while (isdigit((unsigned char)**at) && *at - start < 4) {
        value = value * 10 + (*(*at)++ - '0');
    }
    *step = value;
    return *at > start && value > 0 && value <= f->max;
}

/* "*", "5", "1-5", "1-5/2" */
static firn_rc take_item(const field *f, const char *item, uint64_t *bits, firn_err *err)
{
    const char *at = item;
    int from = f->min;
    int to = f->max;
    int step = 1;
    bool range = true;
    if (*at == '*') {
        at++;
        to = f->max == 7 ? 6 : f->max;
    } else {
        if (!take_value(f, &at, &from)) {
            char why[120];
            snprintf(why, sizeof(why), "must be %d to %d%s%s", f->min, f->max,
                     f->n_names > 0 ? ", or a name such as " : "",
                     f->n_names > 0 ? f->names[1] : "");
            return wrong(f, item, why, err);
        }
        range = *at == '-';
        to = from;
        if (range && (at++, !take_value(f, &at, &to))) {
            return wrong(f, item, "has a range without a right end", err);
        }
        to = to == 0 && from > 0 && f->max == 7 ? 7 : to; /* SAT-SUN */
    }
    if (*at == '/' && !range) {
        return wrong(f, item, "has a step without a range: write \"5-59/15\" or \"*/15\"", err);
    }
    if (!take_step(f, &at, &step)) {
        return wrong(f, item, "has a step of nothing, or of more than the field has", err);
    }
    if (*at != '\0') {
        return wrong(f, item,
                     "is not as cron knows it: lists by comma, ranges \"1-5\", steps \"*/15\"",
                     err);
    }
    if (from > to) {
        return wrong(f, item, "goes backwards", err);
    }
    for (int i = from; i <= to; i += step) {
        *bits |= UINT64_C(1) << (f->max == 7 ? i % 7 : i);
    }
    return FIRN_OK;
}

static firn_rc take_field(firn_arena *arena, const field *f, const char *text, uint64_t *bits,
                          firn_err *err)
{
    size_t n = 0;
    char **items = firn_str_split(arena, text, ',', &n);
    *bits = 0;
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(take_item(f, items[i], bits, err));
    }
    return FIRN_OK;
}

static const char *long_form(const char *text)
{
    for (size_t i = 0; i < N_SHORT; i++) {
        if (firn_strcaseeq(text, SHORT[i][0])) {
            return SHORT[i][1];
        }
    }
    return text;
}

static firn_rc split_fields(firn_arena *arena, const char *text, const char *fields[N_FIELDS],
                            firn_err *err)
{
    const char *line = firn_str_trim(arena, text);
    if (line[0] == '@' && firn_streq(long_form(line), line)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "\"%.60s\" is no short form of a cron line: there are @hourly, @daily, @weekly, "
                  "@monthly and @yearly",
                  line);
    }
    line = long_form(line);
    size_t n = 0;
    for (const char *at = line; *at != '\0'; n++) {
        size_t length = strcspn(at, " \t");
        if (n < N_FIELDS) {
            fields[n] = firn_arena_strndup(arena, at, length);
        }
        at += length;
        at += strspn(at, " \t");
    }
    if (n != N_FIELDS) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "\"%.100s\" is no cron line: it has %zu fields, not 5 (minute, hour, day of month, month, "
            "day of week)",
            text, n);
    }
    return FIRN_OK;
}

firn_rc firn_cron_parse(const char *text, firn_cron *out, firn_err *err)
{
    enum { TEXT_BYTES_MAX = 1000 };
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *fields[N_FIELDS];
    uint64_t bits[N_FIELDS];
    if (strlen(text) > TEXT_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_INVALID, "a cron line is longer than %d bytes", TEXT_BYTES_MAX);
    }
    FIRN_TRY(split_fields(arena, text, fields, err));
    for (int i = 0; i < N_FIELDS; i++) {
        FIRN_TRY(take_field(arena, &FIELDS[i], fields[i], &bits[i], err));
    }
    *out = (firn_cron){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint32_t)bits[MONTH],
        .weekdays = (uint32_t)bits[WEEKDAY],
        .every_day = fields[DAY][0] == '*',
        .every_weekday = fields[WEEKDAY][0] == '*',
        .fixed = fields[MINUTE][0] != '*' && fields[HOUR][0] != '*',
    };
    if (firn_cron_next_us(out, NULL, 0) == INT64_MAX) {
        FIRN_FAIL(err, FIRN_E_INVALID, "\"%.100s\" is never due: no day of the calendar fits",
                  text);
    }
    return FIRN_OK;
}

/* ---- when ---------------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool day_matches(const firn_cron *cron, int64_t day)
{
    firn_civil c;
    firn_civil_from_days((int32_t)day, &c);
    int weekday = (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    bool by_day = cron->days >> c.day & 1;
    bool by_weekday = cron->weekdays >> weekday & 1;
    bool both = cron->every_day || cron->every_weekday;
    return (cron->months >> c.month & 1) && (both ? by_day && by_weekday : by_day || by_weekday);
}

bool firn_cron_matches(const firn_cron *cron, int64_t local_s)
{
    int64_t day = floor_div(local_s, DAY_S);
    int64_t of_day = local_s - day * DAY_S;
    return (cron->minutes >> of_day % HOUR_S / MINUTE_S & 1) &&
           (cron->hours >> of_day / HOUR_S & 1) && day_matches(cron, day);
}

/* The first due minute at or after from_s and before end_s, by clocks that never change; INT64_MAX: none. */
static int64_t next_local(const firn_cron *cron, int64_t from_s, int64_t end_s)
{
    int64_t at_s = -floor_div(-from_s, MINUTE_S) * MINUTE_S; /* a whole minute */
    int64_t day = floor_div(at_s, DAY_S);
    for (int64_t last = day + DAYS_MAX; day <= last && day * DAY_S < end_s; day++) {
        if (!day_matches(cron, day)) {
            continue;
        }
        int64_t start_s = at_s > day * DAY_S ? at_s - day * DAY_S : 0;
        for (int64_t hour = start_s / HOUR_S; hour < 24; hour++) {
            int64_t minute = hour * HOUR_S < start_s ? start_s % HOUR_S / MINUTE_S : 0;
            uint64_t left = cron->minutes >> minute;
            if ((cron->hours >> hour & 1) && left != 0) {
                int64_t found_s =
                    day * DAY_S + hour * HOUR_S + (minute + __builtin_ctzll(left)) * MINUTE_S;
                return found_s < end_s ? found_s : INT64_MAX;
            }
        }
    }
    return INT64_MAX;
}

/* Up to which local time clocks have shown all before at_s: beyond at_s + offset, when they were put back. */
static int64_t shown_until(const firn_zone *zone, int64_t at_s)
{
    int64_t shown_s = INT64_MIN;
    for (int64_t since_s = at_s - DAY_S;;) {
        int64_t next_s;
        int64_t offset_s = firn_zone_offset_s(zone, since_s, &next_s);
        if (next_s > at_s) {
            return shown_s;
        }
        shown_s = next_s + offset_s > shown_s ? next_s + offset_s : shown_s;
        since_s = next_s;
    }
}

/* Between two changes of the zone clocks run evenly; at each change it is looked at what they skip. */
int64_t firn_cron_next_us(const firn_cron *cron, const firn_zone *zone, int64_t after_us)
{
    int64_t at_s = floor_div(after_us, 1000000);
    const int64_t end_s = at_s + (int64_t)DAYS_MAX * DAY_S;
    int64_t until_s;
    int64_t offset_s = firn_zone_offset_s(zone, at_s, &until_s);
    int64_t shown_s = cron->fixed ? shown_until(zone, at_s) : INT64_MIN;
    int64_t from_s = at_s + offset_s + 1;
    for (;;) {
        int64_t bound_s = until_s < end_s ? until_s : end_s;
        int64_t found_s = next_local(cron, from_s > shown_s ? from_s : shown_s, bound_s + offset_s);
        if (found_s != INT64_MAX) {
            return (found_s - offset_s) * 1000000;
        }
        if (bound_s == end_s) {
            return INT64_MAX;
        }
        int64_t old_end_s = until_s + offset_s;
        at_s = until_s;
        offset_s = firn_zone_offset_s(zone, at_s, &until_s);
        from_s = at_s + offset_s;
        if (cron->fixed) {
            shown_s = old_end_s > shown_s ? old_end_s : shown_s;
            if (next_local(cron, shown_s, from_s) != INT64_MAX) {
                return at_s * 1000000; /* skipped: due at the change */
            }
        }
    }
}
