/* Arrow arrays into DuckDB vectors.
 *
 * A reader is compiled once per schema; it reads any range of rows, a vector at a time. Numbers are copied, strings and binaries are
 * not: DuckDB's string_t points into Arrow's buffers, which outlive the query.
 *
 *   - Every array has an offset of its own. A struct's offset counts for its children, too; those of lists come on top of what the
 *     list's offsets say.
 *   - Arrow's validity bitmap and DuckDB's have the same layout. A null struct may have valid children in Arrow; DuckDB reads children
 *     without asking the parent, so the parent's nulls are put into the children (`outer`).
 *   - Rows may be picked one by one: then nothing is consecutive, not even the items of lists that are.
 *   - Values under a null are never looked at: they may be anything.
 *   - What does not fit is TYPE with the column's path: never a wrong value.
 */
#include "rows_batch.h"

#include "base/uuid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BITS = 64 };
#define ALL_VALID      UINT64_MAX
#define DAY_MS         INT64_C(86400000)
#define DAY_US         INT64_C(86400000000)
#define UUID_SIGN_FLIP (UINT64_C(1) << 63)

typedef enum read_kind {
    READ_NULL,
    READ_BOOL,
    READ_I8,
    READ_U8,
    READ_I16,
    READ_U16,
    READ_U32,
    READ_U64,
    READ_4, /* as it is: 4 bytes */
    READ_8,
    READ_TIMES, /* int64 times `factor` */
    READ_PART,  /* int64 by `factor`, rounded down */
    READ_DAYS,  /* milliseconds */
    READ_TIME_32,
    READ_TIME_64,
    READ_DECIMAL,
    READ_TEXT_32, /* offsets of 32 bits */
    READ_TEXT_64,
    READ_FIXED,
    READ_UUID,
    READ_UUID_TEXT_32,
    READ_UUID_TEXT_64,
    READ_STRUCT,
    READ_LIST_32,
    READ_LIST_64,
    READ_LIST_FIXED,
    READ_MAP,
} read_kind;

struct firn_arrow_reader {
    read_kind kind;
    int64_t factor; /* of units; bytes of a decimal or fixed value; length of a fixed list */
    bool divides;   /* READ_TIME_*: by factor, else times */
    int precision;
    const char *path;
    size_t source; /* which child of its parent's array */
    firn_arrow_reader *children;
    size_t n_children;
};

/* Which rows of an array, its offset included: `at` and those behind it, or at + pick[0], at + pick[1], ... */
typedef struct span {
    int64_t at;
    idx_t count;
    const uint32_t *pick; /* NULL: consecutive */
} span;

static inline int64_t row_of(const span *rows, idx_t i)
{
    return rows->at + (int64_t)(rows->pick != NULL ? rows->pick[i] : i);
}

/* ---- compiling --------------------------------------------------------------------------------------- */

static void compile_units(firn_arrow_reader *r, char unit, read_kind times, read_kind part)
{
    switch (unit) {
    case 's': r->factor = 1000000; break;
    case 'm': r->factor = 1000; break;
    case 'n':
        r->factor = 1000;
        r->divides = true;
        break;
    default: r->factor = 1; break;
    }
    r->kind = r->divides ? part : times;
}

static void compile_temporal(firn_arrow_reader *r, const char *format, const firn_type *type)
{
    if (format[1] == 'd') {
        r->kind = format[2] == 'D' ? READ_4 : READ_DAYS;
    } else if (format[1] == 't') {
        bool narrow = format[2] == 's' || format[2] == 'm';
        compile_units(r, format[2], READ_TIME_64, READ_TIME_64);
        r->kind = narrow ? READ_TIME_32 : READ_TIME_64;
    } else if (format[2] == 'u' || type->id == FIRN_TYPE_TIMESTAMP_NS) {
        r->kind = READ_8;
    } else {
        compile_units(r, format[2], READ_TIMES, READ_PART);
    }
}

