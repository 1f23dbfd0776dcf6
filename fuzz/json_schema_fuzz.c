/*
 * json_schema_fuzz.c - JSON Schemas as records. The input is a schema, a NUL, a schema that it may refer to as "other", a NUL, and a
 * document of it.
 *
 * Besides not crashing: what becomes a record can be compiled, unless it is larger than columns may be.
 */
#include "base/arena.h"
#include "format/avro.h"
#include "format/json_columns.h"

#include <stdlib.h>

enum { BATCH_BYTES_MAX = 32 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text up to the next NUL, which is passed over. */
static const char *next_part(firn_arena *arena, const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size > 0 ? memchr(*data, 0, *size) : NULL;
    size_t len = end ? (size_t)(end - *data) : *size;
    const char *text = firn_arena_strndup(arena, (const char *)*data, len);
    *data += len + (end != NULL);
    *size -= len + (end != NULL);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    firn_err err;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    if (size == 0)
        return 0;
    const char *text = next_part(arena, &data, &size);
    firn_json_schema_reference other = {.name = "other", .text = next_part(arena, &data, &size)};
    const firn_avro_schema *schema;
    firn_json_decoder *decoder;
    firn_avro_decoder_opts opts = {.batch_bytes_max = BATCH_BYTES_MAX};
    if (firn_json_schema_avro(arena, text, &other, 1, &schema, &err) != FIRN_OK)
        return 0;
    firn_rc rc = firn_json_decoder_new(arena, schema, &opts, &decoder, &err);
    if (rc != FIRN_OK) {
        if (rc != FIRN_E_LIMIT)
            abort();
        return 0;
    }
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_json_decoder_shape(decoder));
    (void)!firn_json_decoder_decode(decoder, firn_bytes_of(data, size), batch, NULL, &err);
    return 0;
}
