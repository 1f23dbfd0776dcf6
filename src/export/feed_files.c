/* Export feeds as files: <feeds>/active/NAME.json and <feeds>/archived/NAME.json.
 *
 * A feed that is in both folders is the active one: moving writes the new file before it removes the old one, so a move that was cut off
 * leaves both, and neither is lost.
 */
#include "feed_files.h"

#include "base/io.h"
#include "base/map.h"
#include "base/time.h"
#include "base/vec.h"

#include <sys/stat.h>

#define ENDING ".json"

char *firn_export_feeds_dir(firn_lake *lake, firn_arena *arena, bool archived)
{
    const char *feeds = firn_lake_path(lake, arena, firn_lake_config(lake)->feeds);
    return firn_path_join(arena, feeds, archived ? "archived" : "active");
}

char *firn_export_feed_path(firn_lake *lake, firn_arena *arena, const char *name, bool archived)
{
    return firn_path_join(arena, firn_export_feeds_dir(lake, arena, archived),
                          firn_arena_printf(arena, "%s" ENDING, name));
}

/* ---- finding ------------------------------------------------------------------------------------------- */

/* Names of the feeds in one of the two folders. */
static firn_rc names_in(firn_lake *lake, firn_arena *arena, bool archived, char ***out, size_t *n,
                        firn_err *err)
{
    return firn_dir_names(arena, firn_export_feeds_dir(lake, arena, archived), ENDING, out, n, err);
}

static firn_rc no_such_feed(firn_lake *lake, firn_arena *arena, const char *name, firn_err *err)
{
    FIRN_VEC(const char *) all = {0};
    for (int archived = 0; archived <= 1; archived++) {
        char **names = NULL;
        size_t n = 0;
        FIRN_TRY(names_in(lake, arena, archived != 0, &names, &n, err));
        for (size_t i = 0; i < n; i++) {
            firn_vec_push(arena, &all, names[i]);
        }
    }
    const char *folder = firn_export_feeds_dir(lake, arena, false);
    const char *nearest = firn_nearest(name, all.items, all.len);
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no feed %s in %s. Did you mean %s?", name,
                  folder, nearest);
    }
    FIRN_FAIL(err, FIRN_E_NOT_FOUND,
              "there is no feed %s: %s has no file %s" ENDING " (firn feed add makes one)", name,
              folder, name);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* What was written before there was created_at is as old as its file. */
static const char *time_of_file(firn_arena *arena, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return "1970-01-01T00:00:00Z";
    }
    int64_t us = (int64_t)st.st_mtim.tv_sec * 1000000;
    return firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, us, false));
}

firn_rc firn_export_feed_read(firn_lake *lake, firn_arena *arena, const char *name, bool archived,
                              firn_export_feed *out, firn_err *err)
{
    firn_bytes text;
    const char *path = firn_export_feed_path(lake, arena, name, archived);
    FIRN_TRY(firn_file_read(arena, path, FIRN_EXPORT_FILE_BYTES_MAX, &text, err));
    FIRN_TRY(firn_export_feed_parse(arena, text, path, name, out, err));
    out->archived = archived;
    out->enabled = out->enabled && !archived;
    if (out->created_at == NULL) {
        out->created_at = time_of_file(arena, path);
    }
    return FIRN_OK;
}

firn_rc firn_export_feed_find(firn_lake *lake, firn_arena *arena, const char *name, bool *archived,
                              firn_err *err)
{
    if (!firn_export_is_feed_name(name)) {
        return no_such_feed(lake, arena, name, err);
    }
    for (int i = 0; i <= 1; i++) {
        *archived = i != 0;
        if (firn_path_exists(firn_export_feed_path(lake, arena, name, *archived))) {
            return FIRN_OK;
        }
    }
    return no_such_feed(lake, arena, name, err);
}

firn_rc firn_export_feed_load(firn_lake *lake, firn_arena *arena, const char *name,
                              firn_export_feed *out, firn_err *err)
{
    bool archived = false;
    FIRN_TRY(firn_export_feed_find(lake, arena, name, &archived, err));
    return firn_export_feed_read(lake, arena, name, archived, out, err);
}

firn_rc firn_export_feed_list(firn_lake *lake, firn_arena *arena, firn_export_listed **out,
                              size_t *n, firn_err *err)
{
    FIRN_VEC(firn_export_listed) feeds = {0};
    firn_map *active = firn_map_new(arena);
    for (int archived = 0; archived <= 1; archived++) {
        char **names = NULL;
        size_t n_names = 0;
        FIRN_TRY(names_in(lake, arena, archived != 0, &names, &n_names, err));
        for (size_t i = 0; i < n_names; i++) {
            if (archived != 0 && firn_map_has(active, names[i])) {
                continue;
            }
            firn_map_put(active, names[i], (void *)(uintptr_t) "");
            firn_export_listed listed = {.name = names[i], .archived = archived != 0};
            firn_err why = {0};
            if (firn_export_feed_read(lake, arena, names[i], archived != 0, &listed.feed, &why) !=
                FIRN_OK) {
                listed.broken = firn_arena_strdup(arena, why.message);
            }
            firn_vec_push(arena, &feeds, listed);
        }
    }
    *out = feeds.items;
    *n = feeds.len;
    return FIRN_OK;
}
