/* Table metadata: a view of the JSON document, and look-ups in it (spec: "Table Metadata", Appendix C).
 *
 * Invariants of a view:
 *  1. schemas, specs and sort_orders are never empty, and the current (default) one of each is among them;
 *     for v1 documents that lack the lists they are made from "schema" and "partition-spec".
 *  2. current_snapshot and every ref point to a snapshot of the list; there is a ref "main" exactly when
 *     there is a current snapshot, and both are the same snapshot.
 *  3. No snapshot's sequence number is above last_sequence_number; v1 has 0 everywhere.
 */
#include "metadata_private.h"
#include "metadata_text.h"
#include "partition_private.h"
#include "schema_private.h"

#include "base/map.h"

#include <inttypes.h>

/* ---- snapshots ---- */

static firn_rc read_inline_manifests(firn_arena *arena, const json_t *json, const char *what,
                                     firn_snapshot *out, firn_err *err)
{
    json_t *list = NULL;
    FIRN_TRY(firn_json_array(json, "manifests", what, &list, err));
    out->n_manifests = json_array_size(list);
    out->manifests = FIRN_NEW_N(arena, const char *, out->n_manifests);
    for (size_t i = 0; i < out->n_manifests; i++) {
        out->manifests[i] = json_string_value(json_array_get(list, i));
        if (!out->manifests[i])
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "%s: snapshot %" PRId64 ": manifests holds something else than locations",
                      what, out->snapshot_id);
    }
    return FIRN_OK;
}

static firn_rc read_summary(const json_t *json, const char *what, firn_snapshot *out, firn_err *err)
{
    json_t *summary = NULL;
    FIRN_TRY(firn_json_opt_object(json, "summary", what, &summary, err));
    out->summary = summary;
    const char *key;
    json_t *value;
    json_object_foreach(summary, key, value)
    {
        if (!json_is_string(value))
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "%s: snapshot %" PRId64 ": summary entry '%s' is not a string", what,
                      out->snapshot_id, key);
    }
    out->operation = json_string_value(json_object_get(summary, "operation"));
    return FIRN_OK;
}

firn_rc firn_snapshot_from_json(firn_arena *arena, const json_t *json, const char *what,
                                firn_snapshot *out, firn_err *err)
{
    *out = (firn_snapshot){.json = json};
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a snapshot is not a JSON object", what);
    FIRN_TRY(firn_json_i64(json, "snapshot-id", what, &out->snapshot_id, err));
    FIRN_TRY(firn_json_opt_i64(json, "parent-snapshot-id", what, -1, &out->parent_id, err));
    FIRN_TRY(firn_json_opt_i64(json, "sequence-number", what, 0, &out->sequence_number, err));
    FIRN_TRY(firn_json_i64(json, "timestamp-ms", what, &out->timestamp_ms, err));
    FIRN_TRY(firn_json_opt_i32(json, "schema-id", what, -1, &out->schema_id, err));
    FIRN_TRY(firn_json_opt_i64(json, "first-row-id", what, -1, &out->first_row_id, err));
    FIRN_TRY(firn_json_opt_i64(json, "added-rows", what, -1, &out->added_rows, err));
    FIRN_TRY(firn_json_opt_str(json, "manifest-list", what, NULL, &out->manifest_list, err));
    FIRN_TRY(read_summary(json, what, out, err));
    if (out->sequence_number < 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: snapshot %" PRId64 " has sequence number %" PRId64,
                  what, out->snapshot_id, out->sequence_number);
    return out->manifest_list ? FIRN_OK : read_inline_manifests(arena, json, what, out, err);
}

