/* Puffin files. The layout is in format/puffin.h. */
#include "format/puffin.h"

#include "compress.h"
#include "format/dv.h"

#include <endian.h>

enum {
    MAGIC_BYTES = 4,
    FLAG_FOOTER_LZ4 = 1, /* bit 0 of the first flag byte */
    FOOTER_FRAME_BYTES = MAGIC_BYTES + FIRN_PUFFIN_TAIL_BYTES,
    FIELDS_MAX = 1 << 16, /* field ids of one blob */
};

static const uint8_t magic[MAGIC_BYTES] = {'P', 'F', 'A', '1'};

/* ---- reading ---- */

static uint32_t get_le32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

firn_rc firn_puffin_footer_size(firn_bytes tail, int64_t file_size, const char *name, int64_t *out,
                                firn_err *err)
{
    if (tail.len != FIRN_PUFFIN_TAIL_BYTES || file_size < MAGIC_BYTES + FOOTER_FRAME_BYTES) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: %lld bytes are too few for a Puffin file", name,
                  (long long)file_size);
    }
    if (memcmp(tail.data + 8, magic, MAGIC_BYTES) != 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: not a Puffin file: it does not end with PFA1", name);
    int64_t payload = get_le32(tail.data);
    if (payload > FIRN_PUFFIN_FOOTER_BYTES_MAX && payload <= INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: a Puffin footer of %lld bytes; the most is %d", name,
                  (long long)payload, FIRN_PUFFIN_FOOTER_BYTES_MAX);
    }
    if (payload > file_size - MAGIC_BYTES - FOOTER_FRAME_BYTES) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: its Puffin footer says %lld bytes, more than the file has", name,
                  (long long)payload);
    }
    *out = payload + FOOTER_FRAME_BYTES;
    return FIRN_OK;
}

/* Payload as JSON text, decompressed where its flag says so. */
static firn_rc footer_payload(firn_arena *arena, firn_bytes footer, const char *name,
                              firn_bytes *out, firn_err *err)
{
    const uint8_t *flags = footer.data + footer.len - 8;
    uint32_t unknown = get_le32(flags) & ~(uint32_t)FLAG_FOOTER_LZ4;
    if (unknown != 0)
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s: unknown Puffin flags %08x", name, unknown);
    firn_bytes stored = firn_bytes_of(footer.data + MAGIC_BYTES, footer.len - FOOTER_FRAME_BYTES);
    if (!(flags[0] & FLAG_FOOTER_LZ4)) {
        *out = stored;
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf plain = {0};
    firn_rc rc = firn_lz4_decompress(stored, FIRN_PUFFIN_FOOTER_BYTES_MAX, &plain, err);
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "%s: Puffin footer", name);
    *out = firn_bytes_dup(arena, firn_buf_bytes(&plain));
    return FIRN_OK;
}

static firn_rc parse_fields(firn_arena *arena, const json_t *json, const char *name,
                            firn_puffin_blob *out, firn_err *err)
{
    json_t *list;
    FIRN_TRY(firn_json_array(json, "fields", name, &list, err));
    size_t count = json_array_size(list);
    if (count > FIELDS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: a blob with more than %d fields", name, FIELDS_MAX);
    int32_t *fields = FIRN_NEW_N(arena, int32_t, count);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id != (int32_t)id)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: \"fields\" of a blob holds no field ids", name);
        fields[i] = (int32_t)id;
    }
    out->fields = fields;
    out->field_count = count;
    return FIRN_OK;
}

static firn_rc parse_properties(const json_t *json, const char *name, const json_t **out,
                                firn_err *err)
{
    json_t *properties;
    FIRN_TRY(firn_json_opt_object(json, "properties", name, &properties, err));
    const char *key;
    json_t *value;
    json_object_foreach(properties, key, value)
    {
        if (!json_is_string(value))
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: property \"%s\" is not a string", name, key);
    }
    *out = properties;
    return FIRN_OK;
}

