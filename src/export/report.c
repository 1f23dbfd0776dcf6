/* The state of feeds: see export/report.h.
 *
 * Where a figure comes from: rows, bytes and partitions from the folder's _metadata.json; files and the table's rows from the summary of
 * its current snapshot; exports, failures and the ratio to JSON from the history; what is due from a retention that changes nothing.
 */
#include "export/report.h"

#include "export/retain.h"

#include "base/time.h"

#include <stdlib.h>

enum {
    USUAL_EXPORTS = 20, /* distances between exports that make the usual one */
    USUAL_MIN = 4,      /* fewer: nothing is usual yet */
    STALE_TIMES = 3,    /* usual distances without an export */
};
#define STALE_MIN_US INT64_C(3600000000) /* exports by hand are close together */

static const char *const HEALTHS[] = {
    [FIRN_HEALTH_OK] = "ok",           [FIRN_HEALTH_NEVER] = "never",
    [FIRN_HEALTH_STALE] = "stale",     [FIRN_HEALTH_ALERT] = "alert",
    [FIRN_HEALTH_FAILING] = "failing", [FIRN_HEALTH_BROKEN] = "broken",
    [FIRN_HEALTH_OFF] = "off",
};

const char *firn_feed_health_name(firn_feed_health health)
{
    return HEALTHS[health];
}

bool firn_feed_health_is_trouble(firn_feed_health health)
{
    return health == FIRN_HEALTH_FAILING || health == FIRN_HEALTH_STALE ||
           health == FIRN_HEALTH_ALERT || health == FIRN_HEALTH_BROKEN;
}

typedef struct reporter {
    firn_lake *lake;
    firn_session *session; /* nullable */
    firn_arena *arena;
    int64_t now_us;
} reporter;

static bool succeeded(const firn_export_record *record)
{
    return record->outcome == FIRN_EXPORT_DONE || record->outcome == FIRN_EXPORT_NOTHING_NEW;
}

/* ---- figures ------------------------------------------------------------------------------------------- */

static void read_history(const reporter *r, firn_report_feed *out)
{
    firn_export_record *history = NULL;
    if (firn_export_history_read(r->lake, r->arena, out->name, &history, &out->n_history, NULL) !=
        FIRN_OK) {
        return;
    }
    out->history = history;
    for (size_t i = 0; i < out->n_history; i++) {
        const firn_export_record *record = &history[i];
        out->exports += record->outcome != FIRN_EXPORT_SKIPPED;
        out->failures += record->outcome == FIRN_EXPORT_FAILED;
        if (succeeded(record)) {
            out->last_export_us = record->time_us;
        }
    }
}

/* What the rows that are kept took as JSON: by the bytes for each row of the exports in sight. */
static void compare_with_json(firn_report_feed *out)
{
    double rows = 0;
    double json_bytes = 0;
    for (size_t i = 0; i < out->n_history; i++) {
        const firn_export_record *record = &out->history[i];
        if (record->outcome == FIRN_EXPORT_DONE && record->json_bytes > 0) {
            rows += (double)record->rows;
            json_bytes += (double)record->json_bytes;
        }
    }
    double all = rows > 0 ? (double)out->rows * json_bytes / rows : 0;
    if (all >= 1 && all < 9e18) {
        out->json_bytes = (int64_t)all;
        out->ratio = (double)out->bytes / all;
    }
}

static int64_t version_of(const char *path)
{
    int64_t number = 0;
    const char *at = strrchr(path, '=');
    return at != NULL && at[1] == 'v' && firn_parse_i64(at + 2, &number) && number > 0 ? number : 0;
}

static int by_path(const void *a, const void *b)
{
    const firn_tree_partition *x = a;
    const firn_tree_partition *y = b;
    int64_t p = version_of(x->path);
    int64_t q = version_of(y->path);
    return p != q ? (p > q) - (p < q) : strcmp(x->path, y->path);
}

