/* ALTER TABLE: columns, partitions, order, properties, and the table's own branches and tags. */
#include "lake_fixture.h"

#include <pthread.h>

static const firn_metadata *metadata_of(lake_fixture *f, const char *name)
{
    firn_table *table = FIRN_NEW(f->arena, firn_table);
    firn_err err = {0};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena,
                                       firn_session_ref(f->session),
                                       (firn_ident){.ns = "default", .name = name}, table, &err),
               &err, name);
    return table->metadata;
}

static void columns_are_added_anywhere(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint, st struct<a: int>, li array<struct<x: int>>, "
                 "m map<string, struct<y: int>>); insert into t values "
                 "(1, {'a': 1}, [{'x': 1}], map {'k': {'y': 1}})");
    lake_expect(f, "alter table t add column name string comment 'who' after id",
                "altered table default.t");
    lake_exec(f, "alter table t add columns (one int first, two int before st);"
                 "alter table t add column st.b string first;"
                 "alter table t add column li.element.z double;"
                 "alter table t add column m.value.w int;"
                 "alter table t add column if not exists id int;"
                 "alter table t add column if not exists three int");
    lake_expect(f, "show columns in t",
                "one|INTEGER|YES|NULL|NULL|NULL\n"
                "id|BIGINT|YES|NULL|NULL|NULL\n"
                "name|VARCHAR|YES|NULL|NULL|who\n"
                "two|INTEGER|YES|NULL|NULL|NULL\n"
                "st|STRUCT(b VARCHAR, a INTEGER)|YES|NULL|NULL|NULL\n"
                "li|STRUCT(x INTEGER, z DOUBLE)[]|YES|NULL|NULL|NULL\n"
                "m|MAP(VARCHAR, STRUCT(y INTEGER, w INTEGER))|YES|NULL|NULL|NULL\n"
                "three|INTEGER|YES|NULL|NULL|NULL");
    lake_expect(f, "select id, name, st.a, st.b, li[1].x, li[1].z from t", "1|NULL|1|NULL|1|NULL");
    lake_contains(lake_fails(f, "alter table t add column ID int", FIRN_E_INVALID),
                  "already exists");
    lake_fails(f, "alter table t add column x int not null", FIRN_E_INVALID);
    lake_contains(lake_fails(f, "alter table t add column y int after onne", FIRN_E_NO_COLUMN),
                  "one");
    lake_contains(lake_fails(f, "alter table t add column nothing.x int", FIRN_E_NO_COLUMN),
                  "nothing");
}

static void new_columns_have_defaults_in_version_three(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint) tblproperties ('format-version' = '3');"
                 "insert into t values (1); alter table t add column a int default 42;"
                 "insert into t (id) values (2); alter table t alter column a set default 43;"
                 "insert into t (id) values (3)");
    lake_expect(f, "select id, a from t order by id", "1|42\n2|42\n3|43");
    lake_exec(f, "alter table t alter column a drop default; insert into t (id) values (4)");
    lake_expect(f, "select id, a from t order by id", "1|42\n2|42\n3|43\n4|NULL");
    lake_exec(f, "create table u (id bigint)");
    lake_contains(lake_fails(f, "alter table u add column a int default 1", FIRN_E_UNSUPPORTED),
                  "format version 3");
}

static void columns_are_renamed_dropped_and_moved(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int, b int, st struct<x: int, y: int>);"
                 "insert into t values (1, 2, {'x': 3, 'y': 4});"
                 "alter table t rename column a to aa, rename st.x to xx;"
                 "alter table t alter column b first;"
                 "alter table t alter column st.y before xx");
    lake_expect(f, "select * from t", "2|1|{'y': 4, 'xx': 3}");
    lake_exec(f, "alter table t drop column st.y, drop column aa;"
                 "alter table t drop column if exists aa;"
                 "alter table t add column aa int"); /* a new column, not the old one */
    lake_expect(f, "select * from t", "2|{'xx': 3}|NULL");
    lake_contains(lake_fails(f, "alter table t drop column stt", FIRN_E_NO_COLUMN),
                  "Did you mean st?");
    lake_fails(f, "alter table t rename column b to st", FIRN_E_INVALID);
    lake_exec(f, "alter table t drop columns (b, aa)");
    lake_expect(f, "select * from t", "{'xx': 3}");
}

static void types_widen_and_nothing_else(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (i int, r float, d decimal(5, 2), n int not null);"
                 "insert into t values (1, 1.5, 2.25, 3);"
                 "alter table t alter column i type bigint, alter column r set data type double, "
                 "alter column d type decimal(10, 2), alter n drop not null, "
                 "alter column n comment 'may be null'");
    lake_expect(f, "select typeof(i), typeof(r), typeof(d), i, r, d from t",
                "BIGINT|DOUBLE|DECIMAL(10,2)|1|1.5|2.25");
    lake_contains(lake_text(f, "describe t"), "n|INTEGER|YES|NULL|NULL|may be null");
    lake_contains(lake_fails(f, "alter table t alter column i type int", FIRN_E_INVALID), "widen");
    lake_contains(
        lake_fails(f, "alter table t alter column i type int using i::int", FIRN_E_UNSUPPORTED),
        "USING");
    lake_contains(lake_fails(f, "alter table t alter column i set not null", FIRN_E_INVALID),
                  "has rows");
    lake_exec(f, "create table u (i int); alter table u alter column i set not null;"
                 "alter table u set identifier fields i");
    lake_contains(lake_text(f, "describe u"), "i|INTEGER|NO|PRI");
    lake_exec(f, "alter table u drop identifier fields i");
    lake_contains(lake_text(f, "describe u"), "i|INTEGER|NO|NULL");
    lake_fails(f, "alter table u drop identifier fields i", FIRN_E_INVALID);
}

