/* Schema evolution (spec: "Schema Evolution"; rules of Java's SchemaUpdate).
 *
 * Changes are collected against the base schema, by field id, and checked as they come:
 *  - paths mean the base's names, or columns added by this change; a rename does not change how later calls
 *    address the column;
 *  - a column that is dropped cannot be changed, and the other way round;
 *  - nothing is changed inside map keys.
 * firn_schema_change_finish rebuilds the types that changed: drops, then updates, then additions, then moves.
 */
#include "name_mapping_private.h"
#include "partition_private.h"
#include "schema_private.h"

#include "iceberg/update.h"

#include "base/map.h"

enum { ROOT_ID = -1 }; /* the parent of top-level columns */

typedef struct column_add {
    int32_t parent_id;
    int32_t id;
    const char *path;
} column_add;

typedef struct column_move {
    int32_t parent_id;
    int32_t id;
    firn_column_place place;
    int32_t other_id;
} column_move;

struct firn_schema_change {
    firn_arena *arena;
    const firn_metadata *base;
    const firn_schema *schema;
    int32_t last_column_id;
    firn_imap *deletes;
    firn_imap *updates; /* id -> firn_field: changed and added ones in their present state */
    FIRN_VEC(column_add) adds;
    FIRN_VEC(column_move) moves;
    bool identifiers_set;
    FIRN_VEC(const char *) identifier_paths;
};

firn_schema_change *firn_schema_change_new(firn_arena *arena, const firn_metadata *base)
{
    firn_schema_change *change = FIRN_NEW(arena, firn_schema_change);
    change->arena = arena;
    change->base = base;
    change->schema = base->schema;
    change->last_column_id = base->last_column_id;
    change->deletes = firn_imap_new(arena);
    change->updates = firn_imap_new(arena);
    return change;
}

/* ---- finding columns ---- */

static const column_add *find_added(const firn_schema_change *change, const char *path)
{
    for (size_t i = change->adds.len; i > 0; i--) {
        if (firn_strcaseeq(change->adds.items[i - 1].path, path))
            return &change->adds.items[i - 1];
    }
    return NULL;
}

static bool is_added(const firn_schema_change *change, int32_t id)
{
    for (size_t i = 0; i < change->adds.len; i++) {
        if (change->adds.items[i].id == id)
            return true;
    }
    return false;
}

/* The column as it stands after the changes so far; NULL if there is none of that path. */
static const firn_field *find_column(const firn_schema_change *change, const char *path)
{
    const firn_field *field = firn_schema_find_name(change->schema, path, false);
    const column_add *added = find_added(change, path);
    if (added && (!field || firn_imap_has(change->deletes, field->id)))
        return firn_imap_get(change->updates, added->id);
    const firn_field *updated = field ? firn_imap_get(change->updates, field->id) : NULL;
    return updated ? updated : field;
}

static int32_t parent_id_of(const firn_schema_change *change, int32_t id)
{
    for (size_t i = 0; i < change->adds.len; i++) {
        if (change->adds.items[i].id == id)
            return change->adds.items[i].parent_id;
    }
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(change->schema, id, chain);
    return n > 1 ? chain[n - 2]->id : ROOT_ID;
}

