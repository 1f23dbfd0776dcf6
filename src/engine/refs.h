/* Statements on the lake's refs: refs.c dispatches, refs_merge.c merges and picks. */
#ifndef ENGINE_REFS_H
#define ENGINE_REFS_H

#include "ddl.h"

/* Behind MERGE; behind CHERRY PICK; behind SHOW DIFF. */
firn_rc firn_exec_merge_ref(firn_session *session, firn_parser *parser, firn_result **out,
                            firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_cherry_pick(firn_session *session, firn_parser *parser, firn_result **out,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_show_diff(firn_session *session, firn_parser *parser, firn_result **out,
                       firn_err *err) FIRN_MUST_USE;

#endif
