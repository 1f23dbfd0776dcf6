/* Views: stored as Iceberg view metadata, planned anew at every use. */
#include "iceberg/view.h"

#include "lake_fixture.h"

static const firn_view *view_of(lake_fixture *f, const char *name)
{
    firn_catalog_entry entry;
    json_t *document = NULL;
    firn_view *view = NULL;
    firn_err err = {0};
    lake_check(firn_catalog_view_load(
                   firn_lake_catalog(f->lake), f->arena, firn_session_ref(f->session),
                   (firn_ident){.ns = "default", .name = name}, &entry, &document, &err),
               &err, name);
    lake_check(firn_view_from_json(f->arena, document, name, &view, &err), &err, name);
    return view;
}

static void a_view_reads_the_present_tables(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint, name string)");
    lake_expect(f, "create view v comment 'names' as select name, id * 2 as twice from t",
                "created view default.v");
    lake_expect(f, "select count(*) from v", "0");
    lake_exec(f, "insert into t values (1, 'a'), (2, 'b')");
    lake_expect(f, "select name, twice from v where twice > 2", "b|4");
    lake_reopen(f);
    lake_expect(f, "select count(*) from v join t using (name)", "2");
    lake_expect(f, "show views", "default|v");
    lake_expect(f, "describe v",
                "name|VARCHAR|YES|NULL|NULL|NULL\ntwice|BIGINT|YES|NULL|NULL|NULL");
    const firn_view *view = view_of(f, "v");
    assert_string_equal(view->dialect, "duckdb");
    assert_string_equal(view->sql, "select name, id * 2 as twice from t");
    assert_int_equal(view->n_default_namespace, 1);
    assert_string_equal(view->default_namespace[0], "default");
    assert_string_equal(json_string_value(json_object_get(view->properties, "comment")), "names");
}

static void names_in_brackets_are_part_of_the_query(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create view v (a comment 'first', \"b c\") as select 1, 'x' -- two\n");
    lake_expect(f, "select \"b c\", a from v", "x|1");
    lake_contains(lake_text(f, "describe v"), "a|INTEGER|YES|NULL|NULL|first");
    lake_contains(lake_fails(f, "create view w (a) as select 1, 2", FIRN_E_INVALID),
                  "1 column names");
    lake_contains(lake_fails(f, "create view w as select 1 as a, 2 as a", FIRN_E_INVALID),
                  "two columns named a");
}

static void names_are_looked_up_where_the_view_was_made(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create table s.t as select 'of s' as x; "
                 "create table t as select 'of default' as x;"
                 "use s; create view v as select x from t; use \"default\"");
    lake_expect(f, "select x from s.v", "of s");
}

static void a_replaced_view_keeps_its_versions(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create view v as select 1 as a");
    const firn_view *first = view_of(f, "v");
    lake_contains(lake_fails(f, "create view v as select 2 as a", FIRN_E_EXISTS), "OR REPLACE");
    lake_expect(f, "create view if not exists v as select 2 as a",
                "view default.v is already there");
    lake_expect(f, "create or replace view v as select 2 as b", "replaced view default.v");
    const firn_view *second = view_of(f, "v");
    assert_string_equal(second->uuid, first->uuid);
    assert_string_equal(second->location, first->location);
    assert_int_equal(second->version_id, 2);
    assert_int_equal(json_array_size(json_object_get(second->json, "versions")), 2);
    assert_int_equal(json_array_size(json_object_get(second->json, "schemas")), 2);
    lake_expect(f, "select b from v", "2");
    lake_exec(f, "alter view v as select 3 as b");
    const firn_view *third = view_of(f, "v");
    assert_int_equal(third->version_id, 3);
    assert_int_equal(json_array_size(json_object_get(third->json, "schemas")), 2); /* as before */
    for (int i = 0; i < 12; i++) {
        lake_exec(f, "alter view v as select 4 as b");
    }
    const firn_view *last = view_of(f, "v");
    assert_int_equal(last->version_id, 15);
    assert_int_equal(json_array_size(json_object_get(last->json, "versions")), 10);
    assert_int_equal(json_array_size(json_object_get(last->json, "version-log")), 10);
}

static void views_are_renamed_changed_and_dropped(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create schema s; create view v as select 1 as a; alter view v rename to s.w;"
                 "alter view s.w set tblproperties ('k' = 'v', 'l' = 'm');"
                 "alter view s.w unset tblproperties ('l'); comment on view s.w is 'hello'");
    lake_expect(f, "select a from s.w", "1");
    lake_contains(lake_text(f, "show create view s.w"), "COMMENT 'hello'");
    lake_fails(f, "select a from v", FIRN_E_NO_TABLE);
    lake_expect(f, "drop view s.w", "dropped view s.w");
    lake_expect(f, "drop view if exists s.w", "there was no view s.w");
    lake_fails(f, "drop view s.w", FIRN_E_NO_VIEW);
    lake_expect(f, "alter view if exists s.w rename to x", "there is no view s.w");
    lake_exec(f, "create table t (a int)");
    lake_contains(lake_fails(f, "drop view t", FIRN_E_NO_VIEW), "table");
}

