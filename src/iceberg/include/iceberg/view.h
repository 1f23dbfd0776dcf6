/* View metadata (Iceberg view spec, version 1): a JSON document with versions, each a query in one or more SQL dialects.
 *
 * The document is the truth and keeps members that firn does not know; firn_view is a look at it. Immutable; lives in its arena.
 * Column aliases (CREATE VIEW v (a, b) AS ...) are part of the stored query, so that the query alone gives the view's columns.
 *
 * Errors: CORRUPT names the document and the member; UNSUPPORTED when no representation is SQL that firn can read.
 */
#ifndef ICEBERG_VIEW_H
#define ICEBERG_VIEW_H

#include "iceberg/type.h"

#define FIRN_VIEW_DIALECT "duckdb"

typedef struct firn_view {
    json_t *json;
    const char *uuid;
    const char *location;
    int32_t version_id;
    int64_t created_ms; /* of the current version */
    const char *sql;
    const char *dialect;            /* FIRN_VIEW_DIALECT, or whose SQL it is: "spark", "trino" */
    const char **default_namespace; /* levels; unqualified names in `sql` are looked up there */
    size_t n_default_namespace;
    const firn_schema *schema;
    const json_t *properties; /* object of strings, never NULL */
} firn_view;

/* The current version of a view document. The "duckdb" representation is taken if there is one, else the first SQL one. */
firn_rc firn_view_from_json(firn_arena *arena, json_t *json, const char *what, firn_view **out,
                            firn_err *err) FIRN_MUST_USE;

typedef struct firn_view_create {
    const char *sql;
    const char *const *default_namespace;
    size_t n_default_namespace;
    const firn_schema *schema; /* ids are assigned afresh */
    const char *location;      /* new views */
    const json_t *
        properties; /* nullable: object of strings; on replacement they are merged into the old ones */
} firn_view_create;

/* A new document, or `base` with one more version that becomes the current one. Versions beyond the last 10 are forgotten
 * (property version.history.num-entries). New reference. */
firn_rc firn_view_build(firn_arena *arena, const json_t *base /* NULL: new */,
                        const firn_view_create *create, json_t **out, firn_err *err) FIRN_MUST_USE;
/* `base` with properties set (text) and removed (null). New reference. */
json_t *firn_view_with_properties(const json_t *base, const json_t *properties);

#endif
