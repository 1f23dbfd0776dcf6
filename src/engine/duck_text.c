/* Values of DuckDB's vectors as text, exactly as CAST AS VARCHAR prints them, and as JSON. A cast in SQL costs ten times as much
 * as fetching, and its nested text is no JSON; duck_text_test.c holds both against DuckDB's own.
 */
#include "duck.h"

#include "base/time.h"

#include <ctype.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- types ------------------------------------------------------------------------------------------ */

static const char *const TYPE_NAMES[] = {
    [DUCKDB_TYPE_BOOLEAN] = "BOOLEAN",
    [DUCKDB_TYPE_TINYINT] = "TINYINT",
    [DUCKDB_TYPE_SMALLINT] = "SMALLINT",
    [DUCKDB_TYPE_INTEGER] = "INTEGER",
    [DUCKDB_TYPE_BIGINT] = "BIGINT",
    [DUCKDB_TYPE_UTINYINT] = "UTINYINT",
    [DUCKDB_TYPE_USMALLINT] = "USMALLINT",
    [DUCKDB_TYPE_UINTEGER] = "UINTEGER",
    [DUCKDB_TYPE_UBIGINT] = "UBIGINT",
    [DUCKDB_TYPE_HUGEINT] = "HUGEINT",
    [DUCKDB_TYPE_UHUGEINT] = "UHUGEINT",
    [DUCKDB_TYPE_FLOAT] = "FLOAT",
    [DUCKDB_TYPE_DOUBLE] = "DOUBLE",
    [DUCKDB_TYPE_DATE] = "DATE",
    [DUCKDB_TYPE_TIME] = "TIME",
    [DUCKDB_TYPE_TIME_TZ] = "TIME WITH TIME ZONE",
    [DUCKDB_TYPE_TIME_NS] = "TIME_NS",
    [DUCKDB_TYPE_TIMESTAMP] = "TIMESTAMP",
    [DUCKDB_TYPE_TIMESTAMP_S] = "TIMESTAMP_S",
    [DUCKDB_TYPE_TIMESTAMP_MS] = "TIMESTAMP_MS",
    [DUCKDB_TYPE_TIMESTAMP_NS] = "TIMESTAMP_NS",
    [DUCKDB_TYPE_TIMESTAMP_TZ] = "TIMESTAMP WITH TIME ZONE",
    [DUCKDB_TYPE_INTERVAL] = "INTERVAL",
    [DUCKDB_TYPE_VARCHAR] = "VARCHAR",
    [DUCKDB_TYPE_BLOB] = "BLOB",
    [DUCKDB_TYPE_BIT] = "BIT",
    [DUCKDB_TYPE_UUID] = "UUID",
    [DUCKDB_TYPE_BIGNUM] = "BIGNUM",
    [DUCKDB_TYPE_SQLNULL] = "\"NULL\"",
};

/* Takes the child type over. */
static bool child_of(firn_arena *arena, duckdb_logical_type child, firn_duck_type *out)
{
    bool ok = firn_duck_type_of(arena, child, out);
    duckdb_destroy_logical_type(&child);
    return ok;
}

/* Takes DuckDB's string over. */
static const char *name_of(firn_arena *arena, char *name)
{
    const char *copy = firn_arena_strdup(arena, name != NULL ? name : "");
    duckdb_free(name);
    return copy;
}

static void new_children(firn_arena *arena, firn_duck_type *out, size_t n)
{
    out->children = FIRN_NEW_N(arena, firn_duck_type, n);
    out->names = FIRN_NEW_N(arena, const char *, n);
    out->n_children = n;
}

