/* What an export feed's file may say, what it means when it says nothing, and what is refused with which words. */
#include "export/feed.h"

#include "base/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char PAYMENTS[] = "{\n"
                               "  \"feed_name\": \"payment_stream\",\n"
                               "  \"feed_type\": \"stream\",\n"
                               "  \"ksqldb_source\": \"payment_stream\",\n"
                               "  \"description\": \"Stream des paiements\",\n"
                               "  \"partitioning\": {\n"
                               "    \"type\": \"date\",\n"
                               "    \"columns\": [\"year\", \"month\", \"day\"]\n"
                               "  },\n"
                               "  \"storage_mode\": \"append\",\n"
                               "  \"format\": \"parquet\",\n"
                               "  \"retention_days\": 365,\n"
                               "  \"enabled\": true,\n"
                               "  \"created_at\": \"2025-01-15T10:00:00Z\"\n"
                               "}\n";

static firn_rc parse_as(firn_arena *arena, const char *name, const char *text,
                        firn_export_feed *feed, firn_err *err)
{
    return firn_export_feed_parse(arena, firn_bytes_str(text),
                                  firn_arena_printf(arena, "feeds/active/%s.json", name), name,
                                  feed, err);
}

static firn_export_feed parsed(firn_arena *arena, const char *name, const char *text)
{
    firn_export_feed feed;
    firn_err err = {0};
    if (parse_as(arena, name, text, &feed, &err) != FIRN_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    return feed;
}

/* A short feed named x, with `more` members behind the three that every feed has. */
static const char *short_feed(firn_arena *arena, const char *type, const char *more)
{
    return firn_arena_printf(
        arena, "{\"feed_name\": \"x\",\n\"feed_type\": \"%s\",\n\"ksqldb_source\": \"X\"%s%s}",
        type, more[0] != '\0' ? ",\n" : "", more);
}

static void the_seeds_feed_is_one(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_feed feed = parsed(arena, "payment_stream", PAYMENTS);
    assert_string_equal(feed.name, "payment_stream");
    assert_string_equal(feed.path, "feeds/active/payment_stream.json");
    assert_int_equal(feed.kind, FIRN_EXPORT_STREAM);
    assert_string_equal(feed.ksqldb_source, "payment_stream");
    assert_string_equal(feed.description, "Stream des paiements");
    assert_int_equal(feed.partitioning, FIRN_EXPORT_BY_DATE);
    assert_int_equal(feed.n_columns, 3);
    assert_string_equal(feed.columns[2], "day");
    assert_null(feed.time);
    assert_int_equal(feed.mode, FIRN_EXPORT_APPEND);
    assert_int_equal(feed.retention_days, 365);
    assert_int_equal(feed.retention_versions, 0);
    assert_true(feed.enabled);
    assert_string_equal(feed.created_at, "2025-01-15T10:00:00Z");
    assert_string_equal(feed.table, "streams.payment_stream");
    assert_string_equal(feed.ref, "main");
    assert_string_equal(feed.compression, "snappy");
    assert_int_equal(feed.permissions, 0750);
    assert_false(feed.by_kafka);
    assert_int_equal(feed.query, FIRN_EXPORT_QUERY_AUTO);
    assert_null(feed.quality);
    assert_int_equal(json_object_size(feed.json), 10);
}

static void three_lines_are_a_feed(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_feed stream = parsed(arena, "x", short_feed(arena, "stream", ""));
    assert_int_equal(stream.mode, FIRN_EXPORT_APPEND);
    assert_int_equal(stream.partitioning, FIRN_EXPORT_BY_DATE);
    assert_int_equal(stream.retention_days, 0); /* nothing is deleted that nobody said to delete */
    assert_int_equal(stream.permissions, 0750);
    assert_null(stream.created_at);
    assert_string_equal(stream.description, "");
    firn_export_feed table = parsed(arena, "x", short_feed(arena, "table", ""));
    assert_int_equal(table.mode, FIRN_EXPORT_OVERWRITE);
    assert_int_equal(table.partitioning, FIRN_EXPORT_BY_VERSION);
    assert_string_equal(table.columns[0], "version");
    assert_int_equal(table.retention_versions, 7);
    assert_int_equal(table.retention_days, 0);
    assert_int_equal(table.permissions, 0755);
    assert_string_equal(table.table, "tables.x");
}

static void anonymized_streams_are_read_by_all(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const struct {
        const char *name, *source;
        int permissions;
    } cases[] = {{"transaction_stream_anonymized", "transaction_stream_anonymized", 0755},
                 {"short", "TRANSACTION_STREAM_ANONYMIZED", 0755},
                 {"transaction_stream_blacklisted", "transaction_stream_blacklisted", 0750},
                 {"anonymized_not", "anonymized_not", 0750}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = firn_arena_printf(
            arena, "{\"feed_name\":\"%s\",\"feed_type\":\"stream\",\"ksqldb_source\":\"%s\"}",
            cases[i].name, cases[i].source);
        firn_export_feed feed = parsed(arena, cases[i].name, text);
        assert_int_equal(feed.permissions, cases[i].permissions);
    }
    const char *own = short_feed(arena, "stream",
                                 "\"retention_days\": 30, \"permissions\": \"0700\", "
                                 "\"ksqldb_source\": null");
    firn_export_feed feed;
    assert_int_equal(parse_as(arena, "x", own, &feed, NULL), FIRN_E_CONFIG); /* given twice */
    own = short_feed(arena, "stream", "\"retention_days\": 30, \"permissions\": \"0700\"");
    feed = parsed(arena, "x", own);
    assert_int_equal(feed.retention_days, 30);
    assert_int_equal(feed.permissions, 0700);
}

static void what_is_written_once_is_kept(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const char *const TYPES[] = {"date", "version", "none"};
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < 3; i++) {
            const char *more = firn_arena_printf(
                arena, "\"storage_mode\": \"ignore\", \"partitioning\": {\"type\": \"%s\"}",
                TYPES[i]);
            firn_export_feed feed =
                parsed(arena, "x", short_feed(arena, kind == 0 ? "stream" : "table", more));
            assert_int_equal(feed.mode, FIRN_EXPORT_IGNORE);
            assert_int_equal(feed.partitioning, i);
            assert_int_equal(feed.retention_days, 0);
            assert_int_equal(feed.retention_versions, 0);
        }
    }
}

