/* From one shape of files to the SQL that reads them; see read_shape.h.
 *
 * A file's column tree is first brought to Iceberg's terms (struct, list, map with field ids, from the file or by name mapping) and
 * then held against the table's schema, column by column. A column is read directly, with the table's type, when every nested
 * member has the name in the file that it has in the table; else with a type made of the file's names, and reshaped.
 */
#include "read_shape.h"

#include "iceberg/value.h"

#include <inttypes.h>

/* ---- file lists ---------------------------------------------------------------------------------------- */

const char *firn_glob_escape(firn_arena *arena, const char *path)
{
    if (strpbrk(path, "*?[") == NULL) {
        return path;
    }
    FIRN_AUTO_BUF firn_buf out = {0};
    for (; *path != '\0'; path++) {
        if (strchr("*?[", *path) != NULL) {
            firn_buf_printf(&out, "[%c]", *path);
        } else {
            firn_buf_putc(&out, (uint8_t)*path);
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

void firn_read_file_list(firn_arena *arena, firn_buf *out, const char *const *paths, size_t n)
{
    firn_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        firn_buf_puts(out, i > 0 ? ", " : "");
        firn_buf_puts(out, firn_sql_quote(arena, firn_glob_escape(arena, paths[i])));
    }
    firn_buf_putc(out, ']');
}

/* ---- a file's columns in Iceberg's terms --------------------------------------------------------------- */

typedef struct node node;
struct node {
    firn_type_id kind; /* STRUCT, LIST, MAP, or UNKNOWN for a leaf */
    const char *name;
    int32_t id;            /* -1: none */
    const char *duck_type; /* leaves */
    node *children;        /* struct: members; list: element; map: key, value */
    size_t n_children;
};

typedef struct mapping {
    const firn_name_mapping_field *fields;
    size_t n;
    bool use; /* the file has no ids of its own */
} mapping;

/* `role` is the name that the mapping knows the column by: its own, or element, key, value. */
static void to_node(firn_arena *arena, const firn_footer_column *column, const char *role,
                    mapping map, bool in_list, node *out);

static void add_child(firn_arena *arena, node *parent, const firn_footer_column *column,
                      const char *role, mapping map, bool in_list)
{
    to_node(arena, column, role, map, in_list, &parent->children[parent->n_children++]);
}

static void list_node(firn_arena *arena, const firn_footer_column *column, mapping map, node *out)
{
    const firn_footer_column *repeated = &column->children[0];
    /* Three levels, but for old writers: there the repeated column is the element itself (parquet-format, LogicalTypes.md). */
    bool three = repeated->n_children == 1 && !firn_streq(repeated->name, "array") &&
                 !firn_ends_with(repeated->name, "_tuple");
    out->kind = FIRN_TYPE_LIST;
    out->children = FIRN_NEW_N(arena, node, 1);
    add_child(arena, out, three ? &repeated->children[0] : repeated, "element", map, true);
}

static void to_node(firn_arena *arena, const firn_footer_column *column, const char *role,
                    mapping map, bool in_list, node *out)
{
    *out = (node){.kind = FIRN_TYPE_UNKNOWN, .name = column->name, .id = column->field_id};
    mapping below = {.use = map.use};
    if (map.use) {
        const firn_name_mapping_field *field = firn_name_mapping_find(map.fields, map.n, role);
        out->id = field != NULL ? field->field_id : -1;
        below.fields = field != NULL ? field->fields : NULL;
        below.n = field != NULL ? field->n_fields : 0;
    }
    if (column->repeated && !in_list) { /* a bare repeated column is a list of itself */
        out->kind = FIRN_TYPE_LIST;
        out->children = FIRN_NEW_N(arena, node, 1);
        add_child(arena, out, column, "element", below, true);
    } else if (column->is_list && column->n_children == 1) {
        list_node(arena, column, below, out);
    } else if (column->is_map && column->n_children == 1 && column->children[0].n_children == 2) {
        out->kind = FIRN_TYPE_MAP;
        out->children = FIRN_NEW_N(arena, node, 2);
        add_child(arena, out, &column->children[0].children[0], "key", below, false);
        add_child(arena, out, &column->children[0].children[1], "value", below, false);
    } else if (column->n_children > 0) {
        out->kind = FIRN_TYPE_STRUCT;
        out->children = FIRN_NEW_N(arena, node, column->n_children);
        for (size_t i = 0; i < column->n_children; i++) {
            add_child(arena, out, &column->children[i], column->children[i].name, below, false);
        }
    } else {
        out->duck_type = column->duck_type;
    }
}

static const node *find_child(const node *parent, int32_t id)
{
    for (size_t i = 0; i < parent->n_children; i++) {
        if (parent->children[i].id == id) {
            return &parent->children[i];
        }
    }
    return NULL;
}

/* ---- holding a type against a node ---------------------------------------------------------------------- */

static bool reads_directly(const firn_type *type, const node *file)
{
    if (!firn_type_is_nested(type) || file->kind != type->id) {
        return !firn_type_is_nested(type);
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const node *child = type->id == FIRN_TYPE_STRUCT ? find_child(file, type->fields[i].id)
                                                         : &file->children[i];
        if (child == NULL ||
            (type->id == FIRN_TYPE_STRUCT && !firn_streq(child->name, type->fields[i].name)) ||
            !reads_directly(type->fields[i].type, child)) {
            return false;
        }
    }
    return true;
}

/* The type of a node by itself: for a struct none of whose members is wanted, only whether it is null. */
static const char *own_type(firn_arena *arena, const node *file)
{
    switch (file->kind) {
    case FIRN_TYPE_LIST:
        return firn_arena_printf(arena, "%s[]", own_type(arena, &file->children[0]));
    case FIRN_TYPE_MAP:
        return firn_arena_printf(arena, "MAP(%s, %s)", own_type(arena, &file->children[0]),
                                 own_type(arena, &file->children[1]));
    case FIRN_TYPE_STRUCT:
        return firn_arena_printf(arena, "STRUCT(%s %s)",
                                 firn_sql_ident(arena, file->children[0].name),
                                 own_type(arena, &file->children[0]));
    default: return file->duck_type != NULL ? file->duck_type : "INTEGER";
    }
}

/* DuckDB type with the file's member names and the table's leaf types; only what the table wants. */
static firn_rc read_type(firn_arena *arena, const firn_type *type, const node *file,
                         const char *column, const char **out, firn_err *err)
{
    if (file->kind != type->id || !firn_type_is_nested(type)) {
        return firn_type_to_duck(arena, type, column, out, err);
    }
    const char *parts[2] = {NULL, NULL};
    if (type->id != FIRN_TYPE_STRUCT) {
        for (size_t i = 0; i < type->n_fields; i++) {
            FIRN_TRY(
                read_type(arena, type->fields[i].type, &file->children[i], column, &parts[i], err));
        }
        *out = type->id == FIRN_TYPE_LIST
                   ? firn_arena_printf(arena, "%s[]", parts[0])
                   : firn_arena_printf(arena, "MAP(%s, %s)", parts[0], parts[1]);
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < type->n_fields; i++) {
        const node *child = find_child(file, type->fields[i].id);
        if (child != NULL) {
            FIRN_TRY(read_type(arena, type->fields[i].type, child, column, &parts[0], err));
            firn_buf_printf(&text, "%s%s %s", text.len > 0 ? ", " : "STRUCT(",
                            firn_sql_ident(arena, child->name), parts[0]);
        }
    }
    *out = text.len > 0 ? firn_arena_printf(arena, "%s)", firn_buf_cstr(&text))
                        : own_type(arena, file);
    return FIRN_OK;
}

/* Text that DuckDB casts to the type; NULL if the value is null. */
static firn_rc value_text(firn_arena *arena, const firn_type *type, const json_t *json,
                          const char **out, firn_err *err)
{
    *out = NULL;
    if (json == NULL || json_is_null(json) || firn_type_is_nested(type)) {
        return FIRN_OK; /* nested defaults are null or empty by the spec; their members have their own */
    }
    firn_value value;
    FIRN_TRY(firn_value_from_json(arena, type, json, &value, err));
    *out = firn_shape_value_text(arena, type, &value);
    return FIRN_OK;
}

const char *firn_shape_value_text(firn_arena *arena, const firn_type *type, const firn_value *value)
{
    if (value->is_null) {
        return NULL;
    }
    if (type->id != FIRN_TYPE_BINARY && type->id != FIRN_TYPE_FIXED) {
        return firn_value_text(arena, type, value);
    }
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < value->bytes.len; i++) {
        firn_buf_printf(&text, "\\x%02X", value->bytes.data[i]);
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&text));
}

