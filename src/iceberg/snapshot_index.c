/* Snapshots by id: entries sorted by id, found by bisection. */
#include "snapshot_index.h"

#include <assert.h>
#include <stdlib.h>

typedef struct entry {
    int64_t snapshot_id;
    size_t position;
} entry;

struct firn_snapshot_index {
    FIRN_VEC(entry) entries;
};

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->snapshot_id > y->snapshot_id) - (x->snapshot_id < y->snapshot_id);
}

firn_snapshot_index *firn_snapshot_index_new(firn_arena *arena, const firn_snapshot *snapshots,
                                             size_t n, int64_t *twice)
{
    firn_snapshot_index *index = FIRN_NEW(arena, firn_snapshot_index);
    firn_vec_reserve(arena, &index->entries, n);
    for (size_t i = 0; i < n; i++)
        index->entries.items[i] = (entry){snapshots[i].snapshot_id, i};
    index->entries.len = n;
    if (n > 1)
        qsort(index->entries.items, n, sizeof(entry), compare_entries);
    for (size_t i = 1; i < n; i++) {
        if (index->entries.items[i].snapshot_id == index->entries.items[i - 1].snapshot_id) {
            *twice = index->entries.items[i].snapshot_id;
            return NULL;
        }
    }
    return index;
}

firn_snapshot_index *firn_snapshot_index_copy(firn_arena *arena, const firn_snapshot_index *index)
{
    firn_snapshot_index *copy = FIRN_NEW(arena, firn_snapshot_index);
    size_t n = index->entries.len;
    firn_vec_reserve(arena, &copy->entries, n + 1);
    if (n > 0)
        memcpy(copy->entries.items, index->entries.items, n * sizeof(entry));
    copy->entries.len = n;
    return copy;
}

/* The first entry that is not below the id. */
static size_t lower_bound(const firn_snapshot_index *index, int64_t snapshot_id)
{
    size_t low = 0, high = index->entries.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->entries.items[middle].snapshot_id < snapshot_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void firn_snapshot_index_put(firn_arena *arena, firn_snapshot_index *index, int64_t snapshot_id,
                             size_t position)
{
    size_t at = lower_bound(index, snapshot_id), n = index->entries.len;
    assert(at == n || index->entries.items[at].snapshot_id != snapshot_id);
    entry added = {snapshot_id, position};
    firn_vec_push(arena, &index->entries, added);
    memmove(&index->entries.items[at + 1], &index->entries.items[at], (n - at) * sizeof(entry));
    index->entries.items[at] = added;
}

bool firn_snapshot_index_get(const firn_snapshot_index *index, int64_t snapshot_id,
                             size_t *position)
{
    size_t at = lower_bound(index, snapshot_id);
    if (at == index->entries.len || index->entries.items[at].snapshot_id != snapshot_id)
        return false;
    *position = index->entries.items[at].position;
    return true;
}
