/* Arrow's types as Iceberg's.
 *
 *   n  null                        unknown                c C s S i  int           I l  long          L  decimal(20, 0)
 *   b  boolean                     boolean                f float, g double
 *   u U  string                    string; uuid when the field's metadata has firn.logical=uuid
 *   z Z  binary                    binary                 w:16 with the extension arrow.uuid          uuid
 *   w:n  fixed                     binary (DuckDB cannot write fixed)
 *   d:p,s  decimal (32 to 128 bits)  decimal(p, s)
 *   tdD tdm  date                  date                   tts ttm ttu ttn        time (microseconds, rounded down)
 *   tss: tsm: tsu:                 timestamp              with a zone            timestamptz
 *   tsn:                           timestamp_ns or timestamp (rounded down)      with a zone: timestamptz (rounded down)
 *   +s +l +L +w:n +m               struct, list, map
 *
 * A struct without members is left out, since Parquet has no such thing. Field metadata is laid out as in the C Data Interface: int32
 * number of pairs, then for each int32 length and bytes of key and value, all in native byte order.
 */
#include "rows_batch.h"

#include <inttypes.h>
#include <stdio.h>

enum { DEPTH_MAX = 64, PRECISION_MAX = 38, UINT64_PRECISION = 20 };

/* ---- metadata ---------------------------------------------------------------------------------------- */

static firn_bytes take_text(const char **at)
{
    int32_t len;
    memcpy(&len, *at, sizeof(len));
    firn_bytes out = firn_bytes_of(*at + sizeof(len), len > 0 ? (size_t)len : 0);
    *at += sizeof(len) + out.len;
    return out;
}

static bool metadata_is(const struct ArrowSchema *arrow, const char *key, const char *value)
{
    const char *at = arrow->metadata;
    int32_t n = 0;
    if (at == NULL) {
        return false;
    }
    memcpy(&n, at, sizeof(n));
    at += sizeof(n);
    for (int32_t i = 0; i < n; i++) {
        firn_bytes k = take_text(&at);
        firn_bytes v = take_text(&at);
        if (firn_bytes_cmp(k, firn_bytes_str(key)) == 0) {
            return firn_bytes_cmp(v, firn_bytes_str(value)) == 0;
        }
    }
    return false;
}

bool firn_arrow_is_uuid(const struct ArrowSchema *arrow)
{
    const char *format = arrow->format;
    if (firn_streq(format, "w:16")) {
        return metadata_is(arrow, "ARROW:extension:name", "arrow.uuid") ||
               metadata_is(arrow, "firn.logical", "uuid");
    }
    return (firn_streq(format, "u") || firn_streq(format, "U")) &&
           metadata_is(arrow, "firn.logical", "uuid");
}

/* ---- one type ---------------------------------------------------------------------------------------- */

typedef struct convert {
    firn_arena *arena;
    bool nanos;
    int depth;
} convert;

static firn_rc unsupported(const struct ArrowSchema *arrow, const char *path, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "column %s has Arrow's type \"%s\"%s, which no column can hold", path, arrow->format,
              arrow->dictionary != NULL ? " as a dictionary" : "");
}

/* "d:9,2", "d:9,2,64" */
static bool parse_decimal(const char *format, firn_type *out)
{
    int precision = 0, scale = 0, bits = 128, used = 0;
    int n = sscanf(format, "d:%d,%d%n,%d%n", &precision, &scale, &used, &bits, &used);
    if (n < 2 || format[used] != '\0' || precision < 1 || precision > PRECISION_MAX || scale < 0 ||
        scale > precision || (bits != 32 && bits != 64 && bits != 128)) {
        return false;
    }
    out->id = FIRN_TYPE_DECIMAL;
    out->precision = precision;
    out->scale = scale;
    return true;
}