static firn_rc no_such_column(const firn_schema_change *change, const char *verb, const char *path,
                              firn_err *err)
{
    enum { SUGGESTIONS_MAX = 1000 };
    const char *names[SUGGESTIONS_MAX];
    size_t n = 0;
    for (; n < change->schema->root.n_fields && n < SUGGESTIONS_MAX; n++)
        names[n] = change->schema->root.fields[n].name;
    const char *near = firn_nearest(path, names, n);
    FIRN_FAIL(err, FIRN_E_NO_COLUMN, "Cannot %s missing column: %s%s%s%s", verb, path,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* A column that may be changed: it is there, stays there, and is no part of a map's key. */
static firn_rc find_for_change(const firn_schema_change *change, const char *verb, const char *path,
                               const firn_field **out, firn_err *err)
{
    const firn_field *field = find_column(change, path);
    if (!field)
        return no_such_column(change, verb, path, err);
    if (firn_imap_has(change->deletes, field->id))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot %s a column that will be deleted: %s", verb, path);
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(change->schema, field->id, chain);
    for (size_t i = 0; i + 1 < n; i++) {
        if (chain[i]->type->id == FIRN_TYPE_MAP && chain[i + 1] == &chain[i]->type->fields[0])
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot alter map keys: %s", path);
        if (firn_imap_has(change->deletes, chain[i]->id))
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot %s a column that will be deleted: %s", verb,
                      path);
    }
    *out = field;
    return FIRN_OK;
}

static firn_field *edit(firn_schema_change *change, const firn_field *field)
{
    firn_field *copy = firn_arena_memdup(change->arena, field, sizeof(*field));
    firn_imap_put(change->updates, copy->id, copy);
    return copy;
}

/* Elements, keys and values have fixed names and no docs or defaults. */
static bool is_struct_field(const firn_schema_change *change, int32_t id)
{
    int32_t parent_id = parent_id_of(change, id);
    if (parent_id == ROOT_ID)
        return true;
    const firn_field *parent = firn_schema_find_id(change->schema, parent_id);
    return parent && parent->type->id == FIRN_TYPE_STRUCT;
}

/* Is there another field of that name (letter case aside) in the struct? */
static bool name_taken(const firn_schema_change *change, int32_t parent_id, const char *name,
                       int32_t except_id)
{
    const firn_field *parent =
        parent_id == ROOT_ID ? NULL : firn_schema_find_id(change->schema, parent_id);
    const firn_type *type = parent ? parent->type : &change->schema->root;
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        const firn_field *updated = firn_imap_get(change->updates, field->id);
        if (field->id != except_id && !firn_imap_has(change->deletes, field->id) &&
            (firn_strcaseeq(field->name, name) || (updated && firn_strcaseeq(updated->name, name))))
            return true;
    }
    for (size_t i = 0; i < change->adds.len; i++) {
        const firn_field *added = firn_imap_get(change->updates, change->adds.items[i].id);
        if (change->adds.items[i].parent_id == parent_id && added->id != except_id &&
            firn_strcaseeq(added->name, name))
            return true;
    }
    return false;
}

/* ---- add ---- */

/* The struct that a column is added to: a list's element or a map's value stands for its list or map. */
static firn_rc find_parent(firn_schema_change *change, const char *path, const firn_field **out,
                           firn_err *err)
{
    const firn_field *parent = firn_schema_find_name(change->schema, path, false);
    if (!parent)
        FIRN_FAIL(err, FIRN_E_NO_COLUMN, "Cannot find parent struct: %s", path);
    FIRN_TRY(find_for_change(change, "add to", path, &parent, err));
    parent = firn_schema_find_id(change->schema, parent->id);
    if (parent->type->id == FIRN_TYPE_LIST)
        parent = &parent->type->fields[0];
    else if (parent->type->id == FIRN_TYPE_MAP)
        parent = &parent->type->fields[1];
    if (parent->type->id != FIRN_TYPE_STRUCT)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add to non-struct column: %s: %s", path,
                  firn_type_text(change->arena, parent->type));
    *out = parent;
    return FIRN_OK;
}

/* Both defaults of a new column are one value: that which old rows show is that which new rows get. */
static firn_rc new_column_default(firn_schema_change *change, const firn_field *field,
                                  const char *path, json_t **out, firn_err *err)
{
    const json_t *value = field->initial_default ? field->initial_default : field->write_default;
    FIRN_TRY(firn_default_check(change->arena, field->type, value, path, out, err));
    if (*out && change->base->format_version < 3)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot add column %s with a default: column defaults need format version 3 and "
                  "the table is version %d; upgrade the table, or add the column without a default "
                  "and update it",
                  path, change->base->format_version);
    if (field->required && !*out)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Incompatible change: cannot add required column without a default value: %s; "
                  "rows that exist have no value for it, so make it optional%s",
                  path,
                  change->base->format_version >= 3 ? " or give it a default"
                                                    : " (defaults need format version 3)");
    return FIRN_OK;
}

