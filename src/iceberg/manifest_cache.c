/*
 * manifest_cache.c - decoded manifests by path, shared by everyone in the process.
 *
 * A manifest file never changes, so the only thing that could make a cached one wrong is another inheritance: those
 * values are compared, too. Bounded by bytes; the least recently used go first, and whoever still holds one keeps it
 * alive. The bound is on what the cache keeps, not on what is in use.
 */
#include "manifest_data.h"

#include "base/map.h"

#include <stdlib.h>

typedef struct cache_item cache_item;
struct cache_item {
    firn_manifest *manifest;
    size_t bytes; /* as counted in the total */
    uint64_t hash;
    cache_item *chain;         /* of the bucket */
    cache_item *newer, *older; /* of the use order */
};

struct firn_manifest_cache {
    pthread_mutex_t lock;
    size_t bytes, bytes_max;
    cache_item **buckets;
    size_t n_buckets, n_items; /* buckets: a power of two */
    cache_item *newest, *oldest;
};

firn_manifest_cache *firn_manifest_cache_new(size_t max_bytes)
{
    firn_manifest_cache *cache = firn_calloc(1, sizeof *cache);
    pthread_mutex_init(&cache->lock, NULL);
    cache->bytes_max = max_bytes;
    cache->n_buckets = 256;
    cache->buckets = firn_calloc(cache->n_buckets, sizeof *cache->buckets);
    return cache;
}

static void unlink_use(firn_manifest_cache *cache, cache_item *item)
{
    *(item->newer ? &item->newer->older : &cache->newest) = item->older;
    *(item->older ? &item->older->newer : &cache->oldest) = item->newer;
    item->newer = item->older = NULL;
}

static void link_newest(firn_manifest_cache *cache, cache_item *item)
{
    item->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = item;
    cache->newest = item;
    if (!cache->oldest)
        cache->oldest = item;
}

static void drop(firn_manifest_cache *cache, cache_item *item)
{
    cache_item **link = &cache->buckets[item->hash & (cache->n_buckets - 1)];
    while (*link != item)
        link = &(*link)->chain;
    *link = item->chain;
    unlink_use(cache, item);
    cache->bytes -= item->bytes;
    cache->n_items--;
    firn_manifest_unref(item->manifest);
    free(item);
}

/* @locks cache->lock held */
static void evict(firn_manifest_cache *cache)
{
    while (cache->bytes > cache->bytes_max && cache->oldest)
        drop(cache, cache->oldest);
}

void firn_manifest_cache_free(firn_manifest_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop(cache, cache->oldest);
    free(cache->buckets);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static cache_item *find(firn_manifest_cache *cache, const char *path, uint64_t hash)
{
    cache_item *item = cache->buckets[hash & (cache->n_buckets - 1)];
    while (item && (item->hash != hash || !firn_streq(item->manifest->path, path)))
        item = item->chain;
    return item;
}

firn_manifest *firn_manifest_cache_get(firn_manifest_cache *cache, const firn_manifest_file *file)
{
    uint64_t hash = firn_hash64(file->path, strlen(file->path), 0);
    firn_manifest *found = NULL;
    pthread_mutex_lock(&cache->lock);
    cache_item *item = find(cache, file->path, hash);
    if (item) {
        const firn_manifest *m = item->manifest;
        bool same = m->sequence_number == file->sequence_number && m->spec_id == file->spec_id &&
                    m->added_snapshot_id == file->added_snapshot_id &&
                    m->first_row_id == file->first_row_id && m->deletes == file->deletes;
        if (same) {
            unlink_use(cache, item);
            link_newest(cache, item);
            found = firn_manifest_ref(item->manifest);
        } else {
            drop(cache, item);
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

static void rehash(firn_manifest_cache *cache)
{
    size_t n = cache->n_buckets * 2;
    cache_item **buckets = firn_calloc(n, sizeof *buckets);
    for (cache_item *item = cache->newest; item; item = item->older) {
        cache_item **bucket = &buckets[item->hash & (n - 1)];
        item->chain = *bucket;
        *bucket = item;
    }
    free(cache->buckets);
    cache->buckets = buckets;
    cache->n_buckets = n;
}

firn_manifest *firn_manifest_cache_put(firn_manifest_cache *cache, firn_manifest *manifest)
{
    uint64_t hash = firn_hash64(manifest->path, strlen(manifest->path), 0);
    pthread_mutex_lock(&cache->lock);
    cache_item *item = find(cache, manifest->path, hash);
    if (item) { /* another thread decoded it meanwhile */
        const firn_manifest *m = item->manifest;
        if (m->sequence_number == manifest->sequence_number &&
            m->first_row_id == manifest->first_row_id) {
            firn_manifest *first = firn_manifest_ref(item->manifest);
            pthread_mutex_unlock(&cache->lock);
            firn_manifest_unref(manifest);
            return first;
        }
        drop(cache, item);
    }
    if (cache->n_items == cache->n_buckets)
        rehash(cache);
    item = firn_calloc(1, sizeof *item);
    item->manifest = firn_manifest_ref(manifest);
    item->bytes = atomic_load(&manifest->bytes);
    item->hash = hash;
    cache_item **bucket = &cache->buckets[hash & (cache->n_buckets - 1)];
    item->chain = *bucket;
    *bucket = item;
    link_newest(cache, item);
    cache->n_items++;
    cache->bytes += item->bytes;
    manifest->cache = cache;
    evict(cache);
    pthread_mutex_unlock(&cache->lock);
    return manifest;
}

void firn_manifest_cache_grew(firn_manifest_cache *cache, firn_manifest *manifest, size_t bytes)
{
    uint64_t hash = firn_hash64(manifest->path, strlen(manifest->path), 0);
    pthread_mutex_lock(&cache->lock);
    cache_item *item = find(cache, manifest->path, hash);
    if (item && item->manifest == manifest) {
        item->bytes += bytes;
        cache->bytes += bytes;
        evict(cache);
    }
    pthread_mutex_unlock(&cache->lock);
}
