/* The consumer: a member of a group that starts where its owner says.
 *
 * Two queues. What the group has to say (rebalances, errors) comes by librdkafka's consumer queue and is served between batches.
 * Messages come by a queue of our own that every partition's queue is forwarded to:
 *   - a batch never straddles a rebalance, so positions change only between batches;
 *   - to pause is to leave the queue alone: librdkafka stops fetching when it is full, and nothing that was fetched is thrown away
 *     (rd_kafka_pause_partitions throws it away, and up to 2.0 got positions wrong in batches).
 * librdkafka drops a partition's forwarding when it stops, perhaps a moment after the next assignment: a new partition is therefore
 * forwarded again at each poll until its first message, or BIND_US, has come.
 *
 * Invariants
 *   P1  `next` of a partition is one more than the offset last handed out, or where the owner said it starts. Only messages with
 *       offset >= next are handed out, in order: whatever librdkafka fetches again is handed out once.
 *   P2  `next` is set by assigned, seek and take() alone. Every seek and assignment raises librdkafka's version of the partition at
 *       once, so that what was fetched before it never comes out of the queue.
 *   P3  Partitions are started only after the owner said where. While it cannot (its catalog is away), the group waits: librdkafka
 *       keeps the membership alive, and each poll asks again.
 *   P4  A client is destroyed after its last message: batches hold a reference (kafka_messages.c).
 */
#include "kafka_private.h"

#include "base/log.h"
#include "base/map.h"
#include "base/time.h"

#include <assert.h>
#include <stdlib.h>

enum {
    QUEUE_BYTES_DEFAULT =
        16 << 20, /* so that what is fetched is still in a cache when it is decoded */
    QUEUED_BYTES_PER_MESSAGE = 256, /* librdkafka's own, beside key and value: about so much */
    SLICE_MS = 100,  /* how long a rebalance may wait for a poll that waits for messages */
    EVENTS_MAX = 64, /* served between two batches */
    PARTITION_MAX = 1 << 20,
    CLOSE_MS = 10000,
};
#define US_PER_S     INT64_C(1000000)
#define BIND_US      (30 * US_PER_S)
#define LOGIN_US     (5 * US_PER_S)  /* a refused login that lasts: an error */
#define BROKERS_US   (10 * US_PER_S) /* no broker for so long: an error */
#define MISSING_US   (10 * US_PER_S) /* no such topic for so long: an error */
#define PROBE_US     (5 * US_PER_S)
#define ASK_AGAIN_US (US_PER_S / 2)
#define WAKE_US      (US_PER_S / 200) /* a full queue lasts ten times as long */

typedef struct part {
    const char *topic;
    int32_t partition;
    int64_t next;
    int64_t
        end; /* where librdkafka last found the end, behind marks of transactions; -1: not since the last start */
    bool assigned;
    bool gone;          /* stopped by librdkafka: its offset does not exist */
    int64_t bind_until; /* monotonic; 0: done */
} part;

typedef struct topic {
    const char *name;
    FIRN_VEC(part *) parts; /* by partition; NULL: never seen */
} topic;

typedef struct missing {
    const char *topic;
    int64_t since_us, probed_us;
} missing;

struct firn_kafka_consumer {
    firn_arena *arena;
    firn_kafka *kafka;
    firn_kafka_consumer_options options;
    firn_kafka_client *core;
    firn_map *topics; /* name -> topic; names live as long as the consumer */
    FIRN_VEC(part *) assigned;
    FIRN_VEC(missing) missing;
    rd_kafka_topic_partition_list_t *due; /* given to us, not started yet; NULL: nothing */
    int64_t due_asked_us, probed_us;
    bool paused;
    bool failed; /* `failure` is to be said before anything else is handed out */
    firn_err failure;
    bool has_gap;
    firn_kafka_gap gap;
    rd_kafka_message_t **scratch;
    size_t scratch_len;
    size_t queue_messages; /* at most so many are fetched ahead */
    bool was_full;         /* the queue may have been when it was last taken from */
    int64_t woken_us;
};

/* ---- topics and partitions ----------------------------------------------------------------------------- */

