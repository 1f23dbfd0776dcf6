/* HTTP words that client and server share: percent-encoding, query strings, header names, dates.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"

/* Percent-decodes `len` bytes; '+' becomes a space only if `plus_is_space` (query strings, forms). NULL when an escape is
 * malformed or decodes to NUL. */
char *firn_url_decode(firn_arena *arena, const char *text, size_t len,
                      bool plus_is_space) FIRN_MUST_USE;
/* Everything but unreserved characters (RFC 3986) becomes %XX. */
char *firn_url_encode(firn_arena *arena, const char *text);
/* The value of `name` in a query string or form body, decoded; NULL if it is not there, "" if it is empty. */
const char *firn_query_value(firn_arena *arena, const char *query, const char *name);

#endif
