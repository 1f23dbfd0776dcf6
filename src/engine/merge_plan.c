/* Rows of a table matched with rows of a source. The steps of an attempt:
 *
 *   1. __firn_src    the source of a MERGE with a number per row
 *   2. __firn_hits   per match: file, position, source row, clause (0: none applies), new values; and per row without a match in
 *                    the source, if a clause wants those
 *   3. a row with two matches that a clause would change is an error: which of them should win?
 *   4. __firn_new    rows to insert
 *   5. one write: the affected files without what goes and with what changes, and the new rows; one commit
 */
#include "merge_plan.h"
#include "write_parts.h"

#include <inttypes.h>
#include <string.h>

#define SOURCE_TABLE "__firn_src"
#define NEW_TABLE    "__firn_new"
#define OTHER        "__firn_h" /* the hits, joined to the target */

typedef struct merge_job {
    firn_merge *merge;
    firn_rowlevel change;
    firn_arena *arena;
    firn_duck_column *columns; /* of the source; UPDATE SET * and INSERT * */
    size_t n_columns;
} merge_job;

static const firn_type *root_of(const merge_job *job)
{
    return &job->merge->target.metadata->schema->root;
}

static bool has_clause(const firn_merge *merge, firn_merge_match match)
{
    for (size_t i = 0; i < merge->clauses.len; i++) {
        if (merge->clauses.items[i].match == match) {
            return true;
        }
    }
    return false;
}

static bool updates(const firn_merge_clause *clause)
{
    return clause->action == FIRN_MERGE_UPDATE || clause->action == FIRN_MERGE_UPDATE_ALL;
}

/* ---- the source -------------------------------------------------------------------------------------- */

firn_rc firn_parse_merge_source(firn_parser *parser, const char *stop, const char **item,
                                const char **alias, firn_err *err)
{
    size_t from = parser->at;
    size_t end = firn_clause_end(parser, stop);
    if (end == from) {
        return firn_syntax_error(parser, err, "a table or a query in brackets");
    }
    *item = firn_dml_text(parser, from, end);
    *alias = NULL;
    firn_parser here = *parser;
    here.end = end;
    if (firn_accept(&here, "(")) { /* (query) [AS] s [(a, b)] */
        int depth = parser->tokens->list.items[from].depth;
        while (here.at < end && firn_peek(&here)->depth > depth) {
            here.at++;
        }
        here.at++;
        (void)firn_accept(&here, "as");
        parser->at = end;
        return here.at < end ? firn_parse_name(&here, alias, err) : FIRN_OK;
    }
    size_t as = firn_find_word(&here, from, "as");
    firn_parser behind_as = here;
    behind_as.at = as + 1;
    const firn_token *last = &parser->tokens->list.items[end - 1];
    const firn_token *before = end - from > 1 ? &parser->tokens->list.items[end - 2] : NULL;
    const char *glue = before != NULL ? parser->tokens->text + before->start : "";
    bool glued = before != NULL && before->len == 1 && (*glue == '.' || *glue == '@');
    if (as < end && !firn_at_word(&behind_as, "of")) {
        FIRN_TRY(firn_parse_name(&behind_as, alias, err));
    } else if (!glued && (last->kind == FIRN_TOKEN_WORD || last->kind == FIRN_TOKEN_QUOTED)) {
        here.at = end - 1; /* "t s", "(query) s", or "t" alone */
        FIRN_TRY(firn_parse_name(&here, alias, err));
    } else if (firn_peek(&here)->kind == FIRN_TOKEN_WORD ||
               firn_peek(&here)->kind == FIRN_TOKEN_QUOTED) {
        const char **parts = NULL;
        size_t n = 0;
        FIRN_TRY(firn_parse_dotted(&here, &parts, &n, err));
        *alias = parts[n - 1];
    }
    parser->at = end;
    return FIRN_OK;
}

