/* Arrow rows as a relation of a statement, for rows.c and rows_upsert.c.
 *
 *     firn_batch *batch;
 *     FIRN_TRY(firn_batch_open(session, arena, rows, n_rows, nanos, &batch, err));
 *     FIRN_TRY(firn_batch_select(session, arena, batch, "SELECT ... FROM batch JOIN dim ...", &sql, err));
 *     firn_rc rc = firn_duck_exec(session, sql, err);
 *     return firn_batch_result(batch, sql, rc, err);
 *
 *   rows_schema.c   Arrow's types as Iceberg's; types of several schemas united
 *   rows_reader.c   an Arrow array into DuckDB vectors
 *   rows_scan.c     the table function firn_batch(n), the FROM item of a batch
 *   rows_functions.c  SQL functions for values of Kafka Connect
 *   rows_project.c  a query's columns onto a table's schema by name
 *   rows.c          engine/rows.h
 *
 * A batch is known to SQL by a number, like every live scan (scans.h), and lives until its arena ends. Arrow's memory is borrowed:
 * strings in DuckDB's vectors point into it, so a result that is read later must have been materialised.
 */
#ifndef ENGINE_ROWS_BATCH_H
#define ENGINE_ROWS_BATCH_H

#include "duck.h"

#include "engine/rows.h"

typedef struct firn_batch firn_batch;

/* `nanos`: timestamps of nanoseconds without zone stay what they are (TIMESTAMP_NS), else they become microseconds. */
firn_rc firn_batch_open(firn_session *session, firn_arena *arena, const firn_rows *rows, size_t n,
                        bool nanos, firn_batch **out, firn_err *err) FIRN_MUST_USE;
bool firn_rows_exist(const firn_rows *rows); /* in their array */
/* A struct: the columns, without ids. FIRN_TYPE_UNKNOWN are columns that have only nulls. */
const firn_type *firn_batch_type(const firn_batch *batch);
int64_t firn_batch_rows(const firn_batch *batch);
/* The batch gets one more column: the row's number among all that were given, from 0. */
#define FIRN_BATCH_ROW "__firn_row"
firn_rc firn_batch_number_rows(firn_batch *batch, firn_err *err) FIRN_MUST_USE;
/* A FROM item in brackets. */
const char *firn_batch_sql(const firn_batch *batch);
/* A user's SELECT over `batch` and lake tables (NULL: all columns of the batch) as DuckDB SQL. SYNTAX when it is not one SELECT. */
firn_rc firn_batch_select(firn_session *session, firn_arena *arena, const firn_batch *batch,
                          const char *sql, const char **out, firn_err *err) FIRN_MUST_USE;
/* What a query over the batch ended with: when reading a value failed, that is the error, named by the column's path. INVALID may be the
 * fault of the statement or of a value (strptime, error()): it becomes TYPE when `select` can be bound. NULL: it is left as it is. */
firn_rc firn_batch_result(firn_batch *batch, const char *select, firn_rc rc,
                          firn_err *err) FIRN_MUST_USE;

/* Does a table of this schema keep nanoseconds? */
bool firn_batch_keeps_nanos(const firn_schema *schema);

/* ---- rows_project.c ---------------------------------------------------------------------------------- */

typedef struct firn_batch_projection {
    const char *source_sql;   /* DuckDB SQL, a whole SELECT */
    const firn_type *columns; /* what it gives, as a struct; NULL: DuckDB is asked */
    const firn_schema *schema;
    const char *table_text;
    bool ignore_unknown;
} firn_batch_projection;
/* SELECT of exactly the schema's columns, in order, cast. NO_COLUMN with the path for what the table lacks. */
firn_rc firn_batch_project(firn_session *session, firn_arena *arena,
                           const firn_batch_projection *options, char **sql,
                           firn_err *err) FIRN_MUST_USE;
/* The columns that DuckDB SQL gives, as a struct without ids. */
firn_rc firn_batch_describe(firn_session *session, firn_arena *arena, const char *sql,
                            int format_version, firn_type **out, firn_err *err) FIRN_MUST_USE;

/* ---- rows_schema.c ----------------------------------------------------------------------------------- */

/* Arrow's type as Iceberg's, without ids, null columns as FIRN_TYPE_UNKNOWN. */
firn_rc firn_arrow_type(firn_arena *arena, const struct ArrowSchema *arrow, bool nanos,
                        firn_type **out, firn_err *err) FIRN_MUST_USE;
/* The type that holds the values of both: members of structs are united by name, numbers widened, other scalars that differ become
 * strings. TYPE with the path when a nested value meets another kind. */
firn_rc firn_arrow_unite(firn_arena *arena, const firn_type *a, const firn_type *b,
                         const char *path, firn_type **out, firn_err *err) FIRN_MUST_USE;
/* The columns as a table's schema, with ids from 1. In format version 2 those that have only nulls are left out. */
firn_schema *firn_batch_schema(firn_arena *arena, const firn_type *type, int format_version);
/* A field that is a UUID, by Arrow's extension or by firn's own mark. */
bool firn_arrow_is_uuid(const struct ArrowSchema *arrow);

/* ---- rows_reader.c ----------------------------------------------------------------------------------- */

typedef struct firn_arrow_reader firn_arrow_reader;
/* How an array of the schema becomes vectors of the type that firn_arrow_type gave for it. */
const firn_arrow_reader *firn_arrow_reader_new(firn_arena *arena, const struct ArrowSchema *arrow,
                                               const firn_type *type);
/* The reader of the type's n-th column, and the array it reads. */
const firn_arrow_reader *firn_arrow_reader_column(const firn_arrow_reader *reader, size_t column);
/* Rows [from, from + count) of the "+s" array's column into a vector, or, with `pick`, the rows pick[from], pick[from + 1], ... TYPE
 * names the column's path. */
firn_rc firn_arrow_read(const firn_arrow_reader *column, const struct ArrowArray *rows,
                        const uint32_t *pick, int64_t from, idx_t count, duckdb_vector out,
                        firn_err *err) FIRN_MUST_USE;

/* ---- rows_scan.c ------------------------------------------------------------------------------------- */

/* Make firn_batch(n) known to DuckDB: once per database. */
firn_rc firn_batch_function(struct firn_scan_registry *registry, duckdb_connection conn,
                            firn_err *err) FIRN_MUST_USE;

/* ---- rows_functions.c -------------------------------------------------------------------------------- */

/* firn_unscaled(bytes, scale): once per database. */
firn_rc firn_batch_scalar_functions(duckdb_connection conn, firn_err *err) FIRN_MUST_USE;

#endif
