/* Splitting scripts, finding each statement's handler, types in every spelling, and what a statement reads. */
#include "ddl.h"
#include "read.h"
#include "write.h"

#include "lake_fixture.h"

/* ---- splitting ------------------------------------------------------------------------------------------- */

static void scripts_are_split_at_semicolons_outside_of_quotes(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char **list = NULL;
    size_t n = 0;
    const char *sql = "select ';' ;; -- c;\n  select 2 /* ; */;\nselect $$;$$";
    assert_int_equal(firn_statement_split(arena, sql, &list, &n, NULL), FIRN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(list[0], "select ';'");
    assert_string_equal(list[1], "\n  select 2"); /* where it stands in the script */
    assert_string_equal(list[2], "\n\nselect $$;$$");
    assert_int_equal(firn_statement_split(arena, " -- nothing\n;;", &list, &n, NULL), FIRN_OK);
    assert_int_equal(n, 0);
    firn_err err = {0};
    assert_int_equal(firn_statement_split(arena, "select 'a", &list, &n, &err), FIRN_E_SYNTAX);
}

static void completeness_for_the_shell(void **state)
{
    (void)state;
    assert_true(firn_sql_is_complete("select 1;"));
    assert_true(firn_sql_is_complete("select 1; -- done"));
    assert_true(firn_sql_is_complete(""));
    assert_true(firn_sql_is_complete("-- only a comment\n"));
    assert_false(firn_sql_is_complete("select 1"));
    assert_false(firn_sql_is_complete("select 1; select 2"));
    assert_false(firn_sql_is_complete("select ';"));
    assert_false(firn_sql_is_complete("select (1;"));
    assert_false(firn_sql_is_complete("select 1; /* open"));
    assert_false(firn_sql_is_complete("select $$;"));
}

/* ---- dispatch --------------------------------------------------------------------------------------------- */

static firn_statement_fn handler_of(const char *sql)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    assert_int_equal(firn_parser_open(arena, sql, &parser, NULL), FIRN_OK);
    return firn_statement_handler(&parser);
}

static void leading_words_choose_the_handler(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        firn_statement_fn handler;
    } rows[] = {
        {"select 1", firn_exec_select},
        {"(select 1)", firn_exec_select},
        {"FROM t", firn_exec_select},
        {"with a as (delete from x) select 1", firn_exec_select},
        {"with a as (select 1) from a", firn_exec_select},
        {"with update as (select 1), merge(n) as (select 2) select * from update",
         firn_exec_select},
        {"explain select 1", firn_exec_explain},
        {"describe t", firn_exec_show},
        {"show tables", firn_exec_show},
        {"insert into t values (1)", firn_exec_insert},
        {"insert overwrite t values (1)", firn_exec_insert},
        {"delete from t", firn_exec_delete},
        {"update t set a = 1", firn_exec_update},
        {"merge into t using s on true when matched then delete", firn_exec_merge},
        {"merge branch dev into main", firn_exec_refs},
        {"merge dev into main", firn_exec_refs},
        {"truncate table t", firn_exec_truncate},
        {"copy t to 'x'", firn_exec_copy},
        {"create table t (a int)", firn_exec_create_table},
        {"create or replace table t as select 1", firn_exec_create_table},
        {"create temp table t as select 1", firn_exec_duck},
        {"create or replace temporary view v as select 1", firn_exec_duck},
        {"create macro f(x) as x", firn_exec_duck},
        {"create view v as select 1", firn_exec_view},
        {"create schema s", firn_exec_schema},
        {"create namespace s", firn_exec_schema},
        {"create branch b", firn_exec_refs},
        {"create tag b", firn_exec_refs},
        {"drop table t", firn_exec_drop_table},
        {"drop view t", firn_exec_view},
        {"drop branch t", firn_exec_refs},
        {"alter table t add column a int", firn_exec_alter_table},
        {"alter view t rename to u", firn_exec_view},
        {"comment on table t is 'x'", firn_exec_comment},
        {"use branch dev", firn_exec_refs},
        {"use bronze", firn_exec_schema},
        {"call f('t')", firn_exec_call},
        {"set threads = 1", firn_exec_duck},
        {"pragma version", firn_exec_duck},
        {"frobnicate", NULL},
        {"create nonsense", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (handler_of(rows[i].sql) != rows[i].handler) {
            fail_msg("%s goes elsewhere", rows[i].sql);
        }
    }
}

