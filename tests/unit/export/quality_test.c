/* Quality rules: what they may say, and what they raise an alert about. */
#include "export/quality.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

enum { DONE = FIRN_EXPORT_DONE, NOTHING = FIRN_EXPORT_NOTHING_NEW, FAILED = FIRN_EXPORT_FAILED };
#define HOUR_US INT64_C(3600000000)

typedef struct past {
    firn_arena *arena;
    firn_export_record records[1000];
    size_t n;
    firn_export_feed feed;
    int64_t now_us; /* 0: of the last export */
    firn_quality_alert *alerts;
    size_t n_alerts;
} past;

static int setup(void **state)
{
    past *p = calloc(1, sizeof(*p));
    p->arena = firn_arena_new();
    p->feed = (firn_export_feed){.name = "pay", .path = "feeds/active/pay.json"};
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    past *p = *state;
    firn_arena_free(p->arena);
    free(p);
    return 0;
}

static json_t *json_of(firn_arena *arena, const char *text)
{
    json_t *json = NULL;
    firn_err err = {0};
    if (firn_json_parse(arena, firn_bytes_str(text), "rules", &json, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return json;
}

static firn_export_record *add(past *p, int outcome, int64_t rows)
{
    firn_export_record *record = &p->records[p->n++];
    *record = (firn_export_record){
        .time_us = (int64_t)p->n * HOUR_US, .outcome = (firn_export_outcome)outcome, .rows = rows};
    return record;
}

static void add_nulls(past *p, int64_t rows, int64_t email)
{
    firn_export_record *record = add(p, DONE, rows);
    firn_export_column_nulls *nulls = FIRN_NEW_N(p->arena, firn_export_column_nulls, 2);
    nulls[0] = (firn_export_column_nulls){"user_id", 0};
    nulls[1] = (firn_export_column_nulls){"email", email};
    record->nulls = nulls;
    record->n_nulls = 2;
}

/* "rule column text" of each alert, by "; ". */
static const char *judged(past *p)
{
    firn_err err = {0};
    int64_t now_us = p->now_us != 0 ? p->now_us : (int64_t)p->n * HOUR_US;
    if (firn_quality_judge(p->arena, &p->feed, p->records, p->n, now_us, &p->alerts, &p->n_alerts,
                           &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    const char *text = "";
    for (size_t i = 0; i < p->n_alerts; i++) {
        text = firn_arena_printf(p->arena, "%s%s%s: %s", text, i > 0 ? "; " : "", p->alerts[i].rule,
                                 p->alerts[i].text);
    }
    return text;
}

static void rules(past *p, const char *text)
{
    p->feed.quality = json_of(p->arena, text);
}

static void usual(past *p, int times, int64_t rows)
{
    for (int i = 0; i < times; i++) {
        add(p, DONE, rows + (i % 3 - 1) * rows / 20);
    }
}

/* ---- what rules may say ---------------------------------------------------------------------------------- */

static void wrong_rules_are_named(void **state)
{
    past *p = *state;
    static const char *const CASES[][2] = {
        {"{\"rows\": {\"mim\": 1}}",
         "no quality rule \"quality.rows.mim\". Did you mean \"quality.rows.min\"?"},
        {"{\"row\": {\"min\": 1}}", "Did you mean \"quality.rows\"?"},
        {"{\"min\": 1}", "Did you mean \"quality.rows.min\"?"},
        {"{\"stale_afte\": \"1h\"}", "Did you mean \"quality.stale_after\"?"},
        {"{\"colour\": 1}", "there are quality.rows.min, quality.rows.max"},
        {"{\"rows\": 5}", "quality.rows must be an object of rules, not 5"},
        {"[]", "quality must be an object of rules"},
        {"{\"rows\": {\"min\": -1}}", "quality.rows.min is -1, but it must be a whole number"},
        {"{\"rows\": {\"min\": 1.5}}", "quality.rows.min is 1.5"},
        {"{\"rows\": {\"min\": \"1\"}}", "quality.rows.min is \"1\""},
        {"{\"rows\": {\"min\": 9, \"max\": 8}}",
         "quality.rows.min, 9, is above quality.rows.max, 8"},
        {"{\"rows\": {\"deviation\": 0}}", "quality.rows.deviation is 0"},
        {"{\"nulls\": {\"max\": 0.1}}", "an object of columns and shares"},
        {"{\"nulls\": {\"max\": {\"email\": 20}}}", "of column \"email\" is 20"},
        {"{\"nulls\": {\"max\": {\"email\": \"0.2\"}}}", "of column \"email\" is \"0.2\""},
        {"{\"nulls\": {\"deviation\": 1.5}}", "quality.nulls.deviation is 1.5"},
        {"{\"stale_after\": \"soon\"}", "a duration such as \"26h\""},
        {"{\"stale_after\": 26}", "a duration such as \"26h\""},
        {"{\"stale_after\": \"0h\"}", "a duration such as \"26h\""},
        {"{\"history\": 4}", "a whole number from 5 to 1000"},
        {"{\"on_alert\": \"mail\"}", "\"warn\" or \"fail\""},
        {"{\"on_alert\": null}", "quality.on_alert is null"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        firn_err err = {0};
        firn_rc rc =
            firn_quality_check_rules(json_of(p->arena, CASES[i][0]), "feeds/active/pay.json", &err);
        assert_int_equal(rc, FIRN_E_CONFIG);
        assert_true(firn_starts_with(err.message, "feeds/active/pay.json: "));
        if (strstr(err.message, CASES[i][1]) == NULL) {
            fail_msg("%s: %s", CASES[i][0], err.message);
        }
    }
}

static void right_rules_are_taken(void **state)
{
    past *p = *state;
    static const char *const CASES[] = {
        "{}",
        "{\"rows\": {\"min\": 1, \"max\": 1000000, \"deviation\": 4}, \"nulls\": {\"max\": {\"user_id\": 0, "
        "\"email\": 0.2}, \"deviation\": 0.1}, \"stale_after\": \"26h\", \"history\": 20, \"on_alert\": \"warn\"}",
        "{\"rows\": {\"min\": 0, \"max\": 0}, \"nulls\": {\"max\": {}}, \"stale_after\": \"2d\", "
        "\"on_alert\": \"fail\", \"history\": 1000}",
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        firn_err err = {0};
        if (firn_quality_check_rules(json_of(p->arena, CASES[i]), "f", &err) != FIRN_OK) {
            fail_msg("%s", err.message);
        }
    }
    assert_int_equal(firn_quality_check_rules(NULL, "f", NULL), FIRN_OK);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

static void nothing_to_judge_is_no_alert(void **state)
{
    past *p = *state;
    assert_string_equal(judged(p), "");
    add(p, FAILED, 0);
    assert_string_equal(judged(p), "");
}

static void bounds_hold_from_the_first_export(void **state)
{
    past *p = *state;
    rules(p, "{\"rows\": {\"min\": 10, \"max\": 2000}, \"on_alert\": \"fail\"}");
    add(p, DONE, 9);
    assert_string_equal(judged(p), "rows.min: 9 rows, fewer than the least allowed (10)");
    assert_true(p->alerts[0].fails);
    add(p, DONE, 2001);
    assert_string_equal(judged(p), "rows.max: 2,001 rows, more than the most allowed (2,000)");
    add(p, NOTHING, 0);
    assert_string_equal(judged(p), "rows.min: 0 rows, fewer than the least allowed (10)");
    add(p, DONE, 10);
    assert_string_equal(judged(p), "");
}

static void far_from_usual_is_an_alert(void **state)
{
    past *p = *state;
    usual(p, 20, 40000);
    add(p, DONE, 1000);
    assert_string_equal(judged(p),
                        "rows.deviation: 1,000 rows, 40 times fewer than usual (40,000)");
    assert_false(p->alerts[0].fails);
    p->records[p->n - 1].rows = 140000;
    assert_string_equal(judged(p),
                        "rows.deviation: 140,000 rows, 3.5 times more than usual (40,000)");
    p->records[p->n - 1].rows = 26000;
    assert_string_equal(judged(p), "rows.deviation: 26,000 rows, 35% fewer than usual (40,000)");
    p->records[p->n - 1].rows = 42000;
    assert_string_equal(judged(p), "");
}

static void few_exports_are_no_judgement(void **state)
{
    past *p = *state;
    usual(p, 4, 1000);
    add(p, DONE, 1);
    assert_string_equal(judged(p), "");
    p->n--;
    usual(p, 1, 1000);
    add(p, DONE, 1);
    assert_string_equal(judged(p), "rows.deviation: 1 row, 950 times fewer than usual (950)");
}

/* A table with as many rows each time has no spread at all. */
static void without_spread_small_changes_are_no_alert(void **state)
{
    past *p = *state;
    for (int i = 0; i < 20; i++) {
        add(p, DONE, 50);
    }
    add(p, DONE, 60);
    assert_string_equal(judged(p), "");
    p->records[p->n - 1].rows = 10;
    assert_string_equal(judged(p), "rows.deviation: 10 rows, 5.0 times fewer than usual (50)");
    for (int i = 0; i < 20; i++) {
        p->records[i].rows = 0; /* an empty table */
    }
    p->records[p->n - 1].rows = 3;
    assert_string_equal(judged(p), "");
    p->records[p->n - 1].rows = 5000;
    assert_string_equal(judged(p), "rows.deviation: 5,000 rows, where there are usually none");
}

/* With a spread as large as the median, "m - 6 s" would be below zero. */
static void a_fall_is_seen_in_spite_of_large_spread(void **state)
{
    past *p = *state;
    for (int i = 0; i < 20; i++) {
        add(p, DONE, i % 2 == 0 ? 5000 : 15000);
    }
    add(p, DONE, 20);
    assert_string_equal(judged(p), "rows.deviation: 20 rows, 433 times fewer than usual (8,660)");
}

static void failed_and_skipped_exports_do_not_count(void **state)
{
    past *p = *state;
    usual(p, 6, 1000);
    for (int i = 0; i < 40; i++) {
        add(p, i % 2 == 0 ? FAILED : FIRN_EXPORT_SKIPPED, 0);
    }
    assert_string_equal(judged(p), ""); /* the newest one is not judged */
    add(p, DONE, 1010);
    assert_string_equal(judged(p), "");
    p->records[p->n - 1].rows = 10;
    assert_string_equal(judged(p), "rows.deviation: 10 rows, 100 times fewer than usual (1,000)");
}

/* A feed that never was empty is: until rows come again. One that often is: no news. */
static void nothing_new_is_judged_by_the_past(void **state)
{
    past *p = *state;
    usual(p, 20, 1000);
    for (int i = 0; i < 30; i++) {
        add(p, NOTHING, 0);
        assert_string_equal(judged(p), "rows.deviation: 0 rows, far fewer than usual (1,000)");
    }
    usual(p, 1, 1000);
    assert_string_equal(judged(p), "");
    p->n = 0;
    for (int i = 0; i < 30; i++) {
        add(p, i % 4 == 3 ? DONE : NOTHING, i % 4 == 3 ? 100 : 0);
    }
    add(p, NOTHING, 0);
    assert_string_equal(judged(p), "");
    add(p, DONE, 101);
    assert_string_equal(judged(p), "");
}

static void what_stays_becomes_usual(void **state)
{
    past *p = *state;
    usual(p, 20, 1000);
    int alerts = 0;
    for (int i = 0; i < 20; i++) {
        add(p, DONE, 100);
        alerts += judged(p)[0] != '\0';
    }
    assert_in_range(alerts, 9, 12); /* half the window */
    assert_string_equal(judged(p), "");
}

/* ---- rows, generated ------------------------------------------------------------------------------------ */

static double uniform(unsigned *seed)
{
    return ((double)rand_r(seed) + 1) / ((double)RAND_MAX + 2);
}

static double normal(unsigned *seed)
{
    return sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
}

typedef enum volume { NOISE, SKEWED, WEEKLY, GROWING, N_SHAPES } volume;

static int64_t rows_at(volume shape, int day, unsigned *seed)
{
    switch (shape) {
    case NOISE: return llround(20000 * fmax(0.1, 1 + 0.1 * normal(seed)));
    case SKEWED: return llround(20000 * exp(0.5 * normal(seed)));
    case WEEKLY: return llround((day % 7 < 5 ? 20000 : 1500) * fmax(0.1, 1 + 0.1 * normal(seed)));
    default: return llround(20000 * pow(1.02, day) * fmax(0.1, 1 + 0.05 * normal(seed)));
    }
}

/* Of exports as they come, few are alerts; of those with a tenth or ten times of the rows, nearly all are. */
static void false_alarms_are_rare_and_faults_are_found(void **state)
{
    past *p = *state;
    static const char *const NAMES[] = {"noise", "skewed", "weekly", "growing"};
    enum { FEEDS = 40, DAYS = 100, WARM = 21 };
    for (volume shape = NOISE; shape < N_SHAPES; shape++) {
        int exports = 0, alarms = 0, faults = 0, found = 0;
        for (unsigned feed = 1; feed <= FEEDS; feed++) {
            unsigned seed = feed;
            p->n = 0;
            for (int day = 0; day < DAYS; day++) {
                firn_export_record *record = add(p, DONE, rows_at(shape, day, &seed));
                if (day < WARM) {
                    continue;
                }
                exports++;
                alarms += judged(p)[0] != '\0';
                if (shape != WEEKLY || day % 7 < 5) {
                    int64_t rows = record->rows;
                    record->rows = day % 2 == 0 ? rows / 30 : rows * 30;
                    faults++;
                    found += judged(p)[0] != '\0';
                    record->rows = rows;
                }
                firn_arena_reset(p->arena);
            }
        }
        print_message("# %s: %d alarms of %d exports, %d of %d faults found\n", NAMES[shape],
                      alarms, exports, found, faults);
        assert_true(alarms * 100 <= exports);
        assert_true(found * 100 >= faults * 90);
    }
}

/* ---- nulls --------------------------------------------------------------------------------------------- */

static void shares_of_nulls_have_bounds(void **state)
{
    past *p = *state;
    rules(p, "{\"nulls\": {\"max\": {\"user_id\": 0, \"email\": 0.2}}}");
    add_nulls(p, 1000, 200);
    assert_string_equal(judged(p), "");
    add_nulls(p, 1000, 201);
    assert_string_equal(judged(p),
                        "nulls.max: 20% of email is null, more than the most allowed (20%)");
    assert_string_equal(p->alerts[0].column, "email");
    rules(p, "{\"nulls\": {\"max\": {\"emial\": 0.2}}}");
    assert_string_equal(
        judged(p),
        "nulls.max: the rows have no column emial that nulls are counted of; did you mean email?");
    add(p, DONE, 1000); /* no statistics: nothing is said */
    assert_string_equal(judged(p), "");
}

static void shares_of_nulls_stay_as_they_are(void **state)
{
    past *p = *state;
    for (int i = 0; i < 10; i++) {
        add_nulls(p, 1000, 50 + i % 3);
    }
    add_nulls(p, 1000, 130);
    assert_string_equal(judged(p), "");
    add_nulls(p, 1000, 400);
    assert_string_equal(judged(p), "nulls.deviation: 40% of email is null, usually it is 5.1%");
    rules(p, "{\"rows\": {\"deviation\": 1e9}, \"nulls\": {\"deviation\": 0.01}}");
    add_nulls(p, 4, 1); /* by chance */
    assert_string_equal(judged(p), "");
    add_nulls(p, 1000, 100);
    assert_string_equal(judged(p), "nulls.deviation: 10% of email is null, usually it is 5.1%");
}

/* ---- age ----------------------------------------------------------------------------------------------- */

static void a_feed_without_success_is_stale(void **state)
{
    past *p = *state;
    rules(p, "{\"stale_after\": \"26h\"}");
    add(p, DONE, 1000);
    p->now_us = 27 * HOUR_US;
    assert_string_equal(judged(p), "");
    p->now_us = 28 * HOUR_US;
    assert_string_equal(judged(p),
                        "stale_after: the last successful export is 1 d 3 h old, more than 26h");
    add(p, FAILED, 0); /* trying is not succeeding */
    assert_string_equal(judged(p),
                        "stale_after: the last successful export is 1 d 3 h old, more than 26h");
    add(p, NOTHING, 0);
    assert_string_equal(judged(p), "");
    p->feed.mode = FIRN_EXPORT_IGNORE;
    p->now_us = 10000 * HOUR_US;
    assert_string_equal(judged(p), "");
}

static void a_broken_rule_is_an_error(void **state)
{
    past *p = *state;
    firn_err err = {0};
    rules(p, "{\"rows\": {\"min\": -1}}");
    assert_int_equal(
        firn_quality_judge(p->arena, &p->feed, p->records, 0, 0, &p->alerts, &p->n_alerts, &err),
        FIRN_E_CONFIG);
    assert_true(firn_starts_with(err.message, "feeds/active/pay.json: "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_rules_are_named),
        TEST(right_rules_are_taken),
        TEST(nothing_to_judge_is_no_alert),
        TEST(bounds_hold_from_the_first_export),
        TEST(far_from_usual_is_an_alert),
        TEST(few_exports_are_no_judgement),
        TEST(without_spread_small_changes_are_no_alert),
        TEST(a_fall_is_seen_in_spite_of_large_spread),
        TEST(failed_and_skipped_exports_do_not_count),
        TEST(nothing_new_is_judged_by_the_past),
        TEST(what_stays_becomes_usual),
        TEST(false_alarms_are_rare_and_faults_are_found),
        TEST(shares_of_nulls_have_bounds),
        TEST(shares_of_nulls_stay_as_they_are),
        TEST(a_feed_without_success_is_stale),
        TEST(a_broken_rule_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
