/* How fast JSON documents become columns, by the core's time, beside the same events in Avro: the small and the wide event of events.h, a schema that
 * takes five of thirty members, members in another order than the schema's, and events that leave out what is null.
 *
 * Usage: json_bench [EVENTS [CASE]]    CASE: only those in whose names this is
 */
#include "events.h"

#include "base/arena.h"
#include "format/avro.h"
#include "format/json_columns.h"

#include <stdlib.h>
#include <time.h>

enum { BATCH_EVENTS = 10000, ROUNDS = 5 };

static const char *const five_of_thirty =
    "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"user_id\",\"type\":\"long\"},"
    "{\"name\":\"page\",\"type\":\"string\"},{\"name\":\"total\",\"type\":\"double\"},"
    "{\"name\":\"paid\",\"type\":\"boolean\"},{\"name\":\"event_time\",\"type\":"
    "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}]}";

static const char *const another_order =
    "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"ts\",\"type\":"
    "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"value\",\"type\":[\"null\",\"double\"]},"
    "{\"name\":\"category\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"id\",\"type\":[\"null\",\"string\"]}]}";

static int64_t core_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fatal(const firn_err *err)
{
    fprintf(stderr, "json_bench: %s\n", err->message);
    exit(1);
}

static const firn_avro_schema *parse_schema(firn_arena *arena, const char *text)
{
    firn_err err;
    const firn_avro_schema *schema;
    if (firn_avro_schema_parse(arena, firn_bytes_str(text), "bench", &schema, &err) != FIRN_OK)
        fatal(&err);
    return schema;
}

typedef struct texts {
    firn_buf buf;
    size_t ends[BATCH_EVENTS];
} texts;

/* As writers that leave out what is null have it. */
static void put_without_nulls(firn_buf *out, const event *e)
{
    FIRN_AUTO_BUF firn_buf whole = {0};
    event_json(&whole, EVENT_WIDE, e);
    const char *at = firn_buf_cstr(&whole), *null;
    while ((null = strstr(at, ":null"))) {
        const char *comma = null;
        while (*comma != ',')
            comma--;
        firn_buf_append(out, at, (size_t)(comma - at));
        at = null + strlen(":null");
    }
    firn_buf_puts(out, at);
}

static void make_texts(texts *out, event_kind kind, bool json, bool nulls)
{
    for (int i = 0; i < BATCH_EVENTS; i++) {
        event e = event_of(42, (uint64_t)i, 1790000000000000 + i * 1000);
        if (json && !nulls)
            put_without_nulls(&out->buf, &e);
        else if (json)
            event_json(&out->buf, kind, &e);
        else
            event_avro(&out->buf, kind, &e);
        out->ends[i] = out->buf.len;
    }
}

static void decode_json(const firn_json_decoder *decoder, const texts *input,
                        firn_avro_batch *batch)
{
    firn_err err;
    size_t from = 0;
    for (int i = 0; i < BATCH_EVENTS; i++) {
        firn_bytes text = firn_bytes_of(input->buf.data + from, input->ends[i] - from);
        if (firn_json_decoder_decode(decoder, text, batch, NULL, &err) != FIRN_OK)
            fatal(&err);
        from = input->ends[i];
    }
}

/* Record by record, as messages come. */
static void decode_avro(const firn_avro_decoder *decoder, const texts *input,
                        firn_avro_batch *batch)
{
    firn_err err;
    size_t from = 0;
    for (int i = 0; i < BATCH_EVENTS; i++) {
        firn_bytes data = firn_bytes_of(input->buf.data + from, input->ends[i] - from);
        if (firn_avro_decoder_decode(decoder, data, 1, batch, &err) != FIRN_OK)
            fatal(&err);
        from = input->ends[i];
    }
}

static const char *wanted = "";

static void bench(const char *what, event_kind kind, const char *schema_text, bool json, bool nulls,
                  int64_t events)
{
    if (!strstr(what, wanted))
        return;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err;
    texts *input = FIRN_NEW(arena, texts);
    firn_json_decoder *decoder = NULL;
    firn_avro_decoder *avro = NULL;
    const firn_avro_schema *schema = parse_schema(arena, schema_text);
    make_texts(input, kind, json, nulls);
    if (json && firn_json_decoder_new(arena, schema, NULL, &decoder, &err) != FIRN_OK)
        fatal(&err);
    if (!json && firn_avro_decoder_new(arena, schema, NULL, NULL, &avro, &err) != FIRN_OK)
        fatal(&err);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(json ? firn_json_decoder_shape(decoder) : avro);

    int64_t best_us = INT64_MAX, done = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = core_us();
        for (done = 0; done < events; done += BATCH_EVENTS) {
            firn_avro_batch_clear(batch);
            if (json)
                decode_json(decoder, input, batch);
            else
                decode_avro(avro, input, batch);
        }
        int64_t took_us = core_us() - start;
        best_us = took_us < best_us ? took_us : best_us;
    }
    printf("%-40s %5.0f B %8.2f M events/s %8.0f MB/s %8.0f ns each\n", what,
           (double)input->buf.len / BATCH_EVENTS, (double)done / (double)best_us,
           (double)input->buf.len * (double)(done / BATCH_EVENTS) / (double)best_us,
           (double)best_us * 1000 / (double)done);
    firn_buf_deinit(&input->buf);
}

int main(int argc, char **argv)
{
    int64_t events = argc > 1 ? atoll(argv[1]) : 1000000;
    wanted = argc > 2 ? argv[2] : wanted;
    bench("JSON, 4 columns", EVENT_SMALL, event_schemas[EVENT_SMALL], true, true, events);
    bench("JSON, 4 columns in another order", EVENT_SMALL, another_order, true, true, events);
    bench("JSON, 30 columns", EVENT_WIDE, event_schemas[EVENT_WIDE], true, true, events / 4);
    bench("JSON, 30 columns, no nulls", EVENT_WIDE, event_schemas[EVENT_WIDE], true, false,
          events / 4);
    bench("JSON, 5 of 30 columns", EVENT_WIDE, five_of_thirty, true, true, events / 4);
    bench("Avro, 4 columns", EVENT_SMALL, event_schemas[EVENT_SMALL], false, true, events);
    bench("Avro, 30 columns", EVENT_WIDE, event_schemas[EVENT_WIDE], false, true, events / 4);
    return 0;
}
