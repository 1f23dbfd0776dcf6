/* Which files are worth it, and which are written together.
 *
 *   group   files of one partition and one spec
 *   bin     files of a group, in the order of the scan, up to the target size: they become one file. Order and not size decides who
 *           goes with whom, so that rows that came together stay together and bounds stay narrow.
 *   batch   one bin of each of several groups, for one query; in it, rows of old specs find their new partitions
 *
 * Worth it is a file that is small, has deletes, or lies in an old spec. A bin of a single small file is left alone, so a second
 * compaction finds nothing to do.
 */
#include "compact.h"

#include "iceberg/partition.h"

enum { BINS_MAX = 64 }; /* of a batch: so many files are open at once */
#define BATCH_BYTES_MAX (1LL << 30)

/* ---- deletes -------------------------------------------------------------------------------------- */

/* Vectors share a file: the place in it tells them apart. */
static const char *delete_key(firn_buf *buf, const firn_data_file *file)
{
    if (file->content_offset < 0) {
        return file->path;
    }
    firn_buf_clear(buf);
    firn_buf_printf(buf, "%s#%lld", file->path, (long long)file->content_offset);
    return firn_buf_cstr(buf);
}

firn_compact_delete *firn_compact_delete_of(const firn_compact_plan *plan,
                                            const firn_scan_delete *delete_file)
{
    FIRN_AUTO_BUF firn_buf key = {0};
    return firn_map_get(plan->deletes, delete_key(&key, delete_file->file));
}

static void count_deletes(firn_arena *arena, firn_compact_plan *plan, const firn_scan_task *task)
{
    FIRN_AUTO_BUF firn_buf key = {0};
    for (size_t i = 0; i < task->n_deletes; i++) {
        firn_compact_delete *known = firn_compact_delete_of(plan, &task->deletes[i]);
        if (known == NULL) {
            known = FIRN_NEW(arena, firn_compact_delete);
            known->file = task->deletes[i].file;
            firn_map_put(plan->deletes, delete_key(&key, known->file), known);
        }
        known->uses++;
    }
}

/* ---- groups --------------------------------------------------------------------------------------- */

static const char *group_key(firn_arena *arena, const firn_metadata *metadata,
                             const firn_data_file *file)
{
    const firn_partition_spec *spec = firn_metadata_spec(metadata, file->spec_id);
    if (spec == NULL || spec->n_fields == 0 || file->n_partition != spec->n_fields) {
        return firn_arena_printf(arena, "%d:", file->spec_id);
    }
    return firn_arena_printf(arena, "%d:%s", file->spec_id,
                             firn_partition_path(arena, spec, metadata->schema, file->partition));
}

typedef struct planning {
    firn_arena *arena;
    const firn_metadata *metadata;
    const firn_compact_limits *limits;
    const firn_compact_scope *scope;
    firn_map *groups;
    firn_compact_plan *out;
} planning;

static void sort_in(planning *p, const firn_scan_task *task)
{
    const firn_data_file *file = task->file;
    bool old_spec = file->spec_id != p->metadata->spec->spec_id;
    bool small = file->file_size_bytes < p->limits->small_bytes;
    if ((!small && !old_spec && task->n_deletes == 0) ||
        (p->scope->paths != NULL && !firn_map_has(p->scope->paths, file->path))) {
        return;
    }
    const char *key = group_key(p->arena, p->metadata, file);
    if (p->scope->only != NULL && !firn_map_has(p->scope->only, key)) {
        return;
    }
    firn_compact_group *group = firn_map_get(p->groups, key);
    if (group == NULL) {
        group = FIRN_NEW(p->arena, firn_compact_group);
        group->key = key;
        group->old_spec = old_spec;
        firn_map_put(p->groups, key, group);
    }
    firn_vec_push(p->arena, &group->tasks, task);
    group->n_small += small;
}

/* ---- bins ----------------------------------------------------------------------------------------- */

static void close_bin(planning *p, firn_compact_bin *bin)
{
    if (bin != NULL && (bin->needed || bin->tasks.len > 1)) {
        firn_vec_push(p->arena, &p->out->bins, bin);
        p->out->n_files += bin->tasks.len;
        p->out->bytes += bin->bytes;
    }
}

static void make_bins(planning *p, const firn_compact_group *group)
{
    firn_compact_bin *bin = NULL;
    bool few = (int64_t)group->n_small < p->limits->min_files;
    for (size_t i = 0; i < group->tasks.len; i++) {
        const firn_scan_task *task = group->tasks.items[i];
        int64_t bytes = task->file->file_size_bytes;
        bool needed = group->old_spec || task->n_deletes > 0;
        if (few && !needed) {
            continue;
        }
        if (bin == NULL || bin->bytes + bytes > p->limits->target_bytes ||
            bin->tasks.len >= FIRN_COMPACT_FILES_MAX) {
            close_bin(p, bin);
            bin = FIRN_NEW(p->arena, firn_compact_bin);
            bin->group = group;
        }
        firn_vec_push(p->arena, &bin->tasks, task);
        bin->bytes += bytes;
        bin->needed |= needed;
    }
    close_bin(p, bin);
}

/* ---- batches -------------------------------------------------------------------------------------- */

static bool fits(const planning *p, const firn_compact_batch *batch, const firn_compact_bin *bin)
{
    if (p->scope->alone || p->metadata->spec->n_fields == 0 || batch->bins.len >= BINS_MAX ||
        batch->n_files + bin->tasks.len > FIRN_COMPACT_FILES_MAX ||
        batch->bytes + bin->bytes > BATCH_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < batch->bins.len; i++) {
        if (batch->bins.items[i]->group == bin->group) {
            return false; /* they would become one file */
        }
    }
    return true;
}

/* Bins of one group follow each other, so each looks for room in the batches from the first that is not full. */
static void make_batches(planning *p)
{
    size_t from = 0;
    firn_compact_plan *plan = p->out;
    for (size_t i = 0; i < plan->bins.len; i++) {
        firn_compact_bin *bin = plan->bins.items[i];
        firn_compact_batch *batch = NULL;
        for (size_t b = from; batch == NULL && b < plan->batches.len; b++) {
            batch = fits(p, plan->batches.items[b], bin) ? plan->batches.items[b] : NULL;
        }
        if (batch == NULL) {
            batch = FIRN_NEW(p->arena, firn_compact_batch);
            firn_vec_push(p->arena, &plan->batches, batch);
        }
        firn_vec_push(p->arena, &batch->bins, bin);
        batch->n_files += bin->tasks.len;
        batch->bytes += bin->bytes;
        enum { LOOKED_AT_MAX = 128 };
        from = plan->batches.len > LOOKED_AT_MAX ? plan->batches.len - LOOKED_AT_MAX : 0;
    }
}

void firn_compact_plan_of(firn_arena *arena, const firn_metadata *metadata,
                          const firn_compact_limits *limits, const firn_compact_scope *scope,
                          firn_scan_task *tasks, size_t n, firn_compact_plan *out)
{
    *out = (firn_compact_plan){.deletes = firn_map_new(arena)};
    planning p = {.arena = arena,
                  .metadata = metadata,
                  .limits = limits,
                  .scope = scope,
                  .groups = firn_map_new(arena),
                  .out = out};
    const char *key;
    void *value;
    for (size_t i = 0; i < n; i++) {
        count_deletes(arena, out, &tasks[i]);
        sort_in(&p, &tasks[i]);
    }
    for (size_t i = 0; firn_map_next(p.groups, &i, &key, &value);) {
        make_bins(&p, value);
    }
    make_batches(&p);
}
