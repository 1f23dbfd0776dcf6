/* The compressors behind Avro blocks and Puffin blobs: whole buffers in, whole buffers out. Each appends to `out`.
 * Decompressors stop with LIMIT once the plain bytes would exceed `plain_bytes_max`, whatever the input claims, and say
 * CORRUPT for input that is damaged or ends early.
 */
#ifndef FIRN_FORMAT_COMPRESS_H
#define FIRN_FORMAT_COMPRESS_H

#include "base/buf.h"

/* Raw deflate (RFC 1951). Bytes after the end of the stream are ignored: old fastavro leaves some there. */
firn_rc firn_deflate_compress(firn_bytes plain, int level, firn_buf *out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_deflate_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                                firn_err *err) FIRN_MUST_USE;

/* Raw snappy blocks. */
firn_rc firn_snappy_compress(firn_bytes plain, firn_buf *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_snappy_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                               firn_err *err) FIRN_MUST_USE;

/* Zstandard frames; what is written holds its content size. */
firn_rc firn_zstd_compress(firn_bytes plain, int level, firn_buf *out, firn_err *err) FIRN_MUST_USE;
/* The same for many frames: what zstd works with is made once. Belongs to one thread. NULL when there is no memory for it. */
typedef struct ZSTD_CCtx_s firn_zstd;
firn_zstd *firn_zstd_new(int level);
void firn_zstd_free(firn_zstd *zstd);
/* How frames are made from now on; it is WHOLE at first. What a way is to be, a zstd that does not know it takes for WHOLE. */
typedef enum firn_zstd_way {
    FIRN_ZSTD_LITERALS, /* bytes that are frequent get short codes, but nothing is looked for that came before: random text */
    FIRN_ZSTD_NEAR,     /* level 1 with a table that stays in the nearest cache */
    FIRN_ZSTD_WHOLE,    /* as the level says */
} firn_zstd_way;
void firn_zstd_choose(firn_zstd *zstd, firn_zstd_way way, int level);
firn_rc firn_zstd_pack(firn_zstd *zstd, firn_bytes plain, firn_buf *out,
                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_zstd_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                             firn_err *err) FIRN_MUST_USE;

/* LZ4 frames (not raw blocks), as Puffin uses them. */
firn_rc firn_lz4_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                            firn_err *err) FIRN_MUST_USE;

#endif
