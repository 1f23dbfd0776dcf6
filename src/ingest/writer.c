/* The writer: from blocks to commits.
 *
 *   block of an older epoch   dropped
 *   rows                      into a file that stays open, at once; those that need more than that are collected, and go into files early
 *                             when there are many (not in modes that must see a commit as a whole)
 *   mark                      what is left into files, then one commit of all tables that the target's records went to
 *
 * What can fail, and what becomes of it:
 *   out of reach, full, busy       everything is kept, tried again after a pause that grows, and said (state WAITING); what was in a
 *                                  file that could not be written is read again
 *   REFUSED, UNSETTLED             pending rows dropped; the poller reads the table's offsets and seeks
 *   a row does not fit             dropped, too: the stretch is read again carefully, with messages kept beside their rows
 *   anything else                  the feed stops and says why
 */
#include "run.h"

#include "base/log.h"
#include "base/time.h"
#include "base/uuid.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    PAUSE_MS_MIN = 250,
    PAUSE_MS_MAX = 30000,
    STOPPING_TRIES = 3,     /* after being told to stop */
    STREAM_BYTES = 1 << 20, /* of rows that are worth a visit to the open file */
};

/* ---- what waits ------------------------------------------------------------------------------------------------- */

static firn_pending *pending_of(firn_feed_target *target, uint64_t epoch)
{
    if (target->pending == NULL) {
        firn_arena *arena = firn_arena_new();
        target->pending = FIRN_NEW(arena, firn_pending);
        target->pending->arena = arena;
        target->pending->epoch = epoch;
        target->pending->since_us = firn_monotonic_us();
    }
    return target->pending;
}

/* Memory of rows that are in files now, or not wanted. */
static void drop_chunks(firn_feed_run *run, firn_pending *pending)
{
    for (size_t i = 0; i < pending->chunks.len; i++) {
        firn_chunk *chunk = &pending->chunks.items[i];
        chunk->schema.release(&chunk->schema);
        chunk->array.release(&chunk->array);
        free((char *)chunk->subject);
    }
    pthread_mutex_lock(&run->lock);
    run->buffered -= (int64_t)pending->chunk_bytes;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    pending->chunks.len = 0;
    pending->chunk_bytes = 0;
    for (size_t i = 0; i < pending->kept.len; i++) {
        firn_kept_unref(run, pending->kept.items[i]);
    }
    pending->kept.len = 0;
}

/* keep_files: a commit of unknown outcome may hold them. */
static void drop_pending(firn_feed_target *target, bool keep_files)
{
    firn_pending *pending = target->pending;
    if (pending == NULL) {
        return;
    }
    drop_chunks(target->run, pending);
    for (size_t i = 0; i < pending->tables.len && !keep_files; i++) {
        firn_pending_table_drop(target->run->session, pending->tables.items[i]);
    }
    target->pending = NULL;
    firn_arena_free(pending->arena);
}

static void add_range(firn_pending *pending, const firn_feed_range *range)
{
    for (size_t i = 0; i < pending->ranges.len; i++) {
        firn_feed_range *at = &pending->ranges.items[i];
        if (at->partition == range->partition && firn_streq(at->topic, range->topic)) {
            at->to = range->to;
            return;
        }
    }
    firn_feed_range copy = *range;
    copy.topic = firn_arena_strdup(pending->arena, range->topic);
    firn_vec_push(pending->arena, &pending->ranges, copy);
}

static void add_letter(firn_pending *pending, const firn_letter *letter)
{
    firn_arena *arena = pending->arena;
    firn_letter copy = *letter;
    copy.message.topic = firn_arena_strdup(arena, letter->message.topic);
    copy.message.key = firn_letter_bytes(arena, letter->message.key);
    copy.message.value = firn_letter_bytes(arena, letter->message.value);
    copy.why = firn_arena_strdup(arena, letter->why);
    copy.headers = FIRN_NEW_N(arena, firn_kafka_header, letter->n_headers);
    for (size_t i = 0; i < letter->n_headers; i++) {
        copy.headers[i] =
            (firn_kafka_header){.name = firn_arena_strdup(arena, letter->headers[i].name),
                                .value = firn_letter_bytes(arena, letter->headers[i].value)};
    }
    firn_vec_push(arena, &pending->letters, copy);
}

