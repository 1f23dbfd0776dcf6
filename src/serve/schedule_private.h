/* What schedule_state.c, schedule_run.c and schedule.c share. */
#ifndef SERVE_SCHEDULE_PRIVATE_H
#define SERVE_SCHEDULE_PRIVATE_H

#include "serve/schedule.h"

/* Errors are warnings in the server's log: a run is worth more than its record. */
void firn_schedule_state_write(firn_lake *lake, const char *name, const firn_schedule_state *state);
/* Appends a line to the schedule's log, as Python's logging writes it. */
void firn_schedule_say(firn_lake *lake, const char *name, int64_t now_us, bool error,
                       const char *format, ...) FIRN_PRINTF(5, 6);
/* How long until the run wants a poll by itself. */
int64_t firn_schedule_run_wait_us(const firn_schedule_run *run);
/* A due time that found the run at work. */
void firn_schedule_run_passed_over(firn_schedule_run *run, int64_t due_us, int64_t now_us);
char *firn_schedule_path(firn_lake *lake, firn_arena *arena, const char *name, const char *ending);

#endif
