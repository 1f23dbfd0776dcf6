/* Versions of a feed's table: each export of a ksqlDB table is one, tagged vN in the Iceberg table and filed under version=vN. */
#ifndef EXPORT_VERSIONS_H
#define EXPORT_VERSIONS_H

#include "engine/engine.h"

typedef struct firn_version {
    int64_t number;
    int64_t snapshot_id;
    int64_t made_us;
    int64_t rows, files, bytes;
    bool current;
    int64_t rolled_back_to; /* this version is a copy of that one; 0: an export */
} firn_version;
/* Sorted by number; n 0: the table has none. */
firn_rc firn_versions(const firn_metadata *metadata, firn_arena *arena, firn_version **out,
                      size_t *n, firn_err *err) FIRN_MUST_USE;

/* Going back makes a new version with the rows of the old one: numbers only count up, so whoever reads the highest one, in the folders or by
 * the table, has the rows of then, and the way is written down. The feed of that table is found by its name. NOT_FOUND lists the versions. */
firn_rc firn_version_rollback(firn_session *session, firn_arena *arena, firn_ident ident,
                              int64_t number, int64_t *made, firn_err *err) FIRN_MUST_USE;

/* What changed between two versions, by the key columns (the table's identifier fields; without them: by whole rows, so nothing is
 * `changed`). */
typedef struct firn_version_diff {
    int64_t added, removed, changed, same;
    const char *
        rows_sql; /* SELECT that gives the differing rows: change ('+', '-', '~'), the columns; for the session */
} firn_version_diff;
firn_rc firn_version_compare(firn_session *session, firn_arena *arena, firn_ident ident,
                             const char *from /* "v3", tag, snapshot id */, const char *to,
                             firn_version_diff *out, firn_err *err) FIRN_MUST_USE;

#endif
