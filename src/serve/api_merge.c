/* Management API: differences, merging, cherry-picking. */
#include "api.h"

#include "base/time.h"

/* ---- differences --------------------------------------------------------------------------------------- */

json_t *firn_api_change(const firn_diff *diff)
{
    static const char *const whats[] = {"added", "removed", "changed"};
    bool ns = diff->kind == FIRN_KIND_NAMESPACE;
    return json_pack("{s:s, s:s, s:o, s:s?, s:s?, s:s?}", "change", whats[diff->what], "kind",
                     firn_api_kind(diff->kind), "namespace", firn_call_ns_json(diff->ident.ns),
                     "name", ns ? NULL : diff->ident.name, "from-location", diff->from_location,
                     "to-location", diff->to_location);
}

static json_t *snapshots_json(firn_arena *arena, const firn_table_diff *diff)
{
    json_t *list = json_array();
    for (size_t i = 0; i < diff->n_snapshots; i++) {
        const firn_snapshot_diff *one = &diff->snapshots[i];
        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o}", "snapshot-id",
                                              (json_int_t)one->snapshot_id, "time",
                                              firn_api_time(arena, one->timestamp_ms * 1000),
                                              "operation", one->operation, "added-rows",
                                              firn_api_or_null(one->added_rows), "deleted-rows",
                                              firn_api_or_null(one->deleted_rows), "added-files",
                                              firn_api_or_null(one->added_files), "deleted-files",
                                              firn_api_or_null(one->deleted_files)));
    }
    return list;
}

static json_t *columns_json(const firn_table_diff *diff)
{
    static const char *const whats[] = {"added",       "dropped", "renamed", "retyped",
                                        "nullability", "comment", "default"};
    json_t *list = json_array();
    for (size_t i = 0; i < diff->n_columns; i++) {
        const firn_column_diff *one = &diff->columns[i];
        json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:s?, s:s?}", "change",
                                              whats[one->what], "field-id", one->field_id, "name",
                                              one->name, "from", one->from, "to", one->to));
    }
    return list;
}

static json_t *properties_json(const firn_table_diff *diff)
{
    json_t *list = json_array();
    for (size_t i = 0; i < diff->n_properties; i++) {
        const firn_property_diff *one = &diff->properties[i];
        json_array_append_new(list, json_pack("{s:s, s:s?, s:s?}", "key", one->key, "from",
                                              one->from, "to", one->to));
    }
    return list;
}

static json_t *text_pair(const char *from, const char *to)
{
    return from || to ? json_pack("{s:s?, s:s?}", "from", from, "to", to) : json_null();
}

static json_t *count_pair(int64_t from, int64_t to)
{
    return json_pack("{s:o, s:o}", "from", firn_api_or_null(from), "to", firn_api_or_null(to));
}

static void add_details(firn_arena *arena, const firn_table_diff *diff, json_t *json)
{
    if (diff->diff.kind == FIRN_KIND_VIEW) {
        return;
    }
    json_object_set_new(json, "properties", properties_json(diff));
    if (diff->diff.kind == FIRN_KIND_NAMESPACE) {
        return;
    }
    json_t *rows = count_pair(diff->rows_from, diff->rows_to);
    json_object_set_new(rows, "added", firn_api_or_null(diff->rows_added));
    json_object_set_new(rows, "removed", firn_api_or_null(diff->rows_removed));
    json_object_set_new(json, "rows", rows);
    json_object_set_new(json, "files", count_pair(diff->files_from, diff->files_to));
    json_object_set_new(json, "diverged", json_boolean(diff->diverged));
    json_object_set_new(json, "snapshots", snapshots_json(arena, diff));
    json_object_set_new(json, "columns", columns_json(diff));
    json_object_set_new(json, "partitioning",
                        text_pair(diff->partitioning_from, diff->partitioning_to));
    json_object_set_new(json, "sort-order", text_pair(diff->order_from, diff->order_to));
    json_object_set_new(json, "format-version",
                        count_pair(diff->version_from > 0 ? diff->version_from : -1,
                                   diff->version_to > 0 ? diff->version_to : -1));
    json_object_set_new(json, "problem", diff->problem ? json_string(diff->problem) : json_null());
}

static firn_rc head_of(firn_call *call, const char *ref, const char **out, firn_err *err)
{
    firn_log_query query = {.ref = ref, .limit = 1};
    firn_commit *commits;
    const char *next;
    size_t n;
    FIRN_TRY(firn_catalog_log_page(call->catalog, call->arena, &query, &commits, &n, &next, err));
    *out = commits[0].id;
    return FIRN_OK;
}

