/* C11's threads as POSIX's, in programs that ThreadSanitizer watches: it knows of pthread_create alone, and a thread that it knows nothing of crashes in the first
 * call that it looks at. librdkafka makes its threads so. A program's own functions come before the C library's.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

typedef struct beginning {
    thrd_start_t run;
    void *ctx;
} beginning;

static void *begin(void *ctx)
{
    beginning own = *(beginning *)ctx;
    free(ctx);
    return (void *)(intptr_t)own.run(own.ctx);
}

int thrd_create(thrd_t *out, thrd_start_t run, void *ctx)
{
    beginning *b = malloc(sizeof *b);
    if (!b)
        return thrd_nomem;
    *b = (beginning){.run = run, .ctx = ctx};
    if (pthread_create(out, NULL, begin, b) != 0) {
        free(b);
        return thrd_error;
    }
    return thrd_success;
}

int thrd_join(thrd_t thread, int *result)
{
    void *given = NULL;
    if (pthread_join(thread, &given) != 0)
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)given;
    return thrd_success;
}

int thrd_detach(thrd_t thread)
{
    return pthread_detach(thread) == 0 ? thrd_success : thrd_error;
}
