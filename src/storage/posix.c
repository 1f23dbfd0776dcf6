/* The driver of local files.
 *
 * Invariants:
 *  1. A name appears only when its whole content is durable: the content goes into ".tmp-<uuid>" beside it and is
 *     fsynced before the rename or link that makes the name.
 *  2. A put returns FIRN_OK only when the folder that gained the name has been fsynced, and so has every folder that
 *     gained a folder on the way.
 *  3. A put that fails leaves neither the temporary file nor the name; only an overwriting put whose folder cannot
 *     be fsynced has already replaced the object, and says UNKNOWN_OUTCOME.
 *  4. if_absent is decided by the kernel (RENAME_NOREPLACE, else link), never by looking first.
 *  5. A process killed in between leaves at most a ".tmp-" file, which no listing shows.
 *
 * Deletes are not fsynced: an object that comes back after a power loss is an orphan, not a loss.
 */
#include "posix.h"

#include "base/io.h"
#include "base/map.h"
#include "base/thread.h"
#include "base/uuid.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_PREFIX ".tmp-"

enum {
    LIST_DEPTH_MAX = 128,
    LIST_OBJECTS_MAX = 50 * 1000 * 1000,
    SYNC_THREADS =
        8, /* fsyncs wait for the disk, not for a core; together they share its flushes */
};

typedef struct posix_driver {
    bool fsync_off;
} posix_driver;

#define FAIL_ERRNO(err, errnum, ...) \
    return firn_err_errno((err), __FILE__, __LINE__, (errnum), __VA_ARGS__)

/* ---- folders ---------------------------------------------------------------------------------- */

static firn_rc fsync_dir(const posix_driver *posix, const char *dir, firn_err *err)
{
    if (posix->fsync_off) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_fault_point("storage.fsync_dir", dir, err));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        FAIL_ERRNO(err, errno, "cannot open folder %s to make it durable", dir);
    }
    int failed = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    /* Some network file systems have no fsync for folders and say EINVAL; there is nothing more to do there. */
    if (failed && failed != EINVAL) {
        FAIL_ERRNO(err, failed, "cannot make folder %s durable", dir);
    }
    return FIRN_OK;
}

/* Make `dir` and whatever is missing above it. Whoever comes second in a race for the same folder syncs its
 * parent as well, since the first may not have got that far. */
static firn_rc make_dirs(const posix_driver *posix, firn_arena *arena, const char *dir,
                         firn_err *err)
{
    FIRN_VEC(const char *) missing = {0};
    struct stat st;
    const char *at = dir;
    while (stat(at, &st) != 0) {
        if (errno != ENOENT) {
            FAIL_ERRNO(err, errno, "cannot make folder %s", dir);
        }
        firn_vec_push(arena, &missing, at);
        at = firn_path_dirname(arena, at);
    }
    if (!S_ISDIR(st.st_mode)) {
        FIRN_FAIL(err, FIRN_E_IO, "cannot make folder %s: %s is a file", dir, at);
    }
    while (missing.len > 0) {
        const char *next = firn_vec_last(&missing);
        missing.len--;
        FIRN_TRY(firn_fault_point("storage.mkdir", next, err));
        if (mkdir(next, 0777) != 0 && errno != EEXIST) {
            FAIL_ERRNO(err, errno, "cannot make folder %s", next);
        }
        firn_rc rc = fsync_dir(posix, at, err);
        if (rc != FIRN_OK) {
            rmdir(next); /* else the next attempt finds it and takes it for durable */
            return rc;
        }
        at = next;
    }
    return FIRN_OK;
}

static firn_rc posix_prepare_dir(void *ctx, const char *path, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    return make_dirs(ctx, arena, path, err);
}

/* ---- put -------------------------------------------------------------------------------------- */

static firn_rc create_temp(const posix_driver *posix, firn_arena *arena, const char *dir,
                           const char **path, int *fd, firn_err *err)
{
    *path = firn_path_join(arena, dir,
                           firn_arena_printf(arena, TEMP_PREFIX "%s", firn_uuid_new(arena)));
    FIRN_TRY(firn_fault_point("storage.create", *path, err));
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    *fd = open(*path, flags, 0666);
    if (*fd < 0 && errno == ENOENT) {
        FIRN_TRY(make_dirs(posix, arena, dir, err));
        *fd = open(*path, flags, 0666);
    }
    if (*fd < 0) {
        FAIL_ERRNO(err, errno, "cannot create a file in %s", dir);
    }
    return FIRN_OK;
}

