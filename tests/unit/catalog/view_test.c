/* Views by the REST protocol's updates, and registered ones: names, folders, new versions of the same view, what stays behind. */
#include "fixture.h"

#define SCHEMA                                                                                      \
    "{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false," \
    "\"type\":\"int\"}]}"

static json_t *json_of(fixture *f, const char *text)
{
    json_t *json = NULL;
    assert_ok(f, firn_json_parse(f->arena, firn_bytes_str(text), "test", &json, &f->err));
    return json;
}

/* A version with the query, and it made current. */
static json_t *version_updates(fixture *f, const char *sql)
{
    return json_of(
        f, firn_arena_printf(
               f->arena,
               "[{\"action\":\"add-schema\",\"schema\":" SCHEMA "},"
               "{\"action\":\"add-view-version\",\"view-version\":{\"version-id\":1,"
               "\"schema-id\":-1,\"timestamp-ms\":1,\"summary\":{},\"default-namespace\":[\"s\"],"
               "\"representations\":[{\"type\":\"sql\",\"dialect\":\"spark\",\"sql\":\"%s\"}]}},"
               "{\"action\":\"set-current-view-version\",\"view-version-id\":-1}]",
               sql));
}

static firn_change view_change(fixture *f, firn_change_kind kind, const char *name, const char *sql)
{
    return (firn_change){
        .kind = kind, .ident = id(f, "s", name), .updates = version_updates(f, sql)};
}

static json_t *load_view(fixture *f, const char *name, firn_catalog_entry *entry)
{
    json_t *view = NULL;
    assert_ok(f, firn_catalog_view_load(f->catalog, f->arena, NULL, id(f, "s", name), entry, &view,
                                        &f->err));
    return view;
}

static const char *text(const json_t *view, const char *key)
{
    return json_string_value(json_object_get(view, key));
}

static void made_of_updates_and_replaced(void **state)
{
    fixture *f = *state;
    firn_catalog_entry first, second;
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, commit_one(f, NULL, view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1")));
    json_t *view = load_view(f, "v", &first);
    assert_string_equal(text(view, "view-uuid"), first.content_id);
    assert_true(firn_ends_with(text(view, "location"), "/warehouse/s/v"));
    assert_non_null(strstr(first.location, "/warehouse/s/v/metadata/00000-"));
    assert_ok(f, commit_one(f, NULL, view_change(f, FIRN_CHANGE_UPDATE_VIEW, "v", "select 2")));
    view = load_view(f, "v", &second);
    assert_string_equal(first.content_id, second.content_id);
    assert_non_null(strstr(second.location, "/metadata/00001-"));
    assert_int_equal(json_array_size(json_object_get(view, "versions")), 2);
    assert_int_equal(json_integer_value(json_object_get(view, "current-version-id")), 2);
}

static void nothing_changed_is_nothing_written(void **state)
{
    fixture *f = *state;
    firn_catalog_entry before, after;
    firn_commit_result result;
    assert_ok(f, create_ns(f, NULL, "s"));
    firn_change change = view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1");
    assert_ok(f, commit_one(f, NULL, change));
    load_view(f, "v", &before);
    change.kind = FIRN_CHANGE_UPDATE_VIEW;
    assert_ok(f,
              firn_catalog_commit(f->catalog, f->arena, NULL, &change, 1, NULL, &result, &f->err));
    assert_null(result.commit_id);
    assert_string_equal(result.locations[0], before.location);
    load_view(f, "v", &after);
    assert_string_equal(before.location, after.location);
}

static void several_changes_of_one_view_in_one_commit(void **state)
{
    fixture *f = *state;
    firn_catalog_entry entry;
    assert_ok(f, create_ns(f, NULL, "s"));
    firn_change changes[] = {
        view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1"),
        view_change(f, FIRN_CHANGE_UPDATE_VIEW, "v", "select 2"),
        {.kind = FIRN_CHANGE_RENAME_VIEW, .ident = id(f, "s", "v"), .to = id(f, "s", "w")},
        view_change(f, FIRN_CHANGE_UPDATE_VIEW, "w", "select 3"),
    };
    assert_ok(f, firn_catalog_commit(f->catalog, f->arena, NULL, changes, 4, NULL, NULL, &f->err));
    assert_int_equal(json_array_size(json_object_get(load_view(f, "w", &entry), "versions")), 3);
    assert_non_null(strstr(entry.location, "/metadata/00002-"));
}

static void requirements_and_kinds(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "t"));
    firn_change create = view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1");
    firn_change update = view_change(f, FIRN_CHANGE_UPDATE_VIEW, "v", "select 2");
    assert_fails(f, commit_one(f, NULL, update), FIRN_E_NO_VIEW, "there is no view s.v");
    assert_ok(f, commit_one(f, NULL, create));
    assert_fails(f, commit_one(f, NULL, create), FIRN_E_EXISTS, "view s.v exists already");
    update.requirements = json_of(f, "[{\"type\":\"assert-view-uuid\",\"uuid\":\"0190163d\"}]");
    assert_fails(f, commit_one(f, NULL, update), FIRN_E_CONFLICT, "view UUID does not match");
    update.requirements = NULL;
    update.expected_location = "file:///elsewhere";
    assert_fails(f, commit_one(f, NULL, update), FIRN_E_CONFLICT, "changed on main meanwhile");
    create.ident.name = update.ident.name = "t";
    assert_fails(f, commit_one(f, NULL, create), FIRN_E_EXISTS, "table s.t exists already");
    assert_fails(f, commit_one(f, NULL, update), FIRN_E_NO_VIEW, "s.t is a table, not a view");
    create.ident.ns = "nowhere";
    assert_fails(f, commit_one(f, NULL, create), FIRN_E_NO_NAMESPACE, "nowhere");
}

