/* The consumer, against librdkafka's mock cluster: where it starts, what it does when partitions come and go, when its owner cannot
 * answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka_cluster.h"

static void starts_where_its_owner_says(void **state)
{
    cluster *x = *state;
    topic(x, "t", 2);
    produce(x, "t", 0, 0, 10);
    produce(x, "t", 1, 0, 10);
    owner o = {.start = 4};
    firn_kafka_consumer *c = consumer(x, &o, "t");
    int64_t last[2] = {3, 3};
    assert_int_equal(drain(c, 12, last), 12);
    assert_int_equal(last[0], 9);
    assert_int_equal(last[1], 9);
    assert_int_equal(o.assigned, 2);
    assert_int_equal(o.low, 0);
    assert_int_equal(o.high, 10);
    nothing_comes(c, 200);
    firn_kafka_partition *parts;
    size_t n;
    assert_int_equal(firn_kafka_assignment(c, x->arena, &parts, &n, NULL), FIRN_OK);
    assert_int_equal(n, 2);
    assert_int_equal(parts[0].offset, 10);
    firn_kafka_consumer_free(c);
    assert_int_equal(o.revoked, 2);
}

static void keys_values_tombstones_and_headers(void **state)
{
    cluster *x = *state;
    topic(x, "m", 1);
    const char *name = "m";
    rd_kafka_producev(
        x->rk, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(0),
        RD_KAFKA_V_KEY((void *)(uintptr_t) "k\0y", 3), RD_KAFKA_V_VALUE((void *)(uintptr_t) "", 0),
        RD_KAFKA_V_TIMESTAMP(1234567890123), RD_KAFKA_V_HEADER("a", "1", 1),
        RD_KAFKA_V_HEADER("a", "", 0), RD_KAFKA_V_HEADER("b", NULL, 0), RD_KAFKA_V_END);
    rd_kafka_producev(x->rk, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(0),
                      RD_KAFKA_V_KEY((void *)(uintptr_t) "k", 1), RD_KAFKA_V_VALUE(NULL, 0),
                      RD_KAFKA_V_END);
    rd_kafka_producev(x->rk, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(0),
                      RD_KAFKA_V_KEY(NULL, 0), RD_KAFKA_V_VALUE((void *)(uintptr_t) "v", 1),
                      RD_KAFKA_V_END);
    rd_kafka_flush(x->rk, 10000);
    owner o = {0};
    firn_kafka_consumer *c = consumer(x, &o, name);
    firn_kafka_message m[3];
    firn_kafka_batch batches[3] = {0};
    size_t got = 0;
    for (size_t tries = 0; got < 3 && tries < 100; tries++) {
        firn_kafka_batch *batch = &batches[got];
        assert_int_equal(firn_kafka_poll(c, 1, 100, batch, NULL), FIRN_OK);
        if (batch->n == 1) {
            m[got++] = batch->messages[0];
        }
    }
    assert_int_equal(got, 3);
    assert_ptr_equal(m[0].topic, m[2].topic);
    assert_memory_equal(m[0].key.data, "k\0y", 3);
    assert_non_null(m[0].value.data); /* empty is not null */
    assert_int_equal(m[0].value.len, 0);
    assert_int_equal(m[0].timestamp_ms, 1234567890123);
    assert_null(m[1].value.data);
    assert_null(m[2].key.data);
    firn_kafka_header *headers;
    size_t n;
    assert_int_equal(firn_kafka_headers(&m[0], x->arena, &headers, &n, NULL), FIRN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(headers[0].name, "a");
    assert_memory_equal(headers[0].value.data, "1", 1);
    assert_non_null(headers[1].value.data);
    assert_int_equal(headers[1].value.len, 0);
    assert_null(headers[2].value.data);
    assert_int_equal(firn_kafka_headers(&m[1], x->arena, &headers, &n, NULL), FIRN_OK);
    assert_int_equal(n, 0);
    /* Batches may outlive their consumer. */
    firn_kafka_consumer_free(c);
    assert_memory_equal(m[2].value.data, "v", 1);
    for (size_t i = 0; i < 3; i++) {
        firn_kafka_batch_free(&batches[i]);
    }
}

