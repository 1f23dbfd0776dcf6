/* Private heart of the pipeline: a run, and the seams between its rooms.
 *
 *   definition.c  pipeline.yaml to firn_task and firn_model
 *   graph.c       which task comes after which
 *   checks.c      what a check asks in SQL
 *   task_*.c      one attempt of one task, by type
 *   artifacts.c   files that a run makes for people: kept aside until the run is published
 *   workers.c     tasks in parallel over the graph: attempts, retries, timeouts
 *   publish.c     one run at a time, what dead runs left, publishing by one merge
 *   run.c         the run from begin to end
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

/* What the attempts of a task have achieved together: a model that was committed is not run again by a retry, which would append
 * its rows twice. */
typedef struct firn_task_done {
    size_t models;
    int64_t rows;
} firn_task_done;

/* One attempt of one task. Its worker owns it; the watcher sees `session` and `cancelled`. */
typedef struct firn_attempt {
    firn_run_context *run;
    const firn_task *task;
    firn_session *session;
    firn_arena *arena; /* of the attempt */
    int number;        /* 1-based */
    firn_task_done *done;
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

/* Add to `table` the columns that `query` gives and the table lacks. */
firn_rc firn_task_add_columns(firn_attempt *attempt, const char *table, const char *query,
                              firn_err *err) FIRN_MUST_USE;

/* ---- workers ----------------------------------------------------------------------------------------- */

enum { FIRN_WORKERS_MAX = 16 };

typedef enum firn_task_state {
    FIRN_STATE_WAITING,
    FIRN_STATE_RUNNING,
    FIRN_STATE_DONE,
    FIRN_STATE_FAILED,
    FIRN_STATE_UNCHOSEN,
} firn_task_state;

typedef struct firn_worker_slot {
    firn_attempt *attempt; /* NULL: idle */
    int64_t deadline_us;   /* monotonic; 0: none */
    int64_t started_us;
} firn_worker_slot;

typedef struct firn_runner {
    firn_run_context context;
    const firn_graph *graph;
    size_t n_chosen;
    int n_workers;
    firn_arena *arena;          /* of the caller, used by the caller's thread only */
    firn_pipeline_outcome *out; /* check counters: @locks lock while workers live */

    pthread_mutex_t telling; /* one event at a time; taken last and never with `lock` */
    pthread_mutex_t lock;    /* all below */
    pthread_cond_t changed;
    firn_task_state *states; /* by task index */
    firn_worker_slot slots[FIRN_WORKERS_MAX];
    size_t n_ended;
    int n_alive;
    bool stop; /* a task failed or the run was cancelled: start nothing more */
    firn_err first_error;
} firn_runner;

/* Runs every chosen task; on return no thread is left, and `stop` with `first_error` says whether all went well. */
void firn_workers_run(firn_runner *r);
/* Hands an event to the caller's function, with the run's id and counters filled in. Any thread, `lock` not held. */
void firn_run_emit(firn_runner *r, firn_pipeline_event event);

/* ---- publishing -------------------------------------------------------------------------------------- */

/* The lock that a run of the pipeline holds to its end (close(*fd) drops it). BUSY names the run that holds it. */
firn_rc firn_run_lock(firn_arena *arena, const firn_run_context *context, int *fd,
                      firn_err *err) FIRN_MUST_USE;
/* Brings runs of this pipeline that died in the middle to an end. @locks the run lock */
firn_rc firn_run_settle(const firn_run_context *context, firn_arena *arena,
                        firn_err *err) FIRN_MUST_USE;
const char *firn_run_stage_dir(firn_lake *lake, firn_arena *arena, const char *run_id);
/* Merges the run's branch into its target, then moves its files. `merged` tells whether the target holds the run, also when the
 * call fails. */
firn_rc firn_run_publish(firn_run_context *context, firn_arena *arena, size_t *n_tables,
                         bool *merged, firn_err *err) FIRN_MUST_USE;

/* ---- checks ------------------------------------------------------------------------------------------ */

/* A SELECT of the rows that fail, its ${param}s not filled in yet; for row_count and freshness one row if the table as a whole does.
 * `sample` gets an expression over them that shows an offending value, or NULL. */
char *firn_check_failing_sql(firn_arena *arena, const firn_check_spec *check, const char **sample);
/* Runs it, parameters filled in; fills everything of `out` but run_id and task. A check that cannot be run has status "error" and the
 * reason in detail. */
void firn_check_run(firn_session *session, firn_arena *arena, const firn_check_spec *check,
                    const char *failing_sql, const char *sample, firn_run_check *out);

/* ---- artifacts: files for people ------------------------------------------------------------------------------------ */

/* Where to write the file that is published as <lake>/<relative>; makes the folders. CONFIG for a path that leaves the lake. */
firn_rc firn_artifact_path(firn_attempt *attempt, const char *relative, char **out,
                           firn_err *err) FIRN_MUST_USE;
/* Move everything under stage_dir to its place in the lake, each file by one rename, and remove the folder. Repeatable. */
firn_rc firn_artifacts_publish(const char *lake_root, const char *stage_dir,
                               firn_err *err) FIRN_MUST_USE;
void firn_artifacts_discard(const char *stage_dir);

#endif
