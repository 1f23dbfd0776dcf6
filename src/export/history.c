/* The history of a feed: .firn/export/<feed>.history.jsonl, one export a line.
 *
 *   {"time": "2025-01-15T12:00:00.123456Z", "outcome": "done", "rows": 1000, "bytes": 15400, "json_bytes": 98211, "table_rows": 4000,
 *    "version": 0, "seconds": 0.084, "snapshot_id": 731, "message": "...", "nulls": {"user_id": 0}}
 *
 * Invariants:
 *   - A line is written by one write(2) at the file's end, under a lock on the file. One that was cut short (a full disk, a kill) is
 *     ended by whoever appends next, so it spoils no other line.
 *   - With more than KEPT_LINES and SLACK_LINES the newest KEPT_LINES are written beside and renamed into place. Whoever waits for
 *     the lock then looks again which file it is.
 */
#include "export/history.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEPT_LINES = 1000,
    SLACK_LINES = 100,      /* so that not every export writes the file anew */
    LINE_BYTES_MIN = 100,   /* no line is shorter: smaller files need no counting */
    LINE_BYTES_MAX = 64000, /* longer lines go without their null counts */
    MESSAGE_BYTES_MAX = 2000,
    FILE_BYTES_MAX = 80 << 20,
};

static const char *const OUTCOMES[] = {
    [FIRN_EXPORT_DONE] = "done",
    [FIRN_EXPORT_NOTHING_NEW] = "nothing_new",
    [FIRN_EXPORT_SKIPPED] = "skipped",
    [FIRN_EXPORT_FAILED] = "failed",
};
enum { N_OUTCOMES = sizeof(OUTCOMES) / sizeof(OUTCOMES[0]) };

const char *firn_export_outcome_name(firn_export_outcome outcome)
{
    return OUTCOMES[outcome];
}

static char *history_path(firn_lake *lake, firn_arena *arena, const char *feed)
{
    return firn_lake_path(lake, arena,
                          firn_arena_printf(arena, ".firn/export/%s.history.jsonl", feed));
}

/* ---- writing ------------------------------------------------------------------------------------------- */

/* Of `text` at most `max` bytes, whole characters. */
static size_t cut_length(const char *text, size_t max)
{
    size_t length = strlen(text);
    if (length <= max) {
        return length;
    }
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80) {
        max--;
    }
    return max;
}

/* Texts that are no UTF-8 (a path, a server's answer) would be no JSON. */
static const char *json_safe(firn_arena *arena, const char *text)
{
    char *copy = firn_arena_strndup(arena, text, cut_length(text, MESSAGE_BYTES_MAX));
    if (firn_utf8_valid(firn_bytes_str(copy))) {
        return copy;
    }
    for (char *at = copy; *at != '\0'; at++) {
        *at = (unsigned char)*at >= 0x80 ? '?' : *at;
    }
    return copy;
}

static json_t *record_json(firn_arena *arena, const firn_export_record *record, bool with_nulls)
{
    double seconds = isfinite(record->seconds) ? record->seconds : 0;
    const char *time =
        firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, record->time_us, false));
    json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:I}", "time", time,
                             "outcome", OUTCOMES[record->outcome], "rows", (json_int_t)record->rows,
                             "bytes", (json_int_t)record->bytes, "json_bytes",
                             (json_int_t)record->json_bytes, "table_rows",
                             (json_int_t)record->table_rows, "version", (json_int_t)record->version,
                             "seconds", seconds, "snapshot_id", (json_int_t)record->snapshot_id);
    firn_json_own(arena, json);
    if (record->message != NULL) {
        json_object_set_new(json, "message", json_string(json_safe(arena, record->message)));
    }
    if (with_nulls && record->n_nulls > 0) {
        json_t *nulls = json_object();
        for (size_t i = 0; i < record->n_nulls; i++) {
            json_object_set_new(nulls, json_safe(arena, record->nulls[i].column),
                                json_integer(record->nulls[i].nulls));
        }
        json_object_set_new(json, "nulls", nulls);
    }
    return json;
}

static char *record_line(firn_arena *arena, const firn_export_record *record)
{
    char *line = firn_json_text(arena, record_json(arena, record, true));
    if (strlen(line) > LINE_BYTES_MAX) {
        line = firn_json_text(arena, record_json(arena, record, false));
    }
    return firn_arena_printf(arena, "%s\n", line);
}

/* Opens the file and locks it; whoever trims puts another file in its place. */
static firn_rc open_locked(const char *path, int *out, firn_err *err)
{
    for (;;) {
        struct stat mine, there;
        int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
        }
        while (flock(fd, LOCK_EX) != 0) {
            if (errno != EINTR) {
                int why = errno;
                close(fd);
                return firn_err_errno(err, __FILE__, __LINE__, why, "cannot lock %s", path);
            }
        }
        if (fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev) {
            *out = fd;
            return FIRN_OK;
        }
        close(fd);
    }
}

