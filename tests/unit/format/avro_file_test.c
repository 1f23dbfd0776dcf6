/* Avro container files: written and read back with every codec; what damage is noticed, and where it is said to be. */
#include "avro_util.h"

static const char *const schema_text =
    "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"i\",\"type\":\"long\"},"
    "{\"name\":\"s\",\"type\":\"string\"}]}";

static const uint8_t fixed_sync[FIRN_AVRO_SYNC_BYTES] = "0123456789abcdef";

static void write_file(firn_arena *arena, firn_avro_codec codec, int record_count, firn_buf *out)
{
    firn_err err = {0};
    firn_avro_writer *writer;
    firn_avro_meta meta[] = {{"format-version", firn_bytes_str("2")}, {"empty", {0}}};
    firn_avro_writer_opts opts = {
        .schema = schema_text,
        .codec = codec,
        .meta = meta,
        .meta_count = 2,
        .block_bytes = 4096,
        .sync = fixed_sync,
    };
    assert_ok(firn_avro_writer_open(arena, &opts, out, &writer, &err), &err);
    for (int i = 0; i < record_count; i++) {
        firn_buf *record = firn_avro_writer_record(writer);
        firn_avro_put_long(record, i);
        firn_avro_put_string(record, "the same text each time");
        assert_ok(firn_avro_writer_record_end(writer, &err), &err);
    }
    assert_ok(firn_avro_writer_finish(writer, &err), &err);
    assert_int_equal(firn_avro_writer_record_count(writer), record_count);
}

/* Read to the end or to an error. */
static firn_rc read_file(firn_arena *arena, firn_bytes file, int64_t *records, int64_t *blocks,
                         firn_err *err)
{
    firn_avro_reader *reader;
    FIRN_TRY(firn_avro_reader_open(arena, file, "x.avro", &reader, err));
    *records = *blocks = 0;
    firn_avro_block block;
    for (;;) {
        FIRN_TRY(firn_avro_reader_next(reader, &block, err));
        if (block.record_count == 0)
            return FIRN_OK;
        assert_int_equal(block.index, *blocks);
        ++*blocks;
        firn_avro_cursor cursor = firn_avro_cursor_of(block.data);
        for (int64_t i = 0; i < block.record_count; i++) {
            int64_t number;
            firn_bytes text;
            assert_true(firn_avro_get_long(&cursor, &number));
            assert_true(firn_avro_get_bytes(&cursor, &text));
            assert_int_equal(number, *records);
            assert_int_equal(text.len, 23);
            ++*records;
        }
        assert_int_equal(firn_avro_remaining(&cursor), 0);
    }
}

static void every_codec_goes_there_and_back(void **state)
{
    for (firn_avro_codec codec = FIRN_AVRO_CODEC_NULL; codec <= FIRN_AVRO_CODEC_ZSTANDARD;
         codec++) {
        FIRN_AUTO_BUF firn_buf out = {0};
        write_file(*state, codec, 10000, &out);
        firn_err err = {0};
        int64_t records, blocks;
        assert_ok(read_file(*state, firn_buf_bytes(&out), &records, &blocks, &err), &err);
        assert_int_equal(records, 10000);
        assert_true(blocks > 50);

        firn_avro_reader *reader;
        assert_ok(firn_avro_reader_open(*state, firn_buf_bytes(&out), "x.avro", &reader, &err),
                  &err);
        assert_int_equal(firn_avro_reader_codec(reader), codec);
        assert_string_equal(firn_avro_reader_meta_text(reader, "avro.codec"),
                            firn_avro_codec_name(codec));
        assert_string_equal(firn_avro_reader_meta_text(reader, "format-version"), "2");
        assert_string_equal(firn_avro_reader_meta_text(reader, "empty"), "");
        assert_string_equal(firn_avro_reader_meta_text(reader, "avro.schema"), schema_text);
        assert_null(firn_avro_reader_meta_text(reader, "absent"));
        size_t meta_count;
        const firn_avro_meta *meta = firn_avro_reader_meta(reader, &meta_count);
        assert_int_equal(meta_count, 4);
        assert_string_equal(meta[2].key, "format-version");
    }
}

