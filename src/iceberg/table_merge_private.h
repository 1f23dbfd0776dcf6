/* Inside iceberg/: a table merge in the making. */
#ifndef ICEBERG_TABLE_MERGE_PRIVATE_H
#define ICEBERG_TABLE_MERGE_PRIVATE_H

#include "iceberg/table_merge.h"

#include "base/map.h"

typedef struct firn_table_merger {
    firn_arena *arena;
    const firn_table_sides *sides;
    const firn_metadata *base, *ours, *theirs;
    FIRN_VEC(const char *) conflicts;
    json_t *updates;
    bool has_rows;
    FIRN_VEC(const firn_snapshot *) appends; /* to be replayed, newest first */
    const firn_schema *schema;               /* the merged one */
} firn_table_merger;

/* A sentence that is told once. */
void firn_table_merge_conflict(firn_table_merger *m, const char *fmt, ...) FIRN_PRINTF(2, 3);

/* Sets m->schema and appends the updates that lead to it. */
void firn_table_merge_schema(firn_table_merger *m);

/* Whether two specs are the same in every respect but their id. */
bool firn_partition_spec_same(const firn_partition_spec *a, const firn_partition_spec *b);

/* Into `all`: the snapshots whose files the current one's line has appended, also under the names of replays. */
void firn_snapshot_origins(firn_arena *arena, const firn_metadata *metadata, firn_imap *all);
typedef enum firn_held { FIRN_NOT_HELD, FIRN_PARTLY_HELD, FIRN_HELD } firn_held;
/* Whether a line with these origins has what the snapshot did. */
firn_held firn_snapshot_held(firn_arena *arena, const firn_imap *ours,
                             const firn_snapshot *snapshot);

/* Whether a summary's key tells how far an exactly-once writer has come (Flink, Kafka Connect, Spark's streaming). */
bool firn_summary_key_is_position(const char *key);

/* Append on `ours` what these snapshots of `theirs` appended, as one snapshot. */
typedef struct firn_replay_request {
    const firn_metadata *base;   /* where the sides parted */
    const firn_snapshot *common; /* its current snapshot; nullable */
    const firn_metadata *ours, *theirs;
    const firn_snapshot **appends; /* newest first */
    size_t n_appends;
} firn_replay_request;
firn_rc firn_snapshot_replay(const firn_replay_request *request, firn_storage *storage,
                             firn_manifest_cache *cache, firn_arena *arena, json_t *updates,
                             json_t *requirements, firn_snapshot_result *out,
                             firn_err *err) FIRN_MUST_USE;

#endif