static firn_rc read_snapshots(firn_arena *arena, firn_metadata *m, const char *what, firn_err *err)
{
    json_t *list = NULL;
    FIRN_TRY(firn_json_opt_array(m->json, "snapshots", what, &list, err));
    m->n_snapshots = json_array_size(list);
    m->snapshots = FIRN_NEW_N(arena, firn_snapshot, m->n_snapshots);
    for (size_t i = 0; i < m->n_snapshots; i++) {
        firn_snapshot *snapshot = &m->snapshots[i];
        FIRN_TRY(firn_snapshot_from_json(arena, json_array_get(list, i), what, snapshot, err));
        if (snapshot->sequence_number > m->last_sequence_number)
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "%s: Invalid snapshot with sequence number %" PRId64
                      " greater than last sequence number %" PRId64,
                      what, snapshot->sequence_number, m->last_sequence_number);
    }
    int64_t twice;
    m->index = firn_snapshot_index_new(arena, m->snapshots, m->n_snapshots, &twice);
    if (!m->index)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: snapshot id %" PRId64 " is there twice", what, twice);
    return FIRN_OK;
}

/* ---- refs ---- */

static firn_rc read_positive(const json_t *json, const char *key, const char *what, int64_t *out,
                             firn_err *err)
{
    FIRN_TRY(firn_json_opt_i64(json, key, what, -1, out, err));
    const json_t *member = json_object_get(json, key);
    if (member && !json_is_null(member) && *out <= 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: %s must be greater than 0", what, key);
    return FIRN_OK;
}

firn_rc firn_snapshot_ref_from_json(firn_arena *arena, const char *name, const json_t *json,
                                    const char *what, firn_snapshot_ref *out, firn_err *err)
{
    *out = (firn_snapshot_ref){.name = firn_arena_strdup(arena, name)};
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: ref '%s' is not a JSON object", what, name);
    const char *type = NULL;
    FIRN_TRY(firn_json_i64(json, "snapshot-id", what, &out->snapshot_id, err));
    FIRN_TRY(firn_json_str(json, "type", what, &type, err));
    FIRN_TRY(read_positive(json, "min-snapshots-to-keep", what, &out->min_snapshots_to_keep, err));
    FIRN_TRY(read_positive(json, "max-snapshot-age-ms", what, &out->max_snapshot_age_ms, err));
    FIRN_TRY(read_positive(json, "max-ref-age-ms", what, &out->max_ref_age_ms, err));
    out->is_tag = firn_strcaseeq(type, "tag");
    if (!out->is_tag && !firn_strcaseeq(type, "branch"))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: ref '%s' is of type '%s', neither branch nor tag", what,
                  name, type);
    return FIRN_OK;
}

json_t *firn_snapshot_ref_to_json(const firn_snapshot_ref *ref)
{
    json_t *json = json_object();
    json_object_set_new(json, "snapshot-id", json_integer(ref->snapshot_id));
    json_object_set_new(json, "type", json_string(ref->is_tag ? "tag" : "branch"));
    if (ref->min_snapshots_to_keep > 0)
        json_object_set_new(json, "min-snapshots-to-keep",
                            json_integer(ref->min_snapshots_to_keep));
    if (ref->max_snapshot_age_ms > 0)
        json_object_set_new(json, "max-snapshot-age-ms", json_integer(ref->max_snapshot_age_ms));
    if (ref->max_ref_age_ms > 0)
        json_object_set_new(json, "max-ref-age-ms", json_integer(ref->max_ref_age_ms));
    return json;
}

static firn_rc check_main(const firn_metadata *m, const firn_snapshot_ref *main_ref,
                          const char *what, firn_err *err)
{
    if (main_ref && !m->current_snapshot)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: Current snapshot is not set, but main branch exists",
                  what);
    if (main_ref && main_ref->snapshot_id != m->current_snapshot->snapshot_id)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: Current snapshot ID does not match main branch (%" PRId64 " != %" PRId64 ")",
                  what, m->current_snapshot->snapshot_id, main_ref->snapshot_id);
    return FIRN_OK;
}

