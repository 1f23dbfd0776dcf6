/* Partition and sort order evolution (spec: "Partition Evolution"; rules of Java's BaseUpdatePartitionSpec).
 *
 * A field keeps its id for good: adding back what an older spec had takes up that field's id again. In v1
 * tables, whose manifests find partition values by position, a dropped field stays as a void one.
 */
#include "partition_private.h"
#include "schema_private.h"

#include "iceberg/update.h"

static firn_rc resolve_source(const firn_schema *schema, const char *column, const firn_field **out,
                              firn_err *err)
{
    *out = firn_schema_find_name(schema, column, false);
    if (!*out)
        FIRN_FAIL(err, FIRN_E_NO_COLUMN, "Cannot find source column: %s", column);
    return FIRN_OK;
}

static bool is_time(firn_transform_kind kind)
{
    return kind == FIRN_TRANSFORM_YEAR || kind == FIRN_TRANSFORM_MONTH ||
           kind == FIRN_TRANSFORM_DAY || kind == FIRN_TRANSFORM_HOUR;
}

/* A field made from a term, without its id. */
static firn_rc field_of_term(firn_arena *arena, const firn_schema *schema,
                             const firn_partition_term *term, firn_partition_field *out,
                             firn_err *err)
{
    const firn_field *source = NULL;
    FIRN_TRY(resolve_source(schema, term->column, &source, err));
    if (firn_type_is_nested(source->type))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot partition by non-primitive source field: %s is %s",
                  term->column, firn_type_text(arena, source->type));
    FIRN_TRY(firn_transform_check(&term->transform, source->type, err));
    *out = (firn_partition_field){
        .field_id = -1,
        .source_id = source->id,
        .n_source_ids = 1,
        .source_ids = firn_arena_memdup(arena, &source->id, sizeof(source->id)),
        .transform = term->transform,
        .name = term->name
                    ? firn_arena_strdup(arena, term->name)
                    : firn_partition_default_name(arena, &term->transform,
                                                  firn_schema_path(arena, schema, source->id)),
    };
    out->transform.name = firn_arena_strdup(arena, term->transform.name);
    return FIRN_OK;
}

static bool same_term(const firn_partition_field *a, const firn_partition_field *b)
{
    return a->n_source_ids == b->n_source_ids && a->source_id == b->source_id &&
           firn_streq(a->transform.name, b->transform.name);
}

/* ---- a spec of its own ---- */

firn_rc firn_partition_spec_build(firn_arena *arena, const firn_schema *schema,
                                  const firn_partition_term *terms, size_t n,
                                  firn_partition_spec **out, firn_err *err)
{
    firn_partition_spec *spec = FIRN_NEW(arena, firn_partition_spec);
    spec->n_fields = n;
    spec->fields = FIRN_NEW_N(arena, firn_partition_field, n);
    for (size_t i = 0; i < n; i++) {
        firn_partition_field *field = &spec->fields[i];
        FIRN_TRY(field_of_term(arena, schema, &terms[i], field, err));
        field->field_id = FIRN_PARTITION_ID_START + (int32_t)i;
        for (size_t k = 0; k < i; k++) {
            const firn_partition_field *other = &spec->fields[k];
            bool both_time = is_time(field->transform.kind) && is_time(other->transform.kind);
            if (other->source_id == field->source_id && (both_time || same_term(other, field)))
                FIRN_FAIL(err, FIRN_E_INVALID,
                          "Cannot add redundant partition: %s conflicts with %s",
                          firn_partition_field_text(arena, other),
                          firn_partition_field_text(arena, field));
        }
    }
    FIRN_TRY(firn_partition_spec_check(spec, schema, err));
    FIRN_TRY(firn_partition_names_check(spec, schema, err));
    *out = spec;
    return FIRN_OK;
}

/* ---- changes of the default spec ---- */

typedef struct spec_change {
    firn_arena *arena;
    const firn_metadata *base;
    FIRN_VEC(firn_partition_field) fields; /* the new spec's */
    const firn_partition_field *dropped;   /* of the base's spec, by replace */
} spec_change;

static firn_rc spec_change_init(spec_change *change, firn_arena *arena, const firn_metadata *base,
                                firn_err *err)
{
    *change = (spec_change){.arena = arena, .base = base};
    for (size_t i = 0; i < base->spec->n_fields; i++) {
        const firn_partition_field *field = &base->spec->fields[i];
        if (field->transform.kind == FIRN_TRANSFORM_UNKNOWN)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot update partition spec with unknown transform: %s",
                      firn_partition_field_text(arena, field));
        firn_vec_push(arena, &change->fields, *field);
    }
    return FIRN_OK;
}

