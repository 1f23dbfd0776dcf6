/* Manifests and manifest lists: what is written is read back, in every format version and codec; what is inherited;
 * who is refused. Files of other writers are golden_scan_test's business. */
#include "files_testing.h"

#include "format/avro.h"

static const char by_all[] =
    "{'spec-id': 0, 'fields': ["
    "{'source-id': 2, 'field-id': 1000, 'name': 'day', 'transform': 'identity'},"
    "{'source-id': 3, 'field-id': 1001, 'name': 'na-me', 'transform': 'identity'},"
    "{'source-id': 5, 'field-id': 1002, 'name': 'amount', 'transform': 'identity'},"
    "{'source-id': 1, 'field-id': 1003, 'name': '9b', 'transform': 'bucket[8]'}]}";

static firn_data_file full_file(const firn_metadata *t, int version)
{
    static int64_t splits[] = {4, 1000000};
    firn_value *tuple = FIRN_NEW_N(arena, firn_value, 4);
    tuple[0] = (firn_value){.type = FIRN_TYPE_DATE, .i32 = -3};
    tuple[1] = (firn_value){.type = FIRN_TYPE_STRING, .bytes = firn_bytes_str("häng")};
    tuple[2] = (firn_value){.type = FIRN_TYPE_DECIMAL, .scale = 2, .decimal = -12345};
    tuple[3] = (firn_value){.type = FIRN_TYPE_INT, .i32 = 7};
    firn_column_metrics *metrics = FIRN_NEW_N(arena, firn_column_metrics, 2);
    metrics[0] = (firn_column_metrics){.field_id = 1,
                                       .size_bytes = 10,
                                       .value_count = 5,
                                       .null_count = 0,
                                       .nan_count = -1,
                                       .lower = long_bound(-7),
                                       .upper = long_bound(70)};
    metrics[1] = (firn_column_metrics){.field_id = 4,
                                       .size_bytes = -1,
                                       .value_count = INT64_C(5000000000),
                                       .null_count = 1,
                                       .nan_count = 4};
    return (firn_data_file){
        .path = firn_arena_printf(arena, "%s/data/x.parquet", t->location),
        .format = "PARQUET",
        .partition = tuple,
        .n_partition = 4,
        .record_count = 5,
        .file_size_bytes = 321,
        .metrics = metrics,
        .n_metrics = 2,
        .key_metadata = firn_bytes_str("key"),
        .split_offsets = splits,
        .n_split_offsets = 2,
        .sort_order_id = 3,
        .first_row_id = version == 3 ? 99 : -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
}

static firn_manifest_file write_manifest(const firn_metadata *t, bool deletes,
                                         const firn_manifest_entry *entries, size_t n)
{
    static int number;
    firn_manifest_writer_options options = {
        .metadata = t,
        .spec = t->spec,
        .deletes = deletes,
        .snapshot_id = 77,
        .location = firn_arena_printf(arena, "%s/metadata/m%d.avro", t->location, number++),
    };
    firn_manifest_writer *writer = firn_manifest_writer_new(arena, &options);
    for (size_t i = 0; i < n; i++)
        MUST(firn_manifest_writer_add(writer, &entries[i], &err));
    firn_manifest_file file;
    MUST(firn_manifest_writer_finish(writer, storage, &file, &err));
    return file;
}

static void assert_bytes(firn_bytes a, firn_bytes b)
{
    assert_int_equal(firn_bytes_cmp(a, b), 0);
    assert_int_equal(a.data == NULL, b.data == NULL);
}

static void assert_same_file(const firn_data_file *a, const firn_data_file *b)
{
    assert_int_equal(a->content, b->content);
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->format, b->format);
    assert_int_equal(a->n_partition, b->n_partition);
    for (size_t i = 0; i < a->n_partition; i++) {
        assert_int_equal(a->partition[i].type, b->partition[i].type);
        assert_int_equal(a->partition[i].is_null, b->partition[i].is_null);
        assert_int_equal(firn_value_cmp(&a->partition[i], &b->partition[i]), 0);
    }
    assert_int_equal(a->record_count, b->record_count);
    assert_int_equal(a->file_size_bytes, b->file_size_bytes);
    assert_int_equal(a->n_metrics, b->n_metrics);
    for (size_t i = 0; i < a->n_metrics; i++) {
        const firn_column_metrics *x = &a->metrics[i], *y = &b->metrics[i];
        assert_int_equal(x->field_id, y->field_id);
        assert_int_equal(x->size_bytes, y->size_bytes);
        assert_int_equal(x->value_count, y->value_count);
        assert_int_equal(x->null_count, y->null_count);
        assert_int_equal(x->nan_count, y->nan_count);
        assert_bytes(x->lower, y->lower);
        assert_bytes(x->upper, y->upper);
    }
    assert_bytes(a->key_metadata, b->key_metadata);
    assert_int_equal(a->n_split_offsets, b->n_split_offsets);
    assert_memory_equal(a->split_offsets, b->split_offsets, 8 * a->n_split_offsets);
    assert_int_equal(a->n_equality_ids, b->n_equality_ids);
    assert_int_equal(a->sort_order_id, b->sort_order_id);
    assert_int_equal(a->first_row_id, b->first_row_id);
    assert_int_equal(a->content_offset, b->content_offset);
    assert_int_equal(a->content_size_bytes, b->content_size_bytes);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const codecs[] = {"gzip", "zstd", "snappy", "uncompressed"};
    for (int version = 1; version <= 3; version++) {
        const firn_metadata *t = new_table(
            version, by_all,
            firn_arena_printf(arena, "{'write.avro.compression-codec': '%s'}", codecs[version]));
        firn_data_file full = full_file(t, version), plain = data_file(t, "plain", 4, 0, 8);
        firn_value nulls[] = {firn_value_null(FIRN_TYPE_DATE), firn_value_null(FIRN_TYPE_STRING),
                              firn_value_null(FIRN_TYPE_DECIMAL), firn_value_null(FIRN_TYPE_INT)};
        plain.partition = nulls;
        plain.n_metrics = 0;
        firn_manifest_entry entries[] = {
            {FIRN_ENTRY_ADDED, 77, -1, -1, full},
            {FIRN_ENTRY_EXISTING, 12, 2, 3, plain},
            {FIRN_ENTRY_DELETED, 77, 1, 1, full},
        };
        firn_manifest_file file = write_manifest(t, false, entries, 3);
        assert_int_equal(file.added_files, 1);
        assert_int_equal(file.existing_rows, 8);
        assert_int_equal(file.deleted_rows, 5);
        assert_int_equal(file.min_sequence_number, 2);
        assert_true(file.partitions[0].contains_null);
        assert_int_equal(file.partitions[1].contains_nan, 0);
        assert_bytes(file.partitions[1].lower, firn_bytes_str("häng"));

        file.sequence_number = version == 1 ? 0 : 9;
        file.first_row_id = version == 3 ? 1000 : -1;
        firn_manifest *m;
        MUST(firn_manifest_open(storage, NULL, t, &file, &m, &err));
        assert_int_equal(firn_manifest_len(m), 3);
        for (size_t i = 0; i < 3; i++) {
            firn_manifest_entry got;
            firn_manifest_entry_at(m, arena, i, &got);
            assert_int_equal(got.status, entries[i].status);
            assert_int_equal(got.snapshot_id, entries[i].snapshot_id);
            int64_t sequence = version == 1 ? 0 : i == 0 ? 9 : entries[i].data_sequence_number;
            assert_int_equal(got.data_sequence_number, sequence);
            firn_data_file want = entries[i].file;
            if (i == 1 && version == 3)
                want.first_row_id = 1000;
            assert_same_file(&got.file, &want);
        }
        firn_manifest_unref(m);
    }
}

