/* Is the newest export of a feed as its others were?
 *
 * What counts
 *   - DONE exports and NOTHING_NEW ones (0 rows) are judged; FAILED and SKIPPED ones neither are judged nor make up what is usual.
 *   - "Usual" is the median of the last `history` DONE exports before the judged one. Fewer than ENOUGH: no judgement by deviation.
 *     Fixed bounds (min, max, nulls.max) hold from the first export on.
 *
 * How far is too far: numbers of rows differ by factors (a holiday halves them, a campaign doubles them), so all is measured on their
 * logarithms. With median m and spread s: more than m * e^(deviation * s) rows, or fewer than m / e^(deviation * s). For small
 * spreads that is m +- deviation * s * m; for large ones it still sees a fall to a fraction. s is the median absolute deviation, but
 * at least SPREAD_MIN and one row: a table that had 50 rows ten times has a deviation of zero, and 51 rows are no alarm.
 *
 * Too far, yet usual: when at least AGAIN exports of the window were about as large, as on the Saturdays of a feed that has its rows on
 * weekdays, or in the empty hours of a night. Exports directly before the judged one that were too far, too, do not count as such:
 * they are one event with it, so the alert stays until rows are as usual, or half the window is as the new ones are.
 */
#include "export/quality.h"

#include "quality_rules.h"

#include "base/time.h"
#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

enum {
    ENOUGH = 5,    /* exports that make up "usual" */
    AGAIN = 2,     /* exports alike that make an unusual one usual */
    BY_CHANCE = 3, /* standard deviations that a share of few rows may be off */
    WINDOW_MAX = 1000,
};
#define SPREAD_MIN 0.05

typedef struct judge {
    firn_arena *arena;
    const firn_export_feed *feed;
    firn_quality_rules rules;
    const firn_export_record
        *window[WINDOW_MAX]; /* before the judged one, newest first: DONE and NOTHING_NEW */
    size_t n_window;
    const firn_export_record *judged; /* NULL: the newest export is not one to judge */
    FIRN_VEC(firn_quality_alert) alerts;
} judge;

static void alert(judge *j, const char *rule, const char *column, const char *text)
{
    const firn_quality_alert a = {
        .rule = rule, .column = column, .text = text, .fails = j->rules.fails};
    firn_vec_push(j->arena, &j->alerts, a);
}

static bool succeeded(const firn_export_record *record)
{
    return record->outcome == FIRN_EXPORT_DONE || record->outcome == FIRN_EXPORT_NOTHING_NEW;
}

static int64_t rows_of(const firn_export_record *record)
{
    return record->outcome == FIRN_EXPORT_DONE ? record->rows : 0;
}

/* ---- medians ------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static double median_of(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Of logarithms. */
static double spread_of(double *values, size_t n, double median)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = fabs(values[i] - median);
    }
    double one_row = log1p(1 / exp(median));
    return fmax(fmax(median_of(values, n), SPREAD_MIN), one_row);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

static const char *count(const judge *j, double n)
{
    return firn_format_count(j->arena, (int64_t)llround(n));
}

static const char *rows_text(const judge *j, double rows)
{
    return firn_arena_printf(j->arena, "%s row%s", count(j, rows), rows == 1 ? "" : "s");
}

/* "1,000 rows, 40 times fewer than usual (40,112)"; "... 35% more than usual (...)". */
static const char *compared(const judge *j, double rows, double usual)
{
    bool more = rows > usual;
    double large = more ? rows : usual;
    double small = more ? usual : rows;
    const char *how;
    if (small == 0) {
        how = more ? "where there are usually none" : "far fewer than usual";
    } else if (large >= 2 * small) {
        how = firn_arena_printf(j->arena, "%.*f times %s than usual", large < 10 * small,
                                large / small, more ? "more" : "fewer");
    } else {
        how = firn_arena_printf(j->arena, "%.0f%% %s than usual", 100 * fabs(rows - usual) / usual,
                                more ? "more" : "fewer");
    }
    return usual == 0 ? firn_arena_printf(j->arena, "%s, %s", rows_text(j, rows), how)
                      : firn_arena_printf(j->arena, "%s, %s (%s)", rows_text(j, rows), how,
                                          count(j, usual));
}

