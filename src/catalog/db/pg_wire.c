/* The wire to PostgreSQL.
 *
 * Invariants:
 *  1. Nothing here waits without a deadline: the socket is non-blocking, and whoever waits polls it. The deadline is longer
 *     than the server's own statement_timeout; past it, the connection is given up, never used again.
 *  2. db->pending mirrors what libpq has in its pipeline. Answers are read in order, all up to the last sync, also after a
 *     failure: so a connection that is not lost is always ready for the next statement.
 *  3. A statement's name is in db->statements exactly when the server has it prepared.
 *  4. No message holds the password of the URI.
 */
#include "db/pg.h"

#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    PARAMS_MAX = 32,
    REASON_BYTES = 1024,
};

/* ---- messages --------------------------------------------------------------------------------- */

char *firn_pg_masked(const pg_db *db, firn_arena *arena, const char *text)
{
    char *line = firn_str_trim(arena, text ? text : "");
    if (db->secret && db->secret[0]) {
        line = firn_str_replace(arena, line, db->secret, "***");
    }
    line = firn_str_replace(arena, line, "\n", " ");
    return firn_str_replace(arena, line, "\t", "");
}

void firn_pg_lose(pg_db *db, const char *why)
{
    firn_arena *arena = firn_arena_new();
    snprintf(db->lost, sizeof(db->lost), "%s", firn_pg_masked(db, arena, why));
    firn_arena_free(arena);
    PQfinish(db->conn);
    db->conn = NULL;
    firn_arena_free(db->life);
    db->life = NULL;
    db->statements = NULL;
    memset(&db->pending, 0, sizeof(db->pending));
    db->n_read = 0;
    db->sqlstate[0] = '\0';
    db->locks.len = 0; /* they were the connection's */
}

firn_rc firn_pg_fail_lost(const pg_db *db, const char *doing, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_BUSY, "cannot %s catalog %s: the connection was lost (%s); try again",
              doing, db->server, db->lost[0] ? db->lost : "no reason given");
}

static firn_rc code_of(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        firn_rc code;
    } codes[] = {
        {"53100", FIRN_E_NO_SPACE},  {"53200", FIRN_E_MEMORY},
        {"53", FIRN_E_BUSY},         {"42501", FIRN_E_PERMISSION},
        {"28", FIRN_E_PERMISSION},   {"25006", FIRN_E_READ_ONLY},
        {"55P03", FIRN_E_BUSY},      {"40", FIRN_E_BUSY},
        {"57014", FIRN_E_BUSY},      {"57P", FIRN_E_BUSY},
        {"08", FIRN_E_BUSY},         {"25P0", FIRN_E_BUSY},
        {"3D000", FIRN_E_NOT_FOUND}, {"22021", FIRN_E_INVALID},
        {"54", FIRN_E_LIMIT},        {"58", FIRN_E_IO},
        {"XX001", FIRN_E_CORRUPT},   {"XX002", FIRN_E_CORRUPT},
        {"42P01", FIRN_E_CORRUPT},   {"3F000", FIRN_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (firn_starts_with(sqlstate, codes[i].prefix)) {
            return codes[i].code;
        }
    }
    return FIRN_E_INTERNAL;
}

static const char *advice_of(firn_rc code, const char *sqlstate)
{
    switch (code) {
    case FIRN_E_NO_SPACE: return "; its disk is full: free some space and try again";
    case FIRN_E_READ_ONLY: return "; it takes no writes: is it a standby?";
    case FIRN_E_CORRUPT: return "; tables of the catalog are missing: restore the schema";
    case FIRN_E_BUSY:
        return firn_starts_with(sqlstate, "53300")
                   ? "; lower catalog.pool, or raise max_connections of the server"
                   : "; try again";
    default: return "";
    }
}

firn_rc firn_pg_fail(pg_db *db, const char *sqlstate, const char *reason, const char *doing,
                     firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_rc code = code_of(sqlstate);
    snprintf(db->sqlstate, sizeof(db->sqlstate), "%s", sqlstate);
    FIRN_FAIL(err, code, "cannot %s catalog %s: %s (SQLSTATE %s)%s", doing, db->server,
              firn_pg_masked(db, arena, reason), sqlstate, advice_of(code, sqlstate));
}

/* The failure that a result tells of. A server that ends the session says so before it hangs up. */
static firn_rc fail_result(pg_db *db, const PGresult *result, const char *doing, firn_err *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *reason = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool ended = severity && (firn_streq(severity, "FATAL") || firn_streq(severity, "PANIC"));
    if (!sqlstate || ended) {
        firn_pg_lose(db, reason ? reason : PQresultErrorMessage(result));
        return firn_pg_fail_lost(db, doing, err);
    }
    return firn_pg_fail(db, sqlstate, reason ? reason : "", doing, err);
}

