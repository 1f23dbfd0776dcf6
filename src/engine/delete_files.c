/* Positions of deleted rows to delete files: see delete_files.h.
 *
 * Files are taken in the order of partition and path, which is the order that position delete files need; so each Parquet file holds a
 * range of them. Positions reach DuckDB as one temporary table, filled by an appender.
 */
#include "delete_files.h"

#include "ddl.h"
#include "read_deletes.h"
#include "write_parts.h"

#include "base/uuid.h"
#include "format/puffin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POSITIONS_TABLE "__firn_positions" /* f: place of the data file in the job's order; pos */

enum {
    FILE_PATH_FIELD = 2147483546,
    POS_FIELD = 2147483545,
    ROW_POSITION_FIELD =
        2147483645, /* what a vector's blob is "computed" from, as Java writes it */
    APPEND_ROWS = 2048,
};

typedef struct delete_job {
    firn_session *session;
    firn_arena *arena;
    const firn_delete_write *write;
    const firn_deleted_rows **files; /* by partition and path */
    firn_storage *storage;
    const char *data; /* location of the data folder */
    const char *id;
    firn_written *written;
    firn_replaced_files *replaced;
} delete_job;

static int compare_partitions(const firn_data_file *a, const firn_data_file *b)
{
    if (a->spec_id != b->spec_id) {
        return a->spec_id < b->spec_id ? -1 : 1;
    }
    for (size_t i = 0; i < a->n_partition && i < b->n_partition; i++) {
        int order = firn_value_cmp(&a->partition[i], &b->partition[i]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const firn_data_file *x = (*(const firn_deleted_rows *const *)a)->task->file;
    const firn_data_file *y = (*(const firn_deleted_rows *const *)b)->task->file;
    int order = compare_partitions(x, y);
    return order != 0 ? order : strcmp(x->path, y->path);
}

static firn_data_file *add_file(const delete_job *job, const firn_data_file *data_file,
                                const char *location)
{
    firn_data_file *file = firn_vec_push_zero(job->arena, &job->written->files);
    *file = (firn_data_file){.content = FIRN_CONTENT_POSITION_DELETES,
                             .path = location,
                             .format = "PARQUET",
                             .spec_id = data_file->spec_id,
                             .partition = data_file->partition,
                             .n_partition = data_file->n_partition,
                             .sort_order_id = -1,
                             .first_row_id = -1,
                             .content_offset = -1,
                             .content_size_bytes = -1};
    return file;
}

/* ---- position delete files ----------------------------------------------------------------------------- */

/* A data chunk on its way into the table of positions. */
typedef struct appending {
    duckdb_appender appender;
    duckdb_data_chunk chunk;
    int32_t *files;
    int64_t *positions;
    idx_t rows;
    int32_t file;
    bool failed;
} appending;

static bool flush_chunk(appending *a)
{
    duckdb_data_chunk_set_size(a->chunk, a->rows);
    a->failed = a->failed || duckdb_append_data_chunk(a->appender, a->chunk) == DuckDBError;
    a->rows = 0;
    return !a->failed;
}

static bool append_position(void *ctx, uint64_t position)
{
    appending *a = ctx;
    a->files[a->rows] = a->file;
    a->positions[a->rows] = (int64_t)position;
    return ++a->rows < APPEND_ROWS || flush_chunk(a);
}

static firn_rc append_all(const delete_job *job, duckdb_appender appender, firn_err *err)
{
    duckdb_logical_type types[] = {duckdb_create_logical_type(DUCKDB_TYPE_INTEGER),
                                   duckdb_create_logical_type(DUCKDB_TYPE_BIGINT)};
    appending a = {.appender = appender, .chunk = duckdb_create_data_chunk(types, 2)};
    a.files = duckdb_vector_get_data(duckdb_data_chunk_get_vector(a.chunk, 0));
    a.positions = duckdb_vector_get_data(duckdb_data_chunk_get_vector(a.chunk, 1));
    for (size_t i = 0; i < job->write->n_files && !a.failed; i++) {
        a.file = (int32_t)i;
        firn_dv_each(job->files[i]->rows, append_position, &a);
    }
    if (a.rows > 0) {
        flush_chunk(&a);
    }
    a.failed = a.failed || duckdb_appender_close(appender) == DuckDBError;
    duckdb_destroy_data_chunk(&a.chunk);
    duckdb_destroy_logical_type(&types[0]);
    duckdb_destroy_logical_type(&types[1]);
    if (a.failed) {
        const char *why = duckdb_appender_error(appender);
        return firn_duck_error(err, DUCKDB_ERROR_INVALID,
                               why != NULL ? why : "DuckDB took no positions of deleted rows",
                               NULL);
    }
    return FIRN_OK;
}

static firn_rc fill_positions(const delete_job *job, firn_err *err)
{
    duckdb_appender appender = NULL;
    FIRN_TRY(firn_duck_exec(
        job->session, "CREATE OR REPLACE TEMP TABLE " POSITIONS_TABLE "(f INTEGER, pos BIGINT)",
        err));
    if (duckdb_appender_create_ext(job->session->conn, "temp", "main", POSITIONS_TABLE,
                                   &appender) == DuckDBError) {
        const char *why = duckdb_appender_error(appender);
        firn_rc rc = firn_duck_error(err, DUCKDB_ERROR_INVALID,
                                     why != NULL ? why : "DuckDB makes no appender", NULL);
        duckdb_appender_destroy(&appender);
        return rc;
    }
    firn_rc rc = append_all(job, appender, err);
    duckdb_appender_destroy(&appender);
    return rc;
}

static void path_metrics(firn_arena *arena, const char *first, const char *last, int64_t rows,
                         firn_data_file *out)
{
    out->n_metrics = 1;
    out->metrics = FIRN_NEW(arena, firn_column_metrics);
    out->metrics[0] = (firn_column_metrics){
        .field_id = FILE_PATH_FIELD,
        .size_bytes = -1,
        .value_count = rows,
        .null_count = 0,
        .nan_count = -1,
        .lower = firn_bytes_str(first), /* whole: that is how readers match a single file */
        .upper = firn_bytes_str(last)};
}

/* The paths of files [from, to) by f: one as a constant, several as a list. */
static const char *path_sql(const delete_job *job, size_t from, size_t to)
{
    if (to - from == 1) {
        return firn_sql_quote(job->arena, job->files[from]->task->file->path);
    }
    FIRN_AUTO_BUF firn_buf list = {0};
    for (size_t i = from; i < to; i++) {
        firn_buf_printf(&list, "%s%s", i > from ? ", " : "",
                        firn_sql_quote(job->arena, job->files[i]->task->file->path));
    }
    return firn_arena_printf(job->arena, "list_extract([%s], f - %zu + 1)", firn_buf_cstr(&list),
                             from);
}

static firn_rc write_positions(delete_job *job, size_t from, size_t to, firn_err *err)
{
    firn_duck_cells rows = {0};
    int64_t count = 0, size = 0;
    const firn_data_file *first = job->files[from]->task->file;
    const firn_data_file *last = job->files[to - 1]->task->file;
    const char *location = firn_location_join(
        job->arena, job->data,
        firn_arena_printf(job->arena, "%s-%05zu-deletes.parquet", job->id, from));
    const char *sql = firn_arena_printf(
        job->arena,
        "COPY (SELECT %s AS file_path, pos FROM " POSITIONS_TABLE
        " WHERE f >= %zu AND f < %zu ORDER BY f, pos) TO %s "
        "(FORMAT parquet, PARQUET_VERSION v1, COMPRESSION zstd, FIELD_IDS {file_path: %d, pos: "
        "%d})",
        path_sql(job, from, to), from, to,
        firn_sql_quote(job->arena, firn_storage_resolve(job->storage, job->arena, location)),
        FILE_PATH_FIELD, POS_FIELD);
    firn_data_file *file = add_file(job, first, location); /* so that a failure deletes it */
    FIRN_TRY(firn_duck_rows(job->session, job->arena, sql, &rows, err));
    if (rows.n_rows != 1 || rows.n_columns != 1 || !firn_parse_i64(rows.cells[0][0], &count)) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB did not tell how many deletes it wrote to %s",
                  location);
    }
    FIRN_TRY(firn_storage_size(job->storage, location, &size, err));
    file->record_count = count;
    file->file_size_bytes = size;
    file->referenced_data_file = to - from == 1 ? first->path : NULL;
    path_metrics(job->arena, first->path, last->path, count, file);
    return FIRN_OK;
}

