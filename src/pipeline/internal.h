/* Private heart of the pipeline: a run, and the seams between its rooms.
 *
 *   definition.c  pipeline.yaml to firn_task and firn_model
 *   graph.c       which task comes after which
 *   checks.c      what a check asks in SQL
 *   task_*.c      one attempt of one task, by type
 *   stage.c       files that a run makes for people: kept aside until the run is published
 *   run.c         the run: branch, workers, retries, gates, publishing
 */
#ifndef PIPELINE_INTERNAL_H
#define PIPELINE_INTERNAL_H

#include "definition.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- graph ------------------------------------------------------------------------------------------- */

typedef struct firn_graph {
    size_t n;
    size_t *order; /* task indices, dependencies first, file order among equals */
    bool *edges;   /* n x n: edges[i * n + k] means that task i comes after task k */
} firn_graph;

/* CONFIG names the tasks of a cycle. */
firn_rc firn_graph_build(firn_session *session, firn_arena *arena, const firn_pipeline *pipeline,
                         const firn_pipeline_param *given, size_t n_given, firn_graph *out,
                         firn_err *err) FIRN_MUST_USE;

/* ---- a run ------------------------------------------------------------------------------------------- */

typedef struct firn_run_context {
    firn_engine *engine;
    firn_lake *lake;
    const firn_pipeline *pipeline;
    const firn_pipeline_options *options;
    firn_pipeline_param *params; /* given ones, then lake, run_id and ref */
    size_t n_params;
    firn_run row;
    const char *stage_dir; /* <lake>/.firn/runs/<run_id> */
} firn_run_context;

/* One attempt of one task; owned by its worker, `session` and `cancelled` also seen by the watching thread. */
typedef struct firn_attempt {
    firn_run_context *run;
    const firn_task *task;
    firn_session *session;
    firn_arena *arena; /* of the attempt */
    int number;        /* 1-based */
    atomic_bool cancelled;
    int64_t rows;       /* -1: does not apply */
    const char *detail; /* one line for people */
    bool warned;
    /* checks */
    firn_run_check *checks;
    size_t n_checks;
} firn_attempt;

firn_rc firn_attempt_expand(firn_attempt *attempt, const char *text, char **out,
                            firn_err *err) FIRN_MUST_USE;

firn_rc firn_task_generate(firn_attempt *attempt, firn_err *err) FIRN_MUST_USE;
firn_rc firn_task_models(firn_attempt *attempt, firn_err *err) FIRN_MUST_USE; /* sql and ingest */
/* CHECK_FAILED when a check of severity error fails; `checks` is filled in any case. */
firn_rc firn_task_check(firn_attempt *attempt, firn_err *err) FIRN_MUST_USE;
firn_rc firn_task_report(firn_attempt *attempt, firn_err *err) FIRN_MUST_USE;
firn_rc firn_task_shell(firn_attempt *attempt, firn_err *err) FIRN_MUST_USE;

/* ---- checks ------------------------------------------------------------------------------------------ */

/* A SELECT of the rows that fail; for row_count and freshness one row if the table as a whole does. `sample` (may be NULL) is an
 * expression over them that shows an offending value. */
char *firn_check_failing_sql(firn_arena *arena, const firn_check_spec *check, const char *sql,
                             const char **sample);
/* Runs it; fills everything of `out` but run_id. A check that cannot be run has status "error" and the reason in detail. */
void firn_check_run(firn_session *session, firn_arena *arena, const firn_check_spec *check,
                    const char *sql, const char *task, firn_run_check *out);

/* ---- staged files ------------------------------------------------------------------------------------ */

/* Where to write the file that is published as <lake>/<relative>; makes the folders. CONFIG for a path that leaves the lake. */
firn_rc firn_stage_path(firn_attempt *attempt, const char *relative, char **out,
                        firn_err *err) FIRN_MUST_USE;
/* Move everything under stage_dir to its place in the lake, each file by one rename, and remove the folder. Repeatable. */
firn_rc firn_stage_publish(const char *lake_root, const char *stage_dir,
                           firn_err *err) FIRN_MUST_USE;
void firn_stage_discard(const char *stage_dir);

#endif
