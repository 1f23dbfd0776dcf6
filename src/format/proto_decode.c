/* Protobuf messages into columns: one message, one row.
 *
 * A message is read in two steps. scan() walks over its bytes once and notes for every slot (proto_plan.h) its last value and where its
 * occurrences begin and end; then each slot puts exactly one row into its column. So fields may come in any order and more
 * than once: of a scalar the last occurrence counts, of a oneof the last member, the occurrences of a message are merged, which
 * by the wire format's design is their bytes one behind the other, and a repeated field is read again from its first occurrence
 * to its last, stepping over what lies between (mostly nothing).
 *
 * A failure sets `rc` and `why` once and unwinds; the rows begun are taken back at the top.
 */
#include "avro_batch.h"
#include "base/map.h"
#include "base/time.h"
#include "format/protobuf.h"
#include "proto_json.h"
#include "proto_plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    JSON_BYTES_MAX = 4 << 20,       /* of a message that becomes text */
    JSON_TEXT_BYTES_MAX = 64 << 20, /* and of the text */
    KEYS_COMPARED_MAX = 8,          /* a map of more entries has its keys hashed */
};
/* Bytes stepped over on behalf of fields whose occurrences are scattered: more than any message that was written in good faith. */
static const int64_t STEPPED_BYTES_MAX = (int64_t)1 << 30;

struct firn_proto_decoder {
    firn_avro_decoder *shape;
    const firn_proto_plan *plan;
    size_t n_notes;
};

typedef struct decoding {
    firn_avro_batch *batch;
    firn_proto_note *notes;
    bool unchecked_utf8;
    int64_t stepped;
    firn_bytes whole;
    firn_rc rc;
    const char *why;
    const char *field;    /* innermost that failed */
    const uint8_t *where; /* in `whole` or, of a merged message, elsewhere */
} decoding;

static bool put_message(decoding *d, const firn_proto_plan *plan, firn_bytes data,
                        firn_avro_column *column);
static bool put_value(decoding *d, const firn_proto_slot *slot, uint64_t value, firn_bytes bytes,
                      firn_avro_column *column);

static __attribute__((cold, noinline)) bool fail(decoding *d, const firn_proto_slot *slot,
                                                 firn_rc rc, const uint8_t *where, const char *why)
{
    d->rc = rc;
    d->why = why;
    d->where = where;
    d->field = slot ? slot->field->name : NULL;
    return false;
}

static __attribute__((cold, noinline)) bool malformed(decoding *d, const firn_proto_slot *slot,
                                                      const uint8_t *where)
{
    return fail(d, slot, FIRN_E_CORRUPT, where, "malformed or cut off");
}

static __attribute__((cold, noinline)) bool no_room(decoding *d, const firn_proto_slot *slot)
{
    return fail(d, slot, FIRN_E_LIMIT, NULL,
                "the batch would exceed its memory bound, or a column 2^31 - 1 rows or bytes");
}

/* ---- storing: room for the row is there ---- */

static inline void store_i128(firn_avro_column *column, __int128 value)
{
    int64_t row = column->length++;
    memcpy(column->data + row * 16, &value, 16);
    firn_avro_column_mark_valid(column, row);
}

static inline bool store_bytes(decoding *d, const firn_proto_slot *slot, firn_bytes bytes,
                               firn_avro_column *column)
{
    return firn_avro_store_bytes(d->batch, column, bytes) ? true : no_room(d, slot);
}

static bool is_ascii(firn_bytes text)
{
    uint64_t seen = 0;
    size_t i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof word);
        seen |= word;
    }
    for (; i < text.len; i++)
        seen |= text.data[i];
    return !(seen & 0x8080808080808080u);
}

static inline bool store_text(decoding *d, const firn_proto_slot *slot, firn_bytes text,
                              firn_avro_column *column)
{
    if (!d->unchecked_utf8 && !is_ascii(text) && !firn_utf8_valid(text))
        return fail(d, slot, FIRN_E_CORRUPT, text.data, "the text is not valid UTF-8");
    return store_bytes(d, slot, text, column);
}

/* ---- scalars ---- */

