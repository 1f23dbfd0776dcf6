/* Hash maps with stable iteration: an array of entries in insertion order, and an open-addressing index of
 * entry numbers over it.
 *
 * Invariants:
 * 1. slot_cap is a power of two (or 0), and at most 3/4 of the slots are taken, so every probe ends.
 * 2. A removed entry stays in both arrays as a tombstone (live == false) until the next rebuild.
 * 3. slots hold entry number + 1; 0 is free.
 */
#include "base/map.h"

#include "base/uuid.h"
#include "base/vec.h"

#include <assert.h>
#include <pthread.h>

typedef struct entry {
    uint64_t hash;
    union {
        const char *text;
        int64_t number;
    } key;
    void *value;
    bool live;
} entry;

typedef struct table {
    firn_arena *arena;
    uint64_t seed;
    uint32_t *slots;
    size_t slot_cap;
    size_t live;
    FIRN_VEC(entry) entries;
} table;

struct firn_map {
    table table;
};

struct firn_imap {
    table table;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load_word(const uint8_t *data, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, data, len);
    return word;
}

/* Multiply-and-fold over 16 bytes at a time (the construction of wyhash); the length goes into the last
 * step, so that zero padding of the tail is harmless. */
uint64_t firn_hash64(const void *data, size_t len, uint64_t seed)
{
    const uint64_t k0 = 0x9E3779B97F4A7C15U;
    const uint64_t k1 = 0xD6E8FEB86659FD93U;
    const uint8_t *p = data;
    uint64_t hash = seed ^ k0;
    size_t rest = len;
    for (; rest > 16; rest -= 16, p += 16) {
        hash = mix(load_word(p, 8) ^ k1, load_word(p + 8, 8) ^ hash);
    }
    uint64_t low = 0;
    uint64_t high = 0;
    if (rest > 8) {
        low = load_word(p, 8);
        high = load_word(p + 8, rest - 8);
    } else if (rest > 0) {
        low = load_word(p, rest);
    }
    hash = mix(low ^ k1, high ^ hash);
    return mix(hash ^ k0, (uint64_t)len ^ k1);
}

/* Random per process: keys come from files and peers, who must not be able to choose collisions. */
static uint64_t process_seed;
static pthread_once_t process_seed_once = PTHREAD_ONCE_INIT;

static void make_process_seed(void)
{
    process_seed = firn_random_u64();
}

static void table_init(table *t, firn_arena *arena)
{
    pthread_once(&process_seed_once, make_process_seed);
    t->arena = arena;
    t->seed = process_seed;
}

static void index_entry(table *t, size_t number)
{
    size_t mask = t->slot_cap - 1;
    size_t at = t->entries.items[number].hash & mask;
    while (t->slots[at] != 0) {
        at = (at + 1) & mask;
    }
    t->slots[at] = (uint32_t)(number + 1);
}

/* Drop tombstones, then index what lives; doubles the index only if live entries need it. */
static void rebuild(table *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->entries.len; i++) {
        if (t->entries.items[i].live) {
            t->entries.items[kept++] = t->entries.items[i];
        }
    }
    t->entries.len = kept;
    if (t->slot_cap == 0 || kept > t->slot_cap / 2) {
        t->slot_cap = t->slot_cap != 0 ? t->slot_cap * 2 : 16;
        assert(t->slot_cap <= UINT32_MAX);
        t->slots = FIRN_NEW_N(t->arena, uint32_t, t->slot_cap);
    } else {
        memset(t->slots, 0, t->slot_cap * sizeof(*t->slots));
    }
    for (size_t i = 0; i < kept; i++) {
        index_entry(t, i);
    }
}

/* The live entry with this hash for which the key matches: text if not NULL, else number. */
static entry *find(const table *t, uint64_t hash, const char *text, int64_t number)
{
    if (t->slot_cap == 0) {
        return NULL;
    }
    size_t mask = t->slot_cap - 1;
    for (size_t at = hash & mask; t->slots[at] != 0; at = (at + 1) & mask) {
        entry *e = &t->entries.items[t->slots[at] - 1];
        if (!e->live || e->hash != hash) {
            continue;
        }
        if (text != NULL ? firn_streq(e->key.text, text) : e->key.number == number) {
            return e;
        }
    }
    return NULL;
}

