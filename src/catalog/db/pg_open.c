/* Opening a connection to PostgreSQL: the URI, the session's settings, the schema and its version.
 *
 * The catalog's tables lie in a schema of their own, so that many lakes, and other programs, share a database. The table
 * firn_schema in it has one row, the version; migrations run in one transaction under the write lock, and whoever comes
 * second finds them done. Text columns have the collation "C": keys are ordered by bytes, as in SQLite.
 *
 * What libpq takes from elsewhere (~/.pgpass, PGPASSWORD, sslmode, service files) it takes here, too.
 */
#include "db/pg.h"

#include "base/time.h"
#include "base/uuid.h"
#include "db/schema.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_S = 5,
    STATEMENT_MS = 60 * 1000, /* beyond the longest wait for a lock */
    ANSWER_GRACE_MS = 15 * 1000,
    SERVER_VERSION_MIN = 120000,
    SERVER_VERSION_CHECKS_CLIENTS = 140000,
    SCHEMA_NAME_BYTES_MAX = 63,
    RETRY_NAP_MS = 50,
};

/* ---- options ---------------------------------------------------------------------------------- */

/* FNV-1a: the same in every process. */
static uint64_t stable_hash(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        hash = (hash ^ *c) * UINT64_C(1099511628211);
    }
    return hash;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++) {
        if (firn_streq(options->keyword, keyword)) {
            return options->val && options->val[0] ? options->val : NULL;
        }
    }
    return NULL;
}

/* libpq's own words about a bad URI repeat it, password and all. */
static firn_rc parse_uri(const char *uri, PQconninfoOption **out, firn_err *err)
{
    char *message = NULL;
    *out = PQconninfoParse(uri, &message);
    PQfreemem(message);
    /* An unescaped password ends up in the host's or the port's place. */
    const char *port = option_value(*out, "port"), *host = option_value(*out, "host");
    if (*out && (!port || port[strspn(port, "0123456789,")] == '\0') &&
        (!host || !strchr(host, '@'))) {
        return FIRN_OK;
    }
    PQconninfoFree(*out);
    *out = NULL;
    FIRN_FAIL(err, FIRN_E_CONFIG,
              "catalog.uri is not a PostgreSQL URI such as postgresql://user@host:5432/database: "
              "in a user name or password, write the characters : / @ %% ? # as %%3A %%2F %%40 "
              "%%25 %%3F %%23");
}

static firn_rc check_schema(const char *schema, firn_err *err)
{
    size_t len = strlen(schema);
    if (len == 0 || len > SCHEMA_NAME_BYTES_MAX || firn_starts_with(schema, "pg_") ||
        !firn_utf8_valid(firn_bytes_str(schema))) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "catalog.schema is \"%s\", but it must have 1 to %d bytes and not begin with pg_",
                  schema, SCHEMA_NAME_BYTES_MAX);
    }
    return FIRN_OK;
}

/* What everybody may read: no password, no options. */
static char *describe(firn_arena *arena, const PQconninfoOption *uri, const char *schema)
{
    const char *user = option_value(uri, "user"), *host = option_value(uri, "host");
    const char *port = option_value(uri, "port"), *database = option_value(uri, "dbname");
    host = host ? host : option_value(uri, "hostaddr");
    host = host ? host : getenv("PGHOST");
    port = port ? port : getenv("PGPORT");
    database = database ? database : getenv("PGDATABASE");
    return firn_arena_printf(arena, "postgresql://%s%s%s:%s/%s (schema %s)", user ? user : "",
                             user ? "@" : "", host ? host : "localhost", port ? port : "5432",
                             database ? database : "", schema);
}

firn_rc firn_pg_describe(firn_arena *arena, const firn_pg_options *options, char **out,
                         firn_err *err)
{
    PQconninfoOption *uri;
    const char *schema = options->schema ? options->schema : "firn";
    FIRN_TRY(check_schema(schema, err));
    FIRN_TRY(parse_uri(options->uri, &uri, err));
    *out = describe(arena, uri, schema);
    PQconninfoFree(uri);
    return FIRN_OK;
}

