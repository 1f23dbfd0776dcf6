/* Name mapping (spec: "Column Projection", "Name Mapping Serialization"): field ids for data files that carry
 * none, by the names of their columns. */
#include "name_mapping_private.h"
#include "schema_private.h"

typedef struct mapping_reader {
    firn_arena *arena;
    int depth;
    size_t n_fields;
} mapping_reader;

static const char mapping_what[] = "name mapping (schema.name-mapping.default)";

static firn_rc read_fields(mapping_reader *reader, const json_t *list,
                           firn_name_mapping_field **fields, size_t *n, firn_err *err);

static firn_rc read_mapping(mapping_reader *reader, const json_t *json,
                            firn_name_mapping_field *field, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: Cannot parse non-object mapping field", mapping_what);
    json_t *names = NULL, *inner = NULL;
    FIRN_TRY(firn_json_opt_i32(json, "field-id", mapping_what, -1, &field->field_id, err));
    FIRN_TRY(firn_json_opt_array(json, "names", mapping_what, &names, err));
    FIRN_TRY(firn_json_opt_array(json, "fields", mapping_what, &inner, err));
    field->n_names = json_array_size(names);
    field->names = FIRN_NEW_N(reader->arena, const char *, field->n_names);
    for (size_t i = 0; i < field->n_names; i++) {
        field->names[i] = json_string_value(json_array_get(names, i));
        if (!field->names[i])
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: names holds something else than strings",
                      mapping_what);
    }
    return inner ? read_fields(reader, inner, &field->fields, &field->n_fields, err) : FIRN_OK;
}

static firn_rc read_fields(mapping_reader *reader, const json_t *list,
                           firn_name_mapping_field **fields, size_t *n, firn_err *err)
{
    if (reader->depth >= FIRN_TYPE_DEPTH_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: nested more than %d deep", mapping_what,
                  FIRN_TYPE_DEPTH_MAX);
    *n = json_array_size(list);
    reader->n_fields += *n;
    if (reader->n_fields > FIRN_SCHEMA_FIELDS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: more than %d fields", mapping_what,
                  FIRN_SCHEMA_FIELDS_MAX);
    *fields = FIRN_NEW_N(reader->arena, firn_name_mapping_field, *n);
    reader->depth++;
    for (size_t i = 0; i < *n; i++)
        FIRN_TRY(read_mapping(reader, json_array_get(list, i), &(*fields)[i], err));
    reader->depth--;
    return FIRN_OK;
}

firn_rc firn_name_mapping_parse(firn_arena *arena, const char *json_text,
                                firn_name_mapping_field **fields, size_t *n, firn_err *err)
{
    json_t *json = NULL;
    FIRN_TRY(firn_json_parse(arena, firn_bytes_str(json_text), mapping_what, &json, err));
    if (!json_is_array(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: Cannot parse non-array mapping fields", mapping_what);
    mapping_reader reader = {.arena = arena};
    return read_fields(&reader, json, fields, n, err);
}

/* ---- from a schema ---- */

json_t *firn_name_mapping_of_type(const firn_type *type)
{
    json_t *list = json_array();
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        json_t *json = json_object();
        json_t *names = json_array();
        json_array_append_new(names, json_string(field->name));
        json_object_set_new(json, "field-id", json_integer(field->id));
        json_object_set_new(json, "names", names);
        if (field->type->n_fields > 0)
            json_object_set_new(json, "fields", firn_name_mapping_of_type(field->type));
        json_array_append_new(list, json);
    }
    return list;
}

const firn_name_mapping_field *firn_name_mapping_find(const firn_name_mapping_field *fields,
                                                      size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < fields[i].n_names; k++) {
            if (firn_streq(fields[i].names[k], name)) {
                return &fields[i];
            }
        }
    }
    return NULL;
}

char *firn_name_mapping_of_schema(firn_arena *arena, const firn_schema *schema)
{
    json_t *json = firn_json_own(arena, firn_name_mapping_of_type(&schema->root));
    return firn_json_text(arena, json);
}

/* ---- after a schema change ---- */

static bool holds_name(const json_t *names, const char *name)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *text = json_string_value(json_array_get(names, i));
        if (text && firn_streq(text, name))
            return true;
    }
    return false;
}

/* A name belongs to the field that has it now; whoever had it before loses it. */
static void take_name_from_others(json_t *list, const char *name, const json_t *owner)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *other = json_array_get(list, i);
        json_t *names = json_object_get(other, "names");
        for (size_t k = json_array_size(names); other != owner && k > 0; k--) {
            const char *text = json_string_value(json_array_get(names, k - 1));
            if (text && firn_streq(text, name))
                json_array_remove(names, k - 1);
        }
    }
}

static json_t *find_mapping(const json_t *list, int32_t field_id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *json = json_array_get(list, i);
        if (json_is_integer(json_object_get(json, "field-id")) &&
            json_integer_value(json_object_get(json, "field-id")) == field_id)
            return json;
    }
    return NULL;
}

void firn_name_mapping_update(json_t *list, const firn_type *type, const firn_schema *old_schema)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        json_t *json = find_mapping(list, field->id);
        if (!json) {
            if (firn_schema_find_id(old_schema, field->id))
                continue; /* left out of the mapping on purpose */
            const firn_type only = {
                .id = FIRN_TYPE_STRUCT, .fields = (firn_field *)field, .n_fields = 1};
            json_t *added = firn_name_mapping_of_type(&only);
            json = json_array_get(added, 0);
            json_array_append(list, json);
            json_decref(added);
        }
        json_t *names = json_object_get(json, "names");
        if (!names) {
            json_object_set_new(json, "names", json_array());
            names = json_object_get(json, "names");
        }
        const firn_field *old = firn_schema_find_id(old_schema, field->id);
        bool renamed = !old || !firn_streq(old->name, field->name);
        if (renamed && !holds_name(names, field->name))
            json_array_append_new(names, json_string(field->name));
        if (renamed)
            take_name_from_others(list, field->name, json);
        json_t *inner = json_object_get(json, "fields");
        if (inner)
            firn_name_mapping_update(inner, field->type, old_schema);
    }
}
