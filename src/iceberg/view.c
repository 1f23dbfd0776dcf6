/* View metadata documents: reading the current version, making new ones (Iceberg view spec, version 1).
 *
 * Invariants: version ids grow by one and are never used again; the current version and the version log's last entry agree; every
 * schema that a kept version refers to is kept.
 */
#include "view_private.h"

#include "base/map.h"
#include "base/time.h"
#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>

enum { VERSIONS_KEPT_DEFAULT = 10 };

/* ---- reading --------------------------------------------------------------------------------------------- */

static firn_rc find_version(const json_t *versions, int64_t id, const char *what, json_t **out,
                            firn_err *err)
{
    size_t i = 0;
    json_t *version = NULL;
    json_array_foreach(versions, i, version)
    {
        int64_t version_id = 0;
        FIRN_TRY(firn_json_i64(version, "version-id", what, &version_id, err));
        if (version_id == id) {
            *out = version;
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_CORRUPT,
              "%s: current-version-id is %lld, which is not among its versions", what,
              (long long)id);
}

/* The SQL representation in firn's dialect, else the first. */
static firn_rc pick_sql(const json_t *version, const char *what, firn_view *view, firn_err *err)
{
    json_t *list = NULL;
    size_t i = 0;
    json_t *item = NULL;
    FIRN_TRY(firn_json_array(version, "representations", what, &list, err));
    json_array_foreach(list, i, item)
    {
        const char *type = NULL;
        const char *sql = NULL;
        const char *dialect = NULL;
        FIRN_TRY(firn_json_str(item, "type", what, &type, err));
        if (!firn_streq(type, "sql")) {
            continue;
        }
        FIRN_TRY(firn_json_str(item, "sql", what, &sql, err));
        FIRN_TRY(firn_json_str(item, "dialect", what, &dialect, err));
        if (view->sql == NULL || firn_strcaseeq(dialect, FIRN_VIEW_DIALECT)) {
            view->sql = sql;
            view->dialect = dialect;
        }
    }
    if (view->sql == NULL) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s has no SQL that firn could run", what);
    }
    return FIRN_OK;
}

static firn_rc read_namespace(firn_arena *arena, const json_t *version, const char *what,
                              firn_view *view, firn_err *err)
{
    json_t *levels = NULL;
    size_t i = 0;
    json_t *level = NULL;
    FIRN_TRY(firn_json_opt_array(version, "default-namespace", what, &levels, err));
    view->n_default_namespace = json_array_size(levels);
    view->default_namespace = FIRN_NEW_N(arena, const char *, view->n_default_namespace);
    json_array_foreach(levels, i, level)
    {
        if (!json_is_string(level)) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: default-namespace is no list of names", what);
        }
        view->default_namespace[i] = json_string_value(level);
    }
    return FIRN_OK;
}

static firn_rc read_schema(firn_arena *arena, const json_t *json, int64_t schema_id,
                           const char *what, firn_view *view, firn_err *err)
{
    json_t *schemas = NULL;
    size_t i = 0;
    json_t *item = NULL;
    FIRN_TRY(firn_json_array(json, "schemas", what, &schemas, err));
    json_array_foreach(schemas, i, item)
    {
        int64_t id = 0;
        FIRN_TRY(firn_json_opt_i64(item, "schema-id", what, 0, &id, err));
        if (id == schema_id) {
            firn_schema *schema = NULL;
            FIRN_TRY(firn_schema_from_json(arena, item, what, &schema, err));
            view->schema = schema;
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: schema %lld of its current version is missing", what,
              (long long)schema_id);
}

firn_rc firn_view_from_json(firn_arena *arena, json_t *json, const char *what, firn_view **out,
                            firn_err *err)
{
    firn_view *view = FIRN_NEW(arena, firn_view);
    json_t *versions = NULL;
    json_t *version = NULL;
    json_t *properties = NULL;
    int64_t format = 0;
    int64_t current = 0;
    int64_t schema_id = 0;
    view->json = firn_json_own(arena, json_incref(json));
    FIRN_TRY(firn_json_i64(json, "format-version", what, &format, err));
    if (format != FIRN_VIEW_FORMAT_VERSION) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s has view format version %lld; firn knows version 1",
                  what, (long long)format);
    }
    FIRN_TRY(firn_json_str(json, "view-uuid", what, &view->uuid, err));
    FIRN_TRY(firn_json_str(json, "location", what, &view->location, err));
    FIRN_TRY(firn_json_i64(json, "current-version-id", what, &current, err));
    FIRN_TRY(firn_json_array(json, "versions", what, &versions, err));
    FIRN_TRY(find_version(versions, current, what, &version, err));
    FIRN_TRY(firn_json_i32(version, "version-id", what, &view->version_id, err));
    FIRN_TRY(firn_json_i64(version, "timestamp-ms", what, &view->created_ms, err));
    FIRN_TRY(firn_json_i64(version, "schema-id", what, &schema_id, err));
    FIRN_TRY(pick_sql(version, what, view, err));
    FIRN_TRY(read_namespace(arena, version, what, view, err));
    FIRN_TRY(read_schema(arena, json, schema_id, what, view, err));
    FIRN_TRY(firn_json_opt_object(json, "properties", what, &properties, err));
    view->properties = properties != NULL ? properties : firn_json_own(arena, json_object());
    *out = view;
    return FIRN_OK;
}

