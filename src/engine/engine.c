/* The engine: one in-memory DuckDB per process, loaded and opened by the first statement that needs it (over 20 ms, which commands
 * such as CREATE BRANCH do not pay), with extension downloads off, a memory limit and a spill folder in the lake.
 */
#include "duck.h"
#include "footers.h"
#include "scans.h"

#include "base/io.h"
#include "base/thread.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

firn_rc firn_engine_open(firn_lake *lake, firn_engine **out, firn_err *err)
{
    (void)err;
    firn_engine *engine = firn_calloc(1, sizeof(*engine));
    engine->lake = lake;
    pthread_mutex_init(&engine->lock, NULL);
    int64_t threads = lake != NULL ? firn_lake_config(lake)->engine_threads : 0;
    engine->threads = threads > 0 ? (int)threads : firn_cpu_count();
    engine->scans = firn_scan_registry_new();
    engine->footers = firn_footer_cache_new();
    *out = engine;
    return FIRN_OK;
}

void firn_engine_close(firn_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    if (engine->planner != NULL) {
        duckdb_close(&engine->planner);
    }
    if (engine->db != NULL) {
        duckdb_close(&engine->db);
    }
    firn_scan_registry_free(engine->scans);
    firn_footer_cache_free(engine->footers);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

firn_lake *firn_engine_lake(firn_engine *engine)
{
    return engine->lake;
}

/* ---- opening DuckDB ---------------------------------------------------------------------------------- */

static int64_t memory_limit_bytes(const firn_engine *engine)
{
    int64_t limit = engine->lake != NULL ? firn_lake_config(engine->lake)->engine_memory_bytes : 0;
    if (limit > 0) {
        return limit;
    }
    return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 10 * 6;
}

static firn_rc open_database(firn_engine *engine, firn_arena *arena, firn_err *err)
{
    const char *temp = "/tmp/firn-spill"; /* without a lake; made by DuckDB when something spills */
    if (engine->lake != NULL) {
        temp = firn_lake_path(engine->lake, arena, firn_lake_config(engine->lake)->engine_temp);
    }
    const char *const options[][2] = {
        {"threads", firn_arena_printf(arena, "%d", engine->threads)},
        {"memory_limit", firn_arena_printf(arena, "%" PRId64 "B", memory_limit_bytes(engine))},
        {"temp_directory", temp},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_persistent_secrets", "false"},
        {"errors_as_json", "true"},
        {"validate_external_file_cache", "NO_VALIDATION"}, /* table files never change */
    };
    duckdb_config config = NULL;
    FIRN_TRY(firn_duck_api_load(FIRN_DUCK_LIBRARY, err));
    if (duckdb_create_config(&config) != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB has no memory for its configuration");
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        duckdb_set_config(config, options[i][0], options[i][1]);
    }
    char *message = NULL;
    duckdb_state state = duckdb_open_ext(NULL, &engine->db, config, &message);
    duckdb_destroy_config(&config);
    if (state != DuckDBSuccess) {
        firn_rc rc = firn_duck_error(err, DUCKDB_ERROR_INVALID, message, NULL);
        duckdb_free(message);
        engine->db = NULL;
        return firn_err_wrap(err, rc, "cannot open DuckDB");
    }
    return FIRN_OK;
}

static firn_rc open_once(firn_engine *engine, firn_session *session, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    bool first = engine->db == NULL;
    if (first) {
        FIRN_TRY(open_database(engine, arena, err));
    }
    if (duckdb_connect(engine->db, &session->conn) != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "cannot connect to DuckDB");
    }
    return first ? firn_scan_functions(engine->scans, session->conn, err) : FIRN_OK;
}

/* Progress is only counted when a bar could be shown, so ask for one that is not. */
#define SET_TIMEZONE "SET TimeZone = 'UTC';"
#define SET_PROGRESS                                                         \
    "SET enable_progress_bar = true; SET enable_progress_bar_print = false;" \
    "SET progress_bar_time = 0;"

void firn_session_track_progress(firn_session *session)
{
    bool was = session->tracks_progress;
    session->tracks_progress = true;
    if (session->conn != NULL && !was) {
        /* If it cannot be set, the progress stays unknown. */
        (void)duckdb_query(session->conn, SET_PROGRESS, NULL);
    }
}

firn_rc firn_duck_connect(firn_session *session, firn_err *err)
{
    if (session->conn != NULL) {
        return FIRN_OK;
    }
    firn_engine *engine = session->engine;
    pthread_mutex_lock(&engine->lock);
    firn_rc rc = open_once(engine, session, err);
    pthread_mutex_unlock(&engine->lock);
    FIRN_TRY(rc);
    duckdb_result result = {0};
    duckdb_state state =
        duckdb_query(session->conn,
                     session->tracks_progress ? SET_TIMEZONE SET_PROGRESS : SET_TIMEZONE, &result);
    rc = state == DuckDBSuccess ? FIRN_OK
                                : firn_duck_error(err, duckdb_result_error_type(&result),
                                                  duckdb_result_error(&result), NULL);
    duckdb_destroy_result(&result);
    return rc;
}
