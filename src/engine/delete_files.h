/* Rows marked as deleted, instead of their files rewritten (spec: "Row-level Deletes"): positions of rows to delete files.
 *
 * Format version 2: Parquet files of (file_path, pos), sorted by both, each in the partition of the data files that it speaks of. One per
 * data file, since readers then open just the one they need; or one per partition, for writers that touch many files with every commit
 * (table property write.delete.granularity decides where it is set).
 *
 * Format version 3: one deletion vector per data file, all vectors of a write in one Puffin file. A data file has at most one, and
 * readers ignore older position delete files beside it; so a new vector takes in the old one, which goes, and the positions of older
 * delete files.
 *
 * Version 1 has neither: UNSUPPORTED.
 */
#ifndef ENGINE_DELETE_FILES_H
#define ENGINE_DELETE_FILES_H

#include "write.h"

#include "format/dv.h"

typedef struct firn_deleted_rows {
    const firn_scan_task *task; /* of the snapshot that the commit will be built upon */
    const firn_dv *rows;        /* positions that go; not empty */
} firn_deleted_rows;

typedef struct firn_delete_write {
    const firn_metadata *metadata;
    const char *table_text;
    const firn_deleted_rows *files; /* each data file once */
    size_t n_files;
    bool by_partition; /* unless the table's property says otherwise */
} firn_delete_write;

typedef FIRN_VEC(const firn_data_file *) firn_replaced_files;

/* Adds durable delete files to `written`, and to `replaced` the vectors that must go in the same commit. On failure what it wrote is
 * deleted and `written` as it was. */
firn_rc firn_delete_files_write(firn_session *session, firn_arena *arena,
                                const firn_delete_write *write, firn_written *written,
                                firn_replaced_files *replaced, firn_err *err) FIRN_MUST_USE;

#endif
