/* Tables and views: their life in the catalog, their folders, and what is said about one that is not there. */
#include "fixture.h"

static int setup_bronze(void **state)
{
    fixture *f = fixture_new();
    assert_ok(f, create_ns(f, NULL, "bronze"));
    *state = f;
    return 0;
}

#define BRONZE(name) cmocka_unit_test_setup_teardown(name, setup_bronze, teardown)

static void a_table_is_created_and_loaded(void **state)
{
    fixture *f = *state;
    firn_change change = create_change(f, "bronze", "orders");
    firn_commit_result result;
    assert_ok(f,
              firn_catalog_commit(f->catalog, f->arena, NULL, &change, 1, NULL, &result, &f->err));
    firn_table table = load(f, NULL, "bronze", "orders");
    assert_string_equal(table.entry.location, result.locations[0]);
    assert_string_equal(table.entry.commit_id, result.commit_id);
    assert_string_equal(table.entry.content_id, table.metadata->table_uuid);
    assert_string_equal(table.metadata->location,
                        firn_arena_printf(f->arena, "file://%s/warehouse/bronze/orders", f->dir));
    assert_string_equal(table.metadata->schema->root.fields[0].name, "id");
    assert_int_equal(warehouse_files(f), 1);
    assert_fails(f, create_table(f, NULL, "bronze", "orders"), FIRN_E_EXISTS,
                 "table bronze.orders exists already on main");
    assert_int_equal(warehouse_files(f), 1);
}

static void a_missing_table_names_the_nearest(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    assert_fails(f, try_load(f, NULL, "bronze", "order"), FIRN_E_NO_TABLE,
                 "there is no table bronze.order on main. Did you mean bronze.orders?");
    assert_fails(f, try_load(f, NULL, "bronze", "something_else"), FIRN_E_NO_TABLE,
                 "there is no table bronze.something_else on main");
    assert_null(strstr(f->err.message, "Did you mean"));
    assert_fails(f, create_table(f, NULL, "bronz", "x"), FIRN_E_NO_NAMESPACE,
                 "Did you mean bronze?");
    assert_fails(f, try_load(f, "mian", "bronze", "orders"), FIRN_E_NO_REF, "Did you mean main?");
    assert_fails(f, commit_one(f, NULL, drop_change(f, "bronze", "x")), FIRN_E_NO_TABLE,
                 "bronze.x");
    assert_fails(f, commit_one(f, NULL, drop_change(f, "bronze", "")), FIRN_E_INVALID,
                 "must not be empty");
}

static void metadata_files_follow_each_other(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    assert_ok(f, append(f, NULL, "bronze", "orders"));
    assert_ok(f, append(f, NULL, "bronze", "orders"));
    firn_table table = load(f, NULL, "bronze", "orders");
    assert_non_null(strstr(table.entry.location, "/metadata/00002-"));
    assert_int_equal(table.metadata->n_snapshots, 2);
    assert_int_equal(table.metadata->n_metadata_log, 2);
    assert_non_null(strstr(table.metadata->metadata_log[1].location, "/metadata/00001-"));
}

static void loading_again_does_not_read_again(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    fixture_reopen(f);
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_table first, second;
    firn_ident orders = id(f, "bronze", "orders");
    assert_ok(f, firn_catalog_table_load(f->catalog, arena, NULL, orders, &first, &f->err));
    assert_ok(f, firn_storage_delete(f->storage, first.entry.location, &f->err));
    assert_ok(f, firn_catalog_table_load(f->catalog, arena, NULL, orders, &second, &f->err));
    assert_ptr_equal(first.metadata, second.metadata);
    fixture_reopen(f); /* what was handed out outlives the catalog that did */
    assert_string_equal(first.metadata->schema->root.fields[0].name, "id");
    assert_fails(f, firn_catalog_table_load(f->catalog, arena, NULL, orders, &first, &f->err),
                 FIRN_E_NOT_FOUND, "cannot load table bronze.orders");
}

static void a_rename_keeps_the_content(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    assert_ok(f, create_table(f, NULL, "bronze", "other"));
    firn_table before = load(f, NULL, "bronze", "orders");
    firn_change rename = {.kind = FIRN_CHANGE_RENAME_TABLE,
                          .ident = id(f, "bronze", "orders"),
                          .to = id(f, "bronze", "other")};
    assert_fails(f, commit_one(f, NULL, rename), FIRN_E_EXISTS,
                 "table bronze.other exists already");
    rename.to = id(f, "gold", "orders");
    assert_fails(f, commit_one(f, NULL, rename), FIRN_E_NO_NAMESPACE, "gold");
    rename.to = id(f, "bronze", "sales");
    assert_ok(f, commit_one(f, NULL, rename));
    firn_table after = load(f, NULL, "bronze", "sales");
    assert_string_equal(after.entry.content_id, before.entry.content_id);
    assert_string_equal(after.entry.location, before.entry.location);
    assert_fails(f, try_load(f, NULL, "bronze", "orders"), FIRN_E_NO_TABLE, "bronze.orders");
}

