/* A run: a branch, workers over the DAG, the gates, and one merge that publishes all or nothing.
 *
 * Invariants:
 * 1. Nothing but the merge changes the target branch; staged files move only after it.
 * 2. One run of a pipeline at a time: an flock on .firn/locks/pipeline-<name>.lock, which the kernel drops with the process. Whoever
 *    holds it may settle what a dead run left: a run whose merge is in the target's log is published (its files are moved), any
 *    other one is interrupted. Its branch stays for inspection.
 * 3. Workers own their attempt, session and arena. Everything that they share (states, counters, events) is under `lock`.
 */
#include "internal.h"

#include "base/io.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 16, WATCH_MS = 100, LOG_SEARCH_MAX = 1000 };

typedef enum task_state {
    STATE_WAITING,
    STATE_RUNNING,
    STATE_DONE,
    STATE_FAILED,
    STATE_SKIPPED
} task_state;

typedef struct worker_slot {
    firn_attempt *attempt; /* NULL: idle */
    int64_t deadline_us;   /* monotonic; 0: none */
    int64_t started_us;
} worker_slot;

typedef struct runner {
    firn_run_context context;
    const firn_graph *graph;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    task_state *states; /* by task index */
    bool *chosen;       /* options.only */
    size_t n_ended, n_chosen;
    bool stop; /* a task failed: start nothing more */
    worker_slot slots[WORKERS_MAX];
    int n_workers, n_alive;
    firn_pipeline_outcome *out;
    firn_arena *arena; /* of the caller; only under `lock` */
    firn_err first_error;
} runner;

/* ---- events (under lock) ------------------------------------------------------------------------------- */

static void emit(runner *r, firn_pipeline_event event)
{
    const firn_pipeline_options *options = r->context.options;
    if (options->on_event != NULL) {
        event.run_id = r->context.row.run_id;
        event.n_done = r->n_ended;
        event.n_tasks = r->n_chosen;
        options->on_event(options->ctx, &event);
    }
}

static const char *type_name(firn_task_type type)
{
    static const char *const names[] = {"generate", "ingest", "sql", "check", "report", "shell"};
    return names[type];
}

static firn_run_task task_row(const firn_attempt *attempt, const char *status, int64_t started_us)
{
    return (firn_run_task){.run_id = attempt->run->row.run_id,
                           .task = attempt->task->name,
                           .kind = type_name(attempt->task->type),
                           .status = status,
                           .attempt = attempt->number,
                           .rows = attempt->rows,
                           .started_us = started_us,
                           .detail = attempt->detail};
}

/* ---- one attempt --------------------------------------------------------------------------------------- */

firn_rc firn_attempt_expand(firn_attempt *attempt, const char *text, char **out, firn_err *err)
{
    return firn_definition_expand(attempt->arena, attempt->run->pipeline, attempt->run->params,
                                  attempt->run->n_params, text, out, err);
}

static firn_rc run_attempt(firn_attempt *attempt, firn_err *err)
{
    switch (attempt->task->type) {
    case FIRN_TASK_GENERATE: return firn_task_generate(attempt, err);
    case FIRN_TASK_INGEST:
    case FIRN_TASK_SQL: return firn_task_models(attempt, err);
    case FIRN_TASK_CHECK: return firn_task_check(attempt, err);
    case FIRN_TASK_REPORT: return firn_task_report(attempt, err);
    case FIRN_TASK_SHELL: return firn_task_shell(attempt, err);
    }
    return FIRN_OK;
}

/* Errors that another try cannot mend. */
static bool is_final(firn_rc rc)
{
    return rc == FIRN_E_CHECK_FAILED || rc == FIRN_E_CONFIG || rc == FIRN_E_SYNTAX ||
           rc == FIRN_E_TYPE || rc == FIRN_E_NO_COLUMN || rc == FIRN_E_UNSUPPORTED;
}

