/* Rows of a query to durable data files.
 *
 * One COPY writes all files of a statement side by side in the table's data folder, under names that start with an id made for
 * this write. So whatever happens (an error in the middle of the query, a full disk) everything that was written is found by that
 * prefix and deleted. When the COPY is through, each file is moved into the folder of its partition (on local file systems; object
 * stores have no rename and no folders), then made durable. Nothing refers to any of it before the catalog commit.
 *
 * Rows whose one partition the caller knows are written like unpartitioned ones: parting costs a copy of every row.
 *
 * File sizes: an unpartitioned write lets DuckDB begin a new file at the target size. DuckDB cannot do that together with
 * PARTITION_BY, nor keep an order across files; so files of partitioned or sorted writes that came out larger than
 * one and a half times the target are cut into even pieces in a second pass over those files alone.
 *
 * Parquet is written as version 1 pages (plain and dictionary encodings): the vectorised readers of Spark with Iceberg before 1.10
 * take nothing else.
 */
#include "write_parts.h"

#include "base/io.h"
#include "base/uuid.h"
#include "read_shape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
    FILE_BYTES_MIN = 1 << 20,
    COPY_GROUP_ROWS = 122880,      /* DuckDB's own, which scans a row group with a thread */
    DIRECT_GROUP_ROWS = 1 << 20,   /* narrow rows: more of them share a dictionary; */
    DIRECT_GROUP_BYTES = 32 << 20, /* wide ones end a row group by this */
    OPEN_FILES_MAX =
        2000, /* partitions written at once: beyond it files are closed early and a partition gets several */
    NAME_BYTES_MAX = 240, /* of a folder, which file systems limit to 255 */
    OPEN_FILES_KEPT = 64, /* for everything else that the process has open */
};

/* Properties of the table; the second is Iceberg's own. */
static const char GROUP_ROWS[] = "write.parquet.row-group-rows";
static const char GROUP_BYTES[] = "write.parquet.row-group-size-bytes";

typedef struct write_job {
    firn_session *session;
    firn_arena *arena;
    const firn_write_options *options;
    firn_storage *storage;
    const firn_schema *schema;
    const firn_partition_spec *spec;
    const firn_metrics_plan *plan;
    const char *data;   /* location of the data folder */
    const char *folder; /* where DuckDB finds it */
    const char *prefix; /* of this write's file names */
    const char *copy_options;
    int64_t target_bytes;
    int level; /* of zstd, by COPY; 0: its own */
    bool partitioned, sorted, blooms, v2;
    size_t n_moved; /* files that have their final name */
    firn_written *out;
} write_job;

static bool is_local(const char *path)
{
    return path[0] == '/';
}

/* ---- once per database ------------------------------------------------------------------------------- */

static int64_t open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * OPEN_FILES_KEPT) {
        return OPEN_FILES_KEPT;
    }
    rlim_t room = limit.rlim_cur - OPEN_FILES_KEPT;
    return room > OPEN_FILES_MAX ? OPEN_FILES_MAX : (int64_t)room;
}

firn_rc firn_write_setup(firn_session *session, firn_err *err)
{
    firn_engine *engine = session->engine;
    FIRN_TRY(firn_duck_connect(session, err));
    pthread_mutex_lock(&engine->lock);
    bool first = !engine->write_ready;
    firn_rc rc = first ? firn_partition_functions(session->conn, err) : FIRN_OK;
    engine->write_ready = rc == FIRN_OK;
    pthread_mutex_unlock(&engine->lock);
    FIRN_TRY(rc);
    return first ? firn_duck_execf(session, err,
                                   "SET GLOBAL partitioned_write_max_open_files = %" PRId64,
                                   open_files())
                 : FIRN_OK;
}

/* ---- where and how ----------------------------------------------------------------------------------- */

