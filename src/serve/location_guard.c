/* Where a client may make the server write and read: below the warehouse.
 *
 * A table's location comes from the client, and the server writes metadata files there as its own user. So with authentication
 * only an admin may name a location outside of the warehouse, for new tables and views, for moved ones and for metadata files to
 * register; a table that is outside already may stay where it is. Without authentication the client is this machine's user, who
 * could as well write there without a server.
 */
#include "call.h"

#include "base/io.h"

/* "file:///a", "file:/a" and "/a" are the same path; NULL: no local path. */
static const char *local_path(firn_arena *arena, const char *location)
{
    if (firn_starts_with(location, "file:")) {
        location += strlen("file:");
        size_t slashes = strspn(location, "/");
        location += slashes > 0 ? slashes - 1 : 0;
    }
    return location[0] == '/' ? firn_path_absolute(arena, location) : NULL;
}

static bool is_below(const char *location, const char *folder)
{
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    return strncmp(location, folder, len) == 0 && location[len] == '/' && location[len + 1] != '\0';
}

static bool in_warehouse(const firn_call *call, const char *location)
{
    const char *path = local_path(call->arena, location);
    if (path) {
        return call->server->warehouse_path[0] == '/' &&
               is_below(path, call->server->warehouse_path);
    }
    return !strstr(location, "/../") && !firn_ends_with(location, "/..") &&
           is_below(location, call->server->warehouse);
}

static bool is_there_already(const firn_call *call, const char *branch, firn_ident ident,
                             const char *location)
{
    firn_table table;
    firn_catalog_entry entry;
    json_t *view;
    const char *there = NULL;
    if (firn_catalog_table_load(call->catalog, call->arena, branch, ident, &table, NULL) ==
        FIRN_OK) {
        there = table.metadata->location;
    } else if (firn_catalog_view_load(call->catalog, call->arena, branch, ident, &entry, &view,
                                      NULL) == FIRN_OK) {
        there = json_string_value(json_object_get(view, "location"));
    }
    return there && firn_streq(there, location);
}

static firn_rc check(firn_call *call, const char *branch, firn_ident ident, const char *location,
                     firn_err *err)
{
    if (!location || in_warehouse(call, location) ||
        is_there_already(call, branch, ident, location)) {
        return FIRN_OK;
    }
    FIRN_FAIL(err, FIRN_E_PERMISSION,
              "%.300s is outside of the warehouse (%s): only who has the role admin may put tables "
              "there",
              location, call->server->warehouse);
}

/* Where the server itself will write the next metadata files, if the update says so. */
static const char *metadata_path(const json_t *update)
{
    static const char *const members[] = {"updates", "updated"};
    const char *path = NULL;
    for (size_t i = 0; !path && i < 2; i++) {
        const json_t *properties = json_object_get(update, members[i]);
        path = json_string_value(json_object_get(properties, "write.metadata.path"));
    }
    return path;
}

firn_rc firn_call_check_locations(firn_call *call, const char *branch, const firn_change *changes,
                                  size_t n, firn_err *err)
{
    if (call->role >= FIRN_ROLE_ADMIN) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(check(call, branch, changes[i].ident, changes[i].location, err));
        size_t k;
        const json_t *update;
        json_array_foreach(changes[i].updates, k, update)
        {
            const char *action = json_string_value(json_object_get(update, "action"));
            const char *location = json_string_value(json_object_get(update, "location"));
            if (action && firn_strcaseeq(action, "set-location")) {
                FIRN_TRY(check(call, branch, changes[i].ident, location, err));
            }
            if (action && firn_strcaseeq(action, "set-properties")) {
                FIRN_TRY(check(call, branch, changes[i].ident, metadata_path(update), err));
            }
        }
    }
    return FIRN_OK;
}
