/* Tables that come and go: firn table register --scan, adopt, handover, export. */
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

static void views_come_in_too(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "other", "-q");
    run_ok(
        t, "--lake", "other", "sql", "-q", "-c",
        "create schema a; create table a.x as select 1 id; create view a.v as select id + 1 as y "
        "from a.x");
    run_ok(t, "init", "-q");
    run_ok(t, "table", "register", "--scan", "other/warehouse");
    assert_has(t->out, "registered 1 table and 1 view in one commit\n");
    assert_string_equal(value(t, "select y from a.v"), "2");
    run_ok(t, "table", "register", "--scan", "other/warehouse");
    assert_has(t->out, "nothing to register, skipped 2\n");
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

/* ---- adopt ---------------------------------------------------------------------------------------------- */

static void a_folder_is_adopted_and_grows(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q");
    run_ok(t, "sql", "-q", "-c",
           "copy (select i as id, 2020 + i % 3 as year from range(6) r(i)) to 'files' "
           "(format parquet, partition_by (year))");
    assert_int_equal(system("touch files/_SUCCESS; echo hi > files/notes.txt"), 0);
    run_ok(t, "table", "adopt", "t", "files", "--dry-run");
    assert_has(t->out, "would adopt 3 files with 6 rows");
    assert_has(t->out, "nothing was changed (--dry-run)\n");
    run_fails(t, 1, "there is no table default.t", "table", "adopt", "t", "files", "--add");
    run_ok(t, "table", "adopt", "t", "files");
    assert_has(t->out, "adopted 3 files with 6 rows (");
    assert_has(t->out, ") as default.t\n  2 columns, 3 partitions by year int\n"
                       "  left out 1 file: hidden or temporary (_SUCCESS)\n"
                       "  left out 1 file: not Parquet (notes.txt)\n"
                       "  the files stay where they are and are never deleted through the table "
                       "(gc.enabled=false)\n");
    assert_string_equal(value(t, "select sum(id) from t where year = 2021"), "5");
    run_ok(t, "sql", "-q", "-c",
           "copy (select 10 as id) to 'files/year=2021/more.parquet' (format parquet)");
    run_ok(t, "table", "adopt", "t", "files", "--add");
    assert_has(t->out, "added 1 file with 1 row (");
    run_ok(t, "table", "adopt", "t", "files", "--add");
    assert_has(t->out, "default.t has every file of files already\n");
    assert_string_equal(value(t, "select sum(id) from t where year = 2021"), "15");
}

/* Several at once, as from impatient cron jobs: every file is taken once. */
static void additions_at_the_same_time(void **state)
{
    enum { AT_ONCE = 4 };
    testing *t = *state;
    pid_t children[AT_ONCE];
    static const char *const argv[] = {"firn", "table", "adopt", "t", "files", "--add", NULL};
    run_ok(t, "init", "-q");
    run_ok(t, "sql", "-q", "-c",
           "create table t (id bigint, g bigint) partitioned by (g);"
           "copy (select i as id, i % 40 as g from range(400) r(i)) to 'files' (format parquet, "
           "partition_by (g))");
    for (int i = 0; i < AT_ONCE; i++) {
        const char *out = firn_arena_printf(t->arena, "%d.out", i);
        children[i] = start(t, out, firn_arena_printf(t->arena, "%d.err", i), 6, argv);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        if (status != 0) {
            fail_msg("%s", caught(t, firn_arena_printf(t->arena, "%d.err", i)));
        }
    }
    assert_string_equal(
        value(t, "select concat(count(*), ' ', sum(id), ' ', count(distinct id)) from t"),
        "400 79800 400");
    assert_string_equal(value(t, "select count(*) from t$files"), "40");
    assert_string_equal(value(t, "select count(*) from t$snapshots"), "1");
}

static void what_adopt_does_not_take(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q");
    assert_int_equal(system("mkdir csv; echo a > csv/a.csv"), 0);
    run_fails(t, 1, "read_csv('", "table", "adopt", "t", "csv");
    run_fails(t, 1, "there is no folder", "table", "adopt", "t", "nowhere");
    run_fails(t, 2, "format versions", "table", "adopt", "t", "csv", "--format-version", "4");
    run_fails(t, 2, "TABLE DIR", "table", "adopt", "t");
}

/* ---- handover ------------------------------------------------------------------------------------------- */

typedef struct server {
    pid_t pid;
    const char *uri;
} server;