typedef struct band {
    double lower, upper;
} band;

static bool outside(const band *usual, double rows)
{
    return rows < usual->lower || rows > usual->upper;
}

static bool alike(double a, double b)
{
    return fmax(a, b) <= 1.5 * fmin(a, b) + 1;
}

static bool happened_before(const judge *j, const band *usual)
{
    size_t i = 0;
    size_t same = 0;
    while (i < j->n_window && outside(usual, (double)rows_of(j->window[i]))) {
        i++;
    }
    for (; i < j->n_window; i++) {
        double rows = (double)rows_of(j->window[i]);
        same += outside(usual, rows) && alike((double)rows_of(j->judged), rows);
    }
    return same >= AGAIN;
}

static void judge_rows_deviation(judge *j)
{
    double values[WINDOW_MAX];
    size_t n = 0;
    for (size_t i = 0; i < j->n_window; i++) {
        if (j->window[i]->outcome == FIRN_EXPORT_DONE) {
            values[n++] = log1p((double)j->window[i]->rows);
        }
    }
    if (n < ENOUGH) {
        return;
    }
    double rows = (double)rows_of(j->judged);
    double median = median_of(values, n);
    double far = j->rules.rows_deviation * spread_of(values, n, median);
    const band usual = {.lower = expm1(median - far), .upper = expm1(median + far)};
    if (outside(&usual, rows) && !happened_before(j, &usual)) {
        alert(j, "rows.deviation", NULL, compared(j, rows, round(expm1(median))));
    }
}

static void judge_rows(judge *j)
{
    int64_t rows = rows_of(j->judged);
    if (j->rules.rows_min >= 0 && rows < j->rules.rows_min) {
        alert(j, "rows.min", NULL,
              firn_arena_printf(j->arena, "%s, fewer than the least allowed (%s)",
                                rows_text(j, (double)rows), count(j, (double)j->rules.rows_min)));
    } else if (j->rules.rows_max >= 0 && rows > j->rules.rows_max) {
        alert(j, "rows.max", NULL,
              firn_arena_printf(j->arena, "%s, more than the most allowed (%s)",
                                rows_text(j, (double)rows), count(j, (double)j->rules.rows_max)));
    } else {
        judge_rows_deviation(j);
    }
}

/* ---- nulls --------------------------------------------------------------------------------------------- */

static bool share_of(const firn_export_record *record, const char *column, double *share)
{
    for (size_t i = 0; i < record->n_nulls && record->rows > 0; i++) {
        if (firn_streq(record->nulls[i].column, column)) {
            *share = fmin((double)record->nulls[i].nulls / (double)record->rows, 1);
            return true;
        }
    }
    return false;
}

static const char *percent(const judge *j, double share)
{
    double p = 100 * share;
    return firn_arena_printf(j->arena, "%.*f%%", p > 0 && p < 10 ? (p < 0.1 ? 3 : 1) : 0, p);
}

static void unknown_column(judge *j, const char *column)
{
    const char **names = FIRN_NEW_N(j->arena, const char *, j->judged->n_nulls);
    for (size_t i = 0; i < j->judged->n_nulls; i++) {
        names[i] = j->judged->nulls[i].column;
    }
    const char *nearest = firn_nearest(column, names, j->judged->n_nulls);
    alert(j, "nulls.max", column,
          firn_arena_printf(j->arena, "the rows have no column %s that nulls are counted of%s%s%s",
                            column, nearest != NULL ? "; did you mean " : "",
                            nearest != NULL ? nearest : "", nearest != NULL ? "?" : ""));
}

