/* See commit.h. */
#include "ingest/commit.h"

#include <inttypes.h>

typedef struct commit_job {
    firn_lake *lake;
    firn_arena *arena; /* outlives the attempts */
    const firn_feed_commit *commit;
    const char *refused; /* why; NULL: not */
} commit_job;

typedef struct part_job {
    commit_job *job;
    const firn_feed_part *part;
    bool is_anchor;
    firn_snapshot_result result; /* of the latest attempt */
} part_job;

/* ---- what is asked of the table ------------------------------------------------------------------------- */

static firn_rc check_cluster(const commit_job *job, firn_arena *arena, const firn_table *base,
                             firn_err *err)
{
    const firn_feed_commit *commit = job->commit;
    const char *property = firn_cluster_property(arena, commit->feed);
    const char *held = firn_metadata_property(base->metadata, property, NULL);
    if (held != NULL && commit->cluster != NULL && !firn_streq(held, commit->cluster)) {
        FIRN_FAIL(
            err, FIRN_E_CONFIG,
            "table %s was filled by feed %s from Kafka cluster %s, and this is cluster %s, whose offsets mean other "
            "records; to go on from it: firn ingest resume %s --from earliest",
            firn_ident_text(arena, job->commit->parts[0].ident), commit->feed, held,
            commit->cluster, commit->feed);
    }
    return FIRN_OK;
}

/* Invariant 2. */
static firn_rc check_offsets(commit_job *job, firn_arena *arena, const firn_offset *held, size_t n,
                             firn_err *err)
{
    const firn_feed_commit *commit = job->commit;
    for (size_t i = 0; i < commit->n_ranges; i++) {
        const firn_feed_range *range = &commit->ranges[i];
        int64_t next = firn_offsets_find(held, n, range->topic, range->partition);
        if (next == range->from || (next < 0 && range->starts)) {
            continue;
        }
        const char *holds = next < 0 ? "nothing of it" : firn_arena_printf(arena, "%" PRId64, next);
        job->refused = firn_arena_printf(
            job->arena, "the records from %" PRId64 " of partition %d of %s: the table holds %s",
            range->from, (int)range->partition, range->topic, holds);
        FIRN_FAIL(err, FIRN_E_VALIDATION, "table %s does not take %s",
                  firn_ident_text(arena, commit->parts[0].ident), job->refused);
    }
    return FIRN_OK;
}

static firn_rc check_identity(const part_job *part, firn_arena *arena, const firn_table *base,
                              firn_err *err)
{
    const char *ours = part->part->table_uuid;
    const char *theirs = base->metadata->table_uuid;
    if (ours != NULL && theirs != NULL && !firn_streq(ours, theirs)) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE,
                  "table %s was dropped and made anew while feed %s filled it",
                  firn_ident_text(arena, part->part->ident), part->job->commit->feed);
    }
    return FIRN_OK;
}

/* ---- building --------------------------------------------------------------------------------------------- */

static void set_properties(const part_job *part, firn_arena *arena, const firn_offset *held,
                           size_t n, json_t *updates)
{
    const firn_feed_commit *commit = part->job->commit;
    json_t *properties = firn_json_own(arena, json_object());
    json_object_set_new(
        properties, firn_offsets_property(arena, commit->feed),
        json_string(firn_offsets_text(arena, held, n, commit->ranges, commit->n_ranges)));
    if (part->is_anchor && commit->cluster != NULL) {
        json_object_set_new(properties, firn_cluster_property(arena, commit->feed),
                            json_string(commit->cluster));
    }
    if (part->is_anchor && commit->properties != NULL) {
        json_object_update(properties, (json_t *)commit->properties);
    }
    firn_update_set_properties(updates, properties);
}

/* firn.schema-id tells readers that the snapshot's files have exactly that schema's columns. */
static json_t *summary_of(const part_job *part, firn_arena *arena)
{
    json_t *summary = firn_json_own(arena, json_object());
    json_object_set_new(summary, "engine-name", json_string("firn"));
    json_object_set_new(summary, "engine-version", json_string(FIRN_VERSION));
    json_object_set_new(summary, "firn.feed", json_string(part->job->commit->feed));
    if (part->part->schema_id >= 0) {
        const char *id = firn_arena_printf(arena, "%d", (int)part->part->schema_id);
        json_object_set_new(summary, "firn.schema-id", json_string(id));
    }
    return summary;
}

/* An attempt's memory ends with it; what a clean-up needs must not. */
static void keep_result(part_job *part, const firn_snapshot_result *result)
{
    firn_arena *arena = part->job->arena;
    part->result = *result;
    part->result.summary = NULL;
    part->result.written = FIRN_NEW_N(arena, const char *, result->n_written);
    for (size_t i = 0; i < result->n_written; i++) {
        part->result.written[i] = firn_arena_strdup(arena, result->written[i]);
    }
}

