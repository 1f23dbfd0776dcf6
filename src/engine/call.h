/* Procedures: what CALL hands to each. The first argument of all of them is the table. */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include "ddl.h"

#include "engine/procedures.h"
#include "iceberg/snapshot.h"

enum { FIRN_CALL_ARGUMENTS_MAX = FIRN_PROCEDURE_ARGUMENTS_MAX };

typedef struct firn_call firn_call;
typedef struct firn_procedure {
    const char *name;
    const char *parameters[FIRN_CALL_ARGUMENTS_MAX]; /* required ones first */
    size_t n_required;
    firn_rc (*run)(firn_call *call, firn_result **out, firn_err *err);
} firn_procedure;

struct firn_call {
    firn_session *session;
    firn_arena *arena;
    firn_parser *parser;
    firn_catalog *catalog;
    const firn_procedure *procedure;
    const firn_outside_procedure *outside; /* what it stands for; NULL: it is the engine's own */
    const char *arguments[FIRN_CALL_ARGUMENTS_MAX]; /* as text; NULL: not given */
    bool given[FIRN_CALL_ARGUMENTS_MAX];
    firn_ident ident;
    const char *text; /* the table, for messages */
};

firn_rc firn_call_i64(const firn_call *call, size_t index, int64_t *out,
                      firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_timestamp_ms(const firn_call *call, size_t index, int64_t *out,
                               firn_err *err) FIRN_MUST_USE;

/* call_snapshot.c */
firn_rc firn_call_rollback_to_snapshot(firn_call *call, firn_result **out,
                                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_rollback_to_timestamp(firn_call *call, firn_result **out,
                                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_set_current_snapshot(firn_call *call, firn_result **out,
                                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_cherrypick(firn_call *call, firn_result **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_publish_changes(firn_call *call, firn_result **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_fast_forward(firn_call *call, firn_result **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_register_table(firn_call *call, firn_result **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_call_ancestors_of(firn_call *call, firn_result **out, firn_err *err) FIRN_MUST_USE;

/* call_add_files.c */
firn_rc firn_call_add_files(firn_call *call, firn_result **out, firn_err *err) FIRN_MUST_USE;

#endif
