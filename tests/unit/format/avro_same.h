/* Whether two columns hold the same, to the bit: for tests and fuzz targets that decode in two ways. */
#ifndef TEST_FORMAT_AVRO_SAME_H
#define TEST_FORMAT_AVRO_SAME_H

#include "format/avro.h"

#include <string.h>

static inline bool avro_same_bytes(const void *a, const void *b, int64_t len)
{
    return len == 0 || memcmp(a, b, (size_t)len) == 0;
}

static inline bool avro_same_buffers(const firn_avro_column *a, const firn_avro_column *b)
{
    int64_t bitmap_bytes = (a->length + 7) / 8;
    if (a->length == 0)
        return true;
    if (!a->validity != !b->validity || !a->offsets != !b->offsets)
        return false;
    if (a->validity && !avro_same_bytes(a->validity, b->validity, bitmap_bytes))
        return false;
    if (a->type == FIRN_AVRO_COL_BOOL)
        return avro_same_bytes(a->data, b->data, bitmap_bytes);
    if (!a->offsets)
        return avro_same_bytes(a->data, b->data, a->item_size * a->length);
    if (!avro_same_bytes(a->offsets, b->offsets, (a->length + 1) * (int64_t)sizeof *a->offsets))
        return false;
    return a->child_count > 0 || avro_same_bytes(a->data, b->data, a->offsets[a->length]);
}

static inline bool avro_same_columns(const firn_avro_column *a, const firn_avro_column *b)
{
    if (a->type != b->type || a->length != b->length || a->null_count != b->null_count ||
        a->row_cap != b->row_cap || a->data_cap != b->data_cap || !avro_same_buffers(a, b))
        return false;
    for (size_t i = 0; i < a->child_count; i++) {
        if (!avro_same_columns(&a->children[i], &b->children[i]))
            return false;
    }
    return true;
}

/* Take the short ways from a batch: what decodes into it goes the way that knows everything. */
static inline void avro_forget_quick(firn_avro_column *column)
{
    column->quick = NULL;
    for (size_t i = 0; i < column->child_count; i++)
        avro_forget_quick(&column->children[i]);
}

#endif
