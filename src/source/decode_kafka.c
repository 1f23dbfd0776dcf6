/* The column _kafka: where a record stood in Kafka. Headers, which few records have, make it an Avro record of our own making that is
 * decoded like any other; without them the columns are filled by hand, at a tenth of the price.
 *
 * Kafka allows several headers of one name, maps have each key once: the last one stays, which is the one that Kafka's own
 * lastHeader gives.
 */
#include "decode_private.h"
#include "format/avro_codec.h"

static const char SCHEMA[] =
    "{\"type\":\"record\",\"name\":\"kafka\",\"fields\":["
    "{\"name\":\"topic\",\"type\":\"string\"},"
    "{\"name\":\"partition\",\"type\":\"int\"},"
    "{\"name\":\"offset\",\"type\":\"long\"},"
    "{\"name\":\"timestamp\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}]},"
    "{\"name\":\"headers\",\"type\":[\"null\",{\"type\":\"map\",\"values\":[\"null\",\"bytes\"]}]}]}";

firn_rc firn_kafka_column_new(firn_arena *arena, const firn_avro_decoder **out, firn_err *err)
{
    const firn_avro_schema *schema;
    FIRN_TRY(firn_avro_schema_parse(arena, firn_bytes_str(SCHEMA), "_kafka", &schema, err));
    const firn_avro_decoder_opts opts = {.even_batches = true};
    firn_avro_decoder *decoder;
    FIRN_TRY(firn_avro_decoder_new(arena, schema, NULL, &opts, &decoder, err));
    *out = decoder;
    return FIRN_OK;
}

static bool comes_again(const firn_kafka_header *headers, size_t n, size_t i)
{
    for (size_t later = i + 1; later < n; later++) {
        if (firn_streq(headers[i].name, headers[later].name))
            return true;
    }
    return false;
}

static void put_headers(firn_buf *row, const firn_kafka_header *headers, size_t n)
{
    firn_avro_put_long(row, 1);
    for (size_t i = 0; i < n; i++) {
        if (comes_again(headers, n, i))
            continue;
        firn_avro_put_long(row, 1);
        firn_avro_put_string(row, headers[i].name);
        firn_avro_put_long(row, headers[i].value.data != NULL);
        if (headers[i].value.data)
            firn_avro_put_bytes(row, headers[i].value);
    }
    firn_avro_put_long(row, 0);
}

static firn_rc add_without_headers(const firn_kafka_message *message, firn_avro_batch *batch,
                                   firn_err *err)
{
    const firn_avro_cell cells[] = {
        {.bytes = firn_bytes_str(message->topic)},
        {.number = message->partition},
        {.number = message->offset},
        {.number = message->timestamp_ms, .null = message->timestamp_ms < 0},
        {.null = true},
    };
    return firn_avro_batch_add_cells(batch, cells, err);
}

firn_rc firn_kafka_column_add(const firn_avro_decoder *decoder, const firn_kafka_message *message,
                              const firn_kafka_header *headers, size_t n_headers, firn_buf *scratch,
                              firn_avro_batch *batch, firn_err *err)
{
    if (n_headers == 0)
        return add_without_headers(message, batch, err);
    firn_buf_clear(scratch);
    firn_avro_put_string(scratch, message->topic);
    firn_avro_put_long(scratch, message->partition);
    firn_avro_put_long(scratch, message->offset);
    firn_avro_put_long(scratch, message->timestamp_ms >= 0);
    if (message->timestamp_ms >= 0)
        firn_avro_put_long(scratch, message->timestamp_ms);
    put_headers(scratch, headers, n_headers);
    if (scratch->overflow)
        FIRN_FAIL(err, FIRN_E_LIMIT, "headers of more than %zu bytes", FIRN_BUF_MAX_DEFAULT);
    firn_rc rc = firn_avro_decoder_decode(decoder, firn_buf_bytes(scratch), 1, batch, err);
    return rc == FIRN_OK ? rc : firn_err_wrap(err, rc, "the headers");
}
