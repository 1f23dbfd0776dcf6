/* Table updates and requirements: what each action does, what it refuses, and the logs that follow. */
#include "metadata_testing.h"

static int64_t member_i64(const firn_metadata *m, const char *key)
{
    return json_integer_value(json_object_get(m->json, key));
}

static size_t list_size(const firn_metadata *m, const char *key)
{
    return json_array_size(json_object_get(m->json, key));
}

/* ---- new tables ---- */

static void a_table_is_made_of_updates(void **state)
{
    (void)state;
    const firn_metadata *m = new_table(2);
    assert_string_equal(m->table_uuid, "9c12d441-03fe-4693-9a96-a0705ddf69c1");
    assert_string_equal(m->location, "s3://b/t");
    assert_int_equal(m->format_version, 2);
    assert_int_equal(m->last_column_id, 16);
    assert_int_equal(m->last_partition_id, 1000);
    assert_int_equal(m->last_updated_ms, 1700000000000);
    assert_int_equal(m->n_metadata_log, 0);
    assert_string_equal(firn_metadata_property(m, "owner", ""), "me");
    assert_int_equal(new_table(3)->format_version, 3);
    assert_null(json_object_get(m->json, "next-row-id"));
    assert_null(json_object_get(m->json, "schema"));
    assert_non_null(json_object_get(new_table(1)->json, "schema"));
}

static void members_come_in_the_usual_order(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf keys = {0};
    json_t *doc = new_table(3)->json;
    const char *key;
    json_t *value;
    json_object_foreach(doc, key, value) firn_buf_printf(&keys, "%s ", key);
    assert_string_equal(
        firn_buf_cstr(&keys),
        "format-version table-uuid location last-sequence-number last-updated-ms last-column-id "
        "current-schema-id schemas default-spec-id partition-specs last-partition-id "
        "default-sort-order-id sort-orders properties current-snapshot-id next-row-id refs "
        "snapshots statistics partition-statistics snapshot-log metadata-log ");
}

static void what_a_new_table_lacks_is_said_or_made(void **state)
{
    (void)state;
    MUST_FAIL(try_apply(NULL, "[]", &err), FIRN_E_INVALID, "no schema was added");
    MUST_FAIL(try_apply(NULL,
                        "[{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': []}}]",
                        &err),
              FIRN_E_INVALID, "no location was set");
    const firn_metadata *m =
        apply(NULL, "[{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': []}},"
                    " {'action': 'set-current-schema', 'schema-id': -1},"
                    " {'action': 'set-location', 'location': 's3://b/t'}]");
    assert_int_equal(m->n_specs, 1);
    assert_int_equal(m->spec->n_fields, 0);
    assert_int_equal(m->n_sort_orders, 1);
    assert_non_null(m->table_uuid);
}

static json_t *create_updates(const firn_table_create *create)
{
    json_t *updates = NULL;
    MUST(firn_table_create_updates(arena, create, &updates, &err));
    return firn_json_own(arena, updates);
}

static firn_rc try_create(const firn_table_create *create, firn_err *err)
{
    json_t *updates;
    return firn_table_create_updates(arena, create, &updates, err);
}

static void creating_assigns_fresh_ids(void **state)
{
    (void)state;
    const firn_schema *schema = schema_of(
        "{'type': 'struct', 'schema-id': 9, 'identifier-field-ids': [70], 'fields': ["
        " {'id': 50, 'name': 'p', 'required': true, 'type': {'type': 'struct', 'fields': ["
        "    {'id': 60, 'name': 'x', 'required': true, 'type': 'timestamp'}]}},"
        " {'id': 70, 'name': 'id', 'required': true, 'type': 'long'}]}");
    const firn_partition_term terms[] = {
        {.column = "p.x", .transform = firn_transform_parse(arena, "day")},
        {.column = "id", .transform = firn_transform_parse(arena, "bucket[8]")}};
    firn_partition_spec *spec = NULL;
    MUST(firn_partition_spec_build(arena, schema, terms, 2, &spec, &err));
    firn_sort_field sorted = {.transform = firn_transform_parse(arena, "identity"),
                              .source_id = 70};
    const firn_sort_order order = {.order_id = 5, .fields = &sorted, .n_fields = 1};
    const firn_table_create create = {
        .schema = schema,
        .spec = spec,
        .sort_order = &order,
        .location = "file:///w/t",
        .properties = json_of("{'format-version': '3', 'owner': 'me', 'uuid': 'x'}"),
    };
    const firn_metadata *m = apply_at(NULL, create_updates(&create), 1700000000000);
    assert_int_equal(m->format_version, 3);
    assert_string_equal(firn_type_text(arena, &m->schema->root),
                        "struct<1: p: required struct<3: x: required timestamp>, "
                        "2: id: required long>");
    assert_int_equal(m->schema->schema_id, 0);
    assert_int_equal(m->schema->identifier_field_ids[0], 2);
    assert_string_equal(m->spec->fields[0].name, "p.x_day");
    assert_int_equal(m->spec->fields[0].source_id, 3);
    assert_int_equal(m->spec->fields[1].source_id, 2);
    assert_int_equal(m->sort_order->order_id, 1);
    assert_int_equal(m->sort_order->fields[0].source_id, 2);
    assert_true(json_equal(m->properties,
                           json_of("{'owner': 'me', 'write.parquet.compression-codec': 'zstd'}")));
}