firn_rc firn_pg_prepare(pg_db *db, const firn_pg_options *options, firn_err *err)
{
    PQconninfoOption *uri;
    const char *schema = options->schema ? options->schema : "firn";
    FIRN_TRY(check_schema(schema, err));
    FIRN_TRY(parse_uri(options->uri, &uri, err));
    const char *secret = option_value(uri, "password");
    db->uri = firn_arena_strdup(db->arena, options->uri);
    db->schema = firn_arena_strdup(db->arena, schema);
    db->secret = secret ? firn_arena_strdup(db->arena, secret) : NULL;
    db->server = describe(db->arena, uri, schema);
    db->busy_timeout_ms = options->busy_timeout_ms;
    db->answer_ms = options->busy_timeout_ms + STATEMENT_MS + ANSWER_GRACE_MS;
    char *key = firn_arena_printf(db->arena, "firn\x1e%s", schema);
    db->write_lock = (int64_t)stable_hash(key);
    db->lock_space = (uint32_t)(stable_hash(key) >> 32);
    PQconninfoFree(uri);
    return FIRN_OK;
}

/* ---- connecting ------------------------------------------------------------------------------- */

/* What the URI leaves open and libpq would leave to wait for ever. */
typedef struct parameters {
    const char *keywords[64];
    const char *values[64];
    size_t n;
} parameters;

static void set_default(parameters *p, const PQconninfoOption *uri, const char *keyword,
                        const char *environment, const char *value)
{
    if (!option_value(uri, keyword) && !(environment && getenv(environment))) {
        p->keywords[p->n] = keyword;
        p->values[p->n++] = value;
    }
}

static void fill_parameters(firn_arena *arena, const PQconninfoOption *uri, parameters *p)
{
    char host[128] = "";
    gethostname(host, sizeof(host) - 1);
    for (const PQconninfoOption *o = uri; o->keyword && p->n < 48; o++) {
        if (o->val && o->val[0]) {
            p->keywords[p->n] = o->keyword;
            p->values[p->n++] = o->val;
        }
    }
    set_default(p, uri, "connect_timeout", "PGCONNECT_TIMEOUT",
                firn_arena_printf(arena, "%d", CONNECT_TIMEOUT_S));
    set_default(p, uri, "keepalives_idle", NULL, "10");
    set_default(p, uri, "keepalives_interval", NULL, "5");
    set_default(p, uri, "keepalives_count", NULL, "3");
    set_default(p, uri, "tcp_user_timeout", NULL, "20000");
    /* Seen by whoever looks for the holder of a lock. */
    set_default(p, uri, "application_name", "PGAPPNAME",
                firn_arena_printf(arena, "firn %.40s pid %ld", host, (long)getpid()));
    p->keywords[p->n] = "client_encoding";
    p->values[p->n++] = "UTF8";
    p->keywords[p->n] = NULL;
    p->values[p->n] = NULL;
}

/* libpq leaves the deadline to whoever polls. */
static void poll_until_connected(PGconn *conn, int64_t timeout_ms)
{
    int64_t deadline_us = firn_monotonic_us() + timeout_ms * 1000;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (PQstatus(conn) != CONNECTION_BAD &&
           (status == PGRES_POLLING_WRITING || status == PGRES_POLLING_READING)) {
        struct pollfd at = {.fd = PQsocket(conn),
                            .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left_us = deadline_us - firn_monotonic_us();
        if (left_us <= 0) {
            return;
        }
        if (poll(&at, 1, (int)(left_us / 1000) + 1) > 0) {
            status = PQconnectPoll(conn);
        }
    }
}

static void ignore_notice(void *ctx, const char *message)
{
    (void)ctx, (void)message;
}

/* "FATAL:  28P01: password authentication failed": the code between the first two colons that enclose one. */
static const char *sqlstate_in(firn_arena *arena, const char *message)
{
    for (const char *at = strstr(message, ": "); at; at = strstr(at + 1, ": ")) {
        const char *code = at + strspn(at, ": ");
        if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && code[5] == ':' &&
            strcspn(code, "0123456789") < 5) { /* not "FATAL:" */
            return firn_arena_strndup(arena, code, 5);
        }
    }
    return "";
}

