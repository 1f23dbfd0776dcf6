/* Time zones: how far a place's clocks are from UTC at an instant, by the TZ database's files (TZif, RFC 9636) and by the rules of TZ
 * strings (POSIX.1-2024, TZ). libc's localtime knows one zone per process; here each is a value that any thread may read.
 *
 * Zones live in the given arena. Errors: NOT_FOUND for a name that the machine has no file of, INVALID for one that could be none,
 * CORRUPT for a file that is none.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/str.h"

typedef struct firn_zone firn_zone;

/* "UTC"; "local": the machine's ($TZ, else /etc/localtime); "Europe/Paris": a file of /usr/share/zoneinfo ($TZDIR). */
firn_rc firn_zone_load(firn_arena *arena, const char *name, const firn_zone **out,
                       firn_err *err) FIRN_MUST_USE;
/* The bytes of a file; the text of a TZ string, "CET-1CEST,M3.5.0,M10.5.0/3". `what` is for messages. */
firn_rc firn_zone_parse_file(firn_arena *arena, firn_bytes bytes, const char *what,
                             const firn_zone **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_zone_parse_rule(firn_arena *arena, const char *text, const firn_zone **out,
                             firn_err *err) FIRN_MUST_USE;

/* Clocks show utc_s + offset at that instant; *until_s (nullable) is the first later one at which that may change, INT64_MAX if
 * none. NULL: UTC. */
int64_t firn_zone_offset_s(const firn_zone *zone, int64_t utc_s, int64_t *until_s);

#endif
