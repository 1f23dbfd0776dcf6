/*
 * proto_text_fuzz.c - .proto text, and what comes of its messages.
 *
 * Up to the first NUL: the schema; behind it, up to the next: the text of its import "i.proto". Every message that the schema has is made
 * into a decoder, and an empty message decoded: it has a row, or lacks what is required.
 */
#include "base/arena.h"
#include "format/protobuf.h"

#include <stdlib.h>

enum { MESSAGES_MAX = 16, BATCH_BYTES_MAX = 32 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(firn_arena *arena, const firn_proto_message *message)
{
    firn_err err;
    firn_proto_decoder *decoder;
    firn_avro_decoder_opts opts = {.batch_bytes_max = BATCH_BYTES_MAX};
    if (firn_proto_decoder_new(arena, message, &opts, &decoder, &err) != FIRN_OK)
        return;
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_proto_decoder_shape(decoder));
    firn_rc rc = firn_proto_decoder_decode(decoder, (firn_bytes){0}, batch, &err);
    if (firn_avro_batch_root(batch)->length != (rc == FIRN_OK))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err;
    char *text = firn_arena_strndup(arena, (const char *)data, size);
    size_t len = strlen(text);
    firn_proto_import import = {
        "i.proto",
        len < size ? firn_arena_strndup(arena, (const char *)data + len + 1, size - len - 1) : ""};
    firn_proto_file *file;
    if (firn_proto_parse(arena, text, &import, 1, &file, &err) != FIRN_OK)
        return 0;
    for (int32_t i = 0; i < MESSAGES_MAX; i++) {
        for (int32_t j = -1; j < MESSAGES_MAX; j++) {
            const firn_proto_message *message;
            if (firn_proto_by_index(file, (int32_t[]){i, j}, j < 0 ? 1 : 2, &message, &err) !=
                FIRN_OK)
                break;
            use(arena, message);
        }
    }
    return 0;
}
