/* PostgreSQL under the catalog: transactions, statements and locks of one connection, as db.h wants them.
 *
 * Invariants:
 *  1. A write transaction holds the schema's write lock, an advisory lock of the transaction, from before its first
 *     statement until after its end: the server lets it go when the outcome can be seen by others. So write transactions
 *     of one schema follow one another, and READ COMMITTED shows each the state that the last one left.
 *  2. Therefore a COMMIT whose answer was lost is over, one way or the other, as soon as another write transaction has
 *     begun: decision 008 rests on this. So that a session whose client is gone does not hold the lock for ever, the server
 *     ends write transactions that idle (IDLE_IN_WRITE_MS).
 *  3. A read transaction is REPEATABLE READ READ ONLY: one snapshot. It begins with its first statement, in the same
 *     batch, and its end is not waited for.
 *  4. Statements whose rows nobody wants travel with the next one that is waited for, or with the COMMIT; their failures
 *     come out there, and fail the transaction as any other does.
 *  5. A connection that was lost before COMMIT was sent is a known failure, BUSY. One that is found dead when a transaction
 *     begins is replaced, and nobody notices.
 */
#include "db/pg.h"

#include "base/time.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    IDLE_IN_WRITE_MS = 20 * 1000,
    PENDING_MAX = 256, /* answers not waited for; then they are read */
};

#define BEGIN_READ "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* ---- beginning -------------------------------------------------------------------------------- */

/* A connection with nothing on its way. *fresh: it was opened just now. */
static firn_rc make_ready(pg_db *db, bool *fresh, firn_err *err)
{
    firn_err ignored = {0};
    *fresh = false;
    if (db->conn && db->pending.len > 0) {
        (void)!firn_pg_finish(db, db->arena, "read", NULL, NULL, &ignored);
    }
    if (firn_pg_alive(db)) {
        return FIRN_OK;
    }
    *fresh = true;
    return firn_pg_connect(db, false, err);
}

/* Who has the lock, for the message. */
static const char *holder(pg_db *db, firn_arena *arena)
{
    static const char sql[] =
        "SELECT l.pid, COALESCE(a.application_name, ''), COALESCE(a.client_addr::text, 'local'),"
        " EXTRACT(EPOCH FROM clock_timestamp() - a.xact_start)::bigint"
        " FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND ((l.classid::bigint << 32) | l.objid::bigint) = $1 LIMIT 1";
    firn_db_value key = firn_db_int(db->write_lock);
    firn_db_rows rows;
    firn_err ignored = {0};
    if (!firn_pg_send(db, sql, &key, 1) || !firn_pg_sync(db) ||
        firn_pg_finish(db, arena, "read", &rows, NULL, &ignored) != FIRN_OK || rows.n_rows == 0) {
        return "another process";
    }
    return firn_arena_printf(arena, "\"%s\" from %s (server process %lld, for %lld s)",
                             firn_db_text(&rows, 0, 1), firn_db_text(&rows, 0, 2),
                             (long long)firn_db_i64(&rows, 0, 0),
                             (long long)firn_db_i64(&rows, 0, 3));
}

static void send_rollback(pg_db *db)
{
    /* In a batch of its own: in that of a statement that failed it would be skipped. */
    if ((db->pending.len == 0 || firn_pg_sync(db)) && firn_pg_send(db, "ROLLBACK", NULL, 0)) {
        (void)firn_pg_sync(db);
    }
}

static firn_rc fail_locked(pg_db *db, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err ignored = {0};
    send_rollback(db);
    (void)!firn_pg_finish(db, arena, "leave", NULL, NULL, &ignored);
    FIRN_FAIL(err, FIRN_E_BUSY, "catalog %s is locked by %s: waited %g s; try again", db->server,
              holder(db, arena), db->busy_timeout_ms / 1000.0);
}

