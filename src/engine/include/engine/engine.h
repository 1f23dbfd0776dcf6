/* The engine: SQL over lake tables, executed by DuckDB inside this process.
 *
 * One firn_engine per process (one in-memory DuckDB instance with memory limit and spill folder); one firn_session per
 * conversation (a DuckDB connection, a current ref and a current schema). A session belongs to one thread at a time; only
 * firn_session_interrupt may be called from another.
 *
 * SELECTs are parsed by DuckDB, lake tables in the tree are replaced by planned scans, and the tree is executed. Everything that
 * changes tables is firn's own grammar and ends in one catalog commit per statement. A failed statement leaves every table
 * exactly as it was.
 *
 * Errors: SYNTAX with line and column, NO_TABLE / NO_COLUMN with the nearest name, TYPE, CHECK_FAILED (NOT NULL), UNSUPPORTED,
 * MEMORY, CANCELLED, ENGINE, and those of catalog, iceberg and storage.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "lake/lake.h"

typedef struct firn_engine firn_engine;
typedef struct firn_session firn_session;
typedef struct firn_result firn_result;

/* lake NULL: no tables, only what DuckDB itself can read. */
firn_rc firn_engine_open(firn_lake *lake, firn_engine **out, firn_err *err) FIRN_MUST_USE;
void firn_engine_close(firn_engine *engine); /* after its sessions */
firn_lake *firn_engine_lake(firn_engine *engine);

firn_rc firn_session_new(firn_engine *engine, const char *ref /* NULL: main */, firn_session **out,
                         firn_err *err) FIRN_MUST_USE;
void firn_session_free(firn_session *session);
const char *firn_session_ref(const firn_session *session);
firn_rc firn_session_set_ref(firn_session *session, const char *ref, firn_err *err) FIRN_MUST_USE;
/* What the catalog commits of this session are signed with (copied; NULL: default). */
void firn_session_set_author(firn_session *session, const char *author, const char *message);
/* How this session signs its catalog commits: `message` unless it was given one of its own. The texts are borrowed. */
firn_commit_info firn_session_commit_info(const firn_session *session, const char *message);
firn_lake *firn_session_lake(const firn_session *session); /* NULL: it runs without one */
/* DELETE leaves nothing of its rows in what the table names afterwards: files are rewritten where the table would have them marked
 * (merge-on-read), and manifests forget the bounds of files that went. For retention; snapshots before still have the rows. */
void firn_session_set_erasing(firn_session *session, bool on);
/* Stop the running statement soon (CANCELLED). Any thread. */
void firn_session_interrupt(firn_session *session);
/* Count the progress of this session's statements from now on. It costs DuckDB up to a tenth of its time, so only those who look at
 * it ask for it. */
void firn_session_track_progress(firn_session *session);
/* 0..1, or -1 when unknown. Any thread. */
double firn_session_progress(const firn_session *session);

/* Run every statement of `sql` in order, stopping at the first error. `on_result` gets each statement's result and must not keep
 * it; its own error stops the run. */
typedef firn_rc (*firn_result_fn)(void *ctx, firn_result *result, firn_err *err);
firn_rc firn_session_run(firn_session *session, const char *sql, firn_result_fn on_result,
                         void *ctx, firn_err *err) FIRN_MUST_USE;
/* One statement; the caller frees the result. */
firn_rc firn_session_query(firn_session *session, const char *sql, firn_result **out,
                           firn_err *err) FIRN_MUST_USE;
/* For statements whose rows do not matter. rows_affected nullable. */
firn_rc firn_session_exec(firn_session *session, const char *sql, int64_t *rows_affected,
                          firn_err *err) FIRN_MUST_USE;
/* The single value of a one-row one-column query as text (NULL for SQL null), in the arena. */
firn_rc firn_session_scalar(firn_session *session, firn_arena *arena, const char *sql,
                            const char **out, firn_err *err) FIRN_MUST_USE;

/* Lake tables and views that a SELECT (or any statement) names, as written or resolved with the session's schema; CTE names and
 * DuckDB functions left out. For dependency inference. */
firn_rc firn_session_references(firn_session *session, firn_arena *arena, const char *sql,
                                firn_ident **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* "complete", or needs more input (open quote, bracket, comment, or no semicolon yet): for the shell. */
bool firn_sql_is_complete(const char *sql);
/* Table property: version of Parquet's data pages, v1 (the default) or v2. */
#define FIRN_PAGE_VERSION_PROPERTY "write.parquet.page-version"
/* A name, quoted only where it must be (reserved words, other characters). */
const char *firn_name_sql(firn_arena *arena, const char *name);
/* A path as read_parquet takes it, which takes names as patterns: "[*]" stands for a star. */
const char *firn_glob_escape(firn_arena *arena, const char *path);
/* A type as CREATE TABLE takes it. */
const char *firn_type_sql(firn_arena *arena, const firn_type *type);

/* ---- results ------------------------------------------------------------------------------------- */
typedef enum firn_column_kind {
    FIRN_COLUMN_BOOL,
    FIRN_COLUMN_INTEGER,
    FIRN_COLUMN_FLOAT,
    FIRN_COLUMN_DECIMAL,
    FIRN_COLUMN_TEXT,
    FIRN_COLUMN_TEMPORAL,
    FIRN_COLUMN_BINARY,
    FIRN_COLUMN_NESTED
} firn_column_kind;

void firn_result_free(firn_result *result);
bool firn_result_has_rows(const firn_result *result); /* SELECT-like, even if empty */
const char *firn_result_message(
    const firn_result *result); /* commands: "21 rows deleted (2 files rewritten)"; NULL for rows */
const char *firn_result_tag(
    const firn_result *result); /* PostgreSQL command tag: "SELECT", "INSERT 0 5", "CREATE TABLE" */
int64_t firn_result_rows_affected(const firn_result *result); /* -1: does not apply */
size_t firn_result_columns(const firn_result *result);
const char *firn_result_column_name(const firn_result *result, size_t column);
const char *firn_result_column_type(const firn_result *result, size_t column); /* "DECIMAL(18,2)" */
firn_column_kind firn_result_column_kind(const firn_result *result, size_t column);
/* Streams rows. *cells is an array of n column texts (NULL: SQL null), valid until the next call; *cells NULL at the end. */
firn_rc firn_result_next(firn_result *result, const char *const **cells,
                         firn_err *err) FIRN_MUST_USE;
/* The current row (last given by firn_result_next) as a JSON object, numbers and nested values as JSON. */
firn_rc firn_result_row_json(firn_result *result, firn_buf *out, firn_err *err) FIRN_MUST_USE;

#endif
