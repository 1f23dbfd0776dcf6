/* firn table history, snapshots, files: what the metadata tells about a table's past and present. */
#include "cmd_table.h"

#include "base/time.h"

#include <inttypes.h>

static char *time_of(firn_arena *arena, int64_t ms)
{
    return firn_cli_time(arena, ms * 1000);
}

static firn_rc print(firn_cli *cli, firn_report *report, const char *noun, firn_err *err)
{
    return firn_report_print(report, stdout, cli->format, cli->quiet ? NULL : noun, err);
}

/* ---- history ------------------------------------------------------------------------------------------- */

firn_rc firn_cmd_table_history(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"current_since", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
        {"snapshot_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"operation", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"ancestor", FIRN_COLUMN_BOOL, FIRN_SHOWN_ALWAYS},
    };
    firn_table table;
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    const firn_metadata *metadata = table.metadata;
    const firn_snapshot *current = metadata->current_snapshot;
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = metadata->n_snapshot_log; i-- > 0;) {
        const firn_log_entry *entry = &metadata->snapshot_log[i];
        const firn_snapshot *snapshot = firn_metadata_snapshot(metadata, entry->snapshot_id);
        bool ancestor = current != NULL && firn_snapshot_is_ancestor(metadata, entry->snapshot_id,
                                                                     current->snapshot_id);
        const char *cells[] = {
            time_of(cli->arena, entry->timestamp_ms), firn_cli_i64(cli->arena, entry->snapshot_id),
            snapshot != NULL ? snapshot->operation : "expired",
            firn_snapshot_count(snapshot, "total-records"), ancestor ? "true" : "false"};
        firn_report_row(report, cells);
    }
    return print(cli, report, NULL, err);
}

/* ---- snapshots ----------------------------------------------------------------------------------------- */

firn_rc firn_cmd_table_snapshots(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"snapshot_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"parent_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"time", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
        {"operation", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"added_rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"removed_rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"added_files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"removed_files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"current", FIRN_COLUMN_BOOL, FIRN_SHOWN_ALWAYS},
        {"manifest_list", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    firn_table table;
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = table.metadata->n_snapshots; i-- > 0;) {
        const firn_snapshot *snapshot = &table.metadata->snapshots[i];
        const char *cells[] = {
            firn_cli_i64(cli->arena, snapshot->snapshot_id),
            snapshot->parent_id >= 0 ? firn_cli_i64(cli->arena, snapshot->parent_id) : NULL,
            time_of(cli->arena, snapshot->timestamp_ms),
            snapshot->operation,
            firn_snapshot_count(snapshot, "added-records"),
            firn_snapshot_count(snapshot, "deleted-records"),
            firn_snapshot_count(snapshot, "added-data-files"),
            firn_snapshot_count(snapshot, "deleted-data-files"),
            firn_snapshot_count(snapshot, "total-records"),
            firn_snapshot_count(snapshot, "total-data-files"),
            snapshot == table.metadata->current_snapshot ? "true" : "false",
            snapshot->manifest_list};
        firn_report_row(report, cells);
    }
    return print(cli, report, "snapshot", err);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static const firn_report_column FILE_COLUMNS[] = {
    {"partition", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"size", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
    {"size_bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"deletes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"format", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"file", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
    {"path", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
};

static void file_row(firn_cli *cli, firn_report *report, const firn_metadata *metadata,
                     const firn_scan_task *task)
{
    const firn_data_file *file = task->file;
    const firn_partition_spec *spec = firn_metadata_spec(metadata, file->spec_id);
    const char *base = strrchr(file->path, '/');
    const char *partition =
        spec != NULL && spec->n_fields > 0
            ? firn_partition_path(cli->arena, spec, metadata->schema, file->partition)
            : NULL;
    const char *cells[] = {partition,
                           firn_cli_i64(cli->arena, file->record_count),
                           firn_format_bytes(cli->arena, file->file_size_bytes),
                           firn_cli_i64(cli->arena, file->file_size_bytes),
                           firn_cli_i64(cli->arena, (int64_t)task->n_deletes),
                           file->format,
                           base != NULL ? base + 1 : file->path,
                           file->path};
    firn_report_row(report, cells);
}

/* The snapshot named by --snapshot, the current one without; NULL for an empty table. */
static firn_rc pick_snapshot(firn_cli *cli, const firn_table *table, const firn_snapshot **out,
                             firn_err *err)
{
    int64_t id = -1;
    FIRN_TRY(firn_cli_number(cli, "snapshot", 0, -1, &id, err));
    *out =
        id >= 0 ? firn_metadata_snapshot(table->metadata, id) : table->metadata->current_snapshot;
    if (id >= 0 && *out == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT,
                  "%s has no snapshot %" PRId64 "; see: firn table snapshots %s",
                  firn_ident_text(cli->arena, table->entry.ident), id, firn_cli_arg(cli, 0));
    }
    return FIRN_OK;
}

firn_rc firn_cmd_table_files(firn_cli *cli, firn_err *err)
{
    firn_table table;
    const firn_snapshot *snapshot = NULL;
    firn_scan *scan = NULL;
    int64_t limit = 0;
    FIRN_TRY(firn_cli_number(cli, "limit", 1, INT64_MAX, &limit, err));
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    FIRN_TRY(pick_snapshot(cli, &table, &snapshot, err));
    const firn_scan_options options = {.storage = firn_lake_storage(cli->lake),
                                       .metadata = table.metadata,
                                       .snapshot = snapshot,
                                       .schema = table.metadata->schema};
    FIRN_TRY(firn_scan_open(cli->arena, &options, &scan, err));
    firn_report *report =
        firn_report_new(cli->arena, FILE_COLUMNS, sizeof(FILE_COLUMNS) / sizeof(FILE_COLUMNS[0]));
    for (int64_t i = 0; i < limit; i++) {
        const firn_scan_task *task = NULL;
        FIRN_TRY(firn_scan_next(scan, &task, err));
        if (task == NULL) {
            break;
        }
        file_row(cli, report, table.metadata, task);
    }
    return print(cli, report, "file", err);
}