static bool struct_type(firn_arena *arena, duckdb_logical_type type, firn_duck_type *out)
{
    bool is_union = out->id == DUCKDB_TYPE_UNION;
    bool ok = true;
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_buf_puts(&text, is_union ? "UNION(" : "STRUCT(");
    new_children(arena, out,
                 is_union ? duckdb_union_type_member_count(type)
                          : duckdb_struct_type_child_count(type));
    for (size_t i = 0; i < out->n_children; i++) {
        out->names[i] = name_of(arena, is_union ? duckdb_union_type_member_name(type, i)
                                                : duckdb_struct_type_child_name(type, i));
        ok = child_of(arena,
                      is_union ? duckdb_union_type_member_type(type, i)
                               : duckdb_struct_type_child_type(type, i),
                      &out->children[i]) &&
             ok;
        firn_buf_printf(&text, "%s%s%s%s", i > 0 ? ", " : "",
                        out->names[i][0] != '\0' ? firn_sql_ident(arena, out->names[i]) : "",
                        out->names[i][0] != '\0' ? " " : "", out->children[i].text);
    }
    firn_buf_putc(&text, ')');
    out->text = firn_arena_strdup(arena, firn_buf_cstr(&text));
    return ok;
}

static bool list_type(firn_arena *arena, duckdb_logical_type type, firn_duck_type *out)
{
    new_children(arena, out, out->id == DUCKDB_TYPE_MAP ? 2 : 1);
    bool ok;
    if (out->id == DUCKDB_TYPE_MAP) {
        ok = child_of(arena, duckdb_map_type_key_type(type), &out->children[0]);
        ok = child_of(arena, duckdb_map_type_value_type(type), &out->children[1]) && ok;
        out->text =
            firn_arena_printf(arena, "MAP(%s, %s)", out->children[0].text, out->children[1].text);
    } else if (out->id == DUCKDB_TYPE_ARRAY) {
        out->array_len = duckdb_array_type_array_size(type);
        ok = child_of(arena, duckdb_array_type_child_type(type), &out->children[0]);
        out->text =
            firn_arena_printf(arena, "%s[%" PRIu64 "]", out->children[0].text, out->array_len);
    } else {
        ok = child_of(arena, duckdb_list_type_child_type(type), &out->children[0]);
        out->text = firn_arena_printf(arena, "%s[]", out->children[0].text);
    }
    return ok;
}

static void enum_type(firn_arena *arena, duckdb_logical_type type, firn_duck_type *out)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    out->storage = duckdb_enum_internal_type(type);
    out->n_children = duckdb_enum_dictionary_size(type);
    out->names = FIRN_NEW_N(arena, const char *, out->n_children);
    for (size_t i = 0; i < out->n_children; i++) {
        out->names[i] = name_of(arena, duckdb_enum_dictionary_value(type, i));
        firn_buf_printf(&text, "%s%s", i > 0 ? ", " : "ENUM(",
                        firn_sql_quote(arena, out->names[i]));
    }
    firn_buf_putc(&text, ')');
    out->text = firn_arena_strdup(arena, firn_buf_cstr(&text));
}

bool firn_duck_type_of(firn_arena *arena, duckdb_logical_type type, firn_duck_type *out)
{
    *out = (firn_duck_type){.id = duckdb_get_type_id(type)};
    switch (out->id) {
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_UNION: return struct_type(arena, type, out);
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_MAP: return list_type(arena, type, out);
    case DUCKDB_TYPE_ENUM: enum_type(arena, type, out); return true;
    case DUCKDB_TYPE_DECIMAL:
        out->width = duckdb_decimal_width(type);
        out->scale = duckdb_decimal_scale(type);
        out->storage = duckdb_decimal_internal_type(type);
        out->text = firn_arena_printf(arena, "DECIMAL(%d,%d)", out->width, out->scale);
        return true;
    default: break;
    }
    char *alias = duckdb_logical_type_get_alias(type);
    if (alias != NULL) {
        out->is_json = out->id == DUCKDB_TYPE_VARCHAR && firn_strcaseeq(alias, "JSON");
        out->text = name_of(arena, alias);
    } else if (out->id < sizeof(TYPE_NAMES) / sizeof(TYPE_NAMES[0])) {
        out->text = TYPE_NAMES[out->id];
    }
    if (out->text == NULL) {
        out->text = "UNKNOWN";
        return false;
    }
    return out->id != DUCKDB_TYPE_BIGNUM;
}

/* ---- numbers ---------------------------------------------------------------------------------------- */

static void put_u128(firn_buf *out, unsigned __int128 value)
{
    char digits[40];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    firn_buf_append(out, digits + n, sizeof(digits) - n);
}