static firn_rc write_temp(const posix_driver *posix, int fd, firn_bytes content, const char *path,
                          firn_err *err)
{
    FIRN_TRY(firn_fault_point("storage.write", path, err));
    FIRN_TRY(firn_fd_write(fd, content, path, err));
    if (posix->fsync_off) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_fault_point("storage.fsync", path, err));
    /* A failed fsync is final: the kernel may have dropped the pages, so trying again would report success. */
    if (fsync(fd) != 0) {
        FAIL_ERRNO(err, errno, "cannot make %s durable", path);
    }
    return FIRN_OK;
}

/* Give the temporary file its name unless there is one. */
static int name_if_absent(const char *temp, const char *path)
{
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
        return errno;
    }
    if (link(temp, path) != 0) { /* the file system knows no RENAME_NOREPLACE */
        return errno;
    }
    unlink(temp);
    return 0;
}

static firn_rc publish(const posix_driver *posix, const char *temp, const char *dir,
                       const char *path, bool if_absent, firn_err *err)
{
    FIRN_TRY(firn_fault_point("storage.rename", path, err));
    int failed = if_absent ? name_if_absent(temp, path) : rename(temp, path) == 0 ? 0 : errno;
    if (failed == EEXIST && if_absent) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s exists already", path);
    }
    if (failed) {
        FAIL_ERRNO(err, failed, "cannot give %s its name", path);
    }
    firn_err detail = {0};
    firn_rc rc = fsync_dir(posix, dir, &detail);
    if (rc == FIRN_OK) {
        return FIRN_OK;
    }
    if (if_absent) {
        unlink(path);
        FIRN_FAIL(err, rc, "%s", detail.message);
    }
    FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME,
              "%s was replaced, but the change may not survive a power loss: %s", path,
              detail.message);
}

static firn_rc posix_put(void *ctx, const char *path, firn_bytes content, bool if_absent,
                         firn_err *err)
{
    const posix_driver *posix = ctx;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *dir = firn_path_dirname(arena, path);
    const char *temp;
    int fd;
    FIRN_TRY(firn_fault_point("storage.put", path, err));
    FIRN_TRY(create_temp(posix, arena, dir, &temp, &fd, err));
    firn_rc rc = write_temp(posix, fd, content, path, err);
    if (close(fd) != 0 && rc == FIRN_OK) { /* NFS reports late write errors here */
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write %s", path);
    }
    if (rc == FIRN_OK) {
        rc = publish(posix, temp, dir, path, if_absent, err);
    }
    if (rc != FIRN_OK) {
        unlink(temp);
    }
    return rc;
}

static firn_rc posix_remove(void *ctx, const char *path, firn_err *err)
{
    (void)ctx;
    FIRN_TRY(firn_fault_point("storage.delete", path, err));
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR) {
        FAIL_ERRNO(err, errno, "cannot delete %s", path);
    }
    return FIRN_OK;
}

/* ---- get -------------------------------------------------------------------------------------- */

static firn_rc check_regular(const struct stat *st, const char *path, firn_err *err)
{
    if (!S_ISREG(st->st_mode)) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "%s is %s, not a file", path,
                  S_ISDIR(st->st_mode) ? "a folder" : "a device or pipe");
    }
    return FIRN_OK;
}

static firn_rc posix_size(void *ctx, const char *path, int64_t *size_bytes, firn_err *err)
{
    (void)ctx;
    struct stat st;
    if (stat(path, &st) != 0) {
        FAIL_ERRNO(err, errno, "cannot read %s", path);
    }
    FIRN_TRY(check_regular(&st, path, err));
    *size_bytes = st.st_size;
    return FIRN_OK;
}

static firn_rc read_exactly(int fd, const char *path, uint8_t *data, int64_t offset, size_t len,
                            firn_err *err)
{
    for (size_t done = 0; done < len;) {
        size_t want = len - done;
        ssize_t n =
            pread(fd, data + done, want < (1u << 30) ? want : (1u << 30), offset + (int64_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            FAIL_ERRNO(err, errno, "cannot read %s", path);
        }
        if (n == 0) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s became shorter while it was read", path);
        }
        done += (size_t)n;
    }
    return FIRN_OK;
}

