/* Text and bytes: borrowed views, a few string helpers, nearest-name suggestions.
 *
 * Names, paths and SQL are NUL-terminated `const char *`, owned by an arena. `firn_bytes` is a borrowed
 * range of bytes that may hold NULs.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct firn_bytes {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
} firn_bytes;

static inline firn_bytes firn_bytes_of(const void *data, size_t len)
{
    return (firn_bytes){.data = data, .len = len};
}
static inline firn_bytes firn_bytes_str(const char *text)
{
    return (firn_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}
/* memcmp order, shorter first on a tie. */
int firn_bytes_cmp(firn_bytes a, firn_bytes b);
firn_bytes firn_bytes_dup(firn_arena *arena, firn_bytes bytes);

static inline bool firn_streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
bool firn_strcaseeq(const char *a, const char *b); /* ASCII, locale-free */
bool firn_starts_with(const char *text, const char *prefix);
bool firn_ends_with(const char *text, const char *suffix);
char *firn_str_lower(firn_arena *arena, const char *text); /* ASCII */
char *firn_str_replace(firn_arena *arena, const char *text, const char *from, const char *to);

/* Join n parts with `sep`; split on a byte into an arena array (empty parts kept). */
char *firn_str_join(firn_arena *arena, const char *const *parts, size_t n, const char *sep);
char **firn_str_split(firn_arena *arena, const char *text, char sep, size_t *n);
char *firn_str_trim(firn_arena *arena, const char *text);

/* Whole string as a decimal number, or false (empty, junk, overflow). */
bool firn_parse_i64(const char *text, int64_t *out);
bool firn_parse_f64(const char *text, double *out);

/* Valid UTF-8 without surrogates or overlong forms. */
bool firn_utf8_valid(firn_bytes text);
/* Columns a terminal uses for the text (wide and combining characters counted properly). */
size_t firn_utf8_width(const char *text);

char *firn_hex(firn_arena *arena, firn_bytes bytes);
bool firn_unhex(firn_arena *arena, const char *text, firn_bytes *out);

/* 'it''s' and "odd""name": SQL literals and identifiers. */
char *firn_sql_quote(firn_arena *arena, const char *text);
char *firn_sql_ident(firn_arena *arena, const char *name);

/* The candidate nearest to `name` by edit distance if it is near enough to be a likely typo, else NULL. */
const char *firn_nearest(const char *name, const char *const *candidates, size_t n);

#endif
