/* JSON documents into columns: one pass over the text, each value straight into its column's buffers.
 *
 * Here is what knows all of JSON, value by value, and what reports. Records are in json_record.c, with the short ways for values in front.
 * No tree is built, and nothing is allocated but the columns' room and, rarely, scratch. A failure is noted once where it happens and
 * unwinds with NULL; the path to it is gathered on the way up.
 */
#include "format/json_columns.h"

#include "json_decoding.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* ---- failures ---- */

__attribute__((cold)) const uint8_t *firn_json_misfit(firn_json_decoding *d, const uint8_t *p,
                                                      const firn_json_node *node, const char *why)
{
    d->misfit = node;
    return firn_json_fail(&d->scan, p, FIRN_E_TYPE, why);
}

__attribute__((cold)) const uint8_t *firn_json_no_room(firn_json_decoding *d, const uint8_t *p)
{
    return firn_json_fail(
        &d->scan, p, FIRN_E_LIMIT,
        "the batch would exceed its memory bound, or a column 2^31 - 1 rows or bytes");
}

/* A value of another kind than the column takes: an error in the JSON itself goes before. */
__attribute__((cold)) const uint8_t *firn_json_wrong_kind(firn_json_decoding *d, const uint8_t *p,
                                                          const firn_json_node *node,
                                                          const char *wanted)
{
    if (!firn_json_skip(&d->scan, p, FIRN_AVRO_DEPTH_MAX - d->depth))
        return NULL;
    return firn_json_misfit(d, p, node, wanted);
}

__attribute__((cold)) const uint8_t *firn_json_at(firn_json_decoding *d, const char *name,
                                                  int64_t index)
{
    if (d->trail_len < FIRN_AVRO_DEPTH_MAX + 1) {
        d->trail[d->trail_len].name = name;
        d->trail[d->trail_len++].index = index;
    }
    return NULL;
}

static const char *path_text(const firn_json_decoding *d, firn_buf *buf)
{
    for (int i = d->trail_len - 1; i >= 0; i--) {
        if (d->trail[i].name)
            firn_buf_printf(buf, "%s%s", buf->len > 0 ? "." : "", d->trail[i].name);
        else
            firn_buf_printf(buf, "[%lld]", (long long)d->trail[i].index);
    }
    return firn_buf_cstr(buf);
}

__attribute__((cold)) firn_rc firn_json_report(const firn_json_decoding *d, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf path = {0};
    long long at = (long long)(d->scan.where - d->scan.start);
    if (!d->misfit) {
        FIRN_FAIL(err, d->scan.rc, "%s, byte %lld: %s",
                  d->scan.rc == FIRN_E_CORRUPT ? "not a JSON document" : "JSON document", at,
                  d->scan.why);
    }
    const firn_avro_schema *schema = d->misfit->schema;
    const char *type = schema ? schema->name : "string";
    if (d->trail_len == 0)
        FIRN_FAIL(err, d->scan.rc, "JSON document, byte %lld: %s", at, d->scan.why);
    FIRN_FAIL(err, d->scan.rc, "JSON member \"%s\" (%s), byte %lld: %s", path_text(d, &path), type,
              at, d->scan.why);
}

__attribute__((cold)) const uint8_t *firn_json_too_deep(firn_json_decoding *d, const uint8_t *p)
{
    return firn_json_fail(&d->scan, p, FIRN_E_LIMIT, "values nested too deeply");
}

/* ---- texts ---- */

static const uint8_t *append_bytes(firn_json_decoding *d, const uint8_t *behind,
                                   firn_avro_column *column, firn_bytes bytes)
{
    return firn_avro_store_bytes(d->batch, column, bytes) ? behind : firn_json_no_room(d, behind);
}

