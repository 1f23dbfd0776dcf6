/* firn ingest replay: dead letters through their feed again. */
#include "cli.h"

#include "base/time.h"
#include "ingest/ingest.h"

static const char *letters_text(firn_arena *arena, int64_t n)
{
    return firn_arena_printf(arena, "%s dead letter%s", firn_format_count(arena, n),
                             n == 1 ? "" : "s");
}

firn_rc firn_cmd_ingest_replay(firn_cli *cli, firn_err *err)
{
    firn_engine *engine = NULL;
    firn_replay_result result = {0};
    const firn_replay_options options = {.feed = firn_cli_arg(cli, 0),
                                         .where = firn_cli_option(cli, "where"),
                                         .value = firn_cli_option(cli, "value"),
                                         .dry_run = firn_cli_switch(cli, "dry-run")};
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    FIRN_TRY(firn_ingest_replay(engine, &options, &result, err));
    if (result.tried == 0) {
        firn_cli_say(cli, "feed %s has no dead letters%s", options.feed,
                     options.where != NULL ? " that are meant" : "");
        return FIRN_OK;
    }
    firn_cli_say(cli, "%s of %s %s", firn_format_count(cli->arena, result.replayed),
                 letters_text(cli->arena, result.tried),
                 options.dry_run ? "would become rows; nothing was changed" : "became rows");
    if (result.failed > 0 && !options.dry_run) {
        firn_cli_say(cli, "%s failed again and stay, with their new errors",
                     firn_format_count(cli->arena, result.failed));
    }
    return FIRN_OK;
}
