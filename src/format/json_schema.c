/* JSON Schema as the record that its documents are, written as an Avro schema.
 *
 * A schema is looked at as a shape: what $ref, allOf and a choice with null leave when they are resolved. From the shape comes one type:
 *
 *   string                                string; format date, date-time, time, uuid; contentEncoding base64 is bytes
 *   integer                               long; int where format or connect.type says so; decimal when `maximum` is beyond a long
 *   number                                double; float where format or connect.type says so
 *   object with properties                record; a property is nullable unless it is required and not null
 *   object with additionalProperties      map
 *   array with one schema of items        array
 *   everything else                       string, which holds the value's JSON (format/json_columns.h)
 *
 * Kafka Connect says more than JSON Schema can: "connect.type" is the number's width, bytes or map; a title names Decimal, Date, Time
 * and Timestamp; "connect.index" orders the properties.
 *
 * References expand, so a small text can stand for a large schema: the number of shapes is bounded, and so is their depth. One that is
 * being expanded already is recursive, and a string.
 */
#include "format/json_columns.h"

#include "base/map.h"
#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

enum {
    SHAPES_MAX = 1 << 14,
    REFS_MAX = 32,    /* followed in a row */
    NESTING_MAX = 24, /* of records, arrays and maps */
};

/* A schema object and the document that its local references mean. */
typedef struct place {
    const json_t *json;
    const json_t *document;
} place;

typedef struct property {
    const char *name;
    place at;
    bool required;
    double index; /* connect.index; HUGE_VAL: none */
} property;

typedef struct shape {
    bool nullable;
    bool anything;    /* a choice, or nothing that tells the type: JSON as text */
    const char *type; /* JSON Schema's; NULL: not said */
    place attributes; /* where format, title, connect.* and the like stand */
    place items, values;
    FIRN_VEC(property) properties;
} shape;

typedef struct reading {
    firn_arena *arena;
    const firn_json_schema_reference *references;
    size_t n_references;
    firn_map *documents; /* name -> json_t, those that were parsed */
    size_t shape_count;
    int record_count;
    const json_t *adding[REFS_MAX];      /* what one shape is being put together from */
    const json_t *open[NESTING_MAX + 1]; /* whose columns are being made, outermost first */
    int open_count;
    firn_err *err;
} reading;

static bool is_among(const json_t *const *list, int n, const json_t *json)
{
    for (int i = 0; i < n; i++) {
        if (list[i] == json)
            return true;
    }
    return false;
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static bool says(const json_t *json, const char *key, const char *value)
{
    const char *text = text_of(json, key);
    return text && firn_streq(text, value);
}

/* ---- references ---- */

/* One step of a JSON pointer, with ~1 and ~0 taken back; *rest is moved behind it. */
static char *next_token(firn_arena *arena, const char **rest)
{
    const char *start = *rest;
    size_t len = strcspn(start, "/");
    *rest = start[len] ? start + len + 1 : NULL;
    char *token = firn_arena_strndup(arena, start, len);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = token[i];
        if (c == '~' && (token[i + 1] == '0' || token[i + 1] == '1'))
            c = token[++i] == '0' ? '~' : '/';
        token[n++] = c;
    }
    token[n] = '\0';
    return token;
}

static const json_t *follow_pointer(firn_arena *arena, const json_t *json, const char *pointer)
{
    while (pointer && json) {
        int64_t index;
        const char *token = next_token(arena, &pointer);
        if (json_is_array(json))
            json = firn_parse_i64(token, &index) && index >= 0 ? json_array_get(json, (size_t)index)
                                                               : NULL;
        else
            json = json_object_get(json, token);
    }
    return json;
}

/* A definition of the document that calls itself so: by "$id" or "$anchor". */
static const json_t *find_named(const json_t *document, const char *id, const char *anchor)
{
    static const char *const places[] = {"definitions", "$defs"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *key;
        json_t *definition;
        json_object_foreach(json_object_get(document, places[i]), key, definition)
        {
            if ((id && (says(definition, "$id", id) || says(definition, "id", id))) ||
                (anchor && says(definition, "$anchor", anchor)))
                return definition;
        }
    }
    return NULL;
}

