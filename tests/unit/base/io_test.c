/* Whole files: bounded reads, atomic writes, folders, paths as text. */
#include "base/io.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_arena *arena;
static char dir[] = "/tmp/firn-io-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    int rc = system(firn_arena_printf(arena, "rm -rf %s", dir));
    firn_arena_free(arena);
    return rc;
}

static const char *path_of(const char *name)
{
    return firn_path_join(arena, dir, name);
}

static void write_file(const char *path, const char *text)
{
    firn_err err = {0};
    if (firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
}

static int entries_in(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += !firn_streq(e->d_name, ".") && !firn_streq(e->d_name, "..");
    }
    closedir(d);
    return n;
}

static void write_then_read(void **state)
{
    (void)state;
    const char *path = path_of("a");
    firn_bytes out;
    write_file(path, "first");
    write_file(path, "second"); /* replaces */
    assert_int_equal(firn_file_read(arena, path, 100, &out, NULL), FIRN_OK);
    assert_int_equal(out.len, 6);
    assert_string_equal((const char *)out.data, "second"); /* with its NUL */
    write_file(path, "");
    assert_int_equal(firn_file_read(arena, path, 0, &out, NULL), FIRN_OK);
    assert_int_equal(out.len, 0);
    assert_string_equal((const char *)out.data, "");
}

static void big_content_is_whole(void **state)
{
    (void)state;
    enum { SIZE = 300001 };
    uint8_t *data = firn_arena_alloc(arena, SIZE);
    for (int i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i % 251);
    }
    firn_bytes out;
    assert_int_equal(firn_file_write_atomic(path_of("big"), firn_bytes_of(data, SIZE), 0600, NULL),
                     FIRN_OK);
    assert_int_equal(firn_file_read(arena, path_of("big"), SIZE, &out, NULL), FIRN_OK);
    assert_int_equal(firn_bytes_cmp(out, firn_bytes_of(data, SIZE)), 0);
}

static void read_is_bounded(void **state)
{
    (void)state;
    const char *path = path_of("bounded");
    firn_bytes out;
    firn_err err = {0};
    write_file(path, "12345");
    assert_int_equal(firn_file_read(arena, path, 5, &out, NULL), FIRN_OK);
    assert_int_equal(firn_file_read(arena, path, 4, &out, &err), FIRN_E_LIMIT);
    assert_non_null(strstr(err.message, "larger than the 4 bytes"));
}

static void only_regular_files_are_read(void **state)
{
    (void)state;
    firn_bytes out;
    firn_err err = {0};
    assert_int_equal(firn_file_read(arena, path_of("absent"), 10, &out, &err), FIRN_E_NOT_FOUND);
    assert_int_equal(firn_file_read(arena, dir, 10, &out, &err), FIRN_E_IO);
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(firn_file_read(arena, path_of("pipe"), 10, &out, &err), FIRN_E_IO);
}

