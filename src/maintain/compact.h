/* The two halves of compaction, for each other:
 *
 *   compact_plan.c  which files are worth it, and which are written together; metadata only
 *   compact.c       write, commit, and again where others were faster
 */
#ifndef MAINTAIN_COMPACT_H
#define MAINTAIN_COMPACT_H

#include "maintain/maintain.h"

#include "base/map.h"
#include "iceberg/scan.h"

/* One partition of one spec. */
typedef struct firn_compact_group {
    const char *key;
    bool old_spec;                          /* every file is worth it */
    FIRN_VEC(const firn_scan_task *) tasks; /* candidates, in the order of the scan */
    size_t n_small;
} firn_compact_group;

/* Files of a group that become one. */
typedef struct firn_compact_bin {
    const firn_compact_group *group;
    FIRN_VEC(const firn_scan_task *) tasks;
    int64_t bytes;
    bool needed; /* has a file with deletes, or of an old spec */
} firn_compact_bin;

/* Bins of different groups that are written by one query. */
typedef struct firn_compact_batch {
    FIRN_VEC(const firn_compact_bin *) bins;
    size_t n_files;
    int64_t bytes;
} firn_compact_batch;

typedef struct firn_compact_limits {
    int64_t target_bytes, small_bytes, min_files;
} firn_compact_limits;

typedef struct firn_compact_plan {
    FIRN_VEC(firn_compact_bin *) bins;
    FIRN_VEC(firn_compact_batch *) batches;
    size_t n_files;
    int64_t bytes;
    firn_map *deletes; /* delete file -> firn_compact_delete */
} firn_compact_plan;
/* A delete file, and to how many data files it still applies. */
typedef struct firn_compact_delete {
    const firn_data_file *file;
    int64_t uses;
} firn_compact_delete;

enum { FIRN_COMPACT_FILES_MAX = 1000 };
#define FIRN_COMPACT_BYTES_MAX (10LL << 30)

/* `paths` (nullable): only these files; `only` (nullable): only groups with these keys. alone: a batch for each bin. */
typedef struct firn_compact_scope {
    const firn_map *paths, *only;
    bool alone;
} firn_compact_scope;
void firn_compact_plan_of(firn_arena *arena, const firn_metadata *metadata,
                          const firn_compact_limits *limits, const firn_compact_scope *scope,
                          firn_scan_task *tasks, size_t n, firn_compact_plan *out);
firn_compact_delete *firn_compact_delete_of(const firn_compact_plan *plan,
                                            const firn_scan_delete *delete_file);

#endif