static firn_rc default_expr(firn_arena *arena, const firn_field *field, const char *column,
                            const char **out, firn_err *err)
{
    const char *duck, *text;
    FIRN_TRY(firn_type_to_duck(arena, field->type, column, &duck, err));
    FIRN_TRY(value_text(arena, field->type, field->initial_default, &text, err));
    *out = firn_arena_printf(arena, "CAST(%s AS %s)",
                             text != NULL ? firn_sql_quote(arena, text) : "NULL", duck);
    return FIRN_OK;
}

static firn_rc reshape(firn_arena *arena, const firn_type *type, const node *file, const char *expr,
                       int depth, const char *column, const char **out, firn_err *err);

static firn_rc reshape_struct(firn_arena *arena, const firn_type *type, const node *file,
                              const char *expr, int depth, const char *column, const char **out,
                              firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_buf_printf(&text, "CASE WHEN %s IS NULL THEN NULL ELSE struct_pack(", expr);
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        const node *child = find_child(file, field->id);
        const char *member = NULL;
        if (child == NULL) {
            FIRN_TRY(default_expr(arena, field, column, &member, err));
        } else {
            const char *access = firn_arena_printf(arena, "struct_extract(%s, %s)", expr,
                                                   firn_sql_quote(arena, child->name));
            FIRN_TRY(reshape(arena, field->type, child, access, depth, column, &member, err));
        }
        firn_buf_printf(&text, "%s%s := %s", i > 0 ? ", " : "", firn_sql_ident(arena, field->name),
                        member);
    }
    firn_buf_puts(&text, ") END");
    *out = firn_arena_strdup(arena, firn_buf_cstr(&text));
    return FIRN_OK;
}

