/* Deletion vectors: sets of positions, the blob, and everything that must not be believed about a blob. */
#include "format/dv.h"

#include "roaring_check.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

static firn_dv *dv_of(const uint64_t *positions, size_t count)
{
    firn_dv *dv = firn_dv_new();
    assert_int_equal(firn_dv_add_many(dv, positions, count, NULL), FIRN_OK);
    return dv;
}

static void assert_holds(const firn_dv *dv, const uint64_t *positions, size_t count)
{
    assert_int_equal(firn_dv_cardinality(dv), count);
    uint64_t *have = calloc(count + 1, sizeof *have);
    firn_dv_to_array(dv, have);
    assert_memory_equal(have, positions, count * sizeof *have);
    free(have);
}

static const uint64_t some[] = {0,          1,           65535,       65536,
                                0xFFFFFFFF, 0x100000000, 0x500000007, FIRN_DV_POSITION_MAX};
enum { SOME = sizeof some / sizeof *some };

static void an_empty_vector(void **state)
{
    (void)state;
    FIRN_AUTO_DV firn_dv *dv = firn_dv_new();
    uint64_t max;
    assert_int_equal(firn_dv_cardinality(dv), 0);
    assert_false(firn_dv_contains(dv, 0));
    assert_false(firn_dv_max(dv, &max));
    FIRN_AUTO_BUF firn_buf blob = {0};
    assert_int_equal(firn_dv_serialise(dv, &blob, NULL), FIRN_OK);
    assert_int_equal(blob.len, 4 + 4 + 8 + 4);
    FIRN_AUTO_DV firn_dv *back = NULL;
    assert_int_equal(firn_dv_deserialise(firn_buf_bytes(&blob), &back, NULL), FIRN_OK);
    assert_int_equal(firn_dv_cardinality(back), 0);
}

static void positions_are_a_sorted_set(void **state)
{
    (void)state;
    FIRN_AUTO_DV firn_dv *dv = firn_dv_new();
    for (int round = 0; round < 2; round++) {
        for (int i = SOME - 1; i >= 0; i--)
            assert_int_equal(firn_dv_add(dv, some[i], NULL), FIRN_OK);
    }
    assert_holds(dv, some, SOME);
    assert_true(firn_dv_contains(dv, 0x500000007));
    assert_false(firn_dv_contains(dv, 7));
    assert_false(firn_dv_contains(dv, 0x500000008));
    uint64_t max;
    assert_true(firn_dv_max(dv, &max));
    assert_true(max == FIRN_DV_POSITION_MAX);
    for (int i = 0; i < SOME; i++) {
        assert_int_equal(firn_dv_rank(dv, some[i]), i);
        assert_int_equal(firn_dv_rank(dv, some[i] + 1), i + 1);
    }
}

static void positions_past_the_last_are_invalid(void **state)
{
    (void)state;
    firn_err err = {0};
    FIRN_AUTO_DV firn_dv *dv = firn_dv_new();
    assert_int_equal(firn_dv_add(dv, FIRN_DV_POSITION_MAX + 1, &err), FIRN_E_INVALID);
    assert_int_equal(firn_dv_add(dv, UINT64_MAX, &err), FIRN_E_INVALID);
    assert_int_equal(firn_dv_add_range(dv, 0, (uint64_t)1 << 37, &err), FIRN_E_LIMIT);
    assert_int_equal(firn_dv_cardinality(dv), 0);
}

static void ranges_cross_the_32_bit_border(void **state)
{
    (void)state;
    FIRN_AUTO_DV firn_dv *dv = firn_dv_new();
    assert_int_equal(firn_dv_add_range(dv, 0xFFFFFFFE, 0x100000003, NULL), FIRN_OK);
    assert_int_equal(firn_dv_add_range(dv, 5, 5, NULL), FIRN_OK);
    assert_int_equal(firn_dv_add_range(dv, 9, 5, NULL), FIRN_OK);
    const uint64_t want[] = {0xFFFFFFFE, 0xFFFFFFFF, 0x100000000, 0x100000001, 0x100000002};
    assert_holds(dv, want, 5);
}

static void merging_is_a_union(void **state)
{
    (void)state;
    const uint64_t other_positions[] = {1, 2, 0x300000000};
    FIRN_AUTO_DV firn_dv *dv = dv_of(some, SOME);
    FIRN_AUTO_DV firn_dv *other = dv_of(other_positions, 3);
    FIRN_AUTO_DV firn_dv *copy = firn_dv_copy(dv);
    firn_dv_or(dv, other);
    firn_dv_or(dv, dv);
    assert_int_equal(firn_dv_cardinality(dv), SOME + 2);
    assert_true(firn_dv_contains(dv, 2));
    assert_true(firn_dv_contains(dv, 0x300000000));
    assert_holds(other, other_positions, 3);
    assert_holds(copy, some, SOME);
}

static bool sum_up_to_three(void *ctx, uint64_t position)
{
    uint64_t *sum = ctx;
    *sum += position;
    return position < 65535;
}

