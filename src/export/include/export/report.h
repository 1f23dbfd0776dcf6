/* The state of all feeds: figures of tables, folders, history and files, for `firn report`, /metrics and the console.
 *
 * Nothing is asked of the server that feeds come from, nothing is locked and nothing changed, so it may be called at any time. What
 * cannot be read of one feed (its file, its metadata) is that feed's state, not an error. Everything lives in the arena.
 */
#ifndef EXPORT_REPORT_H
#define EXPORT_REPORT_H

#include "engine/engine.h"
#include "export/quality.h"
#include "export/tree.h"

typedef enum firn_feed_health {
    FIRN_HEALTH_OK,
    FIRN_HEALTH_NEVER, /* never exported */
    FIRN_HEALTH_STALE, /* older than stale_after, or than three times the usual distance of its exports */
    FIRN_HEALTH_ALERT,   /* a quality rule */
    FIRN_HEALTH_FAILING, /* the last export failed */
    FIRN_HEALTH_BROKEN,  /* its file cannot be used */
    FIRN_HEALTH_OFF      /* disabled or archived */
} firn_feed_health;

typedef struct firn_report_feed {
    const char *name;
    bool archived;
    const firn_export_feed *feed; /* NULL: broken */
    firn_feed_health health;
    const char *why;                        /* nullable */
    int64_t rows, bytes, files, partitions; /* of the folders: by version all that are kept */
    int64_t versions, newest_version;       /* 0: none */
    int64_t table_rows;                     /* of the table now: by version the newest one's */
    int64_t last_export_us, age_s;          /* the last one that succeeded; 0, -1: never */
    int64_t exports, failures;              /* of the history */
    int64_t
        json_bytes; /* that the kept rows took as JSON, by the history's bytes for each row; -1: not known */
    double ratio;                     /* bytes / json_bytes; -1 */
    int64_t due_rows, due_partitions; /* retention; -1: not known */
    const char *oldest;               /* partition */
    const firn_quality_alert *alerts;
    size_t n_alerts;
    const firn_export_record *history; /* oldest first */
    size_t n_history;
    const firn_tree_partition *parts; /* sorted by path */
    size_t n_parts;
} firn_report_feed;

/* How a feed grows, by the successful exports of the last GROWTH_DAYS of its history, and how rows lie in its partitions. */
enum { FIRN_REPORT_GROWTH_DAYS = 30 };
typedef struct firn_report_growth {
    bool known; /* there are exports an hour or more apart to tell from */
    double rows_per_day, bytes_per_day;
    double seconds;                                         /* of an export, median; -1 */
    int64_t part_rows_min, part_rows_median, part_rows_max; /* 0 without partitions */
} firn_report_growth;
firn_report_growth firn_export_growth(const firn_report_feed *feed, int64_t now_us);

firn_rc firn_export_report(firn_session *session, firn_arena *arena, int64_t now_us,
                           firn_report_feed **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* The same of a lake that no engine is open on: retention is not looked at, due_rows and due_partitions are -1. */
firn_rc firn_export_report_lake(firn_lake *lake, firn_arena *arena, int64_t now_us,
                                firn_report_feed **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* FAILING, STALE, ALERT and BROKEN. */
bool firn_feed_health_is_trouble(firn_feed_health health);
const char *firn_feed_health_name(firn_feed_health health);
/* Prometheus text. */
void firn_export_metrics(const firn_report_feed *feeds, size_t n, firn_buf *out);

#endif
