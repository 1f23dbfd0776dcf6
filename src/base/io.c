/* Whole local files: bounded reads, durable atomic writes, folders, and paths as text.
 *
 * A write goes: temporary name in the same folder (so that rename stays on one file system), write, fsync,
 * close, rename, fsync of the folder. Until the rename the old file is untouched, and every failure before it
 * removes the temporary file.
 */
#include "base/io.h"

#include "base/uuid.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

#define AUTO_FD __attribute__((cleanup(close_fd)))

static firn_rc check_regular(int fd, const char *path, firn_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot look at %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        FIRN_FAIL(err, FIRN_E_IO, "cannot read %s: it is not a regular file", path);
    }
    return FIRN_OK;
}

static firn_rc read_all(int fd, const char *path, size_t max_bytes, firn_buf *buf, firn_err *err)
{
    enum { STEP_BYTES = 64 << 10 };
    for (;;) {
        uint8_t *to = firn_buf_reserve(buf, STEP_BYTES);
        ssize_t got = to != NULL ? read(fd, to, STEP_BYTES) : 0;
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot read %s", path);
        }
        buf->len += (size_t)got;
        if (to == NULL || buf->len > max_bytes) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "%s is larger than the %zu bytes allowed for it", path,
                      max_bytes);
        }
        if (got == 0) {
            return FIRN_OK;
        }
    }
}

firn_rc firn_file_read(firn_arena *arena, const char *path, size_t max_bytes, firn_bytes *out,
                       firn_err *err)
{
    /* O_NONBLOCK: opening a pipe by mistake must not wait for a writer. */
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
    }
    FIRN_TRY(check_regular(fd, path, err));
    FIRN_AUTO_BUF firn_buf buf = {0};
    FIRN_TRY(read_all(fd, path, max_bytes, &buf, err));
    uint8_t *copy = firn_arena_alloc(arena, buf.len + 1);
    if (buf.len != 0) {
        memcpy(copy, buf.data, buf.len);
    }
    copy[buf.len] = '\0';
    *out = firn_bytes_of(copy, buf.len);
    return FIRN_OK;
}

firn_rc firn_fd_write(int fd, firn_bytes content, const char *path, firn_err *err)
{
    for (size_t done = 0; done < content.len;) {
        ssize_t n = write(fd, content.data + done, content.len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return firn_err_errno(err, __FILE__, __LINE__, n < 0 ? errno : ENOSPC,
                                  "cannot write %s (%zu of %zu bytes written)", path, done,
                                  content.len);
        }
        done += (size_t)n;
    }
    return FIRN_OK;
}

static firn_rc sync_dir(const char *dir, firn_err *err)
{
    AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno,
                              "cannot open folder %s to make its entries durable", dir);
    }
    if (fsync(fd) != 0 && errno != EINVAL) { /* EINVAL: this file system has no such thing */
        return firn_err_errno(err, __FILE__, __LINE__, errno,
                              "cannot make the entries of folder %s durable", dir);
    }
    return FIRN_OK;
}

/* Create `temp` with the content, durable. May leave it behind on failure: the caller removes it. */
static firn_rc write_temp(const char *temp, const char *path, firn_bytes content, mode_t mode,
                          firn_err *err)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno,
                              "cannot create a temporary file to write %s", path);
    }
    firn_rc rc = firn_fd_write(fd, content, path, err);
    if (rc == FIRN_OK && fsync(fd) != 0) {
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot make %s durable", path);
    }
    /* Some file systems report a failed write only here. */
    if (close(fd) != 0 && rc == FIRN_OK && errno != EINTR) {
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write %s", path);
    }
    return rc;
}

firn_rc firn_file_write_atomic(const char *path, firn_bytes content, mode_t mode, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    const char *dir = firn_path_dirname(scratch, path);
    const char *name =
        firn_arena_printf(scratch, ".firn-tmp-%016llx", (unsigned long long)firn_random_u64());
    const char *temp = firn_path_join(scratch, dir, name);
    firn_rc rc = write_temp(temp, path, content, mode, err);
    if (rc == FIRN_OK && rename(temp, path) != 0) {
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot move the new content to %s",
                            path);
    }
    if (rc != FIRN_OK) {
        unlink(temp);
        return rc;
    }
    rc = sync_dir(dir, err);
    if (rc != FIRN_OK && err != NULL) {
        err->outcome_unknown = true; /* in place now, but a power cut may bring the old file back */
    }
    return rc;
}

