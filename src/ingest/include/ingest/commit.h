/* One commit of a feed: files of several tables and the offsets that they carry, in one catalog transaction or not at all.
 *
 * The first table is the anchor: its property firn.offsets.<feed> decides. Per partition the commit says [from, to); it is accepted
 * only if the anchor holds `from`, or holds nothing and the feed starts there. The check is made on the metadata that the commit
 * requires, so a twin, a zombie or a process whose partitions were given away cannot get in between (invariants 1 to 3 of
 * docs/internals/ingest.md). The other tables get the same property for people to look at; nobody reads it there.
 *
 * Outcomes:
 *   COMMITTED  the table holds every `to`
 *   REFUSED    the table holds other offsets: the records are somebody else's or there already. Delete the files, go on from the table.
 *   UNSETTLED  it cannot be told. Delete nothing, use no file again, go on from what the table says: should the commit land later, the
 *              next one is REFUSED.
 * Everything else is an error, and the files may be used again. VALIDATION: the table has lost a key column of an upsert; CONFIG: it
 * belongs to another Kafka cluster; NO_TABLE: dropped, or dropped and made anew.
 *
 * Fault points: "ingest.before_commit", "ingest.after_commit". Threads: any.
 */
#ifndef INGEST_COMMIT_H
#define INGEST_COMMIT_H

#include "ingest/ingest.h"

#include "engine/rows.h"

typedef struct firn_feed_range {
    const char *topic;
    int32_t partition;
    int64_t from, to; /* from == to: nothing read yet; the place is recorded */
    bool starts;      /* the table held nothing of the partition: the feed starts at `from` */
} firn_feed_range;

/* What comes into one table. */
typedef struct firn_feed_part {
    firn_ident ident;
    const char *table_uuid; /* that the files were written for; NULL: not asked */
    const firn_data_file *files;
    size_t n_files;
    int32_t schema_id;   /* of all files; -1: they differ */
    firn_upsert *upsert; /* changes by key, instead of an append of `files`; nullable */
} firn_feed_part;

typedef struct firn_feed_commit {
    const char *feed;
    const char *ref;
    const char *cluster; /* id of the Kafka cluster; nullable */
    const firn_feed_range *ranges;
    size_t n_ranges;
    const firn_feed_part *parts; /* [0] is the anchor */
    size_t n_parts;
    const json_t
        *properties;     /* more of the anchor, in the same commit: object of strings; nullable */
    const char *message; /* of the catalog's log */
} firn_feed_commit;

typedef enum firn_feed_outcome {
    FIRN_FEED_COMMITTED,
    FIRN_FEED_REFUSED,
    FIRN_FEED_UNSETTLED
} firn_feed_outcome;

/* why: for REFUSED and UNSETTLED, what the table holds, in `arena`. */
firn_rc firn_feed_commit_run(firn_lake *lake, firn_arena *arena, const firn_feed_commit *commit,
                             firn_feed_outcome *out, const char **why, firn_err *err) FIRN_MUST_USE;

/* ---- the property (offsets.c) ------------------------------------------------------------------------- */

/* The next offset that the table has not got; -1: it holds nothing of this partition. */
int64_t firn_offsets_find(const firn_offset *offsets, size_t n, const char *topic,
                          int32_t partition);
bool firn_offsets_know_topic(const firn_offset *offsets, size_t n, const char *topic);
/* The property's text when these partitions stand at `to`; what it says of others is kept. */
char *firn_offsets_text(firn_arena *arena, const firn_offset *offsets, size_t n,
                        const firn_feed_range *ranges, size_t n_ranges);
char *firn_offsets_property(firn_arena *arena, const char *feed); /* "firn.offsets.<feed>" */
char *firn_cluster_property(firn_arena *arena, const char *feed); /* "firn.cluster.<feed>" */

#endif
