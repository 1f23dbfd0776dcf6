/* Between changes.c (keys, upserts, what both share) and debezium.c (envelopes). */
#ifndef INGEST_CHANGES_PRIVATE_H
#define INGEST_CHANGES_PRIVATE_H

#include "changes.h"

#include "base/vec.h"

typedef struct firn_change_job {
    firn_session *session;
    firn_arena *arena;
    const firn_feed *feed;
    const firn_rows *rows;
    size_t n_rows;
    const firn_type *root; /* of `batch`: the columns of all chunks */
    firn_change_plan *out;
} firn_change_job;

/* The member of a struct, exactly or in other letter case; NULL: there is none, or the type is no struct. */
const firn_field *firn_change_member(const firn_type *type, const char *name);
/* SQL of a member: of the column itself when `base` is NULL. */
const char *firn_change_path(firn_arena *arena, const char *base, const char *name);
/* Names of the key's columns: the feed's, or the fields of the message's key that `has` knows (NULL: all). CONFIG: none. */
typedef bool (*firn_change_has_fn)(const firn_change_job *job, const char *name);
firn_rc firn_change_key(firn_change_job *job, firn_change_has_fn has, firn_err *err) FIRN_MUST_USE;
bool firn_change_is_key(const firn_change_job *job, const char *name);
/* SQL of a key column out of the message's key; NULL: it is not there. */
const char *firn_change_key_sql(const firn_change_job *job, const char *name);
/* ", _kafka AS ..., {'op': op, 'o': offset} AS __firn_change" */
void firn_change_put_own(const firn_change_job *job, const char *op, firn_buf *out);
/* The names that the decoder gives beside the value's columns. */
bool firn_change_is_message_column(const char *name);

firn_rc firn_debezium_plan(firn_change_job *job, firn_err *err) FIRN_MUST_USE;

#endif