static void impossible_tables_are_not_created(void **state)
{
    (void)state;
    const firn_schema *schema =
        schema_of("{'type': 'struct', 'fields': ["
                  "{'id': 1, 'name': 'a', 'required': true, 'type': 'variant'}]}");
    firn_table_create create = {.schema = schema, .location = "file:///w/t"};
    MUST_FAIL(try_create(&create, &err), FIRN_E_INVALID, "variant is not supported until v3");
    create.properties = json_of("{'format-version': '4'}");
    MUST_FAIL(try_create(&create, &err), FIRN_E_INVALID, "format-version is '4'");
    create.properties = json_of("{'format-version': '3'}");
    firn_sort_field sorted = {.transform = firn_transform_parse(arena, "identity"), .source_id = 9};
    const firn_sort_order order = {.fields = &sorted, .n_fields = 1};
    create.sort_order = &order;
    MUST_FAIL(try_create(&create, &err), FIRN_E_INVALID, "made from field 9");
    create = (firn_table_create){.schema = schema_of("{'type': 'struct', 'fields': []}"),
                                 .location = "file:///w/t"};
    MUST_FAIL(try_create(&create, &err), FIRN_E_INVALID, "at least one column");
}

/* ---- nothing to do ---- */

static void no_change_gives_the_base_back(void **state)
{
    (void)state;
    static const char *const nothing[] = {
        "[]",
        "[{'action': 'assign-uuid', 'uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1'}]",
        "[{'action': 'upgrade-format-version', 'format-version': 2}]",
        "[{'action': 'set-properties', 'updates': {'owner': 'me'}}]",
        "[{'action': 'remove-properties', 'removals': ['none']}]",
        "[{'action': 'set-location', 'location': 's3://b/t'}]",
        "[{'action': 'set-current-schema', 'schema-id': 0}]",
        "[{'action': 'set-default-spec', 'spec-id': 0}]",
        "[{'action': 'set-default-sort-order', 'sort-order-id': 0}]",
        "[{'action': 'remove-snapshots', 'snapshot-ids': [4]}]",
        "[{'action': 'remove-snapshot-ref', 'ref-name': 'dev'}]",
        "[{'action': 'remove-statistics', 'snapshot-id': 4}]",
        "[{'action': 'remove-encryption-key', 'key-id': 'k'}]",
        "[{'action': 'remove-schemas', 'schema-ids': [5]}]",
        "[{'action': 'remove-partition-specs', 'spec-ids': []}]",
    };
    const firn_metadata *base = new_table(2);
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        firn_metadata *out = NULL;
        MUST(firn_updates_apply(arena, base, json_of(nothing[i]), NULL, &out, &err));
        assert_ptr_equal(out, base);
    }
}

static void malformed_updates_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *updates, *message;
    } broken[] = {
        {"{}", "not a JSON array"},
        {"[1]", "not a JSON object"},
        {"[{}]", "action"},
        {"[{'action': 'explode'}]", "explode"},
        {"[{'action': 'add-view-version'}]", "add-view-version"},
        {"[{'action': 'assign-uuid'}]", "uuid"},
        {"[{'action': 'set-properties'}]", "updates"},
        {"[{'action': 'set-properties', 'updates': {'a': 1}}]", "'a' is not a string"},
        {"[{'action': 'remove-properties', 'removals': [1]}]", "removals"},
        {"[{'action': 'set-location', 'location': ''}]", "location is empty"},
        {"[{'action': 'add-schema', 'schema': {'type': 'struct'}}]", "fields"},
        {"[{'action': 'add-spec', 'spec': {}}]", "fields"},
        {"[{'action': 'add-sort-order', 'sort-order': {}}]", "order-id"},
        {"[{'action': 'add-snapshot', 'snapshot': {}}]", "snapshot-id"},
        {"[{'action': 'set-snapshot-ref', 'ref-name': 'x', 'type': 'branch'}]", "snapshot-id"},
        {"[{'action': 'remove-snapshots', 'snapshot-ids': ['x']}]", "snapshot-ids"},
        {"[{'action': 'remove-schemas', 'schema-ids': ['x']}]", "schema-ids"},
        {"[{'action': 'set-statistics', 'statistics': {'snapshot-id': 1}}]", "statistics-path"},
        {"[{'action': 'add-encryption-key', 'encryption-key': {'key-id': 'a'}}]",
         "encrypted-key-metadata"},
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        MUST_FAIL(try_apply(new_table(2), broken[i].updates, &err), FIRN_E_INVALID,
                  broken[i].message);
}

/* ---- small ones ---- */

static void properties_and_location(void **state)
{
    (void)state;
    const firn_metadata *m =
        apply(new_table(2),
              "[{'action': 'set-properties', 'updates': {'a': '1', 'owner': 'you'}},"
              " {'action': 'set-properties', 'updated': {'b': '2'}},"
              " {'action': 'remove-properties', 'removals': ['a']},"
              " {'action': 'set-location', 'location': 's3://b/elsewhere///'},"
              " {'action': 'assign-uuid', 'uuid': 'b6a6fd9e-0000-4000-8000-000000000000'}]");
    assert_true(json_equal(m->properties, json_of("{'owner': 'you', 'b': '2'}")));
    assert_string_equal(m->location, "s3://b/elsewhere");
    assert_string_equal(m->table_uuid, "b6a6fd9e-0000-4000-8000-000000000000");
    m = apply(m, "[{'action': 'remove-properties', 'removed': ['b']}]");
    assert_int_equal(json_object_size(m->properties), 1);
}

