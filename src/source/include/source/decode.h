/* Payloads into column batches: the one door to all message formats.
 *
 * A decoder takes messages of one feed and fills one chunk per schema that it meets (the writer's schema, decoded as written: no
 * resolution, so that a table sees columns the day they appear). Schemas of every format are held as Avro schemas
 * (format/avro_schema.h), the columns are format/avro_columns.h's. What cannot be decoded is told by a callback and leaves no trace.
 *
 *   avro, json_schema, protobuf   Confluent wire format: byte 0 and a 4-byte id, byte 1 and a 16-byte guid, or ids in the headers
 *                                 __key_schema_id / __value_schema_id; Protobuf's message indexes behind it
 *   json                          one JSON object; schema declared, or inferred from the first messages and widened as new ones come
 *   avro_raw, protobuf_raw        no framing, declared schema
 *   string, bytes                 one column, "value"
 *   auto                          by the frame and the registry's answer, else json
 *
 * Columns of a chunk: the value's fields (a value that is no record: one column "value"), then on demand
 *   _key       the decoded key: a struct, or a scalar
 *   _kafka     struct<topic, partition int, offset long, timestamp timestamptz, headers map<string, binary>>
 * A tombstone has null in all value columns, which are nullable in the chunk's schema for that reason when tombstones are wanted.
 *
 * Threads: one at a time. Errors of single messages go to the callback (code and sentence): CORRUPT, TYPE, NOT_FOUND (schema),
 * UNSUPPORTED, LIMIT, SYNTAX (a schema's text). A registry that is out of reach is no fault of a message: UNAVAILABLE is returned,
 * `taken` messages of the call were done, and the call is made again later with the rest. So are PERMISSION and CONFIG (what answers at
 * the registry's URL is none), which will not pass by themselves.
 */
#ifndef SOURCE_DECODE_H
#define SOURCE_DECODE_H

#include "format/arrow.h"
#include "format/avro.h"
#include "source/kafka.h"
#include "source/registry.h"

typedef enum firn_payload {
    FIRN_PAYLOAD_NONE, /* keys: leave out */
    FIRN_PAYLOAD_AUTO,
    FIRN_PAYLOAD_AVRO,
    FIRN_PAYLOAD_JSON_SCHEMA,
    FIRN_PAYLOAD_PROTOBUF,
    FIRN_PAYLOAD_JSON,
    FIRN_PAYLOAD_AVRO_RAW,
    FIRN_PAYLOAD_PROTOBUF_RAW,
    FIRN_PAYLOAD_STRING,
    FIRN_PAYLOAD_BYTES,
} firn_payload;
const char *firn_payload_name(firn_payload payload); /* "json_schema" */
bool firn_payload_parse(const char *name, firn_payload *out);

typedef struct firn_payload_options {
    firn_payload payload;
    /* declared: Avro JSON (avro_raw), JSON Schema or columns as in SQL, "id bigint, ts timestamptz" (json), .proto text; nullable */
    const char *schema;
    const char *message; /* protobuf_raw: full name of the message type */
    /* json without a schema: columns that there are already, written as in SQL. Inference adds to them and changes none. */
    const char *known;
} firn_payload_options;

/* Headers of a message: firn_kafka_headers, or its double for messages that do not come from a broker. */
typedef firn_rc (*firn_headers_fn)(const firn_kafka_message *message, firn_arena *arena,
                                   firn_kafka_header **out, size_t *n, firn_err *err);

typedef struct firn_decoder_options {
    firn_registry *registry; /* nullable */
    firn_payload_options value, key;
    bool with_metadata;     /* _kafka */
    bool with_tombstones;   /* null values become rows; else they are passed over */
    size_t chunk_bytes_max; /* 0: 256 MiB; at most 1 GiB */
    firn_headers_fn
        headers; /* NULL: firn_kafka_headers. Not called for messages without a handle */
} firn_decoder_options;

typedef struct firn_decoder firn_decoder;
firn_rc firn_decoder_new(const firn_decoder_options *options, firn_decoder **out,
                         firn_err *err) FIRN_MUST_USE;
void firn_decoder_free(firn_decoder *decoder);

typedef void (*firn_bad_message_fn)(void *ctx, const firn_kafka_message *message,
                                    const firn_err *why);
/* Decode messages[0..n). *taken counts those that are done with, bad ones included. LIMIT: the chunks are full, take them first. */
firn_rc firn_decoder_add(firn_decoder *decoder, const firn_kafka_message *messages, size_t n,
                         firn_bad_message_fn bad, void *ctx, size_t *taken,
                         firn_err *err) FIRN_MUST_USE;
/* Of chunks that were not taken: the room that they have, and what rows are in. A chunk begins with the room of the last one, which the
 * system only gives when it is used: what to do with rows goes by the latter. */
size_t firn_decoder_bytes(const firn_decoder *decoder);
size_t firn_decoder_used_bytes(const firn_decoder *decoder);
int64_t firn_decoder_rows(const firn_decoder *decoder);

/* Rows of one schema. Both structures are the taker's to release, on any thread, also after the decoder is gone. */
typedef struct firn_chunk {
    struct ArrowSchema schema; /* "+s" */
    struct ArrowArray array;
    int64_t rows;
    size_t bytes;        /* that rows are in */
    const char *subject; /* heap; of the schema, for messages: "id 7"; nullable */
    bool schema_is_new;  /* no earlier chunk of this decoder had it */
} firn_chunk;
/* Moves the chunks that have rows out (heap array). */
void firn_decoder_take(firn_decoder *decoder, firn_chunk **out, size_t *n);
void firn_chunks_free(firn_chunk *chunks, size_t n);

/* The Avro schema that a registered schema of any kind amounts to: what its columns will be. UNSUPPORTED says what has no column:
 * recursive types. */
firn_rc firn_registered_avro(firn_arena *arena, const firn_registered *registered,
                             const char *message /* protobuf; nullable: the first */,
                             const firn_avro_schema **out, firn_err *err) FIRN_MUST_USE;

#endif
