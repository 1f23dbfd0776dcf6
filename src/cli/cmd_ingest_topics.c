/* firn ingest topics: what a Kafka cluster has, and the tables that it would become. */
#include "cli.h"
#include "grid.h"

#include "base/time.h"

#include "ingest/audit.h"
#include "lake/sources.h"

#include <inttypes.h>

static const char *number(firn_arena *arena, int64_t n)
{
    return n < 0 ? NULL : firn_arena_printf(arena, "%" PRId64, n);
}

static const char *rate(firn_arena *arena, double per_s)
{
    return per_s < 0    ? NULL
           : per_s < 10 ? firn_arena_printf(arena, "%.1f", per_s)
                        : firn_format_count(arena, (int64_t)per_s);
}

static const char *table_text(firn_arena *arena, const firn_audit *audit)
{
    return firn_arena_printf(arena, "-> (%s)", firn_audit_columns(arena, audit));
}

/* ---- people -------------------------------------------------------------------------------------------- */

static void add_notes(firn_cli *cli, firn_grid *grid, const firn_audit *audit)
{
    if (audit->schema != NULL) {
        firn_grid_note(grid, 1, table_text(cli->arena, audit), firn_term_dim(stdout));
    }
    size_t other = audit->value.other;
    if (other > 0 && audit->bad == 0) {
        firn_grid_note(grid, 1,
                       firn_arena_printf(cli->arena, "%zu of %zu records have another format",
                                         other, audit->value.seen),
                       firn_term_yellow(stdout));
    }
    if (audit->problem != NULL) {
        bool letters = audit->bad > 0;
        firn_grid_note(grid, 1,
                       letters ? firn_arena_printf(
                                     cli->arena, "%zu of %zu records would become dead letters: %s",
                                     audit->bad, audit->samples, audit->problem)
                               : audit->problem,
                       firn_term_yellow(stdout));
    }
}

static firn_rc print_people(firn_cli *cli, const firn_audit *audits, size_t n, firn_err *err)
{
    static const firn_grid_column COLUMNS[] = {
        {"topic", false},  {"partitions", true}, {"records", true}, {"in/s", true},
        {"average", true}, {"key", false},       {"value", false},
    };
    firn_arena *a = cli->arena;
    firn_grid *grid = firn_grid_new(a, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_audit *audit = &audits[i];
        const char *cells[] = {
            audit->topic,
            firn_format_count(a, (int64_t)audit->partitions),
            firn_format_count(a, audit->records),
            rate(a, audit->per_s),
            audit->average_bytes < 0 ? NULL : firn_format_bytes(a, audit->average_bytes),
            audit->samples == 0 ? NULL : firn_audit_format(a, &audit->key),
            audit->samples == 0 ? NULL : firn_audit_format(a, &audit->value),
        };
        firn_grid_row(grid, cells, NULL);
        add_notes(cli, grid, audit);
    }
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_grid_write(grid, stdout, &out);
    fwrite(out.data, 1, out.len, stdout);
    if (n > 0 && !cli->quiet) {
        printf("\nA feed file for one of them: %s ingest topics --feed %s\n", cli->program,
               audits[0].topic);
    }
    return firn_output_flush(stdout, err);
}

/* ---- programs ------------------------------------------------------------------------------------------ */

static firn_rc print_programs(firn_cli *cli, const firn_audit *audits, size_t n, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"topic", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"partitions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"records", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"records_per_s", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
        {"average_bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"newest_ms", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"key_format", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"value_format", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"subject", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"schema_id", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"schema_version", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"columns", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"samples", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"tombstones", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"bad", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"problem", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_arena *a = cli->arena;
    firn_report *report = firn_report_new(a, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_audit *audit = &audits[i];
        const firn_guess *value = &audit->value;
        const char *cells[] = {
            audit->topic,
            number(a, (int64_t)audit->partitions),
            number(a, audit->records),
            audit->per_s < 0 ? NULL : firn_arena_printf(a, "%.3f", audit->per_s),
            number(a, audit->average_bytes),
            number(a, audit->newest_ms),
            audit->samples > 0 ? firn_payload_name(audit->key.payload) : NULL,
            audit->samples > 0 ? firn_payload_name(value->payload) : NULL,
            value->subject,
            number(a, value->schema_id),
            value->version > 0 ? number(a, value->version) : NULL,
            firn_audit_columns(a, audit),
            number(a, (int64_t)audit->samples),
            number(a, (int64_t)audit->tombstones),
            number(a, (int64_t)audit->bad),
            audit->problem,
        };
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, "topic", err);
}

firn_rc firn_cmd_ingest_topics(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    const char *feed = firn_cli_option(cli, "feed");
    firn_audit_options options = {.source = firn_cli_arg(cli, 0),
                                  .pattern = firn_cli_option(cli, "pattern")};
    if (feed != NULL && options.pattern != NULL) {
        return firn_cli_usage(cli, err, "--feed names one topic; leave --pattern out");
    }
    options.pattern = feed != NULL ? feed : options.pattern;
    const firn_source_config *source;
    FIRN_TRY(firn_source_config_find(firn_lake_config(lake), FIRN_SOURCE_KAFKA, options.source,
                                     &source, err));
    firn_audit *audits = NULL;
    size_t n = 0;
    FIRN_TRY(firn_audit_topics(lake, cli->arena, &options, &audits, &n, err));
    if (feed != NULL && n > 0) {
        fputs(firn_audit_feed(cli->arena, source->name, &audits[0]), stdout);
        return firn_output_flush(stdout, err);
    }
    return cli->format == FIRN_FORMAT_TABLE ? print_people(cli, audits, n, err)
                                            : print_programs(cli, audits, n, err);
}
