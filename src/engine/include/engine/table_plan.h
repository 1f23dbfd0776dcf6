/* Tables to be made: a schema and what CREATE TABLE would say of it, as the updates of a catalog commit.
 *
 * Nothing is committed or written. The caller puts the updates into a FIRN_CHANGE_CREATE_TABLE beside whatever belongs into the same
 * commit (its first snapshot, properties), with firn_require_create; firn_updates_apply gives the metadata that files are written for.
 */
#ifndef ENGINE_TABLE_PLAN_H
#define ENGINE_TABLE_PLAN_H

#include "engine/engine.h"
#include "iceberg/update.h"

typedef struct firn_table_plan_options {
    firn_ident ident;
    const firn_schema *schema; /* its ids are those of the table */
    /* As in SQL: "day(ts)", "bucket(16, id)", "truncate(4, name) AS prefix"; "customer_id desc nulls last". */
    const char *const *partition_by;
    size_t n_partition_by;
    const char *const *sort_by;
    size_t n_sort_by;
    const json_t *properties; /* object of strings; nullable. "format-version" is taken, too */
    int format_version;       /* 0: by the properties, else as firn.yaml says */
    const char *comment;      /* nullable */
} firn_table_plan_options;

/* *updates is an array in the arena. SYNTAX, NO_COLUMN and INVALID name the text that is wrong. */
firn_rc firn_table_plan(firn_session *session, firn_arena *arena,
                        const firn_table_plan_options *options, json_t **updates,
                        firn_err *err) FIRN_MUST_USE;

/* The format version that the table will have: what its schema must be made for. */
firn_rc firn_table_plan_version(firn_session *session, const firn_table_plan_options *options,
                                int *format_version, firn_err *err) FIRN_MUST_USE;

#endif
