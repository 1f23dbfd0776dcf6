/* The run log in the catalog database: pipeline runs, their tasks and check results. Not versioned by refs: it
 * tells what happened, also on branches that failed.
 */
#ifndef CATALOG_RUNS_H
#define CATALOG_RUNS_H

#include "catalog/catalog.h"

typedef struct firn_run {
    const char *run_id; /* "r-20261120-1": date and a counter, given by firn_run_start */
    const char *pipeline;
    const char *branch;           /* the run's own branch */
    const char *target;           /* where it is published */
    const char *status;           /* "running", "published", "failed", "kept", "interrupted" */
    const char *error;            /* NULL */
    const char *commit_id;        /* of the publishing merge; NULL */
    int64_t started_us, ended_us; /* 0: not ended */
} firn_run;
typedef struct firn_run_task {
    const char *run_id, *task, *kind, *status; /* "ok", "failed", "skipped", "warned" */
    int attempt;
    int64_t rows; /* -1: does not apply */
    int64_t started_us, ended_us;
    const char *detail; /* one line for people; NULL */
    const char *error;  /* NULL */
} firn_run_task;
typedef struct firn_run_check {
    const char *run_id, *task, *name, *table, *severity /* "error", "warn" */,
        *status /* "passed", "failed", "warned", "error" */;
    int64_t failing_rows;
    const char *detail; /* NULL */
} firn_run_check;

firn_rc firn_run_start(firn_catalog *catalog, firn_arena *arena, const char *pipeline,
                       const char *target, firn_run *out,
                       firn_err *err) FIRN_MUST_USE; /* fills run_id and branch ("run/<run_id>") */
firn_rc firn_run_finish(firn_catalog *catalog, const char *run_id, const char *status,
                        const char *commit_id, const char *error, firn_err *err) FIRN_MUST_USE;
firn_rc firn_run_task_record(firn_catalog *catalog, const firn_run_task *task, firn_err *err)
    FIRN_MUST_USE; /* insert or replace by (run, task, attempt) */
firn_rc firn_run_check_record(firn_catalog *catalog, const firn_run_check *check,
                              firn_err *err) FIRN_MUST_USE;
/* Newest first. `pipeline` NULL: all. */
firn_rc firn_run_list(firn_catalog *catalog, firn_arena *arena, const char *pipeline, size_t limit,
                      firn_run **out, size_t *n, firn_err *err) FIRN_MUST_USE;
firn_rc firn_run_get(firn_catalog *catalog, firn_arena *arena, const char *run_id, firn_run *out,
                     firn_err *err) FIRN_MUST_USE;
firn_rc firn_run_tasks(firn_catalog *catalog, firn_arena *arena, const char *run_id,
                       firn_run_task **out, size_t *n, firn_err *err) FIRN_MUST_USE;
firn_rc firn_run_checks(firn_catalog *catalog, firn_arena *arena, const char *run_id,
                        firn_run_check **out, size_t *n, firn_err *err) FIRN_MUST_USE;

#endif