static firn_rc granularity(const delete_job *job, bool *by_partition, firn_err *err)
{
    const char *key = "write.delete.granularity";
    const char *value = firn_metadata_property(job->write->metadata, key, NULL);
    *by_partition = value != NULL ? firn_strcaseeq(value, "partition") : job->write->by_partition;
    if (value != NULL && !*by_partition && !firn_strcaseeq(value, "file")) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "table property %s of %s is '%s': it can be file or partition", key,
                  job->write->table_text, value);
    }
    return FIRN_OK;
}

static firn_rc write_parquet(delete_job *job, firn_err *err)
{
    bool by_partition = false;
    size_t n = job->write->n_files;
    FIRN_VEC(const char *) locations = {0};
    FIRN_TRY(granularity(job, &by_partition, err));
    FIRN_TRY(fill_positions(job, err));
    for (size_t from = 0, to; from < n; from = to) {
        to = from + 1;
        while (by_partition && to < n &&
               compare_partitions(job->files[from]->task->file, job->files[to]->task->file) == 0) {
            to++;
        }
        FIRN_TRY(write_positions(job, from, to, err));
        firn_vec_push(job->arena, &locations, firn_vec_last(&job->written->files).path);
    }
    FIRN_TRY(firn_duck_exec(job->session, "DROP TABLE temp.main." POSITIONS_TABLE, err));
    return firn_storage_sync(job->storage, job->data, locations.items, locations.len, err);
}

