/* Messages as JSON text: Protobuf's documented mapping, over the wire format and the descriptors.
 *
 * A message is read in two steps: its fields' values are chained by field, in the order of their arrival, in the scratch arena; then each
 * field that has any is written, in order of declaration. So fields may come in any order and as often as they like: of a scalar
 * the last counts, messages are merged (their bytes are joined), lists grow, of a oneof the last member counts.
 */
#include "proto_json.h"

#include "base/json.h"
#include "base/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct value {
    struct value *next;
    uint64_t bits; /* VARINT, I32, I64 */
    firn_bytes bytes;
    uint32_t wire;
} value;

typedef struct value_chain {
    value *first, *last;
} value_chain;

typedef struct writer {
    firn_buf *out;
    firn_arena *arena;
    const firn_proto_file *file;
    int depth;
    bool limit;
    const char *why;
} writer;

enum { SCRATCH_BYTES_MAX = 256 << 20 };

static const char *const CUT_OFF = "malformed or cut off";

static bool fail(writer *w, const char *why)
{
    w->why = why;
    return false;
}

static bool write_message(writer *w, const firn_proto_message *message, firn_bytes data);
static bool write_members(writer *w, const firn_proto_message *message, firn_bytes data,
                          const char *before);

/* ---- pieces ---- */

bool firn_proto_small_read(firn_bytes data, firn_proto_small *out)
{
    *out = (firn_proto_small){0};
    const uint8_t *pos = data.data;
    const uint8_t *end = data.data + data.len;
    while (pos < end) {
        uint32_t tag;
        uint64_t number;
        pos = firn_wire_tag(pos, end, &tag);
        if (pos && (tag & 7) == FIRN_WIRE_VARINT) {
            pos = firn_wire_varint(pos, end, &number);
            if (pos && tag >> 3 <= 4)
                out->number[tag >> 3] = (int64_t)number;
        } else if (pos) {
            pos = firn_wire_skip(pos, end, tag);
        }
        if (!pos)
            return false;
    }
    return true;
}

/* With no, 3, 6 or 9 decimals, as they are needed. */
static int print_fraction(char *out, size_t size, int64_t nanos)
{
    if (nanos == 0)
        return 0;
    if (nanos % 1000000 == 0)
        return snprintf(out, size, ".%03d", (int)(nanos / 1000000));
    if (nanos % 1000 == 0)
        return snprintf(out, size, ".%06d", (int)(nanos / 1000));
    return snprintf(out, size, ".%09d", (int)nanos);
}