static void unknown_members_survive(void **state)
{
    (void)state;
    json_t *doc = firn_json_own(arena, json_deep_copy(append(new_table(2), 1)->json));
    json_object_set_new(doc, "x-future", json_pack("{s:[i,i]}", "a", 1, 2));
    json_object_set_new(json_array_get(json_object_get(doc, "snapshots"), 0), "x-s", json_true());
    json_object_set_new(json_object_get(json_object_get(doc, "refs"), "main"), "x-r", json_true());
    json_object_set_new(json_array_get(json_object_get(doc, "schemas"), 0), "x-c", json_true());
    const firn_metadata *m = apply(
        metadata_of(doc), "[{'action': 'add-schema', 'schema': {'type': 'struct', 'x-new': 1,"
                          " 'fields': [{'id': 1, 'name': 'id', 'required': true, 'type': 'long',"
                          " 'x-f': 2}]}},"
                          " {'action': 'set-snapshot-ref', 'ref-name': 'dev',"
                          " 'snapshot-id': 1, 'type': 'branch'}]");
    json_t *schemas = json_object_get(m->json, "schemas");
    assert_non_null(json_object_get(m->json, "x-future"));
    assert_non_null(
        json_object_get(json_array_get(json_object_get(m->json, "snapshots"), 0), "x-s"));
    assert_non_null(
        json_object_get(json_object_get(json_object_get(m->json, "refs"), "main"), "x-r"));
    assert_non_null(json_object_get(json_array_get(schemas, 0), "x-c"));
    assert_non_null(json_object_get(json_array_get(schemas, 1), "x-new"));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(schemas, 1), "schema-id")),
                     1);
}

static void encryption_keys(void **state)
{
    (void)state;
    static const char add[] = "[{'action': 'add-encryption-key', 'encryption-key':"
                              " {'key-id': 'k', 'encrypted-key-metadata': 'aWNl', 'x': 1}}]";
    const firn_metadata *m = apply(new_table(3), add);
    assert_int_equal(list_size(m, "encryption-keys"), 1);
    firn_metadata *same = NULL;
    MUST(firn_updates_apply(arena, m, json_of(add), NULL, &same, &err));
    assert_ptr_equal(same, m);
    m = apply(m, "[{'action': 'remove-encryption-key', 'key-id': 'k'}]");
    assert_int_equal(list_size(m, "encryption-keys"), 0);
}

static void statistics(void **state)
{
    (void)state;
    static const char set[] =
        "[{'action': 'set-statistics', 'snapshot-id': 1, 'statistics': {'snapshot-id': 1,"
        "  'statistics-path': '%s', 'file-size-in-bytes': 10, 'file-footer-size-in-bytes': 5,"
        "  'blob-metadata': []}},"
        " {'action': 'set-partition-statistics', 'partition-statistics': {'snapshot-id': 1,"
        "  'statistics-path': 'p', 'file-size-in-bytes': 10}}]";
    const firn_metadata *m = append(append(new_table(2), 1), 2);
    m = apply(m, firn_arena_printf(arena, set, "old"));
    m = apply(m, firn_arena_printf(arena, set, "new"));
    assert_int_equal(list_size(m, "statistics"), 1);
    assert_int_equal(list_size(m, "partition-statistics"), 1);
    json_t *file = json_array_get(json_object_get(m->json, "statistics"), 0);
    assert_string_equal(json_string_value(json_object_get(file, "statistics-path")), "new");
    const firn_metadata *removed =
        apply(m, "[{'action': 'remove-statistics', 'snapshot-id': 1},"
                 " {'action': 'remove-partition-statistics', 'snapshot-id': 1}]");
    assert_int_equal(list_size(removed, "statistics"), 0);
    assert_int_equal(list_size(removed, "partition-statistics"), 0);
    m = apply(m, "[{'action': 'remove-snapshots', 'snapshot-ids': [1]}]"); /* takes them along */
    assert_int_equal(list_size(m, "statistics"), 0);
    assert_int_equal(list_size(m, "partition-statistics"), 0);
}

/* ---- schemas, specs, orders ---- */

#define ADD_COLUMN                                                                       \
    "{'action': 'add-schema', 'schema': {'type': 'struct', 'schema-id': 77, 'fields': [" \
    " {'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"                        \
    " {'id': 2, 'name': 'ts', 'required': false, 'type': 'timestamp'},"                  \
    " {'id': 17, 'name': 'new', 'required': false, 'type': 'int'}]}}"

static void equal_schemas_are_reused(void **state)
{
    (void)state;
    const firn_metadata *m =
        apply(new_table(2), "[" ADD_COLUMN ", {'action': 'set-current-schema', 'schema-id': -1}]");
    assert_int_equal(m->schema->schema_id, 1);
    assert_int_equal(m->last_column_id, 17);
    m = apply(m, "[{'action': 'set-current-schema', 'schema-id': 0}]");
    m = apply(m, "[" ADD_COLUMN ", {'action': 'set-current-schema', 'schema-id': -1}]");
    assert_int_equal(m->schema->schema_id, 1);
    assert_int_equal(m->n_schemas, 2);
    MUST_FAIL(try_apply(m, "[{'action': 'remove-schemas', 'schema-ids': [0, 1]}]", &err),
              FIRN_E_INVALID, "Cannot remove the current schema");
    m = apply(m, "[{'action': 'remove-schemas', 'schema-ids': [0]}]");
    assert_int_equal(m->n_schemas, 1);
    assert_null(firn_metadata_schema(m, 0));
    MUST_FAIL(try_apply(m, "[{'action': 'set-current-schema', 'schema-id': 0}]", &err),
              FIRN_E_INVALID, "Cannot set current schema to unknown schema: 0");
    MUST_FAIL(try_apply(m, "[{'action': 'set-current-schema', 'schema-id': -1}]", &err),
              FIRN_E_INVALID, "no schema has been added");
}

