/*
 * scan_filter.c - asking one predicate of many files, cheapest question first: the partition tuple, then counts and
 * bounds of the columns that the predicate names.
 *
 * Strictness is decided leaf by leaf, each by the partition or by the metrics, whichever knows: day = '2024-02-15'
 * AND amount > 5 may hold for a whole file because its partition says the one and its bounds the other.
 */
#include "scan_filter.h"

typedef struct filter_node {
    firn_expr_op op;
    uint32_t left, right; /* nodes, AND and OR */
    const firn_expr *leaf;
    uint32_t leaf_index;
    uint32_t field;    /* index of the leaf's field */
    bool is_top_level; /* metrics of nested fields do not count rows */
    bool required;
} filter_node;

struct firn_file_filter {
    firn_arena *arena; /* only while being made */
    const firn_metadata *metadata;
    const firn_schema *schema;
    const firn_expr *expr; /* no NOT */
    FIRN_VEC(filter_node) nodes;
    uint32_t root;
    uint32_t n_leaves;
    FIRN_VEC(const firn_expr *) fields; /* a leaf of each distinct field */
    firn_filter_spec *specs;
    size_t n_specs;
};

static uint32_t field_index(firn_file_filter *filter, const firn_expr *leaf)
{
    for (size_t i = 0; i < filter->fields.len; i++) {
        if (filter->fields.items[i]->field_id == leaf->field_id)
            return (uint32_t)i;
    }
    firn_vec_push(filter->arena, &filter->fields, leaf);
    return (uint32_t)filter->fields.len - 1;
}

static uint32_t add_node(firn_file_filter *filter, const firn_expr *expr)
{
    filter_node node = {.op = expr->op, .leaf = expr};
    if (expr->op == FIRN_EXPR_AND || expr->op == FIRN_EXPR_OR) {
        node.left = add_node(filter, expr->left);
        node.right = add_node(filter, expr->right);
    } else if (expr->op != FIRN_EXPR_TRUE && expr->op != FIRN_EXPR_FALSE) {
        node.leaf_index = filter->n_leaves++;
        node.field = field_index(filter, expr);
        const firn_type *root = &filter->schema->root;
        for (size_t i = 0; i < root->n_fields; i++) {
            if (root->fields[i].id != expr->field_id)
                continue;
            node.is_top_level = true;
            node.required = root->fields[i].required;
        }
    }
    firn_vec_push(filter->arena, &filter->nodes, node);
    return (uint32_t)filter->nodes.len - 1;
}

static void project_spec(const firn_file_filter *filter, firn_arena *arena,
                         const firn_partition_spec *spec, const firn_type *partition_type,
                         firn_filter_spec *out)
{
    out->spec = spec;
    out->partition_type = partition_type;
    out->inclusive = firn_expr_project(arena, filter->expr, filter->schema, spec, false);
    out->strict = FIRN_NEW_N(arena, const firn_expr *, filter->n_leaves);
    for (size_t i = 0; i < filter->nodes.len; i++) {
        const filter_node *node = &filter->nodes.items[i];
        bool is_leaf = node->op != FIRN_EXPR_AND && node->op != FIRN_EXPR_OR &&
                       node->op != FIRN_EXPR_TRUE && node->op != FIRN_EXPR_FALSE;
        if (is_leaf)
            out->strict[node->leaf_index] =
                firn_expr_project_leaf(arena, node->leaf, filter->schema, spec, true);
    }
}

firn_file_filter *firn_file_filter_new(firn_arena *arena, const firn_metadata *metadata,
                                       const firn_schema *schema, const firn_expr *expr)
{
    firn_file_filter *filter = FIRN_NEW(arena, firn_file_filter);
    filter->arena = arena;
    filter->metadata = metadata;
    filter->schema = schema;
    filter->expr = firn_expr_rewrite_not(arena, expr);
    filter->root = add_node(filter, filter->expr);
    filter->n_specs = metadata->n_specs;
    filter->specs = FIRN_NEW_N(arena, firn_filter_spec, filter->n_specs);
    for (size_t i = 0; i < filter->n_specs; i++)
        project_spec(filter, arena, metadata->specs[i],
                     firn_partition_type_of(arena, metadata, metadata->specs[i]),
                     &filter->specs[i]);
    return filter;
}

bool firn_file_filter_is_true(const firn_file_filter *filter)
{
    return filter->expr->op == FIRN_EXPR_TRUE;
}

static const firn_filter_spec *find_spec(const firn_file_filter *filter, int32_t spec_id)
{
    for (size_t i = 0; i < filter->n_specs; i++) {
        if (filter->specs[i].spec->spec_id == spec_id)
            return &filter->specs[i];
    }
    return NULL;
}