static void unknown_statements_are_told_the_nearest(void **state)
{
    lake_fixture *f = *state;
    lake_contains(lake_fails(f, "selct 1", FIRN_E_SYNTAX), "Did you mean select?");
    lake_contains(lake_fails(f, "\n  frobnicate", FIRN_E_SYNTAX), "line 2, column 3");
    lake_contains(lake_fails(f, "create tabel t (a int)", FIRN_E_SYNTAX), "did you mean table?");
    lake_contains(lake_fails(f, "create", FIRN_E_SYNTAX), "the statement ends here");
    lake_contains(lake_fails(f, "begin", FIRN_E_UNSUPPORTED), "CREATE BRANCH");
    lake_contains(lake_fails(f, "attach 'x.db'", FIRN_E_UNSUPPORTED), "DuckDB databases");
    lake_contains(lake_fails(f, "install httpfs", FIRN_E_UNSUPPORTED), "extensions");
    lake_contains(lake_fails(f, "create index i on t (a)", FIRN_E_UNSUPPORTED), "PARTITIONED BY");
    lake_contains(
        lake_fails(f, "with a as (select 1) insert into t select * from a", FIRN_E_UNSUPPORTED),
        "behind the target");
}

static void a_script_stops_at_its_first_error_and_says_where(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    const char *script = "create schema one;\n\ncreate schema one;\ncreate schema two";
    assert_int_equal(firn_session_run(f->session, script, NULL, NULL, &err), FIRN_E_EXISTS);
    lake_expect(f, "show schemas like 'one'", "one");
    lake_expect(f, "show schemas like 'two'", "");
    assert_int_equal(firn_session_run(f->session, "select 1;\n drop table t (", NULL, NULL, &err),
                     FIRN_E_SYNTAX);
    lake_contains(err.message, "line 2, column 15");
}

/* ---- types -------------------------------------------------------------------------------------------------- */

static void types_are_read_in_every_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *expected; /* as CREATE TABLE prints it */
    } rows[] = {
        {"int", "INTEGER"},
        {"INTEGER", "INTEGER"},
        {"smallint", "INTEGER"},
        {"long", "BIGINT"},
        {"BIGINT", "BIGINT"},
        {"real", "FLOAT"},
        {"double precision", "DOUBLE"},
        {"string", "VARCHAR"},
        {"varchar(20)", "VARCHAR"},
        {"text", "VARCHAR"},
        {"decimal(9,2)", "DECIMAL(9,2)"},
        {"numeric", "DECIMAL(18,3)"},
        {"decimal(5)", "DECIMAL(5,0)"},
        {"timestamp", "TIMESTAMP"},
        {"timestamp_ntz", "TIMESTAMP"},
        {"timestamp(6) with time zone", "TIMESTAMP WITH TIME ZONE"},
        {"timestamptz", "TIMESTAMP WITH TIME ZONE"},
        {"timestamp_ns", "TIMESTAMP_NS"},
        {"binary", "BLOB"},
        {"fixed[16]", "FIXED(16)"},
        {"uuid", "UUID"},
        {"int[]", "INTEGER[]"},
        {"int[3][]", "INTEGER[][]"},
        {"array<int>", "INTEGER[]"},
        {"list(int not null)", "ARRAY(INTEGER NOT NULL)"},
        {"map<string,array<long>>", "MAP(VARCHAR, BIGINT[])"},
        {"MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, INTEGER)"},
        {"struct<a: int, `b` int>", NULL},
        {"struct<a: int not null comment 'x', \"b c\": string>",
         "STRUCT(a INTEGER NOT NULL COMMENT 'x', \"b c\" VARCHAR)"},
        {"STRUCT(a INTEGER, b STRUCT(c VARCHAR)[])", "STRUCT(a INTEGER, b STRUCT(c VARCHAR)[])"},
        {"variant", "VARIANT"},
        {"geometry('OGC:CRS84')", "GEOMETRY('OGC:CRS84')"},
        {"decimal(39,2)", NULL},
        {"decimal(5,6)", NULL},
        {"hugeint", NULL},
        {"interval", NULL},
        {"timestamp(9)", NULL},
        {"struct<a int, A int>", NULL},
        {"int int", NULL},
        {"map<int>", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_type *type = NULL;
        firn_err err = {0};
        firn_rc rc = firn_type_from_sql(arena, rows[i].sql, &type, &err);
        if ((rc == FIRN_OK) != (rows[i].expected != NULL)) {
            fail_msg("%s: %s", rows[i].sql, rc == FIRN_OK ? "was taken" : err.message);
        }
        if (rc == FIRN_OK) {
            const char *text = firn_type_sql(arena, type);
            assert_string_equal(text, rows[i].expected);
            firn_type *again = NULL;
            assert_int_equal(firn_type_from_sql(arena, text, &again, &err), FIRN_OK);
            assert_true(firn_type_equal(type, again));
        }
    }
}

