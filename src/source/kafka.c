/* The cluster: handles of librdkafka, its errors in our words, and questions about topics and offsets.
 *
 * Questions share one client, made at the first. librdkafka waits a call's whole timeout for a broker that does not answer, so calls
 * are made in slices, and what its error callback said in between decides whether waiting on makes sense and explains the failure.
 */
#include "kafka_private.h"

#include "base/log.h"
#include "base/map.h"
#include "base/time.h"

#include <assert.h>
#include <regex.h>
#include <stdlib.h>

enum {
    QUESTION_MS = 10000, /* one question, at most */
    SLICE_MS = 1000,
    HOPELESS_MS = 2500, /* no broker answers for so long: it will not help to wait */
};

/* ---- errors -------------------------------------------------------------------------------------------- */

firn_rc firn_kafka_rc(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED: return FIRN_E_PERMISSION;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return FIRN_E_NOT_FOUND;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: return FIRN_E_OFFSET_GONE;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG: return FIRN_E_CORRUPT;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return FIRN_E_INVALID;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED: return FIRN_E_UNSUPPORTED;
    default: return FIRN_E_UNAVAILABLE;
    }
}

void firn_kafka_trouble_note(firn_kafka_trouble *trouble, rd_kafka_resp_err_t code,
                             const char *reason)
{
    bool login = code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
    bool tls = code == RD_KAFKA_RESP_ERR__SSL;
    if (!login && !tls && code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN &&
        code != RD_KAFKA_RESP_ERR__TRANSPORT && code != RD_KAFKA_RESP_ERR__RESOLVE) {
        return;
    }
    if (trouble->code == RD_KAFKA_RESP_ERR__AUTHENTICATION && !login) {
        return;
    }
    if (trouble->code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        trouble->since_us = firn_monotonic_us();
    }
    /* "All brokers are down" says less than what the last of them said. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || trouble->text[0] == '\0') {
        snprintf(trouble->text, sizeof(trouble->text), "%s", reason);
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || login || tls ||
        trouble->code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        trouble->code = code;
    }
}

/* Before 2.6.1, librdkafka answers SCRAM's challenge in a way that brokers since CVE-2024-56128 refuse
 * (docs/decisions/027-librdkafka.md). */
static const char *login_advice(const firn_kafka_options *options)
{
    enum { SCRAM_WORKS = 0x020601ff };
    bool scram = options->mechanism != NULL && firn_starts_with(options->mechanism, "SCRAM-");
    return scram && rd_kafka_version() < SCRAM_WORKS
               ? " (check the login; and brokers from 3.7.2 or 3.8.1 on take SCRAM only from librdkafka "
                 "2.6.1 on, this one is older: docs/guide/kafka.md says how to bring a newer one)"
               : " (check the login and what it may read)";
}

firn_rc firn_kafka_fail(const firn_kafka *kafka, const firn_kafka_trouble *trouble,
                        rd_kafka_resp_err_t code, const char *what, firn_err *err)
{
    bool by_trouble = trouble != NULL && trouble->code != RD_KAFKA_RESP_ERR_NO_ERROR &&
                      firn_kafka_rc(code) == FIRN_E_UNAVAILABLE;
    const char *why =
        by_trouble && trouble->text[0] != '\0' ? trouble->text : rd_kafka_err2str(code);
    firn_rc rc = firn_kafka_rc(by_trouble ? trouble->code : code);
    FIRN_FAIL(err, rc, "Kafka at %s: %s: %s%s", kafka->options.brokers, what, why,
              rc == FIRN_E_PERMISSION ? login_advice(&kafka->options) : "");
}

/* ---- handles ------------------------------------------------------------------------------------------- */

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    /* librdkafka reports each lost connection as an error; it reconnects by itself. */
    firn_log_level mine = level <= 2   ? FIRN_LOG_ERROR
                          : level <= 4 ? FIRN_LOG_WARN
                          : level <= 6 ? FIRN_LOG_INFO
                                       : FIRN_LOG_DEBUG;
    if (mine == FIRN_LOG_WARN && firn_streq(facility, "FAIL")) {
        mine = FIRN_LOG_INFO;
    }
    firn_log(mine, "kafka", "%s: %s", facility, text);
}

