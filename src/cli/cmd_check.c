/* firn check: the checks of pipelines, run on a ref without changing anything. */
#include "run_view.h"

#include <inttypes.h>

firn_rc firn_checks_print(firn_cli *cli, const firn_run_check *checks, size_t n, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"status", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"severity", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"check", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"detail", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *cells[] = {checks[i].status,
                               checks[i].severity,
                               checks[i].name,
                               checks[i].table,
                               firn_arena_printf(cli->arena, "%" PRId64, checks[i].failing_rows),
                               checks[i].detail};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

/* Adds the results of one pipeline to `all`. */
static firn_rc check_one(firn_cli *cli, firn_lake *lake, const char *name, firn_checks *all,
                         firn_err *err)
{
    firn_engine *engine = NULL;
    firn_pipeline *pipeline = NULL;
    firn_run_check *checks = NULL;
    size_t n = 0;
    FIRN_TRY(firn_pipeline_find(lake, cli->arena, name, &pipeline, err));
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    FIRN_TRY(firn_pipeline_check(engine, cli->arena, pipeline, firn_cli_option(cli, "ref"), &checks,
                                 &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_vec_push(cli->arena, all, checks[i]);
    }
    return FIRN_OK;
}

static firn_rc verdict(firn_cli *cli, const firn_checks *all, firn_err *err)
{
    size_t failed = 0;
    size_t warned = 0;
    for (size_t i = 0; i < all->len; i++) {
        const char *status = all->items[i].status;
        failed += firn_streq(status, "failed") || firn_streq(status, "error");
        warned += firn_streq(status, "warned");
    }
    if (failed > 0) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED, "%zu of %zu checks failed on %s", failed, all->len,
                  firn_cli_ref(cli));
    }
    if (cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "%zu check%s: %zu passed, %zu warned", all->len, all->len == 1 ? "" : "s",
                     all->len - warned, warned);
    }
    return FIRN_OK;
}

firn_rc firn_cmd_check(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    char **names = NULL;
    size_t n = 0;
    firn_checks all = {0};
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_pipeline_list(lake, cli->arena, &names, &n, err));
    const char *const *chosen = cli->args.len > 0 ? cli->args.items : (const char *const *)names;
    size_t n_chosen = cli->args.len > 0 ? cli->args.len : n;
    for (size_t i = 0; i < n_chosen; i++) {
        FIRN_TRY(check_one(cli, lake, chosen[i], &all, err));
    }
    if (n_chosen == 0 && cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "the lake has no pipelines, so there is nothing to check");
        return FIRN_OK;
    }
    FIRN_TRY(firn_checks_print(cli, all.items, all.len, err));
    return verdict(cli, &all, err);
}
