/* See watch.h.
 *
 * The signal handler only writes a byte into a pipe. While a statement runs, the watcher thread reads the pipe and interrupts the
 * session; between statements it sleeps, and the shell's line editor reads the pipe. `session` says which of the two it is, and
 * changes under `lock` alone, so no byte is taken by the wrong one.
 *
 * Invariant: nothing is written to stderr by the watcher unless `lock` is held and `session` is set: after firn_watch_hide or
 * firn_watch_end the screen belongs to the main thread.
 */
#include "watch.h"

#include "output.h"

#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    BAR_AFTER_US = 500000,
    BAR_COLUMNS = 30,
    PRESSES_TO_KILL = 3, /* somebody who presses Ctrl-C this often wants out at once */
};

struct firn_watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    firn_session *session; /* running a statement; NULL: none */
    bool stop, progress, hidden, drawn;
    int64_t started_us;
    struct sigaction before;
};

static int signal_pipe[2] = {-1, -1};
static volatile sig_atomic_t presses;

static void on_interrupt(int number)
{
    int saved = errno;
    if (++presses >= PRESSES_TO_KILL) {
        signal(number, SIG_DFL);
        raise(number);
    }
    ssize_t ignored = write(signal_pipe[1], "!", 1);
    (void)ignored;
    errno = saved;
}

static void draw(firn_watch *watch, double progress)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *took = firn_format_duration(arena, firn_monotonic_us() - watch->started_us);
    fputs("\r\x1b[K", stderr);
    if (progress < 0) {
        fprintf(stderr, "  running   %s", took);
    } else {
        int full = (int)(progress * BAR_COLUMNS + 0.5);
        fprintf(stderr, "  %3d%% ", (int)(progress * 100));
        for (int i = 0; i < BAR_COLUMNS; i++) {
            fputs(i < full ? "█" : "░", stderr);
        }
        fprintf(stderr, "  %s", took);
    }
    fflush(stderr);
    watch->drawn = true;
}

static void erase(firn_watch *watch)
{
    if (watch->drawn) {
        fputs("\r\x1b[K", stderr);
        fflush(stderr);
        watch->drawn = false;
    }
}

/* Empties the pipe; true if there was anything. */
static bool drain(void)
{
    char bytes[16];
    bool any = false;
    while (read(signal_pipe[0], bytes, sizeof(bytes)) > 0) {
        any = true;
    }
    return any;
}

static void tick(firn_watch *watch)
{
    if (drain()) {
        firn_session_interrupt(watch->session);
    }
    if (watch->progress && !watch->hidden &&
        firn_monotonic_us() - watch->started_us > BAR_AFTER_US) {
        draw(watch, firn_session_progress(watch->session));
    }
}

static void *run(void *ctx)
{
    firn_watch *watch = ctx;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stop) {
        if (watch->session == NULL) {
            pthread_cond_wait(&watch->changed, &watch->lock);
            continue;
        }
        pthread_mutex_unlock(&watch->lock);
        struct pollfd wait = {.fd = signal_pipe[0], .events = POLLIN};
        (void)poll(&wait, 1, TICK_MS);
        pthread_mutex_lock(&watch->lock);
        if (watch->session != NULL && !watch->stop) {
            tick(watch);
        }
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

firn_watch *firn_watch_new(bool progress)
{
    firn_watch *watch = firn_calloc(1, sizeof(*watch));
    watch->progress = progress && firn_term_is(stderr);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->changed, NULL);
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        abort(); /* out of file descriptors before anything was opened */
    }
    /* The signal is for the main thread: its reads and waits are what Ctrl-C has to end. */
    sigset_t all;
    sigset_t mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &watch->before);
    return watch;
}

void firn_watch_free(firn_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    sigaction(SIGINT, &watch->before, NULL);
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    ssize_t ignored = write(signal_pipe[1], "!", 1); /* out of its poll */
    (void)ignored;
    pthread_join(watch->thread, NULL);
    close(signal_pipe[0]);
    close(signal_pipe[1]);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

void firn_watch_begin(firn_watch *watch, firn_session *session)
{
    if (watch->progress) {
        firn_session_track_progress(session);
    }
    pthread_mutex_lock(&watch->lock);
    presses = 0;
    drain();
    watch->session = session;
    watch->hidden = false;
    watch->started_us = firn_monotonic_us();
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

void firn_watch_hide(firn_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->hidden = true;
    erase(watch);
    pthread_mutex_unlock(&watch->lock);
}

void firn_watch_end(firn_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    erase(watch);
    watch->session = NULL;
    presses = 0;
    pthread_mutex_unlock(&watch->lock);
}

int firn_watch_fd(const firn_watch *watch)
{
    (void)watch;
    return signal_pipe[0];
}

bool firn_watch_take(firn_watch *watch)
{
    (void)watch;
    presses = 0;
    return drain();
}
