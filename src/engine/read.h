/* Reading lake tables: names in a query to planned scans to DuckDB SQL. */
#ifndef ENGINE_READ_H
#define ENGINE_READ_H

#include "session.h"

#include "iceberg/scan.h"

/* ---- types ------------------------------------------------------------------------------------- */
/* DuckDB's spelling of an Iceberg type ("STRUCT(a INTEGER, b VARCHAR[])"). UNSUPPORTED names the column and says what
 * can be done, for variant, geometry and geography. */
firn_rc firn_type_to_duck(firn_arena *arena, const firn_type *type, const char *column,
                          const char **out, firn_err *err) FIRN_MUST_USE;
/* And back, from a type as DuckDB prints it or as people write it in CREATE TABLE (DuckDB's, Spark's and Iceberg's names: string,
 * bigint, long, timestamp_ntz, decimal(9,2), array<int>, map<string,int>, struct<a:int>, INTEGER[], MAP(VARCHAR, INTEGER), ...).
 * Nested fields get ids 0; the caller assigns. */
firn_rc firn_type_from_sql(firn_arena *arena, const char *text, firn_type **out,
                           firn_err *err) FIRN_MUST_USE;

/* ---- one table as a FROM item --------------------------------------------------------------------- */
typedef struct firn_read_options {
    const firn_metadata *metadata;
    const firn_snapshot *snapshot; /* NULL: current */
    bool at_empty;             /* snapshot NULL stands for the table before its first snapshot */
    const firn_schema *schema; /* NULL: of the snapshot (time travel) or current */
    const firn_expr
        *filter;           /* for pruning only: DuckDB evaluates the query's own predicates again */
    bool with_file;        /* also give _file (VARCHAR), _pos (BIGINT): where the row is */
    bool with_row_lineage; /* v3: _row_id, _last_updated_sequence_number */
    const char *const *only_files; /* restrict to these data files; NULL: all */
    size_t n_only_files;
    int64_t row_limit;      /* > 0: so many rows suffice, planning may stop there */
    const char *table_text; /* for messages */
} firn_read_options;
/* A parenthesised SELECT that yields the table's rows, deletes applied, columns named and ordered as in the schema. What it
 * refers to (delete vectors, registered lists) lives until `arena` ends. */
firn_rc firn_read_sql(firn_session *session, firn_arena *arena, const firn_read_options *options,
                      char **sql, firn_scan_stats *stats, firn_err *err) FIRN_MUST_USE;

/* ---- whole queries ----------------------------------------------------------------------------------- */
typedef struct firn_read_table { /* for EXPLAIN and tests */
    firn_ident ident;
    const firn_metadata *metadata;
    const firn_expr *expr; /* pruning predicate; NULL: none */
    const char *ref;
    int64_t snapshot_id; /* -1: empty */
    firn_scan_stats stats;
    const char *filter; /* pruning predicate as text; "" none */
    bool from_metadata; /* answered without reading data files */
} firn_read_table;
typedef struct firn_read_plan {
    char *sql; /* for DuckDB */
    FIRN_VEC(firn_read_table) tables;
    const char
        *foreign; /* a view in it whose SQL is another engine's: may be why it fails; NULL: none */
} firn_read_plan;
/* Rewrites one SELECT-like statement (SELECT, WITH, FROM, VALUES, TABLE, PIVOT..., time-travel spellings included). */
firn_rc firn_read_rewrite(firn_session *session, firn_arena *arena, const char *sql,
                          firn_read_plan *out, firn_err *err) FIRN_MUST_USE;

/* The same for statements that DuckDB parses without giving a tree (PIVOT by data), on tokens. */
firn_rc firn_read_pivot(firn_session *session, firn_arena *arena, const char *sql,
                        firn_read_plan *plan, firn_err *err) FIRN_MUST_USE;

/* Predicate on one table out of SQL text, for DELETE, UPDATE and MERGE: what can be said with Iceberg expressions about rows of
 * the table (alias: how the text calls it, nullable). Never stricter than the text; *exact when it is the same. */
firn_rc firn_read_predicate(firn_session *session, firn_arena *arena, const firn_schema *schema,
                            const char *alias, const char *where_sql, const firn_expr **out,
                            bool *exact, firn_err *err) FIRN_MUST_USE;

/* Token-level pre-pass: VERSION AS OF, TIMESTAMP AS OF, FOR SYSTEM_TIME/VERSION AS OF, t@ref, "t$snapshots" into what DuckDB's
 * parser takes (AT (...), quoted names). */
firn_rc firn_read_time_travel(firn_arena *arena, const char *sql, char **out,
                              firn_err *err) FIRN_MUST_USE;

/* Can the text name a table at all? "SELECT 1" cannot, and need not be parsed twice. */
bool firn_read_may_name_tables(firn_arena *arena, const char *sql);

/* Load "ns.table", honouring "table@ref"; for the statements that take a table name. */
firn_rc firn_session_load_table(firn_session *session, firn_arena *arena, firn_ident ident,
                                firn_table *out, firn_err *err) FIRN_MUST_USE;

/* Handlers of statements that read: EXPLAIN [ANALYZE], DESCRIBE, SUMMARIZE. */
firn_rc firn_exec_explain(firn_session *session, const char *sql, firn_result **out,
                          firn_err *err) FIRN_MUST_USE;

#endif
