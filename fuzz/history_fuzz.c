/*
 * history_fuzz.c - the history of a feed: any text gives records that make sense, the last thousand at most.
 */
#include "export/history.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_record *records;
    size_t n;
    firn_export_history_parse(arena, firn_bytes_of(data, size), &records, &n);
    if (n > 1000)
        abort();
    for (size_t i = 0; i < n; i++) {
        const firn_export_record *r = &records[i];
        if (r->rows < 0 || r->bytes < 0 || r->json_bytes < 0 || !(r->seconds >= 0) ||
            firn_export_outcome_name(r->outcome) == NULL)
            abort();
        for (size_t k = 0; k < r->n_nulls; k++) {
            if (r->nulls[k].nulls < 0 || r->nulls[k].column == NULL)
                abort();
        }
    }
    return 0;
}
