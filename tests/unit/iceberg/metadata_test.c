/* Table metadata: every golden table's document, old and incomplete ones, broken ones, files. */
#include "metadata_testing.h"

#include "storage/storage.h"

#include <dirent.h>
#include <unistd.h>

/* ---- golden tables ---- */

static firn_metadata *load_golden(const char *table, json_t **expected)
{
    *expected = golden_json(firn_arena_printf(arena, "tables/%s/expected.json", table));
    const char *file = json_string_value(json_object_get(*expected, "metadata"));
    firn_bytes text;
    firn_metadata *metadata = NULL;
    MUST(firn_file_read(arena, golden_path(firn_arena_printf(arena, "tables/%s/%s", table, file)),
                        64 << 20, &text, &err));
    MUST(firn_metadata_parse(arena, text, table, &metadata, &err));
    return metadata;
}

static void check_golden_snapshots(const firn_metadata *m, const json_t *expected)
{
    json_int_t current = json_integer_value(json_object_get(expected, "current_snapshot_id"));
    if (json_is_integer(json_object_get(expected, "current_snapshot_id")))
        assert_int_equal(m->current_snapshot->snapshot_id, current);
    else
        assert_null(m->current_snapshot);
    const char *id_text;
    json_t *item;
    json_object_foreach(json_object_get(expected, "snapshots"), id_text, item)
    {
        int64_t id;
        assert_true(firn_parse_i64(id_text, &id));
        const firn_snapshot *snapshot = firn_metadata_snapshot(m, id);
        assert_non_null(snapshot);
        assert_int_equal(snapshot->timestamp_ms,
                         json_integer_value(json_object_get(item, "timestamp_ms")));
        assert_int_equal(snapshot->sequence_number,
                         json_integer_value(json_object_get(item, "sequence_number")));
        const char *operation = json_string_value(json_object_get(item, "operation"));
        assert_string_equal(text_or_empty(snapshot->operation), text_or_empty(operation));
    }
    const json_t *log = json_object_get(expected, "snapshot_log");
    assert_int_equal(m->n_snapshot_log, json_array_size(log));
    for (size_t i = 0; i < m->n_snapshot_log; i++) {
        const json_t *entry = json_array_get(log, i);
        int64_t at = json_integer_value(json_object_get(entry, "timestamp_ms"));
        int64_t id = json_integer_value(json_object_get(entry, "snapshot_id"));
        const firn_snapshot *then = firn_metadata_snapshot_as_of(m, at);
        bool overtaken = i + 1 < m->n_snapshot_log && m->snapshot_log[i + 1].timestamp_ms <= at;
        if (!overtaken)
            assert_int_equal(then ? then->snapshot_id : id, id);
    }
}

static void check_golden_refs(const firn_metadata *m, const json_t *expected)
{
    const char *name;
    json_t *item;
    json_object_foreach(json_object_get(expected, "refs"), name, item)
    {
        const firn_snapshot_ref *ref = firn_metadata_ref(m, name);
        assert_non_null(ref);
        assert_int_equal(ref->snapshot_id,
                         json_integer_value(json_object_get(item, "snapshot_id")));
        assert_int_equal(ref->is_tag,
                         firn_streq(json_string_value(json_object_get(item, "type")), "tag"));
    }
    assert_int_equal(m->n_refs, json_object_size(json_object_get(expected, "refs")));
}

static void check_golden_schema(const firn_metadata *m, const json_t *expected)
{
    json_t *schema = firn_json_own(arena, firn_schema_to_json(m->schema));
    json_t *fields = json_object_get(schema, "fields"),
           *golden = json_object_get(expected, "schema");
    if (!json_equal(fields, golden))
        fail_msg("%s\nis not\n%s", firn_json_text(arena, fields), firn_json_text(arena, golden));
}

