/* Where partitions stand: from the table when they come to us, to a commit when they go, back to the table when it knows better.
 *
 * A partition of which the table holds an offset starts there. Else, if the table knows the topic, it is a partition that was added
 * later and starts at its beginning. Else the feed's `start` applies. If there is no table, but the group has committed offsets, the
 * table was dropped: that is for a person to decide (NO_TABLE).
 */
#include "run.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    PARTITIONS_MAX = 1 << 20,
    REVOKE_COMMIT_MS_MAX = 30000, /* well below the group's patience */
    OTHERS_US_MAX = 60000000,
};

/* ---- the books --------------------------------------------------------------------------------------------- */

firn_topic_state *firn_topic_find(firn_feed_run *run, const char *topic)
{
    for (size_t i = 0; i < run->n_topics; i++) {
        if (run->topics[i].seen == topic) {
            return &run->topics[i];
        }
    }
    for (size_t i = 0; i < run->n_topics; i++) {
        if (firn_streq(run->topics[i].topic, topic)) {
            return &run->topics[i];
        }
    }
    return NULL;
}

firn_partition_state *firn_partition_find(firn_topic_state *topic, int32_t partition)
{
    return topic != NULL && partition >= 0 && (size_t)partition < topic->n_partitions
               ? &topic->partitions[partition]
               : NULL;
}

static firn_rc partition_of(firn_feed_run *run, const char *name, int32_t partition,
                            firn_topic_state **topic, firn_partition_state **out, firn_err *err)
{
    *topic = firn_topic_find(run, name);
    if (partition < 0 || partition >= PARTITIONS_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "topic %s has a partition %d", name, (int)partition);
    }
    if (*topic == NULL) {
        firn_feed_target *target = NULL;
        FIRN_TRY(firn_target_of_topic(run, name, &target, err));
        run->topics = firn_realloc(run->topics, (run->n_topics + 1) * sizeof(run->topics[0]));
        *topic = &run->topics[run->n_topics++];
        **topic = (firn_topic_state){.topic = firn_strdup(name), .target = target};
    }
    firn_topic_state *t = *topic;
    if ((size_t)partition >= t->n_partitions) {
        size_t n = (size_t)partition + 1;
        t->partitions = firn_realloc(t->partitions, n * sizeof(t->partitions[0]));
        for (size_t i = t->n_partitions; i < n; i++) {
            t->partitions[i] =
                (firn_partition_state){.began = -1, .high = -1, .drain_to = -1, .careful_to = -1};
        }
        t->n_partitions = n;
    }
    *out = &t->partitions[partition];
    return FIRN_OK;
}

/* ---- what the tables hold ----------------------------------------------------------------------------------- */

typedef struct held_offsets {
    bool has_table;
    firn_offset *offsets;
    size_t n;
} held_offsets;

static firn_rc check_cluster(firn_feed_run *run, const firn_feed_target *target,
                             const firn_metadata *metadata, firn_arena *arena, firn_err *err)
{
    const char *held =
        firn_metadata_property(metadata, firn_cluster_property(arena, run->feed.name), NULL);
    if (held != NULL && run->cluster != NULL && !firn_streq(held, run->cluster)) {
        FIRN_FAIL(
            err, FIRN_E_CONFIG,
            "table %s was filled by feed %s from Kafka cluster %s, and source %s is cluster %s, whose offsets mean "
            "other records",
            target->text, run->feed.name, held, run->feed.source, run->cluster);
    }
    return FIRN_OK;
}

