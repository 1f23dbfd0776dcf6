/* Schemas and tables: CREATE in all its forms, DROP, COMMENT ON. */
#include "lake_fixture.h"

/* The metadata of a table on the session's branch. */
static const firn_metadata *metadata_of(lake_fixture *f, const char *ns, const char *name)
{
    firn_table *table = FIRN_NEW(f->arena, firn_table);
    firn_err err = {0};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena,
                                       firn_session_ref(f->session),
                                       (firn_ident){.ns = ns, .name = name}, table, &err),
               &err, name);
    return table->metadata;
}

static const char *property(const firn_metadata *metadata, const char *key)
{
    return firn_metadata_property(metadata, key, "(none)");
}

/* Everything below the warehouse. */
static size_t count_objects(lake_fixture *f)
{
    firn_storage_object *objects = NULL;
    size_t n = 0;
    firn_err err = {0};
    const char *prefix = firn_arena_printf(f->arena, "file://%s/warehouse/", f->root);
    lake_check(firn_storage_list(firn_lake_storage(f->lake), f->arena, prefix, &objects, &n, &err),
               &err, "list");
    return n;
}

/* ---- schemas --------------------------------------------------------------------------------------------- */

static void schemas_nest_and_carry_properties(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "create schema if not exists a.b.c comment 'deep' with (owner = 'me')",
                "created schema a.b.c");
    lake_expect(f, "create namespace if not exists a.b.c", "schema a.b.c is already there");
    lake_fails(f, "create database a.b.c", FIRN_E_EXISTS);
    lake_expect(f, "show schemas like 'a%'", "a\na.b\na.b.c");
    lake_expect(f, "show schemas in a.b", "a.b.c");
    lake_exec(f, "alter schema a.b.c set dbproperties ('x' = '1'); "
                 "alter schema a.b.c unset properties (owner)");
    const char *text = lake_text(f, "describe schema a.b.c");
    lake_contains(text, "comment|deep");
    lake_contains(text, "x|1");
    assert_null(strstr(text, "owner"));
    lake_contains(lake_fails(f, "create or replace schema a", FIRN_E_UNSUPPORTED), "CASCADE");
    lake_contains(lake_fails(f, "create schema x y", FIRN_E_SYNTAX), "line 1, column 17");
}

static void a_full_schema_is_dropped_only_with_cascade(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s.inner; create table s.t (a int); create table s.inner.u (a int);"
                 "create view s.v as select * from s.t");
    lake_contains(lake_fails(f, "drop schema s", FIRN_E_NOT_EMPTY), "CASCADE");
    lake_expect(f, "show tables", "s|t\ns.inner|u");
    lake_expect(f, "drop schema s cascade", "dropped schema s and 4 in it");
    lake_expect(f, "show tables", "");
    lake_expect(f, "show schemas", "default");
    lake_fails(f, "drop schema s", FIRN_E_NO_NAMESPACE);
    lake_expect(f, "drop schema if exists s", "there was no schema s");
    lake_contains(lake_text(f, "show log limit 1"), "drop schema s");
}

static void use_changes_where_names_are_looked_up(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s.x; use s.x; create table t (a int)");
    lake_expect(f, "show tables", "s.x|t");
    lake_expect(f, "show current schema", "main|s.x");
    lake_exec(f, "use schema \"default\"");
    lake_fails(f, "describe t", FIRN_E_NO_TABLE);
    lake_contains(lake_fails(f, "use sx", FIRN_E_NO_NAMESPACE), "sx");
    lake_contains(lake_fails(f, "create table nowhere.t (a int)", FIRN_E_NO_NAMESPACE), "nowhere");
}

/* ---- CREATE TABLE -------------------------------------------------------------------------------------------- */

