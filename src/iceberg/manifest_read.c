/*
 * manifest_read.c - decoded manifests as their users see them: opening through the cache, entries, one column's
 * metrics.
 */
#include "manifest_data.h"

#include <stdlib.h>

firn_manifest *firn_manifest_ref(firn_manifest *manifest)
{
    atomic_fetch_add_explicit(&manifest->refs, 1, memory_order_relaxed);
    return manifest;
}

void firn_manifest_unref(firn_manifest *manifest)
{
    if (manifest && atomic_fetch_sub_explicit(&manifest->refs, 1, memory_order_acq_rel) == 1)
        firn_manifest_destroy(manifest);
}

static void free_column(firn_metric_column *column)
{
    free(column->lower);
    free(column->upper);
    free(column->value_counts);
    free(column->null_counts);
    free(column->nan_counts);
    free(column);
}

void firn_manifest_destroy(firn_manifest *m)
{
    while (m->columns) {
        firn_metric_column *column = m->columns;
        m->columns = column->next;
        free_column(column);
    }
    for (int k = 0; k < FIRN_METRIC_COUNT; k++) {
        free(m->metrics[k].shape);
        free(m->metrics[k].first);
        free(m->metrics[k].counts);
        free(m->metrics[k].wide_counts);
        free(m->metrics[k].ends);
        free(m->metrics[k].bytes);
    }
    void *arrays[] = {
        m->status,
        m->content,
        m->format,
        m->sort_order_id,
        m->snapshot_id,
        m->data_sequence_number,
        m->file_sequence_number,
        m->record_count,
        m->file_size_bytes,
        m->first_row,
        m->content_offset,
        m->content_size,
        m->file_path,
        m->referenced,
        m->key_metadata,
        m->split_first,
        m->equality_first,
        m->partition,
        m->text,
        m->splits,
        m->equality_ids,
        m->shapes,
        m->path,
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    pthread_mutex_destroy(&m->lock);
    firn_arena_free(m->arena);
    free(m);
}

firn_rc firn_manifest_open(firn_storage *storage, firn_manifest_cache *cache,
                           const firn_metadata *metadata, const firn_manifest_file *file,
                           firn_manifest **out, firn_err *err)
{
    if (cache) {
        *out = firn_manifest_cache_get(cache, file);
        if (*out)
            return FIRN_OK;
    }
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_bytes bytes;
    firn_rc rc =
        firn_storage_get(storage, scratch, file->path, FIRN_MANIFEST_BYTES_MAX, &bytes, err);
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "cannot read a manifest");
    firn_manifest *manifest;
    FIRN_TRY(firn_manifest_decode(bytes, metadata, file, &manifest, err));
    *out = cache ? firn_manifest_cache_put(cache, manifest) : manifest;
    return FIRN_OK;
}

size_t firn_manifest_len(const firn_manifest *manifest)
{
    return manifest->n;
}

/* ---- metrics ------------------------------------------------------------------------------------------------ */

/* Where the field's item lies among those of a row of this shape; -1: nowhere. */
static int64_t place_in_shape(const firn_metric_shape *shape, int32_t field_id)
{
    for (size_t i = 0; i < shape->n; i++) {
        if (shape->ids[i] == field_id)
            return (int64_t)i;
    }
    return -1;
}

static firn_bytes item_bytes(const firn_metric_map *map, size_t item)
{
    uint32_t start = item > 0 ? map->ends[item - 1] : 0;
    return firn_bytes_of(map->bytes + start, map->ends[item] - start);
}

firn_bytes firn_manifest_bound(const firn_manifest *m, firn_metric_kind kind, size_t row,
                               int32_t field_id)
{
    const firn_metric_map *map = &m->metrics[kind];
    int64_t place = place_in_shape(&m->shapes[map->shape[row]], field_id);
    if (place < 0)
        return (firn_bytes){0};
    return item_bytes(map, map->first[row] + (size_t)place);
}

static int64_t *places_of(const firn_manifest *m, int32_t field_id)
{
    int64_t *places = firn_malloc(m->n_shapes * sizeof *places);
    for (size_t s = 0; s < m->n_shapes; s++)
        places[s] = place_in_shape(&m->shapes[s], field_id);
    return places;
}

static int64_t *column_counts(const firn_manifest *m, firn_metric_kind kind, const int64_t *places)
{
    const firn_metric_map *map = &m->metrics[kind];
    int64_t *counts = firn_malloc((m->n + 1) * sizeof *counts);
    for (size_t i = 0; i < m->n; i++) {
        int64_t place = places[map->shape[i]];
        counts[i] = place < 0 ? -1 : firn_metric_count(map, map->first[i] + (size_t)place);
    }
    return counts;
}

