/* Partition specs, sort orders and transforms (spec: "Partitioning", "Partition Transforms", "Sorting").
 */
#ifndef ICEBERG_PARTITION_H
#define ICEBERG_PARTITION_H

#include "iceberg/value.h"

typedef enum firn_transform_kind {
    FIRN_TRANSFORM_IDENTITY,
    FIRN_TRANSFORM_BUCKET,
    FIRN_TRANSFORM_TRUNCATE,
    FIRN_TRANSFORM_YEAR,
    FIRN_TRANSFORM_MONTH,
    FIRN_TRANSFORM_DAY,
    FIRN_TRANSFORM_HOUR,
    FIRN_TRANSFORM_VOID,
    FIRN_TRANSFORM_UNKNOWN, /* kept by name, ignored when reading, refused when writing */
} firn_transform_kind;

typedef struct firn_transform {
    firn_transform_kind kind;
    int32_t param;    /* bucket count, truncate width */
    const char *name; /* canonical text: "bucket[16]", "day"; the original for UNKNOWN */
} firn_transform;

firn_transform firn_transform_parse(firn_arena *arena,
                                    const char *text); /* UNKNOWN if not understood */
/* INVALID with the reason when the transform cannot take the type. */
firn_rc firn_transform_check(const firn_transform *transform, const firn_type *source,
                             firn_err *err) FIRN_MUST_USE;
const firn_type *firn_transform_result(firn_arena *arena, const firn_transform *transform,
                                       const firn_type *source);
firn_rc firn_transform_apply(firn_arena *arena, const firn_transform *transform,
                             const firn_type *source, const firn_value *value, firn_value *out,
                             firn_err *err) FIRN_MUST_USE;
/* "2024-02-15", "2024-02", "2024-02-15-10", "3": as Java prints partition values in paths and metadata tables. */
char *firn_transform_human(firn_arena *arena, const firn_transform *transform,
                           const firn_type *source, const firn_value *result);

typedef struct firn_partition_field {
    int32_t field_id;
    int32_t source_id;   /* first of source_ids */
    int32_t *source_ids; /* v3 multi-argument transforms */
    size_t n_source_ids;
    const char *name;
    firn_transform transform;
} firn_partition_field;

typedef struct firn_partition_spec {
    int32_t spec_id;
    firn_partition_field *fields;
    size_t n_fields;
} firn_partition_spec;

firn_rc firn_partition_spec_from_json(firn_arena *arena, const json_t *json, const char *what,
                                      firn_partition_spec **out, firn_err *err) FIRN_MUST_USE;
json_t *firn_partition_spec_to_json(const firn_partition_spec *spec); /* new reference */
bool firn_partition_spec_is_unpartitioned(
    const firn_partition_spec *spec); /* no fields or all void */
/* Struct type of the partition tuple; a field whose source column is gone has type unknown. */
firn_type *firn_partition_type(firn_arena *arena, const firn_partition_spec *spec,
                               const firn_schema *schema);
/* "ts_day=2024-02-15/category=Books", URL-encoded as Java does. */
char *firn_partition_path(firn_arena *arena, const firn_partition_spec *spec,
                          const firn_schema *schema, const firn_value *values);
/* The same fields under the same transforms, ids aside. */
bool firn_partition_spec_compatible(const firn_partition_spec *a, const firn_partition_spec *b);

typedef struct firn_sort_field {
    firn_transform transform;
    int32_t source_id;
    bool descending;
    bool nulls_last;
} firn_sort_field;

typedef struct firn_sort_order {
    int32_t order_id; /* 0: unsorted */
    firn_sort_field *fields;
    size_t n_fields;
} firn_sort_order;

firn_rc firn_sort_order_from_json(firn_arena *arena, const json_t *json, const char *what,
                                  firn_sort_order **out, firn_err *err) FIRN_MUST_USE;
json_t *firn_sort_order_to_json(const firn_sort_order *order); /* new reference */

#endif
