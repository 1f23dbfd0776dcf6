/* View updates and requirements: what each action does, what it refuses, and what is kept and forgotten. */
#include "metadata_testing.h"

#include "iceberg/view_update.h"

#define UUID "fa6506c3-7681-40c8-86dc-e36561f83385"
#define SCHEMA                                                             \
    "{'type':'struct','schema-id':5,'fields':["                            \
    "{'id':3,'name':'id','required':true,'type':'int','doc':'unique ID'}," \
    "{'id':4,'name':'data','required':true,'type':'string'}]}"
#define OTHER_SCHEMA                            \
    "{'type':'struct','schema-id':7,'fields':[" \
    "{'id':1,'name':'some_id','required':true,'type':'int'}]}"

enum { NOW_MS = 5000 };

/* A version's JSON with one query. */
static const char *version(int id, int schema_id, int time_ms, const char *dialect, const char *sql)
{
    return firn_arena_printf(arena,
                             "{'version-id':%d,'schema-id':%d,'timestamp-ms':%d,"
                             "'summary':{'engine-name':'spark'},'default-namespace':['ns'],"
                             "'representations':[{'type':'sql','dialect':'%s','sql':'%s'}]}",
                             id, schema_id, time_ms, dialect, sql);
}

static const char *add(const char *version_json)
{
    return firn_arena_printf(arena, "{'action':'add-view-version','view-version':%s}",
                             version_json);
}

static const char *make_current(int id)
{
    return firn_arena_printf(arena, "{'action':'set-current-view-version','view-version-id':%d}",
                             id);
}

static const char *add_schema(const char *schema)
{
    return firn_arena_printf(arena, "{'action':'add-schema','schema':%s}", schema);
}

static const char *property(const char *key, const char *value)
{
    return firn_arena_printf(arena, "{'action':'set-properties','updates':{'%s':'%s'}}", key,
                             value);
}

#define LOCATION "{'action':'set-location','location':'file:///v/'}"

static firn_rc try_apply_list(const json_t *base, json_t **out, firn_err *err, const char *const *u,
                              size_t n)
{
    const char *text = firn_arena_printf(arena, "[%s]", firn_str_join(arena, u, n, ","));
    return firn_view_updates_apply(arena, base, json_of(text), NOW_MS, out, err);
}

#define LIST(...) \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define TRY_APPLY(base, ...) try_apply_list(base, &ignored, &err, LIST(__VA_ARGS__))

static json_t *apply_list(const json_t *base, const char *const *u, size_t n)
{
    json_t *out = NULL;
    MUST(try_apply_list(base, &out, &err, u, n));
    MUST(firn_view_check(arena, out, "result", &err));
    return out;
}
#define APPLY(base, ...) apply_list(base, LIST(__VA_ARGS__))

static json_t *new_view(void)
{
    return APPLY(NULL, "{'action':'assign-uuid','uuid':'" UUID "'}", LOCATION, add_schema(SCHEMA),
                 add(version(1, -1, 1000, "spark", "select 1")), make_current(-1));
}

static int64_t number(const json_t *view, const char *list, size_t i, const char *key)
{
    return json_integer_value(json_object_get(json_array_get(json_object_get(view, list), i), key));
}

static size_t size(const json_t *view, const char *list)
{
    return json_array_size(json_object_get(view, list));
}

static int64_t current(const json_t *view)
{
    return json_integer_value(json_object_get(view, "current-version-id"));
}

/* "1 2 3": the ids in a list. */
static const char *ids(const json_t *view, const char *list, const char *key)
{
    const char *text = "";
    for (size_t i = 0; i < size(view, list); i++) {
        text = firn_arena_printf(arena, "%s%s%lld", text, i ? " " : "",
                                 (long long)number(view, list, i, key));
    }
    return text;
}

static const char *versions(const json_t *view)
{
    return ids(view, "versions", "version-id");
}

static const char *version_log(const json_t *view)
{
    return ids(view, "version-log", "version-id");
}

/* ---- new views ---------------------------------------------------------------------------------- */

static void a_view_is_made_of_updates(void **state)
{
    (void)state;
    const json_t *view = new_view();
    assert_string_equal(json_string_value(json_object_get(view, "view-uuid")), UUID);
    assert_string_equal(json_string_value(json_object_get(view, "location")), "file:///v");
    assert_int_equal(current(view), 1);
    assert_string_equal(version_log(view), "1");
    assert_int_equal(number(view, "version-log", 0, "timestamp-ms"), 1000);
    assert_int_equal(number(view, "schemas", 0, "schema-id"), 0);
    assert_int_equal(number(view, "versions", 0, "schema-id"), 0);
    const json_t *fields =
        json_object_get(json_array_get(json_object_get(view, "schemas"), 0), "fields");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(fields, 0), "id")), 3);
}

