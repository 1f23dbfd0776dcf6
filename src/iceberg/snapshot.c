/*
 * snapshot.c - one attempt at a snapshot: check, remove, add, merge, list, describe.
 *
 * Invariants:
 *   1. Nothing is overwritten: every file written here has a name of its own (a fresh UUID), and is noted before it
 *      is written, so that a failed attempt can delete all of it.
 *   2. The table does not change here. The updates say what the catalog shall do, the requirements under which
 *      condition: the branch still points to the parent that everything was computed from.
 *   3. On failure `updates` and `requirements` are untouched and what was written is gone.
 */
#include "iceberg/snapshot.h"

#include "base/log.h"
#include "base/map.h"
#include "base/time.h"
#include "base/uuid.h"
#include "manifest_write.h"
#include "snapshot_private.h"

const char *firn_commit_manifest_location(firn_commit *commit, firn_arena *arena)
{
    pthread_mutex_lock(&commit->lock);
    char name[96];
    snprintf(name, sizeof name, "%s-m%d.avro", commit->uuid, commit->n_manifests++);
    const char *location = firn_location_join(arena, commit->folder, name);
    firn_vec_push(commit->arena, &commit->written, location);
    commit->summary.manifests_created++;
    pthread_mutex_unlock(&commit->lock);
    return location;
}

firn_rc firn_commit_open(firn_commit *commit, const firn_manifest_file *file, firn_manifest **out,
                         firn_err *err)
{
    if (file->sequence_number >= 0)
        return firn_manifest_open(commit->storage, commit->cache, commit->base, file, out, err);
    firn_manifest_file own = *file; /* of this attempt: inherits what the commit will give it */
    own.sequence_number = commit->sequence_number;
    return firn_manifest_open(commit->storage, NULL, commit->base, &own, out, err);
}

/* ---- checks on the change itself -------------------------------------------------------------------------------------- */

static firn_rc check_delete_file(const firn_commit *commit, const firn_data_file *file,
                                 firn_err *err)
{
    int version = commit->base->format_version;
    bool is_vector = firn_data_file_is_dv(file);
    if (file->content == FIRN_CONTENT_EQUALITY_DELETES && file->n_equality_ids == 0)
        FIRN_FAIL(err, FIRN_E_INVALID, "equality delete file %s has no equality ids", file->path);
    if (version == 1)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "delete file %s: format version 1 has no deletes; set 'format-version' = '2'",
                  file->path);
    if (version == 2 && is_vector)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "deletion vector in %s: format version 2 has none; set 'format-version' = '3'",
                  file->path);
    if (version >= 3 && file->content == FIRN_CONTENT_POSITION_DELETES && !is_vector)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "position delete file %s: format version %d takes deletion vectors only",
                  file->path, version);
    if (is_vector && (!file->referenced_data_file || file->content_size_bytes <= 0))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "deletion vector in %s does not name its data file and its size", file->path);
    return FIRN_OK;
}

static firn_rc check_added(const firn_commit *commit, firn_err *err)
{
    const firn_snapshot_change *change = commit->change;
    firn_map *seen = firn_map_new(commit->arena);
    for (size_t i = 0; i < change->n_added; i++) {
        const firn_data_file *file = &change->added[i];
        const firn_partition_spec *spec = firn_metadata_spec(commit->base, file->spec_id);
        if (!spec)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "file %s has partition spec %d, which table %s does not have", file->path,
                      file->spec_id, commit->base->location);
        if (file->n_partition != spec->n_fields)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "file %s has %zu partition values; partition spec %d has %zu fields",
                      file->path, file->n_partition, spec->spec_id, spec->n_fields);
        if (file->record_count < 0 || file->file_size_bytes <= 0)
            FIRN_FAIL(err, FIRN_E_INVALID, "file %s has no record count or size", file->path);
        if (file->content != FIRN_CONTENT_DATA) {
            FIRN_TRY(check_delete_file(commit, file, err));
            if (change->op == FIRN_SNAPSHOT_APPEND)
                FIRN_FAIL(err, FIRN_E_INVALID, "an append cannot add delete file %s", file->path);
        }
        if (firn_data_file_is_dv(file)) /* many share a Puffin file */
            continue;
        if (firn_map_put(seen, file->path, commit->arena))
            FIRN_FAIL(err, FIRN_E_INVALID, "file %s is added twice", file->path);
    }
    return FIRN_OK;
}

static firn_rc check_change(const firn_commit *commit, firn_err *err)
{
    const firn_snapshot_change *change = commit->change;
    bool removes = change->n_removed > 0 || change->replace_partitions || change->remove_matching ||
                   change->remove_all;
    if (change->op == FIRN_SNAPSHOT_APPEND && removes)
        FIRN_FAIL(err, FIRN_E_INVALID, "an append cannot remove files");
    if (change->keeps_sequence_number && change->op != FIRN_SNAPSHOT_REPLACE)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "only a replacement can keep the sequence number of its rows");
    return check_added(commit, err);
}

