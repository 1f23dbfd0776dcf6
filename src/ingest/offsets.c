/* The table property that makes ingestion exactly-once: firn.offsets.<feed>.
 *
 * Its value is JSON, {"topic":{"0":123,"1":456}}: per topic and partition the next offset that the table has not got.
 */
#include "ingest/ingest.h"

#include <stdlib.h>

static int by_place(const void *a, const void *b)
{
    const firn_offset *x = a;
    const firn_offset *y = b;
    int order = strcmp(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

firn_rc firn_offsets_read(firn_arena *arena, const firn_metadata *metadata, const char *feed,
                          firn_offset **out, size_t *n, firn_err *err)
{
    const char *name = firn_arena_printf(arena, "firn.offsets.%s", feed);
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
    qsort(offsets.items, offsets.len, sizeof(offsets.items[0]), by_place);
    *out = offsets.items;
    *n = offsets.len;
    return FIRN_OK;
}