/* firn serve on the lake "other", at a free port. */
static server serve_other(testing *t)
{
    const char *const argv[] = {"firn", "--lake", "other", "serve", "--http", "127.0.0.1:0", NULL};
    server out = {.pid = start(t, "serve.out", "serve.err", 6, argv)};
    for (int i = 0; i < 200 && out.uri == NULL; i++) {
        firn_bytes text = {0};
        usleep(50000);
        assert_int_equal(waitpid(out.pid, NULL, WNOHANG), 0);
        if (firn_file_read(t->arena, "serve.out", 1 << 20, &text, NULL) == FIRN_OK) {
            const char *at = strstr((const char *)text.data, "http://127.0.0.1:");
            const char *end = at != NULL ? strstr(at, "/iceberg") : NULL;
            out.uri = end != NULL ? firn_arena_strndup(t->arena, at,
                                                       (size_t)(end - at) + strlen("/iceberg"))
                                  : NULL;
        }
    }
    assert_non_null(out.uri);
    return out;
}

static void end_server(server it)
{
    int status = 0;
    kill(it.pid, SIGTERM);
    assert_int_equal(waitpid(it.pid, &status, 0), it.pid);
}

static server two_lakes(testing *t)
{
    run_ok(t, "init", "other", "-q");
    run_ok(t, "init", "-q");
    run_ok(t, "sql", "-q", "-c",
           "create schema g; create table g.t as select 1 as id; create branch b");
    return serve_other(t);
}

static const char *other_value(testing *t, const char *sql)
{
    run(t, "--lake", "other", "sql", "--format", "csv", "-c", sql);
    expect_code(t, 0, __FILE__, __LINE__);
    return strchr(t->out, '\n') + 1;
}

static void a_table_goes_to_another_catalog(void **state)
{
    testing *t = *state;
    server other = two_lakes(t);
    run_ok(t, "table", "handover", "g.t", "--to", other.uri, "--as", "sales.eu.t");
    assert_has(t->out, "registered sales.eu.t at http://");
    assert_has(t->out, "dropped g.t here");
    assert_has(t->out, "the branch b here has it as well");
    assert_string_equal(other_value(t, "select id from sales.eu.t"), "1\n");
    run_fails(t, 1, "an earlier handover is complete", "table", "handover", "g.t", "--to",
              other.uri, "--as", "sales.eu.t");
    end_server(other);
}

/* Died between the two steps; then somebody committed, here or there or on both sides. */
static void a_handover_that_died_goes_on(void **state)
{
    testing *t = *state;
    server other = two_lakes(t);
    setenv("FIRN_FAULT_KILL", "handover.registered", 1);
    run(t, "table", "handover", "g.t", "--to", other.uri);
    unsetenv("FIRN_FAULT_KILL");
    assert_int_equal(t->code, 1000 + SIGKILL);
    assert_string_equal(value(t, "select id from g.t"), "1");
    assert_string_equal(other_value(t, "select id from g.t"), "1\n");
    run_ok(t, "table", "handover", "g.t", "--to", other.uri, "--keep");
    assert_has(t->out, "found g.t at");
    run_ok(t, "sql", "-q", "-c", "insert into g.t values (2)");
    run_ok(t, "table", "handover", "g.t", "--to", other.uri, "--keep");
    assert_has(t->out, "which had an older state of it");
    assert_string_equal(other_value(t, "select sum(id) from g.t"), "3\n");
    run_ok(t, "--lake", "other", "sql", "-q", "-c", "insert into g.t values (3)");
    run_ok(t, "table", "handover", "g.t", "--to", other.uri, "--keep");
    assert_has(t->out, "has g.t already and went on");
    run_ok(t, "sql", "-q", "-c", "insert into g.t values (4)");
    run_fails(t, 1, "both catalogs have committed to it", "table", "handover", "g.t", "--to",
              other.uri);
    assert_string_equal(value(t, "select sum(id) from g.t"), "7");
    run_ok(t, "sql", "-q", "-c", "create table g.u as select 1 as x");
    run_fails(t, 1, "has another table g.t", "table", "handover", "g.u", "--to", other.uri, "--as",
              "g.t");
    end_server(other);
}

