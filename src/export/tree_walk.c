/* What the tree has, and which of its files are the wanted ones: invariant 4 of tree_private.h. */
#include "tree_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum { DEPTH_MAX = 64, FOOTERS_AT_ONCE = 512 };

/* ---- walking ---------------------------------------------------------------------------------------------- */

static bool is_ours(const char *name)
{
    return firn_ends_with(name, ".parquet") || (name[0] == '.' && firn_ends_with(name, ".tmp")) ||
           firn_starts_with(name, ".firn-tmp-");
}

static firn_rc add_entry(tree *t, tree_folder *folder, int dir, const char *name, int depth,
                         firn_err *err);

static firn_rc walk_folder(tree *t, tree_folder *folder, int depth, firn_err *err)
{
    const char *path = firn_tree_path(t, folder->relative);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return errno == ENOENT
                   ? FIRN_OK
                   : firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open folder %s", path);
    }
    struct stat st;
    folder->exists = true;
    folder->mode = fstat(dirfd(dir), &st) == 0 ? st.st_mode & 07777 : 0;
    firn_rc rc = FIRN_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            rc = errno == 0 ? FIRN_OK
                            : firn_err_errno(err, __FILE__, __LINE__, errno,
                                             "cannot list folder %s", path);
            break;
        }
        if (!firn_streq(entry->d_name, ".") && !firn_streq(entry->d_name, "..")) {
            rc = add_entry(t, folder, dirfd(dir), entry->d_name, depth, err);
        }
        if (rc != FIRN_OK) {
            break;
        }
    }
    closedir(dir);
    return rc;
}

static firn_rc add_entry(tree *t, tree_folder *folder, int dir, const char *name, int depth,
                         firn_err *err)
{
    struct stat st;
    const char *own = firn_arena_strdup(t->arena, name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT
                   ? FIRN_OK
                   : firn_err_errno(err, __FILE__, __LINE__, errno, "cannot look at %s in %s", name,
                                    firn_tree_path(t, folder->relative));
    }
    if (S_ISDIR(st.st_mode)) {
        folder->has_folders = true;
        const char *relative = folder->relative[0] == '\0'
                                   ? own
                                   : firn_arena_printf(t->arena, "%s/%s", folder->relative, own);
        if (depth >= DEPTH_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT,
                      "%s is more than %d folders deep: it is no tree of feed %s",
                      firn_tree_path(t, relative), DEPTH_MAX, t->feed->name);
        }
        return walk_folder(t, firn_tree_folder(t, relative), depth + 1, err);
    }
    tree_entry *entry = FIRN_NEW(t->arena, tree_entry);
    *entry = (tree_entry){.name = own, .st = st, .ours = is_ours(own), .folder = folder};
    firn_vec_push(t->arena, &folder->entries, entry);
    return FIRN_OK;
}

firn_rc firn_tree_walk(tree *t, firn_err *err)
{
    return walk_folder(t, firn_tree_folder(t, ""), 0, err);
}

/* ---- matching --------------------------------------------------------------------------------------------- */

/* A copy is looked for among the files of its folder that have its second. */
static int64_t second_key(const tree_folder *folder, const struct timespec *time)
{
    return (int64_t)((uint64_t)time->tv_sec ^ ((uintptr_t)folder * 0x9e3779b97f4a7c15ULL));
}

static void index_entry(firn_imap *map, int64_t key, tree_entry *entry)
{
    entry->next = firn_imap_put(map, key, entry);
}

static bool same_inode(const tree_item *item, const tree_entry *entry)
{
    return item->st.st_ino == entry->st.st_ino && item->st.st_dev == entry->st.st_dev;
}

/* As far as the file system keeps it: to the nanosecond, or in its own steps (NTFS 100 ns, exFAT 10 ms, some whole seconds). */
static bool same_time(const struct timespec *wanted, const struct timespec *kept)
{
    static const long STEPS_NS[] = {1, 100, 1000, 1000000, 10000000, 1000000000};
    for (size_t i = 0; i < sizeof(STEPS_NS) / sizeof(STEPS_NS[0]); i++) {
        if (kept->tv_nsec == wanted->tv_nsec - wanted->tv_nsec % STEPS_NS[i]) {
            return kept->tv_sec == wanted->tv_sec;
        }
    }
    return false;
}