firn_rc firn_schema_change_add(firn_schema_change *change, const char *parent_path,
                               const firn_field *field, firn_err *err)
{
    const firn_field *parent = NULL;
    const char *path = field->name;
    if (parent_path) {
        FIRN_TRY(find_parent(change, parent_path, &parent, err));
        path = firn_arena_printf(change->arena, "%s.%s",
                                 firn_schema_path(change->arena, change->schema, parent->id),
                                 field->name);
    }
    int32_t parent_id = parent ? parent->id : ROOT_ID;
    if (*field->name == '\0')
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add a column without a name");
    if (name_taken(change, parent_id, field->name, ROOT_ID))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add column, name already exists: %s", path);
    int needs = firn_type_min_version(field->type);
    if (needs > change->base->format_version)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Invalid type for %s: %s is not supported until v%d; upgrade the table (now "
                  "version %d) first",
                  path, firn_type_text(change->arena, field->type), needs,
                  change->base->format_version);
    json_t *default_value = NULL;
    FIRN_TRY(new_column_default(change, field, path, &default_value, err));

    firn_field *added = firn_arena_memdup(change->arena, field, sizeof(*field));
    added->id = ++change->last_column_id;
    added->name = firn_arena_strdup(change->arena, field->name);
    added->doc = firn_arena_strdup(change->arena, field->doc);
    added->type = firn_type_assign_fresh_ids(change->arena, field->type, &change->last_column_id);
    added->initial_default = default_value;
    added->write_default = default_value;
    firn_imap_put(change->updates, added->id, added);
    column_add record = {parent_id, added->id, firn_arena_strdup(change->arena, path)};
    firn_vec_push(change->arena, &change->adds, record);
    return FIRN_OK;
}

/* ---- drop ---- */

static bool contains_id(const firn_schema *schema, int32_t outer_id, int32_t inner_id)
{
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(schema, inner_id, chain);
    for (size_t i = 0; i < n; i++) {
        if (chain[i]->id == outer_id)
            return true;
    }
    return false;
}

static firn_rc check_layout_keeps(const firn_schema_change *change, const firn_field *field,
                                  const char *path, firn_err *err)
{
    const firn_partition_spec *spec = change->base->spec;
    for (size_t i = 0; i < spec->n_fields; i++) {
        if (spec->fields[i].transform.kind != FIRN_TRANSFORM_VOID &&
            contains_id(change->schema, field->id, spec->fields[i].source_id))
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot delete column %s: Cannot find source column for partition field: %s; "
                      "drop the partition field first",
                      path, firn_partition_field_text(change->arena, &spec->fields[i]));
    }
    const firn_sort_order *order = change->base->sort_order;
    for (size_t i = 0; i < order->n_fields; i++) {
        if (contains_id(change->schema, field->id, order->fields[i].source_id))
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot delete column %s: the table's sort order uses it; change the sort "
                      "order first",
                      path);
    }
    return FIRN_OK;
}

firn_rc firn_schema_change_drop(firn_schema_change *change, const char *path, firn_err *err)
{
    const firn_field *field = firn_schema_find_name(change->schema, path, false);
    if (!field)
        return no_such_column(change, "delete", path, err);
    FIRN_TRY(find_for_change(change, "delete", path, &field, err));
    if (!is_struct_field(change, field->id))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot delete element type from list, or key or value type from map: %s", path);
    for (size_t i = 0; i < change->adds.len; i++) {
        if (contains_id(change->schema, field->id, change->adds.items[i].parent_id))
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot delete a column that has additions: %s", path);
    }
    size_t cursor = 0;
    int64_t id;
    void *value;
    while (firn_imap_next(change->updates, &cursor, &id, &value)) {
        if (contains_id(change->schema, field->id, (int32_t)id))
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot delete a column that has updates: %s", path);
    }
    FIRN_TRY(check_layout_keeps(change, field, path, err));
    firn_imap_put(change->deletes, field->id, change);
    return FIRN_OK;
}

/* ---- changes of one column ---- */

