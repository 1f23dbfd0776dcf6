/* The table property that makes ingestion exactly-once: firn.offsets.<feed>.
 *
 * Its value is JSON, {"topic":{"0":123,"1":456}}: per topic and partition the next offset that the table has not got.
 */
#include "ingest/commit.h"

#include <inttypes.h>
#include <stdlib.h>

static int by_place(const void *a, const void *b)
{
    const firn_offset *x = a;
    const firn_offset *y = b;
    int order = strcmp(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

char *firn_offsets_property(firn_arena *arena, const char *feed)
{
    return firn_arena_printf(arena, "firn.offsets.%s", feed);
}

char *firn_cluster_property(firn_arena *arena, const char *feed)
{
    return firn_arena_printf(arena, "firn.cluster.%s", feed);
}

firn_rc firn_offsets_read(firn_arena *arena, const firn_metadata *metadata, const char *feed,
                          firn_offset **out, size_t *n, firn_err *err)
{
    const char *name = firn_offsets_property(arena, feed);
    const char *text = firn_metadata_property(metadata, name, NULL);
    FIRN_VEC(firn_offset) offsets = {0};
    *out = NULL;
    *n = 0;
    if (text == NULL) {
        return FIRN_OK;
    }
    json_t *json = NULL;
    const char *what = firn_arena_printf(arena, "table property %s", name);
    FIRN_TRY(firn_json_parse(arena, firn_bytes_str(text), what, &json, err));
    const char *topic;
    json_t *partitions;
    json_object_foreach(json, topic, partitions)
    {
        const char *partition;
        json_t *next;
        json_object_foreach(partitions, partition, next)
        {
            int64_t number = 0;
            if (!firn_parse_i64(partition, &number) || number < 0 || number > INT32_MAX ||
                !json_is_integer(next) || json_integer_value(next) < 0) {
                FIRN_FAIL(err, FIRN_E_CORRUPT,
                          "%s: partition %s of topic %s has no offset that makes sense", what,
                          partition, topic);
            }
            firn_offset offset = {
                .topic = topic, .partition = (int32_t)number, .next = json_integer_value(next)};
            firn_vec_push(arena, &offsets, offset);
        }
    }
    if (offsets.len > 0) {
        qsort(offsets.items, offsets.len, sizeof(offsets.items[0]), by_place);
    }
    *out = offsets.items;
    *n = offsets.len;
    return FIRN_OK;
}

int64_t firn_offsets_find(const firn_offset *offsets, size_t n, const char *topic,
                          int32_t partition)
{
    const firn_offset wanted = {.topic = topic, .partition = partition};
    const firn_offset *found =
        n > 0 ? bsearch(&wanted, offsets, n, sizeof(offsets[0]), by_place) : NULL;
    return found != NULL ? found->next : -1;
}

bool firn_offsets_know_topic(const firn_offset *offsets, size_t n, const char *topic)
{
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(offsets[i].topic, topic)) {
            return true;
        }
    }
    return false;
}

char *firn_offsets_text(firn_arena *arena, const firn_offset *offsets, size_t n,
                        const firn_feed_range *ranges, size_t n_ranges)
{
    FIRN_VEC(firn_offset) all = {0};
    firn_vec_reserve(arena, &all, n + n_ranges);
    for (size_t i = 0; i < n_ranges; i++) {
        const firn_offset moved = {
            .topic = ranges[i].topic, .partition = ranges[i].partition, .next = ranges[i].to};
        firn_vec_push(arena, &all, moved);
    }
    if (n_ranges > 0) {
        qsort(all.items, all.len, sizeof(all.items[0]), by_place);
    }
    for (size_t i = 0; i < n; i++) {
        if (firn_offsets_find(all.items, n_ranges, offsets[i].topic, offsets[i].partition) < 0) {
            firn_vec_push(arena, &all, offsets[i]);
        }
    }
    if (all.len == 0) {
        return firn_arena_strdup(arena, "{}");
    }
    qsort(all.items, all.len, sizeof(all.items[0]), by_place);
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < all.len; i++) {
        bool first = i == 0 || !firn_streq(all.items[i].topic, all.items[i - 1].topic);
        if (first) {
            firn_buf_puts(&text, i == 0 ? "{" : "},");
            firn_json_escape(&text, all.items[i].topic);
            firn_buf_puts(&text, ":{");
        }
        firn_buf_printf(&text, "%s\"%" PRId32 "\":%" PRId64, first ? "" : ",",
                        all.items[i].partition, all.items[i].next);
    }
    firn_buf_puts(&text, "}}");
    return firn_arena_strdup(arena, firn_buf_cstr(&text));
}
