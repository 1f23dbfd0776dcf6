/* What the tests of table metadata share: JSON from text, tables made in place, and a check that a view
 * made by updates is the view that reading its document gives. */
#ifndef ICEBERG_METADATA_TESTING_H
#define ICEBERG_METADATA_TESTING_H

#include "iceberg/update.h"

#include "base/io.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static firn_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    firn_arena_free(arena);
    arena = NULL;
    return 0;
}

#define MUST(expr)                                  \
    do {                                            \
        firn_err err = {0};                         \
        firn_rc must_rc_ = (expr);                  \
        if (must_rc_ != FIRN_OK)                    \
            fail_msg("%s: %s", #expr, err.message); \
    } while (0)

/* The call fails with the code, and its message holds the text. */
#define MUST_FAIL(expr, expected_code, text)                                         \
    do {                                                                             \
        firn_err err = {0};                                                          \
        firn_rc must_rc_ = (expr);                                                   \
        if (must_rc_ != (expected_code))                                             \
            fail_msg("%s gave %s (%s)", #expr, firn_rc_name(must_rc_), err.message); \
        assert_int_equal(err.code, (expected_code));                                 \
        if (!strstr(err.message, (text)))                                            \
            fail_msg("message is: %s", err.message);                                 \
    } while (0)

/* Single quotes stand for double ones, so that JSON reads as JSON in C. */
static inline json_t *json_of(const char *text)
{
    char *copy = firn_arena_strdup(arena, text);
    for (char *at = copy; *at; at++) {
        if (*at == '\'')
            *at = '"';
    }
    json_t *json = NULL;
    MUST(firn_json_parse(arena, firn_bytes_str(copy), "test", &json, &err));
    return json;
}

static inline const firn_type *type_of(const char *text)
{
    const firn_type *type = firn_type_parse_primitive(arena, text);
    if (!type)
        fail_msg("'%s' is no type", text);
    return type;
}

static inline firn_value value_of(const char *type, const char *text)
{
    firn_value value;
    MUST(firn_value_from_text(arena, type_of(type), text, &value, &err));
    return value;
}

static inline firn_schema *schema_of(const char *text)
{
    firn_schema *schema = NULL;
    MUST(firn_schema_from_json(arena, json_of(text), "test", &schema, &err));
    return schema;
}

static inline firn_metadata *metadata_of(json_t *json)
{
    firn_metadata *metadata = NULL;
    MUST(firn_metadata_from_json(arena, json, "test", &metadata, &err));
    return metadata;
}

static inline char *golden_path(const char *name)
{
    return firn_arena_printf(arena, "%s/tests/golden/%s", getenv("FIRN_SOURCE_DIR"), name);
}

static inline json_t *golden_json(const char *name)
{
    firn_bytes text;
    json_t *json = NULL;
    MUST(firn_file_read(arena, golden_path(name), 64 << 20, &text, &err));
    json_error_t error; /* firn's own parser refuses the NUL that is in some golden strings */
    json = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, &error);
    if (!json)
        fail_msg("%s: %s", name, error.text);
    return firn_json_own(arena, json);
}

static inline const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static inline void assert_same_lists(const firn_metadata *a, const firn_metadata *b)
{
    for (size_t i = 0; i < a->n_schemas; i++) {
        assert_int_equal(a->schemas[i]->schema_id, b->schemas[i]->schema_id);
        assert_true(firn_type_equal(&a->schemas[i]->root, &b->schemas[i]->root));
    }
    for (size_t i = 0; i < a->n_specs; i++) {
        assert_int_equal(a->specs[i]->spec_id, b->specs[i]->spec_id);
        assert_true(firn_partition_spec_compatible(a->specs[i], b->specs[i]));
    }
    for (size_t i = 0; i < a->n_sort_orders; i++)
        assert_int_equal(a->sort_orders[i]->order_id, b->sort_orders[i]->order_id);
    for (size_t i = 0; i < a->n_snapshots; i++) {
        const firn_snapshot *x = &a->snapshots[i], *y = &b->snapshots[i];
        assert_int_equal(x->snapshot_id, y->snapshot_id);
        assert_int_equal(x->parent_id, y->parent_id);
        assert_int_equal(x->sequence_number, y->sequence_number);
        assert_int_equal(x->timestamp_ms, y->timestamp_ms);
        assert_int_equal(x->schema_id, y->schema_id);
        assert_int_equal(x->first_row_id, y->first_row_id);
        assert_int_equal(x->added_rows, y->added_rows);
        assert_string_equal(text_or_empty(x->manifest_list), text_or_empty(y->manifest_list));
        assert_string_equal(text_or_empty(x->operation), text_or_empty(y->operation));
        assert_int_equal(x->n_manifests, y->n_manifests);
        for (size_t k = 0; k < x->n_manifests; k++)
            assert_string_equal(x->manifests[k], y->manifests[k]);
        assert_ptr_equal(firn_metadata_snapshot(a, x->snapshot_id), x);
    }
    for (size_t i = 0; i < a->n_refs; i++) {
        const firn_snapshot_ref *y = firn_metadata_ref(b, a->refs[i].name);
        assert_non_null(y);
        assert_int_equal(a->refs[i].snapshot_id, y->snapshot_id);
        assert_int_equal(a->refs[i].is_tag, y->is_tag);
        assert_int_equal(a->refs[i].max_ref_age_ms, y->max_ref_age_ms);
    }
    for (size_t i = 0; i < a->n_snapshot_log; i++) {
        assert_int_equal(a->snapshot_log[i].timestamp_ms, b->snapshot_log[i].timestamp_ms);
        assert_int_equal(a->snapshot_log[i].snapshot_id, b->snapshot_log[i].snapshot_id);
    }
    for (size_t i = 0; i < a->n_metadata_log; i++) {
        assert_int_equal(a->metadata_log[i].timestamp_ms, b->metadata_log[i].timestamp_ms);
        assert_string_equal(a->metadata_log[i].location, b->metadata_log[i].location);
    }
}

/* Whatever updates built must be what a reader of the document sees. */
static inline void assert_view_is_of_document(const firn_metadata *a)
{
    const firn_metadata *b = metadata_of(a->json);
    assert_int_equal(a->format_version, b->format_version);
    assert_string_equal(text_or_empty(a->table_uuid), text_or_empty(b->table_uuid));
    assert_string_equal(a->location, b->location);
    assert_int_equal(a->last_sequence_number, b->last_sequence_number);
    assert_int_equal(a->last_updated_ms, b->last_updated_ms);
    assert_int_equal(a->last_column_id, b->last_column_id);
    assert_int_equal(a->last_partition_id, b->last_partition_id);
    assert_int_equal(a->next_row_id, b->next_row_id);
    assert_int_equal(a->schema->schema_id, b->schema->schema_id);
    assert_int_equal(a->spec->spec_id, b->spec->spec_id);
    assert_int_equal(a->sort_order->order_id, b->sort_order->order_id);
    assert_true(json_equal(a->properties, b->properties));
    assert_int_equal(a->n_schemas, b->n_schemas);
    assert_int_equal(a->n_specs, b->n_specs);
    assert_int_equal(a->n_sort_orders, b->n_sort_orders);
    assert_int_equal(a->n_snapshots, b->n_snapshots);
    assert_int_equal(a->n_refs, b->n_refs);
    assert_int_equal(a->n_snapshot_log, b->n_snapshot_log);
    assert_int_equal(a->n_metadata_log, b->n_metadata_log);
    assert_int_equal(a->current_snapshot ? a->current_snapshot->snapshot_id : -1,
                     b->current_snapshot ? b->current_snapshot->snapshot_id : -1);
    assert_same_lists(a, b);
}

/* Apply updates at a time; the result is checked and the base is proven unchanged. */
static inline firn_metadata *apply_at(const firn_metadata *base, json_t *updates, int64_t now_ms)
{
    char *before = base ? firn_json_text(arena, base->json) : NULL;
    firn_update_options options = {
        .now_ms = now_ms,
        .previous_location =
            base ? firn_arena_printf(arena, "s3://b/t/metadata/%" PRId64 ".json", now_ms) : NULL,
    };
    firn_metadata *out = NULL;
    MUST(firn_updates_apply(arena, base, updates, &options, &out, &err));
    assert_view_is_of_document(out);
    if (base)
        assert_string_equal(before, firn_json_text(arena, base->json));
    return out;
}

static inline firn_metadata *apply(const firn_metadata *base, const char *updates)
{
    return apply_at(base, json_of(updates), base ? base->last_updated_ms + 1000 : 1700000000000);
}

static inline firn_rc try_apply(const firn_metadata *base, const char *updates, firn_err *err)
{
    firn_update_options options = {.now_ms = base ? base->last_updated_ms + 1000 : 1700000000000};
    firn_metadata *out = NULL;
    return firn_updates_apply(arena, base, json_of(updates), &options, &out, err);
}

/* A table with a few columns of every sort that evolution cares about. */
static inline firn_metadata *new_table(int format_version)
{
    static const char updates[] =
        "[{'action': 'assign-uuid', 'uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1'},"
        " {'action': 'upgrade-format-version', 'format-version': %d},"
        " {'action': 'add-schema', 'schema': {'type': 'struct', 'schema-id': 0, 'fields': ["
        "   {'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"
        "   {'id': 2, 'name': 'ts', 'required': false, 'type': 'timestamp'},"
        "   {'id': 3, 'name': 'data', 'required': false, 'type': 'string', 'doc': 'payload'},"
        "   {'id': 4, 'name': 'n', 'required': false, 'type': 'int'},"
        "   {'id': 5, 'name': 'd', 'required': false, 'type': 'date'},"
        "   {'id': 6, 'name': 'price', 'required': false, 'type': 'decimal(9, 2)'},"
        "   {'id': 7, 'name': 'point', 'required': true, 'type': {'type': 'struct', 'fields': ["
        "      {'id': 8, 'name': 'x', 'required': true, 'type': 'float'},"
        "      {'id': 9, 'name': 'y', 'required': false, 'type': 'double'}]}},"
        "   {'id': 10, 'name': 'list', 'required': false, 'type': {'type': 'list', 'element-id': 11,"
        "      'element-required': false, 'element': {'type': 'struct', 'fields': ["
        "        {'id': 12, 'name': 'a', 'required': false, 'type': 'int'}]}}},"
        "   {'id': 13, 'name': 'map', 'required': false, 'type': {'type': 'map', 'key-id': 14,"
        "      'key': 'string', 'value-id': 15, 'value-required': false, 'value': {'type': 'struct',"
        "      'fields': [{'id': 16, 'name': 'b', 'required': false, 'type': 'int'}]}}}]}},"
        " {'action': 'set-current-schema', 'schema-id': -1},"
        " {'action': 'add-spec', 'spec': {'spec-id': 0, 'fields': ["
        "   {'name': 'ts_day', 'transform': 'day', 'source-id': 2, 'field-id': 1000}]}},"
        " {'action': 'set-default-spec', 'spec-id': -1},"
        " {'action': 'add-sort-order', 'sort-order': {'order-id': 0, 'fields': []}},"
        " {'action': 'set-default-sort-order', 'sort-order-id': -1},"
        " {'action': 'set-location', 'location': 's3://b/t/'},"
        " {'action': 'set-properties', 'updates': {'owner': 'me'}}]";
    return apply(NULL, firn_arena_printf(arena, updates, format_version));
}

/* Updates that add a snapshot and set main to it. */
static inline json_t *snapshot_updates(const firn_metadata *base, int64_t snapshot_id,
                                       int64_t timestamp_ms)
{
    json_t *snapshot = json_of("{'manifest-list': 's3://b/t/metadata/snap.avro',"
                               " 'summary': {'operation': 'append', 'added-records': '10'}}");
    json_object_set_new(snapshot, "snapshot-id", json_integer(snapshot_id));
    json_object_set_new(snapshot, "timestamp-ms", json_integer(timestamp_ms));
    json_object_set_new(snapshot, "schema-id", json_integer(base->schema->schema_id));
    if (base->current_snapshot)
        json_object_set_new(snapshot, "parent-snapshot-id",
                            json_integer(base->current_snapshot->snapshot_id));
    if (base->format_version > 1)
        json_object_set_new(snapshot, "sequence-number",
                            json_integer(base->last_sequence_number + 1));
    if (base->format_version > 2) {
        json_object_set_new(snapshot, "first-row-id", json_integer(base->next_row_id));
        json_object_set_new(snapshot, "added-rows", json_integer(10));
    }
    json_t *updates = firn_json_own(arena, json_array());
    firn_update_add_snapshot(updates, snapshot);
    firn_update_set_ref(updates, "main", snapshot_id, false);
    return updates;
}

static inline firn_metadata *append(const firn_metadata *base, int64_t snapshot_id)
{
    int64_t now_ms = base->last_updated_ms + 1000;
    return apply_at(base, snapshot_updates(base, snapshot_id, now_ms), now_ms);
}

#endif