const char *firn_write_data_location(firn_arena *arena, const firn_metadata *metadata)
{
    const char *chosen = firn_metadata_property(metadata, "write.data.path", NULL);
    if (chosen == NULL) {
        return firn_location_join(arena, metadata->location, "data");
    }
    size_t len = strlen(chosen);
    return firn_arena_strndup(arena, chosen, len > 1 && chosen[len - 1] == '/' ? len - 1 : len);
}

static const char *codec_name(const firn_metadata *metadata)
{
    return firn_metadata_property(metadata, "write.parquet.compression-codec", "zstd");
}

/* 0: zstd's own. */
static int zstd_level(const firn_metadata *metadata, int default_level)
{
    const char *text = firn_metadata_property(metadata, "write.parquet.compression-level", NULL);
    int64_t number = default_level;
    if (text != NULL && !firn_parse_i64(text, &number)) {
        number = 0;
    }
    return number > 0 && number < 23 ? (int)number : 0;
}

static firn_rc compression_sql(firn_arena *arena, const firn_metadata *metadata, int level,
                               const char **out, firn_err *err)
{
    static const char *const known[] = {"zstd", "snappy", "gzip", "lz4", "brotli", "uncompressed"};
    const char *codec = codec_name(metadata);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!firn_strcaseeq(codec, known[i])) {
            continue;
        }
        /* lz4 in Parquet's old sense is a framing that few can read */
        const char *name = firn_strcaseeq(codec, "lz4") ? "lz4_raw" : known[i];
        *out = i == 0 && level > 0
                   ? firn_arena_printf(arena, "COMPRESSION %s, COMPRESSION_LEVEL %d", name, level)
                   : firn_arena_printf(arena, "COMPRESSION %s", name);
        return FIRN_OK;
    }
    const char *near = firn_nearest(codec, known, sizeof(known) / sizeof(known[0]));
    FIRN_FAIL(err, FIRN_E_INVALID,
              "table property write.parquet.compression-codec is '%s', which is none of zstd, "
              "snappy, gzip, lz4, brotli and uncompressed%s%s%s",
              codec, near != NULL ? " (did you mean " : "", near != NULL ? near : "",
              near != NULL ? "?)" : "");
}

/* Bloom filters. DuckDB writes one for each column chunk that is encoded by dictionary, and such is a chunk with few different values;
 * it cannot be asked for single columns. So a table that names a column (Iceberg's write.parquet.bloom-filter-enabled.column.X) gets
 * dictionaries however many values there are: the named columns have their filters, and so has every other one.
 *
 * Who writes quickly gives up on a dictionary earlier: DuckDB tries one for each column, and of a column of ids that is for nothing
 * until the limit is met. At 4,096 values instead of a fifth of the rows a write of events takes a tenth less. */
static const char *dictionary_sql(write_job *job, int64_t group_rows)
{
    firn_arena *arena = job->arena;
    const firn_metadata *metadata = job->options->metadata;
    static const char enabled[] = "write.parquet.bloom-filter-enabled.column.";
    static const char rate[] = "write.parquet.bloom-filter-fpp.column.";
    double least = 0.01;
    bool any = false;
    const char *key;
    const json_t *value;
    json_object_foreach(metadata->properties, key, value)
    {
        double number = 0;
        const char *text = json_string_value(value);
        any = any || (firn_starts_with(key, enabled) && firn_strcaseeq(text, "true"));
        if (firn_starts_with(key, rate) && firn_parse_f64(text, &number) && number > 0) {
            least = number < least ? number : least;
        }
    }
    job->blooms = any;
    if (any) {
        return firn_arena_printf(arena,
                                 ", WRITE_BLOOM_FILTER true, DICTIONARY_SIZE_LIMIT %" PRId64
                                 ", BLOOM_FILTER_FALSE_POSITIVE_RATIO %.6f",
                                 group_rows, least);
    }
    if (job->options->zstd_level != FIRN_WRITE_QUICK_ZSTD_LEVEL) {
        return "";
    }
    return job->options->lasting ? ", WRITE_BLOOM_FILTER false"
                                 : ", WRITE_BLOOM_FILTER false, DICTIONARY_SIZE_LIMIT 4096";
}

