/* Changes by key into files: see engine/rows.h.
 *
 * Invariants:
 *  1. Every key has at most one row in __firn_keys, and so at most one new row in the data files.
 *  2. A plan's deletes point into data files of the very head that it was made for; the change requires that head's snapshot, or one
 *     after which nothing came that may hold these keys.
 *  3. New rows are never among the deleted ones: positions are of files that the head has already.
 */
#include "upsert.h"

#include "ddl.h"
#include "duck.h"
#include "read_deletes.h"
#include "rows_batch.h"

#include "base/time.h"

#include <inttypes.h>

static const char *const hidden[] = {"__firn_order", "__firn_delete", "__firn_truncate"};
enum { N_HIDDEN = sizeof(hidden) / sizeof(hidden[0]) };

/* ---- the statement ------------------------------------------------------------------------------------- */

/* One value that orders the changes: the expression itself, or of several the bytes that sort as they do. */
static firn_rc order_sql(firn_session *session, firn_arena *arena, const char *order_by,
                         const char **out, firn_err *err)
{
    json_t *node = NULL;
    *out = "0";
    if (order_by == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_duck_parse(session, arena, firn_arena_printf(arena, "SELECT %s", order_by), &node,
                             err));
    bool one = json_array_size(json_object_get(node, "select_list")) == 1;
    *out = one ? order_by
               : firn_arena_printf(arena, "create_sort_key(ROW(%s), 'ASC NULLS FIRST')", order_by);
    return FIRN_OK;
}

/* "order AS __firn_order, ..." */
static firn_rc hidden_sql(firn_session *session, firn_arena *arena, const firn_rows_upsert *options,
                          const char **out, firn_err *err)
{
    const char *order = NULL;
    FIRN_TRY(order_sql(session, arena, options->order_by, &order, err));
    *out = firn_arena_printf(
        arena, "%s AS %s, coalesce(%s, false) AS %s, coalesce(%s, false) AS %s", order, hidden[0],
        options->delete_if != NULL ? options->delete_if : "false", hidden[1],
        options->truncate_if != NULL ? options->truncate_if : "false", hidden[2]);
    return FIRN_OK;
}

/* Put more items behind every SELECT list that rows come from; false for what has none. */
static bool extend_selects(json_t *node, const json_t *items)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    if (type != NULL && firn_streq(type, "SELECT_NODE")) {
        json_t *list = json_object_get(node, "select_list");
        json_t *copies = json_deep_copy(items);
        bool done = json_array_extend(list, copies) == 0;
        json_decref(copies);
        return done;
    }
    if (type == NULL || !firn_streq(type, "SET_OPERATION_NODE")) {
        return false;
    }
    json_t *left = json_object_get(node, "left");
    json_t *right = json_object_get(node, "right");
    return left != NULL && right != NULL && extend_selects(left, items) &&
           extend_selects(right, items);
}

/* The statement with the hidden columns inside its own SELECT, where the columns of `batch` are in sight. NULL when that cannot be:
 * the statement's errors are told elsewhere. */
static const char *select_inside(firn_session *session, firn_arena *arena, const firn_batch *batch,
                                 const firn_rows_upsert *options, const char *items)
{
    firn_err ignored = {0};
    json_t *node = NULL, *more = NULL;
    char *plain = NULL, *text = NULL;
    const char *sql = NULL;
    firn_duck_column *columns = NULL;
    size_t n = 0;
    bool fits = firn_read_time_travel(arena, options->write.sql, &plain, &ignored) == FIRN_OK &&
                firn_duck_parse(session, arena, plain, &node, &ignored) == FIRN_OK &&
                firn_duck_parse(session, arena, firn_arena_printf(arena, "SELECT %s", items), &more,
                                &ignored) == FIRN_OK &&
                extend_selects(node, json_object_get(more, "select_list")) &&
                firn_duck_unparse(session, arena, node, &text, &ignored) == FIRN_OK &&
                firn_batch_select(session, arena, batch, text, &sql, &ignored) == FIRN_OK &&
                firn_duck_describe(session, arena, sql, &columns, &n, &ignored) == FIRN_OK;
    return fits ? sql : NULL;
}

static firn_rc statement_of(firn_upsert *u, const firn_batch *batch, const char **out,
                            firn_err *err)
{
    const char *items = NULL;
    const char *sql = u->options.write.sql;
    FIRN_TRY(hidden_sql(u->session, u->arena, &u->options, &items, err));
    if (sql == NULL) {
        sql = firn_arena_printf(u->arena, "SELECT *, %s FROM batch", items);
        return firn_batch_select(u->session, u->arena, batch, sql, out, err);
    }
    *out = select_inside(u->session, u->arena, batch, &u->options, items);
    if (*out != NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_batch_select(u->session, u->arena, batch, sql, out, err));
    *out = firn_arena_printf(u->arena, "SELECT *, %s FROM (%s) AS firn_result", items, *out);
    return FIRN_OK;
}

