/* The audit: numbers by offsets, formats by looking at samples, columns by decoding them. */
#include "ingest/audit.h"

#include "base/time.h"
#include "engine/rows.h"
#include "run.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    SAMPLE_MS = 10000,
    SAMPLES_PER_TOPIC = 64,
    HOUR_MS = 3600000,
    MINUTE_MS = 60000,
};

typedef struct audit_run {
    firn_arena *arena;
    firn_kafka *kafka;
    firn_registry *registry; /* nullable */
    int format_version;
    firn_kafka_partition *parts;
    size_t n_parts;
    int64_t *hour, *minute; /* offsets then, by partition; NULL: not known */
    firn_kafka_batch samples;
} audit_run;

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* Best effort: without times there is no rate, and everything else. */
static int64_t *offsets_ago(audit_run *run, int64_t ms)
{
    if (run->n_parts == 0 || firn_kafka_offsets_at(run->kafka, firn_now_ms() - ms, run->parts,
                                                   run->n_parts, NULL) != FIRN_OK) {
        return NULL;
    }
    int64_t *out = FIRN_NEW_N(run->arena, int64_t, run->n_parts);
    for (size_t i = 0; i < run->n_parts; i++) {
        out[i] = run->parts[i].offset;
    }
    return out;
}

/* Partitions [from, to) are the topic's. */
static double rate_of(const audit_run *run, size_t from, size_t to)
{
    if (run->hour == NULL || run->minute == NULL) {
        return -1;
    }
    bool whole_hour = false; /* something is older, so the hour is all there */
    int64_t in_hour = 0, in_minute = 0;
    for (size_t i = from; i < to; i++) {
        const firn_kafka_partition *p = &run->parts[i];
        whole_hour = whole_hour || run->hour[i] > p->low;
        in_hour += p->high - run->hour[i];
        in_minute += p->high - run->minute[i];
    }
    return whole_hour ? (double)in_hour / (HOUR_MS / 1000) : (double)in_minute / (MINUTE_MS / 1000);
}

static void count(const audit_run *run, size_t from, size_t to, firn_audit *out)
{
    out->topic = run->parts[from].topic;
    out->partitions = to - from;
    for (size_t i = from; i < to; i++) {
        out->records += run->parts[i].high - run->parts[i].low;
    }
    out->per_s = rate_of(run, from, to);
}

/* ---- samples ------------------------------------------------------------------------------------------- */

/* The newest of each partition, so many that a topic of any width gives about as much. */
static firn_rc take_samples(audit_run *run, firn_err *err)
{
    for (size_t from = 0, to; from < run->n_parts; from = to) {
        for (to = from; to < run->n_parts && run->parts[to].topic == run->parts[from].topic;) {
            to++;
        }
        int64_t each = SAMPLES_PER_TOPIC / (int64_t)(to - from);
        each = each < 2 ? 2 : each;
        for (size_t i = from; i < to; i++) {
            firn_kafka_partition *p = &run->parts[i];
            p->offset = p->high - each > p->low ? p->high - each : p->low;
        }
    }
    return firn_kafka_sample(run->kafka, run->parts, run->n_parts, SAMPLES_PER_TOPIC, SAMPLE_MS,
                             &run->samples, err);
}

static void look_at_sizes(const firn_kafka_message *messages, size_t n, firn_audit *out)
{
    int64_t bytes = 0;
    out->samples = n;
    for (size_t i = 0; i < n; i++) {
        bytes += (int64_t)(messages[i].key.len + messages[i].value.len);
        out->tombstones += messages[i].value.data == NULL;
        out->newest_ms =
            messages[i].timestamp_ms > out->newest_ms ? messages[i].timestamp_ms : out->newest_ms;
    }
    out->average_bytes = n > 0 ? bytes / (int64_t)n : -1;
}

typedef struct bad_letters {
    firn_arena *arena;
    size_t n;
    const char *first;
} bad_letters;

static void on_bad(void *ctx, const firn_kafka_message *message, const firn_err *why)
{
    bad_letters *bad = ctx;
    if (bad->n++ == 0) {
        bad->first = firn_arena_printf(bad->arena, "[%d] offset %" PRId64 ": %s",
                                       (int)message->partition, message->offset, why->message);
    }
}

