/* Files that fastavro wrote (tests/golden/avro), decoded both ways, as trees and as columns, under the writer's schema
 * and under each reader's schema that the expectation lists.
 *
 * Expectations are in Avro's JSON encoding (a union value is null or {"branch": value}) with bytes as hex and logical
 * types as their physical value; both decoders' results are brought into that form and compared as text.
 */
#include "avro_util.h"

#include "base/io.h"

#include <math.h>

static const char *const names[] = {
    "attributes",
    "blocks_deflate",
    "blocks_null",
    "blocks_snappy",
    "blocks_zstandard",
    "empty",
    "evolving",
    "logical",
    "nested",
    "primitives_null",
    "primitives_deflate",
    "primitives_snappy",
    "primitives_zstandard",
    "recursive",
    "top_array",
    "top_string",
    "top_union",
    "unions",
};

static char *golden_path(firn_arena *arena, const char *name, const char *ending)
{
    const char *root = getenv("FIRN_SOURCE_DIR");
    return firn_arena_printf(arena, "%s/tests/golden/avro/%s.%s", root ? root : ".", name, ending);
}

/* ---- both forms to the expectation's ---- */

static json_t *hex_json(firn_bytes bytes)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    return json_string(firn_hex(arena, bytes));
}

static json_t *text_json(firn_bytes text)
{
    return json_stringn(text.len > 0 ? (const char *)text.data : "", text.len);
}

