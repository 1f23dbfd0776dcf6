/* Logging to stderr, each event one line and one write, so that lines of threads and processes that share
 * a stderr do not mix.
 */
#include "base/log.h"

#include "base/time.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_BYTES = 4096 };

static _Atomic firn_log_level log_level = FIRN_LOG_WARN;

void firn_log_set_level(firn_log_level level)
{
    atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

bool firn_log_enabled(firn_log_level level)
{
    return level >= atomic_load_explicit(&log_level, memory_order_relaxed) && level < FIRN_LOG_OFF;
}

static size_t put_prefix(char line[LINE_BYTES], firn_log_level level, const char *module)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    assert(level < FIRN_LOG_OFF);
    firn_civil t;
    firn_civil_from_us(firn_now_us(), &t);
    int len = snprintf(line, LINE_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ %-5s %.64s: ", t.year,
                       t.month, t.day, t.hour, t.minute, t.second, names[level], module);
    return (size_t)len;
}

void firn_log(firn_log_level level, const char *module, const char *fmt, ...)
{
    if (!firn_log_enabled(level)) {
        return;
    }
    char line[LINE_BYTES];
    size_t start = put_prefix(line, level, module);
    size_t room = LINE_BYTES - start - 1; /* one byte is for the newline */
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(line + start, room, fmt, args);
    va_end(args);
    size_t end = start;
    if (wanted >= 0 && (size_t)wanted < room) {
        end += (size_t)wanted;
    } else if (wanted >= 0) {
        end += room - 1;
        memcpy(line + end - 3, "...", 3);
    }
    for (size_t i = start; i < end; i++) {
        if ((unsigned char)line[i] < 0x20) {
            line[i] =
                ' '; /* messages may quote outside text: no forged lines, no terminal escapes */
        }
    }
    line[end++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, end); /* nobody is left to tell */
    (void)ignored;
}
