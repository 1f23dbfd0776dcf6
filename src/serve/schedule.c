/* The thread that starts schedules when they are due: serve/schedule.h.
 *
 * Between two looks at the clock it sleeps in poll(2) until the first of: a due time, the end of a run, a run's deadline, a stop. It
 * never sleeps longer than SLEEP_MS, so that a clock that is set, or a machine that slept, is noticed.
 *
 * A due time that finds the run before it still at work is passed over and counted. Due times that went by while the machine slept, or
 * that a busy machine is late for, are one run.
 */
#include "schedule_private.h"

#include "base/io.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/time.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    SLEEP_MS = 30000,
    WITHOUT_PIDFD_MS = 200, /* kernels before 5.3: look for ended runs so often */
    MISSED_MAX = 100000,    /* due times looked through for one to make up for */
};
#define CLOCK_SET_BACK_US INT64_C(120000000)

typedef struct slot {
    const firn_schedule_config *config;
    const firn_zone *zone;
    int64_t next_us;
    firn_schedule_run *run; /* NULL: none at work */
} slot;

struct firn_schedules {
    firn_arena *arena;
    firn_lake *lake;
    const char *program;
    int64_t (*now_us)(void);
    slot *slots;
    size_t n;
    int64_t last_us; /* what the clock showed when it was looked at last */
    int served_fd;
    int event_fd; /* wakes the thread */
    atomic_bool stop;
    pthread_t thread;
};

/* ---- one schedule ---------------------------------------------------------------------------------------- */

static void begin(const firn_schedules *s, slot *at, int64_t due_us, int64_t now_us)
{
    firn_err err = {0};
    const firn_schedule_begin options = {.lake = s->lake,
                                         .config = at->config,
                                         .program = s->program,
                                         .due_us = due_us,
                                         .now_us = now_us};
    firn_rc rc = firn_schedule_run_begin(&options, &at->run, &err);
    if (rc == FIRN_OK || rc == FIRN_E_EXISTS) {
        return;
    }
    at->run = NULL;
    firn_log(FIRN_LOG_WARN, "schedule", "%s", err.message);
    firn_schedule_say(s->lake, at->config->name, now_us, true, "not started: %s", err.message);
}

static void look_at(const firn_schedules *s, slot *at, int64_t now_us)
{
    if (at->run != NULL && firn_schedule_run_poll(at->run, now_us)) {
        firn_schedule_run_free(at->run);
        at->run = NULL;
    }
    if (at->next_us > now_us || atomic_load(&s->stop)) {
        return;
    }
    if (at->run != NULL) {
        firn_schedule_run_passed_over(at->run, at->next_us, now_us);
    } else {
        begin(s, at, at->next_us, now_us);
    }
    at->next_us = firn_cron_next_us(&at->config->when, at->zone, now_us);
}

/* The last due time since the one that was served last, if there is one: for `catch_up`. */
static int64_t missed_us(const firn_schedules *s, const slot *at, int64_t now_us)
{
    firn_schedule_state state;
    firn_schedule_state_read(s->lake, at->config->name, &state);
    int64_t since_us = state.due_us > state.started_us ? state.due_us : state.started_us;
    int64_t missed = 0;
    int64_t next_us =
        since_us > 0 ? firn_cron_next_us(&at->config->when, at->zone, since_us) : INT64_MAX;
    for (int i = 0; next_us <= now_us; i++) {
        missed =
            i < MISSED_MAX ? next_us : now_us; /* so many: any time that is past them will do */
        next_us = firn_cron_next_us(&at->config->when, at->zone, missed);
    }
    return missed;
}

/* ---- the thread ------------------------------------------------------------------------------------------ */

static int sleep_ms(const firn_schedules *s, int64_t now_us)
{
    int64_t sleep_us = SLEEP_MS * INT64_C(1000);
    for (size_t i = 0; i < s->n; i++) {
        const slot *at = &s->slots[i];
        int64_t until_us = at->next_us == INT64_MAX ? sleep_us : at->next_us - now_us;
        sleep_us = until_us < sleep_us ? until_us : sleep_us;
        if (at->run != NULL) {
            int64_t wait_us = firn_schedule_run_wait_us(at->run);
            sleep_us = wait_us < sleep_us ? wait_us : sleep_us;
            if (firn_schedule_run_fd(at->run) < 0 && sleep_us > WITHOUT_PIDFD_MS * 1000) {
                sleep_us = WITHOUT_PIDFD_MS * 1000;
            }
        }
    }
    return sleep_us <= 0 ? 0 : (int)((sleep_us + 999) / 1000);
}

static void wait_for_something(const firn_schedules *s, struct pollfd *waiting, int64_t now_us)
{
    uint64_t woken;
    nfds_t n = 1;
    waiting[0] = (struct pollfd){.fd = s->event_fd, .events = POLLIN};
    for (size_t i = 0; i < s->n; i++) {
        if (s->slots[i].run != NULL && firn_schedule_run_fd(s->slots[i].run) >= 0) {
            waiting[n++] =
                (struct pollfd){.fd = firn_schedule_run_fd(s->slots[i].run), .events = POLLIN};
        }
    }
    if (poll(waiting, n, sleep_ms(s, now_us)) > 0 && (waiting[0].revents & POLLIN) &&
        read(s->event_fd, &woken, sizeof(woken)) < 0) {
        /* It was taken already. */
    }
}

