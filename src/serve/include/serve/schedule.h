/* Schedules at work: firn.yaml's `schedules` (lake/schedules.h), each run a process of its own.
 *
 * What the last run of one did stands in .firn/schedules/<name>.json, its output in logs/schedule_<name>.log (beyond 10 MB the file
 * becomes .log.1 and a new one begins). .firn/schedules/<name>.lock is locked as long as a run lasts, by the server and by the run
 * itself: so it never overlaps itself, not with a run by hand, nor with one that a killed server left behind. Several servers on one
 * lake run each due time once: who comes second finds it in the state.
 *
 * A run gets /dev/null to read, the lake's folder to work in, the lock, and no other file or socket of the server. It is told to end
 * (SIGTERM) at its timeout, when the server stops and when the server dies, and killed with its process group ten seconds later.
 */
#ifndef SERVE_SCHEDULE_H
#define SERVE_SCHEDULE_H

#include "lake/lake.h"

typedef enum firn_schedule_outcome {
    FIRN_SCHEDULE_NEVER, /* no run yet */
    FIRN_SCHEDULE_RUNNING, /* not ended: read by firn_schedule_state_read only while it has the lock */
    FIRN_SCHEDULE_OK,
    FIRN_SCHEDULE_FAILED,      /* exit code or signal */
    FIRN_SCHEDULE_TIMED_OUT,   /* ended for its timeout */
    FIRN_SCHEDULE_STOPPED,     /* ended with the server, or by Ctrl-C */
    FIRN_SCHEDULE_INTERRUPTED, /* the server died: how it ended is not known */
    FIRN_SCHEDULE_NOT_STARTED, /* no process could be made */
} firn_schedule_outcome;
const char *firn_schedule_outcome_name(firn_schedule_outcome outcome);

typedef struct firn_schedule_state {
    firn_schedule_outcome outcome;
    int64_t due_us; /* the last due time that was served; 0: none */
    int64_t started_us, ended_us, last_success_us;
    int exit_code; /* -1: none */
    int signal;    /* that ended it; 0: none */
    int pid;
    bool by_hand;
    int64_t runs, failures; /* since the file was made */
    int64_t overlaps;       /* due times passed over because the one before still ran */
} firn_schedule_state;

/* All zero when it never ran; a state that cannot be read is one, too. */
void firn_schedule_state_read(firn_lake *lake, const char *name, firn_schedule_state *out);
/* "ok", "failed (code 1)", "killed by signal 9". */
char *firn_schedule_state_text(firn_arena *arena, const firn_schedule_state *state);
char *firn_schedule_log_path(firn_lake *lake, firn_arena *arena, const char *name);
/* The next due time; INT64_MAX: none. Errors: the time zone's. */
firn_rc firn_schedule_next(firn_arena *arena, const firn_schedule_config *config, int64_t now_us,
                           int64_t *out_us, firn_err *err) FIRN_MUST_USE;

/* ---- one run ------------------------------------------------------------------------------------------- */

typedef struct firn_schedule_run firn_schedule_run;
typedef struct firn_schedule_begin {
    firn_lake *lake; /* borrowed, as the configuration is */
    const firn_schedule_config *config;
    const char *program; /* NULL: this process's own */
    int64_t due_us;      /* 0: by hand */
    int64_t now_us;
} firn_schedule_begin;
/* BUSY: it runs already. EXISTS: another server has served that due time. */
firn_rc firn_schedule_run_begin(const firn_schedule_begin *begin, firn_schedule_run **out,
                                firn_err *err) FIRN_MUST_USE;
/* Tells it to end for that reason, and kills it ten seconds later. */
void firn_schedule_run_end(firn_schedule_run *run, firn_schedule_outcome reason);
/* Looks at its timeout; true when it has ended, with its state written. */
bool firn_schedule_run_poll(firn_schedule_run *run, int64_t now_us);
/* For poll(2): readable when it ends; -1: poll it every now and then. */
int firn_schedule_run_fd(const firn_schedule_run *run);
const firn_schedule_state *firn_schedule_run_state(const firn_schedule_run *run);
/* It must have ended. */
void firn_schedule_run_free(firn_schedule_run *run);

/* ---- all of them --------------------------------------------------------------------------------------- */

typedef struct firn_schedules firn_schedules;
typedef struct firn_schedules_options {
    firn_lake *lake;         /* borrowed */
    const char *program;     /* NULL: this process's own */
    int64_t (*now_us)(void); /* NULL: the clock; tests have their own */
} firn_schedules_options;
/* A thread that starts what is due. NULL in *out when firn.yaml has no enabled schedules. Errors: a time zone that is none. */
firn_rc firn_schedules_start(const firn_schedules_options *options, firn_schedules **out,
                             firn_err *err) FIRN_MUST_USE;
/* Looks at the clock now. */
void firn_schedules_wake(firn_schedules *schedules);
/* Ends the runs and waits for them. NULL is fine. */
void firn_schedules_stop(firn_schedules *schedules);
/* Whether a server on this machine looks after the lake's schedules. */
bool firn_schedules_served(firn_lake *lake);

#endif
