/* Values that JSON can only write as text, and decimals: dates, times, instants, bytes, uuids, exact numbers. */
#include "json_decoding.h"
#include "json_text.h"

/* ---- decimals ---- */

/* Whether the whole text is a JSON number; of decimals in quotes. */
static bool is_number(firn_bytes text)
{
    firn_json_number number;
    firn_json_scan scan = {.start = text.data, .end = text.data + text.len};
    return text.len > 0 && firn_json_number_scan(&scan, text.data, &number) == scan.end;
}

/* The number that Kafka Connect writes as its two's complement. */
static bool decimal_of_base64(firn_bytes text, int precision, __int128 *out)
{
    enum { TEXT_BYTES_MAX = 24 }; /* 16 bytes and their padding */
    uint8_t bytes[TEXT_BYTES_MAX];
    size_t len;
    if (text.len > TEXT_BYTES_MAX || !firn_text_base64(text, bytes, &len) || len == 0 || len > 16)
        return false;
    unsigned __int128 bits = bytes[0] & 0x80 ? ~(unsigned __int128)0 : 0, limit = 1;
    for (size_t i = 0; i < len; i++)
        bits = bits << 8 | bytes[i];
    for (int i = 0; i < precision; i++)
        limit *= 10;
    *out = (__int128)bits;
    return *out<(__int128)limit && * out> - (__int128)limit;
}

/* A number in quotes: its digits, or its bytes. */
static const uint8_t *quoted_decimal(firn_json_decoding *d, const uint8_t *p,
                                     const firn_json_node *node, __int128 *out)
{
    firn_bytes text;
    const firn_avro_schema *type = node->schema;
    const uint8_t *behind = firn_json_take_string(d, p, &text);
    if (!behind)
        return NULL;
    if (node->base64) {
        if (!decimal_of_base64(text, type->precision, out))
            return firn_json_misfit(d, p, node, "a number, or its bytes as base64, was expected");
        return behind;
    }
    if (!is_number(text))
        return firn_json_misfit(d, p, node, "a number was expected");
    if (!firn_json_decimal(text, type->precision, type->scale, out))
        return firn_json_misfit(d, p, node, "the number has more digits than the column");
    return behind;
}

/* number * 10^scale when that takes no more than arithmetic: digits that fit 64 bits, of which none is dropped. */
static inline bool small_decimal(const firn_json_number *number, int precision, int scale,
                                 __int128 *out)
{
    enum { SHIFT_MAX = 18 };
    static const int64_t powers[] = {1,
                                     10,
                                     100,
                                     1000,
                                     10000,
                                     100000,
                                     1000000,
                                     10000000,
                                     100000000,
                                     1000000000,
                                     10000000000,
                                     100000000000,
                                     1000000000000,
                                     10000000000000,
                                     100000000000000,
                                     1000000000000000,
                                     10000000000000000,
                                     100000000000000000,
                                     1000000000000000000};
    int shift = number->exponent + scale;
    if (number->cut || number->exponent > 0 || shift < 0 || shift > SHIFT_MAX)
        return false;
    unsigned __int128 value = (unsigned __int128)number->mantissa * (uint64_t)powers[shift];
    unsigned __int128 limit = (unsigned __int128)(uint64_t)powers[precision / 3];
    limit *= (uint64_t)powers[(precision + 1) / 3];
    limit *= (uint64_t)powers[(precision + 2) / 3];
    *out = number->negative ? -(__int128)value : (__int128)value;
    return value < limit;
}

const uint8_t *firn_json_decimal_value(firn_json_decoding *d, const uint8_t *p,
                                       const firn_json_node *node, firn_avro_column *column)
{
    __int128 value = 0;
    firn_json_number number;
    const uint8_t *behind;
    if (p < d->scan.end && *p == '"') {
        behind = quoted_decimal(d, p, node, &value);
    } else if (p < d->scan.end && !firn_json_is_number_start(*p)) {
        return firn_json_wrong_kind(d, p, node, "a number, or one in quotes, was expected");
    } else {
        behind = firn_json_number_scan(&d->scan, p, &number);
        if (behind &&
            !small_decimal(&number, node->schema->precision, node->schema->scale, &value) &&
            !firn_json_decimal(number.text, node->schema->precision, node->schema->scale, &value))
            return firn_json_misfit(d, p, node, "the number has more digits than the column");
    }
    if (!behind)
        return NULL;
    unsigned __int128 bits = (unsigned __int128)value;
    int64_t row = column->length++;
    uint8_t *out = column->data + row * 16;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(out, &bits, sizeof bits);
#else
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)(bits >> 8 * i);
#endif
    firn_avro_column_mark_valid(column, row);
    return behind;
}