firn_rc firn_schema_change_rename(firn_schema_change *change, const char *path,
                                  const char *new_name, firn_err *err)
{
    const firn_field *field = NULL;
    FIRN_TRY(find_for_change(change, "rename", path, &field, err));
    if (!is_struct_field(change, field->id))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot rename %s: elements of lists and keys and values of maps have fixed "
                  "names",
                  path);
    if (!new_name || *new_name == '\0')
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot rename column %s to nothing", path);
    if (name_taken(change, parent_id_of(change, field->id), new_name, field->id))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot rename column %s to %s: name already exists", path,
                  new_name);
    if (!firn_streq(field->name, new_name))
        edit(change, field)->name = firn_arena_strdup(change->arena, new_name);
    return FIRN_OK;
}

/* Partition values of old files must still be those of the new type (a date's bucket is not a
 * timestamp's). Every spec counts: files are kept under old ones. */
static firn_rc check_partition_values(const firn_schema_change *change, const firn_field *field,
                                      const char *path, const firn_type *new_type, firn_err *err)
{
    if (field->type->id != FIRN_TYPE_DATE)
        return FIRN_OK;
    for (size_t i = 0; i < change->base->n_specs; i++) {
        const firn_partition_spec *spec = change->base->specs[i];
        for (size_t k = 0; k < spec->n_fields; k++) {
            firn_transform_kind kind = spec->fields[k].transform.kind;
            bool keeps = kind == FIRN_TRANSFORM_VOID || kind == FIRN_TRANSFORM_YEAR ||
                         kind == FIRN_TRANSFORM_MONTH || kind == FIRN_TRANSFORM_DAY;
            if (spec->fields[k].source_id == field->id && !keeps)
                FIRN_FAIL(err, FIRN_E_INVALID,
                          "Cannot change column type: %s: date -> %s: files are partitioned by %s, "
                          "whose values would change",
                          path, firn_type_text(change->arena, new_type),
                          firn_partition_field_text(change->arena, &spec->fields[k]));
        }
    }
    return FIRN_OK;
}

firn_rc firn_schema_change_type(firn_schema_change *change, const char *path,
                                const firn_type *new_type, firn_err *err)
{
    const firn_field *field = NULL;
    FIRN_TRY(find_for_change(change, "update", path, &field, err));
    if (firn_type_equal(field->type, new_type))
        return FIRN_OK;
    int version = change->base->format_version;
    if (!firn_type_promotable(field->type, new_type, version)) {
        const char *from = firn_type_text(change->arena, field->type);
        const char *to = firn_type_text(change->arena, new_type);
        if (firn_type_promotable(field->type, new_type, 3))
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot change column type: %s: %s -> %s needs format version 3 and the "
                      "table is version %d",
                      path, from, to, version);
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot change column type: %s: %s -> %s; a column can only widen: int to long, "
                  "float to double, a decimal to more digits of the same scale%s",
                  path, from, to, version >= 3 ? ", date to timestamp or timestamp_ns" : "");
    }
    FIRN_TRY(check_partition_values(change, field, path, new_type, err));
    firn_type *type = firn_type_assign_fresh_ids(change->arena, new_type, &change->last_column_id);
    firn_field *edited = edit(change, field);
    edited->type = type;
    /* A date's default reads differently as a timestamp. */
    json_t **defaults[] = {&edited->initial_default, &edited->write_default};
    for (size_t i = 0; i < 2; i++) {
        if (*defaults[i] && field->type->id == FIRN_TYPE_DATE)
            *defaults[i] = firn_json_own(
                change->arena, json_sprintf("%sT00:00:00", json_string_value(*defaults[i])));
    }
    return FIRN_OK;
}

firn_rc firn_schema_change_optional(firn_schema_change *change, const char *path, firn_err *err)
{
    const firn_field *field = NULL;
    FIRN_TRY(find_for_change(change, "update", path, &field, err));
    if (field->required)
        edit(change, field)->required = false;
    return FIRN_OK;
}

