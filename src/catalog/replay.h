/* A table that both sides changed: doing on one side's state again what the other did (iceberg/table_merge.h). */
#ifndef CATALOG_REPLAY_H
#define CATALOG_REPLAY_H

#include "internal.h"

#include "iceberg/table_merge.h"

typedef struct firn_replay {
    const firn_stored *base_stored, *ours_stored, *theirs_stored; /* what it is made from */
    const char *ours_name, *theirs_name;
    firn_table_sides sides;
    firn_table_merge plan;
    firn_conflict_type type; /* with obstacles */
    const char *obstacle;    /* in short why it cannot be; NULL: it can */
    bool checked, written;
    firn_snapshot_result files;
    const char *location;      /* the merged metadata file; NULL: not written */
    const firn_stored *merged; /* the key's content after the merge; not yet written: a stand-in */
    bool used;                 /* by the last round */
} firn_replay;

/* Whether it can be done; reads metadata, writes nothing. `ours` (nullable): what the key holds, when that is not written. */
firn_rc firn_replay_check(firn_catalog *catalog, firn_arena *arena, const firn_metadata *ours,
                          firn_replay *replay, firn_err *err) FIRN_MUST_USE;
/* Write the merged snapshot and metadata. On failure, and when it turns out that it cannot be after all (obstacle), what
 * was written is the caller's to discard. */
firn_rc firn_replay_write(firn_catalog *catalog, firn_arena *arena, firn_replay *replay,
                          firn_err *err) FIRN_MUST_USE;
void firn_replay_discard(firn_catalog *catalog, const firn_replay *replay);

#endif
