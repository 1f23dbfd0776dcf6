/* The consumer when brokers misbehave, against librdkafka's mock cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka_cluster.h"

enum { API_FETCH = 1, API_JOIN = 11 };

static void broker_errors_are_ridden_out(void **state)
{
    cluster *x = *state;
    topic(x, "e", 1);
    produce(x, "e", 0, 0, 50);
    owner o = {0};
    rd_kafka_mock_push_request_errors(x->mock, API_JOIN, 2, RD_KAFKA_RESP_ERR__TRANSPORT,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    rd_kafka_mock_push_request_errors(
        x->mock, API_FETCH, 4, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    firn_kafka_consumer *c = consumer(x, &o, "e");
    int64_t last[1] = {-1};
    assert_int_equal(drain(c, 50, last), 50);
    /* Brokers away for a while, and back: the session may be over by then, and the group share out anew. */
    o.start = 50;
    rd_kafka_mock_broker_set_down(x->mock, -1);
    nothing_comes(c, 1500);
    rd_kafka_mock_broker_set_up(x->mock, -1);
    produce(x, "e", 0, 50, 60);
    assert_int_equal(drain(c, 10, last), 10);
    firn_kafka_consumer_free(c);
}

static void brokers_that_stay_away_are_said(void **state)
{
    cluster *x = *state;
    topic(x, "away", 1);
    produce(x, "away", 0, 0, 5);
    owner o = {0};
    firn_kafka_consumer *c = consumer(x, &o, "away");
    int64_t last[1] = {-1};
    assert_int_equal(drain(c, 5, last), 5);
    rd_kafka_mock_broker_set_down(x->mock, -1);
    firn_rc rc = FIRN_OK;
    firn_err err = {0};
    int64_t start = firn_monotonic_us();
    while (rc == FIRN_OK && firn_monotonic_us() - start < 40000000) {
        firn_kafka_batch batch;
        rc = firn_kafka_poll(c, 10, 200, &batch, &err);
    }
    assert_int_equal(rc, FIRN_E_UNAVAILABLE);
    assert_true(err.retriable);
    o.start = 5; /* the session is over by then: the group shares out anew */
    rd_kafka_mock_broker_set_up(x->mock, -1);
    produce(x, "away", 0, 5, 8);
    size_t n = 0;
    start = firn_monotonic_us();
    while (n < 3 && firn_monotonic_us() - start < 40000000) {
        firn_kafka_batch batch;
        rc = firn_kafka_poll(c, 10, 200, &batch, &err);
        assert_true(rc == FIRN_OK || rc == FIRN_E_UNAVAILABLE);
        n += batch.n;
        firn_kafka_batch_free(&batch);
    }
    assert_int_equal(n, 3);
    firn_kafka_consumer_free(c);
}

static void leaving_needs_no_broker(void **state)
{
    cluster *x = *state;
    topic(x, "leave", 1);
    produce(x, "leave", 0, 0, 5);
    owner o = {0};
    firn_kafka_consumer *c = consumer(x, &o, "leave");
    int64_t last[1] = {-1};
    assert_int_equal(drain(c, 5, last), 5);
    rd_kafka_mock_broker_set_down(x->mock, -1);
    nothing_comes(c, 300);
    firn_kafka_consumer_mark(c, &(firn_kafka_partition){.topic = "leave", .offset = 5}, 1);
    int64_t start = firn_monotonic_us();
    firn_kafka_consumer_free(c);
    assert_true(firn_monotonic_us() - start < 8000000);
    assert_int_equal(o.revoked, 1);
}

int main(void)
{
    firn_log_set_level(FIRN_LOG_OFF);
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(broker_errors_are_ridden_out),
        WITH_CLUSTER(brokers_that_stay_away_are_said),
        WITH_CLUSTER(leaving_needs_no_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
