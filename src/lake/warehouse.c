/* Scanning a warehouse folder: one listing, then one look at each table's metadata. See warehouse.h. */
#include "warehouse_private.h"

#include "base/io.h"

#include <stdlib.h>

typedef struct scanner {
    firn_storage *storage;
    firn_arena *arena;
    const firn_warehouse_options *options;
    const char *dir;   /* without a slash at its end */
    firn_map *folders; /* -> firn_candidates */
    FIRN_VEC(firn_candidates *) tables;
    firn_map *known; /* resolved paths of all files; NULL unless asked to verify */
} scanner;

static const char *without_slashes(firn_arena *arena, const char *location)
{
    size_t len = strlen(location);
    while (len > 1 && location[len - 1] == '/') {
        len--;
    }
    return firn_arena_strndup(arena, location, len);
}

/* ---- listing -------------------------------------------------------------------------------------------- */

static firn_candidates *candidates_of(scanner *s, const char *folder)
{
    firn_candidates *out = firn_map_get(s->folders, folder);
    if (out == NULL) {
        out = FIRN_NEW(s->arena, firn_candidates);
        out->folder = folder;
        firn_map_put(s->folders, folder, out);
        firn_vec_push(s->arena, &s->tables, out);
    }
    return out;
}

/* <folder>/metadata/<name>: a file of a table, if the name is one of metadata's. */
static void note_object(scanner *s, const firn_storage_object *object)
{
    static const char BETWEEN[] = "/metadata";
    const char *slash = strrchr(object->location, '/');
    if (slash == NULL || (size_t)(slash - object->location) < sizeof(BETWEEN) - 1 ||
        strncmp(slash - (sizeof(BETWEEN) - 1), BETWEEN, sizeof(BETWEEN) - 1) != 0) {
        return;
    }
    const char *name = slash + 1;
    bool metadata =
        firn_ends_with(name, ".metadata.json") || firn_ends_with(name, ".metadata.json.gz");
    bool hint = firn_streq(name, "version-hint.text");
    if ((!metadata && !hint) || name[0] == '.') {
        return;
    }
    size_t len = (size_t)(slash - object->location) - (sizeof(BETWEEN) - 1);
    firn_candidates *table = candidates_of(s, firn_arena_strndup(s->arena, object->location, len));
    if (hint) {
        table->hint = object->location;
        return;
    }
    firn_metadata_candidate file = {.location = object->location,
                                    .name = name,
                                    .version = firn_metadata_file_version(name),
                                    .size_bytes = object->size_bytes};
    firn_vec_push(s->arena, &table->files, file);
}

static firn_rc list(scanner *s, firn_err *err)
{
    firn_storage_object *objects = NULL;
    size_t n = 0;
    const char *path = firn_storage_resolve(s->storage, s->arena, s->dir);
    if (path[0] == '/' && !firn_path_is_dir(path)) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no folder %s", path);
    }
    FIRN_TRY(firn_storage_list(s->storage, s->arena, firn_arena_printf(s->arena, "%s/", s->dir),
                               &objects, &n, err));
    for (size_t i = 0; i < n; i++) {
        note_object(s, &objects[i]);
        if (s->known != NULL) {
            firn_map_put(s->known, firn_storage_resolve(s->storage, s->arena, objects[i].location),
                         s);
        }
    }
    return FIRN_OK;
}

/* ---- names ---------------------------------------------------------------------------------------------- */

/* The path below the scanned folder; for a scanned folder that is a table itself, its own last part. */
static const char *relative_of(const scanner *s, const char *folder)
{
    size_t len = strlen(s->dir);
    if (strlen(folder) > len) {
        return folder + len + 1;
    }
    const char *slash = strrchr(s->dir, '/');
    return slash != NULL ? slash + 1 : s->dir;
}

static void name_table(const scanner *s, firn_found *found)
{
    const char *relative = relative_of(s, found->folder);
    const char *ns = NULL, *name = NULL;
    if (!firn_warehouse_name(s->arena, relative, &ns, &name)) {
        found->ident = (firn_ident){.ns = "", .name = relative};
        found->skip = firn_arena_printf(
            s->arena, "\"%s\" gives no valid name; register it by name and metadata file",
            relative);
        return;
    }
    if (s->options->ns != NULL) {
        ns = s->options->ns;
    } else if (ns[0] == '\0') {
        ns = s->options->default_ns != NULL ? s->options->default_ns : "default";
    }
    found->ident = (firn_ident){.ns = ns, .name = name};
}

static bool is_below(const char *folder, const char *above)
{
    size_t len = strlen(above);
    return strlen(folder) > len && strncmp(folder, above, len) == 0 && folder[len] == '/';
}

/* Folders are sorted, so a table's outer one is among those before it. */
static void skip_nested(firn_arena *arena, firn_found *found, size_t i)
{
    for (size_t k = 0; k < i && found[i].skip == NULL; k++) {
        if (found[k].metadata != NULL && is_below(found[i].folder, found[k].folder)) {
            found[i].skip =
                firn_arena_printf(arena, "lies inside the folder of %s: tables cannot share one",
                                  firn_ident_text(arena, found[k].ident));
        }
    }
}

static int by_folder(const void *a, const void *b)
{
    return strcmp((*(firn_candidates *const *)a)->folder, (*(firn_candidates *const *)b)->folder);
}

firn_rc firn_warehouse_scan(firn_storage *storage, firn_arena *arena,
                            const firn_warehouse_options *options, firn_found **out, size_t *n,
                            firn_err *err)
{
    scanner s = {.storage = storage, .arena = arena, .options = options};
    s.dir = without_slashes(arena, firn_location_of_path(arena, options->dir));
    s.folders = firn_map_new(arena);
    s.known = options->verify ? firn_map_new(arena) : NULL;
    FIRN_TRY(list(&s, err));
    if (s.tables.len > 0) {
        qsort(s.tables.items, s.tables.len, sizeof(*s.tables.items), by_folder);
    }
    firn_found *found = FIRN_NEW_N(arena, firn_found, s.tables.len);
    *n = 0;
    for (size_t i = 0; i < s.tables.len; i++) {
        firn_candidates *table = s.tables.items[i];
        if (table->files.len == 0) {
            continue; /* a hint alone */
        }
        firn_found *one = &found[(*n)++];
        *one = (firn_found){.root = s.dir, .folder = table->folder, .rows = -1, .files = -1};
        name_table(&s, one);
        if (one->skip == NULL) {
            firn_warehouse_pick(storage, arena, table, one);
        }
        skip_nested(arena, found, *n - 1);
        if (one->skip == NULL && options->verify && !one->is_view) {
            firn_warehouse_verify(storage, arena, s.known, one);
        }
    }
    *out = found;
    return FIRN_OK;
}
