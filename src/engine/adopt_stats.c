/* Raw statistics of footers to data files of a table: partition values, metrics by field id, bounds.
 *
 * What a footer says is trusted where the format defines it: no bounds for floats (whether NaN is there is not told), for binaries,
 * fixed and UUIDs (DuckDB prints them escaped), for instants of 96 bits (their order was never defined) and for strings that are
 * printed with escapes.
 */
#include "adopt.h"

#include <stdlib.h>
#include <string.h>

typedef struct maker {
    firn_adopter *a;
    firn_arena *arena;
    const firn_metadata *table;
    const firn_partition_spec *spec;
    firn_metrics_plan *plan;
    firn_name_mapping_field *mapping;
    size_t n_mapping;
} maker;

/* ---- which leaf is which field ----------------------------------------------------------------------------- */

typedef struct leaf_walk {
    const maker *m;
    const firn_adopt_file *file;
    int32_t *field_ids; /* of leaves, in the footer's order; -1: not in the table */
    size_t n;
} leaf_walk;

/* A file with ids of its own is read by them, so they must be the table's. */
static firn_rc check_id(const leaf_walk *walk, const firn_footer_column *column, const char *path,
                        int32_t field_id, firn_err *err)
{
    if (walk->file->footer->has_field_ids && column->field_id != field_id) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "%s carries field ids of its own: column %s has %d where %s has %d, so it would be "
            "read wrongly. If it is a file of another Iceberg table, register that table; else "
            "copy the rows with INSERT ... SELECT",
            walk->file->relative, path, (int)column->field_id, walk->m->a->text, (int)field_id);
    }
    return FIRN_OK;
}

static void skip_leaves(leaf_walk *walk, const firn_footer_column *column)
{
    if (column->n_children == 0) {
        walk->field_ids[walk->n++] = -1;
    }
    for (size_t i = 0; i < column->n_children; i++) {
        skip_leaves(walk, &column->children[i]);
    }
}

static firn_rc walk_leaves(leaf_walk *walk, const firn_footer_column *column, bool in_list,
                           const char *path, const firn_name_mapping_field *field, firn_err *err)
{
    firn_footer_view view = firn_footer_view_of(walk->m->arena, column, in_list);
    if (field == NULL) {
        skip_leaves(walk, column);
        return FIRN_OK;
    }
    /* A bare repeated column is a list and its element in one; the id is the list's. */
    bool itself = view.n_children == 1 && view.children[0] == column;
    if (!itself) {
        FIRN_TRY(check_id(walk, column, path, field->field_id, err));
    }
    if (view.kind == FIRN_TYPE_UNKNOWN) {
        walk->field_ids[walk->n++] = field->field_id;
    }
    for (size_t i = 0; i < view.n_children; i++) {
        const char *role = view.kind == FIRN_TYPE_LIST  ? "element"
                           : view.kind == FIRN_TYPE_MAP ? (i == 0 ? "key" : "value")
                                                        : view.children[i]->name;
        FIRN_TRY(walk_leaves(walk, view.children[i], view.kind == FIRN_TYPE_LIST,
                             firn_arena_printf(walk->m->arena, "%s.%s", path, role),
                             firn_name_mapping_find(field->fields, field->n_fields, role), err));
    }
    return FIRN_OK;
}

static firn_rc leaf_fields(const maker *m, const firn_adopt_file *file, int32_t **out,
                           firn_err *err)
{
    const firn_footer_column *root = &file->footer->root;
    leaf_walk walk = {.m = m, .file = file};
    walk.field_ids = FIRN_NEW_N(m->arena, int32_t, file->n_leaves);
    for (size_t i = 0; i < root->n_children; i++) {
        FIRN_TRY(walk_leaves(
            &walk, &root->children[i], false, root->children[i].name,
            firn_name_mapping_find(m->mapping, m->n_mapping, root->children[i].name), err));
    }
    *out = walk.field_ids;
    return FIRN_OK;
}

/* ---- metrics ------------------------------------------------------------------------------------------------ */

