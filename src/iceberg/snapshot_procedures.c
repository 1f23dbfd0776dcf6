/*
 * snapshot_procedures.c - moving a branch to existing snapshots, and making their changes again on another head.
 *
 * A snapshot's own changes are the ADDED and DELETED entries with its id, in the manifests that it wrote. Appends can
 * be made again anywhere; a dynamic overwrite only where nobody has added to its partitions since; anything else only
 * where it was made.
 */
#include "base/map.h"
#include "snapshot_private.h"

typedef FIRN_VEC(firn_data_file) data_files;

static void unref_manifest(void *ctx)
{
    firn_manifest_unref(ctx);
}

/* Entries of the given status that the snapshot itself made. They live as long as the arena. */
static firn_rc collect(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                       const firn_metadata *metadata, const firn_snapshot *snapshot,
                       firn_entry_status status, data_files *out, firn_err *err)
{
    firn_manifest_file *files;
    size_t n;
    FIRN_TRY(firn_manifest_list_read(storage, arena, metadata, snapshot, &files, &n, err));
    for (size_t f = 0; f < n; f++) {
        if (files[f].deletes || files[f].added_snapshot_id != snapshot->snapshot_id)
            continue;
        firn_manifest *m;
        FIRN_TRY(firn_manifest_open(storage, cache, metadata, &files[f], &m, err));
        firn_arena_defer(arena, unref_manifest, m);
        for (size_t i = 0; i < m->n; i++) {
            if (m->status[i] != status || m->snapshot_id[i] != snapshot->snapshot_id)
                continue;
            firn_manifest_entry entry;
            firn_manifest_entry_at(m, arena, i, &entry);
            firn_vec_push(arena, out, entry.file);
        }
    }
    return FIRN_OK;
}

bool firn_snapshot_is_ancestor(const firn_metadata *metadata, int64_t ancestor_id,
                               int64_t snapshot_id)
{
    size_t steps = 0;
    const firn_snapshot *at = firn_metadata_snapshot(metadata, snapshot_id);
    for (; at && steps <= metadata->n_snapshots; steps++) {
        if (at->snapshot_id == ancestor_id)
            return true;
        at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(metadata, at->parent_id);
    }
    return false;
}

static firn_rc find_snapshot(const firn_metadata *base, int64_t snapshot_id,
                             const firn_snapshot **out, firn_err *err)
{
    *out = firn_metadata_snapshot(base, snapshot_id);
    if (!*out)
        FIRN_FAIL(
            err, FIRN_E_NO_SNAPSHOT,
            "table %s has no snapshot %lld; its snapshots are listed in the metadata table \"snapshots\"",
            base->location, (long long)snapshot_id);
    return FIRN_OK;
}

static int64_t current_id(const firn_metadata *base)
{
    return base->current_snapshot ? base->current_snapshot->snapshot_id : -1;
}

static void move_main(const firn_metadata *base, int64_t snapshot_id, json_t *updates,
                      json_t *requirements)
{
    firn_snapshot_point_ref(updates, base, "main", snapshot_id);
    firn_require_uuid(requirements, base->table_uuid);
    firn_require_ref(requirements, "main", current_id(base));
}

firn_rc firn_snapshot_rollback(firn_arena *arena, const firn_metadata *base, int64_t snapshot_id,
                               json_t *updates, json_t *requirements, firn_err *err)
{
    (void)arena;
    const firn_snapshot *snapshot;
    FIRN_TRY(find_snapshot(base, snapshot_id, &snapshot, err));
    if (!firn_snapshot_is_ancestor(base, snapshot_id, current_id(base)))
        FIRN_FAIL(
            err, FIRN_E_VALIDATION,
            "cannot roll back to snapshot %lld: it is no ancestor of the current one; set_current_snapshot moves to any snapshot",
            (long long)snapshot_id);
    move_main(base, snapshot_id, updates, requirements);
    return FIRN_OK;
}

firn_rc firn_snapshot_set_current(firn_arena *arena, const firn_metadata *base, int64_t snapshot_id,
                                  json_t *updates, json_t *requirements, firn_err *err)
{
    (void)arena;
    const firn_snapshot *snapshot;
    FIRN_TRY(find_snapshot(base, snapshot_id, &snapshot, err));
    move_main(base, snapshot_id, updates, requirements);
    return FIRN_OK;
}

/* ---- cherry-pick ------------------------------------------------------------------------------------------------------- */

static const char *summary_text(const firn_snapshot *snapshot, const char *key)
{
    return json_string_value(json_object_get(snapshot->summary, key));
}

/* Was the snapshot, or what was staged under its wap.id, published before? */
static firn_rc check_unpublished(const firn_metadata *base, const firn_snapshot *picked,
                                 firn_err *err)
{
    const char *wap_id = summary_text(picked, "wap.id");
    const firn_snapshot *at = base->current_snapshot;
    for (size_t steps = 0; at && steps <= base->n_snapshots; steps++) {
        const char *source = summary_text(at, "source-snapshot-id");
        int64_t source_id;
        if (at->snapshot_id == picked->snapshot_id)
            FIRN_FAIL(err, FIRN_E_VALIDATION,
                      "cannot cherry-pick snapshot %lld: it is already in the table's history",
                      (long long)picked->snapshot_id);
        if (source && firn_parse_i64(source, &source_id) && source_id == picked->snapshot_id)
            FIRN_FAIL(err, FIRN_E_VALIDATION,
                      "cannot cherry-pick snapshot %lld: snapshot %lld has picked it before",
                      (long long)picked->snapshot_id, (long long)at->snapshot_id);
        const char *staged = summary_text(at, "wap.id");
        const char *published = summary_text(at, "published-wap-id");
        if (wap_id && *wap_id &&
            ((staged && firn_streq(staged, wap_id)) ||
             (published && firn_streq(published, wap_id))))
            FIRN_FAIL(err, FIRN_E_VALIDATION,
                      "cannot cherry-pick snapshot %lld: its wap.id \"%s\" was published before",
                      (long long)picked->snapshot_id, wap_id);
        at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(base, at->parent_id);
    }
    return FIRN_OK;
}

