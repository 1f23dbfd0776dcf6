/* Feeds of changes, from topics to tables: upserts, tombstones, Debezium's envelopes, several processes, and a fold that says what must
 * come of it. */
#include "feed_fixture.h"

static void deleted(feed_fixture *f, const char *name, int32_t partition, const char *key)
{
    produce_key(f, name, partition, key, NULL);
}

static void flush(feed_fixture *f)
{
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
}

static void rows_follow_their_keys(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "users",
              "source: mock\ntopics: users\nformat: json\nkey_format: json\ntable: silver.users\n"
              "mode: upsert\nkey: [id]\nproperties: {format-version: 3}\n");
    topic(f, "users", 2);
    produce_key(f, "users", 0, "{\"id\":1}", "{\"id\":1,\"name\":\"a\"}");
    produce_key(f, "users", 1, "{\"id\":2}", "{\"id\":2,\"name\":\"b\"}");
    produce_key(f, "users", 0, "{\"id\":1}", "{\"id\":1,\"name\":\"c\"}");
    produce_key(f, "users", 0, "{\"id\":3}", "{\"id\":3,\"name\":\"d\"}");
    deleted(f, "users", 0, "{\"id\":3}");
    flush(f);
    drain(f, "users");
    lake_expect(f->lake, "SELECT id, name FROM silver.users ORDER BY id", "1|c\n2|b");
    /* Another commit: a new column, a delete by the message's key alone. */
    produce_key(f, "users", 0, "{\"id\":1}", "{\"id\":1,\"name\":\"e\",\"age\":7}");
    deleted(f, "users", 1, "{\"id\":2}");
    produce_key(f, "users", 0, "{\"id\":4}", "{\"id\":4}");
    flush(f);
    drain(f, "users");
    lake_expect(f->lake, "SELECT id, name, age FROM silver.users ORDER BY id",
                "1|e|7\n4|NULL|NULL");
    assert_int_equal(drain(f, "users").records, 0);
}

static void a_change_without_its_key_is_a_dead_letter(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "users",
              "source: mock\ntopics: users\nformat: json\nkey_format: none\ntable: silver.users\n"
              "mode: upsert\nkey: [id]\n");
    topic(f, "users", 1);
    produce(f, "users", 0, "{\"id\":1,\"name\":\"a\"}");
    produce(f, "users", 0, "{\"name\":\"nobody\"}");
    produce(f, "users", 0, "{\"id\":2,\"name\":\"b\"}");
    flush(f);
    assert_int_equal(drain(f, "users").dead_letters, 1);
    lake_expect(f->lake, "SELECT id, name FROM silver.users ORDER BY id", "1|a\n2|b");
    lake_contains(lake_text(f->lake, "SELECT error FROM silver.users__dead_letters"),
                  "has no value in id, which is part of the key");
}

static void a_transform_works_on_changes(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "users",
              "source: mock\ntopics: users\nformat: json\nkey_format: json\ntable: silver.users\n"
              "mode: upsert\ntransform: SELECT * REPLACE (upper(name) AS name) FROM batch\n");
    topic(f, "users", 1);
    produce_key(f, "users", 0, "{\"id\":1}", "{\"id\":1,\"name\":\"a\"}");
    produce_key(f, "users", 0, "{\"id\":2}", "{\"id\":2,\"name\":\"b\"}");
    deleted(f, "users", 0, "{\"id\":1}");
    flush(f);
    drain(f, "users");
    lake_expect(f->lake, "SELECT * FROM silver.users", "2|B");
}

static void envelopes_are_carried_out_and_logged(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders",
              "source: mock\ntopics: orders\nformat: json\nkey_format: json\n"
              "table: silver.orders\nmode: debezium\nchange_log: bronze.orders_log\n"
              "properties: {format-version: 3}\n");
    topic(f, "orders", 1);
    produce_key(f, "orders", 0, "{\"id\":1}",
                "{\"op\":\"r\",\"before\":null,\"after\":{\"id\":1,\"v\":\"a\"},\"ts_ms\":1000}");
    produce_key(f, "orders", 0, "{\"id\":2}",
                "{\"op\":\"c\",\"before\":null,\"after\":{\"id\":2,\"v\":\"b\"},\"ts_ms\":2000}");
    flush(f);
    drain(f, "orders");
    produce_key(f, "orders", 0, "{\"id\":2}",
                "{\"op\":\"u\",\"before\":{\"id\":2,\"v\":\"b\"},\"after\":{\"id\":2,\"v\":\"c\"},"
                "\"ts_ms\":3000}");
    produce_key(f, "orders", 0, "{\"id\":1}",
                "{\"op\":\"d\",\"before\":{\"id\":1,\"v\":\"a\"},\"after\":null,\"ts_ms\":4000}");
    deleted(f, "orders", 0, "{\"id\":1}");
    flush(f);
    drain(f, "orders");
    lake_expect(f->lake, "SELECT id, v FROM silver.orders ORDER BY id", "2|c");
    lake_expect(f->lake, "SELECT _op, _offset, id, v FROM bronze.orders_log ORDER BY _offset",
                "r|0|1|a\nc|1|2|b\nu|2|2|c\nd|3|1|a");
    produce_key(f, "orders", 0, NULL, "{\"op\":\"t\",\"ts_ms\":5000}");
    produce_key(f, "orders", 0, "{\"id\":9}",
                "{\"op\":\"c\",\"before\":null,\"after\":{\"id\":9,\"v\":\"z\"},\"ts_ms\":6000}");
    flush(f);
    drain(f, "orders");
    lake_expect(f->lake, "SELECT id, v FROM silver.orders ORDER BY id", "9|z");
}