static bool bounds_hold(const firn_type *type, const firn_raw_leaf *leaf)
{
    switch (type->id) {
    case FIRN_TYPE_FLOAT:
    case FIRN_TYPE_DOUBLE:
    case FIRN_TYPE_BINARY:
    case FIRN_TYPE_FIXED:
    case FIRN_TYPE_UUID:
    case FIRN_TYPE_TIMESTAMPTZ_NS:
    case FIRN_TYPE_UNKNOWN: return false;
    case FIRN_TYPE_STRING:
        return leaf->min != NULL && leaf->max != NULL && strstr(leaf->min, "\\x") == NULL &&
               strstr(leaf->max, "\\x") == NULL;
    default: return !leaf->no_bounds && leaf->min != NULL && leaf->max != NULL;
    }
}

static int by_field_id(const void *a, const void *b)
{
    int32_t left = ((const firn_column_metrics *)a)->field_id;
    int32_t right = ((const firn_column_metrics *)b)->field_id;
    return (left > right) - (left < right);
}

static void add_metrics(const maker *m, const firn_adopt_file *file, const int32_t *field_ids,
                        firn_data_file *out)
{
    out->metrics = FIRN_NEW_N(m->arena, firn_column_metrics, file->n_leaves);
    for (size_t i = 0; i < file->n_leaves; i++) {
        const firn_raw_leaf *leaf = &file->leaves[i];
        const firn_field *field =
            field_ids[i] >= 0 ? firn_schema_find_id(m->table->schema, field_ids[i]) : NULL;
        if (field == NULL || firn_type_is_nested(field->type)) {
            continue;
        }
        bool bounds = bounds_hold(field->type, leaf) && !leaf->no_bounds;
        firn_column_stats stats = {.size_bytes = leaf->size_bytes,
                                   .values = leaf->values,
                                   .nulls = leaf->nulls,
                                   .min = bounds ? leaf->min : NULL,
                                   .max = bounds ? leaf->max : NULL};
        if (firn_write_column_metrics(m->arena, m->plan, field->id, &stats,
                                      &out->metrics[out->n_metrics])) {
            out->n_metrics++;
        }
    }
    if (out->n_metrics > 0) {
        qsort(out->metrics, out->n_metrics, sizeof(*out->metrics), by_field_id);
    }
}

/* ---- partitions --------------------------------------------------------------------------------------------- */

static const firn_hive_key *key_of(const firn_adopt_file *file, const char *name)
{
    for (size_t i = 0; i < file->n_keys; i++) {
        if (firn_strcaseeq(file->keys[i].name, name)) {
            return &file->keys[i];
        }
    }
    return NULL;
}

/* A file that has the partition column too must agree with its folder: readers differ in which of the two they believe. */
static firn_rc check_column(const maker *m, const firn_adopt_file *file, const int32_t *field_ids,
                            const firn_field *field, const firn_value *value, firn_err *err)
{
    for (size_t i = 0; i < file->n_leaves; i++) {
        const firn_raw_leaf *leaf = &file->leaves[i];
        firn_value min, max;
        if (field_ids[i] != field->id) {
            continue;
        }
        bool told = leaf->min != NULL && leaf->max != NULL && !leaf->no_bounds &&
                    firn_value_from_text(m->arena, field->type, leaf->min, &min, NULL) == FIRN_OK &&
                    firn_value_from_text(m->arena, field->type, leaf->max, &max, NULL) == FIRN_OK;
        bool all_null = leaf->nulls >= 0 && leaf->nulls == leaf->values;
        bool wrong = value->is_null
                         ? leaf->nulls >= 0 && !all_null
                         : leaf->nulls > 0 || (told && (firn_value_cmp(&min, value) != 0 ||
                                                        firn_value_cmp(&max, value) != 0));
        if (wrong) {
            FIRN_FAIL(
                err, FIRN_E_TYPE,
                "%s has a column %s with other values than its folder says (%s): move the file "
                "or rewrite it",
                file->relative, field->name, firn_value_text(m->arena, field->type, value));
        }
    }
    return FIRN_OK;
}