/* Record and tell how an attempt ended. The record is for people: a run does not fail because it could not be written. */
static void attempt_ended(runner *r, firn_attempt *attempt, firn_rc rc, int64_t started_us,
                          bool again, firn_err *err)
{
    firn_run_task row = task_row(attempt,
                                 rc != FIRN_OK     ? "failed"
                                 : attempt->warned ? "warned"
                                                   : "ok",
                                 started_us);
    firn_err record_err = {0};
    firn_catalog *catalog = firn_lake_catalog(r->context.lake);
    row.ended_us = firn_now_us();
    row.error = rc != FIRN_OK ? err->message : NULL;
    firn_rc recorded = firn_run_task_record(catalog, &row, &record_err);
    for (size_t i = 0; i < attempt->n_checks && !again && recorded == FIRN_OK; i++) {
        recorded = firn_run_check_record(catalog, &attempt->checks[i], &record_err);
    }
    if (recorded != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "pipeline", "cannot record task %s: %s", attempt->task->name,
                 record_err.message);
    }
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < attempt->n_checks && !again; i++) {
        const char *status = attempt->checks[i].status;
        r->out->checks_passed += firn_streq(status, "passed");
        r->out->checks_warned += firn_streq(status, "warned");
        r->out->checks_failed += firn_streq(status, "failed") || firn_streq(status, "error");
        emit(r, (firn_pipeline_event){
                    .kind = FIRN_EVENT_CHECK, .check = &attempt->checks[i], .progress = -1});
    }
    r->n_ended += !again;
    emit(r, (firn_pipeline_event){.kind = again ? FIRN_EVENT_TASK_RETRY : FIRN_EVENT_TASK_END,
                                  .task = &row,
                                  .progress = -1,
                                  .duration_us = row.ended_us - started_us});
    pthread_mutex_unlock(&r->lock);
}

static void announce(runner *r, int slot, firn_attempt *attempt, int64_t started_us)
{
    firn_run_task row = task_row(attempt, "running", started_us);
    pthread_mutex_lock(&r->lock);
    r->slots[slot] = (worker_slot){
        .attempt = attempt,
        .started_us = started_us,
        .deadline_us =
            attempt->task->timeout_us > 0 ? firn_monotonic_us() + attempt->task->timeout_us : 0};
    emit(r, (firn_pipeline_event){.kind = FIRN_EVENT_TASK_START, .task = &row, .progress = -1});
    pthread_mutex_unlock(&r->lock);
}

static firn_rc attempt_once(runner *r, int slot, const firn_task *task, int number, bool *again,
                            firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_attempt attempt = {
        .run = &r->context, .task = task, .arena = arena, .number = number, .rows = -1};
    int64_t started_us = firn_now_us();
    FIRN_TRY(firn_session_new(r->context.engine, r->context.row.branch, &attempt.session, err));
    announce(r, slot, &attempt, started_us);
    firn_rc rc = run_attempt(&attempt, err);
    pthread_mutex_lock(&r->lock);
    bool timed_out = atomic_load(&attempt.cancelled) && !r->stop;
    *again = rc != FIRN_OK && number <= task->retries && !is_final(rc) && !r->stop;
    r->slots[slot].attempt = NULL; /* the watcher must not touch the session any more */
    pthread_mutex_unlock(&r->lock);
    if (rc != FIRN_OK && timed_out) {
        FIRN_AUTO_ARENA firn_arena *text = firn_arena_new();
        rc = firn_err_wrap(err, rc, "ran longer than its timeout of %s",
                           firn_format_duration(text, task->timeout_us));
    }
    attempt_ended(r, &attempt, rc, started_us, *again, err);
    firn_session_free(attempt.session);
    return rc;
}

/* Sleep that ends early when the run stops. */
static void wait_before_retry(runner *r, int64_t delay_us)
{
    int64_t until = firn_monotonic_us() + delay_us;
    for (bool stop = false; !stop && firn_monotonic_us() < until;) {
        firn_sleep_ms(10);
        pthread_mutex_lock(&r->lock);
        stop = r->stop;
        pthread_mutex_unlock(&r->lock);
    }
}