static firn_value *column_bounds(const firn_manifest *m, firn_metric_kind kind,
                                 const int64_t *places, const firn_type *type)
{
    const firn_metric_map *map = &m->metrics[kind];
    firn_value *bounds = firn_malloc((m->n + 1) * sizeof *bounds);
    for (size_t i = 0; i < m->n; i++) {
        int64_t place = places[map->shape[i]];
        bounds[i] = firn_value_null(type->id);
        if (place < 0 || firn_type_is_nested(type))
            continue;
        firn_value value;
        firn_bytes bytes = item_bytes(map, map->first[i] + (size_t)place);
        /* A bound of the wrong length, or NaN, is treated as not recorded: pruning then keeps the file. */
        if (firn_value_decode(type, bytes, &value, NULL) == FIRN_OK && !firn_value_is_nan(&value))
            bounds[i] = value;
    }
    return bounds;
}

static bool same_primitive(const firn_type *a, const firn_type *b)
{
    return a->id == b->id && a->precision == b->precision && a->scale == b->scale &&
           a->length == b->length;
}

const firn_metric_column *firn_manifest_column(firn_manifest *m, int32_t field_id,
                                               const firn_type *type)
{
    pthread_mutex_lock(&m->lock);
    firn_metric_column *column = m->columns;
    while (column && (column->field_id != field_id || !same_primitive(&column->type, type)))
        column = column->next;
    size_t bytes = 0;
    if (!column) {
        int64_t *places = places_of(m, field_id);
        column = firn_calloc(1, sizeof *column);
        column->field_id = field_id;
        column->type = (firn_type){.id = type->id,
                                   .precision = type->precision,
                                   .scale = type->scale,
                                   .length = type->length};
        column->lower = column_bounds(m, FIRN_METRIC_LOWER, places, type);
        column->upper = column_bounds(m, FIRN_METRIC_UPPER, places, type);
        column->value_counts = column_counts(m, FIRN_METRIC_VALUES, places);
        column->null_counts = column_counts(m, FIRN_METRIC_NULLS, places);
        column->nan_counts = column_counts(m, FIRN_METRIC_NANS, places);
        free(places);
        column->next = m->columns;
        m->columns = column;
        bytes = m->n * (2 * sizeof(firn_value) + 3 * sizeof(int64_t));
        atomic_fetch_add(&m->bytes, bytes);
    }
    pthread_mutex_unlock(&m->lock);
    if (bytes > 0 && m->cache)
        firn_manifest_cache_grew(m->cache, m, bytes);
    return column;
}

/* ---- entries ------------------------------------------------------------------------------------------------ */

static int cmp_metrics(const void *a, const void *b)
{
    const firn_column_metrics *x = a, *y = b;
    return (x->field_id > y->field_id) - (x->field_id < y->field_id);
}

static firn_column_metrics *find_metrics(firn_data_file *file, int32_t field_id, size_t hint)
{
    if (hint < file->n_metrics && file->metrics[hint].field_id == field_id)
        return &file->metrics[hint];
    for (size_t i = 0; i < file->n_metrics; i++) {
        if (file->metrics[i].field_id == field_id)
            return &file->metrics[i];
    }
    firn_column_metrics *metrics = &file->metrics[file->n_metrics++];
    *metrics = (firn_column_metrics){.field_id = field_id,
                                     .size_bytes = -1,
                                     .value_count = -1,
                                     .null_count = -1,
                                     .nan_count = -1};
    return metrics;
}

static void put_metric(const firn_metric_map *map, firn_metric_kind kind, size_t item,
                       firn_column_metrics *out)
{
    switch (kind) {
    case FIRN_METRIC_SIZE: out->size_bytes = firn_metric_count(map, item); break;
    case FIRN_METRIC_VALUES: out->value_count = firn_metric_count(map, item); break;
    case FIRN_METRIC_NULLS: out->null_count = firn_metric_count(map, item); break;
    case FIRN_METRIC_NANS: out->nan_count = firn_metric_count(map, item); break;
    case FIRN_METRIC_LOWER: out->lower = item_bytes(map, item); break;
    case FIRN_METRIC_UPPER: out->upper = item_bytes(map, item); break;
    case FIRN_METRIC_COUNT: break;
    }
}

static void fill_metrics(const firn_manifest *m, firn_arena *arena, size_t row,
                         firn_data_file *file)
{
    size_t most = 0;
    for (int k = 0; k < FIRN_METRIC_COUNT; k++)
        most += m->shapes[m->metrics[k].shape[row]].n;
    if (most == 0)
        return;
    file->metrics = firn_arena_alloc(arena, firn_mul_size(most, sizeof *file->metrics));
    for (int k = 0; k < FIRN_METRIC_COUNT; k++) {
        const firn_metric_map *map = &m->metrics[k];
        const firn_metric_shape *shape = &m->shapes[map->shape[row]];
        for (size_t i = 0; i < shape->n; i++)
            put_metric(map, (firn_metric_kind)k, map->first[row] + i,
                       find_metrics(file, shape->ids[i], i));
    }
    bool sorted = true;
    for (size_t i = 1; i < file->n_metrics; i++)
        sorted &= file->metrics[i - 1].field_id < file->metrics[i].field_id;
    if (!sorted)
        qsort(file->metrics, file->n_metrics, sizeof *file->metrics, cmp_metrics);
}