static void a_dropped_table_can_be_registered_again(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    assert_ok(f, append(f, NULL, "bronze", "orders"));
    firn_table before = load(f, NULL, "bronze", "orders");
    assert_ok(f, commit_one(f, NULL, drop_change(f, "bronze", "orders")));
    firn_change again = {.kind = FIRN_CHANGE_REGISTER_TABLE,
                         .ident = id(f, "bronze", "orders"),
                         .location = before.entry.location};
    assert_ok(f, commit_one(f, NULL, again));
    firn_table after = load(f, NULL, "bronze", "orders");
    assert_string_equal(after.entry.content_id, before.entry.content_id);
    assert_int_equal(after.metadata->n_snapshots, 1);
    assert_fails(f, commit_one(f, NULL, again), FIRN_E_EXISTS, "exists already");
    again.replace = true;
    assert_ok(f, commit_one(f, NULL, again));
    again.location = "file:///no/such/metadata.json";
    assert_fails(f, commit_one(f, NULL, again), FIRN_E_NOT_FOUND, "/no/such/metadata.json");
}

/* Two names for one table would be two lines of commits in one folder, each deleting what the other needs. */
static void a_table_has_one_name_on_a_branch(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    assert_ok(f, create_table(f, NULL, "bronze", "other"));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    const char *first = load(f, NULL, "bronze", "orders").entry.location;
    assert_ok(f, append(f, NULL, "bronze", "orders"));
    firn_change again = {.kind = FIRN_CHANGE_REGISTER_TABLE,
                         .ident = id(f, "bronze", "again"),
                         .location = load(f, NULL, "bronze", "orders").entry.location};
    assert_fails(f, commit_one(f, NULL, again), FIRN_E_EXISTS, "table bronze.orders on main");
    again.location = first; /* an older state is no other table */
    assert_fails(f, commit_one(f, NULL, again), FIRN_E_EXISTS, "table bronze.orders on main");
    again.replace = true;
    again.ident = id(f, "bronze", "other");
    assert_fails(f, commit_one(f, NULL, again), FIRN_E_EXISTS, "table bronze.orders on main");
    again.ident = id(f, "bronze", "orders");
    assert_ok(f, commit_one(f, NULL, again));

    /* Within one commit, what holds in the end counts. */
    firn_change moved[] = {drop_change(f, "bronze", "orders"), again};
    moved[1].ident = id(f, "bronze", "again");
    assert_ok(f, firn_catalog_commit(f->catalog, f->arena, NULL, moved, 2, NULL, NULL, &f->err));
    /* Another branch has names of its own. */
    load(f, "dev", "bronze", "orders");
    assert_ok(f, commit_one(f, "dev", drop_change(f, "bronze", "orders")));
    assert_ok(f, commit_one(f, "dev", moved[1]));
}

static const char *default_location(fixture *f, const char *ns, const char *name)
{
    char *out;
    assert_ok(f,
              firn_catalog_default_location(f->catalog, f->arena, id(f, ns, name), &out, &f->err));
    return strstr(out, "/warehouse/") + strlen("/warehouse/");
}

static void two_tables_never_share_a_folder(void **state)
{
    fixture *f = *state;
    assert_string_equal(default_location(f, "bronze", "orders"), "bronze/orders");
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    assert_int_equal(strncmp(default_location(f, "bronze", "orders"), "bronze/orders-", 14), 0);
    assert_int_equal(strlen(default_location(f, "bronze", "orders")),
                     strlen("bronze/orders-01234567"));
    assert_ok(f, commit_one(f, NULL, drop_change(f, "bronze", "orders")));
    assert_int_equal(strncmp(default_location(f, "bronze", "orders"), "bronze/orders-", 14),
                     0); /* its files are there */

    /* A namespace of the same name as a table would put its tables into that table's folder. */
    assert_ok(f, create_ns(f, NULL, "bronze.orders"));
    const char *nested = default_location(f, "bronze.orders", "t");
    assert_int_equal(strncmp(nested, "bronze/orders-", 14), 0);
    assert_true(firn_ends_with(nested, "/t"));
}

