/* Scans as REST clients see them: files and tasks in Java's JSON, filters as clients write them, scans in parts, appends only. */
#include "files_testing.h"

#include "iceberg/scan_json.h"

/* ---- JSON of files: the texts are those of Java's TestContentFileParser --------------------------------- */

static const char two_columns[] = "{'type': 'struct', 'schema-id': 0, 'fields': ["
                                  "{'id': 3, 'name': 'id', 'required': true, 'type': 'int'},"
                                  "{'id': 4, 'name': 'data', 'required': true, 'type': 'string'}]}";
static const char by_bucket[] = "{'spec-id': 0, 'fields': [{'source-id': 4, 'field-id': 1000, "
                                "'name': 'data_bucket', 'transform': 'bucket[16]'}]}";

static const firn_metadata *java_table(void)
{
    firn_schema *schema;
    firn_partition_spec *spec;
    MUST(firn_schema_from_json(arena, json_of(two_columns), "test", &schema, &err));
    MUST(firn_partition_spec_from_json(arena, json_of(by_bucket), "test", &spec, &err));
    json_t *updates = json_of(firn_arena_printf(
        arena,
        "[{'action':'upgrade-format-version','format-version':3},"
        "{'action':'add-schema','schema':%s},{'action':'set-current-schema','schema-id':-1},"
        "{'action':'add-spec','spec':%s},{'action':'set-default-spec','spec-id':-1},"
        "{'action':'set-location','location':'file:///t'}]",
        two_columns, by_bucket));
    firn_metadata *metadata;
    MUST(firn_updates_apply(arena, NULL, updates, &(firn_update_options){0}, &metadata, &err));
    return metadata;
}

