/* What the statements that change rows share: their target, what is left of their text, attempts, messages. */
#ifndef ENGINE_DML_H
#define ENGINE_DML_H

#include "ddl.h"
#include "duck.h"
#include "write.h"

/* The table that a statement changes, as it was when the statement (or its latest attempt) began. */
typedef struct firn_dml_target {
    firn_ident ident;
    const char *text;  /* "bronze.orders", for messages */
    const char *name;  /* how expressions call it without an alias */
    const char *alias; /* NULL: none */
    firn_table table;
    const firn_metadata *metadata;
} firn_dml_target;

/* The dotted name at the cursor. */
firn_rc firn_dml_parse_target(firn_session *session, firn_parser *parser, firn_dml_target *out,
                              firn_err *err) FIRN_MUST_USE;
/* Optional "[AS] alias" that is none of `stop` (blank-separated words). */
firn_rc firn_dml_parse_alias(firn_parser *parser, const char *stop, const char **alias,
                             firn_err *err) FIRN_MUST_USE;
/* (Re)load the table on the session's ref. */
firn_rc firn_dml_load(firn_session *session, firn_arena *arena, firn_dml_target *target,
                      firn_err *err) FIRN_MUST_USE;
/* Source text of [from, to). */
const char *firn_dml_text(const firn_parser *parser, size_t from, size_t to);
/* ( a, b, ... ) */
firn_rc firn_dml_parse_columns(firn_parser *parser, const char ***columns, size_t *n,
                               firn_err *err) FIRN_MUST_USE;
/* SQL with lake tables in it to SQL for DuckDB. */
firn_rc firn_dml_rewrite(firn_session *session, firn_arena *arena, const char *sql,
                         const char **out, firn_err *err) FIRN_MUST_USE;
/* RETURNING and ON CONFLICT, which firn has not: UNSUPPORTED says what to do instead. */
firn_rc firn_dml_refuse_clauses(const firn_parser *parser, firn_err *err) FIRN_MUST_USE;

/* A statement on a DuckDB temporary table: DuckDB's own. */
firn_rc firn_dml_temporary(firn_session *session, const char *sql, const char *tag,
                           const char *done, firn_result **out, firn_err *err) FIRN_MUST_USE;
/* Check an expression over the table when there is no file to run it on: so that a misspelt column is told all the same. */
firn_rc firn_dml_check(firn_session *session, firn_arena *arena, const firn_dml_target *target,
                       const char *expression, firn_err *err) FIRN_MUST_USE;

/* May the expression give another value each time it is evaluated? Then it must be evaluated once per row. */
bool firn_dml_is_volatile(const firn_session *session, firn_arena *arena, const char *expression);

/* "1 row", "21 rows" */
char *firn_dml_count(firn_arena *arena, int64_t n, const char *noun);

/* Does SQL text name the table? True when it cannot be told. */
bool firn_dml_reads(firn_session *session, firn_arena *arena, const char *sql, firn_ident ident);

/* Run `attempt` until it ends otherwise than by a conflict with another writer. Each attempt plans anew from the table's head, so
 * what a statement read is what it is committed upon. Inside, now() stands still. */
typedef firn_rc (*firn_dml_attempt_fn)(void *ctx, firn_arena *arena, firn_err *err);
firn_rc firn_dml_retry(firn_session *session, firn_dml_attempt_fn attempt, void *ctx,
                       firn_err *err) FIRN_MUST_USE;

#endif
