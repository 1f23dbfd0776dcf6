/* Scan tasks as the REST catalog's scan planning exchanges them (OpenAPI: ScanTasks, ContentFile), to the letter of what Java's
 * ContentFileParser and RESTFileScanTaskParser write and read: partition values in single-value JSON, bounds and key metadata as
 * hexadecimal of their binary form (the OpenAPI document would have typed values there, which Java refuses).
 */
#ifndef ICEBERG_SCAN_JSON_H
#define ICEBERG_SCAN_JSON_H

#include "base/map.h"
#include "iceberg/scan.h"

typedef struct firn_scan_json_options {
    const firn_metadata *metadata;
    const json_t *filter; /* what clients shall apply to rows; NULL: nothing */
    bool filter_exact;    /* where all rows of a file match, they need not */
    bool
        no_null_partitions; /* an empty tuple in place of one with nulls in it: for clients that cannot read those */
    const firn_imap *stats; /* ids of the columns whose metrics are given; NULL: none */
} firn_scan_json_options;

/* Members "file-scan-tasks" and, where there are any, "delete-files", which tasks name by index. New reference. */
json_t *firn_scan_tasks_to_json(firn_arena *arena, const firn_scan_json_options *options,
                                const firn_scan_task *const *tasks, size_t n);
/* One data or delete file. New reference. */
json_t *firn_content_file_to_json(firn_arena *arena, const firn_scan_json_options *options,
                                  const firn_data_file *file);

#endif