static void a_table_has_all_that_its_statement_says(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f,
                "create table t (id bigint not null comment 'the key', ts timestamp, "
                "s string, st struct<a: int, b: array<string>>, m map<string, int>) "
                "using iceberg partitioned by (days(ts), bucket(8, id), truncate(s, 4), st.a, "
                "bucket(4, s) as y) write ordered by id desc nulls first, ts "
                "comment 'it''s' tblproperties ('k' = 'v', write.delete.mode = 'merge-on-read')",
                "created table default.t");
    const firn_metadata *metadata = metadata_of(f, "default", "t");
    assert_int_equal(metadata->format_version, 2);
    assert_int_equal(metadata->schema->root.n_fields, 5);
    assert_true(metadata->schema->root.fields[0].required);
    assert_string_equal(metadata->schema->root.fields[0].doc, "the key");
    static const char *const fields[][2] = {{"ts_day", "day"},
                                            {"id_bucket_8", "bucket[8]"},
                                            {"s_trunc", "truncate[4]"},
                                            {"st.a", "identity"},
                                            {"y", "bucket[4]"}};
    assert_int_equal(metadata->spec->n_fields, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(metadata->spec->fields[i].transform.name, fields[i][1]);
        assert_int_equal(metadata->spec->fields[i].field_id, 1000 + (int)i);
    }
    assert_string_equal(metadata->spec->fields[0].name, "ts_day");
    assert_string_equal(metadata->spec->fields[4].name, "y");
    assert_int_equal(metadata->sort_order->n_fields, 2);
    assert_true(metadata->sort_order->fields[0].descending);
    assert_false(metadata->sort_order->fields[0].nulls_last);
    assert_false(metadata->sort_order->fields[1].nulls_last);
    assert_string_equal(property(metadata, "comment"), "it's");
    assert_string_equal(property(metadata, "k"), "v");
    assert_string_equal(property(metadata, "write.delete.mode"), "merge-on-read");
    assert_string_equal(property(metadata, "write.parquet.compression-codec"), "zstd");
    assert_string_equal(property(metadata, "format-version"), "(none)"); /* is the version */
}

static void keys_become_identifier_fields(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table one (id bigint primary key, a int);"
                 "create table two (a int, b string, c int, primary key (a, b))");
    assert_int_equal(metadata_of(f, "default", "one")->schema->n_identifier_field_ids, 1);
    const firn_schema *schema = metadata_of(f, "default", "two")->schema;
    assert_int_equal(schema->n_identifier_field_ids, 2);
    assert_true(schema->root.fields[1].required);
    assert_false(schema->root.fields[2].required);
    lake_exec(f, "create table twice (id bigint primary key, primary key (ID))");
    assert_int_equal(metadata_of(f, "default", "twice")->schema->n_identifier_field_ids, 1);
    lake_contains(lake_fails(f, "create table x (a double primary key)", FIRN_E_TYPE), "no key");
    lake_contains(lake_fails(f, "create table x (aa int, primary key (a))", FIRN_E_NO_COLUMN),
                  "Did you mean aa?");
}

static void defaults_need_version_three_and_constants(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int default 40 + 2 not null, s string default 'it''s', "
                 "d date default '2024-02-15', n decimal(5, 2) default 1.5, b binary default "
                 "'\\x00\\xFF', z int default null, ts timestamp default timestamp "
                 "'2024-01-02 03:04:05') tblproperties ('format-version' = '3')");
    const firn_schema *schema = metadata_of(f, "default", "t")->schema;
    static const char *const json[] = {"42", "\"it's\"", "\"2024-02-15\"", "\"1.50\"", "\"00ff\""};
    for (size_t i = 0; i < 5; i++) {
        const char *text = json_dumps(schema->root.fields[i].write_default, JSON_ENCODE_ANY);
        assert_non_null(text);
        assert_int_equal(strcasecmp(text, json[i]), 0);
        free((char *)text);
    }
    assert_null(schema->root.fields[5].write_default);
    assert_non_null(schema->root.fields[6].write_default);
    lake_contains(lake_fails(f, "create table x (a int default 1)", FIRN_E_UNSUPPORTED),
                  "'format-version' = '3'");
    lake_contains(lake_fails(f,
                             "create table x (a timestamp default now()) tblproperties "
                             "('format-version' = '3')",
                             FIRN_E_UNSUPPORTED),
                  "line 1, column 37");
    lake_contains(lake_fails(f,
                             "create table x (a int default 'x') tblproperties "
                             "('format-version' = '3')",
                             FIRN_E_TYPE),
                  "DEFAULT of column a");
    lake_fails(f, "create table x (a int default (select 1)) with ('format-version' = '3')",
               FIRN_E_UNSUPPORTED);
}