static part *part_of(firn_kafka_consumer *c, const char *name, int32_t partition)
{
    assert(partition >= 0 && partition < PARTITION_MAX);
    topic *t = firn_map_get(c->topics, name);
    if (t == NULL) {
        t = FIRN_NEW(c->arena, topic);
        t->name = firn_arena_strdup(c->arena, name);
        firn_map_put(c->topics, t->name, t);
    }
    while (t->parts.len <= (size_t)partition) {
        firn_vec_push(c->arena, &t->parts, NULL);
    }
    part **at = &t->parts.items[partition];
    if (*at == NULL) {
        *at = FIRN_NEW(c->arena, part);
        **at = (part){.topic = t->name, .partition = partition, .next = -1, .end = -1};
    }
    return *at;
}

static const part *find_part(const firn_kafka_consumer *c, const char *name, int32_t partition)
{
    const topic *t = firn_map_get(c->topics, name);
    return t != NULL && partition >= 0 && (size_t)partition < t->parts.len
               ? t->parts.items[partition]
               : NULL;
}

static void set_assigned(firn_kafka_consumer *c, part *p, bool assigned)
{
    if (p->assigned == assigned) {
        return;
    }
    p->assigned = assigned;
    if (assigned) {
        firn_vec_push(c->arena, &c->assigned, p);
        return;
    }
    for (size_t i = 0; i < c->assigned.len; i++) {
        if (c->assigned.items[i] == p) {
            c->assigned.items[i] = c->assigned.items[--c->assigned.len];
            return;
        }
    }
}

static bool is_cooperative(const firn_kafka_consumer *c)
{
    return firn_streq(rd_kafka_rebalance_protocol(c->core->rk), "COOPERATIVE");
}

/* To be said by a poll: the first failure, which is the cause of others. */
static void fail_later(firn_kafka_consumer *c, const firn_err *err)
{
    if (!c->failed) {
        c->failed = true;
        c->failure = *err;
    }
}

/* ---- the partitions' messages come to our queue -------------------------------------------------------- */

static void bind_part(firn_kafka_consumer *c, const part *p)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(c->core->rk, p->topic, p->partition);
    if (queue != NULL) {
        rd_kafka_queue_forward(queue, c->core->data);
        rd_kafka_queue_destroy(queue);
    }
}

static void bind_new_parts(firn_kafka_consumer *c)
{
    int64_t now = 0;
    for (size_t i = 0; i < c->assigned.len; i++) {
        part *p = c->assigned.items[i];
        if (p->bind_until != 0) {
            now = now != 0 ? now : firn_monotonic_us();
            bind_part(c, p);
            p->bind_until = now < p->bind_until ? p->bind_until : 0;
        }
    }
}

/* ---- rebalance ----------------------------------------------------------------------------------------- */