static void deep_types_are_refused(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_type *type = NULL;
    firn_err err = {0};
    for (int i = 0; i < 100000; i++) {
        firn_buf_puts(&text, "array<");
    }
    assert_int_equal(firn_type_from_sql(arena, firn_buf_cstr(&text), &type, &err), FIRN_E_LIMIT);
    firn_buf_clear(&text);
    firn_buf_puts(&text, "int");
    for (int i = 0; i < 1000; i++) {
        firn_buf_puts(&text, "[]");
    }
    assert_int_equal(firn_type_from_sql(arena, firn_buf_cstr(&text), &type, &err), FIRN_E_LIMIT);
}

static void types_of_queries_widen(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_type *type = NULL;
    firn_err err = {0};
    assert_int_equal(firn_type_of_query(arena, "STRUCT(hugeint HUGEINT)[]", 2, &type, &err),
                     FIRN_OK);
    assert_string_equal(firn_type_sql(arena, type), "STRUCT(hugeint DECIMAL(38,0))[]");
    assert_int_equal(firn_type_of_query(arena, "ENUM('a', 'b')", 2, &type, &err), FIRN_OK);
    assert_int_equal(type->id, FIRN_TYPE_STRING);
    assert_int_equal(firn_type_of_query(arena, "\"NULL\"", 2, &type, &err), FIRN_OK);
    assert_int_equal(type->id, FIRN_TYPE_INT);
    assert_int_equal(firn_type_of_query(arena, "\"NULL\"", 3, &type, &err), FIRN_OK);
    assert_int_equal(type->id, FIRN_TYPE_UNKNOWN);
    assert_int_equal(firn_type_of_query(arena, "INTERVAL", 2, &type, &err), FIRN_E_TYPE);
}

/* ---- references ---------------------------------------------------------------------------------------------- */

static const char *reads(lake_fixture *f, const char *sql)
{
    firn_err err = {0};
    firn_ident *list = NULL;
    size_t n = 0;
    lake_check(firn_session_references(f->session, f->arena, sql, &list, &n, &err), &err, sql);
    const char **names = FIRN_NEW_N(f->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = firn_ident_text(f->arena, list[i]);
    }
    return firn_str_join(f->arena, names, n, " ");
}

