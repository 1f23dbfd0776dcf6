/* Merging schemas: columns are their field ids, and files already written carry these.
 *
 * An id that both sides gave out since the base must mean the same column on both, also when one of them has dropped it
 * again: its files still hold the old values. That is why the ids are compared over all schemas of both sides, and why
 * last-column-id must never fall behind what either side gave out.
 */
#include "schema_private.h"
#include "table_merge_private.h"

#include "name_mapping_private.h"

static const char mapping_key[] = "schema.name-mapping.default";

/* ---- fields ----------------------------------------------------------------------------------- */

typedef struct place {
    const firn_field *field;  /* NULL: no such id */
    const firn_field *parent; /* NULL: top level */
} place;

static place find_in_type(const firn_type *type, const firn_field *parent, int32_t id)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        if (field->id == id)
            return (place){.field = field, .parent = parent};
        place inner = find_in_type(field->type, field, id);
        if (inner.field)
            return inner;
    }
    return (place){0};
}

static place find(const firn_schema *schema, int32_t id)
{
    return find_in_type(&schema->root, NULL, id);
}

/* In the current schema, else in any. */
static place find_ever(const firn_metadata *metadata, int32_t id)
{
    place at = find(metadata->schema, id);
    for (size_t i = metadata->n_schemas; i > 0 && !at.field; i--)
        at = find(metadata->schemas[i - 1], id);
    return at;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? firn_streq(a, b) : a == b;
}

static bool same_json(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

/* What is inside a nested type are fields of their own. */
static bool same_kind(const firn_type *a, const firn_type *b)
{
    if (firn_type_is_nested(a) || firn_type_is_nested(b))
        return a->id == b->id;
    return firn_type_equal(a, b);
}

/* The same column as far as files and readers are concerned. */
static bool same_column(place a, place b)
{
    int32_t parent_a = a.parent ? a.parent->id : -1, parent_b = b.parent ? b.parent->id : -1;
    return parent_a == parent_b && firn_streq(a.field->name, b.field->name) &&
           same_kind(a.field->type, b.field->type) && a.field->required == b.field->required &&
           same_json(a.field->initial_default, b.field->initial_default);
}

static const char *path_of(const firn_table_merger *m, const firn_metadata *metadata, int32_t id)
{
    const char *path = firn_schema_path(m->arena, metadata->schema, id);
    for (size_t i = metadata->n_schemas; i > 0 && !path; i--)
        path = firn_schema_path(m->arena, metadata->schemas[i - 1], id);
    return path ? path : firn_arena_printf(m->arena, "(field id %d)", id);
}

/* ---- ids that both sides gave out ------------------------------------------------------------- */

static void check_given_twice(firn_table_merger *m)
{
    const char *us = m->sides->ours_name, *them = m->sides->theirs_name;
    int32_t last = m->ours->last_column_id < m->theirs->last_column_id ? m->ours->last_column_id
                                                                       : m->theirs->last_column_id;
    if ((int64_t)last - m->base->last_column_id > FIRN_SCHEMA_FIELDS_MAX) {
        firn_table_merge_conflict(m, "both sides gave out more than %d field ids",
                                  FIRN_SCHEMA_FIELDS_MAX);
        return;
    }
    for (int32_t id = m->base->last_column_id + 1; id <= last; id++) {
        place ours = find_ever(m->ours, id), theirs = find_ever(m->theirs, id);
        if (!ours.field || !theirs.field) {
            firn_table_merge_conflict(
                m, "both sides gave out field id %d, and the schemas of %s no longer tell for what",
                id, ours.field ? them : us);
        } else if (!same_column(ours, theirs)) {
            firn_table_merge_conflict(
                m, "both sides added a column with field id %d: %s %s on %s, %s %s on %s", id,
                path_of(m, m->theirs, id), firn_type_text(m->arena, theirs.field->type), them,
                path_of(m, m->ours, id), firn_type_text(m->arena, ours.field->type), us);
        }
    }
}

/* ---- columns of the base ---------------------------------------------------------------------- */

/* What theirs changed of a column must be what ours has, too; comments and write defaults may come from either side. */
static void compare_column(firn_table_merger *m, place base, place ours, place theirs)
{
    const char *them = m->sides->theirs_name, *us = m->sides->ours_name;
    const char *path = path_of(m, m->base, base.field->id);
    const firn_field *was = base.field, *now = theirs.field, *here = ours.field;
    if (!firn_streq(was->name, now->name) && !(here && firn_streq(here->name, now->name)))
        firn_table_merge_conflict(m, "%s renamed column %s to %s", them, path, now->name);
    if (!same_kind(was->type, now->type) && !(here && same_kind(here->type, now->type)))
        firn_table_merge_conflict(m, "%s changed the type of column %s from %s to %s", them, path,
                                  firn_type_text(m->arena, was->type),
                                  firn_type_text(m->arena, now->type));
    if (was->required != now->required && !(here && here->required == now->required))
        firn_table_merge_conflict(m, "%s made column %s %s", them, path,
                                  now->required ? "required" : "optional");
    if (!same_json(was->initial_default, now->initial_default) &&
        !(here && same_json(here->initial_default, now->initial_default)))
        firn_table_merge_conflict(m, "%s changed the initial default of column %s", them, path);
    if (here && !same_text(was->doc, now->doc) && !same_text(was->doc, here->doc) &&
        !same_text(now->doc, here->doc))
        firn_table_merge_conflict(m, "both %s and %s changed the comment of column %s", us, them,
                                  path);
    if (here && !same_json(was->write_default, now->write_default) &&
        !same_json(was->write_default, here->write_default) &&
        !same_json(now->write_default, here->write_default))
        firn_table_merge_conflict(m, "both %s and %s changed the default of column %s", us, them,
                                  path);
}

static void compare_base_columns(firn_table_merger *m, const firn_type *type,
                                 const firn_field *parent)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        place base = {.field = &type->fields[i], .parent = parent};
        place ours = find(m->ours->schema, base.field->id);
        place theirs = find(m->theirs->schema, base.field->id);
        if (theirs.field)
            compare_column(m, base, ours, theirs);
        else if (ours.field)
            firn_table_merge_conflict(m, "%s dropped column %s", m->sides->theirs_name,
                                      path_of(m, m->base, base.field->id));
        if (theirs.field)
            compare_base_columns(m, base.field->type, base.field);
    }
}

