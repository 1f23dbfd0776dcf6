/* Errors: codes and their mappings, messages, wrapping, errno. */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_rc fail_with(firn_err *err, firn_rc code)
{
    FIRN_FAIL(err, code, "cannot read %s: byte %d", "f.avro", 7);
}

static firn_rc pass_on(firn_err *err, firn_rc code, int *went_on)
{
    FIRN_TRY(FIRN_OK);
    FIRN_TRY(fail_with(err, code));
    *went_on = 1;
    return FIRN_OK;
}

static void fail_fills_everything(void **state)
{
    (void)state;
    firn_err err;
    memset(&err, 0xAA, sizeof(err));
    assert_int_equal(fail_with(&err, FIRN_E_CORRUPT), FIRN_E_CORRUPT);
    assert_int_equal(err.code, FIRN_E_CORRUPT);
    assert_string_equal(err.message, "cannot read f.avro: byte 7");
    assert_non_null(strstr(err.file, "err_test.c"));
    assert_true(err.line > 0);
    assert_false(err.retriable);
    assert_false(err.outcome_unknown);
}

static void code_implies_the_flags(void **state)
{
    (void)state;
    for (int code = FIRN_E_INVALID; code < FIRN_RC_COUNT; code++) {
        firn_err err = {0};
        assert_int_equal(fail_with(&err, (firn_rc)code), code);
        assert_int_equal(err.retriable, code == FIRN_E_CONFLICT || code == FIRN_E_BUSY ||
                                            code == FIRN_E_UNAVAILABLE);
        assert_int_equal(err.outcome_unknown, code == FIRN_E_UNKNOWN_OUTCOME);
    }
}

static void try_returns_the_first_failure(void **state)
{
    (void)state;
    firn_err err = {0};
    int went_on = 0;
    assert_int_equal(pass_on(&err, FIRN_E_LIMIT, &went_on), FIRN_E_LIMIT);
    assert_int_equal(went_on, 0);
}

static void err_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(fail_with(NULL, FIRN_E_IO), FIRN_E_IO);
    assert_int_equal(firn_err_wrap(NULL, FIRN_E_IO, "x"), FIRN_E_IO);
    assert_int_equal(firn_err_errno(NULL, "f", 1, ENOENT, "x"), FIRN_E_NOT_FOUND);
    firn_err_clear(NULL);
}

static void long_message_ends_in_dots(void **state)
{
    (void)state;
    char text[FIRN_ERR_MESSAGE_BYTES + 100];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    firn_err err = {0};
    firn_err_set(&err, "f", 1, FIRN_E_IO, "%s", text);
    assert_int_equal(strlen(err.message), FIRN_ERR_MESSAGE_BYTES - 1);
    assert_string_equal(err.message + FIRN_ERR_MESSAGE_BYTES - 5, "x...");
    text[FIRN_ERR_MESSAGE_BYTES - 1] = '\0'; /* the longest that fits stays whole */
    firn_err_set(&err, "f", 1, FIRN_E_IO, "%s", text);
    assert_string_equal(err.message, text);
}

static void truncation_keeps_utf8_whole(void **state)
{
    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        char text[FIRN_ERR_MESSAGE_BYTES + 100] = "abc";
        text[shift] = '\0';
        while (strlen(text) + 4 < sizeof(text)) {
            strcat(text, "\xF0\x9F\x8D\x8E");
        }
        firn_err err = {0};
        firn_err_set(&err, "f", 1, FIRN_E_IO, "%s", text);
        size_t len = strlen(err.message);
        assert_string_equal(err.message + len - 3, "...");
        assert_int_equal((len - 3 - (size_t)shift) % 4, 0);
    }
}

static void wrap_puts_context_in_front(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_err_set(&err, "f", 1, FIRN_E_BUSY, "the lock is held");
    assert_int_equal(firn_err_wrap(&err, FIRN_E_BUSY, "table %s", "a.b"), FIRN_E_BUSY);
    assert_string_equal(err.message, "table a.b: the lock is held");
    assert_true(err.retriable);
    assert_int_equal(err.line, 1);
}