/* ---- set up ------------------------------------------------------------------------------------------------------------- */

static firn_rc find_parent(firn_commit *commit, firn_err *err)
{
    const firn_metadata *base = commit->base;
    commit->branch = commit->change->branch ? commit->change->branch : "main";
    const firn_snapshot_ref *ref = firn_metadata_ref(base, commit->branch);
    if (!ref) { /* a new branch starts from the current state */
        commit->parent = base->current_snapshot;
        return FIRN_OK;
    }
    if (ref->is_tag)
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is a tag of table %s; only branches take commits",
                  ref->name, base->location);
    commit->parent = firn_metadata_snapshot(base, ref->snapshot_id);
    if (!commit->parent)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "branch %s of table %s points to snapshot %lld, which is gone", ref->name,
                  base->location, (long long)ref->snapshot_id);
    return FIRN_OK;
}

firn_rc firn_commit_set_up(firn_commit *commit, int64_t snapshot_id, firn_err *err)
{
    const firn_metadata *base = commit->base;
    if (base->format_version < 1 || base->format_version > 3)
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "cannot write tables of format version %d",
                  base->format_version);
    FIRN_TRY(find_parent(commit, err));
    commit->snapshot_id = snapshot_id;
    while (commit->snapshot_id < 0 || firn_metadata_snapshot(base, commit->snapshot_id))
        commit->snapshot_id = firn_random_id();
    commit->sequence_number = base->format_version == 1 ? 0 : base->last_sequence_number + 1;
    commit->threads = commit->change->threads;
    commit->uuid = firn_uuid_new(commit->arena);
    const char *folder = firn_metadata_property(base, "write.metadata.path", NULL);
    commit->folder =
        folder ? folder : firn_location_join(commit->arena, base->location, "metadata");
    return FIRN_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------------------ */

static const char *op_name(firn_snapshot_op op)
{
    switch (op) {
    case FIRN_SNAPSHOT_APPEND: return "append";
    case FIRN_SNAPSHOT_OVERWRITE: return "overwrite";
    case FIRN_SNAPSHOT_DELETE: return "delete";
    case FIRN_SNAPSHOT_REPLACE: return "replace";
    }
    return "overwrite";
}

void firn_commit_place_snapshot(const firn_commit *commit, const char *manifest_list,
                                int64_t next_row_id, json_t *snapshot)
{
    const firn_metadata *base = commit->base;
    int64_t now_ms = firn_now_ms();
    if (commit->parent && commit->parent->timestamp_ms > now_ms)
        now_ms = commit->parent->timestamp_ms; /* clocks differ; time travel wants order */
    if (base->format_version >= 2)
        json_object_set_new(snapshot, "sequence-number", json_integer(commit->sequence_number));
    json_object_set_new(snapshot, "snapshot-id", json_integer(commit->snapshot_id));
    if (commit->parent)
        json_object_set_new(snapshot, "parent-snapshot-id",
                            json_integer(commit->parent->snapshot_id));
    json_object_set_new(snapshot, "timestamp-ms", json_integer(now_ms));
    json_object_set_new(snapshot, "manifest-list", json_string(manifest_list));
    if (base->format_version >= 3) {
        json_object_set_new(snapshot, "first-row-id", json_integer(base->next_row_id));
        json_object_set_new(snapshot, "added-rows", json_integer(next_row_id - base->next_row_id));
    }
}

static json_t *snapshot_json(firn_commit *commit, const char *manifest_list, int64_t next_row_id,
                             json_t *counts)
{
    json_t *snapshot = firn_json_own(commit->arena, json_object());
    firn_commit_place_snapshot(commit, manifest_list, next_row_id, snapshot);
    json_t *summary = json_object();
    json_object_set_new(summary, "operation", json_string(op_name(commit->change->op)));
    json_object_update_missing(summary, counts);
    json_object_set_new(snapshot, "summary", summary);
    json_object_set_new(snapshot, "schema-id", json_integer(commit->base->schema->schema_id));
    return snapshot;
}

void firn_snapshot_point_ref(json_t *updates, const firn_metadata *base, const char *name,
                             int64_t snapshot_id)
{
    const firn_snapshot_ref *there = firn_metadata_ref(base, name);
    firn_snapshot_ref ref = {
        .min_snapshots_to_keep = -1, .max_snapshot_age_ms = -1, .max_ref_age_ms = -1};
    if (there) /* the update replaces the ref: its retention stays */
        ref = *there;
    ref.name = name;
    ref.snapshot_id = snapshot_id;
    ref.is_tag = false;
    firn_update_put_ref(updates, &ref);
}