static void bad_tables_are_refused_with_the_reason(void **state)
{
    lake_fixture *f = *state;
    static const struct {
        const char *sql;
        firn_rc code;
        const char *part;
    } rows[] = {
        {"create table x (a int,, b int)", FIRN_E_SYNTAX, "line 1, column 23"},
        {"create table x (a int, A int)", FIRN_E_INVALID, "two columns named A"},
        {"create table x (a itn)", FIRN_E_TYPE, "Did you mean int?"},
        {"create table x (a hugeint)", FIRN_E_TYPE, "DECIMAL(38, 0)"},
        {"create table x", FIRN_E_SYNTAX, "columns"},
        {"create table x ()", FIRN_E_SYNTAX, "a name"},
        {"create table x (a int) using delta", FIRN_E_UNSUPPORTED, "delta"},
        {"create table x (a int unique)", FIRN_E_UNSUPPORTED, "checks"},
        {"create table x (a int, foreign key (a) references y)", FIRN_E_UNSUPPORTED, "checks"},
        {"create table x (a int) partitioned by (b)", FIRN_E_NO_COLUMN, "b"},
        {"create table x (a int) partitioned by (days(a))", FIRN_E_INVALID, "day"},
        {"create table x (a int) partitioned by (dayz(a))", FIRN_E_SYNTAX, "did you mean days?"},
        {"create table x (a int) partitioned by (bucket(0, a))", FIRN_E_INVALID, "bucket"},
        {"create table x (a int) partitioned by (bucket(a))", FIRN_E_SYNTAX, ","},
        {"create table x (a int) partitioned by (a, a)", FIRN_E_INVALID, "a"},
        {"create table x (a int[]) ordered by a", FIRN_E_INVALID, "order"},
        {"create table x (a int) tblproperties ('a' = '1', 'a' = '2')", FIRN_E_INVALID, "twice"},
        {"create table x (a int) tblproperties ('format-version' = '9')", FIRN_E_INVALID, "'9'"},
        {"create table x (a timestamp_ns)", FIRN_E_INVALID, "3"},
        {"create table x (a int) as select 1", FIRN_E_SYNTAX, "CAST"},
        {"create table x (a, b) as select 1", FIRN_E_INVALID, "2 column names"},
        {"create table x as select 1 as a, 2 as a", FIRN_E_INVALID, "two columns named a"},
        {"create table x as", FIRN_E_SYNTAX, "query"},
        {"create table x as insert into y values (1)", FIRN_E_SYNTAX, "line 1, column 19"},
        {"create temp table x as delete from y", FIRN_E_SYNTAX, "a query"},
        {"create view x as drop table y", FIRN_E_SYNTAX, "a query"},
        {"create table x as select nothing", FIRN_E_NO_COLUMN, "nothing"},
        {"create table x as select interval 1 day as i", FIRN_E_TYPE, "column i"},
        {"create or replace table if not exists x (a int)", FIRN_E_SYNTAX, "exclude"},
        {"create table t@dev (a int)", FIRN_E_UNSUPPORTED, "USE BRANCH"},
        {"create table \"t$snapshots\" (a int)", FIRN_E_INVALID, "metadata table"},
        {"create table x (a int) location 'relative/path'", FIRN_E_INVALID, "absolute"},
        {"create table x (a int) location ''", FIRN_E_INVALID, "absolute"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lake_contains(lake_fails(f, rows[i].sql, rows[i].code), rows[i].part);
    }
    lake_expect(f, "show tables", "");
}

static void existing_names_are_kept(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int); create view v as select * from t");
    lake_contains(lake_fails(f, "create table t (b int)", FIRN_E_EXISTS), "OR REPLACE");
    lake_contains(lake_fails(f, "create or replace table v (b int)", FIRN_E_EXISTS), "view");
    lake_contains(lake_fails(f, "create view t as select 1 as a", FIRN_E_EXISTS), "table");
    lake_expect(f, "create table if not exists t (b int)", "table default.t is already there");
    lake_expect(f, "show columns in t", "a|INTEGER|YES|NULL|NULL|NULL");
}