static __attribute__((noinline)) bool put_enum(decoding *d, const firn_proto_slot *slot,
                                               int32_t number, firn_avro_column *column)
{
    if (number >= 0 && number < FIRN_ENUM_NAMES_MAX && slot->enum_names[number].data)
        return store_bytes(d, slot, slot->enum_names[number], column);
    const char *name = firn_proto_enum_name(slot->field->enumeration, number);
    char text[16];
    if (!name) {
        snprintf(text, sizeof text, "%d", number);
        name = text;
    }
    return store_bytes(d, slot, firn_bytes_str(name), column);
}

/* `value` as the wire has it. */
static inline bool put_scalar(decoding *d, const firn_proto_slot *slot, uint8_t op, uint64_t value,
                              firn_bytes bytes, firn_avro_column *column)
{
    switch (op) {
    case FIRN_PROTO_STRING: return store_text(d, slot, bytes, column);
    case FIRN_PROTO_BYTES: return store_bytes(d, slot, bytes, column);
    case FIRN_PROTO_ENUM: return put_enum(d, slot, (int32_t)value, column);
    case FIRN_PROTO_BOOL: firn_avro_store_bool(column, value != 0); return true;
    case FIRN_PROTO_INT32:
    case FIRN_PROTO_SFIXED32:
    case FIRN_PROTO_FLOAT: firn_avro_store_i32(column, (int32_t)value); return true;
    case FIRN_PROTO_SINT32: firn_avro_store_i32(column, firn_wire_zigzag32(value)); return true;
    case FIRN_PROTO_UINT32:
    case FIRN_PROTO_FIXED32: firn_avro_store_i64(column, (uint32_t)value); return true;
    case FIRN_PROTO_SINT64: firn_avro_store_i64(column, firn_wire_zigzag64(value)); return true;
    case FIRN_PROTO_UINT64:
    case FIRN_PROTO_FIXED64: store_i128(column, (__int128)value); return true;
    default: firn_avro_store_i64(column, (int64_t)value); return true; /* INT64, SFIXED64, DOUBLE */
    }
}

/* What an absent field stands for. */
static bool put_default(decoding *d, const firn_proto_slot *slot, firn_avro_column *column)
{
    const firn_proto_field *field = slot->field;
    uint64_t value = field->default_bits;
    if (slot->op == FIRN_PROTO_SINT32)
        value = (uint64_t)(uint32_t)value << 1 ^ (uint64_t)(uint32_t)((int32_t)value >> 31);
    else if (slot->op == FIRN_PROTO_SINT64)
        value = value << 1 ^ (uint64_t)((int64_t)value >> 63);
    return put_value(d, slot, value, firn_bytes_of(field->default_text, field->default_len),
                     column);
}

/* ---- messages that are one value ---- */

