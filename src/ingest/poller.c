/* The poller: from the consumer to blocks.
 *
 *   reload asked for?   throw away, read the tables' offsets, seek
 *   too much buffered?  pause fetching; go on polling
 *   poll, decode, note where each partition stands
 *   a target is due?    hand its block over with a mark
 *   once a second       lag, rates, status file; drained? time over?
 *
 * A record counts as taken when the decoder has it or has told that it is bad; what is taken moves `next`. A registry that is away
 * stops the taking in the middle of a batch: the rest is thrown away and fetched again by a seek, since a batch that is held while the
 * group moves on would be another state to keep right.
 */
#include "run.h"

#include "base/log.h"
#include "base/time.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    BLOCK_BYTES = 4 << 20,   /* of decoded rows: what the writer gets at a time */
    LETTER_BYTES = 64 << 20, /* of dead letters: commit */
    POLL_MS = 100,
    LOOK_US = 1000000,
    DRAIN_LOOK_US = 100000,
    WAIT_MS_MIN = 250,
    WAIT_MS_MAX = 30000,
    STOP_COMMIT_MS_MAX = 60000,
    SAMPLE_EVERY = 61,
    UNNEEDED_US = 10000000,
};

/* ---- blocks --------------------------------------------------------------------------------------------------- */

static firn_feed_block *open_block(firn_feed_target *target)
{
    if (target->open == NULL) {
        target->open = firn_calloc(1, sizeof(*target->open));
        target->open->target = target;
        target->open->arena = firn_arena_new();
        target->open->careful = target->careful;
        target->open->samples.newest_ms = -1;
    }
    return target->open;
}

/* What the block carries of each partition of its target. */
static void close_ranges(firn_feed_run *run, firn_feed_block *block)
{
    for (size_t i = 0; i < run->n_topics; i++) {
        firn_topic_state *topic = &run->topics[i];
        if (topic->target != block->target) {
            continue;
        }
        for (size_t k = 0; k < topic->n_partitions; k++) {
            firn_partition_state *state = &topic->partitions[k];
            if (!state->assigned || (state->from == state->next && state->recorded)) {
                continue;
            }
            const firn_feed_range range = {.topic = firn_arena_strdup(block->arena, topic->topic),
                                           .partition = (int32_t)k,
                                           .from = state->from,
                                           .to = state->next,
                                           .starts = state->starts};
            firn_vec_push(block->arena, &block->ranges, range);
            state->from = state->next;
            state->recorded = true;
            state->starts = false; /* the block's commit comes first */
        }
    }
}

