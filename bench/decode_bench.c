/* How fast Kafka messages become columns, by the time that one core spends on it: Avro in the registry's frame (4 columns,
 * 40 bytes; 30 columns), with _key and _kafka; raw Avro; JSON (the small event of events.h); bytes.
 *
 * Usage: decode_bench [MESSAGES]
 */
#include "events.h"

#include "format/avro_codec.h"
#include "net/http_server.h"
#include "source/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 10000, ROUNDS = 5, WIDE_COLUMNS = 30, MESSAGE_BYTES_MAX = 1024 };

static const char *const event_schema =
    "{\"type\":\"record\",\"name\":\"event\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"category\",\"type\":\"string\"},"
    "{\"name\":\"value\",\"type\":[\"null\",\"double\"]},{\"name\":\"ts\",\"type\":"
    "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}]}";

typedef struct messages {
    firn_kafka_message items[BATCH];
    uint8_t (*bytes)[MESSAGE_BYTES_MAX];
    size_t total;
} messages;

static void fatal(const firn_err *err)
{
    fprintf(stderr, "decode_bench: %s\n", err->message);
    exit(1);
}

static void bad(void *ctx, const firn_kafka_message *message, const firn_err *why)
{
    (void)ctx, (void)message;
    fatal(why);
}

/* ---- schemas: a registry of one schema -------------------------------------------------------- */

static const char *schema_text;

static void answer(void *ctx, const firn_http_request *request, firn_http_response *response)
{
    (void)ctx;
    json_t *json = json_pack("{s:s}", "schema", schema_text);
    response->body = firn_bytes_str(firn_json_text(request->arena, json));
    json_decref(json);
}

static const char *wide_schema(firn_arena *arena)
{
    firn_buf text = {0};
    firn_buf_puts(&text, "{\"type\":\"record\",\"name\":\"wide\",\"fields\":[");
    for (int i = 0; i < WIDE_COLUMNS; i++) {
        static const char *const types[] = {"\"long\"",    "[\"null\",\"string\"]",
                                            "\"double\"",  "\"int\"",
                                            "\"boolean\"", "[\"null\",\"long\"]"};
        firn_buf_printf(&text, "%s{\"name\":\"c%d\",\"type\":%s}", i > 0 ? "," : "", i,
                        types[i % 6]);
    }
    firn_buf_puts(&text, "]}");
    const char *copy = firn_arena_strdup(arena, firn_buf_cstr(&text));
    firn_buf_deinit(&text);
    return copy;
}

/* ---- messages --------------------------------------------------------------------------------- */

static void put_event(firn_buf *buf, int64_t i)
{
    char category[32];
    snprintf(category, sizeof category, "category-%06lld", (long long)(i * 7919 % 1000));
    firn_avro_put_long(buf, i);
    firn_avro_put_string(buf, category);
    firn_avro_put_long(buf, 1);
    firn_avro_put_double(buf, (double)i * 0.01);
    firn_avro_put_long(buf, 1700000000000 + i);
}

static void put_wide(firn_buf *buf, int64_t i)
{
    for (int c = 0; c < WIDE_COLUMNS; c++) {
        switch (c % 6) {
        case 0: firn_avro_put_long(buf, i * 1000); break;
        case 1:
            firn_avro_put_long(buf, 1);
            firn_avro_put_string(buf, "some text");
            break;
        case 2: firn_avro_put_double(buf, (double)i); break;
        case 3: firn_avro_put_long(buf, i % 1000); break;
        case 4: firn_avro_put_boolean(buf, i & 1); break;
        default: firn_avro_put_long(buf, 0); break;
        }
    }
}

static void put_json(firn_buf *buf, int64_t i)
{
    event e = event_of(42, (uint64_t)i, 1790000000000000 + i * 1000);
    event_json(buf, EVENT_SMALL, &e);
}

