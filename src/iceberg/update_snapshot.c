/* Updates of snapshots, refs, statistics, and the logs that follow from them.
 *
 * snapshot-log records what "main" pointed to and when. Invariant: it never suggests that a snapshot was
 * current at a time when it was not; so when a snapshot expires, all history before it goes, too, and
 * snapshots that main passed through within one commit are left out.
 */
#include "update_private.h"

#include "partition_private.h"

#include <inttypes.h>

enum { CLOCK_TOLERANCE_MS = 60 * 1000 }; /* between writers' clocks, as in Java */

static firn_snapshot_index *snapshot_index(firn_updater *u)
{
    int64_t twice;
    if (!u->index)
        u->index = firn_snapshot_index_new(u->arena, u->snapshots.items, u->snapshots.len, &twice);
    return u->index;
}

const firn_snapshot *firn_updater_snapshot(firn_updater *u, int64_t snapshot_id)
{
    size_t position;
    return firn_snapshot_index_get(snapshot_index(u), snapshot_id, &position)
               ? &u->snapshots.items[position]
               : NULL;
}

firn_snapshot_ref *firn_updater_ref(firn_updater *u, const char *name)
{
    for (size_t i = 0; i < u->refs.len; i++) {
        if (firn_streq(u->refs.items[i].name, name))
            return &u->refs.items[i];
    }
    return NULL;
}

/* ---- add-snapshot ---- */

static firn_rc check_new_snapshot(firn_updater *u, const firn_snapshot *snapshot, firn_err *err)
{
    if (u->schemas.len == 0)
        FIRN_FAIL(err, FIRN_E_INVALID, "Attempting to add a snapshot before a schema is added");
    if (u->specs.len == 0)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Attempting to add a snapshot before a partition spec is added");
    if (u->sort_orders.len == 0)
        FIRN_FAIL(err, FIRN_E_INVALID, "Attempting to add a snapshot before a sort order is added");
    if (firn_updater_snapshot(u, snapshot->snapshot_id))
        FIRN_FAIL(err, FIRN_E_INVALID, "Snapshot already exists for id: %" PRId64,
                  snapshot->snapshot_id);
    if (u->m->format_version > 1 && snapshot->sequence_number <= u->m->last_sequence_number &&
        snapshot->parent_id != -1)
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Cannot add snapshot with sequence number %" PRId64
                  " older than last sequence number %" PRId64,
                  snapshot->sequence_number, u->m->last_sequence_number);
    return FIRN_OK;
}

/* Row ids are given out once: a snapshot starts where the table stands, or the writer must start over. */
static firn_rc take_row_ids(firn_updater *u, const firn_snapshot *snapshot, firn_err *err)
{
    if (snapshot->first_row_id < 0)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add a snapshot: first-row-id is null");
    if (snapshot->added_rows < 0)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add a snapshot: added-rows is null");
    if (snapshot->first_row_id < u->m->next_row_id)
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Cannot add a snapshot, first-row-id is behind table next-row-id: %" PRId64
                  " < %" PRId64,
                  snapshot->first_row_id, u->m->next_row_id);
    if (__builtin_add_overflow(snapshot->first_row_id, snapshot->added_rows, &u->m->next_row_id))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot add a snapshot: first-row-id %" PRId64 " plus added-rows %" PRId64
                  " is out of range",
                  snapshot->first_row_id, snapshot->added_rows);
    return FIRN_OK;
}

firn_rc firn_update_add_snapshot_fn(firn_updater *u, const json_t *update, const char *what,
                                    firn_err *err)
{
    json_t *json = NULL;
    firn_snapshot snapshot;
    FIRN_TRY(firn_json_object(update, "snapshot", what, &json, err));
    json = firn_json_own(u->arena, json_deep_copy(json));
    if (u->m->format_version == 1)
        json_object_del(json, "sequence-number");
    FIRN_TRY(firn_snapshot_from_json(u->arena, json, what, &snapshot, err));
    if (snapshot.snapshot_id < 0 || snapshot.sequence_number == INT64_MAX)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s: snapshot-id %" PRId64 " is negative, or sequence-number %" PRId64
                  " out of range",
                  what, snapshot.snapshot_id, snapshot.sequence_number);
    FIRN_TRY(check_new_snapshot(u, &snapshot, err));
    if (u->m->format_version >= 3)
        FIRN_TRY(take_row_ids(u, &snapshot, err));
    if (snapshot.sequence_number > u->m->last_sequence_number)
        u->m->last_sequence_number = snapshot.sequence_number;

    firn_snapshot_index_put(u->arena, snapshot_index(u), snapshot.snapshot_id, u->snapshots.len);
    firn_vec_push(u->arena, &u->snapshots, snapshot);
    json_array_append(firn_updater_list(u, "snapshots"), json);
    firn_imap_put(u->added_snapshots, snapshot.snapshot_id, u);
    u->changed = true;
    return FIRN_OK;
}

