/* What became of a request whose answer says nothing: a 5xx, or none at all.
 *
 * Looking is not proof. That a change is there proves that it was made; that it is not there proves nothing, for the server
 * may still be at it. Only when the state has moved on in a way that rules the request out (its requirements fail now, and
 * nothing of it is in the history since) is it known never to come. All else stays unknown, and then files stay.
 */
#include "remote/remote.h"

#include "base/time.h"
#include "iceberg/update.h"

static const int64_t WAITS_MS[] = {0, 200, 1000, 3000};

/* ---- tables ----------------------------------------------------------------------------------- */

static const firn_snapshot *snapshot_of(const firn_metadata *metadata, int64_t id)
{
    for (size_t i = 0; i < metadata->n_snapshots; i++) {
        if (metadata->snapshots[i].snapshot_id == id) {
            return &metadata->snapshots[i];
        }
    }
    return NULL;
}

static bool is_type(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && firn_streq(value, text);
}

/* The ref has moved off the snapshot that it had to be at, over a line of snapshots that is whole. Without a snapshot to begin
 * at (-1) no line can be known to be whole: servers that keep only the latest snapshots show short ones. */
static bool has_moved_on(const firn_metadata *now, const char *ref, int64_t base)
{
    int64_t at = -1;
    for (size_t i = 0; i < now->n_refs; i++) {
        at = firn_streq(now->refs[i].name, ref) ? now->refs[i].snapshot_id : at;
    }
    if (at == -1 && firn_streq(ref, FIRN_MAIN) && now->current_snapshot) {
        at = now->current_snapshot->snapshot_id;
    }
    if (at == base || base == -1) {
        return false;
    }
    for (size_t steps = 0; at != base && steps <= now->n_snapshots; steps++) {
        const firn_snapshot *snapshot = at != -1 ? snapshot_of(now, at) : NULL;
        if (!snapshot) {
            return false; /* rolled back, or part of the line has expired */
        }
        at = snapshot->parent_id;
    }
    return at == base;
}

/* The snapshot, or one that was built on it. */
static bool is_known(const firn_metadata *metadata, int64_t id)
{
    for (size_t i = 0; i < metadata->n_snapshots; i++) {
        if (metadata->snapshots[i].snapshot_id == id || metadata->snapshots[i].parent_id == id) {
            return true;
        }
    }
    return false;
}

static firn_outcome judge_snapshots(const firn_metadata *now, const json_t *requirements,
                                    const json_t *updates, size_t n_added)
{
    size_t there = 0;
    for (size_t i = 0; i < json_array_size(updates); i++) {
        const json_t *update = json_array_get(updates, i);
        const json_t *id = json_object_get(json_object_get(update, "snapshot"), "snapshot-id");
        there += is_type(update, "action", "add-snapshot") && is_known(now, json_integer_value(id));
    }
    if (there > 0) {
        return there == n_added ? FIRN_OUTCOME_DONE : FIRN_OUTCOME_UNKNOWN;
    }
    for (size_t i = 0; i < json_array_size(requirements); i++) {
        const json_t *r = json_array_get(requirements, i);
        const char *ref = json_string_value(json_object_get(r, "ref"));
        const json_t *id = json_object_get(r, "snapshot-id");
        if (ref && is_type(r, "type", "assert-ref-snapshot-id") &&
            has_moved_on(now, ref, json_is_integer(id) ? json_integer_value(id) : -1)) {
            return FIRN_OUTCOME_NEVER;
        }
    }
    return FIRN_OUTCOME_UNKNOWN;
}

