/* Applying table updates (REST catalog specification, "TableUpdate"; semantics of Java's
 * TableMetadata.Builder).
 *
 * start -> one function per update -> finish. Only finish writes the document's scalar members and makes the
 * result; if no update changed anything the base itself is the result.
 */
#include "update_private.h"

#include "metadata_text.h"

#include "partition_private.h"
#include "schema_private.h"

#include "base/time.h"
#include "base/uuid.h"

#include <assert.h>

/* ---- the document ---- */

static json_t *own_member(firn_updater *u, const char *key, bool object)
{
    for (size_t i = 0; i < u->n_owned; i++) {
        if (firn_streq(u->owned[i], key))
            return json_object_get(u->doc, key);
    }
    json_t *shared = json_object_get(u->doc, key);
    json_t *copy = NULL;
    if (object)
        copy = json_is_object(shared) ? json_copy(shared) : json_object();
    else
        copy = json_is_array(shared) ? json_copy(shared) : json_array();
    json_object_set_new(u->doc, key, copy);
    assert(u->n_owned < FIRN_UPDATER_MEMBERS_MAX);
    u->owned[u->n_owned++] = key;
    return copy;
}

json_t *firn_updater_list(firn_updater *u, const char *key)
{
    return own_member(u, key, false);
}

json_t *firn_updater_object(firn_updater *u, const char *key)
{
    return own_member(u, key, true);
}

static void set_i64(firn_updater *u, const char *key, int64_t value)
{
    json_object_set_new(u->doc, key, json_integer(value));
}

/* ---- start ---- */

/* A new document gets its members in the order that people know from other engines' files. */
static void start_empty(firn_updater *u)
{
    static const char *const members[] = {
        "format-version",
        "table-uuid",
        "location",
        "last-sequence-number",
        "last-updated-ms",
        "last-column-id",
        "current-schema-id",
        "schemas",
        "default-spec-id",
        "partition-specs",
        "last-partition-id",
        "default-sort-order-id",
        "sort-orders",
        "properties",
        "current-snapshot-id",
        "next-row-id",
        "refs",
        "snapshots",
        "statistics",
        "partition-statistics",
        "snapshot-log",
        "metadata-log",
    };
    u->doc = firn_json_own(u->arena, json_object());
    u->m->text = firn_metadata_text_new(u->arena);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        json_object_set_new(u->doc, members[i], json_null());
    firn_updater_list(u, "statistics");
    firn_updater_list(u, "partition-statistics");
    u->m->properties = firn_updater_object(u, "properties");
    u->m->last_partition_id = FIRN_PARTITION_ID_START - 1;
    u->m->format_version = FIRN_FORMAT_VERSION_DEFAULT;
    u->snapshot_id = -1;
    u->index = firn_snapshot_index_new(u->arena, NULL, 0, NULL);
}

/* Specs and orders are few; a fresh copy by way of their JSON has no strings of the base's arena. */
static firn_rc copy_layout(firn_updater *u, firn_err *err)
{
    for (size_t i = 0; i < u->base->n_schemas; i++)
        firn_vec_push(u->arena, &u->schemas, firn_schema_clone(u->arena, u->base->schemas[i]));
    for (size_t i = 0; i < u->base->n_specs; i++) {
        firn_partition_spec *spec = NULL;
        json_t *json = firn_json_own(u->arena, firn_partition_spec_to_json(u->base->specs[i]));
        FIRN_TRY(firn_partition_spec_from_json(u->arena, json, "partition spec", &spec, err));
        firn_vec_push(u->arena, &u->specs, spec);
    }
    for (size_t i = 0; i < u->base->n_sort_orders; i++) {
        firn_sort_order *order = NULL;
        json_t *json = firn_json_own(u->arena, firn_sort_order_to_json(u->base->sort_orders[i]));
        FIRN_TRY(firn_sort_order_from_json(u->arena, json, "sort order", &order, err));
        firn_vec_push(u->arena, &u->sort_orders, order);
    }
    return FIRN_OK;
}

static void copy_log(firn_arena *arena, firn_log_list *log, const firn_log_entry *entries, size_t n)
{
    firn_vec_reserve(arena, log, n + 1);
    if (n > 0)
        memcpy(log->items, entries, n * sizeof(*entries));
    log->len = n;
}

