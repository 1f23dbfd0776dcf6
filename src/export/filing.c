/* Where rows are filed: the partitioning's columns as SQL over the batch, so that DuckDB makes them by the vector.
 *
 *   by the export's day   constants
 *   by version            one constant, 'v4'
 *   by event              year, month, day and hour of the column's value in UTC; of the row's own time where it has none that can be
 *                         used: null, no number of this era, no text of ISO 8601
 */
#include "columns.h"

#include "base/time.h"

#include <inttypes.h>

bool firn_export_by_event(const firn_export_feed *feed)
{
    return feed->partitioning == FIRN_EXPORT_BY_DATE && feed->time != NULL;
}

static const char *part_sql(firn_arena *arena, size_t i, const char *time)
{
    static const char *const parts[] = {"year", "month", "day", "hour"};
    return firn_arena_printf(arena, "CAST(%s(%s) AS INTEGER)", parts[i], time);
}

/* The event's time as milliseconds; what cannot be one is NULL. */
static firn_rc event_sql(firn_arena *arena, const firn_export_filing *filing, const char **out,
                         firn_err *err)
{
    const firn_export_feed *feed = filing->feed;
    const struct ArrowSchema *column = firn_export_columns_find(filing->columns, feed->time);
    if (column == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: partitioning.time names %s, and %s has no such column; name one of its "
                  "columns, or ROWTIME",
                  feed->path, feed->time, feed->ksqldb_source);
    }
    const char *name = firn_sql_ident(arena, column->name);
    switch (column->format[0]) {
    case 't':
        if (firn_streq(column->format, "tdD")) {
            *out = firn_arena_printf(arena, "epoch_ms(CAST(%s AS TIMESTAMP))", name);
            return FIRN_OK;
        }
        if (column->format[1] == 's') {
            *out = firn_arena_printf(arena, "epoch_ms(%s)", name);
            return FIRN_OK;
        }
        break;
    case 'l': *out = name; return FIRN_OK;
    case 'u':
        *out = firn_arena_printf(arena,
                                 "CASE WHEN isfinite(TRY_CAST(%s AS TIMESTAMPTZ)) THEN "
                                 "epoch_ms(TRY_CAST(%s AS TIMESTAMPTZ)) END",
                                 name, name);
        return FIRN_OK;
    default: break;
    }
    FIRN_FAIL(err, FIRN_E_CONFIG,
              "%s: partitioning.time names %s, which is no time: a TIMESTAMP, a DATE, a BIGINT of "
              "milliseconds since 1970 or a text such as 2025-01-15T10:00:00Z",
              feed->path, feed->time);
}

/* FROM item with the time as __firn_at. */
static firn_rc timed_from(firn_arena *arena, const firn_export_filing *filing, const char *from,
                          const char **out, firn_err *err)
{
    const char *ms = FIRN_EXPORT_TIME;
    if (!firn_strcaseeq(filing->feed->time, "ROWTIME")) {
        const char *event = NULL;
        FIRN_TRY(event_sql(arena, filing, &event, err));
        ms = firn_arena_printf(arena,
                               "CASE WHEN (%s) BETWEEN %" PRId64 " AND %" PRId64
                               " THEN (%s) ELSE " FIRN_EXPORT_TIME " END",
                               event, FIRN_EVENT_MS_MIN, FIRN_EVENT_MS_MAX, event);
    }
    *out = firn_arena_printf(arena, "(SELECT *, make_timestamp((%s) * 1000) AS __firn_at FROM %s)",
                             ms, from);
    return FIRN_OK;
}

firn_rc firn_export_filing_sql(firn_arena *arena, const firn_export_filing *filing,
                               const char **out, firn_err *err)
{
    const firn_export_feed *feed = filing->feed;
    const char *from = filing->from != NULL ? filing->from : "batch";
    firn_civil civil;
    firn_civil_from_days(filing->day, &civil);
    const int values[] = {civil.year, civil.month, civil.day, filing->hour};
    bool by_event = firn_export_by_event(feed);
    FIRN_AUTO_BUF firn_buf sql = {0};
    if (by_event) {
        FIRN_TRY(timed_from(arena, filing, from, &from, err));
    }
    firn_buf_puts(&sql, "SELECT *");
    for (size_t i = 0; feed->partitioning != FIRN_EXPORT_UNPARTED && i < feed->n_columns; i++) {
        const char *value = feed->partitioning == FIRN_EXPORT_BY_VERSION
                                ? firn_arena_printf(arena, "'v%" PRId64 "'", filing->version)
                            : by_event ? part_sql(arena, i, "__firn_at")
                                       : firn_arena_printf(arena, "CAST(%d AS INTEGER)", values[i]);
        firn_buf_printf(&sql, ", %s AS %s", value, firn_sql_ident(arena, feed->columns[i]));
    }
    firn_buf_printf(&sql, " FROM %s", from);
    *out = firn_arena_strdup(arena, firn_buf_cstr(&sql));
    return FIRN_OK;
}

const firn_rows_constant *firn_export_filing_constants(firn_arena *arena,
                                                       const firn_export_filing *filing, size_t *n)
{
    const firn_export_feed *feed = filing->feed;
    firn_civil civil;
    firn_civil_from_days(filing->day, &civil);
    const int values[] = {civil.year, civil.month, civil.day, filing->hour};
    bool differ = firn_export_by_event(feed) && !filing->one_span;
    *n = feed->partitioning == FIRN_EXPORT_UNPARTED || differ ? 0 : feed->n_columns;
    firn_rows_constant *out = FIRN_NEW_N(arena, firn_rows_constant, *n);
    for (size_t i = 0; i < *n; i++) {
        out[i].column = feed->columns[i];
        out[i].text = feed->partitioning == FIRN_EXPORT_BY_VERSION
                          ? firn_arena_printf(arena, "v%" PRId64, filing->version)
                          : firn_arena_printf(arena, "%d", values[i]);
    }
    return out;
}
