/* What decides whether a table's file may be deleted: the states that other branches and tags have of the table, and the folders
 * that are the table's own.
 *
 * Nothing here deletes. For purging (catalog.h) and for maintenance, which commit first and delete afterwards.
 */
#ifndef CATALOG_KEEP_H
#define CATALOG_KEEP_H

#include "catalog/catalog.h"

/* A state of a table: a metadata file, and a ref that has it. */
typedef struct firn_table_state {
    const char *ref; /* the first by name */
    const char *location;
} firn_table_state;
/* Of the refs other than `ref` (NULL: main); content_id is that of the table's entry. None in a remote catalog, which has no
 * branches that firn knows of. */
firn_rc firn_catalog_table_states(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                  const char *content_id, firn_table_state **out, size_t *n,
                                  firn_err *err) FIRN_MUST_USE;

/* The folders under which a table writes: its location and those of its write.* properties. A file elsewhere was taken over where
 * it lay and is somebody else's. */
typedef struct firn_own_folders {
    FIRN_VEC(const char *) paths; /* "/a/b/" */
} firn_own_folders;
void firn_own_folders_of(firn_arena *arena, const firn_metadata *metadata, firn_own_folders *out);
bool firn_own_folders_have(const firn_own_folders *folders, const char *location);

#endif
