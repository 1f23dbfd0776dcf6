/* The delete files of a snapshot, indexed by what they can apply to (spec: "Scan Planning", "Delete Formats").
 *
 * Filled by one thread, then read-only but for the marks of what was used.
 */
#ifndef ICEBERG_SCAN_DELETES_H
#define ICEBERG_SCAN_DELETES_H

#include "iceberg/scan.h"
#include "manifest_data.h"

typedef struct firn_delete_index firn_delete_index;

/* A data file as the index asks about it. */
typedef struct firn_delete_target {
    const char *path;
    int32_t spec_id;
    const firn_value *tuple;
    size_t n_tuple;
    int64_t data_sequence_number;
    size_t row; /* in the bound manifest, for its metrics; SIZE_MAX: no metrics */
} firn_delete_target;

/* A manifest's metrics of the columns that equality deletes compare. */
typedef struct firn_delete_binding {
    const firn_metric_column **columns; /* per equality field of the index; NULL: not bound */
} firn_delete_binding;

firn_delete_index *firn_delete_index_new(firn_arena *arena, const firn_metadata *metadata);
/* Add entry `i` of a delete manifest, which the caller keeps alive. CORRUPT if a data file gets a second vector. */
firn_rc firn_delete_index_add(firn_delete_index *index, const firn_manifest *manifest, size_t i,
                              firn_err *err) FIRN_MUST_USE;
void firn_delete_index_finish(firn_delete_index *index);
bool firn_delete_index_is_empty(const firn_delete_index *index);

void firn_delete_index_bind(const firn_delete_index *index, firn_arena *arena,
                            firn_manifest *manifest, firn_delete_binding *out);
/* Everything that applies to the file. CORRUPT if its vector is older than the file. */
firn_rc firn_delete_index_find(firn_delete_index *index, const firn_delete_binding *binding,
                               firn_arena *arena, const firn_delete_target *target,
                               const firn_scan_delete **out, size_t *n,
                               firn_err *err) FIRN_MUST_USE;
/* How many different delete files were found so far. */
int64_t firn_delete_index_used(const firn_delete_index *index);

/* The one data file that a position delete file or vector is about, or NULL. */
const char *firn_manifest_delete_target(const firn_manifest *manifest, size_t i, firn_arena *arena);

#endif
