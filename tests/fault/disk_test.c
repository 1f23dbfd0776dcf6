/* Real disks: one that is full, one that is read-only. In a mount namespace of the test's own; skipped where the system allows none. A
 * limit on file sizes, which needs no privilege, stands in for the full disk everywhere.
 */
#include "harness.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { DISK_BYTES = 8 << 20, SKIPPED = 77 };

/* A file system of its own under $TMPDIR, seen by this process and its children alone. */
static bool mount_small_disk(const char *dir)
{
    int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    char options[64];
    snprintf(options, sizeof(options), "size=%d,mode=0777", DISK_BYTES);
    return unshare(flags) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, options) == 0;
}

/* Runs `body` on a lake that lies on a disk of its own, in a child; the child's assertions end it with a code. */
static void on_small_disk(void (*body)(lake_fixture *f, const char *disk))
{
    char dir[] = "/tmp/firn-disk-XXXXXX";
    assert_non_null(mkdtemp(dir));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!mount_small_disk(dir)) {
            _exit(SKIPPED);
        }
        setenv("TMPDIR", dir, 1);
        void *state = NULL;
        lake_setup(&state);
        body(state, dir);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rmdir(dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* In the child, where cmocka's own assertions would unwind into the parent's test. */
static void must(bool condition, const char *what, const outcome *result)
{
    if (!condition) {
        fprintf(stderr, "%s: code %d, %s\n", what, result->code, result->err);
        _exit(1);
    }
}

static outcome sql(lake_fixture *f, const char *text, rlim_t file_bytes_max)
{
    const char *const args[] = {"--format", "csv", "sql", "-c", text, NULL};
    return call_firn(f->arena,
                     &(firn_call){.root = f->root, .args = args, .file_bytes_max = file_bytes_max});
}

static const char rows_of_t[] = "select count(*), sum(id) from s.t";
static const char rows_before[] = "count_star(),sum(id)\n1000,499500\n";
static const char big_insert[] = "insert into s.t select range, md5(range::varchar) || "
                                 "md5((range * 7)::varchar) from range(3000000)";

static void prepare(lake_fixture *f)
{
    lake_exec(f, "create schema s");
    lake_exec(f, "create table s.t as select range as id, 'x' as name from range(1000)");
    lake_close(f);
}

static void fill_disk(lake_fixture *f, const char *disk)
{
    (void)disk;
    prepare(f);
    outcome result = sql(f, big_insert, 0);
    must(result.code == 1, "an INSERT larger than the disk fails", &result);
    must(firn_starts_with(result.err, "error: ") && strchr(result.err, '\n')[1] == '\0',
         "it says one sentence", &result);
    must(strstr(result.err, "space") != NULL, "it says that there is no space", &result);
    result = sql(f, rows_of_t, 0);
    must(result.code == 0 && firn_streq(result.out, rows_before), "the table is as before",
         &result);
    /* The failed statement gave its space back. */
    result = sql(f, "insert into s.t select 5, 'y' from range(100)", 0);
    must(result.code == 0, "a smaller INSERT works", &result);
}

static void a_full_disk_fails_the_statement_only(void **state)
{
    (void)state;
    on_small_disk(fill_disk);
}

/* Not a byte left, not even for the catalog's journal. */
static void fill_last_byte(lake_fixture *f, const char *disk)
{
    prepare(f);
    const char *filler = firn_path_join(f->arena, disk, "filler");
    shell(f->arena,
          firn_arena_printf(f->arena, "dd if=/dev/zero of=%s bs=4k 2>/dev/null; true", filler));
    static const char *const changes[] = {"insert into s.t values (1, 'x')",
                                          "delete from s.t where id = 3", "drop table s.t",
                                          "create table s.n as select 1 as x"};
    outcome result;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        result = sql(f, changes[i], 0);
        must(result.code == 1, changes[i], &result);
        must(firn_starts_with(result.err, "error: ") && strchr(result.err, '\n')[1] == '\0',
             "it says one sentence", &result);
    }
    unlink(filler);
    result = sql(f, rows_of_t, 0);
    must(result.code == 0 && firn_streq(result.out, rows_before), "the table is as before",
         &result);
    result = sql(f, changes[0], 0);
    must(result.code == 0, "an INSERT works when there is space again", &result);
}

static void a_disk_without_a_byte_left(void **state)
{
    (void)state;
    on_small_disk(fill_last_byte);
}

static void make_read_only(lake_fixture *f, const char *disk)
{
    prepare(f);
    outcome none = {0};
    must(mount("none", disk, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "remount read-only", &none);
    static const char *const changes[] = {"insert into s.t values (1, 'x')",
                                          "create table s.n as select 1 as x",
                                          "delete from s.t where id = 1", "create branch b"};
    outcome result;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        result = sql(f, changes[i], 0);
        must(result.code == 1, changes[i], &result);
        must(firn_starts_with(result.err, "error: ") && strchr(result.err, '\n')[1] == '\0',
             "it says one sentence", &result);
        must(strstr(result.err, "read-only") != NULL || strstr(result.err, "Read-only") != NULL ||
                 strstr(result.err, "readonly") != NULL,
             "it says that the place is read-only", &result);
    }
    char options[64];
    snprintf(options, sizeof(options), "size=%d", DISK_BYTES);
    must(mount("none", disk, NULL, MS_REMOUNT, options) == 0, "remount", &none);
    result = sql(f, rows_of_t, 0);
    must(result.code == 0 && firn_streq(result.out, rows_before), "the table is as before",
         &result);
    result = sql(f, changes[0], 0);
    must(result.code == 0, "an INSERT works again", &result);
}

static void a_read_only_lake_refuses_changes(void **state)
{
    (void)state;
    on_small_disk(make_read_only);
}

static void a_limit_on_file_sizes_is_a_full_disk(void **state)
{
    lake_fixture *f = *state;
    prepare(f);
    outcome result = sql(f, big_insert, 4 << 20);
    assert_int_equal(result.code, 1);
    assert_one_clear_error(f->arena, &result);
    result = sql(f, rows_of_t, 0);
    assert_string_equal(result.out, rows_before);
    result = sql(f, "insert into s.t values (1, 'x')", 0);
    assert_int_equal(result.code, 0);
    lake_open(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_fails_the_statement_only),
        cmocka_unit_test(a_disk_without_a_byte_left),
        cmocka_unit_test(a_read_only_lake_refuses_changes),
        cmocka_unit_test_setup_teardown(a_limit_on_file_sizes_is_a_full_disk, lake_setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
