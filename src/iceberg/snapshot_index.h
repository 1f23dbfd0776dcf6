/* Inside iceberg/: finding a snapshot by its id among thousands.
 *
 * An array sorted by id rather than a hash map: a commit copies it from the base's in one piece and puts one
 * id in between, where a map would be built anew from every snapshot.
 */
#ifndef ICEBERG_SNAPSHOT_INDEX_H
#define ICEBERG_SNAPSHOT_INDEX_H

#include "iceberg/metadata.h"

typedef struct firn_snapshot_index firn_snapshot_index;

/* Of the snapshots as they stand. NULL if an id is there twice; *twice is it then. */
firn_snapshot_index *firn_snapshot_index_new(firn_arena *arena, const firn_snapshot *snapshots,
                                             size_t n, int64_t *twice);
firn_snapshot_index *firn_snapshot_index_copy(firn_arena *arena, const firn_snapshot_index *index);
/* Adds an id that is not there yet. */
void firn_snapshot_index_put(firn_arena *arena, firn_snapshot_index *index, int64_t snapshot_id,
                             size_t position);
/* The snapshot's position in the list, or false. */
bool firn_snapshot_index_get(const firn_snapshot_index *index, int64_t snapshot_id,
                             size_t *position);

#endif