/* A text with escapes, or without room or bytes for the quick way. `p` is behind the quote. */
static __attribute__((noinline)) const uint8_t *slow_text(firn_json_decoding *d, const uint8_t *p,
                                                          firn_avro_column *column)
{
    firn_json_raw raw;
    p = firn_json_string(&d->scan, p, &raw);
    if (!p)
        return NULL;
    if (!raw.escaped)
        return append_bytes(d, p, column, raw.text);
    uint8_t *out = firn_json_text_room(d, column, raw.text.len);
    if (!out)
        return firn_json_no_room(d, p);
    firn_json_finish_text(column, firn_json_unescape(raw.text, out));
    return p;
}

/* Blocks are copied as they come, what stands behind the closing quote included: it is within the room, and is overwritten later. */
static inline const uint8_t *text(firn_json_decoding *d, const uint8_t *p, firn_avro_column *column)
{
    const uint8_t *start = p, *end = d->scan.end;
    int32_t at = column->offsets[column->length];
    uint8_t *out = column->data + at;
    int64_t room = column->data_cap - at;
    uint64_t not_ascii = 0;
    while (end - p >= FIRN_JSON_BLOCK && room >= FIRN_JSON_BLOCK) {
        uint64_t high;
        uint64_t stop = firn_json_block(p, out, &high);
        if (!stop) {
            not_ascii |= high;
            p += FIRN_JSON_BLOCK;
            out += FIRN_JSON_BLOCK;
            room -= FIRN_JSON_BLOCK;
            continue;
        }
        int plain = __builtin_ctzll(stop);
        not_ascii |= high & (((uint64_t)1 << plain) - 1);
        p += plain / FIRN_JSON_BLOCK_BITS;
        if (*p != '"')
            break;
        size_t len = (size_t)(p - start);
        if (not_ascii && !d->unchecked_utf8 && !firn_utf8_valid(firn_bytes_of(start, len)))
            break;
        firn_json_finish_text(column, len);
        return p + 1;
    }
    return slow_text(d, start, column);
}

/* A value that is no string, into a column of texts: its JSON. */
static const uint8_t *json_as_text(firn_json_decoding *d, const uint8_t *p,
                                   firn_avro_column *column)
{
    const uint8_t *behind = firn_json_skip(&d->scan, p, FIRN_AVRO_DEPTH_MAX - d->depth);
    if (!behind)
        return NULL;
    return append_bytes(d, behind, column, firn_bytes_of(p, (size_t)(behind - p)));
}

/* The string at `p` (its opening quote) without escapes, borrowed until the next one. */
const uint8_t *firn_json_take_string(firn_json_decoding *d, const uint8_t *p, firn_bytes *out)
{
    firn_json_raw raw;
    p = firn_json_string(&d->scan, p + 1, &raw);
    if (!p)
        return NULL;
    *out = raw.text;
    if (!raw.escaped)
        return p;
    firn_buf_clear(&d->scratch);
    uint8_t *room = firn_buf_reserve(&d->scratch, raw.text.len);
    if (!room)
        return firn_json_fail(&d->scan, p, FIRN_E_LIMIT, "a string of more than a gigabyte");
    *out = firn_bytes_of(room, firn_json_unescape(raw.text, room));
    return p;
}

/* ---- scalars ---- */

/* A whole number of any notation. */
static __attribute__((noinline)) const uint8_t *slow_whole(firn_json_decoding *d, const uint8_t *p,
                                                           const firn_json_node *node, int64_t *out)
{
    firn_json_number number;
    if (p < d->scan.end && !firn_json_is_number_start(*p))
        return firn_json_wrong_kind(d, p, node, "a whole number was expected");
    const uint8_t *behind = firn_json_number_scan(&d->scan, p, &number);
    if (!behind)
        return NULL;
    if (!firn_json_number_i64(&number, out))
        return firn_json_misfit(d, p, node, "the number is not whole, or out of range");
    return behind;
}

