/* versions.c and versions_diff.c, for each other. */
#ifndef EXPORT_VERSIONS_PRIVATE_H
#define EXPORT_VERSIONS_PRIVATE_H

#include "export/versions.h"

/* "it has v3, v4, v5", for messages. */
char *firn_versions_text(firn_arena *arena, const firn_metadata *metadata);
/* The column that says the version; NULL: the table has no versions. */
const firn_field *firn_version_column(const firn_metadata *metadata);

#endif
