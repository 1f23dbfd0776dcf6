/* iceberg_scan('path'): a table read by its files alone, without a catalog. The path is a metadata file or a table's folder, then the
 * highest version in its metadata/ is taken (version-hint.text first, as Hadoop tables keep it). DuckDB's own extension spells it the
 * same way; of its arguments, snapshot_from_id and snapshot_from_timestamp are understood.
 */
#include "duck.h"
#include "read_tree.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

enum { HINT_BYTES_MAX = 64 };

static const char *text_of(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text != NULL ? text : "";
}

bool firn_tree_is_path_scan(const json_t *node)
{
    const json_t *function = json_object_get(node, "function");
    return firn_streq(text_of(node, "type"), "TABLE_FUNCTION") &&
           firn_strcaseeq(text_of(function, "function_name"), "iceberg_scan");
}

/* A constant argument as text, below casts. NULL: it is no constant. */
static const char *constant(firn_arena *arena, const json_t *node)
{
    while (firn_streq(text_of(node, "class"), "CAST")) {
        node = json_object_get(node, "child");
    }
    const json_t *value = json_object_get(json_object_get(node, "value"), "value");
    if (json_is_integer(value)) {
        return firn_arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    return firn_arena_strdup(arena,
                             json_string_value(value)); /* the node is about to be replaced */
}

/* ---- which metadata file ------------------------------------------------------------------------------ */

/* "v12.metadata.json", "00012-<uuid>.metadata.json", "v3.gz.metadata.json": 12, 12, 3; -1: no metadata file's name. */
static int64_t version_of(const char *name)
{
    bool known =
        firn_ends_with(name, ".metadata.json") || firn_ends_with(name, ".metadata.json.gz");
    const char *digits = name[0] == 'v' ? name + 1 : name;
    if (!known || !isdigit((unsigned char)digits[0]) || strlen(digits) > 200) {
        return -1;
    }
    return strtoll(digits, NULL, 10);
}

static firn_rc newest_in(firn_storage *storage, firn_arena *arena, const char *folder,
                         const char **out, firn_err *err)
{
    const char *metadata = firn_location_join(arena, folder, "metadata");
    firn_bytes hint;
    int64_t hinted = -1;
    firn_err ignored = {0};
    if (firn_storage_get(storage, arena, firn_location_join(arena, metadata, "version-hint.text"),
                         HINT_BYTES_MAX, &hint, &ignored) == FIRN_OK) {
        (void)firn_parse_i64(firn_str_trim(arena, (const char *)hint.data), &hinted);
    }
    firn_storage_object *objects;
    size_t n;
    FIRN_TRY(firn_storage_list(storage, arena, firn_arena_printf(arena, "%s/", metadata), &objects,
                               &n, err));
    int64_t best = -1;
    for (size_t i = 0; i < n; i++) {
        const char *slash = strrchr(objects[i].location, '/');
        int64_t version = version_of(slash != NULL ? slash + 1 : objects[i].location);
        bool better = version == hinted || ((hinted < 0 || best != hinted) && version >= best);
        if (version >= 0 && better) {
            best = version;
            *out = objects[i].location;
        }
    }
    if (best < 0) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                  "%s is no Iceberg table: there is no *.metadata.json in its metadata folder",
                  folder);
    }
    return FIRN_OK;
}

static firn_rc find_metadata(firn_storage *storage, firn_arena *arena, const char *path,
                             const char **out, firn_err *err)
{
    const char *location = firn_location_of_path(arena, path);
    if (strstr(location, ".metadata.json") != NULL) {
        *out = location;
        return FIRN_OK;
    }
    size_t len = strlen(location);
    while (len > 1 && location[len - 1] == '/') {
        len--;
    }
    return newest_in(storage, arena, firn_arena_strndup(arena, location, len), out, err);
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

/* snapshot_from_id => n and snapshot_from_timestamp => t become the at_clause that the same thing in SQL would be. */
static firn_rc named_argument(firn_session *session, firn_arena *arena, const json_t *argument,
                              firn_occurrence *occurrence, firn_err *err)
{
    /* "name = value" is a comparison for the parser, "name => value" a value with that alias. */
    bool comparison = firn_streq(text_of(argument, "class"), "COMPARISON");
    const json_t *left = json_object_get(json_object_get(argument, "left"), "column_names");
    const char *name =
        comparison ? json_string_value(json_array_get(left, 0)) : text_of(argument, "alias");
    json_t *value = comparison ? json_object_get(argument, "right") : (json_t *)argument;
    const char *unit = name == NULL                                      ? NULL
                       : firn_strcaseeq(name, "snapshot_from_id")        ? "VERSION"
                       : firn_strcaseeq(name, "snapshot_from_timestamp") ? "TIMESTAMP"
                                                                         : NULL;
    if (unit == NULL) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "iceberg_scan takes a path, snapshot_from_id => ... and snapshot_from_timestamp => ...%s%s",
            name != NULL && name[0] != '\0' ? ", not " : "", name != NULL ? name : "");
    }
    json_t *at = firn_json_own(arena, json_pack("{s:s, s:O}", "unit", unit, "expr", value));
    return firn_travel_resolve(session, arena, at, occurrence, err);
}

/* The function's node becomes the BASE_TABLE that every other table is. */
static void become_table(json_t *node)
{
    json_t *table =
        json_pack("{s:s, s:O*, s:O*, s:O*, s:s, s:s, s:s, s:n}", "type", "BASE_TABLE", "alias",
                  json_object_get(node, "alias"), "sample", json_object_get(node, "sample"),
                  "column_name_alias", json_object_get(node, "column_name_alias"), "schema_name",
                  "", "catalog_name", "", "table_name", "iceberg_scan", "at_clause");
    json_object_clear(node);
    json_object_update(node, table);
    json_decref(table);
}

firn_rc firn_tree_open_path_scan(firn_session *session, firn_arena *arena, json_t *node,
                                 firn_occurrence *out, firn_err *err)
{
    const json_t *arguments = json_object_get(json_object_get(node, "function"), "children");
    const char *path = constant(arena, json_array_get(arguments, 0));
    if (path == NULL) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "iceberg_scan needs the path of a metadata file or of a table's folder as a 'text'");
    }
    if (session->engine->lake == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "iceberg_scan needs a lake to run in: make one with firn init, or give --lake");
    }
    firn_storage *storage = firn_lake_storage(session->engine->lake);
    const char *location = NULL;
    FIRN_TRY(find_metadata(storage, arena, path, &location, err));
    *out = (firn_occurrence){.node = node,
                             .text = path,
                             .ident = {.ns = "", .name = "iceberg_scan"},
                             .ref = session->ref,
                             .aliased = true};
    out->table.entry =
        (firn_catalog_entry){.kind = FIRN_KIND_TABLE, .ident = out->ident, .location = location};
    FIRN_TRY(firn_metadata_load(storage, arena, location, &out->table.metadata, err));
    out->snapshot = out->table.metadata->current_snapshot;
    out->schema = out->table.metadata->schema;
    for (size_t i = 1; i < json_array_size(arguments); i++) {
        FIRN_TRY(named_argument(session, arena, json_array_get(arguments, i), out, err));
    }
    become_table(node);
    return FIRN_OK;
}