static void compile_decimal(firn_arrow_reader *r, const char *format, const firn_type *type)
{
    int bits = 128;
    if (sscanf(format, "d:%*d,%*d,%d", &bits) != 1) {
        bits = 128;
    }
    r->kind = READ_DECIMAL;
    r->factor = bits / 8;
    r->precision = type->precision;
}

static void compile_scalar(firn_arrow_reader *r, const struct ArrowSchema *arrow,
                           const firn_type *type)
{
    const char *format = arrow->format;
    bool uuid = type->id == FIRN_TYPE_UUID;
    switch (format[0]) {
    case 'n': r->kind = READ_NULL; break;
    case 'b': r->kind = READ_BOOL; break;
    case 'c': r->kind = READ_I8; break;
    case 'C': r->kind = READ_U8; break;
    case 's': r->kind = READ_I16; break;
    case 'S': r->kind = READ_U16; break;
    case 'I': r->kind = READ_U32; break;
    case 'L': r->kind = READ_U64; break;
    case 'i':
    case 'f': r->kind = READ_4; break;
    case 'u': r->kind = uuid ? READ_UUID_TEXT_32 : READ_TEXT_32; break;
    case 'U': r->kind = uuid ? READ_UUID_TEXT_64 : READ_TEXT_64; break;
    case 'z': r->kind = READ_TEXT_32; break;
    case 'Z': r->kind = READ_TEXT_64; break;
    case 'w':
        r->kind = uuid ? READ_UUID : READ_FIXED;
        (void)firn_parse_i64(format + 2, &r->factor);
        break;
    case 'd': compile_decimal(r, format, type); break;
    case 't': compile_temporal(r, format, type); break;
    default: r->kind = READ_8; break; /* l, g */
    }
}

static size_t child_index(const struct ArrowSchema *arrow, const char *name)
{
    for (int64_t i = 0; i < arrow->n_children; i++) {
        if (firn_streq(arrow->children[i]->name, name)) {
            return (size_t)i;
        }
    }
    return 0;
}

static void compile(firn_arena *arena, firn_arrow_reader *r, const struct ArrowSchema *arrow,
                    const firn_type *type, const char *path)
{
    const char *format = arrow->format;
    r->path = path;
    if (!firn_type_is_nested(type)) {
        compile_scalar(r, arrow, type);
        return;
    }
    const struct ArrowSchema *parent = type->id == FIRN_TYPE_MAP ? arrow->children[0] : arrow;
    r->kind = format[1] == 's'   ? READ_STRUCT
              : format[1] == 'm' ? READ_MAP
              : format[1] == 'l' ? READ_LIST_32
              : format[1] == 'L' ? READ_LIST_64
                                 : READ_LIST_FIXED;
    if (r->kind == READ_LIST_FIXED) {
        (void)firn_parse_i64(format + 3, &r->factor);
    }
    r->n_children = type->n_fields;
    r->children = FIRN_NEW_N(arena, firn_arrow_reader, type->n_fields);
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        firn_arrow_reader *child = &r->children[i];
        child->source = type->id == FIRN_TYPE_STRUCT ? child_index(arrow, field->name) : i;
        compile(arena, child, parent->children[child->source], field->type,
                path[0] != '\0' ? firn_arena_printf(arena, "%s.%s", path, field->name)
                                : field->name);
    }
}

const firn_arrow_reader *firn_arrow_reader_new(firn_arena *arena, const struct ArrowSchema *arrow,
                                               const firn_type *type)
{
    firn_arrow_reader *reader = FIRN_NEW(arena, firn_arrow_reader);
    compile(arena, reader, arrow, type, "");
    return reader;
}

const firn_arrow_reader *firn_arrow_reader_column(const firn_arrow_reader *reader, size_t column)
{
    return &reader->children[column];
}

/* ---- validity ---------------------------------------------------------------------------------------- */

