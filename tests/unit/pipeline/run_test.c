/* Runs: what is published, what is not, and what is left for the next run. */
#include "fixture.h"

#include "base/time.h"

#include <pthread.h>

/* ---- publishing ---------------------------------------------------------------------------------------- */

static const char two_tables[] =
    "schemas: [s]\n"
    "tasks:\n"
    "  - {name: a, type: sql, models: [{table: s.a, sql: select 1 as x}]}\n"
    "  - {name: b, type: sql, models: [{table: s.b, sql: select x + 1 as x from s.a}]}\n";

static void a_run_is_one_commit_on_main(void **state)
{
    lake_fixture *f = *state;
    pipeline_run run = {0};
    assert_int_equal(run_pipeline(f, pipeline_of(f, "p", two_tables), &run), FIRN_OK);
    assert_string_equal(firn_buf_cstr(&run.told),
                        "start a\nend a ok\nstart b\nend b ok\npublished\n");
    assert_int_equal(run.out.tables_published, 2);
    lake_expect(f, "select x from s.b", "2");

    firn_err err = {0};
    firn_commit *commits = NULL;
    size_t n = 0;
    lake_check(
        firn_catalog_log(firn_lake_catalog(f->lake), f->arena, FIRN_MAIN, 2, &commits, &n, &err),
        &err, "log");
    assert_string_equal(commits[0].id, run.out.run.commit_id);
    assert_string_equal(commits[0].author, "pipeline p");
    assert_string_equal(
        commits[0].message,
        firn_arena_printf(f->arena, "publish run %s of pipeline p", run.out.run.run_id));
    assert_non_null(commits[0].merge_parent_id);
    assert_false(has_branch(f, run.out.run.branch));
    assert_string_equal(run_status(f, run.out.run.run_id), "published");
    firn_buf_deinit(&run.told);
}

static void a_failing_check_leaves_main_as_it_was(void **state)
{
    lake_fixture *f = *state;
    run_ok(f, pipeline_of(f, "p", two_tables));
    lake_exec(f, "create table s.kept as select 'old' as v");
    const char *before = main_state(f);
    pipeline_run run = {0};
    firn_rc rc = run_pipeline(
        f,
        pipeline_of(
            f, "p",
            "schemas: [s, t]\n"
            "tasks:\n"
            "  - {name: a, type: sql, models: [{table: s.a, sql: select 99 as x}]}\n"
            "  - {name: new, type: sql, models: [{table: t.new, sql: select 1 as x}]}\n"
            "  - {name: gate, type: check, after: [new], checks: [{table: s.a, range: {column: x, max: 9}}]}\n"
            "  - {name: b, type: sql, models: [{table: s.b, sql: select x from s.a}]}\n"),
        &run);
    assert_int_equal(rc, FIRN_E_CHECK_FAILED);
    assert_string_equal(
        run.err.message,
        "task gate: 1 of 1 checks failed: \"s.a.x range\" (1 row, for example x 99)");
    assert_string_equal(main_state(f), before); /* every key, to the metadata file */
    assert_int_equal(run.out.checks_failed, 1);
    assert_string_equal(run.out.run.status, "failed");
    assert_string_equal(run_status(f, run.out.run.run_id), "failed");
    assert_null(strstr(firn_buf_cstr(&run.told), "start b"));
    lake_contains(firn_buf_cstr(&run.told),
                  "end gate failed\n"); /* another task may end after it */
    assert_true(firn_ends_with(firn_buf_cstr(&run.told), "\nfailed\n"));

    /* The branch stays, with what the run made. */
    assert_true(has_branch(f, run.out.run.branch));
    firn_err err = {0};
    firn_session *session = NULL;
    const char *value = NULL;
    lake_check(firn_session_new(f->engine, run.out.run.branch, &session, &err), &err, "branch");
    lake_check(firn_session_scalar(session, f->arena, "select x from s.a", &value, &err), &err,
               "x");
    assert_string_equal(value, "99");
    firn_session_free(session);

    firn_run_task *tasks = NULL;
    size_t n = 0;
    lake_check(
        firn_run_tasks(firn_lake_catalog(f->lake), f->arena, run.out.run.run_id, &tasks, &n, &err),
        &err, "tasks");
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(tasks[i].status, firn_streq(tasks[i].task, "gate") ? "failed"
                                             : firn_streq(tasks[i].task, "b")  ? "skipped"
                                                                               : "ok");
    }
    firn_buf_deinit(&run.told);
}

