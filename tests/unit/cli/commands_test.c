/* Every command's ordinary way, on a small lake. */
#include "cli_testing.h"

static const char *value(testing *t, const char *sql)
{
    run_ok(t, "sql", "--format", "csv", "-c", sql);
    const char *line = strchr(t->out, '\n');
    assert_non_null(line);
    return firn_str_trim(t->arena, line);
}

/* Member of the first row of the JSON that the last command printed. */
static const char *member(testing *t, const char *key)
{
    json_t *rows = NULL;
    firn_err err = {0};
    assert_int_equal(firn_json_parse(t->arena, firn_bytes_str(t->out), "output", &rows, &err),
                     FIRN_OK);
    const char *text = json_string_value(json_object_get(json_array_get(rows, 0), key));
    return firn_arena_strdup(t->arena, text);
}

static void init_makes_a_lake(void **state)
{
    testing *t = *state;
    run_ok(t, "init", "a", "--name", "sales");
    assert_has(t->out, "/a is a lake now");
    assert_true(firn_path_exists("a/firn.yaml"));
    run_ok(t, "--lake", "a", "status");
    assert_has(t->out, " lake sales   main @ ");
    assert_has(t->out, "healthy");
    run_ok(t, "init", "--lake", "b", "-q");
    assert_string_equal(t->out, "");
    assert_true(firn_path_exists("b/firn.yaml"));
    run_fails(t, 1, "is a lake already", "init", "a");
    run_fails(t, 2, "two folders", "init", "a", "--lake", "c");
}

static void table_list_and_show(void **state)
{
    testing *t = *state;
    run_ok(t, "table", "list");
    assert_has(t->out, " namespace │ name │ rows │ files │ ");
    assert_has(t->out, " s         │ t    │    2 │     1 │ ");
    assert_has(t->out, "\n1 table\n");
    run_ok(t, "table", "list", "--format", "json");
    assert_string_equal(member(t, "namespace"), "s");
    assert_string_equal(member(t, "name"), "t");
    assert_true(firn_starts_with(member(t, "metadata_location"), "file:///"));
    assert_true(firn_path_exists(member(t, "metadata_location") + strlen("file://")));
    run_ok(t, "table", "list", "default");
    assert_has(t->out, "\n0 tables\n");
    run_fails(t, 1, "sss", "table", "list", "sss");
    run_ok(t, "table", "show", "s.t");
    assert_has(t->out, "table        s.t on main\n");
    assert_has(t->out, "holds        2 rows, 1 files, ");
    assert_has(t->out, "  1 │ id     │ long   │ false    │\n");
    run_ok(t, "table", "show", "s.t", "--format", "json");
    assert_has(t->out, "\"format_version\": 2");
    run_ok(t, "table", "schema", "s.t", "--format", "csv");
    assert_string_equal(
        t->out, "id,column,type,required,comment\n1,id,long,false,\n2,name,string,false,\n");
    run_fails(t, 1, "has no schema 9", "table", "schema", "s.t", "--schema-id", "9");
}

static void partitions_are_shown_as_they_are_written(void **state)
{
    testing *t = *state;
    run_ok(
        t, "sql", "-q", "-c",
        "create table s.p (ts timestamp, id bigint, c text) partitioned by (days(ts), bucket(8, id), truncate(4, c), c);"
        "insert into s.p values ('2024-02-15 10:00', 1, 'Books')");
    run_ok(t, "table", "show", "s.p");
    assert_has(t->out, "partitioned  days(ts), bucket(8, id), truncate(4, c), c\n");
    run_ok(t, "table", "files", "s.p");
    assert_has(t->out, "ts_day=2024-02-15/");
    assert_has(t->out, "\n1 file\n");
}

static void history_and_rollback(void **state)
{
    testing *t = *state;
    run_ok(t, "sql", "-q", "-c", "insert into s.t values (3, 'three')");
    run_ok(t, "table", "snapshots", "s.t", "--format", "csv");
    assert_has(t->out, ",true,file:");
    run_ok(t, "table", "snapshots", "s.t", "--format", "json");
    const char *newest = member(t, "snapshot_id");
    const char *first = member(t, "parent_id");
    run_ok(t, "table", "history", "s.t");
    assert_has(t->out, newest);
    run_ok(t, "table", "rollback", "s.t");
    assert_has(t->out, "with 2 rows");
    assert_has(t->out, first);
    assert_string_equal(value(t, "select count(*) from s.t"), "2");
    run_fails(t, 1, "only one snapshot", "table", "rollback", "s.t");
    run_fails(t, 1, "had no snapshot yet", "table", "rollback", "s.t", "--as-of", "2001-01-01");
    run_fails(t, 2, "is a time like", "table", "rollback", "s.t", "--as-of", "yesterday");
    run_fails(t, 2, "exclude each other", "table", "rollback", "s.t", "--as-of", "2001-01-01",
              "--to", "1");
    run_fails(t, 1, "12345", "table", "rollback", "s.t", "--to", "12345");
    run_ok(t, "table", "files", "s.t", "--snapshot", newest, "--format", "csv");
    run_fails(t, 1, "has no snapshot 77", "table", "files", "s.t", "--snapshot", "77");
    assert_string_equal(value(t, "select count(*) from s.t"), "2");
}

