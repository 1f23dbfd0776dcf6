/* Tables over manifest entries. Every entry becomes one row of a sheet with plain columns; what Spark nests (data_file, partition,
 * readable_metrics) is nested again by the SELECT.
 *
 * The partition struct holds the fields of all specs by field id, as Java's Partitioning.partitionType does, so that a table whose
 * spec has evolved still has one type.
 */
#include "metadata_files.h"

#include "duck.h"
#include "read_shape.h"
#include "sheet.h"

#include "base/map.h"
#include "base/time.h"
#include "format/dv.h"

#include <inttypes.h>

typedef struct part_field {
    const firn_partition_field *field;
    const firn_type *type; /* NULL: the source column is gone */
} part_field;

typedef struct context {
    firn_session *session;
    firn_arena *arena;
    const firn_metadata_files_options *options;
    const firn_metadata *metadata;
    FIRN_VEC(part_field) parts;
    FIRN_VEC(const firn_field *) leaves; /* columns of readable_metrics */
    FIRN_VEC(const char *) leaf_paths;
    firn_sheet *sheet;

} context;

typedef firn_rc (*entry_fn)(context *c, const firn_manifest_entry *entry, firn_err *err);

/* ---- what the columns are ------------------------------------------------------------------------------------- */

static void find_parts(context *c)
{
    for (size_t s = c->metadata->n_specs; s-- > 0;) { /* newest first, as Java does */
        const firn_partition_spec *spec = c->metadata->specs[s];
        const firn_type *type = firn_partition_type(c->arena, spec, c->metadata->schema);
        for (size_t i = 0; i < spec->n_fields; i++) {
            bool known = spec->fields[i].transform.kind == FIRN_TRANSFORM_VOID;
            for (size_t k = 0; k < c->parts.len; k++) {
                known = known || c->parts.items[k].field->field_id == spec->fields[i].field_id;
            }
            if (!known) {
                part_field part = {&spec->fields[i], type->fields[i].type};
                firn_vec_push(c->arena, &c->parts, part);
            }
        }
    }
}

static bool is_text_in_sql(const firn_type *type)
{
    return type == NULL || type->id == FIRN_TYPE_UNKNOWN || type->id == FIRN_TYPE_BINARY ||
           type->id == FIRN_TYPE_FIXED || type->id == FIRN_TYPE_TIMESTAMPTZ_NS ||
           type->id >= FIRN_TYPE_VARIANT;
}

static const char *sql_type(firn_arena *arena, const firn_type *type)
{
    const char *duck = "VARCHAR";
    if (!is_text_in_sql(type) && firn_type_to_duck(arena, type, "", &duck, NULL) != FIRN_OK) {
        duck = "VARCHAR";
    }
    return duck;
}

static const char *partition_struct(context *c)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < c->parts.len; i++) {
        firn_buf_printf(&out, "%s%s %s", i > 0 ? ", " : "STRUCT(",
                        firn_sql_ident(c->arena, c->parts.items[i].field->name),
                        sql_type(c->arena, c->parts.items[i].type));
    }
    firn_buf_putc(&out, ')');
    return firn_arena_strdup(c->arena, firn_buf_cstr(&out));
}

static void visit_leaf(void *ctx, const firn_field *field, const firn_field *parent,
                       const char *path)
{
    (void)parent;
    context *c = ctx;
    if (!firn_type_is_nested(field->type)) {
        firn_vec_push(c->arena, &c->leaves, field);
        firn_vec_push(c->arena, &c->leaf_paths, (const char *)firn_arena_strdup(c->arena, path));
    }
}

static const char *metrics_struct(context *c)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < c->leaves.len; i++) {
        const char *type = sql_type(c->arena, c->leaves.items[i]->type);
        firn_buf_printf(
            &out,
            "%s%s STRUCT(column_size BIGINT, value_count BIGINT, null_value_count BIGINT, nan_value_count BIGINT, "
            "lower_bound %s, upper_bound %s)",
            i > 0 ? ", " : "STRUCT(", firn_sql_ident(c->arena, c->leaf_paths.items[i]), type, type);
    }
    firn_buf_putc(&out, ')');
    return firn_arena_strdup(c->arena, firn_buf_cstr(&out));
}

