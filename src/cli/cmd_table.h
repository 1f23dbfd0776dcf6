/* Shared by the table commands. Texts live in the given arena. */
#ifndef CLI_CMD_TABLE_H
#define CLI_CMD_TABLE_H

#include "cli.h"

/* The table named on the command line, on the current ref. */
firn_rc firn_table_open(firn_cli *cli, const char *text, firn_table *out,
                        firn_err *err) FIRN_MUST_USE;
char *firn_cli_i64(firn_arena *arena, int64_t number);
/* "2043" -> "2.0 kB"; NULL if it is no number. */
const char *firn_cli_bytes(firn_arena *arena, const char *bytes);
/* A figure of the snapshot's summary, NULL if it is not recorded. */
const char *firn_snapshot_count(const firn_snapshot *snapshot, const char *key);
/* "days(ts), bucket(8, id)"; NULL: unpartitioned. */
char *firn_table_partitioning(firn_arena *arena, const firn_metadata *metadata);

/* firn table register --scan (cmd_table_scan.c). */
firn_rc firn_table_scan(firn_cli *cli, const char *folder, firn_err *err) FIRN_MUST_USE;

/* `firn table rollback TABLE v3` (cmd_table_versions.c). */
firn_rc firn_cli_rollback_version(firn_cli *cli, const char *version, firn_err *err) FIRN_MUST_USE;

#endif
