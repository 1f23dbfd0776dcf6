/* Metadata tables made of manifest entries: files, entries, partitions, position_deletes and their all_ forms.
 */
#ifndef ENGINE_METADATA_FILES_H
#define ENGINE_METADATA_FILES_H

#include "read.h"

typedef enum firn_metadata_files_kind {
    FIRN_METADATA_FILES = 1,
    FIRN_METADATA_DATA_FILES,
    FIRN_METADATA_DELETE_FILES,
    FIRN_METADATA_ENTRIES,
    FIRN_METADATA_PARTITIONS,
    FIRN_METADATA_POSITION_DELETES,
} firn_metadata_files_kind;

typedef struct firn_metadata_files_options {
    firn_metadata_files_kind kind;
    bool all_snapshots;
    const firn_metadata *metadata;
    const firn_snapshot *snapshot; /* NULL: an empty table */
} firn_metadata_files_options;
firn_rc firn_metadata_files_sql(firn_session *session, firn_arena *arena,
                                const firn_metadata_files_options *options, char **sql,
                                firn_err *err) FIRN_MUST_USE;

#endif
