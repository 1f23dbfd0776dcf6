/* Maps: lookup, order, removal, growth; the hash function. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int values[100000];

static void put_get_replace(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_map *map = firn_map_new(arena);
    assert_null(firn_map_get(map, "a"));
    assert_false(firn_map_has(map, "a"));
    assert_false(firn_map_remove(map, "a"));
    assert_null(firn_map_put(map, "a", &values[1]));
    assert_ptr_equal(firn_map_put(map, "a", &values[2]), &values[1]);
    assert_ptr_equal(firn_map_get(map, "a"), &values[2]);
    assert_int_equal(firn_map_len(map), 1);
    assert_null(firn_map_put(map, "", NULL)); /* the empty key, and NULL as a value */
    assert_true(firn_map_has(map, ""));
    assert_null(firn_map_get(map, ""));
    assert_int_equal(firn_map_len(map), 2);
}

static void keys_are_copied(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_map *map = firn_map_new(arena);
    char key[] = "key";
    firn_map_put(map, key, &values[0]);
    key[0] = 'x';
    assert_true(firn_map_has(map, "key"));
    assert_false(firn_map_has(map, "xey"));
}

static void iteration_keeps_insertion_order(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_map *map = firn_map_new(arena);
    for (int i = 0; i < 5000; i++) {
        firn_map_put(map, firn_arena_printf(arena, "k%d", i), &values[i]);
    }
    for (int i = 0; i < 5000; i += 2) {
        assert_true(firn_map_remove(map, firn_arena_printf(arena, "k%d", i)));
    }
    firn_map_put(map, "k1", &values[1]); /* replacing does not move */
    firn_map_put(map, "k0", &values[0]); /* back again: at the end */
    const char *key;
    void *value;
    int at = 1;
    for (size_t i = 0; firn_map_next(map, &i, &key, &value);) {
        int expected = at < 5000 ? at : 0;
        assert_string_equal(key, firn_arena_printf(arena, "k%d", expected));
        assert_ptr_equal(value, &values[expected]);
        at += 2;
    }
    assert_int_equal(firn_map_len(map), 2501);
    assert_int_equal(at, 5003);
}

static void many_rounds_of_put_and_remove_stay_small(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_map *map = firn_map_new(arena);
    firn_map_put(map, "stays", &values[7]);
    size_t warm = 0;
    for (int i = 0; i < 20000; i++) {
        assert_null(firn_map_put(map, "comes and goes", &values[i]));
        assert_true(firn_map_remove(map, "comes and goes"));
        assert_false(firn_map_has(map, "comes and goes"));
        if (i == 100) {
            warm = firn_arena_used_bytes(arena);
        }
    }
    assert_ptr_equal(firn_map_get(map, "stays"), &values[7]);
    /* Only the copies of the key were added: 15 bytes each, tombstones were reused. */
    assert_true(firn_arena_used_bytes(arena) - warm <= (size_t)20000 * 15);
}

static void integer_keys_over_the_whole_range(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_imap *map = firn_imap_new(arena);
    static const int64_t keys[] = {0, -1, 1, INT64_MIN, INT64_MAX};
    assert_null(firn_imap_get(map, 0));
    assert_false(firn_imap_has(map, 0));
    for (int i = 0; i < 5; i++) {
        assert_null(firn_imap_put(map, keys[i], &values[i]));
    }
    assert_ptr_equal(firn_imap_put(map, -1, &values[9]), &values[1]);
    assert_ptr_equal(firn_imap_get(map, -1), &values[9]);
    assert_int_equal(firn_imap_len(map), 5);
    int64_t key;
    void *value;
    size_t at = 0;
    for (size_t i = 0; firn_imap_next(map, &i, &key, &value); at++) {
        assert_true(key == keys[at]);
    }
    assert_int_equal(at, 5);
}

static void a_hundred_thousand_keys(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_imap *map = firn_imap_new(arena);
    for (int i = 0; i < 100000; i++) {
        firn_imap_put(map, (int64_t)i << 32, &values[i]); /* equal in all low bits */
    }
    assert_int_equal(firn_imap_len(map), 100000);
    for (int i = 0; i < 100000; i++) {
        assert_ptr_equal(firn_imap_get(map, (int64_t)i << 32), &values[i]);
        assert_false(firn_imap_has(map, ((int64_t)i << 32) + 1));
    }
}

static void hash_depends_on_every_byte_length_and_seed(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    assert_true(firn_hash64(NULL, 0, 1) == firn_hash64(data, 0, 1));
    for (size_t len = 1; len <= sizeof(data); len++) {
        uint64_t hash = firn_hash64(data, len, 1);
        assert_true(hash == firn_hash64(data, len, 1));
        assert_true(hash != firn_hash64(data, len - 1, 1)); /* trailing zeroes count */
        assert_true(hash != firn_hash64(data, len, 2));
        for (size_t i = 0; i < len; i++) {
            data[i] = 1;
            assert_true(hash != firn_hash64(data, len, 1));
            data[i] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_replace),
        cmocka_unit_test(keys_are_copied),
        cmocka_unit_test(iteration_keeps_insertion_order),
        cmocka_unit_test(many_rounds_of_put_and_remove_stay_small),
        cmocka_unit_test(integer_keys_over_the_whole_range),
        cmocka_unit_test(a_hundred_thousand_keys),
        cmocka_unit_test(hash_depends_on_every_byte_length_and_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
