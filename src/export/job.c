/* One feed's export from the lock to the log.
 *
 *   lock, session
 *   rows to files, one commit        a failure up to here: the files go, nothing else was touched (an unknown outcome: they stay)
 *   folders, retention               a failure from here on: the table has the rows, the next export does what is left
 *   history, quality, log
 */
#include "job.h"

#include "base/time.h"
#include "export/history.h"
#include "export/lock.h"

#include <inttypes.h>

enum {
    LOCK_WAIT_MS = 2000,
    FIRST_TIMES_QUIET = 5, /* what a server gets to set up a push query */
    QUEUE_BYTES = 1 << 20, /* of rows that wait: few batches, whose memory is used again */
};

void firn_export_warn(firn_export_job *job, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = firn_arena_vprintf(job->arena, format, args);
    va_end(args);
    firn_vec_push(job->arena, &job->warnings, text);
}

int64_t firn_export_now_us(const firn_export_job *job)
{
    int64_t fixed = job->run->options->now_us;
    return fixed != 0 ? fixed : firn_now_us();
}

bool firn_export_stopped(const firn_export_job *job)
{
    const volatile bool *stop = job->run->options->stop;
    return stop != NULL && *stop;
}

int64_t firn_export_quiet_ms(const firn_export_job *job)
{
    int64_t asked = job->run->options->quiet_ms;
    return asked > 0 ? asked : job->feed->wait_ms;
}

/* ---- progress ---------------------------------------------------------------------------------------------------- */

/* @locks run->lock */
static void tell_locked(firn_export_job *job, const char *phase)
{
    const firn_export_options *options = job->run->options;
    const firn_export_progress progress = {.feed = job->feed->name,
                                           .phase = phase,
                                           .rows = job->seen_rows,
                                           .bytes = job->seen_bytes,
                                           .expected = job->expected};
    if (options->on_progress != NULL) {
        options->on_progress(options->ctx, &progress);
    }
}

void firn_export_tell(firn_export_job *job, const char *phase)
{
    pthread_mutex_lock(&job->run->lock);
    tell_locked(job, phase);
    pthread_mutex_unlock(&job->run->lock);
}

void firn_export_seen(firn_export_job *job, int64_t rows, int64_t bytes)
{
    pthread_mutex_lock(&job->run->lock);
    job->seen_rows = rows;
    job->seen_bytes = bytes;
    tell_locked(job, "reading");
    pthread_mutex_unlock(&job->run->lock);
}

/* @thread reader */
static void note_batch(void *ctx, int64_t rows)
{
    firn_export_job *job = ctx;
    pthread_mutex_lock(&job->run->lock);
    job->seen_rows += rows;
    job->seen_bytes = firn_ksqldb_query_bytes(job->query);
    tell_locked(job, "reading");
    pthread_mutex_unlock(&job->run->lock);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static firn_rc pump(firn_export_job *job, firn_export_reader *reader, firn_err *err)
{
    for (;;) {
        firn_export_batch *batch = NULL;
        FIRN_TRY(firn_export_reader_next(reader, &batch, err));
        if (batch == NULL) {
            return FIRN_OK;
        }
        firn_rc rc = firn_export_writer_add(job->writer, batch, err);
        if (rc != FIRN_OK) {
            firn_rc first = firn_export_reader_failure(reader, err); /* it interrupts writes */
            return first != FIRN_OK ? first : rc;
        }
    }
}

firn_rc firn_export_read(firn_export_job *job, firn_export_marks *marks, bool push, firn_err *err)
{
    const firn_export_options *options = job->run->options;
    int64_t quiet_ms = firn_export_quiet_ms(job);
    firn_export_reader *reader = NULL;
    const firn_export_reader_options how = {
        .query = job->query,
        .marks = marks,
        .ends_by_quiet = push,
        .quiet_ms = quiet_ms,
        .first_ms = options->first_ms > 0 ? options->first_ms : FIRST_TIMES_QUIET * quiet_ms,
        .timeout_ms = job->timeout_ms,
        .queue_bytes_max = QUEUE_BYTES,
        .session = job->session,
        .stop = options->stop,
        .on_batch = note_batch,
        .ctx = job,
    };
    firn_export_tell(job, "reading");
    FIRN_TRY(firn_export_reader_start(&how, &reader, err));
    firn_rc rc = pump(job, reader, err);
    firn_export_reader_free(reader);
    job->json_bytes = firn_ksqldb_query_bytes(job->query);
    firn_ksqldb_query_close(job->query); /* the server has more to do than to wait for our commit */
    job->query = NULL;
    return rc;
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

static firn_rc set_day(firn_export_job *job, firn_err *err)
{
    const char *date = job->run->options->date;
    firn_civil civil;
    firn_civil_from_us(job->run->now_us, &civil);
    job->day = firn_days_from_civil(civil.year, civil.month, civil.day);
    job->hour = civil.hour;
    if (date == NULL || job->feed->partitioning != FIRN_EXPORT_BY_DATE) {
        return FIRN_OK;
    }
    if (firn_export_by_event(job->feed)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "--date does not go with feed %s: its rows are filed by the day of their event "
                  "(partitioning.time is %s), not by the day of the export",
                  job->feed->name, job->feed->time);
    }
    if (!firn_parse_date(date, &job->day)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "--date %s is no day such as 2025-01-15", date);
    }
    job->hour = 0;
    return FIRN_OK;
}

