/* Sessions on the catalog's database: a connection for the time of one operation, from a pool.
 *
 * Invariants:
 *  1. Who waits here stands in a gate's line, first come, first served, and gives up after the busy timeout.
 *  2. In this process one write transaction runs at a time: they would only follow one another in the database, each
 *     waiting with a connection of its own.
 *  3. Where connections are bounded (PostgreSQL), a thread that has a session already gets another in spite of the bound,
 *     so that sessions within sessions cannot wait for each other.
 */
#include "internal.h"

#include "base/time.h"

#include <errno.h>
#include <time.h>

/* What this thread holds. */
static _Thread_local int n_held;
static _Thread_local firn_db_session *lent;

/* ---- gates ------------------------------------------------------------------------------------ */

struct firn_gate_waiter {
    firn_gate_waiter *behind;
    pthread_cond_t turn;
    bool granted;
};

/* @locks catalog->lock */
static void leave_line(firn_gate *gate, firn_gate_waiter *waiter)
{
    firn_gate_waiter **at = &gate->first, *before = NULL;
    while (*at != waiter) {
        before = *at;
        at = &(*at)->behind;
    }
    *at = waiter->behind;
    if (gate->last == waiter) {
        gate->last = before;
    }
}

/* @locks catalog->lock */
static bool wait_at(firn_catalog *catalog, firn_gate *gate, int64_t deadline_us)
{
    struct timespec until = {.tv_sec = deadline_us / 1000000,
                             .tv_nsec = deadline_us % 1000000 * 1000};
    firn_gate_waiter waiter = {0};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter.turn, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *(gate->last ? &gate->last->behind : &gate->first) = &waiter;
    gate->last = &waiter;
    int rc = 0;
    while (!waiter.granted && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&waiter.turn, &catalog->lock, &until);
    }
    if (!waiter.granted) {
        leave_line(gate, &waiter);
    }
    pthread_cond_destroy(&waiter.turn);
    return waiter.granted;
}

static bool enter(firn_catalog *catalog, firn_gate *gate)
{
    int64_t deadline_us = firn_monotonic_us() + (int64_t)catalog->busy_timeout_ms * 1000;
    pthread_mutex_lock(&catalog->lock);
    bool in = gate->free > 0 && !gate->first;
    if (in) {
        gate->free--;
    } else {
        in = wait_at(catalog, gate, deadline_us);
    }
    pthread_mutex_unlock(&catalog->lock);
    return in;
}

/* What is let go goes straight to the first in line. */
static void leave(firn_catalog *catalog, firn_gate *gate)
{
    pthread_mutex_lock(&catalog->lock);
    firn_gate_waiter *first = gate->first;
    if (first) {
        leave_line(gate, first);
        first->granted = true;
        pthread_cond_signal(&first->turn);
    } else {
        gate->free++;
    }
    pthread_mutex_unlock(&catalog->lock);
}

/* ---- the pool --------------------------------------------------------------------------------- */

static firn_db *take_idle(firn_catalog *catalog)
{
    pthread_mutex_lock(&catalog->lock);
    firn_db *db = catalog->n_idle > 0 ? catalog->idle[--catalog->n_idle] : NULL;
    pthread_mutex_unlock(&catalog->lock);
    return db;
}

static void give_back(firn_catalog *catalog, firn_db *db)
{
    pthread_mutex_lock(&catalog->lock);
    bool kept = catalog->n_idle < catalog->idle_max;
    if (kept) {
        catalog->idle[catalog->n_idle++] = db;
    }
    pthread_mutex_unlock(&catalog->lock);
    if (!kept) {
        db->backend->close(db);
    }
}

static firn_rc connect_db(firn_catalog *catalog, bool create, firn_db **out, firn_err *err)
{
    if (catalog->uri) {
        firn_pg_options options = {
            .uri = catalog->uri,
            .schema = catalog->schema,
            .create = create,
            .busy_timeout_ms = catalog->busy_timeout_ms,
        };
        return firn_pg_open(&options, out, err);
    }
    firn_sqlite_options options = {
        .path = catalog->path,
        .create = create,
        .busy_timeout_ms = catalog->busy_timeout_ms,
    };
    return firn_sqlite_open(&options, out, err);
}

