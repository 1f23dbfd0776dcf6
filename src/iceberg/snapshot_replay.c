/*
 * snapshot_replay.c - making appends again on another line of the table: what merging does.
 *
 * A data file must be in a table once. So what was replayed is remembered: a replaying snapshot names the snapshots whose
 * files it appended ("firn.replayed-snapshots"), and a snapshot of theirs is not replayed where ours has it, itself or under
 * another name. That is how a commit that was cherry-picked is no second time in the merge that follows. Names go with the
 * snapshots that carry them, when these expire; so the files that ours got since the common snapshot are looked at, too.
 */
#include "base/map.h"
#include "partition_private.h"
#include "snapshot_private.h"
#include "table_merge_private.h"

static const char replayed_key[] = "firn.replayed-snapshots";

typedef FIRN_VEC(firn_data_file) data_files;

/* ---- what ours has --------------------------------------------------------------------------------------------------- */

/* The snapshots whose files it appended: those that it names, else itself. */
static void origins_of(firn_arena *arena, const firn_snapshot *snapshot, firn_imap *out)
{
    const char *text = json_string_value(json_object_get(snapshot->summary, replayed_key));
    size_t n = 0;
    char **ids = text ? firn_str_split(arena, text, ',', &n) : NULL;
    firn_imap_put(out, snapshot->snapshot_id, out);
    for (size_t i = 0; i < n; i++) {
        int64_t id;
        if (firn_parse_i64(ids[i], &id))
            firn_imap_put(out, id, out);
    }
}

void firn_snapshot_origins(firn_arena *arena, const firn_metadata *metadata, firn_imap *all)
{
    const firn_snapshot *at = metadata->current_snapshot;
    for (size_t steps = 0; at && steps <= metadata->n_snapshots; steps++) {
        origins_of(arena, at, all);
        at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(metadata, at->parent_id);
    }
}

firn_held firn_snapshot_held(firn_arena *arena, const firn_imap *ours,
                             const firn_snapshot *snapshot)
{
    if (firn_imap_has(ours, snapshot->snapshot_id))
        return FIRN_HELD;
    firn_imap *origins = firn_imap_new(arena);
    origins_of(arena, snapshot, origins);
    size_t held = 0, cursor = 0;
    int64_t id;
    void *value;
    while (firn_imap_next(origins, &cursor, &id, &value))
        held += firn_imap_has(ours, id);
    size_t named = firn_imap_len(origins) - 1; /* itself aside */
    return held == 0 ? FIRN_NOT_HELD : held == named ? FIRN_HELD : FIRN_PARTLY_HELD;
}

/* Paths of the data files in manifests that `ours` has and `common` has not. */
static firn_rc files_since(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                           const firn_metadata *ours, const firn_metadata *other,
                           const firn_snapshot *common /* of other */, firn_map *out, firn_err *err)
{
    firn_map *old = firn_map_new(arena);
    firn_manifest_file *files;
    size_t n;
    if (common) {
        FIRN_TRY(firn_manifest_list_read(storage, arena, other, common, &files, &n, err));
        for (size_t i = 0; i < n; i++)
            firn_map_put(old, files[i].path, old);
    }
    if (!ours->current_snapshot)
        return FIRN_OK;
    FIRN_TRY(
        firn_manifest_list_read(storage, arena, ours, ours->current_snapshot, &files, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_manifest *m;
        if (files[i].deletes || firn_map_has(old, files[i].path))
            continue;
        FIRN_TRY(firn_manifest_open(storage, cache, ours, &files[i], &m, err));
        for (size_t k = 0; k < m->n; k++) {
            firn_manifest_entry entry;
            firn_manifest_entry_at(m, arena, k, &entry);
            if (entry.status != FIRN_ENTRY_DELETED)
                firn_map_put(out, entry.file.path, out);
        }
        firn_manifest_unref(m);
    }
    return FIRN_OK;
}

/* ---- layout ----------------------------------------------------------------------------------------------------------- */

/* Base's spec that is the same as theirs, best under the same id. */
static const firn_partition_spec *spec_like(const firn_metadata *base,
                                            const firn_partition_spec *theirs)
{
    const firn_partition_spec *ours = firn_metadata_spec(base, theirs->spec_id);
    if (ours && firn_partition_spec_same(ours, theirs))
        return ours;
    for (size_t i = 0; i < base->n_specs; i++) {
        if (firn_partition_spec_same(base->specs[i], theirs))
            return base->specs[i];
    }
    return NULL;
}

/* Base's id of the sort order; 0 (which says nothing of a file) when it has none like it. */
static int32_t order_like(const firn_metadata *base, const firn_sort_order *theirs)
{
    for (size_t i = 0; theirs && i < base->n_sort_orders; i++) {
        if (firn_sort_order_same(base->sort_orders[i], theirs))
            return base->sort_orders[i]->order_id;
    }
    return 0;
}

/* The files go under base's ids of their spec and their sort order. */
static firn_rc find_layout(const firn_metadata *base, const firn_metadata *other, data_files *files,
                           firn_err *err)
{
    for (size_t i = 0; i < files->len; i++) {
        firn_data_file *file = &files->items[i];
        const firn_partition_spec *theirs = firn_metadata_spec(other, file->spec_id);
        const firn_partition_spec *ours = theirs ? spec_like(base, theirs) : NULL;
        if (!ours)
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "cannot replay appends on table %s: partition spec %d differs on the two sides",
                base->location, file->spec_id);
        file->spec_id = ours->spec_id;
        if (file->sort_order_id > 0)
            file->sort_order_id =
                order_like(base, firn_metadata_sort_order(other, file->sort_order_id));
    }
    return FIRN_OK;
}

/* ---- replay ----------------------------------------------------------------------------------------------------------- */