static firn_partition_field *find_named(spec_change *change, const char *name)
{
    for (size_t i = 0; i < change->fields.len; i++) {
        if (firn_streq(change->fields.items[i].name, name))
            return &change->fields.items[i];
    }
    return NULL;
}

/* The name of a void field makes way for a new field that wants it. */
static firn_rc clear_name(spec_change *change, const char *name, firn_err *err)
{
    firn_partition_field *holder = find_named(change, name);
    if (!holder)
        return FIRN_OK;
    if (holder->transform.kind != FIRN_TRANSFORM_VOID)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot add duplicate partition field name: %s", name);
    holder->name = firn_arena_printf(change->arena, "%s_%d", holder->name, holder->field_id);
    return FIRN_OK;
}

/* The id, and unless one was asked for the name, of an equal field of any spec the table ever had. */
static void recycle_id(spec_change *change, firn_partition_field *field, bool named)
{
    for (size_t i = 0; i < change->base->n_specs && change->base->format_version >= 2; i++) {
        const firn_partition_spec *spec = change->base->specs[i];
        for (size_t k = 0; k < spec->n_fields; k++) {
            const firn_partition_field *old = &spec->fields[k];
            if (!same_term(old, field) || (named && !firn_streq(old->name, field->name)))
                continue;
            field->field_id = old->field_id;
            if (!named)
                field->name = firn_arena_strdup(change->arena, old->name);
            return;
        }
    }
    field->field_id = change->base->last_partition_id + 1;
}

static firn_rc add_term(spec_change *change, const firn_partition_term *term, firn_err *err)
{
    firn_partition_field field;
    FIRN_TRY(field_of_term(change->arena, change->base->schema, term, &field, err));
    for (size_t i = 0; i < change->fields.len; i++) {
        if (same_term(&change->fields.items[i], &field))
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot add duplicate partition field %s=%s(%s), conflicts with %s",
                      field.name, field.transform.name, term->column,
                      firn_partition_field_text(change->arena, &change->fields.items[i]));
    }
    recycle_id(change, &field, term->name != NULL);
    /* v1: what the replace dropped a moment ago is a void field with the same id, source and place. */
    FIRN_TRY(clear_name(change, field.name, err));
    for (size_t i = 0; i < change->fields.len; i++) {
        if (change->fields.items[i].field_id == field.field_id)
            field.field_id = change->base->last_partition_id + 1;
    }
    firn_vec_push(change->arena, &change->fields, field);
    return FIRN_OK;
}

static firn_rc find_term(spec_change *change, const firn_partition_term *term, size_t *at,
                         firn_err *err)
{
    int32_t source_id = -1;
    if (term->column) {
        const firn_field *source = NULL;
        FIRN_TRY(resolve_source(change->base->schema, term->column, &source, err));
        source_id = source->id;
    }
    for (*at = 0; *at < change->fields.len; (*at)++) {
        const firn_partition_field *field = &change->fields.items[*at];
        if (term->column ? field->source_id == source_id && field->n_source_ids == 1 &&
                               firn_streq(field->transform.name, term->transform.name)
                         : firn_streq(field->name, term->name))
            return FIRN_OK;
    }
    if (term->column)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot find partition field to remove: %s(%s)",
                  term->transform.name, term->column);
    FIRN_FAIL(err, FIRN_E_INVALID, "Cannot find partition field to remove: %s", term->name);
}

static firn_rc drop_term(spec_change *change, const firn_partition_term *term, firn_err *err)
{
    size_t at = 0;
    FIRN_TRY(find_term(change, term, &at, err));
    firn_partition_field *field = &change->fields.items[at];
    if (change->base->format_version < 2) {
        field->transform = firn_transform_parse(change->arena, "void");
        return FIRN_OK;
    }
    memmove(field, field + 1, (change->fields.len - at - 1) * sizeof(*field));
    change->fields.len--;
    return FIRN_OK;
}