/* ---- making ------------------------------------------------------------------------------------------------ */

static int64_t highest(const json_t *list, const char *key, int64_t none)
{
    size_t i = 0;
    json_t *item = NULL;
    int64_t max = none;
    json_array_foreach(list, i, item)
    {
        int64_t id = json_integer_value(json_object_get(item, key));
        max = id > max ? id : max;
    }
    return max;
}

/* The id of an equal schema in `schemas`, or of the new one appended there. */
static int64_t add_schema(firn_arena *arena, json_t *schemas, const firn_schema *columns)
{
    int32_t last_id = 0;
    firn_schema *schema = firn_schema_assign_fresh_ids(arena, columns, &last_id);
    schema->n_identifier_field_ids = 0;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(schemas, i, item)
    {
        schema->schema_id = (int32_t)json_integer_value(json_object_get(item, "schema-id"));
        json_t *same = firn_schema_to_json(schema);
        bool equal = json_equal(same, item);
        json_decref(same);
        if (equal) {
            return schema->schema_id;
        }
    }
    schema->schema_id = (int32_t)(highest(schemas, "schema-id", -1) + 1);
    json_array_append_new(schemas, firn_schema_to_json(schema));
    return schema->schema_id;
}

static json_t *new_version(const firn_view_create *create, int64_t id, int64_t schema_id,
                           int64_t now_ms)
{
    json_t *levels = json_array();
    for (size_t i = 0; i < create->n_default_namespace; i++) {
        json_array_append_new(levels, json_string(create->default_namespace[i]));
    }
    return json_pack("{s:I, s:I, s:I, s:{s:s, s:s}, s:[{s:s, s:s, s:s}], s:o}", "version-id",
                     (json_int_t)id, "timestamp-ms", (json_int_t)now_ms, "schema-id",
                     (json_int_t)schema_id, "summary", "engine-name", "firn", "engine-version",
                     FIRN_VERSION, "representations", "type", "sql", "sql", create->sql, "dialect",
                     FIRN_VIEW_DIALECT, "default-namespace", levels);
}

/* ---- rules of every change --------------------------------------------------------------------------------- */

static const json_t *current_version(const json_t *view)
{
    return firn_view_version(view, json_integer_value(json_object_get(view, "current-version-id")));
}

/* The dialects that a version has queries in, lower-case. */
static firn_map *dialects_of(firn_arena *arena, const json_t *version)
{
    firn_map *out = firn_map_new(arena);
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(version, "representations"), i, item)
    {
        const char *dialect = json_string_value(json_object_get(item, "dialect"));
        if (dialect != NULL) {
            firn_map_put(out, firn_str_lower(arena, dialect), out);
        }
    }
    return out;
}

static const char *dialects_text(firn_arena *arena, const firn_map *dialects)
{
    const char *text = "";
    const char *key = NULL;
    void *ignored = NULL;
    for (size_t i = 0; firn_map_next(dialects, &i, &key, &ignored);) {
        text = text[0] != '\0' ? firn_arena_printf(arena, "%s, %s", text, key) : key;
    }
    return firn_arena_printf(arena, "[%s]", text);
}

firn_rc firn_view_keeps_dialects(firn_arena *arena, const json_t *view, const json_t *previous,
                                 firn_err *err)
{
    const char *allowed = json_string_value(
        json_object_get(json_object_get(view, "properties"), "replace.drop-dialect.allowed"));
    if (previous == NULL || (allowed != NULL && firn_strcaseeq(allowed, "true"))) {
        return FIRN_OK;
    }
    const json_t *current = current_version(view);
    firn_map *had = dialects_of(arena, previous);
    firn_map *has = dialects_of(arena, current);
    const char *key = NULL;
    void *ignored = NULL;
    for (size_t i = 0; firn_map_next(had, &i, &key, &ignored);) {
        if (!firn_map_has(has, key)) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot replace view due to loss of view dialects "
                      "(replace.drop-dialect.allowed=false):\nPrevious dialects: %s\n"
                      "New dialects: %s",
                      dialects_text(arena, had), dialects_text(arena, has));
        }
    }
    return FIRN_OK;
}

static firn_rc versions_to_keep(const json_t *view, size_t *keep, firn_err *err)
{
    const char *key = "version.history.num-entries";
    const char *text = json_string_value(json_object_get(json_object_get(view, "properties"), key));
    int64_t number = VERSIONS_KEPT_DEFAULT;
    if (text != NULL && !firn_parse_i64(text, &number)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "view property %s is \"%.64s\", which is no number", key,
                  text);
    }
    if (number <= 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s must be positive but was %lld", key, (long long)number);
    }
    *keep = (size_t)number;
    return FIRN_OK;
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* Keep the current version and the `keep - 1` highest others. */
static void drop_versions(firn_arena *arena, json_t *view, int64_t current, size_t keep)
{
    json_t *versions = json_object_get(view, "versions");
    size_t n = 0;
    size_t i = 0;
    json_t *version = NULL;
    int64_t *ids = FIRN_NEW_N(arena, int64_t, json_array_size(versions));
    json_array_foreach(versions, i, version)
    {
        int64_t id = json_integer_value(json_object_get(version, "version-id"));
        if (id != current) {
            ids[n++] = id;
        }
    }
    qsort(ids, n, sizeof(*ids), descending);
    json_t *kept = json_array();
    json_array_foreach(versions, i, version)
    {
        int64_t id = json_integer_value(json_object_get(version, "version-id"));
        if (id == current || (keep > 1 && (n < keep || id >= ids[keep - 2]))) {
            json_array_append(kept, version);
        }
    }
    json_object_set_new(view, "versions", kept);
}