bool firn_proto_duration_text(int64_t seconds, int64_t nanos, char out[static 40])
{
    static const int64_t SECONDS_MAX = 315576000000; /* ten thousand years */
    if (seconds < -SECONDS_MAX || seconds > SECONDS_MAX || nanos <= -1000000000 ||
        nanos >= 1000000000 || (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return false;
    bool minus = seconds < 0 || nanos < 0;
    int len = snprintf(out, 40, "%s%lld", minus ? "-" : "", llabs((long long)seconds));
    len += print_fraction(out + len, (size_t)(40 - len), nanos < 0 ? -nanos : nanos);
    snprintf(out + len, (size_t)(40 - len), "s");
    return true;
}

bool firn_proto_timestamp_fits(int64_t seconds, int64_t nanos)
{
    static const int64_t FIRST = -62135596800, LAST = 253402300799;
    return seconds >= FIRST && seconds <= LAST && nanos >= 0 && nanos < 1000000000;
}

const char *firn_proto_enum_name(const firn_proto_enum *enumeration, int32_t number)
{
    size_t from = 0;
    size_t to = enumeration->n_values;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const firn_proto_enum_value *candidate = &enumeration->values[middle];
        if (candidate->number == number)
            return candidate->name;
        if (candidate->number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static bool write_text(writer *w, firn_bytes text)
{
    if (!firn_utf8_valid(text))
        return fail(w, "the text is not valid UTF-8");
    firn_buf_putc(w->out, '"');
    for (size_t at = 0; at < text.len; at++) {
        size_t plain = at;
        while (plain < text.len && text.data[plain] >= 0x20 && text.data[plain] != '"' &&
               text.data[plain] != '\\')
            plain++;
        firn_buf_append(w->out, text.data + at, plain - at);
        if (plain == text.len)
            break;
        uint8_t byte = text.data[plain];
        if (byte == '"' || byte == '\\')
            firn_buf_printf(w->out, "\\%c", byte);
        else if (byte == '\n')
            firn_buf_puts(w->out, "\\n");
        else
            firn_buf_printf(w->out, "\\u%04x", byte);
        at = plain;
    }
    firn_buf_putc(w->out, '"');
    return true;
}

static void write_base64(firn_buf *out, firn_bytes bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    firn_buf_putc(out, '"');
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t here = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= here > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= here > 2 ? bytes.data[i + 2] : 0;
        for (size_t j = 0; j < 4; j++) {
            bool padding = j > here;
            firn_buf_putc(out, padding ? '=' : (uint8_t)letters[group >> (18 - 6 * j) & 63]);
        }
    }
    firn_buf_putc(out, '"');
}

/* With as few digits as name the number. */
static void write_double(firn_buf *out, double number, bool single)
{
    if (isnan(number) || isinf(number)) {
        firn_buf_puts(out, isnan(number) ? "\"NaN\""
                           : number > 0  ? "\"Infinity\""
                                         : "\"-Infinity\"");
        return;
    }
    char text[40];
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
            break;
    }
    firn_buf_puts(out, text);
}

/* ---- reading ---- */

static const firn_proto_field *find_field(const firn_proto_message *message, uint32_t number)
{
    size_t from = 0;
    size_t to = message->n_fields;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const firn_proto_field *field = message->by_number[middle];
        if (field->number == number)
            return field;
        if (field->number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Values by field; NULL with the reason set. */
static value_chain *read_fields(writer *w, const firn_proto_message *message, firn_bytes data)
{
    if (firn_arena_used_bytes(w->arena) > SCRATCH_BYTES_MAX) {
        w->limit = true;
        w->why = "too many messages within one that has no columns";
        return NULL;
    }
    w->why = CUT_OFF;
    value_chain *chains = FIRN_NEW_N(w->arena, value_chain, message->n_fields);
    value_chain **members = FIRN_NEW_N(w->arena, value_chain *, (size_t)message->n_oneofs);
    const uint8_t *pos = data.data;
    const uint8_t *end = data.data + data.len;
    while (pos < end) {
        uint32_t tag;
        uint64_t bits;
        pos = firn_wire_tag(pos, end, &tag);
        const firn_proto_field *field = pos ? find_field(message, tag >> 3) : NULL;
        if (!field || (tag & 7) == FIRN_WIRE_GROUP) {
            pos = pos ? firn_wire_skip(pos, end, tag) : NULL;
            if (!pos)
                return NULL;
            continue;
        }
        pos = firn_wire_value(pos, end, tag, &bits);
        if (!pos)
            return NULL;
        value_chain *chain = &chains[field - message->fields];
        if (field->oneof >= 0 && members[field->oneof] != chain) {
            if (members[field->oneof])
                *members[field->oneof] = (value_chain){0};
            members[field->oneof] = chain;
        }
        value *item = FIRN_NEW(w->arena, value);
        *item = (value){.bits = bits, .wire = tag & 7};
        if (item->wire == FIRN_WIRE_LEN)
            item->bytes = firn_bytes_of(pos - bits, (size_t)bits);
        *(chain->last ? &chain->last->next : &chain->first) = item;
        chain->last = item;
    }
    return chains;
}

/* The bytes of a singular message: of several occurrences all, one behind the other, which is what merging them means. */
static firn_bytes joined(writer *w, const value_chain *chain)
{
    if (!chain->first)
        return firn_bytes_of("", 0);
    if (!chain->first->next)
        return chain->first->bytes;
    size_t len = 0;
    for (const value *item = chain->first; item; item = item->next)
        len += item->bytes.len;
    uint8_t *data = firn_arena_alloc(w->arena, len);
    size_t at = 0;
    for (const value *item = chain->first; item; item = item->next) {
        if (item->bytes.len > 0)
            memcpy(data + at, item->bytes.data, item->bytes.len);
        at += item->bytes.len;
    }
    return firn_bytes_of(data, len);
}

/* ---- values ---- */

static bool write_enum(writer *w, const firn_proto_enum *enumeration, int32_t number)
{
    const char *name = firn_proto_enum_name(enumeration, number);
    if (firn_streq(enumeration->name, "google.protobuf.NullValue"))
        firn_buf_puts(w->out, "null");
    else if (name)
        firn_buf_printf(w->out, "\"%s\"", name);
    else
        firn_buf_put_i64(w->out, number);
    return true;
}

static uint32_t wire_of(firn_proto_type type)
{
    switch (type) {
    case FIRN_PROTO_DOUBLE:
    case FIRN_PROTO_FIXED64:
    case FIRN_PROTO_SFIXED64: return FIRN_WIRE_I64;
    case FIRN_PROTO_FLOAT:
    case FIRN_PROTO_FIXED32:
    case FIRN_PROTO_SFIXED32: return FIRN_WIRE_I32;
    case FIRN_PROTO_STRING:
    case FIRN_PROTO_BYTES:
    case FIRN_PROTO_MESSAGE: return FIRN_WIRE_LEN;
    default: return FIRN_WIRE_VARINT;
    }
}

static bool write_number(writer *w, const firn_proto_field *field, uint64_t bits)
{
    double real;
    float single;
    uint32_t small = (uint32_t)bits;
    switch (field->type) {
    case FIRN_PROTO_BOOL: firn_buf_puts(w->out, bits ? "true" : "false"); return true;
    case FIRN_PROTO_ENUM: return write_enum(w, field->enumeration, (int32_t)bits);
    case FIRN_PROTO_INT32:
    case FIRN_PROTO_SFIXED32: firn_buf_put_i64(w->out, (int32_t)bits); return true;
    case FIRN_PROTO_SINT32: firn_buf_put_i64(w->out, firn_wire_zigzag32(bits)); return true;
    case FIRN_PROTO_UINT32:
    case FIRN_PROTO_FIXED32: firn_buf_put_i64(w->out, small); return true;
    case FIRN_PROTO_INT64:
    case FIRN_PROTO_SFIXED64: firn_buf_printf(w->out, "\"%lld\"", (long long)bits); return true;
    case FIRN_PROTO_SINT64:
        firn_buf_printf(w->out, "\"%lld\"", (long long)firn_wire_zigzag64(bits));
        return true;
    case FIRN_PROTO_FLOAT:
        memcpy(&single, &small, sizeof single);
        write_double(w->out, (double)single, true);
        return true;
    case FIRN_PROTO_DOUBLE:
        memcpy(&real, &bits, sizeof real);
        write_double(w->out, real, false);
        return true;
    default: firn_buf_printf(w->out, "\"%llu\"", (unsigned long long)bits); return true;
    }
}

/* One value of a field: of a list an element, of a message all its bytes. */
static bool write_value(writer *w, const firn_proto_field *field, uint64_t bits, firn_bytes bytes)
{
    switch (field->type) {
    case FIRN_PROTO_MESSAGE: return write_message(w, field->message, bytes);
    case FIRN_PROTO_STRING: return write_text(w, bytes);
    case FIRN_PROTO_BYTES: write_base64(w->out, bytes); return true;
    default: return write_number(w, field, bits);
    }
}

static bool write_packed(writer *w, const firn_proto_field *field, firn_bytes run,
                         const char **before)
{
    const uint8_t *pos = run.data;
    const uint8_t *end = run.data + run.len;
    while (pos < end) {
        uint64_t bits;
        pos = firn_wire_value(pos, end, wire_of(field->type), &bits);
        if (!pos)
            return fail(w, CUT_OFF);
        firn_buf_puts(w->out, *before);
        *before = ",";
        (void)write_number(w, field, bits);
    }
    return true;
}

static bool write_list(writer *w, const firn_proto_field *field, const value *item)
{
    const char *before = "[";
    for (; item; item = item->next) {
        uint32_t wire = wire_of(field->type);
        if (item->wire == FIRN_WIRE_LEN && wire != FIRN_WIRE_LEN) {
            if (!write_packed(w, field, item->bytes, &before))
                return false;
            continue;
        }
        if (item->wire != wire)
            return fail(w, "a value of another wire type than its field's");
        firn_buf_puts(w->out, before);
        before = ",";
        if (!write_value(w, field, item->bits, item->bytes))
            return false;
    }
    firn_buf_puts(w->out, *before == '[' ? "[]" : "]");
    return true;
}

static bool write_key(writer *w, const firn_proto_field *field, const value *key)
{
    if (field->type == FIRN_PROTO_STRING)
        return write_text(w, key ? key->bytes : firn_bytes_of("", 0));
    size_t from = w->out->len;
    (void)write_number(w, field, key ? key->bits : 0);
    if (!w->out->overflow && w->out->data[from] != '"') {
        char *number =
            firn_arena_strndup(w->arena, (char *)w->out->data + from, w->out->len - from);
        w->out->len = from;
        firn_buf_printf(w->out, "\"%s\"", number);
    }
    return true;
}

static bool write_map(writer *w, const firn_proto_field *field, const value *item)
{
    /* Later entries win: they are written last, and readers keep the last of equal members. */
    const firn_proto_message *entry = field->message;
    const char *before = "{";
    for (; item; item = item->next) {
        if (item->wire != FIRN_WIRE_LEN)
            return fail(w, "a value of another wire type than its field's");
        value_chain *pair = read_fields(w, entry, item->bytes);
        if (!pair)
            return false;
        for (int i = 0; i < 2; i++) {
            if (pair[i].last && pair[i].last->wire != wire_of(entry->fields[i].type))
                return fail(w, "a value of another wire type than its field's");
        }
        firn_buf_puts(w->out, before);
        before = ",";
        if (!write_key(w, &entry->fields[0], pair[0].last))
            return false;
        firn_buf_putc(w->out, ':');
        const firn_proto_field *held = &entry->fields[1];
        firn_bytes bytes = held->message  ? joined(w, &pair[1])
                           : pair[1].last ? pair[1].last->bytes
                                          : firn_bytes_of("", 0);
        if (!write_value(w, held, pair[1].last ? pair[1].last->bits : 0, bytes))
            return false;
    }
    firn_buf_puts(w->out, *before == '{' ? "{}" : "}");
    return true;
}

static bool write_field(writer *w, const firn_proto_field *field, const value_chain *values)
{
    if (field->is_map)
        return write_map(w, field, values->first);
    if (field->repeated)
        return write_list(w, field, values->first);
    for (const value *item = values->first; item; item = item->next) {
        if (item->wire != wire_of(field->type))
            return fail(w, "a value of another wire type than its field's");
    }
    firn_bytes bytes = field->message ? joined(w, values) : values->last->bytes;
    return write_value(w, field, values->last->bits, bytes);
}

/* ---- messages ---- */

static bool write_members(writer *w, const firn_proto_message *message, firn_bytes data,
                          const char *before)
{
    value_chain *chains = read_fields(w, message, data);
    if (!chains)
        return false;
    for (size_t i = 0; i < message->n_fields; i++) {
        if (!chains[i].first)
            continue;
        firn_buf_puts(w->out, before);
        before = ",";
        firn_json_escape(w->out, message->fields[i].json_name);
        firn_buf_putc(w->out, ':');
        if (!write_field(w, &message->fields[i], &chains[i]))
            return false;
    }
    firn_buf_puts(w->out, *before == '{' ? "{}" : "}");
    return true;
}

/* The one field of a wrapper, of Struct, Value and ListValue that is set: the message is what it holds. */
static bool write_only_field(writer *w, const firn_proto_message *message, firn_bytes data,
                             const char *empty)
{
    value_chain *chains = read_fields(w, message, data);
    if (!chains)
        return false;
    for (size_t i = 0; i < message->n_fields; i++) {
        if (chains[i].first)
            return write_field(w, &message->fields[i], &chains[i]);
    }
    if (!empty)
        return write_value(w, &message->fields[0], 0, firn_bytes_of("", 0));
    firn_buf_puts(w->out, empty);
    return true;
}

static bool write_timestamp(writer *w, firn_bytes data)
{
    firn_proto_small small;
    if (!firn_proto_small_read(data, &small))
        return fail(w, CUT_OFF);
    if (!firn_proto_timestamp_fits(small.number[1], (int32_t)small.number[2]))
        return fail(w, "a Timestamp outside the years 1 to 9999");
    firn_civil civil;
    firn_civil_from_us(small.number[1] * 1000000, &civil);
    char fraction[16] = "";
    print_fraction(fraction, sizeof fraction, (int32_t)small.number[2]);
    firn_buf_printf(w->out, "\"%04d-%02d-%02dT%02d:%02d:%02d%sZ\"", civil.year, civil.month,
                    civil.day, civil.hour, civil.minute, civil.second, fraction);
    return true;
}

static bool write_duration(writer *w, firn_bytes data)
{
    firn_proto_small small;
    char text[40];
    if (!firn_proto_small_read(data, &small))
        return fail(w, CUT_OFF);
    if (!firn_proto_duration_text(small.number[1], (int32_t)small.number[2], text))
        return fail(w, "a Duration out of range");
    firn_buf_printf(w->out, "\"%s\"", text);
    return true;
}

/* "user.displayName,photo" of ["user.display_name", "photo"]. */
static bool write_field_mask(writer *w, const firn_proto_message *message, firn_bytes data)
{
    value_chain *chains = read_fields(w, message, data);
    if (!chains)
        return false;
    firn_buf joined_paths = {.max = w->out->max};
    for (const value *item = message->n_fields > 0 ? chains[0].first : NULL; item;
         item = item->next) {
        if (joined_paths.len > 0)
            firn_buf_putc(&joined_paths, ',');
        for (size_t i = 0; i < item->bytes.len; i++) {
            uint8_t byte = item->bytes.data[i];
            bool upper = byte == '_' && i + 1 < item->bytes.len && item->bytes.data[i + 1] >= 'a' &&
                         item->bytes.data[i + 1] <= 'z';
            if (upper)
                byte = (uint8_t)(item->bytes.data[++i] - 'a' + 'A');
            firn_buf_putc(&joined_paths, byte);
        }
    }
    bool fine = write_text(w, firn_buf_bytes(&joined_paths));
    firn_buf_deinit(&joined_paths);
    return fine;
}

static const firn_proto_message *any_type(const writer *w, firn_bytes url)
{
    const uint8_t *slash = url.len > 0 ? memrchr(url.data, '/', url.len) : NULL;
    if (!slash)
        return NULL;
    size_t len = url.len - (size_t)(slash + 1 - url.data);
    for (size_t i = 0; i < w->file->n_all; i++) {
        const char *name = w->file->all[i]->name;
        if (strlen(name) == len && memcmp(name, slash + 1, len) == 0)
            return w->file->all[i];
    }
    return NULL;
}

static bool write_any(writer *w, const firn_proto_message *message, firn_bytes data)
{
    value_chain *chains = read_fields(w, message, data);
    if (!chains)
        return false;
    firn_bytes url = firn_bytes_of("", 0);
    firn_bytes packed = firn_bytes_of("", 0);
    for (size_t i = 0; i < message->n_fields; i++) {
        if (chains[i].last && message->fields[i].number == 1)
            url = chains[i].last->bytes;
        if (chains[i].last && message->fields[i].number == 2)
            packed = chains[i].last->bytes;
    }
    firn_buf_puts(w->out, "{\"@type\":");
    if (!write_text(w, url))
        return false;
    const firn_proto_message *type = any_type(w, url);
    if (type && type->well_known == FIRN_PROTO_PLAIN) {
        size_t before = w->out->len;
        if (!write_members(w, type, packed, "{"))
            return false;
        if (!w->out->overflow) {
            /* "{}" adds nothing; otherwise the members go on after "@type". */
            bool none = w->out->len - before == 2;
            w->out->data[before] = none ? '}' : ',';
            w->out->len -= none;
        }
        return true;
    }
    firn_buf_puts(w->out, ",\"value\":");
    if (type) {
        if (!write_message(w, type, packed))
            return false;
    } else {
        write_base64(w->out, packed);
    }
    firn_buf_putc(w->out, '}');
    return true;
}

static bool write_message(writer *w, const firn_proto_message *message, firn_bytes data)
{
    if (w->depth == FIRN_WIRE_DEPTH_MAX || w->out->overflow) {
        w->limit = true;
        return fail(w,
                    w->out->overflow ? "its JSON text is too large" : "messages nested too deep");
    }
    w->depth++;
    bool fine = false;
    switch (message->well_known) {
    case FIRN_PROTO_TIMESTAMP: fine = write_timestamp(w, data); break;
    case FIRN_PROTO_DURATION: fine = write_duration(w, data); break;
    case FIRN_PROTO_WRAPPER: fine = write_only_field(w, message, data, NULL); break;
    case FIRN_PROTO_STRUCT: fine = write_only_field(w, message, data, "{}"); break;
    case FIRN_PROTO_VALUE: fine = write_only_field(w, message, data, "null"); break;
    case FIRN_PROTO_LIST_VALUE: fine = write_only_field(w, message, data, "[]"); break;
    case FIRN_PROTO_ANY: fine = write_any(w, message, data); break;
    case FIRN_PROTO_FIELD_MASK: fine = write_field_mask(w, message, data); break;
    default: fine = write_members(w, message, data, "{"); break;
    }
    w->depth--;
    return fine;
}

const char *firn_proto_json(firn_buf *out, firn_arena *scratch, const firn_proto_message *message,
                            firn_bytes data, bool *limit)
{
    writer w = {.out = out, .arena = scratch, .file = message->file};
    bool fine = write_message(&w, message, data);
    if (fine && out->overflow) {
        w.limit = true;
        fine = fail(&w, "its JSON text is too large");
    }
    *limit = w.limit;
    return fine ? NULL : w.why;
}
