/* Feeds in trouble: bad records, dropped tables, offsets that are not there; and the hands that repair. */
#include "feed_fixture.h"

static const char ORDERS[] = "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
                             "commit: {every: 300ms}\n";

static void what_cannot_be_decoded_is_a_dead_letter(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 1);
    produce(f, "orders", 0, "{\"id\":1}");
    produce_key(f, "orders", 0, "k", "{\"id\":");
    produce(f, "orders", 0, "{\"id\":2}");
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    firn_feed_status status = drain(f, "orders");
    assert_int_equal(status.rows, 2);
    assert_int_equal(status.dead_letters, 1);
    lake_expect(f->lake, "SELECT count(*) FROM bronze.orders", "2");
    lake_expect(f->lake,
                "SELECT topic, \"offset\", decode(key), decode(value), code, attempts FROM "
                "bronze.orders__dead_letters",
                "orders|1|k|{\"id\":|CORRUPT|1");
    assert_int_equal(drain(f, "orders").records, 0);
}

/* One record of many for which the SQL fails: it is found, and nothing else is held up. */
static void a_row_that_does_not_fit_is_a_dead_letter(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders",
              "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
              "transform: SELECT id, CAST(substr(name, 2) AS INTEGER) AS number FROM batch\n"
              "commit: {every: 300ms}\n");
    topic(f, "orders", 2);
    produce_ids(f, "orders", 2, 0, 500);
    produce(f, "orders", 1, "{\"id\":-1,\"name\":\"nobody\"}");
    produce_ids(f, "orders", 2, 500, 1000);
    firn_feed_status status = drain(f, "orders");
    assert_int_equal(status.dead_letters, 1);
    lake_expect(f->lake, "SELECT count(*), count(DISTINCT id), min(id) FROM bronze.orders",
                "1000|1000|0");
    lake_expect(f->lake, "SELECT decode(value) FROM bronze.orders__dead_letters",
                "{\"id\":-1,\"name\":\"nobody\"}");
}

/* What the table's columns are decides what is inferred: a price is a double for ever, a name that is a number is no name. */
static void the_table_says_what_json_is(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    lake_exec(f->lake, "CREATE SCHEMA bronze;"
                       "CREATE TABLE bronze.orders (id BIGINT NOT NULL, price DOUBLE, name VARCHAR,"
                       " seen TIMESTAMP WITH TIME ZONE, tags VARCHAR[])");
    topic(f, "orders", 1);
    produce(
        f, "orders", 0,
        "{\"id\":1,\"price\":5,\"name\":\"a\",\"seen\":\"2026-01-01T00:00:00Z\",\"tags\":[\"x\"]}");
    produce(f, "orders", 0, "{\"id\":2,\"price\":5.5,\"extra\":true}");
    produce(f, "orders", 0, "{\"price\":1}");
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    firn_feed_status status = drain(f, "orders");
    assert_int_equal(status.dead_letters, 1);
    lake_expect(
        f->lake,
        "SELECT id, price, name, epoch(seen), tags[1], extra FROM bronze.orders ORDER BY id",
        "1|5.0|a|1767225600.0|x|NULL\n2|5.5|NULL|NULL|NULL|true");
    lake_expect(f->lake, "SELECT decode(value) FROM bronze.orders__dead_letters", "{\"price\":1}");
}

/* Strings where the table has numbers is no safe change: the feed stops, or the records are set aside, as configured. */
static void unsafe_changes_stop_or_are_set_aside(void **state)
{
    feed_fixture *f = *state;
    static const char feed[] =
        "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
        "schema: \"id bigint, name varchar, extra struct<a int, b varchar>\"\n";
    feed_file(f, "orders", feed);
    lake_exec(f->lake, "CREATE SCHEMA bronze; CREATE TABLE bronze.orders (id INT, name INT)");
    topic(f, "orders", 1);
    produce_ids(f, "orders", 1, 0, 5);
    firn_feed_status status = drain_any(f, "orders");
    assert_int_equal(status.state, FIRN_FEED_STOPPED);
    lake_contains(status.message, "cannot go into table bronze.orders by a safe change");
    lake_contains(status.message, "name");
    lake_contains(status.advice, "evolve.on_unsafe");
    lake_expect(f->lake, "SELECT count(*) FROM bronze.orders", "0");
    feed_file(f, "orders",
              firn_arena_printf(f->lake->arena, "%sevolve: {on_unsafe: dead_letters}\n", feed));
    status = drain_any(f, "orders");
    assert_int_equal(status.state, FIRN_FEED_DONE);
    assert_int_equal(status.dead_letters, 5);
    lake_expect(f->lake, "SELECT count(*) FROM bronze.orders__dead_letters", "5");
    lake_exec(f->lake, "ALTER TABLE bronze.orders DROP COLUMN name");
    produce_ids(f, "orders", 1, 5, 8);
    status = drain_any(f, "orders");
    assert_int_equal(status.rows, 3);
    lake_expect(f->lake, "SELECT count(*), max(name), max(typeof(id)) FROM bronze.orders",
                "3|n7|BIGINT");
}

