/* firn init: makes a folder a lake. */
#include "cli.h"

#include "base/io.h"

firn_rc firn_cmd_init(firn_cli *cli, firn_err *err)
{
    const char *dir = firn_cli_arg(cli, 0);
    const char *lake = firn_cli_option(cli, "lake");
    if (dir != NULL && lake != NULL && !firn_streq(dir, lake)) {
        return firn_cli_usage(cli, err, "firn init was told two folders, %s and --lake %s", dir,
                              lake);
    }
    dir = dir != NULL ? dir : lake != NULL ? lake : ".";
    firn_config_choices choices = {
        .name = firn_cli_option(cli, "name"),
        .catalog_uri = firn_cli_option(cli, "catalog"),
        .catalog_schema = firn_cli_option(cli, "schema"),
    };
    FIRN_TRY(firn_lake_init_with(dir, &choices, err));
    const char *root = firn_path_absolute(cli->arena, dir);
    firn_cli_say(cli, "%s is a lake now; its settings are in %s", root,
                 firn_path_join(cli->arena, root, "firn.yaml"));
    if (cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "Next: %s --lake %s sql", cli->program, dir);
    }
    return FIRN_OK;
}
