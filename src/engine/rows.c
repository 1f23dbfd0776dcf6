/* engine/rows.h: Arrow rows into data files, and queries over them.
 *
 * The rows are a scan with a number (rows_scan.c). In a statement, `batch` is found by the walk that finds lake tables
 * (read_tree.c), before them: session->batch says what it means, for the time of the call.
 */
#include "rows_batch.h"

#include "base/time.h"
#include "read.h"
#include "statement.h"
#include "write.h"

#include <inttypes.h>

/* ---- statements over the batch ----------------------------------------------------------------------- */

/* "SELECT ...;" without its semicolon. */
static firn_rc one_select(firn_session *session, firn_arena *arena, const char *sql,
                          const char **out, firn_err *err)
{
    char **statements = NULL;
    size_t n = 0;
    json_t *tree = NULL;
    FIRN_TRY(firn_statement_split(arena, sql, &statements, &n, err));
    if (n != 1) {
        FIRN_FAIL(err, FIRN_E_SYNTAX,
                  "one SELECT over batch was expected, there are %zu statements", n);
    }
    firn_err why = {0};
    char *plain = NULL;
    FIRN_TRY(firn_read_time_travel(arena, statements[0], &plain, err));
    firn_rc rc = firn_duck_parse(session, arena, plain, &tree, &why);
    if (rc == FIRN_E_UNSUPPORTED) {
        FIRN_FAIL(err, FIRN_E_SYNTAX,
                  "one SELECT over batch was expected, such as SELECT *, upper(name) AS name FROM "
                  "batch; this is another statement: %.80s",
                  statements[0]);
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "%s", why.message);
    }
    *out = statements[0];
    return FIRN_OK;
}

firn_rc firn_batch_select(firn_session *session, firn_arena *arena, const firn_batch *batch,
                          const char *sql, const char **out, firn_err *err)
{
    firn_read_plan plan = {0};
    const char *select = NULL;
    if (sql == NULL) {
        *out = firn_arena_printf(arena, "SELECT * FROM %s AS batch", firn_batch_sql(batch));
        return FIRN_OK;
    }
    FIRN_TRY(one_select(session, arena, sql, &select, err));
    const firn_batch *outer = session->batch;
    session->batch = batch;
    firn_rc rc = firn_read_rewrite(session, arena, select, &plan, err);
    session->batch = outer;
    *out = plan.sql;
    return rc;
}

/* As a statement of the session begins. */
static void begin(firn_session *session)
{
    session->statement_us = firn_now_us();
    session->interrupted = false;
}

/* ---- what a statement gives -------------------------------------------------------------------------- */

firn_rc firn_rows_describe(firn_session *session, firn_arena *arena, const firn_rows *rows,
                           size_t n_rows, const char *sql, int format_version, firn_schema **out,
                           firn_err *err)
{
    firn_batch *batch = NULL;
    const char *select = NULL;
    begin(session);
    FIRN_TRY(firn_batch_open(session, arena, rows, n_rows, format_version >= 3, &batch, err));
    const firn_type *type = firn_batch_type(batch);
    if (sql != NULL) {
        firn_type *described = NULL;
        FIRN_TRY(firn_batch_select(session, arena, batch, sql, &select, err));
        FIRN_TRY(firn_batch_describe(session, arena, select, format_version, &described, err));
        type = described;
    }
    *out = firn_batch_schema(arena, type, format_version);
    return FIRN_OK;
}

firn_rc firn_rows_query(firn_session *session, firn_arena *arena, const firn_rows *rows,
                        size_t n_rows, const char *sql, const char *const *const **cells,
                        size_t *n_cells, size_t *n_columns, firn_err *err)
{
    firn_batch *batch = NULL;
    const char *select = NULL;
    firn_duck_cells result = {0};
    begin(session);
    FIRN_TRY(firn_batch_open(session, arena, rows, n_rows, true, &batch, err));
    FIRN_TRY(firn_batch_select(session, arena, batch, sql, &select, err));
    firn_rc rc = firn_duck_rows(session, arena, select, &result, err);
    FIRN_TRY(firn_batch_result(batch, select, rc, err));
    *cells = result.cells;
    *n_cells = result.n_rows;
    *n_columns = result.n_columns;
    return FIRN_OK;
}

/* ---- one statement in another -------------------------------------------------------------------------- */

firn_rc firn_rows_compose(firn_session *session, firn_arena *arena, const char *inner,
                          const char *outer, const char **out, firn_err *err)
{
    const char *select = NULL;
    char *plain = NULL, *text = NULL;
    json_t *node = NULL, *with = NULL;
    FIRN_TRY(one_select(session, arena, outer, &select, err));
    FIRN_TRY(firn_read_time_travel(arena, select, &plain, err));
    FIRN_TRY(firn_duck_parse(session, arena, plain, &node, err));
    const char *head = firn_arena_printf(arena, "WITH batch AS (%s) SELECT 1", inner);
    FIRN_TRY(firn_duck_parse(session, arena, head, &with, err));
    json_t *ours = json_object_get(json_object_get(with, "cte_map"), "map");
    json_t *theirs = json_object_get(json_object_get(node, "cte_map"), "map");
    if (theirs == NULL || json_array_insert(theirs, 0, json_array_get(ours, 0)) != 0) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "one SELECT over batch was expected: %.80s", outer);
    }
    FIRN_TRY(firn_duck_unparse(session, arena, node, &text, err));
    *out = text;
    return FIRN_OK;
}

