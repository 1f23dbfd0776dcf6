/* What follows a commit: folders, retention; then what is remembered of the export. */
#include "job.h"

#include "base/time.h"
#include "export/history.h"
#include "export/quality.h"
#include "export/retain.h"
#include "export/tree.h"

#include <inttypes.h>

static void note_retention(firn_export_job *job, const firn_retain_result *gone)
{
    for (size_t i = 0; i < gone->n_kept_by; i++) {
        firn_export_warn(job, "retention: %s", gone->kept_by[i]);
    }
    if (gone->partitions > 0 || gone->rows > 0) {
        firn_export_log(job->run->lake, firn_export_now_us(job), FIRN_EXPORT_INFO,
                        "%s: retention: %" PRId64 " %s and %" PRId64 " rows are gone, %" PRId64
                        " bytes off the disk; the oldest is %s",
                        job->feed->name, gone->partitions,
                        job->feed->partitioning == FIRN_EXPORT_BY_VERSION ? "versions" : "days",
                        gone->rows, gone->bytes,
                        gone->oldest_kept != NULL ? gone->oldest_kept : "none");
    }
}

/* Are the files that were just written without the folders' columns? */
static bool leaves_out(const firn_export_job *job)
{
    return firn_streq(firn_metadata_property(job->metadata, FIRN_TREE_COLUMNS_PROPERTY, "true"),
                      "false");
}

firn_rc firn_export_settle(firn_export_job *job, firn_err *err)
{
    firn_tree_result tree;
    firn_retain_result gone;
    if (job->metadata == NULL) {
        return FIRN_OK; /* a topic without records yet */
    }
    firn_export_tell(job, "folders");
    const firn_tree_clean clean = {.files = job->added, .n = leaves_out(job) ? job->n_added : 0};
    FIRN_TRY(firn_tree_sync(job->session, job->feed, job->run->now_us, &clean, &tree, err));
    firn_export_tell(job, "retention");
    FIRN_TRY(firn_export_retain(job->session, job->arena, job->feed, job->run->now_us, false, &gone,
                                err));
    note_retention(job, &gone);
    return firn_export_target_load(job, err);
}

/* ---- history ----------------------------------------------------------------------------------------------------- */

static int64_t nulls_of(const firn_export_job *job, int32_t field_id)
{
    int64_t nulls = 0;
    for (size_t i = 0; i < job->n_added; i++) {
        const firn_data_file *file = &job->added[i];
        for (size_t k = 0; k < file->n_metrics; k++) {
            const firn_column_metrics *metrics = &file->metrics[k];
            if (metrics->field_id == field_id && metrics->null_count > 0) {
                nulls += metrics->null_count;
            }
        }
    }
    return nulls;
}

static void fill_nulls(const firn_export_job *job, firn_export_record *record)
{
    const firn_type *root = job->metadata != NULL ? &job->metadata->schema->root : NULL;
    size_t n = root != NULL && job->n_added > 0 ? root->n_fields : 0;
    firn_export_column_nulls *nulls = FIRN_NEW_N(job->arena, firn_export_column_nulls, n);
    for (size_t i = 0; i < n; i++) {
        if (!firn_type_is_nested(root->fields[i].type)) { /* only leaves are counted */
            nulls[record->n_nulls++] = (firn_export_column_nulls){
                .column = root->fields[i].name, .nulls = nulls_of(job, root->fields[i].id)};
        }
    }
    record->nulls = nulls;
}

static int64_t rows_of_table(const firn_export_job *job)
{
    const firn_snapshot *current = job->metadata != NULL ? job->metadata->current_snapshot : NULL;
    const char *total = current != NULL
                            ? json_string_value(json_object_get(current->summary, "total-records"))
                            : NULL;
    int64_t rows = 0;
    return total != NULL && firn_parse_i64(total, &rows) ? rows : 0;
}

