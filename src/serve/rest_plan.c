/* Scan planning: the server reads manifests, clients get files.
 *
 *   POST   tables/{table}/plan            the first files, and plan tasks for the rest
 *   GET    tables/{table}/plan/{plan-id}  the same again
 *   DELETE tables/{table}/plan/{plan-id}  nothing to let go of
 *   POST   tables/{table}/tasks           the files of one plan task
 *
 * Planning ends before the answer is sent: every plan is "completed". Nothing is kept: plan ids and plan tasks are tokens that hold
 * the plan (plan_token.h). A plan task is a range of the snapshot's manifests with at most as many entries as an answer has files.
 *
 * The filter comes back with every file that does not match as a whole, because Java takes none for missing; so with a long filter
 * answers hold fewer files, and where many tokens would make a large answer, too, one plan task stands for all that is left and leads
 * to the next.
 */
#include "handlers.h"

#include "plan_token.h"

#include "base/thread.h"
#include "base/vec.h"
#include "iceberg/scan_json.h"

#include <inttypes.h>

enum {
    FILES_PER_ANSWER = 2000,
    FILTER_BYTES_MAX = 1 << 20,
    FILTERS_BYTES_MAX = 32 << 20, /* of all files of one answer */
    TOKENS_BYTES_MAX = 1 << 20,   /* of all plan tasks of one answer */
    PLAN_ID_BYTES_MAX = 2000,     /* it travels in a path */
};

/* One plan with what it is carried out on. */
typedef struct planning {
    firn_call *call;
    const firn_metadata *metadata;
    firn_plan plan;
    firn_scan_options options;
    bool filter_exact;
    size_t files_max; /* of one answer */
} planning;

/* ---- the plan request ----------------------------------------------------------------------------------- */

static firn_rc no_snapshot(int64_t id, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "Cannot find snapshot with ID %" PRId64, id);
}

/* The snapshot's own schema, or the table's. */
static int32_t schema_of(const firn_metadata *metadata, const firn_snapshot *snapshot, bool own)
{
    bool known = own && snapshot && firn_metadata_schema(metadata, snapshot->schema_id);
    return known ? snapshot->schema_id : metadata->schema->schema_id;
}

static firn_rc read_snapshots(const json_t *body, const firn_metadata *metadata, firn_plan *plan,
                              firn_err *err)
{
    static const char what[] = "the request";
    int64_t id, start, end;
    bool own_schema;
    FIRN_TRY(firn_json_opt_i64(body, "snapshot-id", what, 0, &id, err));
    FIRN_TRY(firn_json_opt_i64(body, "start-snapshot-id", what, 0, &start, err));
    FIRN_TRY(firn_json_opt_i64(body, "end-snapshot-id", what, 0, &end, err));
    FIRN_TRY(firn_json_opt_bool(body, "use-snapshot-schema", what, false, &own_schema, err));
    if ((start != 0) != (end != 0) || (id != 0 && start != 0)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "either snapshot-id or both start-snapshot-id and end-snapshot-id may be given");
    }
    int64_t wanted = start != 0 ? end : id;
    const firn_snapshot *snapshot =
        wanted != 0 ? firn_metadata_snapshot(metadata, wanted) : metadata->current_snapshot;
    if (wanted != 0 && !snapshot) {
        return no_snapshot(wanted, err);
    }
    plan->snapshot_id = snapshot ? snapshot->snapshot_id : 0;
    plan->appended_since = start;
    plan->schema_id = schema_of(metadata, snapshot, own_schema);
    return FIRN_OK;
}

/* Names to ids; the names of a selection are looked at only for being names, because they may be of columns that readers make up
 * (_file, _pos, _row_id). */
static firn_rc read_columns(const firn_call *call, const json_t *body, const firn_schema *schema,
                            firn_plan *plan, firn_err *err)
{
    json_t *select, *stats;
    size_t i;
    const json_t *name;
    FIRN_TRY(firn_json_opt_array(body, "select", "the request", &select, err));
    FIRN_TRY(firn_json_opt_array(body, "stats-fields", "the request", &stats, err));
    json_array_foreach(select, i, name)
    {
        if (!json_is_string(name)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "select must be names of columns");
        }
    }
    json_t *ids = stats ? firn_json_own(call->arena, json_array()) : NULL;
    firn_imap *seen = firn_imap_new(call->arena);
    json_array_foreach(stats, i, name)
    {
        if (!json_is_string(name)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "stats-fields must be names of columns");
        }
        const firn_field *field =
            firn_schema_find_name(schema, json_string_value(name), plan->case_sensitive);
        if (field && !firn_imap_put(seen, field->id, ids)) {
            json_array_append_new(ids, json_integer(field->id));
        }
    }
    plan->stats = ids;
    return FIRN_OK;
}