static void a_run_can_go_to_another_branch(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create branch dev");
    const char *before = main_state(f);
    pipeline_run run = {.options = {.target = "dev"}};
    assert_int_equal(run_pipeline(f, pipeline_of(f, "p", two_tables), &run), FIRN_OK);
    assert_string_equal(main_state(f), before);
    lake_exec(f, "use branch dev");
    lake_expect(f, "select x from s.b", "2");
    firn_buf_deinit(&run.told);
}

static void a_run_need_not_be_published(void **state)
{
    lake_fixture *f = *state;
    const char *before = main_state(f);
    pipeline_run run = {.options = {.no_publish = true}};
    assert_int_equal(run_pipeline(f, pipeline_of(f, "p", two_tables), &run), FIRN_OK);
    assert_string_equal(run.out.run.status, "kept");
    assert_string_equal(main_state(f), before);
    assert_true(has_branch(f, run.out.run.branch));
    firn_buf_deinit(&run.told);
}

typedef struct meddler {
    lake_fixture *f;
    const char *sql; /* run on main when the last task has ended */
} meddler;

static void meddle(void *ctx, const firn_pipeline_event *event)
{
    const meddler *m = ctx;
    if (event->kind == FIRN_EVENT_TASK_END && event->n_done == event->n_tasks) {
        lake_exec(m->f, m->sql);
    }
}

static firn_rc run_with_meddler(lake_fixture *f, const firn_pipeline *pipeline, const char *sql)
{
    firn_pipeline_outcome out;
    meddler m = {.f = f, .sql = sql};
    const firn_pipeline_options options = {.on_event = meddle, .ctx = &m};
    firn_err_clear(&f->err);
    return firn_pipeline_run(f->engine, f->arena, pipeline, &options, &out, &f->err);
}

static void a_target_that_changed_the_same_table_stops_the_merge(void **state)
{
    lake_fixture *f = *state;
    const firn_pipeline *pipeline = pipeline_of(f, "p", two_tables);
    run_ok(f, pipeline);
    assert_int_equal(
        run_with_meddler(f, pipeline, "create or replace table s.a as select 'mine' as x"),
        FIRN_E_VALIDATION);
    lake_contains(f->err.message, "cannot publish run ");
    lake_contains(f->err.message, "s.a");
    lake_expect(f, "select x from s.a", "mine");
    /* Nobody in the way: the next run replaces it. */
    run_ok(f, pipeline);
    lake_expect(f, "select x from s.a", "1");
}

static void appends_of_both_sides_are_kept(void **state)
{
    lake_fixture *f = *state;
    const firn_pipeline *pipeline = pipeline_of(
        f, "p",
        "schemas: [s]\n"
        "tasks: [{name: a, type: sql, models: [{table: s.a, mode: append, sql: select 1 as x}]}]\n");
    run_ok(f, pipeline);
    assert_int_equal(run_with_meddler(f, pipeline, "insert into s.a values (2)"), FIRN_OK);
    lake_expect(f, "select x from s.a order by x", "1\n1\n2");
}

/* ---- models -------------------------------------------------------------------------------------------- */

static void append_adds_rows_and_new_columns(void **state)
{
    lake_fixture *f = *state;
    static const char yaml[] =
        "schemas: [s]\n"
        "tasks: [{name: a, type: sql, models: [{table: s.a, mode: append, sql: 'select %s'}]}]\n";
    run_ok(f, pipeline_of(f, "p", firn_str_replace(f->arena, yaml, "%s", "1 as x")));
    run_ok(f, pipeline_of(f, "p", firn_str_replace(f->arena, yaml, "%s", "2 as x")));
    /* By name, whatever the order. */
    run_ok(f, pipeline_of(f, "p", firn_str_replace(f->arena, yaml, "%s", "''n'' as y, 3 as x")));
    lake_expect(f, "select x, y from s.a order by x", "1|NULL\n2|NULL\n3|n");
}

static void merge_updates_and_inserts_by_key(void **state)
{
    lake_fixture *f = *state;
    static const char yaml[] =
        "schemas: [s]\n"
        "tasks: [{name: a, type: sql, models: [{table: s.a, mode: merge, key: [k, l], sql: \"select * from (values %s) v(k, l, x)\"}]}]\n";
    run_ok(f, pipeline_of(f, "p",
                          firn_str_replace(f->arena, yaml, "%s", "(1, 'a', 10), (1, 'b', 20)")));
    run_ok(f, pipeline_of(f, "p",
                          firn_str_replace(f->arena, yaml, "%s", "(1, 'b', 21), (2, 'b', 30)")));
    lake_expect(f, "select * from s.a order by k, l", "1|a|10\n1|b|21\n2|b|30");
}

