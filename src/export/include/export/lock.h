/* One at a time per feed: export, retention, compaction, rollback. A lock of the operating system on .firn/export/<feed>.lock, so it ends
 * with its process however that ends. BUSY names the process that has it. What keeps rows from coming twice is not this lock but the
 * table's offsets; it keeps two processes from making the same folder. */
#ifndef EXPORT_LOCK_H
#define EXPORT_LOCK_H

#include "lake/lake.h"

typedef struct firn_export_lock {
    int fd; /* -1: not held */
} firn_export_lock;
firn_rc firn_export_lock_take(firn_lake *lake, const char *feed, int wait_ms, firn_export_lock *out,
                              firn_err *err) FIRN_MUST_USE;
void firn_export_lock_drop(firn_export_lock *lock);

#endif