/* Tombstones alone have no columns; they move the offsets. */
static void records_without_changes_move_on(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders",
              "source: mock\ntopics: orders\nformat: json\nkey_format: json\n"
              "table: silver.orders\nmode: debezium\n");
    topic(f, "orders", 1);
    produce_key(f, "orders", 0, "{\"id\":1}",
                "{\"op\":\"c\",\"before\":null,\"after\":{\"id\":1,\"v\":\"a\"}}");
    flush(f);
    drain(f, "orders");
    deleted(f, "orders", 0, "{\"id\":1}");
    flush(f);
    assert_int_equal(drain(f, "orders").records, 1);
    assert_int_equal(drain(f, "orders").records, 0);
    lake_expect(f->lake, "SELECT id, v FROM silver.orders", "1|a");
}

enum { KEYS = 200, CHANGES = 20000, PARTITIONS = 4 };

/* Two runs share the partitions, with many commits each: the table is what a fold of the topic says. */
static void two_that_share_the_partitions_equal_a_fold(void **state)
{
    feed_fixture *f = *state;
    int64_t fold[KEYS];
    uint64_t seed = 7;
    memset(fold, 0xff, sizeof(fold));
    feed_file(f, "users",
              "source: mock\ntopics: users\nformat: json\nkey_format: json\ntable: silver.users\n"
              "mode: upsert\nkey: [id]\ncommit: {every: 300ms}\n");
    topic(f, "users", PARTITIONS);
    produce_key(f, "users", 0, "{\"id\":0}", "{\"id\":0,\"v\":0}");
    flush(f);
    drain(f, "users");
    firn_ingest *first = run_start(f, "users", false);
    firn_ingest *second = run_start(f, "users", false);
    for (int i = 0; i < CHANGES; i++) {
        char key[32], value[64];
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        int id = (int)((seed >> 33) % KEYS);
        bool gone = (seed >> 20) % 5 == 0;
        snprintf(key, sizeof(key), "{\"id\":%d}", id);
        snprintf(value, sizeof(value), "{\"id\":%d,\"v\":%d}", id, i);
        produce_key(f, "users", id % PARTITIONS, key, gone ? NULL : value);
        fold[id] = gone ? -1 : i;
        if (i % 2000 == 1999) {
            flush(f);
            firn_sleep_ms(300);
        }
    }
    FIRN_AUTO_BUF firn_buf expected = {0};
    for (int id = 0; id < KEYS; id++) {
        if (fold[id] >= 0) {
            firn_buf_printf(&expected, "%s%d|%lld", expected.len > 0 ? "\n" : "", id,
                            (long long)fold[id]);
        }
    }
    firn_sleep_ms(1000);
    assert_int_equal(run_stop(f, first).state, FIRN_FEED_DONE);
    assert_int_equal(run_stop(f, second).state, FIRN_FEED_DONE);
    drain(f, "users");
    lake_expect(f->lake, "SELECT id, v FROM silver.users ORDER BY id", firn_buf_cstr(&expected));
}

int main(void)
{
#define WITH_FEEDS(test) cmocka_unit_test_setup_teardown(test, feed_setup, feed_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FEEDS(rows_follow_their_keys),
        WITH_FEEDS(a_change_without_its_key_is_a_dead_letter),
        WITH_FEEDS(a_transform_works_on_changes),
        WITH_FEEDS(envelopes_are_carried_out_and_logged),
        WITH_FEEDS(records_without_changes_move_on),
        WITH_FEEDS(two_that_share_the_partitions_equal_a_fold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
