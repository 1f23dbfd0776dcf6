/* Private heart of the engine: what a session holds, and the seams between its rooms.
 *
 *   lexer.h       tokens of SQL text (no DuckDB)
 *   statement.h   splitting and classifying statements; the grammar of firn's own statements builds on it
 *   duck_api.h    DuckDB's functions, loaded when the first database is opened
 *   duck.h        the only wrapper of DuckDB's C API: queries, chunks, errors
 *   read.h        lake tables inside SELECTs: resolve, plan, rewrite
 *   write.h       query results into data files (COPY ... RETURN_STATS) and table changes into commits
 *   ddl*.c dml*.c show.c call.c refs.c view.c   one file per family of statements
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "duck_api.h"

#include "engine/engine.h"

#include <pthread.h>

struct firn_engine {
    firn_lake *lake;      /* nullable */
    pthread_mutex_t lock; /* opening of the databases, `footers` */
    duckdb_database db;   /* opened by the first statement that needs it: use firn_duck_connect */
    duckdb_database planner; /* holds empty stubs only: predicates for pruning (predicate.c) */
    int threads;
    struct firn_scan_registry
        *scans; /* what SQL functions of live scans look things up in (scans.h) */
    struct firn_footer_cache
        *footers; /* schemas of Parquet files that had to be looked at (footers.h) */
    const struct firn_outside_procedure *procedures; /* of rooms above (procedures.h) */
    size_t n_procedures;
    bool write_ready; /* what writing needs is set up (write.c); under `lock` */
};

struct firn_session {
    firn_engine *engine;
    duckdb_connection conn;
    char *ref;    /* heap */
    char *schema; /* current namespace (heap, levels joined by FIRN_NS_SEP); default "default" */
    char *author, *message;
    int64_t statement_us;     /* start of the running statement: one now() for all it does */
    _Atomic bool interrupted; /* by firn_session_interrupt; cleared when a statement starts */
    /* Statements that are run again and again, prepared once (NULL: not yet). */
    duckdb_prepared_statement parse, unparse;
    struct firn_planner *planner; /* predicate.c; NULL: not yet */
    uint64_t next_name;           /* for names of variables and stubs */
    const struct firn_batch
        *batch; /* what the name `batch` means in the statement; NULL: nothing (rows.c) */
    _Atomic double
        work_done; /* 0..1 of work that firn itself does; below 0: DuckDB's progress counts */
    bool tracks_progress;  /* somebody looks at firn_session_progress */
    bool settings_changed; /* a SET or PRAGMA ran: the planner must follow */
    bool erasing;          /* firn_session_set_erasing */
    bool has_macros;       /* user macros could shadow functions: the planner cannot know them */
};

/* A statement's result made by firn itself: a message, or a small table of text. Both take ownership of nothing.
 * firn_result_table: `types` (nullable: all VARCHAR) are DuckDB's ("BIGINT"); rows are added by firn_result_add_row, cells copied,
 * NULL for SQL null. */
firn_result *firn_result_command(const char *tag, int64_t rows_affected, const char *fmt, ...)
    FIRN_PRINTF(3, 4);
firn_result *firn_result_table(const char *tag, const char *const *names, const char *const *types,
                               size_t n_columns);
void firn_result_add_row(firn_result *result, const char *const *cells);
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
