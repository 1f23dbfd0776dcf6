/* Inside iceberg/: rules on partition specs and sort orders that updates and evolution share. */
#ifndef ICEBERG_PARTITION_PRIVATE_H
#define ICEBERG_PARTITION_PRIVATE_H

#include "iceberg/metadata.h"

enum {
    FIRN_PARTITION_ID_START = 1000, /* the first partition field id */
    FIRN_SPEC_FIELDS_MAX = 1000,
};

/* "1000: ts_day: day(7)" for messages. */
char *firn_partition_field_text(firn_arena *arena, const firn_partition_field *field);

/* Iceberg's name for a field that was given none: "ts_day", "id_bucket_16", "s_trunc_4", "c", "c_null". */
char *firn_partition_default_name(firn_arena *arena, const firn_transform *transform,
                                  const char *column);

/* Can rows of this schema be written under the spec? Every source exists, is primitive, lies only within
 * structs and suits its transform; void fields are exempt. */
firn_rc firn_partition_spec_check(const firn_partition_spec *spec, const firn_schema *schema,
                                  firn_err *err) FIRN_MUST_USE;
/* Names are not empty, not repeated, and not those of another column. */
firn_rc firn_partition_names_check(const firn_partition_spec *spec, const firn_schema *schema,
                                   firn_err *err) FIRN_MUST_USE;
/* Highest field id, at least 999. */
int32_t firn_partition_last_id(const firn_partition_spec *spec);

firn_rc firn_sort_order_check(const firn_sort_order *order, const firn_schema *schema,
                              firn_err *err) FIRN_MUST_USE;
bool firn_sort_order_same(const firn_sort_order *a, const firn_sort_order *b); /* ids aside */

/* The partition fields of v1's "partition-spec" (a bare list). */
firn_rc firn_partition_fields_from_json(firn_arena *arena, const json_t *fields, const char *what,
                                        firn_partition_spec *spec, firn_err *err) FIRN_MUST_USE;
json_t *firn_partition_fields_to_json(const firn_partition_spec *spec); /* new reference */

#endif