/* ---- files ------------------------------------------------------------------------------------------- */

static const char *constant_text(const firn_rows_write *write, const char *column)
{
    for (size_t i = 0; i < write->n_constants; i++) {
        if (firn_streq(write->constants[i].column, column)) {
            return write->constants[i].text;
        }
    }
    return NULL;
}

static const firn_field *root_field(const firn_schema *schema, int32_t id)
{
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        if (schema->root.fields[i].id == id) {
            return &schema->root.fields[i];
        }
    }
    return NULL;
}

/* *out: the partition that all rows are of; NULL when that does not follow from the constants. */
static firn_rc only_partition(firn_arena *arena, const firn_rows_write *write,
                              const firn_value **out, firn_err *err)
{
    const firn_partition_spec *spec = write->metadata->spec;
    firn_value *values = FIRN_NEW_N(arena, firn_value, spec->n_fields);
    *out = NULL;
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_field *field = root_field(write->metadata->schema, spec->fields[i].source_id);
        const char *text = field != NULL ? constant_text(write, field->name) : NULL;
        if (text == NULL || spec->fields[i].transform.kind != FIRN_TRANSFORM_IDENTITY ||
            (field->type->id != FIRN_TYPE_INT && field->type->id != FIRN_TYPE_STRING)) {
            return FIRN_OK;
        }
        FIRN_TRY(firn_value_from_text(arena, field->type, text, &values[i], err));
    }
    *out = spec->n_fields > 0 ? values : NULL;
    return FIRN_OK;
}

