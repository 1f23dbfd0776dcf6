/* Time zones: files and rules, held against libc. */
#include "base/zone.h"

#include "base/io.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#define YEAR_1850_S INT64_C(-3786000000)

static const firn_zone *zone_of(firn_arena *arena, const char *name)
{
    const firn_zone *zone = NULL;
    firn_err err = {0};
    if (firn_zone_load(arena, name, &zone, &err) != FIRN_OK) {
        fail_msg("%s: %s", name, err.message);
    }
    return zone;
}

static void use_tz(const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
}

static void expect_as_libc(const firn_zone *zone, const char *name, int64_t utc_s)
{
    struct tm tm;
    time_t t = (time_t)utc_s;
    assert_non_null(localtime_r(&t, &tm));
    int64_t until_s;
    int64_t offset_s = firn_zone_offset_s(zone, utc_s, &until_s);
    if (offset_s != tm.tm_gmtoff || until_s <= utc_s) {
        fail_msg("%s at %lld: %lld, libc says %ld", name, (long long)utc_s, (long long)offset_s,
                 tm.tm_gmtoff);
    }
}

/* Around each change, and at random, until 2150. */
static void expect_all_as_libc(const firn_zone *zone, const char *name, int64_t start_s)
{
    const int64_t end_s = INT64_C(5680000000);
    unsigned seed = 1;
    for (int64_t at_s = start_s, until_s; at_s < end_s; at_s = until_s) {
        firn_zone_offset_s(zone, at_s, &until_s);
        expect_as_libc(zone, name, at_s);
        if (until_s == INT64_MAX) {
            break;
        }
        expect_as_libc(zone, name, until_s - 1);
        expect_as_libc(zone, name, until_s);
    }
    for (int i = 0; i < 500; i++) {
        int64_t days = (int64_t)rand_r(&seed) % ((end_s - start_s) / 86400);
        expect_as_libc(zone, name, start_s + days * 86400 + rand_r(&seed) % 86400);
    }
}

static void rules_are_read_as_libc_reads_them(void **state)
{
    (void)state;
    static const char *const RULES[] = {"UTC0",
                                        "CET-1CEST,M3.5.0,M10.5.0/3",
                                        "EST5EDT,M3.2.0,M11.1.0",
                                        "IST-5:30",
                                        "LHST-10:30LHDT-11,M10.1.0,M4.1.0",
                                        "<+0330>-3:30",
                                        "IST-1GMT0,M10.5.0,M3.5.0/1",
                                        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                        "NZST-12NZDT,M9.5.0,M4.1.0/3",
                                        "AAA-1BBB,J60/0,J300/1:30:15",
                                        "AAA4BBB,59,300/3"};
    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const firn_zone *zone = NULL;
        assert_int_equal(firn_zone_parse_rule(arena, RULES[i], &zone, NULL), FIRN_OK);
        use_tz(RULES[i]);
        expect_all_as_libc(zone, RULES[i], 0); /* libc has the rules for 1970 and later */
    }
    use_tz("UTC");
}

static void a_rule_without_dates_has_those_of_the_united_states(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_zone *zone = NULL;
    const firn_zone *dated = NULL;
    assert_int_equal(firn_zone_parse_rule(arena, "AAA5BBB", &zone, NULL), FIRN_OK);
    assert_int_equal(firn_zone_parse_rule(arena, "AAA5BBB,M3.2.0,M11.1.0", &dated, NULL), FIRN_OK);
    for (int64_t s = 0; s < INT64_C(4000000000); s += 86400 / 2) {
        assert_int_equal(firn_zone_offset_s(zone, s, NULL), firn_zone_offset_s(dated, s, NULL));
    }
}

static void files_are_read_as_libc_reads_them(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "Europe/Berlin",    "Europe/Dublin",     "Europe/London",       "America/New_York",
        "America/St_Johns", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata",
        "Asia/Tehran",      "Pacific/Apia",      "Africa/Casablanca",   "America/Nuuk",
        "Asia/Gaza",        "Etc/GMT+5"};
    if (!firn_path_is_dir("/usr/share/zoneinfo")) {
        skip();
    }
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const firn_zone *zone = zone_of(arena, NAMES[i]);
        use_tz(NAMES[i]);
        expect_all_as_libc(zone, NAMES[i], YEAR_1850_S);
        expect_all_as_libc(zone_of(arena, "local"), NAMES[i], YEAR_1850_S);
    }
    use_tz("UTC");
}

static void utc_needs_no_file(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    setenv("TZDIR", "/nonexistent", 1);
    int64_t until_s;
    assert_int_equal(firn_zone_offset_s(zone_of(arena, "UTC"), 0, &until_s), 0);
    assert_true(until_s == INT64_MAX);
    assert_int_equal(firn_zone_offset_s(NULL, 0, NULL), 0);
    use_tz("CET-1CEST,M3.5.0,M10.5.0/3"); /* a rule needs none, either */
    assert_int_equal(firn_zone_offset_s(zone_of(arena, "local"), 0, NULL), 3600);
    use_tz("");
    assert_int_equal(firn_zone_offset_s(zone_of(arena, "local"), 0, NULL), 0);
    use_tz("UTC");
    unsetenv("TZDIR");
}

static void unknown_zones_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        firn_rc rc;
    } CASES[] = {{"Europe/Paname", FIRN_E_NOT_FOUND}, {"europe/paris", FIRN_E_NOT_FOUND},
                 {"Europe", FIRN_E_NOT_FOUND},        {"../etc/passwd", FIRN_E_INVALID},
                 {"/etc/localtime", FIRN_E_INVALID},  {"", FIRN_E_INVALID},
                 {"CET-1CEST,M3.5.0", FIRN_E_INVALID}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const firn_zone *zone = NULL;
        firn_err err = {0};
        assert_int_equal(firn_zone_load(arena, CASES[i].name, &zone, &err), CASES[i].rc);
        assert_non_null(strstr(err.message, "Europe/Paris"));
    }
}

static void wrong_rules_are_refused(void **state)
{
    (void)state;
    static const char *const RULES[] = {"",
                                        "CE-1",
                                        "CET",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.1.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,M3.5.0,M10.5.0x",
                                        "CET-25",
                                        "CET-1CEST,J0,J5",
                                        "CET-1CEST,366,5",
                                        "<CET-1",
                                        "CET-1:99",
                                        "CET-1CEST,M3.5.0/200,M10.5.0"};
    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const firn_zone *zone = NULL;
        assert_int_equal(firn_zone_parse_rule(arena, RULES[i], &zone, NULL), FIRN_E_INVALID);
    }
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_bytes bytes;
    const firn_zone *zone = NULL;
    firn_err err = {0};
    if (firn_file_read(arena, "/usr/share/zoneinfo/Europe/Berlin", 1 << 20, &bytes, NULL) !=
        FIRN_OK) {
        skip();
    }
    for (size_t length = 0; length < bytes.len; length++) {
        const void *copy = firn_arena_memdup(arena, bytes.data, length);
        assert_int_equal(firn_zone_parse_file(arena, firn_bytes_of(copy, length), "f", &zone, &err),
                         FIRN_E_CORRUPT);
    }
    assert_int_equal(firn_zone_parse_file(arena, bytes, "f", &zone, &err), FIRN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read_as_libc_reads_them),
        cmocka_unit_test(a_rule_without_dates_has_those_of_the_united_states),
        cmocka_unit_test(files_are_read_as_libc_reads_them),
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(unknown_zones_are_explained),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