static void add_to_history(firn_export_job *job, const char *error, double seconds)
{
    const firn_metadata *metadata = job->metadata;
    firn_export_record record = {
        .time_us = firn_export_now_us(job),
        .outcome = job->outcome,
        .rows = job->committed ? job->rows : 0,
        .bytes = job->committed ? job->bytes : 0,
        .json_bytes = job->json_bytes,
        .table_rows = rows_of_table(job),
        .version = job->committed ? job->version : 0,
        .seconds = seconds,
        .message = error,
        .snapshot_id = job->committed && metadata != NULL && metadata->current_snapshot != NULL
                           ? metadata->current_snapshot->snapshot_id
                           : 0,
    };
    if (job->outcome == FIRN_EXPORT_DONE) {
        fill_nulls(job, &record);
    }
    firn_export_history_add(job->run->lake, job->feed->name, &record);
}

/* ---- quality ----------------------------------------------------------------------------------------------------- */

static void judge_quality(firn_export_job *job)
{
    firn_export_record *history = NULL;
    firn_quality_alert *alerts = NULL;
    size_t n = 0, n_alerts = 0;
    firn_err err = {0};
    firn_rc rc =
        firn_export_history_read(job->run->lake, job->arena, job->feed->name, &history, &n, &err);
    if (rc == FIRN_OK) {
        rc = firn_quality_judge(job->arena, job->feed, history, n, job->run->now_us, &alerts,
                                &n_alerts, &err);
    }
    if (rc != FIRN_OK) {
        firn_export_warn(job, "quality could not be judged: %s", err.message);
        return;
    }
    for (size_t i = 0; i < n_alerts; i++) {
        const char *text =
            firn_arena_printf(job->arena, "quality %s%s%s: %s", alerts[i].rule,
                              alerts[i].column != NULL ? " of " : "",
                              alerts[i].column != NULL ? alerts[i].column : "", alerts[i].text);
        firn_export_warn(job, "%s", text);
        if (alerts[i].fails && job->outcome != FIRN_EXPORT_FAILED) {
            job->outcome = FIRN_EXPORT_FAILED;
            job->message = firn_arena_printf(job->arena, "table %s has the rows, but %s",
                                             job->table_text, text);
        }
    }
}

/* ---- log ----------------------------------------------------------------------------------------------------------- */

static void log_outcome(const firn_export_job *job, double seconds)
{
    firn_lake *lake = job->run->lake;
    int64_t now = firn_export_now_us(job);
    const char *name = job->feed->name;
    for (size_t i = 0; i < job->warnings.len; i++) {
        firn_export_log(lake, now, FIRN_EXPORT_WARNING, "%s: %s", name, job->warnings.items[i]);
    }
    switch (job->outcome) {
    case FIRN_EXPORT_DONE:
        firn_export_log(lake, now, FIRN_EXPORT_INFO,
                        "%s: %" PRId64 " rows to %s in %.2f s (%" PRId64 " bytes of JSON, %" PRId64
                        " of Parquet in %" PRId64 " files)",
                        name, job->rows, job->where[0] != '\0' ? job->where : job->table_text,
                        seconds, job->json_bytes, job->bytes, job->files);
        break;
    case FIRN_EXPORT_NOTHING_NEW:
        firn_export_log(lake, now, FIRN_EXPORT_INFO, "%s: nothing new (%.2f s)", name, seconds);
        break;
    case FIRN_EXPORT_SKIPPED:
        firn_export_log(lake, now, FIRN_EXPORT_INFO, "%s: skipped, %s", name, job->message);
        break;
    case FIRN_EXPORT_FAILED:
        firn_export_log(lake, now, FIRN_EXPORT_ERROR, "%s: %s", name, job->message);
        break;
    }
}

void firn_export_record_outcome(firn_export_job *job, firn_rc rc, const char *error, double seconds)
{
    if (job->run->options->dry_run) {
        return;
    }
    if (job->outcome != FIRN_EXPORT_SKIPPED) {
        add_to_history(job, rc != FIRN_OK ? error : NULL, seconds);
    }
    if (job->outcome == FIRN_EXPORT_DONE || job->outcome == FIRN_EXPORT_NOTHING_NEW) {
        judge_quality(job);
    }
    log_outcome(job, seconds);
}
