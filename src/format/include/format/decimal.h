/* Decimals as bytes, as the files of a table hold them. */
#ifndef FORMAT_DECIMAL_H
#define FORMAT_DECIMAL_H

#include <stdint.h>

/* The fewest bytes that hold every decimal of the precision, its sign included. */
int firn_decimal_width_bytes(int32_t precision);

#endif