static void put_i128(firn_buf *out, __int128 value)
{
    if (value < 0) {
        firn_buf_putc(out, '-');
    }
    put_u128(out, value < 0 ? -(unsigned __int128)value : (unsigned __int128)value);
}

static void put_decimal(firn_buf *out, __int128 value, int width, int scale, bool json)
{
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    char digits[64];
    int n = (int)sizeof(digits);
    for (int i = 0; i < scale; i++) {
        digits[--n] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (value < 0) {
        firn_buf_putc(out, '-');
    }
    /* DuckDB leaves out the zero before the point where the type has no room for it. */
    if (rest != 0 || width > scale || json) {
        put_u128(out, rest);
    }
    if (scale > 0) {
        firn_buf_putc(out, '.');
        firn_buf_append(out, digits + n, sizeof(digits) - (size_t)n);
    }
}

static void put_zeros(firn_buf *out, int n)
{
    for (int i = 0; i < n; i++) {
        firn_buf_putc(out, '0');
    }
}

/* The digits of a number d.ddd * 10^exponent, in fixed notation from 1e-4 to below 1e16. */
static void put_digits(firn_buf *out, const char *digits, int n, int exponent)
{
    if (exponent < -4 || exponent >= 16) {
        firn_buf_putc(out, (uint8_t)digits[0]);
        firn_buf_printf(out, "%s%.*se%c%02d", n > 1 ? "." : "", n - 1, digits + 1,
                        exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        firn_buf_puts(out, "0.");
        put_zeros(out, -exponent - 1);
        firn_buf_append(out, digits, (size_t)n);
    } else if (n <= exponent + 1) {
        firn_buf_append(out, digits, (size_t)n);
        put_zeros(out, exponent + 1 - n);
        firn_buf_puts(out, ".0");
    } else {
        firn_buf_append(out, digits, (size_t)exponent + 1);
        firn_buf_putc(out, '.');
        firn_buf_append(out, digits + exponent + 1, (size_t)(n - exponent - 1));
    }
}

/* The shortest digits that read back as the same number. */
static void put_double(firn_buf *out, double value)
{
    if (isnan(value)) {
        firn_buf_puts(out, "nan");
        return;
    }
    if (signbit(value)) {
        firn_buf_putc(out, '-');
        value = -value;
    }
    if (isinf(value)) {
        firn_buf_puts(out, "inf");
        return;
    }
    char text[40];
    /* Normal numbers keep 15 digits whatever they are, so fewer are only zeros cut off. */
    for (int n = value < DBL_MIN ? 1 : DBL_DIG; n <= 17; n++) {
        snprintf(text, sizeof(text), "%.*e", n - 1, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    char digits[20];
    int n = 0;
    char *at = text;
    for (; *at != 'e'; at++) {
        if (*at != '.') {
            digits[n++] = *at;
        }
    }
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    put_digits(out, digits, n, atoi(at + 1));
}

/* DuckDB's own printing of single precision breaks ties in a way of its own: ask it. */
static void put_float(firn_buf *out, float value)
{
    duckdb_value boxed = duckdb_create_float(value);
    char *text = duckdb_get_varchar(boxed);
    firn_buf_puts(out, text);
    duckdb_free(text);
    duckdb_destroy_value(&boxed);
}

/* ---- times ------------------------------------------------------------------------------------------ */

static void put_date_parts(firn_buf *out, int32_t year, int month, int day, bool json)
{
    if (json) {
        firn_buf_printf(out, year < 0 || year > 9999 ? "%+05d-%02d-%02d" : "%04d-%02d-%02d", year,
                        month, day);
        return;
    }
    firn_buf_printf(out, "%04d-%02d-%02d", year > 0 ? year : 1 - year, month, day);
}

static void put_date(firn_buf *out, int32_t days, bool json)
{
    if (days == INT32_MAX || days == -INT32_MAX) {
        firn_buf_puts(out, days > 0 ? "infinity" : "-infinity");
        return;
    }
    firn_civil civil;
    firn_civil_from_days(days, &civil);
    put_date_parts(out, civil.year, civil.month, civil.day, json);
    if (civil.year <= 0 && !json) {
        firn_buf_puts(out, " (BC)");
    }
}

/* The fraction without zeros at the end; nothing for zero. */
static void put_fraction(firn_buf *out, int64_t fraction, int digits)
{
    if (fraction == 0) {
        return;
    }
    while (fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    firn_buf_printf(out, ".%0*" PRId64, digits, fraction);
}

static void put_clock(firn_buf *out, int64_t units, int64_t per_second, int digits)
{
    int64_t seconds = units / per_second;
    firn_buf_printf(out, "%02" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60),
                    (int)(seconds % 60));
    put_fraction(out, units % per_second, digits);
}

static void put_timestamp(firn_buf *out, int64_t units, int64_t per_second, int digits, bool zone,
                          bool json)
{
    if (units == INT64_MAX || units == -INT64_MAX) {
        firn_buf_puts(out, units > 0 ? "infinity" : "-infinity");
        return;
    }
    int64_t per_day = per_second * 86400;
    int64_t days = units / per_day - (units % per_day < 0 ? 1 : 0);
    firn_civil civil;
    firn_civil_from_days((int32_t)days, &civil);
    put_date_parts(out, civil.year, civil.month, civil.day, json);
    if (civil.year <= 0 && !json) {
        firn_buf_puts(out, " (BC)");
    }
    firn_buf_putc(out, json ? 'T' : ' ');
    put_clock(out, units - days * per_day, per_second, digits);
    if (zone) {
        firn_buf_puts(out, json ? "+00:00" : "+00");
    }
}

static void put_time_tz(firn_buf *out, duckdb_time_tz value)
{
    duckdb_time_tz_struct parts = duckdb_from_time_tz(value);
    firn_buf_printf(out, "%02d:%02d:%02d", parts.time.hour, parts.time.min, parts.time.sec);
    put_fraction(out, parts.time.micros, 6);
    int offset = abs(parts.offset);
    firn_buf_printf(out, "%c%02d", parts.offset < 0 ? '-' : '+', offset / 3600);
    if (offset % 3600 != 0) {
        firn_buf_printf(out, ":%02d", offset / 60 % 60);
    }
    if (offset % 60 != 0) {
        firn_buf_printf(out, ":%02d", offset % 60);
    }
}

static void put_interval(firn_buf *out, duckdb_interval value)
{
    size_t start = out->len;
    struct {
        int32_t n;
        const char *unit;
    } parts[] = {{value.months / 12, "year"}, {value.months % 12, "month"}, {value.days, "day"}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].n != 0) {
            firn_buf_printf(out, "%s%d %s%s", out->len > start ? " " : "", parts[i].n,
                            parts[i].unit, parts[i].n == 1 || parts[i].n == -1 ? "" : "s");
        }
    }
    if (value.micros != 0 || out->len == start) {
        firn_buf_puts(out, out->len > start ? " " : "");
        uint64_t micros = (uint64_t)value.micros;
        if (value.micros < 0) {
            firn_buf_putc(out, '-');
            micros = -micros;
        }
        uint64_t seconds = micros / 1000000;
        firn_buf_printf(out, "%02" PRIu64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60),
                        (int)(seconds % 60));
        put_fraction(out, (int64_t)(micros % 1000000), 6);
    }
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

static void put_blob(firn_buf *out, firn_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.data[i];
        if (byte >= 32 && byte <= 126 && byte != '\\' && byte != '\'' && byte != '"') {
            firn_buf_putc(out, byte);
        } else {
            firn_buf_printf(out, "\\x%02X", byte);
        }
    }
}

static void put_hex(firn_buf *out, firn_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        firn_buf_printf(out, "%02x", bytes.data[i]);
    }
}

