/* COPY ... RETURN_STATS to data files: what DuckDB says about each file it wrote becomes record count, size, partition and
 * column metrics (spec: "Data file fields", "Bounds").
 *
 * Columns of a result row: filename, count, file_size_bytes, footer_size_bytes, column_statistics MAP(path, MAP(name, text)),
 * partition_keys MAP(column, text). A path is quoted names joined by dots: "st"."x", "li"."element", "ma"."key".
 *
 * A bound that cannot be had exactly is left out; it is never narrower than the data:
 *   - floats with NaN have no bounds (how many NaN is unknown, and SQL sorts NaN above all numbers);
 *   - zero is -0.0 as lower and +0.0 as upper bound, since DuckDB does not tell them apart;
 *   - DuckDB cuts strings at 256 bytes, the upper one with its last byte incremented, which is a bound still;
 *   - leaves inside lists and maps have counts but no bounds, as in Java.
 */
#include "write_parts.h"

#include "base/map.h"

#include <math.h>
#include <string.h>

typedef enum metrics_mode { MODE_NONE, MODE_COUNTS, MODE_TRUNCATE, MODE_FULL } metrics_mode;

typedef struct leaf {
    const firn_field *field;
    bool repeated; /* inside a list or map */
    metrics_mode mode;
    size_t width; /* MODE_TRUNCATE */
} leaf;

struct firn_metrics_plan {
    const firn_schema *schema;
    firn_map *leaves; /* DuckDB's path -> leaf */
    firn_imap *by_id; /* field id -> leaf */
};

/* ---- modes ------------------------------------------------------------------------------------------- */

/* "none", "counts", "full", "truncate(16)"; anything else is taken as the default, as in Java. */
static void parse_mode(const char *text, metrics_mode *mode, size_t *width)
{
    int64_t number = 0;
    size_t len = strlen(text);
    *mode = MODE_TRUNCATE;
    *width = 16;
    if (firn_strcaseeq(text, "none")) {
        *mode = MODE_NONE;
    } else if (firn_strcaseeq(text, "counts")) {
        *mode = MODE_COUNTS;
    } else if (firn_strcaseeq(text, "full")) {
        *mode = MODE_FULL;
    } else if (len > 10 && len < 30 && strncasecmp(text, "truncate(", 9) == 0) {
        char digits[32] = {0};
        memcpy(digits, text + 9, len - 10);
        if (firn_parse_i64(digits, &number) && number > 0) {
            *width = (size_t)number;
        }
    }
}

typedef struct plan_builder {
    firn_arena *arena;
    const firn_metadata *metadata;
    firn_metrics_plan *plan;
    metrics_mode mode;
    size_t width;
    int64_t inferred_left; /* columns that still get the default mode */
} plan_builder;

static void add_leaves(plan_builder *b, const firn_field *field, const char *duck_path,
                       const char *path, bool repeated)
{
    const firn_type *type = field->type;
    if (firn_type_is_nested(type)) {
        for (size_t i = 0; i < type->n_fields; i++) {
            const firn_field *child = &type->fields[i];
            add_leaves(b, child,
                       firn_arena_printf(b->arena, "%s.%s", duck_path,
                                         firn_sql_ident(b->arena, child->name)),
                       firn_arena_printf(b->arena, "%s.%s", path, child->name),
                       repeated || type->id != FIRN_TYPE_STRUCT);
        }
        return;
    }
    leaf *out = FIRN_NEW(b->arena, leaf);
    *out = (leaf){.field = field, .repeated = repeated, .mode = MODE_NONE};
    if (b->inferred_left > 0) {
        b->inferred_left--;
        out->mode = b->mode;
        out->width = b->width;
    }
    const char *own = firn_metadata_property(
        b->metadata, firn_arena_printf(b->arena, "write.metadata.metrics.column.%s", path), NULL);
    if (own != NULL) {
        parse_mode(own, &out->mode, &out->width);
    }
    firn_map_put(b->plan->leaves, duck_path, out);
    firn_imap_put(b->plan->by_id, field->id, out);
}

firn_metrics_plan *firn_metrics_plan_new(firn_arena *arena, const firn_metadata *metadata)
{
    firn_metrics_plan *plan = FIRN_NEW(arena, firn_metrics_plan);
    plan->schema = metadata->schema;
    plan->leaves = firn_map_new(arena);
    plan->by_id = firn_imap_new(arena);
    const char *chosen = firn_metadata_property(metadata, "write.metadata.metrics.default", NULL);
    plan_builder b = {.arena = arena, .metadata = metadata, .plan = plan};
    b.inferred_left =
        chosen != NULL ? INT64_MAX
                       : firn_metadata_property_i64(
                             metadata, "write.metadata.metrics.max-inferred-column-defaults", 100);
    parse_mode(chosen != NULL ? chosen : "truncate(16)", &b.mode, &b.width);
    const firn_type *root = &metadata->schema->root;
    for (size_t i = 0; i < root->n_fields; i++) {
        add_leaves(&b, &root->fields[i], firn_sql_ident(arena, root->fields[i].name),
                   root->fields[i].name, false);
    }
    return plan;
}

