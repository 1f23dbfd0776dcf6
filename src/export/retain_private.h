/* retain_due.c finds what is due, retain_files.c the files that have it; retain.c does it. */
#ifndef EXPORT_RETAIN_PRIVATE_H
#define EXPORT_RETAIN_PRIVATE_H

#include "export/retain.h"

#include "base/map.h"
#include "base/vec.h"

typedef struct retain_due {
    int64_t rows, files, bytes, partitions;
    const char *where;  /* by days: SQL that the due rows match */
    const char *cutoff; /* by days: "2024-11-30"; rows of that day stay */
    size_t n_parts;     /* by days: of year, month, day, that there are */
    int64_t cutoff_parts[3];
    const char *oldest_kept;     /* nullable */
    FIRN_VEC(const char *) tags; /* by versions: that go */
    int64_t kept_since_ms;       /* by versions: the oldest kept one's snapshot; INT64_MAX: none */
} retain_due;

firn_rc firn_retain_due(firn_session *session, firn_arena *arena, const firn_export_feed *feed,
                        const firn_metadata *metadata, firn_ident ident, int64_t now_us,
                        retain_due *out, firn_err *err) FIRN_MUST_USE;

/* ---- retain_files.c ------------------------------------------------------------------------------------------------------ */

/* Data files, delete files, manifests and manifest lists of the snapshots, live entries alone; `but` (nullable) is left out. */
firn_rc firn_retain_reach(firn_lake *lake, firn_arena *arena, const firn_metadata *metadata,
                          const firn_snapshot *but, firn_map *paths, firn_err *err) FIRN_MUST_USE;

/* Deletes those of `paths` that no state of the table on any ref reaches, and that lie in its own folders. *left: that are reached. */
typedef struct retain_deletion {
    firn_session *session;
    firn_ident ident;
    int64_t deleted_bytes, left;
} retain_deletion;
firn_rc firn_retain_delete(retain_deletion *d, firn_arena *arena, const firn_map *paths,
                           firn_err *err) FIRN_MUST_USE;

/* ---- retain_orphans.c ---------------------------------------------------------------------------------------------------- */

/* Locations of files in the table's folders of days that are due: of whatever is there, which nobody may name. */
void firn_retain_orphans(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed,
                         const firn_metadata *metadata, const retain_due *due, int64_t now_us,
                         firn_map *found);

#endif