/* ---- temporary tables ------------------------------------------------------------------------------------ */

static void drop_tables(void *ctx)
{
    firn_upsert *u = ctx;
    firn_err ignored = {0};
    const char *tables[] = {u->changes, u->keys};
    for (size_t i = 0; i < 2; i++) {
        if (tables[i] != NULL && firn_duck_execf(u->session, &ignored, "DROP TABLE IF EXISTS %s",
                                                 tables[i]) != FIRN_OK) {
            continue; /* it goes with the session */
        }
    }
}

static firn_rc number_of(firn_upsert *u, const char *sql, int64_t *numbers, size_t n, firn_err *err)
{
    firn_duck_cells rows = {0};
    FIRN_TRY(firn_duck_rows(u->session, u->arena, sql, &rows, err));
    for (size_t i = 0; i < n; i++) {
        if (rows.n_rows != 1 || rows.n_columns != n || rows.cells[0][i] == NULL ||
            !firn_parse_i64(rows.cells[0][i], &numbers[i])) {
            FIRN_FAIL(err, FIRN_E_INTERNAL, "count gave no number: %s", sql);
        }
    }
    return FIRN_OK;
}

static firn_rc make_changes(firn_upsert *u, firn_err *err)
{
    firn_batch *batch = NULL;
    const char *select = NULL;
    int64_t counts[2] = {0};
    const firn_rows_write *write = &u->options.write;
    FIRN_TRY(firn_batch_open(u->session, u->arena, write->rows, write->n_rows,
                             firn_batch_keeps_nanos(write->metadata->schema), &batch, err));
    FIRN_TRY(statement_of(u, batch, &select, err));
    firn_rc rc = firn_duck_execf(u->session, err, "CREATE TEMP TABLE %s AS %s", u->changes, select);
    FIRN_TRY(firn_batch_result(batch, select, rc, err));
    const char *sql = firn_arena_printf(
        u->arena, "SELECT count(*), count(*) FILTER (WHERE __firn_truncate) FROM %s", u->changes);
    FIRN_TRY(number_of(u, sql, counts, 2, err));
    u->n_changes = counts[0];
    u->truncates = counts[1] > 0;
    return FIRN_OK;
}

/* ---- the last change of each key ------------------------------------------------------------------------- */

/* The column of the changes that is the key's, whatever the letters' case. */
static firn_rc key_column(firn_upsert *u, const firn_duck_column *columns, size_t n,
                          const char *name, const char **out, firn_err *err)
{
    const char **names = FIRN_NEW_N(u->arena, const char *, n);
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        names[i] = columns[i].name;
        if (firn_streq(names[i], name)) {
            *out = names[i];
            return FIRN_OK;
        }
        *out = firn_strcaseeq(names[i], name) ? names[i] : *out;
    }
    if (*out == NULL) {
        const char *near = firn_nearest(name, names, n);
        FIRN_FAIL(err, FIRN_E_NO_COLUMN,
                  "the changes of %s have no column %s, which is part of its key%s%s%s",
                  u->table_text, name, near != NULL ? "; did you mean " : "",
                  near != NULL ? near : "", near != NULL ? "?" : "");
    }
    return FIRN_OK;
}

/* Keys are single values, so a field's type has nothing inside that would be borrowed. */
static const firn_field *copy_field(firn_arena *arena, const firn_field *field)
{
    firn_field *copy = FIRN_NEW(arena, firn_field);
    *copy = (firn_field){.id = field->id,
                         .name = firn_arena_strdup(arena, field->name),
                         .type = firn_arena_memdup(arena, field->type, sizeof(*field->type))};
    return copy;
}

static firn_rc find_key_fields(firn_upsert *u, firn_err *err)
{
    const firn_rows_upsert *options = &u->options;
    u->n_key = options->n_key;
    u->key = FIRN_NEW_N(u->arena, const firn_field *, u->n_key);
    if (u->n_key == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "changes of %s need a key: at least one column",
                  u->table_text);
    }
    for (size_t i = 0; i < u->n_key; i++) {
        const firn_field *field = NULL;
        FIRN_TRY(firn_find_column(u->arena, options->write.metadata->schema, options->key[i],
                                  u->table_text, &field, err));
        if (firn_type_is_nested(field->type)) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "column %s of %s cannot be part of a key: it is a %s, and keys are single "
                      "values",
                      options->key[i], u->table_text, firn_type_text(u->arena, field->type));
        }
        u->key[i] = copy_field(u->arena, field);
    }
    return FIRN_OK;
}