/* Eight digits at once: pairs, then fours, then all. `word` holds them in the order of the text. */
static inline bool eight_digits(uint64_t word, uint64_t *value)
{
    const uint64_t zeros = 0x3030303030303030;
    uint64_t digits = word - zeros;
    if (((word & 0xF0F0F0F0F0F0F0F0) ^ zeros) |
        ((digits + 0x0606060606060606) & 0xF0F0F0F0F0F0F0F0))
        return false;
    digits = digits * 10 + (digits >> 8);
    *value = ((digits & 0x000000FF000000FF) * 0x000F424000000064 +
              (digits >> 16 & 0x000000FF000000FF) * 0x0000271000000001) >>
             32;
    return true;
}

/* Up to 18 digits, with neither fraction nor exponent, are done here; the rest by slow_whole. */
static inline const uint8_t *whole(firn_json_decoding *d, const uint8_t *p,
                                   const firn_json_node *node, int64_t *out)
{
    const uint8_t *start = p, *end = d->scan.end;
    bool negative = p < end && *p == '-';
    p += negative;
    const uint8_t *digits = p;
    uint64_t value = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8) {
        uint64_t word, eight = 0;
        memcpy(&word, p, sizeof word);
        if (!eight_digits(word, &eight))
            break;
        value = value * 100000000 + eight;
        p += 8;
    }
#endif
    while (p < end && (uint8_t)(*p - '0') <= 9)
        value = value * 10 + (uint8_t)(*p++ - '0');
    int64_t count = p - digits;
    bool simple = count > 0 && count <= 18 && (*digits != '0' || count == 1) &&
                  (p == end || (*p != '.' && (*p | 0x20) != 'e'));
    if (!simple)
        return slow_whole(d, start, node, out);
    *out = negative ? -(int64_t)value : (int64_t)value;
    return p;
}

const uint8_t *firn_json_whole(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                               int64_t *out)
{
    return whole(d, p, node, out);
}

const uint8_t *firn_json_whole32(firn_json_decoding *d, const uint8_t *p,
                                 const firn_json_node *node, firn_avro_column *column)
{
    int64_t value;
    const uint8_t *behind = whole(d, p, node, &value);
    if (!behind)
        return NULL;
    if (value < INT32_MIN || value > INT32_MAX)
        return firn_json_misfit(d, p, node, "the number is out of range");
    firn_avro_store_i32(column, (int32_t)value);
    return behind;
}

/* "NaN", "Infinity", "-Infinity": what JSON has no numbers for. */
static const uint8_t *special_real(firn_json_decoding *d, const uint8_t *p,
                                   const firn_json_node *node, double *out)
{
    firn_bytes word;
    const uint8_t *behind = firn_json_take_string(d, p, &word);
    if (!behind)
        return NULL;
    if (word.len == 3 && memcmp(word.data, "NaN", 3) == 0)
        *out = NAN;
    else if (word.len == 8 && memcmp(word.data, "Infinity", 8) == 0)
        *out = INFINITY;
    else if (word.len == 9 && memcmp(word.data, "-Infinity", 9) == 0)
        *out = -INFINITY;
    else
        return firn_json_misfit(d, p, node, "a number was expected");
    return behind;
}

static const uint8_t *real(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                           double *out)
{
    firn_json_number number;
    if (p < d->scan.end && !firn_json_is_number_start(*p)) {
        if (*p == '"')
            return special_real(d, p, node, out);
        return firn_json_wrong_kind(d, p, node, "a number was expected");
    }
    const uint8_t *behind = firn_json_number_scan(&d->scan, p, &number);
    if (behind && !firn_json_number_double(&number, out))
        return firn_json_misfit(d, p, node, "the number is out of range");
    return behind;
}

static const uint8_t *real32(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                             firn_avro_column *column)
{
    double value;
    const uint8_t *behind = real(d, p, node, &value);
    if (!behind)
        return NULL;
    float single = (float)value;
    if (isinf(single) && !isinf(value))
        return firn_json_misfit(d, p, node, "the number is out of range");
    int64_t row = column->length++;
    ((float *)(void *)column->data)[row] = single;
    firn_avro_column_mark_valid(column, row);
    return behind;
}