/* ---- vectors ----------------------------------------------------------------------------------------- */

static char *text_at(firn_arena *arena, duckdb_vector vector, idx_t row)
{
    if (firn_duck_is_null(vector, row)) {
        return NULL;
    }
    firn_bytes bytes = firn_duck_bytes(vector, row);
    return firn_arena_strndup(arena, (const char *)bytes.data, bytes.len);
}

/* The entries of one MAP cell. */
typedef struct map_cell {
    duckdb_vector keys, values;
    idx_t from, to;
} map_cell;

static map_cell map_at(duckdb_vector vector, idx_t row)
{
    map_cell out = {0};
    if (firn_duck_is_null(vector, row)) {
        return out;
    }
    duckdb_list_entry entry = ((duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    duckdb_vector pairs = duckdb_list_vector_get_child(vector);
    out.keys = duckdb_struct_vector_get_child(pairs, 0);
    out.values = duckdb_struct_vector_get_child(pairs, 1);
    out.from = entry.offset;
    out.to = entry.offset + entry.length;
    return out;
}

/* ---- metrics of one column --------------------------------------------------------------------------- */

static int64_t number_of(const char *text)
{
    int64_t number = -1;
    return text != NULL && firn_parse_i64(text, &number) ? number : -1;
}

static firn_column_stats stats_at(firn_arena *arena, duckdb_vector maps, idx_t row)
{
    firn_column_stats out = {.size_bytes = -1, .values = -1, .nulls = -1};
    map_cell cell = map_at(maps, row);
    for (idx_t i = cell.from; i < cell.to; i++) {
        const char *key = text_at(arena, cell.keys, i);
        const char *value = text_at(arena, cell.values, i);
        if (key == NULL || value == NULL) {
            continue;
        }
        if (firn_streq(key, "column_size_bytes")) {
            out.size_bytes = number_of(value);
        } else if (firn_streq(key, "num_values")) {
            out.values = number_of(value);
        } else if (firn_streq(key, "null_count")) {
            out.nulls = number_of(value);
        } else if (firn_streq(key, "min")) {
            out.min = value;
        } else if (firn_streq(key, "max")) {
            out.max = value;
        } else if (firn_streq(key, "has_nan")) {
            out.nan_known = true;
            out.has_nan = !firn_streq(value, "false");
        }
    }
    return out;
}

static bool is_float(firn_type_id id)
{
    return id == FIRN_TYPE_FLOAT || id == FIRN_TYPE_DOUBLE;
}

/* Zero as the bound that holds whichever sign the zeros in the file have. */
static void set_zero_sign(firn_value *value, double zero)
{
    if (value->type == FIRN_TYPE_FLOAT && value->f32 == 0) {
        value->f32 = (float)zero;
    } else if (value->type == FIRN_TYPE_DOUBLE && value->f64 == 0) {
        value->f64 = zero;
    }
}

/* A text as long as the column's mode says; false: it has no upper bound of that length. */
static bool cut_bound(firn_arena *arena, const leaf *column, bool upper, firn_value *value)
{
    firn_type_id id = column->field->type->id;
    if (column->mode != MODE_TRUNCATE || (id != FIRN_TYPE_STRING && id != FIRN_TYPE_BINARY)) {
        return true;
    }
    if (upper) {
        firn_value whole = *value;
        return firn_value_truncate_upper(arena, &whole, column->width, value);
    }
    *value = firn_value_truncate_lower(arena, value, column->width);
    return true;
}

static bool bound_value(firn_arena *arena, const leaf *column, const char *text, bool upper,
                        firn_value *out)
{
    const firn_type *type = column->field->type;
    if (text == NULL || (type->id == FIRN_TYPE_STRING && !firn_utf8_valid(firn_bytes_str(text)))) {
        return false;
    }
    if (firn_value_from_text(arena, type, text, out, NULL) != FIRN_OK) {
        return false; /* infinity, years that Iceberg's text form has no room for: no bound */
    }
    set_zero_sign(out, upper ? 0.0 : -0.0);
    return cut_bound(arena, column, upper, out);
}

static firn_column_metrics metrics_of(firn_arena *arena, const leaf *column,
                                      const firn_column_stats *stats)
{
    firn_column_metrics out = {.field_id = column->field->id,
                               .size_bytes = stats->size_bytes,
                               .value_count = stats->values,
                               .null_count = stats->nulls,
                               .nan_count = -1};
    bool floating = is_float(column->field->type->id);
    if (floating && stats->nan_known && !stats->has_nan) {
        out.nan_count = 0;
    }
    bool bounds = column->mode >= MODE_TRUNCATE && !column->repeated &&
                  (!floating || out.nan_count == 0) && column->field->type->id != FIRN_TYPE_UNKNOWN;
    firn_value value = {0};
    if (bounds && bound_value(arena, column, stats->min, false, &value)) {
        out.lower = firn_value_encode(arena, &value);
    }
    if (bounds && bound_value(arena, column, stats->max, true, &value)) {
        out.upper = firn_value_encode(arena, &value);
    }
    return out;
}

bool firn_write_column_metrics(firn_arena *arena, const firn_metrics_plan *plan, int32_t field_id,
                               const firn_column_stats *stats, firn_column_metrics *out)
{
    const leaf *column = firn_imap_get(plan->by_id, field_id);
    if (column == NULL || column->mode == MODE_NONE) {
        return false;
    }
    *out = metrics_of(arena, column, stats);
    return true;
}

bool firn_write_value_metrics(firn_arena *arena, const firn_metrics_plan *plan, int32_t field_id,
                              const firn_value_stats *stats, firn_column_metrics *out)
{
    const leaf *column = firn_imap_get(plan->by_id, field_id);
    if (column == NULL || column->mode == MODE_NONE) {
        return false;
    }
    *out = (firn_column_metrics){.field_id = field_id,
                                 .size_bytes = stats->size_bytes,
                                 .value_count = stats->values,
                                 .null_count = stats->nulls,
                                 .nan_count = -1};
    if (is_float(column->field->type->id)) {
        out->nan_count = stats->nans;
    }
    if (column->mode < MODE_TRUNCATE || column->repeated) {
        return true;
    }
    firn_value low = stats->min != NULL ? *stats->min : (firn_value){0};
    firn_value high = stats->max != NULL ? *stats->max : (firn_value){0};
    if (stats->min != NULL && cut_bound(arena, column, false, &low)) {
        out->lower = firn_value_encode(arena, &low);
    }
    if (stats->max != NULL && cut_bound(arena, column, true, &high)) {
        out->upper = firn_value_encode(arena, &high);
    }
    return true;
}

static int by_field_id(const void *a, const void *b)
{
    int32_t left = ((const firn_column_metrics *)a)->field_id;
    int32_t right = ((const firn_column_metrics *)b)->field_id;
    return (left > right) - (left < right);
}

void firn_write_sort_metrics(firn_data_file *file)
{
    if (file->n_metrics > 0) {
        qsort(file->metrics, file->n_metrics, sizeof(*file->metrics), by_field_id);
    }
}

static void read_metrics(firn_arena *arena, const firn_metrics_plan *plan, duckdb_vector maps,
                         idx_t row, firn_data_file *file)
{
    map_cell cell = map_at(maps, row);
    file->metrics = FIRN_NEW_N(arena, firn_column_metrics, cell.to - cell.from);
    for (idx_t i = cell.from; i < cell.to; i++) {
        const char *path = text_at(arena, cell.keys, i);
        const leaf *column = path != NULL ? firn_map_get(plan->leaves, path) : NULL;
        if (column == NULL || column->mode == MODE_NONE) {
            continue;
        }
        firn_column_stats stats = stats_at(arena, cell.values, i);
        file->metrics[file->n_metrics++] = metrics_of(arena, column, &stats);
    }
    firn_write_sort_metrics(file);
}

/* ---- NOT NULL ---------------------------------------------------------------------------------------- */

/* Rows without a value in required top-level columns, from the statistics of one file. */
static void count_nulls(firn_arena *arena, const firn_metrics_plan *plan, duckdb_vector maps,
                        idx_t row, firn_written *out)
{
    const firn_type *root = &plan->schema->root;
    map_cell cell = map_at(maps, row);
    for (idx_t i = cell.from; i < cell.to; i++) {
        const char *path = text_at(arena, cell.keys, i);
        const leaf *column = path != NULL ? firn_map_get(plan->leaves, path) : NULL;
        if (column == NULL || !column->field->required) {
            continue;
        }
        for (size_t f = 0; f < root->n_fields; f++) {
            if (root->fields[f].id == column->field->id) {
                firn_column_stats stats = stats_at(arena, cell.values, i);
                if (stats.nulls > 0 && out->null_column == NULL) {
                    out->null_column = column->field->name;
                }
                if (stats.nulls > 0 && firn_streq(out->null_column, column->field->name)) {
                    out->null_rows += stats.nulls;
                }
            }
        }
    }
}

/* ---- partitions -------------------------------------------------------------------------------------- */

static firn_rc key_value(firn_arena *arena, const firn_type *type, const char *text,
                         firn_value *out, firn_err *err)
{
    if (type->id == FIRN_TYPE_TIMESTAMPTZ) { /* see firn_transform_sql */
        *out = (firn_value){.type = type->id};
        if (!firn_parse_i64(text, &out->i64)) {
            FIRN_FAIL(err, FIRN_E_TYPE, "%s is no instant in microseconds", text);
        }
        return FIRN_OK;
    }
    return firn_value_from_text(arena, type, text, out, err);
}

static firn_rc read_partition(firn_arena *arena, const firn_schema *schema,
                              const firn_partition_spec *spec, duckdb_vector maps, idx_t row,
                              firn_data_file *file, firn_err *err)
{
    const firn_type *tuple = firn_partition_type(arena, spec, schema);
    map_cell cell = map_at(maps, row);
    for (size_t f = 0; f < spec->n_fields; f++) {
        const firn_type *type = tuple->fields[f].type;
        file->partition[f] = firn_value_null(type->id);
        const char *name = firn_arena_printf(arena, FIRN_PARTITION_COLUMN "%zu", f);
        for (idx_t i = cell.from; i < cell.to; i++) {
            const char *text = text_at(arena, cell.values, i);
            if (text != NULL && firn_streq(text_at(arena, cell.keys, i), name)) {
                firn_rc rc = key_value(arena, type, text, &file->partition[f], err);
                if (rc != FIRN_OK) {
                    return firn_err_wrap(err, rc, "partition field %s", spec->fields[f].name);
                }
            }
        }
    }
    return FIRN_OK;
}

/* ---- files ------------------------------------------------------------------------------------------- */

static uint64_t count_at(duckdb_vector vector, idx_t row)
{
    return ((const uint64_t *)duckdb_vector_get_data(vector))[row];
}

firn_data_file *firn_write_add_file(firn_arena *arena, const firn_partition_spec *spec,
                                    const firn_value *partition, firn_written *out)
{
    firn_data_file *file = firn_vec_push_zero(arena, &out->files);
    file->content = FIRN_CONTENT_DATA;
    file->format = "PARQUET";
    file->spec_id = spec->spec_id;
    file->n_partition = spec->n_fields;
    file->partition = FIRN_NEW_N(arena, firn_value, spec->n_fields);
    if (partition != NULL && spec->n_fields > 0) {
        memcpy(file->partition, partition, spec->n_fields * sizeof(*partition));
    }
    file->sort_order_id = -1;
    file->first_row_id = -1;
    file->content_offset = file->content_size_bytes = -1;
    return file;
}

static firn_rc read_chunk(firn_arena *arena, const firn_metrics_plan *plan,
                          const firn_partition_spec *spec, const firn_value *partition,
                          duckdb_data_chunk chunk, firn_written *out, firn_err *err)
{
    duckdb_vector columns[6];
    for (idx_t i = 0; i < 6; i++) {
        columns[i] = duckdb_data_chunk_get_vector(chunk, i);
    }
    for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++) {
        firn_data_file *file = firn_write_add_file(arena, spec, partition, out);
        file->path = text_at(arena, columns[0], row);
        file->record_count = (int64_t)count_at(columns[1], row);
        file->file_size_bytes = (int64_t)count_at(columns[2], row);
        out->rows += file->record_count;
        read_metrics(arena, plan, columns[4], row, file);
        count_nulls(arena, plan, columns[4], row, out);
        if (partition == NULL) {
            FIRN_TRY(read_partition(arena, plan->schema, spec, columns[5], row, file, err));
        }
    }
    return FIRN_OK;
}

firn_rc firn_write_read_stats(firn_arena *arena, const firn_metrics_plan *plan,
                              const firn_partition_spec *spec, const firn_value *partition,
                              duckdb_result *result, firn_written *out, firn_err *err)
{
    if (duckdb_column_count(result) != 6) {
        FIRN_FAIL(err, FIRN_E_ENGINE,
                  "DuckDB tells %llu things about the files it wrote, not 6: this library is not "
                  "the version that firn was built for",
                  (unsigned long long)duckdb_column_count(result));
    }
    for (;;) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
        if (chunk == NULL) {
            return FIRN_OK;
        }
        firn_rc rc = read_chunk(arena, plan, spec, partition, chunk, out, err);
        duckdb_destroy_data_chunk(&chunk);
        FIRN_TRY(rc);
    }
}
