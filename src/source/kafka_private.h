/* What the files of Kafka share: settings, librdkafka handles, the mapping of its errors. */
#ifndef SOURCE_KAFKA_PRIVATE_H
#define SOURCE_KAFKA_PRIVATE_H

#include "source/kafka.h"

#include "base/vec.h"

#include <librdkafka/rdkafka.h>

#include <pthread.h>
#include <stdatomic.h>

typedef struct firn_kafka_oauth firn_kafka_oauth;

/* The last thing that a client said about its connections; what a timeout is explained with. */
typedef struct firn_kafka_trouble {
    rd_kafka_resp_err_t code; /* NO_ERROR: none */
    int64_t since_us;         /* monotonic */
    char text[512];
} firn_kafka_trouble;

/* What callbacks of librdkafka get. Lives as long as the client. */
typedef struct firn_kafka_opaque {
    firn_kafka *kafka;
    firn_kafka_trouble *trouble;
    void *owner; /* the consumer; nullable */
} firn_kafka_opaque;

struct firn_kafka {
    firn_arena *arena;
    firn_kafka_options options; /* copied */
    firn_kafka_oauth *oauth;    /* NULL: tokens are not asked for */
    pthread_mutex_t lock;       /* of what follows */
    rd_kafka_t *rk;             /* for questions; made at the first */
    firn_kafka_trouble trouble; /* of `rk` */
    firn_kafka_opaque opaque;
};

/* ---- kafka_conf.c: settings -------------------------------------------------------------------------------- */
/* Everything that reaching the cluster needs. The caller frees, or hands it to rd_kafka_new. */
firn_rc firn_kafka_conf(firn_kafka *kafka, rd_kafka_conf_t **out, firn_err *err) FIRN_MUST_USE;
/* A default that the user's properties win over. */
firn_rc firn_kafka_conf_default(const firn_kafka *kafka, rd_kafka_conf_t *conf, const char *name,
                                const char *value, firn_err *err) FIRN_MUST_USE;
/* A setting that nothing wins over. */
firn_rc firn_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                            firn_err *err) FIRN_MUST_USE;
/* What a handle's setting is, whoever set it; "" when nobody did. */
const char *firn_kafka_conf_get(rd_kafka_t *rk, firn_arena *arena, const char *name);
/* CONFIG for a property that would break what the consumer promises. */
firn_rc firn_kafka_check_properties(const json_t *properties, firn_err *err) FIRN_MUST_USE;

/* ---- kafka_oauth.c: tokens for OAUTHBEARER ----------------------------------------------------------------- */
firn_rc firn_kafka_oauth_new(const firn_kafka_options *options, firn_kafka_oauth **out,
                             firn_err *err) FIRN_MUST_USE;
void firn_kafka_oauth_free(firn_kafka_oauth *oauth);
void firn_kafka_oauth_refresh(firn_kafka_oauth *oauth, rd_kafka_t *rk);

/* ---- kafka.c: handles and questions ------------------------------------------------------------------------ */
/* Takes `conf`, also on failure. */
firn_rc firn_kafka_handle(rd_kafka_conf_t *conf, firn_kafka_opaque *opaque, rd_kafka_t **out,
                          firn_err *err) FIRN_MUST_USE;
/* With their offsets. The caller destroys it. */
rd_kafka_topic_partition_list_t *firn_kafka_list(const firn_kafka_partition *partitions, size_t n);
/* A pattern ("^...") as librdkafka and regcomp take it. */
char *firn_kafka_pattern(firn_arena *arena, const char *pattern);
firn_rc firn_kafka_rc(rd_kafka_resp_err_t code);
/* Remember what an error callback said. A refused login is not overwritten by its consequences. */
void firn_kafka_trouble_note(firn_kafka_trouble *trouble, rd_kafka_resp_err_t code,
                             const char *reason);
/* Fails with "what: why", why being `code`, or the trouble behind it. */
firn_rc firn_kafka_fail(const firn_kafka *kafka, const firn_kafka_trouble *trouble,
                        rd_kafka_resp_err_t code, const char *what, firn_err *err);
/* low and high of each, by one question per leader. */
firn_rc firn_kafka_watermarks(const firn_kafka *kafka, rd_kafka_t *rk,
                              firn_kafka_partition *partitions, size_t n,
                              firn_err *err) FIRN_MUST_USE;

/* ---- kafka_messages.c: clients that hand messages out ------------------------------------------------------- */
/* What messages need after their consumer is gone. */
typedef struct firn_kafka_client {
    rd_kafka_t *rk;
    rd_kafka_queue_t *data; /* messages come here */
    atomic_size_t refs;     /* its maker, and each batch */
    firn_kafka_opaque opaque;
    firn_kafka_trouble trouble;
} firn_kafka_client;

/* Takes `conf`, also on failure. */
firn_rc firn_kafka_client_new(firn_kafka *kafka, rd_kafka_conf_t *conf, void *owner,
                              firn_kafka_client **out, firn_err *err) FIRN_MUST_USE;
void firn_kafka_client_unref(firn_kafka_client *client);
firn_kafka_message firn_kafka_message_of(const rd_kafka_message_t *message, const char *topic);
/* Room for n messages, and the batch of the first `n` of them (n 0: no batch). */
firn_kafka_message *firn_kafka_batch_new(size_t n);
void firn_kafka_batch_end(firn_kafka_client *client, firn_kafka_message *messages, size_t n,
                          firn_kafka_batch *out);

#endif
