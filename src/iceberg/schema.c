/* Schemas: JSON form, look-ups by id and by path, fresh ids (spec: "Schemas", "Identifier Field IDs").
 *
 * Paths join names with dots. A name may itself hold dots, so paths are matched against the fields from the
 * left, never split. Within lists and maps "element" and "value" may be left out before a struct's field
 * ("points.x" for "points.element.x"), as in the reference implementation; the full path wins.
 */
#include "iceberg/value.h"

#include "schema_private.h"

#include "base/map.h"

/* ---- JSON ---- */

static firn_rc read_identifiers(firn_arena *arena, const json_t *json, const char *what,
                                firn_schema *schema, firn_err *err)
{
    json_t *ids = NULL;
    FIRN_TRY(firn_json_opt_array(json, "identifier-field-ids", what, &ids, err));
    size_t n = json_array_size(ids);
    schema->identifier_field_ids = FIRN_NEW_N(arena, int32_t, n);
    schema->n_identifier_field_ids = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(ids, i);
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < INT32_MIN || id > INT32_MAX)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: identifier-field-ids holds something else than ids",
                      what);
        schema->identifier_field_ids[i] = (int32_t)id;
    }
    return FIRN_OK;
}

firn_rc firn_schema_from_json(firn_arena *arena, const json_t *json, const char *what,
                              firn_schema **out, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a schema is not a JSON object", what);
    firn_schema *schema = FIRN_NEW(arena, firn_schema);
    FIRN_TRY(firn_json_opt_i32(json, "schema-id", what, 0, &schema->schema_id, err));
    firn_type *root = NULL;
    FIRN_TRY(firn_type_from_json(arena, json, what, &root, err));
    if (root->id != FIRN_TYPE_STRUCT)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: Cannot create schema, not a struct type: %s", what,
                  firn_type_text(arena, root));
    schema->root = *root;
    FIRN_TRY(read_identifiers(arena, json, what, schema, err));
    *out = schema;
    return FIRN_OK;
}

json_t *firn_schema_to_json(const firn_schema *schema)
{
    json_t *json = json_object();
    json_object_set_new(json, "type", json_string("struct"));
    json_object_set_new(json, "schema-id", json_integer(schema->schema_id));
    if (schema->n_identifier_field_ids > 0) {
        json_t *ids = json_array();
        for (size_t i = 0; i < schema->n_identifier_field_ids; i++)
            json_array_append_new(ids, json_integer(schema->identifier_field_ids[i]));
        json_object_set_new(json, "identifier-field-ids", ids);
    }
    json_t *root = firn_type_to_json(&schema->root);
    json_object_set(json, "fields", json_object_get(root, "fields"));
    json_decref(root);
    return json;
}

/* ---- copies ---- */

static void clone_fields(firn_arena *arena, firn_type *type)
{
    type->crs = firn_arena_strdup(arena, type->crs);
    type->algorithm = firn_arena_strdup(arena, type->algorithm);
    if (type->n_fields == 0)
        return;
    type->fields = firn_arena_memdup(arena, type->fields, type->n_fields * sizeof(firn_field));
    for (size_t i = 0; i < type->n_fields; i++) {
        firn_type *inner = firn_arena_memdup(arena, type->fields[i].type, sizeof(firn_type));
        clone_fields(arena, inner);
        type->fields[i].type = inner;
    }
}

firn_schema *firn_schema_clone(firn_arena *arena, const firn_schema *schema)
{
    firn_schema *copy = firn_arena_memdup(arena, schema, sizeof(*schema));
    clone_fields(arena, &copy->root);
    copy->identifier_field_ids = firn_arena_memdup(
        arena, schema->identifier_field_ids, schema->n_identifier_field_ids * sizeof(int32_t));
    return copy;
}

/* ---- by id ---- */

static size_t chain_to(const firn_type *type, int32_t field_id, const firn_field **chain,
                       size_t depth)
{
    for (size_t i = 0; i < type->n_fields && depth < FIRN_TYPE_DEPTH_MAX; i++) {
        const firn_field *field = &type->fields[i];
        chain[depth] = field;
        if (field->id == field_id)
            return depth + 1;
        size_t found = chain_to(field->type, field_id, chain, depth + 1);
        if (found > 0)
            return found;
    }
    return 0;
}

size_t firn_schema_chain(const firn_schema *schema, int32_t field_id,
                         const firn_field *chain[FIRN_TYPE_DEPTH_MAX])
{
    return chain_to(&schema->root, field_id, chain, 0);
}

const firn_field *firn_schema_find_id(const firn_schema *schema, int32_t field_id)
{
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(schema, field_id, chain);
    return n > 0 ? chain[n - 1] : NULL;
}

