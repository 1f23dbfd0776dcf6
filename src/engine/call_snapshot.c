/* Procedures on snapshots: rollbacks, cherry-picks, publishing, fast-forward, registration, ancestry.
 *
 * Each builds its updates against the head it finds and is tried again after a lost race; what it reports is from the attempt that
 * was committed.
 */
#include "call.h"

#include "read.h"

#include <string.h>

enum { NO_SNAPSHOT = -1 };

/* What a procedure's builder is given and what it leaves behind. */
typedef struct snapshot_call {
    firn_call *call;
    int64_t snapshot_id;  /* that the statement names */
    int64_t timestamp_ms; /* rollback_to_timestamp */
    const char *ref;      /* set_current_snapshot, fast_forward: to */
    const char *branch;   /* fast_forward */
    int64_t before, after;
    firn_snapshot_result result;
    bool wrote; /* `result` lists files of this attempt */
} snapshot_call;

static int64_t current_id(const firn_metadata *metadata)
{
    return metadata->current_snapshot != NULL ? metadata->current_snapshot->snapshot_id
                                              : NO_SNAPSHOT;
}

static const char *id_text(firn_arena *arena, int64_t id)
{
    return id == NO_SNAPSHOT ? NULL : firn_i64_text(arena, id);
}

static void discard_files(void *ctx)
{
    snapshot_call *what = ctx;
    if (what->wrote) {
        firn_snapshot_discard(firn_catalog_storage(what->call->catalog), &what->result);
        what->wrote = false;
    }
}

static firn_rc commit(snapshot_call *what, firn_table_build_fn build, firn_err *err)
{
    firn_call *call = what->call;
    firn_table_commit commit = {
        .ident = call->ident,
        .build = build,
        .discard = discard_files,
        .ctx = what,
        .message = firn_arena_printf(call->arena, "%s %s", call->procedure->name, call->text)};
    return firn_session_commit_table(call->session, call->arena, &commit, err);
}

static firn_result *moved(const snapshot_call *what, const char *first, const char *second,
                          int64_t first_id)
{
    firn_arena *arena = what->call->arena;
    const char *columns[] = {first, second};
    firn_result *result = firn_text_table(arena, "CALL", columns, 2);
    firn_result_add_row(
        result, (const char *const[]){id_text(arena, first_id), id_text(arena, what->after)});
    return result;
}

/* ---- moving the branch ----------------------------------------------------------------------------------------- */

static firn_rc build_rollback(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                              json_t *requirements, firn_err *err)
{
    snapshot_call *what = ctx;
    what->before = current_id(base->metadata);
    what->after = what->snapshot_id;
    return firn_snapshot_rollback(arena, base->metadata, what->snapshot_id, updates, requirements,
                                  err);
}

firn_rc firn_call_rollback_to_snapshot(firn_call *call, firn_result **out, firn_err *err)
{
    snapshot_call what = {.call = call};
    FIRN_TRY(firn_call_i64(call, 1, &what.snapshot_id, err));
    FIRN_TRY(commit(&what, build_rollback, err));
    *out = moved(&what, "previous_snapshot_id BIGINT", "current_snapshot_id BIGINT", what.before);
    return FIRN_OK;
}

/* The newest ancestor that is older than the time, as Java's rollbackToTime. */
static firn_rc build_rollback_to_time(void *ctx, firn_arena *arena, const firn_table *base,
                                      json_t *updates, json_t *requirements, firn_err *err)
{
    snapshot_call *what = ctx;
    const firn_metadata *metadata = base->metadata;
    const firn_snapshot *at = metadata->current_snapshot;
    size_t steps = 0;
    while (at != NULL && at->timestamp_ms >= what->timestamp_ms &&
           steps++ <= metadata->n_snapshots) {
        at = at->parent_id == NO_SNAPSHOT ? NULL : firn_metadata_snapshot(metadata, at->parent_id);
    }
    if (at == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s has no snapshot older than %s on this branch",
                  what->call->text, firn_ms_text(arena, what->timestamp_ms));
    }
    what->snapshot_id = at->snapshot_id;
    return build_rollback(ctx, arena, base, updates, requirements, err);
}

firn_rc firn_call_rollback_to_timestamp(firn_call *call, firn_result **out, firn_err *err)
{
    snapshot_call what = {.call = call};
    FIRN_TRY(firn_call_timestamp_ms(call, 1, &what.timestamp_ms, err));
    FIRN_TRY(commit(&what, build_rollback_to_time, err));
    *out = moved(&what, "previous_snapshot_id BIGINT", "current_snapshot_id BIGINT", what.before);
    return FIRN_OK;
}

