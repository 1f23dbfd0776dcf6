/* Growth of arena arrays: the one function behind the macros of base/vec.h. */
#include "base/vec.h"

void *firn_vec_grow(firn_arena *arena, void *items, size_t len, size_t *cap, size_t want,
                    size_t item_bytes)
{
    enum { FIRST_CAP = 8 };
    size_t grown = *cap != 0 ? firn_mul_size(*cap, 2) : FIRST_CAP;
    if (grown < want) {
        grown = want;
    }
    void *moved = firn_arena_alloc(arena, firn_mul_size(grown, item_bytes));
    if (len != 0) {
        memcpy(moved, items, len * item_bytes);
    }
    *cap = grown;
    return moved;
}
