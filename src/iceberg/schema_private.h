/* Inside iceberg/: what several files need to know of types and schemas beyond iceberg/type.h. */
#ifndef ICEBERG_SCHEMA_PRIVATE_H
#define ICEBERG_SCHEMA_PRIVATE_H

#include "iceberg/type.h"

enum {
    FIRN_TYPE_DEPTH_MAX = 64,
    FIRN_SCHEMA_FIELDS_MAX = 10000,
    FIRN_DECIMAL_PRECISION_MAX = 38,
};

/* A copy in `arena` whose names, docs and defaults still point into the JSON that `schema` was read from:
 * for a new view of a document that shares that JSON. */
firn_schema *firn_schema_clone(firn_arena *arena, const firn_schema *schema);
/* The same fields, docs and defaults and the same identifier fields; schema ids aside. */
bool firn_schema_same(const firn_schema *a, const firn_schema *b);
/* INVALID when a type or default needs a newer format version. */
firn_rc firn_schema_check_version(const firn_schema *schema, int format_version,
                                  firn_err *err) FIRN_MUST_USE;
/* INVALID when the field may not identify rows (spec: "Identifier Field IDs"). */
firn_rc firn_schema_check_identifier(const firn_schema *schema, int32_t field_id,
                                     firn_err *err) FIRN_MUST_USE;

/* The fields from the top level down to `field_id`, itself last. 0 if the id is not there. */
size_t firn_schema_chain(const firn_schema *schema, int32_t field_id,
                         const firn_field *chain[FIRN_TYPE_DEPTH_MAX]);

/* Give `*type` and everything below fresh ids, after *last_id. */
firn_type *firn_type_assign_fresh_ids(firn_arena *arena, const firn_type *type, int32_t *last_id);

/* May a column of type `from` become `to` in a table of this format version? (spec: "Schema Evolution") */
bool firn_type_promotable(const firn_type *from, const firn_type *to, int format_version);

/* Checks a default against its field's type and gives its normal form (new reference in the arena).
 * `what` names the field. */
firn_rc firn_default_check(firn_arena *arena, const firn_type *type, const json_t *value,
                           const char *what, json_t **out, firn_err *err) FIRN_MUST_USE;

#endif
