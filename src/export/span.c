/* Rows filed by a time of their own, sorted by day or hour: each span's rows are then written as those of one known partition, without
 * DuckDB, whose parting copies every row. Most exports that run every hour, and every batch of one that does not, are of one span.
 *
 * The same rule as in filing.c: the event's time, or the row's own where that is none. Texts are not looked at: those are left to SQL.
 */
#include "columns.h"

#include "base/time.h"

#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)

enum { SPANS_MAX = 256 }; /* of a batch: each becomes a file */

typedef struct times {
    size_t event, row; /* children of the view; SIZE_MAX: there is none */
} times;

static bool find_times(const firn_export_columns *columns, const firn_export_feed *feed, times *out)
{
    out->row = firn_export_columns_child(columns, FIRN_EXPORT_TIME);
    out->event = SIZE_MAX;
    if (out->row == SIZE_MAX || firn_strcaseeq(feed->time, "ROWTIME")) {
        return out->row != SIZE_MAX;
    }
    out->event = firn_export_columns_child(columns, feed->time);
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
        int64_t i = row + event->offset;
        int64_t ms = ((const int64_t *)event->buffers[1])[i];
        if (firn_arrow_has_value(event, i) && ms >= FIRN_EVENT_MS_MIN && ms <= FIRN_EVENT_MS_MAX) {
            return ms;
        }
    }
    const struct ArrowArray *own = array->children[at->row];
    return ((const int64_t *)own->buffers[1])[row + own->offset];
}

/* ---- rows to spans ------------------------------------------------------------------------------------------------ */

typedef struct sorter {
    firn_arena *arena;
    int64_t unit;
    FIRN_VEC(int64_t) from; /* of each span */
    uint32_t **spans;       /* of each row of each of the given rows */
} sorter;

static bool span_at(sorter *s, int64_t ms, uint32_t *last)
{
    if (s->from.len > 0 && ms >= s->from.items[*last] && ms - s->from.items[*last] < s->unit) {
        return true;
    }
    int64_t from = floor_to(ms, s->unit);
    for (size_t i = 0; i < s->from.len; i++) {
        if (s->from.items[i] == from) {
            *last = (uint32_t)i;
            return true;
        }
    }
    if (s->from.len == SPANS_MAX) {
        return false;
    }
    *last = (uint32_t)s->from.len;
    firn_vec_push(s->arena, &s->from, from);
    return true;
}

static bool sort_rows(sorter *s, const times *at, const firn_rows *rows, size_t n)
{
    uint32_t last = 0;
    for (size_t k = 0; k < n; k++) {
        s->spans[k] = FIRN_NEW_N(s->arena, uint32_t, (size_t)rows[k].count);
        for (int64_t i = 0; i < rows[k].count; i++) {
            if (!span_at(s, time_of(rows[k].array, at, firn_export_row(&rows[k], i)), &last)) {
                return false;
            }
            s->spans[k][i] = last;
        }
    }
    return true;
}

static void tell_spans(const sorter *s, firn_export_span *out, size_t n_rows)
{
    for (size_t i = 0; i < s->from.len; i++) {
        int64_t midnight = floor_to(s->from.items[i], DAY_MS);
        out[i] = (firn_export_span){.day = (int32_t)(midnight / DAY_MS),
                                    .hour = (int)((s->from.items[i] - midnight) / HOUR_MS),
                                    .rows = FIRN_NEW_N(s->arena, firn_rows, n_rows)};
    }
}

/* Rows to the spans that they are of, in the order in which they came: one list of places, a piece of it for each span. */
static void share_out(const sorter *s, const firn_rows *rows, const uint32_t *spans,
                      firn_export_span *out)
{
    size_t n_spans = s->from.len;
    int64_t *ends = FIRN_NEW_N(s->arena, int64_t, n_spans + 1);
    for (int64_t i = 0; i < rows->count; i++) {
        ends[spans[i] + 1]++;
    }
    for (size_t k = 0; k < n_spans; k++) {
        int64_t count = ends[k + 1];
        ends[k + 1] += ends[k];
        if (count == rows->count && count > 0) {
            out[k].rows[out[k].n_rows++] = *rows;
            return;
        }
    }
    uint32_t *pick = FIRN_NEW_N(s->arena, uint32_t, (size_t)rows->count);
    for (size_t k = 0; k < n_spans; k++) {
        if (ends[k + 1] > ends[k]) {
            out[k].rows[out[k].n_rows++] = (firn_rows){.schema = rows->schema,
                                                       .array = rows->array,
                                                       .from = ends[k],
                                                       .count = ends[k + 1] - ends[k],
                                                       .pick = pick};
        }
    }
    for (int64_t i = 0; i < rows->count; i++) {
        pick[ends[spans[i]]++] = firn_export_row(rows, i);
    }
}

bool firn_export_spans(firn_arena *arena, const firn_export_columns *columns,
                       const firn_export_feed *feed, const firn_rows *rows, size_t n,
                       firn_export_span **out, size_t *n_out)
{
    times at;
    sorter s = {.arena = arena,
                .unit = feed->n_columns > 3 ? HOUR_MS : DAY_MS,
                .spans = FIRN_NEW_N(arena, uint32_t *, n)};
    if (n == 0 || !find_times(columns, feed, &at) || !sort_rows(&s, &at, rows, n)) {
        return false;
    }
    *out = FIRN_NEW_N(arena, firn_export_span, s.from.len);
    *n_out = s.from.len;
    tell_spans(&s, *out, n);
    for (size_t k = 0; k < n; k++) {
        share_out(&s, &rows[k], s.spans[k], *out);
    }
    return true;
}
