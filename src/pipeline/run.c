/* A run from begin to end: a branch, the tasks, the gates, and one merge that publishes all or nothing.
 *
 * The status of a run in the log: "running", then one of "published", "failed" (branch kept), "kept" (not to be published, branch
 * kept), or "interrupted" (set by a later run when the process died; branch kept).
 */
#include "internal.h"

#include "base/log.h"
#include "base/thread.h"
#include "base/time.h"

#include <unistd.h>

/* ---- before ---------------------------------------------------------------------------------------------- */

/* A parameter that the pipeline does not declare is a typing mistake. */
static firn_rc check_params(firn_arena *arena, const firn_pipeline *pipeline,
                            const firn_pipeline_options *options, firn_err *err)
{
    const char **names = FIRN_NEW_N(arena, const char *, pipeline->n_params);
    for (size_t i = 0; i < pipeline->n_params; i++) {
        names[i] = pipeline->params[i].name;
    }
    for (size_t i = 0; i < options->n_params; i++) {
        const char *given = options->params[i].name;
        size_t k = 0;
        while (k < pipeline->n_params && !firn_streq(given, names[k])) {
            k++;
        }
        if (k < pipeline->n_params) {
            continue;
        }
        const char *near = firn_nearest(given, names, pipeline->n_params);
        if (near != NULL) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "pipeline %s has no parameter \"%s\"; did you mean \"%s\"?", pipeline->name,
                      given, near);
        }
        FIRN_FAIL(err, FIRN_E_INVALID, "pipeline %s has no parameter \"%s\"; it has: %s",
                  pipeline->name, given,
                  pipeline->n_params > 0 ? firn_str_join(arena, names, pipeline->n_params, ", ")
                                         : "none");
    }
    return FIRN_OK;
}

/* Tasks named by options.only; all of them without. */
static firn_rc choose(firn_runner *r, firn_err *err)
{
    const firn_pipeline *pipeline = r->context.pipeline;
    const firn_pipeline_options *options = r->context.options;
    const char **names = FIRN_NEW_N(r->arena, const char *, pipeline->n_tasks);
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        names[i] = pipeline->tasks[i].name;
        r->states[i] = options->n_only == 0 ? FIRN_STATE_WAITING : FIRN_STATE_UNCHOSEN;
    }
    for (size_t o = 0; o < options->n_only; o++) {
        size_t i = 0;
        while (i < pipeline->n_tasks && !firn_streq(names[i], options->only[o])) {
            i++;
        }
        if (i == pipeline->n_tasks) {
            const char *near = firn_nearest(options->only[o], names, pipeline->n_tasks);
            FIRN_FAIL(err, FIRN_E_NOT_FOUND, "pipeline %s has no task \"%s\"%s%s%s", pipeline->name,
                      options->only[o], near != NULL ? "; did you mean \"" : "",
                      near != NULL ? near : "", near != NULL ? "\"?" : "");
        }
        r->states[i] = FIRN_STATE_WAITING;
    }
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        r->n_chosen += r->states[i] == FIRN_STATE_WAITING;
    }
    return FIRN_OK;
}

/* Given parameters, then what every run knows. The run's id and branch come once it has begun; while the graph is built their places are
 * taken by empty texts, so that SQL that names them can be read. */
static void build_params(firn_run_context *context, firn_arena *arena)
{
    const firn_pipeline_options *options = context->options;
    const char *run_id = context->row.run_id;
    const char *branch = context->row.branch;
    const firn_pipeline_param own[] = {
        {.name = "lake", .value = firn_lake_root(context->lake)},
        {.name = "run_id", .value = run_id != NULL ? run_id : ""},
        {.name = "ref", .value = branch != NULL ? branch : ""},
    };
    enum { N_OWN = sizeof(own) / sizeof(own[0]) };
    context->n_params = options->n_params + N_OWN;
    context->params = FIRN_NEW_N(arena, firn_pipeline_param, context->n_params);
    for (size_t i = 0; i < context->n_params; i++) {
        context->params[i] =
            i < options->n_params ? options->params[i] : own[i - options->n_params];
    }
}