static firn_rc make_source(merge_job *job, firn_err *err)
{
    firn_merge *merge = job->merge;
    const char *sql = NULL;
    if (merge->source == NULL || !firn_streq(merge->operation, "merge")) {
        return FIRN_OK; /* UPDATE and DELETE read theirs in one go */
    }
    FIRN_TRY(firn_dml_rewrite(merge->session, job->arena,
                              firn_arena_printf(job->arena, "SELECT * FROM %s", merge->source),
                              &sql, err));
    FIRN_TRY(
        firn_duck_describe(merge->session, job->arena, sql, &job->columns, &job->n_columns, err));
    return firn_duck_execf(
        merge->session, err,
        "CREATE TEMP TABLE " SOURCE_TABLE
        " AS SELECT row_number() OVER () AS __firn_s, firn_q.* FROM (%s) AS firn_q",
        sql);
}

/* The FROM items of the source in the statement's own text. */
static const char *source_item(const merge_job *job)
{
    const firn_merge *merge = job->merge;
    if (job->columns == NULL) {
        return merge->source;
    }
    return firn_arena_printf(job->arena, SOURCE_TABLE " AS %s",
                             firn_sql_ident(job->arena, merge->source_alias));
}

/* "SET *" and "INSERT *": every column of the source goes to the table's column of that name. */
static firn_rc resolve_all(merge_job *job, firn_err *err)
{
    firn_merge *merge = job->merge;
    for (size_t i = 0; i < merge->clauses.len; i++) {
        firn_merge_clause *clause = &merge->clauses.items[i];
        if (clause->action == FIRN_MERGE_UPDATE_ALL || clause->action == FIRN_MERGE_INSERT_ALL) {
            clause->assignments = (firn_assignments){0};
            for (size_t c = 0; c < job->n_columns; c++) {
                firn_assignment item = {.path = FIRN_NEW(job->arena, const char *), .n_path = 1};
                item.path[0] = job->columns[c].name;
                item.text = firn_arena_printf(job->arena, "%s.%s",
                                              firn_sql_ident(job->arena, merge->source_alias),
                                              firn_sql_ident(job->arena, job->columns[c].name));
                firn_vec_push(job->arena, &clause->assignments, item);
            }
        }
        FIRN_TRY(firn_check_assignments(job->arena, &merge->target, &clause->assignments, err));
    }
    return FIRN_OK;
}

/* ---- matches ----------------------------------------------------------------------------------------- */

/* CASE WHEN c1 THEN 1 WHEN c2 THEN 2 ELSE 0 END over the clauses of one kind; numbers are places in the list, from 1. */
static void put_clause_number(const merge_job *job, firn_buf *out, firn_merge_match match)
{
    firn_buf_puts(out, "CASE WHEN false THEN 0");
    for (size_t i = 0; i < job->merge->clauses.len; i++) {
        const firn_merge_clause *clause = &job->merge->clauses.items[i];
        if (clause->match == match) {
            firn_buf_printf(out, " WHEN (%s) THEN %zu",
                            clause->condition != NULL ? clause->condition : "true",
                            clause->action == FIRN_MERGE_NOTHING ? (size_t)0 : i + 1);
        }
    }
    firn_buf_puts(out, " ELSE 0 END");
}

/* Does any clause set the column? */
static firn_rc is_assigned(const merge_job *job, size_t column, bool *out, firn_err *err)
{
    *out = false;
    for (size_t i = 0; i < job->merge->clauses.len && !*out; i++) {
        const firn_merge_clause *clause = &job->merge->clauses.items[i];
        const char *value = NULL;
        if (updates(clause)) {
            FIRN_TRY(firn_assigned_sql(job->arena, &job->merge->target, &clause->assignments,
                                       column, "x", &value, err));
            *out = value != NULL;
        }
    }
    return FIRN_OK;
}

/* DuckDB lets a column refer to __firn_act beside it unless that holds a subquery; then the conditions are said again. */
static bool has_subquery(const merge_job *job, firn_merge_match match)
{
    for (size_t i = 0; i < job->merge->clauses.len; i++) {
        const firn_merge_clause *clause = &job->merge->clauses.items[i];
        if (clause->match == match && clause->condition != NULL &&
            (strcasestr(clause->condition, "select") != NULL ||
             strcasestr(clause->condition, "from") != NULL)) {
            return true;
        }
    }
    return false;
}

