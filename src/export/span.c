/* Are all rows of one day, or hour? Then they need not be parted by DuckDB, which costs as much as encoding them. Most exports that run every
 * hour, and every batch of one that does not, answer yes.
 *
 * The same rule as in filing.c: the event's time, or the row's own where that is none. Texts are not looked at.
 */
#include "columns.h"

#include "base/time.h"

#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)

typedef struct times {
    size_t event, row; /* children of the view; SIZE_MAX: there is none */
} times;

static size_t child_of(const firn_export_columns *columns, const char *name)
{
    for (int64_t i = 0; i < columns->view.n_children; i++) {
        if (firn_strcaseeq(columns->view.children[i]->name, name)) {
            return (size_t)i;
        }
    }
    return SIZE_MAX;
}

static bool find_times(const firn_export_columns *columns, const firn_export_feed *feed, times *out)
{
    out->row = child_of(columns, FIRN_EXPORT_TIME);
    out->event = SIZE_MAX;
    if (out->row == SIZE_MAX || firn_strcaseeq(feed->time, "ROWTIME")) {
        return out->row != SIZE_MAX;
    }
    out->event = child_of(columns, feed->time);
    if (out->event == SIZE_MAX) {
        return false;
    }
    const char *format = columns->view.children[out->event]->format;
    return firn_streq(format, "l") || firn_starts_with(format, "tsm:");
}

static int64_t floor_to(int64_t ms, int64_t unit)
{
    return ms - ((ms % unit) + unit) % unit;
}

static int64_t time_of(const struct ArrowArray *array, const times *at, int64_t row)
{
    if (at->event != SIZE_MAX) {
        const struct ArrowArray *event = array->children[at->event];
        const uint8_t *valid = event->buffers[0];
        int64_t i = row + event->offset;
        bool has = valid == NULL || event->null_count == 0 || (valid[i / 8] >> (i % 8) & 1);
        int64_t ms = ((const int64_t *)event->buffers[1])[i];
        if (has && ms >= FIRN_EVENT_MS_MIN && ms <= FIRN_EVENT_MS_MAX) {
            return ms;
        }
    }
    const struct ArrowArray *own = array->children[at->row];
    return ((const int64_t *)own->buffers[1])[row + own->offset];
}

static bool all_within(const firn_rows *rows, const times *at, int64_t from, int64_t unit)
{
    for (int64_t i = 0; i < rows->count; i++) {
        int64_t row = rows->pick != NULL ? rows->pick[rows->from + i] : rows->from + i;
        int64_t ms = time_of(rows->array, at, row);
        if (ms < from || ms - from >= unit) {
            return false;
        }
    }
    return true;
}

bool firn_export_one_span(const firn_export_columns *columns, const firn_export_feed *feed,
                          const firn_rows *rows, size_t n, int32_t *day, int *hour)
{
    times at;
    int64_t unit = feed->n_columns > 3 ? HOUR_MS : DAY_MS;
    if (n == 0 || !find_times(columns, feed, &at)) {
        return false;
    }
    int64_t first = rows[0].pick != NULL ? rows[0].pick[rows[0].from] : rows[0].from;
    int64_t from = floor_to(time_of(rows[0].array, &at, first), unit);
    for (size_t i = 0; i < n; i++) {
        if (!all_within(&rows[i], &at, from, unit)) {
            return false;
        }
    }
    int64_t midnight = floor_to(from, DAY_MS);
    *day = (int32_t)(midnight / DAY_MS);
    *hour = (int)((from - midnight) / HOUR_MS);
    return true;
}