firn_outcome firn_remote_judge(const firn_metadata *now, const json_t *requirements,
                               const json_t *updates)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t n_added = 0;
    for (size_t i = 0; i < json_array_size(requirements); i++) {
        const json_t *r = json_array_get(requirements, i);
        if (is_type(r, "type", "assert-table-uuid") && now->table_uuid &&
            !is_type(r, "uuid", now->table_uuid)) {
            return FIRN_OUTCOME_UNKNOWN; /* another table by now; ours may have had it or not */
        }
    }
    for (size_t i = 0; i < json_array_size(updates); i++) {
        n_added += is_type(json_array_get(updates, i), "action", "add-snapshot");
    }
    if (n_added > 0) {
        return judge_snapshots(now, requirements, updates, n_added);
    }
    /* Updates that change nothing any more have been made. */
    firn_metadata *after;
    firn_update_options options = {0};
    return firn_updates_apply(arena, now, updates, &options, &after, NULL) == FIRN_OK &&
                   after == now
               ? FIRN_OUTCOME_DONE
               : FIRN_OUTCOME_UNKNOWN;
}

static const char *uuid_of(const json_t *updates)
{
    for (size_t i = 0; i < json_array_size(updates); i++) {
        const json_t *update = json_array_get(updates, i);
        if (is_type(update, "action", "assign-uuid")) {
            return json_string_value(json_object_get(update, "uuid"));
        }
    }
    return NULL;
}

static firn_outcome look_at_table(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                  const firn_change *change, const json_t *requirements)
{
    firn_table table;
    firn_remote_forget(catalog->remote, ref, change->ident);
    if (firn_remote_table_load(catalog, arena, ref, change->ident, &table, NULL) != FIRN_OK) {
        return FIRN_OUTCOME_UNKNOWN;
    }
    if (change->kind == FIRN_CHANGE_UPDATE_TABLE) {
        return firn_remote_judge(table.metadata, requirements, change->updates);
    }
    if (change->kind == FIRN_CHANGE_REGISTER_TABLE) {
        return firn_streq(table.entry.location, change->location) ? FIRN_OUTCOME_DONE
               : change->replace                                  ? FIRN_OUTCOME_UNKNOWN
                                                                  : FIRN_OUTCOME_NEVER;
    }
    const char *ours = uuid_of(change->updates);
    if (!ours || !table.metadata->table_uuid) {
        return FIRN_OUTCOME_UNKNOWN;
    }
    return firn_streq(ours, table.metadata->table_uuid) ? FIRN_OUTCOME_DONE : FIRN_OUTCOME_NEVER;
}

/* ---- the rest --------------------------------------------------------------------------------- */

typedef enum presence { MAYBE, THERE, ABSENT } presence;

static presence find_entry(firn_catalog *catalog, firn_arena *arena, const char *ref,
                           firn_ident ident)
{
    const firn_remote_config *config;
    firn_catalog_entry entry;
    if (firn_remote_config_of(catalog->remote, arena, ref, &config, NULL) != FIRN_OK) {
        return MAYBE;
    }
    if (firn_remote_has(config, FIRN_REMOTE_TABLE_EXISTS)) {
        firn_http_reply reply;
        const firn_remote_call call = {.method = "HEAD",
                                       .path = firn_remote_path(config, arena, ident, "tables")};
        if (firn_remote_do(catalog->remote, config, arena, &call, &reply, NULL) == FIRN_OK &&
            firn_remote_is_success(&reply)) {
            return THERE;
        }
    }
    firn_remote_forget(catalog->remote, ref, ident);
    firn_rc rc = firn_remote_entry_get(catalog, arena, ref, ident, &entry, NULL);
    return rc == FIRN_OK ? THERE : rc == FIRN_E_NO_TABLE ? ABSENT : MAYBE;
}

/* The queries of a view's current version. */
static const json_t *queries_of(const json_t *document)
{
    json_int_t id = json_integer_value(json_object_get(document, "current-version-id"));
    const json_t *versions = json_object_get(document, "versions");
    for (size_t i = 0; i < json_array_size(versions); i++) {
        const json_t *version = json_array_get(versions, i);
        if (json_integer_value(json_object_get(version, "version-id")) == id) {
            return json_object_get(version, "representations");
        }
    }
    return NULL;
}

