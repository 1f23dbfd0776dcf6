/* Which files only expired snapshots reach.
 *
 *   add     the snapshots' lists and the manifests in them are candidates
 *   keep    what a list of something that stays names is none; its manifests are remembered
 *   settle  the live entries of candidate manifests are candidates, too, and those of remembered manifests are none
 *   delete  data and delete files, then manifests, then lists and statistics
 *
 * keep and settle may be called again, for states that were not there before: candidates only become fewer.
 *
 * 1. A file is deleted only if a snapshot that goes has it and nothing that stays has it: by path, not by sequence number or by how
 *    manifests are shared, since the same file can be in a table twice (cherry-picked, merged, added twice).
 * 2. Of a candidate eight bytes are held (path_set.h), so each manifest that goes is opened twice, the second time for its paths.
 * 3. A manifest of what stays is opened once, and not at all when no candidate is left, which is what appends come to: their old
 *    manifests were merged into others that have the same files. So those with such files come first.
 * 4. Files outside of the table's folders are counted and stay.
 */
#include "expire.h"

#include "base/log.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

enum { DELETE_THREADS = 8 };

void firn_expire_files_init(firn_expire_files *files, firn_catalog *catalog, firn_arena *arena,
                            const firn_metadata *metadata)
{
    *files = (firn_expire_files){
        .storage = firn_catalog_storage(catalog),
        .cache = firn_catalog_manifests(catalog),
        .arena = arena,
        .metadata = metadata,
        .manifests = firn_map_new(arena),
    };
    firn_own_folders_of(arena, metadata, &files->folders);
}

void firn_expire_files_deinit(firn_expire_files *files)
{
    firn_path_set_deinit(&files->content);
    firn_path_set_deinit(&files->metadata_files);
    firn_path_set_deinit(&files->lists_seen);
    firn_path_set_deinit(&files->manifests_seen);
}

/* ---- manifests ------------------------------------------------------------------------------------ */

typedef firn_rc (*entry_fn)(firn_expire_files *files, void *ctx, const firn_data_file *file,
                            firn_err *err);

static firn_rc each_live(firn_expire_files *files, firn_manifest_cache *cache,
                         const firn_metadata *metadata, const firn_manifest_file *file,
                         entry_fn each, void *ctx, firn_err *err)
{
    firn_manifest *manifest;
    FIRN_TRY(firn_manifest_open(files->storage, cache, metadata, file, &manifest, err));
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < firn_manifest_len(manifest); i++) {
        firn_manifest_entry entry;
        firn_arena_reset(scratch);
        firn_manifest_entry_at(manifest, scratch, i, &entry);
        if (entry.status != FIRN_ENTRY_DELETED) {
            rc = each(files, ctx, &entry.file, err);
        }
    }
    firn_manifest_unref(manifest);
    return rc;
}

/* What is not there any more, or was never whole, keeps nobody from going on: nothing is deleted by it. */
static bool is_lost(firn_rc rc)
{
    return rc == FIRN_E_NOT_FOUND || rc == FIRN_E_CORRUPT;
}

static firn_rc pass_over(firn_rc rc, const firn_err *why, firn_err *err)
{
    if (rc != FIRN_OK && is_lost(rc)) {
        firn_log(FIRN_LOG_WARN, "maintain", "files of an expired snapshot stay behind: %s",
                 why->message);
        return FIRN_OK;
    }
    if (rc != FIRN_OK && err != NULL) {
        *err = *why;
    }
    return rc;
}

static bool is_own(const firn_expire_files *files, const char *path)
{
    return firn_own_folders_have(&files->folders, path);
}

/* ---- candidates ----------------------------------------------------------------------------------- */

static firn_rc add_entry(firn_expire_files *files, void *ctx, const firn_data_file *file,
                         firn_err *err)
{
    (void)ctx, (void)err;
    firn_path_set_add(&files->content, file->path);
    return FIRN_OK;
}

static void add_metadata_file(firn_expire_files *files, const char *path)
{
    if (path != NULL && firn_path_set_add(&files->metadata_files, path)) {
        firn_vec_push(files->arena, &files->lists, firn_arena_strdup(files->arena, path));
    }
}

static firn_manifest_file *copy_manifest(firn_arena *arena, const firn_manifest_file *file)
{
    firn_manifest_file *copy = FIRN_NEW(arena, firn_manifest_file);
    *copy = *file;
    copy->path = firn_arena_strdup(arena, file->path);
    copy->partitions = NULL;
    copy->n_partitions = 0;
    copy->key_metadata = firn_bytes_dup(arena, file->key_metadata);
    return copy;
}

