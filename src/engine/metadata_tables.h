/* Metadata tables: ns.t.snapshots, "t$files" and the others, with the names and columns that Spark gives them.
 */
#ifndef ENGINE_METADATA_TABLES_H
#define ENGINE_METADATA_TABLES_H

#include "read.h"

bool firn_metadata_table_known(const char *name); /* "snapshots", "all_files", ...; any case */

typedef struct firn_metadata_table_options {
    const char *name;
    const firn_table *table;
    const firn_snapshot *snapshot; /* time travel; NULL: current */
    const char *table_text;
} firn_metadata_table_options;
/* A parenthesised SELECT. */
firn_rc firn_metadata_table_sql(firn_session *session, firn_arena *arena,
                                const firn_metadata_table_options *options, char **sql,
                                firn_err *err) FIRN_MUST_USE;

#endif