static void what_a_create_request_asks_for_becomes_updates(void **state)
{
    (void)state;
    json_t *updates = firn_json_own(
        arena, firn_view_create_updates("file:///v", json_of(SCHEMA),
                                        json_of(version(1, 5, 1000, "spark", "select 1")),
                                        json_of("{'comment':'c'}")));
    json_t *view = NULL;
    MUST(firn_view_updates_apply(arena, NULL, updates, 0, &view, &err));
    MUST(firn_view_check(arena, view, "result", &err));
    assert_int_equal(number(view, "versions", 0, "schema-id"), 0);
    assert_non_null(json_string_value(json_object_get(view, "view-uuid")));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(view, "properties"), "comment")), "c");
}

static void what_a_new_view_lacks_is_said(void **state)
{
    (void)state;
    json_t *ignored;
    const char *one = version(1, -1, 1000, "spark", "select 1");
    MUST_FAIL(TRY_APPLY(NULL, add_schema(SCHEMA), add(one), make_current(-1)), FIRN_E_INVALID,
              "Invalid location: null");
    MUST_FAIL(TRY_APPLY(NULL, LOCATION), FIRN_E_INVALID, "Invalid view: no versions were added");
    MUST_FAIL(TRY_APPLY(NULL, LOCATION, add(one)), FIRN_E_INVALID,
              "Cannot set last added schema: no schema has been added");
    MUST_FAIL(TRY_APPLY(NULL, LOCATION, add(version(1, 1, 1, "spark", "x"))), FIRN_E_INVALID,
              "Cannot add version with unknown schema: 1");
    MUST_FAIL(TRY_APPLY(NULL, LOCATION, make_current(1)), FIRN_E_INVALID,
              "Cannot set current version to unknown version: 1");
    MUST_FAIL(TRY_APPLY(NULL, LOCATION, make_current(-1)), FIRN_E_INVALID,
              "Cannot set last version id: no current version id has been set");
    MUST_FAIL(TRY_APPLY(NULL, LOCATION, add_schema(SCHEMA), add(one)), FIRN_E_INVALID,
              "no version was made current");
}

static void malformed_updates_are_refused(void **state)
{
    (void)state;
    json_t *ignored;
    const json_t *view = new_view();
    MUST_FAIL(TRY_APPLY(view, "1"), FIRN_E_INVALID, "not a JSON object");
    MUST_FAIL(TRY_APPLY(view, "{'action':'fly'}"), FIRN_E_INVALID, "fly");
    MUST_FAIL(TRY_APPLY(view, "{'action':'add-snapshot'}"), FIRN_E_INVALID, "add-snapshot");
    MUST_FAIL(TRY_APPLY(view, "{'action':'set-location'}"), FIRN_E_INVALID, "location");
    MUST_FAIL(TRY_APPLY(view, "{'action':'set-location','location':''}"), FIRN_E_INVALID, "empty");
    MUST_FAIL(TRY_APPLY(view, add("{'version-id':2}")), FIRN_E_INVALID, "schema-id");
    MUST_FAIL(TRY_APPLY(view, "{'action':'set-properties','updates':{'a':1}}"), FIRN_E_INVALID,
              "'a' is not a string");
    MUST_FAIL(TRY_APPLY(view, "{'action':'remove-properties','removals':[1]}"), FIRN_E_INVALID,
              "not named by a string");
    MUST_FAIL(TRY_APPLY(view, add(version(2147483647, 0, 1, "spark", "x"))), FIRN_E_INVALID,
              "run out of numbers");
    MUST_FAIL(firn_view_updates_apply(arena, view, json_of("{}"), 0, &ignored, &err),
              FIRN_E_INVALID, "not a JSON array");
}

static void uuid_and_format_version_stay(void **state)
{
    (void)state;
    json_t *ignored;
    const json_t *view = new_view();
    assert_ptr_equal(APPLY(view, "{'action':'assign-uuid','uuid':'" UUID "'}",
                           "{'action':'upgrade-format-version','format-version':1}"),
                     view);
    MUST_FAIL(TRY_APPLY(view, "{'action':'assign-uuid','uuid':"
                              "'0190163d-8694-739b-aea5-966c26f8ad90'}"),
              FIRN_E_INVALID, "Cannot reassign uuid");
    MUST_FAIL(TRY_APPLY(NULL, "{'action':'assign-uuid','uuid':'x'}"), FIRN_E_INVALID,
              "is not a UUID");
    MUST_FAIL(TRY_APPLY(view, "{'action':'upgrade-format-version','format-version':0}"),
              FIRN_E_INVALID, "Cannot downgrade v1 view to v0");
    MUST_FAIL(TRY_APPLY(view, "{'action':'upgrade-format-version','format-version':23}"),
              FIRN_E_INVALID, "Unsupported format version: 23");
}

