/* The state of feeds, from tables, folders and history alone: no server is there. */
#include "export/report.h"

#include "tree_fixture.h"

static const char STREAM[] =
    "{\"feed_name\": \"s\", \"feed_type\": \"stream\", \"ksqldb_source\": \"s\", "
    "\"partitioning\": {\"type\": \"date\", \"columns\": [\"year\", \"month\", \"day\"]}, "
    "\"storage_mode\": \"append\", \"format\": \"parquet\", \"retention_days\": 365, "
    "\"enabled\": true, \"created_at\": \"2025-01-15T10:00:00Z\"%s}";
static const char TABLE[] =
    "{\"feed_name\": \"t\", \"feed_type\": \"table\", \"ksqldb_source\": \"t\", "
    "\"partitioning\": {\"type\": \"version\", \"columns\": [\"version\"]}, "
    "\"storage_mode\": \"overwrite\", \"format\": \"parquet\", \"retention_versions\": 2, "
    "\"enabled\": true, \"created_at\": \"2025-01-15T10:00:00Z\"}";

static int64_t at(const char *text)
{
    int64_t us = 0;
    assert_true(firn_parse_timestamp(text, &us, NULL));
    return us;
}

#define NOW at("2025-06-15 12:00")
#define DAY INT64_C(86400000000)

static void put(lake_fixture *f, const char *path, const char *text)
{
    firn_err err = {0};
    const char *full = firn_path_join(f->arena, f->root, path);
    lake_check(firn_mkdir_p(firn_path_dirname(f->arena, full), 0755, &err), &err, path);
    lake_check(firn_file_write_atomic(full, firn_bytes_str(text), 0644, &err), &err, path);
}

static void stream_with(lake_fixture *f, const char *more)
{
    put(f, "feeds/active/s.json", firn_str_replace(f->arena, STREAM, "%s", more));
}

static void exported(lake_fixture *f, const char *feed, int64_t time_us,
                     firn_export_outcome outcome, int64_t rows)
{
    firn_export_history_add(
        f->lake, feed,
        &(firn_export_record){.time_us = time_us,
                              .outcome = outcome,
                              .rows = rows,
                              .bytes = rows * 10,
                              .json_bytes = outcome == FIRN_EXPORT_DONE ? rows * 100 : 0,
                              .table_rows = rows,
                              .seconds = 2,
                              .message = outcome == FIRN_EXPORT_FAILED ? "no answer" : NULL});
}

static firn_report_feed *report_at(lake_fixture *f, int64_t now_us, size_t *n)
{
    firn_err err = {0};
    firn_report_feed *feeds = NULL;
    lake_check(firn_export_report(f->session, f->arena, now_us, &feeds, n, &err), &err, "report");
    return feeds;
}

static firn_report_feed only(lake_fixture *f, int64_t now_us)
{
    size_t n = 0;
    firn_report_feed *feeds = report_at(f, now_us, &n);
    assert_int_equal(n, 1);
    return feeds[0];
}

static void expect_health(lake_fixture *f, int64_t now_us, firn_feed_health health, const char *why)
{
    firn_report_feed feed = only(f, now_us);
    if (feed.health != health) {
        fail_msg("%s: %s", firn_feed_health_name(feed.health), feed.why != NULL ? feed.why : "-");
    }
    if (why == NULL) {
        assert_null(feed.why);
    } else {
        assert_non_null(feed.why);
        assert_string_equal(feed.why, why);
    }
}

/* ---- figures ------------------------------------------------------------------------------------------- */

static void a_lake_without_feeds_has_an_empty_report(void **state)
{
    size_t n = 9;
    report_at(*state, 0, &n);
    assert_int_equal(n, 0);
}