static void handover_by_hand(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q");
    run_ok(t, "sql", "-q", "-c", "create schema g; create table g.t as select 1 as id");
    run_ok(t, "table", "handover", "g.t", "--version-hint");
    assert_has(t->out, "CALL cat.system.register_table(table => 'g.t', metadata_file => 'file:///");
    assert_has(t->out, "catalog.register_table(\"g.t\", \"file:///");
    assert_string_equal(value(t, "select id from iceberg_scan('warehouse/g/t')"), "1");
    run_ok(t, "sql", "-q", "-c", "insert into g.t values (2); drop table g.t");
    run_ok(t, "table", "register", "--scan",
           "warehouse"); /* the hint does not hide the newer file */
    assert_has(t->out, "registered 1 table");
    assert_null(strstr(t->out, "files of version"));
    assert_string_equal(value(t, "select sum(id) from g.t"), "3");
    run_fails(t, 2, "go with --to", "table", "handover", "g.t", "--keep");
    run_fails(t, 2, "http://", "table", "handover", "g.t", "--to", "ftp://x");
    run_fails(t, 1, "NO_SUCH_VARIABLE", "table", "handover", "g.t", "--to", "http://127.0.0.1:1",
              "--token-env", "NO_SUCH_VARIABLE");
    run_fails(t, 1, "http://127.0.0.1:1", "table", "handover", "g.t", "--to", "http://127.0.0.1:1");
}

/* ---- export ---------------------------------------------------------------------------------------------- */

static void an_export_stands_by_itself(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q");
    run_ok(t, "init", "other", "-q");
    run_ok(t, "sql", "-q", "-c",
           "create schema g;"
           "create table g.t partitioned by (p) as select i as id, i % 3 as p from range(100) r(i);"
           "delete from g.t where id = 5; insert into g.t values (1000, 1);"
           "create table g.dv tblproperties ('format-version' = '3', 'write.delete.mode' = "
           "'merge-on-read') as select i as id from range(100) r(i);"
           "delete from g.dv where id < 10; delete from g.dv where id > 90;"
           "create table g.none (id int)");
    run_ok(t, "table", "export", "g.t", "out/t");
    assert_has(t->out, "exported g.t: 100 rows, 4 files, ");
    run_ok(t, "table", "export", "g.dv", "out/dv");
    run_ok(t, "table", "export", "g.none", "out/none");
    assert_int_equal(system("rm -r warehouse"), 0); /* nothing of it is needed */
    run_ok(t, "--lake", "other", "table", "register", "--scan", "out", "--verify", "--namespace",
           "x");
    assert_has(t->out, "registered 3 tables");
    assert_string_equal(other_value(t, "select concat(count(*), ' ', sum(id)) from x.t"),
                        "100 5945\n");
    assert_string_equal(
        other_value(t, "select concat(count(*), ' ', sum(id), ' ', min(_row_id)) from x.dv"),
        "81 4050 10\n");
    assert_string_equal(other_value(t, "select count(*) from x.none"), "0\n");
    run_ok(t, "--lake", "other", "sql", "-q", "-c",
           "insert into x.t values (1, 1); delete from x.dv where id = 11");
    assert_string_equal(other_value(t, "select count(*) from x.t"), "101\n");
    assert_string_equal(other_value(t, "select count(*) from x.dv"), "80\n");
}

static void an_export_that_died_is_no_table(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "-q");
    run_ok(t, "sql", "-q", "-c",
           "create table t partitioned by (p) as select i as id, i % 5 as p from range(100) r(i);"
           "create table mor tblproperties ('format-version' = '2', 'write.delete.mode' = "
           "'merge-on-read') as select i as id from range(100) r(i); delete from mor where id = 1");
    setenv("FIRN_FAULT_KILL", "storage.rename:4", 1);
    run(t, "table", "export", "t", "out");
    unsetenv("FIRN_FAULT_KILL");
    assert_int_equal(t->code, 1000 + SIGKILL);
    run_ok(t, "table", "register", "--scan", "out");
    assert_has(t->out, "there are no Iceberg tables below out");
    run_ok(t, "table", "export", "t", "out");
    assert_string_equal(value(t, "select count(*) from iceberg_scan('out')"), "100");
    run_fails(t, 1, "is not empty", "table", "export", "t", "out");
    run_fails(t, 1, "position delete files", "table", "export", "mor", "out2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_setup, testing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_warehouse_is_registered_in_one_commit),
        TEST(views_come_in_too),
        TEST(a_namespace_takes_them_all),
        TEST(verify_finds_what_is_missing),
        TEST(what_scan_does_not_take),
        TEST(a_folder_is_adopted_and_grows),
        TEST(additions_at_the_same_time),
        TEST(what_adopt_does_not_take),
        TEST(a_table_goes_to_another_catalog),
        TEST(a_handover_that_died_goes_on),
        TEST(handover_by_hand),
        TEST(an_export_stands_by_itself),
        TEST(an_export_that_died_is_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
