/* Sessions: a connection to DuckDB, a current ref, a current schema, and the loop that runs scripts.
 */
#include "duck.h"
#include "predicate.h"
#include "statement.h"

#include "base/time.h"

#include <stdlib.h>

#define DEFAULT_SCHEMA "default"

static void replace_text(char **slot, const char *text)
{
    free(*slot);
    *slot = text != NULL ? firn_strdup(text) : NULL;
}

firn_rc firn_session_new(firn_engine *engine, const char *ref, firn_session **out, firn_err *err)
{
    firn_session *session = firn_calloc(1, sizeof(*session));
    session->engine = engine;
    session->ref = firn_strdup(FIRN_MAIN);
    session->schema = firn_strdup(DEFAULT_SCHEMA);
    session->statement_us = firn_now_us();
    session->work_done = -1;
    firn_rc rc = FIRN_OK;
    if (ref != NULL && !firn_streq(ref, FIRN_MAIN)) {
        rc = firn_session_set_ref(session, ref, err);
    }
    if (rc != FIRN_OK) {
        firn_session_free(session);
        return rc;
    }
    *out = session;
    return FIRN_OK;
}

void firn_session_free(firn_session *session)
{
    if (session == NULL) {
        return;
    }
    firn_planner_free(session->planner);
    if (session->conn != NULL) {
        duckdb_destroy_prepare(&session->parse);
        duckdb_destroy_prepare(&session->unparse);
        duckdb_disconnect(&session->conn);
    }
    free(session->ref);
    free(session->schema);
    free(session->author);
    free(session->message);
    free(session);
}

const char *firn_session_ref(const firn_session *session)
{
    return session->ref;
}

firn_rc firn_session_set_ref(firn_session *session, const char *ref, firn_err *err)
{
    firn_lake *lake = session->engine->lake;
    if (lake == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "there is no ref %s: this session runs without a lake", ref);
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_commit *commits;
    size_t n;
    firn_catalog *catalog = firn_lake_catalog(lake);
    firn_err log_err = {0};
    firn_rc rc = firn_catalog_log(catalog, arena, ref, 1, &commits, &n, &log_err);
    if (rc ==
        FIRN_E_UNSUPPORTED) { /* a remote catalog that keeps no log may know the ref all the same */
        firn_ref found;
        FIRN_TRY(firn_catalog_ref_get(catalog, arena, ref, &found, err));
    } else if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "%s", log_err.message);
    }
    replace_text(&session->ref, ref);
    return FIRN_OK;
}

void firn_session_set_author(firn_session *session, const char *author, const char *message)
{
    replace_text(&session->author, author);
    replace_text(&session->message, message);
}

void firn_session_set_erasing(firn_session *session, bool on)
{
    session->erasing = on;
}

firn_commit_info firn_session_commit_info(const firn_session *session, const char *message)
{
    return (firn_commit_info){.author = session->author,
                              .message = session->message != NULL ? session->message : message};
}

firn_lake *firn_session_lake(const firn_session *session)
{
    return session->engine->lake;
}

/* The lock orders this with the making of the connection; it is never held while a statement runs. */
void firn_session_interrupt(firn_session *session)
{
    session->interrupted = true;
    pthread_mutex_lock(&session->engine->lock);
    if (session->conn != NULL) {
        duckdb_interrupt(session->conn);
    }
    pthread_mutex_unlock(&session->engine->lock);
}

double firn_session_progress(const firn_session *session)
{
    double percentage = -1;
    double work_done = session->work_done;
    if (work_done >= 0) {
        return work_done;
    }
    pthread_mutex_lock(&session->engine->lock);
    if (session->conn != NULL) {
        percentage = duckdb_query_progress(session->conn).percentage;
    }
    pthread_mutex_unlock(&session->engine->lock);
    return percentage < 0 ? -1 : percentage / 100;
}

/* ---- names ------------------------------------------------------------------------------------------- */

firn_rc firn_session_resolve(firn_session *session, firn_arena *arena, const char *const *parts,
                             size_t n_parts, firn_ident *out, firn_err *err)
{
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i][0] == '\0') {
            FIRN_FAIL(err, FIRN_E_INVALID, "a name has an empty part");
        }
    }
    if (n_parts == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "a table name is missing");
    }
    const char *ns =
        n_parts == 1 ? session->schema : firn_str_join(arena, parts, n_parts - 1, FIRN_NS_SEP);
    *out = (firn_ident){.ns = firn_arena_strdup(arena, ns),
                        .name = firn_arena_strdup(arena, parts[n_parts - 1])};
    return FIRN_OK;
}

