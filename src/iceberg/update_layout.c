/* Updates of schemas, partition specs and sort orders. What is there already is reused, never added twice. */
#include "update_private.h"

#include "partition_private.h"
#include "schema_private.h"

/* A list of ids in an update. */
static firn_rc read_ids(const json_t *update, const char *key, const char *what, json_t **out,
                        firn_err *err)
{
    FIRN_TRY(firn_json_array(update, key, what, out, err));
    for (size_t i = 0; i < json_array_size(*out); i++) {
        if (!json_is_integer(json_array_get(*out, i)))
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: %s holds something else than ids", what, key);
    }
    return FIRN_OK;
}

static bool holds_id(const json_t *ids, int64_t id)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        if (json_integer_value(json_array_get(ids, i)) == id)
            return true;
    }
    return false;
}

/* Takes the elements whose `id_key` is in `ids` out of the document's list. */
static void drop_elements(firn_updater *u, const char *list_key, const char *id_key,
                          const json_t *ids)
{
    json_t *list = firn_updater_list(u, list_key);
    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *id = json_object_get(json_array_get(list, i - 1), id_key);
        if (holds_id(ids, json_integer_value(id)))
            json_array_remove(list, i - 1);
    }
}

/* ---- schemas ---- */

/* The id of an equal schema, else one above the highest. */
static int32_t pick_schema_id(const firn_updater *u, const firn_schema *schema, bool *found)
{
    int32_t id = u->schema_id;
    *found = false;
    for (size_t i = 0; i < u->schemas.len; i++) {
        if (firn_schema_same(u->schemas.items[i], schema)) {
            *found = true;
            return u->schemas.items[i]->schema_id;
        }
        if (u->schemas.items[i]->schema_id >= id)
            id = u->schemas.items[i]->schema_id + 1;
    }
    return id;
}

firn_rc firn_update_add_schema_fn(firn_updater *u, const json_t *update, const char *what,
                                  firn_err *err)
{
    json_t *json = NULL;
    firn_schema *schema = NULL;
    FIRN_TRY(firn_json_object(update, "schema", what, &json, err));
    json = firn_json_own(u->arena, json_deep_copy(json));
    FIRN_TRY(firn_schema_from_json(u->arena, json, what, &schema, err));
    FIRN_TRY(firn_schema_check_version(schema, u->m->format_version, err));
    for (size_t i = 0; i < schema->n_identifier_field_ids; i++)
        FIRN_TRY(firn_schema_check_identifier(schema, schema->identifier_field_ids[i], err));

    bool found;
    schema->schema_id = pick_schema_id(u, schema, &found);
    u->last_schema_id = schema->schema_id;
    int32_t highest = firn_schema_highest_id(schema);
    if (highest > FIRN_ID_MAX)
        FIRN_FAIL(err, FIRN_E_INVALID, "%s: field id %d is out of range", what, highest);
    if (highest > u->m->last_column_id) {
        u->m->last_column_id = highest;
        u->changed = true;
    }
    if (found)
        return FIRN_OK;
    json_object_set_new(json, "schema-id", json_integer(schema->schema_id));
    json_array_append(firn_updater_list(u, "schemas"), json);
    firn_vec_push(u->arena, &u->schemas, schema);
    u->changed = true;
    return FIRN_OK;
}

static const firn_schema *current_schema(const firn_updater *u)
{
    for (size_t i = 0; i < u->schemas.len; i++) {
        if (u->schemas.items[i]->schema_id == u->schema_id)
            return u->schemas.items[i];
    }
    return NULL;
}

firn_rc firn_update_set_schema_fn(firn_updater *u, const json_t *update, const char *what,
                                  firn_err *err)
{
    int32_t id = 0;
    FIRN_TRY(firn_json_i32(update, "schema-id", what, &id, err));
    if (id == -1 && u->last_schema_id == -1)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set last added schema: no schema has been added");
    id = id == -1 ? u->last_schema_id : id;
    if (id == u->schema_id && current_schema(u))
        return FIRN_OK;
    int32_t previous_id = u->schema_id;
    u->schema_id = id;
    if (!current_schema(u)) {
        u->schema_id = previous_id;
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set current schema to unknown schema: %d", id);
    }
    u->changed = true;
    u->layout_changed = true;
    return FIRN_OK;
}