static json_t *real_json(double value)
{
    if (isfinite(value))
        return json_real(value);
    return json_string(isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}

static json_t *branch_json(const firn_avro_schema *branch, json_t *value)
{
    if (branch->kind == FIRN_AVRO_NULL)
        return value;
    json_t *object = json_object();
    json_object_set_new(object, branch->name, value);
    return object;
}

/* `type` is the reader's, perhaps a union; the value's own schema is the branch taken. */
static json_t *value_json(const firn_avro_value *value, const firn_avro_schema *type)
{
    if (type->kind == FIRN_AVRO_UNION)
        return branch_json(value->schema, value_json(value, value->schema));
    json_t *json = NULL;
    switch (type->kind) {
    case FIRN_AVRO_UNION:
    case FIRN_AVRO_NULL: return json_null();
    case FIRN_AVRO_BOOLEAN: return json_boolean(value->boolean);
    case FIRN_AVRO_INT:
    case FIRN_AVRO_LONG: return json_integer(value->integer);
    case FIRN_AVRO_FLOAT:
    case FIRN_AVRO_DOUBLE: return real_json(value->real);
    case FIRN_AVRO_STRING: return text_json(value->bytes);
    case FIRN_AVRO_BYTES:
    case FIRN_AVRO_FIXED: return hex_json(value->bytes);
    case FIRN_AVRO_ENUM: return json_string(type->symbols[value->integer]);
    case FIRN_AVRO_RECORD:
        json = json_object();
        for (size_t i = 0; i < value->count; i++)
            json_object_set_new(json, type->fields[i].name,
                                value_json(&value->items[i], type->fields[i].type));
        break;
    case FIRN_AVRO_ARRAY:
        json = json_array();
        for (size_t i = 0; i < value->count; i++)
            json_array_append_new(json, value_json(&value->items[i], type->items));
        break;
    case FIRN_AVRO_MAP:
        json = json_object();
        for (size_t i = 0; i < value->count; i++) {
            json_t *key = text_json(value->keys[i]);
            json_object_set_new(json, json_string_value(key),
                                value_json(&value->items[i], type->items));
            json_decref(key);
        }
        break;
    }
    return json;
}

static json_t *column_json(const firn_avro_column *column, int64_t row,
                           const firn_avro_schema *type);

static json_t *column_list_json(const firn_avro_column *column, int64_t row,
                                const firn_avro_schema *type)
{
    const firn_avro_column *child = &column->children[0];
    json_t *json = type->kind == FIRN_AVRO_MAP ? json_object() : json_array();
    for (int64_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        if (type->kind == FIRN_AVRO_ARRAY) {
            json_array_append_new(json, column_json(child, i, type->items));
        } else {
            json_t *key = text_json(firn_avro_column_bytes(&child->children[0], i));
            json_object_set_new(json, json_string_value(key),
                                column_json(&child->children[1], i, type->items));
            json_decref(key);
        }
    }
    return json;
}

/* A decimal's 16 little-endian bytes as the bytes that stood in the file. */
static json_t *decimal_json(firn_bytes little, const firn_avro_schema *type)
{
    uint8_t big[16];
    for (int i = 0; i < 16; i++)
        big[i] = little.data[15 - i];
    size_t skip = 16 - type->fixed_size;
    if (type->kind == FIRN_AVRO_BYTES) /* the shortest form, as fastavro writes it */
        for (skip = 0; skip < 15 && (uint8_t)((int8_t)big[skip + 1] >> 7) == big[skip];)
            skip++;
    return hex_json(firn_bytes_of(big + skip, 16 - skip));
}

static json_t *column_union_json(const firn_avro_column *column, int64_t row,
                                 const firn_avro_schema *type)
{
    bool nullable;
    const firn_avro_schema *inner = firn_avro_schema_unwrap(type, &nullable);
    if (!firn_avro_column_valid(column, row))
        return json_null();
    if (inner != type)
        return branch_json(inner, column_json(column, row, inner));

    assert_true(column->is_union);
    int32_t tag = firn_avro_column_i32(&column->children[0], row);
    int32_t at = -1;
    for (size_t i = 0; i < type->branch_count; i++) {
        at += type->branches[i]->kind != FIRN_AVRO_NULL;
        if (at == tag) {
            const firn_avro_column *child = &column->children[1 + tag];
            return branch_json(type->branches[i], column_json(child, row, type->branches[i]));
        }
    }
    fail_msg("tag %d of a union of %zu", tag, type->branch_count);
    return NULL;
}

static json_t *column_json(const firn_avro_column *column, int64_t row,
                           const firn_avro_schema *type)
{
    assert_true(row < column->length);
    if (type->kind == FIRN_AVRO_UNION)
        return column_union_json(column, row, type);
    json_t *json;
    switch (column->type) {
    case FIRN_AVRO_COL_NULL: return json_null();
    case FIRN_AVRO_COL_BOOL: return json_boolean(firn_avro_column_bool(column, row));
    case FIRN_AVRO_COL_INT32: return json_integer(firn_avro_column_i32(column, row));
    case FIRN_AVRO_COL_INT64: return json_integer(firn_avro_column_i64(column, row));
    case FIRN_AVRO_COL_FLOAT: return real_json((double)firn_avro_column_f32(column, row));
    case FIRN_AVRO_COL_DOUBLE: return real_json(firn_avro_column_f64(column, row));
    case FIRN_AVRO_COL_STRING: return text_json(firn_avro_column_bytes(column, row));
    case FIRN_AVRO_COL_BYTES:
    case FIRN_AVRO_COL_FIXED: return hex_json(firn_avro_column_bytes(column, row));
    case FIRN_AVRO_COL_DECIMAL128: return decimal_json(firn_avro_column_bytes(column, row), type);
    case FIRN_AVRO_COL_LIST:
    case FIRN_AVRO_COL_MAP: return column_list_json(column, row, type);
    case FIRN_AVRO_COL_STRUCT: break;
    }
    json = json_object();
    for (size_t i = 0; i < type->field_count; i++)
        json_object_set_new(json, type->fields[i].name,
                            column_json(&column->children[i], row, type->fields[i].type));
    return json;
}

/* ---- comparing ---- */

/* Text rather than json_equal: it tells -0.0 from 0.0, and shows what differs. */
static void assert_same_json(const char *name, size_t record, json_t *have, const json_t *want)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    char *have_text = json_dumps(have, flags);
    char *want_text = json_dumps(want, flags);
    bool same = have_text && want_text && strcmp(have_text, want_text) == 0;
    if (!same)
        print_message("%s, record %zu\n  have %s\n  want %s\n", name, record, have_text, want_text);
    free(have_text);
    free(want_text);
    json_decref(have);
    assert_true(same);
}

static firn_avro_reader *open_golden(firn_arena *arena, const char *name)
{
    firn_err err = {0};
    firn_bytes file;
    firn_avro_reader *reader;
    const char *path = golden_path(arena, name, "avro");
    assert_ok(firn_file_read(arena, path, 1 << 20, &file, &err), &err);
    assert_ok(firn_avro_reader_open(arena, file, path, &reader, &err), &err);
    return reader;
}