static firn_rc tell_librdkafka(firn_kafka_consumer *c, const rd_kafka_topic_partition_list_t *list,
                               firn_err *err)
{
    if (!is_cooperative(c)) {
        rd_kafka_resp_err_t code = rd_kafka_assign(c->core->rk, list);
        return code == RD_KAFKA_RESP_ERR_NO_ERROR
                   ? FIRN_OK
                   : firn_kafka_fail(c->kafka, NULL, code, "partitions cannot be started", err);
    }
    rd_kafka_error_t *error = rd_kafka_incremental_assign(c->core->rk, list);
    if (error == NULL) {
        return FIRN_OK;
    }
    firn_err_set(err, __FILE__, __LINE__, FIRN_E_UNAVAILABLE,
                 "Kafka at %s: partitions cannot be started: %s", c->kafka->options.brokers,
                 rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return FIRN_E_UNAVAILABLE;
}

/* The owner's view of a list, with what the topics hold. */
static firn_rc ask_owner(firn_kafka_consumer *c, firn_arena *arena,
                         const rd_kafka_topic_partition_list_t *list, firn_kafka_partition **out,
                         firn_err *err)
{
    size_t n = (size_t)list->cnt;
    firn_kafka_partition *parts = FIRN_NEW_N(arena, firn_kafka_partition, n);
    for (size_t i = 0; i < n; i++) {
        const part *p = part_of(c, list->elems[i].topic, list->elems[i].partition);
        parts[i] = (firn_kafka_partition){
            .topic = p->topic, .partition = p->partition, .low = -1, .high = -1, .offset = -1};
    }
    FIRN_TRY(firn_kafka_watermarks(c->kafka, c->core->rk, parts, n, err));
    FIRN_TRY(c->options.assigned(c->options.ctx, parts, n, err));
    for (size_t i = 0; i < n; i++) {
        if (parts[i].offset < 0) {
            FIRN_FAIL(err, FIRN_E_INTERNAL, "%s [%d] was given no offset to start from",
                      parts[i].topic, (int)parts[i].partition);
        }
    }
    *out = parts;
    return FIRN_OK;
}

static void forget_due(firn_kafka_consumer *c)
{
    if (c->due != NULL) {
        rd_kafka_topic_partition_list_destroy(c->due);
        c->due = NULL;
    }
}

/* Start what was given to us (P3). */
static firn_rc start_due(firn_kafka_consumer *c, firn_err *err)
{
    if (c->due == NULL) {
        return FIRN_OK;
    }
    c->due_asked_us = firn_monotonic_us();
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_kafka_partition *parts = NULL;
    if (c->due->cnt > 0) {
        FIRN_TRY(ask_owner(c, arena, c->due, &parts, err));
    }
    for (int i = 0; i < c->due->cnt; i++) {
        part *p = part_of(c, parts[i].topic, parts[i].partition);
        p->next = parts[i].offset;
        p->end = -1;
        p->gone = false;
        p->bind_until = c->due_asked_us + BIND_US;
        c->due->elems[i].offset = p->next;
        bind_part(c, p);
        set_assigned(c, p, true);
        firn_log(FIRN_LOG_INFO, "kafka", "%s [%d] from offset %lld (has %lld to %lld)", p->topic,
                 (int)p->partition, (long long)p->next, (long long)parts[i].low,
                 (long long)parts[i].high);
    }
    firn_rc rc = tell_librdkafka(c, c->due, err);
    forget_due(c);
    return rc;
}

static void take_away(firn_kafka_consumer *c, const rd_kafka_topic_partition_list_t *list)
{
    bool lost = rd_kafka_assignment_lost(c->core->rk) != 0;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_kafka_partition *parts = FIRN_NEW_N(arena, firn_kafka_partition, (size_t)list->cnt);
    size_t n = 0;
    for (int i = 0; i < list->cnt; i++) {
        part *p = part_of(c, list->elems[i].topic, list->elems[i].partition);
        if (p->assigned) { /* what was due only, the owner has not heard of */
            parts[n++] = (firn_kafka_partition){.topic = p->topic,
                                                .partition = p->partition,
                                                .low = -1,
                                                .high = -1,
                                                .offset = p->next};
            set_assigned(c, p, false);
        }
    }
    if (n > 0 && c->options.revoked != NULL) {
        c->options.revoked(c->options.ctx, parts, n, lost);
    }
    forget_due(c);
    if (!is_cooperative(c)) {
        rd_kafka_assign(c->core->rk, NULL);
        return;
    }
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(c->core->rk, list);
    if (error != NULL) {
        firn_log(FIRN_LOG_WARN, "kafka", "partitions cannot be given back: %s",
                 rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

/* @thread the owner's, inside poll or free */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    firn_kafka_consumer *c = ((firn_kafka_opaque *)opaque)->owner;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        forget_due(c);
        c->due = rd_kafka_topic_partition_list_copy(list);
        c->due_asked_us = 0;
        rd_kafka_yield(
            rk); /* else it is not before the poll's time is over that they are started */
    } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        take_away(c, list);
    } else {
        firn_log(FIRN_LOG_WARN, "kafka", "rebalance: %s", rd_kafka_err2str(code));
        rd_kafka_assign(rk, NULL);
    }
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)rk, (void)list, (void)opaque;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET) {
        firn_log(FIRN_LOG_INFO, "kafka", "the group's offsets (for displays) were not taken: %s",
                 rd_kafka_err2str(code));
    }
}

/* ---- what goes wrong ----------------------------------------------------------------------------------- */

static void note_missing(firn_kafka_consumer *c, const char *name)
{
    for (size_t i = 0; i < c->missing.len; i++) {
        if (firn_streq(c->missing.items[i].topic, name)) {
            return;
        }
    }
    firn_vec_push(
        c->arena, &c->missing,
        ((missing){.topic = firn_arena_strdup(c->arena, name), .since_us = firn_monotonic_us()}));
}