firn_rc firn_api_diff(firn_call *call, firn_err *err)
{
    const char *from = firn_call_query(call, "from"), *to = firn_call_query(call, "to");
    const char *from_commit, *to_commit;
    firn_table_diff *details = NULL;
    firn_diff *plain = NULL;
    size_t n;
    bool detail;
    FIRN_TRY(firn_call_query_bool(call, "detail", &detail, err));
    if (!from || !from[0]) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the request needs from=REF");
    }
    to = to && to[0] ? to : FIRN_MAIN;
    FIRN_TRY(head_of(call, from, &from_commit, err));
    FIRN_TRY(head_of(call, to, &to_commit, err));
    if (detail) {
        FIRN_TRY(firn_catalog_diff_detail(call->catalog, call->arena, from_commit, to_commit,
                                          &details, &n, err));
    } else {
        FIRN_TRY(
            firn_catalog_diff(call->catalog, call->arena, from_commit, to_commit, &plain, &n, err));
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *json = firn_api_change(detail ? &details[i].diff : &plain[i]);
        if (detail) {
            add_details(call->arena, &details[i], json);
        }
        json_array_append_new(list, json);
    }
    firn_reply_json(call, 200,
                    json_pack("{s:s, s:s, s:s, s:s, s:o}", "from", from, "from-commit", from_commit,
                              "to", to, "to-commit", to_commit, "changes", list));
    return FIRN_OK;
}

/* ---- what merge and cherry-pick share ------------------------------------------------------------------ */

static firn_rc read_behaviour(const json_t *json, const char *what, firn_merge_behaviour *out,
                              firn_err *err)
{
    static const char *const names[] = {"normal", "force", "drop"};
    const char *text = json_string_value(json);
    *out = FIRN_MERGE_NORMAL;
    if (!json || json_is_null(json)) {
        return FIRN_OK;
    }
    for (int i = 0; text && i < 3; i++) {
        if (firn_strcaseeq(text, names[i])) {
            *out = (firn_merge_behaviour)i;
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_INVALID, "%s is \"%.50s\", but must be normal, force or drop", what,
              text ? text : "no text");
}

static firn_rc read_keys(firn_call *call, const json_t *body, firn_merge_options *options,
                         firn_err *err)
{
    json_t *list;
    FIRN_TRY(firn_call_bad(firn_json_opt_array(body, "keys", "the request", &list, err), err));
    size_t n = json_array_size(list);
    firn_merge_key *keys = FIRN_NEW_N(call->arena, firn_merge_key, n);
    for (size_t i = 0; i < n; i++) {
        json_t *item = json_array_get(list, i);
        if (!json_is_object(item)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "keys holds something else than objects");
        }
        FIRN_TRY(
            firn_call_ns_of_json(call, json_object_get(item, "namespace"), &keys[i].ident.ns, err));
        FIRN_TRY(firn_api_text(item, "name", &keys[i].ident.name, err));
        FIRN_TRY(read_behaviour(json_object_get(item, "behaviour"), "behaviour of a key",
                                &keys[i].behaviour, err));
    }
    options->keys = keys;
    options->n_keys = n;
    return FIRN_OK;
}

static firn_rc read_options(firn_call *call, const json_t *body, firn_merge_options *options,
                            firn_err *err)
{
    const char *message;
    FIRN_TRY(firn_api_text(body, "message", &message, err));
    FIRN_TRY(firn_api_bool(body, "dry-run", &options->dry_run, err));
    FIRN_TRY(firn_api_text(body, "expected-from", &options->expected_from, err));
    FIRN_TRY(firn_api_text(body, "expected-into", &options->expected_into, err));
    FIRN_TRY(read_behaviour(json_object_get(body, "default-behaviour"), "default-behaviour",
                            &options->default_behaviour, err));
    options->info = firn_api_info(call, message);
    return read_keys(call, body, options, err);
}

static json_t *changes_json(const firn_diff *diffs, const firn_merge_how *how, size_t n)
{
    static const char *const hows[] = {"taken", "replayed", "forced"};
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *json = firn_api_change(&diffs[i]);
        json_object_set_new(json, "how", json_string(hows[how[i]]));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *conflicts_json(const firn_merge_conflict *conflicts, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const firn_merge_conflict *one = &conflicts[i];
        json_t *details = json_array();
        for (size_t k = 0; k < one->n_details; k++) {
            json_array_append_new(details, json_string(one->details[k]));
        }
        const char *name = one->kind == FIRN_KIND_NAMESPACE ? NULL : one->ident.name;
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s?, s:s, s:o, s:s, s:s?}", "type",
                                              firn_conflict_name(one->type), "kind",
                                              firn_api_kind(one->kind), "namespace",
                                              firn_call_ns_json(one->ident.ns), "name", name,
                                              "cause", one->cause, "details", details, "advice",
                                              one->advice, "commit", one->commit_id));
    }
    return list;
}