static void enqueue(firn_feed_run *run, firn_feed_block *block)
{
    pthread_mutex_lock(&run->lock);
    block->epoch = run->epoch;
    run->buffered += (int64_t)block->chunk_bytes;
    block->target->marks_set += block->mark;
    *(run->queue_tail != NULL ? &run->queue_tail->next : &run->queue_head) = block;
    run->queue_tail = block;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

void firn_hand_over(firn_feed_run *run, firn_feed_target *target, bool mark)
{
    firn_feed_block *block = open_block(target);
    firn_decoder *decoder = block->careful ? target->careful_decoder : target->decoder;
    target->open = NULL;
    if (decoder != NULL) {
        firn_decoder_take(decoder, &block->chunks, &block->n_chunks);
    }
    for (size_t i = 0; i < block->n_chunks; i++) {
        block->chunk_bytes += block->chunks[i].bytes;
    }
    close_ranges(run, block);
    block->mark = mark;
    target->bytes_since_mark += block->chunk_bytes;
    target->letter_bytes_since_mark += block->letter_bytes;
    block->chunk_bytes += block->letter_bytes;
    if (mark) {
        target->due_us = 0;
        target->records_since_mark = 0;
        target->bytes_since_mark = 0;
        target->letter_bytes_since_mark = 0;
    }
    enqueue(run, block);
}

static bool has_something(firn_feed_run *run, const firn_feed_target *target)
{
    for (size_t i = 0; i < run->n_topics; i++) {
        for (size_t k = 0; run->topics[i].target == target && k < run->topics[i].n_partitions;
             k++) {
            const firn_partition_state *state = &run->topics[i].partitions[k];
            if (state->assigned && state->from != state->next) {
                return true;
            }
        }
    }
    return target->records_since_mark > 0 || target->due_us != 0;
}

static bool marks_are_done(const firn_feed_run *run)
{
    for (const firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        if (at->marks_done < at->marks_set) {
            return false;
        }
    }
    return true;
}

bool firn_commit_all(firn_feed_run *run, int64_t timeout_ms)
{
    for (firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        if (has_something(run, at)) {
            firn_hand_over(run, at, true);
        }
    }
    int64_t end_us = firn_monotonic_us() + timeout_ms * 1000;
    pthread_mutex_lock(&run->lock);
    while (!marks_are_done(run) && !run->failed && !run->reload && firn_monotonic_us() < end_us) {
        firn_cond_wait_ms(&run->changed, &run->lock, 200);
    }
    bool ok = marks_are_done(run) && !run->failed && !run->reload;
    pthread_mutex_unlock(&run->lock);
    return ok;
}

/* The writer drops its own when it sees the epoch. */
void firn_drop_all(firn_feed_run *run)
{
    for (firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        for (int careful = 0; careful < 2; careful++) {
            firn_decoder *decoder = careful ? at->careful_decoder : at->decoder;
            firn_chunk *chunks = NULL;
            size_t n = 0;
            if (decoder != NULL) {
                firn_decoder_take(decoder, &chunks, &n);
                firn_chunks_free(chunks, n);
            }
        }
        firn_block_free(run, at->open);
        at->open = NULL;
        at->due_us = 0;
        at->records_since_mark = 0;
        at->bytes_since_mark = 0;
        at->letter_bytes_since_mark = 0;
    }
    pthread_mutex_lock(&run->lock);
    firn_feed_block *queue = run->queue_head;
    run->queue_head = run->queue_tail = NULL;
    run->epoch++;
    run->reload = false;
    for (firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        at->marks_done = at->marks_set;
    }
    for (const firn_feed_block *at = queue; at != NULL; at = at->next) {
        run->buffered -= (int64_t)at->chunk_bytes;
    }
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    for (firn_feed_block *at = queue, *next; at != NULL; at = next) {
        next = at->next;
        firn_block_free(run, at);
    }
}

/* ---- taking --------------------------------------------------------------------------------------------------- */

static void on_bad(void *ctx, const firn_kafka_message *message, const firn_err *why)
{
    firn_feed_target *target = ctx;
    firn_feed_block *block = open_block(target);
    firn_letter_add(block, message, why->code, why->message);
}

/* How many messages from `messages` on are ours, of one target, and not yet taken. */
static size_t span_of(firn_feed_run *run, const firn_kafka_message *messages, size_t n,
                      firn_feed_target **target)
{
    firn_topic_state *topic = NULL;
    *target = NULL;
    size_t i = 0;
    for (; i < n; i++) {
        const firn_kafka_message *m = &messages[i];
        if (topic == NULL || topic->seen != m->topic) {
            topic = firn_topic_find(run, m->topic);
            if (topic == NULL) {
                return i;
            }
            topic->seen = m->topic;
        }
        const firn_partition_state *state = firn_partition_find(topic, m->partition);
        if (state == NULL || !state->assigned || m->offset < state->next ||
            (*target != NULL && topic->target != *target)) {
            return i;
        }
        *target = topic->target;
    }
    return i;
}

static void note_taken(firn_feed_run *run, firn_feed_target *target,
                       const firn_kafka_message *messages, size_t n)
{
    if (n == 0) {
        return;
    }
    firn_feed_block *block = open_block(target);
    firn_topic_state *topic = NULL;
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const firn_kafka_message *m = &messages[i];
        if (topic == NULL || topic->seen != m->topic) {
            topic = firn_topic_find(run, m->topic);
        }
        topic->partitions[m->partition].next = m->offset + 1;
        bytes += (int64_t)(m->key.len + m->value.len);
    }
    for (size_t i = 0; i < n; i += SAMPLE_EVERY) {
        firn_samples_add(&block->samples, messages[i].timestamp_ms);
    }
    firn_samples_add(&block->samples, messages[n - 1].timestamp_ms);
    block->records += (int64_t)n;
    block->bytes += bytes;
    target->records_since_mark += (int64_t)n;
    if (target->due_us == 0) {
        target->due_us = firn_monotonic_us() + run->feed.commit_ms * 1000;
    }
    pthread_mutex_lock(&run->lock);
    run->status.records += (int64_t)n;
    run->status.bytes += bytes;
    pthread_mutex_unlock(&run->lock);
}

