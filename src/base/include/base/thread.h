/* Named threads and a bounded work pool over pthreads. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>

/* Run fn(ctx, i) for i in [0, n) on up to `threads` threads, the caller's included; returns when all have
 * ended. fn must do its own error reporting through ctx. threads <= 1 runs inline. */
void firn_parallel_for(int threads, size_t n, void (*fn)(void *ctx, size_t i), void *ctx);

int firn_cpu_count(void); /* what this process may use */

#endif
