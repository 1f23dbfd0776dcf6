/* firn version */
#include "cli.h"

firn_rc firn_cmd_version(firn_cli *cli, firn_err *err)
{
    (void)err;
    if (cli->format == FIRN_FORMAT_JSON) {
        puts("{\"version\":\"" FIRN_VERSION "\"}");
    } else {
        puts("firn " FIRN_VERSION);
    }
    return FIRN_OK;
}
