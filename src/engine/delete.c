/* DELETE FROM t [[AS] a] [USING source] [WHERE condition]
 *
 * Files all of whose rows match go by metadata alone. Of the others, those that have matching rows are found first; they are
 * rewritten without them (copy-on-write), or the rows are marked deleted (table property write.delete.mode = merge-on-read).
 */
#include "merge_plan.h"

#include <inttypes.h>

typedef struct delete_job {
    firn_session *session;
    firn_dml_target target;
    const char *where; /* NULL: all rows */
    int64_t rows, n_rewritten, n_removed, n_delete_files;
} delete_job;

/* Files that hold matching rows, apart from those that are known to hold nothing else. */
static firn_rc find_rows(delete_job *job, firn_rowlevel *change, const firn_tasks *candidates,
                         firn_tasks *found, int64_t **counts, firn_err *err)
{
    const char *with = NULL;
    const char *sql = NULL;
    firn_arena *arena = change->arena;
    FIRN_TRY(firn_rowlevel_with(change, candidates, &with, err));
    const char *alias = firn_rowlevel_alias(change);
    const char *rows = firn_arena_printf(
        arena,
        "%sSELECT %s._file AS __firn_file, %s._pos AS __firn_pos FROM " FIRN_TARGET_CTE
        " AS %s WHERE (%s)",
        with, alias, alias, alias, job->where);
    FIRN_TRY(firn_dml_rewrite(change->session, arena, rows, &sql, err));
    if (change->merge_on_read) {
        FIRN_TRY(firn_duck_exec(
            change->session,
            firn_arena_printf(arena, "CREATE TEMP TABLE " FIRN_HITS_TABLE " AS %s", sql), err));
        sql = "FROM " FIRN_HITS_TABLE;
    }
    sql = firn_arena_printf(
        arena, "SELECT __firn_file, count(*) FROM (%s) GROUP BY __firn_file ORDER BY __firn_file",
        sql);
    return firn_rowlevel_files(change, sql, found, counts, err);
}

static firn_rc rewrite(delete_job *job, firn_rowlevel *change, const firn_tasks *partial,
                       firn_written *written, firn_err *err)
{
    const char *with = NULL;
    const char *sql = NULL;
    FIRN_AUTO_BUF firn_buf text = {0};
    FIRN_TRY(firn_rowlevel_with(change, partial, &with, err));
    firn_buf_printf(&text, "%sSELECT ", with);
    firn_rowlevel_columns(change, &text);
    firn_rowlevel_lineage(change, &text, NULL);
    firn_buf_printf(&text, " FROM " FIRN_TARGET_CTE " AS %s WHERE (%s) IS NOT TRUE",
                    firn_rowlevel_alias(change), job->where);
    FIRN_TRY(firn_dml_rewrite(change->session, change->arena, firn_buf_cstr(&text), &sql, err));
    return firn_rowlevel_write(change, sql, written, err);
}

/* The statement's work on files that match in part. */
static firn_rc delete_rows(delete_job *job, firn_rowlevel *change, const firn_tasks *candidates,
                           firn_written *written, firn_err *err)
{
    firn_tasks found = {0}, partial = {0};
    int64_t *counts = NULL;
    FIRN_TRY(find_rows(job, change, candidates, &found, &counts, err));
    for (size_t i = 0; i < found.len; i++) {
        const firn_scan_task *task = found.items[i];
        job->rows += counts[i];
        if (task->n_deletes == 0 && counts[i] == task->file->record_count) {
            firn_vec_push(change->arena, &change->removed, task);
        } else {
            firn_vec_push(change->arena, &partial, task);
        }
    }
    if (partial.len == 0) {
        return FIRN_OK;
    }
    if (change->merge_on_read) {
        job->n_delete_files = (int64_t)partial.len;
        return firn_rowlevel_delete_files(change, &partial, "true", written, err);
    }
    for (size_t i = 0; i < partial.len; i++) {
        firn_vec_push(change->arena, &change->removed, partial.items[i]);
    }
    job->n_rewritten = (int64_t)partial.len;
    return rewrite(job, change, &partial, written, err);
}

