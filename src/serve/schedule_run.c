/* One run of a schedule: a child process, its lock, its time, its end. See serve/schedule.h.
 *
 *   begin    lock; state "running" with the due time; log; fork, exec
 *   poll     past its deadline: SIGTERM to the group; GRACE_MS later SIGKILL; ended: reap, state, log, unlock
 *
 * Killed between the two: the child gets SIGTERM (PR_SET_PDEATHSIG) and holds the lock until it has ended; whoever reads the state
 * "running" without anybody at the lock knows that it was interrupted.
 *
 * Threads: a run belongs to the thread that began it, which must live as long: PR_SET_PDEATHSIG is about that thread's end.
 */
#include "schedule_private.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GRACE_MS = 10000,
    LOCK_WAIT_MS = 300, /* who looks at the state holds the lock for an instant */
    LOCK_PAUSE_MS = 10,
    LOG_BYTES_MAX = 10 << 20,
    LOCK_FD = 3, /* in the child */
};

struct firn_schedule_run {
    firn_lake *lake;
    const firn_schedule_config *config;
    firn_schedule_state state;
    firn_schedule_outcome reason; /* why it was told to end; NEVER: it was not */
    int lock_fd, pid_fd;
    int64_t started_us; /* monotonic */
    int64_t deadline_us, kill_us;
    bool killed;
};

/* ---- lock and log -------------------------------------------------------------------------------------- */

static firn_rc take_lock(firn_schedule_run *run, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *path = firn_schedule_path(run->lake, arena, run->config->name, "lock");
    FIRN_TRY(firn_mkdir_p(firn_path_dirname(arena, path), 0755, err));
    run->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (run->lock_fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
    }
    for (int waited_ms = 0; flock(run->lock_fd, LOCK_EX | LOCK_NB) != 0;
         waited_ms += LOCK_PAUSE_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot lock %s", path);
        }
        if (waited_ms >= LOCK_WAIT_MS) {
            firn_schedule_state state;
            firn_schedule_state_read(run->lake, run->config->name, &state);
            FIRN_FAIL(err, FIRN_E_BUSY,
                      "schedule %s runs already (process %d); its output is in "
                      "logs/schedule_%s.log",
                      run->config->name, state.pid, run->config->name);
        }
        firn_sleep_ms(LOCK_PAUSE_MS);
    }
    return FIRN_OK;
}

/* For the child's output; what grew too large steps aside. */
static firn_rc open_log(const firn_schedule_run *run, int *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    struct stat info;
    const char *path = firn_schedule_log_path(run->lake, arena, run->config->name);
    FIRN_TRY(firn_mkdir_p(firn_path_dirname(arena, path), 0755, err));
    if (stat(path, &info) == 0 && info.st_size > LOG_BYTES_MAX &&
        rename(path, firn_arena_printf(arena, "%s.1", path)) != 0) {
        firn_log(FIRN_LOG_WARN, "schedule", "%s grows on: it cannot be renamed", path);
    }
    *out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return *out >= 0 ? FIRN_OK
                     : firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open %s", path);
}

/* ---- the child ----------------------------------------------------------------------------------------- */

typedef struct command {
    const char *program, *root;
    char **argv;
    int null_fd, log_fd, lock_fd;
    pid_t parent;
} command;

static void close_from(int first)
{
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) != 0) {
        long most = sysconf(_SC_OPEN_MAX);
        for (int fd = first; fd < most; fd++) {
            close(fd);
        }
    }
}

/* Only async-signal-safe calls: the server has threads, and whichever lock they held stays held here. */
static void child(const command *c)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        sigaction(signal_number, &normal, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Out of the way of 0 to 3 first. */
    int in = fcntl(c->null_fd, F_DUPFD, LOCK_FD + 1);
    int out = fcntl(c->log_fd, F_DUPFD, LOCK_FD + 1);
    int lock = fcntl(c->lock_fd, F_DUPFD, LOCK_FD + 1);
    if (in < 0 || out < 0 || lock < 0 || dup2(in, STDIN_FILENO) < 0 ||
        dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 || dup2(lock, LOCK_FD) < 0 ||
        chdir(c->root) != 0 || getppid() != c->parent) {
        _exit(126);
    }
    close_from(LOCK_FD + 1);
    execv(c->program, c->argv);
    _exit(127);
}

