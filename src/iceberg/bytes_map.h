/* Hash map from byte strings to pointers inside an arena; keys may hold NULs. For partition keys. */
#ifndef ICEBERG_BYTES_MAP_H
#define ICEBERG_BYTES_MAP_H

#include "base/str.h"
#include "base/vec.h"

typedef struct firn_bytes_map_item {
    uint64_t hash;
    firn_bytes key;
    void *value;
} firn_bytes_map_item;

typedef struct firn_bytes_map {          /* all zero is an empty one */
    FIRN_VEC(firn_bytes_map_item) items; /* in the order of insertion */
    uint32_t *slots;                     /* item + 1; 0: free */
    size_t n_slots;                      /* a power of two */
} firn_bytes_map;

/* The address of the key's value: new and NULL if the key was not there (it is copied), or, without an arena, NULL
 * as the address. Valid until the next insertion. */
void **firn_bytes_map_at(firn_bytes_map *map, firn_arena *arena, firn_bytes key);

#endif