/* Version 2 of Parquet's data pages with its delta encodings: a third less time and a fifth less size for events, and nothing that
 * Iceberg's own reader in Spark can read in vectors before Iceberg 1.11. So it is asked for, never assumed. */
static firn_rc version_sql(const write_job *job, const char **out, firn_err *err)
{
    const char *text =
        firn_metadata_property(job->options->metadata, FIRN_PAGE_VERSION_PROPERTY, "v1");
    *out = firn_strcaseeq(text, "v1") ? "v1" : firn_strcaseeq(text, "v2") ? "v2" : NULL;
    if (*out == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "table property " FIRN_PAGE_VERSION_PROPERTY
                  " of %s is '%s': it must be v1 or v2",
                  job->options->table_text, text);
    }
    return FIRN_OK;
}

static void note_fixed(void *ctx, const firn_field *field, const firn_field *parent,
                       const char *path)
{
    const char **found = ctx;
    (void)parent;
    *found = field->type->id == FIRN_TYPE_FIXED ? path : *found;
}

/* fixed[n] must be Parquet's FIXED_LEN_BYTE_ARRAY, which DuckDB writes for UUID alone; other readers refuse the plain form. */
static firn_rc refuse_fixed(const write_job *job, firn_err *err)
{
    const char *path = NULL;
    firn_schema_visit(job->arena, job->schema, note_fixed, &path);
    if (path != NULL) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "column %s of %s has type fixed, which firn reads but cannot write; use binary for new tables",
            path, job->options->table_text);
    }
    return FIRN_OK;
}

int64_t firn_write_target_bytes(firn_session *session, const firn_metadata *metadata)
{
    return firn_metadata_property_i64(metadata, "write.target-file-size-bytes",
                                      firn_lake_config(session->engine->lake)->target_file_bytes);
}

static firn_rc plan_job(write_job *job, firn_err *err)
{
    const firn_metadata *metadata = job->options->metadata;
    const char *format = firn_metadata_property(metadata, "write.format.default", "parquet");
    if (!firn_strcaseeq(format, "parquet")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "table property write.format.default of %s is '%s': firn writes Parquet only",
                  job->options->table_text, format);
    }
    job->storage = firn_lake_storage(job->session->engine->lake);
    job->schema = metadata->schema;
    FIRN_TRY(refuse_fixed(job, err));
    job->spec = job->options->spec_id < 0 ? metadata->spec
                                          : firn_metadata_spec(metadata, job->options->spec_id);
    if (job->spec == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s has no partition spec %d", job->options->table_text,
                  job->options->spec_id);
    }
    job->partitioned = job->spec->n_fields > 0;
    job->sorted = metadata->sort_order != NULL && metadata->sort_order->n_fields > 0;
    job->plan = firn_metrics_plan_new(job->arena, metadata);
    job->data = firn_write_data_location(job->arena, metadata);
    job->folder = firn_storage_resolve(job->storage, job->arena, job->data);
    job->prefix = firn_uuid_new(job->arena);
    job->target_bytes = job->options->target_bytes > 0
                            ? job->options->target_bytes
                            : firn_write_target_bytes(job->session, metadata);
    if (job->target_bytes < FILE_BYTES_MIN) {
        job->target_bytes = FILE_BYTES_MIN;
    }
    const char *compression = NULL;
    job->level = zstd_level(metadata, job->options->zstd_level);
    FIRN_TRY(compression_sql(job->arena, metadata, job->level, &compression, err));
    int64_t group_rows = firn_metadata_property_i64(metadata, GROUP_ROWS, COPY_GROUP_ROWS);
    group_rows = group_rows > 0 ? group_rows : COPY_GROUP_ROWS;
    const char *version = NULL;
    FIRN_TRY(version_sql(job, &version, err));
    job->v2 = !firn_streq(version, "v1");
    job->copy_options = firn_arena_printf(
        job->arena,
        "FORMAT parquet, PARQUET_VERSION %s, %s, ROW_GROUP_SIZE %" PRId64 "%s, FIELD_IDS %s, "
        "RETURN_STATS",
        version, compression, group_rows, dictionary_sql(job, group_rows),
        firn_write_field_ids(job->arena, metadata, job->spec, job->options->with_row_lineage));
    return FIRN_OK;
}

