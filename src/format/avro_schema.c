/* Avro schemas from JSON (specification 1.12, "Schema Declaration", "Names").
 *
 * Invariants of a parsed schema:
 *   1. every pointer in it is non-NULL and every node is complete, cycles included;
 *   2. a cycle always passes through a union, array or map, so finite data exists;
 *   3. encoded_size_min is 0 only for types whose every datum is empty (null, fixed(0), records of such).
 * Nesting of the JSON is bounded by FIRN_AVRO_DEPTH_MAX, but the graph may be deeper through references.
 */
#include "format/avro_schema.h"

#include "base/map.h"
#include "base/vec.h"

#include <assert.h>

/* Least sizes are only ever compared with what memory holds: a sum past this is as good as infinite. */
#define SIZE_MIN_CAP ((size_t)1 << 48)

typedef struct named {
    firn_avro_schema *schema;
    int indirection; /* unions, arrays and maps around its definition */
    bool open;       /* its fields are being parsed */
} named;

typedef struct parser {
    firn_arena *arena;
    firn_map *names; /* full name -> named */
    size_t node_count;
    int depth;
    int indirection;
    firn_err *err;
} parser;

static firn_rc parse_type(parser *p, const json_t *json, const char *space, firn_avro_schema **out);

/* ---- names and attributes ---- */

static const char *const kind_names[] = {
    [FIRN_AVRO_NULL] = "null",   [FIRN_AVRO_BOOLEAN] = "boolean", [FIRN_AVRO_INT] = "int",
    [FIRN_AVRO_LONG] = "long",   [FIRN_AVRO_FLOAT] = "float",     [FIRN_AVRO_DOUBLE] = "double",
    [FIRN_AVRO_BYTES] = "bytes", [FIRN_AVRO_STRING] = "string",   [FIRN_AVRO_RECORD] = "record",
    [FIRN_AVRO_ENUM] = "enum",   [FIRN_AVRO_ARRAY] = "array",     [FIRN_AVRO_MAP] = "map",
    [FIRN_AVRO_UNION] = "union", [FIRN_AVRO_FIXED] = "fixed",
};

const char *firn_avro_kind_name(firn_avro_kind kind)
{
    return kind_names[kind];
}

static bool primitive_from_name(const char *name, firn_avro_kind *out)
{
    for (firn_avro_kind kind = FIRN_AVRO_NULL; kind <= FIRN_AVRO_STRING; kind++) {
        if (firn_streq(name, kind_names[kind])) {
            *out = kind;
            return true;
        }
    }
    return false;
}

static const size_t primitive_size_min[] = {
    [FIRN_AVRO_NULL] = 0,  [FIRN_AVRO_BOOLEAN] = 1, [FIRN_AVRO_INT] = 1,   [FIRN_AVRO_LONG] = 1,
    [FIRN_AVRO_FLOAT] = 4, [FIRN_AVRO_DOUBLE] = 8,  [FIRN_AVRO_BYTES] = 1, [FIRN_AVRO_STRING] = 1,
};

static int32_t attribute_id(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value))
        return -1;
    json_int_t id = json_integer_value(value);
    return id >= 0 && id <= INT32_MAX ? (int32_t)id : -1;
}

static const char *full_name(parser *p, const char *name, const char *space)
{
    if (strchr(name, '.') || !*space)
        return name;
    return firn_arena_printf(p->arena, "%s.%s", space, name);
}

/* The namespace that a full name lives in: "" for none. */
static const char *space_of(parser *p, const char *full)
{
    const char *dot = strrchr(full, '.');
    return dot ? firn_arena_strndup(p->arena, full, (size_t)(dot - full)) : "";
}

static firn_rc new_node(parser *p, firn_avro_kind kind, const json_t *json, firn_avro_schema **out)
{
    if (++p->node_count > FIRN_AVRO_NODES_MAX)
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "more than %d types in one schema", FIRN_AVRO_NODES_MAX);

    firn_avro_schema *node = FIRN_NEW(p->arena, firn_avro_schema);
    *node = (firn_avro_schema){
        .kind = kind,
        .name = kind_names[kind],
        .default_symbol = -1,
        .adjust_to_utc = -1,
        .element_id = -1,
        .key_id = -1,
        .value_id = -1,
        .encoded_size_min = kind <= FIRN_AVRO_STRING ? primitive_size_min[kind] : 1,
        .json = json,
    };
    *out = node;
    return FIRN_OK;
}