/* Up to 64 bits from a bit position; what is beyond `n` is set. */
static uint64_t bits_at(const uint8_t *bits, int64_t at, idx_t n)
{
    unsigned shift = (unsigned)(at & 7);
    size_t bytes = (size_t)((shift + n + 7) / 8);
    uint64_t word = 0;
    memcpy(&word, bits + at / 8, bytes < sizeof(word) ? bytes : sizeof(word));
    word >>= shift;
    if (bytes > sizeof(word)) {
        word |= (uint64_t)bits[at / 8 + 8] << (BITS - shift);
    }
    return n < BITS ? word | (ALL_VALID << n) : word;
}

/* The same of rows that are picked. */
static uint64_t picked_bits(const uint8_t *bits, const span *rows, idx_t from, idx_t n)
{
    uint64_t word = n < BITS ? ALL_VALID << n : 0;
    for (idx_t i = 0; i < n; i++) {
        int64_t row = row_of(rows, from + i);
        word |= (uint64_t)(bits[row / 8] >> (row % 8) & 1) << i;
    }
    return word;
}

/* Which rows have a value, both in the array and in what is around it; NULL: all. */
static const uint64_t *read_validity(const struct ArrowArray *array, const span *rows,
                                     const uint64_t *outer, duckdb_vector out)
{
    const uint8_t *bits = array->null_count != 0 && array->n_buffers > 0 ? array->buffers[0] : NULL;
    uint64_t *mask = NULL;
    if (bits == NULL && outer == NULL) {
        return NULL;
    }
    for (idx_t i = 0; i < rows->count; i += BITS) {
        idx_t n = rows->count - i < BITS ? rows->count - i : BITS;
        uint64_t word = bits == NULL         ? ALL_VALID
                        : rows->pick == NULL ? bits_at(bits, rows->at + (int64_t)i, n)
                                             : picked_bits(bits, rows, i, n);
        word &= outer != NULL ? outer[i / BITS] : ALL_VALID;
        if (mask == NULL && word != ALL_VALID) {
            duckdb_vector_ensure_validity_writable(out); /* all valid so far */
            mask = duckdb_vector_get_validity(out);
        }
        if (mask != NULL) {
            mask[i / BITS] = word;
        }
    }
    return mask;
}

static bool is_valid(const uint64_t *mask, idx_t row)
{
    return mask == NULL || (mask[row / BITS] >> (row % BITS) & 1) != 0;
}