/* ---- times ---- */

const uint8_t *firn_json_date(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                              firn_avro_column *column)
{
    firn_bytes text;
    int32_t days;
    if (p == d->scan.end || *p != '"')
        return firn_json_whole32(d, p, node, column);
    const uint8_t *behind = firn_json_take_string(d, p, &text);
    if (!behind)
        return NULL;
    if (!firn_text_date(text, &days))
        return firn_json_misfit(d, p, node, "a date such as \"2026-11-28\" was expected");
    firn_avro_store_i32(column, days);
    return behind;
}

const uint8_t *firn_json_time(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                              firn_avro_column *column)
{
    firn_bytes text;
    int64_t value;
    const uint8_t *behind;
    if (p < d->scan.end && *p == '"') {
        behind = firn_json_take_string(d, p, &text);
        if (behind && !firn_text_time(text, node->per_second, &value))
            return firn_json_misfit(d, p, node, "a time such as \"12:34:56.789\" was expected");
    } else {
        behind = firn_json_whole(d, p, node, &value);
    }
    if (!behind)
        return NULL;
    if (value < 0 || value >= 86400 * node->per_second)
        return firn_json_misfit(d, p, node, "the number is not within a day");
    if (column->type == FIRN_AVRO_COL_INT32)
        firn_avro_store_i32(column, (int32_t)value);
    else
        firn_avro_store_i64(column, value);
    return behind;
}

const uint8_t *firn_json_timestamp(firn_json_decoding *d, const uint8_t *p,
                                   const firn_json_node *node, firn_avro_column *column)
{
    firn_bytes text;
    int64_t value;
    bool has_zone;
    const uint8_t *behind;
    if (p < d->scan.end && *p == '"') {
        behind = firn_json_take_string(d, p, &text);
        if (!behind)
            return NULL;
        if (!firn_text_timestamp(text, node->per_second, &value, &has_zone))
            return firn_json_misfit(d, p, node,
                                    "a time such as \"2026-11-28T12:34:56Z\" was expected");
        if (has_zone && node->local)
            return firn_json_misfit(d, p, node, "a time without offset was expected");
    } else {
        behind = firn_json_whole(d, p, node, &value);
        if (!behind)
            return NULL;
    }
    firn_avro_store_i64(column, value);
    return behind;
}

/* ---- bytes ---- */

const uint8_t *firn_json_base64(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                                firn_avro_column *column)
{
    firn_bytes text;
    if (p == d->scan.end || *p != '"')
        return firn_json_wrong_kind(d, p, node, "bytes as base64 were expected");
    const uint8_t *behind = firn_json_take_string(d, p, &text);
    if (!behind)
        return NULL;
    uint8_t *out = firn_json_text_room(d, column, text.len / 4 * 3 + 2);
    size_t len;
    if (!out)
        return firn_json_no_room(d, p);
    if (!firn_text_base64(text, out, &len))
        return firn_json_misfit(d, p, node, "bytes as base64 were expected");
    firn_json_finish_text(column, len);
    return behind;
}

const uint8_t *firn_json_fixed(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                               firn_avro_column *column)
{
    firn_bytes text;
    if (p == d->scan.end || *p != '"')
        return firn_json_wrong_kind(d, p, node, "a string was expected");
    const uint8_t *behind = firn_json_take_string(d, p, &text);
    if (!behind)
        return NULL;
    uint8_t *out = column->data + column->length * column->item_size;
    if (node->op == FIRN_JSON_UUID) {
        if (!firn_text_uuid(text, out))
            return firn_json_misfit(d, p, node, "a uuid was expected");
    } else {
        size_t len;
        firn_buf_clear(&d->scratch); /* keeps its bytes, which `text` may be */
        uint8_t *room = text.len > 0 && text.data == d->scratch.data
                            ? d->scratch.data
                            : firn_buf_reserve(&d->scratch, text.len + 2);
        if (!room)
            return firn_json_no_room(d, p);
        if (!firn_text_base64(text, room, &len) || len != (size_t)column->item_size)
            return firn_json_misfit(d, p, node,
                                    "as many bytes as the type has, in base64, were expected");
        memcpy(out, room, len);
    }
    firn_avro_column_mark_valid(column, column->length);
    column->length++;
    return behind;
}
