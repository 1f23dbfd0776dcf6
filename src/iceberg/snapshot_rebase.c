/*
 * snapshot_rebase.c - appends that somebody else built, made again on a newer head (spec: "Commit Conflict Resolution
 * and Retry", done where the commit arrives instead of where it came from).
 *
 *   head's manifests ------------------------------+
 *   client's manifest list -> what it itself added +-> merged if many -> new manifest list -> snapshot, same id
 *
 * Invariants:
 *   1. The snapshot keeps its id, by which its writer finds it again, and its summary's own counts. Parent, sequence
 *      number, row ids, time, totals and manifest list are of the new head.
 *   2. The client's files are referred to or left alone, never deleted or changed: it cleans up after itself by
 *      comparing what it wrote with the snapshot that was committed.
 *   3. Only what is safe is done. Everything else is left to the requirement that the moved branch breaks.
 */
#include "base/map.h"
#include "rebase_request.h"
#include "snapshot_private.h"

/* ---- what a snapshot itself added ------------------------------------------------------------------------------- */

static void unref_manifest(void *ctx)
{
    firn_manifest_unref(ctx);
}

/* Nothing but files that the snapshot added, so that it can be listed as it is. */
static bool is_whole(const firn_manifest_file *file)
{
    return file->added_files > 0 && file->existing_files == 0 && file->deleted_files == 0 &&
           file->added_rows >= 0 && file->min_sequence_number == file->sequence_number;
}

static firn_rc pick_files(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                          const firn_metadata *metadata, const firn_manifest_file *file,
                          firn_own_files *out, firn_err *err)
{
    firn_manifest *m;
    FIRN_TRY(firn_manifest_open(storage, cache, metadata, file, &m, err));
    firn_arena_defer(arena, unref_manifest, m);
    for (size_t i = 0; i < m->n && !out->obstacle; i++) {
        if (m->snapshot_id[i] != file->added_snapshot_id || m->status[i] == FIRN_ENTRY_EXISTING)
            continue;
        if (m->status[i] == FIRN_ENTRY_DELETED) {
            if (!file->deletes) /* Java's appends drop delete files that have become too old to matter */
                out->obstacle = "it removes files";
            continue;
        }
        if (file->deletes) {
            out->obstacle = "it adds delete files";
        } else if (m->data_sequence_number[i] != file->sequence_number) {
            out->obstacle = "it adds files with a sequence number of their own";
        } else {
            firn_manifest_entry entry;
            firn_manifest_entry_at(m, arena, i, &entry);
            firn_vec_push(arena, &out->files, entry.file);
            out->n_files++;
            out->n_rows += entry.file.record_count;
        }
    }
    return FIRN_OK;
}

firn_rc firn_snapshot_own_files(firn_storage *storage, firn_manifest_cache *cache,
                                firn_arena *arena, const firn_metadata *metadata,
                                const firn_snapshot *snapshot, bool whole_manifests,
                                firn_own_files *out, firn_err *err)
{
    firn_manifest_file *files;
    size_t n;
    *out = (firn_own_files){0};
    FIRN_TRY(firn_manifest_list_read(storage, arena, metadata, snapshot, &files, &n, err));
    for (size_t i = 0; i < n && !out->obstacle; i++) {
        const firn_manifest_file *file = &files[i];
        bool counted = file->added_files >= 0 && file->deleted_files >= 0;
        bool only_others = counted && file->added_files == 0 && file->deleted_files == 0;
        if (file->added_snapshot_id != snapshot->snapshot_id || only_others)
            continue;
        if (!firn_metadata_spec(metadata, file->spec_id)) {
            out->obstacle = "its partition spec is gone";
        } else if (whole_manifests && !file->deletes && is_whole(file)) {
            firn_vec_push(arena, &out->manifests, *file);
            out->n_files += file->added_files;
            out->n_rows += file->added_rows;
        } else {
            FIRN_TRY(pick_files(storage, cache, arena, metadata, file, out, err));
        }
    }
    return FIRN_OK;
}

