/* Row-level deletes: see read_deletes.h. Which delete files apply to which data file is the scan's business (iceberg/scan.h); here
 * it matters that a position-delete file may name data files that it does not apply to (added later under the same partition): a
 * position counts only for the tasks that list the file.
 */
#include "read_deletes.h"

#include "duck.h"

#include "base/map.h"

#include <inttypes.h>

enum { DELETE_FILE_PATH_ID = 2147483546, DELETE_FILE_POS_ID = 2147483545 };

/* ---- by position ---------------------------------------------------------------------------------------- */

typedef struct target {
    firn_dv *dv;
    const firn_scan_task *task;
} target;

typedef struct loader {
    firn_session *session;
    firn_arena *arena;
    firn_map *targets;      /* data file location -> target */
    firn_map *delete_files; /* location -> its index + 1 in `files` */
    FIRN_VEC(const firn_data_file *) files;
} loader;

static void free_dv(void *dv)
{
    firn_dv_free(dv);
}

static firn_dv *bitmap_of(loader *l, target *t)
{
    if (t->dv == NULL) {
        t->dv = firn_dv_new();
        firn_arena_defer(l->arena, free_dv, t->dv);
    }
    return t->dv;
}

static firn_rc check_parquet(const firn_data_file *file, firn_err *err)
{
    if (!firn_strcaseeq(file->format, "PARQUET")) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "%s is a delete file in %s: firn reads Parquet only. Rewrite the table's delete files with the engine that "
            "wrote them",
            file->path, file->format);
    }
    return FIRN_OK;
}

static firn_rc add_vector(loader *l, target *t, const firn_data_file *file, firn_err *err)
{
    firn_dv *dv = NULL;
    firn_storage *storage = firn_lake_storage(l->session->engine->lake);
    FIRN_TRY(firn_scan_load_dv(storage, l->arena, file, &dv, err));
    if (dv != NULL) {
        firn_dv_or(bitmap_of(l, t), dv);
    }
    return FIRN_OK;
}

/* Sort the deletes of one task: vectors are loaded, files are remembered. */
static firn_rc add_task(loader *l, target *t, firn_err *err)
{
    for (size_t i = 0; i < t->task->n_deletes; i++) {
        const firn_data_file *file = t->task->deletes[i].file;
        if (file->content != FIRN_CONTENT_POSITION_DELETES) {
            continue;
        }
        if (firn_strcaseeq(file->format, "PUFFIN")) {
            FIRN_TRY(add_vector(l, t, file, err));
            continue;
        }
        FIRN_TRY(check_parquet(file, err));
        if (!firn_map_has(l->delete_files, file->path)) {
            firn_vec_push(l->arena, &l->files, file);
            firn_map_put(l->delete_files, file->path, (void *)(uintptr_t)l->files.len);
        }
    }
    return FIRN_OK;
}

static bool applies(const firn_scan_task *task, const firn_data_file *file)
{
    for (size_t i = 0; i < task->n_deletes; i++) {
        if (firn_streq(task->deletes[i].file->path, file->path)) {
            return true;
        }
    }
    return false;
}

typedef struct chunk_state {
    const char *path; /* of the row before, with what was found for it */
    size_t path_len;
    uint64_t index;
    target *target;
} chunk_state;