/* The expression of `type` over a value read with the file's names. */
static firn_rc reshape(firn_arena *arena, const firn_type *type, const node *file, const char *expr,
                       int depth, const char *column, const char **out, firn_err *err)
{
    *out = expr;
    if (reads_directly(type, file) || type->id != file->kind) {
        return FIRN_OK;
    }
    if (type->id == FIRN_TYPE_STRUCT) {
        return reshape_struct(arena, type, file, expr, depth, column, out, err);
    }
    const char *item = firn_arena_printf(arena, "e%d", depth);
    const char *parts[2] = {NULL, NULL};
    if (type->id == FIRN_TYPE_LIST) {
        FIRN_TRY(reshape(arena, type->fields[0].type, &file->children[0], item, depth + 1, column,
                         &parts[0], err));
        *out = firn_arena_printf(arena, "list_transform(%s, lambda %s: %s)", expr, item, parts[0]);
        return FIRN_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        const char *access =
            firn_arena_printf(arena, "struct_extract(%s, '%s')", item, i == 0 ? "key" : "value");
        FIRN_TRY(reshape(arena, type->fields[i].type, &file->children[i], access, depth + 1, column,
                         &parts[i], err));
    }
    *out = firn_arena_printf(
        arena,
        "map_from_entries(list_transform(map_entries(%s), lambda %s: struct_pack(k := %s, v := %s)))",
        expr, item, parts[0], parts[1]);
    return FIRN_OK;
}

/* ---- the shape ------------------------------------------------------------------------------------------ */