firn_rc firn_schema_change_required(firn_schema_change *change, const char *path,
                                    bool allow_incompatible, firn_err *err)
{
    const firn_field *field = NULL;
    FIRN_TRY(find_for_change(change, "update", path, &field, err));
    if (field->required)
        return FIRN_OK;
    bool defaulted_add = is_added(change, field->id) && field->initial_default;
    if (!defaulted_add && !allow_incompatible)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot change column nullability: %s: optional -> required; rows that exist may "
                  "hold nulls",
                  path);
    edit(change, field)->required = true;
    return FIRN_OK;
}

firn_rc firn_schema_change_doc(firn_schema_change *change, const char *path, const char *doc,
                               firn_err *err)
{
    const firn_field *field = NULL;
    FIRN_TRY(find_for_change(change, "update", path, &field, err));
    if (!is_struct_field(change, field->id))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot comment on %s: only columns and fields of structs carry comments", path);
    bool same = doc && field->doc ? firn_streq(doc, field->doc) : doc == field->doc;
    if (!same)
        edit(change, field)->doc = firn_arena_strdup(change->arena, doc);
    return FIRN_OK;
}

firn_rc firn_schema_change_default(firn_schema_change *change, const char *path,
                                   const json_t *write_default, firn_err *err)
{
    const firn_field *field = NULL;
    json_t *value = NULL;
    FIRN_TRY(find_for_change(change, "update", path, &field, err));
    FIRN_TRY(firn_default_check(change->arena, field->type, write_default, path, &value, err));
    if (value && change->base->format_version < 3)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot set a default of column %s: column defaults need format version 3 and "
                  "the table is version %d; upgrade the table first",
                  path, change->base->format_version);
    if (!is_struct_field(change, field->id))
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot set a default of %s: only columns and fields of structs have defaults",
                  path);
    bool same = value && field->write_default ? json_equal(value, field->write_default)
                                              : value == field->write_default;
    if (!same)
        edit(change, field)->write_default = value;
    return FIRN_OK;
}

firn_rc firn_schema_change_move(firn_schema_change *change, const char *path,
                                firn_column_place place, const char *other_path, firn_err *err)
{
    const firn_field *field = NULL, *other = NULL;
    FIRN_TRY(find_for_change(change, "move", path, &field, err));
    if (!is_struct_field(change, field->id))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot move fields in non-struct type: %s", path);
    column_move move = {
        .parent_id = parent_id_of(change, field->id), .id = field->id, .place = place};
    if (place == FIRN_PLACE_BEFORE || place == FIRN_PLACE_AFTER) {
        FIRN_TRY(find_for_change(change, "move a column next to", other_path, &other, err));
        const char *side = place == FIRN_PLACE_BEFORE ? "before" : "after";
        if (other->id == field->id)
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot move %s %s itself", path, side);
        if (parent_id_of(change, other->id) != move.parent_id)
            FIRN_FAIL(err, FIRN_E_INVALID, "Cannot move field %s to a different struct", path);
        move.other_id = other->id;
    }
    firn_vec_push(change->arena, &change->moves, move);
    return FIRN_OK;
}

firn_rc firn_schema_change_identifier(firn_schema_change *change, const char *const *paths,
                                      size_t n, firn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!find_column(change, paths[i]))
            FIRN_FAIL(err, FIRN_E_NO_COLUMN,
                      "Cannot add field %s as an identifier field: not found in current schema or "
                      "added columns",
                      paths[i]);
    }
    change->identifiers_set = true;
    change->identifier_paths.len = 0;
    for (size_t i = 0; i < n; i++)
        firn_vec_push(change->arena, &change->identifier_paths,
                      firn_arena_strdup(change->arena, paths[i]));
    return FIRN_OK;
}

/* ---- finish: types ---- */

static size_t position_of(const firn_type *type, int32_t id)
{
    size_t i = 0;
    while (i < type->n_fields && type->fields[i].id != id)
        i++;
    return i;
}

static void apply_move(firn_type *type, const column_move *move)
{
    size_t from = position_of(type, move->id);
    if (from == type->n_fields)
        return;
    firn_field field = type->fields[from];
    memmove(&type->fields[from], &type->fields[from + 1],
            (type->n_fields - from - 1) * sizeof(firn_field));
    type->n_fields--;
    size_t to = 0;
    if (move->place == FIRN_PLACE_LAST)
        to = type->n_fields;
    else if (move->place != FIRN_PLACE_FIRST)
        to = position_of(type, move->other_id) + (move->place == FIRN_PLACE_AFTER);
    memmove(&type->fields[to + 1], &type->fields[to], (type->n_fields - to) * sizeof(firn_field));
    type->fields[to] = field;
    type->n_fields++;
}