static void schemas_obey_the_format_version(void **state)
{
    (void)state;
    static const char add[] =
        "[{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': [{'id': 20, 'name': 'v',"
        " 'required': false, 'type': {'type': 'list', 'element-id': 21, 'element-required': false,"
        " 'element': 'timestamp_ns'}}]}}]";
    static const char with_default[] =
        "[{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': [{'id': 20, 'name': 'v',"
        " 'required': false, 'type': 'int', 'initial-default': 5}]}}]";
    static const char bad_identifier[] =
        "[{'action': 'add-schema', 'schema': {'type': 'struct', 'identifier-field-ids': [20],"
        " 'fields': [{'id': 20, 'name': 'v', 'required': false, 'type': 'int'}]}}]";
    MUST_FAIL(try_apply(new_table(2), add, &err), FIRN_E_INVALID,
              "Invalid type for v.element: timestamp_ns is not supported until v3");
    MUST_FAIL(try_apply(new_table(2), with_default, &err), FIRN_E_INVALID,
              "Invalid initial default for v: non-null default (5) is not supported until v3");
    MUST_FAIL(try_apply(new_table(3), bad_identifier, &err), FIRN_E_INVALID,
              "Cannot add field v as an identifier field: not a required field");
    assert_int_equal(apply(new_table(3), add)->last_column_id, 21);
    assert_int_equal(apply(new_table(3), with_default)->n_schemas, 2);
}

/* The default spec must always be one that rows of the current schema can be written under. */
static void schema_and_spec_must_fit(void **state)
{
    (void)state;
    MUST_FAIL(try_apply(new_table(2),
                        "[{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
                        "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}]}},"
                        "{'action': 'set-current-schema', 'schema-id': -1}]",
                        &err),
              FIRN_E_INVALID,
              "Cannot find source column for partition field: 1000: ts_day: day(2)");
}

#define ADD_SPEC(fields) "{'action': 'add-spec', 'spec': {'spec-id': 5, 'fields': [" fields "]}}"

static void equal_specs_are_reused(void **state)
{
    (void)state;
    const firn_metadata *m = apply(
        new_table(2),
        "[" ADD_SPEC(
            "{'name': 'n', 'transform': 'identity', 'source-id': 4, 'field-id': 1001}") ", {'action': 'set-default-spec', 'spec-id': -1}]");
    assert_int_equal(m->spec->spec_id, 1);
    assert_int_equal(m->last_partition_id, 1001);
    m = apply(
        m,
        "[" ADD_SPEC(
            "{'name': 'ts_day', 'transform': 'day', 'source-id': 2, 'field-id': 1000}") ", {'action': 'set-default-spec', 'spec-id': -1}]");
    assert_int_equal(m->spec->spec_id, 0);
    MUST_FAIL(try_apply(m, "[{'action': 'remove-partition-specs', 'spec-ids': [0]}]", &err),
              FIRN_E_INVALID, "Cannot remove the default partition spec");
    m = apply(m, "[{'action': 'remove-partition-specs', 'spec-ids': [1]}]");
    assert_int_equal(m->n_specs, 1);
    MUST_FAIL(try_apply(m, "[{'action': 'set-default-spec', 'spec-id': 1}]", &err), FIRN_E_INVALID,
              "unknown spec: 1");
    MUST_FAIL(try_apply(m, "[{'action': 'set-default-spec', 'spec-id': -1}]", &err), FIRN_E_INVALID,
              "no spec has been added");
}

static void specs_without_ids_get_them(void **state)
{
    (void)state;
    const firn_metadata *m = apply(
        new_table(2), "[" ADD_SPEC("{'name': 'n', 'transform': 'identity', 'source-id': 4},"
                                   "{'name': 'day', 'transform': 'day', 'source-id': 2}") "]");
    assert_int_equal(m->specs[1]->fields[0].field_id, 1001);
    assert_int_equal(m->specs[1]->fields[1].field_id, 1000); /* an equal field had it */
    MUST_FAIL(try_apply(new_table(1),
                        "[" ADD_SPEC("{'name': 'n', 'transform': 'identity', 'source-id': 4,"
                                     " 'field-id': 1001}") "]",
                        &err),
              FIRN_E_INVALID, "sequential IDs that are required in v1");
    MUST_FAIL(try_apply(new_table(2),
                        "[" ADD_SPEC("{'name': 'n', 'transform': 'zorder', 'source-id': 4}") "]",
                        &err),
              FIRN_E_INVALID, "not a transform firn knows");
}

#define ADD_ORDER                                                                          \
    "{'action': 'add-sort-order', 'sort-order': {'order-id': 9, 'fields': [{'transform': " \
    "'identity', 'source-id': 1, 'direction': 'desc', 'null-order': 'nulls-last'}]}}"

static void equal_sort_orders_are_reused(void **state)
{
    (void)state;
    const firn_metadata *m = apply(
        new_table(2), "[" ADD_ORDER ", {'action': 'set-default-sort-order', 'sort-order-id': -1}]");
    assert_int_equal(m->sort_order->order_id, 1);
    m = apply(m, "[{'action': 'set-default-sort-order', 'sort-order-id': 0}]");
    m = apply(m, "[" ADD_ORDER ", {'action': 'set-default-sort-order', 'sort-order-id': -1}]");
    assert_int_equal(m->sort_order->order_id, 1);
    assert_int_equal(m->n_sort_orders, 2);
    MUST_FAIL(try_apply(m, "[{'action': 'set-default-sort-order', 'sort-order-id': 7}]", &err),
              FIRN_E_INVALID, "unknown order: 7");
    MUST_FAIL(try_apply(m, "[{'action': 'set-default-sort-order', 'sort-order-id': -1}]", &err),
              FIRN_E_INVALID, "no sort order has been added");
}

