/* pipeline.yaml: what a definition becomes, and what is said about each kind of mistake, with its line. */
#include "definition.h"

#include "base/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

typedef struct fixture {
    firn_arena *arena;
    char dir[64];
    firn_err err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/firn-definition-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        abort();
    }
    f->arena = firn_arena_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    unlink(firn_path_join(f->arena, f->dir, "pipeline.yaml"));
    unlink(firn_path_join(f->arena, f->dir, "a.sql"));
    rmdir(f->dir);
    firn_arena_free(f->arena);
    free(f);
    return 0;
}

static void put(fixture *f, const char *name, const char *text)
{
    assert_int_equal(firn_file_write_atomic(firn_path_join(f->arena, f->dir, name),
                                            firn_bytes_str(text), 0644, &f->err),
                     FIRN_OK);
}

static firn_rc load(fixture *f, const char *yaml, firn_pipeline **out)
{
    put(f, "pipeline.yaml", yaml);
    firn_err_clear(&f->err);
    return firn_pipeline_load(f->arena, f->dir, out, &f->err);
}

static firn_pipeline *good(fixture *f, const char *yaml)
{
    firn_pipeline *pipeline = NULL;
    if (load(f, yaml, &pipeline) != FIRN_OK) {
        fail_msg("%s", f->err.message);
    }
    return pipeline;
}

/* ---- what is read -------------------------------------------------------------------------------------- */

static void every_key_of_a_task_is_read(void **state)
{
    fixture *f = *state;
    put(f, "a.sql", "select 1 as x;  \n");
    const firn_pipeline *p = good(f, "name: p\n"
                                     "description: all of it\n"
                                     "params: {day: 2024-01-01, n: 3, on: true}\n"
                                     "schemas: [s, t]\n"
                                     "tasks:\n"
                                     "  - name: first\n"
                                     "    description: makes a\n"
                                     "    type: sql\n"
                                     "    retries: 2\n"
                                     "    retry_delay: 5s\n"
                                     "    timeout: 1.5h\n"
                                     "    export_parquet: ${on}\n"
                                     "    models:\n"
                                     "      - {table: s.a, file: a.sql}\n"
                                     "      - {table: s.b, sql: select 2 -- two, mode: append}\n"
                                     "      - table: s.c\n"
                                     "        sql: select 3 as k\n"
                                     "        mode: merge\n"
                                     "        key: [k, l]\n"
                                     "        partitioned_by: ['days(d)', k]\n"
                                     "  - name: second\n"
                                     "    type: shell\n"
                                     "    after: first\n"
                                     "    command: echo\n");
    assert_string_equal(firn_pipeline_name(p), "p");
    assert_string_equal(firn_pipeline_description(p), "all of it");
    assert_int_equal(p->n_params, 3);
    assert_string_equal(p->params[0].value, "2024-01-01");
    assert_string_equal(p->params[1].value, "3");
    assert_string_equal(p->params[2].value, "true");
    assert_int_equal(p->schemas.n, 2);
    const firn_task *first = &p->tasks[0];
    assert_int_equal(first->type, FIRN_TASK_SQL);
    assert_int_equal(first->line, 6);
    assert_int_equal(first->retries, 2);
    assert_true(first->retry_delay_us == 5000000);
    assert_true(first->timeout_us == 5400000000);
    assert_string_equal(first->export_parquet, "${on}");
    assert_int_equal(first->n_models, 3);
    /* SQL is kept such that it can be put into parentheses. */
    assert_string_equal(first->models[0].sql, "select 1 as x\n");
    assert_string_equal(first->models[1].sql, "select 2 -- two\n");
    assert_int_equal(first->models[0].mode, FIRN_MODEL_OVERWRITE);
    assert_int_equal(first->models[1].mode, FIRN_MODEL_APPEND);
    assert_int_equal(first->models[2].mode, FIRN_MODEL_MERGE);
    assert_int_equal(first->models[2].key.n, 2);
    assert_string_equal(first->models[2].partitioned_by.items[0], "days(d)");
    const firn_task *second = &p->tasks[1];
    assert_string_equal(second->after.items[0], "first");
    assert_true(second->retry_delay_us == 1000000);
    assert_int_equal(second->retries, 0);
}