/* ---- columns that theirs added ---------------------------------------------------------------- */

static const firn_field *sibling_named(const firn_type *type, const char *name)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        if (firn_strcaseeq(type->fields[i].name, name))
            return &type->fields[i];
    }
    return NULL;
}

static void check_addition(firn_table_merger *m, const firn_field *field, const firn_field *parent)
{
    const char *them = m->sides->theirs_name, *us = m->sides->ours_name;
    const char *path = path_of(m, m->theirs, field->id);
    place home = parent ? find(m->ours->schema, parent->id) : (place){0};
    const firn_type *siblings = home.field ? home.field->type : &m->ours->schema->root;
    if (parent && !home.field) {
        firn_table_merge_conflict(m, "%s added column %s, and %s dropped %s", them, path, us,
                                  path_of(m, m->theirs, parent->id));
        return;
    }
    const firn_field *namesake = sibling_named(siblings, field->name);
    if (field->id <= m->base->last_column_id) {
        firn_table_merge_conflict(m, "%s brought back column %s, which was dropped before", them,
                                  path);
    } else if (field->id <= m->ours->last_column_id) {
        if (find_ever(m->ours, field->id).field)
            firn_table_merge_conflict(m, "both sides added column %s, and %s dropped it again",
                                      path, us);
    } else if (namesake) {
        firn_table_merge_conflict(
            m, "both sides have a column named %s: with field id %d on %s, with %d on %s", path,
            field->id, them, namesake->id, us);
    } else if (field->required && !field->initial_default) {
        firn_table_merge_conflict(
            m, "%s added required column %s, for which the rows of %s have no value", them, path,
            us);
    }
}

/* Not below an added struct: it comes whole. */
static void check_additions(firn_table_merger *m, const firn_type *type, const firn_field *parent)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        bool old = find(m->base->schema, field->id).field != NULL;
        bool ours = find(m->ours->schema, field->id).field != NULL;
        if (!old && !ours)
            check_addition(m, field, parent);
        else
            check_additions(m, field->type, field);
    }
}

/* Whether rows may have been appended under the schema since the base. */
static bool written_since(const firn_table_merger *m, const firn_schema *schema)
{
    if (schema == m->theirs->schema || firn_schema_same(schema, m->base->schema))
        return true;
    for (size_t i = 0; i < m->base->n_schemas; i++) {
        if (firn_schema_same(schema, m->base->schemas[i]))
            return false;
    }
    return true;
}

/* Rows that theirs appended must hold what the merged schema requires. */
static void check_required(firn_table_merger *m, const firn_type *type)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        for (size_t s = 0; field->required && s < m->theirs->n_schemas; s++) {
            if (!written_since(m, m->theirs->schemas[s]))
                continue;
            place there = find(m->theirs->schemas[s], field->id);
            if (there.field ? !there.field->required : !field->initial_default)
                firn_table_merge_conflict(
                    m, "%s requires column %s, for which rows appended on %s may have no value",
                    m->sides->ours_name, path_of(m, m->ours, field->id), m->sides->theirs_name);
        }
        if (find_ever(m->theirs, field->id).field) /* else it is null as a whole */
            check_required(m, field->type);
    }
}