/* Setting a property changes that and the bookkeeping, and nothing else in a document of any writer. */
static void check_lossless(const firn_metadata *m)
{
    const firn_metadata *changed =
        apply(m, "[{'action': 'set-properties', 'updates': {'firn.test': 'yes'}}]");
    const char *key;
    json_t *value;
    json_object_foreach(m->json, key, value)
    {
        if (firn_streq(key, "last-updated-ms") || firn_streq(key, "metadata-log") ||
            firn_streq(key, "properties") || firn_streq(key, "refs"))
            continue;
        json_t *now = json_object_get(changed->json, key);
        /* the oldest documents' schema and spec gain the ids under which they join the lists */
        if ((firn_streq(key, "schema") && !json_object_get(m->json, "schemas")) ||
            (firn_streq(key, "partition-spec") && !json_object_get(m->json, "partition-specs")))
            continue;
        bool no_current = firn_streq(key, "current-snapshot-id") && !m->current_snapshot;
        if (!no_current && !json_equal(value, now))
            fail_msg("%s: %s is not %s", key, firn_json_text(arena, now),
                     firn_json_text(arena, value));
    }
}

/* The table's name is the test's initial state. */
static void golden_table(void **state)
{
    const char *name = *state;
    arena = firn_arena_new();
    json_t *expected = NULL;
    const firn_metadata *m = load_golden(name, &expected);
    check_golden_schema(m, expected);
    check_golden_snapshots(m, expected);
    check_golden_refs(m, expected);
    check_lossless(m);
    firn_arena_free(arena);
}

/* ---- v1 ---- */

static const char oldest[] =
    "{'format-version': 1, 'location': 's3://b/t/', 'last-updated-ms': 1600000000000,"
    " 'last-column-id': 2, 'x-unknown': {'kept': [1, 2]},"
    " 'schema': {'type': 'struct', 'fields': ["
    "   {'id': 1, 'name': 'a', 'required': true, 'type': 'int', 'x-field': 1},"
    "   {'id': 2, 'name': 'b', 'required': false, 'type': 'string'}]},"
    " 'partition-spec': [{'name': 'b', 'transform': 'identity', 'source-id': 2}],"
    " 'current-snapshot-id': 5, 'snapshots': ["
    "   {'snapshot-id': 5, 'timestamp-ms': 1600000000000, 'x-snapshot': true,"
    "    'manifests': ['s3://b/t/metadata/m1.avro', 's3://b/t/metadata/m2.avro']}]}";

static void oldest_v1_documents(void **state)
{
    (void)state;
    const firn_metadata *m = metadata_of(json_of(oldest));
    assert_null(m->table_uuid);
    assert_string_equal(m->location, "s3://b/t");
    assert_int_equal(m->schema->schema_id, 0);
    assert_int_equal(m->spec->fields[0].field_id, 1000);
    assert_int_equal(m->last_partition_id, 1000);
    assert_int_equal(m->n_sort_orders, 1);
    assert_int_equal(m->sort_order->order_id, 0);
    assert_int_equal(m->current_snapshot->n_manifests, 2);
    assert_string_equal(m->current_snapshot->manifests[1], "s3://b/t/metadata/m2.avro");
    assert_null(m->current_snapshot->manifest_list);
    assert_null(m->current_snapshot->operation);
    assert_int_equal(m->current_snapshot->schema_id, -1);
    assert_int_equal(firn_metadata_ref(m, "main")->snapshot_id, 5);
    assert_null(firn_metadata_ref(m, "dev"));
    assert_int_equal(json_object_size(m->properties), 0);
    assert_string_equal(firn_metadata_property(m, "k", "d"), "d");
    /* without a log, time travel goes by ancestors */
    assert_int_equal(firn_metadata_snapshot_as_of(m, 1600000000000)->snapshot_id, 5);
    assert_null(firn_metadata_snapshot_as_of(m, 1599999999999));
}