/* First byte: how many bits of the second are padding. */
static void put_bits(firn_buf *out, firn_bytes bytes)
{
    for (size_t bit = bytes.len > 0 ? bytes.data[0] : 0; bit < (bytes.len - 1) * 8; bit++) {
        firn_buf_putc(out, (bytes.data[1 + bit / 8] >> (7 - bit % 8) & 1) != 0 ? '1' : '0');
    }
}

static void put_uuid(firn_buf *out, duckdb_hugeint value)
{
    uint64_t upper = (uint64_t)value.upper ^ (UINT64_C(1) << 63);
    firn_buf_printf(out, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                    upper >> 32, upper >> 16 & 0xFFFF, upper & 0xFFFF, value.lower >> 48,
                    value.lower & 0xFFFFFFFFFFFF);
}

/* ---- scalars ----------------------------------------------------------------------------------------- */

static __int128 integer_at(duckdb_type storage, const void *data, idx_t row)
{
    switch (storage) {
    case DUCKDB_TYPE_TINYINT: return ((const int8_t *)data)[row];
    case DUCKDB_TYPE_SMALLINT: return ((const int16_t *)data)[row];
    case DUCKDB_TYPE_INTEGER: return ((const int32_t *)data)[row];
    case DUCKDB_TYPE_BIGINT: return ((const int64_t *)data)[row];
    case DUCKDB_TYPE_UTINYINT: return ((const uint8_t *)data)[row];
    case DUCKDB_TYPE_USMALLINT: return ((const uint16_t *)data)[row];
    case DUCKDB_TYPE_UINTEGER: return ((const uint32_t *)data)[row];
    case DUCKDB_TYPE_UBIGINT: return ((const uint64_t *)data)[row];
    default: {
        duckdb_hugeint huge = ((const duckdb_hugeint *)data)[row];
        return (__int128)((unsigned __int128)(uint64_t)huge.upper << 64 | huge.lower);
    }
    }
}

