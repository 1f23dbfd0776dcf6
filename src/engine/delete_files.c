/* Rows marked as deleted instead of their files rewritten (spec: "Row-level Deletes").
 *
 * Format version 2: a Parquet file of (file_path, pos) per data file, sorted by pos, in the data file's partition. One per data
 * file, since readers then open just the one they need.
 *
 * Format version 3: one deletion vector per data file, all vectors of a statement in one Puffin file. A data file has at most one,
 * and readers ignore older position delete files beside it; so a new vector takes in the old one, which goes, and the positions
 * of older delete files.
 */
#include "rowlevel.h"
#include "write_parts.h"

#include "read_shape.h"

#include "base/uuid.h"
#include "format/dv.h"
#include "format/puffin.h"

#include <inttypes.h>
#include <string.h>

enum {
    FILE_PATH_FIELD = 2147483546,
    POS_FIELD = 2147483545,
    ROW_POSITION_FIELD =
        2147483645, /* what a vector's blob is "computed" from, as Java writes it */
};

typedef struct delete_job {
    firn_rowlevel *change;
    const char *condition;
    firn_storage *storage;
    const char *data; /* location of the data folder */
    const char *id;
    firn_written *written;
} delete_job;

static firn_data_file *add_file(const delete_job *job, const firn_data_file *data_file,
                                const char *location)
{
    firn_data_file *file = firn_vec_push_zero(job->change->arena, &job->written->files);
    *file = (firn_data_file){.content = FIRN_CONTENT_POSITION_DELETES,
                             .path = location,
                             .format = "PARQUET",
                             .spec_id = data_file->spec_id,
                             .partition = data_file->partition,
                             .n_partition = data_file->n_partition,
                             .sort_order_id = -1,
                             .first_row_id = -1,
                             .referenced_data_file = data_file->path,
                             .content_offset = -1,
                             .content_size_bytes = -1};
    return file;
}

static const char *hits_of(const delete_job *job, const firn_data_file *data_file)
{
    return firn_arena_printf(job->change->arena,
                             "FROM " FIRN_HITS_TABLE " WHERE __firn_file = %s AND (%s)",
                             firn_sql_quote(job->change->arena, data_file->path), job->condition);
}

/* ---- position delete files ----------------------------------------------------------------------------- */

static void path_metrics(firn_arena *arena, const firn_data_file *data_file, int64_t rows,
                         firn_data_file *out)
{
    firn_bytes path = firn_bytes_str(data_file->path);
    out->n_metrics = 1;
    out->metrics = FIRN_NEW(arena, firn_column_metrics);
    out->metrics[0] = (firn_column_metrics){.field_id = FILE_PATH_FIELD,
                                            .size_bytes = -1,
                                            .value_count = rows,
                                            .null_count = 0,
                                            .nan_count = -1,
                                            .lower = path, /* whole: that is how readers match it */
                                            .upper = path};
}

static firn_rc write_positions(delete_job *job, size_t i, const firn_data_file *data_file,
                               firn_err *err)
{
    firn_arena *arena = job->change->arena;
    firn_duck_cells rows = {0};
    int64_t count = 0, size = 0;
    const char *location = firn_location_join(
        arena, job->data, firn_arena_printf(arena, "%s-%05zu-deletes.parquet", job->id, i));
    const char *sql = firn_arena_printf(
        arena,
        "COPY (SELECT __firn_file AS file_path, __firn_pos AS pos %s ORDER BY __firn_pos) TO %s "
        "(FORMAT parquet, PARQUET_VERSION v1, COMPRESSION zstd, FIELD_IDS {file_path: %d, pos: "
        "%d})",
        hits_of(job, data_file),
        firn_sql_quote(arena, firn_storage_resolve(job->storage, arena, location)), FILE_PATH_FIELD,
        POS_FIELD);
    firn_data_file *file = add_file(job, data_file, location); /* so that a failure deletes it */
    FIRN_TRY(firn_duck_rows(job->change->session, arena, sql, &rows, err));
    if (rows.n_rows != 1 || rows.n_columns != 1 || !firn_parse_i64(rows.cells[0][0], &count)) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB did not tell how many deletes it wrote to %s",
                  location);
    }
    FIRN_TRY(firn_storage_size(job->storage, location, &size, err));
    file->record_count = count;
    file->file_size_bytes = size;
    path_metrics(arena, data_file, count, file);
    return FIRN_OK;
}

/* ---- deletion vectors ---------------------------------------------------------------------------------- */

static firn_rc add_positions(const delete_job *job, const char *sql, firn_dv *dv, firn_err *err)
{
    duckdb_result result;
    FIRN_TRY(firn_duck_query(job->change->session, sql, &result, err));
    firn_rc rc = FIRN_OK;
    while (rc == FIRN_OK) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (chunk == NULL) {
            break;
        }
        const uint64_t *positions = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        rc = firn_dv_add_many(dv, positions, duckdb_data_chunk_get_size(chunk), err);
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return rc;
}

