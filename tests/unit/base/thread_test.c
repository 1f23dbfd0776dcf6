/* Parallel loops and the processor count. */
#include "base/thread.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N = 10000 };

typedef struct tally {
    atomic_int runs[N];
    pthread_t caller;
    atomic_int elsewhere;
    atomic_int misnamed;
    atomic_int unblocked;
    pthread_barrier_t *barrier;
} tally;

static tally t;

static void count_one(void *ctx, size_t i)
{
    assert_ptr_equal(ctx, &t);
    atomic_fetch_add(&t.runs[i], 1);
    if (!pthread_equal(pthread_self(), t.caller)) {
        atomic_fetch_add(&t.elsewhere, 1);
    }
}

static void reset(void)
{
    memset(&t, 0, sizeof(t));
    t.caller = pthread_self();
}

static void every_index_runs_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 1000, N};
    static const int threads[] = {-1, 0, 1, 2, 8, 1000};
    for (size_t s = 0; s < 6; s++) {
        for (size_t k = 0; k < 6; k++) {
            reset();
            firn_parallel_for(threads[k], sizes[s], count_one, &t);
            for (size_t i = 0; i < N; i++) {
                assert_int_equal(t.runs[i], i < sizes[s] ? 1 : 0);
            }
        }
    }
}

static void one_thread_is_the_caller(void **state)
{
    (void)state;
    reset();
    firn_parallel_for(1, 100, count_one, &t);
    firn_parallel_for(8, 1, count_one, &t);
    assert_int_equal(t.elsewhere, 0);
}

static void meet_at_barrier(void *ctx, size_t i)
{
    (void)ctx;
    (void)i;
    pthread_barrier_wait(t.barrier); /* passes only if all run at the same time */
    if (pthread_equal(pthread_self(), t.caller)) {
        return;
    }
    atomic_fetch_add(&t.elsewhere, 1);
    char name[16];
    pthread_getname_np(pthread_self(), name, sizeof(name));
    if (strncmp(name, "firn-work-", 10) != 0) {
        atomic_fetch_add(&t.misnamed, 1);
    }
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGINT) != 1 || sigismember(&mask, SIGTERM) != 1) {
        atomic_fetch_add(&t.unblocked, 1);
    }
}

static void workers_run_together_named_and_shielded(void **state)
{
    (void)state;
    reset();
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 4);
    t.barrier = &barrier;
    firn_parallel_for(4, 4, meet_at_barrier, &t);
    pthread_barrier_destroy(&barrier);
    assert_int_equal(t.elsewhere, 3);
    assert_int_equal(t.misnamed, 0);
    assert_int_equal(t.unblocked, 0);
    sigset_t mask; /* the caller's own mask is as before */
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGINT), 0);
}

static void there_is_a_processor(void **state)
{
    (void)state;
    assert_in_range(firn_cpu_count(), 1, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_runs_once),
        cmocka_unit_test(one_thread_is_the_caller),
        cmocka_unit_test(workers_run_together_named_and_shielded),
        cmocka_unit_test(there_is_a_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
