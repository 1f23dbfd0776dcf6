/* How fast Protobuf messages become columns: small Kafka-like events, the same with nothing set, wide ones, and ones with lists and a
 * nested message.
 *
 * Usage: proto_bench [MESSAGES]
 */
#include "base/arena.h"
#include "base/time.h"
#include "format/protobuf.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH_MESSAGES = 10000, ROUNDS = 5, WIDE_FIELDS = 30 };

static void fatal(const firn_err *err)
{
    fprintf(stderr, "proto_bench: %s\n", err->message);
    exit(1);
}

static void put_varint(firn_buf *buf, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        firn_buf_putc(buf, (uint8_t)(value | 0x80));
    firn_buf_putc(buf, (uint8_t)value);
}

static void put_number(firn_buf *buf, uint32_t field, uint64_t value)
{
    put_varint(buf, field << 3);
    put_varint(buf, value);
}

static void put_text(firn_buf *buf, uint32_t field, const void *data, size_t len)
{
    put_varint(buf, field << 3 | 2);
    put_varint(buf, len);
    firn_buf_append(buf, data, len);
}

static const char *const event_schema =
    "syntax = \"proto3\"; message Event { int64 id = 1; string user = 2; double amount = 3;"
    " int64 ts = 4; optional string note = 5; bool ok = 6; }";

static void put_event(firn_buf *buf, int64_t i)
{
    char user[32];
    double amount = (double)i * 0.01;
    snprintf(user, sizeof user, "customer-%06lld", (long long)(i * 7919 % 1000000));
    put_number(buf, 1, (uint64_t)i);
    put_text(buf, 2, user, strlen(user));
    firn_buf_putc(buf, 3 << 3 | 1);
    firn_buf_append(buf, &amount, sizeof amount);
    put_number(buf, 4, 1700000000000000u + (uint64_t)i * 1000);
    if (i % 4 == 0)
        put_text(buf, 5, "a short note", 12);
    if (i & 1)
        put_number(buf, 6, 1);
}

static void put_nothing(firn_buf *buf, int64_t i)
{
    (void)buf;
    (void)i;
}

static void put_wide(firn_buf *buf, int64_t i)
{
    for (uint32_t field = 1; field <= WIDE_FIELDS; field++) {
        if (field % 3 == 0)
            put_text(buf, field, "some words of text", 18);
        else
            put_number(buf, field, (uint64_t)i * field);
    }
}

static char *wide_schema(firn_arena *arena)
{
    char *text = firn_arena_strdup(arena, "syntax = \"proto3\"; message Wide {");
    for (int field = 1; field <= WIDE_FIELDS; field++) {
        text = firn_arena_printf(arena, "%s %s f%d = %d;", text,
                                 field % 3 == 0 ? "string" : "int64", field, field);
    }
    return firn_arena_printf(arena, "%s }", text);
}

static const char *const order_schema =
    "syntax = \"proto3\"; message Order { message Item { string sku = 1; int32 count = 2;"
    " double price = 3; } int64 id = 1; Item first = 2; repeated Item items = 3;"
    " repeated int32 marks = 4; map<string, string> labels = 5; }";

static void put_order(firn_buf *buf, int64_t i)
{
    static const uint8_t item[] = {0x0A, 5, 'a', 'b', 'c', 'd', 'e', 0x10, 3,
                                   0x19, 0, 0,   0,   0,   0,   0,   0xF0, 0x3F};
    static const uint8_t marks[] = {1, 2, 3, 4, 5, 6};
    static const uint8_t label[] = {0x0A, 4, 'n', 'a', 'm', 'e', 0x12, 5, 'v', 'a', 'l', 'u', 'e'};
    put_number(buf, 1, (uint64_t)i);
    put_text(buf, 2, item, sizeof item);
    for (int j = 0; j < 3; j++)
        put_text(buf, 3, item, sizeof item);
    put_text(buf, 4, marks, sizeof marks);
    put_text(buf, 5, label, sizeof label);
}

static void bench(const char *what, const char *schema, void (*put)(firn_buf *buf, int64_t i),
                  int64_t messages)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_err err = {0};
    firn_proto_file *file;
    const firn_proto_message *type;
    firn_proto_decoder *decoder;
    if (firn_proto_parse(arena, schema, NULL, 0, &file, &err) != FIRN_OK ||
        firn_proto_by_index(file, (int32_t[]){0}, 1, &type, &err) != FIRN_OK ||
        firn_proto_decoder_new(arena, type, NULL, &decoder, &err) != FIRN_OK)
        fatal(&err);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_proto_decoder_shape(decoder));
    size_t *ends = FIRN_NEW_N(arena, size_t, BATCH_MESSAGES + 1);
    for (int64_t i = 0; i < BATCH_MESSAGES; i++) {
        put(&buf, i);
        ends[i + 1] = buf.len;
    }

    int64_t best_us = INT64_MAX;
    int64_t done = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = firn_monotonic_us();
        for (done = 0; done < messages; done += BATCH_MESSAGES) {
            firn_avro_batch_clear(batch);
            for (int i = 0; i < BATCH_MESSAGES; i++) {
                firn_bytes message = firn_bytes_of(buf.data + ends[i], ends[i + 1] - ends[i]);
                if (firn_proto_decoder_decode(decoder, message, batch, &err) != FIRN_OK)
                    fatal(&err);
            }
        }
        int64_t took_us = firn_monotonic_us() - start;
        best_us = took_us < best_us ? took_us : best_us;
    }
    printf("%-44s %8.2f M messages/s %8.0f MB/s\n", what, (double)done / (double)best_us,
           (double)buf.len * (double)(done / BATCH_MESSAGES) / (double)best_us);
}

int main(int argc, char **argv)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t messages = argc > 1 ? atoll(argv[1]) : 1000000;
    bench("events, six fields", event_schema, put_event, messages);
    bench("events, nothing set", event_schema, put_nothing, messages);
    bench("30 fields", wide_schema(arena), put_wide, messages / 5);
    bench("orders: messages, lists, a map", order_schema, put_order, messages / 5);
    return 0;
}