/* ---- CREATE TABLE AS ------------------------------------------------------------------------------------------ */

static void a_table_is_made_of_a_query_in_one_commit(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s");
    lake_expect(f,
                "create table s.t partitioned by (k) as select range % 3 as k, range as v, "
                "sum(range) over () as total from range(10)",
                "created table s.t (10 rows)");
    lake_expect(f, "select k, count(*), sum(v) from s.t group by 1 order by 1",
                "0|4|18\n1|3|12\n2|3|15");
    lake_contains(lake_text(f, "describe s.t"), "total|DECIMAL(38,0)");
    lake_contains(lake_text(f, "show log limit 1"), "create table s.t");
    lake_contains(lake_text(f, "show log limit 2"), "create schema s");
    lake_expect(f, "create table s.u (x, y) as (select 1, 'a') partitioned by (x)",
                "created table s.u (1 row)");
    lake_expect(f, "select x, y from s.u", "1|a");
    lake_expect(f, "create table s.w as select * from s.t with no data", "created table s.w");
    lake_expect(f, "select count(*) from s.w", "0");
    lake_expect(f, "create table s.e as select 1 as a where false", "created table s.e (0 rows)");
    lake_expect(f, "select count(*) from s.e", "0");
}

static void a_failing_query_leaves_no_table(void **state)
{
    lake_fixture *f = *state;
    lake_fails(f, "create table t as select cast(i || 'x' as int) as a from range(5) r(i)",
               FIRN_E_TYPE);
    lake_expect(f, "show tables", "");
    assert_int_equal(count_objects(f), 0);
    lake_exec(f, "create table t as select 1 as a");
    lake_expect(f, "select a from t", "1");
}

static void replacing_keeps_history_and_identity(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint, a int, gone string) partitioned by (a);"
                 "insert into t values (1, 10, 'x'), (2, 20, 'y')");
    const firn_metadata *old = metadata_of(f, "default", "t");
    lake_expect(f,
                "create or replace table t partitioned by (a) tblproperties ('new' = '1') as "
                "select 7::bigint as id, 'text' as a, 1.5::double as fresh",
                "replaced table default.t (1 row)");
    const firn_metadata *new = metadata_of(f, "default", "t");
    assert_string_equal(new->table_uuid, old->table_uuid);
    assert_string_equal(new->location, old->location);
    assert_int_equal(new->n_snapshots, 2);
    assert_int_equal(new->current_snapshot->parent_id, -1);
    assert_int_equal(new->schema->root.fields[0].id, old->schema->root.fields[0].id);
    assert_true(new->schema->root.fields[1].id > old->last_column_id); /* another type */
    assert_true(new->schema->root.fields[2].id > old->last_column_id);
    assert_string_equal(property(new, "new"), "1");
    lake_expect(f, "select id, a, fresh from t", "7|text|1.5");
    const char *travel =
        firn_arena_printf(f->arena, "select id, a, gone from t version as of %lld order by id",
                          (long long)old->current_snapshot->snapshot_id);
    lake_expect(f, travel, "1|10|x\n2|20|y");
    lake_expect(f, "create or replace table t (id bigint)", "replaced table default.t");
    lake_expect(f, "select count(*) from t", "0");
    assert_null(metadata_of(f, "default", "t")->current_snapshot);
    lake_exec(f, "insert into t values (5)");
    lake_expect(f, "select id from t", "5");
    lake_expect(f, travel, "1|10|x\n2|20|y");
}

