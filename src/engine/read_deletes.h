/* Row-level deletes of the files of a scan.
 *
 * Position deletes and deletion vectors become one bitmap per data file, which SQL asks by firn_deleted (scans.h): five times quicker
 * than an anti-join. Equality deletes become anti-joins, one per list of key columns.
 */
#ifndef ENGINE_READ_DELETES_H
#define ENGINE_READ_DELETES_H

#include "read_shape.h"
#include "scans.h"

/* The bitmaps of n tasks (NULL: nothing is deleted by position), owned by the arena. */
firn_rc firn_deletes_load(firn_session *session, firn_arena *arena,
                          const firn_scan_task *const *tasks, size_t n, const firn_dv **out,
                          firn_err *err) FIRN_MUST_USE;

/* Key columns of equality deletes that the table's schema no longer has; appends to `extras` what is not there yet. */
typedef struct firn_extra_list {
    FIRN_VEC(firn_extra_column) columns;
} firn_extra_list;
firn_rc firn_deletes_keys(firn_arena *arena, const firn_metadata *metadata,
                          const firn_schema *schema, const firn_scan_task *task,
                          firn_extra_list *extras, firn_err *err) FIRN_MUST_USE;

/* " ANTI JOIN (...) AS d0 ON ..." for the equality deletes that apply to `task` (and to all of its group). `shape` is the group's,
 * made with `extras`. Appends nothing if there are none. */
typedef struct firn_antijoin_options {
    const firn_metadata *metadata;
    const firn_schema *schema;
    const firn_scan_task *task;
    const firn_shape *shape;
    const firn_extra_list *extras;
} firn_antijoin_options;
firn_rc firn_deletes_antijoin(firn_session *session, firn_arena *arena,
                              const firn_antijoin_options *options, firn_buf *out,
                              firn_err *err) FIRN_MUST_USE;

#endif