firn_rc firn_db_pool_open(firn_catalog *catalog, bool create, firn_err *err)
{
    firn_db *db;
    FIRN_TRY(connect_db(catalog, create, &db, err));
    give_back(catalog, db);
    return FIRN_OK;
}

void firn_db_pool_close(firn_catalog *catalog)
{
    for (firn_db *db = take_idle(catalog); db; db = take_idle(catalog)) {
        db->backend->close(db);
    }
}

/* ---- sessions --------------------------------------------------------------------------------- */

static firn_rc take_connection(firn_db_session *session, firn_err *err)
{
    firn_catalog *catalog = session->catalog;
    if (lent && lent->catalog == catalog && !lent->db->in_transaction) {
        session->db = lent->db;
        session->borrowed = true;
        return FIRN_OK;
    }
    if (catalog->connections_bounded && n_held == 0) {
        if (!enter(catalog, &catalog->connections)) {
            FIRN_FAIL(err, FIRN_E_BUSY,
                      "all connections of this process to catalog %s are in use (waited %g s): try "
                      "again, or raise catalog.pool",
                      catalog->path, catalog->busy_timeout_ms / 1000.0);
        }
        session->counted = true;
    }
    session->db = take_idle(catalog);
    if (!session->db) {
        FIRN_TRY(connect_db(catalog, false, &session->db, err));
    }
    n_held++;
    return FIRN_OK;
}

firn_rc firn_db_session_begin(firn_catalog *catalog, bool write, firn_db_session *session,
                              firn_err *err)
{
    *session = (firn_db_session){.catalog = catalog};
    if (catalog->ops) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "this needs a catalog of firn's own, and the lake's is a remote one: run it where "
            "that catalog lives");
    }
    if (write) {
        FIRN_TRY(firn_fault_point("catalog.begin", catalog->path, err));
        session->writing = enter(catalog, &catalog->writers);
        if (!session->writing) {
            FIRN_FAIL(err, FIRN_E_BUSY,
                      "catalog %s is being written to by others in this process (waited %g s): try "
                      "again",
                      catalog->path, catalog->busy_timeout_ms / 1000.0);
        }
    }
    firn_rc rc = take_connection(session, err);
    if (rc == FIRN_OK) {
        rc = session->db->backend->begin(session->db, write, err);
    }
    if (rc != FIRN_OK) {
        firn_db_session_end(session);
    }
    return rc;
}

firn_rc firn_db_session_commit(firn_db_session *session, firn_err *err)
{
    firn_db *db = session->db;
    const char *path = session->catalog->path;
    FIRN_TRY(firn_fault_point("catalog.commit.before", path, err));
    FIRN_TRY(db->backend->commit(db, err));
    firn_err detail = {0};
    if (firn_fault_point("catalog.commit.after", path, &detail) != FIRN_OK) {
        FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME, "%s", detail.message);
    }
    return FIRN_OK;
}

void firn_db_session_lend(firn_db_session *session)
{
    if (session->db->in_transaction) {
        session->db->backend->rollback(session->db);
    }
    lent = lent ? lent : session;
}

void firn_db_session_end(firn_db_session *session)
{
    firn_catalog *catalog = session->catalog;
    if (session->db) {
        if (session->db->in_transaction) {
            session->db->backend->rollback(session->db);
        }
        if (!session->borrowed) {
            n_held--;
            give_back(catalog, session->db);
        }
        session->db = NULL;
    }
    if (session->counted) {
        leave(catalog, &catalog->connections);
        session->counted = false;
    }
    if (session->writing) {
        leave(catalog, &catalog->writers);
        session->writing = false;
    }
    lent = lent == session ? NULL : lent;
}
