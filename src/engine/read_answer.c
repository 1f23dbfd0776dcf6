/* COUNT(*), MIN and MAX from manifests, and what LIMIT needs.
 *
 * Only where the answer is certain: one lake table, nothing that groups, filters by more than whole files, or deletes rows. MIN and
 * MAX are taken of types whose bounds are kept whole (no texts and binaries, which are cut; no reals, because of NaN and -0.0). The
 * constants stand in the statement's own select list, so that aliases, arithmetic around them and the order stay as written.
 */
#include "read_answer.h"

#include "duck.h"
#include "read_shape.h"

#include <inttypes.h>

enum { AGGREGATES_MAX = 64 };

static const char *text_member(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text != NULL ? text : "";
}

static bool empty(const json_t *node, const char *key)
{
    const json_t *value = json_object_get(node, key);
    return value == NULL || json_is_null(value) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

/* A SELECT of one lake table and nothing else. */
static bool is_simple(const firn_tree *tree)
{
    const json_t *root = tree->root;
    if (tree->tables.len != 1 || tree->tables.items[0]->sql != NULL ||
        tree->tables.items[0]->metadata_table != NULL ||
        !firn_streq(text_member(root, "type"), "SELECT_NODE")) {
        return false;
    }
    const json_t *from = json_object_get(root, "from_table");
    return firn_streq(text_member(from, "table_name"), tree->tables.items[0]->mark) &&
           empty(from, "sample") && empty(from, "column_name_alias") &&
           empty(root, "group_expressions") && empty(root, "group_sets") && empty(root, "having") &&
           empty(root, "sample") && empty(root, "qualify") &&
           json_array_size(json_object_get(json_object_get(root, "cte_map"), "map")) == 0;
}

/* ---- aggregates ------------------------------------------------------------------------------------------------ */

typedef enum aggregate_kind { COUNT_ROWS, MINIMUM, MAXIMUM } aggregate_kind;

typedef struct aggregate {
    json_t *node;
    aggregate_kind kind;
    const firn_field *field;
    firn_value best; /* MIN, MAX */
    bool any;
} aggregate;

typedef struct question {
    firn_arena *arena;
    const firn_occurrence *table;
    aggregate list[AGGREGATES_MAX];
    size_t n;
    bool has_extremes;
    int64_t count;
} question;

static bool keeps_whole_bounds(const firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_INT:
    case FIRN_TYPE_LONG:
    case FIRN_TYPE_DATE:
    case FIRN_TYPE_TIME:
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_DECIMAL: return true;
    default: return false;
    }
}

static const firn_field *column_of(const question *q, const json_t *ref)
{
    const json_t *names = json_object_get(ref, "column_names");
    size_t n = json_array_size(names);
    if (!firn_streq(text_member(ref, "class"), "COLUMN_REF") || n == 0 || n > 2) {
        return NULL;
    }
    const char *alias = text_member(q->table->node, "alias");
    if (n == 2 && !firn_strcaseeq(alias, json_string_value(json_array_get(names, 0)))) {
        return NULL;
    }
    const char *name = json_string_value(json_array_get(names, n - 1));
    const firn_field *found = NULL;
    for (size_t i = 0; i < q->table->schema->root.n_fields; i++) {
        if (firn_strcaseeq(q->table->schema->root.fields[i].name, name)) {
            if (found != NULL) {
                return NULL;
            }
            found = &q->table->schema->root.fields[i];
        }
    }
    return found;
}

/* Is the function one that metadata can answer? Adds it. */
static bool add_aggregate(question *q, json_t *node)
{
    const char *name = text_member(node, "function_name");
    const json_t *children = json_object_get(node, "children");
    bool plain =
        empty(node, "filter") && !json_is_true(json_object_get(node, "distinct")) &&
        text_member(node, "schema")[0] == '\0' &&
        json_array_size(json_object_get(json_object_get(node, "order_bys"), "orders")) == 0;
    if (!plain || q->n == AGGREGATES_MAX) {
        return false;
    }
    if (firn_strcaseeq(name, "count_star")) {
        q->list[q->n++] = (aggregate){.node = node, .kind = COUNT_ROWS};
        return true;
    }
    if ((!firn_strcaseeq(name, "min") && !firn_strcaseeq(name, "max")) ||
        json_array_size(children) != 1) {
        return false;
    }
    const firn_field *field = column_of(q, json_array_get(children, 0));
    if (field == NULL || !keeps_whole_bounds(field->type)) {
        return false;
    }
    q->list[q->n++] = (aggregate){
        .node = node, .kind = firn_strcaseeq(name, "min") ? MINIMUM : MAXIMUM, .field = field};
    q->has_extremes = true;
    return true;
}