static firn_rc parse_blob(firn_arena *arena, const json_t *json, int64_t blobs_end,
                          const char *name, firn_puffin_blob *out, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: \"blobs\" holds something that is no object", name);
    FIRN_TRY(firn_json_str(json, "type", name, &out->type, err));
    FIRN_TRY(parse_fields(arena, json, name, out, err));
    FIRN_TRY(firn_json_i64(json, "snapshot-id", name, &out->snapshot_id, err));
    FIRN_TRY(firn_json_i64(json, "sequence-number", name, &out->sequence_number, err));
    FIRN_TRY(firn_json_i64(json, "offset", name, &out->offset, err));
    FIRN_TRY(firn_json_i64(json, "length", name, &out->length, err));
    FIRN_TRY(firn_json_opt_str(json, "compression-codec", name, NULL, &out->codec, err));
    FIRN_TRY(parse_properties(json, name, &out->properties, err));
    bool inside = out->offset >= MAGIC_BYTES && out->length >= 0 && out->offset <= blobs_end &&
                  out->length <= blobs_end - out->offset;
    if (!inside) {
        FIRN_FAIL(
            err, FIRN_E_CORRUPT,
            "%s: blob of type %s at byte %lld, %lld long, does not lie before the footer at %lld",
            name, out->type, (long long)out->offset, (long long)out->length, (long long)blobs_end);
    }
    return FIRN_OK;
}

firn_rc firn_puffin_parse_footer(firn_arena *arena, firn_bytes footer, int64_t file_size,
                                 const char *name, firn_puffin *out, firn_err *err)
{
    if (footer.len < FOOTER_FRAME_BYTES)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: its Puffin footer is cut off", name);
    firn_bytes tail =
        firn_bytes_of(footer.data + footer.len - FIRN_PUFFIN_TAIL_BYTES, FIRN_PUFFIN_TAIL_BYTES);
    int64_t size;
    FIRN_TRY(firn_puffin_footer_size(tail, file_size, name, &size, err));
    if ((uint64_t)size != footer.len || memcmp(footer.data, magic, MAGIC_BYTES) != 0) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: its Puffin footer does not start with PFA1 where it should", name);
    }

    firn_bytes payload;
    json_t *json, *blobs;
    FIRN_TRY(footer_payload(arena, footer, name, &payload, err));
    FIRN_TRY(firn_json_parse(arena, payload, name, &json, err));
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: its Puffin footer is no JSON object", name);
    FIRN_TRY(firn_json_array(json, "blobs", name, &blobs, err));
    size_t count = json_array_size(blobs);
    firn_puffin_blob *items = FIRN_NEW_N(arena, firn_puffin_blob, count);
    for (size_t i = 0; i < count; i++)
        FIRN_TRY(
            parse_blob(arena, json_array_get(blobs, i), file_size - size, name, &items[i], err));
    *out = (firn_puffin){.blobs = items, .blob_count = count, .json = json};
    return parse_properties(json, name, &out->properties, err);
}

firn_rc firn_puffin_parse(firn_arena *arena, firn_bytes file, const char *name, firn_puffin *out,
                          firn_err *err)
{
    if (file.len < MAGIC_BYTES || memcmp(file.data, magic, MAGIC_BYTES) != 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: not a Puffin file: it does not start with PFA1", name);
    int64_t size = (int64_t)file.len;
    int64_t footer_size;
    size_t tail_len = file.len < FIRN_PUFFIN_TAIL_BYTES ? file.len : FIRN_PUFFIN_TAIL_BYTES;
    firn_bytes tail = firn_bytes_of(file.data + file.len - tail_len, tail_len);
    FIRN_TRY(firn_puffin_footer_size(tail, size, name, &footer_size, err));
    firn_bytes footer = firn_bytes_of(file.data + (size - footer_size), (size_t)footer_size);
    return firn_puffin_parse_footer(arena, footer, size, name, out, err);
}

firn_rc firn_puffin_blob_content(firn_arena *arena, const firn_puffin_blob *blob, firn_bytes stored,
                                 firn_bytes *out, firn_err *err)
{
    if (stored.len != (uint64_t)blob->length) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%zu bytes given for a Puffin blob of %lld", stored.len,
                  (long long)blob->length);
    }
    if (!blob->codec) {
        *out = stored;
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf plain = {.max = (size_t)FIRN_PUFFIN_BLOB_BYTES_MAX + 1};
    firn_rc rc;
    if (firn_streq(blob->codec, "zstd")) {
        rc = firn_zstd_decompress(stored, FIRN_PUFFIN_BLOB_BYTES_MAX, &plain, err);
    } else if (firn_streq(blob->codec, "lz4")) {
        rc = firn_lz4_decompress(stored, FIRN_PUFFIN_BLOB_BYTES_MAX, &plain, err);
    } else {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "Puffin blob of type %s: compression \"%s\" is not supported; known are lz4 and zstd",
            blob->type, blob->codec);
    }
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "Puffin blob of type %s", blob->type);
    *out = firn_bytes_dup(arena, firn_buf_bytes(&plain));
    return FIRN_OK;
}

