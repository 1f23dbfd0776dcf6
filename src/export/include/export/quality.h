/* Quality rules of a feed, held against its newest export: "quality" in its JSON.
 *
 *   "quality": {
 *     "rows": {"min": 1, "max": 1000000, "deviation": 6},           of one export; deviation: so many times the usual spread of
 *                                                                    the last exports (median absolute deviation) from their median,
 *                                                                    both of logarithms: "3 times fewer" is as far as "3 times more"
 *     "nulls": {"max": {"user_id": 0, "email": 0.2}, "deviation": 0.1},    share of nulls per column; or how far from its usual one
 *     "stale_after": "26h",                                          no successful export for so long
 *     "history": 20,                                                 how many exports "usual" is made of; fewer than 5: no judgement
 *     "on_alert": "warn"                                             warn | fail: the export command's exit code
 *   }
 *
 * Without "quality" the deviations of above are looked at, as warnings. Pure functions: history in, sentences out.
 */
#ifndef EXPORT_QUALITY_H
#define EXPORT_QUALITY_H

#include "export/history.h"

typedef struct firn_quality_alert {
    const char *rule;   /* "rows.deviation", "nulls.max" */
    const char *column; /* nullable */
    const char *text;   /* "1,000 rows, 40 times fewer than usual (40,112)" */
    bool fails;
} firn_quality_alert;
/* CONFIG names what is wrong in `quality` (of the file `filename`). */
firn_rc firn_quality_check_rules(const json_t *quality, const char *filename,
                                 firn_err *err) FIRN_MUST_USE;
/* history: oldest first, the export in question last. */
firn_rc firn_quality_judge(firn_arena *arena, const firn_export_feed *feed,
                           const firn_export_record *history, size_t n, int64_t now_us,
                           firn_quality_alert **out, size_t *n_out, firn_err *err) FIRN_MUST_USE;

#endif