static void read_nulls(idx_t count, duckdb_vector out)
{
    duckdb_vector_ensure_validity_writable(out);
    memset(duckdb_vector_get_validity(out), 0, (count + BITS - 1) / BITS * sizeof(uint64_t));
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

static void read_words(const void *data, const span *rows, void *out)
{
    if (rows->pick == NULL) {
        memcpy(out, (const int32_t *)data + rows->at, rows->count * sizeof(int32_t));
        return;
    }
    for (idx_t i = 0; i < rows->count; i++) {
        ((int32_t *)out)[i] = ((const int32_t *)data)[row_of(rows, i)];
    }
}

static void read_double_words(const void *data, const span *rows, void *out)
{
    if (rows->pick == NULL) {
        memcpy(out, (const int64_t *)data + rows->at, rows->count * sizeof(int64_t));
        return;
    }
    for (idx_t i = 0; i < rows->count; i++) {
        ((int64_t *)out)[i] = ((const int64_t *)data)[row_of(rows, i)];
    }
}

static void read_integers(const firn_arrow_reader *r, const void *data, const span *rows, void *out)
{
    for (idx_t i = 0; i < rows->count; i++) {
        int64_t row = row_of(rows, i);
        switch (r->kind) {
        case READ_I8: ((int32_t *)out)[i] = ((const int8_t *)data)[row]; break;
        case READ_U8: ((int32_t *)out)[i] = ((const uint8_t *)data)[row]; break;
        case READ_I16: ((int32_t *)out)[i] = ((const int16_t *)data)[row]; break;
        case READ_U16: ((int32_t *)out)[i] = ((const uint16_t *)data)[row]; break;
        case READ_U32: ((int64_t *)out)[i] = ((const uint32_t *)data)[row]; break;
        case READ_U64:
            ((duckdb_hugeint *)out)[i] = (duckdb_hugeint){.lower = ((const uint64_t *)data)[row]};
            break;
        default: ((bool *)out)[i] = ((const uint8_t *)data)[row / 8] >> (row % 8) & 1; break;
        }
    }
}

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static firn_rc read_timestamps(const firn_arrow_reader *r, const int64_t *data, const span *rows,
                               const uint64_t *mask, int64_t *out, firn_err *err)
{
    for (idx_t i = 0; i < rows->count; i++) {
        out[i] = 0;
        if (!is_valid(mask, i)) {
            continue;
        }
        int64_t value = data[row_of(rows, i)];
        if (r->kind == READ_PART) {
            out[i] = floor_div(value, r->factor);
        } else if (__builtin_mul_overflow(value, r->factor, &out[i])) {
            FIRN_FAIL(err, FIRN_E_TYPE,
                      "column %s: the timestamp %" PRId64 " is beyond what microseconds can say",
                      r->path, value);
        }
    }
    return FIRN_OK;
}

static firn_rc read_days(const firn_arrow_reader *r, const int64_t *data, const span *rows,
                         const uint64_t *mask, int32_t *out, firn_err *err)
{
    for (idx_t i = 0; i < rows->count; i++) {
        int64_t value = is_valid(mask, i) ? data[row_of(rows, i)] : 0;
        int64_t days = floor_div(value, DAY_MS);
        out[i] = (int32_t)days;
        if (out[i] != days) {
            FIRN_FAIL(err, FIRN_E_TYPE, "column %s: the date of %" PRId64 " ms is out of range",
                      r->path, value);
        }
    }
    return FIRN_OK;
}

static firn_rc read_times(const firn_arrow_reader *r, const void *data, const span *rows,
                          const uint64_t *mask, int64_t *out, firn_err *err)
{
    for (idx_t i = 0; i < rows->count; i++) {
        int64_t row = row_of(rows, i);
        int64_t value =
            r->kind == READ_TIME_32 ? ((const int32_t *)data)[row] : ((const int64_t *)data)[row];
        out[i] = 0;
        if (!is_valid(mask, i)) {
            continue;
        }
        bool over = false;
        if (r->divides) {
            out[i] = floor_div(value, r->factor);
        } else {
            over = __builtin_mul_overflow(value, r->factor, &out[i]);
        }
        if (over || out[i] < 0 || out[i] >= DAY_US) {
            FIRN_FAIL(err, FIRN_E_TYPE, "column %s: %" PRId64 " is no time of day", r->path, value);
        }
    }
    return FIRN_OK;
}

static __int128 decimal_at(const void *data, int64_t row, int64_t bytes)
{
    __int128 wide;
    switch (bytes) {
    case 4: return ((const int32_t *)data)[row];
    case 8: return ((const int64_t *)data)[row];
    default: memcpy(&wide, (const uint8_t *)data + row * 16, sizeof(wide)); return wide;
    }
}

static void put_decimal(void *out, idx_t row, int precision, __int128 value)
{
    if (precision <= 4) {
        ((int16_t *)out)[row] = (int16_t)value;
    } else if (precision <= 9) {
        ((int32_t *)out)[row] = (int32_t)value;
    } else if (precision <= 18) {
        ((int64_t *)out)[row] = (int64_t)value;
    } else {
        ((duckdb_hugeint *)out)[row] =
            (duckdb_hugeint){.lower = (uint64_t)value, .upper = (int64_t)(value >> 64)};
    }
}

static firn_rc read_decimals(const firn_arrow_reader *r, const void *data, const span *rows,
                             const uint64_t *mask, void *out, firn_err *err)
{
    __int128 limit = 1;
    for (int i = 0; i < r->precision; i++) {
        limit *= 10;
    }
    for (idx_t i = 0; i < rows->count; i++) {
        bool valid = is_valid(mask, i);
        __int128 value = valid ? decimal_at(data, row_of(rows, i), r->factor) : 0;
        if (value >= limit || value <= -limit) {
            FIRN_FAIL(err, FIRN_E_TYPE,
                      "column %s: a decimal has more than the %d digits of its type", r->path,
                      r->precision);
        }
        put_decimal(out, i, r->precision, value);
    }
    return FIRN_OK;
}

/* ---- text -------------------------------------------------------------------------------------------- */

static void put_text(duckdb_string_t *out, const uint8_t *data, size_t len)
{
    *out = (duckdb_string_t){0};
    out->value.inlined.length = (uint32_t)len;
    if (len <= sizeof(out->value.inlined.inlined)) {
        memcpy(out->value.inlined.inlined, data, len);
    } else {
        memcpy(out->value.pointer.prefix, data, sizeof(out->value.pointer.prefix));
        out->value.pointer.ptr = (char *)data;
    }
}

/* Bytes of a row of an array with offsets. */
static firn_bytes text_at(const struct ArrowArray *array, bool wide, int64_t row)
{
    const uint8_t *data = array->buffers[2];
    int64_t from = wide ? ((const int64_t *)array->buffers[1])[row]
                        : ((const int32_t *)array->buffers[1])[row];
    int64_t to = wide ? ((const int64_t *)array->buffers[1])[row + 1]
                      : ((const int32_t *)array->buffers[1])[row + 1];
    return firn_bytes_of(to > from ? data + from : (const uint8_t *)"", (size_t)(to - from));
}

static firn_rc read_texts(const firn_arrow_reader *r, const struct ArrowArray *array,
                          const span *rows, const uint64_t *mask, duckdb_string_t *out,
                          firn_err *err)
{
    bool wide = r->kind == READ_TEXT_64;
    for (idx_t i = 0; i < rows->count; i++) {
        firn_bytes text =
            is_valid(mask, i) ? text_at(array, wide, row_of(rows, i)) : firn_bytes_str("");
        if (text.len > UINT32_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "column %s: a value has more than 4 GB", r->path);
        }
        put_text(&out[i], text.data, text.len);
    }
    return FIRN_OK;
}

