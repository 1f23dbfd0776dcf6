#include "read_answer.h"
firn_rc firn_read_answer(firn_session *session, firn_arena *arena, firn_tree *tree,
                         firn_read_plan *out, bool *answered, firn_err *err)
{
    (void)session;
    (void)arena;
    (void)tree;
    (void)out;
    (void)err;
    *answered = false;
    return FIRN_OK;
}
int64_t firn_read_row_limit(const firn_tree *tree)
{
    (void)tree;
    return 0;
}
