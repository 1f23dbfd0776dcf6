/* Three-way merge of one table: what `theirs` did since `base` is done again on `ours`.
 *
 * What merges: appended rows; columns added (identically, if both sides added them); comments and write defaults of columns;
 * identifier fields; properties; partition specs and sort orders, and which is the default; the table's own branches and tags
 * at snapshots that ours has; a format upgrade. One thing changed on both sides must have been changed to the same. All else
 * that theirs did (columns dropped, renamed, retyped; rows deleted or rewritten; rollbacks) is a conflict, and all are told.
 * What ours did beyond that does not matter: theirs comes after it (docs/decisions/016).
 *
 * Nothing is renumbered: field ids, partition field ids and data files stay as they are; so what both sides gave the same
 * id must be the same thing. Schema, spec and sort order ids are given anew where they clash.
 *
 * firn_table_merge_plan reads nothing but the three documents; firn_table_merge_write writes manifests.
 * Lifetime: all results live in the arena. Errors: those of firn_updates_apply and of storage; conflicts are none.
 */
#ifndef ICEBERG_TABLE_MERGE_H
#define ICEBERG_TABLE_MERGE_H

#include "iceberg/snapshot.h"

typedef struct firn_table_sides {
    const firn_metadata *base, *ours, *theirs; /* versions of one table */
    const char *ours_name, *theirs_name;       /* "main", "dev": for conflicts */
} firn_table_sides;

typedef struct firn_table_merge {
    const char **conflicts; /* one sentence each; none: it can be merged */
    size_t n_conflicts;
    json_t *updates;               /* from ours to `metadata` */
    firn_metadata *metadata;       /* merged but for the rows; ours itself when only rows came */
    bool has_rows;                 /* theirs appended some that ours has not */
    const firn_snapshot **appends; /* by these snapshots, newest first */
    size_t n_appends;
} firn_table_merge;

firn_rc firn_table_merge_plan(firn_arena *arena, const firn_table_sides *sides,
                              firn_table_merge *out, firn_err *err) FIRN_MUST_USE;
/* The merged metadata with the rows, not yet stored. What was written (manifests) is in *written, also on failure: the
 * caller's to discard. VALIDATION when the appended files cannot be had. */
firn_rc firn_table_merge_write(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                               const firn_table_sides *sides, const firn_table_merge *merge,
                               const char *previous_location, firn_metadata **out,
                               firn_snapshot_result *written, firn_err *err) FIRN_MUST_USE;

#endif