static void a_location_inside_another_tables_folder_is_refused(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "orders"));
    firn_table orders = load(f, NULL, "bronze", "orders");
    const char *path =
        strstr(orders.metadata->location, "/"); /* another spelling of the same place */
    const char *inside = firn_arena_printf(f->arena, "%s/data/x", path);
    firn_change change = {.kind = FIRN_CHANGE_CREATE_TABLE,
                          .ident = id(f, "bronze", "x"),
                          .updates = table_updates(f, inside)};
    assert_fails(f, commit_one(f, NULL, change), FIRN_E_EXISTS,
                 "the folder of bronze.orders on main");
    change.updates = table_updates(f, firn_arena_printf(f->arena, "file://%s/warehouse", f->dir));
    assert_fails(f, commit_one(f, NULL, change), FIRN_E_EXISTS,
                 "the folder of bronze.orders on main");
    change.updates =
        table_updates(f, firn_arena_printf(f->arena, "%s2", orders.metadata->location));
    assert_ok(f, commit_one(f, NULL, change));
    assert_int_equal(warehouse_files(f), 2);
}

/* The folder of a dropped table hides nothing of who owns what is around it. */
static void a_dropped_tables_folder_does_not_hide_its_surroundings(void **state)
{
    fixture *f = *state;
    const char *outer = firn_arena_printf(f->arena, "file://%s/w/a", f->dir);
    const char *inner = firn_arena_printf(f->arena, "%s/b", outer);
    firn_change change = {.kind = FIRN_CHANGE_CREATE_TABLE,
                          .ident = id(f, "bronze", "b"),
                          .updates = table_updates(f, inner)};
    assert_ok(f, commit_one(f, NULL, change));
    assert_ok(f, commit_one(f, NULL, drop_change(f, "bronze", "b")));
    change.ident = id(f, "bronze", "a");
    change.updates = table_updates(f, outer);
    assert_ok(f, commit_one(f, NULL, change));
    change.ident = id(f, "bronze", "c");
    change.updates = table_updates(f, inner);
    assert_fails(f, commit_one(f, NULL, change), FIRN_E_EXISTS, "the folder of bronze.a on main");
    change.updates = table_updates(f, firn_arena_printf(f->arena, "%s/c", inner));
    assert_fails(f, commit_one(f, NULL, change), FIRN_E_EXISTS, "the folder of bronze.a on main");
    assert_ok(f, commit_one(f, NULL, drop_change(f, "bronze", "a")));
    assert_ok(f, commit_one(f, NULL, change));
}

static void names_cannot_leave_the_warehouse(void **state)
{
    fixture *f = *state;
    assert_string_equal(default_location(f, "bronze", "../../etc"), "bronze/%2E.%2F..%2Fetc");
    assert_string_equal(default_location(f, "\"..\"", "a b"), "%2E./a%20b");
}

/* ---- views ------------------------------------------------------------------------------------ */

static firn_change view_change(fixture *f, const char *name, const char *sql, bool replace)
{
    return (firn_change){
        .kind = FIRN_CHANGE_PUT_VIEW,
        .ident = id(f, "bronze", name),
        .document = firn_json_own(f->arena, json_pack("{siss}", "format-version", 1, "sql", sql)),
        .replace = replace,
    };
}

static const char *view_sql(fixture *f, const char *name, firn_catalog_entry *entry)
{
    json_t *view;
    assert_ok(f, firn_catalog_view_load(f->catalog, f->arena, NULL, id(f, "bronze", name), entry,
                                        &view, &f->err));
    assert_string_equal(json_string_value(json_object_get(view, "view-uuid")), entry->content_id);
    return json_string_value(json_object_get(view, "sql"));
}

static void a_view_is_made_replaced_renamed_and_dropped(void **state)
{
    fixture *f = *state;
    firn_catalog_entry first, second;
    assert_ok(f, commit_one(f, NULL, view_change(f, "v", "select 1", false)));
    assert_string_equal(view_sql(f, "v", &first), "select 1");
    assert_fails(f, commit_one(f, NULL, view_change(f, "v", "select 2", false)), FIRN_E_EXISTS,
                 "view bronze.v exists already");
    assert_ok(f, commit_one(f, NULL, view_change(f, "v", "select 2", true)));
    assert_string_equal(view_sql(f, "v", &second), "select 2");
    assert_string_equal(second.content_id, first.content_id);
    assert_non_null(strstr(second.location, "/metadata/00001-"));
    assert_ok(f, commit_one(f, NULL,
                            (firn_change){.kind = FIRN_CHANGE_RENAME_VIEW,
                                          .ident = id(f, "bronze", "v"),
                                          .to = id(f, "bronze", "w")}));
    assert_string_equal(view_sql(f, "w", &second), "select 2");
    assert_ok(
        f, commit_one(f, NULL,
                      (firn_change){.kind = FIRN_CHANGE_DROP_VIEW, .ident = id(f, "bronze", "w")}));
    json_t *view;
    assert_fails(f,
                 firn_catalog_view_load(f->catalog, f->arena, NULL, id(f, "bronze", "w"), &first,
                                        &view, &f->err),
                 FIRN_E_NO_VIEW, "there is no view bronze.w on main");
}

