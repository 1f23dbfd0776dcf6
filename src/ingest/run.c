/* Feeds that run in this process: starting and stopping them, and what their threads say to each other. See run.h. */
#include "run.h"

#include "base/log.h"
#include "base/time.h"

#include <stdlib.h>

struct firn_ingest {
    firn_engine *engine;
    firn_ingest_options options;
    firn_feed_run **runs;
    size_t n;
};

/* ---- states --------------------------------------------------------------------------------------------------------- */

/* What the person at the keyboard can do. */
static void advise(const firn_feed_run *run, firn_rc code, char *out, size_t size)
{
    const char *name = run->feed.name;
    switch (code) {
    case FIRN_E_OFFSET_GONE:
        snprintf(out, size, "firn ingest resume %s --from earliest", name);
        break;
    case FIRN_E_NO_TABLE:
        snprintf(out, size,
                 "bring the table back, or start a new one: firn ingest resume %s --from earliest",
                 name);
        break;
    case FIRN_E_VALIDATION:
        snprintf(
            out, size,
            "change the table (ALTER TABLE), or set evolve.on_unsafe: dead_letters in %s; then "
            "firn ingest run %s",
            run->feed.path, name);
        break;
    case FIRN_E_CHECK_FAILED:
        snprintf(out, size,
                 "see what is wrong with the records, or raise dead_letters.stop_after and "
                 "stop_percent in %s; then firn ingest run %s",
                 run->feed.path, name);
        break;
    case FIRN_E_PERMISSION:
        snprintf(out, size, "see to the credentials in firn.yaml; then firn ingest run %s", name);
        break;
    default: snprintf(out, size, "when that is seen to: firn ingest run %s", name); break;
    }
}

void firn_run_fail(firn_feed_run *run, const firn_err *err)
{
    pthread_mutex_lock(&run->lock);
    bool is_first = !run->failed;
    if (is_first) {
        run->failed = true;
        run->status.state = FIRN_FEED_STOPPED;
        run->status.code = err->code;
        snprintf(run->status.message, sizeof(run->status.message), "%s", err->message);
        advise(run, err->code, run->status.advice, sizeof(run->status.advice));
    }
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    if (is_first) { /* other feeds of the process may run on for days */
        firn_log(FIRN_LOG_WARN, "ingest", "feed %s stopped: %s", run->feed.name, err->message);
    }
}

void firn_run_waits(firn_feed_run *run, firn_waiter who, const firn_err *err)
{
    pthread_mutex_lock(&run->lock);
    bool is_new = !run->waits[who] && !run->failed;
    run->waits[who] = true;
    if (!run->failed) {
        run->status.state = FIRN_FEED_WAITING;
        snprintf(run->status.message, sizeof(run->status.message), "%s", err->message);
    }
    pthread_mutex_unlock(&run->lock);
    if (is_new) {
        firn_log(FIRN_LOG_WARN, "ingest", "feed %s waits: %s", run->feed.name, err->message);
    }
}

void firn_run_goes_on(firn_feed_run *run, firn_waiter who)
{
    pthread_mutex_lock(&run->lock);
    bool waited = run->waits[who];
    run->waits[who] = false;
    if (!run->failed && !run->waits[FIRN_POLLER] && !run->waits[FIRN_WRITER]) {
        run->status.state = FIRN_FEED_RUNNING;
    }
    pthread_mutex_unlock(&run->lock);
    if (waited) {
        firn_log(FIRN_LOG_WARN, "ingest", "feed %s goes on", run->feed.name);
    }
}

/* Nobody's fault that is here, and gone when somebody else has seen to it. */
bool firn_run_is_retriable(const firn_err *err)
{
    switch (err->code) {
    case FIRN_E_IO:
    case FIRN_E_NO_SPACE:
    case FIRN_E_BUSY:
    case FIRN_E_UNAVAILABLE:
    case FIRN_E_CONFLICT:
    case FIRN_E_MEMORY:
    case FIRN_E_UNKNOWN_OUTCOME: /* of a file, table or schema: made again. A commit's is settled in commit.c. */
        return true;
    default: return err->retriable;
    }
}

/* ---- one run ----------------------------------------------------------------------------------------------------------- */

static void run_free(firn_feed_run *run)
{
    if (run == NULL) {
        return;
    }
    firn_targets_free(run);
    firn_session_free(run->session);
    firn_kafka_free(run->kafka);
    firn_registry_free(run->registry);
    firn_arena_free(run->back_arena);
    pthread_cond_destroy(&run->changed);
    pthread_mutex_destroy(&run->lock);
    firn_arena_free(run->arena);
    free(run);
}

/* The feed's texts belong to the caller's arena; ours outlives it. The file is the shortest copy. */
static firn_rc copy_feed(firn_feed_run *run, const firn_feed *feed, firn_err *err)
{
    return firn_feed_load(run->lake, run->arena, feed->name, &run->feed, err);
}

static firn_rc connect(firn_feed_run *run, firn_err *err)
{
    FIRN_TRY(firn_feed_kafka(run->lake, &run->feed, &run->kafka, err));
    FIRN_TRY(firn_feed_registry(run->lake, &run->feed, &run->registry, err));
    return firn_session_new(run->engine, run->feed.ref, &run->session, err);
}

/* Threads that are told by flags leave signals to the one that knows what they mean. */
static firn_rc start_thread(pthread_t *thread, void *(*fn)(void *), firn_feed_run *run,
                            firn_err *err)
{
    int errnum = pthread_create(thread, NULL, fn, run);
    if (errnum != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errnum, "cannot start a thread of feed %s",
                              run->feed.name);
    }
    return FIRN_OK;
}

