/* The one commit of a replay: rows come, their letters go. See replay.h.
 *
 * Fault points: "replay.before_commit", "replay.after_commit".
 */
#include "replay.h"

#include "base/uuid.h"

#include <inttypes.h>

static const char *const REPLAY_ID =
    "firn.replay-id"; /* in the summary of every snapshot of the commit */

typedef struct commit_job {
    replay_job *job;
    const char *id;
    bool lost;
} commit_job;

typedef struct part_job {
    commit_job *commit;
    const char *table_uuid;
    firn_snapshot_change change;
    firn_upsert *upsert; /* changes by key, instead of `change`; nullable */
    bool is_dead;
    firn_snapshot_result result; /* of the latest attempt */
} part_job;

static json_t *summary_of(const part_job *part, firn_arena *arena)
{
    json_t *summary = firn_json_own(arena, json_object());
    json_object_set_new(summary, "engine-name", json_string("firn"));
    json_object_set_new(summary, "engine-version", json_string(FIRN_VERSION));
    json_object_set_new(summary, "firn.feed", json_string(part->commit->job->run->feed.name));
    json_object_set_new(summary, REPLAY_ID, json_string(part->commit->id));
    return summary;
}

/* An attempt's memory ends with it; what a clean-up needs must not. */
static void keep_result(part_job *part, const firn_snapshot_result *result)
{
    firn_arena *arena = part->commit->job->arena;
    part->result = *result;
    part->result.summary = NULL;
    part->result.written = FIRN_NEW_N(arena, const char *, result->n_written);
    for (size_t i = 0; i < result->n_written; i++) {
        part->result.written[i] = firn_arena_strdup(arena, result->written[i]);
    }
}

static firn_rc build(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    part_job *part = ctx;
    firn_lake *lake = part->commit->job->run->lake;
    const char *uuid = base->metadata->table_uuid;
    part->result = (firn_snapshot_result){0};
    if (part->table_uuid != NULL && uuid != NULL && !firn_streq(part->table_uuid, uuid)) {
        FIRN_FAIL(
            err, FIRN_E_NO_TABLE,
            "a table of feed %s was dropped and made anew while its dead letters were replayed",
            part->commit->job->run->feed.name);
    }
    firn_snapshot_change change = part->change;
    firn_upserted upserted;
    if (part->upsert != NULL) { /* which rows the keys have is looked up in this very head */
        FIRN_TRY(firn_upsert_plan(part->upsert, base->metadata, &upserted, err));
        change = upserted.change;
    }
    change.summary_extra = summary_of(part, arena);
    firn_snapshot_result result = {0};
    firn_rc rc = firn_snapshot_produce(
        firn_lake_storage(lake), firn_catalog_manifests(firn_lake_catalog(lake)), arena,
        base->metadata, &change, updates, requirements, &result, err);
    part->commit->lost = part->is_dead && rc == FIRN_E_VALIDATION;
    keep_result(part, &result);
    return rc;
}

static void discard(void *ctx)
{
    part_job *part = ctx;
    firn_snapshot_discard(firn_lake_storage(part->commit->job->run->lake), &part->result);
    part->result = (firn_snapshot_result){0};
}

static firn_snapshot_change dead_change(const replay_job *job)
{
    return (firn_snapshot_change){
        .op = job->kept.files.len > 0 ? FIRN_SNAPSHOT_OVERWRITE : FIRN_SNAPSHOT_DELETE,
        .added = job->kept.files.items,
        .n_added = job->kept.files.len,
        .removed = job->removed.items,
        .n_removed = job->removed.len,
        .validation = {.starting_snapshot_id = job->dead.metadata->current_snapshot->snapshot_id,
                       .no_new_deletes_for_removed = true,
                       .removed_must_exist = true},
    };
}

static firn_snapshot_change table_change(const firn_pending_table *table)
{
    return (firn_snapshot_change){
        .op = FIRN_SNAPSHOT_APPEND,
        .added = table->files.items,
        .n_added = table->files.len,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
}

/* Whether the dead-letter table's history has our commit. */
static bool has_landed(const commit_job *commit)
{
    const replay_job *job = commit->job;
    firn_table table;
    if (firn_catalog_table_load(firn_lake_catalog(job->run->lake), job->arena, job->run->feed.ref,
                                job->ident, &table, NULL) != FIRN_OK) {
        return false;
    }
    for (size_t i = 0; i < table.metadata->n_snapshots; i++) {
        const json_t *id = json_object_get(table.metadata->snapshots[i].summary, REPLAY_ID);
        if (json_is_string(id) && firn_streq(json_string_value(id), commit->id)) {
            return true;
        }
    }
    return false;
}

static void add_part(commit_job *commit, firn_table_builder *builders, size_t *n, firn_ident ident,
                     part_job part)
{
    part.commit = commit;
    builders[(*n)++] =
        (firn_table_builder){.ident = ident,
                             .build = build,
                             .discard = discard,
                             .ctx = firn_arena_memdup(commit->job->arena, &part, sizeof(part))};
}

/* The dead letters first: who lost writes no manifest of the others. */
static firn_table_builder *builders_of(commit_job *commit, size_t *n)
{
    replay_job *job = commit->job;
    size_t count = 1;
    for (const firn_feed_target *at = job->run->targets; at != NULL; at = at->next) {
        count += at->pending != NULL ? at->pending->tables.len : 0;
    }
    firn_table_builder *builders = FIRN_NEW_N(job->arena, firn_table_builder, count);
    *n = 0;
    add_part(commit, builders, n, job->ident,
             (part_job){.table_uuid = job->dead.metadata->table_uuid,
                        .change = dead_change(job),
                        .is_dead = true});
    for (const firn_feed_target *at = job->run->targets; at != NULL; at = at->next) {
        for (size_t i = 0; at->pending != NULL && i < at->pending->tables.len; i++) {
            const firn_pending_table *table = at->pending->tables.items[i];
            if (table->files.len > 0 || table->upsert != NULL) {
                add_part(commit, builders, n, table->ident,
                         (part_job){.table_uuid = table->table_uuid,
                                    .change = table_change(table),
                                    .upsert = table->upsert});
            }
        }
    }
    return builders;
}

firn_rc firn_replay_commit(replay_job *job, bool *lost, firn_err *err)
{
    firn_err own = {0};
    size_t n = 0;
    commit_job commit = {.job = job, .id = firn_uuid_new(job->arena)};
    const firn_table_builder *builders = builders_of(&commit, &n);
    const firn_commit_info info = {
        .message = firn_arena_printf(job->arena, "replay the dead letters of feed %s (%zu)",
                                     job->run->feed.name, job->letters.len)};
    firn_rc rc = firn_fault_point("replay.before_commit", job->run->feed.name, &own);
    if (rc == FIRN_OK) {
        rc = firn_catalog_commit_tables(firn_lake_catalog(job->run->lake), job->arena,
                                        job->run->feed.ref, builders, n, &info, NULL, &own);
    }
    *lost = commit.lost;
    if (rc != FIRN_OK && own.outcome_unknown && has_landed(&commit)) {
        rc = FIRN_OK;
    }
    if (rc == FIRN_OK) {
        /* Only killing makes sense here: what is committed cannot fail. */
        (void)(firn_fault_point("replay.after_commit", job->run->feed.name, NULL) == FIRN_OK);
        return FIRN_OK;
    }
    if (err != NULL) {
        *err = own;
    }
    return rc;
}
