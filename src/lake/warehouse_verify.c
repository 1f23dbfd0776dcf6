/* Are the files that a table's current snapshot is made of there? Reads the manifest list and every manifest; of data and delete
 * files only whether they exist. */
#include "warehouse_private.h"

typedef struct verifier {
    firn_storage *storage;
    firn_arena *arena;
    const firn_map *known;
    firn_found *out;
    size_t n_missing;
    const char *first;
} verifier;

static void look_for(verifier *v, const char *location)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    int64_t size_bytes = 0;
    const char *path = firn_storage_resolve(v->storage, scratch, location);
    if ((v->known != NULL && firn_map_has(v->known, path)) ||
        firn_storage_size(v->storage, location, &size_bytes, NULL) == FIRN_OK) {
        return;
    }
    if (v->n_missing++ == 0) {
        v->first = firn_arena_strdup(v->arena, location);
    }
}

static firn_rc look_into(verifier *v, const firn_manifest_file *file, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_manifest *manifest = NULL;
    FIRN_TRY(firn_manifest_open(v->storage, NULL, v->out->loaded, file, &manifest, err));
    for (size_t i = 0; i < firn_manifest_len(manifest); i++) {
        firn_manifest_entry entry;
        firn_manifest_entry_at(manifest, scratch, i, &entry);
        if (entry.status != FIRN_ENTRY_DELETED) {
            look_for(v, entry.file.path);
        }
    }
    firn_manifest_unref(manifest);
    return FIRN_OK;
}

void firn_warehouse_verify(firn_storage *storage, firn_arena *arena, const firn_map *known,
                           firn_found *out)
{
    verifier v = {.storage = storage, .arena = arena, .known = known, .out = out};
    const firn_snapshot *snapshot = out->loaded->current_snapshot;
    firn_manifest_file *manifests = NULL;
    size_t n = 0;
    firn_err err = {0};
    if (snapshot == NULL) {
        return;
    }
    firn_rc rc =
        firn_manifest_list_read(storage, arena, out->loaded, snapshot, &manifests, &n, &err);
    for (size_t i = 0; rc == FIRN_OK && i < n; i++) {
        rc = look_into(&v, &manifests[i], &err);
    }
    if (rc != FIRN_OK) {
        out->skip = firn_arena_printf(arena, "broken: %s", err.message);
    } else if (v.n_missing > 0) {
        out->skip = firn_arena_printf(arena, "%zu of its files %s missing, first: %s", v.n_missing,
                                      v.n_missing == 1 ? "is" : "are", v.first);
    }
}
