/* Changing single rows of a table: planning, finding, rewriting, marking as deleted, committing. */
#include "rowlevel.h"

#include "base/map.h"

#include <inttypes.h>
#include <string.h>

/* ---- planning ---------------------------------------------------------------------------------------- */

static firn_rc plan_files(firn_rowlevel *change, firn_err *err)
{
    const firn_metadata *metadata = change->target->metadata;
    firn_catalog *catalog = firn_lake_catalog(change->session->engine->lake);
    const firn_scan_options options = {
        .storage = firn_lake_storage(change->session->engine->lake),
        .cache = firn_catalog_manifests(catalog),
        .metadata = metadata,
        .snapshot = metadata->current_snapshot,
        .schema = metadata->schema,
        .filter = change->filter,
        .threads = change->session->engine->threads,
    };
    firn_scan *scan = NULL;
    firn_scan_task *tasks = NULL;
    size_t n = 0;
    FIRN_TRY(firn_scan_open(change->arena, &options, &scan, err));
    FIRN_TRY(firn_scan_all(scan, &tasks, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_vec_push(change->arena, &change->tasks, &tasks[i]);
    }
    return FIRN_OK;
}

firn_rc firn_rowlevel_open(firn_rowlevel *change, const char *where, firn_err *err)
{
    const firn_dml_target *target = change->target;
    const firn_metadata *metadata = target->metadata;
    const char *key = firn_arena_printf(change->arena, "write.%s.mode", change->operation);
    const char *mode = firn_metadata_property(metadata, key, "copy-on-write");
    change->merge_on_read = firn_strcaseeq(mode, "merge-on-read");
    if (!change->merge_on_read && !firn_strcaseeq(mode, "copy-on-write")) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "table property %s of %s is '%s': it can be copy-on-write or merge-on-read", key,
                  target->text, mode);
    }
    change->merge_on_read = change->merge_on_read && !change->session->erasing;
    change->lineage = metadata->format_version >= 3;
    if (metadata->current_snapshot == NULL) {
        return FIRN_OK;
    }
    if (where != NULL) {
        /* What the text says wrongly is told by the query itself, with its place in the statement. */
        firn_err ignored = {0};
        const char *alias = target->alias != NULL ? target->alias : target->name;
        if (firn_read_predicate(change->session, change->arena, metadata->schema, alias, where,
                                &change->filter, &change->exact, &ignored) != FIRN_OK) {
            change->filter = NULL;
            change->exact = false;
        }
    }
    return plan_files(change, err);
}

const char *firn_rowlevel_alias(const firn_rowlevel *change)
{
    const firn_dml_target *target = change->target;
    return firn_sql_ident(change->arena, target->alias != NULL ? target->alias : target->name);
}

firn_rc firn_rowlevel_with(firn_rowlevel *change, const firn_tasks *tasks, const char **sql,
                           firn_err *err)
{
    const char **paths = FIRN_NEW_N(change->arena, const char *, tasks->len);
    for (size_t i = 0; i < tasks->len; i++) {
        paths[i] = tasks->items[i]->file->path;
    }
    const firn_read_options options = {
        .metadata = change->target->metadata,
        .snapshot = tasks->len > 0 ? change->target->metadata->current_snapshot : NULL,
        .schema = change->target->metadata->schema,
        .at_empty = tasks->len == 0,
        .filter = change->filter,
        .with_file = true,
        .with_row_lineage = change->lineage,
        .only_files = paths,
        .n_only_files = tasks->len,
        .table_text = change->target->text};
    char *read = NULL;
    firn_scan_stats stats = {0};
    FIRN_TRY(firn_read_sql(change->session, change->arena, &options, &read, &stats, err));
    *sql =
        firn_arena_printf(change->arena, "WITH " FIRN_TARGET_CTE " AS (SELECT * FROM %s) ", read);
    return FIRN_OK;
}

/* ---- finding ----------------------------------------------------------------------------------------- */

firn_rc firn_rowlevel_files(firn_rowlevel *change, const char *sql, firn_tasks *found,
                            int64_t **counts, firn_err *err)
{
    firn_duck_cells rows = {0};
    FIRN_TRY(firn_duck_rows(change->session, change->arena, sql, &rows, err));
    firn_map *by_path = firn_map_new(change->arena);
    for (size_t i = 0; i < change->tasks.len; i++) {
        firn_map_put(by_path, change->tasks.items[i]->file->path,
                     (void *)(uintptr_t)change->tasks.items[i]);
    }
    *counts = FIRN_NEW_N(change->arena, int64_t, rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++) {
        const firn_scan_task *task = firn_map_get(by_path, rows.cells[i][0]);
        if (task == NULL || !firn_parse_i64(rows.cells[i][1], &(*counts)[found->len])) {
            FIRN_FAIL(err, FIRN_E_INTERNAL, "rows come from file %s, which was not planned",
                      rows.cells[i][0]);
        }
        firn_vec_push(change->arena, found, task);
    }
    return FIRN_OK;
}

