/*
 * bytes_map.c - open addressing with linear probing, at most half full.
 */
#include "bytes_map.h"

#include "base/map.h"

static void rebuild(firn_bytes_map *map, firn_arena *arena)
{
    map->n_slots = map->n_slots ? map->n_slots * 2 : 16;
    map->slots = FIRN_NEW_N(arena, uint32_t, map->n_slots);
    for (size_t i = 0; i < map->items.len; i++) {
        size_t slot = map->items.items[i].hash & (map->n_slots - 1);
        while (map->slots[slot])
            slot = (slot + 1) & (map->n_slots - 1);
        map->slots[slot] = (uint32_t)i + 1;
    }
}

void **firn_bytes_map_at(firn_bytes_map *map, firn_arena *arena, firn_bytes key)
{
    uint64_t hash = firn_hash64(key.data, key.len, 0);
    if (map->n_slots == 0 && !arena)
        return NULL;
    if (arena && (map->items.len + 1) * 2 > map->n_slots)
        rebuild(map, arena);
    size_t slot = hash & (map->n_slots - 1);
    for (; map->slots[slot]; slot = (slot + 1) & (map->n_slots - 1)) {
        firn_bytes_map_item *item = &map->items.items[map->slots[slot] - 1];
        if (item->hash == hash && firn_bytes_cmp(item->key, key) == 0)
            return &item->value;
    }
    if (!arena)
        return NULL;
    firn_bytes_map_item item = {.hash = hash, .key = firn_bytes_dup(arena, key)};
    firn_vec_push(arena, &map->items, item);
    map->slots[slot] = (uint32_t)map->items.len;
    return &map->items.items[map->items.len - 1].value;
}
