/* One table that both sides changed. Checking reads the three metadata files and decides; writing makes manifests and a
 * metadata file. Neither is done inside a transaction of the catalog.
 */
#include "replay.h"

#include "base/log.h"

static firn_rc load(firn_catalog *catalog, firn_arena *arena, const firn_stored *stored,
                    const firn_metadata **out, firn_err *err)
{
    firn_metadata *metadata;
    FIRN_TRY(firn_metadata_cache_load(catalog->metadata, catalog->storage, arena, stored->value,
                                      &metadata, err));
    *out = metadata;
    return FIRN_OK;
}

firn_rc firn_replay_check(firn_catalog *catalog, firn_arena *arena, const firn_metadata *ours,
                          firn_replay *replay, firn_err *err)
{
    const firn_stored *base = replay->base_stored;
    replay->checked = true;
    bool same_table = firn_streq(base->content_id, replay->ours_stored->content_id) &&
                      firn_streq(base->content_id, replay->theirs_stored->content_id);
    if (!same_table) {
        replay->type = FIRN_CONFLICT_CONTENT_ID_DIFFERS;
        replay->obstacle = "they are not versions of one table";
        return FIRN_OK;
    }
    firn_table_sides *sides = &replay->sides;
    sides->ours_name = replay->ours_name;
    sides->theirs_name = replay->theirs_name;
    sides->ours = ours;
    FIRN_TRY(load(catalog, arena, base, &sides->base, err));
    FIRN_TRY(load(catalog, arena, replay->theirs_stored, &sides->theirs, err));
    if (!ours) {
        FIRN_TRY(load(catalog, arena, replay->ours_stored, &sides->ours, err));
    }
    FIRN_TRY(firn_table_merge_plan(arena, sides, &replay->plan, err));
    if (replay->plan.n_conflicts > 0) {
        replay->type = FIRN_CONFLICT_VALUE_DIFFERS;
        replay->obstacle =
            firn_str_join(arena, replay->plan.conflicts, replay->plan.n_conflicts, "; ");
    }
    return FIRN_OK;
}

firn_rc firn_replay_write(firn_catalog *catalog, firn_arena *arena, firn_replay *replay,
                          firn_err *err)
{
    firn_metadata *metadata;
    char *location;
    firn_err detail = {0};
    const char *previous = replay->ours_stored->value;
    firn_rc rc =
        firn_table_merge_write(catalog->storage, catalog->manifests, arena, &replay->sides,
                               &replay->plan, previous, &metadata, &replay->files, &detail);
    if (rc == FIRN_E_VALIDATION) {
        replay->type = FIRN_CONFLICT_VALUE_DIFFERS;
        replay->obstacle = firn_arena_strdup(arena, detail.message);
        return FIRN_OK;
    }
    if (rc != FIRN_OK) {
        if (err) {
            *err = detail;
        }
        return rc;
    }
    FIRN_TRY(firn_metadata_store(catalog->storage, arena, metadata, previous, &location, err));
    replay->location = location;
    firn_stored *merged = firn_arena_memdup(arena, replay->ours_stored, sizeof(*merged));
    merged->value = location;
    replay->merged = merged;
    replay->written = true;
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
    firn_snapshot_discard(catalog->storage, &replay->files);
}
