/* Many files' columns to one schema.
 *
 * Columns are one when their names are equal but for case (a query could not tell them apart); the first spelling names the column and
 * all go into the name mapping. Types widen as Iceberg's evolution allows: int to long, float to double, decimals of one scale.
 * Everything is optional: a file may lack any column. Files of one shape share their footer, so each shape is looked at once.
 */
#include "adopt.h"

#include <string.h>

enum { DEPTH_MAX = 32 };

struct firn_adopt_column {
    const char *name; /* "element", "key", "value" inside lists and maps */
    FIRN_VEC(const char *) names;
    firn_type type;   /* a leaf's; else only its id counts */
    const char *file; /* that brought the type */
    FIRN_VEC(firn_adopt_column) children;
};

/* ---- leaves ------------------------------------------------------------------------------------------------ */

static firn_rc refuse(const char *path, const char *file, const char *what, const char *advice,
                      firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "column %s is %s in %s: %s", path, what, file, advice);
}

static firn_type_id simple_type(const char *duck)
{
    static const struct {
        const char *duck;
        firn_type_id id;
    } TYPES[] = {{"BOOLEAN", FIRN_TYPE_BOOLEAN},
                 {"TINYINT", FIRN_TYPE_INT},
                 {"SMALLINT", FIRN_TYPE_INT},
                 {"INTEGER", FIRN_TYPE_INT},
                 {"UTINYINT", FIRN_TYPE_INT},
                 {"USMALLINT", FIRN_TYPE_INT},
                 {"UINTEGER", FIRN_TYPE_LONG},
                 {"BIGINT", FIRN_TYPE_LONG},
                 {"FLOAT", FIRN_TYPE_FLOAT},
                 {"DOUBLE", FIRN_TYPE_DOUBLE},
                 {"DATE", FIRN_TYPE_DATE},
                 {"TIME", FIRN_TYPE_TIME},
                 {"TIMESTAMP", FIRN_TYPE_TIMESTAMP},
                 {"TIMESTAMP_MS", FIRN_TYPE_TIMESTAMP},
                 {"TIMESTAMP_NS", FIRN_TYPE_TIMESTAMP_NS},
                 {"TIMESTAMP WITH TIME ZONE", FIRN_TYPE_TIMESTAMPTZ},
                 {"VARCHAR", FIRN_TYPE_STRING},
                 {"JSON", FIRN_TYPE_STRING},
                 {"UUID", FIRN_TYPE_UUID},
                 {"BLOB", FIRN_TYPE_BINARY}};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (firn_streq(TYPES[i].duck, duck)) {
            return TYPES[i].id;
        }
    }
    return FIRN_TYPE_VARIANT; /* none of these */
}

firn_rc firn_adopt_leaf_type(firn_arena *arena, const firn_footer_column *column, const char *path,
                             const char *file, firn_type *out, firn_err *err)
{
    const char *duck = column->duck_type != NULL ? column->duck_type : "";
    const char *physical = column->physical != NULL ? column->physical : "";
    bool fixed = firn_streq(physical, "FIXED_LEN_BYTE_ARRAY");
    *out = (firn_type){.id = simple_type(duck)};
    if (firn_streq(duck, "\"NULL\"") || firn_streq(duck, "NULL")) {
        out->id = FIRN_TYPE_UNKNOWN;
    } else if (firn_starts_with(duck, "DECIMAL(")) {
        const firn_type *decimal = firn_type_parse_primitive(arena, firn_str_lower(arena, duck));
        if (decimal == NULL) {
            return refuse(path, file, duck, "Iceberg's decimals have up to 38 digits", err);
        }
        *out = *decimal;
    } else if (fixed && out->id == FIRN_TYPE_BINARY && column->type_length > 0) {
        *out = (firn_type){.id = FIRN_TYPE_FIXED, .length = column->type_length};
    } else if (fixed && out->id == FIRN_TYPE_FLOAT) {
        return refuse(path, file, "a 16-bit float", "Iceberg has no such type; rewrite the files",
                      err);
    } else if (firn_streq(physical, "INT96") && out->id == FIRN_TYPE_TIMESTAMP) {
        out->id = FIRN_TYPE_TIMESTAMPTZ; /* instants, as Hive and Spark wrote them */
    } else if (column->nanoseconds && out->id == FIRN_TYPE_TIMESTAMPTZ) {
        out->id = FIRN_TYPE_TIMESTAMPTZ_NS;
    } else if (out->id == FIRN_TYPE_VARIANT) {
        return refuse(path, file, *duck != '\0' ? duck : "of an unknown type",
                      "Iceberg has no such type; rewrite the files with another", err);
    }
    return FIRN_OK;
}