static void properties(void **state)
{
    testing *t = *state;
    run_ok(t, "table", "properties", "s.t", "--set", "owner=me", "--set", "note=a=b");
    run_ok(t, "table", "properties", "s.t", "--format", "csv");
    assert_has(t->out, "owner,me\n");
    assert_has(t->out, "note,a=b\n");
    run_ok(t, "table", "properties", "s.t", "--unset", "owner");
    run_ok(t, "table", "properties", "s.t", "--format", "csv");
    assert_null(strstr(t->out, "owner"));
    run_fails(t, 2, "KEY=VALUE", "table", "properties", "s.t", "--set", "owner");
}

static void rename_drop_register(void **state)
{
    testing *t = *state;
    run_ok(t, "table", "rename", "s.t", "s.u");
    assert_string_equal(t->out, "renamed s.t to s.u\n");
    run_ok(t, "table", "list", "--format", "json");
    const char *metadata = member(t, "metadata_location") + strlen("file://");
    run_ok(t, "table", "drop", "s.u");
    assert_string_equal(t->out, "dropped s.u; its files stay\n");
    run_fails(t, 1, "there is no table s.u", "table", "drop", "s.u");
    run_ok(t, "table", "drop", "s.u", "--if-exists");
    run_ok(t, "table", "register", "s.v", metadata);
    assert_string_equal(value(t, "select sum(id) from s.v"), "3");
    run_fails(t, 1, "s.v", "table", "register", "s.v", metadata);
    run_ok(t, "table", "register", "s.v", metadata, "--replace");
    run_fails(t, 1, "nosuch", "table", "register", "s.w", "nosuch.metadata.json");
    run_ok(t, "table", "list", "--format", "csv");
    assert_null(strstr(t->out, "s,w"));
}

static void refs(void **state)
{
    testing *t = *state;
    run_ok(t, "ref", "branch", "fix");
    assert_string_equal(t->out, "created branch fix from main\n");
    run_ok(t, "ref", "tag", "v1", "fix");
    run_ok(t, "ref", "list", "--format", "csv");
    assert_has(t->out, "\nfix,branch,");
    assert_has(t->out, "\nv1,tag,");
    run_ok(t, "ref", "diff", "main", "fix");
    assert_string_equal(t->out, "main and fix hold the same\n");
    run_ok(t, "--ref", "fix", "sql", "-q", "-c", "insert into s.t values (3, 'three')");
    run_ok(t, "ref", "diff", "main", "fix");
    assert_has(t->out, " changed │ table │ s.t\n");
    run_ok(t, "ref", "merge", "fix", "--dry-run");
    assert_has(t->out, "would merge fix into main: 1 change in one commit\n");
    assert_string_equal(value(t, "select count(*) from s.t"), "2");
    run_ok(t, "ref", "merge", "fix", "-m", "the third");
    assert_has(t->out, "merged fix into main: 1 change in one commit\n");
    assert_string_equal(value(t, "select count(*) from s.t"), "3");
    run_ok(t, "ref", "merge", "fix");
    assert_has(t->out, "nothing to merge");
    run_ok(t, "ref", "log", "-n", "1", "--format", "csv");
    assert_has(t->out, "the third");
    run_ok(t, "ref", "log", "v1", "--limit", "0");
    assert_has(t->out, "append s.t");
    run_ok(t, "ref", "delete", "fix", "v1");
    assert_string_equal(t->out, "deleted fix\ndeleted v1\n");
    run_fails(t, 1, "fix", "ref", "delete", "fix");
    run_fails(t, 1, "main", "ref", "delete", "main");
}

