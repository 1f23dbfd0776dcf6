/* The run log: pipeline runs, their tasks and check results. */
#include "catalog/runs.h"

#include "base/time.h"
#include "internal.h"

#define RUN_COLUMNS \
    "run_id, pipeline, branch, target, status, error, commit_id, started_us, ended_us"

/* ---- writing ---------------------------------------------------------------------------------- */

/* One statement in a transaction of its own. */
static firn_rc write_row(firn_catalog *catalog, const char *sql, const firn_db_value *params,
                         size_t n, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    FIRN_TRY(firn_db_session_begin(firn_catalog_database(catalog), true, &session, err));
    FIRN_TRY(firn_db_query(session.db, arena, sql, params, n, NULL, err));
    return firn_db_session_commit(&session, err);
}

static firn_rc insert_run(firn_db *db, firn_arena *arena, const char *day, const firn_run *run,
                          int64_t number, firn_err *err)
{
    firn_db_value params[] = {
        firn_db_str(run->run_id), firn_db_str(day),
        firn_db_int(number),      firn_db_str(run->pipeline),
        firn_db_str(run->branch), firn_db_str(run->target),
        firn_db_str(run->status), firn_db_int(run->started_us),
    };
    return firn_db_query(
        db, arena,
        "INSERT INTO runs (run_id, day, number, pipeline, branch, target, status, started_us, ended_us)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        params, 8, NULL, err);
}

firn_rc firn_run_start(firn_catalog *catalog, firn_arena *arena, const char *pipeline,
                       const char *target, firn_run *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_civil now;
    firn_db_rows rows;
    int64_t now_us = firn_now_us();
    firn_civil_from_us(now_us, &now);
    const char *day = firn_arena_printf(arena, "%04d%02d%02d", now.year, now.month, now.day);
    firn_db_value param = firn_db_str(day);
    FIRN_TRY(firn_db_session_begin(firn_catalog_database(catalog), true, &session, err));
    FIRN_TRY(firn_db_query(session.db, arena,
                           "SELECT COALESCE(MAX(number), 0) FROM runs WHERE day = $1", &param, 1,
                           &rows, err));
    int64_t number = firn_db_i64(&rows, 0, 0) + 1;
    char *run_id = firn_arena_printf(arena, "r-%s-%lld", day, (long long)number);
    *out = (firn_run){
        .run_id = run_id,
        .pipeline = firn_arena_strdup(arena, pipeline),
        .branch = firn_arena_printf(arena, "run/%s", run_id),
        .target = firn_arena_strdup(arena, target ? target : FIRN_MAIN),
        .status = "running",
        .started_us = now_us,
    };
    FIRN_TRY(insert_run(session.db, arena, day, out, number, err));
    return firn_db_session_commit(&session, err);
}

static firn_rc no_run(const char *run_id, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no run %s: `firn pipeline runs` lists them", run_id);
}

firn_rc firn_run_finish(firn_catalog *catalog, const char *run_id, const char *status,
                        const char *commit_id, const char *error, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_rows rows;
    firn_db_value params[] = {firn_db_str(status), firn_db_str(commit_id), firn_db_str(error),
                              firn_db_int(firn_now_us()), firn_db_str(run_id)};
    FIRN_TRY(firn_db_session_begin(firn_catalog_database(catalog), true, &session, err));
    FIRN_TRY(firn_db_query(
        session.db, arena,
        "UPDATE runs SET status = $1, commit_id = $2, error = $3, ended_us = $4 WHERE run_id = $5"
        " RETURNING run_id",
        params, 5, &rows, err));
    if (rows.n_rows == 0) {
        return no_run(run_id, err);
    }
    return firn_db_session_commit(&session, err);
}

firn_rc firn_run_task_record(firn_catalog *catalog, const firn_run_task *task, firn_err *err)
{
    firn_db_value params[] = {
        firn_db_str(task->run_id),     firn_db_str(task->task),     firn_db_int(task->attempt),
        firn_db_str(task->kind),       firn_db_str(task->status),   firn_db_int(task->rows),
        firn_db_int(task->started_us), firn_db_int(task->ended_us), firn_db_str(task->detail),
        firn_db_str(task->error),
    };
    return write_row(
        catalog,
        "INSERT INTO run_tasks (run_id, task, attempt, kind, status, row_count, started_us, ended_us, detail,"
        " error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (run_id, task, attempt) DO UPDATE SET kind = excluded.kind,"
        " status = excluded.status, row_count = excluded.row_count, started_us = excluded.started_us,"
        " ended_us = excluded.ended_us, detail = excluded.detail, error = excluded.error",
        params, 10, err);
}

firn_rc firn_run_check_record(firn_catalog *catalog, const firn_run_check *check, firn_err *err)
{
    firn_db_value params[] = {
        firn_db_str(check->run_id),       firn_db_str(check->task),     firn_db_str(check->name),
        firn_db_str(check->table),        firn_db_str(check->severity), firn_db_str(check->status),
        firn_db_int(check->failing_rows), firn_db_str(check->detail),
    };
    return write_row(
        catalog,
        "INSERT INTO run_checks (run_id, task, ordinal, name, table_name, severity, status, failing_rows,"
        " detail) SELECT $1, $2, COALESCE(MAX(ordinal), 0) + 1, $3, $4, $5, $6, $7, $8"
        " FROM run_checks WHERE run_id = $1 AND task = $2",
        params, 8, err);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static firn_rc read_rows(firn_catalog *catalog, firn_arena *arena, const char *sql,
                         const firn_db_value *params, size_t n, firn_db_rows *rows, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    FIRN_TRY(firn_db_session_begin(firn_catalog_database(catalog), false, &session, err));
    return firn_db_query(session.db, arena, sql, params, n, rows, err);
}

static firn_run run_of_row(const firn_db_rows *rows, size_t row)
{
    return (firn_run){
        .run_id = firn_db_text(rows, row, 0),
        .pipeline = firn_db_text(rows, row, 1),
        .branch = firn_db_text(rows, row, 2),
        .target = firn_db_text(rows, row, 3),
        .status = firn_db_text(rows, row, 4),
        .error = firn_db_text(rows, row, 5),
        .commit_id = firn_db_text(rows, row, 6),
        .started_us = firn_db_i64(rows, row, 7),
        .ended_us = firn_db_i64(rows, row, 8),
    };
}

firn_rc firn_run_list(firn_catalog *catalog, firn_arena *arena, const char *pipeline, size_t limit,
                      firn_run **out, size_t *n, firn_err *err)
{
    firn_db_value params[] = {
        firn_db_int(limit > 0 && limit < INT64_MAX ? (int64_t)limit : INT64_MAX),
        firn_db_str(pipeline)};
    firn_db_rows rows;
    const char *sql =
        pipeline ? "SELECT " RUN_COLUMNS
                   " FROM runs WHERE pipeline = $2 ORDER BY started_us DESC, number DESC LIMIT $1"
                 : "SELECT " RUN_COLUMNS
                   " FROM runs ORDER BY started_us DESC, number DESC LIMIT $1";
    FIRN_TRY(read_rows(catalog, arena, sql, params, pipeline ? 2 : 1, &rows, err));
    *out = FIRN_NEW_N(arena, firn_run, rows.n_rows);
    *n = rows.n_rows;
    for (size_t i = 0; i < rows.n_rows; i++) {
        (*out)[i] = run_of_row(&rows, i);
    }
    return FIRN_OK;
}

firn_rc firn_run_get(firn_catalog *catalog, firn_arena *arena, const char *run_id, firn_run *out,
                     firn_err *err)
{
    firn_db_value param = firn_db_str(run_id);
    firn_db_rows rows;
    FIRN_TRY(read_rows(catalog, arena, "SELECT " RUN_COLUMNS " FROM runs WHERE run_id = $1", &param,
                       1, &rows, err));
    if (rows.n_rows == 0) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no run %s: `firn pipeline runs` lists them",
                  run_id);
    }
    *out = run_of_row(&rows, 0);
    return FIRN_OK;
}