static firn_rc load_held(firn_feed_run *run, const firn_feed_target *target, firn_arena *arena,
                         held_offsets *out, firn_err *err)
{
    firn_table table;
    firn_err own = {0};
    *out = (held_offsets){0};
    firn_rc rc = firn_catalog_table_load(firn_lake_catalog(run->lake), arena, run->feed.ref,
                                         target->ident, &table, &own);
    if (rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE) {
        return firn_place_of_new(run->lake, arena, run->feed.name, &out->offsets, &out->n, err);
    }
    if (rc != FIRN_OK) {
        if (err != NULL) {
            *err = own;
        }
        return rc;
    }
    out->has_table = true;
    FIRN_TRY(check_cluster(run, target, table.metadata, arena, err));
    return firn_offsets_read(arena, table.metadata, run->feed.name, &out->offsets, &out->n, err);
}

/* The group has got somewhere, and there is no table: it was dropped, or another branch has it. */
static firn_rc refuse_lost_table(firn_feed_run *run, const firn_feed_target *target,
                                 const firn_kafka_partition *partition, firn_err *err)
{
    firn_kafka_partition committed = *partition;
    FIRN_TRY(firn_kafka_committed(run->kafka, run->feed.group, &committed, 1, err));
    if (committed.offset > 0) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE,
                  "table %s is gone from branch %s: feed %s has filled it up to offset %" PRId64
                  " of partition %d of %s",
                  target->text, run->feed.ref, run->feed.name, committed.offset,
                  (int)partition->partition, partition->topic);
    }
    return FIRN_OK;
}

/* `start`: for a topic that the table has nothing of. */
static firn_rc first_offset(firn_feed_run *run, firn_kafka_partition *partition, firn_err *err)
{
    const char *start = run->feed.start;
    int64_t us;
    if (firn_streq(start, "latest")) {
        partition->offset = partition->high;
    } else if (firn_parse_timestamp(start, &us, NULL)) {
        return firn_kafka_offsets_at(run->kafka, us / 1000, partition, 1, err);
    } else {
        partition->offset = partition->low;
    }
    return FIRN_OK;
}

