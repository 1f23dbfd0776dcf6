/* deflate, snappy, zstd and LZ4 over whole buffers. See compress.h.
 *
 * Output grows in steps that follow what has really come out, never what a header claims, so a few hostile bytes cannot
 * make us reserve gigabytes.
 */
#include "compress.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

enum { STEP_BYTES_MIN = 64 << 10 };

static firn_rc too_large(const char *codec, size_t plain_bytes_max, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_LIMIT, "%s data of more than %zu bytes when decompressed", codec,
              plain_bytes_max);
}

/* Room for the next piece of output: as much as has come out so far, at least a step, at most one byte past the
 * bound (so that reaching that byte proves the data too large). `start` is where this output begins. */
static firn_rc next_room(firn_buf *out, size_t start, size_t plain_bytes_max, const char *codec,
                         size_t *room, firn_err *err)
{
    size_t done = out->len - start;
    if (done > plain_bytes_max)
        return too_large(codec, plain_bytes_max, err);
    size_t want = done > STEP_BYTES_MIN ? done : STEP_BYTES_MIN;
    if (want > plain_bytes_max + 1 - done)
        want = plain_bytes_max + 1 - done;
    if (!firn_buf_reserve(out, want))
        return too_large(codec, out->max, err);
    *room = want;
    return FIRN_OK;
}

static firn_rc output_full(const firn_buf *out, const char *codec, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_LIMIT, "%s output does not fit a buffer of at most %zu bytes", codec,
              out->max ? out->max : FIRN_BUF_MAX_DEFAULT);
}

/* ---- deflate ---- */

firn_rc firn_deflate_compress(firn_bytes plain, int level, firn_buf *out, firn_err *err)
{
    z_stream stream = {0};
    if (level < 1 || level > 9)
        level = Z_DEFAULT_COMPRESSION;
    if (plain.len > UINT32_MAX / 2)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%zu bytes are too many for one deflate stream", plain.len);
    if (deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "deflate does not start");

    uLong bound = deflateBound(&stream, (uLong)plain.len);
    uint8_t *room = firn_buf_reserve(out, bound);
    if (!room) {
        deflateEnd(&stream);
        return output_full(out, "deflate", err);
    }
    stream.next_in = (Bytef *)plain.data;
    stream.avail_in = (uInt)plain.len;
    stream.next_out = room;
    stream.avail_out = (uInt)bound;
    int rc = deflate(&stream, Z_FINISH);
    out->len += stream.total_out;
    deflateEnd(&stream);
    if (rc != Z_STREAM_END)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "deflate failed with code %d", rc);
    return FIRN_OK;
}

static firn_rc inflate_all(z_stream *stream, size_t plain_bytes_max, firn_buf *out, firn_err *err)
{
    size_t start = out->len;
    for (;;) {
        size_t room;
        FIRN_TRY(next_room(out, start, plain_bytes_max, "deflate", &room, err));
        stream->next_out = out->data + out->len;
        stream->avail_out = (uInt)room;
        int rc = inflate(stream, Z_NO_FLUSH);
        out->len += room - stream->avail_out;
        if (rc == Z_STREAM_END)
            break;
        if (rc != Z_OK || stream->avail_out != 0) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deflate data: %s",
                      stream->msg ? stream->msg : "it ends early");
        }
    }
    if (out->len - start > plain_bytes_max)
        return too_large("deflate", plain_bytes_max, err);
    return FIRN_OK;
}

firn_rc firn_deflate_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                                firn_err *err)
{
    z_stream stream = {.next_in = (Bytef *)packed.data, .avail_in = (uInt)packed.len};
    if (packed.len > UINT32_MAX / 2)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%zu bytes are too many for one deflate stream", packed.len);
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "inflate does not start");
    firn_rc rc = inflate_all(&stream, plain_bytes_max, out, err);
    inflateEnd(&stream);
    return rc;
}

/* ---- snappy ---- */

firn_rc firn_snappy_compress(firn_bytes plain, firn_buf *out, firn_err *err)
{
    size_t len = snappy_max_compressed_length(plain.len);
    uint8_t *room = firn_buf_reserve(out, len);
    if (!room)
        return output_full(out, "snappy", err);
    const char *input = plain.len > 0 ? (const char *)plain.data : "";
    if (snappy_compress(input, plain.len, (char *)room, &len) != SNAPPY_OK)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "snappy compression failed");
    out->len += len;
    return FIRN_OK;
}

firn_rc firn_snappy_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                               firn_err *err)
{
    const char *input = (const char *)packed.data;
    size_t len;
    if (packed.len == 0 || snappy_uncompressed_length(input, packed.len, &len) != SNAPPY_OK)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged snappy data: no length in front");
    if (len > plain_bytes_max)
        return too_large("snappy", plain_bytes_max, err);
    /* The densest element is a 3-byte copy of 64 bytes. */
    if (len / 64 > packed.len)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged snappy data: %zu bytes cannot hold %zu", packed.len,
                  len);
    uint8_t *room = firn_buf_reserve(out, len > 0 ? len : 1);
    if (!room)
        return output_full(out, "snappy", err);
    if (snappy_uncompress(input, packed.len, (char *)room, &len) != SNAPPY_OK)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged snappy data");
    out->len += len;
    return FIRN_OK;
}

