/* Differences between two states: which keys, and for tables what of them.
 *
 * Everything is told from the two metadata files alone; no data is read. Columns are compared by field id, so a rename is
 * told from a drop and an addition. Rows are those of the snapshots' summaries.
 */
#include "internal.h"

#include "base/vec.h"

firn_diff firn_diff_of_delta(const firn_delta *delta)
{
    const firn_stored *side = delta->now ? delta->now : delta->was;
    bool has_location = side->kind != FIRN_KIND_NAMESPACE;
    return (firn_diff){
        .ident = {.ns = delta->ns, .name = delta->name},
        .kind = side->kind,
        .what = !delta->was   ? FIRN_DIFF_ADDED
                : !delta->now ? FIRN_DIFF_REMOVED
                              : FIRN_DIFF_CHANGED,
        .from_location = delta->was && has_location ? delta->was->value : NULL,
        .to_location = delta->now && has_location ? delta->now->value : NULL,
    };
}

static firn_rc diff_deltas(firn_catalog *catalog, firn_arena *arena, const char *from,
                           const char *to, firn_delta **out, size_t *n, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point left, right;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, from, &left, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, to, &right, err));
    return firn_store_diff(session.db, arena, left.commit_id, right.commit_id, out, n, err);
}

firn_rc firn_catalog_diff(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *to, firn_diff **out, size_t *n, firn_err *err)
{
    if (catalog->ops && catalog->ops->diff) {
        return catalog->ops->diff(catalog, arena, from, to, out, n, err);
    }
    firn_delta *deltas;
    FIRN_TRY(diff_deltas(catalog, arena, from, to, &deltas, n, err));
    *out = FIRN_NEW_N(arena, firn_diff, *n);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = firn_diff_of_delta(&deltas[i]);
    }
    return FIRN_OK;
}

/* ---- rows and snapshots ----------------------------------------------------------------------- */

typedef struct differ {
    firn_arena *arena;
    const firn_metadata *from, *to; /* NULL: no table on that side */
    firn_table_diff *out;
} differ;

static int64_t number(const json_t *summary, const char *key)
{
    const char *text = json_string_value(json_object_get(summary, key));
    int64_t value;
    return text && firn_parse_i64(text, &value) ? value : -1;
}

static int64_t total(const firn_metadata *metadata, const char *key)
{
    if (!metadata || !metadata->current_snapshot) {
        return 0;
    }
    return number(metadata->current_snapshot->summary, key);
}

/* A count that a summary leaves out is 0, if it has any counts at all. */
static int64_t part(const firn_snapshot *snapshot, const char *key)
{
    int64_t value = number(snapshot->summary, key);
    bool counted = number(snapshot->summary, "total-records") >= 0;
    return value >= 0 ? value : counted ? 0 : -1;
}

static int64_t current_id(const firn_metadata *metadata)
{
    return metadata && metadata->current_snapshot ? metadata->current_snapshot->snapshot_id : -1;
}

static int64_t add(int64_t sum, int64_t value)
{
    return sum < 0 || value < 0 ? -1 : sum + value;
}

static void compare_snapshots(differ *d)
{
    firn_table_diff *out = d->out;
    FIRN_VEC(firn_snapshot_diff) list = {0};
    out->rows_from = total(d->from, "total-records");
    out->rows_to = total(d->to, "total-records");
    out->files_from = total(d->from, "total-data-files");
    out->files_to = total(d->to, "total-data-files");
    int64_t start = current_id(d->from), end = current_id(d->to);
    out->diverged = d->from && d->to && start != end &&
                    !(start < 0 || firn_snapshot_is_ancestor(d->to, start, end));
    const firn_snapshot *at = d->to ? d->to->current_snapshot : NULL;
    for (size_t steps = 0; at && d->to && steps <= d->to->n_snapshots; steps++) {
        bool shared = d->from && firn_metadata_snapshot(d->from, at->snapshot_id);
        if (at->snapshot_id == start || (out->diverged && shared)) {
            break;
        }
        firn_snapshot_diff one = {
            .snapshot_id = at->snapshot_id,
            .timestamp_ms = at->timestamp_ms,
            .operation = at->operation ? at->operation : "unknown",
            .added_rows = part(at, "added-records"),
            .deleted_rows = part(at, "deleted-records"),
            .added_files = part(at, "added-data-files"),
            .deleted_files = part(at, "deleted-data-files"),
        };
        out->rows_added = add(out->rows_added, one.added_rows);
        out->rows_removed = add(out->rows_removed, one.deleted_rows);
        firn_vec_push(d->arena, &list, one);
        at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(d->to, at->parent_id);
    }
    if (!d->to) {
        out->rows_removed = out->rows_from;
    }
    out->snapshots = list.items;
    out->n_snapshots = list.len;
}

/* ---- columns ---------------------------------------------------------------------------------- */

typedef struct column_list {
    differ *d;
    const firn_schema *other;
    bool forward; /* visiting `to`: all but drops; else drops */
    FIRN_VEC(firn_column_diff) items;
} column_list;

