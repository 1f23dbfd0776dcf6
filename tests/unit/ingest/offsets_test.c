#include "ingest/ingest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_metadata *table_with(firn_arena *arena, const char *value)
{
    firn_metadata *metadata = FIRN_NEW(arena, firn_metadata);
    metadata->properties = firn_json_own(arena, json_pack("{s:s}", "firn.offsets.orders", value));
    return metadata;
}

static void offsets_are_sorted_by_place(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_offset *offsets = NULL;
    size_t n = 0;
    const firn_metadata *metadata =
        table_with(arena, "{\"b\":{\"0\":7},\"a\":{\"10\":3,\"2\":9000000000}}");
    assert_int_equal(firn_offsets_read(arena, metadata, "orders", &offsets, &n, NULL), FIRN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(offsets[0].topic, "a");
    assert_int_equal(offsets[0].partition, 2);
    assert_int_equal(offsets[0].next, 9000000000);
    assert_int_equal(offsets[1].partition, 10);
    assert_string_equal(offsets[2].topic, "b");
    assert_int_equal(firn_offsets_read(arena, metadata, "users", &offsets, &n, NULL), FIRN_OK);
    assert_int_equal(n, 0);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const char *const bad[] = {"", "[", "{\"a\":{\"x\":1}}", "{\"a\":{\"0\":-1}}",
                                      "{\"a\":{\"0\":\"1\"}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        firn_offset *offsets = NULL;
        size_t n = 0;
        firn_err err = {0};
        assert_int_equal(
            firn_offsets_read(arena, table_with(arena, bad[i]), "orders", &offsets, &n, &err),
            FIRN_E_CORRUPT);
        assert_non_null(strstr(err.message, "firn.offsets.orders"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_sorted_by_place),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