/* Takes the block's contents over; the block itself is freed. */
static void absorb(firn_feed_run *run, firn_feed_block *block)
{
    firn_pending *pending = pending_of(block->target, block->epoch);
    pending->careful = pending->careful || block->careful;
    for (size_t i = 0; i < block->n_chunks; i++) {
        firn_vec_push(pending->arena, &pending->chunks, block->chunks[i]);
    }
    free(block->chunks); /* the chunks themselves have moved */
    block->chunks = NULL;
    block->n_chunks = 0;
    pending->chunk_bytes += block->chunk_bytes;
    for (size_t i = 0; i < block->ranges.len; i++) {
        add_range(pending, &block->ranges.items[i]);
    }
    for (size_t i = 0; i < block->letters.len; i++) {
        add_letter(pending, &block->letters.items[i]);
    }
    for (size_t i = 0; i < block->kept.len; i++) {
        firn_vec_push(pending->arena, &pending->kept, block->kept.items[i]);
    }
    block->kept.len = 0;
    if (block->samples.n > 0) {
        firn_vec_push(pending->arena, &pending->samples, block->samples);
    }
    pending->records += block->records;
    pending->bytes += block->bytes;
    firn_block_free(run, block);
}

/* ---- going back --------------------------------------------------------------------------------------------------- */

static void ask_reload(firn_feed_run *run)
{
    pthread_mutex_lock(&run->lock);
    run->reload = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

/* Read the pending records again, carefully. */
static void ask_careful(firn_feed_target *target, const firn_err *why)
{
    firn_feed_run *run = target->run;
    firn_log(FIRN_LOG_INFO, "ingest",
             "feed %s: a record of the last %" PRId64
             " does not fit table %s, reading them again to find it: %s",
             run->feed.name, target->pending->records, target->text, why->message);
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < target->pending->ranges.len; i++) {
        firn_feed_range range = target->pending->ranges.items[i];
        range.topic = firn_arena_strdup(run->back_arena, range.topic);
        firn_vec_push(run->back_arena, &run->careful, range);
    }
    run->reload = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    drop_pending(target, false);
}

/* ---- patience ------------------------------------------------------------------------------------------------------- */

typedef struct patience {
    int64_t pause_ms;
    int tries_while_stopping;
} patience;

/* Waits, and says what for. False: there is no point in another try. */
static bool wait_a_while(firn_feed_run *run, patience *p, uint64_t epoch, const firn_err *why)
{
    p->pause_ms = p->pause_ms == 0 ? PAUSE_MS_MIN : p->pause_ms * 2;
    p->pause_ms = p->pause_ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : p->pause_ms;
    int64_t jitter_ms = (int64_t)(firn_random_u64() % (uint64_t)(p->pause_ms / 4 + 1));
    int64_t until_us = firn_monotonic_us() + (p->pause_ms - jitter_ms) * 1000;
    firn_run_waits(run, FIRN_WRITER, why);
    pthread_mutex_lock(&run->lock);
    bool stopping = run->stop;
    if (stopping) {
        p->tries_while_stopping++;
    }
    while (firn_monotonic_us() < until_us && run->epoch == epoch && run->stop == stopping &&
           !run->ended) {
        firn_cond_wait_ms(&run->changed, &run->lock, 100);
    }
    bool go_on = run->epoch == epoch && !run->ended && p->tries_while_stopping < STOPPING_TRIES;
    pthread_mutex_unlock(&run->lock);
    return go_on;
}

static bool is_about_rows(firn_rc rc)
{
    return rc == FIRN_E_TYPE || rc == FIRN_E_CHECK_FAILED;
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static firn_rc write_once(firn_feed_target *target, bool letters_too, firn_err *err)
{
    FIRN_TRY(target->pending->careful ? firn_pending_write_carefully(target, err)
                                      : firn_pending_write(target, err));
    drop_chunks(target->run, target->pending); /* in files now */
    if (!letters_too) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_pending_finish(target, err));
    return firn_pending_write_letters(target, err);
}

/* Rows into files. False: the pending rows are gone, or the feed has failed. */
static bool write_files(firn_feed_target *target, bool letters_too, patience *p)
{
    firn_feed_run *run = target->run;
    for (;;) {
        firn_pending *pending = target->pending;
        firn_err err = {0};
        firn_rc rc = write_once(target, letters_too, &err);
        if (rc == FIRN_OK) {
            rc = firn_fault_point("ingest.files_written", run->feed.name, &err);
        }
        if (rc == FIRN_OK) {
            if (p->pause_ms > 0) {
                firn_run_goes_on(run, FIRN_WRITER);
            }
            return true;
        }
        if (firn_run_is_retriable(&err)) {
            bool go_on = wait_a_while(run, p, pending->epoch, &err);
            if (go_on && !pending->lost) {
                continue;
            }
            if (go_on) {
                firn_run_goes_on(run, FIRN_WRITER);
                ask_reload(run);
            }
        } else if (is_about_rows(rc) && !pending->careful) {
            ask_careful(target, &err);
            return false;
        } else {
            firn_run_fail(run, &err);
        }
        drop_pending(target, false);
        return false;
    }
}

/* ---- the commit --------------------------------------------------------------------------------------------------------- */