typedef struct builder {
    firn_arena *arena;
    const firn_shape_options *options;
    const node *file; /* NULL: as the schema says */
    bool by_name;     /* keys of the map are the file's names */
    bool aliased;
    firn_buf map;
    firn_shape *out;
} builder;

static void map_entry(builder *b, int32_t id, const char *file_name, const char *name,
                      const char *type, const char *def)
{
    const char *key = b->by_name ? firn_sql_quote(b->arena, file_name)
                                 : firn_arena_printf(b->arena, "%" PRId32, id);
    firn_buf_printf(&b->map, "%s%s: {name: %s, type: %s, default_value: %s}",
                    b->map.len > 0 ? ", " : "MAP {", key, firn_sql_quote(b->arena, name),
                    firn_sql_quote(b->arena, type),
                    def != NULL ? firn_sql_quote(b->arena, def) : "NULL");
}

/* A column that this engine cannot hold: an error for who asks for it, nothing for who does not. */
static const char *error_expr(firn_arena *arena, const char *message)
{
    return firn_arena_printf(arena, "CAST(error(%s) AS VARCHAR)", firn_sql_quote(arena, message));
}

static const char *constant_expr(builder *b, const firn_field *field, const char *duck)
{
    for (size_t k = 0; k < b->options->n_constants; k++) {
        if (b->options->constant_ids[k] == field->id) {
            b->out->uses_constants = true;
            return firn_arena_printf(b->arena,
                                     "CAST(firn_constant(%" PRId64 ", f.file_index, %zu) AS %s)",
                                     b->options->scan, k, duck);
        }
    }
    return NULL;
}

static firn_rc add_column(builder *b, const firn_field *field, const char **expr, firn_err *err)
{
    firn_arena *arena = b->arena;
    const char *duck = NULL, *def = NULL;
    firn_err why = {0};
    firn_rc rc = firn_type_to_duck(arena, field->type, field->name, &duck, &why);
    if (rc == FIRN_E_UNSUPPORTED) {
        *expr = error_expr(arena, why.message);
        b->out->plain = false;
        return FIRN_OK;
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "%s", why.message);
    }
    const char *name = b->aliased ? firn_arena_printf(arena, "c%" PRId32, field->id) : field->name;
    *expr = firn_arena_printf(arena, "f.%s", firn_sql_ident(arena, name));
    const node *file = b->file != NULL ? find_child(b->file, field->id) : NULL;
    if (b->file != NULL && file == NULL) {
        const char *constant = constant_expr(b, field, duck);
        if (constant != NULL || b->by_name) {
            *expr = constant;
            return constant != NULL ? FIRN_OK : default_expr(arena, field, field->name, expr, err);
        }
    }
    if (file != NULL && !reads_directly(field->type, file)) {
        const char *plain = *expr;
        FIRN_TRY(read_type(arena, field->type, file, field->name, &duck, err));
        FIRN_TRY(reshape(arena, field->type, file, plain, 0, field->name, expr, err));
    }
    FIRN_TRY(value_text(arena, field->type, field->initial_default, &def, err));
    map_entry(b, field->id, file != NULL ? file->name : NULL, name, duck, def);
    return FIRN_OK;
}

static firn_rc add_extra(builder *b, const firn_extra_column *extra, const char **expr,
                         firn_err *err)
{
    const char *duck;
    const char *name = firn_arena_printf(b->arena, "x%" PRId32, extra->field_id);
    FIRN_TRY(firn_type_to_duck(b->arena, extra->type, name, &duck, err));
    const node *file = b->file != NULL ? find_child(b->file, extra->field_id) : NULL;
    if (b->by_name && file == NULL) {
        *expr = firn_arena_printf(b->arena, "CAST(NULL AS %s)", duck);
        return FIRN_OK;
    }
    *expr = firn_arena_printf(b->arena, "f.%s", name);
    map_entry(b, extra->field_id, file != NULL ? file->name : NULL, name, duck, NULL);
    return FIRN_OK;
}