static void folders_are_claimed(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, commit_one(f, NULL, view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1")));
    firn_change other = view_change(f, FIRN_CHANGE_CREATE_VIEW, "w", "select 1");
    json_t *place = json_of(f, firn_arena_printf(f->arena,
                                                 "{\"action\":\"set-location\",\"location\":"
                                                 "\"file://%s/warehouse/s/v\"}",
                                                 f->dir));
    json_array_append((json_t *)other.updates, place);
    assert_fails(f, commit_one(f, NULL, other), FIRN_E_EXISTS, "warehouse/s/v");
    /* What the refused one wrote is gone again. */
    firn_catalog_entry entry;
    load_view(f, "v", &entry);
    /* A new folder is claimed, too, and holds the next version. */
    json_object_set_new(place, "location",
                        json_string(firn_arena_printf(f->arena, "file://%s/moved", f->dir)));
    firn_change move = {.kind = FIRN_CHANGE_UPDATE_VIEW, .ident = id(f, "s", "v")};
    json_t *moves = firn_json_own(f->arena, json_pack("[O]", place));
    move.updates = moves;
    assert_ok(f, commit_one(f, NULL, move));
    load_view(f, "v", &entry);
    assert_non_null(strstr(entry.location, "/moved/metadata/00001-"));
    assert_fails(f, commit_one(f, NULL, other), FIRN_E_EXISTS, "/moved");
}

static void the_property_says_where_metadata_goes(void **state)
{
    fixture *f = *state;
    firn_catalog_entry entry;
    assert_ok(f, create_ns(f, NULL, "s"));
    firn_change change = view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1");
    json_array_append_new((json_t *)change.updates,
                          json_pack("{s:s, s:{s:s, s:s}}", "action", "set-properties", "updates",
                                    "write.metadata.path",
                                    firn_arena_printf(f->arena, "file://%s/custom", f->dir),
                                    "write.metadata.compression-codec", "gzip"));
    assert_ok(f, commit_one(f, NULL, change));
    json_t *view = load_view(f, "v", &entry);
    assert_non_null(strstr(entry.location, "/custom/00000-"));
    assert_true(firn_ends_with(entry.location, ".gz.metadata.json"));
    assert_string_equal(text(view, "view-uuid"), entry.content_id);
}

static void a_metadata_file_is_registered(void **state)
{
    fixture *f = *state;
    firn_catalog_entry entry, again;
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, commit_one(f, NULL, view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1")));
    load_view(f, "v", &entry);
    firn_change reg = {
        .kind = FIRN_CHANGE_REGISTER_VIEW, .ident = id(f, "s", "v"), .location = entry.location};
    assert_fails(f, commit_one(f, NULL, reg), FIRN_E_EXISTS, "view s.v exists already");
    reg.ident.name = "second";
    assert_fails(f, commit_one(f, NULL, reg), FIRN_E_EXISTS, "second name");
    assert_ok(f,
              commit_one(f, NULL,
                         (firn_change){.kind = FIRN_CHANGE_DROP_VIEW, .ident = id(f, "s", "v")}));
    assert_ok(f, commit_one(f, NULL, reg));
    load_view(f, "second", &again);
    assert_string_equal(entry.location, again.location);
    assert_string_equal(entry.content_id, again.content_id);
    reg.ident.name = "third";
    reg.location = firn_arena_printf(f->arena, "file://%s/nothing.json", f->dir);
    assert_fails(f, commit_one(f, NULL, reg), FIRN_E_NOT_FOUND, "nothing.json");
    assert_ok(f, firn_storage_put(f->storage, reg.location, firn_bytes_str("{\"a\":1}"), &f->err));
    assert_fails(f, commit_one(f, NULL, reg), FIRN_E_CORRUPT, "format-version");
}

static void two_branches_go_their_own_way(void **state)
{
    fixture *f = *state;
    firn_catalog_entry on_main, on_dev;
    json_t *view;
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, commit_one(f, NULL, view_change(f, FIRN_CHANGE_CREATE_VIEW, "v", "select 1")));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_ok(f, commit_one(f, "dev", view_change(f, FIRN_CHANGE_UPDATE_VIEW, "v", "select 2")));
    load_view(f, "v", &on_main);
    assert_ok(f, firn_catalog_view_load(f->catalog, f->arena, "dev", id(f, "s", "v"), &on_dev,
                                        &view, &f->err));
    assert_string_not_equal(on_main.location, on_dev.location);
    assert_ok(f, firn_catalog_merge(f->catalog, f->arena, "dev", NULL, NULL,
                                    &(firn_merge_result){0}, &f->err));
    load_view(f, "v", &on_main);
    assert_string_equal(on_main.location, on_dev.location);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(made_of_updates_and_replaced),
        TEST(nothing_changed_is_nothing_written),
        TEST(several_changes_of_one_view_in_one_commit),
        TEST(requirements_and_kinds),
        TEST(folders_are_claimed),
        TEST(the_property_says_where_metadata_goes),
        TEST(a_metadata_file_is_registered),
        TEST(two_branches_go_their_own_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