static const struct {
    const char *name, *type;
} FILE_COLUMNS[] = {
    {"content", "INTEGER"},
    {"file_path", "VARCHAR"},
    {"file_format", "VARCHAR"},
    {"spec_id", "INTEGER"},
    {"partition", NULL}, /* partition_struct */
    {"record_count", "BIGINT"},
    {"file_size_in_bytes", "BIGINT"},
    {"column_sizes", "MAP(INTEGER, BIGINT)"},
    {"value_counts", "MAP(INTEGER, BIGINT)"},
    {"null_value_counts", "MAP(INTEGER, BIGINT)"},
    {"nan_value_counts", "MAP(INTEGER, BIGINT)"},
    {"lower_bounds", "MAP(INTEGER, BLOB)"},
    {"upper_bounds", "MAP(INTEGER, BLOB)"},
    {"key_metadata", "BLOB"},
    {"split_offsets", "BIGINT[]"},
    {"equality_ids", "INTEGER[]"},
    {"sort_order_id", "INTEGER"},
    {"first_row_id", "BIGINT"},
    {"referenced_data_file", "VARCHAR"},
    {"content_offset", "BIGINT"},
    {"content_size_in_bytes", "BIGINT"},
};
enum { N_FILE_COLUMNS = sizeof(FILE_COLUMNS) / sizeof(FILE_COLUMNS[0]) };

/* The columns of a file; hidden, and as one struct data_file, for entries. */
static void file_columns(context *c, bool as_struct)
{
    FIRN_AUTO_BUF firn_buf pack = {0};
    for (size_t i = 0; i < N_FILE_COLUMNS; i++) {
        const char *name = FILE_COLUMNS[i].name, *type = FILE_COLUMNS[i].type;
        if (type == NULL && c->parts.len == 0) {
            continue; /* unpartitioned tables have no such column */
        }
        type = type != NULL ? type : partition_struct(c);
        if (as_struct) {
            firn_sheet_hidden(c->sheet, name, type);
            firn_buf_printf(&pack, "%s%s := %s", pack.len > 0 ? ", " : "struct_pack(",
                            firn_sql_ident(c->arena, name), firn_sheet_expr(c->arena, name, type));
        } else {
            firn_sheet_column(c->sheet, name, type);
        }
    }
    if (as_struct) {
        firn_buf_putc(&pack, ')');
        firn_sheet_computed(c->sheet, "data_file",
                            firn_arena_strdup(c->arena, firn_buf_cstr(&pack)));
    }
    if (c->leaves.len > 0) {
        firn_sheet_column(c->sheet, "readable_metrics", metrics_struct(c));
    }
}

/* ---- what a row is --------------------------------------------------------------------------------------------- */

static json_t *known_or_null(int64_t value)
{
    return value < 0 ? json_null() : json_integer(value);
}

static json_t *hex_or_null(context *c, firn_bytes bytes)
{
    return bytes.data != NULL ? json_string(firn_hex(c->arena, bytes)) : json_null();
}

static json_t *value_json(context *c, const firn_type *type, const firn_value *value)
{
    if (value->is_null || type == NULL) {
        return json_null();
    }
    firn_value converted;
    const firn_value *shown =
        firn_value_convert(c->arena, value, type, &converted) ? &converted : value;
    return json_string(firn_value_text(c->arena, type, shown));
}

static json_t *partition_json(context *c, const firn_data_file *file)
{
    const firn_partition_spec *spec = firn_metadata_spec(c->metadata, file->spec_id);
    json_t *out = json_object();
    for (size_t i = 0; i < c->parts.len; i++) {
        json_t *value = json_null();
        for (size_t k = 0; spec != NULL && k < spec->n_fields && k < file->n_partition; k++) {
            if (spec->fields[k].field_id == c->parts.items[i].field->field_id) {
                value = value_json(c, c->parts.items[i].type, &file->partition[k]);
            }
        }
        json_object_set_new(out, c->parts.items[i].field->name, value);
    }
    return out;
}

