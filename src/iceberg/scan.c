/*
 * scan.c - planning: the manifest list, the delete manifests, then data manifests one after another as tasks are
 * asked for.
 *
 * A window of manifests is opened and filtered at once: first one, so that a LIMIT is cheap, then as many as there
 * are threads; firn_scan_all takes all that remain. Filtering only marks rows of the decoded manifest; tasks, and
 * their deletes, are made by the caller's thread when it takes them.
 */
#include "iceberg/scan.h"

#include "base/thread.h"
#include "scan_private.h"

#include <stdlib.h>

typedef struct scan_part { /* one data manifest */
    const firn_manifest_file *file;
    size_t ordinal;
    firn_manifest *manifest;
    firn_delete_binding deletes;
    uint32_t *rows; /* kept; the highest bit: all rows match */
    size_t n, next;
    int64_t live, fates[FIRN_SKIP_COUNTS + 1];
    firn_rc rc;
    firn_err err;
} scan_part;

static const uint32_t all_rows_bit = UINT32_C(1) << 31;

struct firn_scan {
    firn_arena *arena;
    firn_scan_options options;
    firn_file_filter *filter;
    firn_delete_index *deletes;
    const firn_manifest_file **manifests; /* data manifests to open */
    size_t *ordinals;                     /* and their places among all data manifests */
    size_t n_manifests, next_manifest;
    scan_part *parts; /* of the window */
    size_t n_parts, next_part;
    size_t window;
    FIRN_VEC(firn_manifest *) held;
    firn_scan_stats stats;
};

static void close_scan(void *ctx)
{
    firn_scan *scan = ctx;
    for (size_t i = 0; i < scan->held.len; i++)
        firn_manifest_unref(scan->held.items[i]);
    for (size_t i = 0; i < scan->n_parts; i++)
        free(scan->parts[i].rows);
}

static int64_t live_files(const firn_manifest_file *file)
{
    int64_t added = file->added_files < 0 ? 0 : file->added_files;
    return added + (file->existing_files < 0 ? 0 : file->existing_files);
}

static bool may_have_live_files(const firn_manifest_file *file)
{
    return file->added_files != 0 || file->existing_files != 0;
}

/* ---- deletes ----------------------------------------------------------------------------------------------------- */

typedef struct open_job {
    firn_scan *scan;
    const firn_manifest_file **files;
    firn_manifest **manifests;
    firn_rc *rcs;
    firn_err *errs;
} open_job;

static void open_one(void *ctx, size_t i)
{
    open_job *job = ctx;
    const firn_scan_options *o = &job->scan->options;
    job->rcs[i] = firn_manifest_open(o->storage, o->cache, o->metadata, job->files[i],
                                     &job->manifests[i], &job->errs[i]);
}

static firn_rc index_deletes(firn_scan *scan, firn_manifest *manifest, firn_err *err)
{
    firn_filter_binding binding;
    firn_filter_bind(scan->filter, scan->arena, manifest, &binding);
    for (size_t i = 0; i < manifest->n; i++) {
        if (!firn_manifest_live(manifest, i) ||
            !firn_filter_tuple(&binding, firn_manifest_tuple(manifest, i)))
            continue;
        FIRN_TRY(firn_delete_index_add(scan->deletes, manifest, i, err));
    }
    return FIRN_OK;
}

