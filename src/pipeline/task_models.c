/* Tasks of type sql and ingest: queries into tables.
 *
 * Each model is one statement and so one catalog commit on the run's branch:
 *   overwrite  CREATE OR REPLACE TABLE ... AS: rows, schema and partitioning are the model's; history and time travel stay
 *   append     INSERT INTO ... BY NAME; columns that are new in the query are added to the table first
 *   merge      MERGE INTO by key: known keys are updated, new ones inserted
 * The table is made by its first run in every mode.
 */
#include "internal.h"

#include "base/io.h"
#include "base/time.h"

static firn_rc table_exists(firn_attempt *attempt, const char *table, bool *exists, firn_err *err)
{
    firn_ident *idents = NULL;
    size_t n = 0;
    const char *sql = firn_arena_printf(attempt->arena, "select * from %s", table);
    FIRN_TRY(firn_session_references(attempt->session, attempt->arena, sql, &idents, &n, err));
    if (n != 1) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "\"%s\" is not the name of a table", table);
    }
    firn_catalog_entry entry;
    firn_rc rc = firn_catalog_entry_get(firn_lake_catalog(attempt->run->lake), attempt->arena,
                                        firn_session_ref(attempt->session), idents[0], &entry, err);
    *exists = rc == FIRN_OK;
    return rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE ? FIRN_OK : rc;
}

static const char *partition_clause(firn_arena *arena, const firn_model *model)
{
    if (model->partitioned_by.n == 0) {
        return "";
    }
    return firn_arena_printf(
        arena, " partitioned by (%s)",
        firn_str_join(arena, model->partitioned_by.items, model->partitioned_by.n, ", "));
}

/* ---- columns that are new in the query --------------------------------------------------------------- */

typedef struct column {
    const char *name, *type;
} column;

typedef struct columns {
    FIRN_VEC(column) list;
} columns;

static firn_rc describe(firn_attempt *attempt, const char *query, columns *out, firn_err *err)
{
    firn_result *result = NULL;
    const char *sql = firn_arena_printf(attempt->arena, "describe select * from (%s) q", query);
    FIRN_TRY(firn_session_query(attempt->session, sql, &result, err));
    const char *const *cells = NULL;
    firn_rc rc;
    while ((rc = firn_result_next(result, &cells, err)) == FIRN_OK && cells != NULL) {
        column one = {.name = firn_arena_strdup(attempt->arena, cells[0]),
                      .type = firn_arena_strdup(attempt->arena, cells[1])};
        firn_vec_push(attempt->arena, &out->list, one);
    }
    firn_result_free(result);
    return rc;
}

static bool has_column(const columns *table, const char *name)
{
    for (size_t i = 0; i < table->list.len; i++) {
        if (firn_strcaseeq(table->list.items[i].name, name)) {
            return true;
        }
    }
    return false;
}

firn_rc firn_task_add_columns(firn_attempt *attempt, const char *table, const char *query,
                              firn_err *err)
{
    columns wanted = {0};
    columns there = {0};
    FIRN_TRY(describe(attempt, query, &wanted, err));
    FIRN_TRY(describe(attempt, firn_arena_printf(attempt->arena, "select * from %s", table), &there,
                      err));
    for (size_t i = 0; i < wanted.list.len; i++) {
        const column *one = &wanted.list.items[i];
        if (!has_column(&there, one->name)) {
            const char *sql =
                firn_arena_printf(attempt->arena, "alter table %s add column %s %s", table,
                                  firn_sql_ident(attempt->arena, one->name), one->type);
            FIRN_TRY(firn_session_exec(attempt->session, sql, NULL, err));
        }
    }
    return FIRN_OK;
}

/* ---- one model ---------------------------------------------------------------------------------------- */

static const char *merge_sql(firn_arena *arena, const firn_model *model, const char *query)
{
    FIRN_AUTO_BUF firn_buf condition = {0};
    for (size_t i = 0; i < model->key.n; i++) {
        const char *key = firn_sql_ident(arena, model->key.items[i]);
        firn_buf_printf(&condition, "%st.%s = s.%s", i > 0 ? " and " : "", key, key);
    }
    return firn_arena_printf(arena,
                             "merge into %s t using (%s) s on %s when matched then update set * "
                             "when not matched then insert *",
                             model->table, query, firn_buf_cstr(&condition));
}

/* What `files` of an ingest model reads, as a query. */
static firn_rc ingest_query(firn_attempt *attempt, const firn_model *model, char **query,
                            firn_err *err)
{
    static const struct {
        const char *format, *function;
    } readers[] = {{"csv", "read_csv"}, {"parquet", "read_parquet"}, {"json", "read_json"}};
    char *files = NULL;
    FIRN_TRY(firn_attempt_expand(attempt, model->files, &files, err));
    const char *path = strstr(files, "://") != NULL
                           ? files
                           : firn_lake_path(attempt->run->lake, attempt->arena, files);
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        bool chosen = model->format != NULL ? firn_streq(model->format, readers[i].format)
                                            : strstr(path, readers[i].format) != NULL;
        if (chosen) {
            *query = firn_arena_printf(attempt->arena, "select * from %s(%s%s%s)",
                                       readers[i].function, firn_sql_quote(attempt->arena, path),
                                       model->options != NULL ? ", " : "",
                                       model->options != NULL ? model->options : "");
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_CONFIG, "the model of %s needs format: csv, parquet or json",
              model->table);
}

