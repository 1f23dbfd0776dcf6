/* Partition specs: JSON form, tuple type, paths and the rules they obey (spec: "Partitioning"). */
#include "partition_private.h"
#include "schema_private.h"

#include "base/map.h"

/* ---- JSON ---- */

/* "source-id", or v3's "source-ids" for transforms of several columns. */
static firn_rc read_sources(firn_arena *arena, const json_t *json, const char *what,
                            firn_partition_field *field, firn_err *err)
{
    json_t *ids = NULL;
    FIRN_TRY(firn_json_opt_array(json, "source-ids", what, &ids, err));
    size_t n = json_array_size(ids);
    if (n == 0) {
        FIRN_TRY(firn_json_i32(json, "source-id", what, &field->source_id, err));
        field->n_source_ids = 1;
        field->source_ids = firn_arena_memdup(arena, &field->source_id, sizeof(int32_t));
        return FIRN_OK;
    }
    field->source_ids = FIRN_NEW_N(arena, int32_t, n);
    field->n_source_ids = n;
    for (size_t i = 0; i < n; i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        if (!json_is_integer(json_array_get(ids, i)) || id < INT32_MIN || id > INT32_MAX)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: source-ids holds something else than ids", what);
        field->source_ids[i] = (int32_t)id;
    }
    field->source_id = field->source_ids[0];
    return FIRN_OK;
}

static firn_rc read_field(firn_arena *arena, const json_t *json, const char *what,
                          firn_partition_field *field, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a partition field is not a JSON object", what);
    const char *name = NULL, *transform = NULL;
    FIRN_TRY(firn_json_str(json, "name", what, &name, err));
    FIRN_TRY(firn_json_str(json, "transform", what, &transform, err));
    field->name = firn_arena_strdup(arena, name);
    field->transform = firn_transform_parse(arena, transform);
    FIRN_TRY(read_sources(arena, json, what, field, err));
    if (field->n_source_ids > 1 && field->transform.kind != FIRN_TRANSFORM_UNKNOWN) {
        field->transform.kind =
            FIRN_TRANSFORM_UNKNOWN; /* no transform of several columns is known */
        field->transform.param = 0;
    }
    return firn_json_opt_i32(json, "field-id", what, -1, &field->field_id, err);
}

firn_rc firn_partition_fields_from_json(firn_arena *arena, const json_t *fields, const char *what,
                                        firn_partition_spec *spec, firn_err *err)
{
    size_t n = json_array_size(fields), n_with_id = 0;
    if (n > FIRN_SPEC_FIELDS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: a partition spec has more than %d fields", what,
                  FIRN_SPEC_FIELDS_MAX);
    spec->fields = FIRN_NEW_N(arena, firn_partition_field, n);
    spec->n_fields = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *json = json_array_get(fields, i);
        FIRN_TRY(read_field(arena, json, what, &spec->fields[i], err));
        if (json_object_get(json, "field-id"))
            n_with_id++;
        else /* old v1 specs: always numbered from 1000 */
            spec->fields[i].field_id = FIRN_PARTITION_ID_START + (int32_t)i;
    }
    if (n_with_id != 0 && n_with_id != n)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: Cannot parse spec with missing field IDs: %zu missing of %zu fields", what,
                  n - n_with_id, n);
    return FIRN_OK;
}

firn_rc firn_partition_spec_from_json(firn_arena *arena, const json_t *json, const char *what,
                                      firn_partition_spec **out, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a partition spec is not a JSON object", what);
    firn_partition_spec *spec = FIRN_NEW(arena, firn_partition_spec);
    json_t *fields = NULL;
    FIRN_TRY(firn_json_opt_i32(json, "spec-id", what, 0, &spec->spec_id, err));
    FIRN_TRY(firn_json_array(json, "fields", what, &fields, err));
    FIRN_TRY(firn_partition_fields_from_json(arena, fields, what, spec, err));
    *out = spec;
    return FIRN_OK;
}

json_t *firn_partition_fields_to_json(const firn_partition_spec *spec)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_partition_field *field = &spec->fields[i];
        json_t *json = json_object();
        json_object_set_new(json, "name", json_string(field->name));
        json_object_set_new(json, "transform", json_string(field->transform.name));
        if (field->n_source_ids > 1) {
            json_t *ids = json_array();
            for (size_t k = 0; k < field->n_source_ids; k++)
                json_array_append_new(ids, json_integer(field->source_ids[k]));
            json_object_set_new(json, "source-ids", ids);
        } else {
            json_object_set_new(json, "source-id", json_integer(field->source_id));
        }
        json_object_set_new(json, "field-id", json_integer(field->field_id));
        json_array_append_new(fields, json);
    }
    return fields;
}

json_t *firn_partition_spec_to_json(const firn_partition_spec *spec)
{
    json_t *json = json_object();
    json_object_set_new(json, "spec-id", json_integer(spec->spec_id));
    json_object_set_new(json, "fields", firn_partition_fields_to_json(spec));
    return json;
}

/* ---- what a spec is ---- */

bool firn_partition_spec_is_unpartitioned(const firn_partition_spec *spec)
{
    for (size_t i = 0; i < spec->n_fields; i++) {
        if (spec->fields[i].transform.kind != FIRN_TRANSFORM_VOID)
            return false;
    }
    return true;
}

int32_t firn_partition_last_id(const firn_partition_spec *spec)
{
    int32_t last = FIRN_PARTITION_ID_START - 1;
    for (size_t i = 0; i < spec->n_fields; i++)
        last = spec->fields[i].field_id > last ? spec->fields[i].field_id : last;
    return last;
}

static bool same_sources(const firn_partition_field *a, const firn_partition_field *b)
{
    return a->n_source_ids == b->n_source_ids &&
           memcmp(a->source_ids, b->source_ids, a->n_source_ids * sizeof(int32_t)) == 0;
}

