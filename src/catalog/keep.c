/* The folders that are a table's own. */
#include "catalog/keep.h"

/* "file:///a" and "/a" are the same place. */
static const char *plain(const char *location)
{
    if (firn_starts_with(location, "file:")) {
        location += strlen("file:");
    }
    while (location[0] == '/' && location[1] == '/') {
        location++;
    }
    return location;
}

static void add_folder(firn_arena *arena, firn_own_folders *out, const char *location)
{
    const char *folder = location ? firn_location_join(arena, plain(location), "") : "";
    if (strlen(folder) > 1) { /* not "/": that is no table's */
        firn_vec_push(arena, &out->paths, folder);
    }
}

void firn_own_folders_of(firn_arena *arena, const firn_metadata *metadata, firn_own_folders *out)
{
    static const char *const paths[] = {"write.data.path", "write.metadata.path",
                                        "write.object-storage.path", "write.folder-storage.path"};
    *out = (firn_own_folders){0};
    add_folder(arena, out, metadata->location);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        add_folder(arena, out, firn_metadata_property(metadata, paths[i], NULL));
    }
}

bool firn_own_folders_have(const firn_own_folders *folders, const char *location)
{
    const char *path = plain(location);
    if (strstr(path, "/../")) {
        return false;
    }
    for (size_t i = 0; i < folders->paths.len; i++) {
        if (firn_starts_with(path, folders->paths.items[i])) {
            return true;
        }
    }
    return false;
}
