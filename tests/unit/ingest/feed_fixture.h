/* A lake with a Kafka cluster beside it (librdkafka's mock), and feeds that run in this process.
 *
 *     feed_file(f, "orders", "source: mock\ntopics: orders\nformat: json\ntable: bronze.orders\n");
 *     produce(f, "orders", 0, "{\"id\":1}");
 *     drain(f, "orders");
 *     lake_expect(f->lake, "SELECT count(*) FROM bronze.orders", "1");
 */
#ifndef TESTS_INGEST_FEED_FIXTURE_H
#define TESTS_INGEST_FEED_FIXTURE_H

#include "ingest/ingest.h"

#include "../engine/lake_fixture.h"

#include "base/log.h"
#include "base/time.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { PATIENCE_MS = 60000 };

typedef struct feed_fixture {
    lake_fixture *lake;
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
} feed_fixture;

static inline int feed_setup(void **state)
{
    feed_fixture *f = calloc(1, sizeof(*f));
    firn_log_set_level(getenv("FIRN_TEST_LOG") != NULL ? FIRN_LOG_DEBUG : FIRN_LOG_OFF);
    void *lake = NULL;
    char why[300];
    lake_setup(&lake);
    f->lake = lake;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "3", why, sizeof(why));
    rd_kafka_conf_set(conf, "linger.ms", "0", why, sizeof(why));
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
    f->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    assert_non_null(f->producer);
    f->cluster = rd_kafka_handle_mock_cluster(f->producer);
    firn_err err = {0};
    firn_bytes text;
    const char *path = firn_path_join(f->lake->arena, f->lake->root, "firn.yaml");
    lake_check(firn_file_read(f->lake->arena, path, 1 << 20, &text, &err), &err, "read firn.yaml");
    /* The mock's group waits for most of a session's time before it shares out anew. */
    const char *config = firn_arena_printf(
        f->lake->arena,
        "%s\nsources:\n  - name: mock\n    kafka: %s\n    properties: {session.timeout.ms: 3000, "
        "heartbeat.interval.ms: 200, topic.metadata.refresh.interval.ms: 1000}\n",
        (const char *)text.data, rd_kafka_mock_cluster_bootstraps(f->cluster));
    lake_check(firn_file_write_atomic(path, firn_bytes_str(config), 0644, &err), &err, "write");
    lake_reopen(f->lake);
    *state = f;
    return 0;
}

static inline int feed_teardown(void **state)
{
    feed_fixture *f = *state;
    void *lake = f->lake;
    rd_kafka_destroy(f->producer);
    lake_teardown(&lake);
    free(f);
    return 0;
}

static inline void feed_file(feed_fixture *f, const char *name, const char *text)
{
    firn_err err = {0};
    firn_arena *arena = f->lake->arena;
    const char *folder = firn_path_join(arena, f->lake->root, "feeds");
    const char *path = firn_path_join(arena, folder, firn_arena_printf(arena, "%s.yaml", name));
    lake_check(firn_mkdir_p(folder, 0755, &err), &err, "feeds");
    lake_check(firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err), &err, "feed");
}

static inline void topic(feed_fixture *f, const char *name, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(f->cluster, name, partitions, 1), 0);
}

static inline void produce_key(feed_fixture *f, const char *name, int32_t partition,
                               const char *key, const char *value)
{
    size_t key_len = key != NULL ? strlen(key) : 0;
    size_t value_len = value != NULL ? strlen(value) : 0;
    rd_kafka_resp_err_t rc =
        rd_kafka_producev(f->producer, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_KEY(key, key_len), RD_KAFKA_V_VALUE((void *)value, value_len),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    assert_int_equal(rc, 0);
}

static inline void produce(feed_fixture *f, const char *name, int32_t partition, const char *value)
{
    produce_key(f, name, partition, NULL, value);
}

/* {"id": i, "name": "n<i>"} for from <= i < to, over the partitions in turn. */
static inline void produce_ids(feed_fixture *f, const char *name, int partitions, int from, int to)
{
    for (int i = from; i < to; i++) {
        char value[64];
        snprintf(value, sizeof(value), "{\"id\":%d,\"name\":\"n%d\"}", i, i);
        produce(f, name, i % partitions, value);
    }
    assert_int_equal(rd_kafka_flush(f->producer, 10000), 0);
}

/* ---- feeds ---------------------------------------------------------------------------------------------- */

static inline firn_ingest *run_start(feed_fixture *f, const char *name, bool until_drained)
{
    firn_err err = {0};
    firn_feed feed;
    firn_ingest *ingest = NULL;
    const firn_ingest_options options = {.drain = until_drained};
    lake_check(firn_feed_load(f->lake->lake, f->lake->arena, name, &feed, &err), &err, "feed");
    lake_check(firn_ingest_new(f->lake->engine, &options, &ingest, &err), &err, "new");
    lake_check(firn_ingest_add(ingest, &feed, &err), &err, "add");
    lake_check(firn_ingest_start(ingest, &err), &err, "start");
    return ingest;
}

static inline firn_feed_status run_status(feed_fixture *f, firn_ingest *ingest)
{
    firn_feed_status *status = NULL;
    size_t n = 0;
    firn_ingest_status(ingest, f->lake->arena, &status, &n);
    assert_int_equal(n, 1);
    return status[0];
}

static inline firn_feed_status run_end(feed_fixture *f, firn_ingest *ingest)
{
    if (!firn_ingest_wait(ingest, PATIENCE_MS)) {
        firn_feed_status status = run_status(f, ingest);
        fail_msg("the feed does not end: %s, %s, lag %lld", firn_feed_state_name(status.state),
                 status.message != NULL ? status.message : "-", (long long)status.lag);
    }
    firn_feed_status status = run_status(f, ingest);
    firn_ingest_free(ingest);
    return status;
}

static inline firn_feed_status run_stop(feed_fixture *f, firn_ingest *ingest)
{
    firn_ingest_stop(ingest);
    return run_end(f, ingest);
}

static inline firn_feed_status drain_any(feed_fixture *f, const char *name)
{
    return run_end(f, run_start(f, name, true));
}

static inline firn_feed_status drain(feed_fixture *f, const char *name)
{
    firn_feed_status status = drain_any(f, name);
    if (status.state != FIRN_FEED_DONE) {
        fail_msg("feed %s: %s: %s", name, firn_feed_state_name(status.state), status.message);
    }
    return status;
}

/* Wait until the query gives `expected`. */
static inline void await(feed_fixture *f, const char *sql, const char *expected)
{
    const char *text = "";
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 50) {
        firn_err err = {0};
        const char *cell = NULL;
        if (firn_session_scalar(f->lake->session, f->lake->arena, sql, &cell, &err) == FIRN_OK &&
            cell != NULL) {
            text = cell;
            if (firn_streq(cell, expected)) {
                return;
            }
        }
        firn_sleep_ms(50);
    }
    fail_msg("%s: %s instead of %s", sql, text, expected);
}

#endif
