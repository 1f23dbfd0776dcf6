/* Dead letters as an Arrow batch: what is kept of a record that could not become a row. */
#include "dead_letters.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct batch {
    struct ArrowSchema schema;
    struct ArrowArray array;
} batch;

static const firn_feed feed = {
    .name = "orders", .value = {.payload = FIRN_PAYLOAD_AVRO}, .table = "bronze.orders"};

static batch take(firn_dead_letters *letters)
{
    firn_err err = {0};
    batch b;
    assert_int_equal(firn_dead_letters_take(letters, &b.schema, &b.array, &err), FIRN_OK);
    assert_int_equal(firn_dead_letters_rows(letters), 0);
    assert_int_equal(firn_dead_letters_bytes(letters), 0);
    return b;
}

static void release(batch *b)
{
    b->schema.release(&b->schema);
    b->array.release(&b->array);
}

static const struct ArrowArray *column(const batch *b, const char *name)
{
    for (int64_t i = 0; i < b->schema.n_children; i++) {
        if (firn_streq(b->schema.children[i]->name, name)) {
            return b->array.children[i];
        }
    }
    fail_msg("no column %s", name);
    return NULL;
}

static bool is_valid(const struct ArrowArray *a, int64_t row)
{
    const uint8_t *bits = a->buffers[0];
    return bits == NULL || (bits[row >> 3] >> (row & 7) & 1);
}

static int64_t long_at(const batch *b, const char *name, int64_t row)
{
    const struct ArrowArray *a = column(b, name);
    assert_true(is_valid(a, row));
    return ((const int64_t *)a->buffers[1])[row];
}

static int32_t int_at(const batch *b, const char *name, int64_t row)
{
    const struct ArrowArray *a = column(b, name);
    assert_true(is_valid(a, row));
    return ((const int32_t *)a->buffers[1])[row];
}

static void expect_bytes(const struct ArrowArray *a, int64_t row, const char *data, size_t len)
{
    const int32_t *ends = a->buffers[1];
    assert_int_equal(is_valid(a, row), data != NULL);
    assert_int_equal(ends[row + 1] - ends[row], len);
    if (len > 0) {
        assert_memory_equal((const char *)a->buffers[2] + ends[row], data, len);
    }
}

static void expect_text(const batch *b, const char *name, int64_t row, const char *text)
{
    expect_bytes(column(b, name), row, text, strlen(text));
}