static firn_rc read_refs(firn_arena *arena, firn_metadata *m, const char *what, firn_err *err)
{
    json_t *refs = NULL;
    FIRN_TRY(firn_json_opt_object(m->json, "refs", what, &refs, err));
    m->refs = FIRN_NEW_N(arena, firn_snapshot_ref, json_object_size(refs) + 1);
    const firn_snapshot_ref *main_ref = NULL;
    const char *name;
    json_t *json;
    json_object_foreach(refs, name, json)
    {
        firn_snapshot_ref *ref = &m->refs[m->n_refs++];
        FIRN_TRY(firn_snapshot_ref_from_json(arena, name, json, what, ref, err));
        if (!firn_metadata_snapshot(m, ref->snapshot_id))
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "%s: ref '%s' points to snapshot %" PRId64 ", which is not in the list", what,
                      name, ref->snapshot_id);
        if (firn_streq(name, FIRN_MAIN_BRANCH))
            main_ref = ref;
    }
    FIRN_TRY(check_main(m, main_ref, what, err));
    if (!main_ref && m->current_snapshot)
        m->refs[m->n_refs++] = (firn_snapshot_ref){
            .name = FIRN_MAIN_BRANCH,
            .snapshot_id = m->current_snapshot->snapshot_id,
            .min_snapshots_to_keep = -1,
            .max_snapshot_age_ms = -1,
            .max_ref_age_ms = -1,
        };
    return FIRN_OK;
}

/* ---- schemas, specs, sort orders ---- */

static firn_rc check_id(int32_t id, const char *key, const char *what, firn_err *err)
{
    if (id < 0 || id > FIRN_ID_MAX)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: %s %d is out of range", what, key, id);
    return FIRN_OK;
}

/* The id of one of a list; `seen` holds those before it. */
static firn_rc claim_id(firn_imap *seen, int32_t id, const char *key, const char *what,
                        firn_err *err)
{
    FIRN_TRY(check_id(id, key, what, err));
    if (firn_imap_put(seen, id, seen))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: %s %d is there twice", what, key, id);
    return FIRN_OK;
}

static firn_rc read_schemas(firn_arena *arena, firn_metadata *m, const char *what, firn_err *err)
{
    json_t *list = NULL;
    int32_t current_id = 0;
    FIRN_TRY(firn_json_opt_array(m->json, "schemas", what, &list, err));
    if (!list) {
        if (m->format_version > 1)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: schemas must exist in format v%d", what,
                      m->format_version);
        json_t *only = NULL;
        FIRN_TRY(firn_json_object(m->json, "schema", what, &only, err));
        m->n_schemas = 1;
        m->schemas = FIRN_NEW_N(arena, firn_schema *, 1);
        FIRN_TRY(firn_schema_from_json(arena, only, what, &m->schemas[0], err));
        m->schema = m->schemas[0];
        return check_id(m->schema->schema_id, "schema-id", what, err);
    }
    FIRN_TRY(firn_json_i32(m->json, "current-schema-id", what, &current_id, err));
    firn_imap *seen = firn_imap_new(arena);
    m->n_schemas = json_array_size(list);
    m->schemas = FIRN_NEW_N(arena, firn_schema *, m->n_schemas);
    for (size_t i = 0; i < m->n_schemas; i++) {
        FIRN_TRY(firn_schema_from_json(arena, json_array_get(list, i), what, &m->schemas[i], err));
        FIRN_TRY(claim_id(seen, m->schemas[i]->schema_id, "schema-id", what, err));
        if (m->schemas[i]->schema_id == current_id)
            m->schema = m->schemas[i];
    }
    if (!m->schema)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: Cannot find schema with current-schema-id=%d from schemas", what,
                  current_id);
    return FIRN_OK;
}

static firn_rc read_v1_spec(firn_arena *arena, firn_metadata *m, const char *what, firn_err *err)
{
    json_t *fields = NULL;
    if (m->format_version > 1)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: partition-specs must exist in format v%d", what,
                  m->format_version);
    FIRN_TRY(firn_json_array(m->json, "partition-spec", what, &fields, err));
    m->n_specs = 1;
    m->specs = FIRN_NEW_N(arena, firn_partition_spec *, 1);
    m->specs[0] = FIRN_NEW(arena, firn_partition_spec);
    FIRN_TRY(firn_partition_fields_from_json(arena, fields, what, m->specs[0], err));
    m->spec = m->specs[0];
    return FIRN_OK;
}

