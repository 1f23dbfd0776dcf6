/* Command lines run as in a process of their own: firn_cli_main in a forked child, with its output caught. Leaks and sanitizer reports
 * of the child turn into exit codes that no test expects.
 *
 * Every test has a fresh folder (testing.dir), which is the working folder.
 */
#ifndef TESTS_CLI_TESTING_H
#define TESTS_CLI_TESTING_H

#include "cli/cli.h"

#include "base/io.h"
#include "base/json.h"
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct testing {
    firn_arena *arena;
    char dir[128];
    int code;               /* of the last command line */
    const char *out, *err;  /* what it printed */
    const char *stdin_text; /* NULL: nothing */
    bool as_nobody;         /* run as a user who may write nothing here */
} testing;

static inline void catch_file(int fd, const char *path, int flags)
{
    int file = open(path, flags, 0600);
    if (file < 0 || dup2(file, fd) < 0) {
        _exit(120);
    }
    close(file);
}

static inline const char *caught(testing *t, const char *path)
{
    firn_bytes bytes;
    assert_int_equal(firn_file_read(t->arena, path, 64 << 20, &bytes, NULL), FIRN_OK);
    return (const char *)bytes.data;
}

/* Starts a command line; its output goes to files named by the two paths. */
static inline pid_t start(testing *t, const char *out, const char *err, int argc,
                          const char *const *argv)
{
    const char *in = firn_path_join(t->arena, t->dir, ".stdin");
    const char *text = t->stdin_text != NULL ? t->stdin_text : "";
    assert_int_equal(firn_file_write_atomic(in, firn_bytes_str(text), 0644, NULL), FIRN_OK);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        catch_file(STDIN_FILENO, in, O_RDONLY);
        catch_file(STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC);
        catch_file(STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC);
        if (t->as_nobody && geteuid() == 0 &&
            (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(121);
        }
        exit(firn_cli_main(argc, (char **)argv));
    }
    return child;
}

static inline void run_argv(testing *t, int argc, const char *const *argv)
{
    const char *out = firn_path_join(t->arena, t->dir, ".stdout");
    const char *err = firn_path_join(t->arena, t->dir, ".stderr");
    int status = 0;
    pid_t child = start(t, out, err, argc, argv);
    assert_int_equal(waitpid(child, &status, 0), child);
    t->code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    t->out = caught(t, out);
    t->err = caught(t, err);
}

enum { ARGS_MAX = 32 };

/* run(t, "table", "list"): the whole command line behind "firn". */
#define run(t, ...)                                                        \
    do {                                                                   \
        const char *args_[] = {"firn", __VA_ARGS__, NULL};                 \
        run_argv((t), (int)(sizeof(args_) / sizeof(args_[0])) - 1, args_); \
    } while (0)

static inline void expect_code(testing *t, int code, const char *file, int line)
{
    if (t->code != code) {
        print_error("exit code %d instead of %d\nstdout: %s\nstderr: %s\n", t->code, code, t->out,
                    t->err);
        _fail(file, line);
    }
}

static inline void expect_in(const char *text, const char *part, const char *file, int line)
{
    if (text == NULL || part == NULL || strstr(text, part) == NULL) {
        print_error("\"%s\" is not in: %s\n", part != NULL ? part : "(null)",
                    text != NULL ? text : "(null)");
        _fail(file, line);
    }
}

#define assert_has(text, part) expect_in((text), (part), __FILE__, __LINE__)

/* Ran well, and said nothing on stderr. */
#define run_ok(t, ...)                         \
    do {                                       \
        run(t, __VA_ARGS__);                   \
        expect_code(t, 0, __FILE__, __LINE__); \
        assert_string_equal((t)->err, "");     \
    } while (0)

/* Failed with this code, one line on stderr that holds `part`, and no row on stdout. */
#define run_fails(t, code, part, ...)                                              \
    do {                                                                           \
        run(t, __VA_ARGS__);                                                       \
        expect_code(t, code, __FILE__, __LINE__);                                  \
        assert_has((t)->err, "error: ");                                           \
        assert_has((t)->err, part);                                                \
        assert_ptr_equal(strchr((t)->err, '\n'), (t)->err + strlen((t)->err) - 1); \
    } while (0)

static inline int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static inline int testing_setup(void **state)
{
    testing *t = firn_calloc(1, sizeof(*t));
    t->arena = firn_arena_new();
    snprintf(t->dir, sizeof(t->dir), "/tmp/firn-cli-XXXXXX");
    if (mkdtemp(t->dir) == NULL || chdir(t->dir) != 0 || chmod(t->dir, 0755) != 0) {
        return -1;
    }
    unsetenv("FIRN_LAKE");
    setenv("NO_COLOR", "1", 1);
    *state = t;
    return 0;
}

/* A lake in the working folder with table s.t of two rows. */
static inline int testing_setup_lake(void **state)
{
    if (testing_setup(state) != 0) {
        return -1;
    }
    testing *t = *state;
    run(t, "init", "-q");
    run(t, "sql", "-q", "-c",
        "create schema s; create table s.t (id bigint, name text); insert into s.t values (1, 'one'), (2, null)");
    return t->code;
}

static inline int testing_teardown(void **state)
{
    testing *t = *state;
    int rc = chdir("/");
    nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    firn_arena_free(t->arena);
    free(t);
    return rc;
}

#endif
