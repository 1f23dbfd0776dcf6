/* Types: their text, their JSON form and comparisons (spec: "Schemas and Data Types", Appendix C).
 *
 * A type read from JSON borrows names, docs and defaults from that JSON, of which the arena then holds a
 * reference; no string is copied per field.
 */
#include "schema_private.h"

#include "base/map.h"

#include <ctype.h>

static const struct {
    const char *name;
    firn_type_id id;
    int min_version;
} simple_types[] = {
    {"unknown", FIRN_TYPE_UNKNOWN, 3},
    {"boolean", FIRN_TYPE_BOOLEAN, 1},
    {"int", FIRN_TYPE_INT, 1},
    {"long", FIRN_TYPE_LONG, 1},
    {"float", FIRN_TYPE_FLOAT, 1},
    {"double", FIRN_TYPE_DOUBLE, 1},
    {"decimal", FIRN_TYPE_DECIMAL, 1},
    {"date", FIRN_TYPE_DATE, 1},
    {"time", FIRN_TYPE_TIME, 1},
    {"timestamp", FIRN_TYPE_TIMESTAMP, 1},
    {"timestamptz", FIRN_TYPE_TIMESTAMPTZ, 1},
    {"timestamp_ns", FIRN_TYPE_TIMESTAMP_NS, 3},
    {"timestamptz_ns", FIRN_TYPE_TIMESTAMPTZ_NS, 3},
    {"string", FIRN_TYPE_STRING, 1},
    {"uuid", FIRN_TYPE_UUID, 1},
    {"fixed", FIRN_TYPE_FIXED, 1},
    {"binary", FIRN_TYPE_BINARY, 1},
    {"variant", FIRN_TYPE_VARIANT, 3},
    {"geometry", FIRN_TYPE_GEOMETRY, 3},
    {"geography", FIRN_TYPE_GEOGRAPHY, 3},
    {"struct", FIRN_TYPE_STRUCT, 1},
    {"list", FIRN_TYPE_LIST, 1},
    {"map", FIRN_TYPE_MAP, 1},
};

enum { SIMPLE_TYPES_COUNT = sizeof(simple_types) / sizeof(simple_types[0]) };

/* ---- text ---- */

static void append_type(firn_buf *buf, const firn_type *type);

static void append_field(firn_buf *buf, const firn_field *field)
{
    firn_buf_printf(buf, "%d: %s: %s ", field->id, field->name,
                    field->required ? "required" : "optional");
    append_type(buf, field->type);
    if (field->doc)
        firn_buf_printf(buf, " (%s)", field->doc);
}

static void append_geo(firn_buf *buf, const firn_type *type)
{
    firn_buf_puts(buf, simple_types[type->id].name);
    if (!type->crs && !type->algorithm)
        return;
    firn_buf_printf(buf, "(%s", type->crs ? type->crs : "");
    if (type->algorithm)
        firn_buf_printf(buf, ", %s", type->algorithm);
    firn_buf_putc(buf, ')');
}

static void append_type(firn_buf *buf, const firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_DECIMAL:
        firn_buf_printf(buf, "decimal(%d, %d)", type->precision, type->scale);
        return;
    case FIRN_TYPE_FIXED: firn_buf_printf(buf, "fixed[%d]", type->length); return;
    case FIRN_TYPE_GEOMETRY:
    case FIRN_TYPE_GEOGRAPHY: append_geo(buf, type); return;
    case FIRN_TYPE_STRUCT:
        firn_buf_puts(buf, "struct<");
        for (size_t i = 0; i < type->n_fields; i++) {
            if (i > 0)
                firn_buf_puts(buf, ", ");
            append_field(buf, &type->fields[i]);
        }
        firn_buf_putc(buf, '>');
        return;
    case FIRN_TYPE_LIST:
        firn_buf_puts(buf, "list<");
        append_type(buf, type->fields[0].type);
        firn_buf_putc(buf, '>');
        return;
    case FIRN_TYPE_MAP:
        firn_buf_puts(buf, "map<");
        append_type(buf, type->fields[0].type);
        firn_buf_puts(buf, ", ");
        append_type(buf, type->fields[1].type);
        firn_buf_putc(buf, '>');
        return;
    default: firn_buf_puts(buf, simple_types[type->id].name);
    }
}

const char *firn_type_text(firn_arena *arena, const firn_type *type)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    append_type(&buf, type);
    return firn_arena_strndup(arena, (const char *)buf.data, buf.len);
}

/* ---- primitive names ---- */

