/* Applying view updates: see iceberg/view_update.h for the rules.
 *
 * A deep copy of the base -> one function per update -> finish. Documents are small (a few versions of query text), so nothing is
 * shared with the base.
 */
#include "iceberg/view_update.h"

#include "metadata_private.h"
#include "schema_private.h"
#include "view_private.h"

#include "base/map.h"
#include "base/time.h"
#include "base/uuid.h"
#include "base/vec.h"

enum { LAST_ADDED = -1, VIEW_ID_MAX = INT32_MAX - 1 };

typedef struct view_updater {
    firn_arena *arena;
    json_t *doc;
    const json_t *previous; /* the base's current version; NULL: a new view */
    int64_t now_ms;
    int32_t last_schema_id;  /* LAST_ADDED: none was added */
    int32_t last_version_id; /* LAST_ADDED: none was added */
    FIRN_VEC(int64_t) added; /* ids of versions that were not there before */
    json_t *log_entry;       /* of the version that became current; nullable, owned by the arena */
    bool changed;
} view_updater;

typedef firn_rc view_update_fn(view_updater *u, const json_t *update, const char *what,
                               firn_err *err);

static json_t *member(view_updater *u, const char *key, json_t *(*make)(void))
{
    json_t *found = json_object_get(u->doc, key);
    if (!found) {
        found = make();
        json_object_set_new(u->doc, key, found);
    }
    return found;
}

static bool was_added(const view_updater *u, int64_t version_id)
{
    for (size_t i = 0; i < u->added.len; i++) {
        if (u->added.items[i] == version_id) {
            return true;
        }
    }
    return false;
}

/* ---- uuid, format version, location, properties ------------------------------------------------- */

static firn_rc assign_uuid(view_updater *u, const json_t *update, const char *what, firn_err *err)
{
    const char *uuid = NULL;
    uint8_t bytes[16];
    FIRN_TRY(firn_json_str(update, "uuid", what, &uuid, err));
    const char *old = json_string_value(json_object_get(u->doc, "view-uuid"));
    if (old && firn_streq(old, uuid)) {
        return FIRN_OK;
    }
    if (old) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot reassign uuid");
    }
    if (!firn_uuid_parse(uuid, bytes)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s: \"%.64s\" is not a UUID", what, uuid);
    }
    json_object_set_new(u->doc, "view-uuid", json_string(uuid));
    u->changed = true;
    return FIRN_OK;
}

static firn_rc upgrade_version(view_updater *u, const json_t *update, const char *what,
                               firn_err *err)
{
    int32_t version = 0;
    (void)u;
    FIRN_TRY(firn_json_i32(update, "format-version", what, &version, err));
    if (version < FIRN_VIEW_FORMAT_VERSION) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot downgrade v%d view to v%d", FIRN_VIEW_FORMAT_VERSION,
                  version);
    }
    if (version > FIRN_VIEW_FORMAT_VERSION) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Unsupported format version: %d", version);
    }
    return FIRN_OK;
}

static firn_rc set_location(view_updater *u, const json_t *update, const char *what, firn_err *err)
{
    const char *text = NULL;
    FIRN_TRY(firn_json_str(update, "location", what, &text, err));
    char *location = firn_location_trimmed(u->arena, text);
    if (!location[0]) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s: the location is empty", what);
    }
    const char *old = json_string_value(json_object_get(u->doc, "location"));
    if (old && firn_streq(old, location)) {
        return FIRN_OK;
    }
    json_object_set_new(u->doc, "location", json_string(location));
    u->changed = true;
    return FIRN_OK;
}

/* `name`, or what the specification's first version called it. */
static const char *either(const json_t *update, const char *name, const char *old_name)
{
    return !json_object_get(update, name) && json_object_get(update, old_name) ? old_name : name;
}

static firn_rc set_properties(view_updater *u, const json_t *update, const char *what,
                              firn_err *err)
{
    json_t *updates = NULL;
    FIRN_TRY(firn_json_object(update, either(update, "updates", "updated"), what, &updates, err));
    const char *key;
    json_t *value;
    json_object_foreach(updates, key, value)
    {
        if (!json_is_string(value)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: property '%s' is not a string", what, key);
        }
    }
    json_t *properties = member(u, "properties", json_object);
    json_object_foreach(updates, key, value)
    {
        json_t *old = json_object_get(properties, key);
        if (!old || !json_equal(old, value)) {
            json_object_set_new(properties, key, json_deep_copy(value));
            u->changed = true;
        }
    }
    return FIRN_OK;
}

