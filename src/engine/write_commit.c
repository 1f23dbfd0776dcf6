/* Written files to snapshots: the commit of one table, and the first snapshot of a table that is being created. */
#include "write_parts.h"

#include "ddl.h"

#include <string.h>

/* firn.schema-id tells readers that the snapshot's files have exactly that schema's columns (read_sql.c). */
static json_t *summary_of(firn_arena *arena, const char *statement, const firn_metadata *metadata)
{
    json_t *summary = firn_json_own(arena, json_object());
    json_object_set_new(summary, "engine-name", json_string("firn"));
    json_object_set_new(summary, "engine-version", json_string(FIRN_VERSION));
    json_object_set_new(
        summary, "firn.schema-id",
        json_string(firn_arena_printf(arena, "%d", (int)metadata->schema->schema_id)));
    if (statement != NULL) {
        json_object_set_new(summary, "firn.statement", json_string(statement));
    }
    return summary;
}

typedef struct commit_job {
    firn_session *session;
    firn_arena *arena; /* outlives the attempts */
    const firn_write_commit_options *options;
    firn_snapshot_change change;
    firn_snapshot_result result; /* of the latest attempt */
} commit_job;

/* An attempt's memory ends with it; what the statement tells and what a clean-up needs must not. */
static void keep_result(commit_job *job, const firn_snapshot_result *result)
{
    job->result = *result;
    job->result.written = FIRN_NEW_N(job->arena, const char *, result->n_written);
    for (size_t i = 0; i < result->n_written; i++) {
        job->result.written[i] = firn_arena_strdup(job->arena, result->written[i]);
    }
    job->result.summary =
        result->summary != NULL ? firn_json_own(job->arena, json_deep_copy(result->summary)) : NULL;
}

static firn_rc build(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    commit_job *job = ctx;
    firn_storage *storage = firn_lake_storage(job->session->engine->lake);
    firn_catalog *catalog = firn_lake_catalog(job->session->engine->lake);
    const char *ours = job->options->metadata->table_uuid;
    const char *theirs = base->metadata->table_uuid;
    job->result = (firn_snapshot_result){0};
    if (ours != NULL && theirs != NULL && !firn_streq(ours, theirs)) {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "%s was dropped and made anew while the statement ran; run it again",
                  firn_ident_text(arena, job->options->ident));
    }
    if (job->change.replace_partitions &&
        base->metadata->spec->spec_id != job->options->metadata->spec->spec_id) {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "the partitioning of %s was changed while the statement ran; run it again",
                  firn_ident_text(arena, job->options->ident));
    }
    firn_snapshot_result result = {0};
    firn_rc rc =
        firn_snapshot_produce(storage, firn_catalog_manifests(catalog), arena, base->metadata,
                              &job->change, updates, requirements, &result, err);
    keep_result(job, &result);
    return rc;
}

static void discard(void *ctx)
{
    commit_job *job = ctx;
    firn_snapshot_discard(firn_lake_storage(job->session->engine->lake), &job->result);
    job->result = (firn_snapshot_result){0};
}

firn_rc firn_write_commit(firn_session *session, firn_arena *arena,
                          const firn_write_commit_options *options, firn_snapshot_result *out,
                          firn_err *err)
{
    firn_err own = {0};
    commit_job job = {
        .session = session, .arena = arena, .options = options, .change = *options->change};
    job.change.threads = session->engine->threads;
    job.change.summary_extra = summary_of(arena, options->statement, options->metadata);
    firn_table_commit commit = {.ident = options->ident,
                                .build = build,
                                .discard = discard,
                                .ctx = &job,
                                .message = options->message};
    firn_rc rc = firn_session_commit_table(session, arena, &commit, &own);
    if (rc == FIRN_OK) {
        *out = job.result;
        return FIRN_OK;
    }
    if (!own.outcome_unknown && options->written != NULL) {
        firn_write_discard(session, options->written);
    }
    if (err != NULL) {
        *err = own;
    }
    return rc;
}

firn_rc firn_write_create_as(firn_session *session, firn_arena *arena,
                             const firn_metadata *new_table, const char *select_sql,
                             json_t *updates, firn_written *written, firn_snapshot_result *result,
                             firn_err *err)
{
    firn_storage *storage = firn_lake_storage(session->engine->lake);
    firn_catalog *catalog = firn_lake_catalog(session->engine->lake);
    char *sql = NULL;
    *written = (firn_written){0};
    *result = (firn_snapshot_result){.empty = true};
    const firn_projection_options projection = {
        .schema = new_table->schema, .source_sql = select_sql, .table_text = "the new table"};
    FIRN_TRY(firn_write_projection(session, arena, &projection, &sql, err));
    const firn_write_options write = {
        .metadata = new_table, .table_text = "the new table", .sql = sql, .spec_id = -1};
    FIRN_TRY(firn_write_query(session, arena, &write, written, err));
    if (written->files.len == 0) {
        return FIRN_OK;
    }
    const firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = written->files.items,
        .n_added = written->files.len,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = summary_of(arena, "CREATE TABLE AS", new_table),
        .threads = session->engine->threads,
    };
    json_t *requirements = firn_json_own(arena, json_array()); /* the table does not exist: none */
    firn_rc rc = firn_snapshot_produce(storage, firn_catalog_manifests(catalog), arena, new_table,
                                       &change, updates, requirements, result, err);
    if (rc != FIRN_OK) {
        firn_snapshot_discard(storage, result);
        firn_write_discard(session, written);
        *written = (firn_written){0};
    }
    return rc;
}