/* Of several schemas the one that most records have. */
static firn_rc schema_of_chunks(const audit_run *run, const firn_chunk *chunks, size_t n,
                                firn_audit *out, firn_err *err)
{
    const firn_chunk *best = NULL;
    for (size_t i = 0; i < n; i++) {
        best = best == NULL || chunks[i].rows > best->rows ? &chunks[i] : best;
    }
    if (best == NULL) {
        return FIRN_OK;
    }
    firn_schema *schema;
    FIRN_TRY(firn_rows_schema(run->arena, &best->schema, run->format_version, &schema, err));
    out->schema = schema;
    return FIRN_OK;
}

static firn_rc decode(const audit_run *run, const firn_kafka_message *messages, size_t n,
                      firn_audit *out, firn_err *err)
{
    const firn_decoder_options options = {.registry = run->registry,
                                          .value = {.payload = out->value.payload},
                                          .key = {.payload = FIRN_PAYLOAD_NONE}};
    firn_decoder *decoder;
    FIRN_TRY(firn_decoder_new(&options, &decoder, err));
    bad_letters bad = {.arena = run->arena};
    size_t taken = 0;
    firn_rc rc = firn_decoder_add(decoder, messages, n, on_bad, &bad, &taken, err);
    firn_chunk *chunks = NULL;
    size_t n_chunks = 0;
    firn_decoder_take(decoder, &chunks, &n_chunks);
    if (rc == FIRN_OK || rc == FIRN_E_LIMIT) {
        rc = schema_of_chunks(run, chunks, n_chunks, out, err);
    }
    firn_chunks_free(chunks, n_chunks);
    firn_decoder_free(decoder);
    out->bad = bad.n;
    out->problem = bad.first;
    return rc;
}

static void look_into(const audit_run *run, const firn_kafka_message *messages, size_t n,
                      firn_audit *out)
{
    out->newest_ms = -1;
    out->key.schema_id = out->value.schema_id = -1;
    look_at_sizes(messages, n, out);
    if (n == 0) {
        out->problem = out->records > 0 ? "no record could be read in time" : "no records yet";
        return;
    }
    firn_err err = {0};
    firn_rc rc = firn_guess_messages(run->registry, run->arena, messages, n, true, &out->key, &err);
    if (rc == FIRN_OK) {
        rc = firn_guess_messages(run->registry, run->arena, messages, n, false, &out->value, &err);
    }
    if (rc == FIRN_OK && out->value.framed) {
        out->problem = "its schemas are in a registry: give the source a `registry`";
        return;
    }
    if (rc == FIRN_OK && out->value.payload == FIRN_PAYLOAD_NONE) {
        out->problem = "tombstones only";
        return;
    }
    if (rc == FIRN_OK) {
        rc = decode(run, messages, n, out, &err);
    }
    if (rc != FIRN_OK) { /* of this topic only: the others may be fine */
        out->problem = firn_arena_strdup(run->arena, err.message);
    }
}

static int by_topic(const void *a, const void *b)
{
    const firn_kafka_message *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    return order != 0 ? order
           : x->partition != y->partition
               ? (x->partition > y->partition) - (x->partition < y->partition)
               : (x->offset > y->offset) - (x->offset < y->offset);
}

static void audit_all(audit_run *run, firn_audit **out, size_t *n)
{
    /* A copy: the batch keeps its own order for freeing. */
    firn_kafka_message *messages = firn_arena_memdup(
        run->arena, run->samples.messages, run->samples.n * sizeof(*run->samples.messages));
    if (run->samples.n > 0) {
        qsort(messages, run->samples.n, sizeof(*messages), by_topic);
    }
    *out = FIRN_NEW_N(run->arena, firn_audit, run->n_parts);
    *n = 0;
    size_t at = 0;
    for (size_t from = 0, to; from < run->n_parts; from = to) {
        for (to = from; to < run->n_parts && run->parts[to].topic == run->parts[from].topic;) {
            to++;
        }
        firn_audit *audit = &(*out)[(*n)++];
        count(run, from, to, audit);
        size_t first = at;
        while (at < run->samples.n && firn_streq(messages[at].topic, audit->topic)) {
            at++;
        }
        look_into(run, messages + first, at - first, audit);
    }
}