/* A copy has its source's size; what was written anew is known by its time alone. */
static bool same_copy(const tree_item *item, const tree_entry *entry)
{
    int64_t size = item->path != NULL ? (int64_t)item->st.st_size : item->bytes;
    return same_time(&item->stamp, &entry->st.st_mtim) &&
           (item->rewrite || size == (int64_t)entry->st.st_size);
}

static void match(tree_item *item, tree_entry *entry, bool copies)
{
    for (; entry != NULL && item->entry == NULL; entry = entry->next) {
        if (entry->item == NULL && entry->folder == item->folder && S_ISREG(entry->st.st_mode) &&
            (copies ? same_copy(item, entry) : same_inode(item, entry))) {
            item->entry = entry;
            entry->item = item;
        }
    }
}

/* Only names that readers take: an unfinished copy, left by a kill, may have the time already. */
static void match_all(tree *t, bool copies)
{
    firn_imap *map = firn_imap_new(t->arena);
    for (size_t i = 0; i < t->folders.len; i++) {
        tree_folder *folder = t->folders.items[i];
        for (size_t k = 0; k < folder->entries.len; k++) {
            tree_entry *entry = folder->entries.items[k];
            if (entry->item == NULL && entry->name[0] != '.' &&
                firn_ends_with(entry->name, ".parquet")) {
                index_entry(map,
                            copies ? second_key(folder, &entry->st.st_mtim)
                                   : (int64_t)entry->st.st_ino,
                            entry);
            }
        }
    }
    for (size_t i = 0; i < t->items.len; i++) {
        tree_item *item = t->items.items[i];
        bool link = item->path != NULL && !item->rewrite;
        if (item->entry == NULL && (copies || link)) {
            match(item,
                  firn_imap_get(map, copies ? second_key(item->folder, &item->stamp)
                                            : (int64_t)item->st.st_ino),
                  copies);
        }
    }
}

/* ---- files that have the folders' columns -------------------------------------------------------------------- */

typedef struct columns_seen {
    tree *t;
    firn_map *by_path; /* -> item */
} columns_seen;

static void see_column(void *ctx, const char *const *cells)
{
    columns_seen *seen = ctx;
    tree_item *item = cells[0] != NULL ? firn_map_get(seen->by_path, cells[0]) : NULL;
    for (size_t i = 0; item != NULL && i < seen->t->feed->n_columns; i++) {
        if (cells[1] != NULL && firn_strcaseeq(cells[1], seen->t->feed->columns[i])) {
            item->columns |= 1U << i;
        }
    }
}

char *firn_tree_file_sql(firn_arena *arena, const char *path)
{
    return firn_tree_quote(arena, firn_glob_escape(arena, path));
}

static firn_rc look_into(tree *t, tree_item *const *items, size_t n, firn_err *err)
{
    columns_seen seen = {.t = t, .by_path = firn_map_new(t->arena)};
    FIRN_AUTO_BUF firn_buf sql = {0};
    firn_buf_puts(&sql, "SELECT DISTINCT file_name, path_in_schema FROM parquet_metadata([");
    for (size_t i = 0; i < n; i++) {
        firn_map_put(seen.by_path, items[i]->path, items[i]);
        firn_buf_printf(&sql, "%s%s", i > 0 ? ", " : "",
                        firn_tree_file_sql(t->arena, items[i]->path));
    }
    firn_buf_puts(&sql, "]) WHERE lower(path_in_schema) IN (");
    for (size_t i = 0; i < t->feed->n_columns; i++) {
        firn_buf_printf(&sql, "%s%s", i > 0 ? ", " : "",
                        firn_tree_quote(t->arena, firn_str_lower(t->arena, t->feed->columns[i])));
    }
    firn_buf_putc(&sql, ')');
    return firn_tree_query(t->session, firn_buf_cstr(&sql), see_column, &seen, err);
}

/* What must be written anew for its columns' sake has been looked into before if the tree has it. Then the time says so. */
static struct timespec anew_stamp(const tree_item *item)
{
    struct timespec stamp = item->stamp;
    stamp.tv_nsec = (stamp.tv_nsec + 500000000) % 1000000000;
    return stamp;
}

