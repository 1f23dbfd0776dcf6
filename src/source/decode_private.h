/* Inside the decoder.
 *
 *   codec     how payloads of one schema become rows              decode_codec.c
 *   known_schema   what the registry has under an id or guid      decode_side.c
 *   side      value or key: from a payload to its codec           decode_side.c
 *   chunk     rows that wait to be taken, one chunk per pair of
 *             codecs of value and key                             decode_chunk.c
 */
#ifndef FIRN_SOURCE_DECODE_PRIVATE_H
#define FIRN_SOURCE_DECODE_PRIVATE_H

#include "base/map.h"
#include "base/vec.h"
#include "frame.h"
#include "source/decode.h"

typedef struct chunk chunk;

typedef enum codec_kind {
    CODEC_BROKEN, /* no payload of this schema can be decoded: `why` */
    CODEC_AVRO,
    CODEC_TEXT, /* string and bytes */
} codec_kind;

typedef struct codec {
    codec_kind kind;
    const firn_avro_decoder *shape;
    bool is_value;       /* no record: its one column "value" is the payload itself */
    const char *subject; /* for messages; nullable */
    firn_err why;
    chunk *chunks; /* whose values it decodes */
} codec;

typedef struct known_schema {
    const firn_registered *registered;
    const char *label; /* "schema id 7 (orders-value)" */
    codec *codec;
} known_schema;

typedef struct side {
    firn_payload payload;
    bool is_key;
    codec *fixed; /* string, bytes, and what has a declared schema */
    int32_t last_id;
    codec *last; /* of last_id; NULL: none yet */
} side;

typedef struct row_list {
    int64_t *rows; /* ascending */
    size_t n, cap;
} row_list;

struct chunk {
    codec *value, *key; /* nullable */
    firn_avro_batch *value_rows, *key_rows, *kafka_rows;
    int64_t rows;
    row_list tombstones, null_keys;
    bool was_taken;
    chunk *next; /* of the same value codec */
};

struct firn_decoder {
    firn_arena *arena;
    firn_decoder_options options; /* texts are the arena's */
    side value, key;
    firn_imap *by_id;  /* known_schema */
    firn_map *by_guid; /* known_schema */
    const firn_avro_decoder *kafka;
    firn_buf kafka_row;
    chunk *without_value; /* tombstones before any value */
    FIRN_VEC(chunk *) chunks;
    codec *value_before, *key_before; /* what null values and keys join */
    firn_arena *scratch;              /* of one message */
    size_t bytes;
    int64_t rows;
    bool stop; /* the error is no fault of the message */
    bool full; /* the error may be the chunk's: it has rows */
};

/* Never fail: a codec that cannot work is CODEC_BROKEN. */
codec *firn_codec_avro(firn_decoder *decoder, const firn_bytes *texts, size_t n, const char *label);
codec *firn_codec_text(firn_decoder *decoder, bool is_string);
codec *firn_codec_registered(firn_decoder *decoder, const firn_registered *registered,
                             const char *label);
/* Append one payload; on failure the batch is as it was. */
firn_rc firn_codec_decode(const codec *c, firn_bytes payload, firn_avro_batch *batch,
                          firn_err *err) FIRN_MUST_USE;

firn_rc firn_side_init(firn_decoder *decoder, side *s, const firn_payload_options *options,
                       bool is_key, firn_err *err) FIRN_MUST_USE;
/* The codec of a payload that is not null, and what of it is to be decoded. Sets decoder->stop. */
firn_rc firn_side_resolve(firn_decoder *decoder, side *s, firn_bytes payload,
                          const firn_kafka_header *header, codec **out, firn_bytes *data,
                          firn_err *err) FIRN_MUST_USE;

/* The column _kafka: its shape; one row. */
firn_rc firn_kafka_column_new(firn_arena *arena, const firn_avro_decoder **out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_kafka_column_add(const firn_avro_decoder *decoder, const firn_kafka_message *message,
                              const firn_kafka_header *headers, size_t n_headers, firn_buf *scratch,
                              firn_avro_batch *batch, firn_err *err) FIRN_MUST_USE;

/* One message on its way into a chunk. `value` and `key` are NULL where no schema is known, their data NULL where they are null. */
typedef struct chunk_row {
    const firn_kafka_message *message;
    const firn_kafka_header *headers;
    size_t n_headers;
    codec *value, *key;
    firn_bytes value_data, key_data;
} chunk_row;
/* All of the row or nothing. Sets decoder->full. */
firn_rc firn_chunk_add(firn_decoder *decoder, const chunk_row *row, firn_err *err) FIRN_MUST_USE;
void firn_chunk_export(firn_decoder *decoder, chunk *c, firn_chunk *out);
void firn_chunk_free(chunk *c);

#endif
