/* Kafka: clusters, topics, and a consumer that starts where its owner says. The only room that includes rdkafka.h.
 *
 * A consumer belongs to a group only to share partitions out: where a partition starts is asked of the owner (`assigned`), which
 * knows it from the table. Offsets committed to the group are for lag displays alone (firn_kafka_consumer_mark). Only committed
 * records of transactions are read. An offset that the topic does not have is an error (OFFSET_GONE), never a jump.
 *
 * Threads: a consumer belongs to the thread that polls it; callbacks run inside poll and free. A firn_kafka may be shared.
 * Errors: UNAVAILABLE (brokers that stay away; retriable, and librdkafka goes on trying), PERMISSION (login, or what it may read),
 * NOT_FOUND (topic), OFFSET_GONE (firn_kafka_last_gap says how), CORRUPT (a batch of messages fails its checksum), CONFIG, INVALID
 * (a pattern that does not parse).
 */
#ifndef SOURCE_KAFKA_H
#define SOURCE_KAFKA_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* How to reach a cluster. Texts nullable but for brokers; secrets appear in no message. */
typedef struct firn_kafka_options {
    const char *brokers;   /* "host:9092,host:9092" */
    const char *security;  /* plaintext (NULL), ssl, sasl_plaintext, sasl_ssl */
    const char *mechanism; /* PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER */
    const char *username, *password;
    const char *ca_file, *cert_file, *key_file, *key_password;
    const char *oauth_url, *oauth_client, *oauth_secret, *oauth_scope; /* OAUTHBEARER by OIDC */
    const json_t *properties; /* object of librdkafka's own settings; they win; nullable */
    const char *client_id;    /* NULL: "firn" */
} firn_kafka_options;

typedef struct firn_kafka firn_kafka;
typedef struct firn_kafka_consumer firn_kafka_consumer;

/* Checks the settings; connects to nothing yet. */
firn_rc firn_kafka_new(const firn_kafka_options *options, firn_kafka **out,
                       firn_err *err) FIRN_MUST_USE;
void firn_kafka_free(firn_kafka *kafka); /* after its consumers and their batches; NULL is fine */

typedef struct firn_kafka_partition {
    const char *topic;
    int32_t partition;
    int64_t low, high; /* first offset there is, offset behind the last one; -1: not known */
    int64_t offset;    /* meaning by use */
} firn_kafka_partition;

/* Topics whose names fulfil one of `patterns` ("orders", "^shop\\..*"), sorted, with every partition's low and high. NOT_FOUND for a
 * name that is none; a pattern may match nothing. Patterns are POSIX extended regular expressions and match whole names. */