static void test_deletes_round_trip(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, by_day, NULL);
    static int32_t ids[] = {1, 3};
    firn_data_file vector = data_file(t, "v", 4, 0, 8), equality = data_file(t, "e", 4, 0, 8);
    vector.content = FIRN_CONTENT_POSITION_DELETES;
    vector.format = "PUFFIN";
    vector.referenced_data_file = "file:///x";
    vector.content_offset = 4;
    vector.content_size_bytes = 50;
    equality.content = FIRN_CONTENT_EQUALITY_DELETES;
    equality.equality_ids = ids;
    equality.n_equality_ids = 2;
    firn_manifest_entry entries[] = {{FIRN_ENTRY_ADDED, 77, -1, -1, vector},
                                     {FIRN_ENTRY_ADDED, 77, -1, -1, equality}};
    firn_manifest_file file = write_manifest(t, true, entries, 2);
    file.sequence_number = 5;
    firn_manifest *m;
    MUST(firn_manifest_open(storage, NULL, t, &file, &m, &err));
    firn_manifest_entry got;
    firn_manifest_entry_at(m, arena, 0, &got);
    assert_same_file(&got.file, &vector);
    assert_string_equal(got.file.referenced_data_file, "file:///x");
    firn_manifest_entry_at(m, arena, 1, &got);
    assert_same_file(&got.file, &equality);
    assert_memory_equal(got.file.equality_ids, ids, sizeof ids);
    firn_manifest_unref(m);

    file.deletes = false; /* the list lies */
    MUST_FAIL(firn_manifest_open(storage, NULL, t, &file, &m, &err), FIRN_E_CORRUPT,
              "is a delete file");
}

