/* Statements: splitting a script, finding out whose grammar each one is, and dispatch. */
#ifndef ENGINE_STATEMENT_H
#define ENGINE_STATEMENT_H

#include "lexer.h"
#include "session.h"

typedef firn_rc (*firn_statement_fn)(firn_session *session, const char *sql, firn_result **out,
                                     firn_err *err);

/* One row per family: leading words -> handler. Whatever matches none goes to the read path or, if DuckDB itself must do it (SET,
 * PRAGMA, COPY TO, ...), to firn_exec_duck. */
firn_statement_fn firn_statement_handler(const firn_parser *parser);

/* DDL and the rest; one file each: ddl_table.c, ddl_alter.c, ddl_schema.c, view.c, show.c, call.c, refs.c */
firn_rc firn_exec_create_table(firn_session *session, const char *sql, firn_result **out,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_drop_table(firn_session *session, const char *sql, firn_result **out,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_alter_table(firn_session *session, const char *sql, firn_result **out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_schema(firn_session *session, const char *sql, firn_result **out, firn_err *err)
    FIRN_MUST_USE; /* CREATE/DROP/ALTER SCHEMA|NAMESPACE|DATABASE, USE */
firn_rc firn_exec_view(firn_session *session, const char *sql, firn_result **out,
                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_show(firn_session *session, const char *sql, firn_result **out,
                       firn_err *err) FIRN_MUST_USE; /* SHOW ..., DESCRIBE t */
firn_rc firn_exec_call(firn_session *session, const char *sql, firn_result **out,
                       firn_err *err) FIRN_MUST_USE; /* CALL rollback_to_snapshot(...) */
firn_rc firn_exec_refs(firn_session *session, const char *sql, firn_result **out,
                       firn_err *err) FIRN_MUST_USE; /* CREATE/DROP/MERGE/USE BRANCH, TAG */
firn_rc firn_exec_copy(firn_session *session, const char *sql, firn_result **out, firn_err *err)
    FIRN_MUST_USE; /* COPY (query or table) TO file; COPY table FROM file */
firn_rc firn_exec_duck(firn_session *session, const char *sql, firn_result **out,
                       firn_err *err) FIRN_MUST_USE; /* SET, PRAGMA, temp tables */

#endif
