/* Files that a run makes for people (reports, plain Parquet copies): written under <lake>/.firn/runs/<run_id>/ with the path that they
 * will have in the lake, and moved there once the run is published. A failed run thus replaces nothing.
 *
 * Publishing is repeatable: after a crash in its middle, what is still staged is moved by the next call.
 */
#include "internal.h"

#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

firn_rc firn_artifact_path(firn_attempt *attempt, const char *relative, char **out, firn_err *err)
{
    bool leaves = relative[0] == '/' || firn_streq(relative, "..") ||
                  firn_starts_with(relative, "../") || strstr(relative, "/../") != NULL ||
                  firn_ends_with(relative, "/..");
    if (leaves || relative[0] == '\0' || firn_ends_with(relative, "/")) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "task %s: \"%s\" must be the path of a file inside the lake, without \"..\"",
                  attempt->task->name, relative);
    }
    if (firn_starts_with(relative, ".firn/")) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "task %s: \"%s\" would lie among firn's own files",
                  attempt->task->name, relative);
    }
    *out = firn_path_join(attempt->arena, attempt->run->stage_dir, relative);
    return firn_mkdir_p(firn_path_dirname(attempt->arena, *out), 0755, err);
}

/* fsync what COPY or others wrote without it; the rename that follows must not become durable before the content. */
static firn_rc sync_path(const char *path, int flags, firn_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0 || fsync(fd) != 0) {
        int errnum = errno;
        if (fd >= 0) {
            close(fd);
        }
        return firn_err_errno(err, __FILE__, __LINE__, errnum, "cannot make %s durable", path);
    }
    close(fd);
    return FIRN_OK;
}

static firn_rc move_file(firn_arena *arena, const char *from, const char *to, firn_err *err)
{
    const char *folder = firn_path_dirname(arena, to);
    FIRN_TRY(firn_mkdir_p(folder, 0755, err));
    FIRN_TRY(sync_path(from, 0, err));
    if (rename(from, to) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot move %s to %s", from, to);
    }
    return sync_path(folder, O_DIRECTORY, err);
}

/* Depth-first over a folder; `to` NULL deletes. */
static firn_rc walk(firn_arena *arena, const char *from, const char *to, firn_err *err)
{
    DIR *dir = opendir(from);
    if (dir == NULL) {
        return errno == ENOENT ? FIRN_OK
                               : firn_err_errno(err, __FILE__, __LINE__, errno,
                                                "cannot read the folder %s", from);
    }
    firn_rc rc = FIRN_OK;
    for (struct dirent *item; rc == FIRN_OK && (item = readdir(dir)) != NULL;) {
        if (firn_streq(item->d_name, ".") || firn_streq(item->d_name, "..")) {
            continue;
        }
        const char *path = firn_path_join(arena, from, item->d_name);
        const char *target = to != NULL ? firn_path_join(arena, to, item->d_name) : NULL;
        if (firn_path_is_dir(path)) {
            rc = walk(arena, path, target, err);
        } else if (target != NULL) {
            rc = move_file(arena, path, target, err);
        } else {
            (void)unlink(path);
        }
    }
    closedir(dir);
    if (rc == FIRN_OK) {
        (void)rmdir(from);
    }
    return rc;
}

firn_rc firn_artifacts_publish(const char *lake_root, const char *stage_dir, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    return walk(arena, stage_dir, lake_root, err);
}

void firn_artifacts_discard(const char *stage_dir)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err;
    (void)walk(arena, stage_dir, NULL, &err);
}