/* Bounds such as "maximum": 18446744073709551615 are no integers for jansson: then all numbers are read as reals. */
static firn_rc parse(firn_arena *arena, const char *text, const char *what, json_t **out,
                     firn_err *err)
{
    firn_rc rc = firn_json_parse(arena, firn_bytes_str(text), what, out, err);
    if (rc == FIRN_OK)
        return FIRN_OK;
    json_t *json = json_loads(text, JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        return rc;
    firn_err_clear(err);
    *out = firn_json_own(arena, json);
    return FIRN_OK;
}

/* The referenced document of that name; *out NULL when there is none. */
static firn_rc load_document(reading *r, const char *name, const json_t **out)
{
    *out = firn_map_get(r->documents, name);
    for (size_t i = 0; !*out && i < r->n_references; i++) {
        if (!firn_streq(r->references[i].name, name))
            continue;
        json_t *json;
        FIRN_TRY(
            firn_json_parse(r->arena, firn_bytes_str(r->references[i].text), name, &json, r->err));
        (void)firn_map_put(r->documents, name, json);
        *out = json;
    }
    return FIRN_OK;
}

static firn_rc resolve(reading *r, const char *ref, place from, place *out)
{
    const char *hash = strchr(ref, '#');
    const char *name =
        hash ? firn_arena_strndup(r->arena, ref, (size_t)(hash - ref)) : (const char *)ref;
    const char *fragment = hash ? hash + 1 : "";
    *out = (place){.json = from.document, .document = from.document};
    if (*name) {
        FIRN_TRY(load_document(r, name, &out->document));
        out->json = out->document;
        if (!out->document) {
            const json_t *inside = find_named(from.document, name, NULL);
            *out = (place){.json = inside, .document = from.document};
        }
    }
    if (*fragment == '/')
        out->json = follow_pointer(r->arena, out->json, fragment + 1);
    else if (*fragment && out->json)
        out->json = find_named(out->json, NULL, fragment);
    if (!out->json)
        FIRN_FAIL(r->err, FIRN_E_NOT_FOUND, "JSON Schema: $ref \"%s\" leads nowhere", ref);
    return FIRN_OK;
}

/* ---- shapes ---- */

static firn_rc add_shape(reading *r, place at, shape *out, int refs);

static bool is_required(const json_t *json, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json, "required"), i, item)
    {
        if (json_is_string(item) && firn_streq(json_string_value(item), name))
            return true;
    }
    return false;
}

static property *find_property(shape *s, const char *name)
{
    for (size_t i = 0; i < s->properties.len; i++) {
        if (firn_streq(s->properties.items[i].name, name))
            return &s->properties.items[i];
    }
    return NULL;
}

static firn_rc count_shape(reading *r)
{
    if (++r->shape_count > SHAPES_MAX)
        FIRN_FAIL(r->err, FIRN_E_LIMIT, "a JSON Schema of more than %d parts", SHAPES_MAX);
    return FIRN_OK;
}

static firn_rc add_properties(reading *r, place at, shape *out)
{
    const char *name;
    json_t *json;
    json_object_foreach(json_object_get(at.json, "properties"), name, json)
    {
        if (!*name)
            continue;
        FIRN_TRY(count_shape(r));
        property *known = find_property(out, name);
        if (known) {
            known->required |= is_required(at.json, name);
            continue;
        }
        const json_t *index = json_object_get(json, "connect.index");
        property added = {
            .name = name,
            .at = {.json = json, .document = at.document},
            .required = is_required(at.json, name),
            .index = json_is_number(index) ? json_number_value(index) : HUGE_VAL,
        };
        firn_vec_push(r->arena, &out->properties, added);
    }
    for (size_t i = 0; i < out->properties.len; i++) /* allOf: [{properties}, {required}] */
        out->properties.items[i].required |= is_required(at.json, out->properties.items[i].name);
    return FIRN_OK;
}

