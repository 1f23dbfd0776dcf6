/* INSERT INTO t ... and INSERT OVERWRITE t ...
 *
 *   INSERT INTO [TABLE] t [PARTITION (p = value, ...)] [(a, b)] [BY NAME | BY POSITION] query
 *   INSERT INTO t [(a, b)] VALUES (1, DEFAULT), ...        INSERT INTO t DEFAULT VALUES
 *   INSERT OVERWRITE [TABLE | INTO] t ...
 *
 * OVERWRITE replaces the partitions that the new rows fall into; with PARTITION (p = value) those that match it; all of an
 * unpartitioned table. When its query reads the table itself, rows that others add meanwhile would be lost: then the commit
 * demands that nothing has changed, and the statement runs again if something has.
 */
#include "dml.h"
#include "write_parts.h"

#include "iceberg/expression.h"

#include <string.h>

typedef struct static_value { /* PARTITION (name = text) */
    const char *column, *text;
} static_value;

typedef struct insert_job {
    firn_session *session;
    firn_parser parser;
    bool overwrite;
    firn_dml_target target;
    const char **columns;
    size_t n_columns;
    FIRN_VEC(static_value) statics;
    bool by_name, default_values;
    size_t query; /* token where the query starts */
    int64_t rows;
    firn_snapshot_result result;
} insert_job;

/* ---- grammar ----------------------------------------------------------------------------------------- */

static firn_rc parse_statics(insert_job *job, firn_err *err)
{
    firn_parser *p = &job->parser;
    FIRN_TRY(firn_expect(p, "(", err));
    do {
        static_value item = {0};
        FIRN_TRY(firn_parse_name(p, &item.column, err));
        if (firn_accept(p, "=")) {
            size_t from = p->at;
            int depth = firn_peek(p)->depth;
            while (p->at < p->end && firn_peek(p)->depth >= depth &&
                   !(firn_peek(p)->depth == depth && firn_at_words(p, ","))) {
                p->at++;
            }
            if (p->at == from) {
                return firn_syntax_error(p, err, "a value");
            }
            item.text = firn_dml_text(p, from, p->at);
            firn_vec_push(p->arena, &job->statics, item);
        } /* a name alone is a dynamic partition, as all are */
    } while (firn_accept(p, ","));
    return firn_expect(p, ")", err);
}

static bool query_in_brackets(const firn_parser *parser)
{
    static const char *const starts[] = {"select", "with", "from", "values", "table", "(", "pivot"};
    firn_parser here = *parser;
    here.at++;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (firn_at_words(&here, starts[i])) {
            return true;
        }
    }
    return false;
}

static firn_rc parse_head(insert_job *job, firn_err *err)
{
    firn_parser *p = &job->parser;
    FIRN_TRY(firn_expect(p, "insert", err));
    if (firn_at_word(p, "or")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "Iceberg tables have no unique keys, so there is no INSERT OR REPLACE and no "
                  "INSERT OR IGNORE; say what to do with MERGE INTO");
    }
    job->overwrite = firn_accept(p, "overwrite");
    if (!firn_accept(p, "into") && !job->overwrite) {
        return firn_syntax_error(p, err, "INTO or OVERWRITE");
    }
    (void)firn_accept(p, "table");
    return FIRN_OK;
}

static firn_rc parse_rest(insert_job *job, firn_err *err)
{
    firn_parser *p = &job->parser;
    if (firn_accept(p, "as")) {
        FIRN_TRY(firn_parse_name(p, &job->target.alias, err));
    }
    if (firn_accept(p, "partition")) {
        FIRN_TRY(parse_statics(job, err));
    }
    if (firn_at_words(p, "(") && !query_in_brackets(p)) {
        FIRN_TRY(firn_dml_parse_columns(p, &job->columns, &job->n_columns, err));
    }
    if (firn_accept(p, "by name")) {
        job->by_name = true;
        if (job->columns != NULL) {
            return firn_syntax_error(p, err, "either a list of columns or BY NAME, not both");
        }
    } else {
        (void)firn_accept(p, "by position");
    }
    job->default_values = firn_accept(p, "default values");
    if (job->default_values) {
        return firn_parse_end(p, err);
    }
    if (p->at == p->end) {
        return firn_syntax_error(p, err, "VALUES or a query");
    }
    job->query = p->at;
    return firn_dml_refuse_clauses(p, err);
}

