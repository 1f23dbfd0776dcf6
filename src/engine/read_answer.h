/* Questions that a table's metadata answers: COUNT(*), MIN and MAX; and how many rows a LIMIT can need.
 */
#ifndef ENGINE_READ_ANSWER_H
#define ENGINE_READ_ANSWER_H

#include "read_tree.h"

/* Does the statement have that shape? Then its predicate is worth knowing even where nothing could be pruned. */
bool firn_read_asks_metadata(firn_arena *arena, const firn_tree *tree);

/* Called when predicates are known. Sets out->sql to constants and *answered when the statement is a SELECT of COUNT(*) [, MIN, MAX] over one lake table whose
 * manifests know the answer exactly. */
firn_rc firn_read_answer(firn_session *session, firn_arena *arena, firn_tree *tree,
                         firn_read_plan *out, bool *answered, firn_err *err) FIRN_MUST_USE;

/* Rows of the statement's one table that suffice for its LIMIT; 0: all may be needed. */
int64_t firn_read_row_limit(const firn_tree *tree);

#endif