static void copy_snapshots(firn_updater *u)
{
    const firn_metadata *base = u->base;
    firn_vec_reserve(u->arena, &u->snapshots, base->n_snapshots + 1);
    if (base->n_snapshots > 0)
        memcpy(u->snapshots.items, base->snapshots, base->n_snapshots * sizeof(firn_snapshot));
    u->snapshots.len = base->n_snapshots;
    u->index = firn_snapshot_index_copy(u->arena, base->index);
    for (size_t i = 0; i < u->snapshots.len; i++) {
        firn_snapshot *snapshot = &u->snapshots.items[i];
        if (snapshot->n_manifests > 0)
            snapshot->manifests = firn_arena_memdup(u->arena, snapshot->manifests,
                                                    snapshot->n_manifests * sizeof(const char *));
    }
    for (size_t i = 0; i < base->n_refs; i++) {
        firn_snapshot_ref ref = base->refs[i];
        ref.name = firn_arena_strdup(u->arena, ref.name);
        firn_vec_push(u->arena, &u->refs, ref);
    }
    copy_log(u->arena, &u->snapshot_log, base->snapshot_log, base->n_snapshot_log);
    copy_log(u->arena, &u->metadata_log, base->metadata_log, base->n_metadata_log);
}

/* Members that old documents lack although the view has them: put what the view shows into the document. */
static void complete_lists(firn_updater *u)
{
    if (!json_is_array(json_object_get(u->doc, "schemas"))) {
        json_t *schema = json_copy(json_object_get(u->doc, "schema"));
        json_object_set_new(schema, "schema-id", json_integer(u->schemas.items[0]->schema_id));
        json_array_append_new(firn_updater_list(u, "schemas"), schema);
    }
    if (!json_is_array(json_object_get(u->doc, "partition-specs")))
        json_array_append_new(firn_updater_list(u, "partition-specs"),
                              firn_partition_spec_to_json(u->specs.items[0]));
    size_t n_orders = json_array_size(json_object_get(u->doc, "sort-orders"));
    for (; n_orders < u->sort_orders.len; n_orders++)
        json_array_append_new(firn_updater_list(u, "sort-orders"),
                              firn_sort_order_to_json(u->sort_orders.items[n_orders]));
    size_t n_refs = json_object_size(json_object_get(u->doc, "refs"));
    if (n_refs < u->refs.len)
        json_object_set_new(firn_updater_object(u, "refs"), FIRN_MAIN_BRANCH,
                            firn_snapshot_ref_to_json(&u->refs.items[n_refs]));
    if (!json_is_object(json_object_get(u->doc, "properties")))
        u->m->properties = firn_updater_object(u, "properties");
}

static firn_rc start_from_base(firn_updater *u, firn_err *err)
{
    const firn_metadata *base = u->base;
    u->doc = firn_json_own(u->arena, json_copy(base->json));
    *u->m = *base;
    u->m->text = firn_metadata_text_share(base->text, u->arena);
    u->m->table_uuid = firn_arena_strdup(u->arena, base->table_uuid);
    u->m->location = firn_arena_strdup(u->arena, base->location);
    u->schema_id = base->schema->schema_id;
    u->spec_id = base->spec->spec_id;
    u->order_id = base->sort_order->order_id;
    u->snapshot_id = base->current_snapshot ? base->current_snapshot->snapshot_id : -1;
    FIRN_TRY(copy_layout(u, err));
    copy_snapshots(u);
    complete_lists(u);
    return FIRN_OK;
}

/* ---- uuid, version, location, properties, keys ---- */

static firn_rc assign_uuid(firn_updater *u, const json_t *update, const char *what, firn_err *err)
{
    const char *uuid = NULL;
    FIRN_TRY(firn_json_str(update, "uuid", what, &uuid, err));
    if (u->m->table_uuid && firn_streq(u->m->table_uuid, uuid))
        return FIRN_OK;
    u->m->table_uuid = firn_arena_strdup(u->arena, uuid);
    u->changed = true;
    return FIRN_OK;
}

static firn_rc upgrade_version(firn_updater *u, const json_t *update, const char *what,
                               firn_err *err)
{
    int32_t version = 0;
    FIRN_TRY(firn_json_i32(update, "format-version", what, &version, err));
    if (version > FIRN_FORMAT_VERSION_MAX)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot upgrade table to unsupported format version: v%d (supported: v%d)",
                  version, FIRN_FORMAT_VERSION_MAX);
    if (version < u->m->format_version)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot downgrade v%d table to v%d", u->m->format_version,
                  version);
    if (version == u->m->format_version)
        return FIRN_OK;
    u->m->format_version = version;
    if (!u->m->table_uuid) /* optional in v1 only */
        u->m->table_uuid = firn_uuid_new(u->arena);
    u->changed = true;
    return FIRN_OK;
}