static firn_rc read_request(const firn_call *call, const json_t *body,
                            const firn_metadata *metadata, firn_plan *plan, firn_err *err)
{
    static const char what[] = "the request";
    *plan = (firn_plan){.table_uuid = metadata->table_uuid};
    FIRN_TRY(firn_json_opt_bool(body, "case-sensitive", what, true, &plan->case_sensitive, err));
    FIRN_TRY(firn_json_opt_i64(body, "min-rows-requested", what, 0, &plan->min_rows, err));
    FIRN_TRY(read_snapshots(body, metadata, plan, err));
    plan->filter = json_object_get(body, "filter");
    return read_columns(call, body, firn_metadata_schema(metadata, plan->schema_id), plan, err);
}

/* ---- planning ------------------------------------------------------------------------------------------- */

static firn_rc limit_files(const firn_plan *plan, size_t *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    size_t bytes = plan->filter ? strlen(firn_json_text(scratch, plan->filter)) : 0;
    if (bytes > FILTER_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "the filter has %zu bytes; at most %d are taken: let the client plan this scan "
                  "(scan-planning-mode=client)",
                  bytes, FILTER_BYTES_MAX);
    }
    size_t fit = FILTERS_BYTES_MAX / (bytes + 1);
    *out = fit < FILES_PER_ANSWER ? fit : FILES_PER_ANSWER;
    return FIRN_OK;
}

/* Whatever the plan names must be there: NO_SNAPSHOT, or INVALID. */
static firn_rc prepare(firn_call *call, const firn_metadata *metadata, const firn_plan *plan,
                       planning *out, firn_err *err)
{
    const firn_schema *schema = firn_metadata_schema(metadata, plan->schema_id);
    const firn_snapshot *snapshot =
        plan->snapshot_id ? firn_metadata_snapshot(metadata, plan->snapshot_id) : NULL;
    if (plan->snapshot_id && !snapshot) {
        return no_snapshot(plan->snapshot_id, err);
    }
    if (!schema) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the table has no schema %d", plan->schema_id);
    }
    *out = (planning){.call = call, .metadata = metadata, .plan = *plan, .filter_exact = true};
    const firn_expr *filter = NULL;
    FIRN_TRY(limit_files(plan, &out->files_max, err));
    if (plan->filter) {
        FIRN_TRY(firn_expr_from_filter_json(call->arena, schema, plan->filter, plan->case_sensitive,
                                            &filter, &out->filter_exact, err));
    }
    out->options = (firn_scan_options){
        .storage = firn_catalog_storage(call->catalog),
        .cache = firn_catalog_manifests(call->catalog),
        .metadata = metadata,
        .snapshot = snapshot,
        .schema = schema,
        .filter = filter,
        .threads = firn_cpu_count(),
        .with_metrics = json_array_size(plan->stats) > 0,
        .from = plan->from,
        .to = plan->to,
        .appended_since = plan->appended_since,
    };
    return FIRN_OK;
}

typedef FIRN_VEC(const firn_scan_task *) task_list;

/* Files up to `max`, or to the rows that were asked for. *more: where to go on; only set if there is more. */
static firn_rc take_tasks(planning *p, size_t max, task_list *out, bool *has_more,
                          firn_scan_point *more, firn_err *err)
{
    firn_scan *scan;
    int64_t rows = 0;
    *has_more = false;
    FIRN_TRY(firn_scan_open(p->call->arena, &p->options, &scan, err));
    for (;;) {
        const firn_scan_task *task;
        FIRN_TRY(firn_scan_next(scan, &task, err));
        if (!task) {
            return FIRN_OK;
        }
        if (out->len == max) {
            *has_more = true;
            *more = task->place;
            return FIRN_OK;
        }
        firn_vec_push(p->call->arena, out, task);
        bool counts = p->filter_exact && task->all_rows_match && task->n_deletes == 0;
        rows += counts ? task->file->record_count : 0;
        if (p->plan.min_rows > 0 && rows >= p->plan.min_rows) {
            return FIRN_OK;
        }
    }
}

