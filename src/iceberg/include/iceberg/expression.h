/* Predicates over a table's columns: what scans prune by and what conflict checks compare.
 *
 * Trees are immutable and arena-owned. A leaf names a column by field id; literals carry the column's type.
 * Rows evaluate in SQL's three-valued logic and only `true` selects a row.
 */
#ifndef ICEBERG_EXPRESSION_H
#define ICEBERG_EXPRESSION_H

#include "iceberg/metadata.h"

typedef enum firn_expr_op {
    FIRN_EXPR_TRUE,
    FIRN_EXPR_FALSE,
    FIRN_EXPR_AND,
    FIRN_EXPR_OR,
    FIRN_EXPR_NOT,
    FIRN_EXPR_IS_NULL,
    FIRN_EXPR_NOT_NULL,
    FIRN_EXPR_IS_NAN,
    FIRN_EXPR_NOT_NAN,
    FIRN_EXPR_LT,
    FIRN_EXPR_LT_EQ,
    FIRN_EXPR_GT,
    FIRN_EXPR_GT_EQ,
    FIRN_EXPR_EQ,
    FIRN_EXPR_NOT_EQ,
    FIRN_EXPR_IN,
    FIRN_EXPR_NOT_IN,
    FIRN_EXPR_STARTS_WITH,
    FIRN_EXPR_NOT_STARTS_WITH,
} firn_expr_op;

typedef struct firn_expr firn_expr;
struct firn_expr {
    firn_expr_op op;
    const firn_expr *left, *right; /* AND, OR; NOT uses left */
    int32_t field_id;              /* leaves */
    const firn_type *type;         /* of that field */
    const firn_value *values;      /* comparisons: 1; IN: n, sorted */
    size_t n_values;
};

const firn_expr *firn_expr_true(void);
const firn_expr *firn_expr_false(void);
/* Constructors simplify (TRUE AND x = x, IN of one = EQ, ...). NULL stands for TRUE as argument. */
const firn_expr *firn_expr_and(firn_arena *arena, const firn_expr *a, const firn_expr *b);
const firn_expr *firn_expr_or(firn_arena *arena, const firn_expr *a, const firn_expr *b);
const firn_expr *firn_expr_not(firn_arena *arena, const firn_expr *a);
/* A leaf; `value` is converted to the field's type. If it cannot be done exactly, a weaker predicate that every
 * matching row still satisfies is given (TRUE at worst), and *exact (nullable) turns false. */
const firn_expr *firn_expr_leaf(firn_arena *arena, firn_expr_op op, const firn_field *field,
                                const firn_value *values, size_t n, bool *exact);
const firn_expr *firn_expr_rewrite_not(firn_arena *arena, const firn_expr *expr); /* no NOT left */

/* REST "Expression" JSON both ways; terms are column names of the schema. */
firn_rc firn_expr_from_json(firn_arena *arena, const firn_schema *schema, const json_t *json,
                            bool case_sensitive, const firn_expr **out,
                            firn_err *err) FIRN_MUST_USE;
/* A filter as a client sends it, for pruning: a predicate that every row satisfies which the filter selects, by SQL's rules or by
 * Java's (where NULL <> 5 is true). Takes the old forms ("term", "value") and the new ones ("left", "right", "child"), numbers
 * for dates and times as Java writes unbound literals, and transforms of columns, which select nothing out. *exact: it is the
 * filter itself, by either's rules, NaN included. */
firn_rc firn_expr_from_filter_json(firn_arena *arena, const firn_schema *schema, const json_t *json,
                                   bool case_sensitive, const firn_expr **out, bool *exact,
                                   firn_err *err) FIRN_MUST_USE;
json_t *firn_expr_to_json(firn_arena *arena, const firn_schema *schema,
                          const firn_expr *expr); /* new reference */
char *firn_expr_text(firn_arena *arena, const firn_schema *schema,
                     const firn_expr *expr); /* for EXPLAIN */

/* Predicate over the partition tuple of `spec` implied by a row predicate (inclusive: every matching row's tuple
 * satisfies it) or implying it (strict). Leaves refer to partition field ids. */
const firn_expr *firn_expr_project(firn_arena *arena, const firn_expr *expr,
                                   const firn_schema *schema, const firn_partition_spec *spec,
                                   bool strict);

#endif
