/* "resume": "kafka": the topic behind a stream, read by Kafka itself (docs/internals/ingest.md), for servers that do not name offsets, and for
 * topics that a push query takes too long to read through.
 *
 * The feed becomes one of ingestion's, drained once. The property firn.offsets.<feed> is the same, so a feed may change between push and kafka.
 * What differs: large exports are several commits, a record that is none of the stream's becomes a dead letter, and values are as they lie in
 * the topic. For formats with a schema that makes no difference; JSON has no types, so what ksqlDB's serialiser writes is turned into the
 * stream's types here:
 *
 *   TIMESTAMP  milliseconds since 1970      DATE  days since 1970      TIME  milliseconds of the day      BYTES  base64
 */
#include "job.h"

#include "ingest/ingest.h"
#include "lake/sources.h"

#include <inttypes.h>

enum { WAIT_MS = 100, COMMIT_MS = 86400000 };

typedef struct topic_job {
    firn_export_job *job;
    bool is_json;
    firn_buf schema; /* json: declared columns */
    firn_buf select;
    firn_feed feed;
} topic_job;

/* ---- columns --------------------------------------------------------------------------------------------------------- */

/* What is looked at by filing.c: whether it is a time, and how it is written. */
static const char *format_of(const char *type)
{
    return firn_starts_with(type, "TIMESTAMP") ? "tsm:UTC"
           : firn_streq(type, "DATE")          ? "tdD"
           : firn_streq(type, "BIGINT")        ? "l"
           : firn_streq(type, "INTEGER")       ? "i"
           : firn_streq(type, "STRING")        ? "u"
                                               : "b";
}

static firn_rc plan_columns(firn_export_job *job, firn_err *err)
{
    size_t n = job->source.n_fields;
    struct ArrowSchema *fields = FIRN_NEW_N(job->arena, struct ArrowSchema, n + 1);
    struct ArrowSchema *schema = FIRN_NEW(job->arena, struct ArrowSchema);
    schema->format = "+s";
    schema->n_children = (int64_t)n + 1;
    schema->children = FIRN_NEW_N(job->arena, struct ArrowSchema *, n + 1);
    for (size_t i = 0; i <= n; i++) {
        fields[i] =
            (struct ArrowSchema){.format = i < n ? format_of(job->source.fields[i].type) : "b",
                                 .name = i < n ? job->source.fields[i].name : FIRN_EXPORT_TOMBSTONE,
                                 .flags = ARROW_FLAG_NULLABLE};
        schema->children[i] = &fields[i];
    }
    const firn_export_columns_options options = {.schema = schema, .feed = job->feed};
    return firn_export_columns_plan(job->arena, &options, &job->columns, err);
}

static firn_rc refuse(const firn_export_job *job, const char *what, firn_err *err)
{
    FIRN_FAIL(
        err, FIRN_E_UNSUPPORTED,
        "feed %s cannot be read from its topic: %s. Take out \"resume\": \"kafka\", so that it "
        "is read by a push query",
        job->feed->name, what);
}

/* A nested type as source/columns.h takes it, if all in it is written in JSON as it is. */
static const char *nested_type(firn_arena *arena, const char *type)
{
    static const char *const others[] = {"TIMESTAMP", "DATE", "TIME", "BYTES"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strstr(type, others[i]) != NULL) {
            return NULL;
        }
    }
    return firn_str_replace(arena, type, "`", "\"");
}

/* Declares the column, and gives the SQL of its value. */
static firn_rc json_value(topic_job *t, const firn_ksqldb_field *field, const char *name,
                          const char **value, firn_err *err)
{
    firn_arena *arena = t->job->arena;
    static const struct {
        const char *type, *declared, *sql;
    } known[] = {
        {"TIMESTAMP", "bigint", "CAST(make_timestamp(%s * 1000) AS TIMESTAMPTZ)"},
        {"DATE", "int", "DATE '1970-01-01' + %s"},
        {"TIME", "int", "CAST(TIME '00:00:00' + to_milliseconds(%s) AS TIME)"},
        {"BYTES", "string", "from_base64(%s)"},
    };
    const char *declared = nested_type(arena, field->type);
    *value = name;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (firn_streq(known[i].type, field->type)) {
            declared = known[i].declared;
            *value = firn_str_replace(arena, known[i].sql, "%s", name);
        }
    }
    if (declared == NULL) {
        return refuse(t->job,
                      firn_arena_printf(arena,
                                        "column %s is %s, whose parts have no plain form in JSON",
                                        field->name, field->type),
                      err);
    }
    firn_buf_printf(&t->schema, "%s%s %s", t->schema.len > 0 ? ", " : "", name, declared);
    return FIRN_OK;
}