static const char *skip_space(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

/* A non-negative number of at most nine digits, with blanks around; NULL if there is none. */
static const char *scan_number(const char *text, int32_t *out)
{
    text = skip_space(text);
    int32_t number = 0;
    int digits = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (++digits > 9)
            return NULL;
        number = number * 10 + (*text - '0');
    }
    *out = number;
    return digits > 0 ? skip_space(text) : NULL;
}

/* "(9, 2)" or "[16]" after the name. */
static bool scan_parameters(const char *text, char open, char close, int32_t *first,
                            int32_t *second)
{
    if (*text++ != open || !(text = scan_number(text, first)))
        return false;
    if (second && (*text++ != ',' || !(text = scan_number(text, second))))
        return false;
    return text[0] == close && text[1] == '\0';
}

/* "(crs)" or "(crs, algorithm)"; nothing at all means the defaults. */
static bool scan_geo(firn_arena *arena, const char *text, firn_type *type)
{
    text = skip_space(text);
    if (*text == '\0')
        return true;
    size_t len = strlen(text);
    if (*text != '(' || text[len - 1] != ')')
        return false;
    char *inside = firn_arena_strndup(arena, text + 1, len - 2);
    char *comma = type->id == FIRN_TYPE_GEOGRAPHY ? strrchr(inside, ',') : NULL;
    if (comma) {
        *comma = '\0';
        type->algorithm = firn_str_trim(arena, comma + 1);
    }
    type->crs = firn_str_trim(arena, inside);
    if (strpbrk(inside, "()"))
        return false;
    if (*type->crs == '\0')
        type->crs = NULL;
    if (type->algorithm && *type->algorithm == '\0')
        type->algorithm = NULL;
    return true;
}

static bool scan_suffix(firn_arena *arena, const char *rest, firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_DECIMAL:
        return scan_parameters(rest, '(', ')', &type->precision, &type->scale) &&
               type->precision >= 1 && type->precision <= FIRN_DECIMAL_PRECISION_MAX &&
               type->scale <= FIRN_DECIMAL_PRECISION_MAX;
    case FIRN_TYPE_FIXED: return scan_parameters(rest, '[', ']', &type->length, NULL);
    case FIRN_TYPE_GEOMETRY:
    case FIRN_TYPE_GEOGRAPHY: return scan_geo(arena, rest, type);
    default: return *rest == '\0';
    }
}

firn_type *firn_type_parse_primitive(firn_arena *arena, const char *text)
{
    size_t name_len = 0;
    while (isalnum((unsigned char)text[name_len]) || text[name_len] == '_')
        name_len++;
    char *name = firn_str_lower(arena, firn_arena_strndup(arena, text, name_len));
    for (size_t i = 0; i < SIMPLE_TYPES_COUNT; i++) {
        if (simple_types[i].id >= FIRN_TYPE_STRUCT || !firn_streq(simple_types[i].name, name))
            continue;
        firn_type *type = FIRN_NEW(arena, firn_type);
        type->id = simple_types[i].id;
        return scan_suffix(arena, text + name_len, type) ? type : NULL;
    }
    return NULL;
}

/* ---- comparisons ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && firn_streq(a, b));
}

static bool same_json(const json_t *a, const json_t *b)
{
    return a == b || (a && b && json_equal(a, b));
}

static bool type_equal(const firn_type *a, const firn_type *b, bool with_docs);

static bool field_equal(const firn_field *a, const firn_field *b, bool with_docs)
{
    if (a->id != b->id || a->required != b->required || !firn_streq(a->name, b->name))
        return false;
    if (with_docs &&
        (!same_text(a->doc, b->doc) || !same_json(a->initial_default, b->initial_default) ||
         !same_json(a->write_default, b->write_default)))
        return false;
    return type_equal(a->type, b->type, with_docs);
}

static bool type_equal(const firn_type *a, const firn_type *b, bool with_docs)
{
    if (a->id != b->id || a->precision != b->precision || a->scale != b->scale ||
        a->length != b->length || a->n_fields != b->n_fields || !same_text(a->crs, b->crs) ||
        !same_text(a->algorithm, b->algorithm))
        return false;
    for (size_t i = 0; i < a->n_fields; i++) {
        if (!field_equal(&a->fields[i], &b->fields[i], with_docs))
            return false;
    }
    return true;
}

bool firn_type_equal(const firn_type *a, const firn_type *b)
{
    return type_equal(a, b, false);
}

bool firn_schema_same(const firn_schema *a, const firn_schema *b)
{
    if (a->n_identifier_field_ids != b->n_identifier_field_ids)
        return false;
    for (size_t i = 0; i < a->n_identifier_field_ids; i++) {
        bool found = false;
        for (size_t k = 0; k < b->n_identifier_field_ids && !found; k++)
            found = a->identifier_field_ids[i] == b->identifier_field_ids[k];
        if (!found)
            return false;
    }
    return type_equal(&a->root, &b->root, true);
}

int firn_type_min_version(const firn_type *type)
{
    int version = simple_types[type->id].min_version;
    for (size_t i = 0; i < type->n_fields; i++) {
        int inner = firn_type_min_version(type->fields[i].type);
        version = inner > version ? inner : version;
    }
    return version;
}

bool firn_type_promotable(const firn_type *from, const firn_type *to, int format_version)
{
    if (firn_type_equal(from, to))
        return true;
    switch (from->id) {
    case FIRN_TYPE_INT: return to->id == FIRN_TYPE_LONG;
    case FIRN_TYPE_FLOAT: return to->id == FIRN_TYPE_DOUBLE;
    case FIRN_TYPE_DECIMAL:
        return to->id == FIRN_TYPE_DECIMAL && to->scale == from->scale &&
               to->precision >= from->precision;
    case FIRN_TYPE_DATE:
        return format_version >= 3 &&
               (to->id == FIRN_TYPE_TIMESTAMP || to->id == FIRN_TYPE_TIMESTAMP_NS);
    case FIRN_TYPE_UNKNOWN: return format_version >= 3;
    default: return false;
    }
}

/* ---- JSON ---- */