/* ---- deletion vectors ---------------------------------------------------------------------------------- */

static firn_rc add_vector(delete_job *job, const firn_deleted_rows *rows, const firn_dv *older,
                          firn_puffin_writer *writer, const char *location, firn_err *err)
{
    static const int32_t fields[] = {ROW_POSITION_FIELD};
    const firn_data_file *data_file = rows->task->file;
    FIRN_AUTO_DV firn_dv *dv = firn_dv_copy(rows->rows);
    if (older != NULL) {
        firn_dv_or(dv, older);
    }
    FIRN_AUTO_BUF firn_buf content = {0};
    FIRN_TRY(firn_dv_serialise(dv, &content, err));
    int64_t count = (int64_t)firn_dv_cardinality(dv);
    json_t *properties = firn_json_own(job->arena, json_object());
    json_object_set_new(properties, FIRN_DV_PROPERTY_DATA_FILE, json_string(data_file->path));
    json_object_set_new(properties, FIRN_DV_PROPERTY_CARDINALITY,
                        json_string(firn_i64_text(job->arena, count)));
    firn_puffin_blob blob = {.type = FIRN_DV_BLOB_TYPE,
                             .fields = fields,
                             .field_count = 1,
                             .snapshot_id = -1,
                             .sequence_number = -1,
                             .properties = properties};
    FIRN_TRY(firn_puffin_writer_add(writer, &blob, firn_buf_bytes(&content), err));
    firn_data_file *file = add_file(job, data_file, location);
    file->format = "PUFFIN";
    file->record_count = count;
    file->referenced_data_file = data_file->path;
    file->content_offset = blob.offset;
    file->content_size_bytes = blob.length;
    return FIRN_OK;
}

static void note_replaced(delete_job *job, const firn_scan_task *task)
{
    for (size_t i = 0; i < task->n_deletes; i++) {
        const firn_data_file *old = task->deletes[i].file;
        if (old->content == FIRN_CONTENT_POSITION_DELETES &&
            firn_strcaseeq(old->format, "PUFFIN")) {
            firn_vec_push(job->arena, job->replaced, old);
        }
    }
}

