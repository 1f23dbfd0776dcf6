/*
 * scan_append.c - which manifests an incremental append scan reads.
 *
 * Append snapshots between two points of the lineage, oldest first, and of each the data manifests that it wrote: the entries
 * that it added are in these, with status ADDED and its id. What other snapshots did in between (deletes, overwrites, compaction)
 * is not looked at.
 */
#include "base/vec.h"
#include "scan_private.h"

#include <inttypes.h>

static bool is_append(const firn_snapshot *snapshot)
{
    return snapshot->operation && firn_streq(snapshot->operation, "append");
}

/* From the end back to the start, which is left out. */
static firn_rc walk(firn_arena *arena, const firn_scan_options *o, const firn_snapshot ***out,
                    size_t *n, firn_err *err)
{
    const firn_metadata *metadata = o->metadata;
    *out = FIRN_NEW_N(arena, const firn_snapshot *, metadata->n_snapshots);
    *n = 0;
    const firn_snapshot *at = o->snapshot;
    for (size_t steps = 0; at && steps <= metadata->n_snapshots; steps++) {
        if (at->snapshot_id == o->appended_since)
            return FIRN_OK;
        if (*n == metadata->n_snapshots)
            break; /* a ring of parents */
        (*out)[(*n)++] = at;
        if (at->parent_id == o->appended_since)
            return FIRN_OK; /* the start itself may have expired */
        at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(metadata, at->parent_id);
    }
    FIRN_FAIL(err, FIRN_E_INVALID,
              "Starting snapshot (exclusive) %" PRId64
              " is not a parent ancestor of end snapshot %" PRId64,
              o->appended_since, o->snapshot->snapshot_id);
}

firn_rc firn_scan_append_manifests(firn_arena *arena, const firn_scan_options *options,
                                   firn_manifest_file **out, size_t *n, firn_err *err)
{
    const firn_snapshot **snapshots;
    size_t n_snapshots;
    FIRN_VEC(firn_manifest_file) found = {0};
    FIRN_TRY(walk(arena, options, &snapshots, &n_snapshots, err));
    for (size_t i = n_snapshots; i-- > 0;) {
        firn_manifest_file *files;
        size_t n_files;
        if (!is_append(snapshots[i]))
            continue;
        FIRN_TRY(firn_manifest_list_read(options->storage, arena, options->metadata, snapshots[i],
                                         &files, &n_files, err));
        for (size_t k = 0; k < n_files; k++) {
            if (!files[k].deletes && files[k].added_snapshot_id == snapshots[i]->snapshot_id)
                firn_vec_push(arena, &found, files[k]);
        }
    }
    *out = found.items;
    *n = found.len;
    return FIRN_OK;
}
