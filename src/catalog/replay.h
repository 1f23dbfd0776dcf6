/* Replaying one side's appends on top of the other's state of a table: what makes merges content-aware. */
#ifndef CATALOG_REPLAY_H
#define CATALOG_REPLAY_H

#include "internal.h"

typedef struct firn_replay {
    const firn_stored *ours_stored, *theirs_stored; /* what it was made from */
    firn_metadata *base, *ours, *theirs;
    const char *obstacle;         /* why it cannot be; NULL: it can */
    firn_snapshot_result written; /* manifests */
    const char *location;         /* the merged metadata file; NULL: not written */
    const firn_stored *merged;    /* the key's content after the merge */
    bool used;                    /* by the merge's last round */
} firn_replay;

/* Whether it can be done; reads metadata, writes nothing. The three are the key's content at the merge base and on both
 * sides, any of them NULL. */
firn_rc firn_replay_check(firn_catalog *catalog, firn_arena *arena, const firn_stored *base,
                          const firn_stored *ours, const firn_stored *theirs, firn_replay *out,
                          firn_err *err) FIRN_MUST_USE;
/* Write the merged snapshot and metadata. On failure, and when it turns out that it cannot be after all (obstacle), what
 * was written is the caller's to discard. */
firn_rc firn_replay_write(firn_catalog *catalog, firn_arena *arena, firn_replay *replay,
                          firn_err *err) FIRN_MUST_USE;
void firn_replay_discard(firn_catalog *catalog, const firn_replay *replay);

#endif
