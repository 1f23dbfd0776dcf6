/* Content files and scan tasks as JSON: see iceberg/scan_json.h for the form. */
#include "iceberg/scan_json.h"

#include "base/vec.h"

#include <inttypes.h>

static json_t *upper_hex(firn_arena *arena, firn_bytes bytes)
{
    char *text = firn_hex(arena, bytes);
    for (char *at = text; *at; at++) {
        if (*at >= 'a' && *at <= 'f')
            *at = (char)(*at - 'a' + 'A');
    }
    return json_string(text);
}

/* ---- partition ---------------------------------------------------------------------------------------------- */

/* The type of a value is known by its transform alone, or by the source column, if that is still there. */
static bool type_is_known(const firn_transform *transform, const firn_type *type)
{
    switch (transform->kind) {
    case FIRN_TRANSFORM_BUCKET:
    case FIRN_TRANSFORM_YEAR:
    case FIRN_TRANSFORM_MONTH:
    case FIRN_TRANSFORM_DAY:
    case FIRN_TRANSFORM_HOUR: return true;
    default: return type->id != FIRN_TYPE_UNKNOWN;
    }
}

static json_t *partition_value(firn_arena *arena, const firn_type *type, const firn_value *value)
{
    bool is_hex = value->type == FIRN_TYPE_BINARY || value->type == FIRN_TYPE_FIXED;
    return !value->is_null && is_hex ? upper_hex(arena, value->bytes)
                                     : firn_value_to_json(arena, type, value);
}

static json_t *partition_to_json(firn_arena *arena, const firn_scan_json_options *options,
                                 const firn_data_file *file)
{
    json_t *list = json_array();
    const firn_partition_spec *spec = firn_metadata_spec(options->metadata, file->spec_id);
    if (!spec)
        return list;
    const firn_type *type = firn_partition_type(arena, spec, options->metadata->schema);
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_type *field = type->fields[i].type;
        bool there = i < file->n_partition && type_is_known(&spec->fields[i].transform, field);
        json_t *value = there ? partition_value(arena, field, &file->partition[i]) : json_null();
        if (json_is_null(value) && options->no_null_partitions) {
            json_array_clear(list);
            return list;
        }
        json_array_append_new(list, value);
    }
    return list;
}

/* ---- metrics ------------------------------------------------------------------------------------------------ */

typedef enum metric {
    COLUMN_SIZE,
    VALUE_COUNT,
    NULL_COUNT,
    NAN_COUNT,
    LOWER_BOUND,
    UPPER_BOUND,
} metric;

static json_t *metric_value(firn_arena *arena, const firn_column_metrics *m, metric which)
{
    int64_t count = -1;
    switch (which) {
    case COLUMN_SIZE: count = m->size_bytes; break;
    case VALUE_COUNT: count = m->value_count; break;
    case NULL_COUNT: count = m->null_count; break;
    case NAN_COUNT: count = m->nan_count; break;
    case LOWER_BOUND: return m->lower.data ? upper_hex(arena, m->lower) : NULL;
    case UPPER_BOUND: return m->upper.data ? upper_hex(arena, m->upper) : NULL;
    }
    return count < 0 ? NULL : json_integer(count);
}

/* {"keys": [ids], "values": [...]} */
static void put_metric(firn_arena *arena, const firn_scan_json_options *options,
                       const firn_data_file *file, const char *name, metric which, json_t *out)
{
    json_t *keys = json_array(), *values = json_array();
    for (size_t i = 0; i < file->n_metrics; i++) {
        const firn_column_metrics *m = &file->metrics[i];
        json_t *value =
            firn_imap_has(options->stats, m->field_id) ? metric_value(arena, m, which) : NULL;
        if (value) {
            json_array_append_new(keys, json_integer(m->field_id));
            json_array_append_new(values, value);
        }
    }
    if (json_array_size(keys) > 0)
        json_object_set_new(out, name, json_pack("{s:O, s:O}", "keys", keys, "values", values));
    json_decref(keys);
    json_decref(values);
}

