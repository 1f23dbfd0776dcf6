/* One connection to PostgreSQL for the catalog: statements go out in a pipeline, answers are read with a deadline.
 *
 * pg_wire.c owns the connection and all waiting for the network; pg_open.c opens it and brings the schema up to date;
 * pg.c makes transactions and locks of it, behind db.h.
 *
 * Threads: as firn_db, one at a time.
 */
#ifndef CATALOG_PG_H
#define CATALOG_PG_H

#include "db/db.h"

#include "base/map.h"
#include "base/vec.h"

#include <libpq-fe.h>

enum { FIRN_PG_TAG_BYTES = 64, FIRN_PG_LOST_BYTES = 512 };

typedef enum pg_expect {
    PG_PREPARED,  /* the answer to the preparation of a statement */
    PG_STATEMENT, /* rows or a command tag */
    PG_SYNC,      /* the end of a batch: after a failure the rest of its batch is skipped */
} pg_expect;

typedef struct pg_pending {
    pg_expect what;
    const char *sql; /* PG_PREPARED: to be forgotten if it failed */
} pg_pending;

typedef struct pg_db {
    firn_db base;
    firn_arena *arena; /* as long as the object */
    const char *uri;
    const char *schema;
    const char *server; /* "postgresql://user@host:port/database (schema firn)": fit for messages */
    const char *secret; /* the URI's password, kept out of messages; nullable */
    int busy_timeout_ms;
    int answer_ms;       /* longer than any statement may take: then the connection is given up */
    int64_t write_lock;  /* key of the advisory lock that write transactions hold */
    uint32_t lock_space; /* first half of the keys of all other advisory locks */

    PGconn *conn;                 /* NULL: lost, or not opened yet */
    firn_arena *life;             /* as long as the connection; NULL with it */
    firn_map *statements;         /* in life: SQL text -> the name it is prepared under */
    FIRN_VEC(pg_pending) pending; /* in life: answers to come, oldest first, from `n_read` on */
    size_t n_read;
    char sqlstate[6];              /* of the last failure; "" if it had none */
    char lost[FIRN_PG_LOST_BYTES]; /* why the connection is gone */

    bool begin_pending;       /* the transaction is to be begun with its first statement */
    bool write;               /* the transaction writes */
    FIRN_VEC(uint32_t) locks; /* in arena: keys of the locks held, by handle; 0: none any more */
} pg_db;

/* ---- pg_wire.c ---------------------------------------------------------------------------------- */

/* Closes the connection, which is of no use any more. `why` is masked. */
void firn_pg_lose(pg_db *db, const char *why);
/* Sends a statement, prepared at its first use. False: the connection is lost. */
bool firn_pg_send(pg_db *db, const char *sql, const firn_db_value *params, size_t n_params);
bool firn_pg_sync(pg_db *db);
/* Reads all answers to come, up to the last sync. Rows (nullable) and tag (nullable) are those of the last statement. The
 * first failure is what is returned; a lost connection is BUSY. `doing`: "read", "change". */
firn_rc firn_pg_finish(pg_db *db, firn_arena *arena, const char *doing, firn_db_rows *rows,
                       char tag[FIRN_PG_TAG_BYTES], firn_err *err) FIRN_MUST_USE;
/* Several statements in one text, outside of any batch; rows (nullable) of the last. */
firn_rc firn_pg_run(pg_db *db, firn_arena *arena, const char *doing, const char *sql,
                    firn_db_rows *rows, firn_err *err) FIRN_MUST_USE;
/* Whether an idle connection still stands, as far as this side can tell without asking. */
bool firn_pg_alive(pg_db *db);
firn_rc firn_pg_fail_lost(const pg_db *db, const char *doing, firn_err *err);
/* firn's code and words for what PostgreSQL said. */
firn_rc firn_pg_fail(pg_db *db, const char *sqlstate, const char *reason, const char *doing,
                     firn_err *err);
/* Without the password, on one line. */
char *firn_pg_masked(const pg_db *db, firn_arena *arena, const char *text);

/* ---- pg_open.c ---------------------------------------------------------------------------------- */

/* Takes apart options and URI; no connection yet. CONFIG when they make no sense. */
firn_rc firn_pg_prepare(pg_db *db, const firn_pg_options *options, firn_err *err) FIRN_MUST_USE;
/* A connection, where there is none: session settings, schema version, migrations when they are due. */
firn_rc firn_pg_connect(pg_db *db, bool create, firn_err *err) FIRN_MUST_USE;

#endif
