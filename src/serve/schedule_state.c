/* .firn/schedules/<name>.json: what the last run of a schedule did, written atomically when it starts and when it ends.
 *
 *   {"outcome": "ok", "due": "2025-01-15T02:00:00Z", "started": "...", "ended": "...", "last_success": "...", "exit_code": 0,
 *    "signal": 0, "pid": 4711, "by_hand": false, "runs": 31, "failures": 1, "overlaps": 0}
 */
#include "schedule_private.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { STATE_BYTES_MAX = 1 << 16 };

static const char *const OUTCOMES[] = {
    [FIRN_SCHEDULE_NEVER] = "never",
    [FIRN_SCHEDULE_RUNNING] = "running",
    [FIRN_SCHEDULE_OK] = "ok",
    [FIRN_SCHEDULE_FAILED] = "failed",
    [FIRN_SCHEDULE_TIMED_OUT] = "timed out",
    [FIRN_SCHEDULE_STOPPED] = "stopped",
    [FIRN_SCHEDULE_INTERRUPTED] = "interrupted",
    [FIRN_SCHEDULE_NOT_STARTED] = "not started",
};
enum { N_OUTCOMES = sizeof(OUTCOMES) / sizeof(OUTCOMES[0]) };

const char *firn_schedule_outcome_name(firn_schedule_outcome outcome)
{
    return OUTCOMES[outcome];
}

char *firn_schedule_path(firn_lake *lake, firn_arena *arena, const char *name, const char *ending)
{
    return firn_lake_path(lake, arena,
                          firn_arena_printf(arena, ".firn/schedules/%s.%s", name, ending));
}

char *firn_schedule_log_path(firn_lake *lake, firn_arena *arena, const char *name)
{
    return firn_lake_path(lake, arena, firn_arena_printf(arena, "logs/schedule_%s.log", name));
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static json_t *time_json(firn_arena *arena, int64_t us)
{
    return us > 0 ? json_string(
                        firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, us, false)))
                  : json_null();
}

void firn_schedule_state_write(firn_lake *lake, const char *name, const firn_schedule_state *state)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    json_t *json =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:b, s:I, s:I, s:I}", "outcome",
                  OUTCOMES[state->outcome], "due", time_json(arena, state->due_us), "started",
                  time_json(arena, state->started_us), "ended", time_json(arena, state->ended_us),
                  "last_success", time_json(arena, state->last_success_us), "exit_code",
                  state->exit_code, "signal", state->signal, "pid", state->pid, "by_hand",
                  state->by_hand, "runs", (json_int_t)state->runs, "failures",
                  (json_int_t)state->failures, "overlaps", (json_int_t)state->overlaps);
    const char *text =
        firn_arena_printf(arena, "%s\n", firn_json_text(arena, firn_json_own(arena, json)));
    const char *path = firn_schedule_path(lake, arena, name, "json");
    firn_rc rc = firn_fault_point("schedule.state", name, &err);
    if (rc == FIRN_OK) {
        rc = firn_mkdir_p(firn_path_dirname(arena, path), 0755, &err);
    }
    if (rc == FIRN_OK) {
        rc = firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err);
    }
    if (rc != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "schedule", "what %s did is not recorded: %s", name, err.message);
    }
}

void firn_schedule_say(firn_lake *lake, const char *name, int64_t now_us, bool error,
                       const char *format, ...)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_civil t;
    firn_civil_from_us(now_us, &t);
    va_list args;
    va_start(args, format);
    const char *message = firn_arena_vprintf(arena, format, args);
    va_end(args);
    const char *line = firn_arena_printf(
        arena, "%04d-%02d-%02d %02d:%02d:%02d,%03d - firn.schedule - %s - %s: %s\n", t.year,
        t.month, t.day, t.hour, t.minute, t.second, t.nanosecond / 1000000,
        error ? "ERROR" : "INFO", name, message);
    int fd = open(firn_schedule_log_path(lake, arena, name),
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line)) {
        firn_log(FIRN_LOG_WARN, "schedule", "%s: %s", name, message); /* somewhere, then */
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static int64_t time_of(const json_t *json, const char *key)
{
    int64_t us = 0;
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL && firn_parse_timestamp(text, &us, NULL) && us > 0 ? us : 0;
}

static int64_t count_of(const json_t *json, const char *key)
{
    int64_t n = json_integer_value(json_object_get(json, key));
    return n > 0 ? n : 0;
}

static int small_of(const json_t *json, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(json, key));
    return n >= -1 && n <= 1 << 22 ? (int)n : 0;
}

/* Somebody has the lock: the run itself, or the server that waits for it. */
static bool is_locked(firn_lake *lake, firn_arena *arena, const char *name)
{
    int fd = open(firn_schedule_path(lake, arena, name, "lock"), O_RDONLY | O_CLOEXEC);
    bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0) {
        close(fd);
    }
    return locked;
}

void firn_schedule_state_read(firn_lake *lake, const char *name, firn_schedule_state *out)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_bytes text;
    json_t *json = NULL;
    *out = (firn_schedule_state){0};
    if (firn_file_read(arena, firn_schedule_path(lake, arena, name, "json"), STATE_BYTES_MAX, &text,
                       NULL) != FIRN_OK ||
        firn_json_parse(arena, text, "state", &json, NULL) != FIRN_OK || !json_is_object(json)) {
        return;
    }
    const char *outcome = json_string_value(json_object_get(json, "outcome"));
    for (size_t i = 0; outcome != NULL && i < N_OUTCOMES; i++) {
        if (firn_streq(OUTCOMES[i], outcome)) {
            out->outcome = (firn_schedule_outcome)i;
        }
    }
    out->due_us = time_of(json, "due");
    out->started_us = time_of(json, "started");
    out->ended_us = time_of(json, "ended");
    out->last_success_us = time_of(json, "last_success");
    out->exit_code = small_of(json, "exit_code");
    out->signal = small_of(json, "signal");
    out->pid = small_of(json, "pid");
    out->by_hand = json_is_true(json_object_get(json, "by_hand"));
    out->runs = count_of(json, "runs");
    out->failures = count_of(json, "failures");
    out->overlaps = count_of(json, "overlaps");
    if (out->outcome == FIRN_SCHEDULE_RUNNING && !is_locked(lake, arena, name)) {
        out->outcome = FIRN_SCHEDULE_INTERRUPTED;
    }
}

char *firn_schedule_state_text(firn_arena *arena, const firn_schedule_state *state)
{
    if (state->outcome == FIRN_SCHEDULE_FAILED) {
        return state->signal > 0 ? firn_arena_printf(arena, "killed by signal %d", state->signal)
                                 : firn_arena_printf(arena, "failed (code %d)", state->exit_code);
    }
    return firn_arena_strdup(arena, OUTCOMES[state->outcome]);
}

firn_rc firn_schedule_next(firn_arena *arena, const firn_schedule_config *config, int64_t now_us,
                           int64_t *out_us, firn_err *err)
{
    const firn_zone *zone = NULL;
    firn_rc rc = firn_zone_load(arena, config->timezone, &zone, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "schedule %s (line %d of firn.yaml)", config->name,
                             config->line);
    }
    *out_us = firn_cron_next_us(&config->when, zone, now_us);
    return FIRN_OK;
}