/* What stands before a version that is gone says nothing any more. */
static void trim_log(firn_arena *arena, json_t *view)
{
    const json_t *log = json_object_get(view, "version-log");
    json_t *kept = json_array();
    firn_imap *there = firn_imap_new(arena);
    size_t i = 0;
    json_t *entry = NULL;
    json_array_foreach(json_object_get(view, "versions"), i, entry)
    {
        firn_imap_put(there, json_integer_value(json_object_get(entry, "version-id")), entry);
    }
    json_array_foreach(log, i, entry)
    {
        const json_t *id = json_object_get(entry, "version-id");
        if (firn_imap_has(there, json_integer_value(id))) {
            json_array_append(kept, entry);
        } else {
            json_array_clear(kept);
        }
    }
    json_object_set_new(view, "version-log", kept);
}

firn_rc firn_view_forget_versions(firn_arena *arena, json_t *view, size_t n_added, firn_err *err)
{
    json_t *versions = json_object_get(view, "versions");
    json_int_t current = json_integer_value(json_object_get(view, "current-version-id"));
    size_t keep = 0;
    FIRN_TRY(versions_to_keep(view, &keep, err));
    /* The versions that were just added are the highest ones; the current one may be older. */
    size_t needed = n_added;
    size_t n_newer = 0;
    size_t i = 0;
    const json_t *version = NULL;
    json_array_foreach(versions, i, version)
    {
        n_newer += json_integer_value(json_object_get(version, "version-id")) > current;
    }
    needed += n_newer >= n_added;
    keep = keep > needed ? keep : needed;
    if (json_array_size(versions) <= keep) {
        return FIRN_OK;
    }
    drop_versions(arena, view, current, keep);
    trim_log(arena, view);
    return FIRN_OK;
}

/* ---- making, continued -------------------------------------------------------------------------------------- */

static json_t *member(json_t *view, const char *key, json_t *(*make)(void))
{
    json_t *found = json_object_get(view, key);
    if (found == NULL) {
        found = make();
        json_object_set_new(view, key, found);
    }
    return found;
}

firn_rc firn_view_build(firn_arena *arena, const json_t *base, const firn_view_create *create,
                        json_t **out, firn_err *err)
{
    if (strlen(create->sql) > FIRN_VIEW_SQL_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the view's query has %zu bytes; at most %d are taken",
                  strlen(create->sql), FIRN_VIEW_SQL_BYTES_MAX);
    }
    if (!firn_utf8_valid(firn_bytes_str(create->sql))) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the view's query is not valid UTF-8 text");
    }
    int64_t now_ms = firn_now_ms();
    json_t *view = base != NULL ? json_deep_copy(base) : json_object();
    if (base == NULL) {
        json_object_set_new(view, "view-uuid", json_string(firn_uuid_new(arena)));
        json_object_set_new(view, "format-version", json_integer(FIRN_VIEW_FORMAT_VERSION));
        json_object_set_new(view, "location", json_string(create->location));
    }
    json_t *properties = member(view, "properties", json_object);
    if (create->properties != NULL) {
        json_object_update(properties, (json_t *)create->properties);
    }
    json_t *versions = member(view, "versions", json_array);
    json_t *log = member(view, "version-log", json_array);
    json_t *schemas = member(view, "schemas", json_array);
    int64_t id = highest(versions, "version-id", 0) + 1;
    int64_t schema_id = add_schema(arena, schemas, create->schema);
    json_array_append_new(versions, new_version(create, id, schema_id, now_ms));
    json_array_append_new(log, json_pack("{s:I, s:I}", "timestamp-ms", (json_int_t)now_ms,
                                         "version-id", (json_int_t)id));
    json_object_set_new(view, "current-version-id", json_integer(id));
    const json_t *previous = base != NULL ? current_version(base) : NULL;
    firn_rc rc = firn_view_keeps_dialects(arena, view, previous, err);
    if (rc == FIRN_OK) {
        rc = firn_view_forget_versions(arena, view, 1, err);
    }
    if (rc != FIRN_OK) {
        json_decref(view);
        return rc;
    }
    *out = view;
    return FIRN_OK;
}

json_t *firn_view_with_properties(const json_t *base, const json_t *properties)
{
    json_t *view = json_deep_copy(base);
    json_t *all = member(view, "properties", json_object);
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)properties, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(all, key);
        } else {
            json_object_set(all, key, value);
        }
    }
    return view;
}
