/* The schedules of firn.yaml: firn's own commands that `firn serve` runs by the clock.
 *
 *   schedules:
 *     - name: nightly
 *       cron: "0 2 * * *"
 *       run: export --all
 *       timezone: Europe/Paris
 *       timeout: 2h
 *
 * Members are declared once, in the table of config_schedules.c; the reference page is made from it. `run` is cut into words at
 * blanks; '...' and "..." keep a word together. No shell sees it: redirections, pipes and other programs are refused. Everything
 * lives in the configuration's arena.
 */
#ifndef LAKE_SCHEDULES_H
#define LAKE_SCHEDULES_H

#include "base/cron.h"

typedef struct firn_schedule_config {
    const char *name; /* also of its files: letters, digits, "_" and "-" */
    const char *cron; /* as it is written */
    firn_cron when;
    const char *run;
    char **words; /* NULL behind the last; without "firn" */
    size_t n_words;
    const char *timezone; /* UTC, local, Europe/Paris: not loaded yet */
    int64_t timeout_ms;
    bool catch_up; /* one run for those missed while no server ran */
    bool enabled;
    int line; /* of firn.yaml */
} firn_schedule_config;

struct firn_config;
/* NOT_FOUND says the nearest, or which there are. */
firn_rc firn_schedule_config_find(const struct firn_config *config, const char *name,
                                  const firn_schedule_config **out, firn_err *err) FIRN_MUST_USE;

#endif