firn_rc firn_rowlevel_live_rows(firn_rowlevel *change, const firn_tasks *tasks, int64_t *out,
                                firn_err *err)
{
    firn_tasks with_deletes = {0};
    *out = 0;
    for (size_t i = 0; i < tasks->len; i++) {
        if (tasks->items[i]->n_deletes > 0) {
            firn_vec_push(change->arena, &with_deletes, tasks->items[i]);
        } else {
            *out += tasks->items[i]->file->record_count;
        }
    }
    if (with_deletes.len == 0) {
        return FIRN_OK;
    }
    const char *with = NULL;
    firn_duck_cells rows = {0};
    int64_t n = 0;
    FIRN_TRY(firn_rowlevel_with(change, &with_deletes, &with, err));
    const char *sql =
        firn_arena_printf(change->arena, "%sSELECT count(*) FROM " FIRN_TARGET_CTE, with);
    FIRN_TRY(firn_duck_rows(change->session, change->arena, sql, &rows, err));
    if (rows.n_rows != 1 || !firn_parse_i64(rows.cells[0][0], &n)) {
        FIRN_FAIL(err, FIRN_E_INTERNAL, "count(*) gave no number");
    }
    *out += n;
    return FIRN_OK;
}

/* ---- rewriting --------------------------------------------------------------------------------------- */

void firn_rowlevel_columns(const firn_rowlevel *change, firn_buf *out)
{
    const firn_type *root = &change->target->metadata->schema->root;
    const char *alias = firn_rowlevel_alias(change);
    for (size_t i = 0; i < root->n_fields; i++) {
        firn_buf_printf(out, "%s%s.%s", i > 0 ? ", " : "", alias,
                        firn_sql_ident(change->arena, root->fields[i].name));
    }
}

void firn_rowlevel_lineage(const firn_rowlevel *change, firn_buf *out, const char *modified)
{
    const char *alias = firn_rowlevel_alias(change);
    if (!change->lineage) {
        return;
    }
    firn_buf_printf(out, ", %s._row_id AS _row_id, ", alias);
    if (modified != NULL) {
        firn_buf_printf(out, "CASE WHEN %s THEN NULL ELSE ", modified);
    }
    firn_buf_printf(out, "%s._last_updated_sequence_number%s AS _last_updated_sequence_number",
                    alias, modified != NULL ? " END" : "");
}

firn_rc firn_rowlevel_write(firn_rowlevel *change, const char *sql, firn_written *written,
                            firn_err *err)
{
    const firn_write_options options = {.metadata = change->target->metadata,
                                        .table_text = change->target->text,
                                        .sql = sql,
                                        .with_row_lineage = change->lineage,
                                        .spec_id = -1};
    return firn_write_query(change->session, change->arena, &options, written, err);
}

/* ---- marking as deleted ------------------------------------------------------------------------------ */

static void free_dv(void *dv)
{
    firn_dv_free(dv);
}

/* A chunk of (file, position); rows of files that are not in `by_path` are passed over. */
static firn_rc collect_chunk(duckdb_data_chunk chunk, const firn_map *by_path, firn_buf *path,
                             firn_err *err)
{
    duckdb_vector files = duckdb_data_chunk_get_vector(chunk, 0);
    const int64_t *positions = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    firn_bytes last = {0};
    firn_dv *dv = NULL;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
        firn_bytes file = firn_duck_bytes(files, i);
        if (last.data == NULL || firn_bytes_cmp(file, last) != 0) {
            firn_buf_clear(path);
            firn_buf_append(path, file.data, file.len);
            dv = firn_map_get(by_path, firn_buf_cstr(path));
            last = file;
        }
        if (dv != NULL) {
            FIRN_TRY(firn_dv_add(dv, (uint64_t)positions[i], err));
        }
    }
    return FIRN_OK;
}

static firn_rc collect_positions(firn_session *session, const char *sql, const firn_map *by_path,
                                 firn_err *err)
{
    duckdb_result result;
    FIRN_AUTO_BUF firn_buf path = {0};
    FIRN_TRY(firn_duck_query(session, sql, &result, err));
    firn_rc rc = FIRN_OK;
    while (rc == FIRN_OK) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (chunk == NULL) {
            break;
        }
        rc = collect_chunk(chunk, by_path, &path, err);
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return rc;
}