static void note_gap(firn_kafka_consumer *c, const rd_kafka_message_t *message)
{
    const char *name = rd_kafka_topic_name(message->rkt);
    part *p = part_of(c, name, message->partition);
    if (!p->assigned) {
        return;
    }
    p->gone = true;
    firn_kafka_gap gap = {.at = {.topic = p->topic,
                                 .partition = p->partition,
                                 .low = -1,
                                 .high = -1,
                                 .offset = p->next}};
    /* Best effort: that it is gone is known, what is there instead may be out of reach. */
    if (firn_kafka_watermarks(c->kafka, c->core->rk, &gap.at, 1, NULL) != FIRN_OK) {
        gap.at.low = gap.at.high = -1;
    }
    if (!c->has_gap) {
        c->gap = gap;
        c->has_gap = true;
    }
    firn_err err = {0};
    firn_err_set(
        &err, __FILE__, __LINE__, FIRN_E_OFFSET_GONE,
        "%s [%d] does not have offset %lld: it has %lld to %lld (%s)", p->topic, (int)p->partition,
        (long long)p->next, (long long)gap.at.low, (long long)gap.at.high,
        gap.at.high >= 0 && p->next > gap.at.high ? "past its end: was the topic made anew?"
                                                  : "the broker deleted it before it was read");
    fail_later(c, &err);
}

/* A message that is an error, from either queue. */
static void note_error(firn_kafka_consumer *c, const rd_kafka_message_t *message)
{
    const char *name = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : NULL;
    firn_rc rc = firn_kafka_rc(message->err);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && name != NULL) {
        part *p = part_of(c, name, message->partition);
        p->end = p->assigned ? message->offset : -1;
    } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && name != NULL) {
        note_gap(c, message);
    } else if (rc == FIRN_E_NOT_FOUND && name != NULL) {
        note_missing(c, name);
    } else if (rc != FIRN_E_UNAVAILABLE || message->err == RD_KAFKA_RESP_ERR__FATAL ||
               message->err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        firn_err err = {0};
        firn_err_set(&err, __FILE__, __LINE__, rc, "Kafka at %s: %s%s%s", c->kafka->options.brokers,
                     name != NULL ? name : "", name != NULL ? ": " : "",
                     rd_kafka_message_errstr(message));
        fail_later(c, &err);
    } else {
        firn_log(FIRN_LOG_INFO, "kafka", "%s%s%s", name != NULL ? name : "",
                 name != NULL ? ": " : "", rd_kafka_message_errstr(message));
    }
}

static bool answers(rd_kafka_t *rk, const char *name)
{
    rd_kafka_topic_t *rkt = name != NULL ? rd_kafka_topic_new(rk, name, NULL) : NULL;
    const struct rd_kafka_metadata *metadata = NULL;
    bool ok = rd_kafka_metadata(rk, 0, rkt, &metadata, 1000) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (ok) {
        ok = name == NULL || (metadata->topic_cnt == 1 &&
                              firn_kafka_rc(metadata->topics[0].err) != FIRN_E_NOT_FOUND);
        rd_kafka_metadata_destroy(metadata);
    }
    if (rkt != NULL) {
        rd_kafka_topic_destroy(rkt);
    }
    return ok;
}

/* librdkafka reconnects by itself and says when a connection is lost, not when it is back: so trouble that lasts is asked about. */
static firn_rc check_trouble(firn_kafka_consumer *c, firn_err *err)
{
    firn_kafka_trouble *trouble = &c->core->trouble;
    if (trouble->code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return FIRN_OK;
    }
    int64_t now = firn_monotonic_us();
    bool login = trouble->code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
    if (now - trouble->since_us < (login ? LOGIN_US : BROKERS_US)) {
        return FIRN_OK;
    }
    if (now - c->probed_us >= PROBE_US) {
        c->probed_us = now;
        if (answers(c->core->rk, NULL)) {
            *trouble = (firn_kafka_trouble){0};
            return FIRN_OK;
        }
    }
    return firn_kafka_fail(c->kafka, trouble, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
                           "no broker answers", err);
}

static firn_rc check_missing(firn_kafka_consumer *c, firn_err *err)
{
    for (size_t i = 0; i < c->missing.len; i++) {
        missing *m = &c->missing.items[i];
        int64_t now = firn_monotonic_us();
        if (now - m->since_us < MISSING_US) {
            continue;
        }
        if (now - m->probed_us >= PROBE_US) {
            m->probed_us = now;
            if (answers(c->core->rk, m->topic)) {
                *m = c->missing.items[--c->missing.len];
                i--;
                continue;
            }
        }
        if (c->core->trouble.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            FIRN_FAIL(err, FIRN_E_NOT_FOUND, "Kafka at %s has no topic \"%s\"",
                      c->kafka->options.brokers, m->topic);
        }
    }
    return FIRN_OK;
}