static firn_rc find_ref(const snapshot_call *what, const firn_metadata *metadata, const char *name,
                        const firn_snapshot_ref **out, firn_err *err)
{
    const char **names = FIRN_NEW_N(what->call->arena, const char *, metadata->n_refs);
    *out = firn_metadata_ref(metadata, name);
    for (size_t i = 0; i < metadata->n_refs; i++) {
        names[i] = metadata->refs[i].name;
    }
    if (*out == NULL) {
        const char *near = firn_nearest(name, names, metadata->n_refs);
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s has no branch or tag %s%s%s%s", what->call->text, name,
                  near != NULL ? ". Did you mean " : "", near != NULL ? near : "",
                  near != NULL ? "?" : "");
    }
    return FIRN_OK;
}

static firn_rc build_set_current(void *ctx, firn_arena *arena, const firn_table *base,
                                 json_t *updates, json_t *requirements, firn_err *err)
{
    snapshot_call *what = ctx;
    what->before = current_id(base->metadata);
    if (what->ref != NULL) {
        const firn_snapshot_ref *ref = NULL;
        FIRN_TRY(find_ref(what, base->metadata, what->ref, &ref, err));
        what->snapshot_id = ref->snapshot_id;
    }
    what->after = what->snapshot_id;
    return firn_snapshot_set_current(arena, base->metadata, what->snapshot_id, updates,
                                     requirements, err);
}

firn_rc firn_call_set_current_snapshot(firn_call *call, firn_result **out, firn_err *err)
{
    snapshot_call what = {.call = call, .ref = call->arguments[2]};
    if ((call->arguments[1] == NULL) == (what.ref == NULL)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "set_current_snapshot needs either snapshot_id or ref, not both");
    }
    if (what.ref == NULL) {
        FIRN_TRY(firn_call_i64(call, 1, &what.snapshot_id, err));
    }
    FIRN_TRY(commit(&what, build_set_current, err));
    *out = moved(&what, "previous_snapshot_id BIGINT", "current_snapshot_id BIGINT", what.before);
    return FIRN_OK;
}

/* ---- making a snapshot's changes again ----------------------------------------------------------------------------- */

static firn_rc build_cherrypick(void *ctx, firn_arena *arena, const firn_table *base,
                                json_t *updates, json_t *requirements, firn_err *err)
{
    snapshot_call *what = ctx;
    (void)arena; /* the result must outlive the attempt: discard_files reads it */
    what->before = current_id(base->metadata);
    memset(&what->result, 0, sizeof(what->result));
    FIRN_TRY(firn_snapshot_cherry_pick(firn_catalog_storage(what->call->catalog),
                                       firn_catalog_manifests(what->call->catalog),
                                       what->call->arena, base->metadata, what->snapshot_id,
                                       updates, requirements, &what->result, err));
    what->wrote = what->result.n_written > 0;
    what->after = what->result.snapshot_id > 0 ? what->result.snapshot_id : what->snapshot_id;
    return FIRN_OK;
}

firn_rc firn_call_cherrypick(firn_call *call, firn_result **out, firn_err *err)
{
    snapshot_call what = {.call = call};
    FIRN_TRY(firn_call_i64(call, 1, &what.snapshot_id, err));
    FIRN_TRY(commit(&what, build_cherrypick, err));
    *out =
        moved(&what, "source_snapshot_id BIGINT", "current_snapshot_id BIGINT", what.snapshot_id);
    return FIRN_OK;
}

static firn_rc build_publish(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                             json_t *requirements, firn_err *err)
{
    snapshot_call *what = ctx;
    const firn_metadata *metadata = base->metadata;
    const char *wap_id = what->call->arguments[1];
    for (size_t i = 0; i < metadata->n_snapshots; i++) {
        const firn_snapshot *snapshot = &metadata->snapshots[i];
        const char *id = json_string_value(json_object_get(snapshot->summary, "wap.id"));
        if (id != NULL && firn_streq(id, wap_id)) {
            what->snapshot_id = snapshot->snapshot_id;
            return build_cherrypick(ctx, arena, base, updates, requirements, err);
        }
    }
    FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s has no snapshot with the WAP id '%s'", what->call->text,
              wap_id);
}

firn_rc firn_call_publish_changes(firn_call *call, firn_result **out, firn_err *err)
{
    snapshot_call what = {.call = call};
    FIRN_TRY(commit(&what, build_publish, err));
    *out =
        moved(&what, "source_snapshot_id BIGINT", "current_snapshot_id BIGINT", what.snapshot_id);
    return FIRN_OK;
}

/* ---- branches of the table --------------------------------------------------------------------------------------------- */

