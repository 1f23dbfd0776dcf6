/* The tasks of a run, in parallel as far as the graph allows.
 *
 * Invariants:
 * 1. A worker owns its attempt with session and arena. The watcher, which is the caller's thread, reaches an attempt only through the
 *    worker's slot and under `lock`; the worker empties the slot, under `lock`, before it frees anything.
 * 2. No SQL, file or callback is waited for under `lock`. An interrupt that falls between two statements of a task is lost, so the
 *    watcher repeats it until the slot is empty.
 * 3. Once `stop` is set nothing new is started, no retry either, and every worker ends when its task has.
 */
#include "internal.h"

#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <time.h>

enum { WATCH_MS = 100, RETRY_POLL_MS = 10 };

/* ---- events -------------------------------------------------------------------------------------------- */

void firn_run_emit(firn_runner *r, firn_pipeline_event event)
{
    const firn_pipeline_options *options = r->context.options;
    if (options->on_event == NULL) {
        return;
    }
    pthread_mutex_lock(&r->telling);
    pthread_mutex_lock(&r->lock);
    event.n_done = r->n_ended;
    pthread_mutex_unlock(&r->lock);
    event.run_id = r->context.row.run_id;
    event.n_tasks = r->n_chosen;
    options->on_event(options->ctx, &event);
    pthread_mutex_unlock(&r->telling);
}

static firn_run_task task_row(const firn_runner *r, const firn_task *task, int number,
                              const char *status, int64_t started_us)
{
    return (firn_run_task){.run_id = r->context.row.run_id,
                           .task = task->name,
                           .kind = firn_task_type_name(task->type),
                           .status = status,
                           .attempt = number,
                           .rows = -1,
                           .started_us = started_us};
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

/* Errors that another try cannot mend, or must not: after an unknown outcome it could do the work twice. */
static bool is_final(firn_rc rc)
{
    return rc == FIRN_E_CHECK_FAILED || rc == FIRN_E_CONFIG || rc == FIRN_E_SYNTAX ||
           rc == FIRN_E_TYPE || rc == FIRN_E_NO_COLUMN || rc == FIRN_E_UNSUPPORTED ||
           rc == FIRN_E_UNKNOWN_OUTCOME;
}

/* The record is for people: a run does not fail because it could not be written. */
static void record(firn_runner *r, const firn_attempt *attempt, const firn_run_task *row,
                   bool with_checks)
{
    firn_catalog *catalog = firn_lake_catalog(r->context.lake);
    firn_err err = {0};
    firn_rc rc = firn_run_task_record(catalog, row, &err);
    for (size_t i = 0; with_checks && i < attempt->n_checks && rc == FIRN_OK; i++) {
        rc = firn_run_check_record(catalog, &attempt->checks[i], &err);
    }
    if (rc != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "pipeline", "cannot record task %s: %s", row->task, err.message);
    }
}

/* Into the run log, the outcome and the ears of whoever listens. `again`: another attempt follows. */
static void attempt_ended(firn_runner *r, const firn_attempt *attempt, firn_rc rc,
                          int64_t started_us, bool again, const firn_err *err)
{
    const char *status = rc != FIRN_OK ? "failed" : attempt->warned ? "warned" : "ok";
    firn_run_task row = task_row(r, attempt->task, attempt->number, status, started_us);
    row.ended_us = firn_now_us();
    row.rows = attempt->rows;
    row.detail = attempt->detail;
    row.error = rc != FIRN_OK ? err->message : NULL;
    record(r, attempt, &row, !again);
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < attempt->n_checks && !again; i++) {
        const char *result = attempt->checks[i].status;
        r->out->checks_passed += firn_streq(result, "passed");
        r->out->checks_warned += firn_streq(result, "warned");
        r->out->checks_failed += firn_streq(result, "failed") || firn_streq(result, "error");
    }
    r->n_ended += !again;
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < attempt->n_checks && !again; i++) {
        firn_run_emit(r, (firn_pipeline_event){.kind = FIRN_EVENT_CHECK,
                                               .task = &row,
                                               .check = &attempt->checks[i],
                                               .progress = -1});
    }
    firn_run_emit(r,
                  (firn_pipeline_event){.kind = again ? FIRN_EVENT_TASK_RETRY : FIRN_EVENT_TASK_END,
                                        .task = &row,
                                        .progress = -1,
                                        .duration_us = row.ended_us - started_us});
}