static firn_rc parse_strings(parser *p, const json_t *list, const char *key,
                             const char *const **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    if (!list)
        return FIRN_OK;
    if (!json_is_array(list))
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "\"%s\" is not an array", key);

    size_t n = json_array_size(list);
    const char **texts = FIRN_NEW_N(p->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        texts[i] = json_string_value(json_array_get(list, i));
        if (!texts[i])
            FIRN_FAIL(p->err, FIRN_E_CORRUPT, "\"%s\" holds something that is not a string", key);
    }
    *out = texts;
    *count = n;
    return FIRN_OK;
}

/* ---- logical types ---- */

/* Largest p such that every p-digit number fits `size` bytes of two's complement. */
static int decimal_precision_max(size_t size)
{
    if (size == 0)
        return 0;
    if (size > 1000)
        return INT32_MAX; /* beyond any precision in use */
    return (int)(((double)size * 8 - 1) * 0.30102999566398119521);
}

static bool apply_decimal(firn_avro_schema *node)
{
    if (node->kind != FIRN_AVRO_BYTES && node->kind != FIRN_AVRO_FIXED)
        return false;
    const json_t *precision = json_object_get(node->json, "precision");
    const json_t *scale = json_object_get(node->json, "scale");
    if (!json_is_integer(precision) || (scale && !json_is_integer(scale)))
        return false;

    json_int_t p = json_integer_value(precision);
    json_int_t s = scale ? json_integer_value(scale) : 0;
    json_int_t p_max =
        node->kind == FIRN_AVRO_FIXED ? decimal_precision_max(node->fixed_size) : INT32_MAX;
    if (p < 1 || p > p_max || s < 0 || s > p)
        return false;
    node->precision = (int32_t)p;
    node->scale = (int32_t)s;
    return true;
}

static bool apply_map(const firn_avro_schema *node)
{
    if (node->kind != FIRN_AVRO_ARRAY)
        return false;
    const firn_avro_schema *items = node->items;
    return items->kind == FIRN_AVRO_RECORD && items->field_count == 2 &&
           firn_streq(items->fields[0].name, "key") && firn_streq(items->fields[1].name, "value");
}

static bool apply_uuid(const firn_avro_schema *node)
{
    return node->kind == FIRN_AVRO_STRING ||
           (node->kind == FIRN_AVRO_FIXED && node->fixed_size == 16);
}

static void apply_logical(firn_avro_schema *node)
{
    static const struct {
        const char *name;
        firn_avro_logical logical;
        firn_avro_kind base;
    } plain[] = {
        {"date", FIRN_AVRO_DATE, FIRN_AVRO_INT},
        {"time-millis", FIRN_AVRO_TIME_MILLIS, FIRN_AVRO_INT},
        {"time-micros", FIRN_AVRO_TIME_MICROS, FIRN_AVRO_LONG},
        {"timestamp-millis", FIRN_AVRO_TIMESTAMP_MILLIS, FIRN_AVRO_LONG},
        {"timestamp-micros", FIRN_AVRO_TIMESTAMP_MICROS, FIRN_AVRO_LONG},
        {"timestamp-nanos", FIRN_AVRO_TIMESTAMP_NANOS, FIRN_AVRO_LONG},
        {"local-timestamp-millis", FIRN_AVRO_LOCAL_TIMESTAMP_MILLIS, FIRN_AVRO_LONG},
        {"local-timestamp-micros", FIRN_AVRO_LOCAL_TIMESTAMP_MICROS, FIRN_AVRO_LONG},
        {"local-timestamp-nanos", FIRN_AVRO_LOCAL_TIMESTAMP_NANOS, FIRN_AVRO_LONG},
    };
    const json_t *attribute = json_object_get(node->json, "logicalType");
    if (!json_is_string(attribute))
        return;
    const char *name = json_string_value(attribute);

    if (firn_streq(name, "decimal")) {
        node->logical = apply_decimal(node) ? FIRN_AVRO_DECIMAL : FIRN_AVRO_LOGICAL_NONE;
    } else if (firn_streq(name, "uuid")) {
        node->logical = apply_uuid(node) ? FIRN_AVRO_UUID : FIRN_AVRO_LOGICAL_NONE;
    } else if (firn_streq(name, "map")) {
        node->logical = apply_map(node) ? FIRN_AVRO_LOGICAL_MAP : FIRN_AVRO_LOGICAL_NONE;
    } else if (firn_streq(name, "duration")) {
        bool fits = node->kind == FIRN_AVRO_FIXED && node->fixed_size == 12;
        node->logical = fits ? FIRN_AVRO_DURATION : FIRN_AVRO_LOGICAL_NONE;
    } else {
        for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
            if (firn_streq(name, plain[i].name) && node->kind == plain[i].base)
                node->logical = plain[i].logical;
        }
    }
}