/* ---- order and identifiers -------------------------------------------------------------------- */

/* Whether the fields that both have stand in the same order. */
static bool same_order(const firn_type *a, const firn_type *b)
{
    size_t at = 0;
    for (size_t i = 0; i < a->n_fields; i++) {
        for (size_t k = 0; k < b->n_fields; k++) {
            if (b->fields[k].id != a->fields[i].id)
                continue;
            if (k < at || !same_order(a->fields[i].type, b->fields[k].type))
                return false;
            at = k;
        }
    }
    return true;
}

static bool holds(const firn_schema *schema, int32_t id)
{
    for (size_t i = 0; i < schema->n_identifier_field_ids; i++) {
        if (schema->identifier_field_ids[i] == id)
            return true;
    }
    return false;
}

static bool same_identifiers(const firn_schema *a, const firn_schema *b)
{
    if (a->n_identifier_field_ids != b->n_identifier_field_ids)
        return false;
    for (size_t i = 0; i < a->n_identifier_field_ids; i++) {
        if (!holds(b, a->identifier_field_ids[i]))
            return false;
    }
    return true;
}

static void check_shape(firn_table_merger *m)
{
    const char *them = m->sides->theirs_name, *us = m->sides->ours_name;
    const firn_schema *base = m->base->schema, *ours = m->ours->schema, *theirs = m->theirs->schema;
    if (!same_order(&base->root, &theirs->root) && !same_order(&theirs->root, &ours->root))
        firn_table_merge_conflict(m, "%s moved columns, and %s changed columns, too", them, us);
    if (!same_identifiers(base, theirs) && !same_identifiers(base, ours) &&
        !same_identifiers(ours, theirs))
        firn_table_merge_conflict(m, "both %s and %s changed the identifier fields", us, them);
}

/* ---- the merged schema ------------------------------------------------------------------------ */

/* Ours, with theirs' comments, write defaults and additions. `ours` and `theirs` are the same struct (or list, or map). */
static firn_type *combine(const firn_table_merger *m, const firn_type *ours,
                          const firn_type *theirs)
{
    firn_type *out = firn_arena_memdup(m->arena, ours, sizeof(*ours));
    out->fields = FIRN_NEW_N(m->arena, firn_field, ours->n_fields + theirs->n_fields);
    for (size_t i = 0; i < ours->n_fields; i++) {
        firn_field *field = &out->fields[i];
        *field = ours->fields[i];
        const firn_field *was = find(m->base->schema, field->id).field;
        const firn_field *now = find(m->theirs->schema, field->id).field;
        if (now)
            field->type = combine(m, field->type, now->type);
        if (now && was && !same_text(was->doc, now->doc))
            field->doc = now->doc;
        if (now && was && !same_json(was->write_default, now->write_default))
            field->write_default = now->write_default;
    }
    for (size_t i = 0; i < theirs->n_fields; i++) {
        const firn_field *field = &theirs->fields[i];
        if (!find(m->base->schema, field->id).field && !find(m->ours->schema, field->id).field)
            out->fields[out->n_fields++] = *field;
    }
    return out;
}

static const firn_schema *merged_schema(const firn_table_merger *m)
{
    const firn_schema *base = m->base->schema, *ours = m->ours->schema, *theirs = m->theirs->schema;
    if (firn_schema_same(theirs, base) || firn_schema_same(theirs, ours))
        return ours;
    if (firn_schema_same(ours, base))
        return theirs;
    firn_schema *schema = firn_arena_memdup(m->arena, ours, sizeof(*ours));
    schema->root = *combine(m, &ours->root, &theirs->root);
    if (!same_identifiers(base, theirs)) {
        schema->identifier_field_ids = theirs->identifier_field_ids;
        schema->n_identifier_field_ids = theirs->n_identifier_field_ids;
    }
    return schema;
}

static void add_schema(firn_table_merger *m, const firn_schema *schema)
{
    json_array_append_new(m->updates, json_pack("{s:s, s:o}", "action", "add-schema", "schema",
                                                firn_schema_to_json(schema)));
}

/* Columns that theirs added and dropped again have their ids in its files: the schemas that tell of them come along. */
static void keep_ids_given_out(firn_table_merger *m)
{
    int32_t highest = firn_schema_highest_id(m->schema);
    highest = highest > m->ours->last_column_id ? highest : m->ours->last_column_id;
    int32_t told = highest;
    for (size_t i = 0; i < m->theirs->n_schemas; i++) {
        int32_t id = firn_schema_highest_id(m->theirs->schemas[i]);
        if (id > highest)
            add_schema(m, m->theirs->schemas[i]);
        told = id > told ? id : told;
    }
    if (m->theirs->last_column_id > told)
        firn_table_merge_conflict(
            m, "%s gave out field ids up to %d, which its schemas no longer tell about",
            m->sides->theirs_name, m->theirs->last_column_id);
}