typedef struct type_reader {
    firn_arena *arena;
    const char *what;
    int depth;
    size_t n_fields;
    firn_imap *ids; /* every field id seen so far */
} type_reader;

static firn_rc read_type(type_reader *reader, const json_t *json, firn_type **out, firn_err *err);

static firn_rc claim_id(type_reader *reader, int32_t id, const char *name, firn_err *err)
{
    if (++reader->n_fields > FIRN_SCHEMA_FIELDS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: schema has more than %d fields", reader->what,
                  FIRN_SCHEMA_FIELDS_MAX);
    /* Partition-spec manifests and freshly made schemas may carry negative or repeated ids nowhere. */
    if (firn_imap_has(reader->ids, id))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: field id %d is used twice (second time by field '%s')",
                  reader->what, id, name);
    firn_imap_put(reader->ids, id, reader);
    return FIRN_OK;
}

static firn_rc read_field(type_reader *reader, const json_t *json, firn_field *field, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a struct field is not a JSON object", reader->what);
    FIRN_TRY(firn_json_i32(json, "id", reader->what, &field->id, err));
    FIRN_TRY(firn_json_str(json, "name", reader->what, &field->name, err));
    FIRN_TRY(firn_json_bool(json, "required", reader->what, &field->required, err));
    FIRN_TRY(firn_json_opt_str(json, "doc", reader->what, NULL, &field->doc, err));
    FIRN_TRY(claim_id(reader, field->id, field->name, err));

    const json_t *type_json = json_object_get(json, "type");
    if (!type_json)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: field '%s' has no type", reader->what, field->name);
    firn_type *type = NULL;
    FIRN_TRY(read_type(reader, type_json, &type, err));
    field->type = type;

    json_t *initial = json_object_get(json, "initial-default");
    json_t *write = json_object_get(json, "write-default");
    field->initial_default = json_is_null(initial) ? NULL : initial;
    field->write_default = json_is_null(write) ? NULL : write;
    return FIRN_OK;
}

static firn_rc check_sibling_names(type_reader *reader, const firn_type *type, firn_err *err)
{
    firn_map *names = firn_map_new(reader->arena);
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *other = firn_map_put(names, type->fields[i].name, &type->fields[i]);
        if (other)
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "%s: Invalid schema: multiple fields for name %s: %d and %d", reader->what,
                      other->name, other->id, type->fields[i].id);
    }
    return FIRN_OK;
}

static firn_rc read_struct(type_reader *reader, const json_t *json, firn_type *type, firn_err *err)
{
    json_t *fields = NULL;
    FIRN_TRY(firn_json_array(json, "fields", reader->what, &fields, err));
    size_t n = json_array_size(fields);
    if (n > FIRN_SCHEMA_FIELDS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: schema has more than %d fields", reader->what,
                  FIRN_SCHEMA_FIELDS_MAX);
    type->fields = FIRN_NEW_N(reader->arena, firn_field, n);
    type->n_fields = n;
    for (size_t i = 0; i < n; i++)
        FIRN_TRY(read_field(reader, json_array_get(fields, i), &type->fields[i], err));
    return check_sibling_names(reader, type, err);
}

/* The element, key or value of a list or map: `name`, its "<name>-id" and, unless it is a key, its
 * "<name>-required". */