static void a_stream_has_its_figures(void **state)
{
    lake_fixture *f = *state;
    stream_with(f, "");
    tree_make_stream(f);
    lake_exec(
        f,
        "INSERT INTO streams.s VALUES (1, 'a', 2024, 6, 1), (2, 'b', 2025, 6, 14), (3, 'c', 2025, "
        "6, 14), (4, 'd', 2025, 6, 15)");
    firn_export_feed file = tree_stream("s");
    tree_sync(f, &file);
    exported(f, "s", NOW - DAY, FIRN_EXPORT_DONE, 3);
    exported(f, "s", NOW - DAY / 2, FIRN_EXPORT_FAILED, 0);
    exported(f, "s", NOW - 60000000, FIRN_EXPORT_DONE, 1);
    firn_report_feed feed = only(f, NOW);
    assert_string_equal(feed.name, "s");
    assert_int_equal(feed.health, FIRN_HEALTH_OK);
    assert_int_equal(feed.rows, 4);
    assert_int_equal(feed.table_rows, 4);
    assert_int_equal(feed.files, 3);
    assert_true(feed.bytes > 0);
    assert_int_equal(feed.partitions, 3);
    assert_int_equal(feed.versions, 0);
    assert_string_equal(feed.oldest, "year=2024/month=06/day=01");
    assert_int_equal(feed.last_export_us, NOW - 60000000);
    assert_int_equal(feed.age_s, 60);
    assert_int_equal(feed.exports, 3);
    assert_int_equal(feed.failures, 1);
    assert_int_equal(feed.json_bytes, 400); /* 100 for each row */
    assert_true(feed.ratio == (double)feed.bytes / 400);
    assert_int_equal(feed.due_rows, 1); /* of June 2024 */
    assert_int_equal(feed.due_partitions, 1);
    lake_expect(f, "SELECT count(*) FROM streams.s", "4"); /* it was only looked at */
    const firn_report_growth g = firn_export_growth(&feed, NOW);
    assert_true(g.known && g.rows_per_day > 0.9 && g.rows_per_day < 1.1);
    assert_int_equal(g.part_rows_min, 1);
    assert_int_equal(g.part_rows_median, 1);
    assert_int_equal(g.part_rows_max, 2);
    assert_true(g.seconds == 2);
}

static void a_table_has_versions(void **state)
{
    lake_fixture *f = *state;
    put(f, "feeds/active/t.json", TABLE);
    tree_make_table(f);
    tree_version(f, 1, "SELECT 1 AS id, 10 AS total");
    tree_version(f, 2, "SELECT 1 AS id, 10 AS total UNION ALL SELECT 2, 20");
    tree_version(f, 3, "SELECT 1 AS id, 10 AS total UNION ALL SELECT 2, 20 UNION ALL SELECT 3, 30");
    firn_export_feed file = tree_table("t");
    tree_sync(f, &file);
    exported(f, "t", NOW - 2 * DAY, FIRN_EXPORT_DONE, 2);
    exported(f, "t", NOW - DAY, FIRN_EXPORT_DONE, 3);
    firn_report_feed feed = only(f, NOW);
    assert_int_equal(feed.versions, 3);
    assert_int_equal(feed.newest_version, 3);
    assert_string_equal(feed.parts[0].path, "version=v1");
    assert_int_equal(feed.rows, 6);
    assert_int_equal(feed.table_rows, 3);
    assert_int_equal(feed.due_partitions, 1); /* two are kept */
    const firn_report_growth g = firn_export_growth(&feed, NOW);
    assert_true(g.known && g.rows_per_day > 0.9 && g.rows_per_day < 1.1);
}

static void without_an_engine_all_but_retention_is_known(void **state)
{
    lake_fixture *f = *state;
    stream_with(f, "");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2024, 6, 1)");
    firn_report_feed *feeds = NULL;
    size_t n = 0;
    firn_err err = {0};
    lake_check(firn_export_report_lake(f->lake, f->arena, NOW, &feeds, &n, &err), &err, "report");
    assert_int_equal(n, 1);
    assert_int_equal(feeds[0].rows, 1); /* the folders are not there yet */
    assert_int_equal(feeds[0].due_rows, -1);
}

/* ---- health -------------------------------------------------------------------------------------------- */

static void health_is_by_the_last_exports(void **state)
{
    lake_fixture *f = *state;
    stream_with(f, "");
    expect_health(f, NOW, FIRN_HEALTH_NEVER, NULL);
    exported(f, "s", NOW - 5000, FIRN_EXPORT_FAILED, 0);
    expect_health(f, NOW, FIRN_HEALTH_FAILING, "no answer");
    exported(f, "s", NOW - 4000, FIRN_EXPORT_FAILED, 0);
    expect_health(f, NOW, FIRN_HEALTH_FAILING, "no answer (2 exports in a row)");
    exported(f, "s", NOW - 3000, FIRN_EXPORT_NOTHING_NEW, 0);
    expect_health(f, NOW, FIRN_HEALTH_OK, NULL);
    stream_with(f, ", \"quality\": {\"rows\": {\"min\": 1}}");
    expect_health(f, NOW, FIRN_HEALTH_ALERT, "0 rows, fewer than the least allowed (1)");
    assert_int_equal(only(f, NOW).n_alerts, 1);
}