firn_rc firn_rowlevel_delete_files(firn_rowlevel *change, const firn_tasks *tasks,
                                   const char *condition, firn_written *written, firn_err *err)
{
    firn_arena *arena = change->arena;
    firn_map *by_path = firn_map_new(arena);
    firn_deleted_rows *files = FIRN_NEW_N(arena, firn_deleted_rows, tasks->len);
    for (size_t i = 0; i < tasks->len; i++) {
        firn_dv *dv = firn_dv_new();
        firn_arena_defer(arena, free_dv, dv);
        firn_map_put(by_path, tasks->items[i]->file->path, dv);
        files[i] = (firn_deleted_rows){.task = tasks->items[i], .rows = dv};
    }
    const char *sql = firn_arena_printf(
        arena, "SELECT __firn_file, CAST(__firn_pos AS BIGINT) FROM " FIRN_HITS_TABLE " WHERE (%s)",
        condition);
    const firn_delete_write write = {.metadata = change->target->metadata,
                                     .table_text = change->target->text,
                                     .files = files,
                                     .n_files = tasks->len};
    firn_rc rc = collect_positions(change->session, sql, by_path, err);
    if (rc == FIRN_OK) {
        rc = firn_delete_files_write(change->session, arena, &write, written, &change->replaced,
                                     err);
    }
    if (rc != FIRN_OK) {
        firn_write_discard(change->session, written);
        *written = (firn_written){0};
    }
    return rc;
}

/* ---- commit ------------------------------------------------------------------------------------------ */

/* write.<operation>.isolation-level: with "snapshot", rows that others add meanwhile and that the statement would have
 * matched are left as they are; with "serializable" (the default) the statement then runs again. */
static firn_rc validation_of(const firn_rowlevel *change, firn_snapshot_validation *out,
                             firn_err *err)
{
    const firn_metadata *metadata = change->target->metadata;
    const char *key =
        firn_arena_printf(change->arena, "write.%s.isolation-level", change->operation);
    const char *level = firn_metadata_property(metadata, key, "serializable");
    bool serializable = firn_strcaseeq(level, "serializable");
    if (!serializable && !firn_strcaseeq(level, "snapshot")) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "table property %s of %s is '%s': it can be serializable or snapshot", key,
                  change->target->text, level);
    }
    *out = (firn_snapshot_validation){
        .starting_snapshot_id =
            metadata->current_snapshot != NULL ? metadata->current_snapshot->snapshot_id : -1,
        .conflict_filter = change->filter,
        .no_new_data = serializable,
        .no_new_deletes = true,
        .no_deleted_data = serializable,
        .no_new_deletes_for_removed = true,
        .removed_must_exist = true,
    };
    return FIRN_OK;
}

firn_rc firn_rowlevel_commit(firn_rowlevel *change, firn_written *written,
                             firn_snapshot_result *out, firn_err *err)
{
    bool adds_data = false;
    size_t n_removed = 0;
    firn_data_file *removed =
        FIRN_NEW_N(change->arena, firn_data_file, change->removed.len + change->replaced.len);
    for (size_t i = 0; i < change->removed.len; i++) {
        removed[n_removed++] = *change->removed.items[i]->file;
    }
    for (size_t i = 0; i < change->replaced.len; i++) {
        removed[n_removed++] = *change->replaced.items[i];
    }
    for (size_t i = 0; i < written->files.len; i++) {
        adds_data = adds_data || written->files.items[i].content == FIRN_CONTENT_DATA;
    }
    firn_snapshot_change snapshot = {
        .op = adds_data ? FIRN_SNAPSHOT_OVERWRITE : FIRN_SNAPSHOT_DELETE,
        .added = written->files.items,
        .n_added = written->files.len,
        .removed = removed,
        .n_removed = n_removed,
        .forget_removed = change->session->erasing,
    };
    firn_rc rc = validation_of(change, &snapshot.validation, err);
    if (rc != FIRN_OK) {
        firn_write_discard(change->session, written);
        return rc;
    }
    const firn_write_commit_options options = {.ident = change->target->ident,
                                               .metadata = change->target->metadata,
                                               .change = &snapshot,
                                               .written = written,
                                               .statement = change->statement};
    return firn_write_commit(change->session, change->arena, &options, out, err);
}

const char *firn_rowlevel_note(firn_arena *arena, int64_t n_rewritten, int64_t n_removed,
                               int64_t n_delete_files)
{
    const char *parts[3];
    size_t n = 0;
    if (n_rewritten > 0) {
        parts[n++] =
            firn_arena_printf(arena, "%s rewritten", firn_dml_count(arena, n_rewritten, "file"));
    }
    if (n_removed > 0) {
        parts[n++] =
            firn_arena_printf(arena, "%s removed", firn_dml_count(arena, n_removed, "file"));
    }
    if (n_delete_files > 0) {
        parts[n++] = firn_arena_printf(arena, "%s added",
                                       firn_dml_count(arena, n_delete_files, "delete file"));
    }
    return n == 0 ? "" : firn_arena_printf(arena, " (%s)", firn_str_join(arena, parts, n, ", "));
}
