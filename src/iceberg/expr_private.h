/* Between the files that build, project and evaluate predicates. */
#ifndef ICEBERG_EXPR_PRIVATE_H
#define ICEBERG_EXPR_PRIVATE_H

#include "iceberg/manifest.h"

/* A leaf as given; values are copied (shallowly). */
const firn_expr *firn_expr_make_leaf(firn_arena *arena, firn_expr_op op, int32_t field_id,
                                     const firn_type *type, const firn_value *values, size_t n);
/* IN, NOT IN or, for one value, EQ, NOT EQ; sorts `values` in place and drops duplicates. n > 0. */
const firn_expr *firn_expr_make_set(firn_arena *arena, bool negated, int32_t field_id,
                                    const firn_type *type, firn_value *values, size_t n);

/* What NOT makes of the operator: >= of <, IS NULL of IS NOT NULL, OR of AND. */
firn_expr_op firn_expr_opposite(firn_expr_op op);

/* What is known of a set of values of one column: a file's metrics, or a manifest's partition summary. */
typedef struct firn_value_stats {
    const firn_value *lower, *upper;            /* NULL or is_null: not known */
    int64_t value_count, null_count, nan_count; /* -1: not known */
} firn_value_stats;

typedef enum firn_verdict {
    FIRN_MAY_MATCH,
    FIRN_NEVER_BY_BOUNDS,
    FIRN_NEVER_BY_COUNTS, /* nulls and NaNs */
} firn_verdict;

/* Can any of the values satisfy the leaf? */
firn_verdict firn_leaf_may_match(const firn_expr *leaf, const firn_value_stats *stats);
/* Do all of them, nulls included, satisfy it? `required`: the column holds no nulls even where not counted. */
bool firn_leaf_all_match(const firn_expr *leaf, const firn_value_stats *stats, bool required);

/* Does the partition tuple satisfy an expression over partition fields (no NOT)? */
bool firn_expr_tuple_matches(const firn_expr *expr, const firn_partition_spec *spec,
                             const firn_value *tuple);
/* May a tuple that the summaries cover satisfy it? Always true when they do not fit the spec. */
bool firn_expr_summary_may_match(const firn_expr *expr, const firn_partition_spec *spec,
                                 const firn_type *partition_type,
                                 const firn_partition_summary *summaries, size_t n);

/* The projection of one leaf (strict or inclusive), as firn_expr_project does for whole trees. */
const firn_expr *firn_expr_project_leaf(firn_arena *arena, const firn_expr *leaf,
                                        const firn_schema *schema, const firn_partition_spec *spec,
                                        bool strict);

#endif