static void replacing_never_goes_back_a_version(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int) with ('format-version' = '3');"
                 "create or replace table t (a int default 5)");
    assert_int_equal(metadata_of(f, "default", "t")->format_version, 3);
    lake_contains(lake_fails(f, "create or replace table t (a int) with ('format-version' = '2')",
                             FIRN_E_INVALID),
                  "go back");
    lake_exec(f, "create table u (a int); create or replace table u (a int default 5) with "
                 "('format-version' = '3'); insert into u default values");
    lake_expect(f, "select a from u", "5");
}

static void a_table_can_replace_itself(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; "
                 "create or replace table t as select a + 1 as a from t");
    lake_expect(f, "select a from t", "2");
}

static void like_copies_the_layout(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint primary key, ts timestamp not null, st struct<a: int>) "
                 "partitioned by (days(ts), bucket(4, id)) ordered by ts desc comment 'c' "
                 "tblproperties ('p' = '1', 'firn.offsets.orders' = '{}'); "
                 "insert into t values (1, '2024-01-01', {'a': 1})");
    lake_exec(f, "create table u like t tblproperties ('q' = '2')");
    const firn_metadata *t = metadata_of(f, "default", "t");
    const firn_metadata *u = metadata_of(f, "default", "u");
    assert_true(firn_type_equal(&t->schema->root, &u->schema->root));
    assert_int_equal(u->schema->n_identifier_field_ids, 1);
    assert_true(firn_partition_spec_compatible(t->spec, u->spec));
    assert_int_equal(u->sort_order->n_fields, 1);
    assert_string_equal(property(u, "p"), "1");
    assert_string_equal(property(u, "q"), "2");
    assert_string_equal(property(u, "comment"), "(none)");
    assert_string_equal(property(u, "firn.offsets.orders"), "(none)"); /* of the rows */
    assert_null(u->current_snapshot);
    assert_string_not_equal(u->location, t->location);
    assert_string_not_equal(u->table_uuid, t->table_uuid);
}

/* The N-th storage or catalog operation fails, for every N: the lake is as before or as the statement says, and a statement that
 * failed has left no file behind. */
static void any_operation_may_fail(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (a bigint, b int) partitioned by (b);"
                 "insert into s.t select range, 1 from range(5)");
    assert_true(count_objects(f) > 0);
    static const char *const statements[] = {
        "create table s.c partitioned by (k) as select range as a, range % 2 as k from range(4)",
        "create or replace table s.t as select a + 1 as a from s.t",
        "create table s.e (a int)",
        "create view s.v as select * from s.t",
        "create or replace view s.v as select a as b from s.t",
        "alter table s.t add column c int, set tblproperties ('x' = 'y')",
        "alter table s.e rename to d",
        "drop schema s cascade",
    };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        bool done = false;
        for (int n = 1; !done; n++) {
            assert_true(n < 500);
            const char *before = lake_text(f, "show log limit 1");
            size_t objects = count_objects(f);
            firn_err err = {0};
            setenv("FIRN_FAULT_FAIL", firn_arena_printf(f->arena, "%d", n), 1);
            firn_fault_reload();
            firn_rc rc = firn_session_exec(f->session, statements[i], NULL, &err);
            unsetenv("FIRN_FAULT_FAIL");
            firn_fault_reload();
            lake_reopen(f);
            const char *after = lake_text(f, "show log limit 1");
            if (rc == FIRN_OK) {
                assert_string_not_equal(after, before);
                done = true;
            } else if (!err.outcome_unknown) {
                assert_string_equal(after, before);
                if (count_objects(f) != objects) {
                    fail_msg("%s left files behind when operation %d failed: %s", statements[i], n,
                             err.message);
                }
            } else if (!firn_streq(after, before)) {
                done = true; /* it had happened */
            }
        }
    }
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