static bool any_at_work(const firn_schedules *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->slots[i].run != NULL) {
            return true;
        }
    }
    return false;
}

static void set_clock(firn_schedules *s, int64_t now_us)
{
    s->last_us = now_us;
    for (size_t i = 0; i < s->n; i++) {
        s->slots[i].next_us =
            firn_cron_next_us(&s->slots[i].config->when, s->slots[i].zone, now_us);
    }
}

static void catch_up(const firn_schedules *s)
{
    for (size_t i = 0; i < s->n; i++) {
        int64_t missed = s->slots[i].config->catch_up ? missed_us(s, &s->slots[i], s->last_us) : 0;
        if (missed > 0) {
            begin(s, &s->slots[i], missed, s->last_us);
        }
    }
}

static void *work(void *ctx)
{
    firn_schedules *s = ctx;
    struct pollfd *waiting = FIRN_NEW_N(s->arena, struct pollfd, s->n + 1);
    catch_up(s);
    while (!atomic_load(&s->stop) || any_at_work(s)) {
        wait_for_something(s, waiting, s->now_us());
        int64_t now_us = s->now_us();
        if (now_us < s->last_us - CLOCK_SET_BACK_US) {
            set_clock(s, now_us);
        }
        s->last_us = now_us;
        for (size_t i = 0; i < s->n; i++) {
            if (atomic_load(&s->stop) && s->slots[i].run != NULL) {
                firn_schedule_run_end(s->slots[i].run, FIRN_SCHEDULE_STOPPED);
            }
            look_at(s, &s->slots[i], now_us);
        }
    }
    return NULL;
}

/* ---- start and stop -------------------------------------------------------------------------------------- */

/* .firn/schedules/.lock is shared by the servers that look after schedules; nothing depends on it but what is said to people. */
static char *served_path(firn_lake *lake, firn_arena *arena)
{
    return firn_lake_path(lake, arena, ".firn/schedules/.lock");
}

static void say_served(firn_schedules *s)
{
    const char *path = served_path(s->lake, s->arena);
    firn_err err = {0};
    if (firn_mkdir_p(firn_path_dirname(s->arena, path), 0755, &err) == FIRN_OK) {
        s->served_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    }
    if (s->served_fd >= 0 && flock(s->served_fd, LOCK_SH) != 0) {
        firn_log(FIRN_LOG_WARN, "schedule", "%s cannot be locked", path);
    }
}

bool firn_schedules_served(firn_lake *lake)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int fd = open(served_path(lake, arena), O_RDONLY | O_CLOEXEC);
    bool served = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0) {
        close(fd);
    }
    return served;
}

static firn_rc make_slots(firn_schedules *s, firn_err *err)
{
    const firn_config *config = firn_lake_config(s->lake);
    s->slots = FIRN_NEW_N(s->arena, slot, config->n_schedules);
    for (size_t i = 0; i < config->n_schedules; i++) {
        const firn_schedule_config *schedule = &config->schedules[i];
        if (!schedule->enabled) {
            continue;
        }
        slot *at = &s->slots[s->n++];
        at->config = schedule;
        firn_rc rc = firn_zone_load(s->arena, schedule->timezone, &at->zone, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "schedule %s (line %d of firn.yaml)", schedule->name,
                                 schedule->line);
        }
    }
    return FIRN_OK;
}

static void free_all(firn_schedules *s)
{
    if (s->event_fd >= 0) {
        close(s->event_fd);
    }
    if (s->served_fd >= 0) {
        close(s->served_fd);
    }
    firn_arena_free(s->arena);
    free(s);
}

firn_rc firn_schedules_start(const firn_schedules_options *options, firn_schedules **out,
                             firn_err *err)
{
    firn_schedules *s = firn_calloc(1, sizeof(*s));
    s->arena = firn_arena_new();
    s->lake = options->lake;
    s->program = firn_arena_strdup(s->arena, options->program);
    s->now_us = options->now_us != NULL ? options->now_us : firn_now_us;
    s->served_fd = -1;
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *out = NULL;
    firn_rc rc = make_slots(s, err);
    if (rc != FIRN_OK || s->n == 0) {
        free_all(s);
        return rc;
    }
    set_clock(s, s->now_us());
    say_served(s);
    if (s->event_fd < 0 || pthread_create(&s->thread, NULL, work, s) != 0) {
        free_all(s);
        FIRN_FAIL(err, FIRN_E_MEMORY, "cannot start the thread of the schedules");
    }
    pthread_setname_np(s->thread, "firn-schedule");
    *out = s;
    return FIRN_OK;
}

void firn_schedules_wake(firn_schedules *schedules)
{
    uint64_t one = 1;
    if (write(schedules->event_fd, &one, sizeof(one)) < 0) {
        /* It is awake already. */
    }
}

void firn_schedules_stop(firn_schedules *schedules)
{
    if (schedules == NULL) {
        return;
    }
    atomic_store(&schedules->stop, true);
    firn_schedules_wake(schedules);
    pthread_join(schedules->thread, NULL);
    free_all(schedules);
}