static void test_letters(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_dead_letters *letters = firn_dead_letters_new(&feed);
    const firn_kafka_header headers[] = {
        {"trace", firn_bytes_str("first")},
        {"none", {0}},
        {"trace", firn_bytes_str("last")},
        {"b\xff"
         "d",
         firn_bytes_of("", 0)},
    };
    const firn_dead_letter full = {
        .message = {.topic = "shop.orders",
                    .partition = 3,
                    .offset = 1LL << 40,
                    .timestamp_ms = 1700000000123,
                    .key = firn_bytes_of("k\0y", 3),
                    .value = firn_bytes_of("\0\0\0\1\2rest", 9)},
        .headers = headers,
        .n_headers = 4,
        .code = FIRN_E_TYPE,
        .why = "price: a text where the table has a number: \xfe",
        .failed_us = 42,
        .attempts = 2,
    };
    const firn_dead_letter bare = {
        .message = {.topic = "shop.orders",
                    .offset = 7,
                    .timestamp_ms = -1,
                    .value = firn_bytes_of("", 0)},
        .code = FIRN_E_CORRUPT,
        .why = "cut off",
    };
    int64_t before_us = firn_now_us();
    assert_int_equal(firn_dead_letters_add(letters, &full, &err), FIRN_OK);
    assert_int_equal(firn_dead_letters_add(letters, &bare, &err), FIRN_OK);
    assert_int_equal(firn_dead_letters_rows(letters), 2);
    assert_true(firn_dead_letters_bytes(letters) > 100);

    batch b = take(letters);
    assert_int_equal(b.array.length, 2);
    expect_text(&b, "feed", 0, "orders");
    expect_text(&b, "topic", 1, "shop.orders");
    assert_int_equal(int_at(&b, "partition", 0), 3);
    assert_int_equal(long_at(&b, "offset", 0), 1LL << 40);
    assert_int_equal(long_at(&b, "timestamp", 0), 1700000000123000);
    assert_false(is_valid(column(&b, "timestamp"), 1));
    expect_bytes(column(&b, "key"), 0, "k\0y", 3);
    expect_bytes(column(&b, "key"), 1, NULL, 0);
    expect_bytes(column(&b, "value"), 0, "\0\0\0\1\2rest", 9);
    expect_bytes(column(&b, "value"), 1, "", 0);
    expect_text(&b, "code", 0, "TYPE");
    expect_text(&b, "code", 1, "CORRUPT");
    expect_text(&b, "error", 0, "price: a text where the table has a number: \\xfe");
    assert_int_equal(int_at(&b, "schema_id", 0), 258);
    assert_false(is_valid(column(&b, "schema_id"), 1));
    assert_int_equal(long_at(&b, "failed_at", 0), 42);
    assert_true(long_at(&b, "failed_at", 1) >= before_us);
    assert_int_equal(int_at(&b, "attempts", 0), 2);
    assert_int_equal(int_at(&b, "attempts", 1), 1);

    const struct ArrowArray *map = column(&b, "headers");
    const int32_t *ends = map->buffers[1];
    assert_int_equal(ends[1], 3);
    assert_int_equal(ends[2], 3);
    const struct ArrowArray *entries = map->children[0];
    expect_bytes(entries->children[0], 0, "none", 4);
    expect_bytes(entries->children[1], 0, NULL, 0);
    expect_bytes(entries->children[0], 1, "trace", 5);
    expect_bytes(entries->children[1], 1, "last", 4);
    expect_bytes(entries->children[0], 2, "b\\xffd", 6);
    expect_bytes(entries->children[1], 2, "", 0);
    release(&b);

    b = take(letters);
    assert_int_equal(b.array.length, 0);
    assert_int_equal(b.schema.n_children, 13);
    release(&b);
    firn_dead_letters_free(letters);
}

/* A text that happens to begin with a zero names no schema. */
static void test_only_frames_have_ids(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_feed plain = feed;
    plain.value.payload = FIRN_PAYLOAD_BYTES;
    firn_dead_letters *letters = firn_dead_letters_new(&plain);
    const firn_dead_letter letter = {
        .message = {.topic = "t", .value = firn_bytes_of("\0\0\0\1\2rest", 9)}, .why = "x"};
    assert_int_equal(firn_dead_letters_add(letters, &letter, &err), FIRN_OK);
    batch b = take(letters);
    assert_false(is_valid(column(&b, "schema_id"), 0));
    assert_int_equal(long_at(&b, "timestamp", 0), 0);
    release(&b);
    firn_dead_letters_free(letters);
}

static void test_too_many(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_dead_letters *letters = firn_dead_letters_new(&feed);
    size_t size = 100 << 20;
    uint8_t *data = firn_calloc(1, size);
    const firn_dead_letter letter = {.message = {.topic = "t", .value = firn_bytes_of(data, size)},
                                     .why = "x"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(firn_dead_letters_add(letters, &letter, &err), FIRN_OK);
    }
    size_t bytes = firn_dead_letters_bytes(letters);
    assert_int_equal(firn_dead_letters_add(letters, &letter, &err), FIRN_E_LIMIT);
    assert_int_equal(firn_dead_letters_rows(letters), 2);
    assert_int_equal(firn_dead_letters_bytes(letters), bytes);
    free(data);
    firn_dead_letters_free(letters);
}

static void test_table(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_ident anchor = {.ns = "bronze", .name = "orders"};
    firn_ident ident = firn_dead_letters_ident(arena, &feed, anchor);
    assert_string_equal(firn_ident_text(arena, ident), "bronze.orders__dead_letters");
    firn_feed other = feed;
    other.dead_letters = "ops.bad.letters";
    ident = firn_dead_letters_ident(arena, &other, anchor);
    assert_string_equal(firn_ident_text(arena, ident), "ops.bad.letters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_only_frames_have_ids),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