/* The new value of a column under the clauses of one kind; the old one where a clause leaves it alone. */
static firn_rc put_values(const merge_job *job, firn_buf *out, firn_merge_match match,
                          firn_err *err)
{
    const char *alias = firn_rowlevel_alias(&job->change);
    bool again = has_subquery(job, match);
    for (size_t c = 0; c < root_of(job)->n_fields; c++) {
        bool assigned = false;
        FIRN_TRY(is_assigned(job, c, &assigned, err));
        if (!assigned) {
            continue;
        }
        const char *old = firn_arena_printf(
            job->arena, "%s.%s", alias, firn_sql_ident(job->arena, root_of(job)->fields[c].name));
        firn_buf_puts(out, ", CASE ");
        if (again) {
            put_clause_number(job, out, match);
        } else {
            firn_buf_puts(out, "__firn_act");
        }
        firn_buf_puts(out, " WHEN 0 THEN NULL");
        for (size_t i = 0; i < job->merge->clauses.len; i++) {
            const firn_merge_clause *clause = &job->merge->clauses.items[i];
            const char *value = NULL;
            if (clause->match == match && updates(clause)) {
                FIRN_TRY(firn_assigned_sql(job->arena, &job->merge->target, &clause->assignments, c,
                                           alias, &value, err));
                firn_buf_printf(out, " WHEN %zu THEN %s", i + 1, value != NULL ? value : old);
            }
        }
        firn_buf_printf(out, " ELSE %s END AS __firn_v%zu", old, c);
    }
    return FIRN_OK;
}

static firn_rc make_hits(merge_job *job, firn_err *err)
{
    firn_merge *merge = job->merge;
    const char *alias = firn_rowlevel_alias(&job->change);
    const char *with = NULL;
    const char *sql = NULL;
    FIRN_AUTO_BUF firn_buf text = {0};
    FIRN_TRY(firn_rowlevel_with(&job->change, &job->change.tasks, &with, err));
    const char *from = firn_arena_printf(job->arena, FIRN_TARGET_CTE " AS %s%s%s", alias,
                                         merge->source != NULL ? ", " : "",
                                         merge->source != NULL ? source_item(job) : "");
    for (size_t i = 0; i < merge->clauses.len; i++) {
        FIRN_TRY(firn_check_assigned_types(merge->session, job->arena, &merge->target,
                                           &merge->clauses.items[i].assignments, with, from, err));
    }
    firn_buf_printf(
        &text, "%sSELECT %s%s._file AS __firn_file, %s._pos AS __firn_pos, %s AS __firn_s, ", with,
        merge->many_matches ? "DISTINCT " : "", alias, alias,
        job->columns != NULL ? firn_arena_printf(job->arena, "%s.__firn_s",
                                                 firn_sql_ident(job->arena, merge->source_alias))
                             : "CAST(1 AS BIGINT)");
    put_clause_number(job, &text, FIRN_MERGE_MATCHED);
    firn_buf_puts(&text, " AS __firn_act");
    FIRN_TRY(put_values(job, &text, FIRN_MERGE_MATCHED, err));
    firn_buf_printf(&text, " FROM %s WHERE (%s)", from, merge->condition);
    FIRN_TRY(firn_dml_rewrite(merge->session, job->arena, firn_buf_cstr(&text), &sql, err));
    return firn_duck_execf(merge->session, err, "CREATE TEMP TABLE " FIRN_HITS_TABLE " AS %s", sql);
}

