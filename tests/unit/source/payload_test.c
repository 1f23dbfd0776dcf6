#include "source/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_go_both_ways(void **state)
{
    (void)state;
    for (firn_payload payload = FIRN_PAYLOAD_NONE; payload <= FIRN_PAYLOAD_BYTES; payload++) {
        firn_payload again = FIRN_PAYLOAD_NONE;
        assert_true(firn_payload_parse(firn_payload_name(payload), &again));
        assert_int_equal(again, payload);
    }
    firn_payload none;
    assert_false(firn_payload_parse("Avro", &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
