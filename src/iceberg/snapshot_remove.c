/*
 * snapshot_remove.c - which entries of the parent snapshot go, and the manifests without them.
 *
 * Data manifests come first. What goes there decides about deletes: a deletion vector, or position deletes of a
 * single file, go with their data file; a delete manifest that is rewritten anyway also loses deletes that are older
 * than every remaining data file. A manifest from which something goes is written anew: what stays becomes EXISTING,
 * what goes DELETED, entries that others deleted before are dropped. Manifests in which nothing lives are left out.
 */
#include "base/map.h"
#include "base/thread.h"
#include "manifest_write.h"
#include "scan_deletes.h"
#include "scan_filter.h"
#include "snapshot_private.h"

#include <stdlib.h>

typedef struct wanted_file { /* of change->removed */
    const firn_data_file *file;
    bool found;
} wanted_file;

typedef struct removal {
    firn_commit *commit;
    wanted_file *wanted;
    firn_map *data_paths, *delete_paths; /* -> wanted_file; vectors by path and offset */
    firn_map *gone_data;                 /* paths of data files that went */
    firn_file_filter *filter;            /* remove_matching, or NULL */
    bool whole_specs;                    /* replace_partitions of an unpartitioned spec */
    firn_bytes_map partitions;           /* replace_partitions */
    int64_t min_sequence_number;         /* of the data that remains */
} removal;

typedef struct manifest_job {
    const firn_manifest_file *file;
    firn_manifest *manifest; /* NULL: not opened */
    firn_arena *arena;
    uint32_t *gone;
    size_t n_gone;
    firn_manifest_file rewritten;
    bool keep; /* as it is */
    firn_rc rc;
    firn_err err;
} manifest_job;

typedef struct manifest_jobs {
    removal *removal;
    manifest_job *items;
} manifest_jobs;

static void free_arena(void *ctx)
{
    firn_arena_free(ctx);
}

/* ---- what to remove ------------------------------------------------------------------------------------------------- */

static const char *delete_key(firn_arena *arena, const char *path, int64_t offset)
{
    return offset < 0 ? path : firn_arena_printf(arena, "%s#%lld", path, (long long)offset);
}

static void index_wanted(removal *r)
{
    firn_commit *commit = r->commit;
    const firn_snapshot_change *change = commit->change;
    r->data_paths = firn_map_new(commit->arena);
    r->delete_paths = firn_map_new(commit->arena);
    r->gone_data = firn_map_new(commit->arena);
    r->wanted = FIRN_NEW_N(commit->arena, wanted_file, change->n_removed);
    for (size_t i = 0; i < change->n_removed; i++) {
        const firn_data_file *file = &change->removed[i];
        r->wanted[i].file = file;
        if (file->content == FIRN_CONTENT_DATA)
            firn_map_put(r->data_paths, file->path, &r->wanted[i]);
        else
            firn_map_put(r->delete_paths,
                         delete_key(commit->arena, file->path,
                                    firn_data_file_is_dv(file) ? file->content_offset : -1),
                         &r->wanted[i]);
    }
}

static void index_partitions(removal *r)
{
    firn_commit *commit = r->commit;
    const firn_snapshot_change *change = commit->change;
    FIRN_AUTO_BUF firn_buf key = {0};
    for (size_t i = 0; change->replace_partitions && i < change->n_added; i++) {
        const firn_data_file *file = &change->added[i];
        firn_buf_clear(&key);
        firn_partition_key(&key, file->spec_id, file->partition, file->n_partition);
        firn_bytes_map_at(&r->partitions, commit->arena, firn_buf_bytes(&key));
        const firn_partition_spec *spec = firn_metadata_spec(commit->base, file->spec_id);
        r->whole_specs |= spec && firn_partition_spec_is_unpartitioned(spec);
    }
}

static bool removes_all(const removal *r)
{
    return r->commit->change->remove_all || r->whole_specs;
}

enum { CHECKED_MAX = 1000 }; /* more files than this are not worth checking one by one */

/* ---- which manifests ------------------------------------------------------------------------------------------------- */

