/* Which requests have been answered: the memory behind the REST protocol's Idempotency-Key.
 *
 * A record comes about in one of two ways, and the first one stands:
 *   1. A commit or merge whose firn_commit_info names a key writes it in its own transaction, together with the commit's
 *      id. So a key makes at most one commit, wherever the process dies; status is 0 until the answer is put.
 *   2. firn_idempotency_put: the final answer, successful or not. It completes a record of the first kind, but never turns
 *      a commit that was made into a failure.
 * A request that comes again finds by firn_idempotency_get what to say. If it is cut off between 1 and 2, it does its work
 * again under the same key: the commit makes nothing, says `repeated` and gives the first one's id and locations.
 * Records that have expired count as absent and are deleted by firn_idempotency_expire.
 *
 * Threads: any, as the catalog. Errors: INVALID (a key that is empty, too long or not printable ASCII), LIMIT (a body above
 * FIRN_IDEMPOTENCY_BODY_BYTES_MAX), and the catalog's.
 */
#ifndef CATALOG_IDEMPOTENCY_H
#define CATALOG_IDEMPOTENCY_H

#include "catalog/catalog.h"

#define FIRN_IDEMPOTENCY_LIFE_US (INT64_C(24) * 3600 * 1000 * 1000)

enum { FIRN_IDEMPOTENCY_KEY_BYTES_MAX = 255, FIRN_IDEMPOTENCY_BODY_BYTES_MAX = 16 << 20 };

typedef struct firn_idempotency_record {
    const char *key;
    const char *fingerprint; /* of the request, as the caller computes it; "" when none was given */
    int64_t status;          /* HTTP status of the final answer; 0: there is none yet */
    const char *body;        /* of the final answer; nullable */
    const char *commit_id;   /* that the key made; NULL: none */
    int64_t created_us;
    int64_t expires_us; /* put: 0 is FIRN_IDEMPOTENCY_LIFE_US from now */
} firn_idempotency_record;

/* *out = NULL when the key is unknown or has expired. That another request used it is the caller's to see, by fingerprint. */
firn_rc firn_idempotency_get(firn_catalog *catalog, firn_arena *arena, const char *key,
                             firn_idempotency_record **out, firn_err *err) FIRN_MUST_USE;

/* Reads key, fingerprint, status (not 0), body and expires_us of the record. *recorded (nullable) is false when another
 * answer stands already, or the key made a commit and this answer is a failure: get it and say that one. */
firn_rc firn_idempotency_put(firn_catalog *catalog, const firn_idempotency_record *record,
                             bool *recorded, firn_err *err) FIRN_MUST_USE;

/* Deletes what has expired at `now_us`. */
firn_rc firn_idempotency_expire(firn_catalog *catalog, int64_t now_us, firn_err *err) FIRN_MUST_USE;

#endif