/* "CAST("id" AS BIGINT) AS k0, ...", and "k0, ..." */
static firn_rc key_sql(firn_upsert *u, const char **casts, const char **names, firn_err *err)
{
    firn_duck_column *columns = NULL;
    size_t n = 0;
    FIRN_AUTO_BUF firn_buf cast = {0};
    FIRN_AUTO_BUF firn_buf name = {0};
    FIRN_TRY(firn_duck_describe(u->session, u->arena,
                                firn_arena_printf(u->arena, "FROM %s", u->changes), &columns, &n,
                                err));
    for (size_t i = 0; i < u->n_key; i++) {
        const char *column = NULL, *type = NULL;
        FIRN_TRY(key_column(u, columns, n, u->options.key[i], &column, err));
        FIRN_TRY(firn_type_to_duck(u->arena, u->key[i]->type, u->options.key[i], &type, err));
        firn_buf_printf(&cast, "%sCAST(%s AS %s) AS k%zu", i > 0 ? ", " : "",
                        firn_sql_ident(u->arena, column), type, i);
        firn_buf_printf(&name, "%sk%zu", i > 0 ? ", " : "", i);
    }
    *casts = firn_arena_strdup(u->arena, firn_buf_cstr(&cast));
    *names = firn_arena_strdup(u->arena, firn_buf_cstr(&name));
    return FIRN_OK;
}

static firn_rc check_key_nulls(firn_upsert *u, firn_err *err)
{
    for (size_t i = 0; i < u->n_key; i++) {
        int64_t nulls = 0;
        const char *sql =
            firn_arena_printf(u->arena, "SELECT count(*) FROM %s WHERE k%zu IS NULL", u->keys, i);
        FIRN_TRY(number_of(u, sql, &nulls, 1, err));
        if (nulls > 0) {
            FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                      "a change of %s has no value in %s, which is part of the key: without it "
                      "there is no row to change",
                      u->table_text, u->options.key[i]);
        }
    }
    return FIRN_OK;
}

/* Changes after the last truncation, and not those that truncate. */
static const char *counting(const firn_upsert *u)
{
    if (!u->truncates) {
        return "true";
    }
    return firn_arena_printf(
        u->arena,
        "NOT __firn_truncate AND {'o': __firn_order, 'r': rowid} > (SELECT max({'o': __firn_order, "
        "'r': rowid}) FROM %s WHERE __firn_truncate)",
        u->changes);
}

static firn_rc make_keys(firn_upsert *u, firn_err *err)
{
    const char *casts = NULL, *names = NULL;
    int64_t counts[2] = {0};
    FIRN_TRY(key_sql(u, &casts, &names, err));
    FIRN_TRY(firn_duck_execf(
        u->session, err,
        "CREATE TEMP TABLE %s AS SELECT %s, m.r AS r, m.g AS g FROM (SELECT %s, max({'o': o, 'r': "
        "r, 'g': g}) AS m FROM (SELECT %s, __firn_order AS o, rowid AS r, __firn_delete AS g FROM "
        "%s WHERE %s) GROUP BY %s)",
        u->keys, names, names, casts, u->changes, counting(u), names));
    FIRN_TRY(check_key_nulls(u, err));
    const char *sql =
        firn_arena_printf(u->arena, "SELECT count(*), count(*) FILTER (WHERE g) FROM %s", u->keys);
    FIRN_TRY(number_of(u, sql, counts, 2, err));
    u->n_keys = counts[0];
    u->n_gone = counts[1];
    return FIRN_OK;
}

/* ---- data files ------------------------------------------------------------------------------------------ */

static firn_rc write_data(firn_upsert *u, firn_err *err)
{
    char *sql = NULL;
    if (u->n_keys == u->n_gone) {
        return FIRN_OK;
    }
    const char *source = firn_arena_printf(
        u->arena,
        "SELECT * EXCLUDE (%s, %s, %s) FROM %s WHERE rowid IN (SELECT r FROM %s WHERE NOT g)",
        hidden[0], hidden[1], hidden[2], u->changes, u->keys);
    const firn_batch_projection projection = {.source_sql = source,
                                              .schema = u->options.write.metadata->schema,
                                              .table_text = u->table_text,
                                              .ignore_unknown = u->options.write.ignore_unknown};
    FIRN_TRY(firn_batch_project(u->session, u->arena, &projection, &sql, err));
    const firn_write_options options = {.metadata = u->options.write.metadata,
                                        .table_text = u->table_text,
                                        .sql = sql,
                                        .spec_id = -1,
                                        .zstd_level = FIRN_WRITE_QUICK_ZSTD_LEVEL,
                                        .described = true};
    return firn_write_query(u->session, u->arena, &options, &u->data, err);
}