static firn_rc remove_properties(view_updater *u, const json_t *update, const char *what,
                                 firn_err *err)
{
    json_t *keys = NULL;
    size_t i;
    json_t *key;
    FIRN_TRY(firn_json_array(update, either(update, "removals", "removed"), what, &keys, err));
    json_array_foreach(keys, i, key)
    {
        if (!json_is_string(key)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: a property to remove is not named by a string",
                      what);
        }
    }
    json_t *properties = json_object_get(u->doc, "properties");
    json_array_foreach(keys, i, key)
    {
        if (json_object_get(properties, json_string_value(key))) {
            json_object_del(properties, json_string_value(key));
            u->changed = true;
        }
    }
    return FIRN_OK;
}

/* ---- schemas ------------------------------------------------------------------------------------ */

static firn_rc next_id(const json_t *list, const char *key, int64_t first, int32_t *out,
                       firn_err *err)
{
    int64_t next = first;
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        int64_t id = json_integer_value(json_object_get(item, key));
        next = id >= next ? id + 1 : next;
    }
    if (next < 0 || next > VIEW_ID_MAX) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the view has run out of numbers for its %ss", key);
    }
    *out = (int32_t)next;
    return FIRN_OK;
}

static firn_rc same_schema(view_updater *u, const firn_schema *schema, bool *found, int32_t *id,
                           firn_err *err)
{
    const json_t *schemas = json_object_get(u->doc, "schemas");
    size_t i;
    const json_t *item;
    *found = false;
    json_array_foreach(schemas, i, item)
    {
        firn_schema *there = NULL;
        FIRN_TRY(firn_schema_from_json(u->arena, item, "view schema", &there, err));
        if (firn_schema_same(there, schema)) {
            *found = true;
            *id = there->schema_id;
            return FIRN_OK;
        }
    }
    return FIRN_OK;
}

static firn_rc add_schema(view_updater *u, const json_t *update, const char *what, firn_err *err)
{
    json_t *json = NULL;
    firn_schema *schema = NULL;
    bool found;
    FIRN_TRY(firn_json_object(update, "schema", what, &json, err));
    json = firn_json_own(u->arena, json_deep_copy(json));
    FIRN_TRY(firn_schema_from_json(u->arena, json, what, &schema, err));
    FIRN_TRY(same_schema(u, schema, &found, &u->last_schema_id, err));
    if (found) {
        return FIRN_OK;
    }
    json_t *schemas = member(u, "schemas", json_array);
    FIRN_TRY(next_id(schemas, "schema-id", 0, &u->last_schema_id, err));
    json_object_set_new(json, "schema-id", json_integer(u->last_schema_id));
    json_array_append(schemas, json);
    u->changed = true;
    return FIRN_OK;
}

static bool has_schema(const view_updater *u, int32_t id)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(u->doc, "schemas"), i, item)
    {
        if (json_integer_value(json_object_get(item, "schema-id")) == id) {
            return true;
        }
    }
    return false;
}

/* ---- versions ----------------------------------------------------------------------------------- */

/* One query per dialect, of the one type that there is. */
static firn_rc check_queries(view_updater *u, const json_t *version, firn_err *err)
{
    const json_t *list = json_object_get(version, "representations");
    firn_map *dialects = firn_map_new(u->arena);
    size_t i;
    const json_t *item;
    if (json_array_size(list) == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Invalid view version: it has no query");
    }
    json_array_foreach(list, i, item)
    {
        const char *type = json_string_value(json_object_get(item, "type"));
        const json_t *sql = json_object_get(item, "sql");
        if (!firn_streq(type, "sql")) {
            FIRN_FAIL(err, FIRN_E_INVALID, "Found unsupported view representations: [%.64s]", type);
        }
        const char *dialect =
            firn_str_lower(u->arena, json_string_value(json_object_get(item, "dialect")));
        if (firn_map_has(dialects, dialect)) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Invalid view version: Cannot add multiple queries for dialect %.64s",
                      dialect);
        }
        firn_map_put(dialects, dialect, u);
        if (json_string_length(sql) > FIRN_VIEW_SQL_BYTES_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "the view's query has %zu bytes; at most %d are taken",
                      json_string_length(sql), FIRN_VIEW_SQL_BYTES_MAX);
        }
    }
    return FIRN_OK;
}

/* Absent and null are the same. */
static bool same_member(const json_t *a, const json_t *b, const char *key)
{
    const json_t *of_a = json_object_get(a, key);
    const json_t *of_b = json_object_get(b, key);
    of_a = json_is_null(of_a) ? NULL : of_a;
    of_b = json_is_null(of_b) ? NULL : of_b;
    return of_a == of_b || (of_a && of_b && json_equal(of_a, of_b));
}

/* Would the two act the same? Ids and times aside. */
static bool same_version(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"summary", "representations", "default-catalog",
                                       "default-namespace", "schema-id"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!same_member(a, b, keys[i])) {
            return false;
        }
    }
    return true;
}

