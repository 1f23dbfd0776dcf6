/* The files that may hold erased rows: found before anything expires, deleted when nobody reaches them any more.
 *
 * Expiry deletes files, too. But killed between its commit and its deletes it leaves files that no table names, which for an erasure is
 * not good enough: so retention has the list of its own, on disk.
 */
#include "retain_private.h"

#include "catalog/keep.h"

static firn_rc add_manifest(firn_lake *lake, firn_arena *arena, const firn_metadata *metadata,
                            const firn_manifest_file *file, firn_map *paths, firn_err *err)
{
    firn_manifest *manifest = NULL;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    if (firn_map_put(paths, file->path, paths) != NULL) {
        return FIRN_OK; /* seen */
    }
    (void)arena;
    FIRN_TRY(firn_manifest_open(firn_lake_storage(lake),
                                firn_catalog_manifests(firn_lake_catalog(lake)), metadata, file,
                                &manifest, err));
    for (size_t i = 0; i < firn_manifest_len(manifest); i++) {
        firn_manifest_entry entry;
        firn_arena_reset(scratch);
        firn_manifest_entry_at(manifest, scratch, i, &entry);
        if (entry.status != FIRN_ENTRY_DELETED) {
            firn_map_put(paths, entry.file.path, paths);
        }
    }
    firn_manifest_unref(manifest);
    return FIRN_OK;
}

firn_rc firn_retain_reach(firn_lake *lake, firn_arena *arena, const firn_metadata *metadata,
                          const firn_snapshot *but, firn_map *paths, firn_err *err)
{
    for (size_t i = 0; i < metadata->n_snapshots; i++) {
        const firn_snapshot *snapshot = &metadata->snapshots[i];
        firn_manifest_file *files = NULL;
        size_t n = 0;
        if (but != NULL && snapshot->snapshot_id == but->snapshot_id) {
            continue;
        }
        FIRN_TRY(firn_manifest_list_read(firn_lake_storage(lake), arena, metadata, snapshot, &files,
                                         &n, err));
        if (snapshot->manifest_list != NULL) {
            firn_map_put(paths, snapshot->manifest_list, paths);
        }
        for (size_t k = 0; k < n; k++) {
            FIRN_TRY(add_manifest(lake, arena, metadata, &files[k], paths, err));
        }
    }
    return FIRN_OK;
}

/* Every state: of this branch as it is now, and of the other refs. */
static firn_rc reach_all(const retain_deletion *d, firn_arena *arena, firn_own_folders *folders,
                         firn_map *reached, firn_err *err)
{
    firn_lake *lake = firn_session_lake(d->session);
    firn_catalog *catalog = firn_lake_catalog(lake);
    const char *ref = firn_session_ref(d->session);
    firn_table table;
    firn_table_state *states = NULL;
    size_t n = 0;
    FIRN_TRY(firn_catalog_table_load(catalog, arena, ref, d->ident, &table, err));
    firn_own_folders_of(arena, table.metadata, folders);
    FIRN_TRY(firn_retain_reach(lake, arena, table.metadata, NULL, reached, err));
    FIRN_TRY(
        firn_catalog_table_states(catalog, arena, ref, table.entry.content_id, &states, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_metadata *metadata = NULL;
        FIRN_TRY(firn_catalog_metadata_at(catalog, arena, states[i].location, &metadata, err));
        FIRN_TRY(firn_retain_reach(lake, arena, metadata, NULL, reached, err));
    }
    return FIRN_OK;
}

firn_rc firn_retain_delete(retain_deletion *d, firn_arena *arena, const firn_map *paths,
                           firn_err *err)
{
    firn_storage *storage = firn_lake_storage(firn_session_lake(d->session));
    firn_map *reached = firn_map_new(arena);
    firn_own_folders folders = {0};
    const char *path;
    void *value;
    FIRN_TRY(reach_all(d, arena, &folders, reached, err));
    for (size_t i = 0; firn_map_next(paths, &i, &path, &value);) {
        int64_t bytes = 0;
        if (firn_map_has(reached, path)) {
            d->left++;
            continue;
        }
        if (!firn_own_folders_have(&folders, path) ||
            firn_storage_size(storage, path, &bytes, NULL) != FIRN_OK) {
            continue; /* somebody else's, or gone */
        }
        FIRN_TRY(firn_storage_delete(storage, path, err));
        d->deleted_bytes += bytes;
    }
    return FIRN_OK;
}
