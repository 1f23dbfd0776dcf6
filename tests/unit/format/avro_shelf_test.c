/* Buffers of columns come back to the batches after them, and no more of them than one batch is. */
#include "avro_shelf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LARGE = 1 << 20 };

static void what_was_put_is_taken_again(void **state)
{
    (void)state;
    firn_avro_shelf *shelf = firn_avro_shelf_new();
    firn_avro_shelf_allow(shelf, 4 * LARGE);
    void *large = firn_avro_shelf_take(shelf, LARGE),
         *half = firn_avro_shelf_take(shelf, LARGE / 2);
    firn_avro_shelf_put(shelf, large);
    firn_avro_shelf_put(shelf, half);
    assert_ptr_equal(firn_avro_shelf_take(shelf, LARGE / 2 - 100),
                     half); /* the smallest that fits */
    assert_ptr_equal(firn_avro_shelf_take(shelf, LARGE - 100), large);
    firn_avro_shelf_put(shelf, large);
    void *small = firn_avro_shelf_take(shelf, LARGE / 4);
    assert_ptr_not_equal(small, large); /* which would be wasted on it */
    free(small);
    free(half);
    firn_avro_shelf_unref(shelf);
}

static void a_shelf_holds_as_much_as_it_may(void **state)
{
    (void)state;
    firn_avro_shelf *shelf = firn_avro_shelf_new();
    void *first = malloc(LARGE);
    firn_avro_shelf_put(shelf, first); /* freed: it may hold nothing yet */
    firn_avro_shelf_allow(shelf, LARGE + LARGE / 2);
    firn_avro_shelf_allow(shelf, 1); /* never less */
    first = malloc(LARGE);
    firn_avro_shelf_put(shelf, first);
    firn_avro_shelf_put(shelf, malloc(LARGE)); /* freed */
    firn_avro_shelf_put(shelf, NULL);
    assert_ptr_equal(firn_avro_shelf_take(shelf, LARGE), first);
    void *other = firn_avro_shelf_take(shelf, LARGE);
    assert_non_null(other);
    free(first);
    free(other);
    firn_avro_shelf_unref(shelf);
}

static void a_shelf_lives_as_long_as_anybody_has_it(void **state)
{
    (void)state;
    firn_avro_shelf *shelf = firn_avro_shelf_new(), *again = firn_avro_shelf_ref(shelf);
    assert_ptr_equal(again, shelf);
    firn_avro_shelf_allow(shelf, LARGE);
    firn_avro_shelf_unref(shelf);
    firn_avro_shelf_put(again, malloc(LARGE / 2));
    firn_avro_shelf_unref(again);
    firn_avro_shelf_unref(NULL);
    assert_null(firn_avro_shelf_ref(NULL));
    free(firn_avro_shelf_take(NULL, LARGE));
    firn_avro_shelf_put(NULL, malloc(LARGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_taken_again),
        cmocka_unit_test(a_shelf_holds_as_much_as_it_may),
        cmocka_unit_test(a_shelf_lives_as_long_as_anybody_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