static firn_rc read_open_file(int fd, firn_arena *arena, const char *path, int64_t offset,
                              int64_t length, size_t max_bytes, firn_bytes *out, firn_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        FAIL_ERRNO(err, errno, "cannot read %s", path);
    }
    FIRN_TRY(check_regular(&st, path, err));
    if (length < 0) {
        length = st.st_size;
    } else if (offset > st.st_size || length > st.st_size - offset) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s ends at %lld bytes, before the wanted range [%lld, %lld)", path,
                  (long long)st.st_size, (long long)offset, (long long)(offset + length));
    }
    if ((uint64_t)length > max_bytes) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s has %lld bytes; at most %zu are read at once", path,
                  (long long)length, max_bytes);
    }
    uint8_t *data = firn_arena_alloc(arena, (size_t)length + 1);
    FIRN_TRY(read_exactly(fd, path, data, offset, (size_t)length, err));
    data[length] = '\0';
    *out = firn_bytes_of(data, (size_t)length);
    return FIRN_OK;
}

static firn_rc posix_get(void *ctx, firn_arena *arena, const char *path, int64_t offset,
                         int64_t length, size_t max_bytes, firn_bytes *out, firn_err *err)
{
    (void)ctx;
    int fd = open(path, O_RDONLY | O_CLOEXEC |
                            O_NONBLOCK); /* a pipe must not hang us; files do not care */
    if (fd < 0) {
        FAIL_ERRNO(err, errno, "cannot read %s", path);
    }
    firn_rc rc = read_open_file(fd, arena, path, offset, length, max_bytes, out, err);
    close(fd);
    return rc;
}

/* ---- list ------------------------------------------------------------------------------------- */

typedef struct pending_dir {
    const char
        *path; /* with the trailing slash, so that names are appended to what was asked for */
    int depth;
} pending_dir;

typedef struct lister {
    firn_arena *arena;
    FIRN_VEC(pending_dir) pending;
    FIRN_VEC(firn_storage_object) objects;
} lister;

static firn_rc list_entry(lister *list, const pending_dir *dir, int dir_fd, const char *name,
                          firn_err *err)
{
    struct stat st;
    const char *path = firn_arena_printf(list->arena, "%s%s", dir->path, name);
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        (S_ISLNK(st.st_mode) && (fstatat(dir_fd, name, &st, 0) != 0 || S_ISDIR(st.st_mode)))) {
        return FIRN_OK; /* gone meanwhile, dangling, or a linked folder */
    }
    if (S_ISDIR(st.st_mode)) {
        if (dir->depth >= LIST_DEPTH_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "%s is nested deeper than %d folders", path,
                      LIST_DEPTH_MAX);
        }
        pending_dir below = {.path = firn_arena_printf(list->arena, "%s/", path),
                             .depth = dir->depth + 1};
        firn_vec_push(list->arena, &list->pending, below);
        return FIRN_OK;
    }
    if (!S_ISREG(st.st_mode)) {
        return FIRN_OK;
    }
    if (list->objects.len >= LIST_OBJECTS_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "there are more than %d files below %s: list a narrower prefix", LIST_OBJECTS_MAX,
                  dir->path);
    }
    firn_storage_object object = {
        .location = path,
        .size_bytes = st.st_size,
        .modified_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
    };
    firn_vec_push(list->arena, &list->objects, object);
    return FIRN_OK;
}

static firn_rc list_dir(lister *list, pending_dir dir, const char *name_prefix, firn_err *err)
{
    DIR *stream = opendir(dir.path);
    if (!stream) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return FIRN_OK;
        }
        FAIL_ERRNO(err, errno, "cannot list %s", dir.path);
    }
    firn_rc rc = FIRN_OK;
    struct dirent *entry;
    while (rc == FIRN_OK && (errno = 0, entry = readdir(stream)) != NULL) {
        const char *name = entry->d_name;
        if (firn_streq(name, ".") || firn_streq(name, "..") ||
            firn_starts_with(name, TEMP_PREFIX) || !firn_starts_with(name, name_prefix)) {
            continue;
        }
        rc = list_entry(list, &dir, dirfd(stream), name, err);
    }
    if (rc == FIRN_OK && errno != 0) {
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot list %s", dir.path);
    }
    closedir(stream);
    return rc;
}

static int by_location(const void *a, const void *b)
{
    return strcmp(((const firn_storage_object *)a)->location,
                  ((const firn_storage_object *)b)->location);
}