/* May a tuple lie in the manifest? By its summaries; true when they do not say. */
static bool summaries_cover(const firn_manifest_file *file, const firn_type *partition_type,
                            const firn_value *tuple, size_t n)
{
    if (file->n_partitions != n || partition_type->n_fields != n)
        return true;
    for (size_t i = 0; i < n; i++) {
        const firn_partition_summary *s = &file->partitions[i];
        const firn_type *type = partition_type->fields[i].type;
        firn_value bound;
        if (tuple[i].is_null) {
            if (!s->contains_null)
                return false;
            continue;
        }
        if (firn_value_is_nan(&tuple[i]) || type->id == FIRN_TYPE_UNKNOWN)
            continue;
        if (s->lower.data && firn_value_decode(type, s->lower, &bound, NULL) == FIRN_OK &&
            firn_value_cmp(&tuple[i], &bound) < 0)
            return false;
        if (s->upper.data && firn_value_decode(type, s->upper, &bound, NULL) == FIRN_OK &&
            firn_value_cmp(&tuple[i], &bound) > 0)
            return false;
    }
    return true;
}

static bool covers_file(const firn_commit *commit, const firn_manifest_file *manifest,
                        const firn_type *partition_type, const firn_data_file *file)
{
    const firn_partition_spec *spec = firn_metadata_spec(commit->base, file->spec_id);
    if (!spec || file->n_partition != spec->n_fields)
        return true; /* the caller gave no hint */
    return file->spec_id == manifest->spec_id &&
           summaries_cover(manifest, partition_type, file->partition, file->n_partition);
}

/* Of `n` files those that are data or deletes as the manifest. */
static bool covers_any(const firn_commit *commit, const firn_manifest_file *manifest,
                       const firn_data_file *files, size_t n)
{
    const firn_partition_spec *spec = firn_metadata_spec(commit->base, manifest->spec_id);
    if (n > CHECKED_MAX || !spec)
        return n > 0;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    const firn_type *type = firn_partition_type_of(scratch, commit->base, spec);
    for (size_t i = 0; i < n; i++) {
        if ((files[i].content != FIRN_CONTENT_DATA) == manifest->deletes &&
            covers_file(commit, manifest, type, &files[i]))
            return true;
    }
    return false;
}

static bool covers_replaced(const firn_commit *commit, const firn_manifest_file *manifest)
{
    const firn_partition_spec *spec = firn_metadata_spec(commit->base, manifest->spec_id);
    if (!spec)
        return false; /* added files have specs of the table */
    if (commit->change->n_added > CHECKED_MAX)
        return true;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    const firn_type *type = firn_partition_type_of(scratch, commit->base, spec);
    for (size_t i = 0; i < commit->change->n_added; i++) {
        if (covers_file(commit, manifest, type, &commit->change->added[i]))
            return true;
    }
    return false;
}

static bool may_lose(const removal *r, const firn_manifest_file *file)
{
    const firn_commit *commit = r->commit;
    const firn_snapshot_change *change = commit->change;
    if (removes_all(r))
        return true;
    if (covers_any(commit, file, change->removed, change->n_removed))
        return true;
    if (change->replace_partitions && covers_replaced(commit, file))
        return true;
    if (r->filter && firn_file_filter_manifest(r->filter, file))
        return true;
    return file->deletes && firn_map_len(r->gone_data) > 0;
}

/* ---- which entries ---------------------------------------------------------------------------------------------------- */

typedef struct row_test {
    const removal *removal;
    firn_manifest *manifest;
    firn_filter_binding binding; /* if there is a filter */
    firn_arena *scratch;
    firn_buf key;
} row_test;

static bool in_replaced_partition(row_test *t, size_t row)
{
    const removal *r = t->removal;
    if (r->partitions.items.len == 0)
        return false;
    firn_buf_clear(&t->key);
    firn_partition_key(&t->key, t->manifest->spec_id, firn_manifest_tuple(t->manifest, row),
                       t->manifest->n_partition);
    return firn_bytes_map_at((firn_bytes_map *)&r->partitions, NULL, firn_buf_bytes(&t->key));
}