static bool is_written_once(firn_export_job *job)
{
    const firn_metadata *metadata = job->metadata;
    if (job->feed->mode != FIRN_EXPORT_IGNORE || metadata == NULL ||
        metadata->current_snapshot == NULL) {
        return false;
    }
    job->outcome = FIRN_EXPORT_SKIPPED;
    job->message = "written once already (storage_mode is ignore)";
    return true;
}

static firn_rc export_rows(firn_export_job *job, firn_err *err)
{
    FIRN_TRY(set_day(job, err));
    FIRN_TRY(firn_export_target_load(job, err));
    if (is_written_once(job)) {
        return FIRN_OK;
    }
    FIRN_TRY(job->feed->kind == FIRN_EXPORT_TABLE ? firn_export_snapshot(job, err)
             : job->feed->by_kafka                ? firn_export_topic(job, err)
                                                  : firn_export_stream(job, err));
    if (job->run->options->dry_run) {
        return FIRN_OK;
    }
    job->committed = true;
    FIRN_TRY(firn_fault_point("export.after_commit", job->feed->name, err));
    return firn_export_target_load(job, err);
}

static void last_export(firn_export_job *job)
{
    firn_export_record *records = NULL;
    size_t n = 0;
    if (firn_export_history_read(job->run->lake, job->arena, job->feed->name, &records, &n, NULL) !=
        FIRN_OK) {
        return;
    }
    for (size_t i = n; i > 0; i--) {
        if (records[i - 1].outcome == FIRN_EXPORT_DONE) {
            job->expected = records[i - 1].rows;
            return;
        }
    }
}

static firn_rc run_locked(firn_export_job *job, firn_err *err)
{
    last_export(job);
    FIRN_TRY(firn_session_new(job->run->engine, job->feed->ref, &job->session, err));
    firn_rc rc = export_rows(job, err);
    if (rc != FIRN_OK && !job->committed && job->writer != NULL &&
        (err == NULL || !err->outcome_unknown)) {
        firn_export_writer_discard(job->writer);
    }
    FIRN_TRY(rc);
    return job->run->options->dry_run ? FIRN_OK : firn_export_settle(job, err);
}

static firn_rc run_job(firn_export_job *job, const firn_export_server *server, firn_err *err)
{
    firn_export_lock lock;
    if (server->rc != FIRN_OK) {
        *err = server->err;
        return server->rc;
    }
    if (firn_export_stopped(job)) {
        FIRN_FAIL(err, FIRN_E_CANCELLED, "the export was stopped before this feed's turn");
    }
    FIRN_TRY(firn_export_lock_take(job->run->lake, job->feed->name, LOCK_WAIT_MS, &lock, err));
    firn_rc rc = run_locked(job, err);
    firn_export_lock_drop(&lock);
    return rc;
}

/* ---- the result -------------------------------------------------------------------------------------------------- */

static void fill_result(const firn_export_job *job, firn_arena *arena, double seconds,
                        firn_export_result *out)
{
    const char **warnings = FIRN_NEW_N(arena, const char *, job->warnings.len);
    for (size_t i = 0; i < job->warnings.len; i++) {
        warnings[i] = firn_arena_strdup(arena, job->warnings.items[i]);
    }
    *out = (firn_export_result){
        .feed = firn_arena_strdup(arena, job->feed->name),
        .kind = job->feed->kind,
        .outcome = job->outcome,
        .message = firn_arena_strdup(arena, job->message),
        .warnings = warnings,
        .n_warnings = job->warnings.len,
        .rows = job->rows,
        .files = job->files,
        .bytes = job->bytes,
        .json_bytes = job->json_bytes,
        .version = job->committed ? job->version : 0,
        .where = firn_arena_strdup(arena, job->where != NULL ? job->where : ""),
        .seconds = seconds,
    };
}

static void close_job(firn_export_job *job)
{
    firn_export_writer_free(job->writer);
    firn_ksqldb_query_close(job->query);
    firn_arena *arena = job->arena;
    firn_session *session = job->session;
    firn_arena_free(arena);
    firn_session_free(session);
}

void firn_export_job_run(firn_export_run_state *run, firn_arena *arena,
                         const firn_export_feed *feed, const firn_export_server *server,
                         firn_export_result *result)
{
    firn_err err = {0};
    int64_t began_us = firn_monotonic_us();
    firn_export_job job = {.run = run,
                           .arena = firn_arena_new(),
                           .feed = feed,
                           .ksqldb = server->ksqldb,
                           .cluster = server->cluster,
                           .timeout_ms = server->timeout_ms,
                           .outcome = FIRN_EXPORT_DONE};
    job.ident = firn_export_table_ident(job.arena, feed->table);
    job.table_text = firn_ident_text(job.arena, job.ident);
    firn_rc rc = run_job(&job, server, &err);
    double seconds = (double)(firn_monotonic_us() - began_us) / 1e6;
    job.where = job.outcome == FIRN_EXPORT_DONE ? firn_export_where(&job) : "";
    if (rc != FIRN_OK) {
        job.outcome = FIRN_EXPORT_FAILED;
        job.message = job.committed
                          ? firn_arena_printf(job.arena,
                                              "table %s has the rows; what follows them is "
                                              "left to the next export: %s",
                                              job.table_text, err.message)
                          : err.message;
    }
    firn_export_record_outcome(&job, rc, job.message, seconds);
    firn_export_tell(&job, rc == FIRN_OK ? "done" : "failed");
    pthread_mutex_lock(&run->lock);
    fill_result(&job, arena, seconds, result);
    pthread_mutex_unlock(&run->lock);
    close_job(&job);
}