static firn_rc posix_list(void *ctx, firn_arena *arena, const char *prefix,
                          firn_storage_object **objects, size_t *n, firn_err *err)
{
    (void)ctx;
    lister list = {.arena = arena};
    const char *name_prefix = strrchr(prefix, '/') + 1;
    pending_dir top = {.path = firn_arena_strndup(arena, prefix, (size_t)(name_prefix - prefix))};
    FIRN_TRY(list_dir(&list, top, name_prefix, err));
    while (list.pending.len > 0) {
        pending_dir next = firn_vec_last(&list.pending);
        list.pending.len--;
        FIRN_TRY(list_dir(&list, next, "", err));
    }
    if (list.objects.len > 0) {
        qsort(list.objects.items, list.objects.len, sizeof(*list.objects.items), by_location);
    }
    *objects = list.objects.items;
    *n = list.objects.len;
    return FIRN_OK;
}

/* ---- sync ------------------------------------------------------------------------------------- */

typedef struct sync_job {
    const char *const *paths;
    pthread_mutex_t lock;
    firn_rc rc; /* @locks lock: the first failure */
    firn_err *err;
} sync_job;

static firn_rc fsync_file(const char *path, firn_err *err)
{
    FIRN_TRY(firn_fault_point("storage.fsync", path, err));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        FAIL_ERRNO(err, errno, "cannot open %s to make it durable", path);
    }
    int failed = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    if (failed) {
        FAIL_ERRNO(err, failed, "cannot make %s durable", path);
    }
    return FIRN_OK;
}

static void fsync_nth_file(void *ctx, size_t i)
{
    sync_job *job = ctx;
    firn_err detail = {0};
    firn_rc rc = fsync_file(job->paths[i], &detail);
    if (rc == FIRN_OK) {
        return;
    }
    pthread_mutex_lock(&job->lock);
    if (job->rc == FIRN_OK && job->err) {
        *job->err = detail;
    }
    job->rc = job->rc == FIRN_OK ? rc : job->rc;
    pthread_mutex_unlock(&job->lock);
}

/* Folders from the file's own up to root, each noted once. */
static firn_rc note_folders(firn_arena *arena, firn_map *folders, const char *root,
                            const char *path, firn_err *err)
{
    size_t root_len = strlen(root);
    bool below = strncmp(path, root, root_len) == 0 && (root_len == 1 || path[root_len] == '/');
    if (!below) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is not under %s", path, root);
    }
    for (const char *dir = firn_path_dirname(arena, path);
         strlen(dir) >= root_len && !firn_map_has(folders, dir);
         dir = firn_path_dirname(arena, dir)) {
        firn_map_put(folders, dir, folders);
        if (strlen(dir) == root_len) {
            break;
        }
    }
    return FIRN_OK;
}

static firn_rc posix_sync(void *ctx, const char *root, const char *const *paths, size_t n,
                          firn_err *err)
{
    const posix_driver *posix = ctx;
    if (posix->fsync_off || n == 0) {
        return FIRN_OK;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t root_len = strlen(root);
    while (root_len > 1 && root[root_len - 1] == '/') {
        root_len--;
    }
    const char *top = firn_arena_strndup(arena, root, root_len);
    firn_map *folders = firn_map_new(arena);
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(note_folders(arena, folders, top, paths[i], err));
    }
    sync_job job = {.paths = paths, .lock = PTHREAD_MUTEX_INITIALIZER, .err = err};
    firn_parallel_for(n < SYNC_THREADS ? (int)n : SYNC_THREADS, n, fsync_nth_file, &job);
    FIRN_TRY(job.rc);
    const char *dir;
    void *unused;
    for (size_t i = 0; firn_map_next(folders, &i, &dir, &unused);) {
        FIRN_TRY(fsync_dir(posix, dir, err));
    }
    return FIRN_OK;
}

/* ----------------------------------------------------------------------------------------------- */

firn_storage_driver firn_posix_driver_new(bool fsync_off)
{
    posix_driver *posix = firn_calloc(1, sizeof(*posix));
    posix->fsync_off = fsync_off;
    return (firn_storage_driver){
        .scheme = "file",
        .ctx = posix,
        .get = posix_get,
        .size = posix_size,
        .put = posix_put,
        .remove = posix_remove,
        .list = posix_list,
        .prepare_dir = posix_prepare_dir,
        .sync = posix_sync,
        .release = free,
    };
}