static void keep_batch(firn_feed_run *run, firn_feed_target *target)
{
    firn_feed_block *block = open_block(target);
    if (run->keeping != NULL &&
        (block->kept.len == 0 || firn_vec_last(&block->kept) != run->keeping)) {
        pthread_mutex_lock(&run->lock);
        run->keeping->refs++;
        pthread_mutex_unlock(&run->lock);
        firn_vec_push(block->arena, &block->kept, run->keeping);
    }
}

static firn_rc take_span(firn_feed_run *run, firn_feed_target *target,
                         const firn_kafka_message *messages, size_t n, firn_err *err)
{
    firn_decoder *decoder = NULL;
    bool was_full = false;
    if (target->open != NULL && target->open->careful != target->careful) {
        firn_hand_over(run, target, false);
    }
    FIRN_TRY(firn_target_decoder(target, target->careful, &decoder, err));
    while (n > 0) {
        size_t taken = 0;
        if (target->careful) {
            keep_batch(run, target);
        }
        firn_rc rc = firn_decoder_add(decoder, messages, n, on_bad, target, &taken, err);
        note_taken(run, target, messages, taken);
        messages += taken;
        n -= taken;
        if (rc == FIRN_E_LIMIT && !(was_full && taken == 0)) {
            was_full = true;
            firn_hand_over(run, target, false);
            continue;
        }
        FIRN_TRY(rc);
        was_full = false;
    }
    if (firn_decoder_used_bytes(decoder) >= BLOCK_BYTES ||
        (target->open != NULL && target->open->letter_bytes >= BLOCK_BYTES)) {
        firn_hand_over(run, target, false);
    }
    return FIRN_OK;
}

static firn_rc take(firn_feed_run *run, const firn_kafka_batch *batch, firn_err *err)
{
    for (size_t at = 0; at < batch->n;) {
        firn_feed_target *target;
        size_t n = span_of(run, batch->messages + at, batch->n - at, &target);
        if (n == 0) { /* fetched before a seek, or of a partition that is not ours any more */
            at++;
            continue;
        }
        FIRN_TRY(take_span(run, target, batch->messages + at, n, err));
        at += n;
    }
    return FIRN_OK;
}

/* ---- being careful ---------------------------------------------------------------------------------------------- */

/* Beyond the stretch in which bad rows were, the fast way again. */
static void end_careful(firn_feed_run *run, firn_feed_target *target)
{
    for (size_t i = 0; i < run->n_topics; i++) {
        for (size_t k = 0; run->topics[i].target == target && k < run->topics[i].n_partitions;
             k++) {
            firn_partition_state *state = &run->topics[i].partitions[k];
            if (state->assigned && state->careful_to > state->next) {
                return;
            }
            state->careful_to = -1;
        }
    }
    firn_hand_over(run, target, true);
    target->careful = false;
}

static bool is_careful(const firn_feed_run *run)
{
    for (const firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        if (at->careful) {
            return true;
        }
    }
    return false;
}

/* ---- the loop --------------------------------------------------------------------------------------------------- */

static void pause_if_full(firn_feed_run *run, firn_err *err)
{
    int64_t buffered;
    pthread_mutex_lock(&run->lock);
    buffered = run->buffered;
    pthread_mutex_unlock(&run->lock);
    for (const firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        buffered += at->decoder != NULL ? (int64_t)firn_decoder_used_bytes(at->decoder) : 0;
    }
    bool waits = run->waits_until_us > firn_monotonic_us();
    bool full = buffered >= (run->paused ? run->feed.memory_bytes / 2 : run->feed.memory_bytes);
    run->full = full;
    if ((waits || full) != run->paused &&
        firn_kafka_pause(run->consumer, waits || full, err) == FIRN_OK) {
        run->paused = waits || full;
    }
}

static void set_marks(firn_feed_run *run)
{
    const firn_feed *feed = &run->feed;
    int64_t now_us = firn_monotonic_us();
    for (firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        const firn_decoder *decoder = at->careful ? at->careful_decoder : at->decoder;
        size_t bytes =
            at->bytes_since_mark + (decoder != NULL ? firn_decoder_used_bytes(decoder) : 0);
        /* Full: what waits for its time or for company (in modes that write nothing early) has to go now. */
        bool due = (at->due_us != 0 && (now_us >= at->due_us || run->full)) ||
                   (feed->commit_rows > 0 && at->records_since_mark >= feed->commit_rows) ||
                   (int64_t)bytes >= feed->commit_bytes ||
                   at->letter_bytes_since_mark >= LETTER_BYTES ||
                   (at->careful && at->records_since_mark >= FIRN_CAREFUL_RECORDS);
        pthread_mutex_lock(&run->lock);
        due = due && at->marks_done == at->marks_set;
        pthread_mutex_unlock(&run->lock);
        if (due) {
            firn_hand_over(run, at, true);
        }
    }
}

