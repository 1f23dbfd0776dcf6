/* Tasks of type shell: /bin/sh -c in a process group of its own, in the lake's folder, with FIRN_LAKE, FIRN_REF and FIRN_RUN set. The
 * last lines of its output are kept for the error; a stopped task takes its whole group with it.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAIL_BYTES = 1024, POLL_MS = 50 };

typedef struct tail {
    char bytes[TAIL_BYTES + 1];
    size_t len;
} tail;

static void keep_tail(tail *t, const char *data, size_t len)
{
    if (len >= TAIL_BYTES) {
        data += len - TAIL_BYTES;
        len = TAIL_BYTES;
    }
    size_t over = t->len + len > TAIL_BYTES ? t->len + len - TAIL_BYTES : 0;
    memmove(t->bytes, t->bytes + over, t->len - over);
    t->len -= over;
    memcpy(t->bytes + t->len, data, len);
    t->len += len;
    t->bytes[t->len] = '\0';
}

/* In the child: only async-signal-safe calls, everything else was made before the fork. */
static void child(const char *root, const char *command, char **environment, int out)
{
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0 || chdir(root) != 0) {
        _exit(126);
    }
    signal(SIGPIPE, SIG_DFL); /* ignored signals would stay so */
    signal(SIGXFSZ, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a run that dies takes its command along */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execle("/bin/sh", "sh", "-c", command, (char *)NULL, environment);
    _exit(127);
}

static char **make_environment(firn_attempt *attempt)
{
    extern char **environ;
    FIRN_VEC(char *) list = {0};
    for (char **item = environ; *item != NULL; item++) {
        if (!firn_starts_with(*item, "FIRN_LAKE=") && !firn_starts_with(*item, "FIRN_REF=") &&
            !firn_starts_with(*item, "FIRN_RUN=")) {
            firn_vec_push(attempt->arena, &list, *item);
        }
    }
    firn_vec_push(
        attempt->arena, &list,
        firn_arena_printf(attempt->arena, "FIRN_LAKE=%s", firn_lake_root(attempt->run->lake)));
    firn_vec_push(attempt->arena, &list,
                  firn_arena_printf(attempt->arena, "FIRN_REF=%s", attempt->run->row.branch));
    firn_vec_push(attempt->arena, &list,
                  firn_arena_printf(attempt->arena, "FIRN_RUN=%s", attempt->run->row.run_id));
    firn_vec_push(attempt->arena, &list, NULL);
    return list.items;
}

/* Until the output ends. A cancelled attempt kills the group and waits no longer: what has left the group could keep the pipe open. */
static void drain(firn_attempt *attempt, int fd, pid_t pid, tail *t)
{
    char chunk[4096];
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int ready = poll(&waiting, 1, POLL_MS);
        if (atomic_load(&attempt->cancelled)) {
            kill(-pid, SIGKILL);
            return;
        }
        if (ready <= 0) {
            continue;
        }
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n > 0) {
            keep_tail(t, chunk, (size_t)n);
        } else if (n == 0 || errno != EINTR) {
            return;
        }
    }
}

static firn_rc judge(const firn_attempt *attempt, int status, tail *t, firn_err *err)
{
    while (t->len > 0 && strchr(" \t\r\n", t->bytes[t->len - 1]) != NULL) {
        t->bytes[--t->len] = '\0';
    }
    if (atomic_load(&attempt->cancelled)) {
        FIRN_FAIL(err, FIRN_E_CANCELLED, "the command was stopped");
    }
    if (WIFSIGNALED(status)) {
        FIRN_FAIL(err, FIRN_E_IO, "the command was killed by signal %d; it said: %s",
                  WTERMSIG(status), t->bytes);
    }
    if (WEXITSTATUS(status) != 0) {
        FIRN_FAIL(err, FIRN_E_IO, "the command ended with code %d; it said: %s",
                  WEXITSTATUS(status), t->bytes);
    }
    return FIRN_OK;
}

firn_rc firn_task_shell(firn_attempt *attempt, firn_err *err)
{
    char *command = NULL;
    FIRN_TRY(firn_attempt_expand(attempt, attempt->task->command, &command, err));
    char **environment = make_environment(attempt);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot start the command of task %s",
                              attempt->task->name);
    }
    pid_t pid = fork();
    if (pid == 0) {
        child(firn_lake_root(attempt->run->lake), command, environment, ends[1]);
    }
    int errnum = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return firn_err_errno(err, __FILE__, __LINE__, errnum,
                              "cannot start the command of task %s", attempt->task->name);
    }
    setpgid(pid, pid); /* also here: whichever process comes first */
    tail said = {0};
    drain(attempt, ends[0], pid, &said);
    close(ends[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    FIRN_TRY(judge(attempt, status, &said, err));
    const char *last = strrchr(said.bytes, '\n');
    attempt->detail = firn_arena_strdup(attempt->arena, last != NULL ? last + 1 : said.bytes);
    return FIRN_OK;
}