firn_rc firn_file_remove(const char *path, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    if (unlink(path) != 0) {
        return errno == ENOENT
                   ? FIRN_OK
                   : firn_err_errno(err, __FILE__, __LINE__, errno, "cannot remove %s", path);
    }
    return sync_dir(firn_path_dirname(scratch, path), err);
}

static firn_rc mkdir_one(const char *path, mode_t mode, firn_err *err)
{
    if (mkdir(path, mode) == 0) {
        FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
        return sync_dir(firn_path_dirname(scratch, path), err);
    }
    if (errno == EEXIST && firn_path_is_dir(path)) {
        return FIRN_OK;
    }
    if (errno == EEXIST) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "cannot create folder %s: something else has this name",
                  path);
    }
    return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot create folder %s", path);
}

firn_rc firn_mkdir_p(const char *path, mode_t mode, firn_err *err)
{
    if (firn_path_is_dir(path)) {
        return FIRN_OK;
    }
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    char *prefix = firn_arena_strdup(scratch, path);
    for (char *p = prefix; *p != '\0'; p++) {
        if (*p != '/' || p == prefix) {
            continue;
        }
        *p = '\0';
        /* Only what is missing: a parent may stand on a read-only mount. */
        if (!firn_path_is_dir(prefix)) {
            FIRN_TRY(mkdir_one(prefix, mode, err));
        }
        *p = '/';
    }
    return firn_path_is_dir(path) ? FIRN_OK : mkdir_one(path, mode, err);
}

bool firn_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool firn_path_is_dir(const char *path)
{
    struct stat st;
    int kept = errno;
    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    errno = kept;
    return is_dir;
}

char *firn_path_join(firn_arena *arena, const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0') {
        return firn_arena_strdup(arena, name);
    }
    return firn_arena_printf(arena, "%s%s%s", dir, firn_ends_with(dir, "/") ? "" : "/", name);
}

char *firn_path_dirname(firn_arena *arena, const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    if (len == 0) {
        return firn_arena_strdup(arena, ".");
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    return firn_arena_strndup(arena, path, len);
}

const char *firn_path_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

char *firn_path_absolute(firn_arena *arena, const char *path)
{
    if (path[0] != '/') {
        char *cwd = getcwd(NULL, 0);
        if (cwd == NULL) {
            return firn_arena_strdup(arena,
                                     path); /* the folder is gone: whoever opens it will say so */
        }
        path = firn_path_join(arena, cwd, path);
        free(cwd);
    }
    size_t n;
    char **parts = firn_str_split(arena, path, '/', &n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(parts[i], "..")) {
            kept -= kept != 0;
        } else if (parts[i][0] != '\0' && !firn_streq(parts[i], ".")) {
            parts[kept++] = parts[i];
        }
    }
    const char *joined = firn_str_join(arena, (const char *const *)parts, kept, "/");
    return firn_arena_printf(arena, "/%s", joined);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

firn_rc firn_dir_names(firn_arena *arena, const char *path, const char *ending, char ***out,
                       size_t *n, firn_err *err)
{
    FIRN_VEC(char *) names = {0};
    DIR *dir = opendir(path);
    if (dir == NULL && errno != ENOENT) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot read the folder %s", path);
    }
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.' && firn_ends_with(entry->d_name, ending)) {
            size_t len = strlen(entry->d_name) - strlen(ending);
            firn_vec_push(arena, &names, firn_arena_strndup(arena, entry->d_name, len));
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (names.len > 0) {
        qsort(names.items, names.len, sizeof(names.items[0]), by_name);
    }
    *out = names.items;
    *n = names.len;
    return FIRN_OK;
}
