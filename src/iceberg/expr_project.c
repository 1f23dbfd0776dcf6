/*
 * expr_project.c - row predicates as predicates over the partition tuple (spec: "Scan Planning", "Partition
 * Transforms").
 *
 * Inclusive: whatever row satisfies the row predicate lies in a partition that satisfies the projection; where a
 * transform says nothing, the projection is TRUE. Strict: every row of a partition that satisfies the projection
 * satisfies the predicate; where a transform says nothing, FALSE.
 *
 * With t the transform, p the partition value, all but bucket monotonic:
 *
 *   inclusive  x < v  ->  p <= t(v-1)    x <= v  ->  p <= t(v)     x > v  ->  p >= t(v+1)   x >= v  ->  p >= t(v)
 *   strict     x < v  ->  p <  t(v)      x <= v  ->  p <  t(v+1)   x > v  ->  p >  t(v)     x >= v  ->  p >  t(v-1)
 *
 * Strings have no v+1 and v-1: v itself stands in, which is weaker. Old Java writers rounded negative times towards
 * zero, so that a time before 1970 may sit one partition too high: time projections allow for both.
 */
#include "iceberg/expression.h"

#include "expr_private.h"

typedef struct projection {
    firn_arena *arena;
    const firn_expr *leaf;
    const firn_partition_field *field;
    const firn_type *source; /* of the column in the reading schema */
    const firn_type *result;
    bool strict;
} projection;

static const firn_expr *unknown(bool strict)
{
    return strict ? firn_expr_false() : firn_expr_true();
}

static bool is_time(firn_transform_kind kind)
{
    return kind == FIRN_TRANSFORM_YEAR || kind == FIRN_TRANSFORM_MONTH ||
           kind == FIRN_TRANSFORM_DAY || kind == FIRN_TRANSFORM_HOUR;
}

static bool transform_value(const projection *p, const firn_value *value, firn_value *out)
{
    return firn_transform_apply(p->arena, &p->field->transform, p->source, value, out, NULL) ==
               FIRN_OK &&
           !out->is_null;
}

/* The neighbour of a discrete value; false for types without one and at the ends. */
static bool step(const firn_value *value, int by, firn_value *out)
{
    *out = *value;
    switch (value->type) {
    case FIRN_TYPE_INT:
    case FIRN_TYPE_DATE: return !__builtin_add_overflow(value->i32, by, &out->i32);
    case FIRN_TYPE_LONG:
    case FIRN_TYPE_TIME:
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: return !__builtin_add_overflow(value->i64, by, &out->i64);
    case FIRN_TYPE_DECIMAL: out->decimal = value->decimal + by; return true;
    default: return false;
    }
}

static const firn_expr *leaf_of(const projection *p, firn_expr_op op, const firn_value *values,
                                size_t n)
{
    return firn_expr_make_leaf(p->arena, op, p->field->field_id, p->result, values, n);
}

/* Of a time transform's result: int or date. */
static bool is_negative(const firn_value *value)
{
    return value->i32 < 0;
}

/* x < v, x <= v, x > v, x >= v through a monotonic transform. */
static const firn_expr *project_range(const projection *p)
{
    firn_expr_op op = p->leaf->op;
    bool less = op == FIRN_EXPR_LT || op == FIRN_EXPR_LT_EQ;
    bool open = op == FIRN_EXPR_LT || op == FIRN_EXPR_GT;
    firn_value value = p->leaf->values[0], near, bound;
    int by = 0;
    if (!p->strict && open)
        by = less ? -1 : 1;
    else if (p->strict && !open)
        by = less ? 1 : -1;
    if (by != 0 && step(&value, by, &near))
        value = near;
    else if (by != 0 && p->strict && value.type != FIRN_TYPE_STRING &&
             value.type != FIRN_TYPE_BINARY)
        return unknown(true); /* at the end of the type */
    if (!transform_value(p, &value, &bound))
        return unknown(p->strict);
    bool fix = is_time(p->field->transform.kind);
    if (fix && !p->strict && less && is_negative(&bound) && step(&bound, 1, &near))
        bound = near;
    if (fix && p->strict && !less && bound.i32 <= 0 && step(&bound, 1, &near))
        bound = near;
    if (p->strict)
        return leaf_of(p, less ? FIRN_EXPR_LT : FIRN_EXPR_GT, &bound, 1);
    return leaf_of(p, less ? FIRN_EXPR_LT_EQ : FIRN_EXPR_GT_EQ, &bound, 1);
}