static firn_rc check_letters(firn_feed_target *target, firn_err *err)
{
    firn_feed_run *run = target->run;
    const firn_feed *feed = &run->feed;
    const firn_pending *pending = target->pending;
    int64_t bad = (int64_t)pending->letters.len;
    pthread_mutex_lock(&run->lock);
    int64_t all = run->status.dead_letters + bad;
    pthread_mutex_unlock(&run->lock);
    const char *last = bad > 0 ? firn_vec_last(&pending->letters).why : "";
    if (bad > 0 && feed->stop_after > 0 && all >= feed->stop_after) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "%" PRId64
                  " records could not become rows of %s (dead_letters.stop_after is %" PRId64
                  "); the last one: %s",
                  all, target->text, feed->stop_after, last);
    }
    if (feed->stop_percent > 0 && pending->records >= 100 &&
        bad * 100 > pending->records * feed->stop_percent) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "%" PRId64 " of %" PRId64
                  " records could not become rows of %s (dead_letters.stop_percent is %" PRId64
                  "); the last one: %s",
                  bad, pending->records, target->text, feed->stop_percent, last);
    }
    return FIRN_OK;
}

/* Without a single good record there is no table, and so no place for offsets or dead letters. */
static firn_rc check_hopeless(firn_feed_target *target, firn_err *err)
{
    enum { PATIENCE = 1000 };
    firn_feed_run *run = target->run;
    const firn_pending *pending = target->pending;
    pthread_mutex_lock(&run->lock);
    bool stopping = run->stop || run->options.drain;
    pthread_mutex_unlock(&run->lock);
    if (pending->letters.len >= PATIENCE || (pending->letters.len > 0 && stopping)) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "none of the first %" PRId64
                  " records could become a row, so table %s cannot be made; the last one: %s",
                  pending->records, target->text, firn_vec_last(&pending->letters).why);
    }
    return FIRN_OK;
}

/* *empty: there is nothing that could be committed; where partitions start is told with the first rows. */
static firn_rc commit_once(firn_feed_target *target, firn_feed_outcome *outcome, const char **why,
                           bool *empty, firn_err *err)
{
    firn_feed_run *run = target->run;
    firn_pending *pending = target->pending;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    *empty = pending->tables.len == 0;
    if (*empty) {
        return FIRN_OK;
    }
    firn_feed_part *parts = FIRN_NEW_N(arena, firn_feed_part, pending->tables.len);
    for (size_t i = 0; i < pending->tables.len; i++) {
        const firn_pending_table *table = pending->tables.items[i];
        parts[i] = (firn_feed_part){.ident = table->ident,
                                    .table_uuid = table->table_uuid,
                                    .files = table->files.items,
                                    .n_files = table->files.len,
                                    .schema_id = table->schema_id,
                                    .upsert = table->upsert};
    }
    const firn_feed_commit commit = {
        .feed = run->feed.name,
        .ref = run->feed.ref,
        .cluster = run->cluster,
        .ranges = pending->ranges.items,
        .n_ranges = pending->ranges.len,
        .parts = parts,
        .n_parts = pending->tables.len,
        .message = firn_arena_printf(arena, "feed %s: %" PRId64 " records", run->feed.name,
                                     pending->records),
    };
    FIRN_TRY(firn_feed_commit_run(run->lake, pending->arena, &commit, outcome, why, err));
    return FIRN_OK;
}

static void note_committed(firn_feed_target *target)
{
    firn_feed_run *run = target->run;
    firn_pending *pending = target->pending;
    firn_place_of_new_used(run->lake, run->feed.name);
    firn_status_committed(run, pending);
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < pending->ranges.len; i++) {
        firn_feed_range range = pending->ranges.items[i];
        range.topic = firn_arena_strdup(run->back_arena, range.topic);
        firn_vec_push(run->back_arena, &run->committed, range);
    }
    int64_t lag = run->status.lag;
    pthread_mutex_unlock(&run->lock);
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t files = 0;
    int64_t file_bytes = 0;
    for (size_t i = 0; i < pending->tables.len; i++) {
        for (size_t k = 0; k < pending->tables.items[i]->files.len; k++) {
            files++;
            file_bytes += pending->tables.items[i]->files.items[k].file_size_bytes;
        }
    }
    firn_log(
        FIRN_LOG_INFO, "ingest",
        "feed %s: committed %s records (%s rows, %zu dead letters, %zu files, %s) to %s in %s; lag %" PRId64,
        run->feed.name, firn_format_count(arena, pending->records),
        firn_format_count(arena, pending->rows), pending->letters.len, files,
        firn_format_bytes(arena, file_bytes), target->text,
        firn_format_duration(arena, firn_monotonic_us() - pending->since_us), lag);
}