/* The result, and if there are conflicts, 409 with the error beside it. */
static firn_rc answer(firn_call *call, firn_rc rc, size_t n_conflicts, json_t *json,
                      const firn_err *detail, firn_err *err)
{
    if (rc != FIRN_OK && n_conflicts == 0) {
        json_decref(json);
        if (err) {
            *err = *detail;
        }
        return rc;
    }
    if (rc != FIRN_OK) {
        json_object_set_new(json, "error",
                            json_pack("{s:s, s:s, s:i}", "message", detail->message, "type",
                                      firn_rc_iceberg_type(rc), "code", 409));
    }
    firn_reply_json(call, rc == FIRN_OK ? 200 : 409, json);
    return FIRN_OK;
}

/* ---- merge --------------------------------------------------------------------------------------------- */

static json_t *skipped_json(const firn_merge_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->n_skipped; i++) {
        json_array_append_new(list, firn_api_change(&result->skipped[i]));
    }
    return list;
}

firn_rc firn_api_merge(firn_call *call, firn_err *err)
{
    json_t *body;
    const char *from, *into;
    firn_merge_options options = {0};
    firn_merge_result result = {0};
    firn_err detail = {0};
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_api_need_text(body, "from", &from, err));
    FIRN_TRY(firn_api_text(body, "into", &into, err));
    FIRN_TRY(read_options(call, body, &options, err));
    into = into ? into : FIRN_MAIN;
    firn_rc rc =
        firn_catalog_merge(call->catalog, call->arena, from, into, &options, &result, &detail);
    call->committed = result.commit_id != NULL;
    json_t *json = json_pack(
        "{s:b, s:b, s:s?, s:s, s:s, s:s?, s:s?, s:s?, s:b, s:o, s:o, s:o}", "merged",
        rc == FIRN_OK && !options.dry_run, "dry-run", options.dry_run, "commit", result.commit_id,
        "from", from, "into", into, "from-commit", result.from_commit, "into-commit",
        result.into_commit, "base-commit", result.base_commit, "fast-forward", result.fast_forward,
        "changes", changes_json(result.merged, result.how, result.n_merged), "skipped",
        skipped_json(&result), "conflicts", conflicts_json(result.conflicts, result.n_conflicts));
    return answer(call, rc, result.n_conflicts, json, &detail, err);
}

/* ---- cherry-pick ---------------------------------------------------------------------------------------- */

static firn_rc read_commits(firn_call *call, const json_t *body, const char ***out, size_t *n,
                            firn_err *err)
{
    json_t *list;
    FIRN_TRY(firn_call_bad(firn_json_opt_array(body, "commits", "the request", &list, err), err));
    *n = json_array_size(list);
    *out = FIRN_NEW_N(call->arena, const char *, *n);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = json_string_value(json_array_get(list, i));
        if (!(*out)[i]) {
            FIRN_FAIL(err, FIRN_E_INVALID, "commits holds something else than texts");
        }
    }
    if (*n == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the request needs \"commits\", a list of commit ids");
    }
    return FIRN_OK;
}

firn_rc firn_api_cherry_pick(firn_call *call, firn_err *err)
{
    json_t *body;
    const char **commits, *into;
    size_t n;
    firn_merge_options options = {0};
    firn_pick_result result = {0};
    firn_err detail = {0};
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(read_commits(call, body, &commits, &n, err));
    FIRN_TRY(firn_api_text(body, "into", &into, err));
    FIRN_TRY(read_options(call, body, &options, err));
    into = into ? into : FIRN_MAIN;
    firn_rc rc = firn_catalog_cherry_pick(call->catalog, call->arena, commits, n, into, &options,
                                          &result, &detail);
    call->committed = rc == FIRN_OK && result.commit_id != NULL;
    json_t *picked = json_array();
    for (size_t i = 0; i < result.n_picked; i++) {
        const firn_picked *one = &result.picked[i];
        json_array_append_new(picked,
                              json_pack("{s:s, s:s?, s:o}", "source", one->source_id, "commit",
                                        one->commit_id, "changes",
                                        changes_json(one->changed, one->how, one->n_changed)));
    }
    json_t *json = json_pack("{s:s, s:s?, s:s?, s:b, s:o, s:o}", "into", into, "into-commit",
                             result.into_commit, "commit", rc == FIRN_OK ? result.commit_id : NULL,
                             "dry-run", options.dry_run, "picked", picked, "conflicts",
                             conflicts_json(result.conflicts, result.n_conflicts));
    return answer(call, rc, result.n_conflicts, json, &detail, err);
}