static firn_rc add_positions(loader *l, duckdb_data_chunk chunk, firn_err *err)
{
    duckdb_vector paths = duckdb_data_chunk_get_vector(chunk, 1);
    const uint64_t *indexes = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    const int64_t *positions = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
    chunk_state last = {0};
    for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++) {
        if (firn_duck_is_null(paths, row) ||
            firn_duck_is_null(duckdb_data_chunk_get_vector(chunk, 2), row) || positions[row] < 0 ||
            indexes[row] >= l->files.len) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "the delete file %s has a row without file or position",
                      indexes[row] < l->files.len ? l->files.items[indexes[row]]->path : "?");
        }
        firn_bytes path = firn_duck_bytes(paths, row);
        bool same = last.path != NULL && last.index == indexes[row] && last.path_len == path.len &&
                    memcmp(last.path, path.data, path.len) == 0;
        if (!same) {
            const char *text = firn_arena_strndup(l->arena, (const char *)path.data, path.len);
            target *found = firn_map_get(l->targets, text);
            bool wanted = found != NULL && applies(found->task, l->files.items[indexes[row]]);
            last = (chunk_state){text, path.len, indexes[row], wanted ? found : NULL};
        }
        if (last.target != NULL) {
            FIRN_TRY(firn_dv_add(bitmap_of(l, last.target), (uint64_t)positions[row], err));
        }
    }
    return FIRN_OK;
}