/* ---- refs ---- */

static bool same_ref(const firn_snapshot_ref *a, const firn_snapshot_ref *b)
{
    return a->snapshot_id == b->snapshot_id && a->is_tag == b->is_tag &&
           a->min_snapshots_to_keep == b->min_snapshots_to_keep &&
           a->max_snapshot_age_ms == b->max_snapshot_age_ms &&
           a->max_ref_age_ms == b->max_ref_age_ms;
}

static void log_main(firn_updater *u, const firn_snapshot *snapshot)
{
    bool added = firn_imap_has(u->added_snapshots, snapshot->snapshot_id);
    firn_log_entry entry = {
        /* going back to an older snapshot happens now, not when that was made */
        .timestamp_ms = added ? snapshot->timestamp_ms : u->now_ms,
        .snapshot_id = snapshot->snapshot_id,
    };
    json_t *json = json_object();
    json_object_set_new(json, "timestamp-ms", json_integer(entry.timestamp_ms));
    json_object_set_new(json, "snapshot-id", json_integer(entry.snapshot_id));
    json_array_append_new(firn_updater_list(u, "snapshot-log"), json);
    firn_vec_push(u->arena, &u->snapshot_log, entry);
    if (added)
        firn_vec_push(u->arena, &u->main_history, snapshot->snapshot_id);
    u->snapshot_id = snapshot->snapshot_id;
}

firn_rc firn_update_set_ref_fn(firn_updater *u, const json_t *update, const char *what,
                               firn_err *err)
{
    const char *name = NULL;
    firn_snapshot_ref ref;
    FIRN_TRY(firn_json_str(update, "ref-name", what, &name, err));
    FIRN_TRY(firn_snapshot_ref_from_json(u->arena, name, update, what, &ref, err));
    if (ref.is_tag && (ref.min_snapshots_to_keep > 0 || ref.max_snapshot_age_ms > 0))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Tags do not support setting min-snapshots-to-keep or max-snapshot-age-ms: %s",
                  name);
    firn_snapshot_ref *old = firn_updater_ref(u, name);
    if (old && same_ref(old, &ref))
        return FIRN_OK;
    const firn_snapshot *snapshot = firn_updater_snapshot(u, ref.snapshot_id);
    if (!snapshot)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set %s to unknown snapshot: %" PRId64, name,
                  ref.snapshot_id);
    bool is_main = firn_streq(name, FIRN_MAIN_BRANCH);
    if (is_main && ref.is_tag)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set main to a tag, it must be a branch");
    /* Changing only main's retention is no change of the table's state. */
    if (is_main && (!old || old->snapshot_id != ref.snapshot_id))
        log_main(u, snapshot);

    if (old)
        *old = ref;
    else
        firn_vec_push(u->arena, &u->refs, ref);
    json_object_set_new(firn_updater_object(u, "refs"), name, firn_snapshot_ref_to_json(&ref));
    u->changed = true;
    return FIRN_OK;
}

static void remove_ref(firn_updater *u, const char *name)
{
    firn_snapshot_ref *ref = firn_updater_ref(u, name);
    if (!ref)
        return;
    if (firn_streq(name, FIRN_MAIN_BRANCH))
        u->snapshot_id = -1;
    json_object_del(firn_updater_object(u, "refs"), name);
    size_t at = (size_t)(ref - u->refs.items);
    memmove(ref, ref + 1, (u->refs.len - at - 1) * sizeof(*ref));
    u->refs.len--;
    u->changed = true;
}

firn_rc firn_update_remove_ref_fn(firn_updater *u, const json_t *update, const char *what,
                                  firn_err *err)
{
    const char *name = NULL;
    FIRN_TRY(firn_json_str(update, "ref-name", what, &name, err));
    remove_ref(u, name);
    return FIRN_OK;
}

/* ---- statistics ---- */

/* Take the entries of one snapshot out of a list of statistics files. */
static void drop_statistics(firn_updater *u, const char *list_key, int64_t snapshot_id)
{
    const json_t *shared = json_object_get(u->doc, list_key);
    for (size_t i = json_array_size(shared); i > 0; i--) {
        const json_t *id = json_object_get(json_array_get(shared, i - 1), "snapshot-id");
        if (json_integer_value(id) != snapshot_id)
            continue;
        json_t *list = firn_updater_list(u, list_key);
        json_array_remove(list, i - 1);
        shared = list;
        u->changed = true;
    }
}