static const uint8_t *boolean(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                              firn_avro_column *column)
{
    bool value = p < d->scan.end && *p == 't';
    const uint8_t *behind;
    if (value)
        behind = firn_json_literal(&d->scan, p, "true");
    else if (p < d->scan.end && *p == 'f')
        behind = firn_json_literal(&d->scan, p, "false");
    else
        return firn_json_wrong_kind(d, p, node, "true or false was expected");
    if (!behind)
        return NULL;
    int64_t row = column->length++;
    column->data[row >> 3] |= (uint8_t)((unsigned)value << (row & 7));
    firn_avro_column_mark_valid(column, row);
    return behind;
}

/* ---- arrays and maps ---- */

static void finish_container(firn_avro_column *column)
{
    int64_t row = column->length++;
    column->offsets[row + 1] = (int32_t)column->children[0].length;
    firn_avro_column_mark_valid(column, row);
}

/* `p` is at the opening bracket. */
static const uint8_t *list(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                           firn_avro_column *column)
{
    const uint8_t *end = d->scan.end;
    firn_avro_column *items = &column->children[0];
    if (!firn_json_enter(d, p))
        return NULL;
    p = firn_json_space(p + 1, end);
    bool more = p == end || *p != ']';
    for (int64_t i = 0; more; i++) {
        if (!firn_avro_column_reserve(d->batch, items, 1))
            return firn_json_no_room(d, p);
        p = firn_json_value(d, p, node->item, items);
        if (!p)
            return firn_json_at(d, NULL, i);
        p = firn_json_space(p, end);
        if (p == end || (*p != ',' && *p != ']'))
            return firn_json_unexpected(&d->scan, p, "a comma or a ] must stand here");
        more = *p == ',';
        if (more)
            p = firn_json_space(p + 1, end);
    }
    finish_container(column);
    d->depth--;
    return p + 1;
}

/* Entries of one map by key: finds those that a later one of the same key replaces. */
typedef struct key_set {
    const firn_avro_column *keys;
    int64_t from;
    uint32_t *slots; /* entry + 1; 0: free */
    uint32_t mask;
    uint8_t *replaced; /* by entry */
} key_set;

static uint32_t hash_key(firn_bytes key)
{
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.data[i]) * 1099511628211u;
    return (uint32_t)(hash ^ hash >> 32);
}

/* True when the entry's key was there before: the earlier entry is replaced. */
static bool add_key(key_set *set, int64_t entry)
{
    firn_bytes key = firn_avro_column_bytes(set->keys, set->from + entry);
    uint32_t at = hash_key(key) & set->mask;
    for (; set->slots[at] != 0; at = (at + 1) & set->mask) {
        int64_t other = set->slots[at] - 1;
        if (firn_bytes_cmp(firn_avro_column_bytes(set->keys, set->from + other), key) != 0)
            continue;
        set->replaced[other] = 1;
        set->slots[at] = (uint32_t)entry + 1;
        return true;
    }
    set->slots[at] = (uint32_t)entry + 1;
    return false;
}

/* Which of the last `count` entries are replaced, a byte each; NULL when none is. The caller frees it. */
static uint8_t *find_replaced(const firn_avro_column *keys, int64_t count)
{
    uint32_t slot_count = 16;
    while (slot_count < 2 * (uint64_t)count)
        slot_count *= 2;
    key_set set = {
        .keys = keys,
        .from = keys->length - count,
        .slots = firn_calloc(slot_count, sizeof *set.slots),
        .mask = slot_count - 1,
        .replaced = firn_calloc((size_t)count, 1),
    };
    bool any = false;
    for (int64_t i = 0; i < count; i++)
        any |= add_key(&set, i);
    free(set.slots);
    if (any)
        return set.replaced;
    free(set.replaced);
    return NULL;
}