/* ---- versions and schemas ----------------------------------------------------------------------- */

static void ids_are_assigned_and_equal_things_used_again(void **state)
{
    (void)state;
    const json_t *view = new_view();
    const json_t *second = APPLY(view, add_schema(OTHER_SCHEMA),
                                 add(version(1, -1, 2000, "spark", "select 2")), make_current(-1));
    assert_string_equal(versions(second), "1 2");
    assert_int_equal(current(second), 2);
    assert_int_equal(number(second, "schemas", 1, "schema-id"), 1);
    assert_int_equal(number(second, "versions", 1, "schema-id"), 1);
    /* The same query and schema again, under other ids and another time. */
    const json_t *back = APPLY(second, add_schema(SCHEMA),
                               add(version(9, -1, 3000, "spark", "select 1")), make_current(-1));
    assert_int_equal(current(back), 1);
    assert_string_equal(versions(back), "1 2");
    assert_int_equal(size(back, "schemas"), 2);
    assert_string_equal(version_log(back), "1 2 1");
    assert_int_equal(number(back, "version-log", 2, "timestamp-ms"), NOW_MS);
    assert_ptr_equal(APPLY(second, add(version(5, 1, 4000, "spark", "select 2"))), second);
}

static void a_raced_replacement_gets_the_next_number(void **state)
{
    (void)state;
    /* Two clients made version 2 of the same base, one with a new schema. */
    const json_t *view = APPLY(new_view(), property("replace.drop-dialect.allowed", "true"));
    view = APPLY(view, add_schema(OTHER_SCHEMA), add(version(2, -1, 2000, "trino", "select 2")),
                 make_current(-1));
    view = APPLY(view, add(version(2, 0, 2001, "spark", "select 3")), make_current(-1));
    assert_string_equal(versions(view), "1 2 3");
    assert_int_equal(current(view), 3);
    assert_int_equal(number(view, "versions", 2, "schema-id"), 0);
}

static void a_version_has_one_query_per_dialect(void **state)
{
    (void)state;
    json_t *ignored;
    const char *twice =
        "{'version-id':2,'schema-id':0,'timestamp-ms':1,'summary':{},'default-namespace':[],"
        "'representations':[{'type':'sql','dialect':'trino','sql':'a'},"
        "{'type':'sql','dialect':'TRINO','sql':'b'}]}";
    const char *none = "{'version-id':2,'schema-id':0,'timestamp-ms':1,'summary':{},"
                       "'default-namespace':[],'representations':[]}";
    const char *plan = "{'version-id':2,'schema-id':0,'timestamp-ms':1,'summary':{},"
                       "'default-namespace':[],'representations':[{'type':'plan'}]}";
    MUST_FAIL(TRY_APPLY(new_view(), add(twice)), FIRN_E_INVALID,
              "Invalid view version: Cannot add multiple queries for dialect trino");
    MUST_FAIL(TRY_APPLY(new_view(), add(none)), FIRN_E_INVALID, "it has no query");
    MUST_FAIL(TRY_APPLY(new_view(), add(plan)), FIRN_E_INVALID,
              "Found unsupported view representations: [plan]");
}

static void dialects_are_dropped_only_when_allowed(void **state)
{
    (void)state;
    json_t *ignored;
    const json_t *view = new_view();
    const char *trino = add(version(2, 0, 2000, "trino", "select 2"));
    MUST_FAIL(TRY_APPLY(view, trino, make_current(-1)), FIRN_E_INVALID,
              "Cannot replace view due to loss of view dialects "
              "(replace.drop-dialect.allowed=false):\nPrevious dialects: [spark]\n"
              "New dialects: [trino]");
    const json_t *dropped =
        APPLY(view, property("replace.drop-dialect.allowed", "true"), trino, make_current(-1));
    assert_int_equal(current(dropped), 2);
    /* Going back drops the other one. */
    MUST_FAIL(
        TRY_APPLY(dropped, property("replace.drop-dialect.allowed", "false"), make_current(1)),
        FIRN_E_INVALID, "loss of view dialects");
    /* A version that is only added drops nothing. */
    assert_int_equal(current(APPLY(view, trino)), 1);
}

