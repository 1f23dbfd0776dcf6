/* Feeds of changes: what records mean as changes by key, said in SQL over `batch` (engine/rows.h), so that it composes with the feed's
 * transform and runs in the same statement.
 *
 *   upsert     a record replaces the row of its key; one whose value columns are all null (a tombstone) deletes it. Key columns that
 *              the value does not have come from the message's key.
 *   debezium   envelopes (before, after, op, source, ts_ms), alone or in Connect's JSON {"schema", "payload"}; or what
 *              ExtractNewRecordState leaves of them: the row's fields, __op, __deleted. Operations c, r, u and d become rows of
 *              `after` and deletes; t is a truncation. Tombstones, heartbeats, transactions and schema changes are passed over.
 *
 * A result has the table's columns and one of its own, __firn_change: struct(op, o), o the message's offset. Rows are ordered by it
 * within a partition, which is where Kafka keeps the changes of a key. A transform that does more than SELECT from batch (aggregates,
 * inner queries) must carry __firn_change through.
 *
 * Debezium's and Connect's types that arrive as plain numbers, texts and bytes become what they stand for (debezium.c has the table). They
 * are known by Arrow metadata "connect.name" or by the schema beside the payload.
 */
#ifndef INGEST_CHANGES_H
#define INGEST_CHANGES_H

#include "ingest/feed.h"

#include "engine/rows.h"

typedef struct firn_change_plan {
    const char *sql;     /* the feed's transform is in it; NULL: no record here is a change */
    const char *log_sql; /* debezium: every change as a row, for a log; NULL like sql */
    const char *const *key;
    size_t n_key;
    const char *order_by, *delete_if, *truncate_if; /* as engine/rows.h takes them; nullable */
} firn_change_plan;

/* For a feed of mode upsert or debezium, whose chunks have _key and _kafka under these names. CONFIG: there is no key, or the records
 * are no envelopes. */
firn_rc firn_change_plan_make(firn_session *session, firn_arena *arena, const firn_feed *feed,
                              const firn_rows *rows, size_t n_rows, firn_change_plan *out,
                              firn_err *err) FIRN_MUST_USE;

#endif