/* Few keys are compared each with each, which needs no memory. */
static bool has_equal_keys(const firn_avro_column *keys, int64_t count)
{
    for (int64_t i = keys->length - count; i < keys->length; i++) {
        for (int64_t j = i + 1; j < keys->length; j++) {
            if (firn_bytes_cmp(firn_avro_column_bytes(keys, i), firn_avro_column_bytes(keys, j)) ==
                0)
                return true;
        }
    }
    return false;
}

/* The members of an object as entries, but for the replaced ones. `p` is at the opening brace. */
static const uint8_t *map_entries(firn_json_decoding *d, const uint8_t *p,
                                  const firn_json_node *node, firn_avro_column *entries,
                                  const uint8_t *replaced)
{
    const uint8_t *end = d->scan.end;
    p = firn_json_space(p + 1, end);
    bool more = p == end || *p != '}';
    for (int64_t i = 0; more; i++) {
        if (p == end || *p != '"')
            return firn_json_unexpected(&d->scan, p, "a member's name in quotes must stand here");
        if (!firn_avro_column_reserve(d->batch, entries, 1))
            return firn_json_no_room(d, p);
        bool wanted = !replaced || !replaced[i];
        firn_json_raw raw;
        p = wanted ? text(d, p + 1, &entries->children[0])
                   : firn_json_string(&d->scan, p + 1, &raw);
        if (!p || !(p = firn_json_colon(d, p)))
            return NULL;
        if (wanted) {
            p = firn_json_value(d, p, node->item, &entries->children[1]);
            entries->length++;
        } else {
            p = firn_json_skip(&d->scan, p, FIRN_AVRO_DEPTH_MAX - d->depth);
        }
        if (!p)
            return firn_json_at(d, NULL, i);
        p = firn_json_space(p, end);
        if (p == end || (*p != ',' && *p != '}'))
            return firn_json_unexpected(&d->scan, p, "a comma or a } must stand here");
        more = *p == ',';
        if (more)
            p = firn_json_space(p + 1, end);
    }
    return p + 1;
}

/* `p` is at the opening brace. Of a repeated key the last entry counts, which is known only at the end: then the object is read again. */
static const uint8_t *map(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                          firn_avro_column *column)
{
    enum { FEW_KEYS = 8 };
    firn_avro_column *entries = &column->children[0];
    int64_t from = entries->length;
    if (!firn_json_enter(d, p))
        return NULL;
    const uint8_t *behind = map_entries(d, p, node, entries, NULL);
    if (!behind)
        return NULL;
    int64_t count = entries->length - from;
    const firn_avro_column *keys = &entries->children[0];
    if (count > FEW_KEYS || has_equal_keys(keys, count)) {
        uint8_t *replaced = find_replaced(keys, count);
        if (replaced) {
            firn_avro_column_truncate(entries, from);
            behind = map_entries(d, p, node, entries, replaced);
            free(replaced);
            if (!behind)
                return NULL;
        }
    }
    finish_container(column);
    d->depth--;
    return behind;
}

/* ---- any value ---- */

static const uint8_t *container(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                                firn_avro_column *column)
{
    bool array = node->op == FIRN_JSON_LIST;
    if (p == d->scan.end || *p != (array ? '[' : '{'))
        return firn_json_wrong_kind(d, p, node,
                                    array ? "an array was expected" : "an object was expected");
    switch (node->op) {
    case FIRN_JSON_LIST: return list(d, p, node, column);
    case FIRN_JSON_MAP: return map(d, p, node, column);
    default: return firn_json_record(d, p, node, column);
    }
}

static const uint8_t *null_value(firn_json_decoding *d, const uint8_t *p,
                                 const firn_json_node *node, firn_avro_column *column)
{
    const uint8_t *behind = firn_json_literal(&d->scan, p, "null");
    if (!behind)
        return NULL;
    if (!column->nullable)
        return firn_json_misfit(d, p, node, "it is null, which the column may not be");
    firn_avro_column_append_null(column);
    return behind;
}