static firn_rc run_task(runner *r, int slot, const firn_task *task, firn_err *err)
{
    firn_rc rc = FIRN_OK;
    bool again = false;
    for (int number = 1; number == 1 || again; number++) {
        if (again) {
            wait_before_retry(r, task->retry_delay_us);
        }
        again = false;
        rc = attempt_once(r, slot, task, number, &again, err);
    }
    return rc == FIRN_OK ? rc : firn_err_wrap(err, rc, "task %s", task->name);
}

/* ---- workers ------------------------------------------------------------------------------------------- */

/* Next task whose dependencies are done, in DAG order; graph->n if none is ready now (under lock). */
static size_t pick(const runner *r)
{
    const firn_graph *graph = r->graph;
    for (size_t o = 0; o < graph->n; o++) {
        size_t i = graph->order[o];
        bool is_ready = r->states[i] == STATE_WAITING;
        for (size_t k = 0; is_ready && k < graph->n; k++) {
            is_ready =
                !graph->edges[i * graph->n + k] || !r->chosen[k] || r->states[k] == STATE_DONE;
        }
        if (is_ready) {
            return i;
        }
    }
    return graph->n;
}

static bool any_left(const runner *r)
{
    bool left = false;
    for (size_t i = 0; i < r->graph->n; i++) {
        left = left || r->states[i] == STATE_WAITING;
    }
    return left && !r->stop;
}

typedef struct worker {
    runner *r;
    int slot;
} worker;

static void *work(void *argument)
{
    worker *self = argument;
    runner *r = self->r;
    pthread_mutex_lock(&r->lock);
    while (any_left(r)) {
        size_t i = pick(r);
        if (i == r->graph->n) {
            pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        r->states[i] = STATE_RUNNING;
        pthread_mutex_unlock(&r->lock);
        firn_err err = {0};
        firn_rc rc = run_task(r, self->slot, &r->context.pipeline->tasks[i], &err);
        pthread_mutex_lock(&r->lock);
        r->states[i] = rc == FIRN_OK ? STATE_DONE : STATE_FAILED;
        if (rc != FIRN_OK && !r->stop) {
            r->stop = true;
            r->first_error = err;
        }
        pthread_cond_broadcast(&r->changed);
    }
    r->n_alive--;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Interrupts what overran its time, or what still runs after another task failed; tells progress (under lock). */
static void watch(runner *r)
{
    for (int i = 0; i < r->n_workers; i++) {
        worker_slot *slot = &r->slots[i];
        if (slot->attempt == NULL) {
            continue;
        }
        bool late = slot->deadline_us > 0 && firn_monotonic_us() > slot->deadline_us;
        if (late || r->stop) {
            atomic_store(&slot->attempt->cancelled, true);
            firn_session_interrupt(slot->attempt->session);
        }
        firn_run_task row = task_row(slot->attempt, "running", slot->started_us);
        row.detail = NULL; /* the worker may be writing it */
        emit(r, (firn_pipeline_event){.kind = FIRN_EVENT_TASK_PROGRESS,
                                      .task = &row,
                                      .progress = firn_session_progress(slot->attempt->session),
                                      .duration_us = firn_now_us() - slot->started_us});
    }
}

static void run_workers(runner *r)
{
    pthread_t threads[WORKERS_MAX];
    worker workers[WORKERS_MAX];
    int started = 0;
    r->n_alive = r->n_workers;
    for (int i = 0; i < r->n_workers; i++) {
        workers[i] = (worker){.r = r, .slot = i};
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            break;
        }
        started++;
    }
    pthread_mutex_lock(&r->lock);
    r->n_alive -= r->n_workers - started;
    if (started == 0) {
        r->stop = true;
        (void)firn_err_set(&r->first_error, __FILE__, __LINE__, FIRN_E_IO,
                           "cannot start a thread for the tasks");
    }
    while (r->n_alive > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += WATCH_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&r->changed, &r->lock, &until) == ETIMEDOUT || r->stop) {
            watch(r);
        }
    }
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- before: lock, leftovers, branch --------------------------------------------------------------------- */