static void visiting_stops_when_told(void **state)
{
    (void)state;
    FIRN_AUTO_DV firn_dv *dv = dv_of(some, SOME);
    uint64_t sum = 0;
    firn_dv_each(dv, sum_up_to_three, &sum);
    assert_int_equal(sum, 0 + 1 + 65535);
}

/* Arrays, bitsets and runs, in one vector and through a blob. */
static void every_container_goes_there_and_back(void **state)
{
    (void)state;
    FIRN_AUTO_DV firn_dv *dv = firn_dv_new();
    assert_int_equal(firn_dv_add_range(dv, 10, 60000, NULL), FIRN_OK);
    for (uint64_t i = 65536; i < 131072; i += 2)
        assert_int_equal(firn_dv_add(dv, i, NULL), FIRN_OK);
    for (uint64_t i = 131072; i < 200000; i += 997)
        assert_int_equal(firn_dv_add(dv, i, NULL), FIRN_OK);
    for (int i = 0; i < SOME; i++)
        assert_int_equal(firn_dv_add(dv, some[i], NULL), FIRN_OK);

    FIRN_AUTO_BUF firn_buf blob = {0};
    firn_buf_puts(&blob, "PFA1"); /* appended after what is there */
    assert_int_equal(firn_dv_serialise(dv, &blob, NULL), FIRN_OK);
    firn_err err = {0};
    FIRN_AUTO_DV firn_dv *back = NULL;
    if (firn_dv_deserialise(firn_bytes_of(blob.data + 4, blob.len - 4), &back, &err) != FIRN_OK)
        fail_msg("%s", err.message);
    size_t count = firn_dv_cardinality(dv);
    uint64_t *positions = calloc(count, sizeof *positions);
    firn_dv_to_array(dv, positions);
    assert_holds(back, positions, count);
    free(positions);
}

/* ---- blobs that lie ---- */

static void seal(firn_buf *blob)
{
    uint32_t len = htobe32((uint32_t)(blob->len - 4));
    memcpy(blob->data, &len, sizeof len);
    uint32_t sum = htobe32((uint32_t)crc32(0, blob->data + 4, (uInt)(blob->len - 4)));
    firn_buf_append(blob, &sum, sizeof sum);
}

/* A blob with one vector part whose bitmap is `bitmap`. */
static firn_rc read_bitmap(const void *bitmap, size_t len, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf blob = {0};
    firn_buf_append(&blob, "\0\0\0\0\xD1\xD3\x39\x64\1\0\0\0\0\0\0\0\0\0\0\0", 20);
    firn_buf_append(&blob, bitmap, len);
    seal(&blob);
    FIRN_AUTO_DV firn_dv *dv = NULL;
    return firn_dv_deserialise(firn_buf_bytes(&blob), &dv, err);
}

#define assert_bitmap_fault(bytes, text)                                                \
    do {                                                                                \
        firn_err err_ = {0};                                                            \
        assert_int_equal(read_bitmap(bytes, sizeof(bytes) - 1, &err_), FIRN_E_CORRUPT); \
        if (!strstr(err_.message, text))                                                \
            fail_msg("\"%s\" does not hold \"%s\"", err_.message, text);                \
    } while (0)

#define COOKIE      "\x3A\x30\0\0"
#define COOKIE_RUNS "\x3B\x30\0\0"

static void well_formed_bitmaps_are_read(void **state)
{
    (void)state;
    firn_err err = {0};
    const char array[] = COOKIE "\1\0\0\0"
                                "\0\0\1\0"
                                "\x10\0\0\0"
                                "\5\0\7\0";
    assert_int_equal(read_bitmap(array, sizeof array - 1, &err), FIRN_OK);
    const char run[] = COOKIE_RUNS "\1"
                                   "\0\0\3\0"
                                   "\2\0"
                                   "\1\0\1\0"
                                   "\5\0\1\0";
    assert_int_equal(read_bitmap(run, sizeof run - 1, &err), FIRN_OK);
    const char empty[] = COOKIE "\0\0\0\0";
    assert_int_equal(read_bitmap(empty, sizeof empty - 1, &err), FIRN_OK);
}

