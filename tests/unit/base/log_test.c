/* Logging: levels, and one clean line per event. */
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char captured[16384];

/* Run a call with stderr in a pipe; what was written ends up in `captured`. */
static void capture(void (*call)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    call();
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    ssize_t len = read(ends[0], captured, sizeof(captured) - 1);
    close(ends[0]);
    captured[len > 0 ? len : 0] = '\0';
}

static void warn_twice(void)
{
    firn_log(FIRN_LOG_WARN, "catalog", "retry %d of %d", 1, 3);
    firn_log(FIRN_LOG_ERROR, "cli", "gave up");
}

static void debug_once(void)
{
    firn_log(FIRN_LOG_DEBUG, "catalog", "details");
}

static void multi_line(void)
{
    firn_log(FIRN_LOG_WARN, "x", "a\nb\x1B[31m");
}

static void very_long(void)
{
    char text[8000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    firn_log(FIRN_LOG_WARN, "x", "%s", text);
}

static void lines_have_time_level_and_module(void **state)
{
    (void)state;
    setenv("FIRN_FAKE_NOW", "2026-11-20T10:00:00Z", 1);
    capture(warn_twice);
    assert_string_equal(captured, "2026-11-20T10:00:00Z warn  catalog: retry 1 of 3\n"
                                  "2026-11-20T10:00:00Z error cli: gave up\n");
}

static void levels_select(void **state)
{
    (void)state;
    assert_true(firn_log_enabled(FIRN_LOG_WARN)); /* the default */
    assert_false(firn_log_enabled(FIRN_LOG_INFO));
    capture(debug_once);
    assert_string_equal(captured, "");
    firn_log_set_level(FIRN_LOG_DEBUG);
    capture(debug_once);
    assert_non_null(strstr(captured, "debug catalog: details\n"));
    firn_log_set_level(FIRN_LOG_OFF);
    assert_false(firn_log_enabled(FIRN_LOG_ERROR));
    assert_false(firn_log_enabled(FIRN_LOG_OFF));
    capture(warn_twice);
    assert_string_equal(captured, "");
    firn_log_set_level(FIRN_LOG_WARN);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    capture(multi_line);
    assert_non_null(strstr(captured, "x: a b [31m\n"));
    assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    capture(very_long);
    size_t len = strlen(captured);
    assert_true(len <= 4096);
    assert_string_equal(captured + len - 5, "x...\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_time_level_and_module),
        cmocka_unit_test(levels_select),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
