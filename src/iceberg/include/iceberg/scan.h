/* Scan planning (spec: "Scan Planning"): which data files of a snapshot can hold matching rows, and which
 * delete files apply to each.
 *
 * Streams: manifests are opened as tasks are asked for, so that LIMIT 10 reads one. Delete manifests are read
 * first (they are needed for every task) and indexed by partition and by referenced file.
 */
#ifndef ICEBERG_SCAN_H
#define ICEBERG_SCAN_H

#include "iceberg/manifest.h"

/* A place in the order of a scan: the n-th data manifest of the list, the n-th entry in it. Stands for the same file as long as the
 * snapshot (and `appended_since`) is the same, whatever the filter. */
typedef struct firn_scan_point {
    size_t manifest;
    size_t row;
} firn_scan_point;

typedef struct firn_scan_options {
    firn_storage *storage;
    firn_manifest_cache *cache; /* nullable */
    const firn_metadata *metadata;
    const firn_snapshot *snapshot; /* NULL: an empty table */
    const firn_schema *schema;     /* the schema read with; `filter` refers to it */
    const firn_expr *filter;       /* NULL: all rows */
    int threads;                   /* <= 1: inline */
    bool with_metrics;             /* fill file->metrics of tasks */
    firn_scan_point from, to;      /* only files in [from, to); `to` all zero: up to the end */
    /* An incremental scan: only what append snapshots added after this one (exclusive) and up to `snapshot`; deletes are left
     * aside. INVALID when it is no ancestor of `snapshot`. 0: a scan of `snapshot`. */
    int64_t appended_since;
} firn_scan_options;

typedef struct firn_scan_delete {
    const firn_data_file *file;
    int64_t data_sequence_number;
} firn_scan_delete;

typedef struct firn_scan_task {
    const firn_data_file *file;
    int64_t data_sequence_number;
    int64_t snapshot_id; /* that added the file */
    const firn_scan_delete *deletes;
    size_t n_deletes;
    firn_scan_point place;
    bool
        all_rows_match; /* the filter is true for every row of the file: no need to read for a count or a delete */
} firn_scan_task;

typedef struct firn_scan_stats {
    int64_t manifests, manifests_skipped; /* data manifests */
    int64_t delete_manifests, delete_manifests_skipped;
    int64_t files, files_read;      /* files: in the manifests, skipped manifests included */
    int64_t files_skipped_manifest; /* by partition summaries of their manifest */
    int64_t files_skipped_partition;
    int64_t files_skipped_bounds; /* by lower and upper bounds */
    int64_t files_skipped_nulls;  /* by null and NaN counts */
    int64_t delete_files;         /* attached to at least one task */
    int64_t bytes_read;           /* sizes of the files kept */
    int64_t rows_read;            /* record counts of the files kept */
} firn_scan_stats;

typedef struct firn_scan firn_scan;
/* The scan and everything it gives live in `arena` (manifests are released with it). */
firn_rc firn_scan_open(firn_arena *arena, const firn_scan_options *options, firn_scan **out,
                       firn_err *err) FIRN_MUST_USE;
/* *task is NULL at the end. Order is stable: manifests in list order, entries in file order. */
firn_rc firn_scan_next(firn_scan *scan, const firn_scan_task **task, firn_err *err) FIRN_MUST_USE;
/* All that remain. */
firn_rc firn_scan_all(firn_scan *scan, firn_scan_task **tasks, size_t *n,
                      firn_err *err) FIRN_MUST_USE;
const firn_scan_stats *firn_scan_statistics(const firn_scan *scan);

/* The data manifests that a scan with these options would open, whatever its filter, in order; for dividing a scan by place. */
firn_rc firn_scan_manifests(firn_arena *arena, const firn_scan_options *options,
                            firn_manifest_file **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* COUNT(*) under the filter from metadata alone. *rows is -1 when it does not say: some file matches in part, or has
 * position or equality deletes (deletion vectors are counted). with_metrics is ignored. */
firn_rc firn_scan_count_rows(const firn_scan_options *options, int64_t *rows,
                             firn_err *err) FIRN_MUST_USE;
/* MIN and MAX of a top-level column under the filter, when metadata knows them exactly: no deletes, all files have
 * bounds, a type whose bounds are never truncated (not strings, binaries, floats). Both are null if no row has a
 * value. */
firn_rc firn_scan_min_max(const firn_scan_options *options, int32_t field_id, firn_value *min,
                          firn_value *max, bool *known, firn_err *err) FIRN_MUST_USE;

/* Positions deleted in one data file by its position-delete files that are deletion vectors. (Position-delete Parquet files
 * are read by the engine.) The result is a firn_dv of format/dv.h owned by the arena; NULL if the task has none. */
struct firn_dv;
firn_rc firn_scan_load_dv(firn_storage *storage, firn_arena *arena, const firn_data_file *dv_file,
                          struct firn_dv **out, firn_err *err) FIRN_MUST_USE;

#endif
