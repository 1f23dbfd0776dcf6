/* Where a stream's export stands, by partition: which rows are new, and whether the server has come as far as the table is.
 *
 * The query asks for the row before the table's offset, too: the *marker*, which the table holds already. While a partition has shown
 * neither its marker nor a later row, silence only means that the server is still passing over what we did not ask for.
 *
 *   table's offset  122             the table holds rows 0..121; the query asks for 121 and later
 *   row 121         the marker      passed over; its time must be the one of the row that was exported (a re-created stream has another)
 *   row 122..       new
 *   row 130 first   offsets 122..129 were deleted on the server before they were exported: lost, and said
 *
 * Rows come in the order of their offsets within a partition; one that is not behind the last one was sent again and is passed over.
 */
#ifndef EXPORT_MARKS_H
#define EXPORT_MARKS_H

#include "ingest/commit.h"

typedef struct firn_export_mark {
    int32_t partition;
    int64_t held;      /* the table's next offset; -1: it holds nothing of it */
    int64_t held_time; /* ROWTIME of the row before it; INT64_MIN: not known */
    int64_t first;     /* new row; -1: none */
    int64_t next;      /* behind the last row */
    int64_t last_time; /* its ROWTIME */
    int64_t skipped;   /* offsets that are gone between the table's and the first that came */
    bool shown;
    bool gone; /* an earlier export has waited for it in vain, and said so */
} firn_export_mark;

typedef struct firn_export_marks {
    firn_arena *arena; /* of the thread that takes rows */
    FIRN_VEC(firn_export_mark) marks;
    size_t last; /* looked up */
    int64_t rows;
} firn_export_marks;

/* times: JSON object {"0": [122, 1736935200000]} (offset, and ROWTIME of the row before it; null: that is gone), what firn_export_marks_times made;
 * nullable. Times of other offsets than the table's are not used. */
void firn_export_marks_begin(firn_export_marks *marks, firn_arena *arena, const firn_offset *held,
                             size_t n, const char *topic, const json_t *times);
/* The condition that leaves out what the table holds; NULL: it holds nothing. */
const char *firn_export_marks_where(firn_arena *arena, const firn_export_marks *marks);

/* Which of the rows are new: *pick NULL when all are, else their numbers, `count` of them, malloc'ed. OFFSET_GONE: the marker is
 * another row than the one that was exported. */
firn_rc firn_export_marks_take(firn_export_marks *marks, const int32_t *partition,
                               const int64_t *offset, const int64_t *time, int64_t n,
                               uint32_t **pick, int64_t *count, firn_err *err) FIRN_MUST_USE;

/* Every partition that the table knows has shown itself, apart from those that are gone. */
bool firn_export_marks_settled(const firn_export_marks *marks);
size_t firn_export_marks_missing(const firn_export_marks *marks, size_t *known);
/* Of the partitions with new rows. */
firn_feed_range *firn_export_marks_ranges(firn_arena *arena, const firn_export_marks *marks,
                                          const char *topic, size_t *n);
/* The times of the last rows, for the next export's markers: JSON text. */
char *firn_export_marks_times(firn_arena *arena, const firn_export_marks *marks);

#endif