typedef FIRN_VEC(const firn_snapshot *) snapshot_list;

/* Theirs back to the common snapshot, newest first, without what ours has. */
static firn_rc find_appends(firn_arena *arena, const firn_metadata *base,
                            const firn_metadata *other, int64_t common_snapshot_id,
                            snapshot_list *out, firn_err *err)
{
    firn_imap *ours = firn_imap_new(arena);
    firn_snapshot_origins(arena, base, ours);
    const firn_snapshot *at = other->current_snapshot;
    size_t steps = 0;
    while (at && at->snapshot_id != common_snapshot_id) {
        firn_held held = firn_snapshot_held(arena, ours, at);
        if (held == FIRN_PARTLY_HELD)
            FIRN_FAIL(err, FIRN_E_VALIDATION,
                      "cannot replay snapshot %lld of table %s: a part of it is there already",
                      (long long)at->snapshot_id, other->location);
        if (held == FIRN_NOT_HELD && (!at->operation || !firn_streq(at->operation, "append")))
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "cannot replay snapshot %lld of table %s: it is a %s, and only appends can be replayed",
                (long long)at->snapshot_id, other->location,
                at->operation ? at->operation : "change of unknown kind");
        if (held == FIRN_NOT_HELD)
            firn_vec_push(arena, out, at);
        const firn_snapshot *parent =
            at->parent_id < 0 ? NULL : firn_metadata_snapshot(other, at->parent_id);
        if ((!parent && at->parent_id != common_snapshot_id) || ++steps > other->n_snapshots)
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "cannot replay appends of table %s: their history back to snapshot %lld is gone",
                other->location, (long long)common_snapshot_id);
        at = parent;
    }
    return FIRN_OK;
}

static firn_rc collect_files(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                             const firn_metadata *other, const snapshot_list *appends,
                             const firn_map *present, data_files *out, firn_err *err)
{
    for (size_t i = appends->len; i-- > 0;) {
        firn_own_files own;
        FIRN_TRY(firn_snapshot_own_files(storage, cache, arena, other, appends->items[i], false,
                                         &own, err));
        if (own.obstacle)
            FIRN_FAIL(err, FIRN_E_VALIDATION, "cannot replay append %lld of table %s: %s",
                      (long long)appends->items[i]->snapshot_id, other->location, own.obstacle);
        for (size_t f = 0; f < own.files.len; f++) {
            if (!firn_map_has(present, own.files.items[f].path))
                firn_vec_push(arena, out, own.files.items[f]);
        }
    }
    return FIRN_OK;
}

static const char *names_of(firn_arena *arena, const snapshot_list *appends)
{
    firn_imap *all = firn_imap_new(arena);
    for (size_t i = appends->len; i-- > 0;)
        origins_of(arena, appends->items[i], all);
    FIRN_AUTO_BUF firn_buf text = {0};
    int64_t id;
    void *value;
    for (size_t cursor = 0; firn_imap_next(all, &cursor, &id, &value);)
        firn_buf_printf(&text, "%s%lld", text.len > 0 ? "," : "", (long long)id);
    return firn_arena_strdup(arena, firn_buf_cstr(&text));
}

bool firn_summary_key_is_position(const char *key)
{
    static const char *const prefixes[] = {"flink.", "kafka.connect.", "spark.sql.streaming."};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (firn_starts_with(key, prefixes[i]))
            return true;
    }
    return false;
}

/* The rows come with the position that their writer had reached: it looks for it in the newest snapshots. */
static void keep_positions(const snapshot_list *appends, json_t *extra)
{
    for (size_t i = appends->len; i-- > 0;) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)appends->items[i]->summary, key, value)
        {
            if (firn_summary_key_is_position(key))
                json_object_set(extra, key, value);
        }
    }
}

firn_rc firn_snapshot_replay(const firn_replay_request *request, firn_storage *storage,
                             firn_manifest_cache *cache, firn_arena *arena, json_t *updates,
                             json_t *requirements, firn_snapshot_result *out, firn_err *err)
{
    *out = (firn_snapshot_result){0};
    const firn_metadata *ours = request->ours, *theirs = request->theirs;
    snapshot_list appends = {.items = request->appends, .len = request->n_appends};
    data_files added = {0};
    firn_map *present = firn_map_new(arena);
    FIRN_TRY(
        files_since(storage, cache, arena, ours, request->base, request->common, present, err));
    FIRN_TRY(collect_files(storage, cache, arena, theirs, &appends, present, &added, err));
    FIRN_TRY(find_layout(ours, theirs, &added, err));
    json_t *extra = firn_json_own(arena, json_object());
    json_object_set_new(extra, replayed_key, json_string(names_of(arena, &appends)));
    keep_positions(&appends, extra);
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = added.items,
        .n_added = added.len,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = extra,
    };
    return firn_snapshot_produce(storage, cache, arena, ours, &change, updates, requirements, out,
                                 err);
}

firn_rc firn_snapshot_replay_appends(firn_storage *storage, firn_manifest_cache *cache,
                                     firn_arena *arena, const firn_metadata *base,
                                     const firn_metadata *other, int64_t common_snapshot_id,
                                     json_t *updates, json_t *requirements,
                                     firn_snapshot_result *out, firn_err *err)
{
    snapshot_list appends = {0};
    *out = (firn_snapshot_result){0};
    FIRN_TRY(find_appends(arena, base, other, common_snapshot_id, &appends, err));
    firn_replay_request request = {
        .base = other,
        .common = firn_metadata_snapshot(other, common_snapshot_id),
        .ours = base,
        .theirs = other,
        .appends = appends.items,
        .n_appends = appends.len,
    };
    return firn_snapshot_replay(&request, storage, cache, arena, updates, requirements, out, err);
}
