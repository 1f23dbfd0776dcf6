/* firn feed: what its commands print, take and refuse. sync is tested against a server in tests/interop/test_ksqldb_feeds.py. */
#include "cli_testing.h"

#include "../export/feed_cases.h"

static void put_file(testing *t, const char *path, const char *text)
{
    assert_int_equal(firn_mkdir_p(firn_path_dirname(t->arena, path), 0755, NULL), FIRN_OK);
    assert_int_equal(firn_file_write_atomic(path, firn_bytes_str(text), 0644, NULL), FIRN_OK);
}

static const json_t *rows(testing *t)
{
    json_t *json = NULL;
    firn_err err = {0};
    if (firn_json_parse(t->arena, firn_bytes_str(t->out), "output", &json, &err) != FIRN_OK) {
        fail_msg("%s: %s", err.message, t->out);
    }
    return json;
}

static const char *cell(const json_t *all, size_t row, const char *column)
{
    const char *text = json_string_value(json_object_get(json_array_get(all, row), column));
    return text != NULL ? text : "";
}

static void from_add_to_restore(void **state)
{
    testing *t = *state;
    run_ok(t, "feed", "add", "--name", "payment_stream", "--type", "stream", "--source",
           "payment_stream", "--description", "Stream des paiements");
    assert_string_equal(t->out,
                        "feed payment_stream added: feeds/active/payment_stream.json. Next: "
                        "firn export --stream payment_stream\n");
    assert_true(firn_path_is_dir("streams/payment_stream"));
    run_ok(t, "feed", "update", "payment_stream", "retention_days=90", "compression=zstd");
    assert_string_equal(t->out, "feed payment_stream updated: compression snappy -> zstd, "
                                "retention_days 365 -> 90\n");
    run_ok(t, "feed", "update", "payment_stream", "compression=zstd");
    assert_string_equal(t->out, "feed payment_stream is so already\n");
    run_ok(t, "feed", "update", "payment_stream", "compression=");
    assert_string_equal(t->out, "feed payment_stream updated: compression zstd -> snappy\n");
    run_ok(t, "feed", "disable", "payment_stream");
    assert_has(t->out, "feed payment_stream disabled: `firn export --all` passes it over");
    run_ok(t, "feed", "disable", "payment_stream");
    assert_has(t->out, "feed payment_stream is disabled already");
    run_ok(t, "feed", "enable", "payment_stream");
    assert_string_equal(t->out, "feed payment_stream enabled\n");
    run_ok(t, "feed", "archive", "payment_stream");
    assert_has(t->out, "feed payment_stream archived: feeds/archived/payment_stream.json. Its data "
                       "stays: table streams.payment_stream and streams/payment_stream");
    run_ok(t, "feed", "list");
    assert_has(t->out, "0 feeds");
    run_ok(t, "feed", "list", "--archived");
    assert_has(t->out, "archived");
    run_ok(t, "feed", "show", "payment_stream");
    assert_has(t->out, "file: feeds/archived/payment_stream.json (archived)");
    run_ok(t, "feed", "restore", "payment_stream");
    assert_has(t->out, "feed payment_stream restored: feeds/active/payment_stream.json");
    run_ok(t, "feed", "list");
    assert_has(t->out, "1 feed");
    run_ok(t, "-q", "feed", "disable", "payment_stream");
    assert_string_equal(t->out, "");
}

