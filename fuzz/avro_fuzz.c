/*
 * avro_fuzz.c - Avro container files, schemas, resolution and both decoders.
 *
 * An input that starts with "Obj" 1 is a container file. Any other is three parts with a NUL after the first two: writer's
 * schema, reader's schema (empty: none), data of one record after another.
 *
 * Besides not crashing: what decodes into columns decodes into trees as well, and both see the same number of records. Columns are the same, and so are errors,
 * with the short way for fields and without.
 */
#include "../tests/unit/format/avro_same.h"
#include "base/arena.h"
#include "format/avro.h"

#include <stdlib.h>

enum { BATCH_BYTES_MAX = 32 << 20, VALUES_PER_BLOCK_MAX = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* All of `data` once more in a batch without short ways: the same columns, the same words. */
static void check_quick(const firn_avro_decoder *decoder, firn_bytes data, int64_t count,
                        const firn_avro_batch *quick, firn_rc expected,
                        const firn_err *expected_err)
{
    firn_err err = {0};
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch = firn_avro_batch_new(decoder);
    avro_forget_quick((firn_avro_column *)firn_avro_batch_root(batch));
    firn_rc rc = firn_avro_decoder_decode(decoder, data, count, batch, &err);
    require(rc == expected);
    if (rc != FIRN_OK)
        require(firn_streq(err.message, expected_err->message));
    require(avro_same_columns(firn_avro_batch_root(batch), firn_avro_batch_root(quick)));
}

static firn_rc decode_columns(firn_arena *arena, const firn_avro_schema *writer,
                              const firn_avro_schema *reader, firn_bytes data, int64_t count)
{
    firn_err err = {0};
    firn_avro_decoder *decoder;
    firn_avro_decoder_opts opts = {.unchecked_utf8 = data.len % 2 == 0,
                                   .batch_bytes_max = BATCH_BYTES_MAX};
    FIRN_TRY(firn_avro_decoder_new(arena, writer, reader, &opts, &decoder, &err));
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch = firn_avro_batch_new(decoder);
    firn_rc first = firn_avro_decoder_decode(decoder, data, count, batch, &err);
    int64_t rows = first == FIRN_OK ? count : 0;
    require(firn_avro_batch_root(batch)->length == rows);
    check_quick(decoder, data, count, batch, first, &err);
    firn_rc again = firn_avro_decoder_decode(decoder, data, count, batch, &err);
    require(again == first || again == FIRN_E_LIMIT);
    if (again == FIRN_OK)
        rows += count;
    require(firn_avro_batch_root(batch)->length == rows);

    struct ArrowSchema schema;
    struct ArrowArray array;
    firn_avro_decoder_arrow_schema(decoder, &schema);
    firn_avro_batch_arrow_array(batch, &array);
    require(array.length == rows && array.n_children == schema.n_children);
    array.release(&array);
    schema.release(&schema);
    return first;
}

static firn_rc decode_values(firn_arena *arena, const firn_avro_schema *writer,
                             const firn_avro_schema *reader, firn_bytes data, int64_t count)
{
    firn_err err;
    firn_avro_cursor cursor = firn_avro_cursor_of(data);
    for (int64_t i = 0; i < count && i < VALUES_PER_BLOCK_MAX; i++) {
        firn_avro_cursor skipped = cursor;
        firn_avro_value value;
        FIRN_TRY(firn_avro_value_decode(arena, writer, reader, NULL, &cursor, &value, &err));
        if (firn_avro_skip(&skipped, writer)) /* it gives up earlier on depth, no more */
            require(skipped.pos == cursor.pos);
        (void)firn_json_text(arena, firn_avro_value_json(arena, &value));
    }
    return FIRN_OK;
}

static void decode(firn_arena *arena, const firn_avro_schema *writer,
                   const firn_avro_schema *reader, firn_bytes data, int64_t count)
{
    firn_rc columns = decode_columns(arena, writer, reader, data, count);
    firn_rc values = decode_values(arena, writer, reader, data, count);
    if (columns == FIRN_OK)
        require(values == FIRN_OK || values == FIRN_E_LIMIT);
}

static void fuzz_file(firn_arena *arena, firn_bytes file)
{
    firn_err err;
    firn_avro_reader *reader;
    if (firn_avro_reader_open(arena, file, "fuzz", &reader, &err) != FIRN_OK)
        return;
    firn_avro_block block;
    const firn_avro_schema *schema = firn_avro_reader_schema(reader);
    while (firn_avro_reader_next(reader, &block, &err) == FIRN_OK && block.record_count > 0)
        decode(arena, schema, NULL, block.data, block.record_count);
}

/* The bytes up to the next NUL, which is passed over. */
static firn_bytes next_part(firn_bytes *rest)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->data, 0, rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    firn_bytes part = firn_bytes_of(rest->data, len);
    size_t taken = end ? len + 1 : len;
    *rest = firn_bytes_of(rest->data + taken, rest->len - taken);
    return part;
}

/* How many data of the writer's type the bytes hold. */
static int64_t count_data(const firn_avro_schema *writer, firn_bytes data)
{
    int64_t count = 0;
    firn_avro_cursor cursor = firn_avro_cursor_of(data);
    while (firn_avro_remaining(&cursor) > 0 && writer->encoded_size_min > 0 &&
           firn_avro_skip(&cursor, writer))
        count++;
    return count > 0 ? count : 1;
}

static void fuzz_resolution(firn_arena *arena, firn_bytes rest)
{
    firn_err err;
    const firn_avro_schema *writer, *reader = NULL;
    firn_bytes writer_text = next_part(&rest);
    firn_bytes reader_text = next_part(&rest);
    if (firn_avro_schema_parse(arena, writer_text, "writer", &writer, &err) != FIRN_OK)
        return;
    if (reader_text.len > 0 &&
        firn_avro_schema_parse(arena, reader_text, "reader", &reader, &err) != FIRN_OK)
        return;
    decode(arena, writer, reader, rest, count_data(writer, rest));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_bytes input = firn_bytes_of(data, size);
    if (size == 0)
        return 0;
    if (size >= 4 && memcmp(data, "Obj\1", 4) == 0)
        fuzz_file(arena, input);
    else
        fuzz_resolution(arena, input);
    return 0;
}