static void changed_v1_documents_stay_v1(void **state)
{
    (void)state;
    const firn_metadata *m = metadata_of(json_of(oldest));
    const firn_metadata *changed = append(m, 6);
    json_t *doc = changed->json;
    assert_int_equal(json_integer_value(json_object_get(doc, "format-version")), 1);
    assert_null(json_object_get(doc, "last-sequence-number"));
    assert_null(json_object_get(doc, "next-row-id"));
    assert_true(
        json_equal(json_object_get(doc, "x-unknown"), json_object_get(m->json, "x-unknown")));
    json_t *schema = json_object_get(doc, "schema");
    assert_ptr_equal(schema, json_array_get(json_object_get(doc, "schemas"), 0));
    assert_int_equal(json_integer_value(json_object_get(schema, "schema-id")), 0);
    assert_true(json_equal(json_object_get(schema, "fields"),
                           json_object_get(json_object_get(m->json, "schema"), "fields")));
    json_t *snapshots = json_object_get(doc, "snapshots");
    assert_true(json_is_true(json_object_get(json_array_get(snapshots, 0), "x-snapshot")));
    assert_null(json_object_get(json_array_get(snapshots, 1), "sequence-number"));
    assert_int_equal(changed->snapshots[0].n_manifests, 2);
    assert_int_equal(changed->current_snapshot->snapshot_id, 6);
    assert_int_equal(json_array_size(json_object_get(doc, "partition-spec")), 1);
}

static void v1_upgrades_to_v2_and_v3(void **state)
{
    (void)state;
    const firn_metadata *m = metadata_of(json_of(oldest));
    m = apply(m, "[{'action': 'upgrade-format-version', 'format-version': 2}]");
    assert_int_equal(m->format_version, 2);
    assert_non_null(m->table_uuid);
    assert_null(json_object_get(m->json, "schema"));
    assert_null(json_object_get(m->json, "partition-spec"));
    assert_int_equal(json_integer_value(json_object_get(m->json, "last-sequence-number")), 0);
    m = append(m, 6);
    assert_int_equal(m->last_sequence_number, 1);
    m = apply(m, "[{'action': 'upgrade-format-version', 'format-version': 3}]");
    assert_int_equal(json_integer_value(json_object_get(m->json, "next-row-id")), 0);
    m = append(m, 7);
    assert_int_equal(m->next_row_id, 10);
    MUST_FAIL(try_apply(m, "[{'action': 'upgrade-format-version', 'format-version': 2}]", &err),
              FIRN_E_INVALID, "Cannot downgrade v3 table to v2");
    MUST_FAIL(try_apply(m, "[{'action': 'upgrade-format-version', 'format-version': 4}]", &err),
              FIRN_E_INVALID, "unsupported format version: v4 (supported: v3)");
}

/* ---- no snapshot, in every spelling ---- */

static void no_current_snapshot(void **state)
{
    (void)state;
    json_t *doc = firn_json_own(arena, json_deep_copy(new_table(2)->json));
    json_t *spellings[] = {json_integer(-1), json_null(), NULL};
    for (size_t i = 0; i < 3; i++) {
        if (spellings[i])
            json_object_set_new(doc, "current-snapshot-id", spellings[i]);
        else
            json_object_del(doc, "current-snapshot-id");
        const firn_metadata *m = metadata_of(doc);
        assert_null(m->current_snapshot);
        assert_int_equal(m->n_refs, 0);
        assert_null(firn_metadata_snapshot(m, -1));
    }
    const firn_metadata *v2 = new_table(2), *v3 = new_table(3);
    assert_int_equal(json_integer_value(json_object_get(v2->json, "current-snapshot-id")), -1);
    assert_true(json_is_null(json_object_get(v3->json, "current-snapshot-id")));
}

/* ---- broken documents ---- */

static firn_rc read_metadata(json_t *doc, firn_err *err)
{
    firn_metadata *m;
    return firn_metadata_from_json(arena, doc, "table metadata s3://b/t/m.json", &m, err);
}

