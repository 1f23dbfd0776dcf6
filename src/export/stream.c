/* Streams: what lies behind the offsets that the table holds.
 *
 * Invariants (docs/internals/export.md):
 *   1. The table's property firn.offsets.<feed> says per partition the next offset that it has not got. Rows below it are passed over.
 *   2. A commit moves the property from `from` to `to` with the rows between, if the table holds `from`: ingest/commit.h.
 *   3. Nothing is committed unless every marker was seen, or the server had its time for it and some were.
 */
#include "job.h"

#include <inttypes.h>

typedef struct stream_job {
    firn_export_job *job;
    const char *topic;
    firn_export_marks marks;
    firn_arena *reader_arena; /* of the marks while the reader has them */
    bool holds;               /* the table holds something */
} stream_job;

/* ---- what the table holds ---------------------------------------------------------------------------------------- */

static firn_rc check_cluster(const firn_export_job *job, firn_err *err)
{
    const char *held = firn_metadata_property(
        job->metadata, firn_cluster_property(job->arena, job->feed->name), NULL);
    if (held != NULL && job->cluster != NULL && !firn_streq(held, job->cluster)) {
        FIRN_FAIL(
            err, FIRN_E_OFFSET_GONE,
            "table %s was filled from Kafka cluster %s, and the server's is %s, whose offsets "
            "mean other rows; to read it anew: firn export --stream %s --from beginning",
            job->table_text, held, job->cluster, job->feed->name);
    }
    return FIRN_OK;
}

static firn_rc read_held(stream_job *s, firn_err *err)
{
    firn_export_job *job = s->job;
    firn_offset *held = NULL;
    size_t n = 0;
    json_t *times = NULL;
    if (job->metadata != NULL) {
        FIRN_TRY(check_cluster(job, err));
        FIRN_TRY(firn_offsets_read(job->arena, job->metadata, job->feed->name, &held, &n, err));
        const char *name = firn_export_times_property(job->arena, job->feed->name);
        const char *text = firn_metadata_property(job->metadata, name, NULL);
        if (text != NULL) {
            FIRN_TRY(firn_json_parse(job->arena, firn_bytes_str(text), name, &times, err));
        }
    }
    if (n > 0 && !firn_offsets_know_topic(held, n, s->topic)) {
        FIRN_FAIL(err, FIRN_E_OFFSET_GONE,
                  "stream %s reads topic %s now, and table %s was filled from %s; to read it anew: "
                  "firn export --stream %s --from beginning",
                  job->source.object.name, s->topic, job->table_text, held[0].topic,
                  job->feed->name);
    }
    firn_export_marks_begin(&s->marks, s->reader_arena, held, n, s->topic, times);
    s->holds = s->marks.marks.len > 0;
    return FIRN_OK;
}

firn_rc firn_export_forget(firn_export_job *job, firn_err *err)
{
    if (job->run->options->from == NULL || job->metadata == NULL || job->run->options->dry_run) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_export_forget_offsets(job, err));
    firn_export_warn(job,
                     "reads the stream from the beginning: rows that table %s has already come "
                     "twice, unless it is emptied (TRUNCATE TABLE %s)",
                     job->table_text, job->table_text);
    return FIRN_OK;
}

/* ---- the query ----------------------------------------------------------------------------------------------------- */

static firn_rc check_leading(const struct ArrowSchema *schema, firn_err *err)
{
    static const char *const formats[] = {"i", "l", "l"};
    bool fits = schema->n_children > FIRN_EXPORT_LEADING;
    for (int64_t i = 0; fits && i < FIRN_EXPORT_LEADING; i++) {
        fits = firn_streq(schema->children[i]->format, formats[i]);
    }
    if (!fits) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "the server's answer does not begin with ROWPARTITION, ROWOFFSET and ROWTIME, "
                  "which were asked for");
    }
    return FIRN_OK;
}

static firn_rc open_stream(stream_job *s, firn_err *err)
{
    firn_export_job *job = s->job;
    const char *where = firn_export_marks_where(job->arena, &s->marks);
    firn_rc rc = firn_export_open_query(job, firn_export_stream_select(job, where), true, err);
    if (rc == FIRN_E_SYNTAX) {
        return firn_err_wrap(
            err, rc,
            "the server refuses ROWPARTITION and ROWOFFSET, which ksqlDB has since "
            "0.23 (ksql.rowpartition.rowoffset.enabled); \"resume\": \"kafka\" "
            "reads the topic instead");
    }
    FIRN_TRY(rc);
    const firn_export_columns_options options = {
        .schema = firn_ksqldb_query_schema(job->query),
        .leading = FIRN_EXPORT_LEADING,
        .by_time = firn_export_by_event(job->feed),
        .feed = job->feed,
    };
    FIRN_TRY(check_leading(options.schema, err));
    return firn_export_columns_plan(job->arena, &options, &job->columns, err);
}

/* ---- what has come ------------------------------------------------------------------------------------------------- */