static firn_rc fail_to_connect(pg_db *db, firn_arena *arena, firn_err *err)
{
    char *message = firn_arena_strdup(arena, PQerrorMessage(db->conn));
    const char *sqlstate = sqlstate_in(arena, message);
    char *location = strstr(message, "\nLOCATION:");
    if (location) {
        *location = '\0';
    }
    if (!message[0]) {
        message = firn_arena_strdup(arena, "it did not answer in time");
    }
    firn_pg_lose(db, message);
    if (sqlstate[0]) {
        return firn_pg_fail(db, sqlstate, message, "open", err);
    }
    FIRN_FAIL(err, FIRN_E_BUSY,
              "cannot reach the PostgreSQL server of catalog %s: %s; try again when it answers",
              db->server, db->lost);
}

static firn_rc dial(pg_db *db, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    PQconninfoOption *uri;
    parameters p = {0};
    FIRN_TRY(parse_uri(db->uri, &uri, err));
    fill_parameters(arena, uri, &p);
    const char *hosts = option_value(uri, "host");
    db->life = firn_arena_new();
    db->statements = firn_map_new(db->life);
    if (hosts && strchr(hosts, ',')) {
        db->conn = PQconnectdbParams(p.keywords, p.values, 0); /* minds the timeout of each host */
    } else {
        int64_t timeout_s = CONNECT_TIMEOUT_S;
        const char *given = option_value(uri, "connect_timeout");
        given = given ? given : getenv("PGCONNECT_TIMEOUT");
        if (given && (!firn_parse_i64(given, &timeout_s) || timeout_s <= 0)) {
            timeout_s = CONNECT_TIMEOUT_S;
        }
        db->conn = PQconnectStartParams(p.keywords, p.values, 0);
        PQsetErrorVerbosity(db->conn, PQERRORS_VERBOSE); /* to learn the SQLSTATE */
        poll_until_connected(db->conn, timeout_s * 1000);
    }
    PQconninfoFree(uri);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        return fail_to_connect(db, arena, err);
    }
    PQsetErrorVerbosity(db->conn, PQERRORS_DEFAULT);
    PQsetNoticeProcessor(db->conn, ignore_notice, NULL);
    PQsetnonblocking(db->conn, 1);
    return FIRN_OK;
}

/* A server that is starting up, or has no connection free right now, is waited for. */
static firn_rc dial_patiently(pg_db *db, firn_err *err)
{
    int64_t deadline_us = firn_monotonic_us() + (int64_t)db->busy_timeout_ms * 1000;
    for (;;) {
        firn_rc rc = dial(db, err);
        bool soon = rc != FIRN_OK &&
                    (firn_streq(db->sqlstate, "57P03") || firn_streq(db->sqlstate, "53300"));
        if (!soon || firn_monotonic_us() >= deadline_us) {
            return rc;
        }
        firn_err_clear(err);
        firn_sleep_ms(RETRY_NAP_MS / 2 + (int64_t)(firn_random_u64() % RETRY_NAP_MS));
    }
}

/* ---- the session ------------------------------------------------------------------------------ */

