/* Content-aware merging: when the source has only appended to a table that the target changed as well, its appends are
 * replayed on top of the target's state instead of being refused. An append conflicts with nothing: it is what every
 * writer does who lost a race.
 *
 * It must have been nothing but appends: apart from its snapshots, the source's metadata must still equal the merge
 * base's. A source that also changed schema, specs, properties (where ingestion keeps its offsets) or the table's own
 * branches stays a conflict. What the target did does not matter.
 */
#include "replay.h"

#include "base/log.h"

/* Members of table metadata that appending changes. */
static const char *const append_members[] = {
    "current-snapshot-id", "last-sequence-number", "last-updated-ms", "metadata-log",
    "next-row-id",         "snapshot-log",         "snapshots",
};

static json_t *without_appends(firn_arena *arena, const firn_metadata *metadata)
{
    json_t *copy = firn_json_own(arena, json_copy(metadata->json));
    for (size_t i = 0; i < sizeof(append_members) / sizeof(append_members[0]); i++) {
        json_object_del(copy, append_members[i]);
    }
    json_t *refs = json_object_get(copy, "refs");
    if (refs) {
        json_t *others = json_copy(refs);
        json_object_del(others, "main");
        json_object_set_new(copy, "refs", others);
    }
    if (json_object_size(json_object_get(copy, "refs")) == 0) {
        json_object_del(copy, "refs");
    }
    return copy;
}

static int64_t current_id(const firn_metadata *metadata)
{
    return metadata->current_snapshot ? metadata->current_snapshot->snapshot_id : -1;
}

/* Every snapshot from the current one back to `common` is an append. */
static bool only_appends(const firn_metadata *metadata, int64_t common)
{
    const firn_snapshot *at = metadata->current_snapshot;
    for (size_t i = 0; at && at->snapshot_id != common && i < metadata->n_snapshots; i++) {
        if (!at->operation || !firn_streq(at->operation, "append")) {
            return false;
        }
        if (at->parent_id == common) {
            return true;
        }
        at = firn_metadata_snapshot(metadata, at->parent_id);
    }
    return at && at->snapshot_id == common;
}

/* NULL when the appends can be replayed, else what speaks against it. */
static const char *obstacle(firn_arena *arena, const firn_replay *replay)
{
    int64_t common = current_id(replay->base);
    if (!json_equal(without_appends(arena, replay->base), without_appends(arena, replay->theirs))) {
        return "the source changed more than rows";
    }
    if (current_id(replay->theirs) == common) {
        return "the source went back or changed other things than its rows";
    }
    if (!only_appends(replay->theirs, common)) {
        return "the source did more than append";
    }
    return NULL;
}

firn_rc firn_replay_check(firn_catalog *catalog, firn_arena *arena, const firn_stored *base,
                          const firn_stored *ours, const firn_stored *theirs, firn_replay *out,
                          firn_err *err)
{
    *out = (firn_replay){.ours_stored = ours, .theirs_stored = theirs};
    bool same_table = base && ours && theirs && base->kind == FIRN_KIND_TABLE &&
                      ours->kind == FIRN_KIND_TABLE && theirs->kind == FIRN_KIND_TABLE &&
                      firn_streq(base->content_id, ours->content_id) &&
                      firn_streq(base->content_id, theirs->content_id);
    if (!same_table) {
        out->obstacle = "they are not versions of one table";
        return FIRN_OK;
    }
    firn_metadata_cache *cache = catalog->metadata;
    FIRN_TRY(
        firn_metadata_cache_load(cache, catalog->storage, arena, base->value, &out->base, err));
    FIRN_TRY(
        firn_metadata_cache_load(cache, catalog->storage, arena, ours->value, &out->ours, err));
    FIRN_TRY(
        firn_metadata_cache_load(cache, catalog->storage, arena, theirs->value, &out->theirs, err));
    out->obstacle = obstacle(arena, out);
    return FIRN_OK;
}

firn_rc firn_replay_write(firn_catalog *catalog, firn_arena *arena, firn_replay *replay,
                          firn_err *err)
{
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    firn_metadata *metadata;
    char *location;
    firn_rc rc = firn_snapshot_replay_appends(
        catalog->storage, catalog->manifests, arena, replay->ours, replay->theirs,
        current_id(replay->base), updates, requirements, &replay->written, err);
    if (rc == FIRN_E_VALIDATION) {
        replay->obstacle = "the appended files do not fit the target's partitioning";
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    firn_update_options options = {.previous_location = replay->ours_stored->value};
    FIRN_TRY(firn_updates_apply(arena, replay->ours, updates, &options, &metadata, err));
    FIRN_TRY(firn_metadata_store(catalog->storage, arena, metadata, replay->ours_stored->value,
                                 &location, err));
    replay->location = location;
    firn_stored *merged = firn_arena_memdup(arena, replay->ours_stored, sizeof(*merged));
    merged->value = location;
    replay->merged = merged;
    return FIRN_OK;
}

void firn_replay_discard(firn_catalog *catalog, const firn_replay *replay)
{
    firn_err err = {0};
    if (replay->location &&
        firn_storage_delete(catalog->storage, replay->location, &err) != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "catalog", "a metadata file of a failed merge stays behind: %s",
                 err.message);
    }
    firn_snapshot_discard(catalog->storage, &replay->written);
}
