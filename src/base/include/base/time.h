/* Clocks and proleptic Gregorian calendar arithmetic in UTC. Instants are microseconds since
 * 1970-01-01T00:00:00Z in int64_t (`_us`), dates days since then in int32_t.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/str.h"

/* Wall clock. FIRN_FAKE_NOW (ISO text) in the environment freezes it for tests; junk there aborts. */
int64_t firn_now_us(void);
int64_t firn_now_ms(void);
int64_t firn_monotonic_us(void); /* for durations */
void firn_sleep_ms(int64_t ms);

typedef struct firn_civil {
    int32_t year; /* astronomical: 0 is 1 BC */
    int month, day, hour, minute, second;
    int nanosecond;
} firn_civil;

/* month 1..12; day is added as it is, so 0 and 32 work. Saturates at the ends of int32_t. */
int32_t firn_days_from_civil(int32_t year, int month, int day);
void firn_civil_from_days(int32_t days, firn_civil *out);
void firn_civil_from_us(int64_t us, firn_civil *out);

/* "2024-02-15T10:20:30.123456": the fraction has no, three or six digits, as many as the value needs. With
 * a zone, "+00:00" follows (as in Iceberg's JSON values). Years outside 0..9999 carry a sign. */
char *firn_format_timestamp(firn_arena *arena, int64_t us, bool with_zone);
char *firn_format_date(firn_arena *arena, int32_t days);
char *firn_format_time(firn_arena *arena, int64_t us_of_day);

/* All parse functions take the whole text or give false: no blanks around, no trailing junk, no value that
 * overflows. Fractions have 1 to 9 digits; what the unit cannot hold is cut off. Years have four digits, or
 * a sign and four or more.
 *
 * ISO 8601 date and time: "2024-02-15", "2024-02-15 10:20[:30[.fraction]]", 'T' or ' ', optional "Z" or
 * "+hh[:mm]". `has_zone` (nullable) tells whether an offset was given; it has been applied. */
bool firn_parse_timestamp(const char *text, int64_t *out_us, bool *has_zone);
bool firn_parse_timestamp_ns(const char *text, int64_t *out_ns, bool *has_zone);
bool firn_parse_date(const char *text, int32_t *out_days);
bool firn_parse_time(const char *text, int64_t *out_us_of_day);

/* As people write them in configuration: "500ms", "30s", "5m", "1.5 h"; "512MB", "2GiB", "4096". The whole text or false; 0 needs no
 * unit. */
bool firn_parse_duration(const char *text, int64_t *out_ms);
bool firn_parse_size(const char *text, int64_t *out_bytes);

/* "0.27 s", "3 min 20 s", "850 µs": for people. */
char *firn_format_duration(firn_arena *arena, int64_t us);
char *firn_format_bytes(firn_arena *arena, int64_t bytes); /* "12.4 MB" */
char *firn_format_count(firn_arena *arena, int64_t n);     /* "1,204,551" */

#endif
