/* UUIDs, random ids, and the deterministic generator. */
#include "base/uuid.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_arena *arena; /* one for the group */

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    firn_arena_free(arena);
    return 0;
}

static void versions_and_variant(void **state)
{
    (void)state;
    uint8_t a[16];
    uint8_t b[16];
    for (int i = 0; i < 100; i++) {
        firn_uuid_v4(a);
        firn_uuid_v7(b);
        assert_int_equal(a[6] >> 4, 4);
        assert_int_equal(b[6] >> 4, 7);
        assert_int_equal(a[8] >> 6, 2);
        assert_int_equal(b[8] >> 6, 2);
        assert_memory_not_equal(a, b, 16);
    }
}

static void v7_starts_with_the_milliseconds(void **state)
{
    (void)state;
    uint8_t early[16];
    uint8_t late[16];
    setenv("FIRN_FAKE_NOW", "2024-02-15T10:20:30.123Z", 1); /* 1707992430123 ms */
    firn_uuid_v7(early);
    assert_memory_equal(early, "\x01\x8D\xAC\x48\x36\x2B", 6);
    setenv("FIRN_FAKE_NOW", "2024-02-15T10:20:30.124Z", 1);
    firn_uuid_v7(late);
    unsetenv("FIRN_FAKE_NOW");
    assert_true(memcmp(early, late, 16) < 0);
}

static void text_round_trip(void **state)
{
    (void)state;
    static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";
    uint8_t uuid[16];
    char back[FIRN_UUID_TEXT_BYTES];
    assert_true(firn_uuid_parse(text, uuid));
    assert_memory_equal(uuid, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xAA\xBB\xCC\xDD\xEE\xFF",
                        16);
    firn_uuid_format(uuid, back);
    assert_string_equal(back, text);
    assert_true(firn_uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", uuid));
    firn_uuid_format(uuid, back);
    assert_string_equal(back, text);
    assert_true(firn_uuid_parse(firn_uuid_new(arena), uuid));
}

static void only_the_canonical_form_parses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00112233445566778899aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeefg",
        "0011223-34455-6677-8899-aabbccddeeff",
        "{00112233-4455-6677-8899-aabbccddeeff}",
        "00112233-4455-6677-8899",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        uint8_t uuid[16] = {42};
        assert_false(firn_uuid_parse(bad[i], uuid));
        assert_int_equal(uuid[0], 42);
    }
}

static void ids_are_positive_and_differ(void **state)
{
    (void)state;
    int64_t before = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t id = firn_random_id();
        assert_true(id > 0);
        assert_true(id != before);
        before = id;
    }
    assert_true(firn_random_u64() != firn_random_u64());
}

static void generator_is_the_published_one(void **state)
{
    (void)state;
    firn_rng rng = {{1, 2, 3, 4}}; /* the reference values of xoshiro256** */
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (int i = 0; i < 4; i++) {
        assert_true(firn_rng_next(&rng) == expected[i]);
    }
    firn_rng_init(&rng, 0); /* splitmix64's first outputs from 0 */
    assert_true(rng.s[0] == 0xE220A8397B1DCDAF);
    assert_true(rng.s[1] == 0x6E789E6AA1B965F4);
}

static void same_seed_same_numbers(void **state)
{
    (void)state;
    firn_rng a;
    firn_rng b;
    firn_rng c;
    firn_rng_init(&a, 42);
    firn_rng_init(&b, 42);
    firn_rng_init(&c, 43);
    for (int i = 0; i < 100; i++) {
        uint64_t x = firn_rng_next(&a);
        assert_true(x == firn_rng_next(&b));
        assert_true(x != firn_rng_next(&c));
    }
}

static void below_is_bounded_and_even(void **state)
{
    (void)state;
    firn_rng rng;
    firn_rng_init(&rng, 1);
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++) {
        uint64_t x = firn_rng_below(&rng, 6);
        assert_true(x < 6);
        counts[x]++;
    }
    for (int i = 0; i < 6; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
    assert_int_equal(firn_rng_below(&rng, 1), 0);
    uint64_t most = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t x = firn_rng_below(&rng, UINT64_MAX);
        assert_true(x < UINT64_MAX);
        most = x > most ? x : most;
    }
    assert_true(most > UINT64_MAX / 2);
}

static void unit_is_half_open(void **state)
{
    (void)state;
    firn_rng rng;
    firn_rng_init(&rng, 1);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = firn_rng_unit(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(sum > 4800 && sum < 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_and_variant),
        cmocka_unit_test(v7_starts_with_the_milliseconds),
        cmocka_unit_test(text_round_trip),
        cmocka_unit_test(only_the_canonical_form_parses),
        cmocka_unit_test(ids_are_positive_and_differ),
        cmocka_unit_test(generator_is_the_published_one),
        cmocka_unit_test(same_seed_same_numbers),
        cmocka_unit_test(below_is_bounded_and_even),
        cmocka_unit_test(unit_is_half_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
