/* MurmurHash3_x86_32 against the vectors of the reference implementation and of the Iceberg spec, Appendix B. */
#include "format/murmur3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint32_t hash(const char *text, uint32_t seed)
{
    return firn_murmur3_x86_32(text, strlen(text), seed);
}

static void reference_vectors(void **state)
{
    (void)state;
    assert_int_equal(hash("", 0), 0);
    assert_int_equal(hash("", 1), 0x514E28B7);
    assert_int_equal(hash("", 0xFFFFFFFF), 0x81F16F39);
    assert_int_equal(firn_murmur3_x86_32("\0\0\0\0", 4, 0), 0x2362F9DE);
    assert_int_equal(hash("aaaa", 0x9747B28C), 0x5A97808A);
    assert_int_equal(hash("aaa", 0x9747B28C), 0x283E0130);
    assert_int_equal(hash("aa", 0x9747B28C), 0x5D211726);
    assert_int_equal(hash("a", 0x9747B28C), 0x7FA09EA6);
    assert_int_equal(hash("Hello, world!", 0x9747B28C), 0x24884CBA);
}

static void iceberg_vectors(void **state)
{
    (void)state;
    assert_int_equal((int32_t)hash("iceberg", 0), 1210000089);
    int64_t number = 34; /* as 8 bytes, little-endian */
    assert_int_equal((int32_t)firn_murmur3_x86_32(&number, sizeof number, 0), 2017239379);
    assert_int_equal((int32_t)firn_murmur3_x86_32("\0\1\2\3", 4, 0), -188683207);
    assert_int_equal((int32_t)firn_murmur3_x86_32("\x05\x8c", 2, 0), -500754589); /* 14.20 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_vectors),
        cmocka_unit_test(iceberg_vectors),
    };
    return cmocka_run_group_tests_name("format/murmur3", tests, NULL, NULL);
}