static firn_rc set_statistics(firn_updater *u, const json_t *update, const char *key,
                              const char *what, firn_err *err)
{
    json_t *file = NULL;
    int64_t snapshot_id = 0, bytes = 0;
    const char *path = NULL;
    FIRN_TRY(firn_json_object(update, key, what, &file, err));
    FIRN_TRY(firn_json_i64(file, "snapshot-id", what, &snapshot_id, err));
    FIRN_TRY(firn_json_str(file, "statistics-path", what, &path, err));
    FIRN_TRY(firn_json_i64(file, "file-size-in-bytes", what, &bytes, err));
    if (firn_streq(key, "statistics")) {
        json_t *blobs = NULL;
        FIRN_TRY(firn_json_i64(file, "file-footer-size-in-bytes", what, &bytes, err));
        FIRN_TRY(firn_json_array(file, "blob-metadata", what, &blobs, err));
    }
    drop_statistics(u, key, snapshot_id);
    json_array_append_new(firn_updater_list(u, key), json_deep_copy(file));
    u->changed = true;
    return FIRN_OK;
}

static firn_rc remove_statistics(firn_updater *u, const json_t *update, const char *key,
                                 const char *what, firn_err *err)
{
    int64_t snapshot_id = 0;
    FIRN_TRY(firn_json_i64(update, "snapshot-id", what, &snapshot_id, err));
    drop_statistics(u, key, snapshot_id);
    return FIRN_OK;
}

firn_rc firn_update_set_statistics_fn(firn_updater *u, const json_t *update, const char *what,
                                      firn_err *err)
{
    return set_statistics(u, update, "statistics", what, err);
}

firn_rc firn_update_remove_statistics_fn(firn_updater *u, const json_t *update, const char *what,
                                         firn_err *err)
{
    return remove_statistics(u, update, "statistics", what, err);
}

firn_rc firn_update_set_partition_statistics_fn(firn_updater *u, const json_t *update,
                                                const char *what, firn_err *err)
{
    return set_statistics(u, update, "partition-statistics", what, err);
}

firn_rc firn_update_remove_partition_statistics_fn(firn_updater *u, const json_t *update,
                                                   const char *what, firn_err *err)
{
    return remove_statistics(u, update, "partition-statistics", what, err);
}

/* ---- remove-snapshots ---- */

/* Filters the view and the document's list together: they hold the same snapshots in the same order. */
static bool drop_snapshots(firn_updater *u, const firn_imap *ids)
{
    json_t *old_list = json_object_get(u->doc, "snapshots");
    json_t *new_list = json_array();
    size_t kept = 0;
    for (size_t i = 0; i < u->snapshots.len; i++) {
        if (firn_imap_has(ids, u->snapshots.items[i].snapshot_id))
            continue;
        json_array_append(new_list, json_array_get(old_list, i));
        u->snapshots.items[kept++] = u->snapshots.items[i];
    }
    bool dropped = kept < u->snapshots.len;
    if (dropped) {
        json_t *list = firn_updater_list(u, "snapshots");
        json_array_clear(list);
        json_array_extend(list, new_list);
        u->snapshots.len = kept;
        u->index = NULL;
    }
    json_decref(new_list);
    return dropped;
}

firn_rc firn_update_remove_snapshots_fn(firn_updater *u, const json_t *update, const char *what,
                                        firn_err *err)
{
    json_t *list = NULL;
    FIRN_TRY(firn_json_array(update, "snapshot-ids", what, &list, err));
    firn_imap *ids = firn_imap_new(u->arena);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_integer(json_array_get(list, i)))
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: snapshot-ids holds something else than ids", what);
        int64_t snapshot_id = json_integer_value(json_array_get(list, i));
        if (!firn_updater_snapshot(u, snapshot_id))
            continue;
        firn_imap_put(ids, snapshot_id, u);
        drop_statistics(u, "statistics", snapshot_id);
        drop_statistics(u, "partition-statistics", snapshot_id);
    }
    if (!drop_snapshots(u, ids))
        return FIRN_OK;
    for (size_t i = u->refs.len; i > 0; i--) {
        if (firn_imap_has(ids, u->refs.items[i - 1].snapshot_id))
            remove_ref(u, u->refs.items[i - 1].name);
    }
    u->snapshots_removed = true;
    u->changed = true;
    return FIRN_OK;
}

