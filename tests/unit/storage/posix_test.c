/* Local files through the storage interface: put, get, list, delete, sync, and what goes wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/storage.h"

#include "scratch.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct fixture {
    firn_arena *arena;
    firn_storage *storage;
    char *dir;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->arena = firn_arena_new();
    f->storage = firn_storage_new(NULL);
    f->dir = scratch_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    firn_storage_free(f->storage);
    firn_arena_free(f->arena);
    scratch_free(f->dir);
    free(f);
    return 0;
}

static char *at(fixture *f, const char *name)
{
    return firn_arena_printf(f->arena, "file://%s/%s", f->dir, name);
}

static void put(fixture *f, const char *name, const char *text)
{
    assert_int_equal(firn_storage_put(f->storage, at(f, name), firn_bytes_str(text), NULL),
                     FIRN_OK);
}

static const char *get(fixture *f, const char *name)
{
    firn_bytes out;
    assert_int_equal(firn_storage_get(f->storage, f->arena, at(f, name), 1000, &out, NULL),
                     FIRN_OK);
    assert_int_equal(out.data[out.len], 0);
    return (const char *)out.data;
}

static void what_is_put_can_be_got(void **state)
{
    fixture *f = *state;
    put(f, "wh/t/metadata/v1.json", "{}"); /* the folders come with it */
    assert_string_equal(get(f, "wh/t/metadata/v1.json"), "{}");

    put(f, "wh/t/metadata/v1.json", "{\"a\": 1}"); /* put replaces */
    assert_string_equal(get(f, "wh/t/metadata/v1.json"), "{\"a\": 1}");

    int64_t size = -1;
    assert_int_equal(firn_storage_size(f->storage, at(f, "wh/t/metadata/v1.json"), &size, NULL),
                     FIRN_OK);
    assert_int_equal(size, 8);
    assert_int_equal(scratch_count(f->dir), 1);
}

static void empty_objects_are_objects(void **state)
{
    fixture *f = *state;
    put(f, "empty", "");
    assert_string_equal(get(f, "empty"), "");
    firn_bytes out;
    assert_int_equal(firn_storage_get_range(f->storage, f->arena, at(f, "empty"), 0, 0, &out, NULL),
                     FIRN_OK);
    assert_int_equal(out.len, 0);
}

static void put_if_absent_never_replaces(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    firn_bytes mine = firn_bytes_str("mine");
    assert_int_equal(firn_storage_put_if_absent(f->storage, at(f, "x"), mine, NULL), FIRN_OK);
    assert_int_equal(
        firn_storage_put_if_absent(f->storage, at(f, "x"), firn_bytes_str("other"), &err),
        FIRN_E_EXISTS);
    assert_non_null(strstr(err.message, "/x exists already"));
    assert_string_equal(get(f, "x"), "mine");
    assert_int_equal(scratch_count(f->dir), 1); /* the loser cleaned up */
}

static void of_many_processes_exactly_one_makes_the_name(void **state)
{
    fixture *f = *state;
    enum { PROCESSES = 8, NAMES = 20 };
    pid_t children[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            int won = 0;
            for (int i = 0; i < NAMES; i++) {
                char *name = at(f, firn_arena_printf(f->arena, "race/%d", i));
                firn_bytes content = firn_bytes_str(firn_arena_printf(f->arena, "%d", p));
                firn_rc rc = firn_storage_put_if_absent(f->storage, name, content, NULL);
                won += rc == FIRN_OK;
                if (rc != FIRN_OK && rc != FIRN_E_EXISTS) {
                    _exit(255);
                }
            }
            _exit(won);
        }
    }
    int won = 0;
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(children[p], &status, 0), children[p]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= NAMES);
        won += WEXITSTATUS(status);
    }
    assert_int_equal(won, NAMES);
    assert_int_equal(scratch_count(f->dir), NAMES);
}