/* ---- DEFAULT in VALUES ------------------------------------------------------------------------------- */

static firn_rc default_at(insert_job *job, firn_arena *arena, size_t column, const char **out,
                          firn_err *err)
{
    const firn_type *root = &job->target.metadata->schema->root;
    if (column >= (job->columns != NULL ? job->n_columns : root->n_fields)) {
        *out = "NULL"; /* too many values: the count's own message comes later */
        return FIRN_OK;
    }
    const firn_field *field = &root->fields[column];
    if (job->columns != NULL) {
        FIRN_TRY(firn_find_column(arena, job->target.metadata->schema, job->columns[column],
                                  job->target.text, &field, err));
    }
    return firn_write_default_sql(arena, field, job->target.text, out, err);
}

/* The query's text with DEFAULT, standing alone in a row of VALUES, replaced by what it means. */
static firn_rc query_text(insert_job *job, firn_arena *arena, const char **out, firn_err *err)
{
    firn_parser here = job->parser;
    here.at = job->query;
    *out = firn_dml_text(&here, job->query, here.end);
    if (!firn_at_word(&here, "values")) {
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf text = {0};
    size_t from = job->query, column = 0;
    int row_depth = firn_peek(&here)->depth + 1;
    for (; here.at < here.end; here.at++) {
        const firn_token *token = firn_peek(&here);
        if (token->depth == row_depth && firn_at_words(&here, ",")) {
            column++;
        } else if (token->depth < row_depth) {
            column = 0;
        } else if (token->depth == row_depth && firn_at_word(&here, "default")) {
            const char *value = NULL;
            FIRN_TRY(default_at(job, arena, column, &value, err));
            firn_buf_printf(&text, "%s %s ", firn_dml_text(&here, from, here.at), value);
            from = here.at + 1;
        }
    }
    firn_buf_puts(&text, firn_dml_text(&here, from, here.end));
    *out = firn_arena_strdup(arena, firn_buf_cstr(&text));
    return FIRN_OK;
}

/* ---- the rows ---------------------------------------------------------------------------------------- */

/* Adds the constants of PARTITION (p = value) as columns behind the query's. */
static void add_statics(const insert_job *job, firn_arena *arena, const char **source,
                        firn_projection_options *projection)
{
    if (job->statics.len == 0) {
        return;
    }
    const firn_type *root = &projection->schema->root;
    FIRN_AUTO_BUF firn_buf text = {0};
    FIRN_VEC(const char *) columns = {0};
    for (size_t i = 0; i < job->n_columns; i++) {
        firn_vec_push(arena, &columns, job->columns[i]);
    }
    for (size_t i = 0; i < root->n_fields && job->columns == NULL; i++) {
        bool fixed = false;
        for (size_t k = 0; k < job->statics.len; k++) {
            fixed = fixed || firn_strcaseeq(root->fields[i].name, job->statics.items[k].column);
        }
        if (!fixed) {
            firn_vec_push(arena, &columns, root->fields[i].name);
        }
    }
    firn_buf_puts(&text, "SELECT firn_rows.*");
    for (size_t k = 0; k < job->statics.len; k++) {
        firn_buf_printf(&text, ", %s AS %s", job->statics.items[k].text,
                        firn_sql_ident(arena, job->statics.items[k].column));
        firn_vec_push(arena, &columns, job->statics.items[k].column);
    }
    firn_buf_printf(&text, " FROM (%s) AS firn_rows", *source);
    *source = firn_arena_strdup(arena, firn_buf_cstr(&text));
    if (!projection->by_name) {
        projection->columns = columns.items;
        projection->n_columns = columns.len;
    }
}

static firn_rc source_sql(insert_job *job, firn_arena *arena, char **sql, firn_err *err)
{
    const firn_schema *schema = job->target.metadata->schema;
    firn_projection_options projection = {.schema = schema,
                                          .columns = job->columns,
                                          .n_columns = job->n_columns,
                                          .by_name = job->by_name,
                                          .table_text = job->target.text};
    const char *source = "SELECT 1 AS firn_nothing";
    if (job->default_values) {
        FIRN_AUTO_BUF firn_buf text = {0};
        for (size_t i = 0; i < schema->root.n_fields; i++) {
            const char *value = NULL;
            FIRN_TRY(firn_write_default_sql(arena, &schema->root.fields[i], job->target.text,
                                            &value, err));
            firn_buf_printf(&text, "%s%s", i > 0 ? ", " : "SELECT ", value);
        }
        source = firn_arena_strdup(arena, firn_buf_cstr(&text));
    } else {
        FIRN_TRY(query_text(job, arena, &source, err));
        FIRN_TRY(firn_dml_rewrite(job->session, arena, source, &source, err));
    }
    add_statics(job, arena, &source, &projection);
    projection.source_sql = source;
    return firn_write_projection(job->session, arena, &projection, sql, err);
}

/* ---- overwriting ------------------------------------------------------------------------------------- */

static bool is_identity_partition(const firn_metadata *metadata, const char *column)
{
    const firn_field *field = firn_schema_find_name(metadata->schema, column, false);
    for (size_t i = 0; i < metadata->spec->n_fields && field != NULL; i++) {
        const firn_partition_field *part = &metadata->spec->fields[i];
        if (part->source_id == field->id && part->transform.kind == FIRN_TRANSFORM_IDENTITY) {
            return true;
        }
    }
    return false;
}

static firn_rc static_predicate(insert_job *job, firn_arena *arena, const firn_expr **out,
                                firn_err *err)
{
    const firn_metadata *metadata = job->target.metadata;
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < job->statics.len; i++) {
        const static_value *item = &job->statics.items[i];
        const char *type = NULL;
        const firn_field *field = NULL;
        FIRN_TRY(
            firn_find_column(arena, metadata->schema, item->column, job->target.text, &field, err));
        if (!is_identity_partition(metadata, item->column)) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "%s is not partitioned by column %s itself, so PARTITION (%s = ...) names no "
                      "partition; without it, INSERT OVERWRITE replaces the partitions of the new "
                      "rows",
                      job->target.text, item->column, item->column);
        }
        FIRN_TRY(firn_type_to_duck(arena, field->type, field->name, &type, err));
        firn_buf_printf(&text, "%s%s = CAST(%s AS %s)", i > 0 ? " AND " : "",
                        firn_sql_ident(arena, field->name), item->text, type);
    }
    bool exact = false;
    FIRN_TRY(firn_read_predicate(job->session, arena, metadata->schema, NULL, firn_buf_cstr(&text),
                                 out, &exact, err));
    if (!exact) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "PARTITION (...) of %s takes constants only: p = 1, q = 'text', d = DATE "
                  "'2024-01-31'",
                  job->target.text);
    }
    return FIRN_OK;
}