firn_rc firn_update_remove_schemas_fn(firn_updater *u, const json_t *update, const char *what,
                                      firn_err *err)
{
    json_t *ids = NULL;
    FIRN_TRY(read_ids(update, "schema-ids", what, &ids, err));
    if (holds_id(ids, u->schema_id))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot remove the current schema");
    size_t kept = 0;
    for (size_t i = 0; i < u->schemas.len; i++) {
        if (!holds_id(ids, u->schemas.items[i]->schema_id))
            u->schemas.items[kept++] = u->schemas.items[i];
    }
    if (kept == u->schemas.len)
        return FIRN_OK;
    u->schemas.len = kept;
    drop_elements(u, "schemas", "schema-id", ids);
    u->changed = true;
    return FIRN_OK;
}

/* ---- partition specs ---- */

static int32_t pick_spec_id(const firn_updater *u, const firn_partition_spec *spec, bool *found)
{
    int32_t id = 0;
    *found = false;
    for (size_t i = 0; i < u->specs.len; i++) {
        if (firn_partition_spec_compatible(u->specs.items[i], spec)) {
            *found = true;
            return u->specs.items[i]->spec_id;
        }
        if (u->specs.items[i]->spec_id >= id)
            id = u->specs.items[i]->spec_id + 1;
    }
    return id;
}

/* A field without an id gets that of an equal field of any spec, else the next one. */
static int32_t pick_field_id(const firn_updater *u, const firn_partition_field *field,
                             int32_t *last_id)
{
    for (size_t i = 0; i < u->specs.len; i++) {
        const firn_partition_spec *spec = u->specs.items[i];
        for (size_t k = 0; k < spec->n_fields; k++) {
            if (spec->fields[k].source_id == field->source_id &&
                firn_streq(spec->fields[k].transform.name, field->transform.name))
                return spec->fields[k].field_id;
        }
    }
    return ++*last_id;
}

static firn_rc check_v1_ids(const firn_partition_spec *spec, firn_err *err)
{
    for (size_t i = 0; i < spec->n_fields; i++) {
        if (spec->fields[i].field_id != FIRN_PARTITION_ID_START + (int32_t)i)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Spec does not use sequential IDs that are required in v1: field %s has id "
                      "%d",
                      spec->fields[i].name, spec->fields[i].field_id);
    }
    return FIRN_OK;
}

firn_rc firn_updater_add_spec(firn_updater *u, const firn_partition_spec *spec, firn_err *err)
{
    bool found;
    int32_t id = pick_spec_id(u, spec, &found);
    u->last_spec_id = id;
    if (found)
        return FIRN_OK;
    const firn_schema *schema = current_schema(u);
    if (!schema)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot add a partition spec before a schema is added and set as current");
    FIRN_TRY(firn_partition_spec_check(spec, schema, err));
    FIRN_TRY(firn_partition_names_check(spec, schema, err));
    if (u->m->format_version == 1)
        FIRN_TRY(check_v1_ids(spec, err));

    firn_partition_spec *added = firn_arena_memdup(u->arena, spec, sizeof(*spec));
    added->spec_id = id;
    int32_t last = firn_partition_last_id(added);
    if (last > FIRN_ID_MAX)
        FIRN_FAIL(err, FIRN_E_INVALID, "partition field id %d is out of range", last);
    if (last > u->m->last_partition_id)
        u->m->last_partition_id = last;
    firn_vec_push(u->arena, &u->specs, added);
    json_array_append_new(firn_updater_list(u, "partition-specs"),
                          firn_partition_spec_to_json(added));
    u->changed = true;
    return FIRN_OK;
}

firn_rc firn_update_add_spec_fn(firn_updater *u, const json_t *update, const char *what,
                                firn_err *err)
{
    json_t *json = NULL;
    firn_partition_spec *spec = NULL;
    FIRN_TRY(firn_json_object(update, "spec", what, &json, err));
    FIRN_TRY(firn_partition_spec_from_json(u->arena, json, what, &spec, err));
    const json_t *first = json_array_get(json_object_get(json, "fields"), 0);
    if (u->m->format_version > 1 && first && !json_object_get(first, "field-id")) {
        int32_t last_id = u->m->last_partition_id;
        for (size_t i = 0; i < spec->n_fields; i++)
            spec->fields[i].field_id = pick_field_id(u, &spec->fields[i], &last_id);
    }
    return firn_updater_add_spec(u, spec, err);
}

