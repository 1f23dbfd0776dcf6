/* Cron lines: what they may say, and when they are due, held against looking at every minute. */
#include "base/cron.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static firn_cron cron_of(const char *text)
{
    firn_cron cron;
    firn_err err = {0};
    if (firn_cron_parse(text, &cron, &err) != FIRN_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    return cron;
}

static const firn_zone *zone_of(firn_arena *arena, const char *rule)
{
    const firn_zone *zone = NULL;
    firn_err err = {0};
    if (firn_zone_parse_rule(arena, rule, &zone, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return zone;
}

static int64_t at(const char *text)
{
    int64_t us = 0;
    assert_true(firn_parse_timestamp(text, &us, NULL));
    return us;
}

/* The next `n` times, UTC, by blanks. */
static void due(const char *line, const char *rule, const char *after, const char *expected)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_cron cron = cron_of(line);
    const firn_zone *zone = rule != NULL ? zone_of(arena, rule) : NULL;
    const char *text = "";
    int64_t us = at(after);
    size_t n = 0;
    firn_str_split(arena, expected, ' ', &n);
    for (size_t i = 0; i < n; i++) {
        us = firn_cron_next_us(&cron, zone, us);
        char *iso = firn_format_timestamp(arena, us, false);
        assert_true(firn_ends_with(iso, ":00"));
        iso[16] = '\0';
        text = firn_arena_printf(arena, "%s%s%s", text, i > 0 ? " " : "", iso);
    }
    assert_string_equal(text, expected);
}

static void lines_are_due_when_they_say(void **state)
{
    (void)state;
    due("0 2 * * *", NULL, "2025-01-15", "2025-01-15T02:00 2025-01-16T02:00");
    due("0 2 * * *", NULL, "2025-01-15 02:00", "2025-01-16T02:00");
    due("0 2 * * *", NULL, "2025-01-15 01:59:59.999999", "2025-01-15T02:00");
    due("*/15 * * * *", NULL, "2025-01-15 23:40", "2025-01-15T23:45 2025-01-16T00:00");
    due("10-30/10,59 8-9 * * MON-FRI", NULL, "2025-01-17 09:25",
        "2025-01-17T09:30 2025-01-17T09:59 2025-01-20T08:10");
    due("0 0 29 2 *", NULL, "2025-01-15", "2028-02-29T00:00 2032-02-29T00:00");
    due("0 12 1 jan,JUL *", NULL, "2025-01-15", "2025-07-01T12:00 2026-01-01T12:00");
    due("0 0 * * 7", NULL, "2025-01-15", "2025-01-19T00:00 2025-01-26T00:00");
    due("0 0 * * SAT-SUN", NULL, "2025-01-15",
        "2025-01-18T00:00 2025-01-19T00:00 2025-01-25T00:00");
    due("@daily", NULL, "2025-01-15 10:00", "2025-01-16T00:00");
    due("@hourly", NULL, "2025-01-15 10:00", "2025-01-15T11:00");
    due("@weekly", NULL, "2025-01-15", "2025-01-19T00:00");
    due("@Monthly", NULL, "2025-01-15", "2025-02-01T00:00");
    due("@yearly", NULL, "2025-01-15", "2026-01-01T00:00");
    due("  5\t4 * * *  ", NULL, "2025-01-15", "2025-01-15T04:05");
    due("0 0 * * *", NULL, "1969-12-30 12:00", "1969-12-31T00:00 1970-01-01T00:00");
}

/* As cron has it: two restricted day fields are two reasons, a "*" in front makes it one. */
static void both_days_are_either_day(void **state)
{
    (void)state;
    due("0 0 13 * FRI", NULL, "2025-06-01",
        "2025-06-06T00:00 2025-06-13T00:00 2025-06-20T00:00 2025-06-27T00:00 2025-07-04T00:00 "
        "2025-07-11T00:00 2025-07-13T00:00");
    due("0 0 */13 * FRI", NULL, "2025-06-01", "2025-06-27T00:00 2025-08-01T00:00");
    due("0 0 1 * */2", NULL, "2025-06-01", "2025-07-01T00:00 2025-11-01T00:00");
}

static void wrong_lines_are_explained(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"", "it has 0 fields, not 5"},
        {"0 2 * *", "it has 4 fields, not 5"},
        {"0 0 2 * * *", "it has 6 fields, not 5"},
        {"60 2 * * *", "the minute \"60\" of a cron line must be 0 to 59"},
        {"0 24 * * *", "the hour \"24\" of a cron line must be 0 to 23"},
        {"0 0 0 * *", "the day of month \"0\" of a cron line must be 1 to 31"},
        {"0 0 * 13 *", "the month \"13\" of a cron line must be 1 to 12, or a name such as FEB"},
        {"0 0 * * 8", "the day of week \"8\" of a cron line must be 0 to 7, or a name such as MON"},
        {"0 0 * * MONDAY", "must be 0 to 7, or a name such as MON"},
        {"0 0 * FOO *", "must be 1 to 12"},
        {"5/15 * * * *", "has a step without a range: write \"5-59/15\""},
        {"*/0 * * * *", "has a step of nothing"},
        {"*/90 * * * *", "has a step of nothing, or of more than the field has"},
        {"*/ * * * *", "has a step of nothing"},
        {"30-10 * * * *", "\"30-10\" of a cron line goes backwards"},
        {"1- * * * *", "has a range without a right end"},
        {"1-99 * * * *", "has a range without a right end"},
        {"1,,2 * * * *", "the minute \"\""},
        {"1,2, * * * *", "the minute \"\""},
        {"-1 * * * *", "the minute \"-1\""},
        {"*5 * * * *", "is not as cron knows it"},
        {"1x * * * *", "is not as cron knows it"},
        {"0 0 L * *", "the day of month \"L\""},
        {"0 0 ? * *", "the day of month \"?\""},
        {"99999999999 * * * *", "the minute"},
        {"0 0 30 2 *", "is never due: no day of the calendar fits"},
        {"0 0 31 APR,JUN,SEP,NOV *", "is never due"},
        {"@reboot", "there are @hourly, @daily"},
        {"@daily *", "is no short form"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        firn_cron cron;
        firn_err err = {0};
        assert_int_equal(firn_cron_parse(CASES[i][0], &cron, &err), FIRN_E_INVALID);
        if (strstr(err.message, CASES[i][1]) == NULL) {
            fail_msg("%s: %s", CASES[i][0], err.message);
        }
    }
}

/* ---- clocks that change ------------------------------------------------------------------------------------ */

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

/* 2025-03-30: 02:00 becomes 03:00 (01:00 UTC). 2025-10-26: 03:00 becomes 02:00 (01:00 UTC). */
static void times_that_clocks_skip_are_due_at_the_change(void **state)
{
    (void)state;
    due("30 2 * * *", BERLIN, "2025-03-29", "2025-03-29T01:30 2025-03-30T01:00 2025-03-31T00:30");
    due("0 3 * * *", BERLIN, "2025-03-29 12:00", "2025-03-30T01:00 2025-03-31T01:00");
    due("0,30 2 * * *", BERLIN, "2025-03-29 12:00", "2025-03-30T01:00 2025-03-31T00:00");
    due("30 2 * * *", BERLIN, "2025-03-30 00:59:59.5", "2025-03-30T01:00");
    due("30 2 * * *", BERLIN, "2025-03-30 01:00", "2025-03-31T00:30");
    due("*/30 2 * * *", BERLIN, "2025-03-29 12:00",
        "2025-03-31T00:00"); /* every so often: not made up */
    due("15 * * * *", BERLIN, "2025-03-29 23:50",
        "2025-03-30T00:15 2025-03-30T01:15 2025-03-30T02:15");
}

static void times_that_clocks_show_twice_are_due_once(void **state)
{
    (void)state;
    due("30 2 * * *", BERLIN, "2025-10-25 12:00", "2025-10-26T00:30 2025-10-27T01:30");
    due("30 2 * * *", BERLIN, "2025-10-26 01:10",
        "2025-10-27T01:30"); /* in the hour that is repeated */
    due("0 3 * * *", BERLIN, "2025-10-25 12:00", "2025-10-26T02:00 2025-10-27T02:00");
    due("30 * * * *", BERLIN, "2025-10-25 23:50",
        "2025-10-26T00:30 2025-10-26T01:30 2025-10-26T02:30"); /* every hour there is */
}

/* ---- every minute ------------------------------------------------------------------------------------------ */

static int below(unsigned *seed, int n)
{
    return (int)((unsigned)rand_r(seed) % (unsigned)n);
}

static void random_field(unsigned *seed, int min, int max, char *out, size_t room)
{
    int a = min + below(seed, max - min + 1);
    int b = a + below(seed, max - a + 1);
    switch (below(seed, 7)) {
    case 0: snprintf(out, room, "%d", a); break;
    case 1: snprintf(out, room, "%d-%d", a, b); break;
    case 2: snprintf(out, room, "%d-%d/%d", a, b, 1 + below(seed, 5)); break;
    case 3: snprintf(out, room, "*/%d", 1 + below(seed, max)); break;
    case 4: snprintf(out, room, "%d,%d", b, a); break;
    default: snprintf(out, room, "*"); break;
    }
}

static void random_line(unsigned *seed, char line[200])
{
    char f[5][30];
    random_field(seed, 0, 59, f[0], sizeof(f[0]));
    random_field(seed, 0, 23, f[1], sizeof(f[1]));
    random_field(seed, 1, 31, f[2], sizeof(f[2]));
    random_field(seed, 1, 12, f[3], sizeof(f[3]));
    random_field(seed, 0, 7, f[4], sizeof(f[4]));
    if (below(seed, 2) == 0) {
        snprintf(f[2], sizeof(f[2]), "*"); /* days that come soon */
        snprintf(f[3], sizeof(f[3]), "*");
    }
    snprintf(line, 200, "%s %s %s %s %s", f[0], f[1], f[2], f[3], f[4]);
}

/* Whether a field of text holds the value: a second reading, of the text. */
static bool field_has(const char *text, int value, int max)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t n = 0;
    char **items = firn_str_split(arena, text, ',', &n);
    for (size_t i = 0; i < n; i++) {
        int from = 0, to = max, step = 1;
        if (items[i][0] == '*') {
            from = max == 12 || max == 31 ? 1 : 0;
            sscanf(items[i], "*/%d", &step);
        } else if (sscanf(items[i], "%d-%d/%d", &from, &to, &step) == 1) {
            to = from;
        }
        for (int v = from; v <= to; v += step) {
            if (v == value || (max == 7 && v == 7 && value == 0)) {
                return true;
            }
        }
    }
    return false;
}

