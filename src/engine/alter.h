/* ALTER TABLE: what its actions share.
 *
 * A statement is a list of actions, read and applied one after the other on the metadata as the earlier ones left it; all their
 * updates are committed together. After a lost race the whole list is read again against the new head.
 */
#ifndef ENGINE_ALTER_H
#define ENGINE_ALTER_H

#include "ddl.h"

typedef struct firn_alter {
    firn_session *session;
    firn_arena *arena;
    firn_parser *parser;
    const char *text;            /* the table, for messages */
    firn_metadata *metadata;     /* base with the actions so far */
    json_t *updates;             /* all of them */
    firn_schema_change *columns; /* open while column actions follow each other; NULL: none */
    bool added;                  /* `columns` has new ones: names may be unknown to `metadata` */
} firn_alter;

/* Close the open column change, so that `metadata` has it. */
firn_rc firn_alter_flush(firn_alter *alter, firn_err *err) FIRN_MUST_USE;
/* Apply `updates` to `metadata` and remember them. */
firn_rc firn_alter_apply(firn_alter *alter, const json_t *updates, firn_err *err) FIRN_MUST_USE;

/* One file per family; each has read the words up to its own. */
firn_rc firn_alter_add_column(firn_alter *alter, firn_err *err) FIRN_MUST_USE;
firn_rc firn_alter_drop_column(firn_alter *alter, firn_err *err) FIRN_MUST_USE;
firn_rc firn_alter_rename_column(firn_alter *alter, firn_err *err) FIRN_MUST_USE;
firn_rc firn_alter_column(firn_alter *alter, firn_err *err) FIRN_MUST_USE;
firn_rc firn_alter_identifier(firn_alter *alter, bool drop, firn_err *err) FIRN_MUST_USE;

typedef enum firn_ref_verb {
    FIRN_REF_CREATE,
    FIRN_REF_CREATE_OR_REPLACE,
    FIRN_REF_REPLACE,
    FIRN_REF_DROP
} firn_ref_verb;
/* The cursor is at BRANCH or TAG: Iceberg's own, inside one table. */
firn_rc firn_alter_ref(firn_alter *alter, firn_ref_verb verb, firn_err *err) FIRN_MUST_USE;

#endif
