/* Inside iceberg/: a commit request read as appends that might be made again on a newer head. */
#ifndef ICEBERG_REBASE_REQUEST_H
#define ICEBERG_REBASE_REQUEST_H

#include "iceberg/update.h"

enum { FIRN_REBASE_SNAPSHOTS_MAX = 64 };

typedef struct firn_rebase_append {
    size_t update; /* index of its add-snapshot */
    const json_t *json;
    firn_snapshot snapshot;
} firn_rebase_append;

typedef struct firn_rebase_request {
    const char *ref; /* the branch that the appends go to; NULL: this is no request of appends */
    bool appends_only;
    firn_rebase_append *appends; /* in order, each the parent of the next */
    size_t n_appends;
    int64_t built_on;     /* what the requirement says that the branch held; -1: it did not exist */
    const char *obstacle; /* why the appends must not be made again anywhere; NULL: nothing */
    const char *
        state; /* state of the writer's own that only the very head it knows may take; NULL: none */
} firn_rebase_request;

/* Reads what the request says; no storage. A request that is not of this kind has `ref` NULL or an obstacle. */
void firn_rebase_request_read(firn_arena *arena, const firn_metadata *base, const json_t *updates,
                              const json_t *requirements, firn_rebase_request *out);
/* Whether this requirement is about what the branch or tag holds. */
bool firn_rebase_requires_ref(const json_t *requirement, const char *ref);

#endif
