/* The scan from inside: files as places in decoded manifests, before they become tasks. */
#ifndef ICEBERG_SCAN_PRIVATE_H
#define ICEBERG_SCAN_PRIVATE_H

#include "scan_deletes.h"
#include "scan_filter.h"

typedef struct firn_scan_place {
    firn_manifest *manifest; /* NULL at the end */
    size_t ordinal;          /* of the manifest in the scan's order */
    size_t row;
    bool all_rows_match;
    const firn_scan_delete *deletes;
    size_t n_deletes;
} firn_scan_place;

firn_rc firn_scan_next_place(firn_scan *scan, firn_scan_place *out, firn_err *err) FIRN_MUST_USE;

/* Data manifests in which append snapshots after `options->appended_since` added files, oldest snapshot first (scan_append.c). */
firn_rc firn_scan_append_manifests(firn_arena *arena, const firn_scan_options *options,
                                   firn_manifest_file **out, size_t *n,
                                   firn_err *err) FIRN_MUST_USE;

#endif