static void too_many_bad_records_stop_the_feed(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders",
              "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n"
              "dead_letters: {stop_after: 3}\n");
    topic(f, "orders", 1);
    produce_ids(f, "orders", 1, 0, 10);
    for (int i = 0; i < 3; i++) {
        produce(f, "orders", 0, "no json");
    }
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    firn_feed_status status = drain_any(f, "orders");
    assert_int_equal(status.state, FIRN_FEED_STOPPED);
    lake_contains(status.message, "3 records could not become rows of bronze.orders");
    lake_contains(status.advice, "dead_letters.stop_after");
}

static void nothing_but_bad_records_is_said(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 1);
    produce(f, "orders", 0, "no json");
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
    firn_feed_status status = drain_any(f, "orders");
    assert_int_equal(status.state, FIRN_FEED_STOPPED);
    lake_contains(status.message, "none of the first 1 records could become a row");
}

static void a_drain_of_nothing_ends(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", "source: mock\ntopics: \"^orders[.].*\"\nformat: json\n");
    topic(f, "others", 1);
    produce_ids(f, "others", 1, 0, 5);
    assert_int_equal(drain(f, "orders").records, 0);
}

static void a_dropped_table_stops_the_feed(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 1);
    produce_ids(f, "orders", 1, 0, 10);
    firn_ingest *ingest = run_start(f, "orders", false);
    await(f, "SELECT count(*) FROM bronze.orders", "10");
    firn_sleep_ms(1500); /* the group hears of it every second */
    lake_exec(f->lake, "DROP TABLE bronze.orders");
    produce_ids(f, "orders", 1, 10, 20);
    firn_feed_status status = run_end(f, ingest);
    assert_int_equal(status.state, FIRN_FEED_STOPPED);
    lake_contains(status.message, "table bronze.orders was dropped while feed orders filled it");
    status = drain_any(f, "orders");
    assert_int_equal(status.state, FIRN_FEED_STOPPED);
    lake_contains(status.message, "table bronze.orders is gone from branch main");
    const firn_resume_options resume = {.feed = "orders", .from = "earliest"};
    firn_err err = {0};
    lake_check(firn_ingest_resume(f->lake->engine, &resume, &err), &err, "resume");
    assert_int_equal(drain(f, "orders").records, 20);
    lake_expect(f->lake, "SELECT count(*) FROM bronze.orders", "20");
}

static void resuming_goes_where_it_is_told(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 2);
    produce_ids(f, "orders", 2, 0, 100);
    assert_int_equal(drain(f, "orders").rows, 100);
    firn_resume_options resume = {.feed = "orders", .from = "orders:0=40, orders:1=45"};
    firn_err err = {0};
    lake_check(firn_ingest_resume(f->lake->engine, &resume, &err), &err, "resume");
    assert_int_equal(drain(f, "orders").rows, 15);
    resume.from = "latest";
    lake_check(firn_ingest_resume(f->lake->engine, &resume, &err), &err, "resume");
    assert_int_equal(drain(f, "orders").rows, 0);
    static const char *const bad[] = {"yesterday", "orders:0", "orders:7=1", "orders:0=-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        resume.from = bad[i];
        assert_int_not_equal(firn_ingest_resume(f->lake->engine, &resume, &err), FIRN_OK);
    }
}

/* The table wants an offset beyond the topic's end: it was made anew. */
static void an_offset_that_is_not_there_stops_the_feed(void **state)
{
    feed_fixture *f = *state;
    feed_file(f, "orders", ORDERS);
    topic(f, "orders", 1);
    produce_ids(f, "orders", 1, 0, 10);
    assert_int_equal(drain(f, "orders").rows, 10);
    firn_resume_options resume = {.feed = "orders", .from = "orders:0=500"};
    firn_err err = {0};
    lake_check(firn_ingest_resume(f->lake->engine, &resume, &err), &err, "resume");
    firn_ingest *ingest = run_start(f, "orders", false);
    firn_feed_status status = run_end(f, ingest);
    assert_int_equal(status.state, FIRN_FEED_STOPPED);
    lake_contains(status.message, "500");
    lake_contains(status.advice, "firn ingest resume orders --from earliest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_cannot_be_decoded_is_a_dead_letter, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(a_row_that_does_not_fit_is_a_dead_letter, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(the_table_says_what_json_is, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(unsafe_changes_stop_or_are_set_aside, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(too_many_bad_records_stop_the_feed, feed_setup,
                                        feed_teardown),
        cmocka_unit_test_setup_teardown(nothing_but_bad_records_is_said, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(a_drain_of_nothing_ends, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(a_dropped_table_stops_the_feed, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(resuming_goes_where_it_is_told, feed_setup, feed_teardown),
        cmocka_unit_test_setup_teardown(an_offset_that_is_not_there_stops_the_feed, feed_setup,
                                        feed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