static firn_rc resolve_schema(view_updater *u, json_t *version, firn_err *err)
{
    int32_t id = (int32_t)json_integer_value(json_object_get(version, "schema-id"));
    if (id == LAST_ADDED) {
        if (u->last_schema_id == LAST_ADDED) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot set last added schema: no schema has been added");
        }
        id = u->last_schema_id;
        json_object_set_new(version, "schema-id", json_integer(id));
    }
    if (!has_schema(u, id)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add version with unknown schema: %d", id);
    }
    return FIRN_OK;
}

static firn_rc add_version(view_updater *u, const json_t *update, const char *what, firn_err *err)
{
    json_t *version = NULL;
    FIRN_TRY(firn_json_object(update, "view-version", what, &version, err));
    FIRN_TRY(firn_view_version_check(version, what, err));
    version = firn_json_own(u->arena, json_deep_copy(version));
    FIRN_TRY(resolve_schema(u, version, err));
    FIRN_TRY(check_queries(u, version, err));
    json_t *versions = member(u, "versions", json_array);
    size_t i;
    const json_t *item;
    json_array_foreach(versions, i, item)
    {
        if (same_version(item, version)) {
            u->last_version_id = (int32_t)json_integer_value(json_object_get(item, "version-id"));
            return FIRN_OK;
        }
    }
    int64_t wanted = json_integer_value(json_object_get(version, "version-id"));
    FIRN_TRY(next_id(versions, "version-id", wanted > 0 ? wanted : 1, &u->last_version_id, err));
    json_object_set_new(version, "version-id", json_integer(u->last_version_id));
    json_array_append(versions, version);
    firn_vec_push(u->arena, &u->added, u->last_version_id);
    u->changed = true;
    return FIRN_OK;
}

static firn_rc set_current_version(view_updater *u, const json_t *update, const char *what,
                                   firn_err *err)
{
    int32_t id = 0;
    FIRN_TRY(firn_json_i32(update, "view-version-id", what, &id, err));
    if (id == LAST_ADDED && u->last_version_id == LAST_ADDED) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot set last version id: no current version id has been set");
    }
    id = id == LAST_ADDED ? u->last_version_id : id;
    const json_t *version = firn_view_version(u->doc, id);
    if (!version) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set current version to unknown version: %d", id);
    }
    const json_t *current = json_object_get(u->doc, "current-version-id");
    if (current && json_integer_value(current) == id) {
        return FIRN_OK;
    }
    json_object_set_new(u->doc, "current-version-id", json_integer(id));
    /* A version that was there before becomes current now, a new one when it was made. */
    json_int_t when = was_added(u, id)
                          ? json_integer_value(json_object_get(version, "timestamp-ms"))
                          : (json_int_t)u->now_ms;
    u->log_entry =
        firn_json_own(u->arena, json_pack("{s:I, s:i}", "timestamp-ms", when, "version-id", id));
    u->changed = true;
    return FIRN_OK;
}

/* ---- dispatch ----------------------------------------------------------------------------------- */

static const struct {
    const char *action;
    view_update_fn *apply;
} actions[] = {
    {"assign-uuid", assign_uuid},       {"upgrade-format-version", upgrade_version},
    {"add-schema", add_schema},         {"set-location", set_location},
    {"set-properties", set_properties}, {"remove-properties", remove_properties},
    {"add-view-version", add_version},  {"set-current-view-version", set_current_version},
};

static firn_rc apply_one(view_updater *u, const json_t *update, firn_err *err)
{
    const char *action = NULL;
    if (!json_is_object(update)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "a view update is not a JSON object");
    }
    FIRN_TRY(firn_json_str(update, "action", "view update", &action, err));
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (firn_strcaseeq(actions[i].action, action)) {
            return actions[i].apply(
                u, update, firn_arena_printf(u->arena, "view update %s", actions[i].action), err);
        }
    }
    FIRN_FAIL(err, FIRN_E_INVALID, "Cannot apply update %.100s to a view", action);
}

static firn_rc finish(view_updater *u, firn_err *err)
{
    if (!json_is_string(json_object_get(u->doc, "location"))) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Invalid location: null");
    }
    if (json_array_size(json_object_get(u->doc, "versions")) == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Invalid view: no versions were added");
    }
    if (!json_object_get(u->doc, "current-version-id")) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Invalid view: no version was made current (set-current-view-version)");
    }
    if (!json_is_string(json_object_get(u->doc, "view-uuid"))) {
        json_object_set_new(u->doc, "view-uuid", json_string(firn_uuid_new(u->arena)));
    }
    json_t *log = member(u, "version-log", json_array);
    if (u->log_entry) {
        json_array_append(log, u->log_entry);
    }
    FIRN_TRY(firn_view_keeps_dialects(u->arena, u->doc, u->previous, err));
    return firn_view_forget_versions(u->arena, u->doc, u->added.len, err);
}