char *firn_schema_path(firn_arena *arena, const firn_schema *schema, int32_t field_id)
{
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    const char *names[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(schema, field_id, chain);
    for (size_t i = 0; i < n; i++)
        names[i] = chain[i]->name;
    return n > 0 ? firn_str_join(arena, names, n, ".") : NULL;
}

static int32_t highest_id(const firn_type *type)
{
    int32_t highest = 0;
    for (size_t i = 0; i < type->n_fields; i++) {
        int32_t below = highest_id(type->fields[i].type);
        highest = type->fields[i].id > highest ? type->fields[i].id : highest;
        highest = below > highest ? below : highest;
    }
    return highest;
}

int32_t firn_schema_highest_id(const firn_schema *schema)
{
    return highest_id(&schema->root);
}

/* ---- by path ---- */

static bool name_matches(const char *path, const char *name, size_t len, bool case_sensitive)
{
    if (case_sensitive)
        return strncmp(path, name, len) == 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char a = (unsigned char)path[i], b = (unsigned char)name[i];
        a = a >= 'A' && a <= 'Z' ? a + 32 : a;
        b = b >= 'A' && b <= 'Z' ? b + 32 : b;
        if (a != b) /* also stops at the path's end: names hold no NUL */
            return false;
    }
    return true;
}

typedef struct path_search {
    bool case_sensitive;
    bool short_names;
    size_t n_found;
    const firn_field *found;
} path_search;

static void search_path(path_search *search, const firn_type *type, const char *path)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        size_t len = strlen(field->name);
        if (name_matches(path, field->name, len, search->case_sensitive)) {
            if (path[len] == '\0' && search->found != field) {
                search->n_found++;
                search->found = field;
            } else if (path[len] == '.') {
                search_path(search, field->type, path + len + 1);
            }
        }
        if (search->short_names && type->id != FIRN_TYPE_STRUCT &&
            !firn_streq(field->name, "key") && field->type->id == FIRN_TYPE_STRUCT)
            search_path(search, field->type, path);
    }
}

const firn_field *firn_schema_find_name(const firn_schema *schema, const char *path,
                                        bool case_sensitive)
{
    for (int relaxed = 0; relaxed <= (case_sensitive ? 0 : 1); relaxed++) {
        for (int shortened = 0; shortened <= 1; shortened++) {
            path_search search = {.case_sensitive = relaxed == 0, .short_names = shortened == 1};
            search_path(&search, &schema->root, path);
            if (search.n_found == 1)
                return search.found;
            if (search.n_found > 1) /* "a.b" may be a column and a field of column "a" */
                return relaxed == 0 ? search.found : NULL;
        }
    }
    return NULL;
}

static void visit_fields(firn_arena *arena, const firn_type *type, const firn_field *parent,
                         const char *prefix, firn_field_visitor visit, void *ctx)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        const char *path =
            prefix ? firn_arena_printf(arena, "%s.%s", prefix, field->name) : field->name;
        visit(ctx, field, parent, path);
        visit_fields(arena, field->type, field, path, visit, ctx);
    }
}

void firn_schema_visit(firn_arena *arena, const firn_schema *schema, firn_field_visitor visit,
                       void *ctx)
{
    visit_fields(arena, &schema->root, NULL, NULL, visit, ctx);
}

/* ---- fresh ids ---- */

/* Ids of a struct's (list's, map's) own fields come before those of what is inside them. `renamed` (may
 * be NULL) collects old id -> pointer to the new field. */
static void assign_ids(firn_arena *arena, firn_type *type, int32_t *last_id, firn_imap *renamed)
{
    if (type->n_fields == 0)
        return;
    type->fields = firn_arena_memdup(arena, type->fields, type->n_fields * sizeof(firn_field));
    for (size_t i = 0; i < type->n_fields; i++) {
        if (renamed)
            firn_imap_put(renamed, type->fields[i].id, &type->fields[i]);
        type->fields[i].id = ++*last_id;
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        firn_type *inner = firn_arena_memdup(arena, type->fields[i].type, sizeof(firn_type));
        assign_ids(arena, inner, last_id, renamed);
        type->fields[i].type = inner;
    }
}

firn_type *firn_type_assign_fresh_ids(firn_arena *arena, const firn_type *type, int32_t *last_id)
{
    firn_type *fresh = firn_arena_memdup(arena, type, sizeof(*type));
    assign_ids(arena, fresh, last_id, NULL);
    return fresh;
}