/* ---- one snapshot -------------------------------------------------------------------------------------------------- */

typedef struct rebase {
    firn_storage *storage;
    firn_manifest_cache *cache;
    firn_arena *arena;
    const firn_metadata *base;
    const firn_rebase_request *request;
    firn_own_files *own; /* per append */
    FIRN_VEC(const char *) written;
} rebase;

static firn_rc list_manifests(firn_commit *commit, const firn_own_files *own, firn_err *err)
{
    firn_manifest_file *files = NULL;
    size_t n = 0;
    if (commit->parent)
        FIRN_TRY(firn_manifest_list_read(commit->storage, commit->arena, commit->base,
                                         commit->parent, &files, &n, err));
    for (size_t i = 0; i < own->manifests.len; i++) {
        firn_manifest_file file = own->manifests.items[i];
        file.sequence_number = file.min_sequence_number = file.first_row_id = -1;
        firn_vec_push(commit->arena, &commit->data, file);
        commit->summary.manifests_created++;
    }
    for (size_t i = 0; i < n; i++) {
        firn_manifest_files *to = files[i].deletes ? &commit->deletes : &commit->data;
        firn_vec_push(commit->arena, to, files[i]);
    }
    return FIRN_OK;
}

/* The client's own summary, with totals of the new head. What it says to have removed (delete files that are too old to
 * matter) has not been removed here. */
static json_t *summary_on_head(firn_commit *commit, const firn_own_files *own,
                               const json_t *summary)
{
    json_t *out = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)summary, key, value)
    {
        if (!firn_starts_with(key, "total-") && !firn_starts_with(key, "removed-") &&
            !firn_starts_with(key, "deleted-") && !firn_starts_with(key, "manifests-"))
            json_object_set(out, key, value);
    }
    const char *size = json_string_value(json_object_get(summary, "added-files-size"));
    int64_t bytes = -1;
    bool sized = size && firn_parse_i64(size, &bytes) && bytes >= 0;
    commit->summary.added = (firn_file_counts){
        .data_files = own->n_files, .records = own->n_rows, .bytes = sized ? bytes : 0};
    firn_summary_put_totals(commit, out);
    if (!sized)
        json_object_del(out, "total-files-size");
    return out;
}

static firn_rc remake(rebase *r, firn_commit *commit, const firn_rebase_append *append,
                      const firn_own_files *own, json_t **out, firn_err *err)
{
    const char *location;
    int64_t next_row_id;
    FIRN_TRY(firn_commit_set_up(commit, append->snapshot.snapshot_id, err));
    FIRN_TRY(list_manifests(commit, own, err));
    FIRN_TRY(firn_commit_add(commit, err));
    FIRN_TRY(firn_commit_merge(commit, err));
    FIRN_TRY(firn_commit_write_list(commit, &location, &next_row_id, err));
    json_t *snapshot = firn_json_own(r->arena, json_deep_copy(append->json));
    json_object_del(snapshot, "manifests");
    firn_commit_place_snapshot(commit, location, next_row_id, snapshot);
    json_object_set_new(snapshot, "summary",
                        summary_on_head(commit, own, append->snapshot.summary));
    *out = snapshot;
    return FIRN_OK;
}

static firn_rc remake_on(rebase *r, const firn_metadata *head, const firn_rebase_append *append,
                         const firn_own_files *own, json_t **out, firn_err *err)
{
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = own->files.items,
        .n_added = own->files.len,
        .branch = r->request->ref,
    };
    firn_commit commit = {
        .storage = r->storage,
        .cache = r->cache,
        .arena = r->arena,
        .base = head,
        .change = &change,
    };
    pthread_mutex_init(&commit.lock, NULL);
    firn_rc rc = remake(r, &commit, append, own, out, err);
    pthread_mutex_destroy(&commit.lock);
    for (size_t i = 0; i < commit.written.len; i++)
        firn_vec_push(r->arena, &r->written, commit.written.items[i]);
    return rc;
}