static void bad_queries_make_no_view(void **state)
{
    lake_fixture *f = *state;
    lake_contains(lake_fails(f, "create view v as select * from nothing", FIRN_E_NO_TABLE),
                  "nothing");
    lake_fails(f, "create view v as select from where", FIRN_E_SYNTAX);
    lake_fails(f, "create view v", FIRN_E_SYNTAX);
    lake_exec(f, "create view v as select 1 as a");
    lake_contains(lake_fails(f, "create or replace view v as select * from v", FIRN_E_INVALID),
                  "itself");
    lake_exec(f, "create view w as select * from v");
    lake_contains(lake_fails(f, "create or replace view v as select * from w", FIRN_E_INVALID),
                  "by way of other views");
    lake_exec(f, "create schema s; create view s.x as select * from v; use s");
    lake_fails(f, "create or replace view \"default\".v as select * from x", FIRN_E_INVALID);
    lake_exec(f, "use \"default\"; drop view s.x; create or replace view v as select 2 as a");
    lake_expect(f, "select a from w", "2");
    lake_expect(f, "show views", "default|v\ndefault|w");
}

static void views_follow_their_branch(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t as select 1 as a; create view v as select a from t;"
                 "create branch dev; use branch dev; insert into t values (2);"
                 "create or replace view v as select sum(a) as a from t");
    lake_expect(f, "select a from v", "3");
    lake_exec(f, "use branch main");
    lake_expect(f, "select a from v", "1");
    lake_exec(f, "merge branch dev into main");
    lake_expect(f, "select a from v", "3");
}

static void corrupt_documents_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        firn_rc code;
        const char *part;
    } rows[] = {
        {"{}", FIRN_E_CORRUPT, "format-version"},
        {"{\"format-version\": 7}", FIRN_E_UNSUPPORTED, "7"},
        {"{\"format-version\": 1, \"view-uuid\": \"u\", \"location\": \"l\", "
         "\"current-version-id\": 2, \"versions\": [{\"version-id\": 1}]}",
         FIRN_E_CORRUPT, "current-version-id is 2"},
        {"{\"format-version\": 1, \"view-uuid\": \"u\", \"location\": \"l\", "
         "\"current-version-id\": 1, \"versions\": [{\"version-id\": 1, \"timestamp-ms\": 1, "
         "\"schema-id\": 0, \"representations\": [{\"type\": \"plan\"}]}]}",
         FIRN_E_UNSUPPORTED, "no SQL"},
        {"{\"format-version\": 1, \"view-uuid\": \"u\", \"location\": \"l\", "
         "\"current-version-id\": 1, \"versions\": [{\"version-id\": 1, \"timestamp-ms\": 1, "
         "\"schema-id\": 5, \"representations\": [{\"type\": \"sql\", \"sql\": \"s\", "
         "\"dialect\": \"spark\"}], \"default-namespace\": [1]}]}",
         FIRN_E_CORRUPT, "default-namespace"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_view *view = NULL;
        firn_err err = {0};
        json_t *json = firn_json_own(arena, json_loads(rows[i].json, 0, NULL));
        assert_non_null(json);
        assert_int_equal(firn_view_from_json(arena, json, "view x", &view, &err), rows[i].code);
        lake_contains(err.message, rows[i].part);
    }
}

static void other_dialects_are_taken_when_there_is_no_own(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const char *const rows[][3] = {{"own", "duckdb", "own"},
                                          {"trino's", "trino", "spark's"}};
    for (size_t i = 0; i < 2; i++) {
        firn_view *view = NULL;
        const char *text = firn_arena_printf(
            arena,
            "{\"format-version\": 1, \"view-uuid\": \"u\", \"location\": \"l\", \"schemas\": "
            "[{\"type\": \"struct\", \"schema-id\": 0, \"fields\": []}], "
            "\"current-version-id\": 1, \"versions\": [{\"version-id\": 1, \"timestamp-ms\": 1, "
            "\"schema-id\": 0, \"representations\": [{\"type\": \"sql\", \"sql\": \"spark's\", "
            "\"dialect\": \"spark\"}, {\"type\": \"sql\", \"sql\": \"%s\", \"dialect\": \"%s\"}], "
            "\"default-namespace\": [\"a\", \"b\"]}], \"unknown\": 1}",
            rows[i][0], rows[i][1]);
        json_t *json = firn_json_own(arena, json_loads(text, 0, NULL));
        assert_int_equal(firn_view_from_json(arena, json, "x", &view, NULL), FIRN_OK);
        assert_string_equal(view->sql, rows[i][2]);
        assert_int_equal(view->n_default_namespace, 2);
        json_t *changed = firn_json_own(
            arena, firn_view_with_properties(
                       json, firn_json_own(arena, json_pack("{s:s, s:n}", "a", "b", "c"))));
        assert_int_equal(json_integer_value(json_object_get(changed, "unknown")), 1);
        assert_null(json_object_get(json, "properties")); /* the base is left alone */
    }
}