static bool is_integer(duckdb_type id)
{
    return (id >= DUCKDB_TYPE_TINYINT && id <= DUCKDB_TYPE_UBIGINT) || id == DUCKDB_TYPE_HUGEINT;
}

/* Everything that is not nested and not text; plain, without quotes. */
static void put_scalar(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row,
                       bool json)
{
    const void *data = duckdb_vector_get_data(vector);
    const int64_t *i64 = data;
    if (is_integer(type->id)) {
        put_i128(out, integer_at(type->id, data, row));
        return;
    }
    switch (type->id) {
    case DUCKDB_TYPE_BOOLEAN:
        firn_buf_puts(out, ((const bool *)data)[row] ? "true" : "false");
        break;
    case DUCKDB_TYPE_UHUGEINT:
        put_u128(out, (unsigned __int128)integer_at(type->id, data, row));
        break;
    case DUCKDB_TYPE_FLOAT: put_float(out, ((const float *)data)[row]); break;
    case DUCKDB_TYPE_DOUBLE: put_double(out, ((const double *)data)[row]); break;
    case DUCKDB_TYPE_DECIMAL:
        put_decimal(out, integer_at(type->storage, data, row), type->width, type->scale, json);
        break;
    case DUCKDB_TYPE_DATE: put_date(out, ((const int32_t *)data)[row], json); break;
    case DUCKDB_TYPE_TIME: put_clock(out, i64[row], 1000000, 6); break;
    case DUCKDB_TYPE_TIME_NS: put_clock(out, i64[row], 1000000000, 9); break;
    case DUCKDB_TYPE_TIME_TZ: put_time_tz(out, ((const duckdb_time_tz *)data)[row]); break;
    case DUCKDB_TYPE_TIMESTAMP: put_timestamp(out, i64[row], 1000000, 6, false, json); break;
    case DUCKDB_TYPE_TIMESTAMP_TZ: put_timestamp(out, i64[row], 1000000, 6, true, json); break;
    case DUCKDB_TYPE_TIMESTAMP_S: put_timestamp(out, i64[row], 1, 0, false, json); break;
    case DUCKDB_TYPE_TIMESTAMP_MS: put_timestamp(out, i64[row], 1000, 3, false, json); break;
    case DUCKDB_TYPE_TIMESTAMP_NS: put_timestamp(out, i64[row], 1000000000, 9, false, json); break;
    case DUCKDB_TYPE_INTERVAL: put_interval(out, ((const duckdb_interval *)data)[row]); break;
    case DUCKDB_TYPE_UUID: put_uuid(out, ((const duckdb_hugeint *)data)[row]); break;
    case DUCKDB_TYPE_BIT: put_bits(out, firn_duck_bytes(vector, row)); break;
    case DUCKDB_TYPE_ENUM: {
        size_t value = (size_t)integer_at(type->storage, data, row);
        firn_buf_puts(out, value < type->n_children ? type->names[value] : "");
        break;
    }
    case DUCKDB_TYPE_BLOB:
        if (json) {
            put_hex(out, firn_duck_bytes(vector, row));
        } else {
            put_blob(out, firn_duck_bytes(vector, row));
        }
        break;
    default: {
        firn_bytes bytes = firn_duck_bytes(vector, row); /* VARCHAR and its aliases */
        firn_buf_append(out, bytes.data, bytes.len);
    }
    }
}

