/* Making, finding and opening lakes. */
#include "lake/lake.h"

#include "base/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fixture {
    firn_arena *arena;
    char root[64];
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->arena = firn_arena_new();
    strcpy(f->root, "/tmp/firn-lake-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    unsetenv("FIRN_LAKE");
    *state = f;
    return 0;
}

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    fixture *f = *state;
    assert_int_equal(chdir("/"), 0);
    nftw(f->root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    firn_arena_free(f->arena);
    free(f);
    return 0;
}

static void ok(firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_OK) {
        fail_msg("%s: %s", firn_rc_name(rc), err->message);
    }
}

static void init_makes_what_open_wants(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    ok(firn_lake_init(f->root, "shop", &err), &err);
    static const char *const PATHS[] = {"firn.yaml", ".firn/catalog.db", ".firn/tmp", "warehouse",
                                        "raw",       "pipelines",        "logs"};
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        assert_true(firn_path_exists(firn_path_join(f->arena, f->root, PATHS[i])));
    }
    firn_lake *lake = NULL;
    ok(firn_lake_open(f->root, &lake, &err), &err);
    assert_string_equal(firn_lake_root(lake), f->root);
    assert_string_equal(firn_lake_config(lake)->name, "shop");
    char **namespaces;
    size_t n;
    ok(firn_catalog_namespace_list(firn_lake_catalog(lake), f->arena, NULL, NULL, false,
                                   &namespaces, &n, &err),
       &err);
    assert_int_equal(n, 1);
    assert_string_equal(namespaces[0], "default");
    char *location;
    ok(firn_catalog_default_location(firn_lake_catalog(lake), f->arena,
                                     (firn_ident){"default", "t"}, &location, &err),
       &err);
    assert_string_equal(location,
                        firn_arena_printf(f->arena, "file://%s/warehouse/default/t", f->root));
    firn_lake_close(lake);
}

static void init_twice_is_refused_and_changes_nothing(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    ok(firn_lake_init(f->root, "a", &err), &err);
    assert_int_equal(firn_lake_init(f->root, "b", &err), FIRN_E_EXISTS);
    firn_lake *lake = NULL;
    ok(firn_lake_open(f->root, &lake, &err), &err);
    assert_string_equal(firn_lake_config(lake)->name, "a");
    firn_lake_close(lake);
}

/* firn.yaml comes last: without it the same steps run again over what is there. */
static void half_made_lake_is_finished(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    ok(firn_lake_init(f->root, "a", &err), &err);
    assert_int_equal(unlink(firn_path_join(f->arena, f->root, "firn.yaml")), 0);
    firn_lake *lake = NULL;
    assert_int_equal(firn_lake_open(f->root, &lake, &err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "firn init"));
    ok(firn_lake_init(f->root, "b", &err), &err);
    ok(firn_lake_open(f->root, &lake, &err), &err);
    firn_lake_close(lake);
}

static void found_from_a_folder_below(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    char *root;
    ok(firn_lake_init(f->root, NULL, &err), &err);
    assert_int_equal(chdir(firn_path_join(f->arena, f->root, ".firn/tmp")), 0);
    ok(firn_lake_find(f->arena, NULL, &root, &err), &err);
    assert_string_equal(root, f->root);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(firn_lake_find(f->arena, NULL, &root, &err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "--lake"));
    setenv("FIRN_LAKE", f->root, 1);
    ok(firn_lake_find(f->arena, NULL, &root, &err), &err);
    assert_string_equal(root, f->root);
    setenv("FIRN_LAKE", "/nowhere", 1);
    assert_int_equal(firn_lake_find(f->arena, NULL, &root, &err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "FIRN_LAKE"));
    unsetenv("FIRN_LAKE");
}

static void mistakes_in_the_file_name_it(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    ok(firn_lake_init(f->root, NULL, &err), &err);
    const char *path = firn_path_join(f->arena, f->root, "firn.yaml");
    ok(firn_file_write_atomic(path, firn_bytes_str("warehous: x\n"), 0644, &err), &err);
    firn_lake *lake = NULL;
    assert_int_equal(firn_lake_open(f->root, &lake, &err), FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "Did you mean \"warehouse\"?"));
}

/* 0 is no waiting and no cache, and not the catalog's defaults. */
static void nothing_of_it_is_not_the_default(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    ok(firn_lake_init(f->root, NULL, &err), &err);
    const char *path = firn_path_join(f->arena, f->root, "firn.yaml");
    const char *text = "catalog: {busy_timeout: 0}\nengine: {manifest_cache: 0}\n";
    ok(firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err), &err);
    firn_lake *lake = NULL;
    ok(firn_lake_open(f->root, &lake, &err), &err);
    sqlite3 *other;
    const char *db = firn_path_join(f->arena, f->root, ".firn/catalog.db");
    assert_int_equal(sqlite3_open(db, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = "s"}};
    firn_rc rc = firn_catalog_commit(firn_lake_catalog(lake), f->arena, FIRN_MAIN, &change, 1, NULL,
                                     NULL, &err);
    assert_int_equal(rc, FIRN_E_BUSY);
    assert_non_null(strstr(err.message, "(waited 0 s)"));
    sqlite3_close(other);
    firn_lake_close(lake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(init_makes_what_open_wants, setup, teardown),
        cmocka_unit_test_setup_teardown(init_twice_is_refused_and_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(half_made_lake_is_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(found_from_a_folder_below, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_in_the_file_name_it, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_of_it_is_not_the_default, setup, teardown),
    };
    return cmocka_run_group_tests_name("lake/lake", tests, NULL, NULL);
}
