/* Compaction: data files written anew, fewer and larger, without rows that are deleted.
 *
 *   plan -> (write a batch -> [compact.written])... -> commit "replace" -> [compact.committed] -> ...
 *
 * 1. Rows do not change: what is removed was read in full, with the deletes of the snapshot that was planned on.
 * 2. New files have the data sequence number of that snapshot, so an equality delete that is committed meanwhile still meets their
 *    rows. A position delete or deletion vector that is committed meanwhile for one of the files makes the commit fail: it would be
 *    lost. So does a file that is gone.
 * 3. Then the partitions of that commit are planned and done once more, each in a commit of its own, so that a busy one does not keep
 *    the others from it; and after some rounds given up.
 * 4. Deletion vectors and position deletes of one file go with that file (the snapshot sees to it); other delete files go with the
 *    last data file that they apply to.
 * 5. Nothing refers to a new file before its commit. Killed before it, files stay that nobody names.
 */
#include "compact.h"

#include "engine/rewrite.h"

#include <inttypes.h>

enum { ROUNDS_MAX = 4 };

typedef struct compaction {
    firn_session *session;
    firn_arena *arena; /* of the call */
    const firn_compact_options *options;
    firn_compact_result *out;
    const char *text;
    firn_map *busy; /* keys of groups whose commit failed in this round */
    firn_map *done; /* keys of groups that were rewritten */
    const char *why;
    firn_compact_progress progress;
} compaction;

/* One reading of the table. */
typedef struct round {
    compaction *c;
    firn_arena *arena;
    firn_table table;
    firn_compact_limits limits;
    firn_compact_plan plan;
    bool alone;
} round_t;

/* What is written and not committed. */
typedef struct pending {
    firn_arena *arena; /* NULL: nothing is */
    firn_rows_written written;
    FIRN_VEC(const firn_compact_bin *) bins;
    size_t n_files;
    int64_t bytes, rows_before;
} pending;

/* ---- planning ------------------------------------------------------------------------------------- */

static firn_rc scan(round_t *r, const firn_expr *filter, firn_scan_task **tasks, size_t *n,
                    firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(firn_session_lake(r->c->session));
    const firn_metadata *metadata = r->table.metadata;
    const firn_scan_options options = {
        .storage = firn_catalog_storage(catalog),
        .cache = firn_catalog_manifests(catalog),
        .metadata = metadata,
        .snapshot = metadata->current_snapshot,
        .schema = metadata->schema,
        .filter = filter,
    };
    firn_scan *opened = NULL;
    FIRN_TRY(firn_scan_open(r->arena, &options, &opened, err));
    return firn_scan_all(opened, tasks, n, err);
}

static firn_rc paths_where(round_t *r, firn_map **out, firn_err *err)
{
    const firn_expr *filter = NULL;
    firn_scan_task *tasks = NULL;
    size_t n = 0;
    *out = NULL;
    if (r->c->options->where == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_rewrite_filter(r->c->session, r->arena, r->table.metadata->schema,
                                 r->c->options->where, &filter, err));
    FIRN_TRY(scan(r, filter, &tasks, &n, err));
    *out = firn_map_new(r->arena);
    for (size_t i = 0; i < n; i++) {
        firn_map_put(*out, tasks[i].file->path, r);
    }
    return FIRN_OK;
}

static firn_compact_limits limits_of(const round_t *r)
{
    const firn_compact_options *options = r->c->options;
    firn_compact_limits limits = {
        .target_bytes = options->target_bytes,
        .small_bytes = options->small_bytes,
        .min_files = options->min_files > 0 ? options->min_files : 2,
    };
    if (limits.target_bytes <= 0) {
        limits.target_bytes = firn_rewrite_target_bytes(r->c->session, r->table.metadata);
    }
    if (limits.small_bytes <= 0) {
        limits.small_bytes = limits.target_bytes / 4 * 3;
    }
    return limits;
}