/* ---- name mapping ----------------------------------------------------------------------------- */

static json_t *parse_mapping(const firn_table_merger *m, const char *text)
{
    json_t *list = NULL;
    if (!text ||
        firn_json_parse(m->arena, firn_bytes_str(text), "name mapping", &list, NULL) != FIRN_OK ||
        !json_is_array(list))
        return NULL;
    return firn_json_own(m->arena, json_deep_copy(list));
}

/* Take the entries of columns that the base does not have out of `list`; at top level they go to `added`. */
static void split_added(const firn_table_merger *m, json_t *list, json_t *added)
{
    for (size_t i = json_array_size(list); i > 0; i--) {
        json_t *entry = json_array_get(list, i - 1);
        const json_t *id = json_object_get(entry, "field-id");
        if (json_is_integer(id) && !find(m->base->schema, (int32_t)json_integer_value(id)).field) {
            json_array_insert(added, 0, entry);
            json_array_remove(list, i - 1);
        }
    }
}

/* Both sides changed the mapping: theirs' entries of new columns join ours, if that is all it changed. */
static json_t *join_mappings(firn_table_merger *m, const char *was, const char *here,
                             const char *now)
{
    json_t *base = parse_mapping(m, was), *ours = parse_mapping(m, here);
    json_t *theirs = parse_mapping(m, now);
    json_t *added = firn_json_own(m->arena, json_array());
    if (theirs)
        split_added(m, theirs, added);
    bool only_added = theirs && ours && (base ? json_equal(base, theirs) : false);
    if (!only_added) {
        firn_table_merge_conflict(m, "both %s and %s changed property \"%s\"", m->sides->ours_name,
                                  m->sides->theirs_name, mapping_key);
        return ours;
    }
    for (size_t i = 0; i < json_array_size(added); i++) {
        json_t *entry = json_array_get(added, i);
        bool known = false;
        for (size_t k = 0; k < json_array_size(ours); k++)
            known |= json_equal(json_object_get(json_array_get(ours, k), "field-id"),
                                json_object_get(entry, "field-id"));
        if (!known)
            json_array_append(ours, entry);
    }
    return ours;
}

/* Files without field ids are read by names, so the mapping must know the columns that come. */
static void merge_mapping(firn_table_merger *m)
{
    const char *was = firn_metadata_property(m->base, mapping_key, NULL);
    const char *here = firn_metadata_property(m->ours, mapping_key, NULL);
    const char *now = firn_metadata_property(m->theirs, mapping_key, NULL);
    json_t *mapping;
    if (m->schema == m->ours->schema && same_text(was, now))
        return;
    if (same_text(was, now) || same_text(here, now))
        mapping = parse_mapping(m, here);
    else if (same_text(was, here) && !now) {
        firn_update_remove_properties(m->updates, (const char *const[]){mapping_key}, 1);
        return;
    } else if (same_text(was, here))
        mapping = parse_mapping(m, now);
    else
        mapping = join_mappings(m, was, here, now);
    if (!mapping)
        return;
    firn_name_mapping_update(mapping, &m->schema->root, m->base->schema);
    json_t *before = parse_mapping(m, here);
    if (before && json_equal(before, mapping))
        return;
    json_t *set = firn_json_own(m->arena, json_object());
    json_object_set_new(set, mapping_key, json_string(firn_json_text(m->arena, mapping)));
    firn_update_set_properties(m->updates, set);
}

/* ---- the whole -------------------------------------------------------------------------------- */

void firn_table_merge_schema(firn_table_merger *m)
{
    check_given_twice(m);
    m->schema = m->ours->schema;
    if (!firn_schema_same(m->theirs->schema, m->base->schema) &&
        !firn_schema_same(m->theirs->schema, m->ours->schema)) {
        compare_base_columns(m, &m->base->schema->root, NULL);
        check_additions(m, &m->theirs->schema->root, NULL);
        check_shape(m);
    }
    if (m->has_rows)
        check_required(m, &m->ours->schema->root);
    if (m->conflicts.len > 0)
        return;
    m->schema = merged_schema(m);
    keep_ids_given_out(m);
    if (m->schema != m->ours->schema) {
        add_schema(m, m->schema);
        json_array_append_new(
            m->updates, json_pack("{s:s, s:i}", "action", "set-current-schema", "schema-id", -1));
    }
    merge_mapping(m);
}
