/*
 * scan_deletes.c - which deletes apply to a data file.
 *
 *   deletion vector   names its data file; data seq <= delete seq; takes the place of position deletes
 *   position deletes  that name one file (or whose file_path bounds are equal): that file; else the same spec and
 *                     partition, where the bounds of file_path let the path in; data seq <= delete seq
 *   equality deletes  of an unpartitioned spec: every file; else the same spec and partition; data seq < delete seq;
 *                     not if counts or bounds of an equality column show that no row can be equal
 */
#include "scan_deletes.h"

#include "base/map.h"
#include "bytes_map.h"
#include "manifest_write.h"

#include <stdlib.h>

typedef struct equality_stats { /* of one equality column in a delete file */
    size_t field;               /* in index->fields */
    firn_value lower, upper;
    int64_t value_count, null_count;
} equality_stats;

typedef struct delete_item {
    firn_scan_delete public;
    bool used;
    firn_bytes path_lower, path_upper; /* position deletes: of file_path; data NULL: not known */
    equality_stats *equality;
    size_t n_equality;
} delete_item;

typedef FIRN_VEC(delete_item *) delete_list;

typedef struct delete_group { /* of one partition, or of one path */
    delete_list positions, equalities;
} delete_group;

typedef struct equality_field {
    int32_t id;
    const firn_type *type;
    bool required;
} equality_field;

struct firn_delete_index {
    firn_arena *arena;
    const firn_metadata *metadata;
    firn_map *vectors; /* data file path -> delete_item */
    firn_map *by_path; /* data file path -> delete_group */
    firn_bytes_map by_partition;
    delete_list global;
    FIRN_VEC(equality_field) fields;
    size_t n_items;
    int64_t n_used;
    firn_buf key;
};

static void close_index(void *ctx)
{
    firn_delete_index *index = ctx;
    firn_buf_deinit(&index->key);
}

firn_delete_index *firn_delete_index_new(firn_arena *arena, const firn_metadata *metadata)
{
    firn_delete_index *index = FIRN_NEW(arena, firn_delete_index);
    index->arena = arena;
    index->metadata = metadata;
    index->vectors = firn_map_new(arena);
    index->by_path = firn_map_new(arena);
    firn_arena_defer(arena, close_index, index);
    return index;
}

bool firn_delete_index_is_empty(const firn_delete_index *index)
{
    return index->n_items == 0;
}

int64_t firn_delete_index_used(const firn_delete_index *index)
{
    return index->n_used;
}

/* ---- filling --------------------------------------------------------------------------------------------------- */

const char *firn_manifest_delete_target(const firn_manifest *m, size_t i, firn_arena *arena)
{
    if (m->content[i] != FIRN_CONTENT_POSITION_DELETES)
        return NULL;
    if (m->referenced[i])
        return m->text + m->referenced[i];
    firn_bytes lower = firn_manifest_bound(m, FIRN_METRIC_LOWER, i, FIRN_FIELD_DELETE_FILE_PATH);
    firn_bytes upper = firn_manifest_bound(m, FIRN_METRIC_UPPER, i, FIRN_FIELD_DELETE_FILE_PATH);
    /* A truncated upper bound is never equal to a lower one, so equal bounds are the path itself. */
    if (lower.len == 0 || firn_bytes_cmp(lower, upper) != 0)
        return NULL;
    return firn_arena_strndup(arena, (const char *)lower.data, lower.len);
}

static size_t field_index(firn_delete_index *index, int32_t field_id)
{
    for (size_t i = 0; i < index->fields.len; i++) {
        if (index->fields.items[i].id == field_id)
            return i;
    }
    equality_field field = {.id = field_id};
    const firn_metadata *metadata = index->metadata;
    const firn_field *found = firn_schema_find_id(metadata->schema, field_id);
    for (size_t s = metadata->n_schemas; s-- > 0 && !found;)
        found = firn_schema_find_id(metadata->schemas[s], field_id);
    if (found && !firn_type_is_nested(found->type)) {
        field.type = found->type;
        field.required = found->required;
    }
    firn_vec_push(index->arena, &index->fields, field);
    return index->fields.len - 1;
}

static firn_value decode_bound(const firn_type *type, firn_bytes bytes)
{
    firn_value value;
    if (!bytes.data || firn_value_decode(type, bytes, &value, NULL) != FIRN_OK ||
        firn_value_is_nan(&value))
        return firn_value_null(type->id);
    return value;
}

