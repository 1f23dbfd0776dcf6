/* TRUNCATE [TABLE] t: every row goes, in one snapshot, without reading a data file. */
#include "rowlevel.h"

typedef struct truncate_job {
    firn_session *session;
    firn_dml_target target;
    int64_t rows, files;
} truncate_job;

/* Whatever others add meanwhile goes, too: TRUNCATE means the table as it is at the commit. */
static firn_rc attempt(void *ctx, firn_arena *arena, firn_err *err)
{
    truncate_job *job = ctx;
    job->rows = job->files = 0;
    FIRN_TRY(firn_dml_load(job->session, arena, &job->target, err));
    firn_rowlevel change = {.session = job->session,
                            .arena = arena,
                            .target = &job->target,
                            .operation = "delete",
                            .statement = "TRUNCATE"};
    FIRN_TRY(firn_rowlevel_open(&change, NULL, err));
    if (change.tasks.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_rowlevel_live_rows(&change, &change.tasks, &job->rows, err));
    firn_snapshot_change snapshot = {
        .op = FIRN_SNAPSHOT_DELETE,
        .remove_all = true,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
    const firn_write_commit_options options = {.ident = job->target.ident,
                                               .metadata = job->target.metadata,
                                               .change = &snapshot,
                                               .statement = "TRUNCATE"};
    firn_snapshot_result result = {0};
    FIRN_TRY(firn_write_commit(job->session, arena, &options, &result, err));
    job->files = result.removed_files;
    return FIRN_OK;
}

firn_rc firn_exec_truncate(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    truncate_job job = {.session = session};
    firn_parser parser;
    bool temporary = false;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "truncate", err));
    (void)firn_accept(&parser, "table");
    FIRN_TRY(firn_target_is_temporary(session, &parser, &temporary, err));
    FIRN_TRY(firn_dml_parse_target(session, &parser, &job.target, err));
    FIRN_TRY(firn_parse_end(&parser, err));
    if (temporary) {
        FIRN_TRY(firn_duck_exec(session, sql, err));
        *out = firn_result_command("TRUNCATE TABLE", -1, "emptied temporary table %s",
                                   job.target.text);
        return FIRN_OK;
    }
    FIRN_TRY(firn_dml_retry(session, attempt, &job, err));
    *out = firn_result_command("TRUNCATE TABLE", job.rows, "%s deleted%s",
                               firn_dml_count(arena, job.rows, "row"),
                               firn_rowlevel_note(arena, 0, job.files, 0));
    return FIRN_OK;
}
