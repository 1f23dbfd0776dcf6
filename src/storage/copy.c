/* Copying one object, in pieces where both ends are local files: data files do not fit into memory by the dozen. */
#include "storage/storage.h"

#include "base/io.h"
#include "base/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE_BYTES = 4 << 20, WHOLE_BYTES_MAX = 1 << 30 };

#define FAIL_ERRNO(err, errnum, ...) \
    return firn_err_errno((err), __FILE__, __LINE__, (errnum), __VA_ARGS__)

static firn_rc write_all(int fd, firn_bytes piece, const char *path, firn_err *err)
{
    FIRN_TRY(firn_fault_point("storage.write", path, err));
    return firn_fd_write(fd, piece, path, err);
}

static firn_rc pump(int in, int out, const char *from, const char *to, firn_err *err)
{
    char *piece = firn_malloc(PIECE_BYTES);
    firn_rc rc = FIRN_OK;
    while (rc == FIRN_OK) {
        ssize_t n = read(in, piece, PIECE_BYTES);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot read %s", from);
        } else if (n > 0) {
            rc = write_all(out, firn_bytes_of(piece, (size_t)n), to, err);
        }
    }
    free(piece);
    return rc;
}

static firn_rc copy_into(int in, const char *temp, const char *from, const char *to, firn_err *err)
{
    FIRN_TRY(firn_fault_point("storage.create", temp, err));
    int out = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out < 0) {
        FAIL_ERRNO(err, errno, "cannot create a file beside %s", to);
    }
    firn_rc rc = pump(in, out, from, to, err);
    if (close(out) != 0 && rc == FIRN_OK) {
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write %s", to);
    }
    if (rc == FIRN_OK) {
        rc = firn_fault_point("storage.rename", to, err);
    }
    if (rc == FIRN_OK && rename(temp, to) != 0) {
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot rename to %s", to);
    }
    if (rc != FIRN_OK) {
        (void)unlink(temp);
    }
    return rc;
}

firn_rc firn_storage_copy(firn_storage *storage, const char *from, const char *to, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *source = firn_storage_resolve(storage, arena, from);
    const char *target = firn_storage_resolve(storage, arena, to);
    firn_bytes content;
    if (source[0] != '/' || target[0] != '/') {
        FIRN_TRY(firn_storage_get(storage, arena, from, WHOLE_BYTES_MAX, &content, err));
        return firn_storage_put(storage, to, content, err);
    }
    const char *dir = firn_path_dirname(arena, target);
    FIRN_TRY(firn_storage_prepare_dir(storage, dir, err));
    int in = open(source, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        FAIL_ERRNO(err, errno, "cannot open %s", source);
    }
    /* The name of unfinished puts, which listings leave out. */
    const char *temp =
        firn_path_join(arena, dir, firn_arena_printf(arena, ".tmp-%s", firn_uuid_new(arena)));
    firn_rc rc = copy_into(in, temp, source, target, err);
    close(in);
    return rc;
}