/* ---- waiting ---------------------------------------------------------------------------------- */

static bool lose_with_reason(pg_db *db)
{
    char reason[REASON_BYTES];
    snprintf(reason, sizeof(reason), "%s", PQerrorMessage(db->conn));
    firn_pg_lose(db, reason);
    return false;
}

/* Until the socket can be read (or written, if something waits to go out). */
static bool wait_for_socket(pg_db *db, bool unsent, int64_t deadline_us)
{
    struct pollfd at = {.fd = PQsocket(db->conn), .events = POLLIN | (unsent ? POLLOUT : 0)};
    for (;;) {
        int64_t left_us = deadline_us - firn_monotonic_us();
        if (left_us <= 0) {
            firn_pg_lose(db, "the server did not answer in time");
            return false;
        }
        int ready = poll(&at, 1, (int)(left_us / 1000) + 1);
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            firn_pg_lose(db, "poll failed");
            return false;
        }
    }
}

/* Everything sent and an answer there, in full. */
static bool wait_for_answer(pg_db *db, int64_t deadline_us)
{
    for (;;) {
        int unsent = PQflush(db->conn);
        if (unsent < 0) {
            return lose_with_reason(db);
        }
        if (!PQisBusy(db->conn)) {
            return true;
        }
        if (!wait_for_socket(db, unsent > 0, deadline_us)) {
            return false;
        }
        if (!PQconsumeInput(db->conn)) {
            /* What the server said before it hung up may have come with the end. */
            return !PQisBusy(db->conn) || lose_with_reason(db);
        }
    }
}

static int64_t answer_deadline_us(const pg_db *db)
{
    return firn_monotonic_us() + (int64_t)db->answer_ms * 1000;
}

bool firn_pg_alive(pg_db *db)
{
    enum { LOOKS_MAX = 8 };
    if (!db->conn) {
        return false;
    }
    struct pollfd at = {.fd = PQsocket(db->conn), .events = POLLIN};
    for (int look = 0; look < LOOKS_MAX && poll(&at, 1, 0) > 0; look++) {
        /* Nobody was asked, so this is a notice, or the end. */
        bool read = PQconsumeInput(db->conn);
        (void)PQisBusy(db->conn); /* takes in what was read */
        if (!read || PQstatus(db->conn) == CONNECTION_BAD) {
            return lose_with_reason(db);
        }
    }
    return true;
}

/* ---- sending ---------------------------------------------------------------------------------- */

static void expect(pg_db *db, pg_expect what, const char *sql)
{
    pg_pending one = {.what = what, .sql = sql};
    firn_vec_push(db->life, &db->pending, one);
}

/* The name a statement is prepared under; the preparation travels in front of its first use. */
static const char *prepared(pg_db *db, const char *sql)
{
    const char *name = firn_map_get(db->statements, sql);
    if (name) {
        return name;
    }
    char *fresh = firn_arena_printf(db->life, "firn_%zu", firn_map_len(db->statements));
    if (!PQsendPrepare(db->conn, fresh, sql, 0, NULL)) {
        lose_with_reason(db);
        return NULL;
    }
    firn_map_put(db->statements, sql, fresh);
    expect(db, PG_PREPARED, firn_arena_strdup(db->life, sql));
    return fresh;
}

bool firn_pg_send(pg_db *db, const char *sql, const firn_db_value *params, size_t n_params)
{
    const char *values[PARAMS_MAX];
    char numbers[PARAMS_MAX][24];
    assert(n_params <= PARAMS_MAX);
    if (!db->conn) {
        return false;
    }
    const char *name = prepared(db, sql);
    if (!name) {
        return false;
    }
    for (size_t i = 0; i < n_params; i++) {
        values[i] = params[i].text;
        if (params[i].is_int) {
            snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)params[i].i64);
            values[i] = numbers[i];
        }
    }
    if (!PQsendQueryPrepared(db->conn, name, (int)n_params, values, NULL, NULL, 0)) {
        return lose_with_reason(db);
    }
    expect(db, PG_STATEMENT, NULL);
    return true;
}

bool firn_pg_sync(pg_db *db)
{
    if (!db->conn) {
        return false;
    }
    if (!PQpipelineSync(db->conn)) {
        return lose_with_reason(db);
    }
    expect(db, PG_SYNC, NULL);
    return PQflush(db->conn) >= 0 || lose_with_reason(db);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static firn_db_value cell(firn_arena *arena, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column)) {
        return (firn_db_value){0};
    }
    const char *text = PQgetvalue(result, row, column);
    switch (PQftype(result, column)) {
    case OID_INT8:
    case OID_INT4:
    case OID_INT2: return firn_db_int(strtoll(text, NULL, 10));
    case OID_BOOL: return firn_db_int(text[0] == 't');
    default:
        return firn_db_str(
            firn_arena_strndup(arena, text, (size_t)PQgetlength(result, row, column)));
    }
}

