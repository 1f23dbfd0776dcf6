/* A set of hashes, open addressing with linear steps; half of the slots at most are used. */
#include "path_set.h"

#include "base/arena.h"
#include "base/map.h"

#include <stdlib.h>

enum { FREE = 0, TAKEN_OUT = 1, FIRST_SLOTS = 1024 };

static uint64_t hash_of(const char *path)
{
    uint64_t hash = firn_hash64(path, strlen(path), 0);
    return hash > TAKEN_OUT ? hash : hash + 2;
}

/* The slot with the hash, or the free one that ends its row. */
static size_t slot_of(const firn_path_set *set, uint64_t hash)
{
    size_t at = (size_t)hash & (set->n_slots - 1);
    while (set->slots[at] != FREE && set->slots[at] != hash) {
        at = (at + 1) & (set->n_slots - 1);
    }
    return at;
}

static void grow(firn_path_set *set)
{
    firn_path_set old = *set;
    set->n_slots = set->len * 4 > FIRST_SLOTS ? set->n_slots * 2 : FIRST_SLOTS;
    set->slots = firn_calloc(set->n_slots, sizeof(*set->slots));
    set->used = set->len;
    for (size_t i = 0; i < old.n_slots; i++) {
        if (old.slots[i] > TAKEN_OUT) {
            set->slots[slot_of(set, old.slots[i])] = old.slots[i];
        }
    }
    free(old.slots);
}

void firn_path_set_deinit(firn_path_set *set)
{
    free(set->slots);
    *set = (firn_path_set){0};
}

bool firn_path_set_has(const firn_path_set *set, const char *path)
{
    return set->len > 0 && set->slots[slot_of(set, hash_of(path))] != FREE;
}

bool firn_path_set_add(firn_path_set *set, const char *path)
{
    if ((set->used + 1) * 2 > set->n_slots) {
        grow(set);
    }
    uint64_t hash = hash_of(path);
    size_t at = slot_of(set, hash);
    if (set->slots[at] == hash) {
        return false;
    }
    set->slots[at] = hash;
    set->used++;
    set->len++;
    return true;
}

bool firn_path_set_remove(firn_path_set *set, const char *path)
{
    if (!firn_path_set_has(set, path)) {
        return false;
    }
    set->slots[slot_of(set, hash_of(path))] = TAKEN_OUT;
    set->len--;
    return true;
}