static void apply_attributes(firn_avro_schema *node)
{
    const json_t *adjust = json_object_get(node->json, "adjust-to-utc");
    if (json_is_boolean(adjust))
        node->adjust_to_utc = json_is_true(adjust);
    if (node->kind == FIRN_AVRO_ARRAY)
        node->element_id = attribute_id(node->json, "element-id");
    if (node->kind == FIRN_AVRO_MAP) {
        node->key_id = attribute_id(node->json, "key-id");
        node->value_id = attribute_id(node->json, "value-id");
    }
    apply_logical(node);
}

/* ---- complex types ---- */

/* Give a record, enum or fixed its full name and make it known. Writers exist that spell out the same type twice;
 * a repeated definition is fine as long as it is the same, and then `*out` becomes the one known. */
static firn_rc define_name(parser *p, const json_t *json, const char *space, firn_avro_kind kind,
                           firn_avro_schema **out, bool *known)
{
    *known = false;
    const char *name = json_string_value(json_object_get(json, "name"));
    if (!name || !*name)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "a type \"%s\" has no name", kind_names[kind]);
    const char *own_space = json_string_value(json_object_get(json, "namespace"));
    const char *full = full_name(p, name, own_space ? own_space : space);

    named *before = firn_map_get(p->names, full);
    if (before) {
        if (before->open || !json_equal(before->schema->json, json))
            FIRN_FAIL(p->err, FIRN_E_CORRUPT, "type \"%s\" is defined twice", full);
        *out = before->schema;
        *known = true;
        return FIRN_OK;
    }

    FIRN_TRY(new_node(p, kind, json, out));
    firn_avro_schema *node = *out;
    node->name = full;
    FIRN_TRY(parse_strings(p, json_object_get(json, "aliases"), "aliases", &node->aliases,
                           &node->alias_count));
    const char *type_space = space_of(p, full);
    const char **aliases = FIRN_NEW_N(p->arena, const char *, node->alias_count);
    for (size_t i = 0; i < node->alias_count; i++)
        aliases[i] = full_name(p, node->aliases[i], type_space);
    node->aliases = aliases;

    named *entry = FIRN_NEW(p->arena, named);
    *entry = (named){.schema = node, .indirection = p->indirection};
    (void)firn_map_put(p->names, full, entry);
    return FIRN_OK;
}

static firn_rc parse_field(parser *p, const json_t *json, const char *space, firn_avro_field *out)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    if (!name || !*name)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "a field has no name");

    *out = (firn_avro_field){
        .name = name,
        .default_value = json_object_get(json, "default"),
        .field_id = attribute_id(json, "field-id"),
        .json = json,
    };
    FIRN_TRY(parse_strings(p, json_object_get(json, "aliases"), "aliases", &out->aliases,
                           &out->alias_count));

    const json_t *type_json = json_object_get(json, "type");
    if (!type_json)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "field \"%s\" has no type", name);
    firn_avro_schema *type;
    firn_rc rc = parse_type(p, type_json, space, &type);
    if (rc != FIRN_OK)
        return firn_err_wrap(p->err, rc, "field \"%s\"", name);
    out->type = type;
    return FIRN_OK;
}