/* From here on the watcher sees the attempt. */
static void take_slot(firn_runner *r, int slot, firn_attempt *attempt, int64_t started_us)
{
    int64_t timeout_us = attempt->task->timeout_us;
    firn_run_task row = task_row(r, attempt->task, attempt->number, "running", started_us);
    pthread_mutex_lock(&r->lock);
    r->slots[slot] =
        (firn_worker_slot){.attempt = attempt,
                           .started_us = started_us,
                           .deadline_us = timeout_us > 0 ? firn_monotonic_us() + timeout_us : 0};
    pthread_mutex_unlock(&r->lock);
    if (attempt->number == 1) {
        firn_run_emit(
            r, (firn_pipeline_event){.kind = FIRN_EVENT_TASK_START, .task = &row, .progress = -1});
    }
}

static firn_rc attempt_once(firn_runner *r, int slot, const firn_task *task, int number,
                            firn_task_done *done, bool *again, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_attempt attempt = {.run = &r->context,
                            .task = task,
                            .arena = arena,
                            .number = number,
                            .done = done,
                            .rows = -1};
    int64_t started_us = firn_now_us();
    firn_rc rc = firn_session_new(r->context.engine, r->context.row.branch, &attempt.session, err);
    take_slot(r, slot, &attempt, started_us);
    if (rc == FIRN_OK) {
        rc = run_attempt(&attempt, err);
    }
    pthread_mutex_lock(&r->lock);
    bool timed_out = rc != FIRN_OK && atomic_load(&attempt.cancelled) && !r->stop;
    *again = rc != FIRN_OK && number <= task->retries && !is_final(rc) && !r->stop;
    r->slots[slot].attempt = NULL;
    pthread_mutex_unlock(&r->lock);
    if (timed_out) {
        rc = firn_err_wrap(err, rc, "ran longer than its timeout of %s",
                           firn_format_duration(arena, task->timeout_us));
    }
    attempt_ended(r, &attempt, rc, started_us, *again, err);
    firn_session_free(attempt.session);
    return rc;
}

/* False if the run stops before the delay is over. */
static bool wait_before_retry(firn_runner *r, int64_t delay_us)
{
    int64_t until = firn_monotonic_us() + delay_us;
    for (;;) {
        pthread_mutex_lock(&r->lock);
        bool stop = r->stop;
        pthread_mutex_unlock(&r->lock);
        if (stop || firn_monotonic_us() >= until) {
            return !stop;
        }
        firn_sleep_ms(RETRY_POLL_MS);
    }
}

static firn_rc run_task(firn_runner *r, int slot, const firn_task *task, firn_err *err)
{
    firn_task_done done = {0};
    bool again = false;
    firn_rc rc = attempt_once(r, slot, task, 1, &done, &again, err);
    for (int number = 2; again && wait_before_retry(r, task->retry_delay_us); number++) {
        rc = attempt_once(r, slot, task, number, &done, &again, err);
    }
    return rc == FIRN_OK ? rc : firn_err_wrap(err, rc, "task %s", task->name);
}

/* ---- workers ------------------------------------------------------------------------------------------- */

/* Next task whose dependencies are done, in the graph's order; graph->n if none is ready now. Tasks that were not chosen count as done.
 * @locks lock */
static size_t pick(const firn_runner *r)
{
    const firn_graph *graph = r->graph;
    for (size_t o = 0; o < graph->n; o++) {
        size_t i = graph->order[o];
        bool ready = r->states[i] == FIRN_STATE_WAITING;
        for (size_t k = 0; ready && k < graph->n; k++) {
            ready = !graph->edges[i * graph->n + k] || r->states[k] == FIRN_STATE_DONE ||
                    r->states[k] == FIRN_STATE_UNCHOSEN;
        }
        if (ready) {
            return i;
        }
    }
    return graph->n;
}

/* @locks lock */
static bool any_left(const firn_runner *r)
{
    for (size_t i = 0; i < r->graph->n; i++) {
        if (r->states[i] == FIRN_STATE_WAITING) {
            return !r->stop;
        }
    }
    return false;
}

/* @locks lock */
static void stop_run(firn_runner *r, const firn_err *err)
{
    if (!r->stop) {
        r->stop = true;
        r->first_error = *err;
    }
}