static void partitions_evolve(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint, ts timestamp, s string) partitioned by (days(ts));"
                 "insert into t values (1, '2024-01-02', 'abc');"
                 "alter table t add partition field bucket(4, id) as b;"
                 "insert into t values (2, '2024-01-03', 'abd');"
                 "alter table t replace partition field days(ts) with months(ts), "
                 "drop partition field b, add partition field truncate(s, 2);"
                 "insert into t values (3, '2024-02-03', 'xyz')");
    lake_expect(f, "select id from t order by id", "1\n2\n3");
    lake_contains(lake_text(f, "show create table t"),
                  "PARTITIONED BY (months(ts), truncate(2, s))");
    lake_exec(f, "alter table t drop partition field ts_month; "
                 "alter table t set partitioned by (truncate(s, 2), id)");
    lake_contains(lake_text(f, "show create table t"), "PARTITIONED BY (truncate(2, s), id)");
    lake_expect(f, "select id from t order by id", "1\n2\n3");
    lake_contains(lake_fails(f, "alter table t drop column s", FIRN_E_INVALID), "partition");
    lake_fails(f, "alter table t add partition field id", FIRN_E_INVALID);
    lake_contains(lake_fails(f, "alter table t add partition field days(tss)", FIRN_E_NO_COLUMN),
                  "Did you mean ts?");
}

static void order_properties_and_version(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "create table t (a int, b string);"
              "alter table t write ordered by b desc, bucket(4, a) nulls last;"
              "alter table t set tblproperties ('x' = '1', 'y' = '2'), unset tblproperties ('x')");
    const char *text = lake_text(f, "show create table t");
    lake_contains(text, "WRITE ORDERED BY (b DESC, bucket(4, a) NULLS LAST)");
    lake_expect(f, "show tblproperties t ('y')", "y|2");
    lake_expect(f, "show tblproperties t ('x')", "");
    lake_exec(f, "alter table t write unordered");
    assert_int_equal(metadata_of(f, "t")->sort_order->order_id, 0);
    lake_contains(lake_fails(f, "alter table t unset tblproperties ('x')", FIRN_E_INVALID), "'x'");
    lake_exec(f, "alter table t unset tblproperties if exists ('x')");
    lake_exec(f, "alter table t set tblproperties ('format-version' = '3')");
    assert_int_equal(metadata_of(f, "t")->format_version, 3);
    lake_contains(
        lake_fails(f, "alter table t set tblproperties ('format-version' = '2')", FIRN_E_INVALID),
        "go back");
    const char *location = firn_arena_printf(f->arena, "file://%s/elsewhere/t", f->root);
    lake_exec(f, firn_arena_printf(f->arena, "alter table t set location '%s/'", location));
    assert_string_equal(metadata_of(f, "t")->location, location);
    lake_exec(f, "insert into t values (1, 'x')");
    lake_expect(f, "select * from t", "1|x");
}

static void all_actions_are_one_commit(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int)");
    const char *before = lake_text(f, "show log limit 1");
    lake_contains(
        lake_fails(f, "alter table t add column b int, drop column nothing", FIRN_E_NO_COLUMN),
        "nothing");
    lake_expect(f, "show log limit 1", before);
    lake_exec(f, "alter table t add column b int, set tblproperties ('k' = 'v'), "
                 "add partition field b, rename column a to c");
    lake_contains(lake_text(f, "show log limit 1"), "alter table default.t");
    assert_true(strstr(lake_text(f, "show log limit 2"), before) != NULL);
    const firn_metadata *metadata = metadata_of(f, "t");
    assert_int_equal(metadata->spec->n_fields, 1);
    assert_string_equal(metadata->schema->root.fields[0].name, "c");
}

enum { WRITERS = 4, COLUMNS = 5 };

typedef struct writer {
    firn_engine *engine;
    int number;
    firn_rc rc;
    firn_err err;
} writer;

static void *add_columns(void *ctx)
{
    writer *w = ctx;
    firn_session *session = NULL;
    w->rc = firn_session_new(w->engine, NULL, &session, &w->err);
    for (int i = 0; i < COLUMNS && w->rc == FIRN_OK; i++) {
        char sql[128];
        snprintf(sql, sizeof(sql),
                 "alter table t add column c%d_%d int, set tblproperties ('p%d' = '%d')", w->number,
                 i, w->number, i);
        w->rc = firn_session_exec(session, sql, NULL, &w->err);
    }
    firn_session_free(session);
    return NULL;
}