static firn_rc parse_record(parser *p, const json_t *json, const char *space,
                            firn_avro_schema **out)
{
    bool known;
    FIRN_TRY(define_name(p, json, space, FIRN_AVRO_RECORD, out, &known));
    if (known)
        return FIRN_OK;

    firn_avro_schema *node = *out;
    const json_t *list = json_object_get(json, "fields");
    if (!json_is_array(list))
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "record \"%s\" has no array of fields", node->name);
    named *entry = firn_map_get(p->names, node->name);
    entry->open = true;

    size_t count = json_array_size(list);
    firn_avro_field *fields = FIRN_NEW_N(p->arena, firn_avro_field, count);
    firn_map *seen = firn_map_new(p->arena);
    const char *inner_space = space_of(p, node->name);
    size_t size_min = 0;
    for (size_t i = 0; i < count; i++) {
        firn_rc rc = parse_field(p, json_array_get(list, i), inner_space, &fields[i]);
        if (rc != FIRN_OK)
            return firn_err_wrap(p->err, rc, "record \"%s\"", node->name);
        if (firn_map_put(seen, fields[i].name, &fields[i])) {
            FIRN_FAIL(p->err, FIRN_E_CORRUPT, "record \"%s\" has two fields \"%s\"", node->name,
                      fields[i].name);
        }
        size_min += fields[i].type->encoded_size_min;
        if (size_min > SIZE_MIN_CAP)
            size_min = SIZE_MIN_CAP;
    }
    node->fields = fields;
    node->field_count = count;
    node->encoded_size_min = size_min;
    entry->open = false;
    return FIRN_OK;
}

static firn_rc parse_enum(parser *p, const json_t *json, const char *space, firn_avro_schema **out)
{
    bool known;
    FIRN_TRY(define_name(p, json, space, FIRN_AVRO_ENUM, out, &known));
    if (known)
        return FIRN_OK;

    firn_avro_schema *node = *out;
    FIRN_TRY(parse_strings(p, json_object_get(json, "symbols"), "symbols", &node->symbols,
                           &node->symbol_count));
    if (node->symbol_count == 0)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "enum \"%s\" has no symbols", node->name);

    const char *fallback = json_string_value(json_object_get(json, "default"));
    firn_map *seen = firn_map_new(p->arena);
    for (size_t i = 0; i < node->symbol_count; i++) {
        if (firn_map_put(seen, node->symbols[i], node)) {
            FIRN_FAIL(p->err, FIRN_E_CORRUPT, "enum \"%s\" has symbol \"%s\" twice", node->name,
                      node->symbols[i]);
        }
        if (fallback && firn_streq(fallback, node->symbols[i]))
            node->default_symbol = (int32_t)i;
    }
    if (fallback && node->default_symbol < 0) {
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "enum \"%s\": its default \"%s\" is not a symbol",
                  node->name, fallback);
    }
    return FIRN_OK;
}

static firn_rc parse_fixed(parser *p, const json_t *json, const char *space, firn_avro_schema **out)
{
    bool known;
    FIRN_TRY(define_name(p, json, space, FIRN_AVRO_FIXED, out, &known));
    if (known)
        return FIRN_OK;

    const json_t *size = json_object_get(json, "size");
    json_int_t bytes = json_integer_value(size);
    if (!json_is_integer(size) || bytes < 0)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "fixed \"%s\" has no size", (*out)->name);
    if (bytes > FIRN_AVRO_FIXED_BYTES_MAX) {
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "fixed \"%s\" of %lld bytes; the most is %d", (*out)->name,
                  (long long)bytes, FIRN_AVRO_FIXED_BYTES_MAX);
    }
    (*out)->fixed_size = (size_t)bytes;
    (*out)->encoded_size_min = (size_t)bytes;
    apply_attributes(*out);
    return FIRN_OK;
}

static firn_rc parse_container(parser *p, const json_t *json, const char *space,
                               firn_avro_kind kind, firn_avro_schema **out)
{
    const char *key = kind == FIRN_AVRO_ARRAY ? "items" : "values";
    const json_t *items_json = json_object_get(json, key);
    if (!items_json)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "a type \"%s\" has no \"%s\"", kind_names[kind], key);

    FIRN_TRY(new_node(p, kind, json, out));
    firn_avro_schema *items;
    p->indirection++;
    firn_rc rc = parse_type(p, items_json, space, &items);
    p->indirection--;
    if (rc != FIRN_OK)
        return firn_err_wrap(p->err, rc, "%s", key);
    (*out)->items = items;
    apply_attributes(*out);
    return FIRN_OK;
}