static firn_rc partition_value(const maker *m, const firn_adopt_file *file,
                               const int32_t *field_ids, const firn_partition_field *part,
                               firn_value *out, firn_err *err)
{
    const firn_field *field = firn_schema_find_id(m->table->schema, part->source_id);
    if (part->transform.kind == FIRN_TRANSFORM_VOID || field == NULL) {
        *out = firn_value_null(field != NULL ? field->type->id : FIRN_TYPE_UNKNOWN);
        return FIRN_OK;
    }
    if (part->transform.kind != FIRN_TRANSFORM_IDENTITY) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "%s is partitioned by %s, which no path tells: only tables that are partitioned by "
            "columns as they are can adopt files. Use INSERT ... SELECT",
            m->a->text, part->name);
    }
    const firn_hive_key *key = key_of(file, field->name);
    if (key == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s is partitioned by %s, and the path %s has no folder %s=...", m->a->text,
                  field->name, file->relative, field->name);
    }
    *out = firn_value_null(field->type->id);
    if (key->value != NULL) {
        firn_err detail = {0};
        firn_rc rc = firn_value_from_text(m->arena, field->type, key->value, out, &detail);
        if (rc != FIRN_OK) {
            FIRN_FAIL(err, FIRN_E_TYPE, "%s: the folder says %s=%s, and the column is %s",
                      file->relative, key->name, key->value, firn_type_text(m->arena, field->type));
        }
    }
    return check_column(m, file, field_ids, field, out, err);
}

/* Folders that are no column of the partitioning would lose their values. */
static firn_rc check_all_keys_used(const maker *m, const firn_adopt_file *file, firn_err *err)
{
    for (size_t k = 0; k < file->n_keys; k++) {
        bool used = false;
        for (size_t i = 0; i < m->spec->n_fields && !used; i++) {
            const firn_field *field =
                firn_schema_find_id(m->table->schema, m->spec->fields[i].source_id);
            used = field != NULL && firn_strcaseeq(field->name, file->keys[k].name);
        }
        if (!used) {
            FIRN_FAIL(
                err, FIRN_E_INVALID,
                "%s lies in a folder %s=..., and %s is not partitioned by %s: the value would "
                "be lost",
                file->relative, file->keys[k].name, m->a->text, file->keys[k].name);
        }
    }
    return FIRN_OK;
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static firn_rc make_file(const maker *m, const firn_adopt_file *file, firn_data_file *out,
                         firn_err *err)
{
    int32_t *field_ids = NULL;
    *out = (firn_data_file){.content = FIRN_CONTENT_DATA,
                            .path = file->location,
                            .format = "PARQUET",
                            .spec_id = m->spec->spec_id,
                            .n_partition = m->spec->n_fields,
                            .record_count = file->rows,
                            .file_size_bytes = file->size_bytes,
                            .split_offsets = file->splits,
                            .n_split_offsets = file->n_splits,
                            .sort_order_id = -1,
                            .first_row_id = -1,
                            .content_offset = -1,
                            .content_size_bytes = -1};
    FIRN_TRY(leaf_fields(m, file, &field_ids, err));
    FIRN_TRY(check_all_keys_used(m, file, err));
    out->partition = FIRN_NEW_N(m->arena, firn_value, m->spec->n_fields);
    for (size_t i = 0; i < m->spec->n_fields; i++) {
        FIRN_TRY(partition_value(m, file, field_ids, &m->spec->fields[i], &out->partition[i], err));
    }
    add_metrics(m, file, field_ids, out);
    return FIRN_OK;
}

firn_rc firn_adopt_data_files(firn_adopter *a, firn_arena *arena, const firn_metadata *table,
                              firn_data_file **out, size_t *n, firn_err *err)
{
    maker m = {.a = a, .arena = arena, .table = table, .spec = table->spec};
    const char *text = firn_metadata_property(table, "schema.name-mapping.default", NULL);
    if (text == NULL) {
        text = firn_name_mapping_of_schema(arena, table->schema);
    }
    FIRN_TRY(firn_name_mapping_parse(arena, text, &m.mapping, &m.n_mapping, err));
    m.plan = firn_metrics_plan_new(arena, table);
    *out = FIRN_NEW_N(arena, firn_data_file, a->files.len);
    for (size_t i = 0; i < a->files.len; i++) {
        FIRN_TRY(make_file(&m, &a->files.items[i], &(*out)[i], err));
    }
    *n = a->files.len;
    return FIRN_OK;
}
