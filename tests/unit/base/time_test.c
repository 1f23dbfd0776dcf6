/* Clocks, the calendar, ISO 8601 text, and texts for people. */
#include "base/time.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_arena *arena; /* one for the group */

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    firn_arena_free(arena);
    return 0;
}

static void known_days(void **state)
{
    (void)state;
    assert_int_equal(firn_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(firn_days_from_civil(1969, 12, 31), -1);
    assert_int_equal(firn_days_from_civil(2000, 2, 29), 11016);
    assert_int_equal(firn_days_from_civil(2024, 2, 15), 19768);
    assert_int_equal(firn_days_from_civil(1, 1, 1), -719162);
    assert_int_equal(firn_days_from_civil(0, 3, 1), -719468);
    assert_int_equal(firn_days_from_civil(2024, 3, 0), firn_days_from_civil(2024, 2, 29));
    assert_int_equal(firn_days_from_civil(2024, 1, 32), firn_days_from_civil(2024, 2, 1));
}

static void conversion_saturates(void **state)
{
    (void)state;
    assert_true(firn_days_from_civil(INT32_MAX, 12, 31) == INT32_MAX);
    assert_true(firn_days_from_civil(INT32_MIN, 1, 1) == INT32_MIN);
    assert_true(firn_days_from_civil(1970, 1, INT32_MIN) < 0);
}

static void check_day(int32_t days)
{
    firn_civil t;
    firn_civil_from_days(days, &t);
    assert_in_range(t.month, 1, 12);
    assert_in_range(t.day, 1, 31);
    assert_true(firn_days_from_civil(t.year, t.month, t.day) == days);
}

static void days_round_trip(void **state)
{
    (void)state;
    for (int32_t days = -800000; days < 800000; days += 1) { /* 4,000 years around 1970 */
        check_day(days);
    }
    for (int64_t days = INT32_MIN; days <= INT32_MAX; days += 999983) {
        check_day((int32_t)days);
    }
    check_day(INT32_MIN);
    check_day(INT32_MAX);
}

static void civil_from_us_floors(void **state)
{
    (void)state;
    firn_civil t;
    firn_civil_from_us(-1, &t);
    assert_int_equal(t.year, 1969);
    assert_int_equal(t.second, 59);
    assert_int_equal(t.nanosecond, 999999000);
    firn_civil_from_us(INT64_MAX, &t);
    assert_int_equal(t.year, 294247);
    firn_civil_from_us(INT64_MIN, &t);
    assert_int_equal(t.year, -290308);
}

static void timestamps_as_text(void **state)
{
    (void)state;
    int64_t us = 1707992430123456;
    assert_string_equal(firn_format_timestamp(arena, us, false), "2024-02-15T10:20:30.123456");
    assert_string_equal(firn_format_timestamp(arena, us, true), "2024-02-15T10:20:30.123456+00:00");
    assert_string_equal(firn_format_timestamp(arena, us - 456, false), "2024-02-15T10:20:30.123");
    assert_string_equal(firn_format_timestamp(arena, us - 123456, false), "2024-02-15T10:20:30");
    assert_string_equal(firn_format_timestamp(arena, -1, false), "1969-12-31T23:59:59.999999");
    assert_string_equal(firn_format_timestamp(arena, INT64_MIN, false),
                        "-290308-12-21T19:59:05.224192");
    assert_string_equal(firn_format_timestamp(arena, INT64_MAX, false),
                        "+294247-01-10T04:00:54.775807");
    assert_string_equal(firn_format_date(arena, -719529), "-0001-12-31");
    assert_string_equal(firn_format_date(arena, -719528), "0000-01-01");
    assert_string_equal(firn_format_date(arena, 2932896), "9999-12-31");
    assert_string_equal(firn_format_date(arena, 2932897), "+10000-01-01");
    assert_string_equal(firn_format_date(arena, INT32_MAX), "+5881580-07-11");
    assert_string_equal(firn_format_date(arena, INT32_MIN), "-5877641-06-23");
    assert_string_equal(firn_format_time(arena, 0), "00:00:00");
    assert_string_equal(firn_format_time(arena, 86399999999), "23:59:59.999999");
    assert_string_equal(firn_format_time(arena, 1000), "00:00:00.001");
}

static void text_round_trips_through_the_whole_range(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 1707992430123456, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 6; i++) {
        int64_t back = 7;
        assert_true(
            firn_parse_timestamp(firn_format_timestamp(arena, values[i], i % 2), &back, NULL));
        assert_true(back == values[i]);
    }
    static const int32_t dates[] = {0, -1, INT32_MIN, INT32_MAX, 2932897, -719529};
    for (size_t i = 0; i < 6; i++) {
        int32_t back = 7;
        assert_true(firn_parse_date(firn_format_date(arena, dates[i]), &back));
        assert_true(back == dates[i]);
    }
}

