/* Routing: schemes, drivers and aliases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/storage.h"

#include "scratch.h"

static void an_unknown_scheme_names_the_known_ones(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_storage *storage = firn_storage_new(NULL);
    firn_err err = {0};
    firn_bytes out;
    assert_int_equal(firn_storage_get(storage, arena, "gs://bucket/key", 10, &out, &err),
                     FIRN_E_UNSUPPORTED);
    assert_string_equal(
        err.message,
        "no storage driver for \"gs\" locations (gs://bucket/key); known schemes: file");
    firn_storage_free(storage);
}

static int released;

static void fake_release(void *ctx)
{
    released += *(int *)ctx;
}

static firn_rc fake_size(void *ctx, const char *location, int64_t *size_bytes, firn_err *err)
{
    (void)err;
    *size_bytes = (int64_t)strlen(location) * *(int *)ctx;
    return FIRN_OK;
}

static void a_driver_serves_its_scheme_and_is_released_once(void **state)
{
    (void)state;
    int one = 1, ten = 10;
    int64_t size = 0;
    released = 0;
    firn_storage *storage = firn_storage_new(NULL);
    firn_storage_driver driver = {
        .scheme = "s3", .ctx = &one, .size = fake_size, .release = fake_release};
    firn_storage_set_driver(storage, &driver);
    assert_int_equal(firn_storage_size(storage, "s3://b/k", &size, NULL), FIRN_OK);
    assert_int_equal(size, 8);
    driver.ctx = &ten;
    firn_storage_set_driver(storage, &driver); /* replaces and releases the first */
    assert_int_equal(released, 1);
    assert_int_equal(firn_storage_size(storage, "s3://b/k", &size, NULL), FIRN_OK);
    assert_int_equal(size, 80);
    firn_storage_free(storage);
    assert_int_equal(released, 11);
}

static void aliases_move_prefixes_at_folder_borders(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_storage_alias aliases[] = {
        {.from = "file:///old", .to = "/new"},
        {.from = "/old/warehouse/special/", .to = "s3://bucket/special"},
        {.from = "s3://gone", .to = "file:///mnt/gone/"},
    };
    firn_storage *storage =
        firn_storage_new(&(firn_storage_options){.aliases = aliases, .n_aliases = 3});
    static const char *const cases[][2] = {
        {"/old/t/x", "/new/t/x"},
        {"file:/old/t/x", "/new/t/x"},
        {"file:///old/t/x", "/new/t/x"},
        {"/old", "/new"},
        {"/older/t/x", "/older/t/x"},                          /* another folder */
        {"/old/warehouse/special/x", "s3://bucket/special/x"}, /* the longest prefix wins */
        {"s3://gone/t/x", "/mnt/gone/t/x"},
        {"s3://here/t/x", "s3://here/t/x"},
        {"file:///else/x", "/else/x"},
        {"not a location", "not a location"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(firn_storage_resolve(storage, arena, cases[i][0]), cases[i][1]);
    }
    firn_storage_free(storage);
}

static void a_copied_lake_reads_and_lists_under_its_old_names(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *dir = scratch_new();
    const firn_storage_alias alias = {.from = "file:///made/elsewhere", .to = dir};
    firn_storage *storage =
        firn_storage_new(&(firn_storage_options){.aliases = &alias, .n_aliases = 1});
    assert_int_equal(firn_storage_put(storage, firn_arena_printf(arena, "%s/t/v1", dir),
                                      firn_bytes_str("1"), NULL),
                     FIRN_OK);
    firn_bytes out;
    assert_int_equal(firn_storage_get(storage, arena, "file:/made/elsewhere/t/v1", 10, &out, NULL),
                     FIRN_OK);
    firn_storage_object *objects;
    size_t n;
    assert_int_equal(
        firn_storage_list(storage, arena, "file:/made/elsewhere/t/", &objects, &n, NULL), FIRN_OK);
    assert_int_equal(n, 1);
    assert_string_equal(objects[0].location, "file:/made/elsewhere/t/v1");
    firn_storage_free(storage);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_scheme_names_the_known_ones),
        cmocka_unit_test(a_driver_serves_its_scheme_and_is_released_once),
        cmocka_unit_test(aliases_move_prefixes_at_folder_borders),
        cmocka_unit_test(a_copied_lake_reads_and_lists_under_its_old_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