static firn_rc set_location(firn_updater *u, const json_t *update, const char *what, firn_err *err)
{
    const char *location = NULL;
    FIRN_TRY(firn_json_str(update, "location", what, &location, err));
    if (*location == '\0')
        FIRN_FAIL(err, FIRN_E_INVALID, "%s: the location is empty", what);
    char *clean = firn_location_trimmed(u->arena, location);
    if (u->m->location && firn_streq(u->m->location, clean))
        return FIRN_OK;
    u->m->location = clean;
    u->changed = true;
    return FIRN_OK;
}

static firn_rc set_properties(firn_updater *u, const json_t *update, const char *what,
                              firn_err *err)
{
    /* "updated" is what the specification's first version called it. */
    const char *member = json_object_get(update, "updates") ? "updates" : "updated";
    if (!json_object_get(update, member))
        member = "updates";
    json_t *updates = NULL;
    FIRN_TRY(firn_json_object(update, member, what, &updates, err));
    const char *key;
    json_t *value;
    json_object_foreach(updates, key, value)
    {
        if (!json_is_string(value))
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: property '%s' is not a string", what, key);
    }
    json_object_foreach(updates, key, value)
    {
        json_t *old = json_object_get(u->m->properties, key);
        if (old && json_equal(old, value))
            continue;
        u->m->properties = firn_updater_object(u, "properties");
        json_object_set_new(u->m->properties, key, json_string(json_string_value(value)));
        u->changed = true;
    }
    return FIRN_OK;
}

static firn_rc remove_properties(firn_updater *u, const json_t *update, const char *what,
                                 firn_err *err)
{
    const char *member = json_object_get(update, "removals") ? "removals" : "removed";
    if (!json_object_get(update, member))
        member = "removals";
    json_t *keys = NULL;
    FIRN_TRY(firn_json_array(update, member, what, &keys, err));
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        if (!key)
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: %s holds something else than keys", what, member);
        if (!json_object_get(u->m->properties, key))
            continue;
        u->m->properties = firn_updater_object(u, "properties");
        json_object_del(u->m->properties, key);
        u->changed = true;
    }
    return FIRN_OK;
}

static size_t find_key(const json_t *keys, const char *key_id)
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(keys, i), "key-id"));
        if (id && firn_streq(id, key_id))
            return i;
    }
    return SIZE_MAX;
}

static firn_rc add_encryption_key(firn_updater *u, const json_t *update, const char *what,
                                  firn_err *err)
{
    json_t *key = NULL;
    const char *key_id = NULL, *material = NULL;
    FIRN_TRY(firn_json_object(update, "encryption-key", what, &key, err));
    FIRN_TRY(firn_json_str(key, "key-id", what, &key_id, err));
    FIRN_TRY(firn_json_str(key, "encrypted-key-metadata", what, &material, err));
    if (find_key(json_object_get(u->doc, "encryption-keys"), key_id) != SIZE_MAX)
        return FIRN_OK;
    json_array_append_new(firn_updater_list(u, "encryption-keys"), json_deep_copy(key));
    u->changed = true;
    return FIRN_OK;
}

static firn_rc remove_encryption_key(firn_updater *u, const json_t *update, const char *what,
                                     firn_err *err)
{
    const char *key_id = NULL;
    FIRN_TRY(firn_json_str(update, "key-id", what, &key_id, err));
    size_t at = find_key(json_object_get(u->doc, "encryption-keys"), key_id);
    if (at == SIZE_MAX)
        return FIRN_OK;
    json_array_remove(firn_updater_list(u, "encryption-keys"), at);
    u->changed = true;
    return FIRN_OK;
}

/* ---- dispatch ---- */

static const struct {
    const char *action;
    firn_update_fn *apply;
} actions[] = {
    {"assign-uuid", assign_uuid},
    {"upgrade-format-version", upgrade_version},
    {"add-schema", firn_update_add_schema_fn},
    {"set-current-schema", firn_update_set_schema_fn},
    {"add-spec", firn_update_add_spec_fn},
    {"set-default-spec", firn_update_set_spec_fn},
    {"add-sort-order", firn_update_add_order_fn},
    {"set-default-sort-order", firn_update_set_order_fn},
    {"add-snapshot", firn_update_add_snapshot_fn},
    {"set-snapshot-ref", firn_update_set_ref_fn},
    {"remove-snapshots", firn_update_remove_snapshots_fn},
    {"remove-snapshot-ref", firn_update_remove_ref_fn},
    {"set-location", set_location},
    {"set-properties", set_properties},
    {"remove-properties", remove_properties},
    {"set-statistics", firn_update_set_statistics_fn},
    {"remove-statistics", firn_update_remove_statistics_fn},
    {"set-partition-statistics", firn_update_set_partition_statistics_fn},
    {"remove-partition-statistics", firn_update_remove_partition_statistics_fn},
    {"remove-partition-specs", firn_update_remove_specs_fn},
    {"remove-schemas", firn_update_remove_schemas_fn},
    {"add-encryption-key", add_encryption_key},
    {"remove-encryption-key", remove_encryption_key},
};

