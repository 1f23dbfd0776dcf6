/*
 * snapshot_conflict.c - what happened between the snapshot that an operation read and the head that it commits on
 * (spec: "Commit Conflict Resolution and Retry").
 *
 * The lineage is walked from the head back to the starting snapshot. Each snapshot on the way wrote manifests of its
 * own (added_snapshot_id); what it added or removed stands there as ADDED or DELETED entries with its id. If the
 * lineage ends before the starting snapshot is met (it was expired or rolled back), nothing can be proven and the
 * commit fails.
 */
#include "base/map.h"
#include "scan_deletes.h"
#include "scan_filter.h"
#include "snapshot_private.h"

typedef struct history {
    firn_commit *commit;
    FIRN_VEC(const firn_snapshot *) snapshots; /* newer than the starting one, newest first */
    int64_t starting_sequence_number;
    firn_file_filter *filter;
} history;

static bool is_op(const firn_snapshot *snapshot, const char *op)
{
    return snapshot->operation && firn_streq(snapshot->operation, op);
}

static firn_rc walk(history *h, firn_err *err)
{
    const firn_commit *commit = h->commit;
    int64_t start = commit->change->validation.starting_snapshot_id;
    const firn_snapshot *at = commit->parent;
    while (at && at->snapshot_id != start) {
        firn_vec_push(commit->arena, &h->snapshots, at);
        if (h->snapshots.len > commit->base->n_snapshots)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "the snapshots of table %s form a loop",
                      commit->base->location);
        const firn_snapshot *parent =
            at->parent_id < 0 ? NULL : firn_metadata_snapshot(commit->base, at->parent_id);
        if (!parent && at->parent_id != start)
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "cannot check for conflicts: the history between snapshot %lld, which the operation read, and %lld is gone; read the table again",
                (long long)start, (long long)at->snapshot_id);
        at = parent;
    }
    if (!at && start >= 0 && !h->snapshots.len)
        FIRN_FAIL(
            err, FIRN_E_VALIDATION,
            "cannot check for conflicts: snapshot %lld, which the operation read, is not in branch %s",
            (long long)start, commit->branch);
    h->starting_sequence_number = at ? at->sequence_number : 0;
    return FIRN_OK;
}

/* ---- visiting entries ------------------------------------------------------------------------------------------------ */

/* One entry that `snapshot` added or removed. */
typedef firn_rc (*entry_visitor)(history *h, void *ctx, const firn_filter_binding *binding,
                                 size_t row, firn_err *err);

typedef struct visit {
    bool deletes; /* delete manifests, else data manifests */
    firn_entry_status status;
    const char *operations[4]; /* of the snapshots to look at */
    entry_visitor each;
    void *ctx;
} visit;

static firn_rc visit_manifest(history *h, const visit *v, const firn_snapshot *snapshot,
                              const firn_manifest_file *file, firn_err *err)
{
    firn_manifest *m;
    FIRN_TRY(firn_commit_open(h->commit, file, &m, err));
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_filter_binding binding;
    firn_filter_bind(h->filter, scratch, m, &binding);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < m->n && rc == FIRN_OK; i++) {
        if (m->status[i] == v->status && m->snapshot_id[i] == snapshot->snapshot_id)
            rc = v->each(h, v->ctx, &binding, i, err);
    }
    firn_manifest_unref(m);
    return rc;
}

