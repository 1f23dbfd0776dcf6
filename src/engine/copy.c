/* COPY between lake tables and files. Formats and options are DuckDB's.
 *
 *   COPY t [(a, b)] TO 'file' (options)        COPY (query) TO 'file' (options)
 *   COPY t [(a, b)] FROM 'file' (options)
 *
 * FROM reads the file by DuckDB's own COPY into a temporary table with the columns' types, so that every option means what it
 * means there ('007' stays text in a text column), and inserts from that.
 */
#include "dml.h"

#include <inttypes.h>

typedef struct copy_job {
    firn_session *session;
    firn_parser parser;
    size_t subject_end;  /* token behind the table or query */
    const char *columns; /* "(a, b)" as written; "" */
    const char **names;
    size_t n_names;
} copy_job;

static firn_rc refuse_streams(const firn_parser *at_file, firn_err *err)
{
    if (firn_at_word(at_file, "stdin") || firn_at_word(at_file, "stdout")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "COPY reads and writes files: name one in quotes ('/dev/stdin' and '/dev/stdout' "
                  "are files, too)");
    }
    return FIRN_OK;
}

static int64_t count_of(const firn_duck_cells *rows)
{
    int64_t n = 0;
    bool counted = rows->n_rows == 1 && rows->n_columns == 1 && rows->cells[0][0] != NULL;
    return counted && firn_parse_i64(rows->cells[0][0], &n) ? n : 0;
}

/* ---- to a file --------------------------------------------------------------------------------------- */

static firn_rc copy_to(copy_job *job, const char *query, firn_result **out, firn_err *err)
{
    firn_parser *p = &job->parser;
    firn_arena *arena = p->arena;
    const char *sql = NULL;
    firn_parser at_file = *p;
    at_file.at++;
    FIRN_TRY(refuse_streams(&at_file, err));
    FIRN_TRY(firn_dml_rewrite(job->session, arena, query, &sql, err));
    sql = firn_arena_printf(arena, "COPY (%s) %s", sql, firn_dml_text(p, p->at, p->end));
    for (size_t i = p->at; i < p->end; i++) {
        firn_parser here = *p;
        here.at = i;
        if (firn_at_word(&here, "return_files") || firn_at_word(&here, "return_stats")) {
            return firn_session_rows(job->session, sql, NULL, "COPY", out, err);
        }
    }
    firn_duck_cells rows = {0};
    FIRN_TRY(firn_duck_rows(job->session, arena, sql, &rows, err));
    int64_t n = count_of(&rows);
    *out = firn_result_command(firn_arena_printf(arena, "COPY %" PRId64, n), n, "%s copied",
                               firn_dml_count(arena, n, "row"));
    return FIRN_OK;
}

/* ---- from a file ------------------------------------------------------------------------------------- */

static firn_rc put_columns(const copy_job *job, firn_arena *arena, const firn_dml_target *target,
                           firn_buf *out, firn_err *err)
{
    const firn_schema *schema = target->metadata->schema;
    size_t n = job->names != NULL ? job->n_names : schema->root.n_fields;
    for (size_t i = 0; i < n; i++) {
        const firn_field *field = &schema->root.fields[i < schema->root.n_fields ? i : 0];
        const char *type = NULL;
        if (job->names != NULL) {
            FIRN_TRY(firn_find_column(arena, schema, job->names[i], target->text, &field, err));
        }
        FIRN_TRY(firn_type_to_duck(arena, field->type, field->name, &type, err));
        firn_buf_printf(out, "%s%s %s", i > 0 ? ", " : "", firn_sql_ident(arena, field->name),
                        type);
    }
    return FIRN_OK;
}