void firn_manifest_entry_get(const firn_manifest *m, firn_arena *arena, size_t i, bool with_metrics,
                             firn_manifest_entry *out)
{
    *out = (firn_manifest_entry){
        .status = (firn_entry_status)m->status[i],
        .snapshot_id = m->snapshot_id[i],
        .data_sequence_number = m->data_sequence_number[i],
        .file_sequence_number = m->file_sequence_number[i],
        .file =
            {
                .content = (firn_content)m->content[i],
                .path = firn_manifest_path(m, i),
                .format = m->n_formats > 0 ? m->formats[m->format[i]] : "PARQUET",
                .spec_id = m->spec_id,
                .partition = m->n_partition ? &m->partition[i * m->n_partition] : NULL,
                .n_partition = m->n_partition,
                .record_count = m->record_count[i],
                .file_size_bytes = m->file_size_bytes[i],
                .split_offsets = m->splits ? m->splits + m->split_first[i] : NULL,
                .n_split_offsets = m->split_first[i + 1] - m->split_first[i],
                .equality_ids = m->equality_ids ? m->equality_ids + m->equality_first[i] : NULL,
                .n_equality_ids = m->equality_first[i + 1] - m->equality_first[i],
                .sort_order_id = m->sort_order_id[i],
                .first_row_id = m->first_row[i],
                .referenced_data_file = m->referenced[i] ? m->text + m->referenced[i] : NULL,
                .content_offset = m->content_offset ? m->content_offset[i] : -1,
                .content_size_bytes = m->content_size ? m->content_size[i] : -1,
            },
    };
    if (m->key_metadata[i]) {
        uint32_t len;
        const char *at = m->text + m->key_metadata[i];
        memcpy(&len, at, sizeof len);
        out->file.key_metadata = firn_bytes_of(at + sizeof len, len);
    }
    if (with_metrics)
        fill_metrics(m, arena, i, &out->file);
}

void firn_manifest_entry_at(const firn_manifest *manifest, firn_arena *arena, size_t i,
                            firn_manifest_entry *out)
{
    firn_manifest_entry_get(manifest, arena, i, true, out);
}

/* ---- partitions ----------------------------------------------------------------------------------------------- */

firn_type *firn_partition_type_of(firn_arena *arena, const firn_metadata *metadata,
                                  const firn_partition_spec *spec)
{
    firn_type *type = firn_partition_type(arena, spec, metadata->schema);
    for (size_t i = 0; i < spec->n_fields; i++) {
        for (size_t s = metadata->n_schemas; s-- > 0;) {
            if (type->fields[i].type->id != FIRN_TYPE_UNKNOWN)
                break;
            const firn_field *source =
                firn_schema_find_id(metadata->schemas[s], spec->fields[i].source_id);
            if (source)
                type->fields[i].type =
                    firn_transform_result(arena, &spec->fields[i].transform, source->type);
        }
    }
    return type;
}

void firn_partition_key(firn_buf *buf, int32_t spec_id, const firn_value *tuple, size_t n)
{
    firn_buf_append(buf, &spec_id, sizeof spec_id);
    for (size_t i = 0; i < n; i++) {
        const firn_value *value = &tuple[i];
        firn_buf_putc(buf, value->is_null ? 0 : 1);
        if (value->is_null)
            continue;
        int64_t number;
        uint32_t len;
        double real;
        switch (value->type) {
        case FIRN_TYPE_BOOLEAN: firn_buf_putc(buf, value->boolean); break;
        case FIRN_TYPE_INT:
        case FIRN_TYPE_DATE: /* as wide as what they may be promoted to */
            number = value->i32;
            firn_buf_append(buf, &number, sizeof number);
            break;
        case FIRN_TYPE_FLOAT:
        case FIRN_TYPE_DOUBLE:
            real = value->type == FIRN_TYPE_FLOAT ? (double)value->f32 : value->f64;
            firn_buf_append(buf, &real, sizeof real);
            break;
        case FIRN_TYPE_DECIMAL: firn_buf_append(buf, &value->decimal, sizeof value->decimal); break;
        case FIRN_TYPE_STRING:
        case FIRN_TYPE_UUID:
        case FIRN_TYPE_FIXED:
        case FIRN_TYPE_BINARY:
            len = (uint32_t)value->bytes.len;
            firn_buf_append(buf, &len, sizeof len);
            if (len)
                firn_buf_append(buf, value->bytes.data, len);
            break;
        default: firn_buf_append(buf, &value->i64, sizeof value->i64); break;
        }
    }
}

firn_value firn_value_dup(firn_arena *arena, const firn_value *value)
{
    firn_value copy = *value;
    if (!value->is_null && value->type >= FIRN_TYPE_STRING && value->type <= FIRN_TYPE_BINARY)
        copy.bytes = firn_bytes_dup(arena, value->bytes);
    return copy;
}