static firn_rc parse_union(parser *p, const json_t *json, const char *space, firn_avro_schema **out)
{
    size_t count = json_array_size(json);
    if (count == 0)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "a union without branches");

    FIRN_TRY(new_node(p, FIRN_AVRO_UNION, json, out));
    const firn_avro_schema **branches = FIRN_NEW_N(p->arena, const firn_avro_schema *, count);
    firn_map *seen = firn_map_new(p->arena);
    p->indirection++;
    for (size_t i = 0; i < count; i++) {
        firn_avro_schema *branch;
        FIRN_TRY(parse_type(p, json_array_get(json, i), space, &branch));
        if (branch->kind == FIRN_AVRO_UNION)
            FIRN_FAIL(p->err, FIRN_E_CORRUPT, "a union directly inside a union");
        /* Unnamed types may stand in a union once each, named ones once per name. */
        if (firn_map_put(seen, branch->name, branch))
            FIRN_FAIL(p->err, FIRN_E_CORRUPT, "a union with two branches \"%s\"", branch->name);
        branches[i] = branch;
    }
    p->indirection--;
    (*out)->branches = branches;
    (*out)->branch_count = count;
    return FIRN_OK;
}

static firn_rc parse_reference(parser *p, const char *name, const char *space,
                               firn_avro_schema **out)
{
    const named *entry = firn_map_get(p->names, full_name(p, name, space));
    if (!entry)
        entry = firn_map_get(p->names, name);
    if (!entry)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "unknown type \"%s\"", name);
    if (entry->open && entry->indirection == p->indirection) {
        FIRN_FAIL(p->err, FIRN_E_CORRUPT,
                  "record \"%s\" contains itself without a union, array or map between: no datum "
                  "of it could end",
                  entry->schema->name);
    }
    *out = entry->schema;
    return FIRN_OK;
}

static firn_rc parse_object(parser *p, const json_t *json, const char *space,
                            firn_avro_schema **out)
{
    const json_t *type = json_object_get(json, "type");
    if (json_is_object(type) || json_is_array(type))
        return parse_type(p, type, space,
                          out); /* {"type": {...}}: a wrapper that some writers add */
    const char *name = json_string_value(type);
    if (!name)
        FIRN_FAIL(p->err, FIRN_E_CORRUPT, "a type without \"type\"");

    firn_avro_kind kind;
    if (primitive_from_name(name, &kind)) {
        FIRN_TRY(new_node(p, kind, json, out));
        apply_attributes(*out);
        return FIRN_OK;
    }
    if (firn_streq(name, "record") || firn_streq(name, "error"))
        return parse_record(p, json, space, out);
    if (firn_streq(name, "enum"))
        return parse_enum(p, json, space, out);
    if (firn_streq(name, "fixed"))
        return parse_fixed(p, json, space, out);
    if (firn_streq(name, "array"))
        return parse_container(p, json, space, FIRN_AVRO_ARRAY, out);
    if (firn_streq(name, "map"))
        return parse_container(p, json, space, FIRN_AVRO_MAP, out);
    return parse_reference(p, name, space, out);
}

static firn_rc parse_type(parser *p, const json_t *json, const char *space, firn_avro_schema **out)
{
    if (p->depth == FIRN_AVRO_DEPTH_MAX)
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "types nested more than %d deep", FIRN_AVRO_DEPTH_MAX);
    p->depth++;

    firn_rc rc;
    firn_avro_kind kind;
    if (json_is_array(json)) {
        rc = parse_union(p, json, space, out);
    } else if (json_is_object(json)) {
        rc = parse_object(p, json, space, out);
    } else if (!json_is_string(json)) {
        rc = firn_err_set(p->err, __FILE__, __LINE__, FIRN_E_CORRUPT,
                          "a type must be a string, an object or an array");
    } else if (primitive_from_name(json_string_value(json), &kind)) {
        rc = new_node(p, kind, json, out);
    } else {
        rc = parse_reference(p, json_string_value(json), space, out);
    }
    p->depth--;
    return rc;
}

/* ---- public ---- */

static firn_rc parse_document(parser *p, json_t *json, const char *what,
                              const firn_avro_schema **out)
{
    firn_json_own(p->arena, json_incref(json));
    firn_avro_schema *schema;
    firn_rc rc = parse_type(p, json, "", &schema);
    if (rc != FIRN_OK)
        return firn_err_wrap(p->err, rc, "%s: not a usable Avro schema", what);
    *out = schema;
    return FIRN_OK;
}