/* The type of field `owner_id` after all changes below it. */
static firn_type *rebuild(firn_schema_change *change, const firn_type *type, int32_t owner_id)
{
    firn_type *built = firn_arena_memdup(change->arena, type, sizeof(*type));
    built->fields = FIRN_NEW_N(change->arena, firn_field, type->n_fields + change->adds.len);
    built->n_fields = 0;
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *old = &type->fields[i];
        const firn_field *updated = firn_imap_get(change->updates, old->id);
        if (firn_imap_has(change->deletes, old->id))
            continue;
        firn_field *field = &built->fields[built->n_fields++];
        *field = updated ? *updated : *old;
        if (field->type == old->type)
            field->type = rebuild(change, old->type, old->id);
    }
    for (size_t i = 0; i < change->adds.len; i++) {
        if (change->adds.items[i].parent_id == owner_id)
            built->fields[built->n_fields++] =
                *(const firn_field *)firn_imap_get(change->updates, change->adds.items[i].id);
    }
    for (size_t i = 0; i < change->moves.len; i++) {
        if (change->moves.items[i].parent_id == owner_id)
            apply_move(built, &change->moves.items[i]);
    }
    return built;
}

static firn_rc check_not_empty(const firn_type *type, const char *name, firn_err *err)
{
    if (type->id == FIRN_TYPE_STRUCT && type->n_fields == 0)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot delete every column of %s: at least one must stay",
                  name);
    for (size_t i = 0; i < type->n_fields; i++)
        FIRN_TRY(check_not_empty(type->fields[i].type, type->fields[i].name, err));
    return FIRN_OK;
}

/* ---- finish: identifier fields ---- */

static firn_rc keep_identifier(firn_schema_change *change, firn_schema *schema, int32_t id,
                               firn_err *err)
{
    const firn_field *chain[FIRN_TYPE_DEPTH_MAX];
    size_t n = firn_schema_chain(change->schema, id, chain);
    for (size_t i = 0; i < n; i++) {
        if (!firn_imap_has(change->deletes, chain[i]->id))
            continue;
        if (i + 1 == n)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot delete identifier field %s. To force deletion, also change the "
                      "identifier fields",
                      chain[i]->name);
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot delete field %s as it will delete nested identifier field %s",
                  chain[i]->name, chain[n - 1]->name);
    }
    FIRN_TRY(firn_schema_check_identifier(schema, id, err));
    schema->identifier_field_ids[schema->n_identifier_field_ids++] = id;
    return FIRN_OK;
}

static firn_rc set_identifiers(firn_schema_change *change, firn_schema *schema, firn_err *err)
{
    size_t n = change->identifiers_set ? change->identifier_paths.len
                                       : change->schema->n_identifier_field_ids;
    schema->identifier_field_ids = FIRN_NEW_N(change->arena, int32_t, n);
    schema->n_identifier_field_ids = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t id = change->identifiers_set
                         ? find_column(change, change->identifier_paths.items[i])->id
                         : change->schema->identifier_field_ids[i];
        FIRN_TRY(keep_identifier(change, schema, id, err));
    }
    return FIRN_OK;
}

/* ---- finish: properties that name columns ---- */

static const char *const column_prefixes[] = {
    "write.metadata.metrics.column.",
    "write.parquet.bloom-filter-enabled.column.",
    "write.parquet.stats-enabled.column.",
};

static void follow_column(firn_schema_change *change, const firn_schema *schema, const char *key,
                          const char *prefix, json_t *set, json_t *removed)
{
    const firn_field *field = firn_schema_find_name(change->schema, key + strlen(prefix), true);
    if (!field)
        return;
    const char *path = firn_schema_path(change->arena, schema, field->id);
    if (path && firn_streq(path, firn_schema_path(change->arena, change->schema, field->id)))
        return;
    json_array_append_new(removed, json_string(key));
    if (path)
        json_object_set(set, firn_arena_printf(change->arena, "%s%s", prefix, path),
                        json_object_get(change->base->properties, key));
}