static firn_rc set_up_session(pg_db *db, firn_arena *arena, firn_err *err)
{
    const char *encoding = PQparameterStatus(db->conn, "server_encoding");
    int version = PQserverVersion(db->conn);
    if (version < SERVER_VERSION_MIN) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "catalog %s needs PostgreSQL %d or newer, this is %d.%d",
                  db->server, SERVER_VERSION_MIN / 10000, version / 10000, version % 10000);
    }
    if (!encoding || !firn_streq(encoding, "UTF8")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "catalog %s needs a database of encoding UTF8, this one has %s: make another "
                  "with `createdb --encoding=UTF8 --template=template0 NAME`",
                  db->server, encoding ? encoding : "none");
    }
    int lock_ms = db->busy_timeout_ms > 0 ? db->busy_timeout_ms : 1;
    const char *sql = firn_arena_printf(
        arena,
        "SET search_path = %s; SET default_transaction_isolation = 'read committed';"
        "SET lock_timeout = %d; SET statement_timeout = %d; SET standard_conforming_strings = on;"
        "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
        "SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000;"
        /* A commit that returned is durable, whatever the server does by default. */
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'",
        firn_sql_ident(arena, db->schema), lock_ms, db->busy_timeout_ms + STATEMENT_MS);
    FIRN_TRY(firn_pg_run(db, arena, "open", sql, NULL, err));
    if (version >= SERVER_VERSION_CHECKS_CLIENTS) {
        /* So that who died while waiting for a lock does not get it. Not to be had on every system. */
        firn_err ignored = {0};
        (void)!firn_pg_run(db, arena, "open", "SET client_connection_check_interval = '5s'", NULL,
                           &ignored);
    }
    return db->conn ? FIRN_OK : firn_pg_fail_lost(db, "open", err);
}

/* ---- the schema ------------------------------------------------------------------------------- */

typedef struct schema_state {
    bool exists;     /* the schema */
    bool is_ours;    /* it holds a catalog */
    int64_t version; /* of it; 0: none */
} schema_state;

static firn_rc read_version(pg_db *db, firn_arena *arena, int64_t *version, firn_err *err)
{
    firn_db_rows rows;
    FIRN_TRY(firn_pg_run(db, arena, "open", "SELECT version FROM firn_schema", &rows, err));
    *version = rows.n_rows > 0 ? firn_db_i64(&rows, 0, 0) : 0;
    if (*version > FIRN_CATALOG_SCHEMA_VERSION) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "catalog %s was written by a newer firn (schema %lld, this one knows up to %d): "
                  "use that version",
                  db->server, (long long)*version, FIRN_CATALOG_SCHEMA_VERSION);
    }
    return FIRN_OK;
}

/* From the system's tables, which can be read without a failure that would end a transaction. */
static firn_rc look_at_schema(pg_db *db, firn_arena *arena, schema_state *out, firn_err *err)
{
    firn_db_rows rows;
    const char *name = firn_sql_quote(arena, db->schema);
    const char *sql = firn_arena_printf(
        arena,
        "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = %s),"
        " count(*) FILTER (WHERE c.relname = 'firn_schema'), count(*),"
        " COALESCE(has_schema_privilege((SELECT oid FROM pg_namespace WHERE nspname = %s),"
        " 'USAGE'), true)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind IN ('r', 'v', 'm', 'p', 'f')",
        name, name, name);
    FIRN_TRY(firn_pg_run(db, arena, "open", sql, &rows, err));
    *out = (schema_state){
        .exists = firn_db_i64(&rows, 0, 0) > 0,
        .is_ours = firn_db_i64(&rows, 0, 1) > 0,
    };
    if (out->exists && !firn_db_i64(&rows, 0, 3)) {
        FIRN_FAIL(err, FIRN_E_PERMISSION,
                  "cannot open catalog %s: this user may not use the schema; its owner can GRANT "
                  "USAGE ON SCHEMA %s and the tables in it",
                  db->server, db->schema);
    }
    if (!out->is_ours && firn_db_i64(&rows, 0, 2) > 0) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s is not a firn catalog: the schema holds other tables; choose another by "
                  "catalog.schema",
                  db->server);
    }
    return out->is_ours ? read_version(db, arena, &out->version, err) : FIRN_OK;
}