static void every_statement_tells_what_it_reads(void **state)
{
    lake_fixture *f = *state;
    static const struct {
        const char *sql, *expected;
    } rows[] = {
        {"select * from bronze.a join s.b using (id)", "bronze.a s.b"},
        {"with c as (select * from bronze.a) select * from c, s.d", "bronze.a s.d"},
        {"select * from t where x in (select y from n.s.u)", "default.t n.s.u"},
        {"select * from range(3)", ""},
        {"insert into s.t select * from s.u", "s.u"},
        {"insert into s.t (a, b) (select * from s.u)", "s.u"},
        {"insert into s.t values ((select max(x) from s.u))", "s.u"},
        {"create table s.t partitioned by (a) as select * from s.u", "s.u"},
        {"create or replace view s.v (a) as select 1 from s.u", "s.u"},
        {"create table s.t (a int)", ""},
        {"delete from s.t where a in (select a from s.u)", "s.t s.u"},
        {"update s.t set a = (select 1 from s.u) from s.v v, s.w where true", "s.t s.v s.w s.u"},
        {"merge into s.t using s.u u on t.a = u.a when matched then delete", "s.t s.u"},
        {"merge into s.t using (select * from s.u) u on true when matched then delete", "s.t s.u"},
        {"copy s.t to 'x.parquet'", "s.t"},
        {"copy (select * from s.u) to 'x.parquet'", "s.u"},
        {"copy s.t from 'x.parquet'", ""},
        {"explain select * from s.u", "s.u"},
        {"select * from s.t version as of 5", "s.t"},
        {"drop table s.t", ""},
        {"set threads = 1", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *found = reads(f, rows[i].sql);
        if (!firn_streq(found, rows[i].expected)) {
            fail_msg("%s reads \"%s\", not \"%s\"", rows[i].sql, found, rows[i].expected);
        }
    }
    firn_ident *list = NULL;
    size_t n = 0;
    firn_err err = {0};
    assert_int_equal(
        firn_session_references(f->session, f->arena, "select from where", &list, &n, &err),
        FIRN_E_SYNTAX);
}

/* ---- what DuckDB runs ------------------------------------------------------------------------------------------ */

static void temporary_tables_live_beside_the_lake(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint)");
    lake_expect(f, "create temp table w as select count(*) n from t", "created temporary table w");
    lake_expect(f, "select n from w", "0");
    lake_expect(f, "describe w", "n|BIGINT|YES|NULL|NULL|NULL");
    lake_exec(f, "alter table w rename column n to m");
    lake_expect(f, "select m from w", "0");
    lake_expect(f, "drop table w", "dropped temporary table w");
    lake_fails(f, "select * from w", FIRN_E_NO_TABLE);
    lake_contains(lake_fails(f, "create temp view v as select * from t", FIRN_E_UNSUPPORTED),
                  "CREATE VIEW");
    lake_exec(f, "create macro twice(x) as x * 2");
    lake_expect(f, "select twice(21)", "42");
}

static void settings_that_firn_needs_are_fixed(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "set threads = 1", "set threads");
    lake_expect(f, "show threads", "1");
    lake_contains(lake_fails(f, "set TimeZone = 'Europe/Paris'", FIRN_E_UNSUPPORTED), "UTC");
    lake_fails(f, "set time zone 'UTC'", FIRN_E_UNSUPPORTED);
    lake_contains(lake_fails(f, "set schema = 'x'", FIRN_E_UNSUPPORTED), "USE");
    lake_fails(f, "reset errors_as_json", FIRN_E_UNSUPPORTED);
    lake_fails(f, "pragma errors_as_json = false", FIRN_E_UNSUPPORTED);
    lake_exec(f, "create table t (id bigint)");
    lake_exec(f, "set variable n = (select count(*) from t)");
    lake_expect(f, "select getvariable('n')", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_are_split_at_semicolons_outside_of_quotes),
        cmocka_unit_test(completeness_for_the_shell),
        cmocka_unit_test(leading_words_choose_the_handler),
        cmocka_unit_test_setup_teardown(unknown_statements_are_told_the_nearest, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_script_stops_at_its_first_error_and_says_where,
                                        lake_setup, lake_teardown),
        cmocka_unit_test(types_are_read_in_every_spelling),
        cmocka_unit_test(deep_types_are_refused),
        cmocka_unit_test(types_of_queries_widen),
        cmocka_unit_test_setup_teardown(every_statement_tells_what_it_reads, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(temporary_tables_live_beside_the_lake, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(settings_that_firn_needs_are_fixed, lake_setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
