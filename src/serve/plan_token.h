/* Plans of scans as tokens: what a plan-id and a plan-task are made of, so that the server keeps nothing between requests and a
 * restart loses nothing.
 *
 * A token holds the whole plan: table, snapshot, schema, filter, place. It is not a secret and grants nothing: whoever sends one
 * could have asked for the same by a plan request; so it is not signed, but taken for a request from outside and checked as such. The
 * text is base64url of deflated JSON, whose checksum tells a damaged one.
 */
#ifndef SERVE_PLAN_TOKEN_H
#define SERVE_PLAN_TOKEN_H

#include "base/json.h"
#include "iceberg/scan.h"

typedef struct firn_plan {
    const char *table_uuid;
    int64_t snapshot_id;    /* 0: the table has none */
    int64_t appended_since; /* 0: no incremental scan */
    int32_t schema_id;
    bool case_sensitive;
    const json_t *filter; /* as the client wrote it; NULL: none */
    const json_t *stats;  /* array of column ids; NULL: none */
    int64_t min_rows;     /* 0: all */
    firn_scan_point from, to;
} firn_plan;

/* The filter must be a good deal shorter than the 8 MB of JSON that decode takes. */
char *firn_plan_encode(firn_arena *arena, const firn_plan *plan);
/* INVALID for anything but a token that encode could have made. */
firn_rc firn_plan_decode(firn_arena *arena, const char *token, firn_plan *out,
                         firn_err *err) FIRN_MUST_USE;

#endif