static bool put_decimal_text(decoding *d, const firn_proto_slot *slot, __int128 number,
                             int32_t scale, firn_avro_column *column)
{
    enum { SCALE_MAX = 1000 };
    char digits[48];
    int n = 0;
    unsigned __int128 rest = number < 0 ? -(unsigned __int128)number : (unsigned __int128)number;
    do {
        digits[n++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (scale < -SCALE_MAX || scale > SCALE_MAX)
        return fail(d, slot, FIRN_E_CORRUPT, NULL, "a Decimal of a scale beyond all bounds");

    char text[SCALE_MAX + 64];
    size_t len = 0;
    if (number < 0)
        text[len++] = '-';
    int whole = n > scale ? n : scale + 1; /* digits to write, with zeros in front */
    for (int i = whole - 1; i >= 0; i--) {
        text[len++] = i < n ? digits[i] : '0';
        if (i == scale && i > 0)
            text[len++] = '.';
    }
    for (int i = scale; i < 0 && number != 0; i++)
        text[len++] = '0';
    return store_bytes(d, slot, firn_bytes_of(text, len), column);
}

/* Brings `number` from one scale to another, exactly, and within the column's precision. */
static bool rescale(__int128 *number, int32_t from, int32_t to, int32_t precision)
{
    __int128 limit = 1;
    for (int i = 0; i < precision; i++)
        limit *= 10;
    if (*number == 0)
        return true;
    for (; from < to; from++) {
        if (*number >= limit || *number <= -limit)
            return false;
        *number *= 10;
    }
    for (; from > to; from--) {
        if (*number % 10 != 0)
            return false;
        *number /= 10;
    }
    return *number<limit && * number> - limit;
}

/* confluent.type.Decimal: value (two's complement, big-endian), precision, scale. */
static bool put_decimal(decoding *d, const firn_proto_slot *slot, firn_bytes data,
                        firn_avro_column *column)
{
    enum { VALUE = 1 << 3 | FIRN_WIRE_LEN, SCALE = 3 << 3 | FIRN_WIRE_VARINT };
    const uint8_t *pos = data.data;
    const uint8_t *end = data.data + data.len;
    firn_bytes number = {0};
    int32_t scale = 0;
    while (pos < end) {
        const uint8_t *start = pos;
        uint32_t tag;
        uint64_t value;
        pos = firn_wire_tag(pos, end, &tag);
        if (pos && (tag == VALUE || tag == SCALE)) {
            pos = firn_wire_value(pos, end, tag, &value);
            if (pos && tag == SCALE)
                scale = (int32_t)value;
            else if (pos)
                number = firn_bytes_of(pos - value, (size_t)value);
        } else if (pos) {
            pos = firn_wire_skip(pos, end, tag);
        }
        if (!pos)
            return malformed(d, slot, start);
    }
    uint8_t sign = number.len > 0 && number.data[0] & 0x80 ? 0xFF : 0;
    while (number.len > 16 && number.data[0] == sign && !((number.data[1] ^ sign) & 0x80)) {
        number.data++;
        number.len--;
    }
    if (number.len > 16)
        return fail(d, slot, FIRN_E_CORRUPT, number.data, "a Decimal of more than 16 bytes");
    unsigned __int128 bits = sign ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < number.len; i++)
        bits = bits << 8 | number.data[i];
    __int128 unscaled = (__int128)bits;
    if (slot->op == FIRN_SLOT_DECIMAL_TEXT)
        return put_decimal_text(d, slot, unscaled, scale, column);
    if (!rescale(&unscaled, scale, slot->field->scale, slot->field->precision)) {
        return fail(d, slot, FIRN_E_CORRUPT, number.data,
                    "a Decimal that does not fit the precision and scale of its field");
    }
    store_i128(column, unscaled);
    return true;
}

static bool put_timestamp(decoding *d, const firn_proto_slot *slot, const firn_proto_small *small,
                          firn_bytes data, firn_avro_column *column)
{
    int64_t seconds = small->number[1];
    int32_t nanos = (int32_t)small->number[2];
    if (!firn_proto_timestamp_fits(seconds, nanos))
        return fail(d, slot, FIRN_E_CORRUPT, data.data, "a Timestamp outside the years 1 to 9999");
    firn_avro_store_i64(column, seconds * 1000000 + nanos / 1000);
    return true;
}

static bool put_date(decoding *d, const firn_proto_slot *slot, const firn_proto_small *small,
                     firn_bytes data, firn_avro_column *column)
{
    int64_t year = small->number[1];
    int64_t month = small->number[2];
    int64_t day = small->number[3];
    if (year == 0 && month == 0 && day == 0) {
        firn_avro_column_append_null(column);
        return true;
    }
    if (year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= 31) {
        int32_t days = firn_days_from_civil((int32_t)year, (int)month, (int)day);
        firn_civil civil;
        firn_civil_from_days(days, &civil);
        if (civil.day == day) {
            firn_avro_store_i32(column, days);
            return true;
        }
    }
    return fail(d, slot, FIRN_E_CORRUPT, data.data,
                "a Date without year, month or day, or no day of the calendar");
}

static bool put_time(decoding *d, const firn_proto_slot *slot, const firn_proto_small *small,
                     firn_bytes data, firn_avro_column *column)
{
    uint64_t hours = (uint64_t)small->number[1];
    uint64_t minutes = (uint64_t)small->number[2];
    uint64_t seconds = (uint64_t)small->number[3];
    uint64_t nanos = (uint64_t)small->number[4];
    if (hours > 23 || minutes > 59 || seconds > 59 || nanos > 999999999)
        return fail(d, slot, FIRN_E_CORRUPT, data.data, "a TimeOfDay that no clock shows");
    firn_avro_store_i64(
        column, (int64_t)(((hours * 60 + minutes) * 60 + seconds) * 1000000 + nanos / 1000));
    return true;
}

static bool put_small(decoding *d, const firn_proto_slot *slot, firn_bytes data,
                      firn_avro_column *column)
{
    firn_proto_small small;
    if (!firn_proto_small_read(data, &small))
        return malformed(d, slot, data.data);
    if (slot->op == FIRN_SLOT_TIMESTAMP)
        return put_timestamp(d, slot, &small, data, column);
    if (slot->op == FIRN_SLOT_DATE)
        return put_date(d, slot, &small, data, column);
    if (slot->op == FIRN_SLOT_TIME)
        return put_time(d, slot, &small, data, column);
    char text[40];
    if (!firn_proto_duration_text(small.number[1], (int32_t)small.number[2], text))
        return fail(d, slot, FIRN_E_CORRUPT, data.data, "a Duration out of range");
    return store_bytes(d, slot, firn_bytes_str(text), column);
}

static uint32_t wire_of_scalar(uint8_t type)
{
    switch (type) {
    case FIRN_PROTO_DOUBLE: return FIRN_WIRE_I64;
    case FIRN_PROTO_FLOAT: return FIRN_WIRE_I32;
    case FIRN_PROTO_STRING:
    case FIRN_PROTO_BYTES: return FIRN_WIRE_LEN;
    default: return FIRN_WIRE_VARINT;
    }
}

/* A wrapper, or google.type.Decimal: the value of field 1. */
static bool put_wrapped(decoding *d, const firn_proto_slot *slot, uint8_t inner, firn_bytes data,
                        firn_avro_column *column)
{
    const uint8_t *pos = data.data;
    const uint8_t *end = data.data + data.len;
    uint32_t wanted = 1 << 3 | wire_of_scalar(inner);
    uint64_t value = 0;
    firn_bytes bytes = {0};
    while (pos < end) {
        const uint8_t *start = pos;
        uint32_t tag;
        pos = firn_wire_tag(pos, end, &tag);
        if (pos && tag == wanted) {
            pos = firn_wire_value(pos, end, tag, &value);
            if (pos && (wanted & 7) == FIRN_WIRE_LEN)
                bytes = firn_bytes_of(pos - value, (size_t)value);
        } else if (pos) {
            pos = firn_wire_skip(pos, end, tag);
        }
        if (!pos)
            return malformed(d, slot, start);
    }
    return put_scalar(d, slot, inner, value, bytes, column);
}

static bool put_json(decoding *d, const firn_proto_slot *slot, firn_bytes data,
                     firn_avro_column *column)
{
    if (data.len > JSON_BYTES_MAX)
        return fail(d, slot, FIRN_E_LIMIT, data.data, "too large a message to become JSON text");
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    FIRN_AUTO_BUF firn_buf text = {.max = JSON_TEXT_BYTES_MAX};
    bool limit;
    const char *why = firn_proto_json(&text, scratch, slot->field->message, data, &limit);
    if (why)
        return fail(d, slot, limit ? FIRN_E_LIMIT : FIRN_E_CORRUPT, data.data, why);
    return store_bytes(d, slot, firn_buf_bytes(&text), column);
}

/* One value of a slot; of a message all its bytes. */
static inline bool put_value(decoding *d, const firn_proto_slot *slot, uint64_t value,
                             firn_bytes bytes, firn_avro_column *column)
{
    if (__builtin_expect(slot->op < FIRN_SLOT_RECORD, 1))
        return put_scalar(d, slot, slot->op, value, bytes, column);
    if (!bytes.data)
        bytes = firn_bytes_of("", 0);
    switch (slot->op) {
    case FIRN_SLOT_RECORD: return put_message(d, slot->plan, bytes, column);
    case FIRN_SLOT_TIMESTAMP:
    case FIRN_SLOT_DURATION:
    case FIRN_SLOT_DATE:
    case FIRN_SLOT_TIME: return put_small(d, slot, bytes, column);
    case FIRN_SLOT_DECIMAL:
    case FIRN_SLOT_DECIMAL_TEXT: return put_decimal(d, slot, bytes, column);
    case FIRN_SLOT_TEXT: return put_wrapped(d, slot, FIRN_PROTO_STRING, bytes, column);
    case FIRN_SLOT_WRAPPER: return put_wrapped(d, slot, slot->inner, bytes, column);
    case FIRN_SLOT_PRESENCE: firn_avro_store_bool(column, true); return true;
    default: return put_json(d, slot, bytes, column);
    }
}

/* ---- scanning ---- */

static const firn_proto_slot *find_slot(const firn_proto_plan *plan, uint32_t number)
{
    if (number < plan->n_by_number) {
        uint32_t at = plan->by_number[number];
        return at > 0 ? &plan->slots[at - 1] : NULL;
    }
    size_t from = 0;
    size_t to = plan->n_slots;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        uint32_t here = plan->slots[middle].tag >> 3;
        if (here == number)
            return &plan->slots[middle];
        if (here < number)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Of a oneof the member that came last counts: it makes the one before absent. */
static void take_turn(const firn_proto_plan *plan, const firn_proto_slot *slot,
                      firn_proto_note *notes)
{
    firn_proto_note *turn = &notes[plan->n_slots + (size_t)slot->oneof];
    uint64_t mine = (uint64_t)(slot - plan->slots) + 1;
    if (turn->value == mine)
        return;
    if (turn->value > 0)
        notes[turn->value - 1].count = 0;
    turn->value = mine;
}

static bool scan(decoding *d, const firn_proto_plan *plan, firn_bytes data, firn_proto_note *notes)
{
    memset(notes, 0, (plan->n_slots + (size_t)plan->message->n_oneofs) * sizeof *notes);
    const uint8_t *pos = data.data;
    const uint8_t *end = data.data + data.len;
    const firn_proto_slot *slot = plan->slots; /* the guess: what follows the last one */
    while (pos < end) {
        const uint8_t *start = pos;
        uint32_t tag;
        uint64_t value;
        pos = firn_wire_tag(pos, end, &tag);
        if (!pos)
            return malformed(d, NULL, start);
        if (slot->tag != tag) {
            const firn_proto_slot *found = find_slot(plan, tag >> 3);
            if (!found) {
                pos = firn_wire_skip(pos, end, tag);
                if (!pos)
                    return malformed(d, NULL, start);
                continue;
            }
            slot = found;
            if (slot->tag != tag && slot->packed_tag != tag) {
                return fail(d, slot, FIRN_E_CORRUPT, start,
                            "a value of another wire type than the schema says");
            }
        }
        pos = firn_wire_value(pos, end, tag, &value);
        if (!pos)
            return malformed(d, slot, start);
        firn_proto_note *note = &notes[slot - plan->slots];
        if (slot->oneof >= 0)
            take_turn(plan, slot, notes);
        if (note->count++ == 0)
            note->first = start;
        note->end = pos;
        note->value = value;
        slot += !slot->repeated;
    }
    return true;
}

/* The next occurrence of the slot's field at or after *pos: its tag and value. The bytes were scanned before. */
static bool next_occurrence(decoding *d, const firn_proto_slot *slot, const uint8_t **pos,
                            const uint8_t *end, uint32_t *tag, uint64_t *value)
{
    const uint8_t *start = *pos;
    while (*pos < end) {
        const uint8_t *at = firn_wire_tag(*pos, end, tag);
        if (at && *tag >> 3 == slot->tag >> 3) {
            *pos = firn_wire_value(at, end, *tag, value);
            assert(*pos);
            return true;
        }
        at = at ? firn_wire_skip(at, end, *tag) : NULL;
        assert(at);
        *pos = at;
        d->stepped += at - start;
        start = at;
    }
    assert(false);
    return false;
}

/* ---- repeated fields ---- */

static bool put_packed(decoding *d, const firn_proto_slot *slot, firn_bytes run,
                       firn_avro_column *items)
{
    const uint8_t *pos = run.data;
    const uint8_t *end = run.data + run.len;
    if (slot->wire != FIRN_WIRE_VARINT) {
        size_t size = slot->wire == FIRN_WIRE_I32 ? 4 : 8;
        if (run.len % size != 0)
            return malformed(d, slot, run.data);
        if (!firn_avro_column_reserve(d->batch, items, (int64_t)(run.len / size)))
            return no_room(d, slot);
    }
    while (pos < end) {
        const uint8_t *start = pos;
        uint64_t value;
        pos = firn_wire_value(pos, end, slot->wire, &value);
        if (!pos)
            return malformed(d, slot, start);
        if (!firn_avro_column_reserve(d->batch, items, 1))
            return no_room(d, slot);
        if (!put_scalar(d, slot, slot->op, value, (firn_bytes){0}, items))
            return false;
    }
    return true;
}

/* `dropped` (nullable) tells which items to leave out. */
static bool put_items(decoding *d, const firn_proto_slot *slot, const firn_proto_note *note,
                      const bool *dropped, firn_avro_column *items)
{
    const uint8_t *pos = note->first;
    for (uint32_t i = 0; i < note->count; i++) {
        uint32_t tag;
        uint64_t value;
        if (!next_occurrence(d, slot, &pos, note->end, &tag, &value))
            return false;
        if (dropped && dropped[i])
            continue;
        firn_bytes bytes = {0};
        if ((tag & 7) == FIRN_WIRE_LEN)
            bytes = firn_bytes_of(pos - value, (size_t)value);
        if ((tag & 7) != slot->wire) {
            if (!put_packed(d, slot, bytes, items))
                return false;
            continue;
        }
        if (!firn_avro_column_reserve(d->batch, items, 1))
            return no_room(d, slot);
        if (!put_value(d, slot, value, bytes, items))
            return false;
    }
    if (d->stepped > STEPPED_BYTES_MAX)
        return fail(d, slot, FIRN_E_LIMIT, note->first,
                    "repeated fields scattered all over the message");
    return true;
}

/* ---- maps ---- */

/* Marks each entry whose key comes again later. False: there is none. */
static bool mark_repeated_keys(const firn_avro_column *keys, int64_t from, bool *dropped)
{
    int64_t n = keys->length - from;
    size_t size = 16;
    while (size < (size_t)n * 2)
        size *= 2;
    int64_t *table = firn_calloc(size, sizeof *table); /* entry + 1 */
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        firn_bytes key = firn_avro_column_bytes(keys, from + i);
        size_t at = (size_t)firn_hash64(key.data, key.len, 0) & (size - 1);
        while (table[at] > 0 &&
               firn_bytes_cmp(firn_avro_column_bytes(keys, from + table[at] - 1), key) != 0)
            at = (at + 1) & (size - 1);
        if (table[at] > 0) {
            dropped[table[at] - 1] = true;
            any = true;
        }
        table[at] = i + 1;
    }
    free(table);
    return any;
}

static bool has_repeated_keys(const firn_avro_column *keys, int64_t from)
{
    int64_t n = keys->length - from;
    if (n > KEYS_COMPARED_MAX)
        return true; /* to be looked at closely */
    for (int64_t i = from; i < keys->length; i++) {
        for (int64_t j = from; j < i; j++) {
            if (firn_bytes_cmp(firn_avro_column_bytes(keys, i), firn_avro_column_bytes(keys, j)) ==
                0)
                return true;
        }
    }
    return false;
}

/* Of entries with one key the last counts. They are put first, and once more without the others in the rare case that there are such. */
static bool put_entries(decoding *d, const firn_proto_slot *slot, const firn_proto_note *note,
                        firn_avro_column *entries)
{
    int64_t before = entries->length;
    if (!put_items(d, slot, note, NULL, entries))
        return false;
    const firn_avro_column *keys = &entries->children[0];
    if (note->count < 2 || !has_repeated_keys(keys, before))
        return true;
    bool *dropped = firn_calloc(note->count, sizeof *dropped);
    bool fine = true;
    if (mark_repeated_keys(keys, before, dropped)) {
        firn_avro_column_truncate(entries, before);
        fine = put_items(d, slot, note, dropped, entries);
    }
    free(dropped);
    return fine;
}

static bool put_key(decoding *d, const firn_proto_slot *slot, uint64_t value, firn_bytes bytes,
                    firn_avro_column *column)
{
    char text[32];
    switch (slot->op) {
    case FIRN_PROTO_STRING: return store_text(d, slot, bytes, column);
    case FIRN_PROTO_BOOL:
        return store_bytes(d, slot, firn_bytes_str(value ? "true" : "false"), column);
    case FIRN_PROTO_UINT64:
    case FIRN_PROTO_FIXED64: snprintf(text, sizeof text, "%llu", (unsigned long long)value); break;
    case FIRN_PROTO_UINT32:
    case FIRN_PROTO_FIXED32: snprintf(text, sizeof text, "%u", (unsigned)value); break;
    case FIRN_PROTO_INT32:
    case FIRN_PROTO_SFIXED32: snprintf(text, sizeof text, "%d", (int)value); break;
    case FIRN_PROTO_SINT32: snprintf(text, sizeof text, "%d", firn_wire_zigzag32(value)); break;
    case FIRN_PROTO_SINT64:
        snprintf(text, sizeof text, "%lld", (long long)firn_wire_zigzag64(value));
        break;
    default: snprintf(text, sizeof text, "%lld", (long long)value); break;
    }
    return store_bytes(d, slot, firn_bytes_str(text), column);
}

/* ---- slots ---- */

/* A message field that occurs several times: all its bytes, on the heap. */
static bool put_merged(decoding *d, const firn_proto_slot *slot, const firn_proto_note *note,
                       firn_avro_column *column)
{
    FIRN_AUTO_BUF firn_buf bytes = {.max = INT32_MAX};
    const uint8_t *pos = note->first;
    for (uint32_t i = 0; i < note->count; i++) {
        uint32_t tag;
        uint64_t len;
        if (!next_occurrence(d, slot, &pos, note->end, &tag, &len))
            return false;
        firn_buf_append(&bytes, pos - len, (size_t)len);
    }
    return put_value(d, slot, 0, firn_buf_bytes(&bytes), column);
}

static __attribute__((noinline)) bool put_repeated(decoding *d, const firn_proto_slot *slot,
                                                   const firn_proto_note *note,
                                                   firn_avro_column *column)
{
    firn_avro_column *items = &column->children[0];
    if (note->count > 0 &&
        !(slot->is_map ? put_entries(d, slot, note, items) : put_items(d, slot, note, NULL, items)))
        return false;
    int64_t row = column->length++;
    column->offsets[row + 1] = (int32_t)items->length;
    firn_avro_column_mark_valid(column, row);
    return true;
}

static __attribute__((noinline)) bool put_absent(decoding *d, const firn_proto_plan *plan,
                                                 const firn_proto_slot *slot,
                                                 firn_avro_column *column)
{
    if (slot->required)
        return fail(d, slot, FIRN_E_CORRUPT, NULL, "a required field is absent");
    if (plan->message->is_map_entry)
        return put_default(d, slot, column);
    if (slot->nullable && !slot->field->has_default) {
        firn_avro_column_append_null(column);
        return true;
    }
    return put_default(d, slot, column);
}

static inline bool put_slot(decoding *d, const firn_proto_plan *plan, const firn_proto_slot *slot,
                            const firn_proto_note *note, firn_avro_column *column)
{
    if (slot->repeated)
        return put_repeated(d, slot, note, column);
    if (note->count == 0)
        return put_absent(d, plan, slot, column);
    if (note->count > 1 && slot->op >= FIRN_SLOT_RECORD)
        return put_merged(d, slot, note, column);
    firn_bytes bytes = {0};
    if (slot->wire == FIRN_WIRE_LEN)
        bytes = firn_bytes_of(note->end - note->value, (size_t)note->value);
    return put_value(d, slot, note->value, bytes, column);
}

/* The two fields of a map's entry: the key becomes text, whatever it is. */
static bool put_entry(decoding *d, const firn_proto_plan *plan, const firn_proto_note *notes,
                      firn_avro_column *column)
{
    const firn_proto_slot *key = &plan->slots[0];
    firn_bytes bytes = {0};
    if (key->wire == FIRN_WIRE_LEN && notes[0].count > 0)
        bytes = firn_bytes_of(notes[0].end - notes[0].value, (size_t)notes[0].value);
    return put_key(d, key, notes[0].value, bytes, &column->children[0]) &&
           put_slot(d, plan, &plan->slots[1], &notes[1], &column->children[1]);
}

static bool put_message(decoding *d, const firn_proto_plan *plan, firn_bytes data,
                        firn_avro_column *column)
{
    firn_proto_note *notes = d->notes + plan->notes_at;
    if (!scan(d, plan, data, notes))
        return false;
    if (plan->message->is_map_entry) {
        if (!put_entry(d, plan, notes, column))
            return false;
    } else {
        for (size_t i = 0; i < plan->n_slots; i++) {
            const firn_proto_slot *slot = &plan->slots[i];
            if (!put_slot(d, plan, slot, &notes[i], &column->children[slot->column]))
                return false;
        }
    }
    firn_avro_column_mark_valid(column, column->length);
    column->length++;
    return true;
}

/* ---- public ---- */

firn_rc firn_proto_decoder_new(firn_arena *arena, const firn_proto_message *message,
                               const firn_avro_decoder_opts *opts, firn_proto_decoder **out,
                               firn_err *err)
{
    const firn_avro_schema *schema;
    FIRN_TRY(firn_proto_avro(arena, message, &schema, err));
    firn_proto_decoder *decoder = FIRN_NEW(arena, firn_proto_decoder);
    FIRN_TRY(firn_avro_decoder_new_shape(arena, schema, opts, &decoder->shape, err));
    FIRN_TRY(firn_proto_plan_make(arena, message, &decoder->shape->shape, &decoder->plan,
                                  &decoder->n_notes, err));
    *out = decoder;
    return FIRN_OK;
}

const firn_avro_decoder *firn_proto_decoder_shape(const firn_proto_decoder *decoder)
{
    return decoder->shape;
}

static firn_rc report(const decoding *d, const firn_proto_plan *plan, firn_err *err)
{
    char place[48] = "";
    const uint8_t *start = d->whole.data;
    if (d->where && d->where >= start && d->where <= start + d->whole.len)
        snprintf(place, sizeof place, " at byte %zu", (size_t)(d->where - start));
    FIRN_FAIL(err, d->rc, "Protobuf message %s of %zu bytes: %s%s%s%s: %s", plan->message->name,
              d->whole.len, d->field ? "field \"" : "the message", d->field ? d->field : "",
              d->field ? "\"" : "", place, d->why);
}

firn_rc firn_proto_decoder_decode(const firn_proto_decoder *decoder, firn_bytes data,
                                  firn_avro_batch *batch, firn_err *err)
{
    firn_avro_column *root = &batch->root;
    int64_t rows_before = root->length;
    if (!data.data)
        data = firn_bytes_of("", 0);
    if (data.len > INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "Protobuf message %s of %zu bytes; the most is %d",
                  decoder->plan->message->name, data.len, INT32_MAX);
    }
    if (!batch->scratch)
        batch->scratch = firn_calloc(decoder->n_notes + 1, sizeof(firn_proto_note));
    decoding d = {
        .batch = batch,
        .notes = batch->scratch,
        .unchecked_utf8 = decoder->shape->unchecked_utf8,
        .whole = data,
    };
    bool fine = firn_avro_column_reserve(batch, root, 1) || no_room(&d, NULL);
    fine = fine && put_message(&d, decoder->plan, data, root);
    if (fine)
        return FIRN_OK;
    firn_avro_column_truncate(root, rows_before);
    return report(&d, decoder->plan, err);
}