/* A mapping that cannot be read is left alone: it does not stand in the way of the change. */
static void follow_mapping(firn_schema_change *change, const firn_schema *schema, json_t *set)
{
    const char *text = firn_metadata_property(change->base, "schema.name-mapping.default", NULL);
    firn_name_mapping_field *fields;
    size_t n;
    if (!text || firn_name_mapping_parse(change->arena, text, &fields, &n, NULL) != FIRN_OK)
        return;
    json_t *list = NULL;
    if (firn_json_parse(change->arena, firn_bytes_str(text), "name mapping", &list, NULL) !=
        FIRN_OK)
        return;
    json_t *updated = firn_json_own(change->arena, json_deep_copy(list));
    firn_name_mapping_update(updated, &schema->root, change->schema);
    if (!json_equal(list, updated))
        json_object_set_new(set, "schema.name-mapping.default",
                            json_string(firn_json_text(change->arena, updated)));
}

static void append_property_updates(firn_schema_change *change, const firn_schema *schema,
                                    json_t *updates)
{
    json_t *set = firn_json_own(change->arena, json_object());
    json_t *removed = firn_json_own(change->arena, json_array());
    const char *key;
    json_t *value;
    json_object_foreach(change->base->properties, key, value)
    {
        for (size_t i = 0; i < sizeof(column_prefixes) / sizeof(column_prefixes[0]); i++) {
            if (firn_starts_with(key, column_prefixes[i]))
                follow_column(change, schema, key, column_prefixes[i], set, removed);
        }
    }
    follow_mapping(change, schema, set);
    for (size_t i = 0; i < json_array_size(removed); i++) {
        const char *gone = json_string_value(json_array_get(removed, i));
        firn_update_remove_properties(updates, &gone, 1);
    }
    if (json_object_size(set) > 0)
        firn_update_set_properties(updates, set);
}

/* ---- finish ---- */

static void append_schema_updates(firn_schema_change *change, const firn_schema *schema,
                                  json_t *updates, json_t *requirements)
{
    json_array_append_new(updates, json_pack("{s:s, s:o, s:i}", "action", "add-schema", "schema",
                                             firn_schema_to_json(schema), "last-column-id",
                                             (int)change->last_column_id));
    json_array_append_new(updates,
                          json_pack("{s:s, s:i}", "action", "set-current-schema", "schema-id", -1));
    json_array_append_new(requirements,
                          json_pack("{s:s, s:i}", "type", "assert-last-assigned-field-id",
                                    "last-assigned-field-id", (int)change->base->last_column_id));
    firn_require_current_schema(requirements, change->schema->schema_id);
}

firn_rc firn_schema_change_finish(firn_schema_change *change, firn_schema **out, json_t *updates,
                                  json_t *requirements, firn_err *err)
{
    firn_schema *schema = FIRN_NEW(change->arena, firn_schema);
    schema->root = *rebuild(change, &change->schema->root, ROOT_ID);
    for (size_t i = 0; i < change->base->n_schemas; i++) {
        if (change->base->schemas[i]->schema_id >= schema->schema_id)
            schema->schema_id = change->base->schemas[i]->schema_id + 1;
    }
    FIRN_TRY(check_not_empty(&schema->root, "the table", err));
    FIRN_TRY(set_identifiers(change, schema, err));
    FIRN_TRY(firn_schema_check_version(schema, change->base->format_version, err));
    FIRN_TRY(firn_partition_spec_check(change->base->spec, schema, err));
    FIRN_TRY(firn_sort_order_check(change->base->sort_order, schema, err));
    if (firn_schema_same(schema, change->schema)) {
        *out = firn_schema_clone(change->arena, change->schema);
        return FIRN_OK;
    }
    append_schema_updates(change, schema, updates, requirements);
    append_property_updates(change, schema, updates);
    *out = schema;
    return FIRN_OK;
}
