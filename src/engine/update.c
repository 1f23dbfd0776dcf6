/* UPDATE t [[AS] a] SET column = expression, struct.member = expression, ... [FROM source] [WHERE condition]
 *
 * Files that have matching rows are found first, then rewritten with the new values in place (copy-on-write). With table property
 * write.update.mode = merge-on-read the old rows are marked deleted and the new ones written beside. UPDATE ... FROM is a
 * merge; a row that matches several rows of the source is an error, since none of them is the right one.
 */
#include "merge_plan.h"

#include <inttypes.h>

typedef struct update_job {
    firn_session *session;
    firn_dml_target target;
    firn_assignments assignments;
    const char *where; /* "true": all rows */
    int64_t rows, n_rewritten;
} update_job;

/* New rows for old, one for one: each column is its expression where the condition holds. */
static firn_rc rewrite_sql(update_job *job, firn_rowlevel *change, const firn_tasks *tasks,
                           const char **sql, firn_err *err)
{
    const firn_type *root = &job->target.metadata->schema->root;
    const char *with = NULL;
    const char *alias = firn_rowlevel_alias(change);
    FIRN_AUTO_BUF firn_buf text = {0};
    FIRN_TRY(firn_rowlevel_with(change, tasks, &with, err));
    FIRN_TRY(firn_check_assigned_types(
        change->session, change->arena, &job->target, &job->assignments, with,
        firn_arena_printf(change->arena, FIRN_TARGET_CTE " AS %s", alias), err));
    firn_buf_printf(&text, "%sSELECT ", with);
    for (size_t i = 0; i < root->n_fields; i++) {
        const char *name = firn_sql_ident(change->arena, root->fields[i].name);
        const char *value = NULL;
        FIRN_TRY(firn_assigned_sql(change->arena, &job->target, &job->assignments, i, alias, &value,
                                   err));
        firn_buf_puts(&text, i > 0 ? ", " : "");
        if (value == NULL) {
            firn_buf_printf(&text, "%s.%s", alias, name);
        } else {
            firn_buf_printf(&text, "CASE WHEN (%s) THEN %s ELSE %s.%s END AS %s", job->where, value,
                            alias, name, name);
        }
    }
    firn_rowlevel_lineage(change, &text, firn_arena_printf(change->arena, "(%s)", job->where));
    firn_buf_printf(&text, " FROM " FIRN_TARGET_CTE " AS %s", alias);
    return firn_dml_rewrite(change->session, change->arena, firn_buf_cstr(&text), sql, err);
}

static firn_rc find_files(update_job *job, firn_rowlevel *change, firn_tasks *found, firn_err *err)
{
    firn_arena *arena = change->arena;
    const char *alias = firn_rowlevel_alias(change);
    const char *with = NULL;
    const char *sql = NULL;
    int64_t *counts = NULL;
    FIRN_TRY(firn_rowlevel_with(change, &change->tasks, &with, err));
    FIRN_TRY(firn_dml_rewrite(change->session, arena,
                              firn_arena_printf(arena,
                                                "%sSELECT %s._file, count(*) FROM " FIRN_TARGET_CTE
                                                " AS %s WHERE (%s) GROUP BY 1 ORDER BY 1",
                                                with, alias, alias, job->where),
                              &sql, err));
    FIRN_TRY(firn_rowlevel_files(change, sql, found, &counts, err));
    for (size_t i = 0; i < found->len; i++) {
        job->rows += counts[i];
    }
    return FIRN_OK;
}

/* Expressions are told wrong even if no row would be changed. */
static firn_rc check_expressions(update_job *job, firn_arena *arena, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_buf_printf(&text, "(%s)", job->where);
    for (size_t i = 0; i < job->target.metadata->schema->root.n_fields; i++) {
        const char *alias = job->target.alias != NULL ? job->target.alias : job->target.name;
        const char *value = NULL;
        FIRN_TRY(firn_assigned_sql(arena, &job->target, &job->assignments, i,
                                   firn_sql_ident(arena, alias), &value, err));
        if (value != NULL) {
            firn_buf_printf(&text, " OR (%s) IS NULL", value);
        }
    }
    return firn_dml_check(job->session, arena, &job->target, firn_buf_cstr(&text), err);
}

