/* Hash maps inside an arena: string keys (firn_map) and 64-bit integer keys (firn_imap), pointer values.
 * Insertion order is kept for iteration, so that whatever is printed or written from a map is stable.
 * Keys of firn_map are copied into the arena.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

typedef struct firn_map firn_map;
firn_map *firn_map_new(firn_arena *arena);
void *firn_map_get(const firn_map *map, const char *key); /* NULL if absent */
bool firn_map_has(const firn_map *map, const char *key);
/* Insert or replace; gives the value that was there before or NULL. */
void *firn_map_put(firn_map *map, const char *key, void *value);
bool firn_map_remove(firn_map *map, const char *key);
size_t firn_map_len(const firn_map *map);
/* for (size_t i = 0; firn_map_next(map, &i, &key, &value);) */
bool firn_map_next(const firn_map *map, size_t *cursor, const char **key, void **value);

typedef struct firn_imap firn_imap;
firn_imap *firn_imap_new(firn_arena *arena);
void *firn_imap_get(const firn_imap *map, int64_t key);
bool firn_imap_has(const firn_imap *map, int64_t key);
void *firn_imap_put(firn_imap *map, int64_t key, void *value);
size_t firn_imap_len(const firn_imap *map);
bool firn_imap_next(const firn_imap *map, size_t *cursor, int64_t *key, void **value);

uint64_t firn_hash64(const void *data, size_t len,
                     uint64_t seed); /* in-memory use only, not stable */

#endif