/* ---- views that other engines wrote ------------------------------------------------------------------------ */

/* A view with one query, as another engine puts it there by the REST protocol. */
static void put_foreign(lake_fixture *f, const char *name, const char *dialect, const char *sql,
                        const char *const *columns, size_t n)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(fields, json_pack("{s:i, s:s, s:b, s:s}", "id", (int)i, "name",
                                                columns[i], "required", 0, "type", "string"));
    }
    json_t *updates = firn_json_own(
        f->arena,
        json_pack(
            "[{s:s, s:{s:s, s:o}}, {s:s, s:{s:i, s:i, s:i, s:{}, s:[s], s:[{s:s, s:s, s:s}]}},"
            " {s:s, s:i}]",
            "action", "add-schema", "schema", "type", "struct", "fields", fields, "action",
            "add-view-version", "view-version", "version-id", 1, "schema-id", -1, "timestamp-ms", 1,
            "summary", "default-namespace", "default", "representations", "type", "sql", "sql", sql,
            "dialect", dialect, "action", "set-current-view-version", "view-version-id", -1));
    assert_non_null(updates);
    firn_change change = {.kind = FIRN_CHANGE_CREATE_VIEW,
                          .ident = {.ns = "default", .name = name},
                          .updates = updates};
    firn_err err = {0};
    firn_commit_result result;
    lake_check(firn_catalog_commit(firn_lake_catalog(f->lake), f->arena, NULL, &change, 1, NULL,
                                   &result, &err),
               &err, name);
}

static void a_view_of_spark_is_read_in_its_quoting(void **state)
{
    lake_fixture *f = *state;
    static const char *const columns[] = {"a", "b c"};
    lake_exec(
        f, "create table t (id bigint, \"x y\" string); insert into t values (1, 'p'), (2, 'q')");
    put_foreign(
        f, "v", "spark",
        "select `x y`, \"it's `\\\"x\\\"`\" -- `\"\n from `default`.t /* \" */ where id = 2",
        columns, 2);
    lake_expect(f, "select a, \"b c\" from v", "q|it's `\"x\"`");
    /* Spark's name for this catalog is its own. */
    put_foreign(f, "w", "spark", "select id from some_catalog.default.t", columns, 1);
    lake_expect(f, "select sum(a) from w", "3");
    lake_contains(lake_fails(f, "select * from some_catalog.default.t", FIRN_E_NO_TABLE), "t");
    lake_exec(f, "create view over_it as select a from w where a > 1");
    lake_expect(f, "select * from over_it", "2");
}

static void what_another_dialect_says_may_not_be_understood(void **state)
{
    lake_fixture *f = *state;
    static const char *const columns[] = {"a"};
    lake_exec(f, "create table t (id bigint)");
    put_foreign(f, "v", "spark", "select no_such_function(id) from t", columns, 1);
    put_foreign(f, "w", "trino", "select from where", columns, 1);
    lake_contains(lake_fails(f, "select * from v", FIRN_E_INVALID),
                  "in view default.v, whose SQL is spark's and was tried as firn's own");
    lake_contains(lake_fails(f, "select * from w", FIRN_E_SYNTAX),
                  "in view default.w, whose SQL is trino's and was tried as firn's own");
    lake_expect(f, "describe v", "a|VARCHAR|YES|NULL|NULL|NULL");
}

static void a_replacement_keeps_other_dialects_or_says_so(void **state)
{
    lake_fixture *f = *state;
    static const char *const columns[] = {"a"};
    put_foreign(f, "v", "spark", "select 'x' as a", columns, 1);
    lake_contains(lake_fails(f, "create or replace view v as select 1 as a", FIRN_E_INVALID),
                  "loss of view dialects (replace.drop-dialect.allowed=false)");
    lake_exec(f, "create or replace view v tblproperties ('replace.drop-dialect.allowed'='true')"
                 " as select 1 as a");
    lake_expect(f, "select a from v", "1");
}

#define LAKE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAKE_TEST(a_view_reads_the_present_tables),
        LAKE_TEST(names_in_brackets_are_part_of_the_query),
        LAKE_TEST(names_are_looked_up_where_the_view_was_made),
        LAKE_TEST(a_replaced_view_keeps_its_versions),
        LAKE_TEST(views_are_renamed_changed_and_dropped),
        LAKE_TEST(bad_queries_make_no_view),
        LAKE_TEST(views_follow_their_branch),
        LAKE_TEST(a_view_of_spark_is_read_in_its_quoting),
        LAKE_TEST(what_another_dialect_says_may_not_be_understood),
        LAKE_TEST(a_replacement_keeps_other_dialects_or_says_so),
        cmocka_unit_test(corrupt_documents_are_told),
        cmocka_unit_test(other_dialects_are_taken_when_there_is_no_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
