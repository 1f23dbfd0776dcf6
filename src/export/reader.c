/* See reader.h. */
#include "reader.h"

#include "base/thread.h"
#include "base/time.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SLICE_MS = 100 }; /* how late a stop may be seen */

struct firn_export_reader {
    firn_export_reader_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* @locks lock */
    firn_export_batch *head, **tail;
    size_t bytes;
    bool ended, given_up;
    firn_rc rc;
    firn_err err;
};

void firn_export_batch_free(firn_export_batch *batch)
{
    if (batch != NULL) {
        if (batch->array.release != NULL) {
            batch->array.release(&batch->array);
        }
        free(batch->pick);
        free(batch);
    }
}

/* ---- the reader's thread ----------------------------------------------------------------------------------------- */

static bool is_told_to_stop(firn_export_reader *r)
{
    pthread_mutex_lock(&r->lock);
    bool stop = r->given_up;
    pthread_mutex_unlock(&r->lock);
    return stop || (r->options.stop != NULL && *r->options.stop);
}

static bool has_nulls(const struct ArrowArray *column)
{
    return column->null_count != 0 && column->buffers[0] != NULL && column->null_count > 0;
}

static firn_rc take(firn_export_reader *r, firn_export_batch *batch, firn_err *err)
{
    const struct ArrowArray *a = &batch->array;
    batch->count = a->length;
    if (r->options.marks == NULL) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < FIRN_EXPORT_LEADING; i++) {
        if (has_nulls(a->children[i])) {
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "the server sent a row without ROWPARTITION, ROWOFFSET or ROWTIME");
        }
    }
    const int32_t *partition = a->children[FIRN_EXPORT_AT_PARTITION]->buffers[1];
    const int64_t *offset = a->children[FIRN_EXPORT_AT_OFFSET]->buffers[1];
    const int64_t *time = a->children[FIRN_EXPORT_AT_TIME]->buffers[1];
    return firn_export_marks_take(r->options.marks, partition, offset, time, a->length,
                                  &batch->pick, &batch->count, err);
}

/* Waits while the queue is full. */
static void hand_over(firn_export_reader *r, firn_export_batch *batch)
{
    pthread_mutex_lock(&r->lock);
    while (r->head != NULL && r->bytes + batch->bytes > r->options.queue_bytes_max &&
           !r->given_up && !(r->options.stop != NULL && *r->options.stop)) {
        firn_cond_wait_ms(&r->changed, &r->lock, SLICE_MS);
    }
    *r->tail = batch;
    r->tail = &batch->next;
    r->bytes += batch->bytes;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static firn_rc take_batch(firn_export_reader *r, const struct ArrowArray *array, firn_err *err)
{
    firn_export_batch *batch = firn_calloc(1, sizeof(*batch));
    batch->array = *array;
    firn_rc rc = take(r, batch, err);
    if (rc != FIRN_OK || batch->count == 0) {
        firn_export_batch_free(batch);
        return rc;
    }
    batch->bytes = firn_export_array_bytes(firn_ksqldb_query_schema(r->options.query), array);
    int64_t rows = batch->count; /* it belongs to the owner then */
    hand_over(r, batch);
    if (r->options.on_batch != NULL) {
        r->options.on_batch(r->options.ctx, rows);
    }
    return FIRN_OK;
}

/* No row came for so long. */
static firn_rc judge_silence(const firn_export_reader *r, int64_t quiet_ms, bool any, bool *end,
                             firn_err *err)
{
    const firn_export_reader_options *o = &r->options;
    if (!o->ends_by_quiet) {
        if (quiet_ms >= o->timeout_ms) {
            FIRN_FAIL(err, FIRN_E_UNAVAILABLE,
                      "the server has said nothing for %" PRId64
                      " s in the middle of its answer; nothing was written, run the export again",
                      quiet_ms / 1000);
        }
        return FIRN_OK;
    }
    bool settled = o->marks == NULL || firn_export_marks_settled(o->marks);
    bool waits_for_markers = o->marks != NULL && !settled;
    int64_t enough = waits_for_markers ? o->timeout_ms : any ? o->quiet_ms : o->first_ms;
    *end = quiet_ms >= enough;
    return FIRN_OK;
}

static firn_rc read_all(firn_export_reader *r, firn_err *err)
{
    int64_t last_us = firn_monotonic_us();
    bool any = false;
    bool end = false;
    bool hasty = r->options.ends_by_quiet && r->options.quiet_ms < SLICE_MS;
    int slice_ms = hasty ? (int)r->options.quiet_ms : SLICE_MS;
    while (!end) {
        struct ArrowArray array = {0};
        firn_ksqldb_state state = FIRN_KSQLDB_QUIET;
        if (is_told_to_stop(r)) {
            FIRN_FAIL(err, FIRN_E_CANCELLED, "the export was stopped; nothing was written");
        }
        FIRN_TRY(firn_ksqldb_query_next(r->options.query, slice_ms, &array, &state, err));
        if (state == FIRN_KSQLDB_ROWS) {
            any = true;
            FIRN_TRY(take_batch(r, &array, err));
            last_us = firn_monotonic_us(); /* a full queue is no silence */
        } else if (state == FIRN_KSQLDB_QUIET) {
            FIRN_TRY(judge_silence(r, (firn_monotonic_us() - last_us) / 1000, any, &end, err));
        } else {
            end = true;
        }
    }
    return FIRN_OK;
}

static void *run(void *ctx)
{
    firn_export_reader *r = ctx;
    firn_err err = {0};
    firn_rc rc = read_all(r, &err);
    if (rc != FIRN_OK && r->options.session != NULL) {
        firn_session_interrupt(r->options.session); /* what is being written is not wanted */
    }
    pthread_mutex_lock(&r->lock);
    r->ended = true;
    r->rc = rc;
    r->err = err;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- the owner's ------------------------------------------------------------------------------------------------- */

firn_rc firn_export_reader_start(const firn_export_reader_options *options,
                                 firn_export_reader **out, firn_err *err)
{
    firn_export_reader *r = firn_calloc(1, sizeof(*r));
    r->options = *options;
    r->tail = &r->head;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        free(r);
        FIRN_FAIL(err, FIRN_E_MEMORY, "cannot make a thread that reads from ksqlDB");
    }
    *out = r;
    return FIRN_OK;
}

firn_rc firn_export_reader_next(firn_export_reader *r, firn_export_batch **batch, firn_err *err)
{
    pthread_mutex_lock(&r->lock);
    while (r->head == NULL && !r->ended) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    bool failed = r->ended && r->rc != FIRN_OK; /* then what is in the queue is of no use */
    firn_rc rc = failed ? r->rc : FIRN_OK;
    if (failed && err != NULL) {
        *err = r->err;
    }
    *batch = failed ? NULL : r->head;
    if (*batch != NULL) {
        r->head = (*batch)->next;
        r->tail = r->head == NULL ? &r->head : r->tail;
        r->bytes -= (*batch)->bytes;
        (*batch)->next = NULL;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

firn_rc firn_export_reader_failure(firn_export_reader *r, firn_err *err)
{
    pthread_mutex_lock(&r->lock);
    firn_rc rc = r->ended ? r->rc : FIRN_OK;
    if (rc != FIRN_OK && err != NULL) {
        *err = r->err;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void firn_export_reader_free(firn_export_reader *r)
{
    if (r == NULL) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->given_up = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    for (firn_export_batch *at = r->head; at != NULL;) {
        firn_export_batch *next = at->next;
        firn_export_batch_free(at);
        at = next;
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
