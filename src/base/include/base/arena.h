/* Arenas: one per operation (query, request, batch, commit); everything the operation allocates lives
 * exactly as long as the arena.
 *
 * Allocation never returns NULL: when libc has no memory the process aborts, which is safe because every
 * state change of firn survives `kill -9` (docs/decisions/002-memory.md). Whatever a peer or a file can
 * size must be checked against a bound by the caller before it is allocated.
 *
 * Cleanup callbacks (firn_arena_defer) run in reverse order when the arena is reset or freed. Under
 * AddressSanitizer each item is its own malloc, so overruns and use after free are seen.
 * Threads: an arena belongs to one thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct firn_arena firn_arena;

firn_arena *firn_arena_new(void);
void firn_arena_free(firn_arena *arena); /* NULL is fine */
void firn_arena_reset(firn_arena *arena);

/* 16-byte aligned. alloc leaves the bytes undefined, zalloc zeroes them. size 0 gives a valid pointer. */
void *firn_arena_alloc(firn_arena *arena, size_t size);
void *firn_arena_zalloc(firn_arena *arena, size_t size);
void *firn_arena_memdup(firn_arena *arena, const void *data, size_t size);
char *firn_arena_strdup(firn_arena *arena, const char *text); /* NULL in, NULL out */
char *firn_arena_strndup(firn_arena *arena, const char *text, size_t len);
char *firn_arena_printf(firn_arena *arena, const char *fmt, ...) FIRN_PRINTF(2, 3);
char *firn_arena_vprintf(firn_arena *arena, const char *fmt, va_list args) FIRN_PRINTF(2, 0);

/* Run fn(ctx) when the arena is reset or freed. */
void firn_arena_defer(firn_arena *arena, void (*fn)(void *ctx), void *ctx);

/* Bytes handed out since creation or the last reset. */
size_t firn_arena_used_bytes(const firn_arena *arena);

#define FIRN_NEW(arena, type) ((type *)firn_arena_zalloc((arena), sizeof(type)))
#define FIRN_NEW_N(arena, type, n) \
    ((type *)firn_arena_zalloc((arena), firn_mul_size(sizeof(type), (n))))

/* a * b; aborts on overflow. */
size_t firn_mul_size(size_t a, size_t b);

/* libc allocation that aborts instead of returning NULL; freed by free(). */
void *firn_malloc(size_t size);
void *firn_calloc(size_t n, size_t size);
void *firn_realloc(void *ptr, size_t size);
char *firn_strdup(const char *text);

/* Scope exit: FIRN_AUTO_ARENA firn_arena *a = firn_arena_new(); */
void firn_arena_auto(firn_arena **arena);
#define FIRN_AUTO_ARENA __attribute__((cleanup(firn_arena_auto)))

#endif