static firn_rc read_document(firn_arena *arena, firn_bytes text, const char *what, json_t **out,
                             firn_err *err)
{
    if (text.len > FIRN_AVRO_SCHEMA_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: an Avro schema of %zu bytes; the most is %d", what,
                  text.len, FIRN_AVRO_SCHEMA_BYTES_MAX);
    }
    /* Some writers leave the quotes of a bare name off. */
    firn_avro_kind kind;
    if (text.len > 0 && text.len <= 8) {
        char *bare = firn_arena_strndup(arena, (const char *)text.data, text.len);
        if (primitive_from_name(bare, &kind)) {
            *out = firn_json_own(arena, json_string(bare));
            return FIRN_OK;
        }
    }
    return firn_json_parse(arena, text, what, out, err);
}

firn_rc firn_avro_schema_from_json(firn_arena *arena, json_t *json, const char *what,
                                   const firn_avro_schema **out, firn_err *err)
{
    parser p = {.arena = arena, .names = firn_map_new(arena), .err = err};
    return parse_document(&p, json, what, out);
}

firn_rc firn_avro_schema_parse_all(firn_arena *arena, const firn_bytes *texts, size_t n,
                                   const char *what, const firn_avro_schema **out, firn_err *err)
{
    assert(n > 0);
    parser p = {.arena = arena, .names = firn_map_new(arena), .err = err};
    for (size_t i = 0; i < n; i++) {
        json_t *json;
        FIRN_TRY(read_document(arena, texts[i], what, &json, err));
        FIRN_TRY(parse_document(&p, json, what, out));
    }
    return FIRN_OK;
}

firn_rc firn_avro_schema_parse(firn_arena *arena, firn_bytes text, const char *what,
                               const firn_avro_schema **out, firn_err *err)
{
    return firn_avro_schema_parse_all(arena, &text, 1, what, out, err);
}

const firn_avro_schema *firn_avro_schema_wrap(firn_arena *arena, const firn_avro_schema *type,
                                              const char *field)
{
    json_t *field_json =
        json_pack("{s:s, s:O}", "name", field, "type", (json_t *)(uintptr_t)type->json);
    json_t *json = json_pack("{s:s, s:s, s:[o]}", "type", "record", "name", "firn_wrapped",
                             "fields", field_json);
    firn_json_own(arena, json);
    firn_avro_field *fields = FIRN_NEW(arena, firn_avro_field);
    *fields = (firn_avro_field){
        .name = firn_arena_strdup(arena, field), .type = type, .field_id = -1, .json = field_json};
    firn_avro_schema *record = FIRN_NEW(arena, firn_avro_schema);
    *record = (firn_avro_schema){
        .kind = FIRN_AVRO_RECORD,
        .name = "firn_wrapped",
        .fields = fields,
        .field_count = 1,
        .default_symbol = -1,
        .adjust_to_utc = -1,
        .element_id = -1,
        .key_id = -1,
        .value_id = -1,
        .encoded_size_min = type->encoded_size_min,
        .json = json,
    };
    return record;
}

const firn_avro_field *firn_avro_schema_field(const firn_avro_schema *record, const char *name)
{
    assert(record->kind == FIRN_AVRO_RECORD);
    for (size_t i = 0; i < record->field_count; i++) {
        if (firn_streq(record->fields[i].name, name))
            return &record->fields[i];
    }
    return NULL;
}

const firn_avro_field *firn_avro_schema_field_by_id(const firn_avro_schema *record,
                                                    int32_t field_id)
{
    assert(record->kind == FIRN_AVRO_RECORD);
    for (size_t i = 0; i < record->field_count; i++) {
        if (record->fields[i].field_id == field_id)
            return &record->fields[i];
    }
    return NULL;
}

const firn_avro_schema *firn_avro_schema_unwrap(const firn_avro_schema *schema, bool *nullable)
{
    bool has_null = false;
    const firn_avro_schema *inner = schema;
    if (schema->kind == FIRN_AVRO_UNION && schema->branch_count == 1) {
        inner = schema->branches[0];
    } else if (schema->kind == FIRN_AVRO_UNION && schema->branch_count == 2) {
        for (int i = 0; i < 2 && !has_null; i++) {
            has_null = schema->branches[i]->kind == FIRN_AVRO_NULL;
            inner = has_null ? schema->branches[1 - i] : schema;
        }
    }
    if (nullable)
        *nullable = has_null;
    return inner;
}
