/* Avro object container files, reading. The layout is in format/avro_file.h.
 *
 * Invariant: `cursor` stands at the start of a block or at the end of the file, and everything before it was whole,
 * sync markers included. After an error the reader is not used again.
 */
#include "base/map.h"
#include "base/vec.h"
#include "compress.h"
#include "format/avro_codec.h"
#include "format/avro_file.h"

#include <zlib.h>

static const uint8_t magic[4] = {'O', 'b', 'j', 1};

struct firn_avro_reader {
    firn_arena *arena;
    const char *name;
    firn_bytes file;
    firn_avro_cursor cursor;
    FIRN_VEC(firn_avro_meta) meta;
    firn_avro_codec codec;
    const firn_avro_schema *schema;
    const uint8_t *sync;
    int64_t block_index;
    firn_buf plain; /* content of the current block, unless it is stored plain */
};

static const char *const codec_names[] = {
    [FIRN_AVRO_CODEC_NULL] = "null",
    [FIRN_AVRO_CODEC_DEFLATE] = "deflate",
    [FIRN_AVRO_CODEC_SNAPPY] = "snappy",
    [FIRN_AVRO_CODEC_ZSTANDARD] = "zstandard",
};

const char *firn_avro_codec_name(firn_avro_codec codec)
{
    return codec_names[codec];
}

bool firn_avro_codec_from_name(const char *name, firn_avro_codec *out)
{
    static const struct {
        const char *name;
        firn_avro_codec codec;
    } known[] = {
        {"null", FIRN_AVRO_CODEC_NULL},       {"uncompressed", FIRN_AVRO_CODEC_NULL},
        {"deflate", FIRN_AVRO_CODEC_DEFLATE}, {"gzip", FIRN_AVRO_CODEC_DEFLATE},
        {"snappy", FIRN_AVRO_CODEC_SNAPPY},   {"zstandard", FIRN_AVRO_CODEC_ZSTANDARD},
        {"zstd", FIRN_AVRO_CODEC_ZSTANDARD},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (firn_strcaseeq(name, known[i].name)) {
            *out = known[i].codec;
            return true;
        }
    }
    return false;
}

/* ---- header ---- */

static firn_rc bad_header(const firn_avro_reader *r, const char *why, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: damaged Avro header: %s", r->name, why);
}

static firn_rc read_meta(firn_avro_reader *r, firn_err *err)
{
    firn_map *seen = firn_map_new(r->arena);
    for (;;) {
        int64_t count;
        if (!firn_avro_get_block(&r->cursor, &count, NULL))
            return bad_header(r, "its metadata ends early", err);
        if (count == 0)
            return FIRN_OK;
        if ((uint64_t)count > FIRN_AVRO_META_KEYS_MAX - r->meta.len) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "%s: more than %d metadata keys in the Avro header",
                      r->name, FIRN_AVRO_META_KEYS_MAX);
        }
        for (int64_t i = 0; i < count; i++) {
            firn_bytes key, value;
            if (!firn_avro_get_bytes(&r->cursor, &key) || !firn_avro_get_bytes(&r->cursor, &value))
                return bad_header(r, "its metadata ends early", err);
            if (key.len > 0 && memchr(key.data, 0, key.len))
                return bad_header(r, "a metadata key holds a NUL", err);
            char *text = firn_arena_strndup(r->arena, (const char *)key.data, key.len);
            if (firn_map_put(seen, text, text))
                return bad_header(r, "a metadata key stands there twice", err);
            firn_vec_push(r->arena, &r->meta, ((firn_avro_meta){.key = text, .value = value}));
        }
    }
}

static firn_rc read_codec(firn_avro_reader *r, firn_err *err)
{
    const char *name = firn_avro_reader_meta_text(r, "avro.codec");
    r->codec = FIRN_AVRO_CODEC_NULL;
    for (size_t i = 0; name && i < sizeof codec_names / sizeof *codec_names; i++) {
        if (firn_streq(name, codec_names[i])) {
            r->codec = (firn_avro_codec)i;
            return FIRN_OK;
        }
    }
    if (name && *name) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s: Avro codec \"%s\" is not supported; known are null, deflate, snappy and "
                  "zstandard",
                  r->name, name);
    }
    return FIRN_OK;
}

static firn_rc read_header(firn_avro_reader *r, firn_err *err)
{
    firn_bytes bytes;
    if (!firn_avro_get_fixed(&r->cursor, sizeof magic, &bytes) ||
        memcmp(bytes.data, magic, sizeof magic) != 0) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: not an Avro file: it does not start with \"Obj\" and 1",
                  r->name);
    }
    FIRN_TRY(read_meta(r, err));
    if (!firn_avro_get_fixed(&r->cursor, FIRN_AVRO_SYNC_BYTES, &bytes))
        return bad_header(r, "it ends before the sync marker", err);
    r->sync = bytes.data;

    const firn_avro_meta *schema = NULL;
    for (size_t i = 0; i < r->meta.len; i++) {
        if (firn_streq(r->meta.items[i].key, "avro.schema"))
            schema = &r->meta.items[i];
    }
    if (!schema)
        return bad_header(r, "it has no avro.schema", err);
    FIRN_TRY(firn_avro_schema_parse(r->arena, schema->value, r->name, &r->schema, err));
    return read_codec(r, err);
}

static void release_plain(void *ctx)
{
    firn_buf_deinit(ctx);
}

