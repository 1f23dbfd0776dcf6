/* What was found, held against the catalog: what to register, and why not the rest. See warehouse.h. */
#include "warehouse_private.h"

#include "base/io.h"

#include <limits.h>
#include <stdlib.h>

typedef struct planner {
    firn_catalog *catalog;
    firn_arena *arena;
    const char *ref;
    bool replace;
    firn_map *by_uuid; /* -> firn_catalog_entry, of the catalog */
    firn_map *by_name; /* -> anything: taken, by the catalog or by the plan */
    firn_map *
        by_folder; /* place of a table's folder -> firn_catalog_entry; NULL until a table without uuid asks */
    firn_map *found; /* uuid -> firn_found that is registered already */
} planner;

static const char *key_of(firn_arena *arena, firn_ident ident)
{
    return firn_arena_printf(arena, "%s\x1e%s", ident.ns, firn_str_lower(arena, ident.name));
}

static firn_rc list_kind(planner *p, firn_entry_kind kind, firn_err *err)
{
    firn_catalog_entry *entries = NULL;
    size_t n = 0;
    FIRN_TRY(firn_catalog_list(p->catalog, p->arena, p->ref, kind, NULL, &entries, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_map_put(p->by_uuid, entries[i].content_id, &entries[i]);
        firn_map_put(p->by_name, key_of(p->arena, entries[i].ident), &entries[i]);
    }
    return FIRN_OK;
}

/* ---- where the files are -------------------------------------------------------------------------------- */

/* The place itself: aliases applied, links followed where it is a local path that exists. */
static const char *place_of(planner *p, const char *location)
{
    const char *resolved =
        firn_storage_resolve(firn_catalog_storage(p->catalog), p->arena, location);
    char real[PATH_MAX];
    if (resolved[0] == '/' && realpath(resolved, real) != NULL) {
        return firn_arena_strdup(p->arena, real);
    }
    size_t len = strlen(resolved);
    while (len > 1 && resolved[len - 1] == '/') {
        len--;
    }
    return firn_arena_strndup(p->arena, resolved, len);
}

/* A copied warehouse: the prefixes that differ, as an alias for firn.yaml. */
static const char *alias_advice(planner *p, const char *recorded, const firn_found *found)
{
    if (firn_starts_with(recorded, "file:/")) { /* one spelling: an alias covers them all */
        recorded += strlen("file:");
    }
    while (recorded[0] == '/' && recorded[1] == '/') {
        recorded++;
    }
    const char *here =
        firn_storage_resolve(firn_catalog_storage(p->catalog), p->arena, found->folder);
    size_t below = strlen(found->folder) - strlen(found->root);
    size_t root = strlen(here) > below ? strlen(here) - below : 0; /* what stays of the path */
    size_t a = strlen(recorded), b = strlen(here);
    while (a > 0 && recorded[a - 1] == '/') {
        a--;
    }
    size_t cut_a = a, cut_b = b;
    while (a > 0 && b > root && recorded[a - 1] == here[b - 1]) {
        a--, b--;
        if (recorded[a] == '/') {
            cut_a = a;
            cut_b = b;
        }
    }
    bool whole =
        cut_a == 0 || cut_b == 0 || recorded[cut_a - 1] == '/' || recorded[cut_a - 1] == ':';
    if (whole) { /* nothing in common that could stay: the alias of this one folder */
        cut_a = strlen(recorded);
        cut_b = strlen(here);
    }
    return firn_arena_printf(p->arena, "{from: \"%.*s\", to: \"%.*s\"}", (int)cut_a, recorded,
                             (int)cut_b, here);
}

static bool is_in_place(planner *p, firn_found *found)
{
    if (found->recorded == NULL ||
        firn_streq(place_of(p, found->recorded), place_of(p, found->folder))) {
        return true;
    }
    const char *path = found->loaded != NULL
                           ? firn_metadata_property(found->loaded, "write.metadata.path", NULL)
                           : NULL;
    const char *metadata = firn_location_join(p->arena, found->folder, "metadata");
    if (path != NULL && firn_streq(place_of(p, path), place_of(p, metadata))) {
        return true;
    }
    found->alias = alias_advice(p, found->recorded, found);
    found->skip = firn_arena_printf(p->arena, "a copy: its metadata records %s", found->recorded);
    return false;
}

/* ---- against the catalog ---------------------------------------------------------------------------------- */

/* v1 tables may have no uuid: then the folder is what they are known by. */
static const firn_catalog_entry *entry_at(planner *p, const char *folder)
{
    const char *key = NULL;
    void *value = NULL;
    if (p->by_folder == NULL) {
        p->by_folder = firn_map_new(p->arena);
        for (size_t i = 0; firn_map_next(p->by_uuid, &i, &key, &value);) {
            const firn_catalog_entry *entry = value;
            const char *metadata = firn_path_dirname(p->arena, place_of(p, entry->location));
            firn_map_put(p->by_folder, firn_path_dirname(p->arena, metadata), value);
        }
    }
    return firn_map_get(p->by_folder, place_of(p, folder));
}

static void plan_known(planner *p, firn_found *found, const firn_catalog_entry *entry)
{
    const char *name = firn_ident_text(p->arena, entry->ident);
    found->ident = entry->ident;
    if (firn_streq(place_of(p, entry->location), place_of(p, found->metadata))) {
        found->skip = firn_arena_printf(p->arena, "already registered as %s", name);
        return;
    }
    firn_table table;
    firn_err ignored = {0};
    bool readable =
        !found->is_view && firn_catalog_table_load(p->catalog, p->arena, p->ref, entry->ident,
                                                   &table, &ignored) == FIRN_OK;
    if (readable && table.metadata->last_updated_ms > found->loaded->last_updated_ms) {
        found->skip = firn_arena_printf(p->arena, "already registered as %s, at the newer file %s",
                                        name, entry->location);
    } else if (!p->replace || found->is_view) {
        found->skip = firn_arena_printf(
            p->arena, "already registered as %s, at another file (%s); --replace points it here",
            name, entry->location);
    } else {
        found->action = FIRN_FOUND_REPLACE;
        firn_found_note(p->arena, found, "points %s here instead of at %s", name, entry->location);
    }
}

static const char *folder_name(const firn_found *found)
{
    const char *slash = strrchr(found->folder, '/');
    return slash != NULL ? slash + 1 : found->folder;
}

/* A name whose suffix was cut off may have been one's only difference from another's. */
static bool find_name(planner *p, firn_found *found)
{
    firn_ident whole = {.ns = found->ident.ns, .name = folder_name(found)};
    if (!firn_map_has(p->by_name, key_of(p->arena, found->ident))) {
        return true;
    }
    if (!firn_streq(whole.name, found->ident.name) && strlen(whole.name) <= 255 &&
        !firn_map_has(p->by_name, key_of(p->arena, whole))) {
        firn_found_note(p->arena, found, "%s is taken, so it keeps its folder's name",
                        firn_ident_text(p->arena, found->ident));
        found->ident = whole;
        return true;
    }
    found->skip = firn_arena_printf(
        p->arena,
        "the name %s is taken by another table or view; register this one by name: firn table "
        "register NAME %s",
        firn_ident_text(p->arena, found->ident), found->metadata);
    return false;
}

static void plan_one(planner *p, firn_found *found)
{
    const firn_catalog_entry *entry =
        found->uuid != NULL ? firn_map_get(p->by_uuid, found->uuid) : entry_at(p, found->folder);
    const firn_found *twin = found->uuid != NULL ? firn_map_get(p->found, found->uuid) : NULL;
    if (twin != NULL) {
        found->skip = firn_arena_printf(
            p->arena, "the same table (uuid %s) as in %s: one of the two folders is a copy",
            found->uuid, twin->folder);
        return;
    }
    if (!is_in_place(p, found)) {
        return;
    }
    if (entry != NULL) {
        plan_known(p, found, entry);
    } else if (find_name(p, found)) {
        found->action = FIRN_FOUND_REGISTER;
        firn_map_put(p->by_name, key_of(p->arena, found->ident), found);
    }
    if (found->uuid != NULL) {
        firn_map_put(p->found, found->uuid, found);
    }
}

firn_rc firn_warehouse_plan(firn_catalog *catalog, firn_arena *arena, const char *ref, bool replace,
                            firn_found *found, size_t n, firn_err *err)
{
    planner p = {.catalog = catalog, .arena = arena, .ref = ref, .replace = replace};
    p.by_uuid = firn_map_new(arena);
    p.by_name = firn_map_new(arena);
    p.found = firn_map_new(arena);
    FIRN_TRY(list_kind(&p, FIRN_KIND_TABLE, err));
    FIRN_TRY(list_kind(&p, FIRN_KIND_VIEW, err));
    for (size_t i = 0; i < n; i++) {
        if (found[i].skip == NULL) {
            plan_one(&p, &found[i]);
        }
    }
    return FIRN_OK;
}

/* ---- the commit ---------------------------------------------------------------------------------------------- */

typedef FIRN_VEC(firn_change) change_list;

/* Levels that are not there yet, outer ones first. */
static void need_namespace(firn_arena *arena, firn_map *known, const char *ns, change_list *changes)
{
    if (ns[0] == '\0' || firn_map_has(known, ns)) {
        return;
    }
    const char *sep = strrchr(ns, FIRN_NS_SEP[0]);
    if (sep != NULL) {
        need_namespace(arena, known, firn_arena_strndup(arena, ns, (size_t)(sep - ns)), changes);
    }
    firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = ns}};
    firn_vec_push(arena, changes, change);
    firn_map_put(known, ns, known);
}