static firn_rc attempt(void *ctx, firn_arena *arena, firn_err *err)
{
    delete_job *job = ctx;
    firn_tasks candidates = {0};
    firn_written written = {0};
    job->rows = job->n_rewritten = job->n_removed = job->n_delete_files = 0;
    FIRN_TRY(firn_dml_load(job->session, arena, &job->target, err));
    firn_rowlevel change = {.session = job->session,
                            .arena = arena,
                            .target = &job->target,
                            .operation = "delete",
                            .statement = "DELETE"};
    FIRN_TRY(firn_rowlevel_open(&change, job->where, err));
    for (size_t i = 0; i < change.tasks.len; i++) {
        const firn_scan_task *task = change.tasks.items[i];
        bool all = job->where == NULL || (change.exact && task->all_rows_match);
        firn_vec_push(arena, all ? &change.removed : &candidates, task);
    }
    FIRN_TRY(firn_rowlevel_live_rows(&change, &change.removed, &job->rows, err));
    if (candidates.len > 0) {
        FIRN_TRY(delete_rows(job, &change, &candidates, &written, err));
    } else if (change.tasks.len == 0 && job->where != NULL) {
        FIRN_TRY(firn_dml_check(job->session, arena, &job->target, job->where, err));
    }
    job->n_removed = (int64_t)change.removed.len - job->n_rewritten;
    if (change.removed.len == 0 && written.files.len == 0) {
        return FIRN_OK;
    }
    firn_snapshot_result result = {0};
    return firn_rowlevel_commit(&change, &written, &result, err);
}

/* Through a table of matches: with a source, or when a condition may not be evaluated twice. */
static firn_rc delete_matches(delete_job *job, firn_parser *p, firn_merge *merge, firn_err *err)
{
    merge->session = job->session;
    merge->target = job->target;
    merge->operation = "delete";
    merge->statement = "DELETE";
    merge->many_matches = true;
    const firn_merge_clause clause = {.match = FIRN_MERGE_MATCHED, .action = FIRN_MERGE_DELETE};
    firn_vec_push(p->arena, &merge->clauses, clause);
    FIRN_TRY(firn_merge_run(merge, err));
    job->rows = merge->deleted;
    job->n_rewritten = merge->n_rewritten;
    job->n_removed = merge->n_removed;
    job->n_delete_files = merge->n_delete_files;
    return FIRN_OK;
}

static firn_rc run(delete_job *job, firn_parser *p, firn_err *err)
{
    FIRN_TRY(firn_dml_parse_alias(p, "using where returning", &job->target.alias, err));
    FIRN_TRY(firn_dml_refuse_clauses(p, err));
    firn_merge merge = {.condition = "true"};
    if (firn_accept(p, "using")) {
        FIRN_TRY(firn_parse_merge_source(p, "where", &merge.source, &merge.source_alias, err));
    }
    if (firn_accept(p, "where")) {
        if (p->at == p->end) {
            return firn_syntax_error(p, err, "a condition");
        }
        job->where = merge.condition = firn_dml_text(p, p->at, p->end);
    } else {
        FIRN_TRY(firn_parse_end(p, err));
    }
    if (merge.source != NULL ||
        (job->where != NULL && firn_dml_is_volatile(job->session, p->arena, job->where))) {
        return delete_matches(job, p, &merge, err);
    }
    return firn_dml_retry(job->session, attempt, job, err);
}

firn_rc firn_exec_delete(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    delete_job job = {.session = session};
    firn_parser parser;
    bool temporary = false;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "delete from", err));
    FIRN_TRY(firn_target_is_temporary(session, &parser, &temporary, err));
    if (temporary) {
        return firn_dml_temporary(session, sql, "DELETE", "deleted", out, err);
    }
    FIRN_TRY(firn_dml_parse_target(session, &parser, &job.target, err));
    FIRN_TRY(run(&job, &parser, err));
    *out = firn_result_command(
        firn_arena_printf(arena, "DELETE %" PRId64, job.rows), job.rows, "%s deleted%s",
        firn_dml_count(arena, job.rows, "row"),
        firn_rowlevel_note(arena, job.n_rewritten, job.n_removed, job.n_delete_files));
    return FIRN_OK;
}