static firn_rc read_specs(firn_arena *arena, firn_metadata *m, const char *what, firn_err *err)
{
    json_t *list = NULL;
    int32_t default_id = 0;
    FIRN_TRY(firn_json_opt_array(m->json, "partition-specs", what, &list, err));
    if (!list)
        return read_v1_spec(arena, m, what, err);
    FIRN_TRY(firn_json_i32(m->json, "default-spec-id", what, &default_id, err));
    firn_imap *seen = firn_imap_new(arena);
    m->n_specs = json_array_size(list);
    m->specs = FIRN_NEW_N(arena, firn_partition_spec *, m->n_specs);
    for (size_t i = 0; i < m->n_specs; i++) {
        FIRN_TRY(
            firn_partition_spec_from_json(arena, json_array_get(list, i), what, &m->specs[i], err));
        FIRN_TRY(claim_id(seen, m->specs[i]->spec_id, "spec-id", what, err));
        if (m->specs[i]->spec_id == default_id)
            m->spec = m->specs[i];
    }
    if (!m->spec)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: Cannot find partition spec with default-spec-id=%d from partition-specs",
                  what, default_id);
    return FIRN_OK;
}

static firn_rc read_last_partition_id(firn_metadata *m, const char *what, firn_err *err)
{
    int32_t last = FIRN_PARTITION_ID_START - 1;
    for (size_t i = 0; i < m->n_specs; i++) {
        int32_t own = firn_partition_last_id(m->specs[i]);
        last = own > last ? own : last;
    }
    if (m->format_version > 1)
        FIRN_TRY(firn_json_i32(m->json, "last-partition-id", what, &m->last_partition_id, err));
    else
        FIRN_TRY(firn_json_opt_i32(m->json, "last-partition-id", what, last, &m->last_partition_id,
                                   err));
    return check_id(m->last_partition_id, "last-partition-id", what, err);
}

static firn_rc read_sort_orders(firn_arena *arena, firn_metadata *m, const char *what,
                                firn_err *err)
{
    json_t *list = NULL;
    int32_t default_id = 0;
    FIRN_TRY(firn_json_opt_array(m->json, "sort-orders", what, &list, err));
    if (!list && m->format_version > 1)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: sort-orders must exist in format v%d", what,
                  m->format_version);
    if (list)
        FIRN_TRY(firn_json_i32(m->json, "default-sort-order-id", what, &default_id, err));
    firn_imap *seen = firn_imap_new(arena);
    size_t n = json_array_size(list);
    m->sort_orders = FIRN_NEW_N(arena, firn_sort_order *, n + 1);
    for (size_t i = 0; i < n; i++) {
        firn_sort_order *order = NULL;
        FIRN_TRY(firn_sort_order_from_json(arena, json_array_get(list, i), what, &order, err));
        FIRN_TRY(claim_id(seen, order->order_id, "order-id", what, err));
        m->sort_orders[m->n_sort_orders++] = order;
        if (order->order_id == default_id)
            m->sort_order = order;
    }
    if (!m->sort_order && default_id == 0) { /* unsorted needs no entry */
        m->sort_orders[m->n_sort_orders++] = FIRN_NEW(arena, firn_sort_order);
        m->sort_order = m->sort_orders[m->n_sort_orders - 1];
    }
    if (!m->sort_order)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: Cannot find sort order with default-sort-order-id=%d from sort-orders", what,
                  default_id);
    return FIRN_OK;
}

/* ---- properties and logs ---- */

static firn_rc read_properties(firn_arena *arena, firn_metadata *m, const char *what, firn_err *err)
{
    FIRN_TRY(firn_json_opt_object(m->json, "properties", what, &m->properties, err));
    if (!m->properties)
        m->properties = firn_json_own(arena, json_object());
    const char *key;
    json_t *value;
    json_object_foreach(m->properties, key, value)
    {
        if (!json_is_string(value))
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: property '%s' is not a string", what, key);
    }
    return FIRN_OK;
}