/* Room for the row must be there. */
const uint8_t *firn_json_value(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                               firn_avro_column *column)
{
    int64_t value;
    const uint8_t *behind;
    if (p < d->scan.end && *p == 'n')
        return null_value(d, p, node, column);
    switch (node->op) {
    case FIRN_JSON_TEXT:
        if (p < d->scan.end && *p == '"')
            return text(d, p + 1, column);
        return json_as_text(d, p, column);
    case FIRN_JSON_INT64:
        behind = whole(d, p, node, &value);
        if (behind)
            firn_avro_store_i64(column, value);
        return behind;
    case FIRN_JSON_DOUBLE: {
        double number;
        behind = real(d, p, node, &number);
        if (!behind)
            return NULL;
        int64_t row = column->length++;
        ((double *)(void *)column->data)[row] = number;
        firn_avro_column_mark_valid(column, row);
        return behind;
    }
    case FIRN_JSON_INT32: return firn_json_whole32(d, p, node, column);
    case FIRN_JSON_TIMESTAMP: return firn_json_timestamp(d, p, node, column);
    case FIRN_JSON_BOOL: return boolean(d, p, node, column);
    case FIRN_JSON_FLOAT: return real32(d, p, node, column);
    case FIRN_JSON_DECIMAL: return firn_json_decimal_value(d, p, node, column);
    case FIRN_JSON_DATE: return firn_json_date(d, p, node, column);
    case FIRN_JSON_TIME: return firn_json_time(d, p, node, column);
    case FIRN_JSON_BYTES: return firn_json_base64(d, p, node, column);
    case FIRN_JSON_FIXED:
    case FIRN_JSON_UUID: return firn_json_fixed(d, p, node, column);
    case FIRN_JSON_NOTHING: return firn_json_wrong_kind(d, p, node, "only null fits");
    default: return container(d, p, node, column);
    }
}

/* ---- public ---- */

firn_rc firn_json_decoder_new(firn_arena *arena, const firn_avro_schema *schema,
                              const firn_avro_decoder_opts *opts, firn_json_decoder **out,
                              firn_err *err)
{
    firn_json_decoder *decoder = FIRN_NEW(arena, firn_json_decoder);
    FIRN_TRY(firn_avro_decoder_new_shape(arena, schema, opts, &decoder->shape, err));
    FIRN_TRY(firn_json_plan(arena, &decoder->shape->shape, &decoder->root, err));
    decoder->wide = firn_json_is_wide();
    *out = decoder;
    return FIRN_OK;
}

const firn_avro_decoder *firn_json_decoder_shape(const firn_json_decoder *decoder)
{
    return decoder->shape;
}

void firn_json_finish(firn_json_decoding *d)
{
    if (d->scratch.data)
        firn_buf_deinit(&d->scratch);
}

firn_rc firn_json_decoder_decode(const firn_json_decoder *decoder, firn_bytes text,
                                 firn_avro_batch *batch, int64_t *unknown, firn_err *err)
{
    firn_json_decoding d;
    firn_json_begin(&d, decoder, text, batch);
    firn_avro_column *root = &batch->root;
    int64_t rows_before = root->length;
    const uint8_t *p = text.data;
    if (text.len == 0)
        p = firn_json_unexpected(&d.scan, p, "");
    else if (!firn_avro_column_reserve(batch, root, 1))
        p = firn_json_no_room(&d, p);
    if (p) {
        p = firn_json_space(p, d.scan.end);
        p = p < d.scan.end && *p == '{' ? firn_json_record(&d, p, &decoder->root, root)
                                        : container(&d, p, &decoder->root, root);
    }
    if (p) {
        p = firn_json_space(p, d.scan.end);
        if (p != d.scan.end)
            p = firn_json_unexpected(&d.scan, p, "something follows the document");
    }
    firn_json_finish(&d);
    if (unknown)
        *unknown = d.unknown;
    if (p)
        return FIRN_OK;
    firn_avro_column_truncate(root, rows_before);
    return firn_json_report(&d, err);
}