/* Must columns be renamed while they are read? */
static bool needs_aliases(const firn_shape_options *options, const node *file, bool by_name)
{
    if (options->aliased || options->n_extras > 0 || by_name) {
        return true;
    }
    const firn_type *root = &options->schema->root;
    for (size_t i = 0; i < root->n_fields; i++) {
        const node *column = file != NULL ? find_child(file, root->fields[i].id) : NULL;
        if ((column != NULL && !reads_directly(root->fields[i].type, column)) ||
            (file != NULL && column == NULL)) {
            return true;
        }
        for (size_t k = 0; k < i; k++) {
            if (firn_strcaseeq(root->fields[i].name, root->fields[k].name)) {
                return true;
            }
        }
    }
    return false;
}

firn_rc firn_shape_of(firn_arena *arena, const firn_shape_options *options, firn_shape *out,
                      firn_err *err)
{
    const firn_type *root = &options->schema->root;
    *out = (firn_shape){.plain = true};
    node file = {0};
    bool by_name = false;
    if (options->footer != NULL) {
        by_name = !options->footer->has_field_ids;
        to_node(arena, &options->footer->root, "", (mapping){.use = false}, false, &file);
        if (by_name) {
            mapping map = {.fields = options->mapping, .n = options->n_mapping, .use = true};
            file.n_children = 0;
            for (size_t i = 0; i < options->footer->root.n_children; i++) {
                const firn_footer_column *column = &options->footer->root.children[i];
                add_child(arena, &file, column, column->name, map, false);
            }
        }
    }
    const node *tree = options->footer != NULL ? &file : NULL;
    builder b = {.arena = arena, .options = options, .file = tree, .by_name = by_name, .out = out};
    b.aliased = needs_aliases(options, tree, by_name);
    out->plain = !b.aliased;
    out->columns = FIRN_NEW_N(arena, const char *, root->n_fields);
    out->extras = FIRN_NEW_N(arena, const char *, options->n_extras);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < root->n_fields && rc == FIRN_OK; i++) {
        rc = add_column(&b, &root->fields[i], &out->columns[i], err);
    }
    for (size_t i = 0; i < options->n_extras && rc == FIRN_OK; i++) {
        rc = add_extra(&b, &options->extras[i], &out->extras[i], err);
    }
    if (b.map.len == 0) { /* nothing to read but how many rows there are */
        b.by_name = true;
        map_entry(&b, -1, "firn: no column", "c", "INTEGER", NULL);
    }
    firn_buf_putc(&b.map, '}');
    out->map = firn_arena_strdup(arena, firn_buf_cstr(&b.map));
    firn_buf_deinit(&b.map);
    return rc;
}

/* ---- what the history tells ------------------------------------------------------------------------------ */

/* Same members under the same names, in any order; leaf types do not matter. */
static bool same_members(const firn_type *a, const firn_type *b)
{
    if (a->id != b->id || !firn_type_is_nested(a)) {
        return !firn_type_is_nested(a) && !firn_type_is_nested(b);
    }
    if (a->n_fields != b->n_fields) {
        return false;
    }
    for (size_t i = 0; i < a->n_fields; i++) {
        const firn_field *other = NULL;
        for (size_t k = 0; k < b->n_fields && other == NULL; k++) {
            other = b->fields[k].id == a->fields[i].id ? &b->fields[k] : NULL;
        }
        if (other == NULL || !firn_streq(other->name, a->fields[i].name) ||
            !same_members(a->fields[i].type, other->type)) {
            return false;
        }
    }
    return true;
}

bool firn_shape_has_evolved(const firn_metadata *metadata, const firn_schema *schema)
{
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const firn_field *field = &schema->root.fields[i];
        for (size_t k = 0; firn_type_is_nested(field->type) && k < metadata->n_schemas; k++) {
            const firn_field *other = firn_schema_find_id(metadata->schemas[k], field->id);
            if (other != NULL && !same_members(field->type, other->type)) {
                return true;
            }
        }
    }
    return false;
}