firn_rc firn_upsert_open(firn_session *session, firn_arena *arena, const firn_rows_upsert *options,
                         firn_upsert **out, firn_err *err)
{
    firn_upsert *u = FIRN_NEW(arena, firn_upsert);
    uint64_t number = session->next_name++;
    *u = (firn_upsert){
        .session = session,
        .arena = arena,
        .options = *options,
        .table_text = firn_arena_strdup(arena, options->write.table_text),
        .table_uuid = firn_arena_strdup(arena, options->write.metadata->table_uuid),
        .changes = firn_arena_printf(arena, "temp.main.__firn_changes_%" PRIu64, number),
        .keys = firn_arena_printf(arena, "temp.main.__firn_keys_%" PRIu64, number),
        .snapshot_id = -1,
        .looked_up = firn_map_new(arena),
    };
    if (options->write.metadata->format_version < 2) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "rows of %s cannot be replaced by key: its format version is 1. Upgrade it: "
                  "ALTER TABLE ... SET TBLPROPERTIES ('format-version' = '2')",
                  options->write.table_text);
    }
    FIRN_TRY(find_key_fields(u, err));
    firn_arena_defer(arena, drop_tables, u);
    FIRN_TRY(make_changes(u, err));
    FIRN_TRY(make_keys(u, err));
    FIRN_TRY(write_data(u, err));
    u->options = (firn_rows_upsert){0};
    u->matched = firn_arena_zalloc(arena, (size_t)u->n_changes / 8 + 1);
    *out = u;
    return FIRN_OK;
}

/* ---- the change ------------------------------------------------------------------------------------------ */

typedef struct planned {
    FIRN_VEC(firn_deleted_rows) partial; /* files of which rows go */
    FIRN_VEC(firn_data_file)
    removed; /* files without a row left, and delete files that end with them */
    firn_replaced_files replaced;
} planned;

/* Delete files of nothing but this data file. */
static void remove_file(firn_upsert *u, planned *plan, const firn_scan_task *task)
{
    firn_vec_push(u->arena, &plan->removed, *task->file);
    for (size_t i = 0; i < task->n_deletes; i++) {
        const firn_data_file *file = task->deletes[i].file;
        if (file->content == FIRN_CONTENT_POSITION_DELETES && file->referenced_data_file != NULL &&
            firn_streq(file->referenced_data_file, task->file->path)) {
            firn_vec_push(u->arena, &plan->removed, *file);
        }
    }
}

/* Is a row left in the file when those of `rows` are gone, too? The positions of older deletes are read only where their number leaves
 * room for doubt. */
static firn_rc has_rows_left(firn_upsert *u, const firn_upsert_hits *hits, bool *left,
                             firn_err *err)
{
    const firn_scan_task *task = hits->task;
    int64_t gone = (int64_t)firn_dv_cardinality(hits->rows);
    int64_t most = gone;
    for (size_t i = 0; i < task->n_deletes; i++) {
        most += task->deletes[i].file->record_count;
    }
    *left = gone < task->file->record_count;
    if (*left && most >= task->file->record_count) {
        const firn_dv *older = NULL;
        FIRN_TRY(firn_deletes_load(u->session, u->arena, &task, 1, &older, err));
        FIRN_AUTO_DV firn_dv *all = firn_dv_copy(hits->rows);
        if (older != NULL) {
            firn_dv_or(all, older);
        }
        *left = (int64_t)firn_dv_cardinality(all) < task->file->record_count;
    }
    return FIRN_OK;
}

static firn_rc sort_hits(firn_upsert *u, planned *plan, firn_err *err)
{
    for (size_t i = 0; i < u->hits.len; i++) {
        const firn_upsert_hits *hits = u->hits.items[i];
        bool left = false;
        if (hits->task == NULL || hits->rows == NULL) {
            continue;
        }
        FIRN_TRY(has_rows_left(u, hits, &left, err));
        if (left) {
            const firn_deleted_rows rows = {.task = hits->task, .rows = hits->rows};
            firn_vec_push(u->arena, &plan->partial, rows);
        } else {
            remove_file(u, plan, hits->task);
        }
    }
    return FIRN_OK;
}