static void wrapping_a_full_message_truncates_it(void **state)
{
    (void)state;
    char text[FIRN_ERR_MESSAGE_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    firn_err err = {0};
    firn_err_set(&err, "f", 1, FIRN_E_IO, "%s", text);
    firn_err_wrap(&err, FIRN_E_IO, "context");
    assert_int_equal(strlen(err.message), FIRN_ERR_MESSAGE_BYTES - 1);
    assert_memory_equal(err.message, "context: xxx", 12);
    assert_string_equal(err.message + FIRN_ERR_MESSAGE_BYTES - 5, "x...");
}

static void arguments_may_point_into_the_error(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_err_set(&err, "f", 1, FIRN_E_IO, "inner");
    firn_err_set(&err, "f", 2, FIRN_E_CORRUPT, "outer <%s>", err.message);
    assert_string_equal(err.message, "outer <inner>");
}

static void errno_picks_the_code(void **state)
{
    (void)state;
    static const struct {
        int errnum;
        firn_rc code;
    } cases[] = {
        {ENOENT, FIRN_E_NOT_FOUND}, {ENOTDIR, FIRN_E_NOT_FOUND}, {ENOSPC, FIRN_E_NO_SPACE},
        {EDQUOT, FIRN_E_NO_SPACE},  {EROFS, FIRN_E_READ_ONLY},   {EACCES, FIRN_E_PERMISSION},
        {EPERM, FIRN_E_PERMISSION}, {EEXIST, FIRN_E_EXISTS},     {EIO, FIRN_E_IO},
        {EMFILE, FIRN_E_IO},        {EINTR, FIRN_E_IO},          {ENOMEM, FIRN_E_IO},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        firn_err err = {0};
        assert_int_equal(firn_err_errno(&err, "f", 3, cases[i].errnum, "open %s", "x"),
                         cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.message, strerror(cases[i].errnum)));
    }
}

static void errno_message_gives_advice(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_err_errno(&err, "f", 3, EMFILE, "cannot open %s", "x");
    assert_string_equal(err.message,
                        "cannot open x: Too many open files; raise the limit with `ulimit -n`");
    assert_true(err.retriable);
    firn_err_errno(&err, "f", 3, ENOENT, "cannot open %s", "x");
    assert_string_equal(err.message, "cannot open x: No such file or directory");
    assert_false(err.retriable);
}

static void clear_makes_it_ok(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_err_set(&err, "f", 1, FIRN_E_BUSY, "x");
    firn_err_clear(&err);
    assert_int_equal(err.code, FIRN_OK);
    assert_string_equal(err.message, "");
    assert_false(err.retriable);
}

static void every_code_is_mapped(void **state)
{
    (void)state;
    assert_int_equal(FIRN_OK, 0);
    assert_string_equal(firn_rc_name(FIRN_E_NO_TABLE), "NO_TABLE");
    assert_string_equal(firn_rc_sqlstate(FIRN_E_NO_TABLE), "42P01");
    assert_int_equal(firn_rc_http_status(FIRN_E_NO_TABLE), 404);
    assert_string_equal(firn_rc_iceberg_type(FIRN_E_NO_TABLE), "NoSuchTableException");
    for (int code = FIRN_E_INVALID; code < FIRN_RC_COUNT; code++) {
        assert_int_equal(strlen(firn_rc_sqlstate((firn_rc)code)), 5);
        assert_in_range(firn_rc_http_status((firn_rc)code), 400, 599);
        assert_non_null(strstr(firn_rc_iceberg_type((firn_rc)code), "Exception"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_everything),
        cmocka_unit_test(code_implies_the_flags),
        cmocka_unit_test(try_returns_the_first_failure),
        cmocka_unit_test(err_may_be_null),
        cmocka_unit_test(long_message_ends_in_dots),
        cmocka_unit_test(truncation_keeps_utf8_whole),
        cmocka_unit_test(wrap_puts_context_in_front),
        cmocka_unit_test(wrapping_a_full_message_truncates_it),
        cmocka_unit_test(arguments_may_point_into_the_error),
        cmocka_unit_test(errno_picks_the_code),
        cmocka_unit_test(errno_message_gives_advice),
        cmocka_unit_test(clear_makes_it_ok),
        cmocka_unit_test(every_code_is_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
