/* The lake's branches and tags in SQL: CREATE, USE, MERGE, DROP, SHOW. */
#include "lake_fixture.h"

static void work_on_a_branch_is_merged(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema bronze; create table bronze.orders as select range as id, "
                 "range - 21 as quantity from range(100)");
    lake_expect(f, "create branch fix from main", "created branch fix from main");
    lake_expect(f, "use branch fix", "using fix");
    lake_exec(f, "delete from bronze.orders where quantity < 0");
    lake_expect(f, "select count(*) from bronze.orders", "79");
    lake_expect(f, "select count(*) from bronze.orders@main", "100");
    lake_expect(f, "merge branch fix into main dry run",
                "would merge fix into main: bronze.orders -21 rows, 1 commit");
    lake_expect(f, "select count(*) from bronze.orders@main", "100");
    lake_expect(f, "merge branch fix into main",
                "merged fix into main: bronze.orders -21 rows, 1 commit");
    lake_expect(f, "select count(*) from bronze.orders@main", "79");
    lake_expect(f, "merge branch fix into main", "main has everything that fix has");
}

static void a_merge_tells_what_it_took(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create table gone (a int); create branch dev;"
                 "use branch dev; create schema s; create table s.new as select range as a from "
                 "range(1500); drop table gone; create view s.v as select 1 as a");
    lake_contains(lake_text(f, "merge branch dev into main dry run"), "gone dropped");
    const char *text = lake_text(f, "merge dev into main");
    lake_contains(text, "merged dev into main: ");
    lake_contains(text, "s.new (new) +1,500 rows");
    lake_contains(text, "schema s added");
    lake_contains(text, "s.v added");
    lake_exec(f, "create table a1 (a int); create table a2 (a int); create table a3 (a int);"
                 "create table a4 (a int); create table a5 (a int)");
    lake_expect(f, "merge dev into main", "merged dev into main: 5 tables, 1 commit");
}

static void conflicts_merge_nothing(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create table u as select 1 as a;"
                 "create branch dev; delete from t; use branch dev;"
                 "insert into u values (2); update t set a = 5");
    lake_contains(lake_fails(f, "merge branch dev into main", FIRN_E_VALIDATION), "t");
    lake_exec(f, "use branch main");
    lake_expect(f, "select count(*) from u", "1");
    lake_expect(f, "select count(*) from t", "0");
}

static void names_and_places_of_refs(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create branch run/2026-11-20.x;"
                 "create tag v1; insert into t values (2); use branch run/2026-11-20.x");
    lake_expect(f, "select count(*) from t", "1");
    lake_expect(f, "select count(*) from t@v1", "1");
    const char *commit = firn_arena_strndup(f->arena, lake_text(f, "show log main limit 1"), 32);
    lake_exec(f, firn_arena_printf(f->arena, "create branch from_commit from %s", commit));
    lake_expect(f, "select count(*) from t@from_commit", "2");
    lake_exec(f, firn_arena_printf(f->arena, "use ref %s", commit));
    lake_expect(f, "select count(*) from t", "2");
    lake_fails(f, "insert into t values (3)", FIRN_E_READ_ONLY);
    lake_exec(f, "use tag v1");
    lake_fails(f, "create table u (a int)", FIRN_E_READ_ONLY);
    lake_fails(f, "drop table t", FIRN_E_READ_ONLY);
    lake_exec(f, "use branch main");
    lake_contains(lake_fails(f, "use branch mian", FIRN_E_NO_REF), "main");
    lake_contains(lake_fails(f, "create branch b from nowhere", FIRN_E_NO_REF), "nowhere");
    lake_fails(f, "create branch v1", FIRN_E_EXISTS);
    lake_expect(f, "create tag if not exists v1", "tag v1 is already there");
    lake_fails(f, "create branch", FIRN_E_SYNTAX);
    lake_fails(f, "create or replace branch v1", FIRN_E_UNSUPPORTED);
}

static void refs_are_listed_and_dropped(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create branch dev; create tag v1; use branch dev");
    const char *branches = lake_text(f, "show branches");
    lake_contains(branches, "dev|BRANCH|");
    lake_contains(branches, "main|BRANCH|");
    assert_null(strstr(branches, "v1"));
    lake_contains(lake_text(f, "show tags"), "v1|TAG|");
    lake_contains(lake_text(f, "show refs"), "|true"); /* the one in use */
    lake_contains(lake_fails(f, "drop branch dev", FIRN_E_INVALID), "USE BRANCH main");
    lake_contains(lake_fails(f, "drop branch v1", FIRN_E_NO_REF), "DROP TAG v1");
    lake_exec(f, "use branch main; drop branch dev; drop tag v1; drop tag if exists v1");
    lake_expect(f, "select count(*) from (select 1)", "1");
    assert_null(strstr(lake_text(f, "show refs"), "dev"));
    lake_fails(f, "drop branch dev", FIRN_E_NO_REF);
    lake_exec(f, "create branch other; use branch other");
    lake_fails(f, "drop branch main", FIRN_E_INVALID);
}

static void the_log_tells_who_did_what(void **state)
{
    lake_fixture *f = *state;
    firn_session_set_author(f->session, "ann", NULL);
    lake_exec(f, "create table t (a int); insert into t values (1)");
    firn_session_set_author(f->session, "bob", "nightly run");
    lake_exec(f, "insert into t values (2)");
    const char *last = lake_text(f, "show log limit 1");
    lake_contains(last, "|bob|nightly run|[update table default.t]|");
    lake_contains(lake_text(f, "show log limit 3"), "|ann|create table default.t|");
    lake_fails(f, "show log nowhere", FIRN_E_NO_REF);
}

#define LAKE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAKE_TEST(work_on_a_branch_is_merged),  LAKE_TEST(a_merge_tells_what_it_took),
        LAKE_TEST(conflicts_merge_nothing),     LAKE_TEST(names_and_places_of_refs),
        LAKE_TEST(refs_are_listed_and_dropped), LAKE_TEST(the_log_tells_who_did_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