static firn_rc read_inner(type_reader *reader, const json_t *json, const char *name,
                          firn_field *field, firn_err *err)
{
    char key[32];
    field->name = name;
    snprintf(key, sizeof(key), "%s-id", name);
    FIRN_TRY(firn_json_i32(json, key, reader->what, &field->id, err));
    FIRN_TRY(claim_id(reader, field->id, name, err));
    if (firn_streq(name, "key")) {
        field->required = true;
    } else {
        snprintf(key, sizeof(key), "%s-required", name);
        FIRN_TRY(firn_json_bool(json, key, reader->what, &field->required, err));
    }
    const json_t *type_json = json_object_get(json, name);
    if (!type_json)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a list or map type has no \"%s\"", reader->what, name);
    firn_type *type = NULL;
    FIRN_TRY(read_type(reader, type_json, &type, err));
    field->type = type;
    return FIRN_OK;
}

static firn_rc read_nested(type_reader *reader, const json_t *json, firn_type *type, firn_err *err)
{
    const char *kind = NULL;
    FIRN_TRY(firn_json_str(json, "type", reader->what, &kind, err));
    if (firn_streq(kind, "struct")) {
        type->id = FIRN_TYPE_STRUCT;
        return read_struct(reader, json, type, err);
    }
    if (firn_streq(kind, "list")) {
        type->id = FIRN_TYPE_LIST;
        type->n_fields = 1;
        type->fields = FIRN_NEW_N(reader->arena, firn_field, 1);
        return read_inner(reader, json, "element", &type->fields[0], err);
    }
    if (firn_streq(kind, "map")) {
        type->id = FIRN_TYPE_MAP;
        type->n_fields = 2;
        type->fields = FIRN_NEW_N(reader->arena, firn_field, 2);
        FIRN_TRY(read_inner(reader, json, "key", &type->fields[0], err));
        return read_inner(reader, json, "value", &type->fields[1], err);
    }
    FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: unknown nested type '%s'", reader->what, kind);
}

static firn_rc read_type(type_reader *reader, const json_t *json, firn_type **out, firn_err *err)
{
    if (json_is_string(json)) {
        *out = firn_type_parse_primitive(reader->arena, json_string_value(json));
        if (!*out)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: Cannot parse type string to primitive: %s",
                      reader->what, json_string_value(json));
        return FIRN_OK;
    }
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a type is neither a name nor a JSON object",
                  reader->what);
    if (reader->depth >= FIRN_TYPE_DEPTH_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: types are nested more than %d deep", reader->what,
                  FIRN_TYPE_DEPTH_MAX);
    reader->depth++;
    *out = FIRN_NEW(reader->arena, firn_type);
    FIRN_TRY(read_nested(reader, json, *out, err));
    reader->depth--;
    return FIRN_OK;
}

firn_rc firn_type_from_json(firn_arena *arena, const json_t *json, const char *what,
                            firn_type **out, firn_err *err)
{
    type_reader reader = {.arena = arena, .what = what, .ids = firn_imap_new(arena)};
    firn_json_own(arena, json_incref((json_t *)json));
    return read_type(&reader, json, out, err);
}

static json_t *field_to_json(const firn_field *field)
{
    json_t *json = json_object();
    json_object_set_new(json, "id", json_integer(field->id));
    json_object_set_new(json, "name", json_string(field->name));
    json_object_set_new(json, "required", json_boolean(field->required));
    json_object_set_new(json, "type", firn_type_to_json(field->type));
    if (field->doc)
        json_object_set_new(json, "doc", json_string(field->doc));
    if (field->initial_default)
        json_object_set(json, "initial-default", field->initial_default);
    if (field->write_default)
        json_object_set(json, "write-default", field->write_default);
    return json;
}

static json_t *primitive_to_json(const firn_type *type)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    append_type(&buf, type);
    return json_string(firn_buf_cstr(&buf));
}

json_t *firn_type_to_json(const firn_type *type)
{
    if (!firn_type_is_nested(type))
        return primitive_to_json(type);
    json_t *json = json_object();
    json_object_set_new(json, "type", json_string(simple_types[type->id].name));
    if (type->id == FIRN_TYPE_STRUCT) {
        json_t *fields = json_array();
        for (size_t i = 0; i < type->n_fields; i++)
            json_array_append_new(fields, field_to_json(&type->fields[i]));
        json_object_set_new(json, "fields", fields);
        return json;
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        char key[32];
        snprintf(key, sizeof(key), "%s-id", field->name);
        json_object_set_new(json, key, json_integer(field->id));
        json_object_set_new(json, field->name, firn_type_to_json(field->type));
        if (type->id == FIRN_TYPE_LIST || i == 1) {
            snprintf(key, sizeof(key), "%s-required", field->name);
            json_object_set_new(json, key, json_boolean(field->required));
        }
    }
    return json;
}