static firn_rc model_query(firn_attempt *attempt, const firn_model *model, char **query,
                           firn_err *err)
{
    return attempt->task->type == FIRN_TASK_INGEST
               ? ingest_query(attempt, model, query, err)
               : firn_attempt_expand(attempt, model->sql, query, err);
}

static firn_rc run_model(firn_attempt *attempt, const firn_model *model, int64_t *rows,
                         firn_err *err)
{
    firn_arena *arena = attempt->arena;
    char *query = NULL;
    bool exists = true;
    FIRN_TRY(model_query(attempt, model, &query, err));
    if (model->mode != FIRN_MODEL_OVERWRITE) {
        FIRN_TRY(table_exists(attempt, model->table, &exists, err));
    }
    const char *sql;
    if (model->mode == FIRN_MODEL_OVERWRITE || !exists) {
        sql = firn_arena_printf(arena, "create %stable %s%s as %s", exists ? "or replace " : "",
                                model->table, partition_clause(arena, model), query);
    } else {
        FIRN_TRY(firn_task_add_columns(attempt, model->table, query, err));
        sql = model->mode == FIRN_MODEL_MERGE
                  ? merge_sql(arena, model, query)
                  : firn_arena_printf(arena, "insert into %s by name %s", model->table, query);
    }
    firn_session_set_author(attempt->session,
                            firn_arena_printf(arena, "pipeline %s", attempt->run->pipeline->name),
                            firn_arena_printf(arena, "%s: %s", attempt->task->name, model->table));
    return firn_session_exec(attempt->session, sql, rows, err);
}

/* bronze.orders -> bronze/orders.parquet in the lake, once the run is published. */
static firn_rc export_parquet(firn_attempt *attempt, const firn_model *model, firn_err *err)
{
    firn_arena *arena = attempt->arena;
    char *path = NULL;
    const char *relative = firn_arena_printf(
        arena, "%s.parquet",
        firn_str_replace(arena, firn_str_replace(arena, model->table, "\"", ""), ".", "/"));
    FIRN_TRY(firn_artifact_path(attempt, relative, &path, err));
    const char *sql =
        firn_arena_printf(arena, "copy (select * from %s) to %s (format parquet, compression zstd)",
                          model->table, firn_sql_quote(arena, path));
    return firn_session_exec(attempt->session, sql, NULL, err);
}

static firn_rc wants_export(firn_attempt *attempt, bool *wanted, firn_err *err)
{
    char *text = NULL;
    *wanted = false;
    if (attempt->task->export_parquet == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_attempt_expand(attempt, attempt->task->export_parquet, &text, err));
    *wanted = firn_streq(text, "true");
    if (!*wanted && !firn_streq(text, "false")) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "task %s: export_parquet is \"%s\"; it must be true or false",
                  attempt->task->name, text);
    }
    return FIRN_OK;
}

static void say_models(firn_attempt *attempt)
{
    const firn_task *task = attempt->task;
    if (task->n_models > 3) {
        attempt->detail = firn_arena_printf(attempt->arena, "%zu tables, %s rows", task->n_models,
                                            firn_format_count(attempt->arena, attempt->rows));
        return;
    }
    FIRN_AUTO_BUF firn_buf names = {0};
    for (size_t i = 0; i < task->n_models; i++) {
        firn_buf_printf(&names, "%s%s", i > 0 ? "  " : "", task->models[i].table);
    }
    attempt->detail = firn_arena_printf(attempt->arena, "%s   %s rows", firn_buf_cstr(&names),
                                        firn_format_count(attempt->arena, attempt->rows));
}

static firn_rc write_models(firn_attempt *attempt, firn_err *err)
{
    firn_task_done *done = attempt->done;
    while (done->models < attempt->task->n_models) {
        const firn_model *model = &attempt->task->models[done->models];
        int64_t rows = 0;
        if (atomic_load(&attempt->cancelled)) {
            FIRN_FAIL(err, FIRN_E_CANCELLED, "the task was stopped before %s", model->table);
        }
        firn_rc rc = run_model(attempt, model, &rows, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "%s", model->table);
        }
        done->rows += rows;
        done->models++;
    }
    attempt->rows = done->rows;
    return FIRN_OK;
}

firn_rc firn_task_models(firn_attempt *attempt, firn_err *err)
{
    bool export = false;
    FIRN_TRY(wants_export(attempt, &export, err));
    FIRN_TRY(write_models(attempt, err));
    for (size_t i = 0; export && i < attempt->task->n_models; i++) {
        firn_rc rc = export_parquet(attempt, &attempt->task->models[i], err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "Parquet copy of %s", attempt->task->models[i].table);
        }
    }
    say_models(attempt);
    return FIRN_OK;
}