static firn_rc add_column(topic_job *t, const firn_ksqldb_field *field, firn_err *err)
{
    firn_arena *arena = t->job->arena;
    const char *name = firn_sql_ident(arena, firn_str_lower(arena, field->name));
    const char *value = name;
    if (field->is_header) {
        return refuse(t->job, "it has columns of headers", err);
    }
    if (field->is_key) {
        value = FIRN_ROWS_OWN_PREFIX "key";
    } else if (t->is_json) {
        FIRN_TRY(json_value(t, field, name, &value, err));
    }
    firn_buf_printf(&t->select, "%s%s AS %s", t->select.len > 0 ? ", " : "", value, name);
    return FIRN_OK;
}

/* ---- the feed -------------------------------------------------------------------------------------------------------- */

static firn_rc choose_formats(topic_job *t, firn_err *err)
{
    static const struct {
        const char *ksqldb;
        firn_payload payload;
    } formats[] = {
        {"JSON", FIRN_PAYLOAD_JSON},
        {"AVRO", FIRN_PAYLOAD_AVRO},
        {"PROTOBUF", FIRN_PAYLOAD_PROTOBUF},
        {"JSON_SR", FIRN_PAYLOAD_JSON_SCHEMA},
    };
    firn_export_job *job = t->job;
    const firn_ksqldb_object *object = &job->source.object;
    bool known = false;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (firn_streq(formats[i].ksqldb, object->value_format)) {
            t->feed.value.payload = formats[i].payload;
            known = true;
        }
    }
    t->is_json = t->feed.value.payload == FIRN_PAYLOAD_JSON;
    if (!known) {
        return refuse(job, firn_arena_printf(job->arena, "its values are %s", object->value_format),
                      err);
    }
    size_t n_keys = 0;
    bool text = true;
    for (size_t i = 0; i < job->source.n_fields; i++) {
        n_keys += job->source.fields[i].is_key;
        text = text &&
               (!job->source.fields[i].is_key || firn_streq(job->source.fields[i].type, "STRING"));
    }
    if (n_keys > 1 || (n_keys == 1 && (!text || !firn_streq(object->key_format, "KAFKA")))) {
        return refuse(job, "its key is not one text, as Kafka's own format has it", err);
    }
    t->feed.key_payload.payload = n_keys == 1 ? FIRN_PAYLOAD_STRING : FIRN_PAYLOAD_NONE;
    t->feed.key_column = n_keys == 1 ? FIRN_ROWS_OWN_PREFIX "key" : NULL;
    return FIRN_OK;
}

static firn_rc make_transform(topic_job *t, firn_err *err)
{
    firn_export_job *job = t->job;
    firn_export_filing filing = {
        .feed = job->feed, .columns = &job->columns, .day = job->day, .hour = job->hour};
    for (size_t i = 0; i < job->source.n_fields; i++) {
        FIRN_TRY(add_column(t, &job->source.fields[i], err));
    }
    filing.from = firn_arena_printf(job->arena,
                                    "(SELECT %s, epoch_ms(" FIRN_ROWS_OWN_PREFIX
                                    "kafka.timestamp) AS " FIRN_EXPORT_TIME " FROM batch)",
                                    firn_buf_cstr(&t->select));
    FIRN_TRY(firn_export_filing_sql(job->arena, &filing, &t->feed.transform, err));
    t->feed.value.schema =
        t->is_json ? firn_arena_strdup(job->arena, firn_buf_cstr(&t->schema)) : NULL;
    return FIRN_OK;
}