static void overwrite_keeps_the_history(void **state)
{
    lake_fixture *f = *state;
    static const char yaml[] =
        "schemas: [s]\n"
        "tasks: [{name: a, type: sql, models: [{table: s.a, partitioned_by: [x], sql: 'select %s'}]}]\n";
    run_ok(f, pipeline_of(f, "p", firn_str_replace(f->arena, yaml, "%s", "1 as x")));
    run_ok(f, pipeline_of(f, "p", firn_str_replace(f->arena, yaml, "%s", "2 as x, 3 as y")));
    lake_expect(f, "select x, y from s.a", "2|3");
    lake_expect(f, "select count(*) from s.a.snapshots", "2");
}

static void files_are_ingested_by_format(void **state)
{
    lake_fixture *f = *state;
    put_file(f, "in/a.csv", "id;name\n1;x\n2;y\n");
    put_file(f, "in/b.json", "[{\"id\": 3}, {\"id\": 4}]\n");
    run_ok(f,
           pipeline_of(f, "p",
                       "schemas: [s]\n"
                       "params: {folder: in}\n"
                       "tasks:\n"
                       "  - name: load\n"
                       "    type: ingest\n"
                       "    models:\n"
                       "      - {table: s.a, files: '${folder}/*.csv', options: \"delim = ';'\"}\n"
                       "      - {table: s.b, files: in/b.json, format: json}\n"));
    lake_expect(f, "select id, name from s.a order by id", "1|x\n2|y");
    lake_expect(f, "select sum(id) from s.b", "7");
    run_fails(f,
              pipeline_of(f, "p",
                          "schemas: [s]\ntasks: [{name: load, type: ingest, models: "
                          "[{table: s.a, files: in/none.dat}]}]\n"),
              FIRN_E_CONFIG, "the model of s.a needs format: csv, parquet or json");
}

static void an_error_names_task_and_table(void **state)
{
    lake_fixture *f = *state;
    run_fails(f,
              pipeline_of(f, "p",
                          "schemas: [s]\ntasks: [{name: a, type: sql, retries: 3, models: "
                          "[{table: s.a, sql: select nope from (select 1 as x)}]}]\n"),
              FIRN_E_NO_COLUMN, "task a: s.a: ");
}

/* ---- files --------------------------------------------------------------------------------------------- */

static const char report[] =
    "params: {limit: 10, name: report}\n"
    "schemas: [s]\n"
    "tasks:\n"
    "  - {name: a, type: sql, export_parquet: true, models: [{table: s.a, sql: 'select ${limit} as x'}]}\n"
    "  - {name: gate, type: check, checks: [{table: s.a, range: {column: x, max: 50}}]}\n"
    "  - {name: one, type: report, after: [a], file: 'out/${name}.json', sql: 'select count(*) as n, 1.50 as d, ''it'' as t, null as z from s.a;'}\n"
    "  - {name: many, type: report, after: [a], file: out/many.json, sql: 'select * from range(3)'}\n"
    "  - {name: none, type: report, after: [a], file: out/none.json, sql: 'select 1 as x limit 0'}\n";

static void set_limit(pipeline_run *run, firn_pipeline_param *param, const char *value)
{
    *param = (firn_pipeline_param){.name = "limit", .value = value};
    run->options.params = param;
    run->options.n_params = 1;
}

static void reports_and_copies_are_files_of_the_lake(void **state)
{
    lake_fixture *f = *state;
    run_ok(f, pipeline_of(f, "p", report));
    assert_string_equal(get_file(f, "out/report.json"),
                        "{\"n\": 1, \"d\": 1.50, \"t\": \"it\", \"z\": null}\n");
    assert_string_equal(get_file(f, "out/many.json"),
                        "[\n{\"range\": 0},\n{\"range\": 1},\n{\"range\": 2}\n]\n");
    assert_string_equal(get_file(f, "out/none.json"), "[\n\n]\n");
    lake_expect(
        f, firn_arena_printf(f->arena, "select x from read_parquet('%s/s/a.parquet')", f->root),
        "10");
    const char *staged = firn_path_join(f->arena, f->root, ".firn/runs");
    assert_int_not_equal(rmdir(staged), -1); /* empty */
}