static void take_partitions(const reporter *r, const firn_tree_metadata *metadata,
                            firn_report_feed *out)
{
    firn_tree_partition *parts =
        firn_arena_memdup(r->arena, metadata->partitions, metadata->n_partitions * sizeof(*parts));
    qsort(parts, metadata->n_partitions, sizeof(*parts), by_path);
    out->parts = parts;
    out->n_parts = metadata->n_partitions;
    out->partitions = (int64_t)out->n_parts;
    for (size_t i = 0; i < out->n_parts; i++) {
        int64_t version = version_of(parts[i].path);
        out->versions += version > 0;
        out->newest_version = version > out->newest_version ? version : out->newest_version;
        out->files += parts[i].files;
    }
    out->oldest = out->n_parts > 0 ? parts[0].path : NULL;
}

static void read_folder(const reporter *r, firn_report_feed *out)
{
    firn_tree_metadata metadata;
    int64_t us = 0;
    if (firn_tree_metadata_read(r->lake, r->arena, out->feed, &metadata, NULL) != FIRN_OK) {
        return;
    }
    out->rows = metadata.total_records;
    out->bytes = metadata.total_bytes;
    take_partitions(r, &metadata, out);
    /* Of a history that was lost. */
    if (out->last_export_us == 0 && metadata.last_export != NULL &&
        firn_parse_timestamp(metadata.last_export, &us, NULL)) {
        out->last_export_us = us;
    }
}

static int64_t summary_number(const firn_snapshot *snapshot, const char *key)
{
    int64_t n = 0;
    const char *text =
        snapshot != NULL ? json_string_value(json_object_get(snapshot->summary, key)) : NULL;
    return text != NULL && firn_parse_i64(text, &n) && n > 0 ? n : 0;
}

/* False: there is none. */
static bool read_table(const reporter *r, firn_report_feed *out)
{
    firn_table table;
    firn_ident ident = firn_export_table_ident(r->arena, out->feed->table);
    if (firn_catalog_table_load(firn_lake_catalog(r->lake), r->arena, out->feed->ref, ident, &table,
                                NULL) != FIRN_OK) {
        return false;
    }
    const firn_snapshot *current = table.metadata->current_snapshot;
    out->table_rows = summary_number(current, "total-records");
    if (out->n_parts == 0) { /* the folders are behind, or gone */
        out->rows = out->table_rows;
        out->bytes = summary_number(current, "total-files-size");
        out->files = summary_number(current, "total-data-files");
    }
    return current != NULL;
}

static void read_due(const reporter *r, firn_report_feed *out)
{
    firn_retain_result due;
    bool limited = out->feed->retention_days > 0 || out->feed->retention_versions > 0;
    out->due_rows = out->due_partitions = limited ? -1 : 0;
    if (r->session != NULL && limited &&
        firn_export_retain(r->session, r->arena, out->feed, r->now_us, true, &due, NULL) ==
            FIRN_OK) {
        out->due_rows = due.rows;
        out->due_partitions = due.partitions;
    }
}

/* ---- health -------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The median distance of the last exports that succeeded; 0: there are too few. */
static int64_t usual_distance_us(const firn_report_feed *feed)
{
    int64_t distances[USUAL_EXPORTS];
    size_t n = 0;
    int64_t later_us = 0;
    for (size_t i = feed->n_history; i-- > 0 && n < USUAL_EXPORTS;) {
        if (!succeeded(&feed->history[i])) {
            continue;
        }
        if (later_us != 0) {
            distances[n++] = later_us - feed->history[i].time_us;
        }
        later_us = feed->history[i].time_us;
    }
    qsort(distances, n, sizeof(distances[0]), by_number);
    return n >= USUAL_MIN ? distances[n / 2] : 0;
}

static const char *staleness(const reporter *r, const firn_report_feed *feed)
{
    for (size_t i = 0; i < feed->n_alerts; i++) {
        if (firn_streq(feed->alerts[i].rule, "stale_after")) {
            return feed->alerts[i].text;
        }
    }
    bool has_rule = json_object_get(feed->feed->quality, "stale_after") != NULL;
    int64_t usual_us = usual_distance_us(feed);
    int64_t age_us = r->now_us - feed->last_export_us;
    if (has_rule || usual_us == 0 || feed->feed->mode == FIRN_EXPORT_IGNORE ||
        age_us <= STALE_TIMES * usual_us || age_us <= STALE_MIN_US) {
        return NULL;
    }
    return firn_arena_printf(
        r->arena, "the last successful export is %s old; usually there is one every %s",
        firn_format_duration(r->arena, age_us), firn_format_duration(r->arena, usual_us));
}

