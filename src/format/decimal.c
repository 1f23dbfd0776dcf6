#include "format/decimal.h"

int firn_decimal_width_bytes(int32_t precision)
{
    static const uint8_t bytes[] = {1,  1,  1,  2,  2,  3,  3,  4,  4,  4,  5,  5,  6,
                                    6,  6,  7,  7,  8,  8,  9,  9,  9,  10, 10, 11, 11,
                                    11, 12, 12, 13, 13, 13, 14, 14, 15, 15, 16, 16, 16};
    return precision >= 0 && precision <= 38 ? bytes[precision] : 16;
}