static void check_values(firn_arena *arena, const char *name, const firn_avro_schema *as,
                         const json_t *records)
{
    firn_err err = {0};
    firn_avro_reader *reader = open_golden(arena, name);
    const firn_avro_schema *writer = firn_avro_reader_schema(reader);
    size_t at = 0;
    for (;;) {
        firn_avro_block block;
        assert_ok(firn_avro_reader_next(reader, &block, &err), &err);
        if (block.record_count == 0)
            break;
        firn_avro_cursor cursor = firn_avro_cursor_of(block.data);
        for (int64_t i = 0; i < block.record_count; i++, at++) {
            firn_avro_value value;
            assert_ok(firn_avro_value_decode(arena, writer, as, NULL, &cursor, &value, &err), &err);
            assert_same_json(name, at, value_json(&value, as ? as : writer),
                             json_array_get(records, at));
        }
        assert_int_equal(firn_avro_remaining(&cursor), 0);
    }
    assert_int_equal(at, json_array_size(records));
}

static void check_columns(firn_arena *arena, const char *name, const firn_avro_schema *as,
                          const json_t *records)
{
    firn_err err = {0};
    firn_avro_reader *reader = open_golden(arena, name);
    const firn_avro_schema *writer = firn_avro_reader_schema(reader);
    firn_avro_decoder *decoder;
    firn_rc rc = firn_avro_decoder_new(arena, writer, as, NULL, &decoder, &err);
    if (writer->kind != FIRN_AVRO_RECORD) {
        assert_int_equal(rc, FIRN_E_TYPE);
        return;
    }
    if (firn_streq(name, "recursive")) {
        assert_int_equal(rc, FIRN_E_UNSUPPORTED);
        return;
    }
    assert_ok(rc, &err);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch = firn_avro_batch_new(decoder);
    for (;;) {
        firn_avro_block block;
        assert_ok(firn_avro_reader_next(reader, &block, &err), &err);
        if (block.record_count == 0)
            break;
        assert_ok(firn_avro_decoder_decode(decoder, block.data, block.record_count, batch, &err),
                  &err);
    }
    const firn_avro_column *root = firn_avro_batch_root(batch);
    assert_int_equal(root->length, json_array_size(records));
    for (int64_t row = 0; row < root->length; row++)
        assert_same_json(name, (size_t)row, column_json(root, row, as ? as : writer),
                         json_array_get(records, (size_t)row));
}

static void check_metadata(firn_arena *arena, const char *name, json_t *doc)
{
    firn_avro_reader *reader = open_golden(arena, name);
    assert_string_equal(firn_avro_codec_name(firn_avro_reader_codec(reader)),
                        json_string_value(json_object_get(doc, "codec")));
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(doc, "metadata"), key, value)
        assert_string_equal(firn_avro_reader_meta_text(reader, key), json_string_value(value));
}

static void check_file(void **state)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *name = *state;
    json_error_t json_err;
    json_t *doc = json_load_file(golden_path(arena, name, "json"), JSON_ALLOW_NUL, &json_err);
    if (!doc)
        fail_msg("%s.json: %s", name, json_err.text);
    firn_json_own(arena, doc);

    check_metadata(arena, name, doc);
    check_values(arena, name, NULL, json_object_get(doc, "records"));
    check_columns(arena, name, NULL, json_object_get(doc, "records"));

    size_t i;
    json_t *resolution;
    json_array_foreach(json_object_get(doc, "resolutions"), i, resolution)
    {
        firn_err err = {0};
        const firn_avro_schema *as;
        const json_t *records = json_object_get(resolution, "records");
        const char *about = json_string_value(json_object_get(resolution, "about"));
        assert_ok(firn_avro_schema_from_json(arena, json_object_get(resolution, "reader_schema"),
                                             about, &as, &err),
                  &err);
        check_values(arena, name, as, records);
        check_columns(arena, name, as, records);
    }
}

int main(void)
{
    enum { COUNT = sizeof names / sizeof *names };
    struct CMUnitTest tests[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = check_file, .initial_state = (void *)names[i]};
    return cmocka_run_group_tests_name("format/avro_golden", tests, NULL, NULL);
}