static void set_type(shape *out, const char *type)
{
    if (firn_streq(type, "null"))
        out->nullable = true;
    else if (!out->type || (firn_streq(out->type, "integer") && firn_streq(type, "number")))
        out->type = type;
    else if (!firn_streq(out->type, type) &&
             !(firn_streq(out->type, "number") && firn_streq(type, "integer")))
        out->anything = true;
}

/* "type", or what enum and const say without it. */
static void add_type(const json_t *json, shape *out)
{
    const json_t *type = json_object_get(json, "type");
    const json_t *values = json_object_get(json, "enum"), *value = json_object_get(json, "const");
    size_t i;
    json_t *item;
    if (json_is_string(type))
        set_type(out, json_string_value(type));
    json_array_foreach(type, i, item)
    {
        if (json_is_string(item))
            set_type(out, json_string_value(item));
    }
    json_array_foreach(values, i, item)
    {
        if (json_is_null(item))
            out->nullable = true;
        else if (!type)
            set_type(out, json_is_string(item)    ? "string"
                          : json_is_integer(item) ? "integer"
                          : json_is_number(item)  ? "number"
                          : json_is_boolean(item) ? "boolean"
                                                  : "object");
    }
    if (value && !type && json_is_string(value))
        set_type(out, "string");
    if (json_is_true(json_object_get(json, "nullable")) ||
        json_is_true(json_object_get(json, "x-nullable")))
        out->nullable = true;
}

/* oneOf, anyOf: null and one other are that other. */
static firn_rc add_choice(reading *r, place at, const char *key, shape *out, int refs)
{
    const json_t *choices = json_object_get(at.json, key);
    size_t i;
    json_t *item;
    place only = {0};
    int others = 0;
    if (!json_is_array(choices) || out->type || out->properties.len > 0)
        return FIRN_OK; /* branches of a known type can only narrow it */
    json_array_foreach(choices, i, item)
    {
        if (says(item, "type", "null")) {
            out->nullable = true;
        } else {
            only = (place){.json = item, .document = at.document};
            others++;
        }
    }
    if (others == 1)
        return add_shape(r, only, out, refs);
    out->anything |= others > 1;
    return FIRN_OK;
}

/* Lay what the schema at `at` says over what is known. */
static firn_rc add_shape(reading *r, place at, shape *out, int refs)
{
    size_t i;
    json_t *item;
    FIRN_TRY(count_shape(r));
    if (!json_is_object(at.json)) { /* true, false */
        out->anything = true;
        return FIRN_OK;
    }
    if (refs == REFS_MAX || is_among(r->adding, refs, at.json)) {
        out->anything = true; /* a reference to itself, with nothing between */
        return FIRN_OK;
    }
    r->adding[refs] = at.json;
    const char *ref = text_of(at.json, "$ref");
    if (ref) {
        place there;
        FIRN_TRY(resolve(r, ref, at, &there));
        FIRN_TRY(add_shape(r, there, out, refs + 1));
    }
    add_type(at.json, out);
    if (!ref || json_object_get(at.json, "type"))
        out->attributes = at;
    FIRN_TRY(add_properties(r, at, out));
    json_array_foreach(json_object_get(at.json, "allOf"), i, item)
    {
        place part = {.json = item, .document = at.document};
        place before = out->attributes;
        FIRN_TRY(add_shape(r, part, out, refs + 1));
        if (json_object_get(at.json, "type"))
            out->attributes = before;
    }
    const json_t *items = json_object_get(at.json, "items");
    if (json_is_object(items) && !json_object_get(at.json, "prefixItems"))
        out->items = (place){.json = items, .document = at.document};
    const json_t *values = json_object_get(at.json, "additionalProperties");
    if (json_is_object(values))
        out->values = (place){.json = values, .document = at.document};
    FIRN_TRY(add_choice(r, at, "oneOf", out, refs + 1));
    return add_choice(r, at, "anyOf", out, refs + 1);
}

