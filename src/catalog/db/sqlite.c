/* SQLite under the catalog.
 *
 * Invariants:
 *  1. WAL with synchronous=FULL: a commit that returned has been fsynced; readers never wait for writers.
 *  2. A write transaction begins with BEGIN IMMEDIATE, so it never finds at its end that it read stale data.
 *  3. A COMMIT that failed for want of space or a lock is known not to have happened. After any other failure its frames
 *     may be in the WAL with only their fsync missing, and a recovery after power loss would bring them back: that is an
 *     unknown outcome, until the next successful write transaction has written over them.
 *
 * Waiting for the write lock is done here and not by SQLite's own busy timeout, whose growing steps starve latecomers:
 * short jittered naps until the deadline.
 *
 * Advisory locks are byte ranges of "<path>.lock" held through open file descriptions, which the kernel drops with their
 * holder, whether thread or process.
 */
#include "db/db.h"

#include "base/io.h"
#include "base/map.h"
#include "base/time.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "db/schema.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SQLITE_APPLICATION_ID = 0x6669726e, /* "firn" */
    NAP_MS_MAX = 8,
};

typedef struct sqlite_db {
    firn_db base;
    sqlite3 *handle;
    char *path;
    int busy_timeout_ms;
    int64_t waiting_since_us; /* 0: not waiting */
    firn_arena *arena;
    firn_map *statements; /* SQL text -> sqlite3_stmt, prepared */
} sqlite_db;

/* ---- errors ----------------------------------------------------------------------------------- */

/* A full disk has a second face: the -shm file, which readers need, too, cannot grow (SQLite calls that an I/O error). */
static bool is_full(const sqlite_db *db, int code)
{
    bool io = (code & 0xff) == SQLITE_IOERR && db->handle != NULL;
    return (code & 0xff) == SQLITE_FULL ||
           (io && (sqlite3_extended_errcode(db->handle) == SQLITE_IOERR_SHMSIZE ||
                   sqlite3_system_errno(db->handle) == ENOSPC));
}

static firn_rc fail_sqlite(const sqlite_db *db, int code, const char *doing, firn_err *err)
{
    const char *reason = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
    switch (is_full(db, code) ? SQLITE_FULL : code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        FIRN_FAIL(
            err, FIRN_E_BUSY,
            "catalog %s is locked by another process (waited %g s): try again, or find the holder with `fuser %s`",
            db->path, db->busy_timeout_ms / 1000.0, db->path);
    case SQLITE_FULL:
        FIRN_FAIL(err, FIRN_E_NO_SPACE,
                  "cannot %s catalog %s: the disk is full; free some space and try again", doing,
                  db->path);
    case SQLITE_READONLY:
        FIRN_FAIL(err, FIRN_E_READ_ONLY, "cannot %s catalog %s: it is read-only (%s)", doing,
                  db->path, reason);
    case SQLITE_NOTADB:
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is not a firn catalog: it is no SQLite database",
                  db->path);
    case SQLITE_CORRUPT:
        FIRN_FAIL(
            err, FIRN_E_CORRUPT,
            "catalog %s is damaged (%s): restore it from a backup, or register its tables in a new one",
            db->path, reason);
    case SQLITE_CANTOPEN: {
        int cause = db->handle ? sqlite3_system_errno(db->handle) : 0;
        if (cause != 0) {
            return firn_err_errno(err, __FILE__, __LINE__, cause, "cannot open catalog %s",
                                  db->path);
        }
        FIRN_FAIL(err, FIRN_E_IO, "cannot open catalog %s or the files beside it (-wal, -shm): %s",
                  db->path, reason);
    }
    case SQLITE_PERM:
    case SQLITE_AUTH:
        FIRN_FAIL(err, FIRN_E_PERMISSION, "cannot %s catalog %s: %s", doing, db->path, reason);
    case SQLITE_NOMEM:
        FIRN_FAIL(err, FIRN_E_MEMORY, "cannot %s catalog %s: out of memory", doing, db->path);
    case SQLITE_TOOBIG:
        FIRN_FAIL(err, FIRN_E_LIMIT, "cannot %s catalog %s: a value is too large", doing, db->path);
    case SQLITE_IOERR:
        FIRN_FAIL(err, FIRN_E_IO, "cannot %s catalog %s: %s", doing, db->path, reason);
    default:
        FIRN_FAIL(err, FIRN_E_INTERNAL, "cannot %s catalog %s: %s (SQLite %d)", doing, db->path,
                  reason, code);
    }
}

