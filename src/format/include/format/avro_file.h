/* Avro object container files (specification 1.12, "Object Container Files").
 *
 *   header:  "Obj" 0x01, metadata map<bytes> (avro.schema, avro.codec and the user's), 16-byte sync marker
 *   block:   long record count, long byte size, that many bytes (compressed as avro.codec says), sync marker
 *
 * Codecs: null, deflate (raw RFC 1951), snappy (raw block, then big-endian CRC-32 of the plain bytes), zstandard.
 * Another codec is UNSUPPORTED. CORRUPT errors name the file, the block and its byte offset.
 *
 *     firn_avro_reader *reader;
 *     FIRN_TRY(firn_avro_reader_open(arena, bytes, path, &reader, err));
 *     firn_avro_block block;
 *     for (;;) {
 *         FIRN_TRY(firn_avro_reader_next(reader, &block, err));
 *         if (block.record_count == 0)
 *             break;
 *         FIRN_TRY(firn_avro_decoder_decode(decoder, block.data, block.record_count, batch, err));
 *     }
 *
 *     FIRN_TRY(firn_avro_writer_open(arena, &(firn_avro_writer_opts){.schema = text}, &out, &writer, err));
 *     firn_buf *record = firn_avro_writer_record(writer);
 *     firn_avro_put_long(record, 42);
 *     FIRN_TRY(firn_avro_writer_record_end(writer, err));
 *     FIRN_TRY(firn_avro_writer_finish(writer, err));
 */
#ifndef FORMAT_AVRO_FILE_H
#define FORMAT_AVRO_FILE_H

#include "base/buf.h"
#include "format/avro_schema.h"

enum {
    FIRN_AVRO_SYNC_BYTES = 16,
    FIRN_AVRO_META_KEYS_MAX = 4096,
    FIRN_AVRO_BLOCK_BYTES_MAX = 256 << 20,   /* of one block, compressed or not */
    FIRN_AVRO_BLOCK_BYTES_DEFAULT = 1 << 20, /* the writer closes a block at this size */
};

typedef enum firn_avro_codec {
    FIRN_AVRO_CODEC_NULL,
    FIRN_AVRO_CODEC_DEFLATE,
    FIRN_AVRO_CODEC_SNAPPY,
    FIRN_AVRO_CODEC_ZSTANDARD,
} firn_avro_codec;

const char *firn_avro_codec_name(firn_avro_codec codec); /* "deflate" */
bool firn_avro_codec_from_name(const char *name,
                               firn_avro_codec *out); /* as in files; "gzip" and "zstd" too */

/* ---- reading ---- */

typedef struct firn_avro_reader firn_avro_reader;

typedef struct firn_avro_meta {
    const char *key; /* NUL-terminated; keys that hold a NUL are refused */
    firn_bytes value;
} firn_avro_meta;

typedef struct firn_avro_block {
    firn_bytes data; /* plain records; valid until the next call of firn_avro_reader_next */
    int64_t record_count;
    int64_t index;  /* from 0 */
    int64_t offset; /* of the block in the file */
} firn_avro_block;

/* Read the header. `bytes` is the whole file and must outlive the reader, which lives in `arena`.
 * `name` is the file's for messages. */
firn_rc firn_avro_reader_open(firn_arena *arena, firn_bytes bytes, const char *name,
                              firn_avro_reader **out, firn_err *err) FIRN_MUST_USE;

/* The next block that holds records; record_count 0 at the end of the file. */
firn_rc firn_avro_reader_next(firn_avro_reader *reader, firn_avro_block *block,
                              firn_err *err) FIRN_MUST_USE;

const firn_avro_schema *firn_avro_reader_schema(const firn_avro_reader *reader);
firn_avro_codec firn_avro_reader_codec(const firn_avro_reader *reader);
const firn_avro_meta *firn_avro_reader_meta(const firn_avro_reader *reader, size_t *count);
/* The value of one metadata key as NUL-terminated text in the reader's arena, or NULL when absent. */
const char *firn_avro_reader_meta_text(const firn_avro_reader *reader, const char *key);

/* ---- writing ---- */

typedef struct firn_avro_writer firn_avro_writer;

typedef struct firn_avro_writer_opts {
    const char *schema; /* JSON text, stored as it is; must parse */
    firn_avro_codec codec;
    int level;                  /* deflate 1..9, zstandard 1..22; 0: the codec's default */
    const firn_avro_meta *meta; /* user's keys, in the order given; "avro." is reserved */
    size_t meta_count;
    size_t block_bytes;  /* 0: FIRN_AVRO_BLOCK_BYTES_DEFAULT */
    const uint8_t *sync; /* 16 bytes for reproducible files; NULL: random */
} firn_avro_writer_opts;

/* Append the header to `out`, which the caller owns and keeps until finish. */
firn_rc firn_avro_writer_open(firn_arena *arena, const firn_avro_writer_opts *opts, firn_buf *out,
                              firn_avro_writer **writer, firn_err *err) FIRN_MUST_USE;

/* Where to append the encoding of the next record (avro_codec.h). */
firn_buf *firn_avro_writer_record(firn_avro_writer *writer);
/* The record is complete: count it, and close the block when it is large enough. */
firn_rc firn_avro_writer_record_end(firn_avro_writer *writer, firn_err *err) FIRN_MUST_USE;
/* Write what is left. LIMIT if `out` reached its maximum. The writer is of no further use. */
firn_rc firn_avro_writer_finish(firn_avro_writer *writer, firn_err *err) FIRN_MUST_USE;
int64_t firn_avro_writer_record_count(const firn_avro_writer *writer);

#endif