static void note_refused(firn_feed_target *target, firn_feed_outcome outcome, const char *why)
{
    firn_feed_run *run = target->run;
    pthread_mutex_lock(&run->lock);
    run->status.conflicts++;
    pthread_mutex_unlock(&run->lock);
    firn_log(FIRN_LOG_INFO, "ingest", "feed %s: %s %s; going on from what the table holds",
             run->feed.name,
             outcome == FIRN_FEED_REFUSED ? "the table did not take"
                                          : "it is unknown whether a commit was made:",
             why);
}

static void commit_files(firn_feed_target *target, patience *p)
{
    firn_feed_run *run = target->run;
    for (;;) {
        firn_pending *pending = target->pending;
        firn_feed_outcome outcome = FIRN_FEED_COMMITTED;
        const char *why = NULL;
        bool empty = false;
        firn_err err = {0};
        firn_rc rc = check_letters(target, &err);
        if (rc == FIRN_OK) {
            rc = commit_once(target, &outcome, &why, &empty, &err);
        }
        if (rc == FIRN_OK && p->pause_ms > 0) {
            firn_run_goes_on(run, FIRN_WRITER);
        }
        if (rc == FIRN_OK && empty) {
            rc = check_hopeless(target, &err);
            if (rc == FIRN_OK) {
                return; /* stays pending */
            }
        }
        if (rc == FIRN_OK && outcome == FIRN_FEED_COMMITTED) {
            note_committed(target);
            target->pending = NULL;
            firn_arena_free(pending->arena);
            return;
        }
        if (rc == FIRN_OK) {
            note_refused(target, outcome, why);
            drop_pending(target, outcome == FIRN_FEED_UNSETTLED);
            ask_reload(run);
            return;
        }
        if (firn_run_is_retriable(&err)) {
            if (wait_a_while(run, p, pending->epoch, &err)) {
                continue;
            }
        } else {
            firn_run_fail(run, &err);
        }
        drop_pending(target, false);
        return;
    }
}

static bool needs_commit_at_once(const firn_feed *feed)
{
    return feed->mode != FIRN_FEED_APPEND;
}

static void commit(firn_feed_target *target)
{
    patience p = {0};
    if (write_files(target, true, &p)) {
        commit_files(target, &p);
    }
}

/* ---- the loop --------------------------------------------------------------------------------------------------------------- */

static firn_feed_block *next_block(firn_feed_run *run, uint64_t *epoch)
{
    pthread_mutex_lock(&run->lock);
    while (run->queue_head == NULL && !run->ended) {
        pthread_cond_wait(&run->changed, &run->lock);
    }
    firn_feed_block *block = run->queue_head;
    if (block != NULL) {
        run->queue_head = block->next;
        run->queue_tail = run->queue_head == NULL ? NULL : run->queue_tail;
    }
    *epoch = run->epoch;
    pthread_mutex_unlock(&run->lock);
    return block;
}

static void mark_done(firn_feed_run *run, firn_feed_target *target, uint64_t epoch)
{
    pthread_mutex_lock(&run->lock);
    if (run->epoch == epoch && target->marks_done < target->marks_set) {
        target->marks_done++;
    }
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

static bool has_failed(firn_feed_run *run)
{
    pthread_mutex_lock(&run->lock);
    bool failed = run->failed || run->reload;
    pthread_mutex_unlock(&run->lock);
    return failed;
}

static void take_block(firn_feed_run *run, firn_feed_block *block, uint64_t epoch)
{
    firn_feed_target *target = block->target;
    bool mark = block->mark;
    if (target->pending != NULL && target->pending->epoch != epoch) {
        drop_pending(target, false);
    }
    if (block->epoch != epoch || has_failed(run)) {
        pthread_mutex_lock(&run->lock);
        run->buffered -= (int64_t)block->chunk_bytes;
        pthread_mutex_unlock(&run->lock);
        firn_block_free(run, block);
    } else {
        absorb(run, block);
        int64_t early_bytes = target->streams ? STREAM_BYTES : run->feed.memory_bytes / 4;
        if (mark) {
            commit(target);
        } else if ((int64_t)target->pending->chunk_bytes >= early_bytes &&
                   !needs_commit_at_once(&run->feed)) {
            patience p = {0};
            (void)write_files(target, false, &p);
        }
    }
    if (mark) {
        mark_done(run, target, epoch);
    }
}

void *firn_writer_thread(void *ctx)
{
    firn_feed_run *run = ctx;
    uint64_t epoch = 0;
    for (firn_feed_block *block; (block = next_block(run, &epoch)) != NULL;) {
        take_block(run, block, epoch);
    }
    for (firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        drop_pending(at, false); /* the poller has ended: the list stands still */
    }
    return NULL;
}
