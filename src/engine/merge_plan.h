/* Rows of a table matched with rows of a source: the plan behind MERGE INTO, UPDATE ... FROM and DELETE ... USING.
 *
 * Matches are found once, into a temporary table of (file, position, source row, what to do, new values). So every condition and
 * expression is evaluated once and means the same in all later steps, and the rewriting itself is a join on positions.
 *
 *   merge_prune.c  what rows can match at all
 *   assign.c       SET lists: grammar, columns and members of structs, expressions
 *   merge_plan.c   matches, duplicates, rewriting, counts
 */
#ifndef ENGINE_MERGE_PLAN_H
#define ENGINE_MERGE_PLAN_H

#include "rowlevel.h"

typedef struct firn_assignment {
    const char **path; /* a, or b.c inside a struct */
    size_t n_path;
    const char *text; /* the expression */
} firn_assignment;
typedef FIRN_VEC(firn_assignment) firn_assignments;

/* a = expression, b.c = expression, ... up to a word that ends the list at this bracket depth (blank-separated). `target` may
 * stand in front of a name: t.a = ... */
firn_rc firn_parse_assignments(firn_parser *parser, const firn_dml_target *target, const char *stop,
                               firn_assignments *out, firn_err *err) FIRN_MUST_USE;
/* Index of the first token at the cursor's bracket depth that is one of the words and is not inside CASE ... END. */
size_t firn_clause_end(const firn_parser *parser, const char *words);
/* Every path names a column or a member, and none twice. */
firn_rc firn_check_assignments(firn_arena *arena, const firn_dml_target *target,
                               const firn_assignments *list, firn_err *err) FIRN_MUST_USE;
/* The new value of the schema's column `column` as SQL, cast to its type; *expr NULL when the list leaves the column alone. `row`
 * is how the old row is called, quoted; NULL when there is none (INSERT). */
firn_rc firn_assigned_sql(firn_arena *arena, const firn_dml_target *target,
                          const firn_assignments *list, size_t column, const char *row,
                          const char **expr, firn_err *err) FIRN_MUST_USE;

/* Values for nested columns have no members that the column lacks. `from` is the FROM clause in which the expressions stand, `with`
 * what goes before SELECT. */
firn_rc firn_check_assigned_types(firn_session *session, firn_arena *arena,
                                  const firn_dml_target *target, const firn_assignments *list,
                                  const char *with, const char *from, firn_err *err) FIRN_MUST_USE;

typedef enum firn_merge_match {
    FIRN_MERGE_MATCHED,
    FIRN_MERGE_NOT_MATCHED,
    FIRN_MERGE_NOT_MATCHED_BY_SOURCE,
} firn_merge_match;
typedef enum firn_merge_action {
    FIRN_MERGE_NOTHING,
    FIRN_MERGE_UPDATE,
    FIRN_MERGE_UPDATE_ALL, /* UPDATE SET * */
    FIRN_MERGE_DELETE,
    FIRN_MERGE_INSERT,
    FIRN_MERGE_INSERT_ALL, /* INSERT * */
} firn_merge_action;

typedef struct firn_merge_clause {
    firn_merge_match match;
    const char *condition; /* NULL: none */
    firn_merge_action action;
    firn_assignments assignments; /* UPDATE; for INSERT (a, b) VALUES (x, y): a = x, b = y */
} firn_merge_clause;

typedef struct firn_merge {
    firn_session *session;
    firn_dml_target target;
    const char *operation, *statement;
    const char *source;       /* FROM items, as written */
    const char *source_alias; /* NULL: several items (UPDATE ... FROM a, b) */
    const char *condition;
    FIRN_VEC(firn_merge_clause) clauses;
    bool many_matches; /* a row may match several source rows (DELETE ... USING) */
    /* out */
    int64_t inserted, updated, deleted;
    int64_t n_rewritten, n_removed, n_delete_files;
} firn_merge;

/* FROM item between the cursor and the next of `stop`, with the name that expressions call it by. */
firn_rc firn_parse_merge_source(firn_parser *parser, const char *stop, const char **item,
                                const char **alias, firn_err *err) FIRN_MUST_USE;
firn_rc firn_merge_run(firn_merge *merge, firn_err *err) FIRN_MUST_USE;

/* A condition on the table alone that every row with a match fulfils, as SQL; NULL: none is known. The source is in the temporary
 * table `source_table`. */
firn_rc firn_merge_prune(const firn_merge *merge, firn_arena *arena, const char *source_table,
                         const firn_duck_column *columns, size_t n_columns, const char **where,
                         firn_err *err) FIRN_MUST_USE;

#endif
