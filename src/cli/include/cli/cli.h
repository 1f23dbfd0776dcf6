/* The firn program as a library: what main() calls, and the tests. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* For `ingest run`, starts this very process once more with a quicker allocator, if there is one; for `export`, makes the heap ready. First of all, before anything
 * is open, and before there are threads. */
void firn_cli_choose_allocator(int argc, char **argv);

/* Runs one command line. Gives the exit code: 0 done, 1 failed, 2 wrong usage. */
int firn_cli_main(int argc, char **argv);

#endif