static void every_kind_of_check_is_read(void **state)
{
    fixture *f = *state;
    const firn_pipeline *p =
        good(f, "name: p\n"
                "tasks:\n"
                "  - name: c\n"
                "    type: check\n"
                "    checks:\n"
                "      - {table: t, not_null: [a, b], severity: warn}\n"
                "      - {table: t, unique: a, where: a > 1, quarantine: bad}\n"
                "      - {table: t, accepted_values: {column: a, values: [x, 1, \"it's\", true]}}\n"
                "      - {table: t, range: {column: a, min: 2024-01-01, max: 7.5}}\n"
                "      - {table: t, relationships: {column: a, to: u}}\n"
                "      - {table: t, row_count: {max: 10}}\n"
                "      - {table: t, freshness: {column: a, max_age: 2d}}\n"
                "      - {table: t, expression: a < b}\n"
                "      - {name: named, sql: select 1;}\n");
    const firn_check_spec *c = p->tasks[0].checks;
    assert_int_equal(p->tasks[0].n_checks, 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(c[i].kind, i); /* in the order of the enum */
        assert_int_equal(c[i].warn, i == 0);
    }
    assert_string_equal(c[0].name, "t.a,b not_null");
    assert_string_equal(c[1].quarantine, "bad");
    assert_string_equal(c[1].where, "a > 1");
    assert_string_equal(c[2].values.items[0], "'x'");
    assert_string_equal(c[2].values.items[1], "1");
    assert_string_equal(c[2].values.items[2], "'it''s'");
    assert_string_equal(c[2].values.items[3], "true");
    assert_string_equal(c[3].min, "'2024-01-01'");
    assert_string_equal(c[3].max, "7.5");
    assert_string_equal(c[4].field, "a"); /* as the column, when not given */
    assert_null(c[5].min);
    assert_true(c[6].max_age_us == 172800000000);
    assert_string_equal(c[8].name, "named");
    assert_string_equal(c[8].sql, "select 1\n");
    assert_int_equal(c[8].line, 14);
}

static void the_folder_names_a_pipeline_without_name(void **state)
{
    fixture *f = *state;
    const firn_pipeline *p = good(f, "tasks: [{name: a, type: shell, command: 'true'}]\n");
    assert_string_equal(firn_pipeline_name(p), firn_path_basename(f->dir));
    assert_string_equal(firn_pipeline_description(p), "");
}

/* ---- mistakes ------------------------------------------------------------------------------------------ */