firn_rc firn_run_tasks(firn_catalog *catalog, firn_arena *arena, const char *run_id,
                       firn_run_task **out, size_t *n, firn_err *err)
{
    firn_db_value param = firn_db_str(run_id);
    firn_db_rows rows;
    FIRN_TRY(read_rows(
        catalog, arena,
        "SELECT run_id, task, kind, status, attempt, row_count, started_us, ended_us, detail, error"
        " FROM run_tasks WHERE run_id = $1 ORDER BY started_us, task, attempt",
        &param, 1, &rows, err));
    *out = FIRN_NEW_N(arena, firn_run_task, rows.n_rows);
    *n = rows.n_rows;
    for (size_t i = 0; i < rows.n_rows; i++) {
        (*out)[i] = (firn_run_task){
            .run_id = firn_db_text(&rows, i, 0),
            .task = firn_db_text(&rows, i, 1),
            .kind = firn_db_text(&rows, i, 2),
            .status = firn_db_text(&rows, i, 3),
            .attempt = (int)firn_db_i64(&rows, i, 4),
            .rows = firn_db_i64(&rows, i, 5),
            .started_us = firn_db_i64(&rows, i, 6),
            .ended_us = firn_db_i64(&rows, i, 7),
            .detail = firn_db_text(&rows, i, 8),
            .error = firn_db_text(&rows, i, 9),
        };
    }
    return FIRN_OK;
}

firn_rc firn_run_checks(firn_catalog *catalog, firn_arena *arena, const char *run_id,
                        firn_run_check **out, size_t *n, firn_err *err)
{
    firn_db_value param = firn_db_str(run_id);
    firn_db_rows rows;
    FIRN_TRY(
        read_rows(catalog, arena,
                  "SELECT run_id, task, name, table_name, severity, status, failing_rows, detail"
                  " FROM run_checks WHERE run_id = $1 ORDER BY task, ordinal",
                  &param, 1, &rows, err));
    *out = FIRN_NEW_N(arena, firn_run_check, rows.n_rows);
    *n = rows.n_rows;
    for (size_t i = 0; i < rows.n_rows; i++) {
        (*out)[i] = (firn_run_check){
            .run_id = firn_db_text(&rows, i, 0),
            .task = firn_db_text(&rows, i, 1),
            .name = firn_db_text(&rows, i, 2),
            .table = firn_db_text(&rows, i, 3),
            .severity = firn_db_text(&rows, i, 4),
            .status = firn_db_text(&rows, i, 5),
            .failing_rows = firn_db_i64(&rows, i, 6),
            .detail = firn_db_text(&rows, i, 7),
        };
    }
    return FIRN_OK;
}
