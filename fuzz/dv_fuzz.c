/*
 * dv_fuzz.c - deletion vectors: the roaring bitmaps inside.
 *
 * An input is the vector alone; the length, magic and checksum around it are put there, or no input would ever come past
 * the checksum. It is also tried as a whole blob. Besides not crashing: what is read ascends strictly, counts as it says,
 * holds what it lists, and survives writing and reading again.
 */
#include "format/dv.h"

#include <endian.h>
#include <stdlib.h>
#include <zlib.h>

enum { POSITIONS_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void put_be32(firn_buf *out, uint32_t value)
{
    value = htobe32(value);
    firn_buf_append(out, &value, sizeof value);
}

static void check(firn_dv *dv)
{
    uint64_t count = firn_dv_cardinality(dv);
    if (count > POSITIONS_MAX)
        return;
    uint64_t *positions = malloc((count + 1) * sizeof *positions);
    firn_dv_to_array(dv, positions);
    for (uint64_t i = 0; i < count; i++) {
        require(i == 0 || positions[i] > positions[i - 1]);
        require(firn_dv_contains(dv, positions[i]));
    }
    uint64_t max;
    require(firn_dv_max(dv, &max) == (count > 0));
    require(count == 0 || max == positions[count - 1]);
    require(count == 0 || firn_dv_rank(dv, max) == count - 1);

    firn_err err;
    FIRN_AUTO_BUF firn_buf blob = {0};
    FIRN_AUTO_DV firn_dv *again = NULL;
    require(firn_dv_serialise(dv, &blob, &err) == FIRN_OK);
    require(firn_dv_deserialise(firn_buf_bytes(&blob), &again, &err) == FIRN_OK);
    uint64_t *read = malloc((count + 1) * sizeof *read);
    require(firn_dv_cardinality(again) == count);
    firn_dv_to_array(again, read);
    require(count == 0 || memcmp(read, positions, count * sizeof *read) == 0);
    firn_dv_or(again, dv);
    require(firn_dv_cardinality(again) == count);
    free(positions);
    free(read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t magic[4] = {0xD1, 0xD3, 0x39, 0x64};
    firn_err err;
    FIRN_AUTO_BUF firn_buf blob = {0};
    put_be32(&blob, (uint32_t)(size + sizeof magic));
    firn_buf_append(&blob, magic, sizeof magic);
    firn_buf_append(&blob, data, size);
    put_be32(&blob, (uint32_t)crc32_z(0, blob.data + 4, blob.len - 4));

    FIRN_AUTO_DV firn_dv *dv = NULL;
    if (firn_dv_deserialise(firn_buf_bytes(&blob), &dv, &err) == FIRN_OK)
        check(dv);
    FIRN_AUTO_DV firn_dv *raw = NULL;
    if (firn_dv_deserialise(firn_bytes_of(data, size), &raw, &err) == FIRN_OK)
        check(raw);
    return 0;
}