/* ---- COPY -------------------------------------------------------------------------------------------- */

/* Runs a COPY and adds the files it tells of. */
static firn_rc run_copy(write_job *job, const char *sql, const firn_value *partition, firn_err *err)
{
    duckdb_result result;
    firn_err own = {0};
    firn_rc rc = firn_duck_work(job->session, sql, &result, &own);
    if (rc == FIRN_OK) {
        rc = firn_write_read_stats(job->arena, job->plan, job->spec, partition, &result, job->out,
                                   &own);
        duckdb_destroy_result(&result);
    } else {
        /* Our own check, said by error() in the query: DuckDB has no other way to stop with a reason. */
        const char *mark = strstr(own.message, FIRN_WRITE_CHECK_MARK);
        if (mark != NULL) {
            FIRN_FAIL(err, FIRN_E_CHECK_FAILED, "%s", mark + strlen(FIRN_WRITE_CHECK_MARK));
        }
        if (rc == FIRN_E_INVALID && job->options->described) {
            FIRN_FAIL(err, FIRN_E_TYPE, "%s", own.message);
        }
    }
    if (rc != FIRN_OK && err != NULL) {
        *err = own;
    }
    return rc;
}

static char *partition_list(firn_arena *arena, const firn_partition_spec *spec)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < spec->n_fields; i++) {
        firn_buf_printf(&out, "%s" FIRN_PARTITION_COLUMN "%zu", i > 0 ? ", " : "", i);
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

static firn_rc copy_rows(write_job *job, firn_err *err)
{
    char *select = NULL;
    const char *target = job->folder;
    const char *layout;
    FIRN_TRY(firn_write_select(job->arena, job->options, job->spec, job->sorted, &select, err));
    if (job->partitioned && job->options->partition == NULL) {
        layout = firn_arena_printf(
            job->arena,
            ", PARTITION_BY (%s), HIVE_FILE_PATTERN false, FILENAME_PATTERN '%s-{uuidv7}', APPEND",
            partition_list(job->arena, job->spec), job->prefix);
    } else if (job->sorted || job->options->whole_files) { /* one file keeps the order */
        target = firn_arena_printf(job->arena, "%s/%s-0.parquet", job->folder, job->prefix);
        layout = ", WRITE_EMPTY_FILE false";
    } else {
        layout = firn_arena_printf(job->arena,
                                   ", FILE_SIZE_BYTES %" PRId64
                                   ", FILENAME_PATTERN '%s-{uuidv7}', APPEND, "
                                   "WRITE_EMPTY_FILE false",
                                   job->target_bytes, job->prefix);
    }
    const char *sql =
        firn_arena_printf(job->arena, "COPY (%s) TO %s (%s%s)", select,
                          firn_sql_quote(job->arena, target), job->copy_options, layout);
    return run_copy(job, sql, job->options->partition, err);
}

/* ---- without SQL ------------------------------------------------------------------------------------- */

static bool direct_codec(const firn_metadata *metadata, firn_parquet_codec *out)
{
    const char *name = codec_name(metadata);
    *out = firn_strcaseeq(name, "zstd")     ? FIRN_PARQUET_ZSTD
           : firn_strcaseeq(name, "snappy") ? FIRN_PARQUET_SNAPPY
                                            : FIRN_PARQUET_PLAIN;
    return *out != FIRN_PARQUET_PLAIN || firn_strcaseeq(name, "uncompressed");
}

/* Rows that need a sort, parting or Bloom filters are the COPY's. */
static firn_rc open_direct(write_job *job, firn_direct **out, firn_err *err)
{
    const firn_write_options *options = job->options;
    firn_direct_write write = {
        .metadata = options->metadata,
        .spec = job->spec,
        .partition = options->partition,
        .plan = job->plan,
        .folder = job->folder,
        .prefix = job->prefix,
        .level = zstd_level(options->metadata, 0),
        .deltas = job->v2,
        .group_rows = firn_metadata_property_i64(options->metadata, GROUP_ROWS, DIRECT_GROUP_ROWS),
        .group_bytes =
            firn_metadata_property_i64(options->metadata, GROUP_BYTES, DIRECT_GROUP_BYTES),
        .target_bytes = job->target_bytes,
        .threads = job->session->engine->threads};
    *out = NULL;
    if (options->whole_files || options->with_row_lineage || job->sorted || job->blooms ||
        (job->partitioned && options->partition == NULL) || !is_local(job->folder) ||
        !direct_codec(options->metadata, &write.codec)) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_storage_prepare_dir(job->storage, job->data, err));
    write.group_rows = write.group_rows > 0 ? write.group_rows : DIRECT_GROUP_ROWS;
    write.group_bytes = write.group_bytes > 0 ? write.group_bytes : DIRECT_GROUP_BYTES;
    write.dictionary_max = (size_t)(write.group_rows / 5);
    firn_rc rc = firn_direct_open(job->arena, &write, out);
    return rc == FIRN_E_UNSUPPORTED ? FIRN_OK : rc;
}