static void read_fixed(const firn_arrow_reader *r, const uint8_t *data, const span *rows,
                       const uint64_t *mask, duckdb_string_t *out)
{
    for (idx_t i = 0; i < rows->count; i++) {
        if (is_valid(mask, i)) {
            put_text(&out[i], data + row_of(rows, i) * r->factor, (size_t)r->factor);
        } else {
            out[i] = (duckdb_string_t){0};
        }
    }
}

/* DuckDB keeps UUIDs as integers with the top bit flipped, so that they sort. */
static duckdb_hugeint uuid_value(const uint8_t uuid[16])
{
    uint64_t upper, lower;
    memcpy(&upper, uuid, sizeof(upper));
    memcpy(&lower, uuid + sizeof(upper), sizeof(lower));
    return (duckdb_hugeint){.lower = __builtin_bswap64(lower),
                            .upper = (int64_t)(__builtin_bswap64(upper) ^ UUID_SIGN_FLIP)};
}

static void read_uuids(const uint8_t *data, const span *rows, const uint64_t *mask,
                       duckdb_hugeint *out)
{
    for (idx_t i = 0; i < rows->count; i++) {
        out[i] = is_valid(mask, i) ? uuid_value(data + row_of(rows, i) * 16) : (duckdb_hugeint){0};
    }
}

