/* How feeds grow and how their rows lie: for `firn report --stats`. */
#include "export/report.h"

#include "base/arena.h"

#include <stdlib.h>

#define DAY_US   86400e6
#define DAYS_MIN (1.0 / 24) /* of minutes nothing can be said about days */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Streams: what exports have added. Tables: from one complete version to another. The first export in sight only sets the clock: what it
 * brought is from before. */
static void grow(const firn_report_feed *feed, int64_t now_us, firn_report_growth *out)
{
    const int64_t since_us = now_us - FIRN_REPORT_GROWTH_DAYS * INT64_C(86400000000);
    const firn_export_record *first = NULL;
    const firn_export_record *last = NULL;
    int64_t rows = 0;
    int64_t bytes = 0;
    for (size_t i = 0; i < feed->n_history; i++) {
        const firn_export_record *record = &feed->history[i];
        bool counts =
            record->outcome == FIRN_EXPORT_DONE || record->outcome == FIRN_EXPORT_NOTHING_NEW;
        if (!counts || record->time_us < since_us) {
            continue;
        }
        if (first != NULL) {
            rows += record->rows;
            bytes += record->bytes;
        } else {
            first = record;
        }
        last = record;
    }
    double days = first != NULL ? (double)(last->time_us - first->time_us) / DAY_US : 0;
    if (days < DAYS_MIN) {
        return;
    }
    out->known = true;
    bool complete = feed->feed != NULL && feed->feed->mode != FIRN_EXPORT_APPEND;
    out->rows_per_day = (double)(complete ? last->table_rows - first->table_rows : rows) / days;
    out->bytes_per_day = (double)bytes / days; /* each version takes its place */
}

static void measure_parts(const firn_report_feed *feed, firn_report_growth *out)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t *rows = FIRN_NEW_N(arena, int64_t, feed->n_parts);
    for (size_t i = 0; i < feed->n_parts; i++) {
        rows[i] = feed->parts[i].records;
    }
    qsort(rows, feed->n_parts, sizeof(*rows), by_number);
    if (feed->n_parts > 0) {
        out->part_rows_min = rows[0];
        out->part_rows_median = rows[feed->n_parts / 2];
        out->part_rows_max = rows[feed->n_parts - 1];
    }
}

static void measure_time(const firn_report_feed *feed, firn_report_growth *out)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t *us = FIRN_NEW_N(arena, int64_t, feed->n_history);
    size_t n = 0;
    for (size_t i = 0; i < feed->n_history; i++) {
        if (feed->history[i].outcome == FIRN_EXPORT_DONE && feed->history[i].seconds < 1e9) {
            us[n++] = (int64_t)(feed->history[i].seconds * 1e6);
        }
    }
    qsort(us, n, sizeof(*us), by_number);
    if (n > 0) {
        out->seconds = (double)us[n / 2] / 1e6;
    }
}

firn_report_growth firn_export_growth(const firn_report_feed *feed, int64_t now_us)
{
    firn_report_growth growth = {.seconds = -1};
    grow(feed, now_us, &growth);
    measure_parts(feed, &growth);
    measure_time(feed, &growth);
    return growth;
}
