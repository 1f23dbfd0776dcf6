/* firn feed tree, compact, retain; firn table versions, diff, rollback to a version: what they print, and their exit codes. */
#include "cli_testing.h"

static int64_t number(testing *t, size_t row, const char *column)
{
    json_t *json = NULL;
    firn_err err = {0};
    if (firn_json_parse(t->arena, firn_bytes_str(t->out), "output", &json, &err) != FIRN_OK) {
        fail_msg("%s: %s", err.message, t->out);
    }
    return json_integer_value(json_object_get(json_array_get(json, row), column));
}

static void make_stream(testing *t)
{
    run_ok(t, "-q", "feed", "add", "s", "--type", "stream");
    run_ok(
        t, "-q", "sql", "-c",
        "CREATE SCHEMA streams; CREATE TABLE streams.s (id BIGINT, year INT, month INT, day INT) "
        "PARTITIONED BY (year, month, day) WITH ('firn.write.partition-columns'='false')");
    run_ok(t, "-q", "sql", "-c", "INSERT INTO streams.s VALUES (1, 2020, 1, 1), (2, 2025, 1, 14)");
    run_ok(t, "-q", "sql", "-c", "INSERT INTO streams.s VALUES (3, 2025, 1, 14)");
}

static void folders_are_made_compacted_and_emptied(void **state)
{
    testing *t = *state;
    make_stream(t);
    run_ok(t, "feed", "tree", "s", "--format", "json");
    assert_int_equal(number(t, 0, "added"), 3);
    assert_true(firn_path_is_dir("streams/s/year=2025/month=01/day=14"));
    run_ok(t, "feed", "tree");
    assert_has(t->out, "1 feed");
    run_ok(t, "feed", "compact", "s", "--dry-run", "--format", "json");
    assert_int_equal(number(t, 0, "files_before"), 2);
    run_ok(t, "feed", "compact", "--format", "json");
    assert_int_equal(number(t, 0, "files_after"), 1);
    assert_int_equal(number(t, 0, "rows"), 2);
    run_ok(t, "feed", "retain", "--dry-run");
    assert_has(t->out, "365 days");
    assert_has(t->out, "a dry run: nothing was changed");
    assert_true(firn_path_is_dir("streams/s/year=2020"));
    run_ok(t, "feed", "retain", "--format", "json");
    assert_int_equal(number(t, 0, "rows"), 1);
    assert_has(t->out, "\"oldest_kept\": \"2025-01-14\"");
    assert_false(firn_path_exists("streams/s/year=2020"));
    firn_bytes log;
    assert_int_equal(firn_file_read(t->arena, "logs/export_2025_01.log", 1 << 20, &log, NULL),
                     FIRN_OK);
    assert_has((const char *)log.data,
               "s: retention (365 days): 1 rows of 1 partitions erased, 1 files");
}

/* One feed that fails does not stop the others. */
static void a_feed_that_fails_is_told(void **state)
{
    testing *t = *state;
    make_stream(t);
    run_ok(t, "-q", "feed", "add", "never_exported", "--type", "table");
    run_ok(t, "feed", "tree");
    assert_has(t->out, "1 feed");
    assert_int_equal(firn_file_write_atomic("feeds/active/a.json", firn_bytes_str("{"), 0644, NULL),
                     FIRN_OK);
    run(t, "feed", "tree");
    expect_code(t, 1, __FILE__, __LINE__);
    assert_has(t->err, "error: feed a: ");
    assert_has(t->out, "streams/s");
    run_fails(t, 1, "feed never_exported: ", "feed", "tree", "never_exported");
    run_fails(t, 1, "there is no feed nothing", "feed", "retain", "nothing");
}

static void make_versions(testing *t)
{
    run_ok(t, "-q", "feed", "add", "t", "--type", "table");
    run_ok(
        t, "-q", "sql", "-c",
        "CREATE SCHEMA tables; CREATE TABLE tables.t (id BIGINT NOT NULL, total INT, version "
        "VARCHAR, PRIMARY KEY (id)) PARTITIONED BY (version); INSERT INTO tables.t VALUES (1, 10, "
        "'v1'), (2, 20, 'v1'); ALTER TABLE tables.t CREATE TAG v1; TRUNCATE tables.t; INSERT INTO "
        "tables.t VALUES (2, 21, 'v2'), (3, 30, 'v2'); ALTER TABLE tables.t CREATE TAG v2");
}

static void versions_are_compared_and_gone_back_to(void **state)
{
    testing *t = *state;
    make_versions(t);
    run_ok(t, "table", "versions", "tables.t");
    assert_has(t->out, "2 versions");
    run_ok(t, "table", "diff", "tables.t", "v1", "v2", "--format", "json");
    assert_int_equal(number(t, 0, "added"), 1);
    assert_int_equal(number(t, 0, "removed"), 1);
    assert_int_equal(number(t, 0, "changed"), 1);
    assert_int_equal(number(t, 0, "same"), 0);
    run_ok(t, "table", "diff", "tables.t", "v1", "v2", "--rows", "--format", "csv");
    assert_string_equal(t->out, "change,id,total\n-,1,10\n~-,2,20\n~+,2,21\n+,3,30\n");
    run_ok(t, "table", "diff", "tables.t", "v1", "v2", "--rows", "--limit", "1", "--format", "csv");
    assert_string_equal(t->out, "change,id,total\n-,1,10\n");
    run_ok(t, "table", "rollback", "tables.t", "v1");
    assert_string_equal(t->out, "tables.t has the rows of v1 again, as version v3\n");
    assert_true(firn_path_is_dir("tables/t/version=v3"));
    run_ok(t, "table", "versions", "tables.t", "--format", "csv");
    assert_has(t->out, ",true,v1,");
    run_fails(t, 1, "table tables.t has no version v9: it has v1, v2, v3", "table", "rollback",
              "tables.t", "v9");
    run_fails(t, 2, "\"x\" is no version like v3", "table", "rollback", "tables.t", "x");
    run_fails(t, 2, "a version excludes --to and --as-of", "table", "rollback", "tables.t", "v1",
              "--to", "5");
    run_fails(t, 1, "has no version, tag or snapshot v9", "table", "diff", "tables.t", "v1", "v9");
}

static int setup_at_a_fixed_time(void **state)
{
    setenv("FIRN_FAKE_NOW", "2025-01-15T10:00:00Z", 1);
    return testing_setup_lake(state);
}

static int teardown(void **state)
{
    unsetenv("FIRN_FAKE_NOW");
    return testing_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_at_a_fixed_time, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folders_are_made_compacted_and_emptied),
        TEST(a_feed_that_fails_is_told),
        TEST(versions_are_compared_and_gone_back_to),
    };
    return cmocka_run_group_tests_name("cli/feed_folders", tests, NULL, NULL);
}