static firn_rc attempt(void *ctx, firn_arena *arena, firn_err *err)
{
    update_job *job = ctx;
    firn_written written = {0};
    const char *sql = NULL;
    job->rows = job->n_rewritten = 0;
    FIRN_TRY(firn_dml_load(job->session, arena, &job->target, err));
    FIRN_TRY(firn_check_assignments(arena, &job->target, &job->assignments, err));
    firn_rowlevel change = {.session = job->session,
                            .arena = arena,
                            .target = &job->target,
                            .operation = "update",
                            .statement = "UPDATE"};
    FIRN_TRY(firn_rowlevel_open(&change, job->where, err));
    if (change.tasks.len > 0) {
        FIRN_TRY(find_files(job, &change, &change.removed, err));
    }
    if (change.removed.len == 0) {
        return check_expressions(job, arena, err);
    }
    FIRN_TRY(rewrite_sql(job, &change, &change.removed, &sql, err));
    FIRN_TRY(firn_rowlevel_write(&change, sql, &written, err));
    job->n_rewritten = (int64_t)change.removed.len;
    firn_snapshot_result result = {0};
    return firn_rowlevel_commit(&change, &written, &result, err);
}

static firn_rc run(update_job *job, firn_parser *p, firn_merge *merge, firn_err *err)
{
    bool merge_on_read = false;
    FIRN_TRY(firn_dml_parse_alias(p, "set", &job->target.alias, err));
    FIRN_TRY(firn_expect(p, "set", err));
    FIRN_TRY(firn_dml_refuse_clauses(p, err));
    FIRN_TRY(firn_parse_assignments(p, &job->target, "from where", &job->assignments, err));
    *merge = (firn_merge){.session = job->session,
                          .target = job->target,
                          .operation = "update",
                          .statement = "UPDATE"};
    if (firn_accept(p, "from")) {
        FIRN_TRY(firn_parse_merge_source(p, "where", &merge->source, &merge->source_alias, err));
    }
    job->where = "true";
    if (firn_accept(p, "where")) {
        if (p->at == p->end) {
            return firn_syntax_error(p, err, "a condition");
        }
        job->where = firn_dml_text(p, p->at, p->end);
    } else {
        FIRN_TRY(firn_parse_end(p, err));
    }
    FIRN_TRY(firn_dml_load(job->session, p->arena, &job->target, err));
    merge_on_read = firn_strcaseeq(
        firn_metadata_property(job->target.metadata, "write.update.mode", ""), "merge-on-read");
    if (merge->source == NULL && !merge_on_read &&
        !firn_dml_is_volatile(job->session, p->arena, job->where)) {
        return firn_dml_retry(job->session, attempt, job, err);
    }
    merge->condition = job->where;
    const firn_merge_clause clause = {
        .match = FIRN_MERGE_MATCHED, .action = FIRN_MERGE_UPDATE, .assignments = job->assignments};
    firn_vec_push(p->arena, &merge->clauses, clause);
    FIRN_TRY(firn_merge_run(merge, err));
    job->rows = merge->updated;
    job->n_rewritten = merge->n_rewritten;
    return FIRN_OK;
}

firn_rc firn_exec_update(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    update_job job = {.session = session};
    firn_merge merge = {0};
    firn_parser parser;
    bool temporary = false;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "update", err));
    FIRN_TRY(firn_target_is_temporary(session, &parser, &temporary, err));
    if (temporary) {
        return firn_dml_temporary(session, sql, "UPDATE", "updated", out, err);
    }
    FIRN_TRY(firn_dml_parse_target(session, &parser, &job.target, err));
    FIRN_TRY(run(&job, &parser, &merge, err));
    *out = firn_result_command(firn_arena_printf(arena, "UPDATE %" PRId64, job.rows), job.rows,
                               "%s updated%s", firn_dml_count(arena, job.rows, "row"),
                               firn_rowlevel_note(arena, job.n_rewritten, 0, merge.n_delete_files));
    return FIRN_OK;
}