static firn_rc read_uuid_texts(const firn_arrow_reader *r, const struct ArrowArray *array,
                               const span *rows, const uint64_t *mask, duckdb_hugeint *out,
                               firn_err *err)
{
    bool wide = r->kind == READ_UUID_TEXT_64;
    for (idx_t i = 0; i < rows->count; i++) {
        char text[FIRN_UUID_TEXT_BYTES] = {0};
        uint8_t uuid[16];
        out[i] = (duckdb_hugeint){0};
        if (!is_valid(mask, i)) {
            continue;
        }
        firn_bytes given = text_at(array, wide, row_of(rows, i));
        memcpy(text, given.data, given.len < sizeof(text) ? given.len : sizeof(text) - 1);
        if (given.len != sizeof(text) - 1 || !firn_uuid_parse(text, uuid)) {
            FIRN_FAIL(err, FIRN_E_TYPE, "column %s: \"%.40s%s\" is no UUID", r->path, text,
                      given.len >= sizeof(text) ? "..." : "");
        }
        out[i] = uuid_value(uuid);
    }
    return FIRN_OK;
}

/* ---- nested ------------------------------------------------------------------------------------------ */

static firn_rc read_array(const firn_arrow_reader *r, const struct ArrowArray *array, span rows,
                          const uint64_t *outer, duckdb_vector out, firn_err *err);

static int64_t list_offset(const firn_arrow_reader *r, const struct ArrowArray *array, int64_t row)
{
    switch (r->kind) {
    case READ_LIST_FIXED: return row * r->factor;
    case READ_LIST_64: return ((const int64_t *)array->buffers[1])[row];
    default: return ((const int32_t *)array->buffers[1])[row];
    }
}

static firn_rc read_entries(const firn_arrow_reader *r, const struct ArrowArray *entries,
                            span items, duckdb_vector out, firn_err *err)
{
    duckdb_vector keys = duckdb_struct_vector_get_child(out, 0);
    duckdb_vector values = duckdb_struct_vector_get_child(out, 1);
    items.at += entries->offset;
    FIRN_TRY(read_array(&r->children[0], entries->children[0], items, NULL, keys, err));
    for (idx_t i = 0; i < items.count; i++) {
        if (firn_duck_is_null(keys, i)) {
            FIRN_FAIL(err, FIRN_E_TYPE, "column %s: a map has a key that is null", r->path);
        }
    }
    return read_array(&r->children[1], entries->children[1], items, NULL, values, err);
}

/* Where each list lies among the items that are read; gives their number. */
static idx_t place_lists(const firn_arrow_reader *r, const struct ArrowArray *array,
                         const span *rows, duckdb_list_entry *lists)
{
    idx_t total = 0;
    for (idx_t i = 0; i < rows->count; i++) {
        int64_t row = row_of(rows, i);
        int64_t n = list_offset(r, array, row + 1) - list_offset(r, array, row);
        lists[i] = (duckdb_list_entry){.offset = total, .length = (uint64_t)n};
        total += (idx_t)n;
    }
    return total;
}

/* The items of lists that were picked, behind the first one's. `pick` is freed by the caller. */
static firn_rc pick_items(const firn_arrow_reader *r, const struct ArrowArray *array,
                          const span *rows, span *items, uint32_t **pick, firn_err *err)
{
    *pick = firn_calloc(items->count > 0 ? items->count : 1, sizeof(**pick));
    items->pick = *pick;
    items->at = 0;
    idx_t n = 0;
    for (idx_t i = 0; i < rows->count; i++) {
        int64_t row = row_of(rows, i);
        int64_t end = list_offset(r, array, row + 1);
        if (end > UINT32_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "column %s: lists have more than %" PRIu32 " items",
                      r->path, UINT32_MAX);
        }
        for (int64_t at = list_offset(r, array, row); at < end; at++) {
            (*pick)[n++] = (uint32_t)at;
        }
    }
    return FIRN_OK;
}