/* What older delete files say about the data file. The vector that it has is replaced. */
static firn_rc add_older(const delete_job *job, const firn_scan_task *task, firn_dv *dv,
                         firn_err *err)
{
    firn_arena *arena = job->change->arena;
    for (size_t i = 0; i < task->n_deletes; i++) {
        const firn_data_file *old = task->deletes[i].file;
        if (old->content != FIRN_CONTENT_POSITION_DELETES) {
            continue; /* equality deletes go on applying beside a vector */
        }
        if (firn_strcaseeq(old->format, "PUFFIN")) {
            firn_dv *vector = NULL;
            FIRN_TRY(firn_scan_load_dv(job->storage, arena, old, &vector, err));
            if (vector != NULL) {
                firn_dv_or(dv, vector);
            }
            firn_vec_push(arena, &job->change->replaced, old);
            continue;
        }
        const char *path =
            firn_read_glob_escape(arena, firn_storage_resolve(job->storage, arena, old->path));
        const char *sql = firn_arena_printf(
            arena, "SELECT CAST(pos AS UBIGINT) FROM read_parquet(%s) WHERE file_path = %s",
            firn_sql_quote(arena, path), firn_sql_quote(arena, task->file->path));
        FIRN_TRY(add_positions(job, sql, dv, err));
    }
    return FIRN_OK;
}

static firn_rc vector_of(delete_job *job, const firn_scan_task *task, firn_dv *dv,
                         firn_puffin_writer *writer, const char *location, firn_err *err)
{
    static const int32_t fields[] = {ROW_POSITION_FIELD};
    firn_arena *arena = job->change->arena;
    const char *sql =
        firn_arena_printf(arena, "SELECT CAST(__firn_pos AS UBIGINT) %s", hits_of(job, task->file));
    FIRN_TRY(add_positions(job, sql, dv, err));
    FIRN_TRY(add_older(job, task, dv, err));
    FIRN_AUTO_BUF firn_buf content = {0};
    FIRN_TRY(firn_dv_serialise(dv, &content, err));
    int64_t rows = (int64_t)firn_dv_cardinality(dv);
    json_t *properties = firn_json_own(arena, json_object());
    json_object_set_new(properties, FIRN_DV_PROPERTY_DATA_FILE, json_string(task->file->path));
    json_object_set_new(properties, FIRN_DV_PROPERTY_CARDINALITY,
                        json_string(firn_i64_text(arena, rows)));
    firn_puffin_blob blob = {.type = FIRN_DV_BLOB_TYPE,
                             .fields = fields,
                             .field_count = 1,
                             .snapshot_id = -1,
                             .sequence_number = -1,
                             .properties = properties};
    FIRN_TRY(firn_puffin_writer_add(writer, &blob, firn_buf_bytes(&content), err));
    firn_data_file *file = add_file(job, task->file, location);
    file->format = "PUFFIN";
    file->record_count = rows;
    file->content_offset = blob.offset;
    file->content_size_bytes = blob.length;
    return FIRN_OK;
}

static firn_rc write_vectors(delete_job *job, const firn_tasks *tasks, firn_err *err)
{
    firn_arena *arena = job->change->arena;
    FIRN_AUTO_BUF firn_buf puffin = {0};
    firn_puffin_writer *writer = firn_puffin_writer_open(arena, &puffin);
    const char *location = firn_location_join(
        arena, job->data, firn_arena_printf(arena, "%s-deletes.puffin", job->id));
    size_t first = job->written->files.len;
    for (size_t i = 0; i < tasks->len; i++) {
        FIRN_AUTO_DV firn_dv *dv = firn_dv_new();
        FIRN_TRY(vector_of(job, tasks->items[i], dv, writer, location, err));
    }
    json_t *properties = firn_json_own(arena, json_object());
    json_object_set_new(properties, "created-by", json_string("firn " FIRN_VERSION));
    FIRN_TRY(firn_puffin_writer_finish(writer, properties, err));
    for (size_t i = first; i < job->written->files.len; i++) {
        job->written->files.items[i].file_size_bytes = (int64_t)puffin.len;
    }
    return firn_storage_put_if_absent(job->storage, location, firn_buf_bytes(&puffin), err);
}

/* ---- both -------------------------------------------------------------------------------------------- */

static firn_rc write_all(delete_job *job, const firn_tasks *tasks, firn_err *err)
{
    if (job->change->target->metadata->format_version >= 3) {
        return write_vectors(job, tasks, err);
    }
    size_t first = job->written->files.len;
    const char **locations = FIRN_NEW_N(job->change->arena, const char *, tasks->len);
    for (size_t i = 0; i < tasks->len; i++) {
        FIRN_TRY(write_positions(job, i, tasks->items[i]->file, err));
        locations[i] = job->written->files.items[first + i].path;
    }
    return firn_storage_sync(job->storage, job->data, locations, tasks->len, err);
}

firn_rc firn_rowlevel_delete_files(firn_rowlevel *change, const firn_tasks *tasks,
                                   const char *condition, firn_written *written, firn_err *err)
{
    delete_job job = {.change = change,
                      .condition = condition,
                      .storage = firn_lake_storage(change->session->engine->lake),
                      .data = firn_write_data_location(change->arena, change->target->metadata),
                      .id = firn_uuid_new(change->arena),
                      .written = written};
    if (tasks->len == 0) {
        return FIRN_OK;
    }
    firn_rc rc = firn_storage_prepare_dir(job.storage, job.data, err);
    if (rc == FIRN_OK) {
        rc = write_all(&job, tasks, err);
    }
    if (rc != FIRN_OK) {
        firn_write_discard(change->session, written);
        *written = (firn_written){0};
    }
    return rc;
}