static void members_that_firn_does_not_know_survive(void **state)
{
    (void)state;
    json_t *view = json_deep_copy(new_view());
    firn_json_own(arena, view);
    json_object_set_new(view, "x", json_integer(7));
    const json_t *changed = APPLY(view, property("a", "b"));
    assert_int_equal(json_integer_value(json_object_get(changed, "x")), 7);
    assert_null(json_object_get(json_object_get(view, "properties"), "a"));
}

/* ---- what is kept ------------------------------------------------------------------------------- */

static void old_versions_are_forgotten(void **state)
{
    (void)state;
    const json_t *view = APPLY(
        NULL, LOCATION, add_schema(SCHEMA), property("version.history.num-entries", "2"),
        add(version(1, 0, 1, "spark", "select 1")), add(version(2, 0, 2, "spark", "select 2")),
        add(version(3, 0, 3, "spark", "select 3")), make_current(3));
    assert_string_equal(versions(view), "1 2 3"); /* what was just added stays */
    view = APPLY(view, property("a", "b"));
    assert_string_equal(versions(view), "2 3");
    assert_string_equal(version_log(view), "3");
    view = APPLY(APPLY(view, make_current(2)), make_current(3));
    assert_string_equal(version_log(view), "3 2 3");
    json_t *ignored;
    MUST_FAIL(TRY_APPLY(view, make_current(1)), FIRN_E_INVALID,
              "Cannot set current version to unknown version: 1");
}

static void the_log_forgets_what_stands_before_a_gap(void **state)
{
    (void)state;
    const json_t *view = new_view();
    view = APPLY(view, add(version(2, 0, 2, "spark", "select 2")), make_current(2));
    view = APPLY(view, add(version(3, 0, 3, "spark", "select 3")), make_current(3));
    view = APPLY(APPLY(view, make_current(1)), make_current(3));
    assert_string_equal(version_log(view), "1 2 3 1 3");
    view = APPLY(view, property("version.history.num-entries", "2"));
    assert_string_equal(versions(view), "2 3");
    assert_string_equal(version_log(view), "3");
}

static void the_current_version_is_never_forgotten(void **state)
{
    (void)state;
    const json_t *view = APPLY(
        NULL, LOCATION, add_schema(SCHEMA), property("version.history.num-entries", "1"),
        add(version(1, 0, 1, "spark", "select 1")), add(version(2, 0, 2, "spark", "select 2")),
        add(version(3, 0, 3, "spark", "select 3")), make_current(1));
    assert_string_equal(versions(view), "1 2 3");
    view = APPLY(view, property("a", "b"));
    assert_string_equal(versions(view), "1");
    assert_string_equal(version_log(view), "1");
}

static void the_history_size_must_be_a_number_above_zero(void **state)
{
    (void)state;
    json_t *ignored;
    MUST_FAIL(TRY_APPLY(new_view(), property("version.history.num-entries", "0")), FIRN_E_INVALID,
              "version.history.num-entries must be positive but was 0");
    MUST_FAIL(TRY_APPLY(new_view(), property("version.history.num-entries", "many")),
              FIRN_E_INVALID, "is no number");
}

static void properties_are_set_and_removed(void **state)
{
    (void)state;
    const json_t *view = APPLY(new_view(), property("key1", "val1"), property("key2", "val2"));
    assert_int_equal(size(view, "versions"), 1);
    assert_ptr_equal(APPLY(view, property("key1", "val1"),
                           "{'action':'remove-properties','removals':['non-existing']}"),
                     view);
    view = APPLY(view, "{'action':'remove-properties','removals':['key1']}");
    const json_t *properties = json_object_get(view, "properties");
    assert_null(json_object_get(properties, "key1"));
    assert_non_null(json_object_get(properties, "key2"));
}

/* ---- requirements ------------------------------------------------------------------------------- */

static firn_rc require(const char *text, const json_t *base, firn_err *err)
{
    return firn_view_requirements_check(json_of(text), base, err);
}

