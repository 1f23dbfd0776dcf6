/* Private heart of the engine: what a session holds, and the seams between its rooms.
 *
 *   lexer.h       tokens of SQL text (no DuckDB)
 *   statement.h   splitting and classifying statements; the grammar of firn's own statements builds on it
 *   duck.h        the only wrapper of DuckDB's C API: queries, chunks, errors
 *   read.h        lake tables inside SELECTs: resolve, plan, rewrite
 *   write.h       query results into data files (COPY ... RETURN_STATS) and table changes into commits
 *   ddl*.c dml*.c show.c call.c refs.c view.c   one file per family of statements
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "engine/engine.h"

#include <duckdb.h>

struct firn_engine {
    firn_lake *lake; /* nullable */
    duckdb_database db;
    int threads;
    void *scans; /* registry of live scans for table functions and delete vectors (read.h) */
};

struct firn_session {
    firn_engine *engine;
    duckdb_connection conn;
    char *ref;    /* heap */
    char *schema; /* current namespace (heap, levels joined by FIRN_NS_SEP); default "default" */
    char *author, *message;
    int64_t statement_us; /* start of the running statement: one now() for all it does */
};

/* A statement's result made by firn itself: a message, or a small table of text. Both take ownership of nothing. */
firn_result *firn_result_command(const char *tag, int64_t rows_affected, const char *fmt, ...)
    FIRN_PRINTF(3, 4);
/* Rows from a DuckDB query that has been run with streaming; takes the result over. `keep` (nullable) is freed with it: the arena
 * that holds the scans the query reads. */
firn_result *firn_result_duck(duckdb_result *result, firn_arena *keep, const char *tag);
/* Run `sql` (DuckDB SQL, lake tables already replaced) and give its rows as the statement's result. */
firn_rc firn_session_rows(firn_session *session, const char *duckdb_sql, firn_arena *keep,
                          const char *tag, firn_result **out, firn_err *err) FIRN_MUST_USE;

/* "orders", "bronze.orders", quoted parts: to an ident with the session's schema. */
firn_rc firn_session_resolve(firn_session *session, firn_arena *arena, const char *const *parts,
                             size_t n_parts, firn_ident *out, firn_err *err) FIRN_MUST_USE;

#endif