static firn_rc add_snapshot(firn_expire_files *files, const firn_snapshot *snapshot, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_manifest_file *manifests = NULL;
    size_t n = 0;
    firn_err why = {0};
    firn_rc rc = firn_manifest_list_read(files->storage, scratch, files->metadata, snapshot,
                                         &manifests, &n, &why);
    FIRN_TRY(pass_over(rc, &why, err));
    if (rc != FIRN_OK) {
        return FIRN_OK;
    }
    add_metadata_file(files, snapshot->manifest_list);
    for (size_t i = 0; i < n; i++) {
        if (!firn_map_has(files->manifests, manifests[i].path)) {
            firn_map_put(files->manifests, manifests[i].path,
                         copy_manifest(files->arena, &manifests[i]));
        }
    }
    return FIRN_OK;
}

static void add_statistics(firn_expire_files *files, const json_t *list, const firn_imap *ids)
{
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const json_t *id = json_object_get(one, "snapshot-id");
        if (json_is_integer(id) && firn_imap_has(ids, json_integer_value(id))) {
            add_metadata_file(files, json_string_value(json_object_get(one, "statistics-path")));
        }
    }
}

firn_rc firn_expire_files_add(firn_expire_files *files, const int64_t *snapshots, size_t n,
                              firn_err *err)
{
    firn_imap *ids = firn_imap_new(files->arena);
    for (size_t i = 0; i < n; i++) {
        const firn_snapshot *snapshot = firn_metadata_snapshot(files->metadata, snapshots[i]);
        firn_imap_put(ids, snapshots[i], ids);
        if (snapshot != NULL) {
            FIRN_TRY(add_snapshot(files, snapshot, err));
        }
    }
    add_statistics(files, json_object_get(files->metadata->json, "statistics"), ids);
    add_statistics(files, json_object_get(files->metadata->json, "partition-statistics"), ids);
    return FIRN_OK;
}

/* ---- what stays ----------------------------------------------------------------------------------- */

static firn_rc keep_entry(firn_expire_files *files, void *ctx, const firn_data_file *file,
                          firn_err *err)
{
    (void)ctx, (void)err;
    firn_path_set_remove(&files->content, file->path);
    return FIRN_OK;
}

/* The manifests of a snapshot, unless its list was seen before. */
static firn_rc keep_list(firn_expire_files *files, const firn_metadata *state,
                         const firn_snapshot *snapshot, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_manifest_file *manifests = NULL;
    size_t n = 0;
    const char *list = snapshot->manifest_list;
    if (list != NULL && !firn_path_set_add(&files->lists_seen, list)) {
        return FIRN_OK;
    }
    FIRN_TRY(
        firn_manifest_list_read(files->storage, scratch, state, snapshot, &manifests, &n, err));
    if (list != NULL) {
        firn_path_set_remove(&files->metadata_files, list);
    }
    for (size_t i = 0; i < n; i++) {
        firn_map_remove(files->manifests, manifests[i].path);
        bool live = manifests[i].added_files != 0 || manifests[i].existing_files != 0;
        if (firn_path_set_add(&files->manifests_seen, manifests[i].path) && live) {
            firn_kept_manifest kept = {.file = copy_manifest(files->arena, &manifests[i]),
                                       .metadata = state};
            firn_vec_push(files->arena, &files->kept, kept);
        }
    }
    return FIRN_OK;
}

static void keep_statistics(firn_expire_files *files, const json_t *list, const firn_imap *except)
{
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const json_t *id = json_object_get(one, "snapshot-id");
        const char *path = json_string_value(json_object_get(one, "statistics-path"));
        bool goes = except && json_is_integer(id) && firn_imap_has(except, json_integer_value(id));
        if (path != NULL && !goes) {
            firn_path_set_remove(&files->metadata_files, path);
        }
    }
}

firn_rc firn_expire_files_keep(firn_expire_files *files, const firn_metadata *state,
                               const firn_imap *except, firn_err *err)
{
    for (size_t i = 0; i < state->n_snapshots; i++) {
        const firn_snapshot *snapshot = &state->snapshots[i];
        if (!except || !firn_imap_has(except, snapshot->snapshot_id)) {
            FIRN_TRY(keep_list(files, state, snapshot, err));
        }
    }
    keep_statistics(files, json_object_get(state->json, "statistics"), except);
    keep_statistics(files, json_object_get(state->json, "partition-statistics"), except);
    return FIRN_OK;
}

/* ---- settling ------------------------------------------------------------------------------------- */

static firn_rc add_content(firn_expire_files *files, firn_err *err)
{
    const char *path;
    void *value;
    for (size_t i = 0; firn_map_next(files->manifests, &i, &path, &value);) {
        firn_err why = {0};
        firn_rc rc = each_live(files, NULL, files->metadata, value, add_entry, NULL, &why);
        FIRN_TRY(pass_over(rc, &why, err));
    }
    return FIRN_OK;
}

/* Rewritten entries first: they are what appends' old manifests were merged into. */
static int by_existing(const void *a, const void *b)
{
    const firn_kept_manifest *x = a, *y = b;
    return (y->file->existing_files != 0) - (x->file->existing_files != 0);
}