static void grow_wait(firn_feed_run *run)
{
    run->wait_ms = run->wait_ms == 0 ? WAIT_MS_MIN : run->wait_ms * 2;
    run->wait_ms = run->wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : run->wait_ms;
}

/* Until it succeeds nothing is taken: the consumer may stand further on than we do, and what is between would be skipped. */
static firn_rc seek_back(firn_feed_run *run, firn_err *err)
{
    run->must_seek = true;
    FIRN_TRY(firn_place_seek(run, err));
    run->must_seek = false;
    return FIRN_OK;
}

/* Nothing is taken while something is out of reach; the group is served all the while. */
static firn_rc wait_for(firn_feed_run *run, const firn_err *what, firn_err *err)
{
    grow_wait(run);
    run->waits_until_us = firn_monotonic_us() + run->wait_ms * 1000;
    firn_run_waits(run, FIRN_POLLER, what);
    return seek_back(run, err);
}

static void end_wait(firn_feed_run *run)
{
    if (run->wait_ms != 0) {
        run->wait_ms = 0;
        run->waits_until_us = 0;
        run->troubled = false;
        firn_run_goes_on(run, FIRN_POLLER);
    }
}

/* A poll without trouble. Who is given no partition may wait for a dead member's session to end, which takes the better part of a minute;
 * there is nothing to wait for only if the tables have everything: others have read it, or no topic matches. */
static firn_rc note_quiet(firn_feed_run *run, firn_err *err)
{
    int64_t now_us = firn_monotonic_us();
    if (run->quiet_since_us == 0) {
        run->quiet_since_us = now_us;
    }
    run->unneeded = run->unneeded && !run->placed;
    if (!run->placed && now_us - run->quiet_since_us > UNNEEDED_US) {
        run->quiet_since_us = now_us;
        FIRN_TRY(firn_place_nothing_left(run, &run->unneeded, err));
    }
    if (run->troubled && run->wait_ms == 0 && (run->placed || run->unneeded)) {
        run->troubled = false;
        firn_run_goes_on(run, FIRN_POLLER);
    }
    return FIRN_OK;
}

/* Every target has had records. */
static bool has_begun(const firn_feed_run *run)
{
    for (const firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        if (at->decoder == NULL && at->careful_decoder == NULL) {
            return false;
        }
    }
    return true;
}

static firn_rc poll_once(firn_feed_run *run, firn_err *err)
{
    firn_kafka_batch batch = {0};
    size_t max = has_begun(run) ? FIRN_POLL_MESSAGES : FIRN_FIRST_MESSAGES;
    int timeout_ms = run->feed.commit_ms < 10 * POLL_MS ? (int)(run->feed.commit_ms / 10) : POLL_MS;
    FIRN_TRY(firn_kafka_poll(run->consumer, max, timeout_ms, &batch, err));
    firn_rc quiet = note_quiet(run, err);
    if (quiet != FIRN_OK) {
        firn_kafka_batch_free(&batch);
        run->must_seek = true;
        return quiet;
    }
    if (batch.n == 0 || run->must_seek || run->waits_until_us > firn_monotonic_us()) {
        run->must_seek = run->must_seek || batch.n > 0;
        firn_kafka_batch_free(&batch);
        return FIRN_OK;
    }
    if (is_careful(run)) {
        run->keeping = firn_calloc(1, sizeof(*run->keeping));
        *run->keeping = (firn_kept_batch){.batch = batch, .refs = 1};
    }
    firn_err own = {0};
    firn_rc rc = take(run, &batch, &own);
    if (run->keeping != NULL) {
        firn_kept_unref(run, run->keeping);
        run->keeping = NULL;
    } else {
        firn_kafka_batch_free(&batch);
    }
    if (rc == FIRN_OK) {
        end_wait(run);
        return FIRN_OK;
    }
    if (own.retriable) {
        return wait_for(run, &own, err);
    }
    if (err != NULL) {
        *err = own;
    }
    return rc;
}