static firn_rc insert_from(copy_job *job, const char *staged, firn_dml_target *target,
                           firn_result **out, firn_err *err)
{
    firn_parser *p = &job->parser;
    firn_arena *arena = p->arena;
    FIRN_AUTO_BUF firn_buf columns = {0};
    FIRN_TRY(put_columns(job, arena, target, &columns, err));
    FIRN_TRY(firn_duck_execf(job->session, err, "CREATE TEMP TABLE %s (%s)", staged,
                             firn_buf_cstr(&columns)));
    FIRN_TRY(firn_duck_exec(
        job->session,
        firn_arena_printf(arena, "COPY %s %s", staged, firn_dml_text(p, p->at, p->end)), err));
    firn_result *inserted = NULL;
    const char *insert =
        firn_arena_printf(arena, "INSERT INTO %s %s SELECT * FROM %s",
                          firn_dml_text(p, 1, job->subject_end), job->columns, staged);
    FIRN_TRY(firn_exec_insert(job->session, insert, &inserted, err));
    int64_t n = firn_result_rows_affected(inserted);
    firn_result_free(inserted);
    *out = firn_result_command(firn_arena_printf(arena, "COPY %" PRId64, n), n, "%s copied into %s",
                               firn_dml_count(arena, n, "row"), target->text);
    return FIRN_OK;
}

static firn_rc copy_from(copy_job *job, firn_result **out, firn_err *err)
{
    firn_arena *arena = job->parser.arena;
    firn_dml_target target = {0};
    firn_parser name = job->parser;
    name.at = 1;
    firn_err ignored = {0};
    firn_parser at_file = job->parser;
    at_file.at++;
    FIRN_TRY(refuse_streams(&at_file, err));
    FIRN_TRY(firn_dml_parse_target(job->session, &name, &target, err));
    FIRN_TRY(firn_dml_load(job->session, arena, &target, err));
    const char *staged =
        firn_arena_printf(arena, "__firn_copy_%" PRIu64, job->session->next_name++);
    firn_rc rc = insert_from(job, staged, &target, out, err);
    if (firn_duck_execf(job->session, &ignored, "DROP TABLE IF EXISTS %s", staged) != FIRN_OK) {
        return rc; /* an aborted session; the table goes with the connection */
    }
    return rc;
}

/* ---- both -------------------------------------------------------------------------------------------- */

static firn_rc copy_table(copy_job *job, const char *sql, firn_result **out, firn_err *err)
{
    firn_parser *p = &job->parser;
    bool temporary = false;
    firn_ident ident = {0};
    FIRN_TRY(firn_target_is_temporary(job->session, p, &temporary, err));
    FIRN_TRY(firn_parse_source(job->session, p, &ident, err));
    job->subject_end = p->at;
    job->columns = "";
    if (firn_at_words(p, "(")) {
        size_t from = p->at;
        FIRN_TRY(firn_dml_parse_columns(p, &job->names, &job->n_names, err));
        job->columns = firn_dml_text(p, from, p->at);
    }
    if (firn_at_word(p, "from")) {
        return temporary ? firn_dml_temporary(job->session, sql, "COPY", "copied", out, err)
                         : copy_from(job, out, err);
    }
    if (!firn_at_word(p, "to")) {
        return firn_syntax_error(p, err, "TO 'file' or FROM 'file'");
    }
    const char *what = "*";
    if (job->names != NULL) {
        const char **quoted = FIRN_NEW_N(p->arena, const char *, job->n_names);
        for (size_t i = 0; i < job->n_names; i++) {
            quoted[i] = firn_sql_ident(p->arena, job->names[i]);
        }
        what = firn_str_join(p->arena, quoted, job->n_names, ", ");
    }
    return copy_to(job,
                   firn_arena_printf(p->arena, "SELECT %s FROM %s", what,
                                     firn_dml_text(p, 1, job->subject_end)),
                   out, err);
}

firn_rc firn_exec_copy(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    copy_job job = {.session = session};
    firn_parser *p = &job.parser;
    FIRN_TRY(firn_parser_open(arena, sql, p, err));
    FIRN_TRY(firn_expect(p, "copy", err));
    if (firn_at_words(p, "from database")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "firn attaches no DuckDB databases to copy from");
    }
    if (!firn_at_words(p, "(")) {
        return copy_table(&job, sql, out, err);
    }
    int depth = firn_peek(p)->depth;
    size_t from = ++p->at;
    while (p->at < p->end && firn_peek(p)->depth > depth) {
        p->at++;
    }
    const char *query = firn_dml_text(p, from, p->at);
    FIRN_TRY(firn_expect(p, ")", err));
    if (!firn_at_word(p, "to")) {
        return firn_syntax_error(p, err, "TO 'file'");
    }
    return copy_to(&job, query, out, err);
}
