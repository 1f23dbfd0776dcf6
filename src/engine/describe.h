/* What one table or view looks like: DESCRIBE, SHOW CREATE. */
#ifndef ENGINE_DESCRIBE_H
#define ENGINE_DESCRIBE_H

#include "ddl.h"

/* DESCRIBE, the cursor behind that word: a table, a view, a schema, a temporary table, or any query. */
firn_rc firn_exec_describe(firn_session *session, firn_parser *parser, const char *sql,
                           firn_result **out, firn_err *err) FIRN_MUST_USE;
/* Columns of a table or view; extended: also how and where it is kept. */
firn_rc firn_describe_entry(firn_session *session, firn_arena *arena, firn_ident ident,
                            bool extended, firn_result **out, firn_err *err) FIRN_MUST_USE;
/* The statement that makes the table or view again. */
firn_rc firn_show_create(firn_session *session, firn_arena *arena, firn_ident ident,
                         firn_result **out, firn_err *err) FIRN_MUST_USE;

#endif