static void put_metrics(firn_arena *arena, const firn_scan_json_options *options,
                        const firn_data_file *file, json_t *out)
{
    static const char *const names[] = {"column-sizes",     "value-counts", "null-value-counts",
                                        "nan-value-counts", "lower-bounds", "upper-bounds"};
    for (int which = COLUMN_SIZE; options->stats && which <= UPPER_BOUND; which++)
        put_metric(arena, options, file, names[which], (metric)which, out);
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

static const char *content_name(firn_content content)
{
    return content == FIRN_CONTENT_DATA               ? "data"
           : content == FIRN_CONTENT_POSITION_DELETES ? "position-deletes"
                                                      : "equality-deletes";
}

static void put_text(json_t *out, const char *key, const char *text)
{
    json_t *json = text ? json_string(text) : NULL;
    if (json)
        json_object_set_new(out, key, json);
}

static void put_number(json_t *out, const char *key, int64_t number)
{
    if (number >= 0)
        json_object_set_new(out, key, json_integer(number));
}

static void put_lists(const firn_data_file *file, json_t *out)
{
    if (file->n_split_offsets > 0) {
        json_t *list = json_array();
        for (size_t i = 0; i < file->n_split_offsets; i++)
            json_array_append_new(list, json_integer(file->split_offsets[i]));
        json_object_set_new(out, "split-offsets", list);
    }
    if (file->n_equality_ids > 0) {
        json_t *list = json_array();
        for (size_t i = 0; i < file->n_equality_ids; i++)
            json_array_append_new(list, json_integer(file->equality_ids[i]));
        json_object_set_new(out, "equality-ids", list);
    }
}

json_t *firn_content_file_to_json(firn_arena *arena, const firn_scan_json_options *options,
                                  const firn_data_file *file)
{
    json_t *out = json_object();
    json_object_set_new(out, "spec-id", json_integer(file->spec_id));
    put_text(out, "content", content_name(file->content));
    put_text(out, "file-path", file->path);
    put_text(out, "file-format", firn_str_lower(arena, file->format));
    json_object_set_new(out, "partition", partition_to_json(arena, options, file));
    json_object_set_new(out, "file-size-in-bytes", json_integer(file->file_size_bytes));
    json_object_set_new(out, "record-count", json_integer(file->record_count));
    put_metrics(arena, options, file, out);
    if (file->key_metadata.data)
        json_object_set_new(out, "key-metadata", upper_hex(arena, file->key_metadata));
    put_lists(file, out);
    put_number(out, "sort-order-id", file->sort_order_id);
    if (file->content == FIRN_CONTENT_DATA) {
        put_number(out, "first-row-id", file->first_row_id);
    } else {
        put_text(out, "referenced-data-file", file->referenced_data_file);
        put_number(out, "content-offset", file->content_offset);
        put_number(out, "content-size-in-bytes", file->content_size_bytes);
    }
    return out;
}

/* ---- tasks ---------------------------------------------------------------------------------------------------- */

typedef struct delete_list {
    json_t *files;
    firn_map *places; /* path and offset -> place in `files` plus 1 */
} delete_list;

static json_int_t place_of(firn_arena *arena, const firn_scan_json_options *options,
                           delete_list *list, const firn_data_file *file)
{
    const char *key = firn_arena_printf(arena, "%" PRId64 " %s", file->content_offset, file->path);
    uintptr_t place = (uintptr_t)firn_map_get(list->places, key);
    if (place == 0) {
        json_array_append_new(list->files, firn_content_file_to_json(arena, options, file));
        place = json_array_size(list->files);
        firn_map_put(list->places, key, (void *)place); /* NOLINT: a number in a pointer's place */
    }
    return (json_int_t)place - 1;
}

static json_t *task_to_json(firn_arena *arena, const firn_scan_json_options *options,
                            delete_list *list, const firn_scan_task *task)
{
    json_t *out = json_object();
    json_object_set_new(out, "data-file", firn_content_file_to_json(arena, options, task->file));
    if (task->n_deletes > 0) {
        json_t *places = json_array();
        for (size_t i = 0; i < task->n_deletes; i++)
            json_array_append_new(
                places, json_integer(place_of(arena, options, list, task->deletes[i].file)));
        json_object_set_new(out, "delete-file-references", places);
    }
    bool nothing_left = !options->filter || (options->filter_exact && task->all_rows_match);
    if (nothing_left)
        json_object_set_new(out, "residual-filter", json_true());
    else
        json_object_set(out, "residual-filter", (json_t *)options->filter);
    return out;
}

json_t *firn_scan_tasks_to_json(firn_arena *arena, const firn_scan_json_options *options,
                                const firn_scan_task *const *tasks, size_t n)
{
    delete_list list = {.files = json_array(), .places = firn_map_new(arena)};
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, task_to_json(arena, options, &list, tasks[i]));
    json_t *out = json_object();
    if (json_array_size(list.files) > 0)
        json_object_set(out, "delete-files", list.files);
    json_object_set_new(out, "file-scan-tasks", array);
    json_decref(list.files);
    return out;
}
