/*
 * expr_eval.c - what statistics and partition tuples say about a predicate.
 *
 * Two questions. "May match": false only if it is certain that no row satisfies the predicate; a file is then not
 * read. "All match": true only if it is certain that every row does; the file may then be deleted or counted
 * without being read. Whatever is not recorded decides neither.
 *
 * Bounds leave out NaN, which the engine orders above every number: so an upper bound says nothing about x > v
 * unless NaNs are known to be absent. -0.0 and 0.0 are equal here, whichever of them a bound holds. UUID bounds
 * were written in signed order by old Java versions and are believed only where both orders agree.
 */
#include "expr_private.h"

static bool known(const firn_value *value)
{
    return value && !value->is_null;
}

static bool is_float(const firn_type *type)
{
    return type->id == FIRN_TYPE_FLOAT || type->id == FIRN_TYPE_DOUBLE;
}

static double number_of(const firn_value *value)
{
    return value->type == FIRN_TYPE_FLOAT ? (double)value->f32 : value->f64;
}

static int compare(const firn_value *a, const firn_value *b)
{
    if (a->type == FIRN_TYPE_FLOAT || a->type == FIRN_TYPE_DOUBLE) {
        double x = number_of(a), y = number_of(b);
        if (x == y)
            return 0;
        if (x < y)
            return -1;
        if (x > y)
            return 1;
    }
    return firn_value_cmp(a, b);
}

/* Order of UUIDs as two signed 64-bit halves. */
static int compare_signed_uuid(const firn_value *a, const firn_value *b)
{
    uint8_t x[16], y[16];
    memcpy(x, a->bytes.data, sizeof x);
    memcpy(y, b->bytes.data, sizeof y);
    x[0] ^= 0x80, x[8] ^= 0x80, y[0] ^= 0x80, y[8] ^= 0x80;
    return memcmp(x, y, sizeof x);
}

/* Does the value start with `prefix`: 0; is it before (-1) or after (1) everything that does? */
static int compare_prefix(const firn_value *value, firn_bytes prefix)
{
    size_t len = value->bytes.len < prefix.len ? value->bytes.len : prefix.len;
    int order = len ? memcmp(value->bytes.data, prefix.data, len) : 0;
    if (order == 0 && value->bytes.len < prefix.len)
        return -1;
    return order;
}

typedef int (*comparator)(const firn_value *, const firn_value *);

