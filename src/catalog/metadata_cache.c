/* Recently used table metadata by location. Metadata files never change, so an entry is right for ever.
 *
 * Each entry has an arena of its own and a count of users: the cache itself, and every caller's arena that was handed
 * the metadata, which lets go of it when it ends. Least recently used entries leave when the bound on count or estimated
 * bytes is passed; their memory goes when the last user does.
 *
 * Threads: any. No lock is held while a file is read or parsed, so two threads may load the same file at once; the
 * second finds the first one's entry and drops its own.
 */
#include "internal.h"

#include <stdlib.h>

enum { CACHE_ENTRIES_MAX = 128 };
#define CACHE_BYTES_MAX ((size_t)256 << 20)

typedef struct cached {
    struct cached *next; /* @locks cache: towards less recently used */
    firn_metadata_cache *cache;
    firn_arena *arena;
    firn_metadata *metadata;
    const char *location;
    uint64_t hash;
    size_t bytes;
    int users; /* @locks cache */
} cached;

/* A user's arena may outlive the catalog, so the cache is counted, too. */
struct firn_metadata_cache {
    pthread_mutex_t lock;
    cached *newest;
    size_t n, bytes;
    size_t holders; /* @locks cache: the catalog, and every living entry */
};

firn_metadata_cache *firn_metadata_cache_new(void)
{
    firn_metadata_cache *cache = firn_calloc(1, sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    cache->holders = 1;
    return cache;
}

/* @locks cache on entry; released. */
static void unlock_and_drop(firn_metadata_cache *cache, bool drop_holder)
{
    cache->holders -= drop_holder;
    bool last = cache->holders == 0;
    pthread_mutex_unlock(&cache->lock);
    if (last) {
        pthread_mutex_destroy(&cache->lock);
        free(cache);
    }
}

static void let_go(void *ctx)
{
    cached *one = ctx;
    firn_metadata_cache *cache = one->cache;
    pthread_mutex_lock(&cache->lock);
    bool last = --one->users == 0;
    unlock_and_drop(cache, last);
    if (last) {
        firn_arena_free(one->arena); /* `one` lives in it */
    }
}

/* Take the entry out of the list. @locks cache */
static void unlink_entry(firn_metadata_cache *cache, cached *one)
{
    cached **at = &cache->newest;
    while (*at != one) {
        at = &(*at)->next;
    }
    *at = one->next;
    cache->n--;
    cache->bytes -= one->bytes;
}

void firn_metadata_cache_free(firn_metadata_cache *cache)
{
    for (;;) {
        pthread_mutex_lock(&cache->lock);
        cached *one = cache->newest;
        if (!one) {
            unlock_and_drop(cache, true);
            return;
        }
        unlink_entry(cache, one);
        pthread_mutex_unlock(&cache->lock);
        let_go(one);
    }
}

/* Find and make it the newest. @locks cache */
static cached *find(firn_metadata_cache *cache, const char *location, uint64_t hash)
{
    for (cached *one = cache->newest; one; one = one->next) {
        if (one->hash == hash && firn_streq(one->location, location)) {
            unlink_entry(cache, one);
            one->next = cache->newest;
            cache->newest = one;
            cache->n++;
            cache->bytes += one->bytes;
            return one;
        }
    }
    return NULL;
}

static firn_metadata *lookup(firn_metadata_cache *cache, firn_arena *user, const char *location,
                             uint64_t hash)
{
    pthread_mutex_lock(&cache->lock);
    cached *one = find(cache, location, hash);
    if (one) {
        one->users++;
    }
    pthread_mutex_unlock(&cache->lock);
    if (!one) {
        return NULL;
    }
    firn_arena_defer(user, let_go, one);
    return one->metadata;
}

/* Take over the arena with the metadata in it; `user` (nullable) becomes one of its users. */
static firn_metadata *insert(firn_metadata_cache *cache, firn_arena *arena, firn_metadata *metadata,
                             size_t bytes, const char *location, uint64_t hash, firn_arena *user)
{
    cached *one = FIRN_NEW(arena, cached);
    *one = (cached){
        .cache = cache,
        .arena = arena,
        .metadata = metadata,
        .location = firn_arena_strdup(arena, location),
        .hash = hash,
        .bytes = bytes,
    };
    pthread_mutex_lock(&cache->lock);
    cached *there = find(cache, location, hash);
    cached *kept = there ? there : one;
    if (!there) {
        one->users = 1;
        one->next = cache->newest;
        cache->newest = one;
        cache->n++;
        cache->bytes += bytes;
        cache->holders++;
    }
    kept->users += user != NULL;
    pthread_mutex_unlock(&cache->lock);
    if (user) {
        firn_arena_defer(user, let_go, kept);
    }
    metadata = kept->metadata;
    if (there) {
        firn_arena_free(arena);
    }
    return metadata;
}

/* Drop the least recently used until the bounds hold, the newest excepted. */
static void shrink(firn_metadata_cache *cache)
{
    for (;;) {
        pthread_mutex_lock(&cache->lock);
        cached *oldest = cache->newest;
        while (oldest && oldest->next) {
            oldest = oldest->next;
        }
        bool over =
            cache->n > CACHE_ENTRIES_MAX || (cache->n > 1 && cache->bytes > CACHE_BYTES_MAX);
        if (over) {
            unlink_entry(cache, oldest);
        }
        pthread_mutex_unlock(&cache->lock);
        if (!over) {
            return;
        }
        let_go(oldest);
    }
}

/* The JSON tree that the view stands on takes several times the view's own memory. */
static size_t estimate_bytes(const firn_arena *arena)
{
    return firn_arena_used_bytes(arena) * 8;
}

firn_rc firn_metadata_cache_load(firn_metadata_cache *cache, firn_storage *storage,
                                 firn_arena *arena, const char *location, firn_metadata **out,
                                 firn_err *err)
{
    uint64_t hash = firn_hash64(location, strlen(location), 0);
    *out = lookup(cache, arena, location, hash);
    if (*out) {
        return FIRN_OK;
    }
    firn_arena *own = firn_arena_new();
    firn_metadata *metadata;
    firn_rc rc = firn_metadata_load(storage, own, location, &metadata, err);
    if (rc != FIRN_OK) {
        firn_arena_free(own);
        return rc;
    }
    *out = insert(cache, own, metadata, estimate_bytes(own), location, hash, arena);
    shrink(cache);
    return FIRN_OK;
}

firn_metadata *firn_metadata_cache_adopt(firn_metadata_cache *cache, const char *location,
                                         firn_arena *own, firn_metadata *metadata, firn_arena *user)
{
    metadata = insert(cache, own, metadata, estimate_bytes(own), location,
                      firn_hash64(location, strlen(location), 0), user);
    shrink(cache);
    return metadata;
}

firn_metadata *firn_metadata_cache_find(firn_metadata_cache *cache, firn_arena *arena,
                                        const char *location)
{
    return lookup(cache, arena, location, firn_hash64(location, strlen(location), 0));
}

firn_rc firn_metadata_cache_add(firn_metadata_cache *cache, firn_arena *arena, const char *location,
                                json_t *json, firn_metadata **out, firn_err *err)
{
    firn_arena *own = firn_arena_new();
    firn_metadata *metadata;
    firn_rc rc = firn_metadata_from_json(own, json, location, &metadata, err);
    if (rc != FIRN_OK) {
        firn_arena_free(own);
        return rc;
    }
    *out = insert(cache, own, metadata, estimate_bytes(own), location,
                  firn_hash64(location, strlen(location), 0), arena);
    shrink(cache);
    return FIRN_OK;
}