static firn_rc lock_pipeline(firn_arena *arena, const firn_run_context *context, int *fd,
                             firn_err *err)
{
    const char *dir = firn_lake_path(context->lake, arena, ".firn/locks");
    FIRN_TRY(firn_mkdir_p(dir, 0755, err));
    const char *path = firn_path_join(
        arena, dir, firn_arena_printf(arena, "pipeline-%s.lock", context->pipeline->name));
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        close(*fd);
        FIRN_FAIL(
            err, FIRN_E_BUSY,
            "pipeline %s is running in another process; wait for it, or see: firn pipeline runs",
            context->pipeline->name);
    }
    return FIRN_OK;
}

static const char *publish_message(firn_arena *arena, const char *pipeline, const char *run_id)
{
    return firn_arena_printf(arena, "publish run %s of pipeline %s", run_id, pipeline);
}

/* The commit on the run's target that published it, NULL if there is none. */
static firn_rc find_publication(firn_catalog *catalog, firn_arena *arena, const firn_run *run,
                                const char **commit_id, firn_err *err)
{
    const char *message = publish_message(arena, run->pipeline, run->run_id);
    firn_commit *commits = NULL;
    size_t n = 0;
    *commit_id = NULL;
    FIRN_TRY(firn_catalog_log(catalog, arena, run->target, LOG_SEARCH_MAX, &commits, &n, err));
    for (size_t i = 0; i < n && *commit_id == NULL; i++) {
        if (commits[i].message != NULL && firn_streq(commits[i].message, message)) {
            *commit_id = commits[i].id;
        }
    }
    return FIRN_OK;
}

static const char *stage_dir_of(firn_lake *lake, firn_arena *arena, const char *run_id)
{
    return firn_lake_path(lake, arena, firn_arena_printf(arena, ".firn/runs/%s", run_id));
}

/* Publishing after the merge; all steps can be done again. */
static firn_rc finish_published(firn_run_context *context, firn_arena *arena, const firn_run *run,
                                const char *commit_id, firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(context->lake);
    FIRN_TRY(firn_stage_publish(firn_lake_root(context->lake),
                                stage_dir_of(context->lake, arena, run->run_id), err));
    FIRN_TRY(firn_run_finish(catalog, run->run_id, "published", commit_id, NULL, err));
    firn_rc rc = firn_catalog_ref_delete(catalog, run->branch, err);
    return rc == FIRN_E_NO_REF ? FIRN_OK : rc;
}

