/* The commits of an export that are not of ingest/commit.h: a table's new version, and offsets forgotten. */
#include "job.h"

#include "ingest/commit.h"

#include <inttypes.h>

char *firn_export_times_property(firn_arena *arena, const char *feed)
{
    return firn_arena_printf(arena, "firn.rowtimes.%s", feed);
}

/* firn.schema-id tells readers that the snapshot's files have exactly that schema's columns. */
json_t *firn_export_summary(const firn_export_job *job, firn_arena *arena)
{
    json_t *summary = firn_json_own(arena, json_object());
    json_object_set_new(summary, "engine-name", json_string("firn"));
    json_object_set_new(summary, "engine-version", json_string(FIRN_VERSION));
    json_object_set_new(summary, "firn.feed", json_string(job->feed->name));
    json_object_set_new(
        summary, "firn.schema-id",
        json_string(firn_arena_printf(arena, "%d", (int)job->metadata->schema->schema_id)));
    return summary;
}

typedef struct version_commit {
    firn_export_job *job;
    firn_snapshot_result result; /* of the latest attempt */
} version_commit;

static void keep_result(version_commit *c, const firn_snapshot_result *result)
{
    firn_arena *arena = c->job->arena; /* an attempt's memory ends with it */
    c->result = *result;
    c->result.summary = NULL;
    c->result.written = FIRN_NEW_N(arena, const char *, result->n_written);
    for (size_t i = 0; i < result->n_written; i++) {
        c->result.written[i] = firn_arena_strdup(arena, result->written[i]);
    }
}

static firn_rc check_base(const firn_export_job *job, const firn_metadata *base, firn_err *err)
{
    if (!firn_streq(base->table_uuid, job->metadata->table_uuid)) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE,
                  "table %s was dropped and made anew while feed %s was exported; run it again",
                  job->table_text, job->feed->name);
    }
    int64_t held = firn_metadata_property_i64(base, FIRN_EXPORT_VERSION_PROPERTY, 0);
    if (held != job->version - 1) {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "table %s has version %" PRId64
                  " by now: another export was faster; run this one again if it is still wanted",
                  job->table_text, held);
    }
    return FIRN_OK;
}

static firn_rc build_version(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                             json_t *requirements, firn_err *err)
{
    version_commit *c = ctx;
    firn_export_job *job = c->job;
    firn_storage *storage = firn_lake_storage(job->run->lake);
    firn_manifest_cache *cache = firn_catalog_manifests(firn_lake_catalog(job->run->lake));
    const char *number = firn_arena_printf(arena, "%" PRId64, job->version);
    c->result = (firn_snapshot_result){0};
    FIRN_TRY(check_base(job, base->metadata, err));
    json_t *summary = firn_export_summary(job, arena);
    json_object_set_new(summary, FIRN_EXPORT_VERSION_PROPERTY, json_string(number));
    const firn_snapshot_change change = {
        .op = job->n_added > 0 ? FIRN_SNAPSHOT_OVERWRITE : FIRN_SNAPSHOT_DELETE,
        .added = job->added,
        .n_added = job->n_added,
        .remove_all = true,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = summary,
    };
    firn_snapshot_result result = {0};
    firn_rc rc = firn_snapshot_produce(storage, cache, arena, base->metadata, &change, updates,
                                       requirements, &result, err);
    keep_result(c, &result);
    FIRN_TRY(rc);
    if (!result.empty) {
        firn_update_set_ref(updates, firn_arena_printf(arena, "v%s", number), result.snapshot_id,
                            true);
    }
    firn_update_set_properties(
        updates, firn_json_own(arena, json_pack("{s:s}", FIRN_EXPORT_VERSION_PROPERTY, number)));
    return FIRN_OK;
}

static void discard_version(void *ctx)
{
    version_commit *c = ctx;
    firn_snapshot_discard(firn_lake_storage(c->job->run->lake), &c->result);
    c->result = (firn_snapshot_result){0};
}

/* Our snapshot is in the table: nobody else's has its id. */
static bool has_landed(const version_commit *c)
{
    firn_table table;
    return firn_catalog_table_load(firn_lake_catalog(c->job->run->lake), c->job->arena,
                                   c->job->feed->ref, c->job->ident, &table, NULL) == FIRN_OK &&
           firn_metadata_snapshot(table.metadata, c->result.snapshot_id) != NULL;
}

firn_rc firn_export_commit_version(firn_export_job *job, firn_err *err)
{
    version_commit c = {.job = job};
    firn_err own = {0};
    const firn_table_builder builder = {
        .ident = job->ident, .build = build_version, .discard = discard_version, .ctx = &c};
    const firn_commit_info info = {
        .message =
            firn_arena_printf(job->arena, "export %s: version v%" PRId64 ", %" PRId64 " rows",
                              job->feed->name, job->version, job->rows)};
    firn_rc rc = firn_catalog_commit_tables(firn_lake_catalog(job->run->lake), job->arena,
                                            job->feed->ref, &builder, 1, &info, NULL, &own);
    if (rc != FIRN_OK && (!own.outcome_unknown || !has_landed(&c))) {
        *err = own;
        return rc;
    }
    job->snapshot_id = c.result.snapshot_id;
    return FIRN_OK;
}

/* ---- --from beginning -------------------------------------------------------------------------------------------- */

static firn_rc build_forgetting(void *ctx, firn_arena *arena, const firn_table *base,
                                json_t *updates, json_t *requirements, firn_err *err)
{
    const firn_export_job *job = ctx;
    const char *const keys[] = {firn_offsets_property(arena, job->feed->name),
                                firn_cluster_property(arena, job->feed->name),
                                firn_export_times_property(arena, job->feed->name)};
    (void)requirements, (void)err;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (firn_metadata_property(base->metadata, keys[i], NULL) != NULL) {
            firn_update_remove_properties(updates, &keys[i], 1);
        }
    }
    return FIRN_OK;
}

firn_rc firn_export_forget_offsets(firn_export_job *job, firn_err *err)
{
    const firn_table_builder builder = {.ident = job->ident, .build = build_forgetting, .ctx = job};
    const firn_commit_info info = {
        .message =
            firn_arena_printf(job->arena, "export %s: from the beginning again", job->feed->name)};
    FIRN_TRY(firn_catalog_commit_tables(firn_lake_catalog(job->run->lake), job->arena,
                                        job->feed->ref, &builder, 1, &info, NULL, err));
    return firn_export_target_load(job, err);
}
