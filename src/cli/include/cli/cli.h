/* The firn program as a library: what main() calls, and the tests. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Runs one command line. Gives the exit code: 0 done, 1 failed, 2 wrong usage. */
int firn_cli_main(int argc, char **argv);

#endif
