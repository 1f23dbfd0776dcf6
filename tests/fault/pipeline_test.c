/* A pipeline's process is killed at every named point of every commit of a run, the publishing merge included: readers of main then see
 * the old tables or the new ones, and the next run settles what was left, with files and all.
 */
#include "../unit/pipeline/fixture.h"
#include "harness.h"

#include "base/log.h"

/* A child runs the pipeline and dies at the given passage of a point; what it left is then settled. */
static int run_and_die(lake_fixture *f, const char *yaml, const char *point)
{
    const firn_pipeline *pipeline = pipeline_of(f, "p", yaml);
    lake_close(f);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (point != NULL) {
            setenv("FIRN_FAULT_KILL", point, 1);
            firn_fault_reload();
        }
        lake_open(f);
        firn_pipeline_outcome out;
        firn_err err = {0};
        firn_rc rc = firn_pipeline_run(f->engine, f->arena, pipeline, NULL, &out, &err);
        _exit(rc == FIRN_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    lake_open(f);
    return status;
}

static const char crashing[] =
    "schemas: [s]\n"
    "tasks:\n"
    "  - {name: a, type: sql, models: [{table: s.a, sql: select count(*) + 1 as x from s.old}]}\n"
    "  - {name: b, type: sql, models: [{table: s.b, sql: select x from s.a}]}\n"
    "  - {name: r, type: report, file: r.json, sql: select x from s.b}\n";

/* Old or new, whole. */
static bool settled_state(lake_fixture *f)
{
    const char *a = lake_text(f, "select min(x) from s.a");
    const char *b = lake_text(f, "select min(x) from s.b");
    assert_string_equal(a, b);
    assert_true(firn_streq(a, "1") || firn_streq(a, "2"));
    return firn_streq(a, "2");
}

static void a_run_that_dies_anywhere_is_settled_by_the_next(void **state)
{
    static const char *const points[] = {
        "commit.data_written",     "commit.manifest_written", "commit.manifest_list_written",
        "commit.metadata_written", "catalog.begin",           "catalog.commit.before",
        "catalog.commit.after",    "commit.pointer_swapped"};
    lake_fixture *f = *state;
    size_t n_killed = 0;
    size_t n_published = 0;
    lake_exec(f, "create schema s; create table s.old as select 1 as x limit 0");
    run_ok(f, pipeline_of(f, "p", crashing));
    lake_exec(f, "insert into s.old values (1)");
    for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) {
        for (int passage = 1; passage < 60; passage++) {
            const char *point = firn_arena_printf(f->arena, "%s:%d", points[p], passage);
            int status = run_and_die(f, crashing, point);
            bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            if (!died) {
                assert_int_equal(status, 0);
            }
            n_killed += died;
            n_published += settled_state(f);
            run_ok(f, pipeline_of(f, "p", crashing));
            assert_true(settled_state(f));
            assert_string_equal(get_file(f, "r.json"), "{\"x\": 2}\n");
            lake_expect(f, "select 1", "1");
            /* Back to the old state, for the next round. */
            lake_exec(f, "delete from s.old");
            run_ok(f, pipeline_of(f, "p", crashing));
            lake_exec(f, "insert into s.old values (1)");
            if (!died) {
                break;
            }
        }
    }
    assert_true(n_killed > 20);
    assert_true(n_published > 0);

    firn_err err = {0};
    firn_run *runs = NULL;
    size_t n = 0;
    lake_check(firn_run_list(firn_lake_catalog(f->lake), f->arena, "p", 1000, &runs, &n, &err),
               &err, "runs");
    for (size_t i = 0; i < n; i++) {
        assert_string_not_equal(runs[i].status, "running");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPELINE_TEST(a_run_that_dies_anywhere_is_settled_by_the_next),
    };
    use_fast_scratch();
    firn_log_set_level(FIRN_LOG_ERROR); /* each settled run is told as a warning */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
