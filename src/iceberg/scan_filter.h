/* A row predicate made ready to be asked of many files: projections per partition spec, and per manifest the
 * metric columns that it looks at. Nothing is allocated per file.
 *
 * A filter is immutable once made and shared by threads; a binding belongs to one thread.
 */
#ifndef ICEBERG_SCAN_FILTER_H
#define ICEBERG_SCAN_FILTER_H

#include "expr_private.h"
#include "manifest_data.h"

typedef enum firn_fate {
    FIRN_KEEP,
    FIRN_SKIP_PARTITION,
    FIRN_SKIP_BOUNDS,
    FIRN_SKIP_COUNTS,
} firn_fate;

typedef struct firn_file_filter firn_file_filter;

typedef struct firn_filter_spec { /* the filter as one partition spec sees it */
    const firn_partition_spec *spec;
    const firn_type *partition_type;
    const firn_expr *inclusive;
    const firn_expr **strict; /* per leaf */
} firn_filter_spec;

typedef struct firn_filter_binding {
    const firn_file_filter *filter;
    const firn_filter_spec *spec;
    firn_manifest *manifest;
    const firn_metric_column **columns; /* per distinct field */
} firn_filter_binding;

/* `expr` NULL: every row. It must refer to fields of `schema`. */
firn_file_filter *firn_file_filter_new(firn_arena *arena, const firn_metadata *metadata,
                                       const firn_schema *schema, const firn_expr *expr);
bool firn_file_filter_is_true(const firn_file_filter *filter);
bool firn_file_filter_manifest(const firn_file_filter *filter, const firn_manifest_file *file);

void firn_filter_bind(const firn_file_filter *filter, firn_arena *arena, firn_manifest *manifest,
                      firn_filter_binding *out);
/* May the i-th file hold matching rows? Data files only: metrics of delete files are of deleted rows. */
firn_fate firn_filter_test(const firn_filter_binding *binding, size_t i);
/* By its partition alone: delete files, too. */
bool firn_filter_tuple(const firn_filter_binding *binding, const firn_value *tuple);
/* Do all rows of the i-th file match, by its partition and its metrics? */
bool firn_filter_all_match(const firn_filter_binding *binding, size_t i);
/* Do all rows of the tuple's partition match? */
bool firn_filter_tuple_all_match(const firn_filter_binding *binding, const firn_value *tuple);

#endif
