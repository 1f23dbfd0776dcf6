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

/* Metadata files of tables and views alike. Plain or gzip bytes to JSON. */
firn_rc firn_metadata_file_parse(firn_arena *arena, firn_bytes text, const char *what, json_t **out,
                                 firn_err *err) FIRN_MUST_USE;

typedef struct firn_metadata_file {
    const char *subject;           /* "table", "view": for messages */
    firn_bytes text;               /* the document */
    const char *location;          /* of the table or view */
    const char *folder;            /* property write.metadata.path; NULL: <location>/metadata */
    const char *codec;             /* property write.metadata.compression-codec; NULL: none */
    const char *previous_location; /* NULL: none */
    size_t bytes_max;
    const char *too_large_hint;
} firn_metadata_file;
/* Written under a new name, whose number follows the one in `previous_location`. */
firn_rc firn_metadata_file_store(firn_storage *storage, firn_arena *arena,
                                 const firn_metadata_file *file, char **location,
                                 firn_err *err) FIRN_MUST_USE;

/* Without trailing slashes; "file:///" and "/" stay. */
char *firn_location_trimmed(firn_arena *arena, const char *location);

#endif