static void two_consumers_share_and_hand_over(void **state)
{
    cluster *x = *state;
    topic(x, "two", 4);
    owner a = {0}, b = {0};
    firn_kafka_consumer *first = consumer(x, &a, "two");
    int64_t last_a[4] = {-1, -1, -1, -1}, last_b[4] = {-1, -1, -1, -1};
    for (int i = 0; i < 4; i++) {
        produce(x, "two", i, 0, 5);
    }
    assert_int_equal(drain(first, 20, last_a), 20);
    assert_int_equal(a.assigned, 4);
    a.start = b.start = 5;
    firn_kafka_consumer *second = consumer(x, &b, "two");
    for (int i = 0; i < 200 && (a.assigned - a.revoked != 2 || b.assigned - b.revoked != 2); i++) {
        nothing_comes(first, 50);
        nothing_comes(second, 50);
    }
    assert_int_equal(a.assigned - a.revoked, 2);
    assert_int_equal(b.assigned - b.revoked, 2);
    assert_int_equal(a.lost, 0);
    for (int i = 0; i < 4; i++) {
        produce(x, "two", i, 5, 10);
    }
    assert_int_equal(drain(first, 10, last_a), 10);
    assert_int_equal(drain(second, 10, last_b), 10);
    /* The second leaves: the first takes its partitions over. */
    a.start = 10;
    firn_kafka_consumer_free(second);
    assert_int_equal(b.revoked, b.assigned);
    for (int i = 0; i < 200 && a.assigned - a.revoked != 4; i++) {
        nothing_comes(first, 50);
    }
    assert_int_equal(a.assigned - a.revoked, 4);
    for (int i = 0; i < 4; i++) {
        produce(x, "two", i, 10, 12);
    }
    assert_int_equal(drain(first, 8, last_a), 8);
    firn_kafka_consumer_free(first);
}

/* Not the default (docs/decisions/027-librdkafka.md), but whoever sets it gets it: what stays with the first is never taken away. */
static void cooperative_rebalances_take_only_what_moves(void **state)
{
    cluster *x = *state;
    topic(x, "coop", 4);
    json_t *properties;
    assert_int_equal(firn_json_parse(x->arena,
                                     firn_bytes_str("{\"session.timeout.ms\": 3000, "
                                                    "\"heartbeat.interval.ms\": 200, "
                                                    "\"partition.assignment.strategy\": "
                                                    "\"cooperative-sticky\"}"),
                                     "test", &properties, NULL),
                     FIRN_OK);
    firn_kafka *kafka = x->kafka;
    firn_kafka_options options = kafka->options;
    options.properties = properties;
    assert_int_equal(firn_kafka_new(&options, &x->kafka, NULL), FIRN_OK);
    owner a = {0}, b = {.start = 5};
    firn_kafka_consumer *first = consumer(x, &a, "coop");
    int64_t last_a[4] = {-1, -1, -1, -1}, last_b[4] = {-1, -1, -1, -1};
    for (int i = 0; i < 4; i++) {
        produce(x, "coop", i, 0, 5);
    }
    assert_int_equal(drain(first, 20, last_a), 20);
    firn_kafka_consumer *second = consumer(x, &b, "coop");
    for (int i = 0; i < 200 && b.assigned < 2; i++) {
        nothing_comes(first, 50);
        nothing_comes(second, 50);
    }
    assert_int_equal(a.assigned, 4);
    assert_int_equal(a.revoked, 2);
    assert_int_equal(b.assigned, 2);
    for (int i = 0; i < 4; i++) {
        produce(x, "coop", i, 5, 10);
    }
    assert_int_equal(drain(first, 10, last_a), 10);
    assert_int_equal(drain(second, 10, last_b), 10);
    firn_kafka_partition *parts;
    size_t n;
    assert_int_equal(firn_kafka_assignment(first, x->arena, &parts, &n, NULL), FIRN_OK);
    assert_int_equal(n, 2);
    parts[0].offset = 7;
    assert_int_equal(firn_kafka_seek(first, parts, 1, NULL), FIRN_OK);
    last_a[parts[0].partition] = 6;
    assert_int_equal(drain(first, 3, last_a), 3);
    firn_kafka_consumer_free(second);
    firn_kafka_consumer_free(first);
    firn_kafka_free(x->kafka);
    x->kafka = kafka;
}

