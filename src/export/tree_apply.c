/* Bringing folders to what they should be, one after the other.
 *
 *   new                          built in the stage, then moved to its place: all of a day or version, or nothing
 *   gains files                  one by one
 *   loses all                    moved into the stage
 *   loses files                  one by one
 *   loses some and gains others  built in the stage, then exchanged (renameat2); where that cannot be, old ones go first
 *
 * Files that are not ours are kept where they are; a parquet file that belongs to nothing is one that readers take, so it goes.
 */
#include "tree_private.h"

#include "base/io.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

bool firn_tree_without_exchange;

typedef struct work {
    tree *t;
    tree_folder *folder;
    const char *path;
    size_t n_add, n_gone, n_kept, n_strange;
} work;

/* ---- names -------------------------------------------------------------------------------------------------- */

static char *base_name(const tree *t, firn_arena *arena, int64_t time_us)
{
    firn_civil at;
    firn_civil_from_us(time_us, &at);
    return firn_arena_printf(arena, "%s_%04d%02d%02d_%02d%02d%02d",
                             t->feed->kind == FIRN_EXPORT_STREAM ? "data" : "snapshot", at.year,
                             at.month, at.day, at.hour, at.minute, at.second);
}

/* data_20250115_120000.parquet, then ..._2.parquet: behind all that the second has, also those that go now. A name that had another
 * content a moment ago would confuse readers that keep footers. */
static const char *free_name(const work *w, const tree_item *item)
{
    firn_arena *arena = w->t->arena;
    firn_map *names = w->folder->names;
    const char *base = base_name(w->t, arena, item->time_us);
    uintptr_t next = (uintptr_t)firn_map_get(names, base);
    next = next == 0 ? 1 : next;
    firn_map_put(names, base, (void *)(next + 1));
    return next == 1 ? firn_arena_printf(arena, "%s.parquet", base)
                     : firn_arena_printf(arena, "%s_%" PRIuPTR ".parquet", base, next);
}

/* For each second that has names the number behind its last one. */
static void take_names(work *w)
{
    firn_arena *arena = w->t->arena;
    size_t base_len = strlen(base_name(w->t, arena, 0));
    w->folder->names = firn_map_new(arena);
    for (size_t i = 0; i < w->folder->entries.len; i++) {
        const char *name = w->folder->entries.items[i]->name;
        if (strlen(name) < base_len) {
            continue;
        }
        const char *base = firn_arena_strndup(arena, name, base_len);
        uintptr_t number = name[base_len] == '_' ? strtoul(name + base_len + 1, NULL, 10) : 1;
        if (number >= (uintptr_t)firn_map_get(w->folder->names, base)) {
            firn_map_put(w->folder->names, base, (void *)(number + 1));
        }
    }
}

/* ---- folders -------------------------------------------------------------------------------------------------- */

static firn_rc make_folder(const char *path, mode_t mode, bool *made, firn_err *err)
{
    *made = mkdir(path, 0700) == 0;
    if (!*made && errno != EEXIST) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot make folder %s", path);
    }
    if (*made && chmod(path, mode) != 0) { /* whatever the umask is */
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot set permissions of %s", path);
    }
    return FIRN_OK;
}

/* The folders above `relative`, and with `own` itself. */
static firn_rc make_folders(tree *t, const char *relative, bool own, firn_err *err)
{
    char *path = firn_arena_strdup(t->arena, relative);
    for (char *at = path;; at++) {
        bool end = *at == '\0';
        if (!end && *at != '/') {
            continue;
        }
        if (end && !own) {
            return FIRN_OK;
        }
        *at = '\0';
        bool made = false;
        const char *here = firn_tree_path(t, path);
        FIRN_TRY(make_folder(here, t->folder_mode, &made, err));
        if (made) {
            tree_folder *folder = firn_tree_folder(t, path);
            folder->exists = true;
            folder->mode = t->folder_mode;
            FIRN_TRY(firn_tree_sync_dir(firn_path_dirname(t->arena, here), err));
        }
        if (end) {
            return FIRN_OK;
        }
        *at = '/';
    }
}

/* Empty folders go, up to the feed's own. */
static void remove_empty(tree *t, const char *relative)
{
    char *path = firn_arena_strdup(t->arena, relative);
    while (path[0] != '\0' && rmdir(firn_tree_path(t, path)) == 0) {
        char *slash = strrchr(path, '/');
        *(slash != NULL ? slash : path) = '\0';
    }
}

static const char *staged(tree *t, const char *kind)
{
    return firn_arena_printf(t->arena, "%s/%s-%" PRId64, t->stage, kind, t->n_staged++);
}

/* ---- in place -------------------------------------------------------------------------------------------------- */