static firn_rc visit_history(history *h, const visit *v, firn_err *err)
{
    firn_commit *commit = h->commit;
    for (size_t s = 0; s < h->snapshots.len; s++) {
        const firn_snapshot *snapshot = h->snapshots.items[s];
        bool wanted = !snapshot->operation; /* not recorded: could be any */
        for (size_t i = 0; v->operations[i]; i++)
            wanted |= is_op(snapshot, v->operations[i]);
        if (!wanted)
            continue;
        firn_manifest_file *files;
        size_t n;
        FIRN_TRY(firn_manifest_list_read(commit->storage, commit->arena, commit->base, snapshot,
                                         &files, &n, err));
        for (size_t i = 0; i < n; i++) {
            int64_t count =
                v->status == FIRN_ENTRY_ADDED ? files[i].added_files : files[i].deleted_files;
            bool written_here = files[i].added_snapshot_id == snapshot->snapshot_id;
            if (files[i].deletes != v->deletes || !written_here || count == 0)
                continue;
            FIRN_TRY(visit_manifest(h, v, snapshot, &files[i], err));
        }
    }
    return FIRN_OK;
}

/* ---- the rules --------------------------------------------------------------------------------------------------------- */

static const char *filter_text(const history *h)
{
    const firn_expr *filter = h->commit->change->validation.conflict_filter;
    return firn_expr_text(h->commit->arena, h->commit->base->schema, filter);
}

static firn_rc fail_on_data(history *h, void *ctx, const firn_filter_binding *binding, size_t row,
                            firn_err *err)
{
    (void)ctx;
    bool added = binding->manifest->status[row] == FIRN_ENTRY_ADDED;
    if (!firn_file_filter_is_true(h->filter) && firn_filter_test(binding, row) != FIRN_KEEP)
        return FIRN_OK;
    FIRN_FAIL(err, FIRN_E_VALIDATION,
              "cannot commit: file %s, which may hold rows matching %s, was %s meanwhile",
              firn_manifest_path(binding->manifest, row), filter_text(h),
              added ? "added" : "removed");
}

static firn_rc fail_on_delete(history *h, void *ctx, const firn_filter_binding *binding, size_t row,
                              firn_err *err)
{
    (void)ctx;
    const firn_manifest *m = binding->manifest;
    if (!firn_filter_tuple(binding, firn_manifest_tuple(m, row)))
        return FIRN_OK;
    FIRN_FAIL(
        err, FIRN_E_VALIDATION,
        "cannot commit: delete file %s, which may delete rows matching %s, was added meanwhile",
        firn_manifest_path(m, row), filter_text(h));
}

static firn_rc fail_on_required(history *h, void *ctx, const firn_filter_binding *binding,
                                size_t row, firn_err *err)
{
    (void)h;
    const char *path = firn_manifest_path(binding->manifest, row);
    if (!firn_map_has(ctx, path))
        return FIRN_OK;
    FIRN_FAIL(err, FIRN_E_VALIDATION,
              "cannot commit: data file %s, into which new deletes point, was removed meanwhile",
              path);
}

static firn_rc check_required_files(history *h, firn_err *err)
{
    const firn_snapshot_change *change = h->commit->change;
    firn_map *required = firn_map_new(h->commit->arena);
    for (size_t i = 0; i < change->validation.n_required_data_files; i++)
        firn_map_put(required, change->validation.required_data_files[i], required);
    for (size_t i = 0; i < change->n_added; i++) {
        if (change->added[i].referenced_data_file)
            firn_map_put(required, change->added[i].referenced_data_file, required);
    }
    if (firn_map_len(required) == 0)
        return FIRN_OK;
    visit v = {.status = FIRN_ENTRY_DELETED,
               .operations = {"overwrite", "replace", "delete"},
               .each = fail_on_required,
               .ctx = required};
    return visit_history(h, &v, err);
}

/* ---- deletes of files that are being replaced --------------------------------------------------------------------------- */

typedef struct new_deletes {
    firn_delete_index *index;
    FIRN_VEC(firn_manifest *) held;
} new_deletes;

