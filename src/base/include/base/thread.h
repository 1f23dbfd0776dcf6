/* Named threads and a bounded work pool over pthreads. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

/* Run fn(ctx, i) for i in [0, n) on up to `threads` threads, the caller's included; returns when all have
 * ended. fn must do its own error reporting through ctx. threads <= 1 runs inline. */
void firn_parallel_for(int threads, size_t n, void (*fn)(void *ctx, size_t i), void *ctx);

/* pthread_cond_wait for at most so long, whatever happens to the wall clock. */
void firn_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t ms);

int firn_cpu_count(void); /* what this process may use */

#endif
