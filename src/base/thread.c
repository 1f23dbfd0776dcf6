/* Parallel loops over short-lived named threads, and the number of processors to use. */
#include "base/thread.h"

#include "base/arena.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };

typedef struct job {
    void (*fn)(void *ctx, size_t i);
    void *ctx;
    size_t n;
    atomic_size_t next;
    atomic_uint names;
} job;

static void work(job *j)
{
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
        if (i >= j->n) {
            return;
        }
        j->fn(j->ctx, i);
    }
}

static void *worker_main(void *arg)
{
    job *j = arg;
    char name[16];
    snprintf(name, sizeof(name), "firn-work-%u", atomic_fetch_add(&j->names, 1) % 1000 + 1);
    pthread_setname_np(pthread_self(), name);
    work(j);
    return NULL;
}

/* Workers start with all signals blocked: Ctrl-C and termination belong to the threads that handle them.
 * If the system gives fewer threads than wanted, those that run do the work. */
static size_t start_workers(job *j, pthread_t *threads, size_t wanted)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    size_t started = 0;
    while (started < wanted && pthread_create(&threads[started], NULL, worker_main, j) == 0) {
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void firn_parallel_for(int threads, size_t n, void (*fn)(void *ctx, size_t i), void *ctx)
{
    job j = {.fn = fn, .ctx = ctx, .n = n};
    size_t workers = threads > 1 ? (size_t)threads - 1 : 0;
    if (workers > THREADS_MAX) {
        workers = THREADS_MAX;
    }
    if (n == 0 || workers > n - 1) {
        workers = n != 0 ? n - 1 : 0; /* the caller takes one */
    }
    pthread_t ids[THREADS_MAX];
    size_t started = workers != 0 ? start_workers(&j, ids, workers) : 0;
    work(&j);
    for (size_t i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
    }
}

/* A container's CPU quota (cgroup v2) in whole processors, rounded up; 0 if there is none. */
static int quota_cpus(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file == NULL) {
        return 0;
    }
    char line[64];
    long long quota = 0;
    long long period = 0;
    int fields = 0;
    if (fgets(line, sizeof(line), file) != NULL) {
        fields = sscanf(line, "%lld %lld", &quota, &period); /* "max 100000" gives none */
    }
    fclose(file);
    if (fields != 2 || quota <= 0 || period <= 0) {
        return 0;
    }
    long long cpus = (quota - 1) / period + 1;
    return cpus < THREADS_MAX ? (int)cpus : THREADS_MAX;
}

int firn_cpu_count(void)
{
    cpu_set_t set;
    long cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
                                                             : sysconf(_SC_NPROCESSORS_ONLN);
    int quota = quota_cpus();
    if (quota != 0 && quota < cpus) {
        cpus = quota;
    }
    return cpus < 1 ? 1 : (int)cpus;
}

void firn_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &until);
}
