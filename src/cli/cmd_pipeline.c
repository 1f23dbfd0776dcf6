/* firn pipeline: list, show, run, and the log of runs. */
#include "run_view.h"

#include "base/time.h"

#include <inttypes.h>

static firn_rc find_pipeline(firn_cli *cli, const char *name, firn_pipeline **out, firn_err *err)
{
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    return firn_pipeline_find(lake, cli->arena, name, out, err);
}

static char *seconds(firn_arena *arena, int64_t from_us, int64_t to_us)
{
    return to_us > 0 ? firn_arena_printf(arena, "%.2f", (double)(to_us - from_us) / 1e6) : NULL;
}

/* ---- list -------------------------------------------------------------------------------------------- */

/* A pipeline that cannot be read is listed without description; the first reason is the command's error. */
firn_rc firn_cmd_pipeline_list(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"pipeline", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"last_run", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"status", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"started", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
        {"description", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_lake *lake = NULL;
    char **names = NULL;
    size_t n = 0;
    firn_rc result = FIRN_OK;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_pipeline_list(lake, cli->arena, &names, &n, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        firn_pipeline *pipeline = NULL;
        firn_run *runs = NULL;
        size_t n_runs = 0;
        firn_err load_err = {0};
        firn_rc rc = firn_pipeline_find(lake, cli->arena, names[i], &pipeline, &load_err);
        if (rc != FIRN_OK && result == FIRN_OK) {
            result = rc;
            *err = load_err;
        }
        const char *name = rc == FIRN_OK ? firn_pipeline_name(pipeline) : names[i];
        FIRN_TRY(firn_run_list(firn_lake_catalog(lake), cli->arena, name, 1, &runs, &n_runs, err));
        bool ran = n_runs > 0;
        const char *cells[] = {names[i], ran ? runs[0].run_id : NULL, ran ? runs[0].status : NULL,
                               ran ? firn_cli_time(cli->arena, runs[0].started_us) : NULL,
                               rc == FIRN_OK ? firn_pipeline_description(pipeline) : NULL};
        firn_report_row(report, cells);
    }
    FIRN_TRY(firn_report_print(report, stdout, cli->format, cli->quiet ? NULL : "pipeline", err));
    return result;
}

/* ---- show -------------------------------------------------------------------------------------------- */

firn_rc firn_cmd_pipeline_show(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"task", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"type", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"after", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"writes", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"description", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    firn_engine *engine = NULL;
    firn_pipeline *pipeline = NULL;
    firn_pipeline_task *tasks = NULL;
    size_t n = 0;
    FIRN_TRY(find_pipeline(cli, firn_cli_arg(cli, 0), &pipeline, err));
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    FIRN_TRY(firn_pipeline_plan(engine, cli->arena, pipeline, &tasks, &n, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *cells[] = {tasks[i].name, tasks[i].type,
                               firn_str_join(cli->arena, tasks[i].after, tasks[i].n_after, ", "),
                               firn_str_join(cli->arena, tasks[i].writes, tasks[i].n_writes, ", "),
                               tasks[i].description};
        firn_report_row(report, cells);
    }
    if (cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "%s - %s\n", firn_pipeline_name(pipeline),
                     firn_pipeline_description(pipeline));
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

/* ---- run --------------------------------------------------------------------------------------------- */

static firn_rc take_params(firn_cli *cli, firn_pipeline_options *options, firn_err *err)
{
    const char **given = firn_cli_options(cli, cli->arena, "set", &options->n_params);
    firn_pipeline_param *params = FIRN_NEW_N(cli->arena, firn_pipeline_param, options->n_params);
    for (size_t i = 0; i < options->n_params; i++) {
        const char *equals = strchr(given[i], '=');
        if (equals == NULL || equals == given[i]) {
            return firn_cli_usage(cli, err, "--set takes NAME=VALUE, not \"%s\"", given[i]);
        }
        params[i].name = firn_arena_strndup(cli->arena, given[i], (size_t)(equals - given[i]));
        params[i].value = equals + 1;
    }
    options->params = params;
    return FIRN_OK;
}

firn_rc firn_cmd_pipeline_run(firn_cli *cli, firn_err *err)
{
    firn_pipeline *pipeline = NULL;
    firn_pipeline_outcome outcome;
    firn_pipeline_options options = {.no_publish = firn_cli_switch(cli, "no-publish")};
    int64_t parallel = 0;
    const char *target = firn_cli_option(cli, "target");
    options.target = target != NULL ? target : firn_cli_option(cli, "ref");
    options.only = firn_cli_options(cli, cli->arena, "only", &options.n_only);
    FIRN_TRY(firn_cli_number(cli, "parallel", 1, 0, &parallel, err));
    options.parallel = parallel < 1024 ? (int)parallel : 1024;
    FIRN_TRY(take_params(cli, &options, err));
    FIRN_TRY(find_pipeline(cli, firn_cli_arg(cli, 0), &pipeline, err));
    bool json = firn_cli_switch(cli, "json") || cli->format == FIRN_FORMAT_JSON;
    if (!json) {
        firn_cli_say(cli, "firn " FIRN_VERSION "  pipeline %s  lake %s\n",
                     firn_pipeline_name(pipeline), firn_lake_root(cli->lake));
    }
    FIRN_TRY(firn_run_view(cli, pipeline, &options, json, &outcome, err));
    if (options.no_publish && !json) {
        firn_cli_say(cli, "  run %s is on branch %s; publish it with: %s ref merge %s",
                     outcome.run.run_id, outcome.run.branch, cli->program, outcome.run.branch);
    }
    return FIRN_OK;
}

/* ---- the log ------------------------------------------------------------------------------------------- */

firn_rc firn_cmd_pipeline_runs(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"run", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"pipeline", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"status", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"started", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
        {"seconds", FIRN_COLUMN_DECIMAL, FIRN_SHOWN_ALWAYS},
        {"target", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"branch", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"commit_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"error", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_lake *lake = NULL;
    firn_run *runs = NULL;
    size_t n = 0;
    int64_t limit = 0;
    FIRN_TRY(firn_cli_number(cli, "limit", 0, 20, &limit, err));
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_run_list(firn_lake_catalog(lake), cli->arena, firn_cli_arg(cli, 0),
                           limit > 0 ? (size_t)limit : SIZE_MAX, &runs, &n, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_run *run = &runs[i];
        const char *cells[] = {run->run_id,
                               run->pipeline,
                               run->status,
                               firn_cli_time(cli->arena, run->started_us),
                               seconds(cli->arena, run->started_us, run->ended_us),
                               run->target,
                               run->branch,
                               run->commit_id,
                               run->error};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, cli->quiet ? NULL : "run", err);
}

static firn_rc run_exists(firn_cli *cli, firn_catalog **catalog, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_run run;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    *catalog = firn_lake_catalog(lake);
    return firn_run_get(*catalog, cli->arena, firn_cli_arg(cli, 0), &run, err);
}

firn_rc firn_cmd_pipeline_tasks(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"task", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"type", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"attempt", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"status", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"seconds", FIRN_COLUMN_DECIMAL, FIRN_SHOWN_ALWAYS},
        {"detail", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"error", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_catalog *catalog = NULL;
    firn_run_task *tasks = NULL;
    size_t n = 0;
    FIRN_TRY(run_exists(cli, &catalog, err));
    FIRN_TRY(firn_run_tasks(catalog, cli->arena, firn_cli_arg(cli, 0), &tasks, &n, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_run_task *task = &tasks[i];
        const char *cells[] = {
            task->task,
            task->kind,
            firn_arena_printf(cli->arena, "%d", task->attempt),
            task->status,
            task->rows >= 0 ? firn_arena_printf(cli->arena, "%" PRId64, task->rows) : NULL,
            seconds(cli->arena, task->started_us, task->ended_us),
            task->detail,
            task->error};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

firn_rc firn_cmd_pipeline_checks(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_run_check *checks = NULL;
    size_t n = 0;
    FIRN_TRY(run_exists(cli, &catalog, err));
    FIRN_TRY(firn_run_checks(catalog, cli->arena, firn_cli_arg(cli, 0), &checks, &n, err));
    return firn_checks_print(cli, checks, n, err);
}
