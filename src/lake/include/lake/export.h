/* Exporting: a table's present state as a table of its own in another folder, with every path rewritten.
 *
 * The copy has one snapshot (the current one), a new uuid and no properties that speak about the old place. Data files keep their
 * path below the table's folder; files from elsewhere (adopted ones) go to data/. The metadata file is written last: until then the
 * folder is no table, and holds the mark firn-export.partial, which lets the same call start over.
 *
 * Errors: EXISTS for a folder that is not empty, UNSUPPORTED for tables with position delete files in Parquet, which name data files
 * inside (deletion vectors are rewritten, equality deletes need not be), those of storage.
 */
#ifndef LAKE_EXPORT_H
#define LAKE_EXPORT_H

#include "lake/lake.h"

typedef struct firn_lake_export_result {
    const char *metadata_location;
    int64_t files, bytes, rows;
} firn_lake_export_result;

firn_rc firn_lake_export(firn_lake *lake, firn_arena *arena, const firn_table *table,
                         const char *dir, firn_lake_export_result *out,
                         firn_err *err) FIRN_MUST_USE;

#endif
