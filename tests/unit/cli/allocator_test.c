/* The second start of `ingest run`: this program starts itself as main() does, and says by its exit code which allocator it got. The heap of `export`. */
#include "cli/cli.h"

#include <dlfcn.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PLAIN = 10, QUICK = 11, NOT_CALLED_AS_WAS = 12, LARGE = 13 };

static const char *const FEED[] = {"firn", "--lake", "/nowhere", "ingest", "run", "orders", NULL};
static const char *const OTHER[] = {"firn", "ingest", "status", "run", NULL};
static const char *const EXPORT[] = {"firn", "--lake", "/nowhere", "export", "orders", NULL};

static bool has_quick_one(void)
{
    void *library = dlopen("libtcmalloc_minimal.so.4", RTLD_LAZY | RTLD_LOCAL);
    return library != NULL;
}

static int told(int argc, char **argv)
{
    bool quick = dlsym(RTLD_DEFAULT, "tc_malloc") != NULL;
    return strcmp(argv[argc - 1], "orders") != 0 && strcmp(argv[argc - 1], "run") != 0
               ? NOT_CALLED_AS_WAS
           : quick ? QUICK
                   : PLAIN;
}

/* In a child: what main() does. */
static int start(const char *const *argv, const char *preload)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *copy[16] = {0};
        int argc = 0;
        for (; argv[argc] != NULL; argc++) {
            copy[argc] = strdup(argv[argc]);
        }
        if (preload != NULL) {
            setenv("LD_PRELOAD", preload, 1);
        } else {
            unsetenv("LD_PRELOAD");
        }
        firn_cli_choose_allocator(argc, copy);
        _exit(mallinfo2().arena >= 32 << 20 ? LARGE : told(argc, copy));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(__has_feature)
    return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
    return false;
#endif
}

static void a_feed_starts_again(void **state)
{
    (void)state;
    bool sanitized = is_sanitized();
    if (!sanitized && !has_quick_one()) {
        fail_msg("libtcmalloc_minimal.so.4 is not installed: ./run setup does that");
    }
    assert_int_equal(start(FEED, NULL), sanitized ? PLAIN : QUICK);
}

static void others_and_who_has_chosen_do_not(void **state)
{
    (void)state;
    assert_int_equal(start(OTHER, NULL), PLAIN);
    assert_int_equal(start(FEED, ""), PLAIN);
    assert_int_equal(start(EXPORT, ""), PLAIN);
}

static void an_export_has_its_heap_at_once(void **state)
{
    (void)state;
    assert_int_equal(start(EXPORT, NULL), is_sanitized() ? PLAIN : LARGE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_and_who_has_chosen_do_not),
        cmocka_unit_test(a_feed_starts_again),
        cmocka_unit_test(an_export_has_its_heap_at_once),
    };
    if (argc > 1) { /* the second start */
        return told(argc, argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