/* ---- snapshots ---- */

static void snapshots_become_current(void **state)
{
    (void)state;
    const firn_metadata *m = append(append(new_table(2), 11), 12);
    assert_int_equal(m->n_snapshots, 2);
    assert_int_equal(m->current_snapshot->snapshot_id, 12);
    assert_int_equal(m->current_snapshot->parent_id, 11);
    assert_int_equal(m->last_sequence_number, 2);
    assert_int_equal(m->n_snapshot_log, 2);
    assert_int_equal(member_i64(m, "current-snapshot-id"), 12);
    assert_string_equal(m->current_snapshot->operation, "append");
    assert_int_equal(firn_metadata_snapshot_as_of(m, m->snapshot_log[0].timestamp_ms)->snapshot_id,
                     11);
    assert_null(firn_metadata_snapshot_as_of(m, m->snapshot_log[0].timestamp_ms - 1));
}

static firn_rc add_snapshot(const firn_metadata *base, const char *fields, firn_err *err)
{
    return try_apply(base,
                     firn_arena_printf(arena,
                                       "[{'action': 'add-snapshot', 'snapshot': {'timestamp-ms': 1,"
                                       " 'manifest-list': 'x', %s}}]",
                                       fields),
                     err);
}

static void stale_snapshots_must_be_redone(void **state)
{
    (void)state;
    const firn_metadata *m = append(append(new_table(2), 11), 12);
    MUST_FAIL(
        add_snapshot(m, "'snapshot-id': 13, 'sequence-number': 2, 'parent-snapshot-id': 11", &err),
        FIRN_E_CONFLICT,
        "Cannot add snapshot with sequence number 2 older than last sequence number 2");
    MUST_FAIL(add_snapshot(m, "'snapshot-id': 12, 'sequence-number': 3", &err), FIRN_E_INVALID,
              "Snapshot already exists for id: 12");
    MUST_FAIL(add_snapshot(m, "'snapshot-id': -5, 'sequence-number': 3", &err), FIRN_E_INVALID,
              "is negative");
    MUST(add_snapshot(m, "'snapshot-id': 13, 'sequence-number': 1", &err)); /* a root, as in Java */
    firn_err err = {0};
    assert_int_equal(
        add_snapshot(m, "'snapshot-id': 13, 'sequence-number': 2, 'parent-snapshot-id': 1", &err),
        FIRN_E_CONFLICT);
    assert_true(err.retriable);
}

static void row_ids_are_given_out_once(void **state)
{
    (void)state;
    const firn_metadata *m = append(append(new_table(3), 11), 12);
    assert_int_equal(m->next_row_id, 20);
    assert_int_equal(m->current_snapshot->first_row_id, 10);
    MUST_FAIL(add_snapshot(m, "'snapshot-id': 13, 'sequence-number': 3", &err), FIRN_E_INVALID,
              "first-row-id is null");
    MUST_FAIL(add_snapshot(m, "'snapshot-id': 13, 'sequence-number': 3, 'first-row-id': 20", &err),
              FIRN_E_INVALID, "added-rows is null");
    MUST_FAIL(add_snapshot(m,
                           "'snapshot-id': 13, 'sequence-number': 3, 'first-row-id': 19,"
                           " 'added-rows': 1",
                           &err),
              FIRN_E_CONFLICT, "first-row-id is behind table next-row-id: 19 < 20");
    MUST_FAIL(add_snapshot(m,
                           "'snapshot-id': 13, 'sequence-number': 3, 'added-rows': 1,"
                           " 'first-row-id': 9223372036854775807",
                           &err),
              FIRN_E_INVALID, "out of range");
}

