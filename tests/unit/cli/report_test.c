/* firn report: for people within 100 columns, for spreadsheets, for programs, for cron. */
#include "cli_testing.h"

#include "base/time.h"

static void put(testing *t, const char *path, const char *text)
{
    assert_int_equal(firn_mkdir_p(firn_path_dirname(t->arena, path), 0755, NULL), FIRN_OK);
    assert_int_equal(firn_file_write_atomic(path, firn_bytes_str(text), 0644, NULL), FIRN_OK);
}

static void feed(testing *t, const char *name, const char *history)
{
    put(t, firn_arena_printf(t->arena, "feeds/active/%s.json", name),
        firn_arena_printf(
            t->arena,
            "{\"feed_name\": \"%s\", \"feed_type\": \"stream\", \"ksqldb_source\": \"%s\", "
            "\"partitioning\": {\"type\": \"date\", \"columns\": [\"year\", \"month\", \"day\"]}, "
            "\"storage_mode\": \"append\", \"format\": \"parquet\", \"retention_days\": 365, "
            "\"enabled\": true, \"created_at\": \"2025-01-15T10:00:00Z\"}",
            name, name));
    put(t, firn_arena_printf(t->arena, ".firn/export/%s.history.jsonl", name), history);
}

#define DONE \
    "{\"time\": \"2025-01-15T12:00:00Z\", \"outcome\": \"done\", \"rows\": 1000, \"bytes\": 100, \"json_bytes\": 1000}\n"
#define FAILED                                                                                                 \
    DONE                                                                                                       \
        "{\"time\": \"2025-01-15T12:01:00Z\", \"outcome\": \"failed\", \"message\": \"cannot reach ksqlDB at " \
        "localhost:8088 (connection refused)\"}\n"

static int setup(void **state)
{
    int rc = testing_setup_lake(state);
    setenv("FIRN_FAKE_NOW", "2025-01-15T12:10:00Z", 1);
    return rc;
}

static int teardown(void **state)
{
    unsetenv("FIRN_FAKE_NOW");
    return testing_teardown(state);
}

static void a_lake_without_feeds_says_how_to_add_one(void **state)
{
    testing *t = *state;
    run_ok(t, "report");
    assert_has(t->out, "the lake has no feeds from ksqlDB");
    assert_has(t->out, "feed sync");
    run_ok(t, "report", "--json");
    assert_string_equal(t->out, "[]\n");
    run_ok(t, "report", "--check");
}

static void people_see_what_is_wrong_and_what_to_do(void **state)
{
    testing *t = *state;
    feed(t, "good", DONE);
    feed(t, "transaction_stream_blacklisted_by_the_auditors", FAILED);
    run_ok(t, "report");
    assert_has(t->out, "10 min ago   ok\n");
    assert_has(t->out, "failing\n");
    assert_has(t->out, "cannot reach ksqlDB at localhost:8088 (connection refused)");
    assert_has(t->out, "2 feeds (2 streams, 0 tables): 1 ok, 1 failing");
    assert_has(t->out, "firn export transaction_stream_blacklisted_by_the_auditors");
    assert_has(t->out, "logs/export_2025_01.log");
    assert_null(strchr(t->out, '\x1b'));
    size_t n = 0;
    char **lines = firn_str_split(t->arena, t->out, '\n', &n);
    for (size_t i = 0; i < n; i++) {
        assert_in_range(firn_utf8_width(lines[i]), 0, 100);
    }
    run_ok(t, "report", "--stats");
    assert_has(t->out, "share of bytes");
    run_ok(t, "report", "good");
    assert_null(strstr(t->out, "failing"));
    run_fails(t, 1, "there is no feed god from ksqlDB. Did you mean good?", "report", "god");
}

static void programs_get_every_figure(void **state)
{
    testing *t = *state;
    feed(t, "bad", FAILED);
    run_ok(t, "report", "--json");
    json_t *json = NULL;
    assert_int_equal(firn_json_parse(t->arena, firn_bytes_str(t->out), "report", &json, NULL),
                     FIRN_OK);
    const json_t *row = json_array_get(json, 0);
    assert_string_equal(json_string_value(json_object_get(row, "health")), "failing");
    assert_int_equal(json_integer_value(json_object_get(row, "failures")), 1);
    assert_int_equal(json_integer_value(json_object_get(row, "age_s")), 600);
    assert_true(json_is_array(json_object_get(row, "alerts")));
    assert_true(json_is_null(json_object_get(row, "records_per_day")));
    const char *printed = t->out;
    run_ok(t, "report", "--format", "json");
    assert_string_equal(t->out, printed);
    run_ok(t, "report", "--csv", "report.csv");
    assert_has(t->out, "1 feed written to report.csv");
    const char *csv = caught(t, "report.csv");
    assert_has(csv, "feed,type,source,table,health,reason,records,bytes,");
    assert_has(csv, "\nbad,stream,bad,streams.bad,failing,cannot reach ksqlDB at localhost:8088");
    run_fails(t, 1, "no/such/folder", "report", "-q", "--format", "csv", "--csv",
              "no/such/folder/r.csv");
}

static void cron_gets_an_exit_code_and_one_line(void **state)
{
    testing *t = *state;
    feed(t, "good", DONE);
    run_ok(t, "report", "--check", "-q");
    assert_string_equal(t->out, "");
    feed(t, "bad", FAILED);
    put(t, "feeds/active/odd.json", "{");
    run_fails(t, 1, "2 of 3 feeds need attention: bad (failing), odd (broken)", "report", "--check",
              "-q");
    assert_string_equal(t->out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lake_without_feeds_says_how_to_add_one, setup, teardown),
        cmocka_unit_test_setup_teardown(people_see_what_is_wrong_and_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_get_every_figure, setup, teardown),
        cmocka_unit_test_setup_teardown(cron_gets_an_exit_code_and_one_line, setup, teardown),
    };
    return cmocka_run_group_tests_name("cli/report", tests, NULL, NULL);
}