enum { ACTIONS_COUNT = sizeof(actions) / sizeof(actions[0]) };

static firn_rc apply_one(firn_updater *u, const json_t *update, firn_err *err)
{
    const char *action = NULL;
    if (!json_is_object(update))
        FIRN_FAIL(err, FIRN_E_INVALID, "a table update is not a JSON object");
    FIRN_TRY(firn_json_str(update, "action", "table update", &action, err));
    for (size_t i = 0; i < ACTIONS_COUNT; i++) {
        if (firn_strcaseeq(actions[i].action, action))
            return actions[i].apply(
                u, update, firn_arena_printf(u->arena, "table update %s", actions[i].action), err);
    }
    FIRN_FAIL(err, FIRN_E_INVALID, "Cannot convert metadata update action to json: %.100s", action);
}

/* ---- finish ---- */

static firn_rc complete_new_table(firn_updater *u, firn_err *err)
{
    static const firn_partition_spec unpartitioned;
    static const firn_sort_order unsorted;
    if (u->schemas.len == 0)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot create table: no schema was added (send add-schema and "
                  "set-current-schema)");
    if (!u->m->location)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot create table: no location was set (set-location)");
    if (!u->m->table_uuid)
        u->m->table_uuid = firn_uuid_new(u->arena);
    if (u->specs.len == 0)
        FIRN_TRY(firn_updater_add_spec(u, &unpartitioned, err));
    if (u->sort_orders.len == 0)
        FIRN_TRY(firn_updater_add_order(u, &unsorted, err));
    return FIRN_OK;
}

/* Point the view's lists at what was built, and find the current ones. */
static firn_rc finish_view(firn_updater *u, firn_err *err)
{
    firn_metadata *m = u->m;
    m->json = u->doc;
    m->schemas = u->schemas.items;
    m->n_schemas = u->schemas.len;
    m->specs = u->specs.items;
    m->n_specs = u->specs.len;
    m->sort_orders = u->sort_orders.items;
    m->n_sort_orders = u->sort_orders.len;
    m->refs = u->refs.items;
    m->n_refs = u->refs.len;
    m->snapshot_log = u->snapshot_log.items;
    m->n_snapshot_log = u->snapshot_log.len;
    m->metadata_log = u->metadata_log.items;
    m->n_metadata_log = u->metadata_log.len;
    m->current_snapshot = firn_updater_snapshot(u, u->snapshot_id);
    m->snapshots = u->snapshots.items;
    m->n_snapshots = u->snapshots.len;
    m->index = u->index;
    m->schema = firn_metadata_schema(m, u->schema_id);
    m->spec = firn_metadata_spec(m, u->spec_id);
    m->sort_order = firn_metadata_sort_order(m, u->order_id);
    if (!m->schema)
        FIRN_FAIL(err, FIRN_E_INVALID, "the current schema %d was never added (add-schema)",
                  u->schema_id);
    if (!m->spec)
        FIRN_FAIL(err, FIRN_E_INVALID, "the default partition spec %d was never added (add-spec)",
                  u->spec_id);
    if (!m->sort_order)
        FIRN_FAIL(err, FIRN_E_INVALID, "the default sort order %d was never added (add-sort-order)",
                  u->order_id);
    return FIRN_OK;
}

/* v1 readers know only the current schema and the default spec's fields, under their old names. */
static void mirror_v1_members(firn_updater *u)
{
    const json_t *schemas = json_object_get(u->doc, "schemas");
    for (size_t i = 0; i < json_array_size(schemas); i++) {
        json_t *schema = json_array_get(schemas, i);
        if (json_integer_value(json_object_get(schema, "schema-id")) == u->schema_id)
            json_object_set(u->doc, "schema", schema);
    }
    json_object_set_new(u->doc, "partition-spec", firn_partition_fields_to_json(u->m->spec));
    json_object_del(u->doc, "last-sequence-number");
}