static void refs_are_set_and_removed(void **state)
{
    (void)state;
    const firn_metadata *m = append(append(new_table(2), 11), 12);
    m = apply(m,
              "[{'action': 'set-snapshot-ref', 'ref-name': 'v1', 'snapshot-id': 11, 'type': 'tag',"
              "  'max-ref-age-ms': 1000},"
              " {'action': 'set-snapshot-ref', 'ref-name': 'dev', 'snapshot-id': 11,"
              "  'type': 'branch', 'min-snapshots-to-keep': 3, 'max-snapshot-age-ms': 4}]");
    assert_int_equal(m->n_refs, 3);
    assert_true(firn_metadata_ref(m, "v1")->is_tag);
    assert_int_equal(firn_metadata_ref(m, "v1")->max_ref_age_ms, 1000);
    assert_int_equal(firn_metadata_ref(m, "dev")->min_snapshots_to_keep, 3);
    assert_int_equal(m->current_snapshot->snapshot_id, 12);
    assert_int_equal(m->n_snapshot_log, 2);
    m = apply(m, "[{'action': 'remove-snapshot-ref', 'ref-name': 'v1'}]");
    assert_null(firn_metadata_ref(m, "v1"));
    m = apply(m, "[{'action': 'remove-snapshot-ref', 'ref-name': 'main'}]");
    assert_null(m->current_snapshot);
    assert_int_equal(member_i64(m, "current-snapshot-id"), -1);
    static const struct {
        const char *ref, *message;
    } wrong[] = {
        {"'ref-name': 'x', 'snapshot-id': 99, 'type': 'branch'",
         "Cannot set x to unknown snapshot: 99"},
        {"'ref-name': 'main', 'snapshot-id': 11, 'type': 'tag'", "Cannot set main to a tag"},
        {"'ref-name': 'x', 'snapshot-id': 11, 'type': 'leaf'", "neither branch nor tag"},
        {"'ref-name': 'x', 'snapshot-id': 11, 'type': 'tag', 'min-snapshots-to-keep': 1",
         "Tags do not support"},
        {"'ref-name': 'x', 'snapshot-id': 11, 'type': 'tag', 'max-ref-age-ms': -4",
         "must be greater than 0"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        MUST_FAIL(try_apply(m,
                            firn_arena_printf(arena, "[{'action': 'set-snapshot-ref', %s}]",
                                              wrong[i].ref),
                            &err),
                  FIRN_E_INVALID, wrong[i].message);
}

static void going_back_is_logged_as_of_now(void **state)
{
    (void)state;
    const firn_metadata *m = append(append(new_table(2), 11), 12);
    int64_t now_ms = m->last_updated_ms + 5000;
    json_t *updates = firn_json_own(arena, json_array());
    firn_update_set_ref(updates, "main", 11, false);
    m = apply_at(m, updates, now_ms);
    assert_int_equal(m->n_snapshot_log, 3);
    assert_int_equal(m->snapshot_log[2].timestamp_ms, now_ms);
    assert_int_equal(m->snapshot_log[2].snapshot_id, 11);
    assert_int_equal(firn_metadata_snapshot_as_of(m, now_ms - 1)->snapshot_id, 12);
    assert_int_equal(firn_metadata_snapshot_as_of(m, now_ms)->snapshot_id, 11);
    /* only main's retention changes: no new state */
    m = apply(m, "[{'action': 'set-snapshot-ref', 'ref-name': 'main', 'snapshot-id': 11,"
                 " 'type': 'branch', 'min-snapshots-to-keep': 2}]");
    assert_int_equal(m->n_snapshot_log, 3);
}

/* A transaction may make several snapshots; only the last was ever current to anyone. */
static void snapshots_within_one_commit_leave_no_trace_in_the_log(void **state)
{
    (void)state;
    const firn_metadata *base = append(new_table(2), 11);
    const firn_metadata *between = append(base, 12);
    json_t *updates = snapshot_updates(base, 12, base->last_updated_ms + 1);
    json_array_extend(updates, snapshot_updates(between, 13, base->last_updated_ms + 2));
    const firn_metadata *m = apply_at(base, updates, base->last_updated_ms + 10);
    assert_int_equal(m->n_snapshots, 3);
    assert_int_equal(m->n_snapshot_log, 2);
    assert_int_equal(m->snapshot_log[0].snapshot_id, 11);
    assert_int_equal(m->snapshot_log[1].snapshot_id, 13);
}

static void expiring_cuts_the_log_before_the_gap(void **state)
{
    (void)state;
    const firn_metadata *m = new_table(2);
    for (int64_t id = 1; id <= 5; id++)
        m = append(m, id);
    m = apply(
        m, "[{'action': 'set-snapshot-ref', 'ref-name': 'old', 'snapshot-id': 3, 'type': 'tag'},"
           " {'action': 'set-snapshot-ref', 'ref-name': 'kept', 'snapshot-id': 1, 'type': 'tag'}]");
    m = apply(m, "[{'action': 'remove-snapshots', 'snapshot-ids': [3, 77]}]");
    assert_int_equal(m->n_snapshots, 4);
    assert_null(firn_metadata_snapshot(m, 3));
    assert_int_equal(firn_metadata_snapshot(m, 5)->snapshot_id, 5);
    assert_int_equal(m->n_snapshot_log, 2);
    assert_int_equal(m->snapshot_log[0].snapshot_id, 4);
    assert_null(firn_metadata_ref(m, "old"));
    assert_non_null(firn_metadata_ref(m, "kept"));
    m = apply(m, "[{'action': 'remove-snapshots', 'snapshot-ids': [1, 2, 4, 5]}]");
    assert_int_equal(m->n_snapshots, 0);
    assert_null(m->current_snapshot);
    assert_int_equal(m->n_refs, 0);
    assert_int_equal(m->n_snapshot_log, 0);
    assert_int_equal(m->last_sequence_number, 5);
}

static void removal_and_addition_in_one_commit(void **state)
{
    (void)state;
    const firn_metadata *m = append(append(new_table(2), 1), 2);
    json_t *updates = snapshot_updates(m, 3, m->last_updated_ms + 1);
    const int64_t gone[] = {1};
    firn_update_remove_snapshots(updates, gone, 1);
    m = apply_at(m, updates, m->last_updated_ms + 1);
    assert_int_equal(m->n_snapshots, 2);
    assert_int_equal(m->current_snapshot->snapshot_id, 3);
    assert_int_equal(m->n_snapshot_log, 2);
}

/* ---- logs and clocks ---- */

static void replaced_files_join_the_metadata_log(void **state)
{
    (void)state;
    const firn_metadata *first = new_table(2);
    const firn_metadata *m = append(first, 1);
    assert_int_equal(m->n_metadata_log, 1);
    assert_int_equal(m->metadata_log[0].timestamp_ms, first->last_updated_ms);
    m = apply(m, "[{'action': 'set-properties', 'updates':"
                 " {'write.metadata.previous-versions-max': '3'}}]");
    for (int64_t id = 2; id <= 6; id++)
        m = append(m, id);
    assert_int_equal(m->n_metadata_log, 3);
    assert_int_equal(list_size(m, "metadata-log"), 3);
    firn_metadata *out = NULL; /* no previous file: nothing to log */
    MUST(
        firn_updates_apply(arena, m, snapshot_updates(m, 9, m->last_updated_ms), NULL, &out, &err));
    assert_int_equal(out->n_metadata_log, 3);
    m = apply(m, "[{'action': 'set-properties', 'updates':"
                 " {'write.metadata.previous-versions-max': '0'}}]");
    assert_int_equal(m->n_metadata_log, 1);
}

static firn_rc append_at(const firn_metadata *base, int64_t snapshot_ms, int64_t now_ms,
                         firn_err *err)
{
    firn_metadata *out = NULL;
    const firn_update_options options = {.now_ms = now_ms};
    return firn_updates_apply(arena, base, snapshot_updates(base, 99, snapshot_ms), &options, &out,
                              err);
}

static void clocks_may_differ_by_a_minute(void **state)
{
    (void)state;
    const firn_metadata *m = append(new_table(2), 1);
    int64_t last_ms = m->last_updated_ms;
    MUST(append_at(m, last_ms - 59999, last_ms, &err));
    MUST_FAIL(append_at(m, last_ms - 60001, last_ms, &err), FIRN_E_INVALID,
              "Invalid snapshot timestamp");
    MUST_FAIL(append_at(m, last_ms, last_ms - 60001, &err), FIRN_E_INVALID,
              "Invalid update timestamp");
    /* firn's own clock never goes back behind the table's */
    const firn_update_options future = {.now_ms = INT64_C(4102444800000)};
    firn_metadata *ahead = NULL, *later = NULL;
    MUST(
        firn_updates_apply(arena, m, snapshot_updates(m, 2, future.now_ms), &future, &ahead, &err));
    MUST(firn_updates_apply(arena, ahead,
                            json_of("[{'action': 'set-properties', 'updates': {'a': 'b'}}]"), NULL,
                            &later, &err));
    assert_int_equal(later->last_updated_ms, future.now_ms);
}

/* ---- independence ---- */

/* A result must stand when the arena of what it was made from is gone. */
static void results_outlive_their_base(void **state)
{
    (void)state;
    firn_arena *keep = arena;
    firn_arena *gone = firn_arena_new();
    arena = gone;
    const firn_metadata *base = append(append(new_table(3), 1), 2);
    json_t *updates = snapshot_updates(base, 3, base->last_updated_ms + 1);
    firn_metadata *m = NULL;
    MUST(firn_updates_apply(keep, base, updates, NULL, &m, &err));
    firn_arena_free(gone);
    arena = keep;
    assert_view_is_of_document(m);
    assert_int_equal(firn_schema_find_name(m->schema, "list.element.a", true)->id, 12);
    assert_string_equal(firn_metadata_snapshot(m, 1)->operation, "append");
}

static void large_histories_are_cheap(void **state)
{
    (void)state;
    json_t *updates = firn_json_own(arena, json_array());
    const firn_metadata *m = append(new_table(2), 1);
    json_t *one = json_array_get(snapshot_updates(m, 1, m->last_updated_ms), 0);
    for (int64_t i = 2; i <= 10000; i++) {
        json_t *update = json_deep_copy(one);
        json_t *snapshot = json_object_get(update, "snapshot");
        json_object_set_new(snapshot, "snapshot-id", json_integer(i));
        json_object_set_new(snapshot, "sequence-number", json_integer(i));
        json_array_append_new(updates, update);
    }
    m = apply_at(m, updates, m->last_updated_ms + 1);
    assert_int_equal(m->n_snapshots, 10000);
    json_t *shared = json_array_get(json_object_get(m->json, "snapshots"), 5000);
    const firn_metadata *next = append(m, 20000);
    assert_ptr_equal(json_array_get(json_object_get(next->json, "snapshots"), 5000), shared);
    assert_int_equal(next->n_snapshots, 10001);
}

/* ---- requirements ---- */

static firn_rc check(const char *requirements, const firn_metadata *base, firn_err *err)
{
    return firn_requirements_check(json_of(requirements), base, err);
}

static void requirements_hold_or_say_why_not(void **state)
{
    (void)state;
    static const struct {
        const char *requirement, *failure; /* NULL: holds */
    } cases[] = {
        {"'type': 'assert-create'", "Requirement failed: table already exists"},
        {"'type': 'assert-table-uuid', 'uuid': '9C12D441-03fe-4693-9a96-a0705ddf69c1'", NULL},
        {"'type': 'assert-table-uuid', 'uuid': 'x'",
         "Requirement failed: UUID does not match: expected 9c12d441-03fe-4693-9a96-a0705ddf69c1 != x"},
        {"'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': 2", NULL},
        {"'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': 1",
         "Requirement failed: branch main has changed: expected id 1 != 2"},
        {"'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': null",
         "Requirement failed: branch main was created concurrently"},
        {"'type': 'assert-ref-snapshot-id', 'ref': 'v1', 'snapshot-id': 2",
         "Requirement failed: tag v1 has changed: expected id 2 != 1"},
        {"'type': 'assert-ref-snapshot-id', 'ref': 'dev'", NULL},
        {"'type': 'assert-ref-snapshot-id', 'ref': 'dev', 'snapshot-id': 2",
         "Requirement failed: branch or tag dev is missing, expected 2"},
        {"'type': 'assert-last-assigned-field-id', 'last-assigned-field-id': 16", NULL},
        {"'type': 'assert-last-assigned-field-id', 'last-assigned-field-id': 3",
         "Requirement failed: last assigned field id changed: expected id 3 != 16"},
        {"'type': 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999",
         "Requirement failed: last assigned partition id changed: expected id 999 != 1000"},
        {"'type': 'assert-current-schema-id', 'current-schema-id': 1",
         "Requirement failed: current schema changed: expected id 1 != 0"},
        {"'type': 'assert-default-spec-id', 'default-spec-id': 1",
         "Requirement failed: default partition spec changed: expected id 1 != 0"},
        {"'type': 'assert-default-sort-order-id', 'default-sort-order-id': 1",
         "Requirement failed: default sort order changed: expected id 1 != 0"},
    };
    const firn_metadata *m = append(append(new_table(2), 1), 2);
    m = apply(
        m, "[{'action': 'set-snapshot-ref', 'ref-name': 'v1', 'snapshot-id': 1, 'type': 'tag'}]");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *list = firn_arena_printf(arena, "[{%s}]", cases[i].requirement);
        if (cases[i].failure)
            MUST_FAIL(check(list, m, &err), FIRN_E_CONFLICT, cases[i].failure);
        else
            MUST(check(list, m, &err));
    }
}

static void requirements_without_a_table(void **state)
{
    (void)state;
    MUST(check("[]", NULL, &err));
    MUST(check("[{'type': 'assert-create'},"
               " {'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': null}]",
               NULL, &err));
    MUST_FAIL(check("[{'type': 'assert-table-uuid', 'uuid': 'x'}]", NULL, &err), FIRN_E_CONFLICT,
              "the table does not exist");
    MUST_FAIL(check("[{'type': 'assert-current-schema-id', 'current-schema-id': 1}]", NULL, &err),
              FIRN_E_CONFLICT, "the table does not exist");
    MUST_FAIL(
        check("[{'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': 1}]", NULL, &err),
        FIRN_E_CONFLICT, "branch or tag main is missing");
}

static void malformed_requirements_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{'type': 'assert-luck'}]",
        "[{'type': 'assert-view-uuid', 'uuid': 'x'}]",
        "[{'type': 'assert-table-uuid'}]",
        "[{'type': 'assert-ref-snapshot-id'}]",
        "[{'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': 'x'}]",
        "[{'type': 'assert-current-schema-id', 'current-schema-id': 1.5}]",
    };
    const firn_metadata *m = new_table(2);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        MUST_FAIL(check(broken[i], m, &err), FIRN_E_INVALID, "");
}