static bool ends_in_line_break(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size <= 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

/* One write(2): whole, or said. */
static firn_rc append(int fd, const char *path, const char *line, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *text = ends_in_line_break(fd) ? line : firn_arena_printf(arena, "\n%s", line);
    ssize_t length = (ssize_t)strlen(text);
    ssize_t written;
    do {
        written = write(fd, text, (size_t)length);
    } while (written < 0 && errno == EINTR);
    if (written != length) {
        return firn_err_errno(err, __FILE__, __LINE__, written < 0 ? errno : ENOSPC,
                              "cannot write to %s", path);
    }
    return FIRN_OK;
}

static firn_rc trim(int fd, const char *path, firn_err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || info.st_size < (off_t)KEPT_LINES * LINE_BYTES_MIN) {
        return FIRN_OK;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_bytes text;
    firn_rc rc = firn_file_read(arena, path, FILE_BYTES_MAX, &text, err);
    if (rc == FIRN_E_LIMIT) { /* no history of ours: begin anew */
        return firn_file_write_atomic(path, (firn_bytes){0}, 0640, err);
    }
    FIRN_TRY(rc);
    size_t lines = 0;
    size_t keep_from = 0;
    for (size_t at = text.len; at-- > 0;) {
        lines += text.data[at] == '\n';
        if (lines == KEPT_LINES + 1 && keep_from == 0) {
            keep_from = at + 1;
        }
    }
    if (lines <= KEPT_LINES + SLACK_LINES) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_fault_point("history.trim", path, err));
    return firn_file_write_atomic(path, firn_bytes_of(text.data + keep_from, text.len - keep_from),
                                  0640, err);
}

static firn_rc add(firn_lake *lake, firn_arena *arena, const char *feed,
                   const firn_export_record *record, firn_err *err)
{
    const char *path = history_path(lake, arena, feed);
    FIRN_TRY(firn_mkdir_p(firn_lake_path(lake, arena, ".firn/export"), 0755, err));
    int fd = -1;
    FIRN_TRY(firn_fault_point("history.add", feed, err));
    FIRN_TRY(open_locked(path, &fd, err));
    firn_rc rc = append(fd, path, record_line(arena, record), err);
    if (rc == FIRN_OK) {
        rc = trim(fd, path, err);
    }
    close(fd);
    return rc;
}

void firn_export_history_add(firn_lake *lake, const char *feed, const firn_export_record *record)
{
    static atomic_bool warned;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    if (add(lake, arena, feed, record, &err) != FIRN_OK && !atomic_exchange(&warned, true)) {
        firn_log(FIRN_LOG_WARN, "export", "the export's history is not kept: %s", err.message);
    }
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static bool take_count(const json_t *json, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(json, key);
    *out = json_integer_value(value);
    return (value == NULL || json_is_integer(value)) && *out >= 0;
}

static bool take_nulls(firn_arena *arena, const json_t *json, firn_export_record *out)
{
    json_t *nulls = json_object_get(json, "nulls");
    if (nulls == NULL) {
        return true;
    }
    if (!json_is_object(nulls)) {
        return false;
    }
    firn_export_column_nulls *all =
        FIRN_NEW_N(arena, firn_export_column_nulls, json_object_size(nulls));
    const char *column;
    json_t *value;
    json_object_foreach(nulls, column, value)
    {
        all[out->n_nulls].column = column;
        if (!take_count(nulls, column, &all[out->n_nulls++].nulls)) {
            return false;
        }
    }
    out->nulls = all;
    return true;
}

static bool take_outcome(const json_t *json, firn_export_outcome *out)
{
    const char *text = json_string_value(json_object_get(json, "outcome"));
    for (size_t i = 0; text != NULL && i < N_OUTCOMES; i++) {
        if (firn_streq(OUTCOMES[i], text)) {
            *out = (firn_export_outcome)i;
            return true;
        }
    }
    return false;
}

static bool take_line(firn_arena *arena, firn_bytes line, firn_export_record *out)
{
    json_t *json = NULL;
    *out = (firn_export_record){0};
    if (firn_json_parse(arena, line, "history", &json, NULL) != FIRN_OK || !json_is_object(json)) {
        return false;
    }
    const char *time = json_string_value(json_object_get(json, "time"));
    out->message = json_string_value(json_object_get(json, "message"));
    out->seconds = json_number_value(json_object_get(json, "seconds"));
    out->snapshot_id = json_integer_value(json_object_get(json, "snapshot_id"));
    return time != NULL && firn_parse_timestamp(time, &out->time_us, NULL) &&
           take_outcome(json, &out->outcome) && take_count(json, "rows", &out->rows) &&
           take_count(json, "bytes", &out->bytes) &&
           take_count(json, "json_bytes", &out->json_bytes) &&
           take_count(json, "table_rows", &out->table_rows) &&
           take_count(json, "version", &out->version) && out->seconds >= 0 &&
           take_nulls(arena, json, out);
}

void firn_export_history_parse(firn_arena *arena, firn_bytes text, firn_export_record **out,
                               size_t *n)
{
    FIRN_VEC(firn_export_record) records = {0};
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t length = end != NULL ? (size_t)(end - text.data) - at : text.len - at;
        firn_export_record record;
        if (length > 0 && take_line(arena, firn_bytes_of(text.data + at, length), &record)) {
            firn_vec_push(arena, &records, record);
        }
        at += length + 1;
    }
    size_t skip = records.len > KEPT_LINES ? records.len - KEPT_LINES : 0;
    *out = skip > 0 ? records.items + skip : records.items;
    *n = records.len - skip;
}

firn_rc firn_export_history_read(firn_lake *lake, firn_arena *arena, const char *feed,
                                 firn_export_record **out, size_t *n, firn_err *err)
{
    firn_bytes text;
    *out = NULL;
    *n = 0;
    firn_err detail = {0};
    firn_rc rc =
        firn_file_read(arena, history_path(lake, arena, feed), FILE_BYTES_MAX, &text, &detail);
    if (rc == FIRN_E_NOT_FOUND) {
        return FIRN_OK;
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "%s", detail.message);
    }
    firn_export_history_parse(arena, text, out, n);
    return FIRN_OK;
}
