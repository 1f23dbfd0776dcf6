/* Lake tables in DuckDB's syntax tree: finding them (below CTEs, subqueries, joins, views), working out which snapshot each one
 * means, and putting a name in its place that is later replaced by SQL text.
 */
#ifndef ENGINE_READ_TREE_H
#define ENGINE_READ_TREE_H

#include "predicate.h"

#include "iceberg/view.h"

typedef struct firn_occurrence {
    json_t *node;     /* its BASE_TABLE, already renamed to `mark` */
    const char *mark; /* "__firn_7__" */
    const char *text; /* "bronze.orders", for messages */
    firn_ident ident;
    const char *ref; /* catalog ref */
    firn_table table;
    const firn_snapshot *snapshot;
    bool at_empty;
    const firn_schema *schema;
    const char *metadata_table; /* NULL: the table itself */
    bool aliased;               /* the statement gave it an alias */
    const char *sql;            /* a text that stands for it, when it is no scan */
    firn_plan_scan scan;
} firn_occurrence;

typedef struct firn_tree {
    json_t *root;
    FIRN_VEC(firn_occurrence *) tables;
    FIRN_VEC(firn_ident) references; /* tables and views that the statement itself names */
    bool restricts;       /* has a WHERE, JOIN, HAVING or QUALIFY somewhere: predicates may exist */
    bool names_lineage;   /* names _row_id or _last_updated_sequence_number: scans give them */
    bool names_file;      /* names _file or _pos, likewise */
    bool volatile_inputs; /* something that a plan made elsewhere would evaluate otherwise */
    const char
        *foreign; /* "view s.v, whose SQL is spark's": the last one, for messages; NULL: none */
} firn_tree;

/* `sql`: one SELECT-like statement, after firn_read_time_travel. */
firn_rc firn_tree_open(firn_session *session, firn_arena *arena, const char *sql, firn_tree *out,
                       firn_err *err) FIRN_MUST_USE;
/* Only the names, nothing is loaded or replaced; *out->references. */
firn_rc firn_tree_references(firn_session *session, firn_arena *arena, const char *sql,
                             firn_tree *out, firn_err *err) FIRN_MUST_USE;

/* Put constants where conditions below `node` read the clock (read_now.c); `outermost`: node is the statement itself. */
firn_rc firn_tree_fix_clocks(firn_session *session, firn_arena *arena, firn_tree *tree,
                             json_t *node, bool outermost, firn_err *err) FIRN_MUST_USE;

/* Snapshot and schema that AT (VERSION => ...) or AT (TIMESTAMP => ...) means; `at` is DuckDB's at_clause. */
firn_rc firn_travel_resolve(firn_session *session, firn_arena *arena, const json_t *at,
                            firn_occurrence *occurrence, firn_err *err) FIRN_MUST_USE;

/* Views without a query in firn's dialect (view_dialect.c). */
bool firn_view_is_foreign(const firn_view *view);
/* The view's query, quoted as firn's SQL quotes. */
const char *firn_view_own_sql(firn_arena *arena, const firn_view *view);
/* `sql` in brackets, with the columns named as in the view's schema where the query itself may name them otherwise. */
const char *firn_view_named_sql(firn_arena *arena, const firn_view *view, const char *sql);

/* iceberg_scan('path'): a table outside the catalog (read_path.c). Turns the function's node into a BASE_TABLE. */
bool firn_tree_is_path_scan(const json_t *node);
firn_rc firn_tree_open_path_scan(firn_session *session, firn_arena *arena, json_t *node,
                                 firn_occurrence *out, firn_err *err) FIRN_MUST_USE;

#endif