static void dropped_tables_are_gone_and_their_files_stay(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create branch before");
    lake_expect(f, "drop table t purge",
                "dropped table default.t; its files stay: before has the table, too");
    lake_fails(f, "select * from t", FIRN_E_NO_TABLE);
    lake_expect(f, "select a from t@before", "1");
    lake_fails(f, "drop table t", FIRN_E_NO_TABLE);
    lake_expect(f, "drop table if exists t", "there was no table default.t");
    lake_exec(f, "create table t as select 2 as a");
    lake_expect(f, "select t.a, b.a from t, t@before b", "2|1");
    lake_exec(f, "create view v as select 1 as x");
    lake_contains(lake_fails(f, "drop table v", FIRN_E_NO_TABLE), "view");
}

static void purged_tables_take_their_files_along(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table u as select 7 as a");
    size_t others = count_objects(f);
    lake_exec(f, "create table t as select 1 as a; insert into t values (2)");
    assert_true(count_objects(f) > others + 5);
    lake_contains(lake_text(f, "drop table t purge"), "dropped table default.t and deleted ");
    assert_int_equal(count_objects(f), others);
    lake_expect(f, "select a from u", "7");
    lake_fails(f, "drop table t purge", FIRN_E_NO_TABLE);
    lake_expect(f, "drop table if exists t purge", "there was no table default.t");
}

static void comments_are_set_and_removed(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t (a int, st struct<b: int>);"
                 "comment on table s.t is 'it''s t'; comment on column s.t.a is 'one';"
                 "comment on column s.t.st.b is 'two'; comment on schema s is 'three'");
    const firn_metadata *metadata = metadata_of(f, "s", "t");
    assert_string_equal(property(metadata, "comment"), "it's t");
    assert_string_equal(firn_schema_find_name(metadata->schema, "st.b", true)->doc, "two");
    lake_contains(lake_text(f, "describe s.t"), "a|INTEGER|YES|NULL|NULL|one");
    lake_contains(lake_text(f, "describe schema s"), "comment|three");
    lake_exec(f, "comment on table s.t is null; comment on column s.t.a is null");
    metadata = metadata_of(f, "s", "t");
    assert_string_equal(property(metadata, "comment"), "(none)");
    assert_null(metadata->schema->root.fields[0].doc);
    lake_contains(lake_fails(f, "comment on column s.t.st.c is 'x'", FIRN_E_NO_COLUMN),
                  "Did you mean st.b?");
    lake_fails(f, "comment on table s.x is 'x'", FIRN_E_NO_TABLE);
}

#define LAKE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAKE_TEST(schemas_nest_and_carry_properties),
        LAKE_TEST(a_full_schema_is_dropped_only_with_cascade),
        LAKE_TEST(use_changes_where_names_are_looked_up),
        LAKE_TEST(a_table_has_all_that_its_statement_says),
        LAKE_TEST(keys_become_identifier_fields),
        LAKE_TEST(defaults_need_version_three_and_constants),
        LAKE_TEST(bad_tables_are_refused_with_the_reason),
        LAKE_TEST(existing_names_are_kept),
        LAKE_TEST(a_table_is_made_of_a_query_in_one_commit),
        LAKE_TEST(a_failing_query_leaves_no_table),
        LAKE_TEST(replacing_keeps_history_and_identity),
        LAKE_TEST(replacing_never_goes_back_a_version),
        LAKE_TEST(a_table_can_replace_itself),
        LAKE_TEST(like_copies_the_layout),
        LAKE_TEST(any_operation_may_fail),
        LAKE_TEST(dropped_tables_are_gone_and_their_files_stay),
        LAKE_TEST(purged_tables_take_their_files_along),
        LAKE_TEST(comments_are_set_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
