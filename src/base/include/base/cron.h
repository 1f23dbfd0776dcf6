/* Cron: when something is due, as crontab(5) writes it.
 *
 *   minute   hour   day of month   month   day of week
 *   0-59     0-23   1-31           1-12    0-7 (0 and 7: Sunday)
 *
 * A field is "*", or a list of numbers and ranges, by comma; ranges and "*" may have a step: "1-5", "MON-FRI", "0-30/10", "*" with "/15" behind it.
 * Months and days of the week have English names of three letters, too. "@hourly", "@daily" ("@midnight"), "@weekly", "@monthly" and
 * "@yearly" ("@annually") stand for what they say.
 *
 * Days: where both day of month and day of week are restricted (neither field starts with "*"), either is enough, as cron has it:
 * "0 0 13 * FRI" is every Friday and every 13th.
 *
 * Where clocks change: what has a fixed hour and minute (neither field starts with "*") is due once for each time that its line
 * names. A time that clocks skip is due at the instant of the change; one that they show twice, the first time. What runs every hour
 * or every few minutes is due whenever clocks show such a time.
 */
#ifndef BASE_CRON_H
#define BASE_CRON_H

#include "base/zone.h"

typedef struct firn_cron {
    uint64_t minutes; /* bit i: minute i */
    uint32_t hours, days, months, weekdays;
    bool
        every_day; /* the day of month starts with "*": the day of week decides, and the other way around */
    bool every_weekday;
    bool fixed; /* hour and minute */
} firn_cron;

/* INVALID says which field is wrong and why, also of a line that no day of the calendar fits. */
firn_rc firn_cron_parse(const char *text, firn_cron *out, firn_err *err) FIRN_MUST_USE;
/* The first instant after after_us that is due, by the clocks of `zone` (NULL: UTC). INT64_MAX: none within fifty years. */
int64_t firn_cron_next_us(const firn_cron *cron, const firn_zone *zone, int64_t after_us);
/* Whether clocks that show `local` are at a due minute. */
bool firn_cron_matches(const firn_cron *cron, int64_t local_s);

#endif
