/* The rooms of the warehouse scan, for each other. */
#ifndef LAKE_WAREHOUSE_PRIVATE_H
#define LAKE_WAREHOUSE_PRIVATE_H

#include "lake/warehouse.h"

#include "base/map.h"

typedef struct firn_metadata_candidate {
    const char *location;
    const char *name; /* the last part of it */
    int64_t version;  /* -1: not a number's name */
    int64_t size_bytes;
} firn_metadata_candidate;

typedef struct firn_candidates {
    const char *folder; /* of the table */
    FIRN_VEC(firn_metadata_candidate) files;
    const char *hint; /* location of version-hint.text; nullable */
} firn_candidates;

/* Fills metadata, loaded or view, uuid, recorded, figures and note of `out`; or skip. */
void firn_warehouse_pick(firn_storage *storage, firn_arena *arena, firn_candidates *from,
                         firn_found *out);

/* The current snapshot's files: sets out->skip to what is missing. `known` holds the resolved paths of all files of the scan
 * (nullable). */
void firn_warehouse_verify(firn_storage *storage, firn_arena *arena, const firn_map *known,
                           firn_found *out);

/* Adds a remark behind what is there. */
void firn_found_note(firn_arena *arena, firn_found *found, const char *fmt, ...) FIRN_PRINTF(3, 4);

#endif
