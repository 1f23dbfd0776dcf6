/* firn maintain killed at every named point, and with every operation failing once: whatever happens, every snapshot that is still
 * listed can be read in full, on main, on the branch and at the tag, rows are what they were, and a second run does what is left.
 */
#include "harness.h"

typedef struct job {
    const char *name;
    const char *args[6];
} job;

static const job jobs[] = {
    {"compaction", {"maintain", "compact", "s.t", "s.v"}},
    {"expiry", {"maintain", "expire", "s.t", "--older-than", "0s"}},
    {"expiry of all", {"maintain", "expire", "--all", "--older-than", "0s"}},
};
enum { N_JOBS = sizeof(jobs) / sizeof(jobs[0]) };

/* s.t: position deletes, a branch and a tag that keep snapshots; s.v: vectors, statistics of old metadata files. */
static const char setup[] =
    "create schema s;"
    "create table s.t partitioned by (g) tblproperties ('write.delete.mode' = 'merge-on-read')"
    " as select i as id, i % 2 as g from range(40) r(i);"
    "insert into s.t select i, i % 2 from range(40, 60) r(i);"
    "create branch work; create tag q1;"
    "delete from s.t where id in (1, 2, 3); insert into s.t values (100, 0);"
    "use branch work; insert into s.t values (200, 1); use branch main;"
    "delete from s.t where g = 1 and id > 30;"
    "create table s.v tblproperties ('format-version' = '3', 'write.delete.mode' = 'merge-on-read',"
    " 'write.metadata.delete-after-commit.enabled' = 'true',"
    " 'write.metadata.previous-versions-max' = '2') as select i as id from range(30) r(i);"
    "insert into s.v values (30); delete from s.v where id < 5; insert into s.v values (31);"
    "create table s.u as select 7 as id, 'u' as g;";

/* Rows of the newest state of each ref. */
static const char *rows_everywhere(lake_fixture *f)
{
    static const char *const reads[] = {
        "select * from s.t order by all", "select * from s.t@work order by all",
        "select * from s.t@q1 order by all",
        "select id, _row_id, _last_updated_sequence_number from s.v order by all"};
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        firn_buf_printf(&text, "%s\n%s\n", reads[i], lake_text(f, reads[i]));
    }
    return firn_arena_strdup(f->arena, firn_buf_cstr(&text));
}

/* Fails when a snapshot that is listed lacks a file. */
static void read_every_snapshot(lake_fixture *f)
{
    static const char *const tables[] = {"s.t", "s.v"};
    for (size_t t = 0; t < 2; t++) {
        size_t n = 0;
        char **ids = firn_str_split(
            f->arena,
            lake_text(
                f, firn_arena_printf(f->arena, "select snapshot_id from %s$snapshots", tables[t])),
            '\n', &n);
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++) {
            lake_text(f, firn_arena_printf(f->arena, "select * from %s version as of %s", tables[t],
                                           ids[i]));
        }
    }
}

static outcome maintain(lake_fixture *f, const job *j, const char *env)
{
    return call_firn(f->arena, &(firn_call){.root = f->root, .args = j->args, .env = {env}});
}

static void check_lake(lake_fixture *f, const job *j, const char *fault, const char *rows)
{
    lake_open(f);
    if (!firn_streq(rows_everywhere(f), rows)) {
        fail_msg("%s with %s left other rows:\n%s\n--- not\n%s", j->name, fault, rows_everywhere(f),
                 rows);
    }
    read_every_snapshot(f);
    lake_close(f);
    outcome again = maintain(f, j, NULL);
    if (again.code != 0) {
        fail_msg("%s after %s: %s", j->name, fault, again.err);
    }
    lake_open(f);
    assert_string_equal(rows_everywhere(f), rows);
    read_every_snapshot(f);
    assert_writable(f);
}

/* Lines "<name> <times>" of FIRN_FAULT_COUNT; *operations: how many operations there were. */
static char **learn(lake_fixture *f, const job *j, size_t *n, int *operations)
{
    const char *file = firn_arena_printf(f->arena, "%s.count", f->root);
    unlink(file);
    rewind_lake(f);
    outcome clean = maintain(f, j, firn_arena_printf(f->arena, "FIRN_FAULT_COUNT=%s", file));
    if (clean.code != 0) {
        fail_msg("%s: %s", j->name, clean.err);
    }
    const char *text = slurp(f->arena, file);
    assert_int_equal(sscanf(text, "operations %d", operations), 1);
    unlink(file);
    return firn_str_split(f->arena, text, '\n', n);
}

static void killed_at_every_point(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, setup);
    const char *rows = rows_everywhere(f);
    save_lake(f);
    for (size_t i = 0; i < N_JOBS; i++) {
        size_t n = 0, n_own = 0;
        int operations = 0, died = 0, rounds = 0;
        char **lines = learn(f, &jobs[i], &n, &operations);
        for (size_t l = 0; l < n; l++) {
            char name[64];
            long times = 0;
            if (sscanf(lines[l], "point %63s %ld", name, &times) != 2) {
                continue;
            }
            n_own += firn_starts_with(name, "compact.") || firn_starts_with(name, "expire.");
            for (long k = 1; k <= times; k++, rounds++) {
                const char *where = firn_arena_printf(f->arena, "%s:%ld", name, k);
                rewind_lake(f);
                outcome result =
                    maintain(f, &jobs[i], firn_arena_printf(f->arena, "FIRN_FAULT_KILL=%s", where));
                died += result.code == -SIGKILL;
                check_lake(f, &jobs[i], where, rows);
            }
        }
        assert_true(n_own >= 2);
        assert_true(died * 10 >=
                    rounds * 9); /* deletes of several threads pass points in no order */
    }
}

static void operations_fail(lake_fixture *f, const char *suffix, int stride)
{
    lake_exec(f, setup);
    const char *rows = rows_everywhere(f);
    save_lake(f);
    for (size_t i = 0; i < N_JOBS; i++) {
        size_t n = 0;
        int operations = 0, failed = 0;
        learn(f, &jobs[i], &n, &operations);
        for (int at = 1; at <= operations; at += stride) {
            const char *fault = firn_arena_printf(f->arena, "%d%s", at, suffix);
            rewind_lake(f);
            outcome result =
                maintain(f, &jobs[i], firn_arena_printf(f->arena, "FIRN_FAULT_FAIL=%s", fault));
            if (result.code != 0 && result.code != 1) {
                fail_msg("%s with %s ended with %d: %s", jobs[i].name, fault, result.code,
                         result.err);
            }
            failed += result.code == 1;
            check_lake(f, &jobs[i], fault, rows);
        }
        assert_true(failed > 0);
    }
}

static void an_operation_fails(void **state)
{
    operations_fail(*state, ":io", 2);
}

static void the_disk_stays_broken(void **state)
{
    operations_fail(*state, "+:io", 7);
}

static void the_disk_is_full(void **state)
{
    operations_fail(*state, "+:nospace", 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(killed_at_every_point), FAULT_TEST(an_operation_fails),
        FAULT_TEST(the_disk_stays_broken), FAULT_TEST(the_disk_is_full)};
    use_fast_scratch();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