static void every_rule_of_the_format_is_checked(void **state)
{
    (void)state;
    assert_bitmap_fault("\1\2\3\4\5\6\7\10", "no roaring cookie");
    assert_bitmap_fault(COOKIE "\1\0\1\0", "more than 65536 containers");
    assert_bitmap_fault(COOKIE "\2\0\0\0"
                               "\0\0\0\0",
                        "ends within its header");
    assert_bitmap_fault(COOKIE "\1\0\0\0"
                               "\0\0\0\0"
                               "\x10\0",
                        "ends within its offsets");
    assert_bitmap_fault(COOKIE "\1\0\0\0"
                               "\0\0\0\0"
                               "\x11\0\0\0"
                               "\1\0",
                        "offset does not point");
    assert_bitmap_fault(COOKIE "\1\0\0\0"
                               "\0\0\1\0"
                               "\x10\0\0\0"
                               "\5\0",
                        "ends within an array");
    assert_bitmap_fault(COOKIE "\1\0\0\0"
                               "\0\0\1\0"
                               "\x10\0\0\0"
                               "\5\0\5\0",
                        "values do not ascend");
    assert_bitmap_fault(COOKIE "\2\0\0\0"
                               "\1\0\0\0\0\0\0\0"
                               "\x18\0\0\0\x1a\0\0\0"
                               "\0\0\0\0",
                        "containers do not ascend");
    assert_bitmap_fault(COOKIE "\1\0\0\0"
                               "\0\0\xff\xff"
                               "\x10\0\0\0"
                               "\5\0",
                        "ends within a bitset");
    assert_bitmap_fault(COOKIE_RUNS "\1"
                                    "\0\0\3\0"
                                    "\2\0"
                                    "\1\0\1\0",
                        "ends within a run");
    assert_bitmap_fault(COOKIE_RUNS "\1"
                                    "\0\0\3\0"
                                    "\2\0"
                                    "\1\0\1\0"
                                    "\2\0\1\0",
                        "runs overlap");
    assert_bitmap_fault(COOKIE_RUNS "\1"
                                    "\0\0\0\0"
                                    "\1\0"
                                    "\xff\xff\1\0",
                        "runs overlap");
    assert_bitmap_fault(COOKIE_RUNS "\1"
                                    "\0\0\4\0"
                                    "\2\0"
                                    "\1\0\1\0"
                                    "\5\0\1\0",
                        "another cardinality");
    assert_bitmap_fault(COOKIE "\0\0\0\0"
                               "?",
                        "after its last bitmap");
}

static void the_frame_is_checked(void **state)
{
    (void)state;
    FIRN_AUTO_DV firn_dv *dv = dv_of(some, SOME);
    FIRN_AUTO_BUF firn_buf blob = {0};
    assert_int_equal(firn_dv_serialise(dv, &blob, NULL), FIRN_OK);
    for (size_t len = 0; len < blob.len; len++) { /* cut anywhere */
        FIRN_AUTO_DV firn_dv *back = NULL;
        assert_int_equal(firn_dv_deserialise(firn_bytes_of(blob.data, len), &back, NULL),
                         FIRN_E_CORRUPT);
    }
    for (size_t i = 0; i < blob.len; i++) { /* any bit flipped */
        FIRN_AUTO_DV firn_dv *back = NULL;
        blob.data[i] ^= (uint8_t)(1 << (i % 8));
        assert_int_equal(firn_dv_deserialise(firn_buf_bytes(&blob), &back, NULL), FIRN_E_CORRUPT);
        blob.data[i] ^= (uint8_t)(1 << (i % 8));
    }
}

static void keys_must_ascend(void **state)
{
    (void)state;
    const char part[] = COOKIE "\1\0\0\0"
                               "\0\0\0\0"
                               "\x10\0\0\0"
                               "\5\0";
    for (int second_key = 0; second_key < 2; second_key++) {
        FIRN_AUTO_BUF firn_buf blob = {0};
        firn_buf_append(&blob, "\0\0\0\0\xD1\xD3\x39\x64\2\0\0\0\0\0\0\0\0\0\0\0", 20);
        firn_buf_append(&blob, part, sizeof part - 1);
        firn_buf_append(&blob, second_key ? "\1\0\0\0" : "\0\0\0\0", 4);
        firn_buf_append(&blob, part, sizeof part - 1);
        seal(&blob);
        FIRN_AUTO_DV firn_dv *dv = NULL;
        assert_int_equal(firn_dv_deserialise(firn_buf_bytes(&blob), &dv, NULL),
                         second_key ? FIRN_OK : FIRN_E_CORRUPT);
    }
}

static void a_full_buffer_is_a_limit(void **state)
{
    (void)state;
    FIRN_AUTO_DV firn_dv *dv = dv_of(some, SOME);
    firn_err err = {0};
    for (size_t max = 1; max < 60; max++) {
        FIRN_AUTO_BUF firn_buf blob = {.max = max};
        assert_int_equal(firn_dv_serialise(dv, &blob, &err), FIRN_E_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_vector),
        cmocka_unit_test(positions_are_a_sorted_set),
        cmocka_unit_test(positions_past_the_last_are_invalid),
        cmocka_unit_test(ranges_cross_the_32_bit_border),
        cmocka_unit_test(merging_is_a_union),
        cmocka_unit_test(visiting_stops_when_told),
        cmocka_unit_test(every_container_goes_there_and_back),
        cmocka_unit_test(well_formed_bitmaps_are_read),
        cmocka_unit_test(every_rule_of_the_format_is_checked),
        cmocka_unit_test(the_frame_is_checked),
        cmocka_unit_test(keys_must_ascend),
        cmocka_unit_test(a_full_buffer_is_a_limit),
    };
    return cmocka_run_group_tests_name("format/dv", tests, NULL, NULL);
}
