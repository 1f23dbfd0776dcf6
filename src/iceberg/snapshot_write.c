/*
 * snapshot_write.c - manifests of the added files, and merging of small manifests.
 *
 * Added files are written per content and spec, split by commit.manifest.target-size-bytes. Merging packs manifests of
 * one spec, from the oldest end, into bins of the target size; the bin with the new manifest is merged only once it
 * holds commit.manifest.min-count-to-merge of them, so that a small append stays small.
 */
#include "base/thread.h"
#include "snapshot_private.h"
#include "storage/storage.h"

#include <stdlib.h>

enum { SLICE_FILES_MIN = 4096 }; /* fewer are not worth a thread of their own */

static void free_arena(void *ctx)
{
    firn_arena_free(ctx);
}

/* For results of another thread that live as long as the commit. */
static firn_arena *child_arena(firn_commit *commit)
{
    firn_arena *arena = firn_arena_new();
    firn_arena_defer(commit->arena, free_arena, arena);
    return arena;
}

static int64_t target_bytes(const firn_commit *commit)
{
    int64_t target =
        firn_metadata_property_i64(commit->base, "commit.manifest.target-size-bytes", 8 << 20);
    return target > 0 ? target : 8 << 20;
}

/* ---- added files -------------------------------------------------------------------------------------------------- */

typedef struct add_slice { /* files of one content and spec that one thread writes */
    firn_arena *arena;
    const firn_partition_spec *spec;
    bool deletes;
    const firn_data_file **files;
    size_t n;
    firn_manifest_files out;
    firn_rc rc;
    firn_err err;
} add_slice;

typedef struct add_job {
    firn_commit *commit;
    FIRN_VEC(add_slice) slices;
} add_job;

static firn_rc write_slice(firn_commit *commit, add_slice *slice, firn_err *err)
{
    size_t target = (size_t)target_bytes(commit);
    const firn_snapshot_change *change = commit->change;
    for (size_t at = 0; at < slice->n;) {
        firn_manifest_writer_options options = {
            .metadata = commit->base,
            .spec = slice->spec,
            .deletes = slice->deletes,
            .snapshot_id = commit->snapshot_id,
            .location = firn_commit_manifest_location(commit, slice->arena),
        };
        firn_manifest_writer *writer = firn_manifest_writer_new(slice->arena, &options);
        do {
            firn_manifest_entry entry = {.status = FIRN_ENTRY_ADDED,
                                         .snapshot_id = commit->snapshot_id,
                                         .data_sequence_number = -1,
                                         .file_sequence_number = -1,
                                         .file = *slice->files[at++]};
            entry.file.first_row_id = -1; /* given by the commit */
            if (change->keeps_sequence_number && !slice->deletes)
                entry.data_sequence_number = change->data_sequence_number;
            FIRN_TRY(firn_manifest_writer_add(writer, &entry, err));
        } while (at < slice->n && firn_manifest_writer_bytes(writer) < target);
        firn_manifest_file file;
        FIRN_TRY(firn_manifest_writer_finish(writer, commit->storage, &file, err));
        FIRN_TRY(firn_fault_point("commit.manifest_written", file.path, err));
        firn_vec_push(slice->arena, &slice->out, file);
    }
    return FIRN_OK;
}

static void run_slice(void *ctx, size_t i)
{
    add_job *job = ctx;
    add_slice *slice = &job->slices.items[i];
    slice->rc = write_slice(job->commit, slice, &slice->err);
}

/* Cuts the files of one content and spec into slices, one a thread when they are many. */
static void slice_group(add_job *job, const firn_partition_spec *spec, bool deletes,
                        const firn_data_file **files, size_t n)
{
    size_t threads = job->commit->threads > 1 ? (size_t)job->commit->threads : 1;
    size_t n_slices = n / SLICE_FILES_MIN + 1 < threads ? n / SLICE_FILES_MIN + 1 : threads;
    size_t per_slice = (n + n_slices - 1) / n_slices;
    for (size_t at = 0; at < n; at += per_slice) {
        add_slice *slice = firn_vec_push_zero(job->commit->arena, &job->slices);
        slice->arena = child_arena(job->commit);
        slice->spec = spec;
        slice->deletes = deletes;
        slice->files = files + at;
        slice->n = n - at < per_slice ? n - at : per_slice;
    }
}