static firn_rc read_log(firn_arena *arena, const firn_metadata *m, const char *key,
                        const char *what, firn_log_entry **log, size_t *n, firn_err *err)
{
    json_t *list = NULL;
    FIRN_TRY(firn_json_opt_array(m->json, key, what, &list, err));
    *n = json_array_size(list);
    *log = FIRN_NEW_N(arena, firn_log_entry, *n);
    for (size_t i = 0; i < *n; i++) {
        const json_t *json = json_array_get(list, i);
        firn_log_entry *entry = &(*log)[i];
        if (!json_is_object(json))
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: an entry of %s is not a JSON object", what, key);
        FIRN_TRY(firn_json_i64(json, "timestamp-ms", what, &entry->timestamp_ms, err));
        if (firn_streq(key, "snapshot-log"))
            FIRN_TRY(firn_json_i64(json, "snapshot-id", what, &entry->snapshot_id, err));
        else
            FIRN_TRY(firn_json_str(json, "metadata-file", what, &entry->location, err));
    }
    return FIRN_OK;
}

/* ---- the document ---- */

char *firn_location_trimmed(firn_arena *arena, const char *location)
{
    size_t len = strlen(location);
    while (len > 1 && location[len - 1] == '/' &&
           !(len >= 3 && strncmp(location + len - 3, "://", 3) == 0))
        len--;
    return firn_arena_strndup(arena, location, len);
}

static firn_rc read_head(firn_arena *arena, firn_metadata *m, const char *what, firn_err *err)
{
    const json_t *json = m->json;
    int32_t version = 0;
    const char *location = NULL;
    FIRN_TRY(firn_json_i32(json, "format-version", what, &version, err));
    if (version < 1)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: format-version is %d", what, version);
    if (version > FIRN_FORMAT_VERSION_MAX)
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s: Cannot read unsupported version %d; this firn reads format versions 1 to %d",
                  what, version, FIRN_FORMAT_VERSION_MAX);
    m->format_version = version;
    FIRN_TRY(firn_json_opt_str(json, "table-uuid", what, NULL, &m->table_uuid, err));
    if (!m->table_uuid && version > 1)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: UUID is required in format v%d", what, version);
    FIRN_TRY(firn_json_str(json, "location", what, &location, err));
    m->location = firn_location_trimmed(arena, location);
    if (version > 1)
        FIRN_TRY(firn_json_i64(json, "last-sequence-number", what, &m->last_sequence_number, err));
    FIRN_TRY(firn_json_i64(json, "last-updated-ms", what, &m->last_updated_ms, err));
    FIRN_TRY(firn_json_i32(json, "last-column-id", what, &m->last_column_id, err));
    if (version >= 3)
        FIRN_TRY(firn_json_i64(json, "next-row-id", what, &m->next_row_id, err));
    if (m->last_sequence_number < 0 || m->last_sequence_number == INT64_MAX || m->next_row_id < 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: last-sequence-number or next-row-id is out of range",
                  what);
    return check_id(m->last_column_id, "last-column-id", what, err);
}

static firn_rc read_current_snapshot(firn_metadata *m, const char *what, firn_err *err)
{
    int64_t current_id = -1;
    FIRN_TRY(firn_json_opt_i64(m->json, "current-snapshot-id", what, -1, &current_id, err));
    m->current_snapshot = firn_metadata_snapshot(m, current_id);
    if (current_id >= 0 && !m->current_snapshot)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: Invalid table metadata: Cannot find current version: snapshot %" PRId64
                  " is not in the list",
                  what, current_id);
    return FIRN_OK;
}