static firn_rc plan(round_t *r, const firn_map *only, firn_err *err)
{
    compaction *c = r->c;
    firn_scan_task *tasks = NULL;
    size_t n = 0;
    firn_map *paths = NULL;
    firn_catalog *catalog = firn_lake_catalog(firn_session_lake(c->session));
    FIRN_TRY(firn_catalog_table_load(catalog, r->arena, firn_session_ref(c->session),
                                     c->options->ident, &r->table, err));
    FIRN_TRY(paths_where(r, &paths, err));
    if (r->table.metadata->current_snapshot == NULL) {
        r->plan = (firn_compact_plan){.deletes = firn_map_new(r->arena)};
        return FIRN_OK;
    }
    FIRN_TRY(scan(r, NULL, &tasks, &n, err));
    r->limits = limits_of(r);
    const firn_compact_scope scope = {.paths = paths, .only = only, .alone = r->alone};
    firn_compact_plan_of(r->arena, r->table.metadata, &r->limits, &scope, tasks, n, &r->plan);
    return FIRN_OK;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static void pending_end(pending *p)
{
    firn_arena_free(p->arena);
    *p = (pending){0};
}

static void tell_progress(compaction *c, const firn_compact_batch *batch)
{
    c->progress.files_done += (int64_t)batch->n_files;
    c->progress.bytes_done += batch->bytes;
    if (c->options->on_progress != NULL) {
        c->options->on_progress(c->options->ctx, &c->progress);
    }
}

static firn_rc write_batch(round_t *r, const firn_compact_batch *batch, pending *p, firn_err *err)
{
    size_t n = 0;
    firn_rows_written written;
    p->arena = p->arena != NULL ? p->arena : firn_arena_new();
    const char **paths = FIRN_NEW_N(p->arena, const char *, batch->n_files);
    for (size_t b = 0; b < batch->bins.len; b++) {
        const firn_compact_bin *bin = batch->bins.items[b];
        firn_vec_push(p->arena, &p->bins, bin);
        for (size_t i = 0; i < bin->tasks.len; i++) {
            paths[n++] = bin->tasks.items[i]->file->path;
            p->rows_before += bin->tasks.items[i]->file->record_count;
        }
    }
    const firn_rewrite rewrite = {.metadata = r->table.metadata,
                                  .table_text = r->c->text,
                                  .files = paths,
                                  .n_files = n,
                                  .target_bytes = r->limits.target_bytes};
    FIRN_TRY(firn_rewrite_files(r->c->session, p->arena, &rewrite, &written, err));
    for (size_t i = 0; i < written.files.len; i++) {
        firn_vec_push(p->arena, &p->written.files, written.files.items[i]);
    }
    p->written.rows += written.rows;
    p->n_files += batch->n_files;
    p->bytes += batch->bytes;
    tell_progress(r->c, batch);
    return firn_fault_point("compact.written", r->c->text, err);
}

/* ---- committing ----------------------------------------------------------------------------------- */

/* Takes a use off (or gives it back to) every delete file of the bins; those without any are collected in `free_files`. */
static void count_uses(const round_t *r, const pending *p, int64_t by, firn_map *free_files)
{
    for (size_t b = 0; b < p->bins.len; b++) {
        const firn_compact_bin *bin = p->bins.items[b];
        for (size_t i = 0; i < bin->tasks.len; i++) {
            const firn_scan_task *task = bin->tasks.items[i];
            for (size_t d = 0; d < task->n_deletes; d++) {
                firn_compact_delete *known = firn_compact_delete_of(&r->plan, &task->deletes[d]);
                known->uses += by;
                bool by_itself =
                    known->file->content_offset >= 0 || known->file->referenced_data_file != NULL;
                if (free_files != NULL && known->uses == 0 && !by_itself) {
                    firn_map_put(free_files, known->file->path, known);
                }
            }
        }
    }
}

static firn_data_file *removed_files(const round_t *r, const pending *p, size_t *n)
{
    firn_map *free_files = firn_map_new(p->arena);
    const char *path;
    void *value;
    *n = 0;
    count_uses(r, p, -1, free_files);
    firn_data_file *removed =
        FIRN_NEW_N(p->arena, firn_data_file, p->n_files + firn_map_len(free_files));
    for (size_t b = 0; b < p->bins.len; b++) {
        for (size_t i = 0; i < p->bins.items[b]->tasks.len; i++) {
            removed[(*n)++] = *p->bins.items[b]->tasks.items[i]->file;
        }
    }
    for (size_t i = 0; firn_map_next(free_files, &i, &path, &value);) {
        removed[(*n)++] = *((firn_compact_delete *)value)->file;
    }
    return removed;
}

static firn_rc commit_files(round_t *r, pending *p, firn_err *err)
{
    size_t n = 0;
    const firn_metadata *metadata = r->table.metadata;
    const firn_data_file *removed = removed_files(r, p, &n);
    const firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_REPLACE,
        .removed = removed,
        .n_removed = n,
        .keeps_sequence_number = metadata->format_version >= 2,
        .data_sequence_number = metadata->current_snapshot->sequence_number,
        .validation = {.starting_snapshot_id = metadata->current_snapshot->snapshot_id,
                       .no_new_deletes_for_removed = true,
                       .removed_must_exist = true},
    };
    const firn_rewrite_commit commit = {
        .ident = r->c->options->ident,
        .metadata = metadata,
        .change = &change,
        .written = &p->written,
        .statement = "COMPACT",
        .message = firn_arena_printf(p->arena, "compact %zu files of %s into %zu", p->n_files,
                                     r->c->text, p->written.files.len)};
    firn_snapshot_result result;
    return firn_rewrite_commit_files(r->c->session, p->arena, &commit, &result, err);
}

