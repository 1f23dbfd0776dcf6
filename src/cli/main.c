/* The firn program. Everything is in firn_cli_main, so that it can be tested as a library. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    firn_cli_choose_allocator(argc, argv);
    return firn_cli_main(argc, argv);
}