static void a_range_is_exact_or_corrupt(void **state)
{
    fixture *f = *state;
    firn_bytes out;
    firn_err err = {0};
    put(f, "x", "0123456789");
    assert_int_equal(firn_storage_get_range(f->storage, f->arena, at(f, "x"), 3, 4, &out, NULL),
                     FIRN_OK);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.data, "3456", 4);
    assert_int_equal(firn_storage_get_range(f->storage, f->arena, at(f, "x"), 8, 4, &out, &err),
                     FIRN_E_CORRUPT);
    assert_non_null(strstr(err.message, "ends at 10 bytes, before the wanted range [8, 12)"));
    assert_int_equal(firn_storage_get_range(f->storage, f->arena, at(f, "x"), -1, 4, &out, NULL),
                     FIRN_E_CORRUPT);
    assert_int_equal(
        firn_storage_get_range(f->storage, f->arena, at(f, "x"), INT64_MAX, 4, &out, NULL),
        FIRN_E_CORRUPT);
}

static void reading_more_than_the_bound_is_refused(void **state)
{
    fixture *f = *state;
    firn_bytes out;
    firn_err err = {0};
    put(f, "x", "0123456789");
    assert_int_equal(firn_storage_get(f->storage, f->arena, at(f, "x"), 10, &out, NULL), FIRN_OK);
    assert_int_equal(firn_storage_get(f->storage, f->arena, at(f, "x"), 9, &out, &err),
                     FIRN_E_LIMIT);
    assert_non_null(strstr(err.message, "10 bytes"));
}

static void what_is_not_there_is_not_found(void **state)
{
    fixture *f = *state;
    firn_bytes out;
    int64_t size;
    put(f, "dir/x", "1");
    static const char *const names[] = {"nothing", "no/such/folder/x", "dir/x/below-a-file", "dir"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        firn_err err = {0};
        assert_int_equal(firn_storage_get(f->storage, f->arena, at(f, names[i]), 10, &out, &err),
                         FIRN_E_NOT_FOUND);
        assert_non_null(strstr(err.message, names[i]));
        assert_int_equal(firn_storage_size(f->storage, at(f, names[i]), &size, NULL),
                         FIRN_E_NOT_FOUND);
    }
}

static void a_pipe_is_refused_instead_of_waited_for(void **state)
{
    fixture *f = *state;
    firn_bytes out;
    assert_int_equal(mkfifo(firn_storage_resolve(f->storage, f->arena, at(f, "pipe")), 0600), 0);
    assert_int_equal(firn_storage_get(f->storage, f->arena, at(f, "pipe"), 10, &out, NULL),
                     FIRN_E_NOT_FOUND);
}

static void deleting_twice_is_success(void **state)
{
    fixture *f = *state;
    put(f, "dir/x", "1");
    assert_int_equal(firn_storage_delete(f->storage, at(f, "dir/x"), NULL), FIRN_OK);
    assert_int_equal(firn_storage_delete(f->storage, at(f, "dir/x"), NULL), FIRN_OK);
    assert_int_equal(firn_storage_delete(f->storage, at(f, "never/was"), NULL), FIRN_OK);
    assert_int_not_equal(firn_storage_delete(f->storage, at(f, "dir"), NULL),
                         FIRN_OK); /* a folder is no object */
    assert_int_equal(scratch_count(f->dir), 0);
}