/* ---- logs ---- */

static bool is_intermediate(const firn_updater *u, int64_t snapshot_id)
{
    if (snapshot_id == u->snapshot_id)
        return false;
    for (size_t i = 0; i < u->main_history.len; i++) {
        if (u->main_history.items[i] == snapshot_id)
            return true;
    }
    return false;
}

static firn_rc prune_snapshot_log(firn_updater *u, firn_err *err)
{
    bool intermediate = false;
    for (size_t i = 0; i < u->main_history.len; i++)
        intermediate |= is_intermediate(u, u->main_history.items[i]);
    if (!intermediate && !u->snapshots_removed)
        return FIRN_OK;

    json_t *list = firn_updater_list(u, "snapshot-log");
    json_t *new_list = json_array();
    size_t kept = 0;
    for (size_t i = 0; i < u->snapshot_log.len; i++) {
        int64_t snapshot_id = u->snapshot_log.items[i].snapshot_id;
        if (!firn_updater_snapshot(u, snapshot_id)) {
            if (u->snapshots_removed) {
                kept = 0;
                json_array_clear(new_list);
            }
        } else if (!is_intermediate(u, snapshot_id)) {
            u->snapshot_log.items[kept++] = u->snapshot_log.items[i];
            json_array_append(new_list, json_array_get(list, i));
        }
    }
    u->snapshot_log.len = kept;
    json_array_clear(list);
    json_array_extend(list, new_list);
    json_decref(new_list);
    if (u->snapshot_id >= 0 && kept > 0 &&
        u->snapshot_log.items[kept - 1].snapshot_id != u->snapshot_id)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot set invalid snapshot log: latest entry is not the current snapshot");
    return FIRN_OK;
}

/* Is `later` more than the tolerance before `earlier`? */
static bool goes_back(int64_t later_ms, int64_t earlier_ms)
{
    return (__int128)later_ms - earlier_ms < -CLOCK_TOLERANCE_MS;
}

static firn_rc check_clocks(const firn_updater *u, firn_err *err)
{
    size_t n = u->snapshot_log.len;
    if (n == 0)
        return FIRN_OK;
    const firn_log_entry *last = &u->snapshot_log.items[n - 1];
    if (goes_back(u->now_ms, last->timestamp_ms))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Invalid update timestamp %" PRId64 ": before last snapshot log entry at %" PRId64
                  "; a clock is off by more than a minute",
                  u->now_ms, last->timestamp_ms);
    if (n > 1 && firn_imap_has(u->added_snapshots, last->snapshot_id) &&
        goes_back(last->timestamp_ms, last[-1].timestamp_ms))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Invalid snapshot timestamp %" PRId64
                  ": before the snapshot log's previous entry at %" PRId64
                  "; a clock is off by more than a minute",
                  last->timestamp_ms, last[-1].timestamp_ms);
    return FIRN_OK;
}

/* The file that this change replaces joins the log, and the oldest leave it. */
static void push_metadata_log(firn_updater *u)
{
    const char *previous = u->options ? u->options->previous_location : NULL;
    if (!u->base || !previous)
        return;
    const char *text = json_string_value(
        json_object_get(u->m->properties, "write.metadata.previous-versions-max"));
    int64_t max = 100;
    if (text && !firn_parse_i64(text, &max))
        max = 100;
    max = max < 1 ? 1 : max;

    json_t *json = json_object();
    json_object_set_new(json, "timestamp-ms", json_integer(u->base->last_updated_ms));
    json_object_set_new(json, "metadata-file", json_string(previous));
    firn_log_entry entry = {
        .timestamp_ms = u->base->last_updated_ms,
        .location = json_string_value(json_object_get(json, "metadata-file")),
    };
    json_t *list = firn_updater_list(u, "metadata-log");
    json_array_append_new(list, json);
    firn_vec_push(u->arena, &u->metadata_log, entry);
    if ((int64_t)u->metadata_log.len <= max)
        return;
    size_t surplus = u->metadata_log.len - (size_t)max;
    memmove(u->metadata_log.items, u->metadata_log.items + surplus,
            (size_t)max * sizeof(firn_log_entry));
    u->metadata_log.len = (size_t)max;
    for (; surplus > 0; surplus--)
        json_array_remove(list, 0);
}

firn_rc firn_updater_finish_logs(firn_updater *u, firn_err *err)
{
    FIRN_TRY(prune_snapshot_log(u, err));
    FIRN_TRY(check_clocks(u, err));
    push_metadata_log(u);
    return FIRN_OK;
}