/* @thread librdkafka's background thread */
static void on_token(rd_kafka_t *rk, const char *config, void *opaque)
{
    (void)config;
    const firn_kafka_opaque *mine = opaque;
    firn_kafka_oauth_refresh(mine->kafka->oauth, rk);
}

/* @thread whoever polls the client */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    const firn_kafka_opaque *mine = opaque;
    firn_kafka_trouble_note(mine->trouble, (rd_kafka_resp_err_t)code, reason);
}

firn_rc firn_kafka_handle(rd_kafka_conf_t *conf, firn_kafka_opaque *opaque, rd_kafka_t **out,
                          firn_err *err)
{
    bool tokens = opaque->kafka->oauth != NULL;
    rd_kafka_conf_set_opaque(conf, opaque);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (tokens) {
        rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, on_token);
        rd_kafka_conf_enable_sasl_queue(conf, 1);
    }
    char why[512] = "";
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        FIRN_FAIL(err, FIRN_E_CONFIG, "Kafka at %s: these settings do not work: %s",
                  opaque->kafka->options.brokers, why);
    }
    rd_kafka_error_t *error = tokens ? rd_kafka_sasl_background_callbacks_enable(rk) : NULL;
    if (error != NULL) {
        firn_log(FIRN_LOG_WARN, "kafka", "tokens: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    *out = rk;
    return FIRN_OK;
}

static const char *copy(firn_arena *arena, const char *text)
{
    return firn_arena_strdup(arena, text);
}

static void copy_options(firn_arena *a, const firn_kafka_options *from, firn_kafka_options *to)
{
    *to = (firn_kafka_options){
        .brokers = copy(a, from->brokers),
        .security = copy(a, from->security),
        .mechanism = copy(a, from->mechanism),
        .username = copy(a, from->username),
        .password = copy(a, from->password),
        .ca_file = copy(a, from->ca_file),
        .cert_file = copy(a, from->cert_file),
        .key_file = copy(a, from->key_file),
        .key_password = copy(a, from->key_password),
        .oauth_url = copy(a, from->oauth_url),
        .oauth_client = copy(a, from->oauth_client),
        .oauth_secret = copy(a, from->oauth_secret),
        .oauth_scope = copy(a, from->oauth_scope),
        .client_id = copy(a, from->client_id),
        .properties =
            from->properties != NULL ? firn_json_own(a, json_deep_copy(from->properties)) : NULL,
    };
}

firn_rc firn_kafka_new(const firn_kafka_options *options, firn_kafka **out, firn_err *err)
{
    assert(options->brokers != NULL);
    firn_arena *arena = firn_arena_new();
    firn_kafka *kafka = FIRN_NEW(arena, firn_kafka);
    kafka->arena = arena;
    copy_options(arena, options, &kafka->options);
    kafka->opaque = (firn_kafka_opaque){.kafka = kafka, .trouble = &kafka->trouble};
    pthread_mutex_init(&kafka->lock, NULL);
    rd_kafka_conf_t *conf = NULL;
    firn_rc rc = firn_kafka_conf(kafka, &conf, err);
    if (rc == FIRN_OK) {
        rd_kafka_conf_destroy(conf);
        rc = firn_kafka_oauth_new(&kafka->options, &kafka->oauth, err);
    }
    if (rc != FIRN_OK) {
        firn_kafka_free(kafka);
        return rc;
    }
    *out = kafka;
    return FIRN_OK;
}

void firn_kafka_free(firn_kafka *kafka)
{
    if (kafka == NULL) {
        return;
    }
    if (kafka->rk != NULL) {
        rd_kafka_destroy(kafka->rk);
    }
    firn_kafka_oauth_free(kafka->oauth);
    pthread_mutex_destroy(&kafka->lock);
    firn_arena_free(kafka->arena);
}

/* The client for questions. @locks takes kafka->lock */
static firn_rc client_of(firn_kafka *kafka, rd_kafka_t **out, firn_err *err)
{
    pthread_mutex_lock(&kafka->lock);
    firn_rc rc = FIRN_OK;
    if (kafka->rk == NULL) {
        rd_kafka_conf_t *conf = NULL;
        rc = firn_kafka_conf(kafka, &conf, err);
        if (rc == FIRN_OK) {
            rc = firn_kafka_handle(conf, &kafka->opaque, &kafka->rk, err);
        }
    }
    *out = kafka->rk;
    pthread_mutex_unlock(&kafka->lock);
    return rc;
}

/* ---- metadata ------------------------------------------------------------------------------------------ */

/* What the error callback has said by now. @locks takes kafka->lock; nothing waits under it */
static firn_kafka_trouble trouble_now(firn_kafka *kafka, rd_kafka_t *rk)
{
    pthread_mutex_lock(&kafka->lock);
    rd_kafka_poll(rk, 0);
    firn_kafka_trouble trouble = kafka->trouble;
    pthread_mutex_unlock(&kafka->lock);
    return trouble;
}

static bool is_hopeless(const firn_kafka_trouble *trouble, int64_t waited_us)
{
    return trouble->code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
           (trouble->code != RD_KAFKA_RESP_ERR_NO_ERROR && waited_us > HOPELESS_MS * 1000);
}

/* Of one topic, or of all. The caller destroys it. */
static firn_rc ask_metadata(firn_kafka *kafka, rd_kafka_t *rk, const char *topic,
                            const struct rd_kafka_metadata **out, firn_err *err)
{
    rd_kafka_topic_t *rkt = topic != NULL ? rd_kafka_topic_new(rk, topic, NULL) : NULL;
    if (topic != NULL && rkt == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "\"%s\" cannot be the name of a topic", topic);
    }
    int64_t start_us = firn_monotonic_us();
    firn_kafka_trouble trouble = {0};
    rd_kafka_resp_err_t code;
    for (;;) {
        code = rd_kafka_metadata(rk, rkt == NULL, rkt, out, SLICE_MS);
        int64_t waited_us = firn_monotonic_us() - start_us;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || firn_kafka_rc(code) != FIRN_E_UNAVAILABLE) {
            break;
        }
        trouble = trouble_now(kafka, rk);
        if (is_hopeless(&trouble, waited_us) || waited_us > QUESTION_MS * 1000) {
            break;
        }
        firn_sleep_ms(20); /* some failures come at once */
    }
    if (rkt != NULL) {
        rd_kafka_topic_destroy(rkt);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return firn_kafka_fail(kafka, &trouble, code, "no broker answers", err);
    }
    pthread_mutex_lock(&kafka->lock);
    kafka->trouble = (firn_kafka_trouble){0};
    pthread_mutex_unlock(&kafka->lock);
    return FIRN_OK;
}