static void put_files(firn_upsert *u, firn_upserted *out)
{
    for (size_t i = 0; i < u->data.files.len; i++) {
        firn_vec_push(u->arena, &out->written.files, u->data.files.items[i]);
    }
    for (size_t i = 0; i < u->deletes.files.len; i++) {
        firn_vec_push(u->arena, &out->written.files, u->deletes.files.items[i]);
    }
    out->written.rows = u->data.rows;
}

/* Data files that deletes point into without naming them one by one. */
static const char *const *required_files(firn_upsert *u, const planned *plan)
{
    const char **paths = FIRN_NEW_N(u->arena, const char *, plan->partial.len);
    for (size_t i = 0; i < plan->partial.len; i++) {
        paths[i] = plan->partial.items[i].task->file->path;
    }
    return paths;
}

static void fill_change(firn_upsert *u, const firn_metadata *head, planned *plan,
                        firn_upserted *out)
{
    bool has_vectors = head->format_version >= 3 && u->deletes.files.len > 0;
    for (size_t i = 0; i < plan->replaced.len; i++) {
        firn_vec_push(u->arena, &plan->removed, *plan->replaced.items[i]);
    }
    bool looked = !u->truncates && u->n_keys > 0;
    bool only_adds = plan->removed.len == 0 && u->deletes.files.len == 0 && !u->truncates;
    out->change = (firn_snapshot_change){
        .op = only_adds                ? FIRN_SNAPSHOT_APPEND
              : u->data.files.len == 0 ? FIRN_SNAPSHOT_DELETE
                                       : FIRN_SNAPSHOT_OVERWRITE,
        .added = out->written.files.items,
        .n_added = out->written.files.len,
        .removed = plan->removed.items,
        .n_removed = plan->removed.len,
        .remove_all = u->truncates,
        .validation = {.starting_snapshot_id = looked ? u->snapshot_id : FIRN_NO_STARTING_SNAPSHOT,
                       .conflict_filter = u->filter,
                       .no_new_data = true,
                       .no_new_deletes = has_vectors, /* one vector a file */
                       .removed_must_exist = plan->removed.len > 0,
                       .required_data_files = required_files(u, plan),
                       .n_required_data_files = plan->partial.len},
        .threads = u->session->engine->threads,
    };
    out->truncated = u->truncates;
    out->updated = u->n_updated;
    out->deleted = u->n_deleted;
    out->inserted = u->n_keys - u->n_gone - u->n_updated;
}

static firn_rc check_table(const firn_upsert *u, const firn_metadata *head, firn_err *err)
{
    if (u->table_uuid != NULL && head->table_uuid != NULL &&
        !firn_streq(u->table_uuid, head->table_uuid)) {
        FIRN_FAIL(err, FIRN_E_VALIDATION, "%s was dropped and made anew meanwhile", u->table_text);
    }
    return FIRN_OK;
}

static firn_rc plan_deletes(firn_upsert *u, const firn_metadata *head, planned *plan, firn_err *err)
{
    if (u->truncates || u->n_keys == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_upsert_find(u, head, err));
    FIRN_TRY(sort_hits(u, plan, err));
    const firn_delete_write write = {.metadata = head,
                                     .table_text = u->table_text,
                                     .files = plan->partial.items,
                                     .n_files = plan->partial.len,
                                     .by_partition = true};
    return firn_delete_files_write(u->session, u->arena, &write, &u->deletes, &plan->replaced, err);
}

firn_rc firn_upsert_plan(firn_upsert *u, const firn_metadata *head, firn_upserted *out,
                         firn_err *err)
{
    planned plan = {0};
    FIRN_TRY(check_table(u, head, err));
    firn_write_discard(u->session, &u->deletes);
    u->deletes = (firn_written){0};
    FIRN_TRY(plan_deletes(u, head, &plan, err));
    *out = (firn_upserted){0};
    put_files(u, out);
    fill_change(u, head, &plan, out);
    return FIRN_OK;
}

int64_t firn_upsert_keys(const firn_upsert *u)
{
    return u->n_keys;
}

void firn_upsert_discard(firn_upsert *u)
{
    firn_write_discard(u->session, &u->deletes);
    firn_write_discard(u->session, &u->data);
    u->deletes = (firn_written){0};
    u->data = (firn_written){0};
}

firn_rc firn_rows_upsert_files(firn_session *session, firn_arena *arena,
                               const firn_rows_upsert *options, firn_upserted *out, firn_err *err)
{
    firn_upsert *u = NULL;
    FIRN_TRY(firn_upsert_open(session, arena, options, &u, err));
    firn_rc rc = firn_upsert_plan(u, options->write.metadata, out, err);
    if (rc != FIRN_OK) {
        firn_upsert_discard(u);
    }
    return rc;
}