static void listing_is_recursive_sorted_and_by_prefix(void **state)
{
    fixture *f = *state;
    firn_storage_object *objects;
    size_t n;
    put(f, "t/data/b", "22");
    put(f, "t/data/a", "1");
    put(f, "t/metadata/v1", "333");
    put(f, "t/data/.tmp-0190", "left by a process that was killed");
    put(f, "t2/data/c", "4444");

    assert_int_equal(firn_storage_list(f->storage, f->arena, at(f, "t/"), &objects, &n, NULL),
                     FIRN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(objects[0].location, at(f, "t/data/a"));
    assert_string_equal(objects[1].location, at(f, "t/data/b"));
    assert_string_equal(objects[2].location, at(f, "t/metadata/v1"));
    assert_int_equal(objects[2].size_bytes, 3);
    assert_true(objects[2].modified_us > INT64_C(1700000000000000));

    assert_int_equal(firn_storage_list(f->storage, f->arena, at(f, "t"), &objects, &n, NULL),
                     FIRN_OK);
    assert_int_equal(n, 4); /* a prefix is text, as in an object store: t2 begins with t */
    assert_int_equal(firn_storage_list(f->storage, f->arena, at(f, "t/data/b"), &objects, &n, NULL),
                     FIRN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(firn_storage_list(f->storage, f->arena, at(f, "none/"), &objects, &n, NULL),
                     FIRN_OK);
    assert_int_equal(n, 0);
}

static void listing_does_not_follow_linked_folders(void **state)
{
    fixture *f = *state;
    firn_storage_object *objects;
    size_t n;
    put(f, "t/a", "1");
    const char *loop = firn_storage_resolve(f->storage, f->arena, at(f, "t/loop"));
    assert_int_equal(symlink(f->dir, loop), 0);
    assert_int_equal(firn_storage_list(f->storage, f->arena, at(f, ""), &objects, &n, NULL),
                     FIRN_OK);
    assert_int_equal(n, 1);
}

static void sync_takes_files_below_its_root_only(void **state)
{
    fixture *f = *state;
    assert_int_equal(firn_storage_prepare_dir(f->storage, at(f, "t/data/p=1"), NULL), FIRN_OK);
    assert_int_equal(firn_storage_prepare_dir(f->storage, at(f, "t/data/p=1"), NULL), FIRN_OK);
    put(f, "t/data/p=1/a", "1");
    put(f, "t/b", "1");
    const char *files[] = {at(f, "t/data/p=1/a"), at(f, "t/b")};
    assert_int_equal(firn_storage_sync(f->storage, at(f, "t"), files, 2, NULL), FIRN_OK);
    assert_int_equal(firn_storage_sync(f->storage, at(f, "t/"), files, 2, NULL), FIRN_OK);
    assert_int_equal(firn_storage_sync(f->storage, at(f, "t/data"), files, 2, NULL),
                     FIRN_E_INVALID);
    files[1] = at(f, "t/gone");
    assert_int_equal(firn_storage_sync(f->storage, at(f, "t"), files, 2, NULL), FIRN_E_NOT_FOUND);
}

/* A file-size limit stands in for a disk that fills up in the middle of a write. */
static void a_write_that_stops_midway_leaves_nothing(void **state)
{
    fixture *f = *state;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 4096, .rlim_max = 4096});
        static const uint8_t content[10000];
        firn_err err = {0};
        firn_rc rc = firn_storage_put(f->storage, at(f, "t/big"),
                                      firn_bytes_of(content, sizeof(content)), &err);
        _exit(rc != FIRN_OK && strstr(err.message, "4096 of 10000 bytes") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(scratch_count(f->dir), 0);
}

/* In a process without root's rights: root may write anywhere. */
static void a_folder_without_write_permission_says_so(void **state)
{
    fixture *f = *state;
    assert_int_equal(chmod(f->dir, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        firn_err err = {0};
        if (geteuid() == 0 &&
            (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(255);
        }
        firn_rc rc = firn_storage_put(f->storage, at(f, "x"), firn_bytes_str("1"), &err);
        _exit(rc == FIRN_E_PERMISSION && strstr(err.message, f->dir) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(status, 0);
}

static void a_file_in_the_way_of_a_folder_says_so(void **state)
{
    fixture *f = *state;
    put(f, "t", "a file");
    assert_int_not_equal(firn_storage_put(f->storage, at(f, "t/data/x"), firn_bytes_str("1"), NULL),
                         FIRN_OK);
    assert_int_not_equal(firn_storage_prepare_dir(f->storage, at(f, "t"), NULL), FIRN_OK);
    assert_string_equal(get(f, "t"), "a file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_can_be_got),
        TEST(empty_objects_are_objects),
        TEST(put_if_absent_never_replaces),
        TEST(of_many_processes_exactly_one_makes_the_name),
        TEST(a_range_is_exact_or_corrupt),
        TEST(reading_more_than_the_bound_is_refused),
        TEST(what_is_not_there_is_not_found),
        TEST(a_pipe_is_refused_instead_of_waited_for),
        TEST(deleting_twice_is_success),
        TEST(listing_is_recursive_sorted_and_by_prefix),
        TEST(listing_does_not_follow_linked_folders),
        TEST(sync_takes_files_below_its_root_only),
        TEST(a_write_that_stops_midway_leaves_nothing),
        TEST(a_folder_without_write_permission_says_so),
        TEST(a_file_in_the_way_of_a_folder_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