/* Each is read again against the new head: every column is there, and no two have the same id. */
static void many_alter_at_once(void **state)
{
    lake_fixture *f = *state;
    writer writers[WRITERS] = {0};
    pthread_t threads[WRITERS];
    lake_exec(f, "create table t (id int) tblproperties ('commit.retry.num-retries' = '50')");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.engine = f->engine, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, add_columns, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        lake_check(writers[i].rc, &writers[i].err, "alter");
    }
    const firn_schema *schema = metadata_of(f, "t")->schema;
    assert_int_equal(schema->root.n_fields, 1 + WRITERS * COLUMNS);
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(schema->root.fields[i].id, schema->root.fields[k].id);
        }
    }
    lake_expect(f, "show tblproperties t ('p3')", "p3|4");
}

static void tables_are_renamed(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t as select 1 as a");
    lake_expect(f, "alter table s.t rename to u", "renamed s.t to s.u");
    lake_expect(f, "select a from s.u", "1");
    lake_exec(f, "alter table s.u rename to \"default\".w; create table s.x (a int)");
    lake_expect(f, "select a from w", "1");
    lake_fails(f, "alter table w rename to s.x", FIRN_E_EXISTS);
    lake_fails(f, "alter table s.u rename to v", FIRN_E_NO_TABLE);
    lake_expect(f, "alter table if exists s.u rename to v", "there is no table s.u");
}

static void tables_have_branches_and_tags_of_their_own(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int)");
    lake_contains(lake_fails(f, "alter table t create tag v1", FIRN_E_NO_SNAPSHOT), "empty");
    lake_exec(f, "insert into t values (1);"
                 "alter table t create tag v1 retain 30 days;"
                 "alter table t create branch audit retain 7 days with snapshot retention 3 "
                 "snapshots 12 hours; insert into t values (2)");
    lake_expect(f, "select count(*) from t version as of 'v1'", "1");
    const firn_snapshot_ref *audit = firn_metadata_ref(metadata_of(f, "t"), "audit");
    assert_int_equal(audit->max_ref_age_ms, 7LL * 86400000);
    assert_int_equal(audit->min_snapshots_to_keep, 3);
    assert_int_equal(audit->max_snapshot_age_ms, 12LL * 3600000);
    lake_contains(lake_text(f, "show tags in t"), "v1|TAG|");
    assert_null(strstr(lake_text(f, "show tags in t"), "audit"));
    lake_fails(f, "alter table t create tag v1", FIRN_E_EXISTS);
    lake_exec(f, "alter table t create tag if not exists v1; "
                 "alter table t create or replace tag v1");
    lake_expect(f, "select count(*) from t version as of 'v1'", "2");
    int64_t first = metadata_of(f, "t")->snapshots[0].snapshot_id;
    lake_exec(f, firn_arena_printf(f->arena, "alter table t replace tag v1 as of version %lld",
                                   (long long)first));
    lake_expect(f, "select count(*) from t version as of 'v1'", "1");
    lake_fails(f, "alter table t replace tag v9", FIRN_E_NO_REF);
    lake_fails(f, "alter table t create tag v2 as of version 99", FIRN_E_NO_SNAPSHOT);
    lake_fails(f, "alter table t drop branch v1", FIRN_E_NO_REF);
    lake_fails(f, "alter table t drop branch main", FIRN_E_INVALID);
    lake_exec(f, "alter table t drop tag v1; alter table t drop tag if exists v1;"
                 "alter table t drop branch audit");
    lake_contains(lake_text(f, "show refs in t"), "main|BRANCH|");
}

static void what_is_no_action_is_told(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (a int)");
    lake_contains(lake_fails(f, "alter table t frobnicate", FIRN_E_SYNTAX), "line 1, column 15");
    lake_contains(lake_fails(f, "alter table t alter column a", FIRN_E_SYNTAX), "TYPE");
    lake_contains(lake_fails(f, "alter table t add column b int c", FIRN_E_SYNTAX),
                  "the end of the statement");
    lake_contains(lake_fails(f, "alter table tt add column b int", FIRN_E_NO_TABLE),
                  "Did you mean");
    lake_contains(lake_fails(f, "alter table t add primary key (a)", FIRN_E_UNSUPPORTED),
                  "SET IDENTIFIER FIELDS");
    lake_expect(f, "alter table if exists tt add column b int", "there is no table default.tt");
}

#define LAKE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAKE_TEST(columns_are_added_anywhere),
        LAKE_TEST(new_columns_have_defaults_in_version_three),
        LAKE_TEST(columns_are_renamed_dropped_and_moved),
        LAKE_TEST(types_widen_and_nothing_else),
        LAKE_TEST(partitions_evolve),
        LAKE_TEST(order_properties_and_version),
        LAKE_TEST(all_actions_are_one_commit),
        LAKE_TEST(many_alter_at_once),
        LAKE_TEST(tables_are_renamed),
        LAKE_TEST(tables_have_branches_and_tags_of_their_own),
        LAKE_TEST(what_is_no_action_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