firn_rc firn_update_set_spec_fn(firn_updater *u, const json_t *update, const char *what,
                                firn_err *err)
{
    int32_t id = 0;
    FIRN_TRY(firn_json_i32(update, "spec-id", what, &id, err));
    if (id == -1 && u->last_spec_id == -1)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set last added spec: no spec has been added");
    id = id == -1 ? u->last_spec_id : id;
    bool known = false;
    for (size_t i = 0; i < u->specs.len; i++)
        known |= u->specs.items[i]->spec_id == id;
    if (!known)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set default partition spec to unknown spec: %d", id);
    if (id == u->spec_id)
        return FIRN_OK;
    u->spec_id = id;
    u->changed = true;
    u->layout_changed = true;
    return FIRN_OK;
}

firn_rc firn_update_remove_specs_fn(firn_updater *u, const json_t *update, const char *what,
                                    firn_err *err)
{
    json_t *ids = NULL;
    FIRN_TRY(read_ids(update, "spec-ids", what, &ids, err));
    if (holds_id(ids, u->spec_id))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot remove the default partition spec");
    size_t kept = 0;
    for (size_t i = 0; i < u->specs.len; i++) {
        if (!holds_id(ids, u->specs.items[i]->spec_id))
            u->specs.items[kept++] = u->specs.items[i];
    }
    if (kept == u->specs.len)
        return FIRN_OK;
    u->specs.len = kept;
    drop_elements(u, "partition-specs", "spec-id", ids);
    u->changed = true;
    return FIRN_OK;
}

/* ---- sort orders ---- */

/* Order ids start at 1; 0 is the unsorted order and no other. */
static int32_t pick_order_id(const firn_updater *u, const firn_sort_order *order, bool *found)
{
    int32_t id = order->n_fields == 0 ? 0 : 1;
    *found = false;
    for (size_t i = 0; i < u->sort_orders.len; i++) {
        if (firn_sort_order_same(u->sort_orders.items[i], order)) {
            *found = true;
            return u->sort_orders.items[i]->order_id;
        }
        if (order->n_fields > 0 && u->sort_orders.items[i]->order_id >= id)
            id = u->sort_orders.items[i]->order_id + 1;
    }
    return id;
}

firn_rc firn_updater_add_order(firn_updater *u, const firn_sort_order *order, firn_err *err)
{
    bool found;
    int32_t id = pick_order_id(u, order, &found);
    u->last_order_id = id;
    if (found)
        return FIRN_OK;
    const firn_schema *schema = current_schema(u);
    if (!schema)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot add a sort order before a schema is added and set as current");
    FIRN_TRY(firn_sort_order_check(order, schema, err));
    firn_sort_order *added = firn_arena_memdup(u->arena, order, sizeof(*order));
    added->order_id = id;
    firn_vec_push(u->arena, &u->sort_orders, added);
    json_array_append_new(firn_updater_list(u, "sort-orders"), firn_sort_order_to_json(added));
    u->changed = true;
    return FIRN_OK;
}

firn_rc firn_update_add_order_fn(firn_updater *u, const json_t *update, const char *what,
                                 firn_err *err)
{
    json_t *json = NULL;
    firn_sort_order *order = NULL;
    FIRN_TRY(firn_json_object(update, "sort-order", what, &json, err));
    FIRN_TRY(firn_sort_order_from_json(u->arena, json, what, &order, err));
    return firn_updater_add_order(u, order, err);
}

firn_rc firn_update_set_order_fn(firn_updater *u, const json_t *update, const char *what,
                                 firn_err *err)
{
    int32_t id = 0;
    FIRN_TRY(firn_json_i32(update, "sort-order-id", what, &id, err));
    if (id == -1 && u->last_order_id == -1)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "Cannot set last added sort order: no sort order has been added");
    id = id == -1 ? u->last_order_id : id;
    bool known = false;
    for (size_t i = 0; i < u->sort_orders.len; i++)
        known |= u->sort_orders.items[i]->order_id == id;
    if (!known)
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot set default sort order to unknown order: %d", id);
    if (id == u->order_id)
        return FIRN_OK;
    u->order_id = id;
    u->changed = true;
    u->layout_changed = true;
    return FIRN_OK;
}