/* ---- uniting ----------------------------------------------------------------------------------------------- */

/* `wide` holds every value of `narrow`, by Iceberg's promotions. */
static bool holds(const firn_type *wide, const firn_type *narrow)
{
    if (narrow->id == FIRN_TYPE_UNKNOWN) {
        return true;
    }
    if (wide->id == FIRN_TYPE_DECIMAL && narrow->id == FIRN_TYPE_DECIMAL) {
        return wide->scale == narrow->scale && wide->precision >= narrow->precision;
    }
    if (wide->id == FIRN_TYPE_FIXED && narrow->id == FIRN_TYPE_FIXED) {
        return wide->length == narrow->length;
    }
    return wide->id == narrow->id || (wide->id == FIRN_TYPE_LONG && narrow->id == FIRN_TYPE_INT) ||
           (wide->id == FIRN_TYPE_DOUBLE && narrow->id == FIRN_TYPE_FLOAT);
}

static const char *kind_text(firn_arena *arena, const firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_STRUCT: return "a struct";
    case FIRN_TYPE_LIST: return "a list";
    case FIRN_TYPE_MAP: return "a map";
    default: return firn_type_text(arena, type);
    }
}

static firn_rc unite_type(firn_adopter *a, firn_adopt_column *into, const firn_type *type,
                          const char *path, const char *file, firn_err *err)
{
    bool nested = firn_type_is_nested(&into->type) || firn_type_is_nested(type);
    bool null_only = into->type.id == FIRN_TYPE_UNKNOWN;
    if (into->file == NULL || null_only || (!nested && holds(type, &into->type))) {
        if (into->file == NULL || type->id != FIRN_TYPE_UNKNOWN) {
            into->type = *type;
            into->file = file;
        }
        return FIRN_OK;
    }
    if (into->type.id == type->id ? nested || holds(&into->type, type)
                                  : !nested && holds(&into->type, type)) {
        return FIRN_OK;
    }
    if (type->id == FIRN_TYPE_UNKNOWN) {
        return FIRN_OK;
    }
    FIRN_FAIL(err, FIRN_E_TYPE,
              "column %s is %s in %s and %s in %s: no type holds both. Adopt the files apart, or "
              "rewrite one kind",
              path, kind_text(a->arena, &into->type), into->file, kind_text(a->arena, type), file);
}

static firn_adopt_column *child_of(firn_adopter *a, firn_adopt_column *parent, const char *name)
{
    for (size_t i = 0; i < parent->children.len; i++) {
        firn_adopt_column *child = &parent->children.items[i];
        if (!firn_strcaseeq(child->name, name)) {
            continue;
        }
        for (size_t k = 0; k < child->names.len; k++) {
            if (firn_streq(child->names.items[k], name)) {
                return child;
            }
        }
        firn_vec_push(a->arena, &child->names, name);
        return child;
    }
    firn_adopt_column *child = firn_vec_push_zero(a->arena, &parent->children);
    child->name = name;
    firn_vec_push(a->arena, &child->names, name);
    return child;
}