static void add_equality_stats(firn_delete_index *index, delete_item *item)
{
    const firn_data_file *file = item->public.file;
    item->equality = FIRN_NEW_N(index->arena, equality_stats, file->n_equality_ids);
    for (size_t i = 0; i < file->n_equality_ids; i++) {
        size_t field = field_index(index, file->equality_ids[i]);
        const firn_type *type = index->fields.items[field].type;
        if (!type)
            continue;
        equality_stats *stats = &item->equality[item->n_equality++];
        *stats = (equality_stats){.field = field,
                                  .lower = firn_value_null(type->id),
                                  .upper = firn_value_null(type->id),
                                  .value_count = -1,
                                  .null_count = -1};
        for (size_t m = 0; m < file->n_metrics; m++) {
            const firn_column_metrics *metrics = &file->metrics[m];
            if (metrics->field_id != file->equality_ids[i])
                continue;
            stats->lower = decode_bound(type, metrics->lower);
            stats->upper = decode_bound(type, metrics->upper);
            stats->value_count = metrics->value_count;
            stats->null_count = metrics->null_count;
            if (metrics->nan_count != 0 &&
                (type->id == FIRN_TYPE_FLOAT || type->id == FIRN_TYPE_DOUBLE))
                stats->lower.is_null = stats->upper.is_null = true; /* bounds leave NaN out */
        }
    }
}

static delete_group *partition_group(firn_delete_index *index, int32_t spec_id,
                                     const firn_value *tuple, size_t n, bool make)
{
    firn_buf_clear(&index->key);
    firn_partition_key(&index->key, spec_id, tuple, n);
    void **at = firn_bytes_map_at(&index->by_partition, make ? index->arena : NULL,
                                  firn_buf_bytes(&index->key));
    if (!at)
        return NULL;
    if (!*at)
        *at = FIRN_NEW(index->arena, delete_group);
    return *at;
}

static firn_rc add_positions(firn_delete_index *index, const firn_manifest *m, size_t i,
                             delete_item *item, firn_err *err)
{
    const firn_data_file *file = item->public.file;
    const char *target = firn_manifest_delete_target(m, i, index->arena);
    if (firn_data_file_is_dv(file)) {
        if (!target)
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "manifest %s: deletion vector in %s does not name its data file", m->path,
                      file->path);
        const delete_item *other = firn_map_put(index->vectors, target, item);
        if (other)
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "data file %s has two deletion vectors, in %s and %s; it may have one",
                      target, other->public.file->path, file->path);
        return FIRN_OK;
    }
    if (target) {
        delete_group *group = firn_map_get(index->by_path, target);
        if (!group)
            firn_map_put(index->by_path, target, group = FIRN_NEW(index->arena, delete_group));
        firn_vec_push(index->arena, &group->positions, item);
        return FIRN_OK;
    }
    item->path_lower = firn_manifest_bound(m, FIRN_METRIC_LOWER, i, FIRN_FIELD_DELETE_FILE_PATH);
    item->path_upper = firn_manifest_bound(m, FIRN_METRIC_UPPER, i, FIRN_FIELD_DELETE_FILE_PATH);
    delete_group *group =
        partition_group(index, m->spec_id, file->partition, file->n_partition, true);
    firn_vec_push(index->arena, &group->positions, item);
    return FIRN_OK;
}

firn_rc firn_delete_index_add(firn_delete_index *index, const firn_manifest *m, size_t i,
                              firn_err *err)
{
    firn_manifest_entry *entry = FIRN_NEW(index->arena, firn_manifest_entry);
    firn_manifest_entry_get(m, index->arena, i, true, entry);
    delete_item *item = FIRN_NEW(index->arena, delete_item);
    item->public.file = &entry->file;
    item->public.data_sequence_number = entry->data_sequence_number;
    index->n_items++;
    if (entry->file.content == FIRN_CONTENT_POSITION_DELETES)
        return add_positions(index, m, i, item, err);
    if (entry->file.n_equality_ids == 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s: equality delete file %s has no equality_ids",
                  m->path, entry->file.path);
    add_equality_stats(index, item);
    if (firn_partition_spec_is_unpartitioned(m->spec)) {
        firn_vec_push(index->arena, &index->global, item);
        return FIRN_OK;
    }
    delete_group *group =
        partition_group(index, m->spec_id, entry->file.partition, entry->file.n_partition, true);
    firn_vec_push(index->arena, &group->equalities, item);
    return FIRN_OK;
}

static int cmp_items(const void *a, const void *b)
{
    const delete_item *x = *(delete_item *const *)a, *y = *(delete_item *const *)b;
    int64_t p = x->public.data_sequence_number, q = y->public.data_sequence_number;
    return p != q ? (p > q) - (p < q) : strcmp(x->public.file->path, y->public.file->path);
}

static void sort_list(delete_list *list)
{
    if (list->len > 1)
        qsort(list->items, list->len, sizeof *list->items, cmp_items);
}

void firn_delete_index_finish(firn_delete_index *index)
{
    const char *path;
    void *group;
    for (size_t i = 0; firn_map_next(index->by_path, &i, &path, &group);)
        sort_list(&((delete_group *)group)->positions);
    for (size_t i = 0; i < index->by_partition.items.len; i++) {
        delete_group *of_partition = index->by_partition.items.items[i].value;
        sort_list(&of_partition->positions);
        sort_list(&of_partition->equalities);
    }
    sort_list(&index->global);
}

/* ---- asking ------------------------------------------------------------------------------------------------------- */

