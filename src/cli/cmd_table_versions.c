/* firn table versions, diff, and rollback to a version: the past of a table that each export wrote as a whole. */
#include "cmd_table.h"

#include "base/time.h"
#include "export/versions.h"

#include <inttypes.h>

enum { ROWS_SHOWN = 100 };

/* ---- versions ------------------------------------------------------------------------------------------ */

static const firn_report_column VERSION_COLUMNS[] = {
    {"version", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"made", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
    {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"size", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
    {"size_bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"current", FIRN_COLUMN_BOOL, FIRN_SHOWN_ALWAYS},
    {"rolled_back_to", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"snapshot_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
};

static const char *version_text(firn_arena *arena, int64_t number)
{
    return firn_arena_printf(arena, "v%" PRId64, number);
}

firn_rc firn_cmd_table_versions(firn_cli *cli, firn_err *err)
{
    firn_table table;
    firn_version *versions = NULL;
    size_t n = 0;
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    FIRN_TRY(firn_versions(table.metadata, cli->arena, &versions, &n, err));
    firn_report *report = firn_report_new(cli->arena, VERSION_COLUMNS,
                                          sizeof(VERSION_COLUMNS) / sizeof(VERSION_COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_version *v = &versions[i];
        const char *cells[] = {version_text(cli->arena, v->number),
                               firn_cli_time(cli->arena, v->made_us),
                               firn_cli_i64(cli->arena, v->rows),
                               firn_cli_i64(cli->arena, v->files),
                               firn_format_bytes(cli->arena, v->bytes),
                               firn_cli_i64(cli->arena, v->bytes),
                               v->current ? "true" : "false",
                               v->rolled_back_to > 0 ? version_text(cli->arena, v->rolled_back_to)
                                                     : NULL,
                               firn_cli_i64(cli->arena, v->snapshot_id)};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, cli->quiet ? NULL : "version", err);
}

/* ---- rollback ------------------------------------------------------------------------------------------ */

static firn_rc open_session(firn_cli *cli, firn_session **out, firn_err *err)
{
    firn_engine *engine = NULL;
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    return firn_session_new(engine, firn_cli_ref(cli), out, err);
}

firn_rc firn_cli_rollback_version(firn_cli *cli, const char *version, firn_err *err)
{
    firn_session *session = NULL;
    firn_ident ident;
    int64_t number = 0, made = 0;
    if (version[0] != 'v' || !firn_parse_i64(version + 1, &number) || number < 1) {
        return firn_cli_usage(cli, err, "\"%s\" is no version like v3 (for a snapshot: --to %s)",
                              version, version);
    }
    FIRN_TRY(firn_cli_ident(cli, firn_cli_arg(cli, 0), &ident, err));
    FIRN_TRY(open_session(cli, &session, err));
    firn_rc rc = firn_version_rollback(session, cli->arena, ident, number, &made, err);
    firn_session_free(session);
    FIRN_TRY(rc);
    firn_cli_say(cli, "%s has the rows of %s again, as version v%" PRId64,
                 firn_ident_text(cli->arena, ident), version, made);
    return FIRN_OK;
}

/* ---- diff ---------------------------------------------------------------------------------------------- */

static const firn_report_column DIFF_COLUMNS[] = {
    {"from", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"to", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"added", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"removed", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"changed", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"same", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
};

/* Columns of a result are only known when it is there. */
static firn_rc print_rows(void *ctx, firn_result *result, firn_err *err)
{
    firn_cli *cli = ctx;
    size_t n = firn_result_columns(result);
    firn_column *columns = FIRN_NEW_N(cli->arena, firn_column, n);
    for (size_t i = 0; i < n; i++) {
        columns[i] = (firn_column){.name = firn_result_column_name(result, i),
                                   .kind = firn_result_column_kind(result, i)};
    }
    const firn_printer_options options = {.to = stdout, .format = cli->format};
    firn_printer *printer = firn_printer_new(&options, columns, n);
    firn_rc rc = FIRN_OK;
    while (rc == FIRN_OK) {
        FIRN_AUTO_BUF firn_buf json = {0};
        const char *const *cells = NULL;
        rc = firn_result_next(result, &cells, err);
        if (rc != FIRN_OK || cells == NULL) {
            break;
        }
        if (cli->format == FIRN_FORMAT_JSON) {
            rc = firn_result_row_json(result, &json, err);
        }
        rc = rc == FIRN_OK
                 ? firn_printer_row(printer, cells, json.len > 0 ? firn_buf_cstr(&json) : NULL, err)
                 : rc;
    }
    rc = rc == FIRN_OK ? firn_printer_end(printer, err) : rc;
    firn_printer_free(printer);
    return rc;
}

static firn_rc show_rows(firn_cli *cli, firn_session *session, const firn_version_diff *diff,
                         int64_t limit, firn_err *err)
{
    const char *sql = diff->rows_sql;
    if (limit > 0) {
        sql = firn_arena_printf(cli->arena, "SELECT * FROM (%s) LIMIT %" PRId64, sql, limit);
    }
    return firn_session_run(session, sql, print_rows, cli, err);
}

static firn_rc show_diff(firn_cli *cli, firn_session *session, firn_err *err)
{
    firn_ident ident;
    firn_version_diff diff;
    int64_t limit = 0;
    const char *from = firn_cli_arg(cli, 1), *to = firn_cli_arg(cli, 2);
    FIRN_TRY(firn_cli_number(cli, "limit", 0, ROWS_SHOWN, &limit, err));
    FIRN_TRY(firn_cli_ident(cli, firn_cli_arg(cli, 0), &ident, err));
    FIRN_TRY(firn_version_compare(session, cli->arena, ident, from, to, &diff, err));
    if (firn_cli_switch(cli, "rows")) {
        return show_rows(cli, session, &diff, limit, err);
    }
    firn_report *report =
        firn_report_new(cli->arena, DIFF_COLUMNS, sizeof(DIFF_COLUMNS) / sizeof(DIFF_COLUMNS[0]));
    const char *cells[] = {from,
                           to,
                           firn_cli_i64(cli->arena, diff.added),
                           firn_cli_i64(cli->arena, diff.removed),
                           firn_cli_i64(cli->arena, diff.changed),
                           firn_cli_i64(cli->arena, diff.same)};
    firn_report_row(report, cells);
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

firn_rc firn_cmd_table_diff(firn_cli *cli, firn_err *err)
{
    firn_session *session = NULL;
    FIRN_TRY(open_session(cli, &session, err));
    firn_rc rc = show_diff(cli, session, err);
    firn_session_free(session);
    return rc;
}
