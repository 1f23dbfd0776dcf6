/* Feeds of changes, from the topic to the table: the last change of a key counts, within a commit and over commits. */
#include "feed_fixture.h"

static const char CUSTOMERS[] =
    "source: mock\ntopics: customers\nformat: json\nkey_format: json\ntable: bronze.customers\n"
    "mode: upsert\ncommit: {every: 300ms}\n";

static void change(feed_fixture *f, int partitions, int id, const char *name)
{
    char key[32], value[64];
    snprintf(key, sizeof(key), "{\"id\":%d}", id);
    snprintf(value, sizeof(value), "{\"id\":%d,\"name\":\"%s\"}", id, name != NULL ? name : "");
    produce_key(f, "customers", id % partitions, key, name != NULL ? value : NULL);
}

static void the_last_change_of_a_key_counts(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "customers", CUSTOMERS);
    topic(f, "customers", 2);
    for (int i = 0; i < 20; i++) {
        change(f, 2, i, "first");
    }
    change(f, 2, 3, "second");
    change(f, 2, 4, NULL);
    change(f, 2, 5, NULL);
    change(f, 2, 5, "back");
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    assert_int_equal(drain(f, "customers").records, 24);
    lake_expect(f->lake,
                "SELECT count(*), count(DISTINCT id), max(name) FILTER (WHERE id = 3), "
                "max(name) FILTER (WHERE id = 5), count(*) FILTER (WHERE id = 4) FROM "
                "bronze.customers",
                "19|19|second|back|0");
    lake_expect(f->lake, "SELECT count(*) FROM (DESCRIBE bronze.customers)", "2");
    change(f, 2, 3, "third");
    change(f, 2, 6, NULL);
    change(f, 2, 20, "new");
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    assert_int_equal(drain(f, "customers").records, 3);
    lake_expect(f->lake,
                "SELECT count(*), count(DISTINCT id), max(name) FILTER (WHERE id = 3), "
                "count(*) FILTER (WHERE id = 6) FROM bronze.customers",
                "19|19|third|0");
}

static void a_change_without_a_key_is_a_dead_letter(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "customers", CUSTOMERS);
    topic(f, "customers", 1);
    change(f, 1, 1, "a");
    produce_key(f, "customers", 0, "{\"id\":null}", "{\"name\":\"nobody\"}");
    change(f, 1, 2, "b");
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    firn_feed_status status = drain(f, "customers");
    assert_int_equal(status.dead_letters, 1);
    lake_expect(f->lake, "SELECT string_agg(name, ',' ORDER BY id) FROM bronze.customers", "a,b");
    lake_expect(f->lake, "SELECT decode(value) FROM bronze.customers__dead_letters",
                "{\"name\":\"nobody\"}");
}

static void envelopes_are_carried_out_and_logged(void **state)
{
    feed_fixture *f = *state;
    feed_file(
        f, "customers",
        "source: mock\ntopics: customers\nformat: json\nkey_format: json\ntable: bronze.customers\n"
        "mode: debezium\nchange_log: bronze.customers_log\ncommit: {every: 300ms}\n");
    topic(f, "customers", 1);
    static const char *const events[] = {
        "{\"before\":null,\"after\":{\"id\":1,\"name\":\"a\"},\"op\":\"c\",\"ts_ms\":1,\"source\":{\"db\":\"x\"}}",
        "{\"before\":null,\"after\":{\"id\":2,\"name\":\"b\"},\"op\":\"r\",\"ts_ms\":2,\"source\":{\"db\":\"x\"}}",
        "{\"before\":{\"id\":1,\"name\":\"a\"},\"after\":{\"id\":1,\"name\":\"A\"},\"op\":\"u\",\"ts_ms\":3,\"source\":{\"db\":\"x\"}}",
        "{\"before\":{\"id\":2,\"name\":\"b\"},\"after\":null,\"op\":\"d\",\"ts_ms\":4,\"source\":{\"db\":\"x\"}}"};
    static const char *const keys[] = {"{\"id\":1}", "{\"id\":2}", "{\"id\":1}", "{\"id\":2}"};
    for (int i = 0; i < 4; i++) {
        produce_key(f, "customers", 0, keys[i], events[i]);
    }
    produce_key(f, "customers", 0, "{\"id\":2}", NULL);
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    drain(f, "customers");
    lake_expect(f->lake, "SELECT id, name FROM bronze.customers", "1|A");
    lake_expect(f->lake, "SELECT count(*) FROM bronze.customers_log", "4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_change_of_a_key_counts, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(a_change_without_a_key_is_a_dead_letter, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(envelopes_are_carried_out_and_logged, feed_setup,
                                        feed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