typedef struct topics {
    firn_arena *arena;
    firn_map *seen;
    FIRN_VEC(firn_kafka_partition) all;
} topics;

static void add_topic(topics *t, const struct rd_kafka_metadata_topic *topic)
{
    if (firn_map_has(t->seen, topic->topic)) {
        return;
    }
    const char *name = firn_arena_strdup(t->arena, topic->topic);
    firn_map_put(t->seen, name, t);
    for (int i = 0; i < topic->partition_cnt; i++) {
        firn_vec_push(t->arena, &t->all,
                      ((firn_kafka_partition){.topic = name,
                                              .partition = topic->partitions[i].id,
                                              .low = -1,
                                              .high = -1,
                                              .offset = -1}));
    }
}

static firn_rc add_named(topics *t, firn_kafka *kafka, rd_kafka_t *rk, const char *name,
                         firn_err *err)
{
    const struct rd_kafka_metadata *metadata;
    FIRN_TRY(ask_metadata(kafka, rk, name, &metadata, err));
    firn_rc rc = FIRN_OK;
    for (int i = 0; rc == FIRN_OK && i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (topic->err == RD_KAFKA_RESP_ERR_NO_ERROR && topic->partition_cnt > 0) {
            add_topic(t, topic);
        } else if (firn_kafka_rc(topic->err) == FIRN_E_NOT_FOUND || topic->partition_cnt == 0) {
            rc = firn_err_set(err, __FILE__, __LINE__, FIRN_E_NOT_FOUND,
                              "Kafka at %s has no topic \"%s\"", kafka->options.brokers, name);
        } else {
            rc = firn_kafka_fail(kafka, NULL, topic->err,
                                 firn_arena_printf(t->arena, "topic \"%s\"", name), err);
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return rc;
}

/* librdkafka's patterns match the beginning of a name; ours, as Java's, all of it. POSIX extended. */
char *firn_kafka_pattern(firn_arena *arena, const char *pattern)
{
    return firn_arena_printf(arena, "^(%s)$", pattern + 1);
}

/* Topics of the brokers' own (__consumer_offsets) are no one's. */
static firn_rc add_matching(topics *t, const struct rd_kafka_metadata *metadata,
                            const char *pattern, firn_err *err)
{
    regex_t regex;
    int code = regcomp(&regex, firn_kafka_pattern(t->arena, pattern), REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char why[200];
        regerror(code, &regex, why, sizeof(why));
        FIRN_FAIL(err, FIRN_E_INVALID, "the pattern %s does not parse: %s", pattern, why);
    }
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (topic->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            !firn_streq(topic->topic, "__consumer_offsets") &&
            !firn_streq(topic->topic, "__transaction_state") &&
            regexec(&regex, topic->topic, 0, NULL, 0) == 0) {
            add_topic(t, topic);
        }
    }
    regfree(&regex);
    return FIRN_OK;
}

static firn_rc add_patterns(topics *t, firn_kafka *kafka, rd_kafka_t *rk,
                            const char *const *patterns, size_t n, firn_err *err)
{
    const struct rd_kafka_metadata *every = NULL;
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < n; i++) {
        if (patterns[i][0] != '^') {
            rc = add_named(t, kafka, rk, patterns[i], err);
            continue;
        }
        if (every == NULL) {
            rc = ask_metadata(kafka, rk, NULL, &every, err);
        }
        if (rc == FIRN_OK) {
            rc = add_matching(t, every, patterns[i], err);
        }
    }
    if (every != NULL) {
        rd_kafka_metadata_destroy(every);
    }
    return rc;
}

