/* Formats by looking: frames, JSON, text, bytes, nulls, and mixtures of them. */
#include "source/guess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_guess guess(firn_arena *arena, const firn_bytes *values, size_t n)
{
    firn_kafka_message *messages = FIRN_NEW_N(arena, firn_kafka_message, n);
    for (size_t i = 0; i < n; i++) {
        messages[i] = (firn_kafka_message){.topic = "t", .offset = (int64_t)i, .value = values[i]};
    }
    firn_guess out;
    firn_err err = {0};
    assert_int_equal(firn_guess_messages(NULL, arena, messages, n, false, &out, &err), FIRN_OK);
    return out;
}

static firn_payload one(const void *bytes, size_t len)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    return guess(arena, &(firn_bytes){.data = bytes, .len = len}, 1).payload;
}

static void plain_payloads(void **state)
{
    (void)state;
    assert_int_equal(one("{\"a\": 1}", 8), FIRN_PAYLOAD_JSON);
    assert_int_equal(one(" \n\t{}", 5), FIRN_PAYLOAD_JSON);
    assert_int_equal(one("[1]", 3), FIRN_PAYLOAD_STRING); /* records are objects */
    assert_int_equal(one("hello", 5), FIRN_PAYLOAD_STRING);
    assert_int_equal(one("", 0), FIRN_PAYLOAD_STRING);
    assert_int_equal(one("\xff\xfe", 2), FIRN_PAYLOAD_BYTES);
    assert_int_equal(one("a\0b", 3), FIRN_PAYLOAD_BYTES);
    assert_int_equal(one("\0\0\0", 3), FIRN_PAYLOAD_BYTES); /* too short for a frame */
}

static void a_frame_without_a_registry_is_said(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_bytes values[] = {firn_bytes_of("\0\0\0\0\7\2", 6)};
    firn_guess found = guess(arena, values, 1);
    assert_true(found.framed);
    assert_int_equal(found.schema_id, 7);
    assert_int_equal(found.payload, FIRN_PAYLOAD_BYTES);
    assert_int_equal(found.other, 0);
}

static void the_most_frequent_counts(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_bytes values[] = {
        firn_bytes_str("{}"), {0}, firn_bytes_str("oops"), firn_bytes_str("{}"), {0}};
    firn_guess found = guess(arena, values, 5);
    assert_int_equal(found.payload, FIRN_PAYLOAD_JSON);
    assert_int_equal(found.seen, 3);
    assert_int_equal(found.other, 1);
    assert_int_equal(found.schema_id, -1);
    found = guess(arena, &values[1], 1);
    assert_int_equal(found.payload, FIRN_PAYLOAD_NONE);
    assert_int_equal(found.seen, 0);
    assert_int_equal(guess(arena, NULL, 0).payload, FIRN_PAYLOAD_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_payloads),
        cmocka_unit_test(a_frame_without_a_registry_is_said),
        cmocka_unit_test(the_most_frequent_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