static void what_is_late_is_stale(void **state)
{
    lake_fixture *f = *state;
    stream_with(f, "");
    for (int i = 0; i < 6; i++) {
        exported(f, "s", NOW - (10 - i) * DAY, FIRN_EXPORT_DONE, 100);
    }
    expect_health(f, NOW - 2 * DAY - 1, FIRN_HEALTH_OK, NULL);
    expect_health(f, NOW, FIRN_HEALTH_STALE,
                  "the last successful export is 5 d 0 h old; usually there is one every 1 d 0 h");
    stream_with(f, ", \"quality\": {\"stale_after\": \"30d\"}"); /* a rule counts instead */
    expect_health(f, NOW, FIRN_HEALTH_OK, NULL);
    stream_with(f, ", \"quality\": {\"stale_after\": \"2d\"}");
    expect_health(f, NOW, FIRN_HEALTH_STALE,
                  "the last successful export is 5 d 0 h old, more than 2d");
}

/* Somebody tries things out: many exports in a minute make no rhythm. */
static void exports_close_together_are_not_late_within_an_hour(void **state)
{
    lake_fixture *f = *state;
    stream_with(f, "");
    for (int i = 0; i < 6; i++) {
        exported(f, "s", NOW + i * INT64_C(1000000), FIRN_EXPORT_DONE, 100);
    }
    expect_health(f, NOW + INT64_C(3000000000), FIRN_HEALTH_OK, NULL);
    expect_health(f, NOW + INT64_C(4000000000), FIRN_HEALTH_STALE,
                  "the last successful export is 1 h 7 min old; usually there is one every 1.00 s");
}

static void who_is_off_is_not_late(void **state)
{
    lake_fixture *f = *state;
    for (int i = 0; i < 6; i++) {
        exported(f, "s", NOW - (10 - i) * DAY, FIRN_EXPORT_DONE, 100);
    }
    put(f, "feeds/active/s.json",
        firn_str_replace(f->arena, firn_str_replace(f->arena, STREAM, "%s", ""), "true", "false"));
    expect_health(f, NOW, FIRN_HEALTH_OFF, "disabled");
    put(f, "feeds/archived/s.json", firn_str_replace(f->arena, STREAM, "%s", ""));
    assert_int_equal(remove(firn_path_join(f->arena, f->root, "feeds/active/s.json")), 0);
    expect_health(f, NOW, FIRN_HEALTH_OFF, "archived");
    assert_false(firn_feed_health_is_trouble(FIRN_HEALTH_OFF));
}

/* One feed's damage is its own. */
static void broken_files_do_not_hide_the_others(void **state)
{
    lake_fixture *f = *state;
    stream_with(f, "");
    put(f, "feeds/active/broken.json", "{ nope");
    put(f, "streams/s/_metadata.json", "{ nope");
    put(f, ".firn/export/s.history.jsonl", "nope\n");
    size_t n = 0;
    firn_report_feed *feeds = report_at(f, NOW, &n);
    assert_int_equal(n, 2);
    assert_string_equal(feeds[0].name, "broken");
    assert_int_equal(feeds[0].health, FIRN_HEALTH_BROKEN);
    assert_non_null(strstr(feeds[0].why, "not valid JSON"));
    assert_null(feeds[0].feed);
    assert_int_equal(feeds[1].health, FIRN_HEALTH_NEVER);
}

/* The history is memory, not truth. */
static void a_lost_history_loses_no_rows(void **state)
{
    lake_fixture *f = *state;
    stream_with(f, "");
    tree_make_stream(f);
    lake_exec(f, "INSERT INTO streams.s VALUES (1, 'a', 2025, 6, 1)");
    firn_export_feed file = tree_stream("s");
    tree_sync(f, &file);
    firn_report_feed feed = only(f, 0);
    assert_int_equal(feed.health, FIRN_HEALTH_OK);
    assert_int_equal(feed.rows, 1);
    assert_true(feed.last_export_us > 0);
    assert_true(feed.ratio < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lake_without_feeds_has_an_empty_report),
        TEST(a_stream_has_its_figures),
        TEST(a_table_has_versions),
        TEST(without_an_engine_all_but_retention_is_known),
        TEST(health_is_by_the_last_exports),
        TEST(what_is_late_is_stale),
        TEST(exports_close_together_are_not_late_within_an_hour),
        TEST(who_is_off_is_not_late),
        TEST(broken_files_do_not_hide_the_others),
        TEST(a_lost_history_loses_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