firn_rc firn_expire_files_settle(firn_expire_files *files, firn_err *err)
{
    if (!files->settled) {
        FIRN_TRY(add_content(files, err));
        files->settled = true;
    }
    if (files->kept.len > 0) {
        qsort(files->kept.items, files->kept.len, sizeof(files->kept.items[0]), by_existing);
    }
    for (size_t i = 0; i < files->kept.len && files->content.len > 0; i++) {
        const firn_kept_manifest *kept = &files->kept.items[i];
        FIRN_TRY(each_live(files, files->cache, kept->metadata, kept->file, keep_entry, NULL, err));
    }
    files->kept.len = 0;
    return FIRN_OK;
}

/* ---- deleting ------------------------------------------------------------------------------------- */

typedef struct deletion {
    firn_expire_files *files;
    FIRN_VEC(const char *) paths;
    pthread_mutex_t lock; /* the files' failures */
} deletion;

static void delete_one(void *ctx, size_t i)
{
    deletion *d = ctx;
    firn_err err = {0};
    firn_rc rc = firn_fault_point("expire.delete", d->paths.items[i], &err);
    if (rc == FIRN_OK) {
        rc = firn_storage_delete(d->files->storage, d->paths.items[i], &err);
    }
    if (rc == FIRN_OK) {
        return;
    }
    pthread_mutex_lock(&d->lock);
    if (d->files->failed++ == 0) {
        d->files->failure = firn_arena_strdup(d->files->arena, err.message);
    }
    pthread_mutex_unlock(&d->lock);
}

static void delete_all(firn_expire_files *files, firn_arena *scratch, const char *const *paths,
                       size_t n)
{
    deletion d = {.files = files, .lock = PTHREAD_MUTEX_INITIALIZER};
    for (size_t i = 0; i < n; i++) {
        firn_vec_push(scratch, &d.paths, paths[i]);
    }
    firn_parallel_for(DELETE_THREADS, d.paths.len, delete_one, &d);
}

typedef struct doomed {
    firn_arena *scratch;
    FIRN_VEC(const char *) paths;
} doomed;

static firn_rc take_entry(firn_expire_files *files, void *ctx, const firn_data_file *file,
                          firn_err *err)
{
    doomed *d = ctx;
    (void)err;
    if (!firn_path_set_remove(&files->content, file->path)) {
        return FIRN_OK;
    }
    if (!is_own(files, file->path)) {
        files->foreign++;
        return FIRN_OK;
    }
    files->files++;
    files->bytes += file->file_size_bytes;
    firn_vec_push(d->scratch, &d->paths, firn_arena_strdup(d->scratch, file->path));
    return FIRN_OK;
}

static firn_rc delete_content(firn_expire_files *files, bool dry_run, firn_err *err)
{
    const char *path;
    void *value;
    for (size_t i = 0; firn_map_next(files->manifests, &i, &path, &value);) {
        FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
        doomed d = {.scratch = scratch};
        firn_err why = {0};
        firn_rc rc = each_live(files, NULL, files->metadata, value, take_entry, &d, &why);
        FIRN_TRY(pass_over(rc, &why, err));
        if (!dry_run) {
            delete_all(files, scratch, d.paths.items, d.paths.len);
        }
    }
    return FIRN_OK;
}

/* One of the metadata's own files: counted, and put among those to delete. */
static void take_metadata_file(firn_expire_files *files, doomed *d, const char *path, int64_t bytes)
{
    firn_err ignored = {0};
    if (!is_own(files, path)) {
        files->foreign++;
        return;
    }
    if (bytes < 0 && firn_storage_size(files->storage, path, &bytes, &ignored) != FIRN_OK) {
        bytes = 0;
    }
    files->files++;
    files->bytes += bytes;
    firn_vec_push(d->scratch, &d->paths, path);
}

static void delete_metadata(firn_expire_files *files, bool dry_run)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    doomed manifests = {.scratch = scratch}, lists = {.scratch = scratch};
    const char *path;
    void *value;
    for (size_t i = 0; firn_map_next(files->manifests, &i, &path, &value);) {
        const firn_manifest_file *file = value;
        take_metadata_file(files, &manifests, path, file->length_bytes);
    }
    for (size_t i = 0; i < files->lists.len; i++) {
        if (firn_path_set_has(&files->metadata_files, files->lists.items[i])) {
            take_metadata_file(files, &lists, files->lists.items[i], -1);
        }
    }
    if (!dry_run) {
        delete_all(files, scratch, manifests.paths.items, manifests.paths.len);
        delete_all(files, scratch, lists.paths.items, lists.paths.len);
    }
}

firn_rc firn_expire_files_delete(firn_expire_files *files, bool dry_run, firn_err *err)
{
    FIRN_TRY(delete_content(files, dry_run, err));
    delete_metadata(files, dry_run);
    return FIRN_OK;
}