static void push_column(column_list *list, firn_column_diff column)
{
    firn_vec_push(list->d->arena, &list->items, column);
}

static const char *json_text(firn_arena *arena, const json_t *json)
{
    return json ? firn_json_text(arena, json) : NULL;
}

static bool same(const char *a, const char *b)
{
    return a && b ? firn_streq(a, b) : a == b;
}

static void compare_field(column_list *list, const firn_field *was, const firn_field *now,
                          const char *path)
{
    firn_arena *arena = list->d->arena;
    firn_column_diff base = {.field_id = now->id, .name = firn_arena_strdup(arena, path)};
    firn_column_diff one = base;
    bool nested = firn_type_is_nested(was->type) && firn_type_is_nested(now->type);
    if (!firn_streq(was->name, now->name)) {
        one.what = FIRN_COLUMN_RENAMED;
        one.from = firn_schema_path(arena, list->other, was->id);
        one.to = base.name;
        push_column(list, one);
    }
    if (nested ? was->type->id != now->type->id : !firn_type_equal(was->type, now->type)) {
        one.what = FIRN_COLUMN_RETYPED;
        one.from = firn_type_text(arena, was->type);
        one.to = firn_type_text(arena, now->type);
        push_column(list, one);
    }
    if (was->required != now->required) {
        one.what = FIRN_COLUMN_REQUIRED;
        one.from = was->required ? "required" : "optional";
        one.to = now->required ? "required" : "optional";
        push_column(list, one);
    }
    if (!same(was->doc, now->doc)) {
        one.what = FIRN_COLUMN_COMMENT;
        one.from = was->doc;
        one.to = now->doc;
        push_column(list, one);
    }
    one.from = json_text(arena, was->write_default);
    one.to = json_text(arena, now->write_default);
    if (!same(one.from, one.to)) {
        one.what = FIRN_COLUMN_DEFAULT;
        push_column(list, one);
    }
}

static void visit_field(void *ctx, const firn_field *field, const firn_field *parent,
                        const char *path)
{
    column_list *list = ctx;
    const firn_field *other = firn_schema_find_id(list->other, field->id);
    bool parent_is_new = parent && !firn_schema_find_id(list->other, parent->id);
    if (parent_is_new) {
        return; /* told with the parent, in its type */
    }
    if (other && list->forward) {
        compare_field(list, other, field, path);
    } else if (!other) {
        const char *type = firn_type_text(list->d->arena, field->type);
        firn_column_diff one = {
            .what = list->forward ? FIRN_COLUMN_ADDED : FIRN_COLUMN_DROPPED,
            .field_id = field->id,
            .name = firn_arena_strdup(list->d->arena, path),
            .from = list->forward ? NULL : type,
            .to = list->forward ? type : NULL,
        };
        push_column(list, one);
    }
}

static void compare_columns(differ *d)
{
    column_list list = {.d = d, .other = d->from->schema, .forward = true};
    firn_schema_visit(d->arena, d->to->schema, visit_field, &list);
    list.other = d->to->schema;
    list.forward = false;
    firn_schema_visit(d->arena, d->from->schema, visit_field, &list);
    d->out->columns = list.items.items;
    d->out->n_columns = list.items.len;
}

/* ---- layout and properties -------------------------------------------------------------------- */

static const char *term(firn_arena *arena, const firn_metadata *metadata, int32_t source_id,
                        const firn_transform *transform)
{
    const char *path = firn_schema_path(arena, metadata->schema, source_id);
    path = path ? path : firn_arena_printf(arena, "(field id %d)", source_id);
    if (transform->kind == FIRN_TRANSFORM_IDENTITY) {
        return path;
    }
    const char *bracket = strchr(transform->name, '[');
    if (bracket) {
        int len = (int)(bracket - transform->name);
        return firn_arena_printf(arena, "%.*s(%.*s, %s)", len, transform->name,
                                 (int)strcspn(bracket + 1, "]"), bracket + 1, path);
    }
    return firn_arena_printf(arena, "%s(%s)", transform->name, path);
}

static const char *spec_text(firn_arena *arena, const firn_metadata *metadata)
{
    const firn_partition_spec *spec = metadata->spec;
    FIRN_VEC(const char *) parts = {0};
    for (size_t i = 0; i < spec->n_fields; i++) {
        if (spec->fields[i].transform.kind != FIRN_TRANSFORM_VOID) {
            firn_vec_push(
                arena, &parts,
                term(arena, metadata, spec->fields[i].source_id, &spec->fields[i].transform));
        }
    }
    return firn_str_join(arena, parts.items, parts.len, ", ");
}

static const char *order_text(firn_arena *arena, const firn_metadata *metadata)
{
    const firn_sort_order *order = metadata->sort_order;
    FIRN_VEC(const char *) parts = {0};
    for (size_t i = 0; i < order->n_fields; i++) {
        const firn_sort_field *field = &order->fields[i];
        firn_vec_push(arena, &parts,
                      firn_arena_printf(arena, "%s %s nulls %s",
                                        term(arena, metadata, field->source_id, &field->transform),
                                        field->descending ? "desc" : "asc",
                                        field->nulls_last ? "last" : "first"));
    }
    return firn_str_join(arena, parts.items, parts.len, ", ");
}

