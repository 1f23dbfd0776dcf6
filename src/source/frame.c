/* The Confluent wire format's frames. The layout is in frame.h. */
#include "frame.h"

#include "format/avro_codec.h"

#include <ctype.h>

enum { MAGIC_ID = 0, MAGIC_GUID = 1, ID_BYTES = 4, GUID_BYTES = 16 };

const firn_kafka_header *firn_frame_header(const firn_kafka_header *headers, size_t n, bool key)
{
    const char *name = key ? "__key_schema_id" : "__value_schema_id";
    for (size_t i = n; i > 0; i--) { /* of several the last one counts, as in the Java client */
        if (firn_streq(headers[i - 1].name, name) && headers[i - 1].value.data)
            return &headers[i - 1];
    }
    return NULL;
}

static firn_rc no_frame(firn_bytes bytes, bool in_header, firn_err *err)
{
    const char *where = in_header ? "the header with the schema's id" : "the payload";
    if (bytes.len == 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is empty", where);
    uint8_t first = bytes.data[0];
    if (first == MAGIC_ID || first == MAGIC_GUID) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is cut off within the schema's id (%zu bytes)", where,
                  bytes.len);
    }
    char text[] = " ('?')";
    text[3] = (char)first;
    FIRN_FAIL(err, FIRN_E_CORRUPT,
              "%s begins with byte 0x%02X%s, not with the magic byte 0 or 1 before a schema's id: "
              "it was not written by a registry's serializer",
              where, first, isprint(first) ? text : "");
}

firn_rc firn_frame_read(firn_bytes payload, const firn_kafka_header *header, firn_frame *out,
                        firn_err *err)
{
    firn_bytes bytes = header ? header->value : payload;
    size_t len;
    if (bytes.len > ID_BYTES && bytes.data[0] == MAGIC_ID) {
        out->kind = FIRN_FRAME_ID;
        out->id = (int32_t)((uint32_t)bytes.data[1] << 24 | (uint32_t)bytes.data[2] << 16 |
                            (uint32_t)bytes.data[3] << 8 | bytes.data[4]);
        len = 1 + ID_BYTES;
    } else if (bytes.len > GUID_BYTES && bytes.data[0] == MAGIC_GUID) {
        out->kind = FIRN_FRAME_GUID;
        memcpy(out->guid, bytes.data + 1, GUID_BYTES);
        len = 1 + GUID_BYTES;
    } else {
        return no_frame(bytes, header != NULL, err);
    }
    firn_bytes rest = firn_bytes_of(bytes.data + len, bytes.len - len);
    out->header = header ? rest : (firn_bytes){0};
    out->payload = header ? payload : rest;
    return FIRN_OK;
}

firn_rc firn_frame_path(firn_frame *frame, int32_t path[FIRN_FRAME_PATH_MAX], size_t *n,
                        firn_err *err)
{
    bool in_header = frame->header.data != NULL;
    firn_avro_cursor cursor = firn_avro_cursor_of(in_header ? frame->header : frame->payload);
    int32_t count;
    bool fine = firn_avro_get_int(&cursor, &count) && count >= 0 && count <= FIRN_FRAME_PATH_MAX;
    for (int32_t i = 0; fine && i < count; i++)
        fine = firn_avro_get_int(&cursor, &path[i]) && path[i] >= 0;
    if (!fine) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "the path to the Protobuf message type behind the schema's id is malformed");
    }
    if (count == 0)
        path[0] = 0;
    *n = count == 0 ? 1 : (size_t)count;
    if (!in_header)
        frame->payload = firn_bytes_of(cursor.pos, firn_avro_remaining(&cursor));
    return FIRN_OK;
}
