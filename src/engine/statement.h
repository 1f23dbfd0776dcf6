/* Statements: splitting a script, finding out whose grammar each one is, and dispatch. */
#ifndef ENGINE_STATEMENT_H
#define ENGINE_STATEMENT_H

#include "lexer.h"
#include "session.h"

/* The statements of a script, in order; empty ones are left out. Blanks in front of each keep its lines and columns what they are
 * in the script, so that messages point to the right place (in the first 8 MB of such blanks). SYNTAX for an open quote or comment. */
firn_rc firn_statement_split(firn_arena *arena, const char *sql, char ***statements, size_t *n,
                             firn_err *err) FIRN_MUST_USE;
/* One statement (a semicolon behind it is fine). */
firn_rc firn_statement_execute(firn_session *session, const char *sql, firn_result **out,
                               firn_err *err) FIRN_MUST_USE;
/* Tokens of one statement and a cursor at its start; a trailing semicolon is cut off. */
firn_rc firn_parser_open(firn_arena *arena, const char *sql, firn_parser *out,
                         firn_err *err) FIRN_MUST_USE;

typedef firn_rc (*firn_statement_fn)(firn_session *session, const char *sql, firn_result **out,
                                     firn_err *err);

/* One row per family: leading words -> handler. NULL when nobody knows the statement. */
firn_statement_fn firn_statement_handler(const firn_parser *parser);

/* The cursor must be at a query: behind AS in CREATE TABLE and CREATE VIEW. */
firn_rc firn_expect_query(const firn_parser *parser, firn_err *err) FIRN_MUST_USE;

/* SELECT and all that DuckDB parses like one: rewritten by the read side, run by DuckDB. */
firn_rc firn_exec_select(firn_session *session, const char *sql, firn_result **out,
                         firn_err *err) FIRN_MUST_USE;

/* DDL and the rest; one file each: ddl_table.c, ddl_alter.c, ddl_schema.c, view.c, show.c, call.c, refs.c */
firn_rc firn_exec_create_table(firn_session *session, const char *sql, firn_result **out,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_drop_table(firn_session *session, const char *sql, firn_result **out,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_alter_table(firn_session *session, const char *sql, firn_result **out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_comment(firn_session *session, const char *sql, firn_result **out,
                          firn_err *err) FIRN_MUST_USE; /* COMMENT ON TABLE|VIEW|COLUMN */
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