static firn_rc load_deletes(firn_scan *scan, const firn_manifest_file **files, size_t n,
                            firn_err *err)
{
    if (n == 0)
        return FIRN_OK;
    open_job job = {
        .scan = scan,
        .files = files,
        .manifests = FIRN_NEW_N(scan->arena, firn_manifest *, n),
        .rcs = FIRN_NEW_N(scan->arena, firn_rc, n),
        .errs = FIRN_NEW_N(scan->arena, firn_err, n),
    };
    firn_parallel_for(scan->options.threads, n, open_one, &job);
    for (size_t i = 0; i < n; i++) {
        if (job.rcs[i] == FIRN_OK)
            firn_vec_push(scan->arena, &scan->held, job.manifests[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (job.rcs[i] != FIRN_OK) {
            if (err)
                *err = job.errs[i];
            return job.rcs[i];
        }
        FIRN_TRY(index_deletes(scan, job.manifests[i], err));
    }
    firn_delete_index_finish(scan->deletes);
    return FIRN_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static bool in_range(const firn_scan_options *o, size_t ordinal)
{
    bool open_end = o->to.manifest == 0 && o->to.row == 0;
    return ordinal >= o->from.manifest &&
           (open_end || ordinal < o->to.manifest || (ordinal == o->to.manifest && o->to.row > 0));
}

/* Sorts the snapshot's manifests into data to read, deletes to read and what can be skipped. */
static firn_rc choose_manifests(firn_scan *scan, const firn_manifest_file *files, size_t n,
                                firn_err *err)
{
    const firn_manifest_file **deletes = FIRN_NEW_N(scan->arena, const firn_manifest_file *, n);
    size_t n_deletes = 0;
    size_t n_data = 0;
    scan->manifests = FIRN_NEW_N(scan->arena, const firn_manifest_file *, n);
    scan->ordinals = FIRN_NEW_N(scan->arena, size_t, n);
    for (size_t i = 0; i < n; i++) {
        const firn_manifest_file *file = &files[i];
        size_t ordinal = file->deletes ? 0 : n_data++;
        if (!file->deletes && !in_range(&scan->options, ordinal))
            continue;
        bool wanted = may_have_live_files(file) && firn_file_filter_manifest(scan->filter, file);
        if (file->deletes) {
            scan->stats.delete_manifests++;
            scan->stats.delete_manifests_skipped += !wanted;
            if (wanted)
                deletes[n_deletes++] = file;
            continue;
        }
        scan->stats.manifests++;
        if (wanted) {
            scan->ordinals[scan->n_manifests] = ordinal;
            scan->manifests[scan->n_manifests++] = file;
            continue;
        }
        scan->stats.manifests_skipped++;
        scan->stats.files += live_files(file);
        scan->stats.files_skipped_manifest += live_files(file);
    }
    if (scan->n_manifests == 0) { /* nothing that deletes could apply to */
        scan->stats.delete_manifests_skipped = scan->stats.delete_manifests;
        return FIRN_OK;
    }
    return load_deletes(scan, deletes, n_deletes, err);
}

firn_rc firn_scan_open(firn_arena *arena, const firn_scan_options *options, firn_scan **out,
                       firn_err *err)
{
    firn_scan *scan = FIRN_NEW(arena, firn_scan);
    scan->arena = arena;
    scan->options = *options;
    scan->window = 1;
    firn_arena_defer(arena, close_scan, scan);
    const firn_schema *schema = options->schema ? options->schema : options->metadata->schema;
    scan->filter = firn_file_filter_new(arena, options->metadata, schema, options->filter);
    scan->deletes = firn_delete_index_new(arena, options->metadata);
    if (options->snapshot) {
        firn_manifest_file *files;
        size_t n;
        if (options->appended_since)
            FIRN_TRY(firn_scan_append_manifests(arena, options, &files, &n, err));
        else
            FIRN_TRY(firn_manifest_list_read(options->storage, arena, options->metadata,
                                             options->snapshot, &files, &n, err));
        FIRN_TRY(choose_manifests(scan, files, n, err));
    }
    *out = scan;
    return FIRN_OK;
}

firn_rc firn_scan_manifests(firn_arena *arena, const firn_scan_options *options,
                            firn_manifest_file **out, size_t *n, firn_err *err)
{
    *out = NULL;
    *n = 0;
    if (!options->snapshot)
        return FIRN_OK;
    if (options->appended_since)
        return firn_scan_append_manifests(arena, options, out, n, err);
    size_t all;
    FIRN_TRY(firn_manifest_list_read(options->storage, arena, options->metadata, options->snapshot,
                                     out, &all, err));
    for (size_t i = 0; i < all; i++) {
        if (!(*out)[i].deletes)
            (*out)[(*n)++] = (*out)[i];
    }
    return FIRN_OK;
}

/* ---- filtering ------------------------------------------------------------------------------------------------------ */

/* Is the row one of those that the scan is about, whatever the filter? */
static bool is_asked_for(const firn_scan_options *o, const scan_part *part, size_t row)
{
    const firn_manifest *m = part->manifest;
    if ((part->ordinal == o->from.manifest && row < o->from.row) ||
        (part->ordinal == o->to.manifest && o->to.row > 0 && row >= o->to.row))
        return false;
    if (o->appended_since)
        return m->status[row] == FIRN_ENTRY_ADDED &&
               m->snapshot_id[row] == part->file->added_snapshot_id;
    return firn_manifest_live(m, row);
}

static void filter_rows(firn_scan *scan, scan_part *part, firn_arena *scratch)
{
    firn_manifest *m = part->manifest;
    firn_filter_binding binding;
    firn_filter_bind(scan->filter, scratch, m, &binding);
    bool all = firn_file_filter_is_true(scan->filter);
    part->rows = firn_malloc((m->n + 1) * sizeof *part->rows);
    for (size_t i = 0; i < m->n; i++) {
        if (!is_asked_for(&scan->options, part, i))
            continue;
        part->live++;
        firn_fate fate = all ? FIRN_KEEP : firn_filter_test(&binding, i);
        part->fates[fate]++;
        if (fate != FIRN_KEEP)
            continue;
        bool match = all || firn_filter_all_match(&binding, i);
        part->rows[part->n++] = (uint32_t)i | (match ? all_rows_bit : 0);
    }
}

static void load_part(void *ctx, size_t i)
{
    firn_scan *scan = ctx;
    scan_part *part = &scan->parts[i];
    const firn_scan_options *o = &scan->options;
    part->rc = firn_manifest_open(o->storage, o->cache, o->metadata, part->file, &part->manifest,
                                  &part->err);
    if (part->rc != FIRN_OK)
        return;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    filter_rows(scan, part, scratch);
}

static void count_part(firn_scan *scan, const scan_part *part)
{
    scan->stats.files += part->live;
    scan->stats.files_skipped_partition += part->fates[FIRN_SKIP_PARTITION];
    scan->stats.files_skipped_bounds += part->fates[FIRN_SKIP_BOUNDS];
    scan->stats.files_skipped_nulls += part->fates[FIRN_SKIP_COUNTS];
}

static firn_rc load_window(firn_scan *scan, firn_err *err)
{
    size_t left = scan->n_manifests - scan->next_manifest;
    size_t n = scan->window < left ? scan->window : left;
    size_t threads = scan->options.threads > 1 ? (size_t)scan->options.threads : 1;
    scan->window = scan->window * 2 < threads ? scan->window * 2 : threads;
    for (size_t i = 0; i < scan->n_parts; i++)
        free(scan->parts[i].rows);
    scan->parts = FIRN_NEW_N(scan->arena, scan_part, n);
    scan->n_parts = n;
    scan->next_part = 0;
    for (size_t i = 0; i < n; i++) {
        scan->parts[i].ordinal = scan->ordinals[scan->next_manifest];
        scan->parts[i].file = scan->manifests[scan->next_manifest++];
    }
    firn_parallel_for(scan->options.threads, n, load_part, scan);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < n; i++) {
        scan_part *part = &scan->parts[i];
        if (part->rc != FIRN_OK) {
            if (rc == FIRN_OK && err)
                *err = part->err;
            rc = rc == FIRN_OK ? part->rc : rc;
            continue;
        }
        firn_vec_push(scan->arena, &scan->held, part->manifest);
        count_part(scan, part);
        if (!firn_delete_index_is_empty(scan->deletes))
            firn_delete_index_bind(scan->deletes, scan->arena, part->manifest, &part->deletes);
    }
    return rc;
}

/* ---- tasks ------------------------------------------------------------------------------------------------------------ */

firn_rc firn_scan_next_place(firn_scan *scan, firn_scan_place *out, firn_err *err)
{
    *out = (firn_scan_place){0};
    for (;;) {
        while (scan->next_part < scan->n_parts &&
               scan->parts[scan->next_part].next == scan->parts[scan->next_part].n)
            scan->next_part++;
        if (scan->next_part < scan->n_parts)
            break;
        if (scan->next_manifest == scan->n_manifests)
            return FIRN_OK;
        FIRN_TRY(load_window(scan, err));
    }
    scan_part *part = &scan->parts[scan->next_part];
    firn_manifest *m = part->manifest;
    uint32_t mark = part->rows[part->next++];
    out->manifest = m;
    out->ordinal = part->ordinal;
    out->row = mark & ~all_rows_bit;
    out->all_rows_match = (mark & all_rows_bit) != 0;
    scan->stats.files_read++;
    scan->stats.bytes_read += m->file_size_bytes[out->row];
    scan->stats.rows_read += m->record_count[out->row];
    if (firn_delete_index_is_empty(scan->deletes))
        return FIRN_OK;
    firn_delete_target target = {
        .path = firn_manifest_path(m, out->row),
        .spec_id = m->spec_id,
        .tuple = firn_manifest_tuple(m, out->row),
        .n_tuple = m->n_partition,
        .data_sequence_number = m->data_sequence_number[out->row],
        .row = out->row,
    };
    return firn_delete_index_find(scan->deletes, &part->deletes, scan->arena, &target,
                                  &out->deletes, &out->n_deletes, err);
}

static void make_task(firn_scan *scan, const firn_scan_place *place, firn_scan_task *task)
{
    firn_manifest_entry entry;
    firn_manifest_entry_get(place->manifest, scan->arena, place->row, scan->options.with_metrics,
                            &entry);
    *task = (firn_scan_task){
        .file = firn_arena_memdup(scan->arena, &entry.file, sizeof entry.file),
        .data_sequence_number = entry.data_sequence_number,
        .snapshot_id = entry.snapshot_id,
        .deletes = place->deletes,
        .n_deletes = place->n_deletes,
        .place = {.manifest = place->ordinal, .row = place->row},
        .all_rows_match = place->all_rows_match,
    };
}

firn_rc firn_scan_next(firn_scan *scan, const firn_scan_task **task, firn_err *err)
{
    firn_scan_place place;
    *task = NULL;
    FIRN_TRY(firn_scan_next_place(scan, &place, err));
    if (!place.manifest)
        return FIRN_OK;
    firn_scan_task *made = FIRN_NEW(scan->arena, firn_scan_task);
    make_task(scan, &place, made);
    *task = made;
    return FIRN_OK;
}

firn_rc firn_scan_all(firn_scan *scan, firn_scan_task **tasks, size_t *n, firn_err *err)
{
    FIRN_VEC(firn_scan_task) all = {0};
    scan->window = scan->n_manifests;
    for (;;) {
        firn_scan_place place;
        FIRN_TRY(firn_scan_next_place(scan, &place, err));
        if (!place.manifest)
            break;
        if (all.len == all.cap) { /* room for what the window still holds */
            size_t more = 1;
            for (size_t i = scan->next_part; i < scan->n_parts; i++)
                more += scan->parts[i].n - scan->parts[i].next;
            firn_vec_reserve(scan->arena, &all, all.len + more);
        }
        make_task(scan, &place, firn_vec_push_zero(scan->arena, &all));
    }
    *tasks = all.items;
    *n = all.len;
    return FIRN_OK;
}

const firn_scan_stats *firn_scan_statistics(const firn_scan *scan)
{
    firn_scan *own = (firn_scan *)scan; /* the count lives in the index */
    own->stats.delete_files = firn_delete_index_used(scan->deletes);
    return &scan->stats;
}