static bool line_has(const char *line, int64_t local_s)
{
    char f[5][30];
    firn_civil c;
    assert_int_equal(sscanf(line, "%29s %29s %29s %29s %29s", f[0], f[1], f[2], f[3], f[4]), 5);
    firn_civil_from_us(local_s * 1000000, &c);
    int weekday = (int)(((local_s - ((local_s % 86400 + 86400) % 86400)) / 86400 + 4) % 7 + 7) % 7;
    bool day = field_has(f[2], c.day, 31);
    bool of_week = field_has(f[4], weekday, 7);
    bool days = f[2][0] == '*' || f[4][0] == '*' ? day && of_week : day || of_week;
    return days && field_has(f[0], c.minute, 59) && field_has(f[1], c.hour, 23) &&
           field_has(f[3], c.month, 12);
}

static bool is_fixed(const char *line)
{
    return line[0] != '*' && strchr(line, ' ')[1] != '*';
}

/* Minute by minute with a clock on the wall: what it has shown before is not due again, what it jumps over is due when it jumps. */
static int64_t next_slowly(const char *line, const firn_zone *zone, int64_t after_s, int64_t end_s)
{
    int64_t shown_s = INT64_MIN;
    int64_t first_s = after_s - after_s % 60 - 2 * 86400;
    for (int64_t t = first_s; t < end_s; t += 60) {
        int64_t local_s = t + firn_zone_offset_s(zone, t, NULL);
        bool is_due = false;
        if (!is_fixed(line)) {
            is_due = t > after_s && line_has(line, local_s);
        } else if (t > after_s) {
            for (int64_t m = shown_s > local_s - 86400 ? shown_s : local_s; m <= local_s && !is_due;
                 m += 60) {
                is_due = line_has(line, m);
            }
        }
        shown_s = local_s + 60 > shown_s ? local_s + 60 : shown_s;
        if (is_due) {
            return t;
        }
    }
    return INT64_MAX;
}