static void collect_group(add_job *job, const firn_partition_spec *spec, bool deletes)
{
    const firn_snapshot_change *change = job->commit->change;
    size_t n = 0;
    for (size_t i = 0; i < change->n_added; i++) {
        const firn_data_file *file = &change->added[i];
        n += file->spec_id == spec->spec_id && (file->content != FIRN_CONTENT_DATA) == deletes;
    }
    if (n == 0)
        return;
    const firn_data_file **files = FIRN_NEW_N(job->commit->arena, const firn_data_file *, n);
    n = 0;
    for (size_t i = 0; i < change->n_added; i++) {
        const firn_data_file *file = &change->added[i];
        if (file->spec_id == spec->spec_id && (file->content != FIRN_CONTENT_DATA) == deletes)
            files[n++] = file;
    }
    slice_group(job, spec, deletes, files, n);
}

static void prepend(firn_arena *arena, firn_manifest_files *to, const firn_manifest_files *from)
{
    firn_manifest_files all = {0};
    firn_vec_reserve(arena, &all, from->len + to->len + 1);
    for (size_t i = 0; i < from->len; i++)
        firn_vec_push(arena, &all, from->items[i]);
    for (size_t i = 0; i < to->len; i++)
        firn_vec_push(arena, &all, to->items[i]);
    *to = all;
}

firn_rc firn_commit_add(firn_commit *commit, firn_err *err)
{
    const firn_metadata *base = commit->base;
    add_job job = {.commit = commit};
    for (size_t s = 0; s < base->n_specs; s++) {
        collect_group(&job, base->specs[s], false);
        collect_group(&job, base->specs[s], true);
    }
    firn_parallel_for(commit->threads, job.slices.len, run_slice, &job);
    firn_manifest_files data = {0}, deletes = {0};
    for (size_t i = 0; i < job.slices.len; i++) {
        add_slice *slice = &job.slices.items[i];
        if (slice->rc != FIRN_OK) {
            if (err)
                *err = slice->err;
            return slice->rc;
        }
        firn_manifest_files *to = slice->deletes ? &deletes : &data;
        for (size_t m = 0; m < slice->out.len; m++)
            firn_vec_push(commit->arena, to, slice->out.items[m]);
    }
    prepend(commit->arena, &commit->data, &data);
    prepend(commit->arena, &commit->deletes, &deletes);
    for (size_t i = 0; i < commit->change->n_added; i++)
        firn_summary_add(commit, &commit->change->added[i], true);
    return FIRN_OK;
}

/* ---- merging ---------------------------------------------------------------------------------------------------------- */

typedef struct merge_bin {
    firn_arena *arena;
    const firn_manifest_file **files;
    size_t n;
    bool merge;
    firn_manifest_file merged;
    firn_rc rc;
    firn_err err;
} merge_bin;

typedef struct merge_job {
    firn_commit *commit;
    FIRN_VEC(merge_bin) bins;
} merge_job;

static firn_rc copy_entries(firn_commit *commit, firn_manifest *manifest,
                            firn_manifest_writer *writer, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    for (size_t i = 0; i < manifest->n; i++) {
        firn_manifest_entry entry;
        firn_arena_reset(scratch);
        firn_manifest_entry_get(manifest, scratch, i, true, &entry);
        bool own = entry.snapshot_id == commit->snapshot_id;
        if (entry.status == FIRN_ENTRY_DELETED && !own)
            continue;
        if (entry.status == FIRN_ENTRY_ADDED && !own)
            entry.status = FIRN_ENTRY_EXISTING;
        if (entry.status == FIRN_ENTRY_ADDED &&
            entry.data_sequence_number == commit->sequence_number)
            entry.data_sequence_number = -1; /* inherited again */
        FIRN_TRY(firn_manifest_writer_add(writer, &entry, err));
    }
    return FIRN_OK;
}

static firn_rc merge_one(firn_commit *commit, merge_bin *bin, firn_err *err)
{
    const firn_manifest_file *first = bin->files[0];
    firn_manifest_writer *writer = NULL;
    for (size_t i = 0; i < bin->n; i++) {
        firn_manifest *manifest;
        FIRN_TRY(firn_commit_open(commit, bin->files[i], &manifest, err));
        if (!writer) {
            const firn_partition_spec *spec = firn_metadata_spec(commit->base, first->spec_id);
            firn_manifest_writer_options options = {
                .metadata = commit->base,
                .spec = spec,
                .deletes = first->deletes,
                .snapshot_id = commit->snapshot_id,
                .location = firn_commit_manifest_location(commit, bin->arena),
            };
            writer = firn_manifest_writer_new(bin->arena, &options);
        }
        firn_rc rc = copy_entries(commit, manifest, writer, err);
        firn_manifest_unref(manifest);
        if (rc != FIRN_OK)
            return rc;
    }
    FIRN_TRY(firn_manifest_writer_finish(writer, commit->storage, &bin->merged, err));
    return firn_fault_point("commit.manifest_written", bin->merged.path, err);
}

