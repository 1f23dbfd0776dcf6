/* Growable arrays inside an arena.
 *
 *     FIRN_VEC(int64_t) ids = {0};
 *     firn_vec_push(arena, &ids, 42);
 *     for (size_t i = 0; i < ids.len; i++) use(ids.items[i]);
 *
 * Growing copies into fresh arena memory: pointers into `items` go stale after a push, and the old block
 * lives until the arena ends. An array that is all zero bytes is a valid empty one.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/arena.h"

#include <string.h>

#define FIRN_VEC(type) \
    struct {           \
        type *items;   \
        size_t len;    \
        size_t cap;    \
    }

#define firn_vec_reserve(arena, vec, want)                                                      \
    ((vec)->items = (want) <= (vec)->cap                                                        \
                        ? (vec)->items                                                          \
                        : firn_vec_grow((arena), (vec)->items, (vec)->len, &(vec)->cap, (want), \
                                        sizeof(*(vec)->items)))

#define firn_vec_push(arena, vec, value) \
    (firn_vec_reserve((arena), (vec), (vec)->len + 1), (vec)->items[(vec)->len++] = (value))

/* Append a zeroed item and give its address (valid until the next push). */
#define firn_vec_push_zero(arena, vec)                 \
    (firn_vec_reserve((arena), (vec), (vec)->len + 1), \
     memset(&(vec)->items[(vec)->len], 0, sizeof(*(vec)->items)), &(vec)->items[(vec)->len++])

#define firn_vec_last(vec) ((vec)->items[(vec)->len - 1])

void *firn_vec_grow(firn_arena *arena, void *items, size_t len, size_t *cap, size_t want,
                    size_t item_bytes);

#endif