static firn_rc data_row_goes(row_test *t, size_t row, bool *goes, firn_err *err)
{
    const removal *r = t->removal;
    const char *path = firn_manifest_path(t->manifest, row);
    *goes = removes_all(r) || firn_map_has(r->data_paths, path) || in_replaced_partition(t, row);
    if (*goes || !r->filter || firn_filter_test(&t->binding, row) != FIRN_KEEP)
        return FIRN_OK;
    *goes = firn_filter_all_match(&t->binding, row);
    if (!*goes)
        FIRN_FAIL(
            err, FIRN_E_VALIDATION,
            "cannot delete file %s by metadata alone: some, but perhaps not all, of its rows match",
            path);
    return FIRN_OK;
}

static bool delete_row_goes(row_test *t, size_t row)
{
    const removal *r = t->removal;
    const firn_manifest *m = t->manifest;
    if (removes_all(r) || in_replaced_partition(t, row))
        return true;
    const char *path = firn_manifest_path(m, row);
    bool is_vector =
        m->content[row] == FIRN_CONTENT_POSITION_DELETES && m->content_offset[row] >= 0;
    if (firn_map_has(r->delete_paths,
                     delete_key(t->scratch, path, is_vector ? m->content_offset[row] : -1)))
        return true;
    if (r->filter && firn_filter_tuple_all_match(&t->binding, firn_manifest_tuple(m, row)))
        return true;
    if (firn_map_len(r->gone_data) == 0)
        return false;
    const char *target = firn_manifest_delete_target(m, row, t->scratch);
    return target && firn_map_has(r->gone_data, target);
}

static firn_rc mark_rows(manifest_job *job, const removal *r, firn_err *err)
{
    firn_manifest *m = job->manifest;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    row_test t = {.removal = r, .manifest = m, .scratch = scratch};
    if (r->filter)
        firn_filter_bind(r->filter, scratch, m, &t.binding);
    job->gone = firn_arena_alloc(job->arena, (m->n + 1) * sizeof *job->gone);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < m->n && rc == FIRN_OK; i++) {
        bool goes = false;
        if (!firn_manifest_live(m, i))
            continue;
        if (m->deletes)
            goes = delete_row_goes(&t, i);
        else
            rc = data_row_goes(&t, i, &goes, err);
        if (goes)
            job->gone[job->n_gone++] = (uint32_t)i;
    }
    firn_buf_deinit(&t.key);
    return rc;
}

/* Deletes that no remaining data file can need. */
static bool is_stale(const removal *r, const firn_manifest *m, size_t row)
{
    return m->deletes && m->data_sequence_number[row] > 0 &&
           m->data_sequence_number[row] < r->min_sequence_number;
}

static void add_stale_rows(manifest_job *job, const removal *r)
{
    const firn_manifest *m = job->manifest;
    uint32_t *gone = firn_arena_alloc(job->arena, (m->n + 1) * sizeof *gone);
    size_t n = 0, next = 0;
    for (size_t i = 0; i < m->n; i++) {
        bool marked = next < job->n_gone && job->gone[next] == i;
        next += marked;
        if (marked || (firn_manifest_live(m, i) && is_stale(r, m, i)))
            gone[n++] = (uint32_t)i;
    }
    job->gone = gone;
    job->n_gone = n;
}

static firn_rc rewrite(manifest_job *job, const removal *r, firn_err *err)
{
    firn_commit *commit = r->commit;
    const firn_manifest *m = job->manifest;
    firn_manifest_writer_options options = {
        .metadata = commit->base,
        .spec = m->spec,
        .deletes = m->deletes,
        .snapshot_id = commit->snapshot_id,
        .location = firn_commit_manifest_location(commit, job->arena),
    };
    firn_manifest_writer *writer = firn_manifest_writer_new(job->arena, &options);
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    size_t next = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (!firn_manifest_live(m, i))
            continue;
        bool goes = next < job->n_gone && job->gone[next] == i;
        next += goes;
        firn_manifest_entry entry;
        firn_arena_reset(scratch);
        firn_manifest_entry_get(m, scratch, i, true, &entry);
        entry.status = goes ? FIRN_ENTRY_DELETED : FIRN_ENTRY_EXISTING;
        if (goes)
            entry.snapshot_id = commit->snapshot_id;
        if (goes && commit->change->forget_removed)
            entry.file.n_metrics = 0;
        FIRN_TRY(firn_manifest_writer_add(writer, &entry, err));
    }
    FIRN_TRY(firn_manifest_writer_finish(writer, commit->storage, &job->rewritten, err));
    return firn_fault_point("commit.manifest_written", job->rewritten.path, err);
}