static void run_bin(void *ctx, size_t i)
{
    merge_job *job = ctx;
    merge_bin *bin = &job->bins.items[i];
    if (bin->merge)
        bin->rc = merge_one(job->commit, bin, &bin->err);
}

/* Bins of one spec's manifests in their order, packed from the end so that the first one is the one under-filled. */
static void pack_group(merge_job *job, const firn_manifest_file **files, size_t n,
                       const firn_manifest_file *newest)
{
    firn_commit *commit = job->commit;
    int64_t target = target_bytes(commit);
    int64_t min_count =
        firn_metadata_property_i64(commit->base, "commit.manifest.min-count-to-merge", 100);
    bool known_spec = firn_metadata_spec(commit->base, files[0]->spec_id) != NULL;
    FIRN_VEC(merge_bin) packed = {0};
    for (size_t end = n; end > 0;) {
        size_t start = end - 1;
        int64_t bytes = files[start]->length_bytes;
        while (start > 0 && bytes + files[start - 1]->length_bytes <= target)
            bytes += files[--start]->length_bytes;
        merge_bin *bin = firn_vec_push_zero(commit->arena, &packed);
        bin->files = files + start;
        bin->n = end - start;
        bool has_newest = files[start] == newest;
        bin->merge = known_spec && bin->n > 1 && !(has_newest && (int64_t)bin->n < min_count);
        if (bin->merge)
            bin->arena = child_arena(commit);
        end = start;
    }
    for (size_t i = packed.len; i-- > 0;)
        firn_vec_push(commit->arena, &job->bins, packed.items[i]);
}

static int cmp_specs_down(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x < y) - (x > y);
}

static void pack_all(merge_job *job, const firn_manifest_files *all)
{
    firn_arena *arena = job->commit->arena;
    FIRN_VEC(int32_t) specs = {0};
    for (size_t i = 0; i < all->len; i++) {
        bool seen = false;
        for (size_t s = 0; s < specs.len && !seen; s++)
            seen = specs.items[s] == all->items[i].spec_id;
        if (!seen)
            firn_vec_push(arena, &specs, all->items[i].spec_id);
    }
    if (specs.len > 1)
        qsort(specs.items, specs.len, sizeof *specs.items, cmp_specs_down);
    for (size_t s = 0; s < specs.len; s++) {
        const firn_manifest_file **files = FIRN_NEW_N(arena, const firn_manifest_file *, all->len);
        size_t n = 0;
        for (size_t i = 0; i < all->len; i++) {
            if (all->items[i].spec_id == specs.items[s])
                files[n++] = &all->items[i];
        }
        pack_group(job, files, n, &all->items[0]);
    }
}

/* A manifest of this attempt that a merge has swallowed. A leftover would be an orphan, no more. */
static void forget(firn_commit *commit, const char *path)
{
    for (size_t i = 0; i < commit->written.len; i++) {
        if (firn_streq(commit->written.items[i], path)) {
            if (firn_storage_delete(commit->storage, path, NULL) == FIRN_OK)
                commit->written.items[i] = commit->written.items[--commit->written.len];
            return;
        }
    }
}

static firn_rc merge_list(firn_commit *commit, firn_manifest_files *all, firn_err *err)
{
    if (all->len < 2)
        return FIRN_OK;
    merge_job job = {.commit = commit};
    pack_all(&job, all);
    firn_parallel_for(commit->threads, job.bins.len, run_bin, &job);
    firn_manifest_files out = {0};
    for (size_t b = 0; b < job.bins.len; b++) {
        merge_bin *bin = &job.bins.items[b];
        if (bin->rc != FIRN_OK) {
            if (err)
                *err = bin->err;
            return bin->rc;
        }
        for (size_t i = 0; i < bin->n && !bin->merge; i++)
            firn_vec_push(commit->arena, &out, *bin->files[i]);
        for (size_t i = 0; i < bin->n && bin->merge; i++) {
            if (bin->files[i]->added_snapshot_id == commit->snapshot_id)
                forget(commit, bin->files[i]->path);
            else
                commit->summary.manifests_replaced++;
        }
        if (bin->merge)
            firn_vec_push(commit->arena, &out, bin->merged);
    }
    *all = out;
    return FIRN_OK;
}

firn_rc firn_commit_merge(firn_commit *commit, firn_err *err)
{
    const char *enabled =
        firn_metadata_property(commit->base, "commit.manifest-merge.enabled", "true");
    if (firn_strcaseeq(enabled, "false"))
        return FIRN_OK;
    FIRN_TRY(merge_list(commit, &commit->data, err));
    return merge_list(commit, &commit->deletes, err);
}