static void a_failed_run_replaces_no_file(void **state)
{
    lake_fixture *f = *state;
    const firn_pipeline *pipeline = pipeline_of(f, "p", report);
    run_ok(f, pipeline);
    const char *before = get_file(f, "out/many.json");
    put_file(f, "out/report.json", "mine");
    pipeline_run run = {0};
    firn_pipeline_param param;
    set_limit(&run, &param, "99");
    assert_int_equal(run_pipeline(f, pipeline, &run), FIRN_E_CHECK_FAILED);
    assert_string_equal(get_file(f, "out/report.json"), "mine");
    assert_string_equal(get_file(f, "out/many.json"), before);
    lake_expect(
        f, firn_arena_printf(f->arena, "select x from read_parquet('%s/s/a.parquet')", f->root),
        "10");
    firn_buf_deinit(&run.told);
}

static void files_stay_inside_the_lake(void **state)
{
    static const char *const paths[] = {"../x.json", "a/../../x.json", "/tmp/x.json", "out/"};
    lake_fixture *f = *state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        run_fails(f,
                  pipeline_of(f, "p",
                              firn_arena_printf(
                                  f->arena,
                                  "tasks: [{name: r, type: report, file: '%s', sql: select 1}]\n",
                                  paths[i])),
                  FIRN_E_CONFIG, "must be the path of a file inside the lake");
    }
    run_fails(
        f,
        pipeline_of(f, "p",
                    "tasks: [{name: r, type: report, file: .firn/catalog.db, sql: select 1}]\n"),
        FIRN_E_CONFIG, "would lie among firn's own files");
}

/* The merge is through; only the files are not where they should be. */
static void files_that_cannot_be_moved_are_moved_by_the_next_run(void **state)
{
    lake_fixture *f = *state;
    const firn_pipeline *pipeline = pipeline_of(f, "p", report);
    put_file(f, "out", "in the way of the folder");
    pipeline_run run = {0};
    assert_int_not_equal(run_pipeline(f, pipeline, &run), FIRN_OK);
    lake_contains(run.err.message, "is published to main, but not all of its files are in place");
    lake_contains(firn_buf_cstr(&run.told), "published\n");
    assert_string_equal(run_status(f, run.out.run.run_id), "published");
    lake_expect(f, "select x from s.a", "10");

    /* Still in the way: the next run says so before it does anything. */
    run_fails(f, pipeline, run.rc, "is published to main");
    assert_int_equal(unlink(firn_path_join(f->arena, f->root, "out")), 0);
    firn_pipeline_param param;
    pipeline_run next = {0};
    set_limit(&next, &param, "99"); /* fails: so what appears is the first run's */
    assert_int_equal(run_pipeline(f, pipeline, &next), FIRN_E_CHECK_FAILED);
    assert_non_null(get_file(f, "out/report.json"));
    firn_buf_deinit(&run.told);
    firn_buf_deinit(&next.told);
}

/* ---- parameters and choice ------------------------------------------------------------------------------- */

static void parameters_are_known_or_refused(void **state)
{
    lake_fixture *f = *state;
    const firn_pipeline *pipeline = pipeline_of(f, "p", report);
    pipeline_run run = {0};
    firn_pipeline_param param;
    set_limit(&run, &param, "42");
    assert_int_equal(run_pipeline(f, pipeline, &run), FIRN_OK);
    lake_expect(f, "select x from s.a", "42");
    param.name = "limmit";
    assert_int_equal(run_pipeline(f, pipeline, &run), FIRN_E_INVALID);
    assert_string_equal(run.err.message,
                        "pipeline p has no parameter \"limmit\"; did you mean \"limit\"?");
    param.name = "zzz";
    assert_int_equal(run_pipeline(f, pipeline, &run), FIRN_E_INVALID);
    assert_string_equal(run.err.message,
                        "pipeline p has no parameter \"zzz\"; it has: limit, name");
    assert_null(run.out.run.run_id); /* nothing was begun */
    firn_buf_deinit(&run.told);
}

