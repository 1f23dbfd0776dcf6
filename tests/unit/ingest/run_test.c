/* Feeds that run: from topics to tables, each record once, whatever happens on the way. */
#include "feed_fixture.h"

static const char ORDERS[] = "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
                             "commit: {every: 300ms}\n";

static void records_become_rows_once(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 4);
    produce_ids(f, "orders", 4, 0, 1000);
    firn_feed_status status = drain(f, "orders");
    assert_int_equal(status.records, 1000);
    assert_int_equal(status.rows, 1000);
    lake_expect(f->lake, "SELECT count(*), count(DISTINCT id), max(name) FROM bronze.orders",
                "1000|1000|n999");
    status = drain(f, "orders");
    assert_int_equal(status.records, 0);
    produce_ids(f, "orders", 4, 1000, 1500);
    status = drain(f, "orders");
    assert_int_equal(status.records, 500);
    lake_expect(f->lake, "SELECT count(*), count(DISTINCT id), max(id) FROM bronze.orders",
                "1500|1500|1499");
}

static const char *property_of(feed_fixture *f, const char *name, const char *key)
{
    firn_table table;
    firn_err err = {0};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake->lake), f->lake->arena, NULL,
                                       (firn_ident){.ns = "bronze", .name = name}, &table, &err),
               &err, name);
    return firn_metadata_property(table.metadata, key, "");
}

static void old_metadata_files_of_a_feeds_table_do_not_pile_up(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    feed_file(f, "plain",
              "source: mock\ntopics: orders\nformat: json\ntable: bronze.plain\n"
              "properties: {write.metadata.delete-after-commit.enabled: 'false'}\n");
    topic(f, "orders", 1);
    produce_ids(f, "orders", 1, 0, 10);
    drain(f, "orders");
    drain(f, "plain");
    assert_string_equal(property_of(f, "orders", "write.metadata.delete-after-commit.enabled"),
                        "true");
    assert_string_equal(property_of(f, "orders", "write.metadata.previous-versions-max"), "20");
    assert_string_equal(property_of(f, "plain", "write.metadata.delete-after-commit.enabled"),
                        "false");
}

static void a_running_feed_commits_as_records_come(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 4);
    produce_ids(f, "orders", 4, 0, 10);
    firn_ingest *ingest = run_start(f, "orders", false);
    await(f, "SELECT count(*) FROM bronze.orders", "10");
    produce_ids(f, "orders", 4, 10, 500);
    await(f, "SELECT count(*) FROM bronze.orders", "500");
    firn_feed_status status = run_stop(f, ingest);
    assert_int_equal(status.state, FIRN_FEED_DONE);
    assert_int_equal(status.rows, 500);
    assert_true(status.commits >= 2);
    assert_true(status.latency_p99_ms > 0);
    lake_expect(f->lake, "SELECT count(*), count(DISTINCT id) FROM bronze.orders", "500|500");
}

static void stopping_commits_what_was_read(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders",
              "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
              "commit: {every: 1h}\n");
    topic(f, "orders", 4);
    produce_ids(f, "orders", 4, 0, 100);
    firn_ingest *ingest = run_start(f, "orders", false);
    for (int i = 0; i < PATIENCE_MS / 50 && run_status(f, ingest).records < 100; i++) {
        firn_sleep_ms(50);
    }
    assert_int_equal(run_status(f, ingest).commits, 0);
    assert_int_equal(run_stop(f, ingest).state, FIRN_FEED_DONE);
    lake_expect(f->lake, "SELECT count(*) FROM bronze.orders", "100");
}

/* Changes by key wait for their commit in memory; when that is full they go before their time. */
static void a_full_memory_commits_early(void **state)
{
    feed_fixture *f = *state;
    feed_file(
        f, "orders",
        "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\nmode: upsert\nkey: [id]\n"
        "commit: {every: 1h}\nmemory: 20MB\n");
    topic(f, "orders", 8); /* the mock keeps 5 MB of a partition */
    char *value = firn_arena_alloc(f->lake->arena, 100100);
    for (int i = 0; i < 320; i++) {
        char head[100];
        int n = snprintf(head, sizeof(head), "{\"id\":%d,\"name\":\"", i);
        memcpy(value, head, (size_t)n);
        memset(value + n, 'x', 100000);
        memcpy(value + n + 100000, "\"}", 3);
        produce(f, "orders", i % 8, value);
    }
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    firn_ingest *ingest = run_start(f, "orders", false);
    firn_feed_status status = run_status(f, ingest);
    for (int i = 0; i < PATIENCE_MS / 50 && (status.records < 320 || status.commits == 0); i++) {
        firn_sleep_ms(50);
        status = run_status(f, ingest);
    }
    assert_int_equal(status.records, 320);
    assert_true(status.commits > 0);
    run_stop(f, ingest);
    lake_expect(f->lake, "SELECT count(*), count(DISTINCT id) FROM bronze.orders", "320|320");
}

static void latest_begins_at_the_end_and_stays_there(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders",
              "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
              "start: latest\ncommit: {every: 300ms}\n");
    lake_exec(f->lake, "CREATE SCHEMA bronze; CREATE TABLE bronze.orders (id BIGINT)");
    topic(f, "orders", 2);
    produce_ids(f, "orders", 2, 0, 100);
    assert_int_equal(drain(f, "orders").records, 0);
    produce_ids(f, "orders", 2, 100, 110);
    assert_int_equal(drain(f, "orders").records, 10);
    lake_expect(f->lake, "SELECT count(*), min(id) FROM bronze.orders", "10|100");
}