static void an_owner_that_cannot_say_is_asked_again(void **state)
{
    cluster *x = *state;
    topic(x, "later", 1);
    produce(x, "later", 0, 0, 3);
    owner o = {.refuse = 2};
    firn_kafka_consumer *c = consumer(x, &o, "later");
    int refusals = 0;
    size_t n = 0;
    for (int i = 0; i < 200 && n < 3; i++) {
        firn_kafka_batch batch;
        firn_err err = {0};
        firn_rc rc = firn_kafka_poll(c, 10, 100, &batch, &err);
        refusals += rc == FIRN_E_UNAVAILABLE;
        assert_true(rc == FIRN_OK || rc == FIRN_E_UNAVAILABLE);
        n += batch.n;
        firn_kafka_batch_free(&batch);
    }
    assert_int_equal(refusals, 2);
    assert_int_equal(n, 3);
    firn_kafka_consumer_free(c);
}

static void pause_keeps_what_was_fetched(void **state)
{
    cluster *x = *state;
    topic(x, "p", 2);
    produce(x, "p", 0, 0, 100);
    produce(x, "p", 1, 0, 100);
    owner o = {0};
    firn_kafka_consumer *c = consumer(x, &o, "p");
    int64_t last[2] = {-1, -1};
    assert_true(drain(c, 1, last) >= 1);
    int64_t at = last[0] + last[1] + 2;
    assert_int_equal(firn_kafka_pause(c, true, NULL), FIRN_OK);
    produce(x, "p", 0, 100, 150);
    nothing_comes(c, 600);
    assert_int_equal(firn_kafka_pause(c, false, NULL), FIRN_OK);
    assert_int_equal(drain(c, (size_t)(250 - at), last), (size_t)(250 - at));
    assert_int_equal(last[0], 149);
    assert_int_equal(last[1], 99);
    firn_kafka_consumer_free(c);
}