static void tell_group(firn_feed_run *run)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_VEC(firn_kafka_partition) done = {0};
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < run->committed.len; i++) {
        const firn_feed_range *range = &run->committed.items[i];
        const firn_kafka_partition at = {.topic = firn_arena_strdup(arena, range->topic),
                                         .partition = range->partition,
                                         .low = -1,
                                         .high = -1,
                                         .offset = range->to};
        firn_vec_push(arena, &done, at);
    }
    run->committed.len = 0;
    if (run->careful.len == 0) {
        firn_arena_reset(run->back_arena);
        run->committed.items = NULL;
        run->committed.cap = 0;
        run->careful.items = NULL;
        run->careful.cap = 0;
    }
    pthread_mutex_unlock(&run->lock);
    if (done.len > 0) {
        firn_kafka_consumer_mark(run->consumer, done.items, done.len);
    }
}

/* Ends of partitions, and with them the lag; *drained: all that was there at the start is read. */
static firn_rc look_around(firn_feed_run *run, bool *drained, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_kafka_partition *all = NULL;
    size_t n = 0;
    int64_t lag = 0;
    FIRN_TRY(firn_kafka_assignment(run->consumer, arena, &all, &n, err));
    *drained = run->placed || run->unneeded;
    for (size_t i = 0; i < n; i++) {
        firn_partition_state *state =
            firn_partition_find(firn_topic_find(run, all[i].topic), all[i].partition);
        if (state == NULL) {
            continue;
        }
        state->high = all[i].high >= 0 ? all[i].high : state->high;
        /* Behind the last record there may be marks of transactions, which are no records. */
        if (state->assigned && !run->must_seek && all[i].offset > state->next) {
            state->next = all[i].offset;
        }
        lag += state->high > state->next ? state->high - state->next : 0;
        if (state->drain_to > state->next) {
            *drained = false;
        }
    }
    pthread_mutex_lock(&run->lock);
    run->status.lag = run->placed ? lag : -1;
    pthread_mutex_unlock(&run->lock);
    return FIRN_OK;
}

/* What look_around() would find if no marks of transactions are left: then it has to be asked, and soon, but not for every batch. */
static bool seems_drained(const firn_feed_run *run)
{
    for (size_t i = 0; i < run->n_topics; i++) {
        for (size_t k = 0; k < run->topics[i].n_partitions; k++) {
            const firn_partition_state *state = &run->topics[i].partitions[k];
            if (state->assigned && state->drain_to > state->next) {
                return false;
            }
        }
    }
    return run->placed;
}

/* Whether a drain may be over. */
static bool is_time_to_look(const firn_feed_run *run, int64_t now_us)
{
    int64_t passed_us = now_us - run->looked_us;
    return run->awaits_others ? passed_us >= LOOK_US
                              : passed_us >= DRAIN_LOOK_US || seems_drained(run);
}

static bool is_told_to_stop(firn_feed_run *run)
{
    pthread_mutex_lock(&run->lock);
    bool stop = run->stop || run->failed;
    pthread_mutex_unlock(&run->lock);
    return stop;
}

static bool wants_reload(firn_feed_run *run)
{
    pthread_mutex_lock(&run->lock);
    bool reload = run->reload;
    pthread_mutex_unlock(&run->lock);
    return reload;
}

static firn_rc step(firn_feed_run *run, bool *end, firn_err *err)
{
    bool drained = false;
    if (wants_reload(run) && run->waits_until_us <= firn_monotonic_us()) {
        firn_err own = {0};
        firn_rc rc = firn_place_reload(run, &own);
        if (rc != FIRN_OK && firn_run_is_retriable(&own)) {
            pthread_mutex_lock(&run->lock);
            run->reload = true;
            pthread_mutex_unlock(&run->lock);
            FIRN_TRY(wait_for(run, &own, err));
        } else if (rc != FIRN_OK) {
            *err = own;
            return rc;
        }
    }
    if (run->must_seek && run->waits_until_us <= firn_monotonic_us()) {
        FIRN_TRY(seek_back(run, err));
    }
    pause_if_full(run, err);
    FIRN_TRY(poll_once(run, err));
    for (firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        if (at->careful) {
            end_careful(run, at);
        }
    }
    set_marks(run);
    int64_t now_us = firn_monotonic_us();
    if (run->options.drain && is_time_to_look(run, now_us)) {
        run->looked_us = now_us;
        FIRN_TRY(look_around(run, &drained, err));
    }
    if (now_us - run->told_us >= LOOK_US) {
        run->told_us = now_us;
        FIRN_TRY(look_around(run, &drained, err));
        tell_group(run);
        firn_status_write(run);
    }
    if (run->options.drain && drained && !wants_reload(run)) {
        drained = firn_commit_all(run, STOP_COMMIT_MS_MAX);
        *end = drained && firn_place_others_done(run);
        run->awaits_others = drained && !*end;
    }
    *end = *end || is_told_to_stop(run) || (run->ends_us != 0 && now_us >= run->ends_us);
    return FIRN_OK;
}