static bool has_live_files(const firn_manifest_file *file)
{
    return file->added_files != 0 || file->existing_files != 0;
}

static firn_rc run_one(manifest_job *job, const removal *r, firn_err *err)
{
    bool remembers = r->commit->change->forget_removed && job->file->deleted_files != 0 &&
                     has_live_files(job->file);
    job->keep = true;
    if (!remembers && !may_lose(r, job->file))
        return FIRN_OK;
    FIRN_TRY(firn_commit_open(r->commit, job->file, &job->manifest, err));
    FIRN_TRY(mark_rows(job, r, err));
    if (job->n_gone == 0 && !remembers)
        return FIRN_OK;
    job->keep = false;
    add_stale_rows(job, r);
    return rewrite(job, r, err);
}

static void run_job(void *ctx, size_t i)
{
    manifest_jobs *jobs = ctx;
    manifest_job *job = &jobs->items[i];
    job->rc = run_one(job, jobs->removal, &job->err);
}

/* ---- after the threads --------------------------------------------------------------------------------------------------- */

static void note_gone(removal *r, const manifest_job *job)
{
    firn_commit *commit = r->commit;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    for (size_t i = 0; i < job->n_gone; i++) {
        firn_manifest_entry entry;
        firn_manifest_entry_get(job->manifest, scratch, job->gone[i], false, &entry);
        firn_summary_add(commit, &entry.file, false);
        bool is_data = entry.file.content == FIRN_CONTENT_DATA;
        wanted_file *wanted =
            is_data ? firn_map_get(r->data_paths, entry.file.path)
                    : firn_map_get(r->delete_paths, delete_key(scratch, entry.file.path,
                                                               firn_data_file_is_dv(&entry.file)
                                                                   ? entry.file.content_offset
                                                                   : -1));
        if (wanted)
            wanted->found = true;
        if (is_data)
            firn_map_put(r->gone_data, entry.file.path, r);
    }
}

static void lower_min_sequence(removal *r, const firn_manifest_file *file)
{
    if (file->min_sequence_number >= 0 && file->min_sequence_number < r->min_sequence_number)
        r->min_sequence_number = file->min_sequence_number;
}

/* All manifests of one kind; what remains of them goes to `out`. */
static firn_rc process(removal *r, const firn_manifest_files *in, firn_manifest_files *out,
                       firn_err *err)
{
    firn_commit *commit = r->commit;
    manifest_jobs jobs = {.removal = r, .items = FIRN_NEW_N(commit->arena, manifest_job, in->len)};
    for (size_t i = 0; i < in->len; i++) {
        jobs.items[i].file = &in->items[i];
        jobs.items[i].arena = firn_arena_new();
        firn_arena_defer(commit->arena, free_arena, jobs.items[i].arena);
    }
    firn_parallel_for(commit->threads, in->len, run_job, &jobs);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < in->len; i++) {
        manifest_job *job = &jobs.items[i];
        if (job->rc != FIRN_OK && rc == FIRN_OK) {
            rc = job->rc;
            if (err)
                *err = job->err;
        }
        if (rc == FIRN_OK) {
            note_gone(r, job);
            commit->summary.manifests_replaced += !job->keep;
            const firn_manifest_file *remains = job->keep ? job->file : &job->rewritten;
            if (!in->items[i].deletes && has_live_files(remains))
                lower_min_sequence(r, remains);
            if (!job->keep || has_live_files(remains))
                firn_vec_push(commit->arena, out, *remains);
        }
        firn_manifest_unref(job->manifest);
    }
    return rc;
}

static firn_rc check_found(const removal *r, firn_err *err)
{
    const firn_snapshot_change *change = r->commit->change;
    if (!change->validation.removed_must_exist && change->op != FIRN_SNAPSHOT_REPLACE)
        return FIRN_OK;
    for (size_t i = 0; i < change->n_removed; i++) {
        if (!r->wanted[i].found)
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "cannot commit: file %s, which this change replaces, is no longer in the table",
                r->wanted[i].file->path);
    }
    return FIRN_OK;
}

