/* The vectors of json_wide.h. */
#include "json_wide.h"

#ifdef FIRN_JSON_HAS_WIDE

#define EIGHT(x) x, x, x, x, x, x, x, x
#define ALL(x)   EIGHT(x), EIGHT(x), EIGHT(x), EIGHT(x)
#define QUOTES   1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0
#define NO_PLACE 0xF0
#define TWICE(x) x, x
#define PAIRS(x) x, 1, x, 1, x, 1, x, 1
#define DIGIT    0x76 /* 9 and this are below 0x80 */
#define SAME     0x7F /* 0 and this are */

const firn_json_vectors firn_json_wide_vectors __attribute__((aligned(32))) = {
    .quotes = {TWICE(QUOTES)},
    .blanks = {ALL(' ')},
    .utf8_c0 = {ALL(0xC0)},
    .utf8_c1 = {ALL(0xC1)},
    .utf8_df = {ALL(0xDF)},
    .utf8_e0 = {ALL(0xE0)},
    .utf8_ed = {ALL(0xED)},
    .utf8_ef = {ALL(0xEF)},
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