static void a_file_without_records_is_a_header(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    write_file(*state, FIRN_AVRO_CODEC_DEFLATE, 0, &out);
    firn_err err = {0};
    int64_t records, blocks;
    assert_ok(read_file(*state, firn_buf_bytes(&out), &records, &blocks, &err), &err);
    assert_int_equal(records, 0);
    assert_int_equal(blocks, 0);
}

/* Every cut is noticed, except between blocks, where a shorter file is a whole file. */
static void a_cut_file_is_corrupt(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    write_file(*state, FIRN_AVRO_CODEC_NULL, 400, &out);
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int whole = 0;
    for (size_t len = 0; len < out.len; len++) {
        firn_err err = {0};
        int64_t records, blocks;
        uint8_t *copy =
            firn_arena_memdup(arena, out.data, len); /* so that a read past it is seen */
        firn_rc rc = read_file(arena, firn_bytes_of(copy, len), &records, &blocks, &err);
        whole += rc == FIRN_OK;
        if (rc != FIRN_OK)
            assert_int_equal(rc, FIRN_E_CORRUPT);
        firn_arena_reset(arena);
    }
    assert_int_equal(whole, 3); /* no block, one, two; the third makes the file */
}

static size_t first_block_at(const firn_buf *file)
{
    const uint8_t *sync = memmem(file->data, file->len, fixed_sync, sizeof fixed_sync);
    return (size_t)(sync - file->data) + sizeof fixed_sync;
}

static void a_foreign_sync_marker_is_corrupt(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    write_file(*state, FIRN_AVRO_CODEC_NULL, 400, &out);
    out.data[out.len - 1] ^= 1;
    firn_err err = {0};
    int64_t records, blocks;
    assert_fails(read_file(*state, firn_buf_bytes(&out), &records, &blocks, &err), FIRN_E_CORRUPT,
                 &err, "x.avro: Avro block 2 at byte");
    assert_non_null(strstr(err.message, "sync marker"));
}

static void damaged_blocks_are_corrupt(void **state)
{
    for (firn_avro_codec codec = FIRN_AVRO_CODEC_DEFLATE; codec <= FIRN_AVRO_CODEC_ZSTANDARD;
         codec++) {
        FIRN_AUTO_BUF firn_buf out = {0};
        write_file(*state, codec, 100, &out);
        size_t payload = first_block_at(&out) + 4;
        memset(out.data + payload, 0xFF, 12);
        firn_err err = {0};
        int64_t records, blocks;
        assert_fails(read_file(*state, firn_buf_bytes(&out), &records, &blocks, &err),
                     FIRN_E_CORRUPT, &err, "x.avro: Avro block 0 at byte");
    }
}

static void snappy_checksums_are_checked(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    write_file(*state, FIRN_AVRO_CODEC_SNAPPY, 10, &out);
    out.data[out.len - FIRN_AVRO_SYNC_BYTES - 1] ^= 1;
    firn_err err = {0};
    int64_t records, blocks;
    assert_fails(read_file(*state, firn_buf_bytes(&out), &records, &blocks, &err), FIRN_E_CORRUPT,
                 &err, "checksum");
}

static void put_header(firn_buf *out, const char *codec)
{
    firn_buf_append(out, "Obj\1", 4);
    firn_avro_put_long(out, 2);
    firn_avro_put_string(out, "avro.schema");
    firn_avro_put_string(out, "\"long\"");
    firn_avro_put_string(out, "avro.codec");
    firn_avro_put_string(out, codec);
    firn_avro_put_long(out, 0);
    firn_buf_append(out, fixed_sync, sizeof fixed_sync);
}