bool firn_partition_spec_compatible(const firn_partition_spec *a, const firn_partition_spec *b)
{
    if (a->n_fields != b->n_fields)
        return false;
    for (size_t i = 0; i < a->n_fields; i++) {
        if (!same_sources(&a->fields[i], &b->fields[i]) ||
            !firn_streq(a->fields[i].transform.name, b->fields[i].transform.name) ||
            !firn_streq(a->fields[i].name, b->fields[i].name))
            return false;
    }
    return true;
}

static const firn_type unknown_type = {.id = FIRN_TYPE_UNKNOWN};

static const firn_type *source_type(const firn_schema *schema, int32_t source_id)
{
    const firn_field *source = firn_schema_find_id(schema, source_id);
    return source ? source->type : &unknown_type;
}

firn_type *firn_partition_type(firn_arena *arena, const firn_partition_spec *spec,
                               const firn_schema *schema)
{
    firn_type *type = FIRN_NEW(arena, firn_type);
    type->id = FIRN_TYPE_STRUCT;
    type->n_fields = spec->n_fields;
    type->fields = FIRN_NEW_N(arena, firn_field, spec->n_fields);
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_partition_field *field = &spec->fields[i];
        type->fields[i] = (firn_field){
            .id = field->field_id,
            .name = firn_arena_strdup(arena, field->name),
            .type = firn_transform_result(arena, &field->transform,
                                          source_type(schema, field->source_id)),
        };
    }
    return type;
}

char *firn_partition_field_text(firn_arena *arena, const firn_partition_field *field)
{
    return firn_arena_printf(arena, "%d: %s: %s(%d)", field->field_id, field->name,
                             field->transform.name, field->source_id);
}

char *firn_partition_default_name(firn_arena *arena, const firn_transform *transform,
                                  const char *column)
{
    switch (transform->kind) {
    case FIRN_TRANSFORM_BUCKET:
        return firn_arena_printf(arena, "%s_bucket_%d", column, transform->param);
    case FIRN_TRANSFORM_TRUNCATE:
        return firn_arena_printf(arena, "%s_trunc_%d", column, transform->param);
    case FIRN_TRANSFORM_VOID: return firn_arena_printf(arena, "%s_null", column);
    case FIRN_TRANSFORM_IDENTITY: return firn_arena_strdup(arena, column);
    default: return firn_arena_printf(arena, "%s_%s", column, transform->name);
    }
}

/* ---- paths ---- */

/* As java.net.URLEncoder: a space is '+', and only letters, digits and ".-*_" stay. */
static void append_encoded(firn_buf *buf, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr(".-*_", byte);
        if (plain)
            firn_buf_putc(buf, byte);
        else if (byte == ' ')
            firn_buf_putc(buf, '+');
        else
            firn_buf_printf(buf, "%%%02X", byte);
    }
}

char *firn_partition_path(firn_arena *arena, const firn_partition_spec *spec,
                          const firn_schema *schema, const firn_value *values)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_partition_field *field = &spec->fields[i];
        const firn_type *source = source_type(schema, field->source_id);
        if (i > 0)
            firn_buf_putc(&buf, '/');
        append_encoded(&buf, field->name);
        firn_buf_putc(&buf, '=');
        append_encoded(&buf, firn_transform_human(arena, &field->transform, source, &values[i]));
    }
    return firn_arena_strndup(arena, (const char *)buf.data, buf.len);
}

/* ---- rules ---- */

static firn_rc check_field(const firn_partition_field *field, const firn_schema *schema,
                           firn_err *err)
{
    if (field->transform.kind == FIRN_TRANSFORM_VOID)
        return FIRN_OK;
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(schema, field->source_id, chain);
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    if (n == 0)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot find source column for partition field: %s; drop the partition field "
                  "before its column",
                  firn_partition_field_text(scratch, field));
    const firn_type *type = chain[n - 1]->type;
    if (firn_type_is_nested(type))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot partition by non-primitive source field: %s",
                  firn_type_text(scratch, type));
    FIRN_TRY(firn_transform_check(&field->transform, type, err));
    for (size_t i = 0; i + 1 < n; i++) {
        if (chain[i]->type->id != FIRN_TYPE_STRUCT)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Invalid partition field parent: %s; a partition value must come from a "
                      "column or a struct's field, not from within a list or map",
                      firn_type_text(scratch, chain[i]->type));
    }
    return FIRN_OK;
}

firn_rc firn_partition_spec_check(const firn_partition_spec *spec, const firn_schema *schema,
                                  firn_err *err)
{
    for (size_t i = 0; i < spec->n_fields; i++)
        FIRN_TRY(check_field(&spec->fields[i], schema, err));
    return FIRN_OK;
}

firn_rc firn_partition_names_check(const firn_partition_spec *spec, const firn_schema *schema,
                                   firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_map *names = firn_map_new(scratch);
    firn_imap *ids = firn_imap_new(scratch);
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_partition_field *field = &spec->fields[i];
        const firn_field *column = firn_schema_find_name(schema, field->name, true);
        if (*field->name == '\0')
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot use empty partition name for field %d",
                      field->field_id);
        if (column && column->id != field->source_id &&
            firn_schema_find_id(schema, field->source_id))
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot create partition field %s: the table has a column of that name, and "
                      "the partition is not made from it; give the partition field another name",
                      field->name);
        if (firn_map_put(names, field->name, (void *)field))
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot use partition name more than once: %s",
                      field->name);
        if (firn_imap_put(ids, field->field_id, (void *)field))
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot use partition field id more than once: %d",
                      field->field_id);
    }
    return FIRN_OK;
}