static void views_can_require_what_they_replace(void **state)
{
    fixture *f = *state;
    firn_catalog_entry entry;
    assert_ok(f, commit_one(f, NULL, view_change(f, "v", "select 1", false)));
    view_sql(f, "v", &entry);
    firn_change change = view_change(f, "v", "select 2", true);
    change.requirements =
        firn_json_own(f->arena, json_pack("[{ssss}]", "type", "assert-view-uuid", "uuid",
                                          "0190163d-8694-739b-aea5-966c26f8ad90"));
    assert_fails(f, commit_one(f, NULL, change), FIRN_E_CONFLICT,
                 "Requirement failed: view UUID does not match");
    change.requirements = firn_json_own(
        f->arena, json_pack("[{ssss}]", "type", "assert-view-uuid", "uuid", entry.content_id));
    assert_ok(f, commit_one(f, NULL, change));
    change.requirements = firn_json_own(f->arena, json_pack("[{ss}]", "type", "assert-moon"));
    assert_fails(f, commit_one(f, NULL, change), FIRN_E_INVALID, "assert-moon");
    change.requirements = NULL;
    change.expected_location = "file:///old";
    assert_fails(f, commit_one(f, NULL, change), FIRN_E_CONFLICT,
                 "bronze.v changed on main meanwhile");
}

static void tables_and_views_share_their_names_but_not_their_kind(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_table(f, NULL, "bronze", "t"));
    assert_ok(f, commit_one(f, NULL, view_change(f, "v", "select 1", false)));
    assert_fails(f, create_table(f, NULL, "bronze", "v"), FIRN_E_EXISTS,
                 "view bronze.v exists already");
    assert_fails(f, commit_one(f, NULL, view_change(f, "t", "select 1", true)), FIRN_E_EXISTS,
                 "table bronze.t exists already");
    assert_fails(f, try_load(f, NULL, "bronze", "v"), FIRN_E_NO_TABLE,
                 "bronze.v is a view, not a table");
    assert_fails(f, commit_one(f, NULL, drop_change(f, "bronze", "v")), FIRN_E_NO_TABLE,
                 "is a view, not a table");
    firn_catalog_entry entry;
    assert_ok(f, firn_catalog_entry_get(f->catalog, f->arena, NULL, id(f, "bronze", "v"), &entry,
                                        &f->err));
    assert_int_equal(entry.kind, FIRN_KIND_VIEW);

    firn_catalog_entry *entries;
    size_t n;
    assert_ok(f, firn_catalog_list(f->catalog, f->arena, NULL, FIRN_KIND_TABLE, "bronze", &entries,
                                   &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(entries[0].ident.name, "t");
    assert_ok(f, firn_catalog_list(f->catalog, f->arena, NULL, FIRN_KIND_VIEW, NULL, &entries, &n,
                                   &f->err));
    assert_int_equal(n, 1);
    assert_ok(f, firn_catalog_list(f->catalog, f->arena, NULL, FIRN_KIND_NAMESPACE, NULL, &entries,
                                   &n, &f->err));
    assert_int_equal(n, 1);
    assert_null(entries[0].location);
    assert_fails(f,
                 firn_catalog_list(f->catalog, f->arena, NULL, FIRN_KIND_TABLE, "gold", &entries,
                                   &n, &f->err),
                 FIRN_E_NO_NAMESPACE, "gold");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRONZE(a_table_is_created_and_loaded),
        BRONZE(a_missing_table_names_the_nearest),
        BRONZE(metadata_files_follow_each_other),
        BRONZE(loading_again_does_not_read_again),
        BRONZE(a_rename_keeps_the_content),
        BRONZE(a_dropped_table_can_be_registered_again),
        BRONZE(a_table_has_one_name_on_a_branch),
        BRONZE(two_tables_never_share_a_folder),
        BRONZE(a_location_inside_another_tables_folder_is_refused),
        BRONZE(a_dropped_tables_folder_does_not_hide_its_surroundings),
        BRONZE(names_cannot_leave_the_warehouse),
        BRONZE(a_view_is_made_replaced_renamed_and_dropped),
        BRONZE(views_can_require_what_they_replace),
        BRONZE(tables_and_views_share_their_names_but_not_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
