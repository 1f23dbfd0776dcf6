/* The only wrapper of DuckDB's C API: running SQL, errors, small results as text, vectors as text.
 *
 * SQL here is DuckDB's own: lake tables are already replaced (read.h). Every function runs one statement unless it says
 * otherwise, on the session's connection, and may only be called by the thread that owns the session.
 *
 * Errors: DuckDB's are mapped by type to SYNTAX (with line and column), NO_TABLE, NO_COLUMN (with the nearest name), TYPE,
 * INVALID, EXISTS, UNSUPPORTED, MEMORY, CANCELLED, IO, NO_SPACE, CHECK_FAILED, INTERNAL and ENGINE. Facts about DuckDB that this
 * code rests on are in docs/internals/duckdb.md.
 */
#ifndef ENGINE_DUCK_H
#define ENGINE_DUCK_H

#include "session.h"

/* ---- running ------------------------------------------------------------------------------------- */

/* Run; rows are thrown away. */
firn_rc firn_duck_exec(firn_session *session, const char *sql, firn_err *err) FIRN_MUST_USE;
firn_rc firn_duck_execf(firn_session *session, firn_err *err, const char *fmt, ...) FIRN_MUST_USE
    FIRN_PRINTF(3, 4);

/* Run and materialise as text, as CAST(x AS VARCHAR) prints it. For small results (file lists, statistics, settings). */
typedef struct firn_duck_cells {
    size_t n_rows, n_columns;
    const char *const *names;        /* [n_columns] */
    const char *const *const *cells; /* [row][column]; NULL: SQL null */
} firn_duck_cells;
firn_rc firn_duck_rows(firn_session *session, firn_arena *arena, const char *sql,
                       firn_duck_cells *out, firn_err *err) FIRN_MUST_USE;

/* Run and hand the raw result over (materialised, or streaming: fetch with duckdb_fetch_chunk and look at duckdb_result_error
 * when it ends). On success the caller destroys *out (duckdb_destroy_result); on failure there is nothing to destroy. */
firn_rc firn_duck_query(firn_session *session, const char *sql, duckdb_result *out,
                        firn_err *err) FIRN_MUST_USE;
/* The same for what keeps several threads busy for long, such as COPY. */
firn_rc firn_duck_work(firn_session *session, const char *sql, duckdb_result *out,
                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_duck_stream(firn_session *session, const char *sql, duckdb_result *out,
                         firn_err *err) FIRN_MUST_USE;
/* One prepared statement with text parameters $1..$n; same ownership. */
firn_rc firn_duck_query_params(firn_session *session, const char *sql, const char *const *params,
                               size_t n, duckdb_result *out, firn_err *err) FIRN_MUST_USE;

/* Names and DuckDB types ("DECIMAL(18,2)") of the columns that a query gives, without running it. */
typedef struct firn_duck_column {
    const char *name;
    const char *type;
} firn_duck_column;
firn_rc firn_duck_describe(firn_session *session, firn_arena *arena, const char *sql,
                           firn_duck_column **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* Open DuckDB and connect if that has not happened: before session->conn is used by hand. */
firn_rc firn_duck_connect(firn_session *session, firn_err *err) FIRN_MUST_USE;

/* Fill err from DuckDB's message (JSON by errors_as_json, or plain) about `sql` (nullable) and give its code. */
firn_rc firn_duck_error(firn_err *err, duckdb_error_type type, const char *message,
                        const char *sql);

/* ---- syntax trees ---------------------------------------------------------------------------------- */

/* One SELECT-like statement to DuckDB's syntax tree: the statement's "node" object. SYNTAX for what does not parse,
 * UNSUPPORTED for what is no SELECT. Owned by the arena. */
firn_rc firn_duck_parse(firn_session *session, firn_arena *arena, const char *sql, json_t **node,
                        firn_err *err) FIRN_MUST_USE;
/* And back to SQL text. */
firn_rc firn_duck_unparse(firn_session *session, firn_arena *arena, const json_t *node, char **sql,
                          firn_err *err) FIRN_MUST_USE;

/* JSON as DuckDB writes it: numbers that jansson cannot hold (unsigned 64-bit, NaN, Infinity) become marked strings, which
 * firn_duck_unparse makes bare again. NULL if it does not parse. */
json_t *firn_duck_json_load(firn_arena *arena, const char *text);

/* ---- values ---------------------------------------------------------------------------------------- */

/* A logical type, looked at once: what printing a vector's rows needs. */
typedef struct firn_duck_type firn_duck_type;
struct firn_duck_type {
    duckdb_type id;
    duckdb_type storage;  /* DECIMAL, ENUM: the integer inside */
    uint8_t width, scale; /* DECIMAL */
    bool is_json;         /* VARCHAR that holds JSON text */
    const char *
        text; /* "DECIMAL(18,2)", "STRUCT(a INTEGER, b VARCHAR[])": as DuckDB prints and reads it */
    firn_duck_type *children; /* STRUCT, UNION members; LIST, ARRAY element; MAP key and value */
    const char **names;       /* STRUCT, UNION: of the members; ENUM: its values */
    size_t n_children;
    uint64_t array_len;
};
/* false for types that firn cannot print (`out->text` is set all the same): cast those to VARCHAR in SQL. */
bool firn_duck_type_of(firn_arena *arena, duckdb_logical_type type, firn_duck_type *out);

/* Append row `row` of a vector as text, as CAST AS VARCHAR prints it; false (and nothing appended) for NULL. */
bool firn_duck_text(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row);
/* As a JSON value: numbers bare (also decimals, exactly), NaN and infinities as strings, times in ISO 8601, blobs in hex, nested
 * values as arrays and objects; null for NULL. */
void firn_duck_json(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row);

/* A string cell: borrowed from the vector, not NUL-terminated. */
static inline firn_bytes firn_duck_bytes(duckdb_vector vector, idx_t row)
{
    duckdb_string_t *cell = (duckdb_string_t *)duckdb_vector_get_data(vector) + row;
    return firn_bytes_of(duckdb_string_t_data(cell), duckdb_string_t_length(*cell));
}
static inline bool firn_duck_is_null(duckdb_vector vector, idx_t row)
{
    uint64_t *validity = duckdb_vector_get_validity(vector);
    return validity != NULL && !duckdb_validity_row_is_valid(validity, row);
}

#endif