static json_t *bound_json(context *c, const firn_type *type, firn_bytes bytes)
{
    firn_value value;
    if (bytes.data == NULL || firn_value_decode(type, bytes, &value, NULL) != FIRN_OK) {
        return json_null();
    }
    return value_json(c, type, &value);
}

static const firn_column_metrics *metrics_of(const firn_data_file *file, int32_t field_id)
{
    for (size_t i = 0; i < file->n_metrics; i++) {
        if (file->metrics[i].field_id == field_id) {
            return &file->metrics[i];
        }
    }
    return NULL;
}

static json_t *readable_metrics(context *c, const firn_data_file *file)
{
    static const firn_column_metrics NONE = {
        .size_bytes = -1, .value_count = -1, .null_count = -1, .nan_count = -1};
    json_t *out = json_object();
    for (size_t i = 0; i < c->leaves.len; i++) {
        const firn_field *field = c->leaves.items[i];
        const firn_column_metrics *m = metrics_of(file, field->id);
        m = m != NULL ? m : &NONE;
        json_object_set_new(
            out, c->leaf_paths.items[i],
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "column_size", known_or_null(m->size_bytes),
                      "value_count", known_or_null(m->value_count), "null_value_count",
                      known_or_null(m->null_count), "nan_value_count", known_or_null(m->nan_count),
                      "lower_bound", bound_json(c, field->type, m->lower), "upper_bound",
                      bound_json(c, field->type, m->upper)));
    }
    return out;
}

static void put_count(json_t *map, const char *id, int64_t value)
{
    if (value >= 0) {
        json_object_set_new(map, id, json_integer(value));
    }
}

static void metric_maps(context *c, const firn_data_file *file, json_t *row)
{
    json_t *sizes = json_object(), *values = json_object(), *nulls = json_object(),
           *nans = json_object();
    json_t *lower = json_object(), *upper = json_object();
    for (size_t i = 0; i < file->n_metrics; i++) {
        const firn_column_metrics *m = &file->metrics[i];
        const char *id = firn_arena_printf(c->arena, "%" PRId32, m->field_id);
        put_count(sizes, id, m->size_bytes);
        put_count(values, id, m->value_count);
        put_count(nulls, id, m->null_count);
        put_count(nans, id, m->nan_count);
        if (m->lower.data != NULL) {
            json_object_set_new(lower, id, hex_or_null(c, m->lower));
        }
        if (m->upper.data != NULL) {
            json_object_set_new(upper, id, hex_or_null(c, m->upper));
        }
    }
    json_object_set_new(row, "column_sizes", sizes);
    json_object_set_new(row, "value_counts", values);
    json_object_set_new(row, "null_value_counts", nulls);
    json_object_set_new(row, "nan_value_counts", nans);
    json_object_set_new(row, "lower_bounds", lower);
    json_object_set_new(row, "upper_bounds", upper);
}

static json_t *integers(const int64_t *wide, const int32_t *narrow, size_t n)
{
    if (n == 0) {
        return json_null();
    }
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(out, json_integer(wide != NULL ? wide[i] : narrow[i]));
    }
    return out;
}

static json_t *file_row(context *c, const firn_manifest_entry *entry)
{
    const firn_data_file *file = &entry->file;
    json_t *row = json_object();
    json_object_set_new(row, "content", json_integer(file->content));
    json_object_set_new(row, "file_path", json_string(file->path));
    json_object_set_new(row, "file_format", json_string(file->format));
    json_object_set_new(row, "spec_id", json_integer(file->spec_id));
    json_object_set_new(row, "partition", partition_json(c, file));
    json_object_set_new(row, "record_count", json_integer(file->record_count));
    json_object_set_new(row, "file_size_in_bytes", json_integer(file->file_size_bytes));
    metric_maps(c, file, row);
    json_object_set_new(row, "key_metadata", hex_or_null(c, file->key_metadata));
    json_object_set_new(row, "split_offsets",
                        integers(file->split_offsets, NULL, file->n_split_offsets));
    json_object_set_new(row, "equality_ids",
                        integers(NULL, file->equality_ids, file->n_equality_ids));
    json_object_set_new(row, "sort_order_id", known_or_null(file->sort_order_id));
    json_object_set_new(row, "first_row_id", known_or_null(file->first_row_id));
    json_object_set_new(row, "referenced_data_file",
                        file->referenced_data_file != NULL ? json_string(file->referenced_data_file)
                                                           : json_null());
    json_object_set_new(row, "content_offset", known_or_null(file->content_offset));
    json_object_set_new(row, "content_size_in_bytes", known_or_null(file->content_size_bytes));
    json_object_set_new(row, "readable_metrics", readable_metrics(c, file));
    return row;
}