static firn_data_file java_file(firn_content content, const char *path, int32_t bucket)
{
    firn_value *tuple = FIRN_NEW(arena, firn_value);
    *tuple = (firn_value){.type = FIRN_TYPE_INT, .i32 = bucket};
    return (firn_data_file){
        .content = content,
        .path = path,
        .format = "PARQUET",
        .partition = tuple,
        .n_partition = 1,
        .record_count = 10,
        .file_size_bytes = 350,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
}

static void expect_file(const firn_metadata *table, const firn_data_file *file, const char *text)
{
    firn_imap *stats = firn_imap_new(arena);
    firn_imap_put(stats, 3, stats);
    firn_imap_put(stats, 4, stats);
    firn_scan_json_options options = {.metadata = table, .stats = stats};
    json_t *json = firn_json_own(arena, firn_content_file_to_json(arena, &options, file));
    if (!json_equal(json, json_of(text)))
        fail_msg("it is %s", firn_json_text(arena, json));
}

static const firn_column_metrics two_metrics[] = {
    {.field_id = 3,
     .size_bytes = 100,
     .value_count = 90,
     .null_count = 10,
     .nan_count = 0,
     .lower = {(const uint8_t *)"\x01\0\0\0", 4},
     .upper = {(const uint8_t *)"\x05\0\0\0", 4}},
    {.field_id = 4,
     .size_bytes = 200,
     .value_count = 180,
     .null_count = 20,
     .nan_count = 0,
     .lower = {(const uint8_t *)"\x02\0\0\0", 4},
     .upper = {(const uint8_t *)"\x0a\0\0\0", 4}},
};

static void test_a_data_file_is_as_java_writes_it(void **state)
{
    (void)state;
    static int64_t offsets[] = {128, 256};
    firn_data_file file = java_file(FIRN_CONTENT_DATA, "/path/to/data-with-stats.parquet", 1);
    file.metrics = (firn_column_metrics *)two_metrics;
    file.n_metrics = 2;
    file.key_metadata = firn_bytes_of("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    file.split_offsets = offsets;
    file.n_split_offsets = 2;
    file.sort_order_id = 1;
    expect_file(java_table(), &file,
                "{'spec-id':0,'content':'data','file-path':'/path/to/data-with-stats.parquet',"
                "'file-format':'parquet','partition':[1],'file-size-in-bytes':350,"
                "'record-count':10,'column-sizes':{'keys':[3,4],'values':[100,200]},"
                "'value-counts':{'keys':[3,4],'values':[90,180]},"
                "'null-value-counts':{'keys':[3,4],'values':[10,20]},"
                "'nan-value-counts':{'keys':[3,4],'values':[0,0]},"
                "'lower-bounds':{'keys':[3,4],'values':['01000000','02000000']},"
                "'upper-bounds':{'keys':[3,4],'values':['05000000','0A000000']},"
                "'key-metadata':'00000000000000000000000000000000',"
                "'split-offsets':[128,256],'sort-order-id':1}");
}

static void test_delete_files_are_as_java_writes_them(void **state)
{
    (void)state;
    static int32_t ids[] = {3};
    firn_data_file file = java_file(FIRN_CONTENT_POSITION_DELETES, "/path/to/delete.puffin", 4);
    file.format = "PUFFIN";
    file.file_size_bytes = 1234;
    file.referenced_data_file = "/path/to/data/file.parquet";
    file.content_offset = 4;
    file.content_size_bytes = 40;
    expect_file(java_table(), &file,
                "{'spec-id':0,'content':'position-deletes','file-path':'/path/to/delete.puffin',"
                "'file-format':'puffin','partition':[4],'file-size-in-bytes':1234,"
                "'record-count':10,'referenced-data-file':'/path/to/data/file.parquet',"
                "'content-offset':4,'content-size-in-bytes':40}");
    file = java_file(FIRN_CONTENT_EQUALITY_DELETES, "/path/to/delete.parquet", 9);
    file.equality_ids = ids;
    file.n_equality_ids = 1;
    file.sort_order_id = 1;
    expect_file(java_table(), &file,
                "{'spec-id':0,'content':'equality-deletes','file-path':'/path/to/delete.parquet',"
                "'file-format':'parquet','partition':[9],'file-size-in-bytes':350,"
                "'record-count':10,'equality-ids':[3],'sort-order-id':1}");
}

/* A partition value of every form. */
static void test_partition_values(void **state)
{
    (void)state;
    static const uint8_t uuid[16] = {0xeb, 0x26, 0xbd, 0xb1, 0xa1, 0xd8, 0x4a, 0xa6,
                                     0x99, 0x0e, 0xda, 0x94, 0x08, 0x75, 0x49, 0x2c};
    static const struct {
        const char *type, *json;
        firn_value value;
    } cases[] = {
        {"boolean", "true", {.type = FIRN_TYPE_BOOLEAN, .boolean = true}},
        {"long", "7", {.type = FIRN_TYPE_LONG, .i64 = 7}},
        {"double", "1.5", {.type = FIRN_TYPE_DOUBLE, .f64 = 1.5}},
        {"decimal(9,2)", "'123.40'", {.type = FIRN_TYPE_DECIMAL, .scale = 2, .decimal = 12340}},
        {"date", "'2007-12-03'", {.type = FIRN_TYPE_DATE, .i32 = 13850}},
        {"time", "'22:31:08.123456'", {.type = FIRN_TYPE_TIME, .i64 = 81068123456}},
        {"timestamp",
         "'2007-12-03T10:15:30.123456'",
         {.type = FIRN_TYPE_TIMESTAMP, .i64 = 1196676930123456}},
        {"timestamptz",
         "'2007-12-03T10:15:30.123456+00:00'",
         {.type = FIRN_TYPE_TIMESTAMPTZ, .i64 = 1196676930123456}},
        {"string", "'a'", {.type = FIRN_TYPE_STRING, .bytes = {(const uint8_t *)"a", 1}}},
        {"uuid",
         "'eb26bdb1-a1d8-4aa6-990e-da940875492c'",
         {.type = FIRN_TYPE_UUID, .bytes = {uuid, 16}}},
        {"fixed[3]", "'78797A'", {.type = FIRN_TYPE_FIXED, .bytes = {(const uint8_t *)"xyz", 3}}},
        {"binary", "'78797A'", {.type = FIRN_TYPE_BINARY, .bytes = {(const uint8_t *)"xyz", 3}}},
        {"int", "null", {.type = FIRN_TYPE_INT, .is_null = true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *updates = json_of(firn_arena_printf(
            arena,
            "[{'action':'add-schema','schema':{'type':'struct','fields':[{'id':1,'name':'c',"
            "'required':false,'type':'%s'}]}},{'action':'set-current-schema','schema-id':-1},"
            "{'action':'add-spec','spec':{'fields':[{'source-id':1,'field-id':1000,'name':'c',"
            "'transform':'identity'}]}},{'action':'set-default-spec','spec-id':-1},"
            "{'action':'set-location','location':'file:///t'}]",
            cases[i].type));
        firn_metadata *t;
        MUST(firn_updates_apply(arena, NULL, updates, &(firn_update_options){0}, &t, &err));
        firn_data_file file = java_file(FIRN_CONTENT_DATA, "/f", 0);
        file.partition = (firn_value *)&cases[i].value;
        firn_scan_json_options options = {.metadata = t};
        json_t *json = firn_json_own(arena, firn_content_file_to_json(arena, &options, &file));
        json_t *wanted = json_of(firn_arena_printf(arena, "[%s]", cases[i].json));
        if (!json_equal(json_object_get(json, "partition"), wanted))
            fail_msg("%s is %s", cases[i].type, firn_json_text(arena, json));
        options.no_null_partitions = true;
        json = firn_json_own(arena, firn_content_file_to_json(arena, &options, &file));
        assert_int_equal(json_array_size(json_object_get(json, "partition")),
                         cases[i].value.is_null ? 0 : 1);
    }
}

static void test_tasks_name_their_deletes(void **state)
{
    (void)state;
    firn_data_file a = java_file(FIRN_CONTENT_DATA, "/a", 1);
    firn_data_file b = java_file(FIRN_CONTENT_DATA, "/b", 1);
    firn_data_file c = java_file(FIRN_CONTENT_DATA, "/c", 1);
    firn_data_file position = java_file(FIRN_CONTENT_POSITION_DELETES, "/d", 1);
    firn_data_file vector = java_file(FIRN_CONTENT_POSITION_DELETES, "/puffin", 1);
    firn_data_file other = vector;
    vector.content_offset = 4;
    other.content_offset = 50;
    firn_scan_delete of_a[] = {{.file = &position}, {.file = &vector}};
    firn_scan_delete of_b[] = {{.file = &other}, {.file = &position}};
    firn_scan_task tasks[] = {
        {.file = &a, .deletes = of_a, .n_deletes = 2},
        {.file = &b, .deletes = of_b, .n_deletes = 2, .all_rows_match = true},
        {.file = &c},
    };
    const firn_scan_task *list[] = {&tasks[0], &tasks[1], &tasks[2]};
    json_t *filter = json_of("{'type':'eq','term':'id','value':1}");
    firn_scan_json_options options = {
        .metadata = java_table(), .filter = filter, .filter_exact = true};
    json_t *json = firn_json_own(arena, firn_scan_tasks_to_json(arena, &options, list, 3));
    assert_int_equal(json_array_size(json_object_get(json, "delete-files")), 3);
    json_t *out = json_object_get(json, "file-scan-tasks");
    assert_true(json_equal(json_object_get(json_array_get(out, 0), "delete-file-references"),
                           json_of("[0,1]")));
    assert_true(json_equal(json_object_get(json_array_get(out, 1), "delete-file-references"),
                           json_of("[2,0]")));
    assert_null(json_object_get(json_array_get(out, 2), "delete-file-references"));
    assert_true(json_equal(json_object_get(json_array_get(out, 0), "residual-filter"), filter));
    assert_true(json_is_true(json_object_get(json_array_get(out, 1), "residual-filter")));
    options.filter_exact = false;
    json = firn_json_own(arena, firn_scan_tasks_to_json(arena, &options, list + 1, 1));
    out = json_array_get(json_object_get(json, "file-scan-tasks"), 0);
    assert_true(json_equal(json_object_get(out, "residual-filter"), filter));
    json = firn_json_own(arena, firn_scan_tasks_to_json(arena, &options, list + 2, 1));
    assert_null(json_object_get(json, "delete-files"));
}

/* ---- filters ------------------------------------------------------------------------------------------------ */

static void test_filters_as_clients_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *text;
        bool exact;
    } cases[] = {
        {"true", "true", true},
        {"{'type':'true'}", "true", true},
        {"{'type':'literal','value':false}", "false", true},
        {"{'type':'not','child':false}", "true", true},
        {"{'type':'eq','term':'id','value':5}", "id = 5", true},
        {"{'type':'eq','term':{'type':'reference','term':'id'},'value':{'type':'literal',"
         "'value':5}}",
         "id = 5", true},
        {"{'type':'lt','left':{'type':'reference','name':'id'},'right':{'type':'literal',"
         "'value':5}}",
         "id < 5", true},
        {"{'type':'not-null','child':{'type':'reference','id':3}}", "name IS NOT NULL", true},
        {"{'type':'in','child':'id','values':[1,2]}", "id IN (1, 2)", true},
        {"{'type':'not','child':{'type':'lt','term':'id','value':5}}", "id >= 5", true},
        {"{'type':'not','child':{'type':'and','left':{'type':'lt','term':'id','value':5},"
         "'right':{'type':'is-null','term':'name'}}}",
         "id >= 5 OR name IS NOT NULL", true},
        /* unbound literals: days, text for decimals, whole numbers for doubles */
        {"{'type':'eq','term':'day','value':1}", "day = '1970-01-02'", true},
        {"{'type':'eq','term':'day','value':'1970-01-02'}", "day = '1970-01-02'", true},
        {"{'type':'gt','term':'amount','value':'1.50'}", "amount > 1.50", true},
        {"{'type':'gt','term':'amount','value':2}", "amount > 2.00", true},
        {"{'type':'gt','term':'price','value':2}", "price > 2.0", false},
        /* Java's NULL <> 'a' is true */
        {"{'type':'not-eq','term':'name','value':'a'}", "name <> 'a' OR name IS NULL", false},
        {"{'type':'not','child':{'type':'starts-with','term':'name','value':'a'}}",
         "name NOT STARTS WITH 'a' OR name IS NULL", false},
        /* a transform of a column says nothing, negated or not */
        {"{'type':'not','child':{'type':'eq','term':{'type':'transform','transform':'bucket[4]',"
         "'term':'id'},'value':5}}",
         "true", false},
        {"{'type':'and','left':{'type':'eq','term':{'type':'transform','transform':'day',"
         "'term':'day'},'value':5},'right':{'type':'eq','term':'id','value':5}}",
         "id = 5", false},
    };
    const firn_metadata *t = new_table(2, NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const firn_expr *expr = NULL;
        bool exact;
        json_t *list = json_of(firn_arena_printf(arena, "[%s]", cases[i].filter));
        MUST(firn_expr_from_filter_json(arena, t->schema, json_array_get(list, 0), true, &expr,
                                        &exact, &err));
        const char *text = firn_expr_text(arena, t->schema, expr);
        if (!firn_strcaseeq(text, cases[i].text) || exact != cases[i].exact)
            fail_msg("%s is %s, exact %d", cases[i].filter, text, exact);
    }
}

static void test_bad_filters(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        firn_rc rc;
        const char *says;
    } cases[] = {
        {"null", FIRN_E_INVALID, "must be true, false"},
        {"{'type':'eq','term':'nope','value':1}", FIRN_E_NO_COLUMN, "Cannot find field 'nope'"},
        {"{'type':'eq','value':1}", FIRN_E_INVALID, "names no column"},
        {"{'type':'eq','term':'id'}", FIRN_E_INVALID, "has no value"},
        {"{'type':'eq','term':'id','value':'x'}", FIRN_E_INVALID, "id"},
        {"{'type':'eq','term':'id','value':true}", FIRN_E_INVALID, "id"},
        {"{'type':'in','term':'id','values':3}", FIRN_E_INVALID, "no array"},
        {"{'type':'like','term':'id','value':3}", FIRN_E_INVALID, "unknown predicate type"},
        {"{'type':'and','left':true}", FIRN_E_INVALID, "must be true, false"},
    };
    const firn_metadata *t = new_table(2, NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const firn_expr *expr;
        bool exact;
        json_t *list = json_of(firn_arena_printf(arena, "[%s]", cases[i].filter));
        MUST_FAIL(firn_expr_from_filter_json(arena, t->schema, json_array_get(list, 0), true, &expr,
                                             &exact, &err),
                  cases[i].rc, cases[i].says);
    }
    json_t *deep = json_true();
    for (int i = 0; i < 600; i++)
        deep = json_pack("{s:s, s:o}", "type", "not", "child", deep);
    const firn_expr *expr;
    bool exact;
    MUST_FAIL(firn_expr_from_filter_json(arena, t->schema, firn_json_own(arena, deep), true, &expr,
                                         &exact, &err),
              FIRN_E_LIMIT, "nests deeper");
}

/* ---- parts of scans ----------------------------------------------------------------------------------------- */

static const firn_metadata *five_appends(void)
{
    const firn_metadata *t = new_table(2, by_day, "{'commit.manifest-merge.enabled': 'false'}");
    for (int i = 0; i < 5; i++) {
        firn_data_file files[7];
        for (int k = 0; k < 7; k++)
            files[k] =
                data_file(t, firn_arena_printf(arena, "s%df%d", i, k), 10 + k, i * 100 + k, 1);
        t = append(t, files, 7);
    }
    return t;
}

static firn_scan_task *take(const firn_scan_options *options, size_t *n)
{
    firn_scan *scan;
    firn_scan_task *tasks = NULL;
    MUST(firn_scan_open(arena, options, &scan, &err));
    MUST(firn_scan_all(scan, &tasks, n, &err));
    return tasks;
}

/* However a scan is cut, its parts give every file once, with and without a filter. */
static void test_parts_make_the_whole(void **state)
{
    (void)state;
    const firn_metadata *t = five_appends();
    const firn_expr *filters[] = {NULL,
                                  where(t, "{'type':'gt','term':'day','value':'1970-01-13'}")};
    for (size_t f = 0; f < 2; f++) {
        firn_scan_options options = {.storage = storage,
                                     .metadata = t,
                                     .snapshot = t->current_snapshot,
                                     .schema = t->schema,
                                     .filter = filters[f],
                                     .threads = 2};
        size_t n, n_manifests;
        firn_manifest_file *manifests;
        firn_scan_task *whole = take(&options, &n);
        MUST(firn_scan_manifests(arena, &options, &manifests, &n_manifests, &err));
        assert_int_equal(n_manifests, 5);
        for (size_t cut = 0; cut < n; cut++) {
            size_t n_head, n_tail;
            options.from = (firn_scan_point){0};
            options.to = whole[cut].place;
            firn_scan_task *head = take(&options, &n_head);
            options.from = whole[cut].place;
            options.to = (firn_scan_point){0};
            firn_scan_task *tail = take(&options, &n_tail);
            /* "up to the start" would be all zero, which means the end */
            assert_int_equal(cut == 0 ? n_tail : n_head + n_tail, n);
            for (size_t i = cut; i < n; i++)
                assert_string_equal(tail[i - cut].file->path, whole[i].file->path);
            for (size_t i = 0; i < cut; i++)
                assert_string_equal(head[i].file->path, whole[i].file->path);
        }
    }
}

static void test_appends_since_a_snapshot(void **state)
{
    (void)state;
    const firn_metadata *t = five_appends();
    const firn_snapshot *all[8];
    size_t depth = 0;
    for (const firn_snapshot *at = t->current_snapshot; at;
         at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(t, at->parent_id))
        all[depth++] = at;
    assert_int_equal(depth, 5);
    firn_scan_options options = {.storage = storage,
                                 .metadata = t,
                                 .snapshot = all[1],
                                 .schema = t->schema,
                                 .appended_since = all[3]->snapshot_id};
    size_t n;
    firn_scan_task *tasks = take(&options, &n);
    assert_int_equal(n, 14);
    assert_non_null(strstr(tasks[0].file->path, "s2f0"));
    assert_non_null(strstr(tasks[13].file->path, "s3f6"));
    options.snapshot = all[3];
    take(&options, &n);
    assert_int_equal(n, 0);
    options.appended_since = all[0]->snapshot_id;
    firn_scan *scan;
    MUST_FAIL(firn_scan_open(arena, &options, &scan, &err), FIRN_E_INVALID,
              "is not a parent ancestor of end snapshot");
}

/* Files that merging moved to another manifest are not new, and what is deleted is no append. */
static void test_appends_are_not_what_others_did(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, "{'commit.manifest.min-count-to-merge': '2'}");
    firn_data_file a = data_file(t, "a", 10, 0, 1), b = data_file(t, "b", 11, 1, 1),
                   c = data_file(t, "c", 12, 2, 1);
    t = append(t, &a, 1);
    int64_t first = t->current_snapshot->snapshot_id;
    t = append(t, &b, 1);
    t = commit(t, &(firn_snapshot_change){
                      .op = FIRN_SNAPSHOT_DELETE,
                      .removed = &a,
                      .n_removed = 1,
                      .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}});
    t = append(t, &c, 1);
    firn_scan_options options = {.storage = storage,
                                 .metadata = t,
                                 .snapshot = t->current_snapshot,
                                 .schema = t->schema,
                                 .appended_since = first};
    size_t n;
    firn_scan_task *tasks = take(&options, &n);
    assert_int_equal(n, 2);
    assert_non_null(strstr(tasks[0].file->path, "/b."));
    assert_non_null(strstr(tasks[1].file->path, "/c."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_data_file_is_as_java_writes_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delete_files_are_as_java_writes_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_partition_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tasks_name_their_deletes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_filters_as_clients_write_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_filters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts_make_the_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_appends_since_a_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_appends_are_not_what_others_did, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
