/* See marks.h. */
#include "marks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static firn_export_mark *find(firn_export_marks *m, int32_t partition)
{
    if (m->last < m->marks.len && m->marks.items[m->last].partition == partition) {
        return &m->marks.items[m->last];
    }
    for (size_t i = 0; i < m->marks.len; i++) {
        if (m->marks.items[i].partition == partition) {
            m->last = i;
            return &m->marks.items[i];
        }
    }
    m->last = m->marks.len;
    firn_export_mark *mark = firn_vec_push_zero(m->arena, &m->marks);
    *mark = (firn_export_mark){
        .partition = partition, .held = -1, .held_time = INT64_MIN, .first = -1, .next = -1};
    return mark;
}

void firn_export_marks_begin(firn_export_marks *m, firn_arena *arena, const firn_offset *held,
                             size_t n, const char *topic, const json_t *times)
{
    *m = (firn_export_marks){.arena = arena};
    for (size_t i = 0; i < n; i++) {
        if (!firn_streq(held[i].topic, topic)) {
            continue;
        }
        char number[16];
        snprintf(number, sizeof(number), "%" PRId32, held[i].partition);
        const json_t *known = json_object_get(times, number);
        const json_t *time = json_array_get(known, 1);
        bool is_of_it =
            json_is_array(known) && json_integer_value(json_array_get(known, 0)) == held[i].next;
        firn_export_mark *mark = find(m, held[i].partition);
        mark->held = held[i].next;
        mark->next = held[i].next;
        mark->held_time = is_of_it && json_is_integer(time) ? json_integer_value(time) : INT64_MIN;
        mark->gone = is_of_it && json_is_null(time);
        mark->last_time = mark->held_time;
        mark->shown = held[i].next == 0;
    }
}

const char *firn_export_marks_where(firn_arena *arena, const firn_export_marks *m)
{
    FIRN_AUTO_BUF firn_buf sql = {0};
    if (m->marks.len == 0) {
        return NULL;
    }
    for (size_t i = 0; i < m->marks.len; i++) {
        const firn_export_mark *mark = &m->marks.items[i];
        int64_t from = mark->held > 0 ? mark->held - 1 : 0;
        firn_buf_printf(&sql, "(ROWPARTITION = %" PRId32 " AND ROWOFFSET >= %" PRId64 ") OR ",
                        mark->partition, from);
    }
    firn_buf_puts(&sql, "("); /* partitions that are new */
    for (size_t i = 0; i < m->marks.len; i++) {
        firn_buf_printf(&sql, "%sROWPARTITION <> %" PRId32, i > 0 ? " AND " : "",
                        m->marks.items[i].partition);
    }
    firn_buf_puts(&sql, ")");
    return firn_arena_strdup(arena, firn_buf_cstr(&sql));
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

static firn_rc check_marker(const firn_export_mark *mark, int64_t offset, int64_t time,
                            firn_err *err)
{
    if (offset == mark->held - 1 && mark->held_time != INT64_MIN && time != mark->held_time) {
        FIRN_FAIL(err, FIRN_E_OFFSET_GONE,
                  "the row at offset %" PRId64 " of partition %" PRId32
                  " is another one than was exported: the stream's topic was made anew",
                  offset, mark->partition);
    }
    return FIRN_OK;
}

static bool is_new(firn_export_mark *mark, int64_t offset, int64_t time)
{
    if (offset < mark->next) {
        return false;
    }
    if (mark->first < 0) {
        mark->first = offset;
        mark->skipped = mark->held >= 0 && !mark->shown ? offset - mark->held : 0;
    }
    mark->next = offset + 1;
    mark->last_time = time;
    return true;
}

firn_rc firn_export_marks_take(firn_export_marks *m, const int32_t *partition,
                               const int64_t *offset, const int64_t *time, int64_t n,
                               uint32_t **pick, int64_t *count, firn_err *err)
{
    uint32_t *picked = NULL;
    int64_t taken = 0;
    *pick = NULL;
    *count = 0;
    for (int64_t i = 0; i < n; i++) {
        firn_export_mark *mark = find(m, partition[i]);
        bool new = is_new(mark, offset[i], time[i]);
        if (!mark->shown) {
            firn_rc rc = check_marker(mark, offset[i], time[i], err);
            if (rc != FIRN_OK) {
                free(picked);
                return rc;
            }
            mark->shown = offset[i] >= mark->held - 1;
        }
        if (new &&picked != NULL) {
            picked[taken] = (uint32_t)i;
        } else if (!new &&picked == NULL) { /* from here on they are counted one by one */
            picked = firn_malloc((size_t)n * sizeof(*picked));
            for (int64_t k = 0; k < taken; k++) {
                picked[k] = (uint32_t)k;
            }
        }
        taken += new;
    }
    *pick = picked;
    *count = taken;
    m->rows += taken;
    return FIRN_OK;
}

/* ---- what has come -------------------------------------------------------------------------------------------- */

size_t firn_export_marks_missing(const firn_export_marks *m, size_t *known)
{
    size_t missing = 0;
    *known = 0;
    for (size_t i = 0; i < m->marks.len; i++) {
        const firn_export_mark *mark = &m->marks.items[i];
        *known += mark->held > 0 && !mark->gone;
        missing += !mark->shown && !mark->gone;
    }
    return missing;
}

bool firn_export_marks_settled(const firn_export_marks *m)
{
    size_t known;
    return firn_export_marks_missing(m, &known) == 0;
}

firn_feed_range *firn_export_marks_ranges(firn_arena *arena, const firn_export_marks *m,
                                          const char *topic, size_t *n)
{
    firn_feed_range *ranges = FIRN_NEW_N(arena, firn_feed_range, m->marks.len);
    *n = 0;
    for (size_t i = 0; i < m->marks.len; i++) {
        const firn_export_mark *mark = &m->marks.items[i];
        if (mark->first >= 0) {
            ranges[(*n)++] = (firn_feed_range){.topic = topic,
                                               .partition = mark->partition,
                                               .from = mark->held >= 0 ? mark->held : mark->first,
                                               .to = mark->next,
                                               .starts = mark->held < 0};
        }
    }
    return ranges;
}

/* NULL: nothing is known of it. */
static json_t *last_time(const firn_export_mark *mark)
{
    return !mark->shown                   ? json_null()
           : mark->last_time != INT64_MIN ? json_integer(mark->last_time)
                                          : NULL;
}

char *firn_export_marks_times(firn_arena *arena, const firn_export_marks *m)
{
    json_t *times = firn_json_own(arena, json_object());
    for (size_t i = 0; i < m->marks.len; i++) {
        const firn_export_mark *mark = &m->marks.items[i];
        json_t *time = mark->next > 0 ? last_time(mark) : NULL;
        if (time != NULL) {
            char number[16];
            snprintf(number, sizeof(number), "%" PRId32, mark->partition);
            json_object_set_new(times, number, json_pack("[I,o]", (json_int_t)mark->next, time));
        }
    }
    return firn_json_text(arena, times);
}
