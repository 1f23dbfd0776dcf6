/* Eight processes append to one table at once: every commit succeeds, and every row is there once. */
#include "harness.h"

enum { WRITERS = 8, COMMITS = 50 };

static pid_t start_writer(lake_fixture *f, int writer)
{
    firn_err err = {0};
    FIRN_AUTO_BUF firn_buf script = {0};
    for (int i = 0; i < COMMITS; i++) {
        firn_buf_printf(&script, "insert into s.t values (%d, %d);\n", writer, i);
    }
    const char *path = firn_arena_printf(f->arena, "%s/raw/writer-%d.sql", f->root, writer);
    lake_check(firn_file_write_atomic(path, firn_buf_bytes(&script), 0644, &err), &err, path);
    const char *out = firn_arena_printf(f->arena, "%s/raw/writer-%d.out", f->root, writer);
    const char *const args[] = {"sql", "-f", path, NULL};
    const firn_call call = {.root = f->root, .args = args};
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become_firn(&call, out, firn_arena_printf(f->arena, "%s.err", out));
    }
    return pid;
}

static void eight_writers_of_one_table(void **state)
{
    lake_fixture *f = *state;
    pid_t writers[WRITERS];
    lake_exec(f, "create schema s");
    lake_exec(f, "create table s.t (writer integer, n integer)");
    lake_close(f);
    for (int w = 0; w < WRITERS; w++) {
        writers[w] = start_writer(f, w);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 0;
        assert_int_equal(waitpid(writers[w], &status, 0), writers[w]);
        if (status != 0) {
            fail_msg("writer %d: %s", w,
                     slurp(f->arena,
                           firn_arena_printf(f->arena, "%s/raw/writer-%d.out.err", f->root, w)));
        }
    }
    lake_open(f);
    lake_expect(f, "select count(*), count(distinct (writer, n)) from s.t", "400|400");
    lake_expect(
        f, "select count(*), min(c), max(c) from (select count(*) as c from s.t group by writer)",
        "8|50|50");
    lake_expect(f, "select count(*) from s.t.snapshots", "400");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(eight_writers_of_one_table, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