/* The table as the next of several appends finds it. */
static firn_rc advance(rebase *r, const firn_metadata **head, const json_t *snapshot, firn_err *err)
{
    firn_metadata *next;
    json_t *updates = firn_json_own(r->arena, json_array());
    int64_t id = json_integer_value(json_object_get(snapshot, "snapshot-id"));
    firn_update_add_snapshot(updates, snapshot);
    firn_snapshot_point_ref(updates, *head, r->request->ref, id);
    FIRN_TRY(firn_updates_apply(r->arena, *head, updates, &(firn_update_options){0}, &next, err));
    *head = next;
    return FIRN_OK;
}

static firn_rc remake_all(rebase *r, json_t *updates, firn_err *err)
{
    const firn_rebase_request *request = r->request;
    const firn_metadata *head = r->base;
    for (size_t i = 0; i < request->n_appends; i++) {
        json_t *snapshot = NULL;
        FIRN_TRY(remake_on(r, head, &request->appends[i], &r->own[i], &snapshot, err));
        json_t *update = json_object();
        json_object_set_new(update, "action", json_string("add-snapshot"));
        json_object_set(update, "snapshot", snapshot);
        json_array_set_new(updates, request->appends[i].update, update);
        if (i + 1 < request->n_appends)
            FIRN_TRY(advance(r, &head, snapshot, err));
    }
    return FIRN_OK;
}

/* ---- may it be? --------------------------------------------------------------------------------------------------------- */

static bool same_counts(const firn_snapshot *a, const firn_snapshot *b)
{
    static const char *const keys[] = {"operation", "added-records", "added-data-files",
                                       "added-files-size"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *x = json_string_value(json_object_get(a->summary, keys[i]));
        const char *y = json_string_value(json_object_get(b->summary, keys[i]));
        if (!firn_streq(x ? x : "", y ? y : ""))
            return false;
    }
    return true;
}

/* All of the request's snapshots are in the branch's history already: its answer was lost and it was sent again. */
static bool has_landed(const firn_metadata *base, const firn_rebase_request *request, int64_t head)
{
    for (size_t i = 0; i < request->n_appends; i++) {
        const firn_snapshot *sent = &request->appends[i].snapshot;
        const firn_snapshot *there = firn_metadata_snapshot(base, sent->snapshot_id);
        if (!there || !same_counts(sent, there) ||
            !firn_snapshot_is_ancestor(base, sent->snapshot_id, head))
            return false;
    }
    return true;
}

/* NULL: the appends may go on top of what the branch holds now. */
static const char *why_not(const firn_metadata *base, const firn_rebase_request *request,
                           const firn_snapshot_ref *head)
{
    const char *enabled = firn_metadata_property(base, "firn.commit.rebase-appends", "true");
    if (firn_strcaseeq(enabled, "false"))
        return "the table's property firn.commit.rebase-appends is false";
    if (head->is_tag)
        return "it goes to a tag";
    if (request->state)
        return request->state;
    if (request->built_on < 0 && !firn_streq(head->name, "main"))
        return "somebody else has made that branch";
    if (request->built_on >= 0 &&
        !firn_snapshot_is_ancestor(base, request->built_on, head->snapshot_id))
        return "what it was built on is not in the branch's history any more";
    for (size_t i = 0; i < request->n_appends; i++) {
        if (firn_metadata_snapshot(base, request->appends[i].snapshot.snapshot_id))
            return "the table has a snapshot of that id already";
    }
    return NULL;
}