const char *firn_puffin_property(const json_t *properties, const char *key)
{
    return json_string_value(json_object_get(properties, key));
}

/* ---- writing ---- */

struct firn_puffin_writer {
    firn_arena *arena;
    firn_buf *out;
    json_t *blobs; /* owned by the arena */
};

firn_puffin_writer *firn_puffin_writer_open(firn_arena *arena, firn_buf *out)
{
    firn_puffin_writer *w = FIRN_NEW(arena, firn_puffin_writer);
    *w = (firn_puffin_writer){
        .arena = arena,
        .out = out,
        .blobs = firn_json_own(arena, json_array()),
    };
    firn_buf_append(out, magic, MAGIC_BYTES);
    return w;
}

static json_t *blob_json(const firn_puffin_blob *blob)
{
    json_t *json = json_object();
    json_t *fields = json_array();
    for (size_t i = 0; i < blob->field_count; i++)
        json_array_append_new(fields, json_integer(blob->fields[i]));
    json_object_set_new(json, "type", json_string(blob->type));
    json_object_set_new(json, "fields", fields);
    json_object_set_new(json, "snapshot-id", json_integer(blob->snapshot_id));
    json_object_set_new(json, "sequence-number", json_integer(blob->sequence_number));
    json_object_set_new(json, "offset", json_integer(blob->offset));
    json_object_set_new(json, "length", json_integer(blob->length));
    if (blob->codec)
        json_object_set_new(json, "compression-codec", json_string(blob->codec));
    if (blob->properties)
        json_object_set_new(json, "properties", json_deep_copy(blob->properties));
    return json;
}

firn_rc firn_puffin_writer_add(firn_puffin_writer *w, firn_puffin_blob *blob, firn_bytes content,
                               firn_err *err)
{
    size_t start = w->out->len;
    if (!blob->codec) {
        if (content.len > 0)
            firn_buf_append(w->out, content.data, content.len);
    } else if (!firn_streq(blob->codec, "zstd")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "Puffin blobs are written plain or as zstd, not as \"%s\"", blob->codec);
    } else if (firn_streq(blob->type, FIRN_DV_BLOB_TYPE)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "a deletion vector must not be compressed: readers seek in it");
    } else {
        FIRN_TRY(firn_zstd_compress(content, 0, w->out, err));
    }
    if (w->out->overflow)
        FIRN_FAIL(err, FIRN_E_LIMIT, "a Puffin file larger than it may be");
    blob->offset = (int64_t)start;
    blob->length = (int64_t)(w->out->len - start);
    json_array_append_new(w->blobs, blob_json(blob));
    return FIRN_OK;
}

firn_rc firn_puffin_writer_finish(firn_puffin_writer *w, const json_t *properties, firn_err *err)
{
    json_t *footer = firn_json_own(w->arena, json_object());
    json_object_set(footer, "blobs", w->blobs);
    if (properties)
        json_object_set_new(footer, "properties", json_deep_copy(properties));
    const char *text = firn_json_text(w->arena, footer);
    size_t len = strlen(text);
    if (len > FIRN_PUFFIN_FOOTER_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "a Puffin footer of %zu bytes; the most is %d", len,
                  FIRN_PUFFIN_FOOTER_BYTES_MAX);
    }
    uint32_t tail[2] = {htole32((uint32_t)len), 0}; /* size, flags */
    firn_buf_append(w->out, magic, MAGIC_BYTES);
    firn_buf_append(w->out, text, len);
    firn_buf_append(w->out, tail, sizeof tail);
    firn_buf_append(w->out, magic, MAGIC_BYTES);
    if (w->out->overflow)
        FIRN_FAIL(err, FIRN_E_LIMIT, "a Puffin file larger than it may be");
    return FIRN_OK;
}
