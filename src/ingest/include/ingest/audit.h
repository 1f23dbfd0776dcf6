/* What a Kafka cluster holds, and which tables it would become: the look before a migration. It joins no group, commits nothing and
 * writes nothing.
 *
 * Formats are guessed from a few records of each partition, the newest ones; columns are those that ingestion itself would make of
 * these records. Records are offsets, so of a compacted topic there may be fewer.
 * Errors: CONFIG (no such source), UNAVAILABLE, PERMISSION, NOT_FOUND (topic), INVALID (pattern).
 */
#ifndef INGEST_AUDIT_H
#define INGEST_AUDIT_H

#include "ingest/feed.h"
#include "source/guess.h"

typedef struct firn_audit {
    const char *topic;
    size_t partitions;
    int64_t records;
    double per_s; /* over the last hour, or the last minute where more is not kept; -1: not known */
    int64_t average_bytes;           /* key and value of the samples; -1: no record */
    int64_t newest_ms;               /* timestamp; -1: none */
    size_t samples, tombstones, bad; /* bad: would become dead letters */
    firn_guess key, value;
    const firn_schema *schema; /* of the table; NULL: `problem` says why */
    const char *problem;       /* nullable */
} firn_audit;

typedef struct firn_audit_options {
    const char *source;  /* NULL: the only one */
    const char *pattern; /* a name, or a regular expression that starts with ^; NULL: all */
} firn_audit_options;
/* Sorted by name. `source`: the one that was looked at. */
firn_rc firn_audit_topics(firn_lake *lake, firn_arena *arena, const firn_audit_options *options,
                          firn_audit **out, size_t *n, firn_err *err) FIRN_MUST_USE;
/* "id bigint, ts timestamptz"; NULL without a schema. */
const char *firn_audit_columns(firn_arena *arena, const firn_audit *audit);
/* "avro shop-value v3 (id 7)" */
const char *firn_audit_format(firn_arena *arena, const firn_guess *guess);
/* A feed file for it, ready to become feeds/<name>.yaml. */
char *firn_audit_feed(firn_arena *arena, const char *source, const firn_audit *audit);

/* How far a feed is behind that nobody runs. */
typedef struct firn_behind {
    int64_t lag;            /* records */
    bool gone;              /* some partition does not have the offset that the table holds */
    int64_t last_commit_us; /* of its tables; 0: none */
} firn_behind;
firn_rc firn_feed_behind(firn_lake *lake, firn_arena *arena, const firn_feed *feed,
                         firn_behind *out, firn_err *err) FIRN_MUST_USE;

#endif