/* ---- cutting large files ----------------------------------------------------------------------------- */

static firn_rc delete_file(write_job *job, const char *opened_path, firn_err *err)
{
    const char *name = firn_path_basename(opened_path);
    return firn_storage_delete(job->storage, firn_location_join(job->arena, job->data, name), err);
}

/* Rows [from, from + rows) of a file. A column that is called like DuckDB's row number hides it. */
static const char *piece_sql(const write_job *job, const char *source, int64_t from, int64_t rows)
{
    if (firn_schema_find_name(job->schema, "file_row_number", false) != NULL) {
        return firn_arena_printf(job->arena,
                                 "SELECT * FROM read_parquet(%s, hive_partitioning = false) LIMIT "
                                 "%" PRId64 " OFFSET %" PRId64,
                                 source, rows, from);
    }
    return firn_arena_printf(job->arena,
                             "SELECT * FROM read_parquet(%s, hive_partitioning = false) WHERE "
                             "file_row_number >= %" PRId64 " AND file_row_number < %" PRId64,
                             source, from, from + rows);
}

static firn_rc cut_file(write_job *job, const firn_data_file *large, firn_err *err)
{
    int64_t pieces = (large->file_size_bytes + job->target_bytes - 1) / job->target_bytes;
    int64_t rows = (large->record_count + pieces - 1) / pieces;
    int64_t before = job->out->rows;
    const char *source = firn_sql_quote(job->arena, firn_glob_escape(job->arena, large->path));
    for (int64_t from = 0; from < large->record_count; from += rows) {
        const char *target = firn_arena_printf(job->arena, "%s/%s-%s.parquet", job->folder,
                                               job->prefix, firn_uuid_new(job->arena));
        const char *sql = firn_arena_printf(job->arena, "COPY (%s) TO %s (%s)",
                                            piece_sql(job, source, from, rows),
                                            firn_sql_quote(job->arena, target), job->copy_options);
        FIRN_TRY(run_copy(job, sql, large->partition, err));
    }
    if (job->out->rows - before != large->record_count) {
        FIRN_FAIL(err, FIRN_E_INTERNAL,
                  "cutting data file %s of %" PRId64 " rows into pieces gave %" PRId64
                  " rows; nothing was written",
                  large->path, large->record_count, job->out->rows - before);
    }
    return delete_file(job, large->path, err);
}