static void seek_goes_back_and_forth(void **state)
{
    cluster *x = *state;
    topic(x, "s", 1);
    produce(x, "s", 0, 0, 100);
    owner o = {0};
    firn_kafka_consumer *c = consumer(x, &o, "s");
    int64_t last[1] = {-1};
    firn_kafka_batch batch = {0};
    /* Few are taken, so that the queue is full of what the seek makes stale. */
    for (int i = 0; i < 200 && batch.n == 0; i++) {
        assert_int_equal(firn_kafka_poll(c, 5, 100, &batch, NULL), FIRN_OK);
    }
    assert_true(batch.n > 0);
    firn_kafka_batch_free(&batch);
    firn_kafka_partition to = {.topic = "s", .offset = 90};
    firn_err err = {0};
    if (firn_kafka_seek(c, &to, 1, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    last[0] = 89;
    assert_int_equal(drain(c, 10, last), 10);
    for (int round = 0; round < 10; round++) {
        to.offset = 7 * round;
        assert_int_equal(firn_kafka_seek(c, &to, 1, NULL), FIRN_OK);
        last[0] = to.offset - 1;
        assert_int_equal(drain(c, (size_t)(100 - to.offset), last), (size_t)(100 - to.offset));
    }
    nothing_comes(c, 200);
    firn_kafka_consumer_free(c);
}

static void an_offset_that_is_gone_is_an_error(void **state)
{
    cluster *x = *state;
    topic(x, "gone", 1);
    produce(x, "gone", 0, 0, 10);
    owner o = {.start = 918};
    firn_kafka_consumer *c = consumer(x, &o, "gone");
    firn_kafka_gap gap;
    assert_false(firn_kafka_last_gap(c, &gap));
    firn_err err = {0};
    firn_rc rc = FIRN_OK;
    for (int i = 0; i < 200 && rc == FIRN_OK; i++) {
        firn_kafka_batch batch;
        rc = firn_kafka_poll(c, 10, 100, &batch, &err);
        assert_int_equal(batch.n, 0);
    }
    assert_int_equal(rc, FIRN_E_OFFSET_GONE);
    assert_false(err.retriable);
    assert_non_null(strstr(err.message, "gone [0] does not have offset 918: it has 0 to 10"));
    assert_true(firn_kafka_last_gap(c, &gap));
    assert_string_equal(gap.at.topic, "gone");
    assert_int_equal(gap.at.offset, 918);
    assert_int_equal(gap.at.low, 0);
    assert_int_equal(gap.at.high, 10);
    /* A seek to what is there makes it go on. */
    firn_kafka_partition to = {.topic = "gone", .offset = 6};
    assert_int_equal(firn_kafka_seek(c, &to, 1, &err), FIRN_OK);
    int64_t last[1] = {5};
    assert_int_equal(drain(c, 4, last), 4);
    firn_kafka_consumer_free(c);
}

static void new_topics_of_a_pattern_are_picked_up(void **state)
{
    cluster *x = *state;
    topic(x, "pat.a", 1);
    produce(x, "pat.a", 0, 0, 3);
    owner o = {0};
    firn_kafka_consumer *c = consumer(x, &o, "^pat[.].");
    int64_t last[1] = {-1};
    assert_int_equal(drain(c, 3, last), 3);
    topic(x, "pat.b.not", 1);
    produce(x, "pat.b.not", 0, 0, 4);
    topic(x, "pat.b", 1);
    produce(x, "pat.b", 0, 0, 4);
    o.start = 3; /* of both: the end of the one that was read */
    assert_int_equal(drain(c, 1, last), 1);
    assert_int_equal(o.assigned - o.revoked, 2);
    nothing_comes(c, 1500);
    firn_kafka_consumer_free(c);
}

/* Small fetches fill a small queue sixty times. A librdkafka that is left alone sleeps most of a second each time. */
static void a_queue_that_has_room_again_is_filled(void **state)
{
    enum { MESSAGES = 60000 };
    cluster *x = *state;
    topic(x, "f", 1);
    for (int i = 0; i < MESSAGES; i += 1000) { /* fetches end where batches end */
        produce(x, "f", 0, i, i + 1000);
    }
    owner o = {0};
    json_t *small;
    firn_kafka *kafka;
    firn_kafka_consumer *c;
    const char *topics[] = {"f"};
    assert_int_equal(firn_json_parse(x->arena,
                                     firn_bytes_str("{\"max.partition.fetch.bytes\": 20000}"),
                                     "test", &small, NULL),
                     FIRN_OK);
    assert_int_equal(
        firn_kafka_new(&(firn_kafka_options){.brokers = rd_kafka_mock_cluster_bootstraps(x->mock),
                                             .properties = small},
                       &kafka, NULL),
        FIRN_OK);
    assert_int_equal(firn_kafka_consumer_new(kafka,
                                             &(firn_kafka_consumer_options){.group = "g",
                                                                            .topics = topics,
                                                                            .n_topics = 1,
                                                                            .queue_bytes = 256000,
                                                                            .assigned = on_assigned,
                                                                            .revoked = on_revoked,
                                                                            .ctx = &o},
                                             &c, NULL),
                     FIRN_OK);
    int64_t last[1] = {-1};
    assert_int_equal(drain(c, MESSAGES, last), MESSAGES); /* within PATIENCE_MS */
    firn_kafka_consumer_free(c);
    firn_kafka_free(kafka);
}

static void mark_is_what_committed_says(void **state)
{
    cluster *x = *state;
    topic(x, "mark", 1);
    produce(x, "mark", 0, 0, 5);
    owner o = {0};
    firn_kafka_consumer *c = consumer(x, &o, "mark");
    int64_t last[1] = {-1};
    assert_int_equal(drain(c, 5, last), 5);
    firn_kafka_partition at = {.topic = "mark", .offset = 4};
    firn_kafka_consumer_mark(c, &at, 1);
    firn_kafka_partition asked = {.topic = "mark", .offset = 0};
    firn_err err = {0};
    for (int i = 0; i < 100 && asked.offset != 4; i++) {
        nothing_comes(c, 50);
        if (firn_kafka_committed(x->kafka, "g", &asked, 1, &err) != FIRN_OK) {
            fail_msg("%s", err.message);
        }
    }
    assert_int_equal(asked.offset, 4);
    firn_kafka_consumer_free(c);
}

int main(void)
{
    firn_log_set_level(FIRN_LOG_OFF);
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(starts_where_its_owner_says),
        WITH_CLUSTER(keys_values_tombstones_and_headers),
        WITH_CLUSTER(two_consumers_share_and_hand_over),
        WITH_CLUSTER(cooperative_rebalances_take_only_what_moves),
        WITH_CLUSTER(an_owner_that_cannot_say_is_asked_again),
        WITH_CLUSTER(pause_keeps_what_was_fetched),
        WITH_CLUSTER(seek_goes_back_and_forth),
        WITH_CLUSTER(an_offset_that_is_gone_is_an_error),
        WITH_CLUSTER(new_topics_of_a_pattern_are_picked_up),
        WITH_CLUSTER(a_queue_that_has_room_again_is_filled),
        WITH_CLUSTER(mark_is_what_committed_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