/* Low and high of a partition, where they are not told with it. */
static firn_rc ask_bounds(firn_feed_run *run, firn_kafka_partition *partition, firn_err *err)
{
    if (partition->low >= 0 && partition->high >= 0) {
        return FIRN_OK;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_kafka_partition *all = NULL;
    size_t n = 0;
    FIRN_TRY(firn_kafka_partitions(run->kafka, arena, &partition->topic, 1, &all, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (all[i].partition == partition->partition) {
            partition->low = all[i].low;
            partition->high = all[i].high;
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_UNAVAILABLE, "topic %s has no partition %d any more", partition->topic,
              (int)partition->partition);
}

static firn_rc place(firn_feed_run *run, const firn_feed_target *target, const held_offsets *held,
                     firn_kafka_partition *partition, firn_partition_state *state, firn_err *err)
{
    int64_t next =
        firn_offsets_find(held->offsets, held->n, partition->topic, partition->partition);
    bool known = firn_offsets_know_topic(held->offsets, held->n, partition->topic);
    if (next < 0 && !held->has_table && held->n == 0) {
        FIRN_TRY(refuse_lost_table(run, target, partition, err));
    }
    if (next >= 0) {
        partition->offset = next;
    } else if (state->began >= 0) { /* "latest" is what it was, not what it would be now */
        partition->offset = state->began;
    } else {
        FIRN_TRY(ask_bounds(run, partition, err));
        partition->offset = partition->low;
        if (!known) {
            FIRN_TRY(first_offset(run, partition, err));
        }
        state->began = partition->offset;
    }
    state->assigned = true;
    state->starts = next < 0 || !held->has_table;
    state->recorded = next >= 0 && held->has_table;
    state->next = partition->offset;
    state->from = partition->offset;
    state->high = partition->high;
    return FIRN_OK;
}

firn_rc firn_place_nothing_left(firn_feed_run *run, bool *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_kafka_partition *all = NULL;
    size_t n = 0;
    *out = false;
    FIRN_TRY(firn_kafka_partitions(run->kafka, arena, run->feed.topics, run->feed.n_topics, &all,
                                   &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_topic_state *topic = NULL;
        firn_partition_state *state = NULL;
        held_offsets held;
        FIRN_TRY(partition_of(run, all[i].topic, all[i].partition, &topic, &state, err));
        FIRN_TRY(load_held(run, topic->target, arena, &held, err));
        int64_t next = firn_offsets_find(held.offsets, held.n, all[i].topic, all[i].partition);
        if (all[i].high > all[i].low && next < all[i].high) {
            return FIRN_OK;
        }
    }
    *out = true;
    return FIRN_OK;
}

/* ---- coming and going --------------------------------------------------------------------------------------- */

/* A place that is not the beginning must be recorded soon, whether records come or not: else another start would be another place. */
static void record_soon(firn_feed_run *run, firn_feed_target *target)
{
    if (!firn_streq(run->feed.start, "earliest") && target->due_us == 0) {
        target->due_us = firn_monotonic_us() + run->feed.commit_ms * 1000;
    }
}

static firn_rc assign_one(firn_feed_run *run, firn_arena *arena, firn_kafka_partition *partition,
                          firn_err *err)
{
    firn_topic_state *topic = NULL;
    firn_partition_state *state = NULL;
    held_offsets held;
    FIRN_TRY(partition_of(run, partition->topic, partition->partition, &topic, &state, err));
    FIRN_TRY(load_held(run, topic->target, arena, &held, err));
    FIRN_TRY(place(run, topic->target, &held, partition, state, err));
    if (!state->recorded) {
        record_soon(run, topic->target);
    }
    return FIRN_OK;
}

/* --drain: the ends of partitions as they are when the feed starts. */
static firn_rc note_ends(firn_feed_run *run, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_kafka_partition *all = NULL;
    size_t n = 0;
    FIRN_TRY(firn_kafka_partitions(run->kafka, arena, run->feed.topics, run->feed.n_topics, &all,
                                   &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_topic_state *topic = NULL;
        firn_partition_state *state = NULL;
        FIRN_TRY(partition_of(run, all[i].topic, all[i].partition, &topic, &state, err));
        state->drain_to = all[i].high > all[i].low ? all[i].high : 0;
    }
    return FIRN_OK;
}

/* Adds what the table holds of the topic's partitions that are not ours; *done turns false when that is not all. */
static firn_rc add_others(firn_feed_run *run, const firn_topic_state *topic, int64_t *sum,
                          bool *done, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    held_offsets held = {0};
    bool loaded = false;
    for (size_t k = 0; k < topic->n_partitions; k++) {
        const firn_partition_state *state = &topic->partitions[k];
        if (state->assigned || state->drain_to <= 0) {
            continue;
        }
        if (!loaded) {
            FIRN_TRY(load_held(run, topic->target, arena, &held, err));
            loaded = true;
        }
        int64_t next = firn_offsets_find(held.offsets, held.n, topic->topic, (int32_t)k);
        *sum += next;
        *done = *done && next >= state->drain_to;
    }
    return FIRN_OK;
}

bool firn_place_others_done(firn_feed_run *run)
{
    bool done = true;
    int64_t sum = 0;
    for (size_t i = 0; i < run->n_topics; i++) {
        firn_err ignored = {0}; /* a catalog that is away is asked again */
        if (add_others(run, &run->topics[i], &sum, &done, &ignored) != FIRN_OK) {
            return false;
        }
    }
    int64_t now_us = firn_monotonic_us();
    if (run->others_since_us == 0 || sum != run->others_held) {
        run->others_since_us = now_us;
        run->others_held = sum;
    }
    return done || now_us - run->others_since_us > OTHERS_US_MAX;
}

/* Fails when the broker, the catalog or the storage is away; then it is asked again, and the group waits for us. */
static firn_rc assign_all(firn_feed_run *run, firn_kafka_partition *partitions, size_t n,
                          firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    if (run->options.drain && !run->placed) {
        FIRN_TRY(note_ends(run, err));
    }
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(assign_one(run, arena, &partitions[i], err));
    }
    return FIRN_OK;
}

firn_rc firn_place_assigned(void *ctx, firn_kafka_partition *partitions, size_t n, firn_err *err)
{
    firn_feed_run *run = ctx;
    FIRN_TRY(assign_all(run, partitions, n, err));
    run->placed = true;
    firn_log(FIRN_LOG_INFO, "ingest", "feed %s: %zu partitions are ours", run->feed.name, n);
    return FIRN_OK;
}

void firn_place_revoked(void *ctx, const firn_kafka_partition *partitions, size_t n, bool lost)
{
    firn_feed_run *run = ctx;
    if (!lost && !firn_commit_all(run, REVOKE_COMMIT_MS_MAX)) {
        firn_log(
            FIRN_LOG_INFO, "ingest",
            "feed %s: what was read was not committed before partitions were given away; it is read again",
            run->feed.name);
        lost = true;
    }
    if (lost) {
        firn_drop_all(run);
    }
    for (size_t i = 0; i < n; i++) {
        firn_partition_state *state =
            firn_partition_find(firn_topic_find(run, partitions[i].topic), partitions[i].partition);
        if (state != NULL) {
            state->assigned = false;
        }
    }
    if (lost) { /* what stays with us goes back to what the tables hold */
        pthread_mutex_lock(&run->lock);
        run->reload = true;
        pthread_mutex_unlock(&run->lock);
    }
    firn_log(FIRN_LOG_INFO, "ingest", "feed %s: %zu partitions %s", run->feed.name, n,
             lost ? "lost" : "given away");
}

/* ---- going back ---------------------------------------------------------------------------------------------- */

firn_rc firn_place_seek(firn_feed_run *run, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_VEC(firn_kafka_partition) all = {0};
    for (size_t i = 0; i < run->n_topics; i++) {
        for (size_t k = 0; k < run->topics[i].n_partitions; k++) {
            const firn_partition_state *state = &run->topics[i].partitions[k];
            if (state->assigned) {
                const firn_kafka_partition at = {.topic = run->topics[i].topic,
                                                 .partition = (int32_t)k,
                                                 .low = -1,
                                                 .high = -1,
                                                 .offset = state->next};
                firn_vec_push(arena, &all, at);
            }
        }
    }
    return all.len > 0 ? firn_kafka_seek(run->consumer, all.items, all.len, err) : FIRN_OK;
}

/* The stretches in which bad rows are to be looked for. */
static void take_careful(firn_feed_run *run)
{
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < run->careful.len; i++) {
        const firn_feed_range *range = &run->careful.items[i];
        firn_topic_state *topic = firn_topic_find(run, range->topic);
        firn_partition_state *state = firn_partition_find(topic, range->partition);
        if (state != NULL && range->to > state->careful_to) {
            state->careful_to = range->to;
            topic->target->careful = true;
        }
    }
    run->careful.len = 0;
    pthread_mutex_unlock(&run->lock);
}

firn_rc firn_place_reload(firn_feed_run *run, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_drop_all(run);
    take_careful(run);
    for (size_t i = 0; i < run->n_topics; i++) {
        firn_topic_state *topic = &run->topics[i];
        held_offsets held = {0};
        bool loaded = false;
        for (size_t k = 0; k < topic->n_partitions; k++) {
            firn_kafka_partition partition = {
                .topic = topic->topic, .partition = (int32_t)k, .low = -1, .high = -1};
            if (!topic->partitions[k].assigned) {
                continue;
            }
            if (!loaded) {
                FIRN_TRY(load_held(run, topic->target, arena, &held, err));
                loaded = true;
            }
            FIRN_TRY(place(run, topic->target, &held, &partition, &topic->partitions[k], err));
        }
    }
    run->must_seek = true;
    FIRN_TRY(firn_place_seek(run, err));
    run->must_seek = false;
    return FIRN_OK;
}