firn_rc firn_commit_write_list(firn_commit *commit, const char **location, int64_t *next_row_id,
                               firn_err *err)
{
    size_t n = commit->data.len + commit->deletes.len;
    firn_manifest_file *all = FIRN_NEW_N(commit->arena, firn_manifest_file, n);
    for (size_t i = 0; i < n; i++) {
        all[i] = i < commit->data.len ? commit->data.items[i]
                                      : commit->deletes.items[i - commit->data.len];
        commit->summary.manifests_kept += all[i].added_snapshot_id != commit->snapshot_id;
    }
    char name[128];
    snprintf(name, sizeof name, "snap-%lld-1-%s.avro", (long long)commit->snapshot_id,
             commit->uuid);
    *location = firn_location_join(commit->arena, commit->folder, name);
    firn_vec_push(commit->arena, &commit->written, *location);
    firn_manifest_list_options options = {
        .metadata = commit->base,
        .snapshot_id = commit->snapshot_id,
        .parent_snapshot_id = commit->parent ? commit->parent->snapshot_id : -1,
        .sequence_number = commit->sequence_number,
        .first_row_id = commit->base->format_version >= 3 ? commit->base->next_row_id : -1,
        .location = *location,
    };
    FIRN_TRY(firn_manifest_list_write(commit->storage, commit->arena, &options, all, n, next_row_id,
                                      err));
    return firn_fault_point("commit.manifest_list_written", *location, err);
}

static void report(firn_commit *commit, firn_snapshot_result *out)
{
    out->snapshot_id = commit->snapshot_id;
    out->written = commit->written.items;
    out->n_written = commit->written.len;
    out->added_files = commit->summary.added.data_files + commit->summary.added.delete_files;
    out->removed_files = commit->summary.removed.data_files + commit->summary.removed.delete_files;
    out->added_rows = commit->summary.added.records;
    out->removed_rows = commit->summary.removed.records;
}

static firn_rc check_replacement(const firn_commit *commit, firn_err *err)
{
    /* Rows may become fewer, where deletes were applied, but never more. */
    if (commit->change->op == FIRN_SNAPSHOT_REPLACE &&
        commit->summary.added.records > commit->summary.removed.records)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "a replacement of %lld rows would add %lld: it must not change rows",
                  (long long)commit->summary.removed.records,
                  (long long)commit->summary.added.records);
    return FIRN_OK;
}

static firn_rc attempt(firn_commit *commit, json_t *updates, json_t *requirements,
                       firn_snapshot_result *out, firn_err *err)
{
    FIRN_TRY(firn_commit_set_up(commit, -1, err));
    FIRN_TRY(check_change(commit, err));
    FIRN_TRY(firn_commit_check_conflicts(commit, err));
    FIRN_TRY(firn_commit_remove(commit, err));
    const firn_file_counts *removed = &commit->summary.removed;
    if (commit->change->n_added == 0 && removed->data_files == 0 && removed->delete_files == 0) {
        out->empty = true;
        return FIRN_OK;
    }
    FIRN_TRY(firn_commit_add(commit, err));
    FIRN_TRY(check_replacement(commit, err));
    FIRN_TRY(firn_commit_merge(commit, err));
    const char *manifest_list;
    int64_t next_row_id;
    FIRN_TRY(firn_commit_write_list(commit, &manifest_list, &next_row_id, err));

    json_t *snapshot = snapshot_json(commit, manifest_list, next_row_id, firn_summary_json(commit));
    firn_update_add_snapshot(updates, snapshot);
    firn_require_uuid(requirements, commit->base->table_uuid);
    if (!commit->change->stage_only) {
        firn_snapshot_point_ref(updates, commit->base, commit->branch, commit->snapshot_id);
        const firn_snapshot_ref *ref = firn_metadata_ref(commit->base, commit->branch);
        firn_require_ref(requirements, commit->branch, ref ? ref->snapshot_id : -1);
    }
    report(commit, out);
    out->summary = json_object_get(snapshot, "summary");
    return FIRN_OK;
}

firn_rc firn_snapshot_produce(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                              const firn_metadata *base, const firn_snapshot_change *change,
                              json_t *updates, json_t *requirements, firn_snapshot_result *out,
                              firn_err *err)
{
    firn_commit commit = {
        .storage = storage, .cache = cache, .arena = arena, .base = base, .change = change};
    *out = (firn_snapshot_result){0};
    pthread_mutex_init(&commit.lock, NULL);
    firn_rc rc = attempt(&commit, updates, requirements, out, err);
    pthread_mutex_destroy(&commit.lock);
    if (rc != FIRN_OK) {
        out->written = commit.written.items;
        out->n_written = commit.written.len;
        firn_snapshot_discard(storage, out);
        *out = (firn_snapshot_result){0};
    }
    return rc;
}

void firn_snapshot_discard(firn_storage *storage, const firn_snapshot_result *result)
{
    for (size_t i = 0; i < result->n_written; i++) {
        firn_err err = {0};
        if (firn_storage_delete(storage, result->written[i], &err) != FIRN_OK)
            firn_log(FIRN_LOG_WARN, "iceberg", "could not delete %s of a commit that failed: %s",
                     result->written[i], err.message);
    }
}