bool firn_file_filter_manifest(const firn_file_filter *filter, const firn_manifest_file *file)
{
    const firn_filter_spec *spec = find_spec(filter, file->spec_id);
    return !spec || firn_expr_summary_may_match(spec->inclusive, spec->spec, spec->partition_type,
                                                file->partitions, file->n_partitions);
}

void firn_filter_bind(const firn_file_filter *filter, firn_arena *arena, firn_manifest *manifest,
                      firn_filter_binding *out)
{
    *out = (firn_filter_binding){.filter = filter, .manifest = manifest};
    out->spec = find_spec(filter, manifest->spec_id);
    if (!out->spec) { /* a spec that the table has dropped; the manifest knows it */
        firn_filter_spec *own = FIRN_NEW(arena, firn_filter_spec);
        project_spec(filter, arena, manifest->spec, manifest->partition_type, own);
        out->spec = own;
    }
    out->columns = FIRN_NEW_N(arena, const firn_metric_column *, filter->fields.len);
    for (size_t i = 0; i < filter->fields.len; i++) {
        const firn_expr *leaf = filter->fields.items[i];
        out->columns[i] = firn_manifest_column(manifest, leaf->field_id, leaf->type);
    }
}

static firn_value_stats stats_of(const firn_metric_column *column, size_t i)
{
    return (firn_value_stats){
        .lower = &column->lower[i],
        .upper = &column->upper[i],
        .value_count = column->value_counts[i],
        .null_count = column->null_counts[i],
        .nan_count = column->nan_counts[i],
    };
}

static firn_verdict may_match(const firn_filter_binding *b, uint32_t at, size_t i)
{
    const filter_node *node = &b->filter->nodes.items[at];
    firn_verdict left, right;
    switch (node->op) {
    case FIRN_EXPR_TRUE: return FIRN_MAY_MATCH;
    case FIRN_EXPR_FALSE: return FIRN_NEVER_BY_BOUNDS;
    case FIRN_EXPR_AND:
        left = may_match(b, node->left, i);
        return left != FIRN_MAY_MATCH ? left : may_match(b, node->right, i);
    case FIRN_EXPR_OR:
        left = may_match(b, node->left, i);
        if (left == FIRN_MAY_MATCH)
            return left;
        right = may_match(b, node->right, i);
        return right == FIRN_NEVER_BY_COUNTS ? left : right;
    default: break;
    }
    firn_value_stats stats = stats_of(b->columns[node->field], i);
    return firn_leaf_may_match(node->leaf, &stats);
}

firn_fate firn_filter_test(const firn_filter_binding *b, size_t i)
{
    if (b->manifest->record_count[i] == 0)
        return FIRN_SKIP_COUNTS;
    if (!firn_filter_tuple(b, firn_manifest_tuple(b->manifest, i)))
        return FIRN_SKIP_PARTITION;
    switch (may_match(b, b->filter->root, i)) {
    case FIRN_MAY_MATCH: return FIRN_KEEP;
    case FIRN_NEVER_BY_BOUNDS: return FIRN_SKIP_BOUNDS;
    case FIRN_NEVER_BY_COUNTS: return FIRN_SKIP_COUNTS;
    }
    return FIRN_KEEP;
}

bool firn_filter_tuple(const firn_filter_binding *b, const firn_value *tuple)
{
    return firn_expr_tuple_matches(b->spec->inclusive, b->spec->spec, tuple);
}

/* `row` SIZE_MAX: by the partition alone. */
static bool all_match(const firn_filter_binding *b, uint32_t at, const firn_value *tuple,
                      size_t row)
{
    const filter_node *node = &b->filter->nodes.items[at];
    switch (node->op) {
    case FIRN_EXPR_TRUE: return true;
    case FIRN_EXPR_FALSE: return false;
    case FIRN_EXPR_AND:
        return all_match(b, node->left, tuple, row) && all_match(b, node->right, tuple, row);
    case FIRN_EXPR_OR:
        return all_match(b, node->left, tuple, row) || all_match(b, node->right, tuple, row);
    default: break;
    }
    if (firn_expr_tuple_matches(b->spec->strict[node->leaf_index], b->spec->spec, tuple))
        return true;
    if (row == SIZE_MAX || !node->is_top_level)
        return false;
    firn_value_stats stats = stats_of(b->columns[node->field], row);
    return firn_leaf_all_match(node->leaf, &stats, node->required);
}

bool firn_filter_all_match(const firn_filter_binding *b, size_t i)
{
    return all_match(b, b->filter->root, firn_manifest_tuple(b->manifest, i), i);
}

bool firn_filter_tuple_all_match(const firn_filter_binding *b, const firn_value *tuple)
{
    return all_match(b, b->filter->root, tuple, SIZE_MAX);
}