static firn_rc check_twice(const firn_footer_view *view, const char *path, const char *file,
                           firn_err *err)
{
    for (size_t i = 0; view->kind == FIRN_TYPE_STRUCT && i < view->n_children; i++) {
        if (view->children[i]->name[0] == '\0') {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s has a column without a name", file);
        }
        for (size_t k = 0; k < i; k++) {
            if (firn_strcaseeq(view->children[i]->name, view->children[k]->name)) {
                FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                          "%s has two columns %s%s%s, equal but for case: no query could tell them "
                          "apart",
                          file, path, *path != '\0' ? "." : "", view->children[i]->name);
            }
        }
    }
    return FIRN_OK;
}

static const char *role_of(const firn_footer_view *view, size_t i)
{
    switch (view->kind) {
    case FIRN_TYPE_LIST: return "element";
    case FIRN_TYPE_MAP: return i == 0 ? "key" : "value";
    default: return view->children[i]->name;
    }
}

static firn_rc unite(firn_adopter *a, firn_adopt_column *into, const firn_footer_column *column,
                     bool in_list, const char *path, const char *file, int depth, firn_err *err)
{
    firn_footer_view view = firn_footer_view_of(a->arena, column, in_list);
    firn_type type = {.id = view.kind};
    if (depth > DEPTH_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the columns of %s are nested deeper than %d levels", file,
                  DEPTH_MAX);
    }
    if (view.kind == FIRN_TYPE_UNKNOWN) {
        FIRN_TRY(firn_adopt_leaf_type(a->arena, column, path, file, &type, err));
    }
    if (depth > 0) {
        FIRN_TRY(unite_type(a, into, &type, path, file, err));
    }
    FIRN_TRY(check_twice(&view, path, file, err));
    for (size_t i = 0; i < view.n_children; i++) {
        const char *role = role_of(&view, i);
        const char *below = depth > 0 ? firn_arena_printf(a->arena, "%s.%s", path, role) : role;
        FIRN_TRY(unite(a, child_of(a, into, role), view.children[i], view.kind == FIRN_TYPE_LIST,
                       below, file, depth + 1, err));
    }
    return FIRN_OK;
}

firn_rc firn_adopt_unite(firn_adopter *a, firn_adopt_column **out, firn_err *err)
{
    firn_map *seen = firn_map_new(a->arena);
    firn_adopt_column *root = FIRN_NEW(a->arena, firn_adopt_column);
    root->type.id = FIRN_TYPE_STRUCT;
    for (size_t i = 0; i < a->files.len; i++) {
        const firn_adopt_file *file = &a->files.items[i];
        if (firn_map_has(seen, file->footer->key)) {
            continue;
        }
        firn_map_put(seen, file->footer->key, root);
        FIRN_TRY(unite(a, root, &file->footer->root, false, "", file->relative, 0, err));
    }
    *out = root;
    return FIRN_OK;
}

/* ---- to a schema ------------------------------------------------------------------------------------------- */

static firn_rc field_of(firn_adopter *a, const firn_adopt_column *column, firn_field *out,
                        firn_err *err)
{
    firn_type *type = firn_arena_memdup(a->arena, &column->type, sizeof(column->type));
    if (type->id == FIRN_TYPE_UNKNOWN && a->format_version < 3) {
        type->id = FIRN_TYPE_INT; /* nothing but nulls, kept as 32-bit numbers */
    }
    if (firn_type_min_version(type) > a->format_version) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "column %s is %s in %s, which Iceberg has from format version %d on (this table: "
                  "%d). Adopt with --format-version %d, or rewrite the files in microseconds",
                  column->name, firn_type_text(a->arena, type), column->file,
                  firn_type_min_version(type), a->format_version, firn_type_min_version(type));
    }
    type->n_fields = column->children.len;
    type->fields = FIRN_NEW_N(a->arena, firn_field, type->n_fields);
    for (size_t i = 0; i < type->n_fields; i++) {
        FIRN_TRY(field_of(a, &column->children.items[i], &type->fields[i], err));
        type->fields[i].required = type->id == FIRN_TYPE_MAP && i == 0;
    }
    *out = (firn_field){.name = column->name, .type = type};
    return FIRN_OK;
}

