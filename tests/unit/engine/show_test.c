/* SHOW and DESCRIBE: lists, one table's looks, and statements that make it again. */
#include "lake_fixture.h"

static void lists_are_filtered(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema bronze; create schema bronze.raw; create schema gold;"
                 "create table bronze.orders (a int); create table bronze.users (a int);"
                 "create table bronze.raw.orders (a int); create table t (a int);"
                 "create view gold.o as select * from bronze.orders");
    lake_expect(f, "show tables", "bronze|orders\nbronze|users\nbronze.raw|orders\ndefault|t");
    lake_expect(f, "show tables in bronze", "bronze|orders\nbronze|users");
    lake_expect(f, "show tables from bronze.raw", "bronze.raw|orders");
    lake_expect(f, "show tables like 'ord%'", "bronze|orders\nbronze.raw|orders");
    lake_expect(f, "show tables in bronze like '_sers'", "bronze|users");
    lake_expect(f, "show tables like 'T|*ERS'",
                "bronze|orders\nbronze|users\nbronze.raw|orders\ndefault|t");
    lake_expect(f, "show tables like 'order'", "");
    lake_expect(f, "show views", "gold|o");
    lake_expect(f, "show views in bronze", "");
    lake_expect(f, "show schemas", "bronze\nbronze.raw\ndefault\ngold");
    lake_expect(f, "show namespaces in bronze", "bronze.raw");
    lake_contains(lake_fails(f, "show tables in bronz", FIRN_E_NO_NAMESPACE), "bronze");
    lake_contains(lake_fails(f, "show tables bronze", FIRN_E_SYNTAX), "line 1, column 13");
}

static void a_table_is_described(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (id bigint primary key, ts timestamp comment "
                 "'when', n int default 5) partitioned by (days(ts)) ordered by id "
                 "tblproperties ('format-version' = '3', 'k' = 'v');"
                 "insert into s.t values (1, '2024-01-02', 3)");
    const char *columns = "id|BIGINT|NO|PRI|NULL|NULL\nts|TIMESTAMP|YES|NULL|NULL|when\n"
                          "n|INTEGER|YES|NULL|5|NULL";
    lake_expect(f, "describe s.t", columns);
    lake_expect(f, "desc table s.t", columns);
    lake_expect(f, "show columns in s.t", columns);
    lake_expect(f, "show columns from t in s", columns);
    lake_expect(f, "show s.t", columns);
    const char *more = lake_text(f, "describe extended s.t");
    lake_contains(more, "# partitioned by|days(ts)|");
    lake_contains(more, "# ordered by|id|");
    lake_contains(more, "# format version|3|");
    lake_contains(more, "# rows|1|");
    lake_contains(more, "# data files|1|");
    lake_contains(more, "# property k|v|");
    lake_contains(lake_text(f, "show partitions s.t"), "2024-01-02");
    lake_contains(lake_fails(f, "describe s.tt", FIRN_E_NO_TABLE), "Did you mean s.t?");
    lake_exec(f, "create branch b; alter table s.t drop column n");
    lake_expect(f, "describe s.t@b", columns);
}

static void queries_are_described_by_duckdb(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a decimal(9, 2))");
    lake_expect(f, "describe select a, a is null as b from t",
                "a|DECIMAL(9,2)|YES|NULL|NULL|NULL\nb|BOOLEAN|YES|NULL|NULL|NULL");
    lake_expect(f, "show current schema", "main|default");
    lake_contains(lake_text(f, "show functions like 'date_tr%'"), "date_trunc");
    lake_contains(lake_fails(f, "show tabels", FIRN_E_SYNTAX), "Did you mean SHOW tables?");
    lake_contains(lake_fails(f, "show brnches in t", FIRN_E_SYNTAX), "SHOW branches?");
    lake_fails(f, "show something_else", FIRN_E_NO_TABLE);
    lake_fails(f, "show", FIRN_E_SYNTAX);
    lake_fails(f, "describe", FIRN_E_SYNTAX);
}

/* What SHOW CREATE TABLE prints makes a table that prints the same. */
static void statements_make_the_table_again(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "create table t (id bigint primary key comment 'it''s', \"a b\" int, \"select\" int, "
              "st struct<\"x y\": int not null comment 'c', z: array<struct<q: date>>>, "
              "m map<string, decimal(9, 2)>, d date default '2024-02-15', s string default 'o''k', "
              "bin binary default '\\xAB\\x00', n double default 1.5, ts timestamptz, "
              "fx fixed(3), nn array(int not null)) "
              "partitioned by (days(ts), bucket(8, id), truncate(2, s) as cut, \"a b\") "
              "write ordered by (id desc, \"select\" nulls last, bucket(3, s)) comment 'all' "
              "tblproperties ('format-version' = '3', 'a''b' = 'c')");
    const char *first = lake_text(f, "show create table t");
    lake_exec(f, "drop table t");
    lake_exec(f, first);
    lake_expect(f, "show create table t", first);
    lake_contains(first, "  \"select\" INTEGER,\n");
    lake_contains(first,
                  "PARTITIONED BY (days(ts), bucket(8, id), truncate(2, s) AS cut, \"a b\")");
    assert_null(strstr(first, "LOCATION")); /* two tables must not share a folder */
    lake_exec(f, "create view v (a, b comment 'c') comment 'w' as select id, \"a b\" from t");
    const char *view = lake_text(f, "show create view v");
    lake_exec(f, "drop view v");
    lake_exec(f, view);
    lake_contains(lake_text(f, "describe v"), "b|INTEGER|YES|NULL|NULL|c");
    lake_exec(f, "create view w (x) as select id from t");
    const char *plain = lake_text(f, "show create view w");
    lake_exec(f, "drop view w");
    lake_exec(f, plain);
    lake_expect(f, "show create view w", plain);
}

static void properties_are_shown(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int) tblproperties ('x' = '1')");
    const char *all = lake_text(f, "show tblproperties t");
    lake_contains(all, "format-version|2");
    lake_contains(all, "x|1");
    lake_expect(f, "show tblproperties t ('x')", "x|1");
    lake_expect(f, "show tblproperties t ('format-version')", "format-version|2");
}

#define LAKE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAKE_TEST(lists_are_filtered),
        LAKE_TEST(a_table_is_described),
        LAKE_TEST(queries_are_described_by_duckdb),
        LAKE_TEST(statements_make_the_table_again),
        LAKE_TEST(properties_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