static json_t *published_summary(firn_arena *arena, const firn_snapshot *picked)
{
    json_t *extra = firn_json_own(arena, json_object());
    const char *wap_id = summary_text(picked, "wap.id");
    if (wap_id && *wap_id)
        json_object_set_new(extra, "published-wap-id", json_string(wap_id));
    json_object_set_new(
        extra, "source-snapshot-id",
        json_string(firn_arena_printf(arena, "%lld", (long long)picked->snapshot_id)));
    return extra;
}

/* Has anyone added to the partitions of `added` between the picked snapshot's parent and the head? */
static firn_rc check_replaced_partitions(firn_storage *storage, firn_manifest_cache *cache,
                                         firn_arena *arena, const firn_metadata *base,
                                         const firn_snapshot *picked, const data_files *added,
                                         firn_err *err)
{
    firn_bytes_map replaced = {0};
    FIRN_AUTO_BUF firn_buf key = {0};
    for (size_t i = 0; i < added->len; i++) {
        const firn_data_file *file = &added->items[i];
        firn_buf_clear(&key);
        firn_partition_key(&key, file->spec_id, file->partition, file->n_partition);
        firn_bytes_map_at(&replaced, arena, firn_buf_bytes(&key));
    }
    const firn_snapshot *at = base->current_snapshot;
    while (at && at->snapshot_id != picked->parent_id) {
        data_files newer = {0};
        FIRN_TRY(collect(storage, cache, arena, base, at, FIRN_ENTRY_ADDED, &newer, err));
        for (size_t i = 0; i < newer.len; i++) {
            const firn_data_file *file = &newer.items[i];
            firn_buf_clear(&key);
            firn_partition_key(&key, file->spec_id, file->partition, file->n_partition);
            if (firn_bytes_map_at(&replaced, NULL, firn_buf_bytes(&key)))
                FIRN_FAIL(
                    err, FIRN_E_VALIDATION,
                    "cannot cherry-pick snapshot %lld: file %s was added meanwhile to a partition that it replaces",
                    (long long)picked->snapshot_id, file->path);
        }
        at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(base, at->parent_id);
    }
    return FIRN_OK;
}

static firn_rc pick_overwrite(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                              const firn_metadata *base, const firn_snapshot *picked,
                              json_t *updates, json_t *requirements, firn_snapshot_result *out,
                              firn_err *err)
{
    if (picked->parent_id >= 0 &&
        !firn_snapshot_is_ancestor(base, picked->parent_id, current_id(base)))
        FIRN_FAIL(
            err, FIRN_E_VALIDATION,
            "cannot cherry-pick overwrite %lld: it was not made on an ancestor of the current snapshot",
            (long long)picked->snapshot_id);
    data_files added = {0}, removed = {0};
    FIRN_TRY(collect(storage, cache, arena, base, picked, FIRN_ENTRY_ADDED, &added, err));
    FIRN_TRY(collect(storage, cache, arena, base, picked, FIRN_ENTRY_DELETED, &removed, err));
    FIRN_TRY(check_replaced_partitions(storage, cache, arena, base, picked, &added, err));
    json_t *extra = published_summary(arena, picked);
    json_object_set_new(extra, "replace-partitions", json_string("true"));
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_OVERWRITE,
        .added = added.items,
        .n_added = added.len,
        .removed = removed.items,
        .n_removed = removed.len,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT,
                       .removed_must_exist = true},
        .summary_extra = extra,
    };
    return firn_snapshot_produce(storage, cache, arena, base, &change, updates, requirements, out,
                                 err);
}

firn_rc firn_snapshot_cherry_pick(firn_storage *storage, firn_manifest_cache *cache,
                                  firn_arena *arena, const firn_metadata *base, int64_t snapshot_id,
                                  json_t *updates, json_t *requirements, firn_snapshot_result *out,
                                  firn_err *err)
{
    const firn_snapshot *picked;
    *out = (firn_snapshot_result){0};
    FIRN_TRY(find_snapshot(base, snapshot_id, &picked, err));
    FIRN_TRY(check_unpublished(base, picked, err));
    if (picked->parent_id == current_id(base)) { /* fast-forward */
        move_main(base, snapshot_id, updates, requirements);
        out->snapshot_id = snapshot_id;
        out->summary = picked->summary;
        return FIRN_OK;
    }
    const char *op = picked->operation ? picked->operation : "";
    const char *replaces = summary_text(picked, "replace-partitions");
    if (firn_streq(op, "overwrite") && replaces && firn_strcaseeq(replaces, "true"))
        return pick_overwrite(storage, cache, arena, base, picked, updates, requirements, out, err);
    if (!firn_streq(op, "append"))
        FIRN_FAIL(
            err, FIRN_E_VALIDATION,
            "cannot cherry-pick snapshot %lld: only appends, dynamic overwrites and snapshots made on the current one can be picked",
            (long long)snapshot_id);
    data_files added = {0};
    FIRN_TRY(collect(storage, cache, arena, base, picked, FIRN_ENTRY_ADDED, &added, err));
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = added.items,
        .n_added = added.len,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = published_summary(arena, picked),
    };
    return firn_snapshot_produce(storage, cache, arena, base, &change, updates, requirements, out,
                                 err);
}