/* A data file may have one vector: whoever adds one must remove the one before. */
static firn_rc check_vectors(const removal *r, const firn_manifest_files *deletes, firn_err *err)
{
    firn_commit *commit = r->commit;
    const firn_snapshot_change *change = commit->change;
    firn_map *new_vectors = firn_map_new(commit->arena);
    for (size_t i = 0; i < change->n_added; i++) {
        const firn_data_file *file = &change->added[i];
        if (file->content != FIRN_CONTENT_POSITION_DELETES || !file->referenced_data_file)
            continue;
        if (firn_map_has(r->gone_data, file->referenced_data_file))
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "data file %s, for which there are new deletes, is removed by the same change",
                file->referenced_data_file);
        if (firn_data_file_is_dv(file) &&
            firn_map_put(new_vectors, file->referenced_data_file, (void *)file))
            FIRN_FAIL(err, FIRN_E_INVALID, "two deletion vectors were given for data file %s",
                      file->referenced_data_file);
    }
    if (firn_map_len(new_vectors) == 0)
        return FIRN_OK;
    for (size_t i = 0; i < deletes->len; i++) {
        firn_manifest *m;
        FIRN_TRY(firn_commit_open(commit, &deletes->items[i], &m, err));
        const char *twice = NULL;
        for (size_t row = 0; row < m->n && !twice; row++) {
            bool is_vector = firn_manifest_live(m, row) &&
                             m->content[row] == FIRN_CONTENT_POSITION_DELETES &&
                             m->content_offset[row] >= 0 && m->referenced[row];
            if (is_vector && firn_map_has(new_vectors, m->text + m->referenced[row]))
                twice = firn_arena_strdup(commit->arena, m->text + m->referenced[row]);
        }
        firn_manifest_unref(m);
        if (twice)
            FIRN_FAIL(
                err, FIRN_E_VALIDATION,
                "data file %s already has a deletion vector, added meanwhile; the new one would lose its rows",
                twice);
    }
    return FIRN_OK;
}

/* v2 lists must carry counts, which v1 did not have to record. */
static firn_rc fill_counts(firn_commit *commit, firn_manifest_file *file, firn_err *err)
{
    bool known = file->added_files >= 0 && file->existing_files >= 0 && file->deleted_files >= 0 &&
                 file->added_rows >= 0 && file->existing_rows >= 0 && file->deleted_rows >= 0;
    if (known || commit->base->format_version == 1)
        return FIRN_OK;
    firn_manifest *m;
    FIRN_TRY(firn_commit_open(commit, file, &m, err));
    int64_t files[3] = {0}, rows[3] = {0};
    for (size_t i = 0; i < m->n; i++) {
        files[m->status[i]]++;
        rows[m->status[i]] += m->record_count[i];
    }
    file->added_files = files[FIRN_ENTRY_ADDED], file->added_rows = rows[FIRN_ENTRY_ADDED];
    file->existing_files = files[FIRN_ENTRY_EXISTING];
    file->existing_rows = rows[FIRN_ENTRY_EXISTING];
    file->deleted_files = files[FIRN_ENTRY_DELETED];
    file->deleted_rows = rows[FIRN_ENTRY_DELETED];
    firn_manifest_unref(m);
    return FIRN_OK;
}

firn_rc firn_commit_remove(firn_commit *commit, firn_err *err)
{
    const firn_snapshot_change *change = commit->change;
    removal r = {.commit = commit, .min_sequence_number = commit->sequence_number};
    index_wanted(&r);
    index_partitions(&r);
    if (change->remove_matching)
        r.filter = firn_file_filter_new(commit->arena, commit->base, commit->base->schema,
                                        change->remove_matching);
    firn_manifest_files data = {0}, deletes = {0};
    if (commit->parent) {
        firn_manifest_file *files;
        size_t n;
        FIRN_TRY(firn_manifest_list_read(commit->storage, commit->arena, commit->base,
                                         commit->parent, &files, &n, err));
        for (size_t i = 0; i < n; i++) {
            FIRN_TRY(fill_counts(commit, &files[i], err));
            firn_vec_push(commit->arena, files[i].deletes ? &deletes : &data, files[i]);
        }
    }
    FIRN_TRY(process(&r, &data, &commit->data, err));
    FIRN_TRY(process(&r, &deletes, &commit->deletes, err));
    FIRN_TRY(check_found(&r, err));
    return check_vectors(&r, &commit->deletes, err);
}