static void finish_document(firn_updater *u)
{
    const firn_metadata *m = u->m;
    set_i64(u, "format-version", m->format_version);
    json_object_set_new(u->doc, "table-uuid",
                        m->table_uuid ? json_string(m->table_uuid) : json_null());
    json_object_set_new(u->doc, "location", json_string(m->location));
    set_i64(u, "last-sequence-number", m->last_sequence_number);
    set_i64(u, "last-updated-ms", m->last_updated_ms);
    set_i64(u, "last-column-id", m->last_column_id);
    set_i64(u, "current-schema-id", u->schema_id);
    set_i64(u, "default-spec-id", u->spec_id);
    set_i64(u, "last-partition-id", m->last_partition_id);
    set_i64(u, "default-sort-order-id", u->order_id);
    if (u->snapshot_id < 0 && m->format_version >= 3)
        json_object_set_new(u->doc, "current-snapshot-id", json_null());
    else
        set_i64(u, "current-snapshot-id", u->snapshot_id < 0 ? -1 : u->snapshot_id);
    if (m->format_version >= 3)
        set_i64(u, "next-row-id", m->next_row_id);
    else
        json_object_del(u->doc, "next-row-id");
    if (m->format_version == 1) {
        mirror_v1_members(u);
    } else {
        json_object_del(u->doc, "schema");
        json_object_del(u->doc, "partition-spec");
    }
    static const char *const lists[] = {"snapshots", "snapshot-log", "metadata-log"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (!json_is_array(json_object_get(u->doc, lists[i])))
            firn_updater_list(u, lists[i]);
    }
    if (!json_is_object(json_object_get(u->doc, "refs")))
        firn_updater_object(u, "refs");
}

static firn_rc finish(firn_updater *u, firn_err *err)
{
    if (!u->base)
        FIRN_TRY(complete_new_table(u, err));
    u->m->last_updated_ms = u->now_ms;
    FIRN_TRY(firn_updater_finish_logs(u, err));
    FIRN_TRY(finish_view(u, err));
    if (u->layout_changed) {
        FIRN_TRY(firn_partition_spec_check(u->m->spec, u->m->schema, err));
        FIRN_TRY(firn_sort_order_check(u->m->sort_order, u->m->schema, err));
    }
    finish_document(u);
    return FIRN_OK;
}

/* ---- the whole ---- */

/* A new table starts in the version it is upgraded to, so that no rule of an older one stands in the way. */
static void pick_version(firn_updater *u, const json_t *updates)
{
    for (size_t i = 0; i < json_array_size(updates); i++) {
        const json_t *update = json_array_get(updates, i);
        const char *action = json_string_value(json_object_get(update, "action"));
        json_int_t version = json_integer_value(json_object_get(update, "format-version"));
        if (action && firn_strcaseeq(action, "upgrade-format-version") && version >= 1 &&
            version <= FIRN_FORMAT_VERSION_MAX)
            u->m->format_version = (int)version;
    }
}

/* A clock that runs behind the one that made the base must not turn time back. */
static int64_t pick_time(const firn_metadata *base, const firn_update_options *options)
{
    if (options && options->now_ms != 0)
        return options->now_ms;
    int64_t now_ms = firn_now_ms();
    return base && base->last_updated_ms > now_ms ? base->last_updated_ms : now_ms;
}

static firn_rc apply_all(firn_updater *u, const json_t *updates, firn_err *err)
{
    if (u->base)
        FIRN_TRY(start_from_base(u, err));
    else
        start_empty(u);
    if (!u->base)
        pick_version(u, updates);
    for (size_t i = 0; i < json_array_size(updates); i++)
        FIRN_TRY(apply_one(u, json_array_get(updates, i), err));
    return u->changed || !u->base ? finish(u, err) : FIRN_OK;
}

firn_rc firn_updates_apply(firn_arena *arena, const firn_metadata *base, const json_t *updates,
                           const firn_update_options *options, firn_metadata **out, firn_err *err)
{
    if (!json_is_array(updates))
        FIRN_FAIL(err, FIRN_E_INVALID, "table updates are not a JSON array");
    firn_updater u = {
        .arena = arena,
        .base = base,
        .options = options,
        .now_ms = pick_time(base, options),
        .m = FIRN_NEW(arena, firn_metadata),
        .last_schema_id = -1,
        .last_spec_id = -1,
        .last_order_id = -1,
        .added_snapshots = firn_imap_new(arena),
    };
    firn_rc rc = apply_all(&u, updates, err);
    if (rc == FIRN_E_CORRUPT) { /* malformed here means malformed in the request, not on storage */
        if (err)
            err->code = FIRN_E_INVALID;
        return FIRN_E_INVALID;
    }
    if (rc != FIRN_OK)
        return rc;
    *out = u.changed || !base ? u.m : (firn_metadata *)base;
    return FIRN_OK;
}