static void broken_documents_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *member, *value;
        firn_rc code;
        const char *message;
    } broken[] = {
        {"format-version", "[]", FIRN_E_CORRUPT, "format-version"},
        {"format-version", "0", FIRN_E_CORRUPT, "format-version is 0"},
        {"format-version", "4", FIRN_E_UNSUPPORTED, "Cannot read unsupported version 4"},
        {"table-uuid", "null", FIRN_E_CORRUPT, "UUID is required in format v2"},
        {"location", "null", FIRN_E_CORRUPT, "location"},
        {"last-sequence-number", "null", FIRN_E_CORRUPT, "last-sequence-number"},
        {"last-sequence-number", "0", FIRN_E_CORRUPT,
         "sequence number 1 greater than last sequence number 0"},
        {"last-updated-ms", "'x'", FIRN_E_CORRUPT, "last-updated-ms"},
        {"last-column-id", "1e3", FIRN_E_CORRUPT, "last-column-id"},
        {"last-column-id", "2100000000", FIRN_E_CORRUPT,
         "last-column-id 2100000000 is out of range"},
        {"last-partition-id", "-1", FIRN_E_CORRUPT, "last-partition-id -1 is out of range"},
        {"last-sequence-number", "9223372036854775807", FIRN_E_CORRUPT, "out of range"},
        {"schemas", "null", FIRN_E_CORRUPT, "schemas must exist in format v2"},
        {"schemas", "[]", FIRN_E_CORRUPT, "Cannot find schema with current-schema-id=0"},
        {"schemas",
         "[{'type': 'struct', 'schema-id': 0, 'fields': []},"
         " {'type': 'struct', 'schema-id': 0, 'fields': []}]",
         FIRN_E_CORRUPT, "schema-id 0 is there twice"},
        {"partition-specs", "[{'spec-id': 0, 'fields': []}, {'spec-id': 0, 'fields': []}]",
         FIRN_E_CORRUPT, "spec-id 0 is there twice"},
        {"sort-orders", "[{'order-id': 0, 'fields': []}, {'order-id': 0, 'fields': []}]",
         FIRN_E_CORRUPT, "order-id 0 is there twice"},
        {"current-schema-id", "7", FIRN_E_CORRUPT, "Cannot find schema with current-schema-id=7"},
        {"partition-specs", "null", FIRN_E_CORRUPT, "partition-specs must exist in format v2"},
        {"default-spec-id", "7", FIRN_E_CORRUPT, "default-spec-id=7"},
        {"last-partition-id", "null", FIRN_E_CORRUPT, "last-partition-id"},
        {"sort-orders", "null", FIRN_E_CORRUPT, "sort-orders must exist in format v2"},
        {"default-sort-order-id", "7", FIRN_E_CORRUPT, "default-sort-order-id=7"},
        {"properties", "[]", FIRN_E_CORRUPT, "properties"},
        {"properties", "{'a': 1}", FIRN_E_CORRUPT, "property 'a' is not a string"},
        {"current-snapshot-id", "99", FIRN_E_CORRUPT, "snapshot 99 is not in the list"},
        {"current-snapshot-id", "-1", FIRN_E_CORRUPT,
         "Current snapshot is not set, but main branch exists"},
        {"refs", "{'main': {'snapshot-id': 1, 'type': 'branch'}}", FIRN_E_CORRUPT,
         "does not match main branch (2 != 1)"},
        {"refs", "{'dev': {'snapshot-id': 9, 'type': 'branch'}}", FIRN_E_CORRUPT,
         "ref 'dev' points to snapshot 9"},
        {"refs", "{'dev': {'snapshot-id': 1, 'type': 'twig'}}", FIRN_E_CORRUPT, "'twig'"},
        {"refs", "{'dev': {'snapshot-id': 1, 'type': 'tag', 'max-ref-age-ms': 0}}", FIRN_E_CORRUPT,
         "max-ref-age-ms must be greater than 0"},
        {"refs", "[]", FIRN_E_CORRUPT, "refs"},
        {"snapshots", "[1]", FIRN_E_CORRUPT, "a snapshot is not a JSON object"},
        {"snapshots", "[{'snapshot-id': 1, 'timestamp-ms': 1}]", FIRN_E_CORRUPT, "manifests"},
        {"snapshots", "[{'snapshot-id': 1, 'timestamp-ms': 1, 'manifests': [2]}]", FIRN_E_CORRUPT,
         "manifests holds something else"},
        {"snapshots",
         "[{'snapshot-id': 1, 'timestamp-ms': 1, 'manifest-list': 'x', 'summary': {'a': 1}}]",
         FIRN_E_CORRUPT, "summary entry 'a' is not a string"},
        {"snapshots",
         "[{'snapshot-id': 1, 'timestamp-ms': 1, 'manifest-list': 'x'},"
         " {'snapshot-id': 1, 'timestamp-ms': 1, 'manifest-list': 'x'}]",
         FIRN_E_CORRUPT, "snapshot id 1 is there twice"},
        {"snapshot-log", "[1]", FIRN_E_CORRUPT, "an entry of snapshot-log"},
        {"metadata-log", "[{'timestamp-ms': 1}]", FIRN_E_CORRUPT, "metadata-file"},
    };
    const firn_metadata *table = append(append(new_table(2), 1), 2);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        json_t *doc = firn_json_own(arena, json_deep_copy(table->json));
        const char *wrapped = firn_arena_printf(arena, "[%s]", broken[i].value);
        json_object_set(doc, broken[i].member, json_array_get(json_of(wrapped), 0));
        MUST_FAIL(read_metadata(doc, &err), broken[i].code, broken[i].message);
        MUST_FAIL(read_metadata(doc, &err), broken[i].code, "table metadata s3://b/t/m.json");
    }
    MUST_FAIL(read_metadata(json_of("[]"), &err), FIRN_E_CORRUPT, "non-object");
    json_t *v1 = json_of(oldest); /* an upgrade would carry the number along */
    json_object_set_new(json_array_get(json_object_get(v1, "snapshots"), 0), "sequence-number",
                        json_integer(1));
    MUST_FAIL(read_metadata(v1, &err), FIRN_E_CORRUPT,
              "sequence number 1 greater than last sequence number 0");
    json_t *v3 = firn_json_own(arena, json_deep_copy(new_table(3)->json));
    json_object_del(v3, "next-row-id");
    MUST_FAIL(read_metadata(v3, &err), FIRN_E_CORRUPT, "next-row-id");
}

