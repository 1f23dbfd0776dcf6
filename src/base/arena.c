/* Arenas: bump allocation from chunks, cleanup callbacks, and the allocators that abort.
 *
 * Layout: the arena struct is followed by its first block of 4 KiB, in one malloc, so that a small
 * operation costs a single allocation. Further chunks double from 8 KiB to 1 MiB. An item larger than a
 * quarter of the next chunk gets a chunk of its own and leaves the current one in use.
 *
 * Under AddressSanitizer every item is a malloc of exactly its size, so that overruns of one byte and
 * uses after reset are seen.
 */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_PER_ITEM 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_PER_ITEM 1
#endif
#endif
#ifndef ARENA_PER_ITEM
#define ARENA_PER_ITEM 0
#endif

enum {
    ITEM_ALIGN_BYTES = 16,
    FIRST_BLOCK_BYTES = 4 << 10,
    CHUNK_BYTES_MAX = 1 << 20,
};

typedef struct chunk {
    struct chunk *next;
    _Alignas(ITEM_ALIGN_BYTES) unsigned char data[];
} chunk;

typedef struct deferred {
    struct deferred *next;
    void (*fn)(void *ctx);
    void *ctx;
} deferred;

struct firn_arena {
    unsigned char *pos; /* free part of the current block */
    unsigned char *end;
    chunk *chunks;     /* every chunk but the first block */
    deferred *defers;  /* newest first */
    size_t used_bytes; /* what callers asked for */
    size_t next_chunk_bytes;
    void **items; /* ARENA_PER_ITEM: each item's malloc */
    size_t items_len;
    size_t items_cap;
    _Alignas(ITEM_ALIGN_BYTES) unsigned char first[];
};

_Noreturn static void die(const char *why)
{
    fprintf(stderr, "firn: %s\n", why);
    abort();
}

size_t firn_mul_size(size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        die("allocation size overflows");
    }
    return product;
}

void *firn_malloc(size_t size)
{
    void *ptr = malloc(size != 0 ? size : 1);
    if (ptr == NULL) {
        die("out of memory");
    }
    return ptr;
}

void *firn_calloc(size_t n, size_t size)
{
    void *ptr = calloc(n != 0 ? n : 1, size != 0 ? size : 1);
    if (ptr == NULL) {
        die("out of memory");
    }
    return ptr;
}

void *firn_realloc(void *ptr, size_t size)
{
    void *moved = realloc(ptr, size != 0 ? size : 1);
    if (moved == NULL) {
        die("out of memory");
    }
    return moved;
}

char *firn_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(firn_malloc(size), text, size);
}

static void rewind_to_first_block(firn_arena *arena)
{
    arena->pos = arena->first;
    arena->end = arena->first + FIRST_BLOCK_BYTES;
    arena->next_chunk_bytes = (size_t)2 * FIRST_BLOCK_BYTES;
    arena->used_bytes = 0;
}

firn_arena *firn_arena_new(void)
{
    size_t block_bytes = ARENA_PER_ITEM ? 0 : FIRST_BLOCK_BYTES;
    firn_arena *arena = firn_malloc(sizeof(*arena) + block_bytes);
    memset(arena, 0, sizeof(*arena));
    rewind_to_first_block(arena);
    return arena;
}

/* A callback may allocate from the arena and may defer further callbacks: those run too. */
static void run_defers(firn_arena *arena)
{
    while (arena->defers != NULL) {
        deferred *d = arena->defers;
        arena->defers = d->next;
        d->fn(d->ctx);
    }
}

void firn_arena_reset(firn_arena *arena)
{
    run_defers(arena);
    while (arena->chunks != NULL) {
        chunk *c = arena->chunks;
        arena->chunks = c->next;
        free(c);
    }
    for (size_t i = 0; i < arena->items_len; i++) {
        free(arena->items[i]);
    }
    free(arena->items);
    arena->items = NULL;
    arena->items_len = arena->items_cap = 0;
    rewind_to_first_block(arena);
}

void firn_arena_free(firn_arena *arena)
{
    if (arena != NULL) {
        firn_arena_reset(arena);
        free(arena);
    }
}