static firn_rc build_graph(firn_runner *r, firn_graph *graph, firn_err *err)
{
    firn_session *session = NULL;
    build_params(&r->context, r->arena);
    FIRN_TRY(firn_session_new(r->context.engine, r->context.options->target, &session, err));
    firn_rc rc = firn_graph_build(session, r->arena, r->context.pipeline, r->context.params,
                                  r->context.n_params, graph, err);
    firn_session_free(session);
    return rc;
}

static firn_rc create_schemas(const firn_run_context *context, firn_arena *arena, firn_err *err)
{
    firn_session *session = NULL;
    FIRN_TRY(firn_session_new(context->engine, context->row.branch, &session, err));
    firn_session_set_author(session,
                            firn_arena_printf(arena, "pipeline %s", context->pipeline->name), NULL);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < context->pipeline->schemas.n; i++) {
        rc = firn_session_exec(session,
                               firn_arena_printf(arena, "create schema if not exists %s",
                                                 context->pipeline->schemas.items[i]),
                               NULL, err);
    }
    firn_session_free(session);
    return rc;
}

/* The run is in the log already: whatever fails from here on ends in fail_run. */
static firn_rc make_branch(firn_run_context *context, firn_arena *arena, firn_err *err)
{
    FIRN_TRY(firn_catalog_ref_create(firn_lake_catalog(context->lake), context->row.branch, false,
                                     context->row.target, err));
    return create_schemas(context, arena, err);
}

/* ---- after ----------------------------------------------------------------------------------------------- */

/* Tasks that were to run and never began. */
static void record_skipped(const firn_runner *r)
{
    firn_err err = {0};
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < r->context.pipeline->n_tasks; i++) {
        const firn_task *task = &r->context.pipeline->tasks[i];
        const firn_run_task row = {.run_id = r->context.row.run_id,
                                   .task = task->name,
                                   .kind = firn_task_type_name(task->type),
                                   .status = "skipped",
                                   .rows = -1,
                                   .started_us = r->context.row.ended_us,
                                   .ended_us = r->context.row.ended_us};
        if (r->states[i] == FIRN_STATE_WAITING) {
            rc = firn_run_task_record(firn_lake_catalog(r->context.lake), &row, &err);
        }
    }
    if (rc != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "pipeline", "cannot record the tasks that run %s skipped: %s",
                 r->context.row.run_id, err.message);
    }
}

static firn_rc fail_run(firn_runner *r, firn_rc rc, const firn_err *err)
{
    firn_run_context *context = &r->context;
    firn_err record_err = {0};
    context->row.status = "failed";
    context->row.error = firn_arena_strdup(r->arena, err->message);
    context->row.ended_us = firn_now_us();
    firn_artifacts_discard(context->stage_dir);
    record_skipped(r);
    if (firn_run_finish(firn_lake_catalog(context->lake), context->row.run_id, "failed", NULL,
                        err->message, &record_err) != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "pipeline", "cannot record that run %s failed: %s",
                 context->row.run_id, record_err.message);
    }
    firn_run_emit(r, (firn_pipeline_event){
                         .kind = FIRN_EVENT_FAILED,
                         .progress = -1,
                         .duration_us = context->row.ended_us - context->row.started_us,
                         .text = firn_arena_printf(
                             r->arena,
                             "run %s was not published; %s is unchanged. Look at what it made "
                             "with: firn --ref %s sql",
                             context->row.run_id, context->row.target, context->row.branch)});
    return rc;
}

static firn_rc publish_run(firn_runner *r, firn_err *err)
{
    firn_run_context *context = &r->context;
    size_t n_tables = 0;
    bool merged = false;
    firn_rc rc = firn_run_publish(context, r->arena, &n_tables, &merged, err);
    if (rc == FIRN_E_UNKNOWN_OUTCOME) {
        return rc; /* stays "running": the next run finds out whether it was published */
    }
    if (!merged) {
        return fail_run(r, rc, err);
    }
    r->out->tables_published = n_tables;
    context->row.status = "published";
    context->row.error = rc != FIRN_OK ? firn_arena_strdup(r->arena, err->message) : NULL;
    context->row.ended_us = firn_now_us();
    firn_run_emit(
        r, (firn_pipeline_event){.kind = FIRN_EVENT_PUBLISHED,
                                 .progress = -1,
                                 .duration_us = context->row.ended_us - context->row.started_us,
                                 .text = firn_arena_printf(
                                     r->arena, "published run %s to %s: %zu table%s in one commit",
                                     context->row.run_id, context->row.target, n_tables,
                                     n_tables == 1 ? "" : "s")});
    return rc;
}