static firn_rc read_lists(const firn_arrow_reader *r, const struct ArrowArray *array,
                          const span *rows, duckdb_vector out, firn_err *err)
{
    uint32_t *pick = NULL;
    span items = {.count = place_lists(r, array, rows, duckdb_vector_get_data(out))};
    if (duckdb_list_vector_reserve(out, items.count) != DuckDBSuccess ||
        duckdb_list_vector_set_size(out, items.count) != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_MEMORY,
                  "column %s: DuckDB has no memory for lists of %" PRIu64 " items", r->path,
                  (uint64_t)items.count);
    }
    firn_rc rc = FIRN_OK;
    if (rows->pick != NULL) {
        rc = pick_items(r, array, rows, &items, &pick, err);
    } else if (rows->count > 0) {
        items.at = list_offset(r, array, rows->at);
    }
    duckdb_vector vector = duckdb_list_vector_get_child(out);
    if (rc == FIRN_OK) {
        rc = r->kind == READ_MAP
                 ? read_entries(r, array->children[0], items, vector, err)
                 : read_array(&r->children[0], array->children[0], items, NULL, vector, err);
    }
    free(pick);
    return rc;
}

static firn_rc read_struct(const firn_arrow_reader *r, const struct ArrowArray *array, span rows,
                           const uint64_t *mask, duckdb_vector out, firn_err *err)
{
    for (size_t i = 0; i < r->n_children; i++) {
        const firn_arrow_reader *child = &r->children[i];
        FIRN_TRY(read_array(child, array->children[child->source], rows, mask,
                            duckdb_struct_vector_get_child(out, i), err));
    }
    return FIRN_OK;
}

/* ---- all of them ------------------------------------------------------------------------------------- */

static firn_rc read_values(const firn_arrow_reader *r, const struct ArrowArray *array,
                           const span *rows, const uint64_t *mask, void *out, firn_err *err)
{
    const void *data = array->buffers[1];
    switch (r->kind) {
    case READ_4: read_words(data, rows, out); return FIRN_OK;
    case READ_8: read_double_words(data, rows, out); return FIRN_OK;
    case READ_TIMES:
    case READ_PART: return read_timestamps(r, data, rows, mask, out, err);
    case READ_DAYS: return read_days(r, data, rows, mask, out, err);
    case READ_TIME_32:
    case READ_TIME_64: return read_times(r, data, rows, mask, out, err);
    case READ_DECIMAL: return read_decimals(r, data, rows, mask, out, err);
    case READ_TEXT_32:
    case READ_TEXT_64: return read_texts(r, array, rows, mask, out, err);
    case READ_FIXED: read_fixed(r, data, rows, mask, out); return FIRN_OK;
    case READ_UUID: read_uuids(data, rows, mask, out); return FIRN_OK;
    case READ_UUID_TEXT_32:
    case READ_UUID_TEXT_64: return read_uuid_texts(r, array, rows, mask, out, err);
    default: read_integers(r, data, rows, out); return FIRN_OK;
    }
}

/* Rows behind the array's own offset. */
static firn_rc read_array(const firn_arrow_reader *r, const struct ArrowArray *array, span rows,
                          const uint64_t *outer, duckdb_vector out, firn_err *err)
{
    rows.at += array->offset;
    if (r->kind == READ_NULL) {
        read_nulls(rows.count, out);
        return FIRN_OK;
    }
    const uint64_t *mask = read_validity(array, &rows, outer, out);
    if (r->kind == READ_STRUCT) {
        return read_struct(r, array, rows, mask, out, err);
    }
    if (r->kind > READ_STRUCT) {
        return read_lists(r, array, &rows, out, err);
    }
    return rows.count == 0 ? FIRN_OK
                           : read_values(r, array, &rows, mask, duckdb_vector_get_data(out), err);
}

firn_rc firn_arrow_read(const firn_arrow_reader *column, const struct ArrowArray *rows,
                        const uint32_t *pick, int64_t from, idx_t count, duckdb_vector out,
                        firn_err *err)
{
    span wanted = {.at = rows->offset, .count = count};
    if (pick != NULL) {
        wanted.pick = pick + from;
    } else {
        wanted.at += from;
    }
    return read_array(column, rows->children[column->source], wanted, NULL, out, err);
}