static firn_rc add_snapshot(part_job *part, firn_arena *arena, const firn_table *base,
                            json_t *updates, json_t *requirements, firn_err *err)
{
    firn_lake *lake = part->job->lake;
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = part->part->files,
        .n_added = part->part->n_files,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
    if (part->part->upsert != NULL) { /* which rows the keys have is looked up in this very head */
        firn_upserted upserted;
        FIRN_TRY(firn_upsert_plan(part->part->upsert, base->metadata, &upserted, err));
        change = upserted.change;
    } else if (part->part->n_files == 0) {
        return FIRN_OK;
    }
    change.summary_extra = summary_of(part, arena);
    firn_snapshot_result result = {0};
    firn_rc rc = firn_snapshot_produce(
        firn_lake_storage(lake), firn_catalog_manifests(firn_lake_catalog(lake)), arena,
        base->metadata, &change, updates, requirements, &result, err);
    keep_result(part, &result);
    return rc;
}

static firn_rc build(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    part_job *part = ctx;
    firn_offset *held = NULL;
    size_t n = 0;
    part->result = (firn_snapshot_result){0};
    FIRN_TRY(check_identity(part, arena, base, err));
    FIRN_TRY(firn_offsets_read(arena, base->metadata, part->job->commit->feed, &held, &n, err));
    if (part->is_anchor) {
        part->job->refused = NULL;
        FIRN_TRY(check_cluster(part->job, arena, base, err));
        FIRN_TRY(check_offsets(part->job, arena, held, n, err));
    }
    FIRN_TRY(add_snapshot(part, arena, base, updates, requirements, err));
    set_properties(part, arena, held, n, updates);
    return FIRN_OK;
}

static void discard(void *ctx)
{
    part_job *part = ctx;
    firn_snapshot_discard(firn_lake_storage(part->job->lake), &part->result);
    part->result = (firn_snapshot_result){0};
}

/* ---- the outcome ------------------------------------------------------------------------------------------ */

/* Whether the table holds every `to`: then this commit landed, or a twin's of the same records. */
static bool has_landed(const commit_job *job)
{
    const firn_feed_commit *commit = job->commit;
    firn_table table;
    firn_offset *held = NULL;
    size_t n = 0;
    if (firn_catalog_table_load(firn_lake_catalog(job->lake), job->arena, commit->ref,
                                commit->parts[0].ident, &table, NULL) != FIRN_OK ||
        firn_offsets_read(job->arena, table.metadata, commit->feed, &held, &n, NULL) != FIRN_OK) {
        return false;
    }
    for (size_t i = 0; i < commit->n_ranges; i++) {
        const firn_feed_range *range = &commit->ranges[i];
        if (firn_offsets_find(held, n, range->topic, range->partition) != range->to) {
            return false;
        }
    }
    return true;
}

firn_rc firn_feed_commit_run(firn_lake *lake, firn_arena *arena, const firn_feed_commit *commit,
                             firn_feed_outcome *out, const char **why, firn_err *err)
{
    firn_err own = {0};
    commit_job job = {.lake = lake, .arena = arena, .commit = commit};
    part_job *parts = FIRN_NEW_N(arena, part_job, commit->n_parts);
    firn_table_builder *builders = FIRN_NEW_N(arena, firn_table_builder, commit->n_parts);
    for (size_t i = 0; i < commit->n_parts; i++) {
        parts[i] = (part_job){.job = &job, .part = &commit->parts[i], .is_anchor = i == 0};
        builders[i] = (firn_table_builder){
            .ident = commit->parts[i].ident, .build = build, .discard = discard, .ctx = &parts[i]};
    }
    const firn_commit_info info = {.message = commit->message};
    firn_rc rc = firn_fault_point("ingest.before_commit", commit->feed, &own);
    if (rc == FIRN_OK) {
        rc = firn_catalog_commit_tables(firn_lake_catalog(lake), arena, commit->ref, builders,
                                        commit->n_parts, &info, NULL, &own);
    }
    *out = FIRN_FEED_COMMITTED;
    *why = NULL;
    if (rc == FIRN_OK) {
        /* Only killing makes sense here: what is committed cannot fail. */
        rc = firn_fault_point("ingest.after_commit", commit->feed, NULL) == FIRN_OK ? rc : FIRN_OK;
        return rc;
    }
    if (own.outcome_unknown) {
        if (!has_landed(&job)) {
            *out = FIRN_FEED_UNSETTLED;
            *why = firn_arena_strdup(arena, own.message);
        }
        return FIRN_OK;
    }
    if (job.refused != NULL) {
        *out = FIRN_FEED_REFUSED;
        *why = job.refused;
        return FIRN_OK;
    }
    if (err != NULL) {
        *err = own;
    }
    return rc;
}
