/* firn report: the state of the feeds from ksqlDB, for people, spreadsheets and programs. */
#include "report_view.h"

#include "base/io.h"
#include "base/time.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- for programs -------------------------------------------------------------------------------------- */

static const firn_report_column COLUMNS[] = {
    {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"type", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"source", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"health", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"reason", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"records", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"partitions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"oldest_partition", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"versions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"newest_version", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"table_records", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"last_export", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
    {"age_s", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"exports", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"failures", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"json_bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"compression_ratio", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
    {"retention_due_records", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"retention_due_partitions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"records_per_day", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
    {"bytes_per_day", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
    {"partition_records_min", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"partition_records_median", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"partition_records_max", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"export_seconds", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
    {"alerts", FIRN_COLUMN_NESTED, FIRN_SHOWN_ALWAYS},
};
enum { N_COLUMNS = sizeof(COLUMNS) / sizeof(COLUMNS[0]) };

/* -1: not known. */
static const char *number(firn_arena *arena, int64_t n)
{
    return n >= 0 ? firn_arena_printf(arena, "%" PRId64, n) : NULL;
}

static const char *decimal(firn_arena *arena, bool known, double n)
{
    return known ? firn_arena_printf(arena, "%.6g", n) : NULL;
}

static const char *alerts_json(firn_arena *arena, const firn_report_feed *feed)
{
    json_t *all = firn_json_own(arena, json_array());
    for (size_t i = 0; i < feed->n_alerts; i++) {
        const firn_quality_alert *alert = &feed->alerts[i];
        json_array_append_new(all,
                              json_pack("{s:s, s:s?, s:s, s:b}", "rule", alert->rule, "column",
                                        alert->column, "text", alert->text, "fails", alert->fails));
    }
    return firn_json_text(arena, all);
}

static void add_row(firn_arena *arena, firn_report *report, const firn_report_feed *feed,
                    int64_t now_us)
{
    const firn_export_feed *file = feed->feed;
    const firn_report_growth g = firn_export_growth(feed, now_us);
    bool parts = feed->n_parts > 0;
    const char *cells[N_COLUMNS] = {
        feed->name,
        file != NULL ? firn_export_kind_name(file->kind) : NULL,
        file != NULL ? file->ksqldb_source : NULL,
        file != NULL ? file->table : NULL,
        firn_feed_health_name(feed->health),
        feed->why,
        number(arena, feed->rows),
        number(arena, feed->bytes),
        number(arena, feed->files),
        number(arena, feed->partitions),
        feed->oldest,
        number(arena, feed->versions),
        feed->newest_version > 0 ? number(arena, feed->newest_version) : NULL,
        number(arena, feed->table_rows),
        feed->last_export_us > 0 ? firn_cli_time(arena, feed->last_export_us) : NULL,
        number(arena, feed->age_s),
        number(arena, feed->exports),
        number(arena, feed->failures),
        number(arena, feed->json_bytes),
        decimal(arena, feed->ratio >= 0, feed->ratio),
        number(arena, feed->due_rows),
        number(arena, feed->due_partitions),
        decimal(arena, g.known, g.rows_per_day),
        decimal(arena, g.known, g.bytes_per_day),
        parts ? number(arena, g.part_rows_min) : NULL,
        parts ? number(arena, g.part_rows_median) : NULL,
        parts ? number(arena, g.part_rows_max) : NULL,
        decimal(arena, g.seconds >= 0, g.seconds),
        alerts_json(arena, feed),
    };
    firn_report_row(report, cells);
}

static firn_rc print_rows(const firn_report_view *view, FILE *to, firn_format format, firn_err *err)
{
    firn_arena *arena = view->cli->arena;
    firn_report *report = firn_report_new(arena, COLUMNS, N_COLUMNS);
    for (size_t i = 0; i < view->n; i++) {
        add_row(arena, report, &view->feeds[i], view->now_us);
    }
    return firn_report_print(report, to, format, NULL, err);
}

/* Whole or not at all. */
static firn_rc write_csv(const firn_report_view *view, const char *path, firn_err *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL) {
        FIRN_FAIL(err, FIRN_E_MEMORY, "there is no memory for the report");
    }
    firn_rc rc = print_rows(view, memory, FIRN_FORMAT_CSV, err);
    fclose(memory);
    if (rc == FIRN_OK) {
        rc = firn_file_write_atomic(path, firn_bytes_of(text, length), 0644, err);
    }
    free(text);
    return rc;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static firn_rc choose(firn_report_view *view, firn_report_feed *all, size_t n, firn_err *err)
{
    firn_cli *cli = view->cli;
    if (cli->args.len == 0) {
        view->feeds = all;
        view->n = n;
        return FIRN_OK;
    }
    firn_report_feed *chosen = FIRN_NEW_N(cli->arena, firn_report_feed, cli->args.len);
    const char **names = FIRN_NEW_N(cli->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = all[i].name;
    }
    for (size_t a = 0; a < cli->args.len; a++) {
        const char *wanted = cli->args.items[a];
        size_t i = 0;
        while (i < n && !firn_streq(names[i], wanted)) {
            i++;
        }
        if (i == n) {
            const char *nearest = firn_nearest(wanted, names, n);
            FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no feed %s from ksqlDB%s%s%s", wanted,
                      nearest != NULL ? ". Did you mean " : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "?" : "; `firn feed list` shows them");
        }
        chosen[a] = all[i];
    }
    view->feeds = chosen;
    view->n = cli->args.len;
    return FIRN_OK;
}

/* "2 of 8 feeds need attention: a (failing), b (stale)" */
static firn_rc check(const firn_report_view *view, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf names = {0};
    size_t n = 0;
    for (size_t i = 0; i < view->n; i++) {
        const firn_report_feed *feed = &view->feeds[i];
        if (firn_feed_health_is_trouble(feed->health)) {
            firn_buf_printf(&names, "%s%s (%s)", n++ > 0 ? ", " : "", feed->name,
                            firn_feed_health_name(feed->health));
        }
    }
    if (n > 0) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED, "%zu of %zu feeds need%s attention: %s", n, view->n,
                  n == 1 ? "s" : "", firn_buf_cstr(&names));
    }
    return FIRN_OK;
}

static firn_rc print_people(const firn_report_view *view, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    if (view->n == 0) {
        firn_cli_say(
            view->cli,
            "the lake has no feeds from ksqlDB: `%s feed sync` adds one for each stream and table of a "
            "server,\n`%s feed add NAME --type stream` adds one",
            view->cli->program, view->cli->program);
        return FIRN_OK;
    }
    if (view->cli->quiet && firn_cli_switch(view->cli, "check")) {
        return FIRN_OK; /* cron mails whatever is printed */
    }
    if (firn_cli_switch(view->cli, "stats")) {
        firn_report_view_stats(view, &out);
    } else {
        firn_report_view_feeds(view, &out);
    }
    fwrite(out.data, 1, out.len, stdout);
    return firn_output_flush(stdout, err);
}

firn_rc firn_cmd_report(firn_cli *cli, firn_err *err)
{
    firn_engine *engine = NULL;
    firn_session *session = NULL;
    firn_report_feed *all = NULL;
    size_t n = 0;
    firn_report_view view = {.cli = cli, .now_us = firn_now_us()};
    if (firn_cli_switch(cli, "json")) {
        cli->format = FIRN_FORMAT_JSON;
    }
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    FIRN_TRY(firn_session_new(engine, NULL, &session, err));
    firn_rc rc = firn_export_report(session, cli->arena, view.now_us, &all, &n, err);
    firn_session_free(session);
    FIRN_TRY(rc);
    FIRN_TRY(choose(&view, all, n, err));
    const char *csv = firn_cli_option(cli, "csv");
    if (csv != NULL) {
        FIRN_TRY(write_csv(&view, csv, err));
    }
    FIRN_TRY(cli->format == FIRN_FORMAT_TABLE ? print_people(&view, err)
                                              : print_rows(&view, stdout, cli->format, err));
    if (csv != NULL && cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "%zu feed%s written to %s", view.n, view.n == 1 ? "" : "s", csv);
    }
    return firn_cli_switch(cli, "check") ? check(&view, err) : FIRN_OK;
}
