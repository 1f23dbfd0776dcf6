/* What each export of a feed brought: the feed's own past, against which reports and quality rules hold the next one.
 *
 * One JSON line per export in .firn/export/<feed>.history.jsonl, appended after the commit. A line may be missing (the process was killed
 * in between): it is memory, not truth; that is the table. The last 1,000 are kept.
 *
 * Also the log, logs/export_YYYY_MM.log, in the seed's format: "2025-01-15 12:00:00,123 - firn.export - INFO - transaction_stream: ...".
 * Errors of writing either are a warning on stderr, one a process, and never an export's failure.
 */
#ifndef EXPORT_HISTORY_H
#define EXPORT_HISTORY_H

#include "export/run.h"

typedef struct firn_export_column_nulls {
    const char *column;
    int64_t nulls;
} firn_export_column_nulls;
typedef struct firn_export_record {
    int64_t time_us;
    firn_export_outcome outcome;
    int64_t rows, bytes, json_bytes;
    int64_t table_rows; /* of the table after it */
    int64_t version;
    double seconds;
    const char *message; /* nullable */
    const firn_export_column_nulls
        *nulls; /* of the added rows, top-level columns, from the files' statistics */
    size_t n_nulls;
    int64_t snapshot_id; /* 0: none */
} firn_export_record;
void firn_export_history_add(firn_lake *lake, const char *feed, const firn_export_record *record);
/* Oldest first. Lines that are none are passed over. */
firn_rc firn_export_history_read(firn_lake *lake, firn_arena *arena, const char *feed,
                                 firn_export_record **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* The same of a history's text. */
void firn_export_history_parse(firn_arena *arena, firn_bytes text, firn_export_record **out,
                               size_t *n);
/* "done", "nothing_new", "skipped", "failed". */
const char *firn_export_outcome_name(firn_export_outcome outcome);

typedef enum firn_export_level {
    FIRN_EXPORT_INFO,
    FIRN_EXPORT_WARNING,
    FIRN_EXPORT_ERROR
} firn_export_level;
/* Whole lines, also when several processes write. */
void firn_export_log(firn_lake *lake, int64_t now_us, firn_export_level level, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));
/* The log's file of that time's month. */
char *firn_export_log_path(firn_lake *lake, firn_arena *arena, int64_t now_us);

#endif