static firn_rc add_files(work *w, const char *dir, firn_err *err)
{
    for (size_t i = 0; i < w->folder->items.len; i++) {
        tree_item *item = w->folder->items.items[i];
        if (item->entry == NULL) {
            FIRN_TRY(firn_tree_place(w->t, item, dir, free_name(w, item), err));
        }
    }
    return FIRN_OK;
}

static bool goes(const tree_entry *entry)
{
    return entry->ours && entry->item == NULL;
}

static firn_rc remove_files(work *w, firn_err *err)
{
    for (size_t i = 0; i < w->folder->entries.len; i++) {
        const tree_entry *entry = w->folder->entries.items[i];
        if (!goes(entry)) {
            continue;
        }
        const char *path = firn_arena_printf(w->t->arena, "%s/%s", w->path, entry->name);
        FIRN_TRY(firn_fault_point("tree.remove", path, err));
        if (unlink(path) != 0 && errno != ENOENT) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot remove %s", path);
        }
        w->t->result->removed++;
    }
    return FIRN_OK;
}

static firn_rc change_in_place(work *w, firn_err *err)
{
    FIRN_TRY(make_folders(w->t, w->folder->relative, true, err));
    FIRN_TRY(remove_files(w, err));
    FIRN_TRY(add_files(w, w->path, err));
    FIRN_TRY(firn_tree_sync_dir(w->path, err));
    if (w->folder->items.len == 0) {
        remove_empty(w->t, w->folder->relative);
    }
    return FIRN_OK;
}

/* ---- in one step ----------------------------------------------------------------------------------------------- */

/* All that stays, under the names that it has. *done false: no links here. */
static firn_rc link_kept(work *w, const char *dir, bool *done, firn_err *err)
{
    *done = false;
    for (size_t i = 0; i < w->folder->entries.len; i++) {
        const tree_entry *entry = w->folder->entries.items[i];
        if (goes(entry)) {
            continue;
        }
        const char *from = firn_arena_printf(w->t->arena, "%s/%s", w->path, entry->name);
        const char *to = firn_arena_printf(w->t->arena, "%s/%s", dir, entry->name);
        if (linkat(AT_FDCWD, from, AT_FDCWD, to, 0) != 0) {
            if (errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP || errno == ENOSYS ||
                errno == EXDEV) {
                return FIRN_OK;
            }
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot link %s to %s", to, from);
        }
    }
    *done = true;
    return FIRN_OK;
}

/* The folder as it should be, in the stage. */
static firn_rc build_beside(work *w, const char **dir, bool *done, firn_err *err)
{
    bool made = false;
    *dir = staged(w->t, "new");
    FIRN_TRY(make_folder(*dir, 0700, &made, err));
    FIRN_TRY(link_kept(w, *dir, done, err));
    if (!*done) {
        return FIRN_OK;
    }
    FIRN_TRY(add_files(w, *dir, err));
    if (chmod(*dir, w->t->folder_mode) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot set permissions of %s", *dir);
    }
    return firn_tree_sync_dir(*dir, err);
}

static bool exchange_is_not_possible(int why)
{
    return why == EINVAL || why == ENOSYS || why == EOPNOTSUPP || why == EXDEV || why == EPERM ||
           why == EBUSY;
}

static firn_rc exchange(work *w, bool *done, firn_err *err)
{
    const char *beside = NULL;
    *done = false;
    FIRN_TRY(build_beside(w, &beside, done, err));
    if (!*done) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_fault_point("tree.exchange", w->path, err));
    if (renameat2(AT_FDCWD, beside, AT_FDCWD, w->path, RENAME_EXCHANGE) != 0) {
        *done = false;
        return exchange_is_not_possible(errno)
                   ? FIRN_OK
                   : firn_err_errno(err, __FILE__, __LINE__, errno,
                                    "cannot exchange folder %s for its new state", w->path);
    }
    w->t->result->removed += (int64_t)w->n_gone;
    return firn_tree_sync_dir(firn_path_dirname(w->t->arena, w->path), err);
}

static firn_rc move_in(work *w, bool *done, firn_err *err)
{
    const char *beside = NULL;
    FIRN_TRY(make_folders(w->t, w->folder->relative, false, err));
    FIRN_TRY(build_beside(w, &beside, done, err));
    if (!*done) {
        return FIRN_OK;
    }
    if (rename(beside, w->path) != 0) {
        *done = false;
        return errno == EXDEV ? FIRN_OK /* the same device, mounted twice */
                              : firn_err_errno(err, __FILE__, __LINE__, errno,
                                               "cannot move folder %s to %s", beside, w->path);
    }
    return firn_tree_sync_dir(firn_path_dirname(w->t->arena, w->path), err);
}

