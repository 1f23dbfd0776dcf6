/* The state of all feeds: figures of tables, folders, history and files, for `firn report`, /metrics and the console. */
#ifndef EXPORT_REPORT_H
#define EXPORT_REPORT_H

#include "engine/engine.h"
#include "export/quality.h"

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
    const char *why; /* nullable */
    int64_t rows, bytes, files, partitions;
    int64_t versions, newest_version; /* 0: none */
    int64_t last_export_us, age_s;    /* 0, -1: never */
    int64_t exports, failures;        /* of the history */
    int64_t json_bytes; /* that the kept rows took as JSON, by the history's ratio; -1: not known */
    double ratio;       /* bytes / json_bytes; -1 */
    int64_t due_rows, due_partitions; /* retention */
    const char *oldest;               /* partition */
    const firn_quality_alert *alerts;
    size_t n_alerts;
} firn_report_feed;

firn_rc firn_export_report(firn_session *session, firn_arena *arena, int64_t now_us,
                           firn_report_feed **out, size_t *n, firn_err *err) FIRN_MUST_USE;
const char *firn_feed_health_name(firn_feed_health health);

#endif