/* ---- the run --------------------------------------------------------------------------------------------- */

static firn_rc run_tasks(firn_runner *r, firn_err *err)
{
    const firn_pipeline_options *options = r->context.options;
    FIRN_TRY(make_branch(&r->context, r->arena, err));
    build_params(&r->context, r->arena);
    firn_workers_run(r);
    if (r->stop) {
        *err = r->first_error;
        return r->first_error.code;
    }
    if (options->cancel != NULL && atomic_load(options->cancel)) {
        FIRN_FAIL(err, FIRN_E_CANCELLED, "the run was cancelled");
    }
    return FIRN_OK;
}

/* @locks the run lock */
static firn_rc run_locked(firn_runner *r, firn_err *err)
{
    firn_run_context *context = &r->context;
    firn_catalog *catalog = firn_lake_catalog(context->lake);
    FIRN_TRY(firn_run_settle(context, r->arena, err));
    FIRN_TRY(firn_run_start(catalog, r->arena, context->pipeline->name, context->options->target,
                            &context->row, err));
    context->stage_dir = firn_run_stage_dir(context->lake, r->arena, context->row.run_id);
    firn_rc rc = run_tasks(r, err);
    if (rc != FIRN_OK) {
        return fail_run(r, rc, err);
    }
    if (!context->options->no_publish) {
        return publish_run(r, err);
    }
    context->row.status = "kept";
    context->row.ended_us = firn_now_us();
    return firn_run_finish(catalog, context->row.run_id, "kept", NULL, NULL, err);
}

static int worker_count(const firn_pipeline_options *options, size_t n_tasks)
{
    int n = options->parallel > 0 ? options->parallel : firn_cpu_count();
    n = n < FIRN_WORKERS_MAX ? n : FIRN_WORKERS_MAX;
    return (size_t)n < n_tasks ? n : (int)n_tasks;
}

static firn_rc plan_and_run(firn_runner *r, firn_graph *graph, firn_err *err)
{
    int lock_fd = -1;
    FIRN_TRY(check_params(r->arena, r->context.pipeline, r->context.options, err));
    FIRN_TRY(choose(r, err));
    FIRN_TRY(build_graph(r, graph, err));
    FIRN_TRY(firn_run_lock(r->arena, &r->context, &lock_fd, err));
    firn_rc rc = run_locked(r, err);
    close(lock_fd);
    return rc;
}

firn_rc firn_pipeline_run(firn_engine *engine, firn_arena *arena, const firn_pipeline *pipeline,
                          const firn_pipeline_options *options, firn_pipeline_outcome *out,
                          firn_err *err)
{
    static const firn_pipeline_options defaults = {0};
    firn_err own_err = {0};
    firn_graph graph = {0};
    options = options != NULL ? options : &defaults;
    err = err != NULL ? err : &own_err; /* a failed run is recorded with its reason */
    *out = (firn_pipeline_outcome){0};
    firn_runner r = {.context = {.engine = engine,
                                 .lake = firn_engine_lake(engine),
                                 .pipeline = pipeline,
                                 .options = options},
                     .graph = &graph,
                     .n_workers = worker_count(options, pipeline->n_tasks),
                     .arena = arena,
                     .out = out,
                     .telling = PTHREAD_MUTEX_INITIALIZER,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER,
                     .states = FIRN_NEW_N(arena, firn_task_state, pipeline->n_tasks)};
    firn_rc rc = plan_and_run(&r, &graph, err);
    out->run = r.context.row;
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    pthread_mutex_destroy(&r.telling);
    return rc;
}