/* ---- making and ending --------------------------------------------------------------------------------- */

/* Who has filled the queue looks again after so long, from 2.2 on; before, wake_fetching() sees to it. */
static firn_rc look_again_soon(rd_kafka_conf_t *conf, firn_err *err)
{
    return rd_kafka_version() >= 0x02020000
               ? firn_kafka_conf_set(conf, "fetch.queue.backoff.ms", "5", err)
               : FIRN_OK;
}

static firn_rc consumer_conf(firn_kafka_consumer *c, rd_kafka_conf_t *conf, firn_err *err)
{
    size_t bytes = c->options.queue_bytes;
    char kbytes[32], messages[32], fetch[32];
    size_t count = bytes / QUEUED_BYTES_PER_MESSAGE;
    c->queue_messages = count;
    snprintf(kbytes, sizeof(kbytes), "%zu", bytes / 1024 < 1 ? 1 : bytes / 1024);
    snprintf(messages, sizeof(messages), "%zu",
             count < 1000       ? (size_t)1000
             : count > 10000000 ? (size_t)10000000
                                : count);
    snprintf(fetch, sizeof(fetch), "%zu", bytes / 2 < (1 << 20) ? (size_t)(1 << 20) : bytes / 2);
    const struct {
        const char *name, *value;
    } defaults[] = {
        /* Not cooperative-sticky: below 2.3.0, which Debian 12 has not got, it aborts when a consumer is closed before its first
         * assignment, and later versions had a way of never ending. All members of a group must agree, so it is not chosen by version. */
        {"partition.assignment.strategy", "roundrobin"},
        /* A killed process's partitions go to another after that. Short, since who is taken for dead and lives does no harm here. */
        {"session.timeout.ms", "15000"},
        {"topic.metadata.refresh.interval.ms", "10000"},
        {"queued.max.messages.kbytes", kbytes},
        {"queued.min.messages", messages},
        {"fetch.max.bytes", fetch},
        {"fetch.wait.max.ms", "250"},
        {"fetch.error.backoff.ms", "100"},
    };
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        FIRN_TRY(firn_kafka_conf_default(c->kafka, conf, defaults[i].name, defaults[i].value, err));
    }
    FIRN_TRY(firn_kafka_conf_set(conf, "group.id", c->options.group, err));
    FIRN_TRY(firn_kafka_conf_set(conf, "enable.auto.commit", "false", err));
    FIRN_TRY(firn_kafka_conf_set(conf, "enable.auto.offset.store", "false", err));
    FIRN_TRY(firn_kafka_conf_set(conf, "auto.offset.reset", "error", err));
    FIRN_TRY(firn_kafka_conf_set(conf, "enable.partition.eof", "true", err));
    const json_t *isolation = json_object_get(c->kafka->options.properties, "isolation.level");
    if (json_is_string(isolation) && firn_streq(json_string_value(isolation), "read_uncommitted")) {
        firn_log(
            FIRN_LOG_WARN, "kafka",
            "isolation.level is read_uncommitted: records of transactions that are aborted are "
            "read, too");
    }
    FIRN_TRY(look_again_soon(conf, err));
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    return FIRN_OK;
}

static firn_rc make_core(firn_kafka_consumer *c, firn_err *err)
{
    rd_kafka_conf_t *conf;
    FIRN_TRY(firn_kafka_conf(c->kafka, &conf, err));
    firn_rc rc = consumer_conf(c, conf, err);
    if (rc != FIRN_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rc = firn_kafka_client_new(c->kafka, conf, c, &c->core, err);
    if (rc == FIRN_OK) {
        rd_kafka_poll_set_consumer(c->core->rk);
    }
    return rc;
}

static firn_rc subscribe(firn_kafka_consumer *c, firn_err *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)c->options.n_topics);
    for (size_t i = 0; i < c->options.n_topics; i++) {
        const char *name = c->options.topics[i];
        name = name[0] == '^' ? firn_kafka_pattern(c->arena, name) : name;
        rd_kafka_topic_partition_list_add(list, name, RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(c->core->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR__INVALID_ARG) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "the topics cannot be subscribed to: a name is empty or a pattern does not parse");
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? FIRN_OK
               : firn_kafka_fail(c->kafka, NULL, code, "the topics cannot be subscribed to", err);
}

