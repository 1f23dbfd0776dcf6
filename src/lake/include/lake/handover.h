/* Handing a table over: its current metadata file is registered at another catalog, then its name goes here. No file is copied.
 *
 * In that order, so that whoever dies in between leaves a table with two names and no table without one; the same call then goes on
 * where the other stopped. Fault point: "handover.registered". Two catalogs that both commit to one table destroy it: each swaps a
 * pointer of its own, and neither sees what the other one keeps, rewrites or deletes.
 *
 * Errors: those of both catalogs (the other's are wrapped with its address); EXISTS when the name there is another table's;
 * VALIDATION when both catalogs have committed to the table already.
 */
#ifndef LAKE_HANDOVER_H
#define LAKE_HANDOVER_H

#include "lake/lake.h"

typedef struct firn_handover_options {
    firn_ident ident;
    const char *ref; /* branch here */
    const char *uri; /* the other catalog: http:// or https:// */
    const firn_remote_options *remote;
    firn_ident as; /* its name there */
    bool keep;     /* leave the name here */
} firn_handover_options;

typedef struct firn_handover_result {
    const char *metadata_location;
    bool was_there; /* registered by an earlier run */
    bool repointed; /* the other catalog was behind: it points at the present file now */
    bool moved_on;  /* the other catalog has committed since an earlier run registered it */
    bool dropped;   /* the name is gone here */
    const char *
        *branches; /* other branches here that have the table, too: nobody may commit there */
    size_t n_branches;
} firn_handover_result;

firn_rc firn_lake_handover(firn_lake *lake, firn_arena *arena, const firn_handover_options *options,
                           firn_handover_result *out, firn_err *err) FIRN_MUST_USE;

/* For readers that look for a table by its folder (Spark's and PyIceberg's and DuckDB's path spelling): a copy of the metadata file as
 * v<N>.metadata.json and version-hint.text that names it. It does not follow later commits. Gives the hint's location. */
firn_rc firn_lake_version_hint(firn_lake *lake, firn_arena *arena, const firn_table *table,
                               const char **hint, firn_err *err) FIRN_MUST_USE;

#endif
