/* retain_due.c finds what is due; retain.c does it. */
#ifndef EXPORT_RETAIN_PRIVATE_H
#define EXPORT_RETAIN_PRIVATE_H

#include "export/retain.h"

#include "base/vec.h"

typedef struct retain_due {
    int64_t rows, files, bytes, partitions;
    const char *where;           /* by days: SQL that the due rows match */
    const char *cutoff;          /* by days: "2024-11-30"; rows of that day stay */
    const char *oldest_kept;     /* nullable */
    FIRN_VEC(const char *) tags; /* by versions: that go */
    int64_t kept_since_ms;       /* by versions: the oldest kept one's snapshot; INT64_MAX: none */
} retain_due;

firn_rc firn_retain_due(firn_session *session, firn_arena *arena, const firn_export_feed *feed,
                        const firn_metadata *metadata, firn_ident ident, int64_t now_us,
                        retain_due *out, firn_err *err) FIRN_MUST_USE;

#endif
