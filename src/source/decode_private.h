/* Inside the decoder.
 *
 *   codec     how payloads of one schema become rows              decode_codec.c
 *   known_schema   what the registry has under an id or guid      decode_side.c
 *   side      value or key: from a payload to its codec           decode_side.c
 *   learned   the schema of JSON that comes without one           decode_learn.c
 *   chunk     rows that wait to be taken, one chunk per pair of
 *             codecs of value and key                             decode_chunk.c
 */
#ifndef FIRN_SOURCE_DECODE_PRIVATE_H
#define FIRN_SOURCE_DECODE_PRIVATE_H

#include "base/map.h"
#include "base/vec.h"
#include "format/json_columns.h"
#include "format/protobuf.h"
#include "frame.h"
#include "source/decode.h"

typedef struct chunk chunk;

typedef enum codec_kind {
    CODEC_BROKEN, /* no payload of this schema can be decoded: `why` */
    CODEC_AVRO,
    CODEC_JSON,
    CODEC_PROTOBUF,
    CODEC_TEXT, /* string and bytes */
} codec_kind;

typedef struct codec {
    codec_kind kind;
    const firn_avro_decoder *shape;
    union {
        firn_json_decoder *json;
        firn_proto_decoder *proto;
    };
    bool is_value;       /* no record: its one column "value" is the payload itself */
    const char *subject; /* for messages; nullable */
    firn_err why;
    chunk *chunks; /* whose values it decodes */
    /* learned: the schema may grow, after which another codec takes over and this one goes with its last rows */
    bool learns, retired;
    firn_arena *arena; /* of a learned codec; else NULL */
    bool has_warned;   /* of members that no column takes */
} codec;

typedef struct known_schema {
    const firn_registered *registered;
    const char *label; /* "schema id 7 (orders-value)" */
    codec *codec;      /* Protobuf: of the file's first message */
    /* Protobuf */
    firn_proto_file *file;
    firn_map *by_path; /* "1.0" -> codec */
    firn_err why;      /* there is no file: the text does not parse */
} known_schema;

typedef struct side {
    firn_payload payload;
    bool is_key;
    codec *fixed; /* string, bytes, and what has a declared schema */
    const char *known;
    codec *learned;       /* NULL: nothing learned yet */
    json_t *learned_json; /* its schema; owned */
    int32_t last_id;
    known_schema *last; /* of last_id; NULL: none yet */
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
    const firn_kafka_message
        *ahead; /* of the running call: the message at hand and those behind it */
    size_t n_ahead;
    FIRN_VEC(codec *) retired; /* learned codecs whose rows may not have been taken */
    size_t bytes;
    int64_t rows;
    bool stop; /* the error is no fault of the message */
    bool full; /* the error may be the chunk's: it has rows */
    bool
        wants_headers; /* librdkafka unpacks them only when it is asked, which costs as much as decoding a small event */
    bool grow; /* no error: the row was not kept, its schema is to grow first */
};

/* Never fail: a codec that cannot work is CODEC_BROKEN. */
codec *firn_codec_avro(firn_decoder *decoder, const firn_bytes *texts, size_t n, const char *label);
codec *firn_codec_text(firn_decoder *decoder, bool is_string);
codec *firn_codec_json(firn_decoder *decoder, const firn_avro_schema *schema, const char *label);
codec *firn_codec_json_schema(firn_decoder *decoder, const char *text,
                              const struct firn_reference *references, size_t n, const char *label);
codec *firn_codec_protobuf(firn_decoder *decoder, const firn_proto_message *message,
                           const char *label);
/* On the heap, with an arena of its own: ended by firn_chunks_sweep and firn_side_deinit. */
codec *firn_codec_learned(firn_decoder *decoder, json_t *json);
codec *firn_codec_broken(firn_decoder *decoder, const firn_err *why, const char *label);
/* A registry's Avro or JSON Schema. */
codec *firn_codec_registered(firn_decoder *decoder, const firn_registered *registered,
                             const char *label);
/* What Protobuf's parser takes for imports. */
firn_proto_import *firn_proto_imports(firn_arena *arena, const firn_registered *registered);
/* Append one payload; on failure the batch is as it was. *unknown: members that no column takes. */
firn_rc firn_codec_decode(codec *c, firn_bytes payload, firn_avro_batch *batch, int64_t *unknown,
                          firn_err *err) FIRN_MUST_USE;

/* The learned codec of a side; learns from the messages ahead when there is none. */
firn_rc firn_learned_codec(firn_decoder *decoder, side *s, codec **out,
                           firn_err *err) FIRN_MUST_USE;
/* Let the learned schema grow by one document that was decoded by `c`. *out is the codec to decode it by now, perhaps the same. */
firn_rc firn_learn(firn_decoder *decoder, side *s, firn_bytes document, codec **out,
                   firn_err *err) FIRN_MUST_USE;
void firn_side_deinit(side *s);

firn_rc firn_side_init(firn_decoder *decoder, side *s, const firn_payload_options *options,
                       bool is_key, firn_err *err) FIRN_MUST_USE;
/* Whether a header may say what a payload's schema is. */
bool firn_side_looks_at_headers(const side *s);
bool firn_side_is_framed(const side *s, firn_bytes payload, bool has_header);
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
/* All of the row or nothing. Sets decoder->full; decoder->grow, unless the row is to be taken as it is. */
firn_rc firn_chunk_add(firn_decoder *decoder, const chunk_row *row, bool as_it_is,
                       firn_err *err) FIRN_MUST_USE;
/* What its rows take, of the room that its batches have. */
size_t firn_chunk_used_bytes(const chunk *c);
void firn_chunk_export(firn_decoder *decoder, chunk *c, firn_chunk *out);
/* Without rows: give back the memory that bad messages have left in it. */
void firn_chunk_shrink(firn_decoder *decoder, chunk *c);
void firn_chunk_free(chunk *c);
/* Free what learned codecs have left behind. */
void firn_chunks_sweep(firn_decoder *decoder);

#endif