static void make_messages(messages *m, void (*put)(firn_buf *buf, int64_t i), bool framed)
{
    m->total = 0;
    for (int64_t i = 0; i < BATCH; i++) {
        FIRN_AUTO_BUF firn_buf buf = {0};
        if (framed)
            firn_buf_append(&buf, "\0\0\0\0\1", 5);
        put(&buf, i);
        if (buf.len > MESSAGE_BYTES_MAX)
            abort();
        memcpy(m->bytes[i], buf.data, buf.len);
        m->items[i] = (firn_kafka_message){
            .topic = "events",
            .partition = (int32_t)(i % 16),
            .offset = i,
            .timestamp_ms = 1700000000000 + i,
            .key = firn_bytes_of(m->bytes[i] + 5, 8),
            .value = firn_bytes_of(m->bytes[i], buf.len),
        };
        m->total += buf.len;
    }
}

/* ---- measuring -------------------------------------------------------------------------------- */

static int64_t core_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void run(const char *what, const messages *m, firn_decoder_options options, int64_t n)
{
    firn_decoder *decoder;
    firn_err err;
    if (firn_decoder_new(&options, &decoder, &err) != FIRN_OK)
        fatal(&err);
    int64_t best_us = INT64_MAX, done = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = core_us();
        for (done = 0; done < n; done += BATCH) {
            size_t taken;
            if (firn_decoder_add(decoder, m->items, BATCH, bad, NULL, &taken, &err) != FIRN_OK)
                fatal(&err);
            if (done % (50 * BATCH) == 0) { /* as often as a busy feed hands over */
                firn_chunk *chunks;
                size_t n_chunks;
                firn_decoder_take(decoder, &chunks, &n_chunks);
                firn_chunks_free(chunks, n_chunks);
            }
        }
        int64_t took_us = core_us() - start;
        best_us = took_us < best_us ? took_us : best_us;
    }
    printf("%-44s %8.2f M messages/s %8.0f MB/s %8.0f ns each\n", what,
           (double)done / (double)best_us,
           (double)m->total * (double)(done / BATCH) / (double)best_us,
           (double)best_us * 1000 / (double)done);
    firn_decoder_free(decoder);
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 2000000;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err;
    firn_http_server *server;
    firn_http_server_options listen = {.listen = "127.0.0.1:0", .handle = answer};
    if (firn_http_server_start(&listen, &server, &err) != FIRN_OK)
        fatal(&err);
    firn_registry_options where = {
        .url = firn_arena_printf(arena, "http://%s", firn_http_server_address(server))};
    firn_registry *events = NULL, *wides = NULL;
    if (firn_registry_new(&where, &events, &err) != FIRN_OK ||
        firn_registry_new(&where, &wides, &err) != FIRN_OK)
        fatal(&err);
    messages *m = firn_calloc(1, sizeof *m);
    m->bytes = firn_calloc(BATCH, sizeof *m->bytes);

    const firn_payload_options avro = {.payload = FIRN_PAYLOAD_AVRO};
    const firn_payload_options bytes = {.payload = FIRN_PAYLOAD_BYTES};
    schema_text = event_schema;
    make_messages(m, put_event, true);
    run("Avro, 4 columns", m, (firn_decoder_options){.registry = events, .value = avro}, n);
    run("Avro, 4 columns, _kafka", m,
        (firn_decoder_options){.registry = events, .value = avro, .with_metadata = true}, n);
    run("Avro, 4 columns, _key, _kafka", m,
        (firn_decoder_options){
            .registry = events, .value = avro, .key = bytes, .with_metadata = true},
        n);
    make_messages(m, put_event, false);
    run("raw Avro, 4 columns", m,
        (firn_decoder_options){.value = {.payload = FIRN_PAYLOAD_AVRO_RAW, .schema = event_schema}},
        n);
    make_messages(m, put_json, false);
    const firn_payload_options json = {.payload = FIRN_PAYLOAD_JSON,
                                       .schema = "id varchar, category varchar, value double, ts "
                                                 "timestamptz"};
    run("JSON, 4 columns", m, (firn_decoder_options){.value = json}, n);
    run("JSON, 4 columns, _kafka", m, (firn_decoder_options){.value = json, .with_metadata = true},
        n);
    run("bytes", m, (firn_decoder_options){.value = bytes}, n);
    schema_text = wide_schema(arena);
    make_messages(m, put_wide, true);
    run("Avro, 30 columns", m, (firn_decoder_options){.registry = wides, .value = avro}, n / 4);

    free(m->bytes);
    free(m);
    firn_registry_free(events);
    firn_registry_free(wides);
    firn_http_server_stop(server, 0);
    return 0;
}