static int by_topic_and_partition(const void *a, const void *b)
{
    const firn_kafka_partition *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

firn_rc firn_kafka_partitions(firn_kafka *kafka, firn_arena *arena, const char *const *patterns,
                              size_t n, firn_kafka_partition **out, size_t *n_out, firn_err *err)
{
    rd_kafka_t *rk;
    FIRN_TRY(client_of(kafka, &rk, err));
    topics t = {.arena = arena, .seen = firn_map_new(arena)};
    FIRN_TRY(add_patterns(&t, kafka, rk, patterns, n, err));
    if (t.all.len > 0) {
        qsort(t.all.items, t.all.len, sizeof(*t.all.items), by_topic_and_partition);
        FIRN_TRY(firn_kafka_watermarks(kafka, rk, t.all.items, t.all.len, err));
    }
    *out = t.all.items;
    *n_out = t.all.len;
    return FIRN_OK;
}

firn_rc firn_kafka_cluster_id(firn_kafka *kafka, firn_arena *arena, const char **out, firn_err *err)
{
    rd_kafka_t *rk;
    FIRN_TRY(client_of(kafka, &rk, err));
    const struct rd_kafka_metadata *metadata;
    FIRN_TRY(ask_metadata(kafka, rk, NULL, &metadata, err));
    rd_kafka_metadata_destroy(metadata);
    char *id = rd_kafka_clusterid(rk, SLICE_MS);
    *out = firn_arena_strdup(arena, id != NULL ? id : "");
    rd_kafka_mem_free(rk, id);
    return FIRN_OK;
}

/* ---- offsets ------------------------------------------------------------------------------------------- */

rd_kafka_topic_partition_list_t *firn_kafka_list(const firn_kafka_partition *partitions, size_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].partition)
            ->offset = partitions[i].offset;
    }
    return list;
}

