/* Bringing in what others wrote: firn table register --scan. */
#include "cli_testing.h"

/* The cell of a one-row, one-column query. */
static const char *value(testing *t, const char *sql)
{
    run(t, "sql", "--format", "csv", "-c", sql);
    expect_code(t, 0, __FILE__, __LINE__);
    const char *row = strchr(t->out, '\n');
    assert_non_null(row);
    return firn_arena_strndup(t->arena, row + 1, strcspn(row + 1, "\n"));
}

/* ---- register --scan ------------------------------------------------------------------------------------ */

/* Another lake's warehouse, whose catalog is lost. */
static void a_warehouse_is_registered_in_one_commit(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "other", "-q");
    run_ok(t, "--lake", "other", "sql", "-q", "-c",
           "create schema a; create schema b; create table a.x as select 1 id;"
           "create table a.y as select 2 id; create table b.x as select 3 id;"
           "insert into b.x values (4)");
    run_ok(t, "init", "-q");
    run_ok(t, "table", "register", "--scan", "other/warehouse", "--dry-run");
    assert_has(t->out, "would register 3 tables; nothing was changed (--dry-run)\n");
    run_ok(t, "table", "list", "--format", "csv");
    assert_null(strstr(t->out, "a,x"));
    run_ok(t, "table", "register", "--scan", "other/warehouse", "--verify");
    assert_has(t->out, "registered 3 tables in one commit\n");
    assert_string_equal(value(t, "select sum(id) from b.x"), "7");
    run_ok(t, "ref", "log", "-n", "1", "--format", "json");
    assert_has(t->out, "register tables of file://");
    run(t, "table", "register", "--scan", "other/warehouse", "--format", "csv");
    assert_int_equal(t->code, 0);
    assert_has(t->out, "already registered as a.x");
    assert_has(t->err, "nothing to register, skipped 3\n");
}

static void a_namespace_takes_them_all(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "other", "-q");
    run_ok(t, "--lake", "other", "sql", "-q", "-c",
           "create schema a; create schema b; create table a.x as select 1 id;"
           "create table b.x as select 3 id");
    run_ok(t, "init", "-q");
    run_ok(t, "table", "register", "--scan", "other/warehouse", "--namespace", "old.shop");
    assert_has(t->out, "registered 1 table in one commit, skipped 1\n");
    assert_has(t->out, "the name old.shop.x is taken");
    assert_string_equal(value(t, "select id from old.shop.x"), "1");
}

static void verify_finds_what_is_missing(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "other", "-q");
    run_ok(t, "--lake", "other", "sql", "-q", "-c",
           "create schema a; create table a.x as select 1 id; create table a.y as select 1 id");
    run_ok(t, "init", "-q");
    assert_int_equal(
        system(
            "rm other/warehouse/a/x/data/*.parquet; rm other/warehouse/a/y/metadata/snap-*.avro"),
        0);
    run_ok(t, "table", "register", "--scan", "other/warehouse", "--verify");
    assert_has(t->out, "1 of its files is missing");
    assert_has(t->out, "broken: ");
    assert_has(t->out, "nothing to register, skipped 2\n");
}

static void what_scan_does_not_take(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q");
    run_fails(t, 2, "--scan", "table", "register");
    run_fails(t, 2, "takes no TABLE", "table", "register", "s.t", "--scan", "x");
    run_fails(t, 2, "go with --scan", "table", "register", "s.t", "x.metadata.json", "--dry-run");
    run_fails(t, 1, "there is no folder", "table", "register", "--scan", "nowhere");
    assert_int_equal(mkdir("empty", 0755), 0);
    run_ok(t, "table", "register", "--scan", "empty");
    assert_string_equal(t->out, "there are no Iceberg tables below empty\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_setup, testing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_warehouse_is_registered_in_one_commit),
        TEST(a_namespace_takes_them_all),
        TEST(verify_finds_what_is_missing),
        TEST(what_scan_does_not_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