static void a_run_knows_its_id_and_branch(void **state)
{
    lake_fixture *f = *state;
    run_ok(
        f,
        pipeline_of(
            f, "p",
            "schemas: [s]\n"
            "tasks: [{name: a, type: sql, models: [{table: s.a, sql: \"select '${run_id}' as id, '${ref}' as ref, '${lake}' as lake\"}]}]\n"));
    lake_expect(f, "select ref = 'run/' || id from s.a", "true");
    lake_expect(f, "select lake from s.a", firn_lake_root(f->lake));
}

static void chosen_tasks_run_alone(void **state)
{
    lake_fixture *f = *state;
    const firn_pipeline *pipeline = pipeline_of(f, "p", two_tables);
    static const char *const only_b[] = {"b"};
    run_ok(f, pipeline);
    pipeline_run run = {.options = {.only = only_b, .n_only = 1}};
    assert_int_equal(run_pipeline(f, pipeline, &run), FIRN_OK);
    assert_string_equal(firn_buf_cstr(&run.told), "start b\nend b ok\npublished\n");
    static const char *const unknown[] = {"bb"};
    run.options.only = unknown;
    assert_int_equal(run_pipeline(f, pipeline, &run), FIRN_E_NOT_FOUND);
    lake_contains(run.err.message, "pipeline p has no task \"bb\"");
    firn_buf_deinit(&run.told);
}

/* ---- retries, timeouts, parallel work ---------------------------------------------------------------------- */

static void a_task_is_tried_again_until_it_works(void **state)
{
    lake_fixture *f = *state;
    pipeline_run run = {0};
    firn_rc rc = run_pipeline(
        f,
        pipeline_of(f, "p",
                    "tasks: [{name: a, type: shell, retries: 3, retry_delay: 10ms, command: "
                    "'echo x >> tries; test $(wc -l < tries) -ge 3'}]\n"),
        &run);
    lake_check(rc, &run.err, "run");
    assert_string_equal(firn_buf_cstr(&run.told),
                        "start a\nretry a\nretry a\nend a ok\npublished\n");
    firn_buf_deinit(&run.told);
}

static void retries_end(void **state)
{
    lake_fixture *f = *state;
    pipeline_run run = {0};
    assert_int_equal(
        run_pipeline(
            f,
            pipeline_of(f, "p",
                        "tasks: [{name: a, type: shell, retries: 1, retry_delay: 1ms, command: "
                        "'echo one; echo two >&2; exit 7'}]\n"),
            &run),
        FIRN_E_IO);
    assert_string_equal(run.err.message,
                        "task a: the command ended with code 7; it said: one\ntwo");
    assert_string_equal(firn_buf_cstr(&run.told), "start a\nretry a\nend a failed\nfailed\n");
    firn_buf_deinit(&run.told);
}

/* A second attempt goes on where the first one failed: rows are not appended twice. */
static void a_retry_does_not_repeat_what_is_committed(void **state)
{
    lake_fixture *f = *state;
    put_file(f, "flag/keep", "");
    firn_err err = {0};
    lake_exec(f, "create schema s");
    pipeline_run run = {0};
    /* The second model reads a file that the first attempt lacks; a task beside it makes the file. */
    firn_rc rc = run_pipeline(
        f,
        pipeline_of(
            f, "p",
            "tasks:\n"
            "  - name: a\n"
            "    type: sql\n"
            "    retries: 200\n"
            "    retry_delay: 20ms\n"
            "    models:\n"
            "      - {table: s.a, mode: append, sql: select 1 as x}\n"
            "      - {table: s.b, mode: append, sql: \"select * from read_csv('${lake}/late.csv')\"}\n"
            "  - {name: late, type: shell, command: 'sleep 0.3; printf \"y\\n5\\n\" > late.tmp; mv late.tmp late.csv'}\n"),
        &run);
    lake_check(rc, &run.err, "run");
    lake_contains(firn_buf_cstr(&run.told), "retry a\n");
    lake_expect(f, "select count(*) from s.a", "1");
    lake_expect(f, "select * from s.b", "5");
    firn_run_task *tasks = NULL;
    size_t n = 0;
    lake_check(
        firn_run_tasks(firn_lake_catalog(f->lake), f->arena, run.out.run.run_id, &tasks, &n, &err),
        &err, "tasks");
    assert_true(n > 2); /* one row per attempt */
    firn_buf_deinit(&run.told);
}