static firn_rc plan_overwrite(insert_job *job, firn_arena *arena, firn_snapshot_change *change,
                              firn_err *err)
{
    const firn_metadata *metadata = job->target.metadata;
    change->op = FIRN_SNAPSHOT_OVERWRITE;
    if (job->statics.len > 0) {
        FIRN_TRY(static_predicate(job, arena, &change->remove_matching, err));
    } else if (firn_partition_spec_is_unpartitioned(metadata->spec)) {
        change->remove_all = true;
    } else {
        change->replace_partitions = true;
    }
    bool reads_itself =
        !job->default_values &&
        firn_dml_reads(job->session, arena,
                       firn_dml_text(&job->parser, job->query, job->parser.end), job->target.ident);
    if (reads_itself) {
        change->validation = (firn_snapshot_validation){
            .starting_snapshot_id =
                metadata->current_snapshot != NULL ? metadata->current_snapshot->snapshot_id : -1,
            .no_new_data = true,
            .no_new_deletes = true,
            .no_deleted_data = true};
    }
    return FIRN_OK;
}

/* ---- running ----------------------------------------------------------------------------------------- */

static firn_rc attempt(void *ctx, firn_arena *arena, firn_err *err)
{
    insert_job *job = ctx;
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
    char *sql = NULL;
    firn_written written = {0};
    FIRN_TRY(firn_dml_load(job->session, arena, &job->target, err));
    FIRN_TRY(source_sql(job, arena, &sql, err));
    if (job->overwrite) {
        FIRN_TRY(plan_overwrite(job, arena, &change, err));
    }
    const firn_write_options write = {.metadata = job->target.metadata,
                                      .table_text = job->target.text,
                                      .sql = sql,
                                      .spec_id = -1};
    FIRN_TRY(firn_write_query(job->session, arena, &write, &written, err));
    job->rows = written.rows;
    job->result = (firn_snapshot_result){.empty = true};
    bool nothing = written.files.len == 0 && !change.remove_all && change.remove_matching == NULL;
    if (nothing || (written.files.len == 0 && job->target.metadata->current_snapshot == NULL)) {
        return FIRN_OK;
    }
    change.added = written.files.items;
    change.n_added = written.files.len;
    const firn_write_commit_options commit = {
        .ident = job->target.ident,
        .metadata = job->target.metadata,
        .change = &change,
        .written = &written,
        .statement = job->overwrite ? "INSERT OVERWRITE" : "INSERT",
    };
    return firn_write_commit(job->session, arena, &commit, &job->result, err);
}

