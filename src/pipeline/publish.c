/* One run of a pipeline at a time, and its publication: the only steps that others see.
 *
 * Invariants:
 * 1. Nothing but one merge changes the target branch; staged files move only after it.
 * 2. One run at a time: an flock on .firn/locks/pipeline-<name>.lock, which the kernel drops with the process. Whoever holds it may
 *    settle what earlier runs left.
 * 3. The order is merge, files, run log, branch. A run that the log calls running is published if its merge is in the target's
 *    history (then the rest is done again), and interrupted if it is not (then its branch stays for inspection).
 */
#include "internal.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

enum { RUNS_LOOKED_AT = 1000, COMMITS_LOOKED_AT = 100000 };

/* ---- the lock ------------------------------------------------------------------------------------------ */

static firn_rc fail_busy(firn_arena *arena, const firn_run_context *context, firn_err *err)
{
    const char *name = context->pipeline->name;
    firn_err ignored = {0};
    firn_run *runs = NULL;
    size_t n = 0;
    firn_rc rc =
        firn_run_list(firn_lake_catalog(context->lake), arena, name, 1, &runs, &n, &ignored);
    bool known = rc == FIRN_OK && n > 0 && firn_streq(runs[0].status, "running");
    FIRN_FAIL(err, FIRN_E_BUSY, "pipeline %s is running already%s%s; try again when it has ended",
              name, known ? " as " : "", known ? runs[0].run_id : "");
}

firn_rc firn_run_lock(firn_arena *arena, const firn_run_context *context, int *fd, firn_err *err)
{
    const char *dir = firn_lake_path(context->lake, arena, ".firn/locks");
    FIRN_TRY(firn_mkdir_p(dir, 0755, err));
    const char *path = firn_path_join(
        arena, dir, firn_arena_printf(arena, "pipeline-%s.lock", context->pipeline->name));
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
    }
    while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        int errnum = errno;
        if (errnum == EINTR) {
            continue;
        }
        close(*fd);
        return errnum == EWOULDBLOCK
                   ? fail_busy(arena, context, err)
                   : firn_err_errno(err, __FILE__, __LINE__, errnum, "cannot lock %s", path);
    }
    return FIRN_OK;
}

/* ---- publishing ---------------------------------------------------------------------------------------- */

const char *firn_run_stage_dir(firn_lake *lake, firn_arena *arena, const char *run_id)
{
    return firn_lake_path(lake, arena, firn_arena_printf(arena, ".firn/runs/%s", run_id));
}

static const char *publish_message(firn_arena *arena, const firn_run *run)
{
    return firn_arena_printf(arena, "publish run %s of pipeline %s", run->run_id, run->pipeline);
}

/* Everything after the merge; can be done again. A file that cannot be moved stays staged, for the next run to settle. */
static firn_rc finish_published(firn_lake *lake, firn_arena *arena, const firn_run *run,
                                const char *commit_id, firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(lake);
    const char *stage_dir = firn_run_stage_dir(lake, arena, run->run_id);
    firn_rc moved = firn_artifacts_publish(firn_lake_root(lake), stage_dir, err);
    if (moved != FIRN_OK) {
        moved = firn_err_wrap(
            err, moved,
            "run %s is published to %s, but not all of its files are in place (the next run "
            "tries again)",
            run->run_id, run->target);
    }
    firn_err record_err = {0};
    firn_rc recorded = firn_run_finish(catalog, run->run_id, "published", commit_id,
                                       moved != FIRN_OK ? err->message : NULL, &record_err);
    FIRN_TRY(moved);
    if (recorded != FIRN_OK) {
        *err = record_err;
        return firn_err_wrap(err, recorded, "run %s is published to %s, but could not be recorded",
                             run->run_id, run->target);
    }
    firn_err delete_err = {0};
    firn_rc rc = firn_catalog_ref_delete(catalog, run->branch, &delete_err);
    if (rc != FIRN_OK &&
        rc != FIRN_E_NO_REF) { /* all is published; a branch too many harms nobody */
        firn_log(FIRN_LOG_WARN, "pipeline", "branch %s is no longer needed but is still there: %s",
                 run->branch, delete_err.message);
    }
    return FIRN_OK;
}