static void every_mistake_is_told_with_its_line(void **state)
{
    fixture *f = *state;
#define TASK   "tasks:\n  - name: a\n"
#define MODELS TASK "    type: sql\n    models:\n"
#define CHECKS TASK "    type: check\n    checks:\n"
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"nme: p\n" TASK "    type: shell\n",
         ":1: a pipeline has no key \"nme\"; did you mean \"name\"?"},
        {"name: a/b\n" TASK, ":1: a pipeline cannot be named \"a/b\": use letters"},
        {"name: ..\n" TASK, ":1: a pipeline cannot be named \"..\""},
        {"name: p\n", "the pipeline needs tasks: a list"},
        {"tasks: []\n", "the pipeline needs tasks: a list"},
        {"- a\n", ":1: a pipeline must be a mapping of keys to values"},
        {"params: [a]\ntasks: []\n", ":1: params must map names to default values"},
        {"params:\n  a: 1\n  b: [2]\ntasks: []\n",
         ":3: the default of parameter b must be a text or number"},
        {"tasks:\n  - type: shell\n", ":2: a task needs a name"},
        {"tasks:\n  - nope\n", "a task must be a mapping of keys to values"},
        {"tasks:\n  - name: a b\n    type: shell\n", ":2: a task cannot be named \"a b\""},
        {TASK, ":2: task a needs a type: one of generate, ingest, sql, check, report, shell"},
        {TASK "    type: spark\n", ":3: type is \"spark\"; it must be one of generate"},
        {TASK "    type: shell\n", ":2: task a needs command"},
        {TASK "    type: shell\n    command: x\n    retries: -1\n",
         ":5: retries must be a number from 0 to 1000"},
        {TASK "    type: shell\n    command: x\n    timeout: 10 parsecs\n",
         ":5: timeout must be a duration such as 500ms, 5s, 10min or 1d"},
        {TASK "    type: shell\n    command: x\n    after_only: perhaps\n",
         ":5: after_only must be true or false"},
        {TASK "    type: shell\n    command: [x]\n", ":4: command must be a text"},
        {TASK "    type: shell\n    command: x\n    after: [{b: c}]\n",
         ":5: after must be a list of names"},
        {TASK "    type: shell\n    command: x\n    after: [lod]\n  - name: load\n    type: shell\n"
              "    command: y\n",
         ":2: task a comes after \"lod\", but there is no such task; did you mean \"load\"?"},
        {TASK "    type: shell\n    command: x\n  - name: a\n    type: shell\n    command: y\n",
         ":5: there is a task a on line 2 already"},
        {TASK "    type: shell\n    command: x\n    checks: [{sql: select 1}]\n",
         ":5: a task of type shell takes no checks"},
        {TASK "    type: generate\n", ":2: task a needs generator: ecommerce"},
        {TASK "    type: generate\n    generator: ecommerce\n", ":2: task a needs dir"},
        {TASK "    type: report\n    sql: select 1\n", ":2: task a needs file"},
        {TASK "    type: report\n    file: x\n", ":2: task a needs sql"},
        {TASK "    type: sql\n", ":2: task a needs models: a list of tables to write"},
        {TASK "    type: sql\n    models: []\n", ":2: task a needs models"},
        {MODELS "      - {sql: select 1}\n", ":5: a model needs a table"},
        {MODELS "      - {tabel: t, sql: select 1}\n",
         ":5: a model has no key \"tabel\"; did you mean \"table\"?"},
        {MODELS "      - {table: t}\n", ":5: the model of t needs either file: or sql:"},
        {MODELS "      - {table: t, sql: select 1, file: a.sql}\n",
         ":5: the model of t needs either file: or sql:"},
        {MODELS "      - {table: t, sql: select 1, mode: upsert}\n",
         ":5: mode is \"upsert\"; it must be one of overwrite, append, merge"},
        {MODELS "      - {table: t, sql: select 1, mode: merge}\n",
         ":5: the model of t has mode merge and needs key: [column, ...]"},
        {MODELS "      - {table: t, sql: select 1, key: [a]}\n",
         ":5: the model of t has a key, which only mode: merge uses"},
        {MODELS "      - {table: t, files: '*.csv'}\n",
         ":5: a model of a task of type sql takes no files"},
        {TASK "    type: ingest\n    models:\n      - {table: t}\n",
         ":5: the model of t needs files: the path or glob to read"},
        {TASK "    type: ingest\n    models:\n      - {table: t, files: x, sql: select 1}\n",
         ":5: a model of a task of type ingest takes no sql"},
        {TASK "    type: check\n", ":2: task a needs checks: a list"},
        {CHECKS "      - {table: t}\n", ":5: a check needs one of not_null, unique"},
        {CHECKS "      - {table: t, not_null: [a], unique: [a]}\n",
         ":5: a check is one of not_null and unique, not both: make two checks"},
        {CHECKS "      - {not_null: [a]}\n", ":5: the check not_null needs a table"},
        {CHECKS "      - {table: t, not_nul: [a]}\n",
         ":5: a check has no key \"not_nul\"; did you mean \"not_null\"?"},
        {CHECKS "      - {table: t, not_null: [a], severity: fatal}\n",
         ":5: severity is \"fatal\"; it must be one of error, warn"},
        {CHECKS "      - {table: t, range: {column: a}}\n", ":5: range needs min, max or both"},
        {CHECKS "      - {table: t, range: {min: 1}}\n",
         ":5: range needs column: the column to look at"},
        {CHECKS "      - {table: t, range: {column: a, mni: 1}}\n",
         ":5: range has no key \"mni\"; did you mean \"min\"?"},
        {CHECKS "      - {table: t, range: 3}\n", ":5: range must be a mapping of keys to values"},
        {CHECKS "      - {table: t, accepted_values: {column: a}}\n",
         ":5: accepted_values needs values: [...]"},
        {CHECKS "      - {table: t, accepted_values: {column: a, values: [[1]]}}\n",
         ":5: accepted_values: values must be texts, numbers or booleans"},
        {CHECKS "      - {table: t, relationships: {column: a}}\n",
         ":5: relationships needs to: the table that must hold the value"},
        {CHECKS "      - {table: t, freshness: {column: a, max_age: soon}}\n",
         ":5: freshness needs max_age: a duration such as 1h or 2d"},
        {CHECKS "      - {table: t, expression: [a]}\n", ":5: expression must be SQL text"},
        {CHECKS "      - {table: t, row_count: {min: 1}, quarantine: q}\n",
         ":5: the check row_count looks at the table as a whole: there are no rows to quarantine"},
        {CHECKS "      - {sql: select 1, where: a}\n", ":5: the check sql takes no where"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        firn_pipeline *pipeline = NULL;
        firn_rc rc = load(f, cases[i].yaml, &pipeline);
        if (rc != FIRN_E_CONFIG || strstr(f->err.message, cases[i].message) == NULL) {
            fail_msg("%s\ngave %s: %s\nnot: %s", cases[i].yaml, firn_rc_name(rc), f->err.message,
                     cases[i].message);
        }
        assert_non_null(strstr(f->err.message, "pipeline.yaml"));
    }
}