firn_rc firn_kafka_consumer_new(firn_kafka *kafka, const firn_kafka_consumer_options *options,
                                firn_kafka_consumer **out, firn_err *err)
{
    assert(options->group != NULL && options->assigned != NULL && options->n_topics > 0);
    firn_arena *arena = firn_arena_new();
    firn_kafka_consumer *c = FIRN_NEW(arena, firn_kafka_consumer);
    c->arena = arena;
    c->kafka = kafka;
    c->options = *options;
    c->options.group = firn_arena_strdup(arena, options->group);
    const char **topics = FIRN_NEW_N(arena, const char *, options->n_topics);
    for (size_t i = 0; i < options->n_topics; i++) {
        topics[i] = firn_arena_strdup(arena, options->topics[i]);
    }
    c->options.topics = topics;
    c->options.queue_bytes = options->queue_bytes != 0 ? options->queue_bytes : QUEUE_BYTES_DEFAULT;
    c->topics = firn_map_new(arena);
    firn_rc rc = make_core(c, err);
    if (rc == FIRN_OK) {
        rc = subscribe(c, err);
    }
    if (rc != FIRN_OK) {
        firn_kafka_consumer_free(c);
        return rc;
    }
    *out = c;
    return FIRN_OK;
}

void firn_kafka_consumer_free(firn_kafka_consumer *c)
{
    if (c == NULL) {
        return;
    }
    if (c->core != NULL) {
        if (c->due != NULL) { /* the group waits for our word */
            rd_kafka_assign(c->core->rk, NULL);
        }
        rd_kafka_consumer_close(c->core->rk); /* revokes: the owner hears of it */
        c->core->opaque.owner = NULL;
        firn_kafka_client_unref(c->core);
    }
    forget_due(c);
    free(c->scratch);
    firn_arena_free(c->arena);
}

/* ---- polling ------------------------------------------------------------------------------------------- */

/* What the group has to say. Messages of partitions do not come here; if one did, it is fetched again. */
static void serve_events(firn_kafka_consumer *c, int timeout_ms)
{
    for (int i = 0; i < EVENTS_MAX; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(c->core->rk, i == 0 ? timeout_ms : 0);
        if (message == NULL) {
            return;
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            note_error(c, message);
        } else {
            const part *p = find_part(c, rd_kafka_topic_name(message->rkt), message->partition);
            if (p != NULL && p->assigned) {
                firn_kafka_partition at = {
                    .topic = p->topic, .partition = p->partition, .offset = p->next};
                firn_err err = {0};
                if (firn_kafka_seek(c, &at, 1, &err) != FIRN_OK) {
                    fail_later(c, &err);
                }
            }
        }
        rd_kafka_message_destroy(message);
    }
}

typedef struct cursor { /* runs of messages are of one partition */
    const rd_kafka_topic_t *rkt;
    int32_t partition;
    part *part;
} cursor;

/* P1. */
static bool take(firn_kafka_consumer *c, cursor *at, const rd_kafka_message_t *message,
                 firn_kafka_message *out)
{
    if (message->rkt != at->rkt || message->partition != at->partition) {
        *at = (cursor){.rkt = message->rkt, .partition = message->partition};
        at->part = part_of(c, rd_kafka_topic_name(message->rkt), message->partition);
        at->part->bind_until = 0;
    }
    part *p = at->part;
    if (!p->assigned || message->offset < p->next) {
        return false;
    }
    p->next = message->offset + 1;
    *out = firn_kafka_message_of(message, p->topic);
    return true;
}

/* Gives how many bytes were taken off the queue. */
static size_t hand_out(firn_kafka_consumer *c, size_t n, firn_kafka_batch *out)
{
    size_t bytes = 0;
    firn_kafka_message *messages = firn_kafka_batch_new(n);
    cursor at = {.partition = -1};
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        rd_kafka_message_t *message = c->scratch[i];
        bytes += message->len + message->key_len;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            note_error(c, message);
        } else if (take(c, &at, message, &messages[kept])) {
            kept++;
            continue;
        }
        rd_kafka_message_destroy(message);
    }
    if (kept > 0) {
        c->core->trouble = (firn_kafka_trouble){0};
    }
    firn_kafka_batch_end(c->core, messages, kept, out);
    return bytes;
}

