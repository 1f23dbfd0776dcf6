/* Inside iceberg/: how table metadata views are made, shared by reading and updating. */
#ifndef ICEBERG_METADATA_PRIVATE_H
#define ICEBERG_METADATA_PRIVATE_H

#include "iceberg/metadata.h"

#include "snapshot_index.h"

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

#endif