static int by_index(const void *a, const void *b)
{
    const property *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* qsort is not stable; jansson keeps the text's order, which is kept unless all properties are numbered. */
static void sort_properties(shape *s)
{
    for (size_t i = 0; i < s->properties.len; i++) {
        if (s->properties.items[i].index == HUGE_VAL)
            return;
    }
    if (s->properties.len > 1)
        qsort(s->properties.items, s->properties.len, sizeof *s->properties.items, by_index);
}

static firn_rc shape_of(reading *r, place at, shape *out)
{
    *out = (shape){.attributes = at};
    FIRN_TRY(add_shape(r, at, out, 0));
    if (!out->type && (out->properties.len > 0 || out->values.json))
        out->type = "object";
    sort_properties(out);
    return FIRN_OK;
}

/* ---- types ---- */

static firn_rc type_of(reading *r, place at, const char *name, json_t **out, bool *nullable);

static json_t *logical(const char *base, const char *name)
{
    return json_pack("{s:s, s:s}", "type", base, "logicalType", name);
}

static json_t *decimal(int64_t precision, int64_t scale)
{
    return json_pack("{s:s, s:s, s:I, s:I}", "type", "bytes", "logicalType", "decimal", "precision",
                     (json_int_t)precision, "scale", (json_int_t)scale);
}

/* A number in "connect.parameters", which holds texts. */
static int64_t parameter(const json_t *json, const char *key, int64_t def)
{
    int64_t value;
    const char *text = text_of(json_object_get(json, "connect.parameters"), key);
    return text && firn_parse_i64(text, &value) ? value : def;
}

/* What Kafka Connect means by the title; NULL: nothing of its own. */
static json_t *connect_type(const json_t *json)
{
    enum { DECIMAL_DIGITS = 38 };
    static const char prefix[] = "org.apache.kafka.connect.data.";
    const char *title = text_of(json, "title");
    if (!title || !firn_starts_with(title, prefix))
        return NULL;
    title += strlen(prefix);
    if (firn_streq(title, "Date"))
        return logical("int", "date");
    if (firn_streq(title, "Time"))
        return logical("int", "time-millis");
    if (firn_streq(title, "Timestamp"))
        return logical("long", "timestamp-millis");
    if (!firn_streq(title, "Decimal"))
        return NULL;
    int64_t precision = parameter(json, "connect.decimal.precision", DECIMAL_DIGITS);
    int64_t scale = parameter(json, "scale", 0);
    if (precision < 1 || precision > DECIMAL_DIGITS)
        precision = DECIMAL_DIGITS;
    if (scale < 0 || scale > precision)
        return json_string("string");
    json_t *type = decimal(precision, scale);
    json_object_set_new(type, "firn.base64", json_true()); /* a text is the number's bytes */
    return type;
}

static json_t *string_type(const json_t *json)
{
    if (says(json, "connect.type", "bytes") || says(json, "contentEncoding", "base64"))
        return json_string("bytes");
    if (says(json, "format", "date"))
        return logical("int", "date");
    if (says(json, "format", "date-time"))
        return logical("long", "timestamp-micros");
    if (says(json, "format", "time"))
        return logical("long", "time-micros");
    return json_string("string");
}

static json_t *integer_type(const json_t *json)
{
    const char *connect = text_of(json, "connect.type"), *format = text_of(json, "format");
    if (connect && (firn_streq(connect, "int8") || firn_streq(connect, "int16") ||
                    firn_streq(connect, "int32")))
        return json_string("int");
    if (format && firn_streq(format, "int32"))
        return json_string("int");
    if (format && firn_streq(format, "utc-millisec"))
        return logical("long", "timestamp-millis");
    if (json_number_value(json_object_get(json, "maximum")) > (double)INT64_MAX)
        return decimal(38, 0);
    return json_string("long");
}

static json_t *number_type(const json_t *json)
{
    if (says(json, "connect.type", "float32") || says(json, "format", "float"))
        return json_string("float");
    return json_string("double");
}

static void nullable_type(json_t **type, bool nullable)
{
    if (nullable)
        *type = json_pack("[s, o]", "null", *type);
}

static firn_rc record_type(reading *r, shape *s, const char *name, json_t **out)
{
    json_t *fields = json_array();
    json_t *record = json_pack("{s:s, s:o, s:o}", "type", "record", "name",
                               json_sprintf("%s_%d", name, r->record_count++), "fields", fields);
    if (!record) /* the name is not UTF-8; jansson's own texts always are */
        FIRN_FAIL(r->err, FIRN_E_CORRUPT, "JSON Schema: a name that is not UTF-8");
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < s->properties.len; i++) {
        const property *p = &s->properties.items[i];
        json_t *type;
        bool nullable;
        rc = type_of(r, p->at, p->name, &type, &nullable);
        if (rc != FIRN_OK)
            break;
        nullable |= !p->required;
        nullable_type(&type, nullable);
        json_t *field = json_pack("{s:s, s:o}", "name", p->name, "type", type);
        if (nullable)
            json_object_set_new(field, "default", json_null());
        json_array_append_new(fields, field);
    }
    if (rc != FIRN_OK)
        json_decref(record);
    else
        *out = record;
    return rc;
}

