/*
 * puffin_fuzz.c - Puffin files: footer, blobs, decompression.
 *
 * An input is a file. Besides not crashing: every blob that the footer admits lies within the file.
 */
#include "base/arena.h"
#include "format/dv.h"
#include "format/puffin.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err;
    firn_puffin puffin;
    if (firn_puffin_parse(arena, firn_bytes_of(data, size), "fuzz", &puffin, &err) != FIRN_OK)
        return 0;
    for (size_t i = 0; i < puffin.blob_count; i++) {
        const firn_puffin_blob *blob = &puffin.blobs[i];
        if ((uint64_t)blob->offset + (uint64_t)blob->length > size)
            abort();
        firn_bytes stored = firn_bytes_of(data + blob->offset, (size_t)blob->length);
        firn_bytes content;
        FIRN_AUTO_DV firn_dv *dv = NULL;
        if (firn_puffin_blob_content(arena, blob, stored, &content, &err) == FIRN_OK &&
            firn_dv_deserialise(content, &dv, &err) == FIRN_OK)
            (void)firn_dv_cardinality(dv);
    }
    return 0;
}
