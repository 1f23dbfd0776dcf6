/* How fast Avro records become columns: small Kafka-like records, and Iceberg manifest entries with statistics of
 * eight columns, whole and with only what planning reads.
 *
 * Usage: avro_bench [RECORDS]
 */
#include "base/arena.h"
#include "base/time.h"
#include "format/avro.h"

#include <stdio.h>
#include <stdlib.h>

enum { STATS_COLUMNS = 8, BATCH_RECORDS = 10000, ROUNDS = 5 };

static const char *const event_schema =
    "{\"type\":\"record\",\"name\":\"event\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"user\",\"type\":\"string\"},"
    "{\"name\":\"amount\",\"type\":\"double\"},{\"name\":\"ts\",\"type\":"
    "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"note\",\"type\":[\"null\",\"string\"]},{\"name\":\"ok\",\"type\":\"boolean\"}]}";

#define KV(name, value_type)                                                                     \
    "[\"null\",{\"type\":\"array\",\"logicalType\":\"map\",\"items\":{\"type\":\"record\","      \
    "\"name\":\"" name "\",\"fields\":[{\"name\":\"key\",\"type\":\"int\"},{\"name\":\"value\"," \
    "\"type\":\"" value_type "\"}]}}],\"default\":null"

#define ENTRY_HEAD                                                                                    \
    "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":["                                   \
    "{\"name\":\"status\",\"type\":\"int\"},{\"name\":\"snapshot_id\",\"type\":[\"null\",\"long\"]}," \
    "{\"name\":\"sequence_number\",\"type\":[\"null\",\"long\"]},"                                    \
    "{\"name\":\"data_file\",\"type\":{\"type\":\"record\",\"name\":\"r2\",\"fields\":["              \
    "{\"name\":\"file_path\",\"type\":\"string\"},{\"name\":\"file_format\",\"type\":\"string\"},"    \
    "{\"name\":\"partition\",\"type\":{\"type\":\"record\",\"name\":\"r102\",\"fields\":["            \
    "{\"name\":\"day\",\"type\":[\"null\",\"int\"]}]}},"                                              \
    "{\"name\":\"record_count\",\"type\":\"long\"},{\"name\":\"file_size_in_bytes\",\"type\":\"long\"}"

static const char *const entry_schema = ENTRY_HEAD
    ",{\"name\":\"column_sizes\",\"type\":" KV("k1", "long") "},{\"name\":\"value_counts\",\"type\":" KV("k2", "long") "},{\"name\":\"null_value_counts\",\"type\":" KV(
        "k3",
        "long") "},{\"name\":\"lower_bounds\",\"type\":" KV("k4",
                                                            "bytes") "},{\"name\":\"upper_bounds\",\"type\":" KV("k5",
                                                                                                                 "bytes") "}]}}]}";

static const char *const entry_head_schema = ENTRY_HEAD "]}}]}";

static void fatal(const firn_err *err)
{
    fprintf(stderr, "avro_bench: %s\n", err->message);
    exit(1);
}

static void put_event(firn_buf *buf, int64_t i)
{
    char user[32];
    snprintf(user, sizeof user, "customer-%06lld", (long long)(i * 7919 % 1000000));
    firn_avro_put_long(buf, i);
    firn_avro_put_string(buf, user);
    firn_avro_put_double(buf, (double)i * 0.01);
    firn_avro_put_long(buf, 1700000000000000 + i * 1000);
    firn_avro_put_long(buf, i % 4 == 0);
    if (i % 4 == 0)
        firn_avro_put_string(buf, "a short note");
    firn_avro_put_boolean(buf, i & 1);
}

static void put_map(firn_buf *buf, int64_t i, bool bytes)
{
    firn_avro_put_long(buf, 1);
    firn_avro_put_long(buf, STATS_COLUMNS);
    for (int column = 1; column <= STATS_COLUMNS; column++) {
        firn_avro_put_long(buf, column);
        if (bytes)
            firn_avro_put_bytes(buf, firn_bytes_of(&i, sizeof i));
        else
            firn_avro_put_long(buf, i * column);
    }
    firn_avro_put_long(buf, 0);
}

static void put_entry(firn_buf *buf, int64_t i)
{
    char path[128];
    snprintf(path, sizeof path,
             "s3://bucket/warehouse/db/orders/data/day=%lld/00000-%lld-3fc2.parquet",
             (long long)(i % 365), (long long)i);
    firn_avro_put_long(buf, 1);
    firn_avro_put_long(buf, 1);
    firn_avro_put_long(buf, 7312000000000000000 + i);
    firn_avro_put_long(buf, 0);
    firn_avro_put_string(buf, path);
    firn_avro_put_string(buf, "PARQUET");
    firn_avro_put_long(buf, 1);
    firn_avro_put_long(buf, 19000 + i % 365);
    firn_avro_put_long(buf, 100000 + i);
    firn_avro_put_long(buf, 5000000 + i);
    for (int map = 0; map < 5; map++)
        put_map(buf, i, map >= 3);
}

static void bench(const char *what, const char *writer_text, const char *reader_text,
                  void (*put)(firn_buf *buf, int64_t i), int64_t records)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_err err = {0};
    const firn_avro_schema *writer, *reader = NULL;
    firn_avro_decoder *decoder;
    if (firn_avro_schema_parse(arena, firn_bytes_str(writer_text), "bench", &writer, &err) !=
        FIRN_OK)
        fatal(&err);
    if (reader_text && firn_avro_schema_parse(arena, firn_bytes_str(reader_text), "bench", &reader,
                                              &err) != FIRN_OK)
        fatal(&err);
    if (firn_avro_decoder_new(arena, writer, reader, NULL, &decoder, &err) != FIRN_OK)
        fatal(&err);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch = firn_avro_batch_new(decoder);
    for (int64_t i = 0; i < BATCH_RECORDS; i++)
        put(&buf, i);

    int64_t best_us = INT64_MAX;
    int64_t done = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = firn_monotonic_us();
        for (done = 0; done < records; done += BATCH_RECORDS) {
            firn_avro_batch_clear(batch);
            if (firn_avro_decoder_decode(decoder, firn_buf_bytes(&buf), BATCH_RECORDS, batch,
                                         &err) != FIRN_OK)
                fatal(&err);
        }
        int64_t took_us = firn_monotonic_us() - start;
        best_us = took_us < best_us ? took_us : best_us;
    }
    printf("%-44s %8.2f M records/s %8.0f MB/s\n", what, (double)done / (double)best_us,
           (double)buf.len * (double)(done / BATCH_RECORDS) / (double)best_us);
}

int main(int argc, char **argv)
{
    int64_t records = argc > 1 ? atoll(argv[1]) : 1000000;
    bench("events, six fields", event_schema, NULL, put_event, records);
    bench("manifest entries, with statistics", entry_schema, NULL, put_entry, records / 10);
    bench("manifest entries, statistics skipped", entry_schema, entry_head_schema, put_entry,
          records / 10);
    return 0;
}
