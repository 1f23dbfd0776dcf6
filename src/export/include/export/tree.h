/* The folder tree of a feed: what pandas, Polars, DuckDB and Spark read, made from the table.
 *
 *   <lake>/streams/<feed>/year=2025/month=01/day=15/data_20250115_120000.parquet
 *   <lake>/tables/<feed>/version=v4/snapshot_20250115_120000.parquet
 *   <lake>/{streams,tables}/<feed>/_metadata.json
 *
 * The tree is a function of the table: the data files of its current snapshot (by version: those of every tag vN that is kept), each under
 * the folders of its partition and the time of the snapshot that added it. Files are hard links to the table's data files, so they take
 * no space; where links cannot be made (another file system), copies of the same size and time. A file whose rows some were deleted of
 * (delete files of other engines) is written anew without them. So a reader of the folders sees committed rows only, whole files only, and
 * no row twice: a folder whose files change (compaction) is built beside and exchanged in one step (renameat2), where the file system
 * cannot do that old files go before new ones come.
 *
 * A file that has the folders' columns itself is written anew without them, since pandas refuses it: who makes a feed's table sets its
 * property FIRN_TREE_COLUMNS_PROPERTY to "false", so that firn's files have them not and can be linked.
 *
 * firn_tree_sync is called after every commit and may be called at any time: it does what is left to do. The caller holds the feed's lock.
 * Fault points: "tree.link", "tree.exchange", "tree.remove", "tree.metadata".
 */
#ifndef EXPORT_TREE_H
#define EXPORT_TREE_H

#include "engine/engine.h"
#include "export/feed.h"

#define FIRN_TREE_COLUMNS_PROPERTY "firn.write.partition-columns"

typedef struct firn_tree_result {
    int64_t added, removed, kept; /* files */
    int64_t copied;               /* of the added ones: links were not possible */
    int64_t rewritten;            /* of the added ones: without deleted rows */
    int64_t partitions, rows, bytes;
} firn_tree_result;
/* Data files that are known not to have the folders' columns: nobody has to look into them. */
typedef struct firn_tree_clean {
    const firn_data_file *files;
    size_t n;
} firn_tree_clean;
/* `clean` is nullable. */
firn_rc firn_tree_sync(firn_session *session, const firn_export_feed *feed, int64_t now_us,
                       const firn_tree_clean *clean, firn_tree_result *out,
                       firn_err *err) FIRN_MUST_USE;

/* _metadata.json, as seed 3 has it. */
typedef struct firn_tree_partition {
    const char *path; /* "year=2025/month=01/day=15", "version=v4" */
    int64_t records, bytes, files;
    const char *exported_at; /* of the newest file */
} firn_tree_partition;
typedef struct firn_tree_metadata {
    const char *last_export; /* "2025-01-15T14:30:00Z"; NULL: never */
    int64_t total_records, total_bytes;
    const firn_tree_partition *partitions;
    size_t n_partitions;
    const json_t *json;
} firn_tree_metadata;
/* NOT_FOUND before the first export. */
firn_rc firn_tree_metadata_read(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed,
                                firn_tree_metadata *out, firn_err *err) FIRN_MUST_USE;

#endif
