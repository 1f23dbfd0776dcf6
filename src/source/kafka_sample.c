/* A look into topics, without a group: a few records of each partition, by a client that assigns itself what it wants to see. It
 * joins nothing and commits nothing. */
#include "kafka_private.h"

#include "base/map.h"
#include "base/time.h"

#include <stdlib.h>

enum { POLL_MS = 100, SAMPLES_MAX = 100000 };

typedef struct want {
    const char *topic;
    int64_t left; /* records still wanted */
    int64_t high;
} want;

typedef struct sampler {
    firn_arena *arena;
    firn_kafka_client *client;
    firn_map *wants; /* "topic/partition" -> want */
    firn_kafka_message *messages;
    size_t n, max;
    size_t open; /* partitions that are not done */
} sampler;

static want *find_want(const sampler *s, const char *topic, int32_t partition)
{
    char key[300];
    snprintf(key, sizeof(key), "%s/%d", topic, (int)partition);
    return firn_map_get(s->wants, key);
}

static firn_rc sample_conf(firn_kafka *kafka, rd_kafka_conf_t **out, firn_err *err)
{
    FIRN_TRY(firn_kafka_conf(kafka, out, err));
    static const char *const SETTINGS[][2] = {
        {"group.id", "firn-sample"}, /* librdkafka wants one to assign by */
        {"enable.auto.commit", "false"},      {"auto.offset.reset", "error"},
        {"fetch.message.max.bytes", "65536"}, {"queued.min.messages", "1000"},
        {"enable.partition.eof", "true"},
    };
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < sizeof(SETTINGS) / sizeof(SETTINGS[0]); i++) {
        rc = firn_kafka_conf_set(*out, SETTINGS[i][0], SETTINGS[i][1], err);
    }
    if (rc != FIRN_OK) {
        rd_kafka_conf_destroy(*out);
    }
    return rc;
}

/* What is there to be had: partitions without records from their offset on are left out. */
static rd_kafka_topic_partition_list_t *make_wants(sampler *s, const firn_kafka_partition *parts,
                                                   size_t n, size_t each)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++) {
        const firn_kafka_partition *p = &parts[i];
        if (p->offset < 0 || p->offset >= p->high || s->max + each > SAMPLES_MAX) {
            continue;
        }
        want *w = FIRN_NEW(s->arena, want);
        int64_t there = p->high - p->offset;
        *w = (want){.topic = p->topic,
                    .left = there < (int64_t)each ? there : (int64_t)each,
                    .high = p->high};
        s->max += (size_t)w->left;
        s->open++;
        char key[300];
        snprintf(key, sizeof(key), "%s/%d", p->topic, (int)p->partition);
        firn_map_put(s->wants, key, w);
        rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset = p->offset;
    }
    return list;
}

/* False: the message is not kept. */
static bool keep(sampler *s, const rd_kafka_message_t *message)
{
    want *w = message->rkt != NULL
                  ? find_want(s, rd_kafka_topic_name(message->rkt), message->partition)
                  : NULL;
    if (w == NULL || w->left == 0) {
        return false;
    }
    bool good = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (good) {
        s->messages[s->n++] = firn_kafka_message_of(message, w->topic);
        w->left--;
    }
    /* An error or the end: no more will come. So it is behind the last record, which compaction may have left no neighbours. */
    if (!good || message->offset + 1 >= w->high) {
        w->left = 0;
    }
    s->open -= w->left == 0;
    return good;
}

firn_rc firn_kafka_sample(firn_kafka *kafka, const firn_kafka_partition *partitions, size_t n,
                          size_t each, int timeout_ms, firn_kafka_batch *out, firn_err *err)
{
    *out = (firn_kafka_batch){0};
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    sampler s = {.arena = arena, .wants = firn_map_new(arena)};
    rd_kafka_conf_t *conf;
    FIRN_TRY(sample_conf(kafka, &conf, err));
    FIRN_TRY(firn_kafka_client_new(kafka, conf, NULL, &s.client, err));
    rd_kafka_poll_set_consumer(s.client->rk);
    rd_kafka_topic_partition_list_t *list = make_wants(&s, partitions, n, each);
    s.messages = firn_kafka_batch_new(s.max);
    rd_kafka_resp_err_t code =
        s.open > 0 ? rd_kafka_assign(s.client->rk, list) : RD_KAFKA_RESP_ERR_NO_ERROR;
    int64_t end_us = firn_monotonic_us() + (int64_t)timeout_ms * 1000;
    while (code == RD_KAFKA_RESP_ERR_NO_ERROR && s.open > 0 && firn_monotonic_us() < end_us) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(s.client->rk, POLL_MS);
        if (message != NULL && !keep(&s, message)) {
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(s.client->rk);
    firn_rc rc = FIRN_OK;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc = firn_kafka_fail(kafka, &s.client->trouble, code, "records cannot be looked at", err);
    }
    firn_kafka_batch_end(s.client, s.messages, s.n, out);
    firn_kafka_client_unref(s.client);
    return rc;
}