static firn_rc move_out(work *w, bool *done, firn_err *err)
{
    FIRN_TRY(firn_fault_point("tree.remove", w->path, err));
    if (rename(w->path, staged(w->t, "old")) != 0) {
        return errno == EXDEV ? FIRN_OK
                              : firn_err_errno(err, __FILE__, __LINE__, errno,
                                               "cannot remove folder %s", w->path);
    }
    *done = true;
    w->t->result->removed += (int64_t)w->n_gone;
    FIRN_TRY(firn_tree_sync_dir(firn_path_dirname(w->t->arena, w->path), err));
    const char *slash = strrchr(w->folder->relative, '/');
    if (slash != NULL) {
        remove_empty(w->t, firn_arena_strndup(w->t->arena, w->folder->relative,
                                              (size_t)(slash - w->folder->relative)));
    }
    return FIRN_OK;
}

/* ---- one folder -------------------------------------------------------------------------------------------------- */

/* A feed's permissions may be edited at any time. */
static firn_rc keep_mode(const char *path, mode_t mode, mode_t wanted, firn_err *err)
{
    if (mode != wanted && chmod(path, wanted) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot set permissions of %s", path);
    }
    return FIRN_OK;
}

/* Of the folder and of those above it, which are made for it. */
static firn_rc keep_folder_modes(tree *t, const char *relative, firn_err *err)
{
    char *path = firn_arena_strdup(t->arena, relative);
    for (;;) {
        tree_folder *folder = firn_tree_folder(t, path);
        if (folder->exists) {
            FIRN_TRY(keep_mode(firn_tree_path(t, path), folder->mode, t->folder_mode, err));
            folder->mode = t->folder_mode;
        }
        if (path[0] == '\0') {
            return FIRN_OK;
        }
        char *slash = strrchr(path, '/');
        *(slash != NULL ? slash : path) = '\0';
    }
}

static firn_rc keep_modes(work *w, firn_err *err)
{
    if (w->folder->items.len > 0 || w->folder->relative[0] == '\0') {
        FIRN_TRY(keep_folder_modes(w->t, w->folder->relative, err));
    }
    for (size_t i = 0; i < w->folder->items.len; i++) {
        const tree_entry *entry = w->folder->items.items[i]->entry;
        if (entry != NULL) {
            const char *path = firn_arena_printf(w->t->arena, "%s/%s", w->path, entry->name);
            FIRN_TRY(keep_mode(path, entry->st.st_mode & 07777, w->t->file_mode, err));
        }
    }
    return FIRN_OK;
}

static work work_of(tree *t, tree_folder *folder)
{
    work w = {.t = t, .folder = folder, .path = firn_tree_path(t, folder->relative)};
    for (size_t i = 0; i < folder->items.len; i++) {
        w.n_add += folder->items.items[i]->entry == NULL;
        w.n_kept += folder->items.items[i]->entry != NULL;
    }
    for (size_t i = 0; i < folder->entries.len; i++) {
        w.n_gone += goes(folder->entries.items[i]);
        w.n_strange += !folder->entries.items[i]->ours;
    }
    return w;
}

static firn_rc apply_losses(tree *t, tree_folder *folder, firn_err *err)
{
    work w = work_of(t, folder);
    bool done = false;
    if (w.n_add > 0 || w.n_gone == 0) {
        return FIRN_OK;
    }
    bool whole = folder->items.len == 0 && w.n_strange == 0 && !folder->has_folders;
    if (whole && t->can_exchange && folder->relative[0] != '\0') {
        FIRN_TRY(move_out(&w, &done, err));
    }
    return done ? FIRN_OK : change_in_place(&w, err);
}

static firn_rc apply_gains(tree *t, tree_folder *folder, firn_err *err)
{
    work w = work_of(t, folder);
    bool done = false;
    FIRN_TRY(keep_modes(&w, err));
    t->result->kept += (int64_t)w.n_kept;
    if (w.n_add == 0) {
        return FIRN_OK;
    }
    const firn_tree_result before = *t->result;
    bool beside = t->can_exchange && !folder->has_folders;
    take_names(&w);
    if (beside && !folder->exists && folder->relative[0] != '\0') {
        FIRN_TRY(move_in(&w, &done, err));
    } else if (beside && folder->exists && w.n_gone > 0 && !firn_tree_without_exchange) {
        FIRN_TRY(exchange(&w, &done, err));
    }
    if (done) {
        return FIRN_OK;
    }
    *t->result = before; /* what was built in vain does not count */
    take_names(&w);
    return change_in_place(&w, err);
}

firn_rc firn_tree_apply(tree *t, firn_err *err)
{
    bool made = false;
    FIRN_TRY(make_folder(firn_path_dirname(t->arena, t->root), 0755, &made, err));
    FIRN_TRY(make_folders(t, "", true, err));
    /* Losses first: a row that moves from one folder to another is nowhere for a moment rather than in both. */
    size_t n = t->folders.len;
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(apply_losses(t, t->folders.items[i], err));
    }
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(apply_gains(t, t->folders.items[i], err));
    }
    return FIRN_OK;
}