/* =, IN inclusively; <>, NOT IN strictly: the set of t(v). */
static const firn_expr *project_set(const projection *p, bool negated)
{
    if (negated != p->strict)
        return unknown(p->strict);
    firn_value *values = FIRN_NEW_N(p->arena, firn_value, 2 * p->leaf->n_values);
    size_t n = 0;
    for (size_t i = 0; i < p->leaf->n_values; i++) {
        firn_value *value = &values[n];
        if (!transform_value(p, &p->leaf->values[i], value))
            return unknown(p->strict);
        n++;
        if (is_time(p->field->transform.kind) && is_negative(value) && step(value, 1, &values[n]))
            n++;
    }
    return firn_expr_make_set(p->arena, negated, p->field->field_id, p->result, values, n);
}

static size_t code_points(firn_bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += (text.data[i] & 0xC0) != 0x80;
    return n;
}

static const firn_expr *project_prefix(const projection *p)
{
    bool negated = p->leaf->op == FIRN_EXPR_NOT_STARTS_WITH;
    const firn_value *value = &p->leaf->values[0];
    size_t width = (size_t)p->field->transform.param;
    size_t len = value->type == FIRN_TYPE_STRING ? code_points(value->bytes) : value->bytes.len;
    if (len < width)
        return leaf_of(p, p->leaf->op, value, 1);
    if (len == width)
        return leaf_of(p, negated ? FIRN_EXPR_NOT_EQ : FIRN_EXPR_EQ, value, 1);
    firn_value cut;
    if (negated != p->strict || !transform_value(p, value, &cut))
        return unknown(p->strict);
    return leaf_of(p, negated ? FIRN_EXPR_NOT_EQ : FIRN_EXPR_EQ, &cut, 1);
}

static const firn_expr *project_field(const projection *p)
{
    const firn_expr *leaf = p->leaf;
    firn_transform_kind kind = p->field->transform.kind;
    if (kind == FIRN_TRANSFORM_VOID || kind == FIRN_TRANSFORM_UNKNOWN || p->field->n_source_ids > 1)
        return unknown(p->strict);
    if (kind == FIRN_TRANSFORM_IDENTITY)
        return leaf_of(p, leaf->op, leaf->values, leaf->n_values);
    switch (leaf->op) {
    case FIRN_EXPR_IS_NULL:
    case FIRN_EXPR_NOT_NULL: return leaf_of(p, leaf->op, NULL, 0);
    case FIRN_EXPR_EQ:
    case FIRN_EXPR_IN: return project_set(p, false);
    case FIRN_EXPR_NOT_EQ:
    case FIRN_EXPR_NOT_IN: return project_set(p, true);
    case FIRN_EXPR_LT:
    case FIRN_EXPR_LT_EQ:
    case FIRN_EXPR_GT:
    case FIRN_EXPR_GT_EQ:
        return kind == FIRN_TRANSFORM_BUCKET ? unknown(p->strict) : project_range(p);
    case FIRN_EXPR_STARTS_WITH:
    case FIRN_EXPR_NOT_STARTS_WITH:
        return kind == FIRN_TRANSFORM_TRUNCATE ? project_prefix(p) : unknown(p->strict);
    default: return unknown(p->strict);
    }
}

const firn_expr *firn_expr_project_leaf(firn_arena *arena, const firn_expr *leaf,
                                        const firn_schema *schema, const firn_partition_spec *spec,
                                        bool strict)
{
    const firn_field *source = firn_schema_find_id(schema, leaf->field_id);
    const firn_expr *all = NULL;
    for (size_t i = 0; source && i < spec->n_fields; i++) {
        const firn_partition_field *field = &spec->fields[i];
        if (field->source_id != leaf->field_id)
            continue;
        projection p = {
            .arena = arena,
            .leaf = leaf,
            .field = field,
            .source = source->type,
            .result = firn_transform_result(arena, &field->transform, source->type),
            .strict = strict,
        };
        const firn_expr *one = project_field(&p);
        if (!all)
            all = one;
        else
            all = strict ? firn_expr_or(arena, all, one) : firn_expr_and(arena, all, one);
    }
    return all ? all : unknown(strict);
}

static const firn_expr *project(firn_arena *arena, const firn_expr *expr, const firn_schema *schema,
                                const firn_partition_spec *spec, bool strict)
{
    switch (expr->op) {
    case FIRN_EXPR_TRUE:
    case FIRN_EXPR_FALSE: return expr;
    case FIRN_EXPR_AND:
        return firn_expr_and(arena, project(arena, expr->left, schema, spec, strict),
                             project(arena, expr->right, schema, spec, strict));
    case FIRN_EXPR_OR:
        return firn_expr_or(arena, project(arena, expr->left, schema, spec, strict),
                            project(arena, expr->right, schema, spec, strict));
    default: return firn_expr_project_leaf(arena, expr, schema, spec, strict);
    }
}

const firn_expr *firn_expr_project(firn_arena *arena, const firn_expr *expr,
                                   const firn_schema *schema, const firn_partition_spec *spec,
                                   bool strict)
{
    return project(arena, firn_expr_rewrite_not(arena, expr), schema, spec, strict);
}
