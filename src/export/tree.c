/* firn_tree_sync: plan, walk, match, apply, tell. See tree_private.h. */
#include "tree_private.h"

#include "base/io.h"
#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRIES_MAX = 3 };

/* ---- names ------------------------------------------------------------------------------------------------------ */

firn_ident firn_export_ident(firn_arena *arena, const char *dotted)
{
    char *levels = firn_ns_parse(arena, dotted);
    char *last = strrchr(levels, FIRN_NS_SEP[0]);
    if (last == NULL) {
        return (firn_ident){.ns = "default", .name = levels};
    }
    *last = '\0';
    return (firn_ident){.ns = levels, .name = last + 1};
}

int64_t firn_version_number(const char *tag)
{
    int64_t number = 0;
    bool digits = tag[0] == 'v' && tag[1] >= '1' && tag[1] <= '9';
    return digits && firn_parse_i64(tag + 1, &number) ? number : 0;
}

char *firn_tree_quote(firn_arena *arena, const char *text)
{
    return firn_arena_printf(arena, "'%s'", firn_str_replace(arena, text, "'", "''"));
}

char *firn_tree_name(firn_arena *arena, const char *name)
{
    return firn_arena_printf(arena, "\"%s\"", firn_str_replace(arena, name, "\"", "\"\""));
}

firn_rc firn_tree_query(firn_session *session, const char *sql, firn_tree_row_fn on_row, void *ctx,
                        firn_err *err)
{
    firn_result *result = NULL;
    const char *const *cells = NULL;
    FIRN_TRY(firn_session_query(session, sql, &result, err));
    firn_rc rc;
    while ((rc = firn_result_next(result, &cells, err)) == FIRN_OK && cells != NULL) {
        on_row(ctx, cells);
    }
    firn_result_free(result);
    return rc;
}

char *firn_tree_path(const tree *t, const char *relative)
{
    return relative[0] == '\0' ? firn_arena_strdup(t->arena, t->root)
                               : firn_arena_printf(t->arena, "%s/%s", t->root, relative);
}

tree_folder *firn_tree_folder(tree *t, const char *relative)
{
    tree_folder *folder = firn_map_get(t->by_relative, relative);
    if (folder == NULL) {
        folder = FIRN_NEW(t->arena, tree_folder);
        folder->relative = firn_arena_strdup(t->arena, relative);
        firn_map_put(t->by_relative, relative, folder);
        firn_vec_push(t->arena, &t->folders, folder);
    }
    return folder;
}

/* ---- the stage ---------------------------------------------------------------------------------------------------- */

static char *stage_path(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed)
{
    return firn_lake_path(lake, arena, firn_arena_printf(arena, ".firn/export/tmp/%s", feed->name));
}

static firn_rc empty_folder(int parent, const char *name, const char *path, firn_err *err);

static firn_rc remove_entry(int dir, const char *name, const char *path, firn_err *err)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return FIRN_OK;
    }
    bool folder = S_ISDIR(st.st_mode);
    if (folder) {
        FIRN_TRY(empty_folder(dir, name, path, err));
    }
    if (unlinkat(dir, name, folder ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot remove %s in %s", name, path);
    }
    return FIRN_OK;
}

static firn_rc empty_folder(int parent, const char *name, const char *path, firn_err *err)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        return why == ENOENT
                   ? FIRN_OK
                   : firn_err_errno(err, __FILE__, __LINE__, why, "cannot empty %s", path);
    }
    firn_rc rc = FIRN_OK;
    for (const struct dirent *entry; rc == FIRN_OK && (entry = readdir(dir)) != NULL;) {
        if (!firn_streq(entry->d_name, ".") && !firn_streq(entry->d_name, "..")) {
            rc = remove_entry(dirfd(dir), entry->d_name, path, err);
        }
    }
    closedir(dir);
    return rc;
}