static bool nap_before(int64_t deadline_us)
{
    if (firn_monotonic_us() >= deadline_us) {
        return false;
    }
    firn_sleep_ms(1 + (int64_t)(firn_random_u64() % NAP_MS_MAX));
    return true;
}

/* SQLite calls this while another connection holds the lock it wants; 0 gives up. */
static int wait_for_lock(void *ctx, int times)
{
    sqlite_db *db = ctx;
    if (times == 0) {
        db->waiting_since_us = firn_monotonic_us();
    }
    return nap_before(db->waiting_since_us + (int64_t)db->busy_timeout_ms * 1000);
}

/* ---- statements ------------------------------------------------------------------------------- */

static firn_rc prepared(sqlite_db *db, const char *sql, sqlite3_stmt **out, firn_err *err)
{
    *out = firn_map_get(db->statements, sql);
    if (*out) {
        return FIRN_OK;
    }
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    if (code != SQLITE_OK) {
        return fail_sqlite(db, code, "prepare a statement for", err);
    }
    firn_map_put(db->statements, sql, *out);
    return FIRN_OK;
}

static void bind(sqlite3_stmt *statement, const firn_db_value *params, size_t n)
{
    char name[24];
    for (size_t i = 0; i < n; i++) {
        /* SQLite numbers parameters by first appearance, PostgreSQL by what they say: go by the name. */
        snprintf(name, sizeof(name), "$%zu", i + 1);
        int index = sqlite3_bind_parameter_index(statement, name);
        assert(index > 0);
        int code = params[i].is_int ? sqlite3_bind_int64(statement, index, params[i].i64)
                   : params[i].text
                       ? sqlite3_bind_text(statement, index, params[i].text, -1, SQLITE_STATIC)
                       : sqlite3_bind_null(statement, index);
        assert(code == SQLITE_OK);
    }
}

static firn_db_value column_value(firn_arena *arena, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL: return (firn_db_value){0};
    case SQLITE_INTEGER: return firn_db_int(sqlite3_column_int64(statement, column));
    default: {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        return firn_db_str(
            firn_arena_strndup(arena, text, (size_t)sqlite3_column_bytes(statement, column)));
    }
    }
}

static firn_rc sqlite_query(firn_db *base, firn_arena *arena, const char *sql,
                            const firn_db_value *params, size_t n_params, firn_db_rows *rows,
                            firn_err *err)
{
    sqlite_db *db = (sqlite_db *)base;
    sqlite3_stmt *statement;
    FIRN_TRY(prepared(db, sql, &statement, err));
    bind(statement, params, n_params);
    FIRN_VEC(firn_db_value) values = {0};
    int columns = sqlite3_column_count(statement);
    size_t n_rows = 0;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int c = 0; c < columns; c++) {
            firn_vec_push(arena, &values, column_value(arena, statement, c));
        }
        n_rows++;
    }
    firn_rc rc = code == SQLITE_DONE
                     ? FIRN_OK
                     : fail_sqlite(db, code, base->in_transaction ? "change" : "read", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (rc == FIRN_OK && rows) {
        *rows =
            (firn_db_rows){.values = values.items, .n_rows = n_rows, .n_columns = (size_t)columns};
    }
    return rc;
}

/* ---- transactions ----------------------------------------------------------------------------- */

static firn_rc run(sqlite_db *db, const char *sql, const char *doing, firn_err *err)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? FIRN_OK : fail_sqlite(db, code, doing, err);
}

static firn_rc sqlite_begin(firn_db *base, bool write, firn_err *err)
{
    sqlite_db *db = (sqlite_db *)base;
    assert(!base->in_transaction);
    if (write && sqlite3_db_readonly(db->handle, "main") == 1) {
        FIRN_FAIL(err, FIRN_E_READ_ONLY,
                  "catalog %s is read-only: make the file and its folder writable", db->path);
    }
    FIRN_TRY(run(db, write ? "BEGIN IMMEDIATE" : "BEGIN", write ? "write to" : "read", err));
    base->in_transaction = true;
    return FIRN_OK;
}

