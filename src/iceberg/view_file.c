/* View metadata files: what a document must have, reading and writing it. */
#include "iceberg/view_update.h"

#include "metadata_private.h"
#include "view_private.h"

#include "base/map.h"

/* ---- what a document must have ------------------------------------------------------------------ */

static firn_rc check_strings(const json_t *list, const char *key, const char *what, firn_err *err)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item)) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: %s is no list of strings", what, key);
        }
    }
    return FIRN_OK;
}

static firn_rc check_string_map(const json_t *map, const char *key, const char *what, firn_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        if (!json_is_string(value)) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: '%.100s' of %s is not a string", what, name, key);
        }
    }
    return FIRN_OK;
}

static firn_rc check_representation(const json_t *item, const char *what, firn_err *err)
{
    const char *text = NULL;
    if (!json_is_object(item)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a representation is not a JSON object", what);
    }
    FIRN_TRY(firn_json_str(item, "type", what, &text, err));
    if (firn_streq(text, "sql")) {
        FIRN_TRY(firn_json_str(item, "sql", what, &text, err));
        FIRN_TRY(firn_json_str(item, "dialect", what, &text, err));
    }
    return FIRN_OK;
}

firn_rc firn_view_version_check(const json_t *version, const char *what, firn_err *err)
{
    int32_t id = 0;
    int64_t time_ms = 0;
    json_t *member = NULL;
    const char *text = NULL;
    size_t i;
    const json_t *item;
    if (!json_is_object(version)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a version is not a JSON object", what);
    }
    FIRN_TRY(firn_json_i32(version, "version-id", what, &id, err));
    FIRN_TRY(firn_json_i32(version, "schema-id", what, &id, err));
    FIRN_TRY(firn_json_i64(version, "timestamp-ms", what, &time_ms, err));
    FIRN_TRY(firn_json_object(version, "summary", what, &member, err));
    FIRN_TRY(check_string_map(member, "summary", what, err));
    FIRN_TRY(firn_json_opt_str(version, "default-catalog", what, NULL, &text, err));
    FIRN_TRY(firn_json_array(version, "default-namespace", what, &member, err));
    FIRN_TRY(check_strings(member, "default-namespace", what, err));
    FIRN_TRY(firn_json_array(version, "representations", what, &member, err));
    json_array_foreach(member, i, item)
    {
        FIRN_TRY(check_representation(item, what, err));
    }
    return FIRN_OK;
}

json_t *firn_view_version(const json_t *view, int64_t version_id)
{
    size_t i;
    json_t *version;
    json_array_foreach(json_object_get(view, "versions"), i, version)
    {
        if (json_integer_value(json_object_get(version, "version-id")) == version_id) {
            return version;
        }
    }
    return NULL;
}

static firn_rc check_versions(firn_arena *arena, const json_t *view, const char *what,
                              firn_err *err)
{
    json_t *versions = NULL;
    size_t i;
    json_t *item;
    firn_imap *seen = firn_imap_new(arena);
    FIRN_TRY(firn_json_array(view, "versions", what, &versions, err));
    json_array_foreach(versions, i, item)
    {
        FIRN_TRY(firn_view_version_check(item, what, err));
        json_int_t id = json_integer_value(json_object_get(item, "version-id"));
        if (firn_imap_put(seen, id, item)) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s has two versions %lld", what, (long long)id);
        }
    }
    return FIRN_OK;
}

static firn_rc check_schemas(firn_arena *arena, const json_t *view, const json_t *current,
                             const char *what, firn_err *err)
{
    json_t *schemas = NULL;
    size_t i;
    const json_t *item;
    bool found = false;
    json_int_t wanted = json_integer_value(json_object_get(current, "schema-id"));
    FIRN_TRY(firn_json_array(view, "schemas", what, &schemas, err));
    json_array_foreach(schemas, i, item)
    {
        firn_schema *schema = NULL;
        FIRN_TRY(firn_schema_from_json(arena, item, what, &schema, err));
        found = found || schema->schema_id == wanted;
    }
    if (!found) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: schema %lld of its current version is missing", what,
                  (long long)wanted);
    }
    return FIRN_OK;
}

static firn_rc check_log(const json_t *view, const char *what, firn_err *err)
{
    json_t *log = NULL;
    size_t i;
    const json_t *item;
    FIRN_TRY(firn_json_array(view, "version-log", what, &log, err));
    json_array_foreach(log, i, item)
    {
        int32_t id = 0;
        int64_t time_ms = 0;
        FIRN_TRY(firn_json_i32(item, "version-id", what, &id, err));
        FIRN_TRY(firn_json_i64(item, "timestamp-ms", what, &time_ms, err));
    }
    return FIRN_OK;
}

firn_rc firn_view_check(firn_arena *arena, const json_t *view, const char *what, firn_err *err)
{
    const char *text = NULL;
    int32_t number = 0;
    json_t *member = NULL;
    if (!json_is_object(view)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is not a JSON object", what);
    }
    FIRN_TRY(firn_json_i32(view, "format-version", what, &number, err));
    if (number != FIRN_VIEW_FORMAT_VERSION) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s has view format version %d; firn knows version 1",
                  what, number);
    }
    FIRN_TRY(firn_json_str(view, "view-uuid", what, &text, err));
    FIRN_TRY(firn_json_str(view, "location", what, &text, err));
    FIRN_TRY(firn_json_opt_object(view, "properties", what, &member, err));
    FIRN_TRY(check_string_map(member, "properties", what, err));
    FIRN_TRY(check_versions(arena, view, what, err));
    FIRN_TRY(firn_json_i32(view, "current-version-id", what, &number, err));
    const json_t *current = firn_view_version(view, number);
    if (!current) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: current-version-id is %d, which is not among its versions", what, number);
    }
    FIRN_TRY(check_schemas(arena, view, current, what, err));
    return check_log(view, what, err);
}

/* ---- files -------------------------------------------------------------------------------------- */

firn_rc firn_view_file_load(firn_storage *storage, firn_arena *arena, const char *location,
                            json_t **out, firn_err *err)
{
    firn_bytes text;
    const char *what = firn_arena_printf(arena, "view metadata %s", location);
    FIRN_TRY(firn_storage_get(storage, arena, location, FIRN_VIEW_BYTES_MAX, &text, err));
    return firn_metadata_file_parse(arena, text, what, out, err);
}

firn_rc firn_view_file_store(firn_storage *storage, firn_arena *arena, const json_t *view,
                             const char *previous_location, char **location, firn_err *err)
{
    const json_t *properties = json_object_get(view, "properties");
    firn_metadata_file file = {
        .subject = "view",
        .text = firn_bytes_str(firn_json_text(arena, view)),
        .location = json_string_value(json_object_get(view, "location")),
        .folder = json_string_value(json_object_get(properties, "write.metadata.path")),
        .codec = json_string_value(json_object_get(properties, "write.metadata.compression-codec")),
        .previous_location = previous_location,
        .bytes_max = FIRN_VIEW_BYTES_MAX,
        .too_large_hint = "keep fewer versions (property version.history.num-entries)",
    };
    return firn_metadata_file_store(storage, arena, &file, location, err);
}
