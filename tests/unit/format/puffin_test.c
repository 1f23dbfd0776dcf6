/* Puffin files: there and back, files of Iceberg Java (tests/golden/puffin), LZ4 footers, damage. */
#include "format/puffin.h"

#include "base/io.h"
#include "format/dv.h"

#include <endian.h>
#include <lz4frame.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int arena_setup(void **state)
{
    *state = firn_arena_new();
    return 0;
}

static int arena_teardown(void **state)
{
    firn_arena_free(*state);
    return 0;
}

#define arena_test(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

#define assert_ok(expr, err)                           \
    do {                                               \
        if ((expr) != FIRN_OK)                         \
            fail_msg("%s: %s", #expr, (err)->message); \
    } while (0)

static firn_bytes blob_bytes(firn_bytes file, const firn_puffin_blob *blob)
{
    return firn_bytes_of(file.data + blob->offset, (size_t)blob->length);
}

/* ---- golden files ---- */

static char *golden_path(firn_arena *arena, const char *name, const char *ending)
{
    const char *root = getenv("FIRN_SOURCE_DIR");
    return firn_arena_printf(arena, "%s/tests/golden/puffin/%s.%s", root ? root : ".", name,
                             ending);
}

static void load_golden(firn_arena *arena, const char *name, firn_bytes *file, json_t **doc)
{
    firn_err err = {0};
    firn_bytes text;
    assert_ok(firn_file_read(arena, golden_path(arena, name, "puffin"), 1 << 20, file, &err), &err);
    assert_ok(firn_file_read(arena, golden_path(arena, name, "json"), 1 << 20, &text, &err), &err);
    assert_ok(firn_json_parse(arena, text, name, doc, &err), &err);
}

static void check_positions(const firn_dv *dv, const json_t *spans)
{
    size_t count = firn_dv_cardinality(dv);
    uint64_t *have = calloc(count, sizeof *have);
    firn_dv_to_array(dv, have);
    size_t at = 0;
    for (size_t i = 0; i < json_array_size(spans); i++) {
        const json_t *span = json_array_get(spans, i);
        json_int_t last = json_integer_value(json_array_get(span, 1));
        json_int_t step = json_integer_value(json_array_get(span, 2));
        for (json_int_t p = json_integer_value(json_array_get(span, 0)); p <= last; p += step) {
            assert_true(at < count);
            assert_int_equal(have[at++], p);
        }
    }
    assert_int_equal(at, count);
    free(have);
}

static const firn_puffin_blob *blob_for(const firn_puffin *puffin, const char *data_file)
{
    for (size_t i = 0; i < puffin->blob_count; i++) {
        const json_t *properties = puffin->blobs[i].properties;
        const char *value = firn_puffin_property(properties, FIRN_DV_PROPERTY_DATA_FILE);
        if (value && firn_streq(value, data_file))
            return &puffin->blobs[i];
    }
    fail_msg("no vector for %s", data_file);
    return NULL;
}

static void vectors_of_iceberg_java_are_read(void **state)
{
    static const char *const names[] = {"dv_containers_1", "dv_upgraded_1", "dv_upgraded_2",
                                        "dv_v3_1"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        firn_err err = {0};
        firn_bytes file;
        json_t *doc;
        firn_puffin puffin;
        load_golden(*state, names[n], &file, &doc);
        assert_ok(firn_puffin_parse(*state, file, names[n], &puffin, &err), &err);
        const json_t *vectors = json_object_get(doc, "vectors");
        assert_int_equal(puffin.blob_count, json_array_size(vectors));
        for (size_t i = 0; i < json_array_size(vectors); i++) {
            const json_t *want = json_array_get(vectors, i);
            const firn_puffin_blob *blob =
                blob_for(&puffin, json_string_value(json_object_get(want, "data_file")));
            assert_string_equal(blob->type, FIRN_DV_BLOB_TYPE);
            assert_null(blob->codec);
            assert_int_equal(blob->snapshot_id, -1);
            assert_int_equal(blob->offset, json_integer_value(json_object_get(want, "offset")));
            assert_int_equal(blob->length, json_integer_value(json_object_get(want, "length")));

            FIRN_AUTO_DV firn_dv *dv = NULL;
            assert_ok(firn_dv_deserialise(blob_bytes(file, blob), &dv, &err), &err);
            check_positions(dv, json_object_get(want, "positions"));

            /* Written by us, a vector is the same bytes that Java wrote. */
            FIRN_AUTO_BUF firn_buf again = {0};
            assert_ok(firn_dv_serialise(dv, &again, &err), &err);
            assert_int_equal(again.len, blob->length);
            assert_memory_equal(again.data, file.data + blob->offset, again.len);
        }
    }
}

static void sketches_of_iceberg_java_are_read(void **state)
{
    firn_err err = {0};
    firn_bytes file;
    json_t *doc;
    firn_puffin puffin;
    load_golden(*state, "theta", &file, &doc);
    assert_int_equal(file.len, json_integer_value(json_object_get(doc, "file_size_in_bytes")));
    int64_t footer_size;
    firn_bytes tail =
        firn_bytes_of(file.data + file.len - FIRN_PUFFIN_TAIL_BYTES, FIRN_PUFFIN_TAIL_BYTES);
    assert_ok(firn_puffin_footer_size(tail, (int64_t)file.len, "theta", &footer_size, &err), &err);
    assert_int_equal(footer_size,
                     json_integer_value(json_object_get(doc, "file_footer_size_in_bytes")));
    assert_ok(firn_puffin_parse(*state, file, "theta", &puffin, &err), &err);

    const json_t *blobs = json_object_get(doc, "blob_metadata");
    assert_int_equal(puffin.blob_count, json_array_size(blobs));
    for (size_t i = 0; i < puffin.blob_count; i++) {
        const json_t *want = json_array_get(blobs, i);
        const firn_puffin_blob *blob = &puffin.blobs[i];
        assert_string_equal(blob->type, json_string_value(json_object_get(want, "type")));
        assert_int_equal(blob->field_count, 1);
        assert_int_equal(blob->fields[0],
                         json_integer_value(json_array_get(json_object_get(want, "fields"), 0)));
        assert_int_equal(blob->snapshot_id,
                         json_integer_value(json_object_get(want, "snapshot-id")));
        assert_string_equal(firn_puffin_property(blob->properties, "ndv"),
                            firn_puffin_property(json_object_get(want, "properties"), "ndv"));
        firn_bytes content;
        assert_ok(firn_puffin_blob_content(*state, blob, blob_bytes(file, blob), &content, &err),
                  &err);
        assert_true(content.len > 0);
    }
}

/* ---- our own ---- */

static void write_two(firn_arena *arena, firn_buf *out)
{
    firn_err err = {0};
    firn_puffin_writer *writer = firn_puffin_writer_open(arena, out);
    const int32_t fields[] = {3, 4};
    json_t *properties = firn_json_own(arena, json_pack("{s:s}", "ndv", "17"));
    firn_puffin_blob plain = {.type = "plain", .snapshot_id = 5, .sequence_number = 6};
    firn_puffin_blob packed = {.type = "packed",
                               .fields = fields,
                               .field_count = 2,
                               .codec = "zstd",
                               .properties = properties};
    assert_ok(firn_puffin_writer_add(writer, &plain, firn_bytes_str("hello"), &err), &err);
    assert_ok(
        firn_puffin_writer_add(writer, &packed, firn_bytes_str("hello hello hello hello"), &err),
        &err);
    assert_int_equal(plain.offset, 4);
    assert_int_equal(plain.length, 5);
    assert_int_equal(packed.offset, 9);
    json_t *file_properties = firn_json_own(arena, json_pack("{s:s}", "created-by", "firn"));
    assert_ok(firn_puffin_writer_finish(writer, file_properties, &err), &err);
}

static void files_go_there_and_back(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    write_two(*state, &out);
    firn_err err = {0};
    firn_puffin puffin;
    firn_bytes file = firn_buf_bytes(&out);
    assert_ok(firn_puffin_parse(*state, file, "x.puffin", &puffin, &err), &err);
    assert_int_equal(puffin.blob_count, 2);
    assert_string_equal(firn_puffin_property(puffin.properties, "created-by"), "firn");
    assert_null(firn_puffin_property(puffin.properties, "absent"));
    assert_int_equal(puffin.blobs[0].snapshot_id, 5);
    assert_int_equal(puffin.blobs[0].sequence_number, 6);
    assert_null(puffin.blobs[0].properties);
    assert_null(firn_puffin_property(puffin.blobs[0].properties, "ndv"));
    assert_int_equal(puffin.blobs[1].fields[1], 4);
    firn_bytes content;
    const firn_puffin_blob *packed = &puffin.blobs[1];
    assert_ok(firn_puffin_blob_content(*state, packed, blob_bytes(file, packed), &content, &err),
              &err);
    assert_int_equal(firn_bytes_cmp(content, firn_bytes_str("hello hello hello hello")), 0);
}

static void footers_may_be_lz4(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0}, packed = {0};
    write_two(*state, &out);
    size_t payload_len = le32toh(
        *(uint32_t *)(void *)(memcpy(firn_arena_alloc(*state, 4), out.data + out.len - 12, 4)));
    size_t payload_at = out.len - 12 - payload_len;
    char frame[4096];
    size_t frame_len =
        LZ4F_compressFrame(frame, sizeof frame, out.data + payload_at, payload_len, NULL);
    assert_false(LZ4F_isError(frame_len));
    firn_buf_append(&packed, out.data, payload_at);
    firn_buf_append(&packed, frame, frame_len);
    uint32_t tail[2] = {htole32((uint32_t)frame_len), htole32(1)};
    firn_buf_append(&packed, tail, sizeof tail);
    firn_buf_puts(&packed, "PFA1");

    firn_err err = {0};
    firn_puffin puffin;
    assert_ok(firn_puffin_parse(*state, firn_buf_bytes(&packed), "x.puffin", &puffin, &err), &err);
    assert_int_equal(puffin.blob_count, 2);
}