static void compare_layout(differ *d)
{
    firn_table_diff *out = d->out;
    out->partitioning_from = spec_text(d->arena, d->from);
    out->partitioning_to = spec_text(d->arena, d->to);
    if (firn_streq(out->partitioning_from, out->partitioning_to)) {
        out->partitioning_from = out->partitioning_to = NULL;
    }
    out->order_from = order_text(d->arena, d->from);
    out->order_to = order_text(d->arena, d->to);
    if (firn_streq(out->order_from, out->order_to)) {
        out->order_from = out->order_to = NULL;
    }
}

static void compare_properties(firn_arena *arena, json_t *from, json_t *to, firn_table_diff *out)
{
    FIRN_VEC(firn_property_diff) list = {0};
    json_t *keys = firn_json_own(arena, json_copy(from));
    json_object_update(keys, to);
    const char *key;
    json_t *value;
    json_object_foreach(keys, key, value)
    {
        firn_property_diff one = {
            .key = firn_arena_strdup(arena, key),
            .from = json_string_value(json_object_get(from, key)),
            .to = json_string_value(json_object_get(to, key)),
        };
        if (!same(one.from, one.to)) {
            firn_vec_push(arena, &list, one);
        }
    }
    out->properties = list.items;
    out->n_properties = list.len;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static firn_rc load_side(firn_catalog *catalog, firn_arena *arena, const char *location,
                         const firn_metadata **out, firn_table_diff *diff, firn_err *err)
{
    firn_err detail = {0};
    firn_metadata *metadata;
    if (!location) {
        return FIRN_OK;
    }
    firn_rc rc = firn_metadata_cache_load(catalog->metadata, catalog->storage, arena, location,
                                          &metadata, &detail);
    if (rc == FIRN_E_NOT_FOUND || rc == FIRN_E_CORRUPT) {
        diff->problem = firn_arena_strdup(arena, detail.message);
        return FIRN_OK;
    }
    if (rc != FIRN_OK) {
        if (err) {
            *err = detail;
        }
        return rc;
    }
    *out = metadata;
    return FIRN_OK;
}

static firn_rc detail_table(firn_catalog *catalog, firn_arena *arena, firn_table_diff *out,
                            firn_err *err)
{
    differ d = {.arena = arena, .out = out};
    FIRN_TRY(load_side(catalog, arena, out->diff.from_location, &d.from, out, err));
    FIRN_TRY(load_side(catalog, arena, out->diff.to_location, &d.to, out, err));
    if (out->problem) {
        out->rows_from = out->rows_to = out->files_from = out->files_to = -1;
        out->rows_added = out->rows_removed = -1;
        return FIRN_OK;
    }
    out->version_from = d.from ? d.from->format_version : 0;
    out->version_to = d.to ? d.to->format_version : 0;
    compare_snapshots(&d);
    if (d.from && d.to) {
        compare_columns(&d);
        compare_layout(&d);
        compare_properties(arena, d.from->properties, d.to->properties, out);
    }
    return FIRN_OK;
}

static firn_rc detail_namespace(firn_arena *arena, const firn_delta *delta, firn_table_diff *out,
                                firn_err *err)
{
    json_t *sides[2];
    const firn_stored *stored[] = {delta->was, delta->now};
    for (int i = 0; i < 2; i++) {
        sides[i] = firn_json_own(arena, json_object());
        if (stored[i]) {
            FIRN_TRY(firn_json_parse(arena, firn_bytes_str(stored[i]->value),
                                     "namespace properties", &sides[i], err));
        }
    }
    compare_properties(arena, sides[0], sides[1], out);
    return FIRN_OK;
}

firn_rc firn_catalog_diff_detail(firn_catalog *catalog, firn_arena *arena, const char *from,
                                 const char *to, firn_table_diff **out, size_t *n, firn_err *err)
{
    if (catalog->ops && catalog->ops->diff_detail) {
        return catalog->ops->diff_detail(catalog, arena, from, to, out, n, err);
    }
    firn_delta *deltas;
    FIRN_TRY(diff_deltas(catalog, arena, from, to, &deltas, n, err));
    *out = FIRN_NEW_N(arena, firn_table_diff, *n);
    for (size_t i = 0; i < *n; i++) {
        firn_table_diff *one = &(*out)[i];
        one->diff = firn_diff_of_delta(&deltas[i]);
        if (one->diff.kind == FIRN_KIND_TABLE) {
            FIRN_TRY(detail_table(catalog, arena, one, err));
        } else if (one->diff.kind == FIRN_KIND_NAMESPACE) {
            FIRN_TRY(detail_namespace(arena, &deltas[i], one, err));
        }
    }
    return FIRN_OK;
}
