/* Avro schemas of manifests and manifest lists, as text: field ids, names and order are Java's. */
#ifndef ICEBERG_MANIFEST_SCHEMA_H
#define ICEBERG_MANIFEST_SCHEMA_H

#include "iceberg/manifest.h"

/* UNSUPPORTED when a partition field's type is not known. */
firn_rc firn_manifest_avro_schema(firn_arena *arena, int format_version,
                                  const firn_partition_spec *spec, const firn_type *partition_type,
                                  char **out, firn_err *err) FIRN_MUST_USE;
const char *firn_manifest_list_avro_schema(int format_version);

#endif