static void requirements_hold_or_fail(void **state)
{
    (void)state;
    const json_t *view = new_view();
    MUST(require("[]", view, &err));
    MUST(require("[{'type':'assert-view-uuid','uuid':'FA6506C3-7681-40c8-86dc-e36561f83385'}]",
                 view, &err));
    MUST(require("[{'type':'assert-create'}]", NULL, &err));
    MUST_FAIL(require("[{'type':'assert-create'}]", view, &err), FIRN_E_CONFLICT,
              "Requirement failed: view already exists");
    MUST_FAIL(require("[{'type':'assert-view-uuid','uuid':'x'}]", view, &err), FIRN_E_CONFLICT,
              "Requirement failed: view UUID does not match: expected " UUID " != x");
    MUST_FAIL(require("[{'type':'assert-view-uuid','uuid':'x'}]", NULL, &err), FIRN_E_CONFLICT,
              "view UUID does not match");
    MUST_FAIL(require("[{'type':'assert-view-uuid'}]", view, &err), FIRN_E_INVALID, "uuid");
    MUST_FAIL(require("[{'type':'assert-table-uuid','uuid':'x'}]", view, &err), FIRN_E_INVALID,
              "Cannot validate assert-table-uuid against a view");
    MUST_FAIL(require("[3]", view, &err), FIRN_E_INVALID, "not a JSON object");
    MUST_FAIL(require("{}", view, &err), FIRN_E_INVALID, "not a JSON array");
}

/* ---- documents ---------------------------------------------------------------------------------- */

static void documents_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *member, *value, *says;
    } cases[] = {
        {"format-version", "2", "knows version 1"},
        {"format-version", "'1'", "format-version"},
        {"view-uuid", "null", "view-uuid"},
        {"location", "3", "location"},
        {"properties", "{'a':1}", "is not a string"},
        {"versions", "{}", "versions"},
        {"versions", "[1]", "not a JSON object"},
        {"current-version-id", "7", "not among its versions"},
        {"schemas", "[]", "schema 0 of its current version is missing"},
        {"version-log", "[{}]", "version-id"},
    };
    json_t *twice = firn_json_own(arena, json_deep_copy(new_view()));
    json_array_append(json_object_get(twice, "versions"),
                      json_array_get(json_object_get(twice, "versions"), 0));
    MUST_FAIL(firn_view_check(arena, twice, "doc", &err), FIRN_E_CORRUPT, "two versions 1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *view = firn_json_own(arena, json_deep_copy(new_view()));
        json_t *value = json_of(firn_arena_printf(arena, "[%s]", cases[i].value));
        json_object_set(view, cases[i].member, json_array_get(value, 0));
        firn_rc expected = i == 0 ? FIRN_E_UNSUPPORTED : FIRN_E_CORRUPT;
        MUST_FAIL(firn_view_check(arena, view, "doc", &err), expected, cases[i].says);
    }
}

static void firn_replaces_its_own_query_only(void **state)
{
    (void)state;
    firn_type type = {.id = FIRN_TYPE_INT};
    firn_field field = {.id = 1, .name = "a", .type = &type};
    firn_schema schema = {.root = {.id = FIRN_TYPE_STRUCT, .fields = &field, .n_fields = 1}};
    firn_view_create create = {.sql = "select 1 as a", .schema = &schema, .location = "file:///v"};
    json_t *out = NULL;
    MUST_FAIL(firn_view_build(arena, new_view(), &create, &out, &err), FIRN_E_INVALID,
              "Previous dialects: [spark]\nNew dialects: [duckdb]");
    create.properties = json_of("{'replace.drop-dialect.allowed':'true'}");
    MUST(firn_view_build(arena, new_view(), &create, &out, &err));
    firn_json_own(arena, out);
    MUST(firn_view_check(arena, out, "built", &err));
    assert_int_equal(current(out), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_made_of_updates),
        cmocka_unit_test(what_a_create_request_asks_for_becomes_updates),
        cmocka_unit_test(what_a_new_view_lacks_is_said),
        cmocka_unit_test(malformed_updates_are_refused),
        cmocka_unit_test(uuid_and_format_version_stay),
        cmocka_unit_test(ids_are_assigned_and_equal_things_used_again),
        cmocka_unit_test(a_raced_replacement_gets_the_next_number),
        cmocka_unit_test(a_version_has_one_query_per_dialect),
        cmocka_unit_test(dialects_are_dropped_only_when_allowed),
        cmocka_unit_test(members_that_firn_does_not_know_survive),
        cmocka_unit_test(old_versions_are_forgotten),
        cmocka_unit_test(the_log_forgets_what_stands_before_a_gap),
        cmocka_unit_test(the_current_version_is_never_forgotten),
        cmocka_unit_test(the_history_size_must_be_a_number_above_zero),
        cmocka_unit_test(properties_are_set_and_removed),
        cmocka_unit_test(requirements_hold_or_fail),
        cmocka_unit_test(documents_are_checked),
        cmocka_unit_test(firn_replaces_its_own_query_only),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