firn_rc firn_avro_reader_open(firn_arena *arena, firn_bytes bytes, const char *name,
                              firn_avro_reader **out, firn_err *err)
{
    firn_avro_reader *r = FIRN_NEW(arena, firn_avro_reader);
    r->arena = arena;
    r->name = firn_arena_strdup(arena, name);
    r->file = bytes;
    r->cursor = firn_avro_cursor_of(bytes);
    firn_buf_init(&r->plain, (size_t)FIRN_AVRO_BLOCK_BYTES_MAX + 1);
    firn_arena_defer(arena, release_plain, &r->plain);
    FIRN_TRY(read_header(r, err));
    *out = r;
    return FIRN_OK;
}

/* ---- blocks ---- */

static firn_rc snappy_block(firn_bytes stored, firn_buf *plain, firn_err *err)
{
    if (stored.len < 4)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "too short for its checksum");
    firn_bytes packed = firn_bytes_of(stored.data, stored.len - 4);
    FIRN_TRY(firn_snappy_decompress(packed, FIRN_AVRO_BLOCK_BYTES_MAX, plain, err));
    uint32_t want;
    memcpy(&want, stored.data + packed.len, sizeof want);
    uint32_t have = (uint32_t)crc32_z(0, plain->data, plain->len);
    if (have != be32toh(want)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "its checksum is %08x, the content's %08x", be32toh(want),
                  have);
    }
    return FIRN_OK;
}

static firn_rc unpack(firn_avro_reader *r, firn_bytes stored, firn_bytes *out, firn_err *err)
{
    firn_buf_clear(&r->plain);
    switch (r->codec) {
    case FIRN_AVRO_CODEC_NULL: *out = stored; return FIRN_OK;
    case FIRN_AVRO_CODEC_DEFLATE:
        FIRN_TRY(firn_deflate_decompress(stored, FIRN_AVRO_BLOCK_BYTES_MAX, &r->plain, err));
        break;
    case FIRN_AVRO_CODEC_SNAPPY: FIRN_TRY(snappy_block(stored, &r->plain, err)); break;
    case FIRN_AVRO_CODEC_ZSTANDARD:
        FIRN_TRY(firn_zstd_decompress(stored, FIRN_AVRO_BLOCK_BYTES_MAX, &r->plain, err));
        break;
    }
    *out = firn_buf_bytes(&r->plain);
    return FIRN_OK;
}

/* A record takes at least so many bytes, so a count larger than the content allows is a lie. */
static firn_rc check_count(const firn_avro_reader *r, const firn_avro_block *block, firn_err *err)
{
    size_t size_min = r->schema->encoded_size_min;
    if (size_min == 0 && block->record_count > FIRN_AVRO_EMPTY_ITEMS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%lld records without content; the most is %d",
                  (long long)block->record_count, FIRN_AVRO_EMPTY_ITEMS_MAX);
    if (size_min > 0 && (uint64_t)block->record_count > block->data.len / size_min)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%zu bytes cannot hold the %lld records it claims",
                  block->data.len, (long long)block->record_count);
    return FIRN_OK;
}

static firn_rc read_block(firn_avro_reader *r, firn_avro_block *block, firn_err *err)
{
    int64_t size;
    if (!firn_avro_get_long(&r->cursor, &block->record_count) ||
        !firn_avro_get_long(&r->cursor, &size))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the file ends within its head");
    if (block->record_count < 0 || size < 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "its count or size is negative");
    if (size > FIRN_AVRO_BLOCK_BYTES_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%lld bytes; the most is %d", (long long)size,
                  FIRN_AVRO_BLOCK_BYTES_MAX);

    firn_bytes stored, sync;
    if (!firn_avro_get_fixed(&r->cursor, (size_t)size, &stored) ||
        !firn_avro_get_fixed(&r->cursor, FIRN_AVRO_SYNC_BYTES, &sync))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the file ends within it");
    if (memcmp(sync.data, r->sync, FIRN_AVRO_SYNC_BYTES) != 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the sync marker after it is not the file's");
    if (block->record_count == 0)
        return FIRN_OK;
    FIRN_TRY(unpack(r, stored, &block->data, err));
    return check_count(r, block, err);
}

firn_rc firn_avro_reader_next(firn_avro_reader *r, firn_avro_block *block, firn_err *err)
{
    do {
        *block = (firn_avro_block){
            .index = r->block_index,
            .offset = r->cursor.pos - r->file.data,
        };
        if (firn_avro_remaining(&r->cursor) == 0)
            return FIRN_OK;
        firn_rc rc = read_block(r, block, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "%s: Avro block %lld at byte %lld", r->name,
                                 (long long)block->index, (long long)block->offset);
        }
        r->block_index++;
    } while (block->record_count == 0);
    return FIRN_OK;
}

/* ---- what the header said ---- */

const firn_avro_schema *firn_avro_reader_schema(const firn_avro_reader *r)
{
    return r->schema;
}

firn_avro_codec firn_avro_reader_codec(const firn_avro_reader *r)
{
    return r->codec;
}

const firn_avro_meta *firn_avro_reader_meta(const firn_avro_reader *r, size_t *count)
{
    *count = r->meta.len;
    return r->meta.items;
}

const char *firn_avro_reader_meta_text(const firn_avro_reader *r, const char *key)
{
    for (size_t i = 0; i < r->meta.len; i++) {
        const firn_avro_meta *meta = &r->meta.items[i];
        if (firn_streq(meta->key, key))
            return firn_arena_strndup(r->arena, (const char *)meta->value.data, meta->value.len);
    }
    return NULL;
}