static void add(table *t, entry e)
{
    if ((t->entries.len + 1) * 4 > t->slot_cap * 3) {
        rebuild(t);
    }
    firn_vec_push(t->arena, &t->entries, e);
    index_entry(t, t->entries.len - 1);
    t->live++;
}

static const entry *next_live(const table *t, size_t *cursor)
{
    while (*cursor < t->entries.len) {
        const entry *e = &t->entries.items[(*cursor)++];
        if (e->live) {
            return e;
        }
    }
    return NULL;
}

static uint64_t hash_text(const table *t, const char *key)
{
    return firn_hash64(key, strlen(key), t->seed);
}

static uint64_t hash_number(const table *t, int64_t key)
{
    return mix((uint64_t)key ^ t->seed, 0x9E3779B97F4A7C15U);
}

firn_map *firn_map_new(firn_arena *arena)
{
    firn_map *map = FIRN_NEW(arena, firn_map);
    table_init(&map->table, arena);
    return map;
}

void *firn_map_get(const firn_map *map, const char *key)
{
    const entry *e = find(&map->table, hash_text(&map->table, key), key, 0);
    return e != NULL ? e->value : NULL;
}

bool firn_map_has(const firn_map *map, const char *key)
{
    return find(&map->table, hash_text(&map->table, key), key, 0) != NULL;
}

void *firn_map_put(firn_map *map, const char *key, void *value)
{
    uint64_t hash = hash_text(&map->table, key);
    entry *e = find(&map->table, hash, key, 0);
    if (e != NULL) {
        void *before = e->value;
        e->value = value;
        return before;
    }
    const char *copy = firn_arena_strdup(map->table.arena, key);
    add(&map->table, (entry){.hash = hash, .key.text = copy, .value = value, .live = true});
    return NULL;
}

bool firn_map_remove(firn_map *map, const char *key)
{
    entry *e = find(&map->table, hash_text(&map->table, key), key, 0);
    if (e == NULL) {
        return false;
    }
    e->live = false;
    map->table.live--;
    return true;
}

size_t firn_map_len(const firn_map *map)
{
    return map->table.live;
}

bool firn_map_next(const firn_map *map, size_t *cursor, const char **key, void **value)
{
    const entry *e = next_live(&map->table, cursor);
    if (e == NULL) {
        return false;
    }
    *key = e->key.text;
    *value = e->value;
    return true;
}

firn_imap *firn_imap_new(firn_arena *arena)
{
    firn_imap *map = FIRN_NEW(arena, firn_imap);
    table_init(&map->table, arena);
    return map;
}

void *firn_imap_get(const firn_imap *map, int64_t key)
{
    const entry *e = find(&map->table, hash_number(&map->table, key), NULL, key);
    return e != NULL ? e->value : NULL;
}

bool firn_imap_has(const firn_imap *map, int64_t key)
{
    return find(&map->table, hash_number(&map->table, key), NULL, key) != NULL;
}

void *firn_imap_put(firn_imap *map, int64_t key, void *value)
{
    uint64_t hash = hash_number(&map->table, key);
    entry *e = find(&map->table, hash, NULL, key);
    if (e != NULL) {
        void *before = e->value;
        e->value = value;
        return before;
    }
    add(&map->table, (entry){.hash = hash, .key.number = key, .value = value, .live = true});
    return NULL;
}

size_t firn_imap_len(const firn_imap *map)
{
    return map->table.live;
}

bool firn_imap_next(const firn_imap *map, size_t *cursor, int64_t *key, void **value)
{
    const entry *e = next_live(&map->table, cursor);
    if (e == NULL) {
        return false;
    }
    *key = e->key.number;
    *value = e->value;
    return true;
}
