/*
 * scan_aggregate.c - COUNT(*), MIN and MAX from metadata alone, where it says them exactly; and the positions of a
 * deletion vector.
 *
 * Exact means: every file kept matches the filter as a whole, no delete applies to it other than a vector (whose
 * record count is the number of rows it deletes), and, for MIN and MAX, no delete at all and a bound that writers
 * do not truncate. Bounds of strings and binaries may be cut, those of floats may hide a zero's sign.
 */
#include "format/dv.h"
#include "iceberg/scan.h"
#include "manifest_write.h"
#include "scan_private.h"

static firn_rc count_by_manifests(const firn_scan_options *options, int64_t *rows, firn_err *err)
{
    *rows = -1;
    if (options->filter && options->filter->op != FIRN_EXPR_TRUE)
        return FIRN_OK;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_manifest_file *files;
    size_t n;
    FIRN_TRY(firn_manifest_list_read(options->storage, arena, options->metadata, options->snapshot,
                                     &files, &n, err));
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (files[i].deletes && (files[i].added_files != 0 || files[i].existing_files != 0))
            return FIRN_OK;
        if (!files[i].deletes && (files[i].added_rows < 0 || files[i].existing_rows < 0))
            return FIRN_OK;
        if (!files[i].deletes)
            sum += files[i].added_rows + files[i].existing_rows;
    }
    *rows = sum;
    return FIRN_OK;
}

firn_rc firn_scan_count_rows(const firn_scan_options *options, int64_t *rows, firn_err *err)
{
    *rows = 0;
    if (!options->snapshot)
        return FIRN_OK;
    FIRN_TRY(count_by_manifests(options, rows, err));
    if (*rows >= 0)
        return FIRN_OK;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_scan *scan;
    FIRN_TRY(firn_scan_open(arena, options, &scan, err));
    int64_t sum = 0;
    for (;;) {
        firn_scan_place place;
        FIRN_TRY(firn_scan_next_place(scan, &place, err));
        if (!place.manifest)
            break;
        bool exact = place.all_rows_match;
        sum += place.manifest->record_count[place.row];
        for (size_t i = 0; i < place.n_deletes; i++) {
            exact &= firn_data_file_is_dv(place.deletes[i].file);
            sum -= place.deletes[i].file->record_count;
        }
        if (!exact)
            return FIRN_OK; /* *rows is -1 */
    }
    *rows = sum;
    return FIRN_OK;
}

static bool has_exact_bounds(const firn_type *type)
{
    return (type->id >= FIRN_TYPE_BOOLEAN && type->id <= FIRN_TYPE_LONG) ||
           (type->id >= FIRN_TYPE_DECIMAL && type->id <= FIRN_TYPE_TIMESTAMPTZ_NS);
}

/* Widens [min, max] by one file; false if the file does not say. */
static bool widen(const firn_scan_place *place, const firn_metric_column *column, firn_value *min,
                  firn_value *max)
{
    size_t row = place->row;
    int64_t records = place->manifest->record_count[row];
    if (!place->all_rows_match || place->n_deletes > 0)
        return false;
    if (records == 0 || column->null_counts[row] == records)
        return true;
    const firn_value *lower = &column->lower[row], *upper = &column->upper[row];
    if (lower->is_null || upper->is_null)
        return false;
    if (min->is_null || firn_value_cmp(lower, min) < 0)
        *min = *lower;
    if (max->is_null || firn_value_cmp(upper, max) > 0)
        *max = *upper;
    return true;
}

firn_rc firn_scan_min_max(const firn_scan_options *options, int32_t field_id, firn_value *min,
                          firn_value *max, bool *known, firn_err *err)
{
    const firn_schema *schema = options->schema ? options->schema : options->metadata->schema;
    const firn_field *field = NULL;
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        if (schema->root.fields[i].id == field_id)
            field = &schema->root.fields[i];
    }
    *known = field && has_exact_bounds(field->type);
    if (!*known)
        return FIRN_OK;
    *min = *max = firn_value_null(field->type->id);
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_scan *scan;
    FIRN_TRY(firn_scan_open(arena, options, &scan, err));
    const firn_manifest *of = NULL;
    const firn_metric_column *column = NULL;
    while (*known) {
        firn_scan_place place;
        FIRN_TRY(firn_scan_next_place(scan, &place, err));
        if (!place.manifest)
            break;
        if (place.manifest != of) {
            of = place.manifest;
            column = firn_manifest_column(place.manifest, field_id, field->type);
        }
        *known = widen(&place, column, min, max);
    }
    return FIRN_OK;
}

/* ---- deletion vectors ---------------------------------------------------------------------------------------------- */

static void free_dv(void *ctx)
{
    firn_dv_free(ctx);
}

firn_rc firn_scan_load_dv(firn_storage *storage, firn_arena *arena, const firn_data_file *dv_file,
                          struct firn_dv **out, firn_err *err)
{
    *out = NULL;
    if (!firn_data_file_is_dv(dv_file))
        return FIRN_OK;
    if (dv_file->content_size_bytes <= 0 || dv_file->content_size_bytes > INT32_MAX)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "deletion vector in %s has the impossible size %lld",
                  dv_file->path, (long long)dv_file->content_size_bytes);
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_bytes blob;
    FIRN_TRY(firn_storage_get_range(storage, scratch, dv_file->path, dv_file->content_offset,
                                    (size_t)dv_file->content_size_bytes, &blob, err));
    firn_dv *dv;
    firn_rc rc = firn_dv_deserialise(blob, &dv, err);
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "deletion vector at byte %lld of %s",
                             (long long)dv_file->content_offset, dv_file->path);
    firn_arena_defer(arena, free_dv, dv);
    uint64_t cardinality = firn_dv_cardinality(dv);
    if (dv_file->record_count < 0 || cardinality != (uint64_t)dv_file->record_count)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "deletion vector at byte %lld of %s holds %llu positions; its manifest says %lld",
                  (long long)dv_file->content_offset, dv_file->path,
                  (unsigned long long)cardinality, (long long)dv_file->record_count);
    *out = dv;
    return FIRN_OK;
}