static void a_long_query_is_interrupted(void **state)
{
    lake_fixture *f = *state;
    int64_t started_us = firn_monotonic_us();
    run_fails(
        f,
        pipeline_of(
            f, "p",
            "schemas: [s]\n"
            "tasks: [{name: a, type: sql, timeout: 200ms, models: [{table: s.a, sql: "
            "'select max(a.range * b.range % 7) as x from range(10000000) a, range(1000000) b'}]}]\n"),
        FIRN_E_CANCELLED, "task a: ran longer than its timeout of ");
    assert_true(firn_monotonic_us() - started_us < 30000000);
    lake_contains(lake_fails(f, "select * from s.a", FIRN_E_NO_TABLE), "s.a");
}

static void a_long_command_is_killed_with_its_children(void **state)
{
    lake_fixture *f = *state;
    int64_t started_us = firn_monotonic_us();
    run_fails(f,
              pipeline_of(f, "p",
                          "tasks: [{name: a, type: shell, timeout: 200ms, command: "
                          "'(sleep 2; touch survived) & sleep 60'}]\n"),
              FIRN_E_CANCELLED, "task a: ran longer than its timeout of ");
    assert_true(firn_monotonic_us() - started_us < 30000000);
    sleep(3);
    assert_null(get_file(f, "survived"));
}

static void commands_know_the_run(void **state)
{
    lake_fixture *f = *state;
    run_ok(f, pipeline_of(f, "p",
                          "tasks: [{name: a, type: shell, command: 'test \"$FIRN_REF\" = "
                          "\"run/$FIRN_RUN\" && test \"$PWD\" = \"$FIRN_LAKE\" && cat > got'}]\n"));
    assert_string_equal(get_file(f, "got"), ""); /* nothing on its input */
}

/* Each waits for the other: one after the other they would never end. */
static void independent_tasks_run_at_once(void **state)
{
    lake_fixture *f = *state;
    static const char yaml[] =
        "tasks:\n"
        "  - {name: a, type: shell, timeout: 20s, command: 'touch a; until test -e b; do sleep 0.02; done'}\n"
        "  - {name: b, type: shell, timeout: 20s, command: 'touch b; until test -e a; do sleep 0.02; done'}\n";
    pipeline_run run = {.options = {.parallel = 2}};
    lake_check(run_pipeline(f, pipeline_of(f, "p", yaml), &run), &run.err, "run");
    firn_buf_deinit(&run.told);
}

static void many_tasks_on_few_threads(void **state)
{
    lake_fixture *f = *state;
    FIRN_AUTO_BUF firn_buf yaml = {0};
    firn_buf_puts(&yaml, "schemas: [s]\ntasks:\n");
    for (int i = 0; i < 12; i++) {
        firn_buf_printf(
            &yaml, "  - {name: t%d, type: sql, models: [{table: s.t%d, sql: select %d as x}]}\n", i,
            i, i);
    }
    firn_buf_puts(
        &yaml,
        "  - {name: sum, type: sql, models: [{table: s.sum, sql: 'select sum(x) as x from (");
    for (int i = 0; i < 12; i++) {
        firn_buf_printf(&yaml, "%sfrom s.t%d", i > 0 ? " union all " : "", i);
    }
    firn_buf_puts(&yaml, ")'}]}\n");
    const firn_pipeline *pipeline = pipeline_of(f, "p", firn_buf_cstr(&yaml));
    pipeline_run run = {.options = {.parallel = 4}};
    lake_check(run_pipeline(f, pipeline, &run), &run.err, "run");
    assert_int_equal(run.out.tables_published, 13);
    lake_expect(f, "select x from s.sum", "66");
    firn_buf_deinit(&run.told);
}

/* The first failure ends the others, and is the one that is told. */
static void a_failure_stops_what_runs_beside_it(void **state)
{
    lake_fixture *f = *state;
    pipeline_run run = {.options = {.parallel = 3}};
    int64_t started_us = firn_monotonic_us();
    assert_int_equal(
        run_pipeline(
            f,
            pipeline_of(
                f, "p",
                "tasks:\n"
                "  - {name: slow, type: shell, retries: 5, command: sleep 60}\n"
                "  - {name: again, type: shell, retries: 5, retry_delay: 60s, command: 'false'}\n"
                "  - {name: bad, type: shell, command: 'sleep 0.2; exit 3'}\n"),
            &run),
        FIRN_E_IO);
    lake_contains(run.err.message, "task bad: the command ended with code 3");
    assert_true(firn_monotonic_us() - started_us < 30000000);
    firn_buf_deinit(&run.told);
}