static bool parse_temporal(const convert *c, const char *format, firn_type *out)
{
    if (firn_streq(format, "tdD") || firn_streq(format, "tdm")) {
        out->id = FIRN_TYPE_DATE;
        return true;
    }
    if (firn_streq(format, "tts") || firn_streq(format, "ttm") || firn_streq(format, "ttu") ||
        firn_streq(format, "ttn")) {
        out->id = FIRN_TYPE_TIME;
        return true;
    }
    if (strncmp(format, "ts", 2) != 0 || format[2] == '\0' || strchr("smun", format[2]) == NULL ||
        format[3] != ':') {
        return false;
    }
    out->id = format[4] != '\0'              ? FIRN_TYPE_TIMESTAMPTZ
              : format[2] == 'n' && c->nanos ? FIRN_TYPE_TIMESTAMP_NS
                                             : FIRN_TYPE_TIMESTAMP;
    return true;
}

static bool parse_scalar(const convert *c, const struct ArrowSchema *arrow, firn_type *out)
{
    static const struct {
        const char *format;
        firn_type_id id;
    } SIMPLE[] = {{"n", FIRN_TYPE_UNKNOWN}, {"b", FIRN_TYPE_BOOLEAN}, {"c", FIRN_TYPE_INT},
                  {"C", FIRN_TYPE_INT},     {"s", FIRN_TYPE_INT},     {"S", FIRN_TYPE_INT},
                  {"i", FIRN_TYPE_INT},     {"I", FIRN_TYPE_LONG},    {"l", FIRN_TYPE_LONG},
                  {"f", FIRN_TYPE_FLOAT},   {"g", FIRN_TYPE_DOUBLE},  {"u", FIRN_TYPE_STRING},
                  {"U", FIRN_TYPE_STRING},  {"z", FIRN_TYPE_BINARY},  {"Z", FIRN_TYPE_BINARY}};
    const char *format = arrow->format;
    int64_t width = 0;
    if (firn_arrow_is_uuid(arrow)) {
        out->id = FIRN_TYPE_UUID;
        return true;
    }
    for (size_t i = 0; i < sizeof(SIMPLE) / sizeof(SIMPLE[0]); i++) {
        if (firn_streq(format, SIMPLE[i].format)) {
            out->id = SIMPLE[i].id;
            return true;
        }
    }
    if (firn_streq(format, "L")) {
        *out = (firn_type){.id = FIRN_TYPE_DECIMAL, .precision = UINT64_PRECISION};
        return true;
    }
    if (strncmp(format, "w:", 2) == 0 && firn_parse_i64(format + 2, &width) && width > 0) {
        out->id = FIRN_TYPE_BINARY;
        return true;
    }
    return strncmp(format, "d:", 2) == 0 ? parse_decimal(format, out)
                                         : parse_temporal(c, format, out);
}

static firn_rc convert_type(convert *c, const struct ArrowSchema *arrow, const char *path,
                            firn_type *out, firn_err *err);

static firn_rc convert_field(convert *c, const struct ArrowSchema *arrow, const char *name,
                             const char *path, firn_field *out, firn_err *err)
{
    firn_type *type = FIRN_NEW(c->arena, firn_type);
    const char *own = path[0] != '\0' ? firn_arena_printf(c->arena, "%s.%s", path, name) : name;
    FIRN_TRY(convert_type(c, arrow, own, type, err));
    *out = (firn_field){.name = firn_arena_strdup(c->arena, name),
                        .type = type,
                        .required = (arrow->flags & ARROW_FLAG_NULLABLE) == 0 &&
                                    type->id != FIRN_TYPE_UNKNOWN};
    return FIRN_OK;
}

/* A struct that would have no members, at whatever depth, is no column. */
static bool is_empty(const firn_type *type)
{
    if (type->id == FIRN_TYPE_STRUCT) {
        return type->n_fields == 0;
    }
    return firn_type_is_nested(type) && is_empty(type->fields[type->n_fields - 1].type);
}