static bool has_column(const firn_type *type, const char *name)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        if (firn_strcaseeq(type->fields[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The rows' own columns as those of a SELECT without statement: the caller's are left out, constants that the rows lack come on top. */
static firn_rc plain_columns(firn_arena *arena, const firn_rows_write *write,
                             const firn_batch *batch, const char **select, const firn_type **out,
                             firn_err *err)
{
    const firn_type *given = firn_batch_type(batch);
    firn_type *type = FIRN_NEW(arena, firn_type);
    bool added = false;
    *type =
        (firn_type){.id = FIRN_TYPE_STRUCT,
                    .fields = FIRN_NEW_N(arena, firn_field, given->n_fields + write->n_constants)};
    for (size_t i = 0; i < given->n_fields; i++) {
        if (!firn_starts_with(given->fields[i].name, FIRN_ROWS_OWN_PREFIX)) {
            type->fields[type->n_fields++] = given->fields[i];
        }
    }
    FIRN_AUTO_BUF firn_buf sql = {0};
    firn_buf_puts(&sql, "SELECT *");
    for (size_t i = 0; i < write->n_constants; i++) {
        const firn_rows_constant *constant = &write->constants[i];
        const firn_field *field =
            firn_schema_find_name(write->metadata->schema, constant->column, true);
        const char *sql_type = NULL;
        if (field == NULL || has_column(given, field->name)) {
            continue;
        }
        FIRN_TRY(firn_type_to_duck(arena, field->type, field->name, &sql_type, err));
        firn_buf_printf(&sql, ", CAST(%s AS %s) AS %s", firn_sql_quote(arena, constant->text),
                        sql_type, firn_sql_ident(arena, field->name));
        type->fields[type->n_fields++] = (firn_field){.name = field->name, .type = field->type};
        added = true;
    }
    firn_buf_printf(&sql, " FROM (%s) AS batch", *select);
    *select = added ? firn_arena_strdup(arena, firn_buf_cstr(&sql)) : *select;
    *out = type;
    return FIRN_OK;
}

/* The rows by SQL; where `write` has a statement, there is no other way. */
static firn_rc write_by_sql(firn_session *session, firn_arena *arena, const firn_rows_write *write,
                            firn_write_options *options, firn_written *out, firn_err *err)
{
    const firn_schema *schema = write->metadata->schema;
    firn_batch *batch = NULL;
    char *sql = NULL;
    firn_batch_projection projection = {
        .schema = schema, .table_text = write->table_text, .ignore_unknown = write->ignore_unknown};
    FIRN_TRY(firn_batch_open(session, arena, write->rows, write->n_rows,
                             firn_batch_keeps_nanos(schema), &batch, err));
    FIRN_TRY(firn_batch_select(session, arena, batch, write->sql, &projection.source_sql, err));
    if (write->sql == NULL) {
        FIRN_TRY(
            plain_columns(arena, write, batch, &projection.source_sql, &projection.columns, err));
    }
    FIRN_TRY(firn_batch_project(session, arena, &projection, &sql, err));
    if (write->sql == NULL && firn_batch_rows(batch) == 0) {
        return FIRN_OK;
    }
    options->sql = sql;
    firn_rc rc = firn_write_query(session, arena, options, out, err);
    return firn_batch_result(batch, NULL, rc, err);
}

static firn_write_options options_of(const firn_rows_write *write)
{
    return (firn_write_options){.metadata = write->metadata,
                                .table_text = write->table_text,
                                .spec_id = -1,
                                .zstd_level = FIRN_WRITE_QUICK_ZSTD_LEVEL,
                                .lasting = write->lasting,
                                .described = true};
}

static firn_rows_written told(const firn_written *written)
{
    firn_rows_written out = {.rows = written->rows};
    out.files.items = written->files.items;
    out.files.len = written->files.len;
    out.files.cap = written->files.cap;
    return out;
}

firn_rc firn_rows_to_files(firn_session *session, firn_arena *arena, const firn_rows_write *write,
                           firn_rows_written *out, firn_err *err)
{
    firn_written written = {0};
    firn_write_options options = options_of(write);
    firn_rows_file *file = NULL;
    bool taken = false;
    *out = (firn_rows_written){0};
    if (write->sql == NULL) {
        FIRN_TRY(firn_rows_file_open(session, arena, write, &file, err));
    }
    if (file != NULL) {
        firn_rc rc = firn_rows_file_add(file, write->rows, write->n_rows, &taken, err);
        if (rc == FIRN_OK && taken) {
            return firn_rows_file_finish(file, out, err);
        }
        firn_rows_file_discard(file);
        if (rc != FIRN_OK && rc != FIRN_E_LIMIT) {
            return rc;
        }
    }
    begin(session);
    FIRN_TRY(only_partition(arena, write, &options.partition, err));
    FIRN_TRY(write_by_sql(session, arena, write, &options, &written, err));
    *out = told(&written);
    return FIRN_OK;
}

/* ---- files that stay open ------------------------------------------------------------------------------ */

struct firn_rows_file {
    firn_rows_write write;
    firn_plain_write *plain;
};

/* A column of which the files say nothing, since the partition does. */
static bool is_left_out(const firn_rows_write *write, const char *column)
{
    const firn_field *field = firn_schema_find_name(write->metadata->schema, column, true);
    return field == NULL || firn_write_leaves_out(write->metadata, write->metadata->spec, field);
}

static bool has_child(const struct ArrowSchema *schema, const char *name)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (firn_strcaseeq(schema->children[i]->name, name)) {
            return true;
        }
    }
    return false;
}

/* Constants that the files have and the rows have not are the SQL's to add. */
static bool has_constants(const firn_rows_write *write, const firn_rows *rows, size_t n_rows)
{
    for (size_t c = 0; c < write->n_constants; c++) {
        const char *column = write->constants[c].column;
        for (size_t i = 0; i < n_rows && !is_left_out(write, column); i++) {
            if (!has_child(rows[i].schema, column)) {
                return false;
            }
        }
    }
    return true;
}

firn_rc firn_rows_file_open(firn_session *session, firn_arena *arena, const firn_rows_write *write,
                            firn_rows_file **out, firn_err *err)
{
    firn_rows_file *file = FIRN_NEW(arena, firn_rows_file);
    firn_write_options options = options_of(write);
    *out = NULL;
    begin(session);
    file->write = *write;
    FIRN_TRY(only_partition(arena, write, &options.partition, err));
    FIRN_TRY(firn_plain_write_open(session, arena, &options, &file->plain, err));
    *out = file->plain != NULL ? file : NULL;
    return FIRN_OK;
}

firn_rc firn_rows_file_add(firn_rows_file *file, const firn_rows *rows, size_t n_rows, bool *taken,
                           firn_err *err)
{
    *taken = false;
    if (n_rows == 0 || !has_constants(&file->write, rows, n_rows)) {
        return FIRN_OK;
    }
    return firn_plain_write_add(file->plain, rows, n_rows, taken, err);
}

int64_t firn_rows_file_held_bytes(const firn_rows_file *file)
{
    return firn_plain_write_held_bytes(file->plain);
}

firn_rc firn_rows_file_finish(firn_rows_file *file, firn_rows_written *out, firn_err *err)
{
    firn_written written = {0};
    firn_rc rc = firn_plain_write_finish(file->plain, &written, err);
    *out = told(&written);
    return rc;
}

void firn_rows_file_discard(firn_rows_file *file)
{
    if (file != NULL) {
        firn_plain_write_discard(file->plain);
    }
}

void firn_rows_discard(firn_session *session, const firn_rows_written *written)
{
    firn_written files = {.rows = written->rows};
    files.files.items = written->files.items;
    files.files.len = written->files.len;
    firn_write_discard(session, &files);
}