/* Rows of the table without a match, for WHEN NOT MATCHED BY SOURCE. */
static firn_rc add_unmatched(merge_job *job, firn_err *err)
{
    firn_merge *merge = job->merge;
    const char *alias = firn_rowlevel_alias(&job->change);
    const char *with = NULL;
    const char *sql = NULL;
    FIRN_AUTO_BUF firn_buf text = {0};
    if (!has_clause(merge, FIRN_MERGE_NOT_MATCHED_BY_SOURCE)) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_rowlevel_with(&job->change, &job->change.tasks, &with, err));
    firn_buf_printf(&text, "%sSELECT %s._file, %s._pos, CAST(NULL AS BIGINT) AS __firn_s, ", with,
                    alias, alias);
    put_clause_number(job, &text, FIRN_MERGE_NOT_MATCHED_BY_SOURCE);
    firn_buf_puts(&text, " AS __firn_act");
    FIRN_TRY(put_values(job, &text, FIRN_MERGE_NOT_MATCHED_BY_SOURCE, err));
    firn_buf_printf(&text,
                    " FROM " FIRN_TARGET_CTE
                    " AS %s WHERE NOT EXISTS (SELECT 1 FROM " FIRN_HITS_TABLE " AS " OTHER
                    " WHERE " OTHER ".__firn_file = %s._file AND " OTHER ".__firn_pos = %s._pos)",
                    alias, alias, alias);
    FIRN_TRY(firn_dml_rewrite(merge->session, job->arena, firn_buf_cstr(&text), &sql, err));
    return firn_duck_execf(merge->session, err, "INSERT INTO " FIRN_HITS_TABLE " %s", sql);
}

static firn_rc number(merge_job *job, const char *sql, int64_t *out, firn_err *err)
{
    firn_duck_cells rows = {0};
    FIRN_TRY(firn_duck_rows(job->merge->session, job->arena, sql, &rows, err));
    if (rows.n_rows != 1 || rows.cells[0][0] == NULL || !firn_parse_i64(rows.cells[0][0], out)) {
        FIRN_FAIL(err, FIRN_E_INTERNAL, "a count gave no number: %s", sql);
    }
    return FIRN_OK;
}

static firn_rc check_duplicates(merge_job *job, firn_err *err)
{
    int64_t n = 0;
    FIRN_TRY(number(job,
                    "SELECT count(*) FROM (SELECT 1 FROM " FIRN_HITS_TABLE
                    " WHERE __firn_act > 0 GROUP BY __firn_file, __firn_pos HAVING count(*) > 1)",
                    &n, err));
    if (n > 0) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "%s: %s of %s match%s more than one row of the source, so it is not clear which "
                  "one to take; nothing was changed. Make the source unique on the join columns "
                  "(SELECT DISTINCT ON, GROUP BY, QUALIFY row_number() OVER (...) = 1)",
                  job->merge->statement, firn_dml_count(job->arena, n, "row"),
                  job->merge->target.text, n == 1 ? "es" : "");
    }
    return FIRN_OK;
}

/* ---- new rows ---------------------------------------------------------------------------------------- */

static firn_rc put_insert(merge_job *job, firn_buf *out, size_t number_of_clause, firn_err *err)
{
    const firn_merge_clause *clause = &job->merge->clauses.items[number_of_clause];
    const firn_type *root = root_of(job);
    for (size_t c = 0; c < root->n_fields; c++) {
        const char *value = NULL;
        FIRN_TRY(firn_assigned_sql(job->arena, &job->merge->target, &clause->assignments, c, NULL,
                                   &value, err));
        if (value == NULL) {
            FIRN_TRY(firn_write_default_sql(job->arena, &root->fields[c], job->merge->target.text,
                                            &value, err));
        }
        firn_buf_printf(out, "%s%s AS %s", c > 0 ? ", " : "SELECT ", value,
                        firn_sql_ident(job->arena, root->fields[c].name));
    }
    if (job->change.lineage) {
        firn_buf_puts(out, ", CAST(NULL AS BIGINT) AS _row_id, CAST(NULL AS BIGINT) AS "
                           "_last_updated_sequence_number");
    }
    firn_buf_printf(out,
                    " FROM %s WHERE NOT EXISTS (SELECT 1 FROM " FIRN_HITS_TABLE " AS " OTHER
                    " WHERE " OTHER ".__firn_s = %s.__firn_s) AND ",
                    source_item(job), firn_sql_ident(job->arena, job->merge->source_alias));
    put_clause_number(job, out, FIRN_MERGE_NOT_MATCHED);
    firn_buf_printf(out, " = %zu", number_of_clause + 1);
    return FIRN_OK;
}