typedef struct worker {
    firn_runner *r;
    int slot;
} worker;

/* @thread worker */
static void *work(void *argument)
{
    const worker *self = argument;
    firn_runner *r = self->r;
    pthread_mutex_lock(&r->lock);
    while (any_left(r)) {
        size_t i = pick(r);
        if (i == r->graph->n) {
            pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        r->states[i] = FIRN_STATE_RUNNING;
        pthread_mutex_unlock(&r->lock);
        firn_err err = {0};
        firn_rc rc = run_task(r, self->slot, &r->context.pipeline->tasks[i], &err);
        pthread_mutex_lock(&r->lock);
        r->states[i] = rc == FIRN_OK ? FIRN_STATE_DONE : FIRN_STATE_FAILED;
        if (rc != FIRN_OK) {
            stop_run(r, &err);
        }
        pthread_cond_broadcast(&r->changed);
    }
    r->n_alive--;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- the watcher --------------------------------------------------------------------------------------- */

typedef struct progress {
    firn_run_task row;
    double fraction;
    int64_t duration_us;
} progress;

/* Interrupts what overran its time, or what still runs though the run stops. @locks lock */
static void watch_slot(firn_runner *r, firn_worker_slot *slot, progress *out)
{
    firn_attempt *attempt = slot->attempt;
    bool late = slot->deadline_us > 0 && firn_monotonic_us() > slot->deadline_us;
    if (late || r->stop) {
        atomic_store(&attempt->cancelled, true);
    }
    out->row = task_row(r, attempt->task, attempt->number, "running", slot->started_us);
    out->duration_us = firn_now_us() - slot->started_us;
    out->fraction = -1;
    if (attempt->session == NULL) {
        return;
    }
    if (late || r->stop) {
        firn_session_interrupt(attempt->session);
    }
    out->fraction = firn_session_progress(attempt->session);
}

static void watch(firn_runner *r)
{
    progress news[FIRN_WORKERS_MAX];
    size_t n = 0;
    const atomic_bool *cancel = r->context.options->cancel;
    pthread_mutex_lock(&r->lock);
    if (cancel != NULL && atomic_load(cancel)) {
        firn_err err = {0};
        (void)firn_err_set(&err, __FILE__, __LINE__, FIRN_E_CANCELLED, "the run was cancelled");
        stop_run(r, &err);
        pthread_cond_broadcast(&r->changed);
    }
    for (int i = 0; i < r->n_workers; i++) {
        if (r->slots[i].attempt != NULL) {
            watch_slot(r, &r->slots[i], &news[n++]);
        }
    }
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < n; i++) {
        firn_run_emit(r, (firn_pipeline_event){.kind = FIRN_EVENT_TASK_PROGRESS,
                                               .task = &news[i].row,
                                               .progress = news[i].fraction,
                                               .duration_us = news[i].duration_us});
    }
}

/* Until the next look, or until the last worker has ended. */
static bool wait_for_workers(firn_runner *r)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WATCH_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&r->lock);
    int waited = 0;
    while (r->n_alive > 0 && waited != ETIMEDOUT) {
        waited = pthread_cond_clockwait(&r->changed, &r->lock, CLOCK_MONOTONIC, &until);
    }
    bool alive = r->n_alive > 0;
    pthread_mutex_unlock(&r->lock);
    return alive;
}

void firn_workers_run(firn_runner *r)
{
    pthread_t threads[FIRN_WORKERS_MAX];
    worker workers[FIRN_WORKERS_MAX];
    int started = 0;
    r->n_alive = r->n_workers;
    while (started < r->n_workers) {
        workers[started] = (worker){.r = r, .slot = started};
        if (pthread_create(&threads[started], NULL, work, &workers[started]) != 0) {
            break; /* fewer do as well, as long as there is one */
        }
        started++;
    }
    pthread_mutex_lock(&r->lock);
    r->n_alive -= r->n_workers - started;
    if (started == 0) {
        firn_err err = {0};
        (void)firn_err_set(&err, __FILE__, __LINE__, FIRN_E_IO,
                           "cannot start a thread for the tasks");
        stop_run(r, &err);
    }
    pthread_mutex_unlock(&r->lock);
    while (wait_for_workers(r)) {
        watch(r);
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}