static bool take_anew(tree_item *item, const firn_imap *by_second)
{
    const struct timespec linked = item->stamp;
    item->stamp = anew_stamp(item);
    item->rewrite = true;
    match(item, firn_imap_get(by_second, second_key(item->folder, &item->stamp)), true);
    if (item->entry == NULL) {
        item->stamp = linked;
        item->rewrite = false;
    }
    return item->entry != NULL;
}

static firn_map *clean_files(const tree *t)
{
    firn_map *out = firn_map_new(t->arena);
    for (size_t i = 0; t->clean != NULL && i < t->clean->n; i++) {
        firn_map_put(out, t->clean->files[i].path, (void *)&t->clean->files[i]);
    }
    return out;
}

static firn_rc match_anew(tree *t, firn_err *err)
{
    firn_imap *by_second = firn_imap_new(t->arena);
    const firn_map *clean = clean_files(t);
    FIRN_VEC(tree_item *) unknown = {0};
    if (t->feed->n_columns == 0) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < t->folders.len; i++) {
        for (size_t k = 0; k < t->folders.items[i]->entries.len; k++) {
            tree_entry *entry = t->folders.items[i]->entries.items[k];
            if (entry->item == NULL && firn_ends_with(entry->name, ".parquet")) {
                index_entry(by_second, second_key(entry->folder, &entry->st.st_mtim), entry);
            }
        }
    }
    for (size_t i = 0; i < t->items.len; i++) {
        tree_item *item = t->items.items[i];
        if (item->entry == NULL && item->path != NULL && !item->rewrite &&
            !firn_map_has(clean, item->location) && !take_anew(item, by_second)) {
            firn_vec_push(t->arena, &unknown, item);
        }
    }
    for (size_t i = 0; i < unknown.len; i += FOOTERS_AT_ONCE) {
        size_t n = unknown.len - i < FOOTERS_AT_ONCE ? unknown.len - i : FOOTERS_AT_ONCE;
        FIRN_TRY(look_into(t, &unknown.items[i], n, err));
    }
    for (size_t i = 0; i < unknown.len; i++) {
        tree_item *item = unknown.items[i];
        if (item->columns != 0) {
            item->stamp = anew_stamp(item);
            item->rewrite = true;
        }
    }
    return FIRN_OK;
}

/* ---- rows of files that were written anew ---------------------------------------------------------------------- */

static void see_rows(void *ctx, const char *const *cells)
{
    tree_item *item = cells[0] != NULL ? firn_map_get(ctx, cells[0]) : NULL;
    int64_t rows = 0;
    if (item != NULL && cells[1] != NULL && firn_parse_i64(cells[1], &rows)) {
        item->rows = rows;
    }
}

static firn_rc count_rows(tree *t, firn_err *err)
{
    firn_map *by_path = firn_map_new(t->arena);
    FIRN_AUTO_BUF firn_buf sql = {0};
    for (size_t i = 0; i < t->items.len; i++) {
        tree_item *item = t->items.items[i];
        if (item->rows >= 0 || item->entry == NULL) {
            continue;
        }
        const char *path = firn_arena_printf(
            t->arena, "%s/%s", firn_tree_path(t, item->folder->relative), item->entry->name);
        firn_map_put(by_path, path, item);
        firn_buf_printf(&sql, "%s%s",
                        sql.len > 0 ? ", "
                                    : "SELECT file_name, num_rows FROM parquet_file_metadata([",
                        firn_tree_file_sql(t->arena, path));
    }
    if (sql.len == 0) {
        return FIRN_OK;
    }
    firn_buf_puts(&sql, "])");
    return firn_tree_query(t->session, firn_buf_cstr(&sql), see_rows, by_path, err);
}

firn_rc firn_tree_match(tree *t, firn_err *err)
{
    match_all(t, false);
    match_all(t, true);
    FIRN_TRY(match_anew(t, err));
    FIRN_TRY(count_rows(t, err));
    for (size_t i = 0; i < t->items.len; i++) {
        tree_item *item = t->items.items[i];
        if (item->entry != NULL) {
            item->bytes = item->entry->st.st_size;
        }
    }
    return FIRN_OK;
}