static void next_is_the_same_minute_by_minute(void **state)
{
    (void)state;
    static const char *const ZONES[] = {"UTC0",
                                        BERLIN,
                                        "EST5EDT,M3.2.0,M11.1.0",
                                        "LHST-10:30LHDT-11,M10.1.0,M4.1.0",
                                        "IST-5:30",
                                        "IST-1GMT0,M10.5.0,M3.5.0/1",
                                        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"};
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    unsigned seed = 15;
    int found = 0;
    for (int round = 0; round < 700; round++) {
        char line[200];
        firn_cron cron;
        const firn_zone *zone =
            zone_of(arena, ZONES[below(&seed, sizeof(ZONES) / sizeof(ZONES[0]))]);
        random_line(&seed, line);
        if (firn_cron_parse(line, &cron, NULL) != FIRN_OK) {
            continue;
        }
        /* Half of them around a change of clocks. */
        int64_t start_s = at("2025-01-01") / 1000000 + (int64_t)below(&seed, 365 * 86400);
        int64_t change_s;
        firn_zone_offset_s(zone, start_s, &change_s);
        if (change_s != INT64_MAX && below(&seed, 2) == 0) {
            start_s = change_s - 3 * 3600 + below(&seed, 5 * 3600);
        }
        int64_t end_s = start_s + 3 * 86400;
        int64_t slow_s = next_slowly(line, zone, start_s, end_s);
        int64_t quick_us = firn_cron_next_us(&cron, zone, start_s * 1000000);
        if (slow_s == INT64_MAX ? quick_us < end_s * 1000000 : quick_us != slow_s * 1000000) {
            fail_msg("%s after %lld: %lld instead of %lld", line, (long long)start_s,
                     (long long)(quick_us / 1000000), (long long)slow_s);
        }
        found += slow_s != INT64_MAX;
    }
    assert_in_range(found, 150, 700);
}

static void matching_is_reading_the_line(void **state)
{
    (void)state;
    unsigned seed = 16;
    for (int round = 0; round < 300; round++) {
        char line[200];
        firn_cron cron;
        random_line(&seed, line);
        if (firn_cron_parse(line, &cron, NULL) != FIRN_OK) {
            continue;
        }
        for (int i = 0; i < 200; i++) {
            int64_t local_s = ((int64_t)below(&seed, 30000000) - 2000000) * 60;
            assert_true(firn_cron_matches(&cron, local_s) == line_has(line, local_s));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_due_when_they_say),
        cmocka_unit_test(both_days_are_either_day),
        cmocka_unit_test(wrong_lines_are_explained),
        cmocka_unit_test(times_that_clocks_skip_are_due_at_the_change),
        cmocka_unit_test(times_that_clocks_show_twice_are_due_once),
        cmocka_unit_test(next_is_the_same_minute_by_minute),
        cmocka_unit_test(matching_is_reading_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
