/* Inside iceberg/: numbers and instants as text, shared by values and transforms. */
#ifndef ICEBERG_VALUE_PRIVATE_H
#define ICEBERG_VALUE_PRIVATE_H

#include "iceberg/value.h"

enum { FIRN_DECIMAL_BYTES_MAX = 16 };

static inline int64_t firn_floor_div(int64_t a, int64_t b)
{
    return a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
}

static inline bool firn_type_is_timestamp(firn_type_id id)
{
    return id >= FIRN_TYPE_TIMESTAMP && id <= FIRN_TYPE_TIMESTAMPTZ_NS;
}

static inline bool firn_type_is_nano(firn_type_id id)
{
    return id == FIRN_TYPE_TIMESTAMP_NS || id == FIRN_TYPE_TIMESTAMPTZ_NS;
}

static inline bool firn_type_is_bytes(firn_type_id id)
{
    return id >= FIRN_TYPE_STRING && id <= FIRN_TYPE_GEOGRAPHY;
}

/* Two's complement, big-endian, as short as it goes: the last n bytes of `out`, n is returned. */
size_t firn_decimal_bytes(__int128 unscaled, uint8_t out[FIRN_DECIMAL_BYTES_MAX]);
/* 10^n, 0 <= n <= 38. */
__int128 firn_pow10(int n);
/* "12.50"; digits only, a sign in front if negative. */
char *firn_decimal_plain(firn_arena *arena, __int128 unscaled, int scale);
/* As java.math.BigDecimal.toString(): "1E-7" when there are many leading zeros. */
char *firn_decimal_java(firn_arena *arena, __int128 unscaled, int scale);
/* "-12.5", "1e3": false if it is no number, or does not fit `scale` digits after the point exactly. */
bool firn_decimal_parse(const char *text, int scale, __int128 *out);

/* As Java's Double.toString() and Float.toString(): "1.0", "1.0E10", "NaN", "-Infinity". */
char *firn_double_java(firn_arena *arena, double value, bool single);

/* ISO 8601 as Java's ISO_LOCAL_DATE_TIME prints it: "2017-11-16T22:31:08.1234", "+00:00" after it if
 * `zone`. */
char *firn_iso_date(firn_arena *arena, int32_t days);
char *firn_iso_time(firn_arena *arena, int64_t us_of_day);
char *firn_iso_timestamp(firn_arena *arena, firn_type_id type, int64_t value);
/* As java.time.LocalTime.toString(): "10:15", "10:15:30", "10:15:30.120". */
char *firn_local_time_java(firn_arena *arena, int64_t us_of_day);

#endif
