/* What cmd_schedule.c has for firn serve and firn status. */
#ifndef CLI_CMD_SCHEDULE_H
#define CLI_CMD_SCHEDULE_H

#include "cli.h"

/* Every schedule's command is one of firn's, with options that it has. CONFIG names the line of firn.yaml. */
firn_rc firn_cli_check_schedules(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
/* "nightly: ok 2 h ago, next 2025-01-16 02:00 UTC", one after the other; "none" without any. */
const char *firn_cli_schedules_text(firn_cli *cli, const char *separator);

#endif