static firn_rc convert_struct(convert *c, const struct ArrowSchema *arrow, const char *path,
                              firn_type *out, firn_err *err)
{
    out->id = FIRN_TYPE_STRUCT;
    out->fields = FIRN_NEW_N(c->arena, firn_field, (size_t)arrow->n_children);
    for (int64_t i = 0; i < arrow->n_children; i++) {
        const struct ArrowSchema *child = arrow->children[i];
        const char *name = child->name != NULL ? child->name : "";
        if (name[0] == '\0') {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "member %" PRId64 " of %s has no name", i + 1,
                      path[0] != '\0' ? path : "the rows");
        }
        for (size_t k = 0; k < out->n_fields; k++) {
            if (firn_strcaseeq(out->fields[k].name, name)) {
                FIRN_FAIL(
                    err, FIRN_E_UNSUPPORTED,
                    "%s has two members %s and %s: firn's SQL does not tell them apart; rename "
                    "one at the source",
                    path[0] != '\0' ? path : "a row", out->fields[k].name, name);
            }
        }
        FIRN_TRY(convert_field(c, child, name, path, &out->fields[out->n_fields], err));
        out->n_fields += !is_empty(out->fields[out->n_fields].type);
    }
    return FIRN_OK;
}

static firn_rc convert_map(convert *c, const struct ArrowSchema *arrow, const char *path,
                           firn_type *out, firn_err *err)
{
    const struct ArrowSchema *entries = arrow->n_children == 1 ? arrow->children[0] : NULL;
    if (entries == NULL || entries->n_children != 2) {
        return unsupported(arrow, path, err);
    }
    out->id = FIRN_TYPE_MAP;
    out->n_fields = 2;
    out->fields = FIRN_NEW_N(c->arena, firn_field, 2);
    FIRN_TRY(convert_field(c, entries->children[0], "key", path, &out->fields[0], err));
    FIRN_TRY(convert_field(c, entries->children[1], "value", path, &out->fields[1], err));
    if (out->fields[0].type->id == FIRN_TYPE_UNKNOWN) {
        return unsupported(arrow, path, err);
    }
    out->fields[0].required = true;
    return FIRN_OK;
}

static firn_rc convert_type(convert *c, const struct ArrowSchema *arrow, const char *path,
                            firn_type *out, firn_err *err)
{
    const char *format = arrow->format;
    firn_rc rc = FIRN_OK;
    if (++c->depth > DEPTH_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "column %s is nested more than %d levels deep", path,
                  DEPTH_MAX);
    }
    if (arrow->dictionary != NULL) {
        rc = unsupported(arrow, path, err);
    } else if (firn_streq(format, "+s")) {
        rc = convert_struct(c, arrow, path, out, err);
    } else if (firn_streq(format, "+m")) {
        rc = convert_map(c, arrow, path, out, err);
    } else if ((firn_streq(format, "+l") || firn_streq(format, "+L") ||
                firn_starts_with(format, "+w:")) &&
               arrow->n_children == 1) {
        out->id = FIRN_TYPE_LIST;
        out->n_fields = 1;
        out->fields = FIRN_NEW_N(c->arena, firn_field, 1);
        rc = convert_field(c, arrow->children[0], "element", path, &out->fields[0], err);
    } else if (!parse_scalar(c, arrow, out)) {
        rc = unsupported(arrow, path, err);
    }
    c->depth--;
    return rc;
}

firn_rc firn_arrow_type(firn_arena *arena, const struct ArrowSchema *arrow, bool nanos,
                        firn_type **out, firn_err *err)
{
    convert c = {.arena = arena, .nanos = nanos};
    if (!firn_streq(arrow->format, "+s")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "rows are an Arrow struct (\"+s\"), not \"%s\"",
                  arrow->format);
    }
    *out = FIRN_NEW(arena, firn_type);
    return convert_type(&c, arrow, "", *out, err);
}

/* ---- as a table's schema ----------------------------------------------------------------------------- */