static void counts_are_not_believed(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    put_header(&out, "null");
    firn_avro_put_long(&out, 1000000000);
    firn_avro_put_bytes(&out, firn_bytes_str("abc"));
    firn_buf_append(&out, fixed_sync, sizeof fixed_sync);
    firn_err err = {0};
    int64_t records, blocks;
    assert_fails(read_file(*state, firn_buf_bytes(&out), &records, &blocks, &err), FIRN_E_CORRUPT,
                 &err, "3 bytes cannot hold the 1000000000 records");

    firn_buf_clear(&out);
    put_header(&out, "null");
    firn_avro_put_long(&out, -1);
    firn_avro_put_long(&out, 0);
    assert_fails(read_file(*state, firn_buf_bytes(&out), &records, &blocks, &err), FIRN_E_CORRUPT,
                 &err, "negative");
}

static void unknown_codecs_are_unsupported(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    put_header(&out, "xz");
    firn_err err = {0};
    firn_avro_reader *reader;
    assert_fails(firn_avro_reader_open(*state, firn_buf_bytes(&out), "x.avro", &reader, &err),
                 FIRN_E_UNSUPPORTED, &err, "x.avro: Avro codec \"xz\"");
}

static void other_files_are_told_apart(void **state)
{
    firn_err err = {0};
    firn_avro_reader *reader;
    assert_fails(firn_avro_reader_open(*state, firn_bytes_str("PAR1"), "x.avro", &reader, &err),
                 FIRN_E_CORRUPT, &err, "x.avro: not an Avro file");
    assert_fails(firn_avro_reader_open(*state, (firn_bytes){0}, "x.avro", &reader, &err),
                 FIRN_E_CORRUPT, &err, "not an Avro file");
}

static void a_record_larger_than_a_block_is_refused(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_err err = {0};
    firn_avro_writer *writer;
    firn_avro_writer_opts opts = {.schema = "\"bytes\"", .codec = FIRN_AVRO_CODEC_DEFLATE};
    assert_ok(firn_avro_writer_open(*state, &opts, &out, &writer, &err), &err);
    firn_buf *record = firn_avro_writer_record(writer);
    size_t most = FIRN_AVRO_BLOCK_BYTES_MAX;
    assert_null(firn_buf_reserve(record, most + 1));
    assert_fails(firn_avro_writer_record_end(writer, &err), FIRN_E_LIMIT, &err,
                 "record larger than");
}

static void codec_names(void **state)
{
    (void)state;
    firn_avro_codec codec;
    assert_true(firn_avro_codec_from_name("gzip", &codec));
    assert_int_equal(codec, FIRN_AVRO_CODEC_DEFLATE);
    assert_true(firn_avro_codec_from_name("zstd", &codec));
    assert_int_equal(codec, FIRN_AVRO_CODEC_ZSTANDARD);
    assert_true(firn_avro_codec_from_name("Snappy", &codec));
    assert_int_equal(codec, FIRN_AVRO_CODEC_SNAPPY);
    assert_false(firn_avro_codec_from_name("lzo", &codec));
}

static void reserved_metadata_keys_are_refused(void **state)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_err err = {0};
    firn_avro_writer *writer;
    firn_avro_meta meta = {"avro.codec", firn_bytes_str("null")};
    firn_avro_writer_opts opts = {.schema = "\"long\"", .meta = &meta, .meta_count = 1};
    assert_fails(firn_avro_writer_open(*state, &opts, &out, &writer, &err), FIRN_E_INVALID, &err,
                 "reserved");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(every_codec_goes_there_and_back),
        arena_test(a_file_without_records_is_a_header),
        arena_test(a_cut_file_is_corrupt),
        arena_test(a_foreign_sync_marker_is_corrupt),
        arena_test(damaged_blocks_are_corrupt),
        arena_test(snappy_checksums_are_checked),
        arena_test(counts_are_not_believed),
        arena_test(unknown_codecs_are_unsupported),
        arena_test(other_files_are_told_apart),
        arena_test(a_record_larger_than_a_block_is_refused),
        arena_test(codec_names),
        arena_test(reserved_metadata_keys_are_refused),
    };
    return cmocka_run_group_tests_name("format/avro_file", tests, NULL, NULL);
}
