/* Metadata files of tables and views: plain or gzip JSON, their names and versions (spec: "Table Metadata and Snapshots").
 *
 * A metadata file is written once under a new name and never changed, so storing is a put-if-absent.
 */
#include "metadata_private.h"

#include "base/uuid.h"

#include <zlib.h>

static bool is_gzip(firn_bytes text)
{
    return text.len >= 2 && text.data[0] == 0x1f && text.data[1] == 0x8b;
}

/* Grows as it goes: the size in a gzip trailer is the writer's claim, not a fact. */
static firn_rc gunzip(firn_bytes packed, const char *what, firn_buf *out, firn_err *err)
{
    z_stream stream = {.next_in = (Bytef *)packed.data, .avail_in = (uInt)packed.len};
    if (packed.len > UINT32_MAX || inflateInit2(&stream, 15 + 16) != Z_OK)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "%s: cannot start decompression", what);
    int status = Z_OK;
    while (status == Z_OK) {
        enum { CHUNK_BYTES = 256 << 10 };
        uint8_t *room = firn_buf_reserve(out, CHUNK_BYTES);
        if (!room)
            break;
        stream.next_out = room;
        stream.avail_out = CHUNK_BYTES;
        status = inflate(&stream, Z_NO_FLUSH);
        out->len += CHUNK_BYTES - stream.avail_out;
        if (status == Z_STREAM_END && stream.avail_in > 0) /* gzip members may follow one another */
            status = inflateReset(&stream);
    }
    inflateEnd(&stream);
    if (out->overflow)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: larger than %d MiB when decompressed", what,
                  FIRN_METADATA_BYTES_MAX >> 20);
    if (status != Z_STREAM_END)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: broken or cut off gzip data", what);
    return FIRN_OK;
}

static firn_rc gzip(firn_bytes plain, firn_buf *out, firn_err *err)
{
    z_stream stream = {.next_in = (Bytef *)plain.data, .avail_in = (uInt)plain.len};
    if (plain.len > UINT32_MAX || deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16,
                                               8, Z_DEFAULT_STRATEGY) != Z_OK)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "cannot start compression of metadata");
    size_t bound = deflateBound(&stream, (uLong)plain.len);
    stream.next_out = firn_buf_reserve(out, bound);
    stream.avail_out = stream.next_out ? (uInt)bound : 0;
    int status = deflate(&stream, Z_FINISH);
    out->len += bound - stream.avail_out;
    deflateEnd(&stream);
    if (status != Z_STREAM_END)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "cannot compress metadata");
    return FIRN_OK;
}

firn_rc firn_metadata_file_parse(firn_arena *arena, firn_bytes text, const char *what, json_t **out,
                                 firn_err *err)
{
    FIRN_AUTO_BUF firn_buf plain = {0};
    if (is_gzip(text)) {
        firn_buf_init(&plain, FIRN_METADATA_BYTES_MAX);
        FIRN_TRY(gunzip(text, what, &plain, err));
        text = firn_buf_bytes(&plain);
    }
    return firn_json_parse(arena, text, what, out, err);
}

firn_rc firn_metadata_parse(firn_arena *arena, firn_bytes text, const char *what,
                            firn_metadata **out, firn_err *err)
{
    json_t *json = NULL;
    FIRN_TRY(firn_metadata_file_parse(arena, text, what, &json, err));
    return firn_metadata_from_json(arena, json, what, out, err);
}

firn_rc firn_metadata_load(firn_storage *storage, firn_arena *arena, const char *location,
                           firn_metadata **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_bytes content;
    FIRN_TRY(firn_storage_get(storage, scratch, location, FIRN_METADATA_BYTES_MAX, &content, err));
    const char *what = firn_arena_printf(arena, "table metadata %s", location);
    return firn_metadata_parse(arena, content, what, out, err);
}

/* The number that the next version's file carries: "00012-<uuid>.metadata.json" and "v12.metadata.json"
 * are both followed by 13. */
static int64_t next_version(const char *previous_location)
{
    if (!previous_location)
        return 0;
    const char *slash = strrchr(previous_location, '/');
    const char *name = slash ? slash + 1 : previous_location;
    if (*name == 'v')
        name++;
    int64_t version = 0;
    size_t digits = strspn(name, "0123456789");
    if (digits == 0 || digits > 15 || (name[digits] != '-' && name[digits] != '.'))
        return 0;
    for (size_t i = 0; i < digits; i++)
        version = version * 10 + (name[i] - '0');
    return version + 1;
}

firn_rc firn_metadata_file_store(firn_storage *storage, firn_arena *arena,
                                 const firn_metadata_file *file, char **location, firn_err *err)
{
    const char *codec = file->codec ? file->codec : "none";
    bool compress = firn_strcaseeq(codec, "gzip");
    if (!compress && !firn_strcaseeq(codec, "none") && *codec != '\0')
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s property write.metadata.compression-codec is '%s': use gzip or none",
                  file->subject, codec);
    const char *folder =
        file->folder ? file->folder : firn_arena_printf(arena, "%s/metadata", file->location);
    const char *name =
        firn_arena_printf(arena, "%05lld-%s%s", (long long)next_version(file->previous_location),
                          firn_uuid_new(arena), compress ? ".gz.metadata.json" : ".metadata.json");
    *location = firn_location_join(arena, folder, name);

    FIRN_AUTO_BUF firn_buf packed = {0};
    firn_bytes content = file->text;
    if (content.len > file->bytes_max)
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "%s metadata would be %zu bytes, more than can be read back (%zu MiB): %s",
                  file->subject, content.len, file->bytes_max >> 20, file->too_large_hint);
    if (compress) {
        FIRN_TRY(gzip(content, &packed, err));
        content = firn_buf_bytes(&packed);
    }
    return firn_storage_put_if_absent(storage, *location, content, err);
}

firn_rc firn_metadata_store(firn_storage *storage, firn_arena *arena, const firn_metadata *metadata,
                            const char *previous_location, char **location, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_metadata_write(metadata, &text);
    if (text.overflow)
        FIRN_FAIL(err, FIRN_E_LIMIT, "table metadata would be more than %zu MiB: expire snapshots",
                  FIRN_BUF_MAX_DEFAULT >> 20);
    firn_metadata_file file = {
        .subject = "table",
        .text = firn_buf_bytes(&text),
        .location = metadata->location,
        .folder = firn_metadata_property(metadata, "write.metadata.path", NULL),
        .codec = firn_metadata_property(metadata, "write.metadata.compression-codec", NULL),
        .previous_location = previous_location,
        .bytes_max = FIRN_METADATA_BYTES_MAX,
        .too_large_hint = "expire snapshots",
    };
    return firn_metadata_file_store(storage, arena, &file, location, err);
}