static void a_conflicting_merge_changes_nothing(void **state)
{
    testing *t = *state;
    run_ok(t, "ref", "branch", "fix", "-q");
    run_ok(t, "--ref", "fix", "sql", "-q", "-c", "delete from s.t where id = 1");
    run_ok(t, "sql", "-q", "-c", "delete from s.t where id = 2");
    run(t, "ref", "merge", "fix");
    expect_code(t, 1, __FILE__, __LINE__);
    assert_has(t->err, "conflict  s.t  changed on both main and fix\n"
                       "               - fix overwrote rows (snapshot ");
    assert_has(t->err,
               "to do          --force s.t takes the source's, --skip s.t keeps the target's\n"
               "error: cannot merge fix into main: 1 conflict; nothing has changed\n");
    assert_string_equal(value(t, "select id from s.t"), "1");
    run(t, "ref", "merge", "fix", "--dry-run", "--format", "json");
    expect_code(t, 1, __FILE__, __LINE__);
    assert_has(t->out, "\"name\": \"s.t\", \"kind\": \"table\", \"conflict\": \"VALUE_DIFFERS\"");
    assert_has(t->err, "error: cannot merge fix into main: s.t: changed on both");

    run_fails(t, 1, "s.tt", "ref", "merge", "fix", "--skip", "s.tt");
    run_ok(t, "ref", "merge", "fix", "--dry-run", "--skip", "s.t");
    assert_has(t->out, "nothing to merge");
    run_ok(t, "ref", "merge", "fix", "--theirs");
    assert_string_equal(value(t, "select id from s.t"), "2");
}

static void refs_are_moved_and_commits_picked(void **state)
{
    testing *t = *state;
    run_ok(t, "ref", "branch", "fix", "-q");
    run_ok(t, "--ref", "fix", "sql", "-q", "-c",
           "alter table s.t add column extra int; insert into s.t values (3, 'three', 1)");
    run_ok(t, "ref", "diff", "main", "fix", "--rows", "--format", "csv");
    assert_has(t->out, "\nchanged,s.t,2,3,1,0,1,no,");
    run_ok(t, "ref", "diff", "main", "fix", "--schema", "--format", "csv");
    assert_has(t->out, "\ns.t,column added,extra,,int");
    run_fails(t, 2, "--rows and --schema", "ref", "diff", "main", "fix", "--rows", "--schema");

    run_ok(t, "ref", "show", "fix");
    assert_has(t->out, "│ append s.t\n");
    assert_has(t->out, "differs from main in │ 1\n");
    run_ok(t, "ref", "log", "fix", "--table", "s.t", "--format", "csv", "-n", "1");
    const char *last = firn_arena_strndup(t->arena, strchr(t->out, '\n') + 1, 32);
    run_ok(t, "ref", "log", "--until", "2001-01-01", "--format", "csv");
    assert_null(strstr(t->out, "append"));
    run_ok(t, "ref", "log", "--schema", "s", "--author", "nobody", "--format", "csv");
    assert_null(strstr(t->out, "append"));
    run_fails(t, 2, "--since", "ref", "log", "--since", "yesterday");

    /* Rows alone: the column is not theirs. */
    run_ok(t, "ref", "branch", "stage", "-q");
    run(t, "ref", "cherry-pick", last, "--into", "stage");
    expect_code(t, 0, __FILE__, __LINE__);
    assert_has(t->out, "picked 1 commit into stage\n");
    run_ok(t, "ref", "cherry-pick", last, "--into", "stage");
    assert_has(t->out, "nothing to pick: stage has all of that\n");

    run_ok(t, "ref", "reset", "stage", "main");
    assert_has(t->out, "reset stage to commit ");
    run_fails(t, 1, "not at", "ref", "reset", "stage", last, "--expected", last);
    run_ok(t, "ref", "reset", "stage", last);
    assert_string_equal(value(t, "select count(*) from s.t@stage"), "3");
    run_ok(t, "ref", "branch", "stage", "main", "--replace");
    assert_string_equal(t->out, "put branch stage from main\n");
    run_ok(t, "ref", "rename", "stage", "stage/2");
    run_fails(t, 1, "not at", "ref", "delete", "stage/2", "--expected", last);
    run_ok(t, "ref", "delete", "stage/2");
}

static const char *const PIPELINE =
    "name: small\n"
    "description: a small one\n"
    "params: {n: 3}\n"
    "schemas: [out]\n"
    "tasks:\n"
    "  - name: make\n"
    "    type: sql\n"
    "    models:\n"
    "      - {table: out.numbers, sql: \"select range as n from range(${n})\"}\n"
    "  - name: gate\n"
    "    type: check\n"
    "    checks:\n"
    "      - {name: few, table: out.numbers, row_count: {max: 5}}\n";

