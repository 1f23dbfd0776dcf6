/* Tables: a complete new version, in one commit.
 *
 *   pull query   the server's state as it is; ends by itself
 *   push query   where the server keeps no state to be asked (or as the feed says): every change from the beginning, of which the last one
 *                of each key counts; ended by quiet
 *
 * The number is the property firn.version + 1, and the commit requires that the property is what it was. An answer that was cut, or ended
 * in an error, never gets as far.
 */
#include "job.h"

#include <inttypes.h>

static firn_rc open_query(firn_export_job *job, bool *push, firn_err *err)
{
    const char *name = firn_ksqldb_ident(job->arena, job->source.object.name);
    firn_err pull = {0};
    *push = job->feed->query == FIRN_EXPORT_QUERY_PUSH;
    if (!*push) {
        const char *sql = firn_arena_printf(job->arena, "SELECT * FROM %s;", name);
        firn_rc rc = firn_export_open_query(job, sql, false, &pull);
        *push = rc == FIRN_E_SYNTAX && job->feed->query == FIRN_EXPORT_QUERY_AUTO;
        if (!*push) {
            *err = rc != FIRN_OK ? pull : *err;
            return rc;
        }
    }
    const char *sql = firn_arena_printf(job->arena, "SELECT * FROM %s EMIT CHANGES;", name);
    firn_rc rc = firn_export_open_query(job, sql, true, err);
    if (rc == FIRN_E_SYNTAX && pull.message[0] != '\0') {
        return firn_err_wrap(err, rc,
                             "the server takes neither a pull query (%.300s) nor a push query",
                             pull.message);
    }
    return rc;
}

static firn_rc plan_columns(firn_export_job *job, bool push, firn_err *err)
{
    firn_export_columns_options options = {
        .schema = firn_ksqldb_query_schema(job->query), .tombstones = push, .feed = job->feed};
    options.keys = firn_export_keys(job, &options.n_keys);
    if (push && options.n_keys == 0) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "table %s has no key column, so its changes cannot be told apart",
                  job->source.object.name);
    }
    if (firn_export_by_event(job->feed)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: partitioning.time is for streams: rows of a table are states, not events",
                  job->feed->path);
    }
    return firn_export_columns_plan(job->arena, &options, &job->columns, err);
}

static bool has_rows(const firn_metadata *metadata)
{
    const firn_snapshot *current = metadata != NULL ? metadata->current_snapshot : NULL;
    const char *total = current != NULL
                            ? json_string_value(json_object_get(current->summary, "total-records"))
                            : NULL;
    return current != NULL && (total == NULL || !firn_streq(total, "0"));
}

/* A version takes the place of all rows: they must be the feed's own. */
static firn_rc check_rows_are_ours(const firn_export_job *job, firn_err *err)
{
    const firn_metadata *metadata = job->metadata;
    if (metadata == NULL) {
        return FIRN_OK;
    }
    const char *feed = firn_metadata_property(metadata, "firn.feed", NULL);
    bool is_other = feed != NULL && !firn_streq(feed, job->feed->name);
    bool exported = firn_metadata_property(metadata, FIRN_EXPORT_VERSION_PROPERTY, NULL) != NULL;
    if (is_other || (!exported && has_rows(metadata))) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: table %s has rows that %s%s brought, and an export would replace them; name "
                  "another table in \"table\"",
                  job->feed->path, job->table_text, is_other ? "feed " : "no export of this feed",
                  is_other ? feed : "");
    }
    return FIRN_OK;
}

firn_rc firn_export_snapshot(firn_export_job *job, firn_err *err)
{
    bool push = false;
    FIRN_TRY(firn_export_target_load(job, err));
    FIRN_TRY(firn_export_target_check(job, err));
    FIRN_TRY(check_rows_are_ours(job, err));
    job->version =
        job->metadata != NULL
            ? firn_metadata_property_i64(job->metadata, FIRN_EXPORT_VERSION_PROPERTY, 0) + 1
            : 1;
    FIRN_TRY(firn_export_describe(job, err));
    FIRN_TRY(open_query(job, &push, err));
    FIRN_TRY(plan_columns(job, push, err));
    job->writer = firn_export_writer_new(job, push);
    FIRN_TRY(firn_export_read(job, NULL, push, err));
    FIRN_TRY(firn_export_writer_finish(job->writer, err));
    bool had_rows = has_rows(job->metadata);
    if (push && had_rows &&
        job->seen_rows == 0) { /* not even a deletion: this silence says nothing */
        FIRN_FAIL(err, FIRN_E_UNAVAILABLE,
                  "the push query on table %s showed no change at all, and version v%" PRId64
                  " of %s has rows: the server was slow (firn export --wait), or its topic was "
                  "emptied; nothing was changed",
                  job->source.object.name, job->version - 1, job->table_text);
    }
    if (job->rows == 0 && !had_rows) {
        job->version = 0;
        job->outcome = FIRN_EXPORT_NOTHING_NEW;
        return FIRN_OK;
    }
    if (job->rows == 0) {
        firn_export_warn(job, "the server's answer has no rows: version v%" PRId64 " is empty",
                         job->version);
    }
    if (job->run->options->dry_run) {
        return FIRN_OK;
    }
    firn_export_tell(job, "committing");
    FIRN_TRY(firn_fault_point("export.before_commit", job->feed->name, err));
    return firn_export_commit_version(job, err);
}
