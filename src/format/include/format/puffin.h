/* Puffin files (Iceberg Puffin spec): a container for blobs such as deletion vectors and sketches.
 *
 *   file:    "PFA1", blob..., footer
 *   footer:  "PFA1", payload (JSON), int32 LE payload size, 4 bytes of flags, "PFA1"
 *
 * Flag bit 0 of the first byte: the payload is one LZ4 frame. Blobs are plain, or compressed by "zstd" or
 * "lz4". Another codec is UNSUPPORTED, unknown flags are, too.
 *
 * To read a part of a large file: fetch the last FIRN_PUFFIN_TAIL_BYTES, ask firn_puffin_footer_size, fetch that many
 * last bytes, firn_puffin_parse_footer, then fetch [blob.offset, blob.offset + blob.length).
 */
#ifndef FORMAT_PUFFIN_H
#define FORMAT_PUFFIN_H

#include "base/buf.h"
#include "base/json.h"

enum {
    FIRN_PUFFIN_TAIL_BYTES = 12,
    FIRN_PUFFIN_FOOTER_BYTES_MAX = 64 << 20,
    FIRN_PUFFIN_BLOB_BYTES_MAX = 256 << 20, /* of one blob once decompressed */
};

typedef struct firn_puffin_blob {
    const char *type;
    const int32_t *fields; /* field ids that the blob was computed for */
    size_t field_count;
    int64_t snapshot_id;     /* -1 in deletion vectors */
    int64_t sequence_number; /* -1 in deletion vectors */
    int64_t offset;
    int64_t length;           /* as stored */
    const char *codec;        /* NULL: plain; "zstd", "lz4" */
    const json_t *properties; /* object of strings; NULL: none */
} firn_puffin_blob;

typedef struct firn_puffin {
    const firn_puffin_blob *blobs;
    size_t blob_count;
    const json_t *properties; /* object of strings; NULL: none */
    const json_t *json;       /* the whole footer */
} firn_puffin;

/* From the last FIRN_PUFFIN_TAIL_BYTES of a file: the size of its whole footer, both magics included. */
firn_rc firn_puffin_footer_size(firn_bytes tail, int64_t file_size, const char *name, int64_t *out,
                                firn_err *err) FIRN_MUST_USE;
/* `footer` is the last footer_size bytes. Everything in `out` lives in the arena. */
firn_rc firn_puffin_parse_footer(firn_arena *arena, firn_bytes footer, int64_t file_size,
                                 const char *name, firn_puffin *out, firn_err *err) FIRN_MUST_USE;
/* Both steps on a whole file. */
firn_rc firn_puffin_parse(firn_arena *arena, firn_bytes file, const char *name, firn_puffin *out,
                          firn_err *err) FIRN_MUST_USE;

/* The plain content of a blob whose stored bytes are `stored` (blob->length of them): the same bytes when it is
 * not compressed, else new ones in the arena. */
firn_rc firn_puffin_blob_content(firn_arena *arena, const firn_puffin_blob *blob, firn_bytes stored,
                                 firn_bytes *out, firn_err *err) FIRN_MUST_USE;

/* A property's text, or NULL. */
const char *firn_puffin_property(const json_t *properties, const char *key);

typedef struct firn_puffin_writer firn_puffin_writer;

/* Appends to `out`, which must be empty: offsets count from its start. */
firn_puffin_writer *firn_puffin_writer_open(firn_arena *arena, firn_buf *out);
/* Store a blob: type, fields, snapshot_id, sequence_number, properties and codec (NULL or "zstd") are taken from
 * `blob`; its offset and length are set. Deletion vectors must not be compressed: INVALID. */
firn_rc firn_puffin_writer_add(firn_puffin_writer *writer, firn_puffin_blob *blob,
                               firn_bytes content, firn_err *err) FIRN_MUST_USE;
/* Footer, with the file's `properties` ("created-by"...; NULL: none). LIMIT if `out` overflowed. */
firn_rc firn_puffin_writer_finish(firn_puffin_writer *writer, const json_t *properties,
                                  firn_err *err) FIRN_MUST_USE;

#endif