static void end_run(firn_feed_run *run)
{
    if (run->poller_runs) {
        pthread_join(run->poller, NULL);
        run->poller_runs = false;
    }
    if (run->writer_runs) {
        pthread_mutex_lock(&run->lock);
        run->ended = true;
        pthread_cond_broadcast(&run->changed);
        pthread_mutex_unlock(&run->lock);
        pthread_join(run->writer, NULL);
        run->writer_runs = false;
    }
}

static void note_done(firn_feed_run *run)
{
    pthread_mutex_lock(&run->lock);
    run->done = true;
    if (!run->failed) {
        run->status.state = FIRN_FEED_DONE;
    }
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    firn_status_write(run);
}

/* The poller's thread: the cluster's id is asked for here, since the brokers may be away for long. */
static void *poll_to_the_end(void *ctx)
{
    firn_feed_run *run = ctx;
    firn_poller_thread(run);
    note_done(run);
    return NULL;
}

static firn_rc start_run(firn_feed_run *run, firn_err *err)
{
    FIRN_TRY(start_thread(&run->writer, firn_writer_thread, run, err));
    run->writer_runs = true;
    FIRN_TRY(start_thread(&run->poller, poll_to_the_end, run, err));
    run->poller_runs = true;
    return FIRN_OK;
}

/* ---- the feeds of this process ------------------------------------------------------------------------------------------ */

firn_rc firn_ingest_new(firn_engine *engine, const firn_ingest_options *options, firn_ingest **out,
                        firn_err *err)
{
    (void)err;
    *out = firn_calloc(1, sizeof(**out));
    **out = (firn_ingest){.engine = engine, .options = *options};
    return FIRN_OK;
}

static firn_rc add(firn_ingest *ingest, const firn_feed *feed, bool is_file, firn_err *err)
{
    firn_feed_run *run = firn_calloc(1, sizeof(*run));
    run->engine = ingest->engine;
    run->lake = firn_engine_lake(ingest->engine);
    run->options = ingest->options;
    run->arena = firn_arena_new();
    run->back_arena = firn_arena_new();
    run->status.lag = -1;
    run->status.freshness_ms = -1;
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->changed, NULL);
    run->feed = *feed;
    firn_rc rc = is_file ? copy_feed(run, feed, err) : FIRN_OK;
    if (rc == FIRN_OK) {
        rc = connect(run, err);
    }
    if (rc != FIRN_OK) {
        run_free(run);
        return rc;
    }
    ingest->runs = firn_realloc(ingest->runs, (ingest->n + 1) * sizeof(ingest->runs[0]));
    ingest->runs[ingest->n++] = run;
    return FIRN_OK;
}

firn_rc firn_ingest_add(firn_ingest *ingest, const firn_feed *feed, firn_err *err)
{
    return add(ingest, feed, true, err);
}

firn_rc firn_ingest_add_given(firn_ingest *ingest, const firn_feed *feed, firn_err *err)
{
    return add(ingest, feed, false, err);
}

firn_rc firn_ingest_start(firn_ingest *ingest, firn_err *err)
{
    for (size_t i = 0; i < ingest->n; i++) {
        firn_feed_run *run = ingest->runs[i];
        if (ingest->options.max_ms > 0) {
            run->ends_us = firn_monotonic_us() + ingest->options.max_ms * 1000;
        }
        firn_status_forget(run->lake, run->feed.name);
        firn_rc rc = start_run(run, err);
        if (rc != FIRN_OK) {
            firn_ingest_stop(ingest);
            return rc;
        }
    }
    return FIRN_OK;
}

void firn_ingest_stop(firn_ingest *ingest)
{
    for (size_t i = 0; i < ingest->n; i++) {
        firn_feed_run *run = ingest->runs[i];
        pthread_mutex_lock(&run->lock);
        run->stop = true;
        pthread_cond_broadcast(&run->changed);
        pthread_mutex_unlock(&run->lock);
    }
}

static bool wait_for_run(firn_feed_run *run, int64_t until_us)
{
    enum { SLICE_MS = 100 };
    pthread_mutex_lock(&run->lock);
    while (!run->done && (until_us < 0 || firn_monotonic_us() < until_us)) {
        firn_cond_wait_ms(&run->changed, &run->lock, SLICE_MS);
    }
    bool done = run->done;
    pthread_mutex_unlock(&run->lock);
    return done;
}

bool firn_ingest_wait(firn_ingest *ingest, int timeout_ms)
{
    int64_t until_us = timeout_ms < 0 ? -1 : firn_monotonic_us() + (int64_t)timeout_ms * 1000;
    bool done = true;
    for (size_t i = 0; i < ingest->n; i++) {
        done = wait_for_run(ingest->runs[i], until_us) && done;
    }
    return done;
}

void firn_ingest_status(firn_ingest *ingest, firn_arena *arena, firn_feed_status **out, size_t *n)
{
    *n = ingest->n;
    *out = FIRN_NEW_N(arena, firn_feed_status, ingest->n);
    for (size_t i = 0; i < ingest->n; i++) {
        firn_status_look(ingest->runs[i], arena, &(*out)[i]);
    }
}

void firn_ingest_free(firn_ingest *ingest)
{
    if (ingest == NULL) {
        return;
    }
    firn_ingest_stop(ingest);
    for (size_t i = 0; i < ingest->n; i++) {
        end_run(ingest->runs[i]);
        if (ingest->runs[i]->status.state != FIRN_FEED_STOPPED) {
            firn_status_remove(
                ingest->runs[i]); /* why a feed stopped is told until it runs again */
        }
        run_free(ingest->runs[i]);
    }
    free(ingest->runs);
    free(ingest);
}