static void judge_nulls_max(judge *j)
{
    const char *column;
    json_t *most;
    json_object_foreach((json_t *)(uintptr_t)j->rules.nulls_max, column, most)
    {
        double share = 0;
        if (!share_of(j->judged, column, &share)) {
            unknown_column(j, column);
        } else if (share > json_number_value(most)) {
            alert(j, "nulls.max", column,
                  firn_arena_printf(j->arena, "%s of %s is null, more than the most allowed (%s)",
                                    percent(j, share), column,
                                    percent(j, json_number_value(most))));
        }
    }
}

/* Of few rows many can be null by chance. */
static double chance(double usual, int64_t rows)
{
    double p = fmax(usual, 1 / ((double)rows + 2));
    return BY_CHANCE * sqrt(p * (1 - p) / (double)rows);
}

static void judge_nulls_deviation(judge *j, const char *column)
{
    double values[WINDOW_MAX];
    double share = 0;
    size_t n = 0;
    for (size_t i = 0; i < j->n_window; i++) {
        n += share_of(j->window[i], column, &values[n]);
    }
    if (n < ENOUGH || !share_of(j->judged, column, &share)) {
        return;
    }
    double usual = median_of(values, n);
    if (fabs(share - usual) > j->rules.nulls_deviation + chance(usual, j->judged->rows)) {
        alert(j, "nulls.deviation", column,
              firn_arena_printf(j->arena, "%s of %s is null, usually it is %s", percent(j, share),
                                column, percent(j, usual)));
    }
}

static void judge_nulls(judge *j)
{
    if (j->judged->n_nulls == 0 || j->judged->rows == 0) {
        return; /* nothing was counted */
    }
    judge_nulls_max(j);
    for (size_t i = 0; i < j->judged->n_nulls; i++) {
        const char *column = j->judged->nulls[i].column;
        if (json_object_get(j->rules.nulls_max, column) == NULL) {
            judge_nulls_deviation(j, column);
        }
    }
}

/* ---- age ----------------------------------------------------------------------------------------------- */

static void judge_age(judge *j, const firn_export_record *history, size_t n, int64_t now_us)
{
    if (j->rules.stale_after_ms == 0 || j->feed->mode == FIRN_EXPORT_IGNORE) {
        return; /* what is written once only gets older */
    }
    while (n > 0 && !succeeded(&history[n - 1])) {
        n--;
    }
    int64_t age_us = n > 0 ? now_us - history[n - 1].time_us : 0;
    if (age_us > j->rules.stale_after_ms * 1000) {
        alert(
            j, "stale_after", NULL,
            firn_arena_printf(j->arena, "the last successful export is %s old, more than %s",
                              firn_format_duration(j->arena, age_us),
                              json_string_value(json_object_get(j->feed->quality, "stale_after"))));
    }
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

static void choose(judge *j, const firn_export_record *history, size_t n)
{
    if (n == 0 || !succeeded(&history[n - 1])) {
        return;
    }
    j->judged = &history[n - 1];
    int64_t done = 0;
    for (size_t i = n - 1; i-- > 0 && done < j->rules.history && j->n_window < WINDOW_MAX;) {
        if (succeeded(&history[i])) {
            j->window[j->n_window++] = &history[i];
            done += history[i].outcome == FIRN_EXPORT_DONE;
        }
    }
}

firn_rc firn_quality_judge(firn_arena *arena, const firn_export_feed *feed,
                           const firn_export_record *history, size_t n, int64_t now_us,
                           firn_quality_alert **out, size_t *n_out, firn_err *err)
{
    judge j = {.arena = arena, .feed = feed};
    const char *filename = feed->path != NULL ? feed->path : feed->name;
    FIRN_TRY(firn_quality_rules_read(feed->quality, filename, &j.rules, err));
    choose(&j, history, n);
    if (j.judged != NULL) {
        judge_rows(&j);
        judge_nulls(&j);
    }
    judge_age(&j, history, n, now_us);
    *out = j.alerts.items;
    *n_out = j.alerts.len;
    return FIRN_OK;
}