firn_rc firn_adopt_schema(firn_adopter *a, const firn_adopt_column *columns,
                          const firn_field *partitions, size_t n_partitions, firn_schema **out,
                          firn_err *err)
{
    firn_schema *schema = FIRN_NEW(a->arena, firn_schema);
    size_t n = columns->children.len;
    schema->root.id = FIRN_TYPE_STRUCT;
    schema->root.fields = FIRN_NEW_N(a->arena, firn_field, n + n_partitions);
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(field_of(a, &columns->children.items[i], &schema->root.fields[i], err));
    }
    for (size_t i = 0; i < n_partitions; i++) {
        schema->root.fields[n + i] = partitions[i];
    }
    schema->root.n_fields = n + n_partitions;
    *out = schema;
    return FIRN_OK;
}

/* `columns` NULL: names are the type's own (partition columns). */
static json_t *mapping_of(const firn_adopt_column *columns, const firn_type *type)
{
    json_t *list = json_array();
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        const firn_adopt_column *column =
            columns != NULL && i < columns->children.len ? &columns->children.items[i] : NULL;
        json_t *entry = json_object();
        json_t *names = json_array();
        json_object_set_new(entry, "field-id", json_integer(field->id));
        for (size_t k = 0; column != NULL && k < column->names.len; k++) {
            json_array_append_new(names, json_string(column->names.items[k]));
        }
        if (column == NULL) {
            json_array_append_new(names, json_string(field->name));
        }
        json_object_set_new(entry, "names", names);
        if (field->type->n_fields > 0) {
            json_object_set_new(entry, "fields", mapping_of(column, field->type));
        }
        json_array_append_new(list, entry);
    }
    return list;
}

const char *firn_adopt_name_mapping(firn_adopter *a, const firn_adopt_column *columns,
                                    const firn_schema *schema)
{
    json_t *mapping = firn_json_own(a->arena, mapping_of(columns, &schema->root));
    return firn_json_text(a->arena, mapping);
}

static const firn_adopt_column *top_column(const firn_adopt_column *columns, const char *name)
{
    for (size_t i = 0; i < columns->children.len; i++) {
        if (firn_strcaseeq(columns->children.items[i].name, name)) {
            return &columns->children.items[i];
        }
    }
    return NULL;
}

const char *firn_adopt_column_name(const firn_adopt_column *columns, const char *name)
{
    const firn_adopt_column *column = top_column(columns, name);
    return column != NULL ? column->name : NULL;
}

const firn_type *firn_adopt_column_type(firn_adopter *a, const firn_adopt_column *columns,
                                        const char *name)
{
    const firn_adopt_column *column = top_column(columns, name);
    (void)a;
    return column != NULL ? &column->type : NULL;
}

/* ---- held against a table ---------------------------------------------------------------------------------- */

typedef struct comparison {
    firn_adopter *a;
    firn_schema_change *change;
    FIRN_VEC(const char *) told;
} comparison;

static const firn_field *field_by_id(const firn_type *type, int32_t id)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        if (type->fields[i].id == id) {
            return &type->fields[i];
        }
    }
    return NULL;
}