static firn_rc migrate_locked(pg_db *db, firn_arena *arena, firn_err *err)
{
    schema_state state;
    FIRN_TRY(look_at_schema(db, arena, &state, err));
    if (!state.exists) {
        const char *sql =
            firn_arena_printf(arena, "CREATE SCHEMA %s", firn_sql_ident(arena, db->schema));
        FIRN_TRY(firn_pg_run(db, arena, "create the schema of", sql, NULL, err));
    }
    if (!state.is_ours) {
        FIRN_TRY(firn_pg_run(db, arena, "create the tables of",
                             "CREATE TABLE firn_schema (version BIGINT NOT NULL);"
                             "INSERT INTO firn_schema (version) VALUES (0)",
                             NULL, err));
    }
    for (int64_t v = state.version; v < FIRN_CATALOG_SCHEMA_VERSION; v++) {
        const char *sql =
            firn_str_replace(arena, firn_catalog_migrations[v], " TEXT", " TEXT COLLATE \"C\"");
        FIRN_TRY(firn_pg_run(db, arena, "create the tables of", sql, NULL, err));
    }
    const char *stamp = firn_arena_printf(arena, "UPDATE firn_schema SET version = %d",
                                          FIRN_CATALOG_SCHEMA_VERSION);
    return firn_pg_run(db, arena, "create the tables of", stamp, NULL, err);
}

/* Whoever is first migrates, the others find it done. */
static firn_rc migrate(pg_db *db, firn_arena *arena, firn_err *err)
{
    const char *begin = firn_arena_printf(arena, "BEGIN; SELECT pg_advisory_xact_lock(%lld)",
                                          (long long)db->write_lock);
    firn_rc rc = firn_pg_run(db, arena, "write to", begin, NULL, err);
    if (rc == FIRN_OK) {
        rc = migrate_locked(db, arena, err);
    }
    if (rc != FIRN_OK) {
        if (db->conn) {
            (void)!firn_pg_run(db, arena, "leave", "ROLLBACK", NULL, NULL);
        }
        return rc;
    }
    return firn_pg_run(db, arena, "commit to", "COMMIT", NULL, err);
}

static firn_rc check_schema_version(pg_db *db, firn_arena *arena, bool create, firn_err *err)
{
    schema_state state = {0};
    firn_err detail = {0};
    firn_rc rc = read_version(db, arena, &state.version, &detail);
    if (rc != FIRN_OK && db->conn && firn_streq(db->sqlstate, "42P01")) {
        firn_err_clear(&detail);
        rc = look_at_schema(db, arena, &state, &detail);
    }
    if (rc != FIRN_OK) {
        if (err) {
            *err = detail;
        }
        return rc;
    }
    if (state.version == FIRN_CATALOG_SCHEMA_VERSION) {
        return FIRN_OK;
    }
    if (state.version == 0 && !create) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                  "there is no catalog in %s: `firn init --catalog URI` makes a lake with one",
                  db->server);
    }
    rc = migrate(db, arena, err);
    if (rc == FIRN_E_READ_ONLY && state.version > 0) {
        firn_err_clear(err); /* a standby: migrations have only added tables so far */
        return FIRN_OK;
    }
    return rc;
}

firn_rc firn_pg_connect(pg_db *db, bool create, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err detail = {0};
    FIRN_TRY(dial_patiently(db, err));
    firn_rc rc = set_up_session(db, arena, &detail);
    if (rc == FIRN_OK) {
        rc = check_schema_version(db, arena, create, &detail);
    }
    if (rc == FIRN_OK && !PQenterPipelineMode(db->conn)) {
        firn_pg_lose(db, PQerrorMessage(db->conn));
        rc = firn_pg_fail_lost(db, "open", &detail);
    }
    if (rc != FIRN_OK) {
        if (db->conn) {
            firn_pg_lose(db, detail.message);
        }
        if (err) {
            *err = detail;
        }
    }
    return rc;
}