firn_rc firn_run_publish(firn_run_context *context, firn_arena *arena, size_t *n_tables,
                         bool *merged, firn_err *err)
{
    firn_run *run = &context->row;
    const firn_merge_options options = {
        .info = {.author = firn_arena_printf(arena, "pipeline %s", run->pipeline),
                 .message = publish_message(arena, run)}};
    firn_merge_result result = {0};
    *n_tables = 0;
    firn_rc rc = firn_catalog_merge(firn_lake_catalog(context->lake), arena, run->branch,
                                    run->target, &options, &result, err);
    *merged = rc == FIRN_OK;
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "cannot publish run %s to %s", run->run_id, run->target);
    }
    for (size_t i = 0; i < result.n_merged; i++) {
        *n_tables += result.merged[i].kind == FIRN_KIND_TABLE;
    }
    run->commit_id = result.commit_id;
    return finish_published(context->lake, arena, run, result.commit_id, err);
}

/* ---- what earlier runs left ---------------------------------------------------------------------------- */

/* The commit on the run's target that published it, NULL if there is none. */
static firn_rc find_publication(firn_catalog *catalog, firn_arena *arena, const firn_run *run,
                                const char **commit_id, firn_err *err)
{
    const char *message = publish_message(arena, run);
    firn_commit *commits = NULL;
    size_t n = 0;
    *commit_id = NULL;
    firn_rc rc =
        firn_catalog_log(catalog, arena, run->target, COMMITS_LOOKED_AT, &commits, &n, err);
    for (size_t i = 0; i < n && *commit_id == NULL; i++) {
        bool ours = commits[i].merge_parent_id != NULL && commits[i].message != NULL &&
                    firn_streq(commits[i].message, message);
        *commit_id = ours ? commits[i].id : NULL;
    }
    return rc == FIRN_E_NO_REF ? FIRN_OK : rc; /* a target that is gone holds nothing */
}

static firn_rc settle_running(const firn_run_context *context, firn_arena *arena,
                              const firn_run *run, firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(context->lake);
    const char *commit_id = NULL;
    FIRN_TRY(find_publication(catalog, arena, run, &commit_id, err));
    if (commit_id != NULL) {
        return finish_published(context->lake, arena, run, commit_id, err);
    }
    firn_artifacts_discard(firn_run_stage_dir(context->lake, arena, run->run_id));
    firn_log(FIRN_LOG_WARN, "pipeline",
             "run %s of pipeline %s was interrupted; %s has what it made", run->run_id,
             run->pipeline, run->branch);
    return firn_run_finish(catalog, run->run_id, "interrupted", NULL,
                           "the process ended before the run did", err);
}

firn_rc firn_run_settle(const firn_run_context *context, firn_arena *arena, firn_err *err)
{
    firn_run *runs = NULL;
    size_t n = 0;
    FIRN_TRY(firn_run_list(firn_lake_catalog(context->lake), arena, context->pipeline->name,
                           RUNS_LOOKED_AT, &runs, &n, err));
    for (size_t i = n; i > 0; i--) { /* oldest first: the files of the newest win */
        const firn_run *run = &runs[i - 1];
        const char *stage_dir = firn_run_stage_dir(context->lake, arena, run->run_id);
        if (firn_streq(run->status, "running")) {
            FIRN_TRY(settle_running(context, arena, run, err));
        } else if (firn_streq(run->status, "published") && firn_path_exists(stage_dir)) {
            FIRN_TRY(finish_published(context->lake, arena, run, run->commit_id, err));
        }
    }
    return FIRN_OK;
}