firn_schema *firn_schema_assign_fresh_ids(firn_arena *arena, const firn_schema *schema,
                                          int32_t *last_id)
{
    firn_imap *renamed = firn_imap_new(arena);
    firn_schema *fresh = firn_arena_memdup(arena, schema, sizeof(*schema));
    assign_ids(arena, &fresh->root, last_id, renamed);
    fresh->identifier_field_ids = FIRN_NEW_N(arena, int32_t, schema->n_identifier_field_ids);
    fresh->n_identifier_field_ids = 0;
    for (size_t i = 0; i < schema->n_identifier_field_ids; i++) {
        const firn_field *field = firn_imap_get(renamed, schema->identifier_field_ids[i]);
        if (field)
            fresh->identifier_field_ids[fresh->n_identifier_field_ids++] = field->id;
    }
    return fresh;
}

/* ---- rules ---- */

static firn_rc check_versions(const firn_schema *schema, const firn_type *type, int format_version,
                              firn_err *err)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        /* A nested field's own demand comes from inside it and is reported there. */
        int needs = firn_type_is_nested(field->type) ? 1 : firn_type_min_version(field->type);
        bool has_default = field->initial_default != NULL;
        if (needs > format_version || (has_default && format_version < 3)) {
            FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
            const char *path = firn_schema_path(scratch, schema, field->id);
            if (needs > format_version)
                FIRN_FAIL(err, FIRN_E_INVALID,
                          "Invalid schema for v%d: Invalid type for %s: %s is not supported until "
                          "v%d; upgrade the table to format version %d first",
                          format_version, path, firn_type_text(scratch, field->type), needs, needs);
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Invalid schema for v%d: Invalid initial default for %s: non-null default "
                      "(%s) is not supported until v3; upgrade the table to format version 3 first",
                      format_version, path, firn_json_text(scratch, field->initial_default));
        }
        FIRN_TRY(check_versions(schema, field->type, format_version, err));
    }
    return FIRN_OK;
}

firn_rc firn_schema_check_version(const firn_schema *schema, int format_version, firn_err *err)
{
    return check_versions(schema, &schema->root, format_version, err);
}

firn_rc firn_schema_check_identifier(const firn_schema *schema, int32_t field_id, firn_err *err)
{
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(schema, field_id, chain);
    if (n == 0)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot add fieldId %d as an identifier field: field does not exist", field_id);
    const firn_field *field = chain[n - 1];
    const char *reason = NULL;
    if (firn_type_is_nested(field->type) || field->type->id == FIRN_TYPE_VARIANT)
        reason = "not a primitive type field";
    else if (!field->required)
        reason = "not a required field";
    else if (field->type->id == FIRN_TYPE_FLOAT || field->type->id == FIRN_TYPE_DOUBLE)
        reason = "must not be float or double field";
    if (reason)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add field %s as an identifier field: %s",
                  field->name, reason);
    for (size_t i = 0; i + 1 < n; i++) {
        if (chain[i]->type->id != FIRN_TYPE_STRUCT)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot add field %s as an identifier field: must not be nested in %s, which "
                      "is a list or map",
                      field->name, chain[i]->name);
        if (!chain[i]->required)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot add field %s as an identifier field: must not be nested in an "
                      "optional field %s",
                      field->name, chain[i]->name);
    }
    return FIRN_OK;
}

firn_rc firn_default_check(firn_arena *arena, const firn_type *type, const json_t *value,
                           const char *what, json_t **out, firn_err *err)
{
    if (!value || json_is_null(value)) {
        *out = NULL;
        return FIRN_OK;
    }
    switch (type->id) {
    case FIRN_TYPE_UNKNOWN:
    case FIRN_TYPE_VARIANT:
    case FIRN_TYPE_GEOMETRY:
    case FIRN_TYPE_GEOGRAPHY:
        FIRN_FAIL(err, FIRN_E_INVALID, "column %s: a column of type %s can only default to null",
                  what, firn_type_text(arena, type));
    case FIRN_TYPE_STRUCT:
        if (!json_is_object(value) || json_object_size(value) > 0)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "column %s: a struct can only default to null or {}; give its fields "
                      "defaults of their own",
                      what);
        break;
    case FIRN_TYPE_LIST:
    case FIRN_TYPE_MAP: break;
    default: {
        firn_value parsed;
        firn_rc rc = firn_value_from_json(arena, type, value, &parsed, err);
        if (rc != FIRN_OK)
            return firn_err_wrap(err, rc, "default of column %s", what);
        *out = firn_json_own(arena, firn_value_to_json(arena, type, &parsed));
        return FIRN_OK;
    }
    }
    *out = firn_json_own(arena, json_deep_copy(value));
    return FIRN_OK;
}
