/* The vectors of json_wide.h. */
#include "json_wide.h"

#ifdef FIRN_JSON_HAS_WIDE

#define EIGHT(x) x, x, x, x, x, x, x, x
#define QUOTES   1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0
#define NO_PLACE 0xF0
#define TWICE(x) x, x
#define PAIRS(x) x, 1, x, 1, x, 1, x, 1
#define DIGIT    0x76 /* 9 and this are below 0x80 */
#define SAME     0x7F /* 0 and this are */

const firn_json_vectors firn_json_wide_vectors __attribute__((aligned(32))) = {
    .quotes = {TWICE(QUOTES)},
    .blanks = {EIGHT(' '), EIGHT(' '), EIGHT(' '), EIGHT(' ')},
    .zeros = {EIGHT('0'), EIGHT('0')},
    .above_nine = {EIGHT(DIGIT), EIGHT(DIGIT)},
    .ones = {PAIRS(10), PAIRS(10)},
    .hundreds = {PAIRS(100)},
    .myriads = {PAIRS(10000)},
    .shift = {EIGHT(NO_PLACE), EIGHT(NO_PLACE), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
              15},
    .clock_form = "00:00:00.000",
    .clock_above = {DIGIT, DIGIT, SAME, DIGIT, DIGIT, SAME, DIGIT, DIGIT, SAME, DIGIT, DIGIT,
                    DIGIT},
    .clock_digits = {0, 1, 3, 4, 6, 7, 9, 10, NO_PLACE, 11, NO_PLACE, NO_PLACE, NO_PLACE, NO_PLACE,
                     NO_PLACE, NO_PLACE},
    .clock_limits = {23, 59, 59, 99, 9},
    .clock_weights = {3600, 60, 100, 1, 1},
};

#endif