static void take_rows(firn_arena *arena, const PGresult *result, firn_db_rows *rows)
{
    int n_rows = PQntuples(result), n_columns = PQnfields(result);
    firn_db_value *values = FIRN_NEW_N(arena, firn_db_value, (size_t)n_rows * (size_t)n_columns);
    for (int r = 0; r < n_rows; r++) {
        for (int c = 0; c < n_columns; c++) {
            values[r * n_columns + c] = cell(arena, result, r, c);
        }
    }
    *rows =
        (firn_db_rows){.values = values, .n_rows = (size_t)n_rows, .n_columns = (size_t)n_columns};
}

/* What the answers so far come to. */
typedef struct reading {
    const char *doing;
    firn_arena *arena;
    firn_db_rows *rows;
    char *tag;
    firn_rc rc; /* of the first failure */
    firn_err *err;
} reading;

static void take(pg_db *db, reading *r, const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        if (r->rows) {
            take_rows(r->arena, result, r->rows);
        }
        if (r->tag) {
            snprintf(r->tag, FIRN_PG_TAG_BYTES, "%s", PQcmdStatus((PGresult *)result));
        }
        break;
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED: break; /* one before it failed */
    default:
        if (r->rc == FIRN_OK) {
            r->rc = fail_result(db, result, r->doing, r->err);
        }
    }
}

/* One answer: of a statement or preparation, all results up to the NULL that ends them. */
static bool read_one(pg_db *db, reading *r, pg_pending pending, int64_t deadline_us)
{
    bool ok = false;
    for (;;) {
        if (!wait_for_answer(db, deadline_us)) {
            return false;
        }
        PGresult *result = PQgetResult(db->conn);
        if (!result) {
            break;
        }
        ExecStatusType status = PQresultStatus(result);
        ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (pending.what == PG_STATEMENT || !ok) {
            take(db, r, result);
        }
        PQclear(result);
        if (!db->conn) {
            return false;
        }
        if (status == PGRES_PIPELINE_SYNC) {
            break;
        }
    }
    if (pending.what == PG_PREPARED && !ok) {
        firn_map_remove(db->statements, pending.sql);
    }
    return true;
}

firn_rc firn_pg_finish(pg_db *db, firn_arena *arena, const char *doing, firn_db_rows *rows,
                       char tag[FIRN_PG_TAG_BYTES], firn_err *err)
{
    reading r = {.doing = doing, .arena = arena, .tag = tag, .err = err};
    int64_t deadline_us = answer_deadline_us(db);
    while (db->conn && db->n_read < db->pending.len) {
        /* Rows are the last statement's alone; its sync comes behind it. */
        bool last = db->n_read + 2 >= db->pending.len;
        r.rows = last ? rows : NULL;
        pg_pending pending = db->pending.items[db->n_read++];
        if (!read_one(db, &r, pending, deadline_us)) {
            break;
        }
    }
    if (!db->conn) {
        return r.rc != FIRN_OK ? r.rc : firn_pg_fail_lost(db, doing, err);
    }
    db->pending.len = db->n_read = 0;
    return r.rc;
}

firn_rc firn_pg_run(pg_db *db, firn_arena *arena, const char *doing, const char *sql,
                    firn_db_rows *rows, firn_err *err)
{
    reading r = {.doing = doing, .arena = arena, .rows = rows, .err = err};
    assert(db->pending.len == 0);
    bool piped = PQpipelineStatus(db->conn) != PQ_PIPELINE_OFF;
    if (piped && !PQexitPipelineMode(db->conn)) {
        lose_with_reason(db);
        return firn_pg_fail_lost(db, doing, err);
    }
    int64_t deadline_us = answer_deadline_us(db);
    if (!PQsendQuery(db->conn, sql)) {
        lose_with_reason(db);
    }
    while (db->conn && wait_for_answer(db, deadline_us)) {
        PGresult *result = PQgetResult(db->conn);
        if (!result) {
            break;
        }
        take(db, &r, result);
        PQclear(result);
    }
    if (!db->conn) {
        return r.rc != FIRN_OK ? r.rc : firn_pg_fail_lost(db, doing, err);
    }
    if (piped && !PQenterPipelineMode(db->conn)) {
        lose_with_reason(db);
        return firn_pg_fail_lost(db, doing, err);
    }
    return r.rc;
}