/* What runs of this pipeline left that died in the middle (the lock is ours, so none is alive). */
static firn_rc settle_dead_runs(firn_run_context *context, firn_arena *arena, firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(context->lake);
    firn_run *runs = NULL;
    size_t n = 0;
    FIRN_TRY(
        firn_run_list(catalog, arena, context->pipeline->name, LOG_SEARCH_MAX, &runs, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (!firn_streq(runs[i].status, "running")) {
            continue;
        }
        const char *commit_id = NULL;
        FIRN_TRY(find_publication(catalog, arena, &runs[i], &commit_id, err));
        if (commit_id != NULL) {
            FIRN_TRY(finish_published(context, arena, &runs[i], commit_id, err));
        } else {
            firn_stage_discard(stage_dir_of(context->lake, arena, runs[i].run_id));
            FIRN_TRY(firn_run_finish(catalog, runs[i].run_id, "interrupted", NULL,
                                     "the process ended before the run did", err));
        }
    }
    return FIRN_OK;
}

static firn_rc create_schemas(firn_run_context *context, firn_arena *arena, firn_err *err)
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

static firn_rc begin_run(firn_run_context *context, firn_arena *arena, firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(context->lake);
    const char *target = context->options->target != NULL ? context->options->target : FIRN_MAIN;
    FIRN_TRY(settle_dead_runs(context, arena, err));
    FIRN_TRY(firn_run_start(catalog, arena, context->pipeline->name, target, &context->row, err));
    context->stage_dir = stage_dir_of(context->lake, arena, context->row.run_id);
    FIRN_TRY(firn_catalog_ref_create(catalog, context->row.branch, false, target, err));
    return create_schemas(context, arena, err);
}

/* Given parameters, then what every run knows. The run's own come with the branch. */
static void build_params(firn_run_context *context, firn_arena *arena)
{
    const firn_pipeline_options *options = context->options;
    context->params = FIRN_NEW_N(arena, firn_pipeline_param, options->n_params + 3);
    for (size_t i = 0; i < options->n_params; i++) {
        context->params[i] = options->params[i];
    }
    context->n_params = options->n_params;
    context->params[context->n_params++] =
        (firn_pipeline_param){.name = "lake", .value = firn_lake_root(context->lake)};
    if (context->row.run_id != NULL) {
        context->params[context->n_params++] =
            (firn_pipeline_param){.name = "run_id", .value = context->row.run_id};
        context->params[context->n_params++] =
            (firn_pipeline_param){.name = "ref", .value = context->row.branch};
    }
}

/* A parameter that the pipeline does not declare is a typing mistake. */
static firn_rc check_params(firn_arena *arena, const firn_pipeline *pipeline,
                            const firn_pipeline_options *options, firn_err *err)
{
    const char **names = FIRN_NEW_N(arena, const char *, pipeline->n_params);
    for (size_t i = 0; i < pipeline->n_params; i++) {
        names[i] = pipeline->params[i].name;
    }
    for (size_t i = 0; i < options->n_params; i++) {
        size_t k = 0;
        while (k < pipeline->n_params && !firn_streq(options->params[i].name, names[k])) {
            k++;
        }
        if (k == pipeline->n_params) {
            const char *near = firn_nearest(options->params[i].name, names, pipeline->n_params);
            FIRN_FAIL(err, FIRN_E_INVALID, "pipeline %s has no parameter \"%s\"%s%s%s; it has: %s",
                      pipeline->name, options->params[i].name,
                      near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                      near != NULL ? "\"?" : "",
                      firn_str_join(arena, names, pipeline->n_params, ", "));
        }
    }
    return FIRN_OK;
}

/* ---- after: publish or keep ---------------------------------------------------------------------------- */

static firn_rc publish(runner *r, firn_err *err)
{
    firn_arena *arena = r->arena;
    firn_run_context *context = &r->context;
    firn_catalog *catalog = firn_lake_catalog(context->lake);
    const firn_merge_options options = {
        .info = {.author = firn_arena_printf(arena, "pipeline %s", context->pipeline->name),
                 .message = publish_message(arena, context->pipeline->name, context->row.run_id)}};
    firn_merge_result merged = {0};
    firn_rc rc = firn_catalog_merge(catalog, arena, context->row.branch, context->row.target,
                                    &options, &merged, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "cannot publish run %s to %s", context->row.run_id,
                             context->row.target);
    }
    for (size_t i = 0; i < merged.n_merged; i++) {
        r->out->tables_published += merged.merged[i].kind == FIRN_KIND_TABLE;
    }
    FIRN_TRY(finish_published(context, arena, &context->row, merged.commit_id, err));
    context->row.status = "published";
    context->row.commit_id = merged.commit_id;
    context->row.ended_us = firn_now_us();
    emit(r, (firn_pipeline_event){.kind = FIRN_EVENT_PUBLISHED,
                                  .progress = -1,
                                  .duration_us = context->row.ended_us - context->row.started_us,
                                  .text = firn_arena_printf(
                                      arena, "published run %s to %s: %zu table%s in one commit",
                                      context->row.run_id, context->row.target,
                                      r->out->tables_published,
                                      r->out->tables_published == 1 ? "" : "s")});
    return FIRN_OK;
}

static firn_rc fail_run(runner *r, firn_rc rc, firn_err *err)
{
    firn_run_context *context = &r->context;
    firn_err record_err = {0};
    firn_stage_discard(context->stage_dir);
    if (firn_run_finish(firn_lake_catalog(context->lake), context->row.run_id, "failed", NULL,
                        err->message, &record_err) != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "pipeline", "cannot record that run %s failed: %s",
                 context->row.run_id, record_err.message);
    }
    context->row.status = "failed";
    context->row.error = firn_arena_strdup(r->arena, err->message);
    context->row.ended_us = firn_now_us();
    emit(r, (firn_pipeline_event){
                .kind = FIRN_EVENT_FAILED,
                .progress = -1,
                .duration_us = context->row.ended_us - context->row.started_us,
                .text = firn_arena_printf(
                    r->arena,
                    "run %s was not published; %s is unchanged. Look at what it made with: firn "
                    "--ref %s sql",
                    context->row.run_id, context->row.target, context->row.branch)});
    return rc;
}

