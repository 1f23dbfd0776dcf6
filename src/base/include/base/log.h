/* Logging to stderr: one line per event, "2026-11-20T10:00:00Z warn  catalog: message". Libraries log only
 * what no caller will learn otherwise. The default level is WARN; -v gives INFO, -vv DEBUG. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

typedef enum firn_log_level {
    FIRN_LOG_DEBUG,
    FIRN_LOG_INFO,
    FIRN_LOG_WARN,
    FIRN_LOG_ERROR,
    FIRN_LOG_OFF
} firn_log_level;

void firn_log_set_level(firn_log_level level);
bool firn_log_enabled(firn_log_level level);
void firn_log(firn_log_level level, const char *module, const char *fmt, ...) FIRN_PRINTF(3, 4);

#endif
