/* Arrow values as text, for tests: {"id": 1, "name": "x"}; bytes as x'0a', nulls as null, decimals and times as their integers. */
#ifndef ARROW_TEXT_H
#define ARROW_TEXT_H

#include "base/buf.h"
#include "format/arrow.h"

#include <stdio.h>

static bool arrow_valid(const struct ArrowArray *array, int64_t row)
{
    const uint8_t *bits = array->n_buffers > 0 ? array->buffers[0] : NULL;
    row += array->offset;
    return !bits || (bits[row >> 3] >> (row & 7) & 1);
}

static void arrow_put(firn_buf *out, const struct ArrowSchema *schema,
                      const struct ArrowArray *array, int64_t row);

static void arrow_put_range(firn_buf *out, const char *format, const uint8_t *data, int64_t len)
{
    if (format[0] == 'u') {
        firn_buf_printf(out, "\"%.*s\"", (int)len, (const char *)data);
        return;
    }
    firn_buf_puts(out, "x'");
    for (int64_t i = 0; i < len; i++)
        firn_buf_printf(out, "%02x", data[i]);
    firn_buf_puts(out, "'");
}

static void arrow_put_nested(firn_buf *out, const struct ArrowSchema *schema,
                             const struct ArrowArray *array, int64_t row)
{
    const int32_t *offsets = schema->format[1] == 's' ? NULL : array->buffers[1];
    int64_t from = offsets ? offsets[row] : 0;
    int64_t to = offsets ? offsets[row + 1] : schema->n_children;
    firn_buf_puts(out, offsets ? "[" : "{");
    for (int64_t i = from; i < to; i++) {
        firn_buf_puts(out, i > from ? ", " : "");
        if (offsets) {
            arrow_put(out, schema->children[0], array->children[0], i);
        } else {
            firn_buf_printf(out, "\"%s\": ", schema->children[i]->name);
            arrow_put(out, schema->children[i], array->children[i], row);
        }
    }
    firn_buf_puts(out, offsets ? "]" : "}");
}

static void arrow_put(firn_buf *out, const struct ArrowSchema *schema,
                      const struct ArrowArray *array, int64_t row)
{
    const char *format = schema->format;
    if (format[0] == 'n' || !arrow_valid(array, row)) {
        firn_buf_puts(out, "null");
        return;
    }
    if (format[0] == '+') {
        arrow_put_nested(out, schema, array, row);
        return;
    }
    const uint8_t *data = array->buffers[1];
    const int32_t *offsets = array->buffers[1];
    int64_t size = format[0] == 'w' ? atoll(format + 2) : 16;
    switch (format[0]) {
    case 'b': firn_buf_puts(out, data[row >> 3] >> (row & 7) & 1 ? "true" : "false"); break;
    case 'i': firn_buf_printf(out, "%d", ((const int32_t *)(const void *)data)[row]); break;
    case 'f': firn_buf_printf(out, "%g", (double)((const float *)(const void *)data)[row]); break;
    case 'g': firn_buf_printf(out, "%g", ((const double *)(const void *)data)[row]); break;
    case 'u':
    case 'z':
        arrow_put_range(out, format, (const uint8_t *)array->buffers[2] + offsets[row],
                        offsets[row + 1] - offsets[row]);
        break;
    case 'w': arrow_put_range(out, format, data + row * size, size); break;
    case 'd': {
        __int128 number;
        memcpy(&number, data + row * size, 16);
        firn_buf_printf(out, "%lld", (long long)number);
        break;
    }
    default:
        if (firn_streq(format, "tdD") || firn_streq(format, "ttm"))
            firn_buf_printf(out, "%d", ((const int32_t *)(const void *)data)[row]);
        else
            firn_buf_printf(out, "%lld", (long long)((const int64_t *)(const void *)data)[row]);
    }
}

/* "id:l! name:u": an exclamation mark says not nullable; nested types in brackets. */
static __attribute__((unused)) void arrow_put_columns(firn_buf *out,
                                                      const struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *child = schema->children[i];
        firn_buf_printf(out, "%s%s:%s", i > 0 ? " " : "", child->name, child->format);
        if (child->n_children > 0) {
            firn_buf_puts(out, "(");
            arrow_put_columns(out, child);
            firn_buf_puts(out, ")");
        }
        firn_buf_puts(out, child->flags & ARROW_FLAG_NULLABLE ? "" : "!");
    }
}

#endif