static firn_rc spawn(firn_schedule_run *run, const char *program, int log_fd, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_schedule_config *config = run->config;
    char **argv = FIRN_NEW_N(arena, char *, config->n_words + 4);
    argv[0] = firn_arena_strdup(arena, "firn");
    argv[1] = firn_arena_strdup(arena, "--lake");
    argv[2] = firn_arena_strdup(arena, firn_lake_root(run->lake));
    memcpy(argv + 3, config->words, config->n_words * sizeof(char *));
    command c = {.program = program != NULL ? program : "/proc/self/exe",
                 .root = firn_lake_root(run->lake),
                 .argv = argv,
                 .null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                 .log_fd = log_fd,
                 .lock_fd = run->lock_fd,
                 .parent = getpid()};
    pid_t pid = c.null_fd >= 0 ? fork() : -1;
    if (pid == 0) {
        child(&c);
    }
    int why = errno;
    if (c.null_fd >= 0) {
        close(c.null_fd);
    }
    if (pid < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, why,
                              "cannot start the process of schedule %s", config->name);
    }
    setpgid(pid, pid); /* also here: whichever process comes first */
    run->state.pid = (int)pid;
    run->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return FIRN_OK;
}

static const char *command_of(const firn_schedule_config *config)
{
    return firn_starts_with(config->run, "firn ") ? config->run + 5 : config->run;
}

/* ---- begin --------------------------------------------------------------------------------------------- */

/* A clock that was wrong once must not stop a schedule for years. */
static bool is_served(const firn_schedule_state *state, const firn_schedule_begin *begin)
{
    const int64_t day_us = INT64_C(86400000000);
    return begin->due_us > 0 && state->due_us >= begin->due_us &&
           state->due_us < begin->now_us + day_us;
}

static firn_rc begin_locked(firn_schedule_run *run, const firn_schedule_begin *begin, firn_err *err)
{
    const char *name = run->config->name;
    firn_schedule_state before;
    firn_schedule_state_read(run->lake, name, &before);
    if (is_served(&before, begin)) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "another server has run schedule %s at its time", name);
    }
    run->state = (firn_schedule_state){
        .outcome = FIRN_SCHEDULE_RUNNING,
        .due_us = begin->due_us > 0 ? begin->due_us : before.due_us,
        .started_us = begin->now_us,
        .last_success_us = before.last_success_us,
        .exit_code = -1,
        .by_hand = begin->due_us == 0,
        .runs = before.runs + 1,
        .failures = before.failures,
        .overlaps = before.overlaps,
    };
    /* Before the process is there: a server that dies in between has missed this time, none runs it twice. */
    firn_schedule_state_write(run->lake, name, &run->state);
    int log_fd = -1;
    firn_rc rc = open_log(run, &log_fd, err);
    if (rc == FIRN_OK) {
        firn_schedule_say(run->lake, name, begin->now_us, false, "firn %s",
                          command_of(run->config));
        rc = spawn(run, begin->program, log_fd, err);
        close(log_fd);
    }
    if (rc != FIRN_OK) {
        run->state.outcome = FIRN_SCHEDULE_NOT_STARTED;
        run->state.ended_us = begin->now_us;
        run->state.failures++;
    }
    firn_schedule_state_write(run->lake, name, &run->state);
    return rc;
}

/* With SIGCHLD ignored, as some parents leave it, the kernel throws them away. */
static void keep_exit_codes(void)
{
    struct sigaction now;
    if (sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == SIG_IGN) {
        signal(SIGCHLD, SIG_DFL);
    }
}

