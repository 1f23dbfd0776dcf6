/* Sort orders: JSON form and rules (spec: "Sorting"). Order id 0 means unsorted. */
#include "partition_private.h"
#include "schema_private.h"

static firn_rc read_field(firn_arena *arena, const json_t *json, const char *what,
                          firn_sort_field *field, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a sort field is not a JSON object", what);
    const char *transform = NULL, *direction = NULL, *nulls = NULL;
    FIRN_TRY(firn_json_str(json, "transform", what, &transform, err));
    FIRN_TRY(firn_json_str(json, "direction", what, &direction, err));
    FIRN_TRY(firn_json_str(json, "null-order", what, &nulls, err));
    field->transform = firn_transform_parse(arena, transform);

    json_t *ids = NULL;
    FIRN_TRY(firn_json_opt_array(json, "source-ids", what, &ids, err));
    const json_t *first = json_array_get(ids, 0);
    if (first && (!json_is_integer(first) ||
                  json_integer_value(first) != (int32_t)json_integer_value(first)))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: source-ids holds something else than ids", what);
    if (first)
        field->source_id = (int32_t)json_integer_value(first);
    else
        FIRN_TRY(firn_json_i32(json, "source-id", what, &field->source_id, err));
    if (json_array_size(ids) > 1)
        field->transform.kind = FIRN_TRANSFORM_UNKNOWN;

    field->descending = firn_strcaseeq(direction, "desc");
    if (!field->descending && !firn_strcaseeq(direction, "asc"))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: sort direction '%s' is neither asc nor desc", what,
                  direction);
    field->nulls_last = firn_strcaseeq(nulls, "nulls-last");
    if (!field->nulls_last && !firn_strcaseeq(nulls, "nulls-first"))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: null order '%s' is neither nulls-first nor nulls-last",
                  what, nulls);
    return FIRN_OK;
}

firn_rc firn_sort_order_from_json(firn_arena *arena, const json_t *json, const char *what,
                                  firn_sort_order **out, firn_err *err)
{
    if (!json_is_object(json))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: a sort order is not a JSON object", what);
    firn_sort_order *order = FIRN_NEW(arena, firn_sort_order);
    json_t *fields = NULL;
    FIRN_TRY(firn_json_i32(json, "order-id", what, &order->order_id, err));
    FIRN_TRY(firn_json_array(json, "fields", what, &fields, err));
    size_t n = json_array_size(fields);
    if (n > FIRN_SPEC_FIELDS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s: a sort order has more than %d fields", what,
                  FIRN_SPEC_FIELDS_MAX);
    order->fields = FIRN_NEW_N(arena, firn_sort_field, n);
    order->n_fields = n;
    for (size_t i = 0; i < n; i++)
        FIRN_TRY(read_field(arena, json_array_get(fields, i), what, &order->fields[i], err));
    if (n > 0 && order->order_id == 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: Sort order ID 0 is reserved for unsorted order", what);
    *out = order;
    return FIRN_OK;
}

json_t *firn_sort_order_to_json(const firn_sort_order *order)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < order->n_fields; i++) {
        const firn_sort_field *field = &order->fields[i];
        json_t *json = json_object();
        json_object_set_new(json, "transform", json_string(field->transform.name));
        json_object_set_new(json, "source-id", json_integer(field->source_id));
        json_object_set_new(json, "direction", json_string(field->descending ? "desc" : "asc"));
        json_object_set_new(json, "null-order",
                            json_string(field->nulls_last ? "nulls-last" : "nulls-first"));
        json_array_append_new(fields, json);
    }
    json_t *json = json_object();
    json_object_set_new(json, "order-id", json_integer(order->order_id));
    json_object_set_new(json, "fields", fields);
    return json;
}

bool firn_sort_order_same(const firn_sort_order *a, const firn_sort_order *b)
{
    if (a->n_fields != b->n_fields)
        return false;
    for (size_t i = 0; i < a->n_fields; i++) {
        const firn_sort_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->source_id != y->source_id || x->descending != y->descending ||
            x->nulls_last != y->nulls_last || !firn_streq(x->transform.name, y->transform.name))
            return false;
    }
    return true;
}

firn_rc firn_sort_order_check(const firn_sort_order *order, const firn_schema *schema,
                              firn_err *err)
{
    for (size_t i = 0; i < order->n_fields; i++) {
        const firn_sort_field *field = &order->fields[i];
        const firn_field *source = firn_schema_find_id(schema, field->source_id);
        if (!source)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot find source column for sort field: %s(%d); change the sort order "
                      "before dropping its column",
                      field->transform.name, field->source_id);
        if (firn_type_is_nested(source->type))
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "Cannot sort by non-primitive source field: %s is a struct, list or map",
                      source->name);
        FIRN_TRY(firn_transform_check(&field->transform, source->type, err));
    }
    return FIRN_OK;
}