/* First value of a sorted set that is not less than `bound`. */
static size_t set_lower(const firn_expr *leaf, const firn_value *bound)
{
    size_t low = 0, high = leaf->n_values;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(&leaf->values[middle], bound) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Is a member of the set within [lower, upper]? */
static bool set_meets_range(const firn_expr *leaf, const firn_value *lower, const firn_value *upper,
                            comparator cmp)
{
    if (cmp == compare) {
        size_t first = known(lower) ? set_lower(leaf, lower) : 0;
        return first < leaf->n_values &&
               (!known(upper) || compare(&leaf->values[first], upper) <= 0);
    }
    for (size_t i = 0; i < leaf->n_values; i++) {
        if ((!known(lower) || cmp(&leaf->values[i], lower) >= 0) &&
            (!known(upper) || cmp(&leaf->values[i], upper) <= 0))
            return true;
    }
    return false;
}

/* ---- may match ------------------------------------------------------------------------------------------- */

static bool bounds_allow(const firn_expr *leaf, const firn_value_stats *stats, comparator cmp)
{
    const firn_value *lower = stats->lower, *upper = stats->upper, *value = leaf->values;
    bool no_nan = !is_float(leaf->type) || stats->nan_count == 0;
    switch (leaf->op) {
    case FIRN_EXPR_LT: return !known(lower) || cmp(lower, value) < 0;
    case FIRN_EXPR_LT_EQ: return !known(lower) || cmp(lower, value) <= 0;
    case FIRN_EXPR_GT: return !no_nan || !known(upper) || cmp(upper, value) > 0;
    case FIRN_EXPR_GT_EQ: return !no_nan || !known(upper) || cmp(upper, value) >= 0;
    case FIRN_EXPR_EQ:
        return (!known(lower) || cmp(lower, value) <= 0) &&
               (!known(upper) || cmp(upper, value) >= 0);
    case FIRN_EXPR_IN: return set_meets_range(leaf, lower, upper, cmp);
    case FIRN_EXPR_STARTS_WITH:
        return (!known(lower) || compare_prefix(lower, value->bytes) <= 0) &&
               (!known(upper) || compare_prefix(upper, value->bytes) >= 0);
    default: break;
    }
    /* The negative ones: only when every row is known to hold the one value, or to start with the prefix. */
    if (stats->null_count != 0 || !no_nan || !known(lower) || !known(upper))
        return true;
    if (leaf->op == FIRN_EXPR_NOT_STARTS_WITH)
        return compare_prefix(lower, value->bytes) != 0 || compare_prefix(upper, value->bytes) != 0;
    bool single = cmp(lower, upper) == 0;
    if (leaf->op == FIRN_EXPR_NOT_EQ)
        return !single || cmp(lower, value) != 0;
    if (leaf->op == FIRN_EXPR_NOT_IN)
        return !single || !set_meets_range(leaf, lower, upper, cmp);
    return true;
}

firn_verdict firn_leaf_may_match(const firn_expr *leaf, const firn_value_stats *stats)
{
    bool all_null = stats->null_count > 0 && stats->null_count == stats->value_count;
    bool all_nan = stats->nan_count > 0 && stats->nan_count == stats->value_count;
    switch (leaf->op) {
    case FIRN_EXPR_IS_NULL: return stats->null_count == 0 ? FIRN_NEVER_BY_COUNTS : FIRN_MAY_MATCH;
    case FIRN_EXPR_NOT_NULL: return all_null ? FIRN_NEVER_BY_COUNTS : FIRN_MAY_MATCH;
    case FIRN_EXPR_IS_NAN:
        return stats->nan_count == 0 || all_null ? FIRN_NEVER_BY_COUNTS : FIRN_MAY_MATCH;
    case FIRN_EXPR_NOT_NAN: return all_nan ? FIRN_NEVER_BY_COUNTS : FIRN_MAY_MATCH;
    case FIRN_EXPR_LT:
    case FIRN_EXPR_LT_EQ:
    case FIRN_EXPR_EQ:
    case FIRN_EXPR_IN:
    case FIRN_EXPR_STARTS_WITH:
        if (all_null || all_nan)
            return FIRN_NEVER_BY_COUNTS;
        break;
    case FIRN_EXPR_GT:
    case FIRN_EXPR_GT_EQ:
        if (all_null)
            return FIRN_NEVER_BY_COUNTS;
        break;
    default: break; /* engines with two-valued logic let nulls satisfy <>: keep those */
    }
    if (bounds_allow(leaf, stats, compare))
        return FIRN_MAY_MATCH;
    if (leaf->type->id == FIRN_TYPE_UUID && bounds_allow(leaf, stats, compare_signed_uuid))
        return FIRN_MAY_MATCH;
    return FIRN_NEVER_BY_BOUNDS;
}

/* ---- all match -------------------------------------------------------------------------------------------- */

static bool bounds_imply(const firn_expr *leaf, const firn_value *lower, const firn_value *upper,
                         comparator cmp)
{
    const firn_value *value = leaf->values;
    switch (leaf->op) {
    case FIRN_EXPR_LT: return known(upper) && cmp(upper, value) < 0;
    case FIRN_EXPR_LT_EQ: return known(upper) && cmp(upper, value) <= 0;
    case FIRN_EXPR_GT: return known(lower) && cmp(lower, value) > 0;
    case FIRN_EXPR_GT_EQ: return known(lower) && cmp(lower, value) >= 0;
    case FIRN_EXPR_NOT_EQ:
        return (known(lower) && cmp(lower, value) > 0) || (known(upper) && cmp(upper, value) < 0);
    default: break;
    }
    if (!known(lower) || !known(upper))
        return false;
    switch (leaf->op) {
    case FIRN_EXPR_EQ: return cmp(lower, value) == 0 && cmp(upper, value) == 0;
    case FIRN_EXPR_IN: return cmp(lower, upper) == 0 && set_meets_range(leaf, lower, upper, cmp);
    case FIRN_EXPR_NOT_IN: return !set_meets_range(leaf, lower, upper, cmp);
    case FIRN_EXPR_STARTS_WITH:
        return compare_prefix(lower, value->bytes) == 0 && compare_prefix(upper, value->bytes) == 0;
    case FIRN_EXPR_NOT_STARTS_WITH:
        return compare_prefix(lower, value->bytes) > 0 || compare_prefix(upper, value->bytes) < 0;
    default: return false;
    }
}

bool firn_leaf_all_match(const firn_expr *leaf, const firn_value_stats *stats, bool required)
{
    bool no_null = stats->null_count == 0 || (required && stats->null_count < 0);
    bool no_nan = !is_float(leaf->type) || stats->nan_count == 0;
    switch (leaf->op) {
    case FIRN_EXPR_IS_NULL: return stats->null_count > 0 && stats->null_count == stats->value_count;
    case FIRN_EXPR_NOT_NULL: return no_null;
    case FIRN_EXPR_IS_NAN: return stats->nan_count > 0 && stats->nan_count == stats->value_count;
    case FIRN_EXPR_NOT_NAN: return no_null && no_nan;
    default: break;
    }
    if (!no_null || !no_nan || !bounds_imply(leaf, stats->lower, stats->upper, compare))
        return false;
    return leaf->type->id != FIRN_TYPE_UUID ||
           bounds_imply(leaf, stats->lower, stats->upper, compare_signed_uuid);
}

/* ---- partition tuples --------------------------------------------------------------------------------------- */

static size_t find_partition_field(const firn_partition_spec *spec, int32_t field_id)
{
    for (size_t i = 0; i < spec->n_fields; i++) {
        if (spec->fields[i].field_id == field_id)
            return i;
    }
    return SIZE_MAX;
}

static bool value_matches(const firn_expr *leaf, const firn_value *value)
{
    bool negative = leaf->op == FIRN_EXPR_NOT_EQ || leaf->op == FIRN_EXPR_NOT_IN ||
                    leaf->op == FIRN_EXPR_NOT_STARTS_WITH;
    if (leaf->op == FIRN_EXPR_IS_NULL)
        return value->is_null;
    if (value->is_null)
        return false;
    bool nan = firn_value_is_nan(value);
    if (leaf->op == FIRN_EXPR_NOT_NULL)
        return true;
    if (leaf->op == FIRN_EXPR_IS_NAN || leaf->op == FIRN_EXPR_NOT_NAN)
        return nan == (leaf->op == FIRN_EXPR_IS_NAN);
    if (nan) /* greater than every literal */
        return negative || leaf->op == FIRN_EXPR_GT || leaf->op == FIRN_EXPR_GT_EQ;
    const firn_value *literal = leaf->values;
    switch (leaf->op) {
    case FIRN_EXPR_LT: return compare(value, literal) < 0;
    case FIRN_EXPR_LT_EQ: return compare(value, literal) <= 0;
    case FIRN_EXPR_GT: return compare(value, literal) > 0;
    case FIRN_EXPR_GT_EQ: return compare(value, literal) >= 0;
    case FIRN_EXPR_EQ: return compare(value, literal) == 0;
    case FIRN_EXPR_NOT_EQ: return compare(value, literal) != 0;
    case FIRN_EXPR_IN: return set_meets_range(leaf, value, value, compare);
    case FIRN_EXPR_NOT_IN: return !set_meets_range(leaf, value, value, compare);
    case FIRN_EXPR_STARTS_WITH: return compare_prefix(value, literal->bytes) == 0;
    case FIRN_EXPR_NOT_STARTS_WITH: return compare_prefix(value, literal->bytes) != 0;
    default: return false;
    }
}

bool firn_expr_tuple_matches(const firn_expr *expr, const firn_partition_spec *spec,
                             const firn_value *tuple)
{
    switch (expr->op) {
    case FIRN_EXPR_TRUE: return true;
    case FIRN_EXPR_FALSE: return false;
    case FIRN_EXPR_AND:
        return firn_expr_tuple_matches(expr->left, spec, tuple) &&
               firn_expr_tuple_matches(expr->right, spec, tuple);
    case FIRN_EXPR_OR:
        return firn_expr_tuple_matches(expr->left, spec, tuple) ||
               firn_expr_tuple_matches(expr->right, spec, tuple);
    default: break;
    }
    size_t i = find_partition_field(spec, expr->field_id);
    return i < spec->n_fields && value_matches(expr, &tuple[i]);
}

static bool summary_may_match(const firn_expr *leaf, const firn_type *type,
                              const firn_partition_summary *summary)
{
    firn_value lower = firn_value_null(type->id), upper = lower;
    /* A bound that does not decode (another type's, after an odd promotion) is one that is not known. */
    if (summary->lower.data && firn_value_decode(type, summary->lower, &lower, NULL) != FIRN_OK)
        lower.is_null = true;
    if (summary->upper.data && firn_value_decode(type, summary->upper, &upper, NULL) != FIRN_OK)
        upper.is_null = true;
    bool may_hold_nan = is_float(type) && summary->contains_nan != 0;
    bool only_nulls = summary->contains_null && !summary->lower.data && !may_hold_nan;
    bool only_nans = is_float(type) && summary->contains_nan == 1 && !summary->contains_null &&
                     !summary->lower.data;
    firn_value_stats stats = {
        .lower = &lower,
        .upper = &upper,
        .value_count = 1, /* counts that stand for "all" and "none" */
        .null_count = only_nulls               ? 1
                      : summary->contains_null ? -1
                                               : 0,
        .nan_count = only_nans      ? 1
                     : may_hold_nan ? -1
                                    : 0,
    };
    return firn_leaf_may_match(leaf, &stats) == FIRN_MAY_MATCH;
}

bool firn_expr_summary_may_match(const firn_expr *expr, const firn_partition_spec *spec,
                                 const firn_type *partition_type,
                                 const firn_partition_summary *summaries, size_t n)
{
    if (n != spec->n_fields || expr->op == FIRN_EXPR_TRUE)
        return true;
    if (expr->op == FIRN_EXPR_FALSE)
        return false;
    if (expr->op == FIRN_EXPR_AND)
        return firn_expr_summary_may_match(expr->left, spec, partition_type, summaries, n) &&
               firn_expr_summary_may_match(expr->right, spec, partition_type, summaries, n);
    if (expr->op == FIRN_EXPR_OR)
        return firn_expr_summary_may_match(expr->left, spec, partition_type, summaries, n) ||
               firn_expr_summary_may_match(expr->right, spec, partition_type, summaries, n);
    size_t i = find_partition_field(spec, expr->field_id);
    if (i >= spec->n_fields || firn_type_is_nested(partition_type->fields[i].type) ||
        partition_type->fields[i].type->id == FIRN_TYPE_UNKNOWN)
        return true;
    return summary_may_match(expr, partition_type->fields[i].type, &summaries[i]);
}
