/* Inside iceberg/: a table merge in the making. */
#ifndef ICEBERG_TABLE_MERGE_PRIVATE_H
#define ICEBERG_TABLE_MERGE_PRIVATE_H

#include "iceberg/table_merge.h"

typedef struct firn_table_merger {
    firn_arena *arena;
    const firn_table_sides *sides;
    const firn_metadata *base, *ours, *theirs;
    FIRN_VEC(const char *) conflicts;
    json_t *updates;
    bool has_rows;
    const firn_schema *schema; /* the merged one */
} firn_table_merger;

/* A sentence that is told once. */
void firn_table_merge_conflict(firn_table_merger *m, const char *fmt, ...) FIRN_PRINTF(2, 3);

/* Sets m->schema and appends the updates that lead to it. */
void firn_table_merge_schema(firn_table_merger *m);

/* Whether two specs are the same in every respect but their id. */
bool firn_partition_spec_same(const firn_partition_spec *a, const firn_partition_spec *b);

#endif
