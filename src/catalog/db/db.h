/* The database under the catalog, seen through one small interface: transactions, statements, values.
 *
 * All SQL of the catalog is written once, in the dialect that SQLite and PostgreSQL share ($1 parameters, ON CONFLICT,
 * WITH RECURSIVE), and run through this. A backend knows connections, locking, migrations and its own errors; it knows
 * nothing of refs or tables.
 *
 * Threads: a firn_db is one connection and belongs to one thread at a time.
 */
#ifndef CATALOG_DB_H
#define CATALOG_DB_H

#include "base/str.h"

typedef struct firn_db_value {
    const char *text; /* NULL when is_int, or for SQL NULL */
    int64_t i64;
    bool is_int;
} firn_db_value;

static inline firn_db_value firn_db_str(const char *text)
{
    return (firn_db_value){.text = text};
}

static inline firn_db_value firn_db_int(int64_t i64)
{
    return (firn_db_value){.i64 = i64, .is_int = true};
}

typedef struct firn_db_rows {
    const firn_db_value *values; /* row by row */
    size_t n_rows;
    size_t n_columns;
} firn_db_rows;

static inline const char *firn_db_text(const firn_db_rows *rows, size_t row, size_t column)
{
    return rows->values[row * rows->n_columns + column].text;
}

static inline int64_t firn_db_i64(const firn_db_rows *rows, size_t row, size_t column)
{
    return rows->values[row * rows->n_columns + column].i64;
}

typedef struct firn_db firn_db;
typedef struct firn_db_backend {
    /* A write transaction owns the database's (or the branch's) write lock from its first moment: BUSY after the timeout. */
    firn_rc (*begin)(firn_db *db, bool write, firn_err *err);
    /* UNKNOWN_OUTCOME when it cannot be told whether the transaction is durable. Ends it in any case. */
    firn_rc (*commit)(firn_db *db, firn_err *err);
    void (*rollback)(firn_db *db);
    /* One statement with $1.. bound to params; all rows, in the arena. */
    firn_rc (*query)(firn_db *db, firn_arena *arena, const char *sql, const firn_db_value *params,
                     size_t n_params, firn_db_rows *rows, firn_err *err);
    /* An advisory lock between processes and threads, one per key; gone when its holder dies. *handle is -1 when it was
     * not to be had within the timeout: locks only keep writers from racing in vain, so the caller goes on without. */
    void (*lock)(firn_db *db, uint64_t key, int timeout_ms, int *handle);
    void (*unlock)(firn_db *db, int handle);
    void (*close)(firn_db *db);
} firn_db_backend;

/* Each backend's connection begins with this. */
struct firn_db {
    const firn_db_backend *backend;
    bool in_transaction;
};

static inline firn_rc firn_db_query(firn_db *db, firn_arena *arena, const char *sql,
                                    const firn_db_value *params, size_t n_params,
                                    firn_db_rows *rows, firn_err *err)
{
    return db->backend->query(db, arena, sql, params, n_params, rows, err);
}

typedef struct firn_sqlite_options {
    const char *path;
    bool create;
    int busy_timeout_ms;
} firn_sqlite_options;

/* Opens, and creates or migrates when that is due. NOT_FOUND, CORRUPT (not a catalog), UNSUPPORTED (made by a newer firn). */
firn_rc firn_sqlite_open(const firn_sqlite_options *options, firn_db **out,
                         firn_err *err) FIRN_MUST_USE;

typedef struct firn_pg_options {
    const char *uri;    /* postgresql://... */
    const char *schema; /* that holds the catalog; NULL: "firn" */
    bool create;
    int busy_timeout_ms;
} firn_pg_options;

/* As firn_sqlite_open; PERMISSION also for a password that is refused, BUSY for a server that cannot be reached. */
firn_rc firn_pg_open(const firn_pg_options *options, firn_db **out, firn_err *err) FIRN_MUST_USE;
/* Without a connection: CONFIG when URI or schema make no sense; else what to call the database in messages. */
firn_rc firn_pg_describe(firn_arena *arena, const firn_pg_options *options, char **out,
                         firn_err *err) FIRN_MUST_USE;

#endif