static void damage_is_corrupt(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    write_two(*state, &out);
    for (size_t len = 0; len < out.len; len++) {
        firn_puffin puffin;
        assert_int_equal(
            firn_puffin_parse(*state, firn_bytes_of(out.data, len), "x", &puffin, NULL),
            FIRN_E_CORRUPT);
    }
}

static firn_rc parse_footer_text(firn_arena *arena, const char *text, uint32_t flags, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf file = {0};
    uint32_t tail[2] = {htole32((uint32_t)strlen(text)), htole32(flags)};
    firn_buf_puts(&file, "PFA1PFA1");
    firn_buf_puts(&file, firn_str_replace(arena, text, "'", "\""));
    firn_buf_append(&file, tail, sizeof tail);
    firn_buf_puts(&file, "PFA1");
    firn_puffin puffin;
    return firn_puffin_parse(arena, firn_buf_bytes(&file), "x.puffin", &puffin, err);
}

static void footers_are_checked(void **state)
{
    static const struct {
        const char *text;
        firn_rc rc;
    } cases[] = {
        {"{'blobs': []}", FIRN_OK},
        {"{'blobs': [], 'properties': {}}", FIRN_OK},
        {"[]", FIRN_E_CORRUPT},
        {"{}", FIRN_E_CORRUPT},
        {"{'blobs': [1]}", FIRN_E_CORRUPT},
        {"{'blobs': [{'type': 't', 'fields': [], 'snapshot-id': 1, 'sequence-number': 1, 'offset': 4, 'length': 0}]}",
         FIRN_OK},
        {"{'blobs': [{'type': 't', 'fields': [], 'snapshot-id': 1, 'sequence-number': 1, 'offset': 4, 'length': 1}]}",
         FIRN_E_CORRUPT},
        {"{'blobs': [{'type': 't', 'fields': [], 'snapshot-id': 1, 'sequence-number': 1, 'offset': 0, 'length': 1}]}",
         FIRN_E_CORRUPT},
        {"{'blobs': [{'type': 't', 'fields': [], 'snapshot-id': 1, 'sequence-number': 1, 'offset': 4, "
         "'length': 9223372036854775807}]}",
         FIRN_E_CORRUPT},
        {"{'blobs': [{'type': 't', 'fields': ['x'], 'snapshot-id': 1, 'sequence-number': 1, 'offset': 4, "
         "'length': 0}]}",
         FIRN_E_CORRUPT},
        {"{'blobs': [], 'properties': {'a': 1}}", FIRN_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(parse_footer_text(*state, cases[i].text, 0, NULL), cases[i].rc);
    assert_int_equal(parse_footer_text(*state, "{'blobs': []}", 2, NULL), FIRN_E_UNSUPPORTED);
    assert_int_equal(parse_footer_text(*state, "{'blobs': []}", 1, NULL),
                     FIRN_E_CORRUPT); /* no LZ4 */
}

static void codecs_are_checked(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_err err = {0};
    firn_puffin_writer *writer = firn_puffin_writer_open(*state, &out);
    firn_puffin_blob blob = {.type = "t", .codec = "brotli"};
    assert_int_equal(firn_puffin_writer_add(writer, &blob, firn_bytes_str("x"), &err),
                     FIRN_E_UNSUPPORTED);
    blob = (firn_puffin_blob){.type = FIRN_DV_BLOB_TYPE, .codec = "zstd"};
    assert_int_equal(firn_puffin_writer_add(writer, &blob, firn_bytes_str("x"), &err),
                     FIRN_E_INVALID);

    firn_bytes content;
    blob = (firn_puffin_blob){.type = "t", .codec = "brotli", .length = 1};
    assert_int_equal(firn_puffin_blob_content(*state, &blob, firn_bytes_str("x"), &content, &err),
                     FIRN_E_UNSUPPORTED);
    blob.codec = "zstd";
    assert_int_equal(firn_puffin_blob_content(*state, &blob, firn_bytes_str("x"), &content, &err),
                     FIRN_E_CORRUPT);
    assert_int_equal(firn_puffin_blob_content(*state, &blob, firn_bytes_str("xx"), &content, &err),
                     FIRN_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(vectors_of_iceberg_java_are_read),
        arena_test(sketches_of_iceberg_java_are_read),
        arena_test(files_go_there_and_back),
        arena_test(footers_may_be_lz4),
        arena_test(damage_is_corrupt),
        arena_test(footers_are_checked),
        arena_test(codecs_are_checked),
    };
    return cmocka_run_group_tests_name("format/puffin", tests, NULL, NULL);
}
