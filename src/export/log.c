/* logs/export_YYYY_MM.log: what exports did, in lines as Python's logging writes them:
 *
 *   2025-01-15 12:00:00,123 - firn.export - INFO - transaction_stream: 1,000 rows ...
 *
 * Times are UTC; the file is that of the line's month. Each line is one write(2) at the end of the file, under its lock, so lines of processes
 * do not mix; one that a full disk cut short is ended by whoever writes next.
 */
#include "export/history.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { MESSAGE_BYTES_MAX = 8000 };

/* A message may quote what a server said: no forged lines, no escapes for whoever looks at the log with cat. */
static char *one_line(firn_arena *arena, const char *message)
{
    size_t length = strlen(message);
    if (length > MESSAGE_BYTES_MAX) {
        length = MESSAGE_BYTES_MAX;
        while (length > 0 && ((unsigned char)message[length] & 0xC0) == 0x80) {
            length--;
        }
    }
    char *line = firn_arena_strndup(arena, message, length);
    for (char *at = line; *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x20 || *at == 0x7F ? ' ' : *at;
    }
    return line;
}

static char *log_line(firn_arena *arena, int64_t now_us, firn_export_level level,
                      const char *message)
{
    static const char *const LEVELS[] = {"INFO", "WARNING", "ERROR"};
    firn_civil t;
    firn_civil_from_us(now_us, &t);
    return firn_arena_printf(arena, "%04d-%02d-%02d %02d:%02d:%02d,%03d - firn.export - %s - %s\n",
                             t.year, t.month, t.day, t.hour, t.minute, t.second,
                             t.nanosecond / 1000000, LEVELS[level], one_line(arena, message));
}

char *firn_export_log_path(firn_lake *lake, firn_arena *arena, int64_t now_us)
{
    firn_civil t;
    firn_civil_from_us(now_us, &t);
    return firn_lake_path(lake, arena,
                          firn_arena_printf(arena, "logs/export_%04d_%02d.log", t.year, t.month));
}

static firn_rc write_line(firn_lake *lake, firn_arena *arena, int64_t now_us, const char *line,
                          firn_err *err)
{
    const char *path = firn_export_log_path(lake, arena, now_us);
    FIRN_TRY(firn_mkdir_p(firn_path_dirname(arena, path), 0755, err));
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
    }
    /* Whether the last line is whole can be told only while nobody is writing one: a write grows the file page by page. Without the lock
     * (a file system that has none) an empty line is the worst. */
    (void)flock(fd, LOCK_EX);
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n') {
        line = firn_arena_printf(arena, "\n%s", line);
    }
    ssize_t length = (ssize_t)strlen(line);
    ssize_t written;
    do {
        written = write(fd, line, (size_t)length);
    } while (written < 0 && errno == EINTR);
    int why = written < 0 ? errno : ENOSPC;
    close(fd);
    if (written != length) {
        return firn_err_errno(err, __FILE__, __LINE__, why, "cannot write to %s", path);
    }
    return FIRN_OK;
}

void firn_export_log(firn_lake *lake, int64_t now_us, firn_export_level level, const char *format,
                     ...)
{
    static atomic_bool warned;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    va_list args;
    va_start(args, format);
    const char *message = firn_arena_vprintf(arena, format, args);
    va_end(args);
    firn_err err = {0};
    if (write_line(lake, arena, now_us, log_line(arena, now_us, level, message), &err) != FIRN_OK &&
        !atomic_exchange(&warned, true)) {
        firn_log(FIRN_LOG_WARN, "export", "the export log is not written: %s", err.message);
    }
}