static void mode_is_applied(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(firn_file_write_atomic(path_of("secret"), firn_bytes_str("x"), 0600, NULL),
                     FIRN_OK);
    assert_int_equal(stat(path_of("secret"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void failed_write_leaves_nothing_behind(void **state)
{
    (void)state;
    const char *sub = path_of("sub");
    const char *target = firn_path_join(arena, sub, "taken");
    firn_err err = {0};
    assert_int_equal(firn_mkdir_p(firn_path_join(arena, target, "inside"), 0755, NULL), FIRN_OK);
    /* The rename fails: the name belongs to a folder that is not empty. */
    assert_int_not_equal(firn_file_write_atomic(target, firn_bytes_str("x"), 0644, &err), FIRN_OK);
    assert_non_null(strstr(err.message, target));
    assert_int_equal(entries_in(sub), 1);
    assert_int_equal(
        firn_file_write_atomic(path_of("no/such/file"), firn_bytes_str("x"), 0644, &err),
        FIRN_E_NOT_FOUND);
}

/* A limit on file sizes stands in for a full disk: the write stops in the middle. */
static void failed_write_keeps_the_old_file(void **state)
{
    (void)state;
    const char *sub = path_of("full");
    const char *path = firn_path_join(arena, sub, "f");
    char *big = firn_arena_zalloc(arena, 100000);
    struct rlimit before;
    firn_err err = {0};
    assert_int_equal(firn_mkdir_p(sub, 0755, NULL), FIRN_OK);
    write_file(path, "old");
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit tight = {.rlim_cur = 50000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    firn_rc rc = firn_file_write_atomic(path, firn_bytes_of(big, 100000), 0644, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(rc, FIRN_E_IO);
    assert_non_null(strstr(err.message, "cannot write "));
    assert_int_equal(entries_in(sub), 1);
    firn_bytes out;
    assert_int_equal(firn_file_read(arena, path, 100, &out, NULL), FIRN_OK);
    assert_string_equal((const char *)out.data, "old");
}

static void removing_what_is_not_there_is_success(void **state)
{
    (void)state;
    firn_err err = {0};
    char folder[] = "/tmp/firn-io-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    snprintf(path, sizeof(path), "%s/x", folder);
    write_file(path, "x");
    assert_int_equal(firn_file_remove(path, &err), FIRN_OK);
    assert_false(firn_path_exists(path));
    assert_int_equal(firn_file_remove(path, &err), FIRN_OK);
    assert_int_not_equal(firn_file_remove(folder, &err), FIRN_OK); /* a folder is no file */
    assert_non_null(strstr(err.message, folder));
    rmdir(folder);
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    const char *deep = path_of("x/y//z/");
    assert_int_equal(firn_mkdir_p(deep, 0755, NULL), FIRN_OK);
    assert_true(firn_path_is_dir(path_of("x/y/z")));
    assert_int_equal(firn_mkdir_p(deep, 0755, NULL), FIRN_OK); /* again is fine */
    write_file(path_of("x/file"), "");
    firn_err err = {0};
    assert_int_equal(firn_mkdir_p(path_of("x/file"), 0755, &err), FIRN_E_EXISTS);
    assert_non_null(strstr(err.message, "something else has this name"));
    assert_int_equal(firn_mkdir_p(path_of("x/file/below"), 0755, &err), FIRN_E_EXISTS);
    assert_int_equal(firn_mkdir_p("", 0755, &err), FIRN_E_NOT_FOUND);
    assert_true(firn_path_exists(path_of("x/file")));
    assert_false(firn_path_exists(path_of("x/absent")));
    assert_false(firn_path_is_dir(path_of("x/file")));
}

static void folders_name_what_ends_so(void **state)
{
    (void)state;
    const char *folder = path_of("names");
    char **names = NULL;
    size_t n = 9;
    assert_int_equal(firn_dir_names(arena, folder, ".json", &names, &n, NULL), FIRN_OK);
    assert_int_equal(n, 0); /* it is not there */
    assert_int_equal(firn_mkdir_p(folder, 0755, NULL), FIRN_OK);
    static const char *const FILES[] = {"b.json", "a.json", ".c.json", "d.yaml", "a.b.json"};
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        assert_int_equal(firn_file_write_atomic(firn_path_join(arena, folder, FILES[i]),
                                                firn_bytes_str("x"), 0644, NULL),
                         FIRN_OK);
    }
    assert_int_equal(firn_dir_names(arena, folder, ".json", &names, &n, NULL), FIRN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "a.b");
    assert_string_equal(names[2], "b");
    firn_err err = {0};
    assert_int_not_equal(
        firn_dir_names(arena, firn_path_join(arena, folder, "d.yaml"), "", &names, &n, &err),
        FIRN_OK);
    assert_non_null(strstr(err.message, "d.yaml"));
}

static void paths_as_text(void **state)
{
    (void)state;
    assert_string_equal(firn_path_join(arena, "a", "b"), "a/b");
    assert_string_equal(firn_path_join(arena, "a/", "b"), "a/b");
    assert_string_equal(firn_path_join(arena, "/", "b"), "/b");
    assert_string_equal(firn_path_join(arena, "", "b"), "b");
    assert_string_equal(firn_path_join(arena, "a", "/b"), "/b");
    assert_string_equal(firn_path_dirname(arena, "a/b/c"), "a/b");
    assert_string_equal(firn_path_dirname(arena, "a//b//"), "a");
    assert_string_equal(firn_path_dirname(arena, "a"), ".");
    assert_string_equal(firn_path_dirname(arena, "/a"), "/");
    assert_string_equal(firn_path_dirname(arena, "/"), "/");
    assert_string_equal(firn_path_dirname(arena, ""), ".");
    assert_string_equal(firn_path_basename("a/b.c"), "b.c");
    assert_string_equal(firn_path_basename("b.c"), "b.c");
}

static void absolute_paths(void **state)
{
    (void)state;
    assert_string_equal(firn_path_absolute(arena, "/a/./b/../c//d/"), "/a/c/d");
    assert_string_equal(firn_path_absolute(arena, "/../.."), "/");
    assert_string_equal(firn_path_absolute(arena, "/"), "/");
    char *cwd = getcwd(NULL, 0);
    assert_string_equal(firn_path_absolute(arena, "."), cwd);
    assert_string_equal(firn_path_absolute(arena, "x"), firn_path_join(arena, cwd, "x"));
    free(cwd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_then_read),
        cmocka_unit_test(big_content_is_whole),
        cmocka_unit_test(read_is_bounded),
        cmocka_unit_test(only_regular_files_are_read),
        cmocka_unit_test(mode_is_applied),
        cmocka_unit_test(failed_write_leaves_nothing_behind),
        cmocka_unit_test(failed_write_keeps_the_old_file),
        cmocka_unit_test(removing_what_is_not_there_is_success),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(folders_name_what_ends_so),
        cmocka_unit_test(paths_as_text),
        cmocka_unit_test(absolute_paths),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