static void test_inheritance(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file data = data_file(t, "a", 4, 0, 8);
    firn_manifest_entry kept = {FIRN_ENTRY_ADDED, 77, 3, -1, data}; /* compaction keeps a number */
    firn_manifest_file file = write_manifest(t, false, &kept, 1);
    assert_int_equal(file.min_sequence_number, 3);
    file.sequence_number = 8;
    firn_manifest *m;
    MUST(firn_manifest_open(storage, NULL, t, &file, &m, &err));
    firn_manifest_entry got;
    firn_manifest_entry_at(m, arena, 0, &got);
    assert_int_equal(got.data_sequence_number, 3);
    assert_int_equal(got.file_sequence_number, 8);
    firn_manifest_unref(m);

    firn_manifest_writer_options options = {.metadata = t, .spec = t->spec, .location = "x"};
    firn_manifest_writer *writer = firn_manifest_writer_new(arena, &options);
    firn_manifest_entry existing = {FIRN_ENTRY_EXISTING, 77, -1, -1, data};
    MUST_FAIL(firn_manifest_writer_add(writer, &existing, &err), FIRN_E_INTERNAL,
              "no sequence number");
}

static void test_codec_property(void **state)
{
    (void)state;
    static const struct {
        const char *property;
        firn_avro_codec codec;
    } cases[] = {{"gzip", FIRN_AVRO_CODEC_DEFLATE},
                 {"ZSTD", FIRN_AVRO_CODEC_ZSTANDARD},
                 {"snappy", FIRN_AVRO_CODEC_SNAPPY},
                 {"uncompressed", FIRN_AVRO_CODEC_NULL}};
    for (size_t i = 0; i < 4; i++) {
        const firn_metadata *t = new_table(
            2, by_day,
            firn_arena_printf(arena, "{'write.avro.compression-codec': '%s'}", cases[i].property));
        firn_manifest_file file = write_manifest(t, false, NULL, 0);
        firn_bytes bytes;
        MUST(firn_storage_get(storage, arena, file.path, 1 << 20, &bytes, &err));
        firn_avro_reader *reader;
        MUST(firn_avro_reader_open(arena, bytes, "m", &reader, &err));
        assert_int_equal(firn_avro_reader_codec(reader), cases[i].codec);
        assert_string_equal(firn_avro_reader_meta_text(reader, "format-version"), "2");
        assert_string_equal(firn_avro_reader_meta_text(reader, "content"), "data");
        assert_string_equal(firn_avro_reader_meta_text(reader, "partition-spec-id"), "0");
        assert_non_null(strstr(firn_avro_reader_meta_text(reader, "partition-spec"), "1000"));
        assert_non_null(firn_avro_reader_meta_text(reader, "schema"));
    }
}