static atomic_bool cancelled;

static void *cancel_soon(void *ignored)
{
    (void)ignored;
    firn_sleep_ms(200);
    atomic_store(&cancelled, true);
    return NULL;
}

static void a_run_can_be_cancelled(void **state)
{
    lake_fixture *f = *state;
    pthread_t thread;
    pipeline_run run = {.options = {.cancel = &cancelled}};
    atomic_store(&cancelled, false);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
    firn_rc rc = run_pipeline(
        f, pipeline_of(f, "p", "tasks: [{name: a, type: shell, command: sleep 60}]\n"), &run);
    pthread_join(thread, NULL);
    assert_int_equal(rc, FIRN_E_CANCELLED);
    assert_string_equal(run.err.message, "the run was cancelled");
    assert_string_equal(run_status(f, run.out.run.run_id), "failed");
    firn_buf_deinit(&run.told);
}

/* ---- one at a time ---------------------------------------------------------------------- */

typedef struct second_run {
    lake_fixture *f;
    const firn_pipeline *pipeline;
    firn_rc rc;
} second_run;

static void *run_in_thread(void *argument)
{
    second_run *second = argument;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_pipeline_outcome out;
    firn_err err = {0};
    second->rc = firn_pipeline_run(second->f->engine, arena, second->pipeline, NULL, &out, &err);
    return NULL;
}

static void the_second_run_of_a_pipeline_is_refused(void **state)
{
    lake_fixture *f = *state;
    pthread_t thread;
    second_run first = {.f = f,
                        .pipeline = pipeline_of(f, "p",
                                                "tasks: [{name: a, type: shell, command: "
                                                "'touch begun; sleep 1'}]\n")};
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, &first), 0);
    while (get_file(f, "begun") == NULL) {
        firn_sleep_ms(10);
    }
    firn_pipeline_outcome out;
    firn_err err = {0};
    assert_int_equal(firn_pipeline_run(f->engine, f->arena, first.pipeline, NULL, &out, &err),
                     FIRN_E_BUSY);
    lake_contains(err.message, "pipeline p is running already as r-");
    assert_true(err.retriable);
    run_ok(f, pipeline_of(f, "other", "tasks: [{name: a, type: shell, command: 'true'}]\n"));
    pthread_join(thread, NULL);
    assert_int_equal(first.rc, FIRN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPELINE_TEST(a_run_is_one_commit_on_main),
        PIPELINE_TEST(a_failing_check_leaves_main_as_it_was),
        PIPELINE_TEST(a_run_can_go_to_another_branch),
        PIPELINE_TEST(a_run_need_not_be_published),
        PIPELINE_TEST(a_target_that_changed_the_same_table_stops_the_merge),
        PIPELINE_TEST(appends_of_both_sides_are_kept),
        PIPELINE_TEST(append_adds_rows_and_new_columns),
        PIPELINE_TEST(merge_updates_and_inserts_by_key),
        PIPELINE_TEST(overwrite_keeps_the_history),
        PIPELINE_TEST(files_are_ingested_by_format),
        PIPELINE_TEST(an_error_names_task_and_table),
        PIPELINE_TEST(reports_and_copies_are_files_of_the_lake),
        PIPELINE_TEST(a_failed_run_replaces_no_file),
        PIPELINE_TEST(files_stay_inside_the_lake),
        PIPELINE_TEST(files_that_cannot_be_moved_are_moved_by_the_next_run),
        PIPELINE_TEST(parameters_are_known_or_refused),
        PIPELINE_TEST(a_run_knows_its_id_and_branch),
        PIPELINE_TEST(chosen_tasks_run_alone),
        PIPELINE_TEST(a_task_is_tried_again_until_it_works),
        PIPELINE_TEST(retries_end),
        PIPELINE_TEST(a_retry_does_not_repeat_what_is_committed),
        PIPELINE_TEST(a_long_query_is_interrupted),
        PIPELINE_TEST(a_long_command_is_killed_with_its_children),
        PIPELINE_TEST(commands_know_the_run),
        PIPELINE_TEST(independent_tasks_run_at_once),
        PIPELINE_TEST(many_tasks_on_few_threads),
        PIPELINE_TEST(a_failure_stops_what_runs_beside_it),
        PIPELINE_TEST(a_run_can_be_cancelled),
        PIPELINE_TEST(the_second_run_of_a_pipeline_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