static void spellings_of_timestamps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
        bool zone;
    } cases[] = {
        {"1970-01-01", 0, false},
        {"1970-01-01T00:00", 0, false},
        {"1970-01-01 00:00:01", 1000000, false},
        {"1970-01-01t00:00:01z", 1000000, true},
        {"1970-01-01T00:00:00.5", 500000, false},
        {"1970-01-01T00:00:00.000001999", 1, false},
        {"1970-01-01T00:00:00Z", 0, true},
        {"1970-01-01T02:00:00+02", 0, true},
        {"1970-01-01T02:30:00+02:30", 0, true},
        {"1969-12-31T23:00:00-01:00", 0, true},
        {"1970-01-01T00:00:00+18:00", -64800000000, true},
        {"+1970-01-01", 0, false},
        {"2024-02-29", 1709164800000000, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t us = 7;
        bool zone = !cases[i].zone;
        if (!firn_parse_timestamp(cases[i].text, &us, &zone)) {
            fail_msg("not parsed: %s", cases[i].text);
        }
        assert_true(us == cases[i].us);
        assert_int_equal(zone, cases[i].zone);
    }
}

static void junk_is_no_timestamp(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " 1970-01-01",
        "1970-01-01 ",
        "1970-01-01T",
        "1970-1-1",
        "70-01-01",
        "19700101",
        "1970-13-01",
        "1970-00-01",
        "1970-01-00",
        "1970-01-32",
        "2023-02-29",
        "1900-02-29",
        "1970-04-31",
        "12345-01-01",
        "1970-01-01T24:00",
        "1970-01-01T00:60",
        "1970-01-01T00:00:60",
        "1970-01-01T0:00",
        "1970-01-01T00",
        "1970-01-01T00:00:00.",
        "1970-01-01T00:00:00.1234567890",
        "1970-01-01T00:00:00 Z",
        "1970-01-01T00:00+",
        "1970-01-01T00:00+2",
        "1970-01-01T00:00+02:",
        "1970-01-01T00:00+18:01",
        "1970-01-01T00:00+19",
        "1970-01-01T00:00ZZ",
        "1970-01-01Z",
        "+294247-01-10T04:00:54.775808",
        "-290308-12-21T19:59:05.224191",
        "+999999999-01-01",
        "+1234567890-01-01",
        "--1970-01-01",
        "1970-01-01T-1:00",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int64_t us;
        if (firn_parse_timestamp(bad[i], &us, NULL)) {
            fail_msg("parsed: %s", bad[i]);
        }
    }
}

static void nanoseconds_have_a_narrower_range(void **state)
{
    (void)state;
    int64_t ns;
    assert_true(firn_parse_timestamp_ns("1970-01-01T00:00:00.000000001", &ns, NULL));
    assert_int_equal(ns, 1);
    assert_true(firn_parse_timestamp_ns("2262-04-11T23:47:16.854775807", &ns, NULL));
    assert_true(ns == INT64_MAX);
    assert_false(firn_parse_timestamp_ns("2262-04-11T23:47:16.854775808", &ns, NULL));
    assert_true(firn_parse_timestamp_ns("1677-09-21T00:12:43.145224192", &ns, NULL));
    assert_true(ns == INT64_MIN);
    assert_false(firn_parse_timestamp_ns("1677-09-21T00:12:43.145224191", &ns, NULL));
}