/* The branch has not moved, but the table's counters have: another branch of it was written to. */
static bool is_stale(const firn_metadata *base, const firn_rebase_request *request)
{
    const firn_snapshot *first = &request->appends[0].snapshot;
    return (base->format_version >= 2 && first->sequence_number <= base->last_sequence_number) ||
           (base->format_version >= 3 && first->first_row_id < base->next_row_id);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------- */

static json_t *requirements_on(firn_arena *arena, const json_t *requirements, const char *ref,
                               int64_t head)
{
    json_t *out = firn_json_own(arena, json_array());
    size_t i;
    const json_t *requirement;
    json_array_foreach(requirements, i, requirement)
    {
        if (!firn_rebase_requires_ref(requirement, ref))
            json_array_append(out, (json_t *)requirement);
    }
    firn_require_ref(out, ref, head);
    return out;
}

static json_t *without_appends(firn_arena *arena, const json_t *updates)
{
    json_t *out = firn_json_own(arena, json_array());
    size_t i;
    const json_t *update;
    json_array_foreach(updates, i, update)
    {
        const char *action = json_string_value(json_object_get(update, "action"));
        if (!firn_strcaseeq(action, "add-snapshot") && !firn_strcaseeq(action, "set-snapshot-ref"))
            json_array_append(out, (json_t *)update);
    }
    return out;
}

/* What the client wrote is read before anything is written. That it cannot be read is its own affair, and stands in the
 * way only here. */
static void read_own_files(rebase *r, firn_snapshot_rebased *out)
{
    const firn_rebase_request *request = r->request;
    r->own = FIRN_NEW_N(r->arena, firn_own_files, request->n_appends);
    for (size_t i = 0; i < request->n_appends && !out->obstacle; i++) {
        firn_err detail = {0};
        firn_rc rc =
            firn_snapshot_own_files(r->storage, r->cache, r->arena, r->base,
                                    &request->appends[i].snapshot, true, &r->own[i], &detail);
        out->obstacle = rc == FIRN_OK ? r->own[i].obstacle
                                      : firn_arena_printf(r->arena, "its files cannot be read: %s",
                                                          detail.message);
    }
}

static firn_rc rebase_on(rebase *r, const firn_snapshot_ref *head, const json_t *updates,
                         const json_t *requirements, firn_snapshot_rebased *out, firn_err *err)
{
    read_own_files(r, out);
    if (out->obstacle)
        return FIRN_OK;
    json_t *own_updates = firn_json_own(r->arena, json_copy((json_t *)updates));
    firn_rc rc = remake_all(r, own_updates, err);
    if (rc != FIRN_OK) {
        firn_snapshot_result failed = {.written = r->written.items, .n_written = r->written.len};
        firn_snapshot_discard(r->storage, &failed);
        return rc;
    }
    out->done = true;
    out->updates = own_updates;
    out->requirements = requirements_on(r->arena, requirements, r->request->ref, head->snapshot_id);
    out->written = r->written.items;
    out->n_written = r->written.len;
    return FIRN_OK;
}

firn_rc firn_snapshot_rebase(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                             const firn_metadata *base, const json_t *updates,
                             const json_t *requirements, firn_snapshot_rebased *out, firn_err *err)
{
    firn_rebase_request request;
    *out = (firn_snapshot_rebased){.updates = updates, .requirements = requirements};
    firn_rebase_request_read(arena, base, updates, requirements, &request);
    const firn_snapshot_ref *head = request.ref ? firn_metadata_ref(base, request.ref) : NULL;
    if (!head || request.n_appends == 0)
        return FIRN_OK;
    bool moved = head->snapshot_id != request.built_on;
    if (!moved && (request.obstacle || !is_stale(base, &request)))
        return FIRN_OK;
    out->obstacle = request.obstacle;
    if (!out->obstacle && moved && has_landed(base, &request, head->snapshot_id)) {
        out->done = true;
        out->updates = without_appends(arena, updates);
        out->requirements = requirements_on(arena, requirements, request.ref, head->snapshot_id);
        return FIRN_OK;
    }
    if (!out->obstacle && moved)
        out->obstacle = why_not(base, &request, head);
    if (out->obstacle)
        return FIRN_OK;
    rebase r = {
        .storage = storage, .cache = cache, .arena = arena, .base = base, .request = &request};
    return rebase_on(&r, head, updates, requirements, out, err);
}
