/* firn table adopt: a folder of Parquet files becomes a table, or joins one, as it lies. */
#include "cmd_table.h"

#include "watch.h"

#include "base/time.h"
#include "engine/adopt.h"

#include <inttypes.h>

static const char *files_text(firn_arena *arena, int64_t n)
{
    return firn_arena_printf(arena, "%s file%s", firn_format_count(arena, n), n == 1 ? "" : "s");
}

static void say_skipped(const firn_cli *cli, const firn_adopt_result *result)
{
    for (size_t i = 0; i < result->n_skipped; i++) {
        const firn_adopt_skipped *one = &result->skipped[i];
        firn_cli_say(cli, "  left out %s: %s (%s%s)", files_text(cli->arena, (int64_t)one->n),
                     one->why, one->first, one->n > 1 ? ", ..." : "");
    }
}

static void say_result(const firn_cli *cli, const firn_adopt_options *options,
                       const firn_adopt_result *result)
{
    firn_arena *arena = cli->arena;
    const char *table = firn_ident_text(arena, options->ident);
    const char *verb = options->dry_run ? (options->add ? "would add" : "would adopt")
                       : options->add   ? "added"
                                        : "adopted";
    if (result->files == 0) {
        firn_cli_say(cli, "%s has every file of %s already", table, options->folder);
        say_skipped(cli, result);
        return;
    }
    firn_cli_say(cli, "%s %s with %s row%s (%s) %s %s", verb, files_text(arena, result->files),
                 firn_format_count(arena, result->rows), result->rows == 1 ? "" : "s",
                 firn_format_bytes(arena, result->bytes), options->add ? "to" : "as", table);
    const char *columns = firn_arena_printf(arena, "%zu column%s", result->n_columns,
                                            result->n_columns == 1 ? "" : "s");
    if (result->partitions > 0) {
        firn_cli_say(cli, "  %s, %zu partition%s%s%s", columns, result->partitions,
                     result->partitions == 1 ? "" : "s",
                     result->partitioned_by != NULL ? " by " : "",
                     result->partitioned_by != NULL ? result->partitioned_by : "");
    } else {
        firn_cli_say(cli, "  %s, not partitioned", columns);
    }
    for (size_t i = 0; i < result->n_changes; i++) {
        firn_cli_say(cli, "  %s", result->changes[i]);
    }
    say_skipped(cli, result);
    if (result->marked && !options->dry_run) {
        firn_cli_say(cli, "  the files stay where they are and are never deleted through the table "
                          "(gc.enabled=false)");
    }
    if (options->dry_run) {
        firn_cli_say(cli, "nothing was changed (--dry-run)");
    }
}

firn_rc firn_cmd_table_adopt(firn_cli *cli, firn_err *err)
{
    firn_engine *engine = NULL;
    firn_session *session = NULL;
    firn_adopt_result result = {0};
    firn_adopt_options options = {.folder = firn_cli_arg(cli, 1),
                                  .add = firn_cli_switch(cli, "add"),
                                  .dry_run = firn_cli_switch(cli, "dry-run"),
                                  .partition_sql = firn_cli_option(cli, "partition")};
    int64_t version = 0;
    FIRN_TRY(firn_cli_number(cli, "format-version", 1, 0, &version, err));
    if (version > 3) {
        return firn_cli_usage(cli, err, "Iceberg has the format versions 1, 2 and 3");
    }
    options.format_version = (int)version;
    FIRN_TRY(firn_cli_ident(cli, firn_cli_arg(cli, 0), &options.ident, err));
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    FIRN_TRY(firn_session_new(engine, firn_cli_ref(cli), &session, err));
    firn_watch *watch = firn_watch_new(!cli->quiet);
    firn_watch_begin(watch, session);
    firn_rc rc = firn_session_adopt(session, cli->arena, &options, &result, err);
    firn_watch_end(watch);
    firn_watch_free(watch);
    firn_session_free(session);
    if (rc == FIRN_OK) {
        say_result(cli, &options, &result);
    }
    return rc;
}
