/* Where the time of ingestion goes, without a broker: messages that lie in memory through the decoder (source/decode.h), and what it
 * gives into the data files of a table (engine/rows.h). CPU seconds of the process, all threads.
 *
 * Usage: ingest_bench LAKE [EVENTS]     LAKE is a folder that `firn init` made; its schema "bench" gets a table per case
 */
#include "events.h"

#include "engine/read.h"
#include "engine/rows.h"
#include "source/decode.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { BATCH_MESSAGES = 10000, ROUNDS = 3 };

typedef struct bench {
    firn_session *session;
    const char *name, *columns;
    event_kind event;
    bool avro;
    int64_t events;
} bench;

static void fatal(const firn_err *err)
{
    fprintf(stderr, "ingest_bench: %s\n", err->message);
    exit(1);
}

static void check(firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_OK)
        fatal(err);
}

static void refuse(void *ctx, const firn_kafka_message *message, const firn_err *why)
{
    (void)ctx;
    (void)message;
    fatal(why);
}

static double cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Every event another one, as in life: dictionaries must not look better than they are. */
static firn_kafka_message *make_messages(const bench *b, firn_buf *buf)
{
    firn_kafka_message *messages = firn_calloc((size_t)b->events, sizeof *messages);
    size_t *ends = firn_calloc((size_t)b->events, sizeof *ends);
    buf->max = (size_t)4 << 30;
    for (int64_t i = 0; i < b->events; i++) {
        event e = event_of(42, (uint64_t)i, 1795860000000000 + i * 1000);
        if (b->avro)
            event_avro(buf, b->event, &e);
        else
            event_json(buf, b->event, &e);
        ends[i] = buf->len;
    }
    for (int64_t i = 0; i < b->events; i++) {
        size_t from = i > 0 ? ends[i - 1] : 0;
        messages[i] =
            (firn_kafka_message){.topic = "events",
                                 .partition = (int32_t)(i % 16),
                                 .offset = i / 16,
                                 .timestamp_ms = 1795860000000,
                                 .value = firn_bytes_of(buf->data + from, ends[i] - from)};
    }
    free(ends);
    return messages;
}

static void write_chunks(const bench *b, const firn_metadata *metadata, const firn_chunk *chunks,
                         size_t n)
{
    firn_err err;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_rows *rows = FIRN_NEW_N(arena, firn_rows, n);
    for (size_t i = 0; i < n; i++)
        rows[i] = (firn_rows){
            .schema = &chunks[i].schema, .array = &chunks[i].array, .count = chunks[i].rows};
    const firn_rows_write write = {
        .rows = rows, .n_rows = n, .metadata = metadata, .table_text = b->name};
    firn_rows_written written;
    check(firn_rows_to_files(b->session, arena, &write, &written, &err), &err);
    firn_rows_discard(b->session, &written);
}

static void measure(const bench *b, const firn_metadata *metadata)
{
    firn_err err;
    firn_decoder *decoder;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_kafka_message *messages = make_messages(b, &buf);
    firn_decoder_options options = {
        .value = {.payload = b->avro ? FIRN_PAYLOAD_AVRO_RAW : FIRN_PAYLOAD_JSON,
                  .schema = b->avro ? event_schemas[b->event] : NULL},
        .chunk_bytes_max = (size_t)1 << 30,
    };
    check(firn_decoder_new(&options, &decoder, &err), &err);
    double decode_s = 0, write_s = 0, wall_s = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_s();
        for (int64_t done = 0; done < b->events; done += BATCH_MESSAGES) {
            size_t taken;
            check(firn_decoder_add(decoder, messages + done, BATCH_MESSAGES, refuse, NULL, &taken,
                                   &err),
                  &err);
        }
        firn_chunk *chunks;
        size_t n;
        firn_decoder_take(decoder, &chunks, &n);
        double decoded = cpu_s();
        int64_t begin_us = firn_monotonic_us();
        write_chunks(b, metadata, chunks, n);
        wall_s += (double)(firn_monotonic_us() - begin_us) / 1e6;
        decode_s += decoded - start;
        write_s += cpu_s() - decoded;
        firn_chunks_free(chunks, n);
    }
    firn_decoder_free(decoder);
    free(messages);
    double n = (double)b->events * ROUNDS, size = (double)buf.len / (double)b->events;
    printf("%-12s %5.0f B   decode %6.2f M/s %6.0f MB/s   write %6.2f M/s (%.2f M/s by the clock)"
           "   both %6.2f M/s\n",
           b->name, size, n / decode_s / 1e6, n * size / decode_s / 1e6, n / write_s / 1e6,
           n / wall_s / 1e6, n / (decode_s + write_s) / 1e6);
}

static void run(bench *b)
{
    firn_err err;
    firn_table table;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *const statements[] = {
        "CREATE SCHEMA IF NOT EXISTS bench",
        firn_arena_printf(arena, "DROP TABLE IF EXISTS bench.%s", b->name),
        firn_arena_printf(arena, "CREATE TABLE bench.%s (%s)%s", b->name, b->columns,
                          getenv("WITH") ? getenv("WITH") : ""),
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        check(firn_session_exec(b->session, statements[i], NULL, &err), &err);
    firn_ident ident = {.ns = "bench", .name = b->name};
    check(firn_session_load_table(b->session, arena, ident, &table, &err), &err);
    measure(b, table.metadata);
}

int main(int argc, char **argv)
{
    firn_err err;
    firn_lake *lake;
    firn_engine *engine;
    firn_session *session;
    if (argc < 2) {
        fprintf(stderr, "usage: ingest_bench LAKE [EVENTS]\n");
        return 2;
    }
    check(firn_lake_open(argv[1], &lake, &err), &err);
    check(firn_engine_open(lake, &engine, &err), &err);
    check(firn_session_new(engine, NULL, &session, &err), &err);
    bench cases[] = {
        {.name = "small_json", .columns = event_columns[EVENT_SMALL], .event = EVENT_SMALL},
        {.name = "small_avro",
         .columns = event_columns[EVENT_SMALL],
         .event = EVENT_SMALL,
         .avro = true},
        {.name = "wide_json", .columns = event_columns[EVENT_WIDE], .event = EVENT_WIDE},
        {.name = "wide_avro",
         .columns = event_columns[EVENT_WIDE],
         .event = EVENT_WIDE,
         .avro = true},
    };
    int64_t events =
        (argc > 2 ? atoll(argv[2]) : 1000000) / 4 / BATCH_MESSAGES * 4 * BATCH_MESSAGES;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cases[i].session = session;
        cases[i].events = cases[i].event == EVENT_WIDE ? events / 4 : events;
        run(&cases[i]);
    }
    firn_session_free(session);
    firn_engine_close(engine);
    firn_lake_close(lake);
    return 0;
}