/* ---- zstd ---- */

firn_zstd *firn_zstd_new(int level)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    if (zstd != NULL)
        firn_zstd_choose(zstd, FIRN_ZSTD_WHOLE, level);
    return zstd;
}

void firn_zstd_choose(firn_zstd *zstd, firn_zstd_way way, int level)
{
    /* 0: as the level has it. The last is zstd's "literalCompressionMode", whose number is not promised to stay: levels below 0 do without,
     * unless it is 1. A level beyond zstd's own is its nearest one. */
    const struct {
        int level, hash_log, min_match, literals;
    } ways[] = {
        [FIRN_ZSTD_LITERALS] = {-1000, 0, 0, 1},
        [FIRN_ZSTD_NEAR] = {1, 10, 7, 0},
        [FIRN_ZSTD_WHOLE] = {level ? level : ZSTD_CLEVEL_DEFAULT, 0, 0, 0},
    };
    size_t known = ZSTD_CCtx_setParameter(zstd, ZSTD_c_experimentalParam5, ways[way].literals);
    way = way == FIRN_ZSTD_LITERALS && ZSTD_isError(known) ? FIRN_ZSTD_WHOLE : way;
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ways[way].level);
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_hashLog, ways[way].hash_log);
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_minMatch, ways[way].min_match);
}

void firn_zstd_free(firn_zstd *zstd)
{
    ZSTD_freeCCtx(zstd);
}

firn_rc firn_zstd_pack(firn_zstd *zstd, firn_bytes plain, firn_buf *out, firn_err *err)
{
    size_t bound = ZSTD_compressBound(plain.len);
    uint8_t *room = firn_buf_reserve(out, bound);
    if (!room)
        return output_full(out, "zstd", err);
    if (!zstd)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "zstd does not start");
    size_t len = ZSTD_compress2(zstd, room, bound, plain.data, plain.len);
    if (ZSTD_isError(len))
        FIRN_FAIL(err, FIRN_E_INTERNAL, "zstd compression failed: %s", ZSTD_getErrorName(len));
    out->len += len;
    return FIRN_OK;
}

firn_rc firn_zstd_compress(firn_bytes plain, int level, firn_buf *out, firn_err *err)
{
    firn_zstd *zstd = firn_zstd_new(level);
    firn_rc rc = firn_zstd_pack(zstd, plain, out, err);
    firn_zstd_free(zstd);
    return rc;
}

static firn_rc zstd_all(ZSTD_DStream *stream, firn_bytes packed, size_t plain_bytes_max,
                        firn_buf *out, firn_err *err)
{
    size_t start = out->len;
    ZSTD_inBuffer input = {.src = packed.data, .size = packed.len};
    size_t hint = 1; /* 0 when a frame is complete and flushed */
    while (hint != 0 || input.pos < input.size) {
        size_t room;
        FIRN_TRY(next_room(out, start, plain_bytes_max, "zstd", &room, err));
        ZSTD_outBuffer output = {.dst = out->data + out->len, .size = room};
        hint = ZSTD_decompressStream(stream, &output, &input);
        if (ZSTD_isError(hint))
            FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged zstd data: %s", ZSTD_getErrorName(hint));
        out->len += output.pos;
        if (hint != 0 && output.pos < room && input.pos == input.size)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged zstd data: it ends early");
    }
    if (out->len - start > plain_bytes_max)
        return too_large("zstd", plain_bytes_max, err);
    return FIRN_OK;
}

firn_rc firn_zstd_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                             firn_err *err)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (!stream)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "zstd does not start");
    firn_rc rc = zstd_all(stream, packed, plain_bytes_max, out, err);
    ZSTD_freeDStream(stream);
    return rc;
}

/* ---- LZ4 ---- */

static firn_rc lz4_all(LZ4F_dctx *context, firn_bytes packed, size_t plain_bytes_max, firn_buf *out,
                       firn_err *err)
{
    size_t start = out->len;
    size_t at = 0;
    size_t hint = 1; /* 0 when the frame is complete */
    while (hint != 0) {
        size_t room;
        FIRN_TRY(next_room(out, start, plain_bytes_max, "lz4", &room, err));
        size_t used = packed.len - at;
        size_t made = room;
        hint = LZ4F_decompress(context, out->data + out->len, &made, packed.data + at, &used, NULL);
        if (LZ4F_isError(hint))
            FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged lz4 data: %s", LZ4F_getErrorName(hint));
        out->len += made;
        at += used;
        if (hint != 0 && made < room && at == packed.len)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged lz4 data: it ends early");
    }
    if (at != packed.len)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged lz4 data: bytes after the end of the frame");
    if (out->len - start > plain_bytes_max)
        return too_large("lz4", plain_bytes_max, err);
    return FIRN_OK;
}

firn_rc firn_lz4_decompress(firn_bytes packed, size_t plain_bytes_max, firn_buf *out, firn_err *err)
{
    LZ4F_dctx *context;
    if (packed.len == 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged lz4 data: it is empty");
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        FIRN_FAIL(err, FIRN_E_INTERNAL, "lz4 does not start");
    firn_rc rc = lz4_all(context, packed, plain_bytes_max, out, err);
    LZ4F_freeDecompressionContext(context);
    return rc;
}