static void sqlite_rollback(firn_db *base)
{
    sqlite_db *db = (sqlite_db *)base;
    if (!sqlite3_get_autocommit(db->handle)) {
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
    base->in_transaction = false;
}

static firn_rc sqlite_commit(firn_db *base, firn_err *err)
{
    sqlite_db *db = (sqlite_db *)base;
    int code = sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        base->in_transaction = false;
        return FIRN_OK;
    }
    firn_err detail = {0};
    firn_rc rc = fail_sqlite(db, code, "commit to", &detail);
    sqlite_rollback(base);
    bool known = (code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_BUSY;
    FIRN_FAIL(err, known ? rc : FIRN_E_UNKNOWN_OUTCOME, "%s", detail.message);
}

/* ---- advisory locks --------------------------------------------------------------------------- */

static bool lock_byte(int fd, off_t at, int64_t deadline_us)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    while (fcntl(fd, F_OFD_SETLK, &range) != 0) {
        bool held = errno == EAGAIN || errno == EACCES || errno == EINTR;
        if (!held || !nap_before(deadline_us)) {
            return false;
        }
    }
    return true;
}

/* Two bytes a key: the lock, and a gate before it that is held while waiting. A process that lets go of the lock and wants
 * it again at once, for the next of its threads, finds the gate taken by whoever naps there, and comes second. */
static void sqlite_lock(firn_db *base, uint64_t key, int timeout_ms, int *handle)
{
    sqlite_db *db = (sqlite_db *)base;
    char name[4096];
    *handle = -1;
    if (snprintf(name, sizeof(name), "%s.lock", db->path) >= (int)sizeof(name)) {
        return;
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return;
    }
    int64_t deadline_us = firn_monotonic_us() + (int64_t)timeout_ms * 1000;
    off_t at = (off_t)(key >> 3) * 2;
    if (!lock_byte(fd, at + 1, deadline_us) || !lock_byte(fd, at, deadline_us)) {
        close(fd);
        return;
    }
    struct flock gate = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = at + 1, .l_len = 1};
    fcntl(fd, F_OFD_SETLK, &gate);
    *handle = fd;
}

static void sqlite_unlock(firn_db *base, int handle)
{
    (void)base;
    if (handle >= 0) {
        close(handle);
    }
}

/* ---- opening ---------------------------------------------------------------------------------- */

static void sqlite_close(firn_db *base)
{
    sqlite_db *db = (sqlite_db *)base;
    const char *sql;
    void *statement;
    for (size_t i = 0; firn_map_next(db->statements, &i, &sql, &statement);) {
        sqlite3_finalize(statement);
    }
    sqlite3_close(db->handle);
    firn_arena_free(db->arena);
    free(db->path);
    free(db);
}

static firn_rc pragma_i64(sqlite_db *db, const char *sql, int64_t *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_db_rows rows;
    FIRN_TRY(sqlite_query(&db->base, arena, sql, NULL, 0, &rows, err));
    *out = rows.n_rows > 0 ? firn_db_i64(&rows, 0, 0) : 0;
    return FIRN_OK;
}

/* Which schema the file has: 0 for a file without any. */
static firn_rc schema_version(sqlite_db *db, int64_t *version, firn_err *err)
{
    int64_t application, tables;
    FIRN_TRY(pragma_i64(db, "PRAGMA application_id", &application, err));
    FIRN_TRY(pragma_i64(db, "PRAGMA user_version", version, err));
    FIRN_TRY(pragma_i64(db, "SELECT count(*) FROM sqlite_master", &tables, err));
    if (application != SQLITE_APPLICATION_ID && (application != 0 || tables > 0)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s is not a firn catalog: it is another program's SQLite database", db->path);
    }
    if (*version > FIRN_CATALOG_SCHEMA_VERSION) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "catalog %s was written by a newer firn (schema %lld, this one knows up to %d): use that version",
            db->path, (long long)*version, FIRN_CATALOG_SCHEMA_VERSION);
    }
    return FIRN_OK;
}

/* Inside a write transaction: whoever is first migrates, the others find it done. */
static firn_rc migrate_locked(sqlite_db *db, firn_err *err)
{
    int64_t version;
    FIRN_TRY(schema_version(db, &version, err));
    for (int64_t v = version; v < FIRN_CATALOG_SCHEMA_VERSION; v++) {
        FIRN_TRY(run(db, firn_catalog_migrations[v], "create the tables of", err));
    }
    char stamp[128];
    snprintf(stamp, sizeof(stamp), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             SQLITE_APPLICATION_ID, FIRN_CATALOG_SCHEMA_VERSION);
    return run(db, stamp, "create", err);
}