static firn_rc collect_delete(history *h, void *ctx, const firn_filter_binding *binding, size_t row,
                              firn_err *err)
{
    new_deletes *found = ctx;
    firn_manifest *m = binding->manifest;
    bool is_equality = m->content[row] == FIRN_CONTENT_EQUALITY_DELETES;
    if (is_equality && h->commit->change->keeps_sequence_number)
        return FIRN_OK; /* it still applies to the files that take their place */
    if (found->held.len == 0 || firn_vec_last(&found->held) != m)
        firn_vec_push(h->commit->arena, &found->held, firn_manifest_ref(m));
    /* Two vectors of one file can follow one another in the history: the first that is met is enough. */
    firn_rc rc = firn_delete_index_add(found->index, m, row, err);
    return rc == FIRN_E_CORRUPT ? FIRN_OK : rc;
}

static firn_rc check_replaced_files(history *h, new_deletes *found, firn_err *err)
{
    const firn_snapshot_change *change = h->commit->change;
    for (size_t i = 0; i < change->n_removed; i++) {
        const firn_data_file *file = &change->removed[i];
        if (file->content != FIRN_CONTENT_DATA)
            continue;
        firn_delete_target target = {
            .path = file->path,
            .spec_id = file->spec_id,
            .tuple = file->partition,
            .n_tuple = file->n_partition,
            .data_sequence_number = h->starting_sequence_number,
            .row = SIZE_MAX,
        };
        const firn_scan_delete *deletes;
        size_t n;
        FIRN_TRY(firn_delete_index_find(found->index, NULL, h->commit->arena, &target, &deletes, &n,
                                        err));
        if (n > 0)
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "cannot commit: rows of data file %s, which this change replaces, were deleted meanwhile by %s",
                file->path, deletes[0].file->path);
    }
    return FIRN_OK;
}

static firn_rc check_new_deletes_for_removed(history *h, firn_err *err)
{
    new_deletes found = {.index = firn_delete_index_new(h->commit->arena, h->commit->base)};
    firn_file_filter *filter = h->filter;
    h->filter =
        firn_file_filter_new(h->commit->arena, h->commit->base, h->commit->base->schema, NULL);
    visit v = {.deletes = true,
               .status = FIRN_ENTRY_ADDED,
               .operations = {"overwrite", "delete", "replace"},
               .each = collect_delete,
               .ctx = &found};
    firn_rc rc = visit_history(h, &v, err);
    h->filter = filter;
    if (rc == FIRN_OK && found.held.len > 0) {
        firn_delete_index_finish(found.index);
        rc = check_replaced_files(h, &found, err);
    }
    for (size_t i = 0; i < found.held.len; i++)
        firn_manifest_unref(found.held.items[i]);
    return rc;
}

firn_rc firn_commit_check_conflicts(firn_commit *commit, firn_err *err)
{
    const firn_snapshot_validation *rules = &commit->change->validation;
    if (rules->starting_snapshot_id == FIRN_NO_STARTING_SNAPSHOT)
        return FIRN_OK;
    history h = {.commit = commit};
    FIRN_TRY(walk(&h, err));
    if (h.snapshots.len == 0)
        return FIRN_OK;
    h.filter = firn_file_filter_new(commit->arena, commit->base, commit->base->schema,
                                    rules->conflict_filter);
    if (rules->no_new_data) {
        visit v = {.status = FIRN_ENTRY_ADDED,
                   .operations = {"append", "overwrite"},
                   .each = fail_on_data};
        FIRN_TRY(visit_history(&h, &v, err));
    }
    if (rules->no_deleted_data) {
        visit v = {.status = FIRN_ENTRY_DELETED,
                   .operations = {"overwrite", "replace", "delete"},
                   .each = fail_on_data};
        FIRN_TRY(visit_history(&h, &v, err));
    }
    if (rules->no_new_deletes) {
        visit v = {.deletes = true,
                   .status = FIRN_ENTRY_ADDED,
                   .operations = {"overwrite", "delete"},
                   .each = fail_on_delete};
        FIRN_TRY(visit_history(&h, &v, err));
    }
    if (rules->no_new_deletes_for_removed)
        FIRN_TRY(check_new_deletes_for_removed(&h, err));
    return check_required_files(&h, err);
}