/* ---- going through manifests -------------------------------------------------------------------------------------- */

static void unref_manifest(void *manifest)
{
    firn_manifest_unref(manifest);
}

static firn_rc each_entry_of(context *c, const firn_snapshot *snapshot, firn_map *seen,
                             entry_fn visit, firn_err *err)
{
    firn_lake *lake = c->session->engine->lake;
    firn_manifest_file *files;
    size_t n;
    FIRN_TRY(firn_manifest_list_read(firn_lake_storage(lake), c->arena, c->metadata, snapshot,
                                     &files, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (firn_map_has(seen, files[i].path)) {
            continue;
        }
        firn_map_put(seen, files[i].path, c);
        firn_manifest *manifest;
        FIRN_TRY(firn_manifest_open(firn_lake_storage(lake),
                                    firn_catalog_manifests(firn_lake_catalog(lake)), c->metadata,
                                    &files[i], &manifest, err));
        firn_arena_defer(c->arena, unref_manifest, manifest);
        for (size_t k = 0; k < firn_manifest_len(manifest); k++) {
            firn_manifest_entry entry;
            firn_manifest_entry_at(manifest, c->arena, k, &entry);
            FIRN_TRY(visit(c, &entry, err));
        }
    }
    return FIRN_OK;
}

static firn_rc each_entry(context *c, entry_fn visit, firn_err *err)
{
    firn_map *seen = firn_map_new(c->arena);
    if (!c->options->all_snapshots) {
        return c->options->snapshot != NULL
                   ? each_entry_of(c, c->options->snapshot, seen, visit, err)
                   : FIRN_OK;
    }
    for (size_t i = 0; i < c->metadata->n_snapshots; i++) {
        FIRN_TRY(each_entry_of(c, &c->metadata->snapshots[i], seen, visit, err));
    }
    return FIRN_OK;
}

/* ---- files and entries ---------------------------------------------------------------------------------------------- */

static firn_rc add_file(context *c, const firn_manifest_entry *entry, firn_err *err)
{
    (void)err;
    bool is_data = entry->file.content == FIRN_CONTENT_DATA;
    bool wanted = c->options->kind == FIRN_METADATA_FILES ||
                  (c->options->kind == FIRN_METADATA_DATA_FILES ? is_data : !is_data);
    if (entry->status != FIRN_ENTRY_DELETED && wanted) {
        firn_sheet_row(c->sheet, file_row(c, entry));
    }
    return FIRN_OK;
}

static firn_rc add_entry(context *c, const firn_manifest_entry *entry, firn_err *err)
{
    (void)err;
    json_t *row = file_row(c, entry);
    json_object_set_new(row, "status", json_integer(entry->status));
    json_object_set_new(row, "snapshot_id", json_integer(entry->snapshot_id));
    json_object_set_new(row, "sequence_number", known_or_null(entry->data_sequence_number));
    json_object_set_new(row, "file_sequence_number", known_or_null(entry->file_sequence_number));
    firn_sheet_row(c->sheet, row);
    return FIRN_OK;
}

/* ---- partitions -------------------------------------------------------------------------------------------------------- */

static firn_rc add_partition_file(context *c, const firn_manifest_entry *entry, firn_err *err)
{
    (void)err;
    if (entry->status == FIRN_ENTRY_DELETED) {
        return FIRN_OK;
    }
    const firn_data_file *file = &entry->file;
    const firn_snapshot *snapshot = firn_metadata_snapshot(c->metadata, entry->snapshot_id);
    bool data = file->content == FIRN_CONTENT_DATA;
    bool position = file->content == FIRN_CONTENT_POSITION_DELETES;
    bool equality = file->content == FIRN_CONTENT_EQUALITY_DELETES;
    json_int_t rows = file->record_count;
    firn_sheet_row(
        c->sheet,
        json_pack("{s:o, s:i, s:I, s:i, s:I, s:I, s:i, s:I, s:i, s:o, s:o}", "partition",
                  partition_json(c, file), "spec_id", (int)file->spec_id, "record_count",
                  data ? rows : 0, "file_count", data ? 1 : 0, "total_data_file_size_in_bytes",
                  data ? (json_int_t)file->file_size_bytes : 0, "position_delete_record_count",
                  position ? rows : 0, "position_delete_file_count", position ? 1 : 0,
                  "equality_delete_record_count", equality ? rows : 0, "equality_delete_file_count",
                  equality ? 1 : 0, "last_updated_at",
                  snapshot != NULL ? json_string(firn_format_timestamp(
                                         c->arena, snapshot->timestamp_ms * 1000, true))
                                   : json_null(),
                  "last_updated_snapshot_id",
                  snapshot != NULL ? json_integer(snapshot->snapshot_id) : json_null()));
    return FIRN_OK;
}

/* One row per file in the sheet; DuckDB adds them up. */
static firn_rc partitions_sql(context *c, char **sql, firn_err *err)
{
    static const char *const SUMS[][2] = {{"record_count", "BIGINT"},
                                          {"file_count", "INTEGER"},
                                          {"total_data_file_size_in_bytes", "BIGINT"},
                                          {"position_delete_record_count", "BIGINT"},
                                          {"position_delete_file_count", "INTEGER"},
                                          {"equality_delete_record_count", "BIGINT"},
                                          {"equality_delete_file_count", "INTEGER"}};
    bool partitioned = c->parts.len > 0;
    FIRN_AUTO_BUF firn_buf select = {0};
    if (partitioned) {
        firn_sheet_column(c->sheet, "partition", partition_struct(c));
    }
    firn_sheet_column(c->sheet, "spec_id", "INTEGER");
    firn_buf_puts(&select, partitioned ? "partition, max(spec_id) AS spec_id, " : "");
    for (size_t i = 0; i < sizeof(SUMS) / sizeof(SUMS[0]); i++) {
        firn_sheet_column(c->sheet, SUMS[i][0], SUMS[i][1]);
        firn_buf_printf(&select, "CAST(sum(%s) AS %s) AS %s, ", SUMS[i][0], SUMS[i][1], SUMS[i][0]);
    }
    firn_sheet_column(c->sheet, "last_updated_at", "TIMESTAMP WITH TIME ZONE");
    firn_sheet_column(c->sheet, "last_updated_snapshot_id", "BIGINT");
    FIRN_TRY(each_entry(c, add_partition_file, err));
    *sql = firn_arena_printf(
        c->arena,
        "(SELECT %smax(last_updated_at) AS last_updated_at, arg_max(last_updated_snapshot_id, "
        "last_updated_at) AS last_updated_snapshot_id FROM %s %s)",
        firn_buf_cstr(&select), firn_sheet_sql(c->session, c->sheet),
        partitioned ? "GROUP BY partition" : "HAVING count(*) > 0");
    return FIRN_OK;
}

/* ---- position deletes -------------------------------------------------------------------------------------------------- */

static firn_rc add_vector(context *c, const firn_data_file *file, firn_err *err)
{
    firn_dv *dv = NULL;
    FIRN_TRY(
        firn_scan_load_dv(firn_lake_storage(c->session->engine->lake), c->arena, file, &dv, err));
    size_t n = dv != NULL ? firn_dv_cardinality(dv) : 0;
    uint64_t *positions = FIRN_NEW_N(c->arena, uint64_t, n);
    if (n > 0) {
        firn_dv_to_array(dv, positions);
    }
    for (size_t i = 0; i < n; i++) {
        firn_sheet_row(
            c->sheet,
            json_pack("{s:s, s:I, s:o, s:i, s:s}", "file_path",
                      file->referenced_data_file != NULL ? file->referenced_data_file : "", "pos",
                      (json_int_t)positions[i], "partition", partition_json(c, file), "spec_id",
                      (int)file->spec_id, "delete_file_path", file->path));
    }
    return FIRN_OK;
}

static firn_rc add_delete_file(context *c, const firn_data_file *file, firn_err *err)
{
    if (!firn_strcaseeq(file->format, "PARQUET")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s is a delete file in %s: firn reads Parquet only",
                  file->path, file->format);
    }
    const char *path =
        firn_storage_resolve(firn_lake_storage(c->session->engine->lake), c->arena, file->path);
    FIRN_AUTO_BUF firn_buf sql = {0};
    firn_buf_puts(&sql, "SELECT p, n FROM read_parquet(");
    firn_read_file_list(c->arena, &sql, &path, 1);
    firn_buf_puts(
        &sql,
        ", hive_partitioning = false, schema = MAP {2147483546: {name: 'p', type: 'VARCHAR', default_value: NULL}, "
        "2147483545: {name: 'n', type: 'BIGINT', default_value: NULL}})");
    firn_duck_cells rows;
    FIRN_TRY(firn_duck_rows(c->session, c->arena, firn_buf_cstr(&sql), &rows, err));
    for (size_t i = 0; i < rows.n_rows; i++) {
        int64_t position = 0;
        if (rows.cells[i][0] == NULL || rows.cells[i][1] == NULL ||
            !firn_parse_i64(rows.cells[i][1], &position)) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "the delete file %s has a row without file or position",
                      file->path);
        }
        firn_sheet_row(c->sheet,
                       json_pack("{s:s, s:I, s:o, s:i, s:s}", "file_path", rows.cells[i][0], "pos",
                                 (json_int_t)position, "partition", partition_json(c, file),
                                 "spec_id", (int)file->spec_id, "delete_file_path", file->path));
    }
    return FIRN_OK;
}

