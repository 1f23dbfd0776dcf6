/* The lock of a feed: .firn/export/<feed>.lock, which holds the number of the process that has it. */
#include "export/lock.h"

#include "base/io.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { LOCK_PAUSE_US = 20000 };

static firn_rc busy(const char *feed, int fd, firn_err *err)
{
    char text[32] = "";
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    FIRN_FAIL(err, FIRN_E_BUSY,
              "feed %s is being worked on by process %d; try again when it is done", feed,
              atoi(text));
}

firn_rc firn_export_lock_take(firn_lake *lake, const char *feed, int wait_ms, firn_export_lock *out,
                              firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *folder = firn_lake_path(lake, arena, ".firn/export");
    char *path = firn_arena_printf(arena, "%s/%s.lock", folder, feed);
    *out = (firn_export_lock){.fd = -1};
    FIRN_TRY(firn_mkdir_p(folder, 0755, err));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
    }
    int64_t until_us = firn_monotonic_us() + (int64_t)wait_ms * 1000;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            int why = errno;
            close(fd);
            return firn_err_errno(err, __FILE__, __LINE__, why, "cannot lock %s", path);
        }
        if (firn_monotonic_us() >= until_us) {
            firn_rc rc = busy(feed, fd, err);
            close(fd);
            return rc;
        }
        usleep(LOCK_PAUSE_US);
    }
    char text[32];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length) {
        /* The number is for people; the lock holds without it. */
    }
    out->fd = fd;
    return FIRN_OK;
}

void firn_export_lock_drop(firn_export_lock *lock)
{
    if (lock->fd >= 0) {
        close(lock->fd);
        lock->fd = -1;
    }
}