/* Offsets of a time (or of the two words for the ends) into `found`, one question per leader for all of its partitions. */
static firn_rc ask_offsets(const firn_kafka *kafka, rd_kafka_t *rk, int64_t time,
                           const firn_kafka_partition *partitions, size_t n, int64_t *found,
                           firn_err *err)
{
    rd_kafka_topic_partition_list_t *list = firn_kafka_list(partitions, n);
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = time;
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(rk, list, QUESTION_MS);
    const rd_kafka_topic_partition_t *bad = NULL;
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        found[i] = list->elems[i].offset;
        bad =
            list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR && bad == NULL ? &list->elems[i] : bad;
    }
    firn_rc rc = FIRN_OK;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || bad != NULL) {
        char what[400];
        snprintf(what, sizeof(what), "offsets of %s [%d]%s",
                 bad != NULL ? bad->topic : partitions[0].topic,
                 bad != NULL ? (int)bad->partition : (int)partitions[0].partition,
                 bad == NULL && n > 1 ? " and others" : "");
        rc = firn_kafka_fail(kafka, NULL, bad != NULL ? bad->err : code, what, err);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

firn_rc firn_kafka_watermarks(const firn_kafka *kafka, rd_kafka_t *rk,
                              firn_kafka_partition *partitions, size_t n, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t *low = FIRN_NEW_N(arena, int64_t, n), *high = FIRN_NEW_N(arena, int64_t, n);
    FIRN_TRY(ask_offsets(kafka, rk, RD_KAFKA_OFFSET_BEGINNING, partitions, n, low, err));
    FIRN_TRY(ask_offsets(kafka, rk, RD_KAFKA_OFFSET_END, partitions, n, high, err));
    for (size_t i = 0; i < n; i++) {
        partitions[i].low = low[i];
        partitions[i].high = high[i];
    }
    return FIRN_OK;
}

firn_rc firn_kafka_offsets_at(firn_kafka *kafka, int64_t timestamp_ms,
                              firn_kafka_partition *partitions, size_t n, firn_err *err)
{
    if (n == 0) {
        return FIRN_OK;
    }
    rd_kafka_t *rk;
    FIRN_TRY(client_of(kafka, &rk, err));
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t *found = FIRN_NEW_N(arena, int64_t, n);
    FIRN_TRY(
        ask_offsets(kafka, rk, timestamp_ms < 0 ? 0 : timestamp_ms, partitions, n, found, err));
    bool any_behind = false;
    for (size_t i = 0; i < n; i++) {
        partitions[i].offset = found[i];
        any_behind = any_behind || found[i] < 0;
    }
    if (any_behind) { /* no record so late: behind the last one */
        int64_t *high = FIRN_NEW_N(arena, int64_t, n);
        FIRN_TRY(ask_offsets(kafka, rk, RD_KAFKA_OFFSET_END, partitions, n, high, err));
        for (size_t i = 0; i < n; i++) {
            partitions[i].offset = found[i] < 0 ? high[i] : found[i];
        }
    }
    return FIRN_OK;
}

firn_rc firn_kafka_committed(firn_kafka *kafka, const char *group, firn_kafka_partition *partitions,
                             size_t n, firn_err *err)
{
    /* librdkafka asks for its own group only, so this takes a client of that group; it does not join. */
    rd_kafka_conf_t *conf;
    FIRN_TRY(firn_kafka_conf(kafka, &conf, err));
    firn_rc rc = firn_kafka_conf_set(conf, "group.id", group, err);
    if (rc != FIRN_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    firn_kafka_trouble trouble = {0};
    firn_kafka_opaque opaque = {.kafka = kafka, .trouble = &trouble};
    rd_kafka_t *rk;
    FIRN_TRY(firn_kafka_handle(conf, &opaque, &rk, err));
    rd_kafka_topic_partition_list_t *list = firn_kafka_list(partitions, n);
    rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, QUESTION_MS);
    for (size_t i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < n; i++) {
        code = list->elems[i].err;
        partitions[i].offset = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_poll(rk, 0);
        char what[300];
        snprintf(what, sizeof(what), "offsets of the group %.200s", group);
        rc = firn_kafka_fail(kafka, &trouble, code, what, err);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return rc;
}
