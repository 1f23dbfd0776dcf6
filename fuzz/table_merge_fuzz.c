/* Merging three table metadata documents that come from anywhere, separated by 0x1e (fewer: the first stands in). Any of them
 * merge or are refused in words; what merges can be written down and read again, and merges again into itself as nothing.
 */
#include "iceberg/table_merge.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIDES = 3 };

/* The merged document is one: what a catalog would store. */
static void check_merged(firn_arena *arena, const firn_metadata *merged)
{
    firn_metadata *again = NULL;
    firn_err err = {0};
    firn_bytes text = firn_bytes_str(firn_json_text(arena, merged->json));
    firn_rc rc = firn_metadata_parse(arena, text, "merged", &again, &err);
    assert(rc == FIRN_OK && again->last_column_id == merged->last_column_id);
    firn_table_sides sides = {
        .base = again, .ours = again, .theirs = again, .ours_name = "a", .theirs_name = "b"};
    firn_table_merge merge;
    rc = firn_table_merge_plan(arena, &sides, &merge, &err);
    assert(rc != FIRN_OK || merge.n_conflicts > 0 || json_array_size(merge.updates) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_metadata *docs[SIDES] = {0};
    firn_err err = {0};
    for (size_t i = 0; i < SIDES; i++) {
        const uint8_t *end = memchr(data, 0x1e, size);
        size_t len = end ? (size_t)(end - data) : size;
        if (len == 0 && i > 0) {
            docs[i] = docs[0];
        } else if (firn_metadata_parse(arena, firn_bytes_of(data, len), "document", &docs[i],
                                       &err) != FIRN_OK) {
            return 0;
        }
        data += end ? len + 1 : len;
        size -= end ? len + 1 : len;
    }
    firn_table_sides sides = {.base = docs[0],
                              .ours = docs[1],
                              .theirs = docs[2],
                              .ours_name = "ours",
                              .theirs_name = "theirs"};
    firn_table_merge merge = {0};
    if (firn_table_merge_plan(arena, &sides, &merge, &err) != FIRN_OK) {
        assert(err.message[0] != '\0');
        return 0;
    }
    assert(merge.n_conflicts > 0 || merge.metadata != NULL);
    for (size_t i = 0; i < merge.n_conflicts; i++) {
        assert(merge.conflicts[i][0] != '\0');
    }
    if (merge.n_conflicts == 0) {
        check_merged(arena, merge.metadata);
    }
    return 0;
}
