/* Builders of table updates and requirements, and of the updates that make a new table. */
#include "metadata_private.h"
#include "partition_private.h"
#include "schema_private.h"

#include "iceberg/update.h"

#include "base/map.h"
#include "base/uuid.h"

/* ---- one at a time ---- */

static json_t *append_action(json_t *updates, const char *action)
{
    json_t *update = json_object();
    json_object_set_new(update, "action", json_string(action));
    json_array_append_new(updates, update);
    return update;
}

static json_t *append_requirement(json_t *requirements, const char *type)
{
    json_t *requirement = json_object();
    json_object_set_new(requirement, "type", json_string(type));
    json_array_append_new(requirements, requirement);
    return requirement;
}

void firn_update_set_properties(json_t *updates, const json_t *properties)
{
    json_object_set_new(append_action(updates, "set-properties"), "updates",
                        json_deep_copy(properties));
}

void firn_update_remove_properties(json_t *updates, const char *const *keys, size_t n)
{
    json_t *removals = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(removals, json_string(keys[i]));
    json_object_set_new(append_action(updates, "remove-properties"), "removals", removals);
}

void firn_update_add_snapshot(json_t *updates, const json_t *snapshot)
{
    json_object_set_new(append_action(updates, "add-snapshot"), "snapshot",
                        json_deep_copy(snapshot));
}

void firn_update_set_ref(json_t *updates, const char *name, int64_t snapshot_id, bool is_tag)
{
    json_t *update = append_action(updates, "set-snapshot-ref");
    json_object_set_new(update, "ref-name", json_string(name));
    json_object_set_new(update, "snapshot-id", json_integer(snapshot_id));
    json_object_set_new(update, "type", json_string(is_tag ? "tag" : "branch"));
}

void firn_update_put_ref(json_t *updates, const firn_snapshot_ref *ref)
{
    firn_update_set_ref(updates, ref->name, ref->snapshot_id, ref->is_tag);
    json_t *update = json_array_get(updates, json_array_size(updates) - 1);
    if (ref->min_snapshots_to_keep >= 0)
        json_object_set_new(update, "min-snapshots-to-keep",
                            json_integer(ref->min_snapshots_to_keep));
    if (ref->max_snapshot_age_ms >= 0)
        json_object_set_new(update, "max-snapshot-age-ms", json_integer(ref->max_snapshot_age_ms));
    if (ref->max_ref_age_ms >= 0)
        json_object_set_new(update, "max-ref-age-ms", json_integer(ref->max_ref_age_ms));
}

void firn_update_remove_ref(json_t *updates, const char *name)
{
    json_object_set_new(append_action(updates, "remove-snapshot-ref"), "ref-name",
                        json_string(name));
}

void firn_update_remove_snapshots(json_t *updates, const int64_t *ids, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(ids[i]));
    json_object_set_new(append_action(updates, "remove-snapshots"), "snapshot-ids", list);
}

void firn_update_upgrade_format(json_t *updates, int format_version)
{
    json_object_set_new(append_action(updates, "upgrade-format-version"), "format-version",
                        json_integer(format_version));
}

void firn_require_create(json_t *requirements)
{
    append_requirement(requirements, "assert-create");
}

void firn_require_uuid(json_t *requirements, const char *uuid)
{
    json_object_set_new(append_requirement(requirements, "assert-table-uuid"), "uuid",
                        json_string(uuid));
}

void firn_require_ref(json_t *requirements, const char *ref, int64_t snapshot_id)
{
    json_t *requirement = append_requirement(requirements, "assert-ref-snapshot-id");
    json_object_set_new(requirement, "ref", json_string(ref));
    json_object_set_new(requirement, "snapshot-id",
                        snapshot_id < 0 ? json_null() : json_integer(snapshot_id));
}

void firn_require_current_schema(json_t *requirements, int32_t schema_id)
{
    json_object_set_new(append_requirement(requirements, "assert-current-schema-id"),
                        "current-schema-id", json_integer(schema_id));
}

void firn_require_default_spec(json_t *requirements, int32_t spec_id)
{
    json_object_set_new(append_requirement(requirements, "assert-default-spec-id"),
                        "default-spec-id", json_integer(spec_id));
}

/* ---- a new table ---- */

/* Table facts that some engines show or take as properties; they are never stored as such. */
static const char *const reserved_properties[] = {
    "format-version",      "uuid",
    "snapshot-count",      "current-snapshot-summary",
    "current-snapshot-id", "current-snapshot-timestamp-ms",
    "current-schema",      "default-partition-spec",
    "default-sort-order",
};

static bool is_reserved(const char *key)
{
    for (size_t i = 0; i < sizeof(reserved_properties) / sizeof(reserved_properties[0]); i++) {
        if (firn_streq(reserved_properties[i], key))
            return true;
    }
    return false;
}

static json_t *stored_properties(const json_t *properties)
{
    json_t *stored = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)properties, key, value)
    {
        if (!is_reserved(key))
            json_object_set(stored, key, value);
    }
    /* What every engine since Iceberg 1.4 writes into new tables, so that all compress alike. */
    if (!json_object_get(stored, "write.parquet.compression-codec"))
        json_object_set_new(stored, "write.parquet.compression-codec", json_string("zstd"));
    return stored;
}