/* ---- plan tasks ----------------------------------------------------------------------------------------- */

typedef FIRN_VEC(firn_scan_point) point_list;

/* Entries of a manifest, dead ones included; 0: not recorded. */
static size_t entries_of(const firn_manifest_file *file)
{
    if (file->added_files < 0 || file->existing_files < 0 || file->deleted_files < 0) {
        return 0;
    }
    return (size_t)file->added_files + (size_t)file->existing_files + (size_t)file->deleted_files;
}

/* Where tasks begin: first at `from`, then so that none has more than `max` entries. */
static void divide(firn_arena *arena, const firn_manifest_file *files, size_t n,
                   firn_scan_point from, size_t max, point_list *out)
{
    firn_vec_push(arena, out, from);
    size_t in_task = 0;
    for (size_t m = from.manifest; m < n; m++) {
        size_t entries = entries_of(&files[m]);
        size_t first = m == from.manifest ? from.row : 0;
        size_t left = entries > first ? entries - first : 0;
        if (in_task > 0 && in_task + left > max) {
            firn_scan_point at = {.manifest = m, .row = first};
            firn_vec_push(arena, out, at);
            in_task = 0;
        }
        for (; left > max; left -= max) {
            first += max;
            firn_scan_point at = {.manifest = m, .row = first};
            firn_vec_push(arena, out, at);
        }
        in_task += left > 0 ? left : 1;
    }
}

static bool is_before(firn_scan_point a, firn_scan_point b)
{
    return a.manifest < b.manifest || (a.manifest == b.manifest && a.row < b.row);
}

static char *token_of(const planning *p, firn_scan_point from, firn_scan_point to)
{
    firn_plan plan = p->plan;
    plan.from = from;
    plan.to = to;
    return firn_plan_encode(p->call->arena, &plan);
}

/* Tokens for everything from `from` to the plan's end. */
static firn_rc plan_tasks(planning *p, firn_scan_point from, json_t *out, firn_err *err)
{
    firn_manifest_file *files;
    size_t n;
    point_list points = {0};
    firn_scan_point end = p->plan.to;
    bool open_end = end.manifest == 0 && end.row == 0;
    char *all = token_of(p, from, end);
    FIRN_TRY(firn_scan_manifests(p->call->arena, &p->options, &files, &n, err));
    divide(p->call->arena, files, n, from, p->files_max, &points);
    if (points.len * strlen(all) > TOKENS_BYTES_MAX) {
        json_array_append_new(out, json_string(all));
        return FIRN_OK;
    }
    for (size_t i = 0; i < points.len; i++) {
        bool last = i + 1 == points.len || (!open_end && !is_before(points.items[i + 1], end));
        firn_scan_point to = last ? end : points.items[i + 1];
        json_array_append_new(out, json_string(token_of(p, points.items[i], to)));
        if (last) {
            break;
        }
    }
    return FIRN_OK;
}

/* ---- answers -------------------------------------------------------------------------------------------- */

/* PyIceberg (0.12) refuses a whole answer with a null among partition values, and has no use for them but where a data file lacks
 * the column that it is partitioned by. */
static bool is_pyiceberg(const firn_call *call)
{
    const char *agent = firn_http_request_header(call->request, "User-Agent");
    return agent && firn_starts_with(agent, "PyIceberg/");
}

/* "file-scan-tasks", "delete-files" and "plan-tasks" of the plan. New reference, owned by the arena. */
static firn_rc scan_tasks(planning *p, json_t **out, firn_err *err)
{
    firn_arena *arena = p->call->arena;
    task_list tasks = {0};
    bool has_more;
    firn_scan_point more;
    FIRN_TRY(take_tasks(p, p->files_max, &tasks, &has_more, &more, err));
    firn_imap *stats = firn_imap_new(arena);
    size_t i;
    const json_t *id;
    json_array_foreach(p->plan.stats, i, id)
    {
        firn_imap_put(stats, json_integer_value(id), stats);
    }
    firn_scan_json_options options = {.metadata = p->metadata,
                                      .filter = p->plan.filter,
                                      .filter_exact = p->filter_exact,
                                      .no_null_partitions = is_pyiceberg(p->call),
                                      .stats = stats};
    *out = firn_json_own(arena, firn_scan_tasks_to_json(arena, &options, tasks.items, tasks.len));
    if (!has_more) {
        return FIRN_OK;
    }
    json_t *list = firn_json_own(arena, json_array());
    FIRN_TRY(plan_tasks(p, more, list, err));
    json_object_set(*out, "plan-tasks", list);
    return FIRN_OK;
}

