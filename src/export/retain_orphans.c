/* Files that killed writers left in the folders of days that are due, and no table names.
 *
 * Nobody files rows under such days any more, or the next retention would take them; still, what is younger than a day may be a commit that is
 * being made, and stays. Only the table's own data folder on this machine is looked at, and of it only what can be due.
 */
#include "retain_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTS_MAX = 3, DEPTH_MAX = 8, YOUNG_S = 24 * 3600 };

typedef struct sweep {
    firn_arena *arena;
    const firn_export_feed *feed;
    const retain_due *due;
    int64_t now_us;
    const char *location, *path; /* of the data folder, as the table says and as it is here */
    firn_map *found;             /* locations */
} sweep;

/* "month=01" of column month is 1. */
static bool folder_part(const char *name, const char *column, int64_t *out)
{
    size_t len = strlen(column);
    return strncmp(name, column, len) == 0 && name[len] == '=' &&
           firn_parse_i64(name + len + 1, out);
}

/* Below, at or behind the cutoff, as far as the parts go. */
static int against_cutoff(const sweep *s, const int64_t *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (parts[i] != s->due->cutoff_parts[i]) {
            return parts[i] < s->due->cutoff_parts[i] ? -1 : 1;
        }
    }
    return 0;
}

static void see_file(sweep *s, int dir, const char *name, const char *relative)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        (int64_t)st.st_mtim.tv_sec + YOUNG_S < s->now_us / 1000000) {
        firn_map_put(s->found,
                     firn_location_join(s->arena, s->location,
                                        firn_arena_printf(s->arena, "%s/%s", relative, name)),
                     s);
    }
}

static void walk(sweep *s, const char *relative, int64_t *parts, size_t level, int depth)
{
    const char *path =
        relative[0] == '\0' ? s->path : firn_arena_printf(s->arena, "%s/%s", s->path, relative);
    DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
    bool all_due = level == s->due->n_parts;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        if (name[0] == '.') {
            continue;
        }
        const char *below = relative[0] == '\0'
                                ? firn_arena_strdup(s->arena, name)
                                : firn_arena_printf(s->arena, "%s/%s", relative, name);
        if (entry->d_type == DT_DIR && all_due) {
            walk(s, below, parts, level, depth + 1);
        } else if (entry->d_type == DT_DIR) {
            bool part = folder_part(name, s->feed->columns[level], &parts[level]);
            int side = part ? against_cutoff(s, parts, level + 1) : 1;
            if (side < 0 || (side == 0 && level + 1 < s->due->n_parts)) {
                walk(s, below, parts, level + 1, depth + 1);
            }
        } else if (all_due) {
            see_file(s, dirfd(dir), name, relative);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

void firn_retain_orphans(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed,
                         const firn_metadata *metadata, const retain_due *due, int64_t now_us,
                         firn_map *found)
{
    int64_t parts[PARTS_MAX] = {0};
    sweep s = {.arena = arena, .feed = feed, .due = due, .now_us = now_us, .found = found};
    if (due->n_parts == 0) {
        return;
    }
    s.location = firn_location_join(arena, metadata->location, "data");
    s.path = firn_storage_resolve(firn_lake_storage(lake), arena, s.location);
    if (s.path[0] == '/') {
        walk(&s, "", parts, 0, 0);
    }
}