static void properties_as_numbers(void **state)
{
    (void)state;
    const firn_metadata *m =
        apply(new_table(2), "[{'action': 'set-properties', 'updates': {'n': '42', 'x': 'many'}}]");
    assert_int_equal(firn_metadata_property_i64(m, "n", 1), 42);
    assert_int_equal(firn_metadata_property_i64(m, "x", 1), 1);
    assert_int_equal(firn_metadata_property_i64(m, "none", 7), 7);
}

/* ---- files ---- */

static char *make_folder(void)
{
    char *folder = firn_arena_strdup(arena, "/tmp/firn-metadata-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static firn_metadata *stored_table(const char *folder, const char *properties)
{
    json_t *updates = json_of(firn_arena_printf(arena,
                                                "[{'action': 'set-location', 'location': '%s'},"
                                                " {'action': 'set-properties', 'updates': %s}]",
                                                folder, properties));
    const firn_metadata *base = new_table(2);
    return apply_at(base, updates, base->last_updated_ms + 1);
}

static void files_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *properties, *suffix;
    } kinds[] = {
        {"{}", ".metadata.json"},
        {"{'write.metadata.compression-codec': 'gzip'}", ".gz.metadata.json"},
    };
    const firn_storage_options options = {.fsync_off = true};
    firn_storage *storage = firn_storage_new(&options);
    for (size_t i = 0; i < 2; i++) {
        const char *folder = make_folder();
        const firn_metadata *table = stored_table(folder, kinds[i].properties);
        firn_metadata *loaded = NULL;
        char *first = NULL, *second = NULL;
        MUST(firn_metadata_store(storage, arena, table, NULL, &first, &err));
        MUST(firn_metadata_store(storage, arena, table, first, &second, &err));
        assert_true(firn_ends_with(first, kinds[i].suffix));
        assert_non_null(strstr(first, "/metadata/00000-"));
        assert_non_null(strstr(second, "/metadata/00001-"));
        MUST(firn_metadata_load(storage, arena, second, &loaded, &err));
        assert_true(json_equal(loaded->json, table->json));
        MUST(firn_storage_delete(storage, first, &err));
        MUST(firn_storage_delete(storage, second, &err));
        rmdir(firn_arena_printf(arena, "%s/metadata", folder));
        rmdir(folder);
    }
    firn_storage_free(storage);
}