/* ---- text ------------------------------------------------------------------------------------------- */

static bool needs_quotes(const char *text, size_t len)
{
    if (len == 0 || (len == 4 && strncasecmp(text, "null", 4) == 0)) {
        return true;
    }
    if (isspace((unsigned char)text[0]) || isspace((unsigned char)text[len - 1])) {
        return true;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || strchr("'\"()[]{},=:", text[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Put quotes around what was appended since `start`, as nested values have them. */
static void quote_since(firn_buf *out, size_t start, bool always)
{
    size_t len = out->len - start;
    if (!always && !needs_quotes((const char *)out->data + start, len)) {
        return;
    }
    FIRN_AUTO_BUF firn_buf plain = {0};
    firn_buf_append(&plain, out->data + start, len);
    out->len = start;
    firn_buf_putc(out, '\'');
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.data[i] == '\'' || plain.data[i] == '\\') {
            firn_buf_putc(out, '\\');
        }
        firn_buf_putc(out, plain.data[i]);
    }
    firn_buf_putc(out, '\'');
}

static void put_member(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    size_t start = out->len;
    if (!firn_duck_text(out, type, vector, row)) {
        firn_buf_puts(out, "NULL");
    } else if (!type->is_json && type->children == NULL) {
        quote_since(out, start, false);
    }
}

static void put_struct(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    bool named = type->n_children == 0 || type->names[0][0] != '\0';
    firn_buf_putc(out, named ? '{' : '(');
    for (size_t i = 0; i < type->n_children; i++) {
        firn_buf_puts(out, i > 0 ? ", " : "");
        if (named) {
            size_t start = out->len;
            firn_buf_puts(out, type->names[i]);
            quote_since(out, start, true);
            firn_buf_puts(out, ": ");
        }
        put_member(out, &type->children[i], duckdb_struct_vector_get_child(vector, i), row);
    }
    firn_buf_putc(out, named ? '}' : ')');
}

typedef struct span {
    duckdb_vector items;
    idx_t from, len;
} span;

static span list_span(const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    if (type->id == DUCKDB_TYPE_ARRAY) {
        return (span){duckdb_array_vector_get_child(vector), row * type->array_len,
                      type->array_len};
    }
    duckdb_list_entry entry = ((const duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    return (span){duckdb_list_vector_get_child(vector), entry.offset, entry.length};
}

static void put_list(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    span list = list_span(type, vector, row);
    bool map = type->id == DUCKDB_TYPE_MAP;
    firn_buf_putc(out, map ? '{' : '[');
    for (idx_t i = 0; i < list.len; i++) {
        firn_buf_puts(out, i > 0 ? ", " : "");
        if (map) {
            put_member(out, &type->children[0], duckdb_struct_vector_get_child(list.items, 0),
                       list.from + i);
            firn_buf_putc(out, '=');
            put_member(out, &type->children[1], duckdb_struct_vector_get_child(list.items, 1),
                       list.from + i);
        } else {
            put_member(out, &type->children[0], list.items, list.from + i);
        }
    }
    firn_buf_putc(out, map ? '}' : ']');
}

/* Child 0 of a union's vector is the tag, member i is child i + 1. */
static const firn_duck_type *union_member(const firn_duck_type *type, duckdb_vector vector,
                                          idx_t row, duckdb_vector *member)
{
    uint8_t tag =
        ((const uint8_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(vector, 0)))[row];
    if (tag >= type->n_children) {
        return NULL;
    }
    *member = duckdb_struct_vector_get_child(vector, (idx_t)tag + 1);
    return &type->children[tag];
}

bool firn_duck_text(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    if (type->id == DUCKDB_TYPE_SQLNULL || firn_duck_is_null(vector, row)) {
        return false;
    }
    switch (type->id) {
    case DUCKDB_TYPE_STRUCT: put_struct(out, type, vector, row); return true;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_MAP: put_list(out, type, vector, row); return true;
    case DUCKDB_TYPE_UNION: {
        duckdb_vector member = NULL;
        const firn_duck_type *member_type = union_member(type, vector, row, &member);
        return member_type != NULL && firn_duck_text(out, member_type, member, row);
    }
    default: put_scalar(out, type, vector, row, false); return true;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

static void json_string_since(firn_buf *out, size_t start)
{
    FIRN_AUTO_BUF firn_buf plain = {0};
    firn_buf_append(&plain, out->data + start, out->len - start);
    out->len = start;
    static const char HEX[] = "0123456789abcdef";
    firn_buf_putc(out, '"');
    for (size_t i = 0; i < plain.len; i++) {
        uint8_t byte = plain.data[i];
        if (byte == '"' || byte == '\\') {
            firn_buf_putc(out, '\\');
            firn_buf_putc(out, byte);
        } else if (byte == '\n') {
            firn_buf_puts(out, "\\n");
        } else if (byte < 0x20) {
            firn_buf_printf(out, "\\u00%c%c", HEX[byte >> 4], HEX[byte & 15]);
        } else {
            firn_buf_putc(out, byte);
        }
    }
    firn_buf_putc(out, '"');
}

static void json_members(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    bool named = type->n_children == 0 || type->names[0][0] != '\0';
    firn_buf_putc(out, named ? '{' : '[');
    for (size_t i = 0; i < type->n_children; i++) {
        firn_buf_puts(out, i > 0 ? ", " : "");
        if (named) {
            firn_json_escape(out, type->names[i]);
            firn_buf_puts(out, ": ");
        }
        firn_duck_json(out, &type->children[i], duckdb_struct_vector_get_child(vector, i), row);
    }
    firn_buf_putc(out, named ? '}' : ']');
}

static void json_list(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    span list = list_span(type, vector, row);
    bool map = type->id == DUCKDB_TYPE_MAP;
    firn_buf_putc(out, map ? '{' : '[');
    for (idx_t i = 0; i < list.len; i++) {
        firn_buf_puts(out, i > 0 ? ", " : "");
        if (map) { /* JSON's keys are strings */
            size_t start = out->len;
            firn_duck_text(out, &type->children[0], duckdb_struct_vector_get_child(list.items, 0),
                           list.from + i);
            json_string_since(out, start);
            firn_buf_puts(out, ": ");
            firn_duck_json(out, &type->children[1], duckdb_struct_vector_get_child(list.items, 1),
                           list.from + i);
        } else {
            firn_duck_json(out, &type->children[0], list.items, list.from + i);
        }
    }
    firn_buf_putc(out, map ? '}' : ']');
}

static bool is_bare(const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    switch (type->id) {
    case DUCKDB_TYPE_FLOAT: return isfinite(((const float *)duckdb_vector_get_data(vector))[row]);
    case DUCKDB_TYPE_DOUBLE: return isfinite(((const double *)duckdb_vector_get_data(vector))[row]);
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_DECIMAL: return true;
    default: return is_integer(type->id) || type->is_json;
    }
}

void firn_duck_json(firn_buf *out, const firn_duck_type *type, duckdb_vector vector, idx_t row)
{
    if (type->id == DUCKDB_TYPE_SQLNULL || firn_duck_is_null(vector, row)) {
        firn_buf_puts(out, "null");
        return;
    }
    switch (type->id) {
    case DUCKDB_TYPE_STRUCT: json_members(out, type, vector, row); return;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_MAP: json_list(out, type, vector, row); return;
    case DUCKDB_TYPE_UNION: {
        duckdb_vector member = NULL;
        const firn_duck_type *member_type = union_member(type, vector, row, &member);
        if (member_type == NULL) {
            firn_buf_puts(out, "null");
        } else {
            firn_duck_json(out, member_type, member, row);
        }
        return;
    }
    default: {
        size_t start = out->len;
        put_scalar(out, type, vector, row, true);
        if (!is_bare(type, vector, row)) {
            json_string_since(out, start);
        }
    }
    }
}
