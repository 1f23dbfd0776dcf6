/* Predicates for pruning, out of DuckDB's optimizer (docs/decisions/005-pruning-by-plan.md).
 *
 * The statement is planned by a second, tiny DuckDB that holds only empty stubs with the tables' column types; the filters that its
 * optimizer pushes into each stub's scan are what every wanted row fulfils. A filter is used whole or not at all, so what is not
 * understood costs pruning and never rows.
 */
#ifndef ENGINE_PREDICATE_H
#define ENGINE_PREDICATE_H

#include "read.h"

typedef struct firn_planner firn_planner;
void firn_planner_free(firn_planner *planner);

/* One table occurrence of a statement. */
typedef struct firn_plan_scan {
    const firn_schema *schema;
    const char *stub;        /* out of firn_plan_stub: "(SELECT c0 AS id, ... FROM firn_stub_3)" */
    const char *table;       /* out: the stub itself */
    const firn_expr *filter; /* out of firn_plan_filters: TRUE if nothing is known */
    bool exact;              /* out: the filter is all that restricts the rows of this scan */
} firn_plan_scan;

/* Fill scan->stub; no two scans of one statement share a stub. Call firn_plan_begin before the first. UNSUPPORTED and the like
 * mean: do not prune. */
firn_rc firn_plan_begin(firn_session *session, firn_err *err) FIRN_MUST_USE;
firn_rc firn_plan_stub(firn_session *session, firn_arena *arena, firn_plan_scan *scan,
                       firn_err *err) FIRN_MUST_USE;
/* `sql` mentions the stubs. */
firn_rc firn_plan_filters(firn_session *session, firn_arena *arena, const char *sql,
                          firn_plan_scan *const *scans, size_t n, firn_err *err) FIRN_MUST_USE;

#endif