static firn_rc load_table(firn_call *call, firn_metadata **out, firn_err *err)
{
    const char *ref;
    firn_ident ident;
    firn_table table;
    FIRN_TRY(firn_call_ident_at(call, "table", &ref, &ident, err));
    firn_rc rc = firn_catalog_table_load(call->catalog, call->arena, ref, ident, &table, err);
    if (rc != FIRN_OK) {
        return firn_call_explain(call, rc, ident, err);
    }
    *out = table.metadata;
    return FIRN_OK;
}

static firn_rc reply_plan(planning *p, firn_err *err)
{
    json_t *json;
    FIRN_TRY(scan_tasks(p, &json, err));
    json_object_set_new(json, "status", json_string("completed"));
    const char *id = firn_plan_encode(p->call->arena, &p->plan);
    if (strlen(id) <= PLAN_ID_BYTES_MAX) {
        json_object_set_new(json, "plan-id", json_string(id));
    }
    firn_reply_json(p->call, 200, json_incref(json));
    return FIRN_OK;
}

firn_rc firn_rest_plan(firn_call *call, firn_err *err)
{
    firn_metadata *metadata;
    json_t *body;
    firn_plan plan;
    planning p;
    FIRN_TRY(load_table(call, &metadata, err));
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_call_bad(read_request(call, body, metadata, &plan, err), err));
    FIRN_TRY(prepare(call, metadata, &plan, &p, err));
    return reply_plan(&p, err);
}

/* ---- tokens that come back ------------------------------------------------------------------------------ */

/* The plan that a token stands for, on this table as it is now. Whatever is wrong with it, it is none: `type` says of what. */
static firn_rc open_token(firn_call *call, const char *token, const char *type, planning *p,
                          firn_err *err)
{
    firn_metadata *metadata;
    firn_plan plan;
    FIRN_TRY(load_table(call, &metadata, err));
    firn_err cause = {0};
    firn_rc rc = firn_plan_decode(call->arena, token, &plan, &cause);
    if (rc == FIRN_OK && (!plan.table_uuid || !metadata->table_uuid ||
                          !firn_streq(plan.table_uuid, metadata->table_uuid))) {
        FIRN_CALL_FAIL(call, err, FIRN_E_NOT_FOUND, 404, type,
                       "the plan is of another table: plan the scan again");
    }
    if (rc == FIRN_OK) {
        rc = prepare(call, metadata, &plan, p, &cause);
    }
    if (rc != FIRN_OK) {
        FIRN_CALL_FAIL(call, err, FIRN_E_NOT_FOUND, 404, type,
                       "there is no such plan (%s): plan the scan again", cause.message);
    }
    return FIRN_OK;
}

firn_rc firn_rest_plan_load(firn_call *call, firn_err *err)
{
    planning p;
    FIRN_TRY(open_token(call, firn_call_param(call, "plan-id"), "NoSuchPlanIdException", &p, err));
    return reply_plan(&p, err);
}

/* Nothing is held for a plan, so there is nothing to let go of. */
firn_rc firn_rest_plan_cancel(firn_call *call, firn_err *err)
{
    planning p;
    FIRN_TRY(open_token(call, firn_call_param(call, "plan-id"), "NoSuchPlanIdException", &p, err));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

firn_rc firn_rest_plan_tasks(firn_call *call, firn_err *err)
{
    planning p;
    json_t *body, *json;
    const char *token;
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_call_bad(firn_json_str(body, "plan-task", "the request", &token, err), err));
    FIRN_TRY(open_token(call, token, "NoSuchPlanTaskException", &p, err));
    FIRN_TRY(scan_tasks(&p, &json, err));
    firn_reply_json(call, 200, json_incref(json));
    return FIRN_OK;
}