static void each_topic_may_have_its_table(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "shop",
              "source: mock\ntopics: [\"^shop[.].*\"]\nformat: json\n"
              "table: \"bronze.${topic}\"\ncommit: {every: 300ms}\n");
    topic(f, "shop.orders", 2);
    topic(f, "shop.users", 1);
    produce_ids(f, "shop.orders", 2, 0, 50);
    produce_ids(f, "shop.users", 1, 0, 7);
    assert_int_equal(drain(f, "shop").rows, 57);
    lake_expect(f->lake, "SELECT count(*) FROM bronze.shop_orders", "50");
    lake_expect(f->lake, "SELECT count(*) FROM bronze.shop_users", "7");
}

static void feeds_that_begin_at_once_make_one_namespace(void **state)
{
    enum { FEEDS = 8 };
    feed_fixture *f = *state;
    firn_ingest *runs[FEEDS];
    for (int i = 0; i < FEEDS; i++) {
        const char *name = firn_arena_printf(f->lake->arena, "f%d", i);
        feed_file(f, name,
                  firn_arena_printf(f->lake->arena,
                                    "source: mock\ntopics: %s\nformat: json\n"
                                    "table: new.deep.%s\ncommit: {every: 100ms}\n",
                                    name, name));
        topic(f, name, 1);
        produce_ids(f, name, 1, 0, 20);
    }
    for (int i = 0; i < FEEDS; i++) {
        runs[i] = run_start(f, firn_arena_printf(f->lake->arena, "f%d", i), true);
    }
    for (int i = 0; i < FEEDS; i++) {
        firn_feed_status status = run_end(f, runs[i]);
        assert_string_equal(status.message != NULL ? status.message : "", "");
        assert_int_equal(status.state, FIRN_FEED_DONE);
        lake_expect(f->lake,
                    firn_arena_printf(f->lake->arena, "SELECT count(*) FROM new.deep.f%d", i),
                    "20");
    }
}

static void a_transform_makes_the_rows(void **state)
{
    feed_fixture *f = *state;
    feed_file(
        f, "orders",
        "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
        "transform: SELECT id * 2 AS twice, upper(name) AS name FROM batch WHERE id % 2 = 0\n");
    topic(f, "orders", 2);
    produce_ids(f, "orders", 2, 0, 100);
    assert_int_equal(drain(f, "orders").rows, 50);
    lake_expect(f->lake, "SELECT count(*), max(twice), max(name) FROM bronze.orders", "50|196|N98");
    assert_int_equal(drain(f, "orders").records, 0);
}

static void routes_part_the_rows(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders",
              "source: mock\ntopics: orders\nformat: json\ntable: bronze.rest\n"
              "route: {by: \"CASE WHEN id < 10 THEN 'small' WHEN id >= 90 THEN 'large' END\", "
              "table: \"bronze.orders_${route}\"}\n");
    topic(f, "orders", 2);
    produce_ids(f, "orders", 2, 0, 100);
    assert_int_equal(drain(f, "orders").rows, 100);
    lake_expect(f->lake, "SELECT count(*) FROM bronze.orders_small", "10");
    lake_expect(f->lake, "SELECT count(*) FROM bronze.orders_large", "10");
    lake_expect(f->lake, "SELECT count(*) FROM bronze.rest", "80");
}

static void keys_and_places_are_columns_on_demand(void **state)
{
    feed_fixture *f = *state;
    feed_file(
        f, "orders",
        "source: mock\ntopics: orders\nformat: json\nkey_format: string\ntable: bronze.orders\n"
        "columns: {key: the_key, kafka: place}\n");
    topic(f, "orders", 1);
    produce_key(f, "orders", 0, "k1", "{\"id\":1}");
    produce_key(f, "orders", 0, "k2", "{\"id\":2}");
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    assert_int_equal(drain(f, "orders").rows, 2);
    lake_expect(f->lake,
                "SELECT id, the_key, place.topic, place.\"partition\", place.\"offset\" FROM "
                "bronze.orders ORDER BY id",
                "1|k1|orders|0|0\n2|k2|orders|0|1");
}

/* Two processes' worth of one feed share the partitions; when one leaves, the other goes on. */
static void two_share_the_partitions(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 4);
    produce_ids(f, "orders", 4, 0, 400);
    firn_ingest *a = run_start(f, "orders", false);
    firn_ingest *b = run_start(f, "orders", false);
    await(f, "SELECT count(*) FROM bronze.orders", "400");
    produce_ids(f, "orders", 4, 400, 800);
    await(f, "SELECT count(*) FROM bronze.orders", "800");
    assert_int_equal(run_stop(f, a).state, FIRN_FEED_DONE);
    produce_ids(f, "orders", 4, 800, 1200);
    await(f, "SELECT count(*) FROM bronze.orders", "1200");
    assert_int_equal(run_stop(f, b).state, FIRN_FEED_DONE);
    lake_expect(f->lake, "SELECT count(*), count(DISTINCT id) FROM bronze.orders", "1200|1200");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_become_rows_once, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(old_metadata_files_of_a_feeds_table_do_not_pile_up,
                                        feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(a_running_feed_commits_as_records_come, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(stopping_commits_what_was_read, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(a_full_memory_commits_early, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(latest_begins_at_the_end_and_stays_there, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(each_topic_may_have_its_table, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(feeds_that_begin_at_once_make_one_namespace, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(a_transform_makes_the_rows, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(routes_part_the_rows, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(keys_and_places_are_columns_on_demand, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(two_share_the_partitions, feed_setup, feed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