firn_rc firn_kafka_partitions(firn_kafka *kafka, firn_arena *arena, const char *const *patterns,
                              size_t n, firn_kafka_partition **out, size_t *n_out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_kafka_cluster_id(firn_kafka *kafka, firn_arena *arena, const char **out,
                              firn_err *err) FIRN_MUST_USE;
/* What the group has committed for these partitions: fills `offset` (-1: nothing). */
firn_rc firn_kafka_committed(firn_kafka *kafka, const char *group, firn_kafka_partition *partitions,
                             size_t n, firn_err *err) FIRN_MUST_USE;
/* Offset of the first record at or after a time: fills `offset` (high when there is none). */
firn_rc firn_kafka_offsets_at(firn_kafka *kafka, int64_t timestamp_ms,
                              firn_kafka_partition *partitions, size_t n,
                              firn_err *err) FIRN_MUST_USE;

typedef struct firn_kafka_header {
    const char *name;
    firn_bytes value; /* data NULL: null */
} firn_kafka_header;

/* Borrowed from the batch that holds it. */
typedef struct firn_kafka_message {
    const char *topic; /* the same pointer for all messages of a topic, for the consumer's life */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;  /* -1: none */
    firn_bytes key, value; /* data NULL: null (a tombstone) */
    void *handle;          /* of firn_kafka_headers */
} firn_kafka_message;

typedef struct firn_kafka_batch {
    firn_kafka_message *messages;
    size_t n;
    void *handle;
} firn_kafka_batch;
void firn_kafka_batch_free(firn_kafka_batch *batch); /* any thread */
/* The headers of a message; *n 0 when it has none. */
firn_rc firn_kafka_headers(const firn_kafka_message *message, firn_arena *arena,
                           firn_kafka_header **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* A look: up to `each` records of each partition from its `offset` on, to `high` at most; what has come when the time is over. Joins no
 * group. `topic` of the messages is that of `partitions`. The caller frees the batch. */
firn_rc firn_kafka_sample(firn_kafka *kafka, const firn_kafka_partition *partitions, size_t n,
                          size_t each, int timeout_ms, firn_kafka_batch *out,
                          firn_err *err) FIRN_MUST_USE;

typedef struct firn_kafka_consumer_options {
    const char *group;
    const char *const *topics; /* names, or patterns that start with ^ */
    size_t n_topics;
    size_t queue_bytes; /* fetched and not yet polled, at most; 0: 16 MiB */
    /* Partitions were given to us, with what they hold: set each one's `offset` to where it starts. When this fails, poll says so
     * and asks again at its next calls; nothing of them comes until it succeeds. */
    firn_rc (*assigned)(void *ctx, firn_kafka_partition *partitions, size_t n, firn_err *err);
    /* Partitions are being taken away, `offset` being the next that would have been polled; nullable. `lost`: they are another's already, nothing of them can be committed any more. */
    void (*revoked)(void *ctx, const firn_kafka_partition *partitions, size_t n, bool lost);
    void *ctx;
} firn_kafka_consumer_options;

firn_rc firn_kafka_consumer_new(firn_kafka *kafka, const firn_kafka_consumer_options *options,
                                firn_kafka_consumer **out, firn_err *err) FIRN_MUST_USE;
/* Leaves the group; `revoked` hears of what was assigned. Batches may be freed later. NULL is fine. */
void firn_kafka_consumer_free(firn_kafka_consumer *consumer);
/* Up to `max` messages: what is there at once, else what comes first within timeout_ms; an empty batch is no error. Of a partition
 * they come in order, each once since its last assignment or seek. After an error the consumer goes on at the next call. Must be called at least every few minutes, also when nothing
 * is wanted (all partitions paused). The caller frees the batch. */
firn_rc firn_kafka_poll(firn_kafka_consumer *consumer, size_t max, int timeout_ms,
                        firn_kafka_batch *out, firn_err *err) FIRN_MUST_USE;
/* What is assigned now, `offset` being the next to be polled; low and high as of the last fetch (-1: none yet), without asking. */
firn_rc firn_kafka_assignment(firn_kafka_consumer *consumer, firn_arena *arena,
                              firn_kafka_partition **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* Go on from each partition's `offset`: what was fetched is thrown away. Partitions that are not ours any more are left out. */
firn_rc firn_kafka_seek(firn_kafka_consumer *consumer, const firn_kafka_partition *partitions,
                        size_t n, firn_err *err) FIRN_MUST_USE;
/* Stop and go on handing out messages (backpressure): fetching stops when queue_bytes are there, nothing is fetched twice, and poll
 * goes on serving the group. */
firn_rc firn_kafka_pause(firn_kafka_consumer *consumer, bool pause, firn_err *err) FIRN_MUST_USE;
/* Tell the group how far we are, without waiting: for other people's lag displays. Errors are logged. */
void firn_kafka_consumer_mark(firn_kafka_consumer *consumer, const firn_kafka_partition *partitions,
                              size_t n);
/* After OFFSET_GONE: which partition, and what it has. */
typedef struct firn_kafka_gap {
    firn_kafka_partition at; /* low and high of the topic; offset: what was asked for */
} firn_kafka_gap;
bool firn_kafka_last_gap(const firn_kafka_consumer *consumer, firn_kafka_gap *out);

#endif