firn_rc firn_warehouse_register(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                const firn_found *found, size_t n, const firn_commit_info *info,
                                size_t *registered, firn_err *err)
{
    firn_map *known = firn_map_new(arena);
    change_list changes = {0};
    char **names = NULL;
    size_t n_names = 0;
    *registered = 0;
    FIRN_TRY(firn_catalog_namespace_list(catalog, arena, ref, NULL, true, &names, &n_names, err));
    for (size_t i = 0; i < n_names; i++) {
        firn_map_put(known, names[i], known);
    }
    for (size_t i = 0; i < n; i++) {
        if (found[i].action == FIRN_FOUND_SKIP) {
            continue;
        }
        need_namespace(arena, known, found[i].ident.ns, &changes);
        firn_change change = {.kind = found[i].is_view ? FIRN_CHANGE_REGISTER_VIEW
                                                       : FIRN_CHANGE_REGISTER_TABLE,
                              .ident = found[i].ident,
                              .location = found[i].metadata,
                              .replace = found[i].action == FIRN_FOUND_REPLACE};
        firn_vec_push(arena, &changes, change);
        ++*registered;
    }
    if (*registered == 0) {
        return FIRN_OK;
    }
    firn_commit_result result;
    return firn_catalog_commit(catalog, arena, ref, changes.items, changes.len, info, &result, err);
}