static firn_rc read_delete_files(loader *l, firn_err *err)
{
    firn_storage *storage = firn_lake_storage(l->session->engine->lake);
    const char **paths = FIRN_NEW_N(l->arena, const char *, l->files.len);
    for (size_t i = 0; i < l->files.len; i++) {
        paths[i] = firn_storage_resolve(storage, l->arena, l->files.items[i]->path);
    }
    FIRN_AUTO_BUF firn_buf sql = {0};
    firn_buf_puts(&sql, "SELECT file_index, p, n FROM read_parquet(");
    firn_read_file_list(l->arena, &sql, paths, l->files.len);
    firn_buf_printf(
        &sql,
        ", hive_partitioning = false, schema = MAP {%d: {name: 'p', type: 'VARCHAR', default_value: NULL}, "
        "%d: {name: 'n', type: 'BIGINT', default_value: NULL}})",
        DELETE_FILE_PATH_ID, DELETE_FILE_POS_ID);
    duckdb_result result;
    FIRN_TRY(firn_duck_query(l->session, firn_buf_cstr(&sql), &result, err));
    firn_rc rc = FIRN_OK;
    duckdb_data_chunk chunk;
    while (rc == FIRN_OK && (chunk = duckdb_fetch_chunk(result)) != NULL) {
        rc = add_positions(l, chunk, err);
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return rc;
}

firn_rc firn_deletes_load(firn_session *session, firn_arena *arena,
                          const firn_scan_task *const *tasks, size_t n, const firn_dv **out,
                          firn_err *err)
{
    loader l = {.session = session,
                .arena = arena,
                .targets = firn_map_new(arena),
                .delete_files = firn_map_new(arena)};
    target *targets = FIRN_NEW_N(arena, target, n);
    for (size_t i = 0; i < n; i++) {
        targets[i].task = tasks[i];
        firn_map_put(l.targets, tasks[i]->file->path, &targets[i]);
        FIRN_TRY(add_task(&l, &targets[i], err));
    }
    if (l.files.len > 0) {
        FIRN_TRY(read_delete_files(&l, err));
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = targets[i].dv;
    }
    return FIRN_OK;
}

/* ---- by equality ----------------------------------------------------------------------------------------- */

/* A key column: the top-level column that holds it, and the members on the way to it. */
typedef struct key_path {
    const firn_field *top;
    const firn_field *steps[64];
    size_t n_steps;
} key_path;

static bool find_path(const firn_type *type, int32_t id, key_path *out)
{
    if (type->id != FIRN_TYPE_STRUCT ||
        out->n_steps == sizeof(out->steps) / sizeof(out->steps[0])) {
        return false;
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        out->steps[out->n_steps++] = &type->fields[i];
        if (type->fields[i].id == id || find_path(type->fields[i].type, id, out)) {
            out->top = out->steps[0];
            return true;
        }
        out->n_steps--;
    }
    return false;
}

/* In the schema that is read with, else in the newest schema that had the column. */
static firn_rc locate(const firn_metadata *metadata, const firn_schema *schema, int32_t id,
                      key_path *out, bool *dropped, firn_err *err)
{
    *out = (key_path){0};
    *dropped = false;
    if (find_path(&schema->root, id, out)) {
        return FIRN_OK;
    }
    *dropped = true;
    const firn_schema *newest = NULL;
    for (size_t i = 0; i < metadata->n_schemas; i++) {
        key_path ignored = {0};
        if (find_path(&metadata->schemas[i]->root, id, &ignored) &&
            (newest == NULL || metadata->schemas[i]->schema_id > newest->schema_id)) {
            newest = metadata->schemas[i];
        }
    }
    if (newest == NULL || !find_path(&newest->root, id, out)) {
        FIRN_FAIL(
            err, FIRN_E_CORRUPT,
            "an equality delete file of the table has the key column %d, which no schema of it has",
            id);
    }
    return FIRN_OK;
}

firn_rc firn_deletes_keys(firn_arena *arena, const firn_metadata *metadata,
                          const firn_schema *schema, const firn_scan_task *task,
                          firn_extra_list *extras, firn_err *err)
{
    for (size_t i = 0; i < task->n_deletes; i++) {
        const firn_data_file *file = task->deletes[i].file;
        for (size_t k = 0;
             file->content == FIRN_CONTENT_EQUALITY_DELETES && k < file->n_equality_ids; k++) {
            key_path path;
            bool dropped, known = false;
            FIRN_TRY(locate(metadata, schema, file->equality_ids[k], &path, &dropped, err));
            for (size_t e = 0; e < extras->columns.len; e++) {
                known = known || extras->columns.items[e].field_id == path.top->id;
            }
            /* A member dropped from a struct that is still there is read from the struct as it was. */
            if (dropped && !known) {
                firn_extra_column extra = {.field_id = path.top->id, .type = path.top->type};
                firn_vec_push(arena, &extras->columns, extra);
            }
        }
    }
    return FIRN_OK;
}

static const char *member_expr(firn_arena *arena, const char *expr, const key_path *path)
{
    for (size_t i = 1; i < path->n_steps; i++) {
        expr = firn_arena_printf(arena, "struct_extract(%s, %s)", expr,
                                 firn_sql_quote(arena, path->steps[i]->name));
    }
    return expr;
}

/* The key of a data row. */
static firn_rc data_key(firn_arena *arena, const firn_antijoin_options *options, int32_t id,
                        const char **out, firn_err *err)
{
    key_path path;
    bool dropped;
    FIRN_TRY(locate(options->metadata, options->schema, id, &path, &dropped, err));
    const char *column = NULL;
    for (size_t i = 0; dropped && i < options->extras->columns.len; i++) {
        if (options->extras->columns.items[i].field_id == path.top->id) {
            column = options->shape->extras[i];
        }
    }
    for (size_t i = 0; !dropped && i < options->schema->root.n_fields; i++) {
        if (options->schema->root.fields[i].id == path.top->id) {
            column = options->shape->columns[i];
        }
    }
    *out = member_expr(arena, column, &path);
    return FIRN_OK;
}

/* Files of equal key columns are read together. */
typedef struct key_set {
    const int32_t *ids;
    size_t n_ids;
    FIRN_VEC(const char *) paths;
} key_set;

static bool same_ids(const key_set *set, const firn_data_file *file)
{
    return set->n_ids == file->n_equality_ids &&
           memcmp(set->ids, file->equality_ids, set->n_ids * sizeof(int32_t)) == 0;
}

/* "SELECT k0, k1 FROM read_parquet(...)": the keys of the delete files of one set. The columns are read like the table's own. */
static firn_rc delete_rows(firn_session *session, firn_arena *arena,
                           const firn_antijoin_options *options, const key_set *set, firn_buf *out,
                           firn_err *err)
{
    firn_schema keys = {
        .root = {.id = FIRN_TYPE_STRUCT, .fields = FIRN_NEW_N(arena, firn_field, set->n_ids)}};
    key_path *paths = FIRN_NEW_N(arena, key_path, set->n_ids);
    bool nested = false;
    for (size_t i = 0; i < set->n_ids; i++) {
        bool dropped, known = false;
        FIRN_TRY(locate(options->metadata, options->schema, set->ids[i], &paths[i], &dropped, err));
        nested = nested || paths[i].n_steps > 1;
        for (size_t k = 0; k < keys.root.n_fields; k++) {
            known = known || keys.root.fields[k].id == paths[i].top->id;
        }
        if (!known) {
            keys.root.fields[keys.root.n_fields] = *paths[i].top;
            keys.root.fields[keys.root.n_fields++].initial_default = NULL;
        }
    }
    const firn_footer **footers = FIRN_NEW_N(arena, const firn_footer *, set->paths.len);
    if (nested) {
        FIRN_TRY(firn_footers(session, set->paths.items, set->paths.len, footers, err));
    }
    for (size_t f = 0; f < set->paths.len; f++) {
        /* Nested keys: each file by its own shape; plain ones: all at once. */
        size_t n_files = nested ? 1 : set->paths.len;
        firn_shape shape;
        FIRN_TRY(firn_shape_of(arena,
                               &(firn_shape_options){.schema = &keys,
                                                     .footer = nested ? footers[f] : NULL,
                                                     .aliased = true},
                               &shape, err));
        firn_buf_puts(out, f > 0 ? " UNION ALL SELECT " : "SELECT ");
        for (size_t i = 0; i < set->n_ids; i++) {
            const char *column = NULL;
            for (size_t k = 0; k < keys.root.n_fields; k++) {
                column = keys.root.fields[k].id == paths[i].top->id ? shape.columns[k] : column;
            }
            firn_buf_printf(out, "%s%s AS k%zu", i > 0 ? ", " : "",
                            member_expr(arena, column, &paths[i]), i);
        }
        firn_buf_puts(out, " FROM read_parquet(");
        firn_read_file_list(arena, out, &set->paths.items[f], n_files);
        firn_buf_printf(out, ", hive_partitioning = false, schema = %s) AS f", shape.map);
        f += n_files - 1;
    }
    return FIRN_OK;
}

firn_rc firn_deletes_antijoin(firn_session *session, firn_arena *arena,
                              const firn_antijoin_options *options, firn_buf *out, firn_err *err)
{
    firn_storage *storage = firn_lake_storage(session->engine->lake);
    FIRN_VEC(key_set) sets = {0};
    for (size_t i = 0; i < options->task->n_deletes; i++) {
        const firn_data_file *file = options->task->deletes[i].file;
        if (file->content != FIRN_CONTENT_EQUALITY_DELETES) {
            continue;
        }
        FIRN_TRY(check_parquet(file, err));
        if (file->n_equality_ids == 0) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "the equality delete file %s names no key columns",
                      file->path);
        }
        key_set *set = NULL;
        for (size_t k = 0; k < sets.len && set == NULL; k++) {
            set = same_ids(&sets.items[k], file) ? &sets.items[k] : NULL;
        }
        if (set == NULL) {
            set = firn_vec_push_zero(arena, &sets);
            set->ids = file->equality_ids;
            set->n_ids = file->n_equality_ids;
        }
        firn_vec_push(arena, &set->paths, firn_storage_resolve(storage, arena, file->path));
    }
    for (size_t s = 0; s < sets.len; s++) {
        firn_buf_puts(out, " ANTI JOIN (");
        FIRN_TRY(delete_rows(session, arena, options, &sets.items[s], out, err));
        firn_buf_printf(out, ") AS d%zu ON ", s);
        for (size_t i = 0; i < sets.items[s].n_ids; i++) {
            const char *key = NULL;
            FIRN_TRY(data_key(arena, options, sets.items[s].ids[i], &key, err));
            firn_buf_printf(out, "%sd%zu.k%zu IS NOT DISTINCT FROM %s", i > 0 ? " AND " : "", s, i,
                            key);
        }
    }
    return FIRN_OK;
}