static void every_option_of_add_is_in_the_file(void **state)
{
    testing *t = *state;
    put_file(t, "firn.yaml",
             firn_arena_printf(t->arena,
                               "%s\nsources:\n  - name: ksql\n    ksqldb: http://127.0.0.1:1\n",
                               caught(t, "firn.yaml")));
    run_fails(t, 1, "Did you mean \"ksql\"?", "feed", "add", "clicks", "--type", "stream",
              "--server", "kslq");
    run_ok(t, "feed", "add", "clicks", "--type", "stream", "--time", "event_time",
           "--retention-days", "90", "--compression", "zstd", "--permissions", "700", "--bloom",
           "ID", "--bloom", "USER", "--server", "ksql", "--table", "web.clicks", "--set",
           "quality.rows.min=1", "--format", "json");
    const json_t *all = rows(t);
    assert_string_equal(cell(all, 0, "file"), "feeds/active/clicks.json");
    assert_string_equal(cell(all, 0, "table"), "web.clicks");
    assert_string_equal(caught(t, "feeds/active/clicks.json") + 1,
                        firn_str_replace(t->arena,
                                         "\n"
                                         "  'feed_name': 'clicks',\n"
                                         "  'feed_type': 'stream',\n"
                                         "  'ksqldb_source': 'clicks',\n"
                                         "  'description': '',\n"
                                         "  'partitioning': {\n"
                                         "    'type': 'date',\n"
                                         "    'columns': ['year', 'month', 'day'],\n"
                                         "    'time': 'event_time'\n"
                                         "  },\n"
                                         "  'storage_mode': 'append',\n"
                                         "  'format': 'parquet',\n"
                                         "  'compression': 'zstd',\n"
                                         "  'bloom_filters': ['ID', 'USER'],\n"
                                         "  'retention_days': 90,\n"
                                         "  'permissions': '700',\n"
                                         "  'enabled': true,\n"
                                         "  'created_at': '2025-01-15T10:00:00Z',\n"
                                         "  'server': 'ksql',\n"
                                         "  'table': 'web.clicks',\n"
                                         "  'quality': {\n"
                                         "    'rows': {\n"
                                         "      'min': 1\n"
                                         "    }\n"
                                         "  }\n"
                                         "}\n",
                                         "'", "\""));
    struct stat st;
    assert_int_equal(stat("streams/clicks", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    run_fails(t, 1, "Did you mean \"ksql\"?", "feed", "update", "clicks", "server=kslq");
    run_fails(t, 1, "source \"ksql\" is ksqldb, and kafka is wanted", "feed", "update", "clicks",
              "resume=kafka", "kafka=ksql");
    run_ok(t, "feed", "add", "countries", "--type", "table", "--mode", "ignore", "--partitioning",
           "none");
    assert_null(strstr(caught(t, "feeds/active/countries.json"), "retention"));
    run_ok(t, "feed", "add", "balances", "--type", "table", "--retention-versions", "3");
    assert_has(caught(t, "feeds/active/balances.json"), "\"retention_versions\": 3,");
}

static void mistakes_are_told_and_change_nothing(void **state)
{
    testing *t = *state;
    run_ok(t, "-q", "feed", "add", "payments", "--type", "stream");
    const char *before = caught(t, "feeds/active/payments.json");
    run_fails(t, 2, "the feed needs a name", "feed", "add", "--type", "stream");
    run_fails(t, 2, "two names, a and --name b", "feed", "add", "a", "--name", "b", "--type",
              "stream");
    run_fails(t, 2, "say what it is: --type stream or --type table", "feed", "add", "x");
    run_fails(t, 2, "--type is one of stream, table", "feed", "add", "x", "--type", "topic");
    run_fails(t, 1, "there is a feed payments already", "feed", "add", "payments", "--type",
              "table");
    run_fails(t, 1, "a feed cannot be called \"../x\"", "feed", "add", "../x", "--type", "stream");
    run_fails(t, 1, "feed x was not added: retention_days goes with", "feed", "add", "x", "--type",
              "table", "--retention-days", "7");
    run_fails(t, 1, "must be a whole number from 0 to 36500", "feed", "add", "x", "--type",
              "stream", "--retention-days", "week");
    run_fails(t, 2, "is no KEY=VALUE", "feed", "update", "payments", "retention_days");
    run_fails(t, 1, "Did you mean \"retention_days\"?", "feed", "update", "payments",
              "retention_day=3");
    run_fails(t, 1, "storage_mode is \"overwrite\", but", "feed", "update", "payments",
              "retention_days=3", "storage_mode=overwrite");
    run_fails(t, 1, "feed_name of payments cannot be changed", "feed", "update", "payments",
              "feed_name=x");
    run_fails(t, 1, "Did you mean payments?", "feed", "disable", "payment");
    run_fails(t, 1, "Did you mean payments?", "feed", "show", "payment");
    run_fails(t, 1, "is not archived", "feed", "restore", "payments");
    run_fails(t, 1, "no source", "feed", "sync");
    assert_string_equal(caught(t, "feeds/active/payments.json"), before);
    assert_false(firn_path_exists("feeds/active/x.json") || firn_path_exists("tables/x"));
}

static void both_kinds_of_feeds_are_listed(void **state)
{
    testing *t = *state;
    put_file(t, "feeds/orders.yaml",
             "source: shop\ntopics: [orders, returns]\ntable: bronze.orders\n");
    put_file(t, "feeds/wrong.yaml", "source: shop\ntopic: orders\n");
    put_file(t, "feeds/active/bad.json", "{\"feed_name\": \"bad\"}");
    run_ok(t, "-q", "feed", "add", "payments", "--type", "stream");
    run_ok(t, "feed", "list", "--format", "json");
    const json_t *all = rows(t);
    assert_int_equal(json_array_size(all), 4);
    assert_string_equal(cell(all, 0, "feed"), "orders");
    assert_string_equal(cell(all, 0, "type"), "kafka");
    assert_string_equal(cell(all, 0, "topics"), "orders, returns");
    assert_string_equal(cell(all, 0, "table"), "bronze.orders");
    assert_string_equal(cell(all, 1, "state"), "broken");
    assert_has(cell(all, 1, "error"), "Did you mean \"topics\"?");
    assert_string_equal(cell(all, 2, "feed"), "bad");
    assert_has(cell(all, 2, "error"), "feed_type is missing");
    assert_string_equal(cell(all, 3, "type"), "stream");
    assert_string_equal(cell(all, 3, "state"), "enabled");
    run(t, "feed", "list");
    expect_code(t, 0, __FILE__, __LINE__);
    assert_has(t->err, "warning: ");
    assert_has(t->out, "4 feeds");
    run_ok(t, "feed", "show", "orders");
    assert_has(t->out, "orders, returns");
    run_fails(t, 1, "feed orders is from Kafka: edit ", "feed", "disable", "orders");
    run_fails(t, 1, "there is a feed orders from Kafka", "feed", "add", "orders", "--type",
              "stream");
    put_file(t, "feeds/active/orders.json", "{}");
    run_fails(t, 1, "there are two feeds called orders", "feed", "show", "orders");
}

/* A broken file can be put right by the command, too. */
static void a_broken_feed_is_put_right(void **state)
{
    testing *t = *state;
    put_file(t, "feeds/active/x.json",
             "{\"feed_name\": \"x\", \"feed_type\": \"stream\", \"ksqldb_source\": \"x\", "
             "\"permissions\": 750}");
    run_fails(t, 1, "permissions is 750, but it must be octal digits in quotes", "feed", "show",
              "x");
    run_ok(t, "feed", "update", "x", "permissions=750");
    assert_string_equal(t->out, "feed x updated: it can be used now\n");
    put_file(t, "feeds/active/x.json", "{\"feed_name\": \"x\", \"feed_type\": \"strea\"}");
    run_ok(t, "feed", "archive", "x");
    assert_has(t->out, "feed x archived, though its file cannot be used");
    run_fails(t, 1, "Did you mean stream?", "feed", "restore", "x");
}

/* A hundred random files in one lake: each is listed with the right reason, or as it is. */
static void a_hundred_random_feeds_are_told_apart(void **state)
{
    enum { FEEDS = 100 };
    testing *t = *state;
    const char *given = getenv("FIRN_TEST_SEED");
    feed_random r = {given != NULL ? strtoull(given, NULL, 10) : (uint64_t)getpid()};
    feed_case cases[FEEDS];
    print_message("# seed %llu\n", (unsigned long long)r.state);
    for (size_t i = 0; i < FEEDS; i++) {
        const char *name = firn_arena_printf(t->arena, "feed_%03zu", i);
        bool valid = feed_below(&r, 5) < 2;
        cases[i] =
            valid ? feed_case_valid(t->arena, &r, name) : feed_case_broken(t->arena, &r, name);
        put_file(t, firn_arena_printf(t->arena, "feeds/active/%s.json", name), cases[i].text);
    }
    run_ok(t, "feed", "list", "--format", "json");
    const json_t *all = rows(t);
    assert_int_equal(json_array_size(all), FEEDS);
    for (size_t i = 0; i < FEEDS; i++) {
        const char *error = cell(all, i, "error");
        assert_string_equal(cell(all, i, "feed"), cases[i].name);
        if (cases[i].mutation == NULL) {
            assert_string_equal(error, "");
            continue;
        }
        assert_string_equal(cell(all, i, "state"), "broken");
        assert_has(error, cases[i].reason);
        assert_has(error, cases[i].key != NULL ? cases[i].key : "");
        assert_has(error, firn_arena_printf(t->arena, "feeds/active/%s.json", cases[i].name));
    }
    for (size_t i = 0; i < 10; i++) {
        run(t, "feed", "show", cases[i].name);
        expect_code(t, cases[i].mutation != NULL, __FILE__, __LINE__);
        assert_has(t->err, cases[i].mutation != NULL ? cases[i].reason : "");
    }
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
        TEST(from_add_to_restore),
        TEST(every_option_of_add_is_in_the_file),
        TEST(mistakes_are_told_and_change_nothing),
        TEST(both_kinds_of_feeds_are_listed),
        TEST(a_broken_feed_is_put_right),
        TEST(a_hundred_random_feeds_are_told_apart),
    };
    return cmocka_run_group_tests_name("cli/feed", tests, NULL, NULL);
}