static firn_outcome look_at_view(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                 const firn_change *change)
{
    firn_catalog_entry entry;
    json_t *view;
    const json_t *wanted = change->document ? queries_of(change->document) : NULL;
    for (size_t i = 0; i < json_array_size(change->updates); i++) {
        const json_t *update = json_array_get(change->updates, i);
        if (is_type(update, "action", "add-view-version")) {
            wanted = json_object_get(json_object_get(update, "view-version"), "representations");
        }
    }
    if (!wanted ||
        firn_remote_view_load(catalog, arena, ref, change->ident, &entry, &view, NULL) != FIRN_OK) {
        return FIRN_OUTCOME_UNKNOWN;
    }
    return json_equal(wanted, queries_of(view)) ? FIRN_OUTCOME_DONE : FIRN_OUTCOME_UNKNOWN;
}

static firn_outcome look_at_namespace(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                      const firn_change *change)
{
    json_t *properties;
    firn_rc rc =
        firn_remote_namespace_properties(catalog, arena, ref, change->ident.ns, &properties, NULL);
    if (change->kind == FIRN_CHANGE_DROP_NAMESPACE) {
        return rc == FIRN_E_NO_NAMESPACE ? FIRN_OUTCOME_DONE : FIRN_OUTCOME_UNKNOWN;
    }
    if (rc != FIRN_OK) {
        return FIRN_OUTCOME_UNKNOWN;
    }
    const char *key;
    json_t *value;
    json_object_foreach(change->document, key, value)
    {
        const json_t *now = json_object_get(properties, key);
        if (json_is_null(value) ? now != NULL : !json_equal(now, value)) {
            return FIRN_OUTCOME_UNKNOWN;
        }
    }
    return FIRN_OUTCOME_DONE;
}

static firn_outcome look(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         const firn_change *change, const json_t *requirements)
{
    bool done = false;
    switch (change->kind) {
    case FIRN_CHANGE_CREATE_TABLE:
    case FIRN_CHANGE_UPDATE_TABLE:
    case FIRN_CHANGE_REGISTER_TABLE:
        return look_at_table(catalog, arena, ref, change, requirements);
    case FIRN_CHANGE_DROP_TABLE:
    case FIRN_CHANGE_DROP_VIEW:
        done = find_entry(catalog, arena, ref, change->ident) == ABSENT;
        break;
    case FIRN_CHANGE_RENAME_TABLE:
    case FIRN_CHANGE_RENAME_VIEW:
        done = find_entry(catalog, arena, ref, change->ident) == ABSENT &&
               find_entry(catalog, arena, ref, change->to) == THERE;
        break;
    case FIRN_CHANGE_REGISTER_VIEW:
        done = find_entry(catalog, arena, ref, change->ident) == THERE;
        break;
    case FIRN_CHANGE_PUT_VIEW:
    case FIRN_CHANGE_CREATE_VIEW:
    case FIRN_CHANGE_UPDATE_VIEW: return look_at_view(catalog, arena, ref, change);
    case FIRN_CHANGE_CREATE_NAMESPACE:
    case FIRN_CHANGE_DROP_NAMESPACE:
    case FIRN_CHANGE_SET_NAMESPACE_PROPERTIES:
        return look_at_namespace(catalog, arena, ref, change);
    }
    return done ? FIRN_OUTCOME_DONE : FIRN_OUTCOME_UNKNOWN;
}

firn_outcome firn_remote_settle(firn_catalog *catalog, const char *ref, const firn_change *change,
                                const json_t *requirements)
{
    firn_outcome outcome = FIRN_OUTCOME_UNKNOWN;
    for (size_t i = 0; i < sizeof(WAITS_MS) / sizeof(WAITS_MS[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_sleep_ms(WAITS_MS[i]);
        outcome = look(catalog, arena, ref, change, requirements);
        if (outcome != FIRN_OUTCOME_UNKNOWN) {
            break;
        }
    }
    return outcome;
}