static firn_rc begin_write(pg_db *db, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char limit[32];
    snprintf(limit, sizeof(limit), "%d", IDLE_IN_WRITE_MS);
    firn_db_value params[] = {firn_db_str(limit), firn_db_int(db->write_lock)};
    if (firn_pg_send(db, "BEGIN", NULL, 0) &&
        firn_pg_send(db,
                     "SELECT set_config('idle_in_transaction_session_timeout', $1, true),"
                     " pg_advisory_xact_lock($2)",
                     params, 2)) {
        (void)firn_pg_sync(db);
    }
    firn_rc rc = firn_pg_finish(db, arena, "write to", NULL, NULL, err);
    if (rc != FIRN_OK && db->conn) {
        if (firn_streq(db->sqlstate, "55P03")) {
            return fail_locked(db, err);
        }
        send_rollback(db);
    }
    return rc;
}

static firn_rc pg_begin(firn_db *base, bool write, firn_err *err)
{
    pg_db *db = (pg_db *)base;
    bool fresh;
    assert(!base->in_transaction);
    FIRN_TRY(make_ready(db, &fresh, err));
    db->write = write;
    db->begin_pending = !write;
    if (write) {
        firn_rc rc = begin_write(db, err);
        if (rc != FIRN_OK && !db->conn && !fresh) {
            /* It had died while it lay idle, in a way that only shows when it is used. */
            firn_err_clear(err);
            FIRN_TRY(firn_pg_connect(db, false, err));
            rc = begin_write(db, err);
        }
        FIRN_TRY(rc);
    }
    base->in_transaction = true;
    return FIRN_OK;
}

/* ---- statements ------------------------------------------------------------------------------- */

static const char *doing_of(const pg_db *db)
{
    return db->write && db->base.in_transaction ? "change" : "read";
}

static firn_rc ask(pg_db *db, firn_arena *arena, const char *sql, const firn_db_value *params,
                   size_t n_params, firn_db_rows *rows, firn_err *err)
{
    if (!db->begin_pending || firn_pg_send(db, BEGIN_READ, NULL, 0)) {
        if (firn_pg_send(db, sql, params, n_params)) {
            (void)firn_pg_sync(db);
        }
    }
    return firn_pg_finish(db, arena, doing_of(db), rows, NULL, err);
}

static firn_rc pg_query(firn_db *base, firn_arena *arena, const char *sql,
                        const firn_db_value *params, size_t n_params, firn_db_rows *rows,
                        firn_err *err)
{
    pg_db *db = (pg_db *)base;
    if (!db->conn) {
        return firn_pg_fail_lost(db, doing_of(db), err);
    }
    if (!rows && base->in_transaction && db->write && db->pending.len < PENDING_MAX) {
        return firn_pg_send(db, sql, params, n_params) ? FIRN_OK
                                                       : firn_pg_fail_lost(db, "change", err);
    }
    bool first = db->begin_pending;
    firn_rc rc = ask(db, arena, sql, params, n_params, rows, err);
    if (rc != FIRN_OK && !db->conn && first) {
        /* Nothing was seen yet of this transaction, so another connection is as good. */
        firn_err_clear(err);
        FIRN_TRY(firn_pg_connect(db, false, err));
        rc = ask(db, arena, sql, params, n_params, rows, err);
    }
    db->begin_pending = false;
    return rc;
}

/* ---- ending ----------------------------------------------------------------------------------- */

/* Not waited for: whoever uses the connection next reads the answer. */
static void pg_rollback(firn_db *base)
{
    pg_db *db = (pg_db *)base;
    base->in_transaction = false;
    if (db->conn && !db->begin_pending) {
        send_rollback(db);
    }
    db->begin_pending = false;
}

static firn_rc pg_commit(firn_db *base, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    pg_db *db = (pg_db *)base;
    if (!db->write || !db->conn) {
        firn_rc rc = db->conn ? FIRN_OK : firn_pg_fail_lost(db, "commit to", err);
        pg_rollback(base);
        return rc;
    }
    char tag[FIRN_PG_TAG_BYTES] = "";
    firn_err detail = {0};
    base->in_transaction = false;
    if (firn_pg_send(db, "COMMIT", NULL, 0)) {
        (void)firn_pg_sync(db);
    }
    firn_rc rc = firn_pg_finish(db, arena, "commit to", NULL, tag, &detail);
    if (rc == FIRN_OK && firn_streq(tag, "COMMIT")) {
        return FIRN_OK;
    }
    if (!db->conn) {
        FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME, "%s", detail.message);
    }
    /* The server says that it failed, and it is still there to be believed. */
    send_rollback(db);
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "%s", detail.message);
    }
    FIRN_FAIL(err, FIRN_E_INTERNAL, "cannot commit to catalog %s: the transaction was aborted (%s)",
              db->server, tag);
}

