/* Tables made from a schema and texts: the same as CREATE TABLE makes. */
#include "ddl.h"
#include "lake_fixture.h"

#include "engine/table_plan.h"
#include "read.h"

static firn_schema *schema_of(lake_fixture *f, const char *columns)
{
    firn_err err = {0};
    firn_type *type = NULL;
    firn_schema raw = {0};
    int32_t last_id = 0;
    lake_check(firn_type_from_sql(f->arena, firn_arena_printf(f->arena, "struct(%s)", columns),
                                  &type, &err),
               &err, columns);
    raw.root = *type;
    return firn_schema_assign_fresh_ids(f->arena, &raw, &last_id);
}

static void create(lake_fixture *f, const firn_table_plan_options *options)
{
    firn_err err = {0};
    json_t *updates = NULL;
    lake_check(firn_table_plan(f->session, f->arena, options, &updates, &err), &err, "plan");
    json_t *requirements = firn_json_own(f->arena, json_array());
    firn_require_create(requirements);
    firn_change change = {.kind = FIRN_CHANGE_CREATE_TABLE,
                          .ident = options->ident,
                          .requirements = requirements,
                          .updates = updates};
    lake_check(firn_session_commit_changes(f->session, f->arena, &change, 1, "create", NULL, &err),
               &err, "create");
}

#define COLUMNS "id bigint, ts timestamptz, name varchar, st struct<x: bigint>"

static void texts_say_what_create_table_says(void **state)
{
    lake_fixture *f = *state;
    json_t *properties = firn_json_own(f->arena, json_object());
    json_object_set_new(properties, "format-version", json_string("3"));
    json_object_set_new(properties, "write.metadata.metrics.default", json_string("full"));
    create(f, &(firn_table_plan_options){
                  .ident = {.ns = "default", .name = "t"},
                  .schema = schema_of(f, COLUMNS),
                  .partition_by =
                      (const char *[]){"day(ts)", "bucket(16, st.x)", "truncate(4, name) AS pre"},
                  .n_partition_by = 3,
                  .sort_by = (const char *[]){"ID desc", "bucket(4, id) asc nulls last"},
                  .n_sort_by = 2,
                  .properties = properties,
                  .comment = "made by a feed"});
    lake_exec(f,
              "CREATE TABLE u (" COLUMNS
              ") PARTITIONED BY (day(ts), bucket(16, st.x), truncate(4, name) AS pre) "
              "ORDERED BY (id DESC, bucket(4, id) ASC NULLS LAST) COMMENT 'made by a feed' "
              "TBLPROPERTIES ('format-version' = '3', 'write.metadata.metrics.default' = 'full')");
    const char *made = lake_text(f, "SHOW CREATE TABLE t");
    const char *like = lake_text(f, "SHOW CREATE TABLE u");
    assert_string_equal(firn_str_replace(f->arena, made, "\"default\".t", "\"default\".u"), like);
    lake_contains(made, "format-version");
}

static void the_version_is_the_lakes_unless_told(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    int version = 0;
    firn_table_plan_options options = {.ident = {.ns = "default", .name = "t"}};
    lake_check(firn_table_plan_version(f->session, &options, &version, &err), &err, "version");
    assert_int_equal(version, 2);
    options.format_version = 3;
    lake_check(firn_table_plan_version(f->session, &options, &version, &err), &err, "version");
    assert_int_equal(version, 3);
    options.format_version = 1;
    assert_int_equal(firn_table_plan_version(f->session, &options, &version, &err), FIRN_E_INVALID);
}

static void what_is_wrong_is_named(void **state)
{
    lake_fixture *f = *state;
    static const struct {
        const char *partition, *sort, *says;
        firn_rc code;
    } CASES[] = {
        {"day(tss)", NULL, "ts", FIRN_E_NO_COLUMN},
        {"day(ts", NULL, "partition_by of default.t: 'day(ts'", FIRN_E_SYNTAX},
        {"day(ts), id", NULL, "partition_by of", FIRN_E_SYNTAX},
        {"day(name)", NULL, "day", FIRN_E_INVALID},
        {NULL, "idd", "sort_by of default.t: 'idd'", FIRN_E_NO_COLUMN},
        {NULL, "id down", "sort_by", FIRN_E_SYNTAX},
        {NULL, "st", "no order", FIRN_E_INVALID},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        json_t *updates = NULL;
        const firn_table_plan_options options = {.ident = {.ns = "default", .name = "t"},
                                                 .schema = schema_of(f, COLUMNS),
                                                 .partition_by = &CASES[i].partition,
                                                 .n_partition_by = CASES[i].partition != NULL,
                                                 .sort_by = &CASES[i].sort,
                                                 .n_sort_by = CASES[i].sort != NULL};
        f->err = (firn_err){0};
        firn_rc rc = firn_table_plan(f->session, f->arena, &options, &updates, &f->err);
        if (rc != CASES[i].code) {
            fail_msg("case %zu: %s: %s", i, firn_rc_name(rc), f->err.message);
        }
        lake_contains(f->err.message, CASES[i].says);
    }
    json_t *updates = NULL;
    firn_schema empty = {.root = {.id = FIRN_TYPE_STRUCT}};
    const firn_table_plan_options none = {.ident = {.ns = "default", .name = "t"},
                                          .schema = &empty};
    assert_int_equal(firn_table_plan(f->session, f->arena, &none, &updates, &f->err),
                     FIRN_E_INVALID);
}

int main(void)
{
#define PLAN_TEST(test) cmocka_unit_test_setup_teardown(test, lake_setup, lake_teardown)
    const struct CMUnitTest tests[] = {
        PLAN_TEST(texts_say_what_create_table_says),
        PLAN_TEST(the_version_is_the_lakes_unless_told),
        PLAN_TEST(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