/* The select item may do anything with aggregates and constants, but look at no column outside of them. */
static bool read_item(question *q, json_t *node)
{
    if (json_is_array(node)) {
        size_t i;
        json_t *child;
        json_array_foreach(node, i, child)
        {
            if (!read_item(q, child)) {
                return false;
            }
        }
        return true;
    }
    if (!json_is_object(node)) {
        return true;
    }
    const char *class = text_member(node, "class");
    if (firn_streq(class, "FUNCTION") && add_aggregate(q, node)) {
        return true;
    }
    static const char *const REFUSED[] = {"COLUMN_REF",           "STAR",  "WINDOW", "SUBQUERY",
                                          "POSITIONAL_REFERENCE", "LAMBDA"};
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
        if (firn_streq(class, REFUSED[i])) {
            return false;
        }
    }
    if (firn_streq(class, "FUNCTION") && !json_is_true(json_object_get(node, "is_operator"))) {
        return false; /* some other aggregate, for all that is known here */
    }
    const char *key;
    json_t *child;
    json_object_foreach(node, key, child)
    {
        if (!read_item(q, child)) {
            return false;
        }
    }
    return true;
}

/* ---- the files' answer -------------------------------------------------------------------------------------------- */

static bool take_extreme(question *q, aggregate *a, const firn_data_file *file)
{
    for (size_t m = 0; m < file->n_metrics; m++) {
        const firn_column_metrics *metrics = &file->metrics[m];
        if (metrics->field_id != a->field->id) {
            continue;
        }
        firn_bytes bound = a->kind == MINIMUM ? metrics->lower : metrics->upper;
        bool all_null = metrics->value_count >= 0 && metrics->null_count == metrics->value_count &&
                        metrics->value_count == file->record_count;
        if (bound.data == NULL) {
            return all_null;
        }
        firn_value value, converted;
        if (firn_value_decode(a->field->type, bound, &value, NULL) != FIRN_OK ||
            !firn_value_convert(q->arena, &value, a->field->type, &converted)) {
            return false;
        }
        int order = a->any ? firn_value_cmp(&converted, &a->best) : 0;
        if (!a->any || (a->kind == MINIMUM ? order < 0 : order > 0)) {
            a->best = converted;
            a->any = true;
        }
        return true;
    }
    return false;
}

/* Go through the tasks; *sure turns false at the first one whose rows would have to be looked at. */
static firn_rc ask_files(firn_session *session, question *q, const firn_expr *filter,
                         firn_scan_stats *stats, bool *sure, firn_err *err)
{
    firn_lake *lake = session->engine->lake;
    firn_scan *scan;
    FIRN_TRY(firn_scan_open(
        q->arena,
        &(firn_scan_options){.storage = firn_lake_storage(lake),
                             .cache = firn_catalog_manifests(firn_lake_catalog(lake)),
                             .metadata = q->table->table.metadata,
                             .snapshot = q->table->snapshot,
                             .schema = q->table->schema,
                             .filter = filter,
                             .threads = session->engine->threads,
                             .with_metrics = q->has_extremes},
        &scan, err));
    *sure = true;
    while (*sure) {
        const firn_scan_task *task;
        FIRN_TRY(firn_scan_next(scan, &task, err));
        if (task == NULL) {
            break;
        }
        *sure = task->n_deletes == 0 && (filter == NULL || task->all_rows_match);
        q->count += task->file->record_count;
        for (size_t i = 0; *sure && i < q->n && task->file->record_count > 0; i++) {
            *sure = q->list[i].kind == COUNT_ROWS || take_extreme(q, &q->list[i], task->file);
        }
    }
    *stats = *firn_scan_statistics(scan);
    return FIRN_OK;
}

/* ---- constants in place ----------------------------------------------------------------------------------------------- */

static firn_rc constant_node(firn_session *session, question *q, const aggregate *a, json_t **out,
                             firn_err *err)
{
    const char *sql;
    if (a->kind == COUNT_ROWS) {
        sql = firn_arena_printf(q->arena, "SELECT CAST(%" PRId64 " AS BIGINT)", q->count);
    } else {
        const char *duck;
        FIRN_TRY(firn_type_to_duck(q->arena, a->field->type, a->field->name, &duck, err));
        const char *text =
            a->any ? firn_shape_value_text(q->arena, a->field->type, &a->best) : NULL;
        sql = firn_arena_printf(q->arena, "SELECT CAST(%s AS %s)",
                                text != NULL ? firn_sql_quote(q->arena, text) : "NULL", duck);
    }
    json_t *tree;
    FIRN_TRY(firn_duck_parse(session, q->arena, sql, &tree, err));
    *out = json_array_get(json_object_get(tree, "select_list"), 0);
    return FIRN_OK;
}

/* Unnamed items keep the names that DuckDB would have given them: "count_star()", "min(id)". */
static firn_rc name_items(firn_session *session, firn_arena *arena, json_t *select_list,
                          firn_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach(select_list, i, item)
    {
        if (text_member(item, "alias")[0] != '\0') {
            continue;
        }
        json_t *probe;
        char *sql;
        FIRN_TRY(firn_duck_parse(session, arena, "SELECT 1", &probe, err));
        json_array_set(json_object_get(probe, "select_list"), 0, item);
        FIRN_TRY(firn_duck_unparse(session, arena, probe, &sql, err));
        const char *name = firn_starts_with(sql, "SELECT ") ? sql + strlen("SELECT ") : sql;
        if (firn_streq(text_member(item, "function_name"), "count_star")) {
            name = "count_star()";
        }
        json_object_set_new(item, "alias", json_string(name));
    }
    return FIRN_OK;
}