firn_rc firn_tree_purge(firn_lake *lake, const firn_export_feed *feed, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *path = stage_path(lake, arena, feed);
    return empty_folder(AT_FDCWD, path, path, err);
}

static firn_rc prepare_stage(tree *t, firn_err *err)
{
    struct stat stage, there;
    t->stage = stage_path(t->lake, t->arena, t->feed);
    FIRN_TRY(firn_tree_purge(t->lake, t->feed, err));
    FIRN_TRY(firn_mkdir_p(t->stage, 0700, err));
    const char *path = t->root;
    while (stat(path, &there) != 0 && errno == ENOENT && path[1] != '\0') {
        path = firn_path_dirname(t->arena, path);
    }
    t->can_exchange =
        stat(t->stage, &stage) == 0 && stat(path, &there) == 0 && stage.st_dev == there.st_dev;
    return FIRN_OK;
}

/* ---- all together --------------------------------------------------------------------------------------------------- */

static firn_rc sync_tree(tree *t, const char **location, firn_err *err)
{
    firn_table table;
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(t->lake), t->arena,
                                     firn_session_ref(t->session), t->ident, &table, err));
    t->metadata = table.metadata;
    *location = table.entry.location;
    FIRN_TRY(prepare_stage(t, err));
    FIRN_TRY(firn_tree_plan(t, err));
    FIRN_TRY(firn_tree_walk(t, err));
    FIRN_TRY(firn_tree_match(t, err));
    FIRN_TRY(firn_tree_apply(t, err));
    return firn_tree_metadata_write(t, err);
}

/* The session is on the feed's branch inside, and back on its own afterwards. */
firn_rc firn_export_on_ref(firn_session *session, const firn_export_feed *feed,
                           firn_rc (*work)(void *ctx, firn_err *err), void *ctx, firn_err *err)
{
    char *before = firn_strdup(firn_session_ref(session));
    bool other = feed->ref != NULL && !firn_streq(feed->ref, before);
    firn_rc rc = other ? firn_session_set_ref(session, feed->ref, err) : FIRN_OK;
    if (rc == FIRN_OK) {
        rc = work(ctx, err);
    }
    firn_rc back =
        other ? firn_session_set_ref(session, before, rc == FIRN_OK ? err : NULL) : FIRN_OK;
    free(before);
    return rc != FIRN_OK ? rc : back;
}

/* A file may be gone because the table moved on meanwhile, and what it was expired: then the folders are made from its new state. */
static firn_rc run(void *ctx, firn_err *err)
{
    const tree *start = ctx;
    const char *before = NULL;
    for (int tries = 0;; tries++) {
        tree t = *start;
        const char *location = NULL;
        firn_err own = {0};
        *t.result = (firn_tree_result){0};
        t.by_relative = firn_map_new(t.arena);
        firn_rc rc = sync_tree(&t, &location, &own);
        bool moved = location != NULL && (before == NULL || !firn_streq(before, location));
        if (rc == FIRN_OK || rc != FIRN_E_NOT_FOUND || !moved || tries == TRIES_MAX) {
            if (rc != FIRN_OK && err != NULL) {
                *err = own;
            }
            return rc;
        }
        before = location;
    }
}

firn_rc firn_tree_sync(firn_session *session, const firn_export_feed *feed, int64_t now_us,
                       const firn_tree_clean *clean, firn_tree_result *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *own = firn_arena_new();
    firn_lake *lake = firn_session_lake(session);
    *out = (firn_tree_result){0};
    tree t = {.session = session,
              .arena = own,
              .lake = lake,
              .feed = feed,
              .clean = clean,
              .ident = firn_export_ident(own, feed->table),
              .root = firn_export_folder(lake, own, feed),
              .folder_mode = (mode_t)(feed->permissions != 0 ? feed->permissions : 0755) & 0777,
              .now_us = now_us != 0 ? now_us : firn_now_us(),
              .result = out};
    t.file_mode = t.folder_mode & 0666;
    return firn_export_on_ref(session, feed, run, &t, err);
}