static firn_rc spec_change_finish(spec_change *change, json_t *updates, json_t *requirements,
                                  firn_err *err)
{
    const firn_metadata *base = change->base;
    firn_partition_spec spec = {.fields = change->fields.items, .n_fields = change->fields.len};
    FIRN_TRY(firn_partition_spec_check(&spec, base->schema, err));
    FIRN_TRY(firn_partition_names_check(&spec, base->schema, err));
    if (firn_partition_spec_compatible(&spec, base->spec))
        return FIRN_OK;
    for (size_t i = 0; i < base->n_specs; i++) {
        if (base->specs[i]->spec_id >= spec.spec_id)
            spec.spec_id = base->specs[i]->spec_id + 1;
    }
    json_array_append_new(updates, json_pack("{s:s, s:o}", "action", "add-spec", "spec",
                                             firn_partition_spec_to_json(&spec)));
    json_array_append_new(updates,
                          json_pack("{s:s, s:i}", "action", "set-default-spec", "spec-id", -1));
    json_array_append_new(requirements,
                          json_pack("{s:s, s:i}", "type", "assert-last-assigned-partition-id",
                                    "last-assigned-partition-id", (int)base->last_partition_id));
    firn_require_default_spec(requirements, base->spec->spec_id);
    return FIRN_OK;
}

firn_rc firn_partition_add(firn_arena *arena, const firn_metadata *base,
                           const firn_partition_term *term, json_t *updates, json_t *requirements,
                           firn_err *err)
{
    spec_change change;
    FIRN_TRY(spec_change_init(&change, arena, base, err));
    FIRN_TRY(add_term(&change, term, err));
    return spec_change_finish(&change, updates, requirements, err);
}

firn_rc firn_partition_drop(firn_arena *arena, const firn_metadata *base,
                            const firn_partition_term *term, json_t *updates, json_t *requirements,
                            firn_err *err)
{
    spec_change change;
    FIRN_TRY(spec_change_init(&change, arena, base, err));
    FIRN_TRY(drop_term(&change, term, err));
    return spec_change_finish(&change, updates, requirements, err);
}

/* A new field of the same source and transform is the old one under a new name. */
static firn_rc rename_term(spec_change *change, size_t at, const firn_partition_term *new_term,
                           firn_err *err)
{
    firn_partition_field *field = &change->fields.items[at];
    if (!new_term->name || firn_streq(new_term->name, field->name))
        return FIRN_OK;
    FIRN_TRY(clear_name(change, new_term->name, err));
    field->name = firn_arena_strdup(change->arena, new_term->name);
    return FIRN_OK;
}

firn_rc firn_partition_replace(firn_arena *arena, const firn_metadata *base,
                               const firn_partition_term *old_term,
                               const firn_partition_term *new_term, json_t *updates,
                               json_t *requirements, firn_err *err)
{
    spec_change change;
    size_t at = 0;
    firn_partition_field replacement;
    FIRN_TRY(spec_change_init(&change, arena, base, err));
    FIRN_TRY(find_term(&change, old_term, &at, err));
    FIRN_TRY(field_of_term(arena, base->schema, new_term, &replacement, err));
    if (same_term(&change.fields.items[at], &replacement)) {
        FIRN_TRY(rename_term(&change, at, new_term, err));
    } else {
        FIRN_TRY(drop_term(&change, old_term, err));
        FIRN_TRY(add_term(&change, new_term, err));
    }
    return spec_change_finish(&change, updates, requirements, err);
}

/* ---- sort order ---- */

firn_rc firn_sort_order_set(firn_arena *arena, const firn_metadata *base,
                            const firn_sort_field *fields, size_t n, json_t *updates,
                            json_t *requirements, firn_err *err)
{
    firn_sort_order order = {.fields = firn_arena_memdup(arena, fields, n * sizeof(*fields)),
                             .n_fields = n};
    FIRN_TRY(firn_sort_order_check(&order, base->schema, err));
    if (firn_sort_order_same(&order, base->sort_order))
        return FIRN_OK;
    for (size_t i = 0; i < base->n_sort_orders && n > 0; i++) {
        if (base->sort_orders[i]->order_id >= order.order_id)
            order.order_id = base->sort_orders[i]->order_id + 1;
    }
    if (n > 0 && order.order_id == 0)
        order.order_id = 1;
    json_array_append_new(updates, json_pack("{s:s, s:o}", "action", "add-sort-order", "sort-order",
                                             firn_sort_order_to_json(&order)));
    json_array_append_new(
        updates, json_pack("{s:s, s:i}", "action", "set-default-sort-order", "sort-order-id", -1));
    json_array_append_new(requirements,
                          json_pack("{s:s, s:i}", "type", "assert-default-sort-order-id",
                                    "default-sort-order-id", (int)base->sort_order->order_id));
    return FIRN_OK;
}
