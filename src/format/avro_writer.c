/* Avro object container files, writing. The layout is in format/avro_file.h.
 *
 * Records gather in `block`; once it is large enough it is compressed and goes out whole, so `out` always ends with a
 * complete block.
 */
#include "base/uuid.h"
#include "compress.h"
#include "format/avro_codec.h"
#include "format/avro_file.h"

#include <zlib.h>

struct firn_avro_writer {
    firn_buf *out;
    firn_avro_codec codec;
    int level;
    size_t block_bytes;
    uint8_t sync[FIRN_AVRO_SYNC_BYTES];
    firn_buf block;  /* encoded records that wait */
    firn_buf packed; /* the block compressed; kept for its memory */
    int64_t block_records;
    int64_t records;
};

static void release_writer(void *ctx)
{
    firn_avro_writer *w = ctx;
    firn_buf_deinit(&w->block);
    firn_buf_deinit(&w->packed);
}

static firn_rc write_header(firn_avro_writer *w, const firn_avro_writer_opts *opts, firn_err *err)
{
    const char *codec = firn_avro_codec_name(w->codec);
    firn_buf_append(w->out, "Obj\1", 4);
    firn_avro_put_long(w->out, (int64_t)opts->meta_count + 2);
    firn_avro_put_string(w->out, "avro.schema");
    firn_avro_put_string(w->out, opts->schema);
    firn_avro_put_string(w->out, "avro.codec");
    firn_avro_put_string(w->out, codec);
    for (size_t i = 0; i < opts->meta_count; i++) {
        const firn_avro_meta *meta = &opts->meta[i];
        if (firn_starts_with(meta->key, "avro."))
            FIRN_FAIL(err, FIRN_E_INVALID, "metadata key \"%s\": \"avro.\" is reserved", meta->key);
        firn_avro_put_string(w->out, meta->key);
        firn_avro_put_bytes(w->out, meta->value);
    }
    firn_avro_put_long(w->out, 0);
    firn_buf_append(w->out, w->sync, sizeof w->sync);
    return FIRN_OK;
}

firn_rc firn_avro_writer_open(firn_arena *arena, const firn_avro_writer_opts *opts, firn_buf *out,
                              firn_avro_writer **writer, firn_err *err)
{
    const firn_avro_schema *schema;
    FIRN_TRY(firn_avro_schema_parse(arena, firn_bytes_str(opts->schema), "schema to write with",
                                    &schema, err));
    if (opts->meta_count > FIRN_AVRO_META_KEYS_MAX - 2) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%zu metadata keys; the most is %d", opts->meta_count,
                  FIRN_AVRO_META_KEYS_MAX - 2);
    }
    firn_avro_writer *w = FIRN_NEW(arena, firn_avro_writer);
    w->out = out;
    w->codec = opts->codec;
    w->level = opts->level;
    w->block_bytes = opts->block_bytes ? opts->block_bytes : FIRN_AVRO_BLOCK_BYTES_DEFAULT;
    firn_buf_init(&w->block, FIRN_AVRO_BLOCK_BYTES_MAX);
    firn_buf_init(&w->packed, FIRN_BUF_MAX_DEFAULT);
    firn_arena_defer(arena, release_writer, w);
    if (opts->sync)
        memcpy(w->sync, opts->sync, sizeof w->sync);
    else
        firn_uuid_v4(w->sync);
    FIRN_TRY(write_header(w, opts, err));
    *writer = w;
    return FIRN_OK;
}

static firn_rc pack(firn_avro_writer *w, firn_bytes *stored, firn_err *err)
{
    firn_bytes plain = firn_buf_bytes(&w->block);
    firn_buf_clear(&w->packed);
    switch (w->codec) {
    case FIRN_AVRO_CODEC_NULL: *stored = plain; return FIRN_OK;
    case FIRN_AVRO_CODEC_DEFLATE:
        FIRN_TRY(firn_deflate_compress(plain, w->level, &w->packed, err));
        break;
    case FIRN_AVRO_CODEC_SNAPPY: {
        FIRN_TRY(firn_snappy_compress(plain, &w->packed, err));
        uint32_t sum = htobe32((uint32_t)crc32_z(0, plain.data, plain.len));
        firn_buf_append(&w->packed, &sum, sizeof sum);
        break;
    }
    case FIRN_AVRO_CODEC_ZSTANDARD:
        FIRN_TRY(firn_zstd_compress(plain, w->level, &w->packed, err));
        break;
    }
    *stored = firn_buf_bytes(&w->packed);
    return FIRN_OK;
}

static firn_rc flush(firn_avro_writer *w, firn_err *err)
{
    firn_bytes stored;
    if (w->block.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "an Avro record larger than %d bytes",
                  FIRN_AVRO_BLOCK_BYTES_MAX);
    }
    FIRN_TRY(pack(w, &stored, err));
    firn_avro_put_long(w->out, w->block_records);
    firn_avro_put_bytes(w->out, stored); /* long size, then the bytes: the same encoding */
    firn_buf_append(w->out, w->sync, sizeof w->sync);
    if (w->out->overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "an Avro file larger than the %zu bytes it may have",
                  w->out->max ? w->out->max : FIRN_BUF_MAX_DEFAULT);
    }
    firn_buf_clear(&w->block);
    w->block_records = 0;
    return FIRN_OK;
}

firn_buf *firn_avro_writer_record(firn_avro_writer *w)
{
    return &w->block;
}

firn_rc firn_avro_writer_record_end(firn_avro_writer *w, firn_err *err)
{
    w->records++;
    w->block_records++;
    bool full = w->block.overflow || w->block.len >= w->block_bytes ||
                w->block_records == FIRN_AVRO_EMPTY_ITEMS_MAX;
    return full ? flush(w, err) : FIRN_OK;
}

firn_rc firn_avro_writer_finish(firn_avro_writer *w, firn_err *err)
{
    /* Also when nothing waits: a header that overflowed must not pass for a file. */
    if (w->block_records > 0)
        return flush(w, err);
    if (w->out->overflow)
        FIRN_FAIL(err, FIRN_E_LIMIT, "an Avro file larger than it may be");
    return FIRN_OK;
}

int64_t firn_avro_writer_record_count(const firn_avro_writer *w)
{
    return w->records;
}