static firn_rc pick_version(const json_t *properties, int64_t *version, firn_err *err)
{
    *version = FIRN_FORMAT_VERSION_DEFAULT;
    const json_t *wanted = json_object_get(properties, "format-version");
    if (!wanted)
        return FIRN_OK;
    const char *text = json_string_value(wanted);
    if (!text || !firn_parse_i64(text, version) || *version < 1 ||
        *version > FIRN_FORMAT_VERSION_MAX)
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "table property format-version is '%s': tables are made in format versions 1 to %d",
            text ? text : "not a string", FIRN_FORMAT_VERSION_MAX);
    return FIRN_OK;
}

/* Old ids to new ones: both types have the same shape. */
static void pair_ids(const firn_type *old_type, const firn_type *new_type, firn_imap *renamed)
{
    for (size_t i = 0; i < old_type->n_fields; i++) {
        firn_imap_put(renamed, old_type->fields[i].id, &new_type->fields[i]);
        pair_ids(old_type->fields[i].type, new_type->fields[i].type, renamed);
    }
}

static firn_rc new_source(const firn_imap *renamed, int32_t old_id, const char *name, int32_t *id,
                          firn_err *err)
{
    const firn_field *field = firn_imap_get(renamed, old_id);
    if (!field)
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is made from field %d, which the schema does not have",
                  name, old_id);
    *id = field->id;
    return FIRN_OK;
}

static firn_rc fresh_spec(firn_arena *arena, const firn_partition_spec *spec,
                          const firn_schema *schema, const firn_imap *renamed,
                          firn_partition_spec *fresh, firn_err *err)
{
    *fresh = (firn_partition_spec){.n_fields = spec ? spec->n_fields : 0};
    fresh->fields = FIRN_NEW_N(arena, firn_partition_field, fresh->n_fields);
    for (size_t i = 0; i < fresh->n_fields; i++) {
        firn_partition_field *field = &fresh->fields[i];
        *field = spec->fields[i];
        field->field_id = FIRN_PARTITION_ID_START + (int32_t)i;
        FIRN_TRY(new_source(renamed, field->source_id,
                            firn_arena_printf(arena, "partition field %s", field->name),
                            &field->source_id, err));
        field->n_source_ids = 1;
        field->source_ids = &field->source_id;
    }
    FIRN_TRY(firn_partition_spec_check(fresh, schema, err));
    return firn_partition_names_check(fresh, schema, err);
}

static firn_rc fresh_order(firn_arena *arena, const firn_sort_order *order,
                           const firn_schema *schema, const firn_imap *renamed,
                           firn_sort_order *fresh, firn_err *err)
{
    *fresh = (firn_sort_order){.n_fields = order ? order->n_fields : 0};
    fresh->order_id = fresh->n_fields > 0 ? 1 : 0;
    fresh->fields = FIRN_NEW_N(arena, firn_sort_field, fresh->n_fields);
    for (size_t i = 0; i < fresh->n_fields; i++) {
        fresh->fields[i] = order->fields[i];
        FIRN_TRY(new_source(renamed, order->fields[i].source_id, "a sort field",
                            &fresh->fields[i].source_id, err));
    }
    return firn_sort_order_check(fresh, schema, err);
}

firn_rc firn_table_create_updates(firn_arena *arena, const firn_table_create *create,
                                  json_t **updates, firn_err *err)
{
    int64_t version;
    FIRN_TRY(pick_version(create->properties, &version, err));
    int32_t last_id = 0;
    firn_schema *schema = firn_schema_assign_fresh_ids(arena, create->schema, &last_id);
    schema->schema_id = 0;
    if (schema->root.n_fields == 0)
        FIRN_FAIL(err, FIRN_E_INVALID, "a table needs at least one column");
    FIRN_TRY(firn_schema_check_version(schema, (int)version, err));

    firn_imap *renamed = firn_imap_new(arena);
    pair_ids(&create->schema->root, &schema->root, renamed);
    firn_partition_spec spec;
    firn_sort_order order;
    FIRN_TRY(fresh_spec(arena, create->spec, schema, renamed, &spec, err));
    FIRN_TRY(fresh_order(arena, create->sort_order, schema, renamed, &order, err));

    json_t *list = json_array();
    json_object_set_new(append_action(list, "assign-uuid"), "uuid",
                        json_string(create->uuid ? create->uuid : firn_uuid_new(arena)));
    firn_update_upgrade_format(list, (int)version);
    json_t *add_schema = append_action(list, "add-schema");
    json_object_set_new(add_schema, "schema", firn_schema_to_json(schema));
    json_object_set_new(add_schema, "last-column-id", json_integer(last_id));
    json_object_set_new(append_action(list, "set-current-schema"), "schema-id", json_integer(-1));
    json_object_set_new(append_action(list, "add-spec"), "spec",
                        firn_partition_spec_to_json(&spec));
    json_object_set_new(append_action(list, "set-default-spec"), "spec-id", json_integer(-1));
    json_object_set_new(append_action(list, "add-sort-order"), "sort-order",
                        firn_sort_order_to_json(&order));
    json_object_set_new(append_action(list, "set-default-sort-order"), "sort-order-id",
                        json_integer(-1));
    json_object_set_new(append_action(list, "set-location"), "location",
                        json_string(create->location));
    json_object_set_new(append_action(list, "set-properties"), "updates",
                        stored_properties(create->properties));
    *updates = list;
    return FIRN_OK;
}
