/* Messages without copies: a batch is one block that points into librdkafka's buffers.
 *
 * Each message holds on to the response it came in, and a client may only be destroyed after its last message. So batches count
 * as references of their client, and whoever frees the last one, on whatever thread, destroys it.
 */
#include "kafka_private.h"

#include <stdlib.h>

typedef struct block {
    firn_kafka_client *client;
    firn_kafka_message messages[];
} block;

static block *block_of(firn_kafka_message *messages)
{
    return (block *)(void *)((char *)messages - offsetof(block, messages));
}

firn_rc firn_kafka_client_new(firn_kafka *kafka, rd_kafka_conf_t *conf, void *owner,
                              firn_kafka_client **out, firn_err *err)
{
    firn_kafka_client *client = firn_calloc(1, sizeof(*client));
    client->opaque =
        (firn_kafka_opaque){.kafka = kafka, .trouble = &client->trouble, .owner = owner};
    firn_rc rc = firn_kafka_handle(conf, &client->opaque, &client->rk, err);
    if (rc != FIRN_OK) {
        free(client);
        return rc;
    }
    atomic_init(&client->refs, 1);
    client->data = rd_kafka_queue_new(client->rk);
    *out = client;
    return FIRN_OK;
}

void firn_kafka_client_unref(firn_kafka_client *client)
{
    if (atomic_fetch_sub(&client->refs, 1) == 1) {
        rd_kafka_queue_destroy(client->data);
        rd_kafka_destroy(client->rk);
        free(client);
    }
}

firn_kafka_message firn_kafka_message_of(const rd_kafka_message_t *message, const char *topic)
{
    rd_kafka_timestamp_type_t kind;
    return (firn_kafka_message){
        .topic = topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &kind),
        .key = {.data = message->key, .len = message->key_len},
        .value = {.data = message->payload, .len = message->len},
        .handle = (void *)(uintptr_t)message,
    };
}

firn_kafka_message *firn_kafka_batch_new(size_t n)
{
    block *b = firn_malloc(sizeof(*b) + firn_mul_size(n, sizeof(firn_kafka_message)));
    return b->messages;
}

void firn_kafka_batch_end(firn_kafka_client *client, firn_kafka_message *messages, size_t n,
                          firn_kafka_batch *out)
{
    block *b = block_of(messages);
    if (n == 0) {
        free(b);
        return;
    }
    b->client = client;
    atomic_fetch_add(&client->refs, 1);
    *out = (firn_kafka_batch){.messages = messages, .n = n, .handle = b};
}

void firn_kafka_batch_free(firn_kafka_batch *batch)
{
    block *b = batch->handle;
    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < batch->n; i++) {
        rd_kafka_message_destroy(b->messages[i].handle);
    }
    firn_kafka_client_unref(b->client);
    free(b);
    *batch = (firn_kafka_batch){0};
}

firn_rc firn_kafka_headers(const firn_kafka_message *message, firn_arena *arena,
                           firn_kafka_header **out, size_t *n, firn_err *err)
{
    *out = NULL;
    *n = 0;
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_resp_err_t code = rd_kafka_message_headers(message->handle, &headers);
    if (code == RD_KAFKA_RESP_ERR__NOENT) {
        return FIRN_OK;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "headers of %s [%d] at offset %lld: %s", message->topic,
                  (int)message->partition, (long long)message->offset, rd_kafka_err2str(code));
    }
    size_t count = rd_kafka_header_cnt(headers);
    *out = FIRN_NEW_N(arena, firn_kafka_header, count);
    for (; *n < count; (*n)++) {
        firn_kafka_header *h = &(*out)[*n];
        const void *value = NULL;
        size_t len = 0;
        if (rd_kafka_header_get_all(headers, *n, &h->name, &value, &len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            break;
        }
        h->value = (firn_bytes){.data = value, .len = len};
    }
    return FIRN_OK;
}
