/* Sets of paths that keep hashes. */
#include "path_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MANY = 20000 };

static const char *name(char *text, size_t size, int i)
{
    snprintf(text, size, "/lake/t/data/%d.parquet", i);
    return text;
}

static void holds_what_was_added(void **state)
{
    (void)state;
    char text[64];
    firn_path_set set = {0};
    assert_false(firn_path_set_has(&set, "/a"));
    assert_false(firn_path_set_remove(&set, "/a"));
    for (int i = 0; i < MANY; i++) {
        assert_true(firn_path_set_add(&set, name(text, sizeof(text), i)));
        assert_false(firn_path_set_add(&set, text));
    }
    assert_int_equal(set.len, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_true(firn_path_set_has(&set, name(text, sizeof(text), i)));
        assert_false(firn_path_set_has(&set, name(text, sizeof(text), -i - 1)));
    }
    firn_path_set_deinit(&set);
}

static void gives_back_what_was_taken_out_once(void **state)
{
    (void)state;
    char text[64];
    firn_path_set set = {0};
    for (int i = 0; i < MANY; i++) {
        firn_path_set_add(&set, name(text, sizeof(text), i));
    }
    for (int i = 0; i < MANY; i += 2) {
        assert_true(firn_path_set_remove(&set, name(text, sizeof(text), i)));
        assert_false(firn_path_set_remove(&set, text));
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(firn_path_set_has(&set, name(text, sizeof(text), i)), i % 2);
    }
    assert_int_equal(set.len, MANY / 2);
    for (int round = 0; round < 4; round++) { /* places of what is gone are used again */
        for (int i = 0; i < MANY; i += 2) {
            assert_true(firn_path_set_add(&set, name(text, sizeof(text), i)));
        }
        for (int i = 0; i < MANY; i += 2) {
            assert_true(firn_path_set_remove(&set, name(text, sizeof(text), i)));
        }
    }
    assert_int_equal(set.len, MANY / 2);
    assert_true(set.n_slots <= 16 * MANY);
    firn_path_set_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_added),
        cmocka_unit_test(gives_back_what_was_taken_out_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