firn_rc firn_schedule_run_begin(const firn_schedule_begin *begin, firn_schedule_run **out,
                                firn_err *err)
{
    firn_schedule_run *run = firn_calloc(1, sizeof(*run));
    run->lake = begin->lake;
    run->config = begin->config;
    run->lock_fd = -1;
    run->pid_fd = -1;
    run->started_us = firn_monotonic_us();
    run->deadline_us = run->started_us + begin->config->timeout_ms * 1000;
    keep_exit_codes();
    firn_rc rc = take_lock(run, err);
    if (rc == FIRN_OK) {
        rc = begin_locked(run, begin, err);
    }
    if (rc != FIRN_OK) {
        firn_schedule_run_free(run);
        return rc;
    }
    *out = run;
    return FIRN_OK;
}

void firn_schedule_run_free(firn_schedule_run *run)
{
    if (run == NULL) {
        return;
    }
    if (run->pid_fd >= 0) {
        close(run->pid_fd);
    }
    if (run->lock_fd >= 0) {
        flock(run->lock_fd,
              LOCK_UN); /* also where a process that the run left behind has it open */
        close(run->lock_fd);
    }
    free(run);
}

/* ---- end ----------------------------------------------------------------------------------------------- */

void firn_schedule_run_end(firn_schedule_run *run, firn_schedule_outcome reason)
{
    if (run->reason == FIRN_SCHEDULE_NEVER) {
        run->reason = reason;
        run->kill_us = firn_monotonic_us() + GRACE_MS * INT64_C(1000);
        kill(-(pid_t)run->state.pid, SIGTERM);
    }
}

static void ended(firn_schedule_run *run, int status, int64_t now_us)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_schedule_state *state = &run->state;
    state->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    state->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    state->ended_us = now_us;
    state->outcome = run->reason != FIRN_SCHEDULE_NEVER ? run->reason
                     : state->exit_code == 0            ? FIRN_SCHEDULE_OK
                                                        : FIRN_SCHEDULE_FAILED;
    bool ok = state->outcome == FIRN_SCHEDULE_OK;
    if (ok) {
        state->last_success_us = now_us;
    }
    state->failures += !ok && state->outcome != FIRN_SCHEDULE_STOPPED;
    firn_schedule_say(run->lake, run->config->name, now_us, !ok, "%s after %s",
                      firn_schedule_state_text(arena, state),
                      firn_format_duration(arena, firn_monotonic_us() - run->started_us));
    firn_schedule_state_write(run->lake, run->config->name, state);
}

bool firn_schedule_run_poll(firn_schedule_run *run, int64_t now_us)
{
    siginfo_t info = {0};
    pid_t pid = (pid_t)run->state.pid;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) {
        int status = 0;
        kill(-pid,
             SIGKILL); /* what it left behind; as long as it is not reaped the number is its own */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        ended(run, status, now_us);
        return true;
    }
    int64_t clock_us = firn_monotonic_us();
    if (clock_us >= run->deadline_us) {
        firn_schedule_run_end(run, FIRN_SCHEDULE_TIMED_OUT);
    }
    if (run->reason != FIRN_SCHEDULE_NEVER && !run->killed && clock_us >= run->kill_us) {
        run->killed = true;
        kill(-(pid_t)run->state.pid, SIGKILL);
    }
    return false;
}

void firn_schedule_run_passed_over(firn_schedule_run *run, int64_t due_us, int64_t now_us)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    run->state.overlaps++;
    run->state.due_us = due_us;
    firn_schedule_state_write(run->lake, run->config->name, &run->state);
    firn_schedule_say(run->lake, run->config->name, now_us, true,
                      "due at %sZ, but the run before it is still at work: passed over",
                      firn_format_timestamp(arena, due_us, false));
}

int firn_schedule_run_fd(const firn_schedule_run *run)
{
    return run->pid_fd;
}

int64_t firn_schedule_run_wait_us(const firn_schedule_run *run)
{
    int64_t at_us = run->reason == FIRN_SCHEDULE_NEVER ? run->deadline_us : run->kill_us;
    int64_t left_us = at_us - firn_monotonic_us();
    return run->killed ? INT64_MAX : left_us > 0 ? left_us : 0;
}

const firn_schedule_state *firn_schedule_run_state(const firn_schedule_run *run)
{
    return &run->state;
}
