/* Byte buffers: growth, the maximum, formatting. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void zeroed_buf_is_empty_and_usable(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    assert_string_equal(firn_buf_cstr(&buf), "");
    firn_buf_append(&buf, NULL, 0);
    firn_buf_puts(&buf, "ab");
    firn_buf_putc(&buf, 'c');
    firn_buf_printf(&buf, "%d%s", 1, "x");
    assert_int_equal(buf.len, 5);
    assert_string_equal(firn_buf_cstr(&buf), "abc1x");
    assert_int_equal(buf.len, 5);
}

static void content_survives_growth(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (int i = 0; i < 100000; i++) {
        firn_buf_putc(&buf, (uint8_t)(i % 251));
    }
    assert_int_equal(buf.len, 100000);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf.data[i], i % 251);
    }
}

static void maximum_is_exact(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf;
    firn_buf_init(&buf, 4);
    firn_buf_puts(&buf, "abcd");
    assert_false(buf.overflow);
    assert_string_equal(firn_buf_cstr(&buf), "abcd");
    firn_buf_putc(&buf, 'e');
    assert_true(buf.overflow);
    assert_string_equal(firn_buf_cstr(&buf), "abcd");
}

static void nothing_follows_a_hole(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf;
    firn_buf_init(&buf, 4);
    firn_buf_puts(&buf, "ab");
    firn_buf_puts(&buf, "too long");
    firn_buf_puts(&buf, "c"); /* would fit */
    assert_true(buf.overflow);
    assert_string_equal(firn_buf_cstr(&buf), "ab");
    assert_null(firn_buf_reserve(&buf, 1));
    firn_buf_clear(&buf);
    firn_buf_puts(&buf, "c");
    assert_false(buf.overflow);
    assert_string_equal(firn_buf_cstr(&buf), "c");
}

static void printf_overflows_as_a_whole(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf;
    firn_buf_init(&buf, 4);
    firn_buf_printf(&buf, "%s", "1234");
    assert_false(buf.overflow);
    firn_buf_clear(&buf);
    firn_buf_printf(&buf, "%s", "12345");
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 0);
}

static void huge_request_overflows_without_allocating(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_puts(&buf, "a");
    assert_null(firn_buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.overflow);
    firn_buf_clear(&buf);
    assert_null(firn_buf_reserve(&buf, FIRN_BUF_MAX_DEFAULT + 1));
}

static void reserve_is_for_the_caller_to_fill(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_puts(&buf, "ab");
    uint8_t *to = firn_buf_reserve(&buf, 1000);
    assert_ptr_equal(to, buf.data + 2);
    assert_int_equal(buf.len, 2);
    memset(to, 'x', 1000);
    buf.len += 1000;
    firn_bytes bytes = firn_buf_bytes(&buf);
    assert_int_equal(bytes.len, 1002);
    assert_memory_equal(bytes.data, "abx", 3);
}

static void deinit_keeps_the_maximum(void **state)
{
    (void)state;
    firn_buf buf;
    firn_buf_init(&buf, 3);
    firn_buf_puts(&buf, "abc");
    firn_buf_deinit(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    firn_buf_puts(&buf, "abcd");
    assert_true(buf.overflow);
    firn_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_buf_is_empty_and_usable),
        cmocka_unit_test(content_survives_growth),
        cmocka_unit_test(maximum_is_exact),
        cmocka_unit_test(nothing_follows_a_hole),
        cmocka_unit_test(printf_overflows_as_a_whole),
        cmocka_unit_test(huge_request_overflows_without_allocating),
        cmocka_unit_test(reserve_is_for_the_caller_to_fill),
        cmocka_unit_test(deinit_keeps_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