static void pipelines(void **state)
{
    testing *t = *state;
    assert_int_equal(firn_mkdir_p("pipelines/small", 0755, NULL), FIRN_OK);
    assert_int_equal(firn_file_write_atomic("pipelines/small/pipeline.yaml",
                                            firn_bytes_str(PIPELINE), 0644, NULL),
                     FIRN_OK);
    run_ok(t, "pipeline", "list");
    assert_has(t->out, " small    │");
    run_ok(t, "pipeline", "show", "small");
    assert_has(t->out, "small - a small one\n");
    assert_has(t->out, " gate │ check │ make  │\n");
    run_ok(t, "pipeline", "run", "small");
    assert_has(t->out, "  make ");
    assert_has(t->out, "1 check: 1 passed");
    assert_has(t->out, "published run r-");
    assert_string_equal(value(t, "select count(*) from out.numbers"), "3");
    run_ok(t, "check", "small");
    assert_has(t->out, "1 check: 1 passed, 0 warned\n");
    /* a gate that fails publishes nothing */
    run(t, "pipeline", "run", "small", "--set", "n=9");
    expect_code(t, 1, __FILE__, __LINE__);
    assert_has(t->err, "error: ");
    assert_has(t->err, "few");
    assert_has(t->out, "was not published");
    assert_string_equal(value(t, "select count(*) from out.numbers"), "3");
    run_ok(t, "pipeline", "runs", "--format", "csv");
    assert_has(t->out, ",failed,");
    run_ok(t, "pipeline", "runs", "--format", "json");
    const char *run_id = member(t, "run");
    run_ok(t, "pipeline", "tasks", run_id);
    assert_has(t->out, " gate │ check │");
    run_ok(t, "pipeline", "checks", run_id);
    assert_has(t->out, " failed │ few ");
    run(t, "--ref", firn_arena_printf(t->arena, "run/%s", run_id), "check");
    expect_code(t, 1, __FILE__, __LINE__);
    assert_has(t->err, "1 of 1 checks failed on run/");
    run_ok(t, "pipeline", "run", "small", "--set", "n=4", "--no-publish");
    assert_has(t->out, "publish it with: firn ref merge run/r-");
    assert_string_equal(value(t, "select count(*) from out.numbers"), "3");
    run_ok(t, "pipeline", "run", "small", "--set", "n=5", "--only", "make", "--json");
    assert_has(t->out, "\"event\":\"task_end\"");
    assert_has(t->out, "\"event\":\"published\"");
    assert_string_equal(value(t, "select count(*) from out.numbers"), "5");
}

static void pipeline_mistakes(void **state)
{
    testing *t = *state;
    run_ok(t, "check");
    assert_has(t->out, "no pipelines");
    assert_int_equal(firn_mkdir_p("pipelines/small", 0755, NULL), FIRN_OK);
    assert_int_equal(firn_file_write_atomic("pipelines/small/pipeline.yaml",
                                            firn_bytes_str(PIPELINE), 0644, NULL),
                     FIRN_OK);
    run_fails(t, 1, "did you mean \"small\"?", "pipeline", "run", "smal");
    run_fails(t, 1, "did you mean \"make\"?", "pipeline", "run", "small", "--only", "mak");
    run_fails(t, 2, "NAME=VALUE", "pipeline", "run", "small", "--set", "n");
    run_fails(t, 1, "nn", "pipeline", "run", "small", "--set", "nn=1");
    run_fails(t, 1, "r-1", "pipeline", "tasks", "r-1");
    assert_int_equal(firn_file_write_atomic("pipelines/small/pipeline.yaml",
                                            firn_bytes_str("name: small\ntask: []\n"), 0644, NULL),
                     FIRN_OK);
    run_fails(t, 1, "pipeline.yaml:2", "pipeline", "show", "small");
    run_fails(t, 1, "pipeline.yaml:2", "pipeline", "list");
    assert_has(t->out, " small    │"); /* listed all the same */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(init_makes_a_lake, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(table_list_and_show, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(partitions_are_shown_as_they_are_written,
                                        testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(history_and_rollback, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(properties, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(rename_drop_register, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(refs, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(a_conflicting_merge_changes_nothing, testing_setup_lake,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(refs_are_moved_and_commits_picked, testing_setup_lake,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(pipelines, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(pipeline_mistakes, testing_setup_lake, testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/commands", tests, NULL, NULL);
}