/* The pieces take their places behind the files that are left as they are. */
static firn_rc cut_large_files(write_job *job, firn_err *err)
{
    size_t n = job->out->files.len;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        firn_data_file file = job->out->files.items[i];
        bool large = (job->partitioned || job->sorted || job->options->whole_files) &&
                     file.record_count > 1 &&
                     file.file_size_bytes > job->target_bytes + job->target_bytes / 2;
        if (!large) {
            job->out->files.items[kept++] = file;
            continue;
        }
        FIRN_TRY(cut_file(job, &file, err));
        job->out->rows -= file.record_count; /* counted again as pieces */
    }
    size_t pieces = job->out->files.len - n;
    if (pieces > 0) {
        memmove(&job->out->files.items[kept], &job->out->files.items[n],
                pieces * sizeof(firn_data_file));
    }
    job->out->files.len = kept + pieces;
    return FIRN_OK;
}

/* ---- final names and durability ------------------------------------------------------------------------ */

/* Location of the folder of the file's partition. A value too long for a file name leaves the file in the data folder: readers
 * take the partition from the manifest, the folder is for people. */
static const char *partition_folder(const write_job *job, const firn_data_file *file)
{
    if (!job->partitioned) {
        return job->data;
    }
    size_t n = 0;
    char *path = firn_partition_path(job->arena, job->spec, job->schema, file->partition);
    char **names = firn_str_split(job->arena, path, '/', &n);
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) > NAME_BYTES_MAX) {
            return job->data;
        }
    }
    return firn_location_join(job->arena, job->data, path);
}

/* What is missing of `folder` below the data folder. Not prepare_dir, which syncs for every folder that it makes:
 * firn_storage_sync does so once for all. */
static firn_rc make_folders(const write_job *job, const char *folder, firn_err *err)
{
    size_t root_len = strlen(job->folder);
    if (strncmp(folder, job->folder, root_len) != 0 || folder[root_len] != '/') {
        return firn_storage_prepare_dir(job->storage, folder, err);
    }
    char *path = firn_arena_strdup(job->arena, folder);
    for (char *at = path + root_len + 1;; at++) {
        char kept = *at;
        if (kept != '/' && kept != '\0') {
            continue;
        }
        *at = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot make folder %s", path);
        }
        *at = kept;
        if (kept == '\0') {
            return FIRN_OK;
        }
    }
}

static firn_rc place_file(write_job *job, size_t i, firn_err *err)
{
    firn_data_file *file = &job->out->files.items[i];
    if (!is_local(job->folder)) {
        file->path = firn_location_join(job->arena, job->data, firn_path_basename(file->path));
        return FIRN_OK;
    }
    const char *location = partition_folder(job, file);
    const char *folder = firn_storage_resolve(job->storage, job->arena, location);
    location = firn_location_join(
        job->arena, location, firn_arena_printf(job->arena, "%s-%05zu.parquet", job->prefix, i));
    const char *to = firn_storage_resolve(job->storage, job->arena, location);
    if (rename(file->path, to) != 0) {
        FIRN_TRY(make_folders(job, folder, err));
        if (rename(file->path, to) != 0) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot move data file %s to %s",
                                  file->path, to);
        }
    }
    file->path = location;
    return FIRN_OK;
}

static firn_rc place_files(write_job *job, firn_err *err)
{
    size_t n = job->out->files.len;
    const char **locations = FIRN_NEW_N(job->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(place_file(job, i, err));
        locations[i] = job->out->files.items[i].path;
        if (job->sorted && !job->partitioned) {
            job->out->files.items[i].sort_order_id = job->options->metadata->sort_order->order_id;
        }
        job->n_moved = i + 1;
    }
    if (n > 0) {
        FIRN_TRY(firn_storage_sync(job->storage, job->data, locations, n, err));
    }
    return firn_fault_point("commit.data_written", job->options->table_text, err);
}

/* ---- all together ------------------------------------------------------------------------------------ */

static firn_rc write_files(write_job *job, firn_err *err)
{
    FIRN_TRY(firn_storage_prepare_dir(job->storage, job->data, err));
    FIRN_TRY(copy_rows(job, err));
    if (job->out->null_column != NULL) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "column %s of %s is NOT NULL, and %" PRId64
                  " row%s no value in it; nothing was written",
                  job->out->null_column, job->options->table_text, job->out->null_rows,
                  job->out->null_rows == 1 ? " has" : "s have");
    }
    FIRN_TRY(cut_large_files(job, err));
    return place_files(job, err);
}