static bool has_unknown(const firn_type *type)
{
    bool found = type->id == FIRN_TYPE_UNKNOWN;
    for (size_t i = 0; i < type->n_fields && !found; i++) {
        found = type->id != FIRN_TYPE_STRUCT && has_unknown(type->fields[i].type);
    }
    return found;
}

/* Format version 2 has no type for what has only nulls: such members wait until they have one. */
static firn_type *without_unknown(firn_arena *arena, const firn_type *type)
{
    firn_type *out = firn_arena_memdup(arena, type, sizeof(*type));
    out->fields = FIRN_NEW_N(arena, firn_field, type->n_fields);
    out->n_fields = 0;
    for (size_t i = 0; i < type->n_fields; i++) {
        firn_field field = type->fields[i];
        if (type->id == FIRN_TYPE_STRUCT && has_unknown(field.type)) {
            continue;
        }
        field.type = without_unknown(arena, field.type);
        if (type->id != FIRN_TYPE_STRUCT || !is_empty(field.type)) {
            out->fields[out->n_fields++] = field;
        }
    }
    return out;
}

firn_schema *firn_batch_schema(firn_arena *arena, const firn_type *type, int format_version)
{
    firn_schema raw = {.root = format_version >= 3 ? *type : *without_unknown(arena, type)};
    int32_t last_id = 0;
    return firn_schema_assign_fresh_ids(arena, &raw, &last_id);
}

firn_rc firn_rows_schema(firn_arena *arena, const struct ArrowSchema *arrow, int format_version,
                         firn_schema **out, firn_err *err)
{
    firn_type *type = NULL;
    FIRN_TRY(firn_arrow_type(arena, arrow, format_version >= 3, &type, err));
    *out = firn_batch_schema(arena, type, format_version);
    return FIRN_OK;
}

static void note_nanos(const firn_type *type, bool *found)
{
    *found = *found || type->id == FIRN_TYPE_TIMESTAMP_NS;
    for (size_t i = 0; i < type->n_fields; i++) {
        note_nanos(type->fields[i].type, found);
    }
}

bool firn_batch_keeps_nanos(const firn_schema *schema)
{
    bool found = false;
    note_nanos(&schema->root, &found);
    return found;
}

/* ---- several schemas --------------------------------------------------------------------------------- */

static const firn_field *find_member(const firn_type *type, const char *name)
{
    const firn_field *near = NULL;
    for (size_t i = 0; i < type->n_fields; i++) {
        if (firn_streq(type->fields[i].name, name)) {
            return &type->fields[i];
        }
        near = firn_strcaseeq(type->fields[i].name, name) ? &type->fields[i] : near;
    }
    return near;
}

static firn_rc unite_field(firn_arena *arena, const firn_field *a, const firn_field *b,
                           const char *path, firn_field *out, firn_err *err)
{
    firn_type *type = NULL;
    const char *own = path[0] != '\0' ? firn_arena_printf(arena, "%s.%s", path, a->name) : a->name;
    FIRN_TRY(firn_arrow_unite(arena, a->type, b->type, own, &type, err));
    *out = *a;
    out->type = type;
    out->required = a->required && b->required;
    return FIRN_OK;
}

static firn_rc unite_structs(firn_arena *arena, const firn_type *a, const firn_type *b,
                             const char *path, firn_type *out, firn_err *err)
{
    out->fields = FIRN_NEW_N(arena, firn_field, a->n_fields + b->n_fields);
    out->n_fields = a->n_fields;
    for (size_t i = 0; i < a->n_fields; i++) {
        const firn_field *other = find_member(b, a->fields[i].name);
        out->fields[i] = a->fields[i];
        out->fields[i].required = false;
        if (other != NULL) {
            FIRN_TRY(unite_field(arena, &a->fields[i], other, path, &out->fields[i], err));
        }
    }
    for (size_t i = 0; i < b->n_fields; i++) {
        if (find_member(a, b->fields[i].name) == NULL) {
            out->fields[out->n_fields] = b->fields[i];
            out->fields[out->n_fields++].required = false;
        }
    }
    return FIRN_OK;
}