/* What is deleted already; equality deletes go on applying beside a vector. */
static firn_rc load_older(const delete_job *job, const firn_dv **older, firn_err *err)
{
    size_t n = 0;
    const firn_scan_task **tasks =
        FIRN_NEW_N(job->arena, const firn_scan_task *, job->write->n_files);
    size_t *places = FIRN_NEW_N(job->arena, size_t, job->write->n_files);
    for (size_t i = 0; i < job->write->n_files; i++) {
        if (job->files[i]->task->n_deletes > 0) {
            places[n] = i;
            tasks[n++] = job->files[i]->task;
        }
    }
    const firn_dv **loaded = FIRN_NEW_N(job->arena, const firn_dv *, n);
    FIRN_TRY(firn_deletes_load(job->session, job->arena, tasks, n, loaded, err));
    for (size_t i = 0; i < n; i++) {
        older[places[i]] = loaded[i];
    }
    return FIRN_OK;
}

static firn_rc write_vectors(delete_job *job, firn_err *err)
{
    size_t n = job->write->n_files;
    const firn_dv **older = FIRN_NEW_N(job->arena, const firn_dv *, n);
    FIRN_TRY(load_older(job, older, err));
    FIRN_AUTO_BUF firn_buf puffin = {0};
    firn_puffin_writer *writer = firn_puffin_writer_open(job->arena, &puffin);
    const char *location = firn_location_join(
        job->arena, job->data, firn_arena_printf(job->arena, "%s-deletes.puffin", job->id));
    size_t first = job->written->files.len;
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(add_vector(job, job->files[i], older[i], writer, location, err));
        note_replaced(job, job->files[i]->task);
    }
    json_t *properties = firn_json_own(job->arena, json_object());
    json_object_set_new(properties, "created-by", json_string("firn " FIRN_VERSION));
    FIRN_TRY(firn_puffin_writer_finish(writer, properties, err));
    for (size_t i = first; i < job->written->files.len; i++) {
        job->written->files.items[i].file_size_bytes = (int64_t)puffin.len;
    }
    return firn_storage_put_if_absent(job->storage, location, firn_buf_bytes(&puffin), err);
}

/* ---- both -------------------------------------------------------------------------------------------- */

static firn_rc write_all(delete_job *job, firn_err *err)
{
    int version = job->write->metadata->format_version;
    if (version < 2) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "rows of %s cannot be marked deleted: its format version is 1. Upgrade it: ALTER "
                  "TABLE ... SET TBLPROPERTIES ('format-version' = '2')",
                  job->write->table_text);
    }
    FIRN_TRY(firn_storage_prepare_dir(job->storage, job->data, err));
    return version >= 3 ? write_vectors(job, err) : write_parquet(job, err);
}

firn_rc firn_delete_files_write(firn_session *session, firn_arena *arena,
                                const firn_delete_write *write, firn_written *written,
                                firn_replaced_files *replaced, firn_err *err)
{
    firn_written own = {0};
    delete_job job = {.session = session,
                      .arena = arena,
                      .write = write,
                      .files = FIRN_NEW_N(arena, const firn_deleted_rows *, write->n_files),
                      .storage = firn_lake_storage(session->engine->lake),
                      .data = firn_write_data_location(arena, write->metadata),
                      .id = firn_uuid_new(arena),
                      .written = &own,
                      .replaced = replaced};
    if (write->n_files == 0) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < write->n_files; i++) {
        job.files[i] = &write->files[i];
    }
    qsort(job.files, write->n_files, sizeof(job.files[0]), by_place);
    firn_rc rc = write_all(&job, err);
    if (rc != FIRN_OK) {
        firn_write_discard(session, &own);
        return rc;
    }
    for (size_t i = 0; i < own.files.len; i++) {
        firn_vec_push(arena, &written->files, own.files.items[i]);
    }
    return FIRN_OK;
}
