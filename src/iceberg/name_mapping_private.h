/* Inside iceberg/: keeping a table's name mapping in step with its schema. */
#ifndef ICEBERG_NAME_MAPPING_PRIVATE_H
#define ICEBERG_NAME_MAPPING_PRIVATE_H

#include "iceberg/metadata.h"

json_t *firn_name_mapping_of_type(const firn_type *type); /* new reference */

/* Bring a mapping of `old_schema` up to `type`, the new schema's root: new fields are added, new names of
 * renamed ones join their old names. Changes `list` in place. */
void firn_name_mapping_update(json_t *list, const firn_type *type, const firn_schema *old_schema);

#endif
