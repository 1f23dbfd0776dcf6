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
    lake_fails(f, "create or replace branch v1", FIRN_E_EXISTS); /* a tag */
    lake_fails(f, "create branch if not exists v1", FIRN_E_EXISTS);
    lake_fails(f, "create or replace branch if not exists b", FIRN_E_SYNTAX);
    lake_fails(f, "create or replace branch main from v1", FIRN_E_INVALID);
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

static void branches_are_replaced_reset_and_renamed(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create branch dev");
    const char *first = firn_arena_strndup(f->arena, lake_text(f, "show log main limit 1"), 32);
    lake_exec(f, "insert into t values (2)");
    lake_expect(f, "select count(*) from t@dev", "1");
    lake_expect(f, "create or replace branch dev from main", "put branch dev from main");
    lake_expect(f, "select count(*) from t@dev", "2");
    lake_exec(f,
              firn_arena_printf(f->arena, "create or replace branch dev from main at %s", first));
    lake_expect(f, "select count(*) from t@dev", "1");
    lake_exec(f, "use branch dev; insert into t values (3), (4); use branch main");
    lake_contains(
        lake_text(f, firn_arena_printf(f->arena, "alter branch dev reset to %.8s", first)),
        "reset branch dev to ");
    lake_expect(f, "select count(*) from t@dev", "1");
    lake_contains(lake_text(f, "reset branch main to branch dev"), "reset branch main to dev");
    lake_expect(f, "select count(*) from t", "1");
    lake_expect(f, "alter branch dev rename to fix/1", "renamed branch dev to fix/1");
    lake_expect(f, "select count(*) from t@\"fix/1\"", "1");
    lake_fails(f, "alter tag fix/1 rename to x", FIRN_E_NO_REF);
    lake_exec(f, "create tag v1");
    lake_fails(f, "alter branch v1 reset to main", FIRN_E_READ_ONLY);
    lake_fails(f, "alter tag v1 reset to main", FIRN_E_SYNTAX);
    lake_fails(f, "alter branch dev", FIRN_E_SYNTAX);
    lake_fails(f, "reset branch main to nowhere", FIRN_E_NO_REF);
    lake_exec(f, "reset threads"); /* DuckDB's own RESET */
}

static void tables_that_both_sides_changed_merge(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create branch dev; use branch dev;"
                 "alter table t add column b varchar; insert into t values (2, 'x');"
                 "use branch main; insert into t values (3)");
    lake_expect(f, "merge branch dev into main dry run",
                "would merge dev into main: default.t with the changes of both, 1 commit");
    lake_expect(f, "select count(*) from t", "2");
    lake_expect(f, "merge branch dev into main",
                "merged dev into main: default.t +1 row, 1 commit");
    lake_expect(f, "select a, b from t order by a", "1|NULL\n2|x\n3|NULL");
    lake_exec(f, "insert into t values (4, 'y')");
    lake_expect(f, "select count(*), count(b) from t", "4|2");
    lake_expect(f, "merge branch dev into main", "main has everything that dev has");
}

static void conflicts_are_listed_forced_or_left_out(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "create schema s; create table t as select 1 as a; create table s.u as select 1 as a;"
              "create table v as select 1 as a; create branch dev; use branch dev;"
              "delete from t; update s.u set a = 7; insert into v values (2);"
              "use branch main; insert into t values (3); alter table s.u add column b int");
    const char *rows = lake_text(f, "merge branch dev into main dry run");
    lake_contains(rows,
                  "t|VALUE_DIFFERS|changed on both main and dev (dev deleted rows (snapshot ");
    lake_contains(rows, "s.u|VALUE_DIFFERS|changed on both main and dev (dev overwrote rows ");
    lake_contains(rows, "skip it (as main has it)");
    lake_contains(lake_fails(f, "merge branch dev into main", FIRN_E_VALIDATION), "(and 1 more)");
    lake_expect(
        f, "merge branch dev into main dry run force t skip s.u",
        "would merge dev into main: default.t -2 rows, default.v +1 row, 1 commit, 1 left out");
    lake_expect(f, "merge branch dev into main skip s.u force t",
                "merged dev into main: default.t -2 rows, default.v +1 row, 1 commit, 1 left out");
    lake_expect(f, "select count(*) from t", "0");
    lake_expect(f, "select a from s.u", "1");
    lake_contains(lake_fails(f, "merge branch dev into main skip tt", FIRN_E_NO_TABLE), "tt");
    lake_fails(f, "merge branch dev into main skip", FIRN_E_SYNTAX);
    lake_exec(f, "use branch dev; delete from v; use branch main; insert into v values (9)");
    lake_expect(f, "merge branch dev into main force all",
                "merged dev into main: default.v -3 rows, 1 commit");
}

static void commits_are_picked(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create branch dev; use branch dev;"
                 "insert into t values (2); insert into t values (3)");
    const char *last = firn_arena_strndup(f->arena, lake_text(f, "show log dev limit 1"), 32);
    lake_exec(f, "use branch main; insert into t values (4)");
    lake_expect(f, firn_arena_printf(f->arena, "cherry pick %s into main dry run", last),
                "would pick 1 commit into main: default.t with the changes of both");
    lake_expect(f, firn_arena_printf(f->arena, "cherry-pick %.10s into main", last),
                "picked 1 commit into main: default.t +1 row");
    lake_expect(f, "select a from t order by a", "1\n3\n4");
    lake_exec(f, "create branch again from dev");
    lake_expect(f, "cherry pick again into dev", "dev has all of that already");
    lake_fails(f, "cherry pick into main", FIRN_E_SYNTAX);
    lake_fails(f, "cherry pick nowhere into main", FIRN_E_NO_REF);
    lake_fails(f, "cherry main", FIRN_E_SYNTAX);
}

static void differences_are_shown(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "create table t (a int); create table gone as select 1 as a; create branch dev;"
           "use branch dev; insert into t values (1), (2); alter table t add column b varchar;"
           "alter table t rename column a to c; drop table gone; create view v as select 1 as x");
    lake_expect(f, "show diff main dev",
                "removed|table|default.gone|0|1|0|\n"
                "changed|table|default.t|2|0|1|column a renamed to c, column b string added\n"
                "added|view|default.v|NULL|NULL|NULL|");
    lake_expect(f, "show diff from dev to dev", "");
    lake_contains(lake_text(f, "show diff main"), "changed|table|default.t");
    lake_fails(f, "show diff main nowhere", FIRN_E_NO_REF);
    lake_exec(f, "create table diff (a int)");
    lake_contains(lake_text(f, "show diff"), "a|");
}

#define LAKE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAKE_TEST(work_on_a_branch_is_merged),
        LAKE_TEST(a_merge_tells_what_it_took),
        LAKE_TEST(conflicts_merge_nothing),
        LAKE_TEST(names_and_places_of_refs),
        LAKE_TEST(refs_are_listed_and_dropped),
        LAKE_TEST(the_log_tells_who_did_what),
        LAKE_TEST(branches_are_replaced_reset_and_renamed),
        LAKE_TEST(tables_that_both_sides_changed_merge),
        LAKE_TEST(conflicts_are_listed_forced_or_left_out),
        LAKE_TEST(commits_are_picked),
        LAKE_TEST(differences_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
