/* The table `idempotency`: which requests made which commit and got which answer.
 *
 * Invariants:
 *  1. A row's commit_id was written by the transaction that made the commit, and never changes while the row lives.
 *  2. A row's status goes from 0 to the final answer once; a row with a commit never gets a status of failure.
 *  3. A row past expires_us is as good as absent: whoever writes the key next writes over it.
 */
#include "catalog/idempotency.h"

#include "base/time.h"
#include "internal.h"

#include <assert.h>

enum { HTTP_REDIRECT = 300 }; /* below: success */

static firn_rc check_key(const char *key, firn_err *err)
{
    size_t len = key ? strlen(key) : 0;
    if (len == 0 || len > FIRN_IDEMPOTENCY_KEY_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "an idempotency key has 1 to %d characters, this one has %zu",
                  FIRN_IDEMPOTENCY_KEY_BYTES_MAX, len);
    }
    for (const char *c = key; *c; c++) {
        if (*c < 0x21 || *c > 0x7e) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "an idempotency key is of printable ASCII characters without blanks");
        }
    }
    return FIRN_OK;
}

static firn_rc find(firn_db *db, firn_arena *arena, const char *key, firn_idempotency_record **out,
                    firn_err *err)
{
    firn_db_value params[] = {firn_db_str(key), firn_db_int(firn_now_us())};
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena,
                           "SELECT fingerprint, status, body, commit_id, created_us, expires_us"
                           " FROM idempotency WHERE idempotency_key = $1 AND expires_us > $2",
                           params, 2, &rows, err));
    *out = NULL;
    if (rows.n_rows > 0) {
        *out = FIRN_NEW(arena, firn_idempotency_record);
        **out = (firn_idempotency_record){
            .key = firn_arena_strdup(arena, key),
            .fingerprint = firn_db_text(&rows, 0, 0),
            .status = firn_db_i64(&rows, 0, 1),
            .body = firn_db_text(&rows, 0, 2),
            .commit_id = firn_db_text(&rows, 0, 3),
            .created_us = firn_db_i64(&rows, 0, 4),
            .expires_us = firn_db_i64(&rows, 0, 5),
        };
    }
    return FIRN_OK;
}

/* ---- inside a commit -------------------------------------------------------------------------- */

firn_rc firn_idempotency_find(firn_db *db, firn_arena *arena, const firn_commit_info *info,
                              firn_key_use *use, firn_err *err)
{
    firn_idempotency_record *record = NULL;
    *use = (firn_key_use){0};
    if (!info || !info->idempotency_key) {
        return FIRN_OK;
    }
    FIRN_TRY(check_key(info->idempotency_key, err));
    FIRN_TRY(find(db, arena, info->idempotency_key, &record, err));
    if (!record) {
        return FIRN_OK;
    }
    const char *ours = info->idempotency_fingerprint;
    if (ours && record->fingerprint[0] && !firn_streq(ours, record->fingerprint)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "idempotency key %s was used for another request: a new request needs a new key",
                  info->idempotency_key);
    }
    *use = (firn_key_use){.used = true, .commit_id = record->commit_id};
    return FIRN_OK;
}

firn_rc firn_idempotency_claim(firn_db *db, const firn_commit_info *info, const char *commit_id,
                               firn_err *err)
{
    if (!info || !info->idempotency_key) {
        return FIRN_OK;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t now_us = firn_now_us();
    firn_db_rows rows;
    firn_db_value params[] = {
        firn_db_str(info->idempotency_key),
        firn_db_str(info->idempotency_fingerprint ? info->idempotency_fingerprint : ""),
        firn_db_str(commit_id),
        firn_db_int(now_us),
        firn_db_int(now_us + FIRN_IDEMPOTENCY_LIFE_US),
    };
    FIRN_TRY(firn_db_query(
        db, arena,
        "INSERT INTO idempotency (idempotency_key, fingerprint, status, commit_id, created_us,"
        " expires_us) VALUES ($1, $2, 0, $3, $4, $5)"
        " ON CONFLICT (idempotency_key) DO UPDATE SET fingerprint = excluded.fingerprint,"
        " status = 0, body = NULL, commit_id = excluded.commit_id,"
        " created_us = excluded.created_us, expires_us = excluded.expires_us"
        " WHERE idempotency.expires_us <= excluded.created_us RETURNING idempotency_key",
        params, 5, &rows, err));
    if (rows.n_rows == 0) {
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "another request with idempotency key %s was faster: try again",
                  info->idempotency_key);
    }
    return FIRN_OK;
}

/* ---- answers ---------------------------------------------------------------------------------- */

firn_rc firn_idempotency_get(firn_catalog *catalog, firn_arena *arena, const char *key,
                             firn_idempotency_record **out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    FIRN_TRY(check_key(key, err));
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    return find(session.db, arena, key, out, err);
}

static firn_rc put_row(firn_db *db, firn_arena *arena, const firn_idempotency_record *record,
                       bool *recorded, firn_err *err)
{
    int64_t now_us = firn_now_us();
    int64_t expires_us =
        record->expires_us ? record->expires_us : now_us + FIRN_IDEMPOTENCY_LIFE_US;
    firn_db_rows rows;
    firn_db_value params[] = {
        firn_db_str(record->key),
        firn_db_str(record->fingerprint ? record->fingerprint : ""),
        firn_db_int(record->status),
        firn_db_str(record->body),
        firn_db_int(now_us),
        firn_db_int(expires_us),
        firn_db_int(record->status < HTTP_REDIRECT),
    };
    FIRN_TRY(firn_db_query(
        db, arena,
        "INSERT INTO idempotency (idempotency_key, fingerprint, status, body, created_us,"
        " expires_us) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (idempotency_key) DO UPDATE SET status = excluded.status,"
        " body = excluded.body, fingerprint = excluded.fingerprint,"
        " commit_id = CASE WHEN idempotency.expires_us <= excluded.created_us THEN NULL"
        " ELSE idempotency.commit_id END,"
        " created_us = excluded.created_us, expires_us = excluded.expires_us"
        " WHERE idempotency.expires_us <= excluded.created_us"
        " OR (idempotency.status = 0 AND (idempotency.commit_id IS NULL OR $7 = 1))"
        " RETURNING idempotency_key",
        params, 7, &rows, err));
    *recorded = rows.n_rows > 0;
    return FIRN_OK;
}

firn_rc firn_idempotency_put(firn_catalog *catalog, const firn_idempotency_record *record,
                             bool *recorded, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    bool ignored;
    assert(record->status != 0);
    FIRN_TRY(check_key(record->key, err));
    if (record->body && strlen(record->body) > FIRN_IDEMPOTENCY_BODY_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "an answer of %zu bytes is too large to be kept (at most %d)",
                  strlen(record->body), FIRN_IDEMPOTENCY_BODY_BYTES_MAX);
    }
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(put_row(session.db, arena, record, recorded ? recorded : &ignored, err));
    return firn_db_session_commit(&session, err);
}

firn_rc firn_idempotency_expire(firn_catalog *catalog, int64_t now_us, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_value param = firn_db_int(now_us);
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(firn_db_query(session.db, arena, "DELETE FROM idempotency WHERE expires_us <= $1",
                           &param, 1, NULL, err));
    return firn_db_session_commit(&session, err);
}