static firn_rc add_positions(context *c, const firn_manifest_entry *entry, firn_err *err)
{
    if (entry->status == FIRN_ENTRY_DELETED ||
        entry->file.content != FIRN_CONTENT_POSITION_DELETES) {
        return FIRN_OK;
    }
    return firn_strcaseeq(entry->file.format, "PUFFIN") ? add_vector(c, &entry->file, err)
                                                        : add_delete_file(c, &entry->file, err);
}

static void position_columns(context *c)
{
    firn_sheet_column(c->sheet, "file_path", "VARCHAR");
    firn_sheet_column(c->sheet, "pos", "BIGINT");
    if (c->parts.len > 0) {
        firn_sheet_column(c->sheet, "partition", partition_struct(c));
    }
    firn_sheet_column(c->sheet, "spec_id", "INTEGER");
    firn_sheet_column(c->sheet, "delete_file_path", "VARCHAR");
}

/* ------------------------------------------------------------------------------------------------------------------------- */

firn_rc firn_metadata_files_sql(firn_session *session, firn_arena *arena,
                                const firn_metadata_files_options *options, char **sql,
                                firn_err *err)
{
    context c = {.session = session,
                 .arena = arena,
                 .options = options,
                 .metadata = options->metadata,
                 .sheet = firn_sheet_new(arena)};
    find_parts(&c);
    switch (options->kind) {
    case FIRN_METADATA_PARTITIONS: return partitions_sql(&c, sql, err);
    case FIRN_METADATA_POSITION_DELETES:
        position_columns(&c);
        FIRN_TRY(each_entry(&c, add_positions, err));
        break;
    case FIRN_METADATA_ENTRIES:
        firn_schema_visit(arena, c.metadata->schema, visit_leaf, &c);
        firn_sheet_column(c.sheet, "status", "INTEGER");
        firn_sheet_column(c.sheet, "snapshot_id", "BIGINT");
        firn_sheet_column(c.sheet, "sequence_number", "BIGINT");
        firn_sheet_column(c.sheet, "file_sequence_number", "BIGINT");
        file_columns(&c, true);
        FIRN_TRY(each_entry(&c, add_entry, err));
        break;
    default:
        firn_schema_visit(arena, c.metadata->schema, visit_leaf, &c);
        file_columns(&c, false);
        FIRN_TRY(each_entry(&c, add_file, err));
        break;
    }
    *sql = firn_sheet_sql(session, c.sheet);
    return FIRN_OK;
}