/* The target is a DuckDB temporary table: only the query is ours. */
static firn_rc insert_temporary(insert_job *job, const char *sql, firn_result **out, firn_err *err)
{
    firn_arena *arena = job->parser.arena;
    const char *query = NULL;
    if (job->overwrite) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "INSERT OVERWRITE is for lake tables; %s is temporary",
                  job->target.text);
    }
    if (!job->default_values) {
        FIRN_TRY(firn_dml_rewrite(job->session, arena,
                                  firn_dml_text(&job->parser, job->query, job->parser.end), &query,
                                  err));
        sql = firn_arena_printf(arena, "%s %s", firn_dml_text(&job->parser, 0, job->query), query);
    }
    return firn_dml_temporary(job->session, sql, "INSERT 0", "inserted", out, err);
}

firn_rc firn_exec_insert(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    insert_job job = {.session = session};
    bool temporary = false;
    FIRN_TRY(firn_parser_open(arena, sql, &job.parser, err));
    FIRN_TRY(parse_head(&job, err));
    FIRN_TRY(firn_target_is_temporary(session, &job.parser, &temporary, err));
    FIRN_TRY(firn_dml_parse_target(session, &job.parser, &job.target, err));
    FIRN_TRY(parse_rest(&job, err));
    if (temporary) {
        return insert_temporary(&job, sql, out, err);
    }
    FIRN_TRY(firn_dml_retry(session, attempt, &job, err));
    const char *message =
        firn_arena_printf(arena, "%s inserted", firn_dml_count(arena, job.rows, "row"));
    if (job.overwrite && !job.result.empty && job.result.removed_rows > 0) {
        message = firn_arena_printf(arena, "%s, %s replaced", message,
                                    firn_dml_count(arena, job.result.removed_rows, "row"));
    }
    *out = firn_result_command(firn_arena_printf(arena, "INSERT 0 %lld", (long long)job.rows),
                               job.rows, "%s", message);
    return FIRN_OK;
}