static void builders_speak_the_protocol(void **state)
{
    (void)state;
    json_t *updates = firn_json_own(arena, json_array());
    static const char *const keys[] = {"a", "b"};
    static const int64_t ids[] = {7, 8};
    firn_update_set_properties(updates, json_of("{'k': 'v'}"));
    firn_update_remove_properties(updates, keys, 2);
    firn_update_add_snapshot(updates, json_of("{'snapshot-id': 1}"));
    firn_update_set_ref(updates, "main", 1, false);
    firn_update_set_ref(updates, "t", 1, true);
    firn_update_remove_ref(updates, "t");
    firn_update_remove_snapshots(updates, ids, 2);
    firn_update_upgrade_format(updates, 3);
    json_t *expected = json_of(
        "[{'action': 'set-properties', 'updates': {'k': 'v'}},"
        " {'action': 'remove-properties', 'removals': ['a', 'b']},"
        " {'action': 'add-snapshot', 'snapshot': {'snapshot-id': 1}},"
        " {'action': 'set-snapshot-ref', 'ref-name': 'main', 'snapshot-id': 1, 'type': 'branch'},"
        " {'action': 'set-snapshot-ref', 'ref-name': 't', 'snapshot-id': 1, 'type': 'tag'},"
        " {'action': 'remove-snapshot-ref', 'ref-name': 't'},"
        " {'action': 'remove-snapshots', 'snapshot-ids': [7, 8]},"
        " {'action': 'upgrade-format-version', 'format-version': 3}]");
    assert_true(json_equal(updates, expected));

    json_t *requirements = firn_json_own(arena, json_array());
    firn_require_create(requirements);
    firn_require_uuid(requirements, "u");
    firn_require_ref(requirements, "main", 4);
    firn_require_ref(requirements, "dev", -1);
    firn_require_current_schema(requirements, 2);
    firn_require_default_spec(requirements, 3);
    expected = json_of("[{'type': 'assert-create'}, {'type': 'assert-table-uuid', 'uuid': 'u'},"
                       " {'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': 4},"
                       " {'type': 'assert-ref-snapshot-id', 'ref': 'dev', 'snapshot-id': null},"
                       " {'type': 'assert-current-schema-id', 'current-schema-id': 2},"
                       " {'type': 'assert-default-spec-id', 'default-spec-id': 3}]");
    assert_true(json_equal(requirements, expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_table_is_made_of_updates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_come_in_the_usual_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_new_table_lacks_is_said_or_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(creating_assigns_fresh_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_tables_are_not_created, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_change_gives_the_base_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_updates_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(properties_and_location, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_members_survive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(encryption_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statistics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_schemas_are_reused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(schemas_obey_the_format_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(schema_and_spec_must_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_specs_are_reused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(specs_without_ids_get_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_sort_orders_are_reused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshots_become_current, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stale_snapshots_must_be_redone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(row_ids_are_given_out_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refs_are_set_and_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(going_back_is_logged_as_of_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshots_within_one_commit_leave_no_trace_in_the_log,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(expiring_cuts_the_log_before_the_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removal_and_addition_in_one_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaced_files_join_the_metadata_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clocks_may_differ_by_a_minute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(results_outlive_their_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_histories_are_cheap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requirements_hold_or_say_why_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requirements_without_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_requirements_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(builders_speak_the_protocol, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
