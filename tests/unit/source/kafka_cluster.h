/* A mock cluster of librdkafka's, a firn_kafka on it, and a producer: for the tests of Kafka. Include after cmocka. */
#ifndef TEST_KAFKA_CLUSTER_H
#define TEST_KAFKA_CLUSTER_H

#include "kafka_private.h"

#include "base/log.h"
#include "base/time.h"

#include <librdkafka/rdkafka_mock.h>

#include <stdlib.h>

typedef struct cluster {
    rd_kafka_t *rk; /* the producer */
    rd_kafka_mock_cluster_t *mock;
    firn_kafka *kafka;
    firn_arena *arena;
} cluster;

static inline int start_cluster(void **state)
{
    cluster *x = calloc(1, sizeof(*x));
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "3", why, sizeof(why));
    rd_kafka_conf_set(conf, "linger.ms", "0", why, sizeof(why));
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
    x->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    x->mock = rd_kafka_handle_mock_cluster(x->rk);
    x->arena = firn_arena_new();
    /* The mock's group waits for most of a session's time before it shares out anew. */
    json_t *quick;
    assert_int_equal(
        firn_json_parse(
            x->arena,
            firn_bytes_str("{\"session.timeout.ms\": 3000, \"heartbeat.interval.ms\": 200,"
                           " \"topic.metadata.refresh.interval.ms\": 1000}"),
            "test", &quick, NULL),
        FIRN_OK);
    firn_err err = {0};
    if (firn_kafka_new(&(firn_kafka_options){.brokers = rd_kafka_mock_cluster_bootstraps(x->mock),
                                             .properties = quick},
                       &x->kafka, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    *state = x;
    return 0;
}

static inline int stop_cluster(void **state)
{
    cluster *x = *state;
    firn_kafka_free(x->kafka);
    rd_kafka_destroy(x->rk);
    firn_arena_free(x->arena);
    free(x);
    return 0;
}

static inline void topic(cluster *x, const char *name, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(x->mock, name, partitions, 1), 0);
}

static inline void produce(cluster *x, const char *name, int32_t partition, int from, int to)
{
    for (int i = from; i < to; i++) {
        char key[20], value[20];
        snprintf(key, sizeof(key), "k%d", i);
        snprintf(value, sizeof(value), "v%d", i);
        assert_int_equal(
            rd_kafka_producev(x->rk, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_KEY(key, strlen(key)),
                              RD_KAFKA_V_VALUE(value, strlen(value)),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
            0);
    }
    assert_int_equal(rd_kafka_flush(x->rk, 10000), 0);
}

enum { PATIENCE_MS = 20000 };

/* ---- an owner: where partitions start, and what came of them ------------------------------------------- */

typedef struct owner {
    int64_t start;
    int assigned, revoked, lost;
    int refuse; /* so many times */
    int64_t low, high;
} owner;

static inline firn_rc on_assigned(void *ctx, firn_kafka_partition *partitions, size_t n,
                                  firn_err *err)
{
    owner *o = ctx;
    if (o->refuse > 0) {
        o->refuse--;
        FIRN_FAIL(err, FIRN_E_UNAVAILABLE, "the catalog is away");
    }
    for (size_t i = 0; i < n; i++) {
        partitions[i].offset = o->start;
        o->low = partitions[i].low;
        o->high = partitions[i].high;
    }
    o->assigned += (int)n;
    return FIRN_OK;
}

static inline void on_revoked(void *ctx, const firn_kafka_partition *partitions, size_t n,
                              bool lost)
{
    (void)partitions;
    owner *o = ctx;
    o->revoked += (int)n;
    o->lost += lost ? (int)n : 0;
}

static inline firn_kafka_consumer *consumer(cluster *x, owner *o, const char *name)
{
    firn_kafka_consumer *c;
    firn_err err = {0};
    const char *topics[] = {name};
    if (firn_kafka_consumer_new(x->kafka,
                                &(firn_kafka_consumer_options){.group = "g",
                                                               .topics = topics,
                                                               .n_topics = 1,
                                                               .assigned = on_assigned,
                                                               .revoked = on_revoked,
                                                               .ctx = o},
                                &c, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return c;
}

/* Polls until `want` messages have come, or patience ends; gives how many came. Offsets of each partition must go up. */
static inline size_t drain(firn_kafka_consumer *c, size_t want, int64_t *last)
{
    size_t n = 0;
    int64_t end = firn_monotonic_us() + PATIENCE_MS * 1000;
    while (n < want && firn_monotonic_us() < end) {
        firn_kafka_batch batch;
        firn_err err = {0};
        if (firn_kafka_poll(c, 1000, 100, &batch, &err) != FIRN_OK) {
            fail_msg("%s", err.message);
        }
        for (size_t i = 0; i < batch.n; i++) {
            const firn_kafka_message *m = &batch.messages[i];
            assert_true(m->offset > last[m->partition]);
            last[m->partition] = m->offset;
        }
        n += batch.n;
        firn_kafka_batch_free(&batch);
    }
    return n;
}

static inline void nothing_comes(firn_kafka_consumer *c, int ms)
{
    firn_kafka_batch batch;
    firn_err err = {0};
    assert_int_equal(firn_kafka_poll(c, 1000, ms, &batch, &err), FIRN_OK);
    assert_int_equal(batch.n, 0);
}

#define WITH_CLUSTER(test) cmocka_unit_test_setup_teardown(test, start_cluster, stop_cluster)

#endif