static firn_rc make_feed(topic_job *t, firn_err *err)
{
    firn_export_job *job = t->job;
    const firn_export_feed *feed = job->feed;
    const firn_source_config *source = NULL;
    FIRN_TRY(firn_source_config_find(firn_lake_config(job->run->lake), FIRN_SOURCE_KAFKA,
                                     feed->kafka, &source, err));
    json_t *text = firn_json_own(
        job->arena, json_pack("{s:s, s:[s], s:s, s:s}", "source", source->name, "topics",
                              job->source.object.topic, "table", feed->table, "ref", feed->ref));
    FIRN_TRY(firn_feed_parse(job->arena, firn_bytes_str(firn_json_text(job->arena, text)),
                             feed->path, feed->name, &t->feed, err));
    FIRN_TRY(choose_formats(t, err));
    FIRN_TRY(make_transform(t, err));
    t->feed.kafka_column = FIRN_ROWS_OWN_PREFIX "kafka";
    t->feed.partition_by = firn_export_partition_terms(job, &t->feed.n_partition_by);
    t->feed.properties = firn_export_properties(job, job->arena);
    t->feed.commit_ms = COMMIT_MS;
    t->feed.group = firn_arena_printf(job->arena, "firn-%s-%s",
                                      firn_lake_config(job->run->lake)->name, feed->name);
    return FIRN_OK;
}

/* ---- draining -------------------------------------------------------------------------------------------------------- */

static firn_rc drain(topic_job *t, firn_ingest *ingest, firn_err *err)
{
    firn_export_job *job = t->job;
    firn_feed_status *status = NULL;
    size_t n = 0;
    bool stopped = false;
    FIRN_TRY(firn_ingest_add_given(ingest, &t->feed, err));
    FIRN_TRY(firn_ingest_start(ingest, err));
    while (!firn_ingest_wait(ingest, WAIT_MS)) {
        FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
        firn_ingest_status(ingest, scratch, &status, &n);
        firn_export_seen(job, status[0].records, status[0].bytes);
        if (firn_export_stopped(job) && !stopped) {
            stopped = true;
            firn_ingest_stop(ingest);
        }
    }
    firn_ingest_status(ingest, job->arena, &status, &n);
    job->rows = status[0].rows;
    job->json_bytes = status[0].bytes;
    if (status[0].dead_letters > 0) {
        firn_export_warn(job,
                         "%" PRId64 " records became no row: they are in table %s__dead_letters",
                         status[0].dead_letters, job->table_text);
    }
    if (status[0].state == FIRN_FEED_STOPPED) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED, "%s", status[0].message);
    }
    if (stopped) {
        FIRN_FAIL(err, FIRN_E_CANCELLED, "the export was stopped; what it had committed stays");
    }
    return FIRN_OK;
}

static void count_files(firn_export_job *job, int64_t sequence)
{
    static const char *const keys[] = {"added-data-files", "added-files-size"};
    for (size_t i = 0; job->metadata != NULL && i < job->metadata->n_snapshots; i++) {
        const firn_snapshot *snapshot = &job->metadata->snapshots[i];
        int64_t *sums[] = {&job->files, &job->bytes};
        for (size_t k = 0; k < 2 && snapshot->sequence_number > sequence; k++) {
            int64_t number = 0;
            const char *text = json_string_value(json_object_get(snapshot->summary, keys[k]));
            *sums[k] += text != NULL && firn_parse_i64(text, &number) ? number : 0;
        }
    }
}

static firn_rc run(topic_job *t, firn_err *err)
{
    firn_export_job *job = t->job;
    firn_ingest *ingest = NULL;
    const firn_ingest_options options = {.drain = true};
    FIRN_TRY(make_feed(t, err));
    FIRN_TRY(firn_fault_point("export.open", job->feed->name, err));
    FIRN_TRY(firn_ingest_new(job->run->engine, &options, &ingest, err));
    firn_export_tell(job, "reading");
    firn_rc rc = drain(t, ingest, err);
    firn_ingest_free(ingest);
    return rc;
}

firn_rc firn_export_topic(firn_export_job *job, firn_err *err)
{
    if (job->run->options->dry_run) {
        return refuse(job, "a dry run would commit", err);
    }
    FIRN_TRY(firn_export_target_check(job, err));
    FIRN_TRY(firn_export_forget(job, err));
    FIRN_TRY(firn_export_describe(job, err));
    FIRN_TRY(plan_columns(job, err));
    int64_t sequence = job->metadata != NULL ? job->metadata->last_sequence_number : -1;
    topic_job t = {.job = job};
    firn_rc rc = run(&t, err);
    firn_buf_deinit(&t.schema);
    firn_buf_deinit(&t.select);
    FIRN_TRY(rc);
    FIRN_TRY(firn_export_target_load(job, err));
    count_files(job, sequence);
    job->outcome = job->rows > 0 ? FIRN_EXPORT_DONE : FIRN_EXPORT_NOTHING_NEW;
    return FIRN_OK;
}