static void files_that_are_not_there_are_named(void **state)
{
    fixture *f = *state;
    firn_pipeline *pipeline = NULL;
    assert_int_equal(firn_pipeline_load(f->arena, f->dir, &pipeline, &f->err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, "pipeline.yaml"));
    assert_int_equal(load(f, MODELS "      - {table: t, file: none.sql}\n", &pipeline),
                     FIRN_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, "pipeline.yaml:5: "));
    assert_non_null(strstr(f->err.message, "none.sql"));
}

/* ---- values -------------------------------------------------------------------------------------------- */

static void durations_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"250ms", 250000},        {"5s", 5000000},      {"10min", 600000000},
                 {"10 m", 600000000},      {"1.5h", 5400000000}, {"2d", 172800000000},
                 {"3 days", 259200000000}, {"1w", 604800000000}, {"7us", 7}};
    int64_t us = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(firn_duration_parse(cases[i].text, &us));
        assert_true(us == cases[i].us);
    }
    static const char *const bad[] = {
        "", "5", "s", "-5s", "5 parsecs", "1.2.3s", "99999999999999w", "5s later"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(firn_duration_parse(bad[i], &us));
    }
}

static void parameters_fill_texts(void **state)
{
    fixture *f = *state;
    const firn_pipeline *p =
        good(f, "params: {a: 1, b: two}\ntasks: [{name: a, type: shell, command: x}]\n");
    const firn_pipeline_param given[] = {{.name = "b", .value = "given"},
                                         {.name = "run_id", .value = "r-1"}};
    setenv("FIRN_TEST_PARAM", "from outside", 1);
    char *text = NULL;
    assert_int_equal(
        firn_definition_expand(f->arena, p, given, 2,
                               "${a}-${b} ${run_id} ${FIRN_TEST_PARAM} $${a} $a ${unclosed", &text,
                               &f->err),
        FIRN_OK);
    assert_string_equal(text, "1-given r-1 from outside ${a} $a ${unclosed");
    assert_int_equal(firn_definition_expand(f->arena, p, given, 2, "x ${nobody}", &text, &f->err),
                     FIRN_E_CONFIG);
    assert_non_null(strstr(
        f->err.message, "there is no parameter \"nobody\" for ${nobody}; declare it under params: "
                        "or give --set nobody=..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_key_of_a_task_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_check_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_folder_names_a_pipeline_without_name, setup, teardown),
        cmocka_unit_test_setup_teardown(every_mistake_is_told_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_are_not_there_are_named, setup, teardown),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test_setup_teardown(parameters_fill_texts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