/* Tasks named by options.only; all of them without. */
static firn_rc choose(runner *r, firn_err *err)
{
    const firn_pipeline *pipeline = r->context.pipeline;
    const firn_pipeline_options *options = r->context.options;
    const char **names = FIRN_NEW_N(r->arena, const char *, pipeline->n_tasks);
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        names[i] = pipeline->tasks[i].name;
        r->chosen[i] = options->n_only == 0;
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
        r->chosen[i] = true;
    }
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        r->states[i] = r->chosen[i] ? STATE_WAITING : STATE_SKIPPED;
        r->n_chosen += r->chosen[i];
    }
    return FIRN_OK;
}

static firn_rc run_locked(runner *r, firn_err *err)
{
    firn_run_context *context = &r->context;
    FIRN_TRY(begin_run(context, r->arena, err));
    build_params(context, r->arena);
    run_workers(r);
    firn_rc rc = FIRN_OK;
    if (r->stop) {
        rc = r->first_error.code;
        if (err != NULL) {
            *err = r->first_error;
        }
    } else if (context->options->no_publish) {
        rc = firn_run_finish(firn_lake_catalog(context->lake), context->row.run_id, "kept", NULL,
                             NULL, err);
        context->row.status = "kept";
        context->row.ended_us = firn_now_us();
    } else {
        rc = publish(r, err);
    }
    return rc == FIRN_OK ? rc : fail_run(r, rc, err);
}

static firn_rc build_graph(runner *r, firn_graph *graph, firn_err *err)
{
    firn_session *session = NULL;
    build_params(&r->context, r->arena);
    FIRN_TRY(firn_session_new(r->context.engine, r->context.options->target, &session, err));
    firn_rc rc = firn_graph_build(session, r->arena, r->context.pipeline, r->context.params,
                                  r->context.n_params, graph, err);
    firn_session_free(session);
    return rc;
}

firn_rc firn_pipeline_run(firn_engine *engine, firn_arena *arena, const firn_pipeline *pipeline,
                          const firn_pipeline_options *options, firn_pipeline_outcome *out,
                          firn_err *err)
{
    static const firn_pipeline_options defaults = {0};
    firn_err own_err = {0};
    firn_graph graph = {0};
    *out = (firn_pipeline_outcome){0};
    err = err != NULL ? err : &own_err; /* a failed run is recorded with its reason */
    runner r = {.context = {.engine = engine,
                            .lake = firn_engine_lake(engine),
                            .pipeline = pipeline,
                            .options = options != NULL ? options : &defaults},
                .graph = &graph,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .changed = PTHREAD_COND_INITIALIZER,
                .states = FIRN_NEW_N(arena, task_state, pipeline->n_tasks),
                .chosen = FIRN_NEW_N(arena, bool, pipeline->n_tasks),
                .out = out,
                .arena = arena};
    int parallel = r.context.options->parallel > 0 ? r.context.options->parallel : firn_cpu_count();
    r.n_workers = parallel < WORKERS_MAX ? parallel : WORKERS_MAX;
    r.n_workers = (size_t)r.n_workers < pipeline->n_tasks ? r.n_workers : (int)pipeline->n_tasks;
    FIRN_TRY(check_params(arena, pipeline, r.context.options, err));
    FIRN_TRY(choose(&r, err));
    FIRN_TRY(build_graph(&r, &graph, err));
    int lock_fd = -1;
    FIRN_TRY(lock_pipeline(arena, &r.context, &lock_fd, err));
    firn_rc rc = run_locked(&r, err);
    close(lock_fd);
    out->run = r.context.row;
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    return rc;
}