static firn_rc apply_all(view_updater *u, const json_t *updates, firn_err *err)
{
    size_t i;
    const json_t *update;
    json_array_foreach(updates, i, update)
    {
        FIRN_TRY(apply_one(u, update, err));
    }
    return u->changed ? finish(u, err) : FIRN_OK;
}

/* A new document gets its members in the order that people know from other engines' files. */
static json_t *empty_document(void)
{
    json_t *doc = json_object();
    json_object_set_new(doc, "view-uuid", json_null());
    json_object_set_new(doc, "format-version", json_integer(FIRN_VIEW_FORMAT_VERSION));
    json_object_set_new(doc, "location", json_null());
    json_object_set_new(doc, "properties", json_object());
    json_object_set_new(doc, "schemas", json_array());
    return doc;
}

/* What was malformed came with the request and is not stored anywhere. */
static firn_rc as_request(firn_rc rc, firn_err *err)
{
    if (rc != FIRN_E_CORRUPT) {
        return rc;
    }
    if (err) {
        err->code = FIRN_E_INVALID;
    }
    return FIRN_E_INVALID;
}

firn_rc firn_view_updates_apply(firn_arena *arena, const json_t *base, const json_t *updates,
                                int64_t now_ms, json_t **out, firn_err *err)
{
    if (!json_is_array(updates)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "view updates are not a JSON array");
    }
    if (base) {
        FIRN_TRY(firn_view_check(arena, base, "view metadata", err));
    }
    view_updater u = {
        .arena = arena,
        .doc = firn_json_own(arena, base ? json_deep_copy(base) : empty_document()),
        .previous = base ? firn_view_version(base, json_integer_value(
                                                       json_object_get(base, "current-version-id")))
                         : NULL,
        .now_ms = now_ms ? now_ms : firn_now_ms(),
        .last_schema_id = LAST_ADDED,
        .last_version_id = LAST_ADDED,
        .changed = base == NULL,
    };
    FIRN_TRY(as_request(apply_all(&u, updates, err), err));
    *out = u.changed ? u.doc : (json_t *)base;
    return FIRN_OK;
}

/* ---- creating ----------------------------------------------------------------------------------- */

json_t *firn_view_create_updates(const char *location, const json_t *schema,
                                 const json_t *view_version, const json_t *properties)
{
    json_t *updates = json_array();
    json_t *version = json_copy((json_t *)view_version);
    json_object_set_new(version, "schema-id", json_integer(LAST_ADDED));
    if (location) {
        json_array_append_new(
            updates, json_pack("{s:s, s:s}", "action", "set-location", "location", location));
    }
    json_array_append_new(updates,
                          json_pack("{s:s, s:O}", "action", "add-schema", "schema", schema));
    json_array_append_new(
        updates, json_pack("{s:s, s:o}", "action", "add-view-version", "view-version", version));
    json_array_append_new(updates, json_pack("{s:s, s:i}", "action", "set-current-view-version",
                                             "view-version-id", LAST_ADDED));
    if (properties) {
        json_array_append_new(
            updates, json_pack("{s:s, s:O}", "action", "set-properties", "updates", properties));
    }
    return updates;
}

/* ---- requirements ------------------------------------------------------------------------------- */

static firn_rc check_requirement(const json_t *requirement, const json_t *base, firn_err *err)
{
    const char *type = NULL;
    const char *uuid = NULL;
    if (!json_is_object(requirement)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "an update requirement is not a JSON object");
    }
    FIRN_TRY(firn_json_str(requirement, "type", "update requirement", &type, err));
    if (firn_strcaseeq(type, "assert-create")) {
        if (base) {
            FIRN_FAIL(err, FIRN_E_CONFLICT, "Requirement failed: view already exists");
        }
        return FIRN_OK;
    }
    if (!firn_strcaseeq(type, "assert-view-uuid")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot validate %.100s against a view", type);
    }
    FIRN_TRY(firn_json_str(requirement, "uuid", "assert-view-uuid", &uuid, err));
    const char *actual = json_string_value(json_object_get(base, "view-uuid"));
    if (!actual || !firn_strcaseeq(actual, uuid)) {
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Requirement failed: view UUID does not match: expected %s != %s",
                  actual ? actual : "null", uuid);
    }
    return FIRN_OK;
}

firn_rc firn_view_requirements_check(const json_t *requirements, const json_t *base, firn_err *err)
{
    size_t i;
    const json_t *requirement;
    if (!json_is_array(requirements)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "update requirements are not a JSON array");
    }
    json_array_foreach(requirements, i, requirement)
    {
        FIRN_TRY(as_request(check_requirement(requirement, base, err), err));
    }
    return FIRN_OK;
}