/* ---- running ----------------------------------------------------------------------------------------- */

/* Pruning plans are made by a DuckDB of their own (predicate.c), which must not miss what changes a query's meaning. */
static void note_changes(firn_session *session, firn_arena *arena, const char *sql)
{
    firn_parser parser;
    if (firn_parser_open(arena, sql, &parser, NULL) != FIRN_OK) {
        return; /* reported when it runs */
    }
    if (firn_at_word(&parser, "set") || firn_at_word(&parser, "reset") ||
        firn_at_word(&parser, "pragma")) {
        session->settings_changed = true;
    }
    if (firn_accept(&parser, "create")) {
        (void)firn_accept(&parser, "or replace");
        (void)(firn_accept(&parser, "temp") || firn_accept(&parser, "temporary"));
        if (firn_at_word(&parser, "macro") || firn_at_word(&parser, "function")) {
            session->has_macros = true;
        }
    }
}

static firn_rc run_one(firn_session *session, firn_arena *arena, const char *sql, firn_result **out,
                       firn_err *err)
{
    session->statement_us = firn_now_us();
    session->interrupted = false;
    note_changes(session, arena, sql);
    return firn_statement_execute(session, sql, out, err);
}

firn_rc firn_session_run(firn_session *session, const char *sql, firn_result_fn on_result,
                         void *ctx, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char **statements;
    size_t n;
    FIRN_TRY(firn_statement_split(arena, sql, &statements, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_result *result = NULL;
        FIRN_TRY(run_one(session, arena, statements[i], &result, err));
        firn_rc rc = on_result != NULL ? on_result(ctx, result, err) : FIRN_OK;
        firn_result_free(result);
        FIRN_TRY(rc);
    }
    return FIRN_OK;
}

firn_rc firn_session_query(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char **statements;
    size_t n;
    FIRN_TRY(firn_statement_split(arena, sql, &statements, &n, err));
    if (n != 1) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "one statement was expected, there are %zu", n);
    }
    return run_one(session, arena, statements[0], out, err);
}

/* Rows are fetched to the end: an error in the middle of a streamed result is an error of the statement. */
static firn_rc drain(firn_result *result, int64_t *rows_affected, firn_err *err)
{
    int64_t rows = 0;
    const char *const *cells = NULL;
    while (firn_result_has_rows(result)) {
        FIRN_TRY(firn_result_next(result, &cells, err));
        if (cells == NULL) {
            break;
        }
        rows++;
    }
    if (rows_affected != NULL) {
        *rows_affected = firn_result_has_rows(result) ? rows : firn_result_rows_affected(result);
    }
    return FIRN_OK;
}

firn_rc firn_session_exec(firn_session *session, const char *sql, int64_t *rows_affected,
                          firn_err *err)
{
    firn_result *result = NULL;
    FIRN_TRY(firn_session_query(session, sql, &result, err));
    firn_rc rc = drain(result, rows_affected, err);
    firn_result_free(result);
    return rc;
}

static firn_rc single_value(firn_result *result, firn_arena *arena, const char **out, firn_err *err)
{
    const char *const *cells = NULL;
    if (!firn_result_has_rows(result) || firn_result_columns(result) != 1) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the query must give one column, it gives %zu",
                  firn_result_columns(result));
    }
    FIRN_TRY(firn_result_next(result, &cells, err));
    if (cells == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the query must give one row, it gives none");
    }
    *out = firn_arena_strdup(arena, cells[0]);
    FIRN_TRY(firn_result_next(result, &cells, err));
    if (cells != NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the query must give one row, it gives more");
    }
    return FIRN_OK;
}

firn_rc firn_session_scalar(firn_session *session, firn_arena *arena, const char *sql,
                            const char **out, firn_err *err)
{
    firn_result *result = NULL;
    FIRN_TRY(firn_session_query(session, sql, &result, err));
    firn_rc rc = single_value(result, arena, out, err);
    firn_result_free(result);
    return rc;
}