static firn_rc make_new_rows(merge_job *job, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    const char *sql = NULL;
    for (size_t i = 0; i < job->merge->clauses.len; i++) {
        firn_merge_action action = job->merge->clauses.items[i].action;
        if (action == FIRN_MERGE_INSERT || action == FIRN_MERGE_INSERT_ALL) {
            firn_buf_puts(&text, text.len > 0 ? " UNION ALL " : "");
            FIRN_TRY(put_insert(job, &text, i, err));
        }
    }
    job->merge->inserted = 0;
    if (text.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_dml_rewrite(job->merge->session, job->arena, firn_buf_cstr(&text), &sql, err));
    FIRN_TRY(
        firn_duck_execf(job->merge->session, err, "CREATE TEMP TABLE " NEW_TABLE " AS %s", sql));
    return number(job, "SELECT count(*) FROM " NEW_TABLE, &job->merge->inserted, err);
}

/* ---- rewriting --------------------------------------------------------------------------------------- */

/* "1, 3": numbers of the clauses that update, or that delete; "-1" if there are none. */
static const char *clause_numbers(const merge_job *job, bool want_updates)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_puts(&out, "-1");
    for (size_t i = 0; i < job->merge->clauses.len; i++) {
        const firn_merge_clause *clause = &job->merge->clauses.items[i];
        bool wanted = want_updates ? updates(clause) : clause->action == FIRN_MERGE_DELETE;
        if (wanted) {
            firn_buf_printf(&out, ", %zu", i + 1);
        }
    }
    return firn_arena_strdup(job->arena, firn_buf_cstr(&out));
}

/* The rows of the affected files as they are to be: without those deleted, with those updated; or the updated ones alone, when
 * the old ones are marked as deleted. */
static firn_rc rewrite_sql(merge_job *job, const firn_tasks *tasks, firn_buf *out, firn_err *err)
{
    const char *alias = firn_rowlevel_alias(&job->change);
    const char *changed = clause_numbers(job, true);
    const char *with = NULL;
    FIRN_TRY(firn_rowlevel_with(&job->change, tasks, &with, err));
    firn_buf_printf(out, "%sSELECT ", with);
    for (size_t c = 0; c < root_of(job)->n_fields; c++) {
        const char *name = firn_sql_ident(job->arena, root_of(job)->fields[c].name);
        bool assigned = false;
        FIRN_TRY(is_assigned(job, c, &assigned, err));
        firn_buf_puts(out, c > 0 ? ", " : "");
        if (assigned) {
            firn_buf_printf(out,
                            "CASE WHEN " OTHER ".__firn_act IN (%s) THEN " OTHER
                            ".__firn_v%zu ELSE %s.%s END AS %s",
                            changed, c, alias, name, name);
        } else {
            firn_buf_printf(out, "%s.%s", alias, name);
        }
    }
    firn_rowlevel_lineage(&job->change, out,
                          firn_arena_printf(job->arena, OTHER ".__firn_act IN (%s)", changed));
    firn_buf_printf(out,
                    " FROM " FIRN_TARGET_CTE " AS %s LEFT JOIN (FROM " FIRN_HITS_TABLE
                    " WHERE __firn_act > 0) AS " OTHER " ON " OTHER
                    ".__firn_file = %s._file AND " OTHER ".__firn_pos = %s._pos WHERE ",
                    alias, alias, alias);
    if (job->change.merge_on_read) {
        firn_buf_printf(out, OTHER ".__firn_act IN (%s)", changed);
    } else {
        firn_buf_printf(out, "coalesce(" OTHER ".__firn_act, 0) NOT IN (%s)",
                        clause_numbers(job, false));
    }
    return FIRN_OK;
}

