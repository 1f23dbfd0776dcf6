/* Upserts, for their two files:
 *
 *   rows_upsert.c   changes of a batch: the last of each key, data files, the snapshot change
 *   upsert_find.c   where a table's head has rows of these keys
 *
 * Temporary tables of an upsert with number n (of the session):
 *
 *   __firn_changes_n   what the statement gives, and __firn_order, __firn_delete, __firn_truncate
 *   __firn_keys_n      k0, k1, ... of the table's types; r: the row of the changes that counts for the key; g: it deletes
 */
#ifndef ENGINE_UPSERT_H
#define ENGINE_UPSERT_H

#include "delete_files.h"

#include "engine/rows.h"

#include "base/map.h"

/* Rows of one data file that go: found once, and good as long as the file is in the table. */
typedef struct firn_upsert_hits {
    const char *path;
    firn_dv *rows;              /* nullable */
    const firn_scan_task *task; /* of the latest plan; NULL: the file is not in it */
} firn_upsert_hits;

struct firn_upsert {
    firn_session *session;
    firn_arena *arena;
    firn_rows_upsert options; /* what is borrowed in it is read by firn_upsert_open alone */
    const char *table_text, *table_uuid; /* uuid nullable */
    const firn_field **key;              /* of the schema that the data files were written with */
    size_t n_key;
    const char *changes, *keys; /* temporary tables, ready for SQL; keys NULL: none */
    int64_t n_changes;          /* rows of `changes` */
    int64_t n_keys, n_gone;
    bool truncates;
    firn_written data; /* data files */

    /* What was found so far. */
    int64_t snapshot_id; /* of the latest plan; -1: none, or the table was empty */
    firn_map *looked_up; /* path -> firn_upsert_hits */
    FIRN_VEC(firn_upsert_hits *) hits;
    uint8_t *matched; /* a bit per row of `changes`: its key has a row in the table */
    int64_t n_updated, n_deleted;
    struct firn_key_values *values; /* of each key column; NULL: not yet */
    const firn_expr *filter;        /* what every row of these keys fulfils */
    firn_written deletes;           /* of the latest plan */
};

/* Bring upsert->hits up to date with the head: files that were not looked into are. */
firn_rc firn_upsert_find(firn_upsert *upsert, const firn_metadata *head,
                         firn_err *err) FIRN_MUST_USE;

#endif