void firn_delete_index_bind(const firn_delete_index *index, firn_arena *arena,
                            firn_manifest *manifest, firn_delete_binding *out)
{
    out->columns = FIRN_NEW_N(arena, const firn_metric_column *, index->fields.len);
    for (size_t i = 0; i < index->fields.len; i++) {
        const equality_field *field = &index->fields.items[i];
        if (field->type)
            out->columns[i] = firn_manifest_column(manifest, field->id, field->type);
    }
}

/* Can a row of the data file be equal to a deleted one? */
static bool equality_can_apply(const firn_delete_index *index, const firn_delete_binding *binding,
                               size_t row, const delete_item *item)
{
    for (size_t i = 0; i < item->n_equality; i++) {
        const equality_stats *del = &item->equality[i];
        const firn_metric_column *column = binding->columns[del->field];
        if (!column)
            continue;
        const equality_field *field = &index->fields.items[del->field];
        int64_t nulls = column->null_counts[row], values = column->value_counts[row];
        bool may_null = !field->required && nulls != 0;
        bool del_may_null = !field->required && del->null_count != 0;
        if (may_null && del_may_null)
            continue;
        bool all_null = !field->required && nulls > 0 && nulls == values;
        bool del_all_null =
            !field->required && del->null_count > 0 && del->null_count == del->value_count;
        if ((all_null && !del_may_null) || (del_all_null && !may_null))
            return false;
        const firn_value *lower = &column->lower[row], *upper = &column->upper[row];
        bool is_float = field->type->id == FIRN_TYPE_FLOAT || field->type->id == FIRN_TYPE_DOUBLE;
        if (lower->is_null || upper->is_null || del->lower.is_null || del->upper.is_null ||
            (is_float && column->nan_counts[row] != 0))
            continue;
        if (firn_value_cmp(lower, &del->upper) > 0 || firn_value_cmp(&del->lower, upper) > 0)
            return false;
    }
    return true;
}

static bool path_in_bounds(const delete_item *item, const char *path)
{
    firn_bytes bytes = firn_bytes_str(path);
    return (!item->path_lower.data || firn_bytes_cmp(item->path_lower, bytes) <= 0) &&
           (!item->path_upper.data || firn_bytes_cmp(bytes, item->path_upper) <= 0);
}

typedef struct found_list {
    firn_arena *arena;
    firn_delete_index *index;
    FIRN_VEC(firn_scan_delete) deletes;
} found_list;

static void take(found_list *found, delete_item *item)
{
    firn_vec_push(found->arena, &found->deletes, item->public);
    found->index->n_used += !item->used;
    item->used = true;
}

/* First item whose sequence number is at least `from`. */
static size_t first_from(const delete_list *list, int64_t from)
{
    size_t low = 0, high = list->len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list->items[middle]->public.data_sequence_number < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_positions(found_list *found, const delete_list *list,
                           const firn_delete_target *target)
{
    for (size_t i = first_from(list, target->data_sequence_number); i < list->len; i++) {
        if (path_in_bounds(list->items[i], target->path))
            take(found, list->items[i]);
    }
}

static void take_equalities(found_list *found, const firn_delete_binding *binding,
                            const delete_list *list, const firn_delete_target *target)
{
    for (size_t i = first_from(list, target->data_sequence_number + 1); i < list->len; i++) {
        if (!binding || target->row == SIZE_MAX ||
            equality_can_apply(found->index, binding, target->row, list->items[i]))
            take(found, list->items[i]);
    }
}

firn_rc firn_delete_index_find(firn_delete_index *index, const firn_delete_binding *binding,
                               firn_arena *arena, const firn_delete_target *target,
                               const firn_scan_delete **out, size_t *n, firn_err *err)
{
    found_list found = {.arena = arena, .index = index};
    take_equalities(&found, binding, &index->global, target);
    const delete_group *group = NULL;
    if (index->by_partition.items.len > 0)
        group = partition_group(index, target->spec_id, target->tuple, target->n_tuple, false);
    if (group)
        take_equalities(&found, binding, &group->equalities, target);

    delete_item *vector = NULL;
    if (firn_map_len(index->vectors) > 0)
        vector = firn_map_get(index->vectors, target->path);
    if (vector) {
        if (vector->public.data_sequence_number < target->data_sequence_number)
            FIRN_FAIL(
                err, FIRN_E_CORRUPT,
                "the deletion vector of data file %s has sequence number %lld, older than the file's %lld",
                target->path, (long long)vector->public.data_sequence_number,
                (long long)target->data_sequence_number);
        take(&found, vector);
    } else {
        if (group)
            take_positions(&found, &group->positions, target);
        if (firn_map_len(index->by_path) > 0)
            group = firn_map_get(index->by_path, target->path);
        else
            group = NULL;
        if (group)
            take_positions(&found, &group->positions, target);
    }
    *out = found.deletes.items;
    *n = found.deletes.len;
    return FIRN_OK;
}