/* A librdkafka before 2.2 that has filled its queue sleeps for up to a second, however soon there is room again: nothing but an answer
 * to a request wakes it, and there is none under way. Told its login anew, it wakes its threads, to try again with that; told what it
 * has already, that is all it does. */
static void wake_fetching(firn_kafka_consumer *c)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    rd_kafka_error_t *error = rd_kafka_sasl_set_credentials(
        c->core->rk, firn_kafka_conf_get(c->core->rk, arena, "sasl.username"),
        firn_kafka_conf_get(c->core->rk, arena, "sasl.password"));
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
    c->woken_us = firn_monotonic_us();
    c->was_full = false;
}

/* n messages of so many bytes were taken, of at most `max`. Nobody tells whether the queue was full: it was not if little came. */
static void note_room(firn_kafka_consumer *c, size_t n, size_t bytes, size_t max)
{
    bool much = n >= max || n >= c->queue_messages / 4 || bytes >= c->options.queue_bytes / 4;
    c->was_full = rd_kafka_version() < 0x02020000 && (c->was_full || much);
    if (c->was_full && firn_monotonic_us() - c->woken_us >= WAKE_US) {
        wake_fetching(c);
        c->was_full = much;
    }
}

/* Waits for the first message only; what else is there by then comes along. */
static void take_messages(firn_kafka_consumer *c, size_t max, int wait_ms, firn_kafka_batch *out)
{
    rd_kafka_queue_t *data = c->core->data;
    ssize_t n = rd_kafka_consume_batch_queue(data, 0, c->scratch, max);
    if (n <= 0 && wait_ms > 0) {
        if (c->was_full) {
            wake_fetching(c);
        }
        n = rd_kafka_consume_batch_queue(data, wait_ms, c->scratch, 1);
        if (n == 1 && max > 1) {
            ssize_t more = rd_kafka_consume_batch_queue(data, 0, c->scratch + 1, max - 1);
            n += more > 0 ? more : 0;
        }
    }
    if (n > 0) {
        size_t bytes = hand_out(c, (size_t)n, out);
        note_room(c, (size_t)n, bytes, max);
    }
}

static firn_rc serve_group(firn_kafka_consumer *c, int timeout_ms, firn_err *err)
{
    serve_events(c, timeout_ms);
    if (c->due != NULL && firn_monotonic_us() - c->due_asked_us >= ASK_AGAIN_US) {
        FIRN_TRY(start_due(c, err));
    }
    bind_new_parts(c);
    return FIRN_OK;
}

static firn_rc say_failure(firn_kafka_consumer *c, firn_err *err)
{
    if (!c->failed) {
        return FIRN_OK;
    }
    c->failed = false;
    if (err != NULL) {
        *err = c->failure;
    }
    return c->failure.code;
}

firn_rc firn_kafka_poll(firn_kafka_consumer *c, size_t max, int timeout_ms, firn_kafka_batch *out,
                        firn_err *err)
{
    *out = (firn_kafka_batch){0};
    if (max > c->scratch_len) {
        c->scratch = firn_realloc(c->scratch, firn_mul_size(max, sizeof(*c->scratch)));
        c->scratch_len = max;
    }
    int64_t end_us = firn_monotonic_us() + (int64_t)timeout_ms * 1000;
    FIRN_TRY(serve_group(c, 0, err));
    for (;;) {
        FIRN_TRY(say_failure(c, err));
        int64_t left_ms = (end_us - firn_monotonic_us()) / 1000;
        int wait_ms = left_ms <= 0 ? 0 : left_ms < SLICE_MS ? (int)left_ms : SLICE_MS;
        bool none =
            c->paused || c->assigned.len == 0; /* messages cannot come, but partitions can */
        if (!none) {
            take_messages(c, max, wait_ms, out);
        }
        if (out->n > 0) {
            return FIRN_OK; /* what went wrong behind them is said by the next poll */
        }
        FIRN_TRY(say_failure(c, err));
        if (left_ms <= 0) {
            break;
        }
        FIRN_TRY(serve_group(c, none ? wait_ms : 0, err));
    }
    FIRN_TRY(check_trouble(c, err));
    return check_missing(c, err);
}

/* ---- positions ----------------------------------------------------------------------------------------- */