static void every_key_is_read(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_feed feed = parsed(
        arena, "a.b-c",
        "{\"feed_name\": \"a.b-c\", \"feed_type\": \"stream\", \"ksqldb_source\": \"`Mixed`\","
        " \"partitioning\": {\"type\": \"date\", \"columns\": [\"y\"], \"time\": \"ROWTIME\"},"
        " \"compression\": \"zstd\", \"bloom_filters\": [\"USER_ID\", \"ID\"], \"retention_days\": 0,"
        " \"permissions\": \"777\", \"enabled\": false, \"server\": \"ksql\", \"ref\": \"dev\","
        " \"resume\": \"kafka\", \"kafka\": \"shop\", \"properties\": {\"a.b\": 1},"
        " \"quality\": {\"rows\": {\"min\": 1}}, \"description\": null}");
    assert_string_equal(feed.table, "streams.\"a.b-c\"");
    firn_ident ident = firn_export_table_ident(arena, feed.table);
    assert_string_equal(ident.ns, "streams");
    assert_string_equal(ident.name, "a.b-c");
    assert_int_equal(feed.n_columns, 1);
    assert_string_equal(feed.time, "ROWTIME");
    assert_string_equal(feed.compression, "zstd");
    assert_int_equal(feed.n_bloom_filters, 2);
    assert_string_equal(feed.bloom_filters[1], "ID");
    assert_int_equal(feed.permissions, 0777);
    assert_int_equal(feed.retention_days, 0);
    assert_false(feed.enabled);
    assert_string_equal(feed.server, "ksql");
    assert_string_equal(feed.ref, "dev");
    assert_true(feed.by_kafka);
    assert_string_equal(feed.kafka, "shop");
    assert_int_equal(json_integer_value(json_object_get(feed.properties, "a.b")), 1);
    assert_non_null(json_object_get(feed.quality, "rows"));
    feed =
        parsed(arena, "x", short_feed(arena, "table", "\"query\": \"push\", \"table\": \"a.b\""));
    assert_int_equal(feed.query, FIRN_EXPORT_QUERY_PUSH);
    assert_string_equal(feed.table, "a.b");
}

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "x.json:1: this is not valid JSON"},
        {"[]", "x.json:1: the file must hold an object"},
        {"null", "x.json:1: the file must hold an object"},
        {"{\"feed_name\": \"x\",\n\"feed_name\": \"x\"}",
         "x.json:2: this is not valid JSON: duplicate object key near '\"feed_name\"'"},
        {"{\"feed_name\": \"x\"}", "x.json: feed_type is missing: stream or table"},
        {"{\"feed_name\": \"x\", \"feed_type\": \"table\"}", "ksqldb_source is missing"},
        {"{\n\n\"feed_nam\": \"x\"}",
         "x.json:3: there is no key \"feed_nam\". Did you mean \"feed_name\"?"},
        {"{\"partitioning\":\n {\"typ\": 1}}",
         "x.json:2: there is no key \"partitioning.typ\". Did "
         "you mean \"partitioning.type\"?"},
        {"{\"partitioning\": \"date\"}", "\"partitioning\" is a section: its keys go below it"},
        {"{\"partitioning.type\": \"date\"}", "a dot in the reference means a key below a key"},
        {"{\"type\": \"date\"}", "Did you mean \"partitioning.type\"?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_export_feed feed;
        firn_err err = {0};
        assert_int_equal(parse_as(arena, "x", cases[i].text, &feed, &err), FIRN_E_CONFIG);
        if (strstr(err.message, cases[i].message) == NULL) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
    }
}

static void a_file_is_bounded(void **state)
{
    (void)state;
    enum { BYTES = (1 << 20) + 1, LEVELS = 5000 };
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_feed feed;
    firn_err err = {0};
    char *text = firn_arena_alloc(arena, BYTES + 1);
    memset(text, ' ', BYTES);
    text[BYTES] = '\0';
    assert_int_equal(parse_as(arena, "x", text, &feed, &err), FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "a feed's file has at most 1048576"));
    memset(text, '[', LEVELS);
    text[LEVELS] = '\0';
    assert_int_equal(parse_as(arena, "x", text, &feed, &err), FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "maximum parsing depth"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seeds_feed_is_one),
        cmocka_unit_test(three_lines_are_a_feed),
        cmocka_unit_test(anonymized_streams_are_read_by_all),
        cmocka_unit_test(what_is_written_once_is_kept),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(a_file_is_bounded),
    };
    return cmocka_run_group_tests_name("export/feed", tests, NULL, NULL);
}