static void count_commit(round_t *r, const pending *p)
{
    firn_compact_result *out = r->c->out;
    for (size_t i = 0; i < p->written.files.len; i++) {
        out->bytes_after += p->written.files.items[i].file_size_bytes;
    }
    for (size_t b = 0; b < p->bins.len; b++) {
        firn_map_put(r->c->done, p->bins.items[b]->group->key, r->c);
    }
    out->files_before += (int64_t)p->n_files;
    out->files_after += (int64_t)p->written.files.len;
    out->bytes_before += p->bytes;
    out->rows += p->written.rows;
    out->deletes_applied += p->rows_before - p->written.rows;
    out->partitions = (int64_t)firn_map_len(r->c->done);
    out->commits++;
}

/* Ends `p`, whatever happens. */
static firn_rc commit(round_t *r, pending *p, firn_err *err)
{
    firn_err own = {0};
    firn_rc rc = commit_files(r, p, &own);
    if (rc == FIRN_OK) {
        count_commit(r, p);
        rc = firn_fault_point("compact.committed", r->c->text, &own);
    } else if (rc == FIRN_E_VALIDATION || rc == FIRN_E_CONFLICT) {
        count_uses(r, p, 1, NULL);
        for (size_t b = 0; b < p->bins.len; b++) {
            firn_map_put(r->c->busy, p->bins.items[b]->group->key, r->c);
        }
        r->c->why = firn_arena_strdup(r->c->arena, own.message);
        rc = FIRN_OK;
    }
    if (rc != FIRN_OK && err != NULL) {
        *err = own;
    }
    pending_end(p);
    return rc;
}

static bool is_full(const round_t *r, const pending *p, const firn_compact_batch *next)
{
    return p->n_files > 0 && (r->alone || p->n_files + next->n_files > FIRN_COMPACT_FILES_MAX ||
                              p->bytes + next->bytes > FIRN_COMPACT_BYTES_MAX);
}

static firn_rc work(round_t *r, firn_err *err)
{
    pending p = {0};
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < r->plan.batches.len; i++) {
        const firn_compact_batch *batch = r->plan.batches.items[i];
        if (is_full(r, &p, batch)) {
            rc = commit(r, &p, err);
        }
        if (rc == FIRN_OK) {
            rc = write_batch(r, batch, &p, err);
        }
    }
    if (rc == FIRN_OK && p.n_files > 0) {
        return commit(r, &p, err);
    }
    if (rc != FIRN_OK && p.arena != NULL) {
        firn_rows_discard(r->c->session, &p.written);
        pending_end(&p);
    }
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static void tell_plan(const round_t *r)
{
    firn_compact_result *out = r->c->out;
    for (size_t i = 0; i < r->plan.bins.len; i++) {
        const firn_compact_bin *bin = r->plan.bins.items[i];
        firn_map_put(r->c->done, bin->group->key, r->c);
        for (size_t t = 0; t < bin->tasks.len; t++) {
            out->rows += bin->tasks.items[t]->file->record_count;
        }
    }
    out->files_before = (int64_t)r->plan.n_files;
    out->files_after = (int64_t)r->plan.bins.len;
    out->bytes_before = out->bytes_after = r->plan.bytes;
    out->partitions = (int64_t)firn_map_len(r->c->done);
}

/* `only`: the groups that were busy in the round before; NULL in the first. */
static firn_rc one_round(compaction *c, const firn_map *only, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    round_t r = {.c = c, .arena = arena, .alone = only != NULL};
    FIRN_TRY(plan(&r, only, err));
    if (c->options->dry_run) {
        tell_plan(&r);
        return FIRN_OK;
    }
    c->progress.files_total += (int64_t)r.plan.n_files;
    c->progress.bytes_total += r.plan.bytes;
    return work(&r, err);
}

firn_rc firn_maintain_compact(firn_session *session, firn_arena *arena,
                              const firn_compact_options *options, firn_compact_result *out,
                              firn_err *err)
{
    *out = (firn_compact_result){0};
    if (firn_session_lake(session) == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "there is no lake here, so there are no tables to compact");
    }
    compaction c = {.session = session,
                    .arena = arena,
                    .options = options,
                    .out = out,
                    .text = firn_ident_text(arena, options->ident),
                    .done = firn_map_new(arena)};
    const firn_map *only = NULL;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        c.busy = firn_map_new(arena);
        FIRN_TRY(one_round(&c, only, err));
        only = c.busy;
        if (firn_map_len(c.busy) == 0) {
            return FIRN_OK;
        }
    }
    out->given_up = (int64_t)firn_map_len(c.busy);
    out->given_up_why = c.why;
    return FIRN_OK;
}