firn_rc firn_kafka_assignment(firn_kafka_consumer *c, firn_arena *arena, firn_kafka_partition **out,
                              size_t *n, firn_err *err)
{
    (void)err;
    firn_kafka_partition *parts = FIRN_NEW_N(arena, firn_kafka_partition, c->assigned.len);
    for (size_t i = 0; i < c->assigned.len; i++) {
        const part *p = c->assigned.items[i];
        int64_t low = -1, high = -1; /* as of the last fetch, without asking */
        if (rd_kafka_get_watermark_offsets(c->core->rk, p->topic, p->partition, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            low = high = -1;
        }
        parts[i] = (firn_kafka_partition){.topic = p->topic,
                                          .partition = p->partition,
                                          .low = low < 0 ? -1 : low,
                                          .high = high < 0 ? -1 : high,
                                          .offset = p->end > p->next ? p->end : p->next};
    }
    *out = parts;
    *n = c->assigned.len;
    return FIRN_OK;
}

/* Stop and start anew at `next`: for a partition that librdkafka has stopped, or not started yet. */
static firn_rc restart(firn_kafka_consumer *c, part *p, firn_err *err)
{
    p->gone = false;
    p->bind_until = firn_monotonic_us() + BIND_US;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(is_cooperative(c) ? 1 : (int)c->assigned.len);
    if (is_cooperative(c)) {
        rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset = p->next;
        rd_kafka_error_t *error = rd_kafka_incremental_unassign(c->core->rk, list);
        if (error != NULL) {
            firn_log(FIRN_LOG_DEBUG, "kafka", "%s", rd_kafka_error_string(error));
            rd_kafka_error_destroy(error);
        }
    } else {
        for (size_t i = 0; i < c->assigned.len; i++) {
            part *each = c->assigned.items[i];
            each->bind_until = p->bind_until;
            rd_kafka_topic_partition_list_add(list, each->topic, each->partition)->offset =
                each->next;
        }
        rd_kafka_assign(c->core->rk, NULL);
    }
    firn_rc rc = tell_librdkafka(c, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* The time that a seek may take, in the unit that this librdkafka counts it in: before 2.1 a thousandth. */
static int seek_timeout(void)
{
    return rd_kafka_version() < 0x02010000 ? CLOSE_MS * 1000 : CLOSE_MS;
}

firn_rc firn_kafka_seek(firn_kafka_consumer *c, const firn_kafka_partition *partitions, size_t n,
                        firn_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < n; i++) {
        part *p = part_of(c, partitions[i].topic, partitions[i].partition);
        if (!p->assigned) {
            continue; /* taken away in between: where it starts is asked when it comes back */
        }
        assert(partitions[i].offset >= 0);
        p->next = partitions[i].offset;
        p->end = -1;
        if (p->gone) {
            rc = restart(c, p, err);
        } else {
            rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset = p->next;
        }
    }
    rd_kafka_error_t *error = NULL;
    if (rc == FIRN_OK && list->cnt > 0) {
        error = rd_kafka_seek_partitions(c->core->rk, list, seek_timeout());
    }
    if (error != NULL) {
        rc = firn_kafka_fail(c->kafka, NULL, rd_kafka_error_code(error), "seek", err);
        rd_kafka_error_destroy(error);
    }
    /* A partition that is only just starting cannot seek, but can start elsewhere. */
    for (int i = 0; rc == FIRN_OK && i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rc = restart(c, part_of(c, list->elems[i].topic, list->elems[i].partition), err);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    c->has_gap = false;
    return rc;
}

firn_rc firn_kafka_pause(firn_kafka_consumer *c, bool pause, firn_err *err)
{
    (void)err;
    c->paused = pause;
    return FIRN_OK;
}

void firn_kafka_consumer_mark(firn_kafka_consumer *c, const firn_kafka_partition *partitions,
                              size_t n)
{
    rd_kafka_topic_partition_list_t *list = firn_kafka_list(partitions, n);
    rd_kafka_resp_err_t code = rd_kafka_commit(c->core->rk, list, 1 /* do not wait */);
    on_commit(c->core->rk, code, NULL, NULL);
    rd_kafka_topic_partition_list_destroy(list);
}

bool firn_kafka_last_gap(const firn_kafka_consumer *c, firn_kafka_gap *out)
{
    if (c->has_gap) {
        *out = c->gap;
    }
    return c->has_gap;
}