static void names_follow_other_catalogs(void **state)
{
    (void)state;
    static const struct {
        const char *previous, *number;
    } names[] = {
        {"s3://b/t/metadata/00041-9c12d441.metadata.json", "/00042-"},
        {"s3://b/t/metadata/v3.metadata.json", "/00004-"},
        {"s3://b/t/metadata/v12.gz.metadata.json", "/00013-"},
        {"s3://b/t/metadata/latest.json", "/00000-"},
    };
    const firn_storage_options options = {.fsync_off = true};
    firn_storage *storage = firn_storage_new(&options);
    const char *folder = make_folder();
    const firn_metadata *table = stored_table(
        "s3://elsewhere/t", firn_arena_printf(arena, "{'write.metadata.path': '%s'}", folder));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *location = NULL;
        MUST(firn_metadata_store(storage, arena, table, names[i].previous, &location, &err));
        assert_non_null(strstr(location, folder));
        assert_non_null(strstr(location, names[i].number));
        MUST(firn_storage_delete(storage, location, &err));
    }
    rmdir(folder);
    char *location = NULL;
    table = stored_table(folder, "{'write.metadata.compression-codec': 'lzma'}");
    MUST_FAIL(firn_metadata_store(storage, arena, table, NULL, &location, &err), FIRN_E_INVALID,
              "use gzip or none");
    firn_metadata *loaded;
    MUST_FAIL(firn_metadata_load(storage, arena, "/tmp/firn-none/v1.metadata.json", &loaded, &err),
              FIRN_E_NOT_FOUND, "/tmp/firn-none/v1.metadata.json");
    firn_storage_free(storage);
}

static firn_rc parse_bytes(firn_bytes bytes, firn_err *err)
{
    firn_metadata *m;
    return firn_metadata_parse(arena, bytes, "table metadata x", &m, err);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    firn_bytes gz;
    MUST_FAIL(parse_bytes(firn_bytes_str("{"), &err), FIRN_E_CORRUPT, "table metadata x");
    MUST_FAIL(parse_bytes(firn_bytes_str(""), &err), FIRN_E_CORRUPT, "table metadata x");
    assert_true(firn_unhex(arena, "1f8b0800000000000003", &gz));
    MUST_FAIL(parse_bytes(gz, &err), FIRN_E_CORRUPT, "broken or cut off gzip data");
    assert_true(firn_unhex(arena, "1f8bffff", &gz));
    MUST_FAIL(parse_bytes(gz, &err), FIRN_E_CORRUPT, "broken or cut off gzip data");
}

/* One test per golden table, so that a failure says which. Gives how many there are. */
static size_t add_golden_tests(firn_arena *names, struct CMUnitTest *tests, size_t room)
{
    struct dirent **entries;
    char *folder = firn_path_join(names, getenv("FIRN_SOURCE_DIR"), "tests/golden/tables");
    int n_entries = scandir(folder, &entries, NULL, alphasort);
    size_t n = 0;
    for (int i = 0; i < n_entries; i++) {
        if (entries[i]->d_name[0] != '.' && n < room) {
            char *name = firn_arena_strdup(names, entries[i]->d_name);
            tests[n++] =
                (struct CMUnitTest){.name = name, .test_func = golden_table, .initial_state = name};
        }
        free(entries[i]);
    }
    if (n_entries >= 0)
        free(entries);
    return n;
}

int main(void)
{
    enum { OWN_TESTS = 9, ROOM = 512 };
    struct CMUnitTest tests[ROOM] = {
        cmocka_unit_test_setup_teardown(oldest_v1_documents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_v1_documents_stay_v1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(v1_upgrades_to_v2_and_v3, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_current_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_documents_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(properties_as_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_follow_other_catalogs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_files_are_refused, set_up, tear_down),
    };
    firn_arena *names = firn_arena_new();
    size_t n = add_golden_tests(names, tests + OWN_TESTS, ROOM - OWN_TESTS);
    int failed = n > 50 ? _cmocka_run_group_tests("metadata", tests, OWN_TESTS + n, NULL, NULL) : 1;
    firn_arena_free(names);
    return failed;
}