static firn_rc build_fast_forward(void *ctx, firn_arena *arena, const firn_table *base,
                                  json_t *updates, json_t *requirements, firn_err *err)
{
    snapshot_call *what = ctx;
    const firn_metadata *metadata = base->metadata;
    const firn_snapshot_ref *to = NULL;
    (void)arena;
    FIRN_TRY(find_ref(what, metadata, what->ref, &to, err));
    const firn_snapshot_ref *from = firn_metadata_ref(metadata, what->branch);
    what->before = from != NULL ? from->snapshot_id : NO_SNAPSHOT;
    what->after = to->snapshot_id;
    if (from != NULL && from->is_tag) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is a tag of %s; only branches move", what->branch,
                  what->call->text);
    }
    if (from != NULL && !firn_snapshot_is_ancestor(metadata, from->snapshot_id, to->snapshot_id)) {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "cannot fast-forward: the head of %s is not an ancestor of %s in %s; use "
                  "cherrypick_snapshot",
                  what->branch, what->ref, what->call->text);
    }
    if (what->before != what->after) {
        firn_update_set_ref(updates, what->branch, to->snapshot_id, false);
        if (from != NULL) { /* what the branch keeps stays */
            json_t *update = json_array_get(updates, json_array_size(updates) - 1);
            if (from->max_ref_age_ms >= 0) {
                json_object_set_new(update, "max-ref-age-ms", json_integer(from->max_ref_age_ms));
            }
            if (from->max_snapshot_age_ms >= 0) {
                json_object_set_new(update, "max-snapshot-age-ms",
                                    json_integer(from->max_snapshot_age_ms));
            }
            if (from->min_snapshots_to_keep >= 0) {
                json_object_set_new(update, "min-snapshots-to-keep",
                                    json_integer(from->min_snapshots_to_keep));
            }
        }
        firn_require_ref(requirements, what->branch, what->before);
    }
    return FIRN_OK;
}

firn_rc firn_call_fast_forward(firn_call *call, firn_result **out, firn_err *err)
{
    snapshot_call what = {.call = call, .branch = call->arguments[1], .ref = call->arguments[2]};
    static const char *const columns[] = {"branch_updated", "previous_ref BIGINT",
                                          "updated_ref BIGINT"};
    FIRN_TRY(commit(&what, build_fast_forward, err));
    *out = firn_text_table(call->arena, "CALL", columns, 3);
    firn_result_add_row(*out, (const char *const[]){what.branch, id_text(call->arena, what.before),
                                                    id_text(call->arena, what.after)});
    return FIRN_OK;
}

/* ---- other --------------------------------------------------------------------------------------------------------------- */

firn_rc firn_call_register_table(firn_call *call, firn_result **out, firn_err *err)
{
    firn_metadata *metadata = NULL;
    firn_arena *arena = call->arena;
    const char *location = firn_location_of_path(arena, call->arguments[1]);
    FIRN_TRY(
        firn_metadata_load(firn_catalog_storage(call->catalog), arena, location, &metadata, err));
    firn_change change = {
        .kind = FIRN_CHANGE_REGISTER_TABLE, .ident = call->ident, .location = location};
    FIRN_TRY(firn_session_commit_changes(call->session, arena, &change, 1,
                                         firn_arena_printf(arena, "register table %s", call->text),
                                         NULL, err));
    const firn_snapshot *snapshot = metadata->current_snapshot;
    const json_t *summary = snapshot != NULL ? snapshot->summary : NULL;
    static const char *const columns[] = {"current_snapshot_id BIGINT",
                                          "total_records_count BIGINT",
                                          "total_data_files_count BIGINT"};
    *out = firn_text_table(arena, "CALL", columns, 3);
    firn_result_add_row(*out, (const char *const[]){
                                  id_text(arena, current_id(metadata)),
                                  json_string_value(json_object_get(summary, "total-records")),
                                  json_string_value(json_object_get(summary, "total-data-files"))});
    return FIRN_OK;
}

firn_rc firn_call_ancestors_of(firn_call *call, firn_result **out, firn_err *err)
{
    firn_table table;
    int64_t id = NO_SNAPSHOT;
    static const char *const columns[] = {"snapshot_id BIGINT",
                                          "timestamp TIMESTAMP WITH TIME ZONE"};
    FIRN_TRY(firn_session_load_table(call->session, call->arena, call->ident, &table, err));
    const firn_metadata *metadata = table.metadata;
    const firn_snapshot *at = metadata->current_snapshot;
    if (call->arguments[1] != NULL) {
        FIRN_TRY(firn_call_i64(call, 1, &id, err));
        at = firn_metadata_snapshot(metadata, id);
        if (at == NULL) {
            FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s has no snapshot %lld", call->text,
                      (long long)id);
        }
    }
    *out = firn_text_table(call->arena, "CALL", columns, 2);
    for (size_t steps = 0; at != NULL && steps <= metadata->n_snapshots; steps++) {
        firn_result_add_row(*out,
                            (const char *const[]){firn_i64_text(call->arena, at->snapshot_id),
                                                  firn_ms_text(call->arena, at->timestamp_ms)});
        at = at->parent_id == NO_SNAPSHOT ? NULL : firn_metadata_snapshot(metadata, at->parent_id);
    }
    return FIRN_OK;
}