static firn_rc audit(audit_run *run, const char *pattern, firn_audit **out, size_t *n,
                     firn_err *err)
{
    const char *patterns[] = {pattern != NULL ? pattern : "^[^_].*"};
    FIRN_TRY(firn_kafka_partitions(run->kafka, run->arena, patterns, 1, &run->parts, &run->n_parts,
                                   err));
    run->hour = offsets_ago(run, HOUR_MS);
    run->minute = offsets_ago(run, MINUTE_MS);
    if (run->n_parts > 0) {
        FIRN_TRY(take_samples(run, err));
    }
    audit_all(run, out, n);
    firn_kafka_batch_free(&run->samples);
    return FIRN_OK;
}

firn_rc firn_audit_topics(firn_lake *lake, firn_arena *arena, const firn_audit_options *options,
                          firn_audit **out, size_t *n, firn_err *err)
{
    audit_run run = {.arena = arena, .format_version = (int)firn_lake_config(lake)->format_version};
    const firn_feed as_if = {.source = options->source};
    FIRN_TRY(firn_feed_kafka(lake, &as_if, &run.kafka, err));
    firn_rc rc = firn_feed_registry(lake, &as_if, &run.registry, err);
    if (rc == FIRN_OK) {
        rc = audit(&run, options->pattern, out, n, err);
    }
    firn_registry_free(run.registry);
    firn_kafka_free(run.kafka);
    return rc;
}

/* ---- as text ------------------------------------------------------------------------------------------- */

const char *firn_audit_columns(firn_arena *arena, const firn_audit *audit)
{
    if (audit->schema == NULL) {
        return NULL;
    }
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < audit->schema->root.n_fields; i++) {
        const firn_field *field = &audit->schema->root.fields[i];
        firn_buf_printf(&out, "%s%s %s", i > 0 ? ", " : "", firn_name_sql(arena, field->name),
                        firn_type_sql(arena, field->type));
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

const char *firn_audit_format(firn_arena *arena, const firn_guess *guess)
{
    if (guess->framed) {
        return guess->schema_id >= 0
                   ? firn_arena_printf(arena, "registry (id %d)", (int)guess->schema_id)
                   : "registry";
    }
    const char *name = firn_payload_name(guess->payload);
    if (guess->schema_id < 0) {
        return name;
    }
    return guess->version > 0 ? firn_arena_printf(arena, "%s v%d (id %d)", name,
                                                  (int)guess->version, (int)guess->schema_id)
                              : firn_arena_printf(arena, "%s (id %d)", name, (int)guess->schema_id);
}

/* "shop.Orders-v2" -> "shop_orders_v2" */
static char *table_name(firn_arena *arena, const char *topic)
{
    char *name = firn_str_lower(arena, topic);
    for (char *c = name; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        *c = plain ? *c : '_';
    }
    return name;
}

static const char *quoted(firn_arena *arena, const char *text)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_json_escape(&buf, text);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

char *firn_audit_feed(firn_arena *arena, const char *source, const firn_audit *audit)
{
    const char *name = table_name(arena, audit->topic);
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_printf(&out, "# feeds/%s.yaml: %s, %s records on %zu partition%s\n", name,
                    audit->topic, firn_format_count(arena, audit->records), audit->partitions,
                    audit->partitions == 1 ? "" : "s");
    firn_buf_printf(&out, "source: %s\ntopics: [%s]\nformat: %s\n", source,
                    quoted(arena, audit->topic), firn_payload_name(audit->value.payload));
    if (audit->key.payload != FIRN_PAYLOAD_NONE) {
        firn_buf_printf(&out, "key_format: %s\n", firn_payload_name(audit->key.payload));
    }
    const char *columns = firn_audit_columns(arena, audit);
    if (audit->value.payload == FIRN_PAYLOAD_JSON && columns != NULL) {
        firn_buf_printf(&out,
                        "# inferred from %zu records; without it the columns grow as they come\n"
                        "# schema: %s\n",
                        audit->samples, quoted(arena, columns));
    }
    firn_buf_printf(&out, "table: bronze.%s\n", name);
    if (audit->tombstones > 0) {
        firn_buf_puts(
            &out,
            "# There are tombstones. `mode: upsert` with `key: [column]` keeps one row per key, and a null "
            "value deletes it;\n# as it stands, records are appended and tombstones passed over.\n");
    }
    firn_buf_puts(&out, "start: earliest\n"
                        "columns: {kafka: _kafka} # topic, partition, offset, timestamp, headers\n"
                        "commit: {every: 10s}\n");
    if (audit->problem != NULL) {
        firn_buf_printf(&out, "# mind: %s\n", firn_str_replace(arena, audit->problem, "\n", " "));
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}
