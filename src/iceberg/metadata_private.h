/* Inside iceberg/: how table metadata views are made, shared by reading and updating. */
#ifndef ICEBERG_METADATA_PRIVATE_H
#define ICEBERG_METADATA_PRIVATE_H

#include "iceberg/metadata.h"

#include "base/map.h"

#define FIRN_MAIN_BRANCH "main"

enum {
    FIRN_FORMAT_VERSION_MAX = 3,
    FIRN_FORMAT_VERSION_DEFAULT = 2,
    /* Ids of fields, schemas, specs and sort orders: room is left above for new ones, and for the ids that
     * the specification reserves. */
    FIRN_ID_MAX = 2000000000,
};

/* A view of one snapshot's JSON, from which its strings are borrowed. */
firn_rc firn_snapshot_from_json(firn_arena *arena, const json_t *json, const char *what,
                                firn_snapshot *out, firn_err *err) FIRN_MUST_USE;
/* The name is copied. */
firn_rc firn_snapshot_ref_from_json(firn_arena *arena, const char *name, const json_t *json,
                                    const char *what, firn_snapshot_ref *out,
                                    firn_err *err) FIRN_MUST_USE;
json_t *firn_snapshot_ref_to_json(const firn_snapshot_ref *ref); /* new reference */

/* Without trailing slashes; "file:///" and "/" stay. */
char *firn_location_trimmed(firn_arena *arena, const char *location);

/* Index of snapshots: id -> position + 1 as a pointer, so that it outlives a growing array. */
static inline void firn_snapshot_index_put(firn_imap *index, int64_t snapshot_id, size_t position)
{
    firn_imap_put(index, snapshot_id, (void *)(uintptr_t)(position + 1));
}
static inline bool firn_snapshot_index_get(const firn_imap *index, int64_t snapshot_id,
                                           size_t *position)
{
    uintptr_t found = (uintptr_t)firn_imap_get(index, snapshot_id);
    *position = (size_t)found - 1;
    return found != 0;
}

#endif