static void test_list_round_trip(void **state)
{
    (void)state;
    for (int version = 1; version <= 3; version++) {
        const firn_metadata *t = new_table(version, by_day, NULL);
        firn_data_file data = data_file(t, "a", 4, 0, 8);
        firn_manifest_entry entry = {FIRN_ENTRY_ADDED, 77, -1, -1, data};
        firn_manifest_file files[] = {write_manifest(t, false, &entry, 1),
                                      write_manifest(t, false, &entry, 1)};
        files[1].sequence_number = files[1].min_sequence_number = 2;
        files[1].first_row_id = 5;
        const char *location = firn_arena_printf(arena, "%s/metadata/list%d", t->location, version);
        firn_manifest_list_options options = {
            .metadata = t,
            .snapshot_id = 77,
            .parent_snapshot_id = -1,
            .sequence_number = 4,
            .first_row_id = version == 3 ? 100 : -1,
            .location = location,
        };
        int64_t next_row_id;
        MUST(firn_manifest_list_write(storage, arena, &options, files, 2, &next_row_id, &err));
        assert_int_equal(next_row_id, version == 3 ? 108 : -1);
        firn_snapshot snapshot = {.snapshot_id = 77, .manifest_list = location};
        firn_manifest_file *got;
        size_t n;
        MUST(firn_manifest_list_read(storage, arena, t, &snapshot, &got, &n, &err));
        assert_int_equal(n, 2);
        assert_string_equal(got[0].path, files[0].path);
        assert_int_equal(got[0].length_bytes, files[0].length_bytes);
        assert_int_equal(got[0].sequence_number, version == 1 ? 0 : 4);
        assert_int_equal(got[1].sequence_number, version == 1 ? 0 : 2);
        assert_int_equal(got[0].added_files, 1);
        assert_int_equal(got[0].added_rows, 8);
        assert_int_equal(got[0].first_row_id, version == 3 ? 100 : -1);
        assert_int_equal(got[1].first_row_id, version == 3 ? 5 : -1);
        assert_int_equal(got[0].n_partitions, 1);
        assert_bytes(got[0].partitions[0].lower, files[0].partitions[0].lower);
        assert_false(got[0].partitions[0].contains_null);
    }
}

