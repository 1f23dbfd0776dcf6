/* Batches as Arrow: formats, metadata, buffers, and who frees what. */
#include "avro_util.h"

static const char *const schema_text =
    "{'type': 'record', 'name': 'r', 'fields': ["
    "{'name': 'n', 'type': 'null'},"
    "{'name': 'b', 'type': 'boolean'},"
    "{'name': 'i', 'type': 'int', 'field-id': 12},"
    "{'name': 'l', 'type': ['null', 'long']},"
    "{'name': 'f', 'type': 'float'},"
    "{'name': 'd', 'type': 'double'},"
    "{'name': 's', 'type': 'string'},"
    "{'name': 'by', 'type': 'bytes'},"
    "{'name': 'date', 'type': {'type': 'int', 'logicalType': 'date'}},"
    "{'name': 'tms', 'type': {'type': 'int', 'logicalType': 'time-millis'}},"
    "{'name': 'tus', 'type': {'type': 'long', 'logicalType': 'time-micros'}},"
    "{'name': 'ts', 'type': {'type': 'long', 'logicalType': 'timestamp-millis'}},"
    "{'name': 'tsz', 'type': {'type': 'long', 'logicalType': 'timestamp-micros', 'adjust-to-utc': true}},"
    "{'name': 'tsl', 'type': {'type': 'long', 'logicalType': 'timestamp-nanos', 'adjust-to-utc': false}},"
    "{'name': 'lts', 'type': {'type': 'long', 'logicalType': 'local-timestamp-micros'}},"
    "{'name': 'u', 'type': {'type': 'fixed', 'name': 'u', 'size': 16, 'logicalType': 'uuid'}},"
    "{'name': 'fx', 'type': {'type': 'fixed', 'name': 'fx', 'size': 3}},"
    "{'name': 'dec', 'type': {'type': 'bytes', 'logicalType': 'decimal', 'precision': 9, 'scale': 2}},"
    "{'name': 'list', 'type': {'type': 'array', 'items': 'int', 'element-id': 20}},"
    "{'name': 'map', 'type': {'type': 'map', 'values': 'int'}}]}";

static const char *const record =
    "{'n': null, 'b': true, 'i': 1, 'l': null, 'f': 1.5, 'd': 2.5, 's': 'str', 'by': 'x', 'date': 1, 'tms': 2,"
    "'tus': 3, 'ts': 4, 'tsz': 5, 'tsl': 6, 'lts': 7, 'u': '0123456789abcdef', 'fx': 'abc', 'dec': '\\u0001',"
    "'list': [1, 2, 3], 'map': {'k': 1}}";

static firn_avro_decoder *make_decoder(firn_arena *arena, const firn_avro_schema *schema)
{
    firn_err err = {0};
    firn_avro_decoder *decoder;
    assert_ok(firn_avro_decoder_new(arena, schema, NULL, NULL, &decoder, &err), &err);
    return decoder;
}

static void formats_are_arrows_own(void **state)
{
    static const char *const formats[] = {
        "n",   "b",       "i",       "l",    "f",    "g",    "u",   "z",     "tdD", "ttm",
        "ttu", "tsm:UTC", "tsu:UTC", "tsn:", "tsu:", "w:16", "w:3", "d:9,2", "+l",  "+m"};
    struct ArrowSchema schema;
    firn_avro_decoder_arrow_schema(make_decoder(*state, schema_of(*state, schema_text)), &schema);
    assert_string_equal(schema.format, "+s");
    assert_int_equal(schema.n_children, sizeof formats / sizeof *formats);
    for (int64_t i = 0; i < schema.n_children; i++)
        assert_string_equal(schema.children[i]->format, formats[i]);
    assert_string_equal(schema.children[6]->name, "s");
    assert_int_equal(schema.children[2]->flags, 0);
    assert_int_equal(schema.children[3]->flags, ARROW_FLAG_NULLABLE);
    assert_string_equal(schema.children[19]->children[0]->format, "+s");
    assert_string_equal(schema.children[19]->children[0]->children[0]->format, "u");

    /* Metadata: pair count, then key and value, each behind its length. */
    const char want[] = "\1\0\0\0\x10\0\0\0PARQUET:field_id\2\0\0\00012";
    assert_memory_equal(schema.children[2]->metadata, want, sizeof want - 1);
    assert_null(schema.children[3]->metadata);
    assert_non_null(memmem(schema.children[15]->metadata, 44, "arrow.uuid", 10));
    assert_non_null(schema.children[18]->children[0]->metadata);
    schema.release(&schema);
    assert_null(schema.release);
}

static void buffers_move_without_a_copy(void **state)
{
    const firn_avro_schema *schema = schema_of(*state, schema_text);
    firn_avro_decoder *decoder = make_decoder(*state, schema);
    firn_avro_batch *batch = firn_avro_batch_new(decoder);
    firn_err err = {0};
    firn_bytes datum = datum_of(*state, schema, record);
    assert_ok(firn_avro_decoder_decode(decoder, datum, 1, batch, &err), &err);
    const void *texts = firn_avro_column_by_name(firn_avro_batch_root(batch), "s")->data;

    struct ArrowArray array;
    firn_avro_batch_arrow_array(batch, &array);
    assert_int_equal(firn_avro_batch_root(batch)->length, 0);
    assert_ok(firn_avro_decoder_decode(decoder, datum, 1, batch, &err), &err); /* usable again */
    firn_avro_batch_free(batch);

    assert_int_equal(array.length, 1);
    assert_int_equal(array.n_buffers, 1);
    assert_int_equal(array.n_children, 20);
    assert_int_equal(array.children[0]->n_buffers, 0); /* null type */
    assert_int_equal(array.children[0]->null_count, 1);
    assert_int_equal(array.children[3]->null_count, 1);
    assert_int_equal(((const uint8_t *)array.children[3]->buffers[0])[0], 0);
    assert_int_equal(array.children[6]->n_buffers, 3);
    assert_ptr_equal(array.children[6]->buffers[2], texts);
    assert_int_equal(((const int32_t *)array.children[6]->buffers[1])[1], 3);
    assert_int_equal(array.children[18]->n_buffers, 2);
    assert_int_equal(array.children[18]->children[0]->length, 3);
    assert_int_equal(((const int32_t *)array.children[18]->children[0]->buffers[1])[2], 3);
    assert_int_equal(array.children[19]->children[0]->n_children, 2);

    /* A child moved away lives on, as the interface allows. */
    struct ArrowArray child = *array.children[6];
    array.children[6]->release = NULL;
    array.release(&array);
    assert_null(array.release);
    assert_memory_equal(child.buffers[2], "str", 3);
    child.release(&child);
}

static void an_empty_batch_has_one_offset(void **state)
{
    firn_avro_decoder *decoder = make_decoder(*state, schema_of(*state, schema_text));
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch = firn_avro_batch_new(decoder);
    struct ArrowArray array;
    firn_avro_batch_arrow_array(batch, &array);
    assert_int_equal(array.length, 0);
    assert_int_equal(((const int32_t *)array.children[6]->buffers[1])[0], 0);
    array.release(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(formats_are_arrows_own),
        arena_test(buffers_move_without_a_copy),
        arena_test(an_empty_batch_has_one_offset),
    };
    return cmocka_run_group_tests_name("format/avro_arrow", tests, NULL, NULL);
}
