/* Which rows of a stream are new, and when silence means that all has come. */
#include "marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

enum { AT_MS = 1000 };

static int64_t take(firn_export_marks *m, int32_t partition, int64_t from, int64_t n,
                    uint32_t *first_pick)
{
    int32_t partitions[64];
    int64_t offsets[64], times[64];
    uint32_t *pick = NULL;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        partitions[i] = partition;
        offsets[i] = from + i;
        times[i] = AT_MS + from + i;
    }
    assert_int_equal(firn_export_marks_take(m, partitions, offsets, times, n, &pick, &count, NULL),
                     FIRN_OK);
    if (first_pick != NULL) {
        *first_pick = pick != NULL && count > 0 ? pick[0] : UINT32_MAX;
    }
    free(pick);
    return count;
}

static void everything_is_new_to_an_empty_table(void **state)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_marks m;
    uint32_t pick;
    size_t n = 0;
    (void)state;
    firn_export_marks_begin(&m, arena, NULL, 0, "t", NULL);
    assert_null(firn_export_marks_where(arena, &m));
    assert_true(firn_export_marks_settled(&m));
    assert_int_equal(take(&m, 1, 5, 10, &pick), 10);
    assert_int_equal(pick, UINT32_MAX); /* all rows: no list */
    assert_int_equal(take(&m, 0, 0, 3, NULL), 3);
    const firn_feed_range *ranges = firn_export_marks_ranges(arena, &m, "t", &n);
    assert_int_equal(n, 2);
    assert_int_equal(ranges[0].partition, 1);
    assert_int_equal(ranges[0].from, 5); /* what was before it is not ours */
    assert_int_equal(ranges[0].to, 15);
    assert_true(ranges[0].starts);
    assert_int_equal(ranges[1].to, 3);
}

static const firn_offset HELD[] = {
    {.topic = "other", .partition = 0, .next = 7},
    {.topic = "t", .partition = 0, .next = 10},
    {.topic = "t", .partition = 1, .next = 20},
};

static void what_the_table_holds_is_passed_over(void **state)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_marks m;
    uint32_t pick;
    size_t n = 0;
    (void)state;
    firn_export_marks_begin(&m, arena, HELD, 3, "t", NULL);
    assert_string_equal(firn_export_marks_where(arena, &m),
                        "(ROWPARTITION = 0 AND ROWOFFSET >= 9) OR (ROWPARTITION = 1 AND ROWOFFSET "
                        ">= 19) OR (ROWPARTITION <> 0 AND ROWPARTITION <> 1)");
    assert_int_equal(take(&m, 0, 9, 3, &pick), 2); /* 9 is the marker */
    assert_int_equal(pick, 1);
    assert_false(firn_export_marks_settled(&m)); /* partition 1 may still be skipping */
    assert_int_equal(take(&m, 1, 19, 1, NULL), 0);
    assert_true(firn_export_marks_settled(&m));
    assert_int_equal(take(&m, 0, 8, 6, &pick), 2); /* sent again from 8: 12 and 13 are new */
    assert_int_equal(pick, 4);
    const firn_feed_range *ranges = firn_export_marks_ranges(arena, &m, "t", &n);
    assert_int_equal(n, 1);
    assert_int_equal(ranges[0].from, 10);
    assert_int_equal(ranges[0].to, 14);
    assert_false(ranges[0].starts);
    assert_int_equal(m.marks.items[0].skipped, 0);
}

static void offsets_that_are_gone_are_counted(void **state)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_marks m;
    size_t n = 0, known = 0;
    (void)state;
    firn_export_marks_begin(&m, arena, HELD, 3, "t", NULL);
    assert_int_equal(firn_export_marks_missing(&m, &known), 2);
    assert_int_equal(known, 2);
    assert_int_equal(take(&m, 0, 15, 2, NULL), 2);
    assert_int_equal(m.marks.items[0].skipped, 5);
    assert_int_equal(firn_export_marks_missing(&m, &known), 1);
    const firn_feed_range *ranges = firn_export_marks_ranges(arena, &m, "t", &n);
    assert_int_equal(ranges[0].from, 10); /* what the table holds: the commit asks for it */
    assert_int_equal(ranges[0].to, 17);
}

/* The next export's marker has to be the very row that this one exported last. */
static void a_stream_made_anew_is_seen_by_its_marker(void **state)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_marks m;
    json_t *times = NULL;
    firn_err err = {0};
    (void)state;
    firn_export_marks_begin(&m, arena, NULL, 0, "t", NULL);
    assert_int_equal(take(&m, 0, 0, 10, NULL), 10);
    const char *text = firn_export_marks_times(arena, &m);
    assert_string_equal(text, "{\"0\":[10,1009]}");
    assert_int_equal(firn_json_parse(arena, firn_bytes_str(text), "times", &times, NULL), FIRN_OK);

    const int32_t partition = 0;
    const int64_t offset = 9, same = 1009, other = 2000;
    uint32_t *pick = NULL;
    int64_t count = 0;
    firn_export_marks_begin(&m, arena, HELD, 2, "t", times);
    assert_int_equal(firn_export_marks_take(&m, &partition, &offset, &same, 1, &pick, &count, &err),
                     FIRN_OK);
    free(pick);
    firn_export_marks_begin(&m, arena, HELD, 2, "t", times);
    assert_int_equal(
        firn_export_marks_take(&m, &partition, &offset, &other, 1, &pick, &count, &err),
        FIRN_E_OFFSET_GONE);
    /* Offsets that were changed by hand say nothing of that row. */
    const firn_offset moved = {.topic = "t", .partition = 0, .next = 11};
    const int64_t ten = 10;
    firn_export_marks_begin(&m, arena, &moved, 1, "t", times);
    assert_int_equal(firn_export_marks_take(&m, &partition, &ten, &other, 1, &pick, &count, &err),
                     FIRN_OK);
    free(pick);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_new_to_an_empty_table),
        cmocka_unit_test(what_the_table_holds_is_passed_over),
        cmocka_unit_test(offsets_that_are_gone_are_counted),
        cmocka_unit_test(a_stream_made_anew_is_seen_by_its_marker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
