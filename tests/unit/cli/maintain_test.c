/* firn maintain compact, expire; what firn status says of tables that need them. */
#include "cli_testing.h"

static void small_files_are_compacted(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-q", "-c",
           "insert into s.t values (3, 'three'); delete from s.t where id = 1");
    run_ok(t, "maintain", "compact", "s.t", "--dry-run", "--format", "csv");
    assert_has(t->out, "\ns.t,2,1,");
    run_ok(t, "maintain", "compact", "s.t");
    assert_has(t->out, "files_before");
    assert_has(t->out, "the old files stay for readers of old snapshots");
    run_ok(t, "maintain", "compact", "s.t", "--format", "csv");
    assert_has(t->out, "\ns.t,0,0,0,0,0,0,0,0,0\n");
    run_ok(t, "sql", "--format", "csv", "-c", "select id from s.t order by id");
    assert_string_equal(t->out, "id\n2\n3\n");
}

static void old_snapshots_expire(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-q", "-c",
           "insert into s.t values (3, 'three'); delete from s.t where id = 1");
    run_ok(t, "maintain", "expire", "s.t", "--format", "csv");
    assert_has(t->out, "\ns.t,0,3,0,0,\n"); /* five days are not over */
    run_ok(t, "maintain", "expire", "--all", "--older-than", "0s", "--dry-run", "--format", "csv");
    assert_has(t->out, "\ns.t,2,1,");
    run_ok(t, "ref", "tag", "q1");
    run_ok(t, "maintain", "expire", "s.t", "--older-than", "0s");
    assert_has(t->out, "tag q1 has snapshot ");
    run_ok(t, "ref", "delete", "q1");
    run_ok(t, "maintain", "expire", "s.t", "--older-than", "0s", "--keep", "2", "--format", "json");
    json_t *rows = json_loads(t->out, 0, NULL);
    const json_t *row = json_array_get(rows, 0);
    assert_int_equal(json_integer_value(json_object_get(row, "snapshots")), 1);
    assert_int_equal(json_integer_value(json_object_get(row, "left")), 2);
    assert_true(json_integer_value(json_object_get(row, "bytes")) > 0);
    assert_true(json_is_null(json_object_get(row, "kept_by")));
    json_decref(rows);
    run_ok(t, "maintain", "expire", "s.t", "--older-than", "7d", "--format", "csv");
    assert_has(t->out, "\ns.t,0,2,0,0,\n");
}

static void one_table_does_not_keep_the_others(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-q", "-c", "insert into s.t values (3, 'three')");
    run(t, "maintain", "compact", "s.gone", "s.t", "--format", "csv");
    assert_int_equal(t->code, 1);
    assert_has(t->out, "\ns.t,2,1,");
    assert_has(t->err, "s.gone: there is no table s.gone");
    assert_has(t->err, "error: 1 of 2 tables failed; the others are done\n");
}

static void wrong_words_are_told(void **state)
{
    testing *t = *state;
    run_fails(t, 2, "name a table, or say --all", "maintain", "expire");
    run_fails(t, 2, "--all means every table", "maintain", "compact", "s.t", "--all");
    run_fails(t, 2, "--older-than takes a time like 7d", "maintain", "expire", "s.t",
              "--older-than", "soon");
    run_fails(t, 2, "--target takes a size like 128MB", "maintain", "compact", "s.t", "--target",
              "0");
    run_fails(t, 1, "there is no table s.x", "maintain", "expire", "s.x");
    run_fails(t, 1, "cannot be picked by", "maintain", "compact", "s.t", "--where",
              "random() < id");
}

static void status_names_who_needs_it(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-q", "-c",
           "create table s.many partitioned by (p) as select i as p from range(120) r(i)");
    run_ok(t, "status");
    assert_has(t->out, "s.many: 120 files of ");
    assert_has(t->out, "maintain compact s.many\n");
    assert_null(strstr(t->out, "maintain expire"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_setup_lake, testing_teardown)
    const struct CMUnitTest tests[] = {
        TEST(small_files_are_compacted),          TEST(old_snapshots_expire),
        TEST(one_table_does_not_keep_the_others), TEST(wrong_words_are_told),
        TEST(status_names_who_needs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