/* A v1 snapshot may name its manifests without a list. */
static void test_inline_list(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(1, by_day, NULL);
    firn_data_file data = data_file(t, "a", 4, 0, 8);
    firn_manifest_entry entry = {FIRN_ENTRY_ADDED, 77, -1, -1, data};
    firn_manifest_file file = write_manifest(t, false, &entry, 1), *got;
    const char *paths[] = {file.path};
    firn_snapshot snapshot = {.snapshot_id = 77, .manifests = paths, .n_manifests = 1};
    size_t n;
    MUST(firn_manifest_list_read(storage, arena, t, &snapshot, &got, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(got[0].added_files, -1);
    firn_manifest *m;
    MUST(firn_manifest_open(storage, NULL, t, &got[0], &m, &err));
    assert_int_equal(firn_manifest_len(m), 1);
    firn_manifest_unref(m);
}

/* Any damage is an error that names the file; none of it crashes. */
static void test_damaged(void **state)
{
    (void)state;
    const firn_metadata *t =
        new_table(2, by_day, "{'write.avro.compression-codec': 'uncompressed'}");
    firn_data_file data = data_file(t, "a", 4, 0, 8);
    firn_manifest_entry entry = {FIRN_ENTRY_ADDED, 77, -1, -1, data};
    firn_manifest_file file = write_manifest(t, false, &entry, 1);
    firn_bytes bytes;
    MUST(firn_storage_get(storage, arena, file.path, 1 << 20, &bytes, &err));
    file.sequence_number = 1;
    file.path = firn_arena_printf(arena, "%s/metadata/damaged.avro", t->location);
    firn_manifest *m;
    for (size_t cut = 0; cut < bytes.len; cut += cut + 200 < bytes.len ? 37 : 1) {
        MUST(firn_storage_put(storage, file.path, firn_bytes_of(bytes.data, cut), &err));
        firn_err err = {0};
        firn_rc rc = firn_manifest_open(storage, NULL, t, &file, &m, &err);
        if (rc == FIRN_OK) { /* cut where a block ends */
            assert_int_equal(firn_manifest_len(m), 0);
            firn_manifest_unref(m);
        } else if (rc != FIRN_E_CORRUPT || !strstr(err.message, "damaged.avro")) {
            fail_msg("cut at %zu: %s", cut, err.message);
        }
    }
    MUST(firn_storage_delete(storage, file.path, &err));
    MUST_FAIL(firn_manifest_open(storage, NULL, t, &file, &m, &err), FIRN_E_NOT_FOUND,
              "damaged.avro");
}

static void test_cache(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file data = data_file(t, "a", 4, 0, 8);
    firn_manifest_entry entry = {FIRN_ENTRY_ADDED, 77, -1, -1, data};
    firn_manifest_file files[40];
    for (int i = 0; i < 40; i++) {
        files[i] = write_manifest(t, false, &entry, 1);
        files[i].sequence_number = 1;
    }
    firn_manifest_cache *cache = firn_manifest_cache_new(20000);
    firn_manifest *first, *again;
    MUST(firn_manifest_open(storage, cache, t, &files[0], &first, &err));
    MUST(firn_manifest_open(storage, cache, t, &files[0], &again, &err));
    assert_ptr_equal(first, again);
    firn_manifest_unref(again);
    MUST(firn_storage_delete(storage, files[0].path, &err)); /* it is no longer needed */
    MUST(firn_manifest_open(storage, cache, t, &files[0], &again, &err));
    firn_manifest_unref(again);
    files[0].sequence_number = 2; /* another inheritance is another manifest */
    MUST_FAIL(firn_manifest_open(storage, cache, t, &files[0], &again, &err), FIRN_E_NOT_FOUND,
              "cannot read");
    for (int i = 1; i < 40; i++) { /* more than fit */
        MUST(firn_manifest_open(storage, cache, t, &files[i], &again, &err));
        firn_manifest_unref(again);
    }
    assert_int_equal(firn_manifest_len(first), 1); /* alive though long evicted */
    firn_manifest_unref(first);
    MUST(firn_storage_delete(storage, files[1].path, &err));
    MUST_FAIL(firn_manifest_open(storage, cache, t, &files[1], &again, &err), FIRN_E_NOT_FOUND,
              "cannot read");
    firn_manifest_cache_free(cache);
}

/* Files are new: whatever fails, it is known to have failed, and nothing is left of it. */
static void test_failing_writes(void **state)
{
    (void)state;
    firn_storage *durable = firn_storage_new(NULL);
    const firn_metadata *t = new_table(2, NULL, NULL);
    const char *location = firn_arena_printf(arena, "%s/metadata/new.avro", t->location);
    firn_manifest_file manifest = write_manifest(t, false, NULL, 0), written;
    firn_manifest_writer_options options = {
        .metadata = t, .spec = t->spec, .snapshot_id = 77, .location = location};
    firn_manifest_list_options list = {
        .metadata = t, .location = location, .snapshot_id = 77, .parent_snapshot_id = -1};
    for (int lists = 0; lists <= 1; lists++) {
        firn_rc rc = FIRN_E_IO;
        int failed = 0;
        for (int n = 1; rc != FIRN_OK; n++, failed += rc != FIRN_OK) {
            int64_t next_row_id, size;
            firn_manifest_writer *writer = firn_manifest_writer_new(arena, &options);
            setenv("FIRN_FAULT_FAIL", firn_arena_printf(arena, "%d", n), 1);
            firn_fault_reload();
            rc = lists ? firn_manifest_list_write(durable, arena, &list, &manifest, 1, &next_row_id,
                                                  NULL)
                       : firn_manifest_writer_finish(writer, durable, &written, NULL);
            unsetenv("FIRN_FAULT_FAIL");
            firn_fault_reload();
            assert_true(rc == FIRN_OK || rc == FIRN_E_IO);
            assert_int_equal(firn_storage_size(durable, location, &size, NULL),
                             rc == FIRN_OK ? FIRN_OK : FIRN_E_NOT_FOUND);
        }
        assert_true(failed >= 6); /* to put, create, write, fsync, rename, fsync the folder */
        MUST(firn_storage_delete(durable, location, &err));
    }
    firn_storage_free(durable);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),      TEST(test_deletes_round_trip),
        TEST(test_inheritance),     TEST(test_codec_property),
        TEST(test_list_round_trip), TEST(test_inline_list),
        TEST(test_damaged),         TEST(test_cache),
        TEST(test_failing_writes),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