static firn_rc migrate(sqlite_db *db, firn_err *err)
{
    FIRN_TRY(sqlite_begin(&db->base, true, err));
    firn_rc rc = migrate_locked(db, err);
    if (rc != FIRN_OK) {
        sqlite_rollback(&db->base);
        return rc;
    }
    return sqlite_commit(&db->base, err);
}

/* Switching to WAL takes an exclusive lock for which SQLite does not always call the busy handler. */
static firn_rc enter_wal(sqlite_db *db, firn_err *err)
{
    int64_t deadline_us = firn_monotonic_us() + (int64_t)db->busy_timeout_ms * 1000;
    int code;
    while ((code = sqlite3_exec(db->handle, "PRAGMA journal_mode = WAL", NULL, NULL, NULL)) !=
           SQLITE_OK) {
        if ((code & 0xff) != SQLITE_BUSY || !nap_before(deadline_us)) {
            return fail_sqlite(db, code, "open", err);
        }
    }
    return FIRN_OK;
}

static firn_rc set_up(sqlite_db *db, bool create, firn_err *err)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_handler(db->handle, wait_for_lock, db);
    FIRN_TRY(run(db,
                 "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF",
                 "open", err));
    int64_t version;
    FIRN_TRY(schema_version(db, &version, err));
    if (version == 0 && !create) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "%s is empty, not a catalog yet: `firn init` makes it one",
                  db->path);
    }
    if (sqlite3_db_readonly(db->handle, "main") == 0) {
        FIRN_TRY(enter_wal(db, err)); /* a copy made by other tools may have lost it */
    }
    /* An older catalog that cannot be migrated can still be read: migrations have only added tables so far. */
    bool as_it_is = version > 0 && sqlite3_db_readonly(db->handle, "main") == 1;
    return version == FIRN_CATALOG_SCHEMA_VERSION || as_it_is ? FIRN_OK : migrate(db, err);
}

/* A file URI, for the parameter; '?', '#' and '%' in the path are escaped. */
static char *immutable_uri(firn_arena *arena, const char *path)
{
    path = firn_str_replace(arena, path, "%", "%25");
    path = firn_str_replace(arena, path, "?", "%3f");
    path = firn_str_replace(arena, path, "#", "%23");
    return firn_arena_printf(arena, "file:%s?immutable=1", path);
}

/* A WAL database needs to write beside itself even to be read. On read-only media nobody else can be writing
 * either, so it may be read as it is, unless a WAL was left that would have to be replayed first. */
static firn_rc open_handle(sqlite_db *db, bool create, firn_err *err)
{
    char *folder = firn_path_dirname(db->arena, db->path);
    bool writable = access(folder, W_OK) == 0 && (access(db->path, W_OK) == 0 || errno == ENOENT);
    char *wal = firn_arena_printf(db->arena, "%s-wal", db->path);
    int code;
    if (!writable && firn_path_exists(db->path) && !firn_path_exists(wal)) {
        code = sqlite3_open_v2(immutable_uri(db->arena, db->path), &db->handle,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    } else {
        code = sqlite3_open_v2(
            db->path, &db->handle,
            SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX, NULL);
    }
    return code == SQLITE_OK ? FIRN_OK : fail_sqlite(db, code, "open", err);
}

static const firn_db_backend sqlite_backend = {
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .query = sqlite_query,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
    .close = sqlite_close,
};

firn_rc firn_sqlite_open(const firn_sqlite_options *options, firn_db **out, firn_err *err)
{
    if (!options->create && !firn_path_exists(options->path)) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                  "there is no catalog at %s: `firn init` makes a lake with one", options->path);
    }
    sqlite_db *db = firn_calloc(1, sizeof(*db));
    db->base.backend = &sqlite_backend;
    db->path = firn_strdup(options->path);
    db->busy_timeout_ms = options->busy_timeout_ms;
    db->arena = firn_arena_new();
    db->statements = firn_map_new(db->arena);
    firn_rc rc = open_handle(db, options->create, err);
    if (rc == FIRN_OK) {
        rc = set_up(db, options->create, err);
    }
    if (rc != FIRN_OK) {
        sqlite_close(&db->base);
        return rc;
    }
    *out = &db->base;
    return FIRN_OK;
}