/* "cannot reach ksqlDB ... (the third failure in a row)" */
static const char *failure(const reporter *r, const firn_report_feed *feed)
{
    size_t row = 0;
    for (size_t i = feed->n_history; i-- > 0;) {
        if (feed->history[i].outcome == FIRN_EXPORT_FAILED) {
            row++;
        } else if (feed->history[i].outcome != FIRN_EXPORT_SKIPPED) {
            break;
        }
    }
    if (row == 0) {
        return NULL;
    }
    const firn_export_record *last = &feed->history[feed->n_history - 1];
    const char *message = last->message != NULL ? last->message : "the last export failed";
    return row > 1 ? firn_arena_printf(r->arena, "%s (%zu exports in a row)", message, row)
                   : message;
}

static void judge_health(const reporter *r, firn_report_feed *out)
{
    firn_quality_alert *alerts = NULL;
    firn_err err = {0};
    if (firn_quality_judge(r->arena, out->feed, out->history, out->n_history, r->now_us, &alerts,
                           &out->n_alerts, &err) != FIRN_OK) {
        out->health = FIRN_HEALTH_BROKEN;
        out->why = firn_arena_strdup(r->arena, err.message);
        return;
    }
    out->alerts = alerts;
    const char *failed = failure(r, out);
    const char *stale = out->last_export_us > 0 ? staleness(r, out) : NULL;
    if (out->archived || !out->feed->enabled) {
        out->health = FIRN_HEALTH_OFF;
        out->why = out->archived ? "archived" : "disabled";
        out->n_alerts = 0;
    } else if (failed != NULL) {
        out->health = FIRN_HEALTH_FAILING;
        out->why = failed;
    } else if (out->last_export_us == 0) {
        out->health = FIRN_HEALTH_NEVER;
    } else if (stale != NULL) {
        out->health = FIRN_HEALTH_STALE;
        out->why = stale;
    } else if (out->n_alerts > 0) {
        out->health = FIRN_HEALTH_ALERT;
        out->why = out->alerts[0].text;
    }
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

static void report_feed(const reporter *r, const firn_export_listed *listed, firn_report_feed *out)
{
    *out = (firn_report_feed){.name = listed->name,
                              .archived = listed->archived,
                              .age_s = -1,
                              .json_bytes = -1,
                              .ratio = -1};
    read_history(r, out);
    if (listed->broken != NULL) {
        out->health = FIRN_HEALTH_BROKEN;
        out->why = listed->broken;
        return;
    }
    out->feed = &listed->feed;
    read_folder(r, out);
    if (read_table(r, out)) {
        read_due(r, out);
    }
    compare_with_json(out);
    if (out->last_export_us > 0) {
        out->age_s = (r->now_us - out->last_export_us) / 1000000;
        out->age_s = out->age_s > 0 ? out->age_s : 0;
    }
    judge_health(r, out);
}

static firn_rc report(const reporter *r, firn_report_feed **out, size_t *n, firn_err *err)
{
    firn_export_listed *listed = NULL;
    FIRN_TRY(firn_export_feed_list(r->lake, r->arena, &listed, n, err));
    *out = FIRN_NEW_N(r->arena, firn_report_feed, *n);
    for (size_t i = 0; i < *n; i++) {
        report_feed(r, &listed[i], &(*out)[i]);
    }
    return FIRN_OK;
}

firn_rc firn_export_report(firn_session *session, firn_arena *arena, int64_t now_us,
                           firn_report_feed **out, size_t *n, firn_err *err)
{
    const reporter r = {.lake = firn_session_lake(session),
                        .session = session,
                        .arena = arena,
                        .now_us = now_us != 0 ? now_us : firn_now_us()};
    return report(&r, out, n, err);
}

firn_rc firn_export_report_lake(firn_lake *lake, firn_arena *arena, int64_t now_us,
                                firn_report_feed **out, size_t *n, firn_err *err)
{
    const reporter r = {
        .lake = lake, .arena = arena, .now_us = now_us != 0 ? now_us : firn_now_us()};
    return report(&r, out, n, err);
}