/* Files that are still under the names DuckDB gave them. A failure here leaves files that nothing refers to. */
static void discard_unplaced(write_job *job)
{
    firn_err ignored = {0};
    firn_storage_object *objects = NULL;
    size_t n = 0;
    const char *prefix = firn_location_join(job->arena, job->data,
                                            firn_arena_printf(job->arena, "%s-", job->prefix));
    if (firn_storage_list(job->storage, job->arena, prefix, &objects, &n, &ignored) != FIRN_OK) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (firn_storage_delete(job->storage, objects[i].location, &ignored) != FIRN_OK) {
            continue;
        }
    }
}

static void discard_all(write_job *job)
{
    discard_unplaced(job);
    firn_written moved = *job->out;
    moved.files.len = job->n_moved;
    firn_write_discard(job->session, &moved);
    *job->out = (firn_written){0};
}

firn_rc firn_write_query(firn_session *session, firn_arena *arena,
                         const firn_write_options *options, firn_written *out, firn_err *err)
{
    write_job job = {.session = session, .arena = arena, .options = options, .out = out};
    *out = (firn_written){0};
    FIRN_TRY(firn_write_setup(session, err));
    FIRN_TRY(plan_job(&job, err));
    firn_rc rc = write_files(&job, err);
    if (rc != FIRN_OK) {
        discard_all(&job);
    }
    return rc;
}

/* ---- rows as they are ----------------------------------------------------------------------------------- */

struct firn_plain_write {
    write_job job;
    firn_write_options options;
    firn_direct *direct;
    firn_written out;
};

firn_rc firn_plain_write_open(firn_session *session, firn_arena *arena,
                              const firn_write_options *options, firn_plain_write **out,
                              firn_err *err)
{
    firn_plain_write *w = FIRN_NEW(arena, firn_plain_write);
    *w = (firn_plain_write){.options = *options};
    w->job =
        (write_job){.session = session, .arena = arena, .options = &w->options, .out = &w->out};
    FIRN_TRY(plan_job(&w->job, err));
    FIRN_TRY(open_direct(&w->job, &w->direct, err));
    *out = w->direct != NULL ? w : NULL;
    return FIRN_OK;
}

firn_rc firn_plain_write_add(firn_plain_write *w, const firn_rows *rows, size_t n_rows, bool *taken,
                             firn_err *err)
{
    firn_rc rc = firn_direct_add(w->direct, rows, n_rows, err);
    *taken = rc == FIRN_OK;
    return rc == FIRN_E_UNSUPPORTED ? FIRN_OK : rc;
}

int64_t firn_plain_write_held_bytes(const firn_plain_write *w)
{
    return firn_direct_held_bytes(w->direct);
}

firn_rc firn_plain_write_finish(firn_plain_write *w, firn_written *out, firn_err *err)
{
    firn_rc rc = firn_direct_finish(w->direct, &w->out, err);
    if (rc == FIRN_OK) {
        rc = place_files(&w->job, err);
    }
    *out = (firn_written){0};
    if (rc != FIRN_OK) {
        firn_plain_write_discard(w);
        return rc;
    }
    *out = w->out;
    return FIRN_OK;
}

void firn_plain_write_discard(firn_plain_write *w)
{
    if (w != NULL) {
        firn_direct_close(w->direct);
        discard_all(&w->job);
    }
}

void firn_write_discard(firn_session *session, const firn_written *written)
{
    firn_err ignored = {0};
    firn_storage *storage = firn_lake_storage(session->engine->lake);
    for (size_t i = 0; i < written->files.len; i++) {
        if (firn_storage_delete(storage, written->files.items[i].path, &ignored) != FIRN_OK) {
            continue; /* left behind: an orphan, never wrong data */
        }
    }
}
