/* Another allocator for the commands that live on one.
 *
 * librdkafka makes a block for each message on the broker's thread, and firn frees it on its own. The C library's malloc takes the lock of the thread's heap for
 * both, and the two wait for one another: a quarter of the processor's time of a consumer that does nothing else, and a fifth of `firn ingest run`'s with
 * small records (docs/decisions/033-an-allocator-for-feeds.md). tcmalloc does not; but it costs every process two milliseconds at its start, a twentieth of what a small
 * export takes. So it is not linked: the program starts once more, with the library in front.
 *
 * Without the library everything is as it was. Who has chosen what is preloaded, LD_PRELOAD= for nothing at all, is left alone; that is also how the second
 * start is told from the first.
 */
#include "cli/cli.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const char ALLOCATOR[] = "libtcmalloc_minimal.so.4";

static bool is_feed_command(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "ingest") == 0) {
            return strcmp(argv[i + 1], "run") == 0;
        }
    }
    return false;
}

/* The linker only grumbles at a library to preload that is not there. */
static bool is_installed(void)
{
    void *library = dlopen(ALLOCATOR, RTLD_LAZY | RTLD_LOCAL);
    return library != NULL && dlclose(library) == 0;
}

void firn_cli_choose_allocator(int argc, char **argv)
{
    char program[PATH_MAX + 1];
    /* A program with another's rights does not get to choose libraries. */
    if (SANITIZED || !is_feed_command(argc, argv) || getenv("LD_PRELOAD") != NULL ||
        getauxval(AT_SECURE) != 0 || !is_installed()) {
        return;
    }
    ssize_t len = readlink("/proc/self/exe", program, PATH_MAX);
    if (len <= 0 || setenv("LD_PRELOAD", ALLOCATOR, 1) != 0) {
        return;
    }
    program[len] = '\0';
    (void)execv(program, argv);
    (void)unsetenv("LD_PRELOAD"); /* the program is not there any more: go on as we are */
}