static firn_rc open_consumer(firn_feed_run *run, firn_err *err)
{
    const firn_kafka_consumer_options options = {
        .group = run->feed.group,
        .topics = run->feed.topics,
        .n_topics = run->feed.n_topics,
        .assigned = firn_place_assigned,
        .revoked = firn_place_revoked,
        .ctx = run,
    };
    run->troubled = true; /* until the first poll that brings no trouble */
    return firn_kafka_consumer_new(run->kafka, &options, &run->consumer, err);
}

static void pause_a_while(firn_feed_run *run, const firn_err *why)
{
    grow_wait(run);
    firn_run_waits(run, FIRN_POLLER, why);
    int64_t until_us = firn_monotonic_us() + run->wait_ms * 1000;
    while (firn_monotonic_us() < until_us && !is_told_to_stop(run)) {
        firn_status_write(run);
        firn_sleep_ms(POLL_MS);
    }
}

/* Which cluster this is, before anything is read from it; the brokers may be away for long. */
static firn_rc know_cluster(firn_feed_run *run, firn_err *err)
{
    while (!is_told_to_stop(run)) {
        firn_err own = {0};
        firn_rc rc = firn_kafka_cluster_id(run->kafka, run->arena, &run->cluster, &own);
        if (rc == FIRN_OK || !firn_run_is_retriable(&own)) {
            if (rc != FIRN_OK) {
                *err = own;
            }
            return rc;
        }
        pause_a_while(run, &own);
    }
    return FIRN_OK;
}

static firn_rc work(firn_feed_run *run, firn_err *err)
{
    FIRN_TRY(know_cluster(run, err));
    FIRN_TRY(open_consumer(run, err));
    for (bool end = false; !end;) {
        firn_err own = {0};
        firn_rc rc = step(run, &end, &own);
        if (rc == FIRN_OK) {
            continue;
        }
        if (rc == FIRN_E_OFFSET_GONE || !firn_run_is_retriable(&own)) {
            *err = own;
            return rc;
        }
        /* The consumer mends itself, and asks again where partitions start, as long as it is polled. */
        firn_run_waits(run, FIRN_POLLER, &own);
        run->troubled = true;
        run->quiet_since_us = 0;
        firn_status_write(run);
        firn_sleep_ms(POLL_MS);
        end = is_told_to_stop(run);
    }
    return FIRN_OK;
}

/* "orders partition 3 has offsets 500 to 900, and the table wants 1200 next". */
static void explain_gap(firn_feed_run *run, firn_err *err)
{
    firn_kafka_gap gap;
    if (err->code == FIRN_E_OFFSET_GONE && run->consumer != NULL &&
        firn_kafka_last_gap(run->consumer, &gap)) {
        firn_err_set(err, err->file, err->line, FIRN_E_OFFSET_GONE,
                     "partition %d of %s has the offsets %" PRId64 " to %" PRId64
                     ", but table wants %" PRId64 " next: %s",
                     (int)gap.at.partition, gap.at.topic, gap.at.low, gap.at.high, gap.at.offset,
                     gap.at.offset > gap.at.high
                         ? "the topic was made anew or lost its end"
                         : "records have gone before they were read (retention)");
    }
}

void *firn_poller_thread(void *ctx)
{
    firn_feed_run *run = ctx;
    firn_err err = {0};
    firn_rc rc = work(run, &err);
    if (rc != FIRN_OK) {
        explain_gap(run, &err);
    }
    /* What was read before an error of the topic's is good, and is committed. */
    bool committed = firn_commit_all(run, STOP_COMMIT_MS_MAX);
    if (rc != FIRN_OK) {
        firn_run_fail(run, &err);
    } else if (!committed && !wants_reload(run)) {
        const firn_err late = {.code = FIRN_E_UNAVAILABLE,
                               .message = "the last commit could not be made; what it would have "
                                          "held is read again at the next start"};
        firn_run_fail(run, &late);
    }
    if (run->consumer != NULL) {
        tell_group(run);
        firn_kafka_consumer_free(run->consumer);
        run->consumer = NULL;
    }
    firn_drop_all(run);
    pthread_mutex_lock(&run->lock);
    run->ended = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}
