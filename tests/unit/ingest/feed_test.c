/* What a feed's file may say, what it means when it says nothing, and what is refused with which words. */
#include "ingest/feed.h"

#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_rc parse(firn_arena *arena, const char *text, firn_feed *feed, firn_err *err)
{
    return firn_feed_parse(arena, firn_bytes_str(text), "feeds/orders.yaml", "orders", feed, err);
}

static void two_lines_are_a_feed(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed feed;
    assert_int_equal(parse(arena, "source: shop\ntopics: orders\n", &feed, NULL), FIRN_OK);
    assert_string_equal(feed.name, "orders");
    assert_string_equal(feed.topics[0], "orders");
    assert_int_equal(feed.n_topics, 1);
    assert_string_equal(feed.table, "bronze.${topic}");
    assert_int_equal(feed.value.payload, FIRN_PAYLOAD_AUTO);
    assert_int_equal(feed.key_payload.payload, FIRN_PAYLOAD_NONE);
    assert_int_equal(feed.mode, FIRN_FEED_APPEND);
    assert_int_equal(feed.commit_ms, 10000);
    assert_int_equal(feed.commit_bytes, 512000000);
    assert_string_equal(feed.start, "earliest");
    assert_true(feed.evolve);
    assert_true(feed.enabled);
    assert_null(feed.dead_letters);
    assert_null(feed.transform);
}

static void every_key_is_read(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed feed;
    firn_err err = {0};
    const char *text = "source: shop\n"
                       "topics: [orders, \"^shop[.].*\"]\n"
                       "format: avro\n"
                       "key_format: string\n"
                       "table: \"bronze.${topic}\"\n"
                       "ref: dev\n"
                       "mode: upsert\n"
                       "key: [id, region]\n"
                       "columns: {key: _key, kafka: _kafka}\n"
                       "transform: |\n"
                       "  SELECT * FROM batch\n"
                       "partition_by: [day(ts)]\n"
                       "sort_by: ts\n"
                       "properties: {format-version: 3}\n"
                       "start: 2026-11-01T00:00:00Z\n"
                       "evolve: {columns: false, on_unsafe: dead_letters}\n"
                       "dead_letters: {table: bronze.bad, stop_after: 10, stop_percent: 50}\n"
                       "commit: {every: 1s, rows: 5, bytes: 64MB}\n"
                       "memory: 128MB\n"
                       "group: g\n"
                       "enabled: false\n";
    if (parse(arena, text, &feed, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(feed.topics[1], "^shop[.].*");
    assert_int_equal(feed.mode, FIRN_FEED_UPSERT);
    assert_int_equal(feed.n_key, 2);
    assert_string_equal(feed.kafka_column, "_kafka");
    assert_string_equal(json_string_value(json_object_get(feed.properties, "format-version")), "3");
    assert_true(feed.unsafe_to_dead_letters);
    assert_false(feed.evolve);
    assert_int_equal(feed.stop_after, 10);
    assert_int_equal(feed.commit_rows, 5);
    assert_int_equal(feed.memory_bytes, 128000000);
    assert_string_equal(feed.sort_by[0], "ts");
    assert_false(feed.enabled);
}

/* Each list of texts by itself: their lengths must not get mixed up. */
static void lists_are_read_one_by_one(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed feed;
    firn_feed_setting *settings = NULL;
    size_t n = 0;
    const char *text = "source: s\ntopics: t\npartition_by: [day(ts), \"bucket(8, id)\"]\n";
    assert_int_equal(parse(arena, text, &feed, NULL), FIRN_OK);
    assert_int_equal(feed.n_partition_by, 2);
    assert_string_equal(feed.partition_by[1], "bucket(8, id)");
    assert_int_equal(feed.n_sort_by, 0);
    assert_null(feed.sort_by);
    firn_feed_settings(arena, &feed, &settings, &n);
    assert_int_equal(parse(arena, "source: s\ntopics: t\nsort_by: [a, b, c]\n", &feed, NULL),
                     FIRN_OK);
    assert_int_equal(feed.n_sort_by, 3);
    assert_int_equal(feed.n_partition_by, 0);
    assert_null(feed.partition_by);
    assert_int_equal(feed.n_key, 0);
}

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"source: shop\n", "has no topics"},
        {"topics: a\n", "has no source"},
        {"source: s\ntopics: a\ntabel: x.y\n",
         "orders.yaml:3: there is no key \"tabel\". Did you mean \"table\"?"},
        {"source: s\ntopics: a\nevery: 5s\n", "Did you mean \"commit.every\"?"},
        {"source: s\ntopics: a\ncommit: 5s\n", "\"commit\" is a section"},
        {"source: s\ntopics: a\ncommit: {every: 5 parsecs}\n", "a duration such as"},
        {"source: s\ntopics: a\ncommit: {every: 1ms}\n", "at least 50"},
        {"source: s\ntopics: a\nformat: none\n", "one of auto, avro"},
        {"source: s\ntopics: a\nmode: delete\n", "one of append, upsert, debezium"},
        {"source: s\ntopics: a\nmode: upsert\n", "the mode needs keys"},
        {"source: s\ntopics: a\ncolumns: {key: k}\n", "columns.key needs key_format"},
        {"source: s\ntopics: {a: b}\n", "topics must be a text or a list"},
        {"source: s\ntopics: a\nroute: {by: x}\n", "route needs both"},
        {"source: s\ntopics: a\nroute: {by: x, table: b.t}\n", "no ${route} in it"},
        {"source: s\ntopics: a\nchange_log: b.t\n", "change_log goes with"},
        {"source: s\ntopics: a\nstart: yesterday\n", "start is \"yesterday\""},
        {"source: s\ntopics: a\ndead_letters: {stop_percent: 101}\n", "at most 100"},
        {"source: s\ntopics: a\nproperties: [a]\n", "properties must be a mapping"},
        {"- a\n", "key: value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_feed feed;
        firn_err err = {0};
        assert_int_equal(parse(arena, cases[i].text, &feed, &err), FIRN_E_CONFIG);
        if (strstr(err.message, cases[i].message) == NULL) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
    }
}

static void names_are_bounded(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const char *const bad[] = {"", "a b", "../x", "a.b", "é"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        firn_feed feed;
        assert_int_equal(firn_feed_parse(arena, firn_bytes_str("source: s\ntopics: a\n"), "f.yaml",
                                         bad[i], &feed, NULL),
                         FIRN_E_CONFIG);
    }
}

static void settings_show_what_holds(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed feed;
    firn_feed_setting *settings = NULL;
    size_t n = 0;
    assert_int_equal(parse(arena, "source: shop\ntopics: [a, b]\nmode: append\n", &feed, NULL),
                     FIRN_OK);
    firn_feed_settings(arena, &feed, &settings, &n);
    firn_map *map = firn_map_new(arena);
    for (size_t i = 0; i < n; i++) {
        firn_map_put(map, settings[i].key, (void *)settings[i].value);
    }
    assert_string_equal(firn_map_get(map, "topics"), "a, b");
    assert_string_equal(firn_map_get(map, "mode"), "append");
    assert_string_equal(firn_map_get(map, "evolve.on_unsafe"), "stop");
    assert_string_equal(firn_map_get(map, "commit.rows"), "0");
    assert_null(firn_map_get(map, "transform"));
    assert_non_null(strstr(firn_feed_reference(arena), "| `commit.every` | duration | `10s` |"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_lines_are_a_feed),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(lists_are_read_one_by_one),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(settings_show_what_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