static void dates_and_times(void **state)
{
    (void)state;
    int32_t days;
    int64_t us;
    assert_true(firn_parse_date("2024-02-15", &days));
    assert_int_equal(days, 19768);
    assert_false(firn_parse_date("2024-02-15T00:00", &days));
    assert_false(firn_parse_date("+5881580-07-12", &days)); /* a day past int32_t */
    assert_false(firn_parse_date("-5877641-06-22", &days));
    assert_true(firn_parse_time("10:20:30.123456", &us));
    assert_int_equal(us, 37230123456);
    assert_true(firn_parse_time("00:00", &us));
    assert_int_equal(us, 0);
    assert_false(firn_parse_time("10:20Z", &us));
    assert_false(firn_parse_time("", &us));
}

static void fake_now_freezes_the_wall_clock(void **state)
{
    (void)state;
    setenv("FIRN_FAKE_NOW", "2024-02-15T10:20:30.123456Z", 1);
    assert_int_equal(firn_now_us(), 1707992430123456);
    assert_int_equal(firn_now_ms(), 1707992430123);
    int64_t start = firn_monotonic_us();
    firn_sleep_ms(5);
    assert_true(firn_monotonic_us() - start >= 5000);
    unsetenv("FIRN_FAKE_NOW");
    assert_true(firn_now_us() > 1707992430123456);
}

static void durations_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "0 µs"},
        {850, "850 µs"},
        {1000, "1 ms"},
        {99499, "99 ms"},
        {99500, "0.10 s"},
        {270000, "0.27 s"},
        {9994999, "9.99 s"},
        {9995000, "10.0 s"},
        {59949999, "59.9 s"},
        {59950000, "1 min 0 s"},
        {200000000, "3 min 20 s"},
        {3600000000, "1 h 0 min"},
        {7530000000, "2 h 6 min"},
        {90000000000, "1 d 1 h"},
        {-850, "-850 µs"},
        {INT64_MAX, "106751991 d 4 h"},
        {INT64_MIN, "-106751991 d 4 h"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(firn_format_duration(arena, cases[i].us), cases[i].text);
    }
}

static void sizes_and_counts_for_people(void **state)
{
    (void)state;
    assert_string_equal(firn_format_bytes(arena, 0), "0 B");
    assert_string_equal(firn_format_bytes(arena, 999), "999 B");
    assert_string_equal(firn_format_bytes(arena, 1000), "1.0 kB");
    assert_string_equal(firn_format_bytes(arena, 999949), "999.9 kB");
    assert_string_equal(firn_format_bytes(arena, 999950), "1.0 MB");
    assert_string_equal(firn_format_bytes(arena, 12400000), "12.4 MB");
    assert_string_equal(firn_format_bytes(arena, INT64_MAX), "9.2 EB");
    assert_string_equal(firn_format_bytes(arena, INT64_MIN), "-9.2 EB");
    assert_string_equal(firn_format_count(arena, 0), "0");
    assert_string_equal(firn_format_count(arena, 999), "999");
    assert_string_equal(firn_format_count(arena, 1000), "1,000");
    assert_string_equal(firn_format_count(arena, 1204551), "1,204,551");
    assert_string_equal(firn_format_count(arena, -100000), "-100,000");
    assert_string_equal(firn_format_count(arena, INT64_MIN), "-9,223,372,036,854,775,808");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_days),
        cmocka_unit_test(conversion_saturates),
        cmocka_unit_test(days_round_trip),
        cmocka_unit_test(civil_from_us_floors),
        cmocka_unit_test(timestamps_as_text),
        cmocka_unit_test(text_round_trips_through_the_whole_range),
        cmocka_unit_test(spellings_of_timestamps),
        cmocka_unit_test(junk_is_no_timestamp),
        cmocka_unit_test(nanoseconds_have_a_narrower_range),
        cmocka_unit_test(dates_and_times),
        cmocka_unit_test(fake_now_freezes_the_wall_clock),
        cmocka_unit_test(durations_for_people),
        cmocka_unit_test(sizes_and_counts_for_people),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