void firn_arena_auto(firn_arena **arena)
{
    firn_arena_free(*arena);
    *arena = NULL;
}

static void *take_own_malloc(firn_arena *arena, size_t size)
{
    if (arena->items_len == arena->items_cap) {
        arena->items_cap = arena->items_cap != 0 ? arena->items_cap * 2 : 64;
        arena->items =
            firn_realloc(arena->items, firn_mul_size(arena->items_cap, sizeof(*arena->items)));
    }
    void *item = firn_malloc(size);
    arena->items[arena->items_len++] = item;
    return item;
}

static chunk *push_chunk(firn_arena *arena, size_t data_bytes)
{
    chunk *c = firn_malloc(sizeof(*c) + data_bytes);
    c->next = arena->chunks;
    arena->chunks = c;
    return c;
}

static void *take_slow(firn_arena *arena, size_t size)
{
    if (size > arena->next_chunk_bytes / 4) {
        return push_chunk(arena, size)->data;
    }
    chunk *c = push_chunk(arena, arena->next_chunk_bytes);
    arena->pos = c->data + size;
    arena->end = c->data + arena->next_chunk_bytes;
    if (arena->next_chunk_bytes < CHUNK_BYTES_MAX) {
        arena->next_chunk_bytes *= 2;
    }
    return c->data;
}

static void *take(firn_arena *arena, size_t size)
{
    if (ARENA_PER_ITEM) {
        return take_own_malloc(arena, size);
    }
    size_t rounded;
    if (__builtin_add_overflow(size, ITEM_ALIGN_BYTES - 1, &rounded) ||
        rounded > SIZE_MAX - sizeof(chunk)) {
        die("allocation size overflows");
    }
    rounded &= ~(size_t)(ITEM_ALIGN_BYTES - 1);
    if (rounded > (size_t)(arena->end - arena->pos)) {
        return take_slow(arena, rounded);
    }
    void *item = arena->pos;
    arena->pos += rounded;
    return item;
}

void *firn_arena_alloc(firn_arena *arena, size_t size)
{
    void *item = take(arena, size);
    arena->used_bytes += size;
    return item;
}

void *firn_arena_zalloc(firn_arena *arena, size_t size)
{
    return memset(firn_arena_alloc(arena, size), 0, size);
}

void *firn_arena_memdup(firn_arena *arena, const void *data, size_t size)
{
    void *copy = firn_arena_alloc(arena, size);
    if (size != 0) { /* data may be NULL then, which memcpy does not allow */
        memcpy(copy, data, size);
    }
    return copy;
}

char *firn_arena_strdup(firn_arena *arena, const char *text)
{
    return text != NULL ? firn_arena_memdup(arena, text, strlen(text) + 1) : NULL;
}

char *firn_arena_strndup(firn_arena *arena, const char *text, size_t len)
{
    size_t copied = len != 0 ? strnlen(text, len) : 0;
    char *copy = firn_arena_alloc(arena, copied + 1);
    if (copied != 0) {
        memcpy(copy, text, copied);
    }
    copy[copied] = '\0';
    return copy;
}

char *firn_arena_vprintf(firn_arena *arena, const char *fmt, va_list args)
{
    char small[256]; /* most texts fit: format once, copy */
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(small, sizeof(small), fmt, args);
    if (len < 0) {
        die("a text cannot be formatted");
    }
    char *text = firn_arena_alloc(arena, (size_t)len + 1);
    if ((size_t)len < sizeof(small)) {
        memcpy(text, small, (size_t)len + 1);
    } else {
        vsnprintf(text, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return text;
}

char *firn_arena_printf(firn_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = firn_arena_vprintf(arena, fmt, args);
    va_end(args);
    return text;
}

void firn_arena_defer(firn_arena *arena, void (*fn)(void *ctx), void *ctx)
{
    deferred *d = take(arena, sizeof(*d));
    *d = (deferred){.next = arena->defers, .fn = fn, .ctx = ctx};
    arena->defers = d;
}

size_t firn_arena_used_bytes(const firn_arena *arena)
{
    return arena->used_bytes;
}
