/* Namespaces: list, create, load, check, drop, change properties. */
#include "handlers.h"

#include <stdlib.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

firn_rc firn_rest_namespace_list(firn_call *call, firn_err *err)
{
    const char *parent = firn_call_query(call, "parent");
    char **names;
    size_t n;
    firn_page page;
    firn_rc rc =
        firn_catalog_namespace_list(call->catalog, call->arena, call->ref,
                                    parent && parent[0] ? parent : NULL, false, &names, &n, err);
    if (rc != FIRN_OK) {
        return firn_call_explain(call, rc, (firn_ident){.ns = parent}, err);
    }
    qsort(names, n, sizeof(*names), by_text);
    FIRN_TRY(firn_call_page(call, (const char *const *)names, n, &page, err));
    json_t *list = json_array();
    for (size_t i = page.from; i < page.to; i++) {
        json_array_append_new(list, firn_call_ns_json(names[i]));
    }
    firn_reply_json(
        call, 200,
        json_pack("{s:o, s:s?}", "namespaces", list, "next-page-token", page.next_token));
    return FIRN_OK;
}

/* Properties are texts. */
static firn_rc check_texts(const json_t *properties, const char *what, firn_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)properties, key, value)
    {
        if (!json_is_string(value)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: \"%.100s\" must be text", what, key);
        }
    }
    return FIRN_OK;
}

firn_rc firn_rest_namespace_create(firn_call *call, firn_err *err)
{
    json_t *body, *properties;
    firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE};
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_call_ns_of_json(call, json_object_get(body, "namespace"), &change.ident.ns, err));
    FIRN_TRY(firn_call_bad(
        firn_json_opt_object(body, "properties", "the request", &properties, err), err));
    FIRN_TRY(check_texts(properties, "properties", err));
    change.document = properties ? properties : firn_json_own(call->arena, json_object());
    FIRN_TRY(firn_call_commit(call, call->ref, &change, 1, NULL, err));
    firn_reply_json(call, 200,
                    json_pack("{s:o, s:O}", "namespace", firn_call_ns_json(change.ident.ns),
                              "properties", change.document));
    return FIRN_OK;
}

static firn_rc load(firn_call *call, const char *ns, json_t **properties, firn_err *err)
{
    firn_rc rc = firn_catalog_namespace_properties(call->catalog, call->arena, call->ref, ns,
                                                   properties, err);
    return rc == FIRN_OK ? rc : firn_call_explain(call, rc, (firn_ident){.ns = ns}, err);
}

firn_rc firn_rest_namespace_load(firn_call *call, firn_err *err)
{
    const char *ns;
    json_t *properties;
    FIRN_TRY(firn_call_ns(call, &ns, err));
    FIRN_TRY(load(call, ns, &properties, err));
    firn_reply_json(
        call, 200,
        json_pack("{s:o, s:O}", "namespace", firn_call_ns_json(ns), "properties", properties));
    return FIRN_OK;
}

firn_rc firn_rest_namespace_exists(firn_call *call, firn_err *err)
{
    const char *ns;
    json_t *properties;
    FIRN_TRY(firn_call_ns(call, &ns, err));
    FIRN_TRY(load(call, ns, &properties, err));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

firn_rc firn_rest_namespace_drop(firn_call *call, firn_err *err)
{
    firn_change change = {.kind = FIRN_CHANGE_DROP_NAMESPACE};
    FIRN_TRY(firn_call_ns(call, &change.ident.ns, err));
    FIRN_TRY(firn_call_commit(call, call->ref, &change, 1, NULL, err));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

/* ---- properties ----------------------------------------------------------------------------------------- */

typedef struct property_change {
    json_t *changes; /* what the commit gets: texts set, nulls remove */
    json_t *updated, *removed, *missing;
} property_change;

static firn_rc read_removals(firn_call *call, const json_t *removals, const json_t *updates,
                             const json_t *present, property_change *out, firn_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach(removals, i, item)
    {
        const char *key = json_string_value(item);
        if (!key) {
            FIRN_FAIL(err, FIRN_E_INVALID, "removals must be texts");
        }
        if (json_object_get(updates, key)) {
            FIRN_CALL_FAIL(call, err, FIRN_E_INVALID, 422, "UnprocessableEntityException",
                           "property \"%.100s\" is in both updates and removals", key);
        }
        if (json_object_get(out->changes, key)) {
            continue; /* twice in the list */
        }
        if (json_object_get(present, key)) {
            json_object_set_new(out->changes, key, json_null());
            json_array_append(out->removed, item);
        } else {
            json_array_append(out->missing, item);
        }
    }
    return FIRN_OK;
}

firn_rc firn_rest_namespace_properties(firn_call *call, firn_err *err)
{
    json_t *body, *updates, *removals, *present;
    firn_change change = {.kind = FIRN_CHANGE_SET_NAMESPACE_PROPERTIES};
    FIRN_TRY(firn_call_ns(call, &change.ident.ns, err));
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(
        firn_call_bad(firn_json_opt_object(body, "updates", "the request", &updates, err), err));
    FIRN_TRY(
        firn_call_bad(firn_json_opt_array(body, "removals", "the request", &removals, err), err));
    FIRN_TRY(check_texts(updates, "updates", err));
    FIRN_TRY(load(call, change.ident.ns, &present, err));
    firn_arena *arena = call->arena;
    property_change plan = {.changes = firn_json_own(arena, json_object()),
                            .updated = firn_json_own(arena, json_array()),
                            .removed = firn_json_own(arena, json_array()),
                            .missing = firn_json_own(arena, json_array())};
    FIRN_TRY(read_removals(call, removals, updates, present, &plan, err));
    const char *key;
    json_t *value;
    json_object_foreach(updates, key, value)
    {
        json_object_set(plan.changes, key, value);
        json_array_append_new(plan.updated, json_string(key));
    }
    change.document = plan.changes;
    call->keep_answer = true; /* what was missing is told by the state before */
    if (json_object_size(plan.changes) > 0) {
        FIRN_TRY(firn_call_commit(call, call->ref, &change, 1, NULL, err));
    }
    firn_reply_json(call, 200,
                    json_pack("{s:O, s:O, s:O}", "updated", plan.updated, "removed", plan.removed,
                              "missing", plan.missing));
    return FIRN_OK;
}