static firn_rc compare_type(comparison *c, const firn_adopt_column *column, const firn_field *field,
                            const char *path, firn_err *err)
{
    firn_adopter *a = c->a;
    bool nested = firn_type_is_nested(field->type) || firn_type_is_nested(&column->type);
    if (nested ? field->type->id == column->type.id : holds(field->type, &column->type)) {
        return FIRN_OK;
    }
    if (!nested && holds(&column->type, field->type) && !a->options->keep_schema) {
        const firn_type *wider = firn_arena_memdup(a->arena, &column->type, sizeof(column->type));
        firn_vec_push(
            a->arena, &c->told,
            firn_arena_printf(a->arena, "made %s %s", path, firn_type_text(a->arena, wider)));
        return firn_schema_change_type(c->change, path, wider, err);
    }
    FIRN_FAIL(err, FIRN_E_TYPE, "column %s is %s in %s and %s in %s", path,
              kind_text(a->arena, &column->type), column->file, kind_text(a->arena, field->type),
              a->text);
}

static firn_rc add_column(comparison *c, const firn_adopt_column *column, const firn_type *parent,
                          const char *parent_path, const char *path, firn_err *err)
{
    firn_adopter *a = c->a;
    firn_field field;
    for (size_t i = 0; i < parent->n_fields; i++) {
        if (firn_strcaseeq(parent->fields[i].name, column->name)) {
            FIRN_FAIL(err, FIRN_E_TYPE,
                      "column %s in %s is %s in %s but for case, and the table's name mapping does "
                      "not know it",
                      path, column->file, parent->fields[i].name, a->text);
        }
    }
    if (a->options->keep_schema) {
        return FIRN_OK; /* not read */
    }
    FIRN_TRY(field_of(a, column, &field, err));
    firn_vec_push(a->arena, &c->told,
                  firn_arena_printf(a->arena, "added %s %s", path,
                                    firn_type_is_nested(field.type)
                                        ? kind_text(a->arena, field.type)
                                        : firn_type_text(a->arena, field.type)));
    return firn_schema_change_add(c->change, parent_path, &field, err);
}

static firn_rc compare(comparison *c, const firn_adopt_column *columns, const firn_type *type,
                       const firn_name_mapping_field *mapping, size_t n_mapping, const char *prefix,
                       firn_err *err)
{
    for (size_t i = 0; i < columns->children.len; i++) {
        const firn_adopt_column *column = &columns->children.items[i];
        const char *path = *prefix != '\0'
                               ? firn_arena_printf(c->a->arena, "%s.%s", prefix, column->name)
                               : column->name;
        const firn_name_mapping_field *known = NULL;
        for (size_t k = 0; k < column->names.len; k++) {
            const firn_name_mapping_field *own =
                firn_name_mapping_find(mapping, n_mapping, column->names.items[k]);
            known = k == 0 || own == known ? own : NULL;
        }
        const firn_field *field = known != NULL ? field_by_id(type, known->field_id) : NULL;
        if (field == NULL) {
            FIRN_TRY(add_column(c, column, type, *prefix != '\0' ? prefix : NULL, path, err));
            continue;
        }
        path = *prefix != '\0' ? firn_arena_printf(c->a->arena, "%s.%s", prefix, field->name)
                               : field->name;
        FIRN_TRY(compare_type(c, column, field, path, err));
        if (firn_type_is_nested(field->type)) {
            FIRN_TRY(compare(c, column, field->type, known->fields, known->n_fields, path, err));
        }
    }
    return FIRN_OK;
}

firn_rc firn_adopt_compare(firn_adopter *a, const firn_adopt_column *columns,
                           const firn_metadata *table, firn_schema_change *change, firn_err *err)
{
    comparison c = {.a = a, .change = change};
    firn_name_mapping_field *mapping = NULL;
    size_t n_mapping = 0;
    const char *text = firn_metadata_property(table, "schema.name-mapping.default", NULL);
    if (text == NULL) {
        text = firn_name_mapping_of_schema(a->arena, table->schema);
    }
    FIRN_TRY(firn_name_mapping_parse(a->arena, text, &mapping, &n_mapping, err));
    FIRN_TRY(compare(&c, columns, &table->schema->root, mapping, n_mapping, "", err));
    a->result->changes = c.told.items;
    a->result->n_changes = c.told.len;
    return FIRN_OK;
}