static firn_rc write_rows(merge_job *job, const firn_tasks *tasks, firn_written *written,
                          firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    if (tasks->len > 0) {
        FIRN_TRY(rewrite_sql(job, tasks, &text, err));
    }
    if (job->merge->inserted > 0) {
        firn_buf_puts(&text, text.len > 0 ? " UNION ALL FROM " NEW_TABLE : "FROM " NEW_TABLE);
    }
    return firn_rowlevel_write(&job->change, firn_buf_cstr(&text), written, err);
}

static firn_rc count_changes(merge_job *job, firn_err *err)
{
    static const char COUNT[] = "SELECT count(*) FROM " FIRN_HITS_TABLE " WHERE __firn_act IN (%s)";
    FIRN_TRY(number(job, firn_arena_printf(job->arena, COUNT, clause_numbers(job, true)),
                    &job->merge->updated, err));
    return number(job, firn_arena_printf(job->arena, COUNT, clause_numbers(job, false)),
                  &job->merge->deleted, err);
}

static firn_rc change_table(merge_job *job, firn_err *err)
{
    firn_merge *merge = job->merge;
    firn_tasks tasks = {0};
    firn_written written = {0};
    int64_t *counts = NULL;
    FIRN_TRY(firn_rowlevel_files(&job->change,
                                 "SELECT __firn_file, count(*) FROM " FIRN_HITS_TABLE
                                 " WHERE __firn_act > 0 GROUP BY __firn_file ORDER BY __firn_file",
                                 &tasks, &counts, err));
    FIRN_TRY(count_changes(job, err));
    if (tasks.len == 0 && merge->inserted == 0) {
        return FIRN_OK;
    }
    bool only_deletes = job->change.merge_on_read && merge->updated == 0 && merge->inserted == 0;
    if (!only_deletes) {
        FIRN_TRY(write_rows(job, &tasks, &written, err));
    }
    if (job->change.merge_on_read) {
        FIRN_TRY(firn_rowlevel_delete_files(&job->change, &tasks, "__firn_act > 0", &written, err));
        merge->n_delete_files = (int64_t)tasks.len;
    } else {
        job->change.removed = tasks;
        merge->n_rewritten = (int64_t)tasks.len;
    }
    firn_snapshot_result result = {0};
    return firn_rowlevel_commit(&job->change, &written, &result, err);
}

static firn_rc attempt(void *ctx, firn_arena *arena, firn_err *err)
{
    firn_merge *merge = ctx;
    merge->inserted = merge->updated = merge->deleted = 0;
    merge->n_rewritten = merge->n_removed = merge->n_delete_files = 0;
    FIRN_TRY(firn_dml_load(merge->session, arena, &merge->target, err));
    merge_job job = {.merge = merge,
                     .arena = arena,
                     .change = {.session = merge->session,
                                .arena = arena,
                                .target = &merge->target,
                                .operation = merge->operation,
                                .statement = merge->statement}};
    const char *where = merge->source == NULL ? merge->condition : NULL;
    FIRN_TRY(make_source(&job, err));
    if (job.columns != NULL && !has_clause(merge, FIRN_MERGE_NOT_MATCHED_BY_SOURCE)) {
        FIRN_TRY(
            firn_merge_prune(merge, arena, SOURCE_TABLE, job.columns, job.n_columns, &where, err));
    }
    FIRN_TRY(firn_rowlevel_open(&job.change, where, err));
    FIRN_TRY(resolve_all(&job, err));
    FIRN_TRY(make_hits(&job, err));
    FIRN_TRY(add_unmatched(&job, err));
    if (!merge->many_matches) {
        FIRN_TRY(check_duplicates(&job, err));
    }
    FIRN_TRY(make_new_rows(&job, err));
    return change_table(&job, err);
}

firn_rc firn_merge_run(firn_merge *merge, firn_err *err)
{
    return firn_dml_retry(merge->session, attempt, merge, err);
}
