/* How commands that live on the allocator go about it; the others take what they get.
 *
 * `ingest run`: librdkafka makes a block for each message on the broker's thread, and firn frees it on its own. The C library's malloc takes the lock of the
 * thread's heap for both, and the two wait for one another: a quarter of the processor's time of a consumer that does nothing else, and a fifth of the feed's with
 * small records (docs/decisions/033-an-allocator-for-feeds.md). tcmalloc does not; but it costs every process two milliseconds at its start, a twentieth of what a small
 * export takes. So it is not linked: the program starts once more, with the library in front. Without the library everything is as it was. Who has chosen what
 * is preloaded, LD_PRELOAD= for nothing at all, is left alone; that is also how the second start is told from the first.
 *
 * `export`: some 15 MB of buffers that are all touched within its first milliseconds, page by page; that was a seventh of its time. It gets one heap whose room is
 * asked for at once, in large pages (docs/decisions/034-a-heap-for-exports.md).
 */
#include "cli/cli.h"

#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
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

enum {
    HEAP_BYTES = 32 << 20,
    FIRST_BYTES = 1 << 20, /* more than the heap has at the start */
};

static const char ALLOCATOR[] = "libtcmalloc_minimal.so.4";

/* Whether `command`, and behind it `subcommand` if there is one, stand among the words. */
static bool has_words(int argc, char **argv, const char *command, const char *subcommand)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], command) == 0) {
            return subcommand == NULL || (i + 1 < argc && strcmp(argv[i + 1], subcommand) == 0);
        }
    }
    return false;
}

/* ---- the C library's heap ---------------------------------------------------------------------------------- */

/* Made larger at once, and kept so; what is not touched is not taken from anybody. Threads share it: exports ask for few blocks. Without large pages, or with another
 * allocator, nothing of this does any harm. */
static void prepare_heap(void)
{
    const char *start = sbrk(0);
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TOP_PAD, HEAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, 4 * HEAP_BYTES);
    mallopt(M_MMAP_THRESHOLD, HEAP_BYTES);
    void *volatile first = malloc(FIRST_BYTES); /* volatile: else compilers leave both out */
    free(first);
    const char *end = sbrk(0);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)start + page - 1) / page * page;
    if ((uintptr_t)end > from) {
        (void)madvise((void *)from, (uintptr_t)end - from, MADV_HUGEPAGE); /* a wish */
    }
}

/* ---- another allocator ------------------------------------------------------------------------------------- */

/* The linker only grumbles at a library to preload that is not there. */
static bool is_installed(void)
{
    void *library = dlopen(ALLOCATOR, RTLD_LAZY | RTLD_LOCAL);
    return library != NULL && dlclose(library) == 0;
}

static void start_with(const char *library, char **argv)
{
    char program[PATH_MAX + 1];
    ssize_t len = readlink("/proc/self/exe", program, PATH_MAX);
    if (len <= 0 || setenv("LD_PRELOAD", library, 1) != 0) {
        return;
    }
    program[len] = '\0';
    (void)execv(program, argv);
    (void)unsetenv("LD_PRELOAD"); /* the program is not there any more: go on as we are */
}

void firn_cli_choose_allocator(int argc, char **argv)
{
    /* A program with another's rights does not get to choose libraries. */
    if (SANITIZED || getenv("LD_PRELOAD") != NULL || getauxval(AT_SECURE) != 0) {
        return;
    }
    if (has_words(argc, argv, "ingest", "run") && is_installed()) {
        start_with(ALLOCATOR, argv);
    } else if (has_words(argc, argv, "export", NULL)) {
        prepare_heap();
    }
}
