/* Wall time and peak memory of whole commands: command_bench RUNS LABEL COMMAND [ARG...]. Prints the median and the best wall
 * time and the largest resident set of RUNS runs after one that warms up. */
#include "base/arena.h"
#include "base/time.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool run_once(char **command, int64_t *wall_us, long *peak_kib)
{
    int64_t start = firn_monotonic_us();
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0) {
            dup2(null, STDOUT_FILENO);
        }
        execvp(command[0], command);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
        return false;
    }
    *wall_us = firn_monotonic_us() - start;
    *peak_kib = usage.ru_maxrss;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    int runs = argc >= 4 ? atoi(argv[1]) : 0;
    if (runs < 1) {
        fprintf(stderr, "usage: command_bench RUNS LABEL COMMAND [ARG...]\n");
        return 2;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t *wall_us = FIRN_NEW_N(arena, int64_t, (size_t)runs);
    long peak_kib = 0;
    for (int i = -1; i < runs; i++) {
        int64_t one_us = 0;
        long one_kib = 0;
        if (!run_once(argv + 3, &one_us, &one_kib)) {
            fprintf(stderr, "error: %s failed\n", argv[3]);
            return 1;
        }
        if (i >= 0) {
            wall_us[i] = one_us;
        }
        peak_kib = one_kib > peak_kib ? one_kib : peak_kib;
    }
    qsort(wall_us, (size_t)runs, sizeof(wall_us[0]), by_value);
    printf("%-44s median %8.1f ms   best %8.1f ms   peak memory %6.1f MB   (%d runs)\n", argv[2],
           (double)wall_us[runs / 2] / 1000.0, (double)wall_us[0] / 1000.0,
           (double)peak_kib / 1024.0, runs);
    return 0;
}