static firn_rc items_type(reading *r, place at, const char *kind, const char *key, json_t **out)
{
    json_t *type;
    bool nullable;
    FIRN_TRY(type_of(r, at, "item", &type, &nullable));
    nullable_type(&type, nullable);
    *out = json_pack("{s:s, s:o}", "type", kind, key, type);
    return FIRN_OK;
}

static firn_rc shape_type(reading *r, shape *s, const char *name, json_t **out)
{
    const json_t *json = s->attributes.json;
    const char *type = s->anything || !s->type ? "" : s->type;
    json_t *connect = *type ? connect_type(json) : NULL;
    *out = NULL;
    if (connect)
        *out = connect;
    else if (firn_streq(type, "string") && says(json, "format", "uuid"))
        *out = json_pack("{s:s, s:o, s:i, s:s}", "type", "fixed", "name",
                         json_sprintf("uuid_%d", r->record_count++), "size", 16, "logicalType",
                         "uuid");
    else if (firn_streq(type, "string"))
        *out = string_type(json);
    else if (firn_streq(type, "integer"))
        *out = integer_type(json);
    else if (firn_streq(type, "number"))
        *out = number_type(json);
    else if (firn_streq(type, "boolean"))
        *out = json_string("boolean");
    else if (firn_streq(type, "object") && s->properties.len > 0)
        return record_type(r, s, name, out);
    else if (firn_streq(type, "object") && s->values.json)
        return items_type(r, s->values, "map", "values", out);
    else if (firn_streq(type, "array") && s->items.json)
        return items_type(r, s->items, "array", "items", out);
    else
        *out = json_string("string");
    if (!s->type && !s->anything) /* only ever null, or nothing said at all */
        s->nullable = true;
    return FIRN_OK;
}

static firn_rc type_of(reading *r, place at, const char *name, json_t **out, bool *nullable)
{
    shape s;
    FIRN_TRY(shape_of(r, at, &s));
    const json_t *own = s.attributes.json;
    *nullable = s.nullable;
    if (r->open_count > NESTING_MAX || is_among(r->open, r->open_count, own)) {
        *out = json_string("string");
        return FIRN_OK;
    }
    r->open[r->open_count++] = own;
    firn_rc rc = shape_type(r, &s, name, out);
    r->open_count--;
    *nullable = s.nullable;
    return rc;
}

/* ---- public ---- */

firn_rc firn_json_schema_avro(firn_arena *arena, const char *text,
                              const firn_json_schema_reference *references, size_t n_references,
                              const firn_avro_schema **out, firn_err *err)
{
    json_t *root;
    FIRN_TRY(parse(arena, text, "JSON Schema", &root, err));
    reading r = {
        .arena = arena,
        .references = references,
        .n_references = n_references,
        .documents = firn_map_new(arena),
        .err = err,
    };
    shape s;
    place at = {.json = root, .document = root};
    FIRN_TRY(shape_of(&r, at, &s));
    if (s.anything || !s.type || !firn_streq(s.type, "object") || s.properties.len == 0) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "this JSON Schema describes no object with properties, so it has no columns");
    }
    json_t *type;
    r.open[r.open_count++] = s.attributes.json;
    FIRN_TRY(record_type(&r, &s, "record", &type));
    return firn_avro_schema_from_json(arena, firn_json_own(arena, type), "the JSON Schema", out,
                                      err);
}
