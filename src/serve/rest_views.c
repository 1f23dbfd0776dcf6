/* Views: create, register, load, check, replace, drop, rename. */
#include "handlers.h"

#include "iceberg/view_update.h"

/* Java's client throws what is wrong with a view again under this name. */
static firn_rc bad_view(firn_call *call, firn_rc rc)
{
    if (rc == FIRN_E_INVALID) {
        call->error_type = "IllegalArgumentException";
    }
    return rc;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static void reply_view(firn_call *call, const char *location, json_t *view)
{
    firn_reply_json(
        call, 200,
        json_pack("{s:s, s:O, s:{}}", "metadata-location", location, "metadata", view, "config"));
}

/* Commits one change of `change->ident` and answers with the view as it is then. */
static firn_rc commit_view(firn_call *call, const firn_change *change, firn_err *err)
{
    firn_commit_result result = {0};
    json_t *view;
    firn_rc rc = firn_call_commit(call, call->ref, change, 1, &result, err);
    if (rc != FIRN_OK) {
        return bad_view(call, rc);
    }
    const char *location = result.locations ? result.locations[0] : NULL;
    if (location) {
        FIRN_TRY(firn_view_file_load(firn_catalog_storage(call->catalog), call->arena, location,
                                     &view, err));
    } else { /* nothing was changed, and nothing says what there was */
        firn_catalog_entry entry;
        rc = firn_catalog_view_load(call->catalog, call->arena, call->ref, change->ident, &entry,
                                    &view, err);
        if (rc != FIRN_OK) {
            return firn_call_explain(call, rc, change->ident, err);
        }
        location = entry.location;
    }
    reply_view(call, location, view);
    return FIRN_OK;
}

/* ---- endpoints ---------------------------------------------------------------------------------------- */

static firn_rc read_create(firn_call *call, firn_change *change, firn_err *err)
{
    json_t *body, *schema, *version, *properties;
    const char *location;
    const char *what = "the request";
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_json_str(body, "name", what, &change->ident.name, err));
    FIRN_TRY(firn_json_object(body, "schema", what, &schema, err));
    FIRN_TRY(firn_json_object(body, "view-version", what, &version, err));
    FIRN_TRY(firn_json_opt_object(body, "properties", what, &properties, err));
    FIRN_TRY(firn_json_opt_str(body, "location", what, NULL, &location, err));
    change->updates =
        firn_json_own(call->arena, firn_view_create_updates(location, schema, version, properties));
    return FIRN_OK;
}

firn_rc firn_rest_view_create(firn_call *call, firn_err *err)
{
    firn_change change = {.kind = FIRN_CHANGE_CREATE_VIEW};
    FIRN_TRY(firn_call_ns(call, &change.ident.ns, err));
    FIRN_TRY(firn_call_bad(read_create(call, &change, err), err));
    return commit_view(call, &change, err);
}

/* A file that is not there or is no view is the request's fault, and 404 would say that the view is not there. */
firn_rc firn_rest_view_register(firn_call *call, firn_err *err)
{
    firn_change change = {.kind = FIRN_CHANGE_REGISTER_VIEW};
    json_t *body;
    FIRN_TRY(firn_call_ns(call, &change.ident.ns, err));
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(
        firn_call_bad(firn_json_str(body, "name", "the request", &change.ident.name, err), err));
    FIRN_TRY(firn_call_bad(
        firn_json_str(body, "metadata-location", "the request", &change.location, err), err));
    firn_rc rc = commit_view(call, &change, err);
    if (rc == FIRN_E_NOT_FOUND || rc == FIRN_E_CORRUPT || rc == FIRN_E_UNSUPPORTED) {
        call->error_status = 400;
        call->error_type = "BadRequestException";
    }
    return rc;
}

firn_rc firn_rest_view_load(firn_call *call, firn_err *err)
{
    const char *ref;
    firn_ident ident;
    firn_catalog_entry entry;
    json_t *view;
    FIRN_TRY(firn_call_ident_at(call, "view", &ref, &ident, err));
    firn_rc rc = firn_catalog_view_load(call->catalog, call->arena, ref, ident, &entry, &view, err);
    if (rc != FIRN_OK) {
        return firn_call_explain(call, rc, ident, err);
    }
    reply_view(call, entry.location, view);
    return FIRN_OK;
}

firn_rc firn_rest_view_exists(firn_call *call, firn_err *err)
{
    const char *ref;
    firn_ident ident;
    firn_catalog_entry entry;
    FIRN_TRY(firn_call_ident_at(call, "view", &ref, &ident, err));
    firn_rc rc = firn_catalog_entry_get(call->catalog, call->arena, ref, ident, &entry, err);
    if (rc == FIRN_E_NO_TABLE || (rc == FIRN_OK && entry.kind != FIRN_KIND_VIEW)) {
        FIRN_FAIL(err, FIRN_E_NO_VIEW, "View does not exist: %s",
                  firn_ident_text(call->arena, ident));
    }
    FIRN_TRY(rc);
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

/* {"identifier"?, "requirements", "updates"}; an identifier must be the path's. */
static firn_rc read_replace(firn_call *call, firn_change *change, firn_err *err)
{
    json_t *body, *requirements, *updates, *identifier;
    const char *what = "the request";
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_json_opt_object(body, "identifier", what, &identifier, err));
    FIRN_TRY(firn_json_opt_array(body, "requirements", what, &requirements, err));
    FIRN_TRY(firn_json_array(body, "updates", what, &updates, err));
    if (identifier) {
        firn_ident named;
        FIRN_TRY(firn_call_ident_of_json(call, identifier, &named, err));
        if (!firn_streq(named.ns, change->ident.ns) ||
            !firn_streq(named.name, change->ident.name)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "the request's identifier is %s, the path's %s",
                      firn_ident_text(call->arena, named),
                      firn_ident_text(call->arena, change->ident));
        }
    }
    change->requirements = requirements;
    change->updates = updates;
    return FIRN_OK;
}

firn_rc firn_rest_view_replace(firn_call *call, firn_err *err)
{
    firn_change change = {.kind = FIRN_CHANGE_UPDATE_VIEW};
    FIRN_TRY(firn_call_ident(call, "view", &change.ident, err));
    FIRN_TRY(firn_call_bad(read_replace(call, &change, err), err));
    return commit_view(call, &change, err);
}

firn_rc firn_rest_view_drop(firn_call *call, firn_err *err)
{
    firn_change change = {.kind = FIRN_CHANGE_DROP_VIEW};
    FIRN_TRY(firn_call_ident(call, "view", &change.ident, err));
    FIRN_TRY(firn_call_commit(call, call->ref, &change, 1, NULL, err));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

firn_rc firn_rest_view_rename(firn_call *call, firn_err *err)
{
    firn_change change = {.kind = FIRN_CHANGE_RENAME_VIEW};
    json_t *body;
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_call_ident_of_json(call, json_object_get(body, "source"), &change.ident, err));
    FIRN_TRY(firn_call_ident_of_json(call, json_object_get(body, "destination"), &change.to, err));
    FIRN_TRY(firn_call_commit(call, call->ref, &change, 1, NULL, err));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}