static firn_rc judge(const stream_job *s, firn_err *err)
{
    firn_export_job *job = s->job;
    size_t known = 0;
    size_t missing = firn_export_marks_missing(&s->marks, &known);
    if (missing > 0 && missing >= known && s->marks.rows == 0) {
        FIRN_FAIL(err, FIRN_E_OFFSET_GONE,
                  "stream %s shows none of the rows that table %s holds: it was made anew, or its "
                  "topic %s has been cleaned of them. To read it from where it begins: firn export "
                  "--stream %s --from beginning",
                  job->source.object.name, job->table_text, s->topic, job->feed->name);
    }
    for (size_t i = 0; i < s->marks.marks.len; i++) {
        const firn_export_mark *mark = &s->marks.marks.items[i];
        if (!mark->shown && !mark->gone) {
            firn_export_warn(job,
                             "partition %" PRId32 " of topic %s showed nothing from offset %" PRId64
                             " on within %" PRId64
                             " s: its rows were deleted on the server, or it was slow",
                             mark->partition, s->topic, mark->held - 1, job->timeout_ms / 1000);
        } else if (mark->skipped > 0) {
            firn_export_warn(job,
                             "%" PRId64 " offsets of partition %" PRId32 " of topic %s (%" PRId64
                             " to %" PRId64
                             ") were deleted on the server before they were exported",
                             mark->skipped, mark->partition, s->topic, mark->held, mark->first - 1);
        }
    }
    return FIRN_OK;
}

/* ---- the commit ---------------------------------------------------------------------------------------------------- */

static const char *times_text(const stream_job *s)
{
    return firn_export_marks_times(s->job->arena, &s->marks);
}

static firn_rc outcome_of(const firn_export_job *job, firn_feed_outcome outcome, const char *why,
                          firn_err *err)
{
    if (outcome == FIRN_FEED_REFUSED) {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "table %s did not take %s: another export was faster; run it again",
                  job->table_text, why);
    }
    if (outcome == FIRN_FEED_UNSETTLED) {
        FIRN_FAIL(
            err, FIRN_E_UNKNOWN_OUTCOME,
            "it cannot be told whether the commit of %s has happened (%s); run it again: what "
            "the table holds is passed over",
            job->table_text, why);
    }
    return FIRN_OK;
}

static firn_rc commit(stream_job *s, firn_err *err)
{
    firn_export_job *job = s->job;
    const firn_feed_part part = {.ident = job->ident,
                                 .table_uuid = job->metadata->table_uuid,
                                 .files = job->added,
                                 .n_files = job->n_added,
                                 .schema_id = job->metadata->schema->schema_id};
    firn_feed_commit c = {
        .feed = job->feed->name,
        .ref = job->feed->ref,
        .cluster = job->cluster,
        .parts = &part,
        .n_parts = 1,
        .properties = firn_json_own(
            job->arena, json_pack("{s:s}", firn_export_times_property(job->arena, job->feed->name),
                                  times_text(s))),
        .message = firn_arena_printf(job->arena, "export %s: %" PRId64 " rows", job->feed->name,
                                     job->rows),
    };
    firn_feed_outcome outcome = FIRN_FEED_COMMITTED;
    const char *why = NULL;
    c.ranges = firn_export_marks_ranges(job->arena, &s->marks, s->topic, &c.n_ranges);
    firn_export_tell(job, "committing");
    FIRN_TRY(firn_fault_point("export.before_commit", job->feed->name, err));
    FIRN_TRY(firn_feed_commit_run(job->run->lake, job->arena, &c, &outcome, &why, err));
    return outcome_of(job, outcome, why, err);
}

static firn_rc read_new(stream_job *s, firn_err *err)
{
    firn_err own = {0};
    firn_rc rc = firn_export_read(s->job, &s->marks, true, &own);
    if (rc == FIRN_E_OFFSET_GONE) {
        FIRN_FAIL(err, rc, "%s; to read it anew: firn export --stream %s --from beginning",
                  own.message, s->job->feed->name);
    }
    if (rc != FIRN_OK) {
        *err = own;
    }
    return rc;
}

static firn_rc run_stream(stream_job *s, firn_err *err)
{
    firn_export_job *job = s->job;
    FIRN_TRY(firn_export_target_load(job, err));
    FIRN_TRY(firn_export_target_check(job, err));
    FIRN_TRY(firn_export_forget(job, err));
    FIRN_TRY(firn_export_describe(job, err));
    s->topic = job->source.object.topic;
    FIRN_TRY(read_held(s, err));
    FIRN_TRY(open_stream(s, err));
    if (job->metadata != NULL && !job->run->options->dry_run) {
        FIRN_TRY(
            firn_export_target_ready(job, err)); /* an unsafe change is told before rows are read */
    }
    job->writer = firn_export_writer_new(job, false);
    FIRN_TRY(read_new(s, err));
    FIRN_TRY(judge(s, err));
    FIRN_TRY(firn_export_writer_finish(job->writer, err));
    if (job->rows == 0) {
        job->outcome = FIRN_EXPORT_NOTHING_NEW;
        return FIRN_OK;
    }
    return job->run->options->dry_run ? FIRN_OK : commit(s, err);
}

firn_rc firn_export_stream(firn_export_job *job, firn_err *err)
{
    stream_job s = {.job = job, .reader_arena = firn_arena_new()};
    firn_rc rc = run_stream(&s, err);
    firn_arena_free(s.reader_arena);
    return rc;
}
