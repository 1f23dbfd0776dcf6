#include "parquet_parts.h"

enum { TRUE_TYPE = 1, FALSE_TYPE = 2, I64_TYPE = 6, LIST_TYPE = 9, SHORT_MAX = 15 };

void firn_put_varint(firn_buf *out, uint64_t value)
{
    while (value >= 0x80) {
        firn_buf_putc(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    firn_buf_putc(out, (uint8_t)value);
}

void firn_put_zigzag(firn_buf *out, int64_t value)
{
    firn_put_varint(out, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static void put_field(firn_thrift *t, int id, int type)
{
    int delta = id - t->last[t->depth];
    if (delta > 0 && delta <= SHORT_MAX) {
        firn_buf_putc(t->out, (uint8_t)(delta << 4 | type));
    } else {
        firn_buf_putc(t->out, (uint8_t)type);
        firn_put_zigzag(t->out, id);
    }
    t->last[t->depth] = id;
}

void firn_thrift_i32(firn_thrift *t, int id, int32_t value)
{
    put_field(t, id, FIRN_THRIFT_I32);
    firn_put_zigzag(t->out, value);
}

void firn_thrift_i64(firn_thrift *t, int id, int64_t value)
{
    put_field(t, id, I64_TYPE);
    firn_put_zigzag(t->out, value);
}

void firn_thrift_bool(firn_thrift *t, int id, bool value)
{
    put_field(t, id, value ? TRUE_TYPE : FALSE_TYPE);
}

void firn_thrift_bytes(firn_thrift *t, int id, firn_bytes value)
{
    put_field(t, id, FIRN_THRIFT_BINARY);
    firn_thrift_item_bytes(t, value);
}

void firn_thrift_open(firn_thrift *t, int id)
{
    put_field(t, id, FIRN_THRIFT_STRUCT);
    firn_thrift_item(t);
}

void firn_thrift_list(firn_thrift *t, int id, firn_thrift_type type, size_t n)
{
    put_field(t, id, LIST_TYPE);
    if (n < SHORT_MAX) {
        firn_buf_putc(t->out, (uint8_t)(n << 4 | (unsigned)type));
    } else {
        firn_buf_putc(t->out, (uint8_t)(SHORT_MAX << 4 | (unsigned)type));
        firn_put_varint(t->out, n);
    }
}

void firn_thrift_item(firn_thrift *t)
{
    t->last[++t->depth] = 0;
}

void firn_thrift_item_i32(firn_thrift *t, int32_t value)
{
    firn_put_zigzag(t->out, value);
}

void firn_thrift_item_bytes(firn_thrift *t, firn_bytes value)
{
    firn_put_varint(t->out, value.len);
    firn_buf_append(t->out, value.data, value.len);
}

void firn_thrift_close(firn_thrift *t)
{
    firn_buf_putc(t->out, 0);
    t->depth -= t->depth > 0;
}