/* ---- advisory locks --------------------------------------------------------------------------- */

static bool try_lock(pg_db *db, uint32_t second, int timeout_ms)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err ignored = {0};
    char limit[32];
    snprintf(limit, sizeof(limit), "%d", timeout_ms > 0 ? timeout_ms : 1);
    firn_db_value params[] = {firn_db_str(limit), firn_db_int((int32_t)db->lock_space),
                              firn_db_int((int32_t)second)};
    return firn_pg_send(db, "SELECT set_config('lock_timeout', $1, true), pg_advisory_lock($2, $3)",
                        params, 3) &&
           firn_pg_sync(db) && firn_pg_finish(db, arena, "lock", NULL, NULL, &ignored) == FIRN_OK;
}

static void pg_lock(firn_db *base, uint64_t key, int timeout_ms, int *handle)
{
    pg_db *db = (pg_db *)base;
    firn_err ignored = {0};
    bool fresh;
    uint32_t second = (uint32_t)(key ^ (key >> 32));
    second = second != 0 ? second : 1; /* 0 stands for a free handle */
    *handle = -1;
    assert(!base->in_transaction);
    if (make_ready(db, &fresh, &ignored) != FIRN_OK) {
        return;
    }
    bool held = try_lock(db, second, timeout_ms);
    if (!held && !db->conn && !fresh && firn_pg_connect(db, false, &ignored) == FIRN_OK) {
        held = try_lock(db, second, timeout_ms);
    }
    if (held) {
        *handle = (int)db->locks.len;
        firn_vec_push(db->arena, &db->locks, second);
    }
}

static void pg_unlock(firn_db *base, int handle)
{
    pg_db *db = (pg_db *)base;
    assert(!base->in_transaction);
    if (!db->conn || handle < 0 || (size_t)handle >= db->locks.len || !db->locks.items[handle]) {
        return; /* gone with the connection that had it */
    }
    firn_db_value params[] = {firn_db_int((int32_t)db->lock_space),
                              firn_db_int((int32_t)db->locks.items[handle])};
    if (firn_pg_send(db, "SELECT pg_advisory_unlock($1, $2)", params, 2)) {
        (void)firn_pg_sync(db);
    }
    db->locks.items[handle] = 0;
    while (db->locks.len > 0 && firn_vec_last(&db->locks) == 0) {
        db->locks.len--;
    }
}

/* ---- opening ---------------------------------------------------------------------------------- */

static void pg_close(firn_db *base)
{
    pg_db *db = (pg_db *)base;
    firn_err ignored = {0};
    if (db->conn && db->pending.len > 0) {
        /* Who hangs up with an answer unread makes the server complain in its log. */
        (void)!firn_pg_finish(db, db->arena, "leave", NULL, NULL, &ignored);
    }
    if (db->conn) {
        firn_pg_lose(db, "closed");
    }
    firn_arena_free(db->arena);
    free(db);
}

static const firn_db_backend pg_backend = {
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .query = pg_query,
    .lock = pg_lock,
    .unlock = pg_unlock,
    .close = pg_close,
};

firn_rc firn_pg_open(const firn_pg_options *options, firn_db **out, firn_err *err)
{
    pg_db *db = firn_calloc(1, sizeof(*db));
    db->base.backend = &pg_backend;
    db->arena = firn_arena_new();
    firn_rc rc = firn_pg_prepare(db, options, err);
    if (rc == FIRN_OK) {
        rc = firn_pg_connect(db, options->create, err);
    }
    if (rc != FIRN_OK) {
        pg_close(&db->base);
        return rc;
    }
    *out = &db->base;
    return FIRN_OK;
}