static bool is_number(const firn_type *type)
{
    return type->id >= FIRN_TYPE_INT && type->id <= FIRN_TYPE_DECIMAL;
}

static int whole_digits(const firn_type *type)
{
    return type->id == FIRN_TYPE_INT    ? 10
           : type->id == FIRN_TYPE_LONG ? 19
                                        : type->precision - type->scale;
}

static void unite_numbers(const firn_type *a, const firn_type *b, firn_type *out)
{
    bool floats = (a->id == FIRN_TYPE_FLOAT || a->id == FIRN_TYPE_DOUBLE) ||
                  (b->id == FIRN_TYPE_FLOAT || b->id == FIRN_TYPE_DOUBLE);
    *out = (firn_type){.id = FIRN_TYPE_DOUBLE};
    if (floats) {
        return;
    }
    if (a->id != FIRN_TYPE_DECIMAL && b->id != FIRN_TYPE_DECIMAL) {
        out->id = FIRN_TYPE_LONG;
        return;
    }
    int whole = whole_digits(a) > whole_digits(b) ? whole_digits(a) : whole_digits(b);
    int scale = a->scale > b->scale ? a->scale : b->scale;
    int precision = whole + scale < PRECISION_MAX ? whole + scale : PRECISION_MAX;
    *out = (firn_type){.id = FIRN_TYPE_DECIMAL, .precision = precision, .scale = scale};
}

static bool is_timestamp(const firn_type *type)
{
    return type->id == FIRN_TYPE_DATE || type->id == FIRN_TYPE_TIMESTAMP ||
           type->id == FIRN_TYPE_TIMESTAMPTZ || type->id == FIRN_TYPE_TIMESTAMP_NS;
}

static bool same_scalar(const firn_type *a, const firn_type *b)
{
    return a->id == b->id && a->precision == b->precision && a->scale == b->scale;
}

firn_rc firn_arrow_unite(firn_arena *arena, const firn_type *a, const firn_type *b,
                         const char *path, firn_type **out, firn_err *err)
{
    firn_type *type = firn_arena_memdup(arena, a, sizeof(*a));
    *out = type;
    if (b->id == FIRN_TYPE_UNKNOWN || (!firn_type_is_nested(a) && same_scalar(a, b))) {
        return FIRN_OK;
    }
    if (a->id == FIRN_TYPE_UNKNOWN) {
        *type = *b;
        return FIRN_OK;
    }
    if (a->id == b->id && a->id == FIRN_TYPE_STRUCT) {
        return unite_structs(arena, a, b, path, type, err);
    }
    if (a->id == b->id && firn_type_is_nested(a)) {
        type->fields = FIRN_NEW_N(arena, firn_field, a->n_fields);
        for (size_t i = 0; i < a->n_fields; i++) {
            FIRN_TRY(unite_field(arena, &a->fields[i], &b->fields[i], path, &type->fields[i], err));
        }
        return FIRN_OK;
    }
    if (firn_type_is_nested(a) || firn_type_is_nested(b)) {
        FIRN_FAIL(err, FIRN_E_TYPE, "column %s is %s in some rows and %s in others", path,
                  firn_type_text(arena, a), firn_type_text(arena, b));
    }
    if (is_number(a) && is_number(b)) {
        unite_numbers(a, b, type);
    } else if (is_timestamp(a) && is_timestamp(b)) {
        type->id = a->id == FIRN_TYPE_TIMESTAMPTZ || b->id == FIRN_TYPE_TIMESTAMPTZ
                       ? FIRN_TYPE_TIMESTAMPTZ
                   : a->id == FIRN_TYPE_TIMESTAMP_NS || b->id == FIRN_TYPE_TIMESTAMP_NS
                       ? FIRN_TYPE_TIMESTAMP_NS
                       : FIRN_TYPE_TIMESTAMP;
    } else {
        *type = (firn_type){.id = FIRN_TYPE_STRING};
    }
    return FIRN_OK;
}
