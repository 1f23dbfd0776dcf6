/* Dropping a table with its files.
 *
 *   load -> drop the name, in a commit that requires the state that was loaded
 *     -> does any other ref have the table? then that is all
 *     -> data and delete files, then manifests, manifest lists, statistics, and the metadata files last
 *
 * Nothing is deleted before the name is gone for good, and nothing but what the table's own metadata names inside of the table's
 * own folders: files that it took over where they lay are somebody else's. Killed in between, orphans remain and nothing refers to
 * them. Branches made later from a commit before the drop find the name but no files: that is what was asked for.
 */
#include "internal.h"

#include "catalog/keep.h"

#include "base/log.h"
#include "base/thread.h"

#include <stdatomic.h>

enum { TRIES_MAX = 20, DELETE_THREADS = 8 };

typedef struct purge {
    firn_catalog *catalog;
    firn_arena *arena;
    const firn_metadata *metadata;
    firn_own_folders folders;
    firn_map *seen;
    FIRN_VEC(const char *) files; /* in the order in which they go */
    size_t n_foreign;             /* named, but elsewhere */
    atomic_size_t n_failed;
} purge;

/* ---- whose files -------------------------------------------------------------------------------- */

/* True the first time. */
static bool add_file(purge *p, const char *location)
{
    if (!location || firn_map_put(p->seen, location, p)) {
        return false;
    }
    if (firn_own_folders_have(&p->folders, location)) {
        firn_vec_push(p->arena, &p->files, firn_arena_strdup(p->arena, location));
    } else {
        p->n_foreign++;
    }
    return true;
}

/* ---- what the metadata reaches ------------------------------------------------------------------- */

static void add_content(purge *p, const firn_manifest_file *file)
{
    firn_err err = {0};
    firn_manifest *manifest;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    if (firn_manifest_open(p->catalog->storage, NULL, p->metadata, file, &manifest, &err) !=
        FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "catalog", "files of a purged table stay behind: %s", err.message);
        return;
    }
    for (size_t i = 0; i < firn_manifest_len(manifest); i++) {
        firn_manifest_entry entry;
        firn_arena_reset(scratch);
        firn_manifest_entry_at(manifest, scratch, i, &entry);
        if (entry.status != FIRN_ENTRY_DELETED) {
            add_file(p, entry.file.path);
        }
    }
    firn_manifest_unref(manifest);
}

/* Content first, then the manifests that name it: who comes after a kill still finds the way. */
static void collect_snapshots(purge *p)
{
    FIRN_VEC(const char *) manifests = {0};
    firn_map *opened = firn_map_new(p->arena);
    for (size_t s = 0; s < p->metadata->n_snapshots; s++) {
        firn_err err = {0};
        firn_manifest_file *files;
        size_t n;
        if (firn_manifest_list_read(p->catalog->storage, p->arena, p->metadata,
                                    &p->metadata->snapshots[s], &files, &n, &err) != FIRN_OK) {
            firn_log(FIRN_LOG_WARN, "catalog", "files of a purged table stay behind: %s",
                     err.message);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            if (!firn_map_put(opened, files[i].path, p)) {
                add_content(p, &files[i]);
                firn_vec_push(p->arena, &manifests, files[i].path);
            }
        }
    }
    for (size_t i = 0; i < manifests.len; i++) {
        add_file(p, manifests.items[i]);
    }
    for (size_t s = 0; s < p->metadata->n_snapshots; s++) {
        add_file(p, p->metadata->snapshots[s].manifest_list);
    }
}

static void collect_statistics(purge *p)
{
    static const char *const lists[] = {"statistics", "partition-statistics"};
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        size_t i;
        const json_t *one;
        json_array_foreach(json_object_get(p->metadata->json, lists[l]), i, one)
        {
            add_file(p, json_string_value(json_object_get(one, "statistics-path")));
        }
    }
}

static void collect(purge *p, const char *location)
{
    firn_own_folders_of(p->arena, p->metadata, &p->folders);
    collect_snapshots(p);
    collect_statistics(p);
    for (size_t i = 0; i < p->metadata->n_metadata_log; i++) {
        add_file(p, p->metadata->metadata_log[i].location);
    }
    add_file(p, location);
}

static void delete_one(void *ctx, size_t i)
{
    purge *p = ctx;
    firn_err err = {0};
    if (firn_storage_delete(p->catalog->storage, p->files.items[i], &err) != FIRN_OK &&
        atomic_fetch_add(&p->n_failed, 1) == 0) {
        firn_log(FIRN_LOG_WARN, "catalog", "files of a purged table stay behind: %s", err.message);
    }
}

/* ---- the whole ------------------------------------------------------------------------------------ */

/* Drop exactly what was loaded: after a lost race, what is there now. */
static firn_rc drop(firn_catalog *catalog, firn_arena *arena, const char *branch, firn_ident ident,
                    const firn_commit_info *info, firn_table *table, firn_commit_result *result,
                    firn_err *err)
{
    firn_rc rc = FIRN_E_CONFLICT;
    for (int i = 0; rc == FIRN_E_CONFLICT && i < TRIES_MAX; i++) {
        FIRN_TRY(firn_catalog_table_load(catalog, arena, branch, ident, table, err));
        firn_change change = {
            .kind = FIRN_CHANGE_DROP_TABLE,
            .ident = ident,
            .expected_location = table->entry.location,
        };
        rc = firn_catalog_commit(catalog, arena, branch, &change, 1, info, result, err);
    }
    return rc;
}

firn_rc firn_catalog_table_purge(firn_catalog *catalog, firn_arena *arena, const char *branch,
                                 firn_ident ident, const firn_commit_info *info,
                                 firn_purge_result *out, firn_err *err)
{
    firn_table table;
    firn_commit_result result;
    branch = branch ? branch : FIRN_MAIN;
    *out = (firn_purge_result){0};
    FIRN_TRY(drop(catalog, arena, branch, ident, info, &table, &result, err));
    out->commit_id = result.commit_id;
    if (result.repeated) {
        out->kept = "the same request was carried out before";
        return FIRN_OK;
    }
    if (catalog->ops) {
        out->kept = "they belong to the catalog that the table is in";
        return FIRN_OK;
    }
    if (firn_strcaseeq(firn_metadata_property(table.metadata, "gc.enabled", "true"), "false")) {
        out->kept = "its property gc.enabled is false";
        return FIRN_OK;
    }
    const char *holder = NULL;
    firn_err detail = {0};
    if (firn_pins_holder(catalog, arena, branch, table.entry.content_id, &holder, &detail) !=
        FIRN_OK) {
        out->kept =
            firn_arena_printf(arena, "it is not known who else needs them: %s", detail.message);
        return FIRN_OK;
    }
    if (holder) {
        out->kept = firn_arena_printf(arena, "%s has the table, too", holder);
        return FIRN_OK;
    }
    purge p = {.catalog = catalog,
               .arena = arena,
               .metadata = table.metadata,
               .seen = firn_map_new(arena)};
    collect(&p, table.entry.location);
    firn_parallel_for(DELETE_THREADS, p.files.len, delete_one, &p);
    out->deleted = p.files.len - atomic_load(&p.n_failed);
    out->left = p.n_foreign + atomic_load(&p.n_failed);
    return FIRN_OK;
}