firn_rc firn_metadata_from_json(firn_arena *arena, json_t *json, const char *what,
                                firn_metadata **out, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: Cannot parse metadata from a non-object", what);
    firn_metadata *m = FIRN_NEW(arena, firn_metadata);
    m->json = firn_json_own(arena, json_incref(json));
    m->text = firn_metadata_text_new(arena);
    FIRN_TRY(read_head(arena, m, what, err));
    FIRN_TRY(read_schemas(arena, m, what, err));
    FIRN_TRY(read_specs(arena, m, what, err));
    FIRN_TRY(read_last_partition_id(m, what, err));
    FIRN_TRY(read_sort_orders(arena, m, what, err));
    FIRN_TRY(read_properties(arena, m, what, err));
    FIRN_TRY(read_snapshots(arena, m, what, err));
    FIRN_TRY(read_current_snapshot(m, what, err));
    FIRN_TRY(read_refs(arena, m, what, err));
    FIRN_TRY(read_log(arena, m, "snapshot-log", what, &m->snapshot_log, &m->n_snapshot_log, err));
    FIRN_TRY(read_log(arena, m, "metadata-log", what, &m->metadata_log, &m->n_metadata_log, err));
    *out = m;
    return FIRN_OK;
}

/* ---- look-ups ---- */

const firn_snapshot *firn_metadata_snapshot(const firn_metadata *metadata, int64_t snapshot_id)
{
    size_t position;
    return firn_snapshot_index_get(metadata->index, snapshot_id, &position)
               ? &metadata->snapshots[position]
               : NULL;
}

const firn_snapshot_ref *firn_metadata_ref(const firn_metadata *metadata, const char *name)
{
    for (size_t i = 0; i < metadata->n_refs; i++) {
        if (firn_streq(metadata->refs[i].name, name))
            return &metadata->refs[i];
    }
    return NULL;
}

const firn_schema *firn_metadata_schema(const firn_metadata *metadata, int32_t schema_id)
{
    for (size_t i = 0; i < metadata->n_schemas; i++) {
        if (metadata->schemas[i]->schema_id == schema_id)
            return metadata->schemas[i];
    }
    return NULL;
}

const firn_partition_spec *firn_metadata_spec(const firn_metadata *metadata, int32_t spec_id)
{
    for (size_t i = 0; i < metadata->n_specs; i++) {
        if (metadata->specs[i]->spec_id == spec_id)
            return metadata->specs[i];
    }
    return NULL;
}

const firn_sort_order *firn_metadata_sort_order(const firn_metadata *metadata, int32_t order_id)
{
    for (size_t i = 0; i < metadata->n_sort_orders; i++) {
        if (metadata->sort_orders[i]->order_id == order_id)
            return metadata->sort_orders[i];
    }
    return NULL;
}

/* The log is optional. Without one the current snapshot's ancestors are all there is to go by. */
static const firn_snapshot *ancestor_as_of(const firn_metadata *metadata, int64_t timestamp_ms)
{
    const firn_snapshot *snapshot = metadata->current_snapshot;
    for (size_t i = 0; snapshot && i < metadata->n_snapshots; i++) {
        if (snapshot->timestamp_ms <= timestamp_ms)
            return snapshot;
        snapshot = firn_metadata_snapshot(metadata, snapshot->parent_id);
    }
    return NULL;
}

const firn_snapshot *firn_metadata_snapshot_as_of(const firn_metadata *metadata,
                                                  int64_t timestamp_ms)
{
    if (metadata->n_snapshot_log == 0)
        return ancestor_as_of(metadata, timestamp_ms);
    for (size_t i = metadata->n_snapshot_log; i > 0; i--) {
        const firn_log_entry *entry = &metadata->snapshot_log[i - 1];
        if (entry->timestamp_ms <= timestamp_ms)
            return firn_metadata_snapshot(metadata, entry->snapshot_id);
    }
    return NULL;
}

const char *firn_metadata_property(const firn_metadata *metadata, const char *key, const char *def)
{
    const char *value = json_string_value(json_object_get(metadata->properties, key));
    return value ? value : def;
}

int64_t firn_metadata_property_i64(const firn_metadata *metadata, const char *key, int64_t def)
{
    const char *value = firn_metadata_property(metadata, key, NULL);
    int64_t number;
    return value && firn_parse_i64(value, &number) ? number : def;
}
