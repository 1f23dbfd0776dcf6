/* firn demo: a lake with tables, in seconds. The example is carried by the binary; running it is an ordinary pipeline run.
 *
 * The example's files are written before the lake is made and pipeline.yaml after the others, so a demo that was interrupted
 * anywhere can be run again. A pipeline that is already there is left as it is: people change it to try things.
 */
#include "embed.h"
#include "run_view.h"

#include "base/io.h"

#include <dirent.h>

#define DEMO_LAKE "demo-lake"

static firn_rc write_example(firn_arena *arena, const char *dir, firn_err *err)
{
    for (const firn_embedded *file = firn_embedded_ecommerce; file->path != NULL; file++) {
        const char *path = firn_path_join(arena, dir, file->path);
        FIRN_TRY(firn_mkdir_p(firn_path_dirname(arena, path), 0755, err));
        FIRN_TRY(firn_file_write_atomic(path, firn_bytes_of(file->data, file->len), 0644, err));
    }
    return FIRN_OK;
}

static bool is_empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = true;
    for (struct dirent *item; dir != NULL && empty && (item = readdir(dir)) != NULL;) {
        empty = firn_streq(item->d_name, ".") || firn_streq(item->d_name, "..");
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return empty;
}

/* Other people's folders and lakes are not the demo's to fill. */
static firn_rc prepare(firn_cli *cli, const char *root, firn_err *err)
{
    firn_arena *arena = cli->arena;
    const char *pipeline = firn_path_join(arena, root, "pipelines/ecommerce");
    bool is_lake = firn_path_exists(firn_path_join(arena, root, "firn.yaml"));
    bool is_demo = firn_path_exists(pipeline);
    if (is_lake && !is_demo) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "%s is a lake without the demo's pipeline, and the demo would write into its "
                  "tables; name another folder with --lake",
                  root);
    }
    if (!is_lake && !is_demo && firn_path_exists(root) && !is_empty_dir(root)) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "%s is not empty and is no lake; name another folder with --lake", root);
    }
    if (!firn_path_exists(firn_path_join(arena, pipeline, "pipeline.yaml"))) {
        FIRN_TRY(write_example(arena, pipeline, err));
    }
    return is_lake ? FIRN_OK : firn_lake_init(root, "demo", err);
}

/* ---- what came of it ------------------------------------------------------------------------------------- */

static const char *figure(firn_arena *arena, const json_t *value)
{
    if (json_is_integer(value)) {
        return firn_arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    return json_is_real(value) ? firn_arena_printf(arena, "%.2f", json_real_value(value))
                               : json_string_value(value);
}

/* One line of the report that the pipeline wrote. A pipeline that was changed may write none. */
static void print_figures(firn_arena *arena, const char *root)
{
    static const char *const FIGURES[][2] = {{"total_revenue", "total revenue"},
                                             {"total_orders", "orders"},
                                             {"avg_order_value", "average"},
                                             {"total_customers", "customers"}};
    firn_bytes text;
    json_t *report = NULL;
    const char *path = firn_path_join(arena, root, "gold/kpi_report.json");
    if (firn_file_read(arena, path, 1 << 20, &text, NULL) != FIRN_OK ||
        firn_json_parse(arena, text, path, &report, NULL) != FIRN_OK) {
        return;
    }
    fputs("\n", stdout);
    for (size_t i = 0; i < sizeof(FIGURES) / sizeof(FIGURES[0]); i++) {
        const char *text_of = figure(arena, json_object_get(report, FIGURES[i][0]));
        if (text_of != NULL) {
            printf("%s%s %s%s%s", i > 0 ? "   " : "  ", FIGURES[i][1], firn_term_bold(stdout),
                   firn_text_grouped(arena, text_of), firn_term_plain(stdout));
        }
    }
    fputc('\n', stdout);
}

static void print_next(const firn_cli *cli, const char *dir)
{
    static const char *const NEXT[][2] = {
        {"sql", "explore (try: \\d, select * from gold.daily_sales limit 5;)"},
        {"ref log", "what was committed, when, by which run"},
        {"status", "what the lake holds"},
        {"serve", "the Iceberg REST catalog for Spark, PyIceberg and others"},
    };
    dir += firn_starts_with(dir, "./") ? 2 : 0;
    fputs("\nNext:\n", stdout);
    for (size_t i = 0; i < sizeof(NEXT) / sizeof(NEXT[0]); i++) {
        const char *command =
            firn_arena_printf(cli->arena, "%s --lake %s %s", cli->program, dir, NEXT[i][0]);
        printf("  %-44s %s\n", command, NEXT[i][1]);
    }
}

static firn_rc run_demo(firn_cli *cli, const char *dir, const char *root, firn_err *err)
{
    firn_pipeline_param params[3];
    firn_pipeline_options options = {.params = params};
    firn_pipeline_outcome outcome;
    firn_pipeline *pipeline = NULL;
    int64_t number = 0;
    FIRN_TRY(firn_cli_number(cli, "scale", 1, 1, &number, err));
    FIRN_TRY(firn_cli_number(cli, "seed", 0, 42, &number, err));
    static const char *const NAMES[] = {"scale", "seed"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (firn_cli_option(cli, NAMES[i]) != NULL) {
            params[options.n_params++] =
                (firn_pipeline_param){.name = NAMES[i], .value = firn_cli_option(cli, NAMES[i])};
        }
    }
    if (firn_cli_switch(cli, "export-parquet")) {
        params[options.n_params++] =
            (firn_pipeline_param){.name = "export_parquet", .value = "true"};
    }
    FIRN_TRY(prepare(cli, root, err));
    FIRN_TRY(firn_lake_open(root, &cli->lake, err));
    FIRN_TRY(firn_pipeline_find(cli->lake, cli->arena, "ecommerce", &pipeline, err));
    bool json = cli->format == FIRN_FORMAT_JSON;
    if (!cli->quiet && !json) {
        printf("firn " FIRN_VERSION "  demo \"ecommerce\"  lake %s%s\n\n",
               strchr(dir, '/') != NULL ? "" : "./", dir);
    }
    FIRN_TRY(firn_run_view(cli, pipeline, &options, json, &outcome, err));
    if (!cli->quiet && !json) {
        print_figures(cli->arena, root);
        print_next(cli, dir);
    }
    return FIRN_OK;
}

firn_rc firn_cmd_demo(firn_cli *cli, firn_err *err)
{
    static const char *const DEMOS[] = {"ecommerce"};
    const char *name = firn_cli_arg(cli, 0);
    if (name != NULL && !firn_streq(name, DEMOS[0])) {
        return firn_cli_usage(cli, err, "there is no demo \"%s\"; there is: ecommerce", name);
    }
    const char *dir = firn_cli_option(cli, "lake");
    dir = dir != NULL ? dir : DEMO_LAKE;
    return run_demo(cli, dir, firn_path_absolute(cli->arena, dir), err);
}