static firn_rc put_constants(firn_session *session, question *q, firn_tree *tree, char **sql,
                             firn_err *err)
{
    FIRN_TRY(name_items(session, q->arena, json_object_get(tree->root, "select_list"), err));
    for (size_t i = 0; i < q->n; i++) {
        json_t *constant;
        FIRN_TRY(constant_node(session, q, &q->list[i], &constant, err));
        const char *alias = text_member(q->list[i].node, "alias");
        json_object_set_new(constant, "alias", json_string(alias));
        json_object_clear(q->list[i].node);
        json_object_update(q->list[i].node, constant);
    }
    json_t *nothing;
    FIRN_TRY(firn_duck_parse(session, q->arena, "SELECT 1", &nothing, err));
    json_object_set(tree->root, "from_table", json_object_get(nothing, "from_table"));
    json_object_set_new(tree->root, "where_clause", json_null());
    return firn_duck_unparse(session, q->arena, tree->root, sql, err);
}

bool firn_read_asks_metadata(firn_arena *arena, const firn_tree *tree)
{
    question *q = FIRN_NEW(arena, question);
    if (!is_simple(tree)) {
        return false;
    }
    q->table = tree->tables.items[0];
    return read_item(q, json_object_get(tree->root, "select_list")) && q->n > 0;
}

firn_rc firn_read_answer(firn_session *session, firn_arena *arena, firn_tree *tree,
                         firn_read_plan *out, bool *answered, firn_err *err)
{
    *answered = false;
    question *q = FIRN_NEW(arena, question);
    q->arena = arena;
    if (!is_simple(tree)) {
        return FIRN_OK;
    }
    q->table = tree->tables.items[0];
    if (!read_item(q, json_object_get(tree->root, "select_list")) || q->n == 0) {
        return FIRN_OK;
    }
    bool filtered = !json_is_null(json_object_get(tree->root, "where_clause"));
    const firn_plan_scan *scan = &q->table->scan;
    if (filtered && (scan->filter == NULL || !scan->exact)) {
        return FIRN_OK;
    }
    firn_scan_stats stats;
    FIRN_TRY(ask_files(session, q, filtered ? scan->filter : NULL, &stats, answered, err));
    /* With a filter, files that match whole are counted, and their bounds are of matching rows. */
    if (!*answered) {
        return FIRN_OK;
    }
    FIRN_TRY(put_constants(session, q, tree, &out->sql, err));
    firn_read_table *report = firn_vec_push_zero(arena, &out->tables);
    *report = (firn_read_table){
        .ident = q->table->ident,
        .metadata = q->table->table.metadata,
        .expr = filtered ? scan->filter : NULL,
        .ref = q->table->ref,
        .snapshot_id = q->table->snapshot != NULL ? q->table->snapshot->snapshot_id : -1,
        .stats = stats,
        .filter = filtered ? firn_expr_text(arena, q->table->schema, scan->filter) : "",
        .from_metadata = true};
    return FIRN_OK;
}

/* ---- LIMIT ---------------------------------------------------------------------------------------------------------------- */

/* Expressions that give one row per row: no function at all, since any could be an aggregate. */
static bool is_rowwise(const json_t *node)
{
    static const char *const REFUSED[] = {"FUNCTION", "WINDOW", "SUBQUERY"};
    const char *class = text_member(node, "class");
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
        if (firn_streq(class, REFUSED[i])) {
            return false;
        }
    }
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++) {
            if (!is_rowwise(json_array_get(node, i))) {
                return false;
            }
        }
        return true;
    }
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)node, key, child)
    {
        if ((json_is_object(child) || json_is_array(child)) && !is_rowwise(child)) {
            return false;
        }
    }
    return true;
}

/* A constant count; -1 for anything else, 0 for none. */
static int64_t constant_count(const json_t *expr)
{
    if (expr == NULL || json_is_null(expr)) {
        return 0;
    }
    const json_t *value = json_object_get(json_object_get(expr, "value"), "value");
    return firn_streq(text_member(expr, "class"), "CONSTANT") && json_is_integer(value) &&
                   json_integer_value(value) >= 0
               ? (int64_t)json_integer_value(value)
               : -1;
}

int64_t firn_read_row_limit(const firn_tree *tree)
{
    const json_t *modifiers = json_object_get(tree->root, "modifiers");
    if (!is_simple(tree) || json_array_size(modifiers) != 1 || !empty(tree->root, "where_clause") ||
        !is_rowwise(json_object_get(tree->root, "select_list"))) {
        return 0;
    }
    const json_t *limit = json_array_get(modifiers, 0);
    int64_t rows = constant_count(json_object_get(limit, "limit"));
    int64_t skipped = constant_count(json_object_get(limit, "offset"));
    int64_t sum;
    if (!firn_streq(text_member(limit, "type"), "LIMIT_MODIFIER") || rows <= 0 || skipped < 0 ||
        __builtin_add_overflow(rows, skipped, &sum)) {
        return 0;
    }
    return sum;
}
